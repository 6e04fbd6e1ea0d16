/*
 * Blocks of a few hundred bytes that come and go with flows: kept in lists by
 * size instead of being asked for and given back one by one.
 */
#ifndef JJ_POOL_H
#define JJ_POOL_H

#include "features/bulk.h"

#define JJ_POOL_LINE JJ_BULK_LINE	/* blocks share no cache line */
#define JJ_POOL_HEADER 16		/* of which the first so many are the pool's */
#define JJ_POOL_CLASSES 16		/* blocks of 1 to 16 lines are pooled, larger ones are not */
#define JJ_POOL_CHUNK (64 * 1024)	/* bytes taken from the bulk at a time */

typedef struct jj_pool
{
	jj_allocator under;
	void	   *spare[JJ_POOL_CLASSES + 1];	/* by lines, linked through their first bytes */
	jj_bulk    *bulk;			/* where they come from */
	char	   *next;			/* unused rest of the newest chunk */
	size_t		lines;
} jj_pool;

/*
 * Make *pool, over a bulk that outlives it and the bulk's allocator; cannot
 * fail. The allocator it returns refers to *pool, which must not move, and
 * gives NULL without memory. What it gave out pooled stays in the bulk; larger
 * blocks must be released.
 */
extern jj_allocator jj_pool_init(jj_pool *pool, jj_bulk *bulk);

#endif
