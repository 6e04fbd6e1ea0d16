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
	int64_t		lo;
	int64_t		hi;
	uint64_t	count;
	int64_t		(*hole)[2];		/* room for JJ_TCP_HOLES + 2 once there is one, ascending */
	uint32_t	floor;			/* first sequence number behind the SYN */
	uint8_t		n_holes;
	bool		started;
	bool		has_floor;
} jj_tcp_union;

/* A segment that waits for its acknowledgement, or a timestamp for its echo. */
typedef struct jj_tcp_wait
{
	int64_t		t_void;			/* when it was sent, times 2, plus 1 if it was sent again, so that an answer is ambiguous */
	uint32_t	start;			/* sequence number, or TSval */
	uint32_t	end;
} jj_tcp_wait;

/* A queue of them: a ring, in the side itself while it is short. */
typedef struct jj_tcp_queue
{
	uint8_t		head;
	uint8_t		used;
	uint8_t		room;			/* power of two, 0 at the start */
} jj_tcp_queue;

#define JJ_TCP_FEW_UNACKED 2	/* powers of two */
#define JJ_TCP_FEW_TSVALS 1

/* The SYN or SYN-ACK that a fingerprint is made of; with the options of most one cache line. */
typedef struct jj_tcp_syn
{
	uint16_t	flags;
	uint16_t	window;
	uint16_t	ip_header_len;
	uint8_t		ip_version;
	uint8_t		ip_flags;
	uint8_t		ttl;
	uint8_t		tos;
	uint8_t		size;			/* bytes of its options, of which n_raw were captured */
	uint8_t		n_raw;
	bool		payload : 1;
	bool		seq : 1;		/* not 0; so are these: */
	bool		ack : 1;
	bool		ip_id : 1;
	bool		flow_label : 1;
	bool		urgent : 1;
	uint8_t		raw[];			/* n_raw bytes */
} jj_tcp_syn;

/*
 * One direction, three cache lines: the first is what segments of either
 * direction touch, the others those of this one.
 */
typedef struct jj_tcp_side
{
	uint32_t	ack;
	uint16_t	window;
	uint8_t		dups;			/* length of the present run of duplicate ACKs, at most 255 */
	bool		has_window : 1;
	bool		has_ack : 1;
	bool		keep : 1;		/* the last segment was a keep-alive */
	jj_tcp_queue unacked;		/* at most JJ_TCP_UNACKED */
	jj_tcp_queue tsvals;		/* at most JJ_TCP_TSVALS */
	jj_tcp_wait few_unacked[JJ_TCP_FEW_UNACKED];
	jj_tcp_wait few_tsvals[JJ_TCP_FEW_TSVALS];

	int64_t		next_t;
	int64_t		ack_t;			/* time of the last segment */
	uint32_t	next;			/* highest next sequence number */
	uint32_t	base;
	uint32_t	hiack;			/* highest acknowledgement sent */
	uint32_t	ts_sent;		/* newest TSval on a segment that occupies sequence space */
	uint32_t	packets;
	uint32_t	consuming;		/* segments that occupy sequence space */
	uint16_t	window_min;
	uint16_t	window_max;
	uint16_t	window_prev;
	bool		has_base : 1;
	bool		has_next : 1;
	bool		has_hiack : 1;
	bool		has_ts_sent : 1;
	bool		has_fragment : 1;
	bool		has_prev : 1;	/* window_prev */
	bool		has_ecr : 1;	/* jj_tcp_rest.ecr_first */
	bool		ts_present : 1;
	jj_tcp_union bytes;
	uint64_t	window_sum;
	uint32_t	window_up;
	uint32_t	window_down;
	int64_t		ts_new_t;
	uint64_t	ts_diff;
	uint32_t	ts_new;
	uint32_t	ts_count;
} jj_tcp_side;

/* What few segments of a direction touch. */
typedef struct jj_tcp_rest
{
	int64_t		ts_first_t;
	jj_tcp_wait *unacked;		/* blocks of queues that are long */
	jj_tcp_wait *tsvals;
	jj_tcp_syn *syn;
	uint32_t	no_ack;			/* segments without ACK */
	uint32_t	no_window;		/* segments whose window does not count */

	/* the first SYN */
	uint32_t	isn;
	uint16_t	init_window;
	uint16_t	syn_mss;
	uint8_t		syn_ws;
	bool		has_isn : 1;
	bool		has_init_window : 1;
	bool		has_syn : 1;
	bool		syn_ack : 1;
	bool		syn_cut : 1;
	bool		syn_has_mss : 1;
	bool		syn_has_ws : 1;
	bool		syn_sack : 1;
	bool		mp_capable : 1;
	bool		mp_join : 1;
	bool		mp_dss : 1;

	/* the first timestamps; ts_first_t is the time of ts_first */
	uint32_t	ecr_first;
	uint32_t	ts_first;

	uint32_t	retrans;
	uint32_t	fast;
	uint32_t	spurious;
	uint32_t	out_of_order;
	uint32_t	lost;
	uint32_t	dup_acks;
	uint32_t	keep_alives;
	uint32_t	zero_windows;

	/* first fragment that waits for the rest of its segment */
	uint32_t	fragment_id;
	uint32_t	fragment_start; /* sequence number of byte 0 of the IP payload */
	uint32_t	fragment_seq;
} jj_tcp_rest;

/* Round-trip times of acknowledgements. */
typedef struct jj_tcp_rtt
{
	uint64_t	n;
	int64_t		min;
	int64_t		max;
	jj_u128		sum;
} jj_tcp_rtt;

typedef struct jj_tcp_analysis
{
	int64_t		irtt;			/* of the reordering window: any ACK after a SYN ends it */
	int64_t		syn_t;
	uint32_t	option_bits;
	uint32_t	option_packets;
	uint8_t		syn_dir;
	bool		has_syn_t : 1;
	bool		has_irtt : 1;
	bool		complete : 1;
	bool		open : 1;		/* an ACK after the SYNs was seen */
	bool		has_handshake : 1;
	bool		has_server : 1;
	bool		has_client : 1;
	bool		ecn_syn : 1;
	bool		has_ecn : 1;
	bool		ecn : 1;
	bool		has_ts_prev[2];	/* the last sample from the timestamps of each side's data */
	int64_t		ts_prev[2];

	jj_tcp_side side[2];
	jj_tcp_rtt	ack_rtt;
	jj_moments	ts_rtt;
	jj_u128		jitter_sum;		/* over ts_rtt.n samples but each side's first */

	jj_tcp_rest rest[2];
	int64_t		synack_t;
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
