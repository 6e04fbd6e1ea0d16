/*
 * One flow through the base of the application parsers and the columns of one
 * group, for fuzz targets: packets without a capture around them.
 */
#ifndef JJ_APP_FLOW_H
#define JJ_APP_FLOW_H

#include "extractors/app.h"
#include "extractors/crypto.h"

#include <math.h>
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

typedef struct app_flow
{
	jj_work		work;
	jj_hold		hold;
	jj_flow		flow;
	jj_row		row;
	uint64_t	state[9];		/* of jj_app_base */
	uint64_t	packets;
	int64_t		t;
} app_flow;

/* A new flow of the protocol, from port sport to dport. */
static inline void
open_flow(app_flow *f, const char *group, uint8_t proto, int32_t sport, int32_t dport)
{
	memset(f, 0, sizeof(*f));
	CHECK(jj_app_base.state_size <= sizeof(f->state));
	jj_options_default(&f->work.options);
	memset(&f->work.options.features, 0, sizeof(f->work.options.features));
	CHECK(jj_set_add_name(&f->work.options.features, group));
	f->work.allocator = jj_malloc_allocator();
	jj_work_prepare(&f->work);
	f->hold.limit = JJ_STREAM_TOTAL;
	f->work.hold = &f->hold;
	f->work.crypto = jj_crypto_open(&f->work.allocator);
	CHECK(f->work.crypto != NULL);
	f->flow.key.proto = proto;
	f->flow.src_port = sport;
	f->flow.dst_port = dport;
	jj_row_init(&f->row, &f->work.options.features, &f->work.allocator);
}

/* Give the flow a packet of n payload bytes, of which the first captured are there. p has the TCP fields. */
static inline void
give_packet(app_flow *f, jj_packet *p, unsigned dir, const uint8_t *bytes, uint32_t n, uint32_t captured)
{
	uint8_t    *copy = malloc(captured > 0 ? captured : 1);	/* exactly, so that AddressSanitizer sees the end */

	CHECK(copy != NULL);
	if (captured > 0)
		memcpy(copy, bytes, captured);
	p->proto = f->flow.key.proto;
	p->dir = (uint8_t) dir;
	p->sport = dir ? f->flow.dst_port : f->flow.src_port;
	p->dport = dir ? f->flow.src_port : f->flow.dst_port;
	p->index = ++f->packets;
	p->t = f->t += 1000;
	p->payload = copy;
	p->payload_len = n;
	p->payload_caplen = captured;
	f->flow.packets[dir]++;
	f->flow.payload[dir] += n;
	if (p->has_tcp && (p->tcp_flags & JJ_TCP_SYN))
		f->flow.seen |= p->tcp_flags & JJ_TCP_ACK ? JJ_SEEN_SYNACK : JJ_SEEN_SYN;
	CHECK(jj_app_base.update(f->state, p, &f->work));
	free(copy);
}

/* Texts are printable ASCII; arrays are made of whole elements, whose number it returns. */
static inline uint32_t
check_value(const jj_row *row, unsigned f)
{
	uint32_t	size;
	uint32_t	n = 0;
	const uint8_t *b;
	const uint8_t *end;

	switch (jj_feature_table[f].type)
	{
		case JJ_BOOL:
			CHECK(row->value[f].i == 0 || row->value[f].i == 1);
			return 1;
		case JJ_INT2:
			CHECK(row->value[f].i >= 0 && row->value[f].i <= INT16_MAX);
			return 1;
		case JJ_INT4:
			CHECK(row->value[f].i >= 0 && row->value[f].i <= INT32_MAX);
			return 1;
		case JJ_FLOAT8:
			CHECK(isfinite(row->value[f].d) && row->value[f].d >= 0);
			return 1;
		default:
			break;
	}
	b = jj_row_bytes(row, f, &size);
	CHECK((size_t) (b - row->arena) + size <= row->arena_used);
	for (end = b + size; b < end; n++)
	{
		uint32_t	length = size;

		if (jj_feature_table[f].type == JJ_INET_ARRAY)
		{
			CHECK(*b == 4 || *b == 16);
			length = *b++;
		}
		else if (jj_feature_table[f].type == JJ_TEXT_ARRAY)
		{
			CHECK(end - b >= 4);
			memcpy(&length, b, 4);
			b += 4;
			length = length == JJ_NULL_ELEMENT ? 0 : length;
		}
		CHECK(length <= (size_t) (end - b));
		if (jj_feature_table[f].type == JJ_TEXT || jj_feature_table[f].type == JJ_TEXT_ARRAY)
			for (uint32_t i = 0; i < length; i++)
				CHECK(b[i] >= 0x20 && b[i] <= 0x7e);
		b += length;
	}
	return n;
}

/* Set the columns; the row is valid until the flow is closed. */
static inline const jj_row *
emit_flow(app_flow *f, const jj_extractor *x)
{
	CHECK(x->base == &jj_app_base && x->emit(&f->flow, f->state, NULL, &f->work, &f->row) && !f->row.failed);
	for (unsigned i = 0; i < JJ_FEATURES; i++)
		if (jj_row_has(&f->row, i))
			(void) check_value(&f->row, i);
	return &f->row;
}

static inline void
close_flow(app_flow *f)
{
	jj_app_base.free_state(f->state, &f->work.allocator);
	CHECK(f->hold.bytes == 0);
	jj_row_free(&f->row);
	jj_work_free(&f->work);
}

#endif
