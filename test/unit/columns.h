/*
 * The columns of the only flow in the frames of traffic.h, to hold against
 * values worked out by hand.
 */
#ifndef JJ_COLUMNS_H
#define JJ_COLUMNS_H

#include "traffic.h"

static jj_options o;
static jj_feature_set present;
static jj_value value[JJ_FEATURES];
static uint8_t arena[65536];	/* of the row: what its variable-length values are made of */
static unsigned n_rows;

static inline void
keep(const jj_row *row)
{
	n_rows++;
	present = row->present;
	memcpy(value, row->value, sizeof(value));
	if (row->arena_used > 0)
		memcpy(arena, row->arena, row->arena_used < sizeof(arena) ? row->arena_used : sizeof(arena));
}

/* Run the frames; n_rows and the values of the last row. */
static inline void
rows(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;

	n_rows = 0;
	if (run_with(&o, NULL, &a, JJ_BATCH, keep, &err) != JJ_OK)
		printf("# %s\n", err.message);
}

static inline bool
is_null(jj_feature f)
{
	return n_rows > 0 && !jj_set_has(&present, f);
}

static inline bool
has_int(jj_feature f, int64_t want)
{
	if (n_rows > 0 && jj_set_has(&present, f) && value[f].i == want)
		return true;
	printf("# %s: got %" PRId64 "%s, expected %" PRId64 "\n", jj_feature_table[f].name, value[f].i, is_null(f) ? " (null)" : "", want);
	return false;
}

static inline bool
has_real(jj_feature f, double want)
{
	if (n_rows > 0 && jj_set_has(&present, f) && fabs(value[f].d - want) <= 1e-12)
		return true;
	printf("# %s: got %.17g%s, expected %.17g\n", jj_feature_table[f].name, value[f].d, is_null(f) ? " (null)" : "", want);
	return false;
}

static inline bool
has_text(jj_feature f, const char *want)
{
	const char *got = (const char *) arena + value[f].bytes.offset;
	int			size = (int) value[f].bytes.size;

	if (n_rows > 0 && jj_set_has(&present, f) && (size_t) size == strlen(want) && memcmp(got, want, (size_t) size) == 0)
		return true;
	if (n_rows == 0 || is_null(f))
		printf("# %s: got null, expected %s\n", jj_feature_table[f].name, want);
	else
		printf("# %s: got %.*s, expected %s\n", jj_feature_table[f].name, size, got, want);
	return false;
}

#define INT(f, want) has_int(JJ_F_##f, want)
#define REAL(f, want) has_real(JJ_F_##f, want)
#define TEXT(f, want) has_text(JJ_F_##f, want)
#define NIL(f) is_null(JJ_F_##f)

#endif
