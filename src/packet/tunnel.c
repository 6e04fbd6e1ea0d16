/*
 * Tunnels: IP in IP, GRE (with Ethernet, PPTP and ERSPAN), VXLAN, Geneve,
 * GTP-U and Teredo.
 *
 * Sources: RFC 2003, 4213, 2473, 2784, 2890, 2637 (PPTP), 7348, 8926, 4380;
 * 3GPP TS 29.281; draft-foschiano-erspan.
 */
#include "packet/decode_internal.h"

#define GRE_ETHERNET 0x6558
#define GRE_ERSPAN_II 0x88be
#define GRE_ERSPAN_III 0x22eb

static void
push_tunnel(jj_decoder *s, jj_tunnel_type type, bool has_id, uint32_t id, bool keyed)
{
	jj_tunnel  *t = &s->p->tunnels[s->p->n_tunnels++];

	t->type = (uint8_t) type;
	t->has_id = has_id;
	t->keyed = keyed;
	t->id = has_id ? id : 0;
}

static jj_skip
decode_gre(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *d = s->d;
	uint16_t	flags,
				type;
	unsigned	version;
	uint32_t	key = 0;
	bool		has_key = false;
	size_t		q = o + 4;

	if (o + 4 > end)
		return JJ_SKIP_TRUNCATED;
	flags = rd16(d + o);
	type = rd16(d + o + 2);
	version = flags & 7;
	if (version > 1 || (flags & 0x4000))	/* source routing is not followed */
		return JJ_SKIP_NON_IP;
	if (flags & 0x8000)			/* checksum */
		q += 4;
	if (flags & 0x2000)
	{
		if (q + 4 > end)
			return JJ_SKIP_TRUNCATED;
		key = rd32(d + q);
		has_key = version == 0; /* PPTP: a length and the call id of one direction */
		q += 4;
	}
	if (flags & 0x1000)			/* sequence number */
		q += 4;
	if (version == 1 && (flags & 0x80)) /* PPTP: acknowledgement number */
		q += 4;
	push_label(s, JJ_L_GRE);
	if (type == GRE_ERSPAN_II || type == GRE_ERSPAN_III)
	{
		size_t		header;

		if (type == GRE_ERSPAN_II)
			header = flags & 0x1000 ? 8 : 0;	/* type I has no header of its own */
		else
		{
			if (q + 12 > end)
				return JJ_SKIP_TRUNCATED;
			header = d[q + 11] & 1 ? 20 : 12;
		}
		if (q + header + 14 > end)
			return JJ_SKIP_TRUNCATED;
		push_tunnel(s, JJ_T_ERSPAN, header != 0, header != 0 ? rd16(d + q + 2) & 0x3ff : 0, true);
		push_label(s, JJ_L_ERSPAN);
		return jj_decode_ethernet(s, q + header, end, wend, depth, false);
	}
	push_tunnel(s, JJ_T_GRE, has_key, key, true);
	if (type == GRE_ETHERNET)
		return jj_decode_ethernet(s, q, end, wend, depth, false);
	return jj_decode_ethertype(s, type, q, end, wend, depth, false);
}

static jj_skip
decode_geneve(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *b;
	size_t		header;
	uint16_t	type;

	if (o + 8 > end || s->d[o] >> 6)
		return JJ_SKIP_NON_IP;
	b = s->d + o;
	type = rd16(b + 2);
	header = 8 + (size_t) (b[0] & 63) * 4;
	if (o + header > end)
		return JJ_SKIP_TRUNCATED;
	push_tunnel(s, JJ_T_GENEVE, true, rd32(b + 4) >> 8, true);
	push_label(s, JJ_L_GENEVE);
	if (type == GRE_ETHERNET)
		return jj_decode_ethernet(s, o + header, end, wend, depth, false);
	return jj_decode_ethertype(s, type, o + header, end, wend, depth, false);
}

static jj_skip
decode_gtpu(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *d = s->d;
	size_t		q = o + 8,
				stop;

	/* version 1, GTP (not GTP'), message type G-PDU */
	if (o + 8 > end || d[o] >> 5 != 1 || !(d[o] & 0x10) || d[o + 1] != 255)
		return JJ_SKIP_NON_IP;
	stop = o + 8 + rd16(d + o + 2);
	end = min_size(end, stop);
	wend = min_size(wend, stop);
	if (d[o] & 7)
	{
		uint8_t		next;

		if (q + 4 > end)
			return JJ_SKIP_TRUNCATED;
		next = d[o] & 4 ? d[q + 3] : 0;
		q += 4;
		while (next != 0)		/* extension headers */
		{
			if (q >= end || d[q] == 0 || q + (size_t) d[q] * 4 > end)
				return JJ_SKIP_TRUNCATED;
			q += (size_t) d[q] * 4;
			next = d[q - 1];
		}
	}
	/* each direction has its own TEID */
	push_tunnel(s, JJ_T_GTPU, true, rd32(d + o + 4), false);
	push_label(s, JJ_L_GTPU);
	return jj_decode_raw_ip(s, q, end, wend, depth);
}

static jj_skip
decode_teredo(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *d = s->d;

	if (o + 13 <= end && d[o] == 0 && d[o + 1] == 1)	/* authentication */
		o += (size_t) 13 + d[o + 2] + d[o + 3];
	if (o + 8 <= end && d[o] == 0 && d[o + 1] == 0) /* origin indication */
		o += 8;
	if (o + 40 > end || d[o] >> 4 != 6 || o + rd16(d + o + 4) + 40 > wend)
		return JJ_SKIP_NON_IP;
	push_tunnel(s, JJ_T_TEREDO, false, 0, true);
	push_label(s, JJ_L_TEREDO);
	return jj_decode_ipv6(s, o, end, wend, depth);
}

static jj_skip
decode_udp_tunnel(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *d = s->d;
	uint16_t	sport,
				dport,
				length;

	if (o + 8 > end)
		return JJ_SKIP_NON_IP;
	sport = rd16(d + o);
	dport = rd16(d + o + 2);
	if (!jj_udp_tunnel_ports(sport, dport))
		return JJ_SKIP_NON_IP;
	length = rd16(d + o + 4);
	if (length >= 8)
	{
		end = min_size(end, o + length);
		wend = min_size(wend, o + length);
	}
	o += 8;
	push_label(s, JJ_L_UDP);
	if (dport == PORT_VXLAN)
	{
		if (o + 8 > end || !(d[o] & 8))
			return JJ_SKIP_NON_IP;
		push_tunnel(s, JJ_T_VXLAN, true, rd32(d + o + 4) >> 8, true);
		push_label(s, JJ_L_VXLAN);
		return jj_decode_ethernet(s, o + 8, end, wend, depth, false);
	}
	if (dport == PORT_GENEVE)
		return decode_geneve(s, o, end, wend, depth);
	if (sport == PORT_GTPU || dport == PORT_GTPU)
		return decode_gtpu(s, o, end, wend, depth);
	return decode_teredo(s, o, end, wend, depth);
}

jj_skip
jj_decode_tunnel(jj_decoder *s, int ip_version, uint8_t proto, size_t o, size_t end, size_t wend, int depth)
{
	switch (proto)
	{
		case 4:
			push_tunnel(s, ip_version == 4 ? JJ_T_4IN4 : JJ_T_4IN6, false, 0, true);
			return jj_decode_ipv4(s, o, end, wend, depth);
		case 41:
			push_tunnel(s, ip_version == 4 ? JJ_T_6IN4 : JJ_T_6IN6, false, 0, true);
			return jj_decode_ipv6(s, o, end, wend, depth);
		case 47:
			return decode_gre(s, o, end, wend, depth);
		case JJ_PROTO_UDP:
			return decode_udp_tunnel(s, o, end, wend, depth);
		default:
			return JJ_SKIP_NON_IP;
	}
}
