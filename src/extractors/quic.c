/*
 * QUIC of a flow: its long headers are walked, Initials are decrypted until
 * both hellos are complete, short headers of the connection give the spin bit.
 *
 * Which side is the client is known only when an Initial was decrypted, so
 * everything is kept by direction.
 *
 * Sources: RFC 8999, RFC 9000, RFC 9001, RFC 9368, RFC 9369.
 */
#include "extractors/quic.h"
#include "extractors/app.h"
#include "extractors/quic_crypto.h"

#include <string.h>

#define MAX_IDS 32				/* pairs of connection IDs remembered, each side */
#define MAX_KEYS 8				/* destination IDs of client Initials that are keys, each side */
#define MAX_STREAMS 8			/* CRYPTO streams at a time */
#define MAX_FAILURES 100		/* Initials that don't decrypt, until no more are tried */
#define MAX_RETRIES 16			/* Retry packets verified, each side */
#define MIN_INITIAL 1200		/* bytes of a client's datagram with an Initial (RFC 9000 14.1) */
#define CLIENT_HELLO 1
#define SERVER_HELLO 2
#define LONG 0x80				/* header form */
#define FIXED_BIT 0x40
#define SPIN_BIT 0x20

/* A destination ID that opened an Initial of a client, and the keys made of it: [0] the client's, [1] the server's. */
typedef struct initial_key
{
	uint8_t		dcid[JJ_QUIC_CID];
	uint8_t		dcid_len;
	bool		made[2];
	uint32_t	version[2];		/* for which they were made */
	jj_quic_keys keys[2];
} initial_key;

typedef struct crypto_stream
{
	uint8_t		dir;
	uint8_t		key;
	bool		server;
	uint32_t	version;
	uint32_t	read;			/* bytes of messages that were looked at */
	jj_quic_bytes bytes;
} crypto_stream;

struct jj_quic_opener
{
	initial_key *key[2][MAX_KEYS];	/* by sender */
	uint8_t		n_keys[2];
	uint8_t		n_streams;
	crypto_stream stream[MAX_STREAMS];
	jj_hold    *hold;			/* in which their bytes are counted */
};

/* ---- what is known in the end */

int
jj_quic_client(const jj_quic *q)
{
	if (q->ch.body != NULL)
		return q->ch_dir;
	if (q->decrypted)
		return q->first_client;
	return q->sh.body != NULL ? 1 - q->sh_dir : 0;
}

bool
jj_quic_detected(const jj_quic *q)
{
	int			client;

	if (q == NULL)
		return false;
	client = jj_quic_client(q);
	return q->decrypted || q->side[0].plain || q->side[1].plain || q->side[1 - client].if_server || q->side[1 - client].negotiated;
}

/* ---- decryption */

static void
free_stream(jj_quic_opener *o, unsigned i, const jj_allocator *a)
{
	jj_quic_bytes_free(&o->stream[i].bytes, o->hold, a);
	o->stream[i] = o->stream[--o->n_streams];
}

static void
close_opener(jj_quic *q, const jj_allocator *a)
{
	jj_quic_opener *o = q->opener;

	q->opened = true;
	q->opener = NULL;
	if (o == NULL)
		return;
	while (o->n_streams > 0)
		free_stream(o, 0, a);
	for (int d = 0; d < 2; d++)
		for (int i = 0; i < o->n_keys[d]; i++)
			jj_release(a, o->key[d][i]);
	jj_release(a, o);
}

/* The keys of a destination ID for a version; NULL without libcrypto's help. */
static const jj_quic_keys *
keys_of(initial_key *k, uint32_t version, bool server, const jj_work *w)
{
	if (!k->made[server] || k->version[server] != version)
	{
		k->made[server] = jj_quic_initial_keys(&k->keys[server], version, k->dcid, k->dcid_len, server, w);
		k->version[server] = version;
	}
	return k->made[server] ? &k->keys[server] : NULL;
}

/* An Initial without protection. */
typedef struct opened_initial
{
	const uint8_t *payload;
	uint32_t	size;
	unsigned	number_len;
	int			key;
	bool		server;			/* protected by the server's key */
} opened_initial;

static bool
try_keys(jj_quic_opener *o, const jj_quic_packet *p, int dir, bool server, opened_initial *out, const jj_work *w)
{
	int			owner = server ? 1 - dir : dir;

	for (int i = 0; i < o->n_keys[owner]; i++)
	{
		const jj_quic_keys *k = keys_of(o->key[owner][i], p->version, server, w);

		if (k == NULL || (out->payload = jj_quic_open(p, k, &out->size, &out->number_len, w)) == NULL)
			continue;
		out->key = i;
		out->server = server;
		return true;
	}
	return false;
}

static bool
is_key(const jj_quic_opener *o, int dir, const jj_quic_packet *p)
{
	for (int i = 0; i < o->n_keys[dir]; i++)
		if (o->key[dir][i]->dcid_len == p->dcid_len && memcmp(o->key[dir][i]->dcid, p->dcid, p->dcid_len) == 0)
			return true;
	return false;
}

/* Try the packet's own destination ID as key, and keep it if it is one. False without memory. */
static bool
try_own(jj_quic_opener *o, const jj_quic_packet *p, int dir, opened_initial *out, const jj_work *w)
{
	initial_key own = {.dcid_len = p->dcid_len};
	const jj_quic_keys *k;
	initial_key *kept;

	if (o->n_keys[dir] == MAX_KEYS || is_key(o, dir, p))
		return true;
	memcpy(own.dcid, p->dcid, p->dcid_len);
	k = keys_of(&own, p->version, false, w);
	if (k == NULL || (out->payload = jj_quic_open(p, k, &out->size, &out->number_len, w)) == NULL)
		return true;
	kept = jj_alloc(&w->allocator, sizeof(*kept));
	if (kept == NULL)
		return false;
	*kept = own;
	out->key = o->n_keys[dir]++;
	o->key[dir][out->key] = kept;
	out->server = false;
	return true;
}

/* The stream of an Initial; NULL if there are too many. */
static crypto_stream *
stream_of(jj_quic_opener *o, const jj_quic_packet *p, int dir, const opened_initial *in)
{
	crypto_stream *s;

	for (unsigned i = 0; i < o->n_streams; i++)
	{
		s = &o->stream[i];
		if (s->dir == dir && s->key == in->key && s->server == in->server && s->version == p->version)
			return s;
	}
	if (o->n_streams == MAX_STREAMS)
		return NULL;
	s = &o->stream[o->n_streams++];
	memset(s, 0, sizeof(*s));
	s->dir = (uint8_t) dir;
	s->key = (uint8_t) in->key;
	s->server = in->server;
	s->version = p->version;
	return s;
}

/* A complete message. False without memory. */
static bool
take_message(jj_quic *q, const crypto_stream *s, uint8_t type, const uint8_t *body, uint32_t n, const jj_allocator *a)
{
	jj_hello	h;

	if (!s->server && type == CLIENT_HELLO && q->ch.body == NULL && jj_client_hello_parse(&h, body, n, false))
	{
		if (!jj_hello_keep(&h, a))
			return false;
		q->ch = h;
		q->ch_dir = s->dir;
		q->ch_version = s->version;
	}
	else if (s->server && type == SERVER_HELLO && jj_server_hello_parse(&h, body, n, false))
	{
		if (h.retry)
			q->hrr = true;
		else if (q->sh.body == NULL)
		{
			if (!jj_hello_keep(&h, a))
				return false;
			q->sh = h;
			q->sh_dir = s->dir;
		}
	}
	return true;
}

/* False without memory. */
static bool
take_messages(jj_quic *q, crypto_stream *s, const jj_allocator *a)
{
	while (s->bytes.done - s->read >= 4)
	{
		const uint8_t *b = s->bytes.b + s->read;
		uint32_t	n = (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];

		if (n > s->bytes.done - s->read - 4)
			break;
		if (!take_message(q, s, b[0], b + 4, n, a))
			return false;
		s->read += 4 + n;
	}
	return true;
}

/* Note the server name of a CHLO in b, if there is one. growing: its rest may come with other packets. False without memory. */
static bool
take_chlo(jj_quic_side *side, const uint8_t *b, uint32_t n, bool growing, const jj_allocator *a)
{
	const uint8_t *sni;
	uint32_t	size;
	bool		more;

	if (side->has_chlo || jj_quic_chlo(b, n, &sni, &size, &more) == 0 || (growing && more && sni == NULL))
		return true;
	side->has_chlo = true;
	if (sni == NULL || size == 0)
		return true;
	side->sni = jj_alloc(a, size);
	if (side->sni == NULL)
		return false;
	memcpy(side->sni, sni, size);
	side->sni_len = size;
	return true;
}

/* The CRYPTO frames of an Initial. False without memory. */
static bool
take_frames(jj_quic *q, const jj_quic_packet *p, int dir, const opened_initial *in, const jj_work *w)
{
	jj_quic_opener *o = q->opener;
	crypto_stream *s;
	jj_quic_frames frames = {.b = in->payload, .n = in->size};
	uint64_t	offset;
	const uint8_t *data;
	uint32_t	n;

	if (in->server ? q->sh.body != NULL : q->ch.body != NULL)
		return true;
	s = stream_of(o, p, dir, in);
	if (s == NULL)
		return true;
	frames.google = jj_quic_draft(p->version) == 0;
	while (jj_quic_crypto_frame(&frames, &offset, &data, &n))
		if (!jj_quic_bytes_add(&s->bytes, offset, data, n, o->hold, &w->allocator))
			return false;
	if (p->version == JJ_QUIC_Q050)
		return in->server || take_chlo(&q->side[dir], s->bytes.b, s->bytes.done, true, &w->allocator);
	if (!take_messages(q, s, &w->allocator))
		return false;
	/* streams that can't bring anything new */
	for (unsigned i = o->n_streams; i-- > 0;)
		if (o->stream[i].server ? q->sh.body != NULL : q->ch.body != NULL)
			free_stream(o, i, &w->allocator);
	return true;
}

/* Decrypt an Initial if something can be learned from it. False without memory. */
static bool
open_initial(jj_quic *q, const jj_quic_packet *p, int dir, const jj_work *w)
{
	opened_initial in = {.payload = NULL};

	if (q->opened || !jj_quic_is_ietf(p->version) || p->have < p->size)
		return true;
	if (q->opener == NULL)
	{
		q->opener = jj_alloc_zero(&w->allocator, sizeof(*q->opener));
		if (q->opener == NULL)
			return false;
		q->opener->hold = w->hold;
	}
	/* a client of whom all is known; its new IDs may be keys yet */
	if (((q->ch.body != NULL && q->ch_dir == dir) || (p->version == JJ_QUIC_Q050 && q->side[dir].has_chlo)) && is_key(q->opener, dir, p))
		return true;
	if (!try_keys(q->opener, p, dir, false, &in, w) && !try_keys(q->opener, p, dir, true, &in, w)
		&& !try_own(q->opener, p, dir, &in, w))
		return false;
	if (in.payload == NULL)
	{
		if (++q->failures == MAX_FAILURES)
			close_opener(q, &w->allocator);
		return true;
	}
	if (q->side[dir].number_len == 0)
		q->side[dir].number_len = (uint8_t) in.number_len;
	if (!in.server && !q->decrypted)
	{
		q->decrypted = true;
		q->first_client = (uint8_t) dir;
	}
	if (!take_frames(q, p, dir, &in, w))
		return false;
	if (q->ch.body != NULL && q->sh.body != NULL)
		close_opener(q, &w->allocator);
	return true;
}

/* ---- headers */

/* Remember the connection IDs of a long header. False without memory. */
static bool
note_ids(jj_quic_side *s, const jj_quic_packet *p, unsigned uses, const jj_allocator *a)
{
	jj_quic_ids *ids;

	uses |= p->has_scid ? 0 : JJ_QUIC_USE_NO_SOURCE;
	for (unsigned i = 0; i < s->n_ids; i++)
	{
		ids = &s->ids[i];
		if (ids->dcid_len == p->dcid_len && ids->scid_len == p->scid_len && ((ids->uses ^ uses) & JJ_QUIC_USE_NO_SOURCE) == 0
			&& memcmp(ids->dcid, p->dcid, p->dcid_len) == 0 && (p->scid_len == 0 || memcmp(ids->scid, p->scid, p->scid_len) == 0))
		{
			ids->uses |= (uint8_t) uses;
			return true;
		}
	}
	if (s->n_ids == s->ids_room)
	{
		unsigned	room = s->ids_room == 0 ? 2 : 2u * s->ids_room;

		if (s->n_ids == MAX_IDS)
			return true;
		ids = jj_regrow(a, s->ids, sizeof(*ids) * s->ids_room, sizeof(*ids) * room);
		if (ids == NULL)
			return false;
		s->ids = ids;
		s->ids_room = (uint8_t) room;
	}
	ids = &s->ids[s->n_ids++];
	ids->dcid_len = p->dcid_len;
	ids->scid_len = p->scid_len;
	ids->uses = (uint8_t) uses;
	memcpy(ids->dcid, p->dcid, p->dcid_len);
	if (p->scid_len > 0)
		memcpy(ids->scid, p->scid, p->scid_len);
	return true;
}

/* Whether a Version Negotiation packet echoes IDs of the other side (RFC 8999 6). */
static bool
echoes(const jj_quic_side *other, const jj_quic_packet *p)
{
	for (unsigned i = 0; i < other->n_ids; i++)
	{
		const jj_quic_ids *ids = &other->ids[i];

		if ((ids->uses & JJ_QUIC_USE_FIRST) && ids->dcid_len == p->scid_len && ids->scid_len == p->dcid_len
			&& memcmp(ids->dcid, p->scid, p->scid_len) == 0 && memcmp(ids->scid, p->dcid, p->dcid_len) == 0)
			return true;
	}
	return false;
}

static void
check_retry(jj_quic *q, const jj_quic_packet *p, int dir, const jj_work *w)
{
	jj_quic_side *s = &q->side[dir];
	const jj_quic_side *client = &q->side[1 - dir];

	if (s->retry || !jj_quic_is_ietf(p->version) || s->retries == MAX_RETRIES)
		return;
	s->retries++;
	if (jj_quic_draft(p->version) < 25)
		s->retry = true;		/* without a tag */
	for (unsigned i = 0; i < client->n_ids && !s->retry; i++)
		if (client->ids[i].uses & JJ_QUIC_USE_KEY)
			s->retry = jj_quic_retry_valid(p, client->ids[i].dcid, client->ids[i].dcid_len, w);
}

/* Whether a short header begins with an ID that the other side chose. */
static bool
has_id(const jj_quic *q, const jj_quic_ids *ids, const uint8_t *b, uint32_t n)
{
	if (!(ids->uses & JJ_QUIC_USE_SOURCE))
		return false;
	if (ids->scid_len == 0)
		return q->handshake && (b[0] & FIXED_BIT);
	return n > ids->scid_len && memcmp(b + 1, ids->scid, ids->scid_len) == 0;
}

/* A short header (RFC 9000 17.3.1, 17.4). */
static void
take_short(jj_quic *q, int dir, const uint8_t *b, uint32_t n)
{
	jj_quic_side *s = &q->side[dir];
	const jj_quic_side *other = &q->side[1 - dir];
	uint8_t		spin = b[0] & SPIN_BIT;
	unsigned	i = s->last_id;

	if (q->moved || other->n_ids == 0)
		return;
	if (i >= other->n_ids || !has_id(q, &other->ids[i], b, n))
	{
		for (i = 0; i < other->n_ids && !has_id(q, &other->ids[i], b, n); i++)
			;
		if (i == other->n_ids)
			return;
		s->last_id = (uint8_t) i;
	}
	if (s->one_rtt > 0 && spin != s->spin)
		q->moved = true;
	if (s->one_rtt < 2)
		s->one_rtt++;
	s->spin = spin;
}

/* What the first packet of a datagram says of the flow being QUIC. */
static void
note_first(jj_quic *q, const jj_quic_packet *p, const jj_packet *d)
{
	jj_quic_side *s = &q->side[d->dir];

	if (p->kind == JJ_QUIC_NEGOTIATION)
		s->negotiated |= echoes(&q->side[1 - d->dir], p);
	else if (p->kind == JJ_QUIC_PUBLIC)
		s->plain = true;
	else if (p->kind == JJ_QUIC_RESERVED || !(d->payload[0] & FIXED_BIT))
		return;
	else if (p->kind == JJ_QUIC_RETRY
			 || (p->kind == JJ_QUIC_INITIAL && jj_quic_is_ietf(p->version) && d->payload_len < MIN_INITIAL))
		s->if_server = true;
	else
		s->plain = true;
}

/* A long header that is no Version Negotiation. False without memory. */
static bool
take_long(jj_quic *q, const jj_quic_packet *p, const jj_packet *d, bool first, const jj_work *w)
{
	jj_quic_side *s = &q->side[d->dir];
	unsigned	uses = 0;

	s->has_any_version = true;
	s->any_version = p->version;
	if (p->kind != JJ_QUIC_PUBLIC)
	{
		s->has_version = true;
		s->version = p->version;
		uses |= first ? JJ_QUIC_USE_FIRST : 0;
	}
	q->ietf |= jj_quic_draft(p->version) != 0;
	if (p->kind == JJ_QUIC_INITIAL || p->kind == JJ_QUIC_0RTT)
		uses |= JJ_QUIC_USE_KEY;
	if (p->kind == JJ_QUIC_INITIAL || p->kind == JJ_QUIC_0RTT || p->kind == JJ_QUIC_HANDSHAKE)
		uses |= JJ_QUIC_USE_SOURCE;
	if (!note_ids(s, p, uses, &w->allocator))
		return false;
	if (p->kind == JJ_QUIC_HANDSHAKE)
		q->handshake = true;
	if (p->kind == JJ_QUIC_0RTT && p->version != JJ_QUIC_Q046)
		q->zero_rtt = true;
	if (p->kind == JJ_QUIC_RETRY)
		check_retry(q, p, d->dir, w);
	if (p->kind == JJ_QUIC_PUBLIC || (p->kind == JJ_QUIC_INITIAL && p->version == JJ_QUIC_Q046))
	{
		if (!take_chlo(s, d->payload, d->payload_caplen, false, &w->allocator))
			return false;
	}
	if (p->kind == JJ_QUIC_INITIAL)
	{
		q->initial_packets++;
		if (p->has_token && !s->has_token)
		{
			s->has_token = true;
			s->token_len = p->token_len;
		}
		return open_initial(q, p, d->dir, w);
	}
	return true;
}

static bool
opens(const jj_packet *d, bool *done)
{
	(void) done;
	return jj_quic_begins(d->payload, d->payload_caplen);
}

static jj_want
datagram(void *state, const jj_packet *d, jj_app *app, const jj_work *w)
{
	jj_quic    *q = state;
	jj_quic_walk walk = {.b = d->payload, .have = d->payload_caplen, .wire = d->payload_len};
	jj_quic_packet p;
	bool		first = true;
	bool		handshake = false;

	(void) app;
	if ((d->payload[0] & (LONG | FIXED_BIT)) == FIXED_BIT)
	{
		take_short(q, d->dir, d->payload, d->payload_caplen);
		return JJ_WANT_MORE;
	}
	while (jj_quic_next(&walk, &p))
	{
		if (first)
			note_first(q, &p, d);
		if (p.kind == JJ_QUIC_SHORT)
			take_short(q, d->dir, p.raw, p.have);
		else if (p.kind != JJ_QUIC_NEGOTIATION && !take_long(q, &p, d, first, w))
			return JJ_WANT_MEMORY;
		handshake |= p.kind == JJ_QUIC_INITIAL || p.kind == JJ_QUIC_HANDSHAKE;
		first = false;
	}
	if (first && !(d->payload[0] & LONG))
		take_short(q, d->dir, d->payload, d->payload_caplen);
	q->handshake_datagrams += handshake;
	return JJ_WANT_MORE;
}

static void
release(void *state, const jj_allocator *a)
{
	jj_quic    *q = state;

	close_opener(q, a);
	jj_hello_free(&q->ch, a);
	jj_hello_free(&q->sh, a);
	for (int d = 0; d < 2; d++)
	{
		jj_release(a, q->side[d].ids);
		jj_release(a, q->side[d].sni);
	}
}

const jj_parser jj_parser_quic = {
	.state_size = sizeof(jj_quic),
	.datagram_opens = opens,
	.datagram = datagram,
	.release = release,
};
