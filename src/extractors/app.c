/*
 * Streams and datagrams to the parsers that want them.
 *
 * Most flows are of no protocol that a parser reads, and most segments come in
 * order. Such a flow is followed in its record alone: the sequence numbers of
 * its streams, and which parsers are to be asked whether the bytes are theirs
 * (gated). The block behind the record comes with the first parser that has a
 * state (live), or with a segment out of order.
 */
#include "extractors/app.h"
#include "features/pool.h"

#include <string.h>

/* One line for each parser. */
static const jj_parser *const parsers[JJ_PARSERS] = {
	[JJ_P_QUIC] = &jj_parser_quic,
	[JJ_P_TLS] = &jj_parser_tls,
	[JJ_P_SSH] = &jj_parser_ssh,
	[JJ_P_DNS] = &jj_parser_dns,
	[JJ_P_HTTP] = &jj_parser_http,
	[JJ_P_FINGERPRINT] = &jj_parser_fingerprint,
};

#define BIT(id) (1u << (id))
#define NOT(id) ((uint8_t) ~BIT(id))
#define foreach_bit(id, bits) for (unsigned left_ = (bits), id; left_ != 0 && (id = lowest(left_), true); left_ &= left_ - 1)
#define LONG_STREAM UINT32_C(0x80000000)	/* bytes from which on the block follows the stream */

/* The number of the lowest bit of some. */
static inline unsigned
lowest(unsigned bits)
{
#if defined(__GNUC__)
	return (unsigned) __builtin_ctz(bits);
#else
	unsigned	id = 0;

	while (!(bits >> id & 1))
		id++;
	return id;
#endif
}

struct jj_app
{
	bool		has_syn_ack[2];	/* sent by this side */
	uint32_t	syn_ack[2];		/* what the first one acknowledges */
	jj_hold    *hold;
	void	   *state[JJ_PARSERS];
	jj_stream	stream[2];
};

/* What follows a stream. */
typedef enum follower
{
	NOBODY,						/* it has not begun */
	RECORD,						/* start and next of app_state: all in order, nothing held */
	BLOCK						/* jj_app.stream */
} follower;

/* In the flow record. Bits are those of parsers. */
typedef struct app_state
{
	jj_app	   *app;
	void	   *first;			/* state of a parser, fetched ahead; the one that got it first */
	uint32_t	start[2];		/* sequence number of the first byte of a stream, and of the next one */
	uint32_t	next[2];
	uint8_t		follower[2];
	bool		start_seen[2];	/* by a SYN */
	uint8_t		gated[2];		/* to be asked about a direction (UDP: in [0]) */
	uint8_t		live[2];		/* want the direction (UDP: in [0]) */
	uint8_t		packet_gated;	/* to be asked about every packet */
	uint8_t		packet_live;	/* want every packet */
	bool		idle[2];		/* no packet of this direction is needed any more */
	bool		captured;		/* payload was */
	uint8_t		first_id;		/* whose state first is */
	bool		begun : 1;
	bool		tcp : 1;
	bool		ah : 1;			/* an Authentication Header was seen */
	bool		keep : 1;		/* the block is needed for what the streams are like, whatever they carry */
} app_state;

/* Parsers that the wanted groups need. */
static unsigned
parsers_of(uint32_t groups)
{
	unsigned	need = 0;

	if (groups & BIT(JJ_G_fingerprint))
		need = BIT(JJ_PARSERS) - 1;
	if (groups & BIT(JJ_G_http2))
		need |= BIT(JJ_P_HTTP) | BIT(JJ_P_TLS) | BIT(JJ_P_QUIC);
	if (groups & BIT(JJ_G_tls))
		need |= BIT(JJ_P_TLS) | BIT(JJ_P_QUIC);
	if (groups & BIT(JJ_G_quic))
		need |= BIT(JJ_P_QUIC);
	if (groups & BIT(JJ_G_ssh))
		need |= BIT(JJ_P_SSH);
	if (groups & BIT(JJ_G_dns))
		need |= BIT(JJ_P_DNS);
	return need;
}

/* Set whether packets are needed from now on. */
static void
set_idle(app_state *s)
{
	uint8_t		packets = s->packet_gated | s->packet_live;

	for (int d = 0; d < 2; d++)
		s->idle[d] = s->captured && (packets | s->gated[d] | s->live[d]) == 0;
}

/* The first packet of a flow: what the parsers want of one with its protocol. */
static void
begin(app_state *s, const jj_packet *p, const jj_work *w)
{
	unsigned	need = parsers_of(w->groups);

	s->begun = true;
	s->tcp = p->proto == JJ_PROTO_TCP;
	s->keep = (w->groups & (BIT(JJ_G_http2) | BIT(JJ_G_fingerprint))) != 0;
	for (unsigned id = 0; id < JJ_PARSERS; id++)
	{
		const jj_parser *x = parsers[id];
		uint8_t		bit = (uint8_t) BIT(id);

		if (!(need & bit) || x == NULL)
			continue;
		if (x->packet != NULL && x->packet_opens != NULL)
			s->packet_gated |= bit;
		else if (x->packet != NULL && x->stream_opens == NULL && x->datagram_opens == NULL)
			s->packet_live |= bit;
		if (x->stream != NULL && p->proto == JJ_PROTO_TCP)
			for (int d = 0; d < 2; d++)
				*(x->stream_opens != NULL ? &s->gated[d] : &s->live[d]) |= bit;
		if (x->datagram != NULL && p->proto == JJ_PROTO_UDP)
			*(x->datagram_opens != NULL ? &s->gated[0] : &s->live[0]) |= bit;
	}
	if (p->proto == JJ_PROTO_UDP)
	{
		/* so that the other direction is not taken for idle */
		s->gated[1] = s->gated[0];
		s->live[1] = s->live[0];
	}
	set_idle(s);
}

/* Make a parser's state: from then on it gets what it wants unasked. NULL without memory. */
static JJ_NOINLINE void *
make_state(app_state *s, unsigned id, const jj_work *w)
{
	const jj_parser *x = parsers[id];
	uint8_t		bit = (uint8_t) BIT(id);

	s->app->state[id] = jj_alloc_zero(&w->allocator, x->state_size);
	if (s->first == NULL)
	{
		s->first = s->app->state[id];
		s->first_id = (uint8_t) id;
	}
	for (int d = 0; d < 2; d++)
	{
		s->live[d] |= s->gated[d] & bit;
		s->gated[d] &= NOT(id);
	}
	if ((s->packet_gated & bit) || (x->packet != NULL && x->packet_opens == NULL))
		s->packet_live |= bit;
	s->packet_gated &= NOT(id);
	return s->app->state[id];
}

/* A parser's state, made if need be. NULL without memory. */
static inline void *
state_of(app_state *s, unsigned id, const jj_work *w)
{
	void	   *state = s->app->state[id];

	return JJ_LIKELY(state != NULL) ? state : make_state(s, id, w);
}

/* A parser wants nothing more of the flow. */
static void
end_parser(app_state *s, unsigned id)
{
	for (int d = 0; d < 2; d++)
	{
		s->gated[d] &= NOT(id);
		s->live[d] &= NOT(id);
	}
	s->packet_gated &= NOT(id);
	s->packet_live &= NOT(id);
}

/* A parser has found nothing: its state goes, and it is asked again. */
static void
reset_parser(app_state *s, unsigned id, const jj_work *w)
{
	for (int d = 0; d < 2; d++)
	{
		s->gated[d] |= s->live[d] & BIT(id);
		s->live[d] &= NOT(id);
	}
	s->packet_live &= NOT(id);
	if (parsers[id]->release != NULL)
		parsers[id]->release(s->app->state[id], &w->allocator);
	if (s->first == s->app->state[id])
		s->first = NULL;
	jj_release(&w->allocator, s->app->state[id]);
	s->app->state[id] = NULL;
}

/* Note a parser's answer; hooks[0] has its bit for what it was called for, hooks[1] if that is one thing with it. False without memory. */
static inline bool
note(app_state *s, unsigned id, uint8_t *hooks, unsigned n_hooks, jj_want want, const jj_work *w)
{
	if (JJ_LIKELY(want == JJ_WANT_MORE))
		return true;
	if (want == JJ_WANT_END)
		end_parser(s, id);
	else if (want == JJ_WANT_RESET)
		reset_parser(s, id, w);
	else
		for (unsigned i = 0; i < n_hooks; i++)
			hooks[i] &= NOT(id);
	return want != JJ_WANT_MEMORY;
}

typedef struct delivery
{
	app_state  *s;
	const jj_work *w;
} delivery;

/* A piece of a stream to the parsers that want it. */
static jj_want
deliver(void *context, const jj_chunk *c)
{
	const delivery *to = context;
	app_state  *s = to->s;
	uint8_t    *live = &s->live[c->dir];
	uint8_t    *gated = &s->gated[c->dir];

	foreach_bit(id, *live | *gated)
	{
		const jj_parser *x = parsers[id];
		bool		done = false;

		if ((*gated & BIT(id)) && !x->stream_opens(c, &done))
		{
			if (done)
				*gated &= NOT(id);
			continue;
		}
		if (state_of(s, id, to->w) == NULL || !note(s, id, live, 1, x->stream(s->app->state[id], c, s->app, to->w), to->w))
			return JJ_WANT_MEMORY;
	}
	return (*live | *gated) != 0 ? JJ_WANT_MORE : JJ_WANT_NONE;
}

/* A SYN or a segment with payload. False without memory. */
static bool
take_segment(app_state *s, const jj_packet *p, const jj_work *w)
{
	delivery	to = {s, w};
	jj_app	   *app = s->app;
	int			d = p->dir;

	if ((p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_ACK)) == (JJ_TCP_SYN | JJ_TCP_ACK) && !app->has_syn_ack[d])
	{
		app->has_syn_ack[d] = true;
		app->syn_ack[d] = p->ack;
	}
	return (s->live[d] | s->gated[d]) == 0
		|| jj_stream_add(&app->stream[d], p, w->options.stream_bytes, w->hold, &w->allocator, deliver, &to) != JJ_WANT_MEMORY;
}

/* False without memory. */
static bool
take_datagram(app_state *s, const jj_packet *p, const jj_work *w)
{
	foreach_bit(id, s->live[0] | s->gated[0])
	{
		const jj_parser *x = parsers[id];
		bool		done = false;

		if ((s->gated[0] & BIT(id)) && !x->datagram_opens(p, &done))
		{
			if (done)
				s->gated[0] = s->gated[1] = s->gated[0] & NOT(id);
			continue;
		}
		if (state_of(s, id, w) == NULL || !note(s, id, s->live, 2, x->datagram(s->app->state[id], p, s->app, w), w))
			return false;
	}
	return true;
}

/* False without memory. */
static bool
take_packet(app_state *s, const jj_packet *p, const jj_work *w)
{
	foreach_bit(id, s->packet_live | s->packet_gated)
	{
		const jj_parser *x = parsers[id];
		bool		done = false;

		if ((s->packet_gated & BIT(id)) && !x->packet_opens(p, &done))
		{
			if (done)
				s->packet_gated &= NOT(id);
			continue;
		}
		if (state_of(s, id, w) == NULL || !note(s, id, &s->packet_live, 1, x->packet(s->app->state[id], p, s->app, w), w))
			return false;
	}
	return true;
}

/* Bring the block's streams up to what the record knows. */
static inline void
write_streams(const app_state *s)
{
	for (int d = 0; d < 2; d++)
	{
		jj_stream  *t = &s->app->stream[d];

		if (s->follower[d] != RECORD)
			continue;
		t->start = s->start[d];
		t->next = t->far = s->next[d] - s->start[d];
		t->started = true;
		t->start_seen = s->start_seen[d];
	}
}

/* Leave a stream to the record if no parser reads it and the record can follow it. */
static void
read_stream(app_state *s, int d)
{
	const jj_stream *t = &s->app->stream[d];

	s->follower[d] = BLOCK;
	if (s->live[d] != 0)
		return;
	if (t->first != NULL || jj_stream_gap(t) || t->next >= LONG_STREAM || (t->next == 0 && t->n_syns > 0))
		return;
	s->follower[d] = t->started ? RECORD : NOBODY;
	s->start[d] = t->start;
	s->next[d] = t->start + (uint32_t) t->next;
	s->start_seen[d] = t->start_seen;
}

/* A packet with the block. False without memory. */
static bool
take(app_state *s, const jj_packet *p, bool segment, bool datagram, const jj_work *w)
{
	if (s->app == NULL)
	{
		s->app = jj_alloc_zero(&w->allocator, sizeof(*s->app));
		if (s->app == NULL)
			return false;
		s->app->hold = w->hold;
	}
	if (s->tcp)
		write_streams(s);
	if ((s->packet_live | s->packet_gated) != 0 && !take_packet(s, p, w))
		return false;
	if (segment && !take_segment(s, p, w))
		return false;
	if (datagram && !take_datagram(s, p, w))
		return false;
	for (int d = 0; d < 2; d++)
		if ((s->live[d] | s->gated[d]) == 0 && s->app->stream[d].first != NULL)
			jj_stream_drop(&s->app->stream[d], s->app->hold, &w->allocator);
	if (segment)
		read_stream(s, p->dir);
	set_idle(s);
	return true;
}

/* Whether a gated parser wants the chunk. */
static bool
opens_stream(app_state *s, const jj_chunk *c)
{
	foreach_bit(id, s->gated[c->dir])
	{
		bool		done = false;

		if (parsers[id]->stream_opens(c, &done))
			return true;
		if (done)
			s->gated[c->dir] &= NOT(id);
	}
	return false;
}

/* A SYN or a segment with payload that only gated parsers might want: whether the record alone can take it. */
static bool
follow(app_state *s, const jj_packet *p)
{
	int			d = p->dir;
	uint32_t	n = p->payload_len;
	jj_chunk	c;

	if (s->follower[d] == BLOCK || (s->keep && s->app == NULL))
		return false;
	if (p->tcp_flags & JJ_TCP_SYN)
	{
		bool		answer = p->tcp_flags & JJ_TCP_ACK;
		uint32_t	start = p->seq + 1;

		/* what a SYN-ACK acknowledges matters if the other side's SYN was not seen */
		if (n > 0 || (answer && !s->start_seen[1 - d]) || (s->follower[d] == RECORD && (start != s->start[d] || !s->start_seen[d])))
			return false;
		if (s->follower[d] == RECORD)
			return true;
		s->follower[d] = RECORD;
		s->start[d] = s->next[d] = start;
		s->start_seen[d] = true;
		return true;
	}
	if ((p->tcp_flags & JJ_TCP_RST) || jj_stream_padding(p))
		return true;
	if (s->follower[d] == RECORD && p->seq + n - s->next[d] - 1 >= LONG_STREAM)
		return true;			/* nothing behind the next byte */
	if (p->payload_caplen != n || (s->follower[d] == RECORD && p->seq != s->next[d]))
		return false;
	c.bytes = p->payload;
	c.n = n;
	c.dir = p->dir;
	c.offset = s->follower[d] == RECORD ? s->next[d] - s->start[d] : 0;
	c.carrier = p->index;
	c.done = p;
	if (c.offset + n >= LONG_STREAM || opens_stream(s, &c))
		return false;
	if (s->follower[d] == NOBODY)
	{
		s->follower[d] = RECORD;
		s->start[d] = p->seq;
	}
	s->next[d] = p->seq + n;
	return true;
}

/* Whether a gated parser wants the packet, or the datagram in it. */
static bool
opens_packet(app_state *s, const jj_packet *p, bool datagram)
{
	foreach_bit(id, s->packet_gated | (datagram ? s->gated[0] : 0))
	{
		bool		done = false;

		if (s->packet_gated & BIT(id))
		{
			if (parsers[id]->packet_opens(p, &done))
				return true;
			if (done)
				s->packet_gated &= NOT(id);
		}
		done = false;
		if (datagram && (s->gated[0] & BIT(id)))
		{
			if (parsers[id]->datagram_opens(p, &done))
				return true;
			if (done)
				s->gated[0] = s->gated[1] = s->gated[0] & NOT(id);
		}
	}
	return false;
}

/* A packet that may be needed. False without memory. */
static JJ_NOINLINE bool
look_at(app_state *s, const jj_packet *p, const jj_work *w)
{
	bool		segment;
	bool		datagram;
	bool		wanted;

	s->captured |= p->payload_caplen > 0;
	if (JJ_UNLIKELY(!s->begun))
		begin(s, p, w);
	segment = p->proto == JJ_PROTO_TCP && p->has_tcp && (p->payload_len > 0 || (p->tcp_flags & JJ_TCP_SYN));
	datagram = p->proto == JJ_PROTO_UDP && p->payload_caplen > 0 && p->frag_offset == 0;
	wanted = s->packet_live != 0 || ((segment || datagram) && s->live[p->dir] != 0);
	if (!wanted && (s->packet_gated != 0 || datagram))
		wanted = opens_packet(s, p, datagram);
	if (!wanted && segment && (s->gated[p->dir] != 0 || s->keep))
		wanted = !follow(s, p);
	if (wanted)
		return take(s, p, segment, datagram, w);
	if ((s->packet_live | s->packet_gated | s->live[p->dir] | s->gated[p->dir]) == 0)
		set_idle(s);
	return true;
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	app_state  *s = state;

	if (JJ_UNLIKELY(p->n_ext_headers != 0) && memchr(p->ext_headers, JJ_PROTO_AH, p->n_ext_headers) != NULL)
		s->ah = true;
	return JJ_LIKELY(s->idle[p->dir]) || look_at(s, p, w);
}

static void
fetch_block(const void *block, size_t size)
{
	/* the block begins behind its header, JJ_POOL_HEADER bytes into a line */
	for (size_t o = 0; o < size + JJ_POOL_HEADER; o += JJ_POOL_LINE)
		JJ_PREFETCH((const char *) block + o);
}

static void
fetch(const void *state, int dir)
{
	const app_state *s = state;

	if (s->packet_live == 0 && s->live[dir] == 0)
		return;
	if (s->app != NULL)
		fetch_block(s->app, s->tcp ? sizeof(*s->app) : offsetof(jj_app, stream));
	if (s->first != NULL)
		fetch_block(s->first, parsers[s->first_id]->state_size);
}

static void
fetch_all(const void *state)
{
	const app_state *s = state;

	if (s->app != NULL)
		fetch_block(s->app, sizeof(*s->app));
	if (s->first != NULL)
		fetch_block(s->first, parsers[s->first_id]->state_size);
}

static void
fetch_more(const void *state)
{
	const app_state *s = state;

	for (unsigned id = 0; s->app != NULL && id < JJ_PARSERS; id++)
		if (s->app->state[id] != NULL && s->app->state[id] != s->first)
			fetch_block(s->app->state[id], parsers[id]->state_size);
}

static void
free_state(void *state, const jj_allocator *a)
{
	jj_app	   *app = ((app_state *) state)->app;

	if (app == NULL)
		return;
	for (unsigned id = 0; id < JJ_PARSERS; id++)
	{
		if (app->state[id] == NULL)
			continue;
		if (parsers[id]->release != NULL)
			parsers[id]->release(app->state[id], a);
		jj_release(a, app->state[id]);
	}
	for (int d = 0; d < 2; d++)
		jj_stream_drop(&app->stream[d], app->hold, a);
	jj_release(a, app);
}

const jj_app *
jj_app_of(const void *state)
{
	const app_state *s = state;

	if (s->app != NULL)
		write_streams(s);
	return s->app;
}

bool
jj_app_blind(const jj_flow *f, const void *state)
{
	return f->payload[0] + f->payload[1] > 0 && !((const app_state *) state)->captured;
}

bool
jj_app_saw_ah(const void *state)
{
	return ((const app_state *) state)->ah;
}

void *
jj_app_parser(const jj_app *app, jj_parser_id id)
{
	return app == NULL ? NULL : app->state[id];
}

const jj_stream *
jj_app_stream(const jj_app *app, int dir)
{
	return &app->stream[dir];
}

bool
jj_app_start_known(const jj_app *app, int dir)
{
	const jj_stream *s;

	if (app == NULL)
		return false;
	s = &app->stream[dir];
	if (s->start_seen)
		return true;
	return app->has_syn_ack[1 - dir] && (!s->started || app->syn_ack[1 - dir] == s->start);
}

const jj_extractor jj_app_base = {
	.group = JJ_GROUPS,
	.state_size = sizeof(app_state),
	.fetch = fetch,
	.update = update,
	.fetch_all = fetch_all,
	.fetch_more = fetch_more,
	.free_state = free_state,
};
