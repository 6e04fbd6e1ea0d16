/*
 * Fuzz target: reassembly of a TCP stream against a model that follows the
 * rules byte by byte.
 *
 * Input: limit (2 bytes, big endian), first sequence number (4), then segments
 * of 6 bytes each: bits (1 = SYN, 2 = PSH, 4 = RST, 8 = payload of zeros,
 * 16 = relative to the first sequence number instead of the next byte),
 * sequence number as a signed step (2), payload length (1), bytes of it that
 * are not captured (1), seed of the payload (1).
 */
#include "../unit/stream_model.h"

#include <stdio.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT_BYTES 6
#define MAX_SEGMENTS 400		/* so that no stream gets as long as the model's */

static void
fail(const char *wrong)
{
	fprintf(stderr, "stream and model differ: %s\n", wrong);
	abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static model m;
	jj_allocator a = jj_malloc_allocator();
	jj_stream	s = {.next = 0};
	jj_hold		hold = {.limit = JJ_STREAM_TOTAL};
	model_check k = {.m = &m};
	uint32_t	first;

	if (size < 6)
		return 0;
	memset(&m, 0, sizeof(m));

	/* a stream holds limit / 32 + 64 pieces, here enough for a piece a byte */
	m.limit = ((uint32_t) data[0] << 8 | data[1]) % 64;
	first = (uint32_t) data[2] << 24 | (uint32_t) data[3] << 16 | (uint32_t) data[4] << 8 | data[5];
	data += 6;
	size -= 6;
	for (unsigned i = 0; i < MAX_SEGMENTS && size >= SEGMENT_BYTES; i++, data += SEGMENT_BYTES, size -= SEGMENT_BYTES)
	{
		jj_packet	p = {.has_tcp = true, .index = i + 1};
		uint32_t	n = data[3];
		uint32_t	cut = data[4] < n ? data[4] : n;
		uint8_t    *payload = malloc(n - cut + 1);
		const char *wrong = NULL;

		if (payload == NULL)
			return 0;
		for (uint32_t j = 0; j < n - cut; j++)
			payload[j] = data[0] & 8 ? 0 : (uint8_t) (data[5] + j * 3 + i);
		p.payload = payload;
		p.payload_len = n;
		p.payload_caplen = n - cut;
		p.tcp_flags = (uint16_t) ((data[0] & 1 ? JJ_TCP_SYN : 0) | (data[0] & 2 ? JJ_TCP_PSH : 0) | (data[0] & 4 ? JJ_TCP_RST : 0));
		p.seq = first + (data[0] & 16 ? 0 : (uint32_t) k.taken) + ((uint32_t) data[1] << 8 | data[2]) - (data[1] & 0x80 ? 0x10000 : 0);
		k.now = &p;
		if (model_add(&m, &p))
		{
			jj_stream_add(&s, &p, m.limit, &hold, &a, model_sink, &k);
			wrong = model_compare(&m, &s, &hold, &k);
		}
		else
			size = 0;
		free(payload);
		if (wrong != NULL)
			fail(wrong);
		if (size == 0)
			break;
	}
	jj_stream_drop(&s, &hold, &a);
	if (hold.bytes != 0)
		fail("bytes that are counted as held");
	return 0;
}
