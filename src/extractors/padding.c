/*
 * Group padding: how even lengths and gaps are, header share, Tor cells.
 */
#include "extractors/extractor.h"

/* Shortest TLS record with one Tor cell, see is_tor_cells. */
#define MIN_TOR_RECORD 535

typedef struct padding_state
{
	uint32_t	tcp_data;		/* TCP packets with payload */
	uint32_t	tor_cells;
} padding_state;

typedef struct padding_fold
{
	uint64_t	packets;
	int64_t		last;			/* flow clock of the packet before */
	const jj_moments *gap;
	uint64_t	bursts;			/* finished ones */
	double		efficiency;		/* sum of theirs */
	uint64_t	burst_bytes;	/* of the latest burst */
	uint64_t	burst_payload;
	jj_lengths *lengths;
	jj_lengths *own;			/* lengths of a flow that is not whole */
	jj_moments	own_gap;
} padding_fold;

/*
 * A multiple of the length of a TLS record with one cell of 514 bytes:
 * AES-GCM or ChaCha20 of TLS 1.3 and 1.2, CBC with its paddings and MACs.
 */
static inline bool
is_tor_cells(uint32_t n)
{
	return n % 535 == 0 || n % 536 == 0 || n % 543 == 0 || n % 565 == 0 || n % 586 == 0;
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	padding_state *s = state;

	(void) w;
	if (p->has_tcp && p->payload_len > 0)
	{
		s->tcp_data++;
		if (p->payload_len >= MIN_TOR_RECORD && is_tor_cells(p->payload_len))
			s->tor_cells++;
	}
	return true;
}

static inline void
end_burst(padding_fold *a)
{
	a->bursts++;
	a->efficiency += (double) a->burst_payload / (double) a->burst_bytes;
	a->burst_bytes = a->burst_payload = 0;
}

/* Gaps and lengths of a whole flow, which other groups need as well. */
static bool
take_whole(padding_fold *a, const jj_sample *s, uint32_t n, jj_work *w)
{
	const jj_gaps *gaps = jj_whole_gaps(s, n, w);

	a->lengths = jj_whole_lengths(s, n, w);
	if (gaps == NULL || a->lengths == NULL)
		return false;
	a->gap = &gaps->of[JJ_DIR_BOTH];
	return true;
}

static bool
take_part(padding_fold *a, const jj_sample *s, uint32_t n, jj_work *w)
{
	int64_t		last = a->last;

	if (a->own == NULL && (a->own = jj_alloc_zero(&w->allocator, sizeof(jj_lengths))) == NULL)
		return false;
	a->lengths = a->own;
	a->gap = &a->own_gap;
	for (uint32_t i = 0; i < n; i++)
	{
		int64_t		t = s[i].t_dir >> 1;

		if (i > 0 || a->packets > 0)
			jj_moments_add(&a->own_gap, t - last);
		last = t;
	}
	return jj_lengths_add(a->own, s, n, &w->allocator);
}

static bool
fold(void *acc, const jj_sample *s, uint32_t n, bool whole, jj_work *w)
{
	padding_fold *a = acc;
	int64_t		last;

	if (!(whole ? take_whole(a, s, n, w) : take_part(a, s, n, w)))
		return false;
	last = a->packets == 0 ? s[0].t_dir >> 1 : a->last;
	for (uint32_t i = 0; i < n; i++)
	{
		int64_t		t = s[i].t_dir >> 1;

		if (JJ_UNLIKELY(t - last >= w->options.burst_threshold))
			end_burst(a);
		last = t;
		a->burst_bytes += s[i].ip_len;
		a->burst_payload += s[i].payload_len;
	}
	a->last = last;
	a->packets += n;
	return true;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const padding_state *s = state;
	padding_fold *a = fold;
	const jj_lengths *l = a->lengths;
	const jj_moments *length = &l->of[JJ_DIR_BOTH];
	uint64_t	common;
	uint64_t	n = a->packets;
	uint64_t	bytes = f->bytes[0] + f->bytes[1];
	int64_t		overhead = (int64_t) (bytes - f->payload[0] - f->payload[1]);
	bool		constant_size;
	bool		constant_rate = false;
	bool		tor = s->tcp_data >= 2 && s->tor_cells * UINT64_C(10) >= s->tcp_data * UINT64_C(7);

	if (!jj_lengths_finish(a->lengths, w))
		return false;
	common = l->mode_count;
	constant_size = n >= 2 && common * 100 >= n * 95;
	jj_row_double(row, JJ_F_pkt_size_variance, jj_moments_variance(length));
	jj_row_int(row, JJ_F_dominant_size_mode, l->mode);
	jj_row_double(row, JJ_F_dominant_size_ratio, (double) common / (double) n);
	jj_row_int(row, JJ_F_unique_size_count, l->distinct);
	if (l->distinct > 1)
		jj_row_double(row, JJ_F_size_entropy, jj_lengths_evenness(l));
	if (n >= 2)
	{
		jj_row_double(row, JJ_F_pkt_size_cv, jj_moments_cv(length));
		jj_row_int(row, JJ_F_is_constant_size, constant_size);
		jj_row_double(row, JJ_F_iat_variance, jj_moments_variance(a->gap) / 1e18);
	}
	if (n >= 3 && a->gap->max > 0)
	{
		double		cv = jj_moments_cv(a->gap);

		constant_rate = cv <= 0.1;
		jj_row_double(row, JJ_F_iat_cv, cv);
		jj_row_int(row, JJ_F_is_constant_rate, constant_rate);
	}
	if (f->key.proto == JJ_PROTO_TCP)
	{
		jj_row_int(row, JJ_F_tor_cell_count, s->tor_cells);
		if (s->tcp_data > 0)
			jj_row_double(row, JJ_F_tor_cell_ratio, (double) s->tor_cells / (double) s->tcp_data);
		if (s->tcp_data >= 2)
			jj_row_int(row, JJ_F_is_tor_like, tor);
	}
	jj_row_double(row, JJ_F_burst_padding_ratio, (double) overhead / (double) bytes);
	jj_row_int(row, JJ_F_burst_overhead_bytes, overhead);
	end_burst(a);
	jj_row_double(row, JJ_F_avg_burst_payload_efficiency, a->efficiency / (double) a->bursts);
	if (n >= 3)
		jj_row_double(row, JJ_F_padding_score,
					  (3 * constant_size + 2 * (common * 10 > n * 8) + 2 * constant_rate + 3 * tor) / 10.0);
	return true;
}

static void
free_fold(void *fold, const jj_allocator *al)
{
	padding_fold *a = fold;

	if (a->own != NULL)
		jj_tally_free(&a->own->tally, al);
	jj_release(al, a->own);
}

const jj_extractor jj_extract_padding = {
	.group = JJ_G_padding,
	.state_size = sizeof(padding_state),
	.kinds = JJ_FOR_TCP,
	.update = update,
	.fold_size = sizeof(padding_fold),
	.fold = fold,
	.emit = emit,
	.free_fold = free_fold,
};
