/*
 * The analysis of TCP connections.
 */
#include "extractors/tcp_segment.h"

#include <string.h>

#define FAST_NS INT64_C(20000000)	/* a fast retransmission follows its duplicate ACKs within 20 ms */
#define REORDER_NS INT64_C(3000000)	/* reordering window while the round-trip time is unknown */

#define MARK_PROBE 1
#define MARK_ZERO_WINDOW 2
#define MARK_LOST 4
#define MARK_KEEP_ALIVE 8
#define MARK_DUP_ACK 16
#define MARK_SPURIOUS 32
#define MARK_FAST 64
#define MARK_OUT_OF_ORDER 128
#define MARK_RETRANS 256

/* ---- queues */

/* The element at a place behind the head; the ring is few or, when it has more room than that, more. */
static inline jj_tcp_wait *
queue_at(const jj_tcp_queue *q, jj_tcp_wait *few, unsigned n_few, jj_tcp_wait *const *more, unsigned i)
{
	jj_tcp_wait *ring = few;

	if (JJ_UNLIKELY(q->room > n_few))
		ring = *more;
	return ring + ((q->head + i) & (q->room - 1u));
}

/* Room for one more element. False without memory, the queue is as it was then. */
static JJ_NOINLINE bool
queue_grow(jj_tcp_queue *q, jj_tcp_wait *few, unsigned n_few, jj_tcp_wait **more, const jj_allocator *a)
{
	unsigned	room = q->room == n_few ? 8 : q->room * 2u;
	jj_tcp_wait *grown;

	if (q->room == 0)
	{
		q->room = (uint8_t) n_few;
		return true;
	}
	grown = jj_alloc(a, sizeof(*grown) * room);
	if (grown == NULL)
		return false;
	for (unsigned i = 0; i < q->used; i++)
		grown[i] = *queue_at(q, few, n_few, more, i);
	jj_release(a, *more);
	*more = grown;
	q->head = 0;
	q->room = (uint8_t) room;
	return true;
}

/* Append, up to max elements. False without memory, as queue_grow. */
static inline bool
queue_push(jj_tcp_queue *q, jj_tcp_wait *few, unsigned n_few, jj_tcp_wait **more, unsigned max, jj_tcp_wait x, const jj_allocator *a)
{
	if (JJ_UNLIKELY(q->used == q->room))
	{
		if (q->used == max)
			return true;
		if (!queue_grow(q, few, n_few, more, a))
			return false;
	}
	*queue_at(q, few, n_few, more, q->used) = x;
	q->used++;
	return true;
}

static inline void
queue_drop(jj_tcp_queue *q, unsigned n)
{
	q->head = (uint8_t) ((q->head + n) & (q->room - 1u));
	q->used = (uint8_t) (q->used - n);
}

static inline jj_tcp_wait *
unacked_at(jj_tcp_side *s, const jj_tcp_rest *rest, unsigned i)
{
	return queue_at(&s->unacked, s->few_unacked, JJ_TCP_FEW_UNACKED, &rest->unacked, i);
}

static inline jj_tcp_wait *
tsval_at(jj_tcp_side *s, const jj_tcp_rest *rest, unsigned i)
{
	return queue_at(&s->tsvals, s->few_tsvals, JJ_TCP_FEW_TSVALS, &rest->tsvals, i);
}

/* ---- sequence numbers */

/* A SYN, or a SYN-ACK before the handshake is over, with another initial sequence number. */
static void
restart(jj_tcp_side *s, jj_tcp_side *r, uint32_t seq)
{
	s->base = seq;
	s->has_next = false;
	s->dups = 0;
	s->unacked.used = 0;
	r->has_ack = r->has_hiack = false;
	s->bytes.started = false;
	s->bytes.n_holes = 0;
	s->bytes.has_floor = true;
	s->bytes.floor = seq + 1;
}

/* What Wireshark would call this segment. */
static unsigned
classify(const jj_tcp_analysis *t, const jj_tcp_segment *g)
{
	const jj_packet *p = g->p;
	jj_tcp_side *s = g->s;
	const jj_tcp_side *r = g->r;
	unsigned	m = 0;
	uint16_t	fl = g->flags;
	bool		control = fl & (SYN | FIN | RST);
	uint32_t	n = p->payload_len;
	int32_t		ahead = s->has_next ? jj_seq_diff(p->seq, s->next) : 0;
	bool		same_ack = s->has_ack && p->ack == s->ack;

	if (n == 1 && s->has_next && ahead == 0 && r->has_window && r->window == 0 && !(fl & RST))
		m |= MARK_PROBE;
	else
	{
		if (p->window == 0 && !control)
			m |= MARK_ZERO_WINDOW;
		if (ahead > 0 && !(fl & RST))
			m |= MARK_LOST;
		if (n <= 1 && ahead == -1 && !control)
			m |= MARK_KEEP_ALIVE;

		/* the same again is an answer to a keep-alive or to a probe, or a duplicate ACK */
		if (n == 0 && same_ack && s->has_next && p->window == s->window && ahead == 0
			&& (fl & ACK) && !control && p->window != 0 && !r->keep)
		{
			m |= MARK_DUP_ACK;
			if (s->dups < UINT8_MAX)
				s->dups++;
		}
	}
	if ((fl & ACK) && !same_ack)
		s->dups = 0;
	if (g->consumes && !(m & MARK_KEEP_ALIVE))
	{
		bool		old = ahead < 0 && !(n > 1 && ahead == -1);

		if (n > 0 && r->has_ack && jj_seq_diff(p->seq + n, r->ack) <= 0)
			m |= MARK_SPURIOUS;
		else if (!old)
			;
		else if (r->dups >= 2 && r->ack == p->seq && p->t - r->ack_t < FAST_NS)
			m |= MARK_FAST;
		else if (p->t - s->next_t < (t->has_irtt ? t->irtt : REORDER_NS) && g->end != s->next)
			m |= MARK_OUT_OF_ORDER;
		else
			m |= MARK_RETRANS;
	}
	return m;
}

static void
advance(const jj_tcp_segment *g)
{
	const jj_packet *p = g->p;
	jj_tcp_side *s = g->s;
	unsigned	m = g->marks;

	/* an RST occupies no sequence space and may carry any number */
	if (!(g->flags & RST) && (!s->has_next || jj_seq_diff(g->end, s->next) > 0) && !(m & MARK_PROBE))
	{
		s->has_next = true;
		s->next = g->end;
		s->next_t = p->t;
	}
	s->has_window = true;
	s->window = p->window;
	if (g->flags & ACK)
	{
		s->has_ack = true;
		s->ack = p->ack;
	}
	else
		g->rest->no_ack++;
	s->ack_t = p->t;
	s->keep = m & MARK_KEEP_ALIVE;
	s->consuming += g->consumes;
	if (JJ_LIKELY(m == 0))
		return;
	g->rest->retrans += (m & (MARK_RETRANS | MARK_FAST | MARK_SPURIOUS)) != 0;
	g->rest->fast += (m & MARK_FAST) != 0;
	g->rest->spurious += (m & MARK_SPURIOUS) != 0;
	g->rest->out_of_order += (m & MARK_OUT_OF_ORDER) != 0;
	g->rest->lost += (m & MARK_LOST) != 0;
	g->rest->dup_acks += (m & MARK_DUP_ACK) != 0;
	g->rest->keep_alives += (m & MARK_KEEP_ALIVE) != 0;
	g->rest->zero_windows += (m & MARK_ZERO_WINDOW) != 0;
}

/* ---- round-trip times */

static void
add_rtt(jj_tcp_rtt *m, int64_t v)
{
	jj_u128		x = {(uint64_t) v, 0};

	if (m->n++ == 0)
		m->min = m->max = v;
	else if (v < m->min)
		m->min = v;
	else if (v > m->max)
		m->max = v;
	m->sum = jj_u128_add(m->sum, x);
}

/* Segments that are acknowledged, and samples of the round-trip time (Karn and Partridge 1987). */
static bool
follow_acks(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_allocator *a)
{
	const jj_packet *p = g->p;
	jj_tcp_side *s = g->s;
	jj_tcp_side *r = g->r;

	if (g->consumes)
	{
		if (!s->has_next || jj_seq_diff(p->seq, s->next) >= 0)
		{
			jj_tcp_wait x = {p->t * 2, p->seq, g->end};

			if (!(g->marks & MARK_PROBE)
				&& !queue_push(&s->unacked, s->few_unacked, JJ_TCP_FEW_UNACKED, &g->rest->unacked, JJ_TCP_UNACKED, x, a))
				return false;
		}
		else
			for (unsigned i = 0; i < s->unacked.used; i++)
			{
				jj_tcp_wait *u = unacked_at(s, g->rest, i);

				if (jj_seq_diff(p->seq, u->end) < 0 && jj_seq_diff(g->end, u->start) > 0)
					u->t_void |= 1;
			}
	}
	if ((g->flags & ACK) && r->unacked.used > 0)
	{
		const jj_tcp_rest *rest = &t->rest[1 - p->dir];
		unsigned	n = 0;

		while (n < r->unacked.used)
		{
			const jj_tcp_wait *u = unacked_at(r, rest, n);

			if (jj_seq_diff(u->end, p->ack) > 0)
				break;
			n++;
			if (u->end == p->ack && !(u->t_void & 1) && p->t > u->t_void >> 1)
				add_rtt(&t->ack_rtt, p->t - (u->t_void >> 1));
		}
		queue_drop(&r->unacked, n);
	}
	return true;
}

/* A timestamp that came back. */
static void
take_echo(jj_tcp_analysis *t, const jj_tcp_segment *g, bool advances)
{
	const jj_packet *p = g->p;
	jj_tcp_side *r = g->r;
	const jj_tcp_rest *rest = &t->rest[1 - p->dir];
	unsigned	from = 1 - p->dir;
	unsigned	i = 0;
	int64_t		t_void;

	while (i < r->tsvals.used && tsval_at(r, rest, i)->start != g->tsecr)
		i++;
	if (i == r->tsvals.used)
		return;
	t_void = tsval_at(r, rest, i)->t_void;
	queue_drop(&r->tsvals, i + 1);
	if (advances && !(t_void & 1) && p->t > t_void >> 1)
	{
		int64_t		sample = p->t - (t_void >> 1);

		jj_moments_add(&t->ts_rtt, sample);
		if (t->has_ts_prev[from])
		{
			int64_t		before = t->ts_prev[from];
			jj_u128		jitter = {(uint64_t) (sample > before ? sample - before : before - sample), 0};

			t->jitter_sum = jj_u128_add(t->jitter_sum, jitter);
		}
		t->has_ts_prev[from] = true;
		t->ts_prev[from] = sample;
	}
}

/* Samples of the round-trip time from timestamps (RFC 7323 section 4). */
static bool
follow_timestamps(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_allocator *a)
{
	const jj_packet *p = g->p;
	jj_tcp_side *s = g->s;

	if (g->flags & RST)
		return true;
	if (g->flags & ACK)
	{
		bool		advances = !s->has_hiack || jj_seq_diff(p->ack, s->hiack) > 0;

		if (g->has_ts)
			take_echo(t, g, advances);
		if (advances)
		{
			s->has_hiack = true;
			s->hiack = p->ack;
		}
	}
	if (g->has_ts && g->consumes && !(g->marks & MARK_KEEP_ALIVE))
	{
		if (!s->has_ts_sent || jj_seq_diff(g->tsval, s->ts_sent) > 0)
		{
			jj_tcp_wait x = {p->t * 2, g->tsval, 0};

			s->has_ts_sent = true;
			s->ts_sent = g->tsval;
			return queue_push(&s->tsvals, s->few_tsvals, JJ_TCP_FEW_TSVALS, &g->rest->tsvals, JJ_TCP_TSVALS, x, a);
		}
		if (s->has_next && jj_seq_diff(p->seq, s->next) < 0)
			for (unsigned i = 0; i < s->tsvals.used; i++)
			{
				jj_tcp_wait *v = tsval_at(s, g->rest, i);

				if (v->start == g->tsval)
					v->t_void |= 1;
			}
	}
	return true;
}

/* ---- windows */

static void
follow_window(const jj_tcp_segment *g)
{
	jj_tcp_side *s = g->s;
	uint16_t	window = g->p->window;

	if (JJ_UNLIKELY(g->flags & (SYN | RST)))
	{
		g->rest->no_window++;
		if ((g->flags & (SYN | RST)) == SYN && !g->rest->has_init_window)
		{
			g->rest->has_init_window = true;
			g->rest->init_window = window;
		}
		return;
	}
	if (JJ_UNLIKELY(!s->has_prev))
	{
		s->has_prev = true;
		s->window_min = s->window_max = window;
	}
	else
	{
		if (window < s->window_min)
			s->window_min = window;
		if (window > s->window_max)
			s->window_max = window;
		s->window_up += window > s->window_prev;
		s->window_down += window < s->window_prev;
	}
	s->window_sum += window;
	s->window_prev = window;
}

/* The values of the timestamps themselves. */
static void
follow_clock(const jj_tcp_segment *g)
{
	jj_tcp_side *s = g->s;

	s->ts_present = true;
	if (g->flags & RST)
		return;
	if ((g->flags & ACK) && !s->has_ecr)
	{
		s->has_ecr = true;
		g->rest->ecr_first = g->tsecr;
	}
	if (s->ts_count++ == 0)
	{
		g->rest->ts_first = s->ts_new = g->tsval;
		g->rest->ts_first_t = s->ts_new_t = g->p->t;
	}
	else if (jj_seq_diff(g->tsval, s->ts_new) > 0)
	{
		s->ts_diff += (uint64_t) jj_seq_diff(g->tsval, s->ts_new);
		s->ts_new = g->tsval;
		s->ts_new_t = g->p->t;
	}
}

/* ---- segments */

/* Whether the options are no other than timestamps, laid out as most systems do: two NOPs in front. */
static inline bool
only_timestamps(const jj_packet *p)
{
	static const uint8_t layout[4] = {JJ_TCPOPT_NOP, JJ_TCPOPT_NOP, JJ_TCPOPT_TIMESTAMPS, 10};

	return p->options_len == 12 && p->tcp_header_len == 32 && memcmp(p->options, layout, sizeof(layout)) == 0;
}

static inline void
take_options(jj_tcp_analysis *t, jj_tcp_segment *g)
{
	const jj_packet *p = g->p;

	g->has_ts = false;
	if (only_timestamps(p) && !(g->flags & SYN))
	{
		g->has_ts = true;
		g->tsval = jj_tcp_option_32(p->options + 4);
		g->tsecr = jj_tcp_option_32(p->options + 8);
		t->option_bits |= JJ_TCP_BIT_TIMESTAMPS;
	}
	else if (p->tcp_header_len > 20 || (g->flags & SYN))
		jj_tcp_take_options(t, g);
}

/* Sequence numbers begin, or begin anew. */
static void
follow_base(jj_tcp_analysis *t, const jj_tcp_segment *g)
{
	jj_tcp_side *s = g->s;

	if (!s->has_base)
	{
		s->has_base = true;
		s->base = g->flags & SYN ? g->p->seq : g->p->seq - 1;
	}
	else if ((g->flags & SYN) && g->p->seq != s->base && !((g->flags & ACK) && t->open))
	{
		restart(s, g->r, g->p->seq);
		t->open = false;
	}
	else if ((g->flags & (SYN | ACK)) == ACK)
		t->open = true;
}

static bool
analyse_segment(jj_tcp_analysis *t, const jj_packet *p, const jj_work *w)
{
	const jj_allocator *a = &w->allocator;
	jj_tcp_segment g = {.p = p, .flags = p->tcp_flags};
	jj_tcp_side *s = &t->side[p->dir];

	g.s = s;
	g.r = &t->side[1 - p->dir];
	g.rest = &t->rest[p->dir];
	g.consumes = (p->payload_len > 0 || (g.flags & (SYN | FIN))) && !(g.flags & RST);
	g.end = p->seq + p->payload_len + (g.flags & (SYN | FIN) ? 1 : 0);
	s->packets++;
	take_options(t, &g);
	if (!(g.flags & RST))
		follow_base(t, &g);
	g.marks = classify(t, &g);
	if ((g.flags & (SYN | RST)) == SYN && !g.rest->has_isn)
	{
		g.rest->has_isn = true;
		g.rest->isn = p->seq;
		s->bytes.has_floor = true;
		s->bytes.floor = p->seq + 1;
	}
	if (p->payload_len > 0 && !(g.flags & RST) && !(g.marks & MARK_KEEP_ALIVE) && jj_work_wants(w, JJ_G_tcp_sequence)
		&& !jj_tcp_bytes_add(&s->bytes, p->seq + (g.flags & SYN ? 1 : 0), p->payload_len, a))
		return false;
	if (jj_work_wants(w, JJ_G_tcp_rtt) && (!follow_acks(t, &g, a) || !follow_timestamps(t, &g, a)))
		return false;
	advance(&g);
	follow_window(&g);
	t->option_packets += p->tcp_header_len > 20;
	if (g.has_ts)
		follow_clock(&g);
	if (JJ_UNLIKELY(!t->complete || !t->has_irtt || (g.flags & SYN)) && !jj_tcp_follow_handshake(t, &g, w))
		return false;
	s->has_fragment = p->fragment && !(g.flags & RST);
	if (JJ_UNLIKELY(s->has_fragment))
	{
		g.rest->fragment_id = p->ip_id;
		g.rest->fragment_start = p->seq + (g.flags & SYN ? 1 : 0) - p->tcp_header_len;
		g.rest->fragment_seq = p->seq;
	}
	return true;
}

/* A later fragment of the segment just seen lengthens that segment. */
static JJ_NOINLINE bool
lengthen_segment(jj_tcp_side *s, jj_tcp_rest *rest, const jj_packet *p, const jj_work *w)
{
	uint32_t	start;
	uint32_t	end;

	if (!s->has_fragment || rest->fragment_id != p->ip_id)
		return true;
	start = rest->fragment_start + p->frag_offset;
	end = start + p->payload_len;
	if (p->payload_len > 0 && jj_work_wants(w, JJ_G_tcp_sequence)
		&& !jj_tcp_bytes_add(&s->bytes, start, p->payload_len, &w->allocator))
		return false;
	if (jj_seq_diff(end, s->next) > 0)
	{
		s->next = end;
		s->next_t = p->t;
	}
	if (s->unacked.used > 0)
	{
		jj_tcp_wait *last = unacked_at(s, rest, s->unacked.used - 1u);

		if (last->start == rest->fragment_seq)
		{
			last->end = end;
			last->t_void = p->t * 2 + (last->t_void & 1);
		}
	}
	return true;
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	jj_tcp_analysis **analysis = state;

	if (p->has_tcp)
	{
		if (*analysis == NULL && (*analysis = jj_alloc_zero(&w->allocator, sizeof(**analysis))) == NULL)
			return false;
		return analyse_segment(*analysis, p, w);
	}
	if (*analysis != NULL && p->frag_offset != 0)
		return lengthen_segment(&(*analysis)->side[p->dir], &(*analysis)->rest[p->dir], p, w);
	return true;
}

static void
fetch(const void *state, const jj_packet *p, int dir)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);
	const char *own;

	(void) p;
	if (t == NULL)
		return;
	own = (const char *) &t->side[dir];
	JJ_PREFETCH(t);
	for (size_t o = 0; o < sizeof(jj_tcp_side); o += 64)
		JJ_PREFETCH(own + o);
	JJ_PREFETCH(&t->side[1 - dir]);
	JJ_PREFETCH(&t->ack_rtt);
	JJ_PREFETCH(&t->ts_rtt);
}

static void
fetch_all(const void *state)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);

	if (t != NULL)
		for (size_t o = 0; o < sizeof(*t); o += 64)
			JJ_PREFETCH((const char *) t + o);
}

static void
fetch_more(const void *state)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);

	for (int d = 0; t != NULL && d < 2; d++)
		if (t->rest[d].syn != NULL)
			JJ_PREFETCH(t->rest[d].syn);
}

static void
free_state(void *state, const jj_allocator *a)
{
	jj_tcp_analysis *t = *(jj_tcp_analysis **) state;

	if (t == NULL)
		return;
	for (int d = 0; d < 2; d++)
	{
		jj_release(a, t->side[d].bytes.hole);
		jj_release(a, t->rest[d].unacked);
		jj_release(a, t->rest[d].tsvals);
		jj_release(a, t->rest[d].syn);
	}
	jj_release(a, t);
}

const jj_extractor jj_analyse_tcp = {
	.group = JJ_GROUPS,
	.state_size = sizeof(jj_tcp_analysis *),
	.kinds = JJ_FOR_TCP,
	.fetch = fetch,
	.fetch_all = fetch_all,
	.fetch_more = fetch_more,
	.update = update,
	.free_state = free_state,
};
