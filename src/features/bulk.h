/*
 * Memory for what grows with the number of flows and is given back at the end
 * only: taken in ever larger pieces, in large pages where the system has them.
 * Small pages cost a fault each, and more of them are in use than a processor
 * remembers the addresses of.
 */
#ifndef JJ_BULK_H
#define JJ_BULK_H

#include "features/base.h"

#define JJ_BULK_LINE 64			/* bytes of a cache line: what is taken begins on one */
#define JJ_BULK_FIRST (64 * 1024)	/* the first piece; the others are half of all before, */
#define JJ_BULK_LARGEST (16 * 1024 * 1024)	/* but not above this */

typedef struct jj_bulk
{
	jj_allocator under;
	void	   *pieces;			/* linked through their first bytes */
	char	   *next;			/* unused rest of the newest piece */
	size_t		left;
	size_t		total;			/* bytes of all pieces */
} jj_bulk;

/* Over an allocator that is copied; cannot fail. */
extern void jj_bulk_init(jj_bulk *b, const jj_allocator *under);

/* size bytes on a cache line, the bulk's until jj_bulk_free; NULL without memory. */
extern void *jj_bulk_take(jj_bulk *b, size_t size);

/* Give everything back; the bulk is empty then. */
extern void jj_bulk_free(jj_bulk *b);

#endif
