/*
 * The registry as a table, and sets of features by name.
 */
#include "features/row.h"

#include <string.h>

const jj_feature_info jj_feature_table[JJ_FEATURES] = {
#define JJ_GROUP(g)
#define JJ_FEATURE(g, name, type, unit, null_when, fill, tier, definition, deviation) \
	{#name, unit, null_when, fill, definition, deviation, JJ_G_##g, JJ_##type, JJ_TIER_##tier},
#include "features/features.def"
#undef JJ_GROUP
#undef JJ_FEATURE
};

const char *const jj_group_name[JJ_GROUPS] = {
#define JJ_GROUP(g) #g,
#define JJ_FEATURE(g, name, type, unit, null_when, fill, tier, definition, deviation)
#include "features/features.def"
#undef JJ_GROUP
#undef JJ_FEATURE
};

const char *const jj_tier_name[4] = {"CORE", "EXTENDED", "EXPERIMENTAL", "ADDED"};

const char *
jj_type_sql(jj_type type)
{
	static const char *const name[] = {
		[JJ_INT2] = "smallint",
		[JJ_INT4] = "integer",
		[JJ_INT8] = "bigint",
		[JJ_BOOL] = "boolean",
		[JJ_FLOAT8] = "double precision",
		[JJ_TIMESTAMPTZ] = "timestamptz",
		[JJ_MACADDR] = "macaddr",
		[JJ_INET] = "inet",
		[JJ_TEXT] = "text",
		[JJ_BYTEA] = "bytea",
		[JJ_JSONB] = "jsonb",
		[JJ_FLOAT8_ARRAY] = "double precision[]",
		[JJ_INT4_ARRAY] = "integer[]",
		[JJ_INT2_ARRAY] = "smallint[]",
		[JJ_TEXT_ARRAY] = "text[]",
		[JJ_INET_ARRAY] = "inet[]",
	};

	return name[type];
}

int
jj_feature_named(const char *name)
{
	for (int f = 0; f < JJ_FEATURES; f++)
		if (strcmp(jj_feature_table[f].name, name) == 0)
			return f;
	return -1;
}

void
jj_set_all(jj_feature_set *s)
{
	memset(s, 0, sizeof(*s));
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		jj_set_add(s, f);
}

/* Case-insensitive for ASCII, as profiles are written in either case. */
static bool
same_name(const char *a, const char *b)
{
	for (; *a != '\0' || *b != '\0'; a++, b++)
	{
		char		x = *a >= 'A' && *a <= 'Z' ? (char) (*a + 32) : *a;
		char		y = *b >= 'A' && *b <= 'Z' ? (char) (*b + 32) : *b;

		if (x != y)
			return false;
	}
	return true;
}

bool
jj_set_add_name(jj_feature_set *s, const char *name)
{
	bool		found = false;

	if (same_name(name, "all"))
	{
		jj_set_all(s);
		return true;
	}
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_feature_info *info = &jj_feature_table[f];

		if (same_name(name, info->name) || same_name(name, jj_group_name[info->group])
			|| (info->tier != JJ_TIER_ADDED && same_name(name, info->tier == JJ_TIER_CORE ? "JJ-CORE"
														  : info->tier == JJ_TIER_EXTENDED ? "JJ-EXTENDED"
														  : "JJ-EXPERIMENTAL")))
		{
			jj_set_add(s, f);
			found = true;
		}
	}
	return found;
}

bool
jj_set_remove_name(jj_feature_set *s, const char *name)
{
	jj_feature_set named = {{0}};
	uint64_t	any = 0;

	if (!jj_set_add_name(&named, name))
		return false;
	for (size_t i = 0; i < sizeof(s->word) / sizeof(s->word[0]); i++)
		any |= s->word[i];
	if (any == 0)
		jj_set_all(s);
	for (size_t i = 0; i < sizeof(s->word) / sizeof(s->word[0]); i++)
		s->word[i] &= ~named.word[i];
	return true;
}
