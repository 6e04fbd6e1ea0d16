/*
 * A finished flow as typed values: what the engine hands to its faces.
 */
#ifndef JJ_ROW_H
#define JJ_ROW_H

#include "features/base.h"

#include <math.h>
#include <string.h>

typedef enum jj_group
{
#define JJ_GROUP(g) JJ_G_##g,
#define JJ_FEATURE(g, name, type, unit, null_when, fill, tier, definition, deviation)
#include "features/features.def"
#undef JJ_GROUP
#undef JJ_FEATURE
	JJ_GROUPS
} jj_group;

typedef enum jj_feature
{
#define JJ_GROUP(g)
#define JJ_FEATURE(g, name, type, unit, null_when, fill, tier, definition, deviation) JJ_F_##name,
#include "features/features.def"
#undef JJ_GROUP
#undef JJ_FEATURE
	JJ_FEATURES
} jj_feature;

#define JJ_NULL_ELEMENT UINT32_MAX	/* length of a NULL in an array */
#define JJ_ROW_HEADROOM 24		/* bytes in front of each value of variable length, for the face that gets the row to use as it likes */

/* SQL type of a column, and with it the member of jj_value that holds it. */
typedef enum jj_type
{
	JJ_INT2,					/* i */
	JJ_INT4,					/* i */
	JJ_INT8,					/* i */
	JJ_BOOL,					/* i, 0 or 1 */
	JJ_FLOAT8,					/* d, always finite */
	JJ_TIMESTAMPTZ,				/* i, us since 1970-01-01 00:00 UTC: dates of certificates don't fit in ns */
	JJ_MACADDR,					/* bytes, 6 of them */
	JJ_INET,					/* bytes, 4 or 16 of them */
	JJ_TEXT,					/* bytes, UTF-8 without terminator */
	JJ_BYTEA,					/* bytes */
	JJ_JSONB,					/* bytes, JSON text */
	JJ_FLOAT8_ARRAY,			/* bytes: double[] */
	JJ_INT4_ARRAY,				/* bytes: int32_t[] */
	JJ_INT2_ARRAY,				/* bytes: int16_t[] */
	JJ_TEXT_ARRAY,				/* bytes: each element a uint32_t length and its bytes, not aligned; JJ_NULL_ELEMENT: no bytes, NULL */
	JJ_INET_ARRAY				/* bytes: each element one length byte (4 or 16) and the address */
} jj_type;

typedef enum jj_tier
{
	JJ_TIER_CORE,
	JJ_TIER_EXTENDED,
	JJ_TIER_EXPERIMENTAL,
	JJ_TIER_ADDED
} jj_tier;

/* One line of the registry. */
typedef struct jj_feature_info
{
	const char *name;
	const char *unit;			/* "-" if none */
	const char *null_when;		/* "-" if never NULL */
	const char *fill;			/* SQL expression of what jj_fill gives for NULL, "-" if NULL stays */
	const char *definition;
	const char *deviation;
	uint8_t		group;			/* jj_group */
	uint8_t		type;			/* jj_type */
	uint8_t		tier;			/* jj_tier */
} jj_feature_info;

extern const jj_feature_info jj_feature_table[JJ_FEATURES];
extern const char *const jj_group_name[JJ_GROUPS];
extern const char *const jj_tier_name[4];

/* The feature of exactly this name, -1 if there is none. */
extern int	jj_feature_named(const char *name);

/* SQL name of a jj_type: "double precision", "inet", ... */
extern const char *jj_type_sql(jj_type type);

/* A set of features, one bit each. */
typedef struct jj_feature_set
{
	uint64_t	word[(JJ_FEATURES + 63) / 64];
} jj_feature_set;

static inline bool
jj_set_has(const jj_feature_set *s, unsigned f)
{
	return (s->word[f >> 6] >> (f & 63)) & 1;
}

static inline void
jj_set_add(jj_feature_set *s, unsigned f)
{
	s->word[f >> 6] |= UINT64_C(1) << (f & 63);
}

extern void jj_set_all(jj_feature_set *s);

/*
 * Add to *s what a name stands for: a column, a group, or a profile (JJ-CORE,
 * JJ-EXTENDED, JJ-EXPERIMENTAL: the columns of that tier; all: every column).
 * False if the name is none of these.
 */
extern bool jj_set_add_name(jj_feature_set *s, const char *name);

/* Take that out of *s; out of all columns if it is empty. False as above. */
extern bool jj_set_remove_name(jj_feature_set *s, const char *name);

typedef union jj_value
{
	int64_t		i;
	double		d;
	struct
	{
		uint32_t	offset;		/* in the row's arena */
		uint32_t	size;
	}			bytes;
} jj_value;

/* One row. Values without their bit in present are NULL. */
typedef struct jj_row
{
	jj_feature_set present;
	jj_feature_set wanted;		/* only these are set; in the row itself, so that setters in a row need not load it again */
	jj_value	value[JJ_FEATURES];
	uint8_t    *arena;
	uint32_t	arena_used;
	uint32_t	arena_size;
	bool		failed;			/* out of memory while setting a value */
	jj_allocator allocator;
} jj_row;

/* Make *row ready; wanted is copied. jj_row_free releases the arena. */
extern void jj_row_init(jj_row *row, const jj_feature_set *wanted, const jj_allocator *a);
extern void jj_row_free(jj_row *row);

/* All columns NULL again. */
extern void jj_row_clear(jj_row *row);

static inline bool
jj_row_has(const jj_row *row, unsigned f)
{
	return jj_set_has(&row->present, f);
}

/* The bytes of a variable-length value, aligned to 8, and their number; valid until the row changes. */
static inline const uint8_t *
jj_row_bytes(const jj_row *row, unsigned f, uint32_t *size)
{
	*size = row->value[f].bytes.size;
	return row->arena + row->value[f].bytes.offset;
}

static inline bool
jj_row_wants(const jj_row *row, unsigned f)
{
	return jj_set_has(&row->wanted, f);
}

/* Setters, for extractors. A feature that is not wanted stays NULL; a double that is not finite is a bug and stays NULL. */
static inline void
jj_row_int(jj_row *row, jj_feature f, int64_t v)
{
	row->value[f].i = v;
	row->present.word[f >> 6] |= row->wanted.word[f >> 6] & UINT64_C(1) << (f & 63);
}

static inline void
jj_row_double(jj_row *row, jj_feature f, double v)
{
	row->value[f].d = v;
	row->present.word[f >> 6] |= row->wanted.word[f >> 6] & (uint64_t) (isfinite(v) != 0) << (f & 63);
}

/* A time in ns since the epoch, cut to microseconds. */
static inline void
jj_row_time(jj_row *row, jj_feature f, int64_t ns)
{
	jj_row_int(row, f, ns / 1000 - (ns % 1000 < 0));
}

/* Make room for so many bytes in the arena; false without memory. */
extern bool jj_row_grow(jj_row *row, size_t size);

/* Room for size bytes of feature f, to be filled by the caller; NULL if f is not wanted or without memory. Aligned to 8. */
static inline void *
jj_row_reserve(jj_row *row, jj_feature f, size_t size)
{
	size_t		start = (((size_t) row->arena_used + 7) & ~(size_t) 7) + JJ_ROW_HEADROOM;

	if (!jj_row_wants(row, f))
		return NULL;
	if (JJ_UNLIKELY(start + size > row->arena_size || row->arena == NULL) && !jj_row_grow(row, start + size))
		return NULL;
	row->arena_used = (uint32_t) (start + size);
	row->value[f].bytes.offset = (uint32_t) start;
	row->value[f].bytes.size = (uint32_t) size;
	jj_set_add(&row->present, f);
	return row->arena + start;
}

static inline void
jj_row_put(jj_row *row, jj_feature f, const void *bytes, size_t size)
{
	void	   *to = jj_row_reserve(row, f, size);

	if (to != NULL && size > 0)
		memcpy(to, bytes, size);
}

extern void jj_row_text(jj_row *row, jj_feature f, const char *text);

/* Of the value reserved last, only the first size bytes are used. */
static inline void
jj_row_trim(jj_row *row, jj_feature f, size_t size)
{
	row->arena_used -= row->value[f].bytes.size - (uint32_t) size;
	row->value[f].bytes.size = (uint32_t) size;
}

/* An address of 16 bytes as inet: 4 bytes if version is 4. */
extern void jj_row_inet(jj_row *row, jj_feature f, const uint8_t address[16], int version);

#endif
