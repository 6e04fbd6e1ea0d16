/*
 * Group tls: the parser's entry, and the columns.
 */
#include "extractors/quic.h"
#include "extractors/tls_cert.h"
#include "extractors/tls_internal.h"

static jj_want
stream(void *state, const jj_chunk *c, jj_app *app, const jj_work *w)
{
	(void) app;
	return jj_tls_tcp_add(&((jj_tls *) state)->tcp, c, w);
}

static uint32_t
pass(const void *state, unsigned dir)
{
	return jj_tls_tcp_pass(&((const jj_tls *) state)->tcp, dir);
}

static void
fetch(const void *state, unsigned dir)
{
	const jj_tls *t = state;

	JJ_PREFETCH(t);
	JJ_PREFETCH(&t->tcp.slot[dir]);
}

static jj_want
datagram(void *state, const jj_packet *p, jj_app *app, const jj_work *w)
{
	(void) app;
	return jj_dtls_add(&((jj_tls *) state)->dtls, p, w);
}

static void
release(void *state, const jj_allocator *a)
{
	jj_tls	   *t = state;

	jj_tls_tcp_free(&t->tcp, a);
	jj_dtls_free(t->dtls, a);
}

const jj_parser jj_parser_tls = {
	.state_size = sizeof(jj_tls),
	.stream_opens = jj_tls_tcp_opens,
	.datagram_opens = jj_dtls_opens,
	.stream = stream,
	.pass = pass,
	.fetch = fetch,
	.datagram = datagram,
	.release = release,
};

static void
read_quic(const jj_quic *q, jj_tls_view *v)
{
	v->transport = JJ_TLS_QUIC;
	v->client = (uint8_t) jj_quic_client(q);
	if (q->ch.body != NULL)
		v->ch = &q->ch;
	v->hello_retry = q->hrr;
	v->handshake_packets = q->handshake_datagrams;
	if (q->sh.body == NULL)
		return;
	v->sh = &q->sh;
	v->resumed = jj_hello_has(v->sh, 41);
}

/* As jj_tls_read, with the lists of record lengths; NULL where there is none. */
static void
read_flow(const jj_app *app, jj_tls_view *v, const jj_tls_lengths *lengths[2])
{
	const jj_quic *q = jj_app_parser(app, JJ_P_QUIC);
	const jj_tls *t = jj_app_parser(app, JJ_P_TLS);
	const jj_tls_run *run[2];

	memset(v, 0, sizeof(*v));
	v->alert = v->resumed = -1;
	lengths[0] = lengths[1] = NULL;
	if (jj_quic_has_tls(q))
		read_quic(q, v);
	if (t == NULL || jj_quic_detected(q) || v->transport != JJ_TLS_NONE)
		return;
	if (t->dtls != NULL)
	{
		jj_dtls_read(t->dtls, v, &lengths[0]);
		return;
	}
	jj_tls_tcp_read(&t->tcp, v, run);
	for (int d = 0; d < 2; d++)
		if (run[d] != NULL)
			lengths[d] = &run[d]->lengths;
}

void
jj_tls_read(const jj_app *app, jj_tls_view *v)
{
	const jj_tls_lengths *lengths[2];

	read_flow(app, v, lengths);
}

/* Both lists as one, in order. */
static void
set_lengths(jj_row *row, const jj_tls_view *v, const jj_tls_lengths *lengths[2], uint32_t max)
{
	uint32_t	i[2] = {0, 0};
	uint32_t	n[2];
	uint32_t	total;
	int32_t    *out;

	for (int d = 0; d < 2; d++)
		n[d] = lengths[d] != NULL ? lengths[d]->n : 0;
	total = n[0] + n[1] < max ? n[0] + n[1] : max;
	if (total == 0 || (out = jj_row_reserve(row, JJ_F_tls_record_lengths, sizeof(*out) * total)) == NULL)
		return;
	for (uint32_t k = 0; k < total; k++)
	{
		int			d = i[0] == n[0] || (i[1] < n[1] && lengths[1]->list[i[1]].order < lengths[0]->list[i[0]].order);
		const jj_tls_length *l = &lengths[d]->list[i[d]++];

		out[k] = l->dir == v->client ? l->length : -(int32_t) l->length;
	}
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	static const char *const names[] = {[JJ_TLS_TCP] = "tcp", [JJ_TLS_STARTTLS] = "starttls", [JJ_TLS_DTLS] = "dtls", [JJ_TLS_QUIC] = "quic"};
	static const char letters[] = {[JJ_TLS_TCP] = 't', [JJ_TLS_STARTTLS] = 't', [JJ_TLS_DTLS] = 'd', [JJ_TLS_QUIC] = 'q'};
	const jj_tls_lengths *lengths[2];
	jj_tls_view v;

	(void) fold;
	if ((f->key.proto == JJ_PROTO_TCP || f->key.proto == JJ_PROTO_UDP) && jj_app_blind(f, state))
		return true;
	read_flow(jj_app_of(state), &v, lengths);
	jj_row_int(row, JJ_F_tls_detected, v.transport != JJ_TLS_NONE);
	if (v.transport == JJ_TLS_NONE)
		return true;
	jj_row_text(row, JJ_F_tls_transport, names[v.transport]);
	if (v.handshake_packets > 0)
		jj_row_int(row, JJ_F_tls_handshake_packets, v.handshake_packets);
	if (v.alert >= 0)
		jj_row_int(row, JJ_F_tls_alert, v.alert);
	set_lengths(row, &v, lengths, w->options.max_sequence_length);
	if (v.ch != NULL && !jj_client_hello_columns(row, v.ch, letters[v.transport], w))
		return false;
	if (v.sh != NULL || v.hello_retry)
		jj_row_int(row, JJ_F_tls_hello_retry, v.hello_retry);
	if (v.sh == NULL)
		return true;
	if (v.resumed >= 0)
		jj_row_int(row, JJ_F_tls_session_resumed, v.resumed);
	return jj_server_hello_columns(row, v.sh, v.key_exchange, v.key_exchange_size, w)
		&& (v.certs == NULL || jj_cert_columns(row, v.certs, v.certs_size, w));
}

const jj_extractor jj_extract_tls = {
	.group = JJ_G_tls,
	.base = &jj_app_base,
	.emit = emit,
};
