/*
 * A binary heap of flows.
 */
#include "flow/heap.h"

#include <string.h>

static inline bool
before(const jj_heap_item *a, const jj_heap_item *b)
{
	/* without branches: which of two children comes first can't be foreseen */
	return (a->when < b->when) | ((a->when == b->when) & (a->number < b->number));
}

bool
jj_heap_reserve(jj_heap *h, const jj_allocator *a)
{
	uint32_t	size = h->size == 0 ? 256 : h->size * 2;
	void	   *grown;

	if (h->used < h->size)
		return true;
	if (size < h->size)
		return false;
	grown = jj_regrow(a, h->item, sizeof(jj_heap_item) * h->used, sizeof(jj_heap_item) * size);
	if (grown == NULL)
		return false;
	h->item = grown;
	h->size = size;
	return true;
}

void
jj_heap_push(jj_heap *h, jj_heap_item item)
{
	uint32_t	i = h->used++;

	while (i > 0 && before(&item, &h->item[(i - 1) / 2]))
	{
		h->item[i] = h->item[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	h->item[i] = item;
}

jj_heap_item
jj_heap_pop(jj_heap *h)
{
	jj_heap_item top = h->item[0];
	jj_heap_item last = h->item[--h->used];
	uint32_t	i = 0;

	for (;;)
	{
		uint32_t	child = 2 * i + 1;

		if (child >= h->used)
			break;
		if (2 * child + 1 < h->used)
			JJ_PREFETCH(&h->item[2 * child + 1]);	/* the first of four grandchildren */
		if (child + 1 < h->used)
			child += before(&h->item[child + 1], &h->item[child]);
		if (!before(&h->item[child], &last))
			break;
		h->item[i] = h->item[child];
		i = child;
	}
	h->item[i] = last;
	return top;
}

void
jj_heap_free(jj_heap *h, const jj_allocator *a)
{
	jj_release(a, h->item);
	memset(h, 0, sizeof(*h));
}
