/*
 * An allocator that fails at one of its calls, and counts what is not released.
 */
#ifndef JJ_FAILING_H
#define JJ_FAILING_H

#include "features/base.h"

#include <stdlib.h>

typedef struct failing
{
	uint64_t	calls;
	uint64_t	fail_at;		/* number of the call that fails */
	int64_t		live;
} failing;

static inline void *
failing_alloc(void *ctx, size_t size)
{
	failing    *f = ctx;
	void	   *p;

	if (++f->calls == f->fail_at)
		return NULL;
	p = malloc(size > 0 ? size : 1);
	f->live += p != NULL;
	return p;
}

static inline void
failing_release(void *ctx, void *block)
{
	((failing *) ctx)->live--;
	free(block);
}

#endif
