/*
 * Group ip_extended: TTL, DS field, IPv4 flags and identification.
 * Source: RFC 791, 8200, 2474 (DSCP), 3168 (ECN).
 */
#include "extractors/extractor.h"

#include <string.h>

/* One cache line. */
typedef struct ip_state
{
	uint64_t	ttl_sum[2];
	uint64_t	dscp_seen;		/* one bit for each of the 64 values */
	uint64_t	df;
	uint64_t	id_gaps;
	uint32_t	ttl_changes[2];
	uint16_t	last_id[2];
	uint8_t		ttl_min[2];
	uint8_t		ttl_max[2];
	uint8_t		ttl_last[2];
	uint8_t		ttl_first[2];
	uint8_t		tos;			/* of the initiator's first packet */
	uint8_t		bits;			/* SEEN and LOCAL of each direction, ANY_ID, and the flags from FLAGS_SHIFT on */
	uint8_t		ecn;
} ip_state;

#define SEEN(d) (1 << (d))
#define LOCAL(d) (4 << (d))		/* the first packet's destination says nothing about hops */
#define ANY_ID 16
#define FLAGS_SHIFT 5

/* Multicast, limited broadcast or link-local. */
static bool
is_local(const uint8_t a[16], int version)
{
	if (version == 4)
		return a[12] >> 4 == 14 || memcmp(a + 12, "\xff\xff\xff\xff", 4) == 0 || (a[12] == 169 && a[13] == 254);
	return a[0] == 0xff || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80);
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	ip_state   *s = state;
	int			d = p->dir;
	uint16_t	id = (uint16_t) p->ip_id;

	(void) w;
	s->dscp_seen |= UINT64_C(1) << (p->tos >> 2);
	if ((p->tos & 3) > s->ecn)
		s->ecn = p->tos & 3;
	s->ttl_sum[d] += p->ttl;
	if (p->ip_version == 4)
	{
		s->bits |= (uint8_t) (p->ip_flags << FLAGS_SHIFT | (id != 0 ? ANY_ID : 0));
		s->df += p->ip_flags >> 1 & 1;
		if ((s->bits & SEEN(d)) && (uint16_t) (id - s->last_id[d]) > 1 && (uint16_t) (id - s->last_id[d]) < 32768)
			s->id_gaps++;
		s->last_id[d] = id;
	}
	if (JJ_LIKELY(s->bits & SEEN(d)))
	{
		if (p->ttl != s->ttl_last[d])
		{
			s->ttl_changes[d]++;
			s->ttl_last[d] = p->ttl;
			if (p->ttl < s->ttl_min[d])
				s->ttl_min[d] = p->ttl;
			if (p->ttl > s->ttl_max[d])
				s->ttl_max[d] = p->ttl;
		}
	}
	else
	{
		s->bits |= (uint8_t) (SEEN(d) | (is_local(p->dst, p->ip_version) ? LOCAL(d) : 0));
		s->ttl_min[d] = s->ttl_max[d] = s->ttl_last[d] = s->ttl_first[d] = p->ttl;
		if (d == 0)
			s->tos = p->tos;
	}
	return true;
}

static void
emit_hops(const ip_state *s, int d, jj_feature initial, jj_feature hops, jj_row *row)
{
	int			ttl = s->ttl_first[d];
	int			start = ttl <= 32 ? 32 : ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255;

	if (ttl <= 1 || (s->bits & LOCAL(d)))
		return;
	jj_row_int(row, initial, start);
	jj_row_int(row, hops, start - ttl);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const ip_state *s = state;
	int			dscps = 0;
	uint64_t	packets = f->packets[0] + f->packets[1];

	(void) fold;
	(void) w;
	if (s->bits & SEEN(0))
	{
		jj_row_int(row, JJ_F_ip_ttl_fwd_min, s->ttl_min[0]);
		jj_row_int(row, JJ_F_ip_ttl_fwd_max, s->ttl_max[0]);
		jj_row_double(row, JJ_F_ip_ttl_fwd_mean, (double) s->ttl_sum[0] / (double) f->packets[0]);
		jj_row_int(row, JJ_F_ip_ttl_fwd_changes, s->ttl_changes[0]);
		emit_hops(s, 0, JJ_F_ip_ttl_fwd_initial_est, JJ_F_ip_ttl_fwd_hops_est, row);
		jj_row_int(row, JJ_F_ip_tos_value, s->tos);
		jj_row_int(row, JJ_F_ip_dscp, s->tos >> 2);
	}
	if (s->bits & SEEN(1))
	{
		jj_row_int(row, JJ_F_ip_ttl_bwd_min, s->ttl_min[1]);
		jj_row_int(row, JJ_F_ip_ttl_bwd_max, s->ttl_max[1]);
		jj_row_double(row, JJ_F_ip_ttl_bwd_mean, (double) s->ttl_sum[1] / (double) f->packets[1]);
		jj_row_int(row, JJ_F_ip_ttl_bwd_changes, s->ttl_changes[1]);
		emit_hops(s, 1, JJ_F_ip_ttl_bwd_initial_est, JJ_F_ip_ttl_bwd_hops_est, row);
	}
	for (uint64_t bits = s->dscp_seen; bits != 0; bits &= bits - 1)
		dscps++;
	jj_row_int(row, JJ_F_ip_tos_unique_count, dscps);
	jj_row_int(row, JJ_F_ip_ecn, s->ecn);
	jj_row_int(row, JJ_F_ip_version, jj_flow_version(f));
	if (jj_flow_version(f) == 4)
	{
		jj_row_int(row, JJ_F_ip_flags, s->bits >> FLAGS_SHIFT);
		jj_row_int(row, JJ_F_ip_df_count, (int64_t) s->df);
		jj_row_double(row, JJ_F_ip_df_ratio, (double) s->df / (double) packets);
		if ((f->packets[0] >= 2 || f->packets[1] >= 2) && (s->bits & ANY_ID))
			jj_row_int(row, JJ_F_ip_id_gaps, (int64_t) s->id_gaps);
	}
	return true;
}

const jj_extractor jj_extract_ip_extended = {
	.group = JJ_G_ip_extended,
	.state_size = sizeof(ip_state),
	.update = update,
	.emit = emit,
};
