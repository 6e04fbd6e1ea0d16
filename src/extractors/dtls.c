/*
 * DTLS 1.0 to 1.3: records of datagrams, handshake messages from fragments
 * (RFC 4347, 6347 4.2, 9147 5.5).
 */
#include "extractors/tls_internal.h"

#define RECORD_HEAD 13
#define FRAGMENT_HEAD 12
#define PARTS 4					/* incomplete messages of a direction; a fifth one takes the place of the oldest */
#define SEQS 64					/* message_seqs; those behind are not assembled, a handshake has a dozen */

/* An incomplete message. */
typedef struct part
{
	uint8_t    *bytes;			/* size of them, and a bit for each that is there; NULL: unused */
	uint32_t	size;
	uint32_t	missing;
	uint16_t	seq;
	uint8_t		type;
	uint32_t	age;			/* parts begun before it */
} part;

typedef struct direction
{
	jj_tls_side side;
	part		part[PARTS];
	uint64_t	done;			/* bits of the message_seqs that are complete */
	uint16_t	ch_seq;			/* message_seq of side.ch */
	bool		closed;			/* ChangeCipherSpec, application data or a later epoch was seen */

	/* the first record of datagrams that are nothing but records */
	uint8_t		tile[8];		/* epoch and sequence number */
	uint16_t	tile_version;
	uint8_t		tiles;			/* 0, 1, 2 or more */
	bool		rising;			/* the second one follows the first */
} direction;

struct jj_dtls
{
	jj_hold    *hold;			/* counts what parts take */
	jj_tls_need need;
	direction	dir[2];
	uint32_t	ages;
	uint32_t	order;
	uint32_t	packets;		/* datagrams with a handshake record */
	int16_t		alert;			/* description + 1; 0: none */
	int8_t		hello;			/* direction + 1 of the client by the first hello of all; 0: none */
	int8_t		client;			/* direction + 1 of the first ClientHello; 0: none */
	jj_tls_lengths lengths;
};

static uint32_t
get16(const uint8_t *b)
{
	return (uint32_t) b[0] << 8 | b[1];
}

static uint32_t
get24(const uint8_t *b)
{
	return get16(b) << 8 | b[2];
}

/* Whether 3 bytes begin a record: types 20 to 24; DTLS 1.0, 1.2 or 1.3, or old OpenSSL's version. */
static bool
is_record(const uint8_t *b)
{
	if (b[0] < JJ_TLS_CCS || b[0] > JJ_TLS_HEARTBEAT)
		return false;
	return (b[1] == 0xfe && (b[2] == 0xff || b[2] == 0xfd || b[2] == 0xfc)) || (b[1] == 1 && b[2] == 0);
}

bool
jj_dtls_opens(const jj_packet *p, bool *done)
{
	(void) done;
	return p->payload_caplen >= RECORD_HEAD && is_record(p->payload);
}

/* Types of handshake messages, all but those that DTLS has no use for. */
static bool
is_message(unsigned type)
{
	return type <= 5 || type == 8 || (type >= 11 && type <= 16) || (type >= 20 && type <= 24) || type == 67;
}

/* Bytes of a part's block. */
static uint32_t
part_room(uint32_t size)
{
	return size + size / 8 + 1;
}

static void
drop_part(jj_dtls *d, part *x, const jj_allocator *a)
{
	if (x->bytes != NULL)
		d->hold->bytes -= part_room(x->size);
	jj_release(a, x->bytes);
	memset(x, 0, sizeof(*x));
}

/* The part of a message, begun if need be; NULL without memory (*good false) or if there is no room in what all flows may hold. */
static part *
part_of(jj_dtls *d, direction *s, unsigned seq, unsigned type, uint32_t size, const jj_allocator *a, bool *good)
{
	part	   *x = &s->part[0];

	*good = true;
	for (int i = 0; i < PARTS; i++)
	{
		part	   *y = &s->part[i];

		if (y->bytes != NULL && y->seq == seq && y->type == type && y->size == size)
			return y;
		if (x->bytes != NULL && (y->bytes == NULL || y->age < x->age))
			x = y;
	}
	drop_part(d, x, a);
	if (part_room(size) > d->hold->limit - d->hold->bytes)
		return NULL;
	x->bytes = jj_alloc_zero(a, part_room(size));
	if (x->bytes == NULL)
	{
		*good = false;
		return NULL;
	}
	d->hold->bytes += part_room(size);
	x->size = x->missing = size;
	x->seq = (uint16_t) seq;
	x->type = (uint8_t) type;
	x->age = d->ages++;
	return x;
}

/* Of each byte the first copy counts. */
static void
fill_part(part *x, uint32_t off, const uint8_t *b, uint32_t n)
{
	uint8_t    *have = x->bytes + x->size;

	for (uint32_t i = off; i < off + n; i++)
	{
		if (have[i / 8] >> i % 8 & 1)
			continue;
		have[i / 8] |= (uint8_t) (1 << i % 8);
		x->bytes[i] = b[i - off];
		x->missing--;
	}
}

static void
note_hello(jj_dtls *d, int client, bool is_client_hello)
{
	if (d->hello == 0)
		d->hello = (int8_t) (client + 1);
	if (is_client_hello && d->client == 0)
		d->client = (int8_t) (client + 1);
}

/* A complete message. False without memory. */
static bool
take_message(jj_dtls *d, int from, unsigned seq, unsigned type, const uint8_t *body, uint32_t n, const jj_allocator *a)
{
	direction  *s = &d->dir[from];
	jj_hello	h;

	if (type == JJ_TLS_CLIENT_HELLO)
	{
		if (!jj_client_hello_parse(&h, body, n, true))
			return true;
		note_hello(d, from, true);

		/* the one with the cookie that a HelloVerifyRequest gave takes the place of the first; after a ServerHello none does */
		if (jj_tls_has_sh(&d->dir[1 - from].side) || (s->side.ch.body != NULL && (h.cookie_len == 0 || seq <= s->ch_seq)))
			return true;
		jj_hello_free(&s->side.ch, a);
		s->side.ch = h;
		s->ch_seq = (uint16_t) seq;
		if (jj_hello_keep(&s->side.ch, a))
			return true;
		memset(&s->side.ch, 0, sizeof(h));
		return false;
	}
	if (type == JJ_TLS_SERVER_HELLO)
	{
		if (!jj_server_hello_parse(&h, body, n, true))
			return true;
		note_hello(d, 1 - from, false);
		return jj_tls_side_server_hello(&s->side, &h, a);
	}
	return !jj_tls_side_wants(&s->side, type, &d->need) || jj_tls_side_message(&s->side, type, body, n, a);
}

/* Whether a message is assembled: it may be wanted when it is complete, as its fragments may overtake the ServerHello. */
static bool
is_wanted(const jj_dtls *d, const jj_tls_side *s, unsigned type)
{
	switch (type)
	{
		case JJ_TLS_CLIENT_HELLO:
		case JJ_TLS_SERVER_HELLO:
			return true;
		case JJ_TLS_CERTIFICATE:
			return d->need.certs && s->certs == NULL;
		case JJ_TLS_SERVER_KEY_EXCHANGE:
			return d->need.key_exchange && s->key_exchange == NULL;
		default:
			return false;
	}
}

/* A fragment of n bytes at off of a message. False without memory. */
static bool
take_fragment(jj_dtls *d, int from, unsigned seq, unsigned type, uint32_t size, uint32_t off, const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	direction  *s = &d->dir[from];
	part	   *x;
	bool		good;

	jj_tls_side_header(&s->side, type);
	if (seq >= SEQS || (s->done >> seq & 1) || size > JJ_MESSAGE_BYTES)
		return true;
	if (n == size)
	{
		s->done |= UINT64_C(1) << seq;
		return take_message(d, from, seq, type, b, n, a);
	}
	if (!is_wanted(d, &s->side, type))
		return true;
	x = part_of(d, s, seq, type, size, a, &good);
	if (x == NULL)
	{
		d->hold->refused += good ? n : 0;
		return good;
	}
	fill_part(x, off, b, n);
	if (x->missing > 0)
		return true;
	s->done |= UINT64_C(1) << seq;
	good = take_message(d, from, seq, type, x->bytes, size, a);
	drop_part(d, x, a);
	return good;
}

/* The fragments in a handshake record. False without memory. */
static bool
take_handshake(jj_dtls *d, int from, const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	while (n >= FRAGMENT_HEAD)
	{
		uint32_t	size = get24(b + 1);
		uint32_t	off = get24(b + 6);
		uint32_t	length = get24(b + 9);

		if (off + length > size || length > n - FRAGMENT_HEAD || !is_message(b[0]))
			return true;
		if (!take_fragment(d, from, get16(b + 4), b[0], size, off, b + FRAGMENT_HEAD, length, a))
			return false;
		b += FRAGMENT_HEAD + length;
		n -= FRAGMENT_HEAD + length;
	}
	return true;
}

/* A whole record of n bytes behind its header. False without memory. */
static bool
take_record(jj_dtls *d, int from, const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	direction  *s = &d->dir[from];
	bool		clear = get16(b + 3) == 0;
	unsigned	type = b[0];

	d->order++;
	if (type == JJ_TLS_CCS || type == JJ_TLS_APPDATA || !clear)
		s->closed = true;
	if (type == JJ_TLS_ALERT && n == 2 && !s->closed && d->alert == 0)
		d->alert = (int16_t) (b[RECORD_HEAD + 1] + 1);
	if (!jj_tls_lengths_add(&d->lengths, d->order, n, (unsigned) from, d->need.lengths, a))
		return false;
	if (type == JJ_TLS_CCS && clear)
		jj_tls_side_ccs(&s->side);
	return type != JJ_TLS_HANDSHAKE || !clear || take_handshake(d, from, b + RECORD_HEAD, n, a);
}

/* A record, not empty, of a datagram that is nothing but records. */
static void
take_tile(direction *s, const uint8_t *b)
{
	if (s->tiles == 0)
	{
		memcpy(s->tile, b + 3, sizeof(s->tile));
		s->tile_version = (uint16_t) get16(b + 1);
	}
	else if (s->tiles == 1)
		s->rising = memcmp(s->tile, b + 3, 2) == 0 && memcmp(s->tile, b + 3, sizeof(s->tile)) < 0 && s->tile_version == get16(b + 1);
	if (s->tiles < 2)
		s->tiles++;
}

jj_want
jj_dtls_add(jj_dtls **dtls, const jj_packet *p, const jj_work *w)
{
	const jj_allocator *a = &w->allocator;
	const uint8_t *b = p->payload;
	jj_dtls    *d = *dtls;
	uint32_t	at = 0;
	uint32_t	records = 0;
	bool		handshake = false;

	if (!jj_dtls_opens(p, NULL))
		return JJ_WANT_MORE;
	if (d == NULL)
	{
		d = *dtls = jj_alloc_zero(a, sizeof(*d));
		if (d == NULL)
			return JJ_WANT_MEMORY;
		d->hold = w->hold;
		d->need = jj_tls_needs(w);
	}
	while (p->payload_caplen - at >= RECORD_HEAD && is_record(b + at))
	{
		uint32_t	n = get16(b + at + 11);

		if (n > JJ_TLS_MAX_RECORD || n > p->payload_caplen - at - RECORD_HEAD)
			break;
		handshake = handshake || b[at] == JJ_TLS_HANDSHAKE;
		records++;
		if (!take_record(d, p->dir, b + at, n, a))
			return JJ_WANT_MEMORY;
		at += RECORD_HEAD + n;
	}
	d->packets += handshake;
	if (at != p->payload_len)
		return JJ_WANT_MORE;
	for (at = 0; records > 0 && d->dir[p->dir].tiles < 2; records--)
	{
		uint32_t	n = get16(b + at + 11);

		if (b[at] <= JJ_TLS_APPDATA && n > 0)
			take_tile(&d->dir[p->dir], b + at);
		at += RECORD_HEAD + n;
	}
	return JJ_WANT_MORE;
}

void
jj_dtls_free(jj_dtls *d, const jj_allocator *a)
{
	if (d == NULL)
		return;
	for (int i = 0; i < 2; i++)
	{
		jj_tls_side_free(&d->dir[i].side, a);
		for (int k = 0; k < PARTS; k++)
			drop_part(d, &d->dir[i].part[k], a);
	}
	jj_release(a, d->lengths.list);
	jj_release(a, d);
}

void
jj_dtls_read(const jj_dtls *d, jj_tls_view *v, const jj_tls_lengths **lengths)
{
	*lengths = NULL;
	if (d == NULL || (d->hello == 0 && !d->dir[0].rising && !d->dir[1].rising))
		return;
	v->transport = JJ_TLS_DTLS;
	v->client = (uint8_t) (d->client > 0 ? d->client - 1 : d->hello > 0 ? d->hello - 1 : 0);
	v->handshake_packets = d->packets;
	v->alert = (int16_t) (d->alert - 1);
	*lengths = &d->lengths;
	if (d->hello == 0)
		return;
	jj_tls_view_client(v, &d->dir[v->client].side);
	jj_tls_view_server(v, &d->dir[1 - v->client].side);
}
