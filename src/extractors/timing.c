/*
 * Group timing: gaps between packets, bursts, response time and sequences.
 */
#include "extractors/extractor.h"

typedef struct timing_fold
{
	uint64_t	packets;
	int64_t		last[3];		/* flow clock of the packet before, by direction and of all */
	bool		seen[3];
	bool		answered;
	bool		whole;			/* gaps are in the scratch arrays, not in sketches */
	jj_moments	gap[3];
	jj_sketch  *sketch[3];
	int64_t		first_request;
	int64_t		response;
	uint64_t	bursts;
	uint64_t	burst_packets;	/* of the latest burst */
	uint64_t	max_burst_packets;
	jj_moments	idle;
	jj_head		head;			/* one more than max_sequence_length, for the last gap */
} timing_fold;

/* Gaps of a flow whose samples don't stay: into the sketch. */
static bool
sketch_gaps(timing_fold *a, int which, const int64_t *gap, size_t n, const jj_allocator *al)
{
	if (n > 0 && a->sketch[which] == NULL
		&& (a->sketch[which] = jj_alloc_zero(al, sizeof(jj_sketch))) == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		jj_sketch_add(a->sketch[which], gap[i]);
		jj_moments_add(&a->gap[which], gap[i]);
	}
	return true;
}

/* One gap of the flow, for bursts and idle times. */
static inline void
add_gap(timing_fold *a, int64_t gap, int64_t threshold)
{
	if (gap < threshold)
		a->burst_packets++;
	else
	{
		jj_moments_add(&a->idle, gap);
		a->bursts++;
		if (a->burst_packets > a->max_burst_packets)
			a->max_burst_packets = a->burst_packets;
		a->burst_packets = 1;
	}
}

static bool
fold(void *acc, const jj_sample *s, uint32_t n, bool whole, jj_work *w)
{
	timing_fold *a = acc;
	uint32_t	length = w->options.max_sequence_length;
	size_t		gaps[3] = {0, 0, 0};
	uint32_t	i = 0;

	a->whole = whole;
	for (int d = 0; d < 3; d++)
		if (w->gap[d] == NULL
			&& (w->gap[d] = jj_alloc(&w->allocator, sizeof(int64_t) * w->options.max_samples)) == NULL)
			return false;
	if (a->packets == 0)
	{
		int			dir = s[0].t_dir & 1;

		if (length > 0 && !jj_head_keep(&a->head, s, n, length + 1, whole, &w->allocator))
			return false;
		a->bursts = a->burst_packets = 1;
		a->seen[dir] = true;
		a->last[dir] = a->last[JJ_DIR_BOTH] = s[0].t_dir >> 1;
		if (dir == JJ_DIR_FWD)
			a->first_request = a->last[dir];
		i = 1;
	}
	for (; i < n; i++)
	{
		int64_t		t = s[i].t_dir >> 1;
		int			dir = s[i].t_dir & 1;
		int64_t		gap = t - a->last[JJ_DIR_BOTH];

		w->gap[JJ_DIR_BOTH][gaps[JJ_DIR_BOTH]++] = gap;
		add_gap(a, gap, w->options.burst_threshold);
		a->last[JJ_DIR_BOTH] = t;
		if (a->seen[dir])
			w->gap[dir][gaps[dir]++] = t - a->last[dir];
		else
		{
			a->seen[dir] = true;
			if (dir == JJ_DIR_FWD)
				a->first_request = t;
		}
		a->last[dir] = t;
		if (dir == JJ_DIR_BWD && a->seen[JJ_DIR_FWD] && !a->answered)
		{
			a->answered = true;
			a->response = t - a->first_request;
		}
	}
	a->packets += n;
	if (a->burst_packets > a->max_burst_packets)
		a->max_burst_packets = a->burst_packets;
	for (int d = 0; d < 3; d++)
	{
		if (whole)
			jj_moments_of(&a->gap[d], w->gap[d], gaps[d]);
		else if (!sketch_gaps(a, d, w->gap[d], gaps[d], &w->allocator))
			return false;
	}
	return true;
}

static void
percentiles(const timing_fold *a, int which, const int *percent, size_t k, double *out, jj_work *w)
{
	const jj_moments *m = &a->gap[which];

	if (a->whole)
		jj_percentiles(w->gap[which], m->n, percent, k, out);
	else
		for (size_t i = 0; i < k; i++)
			out[i] = jj_sketch_percentile(a->sketch[which], percent[i], m->min, m->max);
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
			   jj_feature burstiness, jj_work *w, jj_row *row)
{
	static const int half[] = {50};
	const jj_moments *m = &a->gap[dir];

	if (m->n == 0)
		return;
	jj_row_double(row, min, (double) m->min / 1e9);
	jj_row_double(row, max, (double) m->max / 1e9);
	emit_spread(m, mean, std, burstiness, row);
	if (jj_row_wants(row, median))
	{
		double		q;

		percentiles(a, dir, half, 1, &q, w);
		jj_row_double(row, median, q / 1e9);
	}
}

static double
seconds_between(const jj_sample *a, const jj_sample *b)
{
	return (double) ((b->t_dir >> 1) - (a->t_dir >> 1)) / 1e9;
}

static void
emit_sequences(const timing_fold *a, uint32_t length, jj_row *row)
{
	const jj_sample *s = a->head.sample;
	uint32_t	n = a->head.n < length ? a->head.n : length;
	uint32_t	gaps = a->head.n - 1;
	double	   *x;
	int32_t    *size;
	int16_t    *direction;

	x = jj_row_reserve(row, JJ_F_iat_sequence, sizeof(double) * gaps);
	for (uint32_t i = 0; x != NULL && i < gaps; i++)
		x[i] = seconds_between(&s[i], &s[i + 1]);
	x = jj_row_reserve(row, JJ_F_timestamp_sequence, sizeof(double) * n);
	for (uint32_t i = 0; x != NULL && i < n; i++)
		x[i] = (double) (s[i].t_dir >> 1) / 1e9;
	x = jj_row_reserve(row, JJ_F_splt_times, sizeof(double) * n);
	for (uint32_t i = 0; x != NULL && i < n; i++)
		x[i] = i == 0 ? 0 : seconds_between(&s[i - 1], &s[i]);
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
	const jj_moments *m = &a->gap[JJ_DIR_BOTH];

	(void) f;
	(void) state;
	if (m->n > 0)
	{
		double		q[5];

		jj_row_double(row, JJ_F_iat_min, (double) m->min / 1e9);
		jj_row_double(row, JJ_F_iat_max, (double) m->max / 1e9);
		emit_spread(m, JJ_F_iat_mean, JJ_F_iat_std, JJ_F_burstiness_index, row);
		jj_row_double(row, JJ_F_iat_sum, jj_u128_double(m->sum) / 1e9);
		percentiles(a, JJ_DIR_BOTH, percent, 5, q, w);
		jj_row_double(row, JJ_F_iat_p25, q[0] / 1e9);
		jj_row_double(row, JJ_F_iat_median, q[1] / 1e9);
		jj_row_double(row, JJ_F_iat_p75, q[2] / 1e9);
		jj_row_double(row, JJ_F_iat_p90, q[3] / 1e9);
		jj_row_double(row, JJ_F_iat_p99, q[4] / 1e9);
	}
	emit_direction(a, JJ_DIR_FWD, JJ_F_iat_fwd_min, JJ_F_iat_fwd_max, JJ_F_iat_fwd_mean, JJ_F_iat_fwd_std,
				   JJ_F_iat_fwd_median, JJ_F_burstiness_index_fwd, w, row);
	emit_direction(a, JJ_DIR_BWD, JJ_F_iat_bwd_min, JJ_F_iat_bwd_max, JJ_F_iat_bwd_mean, JJ_F_iat_bwd_std,
				   JJ_F_iat_bwd_median, JJ_F_burstiness_index_bwd, w, row);
	jj_row_int(row, JJ_F_burst_count, (int64_t) a->bursts);
	jj_row_double(row, JJ_F_avg_burst_packets, (double) a->packets / (double) a->bursts);
	/* what is not idle lies within bursts */
	jj_row_double(row, JJ_F_avg_burst_duration,
				  jj_u128_double(jj_u128_sub(m->sum, a->idle.sum)) / (double) a->bursts / 1e9);
	jj_row_int(row, JJ_F_max_burst_packets, (int64_t) a->max_burst_packets);
	jj_row_int(row, JJ_F_idle_count, (int64_t) a->idle.n);
	if (a->idle.n > 0)
	{
		jj_row_double(row, JJ_F_avg_idle_duration, jj_moments_mean(&a->idle) / 1e9);
		jj_row_double(row, JJ_F_max_idle_duration, (double) a->idle.max / 1e9);
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

	for (int d = 0; d < 3; d++)
		jj_release(al, a->sketch[d]);
	jj_release(al, a->head.own);
}

const jj_extractor jj_extract_timing = {
	.group = JJ_G_timing,
	.fold_size = sizeof(timing_fold),
	.fold = fold,
	.emit = emit,
	.free_fold = free_fold,
};
