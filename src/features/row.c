/*
 * Rows: typed values with presence bits and an arena for what has no fixed size.
 */
#include "features/row.h"

#include <string.h>

void
jj_row_init(jj_row *row, const jj_feature_set *wanted, const jj_allocator *a)
{
	memset(&row->present, 0, sizeof(row->present));
	row->wanted = *wanted;
	row->arena = NULL;
	row->arena_used = 0;
	row->arena_size = 0;
	row->failed = false;
	row->allocator = *a;
}

void
jj_row_free(jj_row *row)
{
	jj_release(&row->allocator, row->arena);
	row->arena = NULL;
	row->arena_size = 0;
}

void
jj_row_clear(jj_row *row)
{
	memset(&row->present, 0, sizeof(row->present));
	row->arena_used = 0;
	row->failed = false;
}

bool
jj_row_grow(jj_row *row, size_t size)
{
	size_t		grown = 2048;
	uint8_t    *arena;

	while (grown < size)
		grown *= 2;
	arena = grown > INT32_MAX ? NULL : jj_regrow(&row->allocator, row->arena, row->arena_used, grown);
	if (arena == NULL)
	{
		row->failed = true;
		return false;
	}
	row->arena = arena;
	row->arena_size = (uint32_t) grown;
	return true;
}

void
jj_row_text(jj_row *row, jj_feature f, const char *text)
{
	jj_row_put(row, f, text, strlen(text));
}

void
jj_row_inet(jj_row *row, jj_feature f, const uint8_t address[16], int version)
{
	if (version == 4)
		jj_row_put(row, f, address + 12, 4);
	else
		jj_row_put(row, f, address, 16);
}
