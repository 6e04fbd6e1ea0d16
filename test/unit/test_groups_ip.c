/*
 * Columns of the groups icmp, ipv6_options, padding and entropy, against
 * values worked out by hand.
 */
#include "columns.h"

/* ---- frames */

/* An ICMP message; its checksum is not looked at. */
static void
icmp(int from, int type, int code, unsigned id, unsigned seq)
{
	uint8_t		b[8] = {(uint8_t) type, (uint8_t) code};

	put16(b + 4, id);
	put16(b + 6, seq);
	ipv4(host[from], host[3 - from], 1, b, 8, 8, 1, 0);
}

static void
ping(int from, unsigned seq)
{
	icmp(from, 8, 0, 77, seq);
}

static void
pong(int from, unsigned seq)
{
	icmp(from, 0, 0, 77, seq);
}

/* An IPv6 packet with size bytes behind its header. */
static void
ipv6(int from, int next, uint8_t class, uint32_t label, const uint8_t *data, uint32_t size)
{
	uint8_t		b[160] = {0};

	put32(b, UINT32_C(6) << 28 | (uint32_t) class << 20 | label);
	put16(b + 4, size);
	b[6] = (uint8_t) next;
	b[7] = 64;
	b[8] = b[24] = 0x20;
	b[23] = (uint8_t) from;
	b[39] = (uint8_t) (3 - from);
	memcpy(b + 40, data, size);
	add(101, b, 40 + size);
}

static void
icmp6(int from, int type, int code, unsigned id, unsigned seq)
{
	uint8_t		b[8] = {(uint8_t) type, (uint8_t) code};

	put16(b + 4, id);
	put16(b + 6, seq);
	ipv6(from, 58, 0, 0, b, 8);
}

static void
udp6(int from, uint8_t class, uint32_t label)
{
	uint8_t		b[8] = {0, 5, 0, 5, 0, 8};

	ipv6(from, 17, class, label, b, 8);
}

/* A datagram behind up to two extension headers of 8 bytes, -1 = none. */
static void
udp6_behind(int first, int second)
{
	uint8_t		b[24] = {0};
	uint32_t	n = 0;

	if (first >= 0)
	{
		b[n] = (uint8_t) (second >= 0 ? second : 17);
		n += 8;
	}
	if (second >= 0)
	{
		b[n] = 17;
		n += 8;
	}
	b[n + 1] = b[n + 3] = 5;
	b[n + 5] = 8;
	ipv6(1, first >= 0 ? first : 17, 0, 0, b, n + 8);
}

static void
datagram(int from, const void *bytes, uint32_t n)
{
	uint8_t		b[140] = {0, 5, 0, 5};

	put16(b + 4, 8 + n);
	memcpy(b + 8, bytes, n);
	ipv4(host[from], host[3 - from], 17, b, 8 + n, 8 + n, 1, 0);
}

/* A segment with text as its payload, of which only have bytes are captured. */
static void
segment(int from, unsigned flags, uint32_t seq, const char *text, uint32_t have)
{
	uint8_t		b[140] = {0};
	uint32_t	n = (uint32_t) strlen(text);

	put16(b, from == 1 ? 1111 : 80);
	put16(b + 2, from == 1 ? 80 : 1111);
	put32(b + 4, seq);
	b[12] = 0x50;
	b[13] = (uint8_t) flags;
	memcpy(b + 20, text, n);
	ipv4(host[from], host[3 - from], 6, b, 20 + (have < n ? have : n), 20 + n, 1, 0);
}

static void
text(int from, uint32_t seq, const char *bytes)
{
	segment(from, A, seq, bytes, UINT32_MAX);
}

/* The elements of ipv6_ext_headers. */
static uint32_t
extension_headers(int16_t headers[16])
{
	const jj_value *v = &value[JJ_F_ipv6_ext_headers];
	uint32_t	n = v->bytes.size / sizeof(int16_t);

	if (n > 16 || is_null(JJ_F_ipv6_ext_headers))
		return UINT32_MAX;
	memcpy(headers, arena + v->bytes.offset, v->bytes.size);
	return n;
}

/* ---- icmp */

static void
echoes(void)
{
	start(), ping(1, 1), pong(2, 1), ping(1, 2), ping(1, 4), pong(2, 4), rows();
	ok(n_rows == 1 && INT(icmp_packet_count, 5) && INT(icmp_echo_request_count, 3) && INT(icmp_echo_reply_count, 2)
	   && INT(icmp_dest_unreachable_count, 0) && INT(icmp_time_exceeded_count, 0), "three echo requests, two replies");
	ok(INT(icmp_unique_type_codes, 2) && INT(icmp_dominant_type, 8) && INT(icmp_dominant_type_count, 3) && INT(icmp_stat, 3), "types");
	ok(REAL(icmp_echo_success_ratio, 2 / 3.0) && INT(icmp_unique_ids, 1) && INT(icmp_seq_min, 1) && INT(icmp_seq_max, 4) && INT(icmp_seq_gaps, 1),
	   "one without a reply, one number left out");
	ok(REAL(icmp_ratio, 1) && INT(is_icmp_only, 1), "nothing but ICMP");

	start(), ping(1, 5), ping(1, 5), pong(2, 5), pong(2, 5), rows();
	ok(REAL(icmp_echo_success_ratio, 1) && INT(icmp_seq_gaps, 0), "a repeated request is one request");
	start(), pong(2, 5), ping(1, 5), ping(1, 6), pong(1, 6), rows();
	ok(REAL(icmp_echo_success_ratio, 0), "replies that came before, or the same way, are none");
	start(), ping(1, 5), ping(2, 5), pong(1, 5), rows();
	ok(REAL(icmp_echo_success_ratio, 0.5) && NIL(icmp_seq_gaps), "requests of both directions are different ones");
	start(), ping(1, 65534), ping(1, 65535), ping(1, 1), ping(1, 0), rows();
	ok(INT(icmp_seq_gaps, 1) && INT(icmp_seq_min, 0) && INT(icmp_seq_max, 65535), "numbers wrap, and run back");
	start(), ping(1, 0), ping(1, 32767), ping(1, 65535), rows();
	ok(INT(icmp_seq_gaps, 32766), "32768 numbers on is a step back");
	start(), ping(1, 9), rows();
	ok(NIL(icmp_seq_gaps) && REAL(icmp_echo_success_ratio, 0) && INT(icmp_dominant_type, 8), "one request");
	start(), pong(1, 9), ping(2, 9), rows();
	ok(INT(icmp_dominant_type, 0) && INT(icmp_dominant_type_count, 1), "on a tie the type that came first");

	start();
	for (unsigned i = 0; i < 4000; i++)
	{
		ping(1, i * 37 % 65536);
		if (i % 4 == 0)
			pong(2, i * 37 % 65536);
	}
	rows();
	ok(n_rows == 1 && REAL(icmp_echo_success_ratio, 0.25) && INT(icmp_packet_count, 5000), "4000 numbers asked all over the range, 1000 answered");
	ok(INT(icmp_seq_gaps, 3999 * 36), "and the gaps between them");
	start();
	for (int i = 0; i < 256; i++)
		icmp(1, i % 2 ? 8 : 0, i, 77, 1);
	icmp(1, 0, 0, 77, 1), rows();
	ok(INT(icmp_unique_type_codes, 256) && INT(icmp_dominant_type, 0) && INT(icmp_dominant_type_count, 129), "256 pairs of type and code");
}

static void
other_messages(void)
{
	start(), icmp(1, 3, 1, 0, 0), icmp(1, 3, 1, 9, 9), rows();
	ok(n_rows == 1 && INT(icmp_dest_unreachable_count, 2) && INT(icmp_stat, 4) && NIL(icmp_echo_success_ratio) && NIL(icmp_unique_ids)
	   && NIL(icmp_seq_min) && NIL(icmp_seq_max) && NIL(icmp_seq_gaps), "unreachable: no identifier, no number");
	start(), icmp(1, 13, 0, 4, 6), icmp(2, 14, 0, 4, 7), rows();
	ok(n_rows == 1 && INT(icmp_stat, 32) && INT(icmp_unique_ids, 1) && INT(icmp_seq_min, 6) && INT(icmp_seq_max, 7) && NIL(icmp_echo_success_ratio),
	   "timestamps have numbers and are no echoes");
	start(), icmp(1, 11, 0, 0, 0), rows();
	ok(INT(icmp_time_exceeded_count, 1) && INT(icmp_stat, 8), "time exceeded");
	start(), icmp(1, 5, 1, 0, 0), rows();
	ok(INT(icmp_stat, 16), "redirect");
	start(), icmp6(1, 128, 0, 3, 1), icmp6(2, 129, 0, 3, 1), rows();
	ok(n_rows == 1 && REAL(icmp_echo_success_ratio, 1) && INT(icmp_echo_request_count, 1) && INT(icmp_echo_reply_count, 1) && INT(icmp_stat, 3), "ICMPv6 echo");
	start(), icmp6(1, 137, 0, 0, 0), rows();
	ok(INT(icmp_stat, 16), "ICMPv6 redirect");
	start(), icmp6(1, 3, 0, 0, 0), rows();
	ok(INT(icmp_time_exceeded_count, 1) && INT(icmp_dest_unreachable_count, 0), "ICMPv6 type 3 is time exceeded");
	start(), icmp6(1, 8, 0, 0, 1), rows();
	ok(INT(icmp_echo_request_count, 0) && INT(icmp_stat, 32), "type 8 is no echo request in ICMPv6");

	start(), ipv4(host[1], host[2], 1, (const uint8_t *) "\x08\0\0", 3, 8, 1, 0), rows();
	ok(INT(icmp_packet_count, 0) && INT(icmp_stat, 0) && NIL(icmp_dominant_type) && NIL(icmp_dominant_type_count) && REAL(icmp_ratio, 0)
	   && INT(is_icmp_only, 1), "three bytes of a header");
	start(), ipv4(host[1], host[2], 1, (const uint8_t *) "\x08\0\0\0\0\7\0", 7, 8, 1, 0), rows();
	ok(INT(icmp_packet_count, 1) && INT(icmp_echo_request_count, 1) && NIL(icmp_unique_ids) && NIL(icmp_echo_success_ratio),
	   "a request whose number was not captured");
	start(), ipv4(host[1], host[2], 1, (const uint8_t *) "\x08\0\0\0\0\7\0\1", 8, 16, 5, 0x2000),
		ipv4(host[1], host[2], 1, (const uint8_t *) "\x08\0\0\0\0\7\0\2", 8, 8, 5, 2), rows();
	ok(n_rows == 1 && INT(icmp_packet_count, 1) && REAL(icmp_ratio, 0.5), "a later fragment has no ICMP header");
	start(), datagram(1, "x", 1), rows();
	ok(NIL(icmp_packet_count) && NIL(icmp_stat) && NIL(icmp_unique_type_codes) && REAL(icmp_ratio, 0) && INT(is_icmp_only, 0), "UDP");
}

/* ---- ipv6_options */

static void
ipv6_options(void)
{
	int16_t		headers[16];

	start(), udp6(1, 0xb9, 7), udp6(1, 0xb9, 7), udp6(2, 0x03, 3), udp6(1, 0xb9, 9), udp6(1, 0xb8, 7), rows();
	ok(n_rows == 1 && INT(ipv6_packet_count, 5) && INT(ipv4_packet_count, 0) && REAL(ipv6_ratio, 1) && INT(is_ipv6_only, 1), "IPv6 packets");
	ok(INT(ipv6_flow_label, 7) && INT(ipv6_flow_label_unique_count, 2) && INT(ipv6_flow_label_changes, 2), "labels 7 7 9 7, and 3 back");
	ok(INT(ipv6_traffic_class, 0xb9) && INT(ipv6_dscp, 46) && INT(ipv6_ecn, 3) && INT(ipv6_traffic_class_unique_count, 2), "traffic class");
	ok(extension_headers(headers) == 0, "no extension header: an empty array");
	start(), udp6(1, 0, 1), udp6(2, 0, 1), udp6(2, 0, 2), udp6(2, 0, 3), udp6(2, 0, 1), rows();
	ok(INT(ipv6_flow_label_unique_count, 3) && INT(ipv6_flow_label_changes, 3) && INT(ipv6_flow_label, 1), "more labels backward");
	start(), udp6_behind(0, 60), udp6_behind(60, -1), udp6_behind(43, 60), udp6_behind(-1, -1), rows();
	ok(n_rows == 1 && extension_headers(headers) == 3 && headers[0] == 0 && headers[1] == 60 && headers[2] == 43, "extension headers in the order in which they came");
	start(), ipv6(2, 6, 0x10, 5, (const uint8_t *) "\0\x50\4\x57\0\0\0\0\0\0\0\0\x50\x12\0\0\0\0\0\0", 20), rows();
	ok(NIL(ipv6_flow_label) && NIL(ipv6_traffic_class) && NIL(ipv6_dscp) && INT(ipv6_flow_label_unique_count, 1) && INT(ipv6_ecn, 0)
	   && INT(ipv6_traffic_class_unique_count, 1), "a SYN-ACK alone: nothing from the initiator");
	start(), datagram(1, "x", 1), rows();
	ok(INT(ipv6_packet_count, 0) && INT(ipv4_packet_count, 1) && NIL(ipv6_flow_label) && NIL(ipv6_flow_label_unique_count) && NIL(ipv6_flow_label_changes)
	   && NIL(ipv6_ecn) && NIL(ipv6_ext_headers) && REAL(ipv6_ratio, 0) && INT(is_ipv6_only, 0), "IPv4");
	start();
	for (uint32_t i = 0; i < 5000; i++)
		udp6(1, 0, i);
	rows();
	ok(INT(ipv6_flow_label_unique_count, 4097) && INT(ipv6_flow_label_changes, 4999), "the first label and 4096 others are told apart");
}

/* ---- padding */

static void
padding(void)
{
	start(), udp(1, 5, 2, 6, 32), udp(1, 5, 2, 6, 32), udp(1, 5, 2, 6, 32), rows();
	ok(REAL(pkt_size_variance, 0) && REAL(pkt_size_cv, 0) && INT(is_constant_size, 1) && INT(dominant_size_mode, 60) && REAL(dominant_size_ratio, 1)
	   && INT(unique_size_count, 1) && NIL(size_entropy), "three datagrams of 60 bytes");
	ok(REAL(iat_variance, 0) && REAL(iat_cv, 0) && INT(is_constant_rate, 1), "a second apart");
	ok(NIL(tor_cell_count) && NIL(tor_cell_ratio) && NIL(is_tor_like), "no Tor over UDP");
	ok(INT(burst_overhead_bytes, 84) && REAL(burst_padding_ratio, 84 / 180.0) && REAL(avg_burst_payload_efficiency, 32 / 60.0), "28 of 60 bytes are headers");
	ok(REAL(padding_score, 0.7), "score: even in size and time");
	start(), udp(1, 5, 2, 6, 32), udp(1, 5, 2, 6, 92), udp(2, 6, 1, 5, 32), udp(1, 5, 2, 6, 32), rows();
	ok(REAL(pkt_size_variance, 675) && REAL(pkt_size_cv, sqrt(675) / 75) && INT(is_constant_size, 0) && REAL(dominant_size_ratio, 0.75)
	   && INT(unique_size_count, 2) && REAL(size_entropy, 0.8112781244591328) && REAL(padding_score, 0.2), "60, 120, 60 and 60 bytes");
	start(), udp(1, 5, 2, 6, 0), udp(1, 5, 2, 6, 1), udp(1, 5, 2, 6, 2), udp(1, 5, 2, 6, 3), rows();
	ok(REAL(size_entropy, 1) && INT(dominant_size_mode, 28), "four lengths once each: the first one is the mode");
	start(), now = 0, udp(1, 5, 2, 6, 4), now = 1, udp(1, 5, 2, 6, 4), now = 4, udp(1, 5, 2, 6, 4), rows();
	ok(REAL(iat_variance, 1) && REAL(iat_cv, 0.5) && INT(is_constant_rate, 0) && REAL(padding_score, 0.5), "gaps of 1 and 3 s");

	start();
	for (int i = 0; i < 20; i++)
		udp(1, 5, 2, 6, i == 7 ? 9 : 8);
	rows();
	ok(INT(is_constant_size, 1), "19 of 20 are enough to be constant");
	n_frames = 19, rows();
	ok(INT(is_constant_size, 0) && REAL(padding_score, 0.4), "18 of 19 are not");

	start(), now = 0, udp(1, 5, 2, 6, 32), now = 0.05 - 1e-9, udp(1, 5, 2, 6, 92), now = 1, udp(1, 5, 2, 6, 0), rows();
	ok(REAL(avg_burst_payload_efficiency, 124 / 180.0 / 2), "efficiency of two bursts");
	start(), now = 0, udp(1, 5, 2, 6, 32), now = 0.05, udp(1, 5, 2, 6, 92), rows();
	ok(REAL(avg_burst_payload_efficiency, (32 / 60.0 + 92 / 120.0) / 2), "50 ms end a burst");
	o.burst_threshold = JJ_SECOND / 10, rows();
	ok(REAL(avg_burst_payload_efficiency, 124 / 180.0), "not with another threshold");
	o = defaults();

	start(), udp(1, 5, 2, 6, 32), rows();
	ok(REAL(pkt_size_variance, 0) && NIL(pkt_size_cv) && NIL(is_constant_size) && NIL(iat_variance) && NIL(iat_cv) && NIL(is_constant_rate)
	   && NIL(padding_score) && REAL(avg_burst_payload_efficiency, 32 / 60.0), "one packet");
	start(), udp(1, 5, 2, 6, 32), udp(1, 5, 2, 6, 32), rows();
	ok(INT(is_constant_size, 1) && REAL(iat_variance, 0) && NIL(iat_cv) && NIL(padding_score), "two packets");
	start(), step = 0, udp(1, 5, 2, 6, 32), udp(1, 5, 2, 6, 32), udp(1, 5, 2, 6, 32), rows();
	ok(REAL(iat_variance, 0) && NIL(iat_cv) && NIL(is_constant_rate) && REAL(padding_score, 0.5), "three at once: no rate");
}

static void
tor(void)
{
	start(), handshake(), tcp(1, A, 101, 501, 586), tcp(2, A, 501, 687, 1086), tcp(2, A, 1587, 687, 543), tcp(1, A, 687, 2130, 100), rows();
	ok(INT(tor_cell_count, 3) && REAL(tor_cell_ratio, 0.75) && INT(is_tor_like, 1), "cells in three of four segments with data");
	start(), tcp(1, A, 101, 501, 535), tcp(1, A, 636, 501, 565), tcp(1, A, 1201, 501, 536), tcp(1, A, 1737, 501, 534), tcp(1, A, 1, 1, 587), rows();
	ok(INT(tor_cell_count, 3) && REAL(tor_cell_ratio, 0.6) && INT(is_tor_like, 0), "3 of 5 are too few");
	start(), tcp(1, A, 101, 501, 586), rows();
	ok(INT(tor_cell_count, 1) && REAL(tor_cell_ratio, 1) && NIL(is_tor_like), "one segment says nothing");
	start(), handshake(), rows();
	ok(INT(tor_cell_count, 0) && NIL(tor_cell_ratio) && NIL(is_tor_like), "no data");
	start(), tcp(1, A, 1, 1, 586), tcp(1, A, 587, 1, 586), tcp(1, A, 1173, 1, 586), rows();
	ok(REAL(padding_score, 1), "all signs of padding");
}

static void
beyond_samples(void)
{
	static char few[sizeof(out)];
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;

	memset(&o.features, 0, sizeof(o.features));
	jj_set_add_name(&o.features, "padding");
	start();
	for (int i = 0; i < 3000; i++)
	{
		step = i % 7 == 0 ? 0.06 : 0.001 * (i % 5);
		udp(i % 3 ? 1 : 2, i % 3 ? 5 : 6, i % 3 ? 2 : 1, i % 3 ? 6 : 5, (uint32_t) (i * i % 997));
	}
	run_with(&o, NULL, &a, JJ_BATCH, full, &err);
	memcpy(few, out, sizeof(few));
	o.max_samples = 64;
	o.max_sequence_length = 0;
	run_with(&o, NULL, &a, JJ_BATCH, full, &err);
	ok(strlen(few) > 200 && strcmp(few, out) == 0, "padding is exact beyond max_samples");
	jj_set_add_name(&o.features, "size");
	rows();
	ok(value[JJ_F_unique_size_count].i > 100 && value[JJ_F_pkt_size_variance].d == value[JJ_F_pkt_len_variance].d
	   && value[JJ_F_dominant_size_mode].i == value[JJ_F_dominant_pkt_size].i, "and the same beside size");
	o.max_samples = 16384, rows();
	ok(value[JJ_F_pkt_size_variance].d == value[JJ_F_pkt_len_variance].d && value[JJ_F_dominant_size_ratio].d == value[JJ_F_dominant_pkt_ratio].d,
	   "within max_samples too");
	o = defaults();
}

/* ---- entropy */

static void
entropy(void)
{
	uint8_t		all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t) i;
	start(), datagram(1, "ABAB", 4), datagram(2, "\0\0\0\0", 4), rows();
	ok(REAL(entropy_initiator, 1) && REAL(entropy_responder, 0) && REAL(entropy_payload, 1.5) && NIL(entropy_ratio), "two letters, and zeroes");
	ok(value[JJ_F_entropy_responder].d == 0, "one value: exactly 0");
	ok(REAL(null_ratio, 0.5) && REAL(printable_ratio, 0.5) && REAL(high_byte_ratio, 0) && NIL(byte_distribution_uniformity)
	   && INT(payload_bytes_sampled, 8), "classes of bytes");
	start(), datagram(1, "ABCD", 4), datagram(2, "aab", 3), rows();
	ok(REAL(entropy_ratio, 2 / 0.9182958340544896), "ratio of both directions");
	start(), datagram(1, "\t\n\r \x1f\x7f~\x80", 8), rows();
	ok(REAL(printable_ratio, 5 / 8.0) && REAL(high_byte_ratio, 1 / 8.0) && NIL(entropy_responder) && NIL(entropy_ratio), "what is printable");
	start(), datagram(1, all, 128), datagram(1, all + 128, 128), datagram(1, all, 100), rows();
	ok(REAL(entropy_initiator, 8) && REAL(byte_distribution_uniformity, 1) && REAL(printable_ratio, 98 / 256.0) && REAL(high_byte_ratio, 0.5)
	   && REAL(null_ratio, 1 / 256.0) && INT(payload_bytes_sampled, 256), "all bytes once; what comes behind 256 bytes is left out");
	n_frames = 1, rows();
	ok(REAL(entropy_payload, 7) && NIL(byte_distribution_uniformity) && INT(payload_bytes_sampled, 128), "fewer than 256: no uniformity");
	o.entropy_sample_bytes = 10, rows();
	ok(REAL(entropy_payload, log2(10)) && INT(payload_bytes_sampled, 10), "a sample of 10 bytes");
	o = defaults();
	for (int same = 0; same <= 256; same++)
	{
		uint8_t		bytes[256] = {0};
		double		h = 8 - (same < 2 ? 0 : same * log2(same) / 256.0);
		uint32_t	zeros = same == 0 ? 1 : (uint32_t) same;

		/* so many zeroes, then other values once each: every way in which counts are summed up */
		for (int i = 0; i < 256; i++)
			bytes[i] = i < same ? 0 : (uint8_t) i;
		start(), datagram(1, bytes, 128), datagram(1, bytes + 128, 128), datagram(2, bytes + 128, 128), datagram(2, bytes, 128), rows();
		if (!REAL(entropy_initiator, h) || !REAL(entropy_responder, h) || !REAL(entropy_payload, h) || !REAL(null_ratio, zeros / 256.0)
			|| !REAL(byte_distribution_uniformity,
					 1 + 1 / 256.0 - (4.0 * zeros * zeros + 4.0 * (256 - zeros)) / (512.0 * 512)))
			ok(false, "%d zeroes of 256 bytes in each direction", same);
	}
	ok(INT(payload_bytes_sampled, 512) && REAL(entropy_payload, 0), "from all bytes once to 256 zeroes");
	o.entropy_sample_bytes = JJ_MAX_ENTROPY_SAMPLE;
	start();
	for (int i = 0; i < 1400; i++)
		datagram(i % 2 + 1, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", 100);
	rows();
	ok(INT(payload_bytes_sampled, 2 * JJ_MAX_ENTROPY_SAMPLE) && REAL(entropy_payload, 0) && REAL(byte_distribution_uniformity, 1 / 256.0),
	   "the largest sample, of one value");
	o = defaults();
	start(), udp(1, 5, 2, 6, 0), udp(1, 5, 2, 6, 50), rows();
	ok(NIL(entropy_payload) && NIL(entropy_initiator) && NIL(printable_ratio) && NIL(null_ratio) && NIL(high_byte_ratio) && INT(payload_bytes_sampled, 0),
	   "no payload, or none that was captured");
}

static void
streams(void)
{
	start(), handshake(), text(1, 103, "CD"), text(1, 101, "AB"), rows();
	ok(INT(payload_bytes_sampled, 4) && REAL(entropy_initiator, 2), "segments out of order");
	start(), handshake(), text(1, 101, "AB"), text(1, 101, "XY"), rows();
	ok(INT(payload_bytes_sampled, 2) && REAL(entropy_initiator, 1), "a repetition is left out");
	start(), handshake(), text(1, 101, "AA"), text(1, 102, "BCD"), text(1, 101, "XYZWE"), rows();
	ok(INT(payload_bytes_sampled, 5) && REAL(entropy_initiator, log2(5) - 2 / 5.0), "segments overlap: the byte that came first counts");
	start(), handshake(), text(1, 103, "CC"), text(1, 101, "ABXYE"), rows();
	ok(INT(payload_bytes_sampled, 5) && REAL(entropy_initiator, log2(5) - 2 / 5.0), "also where a hole is filled");
	start(), handshake(), text(1, 100, "Z"), text(1, 99, "ZZAB"), rows();
	ok(INT(payload_bytes_sampled, 2) && REAL(entropy_initiator, 1), "bytes in front of the stream");
	start(), text(1, 900, "AB"), text(1, 898, "CD"), text(1, 902, "C"), rows();
	ok(INT(payload_bytes_sampled, 3), "without a SYN the stream begins at the first payload");
	start(), segment(1, S, 0xfffffffe, "", 0), text(1, 1, "CD"), text(1, 0xffffffff, "AB"), rows();
	ok(INT(payload_bytes_sampled, 4) && REAL(entropy_initiator, 2), "sequence numbers wrap");
	start(), segment(1, S, 100, "AB", 9), text(1, 101, "AB"), text(1, 103, "C"), rows();
	ok(INT(payload_bytes_sampled, 3), "data in the SYN");
	o.flow_end = JJ_FLOW_END_TIMEOUT;
	start(), segment(1, S, 100, "", 0), segment(1, S, 200, "", 0), text(1, 101, "AB"), text(1, 201, "C"), segment(1, S, 300, "", 0), text(1, 202, "D"), rows();
	ok(n_rows == 1 && INT(payload_bytes_sampled, 2), "the last SYN before the first payload counts");
	o = defaults();
	start(), handshake(), segment(1, A, 101, "ABCDEFGHIJ", 4), text(1, 111, "KL"), text(2, 501, "M"), rows();
	ok(INT(payload_bytes_sampled, 7) && REAL(entropy_initiator, log2(6)) && REAL(entropy_responder, 0), "captured bytes behind others that are not");
	start(), handshake(), segment(1, A, 101, "ABC", 0), text(1, 104, "D"), rows();
	ok(INT(payload_bytes_sampled, 1), "the first segment's payload not captured");
	o.entropy_sample_bytes = 4;
	start(), handshake(), text(1, 107, "X"), text(1, 103, "CDEF"), text(1, 101, "ABCDEFG"), text(1, 108, "Y"), rows();
	ok(INT(payload_bytes_sampled, 4) && REAL(entropy_initiator, 2), "the first four bytes of a stream");
	start(), handshake(), text(1, 105, "X"), rows();
	ok(INT(payload_bytes_sampled, 0) && NIL(entropy_payload), "only bytes behind them");
	o = defaults();
}

/* ---- without memory */

static int	allocations_left;

static void *
stingy(void *ctx, size_t size)
{
	(void) ctx;
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void
give_back(void *ctx, void *block)
{
	(void) ctx;
	free(block);
}

static void
without_memory(void)
{
	jj_allocator a = {stingy, give_back, NULL};
	jj_error	err;
	jj_code		code = JJ_ERR_NOMEM;
	int			n = 0;

	memset(&o.features, 0, sizeof(o.features));
	for (int i = 0; i < 4; i++)
		jj_set_add_name(&o.features, (const char *[]) {"icmp", "ipv6_options", "padding", "entropy"}[i]);
	start();
	for (unsigned i = 0; i < 200; i++)
	{
		ping(1, i * 100);
		icmp(2, 0, (int) i, 77, i);
		udp6(1, 0, i);
		datagram(1, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", 52);
		text(1, 1000 + i * 3, "ab");
		tcp(2, A, 1, 1, i);
	}
	for (; code == JJ_ERR_NOMEM && n < 10000; n++)
	{
		allocations_left = n;
		code = run_with(&o, NULL, &a, JJ_BATCH, keep, &err);
	}
	ok(code == JJ_OK && n > 20, "each allocation that fails is reported, until %d are enough", n);
	o = defaults();
}

int
main(void)
{
	o = defaults();
	echoes();
	other_messages();
	ipv6_options();
	padding();
	tor();
	beyond_samples();
	entropy();
	streams();
	without_memory();
	return done_testing();
}
