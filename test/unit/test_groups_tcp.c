/*
 * Columns of the groups tcp_sequence, tcp_window, tcp_options, tcp_rtt,
 * tcp_mptcp and tcp_fingerprint, against values worked out by hand.
 */
#include "columns.h"
#include "failing.h"

#define PSH JJ_TCP_PSH
#define URG JJ_TCP_URG
#define ECE JJ_TCP_ECE
#define CWR JJ_TCP_CWR
#define ISN 7000				/* of host 2 */
#define US 1e-6

/* ---- segments */

/* Of the next segment, which sets them back. */
static uint8_t options[40];
static uint32_t n_options;
static uint32_t not_captured;	/* bytes at the end of the options */
static unsigned urgent;
static unsigned ttl;
static unsigned ident;
static unsigned fragment;
static unsigned tos;

static void
put(const uint8_t *bytes, uint32_t n)
{
	memcpy(options + n_options, bytes, n);
	n_options += n;
}

#define OPT(...) put((const uint8_t[]) {__VA_ARGS__}, sizeof((const uint8_t[]) {__VA_ARGS__}))

static void
plain(void)
{
	n_options = not_captured = 0;
	urgent = tos = 0;
	ttl = 64;
	ident = 1;
	fragment = 0x4000;
}

/* A segment of n payload bytes between the two hosts, at seconds after T0. */
static void
seg(double at, int from, unsigned flags, uint32_t seq, uint32_t ack, uint32_t n, unsigned window)
{
	uint8_t		b[60] = {0};

	while (n_options % 4 != 0)
		options[n_options++] = 0;
	now = at;
	put16(b, from == 1 ? 1111 : 80);
	put16(b + 2, from == 1 ? 80 : 1111);
	put32(b + 4, seq);
	put32(b + 8, ack);
	b[12] = (uint8_t) ((20 + n_options) / 4 << 4);
	b[13] = (uint8_t) flags;
	put16(b + 14, window);
	put16(b + 18, urgent);
	memcpy(b + 20, options, n_options);
	ipv4(host[from], host[3 - from], 6, b, 20 + n_options - not_captured, 20 + n_options + n, ident, fragment);
	store[n_frames - 1][1] = (uint8_t) tos;
	store[n_frames - 1][8] = (uint8_t) ttl;
	plain();
}

static void
timestamps(uint32_t value, uint32_t echo)
{
	uint8_t		b[12] = {1, 1, 8, 10};

	put32(b + 4, value);
	put32(b + 8, echo);
	put(b, 12);
}

static void
sack(uint32_t left, uint32_t right, uint32_t left2, uint32_t right2)
{
	uint8_t		b[18] = {5, 18};

	if (left2 == right2)
		b[1] = 10;
	put32(b + 2, left);
	put32(b + 6, right);
	put32(b + 10, left2);
	put32(b + 14, right2);
	put(b, b[1]);
}

/* A connection whose round trip is 48 ms: 40 to the responder, 8 to the initiator. Payload starts at b + 1. */
static void
begin(uint32_t b)
{
	start();
	plain();
	seg(0, 1, S, b, 0, 0, 1000);
	seg(0.040, 2, S | A, ISN, b + 1, 0, 1000);
	seg(0.048, 1, A, b + 1, ISN + 1, 0, 1000);
}

/* Payload of the initiator and acknowledgements of the responder. */
static void
data(double at, uint32_t seq, uint32_t n)
{
	seg(at, 1, A, seq, ISN + 1, n, 1000);
}

static void
answer(double at, uint32_t ack)
{
	seg(at, 2, A, ISN + 1, ack, 0, 1000);
}

/* ---- tcp_sequence */

static void
sequence_numbers(uint32_t b)
{
	begin(b);
	data(0.100, b + 1, 300), data(0.200, b + 301, 300), data(0.500, b + 201, 200), rows();
	ok(n_rows == 1 && INT(tcp_isn_fwd, b) && INT(tcp_isn_bwd, ISN) && INT(tcp_seq_fwd_bytes_sent, 600) && INT(tcp_seq_fwd_retrans, 1)
	   && INT(tcp_seq_fwd_ooo, 0) && INT(tcp_seq_fwd_gaps, 0) && INT(tcp_ack_fwd_count, 4) && INT(tcp_ack_bwd_count, 1)
	   && REAL(tcp_retrans_ratio, 1 / 5.0), "ISN %u: bytes sent again count once", b);

	begin(b);
	data(0.100, b + 201, 100), data(0.101, b + 1, 100), data(0.102, b + 101, 100), rows();
	ok(INT(tcp_seq_fwd_gaps, 1) && INT(tcp_seq_fwd_ooo, 2) && INT(tcp_total_ooo, 2) && INT(tcp_total_retrans, 0)
	   && INT(tcp_seq_fwd_bytes_sent, 300), "ISN %u: a gap filled later", b);

	begin(b);
	data(0.100, b + 1, 10), answer(0.110, b + 11);
	data(10, b + 10, 1), answer(10.02, b + 11), data(20, b + 10, 0), answer(20.02, b + 11), rows();
	ok(INT(tcp_keep_alive_count, 2) && INT(tcp_ack_bwd_dup, 0) && INT(tcp_total_retrans, 0) && INT(tcp_seq_fwd_bytes_sent, 10),
	   "ISN %u: keep-alives and their answers", b);

	begin(b);
	data(0.100, b + 1, 100), data(0.101, b + 101, 100), data(0.102, b + 201, 100), answer(0.110, b + 101);
	sack(b + 201, b + 301, 0, 0), answer(0.111, b + 101);
	sack(b + 201, b + 301, 0, 0), answer(0.112, b + 101);
	data(0.115, b + 101, 100);
	sack(b + 101, b + 201, 0, 0), answer(0.120, b + 301);
	sack(b + 411, b + 421, b + 401, b + 501), answer(0.121, b + 301);
	sack(b + 401, b + 501, b + 601, b + 701), answer(0.122, b + 301), rows();
	ok(INT(tcp_fast_retrans, 1) && INT(tcp_seq_fwd_retrans, 1) && INT(tcp_spurious_retrans, 0) && INT(tcp_ack_bwd_dup, 4)
	   && INT(tcp_total_dup_acks, 4) && INT(tcp_ack_fwd_dup, 0), "ISN %u: fast retransmission", b);
	ok(INT(tcp_sack_blocks_total, 7) && INT(tcp_dsack_count, 2), "ISN %u: D-SACK below the acknowledgement, and in the second block", b);
}

static void
sequence(void)
{
	static const uint32_t bases[] = {0, 1000, 0x7fffff38, 0xfffffed4, 0xffffffff};

	for (size_t i = 0; i < sizeof(bases) / sizeof(bases[0]); i++)
		sequence_numbers(bases[i]);

	begin(100), data(0.100, 201, 100), data(0.148 - US, 101, 50), rows();
	ok(INT(tcp_seq_fwd_ooo, 1) && INT(tcp_seq_fwd_retrans, 0), "out of order until one round trip has passed");
	begin(100), data(0.100, 201, 100), data(0.148, 101, 50), rows();
	ok(INT(tcp_seq_fwd_ooo, 0) && INT(tcp_seq_fwd_retrans, 1), "retransmitted from then on");
	begin(100), data(0.100, 101, 100), data(0.101, 101, 100), rows();
	ok(INT(tcp_seq_fwd_ooo, 0) && INT(tcp_seq_fwd_retrans, 1), "the same segment again is retransmitted, however soon");

	start(), plain(), data(0, 101, 10), data(0.010, 211, 10), data(0.013 - US, 111, 10), data(0.013, 121, 10), rows();
	ok(INT(tcp_seq_fwd_ooo, 1) && INT(tcp_seq_fwd_retrans, 1) && NIL(tcp_isn_fwd) && NIL(tcp_isn_bwd) && NIL(tcp_seq_bwd_gaps)
	   && NIL(tcp_ack_bwd_count), "without a handshake reordering lasts 3 ms");

	begin(100), data(0.100, 101, 100), data(0.101, 201, 100), data(0.102, 301, 100), answer(0.110, 201), answer(0.111, 201);
	data(0.115, 201, 100), rows();
	ok(INT(tcp_fast_retrans, 0) && INT(tcp_ack_bwd_dup, 1) && INT(tcp_seq_fwd_ooo, 1), "one duplicate is not enough for a fast retransmission");
	begin(100), data(0.100, 101, 100), data(0.101, 201, 100), data(0.102, 301, 100), answer(0.110, 201), answer(0.111, 201);
	answer(0.112, 201), data(0.132, 201, 100), rows();
	ok(INT(tcp_fast_retrans, 0) && INT(tcp_seq_fwd_ooo, 1), "20 ms after the last duplicate it is none either");

	begin(100), data(0.100, 101, 100), answer(0.110, 201), data(0.500, 101, 100), rows();
	ok(INT(tcp_spurious_retrans, 1) && INT(tcp_seq_fwd_retrans, 1) && INT(tcp_fast_retrans, 0), "acknowledged data again is spurious");

	begin(100), seg(0.2, 2, A, ISN + 1, 101, 0, 2000), seg(0.3, 2, A, ISN + 1, 101, 0, 0), seg(0.4, 2, A, ISN + 1, 101, 0, 0), rows();
	ok(INT(tcp_ack_bwd_dup, 0), "a window update and a closed window are no duplicates");

	begin(100), data(0.1, 101, 10), seg(0.2, 1, F | A, 111, ISN + 1, 0, 1000), seg(0.6, 1, F | A, 111, ISN + 1, 0, 1000), rows();
	ok(INT(tcp_seq_fwd_retrans, 1) && INT(tcp_seq_fwd_gaps, 0) && INT(tcp_seq_fwd_bytes_sent, 10) && REAL(tcp_retrans_ratio, 1 / 5.0), "FIN sent again");

	begin(100), data(0.1, 101, 10), data(0.3, 101, 10), seg(0.4, 1, R, 90000, 0, 5, 0), rows();
	ok(INT(tcp_seq_fwd_gaps, 0) && INT(tcp_seq_fwd_bytes_sent, 10) && INT(tcp_total_retrans, 1) && REAL(tcp_retrans_ratio, 1 / 4.0), "RST occupies nothing");

	begin(100), data(0.1, 101, 100), data(0.5, 200, 20), rows();
	ok(INT(tcp_total_retrans, 0) && INT(tcp_total_ooo, 0) && INT(tcp_seq_fwd_bytes_sent, 119), "what begins one byte below, and is longer, is not old");

	start(), plain(), seg(0, 1, A, 100, 1, 0, 9), rows();
	ok(n_rows == 1 && NIL(tcp_retrans_ratio) && INT(tcp_total_retrans, 0), "no segment that occupies sequence space: no ratio");

	/* the initiator tries again with a new number; where only timeouts end flows, it is the same flow */
	o.flow_end = JJ_FLOW_END_TIMEOUT;
	start(), plain();
	seg(0, 1, S, 100, 0, 0, 1000), seg(1, 1, S, 5000000, 0, 0, 1000), seg(1.030, 2, S | A, ISN, 5000001, 0, 1000);
	seg(1.031, 1, A, 5000001, ISN + 1, 20, 1000), rows();
	ok(n_rows == 1 && INT(tcp_isn_fwd, 100) && INT(tcp_seq_fwd_gaps, 0) && INT(tcp_total_retrans, 0) && INT(tcp_seq_fwd_bytes_sent, 20)
	   && REAL(tcp_rtt_handshake, 0.031), "numbers begin anew with another SYN");
	start(), plain();
	seg(0, 1, S, 100, 0, 0, 1000), data(0.1, 101, 50), seg(1, 1, S, 120, 0, 0, 1000), data(1.1, 121, 20), rows();
	ok(n_rows == 1 && INT(tcp_seq_fwd_bytes_sent, 70) && INT(tcp_total_retrans, 0), "also where they meet those of before");
	o = defaults();
}

static void
bytes_seen(void)
{
	/* two bytes every five from 1 on: 65 gaps of three, of which 64 are remembered */
	start(), plain();
	for (uint32_t i = 0; i <= 65; i++)
		data(i * 0.1, 1 + 5 * i, 2);
	data(10, 3, 3), rows();
	ok(INT(tcp_seq_fwd_bytes_sent, 132) && INT(tcp_seq_fwd_gaps, 65), "the lowest of 65 gaps is forgotten");
	n_frames--, data(10, 8, 3), data(11, 12, 10), rows();
	ok(INT(tcp_seq_fwd_bytes_sent, 141), "the others are filled: 3, and 6 of 10 bytes");

	begin(100), data(0.1, 91, 30), rows();
	ok(INT(tcp_seq_fwd_bytes_sent, 20), "bytes below the ISN don't count");
	start(), plain(), seg(0, 1, S, 100, 0, 50, 1000), seg(0.1, 1, S, 100, 0, 50, 1000), data(0.2, 151, 10), rows();
	ok(INT(tcp_seq_fwd_bytes_sent, 60) && INT(tcp_seq_fwd_retrans, 1), "payload of a SYN");

	/* 28 bytes in the first fragment, 52 in the second */
	start(), plain(), data(0, 91, 10);
	ident = 9, fragment = 0x2000, data(0.1, 101, 28);
	now = 0.2, ipv4(host[1], host[2], 6, NULL, 0, 52, 9, 6);
	data(0.3, 181, 10), answer(0.5, 181), rows();
	ok(n_rows == 1 && INT(tcp_seq_fwd_bytes_sent, 100) && INT(tcp_seq_fwd_gaps, 0) && INT(tcp_rtt_ack_samples, 1) && REAL(tcp_rtt_ack_min, 0.3),
	   "fragments lengthen their segment, which is timed from the last");
	start(), plain(), data(0, 91, 10);
	ident = 9, fragment = 0x2000, data(0.1, 101, 28);
	data(0.2, 181, 10);
	now = 0.3, ipv4(host[1], host[2], 6, NULL, 0, 52, 9, 6), rows();
	ok(n_rows == 1 && INT(tcp_seq_fwd_bytes_sent, 48) && INT(tcp_seq_fwd_gaps, 1), "but not behind another segment");
}

/* ---- tcp_window */

static void
windows(void)
{
	start(), plain();
	OPT(3, 3, 3), seg(0, 1, S, 100, 0, 0, 64000);
	OPT(3, 3, 20), seg(0.1, 2, S | A, ISN, 101, 0, 60000);
	seg(0.2, 1, A, 101, ISN + 1, 0, 500), seg(0.3, 1, A, 101, ISN + 1, 10, 700), seg(0.4, 1, A, 111, ISN + 1, 10, 700);
	seg(0.5, 1, A, 121, ISN + 1, 10, 300), seg(0.6, 2, A, ISN + 1, 131, 0, 65535), seg(0.7, 1, R | A, 131, ISN + 1, 0, 0), rows();
	ok(n_rows == 1 && INT(tcp_init_win_fwd, 64000) && INT(tcp_init_win_bwd, 60000) && INT(tcp_win_fwd_min, 300) && INT(tcp_win_fwd_max, 700)
	   && REAL(tcp_win_fwd_mean, 550) && INT(tcp_win_fwd_up_count, 1) && INT(tcp_win_fwd_down_count, 1) && INT(tcp_win_fwd_change_count, 2)
	   && INT(tcp_win_fwd_zero_count, 0) && INT(tcp_win_bwd_change_count, 0), "windows without SYN and RST");
	ok(INT(tcp_win_scale_fwd, 3) && INT(tcp_scaled_win_fwd_max, 5600) && INT(tcp_win_scale_bwd, 14) && INT(tcp_scaled_win_bwd_max, 1073725440)
	   && INT(tcp_ws_bwd, 20), "a shift is 14 at most");

	start(), plain();
	OPT(3, 3, 7), seg(0, 1, S, 100, 0, 0, 64000), seg(0.1, 2, S | A, ISN, 101, 0, 60000), seg(0.2, 1, A, 101, ISN + 1, 0, 500), rows();
	ok(INT(tcp_win_scale_fwd, 0) && INT(tcp_win_scale_bwd, 0) && INT(tcp_scaled_win_fwd_max, 500) && NIL(tcp_win_bwd_max)
	   && NIL(tcp_scaled_win_bwd_max) && NIL(tcp_win_bwd_mean) && INT(tcp_ws_fwd, 7) && NIL(tcp_ws_bwd), "scaling that was refused");

	start(), plain();
	OPT(3, 3, 7), seg(0.1, 2, S | A, ISN, 101, 0, 60000), seg(0.2, 1, A, 101, ISN + 1, 0, 500), seg(0.3, 2, A, ISN + 1, 101, 0, 2), rows();
	ok(INT(tcp_win_scale_bwd, 7) && INT(tcp_scaled_win_bwd_max, 256) && NIL(tcp_win_scale_fwd) && NIL(tcp_scaled_win_fwd_max)
	   && INT(tcp_win_fwd_max, 500) && NIL(tcp_init_win_fwd), "the SYN-ACK alone tells its sender's shift");

	start(), plain();
	OPT(2, 4, 5, 0xb4, 3, 3, 7), not_captured = 3, seg(0, 1, S, 100, 0, 0, 64000);
	OPT(3, 3, 7), seg(0.1, 2, S | A, ISN, 101, 0, 60000), seg(0.2, 1, A, 101, ISN + 1, 0, 500), rows();
	ok(NIL(tcp_win_scale_fwd) && INT(tcp_win_scale_bwd, 7) && INT(tcp_mss_fwd, 1460) && NIL(tcp_ws_fwd) && NIL(tcp_sack_permitted_fwd)
	   && INT(tcp_sack_permitted_bwd, 0) && NIL(tcp_fp_fwd) && NIL(tcp_os_hint_fwd) && INT(tcp_fp_fwd_window, 64000), "options cut by the snap length");

	/* the receiver closes its window; one byte probes it */
	begin(100), data(0.1, 101, 100), seg(0.2, 2, A, ISN + 1, 201, 0, 0);
	data(1, 201, 1), seg(1.1, 2, A, ISN + 1, 201, 0, 0), data(2, 201, 1), seg(2.1, 2, A, ISN + 1, 201, 0, 0);
	seg(3, 2, A, ISN + 1, 201, 0, 1000), data(3.1, 201, 100), rows();
	ok(INT(tcp_win_bwd_zero_count, 3) && INT(tcp_win_fwd_zero_count, 0) && REAL(tcp_zero_win_ratio, 3 / 11.0) && INT(tcp_win_bwd_up_count, 1)
	   && INT(tcp_win_bwd_min, 0) && INT(tcp_total_retrans, 0) && INT(tcp_seq_fwd_gaps, 0) && INT(tcp_keep_alive_count, 0)
	   && INT(tcp_seq_fwd_bytes_sent, 200) && INT(tcp_ack_bwd_dup, 0), "zero window and its probes");
	begin(100), seg(0.2, 2, R | A, ISN + 1, 101, 0, 0), rows();
	ok(INT(tcp_win_bwd_zero_count, 0) && NIL(tcp_win_bwd_max) && REAL(tcp_zero_win_ratio, 0), "the window of RST is none");
}

/* ---- tcp_options */

static void
option_columns(void)
{
	start(), plain();
	OPT(2, 4, 0, 0, 4, 2), seg(0, 1, S, 100, 0, 0, 1000);
	OPT(34, 2, 19, 2, 29, 4, 0, 0, 28, 4, 0, 0), seg(0.1, 2, S | A, ISN, 101, 0, 1000);
	seg(0.2, 1, A, 101, ISN + 1, 0, 1000);
	OPT(253, 4, 0, 0), seg(0.3, 1, A, 101, ISN + 1, 0, 1000), rows();
	ok(INT(tcp_mss_fwd, 0) && NIL(tcp_mss_bwd) && INT(tcp_sack_permitted_fwd, 1) && INT(tcp_sack_permitted_bwd, 0)
	   && INT(tcp_options_bitmap, 0x7c5) && INT(tcp_options_pkt_count, 3) && INT(tcp_ts_fwd_present, 0) && NIL(tcp_ts_fwd_first), "kinds of options");

	begin(100), OPT(2, 4, 1, 1, 77, 2, 1, 1), data(0.1, 101, 10), OPT(1, 1, 1, 1), data(0.2, 111, 10), rows();
	ok(NIL(tcp_mss_fwd) && INT(tcp_options_bitmap, 0x801) && INT(tcp_options_pkt_count, 2), "MSS behind the handshake is seen, not believed");

	start(), plain();
	OPT(2, 4, 5, 0xb4, 8, 40, 0, 0), seg(0, 1, S, 100, 0, 0, 1000);
	OPT(3, 0, 2, 4), seg(0.1, 2, S | A, ISN, 101, 0, 1000);
	OPT(1, 5, 1, 0), seg(0.2, 1, A, 101, ISN + 1, 0, 1000), rows();
	ok(INT(tcp_mss_fwd, 1460) && INT(tcp_ts_fwd_present, 0) && INT(tcp_options_bitmap, 1) && NIL(tcp_mss_bwd) && NIL(tcp_ws_bwd)
	   && INT(tcp_sack_blocks_total, 0) && INT(tcp_options_pkt_count, 3), "a lying length ends the list");
	ok(TEXT(tcp_fp_fwd, "4:64:0:1460:1000,0:mss:df,id+,bad:0") && TEXT(tcp_fp_bwd, "4:64:0:0:1000,0::df,id+,bad:0"), "and is a quirk");

	/* the value passes 2^32; a segment that comes late doesn't set it back */
	start(), plain();
	timestamps(0xfffffff0, 5), seg(0, 1, S, 100, 0, 0, 1000);
	timestamps(0, 0xfffffff0), seg(0.1, 2, S | A, ISN, 101, 0, 1000);
	timestamps(16, 3), data(0.2, 101, 10), timestamps(8, 3), data(0.3, 111, 10);
	timestamps(99, 99), seg(0.4, 1, R | A, 121, 0, 0, 0), rows();
	ok(INT(tcp_ts_fwd_present, 1) && INT(tcp_ts_fwd_first, 0xfffffff0) && INT(tcp_ts_fwd_last, 16) && INT(tcp_ts_fwd_diff, 32)
	   && INT(tcp_ts_ecr_fwd_first, 3), "timestamps over the wrap, without RST");
	ok(INT(tcp_ts_bwd_first, 0) && INT(tcp_ts_bwd_last, 0) && NIL(tcp_ts_bwd_diff) && INT(tcp_ts_ecr_bwd_first, 0xfffffff0), "a single one of value 0");
}

static void
ecn(unsigned syn, unsigned synack, int64_t want, const char *name)
{
	start(), plain(), seg(0, 1, S | syn, 100, 0, 0, 1000), seg(0.1, 2, S | A | synack, ISN, 101, 0, 1000), rows();
	ok(INT(tcp_ecn_negotiated, want), "ECN %s", name);
}

static void
ecn_columns(void)
{
	ecn(ECE | CWR, ECE, 1, "negotiated");
	ecn(ECE | CWR, 0, 0, "refused");
	ecn(ECE | CWR, ECE | CWR, 0, "reflected by a broken peer");
	ecn(ECE, ECE, 0, "not asked for");
	start(), plain(), seg(0.1, 2, S | A | ECE, ISN, 101, 0, 1000), rows();
	ok(NIL(tcp_ecn_negotiated), "ECN unknown without the SYN");
}

/* ---- tcp_rtt */

static void
round_trips(void)
{
	begin(100), data(0.100, 101, 100), answer(0.130, 201), rows();
	ok(REAL(tcp_rtt_handshake, 0.048) && REAL(tcp_rtt_handshake_server, 0.040) && REAL(tcp_rtt_handshake_client, 0.008), "handshake");
	ok(INT(tcp_rtt_ack_samples, 3) && REAL(tcp_rtt_ack_min, 0.008) && REAL(tcp_rtt_ack_max, 0.040) && REAL(tcp_rtt_ack_mean, 0.026)
	   && NIL(tcp_rtt_samples) && NIL(tcp_rtt_min), "acknowledgements of SYN, SYN-ACK and payload");
	begin(100), data(0.100, 101, 100), data(0.500, 101, 100), answer(0.510, 201), rows();
	ok(INT(tcp_rtt_ack_samples, 2) && REAL(tcp_rtt_ack_max, 0.040), "a segment sent twice is not timed");
	begin(100), data(0.100, 101, 100), data(0.500, 151, 100), answer(0.510, 201), rows();
	ok(INT(tcp_rtt_ack_samples, 2), "nor one of which a part was sent again");
	begin(100), data(0.100, 101, 100), data(0.120, 201, 100), answer(0.200, 301), rows();
	ok(INT(tcp_rtt_ack_samples, 3) && REAL(tcp_rtt_ack_max, 0.080), "an acknowledgement of two segments times the second");
	begin(100), data(0.100, 101, 100), answer(0.200, 151), answer(0.300, 201), rows();
	ok(INT(tcp_rtt_ack_samples, 3) && REAL(tcp_rtt_ack_max, 0.200), "one inside of a segment times nothing");
	begin(100), data(0.100, 101, 100), answer(0.100, 201), rows();
	ok(INT(tcp_rtt_ack_samples, 2), "no time at all is no sample");

	start(), plain();
	for (uint32_t i = 0; i < 70; i++)
		data(i * 0.001, 1 + i, 1);
	answer(1, 71), data(2, 71, 1), answer(2.5, 72), rows();
	ok(INT(tcp_rtt_ack_samples, 1) && REAL(tcp_rtt_ack_min, 0.5), "at most 64 segments wait");
	start(), plain();
	for (uint32_t i = 0; i < 70; i++)
		data(i * 0.001, 1 + i, 1);
	answer(1.063, 65), rows();
	ok(INT(tcp_rtt_ack_samples, 1) && REAL(tcp_rtt_ack_min, 1), "the 64th does");

	start(), plain();
	seg(0, 1, S, 100, 0, 0, 1000), seg(0.020, 1, S, 100, 0, 0, 1000), seg(0.050, 2, S | A, ISN, 101, 0, 1000), data(0.060, 101, 0), rows();
	ok(REAL(tcp_rtt_handshake, 0.040) && NIL(tcp_rtt_handshake_server) && REAL(tcp_rtt_handshake_client, 0.010)
	   && INT(tcp_seq_fwd_retrans, 1), "SYN sent twice");
	start(), plain();
	seg(0, 1, S, 100, 0, 0, 1000), seg(0.020, 2, S | A, ISN, 101, 0, 1000), seg(0.5, 2, S | A, ISN, 101, 0, 1000), data(0.6, 101, 0), rows();
	ok(REAL(tcp_rtt_handshake, 0.6) && REAL(tcp_rtt_handshake_server, 0.020) && NIL(tcp_rtt_handshake_client), "SYN-ACK sent twice");
	start(), plain(), seg(0, 1, S, 100, 0, 0, 1000), seg(0.030, 2, R | A, 0, 101, 0, 0), rows();
	ok(NIL(tcp_rtt_handshake) && NIL(tcp_rtt_handshake_server) && INT(tcp_rtt_ack_samples, 1) && REAL(tcp_rtt_ack_max, 0.030)
	   && INT(tcp_seq_bwd_gaps, 0), "refused");
	start(), plain(), seg(0, 1, S, 100, 0, 0, 1000), seg(0, 2, S | A, ISN, 101, 0, 1000), data(0, 101, 0), rows();
	ok(REAL(tcp_rtt_handshake, 0) && REAL(tcp_rtt_handshake_server, 0) && REAL(tcp_rtt_handshake_client, 0) && INT(tcp_rtt_ack_samples, 0),
	   "all in one clock tick");
}

static void
timestamp_round_trips(void)
{
	double		deviation = sqrt((0.014 * 0.014 + 0.018 * 0.018 + 0.004 * 0.004) / 3);

	start(), plain();
	timestamps(1000, 0), seg(0, 1, S, 100, 0, 0, 1000);
	timestamps(90, 1000), seg(0.040, 2, S | A, ISN, 101, 0, 1000);
	timestamps(1048, 90), data(0.048, 101, 0);
	timestamps(1100, 90), data(0.100, 101, 10);
	timestamps(140, 1100), answer(0.130, 111), rows();
	ok(INT(tcp_rtt_samples, 3) && REAL(tcp_rtt_min, 0.008) && REAL(tcp_rtt_max, 0.040) && REAL(tcp_rtt_mean, 0.026)
	   && REAL(tcp_rtt_std, deviation) && REAL(tcp_rtt_jitter_avg, 0.010), "timestamps and their echoes");
	timestamps(20000, 1100), seg(20, 2, A, ISN + 1, 111, 30, 1000), rows();
	ok(INT(tcp_rtt_samples, 3) && REAL(tcp_rtt_max, 0.040), "an echo of long ago is no round trip");
	timestamps(21000, 20000), data(20.5, 111, 10), timestamps(21000, 20000), data(21, 111, 10), timestamps(22000, 21000), answer(21.1, 121), rows();
	ok(INT(tcp_rtt_samples, 3), "neither is that of a segment sent twice, nor one that acknowledges nothing new");

	start(), plain();
	timestamps(1000, 0), seg(0, 1, S, 100, 0, 0, 1000), seg(0.040, 2, S | A, ISN, 101, 0, 1000), data(0.048, 101, 0), rows();
	ok(NIL(tcp_rtt_samples) && NIL(tcp_rtt_mean) && NIL(tcp_rtt_jitter_avg), "timestamps of one side only");
	start(), plain(), timestamps(5, 0), data(0, 100, 1), timestamps(6, 0), answer(1, 101), rows();
	ok(INT(tcp_rtt_samples, 0) && NIL(tcp_rtt_min) && NIL(tcp_rtt_std), "timestamps of both sides, none echoed");

	/* one clock tick a segment: the 65th is not kept */
	start(), plain();
	for (uint32_t i = 0; i < 65; i++)
		timestamps(100 + i, 0), data(i * 0.001, 1 + i, 1);
	timestamps(7, 164), answer(1, 66), rows();
	ok(INT(tcp_rtt_samples, 0), "at most 64 timestamps wait");
	n_frames--;
	timestamps(7, 163), answer(1.063, 66), rows();
	ok(INT(tcp_rtt_samples, 1) && REAL(tcp_rtt_min, 1), "the 64th does");
}

/* ---- tcp_mptcp */

static void
multipath(void)
{
	start(), plain();
	OPT(30, 4, 0x01, 0x81), seg(0, 1, S, 100, 0, 0, 1000);
	OPT(30, 12, 0x01, 0x81, 1, 2, 3, 4, 5, 6, 7, 8), seg(0.1, 2, S | A, ISN, 101, 0, 1000), data(0.2, 101, 0), rows();
	ok(INT(mptcp_detected, 1) && INT(mptcp_capable_fwd, 1) && INT(mptcp_capable_bwd, 1) && INT(mptcp_option_count, 2)
	   && INT(mptcp_stat, 0x200f) && INT(is_mptcp, 1), "MP_CAPABLE of both");
	start(), plain(), OPT(30, 4, 0x01, 0x81), seg(0, 1, S, 100, 0, 0, 1000), seg(0.1, 2, S | A, ISN, 101, 0, 1000), rows();
	ok(INT(mptcp_detected, 1) && INT(mptcp_stat, 0x2003) && INT(mptcp_capable_bwd, 0) && INT(is_mptcp, 0), "fallback");
	start(), plain(), OPT(30, 4, 0x00, 0x81), seg(0, 1, S, 100, 0, 0, 1000), rows();
	ok(INT(mptcp_stat, 0x4003) && NIL(mptcp_capable_bwd), "version 0");
	begin(100), OPT(30, 4, 0x01, 0x81), data(0.1, 101, 10), rows();
	ok(INT(mptcp_stat, 0x2001) && INT(mptcp_capable_fwd, 0) && INT(is_mptcp, 0), "MP_CAPABLE without SYN");
	start(), plain(), OPT(30, 4, 0x10, 1), seg(0, 1, S, 100, 0, 0, 1000), OPT(30, 4, 0x10, 1), seg(0.1, 2, S | A, ISN, 101, 0, 1000), rows();
	ok(INT(mptcp_stat, 0x0011) && INT(is_mptcp, 1), "a subflow that joins");
	start(), plain(), OPT(30, 4, 0x20, 1), data(0, 101, 10), rows();
	ok(INT(mptcp_stat, 0x0021) && INT(is_mptcp, 0), "DSS of one side");
	OPT(30, 4, 0x20, 1), answer(0.1, 111), rows();
	ok(INT(mptcp_stat, 0x0021) && INT(is_mptcp, 1), "DSS of both");

	for (unsigned subtype = 1; subtype <= 15; subtype++)
	{
		unsigned	want = 1 | (subtype <= 8 ? 8u << subtype : 0x1000);

		begin(100), OPT(30, 3, (uint8_t) (subtype << 4), 1), data(0.1, 101, 10), rows();
		ok(INT(mptcp_stat, want) && INT(mptcp_option_count, 1), "subtype %u", subtype);
	}
	begin(100), OPT(30, 3, 0x30, 30, 4, 0x40, 0, 1), data(0.1, 101, 10), rows();
	ok(INT(mptcp_option_count, 1) && INT(mptcp_stat, 0xc1), "two options in one segment");
	begin(100), OPT(30, 2, 30, 9), data(0.1, 101, 10), rows();
	ok(INT(mptcp_detected, 0) && INT(mptcp_stat, 0) && INT(tcp_options_bitmap, 0x20), "an option without subtype, and one that is too long");
}

/* ---- tcp_fingerprint */

static void
fingerprints(void)
{
	start(), plain();
	ttl = 57, OPT(2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7), seg(0, 1, S, 100, 0, 0, 29200);
	ttl = 120, ident = 0, fragment = 0, OPT(2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2), seg(0.1, 2, S | A, ISN, 101, 0, 7500), rows();
	ok(TEXT(tcp_fp_fwd, "4:64:0:1460:mss*20,7:mss,sok,ts,nop,ws:df,id+:0") && TEXT(tcp_os_hint_fwd, "linux") && INT(tcp_fp_fwd_window, 29200)
	   && INT(tcp_fp_fwd_ttl, 57) && INT(tcp_fp_fwd_mss, 1460) && INT(tcp_fp_fwd_ws, 7), "SYN");
	ok(TEXT(tcp_fp_bwd, "4:128:0:1460:mtu*5,8:mss,nop,ws,nop,nop,sok:id-:0") && TEXT(tcp_os_hint_bwd, "windows") && INT(tcp_fp_bwd_ttl, 120)
	   && INT(tcp_fp_bwd_ws, 8), "SYN-ACK");

	start(), plain();
	OPT(2, 4, 5, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 4, 2, 0, 0), seg(0, 1, S, 100, 0, 0, 65535);
	ttl = 255, OPT(2, 4, 5, 0xb4), seg(0.1, 2, S | A, ISN, 101, 0, 4128), rows();
	ok(TEXT(tcp_fp_fwd, "4:64:0:1460:65535,6:mss,nop,ws,nop,nop,ts,sok,eol+1:df,id+:0") && TEXT(tcp_os_hint_fwd, "macos"), "options that end");
	ok(TEXT(tcp_os_hint_bwd, "cisco-ios"), "MSS alone");

	/* whatever can be odd, at once */
	start(), plain();
	ttl = 32, fragment = 0x8000, urgent = 3, tos = 1;
	OPT(8, 10, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 15, 99, 2, 0, 0, 7, 0, 0), seg(0, 1, S | PSH | CWR, 0, 5, 4, 100);
	urgent = 0, seg(0.1, 2, S | A | URG, ISN, 0, 0, 0), rows();
	ok(TEXT(tcp_fp_fwd, "4:32:0:0:100,15:ts,ws,?99,eol+4:ecn,0+,seq-,ack+,uptr+,pushf+,ts1-,ts2+,opt+,exws:+") && TEXT(tcp_os_hint_fwd, "unknown"),
	   "quirks of a SYN");
	ok(TEXT(tcp_fp_bwd, "4:64:0:0:0,0::df,id+,ack-,urgf+:0") && NIL(tcp_fp_bwd_mss) && NIL(tcp_fp_bwd_ws) && INT(tcp_fp_bwd_window, 0), "of a SYN-ACK");

	start(), plain(), OPT(2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 10), seg(0, 1, S, 100, 0, 0, 1024);
	OPT(2, 4, 5, 0xb4, 1, 1, 4, 2, 1, 3, 3, 10), seg(0.1, 2, S | A, ISN, 101, 0, 1025), rows();
	ok(TEXT(tcp_os_hint_fwd, "unknown") && TEXT(tcp_os_hint_bwd, "linux"), "a scanner's small window");

	start(), plain(), seg(0, 1, S, 100, 0, 0, 1000), seg(1, 1, S, 100, 0, 0, 2000), rows();
	ok(INT(tcp_fp_fwd_window, 1000) && NIL(tcp_fp_bwd) && NIL(tcp_fp_bwd_window), "the first SYN counts");
	start(), plain(), data(0, 1, 1), answer(0.1, 2), rows();
	ok(NIL(tcp_fp_fwd) && NIL(tcp_os_hint_fwd) && NIL(tcp_fp_fwd_ttl) && NIL(tcp_fp_bwd), "no SYN");
}

/* Timestamps that go so many ticks in so many seconds. */
static void
clock_goes(uint32_t first, uint32_t ticks, double seconds)
{
	start(), plain(), timestamps(first, 0), data(0, 1, 1), timestamps(first + ticks, 0), data(seconds, 2, 1), rows();
}

static void
uptimes(void)
{
	clock_goes(3600000, 2000, 2);
	ok(REAL(tcp_uptime_fwd, 1) && NIL(tcp_uptime_bwd), "an hour at 1000 Hz");
	clock_goes(3600000, 500, 2);
	ok(REAL(tcp_uptime_fwd, 4), "four at 250 Hz");
	clock_goes(3600000, 2200, 2);
	ok(REAL(tcp_uptime_fwd, 1), "10 % off is near enough");
	clock_goes(3600000, 2202, 2);
	ok(NIL(tcp_uptime_fwd), "more isn't");
	clock_goes(3600000, 999, 0.999);
	ok(NIL(tcp_uptime_fwd), "less than a second doesn't tell");
	clock_goes(3600000, 0, 2);
	ok(NIL(tcp_uptime_fwd), "a clock that stands");
	start(), plain(), timestamps(1, 0), data(0, 1, 1), rows();
	ok(NIL(tcp_uptime_fwd), "a single timestamp");
}

/* ---- what is no TCP, and memory */

static void
no_tcp(void)
{
	static const jj_group groups[] = {JJ_G_tcp_sequence, JJ_G_tcp_window, JJ_G_tcp_options, JJ_G_tcp_rtt, JJ_G_tcp_mptcp, JJ_G_tcp_fingerprint};

	for (int truncated = 0; truncated < 2; truncated++)
	{
		unsigned	columns = 0,
					there = 0;
		uint8_t		b[10] = {4, 87, 0, 80};

		start(), plain();
		if (truncated)
			ipv4(host[1], host[2], 6, b, sizeof(b), 40, 1, 0);
		else
			udp(1, 5, 2, 6, 10);
		rows();
		for (unsigned f = 0; f < JJ_FEATURES; f++)
			for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
				if (jj_feature_table[f].group == groups[g])
				{
					columns++;
					there += jj_set_has(&present, f);
				}
		ok(n_rows == 1 && columns > 80 && there == 0, truncated ? "a header that is cut: all NULL" : "UDP: all NULL");
	}
}

static void
ignore(const jj_row *row)
{
	(void) row;
}

static void
short_memory(void)
{
	failing		f = {.fail_at = UINT64_MAX};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_error	err;
	uint64_t	total;
	uint64_t	wrong = 0;
	uint64_t	leaks = 0;

	/* lists of segments, of timestamps and of gaps that grow to their bounds */
	begin(100);
	for (uint32_t i = 0; i < 70; i++)
		timestamps(i, 0), data(0.1 + i * 0.001, 111 + 20 * i, 10);
	ok(run_with(&o, NULL, &a, JJ_BATCH, ignore, &err) == JJ_OK && f.live == 0, "lists at their bounds are released");
	total = f.calls;
	for (uint64_t k = 1; k <= total; k++)
	{
		f.calls = 0;
		f.fail_at = k;
		f.live = 0;
		wrong += run_with(&o, NULL, &a, JJ_BATCH, ignore, &err) != JJ_ERR_NOMEM;
		leaks += f.live != 0;
	}
	is_int((int64_t) wrong, 0, "whichever allocation fails, the result says so");
	is_int((int64_t) leaks, 0, "and nothing leaks");
}

int
main(void)
{
	o = defaults();
	sequence();
	bytes_seen();
	windows();
	option_columns();
	ecn_columns();
	round_trips();
	timestamp_round_trips();
	multipath();
	fingerprints();
	uptimes();
	no_tcp();
	short_memory();
	return done_testing();
}
