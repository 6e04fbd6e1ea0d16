/*
 * Texts of options and settings to values.
 */
#include "pg/pg.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/varlena.h"

/* A decimal number; *end is behind it. Unlike strtod(3) alone: no infinity, NaN or hexadecimal, and no space in front. */
static bool
scan_number(const char *text, double *value, char **end)
{
	const char *p = text;

	if (*p == '-' || *p == '+')
		p++;
	if (!(*p >= '0' && *p <= '9') && *p != '.')
		return false;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X'))
		return false;
	*value = strtod(text, end);
	return *end != text;
}

jj_parsed
jj_parse_duration(const char *text, double unit, int64 *ns)
{
	static const struct
	{
		const char *name;
		double		ns;
	}			units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	double		value;
	char	   *end;

	if (pg_strcasecmp(text, "infinity") == 0)
	{
		*ns = JJ_INFINITE;
		return JJ_PARSED;
	}
	if (!scan_number(text, &value, &end))
		return JJ_PARSED_NOT;
	while (*end == ' ')
		end++;
	if (*end != '\0')
	{
		size_t		i;

		for (i = 0; i < lengthof(units) && strcmp(end, units[i].name) != 0; i++)
			;
		if (i == lengthof(units))
			return JJ_PARSED_NOT;
		unit = units[i].ns;
	}
	value *= unit;
	if (value < 0 || value >= 9223372036854774784.0)
		return JJ_PARSED_RANGE;
	*ns = (int64) rint(value);
	return JJ_PARSED;
}

jj_parsed
jj_parse_unsigned(const char *text, uint64 *value)
{
	const char *p = text;
	bool		negative = *p == '-';

	if (*p == '-' || *p == '+')
		p++;
	if (*p < '0' || *p > '9')
		return JJ_PARSED_NOT;
	*value = 0;
	for (; *p >= '0' && *p <= '9'; p++)
	{
		uint64		digit = (uint64) (*p - '0');

		if (*value > (PG_UINT64_MAX - digit) / 10)
		{
			/* too large, but look whether it is a number to its end */
			p += strspn(p, "0123456789");
			return *p == '\0' ? JJ_PARSED_RANGE : JJ_PARSED_NOT;
		}
		*value = *value * 10 + digit;
	}
	if (*p == '.')
		p += 1 + strspn(p + 1, "0");
	if (*p != '\0')
		return JJ_PARSED_NOT;
	return negative && *value > 0 ? JJ_PARSED_RANGE : JJ_PARSED;
}

jj_parsed
jj_parse_double(const char *text, double *value)
{
	char	   *end;

	if (!scan_number(text, value, &end) || *end != '\0')
		return JJ_PARSED_NOT;
	return isfinite(*value) ? JJ_PARSED : JJ_PARSED_RANGE;
}

bool
jj_parse_features(const char *text, jj_feature_set *set, const char **unknown)
{
	const char *p = text;

	for (;;)
	{
		size_t		size;
		char	   *name;

		p += strspn(p, " \t\n");
		size = strcspn(p, ",");
		name = pnstrdup(p, size);
		p += size;
		while (size > 0 && strchr(" \t\n", name[size - 1]) != NULL)
			name[--size] = '\0';
		if (!jj_set_add_name(set, name))
		{
			*unknown = name;
			return false;
		}
		pfree(name);
		if (*p == '\0')
			return true;
		p++;
	}
}

const char *
jj_nearest(const char *word, const char *const *names, int n)
{
	const int	length = (int) strlen(word);
	const char *nearest = NULL;
	int			smallest = Max(length / 3, 1) + 1;

	/* longer ones can't be told apart by spelling, and varstr_levenshtein() refuses them */
	if (length == 0 || length > NAMEDATALEN)
		return NULL;
	for (int i = 0; i < n; i++)
	{
		int			distance = varstr_levenshtein_less_equal(word, length, names[i], (int) strlen(names[i]), 1, 1, 1, smallest, true);

		if (distance < smallest)
		{
			smallest = distance;
			nearest = names[i];
		}
	}
	return nearest;
}

char *
jj_features_hint(const char *unknown)
{
	static const char *const profiles[] = {"all", "JJ-CORE", "JJ-EXTENDED", "JJ-EXPERIMENTAL"};
	const char *names[JJ_FEATURES + JJ_GROUPS + lengthof(profiles)];
	const char *nearest;
	int			n = 0;
	StringInfoData hint;

	for (size_t i = 0; i < lengthof(profiles); i++)
		names[n++] = profiles[i];
	for (int i = 0; i < JJ_GROUPS; i++)
		names[n++] = jj_group_name[i];
	for (int i = 0; i < JJ_FEATURES; i++)
		names[n++] = jj_feature_table[i].name;
	nearest = jj_nearest(unknown, names, n);

	initStringInfo(&hint);
	if (nearest != NULL)
		appendStringInfo(&hint, "Perhaps you meant \"%s\". ", nearest);
	appendStringInfoString(&hint, "Profiles are all, JJ-CORE, JJ-EXTENDED and JJ-EXPERIMENTAL; groups are ");
	for (int i = 0; i < JJ_GROUPS; i++)
		appendStringInfo(&hint, "%s%s", i > 0 ? ", " : "", jj_group_name[i]);
	appendStringInfoString(&hint, "; the view jj_features lists the columns.");
	return hint.data;
}
