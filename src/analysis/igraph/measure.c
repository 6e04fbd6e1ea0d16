/*
 * Measures on graphs, by igraph.
 *
 * This file and module.c make up joyfuljay_graph, a shared library of its own
 * that is loaded only when one of these measures is asked for. igraph is under
 * the GNU General Public License, version 2 or later; so is the library that
 * contains it, as a whole. These two files themselves are under the PostgreSQL
 * License, which is compatible with it.
 *
 * igraph keeps its handlers and its default random generator in global
 * variables, and ends the program on an error unless it is told otherwise:
 * each call sets them, and puts back what was there.
 */
#include "analysis/graph.h"

#include <igraph.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#if IGRAPH_VERSION_MAJOR > 1 || (IGRAPH_VERSION_MAJOR == 0 && IGRAPH_VERSION_MINOR < 10)
#error "igraph 0.10 or 1 is needed"
#endif

#define SEED 42

/* ---- what differs between igraph 0.10 and 1 */

#if IGRAPH_VERSION_MAJOR == 0
typedef igraph_rng_t default_rng;
#define betweenness(graph, to) igraph_betweenness(graph, to, igraph_vss_all(), IGRAPH_DIRECTED, NULL)

static default_rng
get_default_rng(void)
{
	return *igraph_rng_default();
}

static void
set_default_rng(default_rng rng)
{
	igraph_rng_set_default(&rng);
}
#else
typedef igraph_rng_t *default_rng;
#define betweenness(graph, to) igraph_betweenness(graph, NULL, to, igraph_vss_all(), IGRAPH_DIRECTED, false)

static default_rng
get_default_rng(void)
{
	return igraph_rng_default();
}

static void
set_default_rng(default_rng rng)
{
	(void) igraph_rng_set_default(rng);
}
#endif

/* The call that is running; igraph's handlers have no argument for it. */
static struct
{
	jmp_buf		out;
	const jj_graph_measures *measures;
	jj_error	error;
	uint32_t	rounds;			/* that Louvain may still make and one; 0 = no limit, or it isn't running */
	bool		broken;			/* igraph found itself in a state that it can't be in */
}			call;

extern jj_code jj_graph_measure(const jj_graph *g, const jj_graph_measures *m, jj_error *err)
#if defined(__GNUC__)
			__attribute__((visibility("default")))
#endif
;

static void
note(jj_code code, const char *message)
{
	memset(&call.error, 0, sizeof(call.error));
	call.error.code = code;
	snprintf(call.error.message, sizeof(call.error.message), "%s", message);
}

/*
 * Not all of igraph looks at what its functions return, and goes on with
 * memory that is released: an error leaves igraph altogether.
 */
static void
on_error(const char *reason, const char *file, int line, igraph_error_t code)
{
	char		text[JJ_MESSAGE_SIZE];

	(void) file;
	(void) line;
	IGRAPH_FINALLY_FREE();
	if (code == IGRAPH_ENOMEM)
		note(JJ_ERR_NOMEM, "out of memory for the connection graph");
	else
	{
		snprintf(text, sizeof(text), "igraph: %s (%s)", reason, igraph_strerror(code));
		note(JJ_ERR_LIBRARY, text);
	}
	longjmp(call.out, 1);
}

/* What igraph still holds then can't be released. */
static void
on_fatal(const char *reason, const char *file, int line)
{
	char		text[JJ_MESSAGE_SIZE];

	(void) file;
	(void) line;
	call.broken = true;
	snprintf(text, sizeof(text), "igraph: %s", reason);
	note(JJ_ERR_LIBRARY, text);
	longjmp(call.out, 1);
}

static void
on_warning(const char *reason, const char *file, int line)
{
	(void) reason;
	(void) file;
	(void) line;
}

static void
look_for_interruption(void)
{
	const jj_graph_measures *m = call.measures;
	bool		over = call.rounds > 0 && --call.rounds == 0;

	if (!over && (m->stop == NULL || !m->stop(m->stop_arg)))
		return;
	IGRAPH_FINALLY_FREE();
	if (over)
		note(JJ_ERR_LIMIT, "communities were not found within the rounds allowed");
	else
		note(JJ_ERR_STOPPED, "stopped");
	longjmp(call.out, 1);
}

#if IGRAPH_VERSION_MAJOR == 0
static igraph_error_t
on_interruption(void *data)
{
	(void) data;
	look_for_interruption();
	return IGRAPH_SUCCESS;
}
#else
static igraph_bool_t
on_interruption(void)
{
	look_for_interruption();
	return false;
}
#endif

/* ---- measures; errors jump out of these, and igraph releases what is on its stack */

static void
make_graph(igraph_t *to, uint32_t nodes, const uint64_t *edge, uint32_t n, bool directed)
{
	igraph_vector_int_t ends;

	igraph_vector_int_init(&ends, 2 * (igraph_integer_t) n);
	IGRAPH_FINALLY(igraph_vector_int_destroy, &ends);
	for (uint32_t i = 0; i < n; i++)
	{
		VECTOR(ends)[2 * (igraph_integer_t) i] = jj_edge_from(edge[i]);
		VECTOR(ends)[2 * (igraph_integer_t) i + 1] = jj_edge_to(edge[i]);
	}
	igraph_create(to, &ends, nodes, directed);
	igraph_vector_int_destroy(&ends);
	IGRAPH_FINALLY_CLEAN(1);
	IGRAPH_FINALLY(igraph_destroy, to);
}

static void
measure_betweenness(const igraph_t *graph, uint32_t nodes, double *to)
{
	igraph_vector_t result;

	igraph_vector_init(&result, nodes);
	IGRAPH_FINALLY(igraph_vector_destroy, &result);
	betweenness(graph, &result);
	memcpy(to, VECTOR(result), sizeof(double) * nodes);
	igraph_vector_destroy(&result);
	IGRAPH_FINALLY_CLEAN(1);
}

static void
measure_clustering(const igraph_t *graph, uint32_t nodes, double *to)
{
	igraph_vector_t result;

	igraph_vector_init(&result, nodes);
	IGRAPH_FINALLY(igraph_vector_destroy, &result);
	igraph_transitivity_local_undirected(graph, &result, igraph_vss_all(), IGRAPH_TRANSITIVITY_NAN);
	memcpy(to, VECTOR(result), sizeof(double) * nodes);
	igraph_vector_destroy(&result);
	IGRAPH_FINALLY_CLEAN(1);
}

/* Louvain with MT19937, the type named so that another default in a later igraph changes nothing. */
static void
measure_communities(const igraph_t *graph, const jj_graph *g, uint32_t *to)
{
	igraph_vector_t weights;
	igraph_vector_int_t membership;
	igraph_rng_t rng;

	igraph_vector_init(&weights, g->links);
	IGRAPH_FINALLY(igraph_vector_destroy, &weights);
	for (uint32_t i = 0; i < g->links; i++)
		VECTOR(weights)[i] = (double) g->weight[i];
	igraph_vector_int_init(&membership, 0);
	IGRAPH_FINALLY(igraph_vector_int_destroy, &membership);
	memset(&rng, 0, sizeof(rng));
	igraph_rng_init(&rng, &igraph_rngtype_mt19937);
	IGRAPH_FINALLY(igraph_rng_destroy, &rng);
	igraph_rng_seed(&rng, SEED);
	(void) igraph_rng_set_default(&rng);
	/* it asks whether to stop once a round */
	call.rounds = call.measures->max_rounds > 0 ? call.measures->max_rounds + 1 : 0;
	igraph_community_multilevel(graph, &weights, 1.0, &membership, NULL, NULL);
	call.rounds = 0;
	for (uint32_t i = 0; i < g->nodes; i++)
		to[i] = (uint32_t) VECTOR(membership)[i];
	igraph_rng_destroy(&rng);
	igraph_vector_int_destroy(&membership);
	igraph_vector_destroy(&weights);
	IGRAPH_FINALLY_CLEAN(3);
}

static void
measure(const jj_graph *g, const jj_graph_measures *m)
{
	igraph_t	graph;

	if (m->betweenness != NULL)
	{
		make_graph(&graph, g->nodes, g->edge, g->edges, true);
		measure_betweenness(&graph, g->nodes, m->betweenness);
		igraph_destroy(&graph);
		IGRAPH_FINALLY_CLEAN(1);
	}
	if (m->clustering == NULL && m->community == NULL)
		return;
	make_graph(&graph, g->nodes, g->link, g->links, false);
	if (m->clustering != NULL)
		measure_clustering(&graph, g->nodes, m->clustering);
	if (m->community != NULL && g->links > 0)
		measure_communities(&graph, g, m->community);
	/* modularity is not defined without links */
	for (uint32_t i = 0; m->community != NULL && g->links == 0 && i < g->nodes; i++)
		m->community[i] = i;
	igraph_destroy(&graph);
	IGRAPH_FINALLY_CLEAN(1);
}

jj_code
jj_graph_measure(const jj_graph *g, const jj_graph_measures *m, jj_error *err)
{
	igraph_error_handler_t *old_error;
	igraph_fatal_handler_t *old_fatal;
	igraph_warning_handler_t *old_warning;
	igraph_interruption_handler_t *old_interruption;
	default_rng old_rng;

	if (call.broken)
		note(JJ_ERR_LIBRARY, "igraph failed before in this process");
	else
	{
		call.measures = m;
		call.rounds = 0;
		old_error = igraph_set_error_handler(on_error);
		old_fatal = igraph_set_fatal_handler(on_fatal);
		old_warning = igraph_set_warning_handler(on_warning);
		old_interruption = igraph_set_interruption_handler(on_interruption);
		old_rng = get_default_rng();
		if (setjmp(call.out) == 0)
		{
			measure(g, m);
			call.error.code = JJ_OK;
		}
		set_default_rng(old_rng);
		igraph_set_interruption_handler(old_interruption);
		igraph_set_warning_handler(old_warning);
		igraph_set_fatal_handler(old_fatal);
		igraph_set_error_handler(old_error);
	}
	if (err != NULL && call.error.code != JJ_OK)
		*err = call.error;
	return call.error.code;
}
