/*
 * A flow from the bytes of a fuzzer to the columns of group tls.
 *
 * Input: bits (1 = only some columns are wanted, 2 = the allocator fails), a
 * byte that says which columns and at which call, then packets: bits (1 = from
 * the responder, 2 = a gap of a byte in front, 4 = the last byte is not
 * captured, 8 = sent again), length (2 bytes, big endian), payload.
 */
#ifndef JJ_TLS_INPUT_H
#define JJ_TLS_INPUT_H

#include "../unit/failing.h"

#include "extractors/crypto.h"
#include "extractors/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

/* The flow's packets to the parsers; false without memory. */
static inline bool
feed_flow(void *state, jj_flow *f, const uint8_t *data, size_t size, uint8_t proto, const jj_work *w)
{
	uint32_t	next[2] = {1000, 5000};

	for (uint64_t i = 1; size >= 3; i++)
	{
		jj_packet	p = {.index = i, .proto = proto, .has_tcp = proto == JJ_PROTO_TCP, .tcp_flags = JJ_TCP_ACK | JJ_TCP_PSH};
		uint8_t		bits = data[0];
		uint32_t	n = (uint32_t) data[1] << 8 | data[2];
		uint8_t    *exact;
		bool		good = true;

		data += 3;
		size -= 3;
		if (n > size)
			n = (uint32_t) size;
		exact = malloc(n > 0 ? n : 1);
		if (exact == NULL)
			return true;
		memcpy(exact, data, n);
		p.dir = bits & 1;
		p.seq = next[p.dir] += bits >> 1 & 1;
		p.payload = exact;
		p.payload_len = n;
		p.payload_caplen = n - (bits & 4 && n > 0 ? 1 : 0);
		next[p.dir] += n;
		f->payload[p.dir] += n;
		for (int k = 0; good && k <= (bits & 8 ? 1 : 0); k++)
			good = jj_app_base.update(state, &p, w);
		free(exact);
		data += n;
		size -= n;
		if (!good)
			return false;
	}
	return true;
}

static inline void
check_row(const jj_row *row, const jj_work *w)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		uint32_t	size;
		const uint8_t *b;

		if (!jj_row_has(row, f))
			continue;
		CHECK(jj_set_has(&w->options.features, f));
		switch (jj_feature_table[f].type)
		{
			case JJ_BOOL:
				CHECK(row->value[f].i == 0 || row->value[f].i == 1);
				break;
			case JJ_INT2:
				CHECK(row->value[f].i >= 0 && row->value[f].i <= INT16_MAX);
				break;
			case JJ_INT4:
				CHECK(row->value[f].i >= 0 && row->value[f].i <= INT32_MAX);
				break;
			case JJ_TEXT:
				b = jj_row_bytes(row, f, &size);
				for (uint32_t i = 0; i < size; i++)
					CHECK(b[i] >= ' ' && b[i] != 127);
				break;
			case JJ_INT4_ARRAY:
				jj_row_bytes(row, f, &size);
				CHECK(size % 4 == 0);
				if (f == JJ_F_tls_record_lengths)
					CHECK(size > 0 && size / 4 <= w->options.max_sequence_length);
				break;
			default:
				break;
		}
	}
	if (jj_row_has(row, JJ_F_tls_detected) && row->value[JJ_F_tls_detected].i == 0)
		for (unsigned f = 0; f < JJ_FEATURES; f++)
			CHECK(f == JJ_F_tls_detected || !jj_row_has(row, f));
}

/* Whether a wanted column has the same value in both rows. */
static inline bool
same_value(const jj_row *a, const jj_row *b, unsigned f)
{
	uint32_t	m;
	uint32_t	n;
	const uint8_t *x;
	const uint8_t *y;

	if (!jj_row_has(a, f) || !jj_row_has(b, f))
		return jj_row_has(a, f) == jj_row_has(b, f);
	if (jj_feature_table[f].type <= JJ_BOOL || jj_feature_table[f].type == JJ_TIMESTAMPTZ)
		return a->value[f].i == b->value[f].i;
	x = jj_row_bytes(a, f, &m);
	y = jj_row_bytes(b, f, &n);
	return m == n && (m == 0 || memcmp(x, y, m) == 0);
}

/* One flow to a row; false without memory. */
static inline bool
read_row(jj_row *row, jj_work *w, const uint8_t *data, size_t size, uint8_t proto)
{
	uint64_t	state[9] = {0};
	jj_flow		f = {.src_port = 1, .dst_port = 2};
	bool		good;

	CHECK(jj_app_base.state_size <= sizeof(state));
	f.key.proto = proto;
	jj_work_prepare(w);
	jj_row_init(row, &w->options.features, &w->allocator);
	jj_row_clear(row);
	good = feed_flow(state, &f, data, size, proto, w) && jj_extract_tls.emit(&f, state, NULL, w, row) && !row->failed;
	jj_app_base.free_state(state, &w->allocator);
	CHECK(w->hold->bytes == 0);
	return good;
}

static inline void
fuzz_tls_flow(const uint8_t *data, size_t size, uint8_t proto)
{
	jj_hold		hold = {.limit = JJ_STREAM_TOTAL};
	failing		f = {.live = 0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_work		all = {.allocator = a, .hold = &hold};
	jj_row		row;

	if (size < 2)
		return;
	jj_options_default(&all.options);
	memset(&all.options.features, 0, sizeof(all.options.features));
	jj_set_add_name(&all.options.features, "tls");
	if (data[0] & 2)
		f.fail_at = (uint64_t) data[1] + 1;
	if (read_row(&row, &all, data + 2, size - 2, proto))
		check_row(&row, &all);
	if (data[0] & 1 && f.fail_at == 0)
	{
		jj_work		some = {.allocator = a, .hold = &hold, .options = all.options};
		jj_row		other;

		memset(&some.options.features, 0, sizeof(some.options.features));
		for (unsigned c = 0, i = 0; c < JJ_FEATURES; c++)
			if (jj_feature_table[c].group == JJ_G_tls && (i++ * 37 + data[1]) % 8 == 0)
				jj_set_add(&some.options.features, c);
		if (read_row(&other, &some, data + 2, size - 2, proto))
		{
			check_row(&other, &some);
			for (unsigned c = 0; c < JJ_FEATURES; c++)
				if (jj_set_has(&some.options.features, c))
					CHECK(same_value(&row, &other, c));
		}
		jj_row_free(&other);
		jj_work_free(&some);
	}
	jj_row_free(&row);
	jj_work_free(&all);
	CHECK(f.live == 0);
}

#endif
