/*
 * The parser of group fingerprint: the rules of fp.h put to a flow's packets
 * and streams, each only as long as it can learn something.
 */
#include "extractors/fingerprint.h"

#include <string.h>

/* Bits of jj_fp_state.look. */
#define LOOK_WIREGUARD 1
#define LOOK_OPENVPN 2
#define LOOK_IKE 4				/* port 500 */
#define LOOK_NATT 8				/* port 4500: ESP */
#define LOOK_IKE_4500 16
#define LOOK_L2TP 32
#define LOOK_RTP 64

static inline uint32_t
rd32(const uint8_t *b)
{
	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static bool
has_port(const jj_packet *p, int32_t port)
{
	return p->sport == port || p->dport == port;
}

/* What to look for in a UDP flow, from its first datagram. */
static uint8_t
looks(const jj_packet *p)
{
	const uint8_t *b = p->payload;
	uint32_t	n = p->payload_caplen;
	uint8_t		look = LOOK_RTP;

	if (jj_fp_wireguard_may(b, n, p->payload_len))
		look |= LOOK_WIREGUARD;
	if (jj_fp_openvpn_may(false, b, n, p->payload_len))
		look |= LOOK_OPENVPN;
	if (has_port(p, 500))
		look |= LOOK_IKE;
	if (has_port(p, 4500))
		look |= LOOK_NATT | LOOK_IKE_4500;
	if (has_port(p, 1701))
		look |= LOOK_L2TP;
	return look;
}

/* The looks that few flows need. False without memory. */
static bool
look_further(jj_fp_state *s, const jj_packet *p, const jj_work *w)
{
	const uint8_t *b = p->payload;
	uint32_t	n = p->payload_caplen;
	uint32_t	wire = p->payload_len;

	if ((s->look & (LOOK_WIREGUARD | LOOK_OPENVPN | LOOK_NATT)) && s->vpn == NULL)
	{
		s->vpn = jj_alloc_zero(&w->allocator, sizeof(*s->vpn));
		if (s->vpn == NULL)
			return false;
	}
	if ((s->look & LOOK_WIREGUARD) && !jj_fp_wireguard_add(&s->vpn->wireguard, p->dir, b, n, wire, &s->evidence))
		s->look &= (uint8_t) ~LOOK_WIREGUARD;
	if ((s->look & LOOK_OPENVPN)
		&& !jj_fp_openvpn_add(&s->vpn->openvpn, p->proto == JJ_PROTO_TCP, p->dir, b, n, wire, &s->evidence))
		s->look &= (uint8_t) ~LOOK_OPENVPN;
	if ((s->look & LOOK_NATT) && !jj_fp_natt_add(&s->vpn->natt, p->dir, b, n, &s->evidence))
		s->look &= (uint8_t) ~LOOK_NATT;
	if ((s->look & (LOOK_IKE | LOOK_IKE_4500)) && jj_fp_is_ike(b, n, wire, !(s->look & LOOK_IKE)))
	{
		s->evidence |= JJ_EV(IKE);
		s->look &= (uint8_t) ~(LOOK_IKE | LOOK_IKE_4500);
	}
	if ((s->look & LOOK_L2TP) && jj_fp_is_l2tp(b, n, wire))
	{
		s->evidence |= JJ_EV(L2TP);
		s->look &= (uint8_t) ~LOOK_L2TP;
	}
	return true;
}

static jj_want
take_datagram(jj_fp_state *s, const jj_packet *p, const jj_work *w)
{
	const uint8_t *b = p->payload;
	uint32_t	n = p->payload_caplen;

	if (!(s->seen & 1 << p->dir))
	{
		if (s->seen == 0)
			s->look = looks(p);
		s->seen |= 1u << p->dir & 3;
		s->first[p->dir] = (uint8_t) jj_fp_first_datagram(b, n, p->payload_len, p->sport, p->dport);
	}
	if (n >= 8)
	{
		uint32_t	second = rd32(b + 4);

		if (second == 0x2112a442 && jj_fp_is_stun(b, n, p->payload_len))
			s->stun = true;
		else if (second >> 16 == 0x92ac && jj_fp_is_tailscale(b, n))
			s->evidence |= JJ_EV(TAILSCALE);
	}
	else if (n >= 6 && jj_fp_is_tailscale(b, n))
		s->evidence |= JJ_EV(TAILSCALE);
	if ((s->look & LOOK_RTP) && jj_fp_rtp_add(&s->u.rtp[p->dir], b, n))
	{
		s->rtp = true;
		s->look &= (uint8_t) ~LOOK_RTP;
	}
	if ((s->look & ~LOOK_RTP) != 0 && !look_further(s, p, w))
		return JJ_WANT_MEMORY;
	return JJ_WANT_MORE;
}

/* TCP by segments: OpenVPN. */
static jj_want
take_segment(jj_fp_state *s, const jj_packet *p, const jj_work *w)
{
	if (s->seen == 0)
		s->look = LOOK_OPENVPN;
	s->seen |= 1u << p->dir & 3;
	if (!look_further(s, p, w))
		return JJ_WANT_MEMORY;
	return s->look != 0 ? JJ_WANT_MORE : JJ_WANT_NONE;
}

/* Whether a packet is of use: of TCP only if the first with payload may be OpenVPN; most protocols are known by their number alone. */
static bool
packet_opens(const jj_packet *p, bool *done)
{
	bool		payload = p->payload_len > 0 && p->frag_offset == 0;

	if (p->proto == JJ_PROTO_UDP || p->proto == JJ_PROTO_GRE)
		return payload;
	if (p->proto == JJ_PROTO_TCP && !(payload && p->has_tcp))
		return false;
	*done = p->proto != JJ_PROTO_TCP || !jj_fp_openvpn_may(true, p->payload, p->payload_caplen, p->payload_len);
	return !*done;
}

static jj_want
packet(void *state, const jj_packet *p, jj_app *app, const jj_work *w)
{
	jj_fp_state *s = state;

	(void) app;
	s->tcp = p->proto == JJ_PROTO_TCP;
	if (p->payload_len == 0 || p->frag_offset != 0)
		return JJ_WANT_MORE;
	switch (p->proto)
	{
		case JJ_PROTO_UDP:
			return p->sport < 0 ? JJ_WANT_MORE : take_datagram(s, p, w);
		case JJ_PROTO_TCP:
			return p->has_tcp ? take_segment(s, p, w) : JJ_WANT_MORE;
		default:
			if (!jj_fp_is_gre_pptp(p->payload, p->payload_caplen))
				return JJ_WANT_MORE;
			s->evidence |= JJ_EV(GRE_PPTP);
			return JJ_WANT_NONE;
	}
}

static bool
wants_opaque(const jj_work *w)
{
	return jj_set_has(&w->options.features, JJ_F_fully_encrypted) || jj_set_has(&w->options.features, JJ_F_traffic_type);
}

static jj_want
stream(void *state, const jj_chunk *c, jj_app *app, const jj_work *w)
{
	jj_fp_state *s = state;
	jj_fp_head	first = {.n = 0};
	jj_fp_head *h = s->u.tcp.open != NULL ? &s->u.tcp.open[c->dir] : &first;
	bool		more;

	(void) app;
	s->tcp = true;
	if (c->offset == 0)
	{
		/* these rules are about the segment */
		const jj_packet *p = c->done;

		s->stun = s->stun || jj_fp_is_stun(p->payload, p->payload_caplen, p->payload_len);
		if (c->dir == 0 && p->payload_caplen == p->payload_len && wants_opaque(w))
			s->opaque = jj_fp_fully_encrypted(p->payload, p->payload_caplen) ? JJ_OPAQUE_YES : JJ_OPAQUE_NO;
	}
	if (!jj_fp_head_add(h, c->bytes, c->n, &more, &w->allocator))
		return JJ_WANT_MEMORY;
	if (!more)
	{
		s->u.tcp.found[c->dir] = h->found;
		return JJ_WANT_NONE;
	}
	if (s->u.tcp.open == NULL)
	{
		s->u.tcp.open = jj_alloc_zero(&w->allocator, 2 * sizeof(jj_fp_head));
		if (s->u.tcp.open == NULL)
		{
			jj_fp_head_free(&first, &w->allocator);
			return JJ_WANT_MEMORY;
		}
		s->u.tcp.open[c->dir] = first;
	}
	return JJ_WANT_MORE;
}

static void
release(void *state, const jj_allocator *a)
{
	jj_fp_state *s = state;

	jj_release(a, s->vpn);
	/* in the state of a UDP flow the same bytes are other things */
	if (!s->tcp || s->u.tcp.open == NULL)
		return;
	for (int d = 0; d < 2; d++)
		jj_fp_head_free(&s->u.tcp.open[d], a);
	jj_release(a, s->u.tcp.open);
}

const jj_parser jj_parser_fingerprint = {
	.state_size = sizeof(jj_fp_state),
	.packet_opens = packet_opens,
	.packet = packet,
	.stream = stream,
	.release = release,
};
