/*
 * Group tcp_options: what the SYNs offer, timestamps, SACK (RFC 7323, 2018, 2883), ECN (RFC 3168).
 */
#include "extractors/tcp_analysis.h"

/* The columns of one direction. */
typedef struct side_columns
{
	jj_feature	mss;
	jj_feature	ws;
	jj_feature	sack_permitted;
	jj_feature	ts_present;
	jj_feature	ts_first;
	jj_feature	ts_last;
	jj_feature	ts_diff;
	jj_feature	ecr_first;
} side_columns;

static const side_columns columns[2] = {
	{JJ_F_tcp_mss_fwd, JJ_F_tcp_ws_fwd, JJ_F_tcp_sack_permitted_fwd, JJ_F_tcp_ts_fwd_present, JJ_F_tcp_ts_fwd_first,
	JJ_F_tcp_ts_fwd_last, JJ_F_tcp_ts_fwd_diff, JJ_F_tcp_ts_ecr_fwd_first},
	{JJ_F_tcp_mss_bwd, JJ_F_tcp_ws_bwd, JJ_F_tcp_sack_permitted_bwd, JJ_F_tcp_ts_bwd_present, JJ_F_tcp_ts_bwd_first,
	JJ_F_tcp_ts_bwd_last, JJ_F_tcp_ts_bwd_diff, JJ_F_tcp_ts_ecr_bwd_first},
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
		const jj_tcp_rest *rest = &t->rest[d];
		const side_columns *c = &columns[d];

		if (s->packets == 0)
			continue;
		if (rest->has_syn)
		{
			if (rest->syn_has_mss)
				jj_row_int(row, c->mss, rest->syn_mss);
			if (rest->syn_has_ws)
				jj_row_int(row, c->ws, rest->syn_ws);
			if (rest->syn_sack || !rest->syn_cut)
				jj_row_int(row, c->sack_permitted, rest->syn_sack);
		}
		jj_row_int(row, c->ts_present, s->ts_present);
		if (s->ts_count > 0)
		{
			jj_row_int(row, c->ts_first, rest->ts_first);
			jj_row_int(row, c->ts_last, s->ts_new);
		}
		if (s->ts_count >= 2)
			jj_row_int(row, c->ts_diff, (int64_t) s->ts_diff);
		if (s->has_ecr)
			jj_row_int(row, c->ecr_first, rest->ecr_first);
	}
	jj_row_int(row, JJ_F_tcp_sack_blocks_total, t->sack_blocks);
	jj_row_int(row, JJ_F_tcp_options_bitmap, t->option_bits);
	jj_row_int(row, JJ_F_tcp_options_pkt_count, t->option_packets);
	jj_row_int(row, JJ_F_tcp_dsack_count, t->dsacks);
	if (t->has_ecn)
		jj_row_int(row, JJ_F_tcp_ecn_negotiated, t->ecn);
	return true;
}

const jj_extractor jj_extract_tcp_options = {
	.group = JJ_G_tcp_options,
	.base = &jj_analyse_tcp,
	.emit = emit,
};
