/*
 * Group entropy: Shannon entropy and byte classes of the first payload bytes.
 */
#include "extractors/extractor.h"

#include <math.h>
#include <string.h>

#define FIRST_ROOM 64

/* The sampled bytes of one direction, in order of arrival; at most entropy_sample_bytes of them. */
typedef struct byte_sample
{
	uint32_t	room;
	uint32_t	used;
	uint8_t    *known;			/* stream bytes that have come, one bit each; NULL: exactly the first used ones */
	uint8_t		byte[];
} byte_sample;

typedef struct entropy_state
{
	uint32_t	base[2];		/* sequence number of the first byte of the TCP stream */
	uint8_t		has_base[2];
	uint8_t		started[2];		/* payload was seen: base stays */
	uint8_t		tcp;
	byte_sample *sample[2];		/* allocated with the first payload */
} entropy_state;

/* Append n bytes, limit in all. False without memory. */
static bool
append(byte_sample **sample, const uint8_t *bytes, uint32_t n, uint32_t limit, const jj_allocator *a)
{
	byte_sample *s = *sample;
	uint32_t	used = s == NULL ? 0 : s->used;

	if (s == NULL || n > s->room - used)
	{
		uint32_t	room = s == NULL ? FIRST_ROOM : s->room;
		byte_sample *grown;

		while (room < used + n)
			room *= 2;
		room = room > limit ? limit : room;
		grown = jj_regrow(a, s, s == NULL ? 0 : sizeof(byte_sample) + used, sizeof(byte_sample) + room);
		if (grown == NULL)
			return false;
		if (s == NULL)
		{
			grown->used = 0;
			grown->known = NULL;
		}
		grown->room = room;
		*sample = s = grown;
	}
	memcpy(s->byte + used, bytes, n);
	s->used += n;
	return true;
}

/* Bytes of the stream at off, off + n <= limit, of which some have come before or are missing in front. */
static bool
append_unknown(byte_sample **sample, uint32_t off, const uint8_t *bytes, uint32_t n, uint32_t limit, const jj_allocator *a)
{
	byte_sample *s;

	if (*sample == NULL && !append(sample, bytes, 0, limit, a))
		return false;
	s = *sample;
	if (s->known == NULL)
	{
		if ((s->known = jj_alloc_zero(a, (limit + 7) / 8)) == NULL)
			return false;
		for (uint32_t i = 0; i < s->used; i++)
			s->known[i / 8] |= (uint8_t) (1 << i % 8);
	}
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	at = off + i;

		if ((*sample)->known[at / 8] >> at % 8 & 1)
			continue;
		(*sample)->known[at / 8] |= (uint8_t) (1 << at % 8);
		if (!append(sample, bytes + i, 1, limit, a))
			return false;
	}
	return true;
}

/* A segment's captured bytes, each byte of the stream once, the copy that came first. */
static bool
add_segment(entropy_state *s, const jj_packet *p, uint32_t limit, const jj_allocator *a)
{
	int			d = p->dir;
	byte_sample *sample = s->sample[d];
	const uint8_t *bytes = p->payload;
	uint32_t	n = p->payload_caplen;
	uint32_t	used = sample == NULL ? 0 : sample->used;
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
	if (off > used || (sample != NULL && sample->known != NULL))
		return append_unknown(&s->sample[d], off, bytes, n, limit, a);
	if (n <= used - off)
		return true;
	return append(&s->sample[d], bytes + (used - off), n - (used - off), limit, a);
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	entropy_state *s = state;
	uint32_t	limit = w->options.entropy_sample_bytes;
	byte_sample *sample;
	uint32_t	left;

	s->tcp |= p->proto == JJ_PROTO_TCP;
	if (s->tcp)
		return !p->has_tcp || add_segment(s, p, limit, &w->allocator);
	sample = s->sample[p->dir];
	left = limit - (sample == NULL ? 0 : sample->used);
	if (left == 0 || p->payload_caplen == 0)
		return true;
	return append(&s->sample[p->dir], p->payload, p->payload_caplen < left ? p->payload_caplen : left, limit, &w->allocator);
}

/*
 * Shannon entropy in bits of n > 0 bytes with these counts of k values, as
 * (n log2 n - sum of c log2 c) / n, which is exactly 0 for one value. Most
 * counts are small and come often: each needs one logarithm.
 */
static double
shannon(const uint32_t count[256], const uint8_t *value, int k, uint32_t n)
{
	uint32_t	times[32] = {0};
	double		sum = 0;

	for (int i = 0; i < k; i++)
	{
		uint32_t	c = count[value[i]];

		if (c < 32)
			times[c]++;
		else
			sum += c * log2(c);
	}
	for (int c = 2; c < 32; c++)
		if (times[c] > 0)
			sum += times[c] * (c * log2(c));
	return fmax((n * log2(n) - sum) / n, 0);
}

static void
emit_classes(const uint32_t count[256], const uint8_t *value, int k, uint32_t n, jj_row *row)
{
	uint32_t	printable = count['\t'] + count['\n'] + count['\r'];
	uint32_t	high = 0;
	uint64_t	squares = 0;

	for (int i = 0; i < k; i++)
	{
		uint32_t	c = count[value[i]];

		squares += (uint64_t) c * c;
		if (value[i] >= 0x80)
			high += c;
		else if (value[i] >= 0x20 && value[i] <= 0x7e)
			printable += c;
	}
	/* sum of (c - n/256)^2 = sum of c^2 - n^2/256 */
	if (n >= 256)
		jj_row_double(row, JJ_F_byte_distribution_uniformity, fmax(1 + 1 / 256.0 - (double) squares / ((double) n * n), 0));
	jj_row_double(row, JJ_F_printable_ratio, (double) printable / n);
	jj_row_double(row, JJ_F_null_ratio, (double) count[0] / n);
	jj_row_double(row, JJ_F_high_byte_ratio, (double) high / n);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	static const jj_feature column[] = {JJ_F_entropy_initiator, JJ_F_entropy_responder, JJ_F_entropy_payload};
	const entropy_state *s = state;
	uint32_t	count[3][256] = {{0}};
	uint32_t	n[3] = {0, 0, 0};
	double		h[3] = {0, 0, 0};
	uint8_t		value[256];		/* those that come at all */
	int			k = 0;

	(void) f;
	(void) fold;
	(void) w;
	for (int d = 0; d < 2; d++)
	{
		n[d] = s->sample[d] == NULL ? 0 : s->sample[d]->used;
		for (uint32_t i = 0; i < n[d]; i++)
			count[d][s->sample[d]->byte[i]]++;
	}
	n[2] = n[0] + n[1];
	for (int i = 0; i < 256; i++)
	{
		count[2][i] = count[0][i] + count[1][i];
		value[k] = (uint8_t) i;
		k += count[2][i] > 0;
	}
	for (int d = 0; d < 3; d++)
	{
		if (n[d] == 0)
			continue;
		/* often only one direction has payload */
		h[d] = d == 2 && n[0] == 0 ? h[1] : d == 2 && n[1] == 0 ? h[0] : shannon(count[d], value, k, n[d]);
		jj_row_double(row, column[d], h[d]);
	}
	if (n[0] > 0 && h[1] > 0)
		jj_row_double(row, JJ_F_entropy_ratio, h[0] / h[1]);
	if (n[2] > 0)
		emit_classes(count[2], value, k, n[2], row);
	jj_row_int(row, JJ_F_payload_bytes_sampled, n[2]);
	return true;
}

static void
free_state(void *state, const jj_allocator *a)
{
	entropy_state *s = state;

	for (int d = 0; d < 2; d++)
	{
		if (s->sample[d] != NULL)
			jj_release(a, s->sample[d]->known);
		jj_release(a, s->sample[d]);
	}
}

const jj_extractor jj_extract_entropy = {
	.group = JJ_G_entropy,
	.state_size = sizeof(entropy_state),
	.update = update,
	.emit = emit,
	.free_state = free_state,
};
