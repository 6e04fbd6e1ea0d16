/*
 * Fuzz target: HPACK header blocks of one direction.
 *
 * Input: blocks, each behind its length (2 bytes, big endian; the last one may
 * be shorter). All go to one decoder until one is wrong; a second one gets them
 * byte by byte and must find the same.
 */
#include "extractors/hpack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

static void
check_table(const jj_hpack *h)
{
	uint64_t	size = 0;

	CHECK(h->value.n <= JJ_HPACK_HOST_BYTES);
	CHECK(h->n <= h->room && h->n <= JJ_HPACK_MAX_TABLE / 32 && h->table_size <= h->table_max && h->table_max <= JJ_HPACK_MAX_TABLE);
	for (uint32_t i = 0; i < h->n; i++)
	{
		const jj_hpack_entry *e = &h->entry[(h->newest + i) % h->room];

		CHECK(e->name <= JJ_HPACK_OTHER && e->n_kept <= e->value_size && (e->n_kept == 0) == (e->kept == NULL));
		CHECK(e->n_kept == 0 || e->name != JJ_HPACK_OTHER);
		size += (uint64_t) e->name_size + e->value_size + 32;
	}
	CHECK(size == h->table_size);
}

static void
check_fields(const jj_hpack_fields *f, const jj_hpack_fields *g)
{
	static const uint32_t most[JJ_HPACK_NAMES] = {JJ_HPACK_HOST_BYTES, JJ_HPACK_METHOD_BYTES, JJ_HPACK_STATUS_BYTES, JJ_HPACK_HOST_BYTES,
	JJ_HPACK_AGENT_BYTES};

	for (int i = 0; i < JJ_HPACK_NAMES; i++)
	{
		CHECK(f->of[i].has == g->of[i].has && f->of[i].value.n == g->of[i].value.n);
		CHECK(f->of[i].value.n <= most[i] && (f->of[i].has || f->of[i].value.n == 0));
		CHECK(f->of[i].value.n == 0 || memcmp(f->of[i].value.bytes, g->of[i].value.bytes, f->of[i].value.n) == 0);
	}
}

static jj_hpack_result
decode(jj_hpack *h, const uint8_t *bytes, size_t n, jj_hpack_fields *fields, const jj_allocator *a)
{
	uint8_t    *exact = malloc(n > 0 ? n : 1);	/* so that AddressSanitizer sees the end */
	jj_hpack_result r;

	CHECK(exact != NULL);
	memcpy(exact, bytes, n);
	r = jj_hpack_decode(h, exact, (uint32_t) n, fields, a);
	free(exact);
	CHECK(r != JJ_HPACK_MEMORY);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	jj_allocator a = jj_malloc_allocator();
	jj_hpack	whole = {.table_max = JJ_HPACK_TABLE};
	jj_hpack	bytes = {.table_max = JJ_HPACK_TABLE};
	jj_hpack_result r = JJ_HPACK_OK;

	while (size > 2 && r == JJ_HPACK_OK)
	{
		jj_hpack_fields fields[2] = {0};
		jj_hpack_result again = JJ_HPACK_OK;
		size_t		n = (size_t) data[0] << 8 | data[1];

		if (n > size - 2)
			n = size - 2;
		r = decode(&whole, data + 2, n, &fields[0], &a);
		for (size_t i = 0; i < n && again == JJ_HPACK_OK; i++)
			again = decode(&bytes, data + 2 + i, 1, &fields[1], &a);
		CHECK(r == again && jj_hpack_complete(&whole) == jj_hpack_complete(&bytes));
		check_table(&whole);
		check_table(&bytes);
		CHECK(whole.n == bytes.n && whole.table_size == bytes.table_size);
		check_fields(&fields[0], &fields[1]);
		if (!jj_hpack_complete(&whole))
			r = JJ_HPACK_BAD;
		jj_hpack_fields_free(&fields[0], &a);
		jj_hpack_fields_free(&fields[1], &a);
		data += 2 + n;
		size -= 2 + n;
	}
	jj_hpack_free(&whole, &a);
	jj_hpack_free(&bytes, &a);
	return 0;
}
