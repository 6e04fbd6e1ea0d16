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

/* Pieces grow with what was taken; each taking begins on a line and is nobody else's. */
static void
bulk_alone(const jj_allocator *under, counting *c)
{
	enum
	{
		TAKEN = 3000,
		SIZE = 5000
	};
	static char *taken[TAKEN];
	jj_bulk		bulk;
	bool		on_lines = true;
	bool		whole = true;

	c->asked = 0;
	c->allowed = 1000;
	jj_bulk_init(&bulk, under);
	for (int i = 0; i < TAKEN; i++)
	{
		taken[i] = jj_bulk_take(&bulk, SIZE);
		on_lines = on_lines && (uintptr_t) taken[i] % JJ_BULK_LINE == 0;
		memset(taken[i], i & 0xff, SIZE);
	}
	for (int i = 0; i < TAKEN; i++)
		for (int k = 0; k < SIZE; k++)
			whole = whole && taken[i][k] == (char) (i & 0xff);
	ok(on_lines && whole, "bulk: on lines, apart from each other");
	ok(c->asked < 20, "bulk: 15 MB in %ld pieces", c->asked);
	ok(bulk.total < 2u * TAKEN * SIZE, "bulk: less than half of it is unused");
	ok(jj_bulk_take(&bulk, 40 * 1024 * 1024) != NULL, "bulk: more than the largest piece at once");
	ok(jj_bulk_take(&bulk, SIZE_MAX) == NULL && jj_bulk_take(&bulk, SIZE_MAX - 100) == NULL, "bulk: impossible sizes");
	c->allowed = 0;
	while (jj_bulk_take(&bulk, SIZE) != NULL)
		;
	ok(c->blocks > 0, "bulk: without memory");
	jj_bulk_free(&bulk);
	ok(c->blocks == 0, "bulk: everything is given back");
}

int
main(void)
{
	counting	c = {0, 0, 1000};
	jj_allocator under = {counted_alloc, counted_release, &c};
	jj_bulk		bulk;
	jj_pool		pool;
	jj_allocator a;
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

	jj_bulk_init(&bulk, &under);
	a = jj_pool_init(&pool, &bulk);
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
	for (int i = 0; i < 100000 && again != NULL; i++)
		again = jj_alloc(&a, 1000);
	ok(again == NULL, "without memory for a chunk");
	jj_bulk_free(&bulk);
	ok(c.blocks == 0, "everything is given back");
	bulk_alone(&under, &c);
	return done_testing();
}
