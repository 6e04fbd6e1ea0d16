/*
 * Group tcp_sequence: loss, reordering and duplicates, as Wireshark's TCP analysis counts them.
 */
#include "extractors/tcp_analysis.h"

static void
emit_side(const jj_tcp_side *s, const jj_tcp_rest *rest, jj_row *row, jj_feature isn, jj_feature bytes, jj_feature retrans, jj_feature gaps,
		  jj_feature out_of_order, jj_feature acks, jj_feature dup_acks)
{
	if (s->packets == 0)
		return;
	if (rest->has_isn)
		jj_row_int(row, isn, rest->isn);
	jj_row_int(row, bytes, (int64_t) s->bytes.count);
	jj_row_int(row, retrans, rest->retrans);
	jj_row_int(row, gaps, rest->lost);
	jj_row_int(row, out_of_order, rest->out_of_order);
	jj_row_int(row, acks, s->packets - rest->no_ack);
	jj_row_int(row, dup_acks, rest->dup_acks);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);
	const jj_tcp_rest *a;
	const jj_tcp_rest *b;
	uint64_t	consuming;

	(void) f;
	(void) fold;
	(void) w;
	if (t == NULL)
		return true;
	a = &t->rest[0];
	b = &t->rest[1];
	emit_side(&t->side[0], a, row, JJ_F_tcp_isn_fwd, JJ_F_tcp_seq_fwd_bytes_sent, JJ_F_tcp_seq_fwd_retrans, JJ_F_tcp_seq_fwd_gaps,
			  JJ_F_tcp_seq_fwd_ooo, JJ_F_tcp_ack_fwd_count, JJ_F_tcp_ack_fwd_dup);
	emit_side(&t->side[1], b, row, JJ_F_tcp_isn_bwd, JJ_F_tcp_seq_bwd_bytes_sent, JJ_F_tcp_seq_bwd_retrans, JJ_F_tcp_seq_bwd_gaps,
			  JJ_F_tcp_seq_bwd_ooo, JJ_F_tcp_ack_bwd_count, JJ_F_tcp_ack_bwd_dup);
	consuming = (uint64_t) t->side[0].consuming + t->side[1].consuming;
	jj_row_int(row, JJ_F_tcp_total_retrans, (int64_t) a->retrans + b->retrans);
	jj_row_int(row, JJ_F_tcp_total_ooo, (int64_t) a->out_of_order + b->out_of_order);
	jj_row_int(row, JJ_F_tcp_total_dup_acks, (int64_t) a->dup_acks + b->dup_acks);
	if (consuming > 0)
		jj_row_double(row, JJ_F_tcp_retrans_ratio, ((double) a->retrans + b->retrans) / (double) consuming);
	jj_row_int(row, JJ_F_tcp_fast_retrans, (int64_t) a->fast + b->fast);
	jj_row_int(row, JJ_F_tcp_spurious_retrans, (int64_t) a->spurious + b->spurious);
	jj_row_int(row, JJ_F_tcp_keep_alive_count, (int64_t) a->keep_alives + b->keep_alives);
	return true;
}

const jj_extractor jj_extract_tcp_sequence = {
	.group = JJ_G_tcp_sequence,
	.base = &jj_analyse_tcp,
	.emit = emit,
};
