/*
 * The graph module: finding and loading it, having a graph measured, and what
 * is left out for a limit.
 */
#include "pg/graph.h"

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

jj_measures
jj_measures_of(const jj_feature_set *features)
{
	jj_measures m;

	m.betweenness = jj_set_has(features, JJ_F_conn_src_betweenness) || jj_set_has(features, JJ_F_conn_dst_betweenness);
	m.clustering = jj_set_has(features, JJ_F_conn_src_clustering) || jj_set_has(features, JJ_F_conn_dst_clustering);
	m.community = jj_set_has(features, JJ_F_conn_src_community) || jj_set_has(features, JJ_F_conn_dst_community)
		|| jj_set_has(features, JJ_F_conn_same_community);
	return m;
}

/* The module is beside this library. */
static char *
module_path(void)
{
	Dl_info		info;
	const char *slash;

	if (dladdr((void *) module_path, &info) == 0 || (slash = strrchr(info.dli_fname, '/')) == NULL)
		return psprintf("$libdir/%s%s", JJ_GRAPH_MODULE, DLSUFFIX);
	return psprintf("%.*s/%s%s", (int) (slash - info.dli_fname), info.dli_fname, JJ_GRAPH_MODULE, DLSUFFIX);
}

bool
jj_graph_installed(void)
{
	char	   *path = module_path();

	return path[0] != '/' || access(path, F_OK) == 0;
}

static jj_graph_measure_function
load_module(void)
{
	static jj_graph_measure_function function = NULL;
	char	   *path;
	sigset_t	all;
	sigset_t	before;

	if (function != NULL)
		return function;
	path = module_path();

	/*
	 * Among the libraries that igraph needs there may be one that begins
	 * threads when it is loaded. None of them is used here, and no signal of
	 * the server must go to one.
	 */
	(void) setenv("OPENBLAS_NUM_THREADS", "1", 0);
	sigfillset(&all);
	(void) sigprocmask(SIG_SETMASK, &all, &before);
	PG_TRY();
	{
		function = (jj_graph_measure_function) load_external_function(path, JJ_GRAPH_FUNCTION, true, NULL);
	}
	PG_FINALLY();
	{
		(void) sigprocmask(SIG_SETMASK, &before, NULL);
	}
	PG_END_TRY();
	return function;
}

/* The measures that columns need, none without the module. */
static jj_measures
measures_to_take(const jj_feature_set *features)
{
	const jj_measures none = {false, false, false};

	return jj_graph_installed() ? jj_measures_of(features) : none;
}

void
jj_graph_load(const jj_feature_set *features, bool loud)
{
	const jj_measures needed = jj_measures_of(features);

	if (!needed.betweenness && !needed.clustering && !needed.community)
		return;
	if (jj_graph_installed())
		(void) load_module();
	else if (loud)
		ereport(WARNING,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the betweenness, clustering and community columns are NULL: the graph module is not installed"),
				 errdetail("There is no file \"%s\".", module_path()),
				 errhint("Install igraph 0.10 or 1 (libigraph-dev) and run make install again, or leave these columns out: option \"features\" or setting \"joyfuljay.features\" = '-connection'.")));
}

/* An error that came up while igraph was working, to be raised when it has returned. */
typedef struct interruption
{
	ErrorData  *error;
	MemoryContext context;
} interruption;

static bool
check_interrupts(void *arg)
{
	interruption *i = arg;

	if (!INTERRUPTS_PENDING_CONDITION())
		return false;
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(i->context);
		i->error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return i->error != NULL;
}

/* Rounds over all nodes that Louvain may make; graphs of traffic take some dozens. */
#define MAX_ROUNDS 1000

/* Have measures taken; false if there were too many rounds. */
static bool
call_module(const jj_connection *c, jj_graph_measures *m)
{
	jj_error	error = {0};
	interruption pending = {.context = CurrentMemoryContext};
	jj_code		code;

	m->stop = check_interrupts;
	m->stop_arg = &pending;
	m->max_rounds = MAX_ROUNDS;
	code = load_module() (jj_connection_graph(c), m, &error);
	if (pending.error != NULL)
		ReThrowError(pending.error);
	if (code != JJ_OK && code != JJ_ERR_LIMIT)
		jj_raise(&error, NULL);
	return code == JJ_OK;
}

static void
measure(jj_connection *c, const jj_measures *needed, const char *what, bool loud)
{
	jj_graph_measures m;
	jj_graph_measures communities = {0};
	bool		found = true;

	if (!jj_connection_measures(c, needed->betweenness, needed->clustering, needed->community, &m))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	communities.community = m.community;
	m.community = NULL;
	if (m.betweenness != NULL || m.clustering != NULL)
		(void) call_module(c, &m);
	if (communities.community != NULL)
		found = call_module(c, &communities);
	if (!found && loud)
		ereport(WARNING,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the community columns of the connection graph %s are NULL: Louvain came to no end in %d rounds", what, MAX_ROUNDS)));
	jj_connection_measured(c, found);
}

static void
warn(const char *columns, const char *what, const char *reason, const char *option)
{
	ereport(WARNING,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("%s of the connection graph %s are NULL: %s", columns, what, reason),
			 errhint("Option \"%s\" sets the limit.", option)));
}

/* Say what is NULL for a limit. */
static void
warn_limits(const jj_connection *c, const jj_connection_options *o, const jj_feature_set *features, const char *what)
{
	const jj_measures needed = jj_measures_of(features);

	switch (jj_connection_exceeded(c))
	{
		case JJ_EXCESS_NODES:
			warn("the columns", what, psprintf("it has more than %u nodes", o->max_nodes), "connection_max_nodes");
			return;
		case JJ_EXCESS_EDGES:
			warn("the columns", what, psprintf("it has more than %u edges", o->max_edges), "connection_max_edges");
			return;
		case JJ_EXCESS_NONE:
			break;
	}
	if (jj_connection_ports_exceeded(c)
		&& (jj_set_has(features, JJ_F_conn_src_port_flows) || jj_set_has(features, JJ_F_conn_src_unique_ports)))
		warn("the counts of ports", what, psprintf("there are more than %u combinations of initiator, protocol and port", o->max_edges), "connection_max_edges");
	if (needed.betweenness && jj_connection_betweenness_exceeded(c))
		warn("the betweenness columns", what,
			 psprintf("%u nodes times %u edges are more than " UINT64_FORMAT, jj_connection_nodes(c), jj_connection_edges(c), (uint64) o->max_betweenness),
			 "connection_max_betweenness");
}

void
jj_graph_finish(jj_connection *c, const jj_connection_options *o, const jj_feature_set *features, const char *what, bool loud)
{
	const jj_measures needed = measures_to_take(features);
	const bool	any = needed.betweenness || needed.clustering || needed.community;

	if (!jj_connection_finish(c, any))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	if (loud)
		warn_limits(c, o, features, what);
	if (any && jj_connection_exceeded(c) == JJ_EXCESS_NONE)
		measure(c, &needed, what, loud);
}
