/*
 * libFuzzer target for the decoder.
 *
 * Input: one byte that chooses the link type (low 7 bits) and whether tunnels
 * are taken off (high bit), two bytes that say by how much the frame was
 * longer on the wire (little endian), then the captured bytes. The short way
 * through the decoder must give the same as the long one.
 */
#include "packet/decode_internal.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

static bool
inside(const jj_frame *f, const uint8_t *p, size_t size)
{
	return p >= f->data && p <= f->data + f->caplen && size <= (size_t) (f->data + f->caplen - p);
}

static void
check_packet(const jj_frame *f, const jj_packet *p, bool inner)
{
	unsigned	header = p->ip_version == 4 ? 20 : 40;

	CHECK(p->ts == f->ts && p->index == f->index);
	CHECK(p->ip_version == 4 || p->ip_version == 6);
	CHECK(p->ip_len >= header);
	CHECK(p->payload_len <= p->ip_len - header);
	CHECK(p->payload_caplen <= p->payload_len);
	CHECK(p->payload_caplen == p->payload_len || p->truncated);
	CHECK(inside(f, p->payload, p->payload_caplen));
	CHECK(p->sport >= -1 && p->sport <= 65535 && p->dport >= -1 && p->dport <= 65535);
	CHECK((p->sport == -1) == (p->dport == -1));
	CHECK(p->icmp_type >= -1 && p->icmp_type <= 255 && (p->icmp_type == -1) == (p->icmp_code == -1));
	CHECK(p->icmp_id >= -1 && p->icmp_id <= 65535 && (p->icmp_id == -1) == (p->icmp_seq == -1));
	CHECK(p->icmp_type == -1 || p->proto == JJ_PROTO_ICMP || p->proto == JJ_PROTO_ICMPV6);
	if (p->has_tcp)
	{
		CHECK(p->proto == JJ_PROTO_TCP && p->frag_offset == 0 && p->sport >= 0);
		CHECK(p->tcp_header_len >= 20 && p->tcp_header_len <= 60 && p->tcp_header_len % 4 == 0);
		CHECK(p->tcp_flags <= 0x1ff);
		CHECK(p->options_len <= p->tcp_header_len - 20);
		CHECK(inside(f, p->options, p->options_len));
	}
	else
		CHECK(p->tcp_flags == 0 && p->options_len == 0);
	CHECK(p->fragment || p->frag_offset == 0);
	if (p->frag_offset != 0)
		CHECK(p->sport == -1 && p->icmp_type == -1);
	CHECK(p->n_vlans <= JJ_MAX_VLANS);
	for (unsigned i = 0; i < p->n_vlans; i++)
		CHECK(p->vlans[i] <= 0xfff);
	CHECK(p->n_labels >= 2 || f->link == 12 || f->link == 14 || f->link == 101 || f->link == 228 || f->link == 229);
	for (unsigned i = 0; i < p->n_labels && i < JJ_MAX_LABELS; i++)
		CHECK(p->labels[i] < JJ_LABELS);
	CHECK(p->n_ext_headers <= JJ_MAX_EXT_HEADERS);
	CHECK(p->n_tunnels <= (inner ? JJ_MAX_TUNNELS : 0));
	for (unsigned i = 0; i < p->n_tunnels; i++)
		CHECK(p->tunnels[i].type < JJ_TUNNEL_TYPES);
	if (p->n_tunnels > 0)
		CHECK(p->outer_version == 4 || p->outer_version == 6);
	CHECK(p->eth_type >= -1 && p->eth_type <= 65535);
}

/* Every field that has a meaning; a and b were decoded into different garbage. */
static void
check_same(const jj_packet *a, const jj_packet *b)
{
#define SAME(field) CHECK(memcmp(&a->field, &b->field, sizeof(a->field)) == 0)
	SAME(src);
	SAME(dst);
	SAME(sport);
	SAME(dport);
	SAME(ip_len);
	SAME(payload_len);
	SAME(payload);
	SAME(payload_caplen);
	SAME(proto);
	SAME(ip_version);
	SAME(ttl);
	SAME(tos);
	SAME(truncated);
	SAME(fragment);
	SAME(has_tcp);
	SAME(ip_flags);
	SAME(tcp_flags);
	SAME(options_len);
	if (a->has_tcp)
	{
		SAME(seq);
		SAME(ack);
		SAME(window);
		SAME(urgent);
		SAME(tcp_header_len);
		SAME(options);
	}
	SAME(ip_id);
	SAME(frag_offset);
	SAME(flow_label);
	SAME(icmp_id);
	SAME(icmp_seq);
	SAME(icmp_type);
	SAME(icmp_code);
	if (a->fragment)
		SAME(frag_proto);
	SAME(n_vlans);
	SAME(n_labels);
	SAME(n_tunnels);
	SAME(n_ext_headers);
	CHECK(memcmp(a->ext_headers, b->ext_headers, a->n_ext_headers) == 0);
	CHECK(memcmp(a->labels, b->labels, a->n_labels < JJ_MAX_LABELS ? a->n_labels : JJ_MAX_LABELS) == 0);
	CHECK(memcmp(a->vlans, b->vlans, a->n_vlans * sizeof(a->vlans[0])) == 0);
	for (unsigned i = 0; i < a->n_tunnels; i++)
	{
		SAME(tunnels[i].type);
		SAME(tunnels[i].has_id);
		SAME(tunnels[i].keyed);
		SAME(tunnels[i].id);
	}
	if (a->n_tunnels > 0)
	{
		SAME(outer_src);
		SAME(outer_dst);
		SAME(outer_version);
	}
	SAME(has_src_mac);
	SAME(has_dst_mac);
	if (a->has_src_mac)
		SAME(src_mac);
	if (a->has_dst_mac)
		SAME(dst_mac);
	SAME(eth_type);
#undef SAME
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static jj_packet a,
				b,
				other;
	jj_frame	f = {.ts = 1700000000000000000, .index = 7};
	uint32_t	links = 0,
				link;
	uint8_t    *bytes;
	bool		inner;
	jj_skip		result;

	if (size < 3)
		return 0;
	while (jj_link_supported_name(links, &link) != NULL)
		links++;
	if (jj_link_supported_name((data[0] & 0x7f) % (links + 1), &f.link) == NULL)
		f.link = 147;
	CHECK(jj_link_supported(f.link) == (f.link != 147));
	inner = data[0] & 0x80;
	f.caplen = (uint32_t) size - 3;
	f.wirelen = f.caplen + (uint32_t) (data[1] | data[2] << 8);
	bytes = malloc(f.caplen > 0 ? f.caplen : 1);
	if (bytes == NULL)
		return 0;
	memcpy(bytes, data + 3, f.caplen);
	f.data = bytes;

	memset(&a, 0, sizeof(a));
	memset(&b, 0xff, sizeof(b));
	result = jj_decode(&f, inner, &a);
	CHECK(result <= JJ_SKIP_LINK_TYPE);
	CHECK(result != JJ_SKIP_LINK_TYPE || f.link == 147 || f.link == 192);
	CHECK(jj_decode_any(&f, inner, &b) == result);
	CHECK((jj_decode(&f, !inner, &other) == JJ_SKIP_NONE) == (result == JJ_SKIP_NONE));
	if (result == JJ_SKIP_NONE)
	{
		check_packet(&f, &a, inner);
		check_same(&a, &b);
		if ((inner ? a : other).n_tunnels == 0)
			check_same(&a, &other);
	}
	free(bytes);
	return 0;
}
