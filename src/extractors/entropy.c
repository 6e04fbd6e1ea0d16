/*
 * Group entropy: Shannon entropy and byte classes of the first payload bytes.
 */
#include "extractors/extractor.h"

#include <math.h>
#include <string.h>

/* The sampled bytes of each direction, in order of arrival; at most entropy_sample_bytes of them. */
typedef struct entropy_state
{
	uint32_t	base[2];		/* sequence number of the first byte of the TCP stream */
	uint32_t	used[2];
	bool		has_base[2];
	bool		started[2];		/* payload was seen: base stays */
	bool		tcp;
	bool		patchy[2];		/* known is used */
	uint8_t    *byte[2];		/* room_for(used) of them */
	uint8_t    *known[2];		/* stream bytes that have come, one bit each; if not patchy, exactly the first used ones */
} entropy_state;

/* Bytes of the block that holds n > 0 sampled bytes. */
static uint32_t
room_for(uint32_t n, uint32_t limit)
{
	uint32_t	room = 56;

	while (room < n)
		room = room < 256 ? 256 : room * 2;
	return room < limit ? room : limit;
}

/* Append n > 0 bytes, limit in all. False without memory. */
static bool
append(entropy_state *s, int d, const uint8_t *bytes, uint32_t n, uint32_t limit, const jj_allocator *a)
{
	uint32_t	used = s->used[d];
	uint32_t	room = used == 0 ? 0 : room_for(used, limit);

	if (n > room - used)
	{
		uint8_t    *grown = jj_regrow(a, s->byte[d], used, room_for(used + n, limit));

		if (grown == NULL)
			return false;
		s->byte[d] = grown;
	}
	memcpy(s->byte[d] + used, bytes, n);
	s->used[d] += n;
	return true;
}

/* Bytes of the stream at off, off + n <= limit, of which some have come before or are missing in front. */
static bool
append_patch(entropy_state *s, int d, uint32_t off, const uint8_t *bytes, uint32_t n, uint32_t limit, const jj_allocator *a)
{
	uint8_t    *known = s->known[d];

	if (known == NULL)
	{
		if ((known = jj_alloc_zero(a, (limit + 7) / 8)) == NULL)
			return false;
		for (uint32_t i = 0; i < s->used[d]; i++)
			known[i / 8] |= (uint8_t) (1 << i % 8);
		s->known[d] = known;
		s->patchy[d] = true;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	at = off + i;

		if (known[at / 8] >> at % 8 & 1)
			continue;
		known[at / 8] |= (uint8_t) (1 << at % 8);
		if (!append(s, d, bytes + i, 1, limit, a))
			return false;
	}
	return true;
}

/* A segment's captured bytes, each byte of the stream once, the copy that came first. */
static bool
add_segment(entropy_state *s, const jj_packet *p, uint32_t limit, const jj_allocator *a)
{
	int			d = p->dir;
	const uint8_t *bytes = p->payload;
	uint32_t	n = p->payload_caplen;
	uint32_t	used = s->used[d];
	uint32_t	off = p->seq + (p->tcp_flags & JJ_TCP_SYN ? 1 : 0);

	if ((p->tcp_flags & JJ_TCP_SYN) && !s->started[d])
	{
		s->base[d] = p->seq + 1;
		s->has_base[d] = true;
	}
	if (p->payload_len == 0)
		return true;
	if (!s->has_base[d])
		s->base[d] = off;
	s->has_base[d] = s->started[d] = true;
	off -= s->base[d];
	if (off >= UINT32_C(0x80000000))
	{
		uint32_t	before = -off;	/* bytes in front of the stream */

		if (before >= n)
			return true;
		bytes += before;
		n -= before;
		off = 0;
	}
	if (off >= limit || n == 0 || used == limit)
		return true;
	n = n > limit - off ? limit - off : n;
	if (off > used || s->patchy[d])
		return append_patch(s, d, off, bytes, n, limit, a);
	if (n <= used - off)
		return true;
	return append(s, d, bytes + (used - off), n - (used - off), limit, a);
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	entropy_state *s = state;
	uint32_t	limit = w->options.entropy_sample_bytes;
	uint32_t	left;

	s->tcp |= p->proto == JJ_PROTO_TCP;
	if (s->tcp)
		return !p->has_tcp || add_segment(s, p, limit, &w->allocator);
	left = limit - s->used[p->dir];
	if (left == 0 || p->payload_caplen == 0)
		return true;
	return append(s, p->dir, p->payload, p->payload_caplen < left ? p->payload_caplen : left, limit, &w->allocator);
}

/* c log2 c in units of 2^-40, for c up to 2^17. */
static int64_t
c_log_c(uint32_t c)
{
	return c < 2 ? 0 : llround(ldexp(c * log2(c), 40));
}

/* What a count adds to the sum of c log2 c when it rises from c to c + 1. */
static bool
make_rises(jj_work *w)
{
	int64_t    *rise = jj_alloc(&w->allocator, sizeof(*rise) * JJ_ENTROPY_RISES);

	if (rise == NULL)
		return false;
	for (uint32_t c = 0; c < JJ_ENTROPY_RISES; c++)
		rise[c] = c_log_c(c + 1) - c_log_c(c);
	w->entropy_rise = rise;
	return true;
}

/*
 * Count n bytes; the sum of c log2 c over all 256 counts, which was sum before.
 * Integers, so that the order of the bytes does not matter.
 */
static int64_t
count_bytes(uint32_t count[256], const uint8_t *bytes, uint32_t n, int64_t sum, const jj_work *w)
{
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	c = count[bytes[i]]++;

		sum += c < JJ_ENTROPY_RISES ? w->entropy_rise[c] : c_log_c(c + 1) - c_log_c(c);
	}
	return sum;
}

/* Shannon entropy in bits of n > 0 bytes, (n log2 n - sum of c log2 c) / n; exactly 0 for one value. */
static double
shannon(int64_t sum, uint32_t n)
{
	int64_t		bits = c_log_c(n) - sum;

	return bits <= 0 ? 0 : ldexp((double) bits, -40) / n;
}

static void
emit_classes(const uint32_t count[256], uint32_t n, jj_row *row)
{
	uint32_t	printable = count['\t'] + count['\n'] + count['\r'] - count[0x7f];
	uint32_t	high = 0;
	uint64_t	squares = 0;

	for (int i = 0x20; i < 0x80; i++)
		printable += count[i];
	for (int i = 0x80; i < 256; i++)
		high += count[i];
	/* sum of (c - n/256)^2 = sum of c^2 - n^2/256 */
	if (n >= 256)
	{
		for (int i = 0; i < 256; i++)
			squares += (uint64_t) count[i] * count[i];
		jj_row_double(row, JJ_F_byte_distribution_uniformity, fmax(1 + 1 / 256.0 - (double) squares / ((double) n * n), 0));
	}
	jj_row_double(row, JJ_F_printable_ratio, (double) printable / n);
	jj_row_double(row, JJ_F_null_ratio, (double) count[0] / n);
	jj_row_double(row, JJ_F_high_byte_ratio, (double) high / n);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const entropy_state *s = state;
	uint32_t	count[256] = {0};	/* of both directions together */
	uint32_t	n = s->used[0] + s->used[1];
	int64_t		sum = 0;
	double		h[2] = {0, 0};

	(void) f;
	(void) fold;
	jj_row_int(row, JJ_F_payload_bytes_sampled, n);
	if (n == 0)
		return true;
	if (w->entropy_rise == NULL && !make_rises(w))
		return false;
	if (s->used[0] > 0)
	{
		sum = count_bytes(count, s->byte[0], s->used[0], 0, w);
		h[0] = shannon(sum, s->used[0]);
		jj_row_double(row, JJ_F_entropy_initiator, h[0]);
	}
	if (s->used[1] > 0)
	{
		uint32_t	own[256] = {0};

		h[1] = shannon(count_bytes(own, s->byte[1], s->used[1], 0, w), s->used[1]);
		jj_row_double(row, JJ_F_entropy_responder, h[1]);
		sum = count_bytes(count, s->byte[1], s->used[1], sum, w);
	}
	jj_row_double(row, JJ_F_entropy_payload, shannon(sum, n));
	if (s->used[0] > 0 && h[1] > 0)
		jj_row_double(row, JJ_F_entropy_ratio, h[0] / h[1]);
	emit_classes(count, n, row);
	return true;
}

static void
free_state(void *state, const jj_allocator *a)
{
	entropy_state *s = state;

	for (int d = 0; d < 2; d++)
	{
		jj_release(a, s->byte[d]);
		jj_release(a, s->known[d]);
	}
}

const jj_extractor jj_extract_entropy = {
	.group = JJ_G_entropy,
	.state_size = sizeof(entropy_state),
	.update = update,
	.emit = emit,
	.free_state = free_state,
};
