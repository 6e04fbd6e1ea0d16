/*
 * What the groups tcp_sequence, tcp_window, tcp_options, tcp_mptcp, tcp_rtt
 * and tcp_fingerprint read: one analysis of a TCP connection, packet by packet,
 * in bounded state. Allocated with a flow's first TCP segment.
 *
 * Loss, reordering and duplicates follow the rules of Wireshark's TCP analysis
 * (User's Guide, section "TCP Analysis"); round-trip times follow Karn and
 * RFC 7323.
 */
#ifndef JJ_TCP_ANALYSIS_H
#define JJ_TCP_ANALYSIS_H

#include "extractors/extractor.h"
#include "packet/tcp_options.h"

/* Entries of a side's lists; what does not fit is not followed. */
#define JJ_TCP_HOLES 64			/* gaps in the payload seen; the lowest is forgotten */
#define JJ_TCP_UNACKED 64		/* segments that wait for their acknowledgement */
#define JJ_TCP_TSVALS 64		/* timestamps that wait for their echo */

/* Distinct payload bytes of a direction: positions unwrapped to 64 bits. */
typedef struct jj_tcp_union
{
	bool		started;
	bool		has_floor;
	uint32_t	floor;			/* first sequence number behind the SYN */
	int64_t		lo;
	int64_t		hi;
	uint64_t	count;
	int64_t		(*hole)[2];		/* room for JJ_TCP_HOLES + 2 once there is one, ascending */
	uint32_t	n_holes;
} jj_tcp_union;

typedef struct jj_tcp_segment
{
	int64_t		t;
	uint32_t	start;
	uint32_t	end;
	bool		void_sample;	/* sent again, so its acknowledgement is ambiguous */
} jj_tcp_segment;

typedef struct jj_tcp_tsval
{
	int64_t		t;
	uint32_t	value;
	bool		void_sample;
} jj_tcp_tsval;

/* The SYN or SYN-ACK that a fingerprint is made of. */
typedef struct jj_tcp_syn
{
	uint32_t	seq;
	uint32_t	ack;
	uint32_t	ip_id;
	uint32_t	flow_label;
	uint16_t	flags;
	uint16_t	window;
	uint16_t	urgent;
	uint16_t	ip_header_len;
	uint8_t		ip_version;
	uint8_t		ip_flags;
	uint8_t		ttl;
	uint8_t		tos;
	bool		payload;
	uint8_t		n_raw;
	uint8_t		raw[JJ_MAX_TCP_OPTIONS];
	jj_tcp_options options;
} jj_tcp_syn;

/* One direction. What most segments touch comes first, line by line of the cache; the rest is for few of them. */
typedef struct jj_tcp_side
{
	int64_t		next_t;
	int64_t		ack_t;			/* time of the last segment */
	uint32_t	next;			/* highest next sequence number */
	uint32_t	ack;
	uint32_t	base;
	uint32_t	dups;			/* length of the present run of duplicate ACKs */
	uint32_t	hiack;			/* highest acknowledgement sent */
	uint32_t	ts_sent;		/* newest TSval on a segment that occupies sequence space */
	uint32_t	ts_count;
	uint16_t	window;
	uint8_t		n_unacked;
	uint8_t		unacked_room;
	uint8_t		n_tsvals;
	uint8_t		tsval_room;
	bool		has_base;
	bool		has_next;
	bool		has_window;
	bool		has_ack;
	bool		probe;			/* the last segment was a zero window probe, a keep-alive */
	bool		keep;
	bool		has_hiack;
	bool		has_ts_sent;
	bool		ts_present;
	bool		has_fragment;

	jj_tcp_segment *unacked;	/* at most JJ_TCP_UNACKED */
	jj_tcp_tsval *tsval;		/* at most JJ_TCP_TSVALS */
	jj_tcp_union bytes;

	uint64_t	packets;
	uint64_t	window_sum;
	int64_t		ts_new_t;
	uint64_t	ts_diff;
	uint32_t	acks;
	uint32_t	consuming;		/* segments that occupy sequence space */
	uint32_t	windows;
	uint32_t	window_up;
	uint32_t	window_down;
	uint32_t	ts_new;
	uint16_t	window_min;
	uint16_t	window_max;
	uint16_t	window_prev;

	/* the first SYN */
	bool		has_isn;
	bool		has_init_window;
	uint16_t	init_window;
	uint32_t	isn;
	bool		has_syn;
	bool		syn_ack;
	bool		syn_cut;
	bool		syn_has_mss;
	bool		syn_has_ws;
	bool		syn_sack;
	uint8_t		syn_ws;
	uint16_t	syn_mss;
	jj_tcp_syn *syn;

	/* the first timestamps, and the last sample of this side's data */
	bool		has_ecr;
	bool		has_ts_prev;
	uint32_t	ecr_first;
	uint32_t	ts_first;
	int64_t		ts_first_t;
	int64_t		ts_prev;

	uint32_t	retrans;
	uint32_t	fast;
	uint32_t	spurious;
	uint32_t	out_of_order;
	uint32_t	lost;
	uint32_t	dup_acks;
	uint32_t	keep_alives;
	uint32_t	zero_windows;
	bool		mp_capable;
	bool		mp_join;
	bool		mp_dss;

	/* first fragment that waits for the rest of its segment */
	uint32_t	fragment_id;
	uint32_t	fragment_start; /* sequence number of byte 0 of the IP payload */
	uint32_t	fragment_seq;
} jj_tcp_side;

typedef struct jj_tcp_analysis
{
	bool		has_syn_t;
	bool		has_irtt;
	bool		has_handshake;
	bool		has_server;
	bool		has_client;
	bool		complete;
	bool		open;			/* an ACK after the SYNs was seen */
	bool		ecn_syn;
	bool		has_ecn;
	bool		ecn;
	uint8_t		syn_dir;
	uint32_t	option_bits;
	uint32_t	option_packets;
	jj_moments	ack_rtt;
	jj_tcp_side side[2];
	jj_moments	ts_rtt;
	jj_u128		jitter_sum;
	uint64_t	jitters;
	int64_t		syn_t;
	int64_t		synack_t;
	int64_t		irtt;			/* of the reordering window: any ACK after a SYN ends it */
	int64_t		handshake;
	int64_t		handshake_server;
	int64_t		handshake_client;
	uint32_t	syns;
	uint32_t	synacks;
	uint32_t	sack_blocks;
	uint32_t	dsacks;
	uint32_t	mp_bits;
	uint32_t	mp_packets;
} jj_tcp_analysis;

/* tcp_bytes.c: count the n > 0 payload bytes at a sequence number that were not there before. False without memory. */
extern bool jj_tcp_bytes_add(jj_tcp_union *u, uint32_t seq, uint32_t n, const jj_allocator *a);

/* State in the flow record: a pointer, NULL before the first TCP segment. */
extern const jj_extractor jj_analyse_tcp;

/* The analysis in an emit function's state, NULL if there was no TCP segment. */
static inline const jj_tcp_analysis *
jj_tcp_analysis_of(const void *state)
{
	return *(jj_tcp_analysis *const *) state;
}

/* a - b as signed serial number difference (RFC 1982). */
static inline int32_t
jj_seq_diff(uint32_t a, uint32_t b)
{
	uint32_t	d = a - b;

	return d < UINT32_C(0x80000000) ? (int32_t) d : -(int32_t) (~d) - 1;
}

#endif
