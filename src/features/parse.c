/*
 * Texts of options and settings to values.
 */
#include "features/parse.h"

#include <math.h>
#include <stdlib.h>

#define LONGEST 64				/* a word that is meant to be a name of ours */

/* Whether size letters are the same, in either case of ASCII's. */
static bool
same_letters(const char *a, const char *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
	{
		const char	x = a[i] >= 'A' && a[i] <= 'Z' ? (char) (a[i] + 32) : a[i];
		const char	y = b[i] >= 'A' && b[i] <= 'Z' ? (char) (b[i] + 32) : b[i];

		if (x != y)
			return false;
	}
	return true;
}

bool
jj_same_word(const char *a, const char *b)
{
	const size_t size = strlen(a);

	return strlen(b) == size && same_letters(a, b, size);
}

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
jj_parse_duration(const char *text, double unit, int64_t *ns)
{
	static const struct
	{
		const char *name;
		double		ns;
	}			units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	double		value;
	char	   *end;

	if (jj_same_word(text, "infinity"))
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

		for (i = 0; i < sizeof(units) / sizeof(units[0]) && strcmp(end, units[i].name) != 0; i++)
			;
		if (i == sizeof(units) / sizeof(units[0]))
			return JJ_PARSED_NOT;
		unit = units[i].ns;
	}
	value *= unit;
	if (value < 0 || value >= 9223372036854774784.0)
		return JJ_PARSED_RANGE;
	*ns = (int64_t) rint(value);
	return JJ_PARSED;
}

jj_parsed
jj_parse_unsigned(const char *text, uint64_t *value)
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
		uint64_t		digit = (uint64_t) (*p - '0');

		if (*value > (UINT64_MAX - digit) / 10)
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

jj_parsed
jj_parse_bool(const char *text, bool *value)
{
	static const struct
	{
		const char *word;
		size_t		shortest;
		bool		value;
	}			words[] = {{"true", 1, true}, {"false", 1, false}, {"yes", 1, true}, {"no", 1, false},
	{"on", 2, true}, {"off", 2, false}, {"1", 1, true}, {"0", 1, false}};
	const size_t size = strlen(text);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (size >= words[i].shortest && size <= strlen(words[i].word) && same_letters(text, words[i].word, size))
		{
			*value = words[i].value;
			return JJ_PARSED;
		}
	}
	return JJ_PARSED_NOT;
}

bool
jj_features_parse(const char *text, jj_feature_set *set, const char **unknown, size_t *unknown_size)
{
	const char *p = text;

	for (;;)
	{
		char		name[LONGEST + 1];
		size_t		size;
		size_t		whole;

		p += strspn(p, " \t\n");
		whole = size = strcspn(p, ",");
		while (size > 0 && strchr(" \t\n", p[size - 1]) != NULL)
			size--;
		*unknown = p;
		*unknown_size = size;
		if (size > LONGEST)
			return false;
		memcpy(name, p, size);
		name[size] = '\0';
		if (name[0] == '-' ? !jj_set_remove_name(set, name + 1) : !jj_set_add_name(set, name))
			return false;
		p += whole;
		if (*p == '\0')
			return true;
		p++;
	}
}

/* Letters to be changed, added or left out to make one word of the other (Levenshtein, 1965). Both have at most LONGEST. */
static int
distance_of(const char *a, int n, const char *b, int m)
{
	int			row[LONGEST + 1];

	for (int j = 0; j <= m; j++)
		row[j] = j;
	for (int i = 1; i <= n; i++)
	{
		int			corner = row[0];

		row[0] = i;
		for (int j = 1; j <= m; j++)
		{
			int			best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			best = row[j] + 1 < best ? row[j] + 1 : best;
			row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
		}
	}
	return row[m];
}

const char *
jj_nearest(const char *word, const char *const *names, int n)
{
	const size_t length = strlen(word);
	const char *nearest = NULL;
	int			smallest;

	/* longer ones can't be told apart by spelling */
	if (length == 0 || length > LONGEST)
		return NULL;
	smallest = (length / 3 > 1 ? (int) length / 3 : 1) + 1;
	for (int i = 0; i < n; i++)
	{
		const size_t size = strlen(names[i]);
		int			distance;

		if (size > LONGEST)
			continue;
		distance = distance_of(word, (int) length, names[i], (int) size);
		if (distance < smallest)
		{
			smallest = distance;
			nearest = names[i];
		}
	}
	return nearest;
}
