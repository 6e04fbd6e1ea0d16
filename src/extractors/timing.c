/*
 * Group timing: gaps between packets, bursts, response time and sequences.
 */
#include "extractors/extractor.h"

typedef struct timing_fold
{
	jj_gaps    *gaps;
	jj_gaps    *own;			/* gaps of a flow that is not whole */
	uint64_t	packets;
	int64_t		last;			/* flow clock of the packet before */
	int64_t		first_request;
	int64_t		response;
	bool		asked;
	bool		answered;
	uint64_t	bursts;
	uint64_t	burst_packets;	/* of the latest burst */
	uint64_t	max_burst_packets;
	uint64_t	idles;			/* gaps between bursts */
	jj_u128		idle_sum;
	int64_t		idle_max;
	jj_head		head;			/* one more than max_sequence_length, for the last gap */
} timing_fold;

/* Time from the initiator's first packet to the responder's first one behind it. */
static void
find_response(timing_fold *a, const jj_sample *s, uint32_t n)
{
	uint32_t	i = 0;

	if (!a->asked)
	{
		while (i < n && (s[i].t_dir & 1) != JJ_DIR_FWD)
			i++;
		if (i == n)
			return;
		a->asked = true;
		a->first_request = s[i].t_dir >> 1;
	}
	while (i < n && (s[i].t_dir & 1) != JJ_DIR_BWD)
		i++;
	if (i == n)
		return;
	a->answered = true;
	a->response = (s[i].t_dir >> 1) - a->first_request;
}

/* A gap that ends a burst. */
static void
end_burst(timing_fold *a, uint64_t burst_packets, int64_t gap)
{
	jj_u128		x = {(uint64_t) gap, 0};

	a->idles++;
	a->idle_sum = jj_u128_add(a->idle_sum, x);
	if (gap > a->idle_max)
		a->idle_max = gap;
	a->bursts++;
	if (burst_packets > a->max_burst_packets)
		a->max_burst_packets = burst_packets;
}

static void
find_bursts(timing_fold *a, const jj_sample *s, uint32_t n, int64_t threshold)
{
	uint64_t	burst_packets = a->burst_packets;
	int64_t		last = a->last;
	uint32_t	i = 0;

	if (a->packets == 0)
	{
		a->bursts = burst_packets = 1;
		last = s[0].t_dir >> 1;
		i = 1;
	}
	for (; i < n; i++)
	{
		int64_t		t = s[i].t_dir >> 1;

		if (JJ_UNLIKELY(t - last >= threshold))
		{
			end_burst(a, burst_packets, t - last);
			burst_packets = 0;
		}
		burst_packets++;
		last = t;
	}
	if (burst_packets > a->max_burst_packets)
		a->max_burst_packets = burst_packets;
	a->burst_packets = burst_packets;
	a->last = last;
	a->packets += n;
}

static bool
fold(void *acc, const jj_sample *s, uint32_t n, bool whole, jj_work *w)
{
	timing_fold *a = acc;
	uint32_t	length = w->options.max_sequence_length;

	if (a->packets == 0 && length > 0 && !jj_head_keep(&a->head, s, n, length + 1, whole, &w->allocator))
		return false;
	if (whole)
		a->gaps = jj_whole_gaps(s, n, w);
	else
	{
		if (a->own == NULL && (a->own = jj_alloc_zero(&w->allocator, sizeof(jj_gaps))) == NULL)
			return false;
		a->gaps = jj_gaps_add(a->own, s, n, w) ? a->own : NULL;
	}
	if (a->gaps == NULL)
		return false;
	if (!a->answered)
		find_response(a, s, n);
	find_bursts(a, s, n, w->options.burst_threshold);
	return true;
}

/* Mean, standard deviation, and their ratio, for at least 2 gaps with a mean above 0. */
static void
emit_spread(const jj_moments *m, jj_feature mean, jj_feature std, jj_feature burstiness, jj_row *row)
{
	double		average = jj_moments_mean(m);
	double		deviation = jj_moments_std(m);

	jj_row_double(row, mean, average / 1e9);
	jj_row_double(row, std, deviation / 1e9);
	if (m->n >= 2 && m->max > 0)
		jj_row_double(row, burstiness, deviation / average);
}

static void
emit_direction(timing_fold *a, int dir, jj_feature min, jj_feature max, jj_feature mean, jj_feature std, jj_feature median,
			   jj_feature burstiness, jj_row *row)
{
	static const int half[] = {50};
	const jj_moments *m = &a->gaps->of[dir];

	if (m->n == 0)
		return;
	jj_row_double(row, min, (double) m->min / 1e9);
	jj_row_double(row, max, (double) m->max / 1e9);
	emit_spread(m, mean, std, burstiness, row);
	if (jj_row_wants(row, median))
	{
		double		q;

		jj_gaps_percentiles(a->gaps, dir, half, 1, &q);
		jj_row_double(row, median, q / 1e9);
	}
}

static void
emit_sequences(const timing_fold *a, uint32_t length, jj_row *row)
{
	const jj_sample *s = a->head.sample;
	uint32_t	n = a->head.n < length ? a->head.n : length;
	uint32_t	gaps = a->head.n - 1;
	double	   *gap;
	double	   *x;
	int32_t    *size;
	int16_t    *direction;

	gap = jj_row_reserve(row, JJ_F_iat_sequence, sizeof(double) * gaps);
	for (uint32_t i = 0; gap != NULL && i < gaps; i++)
		gap[i] = (double) ((s[i + 1].t_dir >> 1) - (s[i].t_dir >> 1)) / 1e9;
	x = jj_row_reserve(row, JJ_F_timestamp_sequence, sizeof(double) * n);
	for (uint32_t i = 0; x != NULL && i < n; i++)
		x[i] = (double) (s[i].t_dir >> 1) / 1e9;
	x = jj_row_reserve(row, JJ_F_splt_times, sizeof(double) * n);
	for (uint32_t i = 0; x != NULL && i < n; i++)
		x[i] = i == 0 ? 0 : (double) ((s[i].t_dir >> 1) - (s[i - 1].t_dir >> 1)) / 1e9;
	size = jj_row_reserve(row, JJ_F_splt_lengths, sizeof(int32_t) * n);
	for (uint32_t i = 0; size != NULL && i < n; i++)
		size[i] = (int32_t) s[i].ip_len;
	direction = jj_row_reserve(row, JJ_F_splt_directions, sizeof(int16_t) * n);
	for (uint32_t i = 0; direction != NULL && i < n; i++)
		direction[i] = s[i].t_dir & 1 ? -1 : 1;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	static const int percent[] = {25, 50, 75, 90, 99};
	timing_fold *a = fold;
	const jj_moments *m = &a->gaps->of[JJ_DIR_BOTH];

	(void) f;
	(void) state;
	if (m->n > 0)
	{
		double		q[5];

		jj_row_double(row, JJ_F_iat_min, (double) m->min / 1e9);
		jj_row_double(row, JJ_F_iat_max, (double) m->max / 1e9);
		emit_spread(m, JJ_F_iat_mean, JJ_F_iat_std, JJ_F_burstiness_index, row);
		jj_row_double(row, JJ_F_iat_sum, jj_u128_double(m->sum) / 1e9);
		jj_gaps_percentiles(a->gaps, JJ_DIR_BOTH, percent, 5, q);
		jj_row_double(row, JJ_F_iat_p25, q[0] / 1e9);
		jj_row_double(row, JJ_F_iat_median, q[1] / 1e9);
		jj_row_double(row, JJ_F_iat_p75, q[2] / 1e9);
		jj_row_double(row, JJ_F_iat_p90, q[3] / 1e9);
		jj_row_double(row, JJ_F_iat_p99, q[4] / 1e9);
	}
	emit_direction(a, JJ_DIR_FWD, JJ_F_iat_fwd_min, JJ_F_iat_fwd_max, JJ_F_iat_fwd_mean, JJ_F_iat_fwd_std,
				   JJ_F_iat_fwd_median, JJ_F_burstiness_index_fwd, row);
	emit_direction(a, JJ_DIR_BWD, JJ_F_iat_bwd_min, JJ_F_iat_bwd_max, JJ_F_iat_bwd_mean, JJ_F_iat_bwd_std,
				   JJ_F_iat_bwd_median, JJ_F_burstiness_index_bwd, row);
	jj_row_int(row, JJ_F_burst_count, (int64_t) a->bursts);
	jj_row_double(row, JJ_F_avg_burst_packets, (double) a->packets / (double) a->bursts);
	/* what is not idle lies within bursts */
	jj_row_double(row, JJ_F_avg_burst_duration,
				  jj_u128_double(jj_u128_sub(m->sum, a->idle_sum)) / (double) a->bursts / 1e9);
	jj_row_int(row, JJ_F_max_burst_packets, (int64_t) a->max_burst_packets);
	jj_row_int(row, JJ_F_idle_count, (int64_t) a->idles);
	if (a->idles > 0)
	{
		jj_row_double(row, JJ_F_avg_idle_duration, jj_u128_double(a->idle_sum) / (double) a->idles / 1e9);
		jj_row_double(row, JJ_F_max_idle_duration, (double) a->idle_max / 1e9);
	}
	if (a->answered)
		jj_row_double(row, JJ_F_first_response_time, (double) a->response / 1e9);
	if (a->head.n > 0)
		emit_sequences(a, w->options.max_sequence_length, row);
	return true;
}

static void
free_fold(void *fold, const jj_allocator *al)
{
	timing_fold *a = fold;

	if (a->own != NULL)
		jj_gaps_free(a->own, al);
	jj_release(al, a->own);
	jj_release(al, a->head.own);
}

const jj_extractor jj_extract_timing = {
	.group = JJ_G_timing,
	.fold_size = sizeof(timing_fold),
	.fold = fold,
	.emit = emit,
	.free_fold = free_fold,
};
