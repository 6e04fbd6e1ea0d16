/*
 * Group entropy: Shannon entropy and byte classes of the first payload bytes.
 */
#include "extractors/extractor.h"

#include <math.h>
#include <string.h>

/* Stream bytes that have come, one bit each; without, exactly the first used ones. */
typedef struct entropy_known
{
	uint8_t    *bits[2];
} entropy_known;

/* The sampled bytes of each direction, in order of arrival; at most entropy_sample_bytes of them. */
typedef struct entropy_state
{
	uint8_t    *byte[2];		/* room_for(used) of them */
	entropy_known *known;		/* of streams with holes or repetitions, NULL until then */
	uint32_t	base[2];		/* sequence number of the first byte of the TCP stream */
	uint16_t	used[2];
	bool		has_base[2];
	bool		started[2];		/* payload was seen: base stays */
} entropy_state;

_Static_assert(JJ_MAX_ENTROPY_SAMPLE <= UINT16_MAX, "the sample of a direction is counted in 16 bits");

/* Bytes of the block that holds n > 0 sampled bytes. */
static uint32_t
room_for(uint32_t n, uint32_t limit)
{
	uint32_t	room = 48;

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
	s->used[d] = (uint16_t) (used + n);
	return true;
}

/* Bytes of the stream at off, off + n <= limit, of which some have come before or are missing in front. */
static bool
append_patch(entropy_state *s, int d, uint32_t off, const uint8_t *bytes, uint32_t n, uint32_t limit, const jj_allocator *a)
{
	uint8_t    *known;

	if (s->known == NULL && (s->known = jj_alloc_zero(a, sizeof(*s->known))) == NULL)
		return false;
	known = s->known->bits[d];
	if (known == NULL)
	{
		if ((known = s->known->bits[d] = jj_alloc_zero(a, (limit + 7) / 8)) == NULL)
			return false;
		for (uint32_t i = 0; i < s->used[d]; i++)
			known[i / 8] |= (uint8_t) (1 << i % 8);
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
	if (off > used || (s->known != NULL && s->known->bits[d] != NULL))
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

	if (p->proto == JJ_PROTO_TCP)
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

static bool
make_logs(jj_work *w)
{
	int64_t    *logs = jj_alloc(&w->allocator, sizeof(*logs) * JJ_ENTROPY_LOGS);

	if (logs == NULL)
		return false;
	for (uint32_t c = 0; c < JJ_ENTROPY_LOGS; c++)
		logs[c] = c_log_c(c);
	w->entropy_log = logs;
	return true;
}

/* What the columns of a direction, or of both, are made of: sums over the counts of all 256 byte values. Integers, so that no order matters. */
typedef struct byte_sums
{
	uint32_t	n;				/* bytes */
	int64_t		logs;			/* of c log2 c */

	/* only of both */
	uint32_t	printable;
	uint32_t	null;
	uint32_t	high;
	uint64_t	squares;
} byte_sums;

/* Sums of any counts. */
static void
sum_counts(byte_sums *s, const uint32_t count[256], const jj_work *w)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < 256; i++)
	{
		uint32_t	c = count[i];

		s->n += c;
		s->logs += c < JJ_ENTROPY_LOGS ? w->entropy_log[c] : c_log_c(c);
		s->squares += (uint64_t) c * c;
		if ((i >= 0x20 && i < 0x7f) || i == '\t' || i == '\n' || i == '\r')
			s->printable += c;
		if (i >= 0x80)
			s->high += c;
	}
	s->null = count[0];
}

static void
sum_any(const entropy_state *state, byte_sums sums[3], const jj_work *w)
{
	uint32_t	count[3][256] = {{0}};

	for (int d = 0; d < 2; d++)
		for (uint32_t i = 0; i < state->used[d]; i++)
			count[d][state->byte[d][i]]++;
	for (int i = 0; i < 256; i++)
		count[2][i] = count[0][i] + count[1][i];
	for (int i = 0; i < 3; i++)
		sum_counts(&sums[i], count[i], w);
}

/*
 * The same of at most 256 bytes in each direction, where no value comes more
 * than 127 times in one: counts are bytes then, of which compilers take many
 * at once. Of few bytes the sum is kept up while they are counted.
 */
#define FEW 96					/* bytes */
#define RARE 8					/* a power of two; most counts of bytes that look random are below */

static void
count_bytes(uint8_t count[256], const uint8_t *byte, uint32_t n)
{
	for (; n >= 4; n -= 4, byte += 4)
	{
		count[byte[0]]++;
		count[byte[1]]++;
		count[byte[2]]++;
		count[byte[3]]++;
	}
	for (; n > 0; n--)
		count[*byte++]++;
}

/* Count bytes on top of others; by how much the sum of c log2 c grows. */
static int64_t
count_few(uint8_t count[256], const uint8_t *byte, uint32_t n, const jj_work *w)
{
	int64_t		logs = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		const int64_t *log = w->entropy_log + count[byte[i]]++;

		logs += log[1] - log[0];
	}
	return logs;
}

/* How many byte values have each count from 1 to RARE - 1; a half of all values at a time, so that 8 bits are enough. */
static void
count_values(const uint8_t count[256], uint32_t values[RARE])
{
	memset(values, 0, sizeof(*values) * RARE);
	for (int half = 0; half < 2; half++)
	{
		const uint8_t *c = count + 128 * half;
		uint8_t		n[RARE] = {0};

		for (int i = 0; i < 128; i++)
		{
			n[1] += c[i] == 1;
			n[2] += c[i] == 2;
			n[3] += c[i] == 3;
			n[4] += c[i] == 4;
			n[5] += c[i] == 5;
			n[6] += c[i] == 6;
			n[7] += c[i] == 7;
		}
		for (int k = 1; k < RARE; k++)
			values[k] += n[k];
	}
}

/* The sum of c log2 c over the counts of n bytes. */
static int64_t
sum_logs(const uint8_t count[256], uint32_t n, const jj_work *w)
{
	uint32_t	values[RARE];
	uint32_t	left = n;		/* bytes whose values have not been met */
	int64_t		logs = 0;

	count_values(count, values);
	for (uint32_t c = 1; c < RARE; c++)
	{
		left -= values[c] * c;
		logs += values[c] * w->entropy_log[c];
	}
	for (int i = 0; left > 0 && i < 256; i += 8)
	{
		uint64_t	eight;

		memcpy(&eight, count + i, sizeof(eight));
		if ((eight & ~(UINT64_C(0x0101010101010101) * (RARE - 1))) == 0)
			continue;
		for (int k = i; k < i + 8; k++)
			if (count[k] >= RARE)
			{
				left -= count[k];
				logs += w->entropy_log[count[k]];
			}
	}
	return logs;
}

/* What both directions need beside it. The squares only matter from 256 bytes on. */
static void
sum_classes(byte_sums *s, const uint8_t count[256])
{
	uint16_t	printable = 0;
	uint16_t	high = 0;
	uint32_t	squares = 0;

	for (int i = 0x20; i < 0x80; i++)
		printable += count[i];
	for (int i = 0x80; i < 256; i++)
		high += count[i];
	s->printable = printable + count['\t'] + count['\n'] + count['\r'] - count[0x7f];
	s->high = high;
	s->null = count[0];
	for (int i = 0; s->n >= 256 && i < 256; i++)
	{
		uint16_t	square = (uint16_t) (count[i] * count[i]);

		squares += square;
	}
	s->squares = squares;
}

static bool
any_above_127(const uint8_t count[256])
{
	uint8_t		all = 0;

	for (int i = 0; i < 256; i++)
		all |= count[i];
	return all > 127;
}

/* Sums of each direction and of both, sums[2]; false if there are too many bytes, or too many of a kind. */
static bool
sum_small(const entropy_state *state, byte_sums sums[3], const jj_work *w)
{
	uint8_t		count[2][256] = {{0}};
	int			more = state->used[1] > state->used[0];	/* the direction of which there are more bytes */
	uint32_t	n = state->used[more];
	uint32_t	fewer = state->used[1 - more];

	if (n > 256)
		return false;
	if (n <= FEW)
		sums[more].logs = count_few(count[0], state->byte[more], n, w);
	else
	{
		count_bytes(count[0], state->byte[more], n);
		/* 256 times the same has wrapped around */
		if (count[0][state->byte[more][0]] == 0 || any_above_127(count[0]))
			return false;
		sums[more].logs = sum_logs(count[0], n, w);
	}
	sums[more].n = n;
	sums[1 - more].n = fewer;
	sums[2].n = n + fewer;
	sums[2].logs = sums[more].logs;
	if (fewer > 0 && fewer <= FEW)
	{
		sums[1 - more].logs = count_few(count[1], state->byte[1 - more], fewer, w);
		sums[2].logs += count_few(count[0], state->byte[1 - more], fewer, w);
	}
	else if (fewer > 0)
	{
		count_bytes(count[1], state->byte[1 - more], fewer);
		if (count[1][state->byte[1 - more][0]] == 0 || any_above_127(count[1]))
			return false;
		sums[1 - more].logs = sum_logs(count[1], fewer, w);
		for (int i = 0; i < 256; i++)
			count[0][i] += count[1][i];
		sums[2].logs = sum_logs(count[0], n + fewer, w);
	}
	sum_classes(&sums[2], count[0]);
	return true;
}

/* Shannon entropy in bits of n > 0 bytes, (n log2 n - sum of c log2 c) / n; exactly 0 for one value. */
static double
shannon(const byte_sums *s, const jj_work *w)
{
	int64_t		bits = (s->n < JJ_ENTROPY_LOGS ? w->entropy_log[s->n] : c_log_c(s->n)) - s->logs;

	return bits <= 0 ? 0 : (double) bits * 0x1p-40 / s->n;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const entropy_state *s = state;
	uint32_t	n = (uint32_t) s->used[0] + s->used[1];
	byte_sums	sums[3];
	const byte_sums *both = &sums[2];
	double		h[2] = {0, 0};

	(void) f;
	(void) fold;
	jj_row_int(row, JJ_F_payload_bytes_sampled, n);
	if (n == 0)
		return true;
	if (w->entropy_log == NULL && !make_logs(w))
		return false;
	if (!sum_small(s, sums, w))
		sum_any(s, sums, w);
	for (int d = 0; d < 2; d++)
		if (s->used[d] > 0)
		{
			h[d] = shannon(&sums[d], w);
			jj_row_double(row, d == 0 ? JJ_F_entropy_initiator : JJ_F_entropy_responder, h[d]);
		}
	jj_row_double(row, JJ_F_entropy_payload, shannon(both, w));
	if (s->used[0] > 0 && h[1] > 0)
		jj_row_double(row, JJ_F_entropy_ratio, h[0] / h[1]);
	/* sum of (c - n/256)^2 = sum of c^2 - n^2/256 */
	if (n >= 256)
		jj_row_double(row, JJ_F_byte_distribution_uniformity,
					  fmax(1 + 1 / 256.0 - (double) both->squares / ((double) n * n), 0));
	jj_row_double(row, JJ_F_printable_ratio, (double) both->printable / n);
	jj_row_double(row, JJ_F_null_ratio, (double) both->null / n);
	jj_row_double(row, JJ_F_high_byte_ratio, (double) both->high / n);
	return true;
}

static void
fetch_all(const void *state)
{
	const entropy_state *s = state;

	for (int d = 0; d < 2; d++)
		for (uint32_t i = 0; i < s->used[d] && i < 256; i += 64)
			JJ_PREFETCH(s->byte[d] + i);
}

static void
free_state(void *state, const jj_allocator *a)
{
	entropy_state *s = state;

	jj_release(a, s->byte[0]);
	jj_release(a, s->byte[1]);
	if (s->known == NULL)
		return;
	jj_release(a, s->known->bits[0]);
	jj_release(a, s->known->bits[1]);
	jj_release(a, s->known);
}

const jj_extractor jj_extract_entropy = {
	.group = JJ_G_entropy,
	.state_size = sizeof(entropy_state),
	.update = update,
	.fetch_all = fetch_all,
	.emit = emit,
	.free_state = free_state,
};
