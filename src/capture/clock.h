/*
 * The clock of a pcapng interface: ticks of any unit to nanoseconds. Private to
 * src/capture.
 */
#ifndef JJ_CLOCK_H
#define JJ_CLOCK_H

#include "features/base.h"

typedef struct jj_clock
{
	uint64_t	factor;			/* ns per tick, where that is whole and there is no offset */
	uint64_t	limit;			/* factor serves ticks below this; 0 if none */
	uint64_t	per_second;		/* 0 if that needs more than 64 bits */
	int64_t		offset;			/* s */
	uint8_t		resolution;		/* as if_tsresol */
} jj_clock;

/* resolution is if_tsresol: 10^-n s, or 2^-n s with the top bit set. offset is if_tsoffset, in seconds. */
extern void jj_clock_set(jj_clock *c, uint8_t resolution, int64_t offset);

/* Rounded down, then held within int64. */
extern int64_t jj_clock_slow(const jj_clock *c, uint64_t ticks);

static inline int64_t
jj_clock_ns(const jj_clock *c, uint64_t ticks)
{
	if (JJ_LIKELY(ticks < c->limit))
		return (int64_t) (ticks * c->factor);
	return jj_clock_slow(c, ticks);
}

#endif
