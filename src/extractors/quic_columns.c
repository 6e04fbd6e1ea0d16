/*
 * Group quic: columns.
 *
 * Sources: RFC 9000 18.2; IANA registry QUIC Transport Parameters.
 */
#include "extractors/app.h"
#include "extractors/quic.h"
#include "features/anonymize.h"

#include <string.h>

#define EXT_TRANSPORT_PARAMETERS 0x39
#define EXT_TRANSPORT_PARAMETERS_DRAFT 0xffa5
#define MAX_PARAMETERS 512
#define PREFERRED_ADDRESS 0x0d
#define MAX_PREFERRED 64		/* bytes: with a connection id of 20 and a token of 16 it is 61 */

/* How a parameter's value is given. */
typedef enum form
{
	HEX,
	INTEGER,					/* of variable length; anything else as HEX */
	FLAG,						/* empty: true */
	TEXT
} form;

static const struct
{
	uint16_t	id;
	uint8_t		form;
	const char *name;
}			parameters[] = {
	{0x00, HEX, "original_destination_connection_id"},
	{0x01, INTEGER, "max_idle_timeout"},
	{0x02, HEX, "stateless_reset_token"},
	{0x03, INTEGER, "max_udp_payload_size"},
	{0x04, INTEGER, "initial_max_data"},
	{0x05, INTEGER, "initial_max_stream_data_bidi_local"},
	{0x06, INTEGER, "initial_max_stream_data_bidi_remote"},
	{0x07, INTEGER, "initial_max_stream_data_uni"},
	{0x08, INTEGER, "initial_max_streams_bidi"},
	{0x09, INTEGER, "initial_max_streams_uni"},
	{0x0a, INTEGER, "ack_delay_exponent"},
	{0x0b, INTEGER, "max_ack_delay"},
	{0x0c, FLAG, "disable_active_migration"},
	{PREFERRED_ADDRESS, HEX, "preferred_address"},
	{0x0e, INTEGER, "active_connection_id_limit"},
	{0x0f, HEX, "initial_source_connection_id"},
	{0x10, HEX, "retry_source_connection_id"},
	{0x11, HEX, "version_information"},
	{0x20, INTEGER, "max_datagram_frame_size"},
	{0x173e, HEX, "discard"},
	{0x26ab, HEX, "google_handshake_message"},
	{0x2ab2, FLAG, "grease_quic_bit"},
	{0x3127, INTEGER, "initial_rtt"},
	{0x3128, HEX, "google_connection_options"},
	{0x3129, TEXT, "user_agent"},
	{0x4752, HEX, "google_version"}
};

#define NAME_ROOM 48			/* characters of a name or number, with what stands around it */

static char *
put(char *to, const char *text)
{
	size_t		n = strlen(text);

	memcpy(to, text, n);
	return to + n;
}

static char *
put_number(char *to, uint64_t v)
{
	char		digits[20];
	int			n = 0;

	do
		digits[n++] = (char) ('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

/* A JSON string of lower-case hex digits. */
static char *
put_hex(char *to, const uint8_t *b, uint32_t n)
{
	*to++ = '"';
	for (uint32_t i = 0; i < n; i++)
	{
		*to++ = "0123456789abcdef"[b[i] >> 4];
		*to++ = "0123456789abcdef"[b[i] & 15];
	}
	*to++ = '"';
	return to;
}

/* A JSON string of the text that jj_printable makes. */
static char *
put_text(char *to, const uint8_t *b, uint32_t n)
{
	*to++ = '"';
	for (uint32_t i = 0; i < n; i++)
	{
		char		shown[4];
		size_t		size = jj_printable(shown, b + i, 1, false);

		for (size_t k = 0; k < size; k++)
		{
			if (shown[k] == '"' || shown[k] == '\\')
				*to++ = '\\';
			*to++ = shown[k];
		}
	}
	*to++ = '"';
	return to;
}

static char *
put_value(char *to, form how, const uint8_t *b, uint32_t n)
{
	uint32_t	at = 0;
	uint64_t	v;

	if (how == INTEGER && jj_quic_varint(b, n, &at, &v) && at == n)
		return put_number(to, v);
	if (how == FLAG && n == 0)
		return put(to, "true");
	return how == TEXT ? put_text(to, b, n) : put_hex(to, b, n);
}

typedef struct parameter
{
	uint64_t	id;
	const uint8_t *value;
	uint32_t	size;
} parameter;

/* The next parameter at *at; old: 2-byte ids and lengths, of drafts before 27. */
static bool
next_parameter(const uint8_t *b, uint32_t n, uint32_t *at, bool old, parameter *p)
{
	uint64_t	size;

	if (old)
	{
		if (n - *at < 4)
			return false;
		p->id = (uint64_t) b[*at] << 8 | b[*at + 1];
		size = (uint64_t) b[*at + 2] << 8 | b[*at + 3];
		*at += 4;
	}
	else if (!jj_quic_varint(b, n, at, &p->id) || !jj_quic_varint(b, n, at, &size))
		return false;
	if (size > n - *at)
		return false;
	p->value = b + *at;
	p->size = (uint32_t) size;
	*at += p->size;
	return true;
}

static bool
among(const uint64_t *ids, uint32_t n, uint64_t id)
{
	while (n > 0)
		if (ids[--n] == id)
			return true;
	return false;
}

/* A preferred_address with pseudonyms, or null if it is not known where in it addresses are. */
static char *
put_preferred(char *to, const parameter *p, bool old, jj_cryptopan *c)
{
	uint8_t		value[MAX_PREFERRED];

	if (old || p->size > sizeof(value))
		return put(to, "null");
	memcpy(value, p->value, p->size);
	return jj_anonymize_preferred(c, value, p->size) ? put_hex(to, value, p->size) : put(to, "null");
}

/* The JSON object of the parameters, of each the first; bytes written. c is NULL unless rows are anonymised. */
static size_t
write_parameters(char *out, const uint8_t *b, uint32_t n, bool old, jj_cryptopan *c)
{
	uint64_t	seen[MAX_PARAMETERS];
	uint32_t	n_seen = 0;
	uint32_t	grease = 0;
	uint32_t	at = 0;
	parameter	p;
	char	   *to = put(out, "{");

	while (n_seen < MAX_PARAMETERS && next_parameter(b, n, &at, old, &p))
	{
		const char *name = NULL;
		form		how = HEX;

		for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]) && name == NULL; i++)
			if (parameters[i].id == p.id)
			{
				name = parameters[i].name;
				how = (form) parameters[i].form;
			}
		if (name == NULL && p.id >= 27 && (p.id - 27) % 31 == 0)
		{
			grease++;
			continue;
		}
		if (among(seen, n_seen, p.id))
			continue;
		to = put(to, n_seen > 0 ? ",\"" : "\"");
		to = name != NULL ? put(to, name) : put_number(to, p.id);
		to = put(to, "\":");
		to = p.id == PREFERRED_ADDRESS && c != NULL ? put_preferred(to, &p, old, c) : put_value(to, how, p.value, p.size);
		seen[n_seen++] = p.id;
	}
	if (grease > 0)
		to = put_number(put(to, n_seen > 0 ? ",\"grease\":" : "\"grease\":"), grease);
	return (size_t) (put(to, "}") - out);
}

/* False without memory. */
static bool
set_parameters(jj_row *row, const jj_quic *q, jj_work *w)
{
	int			draft = jj_quic_draft(q->ch_version);
	bool		old = draft != 0 ? draft < 27 : q->ch_version == JJ_QUIC_T050;
	const uint8_t *b;
	uint32_t	n;
	char	   *text;

	if (!jj_row_wants(row, JJ_F_quic_transport_params)
		|| (!jj_hello_extension(&q->ch, EXT_TRANSPORT_PARAMETERS, &b, &n)
			&& !jj_hello_extension(&q->ch, EXT_TRANSPORT_PARAMETERS_DRAFT, &b, &n)))
		return true;
	if (old)
	{
		/* behind their length */
		uint32_t	size = n < 2 ? 0 : (uint32_t) b[0] << 8 | b[1];

		b += n < 2 ? n : 2;
		n -= n < 2 ? n : 2;
		n = size < n ? size : n;
	}
	text = jj_alloc(&w->allocator, 5 * (size_t) n + NAME_ROOM * (size_t) (n / 2 < MAX_PARAMETERS ? n / 2 : MAX_PARAMETERS) + NAME_ROOM);
	if (text == NULL)
		return false;
	jj_row_put(row, JJ_F_quic_transport_params, text, write_parameters(text, b, n, old, w->cryptopan));
	jj_release(&w->allocator, text);
	return true;
}

static void
set_version(jj_row *row, const jj_quic_side *client, const jj_quic_side *server)
{
	uint32_t	version = server->has_version ? server->version : client->any_version;
	char		name[JJ_QUIC_VERSION_TEXT];

	if (!server->has_version && !client->has_any_version)
		return;
	jj_row_int(row, JJ_F_quic_version, version);
	if (jj_row_wants(row, JJ_F_quic_version_str))
	{
		jj_quic_version_name(name, version);
		jj_row_text(row, JJ_F_quic_version_str, name);
	}
}

static void
set_ids(jj_row *row, const jj_quic_ids *ids)
{
	jj_row_put(row, JJ_F_quic_dcid, ids->dcid, ids->dcid_len);
	jj_row_int(row, JJ_F_quic_dcid_len, ids->dcid_len);
	if (ids->uses & JJ_QUIC_USE_NO_SOURCE)
		return;
	jj_row_put(row, JJ_F_quic_scid, ids->scid, ids->scid_len);
	jj_row_int(row, JJ_F_quic_scid_len, ids->scid_len);
}

static bool
set_hello(jj_row *row, const jj_quic *q, int client, jj_work *w)
{
	const uint8_t *name;
	uint32_t	size;

	if (q->ch.body != NULL)
	{
		jj_hello_alpn_column(row, JJ_F_quic_alpn, &q->ch);
		if (jj_hello_sni(&q->ch, &name, &size))
			jj_row_printable(row, JJ_F_quic_sni, name, size, true);
		return set_parameters(row, q, w);
	}
	name = jj_quic_google_sni(q, client, &size);
	if (name != NULL)
		jj_row_host(row, JJ_F_quic_sni, name, size);
	return true;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_quic *q = jj_app_parser(jj_app_of(state), JJ_P_QUIC);
	const jj_quic_side *client;
	const jj_quic_side *server;
	int			dir;

	(void) fold;
	if (f->key.proto == JJ_PROTO_UDP && jj_app_blind(f, state))
		return true;
	jj_row_int(row, JJ_F_quic_detected, jj_quic_detected(q));
	if (!jj_quic_detected(q))
		return true;
	dir = jj_quic_client(q);
	client = &q->side[dir];
	server = &q->side[1 - dir];
	set_version(row, client, server);
	if (client->n_ids > 0)
		set_ids(row, &client->ids[0]);
	if (client->number_len > 0 || server->number_len > 0)
		jj_row_int(row, JJ_F_quic_pn_length, client->number_len > 0 ? client->number_len : server->number_len);
	jj_row_int(row, JJ_F_quic_initial_packets, q->initial_packets < INT32_MAX ? q->initial_packets : INT32_MAX);
	jj_row_int(row, JJ_F_quic_0rtt_detected, q->zero_rtt);
	jj_row_int(row, JJ_F_quic_retry_detected, server->retry);
	if (client->has_token)
		jj_row_int(row, JJ_F_quic_token_length, client->token_len);
	if (q->ietf && (client->one_rtt == 2 || server->one_rtt == 2))
		jj_row_int(row, JJ_F_quic_spin_bit, q->moved);
	return set_hello(row, q, dir, w);
}

const jj_extractor jj_extract_quic = {
	.group = JJ_G_quic,
	.base = &jj_app_base,
	.emit = emit,
};
