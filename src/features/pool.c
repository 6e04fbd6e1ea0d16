/*
 * Pooled blocks. In front of each stands its size.
 */
#include "features/pool.h"

#include <string.h>

#define HEADER sizeof(uint64_t)

static void *
pop(void **list)
{
	void	   *block = *list;

	memcpy(list, block, sizeof(void *));
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
	char	   *chunk = jj_alloc(&pool->under, JJ_POOL_CHUNK);
	size_t		skip;

	if (chunk == NULL)
		return false;
	push(&pool->chunks, chunk);

	/* the first block behind the link and its own header, on a line */
	skip = JJ_POOL_LINE - (size_t) ((uintptr_t) (chunk + sizeof(void *) + HEADER) % JJ_POOL_LINE);
	pool->next = chunk + sizeof(void *) + HEADER + skip % JJ_POOL_LINE;
	pool->lines = (size_t) (chunk + JJ_POOL_CHUNK - pool->next) / JJ_POOL_LINE;
	return true;
}

static void *
pool_alloc(void *ctx, size_t size)
{
	jj_pool    *pool = ctx;
	size_t		lines;
	uint64_t	noted = size;
	char	   *block;

	if (size > SIZE_MAX - HEADER - JJ_POOL_LINE)
		return NULL;
	lines = (size + HEADER + JJ_POOL_LINE - 1) / JJ_POOL_LINE;
	if (lines > JJ_POOL_CLASSES)
	{
		block = jj_alloc(&pool->under, size + HEADER);
		if (block == NULL)
			return NULL;
		memcpy(block, &noted, HEADER);
		return block + HEADER;
	}
	if (pool->spare[lines] != NULL)
		block = pop(&pool->spare[lines]);
	else
	{
		if (pool->lines < lines && !add_chunk(pool))
			return NULL;
		block = pool->next;
		pool->next += lines * JJ_POOL_LINE;
		pool->lines -= lines;
	}
	memcpy(block - HEADER, &noted, HEADER);
	return block;
}

static void
pool_release(void *ctx, void *block)
{
	jj_pool    *pool = ctx;
	char	   *header = (char *) block - HEADER;
	uint64_t	size;
	size_t		lines;

	memcpy(&size, header, HEADER);
	lines = ((size_t) size + HEADER + JJ_POOL_LINE - 1) / JJ_POOL_LINE;
	if (lines > JJ_POOL_CLASSES)
		jj_release(&pool->under, header);
	else
		push(&pool->spare[lines], block);
}

jj_allocator
jj_pool_init(jj_pool *pool, const jj_allocator *under)
{
	jj_allocator a = {pool_alloc, pool_release, pool};

	memset(pool, 0, sizeof(*pool));
	pool->under = *under;
	return a;
}

void
jj_pool_free(jj_pool *pool)
{
	while (pool->chunks != NULL)
		jj_release(&pool->under, pop(&pool->chunks));
	memset(pool->spare, 0, sizeof(pool->spare));
	pool->next = NULL;
	pool->lines = 0;
}
