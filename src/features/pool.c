/*
 * Pooled blocks. Each begins with a header that says how many lines it has, on
 * the line that its user touches anyway.
 */
#include "features/pool.h"

#include <string.h>

#define NEXT_LINES 4

typedef struct header
{
	_Alignas(max_align_t) uint64_t lines;	/* 0: not pooled */
} header;

_Static_assert(sizeof(header) == JJ_POOL_HEADER, "the header is what pool.h says");

static void *
pop(void **list)
{
	void	   *block = *list;

	memcpy(list, block, sizeof(void *));
	JJ_PREFETCH(*list);			/* it has not been touched for long, and will be read next */
	return block;
}

static void
push(void **list, void *block)
{
	memcpy(block, list, sizeof(void *));
	*list = block;
}

static bool
add_chunk(jj_pool *pool)
{
	char	   *chunk = jj_bulk_take(pool->bulk, JJ_POOL_CHUNK);

	if (chunk == NULL)
		return false;
	pool->next = chunk;
	pool->lines = JJ_POOL_CHUNK / JJ_POOL_LINE;
	return true;
}

static void *
pool_alloc(void *ctx, size_t size)
{
	jj_pool    *pool = ctx;
	size_t		lines;
	header	   *h;

	if (size > SIZE_MAX - sizeof(header) - JJ_POOL_LINE)
		return NULL;
	lines = (size + sizeof(header) + JJ_POOL_LINE - 1) / JJ_POOL_LINE;
	if (lines > JJ_POOL_CLASSES)
	{
		h = jj_alloc(&pool->under, size + sizeof(header));
		if (h == NULL)
			return NULL;
		h->lines = 0;
		return h + 1;
	}
	if (pool->spare[lines] != NULL)
		return pop(&pool->spare[lines]);
	if (pool->lines < lines && !add_chunk(pool))
		return NULL;
	h = (header *) pool->next;
	h->lines = lines;
	pool->next += lines * JJ_POOL_LINE;
	pool->lines -= lines;
	/* the next block, or the beginning of a longer one; memory that was never used is in no cache */
	for (size_t i = 0; i < NEXT_LINES && i < pool->lines; i++)
		JJ_PREFETCH(pool->next + i * JJ_POOL_LINE);
	return h + 1;
}

static void
pool_release(void *ctx, void *block)
{
	jj_pool    *pool = ctx;
	header	   *h = (header *) block - 1;

	if (h->lines == 0)
		jj_release(&pool->under, h);
	else
		push(&pool->spare[h->lines], block);
}

jj_allocator
jj_pool_init(jj_pool *pool, jj_bulk *bulk)
{
	jj_allocator a = {pool_alloc, pool_release, pool};

	memset(pool, 0, sizeof(*pool));
	pool->under = bulk->under;
	pool->bulk = bulk;
	return a;
}
