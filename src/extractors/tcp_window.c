/*
 * Group tcp_window: receive windows and their scale (RFC 7323 section 2).
 */
#include "extractors/tcp_analysis.h"

#define MAX_SHIFT 14			/* RFC 7323 2.3 */
#define UNKNOWN (-1)

/* Shift of a direction's windows: 0 if scaling is known to be off, UNKNOWN if its SYNs don't tell. */
static int
window_shift(const jj_tcp_analysis *t, int dir)
{
	const jj_tcp_rest *s = &t->rest[dir];
	const jj_tcp_rest *other = &t->rest[1 - dir];

	for (int d = 0; d < 2; d++)
		if (t->rest[d].has_syn && !t->rest[d].syn_has_ws && !t->rest[d].syn_cut)
			return 0;

	/* a SYN-ACK offers scaling only if the SYN did, so on its own it settles its sender's shift */
	if (s->has_syn && s->syn_has_ws && (s->syn_ack || (other->has_syn && other->syn_has_ws)))
		return s->syn_ws < MAX_SHIFT ? s->syn_ws : MAX_SHIFT;
	return UNKNOWN;
}

/* The columns of one direction. */
typedef struct side_columns
{
	jj_feature	init;
	jj_feature	scale;
	jj_feature	min;
	jj_feature	max;
	jj_feature	mean;
	jj_feature	zero;
	jj_feature	up;
	jj_feature	down;
	jj_feature	change;
	jj_feature	scaled_max;
} side_columns;

static const side_columns columns[2] = {
	{JJ_F_tcp_init_win_fwd, JJ_F_tcp_win_scale_fwd, JJ_F_tcp_win_fwd_min, JJ_F_tcp_win_fwd_max, JJ_F_tcp_win_fwd_mean,
		JJ_F_tcp_win_fwd_zero_count, JJ_F_tcp_win_fwd_up_count, JJ_F_tcp_win_fwd_down_count,
	JJ_F_tcp_win_fwd_change_count, JJ_F_tcp_scaled_win_fwd_max},
	{JJ_F_tcp_init_win_bwd, JJ_F_tcp_win_scale_bwd, JJ_F_tcp_win_bwd_min, JJ_F_tcp_win_bwd_max, JJ_F_tcp_win_bwd_mean,
		JJ_F_tcp_win_bwd_zero_count, JJ_F_tcp_win_bwd_up_count, JJ_F_tcp_win_bwd_down_count,
	JJ_F_tcp_win_bwd_change_count, JJ_F_tcp_scaled_win_bwd_max},
};

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);

	(void) f;
	(void) fold;
	(void) w;
	if (t == NULL)
		return true;
	for (int d = 0; d < 2; d++)
	{
		const jj_tcp_side *s = &t->side[d];
		const side_columns *c = &columns[d];
		const jj_tcp_rest *rest = &t->rest[d];
		uint32_t	windows = s->packets - rest->no_window;
		int			shift = window_shift(t, d);

		if (s->packets == 0)
			continue;
		if (rest->has_init_window)
			jj_row_int(row, c->init, rest->init_window);
		if (shift != UNKNOWN)
			jj_row_int(row, c->scale, shift);
		jj_row_int(row, c->zero, rest->zero_windows);
		jj_row_int(row, c->up, s->window_up);
		jj_row_int(row, c->down, s->window_down);
		jj_row_int(row, c->change, (int64_t) s->window_up + s->window_down);
		if (windows == 0)
			continue;
		jj_row_int(row, c->min, s->window_min);
		jj_row_int(row, c->max, s->window_max);
		jj_row_double(row, c->mean, (double) s->window_sum / windows);
		if (shift != UNKNOWN)
			jj_row_int(row, c->scaled_max, (int64_t) s->window_max << shift);
	}
	jj_row_double(row, JJ_F_tcp_zero_win_ratio, ((double) t->rest[0].zero_windows + t->rest[1].zero_windows)
				  / ((double) t->side[0].packets + t->side[1].packets));
	return true;
}

const jj_extractor jj_extract_tcp_window = {
	.group = JJ_G_tcp_window,
	.base = &jj_analyse_tcp,
	.emit = emit,
};
