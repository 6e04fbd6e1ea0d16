/*
 * One flow: the record that the table keeps and the extractors read.
 */
#ifndef JJ_FLOW_H
#define JJ_FLOW_H

#include "flow/key.h"

#define JJ_NO_FLOW UINT32_MAX

typedef enum jj_end_reason
{
	JJ_END_NONE,				/* still open */
	JJ_END_IDLE,
	JJ_END_ACTIVE,
	JJ_END_TCP_CLOSE,
	JJ_END_TCP_RESET,
	JJ_END_REPLACED,
	JJ_END_OF_CAPTURE,
	JJ_END_EVICTED,
	JJ_END_REASONS
} jj_end_reason;

/* What timing, size and padding need of a packet; kept until the flow ends or max_samples is reached. */
typedef struct jj_sample
{
	int64_t		t_dir;			/* flow clock in ns since the flow's start, times 2, plus the direction */
	uint32_t	ip_len;
	uint32_t	payload_len;
} jj_sample;

/* VLANs and tunnels of the first packet; only flows that have some have it. */
typedef struct jj_encapsulation
{
	uint8_t		n_vlans;
	uint8_t		n_tunnels;
	uint8_t		outer_version;
	uint16_t	vlans[JJ_MAX_VLANS];
	jj_tunnel	tunnels[JJ_MAX_TUNNELS];
	uint8_t		outer_src[16];
	uint8_t		outer_dst[16];
} jj_encapsulation;

/* Bits of jj_flow.seen. */
#define JJ_SEEN_SYN 1
#define JJ_SEEN_SYNACK 2
#define JJ_SEEN_FIN_FWD 4
#define JJ_SEEN_FIN_BWD 8
#define JJ_SEEN_RST 16
#define JJ_SEEN_TCP 32			/* a readable TCP header */

/* Bits of jj_flow.tcp_known: which of the TCP numbers are set, shifted by direction. */
#define JJ_KNOWN_ISN 1
#define JJ_KNOWN_FIN 4
#define JJ_KNOWN_ACK 16

/*
 * Four cache lines; every packet touches the first three. The states of the
 * enabled extractors follow. [0] is the initiator's direction.
 */
typedef struct jj_flow
{
	jj_key		key;
	uint32_t	hash;
	uint32_t	self;			/* number of this record in the table */
	uint8_t		end_reason;		/* jj_end_reason; of a closed flow that lingers, why it closed */
	uint8_t		tcp_known;
	uint8_t		seen;
	uint8_t		n_labels;
	bool		used : 1;		/* the record belongs to a flow */
	bool		live : 1;		/* in the table */
	bool		closed : 1;		/* TCP close seen, lingering */
	bool		late : 1;		/* its last packet came late: it is in the list of this name, if that is kept */
	bool		young : 1;		/* in the list of this name */
	bool		unwanted : 1;	/* it doesn't meet the conditions of the selection: no features, no row */
	bool		init_is_lo : 1; /* the initiator is key.lo */
	bool		first_dir : 1;

	int64_t		start;			/* ns since the epoch */
	int64_t		clock;			/* flow clock of the last packet, ns since start */
	uint64_t	packets[2];
	uint64_t	bytes[2];		/* IP packet lengths */
	uint64_t	payload[2];

	jj_sample  *sample;
	uint32_t	n_samples;
	uint32_t	sample_room;
	uint32_t	isn[2];
	uint32_t	fin_end[2];		/* sequence number behind the FIN */
	uint32_t	max_ack[2];		/* highest acknowledgement sent */
	int64_t		closed_at;		/* ns since start */
	uint32_t	fragments;
	uint32_t	truncated;
	jj_encapsulation *encapsulation;

	uint64_t	first_frame;
	void	   *folded;			/* accumulators of a flow beyond max_samples */
	uint32_t	capture;		/* index of the source's name */
	int16_t		first_icmp_type;
	int16_t		first_icmp_code;
	int32_t		src_port;		/* the initiator's, -1 if it has none */
	int32_t		dst_port;
	uint8_t		labels[JJ_MAX_LABELS];	/* of the first packet */
} jj_flow;

#define JJ_FLOW_HOT 192			/* bytes of the first three lines */
#define JJ_FLOW_BYTES 256		/* the extractors' states begin there */

_Static_assert(sizeof(jj_flow) <= JJ_FLOW_BYTES, "a flow has four cache lines");

/* Capture and frame of the first packet: the order of flows that end at once. */
static inline uint64_t
jj_flow_number(const jj_flow *f)
{
	return (uint64_t) f->capture << 40 | f->first_frame;
}

static inline int
jj_flow_version(const jj_flow *f)
{
	return f->key.flags & JJ_KEY_IPV6 ? 6 : 4;
}

static inline const uint8_t *
jj_flow_initiator(const jj_flow *f)
{
	return f->init_is_lo ? f->key.lo : f->key.hi;
}

static inline const uint8_t *
jj_flow_responder(const jj_flow *f)
{
	return f->init_is_lo ? f->key.hi : f->key.lo;
}

/* Text of an end reason, and its IPFIX flowEndReason (IE 136, RFC 5102). */
extern const char *jj_end_reason_name(jj_end_reason reason);
extern int	jj_end_reason_ipfix(jj_end_reason reason);

/* a - b in ns, saturating at +-JJ_STAT_MAX. */
extern int64_t jj_time_diff(int64_t a, int64_t b);

/* a + b for b >= 0, saturating at INT64_MAX. */
static inline int64_t
jj_time_add(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

#endif
