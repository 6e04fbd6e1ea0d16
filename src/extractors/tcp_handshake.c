/*
 * The analysis of TCP connections: options and the handshake.
 */
#include "extractors/tcp_segment.h"

#include <string.h>

/* ---- options */

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
			return JJ_TCP_BIT_TIMESTAMPS;
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
follow_mptcp(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_tcp_options *o)
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
			if (g->flags & SYN)
				g->rest->mp_capable = true;
		}
		else if (subtype == 1 && (g->flags & SYN))
			g->rest->mp_join = true;
		else if (subtype == 2)
			g->rest->mp_dss = true;
	}
}

/* Options other than timestamps. */
static void
follow_options(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_tcp_options *o)
{
	jj_tcp_rest *rest = g->rest;

	for (unsigned i = 0; i < o->n_options; i++)
		t->option_bits |= option_bit(o->kind[i]);
	if ((g->flags & (SYN | RST)) == SYN && !rest->has_syn)
	{
		rest->has_syn = true;
		rest->syn_ack = g->flags & ACK;
		rest->syn_cut = o->cut;
		rest->syn_has_mss = o->has_mss;
		rest->syn_mss = o->mss;
		rest->syn_has_ws = o->has_ws;
		rest->syn_ws = o->ws;
		rest->syn_sack = o->sack_permitted;
	}
	if (o->n_sack > 0)
		t->sack_blocks += o->n_sack;
	if (o->n_sack > 0
		&& (jj_seq_diff(o->sack[0][1], g->p->ack) <= 0
			|| (o->n_sack > 1 && jj_seq_diff(o->sack[0][0], o->sack[1][0]) >= 0 && jj_seq_diff(o->sack[0][1], o->sack[1][1]) <= 0)))
		t->dsacks++;
	if (o->n_mptcp > 0)
		follow_mptcp(t, g, o);
}

void
jj_tcp_take_options(jj_tcp_analysis *t, jj_tcp_segment *g)
{
	const jj_packet *p = g->p;
	jj_tcp_options o;

	jj_tcp_options_parse(&o, p->options, p->options_len, (size_t) p->tcp_header_len - 20);
	g->has_ts = o.has_ts;
	g->tsval = o.tsval;
	g->tsecr = o.tsecr;
	follow_options(t, g, &o);
}

/* ---- handshake */

static bool
keep_syn(const jj_tcp_segment *g, const jj_work *w)
{
	const jj_packet *p = g->p;
	jj_tcp_syn *y;
	uint8_t		n_raw;

	if (g->rest->syn != NULL || !jj_work_wants(w, JJ_G_tcp_fingerprint))
		return true;
	n_raw = p->options_len < JJ_MAX_TCP_OPTIONS ? p->options_len : JJ_MAX_TCP_OPTIONS;
	y = g->rest->syn = jj_alloc(&w->allocator, offsetof(jj_tcp_syn, raw) + n_raw);
	if (y == NULL)
		return false;
	y->flags = p->tcp_flags;
	y->window = p->window;
	y->ip_header_len = p->ip_header_len;
	y->ip_version = p->ip_version;
	y->ip_flags = p->ip_flags;
	y->ttl = p->ttl;
	y->tos = p->tos;
	y->size = (uint8_t) (p->tcp_header_len - 20);
	y->n_raw = n_raw;
	y->payload = p->payload_len > 0;
	y->seq = p->seq != 0;
	y->ack = p->ack != 0;
	y->ip_id = p->ip_id != 0;
	y->flow_label = p->flow_label != 0;
	y->urgent = p->urgent != 0;
	memcpy(y->raw, p->options, y->n_raw);
	return true;
}

/* The reordering window: from the SYN to the first answer that is one. */
static void
measure_irtt(jj_tcp_analysis *t, const jj_packet *p)
{
	if (t->has_syn_t && !t->has_irtt && p->t > t->syn_t)
	{
		t->has_irtt = true;
		t->irtt = p->t - t->syn_t;
	}
}

static bool
follow_syn(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_work *w)
{
	const jj_packet *p = g->p;
	uint16_t	ecn = g->flags & (JJ_TCP_ECE | JJ_TCP_CWR);

	if (!(g->flags & ACK))
	{
		t->syns++;
		t->has_syn_t = true;
		t->syn_t = p->t;
		t->syn_dir = p->dir;
		t->ecn_syn = ecn == (JJ_TCP_ECE | JJ_TCP_CWR);
		return p->dir != 0 || keep_syn(g, w);
	}
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
		t->ecn = t->ecn_syn && ecn == JJ_TCP_ECE;
	}
	return p->dir != 1 || keep_syn(g, w);
}

/* The first ACK behind the SYNs. */
static void
complete_handshake(jj_tcp_analysis *t, const jj_packet *p)
{
	t->complete = true;
	if (p->dir != t->syn_dir)
		return;
	t->has_handshake = true;
	t->handshake = p->t - t->syn_t;
	if (t->synacks == 1)
	{
		t->has_client = true;
		t->handshake_client = p->t - t->synack_t;
	}
}

bool
jj_tcp_follow_handshake(jj_tcp_analysis *t, const jj_tcp_segment *g, const jj_work *w)
{
	if ((g->flags & (SYN | RST)) == SYN)
		return follow_syn(t, g, w);
	if (!(g->flags & ACK) || !t->has_syn_t)
		return true;
	if (!t->has_irtt)
		measure_irtt(t, g->p);
	if (!t->complete && !(g->flags & RST))
		complete_handshake(t, g->p);
	return true;
}
