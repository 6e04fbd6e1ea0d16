/*
 * The analysis of TCP connections.
 */
#include "extractors/tcp_analysis.h"

#include <stddef.h>
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

#define SYN JJ_TCP_SYN
#define FIN JJ_TCP_FIN
#define RST JJ_TCP_RST
#define ACK JJ_TCP_ACK

/* A SYN, or a SYN-ACK before the handshake is over, with another initial sequence number. */
static void
restart(jj_tcp_side *s, jj_tcp_side *r, uint32_t seq)
{
	s->base = seq;
	s->has_next = false;
	s->dups = 0;
	s->n_unacked = 0;
	r->has_ack = r->has_hiack = false;
	s->bytes.started = false;
	s->bytes.n_holes = 0;
	s->bytes.has_floor = true;
	s->bytes.floor = seq + 1;
}

/* What Wireshark would call this segment. */
static unsigned
classify(const jj_tcp_analysis *t, jj_tcp_side *s, const jj_tcp_side *r, const jj_packet *p)
{
	unsigned	m = 0;
	uint16_t	fl = p->tcp_flags;
	bool		control = fl & (SYN | FIN | RST);
	uint32_t	n = p->payload_len;
	int32_t		ahead = s->has_next ? jj_seq_diff(p->seq, s->next) : 0;

	if (s->has_next && n == 1 && ahead == 0 && r->has_window && r->window == 0 && !(fl & RST))
		m |= MARK_PROBE;
	else
	{
		if (p->window == 0 && !control)
			m |= MARK_ZERO_WINDOW;
		if (s->has_next && ahead > 0 && !(fl & RST))
			m |= MARK_LOST;
		if (s->has_next && n <= 1 && ahead == -1 && !control)
			m |= MARK_KEEP_ALIVE;

		/* the same again is an answer to a keep-alive or to a probe, or a duplicate ACK */
		if (n == 0 && s->has_next && p->window == s->window && ahead == 0 && s->has_ack && p->ack == s->ack
			&& (fl & ACK) && !control && p->window != 0 && !r->keep)
		{
			m |= MARK_DUP_ACK;
			s->dups++;
		}
	}
	if ((fl & ACK) && !(s->has_ack && p->ack == s->ack))
		s->dups = 0;
	if ((n > 0 || (fl & (SYN | FIN))) && !(fl & RST) && !(m & MARK_KEEP_ALIVE))
	{
		uint32_t	end = p->seq + n + (fl & (SYN | FIN) ? 1 : 0);
		bool		old = s->has_next && ahead < 0 && !(n > 1 && ahead == -1);

		if (n > 0 && r->has_ack && jj_seq_diff(p->seq + n, r->ack) <= 0)
			m |= MARK_SPURIOUS;
		else if (old && r->dups >= 2 && r->ack == p->seq && p->t - r->ack_t < FAST_NS)
			m |= MARK_FAST;
		else if (old && p->t - s->next_t < (t->has_irtt ? t->irtt : REORDER_NS) && end != s->next)
			m |= MARK_OUT_OF_ORDER;
		else if (old)
			m |= MARK_RETRANS;
	}
	return m;
}

/*
 * The list with room for one more element; it begins small, as few lists get
 * long. Without memory it stays as it was, and *good is false.
 */
static void *
make_list_room(void *list, uint8_t used, uint8_t *room, size_t size, const jj_allocator *a, bool *good)
{
	uint8_t		more = *room == 0 ? 4 : (uint8_t) (*room * 2);
	void	   *grown;

	*good = true;
	if (used < *room)
		return list;
	grown = jj_regrow(a, list, size * used, size * more);
	*good = grown != NULL;
	if (grown == NULL)
		return list;
	*room = more;
	return grown;
}

static void
pop_segments(jj_tcp_side *s, uint32_t n)
{
	s->n_unacked = (uint8_t) (s->n_unacked - n);
	memmove(s->unacked, s->unacked + n, sizeof(s->unacked[0]) * s->n_unacked);
}

/* Segments that are acknowledged, and samples of the round-trip time (Karn and Partridge 1987). */
static bool
follow_acks(jj_tcp_analysis *t, jj_tcp_side *s, jj_tcp_side *r, const jj_packet *p, unsigned m, const jj_allocator *a)
{
	uint16_t	fl = p->tcp_flags;

	if ((p->payload_len > 0 || (fl & (SYN | FIN))) && !(fl & RST))
	{
		uint32_t	end = p->seq + p->payload_len + (fl & (SYN | FIN) ? 1 : 0);

		if (!s->has_next || jj_seq_diff(p->seq, s->next) >= 0)
		{
			if (!(m & MARK_PROBE) && s->n_unacked < JJ_TCP_UNACKED)
			{
				jj_tcp_segment segment = {p->t, p->seq, end, false};
				bool		good;

				s->unacked = make_list_room(s->unacked, s->n_unacked, &s->unacked_room, sizeof(segment), a, &good);
				if (!good)
					return false;
				s->unacked[s->n_unacked++] = segment;
			}
		}
		else
			for (uint32_t i = 0; i < s->n_unacked; i++)
				if (jj_seq_diff(p->seq, s->unacked[i].end) < 0 && jj_seq_diff(end, s->unacked[i].start) > 0)
					s->unacked[i].void_sample = true;
	}
	if (fl & ACK)
	{
		uint32_t	n = 0;

		while (n < r->n_unacked && jj_seq_diff(r->unacked[n].end, p->ack) <= 0)
		{
			const jj_tcp_segment *u = &r->unacked[n++];

			if (u->end == p->ack && !u->void_sample && p->t > u->t)
				jj_moments_add(&t->ack_rtt, p->t - u->t);
		}
		if (n > 0)
			pop_segments(r, n);
	}
	return true;
}

/* Samples of the round-trip time from timestamps (RFC 7323 section 4). */
static bool
follow_timestamps(jj_tcp_analysis *t, jj_tcp_side *s, jj_tcp_side *r, const jj_packet *p, const jj_tcp_options *o, unsigned m,
				  const jj_allocator *a)
{
	uint16_t	fl = p->tcp_flags;

	if (fl & RST)
		return true;
	if (fl & ACK)
	{
		bool		advances = !s->has_hiack || jj_seq_diff(p->ack, s->hiack) > 0;
		uint32_t	i = 0;

		while (o->has_ts && i < r->n_tsvals && r->tsval[i].value != o->tsecr)
			i++;
		if (o->has_ts && i < r->n_tsvals)
		{
			jj_tcp_tsval v = r->tsval[i];

			r->n_tsvals = (uint8_t) (r->n_tsvals - i - 1);
			memmove(r->tsval, r->tsval + i + 1, sizeof(v) * r->n_tsvals);
			if (advances && !v.void_sample && p->t > v.t)
			{
				int64_t		sample = p->t - v.t;

				jj_moments_add(&t->ts_rtt, sample);
				if (r->has_ts_prev)
				{
					jj_u128		jitter = {(uint64_t) (sample > r->ts_prev ? sample - r->ts_prev : r->ts_prev - sample), 0};

					t->jitter_sum = jj_u128_add(t->jitter_sum, jitter);
					t->jitters++;
				}
				r->has_ts_prev = true;
				r->ts_prev = sample;
			}
		}
		if (advances)
		{
			s->has_hiack = true;
			s->hiack = p->ack;
		}
	}
	if (o->has_ts && (p->payload_len > 0 || (fl & (SYN | FIN))) && !(m & MARK_KEEP_ALIVE))
	{
		if (!s->has_ts_sent || jj_seq_diff(o->tsval, s->ts_sent) > 0)
		{
			s->has_ts_sent = true;
			s->ts_sent = o->tsval;
			if (s->n_tsvals < JJ_TCP_TSVALS)
			{
				jj_tcp_tsval v = {p->t, o->tsval, false};
				bool		good;

				s->tsval = make_list_room(s->tsval, s->n_tsvals, &s->tsval_room, sizeof(v), a, &good);
				if (!good)
					return false;
				s->tsval[s->n_tsvals++] = v;
			}
		}
		else if (s->has_next && jj_seq_diff(p->seq, s->next) < 0)
			for (uint32_t i = 0; i < s->n_tsvals; i++)
				if (s->tsval[i].value == o->tsval)
					s->tsval[i].void_sample = true;
	}
	return true;
}

static void
advance(jj_tcp_side *s, const jj_packet *p, unsigned m)
{
	uint16_t	fl = p->tcp_flags;
	uint32_t	end = p->seq + p->payload_len + (fl & (SYN | FIN) ? 1 : 0);

	/* an RST occupies no sequence space and may carry any number */
	if (!(fl & RST) && (!s->has_next || jj_seq_diff(end, s->next) > 0) && !(m & MARK_PROBE))
	{
		s->has_next = true;
		s->next = end;
		s->next_t = p->t;
	}
	s->has_window = true;
	s->window = p->window;
	if (fl & ACK)
	{
		s->has_ack = true;
		s->ack = p->ack;
		s->acks++;
	}
	s->ack_t = p->t;
	s->probe = m & MARK_PROBE;
	s->keep = m & MARK_KEEP_ALIVE;
	s->consuming += (p->payload_len > 0 || (fl & (SYN | FIN))) && !(fl & RST);
	if (m == 0)
		return;
	s->retrans += (m & (MARK_RETRANS | MARK_FAST | MARK_SPURIOUS)) != 0;
	s->fast += (m & MARK_FAST) != 0;
	s->spurious += (m & MARK_SPURIOUS) != 0;
	s->out_of_order += (m & MARK_OUT_OF_ORDER) != 0;
	s->lost += (m & MARK_LOST) != 0;
	s->dup_acks += (m & MARK_DUP_ACK) != 0;
	s->keep_alives += (m & MARK_KEEP_ALIVE) != 0;
	s->zero_windows += (m & MARK_ZERO_WINDOW) != 0;
}

static void
follow_window(jj_tcp_side *s, const jj_packet *p)
{
	if ((p->tcp_flags & SYN) && !(p->tcp_flags & RST) && !s->has_init_window)
	{
		s->has_init_window = true;
		s->init_window = p->window;
	}
	if (p->tcp_flags & (SYN | RST))
		return;
	if (s->windows++ == 0)
		s->window_min = s->window_max = p->window;
	else
	{
		if (p->window < s->window_min)
			s->window_min = p->window;
		if (p->window > s->window_max)
			s->window_max = p->window;
		s->window_up += p->window > s->window_prev;
		s->window_down += p->window < s->window_prev;
	}
	s->window_sum += p->window;
	s->window_prev = p->window;
}

static uint32_t
option_bit(uint8_t kind)
{
	switch (kind)
	{
		case JJ_TCPOPT_NOP:
			return 0;
		case JJ_TCPOPT_MSS:
			return 1;
		case JJ_TCPOPT_WS:
			return 2;
		case JJ_TCPOPT_SACK_PERMITTED:
			return 4;
		case JJ_TCPOPT_TIMESTAMPS:
			return 8;
		case JJ_TCPOPT_SACK:
			return 16;
		case JJ_TCPOPT_MPTCP:
			return 32;
		case 34:				/* TCP fast open */
			return 64;
		case 19:				/* MD5 signature */
			return 128;
		case 29:				/* TCP-AO */
			return 256;
		case 28:				/* user timeout */
			return 512;
		case 253:
		case 254:				/* experiments */
			return 1024;
		default:
			return 2048;
	}
}

static void
follow_mptcp(jj_tcp_analysis *t, jj_tcp_side *s, uint16_t fl, const jj_tcp_options *o)
{
	t->mp_packets++;
	t->mp_bits |= 1;
	for (unsigned i = 0; i < o->n_mptcp; i++)
	{
		unsigned	subtype = o->mptcp[i] >> 4;

		if (subtype > 8)
			t->mp_bits |= 0x1000;
		else if (subtype >= 1)
			t->mp_bits |= 8u << subtype;
		if (subtype == 0)
		{
			t->mp_bits |= (o->mptcp[i] & 15) == 0 ? 0x4000 : 0x2000;
			if (fl & SYN)
				s->mp_capable = true;
		}
		else if (subtype == 1 && (fl & SYN))
			s->mp_join = true;
		else if (subtype == 2)
			s->mp_dss = true;
	}
}

static void
follow_options(jj_tcp_analysis *t, jj_tcp_side *s, const jj_packet *p, const jj_tcp_options *o)
{
	uint16_t	fl = p->tcp_flags;

	t->option_packets += p->tcp_header_len > 20;
	for (unsigned i = 0; i < o->n_options; i++)
		t->option_bits |= option_bit(o->kind[i]);
	if ((fl & SYN) && !(fl & RST) && !s->has_syn)
	{
		s->has_syn = true;
		s->syn_ack = fl & ACK;
		s->syn_cut = o->cut;
		s->syn_has_mss = o->has_mss;
		s->syn_mss = o->mss;
		s->syn_has_ws = o->has_ws;
		s->syn_ws = o->ws;
		s->syn_sack = o->sack_permitted;
	}
	if (o->n_sack > 0)
		t->sack_blocks += o->n_sack;
	if (o->n_sack > 0
		&& (jj_seq_diff(o->sack[0][1], p->ack) <= 0
			|| (o->n_sack > 1 && jj_seq_diff(o->sack[0][0], o->sack[1][0]) >= 0 && jj_seq_diff(o->sack[0][1], o->sack[1][1]) <= 0)))
		t->dsacks++;
	if (o->n_mptcp > 0)
		follow_mptcp(t, s, fl, o);
	if (!o->has_ts)
		return;
	s->ts_present = true;
	if (fl & RST)
		return;
	if ((fl & ACK) && !s->has_ecr)
	{
		s->has_ecr = true;
		s->ecr_first = o->tsecr;
	}
	if (s->ts_count++ == 0)
	{
		s->ts_first = s->ts_new = o->tsval;
		s->ts_first_t = s->ts_new_t = p->t;
	}
	else if (jj_seq_diff(o->tsval, s->ts_new) > 0)
	{
		s->ts_diff += (uint64_t) jj_seq_diff(o->tsval, s->ts_new);
		s->ts_new = o->tsval;
		s->ts_new_t = p->t;
	}
}

static bool
keep_syn(jj_tcp_side *s, const jj_packet *p, const jj_tcp_options *o, const jj_allocator *a)
{
	jj_tcp_syn *y;

	if (s->syn != NULL)
		return true;
	y = s->syn = jj_alloc_zero(a, sizeof(*y));
	if (y == NULL)
		return false;
	y->seq = p->seq;
	y->ack = p->ack;
	y->ip_id = p->ip_id;
	y->flow_label = p->flow_label;
	y->flags = p->tcp_flags;
	y->window = p->window;
	y->urgent = p->urgent;
	y->ip_header_len = p->ip_header_len;
	y->ip_version = p->ip_version;
	y->ip_flags = p->ip_flags;
	y->ttl = p->ttl;
	y->tos = p->tos;
	y->payload = p->payload_len > 0;
	y->n_raw = p->options_len < JJ_MAX_TCP_OPTIONS ? p->options_len : JJ_MAX_TCP_OPTIONS;
	memcpy(y->raw, p->options, y->n_raw);
	y->options = *o;
	return true;
}

static bool
follow_handshake(jj_tcp_analysis *t, jj_tcp_side *s, const jj_packet *p, const jj_tcp_options *o, const jj_allocator *a)
{
	uint16_t	fl = p->tcp_flags;

	if (fl & RST)
	{
		if ((fl & ACK) && t->has_syn_t && !t->has_irtt && p->t > t->syn_t)
		{
			t->has_irtt = true;
			t->irtt = p->t - t->syn_t;
		}
		return true;
	}
	if ((fl & (SYN | ACK)) == SYN)
	{
		t->syns++;
		t->has_syn_t = true;
		t->syn_t = p->t;
		t->syn_dir = p->dir;
		t->ecn_syn = (fl & (JJ_TCP_ECE | JJ_TCP_CWR)) == (JJ_TCP_ECE | JJ_TCP_CWR);
		return p->dir != 0 || keep_syn(s, p, o, a);
	}
	if (fl & SYN)
	{
		t->synacks++;
		t->synack_t = p->t;
		if (t->syns == 1 && t->synacks == 1 && t->syn_dir != p->dir)
		{
			t->has_server = true;
			t->handshake_server = p->t - t->syn_t;
		}
		if (!t->has_ecn && t->syns > 0)
		{
			t->has_ecn = true;
			t->ecn = t->ecn_syn && (fl & (JJ_TCP_ECE | JJ_TCP_CWR)) == JJ_TCP_ECE;
		}
		return p->dir != 1 || keep_syn(s, p, o, a);
	}
	if (!(fl & ACK) || !t->has_syn_t)
		return true;
	if (!t->has_irtt && p->t > t->syn_t)
	{
		t->has_irtt = true;
		t->irtt = p->t - t->syn_t;
	}
	if (!t->complete)
	{
		t->complete = true;
		if (p->dir == t->syn_dir)
		{
			t->has_handshake = true;
			t->handshake = p->t - t->syn_t;
			if (t->synacks == 1)
			{
				t->has_client = true;
				t->handshake_client = p->t - t->synack_t;
			}
		}
	}
	return true;
}

static bool
analyse_segment(jj_tcp_analysis *t, const jj_packet *p, const jj_allocator *a)
{
	jj_tcp_side *s = &t->side[p->dir];
	jj_tcp_side *r = &t->side[1 - p->dir];
	uint16_t	fl = p->tcp_flags;
	jj_tcp_options o;
	unsigned	m;

	s->packets++;
	jj_tcp_options_parse(&o, p->options, p->options_len, (size_t) p->tcp_header_len - 20);
	if (!(fl & RST))
	{
		if (!s->has_base)
		{
			s->has_base = true;
			s->base = fl & SYN ? p->seq : p->seq - 1;
		}
		else if ((fl & SYN) && p->seq != s->base && !((fl & ACK) && t->open))
		{
			restart(s, r, p->seq);
			t->open = false;
		}
		else if ((fl & (SYN | ACK)) == ACK)
			t->open = true;
	}
	m = classify(t, s, r, p);
	if ((fl & SYN) && !(fl & RST) && !s->has_isn)
	{
		s->has_isn = true;
		s->isn = p->seq;
		s->bytes.has_floor = true;
		s->bytes.floor = p->seq + 1;
	}
	if (p->payload_len > 0 && !(fl & RST) && !(m & MARK_KEEP_ALIVE)
		&& !jj_tcp_bytes_add(&s->bytes, p->seq + (fl & SYN ? 1 : 0), p->payload_len, a))
		return false;
	if (!follow_acks(t, s, r, p, m, a) || !follow_timestamps(t, s, r, p, &o, m, a))
		return false;
	advance(s, p, m);
	follow_window(s, p);
	follow_options(t, s, p, &o);
	if (!follow_handshake(t, s, p, &o, a))
		return false;
	s->has_fragment = p->fragment && !(fl & RST);
	if (s->has_fragment)
	{
		s->fragment_id = p->ip_id;
		s->fragment_start = p->seq + (fl & SYN ? 1 : 0) - p->tcp_header_len;
		s->fragment_seq = p->seq;
	}
	return true;
}

/* A later fragment of the segment just seen lengthens that segment. */
static bool
lengthen_segment(jj_tcp_side *s, const jj_packet *p, const jj_allocator *a)
{
	uint32_t	start;
	uint32_t	end;

	if (!s->has_fragment || s->fragment_id != p->ip_id)
		return true;
	start = s->fragment_start + p->frag_offset;
	end = start + p->payload_len;
	if (p->payload_len > 0 && !jj_tcp_bytes_add(&s->bytes, start, p->payload_len, a))
		return false;
	if (jj_seq_diff(end, s->next) > 0)
	{
		s->next = end;
		s->next_t = p->t;
	}
	if (s->n_unacked > 0 && s->unacked[s->n_unacked - 1].start == s->fragment_seq)
	{
		s->unacked[s->n_unacked - 1].end = end;
		s->unacked[s->n_unacked - 1].t = p->t;
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
		return analyse_segment(*analysis, p, &w->allocator);
	}
	if (*analysis != NULL && p->frag_offset != 0)
		return lengthen_segment(&(*analysis)->side[p->dir], p, &w->allocator);
	return true;
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
		jj_release(a, t->side[d].unacked);
		jj_release(a, t->side[d].tsval);
		jj_release(a, t->side[d].syn);
	}
	jj_release(a, t);
}

const jj_extractor jj_analyse_tcp = {
	.group = JJ_GROUPS,
	.state_size = sizeof(jj_tcp_analysis *),
	.fetch_size = offsetof(jj_tcp_analysis, ts_rtt),
	.update = update,
	.free_state = free_state,
};
