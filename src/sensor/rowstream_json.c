/*
 * Whether a text is JSON (RFC 8259) that the server makes a jsonb value of
 * without an error: that would come when the row is stored, too late to be the
 * stream's.
 */
#include "sensor/rowstream_internal.h"
#include "sensor/utf8.h"

#define DEPTH 64				/* of arrays and objects in each other */
#define DIGITS 100				/* of a number's parts; those of numeric end far behind */

typedef struct scan
{
	const uint8_t *p;
	const uint8_t *end;
} scan;

static bool
at(const scan *s, char c)
{
	return s->p < s->end && *s->p == (uint8_t) c;
}

static bool
take(scan *s, char c)
{
	const bool	there = at(s, c);

	s->p += there;
	return there;
}

static void
space(scan *s)
{
	while (at(s, ' ') || at(s, '\n') || at(s, '\r') || at(s, '\t'))
		s->p++;
}

static bool
word(scan *s, const char *text)
{
	const size_t n = strlen(text);

	if ((size_t) (s->end - s->p) < n || memcmp(s->p, text, n) != 0)
		return false;
	s->p += n;
	return true;
}

/* Digits, at least one and at most so many. */
static bool
digits(scan *s, int most)
{
	int			n = 0;

	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++)
		n++;
	return n > 0 && n <= most;
}

static bool
number(scan *s)
{
	(void) take(s, '-');
	if (!take(s, '0') && !digits(s, DIGITS))
		return false;
	if (take(s, '.') && !digits(s, DIGITS))
		return false;
	if (take(s, 'e') || take(s, 'E'))
	{
		if (!take(s, '-'))
			(void) take(s, '+');
		return digits(s, 3);
	}
	return true;
}

/* Behind a backslash. A character beyond ASCII is written as itself, for not every server's encoding has it. */
static bool
escaped(scan *s)
{
	if (s->p == s->end)
		return false;
	if (strchr("\"\\/bfnrt", *s->p) != NULL && *s->p != 0)
	{
		s->p++;
		return true;
	}
	if (s->end - s->p < 5 || memcmp(s->p, "u00", 3) != 0 || s->p[3] < '0' || s->p[3] > '7')
		return false;
	if (!((s->p[4] >= '0' && s->p[4] <= '9') || (s->p[4] >= 'a' && s->p[4] <= 'f') || (s->p[4] >= 'A' && s->p[4] <= 'F')))
		return false;
	if (s->p[3] == '0' && s->p[4] == '0')
		return false;
	s->p += 5;
	return true;
}

static bool
string(scan *s)
{
	if (!take(s, '"'))
		return false;
	while (s->p < s->end && !at(s, '"'))
	{
		const unsigned size = jj_utf8_size(s->p, (size_t) (s->end - s->p));

		if (size == 0 || *s->p < 0x20)
			return false;
		s->p += size;
		if (size == 1 && s->p[-1] == '\\' && !escaped(s))
			return false;
	}
	return take(s, '"');
}

/* A value that is no array or object. */
static bool
scalar(scan *s)
{
	if (at(s, '"'))
		return string(s);
	return word(s, "true") || word(s, "false") || word(s, "null") || number(s);
}

/* The name in front of a value of an object. */
static bool
name(scan *s)
{
	space(s);
	if (!string(s))
		return false;
	space(s);
	return take(s, ':');
}

bool
jj_rowstream_json(const uint8_t *bytes, size_t size)
{
	scan		s = {bytes, bytes + size};
	char		closing[DEPTH];
	int			depth = 0;

	for (;;)
	{
		/* a value */
		space(&s);
		if (at(&s, '[') || at(&s, '{'))
		{
			if (depth == DEPTH)
				return false;
			closing[depth] = *s.p++ == '[' ? ']' : '}';
			space(&s);
			if (!at(&s, closing[depth++]))
			{
				if (closing[depth - 1] == '}' && !name(&s))
					return false;
				continue;
			}
		}
		else if (!scalar(&s))
			return false;

		/* what closes behind it */
		space(&s);
		while (depth > 0 && take(&s, closing[depth - 1]))
		{
			depth--;
			space(&s);
		}
		if (depth == 0)
			return s.p == s.end;
		if (!take(&s, ',') || (closing[depth - 1] == '}' && !name(&s)))
			return false;
	}
}
