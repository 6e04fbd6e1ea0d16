/*
 * Fuzz target: the reader of row streams. A row that is read is written and
 * read again, and must be the same.
 *
 * Input: a byte, 0 = the rest is the stream, otherwise messages behind a right
 * header; bytes of each piece in which it comes (0 = all), then the stream.
 */
#include "sensor/rowstream.h"

#include <stdio.h>
#include <stdlib.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

/* Bytes to the reader; how many it took, for there may be more than it has room for. */
static size_t
put(jj_rowstream_reader *r, const uint8_t *bytes, size_t size)
{
	size_t		room;
	uint8_t    *to = jj_rowstream_space(r, &room);

	CHECK(to != NULL && room >= 65536);
	size = size < room ? size : room;
	if (size > 0)
		memcpy(to, bytes, size);
	jj_rowstream_filled(r, size);
	return size;
}

/* Look at every byte of a row. */
static uint64_t
sum_row(const jj_row *row)
{
	uint64_t	sum = 0;

	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		uint32_t	size = 0;
		const uint8_t *bytes = NULL;

		if (!jj_row_has(row, f))
			continue;
		if (jj_feature_table[f].type == JJ_FLOAT8)
			CHECK(isfinite(row->value[f].d));
		else if (jj_feature_table[f].type == JJ_INT2)
			CHECK(row->value[f].i >= INT16_MIN && row->value[f].i <= INT16_MAX);
		else if (jj_feature_table[f].type == JJ_INT4)
			CHECK(row->value[f].i >= INT32_MIN && row->value[f].i <= INT32_MAX);
		else if (jj_feature_table[f].type >= JJ_MACADDR)
			bytes = jj_row_bytes(row, f, &size);
		for (uint32_t i = 0; i < size; i++)
			sum += bytes[i];
	}
	return sum;
}

/* Write a row, read it, and write what was read. */
static void
check_row(const jj_row *row, const jj_allocator *a)
{
	jj_feature_set all;
	jj_rowstream_writer once;
	jj_rowstream_writer twice;
	jj_rowstream_reader *r;
	jj_rowstream_message m;
	bool		have;
	size_t		used = 0;

	jj_set_all(&all);
	jj_rowstream_writer_init(&once, a);
	jj_rowstream_writer_init(&twice, a);
	CHECK(jj_rowstream_header(&once, &all, NULL) == JJ_OK && jj_rowstream_header(&twice, &all, NULL) == JJ_OK);
	if (jj_rowstream_row(&once, row, NULL) == JJ_OK)
	{
		CHECK(jj_rowstream_open(&r, a, NULL) == JJ_OK);
		do
		{
			used += put(r, once.bytes + used, once.used - used);
			CHECK(jj_rowstream_next(r, &m, &have, NULL) == JJ_OK);
		} while (!have);
		CHECK(m.type == JJ_ROWSTREAM_ROW && jj_rowstream_row(&twice, m.row, NULL) == JJ_OK);
		CHECK(once.used == twice.used && memcmp(once.bytes, twice.bytes, once.used) == 0);
		jj_rowstream_close(r);
	}
	jj_rowstream_writer_free(&once);
	jj_rowstream_writer_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const jj_allocator a = jj_malloc_allocator();
	jj_rowstream_reader *r;
	jj_rowstream_message m;
	jj_error	err;
	jj_code		code;
	size_t		used = 2;
	size_t		piece;
	volatile uint64_t sum = 0;
	bool		have;

	if (size < 2)
		return 0;
	piece = data[1] == 0 ? size : data[1];
	CHECK(jj_rowstream_open(&r, &a, &err) == JJ_OK);
	if (data[0] != 0)
	{
		jj_rowstream_writer w;
		jj_feature_set all;

		jj_set_all(&all);
		jj_rowstream_writer_init(&w, &a);
		CHECK(jj_rowstream_header(&w, &all, &err) == JJ_OK);
		CHECK(put(r, w.bytes, w.used) == w.used);
		jj_rowstream_writer_free(&w);
	}
	code = jj_rowstream_next(r, &m, &have, &err);
	CHECK(code == JJ_OK && !have);
	while (code == JJ_OK && used < size)
	{
		used += put(r, data + used, size - used < piece ? size - used : piece);
		while ((code = jj_rowstream_next(r, &m, &have, &err)) == JJ_OK && have)
		{
			if (m.type == JJ_ROWSTREAM_ROW)
			{
				sum += sum_row(m.row);
				check_row(m.row, &a);
			}
			CHECK(m.text == NULL || strlen(m.text) <= JJ_ROWSTREAM_TEXT);
			CHECK(m.error == NULL || m.error->code != JJ_OK);
		}
	}
	if (code != JJ_OK)
		CHECK(code == JJ_ERR_FORMAT && err.message[0] != '\0');
	CHECK(code == JJ_OK || jj_rowstream_finish(r, &err) == code);
	jj_rowstream_close(r);
	(void) sum;
	return 0;
}
