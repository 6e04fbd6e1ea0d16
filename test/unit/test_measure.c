/*
 * What igraph measures: examples whose values were worked out by hand and
 * checked with networkx 2.8.8 (betweenness_centrality, clustering, and Louvain
 * with several seeds), the same for any order of flows, stopping, errors.
 */
#include "tap.h"

#ifndef JJ_WITH_IGRAPH

int
main(void)
{
	printf("1..0 # SKIP igraph is not installed\n");
	return 0;
}

#else

#include "connections.h"

#include <igraph.h>
#include <sanitizer/lsan_interface.h>

extern jj_code jj_graph_measure(const jj_graph *g, const jj_graph_measures *m, jj_error *err);

static const char *
measured(const char *text, bool reversed)
{
	jj_connection_options o;
	jj_connection *c;
	jj_graph_measures m;
	jj_error	err;
	static char result[10000];

	jj_connection_options_default(&o);
	c = open_graph(&o);
	add_text(c, text, reversed);
	if (!jj_connection_finish(c, true) || !jj_connection_measures(c, true, true, true, &m))
		abort();
	if (jj_graph_measure(jj_connection_graph(c), &m, &err) != JJ_OK)
		snprintf(result, sizeof(result), "%s", err.message);
	else
	{
		jj_connection_measured(c, true);
		snprintf(result, sizeof(result), "%s", measures_text(c));
	}
	jj_connection_close(c);
	return result;
}

#define STAR "0>3 x2, 1>3, 2>3"
#define CYCLE "0>1 x3, 0>2, 1>2 x2, 2>3, 3>0"
#define BRIDGE "0>1 x2, 1>0, 0>2, 1>2, 2>3, 3>4 x2, 3>5, 5>4"
#define TWO_THIRDS "0.66666666666666663"
#define HUB "0.6071428571428571"
#define THIRD "0.33333333333333331"

static void
examples(void)
{
	is_text(measured(STAR, false), "0: 0 - 0; 1: 0 - 0; 2: 0 - 0; 3: 0 0 0", "a star: its hub is on no way, no client knows two");
	is_text(measured(CYCLE, false), "0: 0.5 " TWO_THIRDS " 0; 1: 0 1 0; 2: 0.5 " TWO_THIRDS " 0; 3: 0.5 1 0", "a cycle with a chord");
	is_text(measured(BRIDGE, false), "0: 0 1 0; 1: 0 1 0; 2: 0.29999999999999999 " THIRD " 0; 3: 0.29999999999999999 " THIRD " 3; 4: 0 1 3; 5: 0 1 3", "two triangles and a bridge");
	is_text(measured("0>1 x3, 2>3 x5", false), "0: 0 - 0; 1: 0 - 0; 2: 0 - 2; 3: 0 - 2", "two pairs are two communities");
	is_text(measured("0>0, 1>1, 2>2", false), "0: 0 - 0; 1: 0 - 1; 2: 0 - 2", "hosts that talk to themselves alone are communities of one");
	is_text(measured("0>1, 2>2", false), "0: 0 - 0; 1: 0 - 0; 2: 0 - 2", "one of them beside a pair");
	is_text(measured("0>1", false), "0: - - 0; 1: - - 0", "betweenness of two nodes is not defined");
	is_text(measured("0>0", false), "0: - - 0", "nor of one");
	/* 0>1>2>3>4: ways through 1: 0-2, 0-3, 0-4; through 2: 0-3, 0-4, 1-3, 1-4; of 12 pairs */
	is_text(measured("0>1 x2, 1>2 x2, 2>3, 3>4 x2", false), "0: 0 - 0; 1: 0.25 0 0; 2: " THIRD " 0 0; 3: 0.25 0 3; 4: 0 - 3", "a chain");
	/* 17 of 28 ordered pairs pass through 0 */
	is_text(measured("0>1 x4, 1>2 x4, 2>0 x4, 3>4 x4, 4>5 x4, 5>3 x4, 6>7 x4, 7>8 x4, 8>6 x4, 0>3, 3>6, 6>0", false),
			"0: " HUB " " THIRD " 0; 1: 0.125 1 0; 2: 0.125 1 0; 3: " HUB " " THIRD " 3; 4: 0.125 1 3; 5: 0.125 1 3; 6: " HUB " " THIRD " 6; 7: 0.125 1 6; 8: 0.125 1 6", "a ring of three triangles");
}

static void
order(void)
{
	static const char *const text[] = {STAR, CYCLE, BRIDGE, "0>1 x3, 2>3 x5", "0>1 x2, 1>2 x2, 2>3, 3>4 x2"};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++)
	{
		char		forward[10000];

		snprintf(forward, sizeof(forward), "%s", measured(text[i], false));
		is_text(measured(text[i], true), forward, "flows from the back");
		is_text(measured(text[i], false), forward, "and again");
	}
}

/* A pseudo-random graph, in one of two orders; large enough that the generator's state shows. */
static jj_connection *
random_graph(bool reversed, uint32_t nodes, uint32_t flows)
{
	jj_connection_options o;
	jj_connection *c;
	uint8_t		src[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
	uint8_t		dst[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};

	jj_connection_options_default(&o);
	c = open_graph(&o);
	for (uint32_t k = 0; k < flows; k++)
	{
		uint32_t	i = reversed ? flows - 1 - k : k;
		uint64_t	h = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		jj_connection_flow f = flow_of(0, 1);

		h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
		h ^= h >> 32;
		src[14] = (uint8_t) (h % nodes >> 8);
		src[15] = (uint8_t) (h % nodes);
		h >>= 20;
		dst[14] = (uint8_t) (h % nodes >> 8);
		dst[15] = (uint8_t) (h % nodes);
		f.src = src;
		f.dst = dst;
		jj_connection_add(c, &f);
	}
	jj_connection_finish(c, true);
	return c;
}

static void
random_order(void)
{
	jj_connection *c[2];
	jj_graph_measures m[2];
	bool		good = true;
	uint32_t	n;

	for (int i = 0; i < 2; i++)
	{
		jj_error	err;

		c[i] = random_graph(i == 1, 300, 700);
		jj_connection_measures(c[i], true, true, true, &m[i]);
		good = good && jj_graph_measure(jj_connection_graph(c[i]), &m[i], &err) == JJ_OK;
		jj_connection_measured(c[i], true);
	}
	n = jj_connection_nodes(c[0]);
	ok(good && n > 250 && n == jj_connection_nodes(c[1]), "a random graph in two orders");
	ok(memcmp(m[0].betweenness, m[1].betweenness, sizeof(double) * n) == 0, "betweenness is the same bit for bit");
	ok(memcmp(m[0].community, m[1].community, sizeof(uint32_t) * n) == 0, "and so are communities");
	for (uint32_t i = 0; i < n; i++)
		good = good && ((isnan(m[0].clustering[i]) && isnan(m[1].clustering[i])) || m[0].clustering[i] == m[1].clustering[i]);
	ok(good, "and clustering");
	for (uint32_t i = 0; i < n; i++)
		good = good && m[0].betweenness[i] >= 0 && m[0].betweenness[i] <= 1 && m[0].community[i] <= i && m[0].community[m[0].community[i]] == m[0].community[i];
	ok(good, "labels are the smallest numbers of their communities, betweenness is in 0 to 1");
	jj_connection_close(c[0]);
	jj_connection_close(c[1]);
}


static bool
stop_after(void *arg)
{
	return (*(int *) arg)-- <= 0;
}

static void
stopping(void)
{
	jj_connection *c = random_graph(false, 300, 700);
	jj_graph_measures m;
	jj_error	err = {0};
	int			rounds;
	int			calls = 1000000;

	jj_connection_measures(c, true, true, true, &m);
	m.stop = stop_after;
	m.stop_arg = &calls;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_OK, "asked to go on, it does");
	calls = 1000000 - calls;
	ok(calls > 300, "and asks once for each node, at least");
	for (int i = 0; i < calls; i += 1 + calls / 50)
	{
		rounds = i;
		m.stop_arg = &rounds;
		if (jj_graph_measure(jj_connection_graph(c), &m, &err) != JJ_ERR_STOPPED)
		{
			ok(false, "stopped at call %d: %s", i, err.message);
			break;
		}
	}
	is_text(err.message, "stopped", "stopped at any of them, nothing leaks");
	m.stop = NULL;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_OK, "and the next call is as good as ever");
	m.max_rounds = 2;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_ERR_LIMIT, "Louvain ends after so many rounds");
	m.max_rounds = 1000;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_OK, "if it needs more");
	jj_connection_close(c);
}

/* In the middle of a measure: what igraph calls when it finds a mistake, when memory is out, or when it can't go on. */
static bool
fail_with(void *arg)
{
	int			code = *(int *) arg;

	if (code == 0)
		igraph_fatal("made up", __FILE__, __LINE__);
	igraph_error("made up", __FILE__, __LINE__, code);
	return false;
}

static void
errors(void)
{
	jj_connection *c = random_graph(false, 300, 700);
	jj_graph_measures m;
	jj_error	err = {0};
	int			code = IGRAPH_EINVAL;

	jj_connection_measures(c, true, true, true, &m);
	m.stop = fail_with;
	m.stop_arg = &code;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_ERR_LIBRARY, "an error in igraph comes back as one");
	is_text(err.message, "igraph: made up (Invalid value)", "in its words");
	ok(jj_graph_measure(jj_connection_graph(c), &m, NULL) == JJ_ERR_LIBRARY, "also without room for them");
	code = IGRAPH_ENOMEM;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_ERR_NOMEM, "without memory, too");
	is_text(measured(CYCLE, false), "0: 0.5 " TWO_THIRDS " 0; 1: 0 1 0; 2: 0.5 " TWO_THIRDS " 0; 3: 0.5 1 0", "the next call is as good as ever");

	/* what igraph holds is lost */
	__lsan_disable();
	code = 0;
	ok(jj_graph_measure(jj_connection_graph(c), &m, &err) == JJ_ERR_LIBRARY, "where igraph would end the program there is an error");
	is_text(err.message, "igraph: made up", "in its words");
	__lsan_enable();
	is_text(measured(CYCLE, false), "igraph failed before in this process", "it isn't used again");
	jj_connection_close(c);
}

int
main(void)
{
	examples();
	order();
	random_order();
	stopping();
	errors();
	return done_testing();
}

#endif
