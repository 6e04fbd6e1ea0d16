/*
 * Streams and datagrams to the parsers that want them.
 *
 * Most flows are of no protocol that a parser reads, and most segments come in
 * order. What follows such a stream is in the flow record: the sequence numbers
 * of its beginning and of the next byte, the parsers that are to be asked
 * whether the bytes are theirs (gated) and those that get them (live), and how
 * many of the next bytes none of these needs to see (pass). Parsers get the
 * bytes from the packet. A block behind the record comes with a segment out of
 * order, whose stream then is followed there until nothing is missing, or with
 * a second parser that has a state behind the record.
 */
#include "extractors/fingerprint.h"
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

/* What few flows need. */
typedef struct block
{
	void	   *state[JJ_PARSERS];
	jj_hold    *hold;
	uint32_t	syn_ack[2];		/* what the first one of this side acknowledges, */
	bool		has_syn_ack[2];	/* unless the other side's SYN was seen before */
	jj_stream	stream[2];
} block;

/* What follows a stream. */
typedef enum follower
{
	NOBODY,						/* it has not begun */
	RECORD,						/* start and next of jj_app: all in order, nothing held */
	BLOCK						/* block.stream */
} follower;

/* In the flow record. Bits are those of parsers. */
struct jj_app
{
	void	   *more;			/* the block if there is one, else the state of a parser, else NULL */
	uint32_t	start[2];		/* sequence number of the first byte of a stream, and of the next one */
	uint32_t	next[2];
	jj_fp_state fingerprint;	/* state of jj_parser_fingerprint, which nearly every flow has */
	uint16_t	pass[2];		/* so many of the next bytes need not be shown to anyone */
	uint8_t		made;			/* those that have a state */
	uint8_t		gated[2];		/* to be asked about a direction (UDP: in [0]) */
	uint8_t		live[2];		/* want the direction (UDP: in [0]) */
	uint8_t		packet_gated;	/* to be asked about every packet */
	uint8_t		packet_live;	/* want every packet */
	uint8_t		begun : 1;
	uint8_t		captured : 1;	/* payload was */
	uint8_t		tcp : 1;
	uint8_t		ah : 1;			/* an Authentication Header was seen */
	uint8_t		keep : 1;		/* what the streams are like is needed, whatever they carry */
	uint8_t		has_block : 1;
	uint8_t		start_seen[2];	/* by a SYN */
	uint8_t		follower[2];
};

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

/* Whether no packet of the direction is needed any more. */
static inline bool
is_idle(const jj_app *s, int dir)
{
	return s->captured && (s->packet_gated | s->packet_live | s->gated[dir] | s->live[dir]) == 0;
}

/* The first packet of a flow: what the parsers want of one with its protocol. */
static void
begin(jj_app *s, const jj_packet *p, const jj_work *w)
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
}

static inline block *
block_of(const jj_app *s)
{
	return s->has_block ? s->more : NULL;
}

/* The parser whose state is all that is behind the record: there are one and no block. */
static inline unsigned
only_parser(const jj_app *s)
{
	return lowest(s->made & NOT(JJ_P_FINGERPRINT));
}

/* The state of a parser that has one. */
static inline void *
made_state(const jj_app *s, unsigned id)
{
	if (id == JJ_P_FINGERPRINT)
		return (void *) &s->fingerprint;
	return s->has_block ? ((block *) s->more)->state[id] : s->more;
}

/* The block, made if need be; NULL without memory. */
static block *
make_block(jj_app *s, const jj_work *w)
{
	block	   *b;

	if (s->has_block)
		return s->more;
	b = jj_alloc_zero(&w->allocator, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->hold = w->hold;
	if (s->more != NULL)
		b->state[only_parser(s)] = s->more;
	s->more = b;
	s->has_block = true;
	return b;
}

/* Room for a parser's state. NULL without memory. */
static void *
new_state(jj_app *s, unsigned id, const jj_work *w)
{
	void	   *state;

	if (id == JJ_P_FINGERPRINT)
		return memset(&s->fingerprint, 0, sizeof(s->fingerprint));
	if (s->more != NULL && make_block(s, w) == NULL)
		return NULL;
	state = jj_alloc_zero(&w->allocator, parsers[id]->state_size);
	if (s->has_block)
		((block *) s->more)->state[id] = state;
	else
		s->more = state;
	return state;
}

/* Make a parser's state: from then on it gets what it wants unasked. NULL without memory. */
static JJ_NOINLINE void *
make_state(jj_app *s, unsigned id, const jj_work *w)
{
	const jj_parser *x = parsers[id];
	uint8_t		bit = (uint8_t) BIT(id);
	void	   *state = new_state(s, id, w);

	if (state == NULL)
		return NULL;
	s->made |= bit;
	for (int d = 0; d < 2; d++)
	{
		s->live[d] |= s->gated[d] & bit;
		s->gated[d] &= NOT(id);
	}
	if ((s->packet_gated & bit) || (x->packet != NULL && x->packet_opens == NULL))
		s->packet_live |= bit;
	s->packet_gated &= NOT(id);
	return state;
}

/* A parser's state, made if need be. NULL without memory. */
static inline void *
state_of(jj_app *s, unsigned id, const jj_work *w)
{
	return JJ_LIKELY(s->made & BIT(id)) ? made_state(s, id) : make_state(s, id, w);
}

/* A parser wants nothing more of the flow. */
static void
end_parser(jj_app *s, unsigned id)
{
	for (int d = 0; d < 2; d++)
	{
		s->gated[d] &= NOT(id);
		s->live[d] &= NOT(id);
	}
	s->packet_gated &= NOT(id);
	s->packet_live &= NOT(id);
}

static void
release_state(jj_app *s, unsigned id, const jj_allocator *a)
{
	void	   *state = made_state(s, id);

	if (parsers[id]->release != NULL)
		parsers[id]->release(state, a);
	s->made &= NOT(id);
	if (id == JJ_P_FINGERPRINT)
		return;
	jj_release(a, state);
	if (s->has_block)
		((block *) s->more)->state[id] = NULL;
	else
		s->more = NULL;
}

/* A parser has found nothing: its state goes, and it is asked again. */
static void
reset_parser(jj_app *s, unsigned id, const jj_work *w)
{
	for (int d = 0; d < 2; d++)
	{
		s->gated[d] |= s->live[d] & BIT(id);
		s->live[d] &= NOT(id);
	}
	s->packet_live &= NOT(id);
	release_state(s, id, &w->allocator);
}

/* Note a parser's answer; hooks[0] has its bit for what it was called for, hooks[1] if that is one thing with it. False without memory. */
static inline bool
note(jj_app *s, unsigned id, uint8_t *hooks, unsigned n_hooks, jj_want want, const jj_work *w)
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

/* A piece of a stream to the parsers that want it. */
static jj_want
show(jj_app *s, const jj_chunk *c, const jj_work *w)
{
	uint8_t    *live = &s->live[c->dir];
	uint8_t    *gated = &s->gated[c->dir];

	foreach_bit(id, *live | *gated)
	{
		const jj_parser *x = parsers[id];
		bool		done = false;
		void	   *state;

		if ((*gated & BIT(id)) && !x->stream_opens(c, &done))
		{
			if (done)
				*gated &= NOT(id);
			continue;
		}
		state = state_of(s, id, w);
		if (state == NULL || !note(s, id, live, 1, x->stream(state, c, s, w), w))
			return JJ_WANT_MEMORY;
	}
	return (*live | *gated) != 0 ? JJ_WANT_MORE : JJ_WANT_NONE;
}

typedef struct delivery
{
	jj_app	   *s;
	const jj_work *w;
} delivery;

static jj_want
deliver(void *context, const jj_chunk *c)
{
	const delivery *to = context;

	return show(to->s, c, to->w);
}

/* How many of the next bytes of a direction nobody needs to see. */
static uint16_t
bytes_to_pass(const jj_app *s, int d)
{
	uint32_t	n = UINT16_MAX;

	if (s->gated[d] != 0 || s->live[d] == 0 || s->follower[d] != RECORD)
		return 0;
	foreach_bit(id, s->live[d])
	{
		const jj_parser *x = parsers[id];
		uint32_t	own = x->pass != NULL && (s->made & BIT(id)) ? x->pass(made_state(s, id), (unsigned) d) : 0;

		if (own < n)
			n = own;
	}
	return (uint16_t) n;
}

/* Parsers have seen bytes of direction d. What was said of the other direction may hold no longer, but is not known anew. */
static inline void
set_pass(jj_app *s, int d)
{
	s->pass[d] = bytes_to_pass(s, d);
	if (s->pass[1 - d] > 0 && bytes_to_pass(s, 1 - d) == 0)
		s->pass[1 - d] = 0;
}

/* Leave a stream to the record if the record can follow it. */
static void
read_stream(jj_app *s, int d, const jj_stream *t)
{
	s->follower[d] = BLOCK;
	if (t->first != NULL || jj_stream_gap(t) || t->next >= LONG_STREAM || (t->next == 0 && t->n_syns > 0))
		return;
	s->follower[d] = t->started ? RECORD : NOBODY;
	s->start[d] = t->start;
	s->next[d] = t->start + (uint32_t) t->next;
	s->start_seen[d] = t->start_seen;
}

/* A SYN or a segment with payload that the record can't take. False without memory. */
static JJ_NOINLINE bool
take_by_block(jj_app *s, const jj_packet *p, const jj_work *w)
{
	delivery	to = {s, w};
	int			d = p->dir;
	block	   *b = make_block(s, w);
	jj_stream  *t;

	if (b == NULL)
		return false;
	t = &b->stream[d];
	s->pass[d] = 0;
	if (s->follower[d] == RECORD)
	{
		t->start = s->start[d];
		t->next = t->far = s->next[d] - s->start[d];
		t->started = true;
		t->start_seen = s->start_seen[d];
	}
	s->follower[d] = BLOCK;
	if ((p->tcp_flags & (JJ_TCP_SYN | JJ_TCP_ACK)) == (JJ_TCP_SYN | JJ_TCP_ACK) && !b->has_syn_ack[d])
	{
		b->has_syn_ack[d] = true;
		b->syn_ack[d] = p->ack;
	}
	if ((s->live[d] | s->gated[d]) != 0
		&& jj_stream_add(t, p, w->options.stream_bytes, w->hold, &w->allocator, deliver, &to) == JJ_WANT_MEMORY)
		return false;
	for (int k = 0; k < 2; k++)
		if ((s->live[k] | s->gated[k]) == 0 && b->stream[k].first != NULL)
			jj_stream_drop(&b->stream[k], b->hold, &w->allocator);
	read_stream(s, d, t);
	set_pass(s, d);
	return true;
}

/* A SYN or a segment with payload. False without memory. */
static bool
take_segment(jj_app *s, const jj_packet *p, const jj_work *w)
{
	int			d = p->dir;
	uint32_t	n = p->payload_len;
	bool		begun = s->follower[d] == RECORD;
	jj_chunk	c;

	if (s->follower[d] == BLOCK)
		return take_by_block(s, p, w);
	if (p->tcp_flags & JJ_TCP_SYN)
	{
		bool		answer = p->tcp_flags & JJ_TCP_ACK;
		uint32_t	start = p->seq + 1;

		/* what a SYN-ACK acknowledges matters if the other side's SYN was not seen */
		if (n > 0 || (answer && !s->start_seen[1 - d]) || (begun && (start != s->start[d] || !s->start_seen[d])))
			return take_by_block(s, p, w);
		s->follower[d] = RECORD;
		if (!begun)
			s->start[d] = s->next[d] = start;
		s->start_seen[d] = true;
		return true;
	}
	if ((p->tcp_flags & JJ_TCP_RST) || jj_stream_padding(p))
		return true;
	if (begun && p->seq + n - s->next[d] - 1 >= LONG_STREAM)
		return true;			/* nothing behind the next byte */
	c.offset = begun ? s->next[d] - s->start[d] : 0;
	if (p->payload_caplen != n || (begun && p->seq != s->next[d]) || c.offset + n >= LONG_STREAM)
		return take_by_block(s, p, w);
	if (!begun)
	{
		s->follower[d] = RECORD;
		s->start[d] = p->seq;
	}
	s->next[d] = p->seq + n;
	if (n <= s->pass[d])
	{
		s->pass[d] = (uint16_t) (s->pass[d] - n);
		return true;
	}
	c.bytes = p->payload;
	c.n = n;
	c.dir = p->dir;
	c.carrier = p->index;
	c.done = p;
	if (show(s, &c, w) == JJ_WANT_MEMORY)
		return false;
	set_pass(s, d);
	return true;
}

/* False without memory. */
static bool
take_datagram(jj_app *s, const jj_packet *p, const jj_work *w)
{
	foreach_bit(id, s->live[0] | s->gated[0])
	{
		const jj_parser *x = parsers[id];
		bool		done = false;
		void	   *state;

		if ((s->gated[0] & BIT(id)) && !x->datagram_opens(p, &done))
		{
			if (done)
				s->gated[0] = s->gated[1] = s->gated[0] & NOT(id);
			continue;
		}
		state = state_of(s, id, w);
		if (state == NULL || !note(s, id, s->live, 2, x->datagram(state, p, s, w), w))
			return false;
	}
	return true;
}

/* False without memory. */
static bool
take_packet(jj_app *s, const jj_packet *p, const jj_work *w)
{
	foreach_bit(id, s->packet_live | s->packet_gated)
	{
		const jj_parser *x = parsers[id];
		bool		done = false;
		void	   *state;

		if ((s->packet_gated & BIT(id)) && !x->packet_opens(p, &done))
		{
			if (done)
				s->packet_gated &= NOT(id);
			continue;
		}
		state = state_of(s, id, w);
		if (state == NULL || !note(s, id, &s->packet_live, 1, x->packet(state, p, s, w), w))
			return false;
	}
	return true;
}

/* Whether a packet is TCP without payload that changes no stream. */
static inline bool
is_bare(const jj_packet *p)
{
	return p->proto == JJ_PROTO_TCP && p->payload_len == 0 && !(p->tcp_flags & JJ_TCP_SYN);
}

/* A packet that may be needed. False without memory. */
static JJ_NOINLINE bool
look_at(jj_app *s, const jj_packet *p, const jj_work *w)
{
	int			d = p->dir;

	s->captured |= p->payload_caplen > 0;
	if (JJ_UNLIKELY(!s->begun))
		begin(s, p, w);
	if ((s->packet_live | s->packet_gated) != 0 && !take_packet(s, p, w))
		return false;
	if (p->proto == JJ_PROTO_TCP)
	{
		if (!p->has_tcp || (p->payload_len == 0 && !(p->tcp_flags & JJ_TCP_SYN)))
			return true;
		return ((s->live[d] | s->gated[d]) == 0 && !s->keep) || take_segment(s, p, w);
	}
	if (p->proto == JJ_PROTO_UDP && p->payload_caplen > 0 && p->frag_offset == 0)
		return take_datagram(s, p, w);
	return true;
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	jj_app	   *s = state;

	if (JJ_UNLIKELY(p->n_ext_headers != 0) && memchr(p->ext_headers, JJ_PROTO_AH, p->n_ext_headers) != NULL)
		s->ah = true;
	if (is_bare(p) || is_idle(s, p->dir))
		return true;
	return look_at(s, p, w);
}

static void
fetch_block(const void *block, size_t size)
{
	/* the block begins behind its header, JJ_POOL_HEADER bytes into a line */
	for (size_t o = 0; o < size + JJ_POOL_HEADER; o += JJ_POOL_LINE)
		JJ_PREFETCH((const char *) block + o);
}

static void
fetch(const void *state, const jj_packet *p, int dir)
{
	const jj_app *s = state;

	if (s->more == NULL || is_bare(p) || p->payload_len <= s->pass[dir])
		return;
	if (s->has_block)
		fetch_block(s->more, sizeof(block));
	else if ((s->packet_live | s->live[dir]) & NOT(JJ_P_FINGERPRINT))
	{
		const jj_parser *x = parsers[only_parser(s)];

		if (x->fetch != NULL)
			x->fetch(s->more, (unsigned) dir);
		else
			fetch_block(s->more, x->state_size);
	}
}

static void
fetch_all(const void *state)
{
	const jj_app *s = state;

	if (s->more != NULL)
		fetch_block(s->more, s->has_block ? sizeof(block) : parsers[only_parser(s)]->state_size);
}

static void
fetch_more(const void *state)
{
	const jj_app *s = state;

	if (s->has_block)
		foreach_bit(id, s->made & NOT(JJ_P_FINGERPRINT))
			fetch_block(made_state(s, id), parsers[id]->state_size);
}

static void
free_state(void *state, const jj_allocator *a)
{
	jj_app	   *s = state;
	block	   *b = block_of(s);

	foreach_bit(id, s->made)
		release_state(s, id, a);
	if (b == NULL)
		return;
	for (int d = 0; d < 2; d++)
		jj_stream_drop(&b->stream[d], b->hold, a);
	jj_release(a, b);
}

const jj_app *
jj_app_of(const void *state)
{
	return state;
}

bool
jj_app_blind(const jj_flow *f, const void *state)
{
	return f->payload[0] + f->payload[1] > 0 && !((const jj_app *) state)->captured;
}

bool
jj_app_saw_ah(const void *state)
{
	return ((const jj_app *) state)->ah;
}

void *
jj_app_parser(const jj_app *app, jj_parser_id id)
{
	return app->made & BIT(id) ? made_state(app, id) : NULL;
}

bool
jj_app_opened(const jj_app *app)
{
	return (app->made & NOT(JJ_P_FINGERPRINT)) != 0;
}

jj_app_side
jj_app_stream(const jj_app *app, int dir)
{
	jj_app_side side = {0};

	if (app->follower[dir] == BLOCK)
	{
		const jj_stream *t = &block_of(app)->stream[dir];

		side.next = t->next;
		side.start = t->start;
		side.started = t->started;
		side.start_seen = t->start_seen;
		side.gap = jj_stream_gap(t);
	}
	else if (app->follower[dir] == RECORD)
	{
		side.next = app->next[dir] - app->start[dir];
		side.start = app->start[dir];
		side.started = true;
		side.start_seen = app->start_seen[dir];
	}
	return side;
}

bool
jj_app_start_known(const jj_app *app, int dir)
{
	jj_app_side side = jj_app_stream(app, dir);
	const block *b = block_of(app);

	if (side.start_seen)
		return true;
	return b != NULL && b->has_syn_ack[1 - dir] && (!side.started || b->syn_ack[1 - dir] == side.start);
}

const jj_extractor jj_app_base = {
	.group = JJ_GROUPS,
	.state_size = sizeof(jj_app),
	.fetch = fetch,
	.update = update,
	.fetch_all = fetch_all,
	.fetch_more = fetch_more,
	.free_state = free_state,
};
