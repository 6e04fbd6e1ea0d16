/*
 * A binary heap of flows ordered by (when, number), smallest on top.
 */
#ifndef JJ_HEAP_H
#define JJ_HEAP_H

#include "features/base.h"

typedef struct jj_heap_item
{
	int64_t		when;			/* ns */
	uint64_t	number;			/* of the flow, breaks ties */
	uint32_t	flow;
} jj_heap_item;

/* All zero at the start. */
typedef struct jj_heap
{
	jj_heap_item *item;
	uint32_t	used;
	uint32_t	size;
} jj_heap;

/* Make room for one more item; false without memory. jj_heap_push then can't fail. */
extern bool jj_heap_reserve(jj_heap *h, const jj_allocator *a);
extern void jj_heap_push(jj_heap *h, jj_heap_item item);

/* Take the smallest off; the heap must not be empty. */
extern jj_heap_item jj_heap_pop(jj_heap *h);

/* Put the items in ascending order, which is a heap as well; false without memory, and nothing has changed then. */
extern bool jj_heap_sort(jj_heap *h, const jj_allocator *a);
extern void jj_heap_free(jj_heap *h, const jj_allocator *a);

#endif
