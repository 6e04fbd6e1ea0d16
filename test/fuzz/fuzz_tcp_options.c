/*
 * Fuzz target: TCP options and the analysis of connections that the TCP groups
 * share, segment by segment, without a capture around them.
 *
 * Input: the first sequence number of either side (4 bytes each, big endian),
 * then segments. Of each: a byte of bits (1 = from the responder, 2 = first
 * fragment, 4 = later fragment, 8 = options cut by the snap length; upper four:
 * time since the segment before), flags, sequence number and acknowledgement
 * as steps (2 bytes each, signed) from the first ones, payload length (2),
 * window (2), option length, options.
 */
#include "extractors/tcp_analysis.h"

#include <math.h>
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

#define SEGMENT_BYTES 11		/* without options */

static const jj_extractor *const groups[] = {
	&jj_extract_tcp_sequence, &jj_extract_tcp_window, &jj_extract_tcp_options,
	&jj_extract_tcp_mptcp, &jj_extract_tcp_rtt, &jj_extract_tcp_fingerprint,
};

static uint32_t
get16(const uint8_t *b)
{
	return (uint32_t) b[0] << 8 | b[1];
}

static uint32_t
get32(const uint8_t *b)
{
	return get16(b) << 16 | get16(b + 2);
}

/* The number that is a signed step of 16 bits from another. */
static uint32_t
step(uint32_t from, const uint8_t *b)
{
	return from + get16(b) - (b[0] & 0x80 ? 0x10000 : 0);
}

/* What the parser found, against a walk that only counts. */
static void
check_options(const uint8_t *b, size_t n, size_t size)
{
	jj_tcp_options o;
	unsigned	kinds = 0;
	unsigned	blocks = 0;
	unsigned	mptcp = 0;
	size_t		i = 0;
	bool		bad = false;

	jj_tcp_options_parse(&o, b, n, size);
	while (i < n && b[i] != JJ_TCPOPT_EOL && !bad)
	{
		size_t		length = b[i] == JJ_TCPOPT_NOP ? 1 : i + 1 < n ? b[i + 1] : 0;

		bad = length < (b[i] == JJ_TCPOPT_NOP ? 1 : 2) || length > n - i;
		if (bad)
			break;
		CHECK(kinds < o.n_options && o.kind[kinds] == b[i]);
		kinds++;
		if (b[i] == JJ_TCPOPT_SACK)
			blocks += (unsigned) ((length - 2) / 8);
		mptcp += b[i] == JJ_TCPOPT_MPTCP && length > 2;
		i += length;
	}
	CHECK(o.bad == bad);
	CHECK(o.cut == (n < size));
	CHECK(o.n_options == kinds && o.n_sack == blocks && o.n_mptcp == mptcp);
	CHECK(o.padding == (bad || i == n ? -1 : (int) (n - i - 1)));
}

/* Bounds that hold after every segment; sent = payload bytes so far. */
static void
check_side(const jj_tcp_side *s, const jj_tcp_rest *rest, uint64_t sent)
{
	const jj_tcp_union *u = &s->bytes;

	CHECK(s->unacked.used <= JJ_TCP_UNACKED && s->unacked.used <= s->unacked.room);
	CHECK(s->tsvals.used <= JJ_TCP_TSVALS && s->tsvals.used <= s->tsvals.room);
	CHECK(u->n_holes <= JJ_TCP_HOLES && u->count <= sent);
	for (uint32_t i = 0; i < u->n_holes; i++)
	{
		CHECK(u->hole[i][0] < u->hole[i][1]);
		CHECK(u->hole[i][0] > (i == 0 ? u->lo : u->hole[i - 1][1]) && u->hole[i][1] < u->hi);
	}
	CHECK(rest->fast + rest->spurious <= rest->retrans);
	CHECK(rest->retrans + rest->out_of_order <= s->consuming && s->consuming <= s->packets);
	CHECK(rest->dup_acks + rest->no_ack <= s->packets && rest->keep_alives <= s->packets && rest->lost <= s->packets);
	CHECK((uint64_t) s->window_up + s->window_down < s->packets || s->packets == 0);
}

static void
emit_all(void *state, jj_work *w)
{
	static const jj_flow flow;
	jj_feature_set all;
	jj_row		row;

	jj_set_all(&all);
	jj_row_init(&row, &all, &w->allocator);
	jj_row_clear(&row);
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		CHECK(groups[g]->base == &jj_analyse_tcp && groups[g]->emit(&flow, state, NULL, w, &row));
	CHECK(!row.failed);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		if (!jj_row_has(&row, f))
			continue;
		if (jj_feature_table[f].type == JJ_FLOAT8)
			CHECK(isfinite(row.value[f].d) && row.value[f].d >= 0);
		else if (jj_feature_table[f].type == JJ_TEXT)
		{
			uint32_t	size;
			const uint8_t *b = jj_row_bytes(&row, f, &size);

			for (uint32_t i = 0; i < size; i++)
				CHECK(b[i] > ' ' && b[i] < 127);
		}
		else
			CHECK(row.value[f].i >= 0 && (jj_feature_table[f].type != JJ_INT2 || row.value[f].i <= INT16_MAX));
	}
	jj_row_free(&row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	jj_work		w = {.allocator = jj_malloc_allocator(), .groups = UINT32_MAX};
	uint32_t	first[2];
	uint64_t	sent[2] = {0, 0};
	int64_t		t = 0;
	void	   *state = NULL;

	if (size < 8)
		return 0;
	first[0] = get32(data);
	first[1] = get32(data + 4);
	data += 8;
	size -= 8;
	while (size >= SEGMENT_BYTES)
	{
		jj_packet	p = {.proto = JJ_PROTO_TCP, .ip_version = 4, .ip_header_len = 20, .ttl = 64, .ip_flags = 2};
		unsigned	bits = data[0];
		size_t		n = data[10] % (JJ_MAX_TCP_OPTIONS + 1);
		uint8_t    *options;

		if (n > size - SEGMENT_BYTES)
			n = size - SEGMENT_BYTES;
		t += (INT64_C(1) << (bits >> 4) * 2) - 1;
		p.t = t;
		p.dir = bits & 1;
		p.fragment = bits & 6;
		p.payload_len = get16(data + 6);
		options = malloc(n > 0 ? n : 1);	/* exactly, so that AddressSanitizer sees the end */
		CHECK(options != NULL);
		memcpy(options, data + SEGMENT_BYTES, n);
		if (bits & 4)
			p.frag_offset = 8 * (1 + (uint32_t) data[2]);
		else
		{
			p.has_tcp = true;
			p.tcp_flags = data[1];
			p.seq = step(first[p.dir], data + 2);
			p.ack = step(first[1 - p.dir], data + 4);
			p.window = (uint16_t) get16(data + 8);
			p.options = options;
			p.options_len = (uint8_t) n;
			p.tcp_header_len = (uint8_t) (20 + (n + 3) / 4 * 4);
			if ((bits & 8) && p.tcp_header_len < 60)
				p.tcp_header_len += 4;
			check_options(options, n, (size_t) p.tcp_header_len - 20);
		}
		sent[p.dir] += p.payload_len;
		CHECK(jj_analyse_tcp.update(&state, &p, &w));
		if (state != NULL)
		{
			const jj_tcp_analysis *t = state;

			check_side(&t->side[p.dir], &t->rest[p.dir], sent[p.dir]);
		}
		free(options);
		data += SEGMENT_BYTES + n;
		size -= SEGMENT_BYTES + n;
	}
	emit_all(&state, &w);
	jj_analyse_tcp.free_state(&state, &w.allocator);
	return 0;
}
