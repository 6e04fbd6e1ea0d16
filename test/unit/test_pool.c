/*
 * Pooled blocks: alignment, reuse, large ones, and no memory.
 */
#include "features/pool.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

typedef struct counting
{
	long		blocks;			/* not released yet */
	long		asked;
	long		allowed;
} counting;

static void *
counted_alloc(void *ctx, size_t size)
{
	counting   *c = ctx;

	if (c->asked >= c->allowed)
		return NULL;
	c->asked++;
	c->blocks++;
	return malloc(size);
}

static void
counted_release(void *ctx, void *block)
{
	counting   *c = ctx;

	c->blocks--;
	free(block);
}

int
main(void)
{
	counting	c = {0, 0, 1000};
	jj_allocator under = {counted_alloc, counted_release, &c};
	jj_pool		pool;
	jj_allocator a = jj_pool_init(&pool, &under);
	enum
	{
		BLOCKS = 2000
	};
	static char *block[BLOCKS];
	bool		on_lines = true;
	bool		whole = true;
	char	   *again;
	char	   *large;
	long		asked;

	for (int i = 0; i < BLOCKS; i++)
	{
		size_t		size = 1 + (size_t) i % 1000;

		block[i] = jj_alloc(&a, size);
		on_lines = on_lines && (uintptr_t) block[i] % JJ_POOL_LINE == JJ_POOL_HEADER;
		memset(block[i], i & 0xff, size);
	}
	for (int i = 0; i < BLOCKS; i++)
		for (size_t k = 0; k < 1 + (size_t) i % 1000; k++)
			whole = whole && block[i][k] == (char) (i & 0xff);
	ok(on_lines, "blocks begin at cache lines, behind their header");
	ok(whole, "no block is part of another");
	ok(c.asked > 1 && c.asked < 40, "a chunk serves many blocks");

	asked = c.asked;
	jj_release(&a, block[7]);
	again = jj_alloc(&a, 8);
	ok(again == block[7], "a released block is the next one of its size");
	for (int i = 0; i < BLOCKS; i++)
		jj_release(&a, block[i]);
	for (int i = 0; i < BLOCKS; i++)
		block[i] = jj_alloc(&a, 1 + (size_t) i % 1000);
	ok(c.asked == asked, "the same blocks again need no memory");

	large = jj_alloc(&a, 100000);
	memset(large, 1, 100000);
	ok(c.asked == asked + 1, "a large block is asked for");
	asked = c.blocks;
	jj_release(&a, large);
	ok(c.blocks == asked - 1, "and given back at once");
	ok(jj_alloc(&a, SIZE_MAX) == NULL, "an impossible size");
	c.allowed = c.asked;
	ok(jj_alloc(&a, 100000) == NULL, "without memory for a large block");
	for (int i = 0; i < 64 && again != NULL; i++)
		again = jj_alloc(&a, 1000);
	ok(again == NULL, "without memory for a chunk");
	jj_pool_free(&pool);
	ok(c.blocks == 0, "everything is given back");
	return done_testing();
}
