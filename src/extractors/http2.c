/*
 * Group http2: HTTP/1, HTTP/2 in the clear, and what ALPN says of HTTP inside
 * TLS and QUIC.
 */
#include "extractors/http.h"
#include "extractors/quic.h"
#include "extractors/tls.h"

#include <string.h>

#define AGENT_BYTES 1024		/* of a user agent that are shown */

/* What the flow's TLS or QUIC hellos say. */
typedef struct hellos
{
	bool		tls;			/* TLS over TCP */
	bool		quic;
	const jj_hello *client;		/* NULL: not seen, or not decrypted */
	const jj_hello *server;
} hellos;

static hellos
read_hellos(const jj_app *app)
{
	jj_tls_view v;
	hellos		t;

	jj_tls_read(app, &v);
	t.tls = v.transport == JJ_TLS_TCP || v.transport == JJ_TLS_STARTTLS;
	t.quic = jj_quic_detected(jj_app_parser(app, JJ_P_QUIC));
	t.client = v.ch;
	t.server = v.sh;
	return t;
}

static bool
is_name(const uint8_t *b, uint32_t n, const char *name)
{
	return n == strlen(name) && memcmp(b, name, n) == 0;
}

/* Does the ClientHello offer the protocol? */
static bool
offers(const jj_hello *client, bool (*is) (const uint8_t *name, uint32_t n))
{
	jj_alpn_walk walk = {0};
	const uint8_t *name;
	uint32_t	n;

	while (jj_hello_alpn_next(client, &walk, &name, &n))
		if (is(name, n))
			return true;
	return false;
}

static bool
is_h2(const uint8_t *b, uint32_t n)
{
	return is_name(b, n, "h2");
}

/* h3, or a draft's h3-NN. */
static bool
is_h3(const uint8_t *b, uint32_t n)
{
	if (n < 2 || memcmp(b, "h3", 2) != 0 || n == 3 || (n > 3 && b[2] != '-'))
		return false;
	for (uint32_t i = 3; i < n; i++)
		if (b[i] < '0' || b[i] > '9')
			return false;
	return true;
}

/* The protocol the server chose where it can be read; NULL if there is none. */
static const uint8_t *
chosen(const hellos *t, uint32_t *n)
{
	jj_alpn_walk walk = {0};
	const uint8_t *name;

	return t->server != NULL && jj_hello_alpn_next(t->server, &walk, &name, n) ? name : NULL;
}

/* 1, 0, or -1 if TLS hides it. */
static int
h2_by_alpn(const hellos *t)
{
	uint32_t	n;
	const uint8_t *name = chosen(t, &n);
	bool		answered = t->server != NULL && t->server->chosen < 0x0304;

	if (name != NULL)
		return is_h2(name, n);
	if (t->client != NULL && !offers(t->client, is_h2))
		return 0;
	return answered ? 0 : -1;
}

static void
set_count(jj_row *row, jj_feature f, uint64_t n)
{
	jj_row_int(row, f, n < INT32_MAX ? (int64_t) n : INT32_MAX);
}

/* The columns that count frames and streams. */
static void
set_frames(jj_row *row, const jj_http_view *v)
{
	static const struct
	{
		jj_feature	column;
		uint8_t		type;
	}			counted[] = {
		{JJ_F_http2_data_frames, JJ_H2_DATA},
		{JJ_F_http2_headers_frames, JJ_H2_HEADERS},
		{JJ_F_http2_settings_frames, JJ_H2_SETTINGS},
		{JJ_F_http2_push_promise_frames, JJ_H2_PUSH_PROMISE},
		{JJ_F_http2_goaway_frames, JJ_H2_GOAWAY},
		{JJ_F_http2_window_update_frames, JJ_H2_WINDOW_UPDATE},
	};
	const jj_h2_side *c = &v->frames->side[v->client];
	const jj_h2_side *s = &v->frames->side[1 - v->client];
	uint64_t	both = v->server_frames ? 1 : 0;

	set_count(row, JJ_F_http2_frame_count, c->frames + both * s->frames);
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		set_count(row, counted[i].column, c->count[counted[i].type] + both * s->count[counted[i].type]);
	set_count(row, JJ_F_http2_streams_estimate, (uint64_t) v->frames->ids[0].count + v->frames->ids[1].count);
	jj_row_int(row, JJ_F_http2_server_push, v->server_frames && s->count[JJ_H2_PUSH_PROMISE] > 0);
	jj_row_int(row, JJ_F_http2_multiplexed, v->frames->multiplexed);
}

/* A text column, from at most so many bytes. */
static void
set_text(jj_row *row, jj_feature f, const jj_buffer *b, uint32_t most, bool lower)
{
	jj_row_printable(row, f, b->bytes, b->n < most ? b->n : most, lower);
}

/* The first exchange as HTTP/2 header fields. */
static void
set_h2_fields(jj_row *row, const jj_http_view *v)
{
	const jj_h2_side *c = &v->frames->side[v->client];
	const jj_h2_side *s = &v->frames->side[1 - v->client];
	const jj_hpack_fields *f = &c->fields;

	if (c->request == JJ_H2_FOUND && f->of[JJ_HPACK_METHOD].has)
	{
		const jj_buffer *host = &f->of[JJ_HPACK_AUTHORITY].value;

		if (host->n == 0)
			host = &f->of[JJ_HPACK_HOST].value;
		set_text(row, JJ_F_http_method, &f->of[JJ_HPACK_METHOD].value, JJ_HPACK_METHOD_BYTES, false);
		if (host->n > 0)
			set_text(row, JJ_F_http_host, host, UINT32_MAX, true);
		if (f->of[JJ_HPACK_USER_AGENT].has)
			set_text(row, JJ_F_http_user_agent, &f->of[JJ_HPACK_USER_AGENT].value, AGENT_BYTES, false);
	}
	if (v->server_frames && s->response == JJ_H2_FOUND && s->status >= 0)
		jj_row_int(row, JJ_F_http_status, s->status);
}

/* The first exchange as HTTP/1 heads. */
static void
set_h1_fields(jj_row *row, const jj_http_view *v)
{
	const jj_http1 *q = v->request;

	if (q != NULL)
	{
		uint32_t	n;
		const uint8_t *host = jj_http1_host(q, &n);

		jj_row_printable(row, JJ_F_http_method, q->method, q->method_bytes < JJ_HTTP1_METHOD ? q->method_bytes : JJ_HTTP1_METHOD, false);
		if (host != NULL)
			jj_row_printable(row, JJ_F_http_host, host, n, true);
		if (q->has >> JJ_HTTP1_AGENT & 1)
			set_text(row, JJ_F_http_user_agent, &q->field[JJ_HTTP1_AGENT], AGENT_BYTES, false);
	}
	else if (v->old != NULL)
		jj_row_text(row, JJ_F_http_method, "GET");
	if (v->response != NULL && v->response->final)
		jj_row_int(row, JJ_F_http_status, v->response->status);
}

static void
set_version(jj_row *row, const jj_http_view *v, const hellos *t, bool h3, bool h2)
{
	static const char *const others[] = {"h3", "http/1.1", "http/1.0", "http/0.9"};
	const jj_http1 *h1 = v->request != NULL ? v->request : v->response;
	uint32_t	n;
	const uint8_t *name = chosen(t, &n);

	if (h3 || h2)
		jj_row_text(row, JJ_F_http_version, h3 ? "h3" : "h2");
	else if (h1 != NULL)
		jj_row_text(row, JJ_F_http_version, h1->minor == '0' ? "http/1.0" : "http/1.1");
	else if (v->old != NULL)
		jj_row_text(row, JJ_F_http_version, "http/0.9");
	else
		for (size_t i = 0; name != NULL && i < sizeof(others) / sizeof(others[0]); i++)
			if (is_name(name, n, others[i]))
				jj_row_text(row, JJ_F_http_version, others[i]);
}

/* Whether a direction's stream goes on behind a gap. */
static bool
stuck(const jj_app *app, int dir)
{
	return jj_app_stream(app, dir).gap;
}

/* Whether a preface would have been seen. */
static bool
knows_start(bool is_tcp, const jj_app *app, const jj_http_view *v)
{
	if (!is_tcp || v->preface)
		return true;
	return jj_app_start_known(app, 0) && !(jj_app_stream(app, 0).next < JJ_HTTP_PREFACE && stuck(app, 0));
}

static bool
http2_emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_app *app = jj_app_of(state);
	bool		is_tcp = f->key.proto == JJ_PROTO_TCP;
	bool		blind = (is_tcp || f->key.proto == JJ_PROTO_UDP) && jj_app_blind(f, state);
	int			h2 = 0;
	int			h3 = 0;
	jj_http_view v;
	hellos		t = read_hellos(app);

	(void) fold;
	(void) w;
	jj_http_read(jj_app_parser(app, JJ_P_HTTP), &v);
	if (t.quic)
		h3 = t.client == NULL ? -1 : offers(t.client, is_h3);
	else if (blind && !is_tcp)
		h3 = -1;
	if (blind && is_tcp)
		h2 = -1;
	else if (v.h2)
		h2 = 1;
	else if (t.tls)
		h2 = h2_by_alpn(&t);
	if (h3 >= 0)
		jj_row_int(row, JJ_F_http3_detected, h3);
	if (h2 >= 0)
		jj_row_int(row, JJ_F_http2_detected, h2);

	if (!t.tls && !t.quic && !blind && knows_start(is_tcp, app, &v))
		jj_row_int(row, JJ_F_http2_preface_seen, v.preface);
	if (v.h2 && !stuck(app, v.client) && !(v.server_frames && stuck(app, 1 - v.client)))
		set_frames(row, &v);
	if (v.h2 && !v.upgraded)
		set_h2_fields(row, &v);
	else
		set_h1_fields(row, &v);
	set_version(row, &v, &t, h3 > 0, h2 > 0);
	return true;
}

const jj_extractor jj_extract_http2 = {
	.group = JJ_G_http2,
	.base = &jj_app_base,
	.emit = http2_emit,
};
