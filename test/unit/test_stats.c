/*
 * Statistics against plain definitions.
 */
#include "features/stats.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;

static uint64_t
next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static int
compare(const void *a, const void *b)
{
	int64_t		x = *(const int64_t *) a;
	int64_t		y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* Percentile of sorted values by its definition. */
static double
percentile(const int64_t *sorted, size_t n, int percent)
{
	size_t		h = (n - 1) * (size_t) percent;
	long double a = (long double) sorted[h / 100];
	long double b = h % 100 ? (long double) sorted[h / 100 + 1] : a;

	return (double) (a + (b - a) * (long double) (h % 100) / 100);
}

static bool
close_to(double a, double b, double error)
{
	return fabs(a - b) <= error * (fabs(b) + 1e-300);
}

static void
test_u128(void)
{
	jj_u128		p = jj_u128_mul(UINT64_MAX, UINT64_MAX);
	jj_u128		one = {1, 0};
	jj_u128		s;

	ok(p.lo == 1 && p.hi == UINT64_MAX - 1, "(2^64-1)^2");
	s = jj_u128_sub(jj_u128_add(p, p), p);
	ok(s.lo == p.lo && s.hi == p.hi, "p + p - p");
	s.lo = UINT64_MAX;
	s.hi = 0;
	s = jj_u128_add(s, one);
	ok(s.lo == 0 && s.hi == 1, "carry");
	ok(jj_u128_double(s) == 18446744073709551616.0, "2^64 as double");
}

static void
test_moments(void)
{
	jj_moments	m = {0};
	jj_moments	many = {0};
	int64_t		values[] = {40, 40, 1500, 40, 52};
	long double mean = 0,
				square = 0;

	for (int i = 0; i < 5; i++)
		jj_moments_add(&m, values[i]);
	ok(m.n == 5 && m.min == 40 && m.max == 1500, "count, min, max");
	ok(jj_moments_mean(&m) == 334.4, "mean");
	ok(close_to(jj_moments_variance(&m), 339677.44, 1e-15), "variance");
	ok(close_to(jj_moments_std(&m), 582.81853, 1e-7), "standard deviation");

	/* where the squares are far beyond 128 bits */
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < 1000; i++)
	{
		int64_t		below = (int64_t) (next_random() % 1000);

		jj_moments_add(&m, JJ_STAT_MAX - below);
		mean += below;
	}
	mean /= 1000;
	state = 88172645463325252u;
	for (int i = 0; i < 1000; i++)
	{
		long double below = (long double) (next_random() % 1000);

		square += (below - mean) * (below - mean);
	}
	ok(close_to(jj_moments_variance(&m), (double) (square / 1000), 1e-9), "variance of huge values of small spread");

	memset(&m, 0, sizeof(m));
	for (int i = 0; i < 777; i++)
		jj_moments_add(&m, 1000003);
	jj_moments_add_many(&many, 1000003, 777);
	ok(memcmp(&m, &many, sizeof(m)) == 0, "adding many at once is the same");
	ok(jj_moments_std(&m) == 0, "constant values have no deviation");
}

static void
test_percentiles(void)
{
	static const int percent[] = {0, 25, 50, 75, 90, 99, 100};
	bool		good = true;

	for (size_t n = 1; n < 3000; n = n * 3 / 2 + 1)
		for (int shape = 0; shape < 5; shape++)
		{
			int64_t    *v = malloc(sizeof(int64_t) * n);
			int64_t    *sorted = malloc(sizeof(int64_t) * n);
			double		out[7];

			for (size_t i = 0; i < n; i++)
				v[i] = shape == 0 ? (int64_t) i : shape == 1 ? (int64_t) (n - i) : shape == 2 ? 7
					: shape == 3 ? (int64_t) (next_random() % 5) : (int64_t) (next_random() >> 2);
			memcpy(sorted, v, sizeof(int64_t) * n);
			qsort(sorted, n, sizeof(int64_t), compare);
			jj_percentiles(v, n, percent, 7, out);
			for (int k = 0; k < 7; k++)
				if (!close_to(out[k], percentile(sorted, n, percent[k]), 1e-14))
				{
					good = false;
					printf("# n %zu shape %d percent %d: %.17g\n", n, shape, percent[k], out[k]);
				}
			free(v);
			free(sorted);
		}
	ok(good, "percentiles of five shapes at many sizes");
}

static void
test_sketch(void)
{
	static const int percent[] = {1, 25, 50, 75, 90, 99};
	enum
	{
		N = 200000
	};
	int64_t    *v = malloc(sizeof(int64_t) * N);
	jj_sketch  *s = calloc(1, sizeof(*s));
	bool		good = true;

	for (int i = 0; i < N; i++)
	{
		v[i] = (int64_t) (next_random() >> (next_random() % 60 + 3));
		jj_sketch_add(s, v[i]);
	}
	qsort(v, N, sizeof(int64_t), compare);
	for (int k = 0; k < 6; k++)
	{
		double		want = percentile(v, N, percent[k]);
		double		got = jj_sketch_percentile(s, percent[k], v[0], v[N - 1]);

		if (!close_to(got, want, JJ_SKETCH_ERROR + 1e-3))
		{
			good = false;
			printf("# %d: got %g, expected %g\n", percent[k], got, want);
		}
	}
	ok(good, "sketch within its stated error");
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < 128; i++)
		jj_sketch_add(s, i);
	ok(jj_sketch_percentile(s, 50, 0, 127) == 63.5, "sketch is exact below 128");
	memset(s, 0, sizeof(*s));
	jj_sketch_add(s, JJ_STAT_MAX);
	ok(jj_sketch_percentile(s, 99, JJ_STAT_MAX, JJ_STAT_MAX) == (double) JJ_STAT_MAX, "sketch is clamped to the extremes");
	free(v);
	free(s);
}

static void
test_tally(void)
{
	static const int percent[] = {0, 25, 50, 75, 90, 100};
	jj_allocator a = jj_malloc_allocator();
	jj_tally	t = {0};
	enum
	{
		N = 5000
	};
	int64_t    *v = malloc(sizeof(int64_t) * N);
	int64_t    *fwd = malloc(sizeof(int64_t) * N);
	size_t		nf = 0;
	bool		good = true;
	jj_tally_entry *sorted;
	uint64_t   *key;
	double		q[6];

	for (int i = 0; i < N; i++)
	{
		unsigned	class = next_random() % 3 == 0;

		v[i] = 40 + (int64_t) (next_random() % 1461);
		if (class == 0)
			fwd[nf++] = v[i];
		good = good && jj_tally_add(&t, (uint32_t) v[i], class, &a);
	}
	ok(good, "values added");
	sorted = malloc(sizeof(*sorted) * t.used);
	key = malloc(sizeof(*key) * 2 * t.used);
	jj_tally_sorted(&t, sorted, key);
	free(key);
	qsort(v, N, sizeof(int64_t), compare);
	qsort(fwd, nf, sizeof(int64_t), compare);
	jj_tally_percentiles(sorted, t.used, 2, percent, 6, q);
	for (int k = 0; k < 6; k++)
		good = good && close_to(q[k], percentile(v, N, percent[k]), 1e-14);
	ok(good, "percentiles of both classes");
	jj_tally_percentiles(sorted, t.used, 0, percent, 6, q);
	for (int k = 0; k < 6; k++)
		good = good && close_to(q[k], percentile(fwd, nf, percent[k]), 1e-14);
	ok(good, "percentiles of one class");
	jj_tally_clear(&t);
	ok(t.used == 0 && jj_tally_add(&t, 1, 1, &a) && t.used == 1, "cleared");
	for (int round = 0; round < 3; round++)
	{
		uint32_t	distinct = round == 1 ? JJ_TALLY_SHORT : 500;
		bool		right;

		jj_tally_clear(&t);
		for (uint32_t i = 0; i < 3 * distinct; i++)
			good = good && jj_tally_add(&t, i * 77 % distinct, i & 1, &a);
		right = t.used == distinct;
		for (uint32_t i = 0; i < t.used; i++)
			right = right && t.entry[i].value == i * 77 % distinct && t.entry[i].count[0] + t.entry[i].count[1] == 3;
		ok(good && right, "filled again after clearing, %u values", distinct);
	}
	jj_tally_clear(&t);
	for (uint32_t i = 0; i < 3 * JJ_TALLY_EXACT; i++)
		good = good && jj_tally_add(&t, i, 0, &a);
	ok(good && t.used < JJ_TALLY_EXACT + 3 * JJ_TALLY_EXACT / 256, "distinct values are bounded");
	jj_tally_free(&t, &a);
	free(sorted);
	free(v);
	free(fwd);
}

int
main(void)
{
	test_u128();
	test_moments();
	test_percentiles();
	test_sketch();
	test_tally();
	return done_testing();
}
