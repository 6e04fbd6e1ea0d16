/*
 * What a feature group provides, and the table of all of them.
 *
 * A group has a state in every flow record (update, once a packet), or works
 * on the flow's samples (fold, in batches, into an accumulator), or both, or
 * needs nothing but the flow itself. emit sets its columns when the flow ends.
 */
#ifndef JJ_EXTRACTOR_H
#define JJ_EXTRACTOR_H

#include "features/engine.h"
#include "features/stats.h"
#include "flow/flow.h"

/* Gaps are kept for all packets and for each direction. */
enum
{
	JJ_DIR_FWD = 0,
	JJ_DIR_BWD = 1,
	JJ_DIR_BOTH = 2
};

#define JJ_ENTROPY_RISES 512	/* twice the default of entropy_sample_bytes */

typedef struct jj_crypto jj_crypto;
struct jj_hold;

/* Scratch memory of one engine, shared by the extractors while a flow ends. */
typedef struct jj_work
{
	jj_options	options;
	jj_allocator allocator;
	uint32_t	groups;			/* bits of the jj_groups of which a column is wanted */
	struct jj_hold *hold;		/* what the engine's streams hold, stream.h */
	const char *capture;		/* name of the source in which the flow began */
	int64_t    *gap[3];			/* room for max_samples values each, NULL until needed */
	jj_tally	tally;			/* kept between flows for its memory */
	bool		tallied;		/* it has the packet lengths of the flow that is ending */
	jj_tally_entry *entry;		/* room for entry_room values */
	uint32_t	entry_room;
	int64_t    *entropy_rise;	/* JJ_ENTROPY_RISES values of entropy.c, NULL until needed */
	jj_crypto  *crypto;			/* crypto.h; NULL: no digests */
} jj_work;

/* The first samples of a flow, for the sequence columns. */
typedef struct jj_head
{
	const jj_sample *sample;
	jj_sample  *own;			/* a copy, where the samples themselves don't stay */
	uint32_t	n;
} jj_head;

/* Keep at most max samples of a flow's first fold; false without memory. Release with jj_release(h->own). */
extern bool jj_head_keep(jj_head *h, const jj_sample *s, uint32_t n, uint32_t max, bool whole, const jj_allocator *a);

/* How often each IP packet length came, by direction. */
typedef struct jj_lengths
{
	jj_tally   *tally;
	jj_tally	own;			/* of a flow whose samples don't stay; release with jj_tally_free */
} jj_lengths;

/* Add the lengths of a fold. With whole they are counted once for all groups, in w->tally. False without memory. */
extern bool jj_lengths_add(jj_lengths *l, const jj_sample *s, uint32_t n, bool whole, jj_work *w);

typedef struct jj_extractor
{
	jj_group	group;			/* JJ_GROUPS: no group, but the base of some */

	/* another extractor, whose state this one reads; it has none of its own then */
	const struct jj_extractor *base;

	/* bytes behind each flow record, zero when the flow starts */
	size_t		state_size;

	/* the state begins with a pointer, NULL or to a block of which each packet touches the first so many bytes; 0 = it doesn't */
	size_t		fetch_size;

	/* One packet of the flow; p->t and p->dir are set. False without memory. */
	bool		(*update) (void *state, const jj_packet *p, const jj_work *w);

	/* Bytes of the accumulator, zero before the first fold; 0 = the group needs no samples. */
	size_t		fold_size;

	/*
	 * Take the next n samples of a flow. With whole, they are all of them and
	 * the values may stay in w's scratch arrays until emit. False without
	 * memory.
	 */
	bool		(*fold) (void *fold, const jj_sample *s, uint32_t n, bool whole, jj_work *w);

	/* Set the group's columns; fold is NULL if fold_size is 0. False without memory (a row notes its own). */
	bool		(*emit) (const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row);

	/* Release what state or fold own; both optional. */
	void		(*free_state) (void *state, const jj_allocator *a);
	void		(*free_fold) (void *fold, const jj_allocator *a);
} jj_extractor;

extern const jj_extractor jj_extract_flow_meta;
extern const jj_extractor jj_extract_timing;
extern const jj_extractor jj_extract_size;
extern const jj_extractor jj_extract_tcp;
extern const jj_extractor jj_extract_mac;
extern const jj_extractor jj_extract_tcp_sequence;
extern const jj_extractor jj_extract_tcp_window;
extern const jj_extractor jj_extract_tcp_options;
extern const jj_extractor jj_extract_tcp_mptcp;
extern const jj_extractor jj_extract_tcp_rtt;
extern const jj_extractor jj_extract_tcp_fingerprint;
extern const jj_extractor jj_extract_ip_extended;
extern const jj_extractor jj_extract_ipv6_options;
extern const jj_extractor jj_extract_icmp;
extern const jj_extractor jj_extract_padding;
extern const jj_extractor jj_extract_entropy;
extern const jj_extractor jj_extract_quic;
extern const jj_extractor jj_extract_tls;
extern const jj_extractor jj_extract_ssh;
extern const jj_extractor jj_extract_dns;

/* All groups, in the order in which packets touch their states. */
extern const jj_extractor *const jj_extractor_table[];
extern const unsigned jj_extractor_count;

/* Set what follows from w->options. */
extern void jj_work_prepare(jj_work *w);
extern void jj_work_free(jj_work *w);

/*
 * Community ID version 1 of the flow's first packet (seed 0): 30 characters
 * and a terminator. False if its ports or ICMP type are not known.
 * Source: https://github.com/corelight/community-id-spec
 */
#define JJ_COMMUNITY_ID_SIZE 31
extern bool jj_community_id(const jj_flow *f, jj_work *w, char out[JJ_COMMUNITY_ID_SIZE]);

#endif
