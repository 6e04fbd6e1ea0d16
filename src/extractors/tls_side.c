/*
 * What the handshake messages of one side say.
 */
#include "extractors/tls_cert.h"
#include "extractors/tls_internal.h"

jj_tls_need
jj_tls_needs(const jj_work *w)
{
	const jj_feature_set *f = &w->options.features;
	bool		fingerprint = w->groups >> JJ_G_fingerprint & 1;
	jj_tls_need need = {
		.certs = fingerprint,
		.key_exchange = jj_set_has(f, JJ_F_tls_key_exchange_group) || jj_set_has(f, JJ_F_tls_key_exchange_group_name)
		|| jj_set_has(f, JJ_F_tls_key_exchange_length),
		.resumed = jj_set_has(f, JJ_F_tls_session_resumed),
		.packets = jj_set_has(f, JJ_F_tls_handshake_packets),
		.alert = jj_set_has(f, JJ_F_tls_alert),
		.cells = jj_set_has(f, JJ_F_tor_confidence) || jj_set_has(f, JJ_F_likely_tor) || jj_set_has(f, JJ_F_traffic_type)
		|| jj_set_has(f, JJ_F_app_protocol) || jj_set_has(f, JJ_F_app_evidence),
		.lengths = jj_set_has(f, JJ_F_tls_record_lengths) ? (uint16_t) w->options.max_sequence_length : 0,
	};

	static const jj_feature certs[] = {
		JJ_F_tls_cert_count, JJ_F_tls_cert_total_length, JJ_F_tls_cert_first_length, JJ_F_tls_cert_chain_length, JJ_F_tls_cert_sha256,
		JJ_F_tls_cert_issuer, JJ_F_tls_cert_subject_cn, JJ_F_tls_cert_san, JJ_F_tls_cert_not_before, JJ_F_tls_cert_not_after,
		JJ_F_tls_cert_self_signed, JJ_F_tls_cert_key,
	};

	for (size_t i = 0; i < sizeof(certs) / sizeof(certs[0]); i++)
		need.certs = need.certs || jj_set_has(f, certs[i]);
	return need;
}

void
jj_tls_side_header(jj_tls_side *s, unsigned type)
{
	if (jj_tls_has_sh(s) && !s->sh.tls13 && s->resumed == 0
		&& (type == JJ_TLS_CERTIFICATE || type == JJ_TLS_SERVER_KEY_EXCHANGE || type == JJ_TLS_SERVER_HELLO_DONE))
		s->resumed = 1;
}

void
jj_tls_side_ccs(jj_tls_side *s)
{
	if (jj_tls_has_sh(s) && !s->sh.tls13 && s->resumed == 0)
		s->resumed = 2;
}

bool
jj_tls_side_wants(const jj_tls_side *s, unsigned type, const jj_tls_need *need)
{
	if (type == JJ_TLS_SERVER_HELLO)
		return !jj_tls_has_sh(s);
	if (!jj_tls_has_sh(s) || s->sh.tls13)
		return false;
	return (type == JJ_TLS_CERTIFICATE && need->certs && s->certs == NULL)
		|| (type == JJ_TLS_SERVER_KEY_EXCHANGE && need->key_exchange && s->key_exchange == NULL);
}

bool
jj_tls_side_server_hello(jj_tls_side *s, const jj_hello *h, const jj_allocator *a)
{
	if (h->retry)
	{
		s->retry = true;
		return true;
	}
	if (jj_tls_has_sh(s))
		return true;
	s->sh = *h;
	if (!jj_hello_keep(&s->sh, a))
	{
		memset(&s->sh, 0, sizeof(s->sh));
		return false;
	}
	if (s->sh.tls13)
		s->resumed = jj_hello_has(&s->sh, 41) ? 2 : 1;
	return true;
}

/* A copy of n > 0 bytes; NULL without memory. */
static uint8_t *
copy(const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	uint8_t    *own = jj_alloc(a, n);

	if (own != NULL)
		memcpy(own, b, n);
	return own;
}

bool
jj_tls_side_message(jj_tls_side *s, unsigned type, const uint8_t *body, uint32_t n, const jj_allocator *a)
{
	jj_cert_list list;

	if (type == JJ_TLS_CERTIFICATE && jj_cert_list_parse(&list, body, n))
	{
		s->certs = copy(body, n, a);
		s->certs_size = (uint16_t) n;
		return s->certs != NULL;
	}
	if (type == JJ_TLS_SERVER_KEY_EXCHANGE && n > 0)
	{
		s->key_exchange = copy(body, n, a);
		s->key_exchange_size = (uint16_t) n;
		return s->key_exchange != NULL;
	}
	return true;
}

void
jj_tls_side_free(jj_tls_side *s, const jj_allocator *a)
{
	jj_hello_free(&s->ch, a);
	jj_hello_free(&s->sh, a);
	jj_release(a, s->certs);
	jj_release(a, s->key_exchange);
}

void
jj_tls_view_client(jj_tls_view *v, const jj_tls_side *s)
{
	if (s->ch.body != NULL)
		v->ch = &s->ch;
}

void
jj_tls_view_server(jj_tls_view *v, const jj_tls_side *s)
{
	v->hello_retry = s->retry;
	if (!jj_tls_has_sh(s))
		return;
	v->sh = &s->sh;
	v->resumed = (int8_t) (s->resumed - 1);
	v->certs = s->certs;
	v->certs_size = s->certs_size;
	v->key_exchange = s->key_exchange;
	v->key_exchange_size = s->key_exchange_size;
}

bool
jj_tls_lengths_add(jj_tls_lengths *l, uint32_t order, uint32_t length, unsigned dir, uint32_t max, const jj_allocator *a)
{
	if (l->n >= max)
		return true;
	if (l->n == l->room)
	{
		uint32_t	room = l->room == 0 ? 6 : l->room * 2 + 2;	/* with the pool's header, whole lines of the cache */
		jj_tls_length *grown = jj_regrow(a, l->list, sizeof(*grown) * l->n, sizeof(*grown) * room);

		if (grown == NULL)
			return false;
		l->list = grown;
		l->room = room;
	}
	l->list[l->n++] = (jj_tls_length)
	{
		order, (uint16_t) length, (uint16_t) dir
	};
	return true;
}
