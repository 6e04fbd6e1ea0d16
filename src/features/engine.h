/*
 * The engine's public header: everything a face (the PostgreSQL functions, the
 * benchmark, the tests) needs to turn frames into rows.
 *
 *     reader -> jj_frame -> jj_engine_feed -> jj_engine_next -> jj_row
 */
#ifndef JJ_ENGINE_H
#define JJ_ENGINE_H

#include "capture/filter.h"
#include "capture/reader.h"
#include "features/cryptopan.h"
#include "features/row.h"
#include "packet/decode.h"

#define JJ_VERSION "0.1.0"
#define JJ_SECOND INT64_C(1000000000)
#define JJ_INFINITE INT64_MAX	/* a timeout that is off */
#define JJ_LINGER (5 * JJ_SECOND)	/* how long a closed TCP flow still takes packets */
#define JJ_BATCH 64				/* most frames in one call of jj_engine_feed */
#define JJ_STREAM_TOTAL (UINT64_C(256) << 20)	/* bytes that all TCP streams together hold behind gaps, at most */

typedef enum jj_flow_end
{
	JJ_FLOW_END_TCP_CLOSE,
	JJ_FLOW_END_FIN_RST,
	JJ_FLOW_END_TIMEOUT
} jj_flow_end;

typedef enum jj_eviction
{
	JJ_EVICT_LRU,
	JJ_EVICT_OLDEST
} jj_eviction;

/* Limits of jj_options, also those of the settings. */
#define JJ_MIN_SAMPLES 64
#define JJ_MAX_SAMPLES 1000000
#define JJ_MAX_SEQUENCE 65535
#define JJ_MAX_ENTROPY_SAMPLE 65535
#define JJ_MAX_STREAM 16777216

/* How flows are made. jj_options_default gives DESIGN's defaults for files. */
typedef struct jj_options
{
	int64_t		flow_timeout;	/* ns, >= 0; JJ_INFINITE = off */
	int64_t		active_timeout; /* ns, >= 0; JJ_INFINITE = off */
	jj_flow_end flow_end;
	uint32_t	max_concurrent_flows;	/* 0 = no limit */
	jj_eviction eviction;
	bool		inner_tunnels;	/* flows of the innermost (true) or outermost IP packet */
	bool		vlan_in_key;
	bool		defragment;		/* later fragments join the flow of their first */
	int64_t		burst_threshold;	/* ns, > 0 */
	uint32_t	max_sequence_length;	/* 0 to JJ_MAX_SEQUENCE; 0 = sequence columns are NULL */
	uint32_t	max_samples;	/* packets per flow up to which quantiles are exact */
	uint32_t	entropy_sample_bytes;	/* 1 to JJ_MAX_ENTROPY_SAMPLE, of each direction */
	uint32_t	stream_bytes;	/* 0 to JJ_MAX_STREAM; held of each direction of a TCP flow behind a gap */
	double		sampling_rate;	/* share of flows to keep, 0 < rate <= 1 */
	uint64_t	sampling_seed;
	const struct jj_selection *select;	/* conditions on flows (flow/select.h), kept by reference; NULL = none */
	struct jj_connections *connections;	/* graphs for the group connection (analysis/connection.h), kept by reference; NULL = its columns are NULL */
	uint32_t	share;			/* of the flows, by the hash of their key: those with share of shares; */
	uint32_t	shares;			/* 0 or 1 = all. All of them need the same hash_seed */
	uint64_t	hash_seed;		/* of the flow table; has no influence on any result, but on which share a flow is in */
	bool		anonymize;		/* addresses in rows become pseudonyms (features/anonymize.h) */
	uint8_t		anonymization_key[JJ_CRYPTOPAN_KEY];
	jj_feature_set features;	/* columns to compute */
} jj_options;

extern void jj_options_default(jj_options *o);

/* What happened to the frames fed so far. */
typedef struct jj_counters
{
	uint64_t	frames;
	uint64_t	decoded;		/* frames that became a packet of a flow */
	uint64_t	skipped[JJ_SKIP_REASONS];
	uint64_t	captured_bytes;
	uint64_t	wire_bytes;
	uint64_t	flows_started;
	uint64_t	flows_ended;
	uint64_t	flows_evicted;
	uint64_t	flows_live;
	uint64_t	memory_flows;	/* bytes held by flow records and their samples */
	uint64_t	memory_peak;
	uint64_t	unselected;		/* packets of flows that don't meet the conditions */
	uint64_t	truncated;		/* packets whose IP packet was not captured to its end */
	uint64_t	stream_refused; /* payload bytes behind gaps that were not held, for want of room in JJ_STREAM_TOTAL */
	uint32_t	unsupported_link;	/* first link type that was not supported */
	uint64_t	decoding_ns;	/* of an engine with a clock: decoding and making keys, */
	uint64_t	features_ns;	/* and finding flows, updating them, making rows */
} jj_counters;

typedef struct jj_engine jj_engine;

/*
 * A new engine; options, allocator and filter (NULL = none) are copied, the
 * filter itself stays the caller's. JJ_ERR_ARGUMENT names an option out of range.
 */
extern jj_code jj_engine_open(jj_engine **out, const jj_options *options, jj_filter *filter, const jj_allocator *a, jj_error *err);

/* From now on, measure times by this clock, in ns; NULL ends that. It is read a few times a batch of frames and of rows. */
extern void jj_engine_clock(jj_engine *e, uint64_t (*now) (void));

/*
 * Name of the source of the following frames (column capture, copied). With
 * fresh, no flow continues from the source before: all its flows end, as by
 * jj_engine_finish.
 */
extern jj_code jj_engine_source(jj_engine *e, const char *name, bool fresh, jj_error *err);

/* Take n <= JJ_BATCH frames in capture order; their bytes are not needed afterwards. */
extern jj_code jj_engine_feed(jj_engine *e, const jj_frame *frames, uint32_t n, jj_error *err);

/*
 * For live captures: time has come to now (ns since the epoch) and no frame
 * of an earlier time is expected. Flows past their timeouts and fragments that
 * have waited long enough end, as they would with a frame of that time. Rows
 * are the same as without; they come sooner.
 */
extern jj_code jj_engine_advance(jj_engine *e, int64_t now, jj_error *err);

/* What became of a frame. */
typedef struct jj_observation
{
	const jj_packet *packet;	/* NULL if it was skipped before there was one; valid until the next feed */
	jj_skip		skip;			/* JJ_SKIP_NONE: the packet is one of the flow below, and its t and dir are set */
	bool		waits;			/* a fragment that came before its first: nothing else is set, jj_engine_settled tells the rest */
	uint64_t	first_frame;	/* with capture, which flow: as the columns of these names say */
	uint64_t	number;			/* of the packet in its flow, from 1 */
	const char *capture;		/* as long as the engine lives */
} jj_observation;

/* From now on, each feed says in seen[i] what became of frames[i]; seen has room for JJ_BATCH and stays the caller's. NULL ends that. */
extern void jj_engine_observe(jj_engine *e, jj_observation *seen);

/* What became of a frame that had to wait. */
typedef struct jj_settled
{
	jj_frame	frame;			/* without data */
	const char *capture;		/* its source, as long as the engine lives */
	jj_observation seen;
} jj_settled;

/*
 * The next frame that has waited and is in its flow by now, NULL if there is
 * none; to be asked after each feed, source and finish while frames are
 * observed. Valid until the next call for this engine.
 */
extern const jj_settled *jj_engine_settled(jj_engine *e);

/* No more frames: every flow ends. */
extern jj_code jj_engine_finish(jj_engine *e, jj_error *err);

/*
 * The next flow that has ended, in the order in which flows end, ties by first
 * packet. *have is false if there is none at present. The row is valid until
 * the next call for this engine.
 */
extern jj_code jj_engine_next(jj_engine *e, const jj_row **row, bool *have, jj_error *err);

extern const jj_counters *jj_engine_counters(const jj_engine *e);

/* What makes its pseudonyms, NULL without option anonymize; the engine's own. */
extern jj_cryptopan *jj_engine_cryptopan(const jj_engine *e);

/* Release everything; NULL is ignored. */
extern void jj_engine_close(jj_engine *e);

/* Whether the group has an extractor. */
extern bool jj_group_implemented(jj_group group);

/* Bytes of one flow record with these features, without its samples (16 bytes a packet, up to max_samples). */
extern size_t jj_engine_flow_bytes(const jj_options *o);

#endif
