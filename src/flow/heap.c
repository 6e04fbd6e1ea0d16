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

/* The order as an unsigned number of 16 bytes; its byte of so much, 0 the least. */
static inline uint8_t
order_byte(const jj_heap_item *x, unsigned byte)
{
	uint64_t	half = byte < 8 ? x->number : (uint64_t) x->when ^ UINT64_C(1) << 63;

	return (uint8_t) (half >> byte % 8 * 8);
}

/* Byte by byte, the least first. Few of the bytes differ: flows that end with the capture differ in number alone. */
bool
jj_heap_sort(jj_heap *h, const jj_allocator *a)
{
	jj_heap_item *from = h->item;
	jj_heap_item *to;
	uint64_t	differ[2] = {0, 0};

	if (h->used < 2)
		return true;
	to = jj_alloc(a, sizeof(jj_heap_item) * h->size);
	if (to == NULL)
		return false;
	for (uint32_t i = 1; i < h->used; i++)
	{
		differ[0] |= from[i].number ^ from[0].number;
		differ[1] |= (uint64_t) from[i].when ^ (uint64_t) from[0].when;
	}
	for (unsigned byte = 0; byte < 16; byte++)
	{
		uint32_t	place[256] = {0};
		uint32_t	sum = 0;
		jj_heap_item *sorted = to;

		if ((differ[byte / 8] >> byte % 8 * 8 & 0xff) == 0)
			continue;
		for (uint32_t i = 0; i < h->used; i++)
			place[order_byte(&from[i], byte)]++;
		for (int v = 0; v < 256; v++)
		{
			uint32_t	n = place[v];

			place[v] = sum;
			sum += n;
		}
		for (uint32_t i = 0; i < h->used; i++)
			to[place[order_byte(&from[i], byte)]++] = from[i];
		to = from;
		from = sorted;
	}
	jj_release(a, to);
	h->item = from;
	return true;
}

void
jj_heap_free(jj_heap *h, const jj_allocator *a)
{
	jj_release(a, h->item);
	memset(h, 0, sizeof(*h));
}
