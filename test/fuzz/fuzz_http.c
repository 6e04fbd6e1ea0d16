/*
 * Fuzz target: HTTP/1 and HTTP/2 in the clear, both streams of a connection.
 *
 * Input: pieces, each behind a byte: the direction (upper bit) and its length
 * less one. The parser gets them as they are, and once more byte by byte; both
 * times it must find the same.
 */
#include "extractors/http.h"

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

typedef struct connection
{
	jj_http    *state;
	uint64_t	offset[2];
	bool		enough[2];
} connection;

static void
give(connection *c, int dir, const uint8_t *bytes, uint32_t n, const jj_work *w)
{
	jj_chunk	chunk = {.n = n, .dir = (uint8_t) dir, .offset = c->offset[dir]};
	uint8_t    *exact;
	bool		done = false;
	jj_want		want = JJ_WANT_MORE;

	c->offset[dir] += n;
	if (c->enough[dir])
		return;
	exact = malloc(n);			/* so that AddressSanitizer sees the end */
	CHECK(exact != NULL);
	memcpy(exact, bytes, n);
	chunk.bytes = exact;
	if (c->state == NULL && !jj_parser_http.stream_opens(&chunk, &done))
		want = done ? JJ_WANT_NONE : JJ_WANT_MORE;
	else
	{
		if (c->state == NULL)
			c->state = jj_alloc_zero(&w->allocator, jj_parser_http.state_size);
		CHECK(c->state != NULL);
		want = jj_parser_http.stream(c->state, &chunk, NULL, w);
	}
	free(exact);
	CHECK(want != JJ_WANT_MEMORY);
	c->enough[dir] |= want != JJ_WANT_MORE;
	c->enough[1 - dir] |= want == JJ_WANT_END;
}

static void
check_bounds(const jj_http *h)
{
	if (h == NULL)
		return;
	for (int d = 0; d < 2; d++)
	{
		const jj_http1 *x = h->side[d].h1;

		if (x != NULL)
		{
			CHECK(x->head_bytes <= JJ_HTTP1_HEAD + 1 && x->line.n <= JJ_HTTP1_HEAD && x->authority.n <= JJ_HTTP1_HEAD);
			for (int i = 0; i < JJ_HTTP1_FIELDS; i++)
				CHECK(x->field[i].n <= JJ_HTTP1_HEAD);
			CHECK(x->status <= 999 || x->kind != JJ_HTTP1_RESPONSE || !x->final);
		}
		if (h->h2 == NULL)
			continue;
		CHECK(h->h2->side[d].hpack.value.n <= JJ_HPACK_HOST_BYTES && h->h2->side[d].hpack.table_size <= JJ_HPACK_MAX_TABLE);
		CHECK(h->h2->ids[d].n <= JJ_H2_RUNS && h->h2->closed[d].n <= JJ_H2_RUNS);
		for (unsigned i = 0; i < h->h2->ids[d].n; i++)
			CHECK(h->h2->ids[d].run[i][0] <= h->h2->ids[d].run[i][1] && (i == 0 || h->h2->ids[d].run[i - 1][1] + 1 < h->h2->ids[d].run[i][0]));
	}
}

static bool
same_bytes(const uint8_t *a, uint32_t n, const uint8_t *b, uint32_t m)
{
	return n == m && (n == 0 || memcmp(a, b, n) == 0);
}

static void
same_h1(const jj_http1 *a, const jj_http1 *b)
{
	uint32_t	n;
	uint32_t	m;
	const uint8_t *host[2];

	CHECK((a == NULL) == (b == NULL));
	if (a == NULL)
		return;
	CHECK(a->kind == b->kind && a->minor == b->minor && a->final == b->final && a->ended == b->ended && a->has == b->has);
	CHECK(!a->final || a->status == b->status);
	CHECK(a->kind != JJ_HTTP1_REQUEST || a->method_bytes == b->method_bytes);
	CHECK(memcmp(a->method, b->method, sizeof(a->method)) == 0);
	host[0] = jj_http1_host(a, &n);
	host[1] = jj_http1_host(b, &m);
	CHECK(same_bytes(host[0], n, host[1], m));
	for (int i = 0; i < JJ_HTTP1_FIELDS; i++)
		CHECK(same_bytes(a->field[i].bytes, a->field[i].n, b->field[i].bytes, b->field[i].n));
}

static void
same_side(const jj_h2_side *a, const jj_h2_side *b)
{
	CHECK(a->frames == b->frames && memcmp(a->count, b->count, sizeof(a->count)) == 0);
	CHECK(a->request == b->request && a->response == b->response && a->status == b->status);
	for (int i = 0; i < JJ_HPACK_NAMES; i++)
		CHECK(a->fields.of[i].has == b->fields.of[i].has
			  && same_bytes(a->fields.of[i].value.bytes, a->fields.of[i].value.n, b->fields.of[i].value.bytes, b->fields.of[i].value.n));
}

static void
same(const connection *x, const connection *y)
{
	jj_http_view a;
	jj_http_view b;

	jj_http_read(x->state, &a);
	jj_http_read(y->state, &b);
	CHECK(a.preface == b.preface && a.h2 == b.h2 && a.upgraded == b.upgraded && a.client == b.client && a.server_frames == b.server_frames);
	same_h1(a.request, b.request);
	same_h1(a.response, b.response);
	CHECK((a.old == NULL) == (b.old == NULL) && a.h2 == (a.frames != NULL));
	if (!a.h2)
		return;
	same_side(&a.frames->side[a.client], &b.frames->side[b.client]);
	if (a.server_frames)
		same_side(&a.frames->side[1 - a.client], &b.frames->side[1 - b.client]);
	CHECK(a.frames->multiplexed == b.frames->multiplexed && a.frames->live == b.frames->live);
	CHECK(a.frames->ids[0].count == b.frames->ids[0].count && a.frames->ids[1].count == b.frames->ids[1].count);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	jj_work		w = {.allocator = jj_malloc_allocator()};
	connection	whole = {.state = NULL};
	connection	bytes = {.state = NULL};

	jj_set_all(&w.options.features);
	while (size > 1)
	{
		int			dir = data[0] >> 7;
		uint32_t	n = (data[0] & 0x7f) + 1u;

		if (n > size - 1)
			n = (uint32_t) (size - 1);
		give(&whole, dir, data + 1, n, &w);
		for (uint32_t i = 0; i < n; i++)
			give(&bytes, dir, data + 1 + i, 1, &w);
		check_bounds(whole.state);
		data += 1 + n;
		size -= 1 + n;
	}
	same(&whole, &bytes);
	for (int i = 0; i < 2; i++)
	{
		jj_http    *h = i == 0 ? whole.state : bytes.state;

		if (h != NULL)
			jj_parser_http.release(h, &w.allocator);
		jj_release(&w.allocator, h);
	}
	return 0;
}
