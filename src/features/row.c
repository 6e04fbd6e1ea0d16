/*
 * Rows: typed values with presence bits and an arena for what has no fixed size.
 */
#include "features/row.h"

#include <string.h>

void
jj_row_init(jj_row *row, const jj_feature_set *wanted, const jj_allocator *a)
{
	memset(&row->present, 0, sizeof(row->present));
	row->wanted = wanted;
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

void *
jj_row_reserve(jj_row *row, jj_feature f, size_t size)
{
	size_t		start = ((size_t) row->arena_used + 7) & ~(size_t) 7;

	if (!jj_row_wants(row, f))
		return NULL;
	if (start + size > row->arena_size || row->arena == NULL)
	{
		size_t		grown = 1024;
		uint8_t    *arena;

		while (grown < start + size)
			grown *= 2;
		arena = grown > INT32_MAX ? NULL : jj_regrow(&row->allocator, row->arena, row->arena_used, grown);
		if (arena == NULL)
		{
			row->failed = true;
			return NULL;
		}
		row->arena = arena;
		row->arena_size = (uint32_t) grown;
	}
	row->arena_used = (uint32_t) (start + size);
	row->value[f].bytes.offset = (uint32_t) start;
	row->value[f].bytes.size = (uint32_t) size;
	jj_set_add(&row->present, f);
	return row->arena + start;
}

void
jj_row_put(jj_row *row, jj_feature f, const void *bytes, size_t size)
{
	void	   *to = jj_row_reserve(row, f, size);

	if (to != NULL && size > 0)
		memcpy(to, bytes, size);
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
