/*
 * Group dns: questions and answers of the flow, and its first transaction.
 *
 * Messages come from datagrams and, behind a 2-byte length, from streams (RFC
 * 1035 4.2). The first transaction is the flow's first query and the first
 * later response that answers it; without any query it is the first response.
 */
#include "extractors/dns.h"
#include "extractors/dns_message.h"

#include <string.h>

#define MAX_NAMES 100
#define MAX_ADDRESSES 100
#define MAX_SVCB 20
#define KEPT_ROOM 2048			/* a larger buffer is given back after its message */
#define MAX_SVCB_BYTES 65536	/* of RDATA kept for a flow; more of it is left out */

/*
 * Names, addresses and RDATA are kept one behind the other in the order in
 * which they came. The first byte of an item says what follows: the 4 or 16
 * bytes of an address, the size (1 byte) and labels of a name, the size (2
 * bytes, big endian) and bytes of RDATA.
 */
enum
{
	ITEM_NAME = 1,
	ITEM_SVCB = 2,
	ITEM_IPV4 = 4,
	ITEM_IPV6 = 16
};

/* The message that a direction of a TCP connection is in. */
typedef struct frame
{
	jj_buffer	kept;			/* what came of it, its length in front */
	uint32_t	skip;			/* bytes to pass over: the rest of a message too long to be parsed */
} frame;

/* With a small query and its answer everything is in the three cache lines of the block. */
struct jj_dns
{
	uint8_t    *items;			/* NULL: in own */
	uint32_t	used;
	uint32_t	room;			/* of items */
	frame	   *frame;			/* 2, one for each direction; NULL if no message came in pieces */
	int64_t		query_t;		/* of the transaction's query; flow clock, ns */
	int64_t		response_time;	/* ns, with has_query and has_response */
	uint32_t	queries;		/* up to UINT32_MAX */
	uint32_t	responses;
	uint32_t	min_ttl;		/* of the transaction's response */
	uint32_t	max_ttl;
	uint32_t	svcb_bytes;
	uint16_t	id;				/* of the transaction's query */
	uint16_t	qtype;			/* of the transaction's question */
	uint16_t	qclass;
	uint16_t	rcode;
	uint16_t	answers;
	uint16_t	authorities;
	uint16_t	additionals;
	uint16_t	udp_size;
	uint8_t		names;			/* number of items */
	uint8_t		addresses;
	uint8_t		svcbs;
	uint8_t		query_dir : 1;
	uint8_t		has_query : 1;	/* the transaction's */
	uint8_t		has_response : 1;	/* the transaction's */
	uint8_t		has_question : 1;	/* qtype, and the first name item is its name */
	uint8_t		has_additionals : 1;
	uint8_t		has_ttl : 1;
	uint8_t		has_udp_size : 1;
	uint8_t		recursion_desired : 1;	/* of the first query, else of the first response */
	uint8_t		recursion_available : 1;
	uint8_t		truncated : 1;
	uint8_t		own[95];		/* as much as makes whole lines with the pool's header */
};

jj_dns_kind
jj_dns_by_ports(int32_t a, int32_t b)
{
	if (a == 53 || b == 53)
		return JJ_DNS_UNICAST;
	if (a == 5353 || b == 5353)
		return JJ_DNS_MULTICAST;
	if (a == 5355 || b == 5355)
		return JJ_DNS_LLMNR;
	return JJ_DNS_NONE;
}

bool
jj_dns_detected(const jj_app *app)
{
	const jj_dns *d = jj_app_parser(app, JJ_P_DNS);

	return d != NULL && (d->queries > 0 || d->responses > 0);
}

/* ---- items */

static inline uint8_t *
items_of(jj_dns *d)
{
	return d->items != NULL ? d->items : d->own;
}

static inline const uint8_t *
items_in(const jj_dns *d)
{
	return d->items != NULL ? d->items : d->own;
}

/* Bytes of the item at b. */
static uint32_t
item_size(const uint8_t *b)
{
	switch (b[0])
	{
		case ITEM_NAME:
			return 2 + (uint32_t) b[1];
		case ITEM_SVCB:
			return 3 + ((uint32_t) b[1] << 8 | b[2]);
		default:
			return 1 + (uint32_t) b[0];
	}
}

/* Whether there is the item that begins with the n1 bytes of head, which give its size, and goes on with the n2 of body. */
static bool
has_item(const jj_dns *d, const uint8_t *head, uint32_t n1, const uint8_t *body, uint32_t n2)
{
	const uint8_t *b = items_in(d);

	for (uint32_t o = 0; o < d->used; o += item_size(b + o))
		if (b[o] == head[0] && memcmp(b + o + 1, head + 1, n1 - 1) == 0 && memcmp(b + o + n1, body, n2) == 0)
			return true;
	return false;
}

/* Add it. False without memory. */
static bool
add_item(jj_dns *d, const uint8_t *head, uint32_t n1, const uint8_t *body, uint32_t n2, const jj_allocator *a)
{
	uint32_t	room = d->items != NULL ? d->room : sizeof(d->own);
	uint32_t	need = d->used + n1 + n2;
	uint8_t    *b;

	if (need > room)
	{
		uint32_t	grown = d->items != NULL ? room : 56;

		while (grown < need)
			grown = grown * 2 + 8;	/* with the pool's header, whole lines of the cache */
		b = jj_alloc(a, grown);
		if (b == NULL)
			return false;
		memcpy(b, items_in(d), d->used);
		jj_release(a, d->items);
		d->items = b;
		d->room = grown;
	}
	b = items_of(d) + d->used;
	memcpy(b, head, n1);
	if (n2 > 0)
		memcpy(b + n1, body, n2);
	d->used = need;
	return true;
}

/* Names of responses don't count once there is a query. */
static void
forget_names(jj_dns *d)
{
	uint8_t    *b = items_of(d);
	uint32_t	kept = 0;

	for (uint32_t o = 0, n; o < d->used; o += n)
	{
		n = item_size(b + o);
		if (b[o] == ITEM_NAME)
			continue;
		memmove(b + kept, b + o, n);
		kept += n;
	}
	d->used = kept;
	d->names = 0;
}

/* ---- messages */

static bool
wants(const jj_work *w, jj_feature f)
{
	return jj_set_has(&w->options.features, f);
}

/* Keep the distinct names of the questions; of the transaction only the first is needed. False without memory. */
static bool
take_questions(jj_dns *d, const jj_dns_message *m, const jj_work *w)
{
	uint32_t	o = JJ_DNS_HEADER;
	unsigned	most = wants(w, JJ_F_dns_query_names) ? MAX_NAMES : 1;

	for (unsigned i = 0; i < m->count[JJ_DNS_QUESTIONS] && d->names < most; i++)
	{
		jj_dns_question q;
		uint8_t		head[2];

		jj_dns_next_question(m, &o, &q);
		head[0] = ITEM_NAME;
		head[1] = (uint8_t) q.name_size;
		if (has_item(d, head, 2, q.name, q.name_size))
			continue;
		if (!add_item(d, head, 2, q.name, q.name_size, &w->allocator))
			return false;
		d->names++;
	}
	return true;
}

/* Keep the distinct addresses and the SVCB records of the answers. False without memory. */
static bool
take_answers(jj_dns *d, const jj_dns_message *m, const jj_work *w)
{
	uint32_t	o = m->answers;
	bool		addresses = wants(w, JJ_F_dns_answers);
	bool		svcb = wants(w, JJ_F_dns_svcb);

	for (uint32_t i = 0; i < m->n_answers; i++)
	{
		jj_dns_record r;

		addresses = addresses && d->addresses < MAX_ADDRESSES;
		svcb = svcb && d->svcbs < MAX_SVCB;
		if (!addresses && !svcb)
			break;
		jj_dns_next_answer(m, &o, &r);
		if (addresses && ((r.type == JJ_DNS_A && r.size == 4) || (r.type == JJ_DNS_AAAA && r.size == 16)))
		{
			uint8_t		head = (uint8_t) r.size;

			if (has_item(d, &head, 1, r.data, r.size))
				continue;
			if (!add_item(d, &head, 1, r.data, r.size, &w->allocator))
				return false;
			d->addresses++;
		}
		else if (svcb && (r.type == JJ_DNS_SVCB || r.type == JJ_DNS_HTTPS) && jj_dns_svcb_valid(r.data, r.size)
				 && d->svcb_bytes + r.size <= MAX_SVCB_BYTES)
		{
			uint8_t		head[3] = {ITEM_SVCB, (uint8_t) (r.size >> 8), (uint8_t) r.size};

			if (!add_item(d, head, 3, r.data, r.size, &w->allocator))
				return false;
			d->svcb_bytes += r.size;
			d->svcbs++;
		}
	}
	return true;
}

/* Whether a name of the message is that of the transaction's question. */
static bool
names_question(const jj_dns *d, const jj_dns_message *m, uint32_t name)
{
	const uint8_t *b = items_in(d);
	uint32_t	o = 0;

	while (b[o] != ITEM_NAME)
		o += item_size(b + o);
	return jj_dns_is_name(m, name, b + o + 2, b[o + 1]);
}

/* Whether the response answers the transaction's query (RFC 1035 4.1.1, RFC 5452 9.1; RFC 6762 6). */
static bool
answers_query(const jj_dns *d, const jj_dns_message *m, jj_dns_kind kind)
{
	uint32_t	o = m->answers;

	if (kind != JJ_DNS_MULTICAST)
	{
		if (m->id != d->id)
			return false;
		if (m->count[JJ_DNS_QUESTIONS] == 0)
			return true;		/* FORMERR and the like may leave it out */
		return d->has_question && m->qtype == d->qtype && m->qclass == d->qclass && names_question(d, m, JJ_DNS_HEADER);
	}
	if (!d->has_question)
		return false;
	if (m->count[JJ_DNS_QUESTIONS] > 0 && m->qtype == d->qtype && names_question(d, m, JJ_DNS_HEADER))
		return true;
	for (uint32_t i = 0; i < m->n_answers; i++)
	{
		jj_dns_record r;

		jj_dns_next_answer(m, &o, &r);
		if (r.type == d->qtype && names_question(d, m, r.name))
			return true;
	}
	return false;
}

/* The transaction's question is the first of this message, whose names come next. */
static void
set_question(jj_dns *d, const jj_dns_message *m)
{
	d->has_question = m->count[JJ_DNS_QUESTIONS] > 0;
	d->qtype = m->qtype;
	d->qclass = m->qclass;
	d->recursion_desired = (m->flags & JJ_DNS_RD) != 0;
}

static void
set_response(jj_dns *d, const jj_dns_message *m)
{
	d->has_response = true;
	d->rcode = (uint16_t) ((m->flags & 15) | m->opt_ttl >> 24 << 4);
	d->answers = m->count[JJ_DNS_ANSWERS];
	d->authorities = m->count[JJ_DNS_AUTHORITIES];
	d->has_additionals = !(m->cut && m->n_opt == 0 && m->count[JJ_DNS_ADDITIONALS] > 0);
	d->additionals = (uint16_t) (m->count[JJ_DNS_ADDITIONALS] - m->n_opt);
	d->has_ttl = m->n_answers > 0 && (m->answers_whole || !m->cut);
	d->min_ttl = m->min_ttl;
	d->max_ttl = m->max_ttl;
	d->truncated = (m->flags & JJ_DNS_TC) != 0;
	d->recursion_available = (m->flags & JJ_DNS_RA) != 0;
}

static void
take_query(jj_dns *d, const jj_dns_message *m, const jj_packet *p)
{
	d->queries += d->queries < UINT32_MAX;
	if (d->queries == 1)
	{
		forget_names(d);
		d->has_query = true;
		d->has_response = false;
		d->query_dir = p->dir & 1;
		d->query_t = p->t;
		d->id = m->id;
		set_question(d, m);
	}
	if (!d->has_udp_size && m->n_opt > 0)
	{
		d->has_udp_size = true;
		d->udp_size = m->opt_class;
	}
}

static void
take_response(jj_dns *d, const jj_dns_message *m, const jj_packet *p, jj_dns_kind kind)
{
	d->responses += d->responses < UINT32_MAX;
	if (d->responses == 1 && !d->has_query)
	{
		set_question(d, m);
		set_response(d, m);
	}
	else if (d->has_query && !d->has_response && p->dir != d->query_dir && answers_query(d, m, kind))
	{
		set_response(d, m);
		d->response_time = p->t - d->query_t;
	}
}

/* A message that was complete with packet p, or what was captured of it. False without memory. */
static bool
take_message(jj_dns *d, const uint8_t *bytes, uint32_t n, bool cut, const jj_packet *p, const jj_work *w)
{
	jj_dns_message m;
	bool		response;

	if (!jj_dns_parse(&m, bytes, n, cut))
		return true;
	response = m.flags & JJ_DNS_QR;
	if (response)
		take_response(d, &m, p, jj_dns_by_ports(p->sport, p->dport));
	else
		take_query(d, &m, p);
	if ((!response || d->queries == 0) && !take_questions(d, &m, w))
		return false;
	return !response || m.n_answers == 0 || take_answers(d, &m, w);
}

/* ---- hooks */

static bool
datagram_opens(const jj_packet *p, bool *done)
{
	*done = jj_dns_by_ports(p->sport, p->dport) == JJ_DNS_NONE;
	return !*done && p->payload_caplen >= JJ_DNS_HEADER;
}

static jj_want
datagram(void *state, const jj_packet *p, jj_app *app, const jj_work *w)
{
	bool		cut = p->payload_caplen < p->payload_len || p->fragment;

	(void) app;
	return take_message(state, p->payload, p->payload_caplen, cut, p, w) ? JJ_WANT_MORE : JJ_WANT_MEMORY;
}

static bool
stream_opens(const jj_chunk *c, bool *done)
{
	*done = jj_dns_by_ports(c->done->sport, c->done->dport) == JJ_DNS_NONE;
	return !*done;
}

/* Keep the beginning of a message. False without memory. */
static bool
keep_part(jj_dns *d, unsigned dir, const uint8_t *b, uint32_t n, const jj_allocator *a)
{
	if (d->frame == NULL && (d->frame = jj_alloc_zero(a, 2 * sizeof(frame))) == NULL)
		return false;
	return jj_buffer_add(&d->frame[dir].kept, b, n, a);
}

/* The message that was kept is done with. */
static void
end_kept(frame *f, const jj_allocator *a)
{
	f->kept.n = 0;
	if (f->kept.room > KEPT_ROOM)
		jj_buffer_free(&f->kept, a);
}

/* Pass over n bytes of a message that is too long. False without memory. */
static bool
skip_message(jj_dns *d, unsigned dir, uint32_t n, const jj_allocator *a)
{
	if (d->frame == NULL && (d->frame = jj_alloc_zero(a, 2 * sizeof(frame))) == NULL)
		return false;
	d->frame[dir].skip = n;
	return true;
}

/* Messages behind their 2-byte length (RFC 1035 4.2.2, RFC 7766 8), in pieces of any size. */
static jj_want
stream(void *state, const jj_chunk *c, jj_app *app, const jj_work *w)
{
	jj_dns	   *d = state;
	const uint8_t *b = c->bytes;
	uint32_t	left = c->n;

	(void) app;
	while (left > 0)
	{
		frame	   *f = d->frame != NULL ? &d->frame[c->dir] : NULL;
		uint32_t	have = f != NULL ? f->kept.n : 0;
		uint32_t	size;
		uint32_t	take;

		if (f != NULL && f->skip > 0)
		{
			take = f->skip < left ? f->skip : left;
			f->skip -= take;
		}
		else if (have + left < 2)
		{
			take = left;
			if (!keep_part(d, c->dir, b, take, &w->allocator))
				return JJ_WANT_MEMORY;
		}
		else
		{
			uint8_t		high = have > 0 ? f->kept.bytes[0] : b[0];
			uint8_t		low = have > 1 ? f->kept.bytes[1] : b[1 - have];

			size = 2 + ((uint32_t) high << 8 | low);
			if (size > JJ_MESSAGE_BYTES)
			{
				if (!skip_message(d, c->dir, size - have, &w->allocator))
					return JJ_WANT_MEMORY;
				d->frame[c->dir].kept.n = 0;
				continue;
			}
			take = size - have < left ? size - have : left;
			if (have + take < size || have > 0)
			{
				if (!keep_part(d, c->dir, b, take, &w->allocator))
					return JJ_WANT_MEMORY;
				f = &d->frame[c->dir];
			}
			if (have + take == size)
			{
				if (!take_message(d, have > 0 ? f->kept.bytes + 2 : b + 2, size - 2, false, c->done, w))
					return JJ_WANT_MEMORY;
				if (have > 0)
					end_kept(f, &w->allocator);
			}
		}
		b += take;
		left -= take;
	}
	return JJ_WANT_MORE;
}

static void
release(void *state, const jj_allocator *a)
{
	jj_dns	   *d = state;

	jj_release(a, d->items);
	if (d->frame != NULL)
	{
		jj_buffer_free(&d->frame[0].kept, a);
		jj_buffer_free(&d->frame[1].kept, a);
		jj_release(a, d->frame);
	}
}

const jj_parser jj_parser_dns = {
	.state_size = sizeof(jj_dns),
	.stream_opens = stream_opens,
	.datagram_opens = datagram_opens,
	.stream = stream,
	.datagram = datagram,
	.release = release,
};

/* ---- columns */

static void
put_name(jj_row *row, jj_feature f, const uint8_t *item)
{
	char		text[JJ_DNS_NAME_TEXT(JJ_DNS_NAME_BYTES)];
	jj_text_out out = {text};

	if (!jj_row_wants(row, f))
		return;
	jj_dns_name_text(&out, item + 2, item[1]);
	jj_row_put(row, f, text, (size_t) (out.to - text));
}

/* The mnemonic, else prefix and number. */
static void
put_mnemonic(jj_row *row, jj_feature f, const char *name, const char *prefix, unsigned number)
{
	char		text[16];
	jj_text_out out = {text};

	if (!jj_row_wants(row, f))
		return;
	if (name != NULL)
	{
		jj_row_text(row, f, name);
		return;
	}
	jj_out_text(&out, prefix);
	jj_out_number(&out, number);
	jj_row_put(row, f, text, (size_t) (out.to - text));
}

/* All items of the kind as elements of a text array. */
static void
put_texts(jj_row *row, jj_feature f, const jj_dns *d, uint8_t kind)
{
	const uint8_t *b = items_in(d);
	size_t		room = 0;
	char	   *start;
	jj_text_out out;

	for (uint32_t o = 0; o < d->used; o += item_size(b + o))
		if (b[o] == kind)
			room += sizeof(uint32_t) + (kind == ITEM_NAME ? JJ_DNS_NAME_TEXT(b[o + 1]) : JJ_DNS_SVCB_TEXT(item_size(b + o)));
	start = jj_row_reserve(row, f, room);
	if (start == NULL)
		return;
	out.to = start;
	for (uint32_t o = 0; o < d->used; o += item_size(b + o))
	{
		char	   *element = out.to;
		uint32_t	size;

		if (b[o] != kind)
			continue;
		out.to += sizeof(size);
		if (kind == ITEM_NAME)
			jj_dns_name_text(&out, b + o + 2, b[o + 1]);
		else
			jj_dns_svcb_text(&out, b + o + 3, item_size(b + o) - 3);
		size = (uint32_t) ((size_t) (out.to - element) - sizeof(size));
		memcpy(element, &size, sizeof(size));
	}
	jj_row_trim(row, f, (size_t) (out.to - start));
}

static void
put_addresses(jj_row *row, const jj_dns *d)
{
	const uint8_t *b = items_in(d);
	uint32_t	size = 0;
	uint8_t    *to;

	if (!jj_row_wants(row, JJ_F_dns_answers))
		return;
	for (uint32_t o = 0; o < d->used; o += item_size(b + o))
		size += b[o] == ITEM_IPV4 || b[o] == ITEM_IPV6 ? item_size(b + o) : 0;
	to = jj_row_reserve(row, JJ_F_dns_answers, size);
	if (to == NULL)
		return;
	for (uint32_t o = 0; o < d->used; o += item_size(b + o))
		if (b[o] == ITEM_IPV4 || b[o] == ITEM_IPV6)
		{
			memcpy(to, b + o, item_size(b + o));
			to += item_size(b + o);
		}
}

static void
emit_response(const jj_dns *d, jj_dns_kind kind, jj_row *row)
{
	jj_row_int(row, JJ_F_dns_response_code, d->rcode);
	put_mnemonic(row, JJ_F_dns_response_code_str, jj_dns_rcode_name(d->rcode), "RCODE", d->rcode);
	jj_row_int(row, JJ_F_dns_answer_count, d->answers);
	jj_row_int(row, JJ_F_dns_authority_count, d->authorities);
	if (d->has_additionals)
		jj_row_int(row, JJ_F_dns_additional_count, d->additionals);
	if (d->has_ttl)
	{
		jj_row_int(row, JJ_F_dns_min_ttl, d->min_ttl);
		jj_row_int(row, JJ_F_dns_max_ttl, d->max_ttl);
	}
	jj_row_int(row, JJ_F_dns_truncated, d->truncated);
	if (kind != JJ_DNS_LLMNR)
		jj_row_int(row, JJ_F_dns_recursion_available, d->recursion_available);
	if (d->has_query)
		jj_row_double(row, JJ_F_dns_response_time, (double) d->response_time / JJ_SECOND);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_app *app = jj_app_of(state);
	const jj_dns *d = jj_app_parser(app, JJ_P_DNS);
	bool		carries = f->key.proto == JJ_PROTO_TCP || f->key.proto == JJ_PROTO_UDP;
	jj_dns_kind kind = carries ? jj_dns_by_ports(f->src_port, f->dst_port) : JJ_DNS_NONE;

	(void) fold;
	(void) w;
	if (kind != JJ_DNS_NONE && jj_app_blind(f, state))
		return true;
	jj_row_int(row, JJ_F_dns_detected, jj_dns_detected(app));
	if (!jj_dns_detected(app))
		return true;
	if (d->queries <= INT32_MAX)
		jj_row_int(row, JJ_F_dns_query_count, d->queries);
	if (d->responses <= INT32_MAX)
		jj_row_int(row, JJ_F_dns_response_count, d->responses);
	jj_row_int(row, JJ_F_dns_is_query, d->queries > 0);
	jj_row_int(row, JJ_F_dns_is_response, d->responses > 0);
	if (kind != JJ_DNS_LLMNR)
		jj_row_int(row, JJ_F_dns_recursion_desired, d->recursion_desired);
	if (d->has_udp_size)
		jj_row_int(row, JJ_F_dns_edns_udp_size, d->udp_size);
	if (d->has_question)
	{
		const uint8_t *b = items_in(d);
		uint32_t	o = 0;

		while (b[o] != ITEM_NAME)
			o += item_size(b + o);
		put_name(row, JJ_F_dns_query_name, b + o);
		jj_row_int(row, JJ_F_dns_query_type, d->qtype);
		put_mnemonic(row, JJ_F_dns_query_type_str, jj_dns_type_name(d->qtype), "TYPE", d->qtype);
	}
	if (d->names > 0)
		put_texts(row, JJ_F_dns_query_names, d, ITEM_NAME);
	if (d->addresses > 0)
		put_addresses(row, d);
	if (d->svcbs > 0)
		put_texts(row, JJ_F_dns_svcb, d, ITEM_SVCB);
	if (d->has_response)
		emit_response(d, kind, row);
	return true;
}

const jj_extractor jj_extract_dns = {
	.group = JJ_G_dns,
	.base = &jj_app_base,
	.emit = emit,
};
