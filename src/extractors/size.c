/*
 * Group size: IP packet and payload lengths.
 */
#include "extractors/extractor.h"

#include <math.h>

/* Payload lengths of one direction. */
typedef struct payload_lengths
{
	jj_moments	of;
	uint64_t	with_payload;
	uint32_t	min_payload;	/* above 0 */
} payload_lengths;

typedef struct size_fold
{
	payload_lengths payload[2];
	jj_lengths *lengths;
	jj_lengths *own;			/* lengths of a flow that is not whole */
	jj_head		head;
} size_fold;

/* Payload lengths of n samples. */
static void
add_payloads(payload_lengths a[2], const jj_sample *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		payload_lengths *p = &a[s[i].t_dir & 1];
		uint32_t	payload = s[i].payload_len;

		jj_moments_add(&p->of, payload);
		if (payload > 0)
		{
			if (p->with_payload++ == 0 || payload < p->min_payload)
				p->min_payload = payload;
		}
	}
}

/* The same of the first samples, none longer than 65535: their sums fit 64 bits. */
static void
add_short_payloads(payload_lengths a[2], const jj_sample *s, uint32_t n)
{
	uint32_t	count[2] = {0, 0};
	uint32_t	with[2] = {0, 0};
	uint32_t	max[2] = {0, 0};
	uint32_t	min[2] = {UINT32_MAX, UINT32_MAX};	/* less 1; without payload that wraps around */
	uint64_t	sum[2] = {0, 0};
	uint64_t	squares[2] = {0, 0};

	for (uint32_t i = 0; i < n; i++)
	{
		unsigned	d = (unsigned) (s[i].t_dir & 1);
		uint32_t	payload = s[i].payload_len;

		count[d]++;
		with[d] += payload > 0;
		max[d] = payload > max[d] ? payload : max[d];
		min[d] = payload - 1 < min[d] ? payload - 1 : min[d];
		sum[d] += payload;
		squares[d] += (uint64_t) payload * payload;
	}
	for (int d = 0; d < 2; d++)
	{
		a[d].of.n = count[d];
		a[d].of.min = with[d] == count[d] && count[d] > 0 ? (int64_t) min[d] + 1 : 0;
		a[d].of.max = max[d];
		a[d].of.sum.lo = sum[d];
		a[d].of.squares.lo = squares[d];
		a[d].with_payload = with[d];
		a[d].min_payload = min[d] + 1;
	}
}

/* Whether all payloads are short enough for that. */
static bool
are_short(const jj_sample *s, uint32_t n)
{
	uint32_t	all = 0;

	for (uint32_t i = 0; i < n; i++)
		all |= s[i].payload_len;
	return all <= UINT16_MAX;
}

static bool
fold(void *acc, const jj_sample *s, uint32_t n, bool whole, jj_work *w)
{
	size_fold  *a = acc;
	uint32_t	length = w->options.max_sequence_length;

	if (a->payload[0].of.n + a->payload[1].of.n == 0 && !jj_head_keep(&a->head, s, n, length, whole, &w->allocator))
		return false;
	if (whole)
		a->lengths = jj_whole_lengths(s, n, w);
	else
	{
		if (a->own == NULL && (a->own = jj_alloc_zero(&w->allocator, sizeof(jj_lengths))) == NULL)
			return false;
		a->lengths = jj_lengths_add(a->own, s, n, &w->allocator) ? a->own : NULL;
	}
	if (a->lengths == NULL)
		return false;
	if (whole && are_short(s, n))
		add_short_payloads(a->payload, s, n);
	else
		add_payloads(a->payload, s, n);
	return true;
}

static void
emit_payload(const size_fold *a, jj_row *row)
{
	static const jj_feature mean[] = {JJ_F_payload_len_fwd_mean, JJ_F_payload_len_bwd_mean};
	static const jj_feature std[] = {JJ_F_payload_len_fwd_std, JJ_F_payload_len_bwd_std};
	static const jj_feature with[] = {JJ_F_packets_with_payload_fwd, JJ_F_packets_with_payload_bwd};
	static const jj_feature min[] = {JJ_F_l7_pkt_min_fwd, JJ_F_l7_pkt_min_bwd};
	static const jj_feature max[] = {JJ_F_l7_pkt_max_fwd, JJ_F_l7_pkt_max_bwd};
	jj_moments	m = jj_moments_join(&a->payload[0].of, &a->payload[1].of);
	uint64_t	with_payload = a->payload[0].with_payload + a->payload[1].with_payload;

	jj_row_int(row, JJ_F_payload_len_min, m.min);
	jj_row_int(row, JJ_F_payload_len_max, m.max);
	jj_row_double(row, JJ_F_payload_len_mean, jj_moments_mean(&m));
	jj_row_double(row, JJ_F_payload_len_std, jj_moments_std(&m));
	for (int d = 0; d < 2; d++)
	{
		const payload_lengths *p = &a->payload[d];

		if (p->of.n > 0)
		{
			jj_row_double(row, mean[d], jj_moments_mean(&p->of));
			jj_row_double(row, std[d], jj_moments_std(&p->of));
		}
		jj_row_int(row, with[d], (int64_t) p->with_payload);
		if (p->with_payload > 0)
		{
			jj_row_int(row, min[d], p->min_payload);
			jj_row_int(row, max[d], p->of.max);
		}
	}
	jj_row_int(row, JJ_F_packets_with_payload, (int64_t) with_payload);
	jj_row_double(row, JJ_F_header_only_ratio, (double) (m.n - with_payload) / (double) m.n);
}

static void
emit_lengths(const jj_lengths *l, jj_row *row)
{
	static const int percent[] = {25, 50, 75, 90};
	static const int half[] = {50};
	const jj_moments *m = l->of;
	double		variance = jj_moments_variance(&m[2]);
	double		q[4];

	jj_row_int(row, JJ_F_dominant_pkt_size, l->mode);
	jj_row_double(row, JJ_F_dominant_pkt_ratio, (double) l->mode_count / (double) m[2].n);
	jj_row_int(row, JJ_F_pkt_len_min, m[2].min);
	jj_row_int(row, JJ_F_pkt_len_max, m[2].max);
	jj_row_double(row, JJ_F_pkt_len_mean, jj_moments_mean(&m[2]));
	jj_row_double(row, JJ_F_pkt_len_std, sqrt(variance));
	jj_row_double(row, JJ_F_pkt_len_variance, variance);
	jj_lengths_percentiles(l, JJ_DIR_BOTH, percent, 4, q);
	jj_row_double(row, JJ_F_pkt_len_p25, q[0]);
	jj_row_double(row, JJ_F_pkt_len_median, q[1]);
	jj_row_double(row, JJ_F_pkt_len_p75, q[2]);
	jj_row_double(row, JJ_F_pkt_len_p90, q[3]);
	if (m[0].n > 0)
	{
		jj_row_int(row, JJ_F_pkt_len_fwd_min, m[0].min);
		jj_row_int(row, JJ_F_pkt_len_fwd_max, m[0].max);
		jj_row_double(row, JJ_F_pkt_len_fwd_mean, jj_moments_mean(&m[0]));
		jj_row_double(row, JJ_F_pkt_len_fwd_std, jj_moments_std(&m[0]));
		jj_lengths_percentiles(l, JJ_DIR_FWD, half, 1, q);
		jj_row_double(row, JJ_F_pkt_len_fwd_median, q[0]);
	}
	if (m[1].n > 0)
	{
		jj_row_int(row, JJ_F_pkt_len_bwd_min, m[1].min);
		jj_row_int(row, JJ_F_pkt_len_bwd_max, m[1].max);
		jj_row_double(row, JJ_F_pkt_len_bwd_mean, jj_moments_mean(&m[1]));
		jj_row_double(row, JJ_F_pkt_len_bwd_std, jj_moments_std(&m[1]));
		jj_lengths_percentiles(l, JJ_DIR_BWD, half, 1, q);
		jj_row_double(row, JJ_F_pkt_len_bwd_median, q[0]);
	}
}

/* Lengths in the order of the packets, negative from the responder. */
static void
emit_sequence(const jj_head *h, jj_row *row)
{
	int32_t    *length = jj_row_reserve(row, JJ_F_pkt_len_sequence, sizeof(int32_t) * h->n);

	for (uint32_t i = 0; length != NULL && i < h->n; i++)
	{
		int32_t		size = (int32_t) h->sample[i].ip_len;

		length[i] = h->sample[i].t_dir & 1 ? -size : size;
	}
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	size_fold  *a = fold;
	double		packets = (double) (f->packets[0] + f->packets[1]);
	double		bytes = (double) (f->bytes[0] + f->bytes[1]);

	(void) state;
	if (!jj_lengths_finish(a->lengths, w))
		return false;
	emit_lengths(a->lengths, row);
	emit_payload(a, row);
	jj_row_int(row, JJ_F_l7_bytes_fwd, (int64_t) f->payload[0]);
	jj_row_int(row, JJ_F_l7_bytes_bwd, (int64_t) f->payload[1]);
	jj_row_int(row, JJ_F_l7_bytes_total, (int64_t) (f->payload[0] + f->payload[1]));
	jj_row_double(row, JJ_F_pkt_asymmetry, ((double) f->packets[0] - (double) f->packets[1]) / packets);
	jj_row_double(row, JJ_F_byte_asymmetry, ((double) f->bytes[0] - (double) f->bytes[1]) / bytes);
	if (a->head.n > 0)
		emit_sequence(&a->head, row);
	return true;
}

static void
free_fold(void *fold, const jj_allocator *al)
{
	size_fold  *a = fold;

	if (a->own != NULL)
		jj_tally_free(&a->own->tally, al);
	jj_release(al, a->own);
	jj_release(al, a->head.own);
}

const jj_extractor jj_extract_size = {
	.group = JJ_G_size,
	.fold_size = sizeof(size_fold),
	.fold = fold,
	.emit = emit,
	.free_fold = free_fold,
};
