/*
 * Group tcp_rtt: round-trip times of the handshake, from timestamps (RFC 7323) and from acknowledgements (Karn).
 */
#include "extractors/tcp_analysis.h"

static void
emit_seconds(jj_row *row, jj_feature f, bool known, int64_t ns)
{
	if (known)
		jj_row_double(row, f, (double) ns / 1e9);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const jj_tcp_analysis *t = jj_tcp_analysis_of(state);
	const jj_moments *m;
	const jj_tcp_rtt *r;
	uint64_t	jitters;

	(void) f;
	(void) fold;
	(void) w;
	if (t == NULL)
		return true;
	emit_seconds(row, JJ_F_tcp_rtt_handshake, t->has_handshake, t->handshake);
	emit_seconds(row, JJ_F_tcp_rtt_handshake_server, t->has_server, t->handshake_server);
	emit_seconds(row, JJ_F_tcp_rtt_handshake_client, t->has_client, t->handshake_client);
	if (t->side[0].ts_present && t->side[1].ts_present)
	{
		m = &t->ts_rtt;
		jj_row_int(row, JJ_F_tcp_rtt_samples, (int64_t) m->n);
		emit_seconds(row, JJ_F_tcp_rtt_min, m->n > 0, m->min);
		emit_seconds(row, JJ_F_tcp_rtt_max, m->n > 0, m->max);
		if (m->n > 0)
			jj_row_double(row, JJ_F_tcp_rtt_mean, jj_moments_mean(m) / 1e9);
		if (m->n > 1)
			jj_row_double(row, JJ_F_tcp_rtt_std, jj_moments_std(m) / 1e9);
		jitters = m->n - t->has_ts_prev[0] - t->has_ts_prev[1];
		if (jitters > 0)
			jj_row_double(row, JJ_F_tcp_rtt_jitter_avg, jj_u128_double(t->jitter_sum) / (double) jitters / 1e9);
	}
	r = &t->ack_rtt;
	jj_row_int(row, JJ_F_tcp_rtt_ack_samples, (int64_t) r->n);
	emit_seconds(row, JJ_F_tcp_rtt_ack_min, r->n > 0, r->min);
	emit_seconds(row, JJ_F_tcp_rtt_ack_max, r->n > 0, r->max);
	if (r->n > 0)
		jj_row_double(row, JJ_F_tcp_rtt_ack_mean, jj_u128_double(r->sum) / (double) r->n / 1e9);
	return true;
}

const jj_extractor jj_extract_tcp_rtt = {
	.group = JJ_G_tcp_rtt,
	.base = &jj_analyse_tcp,
	.emit = emit,
};
