/*
 * What several groups make of a flow's samples: gaps between packets and the
 * distribution of packet lengths. Of a whole flow, one that has not outgrown
 * max_samples_per_flow, they are made once, in the engine's scratch memory;
 * of others each group makes its own, fold by fold.
 */
#ifndef JJ_SAMPLES_H
#define JJ_SAMPLES_H

#include "features/stats.h"
#include "flow/flow.h"

struct jj_work;

/* Gaps are kept for all packets and for each direction. */
enum
{
	JJ_DIR_FWD = 0,
	JJ_DIR_BWD = 1,
	JJ_DIR_BOTH = 2
};

/* The first samples of a flow, for the sequence columns. */
typedef struct jj_head
{
	const jj_sample *sample;
	jj_sample  *own;			/* a copy, where the samples themselves don't stay */
	uint32_t	n;
} jj_head;

/* Keep at most max samples of a flow's first fold; false without memory. Release with jj_release(h->own). */
extern bool jj_head_keep(jj_head *h, const jj_sample *s, uint32_t n, uint32_t max, bool whole, const jj_allocator *a);

/* Gaps between consecutive packets of the flow, and between those of each direction. All zero at the start. */
typedef struct jj_gaps
{
	uint64_t	packets[2];		/* so far, by direction */
	int64_t		last[3];		/* flow clock of the packet before */
	jj_moments	of[3];
	int64_t    *value[3];		/* of a whole flow: the gaps, of[i].n of them, in any order */
	jj_sketch  *sketch[3];		/* of others, NULL until there is a gap */
} jj_gaps;

/* The gaps of a whole flow; NULL without memory. */
extern jj_gaps *jj_whole_gaps(const jj_sample *s, uint32_t n, struct jj_work *w);

/* Add those of the next n samples of a flow that is not whole. False without memory. */
extern bool jj_gaps_add(jj_gaps *g, const jj_sample *s, uint32_t n, struct jj_work *w);
extern void jj_gaps_free(jj_gaps *g, const jj_allocator *a);

/* As jj_percentiles, of at least one gap. */
extern void jj_gaps_percentiles(jj_gaps *g, int which, const int *percent, size_t k, double *out);

/* Flows of so few packets have their lengths sorted, others counted. */
#define JJ_FEW_LENGTHS 32

/* Distribution of IP packet lengths, in all (2) and by direction. All zero at the start. */
typedef struct jj_lengths
{
	uint32_t	distinct;
	uint32_t	mode;			/* the length that came most often, of several the one that came first */
	uint64_t	mode_count;
	jj_moments	of[3];

	/* distinct lengths, ascending; order says which came first */
	const jj_tally_entry *sorted;

	/* the lengths of a whole flow of few packets, ascending, and the distinct ones */
	bool		few;
	bool		finished;
	uint32_t	value[3][JJ_FEW_LENGTHS];
	jj_tally_entry entry[JJ_FEW_LENGTHS];

	jj_tally	tally;			/* of others */
} jj_lengths;

/* The lengths of a whole flow; NULL without memory. */
extern jj_lengths *jj_whole_lengths(const jj_sample *s, uint32_t n, struct jj_work *w);

/* Add those of the next n samples of a flow that is not whole. False without memory. Release with jj_tally_free. */
extern bool jj_lengths_add(jj_lengths *l, const jj_sample *s, uint32_t n, const jj_allocator *a);

/* When all are there, at least one: fill in the rest, valid until the next call. False without memory. */
extern bool jj_lengths_finish(jj_lengths *l, struct jj_work *w);

/* As jj_percentiles, after that, of at least one length. */
extern void jj_lengths_percentiles(const jj_lengths *l, int which, const int *percent, size_t k, double *out);

/* Shannon entropy of the lengths, relative to its maximum, of at least two different ones. */
extern double jj_lengths_evenness(const jj_lengths *l);

#endif
