/*
 * Statistics of non-negative integers: exact moments, quantiles, a sketch for
 * quantiles of many values, and counts per value.
 *
 * Values are at most JJ_STAT_MAX. Everything is integer until the last
 * division, so a result does not depend on the order of the values.
 */
#ifndef JJ_STATS_H
#define JJ_STATS_H

#include "features/base.h"

#define JJ_STAT_MAX (INT64_MAX / 2)

typedef struct jj_u128
{
	uint64_t	lo;
	uint64_t	hi;
} jj_u128;

static inline jj_u128
jj_u128_mul(uint64_t a, uint64_t b)
{
	jj_u128		r;
#ifdef __SIZEOF_INT128__
	unsigned __int128 p = (unsigned __int128) a * b;

	r.lo = (uint64_t) p;
	r.hi = (uint64_t) (p >> 64);
#else
	uint64_t	al = (uint32_t) a,
				ah = a >> 32,
				bl = (uint32_t) b,
				bh = b >> 32;
	uint64_t	ll = al * bl,
				lh = al * bh,
				hl = ah * bl,
				mid = (ll >> 32) + (uint32_t) lh + (uint32_t) hl;

	r.lo = mid << 32 | (uint32_t) ll;
	r.hi = ah * bh + (lh >> 32) + (hl >> 32) + (mid >> 32);
#endif
	return r;
}

static inline jj_u128
jj_u128_add(jj_u128 a, jj_u128 b)
{
	jj_u128		r = {a.lo + b.lo, a.hi + b.hi};

	r.hi += r.lo < a.lo;
	return r;
}

static inline jj_u128
jj_u128_sub(jj_u128 a, jj_u128 b)
{
	jj_u128		r = {a.lo - b.lo, a.hi - b.hi};

	r.hi -= a.lo < b.lo;
	return r;
}

static inline double
jj_u128_double(jj_u128 a)
{
	if (JJ_LIKELY(a.hi == 0 && a.lo <= INT64_MAX))
		return (double) (int64_t) a.lo;
	return (double) a.hi * 18446744073709551616.0 + (double) a.lo;
}

/* Count, sum, sum of squares, smallest and largest; all zero at the start. */
typedef struct jj_moments
{
	uint64_t	n;
	int64_t		min;
	int64_t		max;
	jj_u128		sum;
	jj_u128		squares;		/* modulo 2^128; the variance is exact all the same */
} jj_moments;

static inline void
jj_moments_add(jj_moments *m, int64_t v)
{
	jj_u128		x = {(uint64_t) v, 0};

	if (m->n++ == 0)
		m->min = m->max = v;
	else if (v < m->min)
		m->min = v;
	else if (v > m->max)
		m->max = v;
	m->sum = jj_u128_add(m->sum, x);
	m->squares = jj_u128_add(m->squares, jj_u128_mul((uint64_t) v, (uint64_t) v));
}

/* The same as adding v count times. */
extern void jj_moments_add_many(jj_moments *m, int64_t v, uint64_t count);

/* Those of n values, from nothing. */
extern void jj_moments_of(jj_moments *m, const int64_t *v, size_t n);

/* Mean, population variance and population standard deviation of n > 0 values. */
static inline double
jj_moments_mean(const jj_moments *m)
{
	return jj_u128_double(m->sum) / (double) m->n;
}

extern double jj_moments_variance(const jj_moments *m);
extern double jj_moments_std(const jj_moments *m);

/* Standard deviation / mean, which must be above 0. */
extern double jj_moments_cv(const jj_moments *m);

/* Those of the values of both. */
extern jj_moments jj_moments_join(const jj_moments *a, const jj_moments *b);

/*
 * Percentiles of n > 0 values by linear interpolation between the sorted
 * values, h = (n - 1) p / 100 (Hyndman and Fan 1996, type 7, as
 * percentile_cont): out[i] for percent[i] (0 to 100, ascending). v is
 * reordered.
 */
extern void jj_percentiles(int64_t *v, size_t n, const int *percent, size_t k, double *out);

/*
 * Counts of values in log-linear buckets: exact below 128, from there 64
 * buckets per power of two, so a value read back is off by at most 1/128.
 */
#define JJ_SKETCH_BUCKETS (128 + (63 - 7) * 64)
#define JJ_SKETCH_ERROR (1.0 / 128)

typedef struct jj_sketch
{
	uint64_t	n;
	uint64_t	count[JJ_SKETCH_BUCKETS];
} jj_sketch;

extern void jj_sketch_add(jj_sketch *s, int64_t v);

/* As jj_percentiles, for one percentage, clamped to [min, max], the exact extremes of the values. n > 0. */
extern double jj_sketch_percentile(const jj_sketch *s, int percent, int64_t min, int64_t max);

/* How often each value came, in two classes (the directions of a flow). */
typedef struct jj_tally_entry
{
	uint32_t	value;
	uint32_t	order;			/* number of distinct values before this one */
	uint64_t	count[2];
} jj_tally_entry;

/* More distinct values than this are rounded down to a multiple of 256 if above 65535. */
#define JJ_TALLY_EXACT 65536

/* Up to so many distinct values are looked for one by one; a hash table takes over beyond. */
#define JJ_TALLY_SHORT 16

/* All zero at the start. */
typedef struct jj_tally
{
	jj_tally_entry *entry;		/* in the order in which the values first came */
	uint32_t	used;
	uint32_t	room;			/* power of two, at least JJ_TALLY_SHORT */
	uint32_t   *slot;			/* 2 * room of them: hash table of entry numbers, one higher; all 0 while the tally is short */
	uint32_t	slot_room;		/* entries that slot is made for */
} jj_tally;

/* False without memory. */
extern bool jj_tally_add(jj_tally *t, uint32_t value, unsigned class, const jj_allocator *a);

/* No values again; keeps the memory. */
extern void jj_tally_clear(jj_tally *t);
extern void jj_tally_free(jj_tally *t, const jj_allocator *a);

/* Moments of the values of class 0, of class 1, and of both. */
extern void jj_tally_moments(const jj_tally *t, jj_moments m[3]);

/* Copy the used entries to out (room for t->used), ascending by value; key is scratch memory for twice as many numbers. */
extern void jj_tally_sorted(const jj_tally *t, jj_tally_entry *out, uint64_t *key);

/*
 * Percentiles as jj_percentiles from k sorted entries, over class 0, class 1
 * or both (2), which must have at least one value.
 */
extern void jj_tally_percentiles(const jj_tally_entry *sorted, uint32_t k, unsigned class, const int *percent,
								 size_t np, double *out);

#endif
