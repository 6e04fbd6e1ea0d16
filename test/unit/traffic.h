/*
 * Frames made in the test and the engine run over them, for the tests of flows
 * and of the engine.
 */
#ifndef JJ_TRAFFIC_H
#define JJ_TRAFFIC_H

#include "features/engine.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

#define T0 (INT64_C(1700000000) * JJ_SECOND)
#define MAX_FRAMES 6000
#define S JJ_TCP_SYN
#define A JJ_TCP_ACK
#define F JJ_TCP_FIN
#define R JJ_TCP_RST

/* ---- frames: raw IP unless tagged; host 1 and 2 are 10.0.0.1 and 10.0.0.2 */

static uint8_t store[MAX_FRAMES][160];
static jj_frame frames[MAX_FRAMES];
static uint32_t n_frames;
static double now;				/* seconds after T0 of the next frame */
static double step = 1;

static inline void
start(void)
{
	n_frames = 0;
	now = 0;
	step = 1;
}

static inline void
put16(uint8_t *b, unsigned v)
{
	b[0] = (uint8_t) (v >> 8);
	b[1] = (uint8_t) v;
}

static inline void
put32(uint8_t *b, uint32_t v)
{
	put16(b, v >> 16);
	put16(b + 2, v & 0xffff);
}

static inline jj_frame *
add(uint32_t link, const uint8_t *bytes, uint32_t size)
{
	jj_frame   *f = &frames[n_frames];

	memcpy(store[n_frames], bytes, size);
	f->data = store[n_frames++];
	f->caplen = f->wirelen = size;
	f->link = link;
	f->iface = 0;
	f->index = n_frames;
	f->ts = T0 + (int64_t) llround(now * 1e9);
	now += step;
	return f;
}

/* An IPv4 packet with size bytes behind its header, size - have of them not captured. */
static inline void
ipv4(const uint8_t src[4], const uint8_t dst[4], uint8_t proto, const uint8_t *data, uint32_t have, uint32_t size, unsigned ident, unsigned fragment)
{
	uint8_t		b[160] = {0x45};

	put16(b + 2, 20 + size);
	put16(b + 4, ident);
	put16(b + 6, fragment);
	b[8] = 64;
	b[9] = proto;
	memcpy(b + 12, src, 4);
	memcpy(b + 16, dst, 4);
	if (have > 0)
		memcpy(b + 20, data, have);
	add(101, b, 20 + have)->wirelen = 20 + size;
}

static const uint8_t host[5][4] = {{10, 0, 0, 0}, {10, 0, 0, 1}, {10, 0, 0, 2}, {10, 0, 0, 3}, {10, 0, 0, 4}};

/* A TCP segment between ports 1111 of host 1 and 80 of host 2. */
static inline void
tcp(int from, unsigned flags, uint32_t seq, uint32_t ack, uint32_t payload)
{
	uint8_t		b[20] = {0};

	put16(b, from == 1 ? 1111 : 80);
	put16(b + 2, from == 1 ? 80 : 1111);
	put32(b + 4, seq);
	put32(b + 8, ack);
	b[12] = 0x50;
	b[13] = (uint8_t) flags;
	ipv4(host[from], host[3 - from], 6, b, 20, 20 + payload, 1, 0);
}

static inline void
udp(int from, unsigned sport, int to, unsigned dport, uint32_t payload)
{
	uint8_t		b[8] = {0};

	put16(b, sport);
	put16(b + 2, dport);
	put16(b + 4, 8 + payload);
	ipv4(host[from], host[to], 17, b, 8, 8 + payload, 1, 0);
}

/* One datagram from 10.0.0.<n>, each n its own flow. */
static inline void
dgram(int n)
{
	uint8_t		src[4] = {10, 0, (uint8_t) (n >> 8), (uint8_t) n};
	uint8_t		b[8] = {0, 5, 0, 6, 0, 9, 0, 0};

	ipv4(src, (const uint8_t[]) {10, 1, 1, 1}, 17, b, 8, 9, 1, 0);
}

static inline void
handshake(void)
{
	tcp(1, S, 100, 0, 0);
	tcp(2, S | A, 500, 101, 0);
	tcp(1, A, 101, 501, 0);
}

/* Seven segments at seconds 0 to 6. */
static inline void
whole(void)
{
	handshake();
	tcp(1, F | A, 101, 501, 0);
	tcp(2, A, 501, 102, 0);
	tcp(2, F | A, 501, 102, 0);
	tcp(1, A, 102, 502, 0);
}

/* ---- running the engine */

static char out[8 * 1024 * 1024];	/* text of the rows */
static size_t out_used;
static jj_counters counters;

static inline void
say(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	out_used += (size_t) vsnprintf(out + out_used, sizeof(out) - out_used, format, args);
	va_end(args);
	if (out_used >= sizeof(out))
		out_used = sizeof(out) - 1;
}

/* "last byte of the initiator's address * packets, reason" */
static inline void
brief(const jj_row *row)
{
	uint32_t	size;
	const uint8_t *address = jj_row_bytes(row, JJ_F_src_ip, &size);
	const uint8_t *reason;

	say("%s%d", out[0] ? "; " : "", size > 0 ? address[size - 1] : -1);
	reason = jj_row_bytes(row, JJ_F_end_reason, &size);
	say(" %d %.*s", (int) row->value[JJ_F_total_packets].i, (int) size, (const char *) reason);
}

/* Every value of a row. */
static inline void
full(const jj_row *row)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		if (!jj_row_has(row, f))
			continue;
		say("%s=", jj_feature_table[f].name);
		switch (jj_feature_table[f].type)
		{
			case JJ_FLOAT8:
				say("%.17g ", row->value[f].d);
				break;
			case JJ_INT2:
			case JJ_INT4:
			case JJ_INT8:
			case JJ_BOOL:
			case JJ_TIMESTAMPTZ:
				say("%" PRId64 " ", row->value[f].i);
				break;
			default:
				{
					uint32_t	size;
					const uint8_t *b = jj_row_bytes(row, f, &size);

					for (uint32_t i = 0; i < size; i++)
						say("%02x", b[i]);
					say(" ");
				}
		}
	}
	say("\n");
}

typedef void (*row_writer) (const jj_row *row);

/* Feed all frames, batch at a time; the writer gets the rows, which are taken out after every batch. */
static inline jj_code
run_with(const jj_options *o, jj_filter *filter, const jj_allocator *a, uint32_t batch, row_writer writer, jj_error *err)
{
	jj_engine  *e = NULL;
	const jj_row *row;
	bool		have;
	jj_code		code;

	out_used = 0;
	out[0] = '\0';
	code = jj_engine_open(&e, o, filter, a, err);
	if (code == JJ_OK)
		code = jj_engine_source(e, "test", true, err);
	for (uint32_t i = 0; code == JJ_OK && i <= n_frames; i += batch)
	{
		code = i < n_frames ? jj_engine_feed(e, frames + i, n_frames - i < batch ? n_frames - i : batch, err) : JJ_OK;
		if (code == JJ_OK && i + batch > n_frames)
			code = jj_engine_finish(e, err);
		while (code == JJ_OK && (code = jj_engine_next(e, &row, &have, err)) == JJ_OK && have)
			writer(row);
	}
	if (code == JJ_OK)
		counters = *jj_engine_counters(e);
	jj_engine_close(e);
	return code;
}

static inline const char *
run(const jj_options *o)
{
	jj_allocator a = jj_malloc_allocator();
	static jj_error err;

	if (run_with(o, NULL, &a, JJ_BATCH, brief, &err) != JJ_OK)
		return err.message;
	return out;
}

static inline jj_options
defaults(void)
{
	jj_options	o;

	jj_options_default(&o);
	return o;
}

#define FLOWS(want, name) is_text(run(&o), want, name)

/* The only flow's value, or -1000 if NULL. */
static int64_t got_int;
static double got_double;
static char got_text[JJ_MESSAGE_SIZE];
static jj_feature asked;

static inline void
take(const jj_row *row)
{
	uint32_t	size;
	const uint8_t *b;

	got_int = -1000;
	got_double = NAN;
	snprintf(got_text, sizeof(got_text), "NULL");
	if (!jj_row_has(row, asked))
		return;
	got_int = row->value[asked].i;
	if (jj_feature_table[asked].type == JJ_FLOAT8)
		got_double = row->value[asked].d;
	else if (jj_feature_table[asked].type == JJ_TEXT)
	{
		b = jj_row_bytes(row, asked, &size);
		snprintf(got_text, sizeof(got_text), "%.*s", (int) size, (const char *) b);
	}
}

static inline void
ask(jj_feature f, const jj_options *o)
{
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;

	asked = f;
	got_int = -2000;
	if (run_with(o, NULL, &a, 1, take, &err) != JJ_OK)
		snprintf(got_text, sizeof(got_text), "%s", err.message);
}

#endif
