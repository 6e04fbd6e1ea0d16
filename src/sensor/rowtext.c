/*
 * Rows as lines of CSV or JSON.
 */
#include "sensor/rowtext.h"
#include "sensor/utf8.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

typedef enum style
{
	STYLE_CSV,
	STYLE_CSV_ARRAY,			/* inside of an array in a field that is quoted */
	STYLE_JSON
} style;

static bool
put(jj_rowstream_writer *w, const char *bytes, size_t n)
{
	uint8_t    *to = jj_rowstream_room(w, n);

	if (to == NULL)
		return false;
	if (n > 0)
		memcpy(to, bytes, n);
	w->used += n;
	return true;
}

static bool
put_text(jj_rowstream_writer *w, const char *text)
{
	return put(w, text, strlen(text));
}

/* One ASCII character of a text in its style; bytes written, at most 6. */
static size_t
escape(uint8_t *to, uint8_t c, style s)
{
	switch (s)
	{
		case STYLE_CSV:
			to[0] = c;
			to[1] = '"';
			return c == '"' ? 2 : 1;
		case STYLE_CSV_ARRAY:
			if (c != '"' && c != '\\')
			{
				to[0] = c;
				return 1;
			}
			/* a backslash for the array, and quotes twice for the field */
			to[0] = '\\';
			to[1] = c;
			to[2] = '"';
			return c == '"' ? 3 : 2;
		case STYLE_JSON:
			break;
	}
	if (c == '"' || c == '\\')
	{
		to[0] = '\\';
		to[1] = c;
		return 2;
	}
	if (c >= 0x20)
	{
		to[0] = c;
		return 1;
	}
	memcpy(to, "\\u00", 4);
	to[4] = (uint8_t) "01"[c >> 4];
	to[5] = (uint8_t) "0123456789abcdef"[c & 15];
	return 6;
}

/* A text without the quotes around it. */
static bool
put_escaped(jj_rowstream_writer *w, const uint8_t *b, size_t n, style s)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t    *to = jj_rowstream_room(w, 6 * n);
	uint8_t    *start = to;

	if (to == NULL)
		return false;
	while (n > 0)
	{
		const unsigned size = jj_utf8_size(b, n);

		if (size == 1)
			to += escape(to, *b, s);
		else if (size > 1)
		{
			memcpy(to, b, size);
			to += size;
		}
		else
		{
			to += escape(to, '\\', s);
			*to++ = 'x';
			*to++ = (uint8_t) digits[*b >> 4];
			*to++ = (uint8_t) digits[*b & 15];
		}
		b += size > 0 ? size : 1;
		n -= size > 0 ? size : 1;
	}
	w->used += (size_t) (to - start);
	return true;
}

static bool
put_integer(jj_rowstream_writer *w, int64_t v)
{
	char		text[24];

	return put(w, text, (size_t) snprintf(text, sizeof(text), "%" PRId64, v));
}

static bool
put_double(jj_rowstream_writer *w, double v)
{
	char		text[32];
	int			n;

	if (v >= 0 && v <= INT32_MAX && v == (double) (int32_t) v && !signbit(v))
		return put_integer(w, (int32_t) v);
	for (int digits = 15; digits <= 17; digits++)
	{
		n = snprintf(text, sizeof(text), "%.*g", digits, v);
		if (digits == 17 || strtod(text, NULL) == v)
			break;
	}
	return put(w, text, (size_t) n);
}

static bool
put_hex(jj_rowstream_writer *w, const uint8_t *b, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t    *to = jj_rowstream_room(w, 2 * n);

	if (to == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		*to++ = (uint8_t) digits[b[i] >> 4];
		*to++ = (uint8_t) digits[b[i] & 15];
	}
	w->used += 2 * n;
	return true;
}

/* Microseconds since 1970 as a date and time of the Gregorian calendar, UTC. */
static bool
put_time(jj_rowstream_writer *w, int64_t us, style s)
{
	int64_t		seconds = us / 1000000 - (us % 1000000 < 0);
	const int	fraction = (int) (us % 1000000 + (us % 1000000 < 0 ? 1000000 : 0));
	int64_t		days = seconds / 86400 - (seconds % 86400 < 0);
	const int	rest = (int) (seconds - days * 86400);
	int64_t		era;
	int64_t		year;
	int			day;			/* of the era of 400 years, then of the year that begins in March */
	int			month;
	bool		before = false;
	char		text[64];
	int			n;

	days += 719468;				/* from 0000-03-01 */
	era = days / 146097 - (days % 146097 < 0);
	day = (int) (days - era * 146097);
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= (int) (365 * year + year / 4 - year / 100);
	year += era * 400;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5 - 1;
	month += month < 10 ? 3 : -9;
	year += month <= 2;

	if (s != STYLE_JSON && year <= 0)
	{
		before = true;
		year = 1 - year;
	}
	n = snprintf(text, sizeof(text), "%04" PRId64 "-%02d-%02d%c%02d:%02d:%02d", year, month, day, s == STYLE_JSON ? 'T' : ' ',
				 rest / 3600, rest / 60 % 60, rest % 60);
	if (fraction != 0)
		n += snprintf(text + n, sizeof(text) - (size_t) n, ".%06d", fraction);
	n += snprintf(text + n, sizeof(text) - (size_t) n, "%s%s", s == STYLE_JSON ? "+00:00" : "+00", before ? " BC" : "");
	return put(w, text, (size_t) n);
}

static bool
put_inet(jj_rowstream_writer *w, const uint8_t *b, size_t n)
{
	char		text[INET6_ADDRSTRLEN];

	return inet_ntop(n == 4 ? AF_INET : AF_INET6, b, text, sizeof(text)) != NULL && put_text(w, text);
}

static bool
put_mac(jj_rowstream_writer *w, const uint8_t *b)
{
	char		text[18];

	return put(w, text, (size_t) snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]));
}

/* The element at b of an array that ends at end; where the next one is, NULL without memory. */
static const uint8_t *
put_element(jj_rowstream_writer *w, jj_type type, const uint8_t *b, style s)
{
	double		d;
	int32_t		i4;
	int16_t		i2;
	uint32_t	n;

	switch (type)
	{
		case JJ_FLOAT8_ARRAY:
			memcpy(&d, b, sizeof(d));
			return put_double(w, d) ? b + sizeof(d) : NULL;
		case JJ_INT4_ARRAY:
			memcpy(&i4, b, sizeof(i4));
			return put_integer(w, i4) ? b + sizeof(i4) : NULL;
		case JJ_INT2_ARRAY:
			memcpy(&i2, b, sizeof(i2));
			return put_integer(w, i2) ? b + sizeof(i2) : NULL;
		case JJ_INET_ARRAY:
			n = *b++;
			if (s == STYLE_JSON && !put_text(w, "\""))
				return NULL;
			return put_inet(w, b, n) && (s != STYLE_JSON || put_text(w, "\"")) ? b + n : NULL;
		default:
			memcpy(&n, b, sizeof(n));
			b += sizeof(n);
			if (n == JJ_NULL_ELEMENT)
				return put_text(w, s == STYLE_JSON ? "null" : "NULL") ? b : NULL;
			return put_text(w, s == STYLE_JSON ? "\"" : "\"\"") && put_escaped(w, b, n, s == STYLE_JSON ? s : STYLE_CSV_ARRAY)
				&& put_text(w, s == STYLE_JSON ? "\"" : "\"\"") ? b + n : NULL;
	}
}

static bool
put_array(jj_rowstream_writer *w, jj_type type, const uint8_t *b, size_t n, style s)
{
	const uint8_t *end = b + n;

	if (!put_text(w, s == STYLE_JSON ? "[" : "\"{"))
		return false;
	for (bool first = true; b < end; first = false)
	{
		if (!first && !put_text(w, ","))
			return false;
		b = put_element(w, type, b, s);
		if (b == NULL)
			return false;
	}
	return put_text(w, s == STYLE_JSON ? "]" : "}\"");
}

/* Whether a text can stand in a CSV field without quotes. */
static bool
is_plain(const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (b[i] < 0x20 || b[i] > 0x7e || b[i] == '"' || b[i] == ',' || b[i] == '\\')
			return false;
	return n > 0 && b[0] != ' ' && b[n - 1] != ' ';
}

static bool
put_string(jj_rowstream_writer *w, const uint8_t *b, size_t n, style s)
{
	if (s == STYLE_CSV && is_plain(b, n))
		return put(w, (const char *) b, n);
	return put_text(w, "\"") && put_escaped(w, b, n, s) && put_text(w, "\"");
}

/* JSON text in a line of its own: line ends can only be white space between tokens. */
static bool
put_json(jj_rowstream_writer *w, const uint8_t *b, size_t n)
{
	const size_t start = w->used;

	if (!put(w, (const char *) b, n))
		return false;
	for (size_t i = start; i < w->used; i++)
		if (w->bytes[i] == '\n' || w->bytes[i] == '\r')
			w->bytes[i] = ' ';
	return true;
}

static bool
put_variable(jj_rowstream_writer *w, const jj_row *row, unsigned f, style s)
{
	const jj_type type = (jj_type) jj_feature_table[f].type;
	const char *quote = s == STYLE_JSON ? "\"" : "";
	uint32_t	n;
	const uint8_t *b = jj_row_bytes(row, f, &n);

	switch (type)
	{
		case JJ_MACADDR:
			return put_text(w, quote) && put_mac(w, b) && put_text(w, quote);
		case JJ_INET:
			return put_text(w, quote) && put_inet(w, b, n) && put_text(w, quote);
		case JJ_TEXT:
			return put_string(w, b, n, s);
		case JJ_BYTEA:
			return put_text(w, s == STYLE_JSON ? "\"\\\\x" : "\\x") && put_hex(w, b, n) && put_text(w, quote);
		case JJ_JSONB:
			return s == STYLE_JSON ? put_json(w, b, n) : put_string(w, b, n, s);
		default:
			return put_array(w, type, b, n, s);
	}
}

static bool
put_value(jj_rowstream_writer *w, const jj_row *row, unsigned f, style s)
{
	const jj_value *v = &row->value[f];
	const char *quote = s == STYLE_JSON ? "\"" : "";

	switch ((jj_type) jj_feature_table[f].type)
	{
		case JJ_INT2:
		case JJ_INT4:
		case JJ_INT8:
			return put_integer(w, v->i);
		case JJ_BOOL:
			return put_text(w, v->i != 0 ? "true" : "false");
		case JJ_FLOAT8:
			return put_double(w, v->d);
		case JJ_TIMESTAMPTZ:
			return put_text(w, quote) && put_time(w, v->i, s) && put_text(w, quote);
		default:
			return put_variable(w, row, f, s);
	}
}

static jj_code
finish(jj_rowstream_writer *w, size_t before, bool good, jj_error *err)
{
	if (good)
		return JJ_OK;
	w->used = before;
	return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
}

jj_code
jj_rowtext_csv_header(jj_rowstream_writer *w, const jj_feature_set *features, jj_error *err)
{
	const size_t before = w->used;
	bool		good = true;
	bool		first = true;

	for (unsigned f = 0; f < JJ_FEATURES && good; f++)
	{
		if (!jj_set_has(features, f))
			continue;
		good = (first || put_text(w, ",")) && put_text(w, jj_feature_table[f].name);
		first = false;
	}
	return finish(w, before, good && put_text(w, "\r\n"), err);
}

jj_code
jj_rowtext_csv(jj_rowstream_writer *w, const jj_feature_set *features, const jj_row *row, jj_error *err)
{
	const size_t before = w->used;
	bool		good = true;
	bool		first = true;

	for (unsigned f = 0; f < JJ_FEATURES && good; f++)
	{
		if (!jj_set_has(features, f))
			continue;
		good = (first || put_text(w, ",")) && (!jj_row_has(row, f) || put_value(w, row, f, STYLE_CSV));
		first = false;
	}
	good = good && put_text(w, "\r\n");
	w->rows += good;
	return finish(w, before, good, err);
}

jj_code
jj_rowtext_json(jj_rowstream_writer *w, const jj_row *row, jj_error *err)
{
	const size_t before = w->used;
	bool		good = true;
	bool		first = true;

	for (unsigned f = 0; f < JJ_FEATURES && good; f++)
	{
		if (!jj_row_has(row, f))
			continue;
		good = put_text(w, first ? "{\"" : ",\"") && put_text(w, jj_feature_table[f].name) && put_text(w, "\":")
			&& put_value(w, row, f, STYLE_JSON);
		first = false;
	}
	good = good && put_text(w, first ? "{}\n" : "}\n");
	w->rows += good;
	return finish(w, before, good, err);
}
