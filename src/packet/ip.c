/*
 * IPv4 and IPv6 headers and the transport header behind them.
 *
 * Sources: RFC 791, 8200, 7045 (extension headers), 2675 (jumbograms), 4302
 * (AH), 9293 (TCP), 768, 3828 (UDP-Lite), 9260 (SCTP), 4340 (DCCP), 792, 4443.
 */
#include "packet/decode_internal.h"

/* One IP header, kept apart from the packet until it is known to be the innermost. */
typedef struct ip_header
{
	size_t		offset;
	const uint8_t *src;
	const uint8_t *dst;
	size_t		ip_len;
	uint32_t	ip_id;
	uint32_t	frag_offset;
	uint32_t	flow_label;
	uint8_t		version;
	uint8_t		tos;
	uint8_t		ttl;
	uint8_t		ip_flags;
	uint8_t		frag_proto;
	uint8_t		n_ext_headers;
	uint8_t		ext_headers[JJ_MAX_EXT_HEADERS];
	bool		more_fragments;
	bool		truncated;
} ip_header;

static void
add_extension(ip_header *h, uint8_t number)
{
	if (h->n_ext_headers < JJ_MAX_EXT_HEADERS)
		h->ext_headers[h->n_ext_headers++] = number;
}

jj_label
jj_protocol_label(uint8_t proto)
{
	switch (proto)
	{
		case JJ_PROTO_ICMP:
			return JJ_L_ICMP;
		case 2:
			return JJ_L_IGMP;
		case JJ_PROTO_TCP:
			return JJ_L_TCP;
		case JJ_PROTO_UDP:
			return JJ_L_UDP;
		case JJ_PROTO_DCCP:
			return JJ_L_DCCP;
		case 47:
			return JJ_L_GRE;
		case 50:
			return JJ_L_ESP;
		case JJ_PROTO_ICMPV6:
			return JJ_L_ICMP6;
		case 59:
			return JJ_L_NONE;
		case 89:
			return JJ_L_OSPF;
		case JJ_PROTO_SCTP:
			return JJ_L_SCTP;
		case JJ_PROTO_UDPLITE:
			return JJ_L_UDPLITE;
		default:
			return JJ_L_PROTO;
	}
}

bool
jj_icmp_has_id(uint8_t proto, int type)
{
	if (proto == JJ_PROTO_ICMPV6)
		return type == 128 || type == 129;
	return type == 0 || type == 8 || (type >= 13 && type <= 18) || type == 37 || type == 38;
}

/*
 * The TCP header at o, of which have bytes are captured and size are there.
 * Sets *skip to the bytes in front of the payload and returns its length. A
 * header with an impossible data offset gives no TCP fields and no payload; a
 * cut one counts as 20 bytes.
 */
static size_t
decode_tcp(jj_packet *p, const uint8_t *b, size_t have, size_t size, bool more_fragments, size_t *skip)
{
	size_t		header;
	uint16_t	word;

	if (have < 20)
	{
		*skip = 20;
		return size > 20 ? size - 20 : 0;
	}
	word = rd16(b + 12);
	header = (size_t) (word >> 12) * 4;
	*skip = 0;
	if (header < 20 || (header > size && !more_fragments))
		return 0;
	p->has_tcp = true;
	p->seq = rd32(b + 4);
	p->ack = rd32(b + 8);
	p->tcp_flags = word & 0x1ff;
	p->window = rd16(b + 14);
	p->urgent = rd16(b + 18);
	p->tcp_header_len = (uint8_t) header;
	p->options = b + 20;
	p->options_len = (uint8_t) (min_size(header, have) - 20);
	*skip = header;
	return size > header ? size - header : 0;
}

/* Fill the packet's transport fields; b has the bytes above IP, of which have are captured and size are there. */
static void
decode_transport(jj_packet *p, const uint8_t *b, size_t have, size_t size, bool more_fragments)
{
	size_t		skip = 0;
	size_t		payload = size;

	p->sport = p->dport = -1;
	p->icmp_id = p->icmp_seq = -1;
	p->icmp_type = p->icmp_code = -1;
	p->has_tcp = false;
	p->tcp_flags = 0;
	p->options_len = 0;
	if (p->frag_offset == 0)
	{
		switch (p->proto)
		{
			case JJ_PROTO_TCP:
				payload = decode_tcp(p, b, have, size, more_fragments, &skip);
				break;
			case JJ_PROTO_UDP:
				{
					size_t		length = have >= 6 ? rd16(b + 4) : 0;

					skip = 8;
					if (length != 0 && length < size)
						size = length;
					payload = size > 8 ? size - 8 : 0;
					break;
				}
			case JJ_PROTO_UDPLITE:
				skip = 8;
				payload = size > 8 ? size - 8 : 0;
				break;
			case JJ_PROTO_SCTP:
				skip = 12;
				payload = size > 12 ? size - 12 : 0;
				break;
			case JJ_PROTO_DCCP:
				skip = have >= 5 && b[4] > 3 ? (size_t) b[4] * 4 : 12;
				payload = size > skip ? size - skip : 0;
				break;
			case JJ_PROTO_ICMP:
			case JJ_PROTO_ICMPV6:
				if (have >= 4)
				{
					p->icmp_type = b[0];
					p->icmp_code = b[1];
					if (have >= 8 && jj_icmp_has_id(p->proto, b[0]))
					{
						p->icmp_id = rd16(b + 4);
						p->icmp_seq = rd16(b + 6);
					}
				}
				skip = 8;
				payload = size > 8 ? size - 8 : 0;
				break;
			default:
				break;
		}
		if (have >= 4 && (p->proto == JJ_PROTO_TCP || p->proto == JJ_PROTO_UDP || p->proto == JJ_PROTO_SCTP
						  || p->proto == JJ_PROTO_DCCP || p->proto == JJ_PROTO_UDPLITE))
		{
			p->sport = rd16(b);
			p->dport = rd16(b + 2);
		}
	}
	p->payload_len = (uint32_t) payload;
	skip = min_size(skip, have);
	p->payload = b + skip;
	p->payload_caplen = (uint32_t) min_size(have - skip, payload);
}

/*
 * Above an IP header: one more tunnel down, or this is the packet. o is the
 * first byte above IP, end and wend are limited to the IP packet.
 */
static jj_skip
decode_upper(jj_decoder *s, const ip_header *h, uint8_t proto, size_t o, size_t end, size_t wend, int depth)
{
	jj_packet  *p = s->p;
	bool		fragment = h->more_fragments || h->frag_offset != 0;

	if (s->inner && depth < JJ_MAX_TUNNELS && !fragment && (proto == 4 || proto == 41 || proto == 47 || proto == 17))
	{
		jj_mark		mark = set_mark(s);

		if (jj_decode_tunnel(s, h->version, proto, o, end, wend, depth + 1) == JJ_SKIP_NONE)
			return JJ_SKIP_NONE;
		return_to(s, mark);
	}
	push_label(s, jj_protocol_label(proto));
	copy_address(p->src, h->src, h->version);
	copy_address(p->dst, h->dst, h->version);
	p->ip_version = h->version;
	p->ip_len = (uint32_t) h->ip_len;
	p->ip_header_len = (uint16_t) min_size(o - h->offset, UINT16_MAX);
	p->ip_id = h->ip_id;
	p->ip_flags = h->ip_flags;
	p->frag_offset = h->frag_offset;
	p->frag_proto = h->frag_proto;
	p->fragment = fragment;
	p->flow_label = h->flow_label;
	p->tos = h->tos;
	p->ttl = h->ttl;
	p->truncated = h->truncated;
	p->proto = proto;
	p->n_ext_headers = h->n_ext_headers;
	memcpy(p->ext_headers, h->ext_headers, h->n_ext_headers);
	decode_transport(p, s->d + o, end > o ? end - o : 0, wend > o ? wend - o : 0, h->more_fragments);
	return JJ_SKIP_NONE;
}

static void
note_outermost(jj_decoder *s, const ip_header *h, int depth)
{
	if (depth == 0 && s->inner)
	{
		copy_address(s->p->outer_src, h->src, h->version);
		copy_address(s->p->outer_dst, h->dst, h->version);
		s->p->outer_version = h->version;
	}
}

jj_skip
jj_decode_ipv4(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *b;
	size_t		header,
				q,
				iend,
				iwend;
	uint16_t	flags;
	uint8_t		proto;
	ip_header	h;

	if (!next_layer(s))
		return JJ_SKIP_MALFORMED;
	if (o + 1 > end)
		return JJ_SKIP_TRUNCATED;
	b = s->d + o;
	header = (size_t) (b[0] & 15) * 4;
	if (b[0] >> 4 != 4 || header < 20)
		return JJ_SKIP_MALFORMED;
	if (o + header > end)
		return JJ_SKIP_TRUNCATED;
	h.offset = o;
	h.version = 4;
	h.n_ext_headers = 0;
	h.flow_label = 0;
	h.tos = b[1];
	h.ip_len = rd16(b + 2);
	h.ip_id = rd16(b + 4);
	flags = rd16(b + 6);
	h.ip_flags = (uint8_t) (flags >> 13);
	h.more_fragments = flags & 0x2000;
	h.frag_offset = (uint32_t) (flags & 0x1fff) * 8;
	h.ttl = b[8];
	h.frag_proto = proto = b[9];
	h.src = b + 12;
	h.dst = b + 16;
	if (h.ip_len == 0)			/* segmentation offload */
		h.ip_len = wend > o + header ? wend - o : header;
	if (h.ip_len < header || h.ip_len > JJ_MAX_IP_LENGTH)
		return JJ_SKIP_MALFORMED;
	iwend = o + h.ip_len;
	iend = min_size(end, iwend);
	h.truncated = iend < iwend;
	note_outermost(s, &h, depth);
	push_label(s, JJ_L_IP);
	q = o + header;
	while (proto == 51 && h.frag_offset == 0)
	{
		size_t		length;

		if (q + 12 > iend)
			break;
		length = ((size_t) s->d[q + 1] + 2) * 4;
		if (q + length > iend)
			break;
		add_extension(&h, 51);
		push_label(s, JJ_L_AH);
		proto = s->d[q];
		q += length;
	}
	return decode_upper(s, &h, proto, q, iend, iwend, depth);
}

/* IP length of a jumbogram from its hop-by-hop header, 0 if there is none (RFC 2675). */
static size_t
jumbo_length(const uint8_t *d, uint8_t next, size_t o, size_t end)
{
	size_t		q = o + 40;
	size_t		stop;

	if (next != 0 || q + 8 > end)
		return 0;
	stop = min_size(end, q + ((size_t) d[q + 1] + 1) * 8);
	q += 2;
	while (q < stop)
	{
		if (d[q] == 0)			/* Pad1 */
		{
			q++;
			continue;
		}
		if (q + 2 > stop)
			return 0;
		if (d[q] == 0xc2 && d[q + 1] == 4 && q + 6 <= stop)
			return 40 + (size_t) rd32(d + q + 2);
		q += 2 + d[q + 1];
	}
	return 0;
}

static bool
extension_label(uint8_t next, jj_label *label)
{
	switch (next)
	{
		case 0:
			*label = JJ_L_HBH;
			return true;
		case 43:
			*label = JJ_L_ROUTE;
			return true;
		case 44:
			*label = JJ_L_FRAG;
			return true;
		case 51:
			*label = JJ_L_AH;
			return true;
		case 60:
			*label = JJ_L_DST;
			return true;
		case 135:
			*label = JJ_L_MOBILITY;
			return true;
		case 139:
			*label = JJ_L_HIP;
			return true;
		case 140:
			*label = JJ_L_SHIM6;
			return true;
		default:
			return false;
	}
}

jj_skip
jj_decode_ipv6(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *d = s->d;
	const uint8_t *b;
	size_t		length,
				q,
				iend,
				iwend;
	uint32_t	word;
	uint8_t		next;
	jj_label	label;
	ip_header	h;

	if (!next_layer(s))
		return JJ_SKIP_MALFORMED;
	if (o + 1 > end)
		return JJ_SKIP_TRUNCATED;
	b = d + o;
	if (b[0] >> 4 != 6)
		return JJ_SKIP_MALFORMED;
	if (o + 40 > end)
		return JJ_SKIP_TRUNCATED;
	h.offset = o;
	h.version = 6;
	h.n_ext_headers = 0;
	word = rd32(b);
	h.tos = (uint8_t) (word >> 20);
	h.flow_label = word & 0xfffff;
	h.ip_flags = 0;
	h.ip_id = 0;
	h.frag_offset = 0;
	h.frag_proto = 0;
	h.more_fragments = false;
	length = rd16(b + 4);
	next = b[6];
	h.ttl = b[7];
	h.src = b + 8;
	h.dst = b + 24;
	if (length != 0)
		h.ip_len = length + 40;
	else
	{
		h.ip_len = jumbo_length(d, next, o, end);
		if (h.ip_len == 0)
			h.ip_len = next != 59 && wend > o + 40 ? wend - o : 40;
	}
	if (h.ip_len > JJ_MAX_IP_LENGTH)
		return JJ_SKIP_MALFORMED;
	iwend = o + h.ip_len;
	iend = min_size(end, iwend);
	h.truncated = iend < iwend;
	note_outermost(s, &h, depth);
	push_label(s, JJ_L_IP6);
	q = o + 40;
	while (extension_label(next, &label))
	{
		if (q + 8 > iend)
			break;
		length = next == 44 ? 8 : next == 51 ? ((size_t) d[q + 1] + 2) * 4 : ((size_t) d[q + 1] + 1) * 8;
		if (q + length > iend)
			break;
		add_extension(&h, next);
		push_label(s, label);
		if (next == 44)
		{
			uint16_t	field = rd16(d + q + 2);

			h.frag_offset = field & 0xfff8;
			h.more_fragments = field & 1;
			h.ip_id = rd32(d + q + 4);
			h.frag_proto = d[q];
		}
		next = d[q];
		q += length;
		if (h.frag_offset != 0)
			break;
	}
	return decode_upper(s, &h, next, q, iend, iwend, depth);
}
