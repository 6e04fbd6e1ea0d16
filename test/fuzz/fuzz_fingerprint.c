/*
 * Fuzz target: group fingerprint over one flow made of the input. Byte 0 and 1
 * choose protocol and ports, then each packet is a byte of direction and
 * flags, two of its length (high byte first) and its payload. What the
 * columns say must hold together, and streams must give the same in whatever
 * pieces they come.
 */
#include "extractors/fp.h"
#include "features/engine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PACKETS 40
#define MOST_PAYLOAD 3000
#define STREAM 6000

static const uint16_t ports[] = {443, 500, 4500, 1701, 853, 123, 67, 547, 5060, 1900, 137, 161, 389, 88, 69, 514, 1812, 49, 9001, 784, 53, 80};

static void
put16(uint8_t *b, uint32_t v)
{
	b[0] = (uint8_t) (v >> 8);
	b[1] = (uint8_t) v;
}

/* Headers in front of payload; their size. */
static uint32_t
headers(uint8_t b[60], uint8_t proto, unsigned dir, uint16_t port, uint32_t payload, uint32_t seq, bool syn)
{
	uint32_t	size = proto == 6 ? 20 : proto == 17 ? 8 : 0;

	memset(b, 0, 60);
	b[0] = 0x45;
	put16(b + 2, 20 + size + payload);
	b[8] = 64;
	b[9] = proto;
	b[12] = b[16] = 10;
	b[15] = (uint8_t) (1 + dir);
	b[19] = (uint8_t) (2 - dir);
	put16(b + 20, dir == 0 ? 40000 : port);
	put16(b + 22, dir == 0 ? port : 40000);
	if (proto == 17)
		put16(b + 24, 8 + payload);
	else if (proto == 6)
	{
		put16(b + 24, seq >> 16);
		put16(b + 26, seq & 0xffff);
		b[32] = 0x50;
		b[33] = syn ? 2 : 0x18;
	}
	return 20 + size;
}

static double
number(const jj_row *row, jj_feature f)
{
	assert(jj_row_has(row, f));
	return row->value[f].d;
}

static void
check_row(const jj_row *row)
{
	static const jj_feature likely[] = {JJ_F_likely_tor, JJ_F_likely_vpn, JJ_F_likely_doh};
	static const jj_feature how[] = {JJ_F_tor_confidence, JJ_F_vpn_confidence, JJ_F_doh_confidence};

	for (int i = 0; i < 3; i++)
	{
		assert(jj_row_has(row, likely[i]) == jj_row_has(row, how[i]));
		if (!jj_row_has(row, how[i]))
			continue;
		assert(number(row, how[i]) >= 0 && number(row, how[i]) < 1);
		assert(row->value[likely[i]].i == (number(row, how[i]) >= 0.5));
	}
	assert(jj_row_has(row, JJ_F_app_protocol) == jj_row_has(row, JJ_F_app_confidence));
	if (jj_row_has(row, JJ_F_app_confidence))
		assert(number(row, JJ_F_app_confidence) >= 0.2 && number(row, JJ_F_app_confidence) <= 1);
	if (jj_row_has(row, JJ_F_vpn_confidence))
		assert(jj_row_has(row, JJ_F_vpn_type) == (number(row, JJ_F_vpn_confidence) > 0));
	if (jj_row_has(row, JJ_F_app_evidence))
	{
		uint32_t	size;
		const uint8_t *b = jj_row_bytes(row, JJ_F_app_evidence, &size);

		while (size > 0)
		{
			uint32_t	n;

			assert(size >= sizeof(n));
			memcpy(&n, b, sizeof(n));
			assert(n > 0 && n <= size - sizeof(n));
			b += sizeof(n) + n;
			size -= (uint32_t) sizeof(n) + n;
		}
	}
}

/* The rules of a stream's beginning, for the whole and for pieces of so many bytes. */
static void
check_stream(const uint8_t *b, uint32_t n, uint32_t piece, const jj_allocator *a)
{
	uint32_t	found[2];

	for (int k = 0; k < 2; k++)
	{
		jj_fp_head	h;
		bool		more = true;
		uint32_t	size = k == 0 ? n : piece;

		memset(&h, 0, sizeof(h));
		for (uint32_t o = 0; o < n && more; o += size)
			if (!jj_fp_head_add(&h, b + o, size < n - o ? size : n - o, &more, a))
				abort();
		found[k] = jj_fp_head_found(&h);
		jj_fp_head_free(&h, a);
	}
	assert(found[0] == found[1]);
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	jj_allocator a = jj_malloc_allocator();
	static uint8_t stream[STREAM];
	uint32_t	streamed = 0;
	uint32_t	seq[2] = {1000, 5000};
	jj_options	o;
	jj_engine  *e;
	const jj_row *row;
	bool		have;
	uint8_t		proto;
	uint16_t	port;

	if (size < 2)
		return 0;
	proto = data[0] % 4 == 0 ? 6 : data[0] % 4 == 1 ? 17 : data[0] % 4 == 2 ? 47 : data[0];
	port = ports[data[1] % (sizeof(ports) / sizeof(ports[0]))];
	jj_options_default(&o);
	memset(&o.features, 0, sizeof(o.features));
	jj_set_add_name(&o.features, "fingerprint");
	o.inner_tunnels = false;
	if (jj_engine_open(&e, &o, NULL, &a, NULL) != JJ_OK)
		abort();
	data += 2;
	size -= 2;
	for (int i = 0; i < MOST_PACKETS && size >= 3; i++)
	{
		unsigned	dir = data[0] & 1;
		bool		syn = proto == 6 && (data[0] & 2);
		uint32_t	cut = data[0] >> 4;
		uint32_t	n = (uint32_t) (data[1] << 8 | data[2]) % MOST_PAYLOAD;
		uint8_t		head[60];
		uint32_t	before;
		jj_frame	f = {.link = 101, .index = (uint64_t) i + 1, .ts = (int64_t) i * 1000000};
		uint8_t    *frame;

		data += 3;
		size -= 3;
		n = n < size ? n : (uint32_t) size;
		before = headers(head, proto, dir, port, n, seq[dir], syn);
		frame = malloc(before + n);
		if (frame == NULL)
			abort();
		memcpy(frame, head, before);
		if (n > 0)
			memcpy(frame + before, data, n);
		f.data = frame;
		f.wirelen = before + n;
		f.caplen = f.wirelen - (cut < n ? cut : 0);
		if (jj_engine_feed(e, &f, 1, NULL) != JJ_OK)
			abort();
		free(frame);
		seq[dir] += n + syn;
		if (dir == 0 && streamed + n <= STREAM)
		{
			memcpy(stream + streamed, data, n);
			streamed += n;
		}
		data += n;
		size -= n;
	}
	if (jj_engine_finish(e, NULL) != JJ_OK)
		abort();
	while (jj_engine_next(e, &row, &have, NULL) == JJ_OK && have)
		check_row(row);
	jj_engine_close(e);
	if (streamed > 0)
		check_stream(stream, streamed, 1 + streamed % 97, &a);
	return 0;
}
