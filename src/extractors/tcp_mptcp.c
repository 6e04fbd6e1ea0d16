/*
 * Group tcp_mptcp: Multipath TCP (RFC 8684; version 0: RFC 6824).
 */
#include "extractors/tcp_analysis.h"

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);
	const jj_tcp_rest *a;
	const jj_tcp_rest *b;

	(void) f;
	(void) fold;
	(void) w;
	if (t == NULL)
		return true;
	a = &t->rest[0];
	b = &t->rest[1];
	jj_row_int(row, JJ_F_mptcp_detected, t->mp_packets > 0);
	if (t->side[0].packets > 0)
		jj_row_int(row, JJ_F_mptcp_capable_fwd, a->mp_capable);
	if (t->side[1].packets > 0)
		jj_row_int(row, JJ_F_mptcp_capable_bwd, b->mp_capable);
	jj_row_int(row, JJ_F_mptcp_option_count, t->mp_packets);
	jj_row_int(row, JJ_F_mptcp_stat, t->mp_bits | (a->mp_capable ? 2u : 0) | (b->mp_capable ? 4u : 0)
			   | (a->mp_capable && b->mp_capable ? 8u : 0));
	jj_row_int(row, JJ_F_is_mptcp, (a->mp_capable && b->mp_capable) || (a->mp_join && b->mp_join) || (a->mp_dss && b->mp_dss));
	return true;
}

const jj_extractor jj_extract_tcp_mptcp = {
	.group = JJ_G_tcp_mptcp,
	.base = &jj_analyse_tcp,
	.emit = emit,
};
