/*
 * Rows with a value of its type in every column, for the tests of the row stream.
 */
#ifndef JJ_ROWSTREAM_ROWS_H
#define JJ_ROWSTREAM_ROWS_H

#include "features/row.h"

static inline void
fill_integer(jj_row *row, unsigned f, jj_type type, unsigned kind)
{
	static const int64_t values[3][4] = {
		{INT16_MIN, INT16_MAX, 0, -1}, {INT32_MIN, INT32_MAX, 0, -1}, {INT64_MIN, INT64_MAX, INT64_C(9007199254740993), 64}
	};
	unsigned	width = type == JJ_INT2 ? 0 : type == JJ_INT4 ? 1 : 2;

	jj_row_int(row, (jj_feature) f, values[width][kind % 4]);
}

static inline void
fill_array(jj_row *row, unsigned f, jj_type type, unsigned kind)
{
	static const double doubles[3] = {0.1, -1e300, 5e-324};
	static const int32_t ints[4] = {INT32_MIN, -1, 0, INT32_MAX};
	static const int16_t smalls[5] = {INT16_MIN, -1, 0, 1, INT16_MAX};
	static const uint8_t addresses[22] = {4, 192, 0, 2, 1, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
	uint8_t		texts[64];
	const uint32_t sizes[3] = {3, JJ_NULL_ELEMENT, 0};
	size_t		used = 0;

	if (type == JJ_FLOAT8_ARRAY)
		jj_row_put(row, (jj_feature) f, doubles, sizeof(double) * (kind % 4));
	else if (type == JJ_INT4_ARRAY)
		jj_row_put(row, (jj_feature) f, ints, sizeof(int32_t) * (kind % 5));
	else if (type == JJ_INT2_ARRAY)
		jj_row_put(row, (jj_feature) f, smalls, sizeof(int16_t) * (kind % 6));
	else if (type == JJ_INET_ARRAY)
		jj_row_put(row, (jj_feature) f, addresses, kind % 3 == 0 ? 0 : kind % 3 == 1 ? 5 : 22);
	else
	{
		for (unsigned i = 0; i < kind % 4; i++)
		{
			memcpy(texts + used, &sizes[i], 4);
			used += 4;
			if (sizes[i] == 3)
			{
				memcpy(texts + used, "a\xc3\xa4", 3);
				used += 3;
			}
		}
		jj_row_put(row, (jj_feature) f, texts, used);
	}
}

/* A value in every wanted column; another kind gives other values. */
static inline void
fill_row(jj_row *row, unsigned kind)
{
	static const double doubles[4] = {0, -0.0, 1.7976931348623157e308, 0.1};
	static const uint8_t address[16] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1};
	static const char *const texts[4] = {"", "x", "caf\xc3\xa9 \"quoted\", comma\nline", "not UTF-8: \xff\x80"};

	jj_row_clear(row);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_type type = (jj_type) jj_feature_table[f].type;

		switch (type)
		{
			case JJ_INT2:
			case JJ_INT4:
			case JJ_INT8:
			case JJ_TIMESTAMPTZ:
				fill_integer(row, f, type, kind + f);
				break;
			case JJ_BOOL:
				jj_row_int(row, (jj_feature) f, (kind + f) % 2);
				break;
			case JJ_FLOAT8:
				jj_row_double(row, (jj_feature) f, doubles[(kind + f) % 4]);
				break;
			case JJ_MACADDR:
				jj_row_put(row, (jj_feature) f, address + 9, 6);
				break;
			case JJ_INET:
				jj_row_inet(row, (jj_feature) f, address, (kind + f) % 2 ? 4 : 6);
				break;
			case JJ_TEXT:
				jj_row_text(row, (jj_feature) f, texts[(kind + f) % 4]);
				break;
			case JJ_BYTEA:
				jj_row_put(row, (jj_feature) f, address, (kind + f) % 17);
				break;
			case JJ_JSONB:
				jj_row_text(row, (jj_feature) f, "{\"a\": [1, null]}");
				break;
			default:
				fill_array(row, f, type, kind + f);
				break;
		}
	}
}

#endif
