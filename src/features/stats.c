/*
 * Exact moments, quantiles by selection, a quantile sketch, and tallies.
 */
#include "features/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* a / b, which must fit 64 bits; the rest in *rest. */
static uint64_t
u128_div(jj_u128 a, uint64_t b, uint64_t *rest)
{
	uint64_t	q = 0;
	uint64_t	r;

	if (a.hi == 0)
	{
		*rest = a.lo % b;
		return a.lo / b;
	}
	r = a.hi % b;
	for (int i = 63; i >= 0; i--)
	{
		uint64_t	carry = r >> 63;

		r = r << 1 | (a.lo >> i & 1);
		q <<= 1;
		if (carry || r >= b)
		{
			r -= b;
			q |= 1;
		}
	}
	*rest = r;
	return q;
}

void
jj_moments_add_many(jj_moments *m, int64_t v, uint64_t count)
{
	jj_u128		square = jj_u128_mul((uint64_t) v, (uint64_t) v);
	jj_u128		part;

	if (count == 0)
		return;
	if (m->n == 0)
		m->min = m->max = v;
	else if (v < m->min)
		m->min = v;
	else if (v > m->max)
		m->max = v;
	m->n += count;
	m->sum = jj_u128_add(m->sum, jj_u128_mul((uint64_t) v, count));
	part = jj_u128_mul(square.lo, count);
	part.hi += square.hi * count;
	m->squares = jj_u128_add(m->squares, part);
}

void
jj_moments_of(jj_moments *m, const int64_t *v, size_t n)
{
	int64_t		min = INT64_MAX;
	int64_t		max = 0;
	jj_u128		sum = {0, 0};

	memset(m, 0, sizeof(*m));
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
	{
		min = v[i] < min ? v[i] : min;
		max = v[i] > max ? v[i] : max;
		sum.lo += (uint64_t) v[i];
		sum.hi += sum.lo < (uint64_t) v[i];
		m->squares = jj_u128_add(m->squares, jj_u128_mul((uint64_t) v[i], (uint64_t) v[i]));
	}
	m->n = n;
	m->min = min;
	m->max = max;
	m->sum = sum;
}

double
jj_moments_variance(const jj_moments *m)
{
	uint64_t	rest;
	uint64_t	mean;
	jj_u128		s;
	double		n = (double) m->n;

	if (m->n < 2 || m->min == m->max)
		return 0;
	if (m->sum.hi == 0 && m->squares.hi < UINT32_MAX && m->n < INT32_MAX && m->max < UINT32_MAX * INT64_C(512))
	{
		/* (n squares - sum^2) / n^2, in 128 bits: no value is large enough for squares to have wrapped around */
		s = jj_u128_mul(m->squares.lo, m->n);
		s.hi += m->squares.hi * m->n;
		return jj_u128_double(jj_u128_sub(s, jj_u128_mul(m->sum.lo, m->sum.lo))) / (n * n);
	}

	/*
	 * With sum = n mean + rest: the sum of (v - mean)^2 is squares - mean sum
	 * - mean rest. It fits 128 bits, so it comes out right even where squares
	 * itself has wrapped around.
	 */
	mean = u128_div(m->sum, m->n, &rest);
	s = jj_u128_mul(mean, m->sum.lo);
	s.hi += mean * m->sum.hi;
	s = jj_u128_sub(m->squares, s);
	s = jj_u128_sub(s, jj_u128_mul(mean, rest));
	if (s.hi == 0)
	{
		jj_u128		exact = jj_u128_sub(jj_u128_mul(s.lo, m->n), jj_u128_mul(rest, rest));

		return jj_u128_double(exact) / (n * n);
	}
	return (jj_u128_double(s) - (double) rest / n * (double) rest) / n;
}

double
jj_moments_std(const jj_moments *m)
{
	return sqrt(jj_moments_variance(m));
}

double
jj_moments_cv(const jj_moments *m)
{
	return jj_moments_std(m) / jj_moments_mean(m);
}

jj_moments
jj_moments_join(const jj_moments *a, const jj_moments *b)
{
	jj_moments	m = *a;

	if (b->n == 0)
		return m;
	if (a->n == 0)
		return *b;
	m.n += b->n;
	m.min = a->min < b->min ? a->min : b->min;
	m.max = a->max > b->max ? a->max : b->max;
	m.sum = jj_u128_add(a->sum, b->sum);
	m.squares = jj_u128_add(a->squares, b->squares);
	return m;
}

static int
compare_int64(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

#define FEW_VALUES 24			/* quicker sorted than selected from */

static void
insertion_sort(int64_t *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
	{
		int64_t		x = v[i];
		size_t		j = i;

		while (j > 0 && v[j - 1] > x)
		{
			v[j] = v[j - 1];
			j--;
		}
		v[j] = x;
	}
}

static inline int64_t
median3(int64_t a, int64_t b, int64_t c)
{
	if (a > b)
	{
		int64_t		t = a;

		a = b;
		b = t;
	}
	return c < a ? a : c > b ? b : c;
}

/*
 * Bring the values of the k ascending ranks to their places in v, by
 * quickselect over all of them at once. A range that does not shrink as
 * expected is sorted, which keeps the worst case at n log n.
 */
static void
select_ranks(int64_t *v, size_t lo, size_t hi, const size_t *rank, size_t k, int depth)
{
	while (k > 0)
	{
		size_t		n = hi - lo;
		size_t		less = lo;
		size_t		equal;
		size_t		left = 0;
		size_t		middle;
		int64_t		pivot;

		if (n <= FEW_VALUES)
		{
			insertion_sort(v + lo, n);
			return;
		}
		if (depth-- == 0)
		{
			qsort(v + lo, n, sizeof(*v), compare_int64);
			return;
		}
		pivot = median3(v[lo], v[lo + n / 2], v[hi - 1]);
		for (size_t i = lo; i < hi; i++)
		{
			int64_t		x = v[i];

			v[i] = v[less];
			v[less] = x;
			less += x < pivot;
		}
		equal = less;
		for (size_t i = less; i < hi; i++)
		{
			int64_t		x = v[i];

			v[i] = v[equal];
			v[equal] = x;
			equal += x == pivot;
		}
		while (left < k && rank[left] < less)
			left++;
		middle = left;
		while (middle < k && rank[middle] < equal)
			middle++;
		if (left > 0)
			select_ranks(v, lo, less, rank, left, depth);
		rank += middle;
		k -= middle;
		lo = equal;
	}
}

#define MAX_PERCENTILES 8

/* The percentile of n values whose places are those in ascending order, at least around it. */
static inline double
percentile_at(const int64_t *v, size_t n, int percent)
{
	size_t		h = (n - 1) * (size_t) percent;
	size_t		lo = h / 100;
	unsigned	part = (unsigned) (h % 100);
	int64_t		a = v[lo];
	int64_t		b = part != 0 ? v[lo + 1] : a;

	/* a + (b - a) part / 100, exact while 100 times the values fit */
	if (b < INT64_MAX / 100)
		return (double) (a * (int64_t) (100 - part) + b * (int64_t) part) / 100;
	return (double) a + (double) (b - a) * part / 100;
}

static void
select_percentiles(int64_t *v, size_t n, const int *percent, size_t k)
{
	size_t		rank[2 * MAX_PERCENTILES] = {0};
	size_t		ranks = 0;
	int			depth = 8;

	for (size_t m = n; m > 1; m >>= 1)
		depth += 2;
	for (size_t i = 0; i < k && i < MAX_PERCENTILES; i++)
	{
		size_t		lo = (n - 1) * (size_t) percent[i] / 100;

		for (size_t r = lo; r <= lo + 1 && r < n; r++)
			if (ranks == 0 || rank[ranks - 1] < r)
				rank[ranks++] = r;
	}
	select_ranks(v, 0, n, rank, ranks, depth);
}

void
jj_percentiles(int64_t *v, size_t n, const int *percent, size_t k, double *out)
{
	if (n <= FEW_VALUES)
		insertion_sort(v, n);
	else
		select_percentiles(v, n, percent, k);
	for (size_t i = 0; i < k && i < MAX_PERCENTILES; i++)
		out[i] = percentile_at(v, n, percent[i]);
}

static unsigned
log2_floor(uint64_t v)
{
	unsigned	e = 0;

	for (unsigned shift = 32; shift > 0; shift >>= 1)
		if (v >> shift)
		{
			v >>= shift;
			e += shift;
		}
	return e;
}

void
jj_sketch_add(jj_sketch *s, int64_t v)
{
	uint64_t	u = (uint64_t) v;

	s->n++;
	if (u < 128)
		s->count[u]++;
	else
	{
		unsigned	e = log2_floor(u);

		s->count[128 + (e - 7) * 64 + (u >> (e - 6) & 63)]++;
	}
}

/* The middle of the bucket that holds the value of this rank. */
static double
sketch_at(const jj_sketch *s, uint64_t rank, int64_t min, int64_t max)
{
	uint64_t	seen = 0;
	unsigned	i = 0;
	double		v;

	while (i < JJ_SKETCH_BUCKETS - 1 && seen + s->count[i] <= rank)
		seen += s->count[i++];
	if (i < 128)
		v = i;
	else
	{
		unsigned	e = (i - 128) / 64 + 7;

		v = ldexp(64 + (i - 128) % 64 + 0.5, (int) e - 6);
	}
	return v < (double) min ? (double) min : v > (double) max ? (double) max : v;
}

double
jj_sketch_percentile(const jj_sketch *s, int percent, int64_t min, int64_t max)
{
	/* (n - 1) percent / 100 without overflow */
	uint64_t	m = s->n - 1;
	uint64_t	lo = m / 100 * (uint64_t) percent + m % 100 * (uint64_t) percent / 100;
	unsigned	part = (unsigned) (m % 100 * (uint64_t) percent % 100);
	double		a = sketch_at(s, lo, min, max);

	if (part == 0)
		return a;
	return a + (sketch_at(s, lo + 1, min, max) - a) * part / 100;
}

/* Where value is in the hash table, or where it belongs. */
static inline uint32_t *
tally_slot(const jj_tally *t, uint32_t value)
{
	uint32_t	mask = 2 * t->slot_room - 1;
	uint32_t	i = (value * UINT32_C(2654435761)) >> 7 & mask;

	while (t->slot[i] != 0 && t->entry[t->slot[i] - 1].value != value)
		i = (i + 1) & mask;
	return &t->slot[i];
}

static bool
tally_grow(jj_tally *t, const jj_allocator *a)
{
	uint32_t	room = t->room == 0 ? JJ_TALLY_SHORT : t->room * 2;
	jj_tally_entry *entry = jj_regrow(a, t->entry, sizeof(*entry) * t->used, sizeof(*entry) * room);

	if (entry == NULL)
		return false;
	t->entry = entry;
	t->room = room;
	return true;
}

/* A hash table for all entries there is room for. */
static bool
tally_hash(jj_tally *t, const jj_allocator *a)
{
	if (t->slot_room < t->room)
	{
		uint32_t   *slot = jj_alloc_zero(a, sizeof(*slot) * 2 * t->room);

		if (slot == NULL)
			return false;
		jj_release(a, t->slot);
		t->slot = slot;
		t->slot_room = t->room;
	}
	for (uint32_t i = 0; i < t->used; i++)
		*tally_slot(t, t->entry[i].value) = i + 1;
	return true;
}

/* A new value as the last entry; NULL without memory. */
static jj_tally_entry *
tally_append(jj_tally *t, uint32_t value, const jj_allocator *a)
{
	jj_tally_entry *e;

	if (t->used == t->room && !tally_grow(t, a))
		return NULL;
	if (t->used == JJ_TALLY_SHORT || (t->used > JJ_TALLY_SHORT && t->slot_room < t->room))
	{
		if (!tally_hash(t, a))
			return NULL;
	}
	e = &t->entry[t->used];
	e->value = value;
	e->order = t->used++;
	e->count[0] = e->count[1] = 0;
	if (t->used > JJ_TALLY_SHORT)
		*tally_slot(t, value) = t->used;
	return e;
}

bool
jj_tally_add(jj_tally *t, uint32_t value, unsigned class, const jj_allocator *a)
{
	jj_tally_entry *e = NULL;

	if (t->used >= JJ_TALLY_EXACT && value > UINT16_MAX)
		value &= ~UINT32_C(255);
	if (t->used <= JJ_TALLY_SHORT)
	{
		for (uint32_t i = 0; i < t->used; i++)
			if (t->entry[i].value == value)
			{
				t->entry[i].count[class]++;
				return true;
			}
	}
	else
	{
		uint32_t	slot = *tally_slot(t, value);

		if (slot != 0)
			e = &t->entry[slot - 1];
	}
	if (e == NULL && (e = tally_append(t, value, a)) == NULL)
		return false;
	e->count[class]++;
	return true;
}

void
jj_tally_clear(jj_tally *t)
{
	/* last entry first: what was put behind it in its chain is gone already */
	if (t->used > JJ_TALLY_SHORT)
		for (uint32_t i = t->used; i > 0; i--)
			*tally_slot(t, t->entry[i - 1].value) = 0;
	t->used = 0;
}

void
jj_tally_free(jj_tally *t, const jj_allocator *a)
{
	jj_release(a, t->entry);
	jj_release(a, t->slot);
	memset(t, 0, sizeof(*t));
}

/* Moments of one class, if their sums are sure to fit 64 bits. */
static bool
tally_small_moments(const jj_tally *t, unsigned class, jj_moments *m)
{
	uint32_t	min = UINT32_MAX;
	uint32_t	max = 0;
	uint64_t	n = 0;
	uint64_t	sum = 0;
	uint64_t	squares = 0;

	for (uint32_t i = 0; i < t->used; i++)
	{
		uint64_t	v = t->entry[i].value;
		uint64_t	c = t->entry[i].count[class];

		if (c == 0)
			continue;
		min = v < min ? (uint32_t) v : min;
		max = v > max ? (uint32_t) v : max;
		n += c;
		sum += v * c;
		squares += v * v * c;
	}
	if (max > UINT16_MAX || n > UINT32_MAX)
		return false;
	m->n = n;
	m->min = n > 0 ? min : 0;
	m->max = max;
	m->sum.lo = sum;
	m->squares.lo = squares;
	return true;
}

void
jj_tally_moments(const jj_tally *t, jj_moments m[3])
{
	memset(m, 0, sizeof(jj_moments) * 3);
	for (unsigned class = 0; class < 2; class++)
		if (!tally_small_moments(t, class, &m[class]))
			for (uint32_t i = 0; i < t->used; i++)
				jj_moments_add_many(&m[class], t->entry[i].value, t->entry[i].count[class]);
	m[2] = jj_moments_join(&m[0], &m[1]);
}

#define RUN 32					/* keys that are quicker inserted than merged */

static void
insert_keys(uint64_t *key, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
	{
		uint64_t	x = key[i];
		uint32_t	j = i;

		while (j > 0 && key[j - 1] > x)
		{
			key[j] = key[j - 1];
			j--;
		}
		key[j] = x;
	}
}

/* Merge two ascending runs of n and m keys. */
static void
merge_keys(uint64_t *to, const uint64_t *a, uint32_t n, const uint64_t *b, uint32_t m)
{
	while (n > 0 && m > 0)
	{
		bool		first = *a <= *b;

		*to++ = first ? *a : *b;
		a += first;
		n -= first;
		b += !first;
		m -= !first;
	}
	memcpy(to, a, sizeof(*a) * n);
	memcpy(to + n, b, sizeof(*b) * m);
}

/* Sort n different keys, with as much room behind them; where they are then. */
static const uint64_t *
sort_keys(uint64_t *key, uint32_t n)
{
	uint64_t   *spare = key + n;

	for (uint32_t i = 0; i < n; i += RUN)
		insert_keys(key + i, n - i < RUN ? n - i : RUN);
	for (size_t run = RUN; run < n; run *= 2)
	{
		uint64_t   *to = spare;

		for (size_t i = 0; i < n; i += 2 * run)
		{
			size_t		left = n - i < run ? n - i : run;
			size_t		right = n - i - left < run ? n - i - left : run;

			merge_keys(to + i, key + i, (uint32_t) left, key + i + left, (uint32_t) right);
		}
		spare = key;
		key = to;
	}
	return key;
}

void
jj_tally_sorted(const jj_tally *t, jj_tally_entry *out, uint64_t *key)
{
	const uint64_t *sorted;

	for (uint32_t i = 0; i < t->used; i++)
		key[i] = (uint64_t) t->entry[i].value << 32 | i;
	sorted = sort_keys(key, t->used);
	for (uint32_t i = 0; i < t->used; i++)
		out[i] = t->entry[(uint32_t) sorted[i]];
}

static inline uint64_t
entry_count(const jj_tally_entry *e, unsigned class)
{
	return class < 2 ? e->count[class] : e->count[0] + e->count[1];
}

/* class is a constant wherever this is called */
static inline void
class_percentiles(const jj_tally_entry *sorted, uint32_t k, unsigned class, const int *percent, size_t np, double *out)
{
	uint64_t	n = 0;
	uint64_t	seen = 0;		/* values before entry i */
	uint32_t	i = 0;

	for (uint32_t j = 0; j < k; j++)
		n += entry_count(&sorted[j], class);
	for (size_t p = 0; p < np; p++)
	{
		uint64_t	m = n - 1;
		uint64_t	lo = m / 100 * (uint64_t) percent[p] + m % 100 * (uint64_t) percent[p] / 100;
		unsigned	part = (unsigned) (m % 100 * (uint64_t) percent[p] % 100);
		uint64_t	c;
		uint32_t	a,
					b;

		while (seen + (c = entry_count(&sorted[i], class)) <= lo)
		{
			seen += c;
			i++;
		}
		a = b = sorted[i].value;
		if (part != 0 && seen + entry_count(&sorted[i], class) <= lo + 1)
		{
			uint32_t	j = i + 1;

			while (entry_count(&sorted[j], class) == 0)
				j++;
			b = sorted[j].value;
		}
		out[p] = (double) ((uint64_t) a * (100 - part) + (uint64_t) b * part) / 100;
	}
}

void
jj_tally_percentiles(const jj_tally_entry *sorted, uint32_t k, unsigned class, const int *percent, size_t np, double *out)
{
	if (class == 0)
		class_percentiles(sorted, k, 0, percent, np, out);
	else if (class == 1)
		class_percentiles(sorted, k, 1, percent, np, out);
	else
		class_percentiles(sorted, k, 2, percent, np, out);
}
