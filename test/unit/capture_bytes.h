/*
 * Captures built in memory, and what a reader makes of them, for the reader's tests.
 */
#ifndef JJ_CAPTURE_BYTES_H
#define JJ_CAPTURE_BYTES_H

#include "capture/reader.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct bytes
{
	uint8_t    *p;
	size_t		size;
	size_t		room;
	bool		big;			/* byte order of what is put */
} bytes;

static inline void
put(bytes *b, const void *from, size_t size)
{
	if (b->size + size > b->room)
	{
		b->room = 2 * (b->size + size);
		b->p = realloc(b->p, b->room);
		if (b->p == NULL)
			exit(2);
	}
	if (size > 0)
		memcpy(b->p + b->size, from, size);
	b->size += size;
}

static inline void
put8(bytes *b, unsigned v)
{
	uint8_t		one = (uint8_t) v;

	put(b, &one, 1);
}

static inline void
put16(bytes *b, uint32_t v)
{
	put8(b, (b->big ? v >> 8 : v) & 0xff);
	put8(b, (b->big ? v : v >> 8) & 0xff);
}

static inline void
put32(bytes *b, uint32_t v)
{
	put16(b, b->big ? v >> 16 : v & 0xffff);
	put16(b, b->big ? v & 0xffff : v >> 16);
}

static inline void
put64(bytes *b, uint64_t v)
{
	put32(b, (uint32_t) (b->big ? v >> 32 : v));
	put32(b, (uint32_t) (b->big ? v : v >> 32));
}

/* Packet bytes that differ with seed and place. */
static inline void
put_payload(bytes *b, uint32_t seed, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put8(b, (unsigned) (seed * 31 + i * 7 + (i >> 8)));
}

static inline void
put_zeros(bytes *b, size_t size)
{
	for (size_t i = 0; i < size; i++)
		put8(b, 0);
}

static inline void
pcap_header(bytes *b, uint32_t magic, uint32_t link)
{
	put32(b, magic);
	put16(b, 2);
	put16(b, 4);
	put64(b, 0);
	put32(b, 65535);
	put32(b, link);
}

static inline void
pcap_record(bytes *b, uint32_t magic, uint32_t seconds, uint32_t fraction, uint32_t caplen, uint32_t wirelen, uint32_t seed)
{
	put32(b, seconds);
	put32(b, fraction);
	put32(b, caplen);
	put32(b, wirelen);
	if (magic == 0xa1b2cd34)
		put64(b, 0x0102030405060708);
	put_payload(b, seed, caplen);
}

/* A pcapng block: its start is put and returned, what follows is its body, block_end sets both lengths. */
static inline size_t
block(bytes *b, uint32_t type)
{
	put32(b, type);
	put32(b, 0);
	return b->size - 8;
}

static inline void
block_end(bytes *b, size_t start)
{
	bytes		length = {.big = b->big};

	while (b->size % 4 != start % 4)
		put8(b, 0);
	put32(&length, (uint32_t) (b->size - start + 4));
	memcpy(b->p + start + 4, length.p, 4);
	put(b, length.p, 4);
	free(length.p);
}

static inline void
section(bytes *b, bool big)
{
	size_t		start;

	b->big = big;
	start = block(b, 0x0a0d0d0a);
	put32(b, 0x1a2b3c4d);
	put32(b, 1);
	put64(b, UINT64_MAX);
	block_end(b, start);
}

static inline void
interface(bytes *b, uint32_t link, uint32_t snaplen)
{
	size_t		start = block(b, 1);

	put16(b, link);
	put16(b, 0);
	put32(b, snaplen);
	block_end(b, start);
}

/* One with if_tsresol and if_tsoffset. */
static inline void
interface_clock(bytes *b, uint32_t link, unsigned resolution, int64_t offset)
{
	size_t		start = block(b, 1);

	put16(b, link);
	put16(b, 0);
	put32(b, 0);
	put16(b, 9);
	put16(b, 1);
	put8(b, resolution);
	put_zeros(b, 3);
	put16(b, 14);
	put16(b, 8);
	put64(b, (uint64_t) offset);
	put32(b, 0);
	block_end(b, start);
}

static inline void
enhanced(bytes *b, uint32_t iface, uint64_t ticks, uint32_t caplen, uint32_t wirelen, uint32_t seed)
{
	size_t		start = block(b, 6);

	put32(b, iface);
	put32(b, (uint32_t) (ticks >> 32));
	put32(b, (uint32_t) ticks);
	put32(b, caplen);
	put32(b, wirelen);
	put_payload(b, seed, caplen);
	block_end(b, start);
}

static inline void
old_packet(bytes *b, uint32_t iface, uint64_t ticks, uint32_t caplen, uint32_t wirelen, uint32_t seed)
{
	size_t		start = block(b, 2);

	put16(b, iface);
	put16(b, 7);				/* drops */
	put32(b, (uint32_t) (ticks >> 32));
	put32(b, (uint32_t) ticks);
	put32(b, caplen);
	put32(b, wirelen);
	put_payload(b, seed, caplen);
	block_end(b, start);
}

static inline void
simple(bytes *b, uint32_t wirelen, size_t stored, uint32_t seed)
{
	size_t		start = block(b, 3);

	put32(b, wirelen);
	put_payload(b, seed, stored);
	block_end(b, start);
}

/* An allocator that counts, and fails from its fail_at-th call on (0: never). */
typedef struct counting
{
	uint64_t	calls;
	uint64_t	fail_at;
	size_t		live_blocks;
	size_t		live_bytes;
	size_t		peak_bytes;
} counting;

#define COUNTING_HEADER 16

static inline void *
counting_alloc(void *ctx, size_t size)
{
	counting   *c = ctx;
	uint8_t    *block;

	c->calls++;
	if (c->fail_at != 0 && c->calls >= c->fail_at)
		return NULL;
	block = malloc(size + COUNTING_HEADER);
	if (block == NULL)
		return NULL;
	memcpy(block, &size, sizeof(size));
	c->live_blocks++;
	c->live_bytes += size;
	if (c->live_bytes > c->peak_bytes)
		c->peak_bytes = c->live_bytes;
	return block + COUNTING_HEADER;
}

static inline void
counting_release(void *ctx, void *p)
{
	counting   *c = ctx;
	uint8_t    *block = p;
	size_t		size;

	if (block == NULL)
		return;
	block -= COUNTING_HEADER;
	memcpy(&size, block, sizeof(size));
	c->live_blocks--;
	c->live_bytes -= size;
	free(block);
}

static inline jj_allocator
counting_allocator(counting *c)
{
	jj_allocator a = {counting_alloc, counting_release, c};

	return a;
}

/* A frame with a sum in place of its bytes. */
typedef struct seen
{
	int64_t		ts;
	uint64_t	index;
	uint32_t	caplen;
	uint32_t	wirelen;
	uint32_t	link;
	uint32_t	iface;
	uint64_t	sum;
} seen;

typedef struct outcome
{
	jj_code		code;			/* of the opening or of the reading */
	bool		opened;
	jj_error	err;
	seen	   *frames;
	size_t		count;
	jj_reader_info info;		/* without ifaces */
	jj_iface	ifaces[16];		/* the first ones */
	uint32_t	warnings;
	char		warning[JJ_MAX_WARNINGS][JJ_MESSAGE_SIZE];
	counting	memory;
} outcome;

static inline uint64_t
payload_sum(const uint8_t *p, size_t size)
{
	uint64_t	sum = 14695981039346656037u;

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ p[i]) * 1099511628211u;
	return sum;
}

#define LARGEST_BATCH 64

static inline void
drain(jj_reader *r, uint32_t batch, outcome *o)
{
	jj_frame	frames[LARGEST_BATCH];
	size_t		room = 0;
	uint32_t	n;

	while ((o->code = jj_reader_next(r, frames, batch, &n, &o->err)) == JJ_OK && n > 0)
	{
		for (uint32_t i = 0; i < n; i++)
		{
			const jj_frame *f = &frames[i];
			seen		s = {f->ts, f->index, f->caplen, f->wirelen, f->link, f->iface, payload_sum(f->data, f->caplen)};

			if (o->count == room)
			{
				room = 2 * room + 16;
				o->frames = realloc(o->frames, room * sizeof(seen));
				if (o->frames == NULL)
					exit(2);
			}
			o->frames[o->count++] = s;
		}
	}
	o->info = *jj_reader_info_get(r);
	for (uint32_t i = 0; i < o->info.iface_count && i < 16; i++)
		o->ifaces[i] = o->info.ifaces[i];
	o->info.ifaces = NULL;
	for (const char *w; (w = jj_reader_warning(r, o->warnings)) != NULL; o->warnings++)
		snprintf(o->warning[o->warnings], JJ_MESSAGE_SIZE, "%s", w);
}

/* Read everything, from fd or, if that is -1, from memory. */
static inline outcome
read_source(int fd, const uint8_t *p, size_t size, uint32_t batch, uint64_t fail_at)
{
	outcome		o = {.memory = {.fail_at = fail_at}};
	jj_allocator a = counting_allocator(&o.memory);
	jj_reader  *r;

	o.code = fd < 0 ? jj_reader_open_memory(&r, p, size, &a, &o.err) : jj_reader_open_fd(&r, fd, &a, &o.err);
	o.opened = o.code == JJ_OK;
	if (o.opened)
		drain(r, batch, &o);
	jj_reader_close(r);
	return o;
}

/* From memory of exactly that size, so that AddressSanitizer sees a step too far. */
static inline outcome
read_bytes(const uint8_t *p, size_t size, uint32_t batch)
{
	uint8_t    *exact = malloc(size);
	outcome		o;

	if (size > 0)
	{
		if (exact == NULL)
			exit(2);
		memcpy(exact, p, size);
	}
	o = read_source(-1, exact, size, batch, 0);
	free(exact);
	return o;
}

/* A descriptor at the start of a file that holds the bytes and has no name any more. */
static inline int
file_of(const uint8_t *p, size_t size)
{
	char		path[] = "/tmp/jj_test_XXXXXX";
	int			fd = mkstemp(path);

	if (fd < 0)
		exit(2);
	unlink(path);
	while (size > 0)
	{
		ssize_t		n = write(fd, p, size);

		if (n <= 0)
			exit(2);
		p += n;
		size -= (size_t) n;
	}
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static inline outcome
read_file(const uint8_t *p, size_t size, uint32_t batch)
{
	int			fd = file_of(p, size);
	outcome		o = read_source(fd, NULL, 0, batch, 0);

	close(fd);
	return o;
}

/* Whether the frames of a are the first ones of b. */
static inline bool
is_start_of(const outcome *a, const outcome *b)
{
	if (a->count > b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
	{
		const seen *x = &a->frames[i];
		const seen *y = &b->frames[i];

		if (x->ts != y->ts || x->index != y->index || x->caplen != y->caplen || x->wirelen != y->wirelen || x->link != y->link ||
			x->iface != y->iface || x->sum != y->sum)
			return false;
	}
	return true;
}

static inline bool
same_frames(const outcome *a, const outcome *b)
{
	return a->count == b->count && is_start_of(a, b);
}

static inline bool
warned_of(const outcome *o, const char *part)
{
	for (uint32_t i = 0; i < o->warnings; i++)
		if (strstr(o->warning[i], part) != NULL)
			return true;
	return false;
}

static inline void
forget(outcome *o)
{
	free(o->frames);
	o->frames = NULL;
}

#endif
