/*
 * The decoder's entrance, and a short way for what most frames are: Ethernet
 * with IPv4 or IPv6 without tags, options, extension headers or fragments, and
 * a whole TCP or UDP header in it. Everything else goes the long way (link.c),
 * which gives the same for these, too.
 */
#include "packet/decode_internal.h"

#define ETHERNET_BYTES 14
#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define TRANSPORT_BYTES 20		/* captured behind IP, at least; so UDP with less payload goes the long way */

/*
 * The TCP header at b with all of its 20 bytes and size bytes of IP payload,
 * of which have are captured; false if it needs the long way.
 */
static inline bool
plain_tcp(jj_packet *p, const uint8_t *b, size_t have, size_t size)
{
	uint16_t	word = rd16(b + 12);
	size_t		header = (size_t) (word >> 12) * 4;
	size_t		skip = min_size(header, have);

	if (header < 20 || header > size)
		return false;
	p->has_tcp = true;
	p->seq = rd32(b + 4);
	p->ack = rd32(b + 8);
	p->tcp_flags = word & 0x1ff;
	p->window = rd16(b + 14);
	p->urgent = rd16(b + 18);
	p->tcp_header_len = (uint8_t) header;
	p->options = b + 20;
	p->options_len = (uint8_t) (skip - 20);
	p->payload_len = (uint32_t) (size - header);
	p->payload = b + skip;
	p->payload_caplen = (uint32_t) min_size(have - skip, size - header);
	return true;
}

static inline bool
plain_udp(jj_packet *p, const uint8_t *b, size_t have, size_t size, bool inner)
{
	uint16_t	length = rd16(b + 4);

	if (inner && jj_udp_tunnel_ports(rd16(b), rd16(b + 2)))
		return false;
	if (length != 0 && length < size)
		size = length;
	if (size < 8)
		return false;
	p->has_tcp = false;
	p->tcp_flags = 0;
	p->options_len = 0;
	p->payload_len = (uint32_t) (size - 8);
	p->payload = b + 8;
	p->payload_caplen = (uint32_t) min_size(have - 8, size - 8);
	return true;
}

/* Decode a frame that the short way is for; false if it isn't, and then what is in *p has no meaning. */
static inline bool
decode_plain(const jj_frame *frame, bool inner, jj_packet *p)
{
	const uint8_t *d = frame->data;
	const uint8_t *ip = d + ETHERNET_BYTES;
	size_t		end = frame->caplen;
	size_t		header;
	size_t		stop;
	uint16_t	type;

	if (frame->link != LINK_ETHERNET || end < ETHERNET_BYTES + IPV4_BYTES + TRANSPORT_BYTES)
		return false;
	type = rd16(d + 12);
	if (type == ETHERTYPE_IPV4)
	{
		header = IPV4_BYTES;
		/* no options, not a fragment */
		if (ip[0] != 0x45 || (ip[6] & 0x3f) != 0 || ip[7] != 0)
			return false;
		p->ip_version = 4;
		p->proto = p->frag_proto = ip[9];
		p->tos = ip[1];
		p->ttl = ip[8];
		p->ip_len = rd16(ip + 2);
		p->ip_id = rd16(ip + 4);
		p->ip_flags = ip[6] >> 5;
		p->flow_label = 0;
		copy_address(p->src, ip + 12, 4);
		copy_address(p->dst, ip + 16, 4);
	}
	else if (type == ETHERTYPE_IPV6)
	{
		uint32_t	word = rd32(ip);

		header = IPV6_BYTES;
		if (end < ETHERNET_BYTES + IPV6_BYTES + TRANSPORT_BYTES || word >> 28 != 6 || rd16(ip + 4) == 0)
			return false;
		p->ip_version = 6;
		p->proto = ip[6];
		p->frag_proto = 0;
		p->tos = (uint8_t) (word >> 20);
		p->ttl = ip[7];
		p->ip_len = IPV6_BYTES + (uint32_t) rd16(ip + 4);
		p->ip_id = 0;
		p->ip_flags = 0;
		p->flow_label = word & 0xfffff;
		copy_address(p->src, ip + 8, 6);
		copy_address(p->dst, ip + 24, 6);
	}
	else
		return false;
	if (p->ip_len < header)
		return false;
	stop = ETHERNET_BYTES + (size_t) p->ip_len;
	p->truncated = end < stop;
	end = min_size(end, stop);
	if (end < ETHERNET_BYTES + header + TRANSPORT_BYTES)
		return false;
	ip += header;
	if (p->proto == JJ_PROTO_TCP)
	{
		if (!plain_tcp(p, ip, end - ETHERNET_BYTES - header, p->ip_len - header))
			return false;
		p->labels[2] = JJ_L_TCP;
	}
	else if (p->proto == JJ_PROTO_UDP)
	{
		if (!plain_udp(p, ip, end - ETHERNET_BYTES - header, p->ip_len - header, inner))
			return false;
		p->labels[2] = JJ_L_UDP;
	}
	else
		return false;
	p->ts = frame->ts;
	p->index = frame->index;
	p->sport = rd16(ip);
	p->dport = rd16(ip + 2);
	p->fragment = false;
	p->frag_offset = 0;
	p->ip_header_len = (uint16_t) header;
	p->icmp_id = p->icmp_seq = -1;
	p->icmp_type = p->icmp_code = -1;
	p->n_vlans = p->n_tunnels = p->n_ext_headers = 0;
	p->n_labels = 3;
	p->labels[0] = JJ_L_ETH;
	p->labels[1] = header == IPV4_BYTES ? JJ_L_IP : JJ_L_IP6;
	p->has_src_mac = p->has_dst_mac = true;
	memcpy(p->dst_mac, d, 6);
	memcpy(p->src_mac, d + 6, 6);
	p->eth_type = type;
	return true;
}

jj_skip
jj_decode(const jj_frame *frame, bool inner, jj_packet *p)
{
	return JJ_LIKELY(decode_plain(frame, inner, p)) ? JJ_SKIP_NONE : jj_decode_any(frame, inner, p);
}
