/*
 * Blocks of a few hundred bytes that come and go with flows: kept in lists by
 * size instead of being asked for and given back one by one.
 */
#ifndef JJ_POOL_H
#define JJ_POOL_H

#include "features/base.h"

#define JJ_POOL_LINE 64			/* bytes of a cache line; blocks share none */
#define JJ_POOL_HEADER 16		/* of which the first so many are the pool's */
#define JJ_POOL_CLASSES 16		/* blocks of 1 to 16 lines are pooled, larger ones are not */
#define JJ_POOL_CHUNK (64 * 1024)	/* bytes taken from the allocator at a time */

typedef struct jj_pool
{
	jj_allocator under;
	void	   *spare[JJ_POOL_CLASSES + 1];	/* by lines, linked through their first bytes */
	void	   *chunks;			/* linked likewise */
	char	   *next;			/* unused rest of the newest chunk */
	size_t		lines;
} jj_pool;

/*
 * Make *pool, over an allocator that is copied; cannot fail. The allocator it
 * returns refers to *pool, which must not move, and gives NULL without memory.
 * What it gave out pooled is released by jj_pool_free at the latest; larger
 * blocks must be released before.
 */
extern jj_allocator jj_pool_init(jj_pool *pool, const jj_allocator *under);

extern void jj_pool_free(jj_pool *pool);

#endif
