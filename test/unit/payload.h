/*
 * Packets with payload, of any size, for the tests of application protocols:
 * between port A of host 1 and port B of host 2, as raw IP.
 */
#ifndef JJ_PAYLOAD_H
#define JJ_PAYLOAD_H

#include "columns.h"

static uint8_t payload_store[4 * 1024 * 1024];
static size_t payload_used;
static unsigned port[3] = {0, 40000, 53};

/* No frames; the ports of host 1 and 2. */
static inline void
between(unsigned one, unsigned two)
{
	start();
	payload_used = 0;
	port[1] = one;
	port[2] = two;
	step = 0.001;
}

/* A frame whose IP payload is head and n bytes, of which captured are there. */
static inline jj_frame *
packet(int from, uint8_t proto, const uint8_t *head, uint32_t head_size, const void *bytes, uint32_t n, uint32_t captured, unsigned fragment)
{
	static const uint8_t none[1];
	jj_frame   *f = add(101, none, 0);
	uint8_t    *b = payload_store + payload_used;

	f->data = b;
	f->caplen = 20 + head_size + captured;
	f->wirelen = 20 + head_size + n;
	payload_used += f->caplen;
	memset(b, 0, 20);
	b[0] = 0x45;
	put16(b + 2, 20 + head_size + n);
	put16(b + 4, 1);
	put16(b + 6, fragment);
	b[8] = 64;
	b[9] = proto;
	memcpy(b + 12, host[from], 4);
	memcpy(b + 16, host[3 - from], 4);
	memcpy(b + 20, head, head_size);
	if (captured > 0)
		memcpy(b + 20 + head_size, bytes, captured);
	return f;
}

static inline void
segment(int from, unsigned flags, uint32_t seq, const void *bytes, uint32_t n)
{
	uint8_t		head[20] = {0};

	put16(head, port[from]);
	put16(head + 2, port[3 - from]);
	put32(head + 4, seq);
	head[12] = 0x50;
	head[13] = (uint8_t) flags;
	packet(from, 6, head, 20, bytes, n, n, 0);
}

static inline void
datagram_cut(int from, const void *bytes, uint32_t n, uint32_t captured, unsigned fragment)
{
	uint8_t		head[8] = {0};

	put16(head, port[from]);
	put16(head + 2, port[3 - from]);
	put16(head + 4, 8 + n);
	packet(from, 17, head, 8, bytes, n, captured, fragment);
}

static inline void
datagram(int from, const void *bytes, uint32_t n)
{
	datagram_cut(from, bytes, n, n, 0);
}

/* The elements of a text array, each in front of a "|"; NULL for a null one. */
static inline const char *
texts_of(jj_feature f)
{
	static char text[65536];
	const uint8_t *b = arena + value[f].bytes.offset;
	const uint8_t *end = b + value[f].bytes.size;
	size_t		n = 0;

	if (n_rows == 0 || is_null(f))
		return "null";
	while (b < end && n < sizeof(text) - 4096)
	{
		uint32_t	size;

		memcpy(&size, b, sizeof(size));
		b += sizeof(size);
		if (size == JJ_NULL_ELEMENT)
			n += (size_t) sprintf(text + n, "NULL|");
		else
			n += (size_t) sprintf(text + n, "%.*s|", (int) size, (const char *) b);
		b += size == JJ_NULL_ELEMENT ? 0 : size;
	}
	text[n] = '\0';
	return text;
}

#define TEXTS(f, want, name) is_text(texts_of(JJ_F_##f), want, name)

#endif
