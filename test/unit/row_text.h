/*
 * Columns of a row that a test fills itself, as text.
 */
#ifndef JJ_ROW_TEXT_H
#define JJ_ROW_TEXT_H

#include "features/row.h"
#include "tap.h"

static jj_feature_set all;		/* every column */
static jj_row row;

/* A value as text: numbers, {1,2} for lists, bytes in hex, NULL. */
static inline const char *
shown(jj_feature f)
{
	static char out[200000];
	char	   *to = out;
	uint32_t	size;
	const uint8_t *b;

	if (!jj_row_has(&row, f))
		return "NULL";
	b = jj_row_bytes(&row, f, &size);
	switch (jj_feature_table[f].type)
	{
		case JJ_TEXT:
		case JJ_JSONB:
			memcpy(out, b, size);
			out[size] = '\0';
			break;
		case JJ_BYTEA:
			*to = '\0';
			for (uint32_t i = 0; i < size; i++)
				to += sprintf(to, "%02x", b[i]);
			break;
		case JJ_INT4_ARRAY:
			*to++ = '{';
			for (uint32_t i = 0; i < size; i += 4)
			{
				int32_t		v;

				memcpy(&v, b + i, 4);
				to += sprintf(to, "%s%d", i > 0 ? "," : "", v);
			}
			memcpy(to, "}", 2);
			break;
		case JJ_TEXT_ARRAY:
			*to++ = '{';
			for (uint32_t i = 0; i < size;)
			{
				uint32_t	n;

				memcpy(&n, b + i, 4);
				to += sprintf(to, "%s%.*s", i > 0 ? "," : "", (int) n, (const char *) b + i + 4);
				i += 4 + n;
			}
			memcpy(to, "}", 2);
			break;
		default:
			sprintf(out, "%" PRId64, row.value[f].i);
	}
	return out;
}

#define IS(f, want) is_text(shown(JJ_F_##f), want, #f)

#endif
