/*
 * The engine's state, for the files that make it up: engine.c opens and closes
 * it, feed.c gives packets to flows, emit.c makes rows of flows that have ended.
 */
#ifndef JJ_ENGINE_INTERNAL_H
#define JJ_ENGINE_INTERNAL_H

#include "extractors/extractor.h"
#include "extractors/stream.h"
#include "features/engine.h"
#include "features/pool.h"
#include "flow/table.h"

#define MAX_ACTIVE 32
#define ROWS 16
#define MAX_FETCH 4

/* Functions for packets, and the offsets of their states in the flow record. */
typedef struct calls
{
	unsigned	n;
	bool		(*update[MAX_ACTIVE]) (void *state, const jj_packet *p, const jj_work *w);
	size_t		offset[MAX_ACTIVE];
	unsigned	n_fetch;
	void		(*fetch[MAX_FETCH]) (const void *state, const jj_packet *p, int dir);
	size_t		fetch_offset[MAX_FETCH];
} calls;

struct jj_engine
{
	jj_allocator allocator;
	jj_bulk		bulk;			/* flow records, and what the pool hands out */
	jj_pool		pool;			/* behind work.allocator, what extractors allocate */
	jj_table	table;
	jj_work		work;
	jj_hold		hold;
	jj_counters counters;
	jj_filter  *filter;
	uint64_t	(*now) (void);	/* NULL: times are not measured */

	/* rows are made several at a time, group by group: each group's code is in the processor's cache then */
	jj_row		row[ROWS];
	jj_flow    *ended[ROWS];	/* their flows, while they are made */
	uint32_t	n_rows;
	uint32_t	next_row;		/* to be handed out */
	bool		fetched;		/* the next flows that have ended are being loaded */
	jj_early_fragment *told;			/* the frame handed out by jj_engine_settled */

	uint32_t	share;			/* of the options, but 0 of 1 if all flows are this engine's */
	uint32_t	shares;
	bool		selects;		/* flows that can't meet the conditions are left out */
	bool		takes_all;		/* nothing is left out for its key */
	bool		has_blocks;		/* samples, or what extractors fetch: memory beyond the flow record for most packets */

	unsigned	n_active;		/* extractors in use */
	const jj_extractor *active[MAX_ACTIVE];
	size_t		state_offset[MAX_ACTIVE];	/* in the flow record */
	size_t		fold_offset[MAX_ACTIVE];	/* in the block of accumulators */
	calls		calls[JJ_KINDS];	/* for packets of each kind of flow */
	unsigned	n_owners;
	unsigned	owner[MAX_ACTIVE];	/* those whose states own memory */
	unsigned	n_folds;
	unsigned	folds[MAX_ACTIVE];	/* those that need samples */
	size_t		fold_size;		/* of their accumulators, 0 without any */
	void	   *fold;			/* accumulators for flows within max_samples */

	jj_feature_set anonymized;	/* columns to be anonymised, if they are */

	char	  **source;			/* names, by jj_flow.capture */
	uint32_t	sources;

	jj_packet	packet[JJ_BATCH];
	jj_lookup	lookup[JJ_BATCH];
	jj_observation *seen;		/* the caller's; NULL: nobody looks */
	uint8_t		seen_at[JJ_BATCH];	/* for each packet its place there */
};

static inline void *
state_of(const jj_engine *e, const jj_flow *f, unsigned i)
{
	return (char *) f + e->state_offset[i];
}

static inline void *
fold_of(const jj_engine *e, void *folds, unsigned i)
{
	return e->active[i]->fold_size == 0 ? NULL : (char *) folds + e->fold_offset[i];
}

static inline uint64_t
clock_of(const jj_engine *e)
{
	return JJ_UNLIKELY(e->now != NULL) ? e->now() : 0;
}

static inline jj_code
out_of_memory(jj_error *err)
{
	return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
}

/* Samples of so many packets more, or fewer, are held. */
extern void jj_engine_note_samples(jj_engine *e, int64_t packets);

/* Put a flow's samples, which are all of its packets if whole, into accumulators. False without memory. */
extern bool jj_engine_fold(jj_engine *e, void *folds, const jj_flow *f, bool whole);

/* Release a flow and what it owns. */
extern void jj_engine_free_flow(jj_engine *e, jj_flow *f);

#endif
