/*
 * Gaps and lengths of a flow's samples.
 */
#include "extractors/extractor.h"

#include <string.h>

bool
jj_head_keep(jj_head *h, const jj_sample *s, uint32_t n, uint32_t max, bool whole, const jj_allocator *a)
{
	h->n = n < max ? n : max;
	h->sample = s;
	if (whole || max == 0)
		return true;
	h->sample = h->own = jj_alloc(a, sizeof(jj_sample) * h->n);
	if (h->own == NULL)
		return false;
	memcpy(h->own, s, sizeof(jj_sample) * h->n);
	return true;
}

/* Room for the gaps of one fold, of each direction and of all packets. */
static bool
make_gap_room(jj_work *w)
{
	for (int i = 0; i < 3; i++)
		if (w->gap[i] == NULL
			&& (w->gap[i] = jj_alloc(&w->allocator, sizeof(int64_t) * w->options.max_samples)) == NULL)
			return false;
	return true;
}

/* Write the gaps of n samples to g->value; count[i] of them. */
static void
make_gaps(jj_gaps *g, const jj_sample *s, uint32_t n, jj_work *w, size_t count[3])
{
	int64_t    *all = w->gap[JJ_DIR_BOTH];
	int64_t		last = g->last[JJ_DIR_BOTH];
	int64_t		last_of[2] = {g->last[0], g->last[1]};
	uint32_t	n_of[2] = {0, 0};

	for (uint32_t i = 0; i < n; i++)
	{
		int64_t		t = s[i].t_dir >> 1;
		int			d = (int) (s[i].t_dir & 1);

		all[i] = t - last;
		w->gap[d][n_of[d]] = t - last_of[d];
		n_of[d]++;
		last = last_of[d] = t;
	}
	for (int d = 0; d < 2; d++)
	{
		/* in front of a direction's first packet there is no gap */
		bool		first = g->packets[d] == 0 && n_of[d] > 0;

		g->value[d] = w->gap[d] + first;
		count[d] = n_of[d] - first;
		g->last[d] = last_of[d];
	}
	g->value[JJ_DIR_BOTH] = all + (g->packets[0] + g->packets[1] == 0);
	count[JJ_DIR_BOTH] = n - (g->packets[0] + g->packets[1] == 0);
	g->last[JJ_DIR_BOTH] = last;
	g->packets[0] += n_of[0];
	g->packets[1] += n_of[1];
}

static bool
sketch_gaps(jj_gaps *g, int which, size_t n, const jj_allocator *a)
{
	const int64_t *gap = g->value[which];

	if (n > 0 && g->sketch[which] == NULL && (g->sketch[which] = jj_alloc_zero(a, sizeof(jj_sketch))) == NULL)
		return false;
	for (size_t i = 0; i < n; i++)
	{
		jj_sketch_add(g->sketch[which], gap[i]);
		jj_moments_add(&g->of[which], gap[i]);
	}
	return true;
}

jj_gaps *
jj_whole_gaps(const jj_sample *s, uint32_t n, jj_work *w)
{
	jj_gaps    *g = &w->gaps;
	size_t		count[3];

	if (w->has_gaps)
		return g;
	if (!make_gap_room(w))
		return NULL;
	memset(g, 0, sizeof(*g));
	make_gaps(g, s, n, w, count);
	for (int i = 0; i < 3; i++)
		jj_moments_of(&g->of[i], g->value[i], count[i]);
	w->has_gaps = true;
	return g;
}

bool
jj_gaps_add(jj_gaps *g, const jj_sample *s, uint32_t n, jj_work *w)
{
	size_t		count[3];

	if (!make_gap_room(w))
		return false;
	make_gaps(g, s, n, w, count);
	for (int i = 0; i < 3; i++)
		if (!sketch_gaps(g, i, count[i], &w->allocator))
			return false;
	return true;
}

void
jj_gaps_free(jj_gaps *g, const jj_allocator *a)
{
	for (int i = 0; i < 3; i++)
		jj_release(a, g->sketch[i]);
}

void
jj_gaps_percentiles(jj_gaps *g, int which, const int *percent, size_t k, double *out)
{
	const jj_moments *m = &g->of[which];

	if (g->sketch[which] == NULL)
		jj_percentiles(g->value[which], m->n, percent, k, out);
	else
		for (size_t i = 0; i < k; i++)
			out[i] = jj_sketch_percentile(g->sketch[which], percent[i], m->min, m->max);
}

jj_lengths *
jj_whole_lengths(const jj_sample *s, uint32_t n, jj_work *w)
{
	jj_lengths *l = &w->lengths;

	if (w->has_lengths)
		return l;
	jj_tally_clear(&l->tally);
	l->summed = false;
	if (!jj_lengths_add(l, s, n, &w->allocator))
		return NULL;
	w->has_lengths = true;
	return l;
}

bool
jj_lengths_add(jj_lengths *l, const jj_sample *s, uint32_t n, const jj_allocator *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (!jj_tally_add(&l->tally, s[i].ip_len, (unsigned) (s[i].t_dir & 1), a))
			return false;
	return true;
}

void
jj_lengths_sum(jj_lengths *l)
{
	if (l->summed)
		return;
	jj_tally_moments(&l->tally, l->of);
	l->mode = jj_tally_mode(&l->tally);
	l->summed = true;
}

const jj_tally_entry *
jj_lengths_sorted(const jj_lengths *l, jj_work *w)
{
	const jj_tally *t = &l->tally;

	if (w->sorted_room < t->used)
	{
		jj_release(&w->allocator, w->sorted);
		w->sorted = jj_alloc(&w->allocator, sizeof(jj_tally_entry) * t->room);
		w->sorted_room = w->sorted == NULL ? 0 : t->room;
		if (w->sorted == NULL)
			return NULL;
	}
	jj_tally_sorted(t, w->sorted);
	return w->sorted;
}
