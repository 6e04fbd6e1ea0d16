/*
 * Group ipv6_options: flow label, traffic class and extension headers.
 * Source: RFC 8200, 6437 (flow label), 2474 (DSCP), 3168 (ECN).
 */
#include "extractors/extractor.h"

/* Distinct flow labels beyond so many, both directions together, are not counted any more. */
#define MAX_LABELS 4096

/* Protocol numbers of extension headers, distinct; the decoder knows eight. */
#define MAX_HEADERS 8

/* Of an IPv6 flow. */
typedef struct ipv6_flow
{
	uint64_t	dscp_seen;		/* one bit for each of the 64 values */
	uint64_t	changes;
	uint32_t	first[2];		/* flow label of each direction's first packet */
	uint32_t	last[2];
	uint8_t		seen[2];
	uint8_t		tos;			/* of the initiator's first packet */
	uint8_t		ecn;
	uint8_t		n_headers;
	uint8_t		header[MAX_HEADERS];
	jj_tally	more;			/* labels that are not a direction's first, by direction */
} ipv6_flow;

typedef struct ipv6_state
{
	ipv6_flow  *v6;				/* NULL in an IPv4 flow */
} ipv6_state;

static void
note_headers(ipv6_flow *s, const jj_packet *p)
{
	for (int i = 0; i < p->n_ext_headers; i++)
	{
		int			j = 0;

		while (j < s->n_headers && s->header[j] != p->ext_headers[i])
			j++;
		if (j == s->n_headers && j < MAX_HEADERS)
			s->header[s->n_headers++] = p->ext_headers[i];
	}
}

static void
fetch_all(const void *state)
{
	const ipv6_flow *s = ((const ipv6_state *) state)->v6;

	if (s != NULL)
		for (size_t o = 0; o < sizeof(*s); o += 64)
			JJ_PREFETCH((const char *) s + o);
}

static void
fetch(const void *state, const jj_packet *p, int dir)
{
	(void) p;
	(void) dir;
	fetch_all(state);
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	ipv6_flow  *s = ((ipv6_state *) state)->v6;
	int			d = p->dir;

	if (s == NULL && (s = ((ipv6_state *) state)->v6 = jj_alloc_zero(&w->allocator, sizeof(*s))) == NULL)
		return false;
	s->dscp_seen |= UINT64_C(1) << (p->tos >> 2);
	if ((p->tos & 3) > s->ecn)
		s->ecn = p->tos & 3;
	if (p->n_ext_headers > 0)
		note_headers(s, p);
	if (!s->seen[d])
	{
		s->seen[d] = true;
		s->first[d] = s->last[d] = p->flow_label;
		if (d == 0)
			s->tos = p->tos;
	}
	else if (p->flow_label != s->last[d])
	{
		s->changes++;
		s->last[d] = p->flow_label;
		if (p->flow_label != s->first[d] && s->more.used < MAX_LABELS)
			return jj_tally_add(&s->more, p->flow_label, (unsigned) d, &w->allocator);
	}
	return true;
}

static int64_t
labels(const ipv6_flow *s, int d)
{
	int64_t		n = s->seen[d];

	for (uint32_t i = 0; i < s->more.used; i++)
		n += s->more.entry[i].count[d] > 0;
	return n;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const ipv6_flow *s = ((const ipv6_state *) state)->v6;
	bool		v6 = jj_flow_version(f) == 6;
	int64_t		packets = (int64_t) (f->packets[0] + f->packets[1]);
	int64_t		fwd;
	int64_t		bwd;
	int			dscps = 0;
	int16_t    *header;

	(void) fold;
	(void) w;
	jj_row_int(row, JJ_F_ipv6_packet_count, v6 ? packets : 0);
	jj_row_int(row, JJ_F_ipv4_packet_count, v6 ? 0 : packets);
	jj_row_double(row, JJ_F_ipv6_ratio, v6);
	jj_row_int(row, JJ_F_is_ipv6_only, v6);
	if (s == NULL)
		return true;
	fwd = labels(s, 0);
	bwd = labels(s, 1);
	if (s->seen[0])
	{
		jj_row_int(row, JJ_F_ipv6_flow_label, s->first[0]);
		jj_row_int(row, JJ_F_ipv6_traffic_class, s->tos);
		jj_row_int(row, JJ_F_ipv6_dscp, s->tos >> 2);
	}
	jj_row_int(row, JJ_F_ipv6_flow_label_unique_count, fwd > bwd ? fwd : bwd);
	jj_row_int(row, JJ_F_ipv6_flow_label_changes, s->changes > INT32_MAX ? INT32_MAX : (int64_t) s->changes);
	for (uint64_t bits = s->dscp_seen; bits != 0; bits &= bits - 1)
		dscps++;
	jj_row_int(row, JJ_F_ipv6_traffic_class_unique_count, dscps);
	jj_row_int(row, JJ_F_ipv6_ecn, s->ecn);
	header = jj_row_reserve(row, JJ_F_ipv6_ext_headers, sizeof(int16_t) * s->n_headers);
	for (int i = 0; header != NULL && i < s->n_headers; i++)
		header[i] = s->header[i];
	return true;
}

static void
free_state(void *state, const jj_allocator *a)
{
	ipv6_flow  *s = ((ipv6_state *) state)->v6;

	if (s == NULL)
		return;
	jj_tally_free(&s->more, a);
	jj_release(a, s);
}

const jj_extractor jj_extract_ipv6_options = {
	.group = JJ_G_ipv6_options,
	.state_size = sizeof(ipv6_state),
	.kinds = JJ_FOR_IPV6,
	.fetch = fetch,
	.update = update,
	.fetch_all = fetch_all,
	.emit = emit,
	.free_state = free_state,
};
