/*
 * Distinct payload bytes of one direction of a TCP connection.
 */
#include "extractors/tcp_analysis.h"

#include <string.h>

static int64_t
unwrap(const jj_tcp_union *u, uint32_t seq)
{
	return u->started ? u->hi + jj_seq_diff(seq, (uint32_t) u->hi) : seq;
}

/* Holes of u without [a, b); what was a hole there is counted. */
static void
fill_holes(jj_tcp_union *u, int64_t a, int64_t b)
{
	int64_t		kept[JJ_TCP_HOLES + 2][2];
	uint32_t	n = 0;

	for (uint32_t i = 0; i < u->n_holes; i++)
	{
		int64_t		x = u->hole[i][0];
		int64_t		y = u->hole[i][1];
		int64_t		from = x > a ? x : a;
		int64_t		to = y < b ? y : b;

		if (from >= to)
		{
			kept[n][0] = x;
			kept[n++][1] = y;
			continue;
		}
		u->count += (uint64_t) (to - from);
		if (x < from)
		{
			kept[n][0] = x;
			kept[n++][1] = from;
		}
		if (to < y)
		{
			kept[n][0] = to;
			kept[n++][1] = y;
		}
	}
	u->n_holes = n;
	memcpy(u->hole, kept, sizeof(kept[0]) * n);
}

static bool
add_hole(jj_tcp_union *u, int64_t x, int64_t y, bool first, const jj_allocator *a)
{
	if (u->hole == NULL && (u->hole = jj_alloc(a, sizeof(u->hole[0]) * (JJ_TCP_HOLES + 4))) == NULL)
		return false;
	if (first)
		memmove(u->hole + 1, u->hole, sizeof(u->hole[0]) * u->n_holes);
	u->hole[first ? 0 : u->n_holes][0] = x;
	u->hole[first ? 0 : u->n_holes][1] = y;
	u->n_holes++;
	return true;
}

bool
jj_tcp_bytes_add(jj_tcp_union *u, uint32_t seq, uint32_t n, const jj_allocator *al)
{
	int64_t		a;
	int64_t		b;

	/* most segments continue where the one before ended */
	if (u->started && seq == (uint32_t) u->hi && !(u->has_floor && jj_seq_diff(u->floor, seq) > 0))
	{
		u->hi += n;
		u->count += n;
		return true;
	}
	a = unwrap(u, seq);
	b = a + n;
	if (u->has_floor)
	{
		int64_t		floor = unwrap(u, u->floor);

		if (a < floor)
			a = floor;
	}
	if (a >= b)
		return true;
	if (!u->started)
	{
		u->started = true;
		u->lo = a;
		u->hi = b;
		u->count += (uint64_t) (b - a);
		return true;
	}
	if (u->n_holes > 0)
		fill_holes(u, a, b);
	if (b > u->hi)
	{
		if (a > u->hi && !add_hole(u, u->hi, a, false, al))
			return false;
		u->count += (uint64_t) (b - (a > u->hi ? a : u->hi));
		u->hi = b;
	}
	if (a < u->lo)
	{
		if (b < u->lo && !add_hole(u, b, u->lo, true, al))
			return false;
		u->count += (uint64_t) ((b < u->lo ? b : u->lo) - a);
		u->lo = a;
	}
	if (u->n_holes > JJ_TCP_HOLES)
	{
		uint32_t	extra = u->n_holes - JJ_TCP_HOLES;

		memmove(u->hole, u->hole + extra, sizeof(u->hole[0]) * JJ_TCP_HOLES);
		u->n_holes = JJ_TCP_HOLES;
	}
	return true;
}
