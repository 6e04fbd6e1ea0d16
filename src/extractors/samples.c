/*
 * Gaps and lengths of a flow's samples.
 */
#include "extractors/extractor.h"

#include <math.h>
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

/* ---- lengths */

/* The lengths of at most JJ_FEW_LENGTHS samples, in ascending order, and what follows from that. */
static void
sort_lengths(jj_lengths *l, const jj_sample *s, uint32_t n)
{
	uint64_t	key[JJ_FEW_LENGTHS];	/* length, place, direction */
	uint32_t	count[2] = {0, 0};
	uint64_t	sum[2] = {0, 0};
	uint64_t	squares[2] = {0, 0};
	jj_tally_entry *e = l->entry;	/* the latest */
	uint32_t	distinct = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint64_t	x = (uint64_t) s[i].ip_len << 8 | i << 1 | (uint64_t) (s[i].t_dir & 1);
		uint32_t	j = i;

		while (j > 0 && key[j - 1] > x)
		{
			key[j] = key[j - 1];
			j--;
		}
		key[j] = x;
	}
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	value = (uint32_t) (key[i] >> 8);
		unsigned	d = (unsigned) (key[i] & 1);

		if (i == 0 || value != e->value)
		{
			e = &l->entry[distinct++];
			e->value = value;
			e->order = (uint32_t) (key[i] >> 1 & 127);
			e->count[0] = e->count[1] = 0;
		}
		e->count[d]++;
		l->value[JJ_DIR_BOTH][i] = value;
		l->value[d][count[d]++] = value;
		sum[d] += value;
		squares[d] += (uint64_t) value * value;
	}
	l->distinct = distinct;
	l->sorted = l->entry;
	for (int d = 0; d < 2; d++)
	{
		jj_moments *m = &l->of[d];

		memset(m, 0, sizeof(*m));
		m->n = count[d];
		m->min = count[d] > 0 ? l->value[d][0] : 0;
		m->max = count[d] > 0 ? l->value[d][count[d] - 1] : 0;
		m->sum.lo = sum[d];
		m->squares.lo = squares[d];
	}
}

/* The most frequent of the distinct lengths. */
static void
find_mode(jj_lengths *l)
{
	const jj_tally_entry *mode = l->sorted;

	l->mode_count = mode->count[0] + mode->count[1];
	for (uint32_t i = 1; i < l->distinct; i++)
	{
		const jj_tally_entry *e = &l->sorted[i];
		uint64_t	count = e->count[0] + e->count[1];

		if (count > l->mode_count || (count == l->mode_count && e->order < mode->order))
		{
			mode = e;
			l->mode_count = count;
		}
	}
	l->mode = mode->value;
}

/* Whether n lengths can be sorted: their squares' sum must fit 64 bits, and keys 64 bits. */
static bool
are_few(const jj_sample *s, uint32_t n)
{
	uint32_t	all = 0;

	if (n > JJ_FEW_LENGTHS)
		return false;
	for (uint32_t i = 0; i < n; i++)
		all |= s[i].ip_len;
	return all < UINT32_C(1) << 29;
}

jj_lengths *
jj_whole_lengths(const jj_sample *s, uint32_t n, jj_work *w)
{
	jj_lengths *l = &w->lengths;

	if (w->has_lengths)
		return l;
	l->finished = false;
	l->few = are_few(s, n);
	if (l->few)
		sort_lengths(l, s, n);
	else
	{
		jj_tally_clear(&l->tally);
		if (!jj_lengths_add(l, s, n, &w->allocator))
			return NULL;
	}
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

/* The distinct lengths of a tally in ascending order, in w->sorted; NULL without memory. */
static const jj_tally_entry *
sorted_tally(const jj_tally *t, jj_work *w)
{
	if (w->sorted_room < t->used)
	{
		jj_release(&w->allocator, w->sorted);
		jj_release(&w->allocator, w->sort_key);
		w->sorted = jj_alloc(&w->allocator, sizeof(jj_tally_entry) * t->room);
		w->sort_key = jj_alloc(&w->allocator, sizeof(uint64_t) * 2 * t->room);
		w->sorted_room = w->sorted == NULL || w->sort_key == NULL ? 0 : t->room;
		if (w->sorted_room == 0)
			return NULL;
	}
	jj_tally_sorted(t, w->sorted, w->sort_key);
	return w->sorted;
}

bool
jj_lengths_finish(jj_lengths *l, jj_work *w)
{
	if (l->finished)
		return true;
	if (!l->few)
	{
		l->sorted = sorted_tally(&l->tally, w);
		if (l->sorted == NULL)
			return false;
		l->distinct = l->tally.used;
		jj_tally_moments(&l->tally, l->of);
	}
	else
		l->of[JJ_DIR_BOTH] = jj_moments_join(&l->of[0], &l->of[1]);
	find_mode(l);
	l->finished = true;
	return true;
}

/* Percentiles of n > 0 lengths in ascending order. */
static void
few_percentiles(const uint32_t *v, uint64_t n, const int *percent, size_t k, double *out)
{
	for (size_t i = 0; i < k; i++)
	{
		uint64_t	h = (n - 1) * (uint64_t) percent[i];
		uint64_t	lo = h / 100;
		uint64_t	part = h % 100;
		uint64_t	a = v[lo];
		uint64_t	b = part != 0 ? v[lo + 1] : a;

		out[i] = (double) (a * (100 - part) + b * part) / 100;
	}
}

void
jj_lengths_percentiles(const jj_lengths *l, int which, const int *percent, size_t k, double *out)
{
	if (l->few)
		few_percentiles(l->value[which], l->of[which].n, percent, k, out);
	else
		jj_tally_percentiles(l->sorted, l->distinct, (unsigned) which, percent, k, out);
}

static inline double
information(const jj_tally_entry *e, double n)
{
	double		share = (double) (e->count[0] + e->count[1]) / n;

	return share * log2(share);
}

double
jj_lengths_evenness(const jj_lengths *l)
{
	double		n = (double) l->of[JJ_DIR_BOTH].n;
	double		h = 0;

	/* in the order in which they came: sums of fractions depend on it */
	if (l->few)
	{
		uint8_t		entry_at[JJ_FEW_LENGTHS];
		uint64_t	places = 0;

		for (uint32_t i = 0; i < l->distinct; i++)
		{
			places |= UINT64_C(1) << l->entry[i].order;
			entry_at[l->entry[i].order] = (uint8_t) i;
		}
		for (unsigned place = 0; places >> place != 0; place++)
			if (places >> place & 1)
				h -= information(&l->entry[entry_at[place]], n);
	}
	else
		for (uint32_t i = 0; i < l->tally.used; i++)
			h -= information(&l->tally.entry[i], n);
	return h / log2(l->distinct);
}
