/*
 * The connection graph: the first of two passes over captures, and the module
 * that has igraph.
 */
#ifndef JJ_PG_GRAPH_H
#define JJ_PG_GRAPH_H

#include "pg/pg.h"

#include "analysis/connection.h"

/* ---- graph.c: the module */

/* Which measures columns need. */
typedef struct jj_measures
{
	bool		betweenness;
	bool		clustering;
	bool		community;
} jj_measures;

/* Whether the module's file is there. */
extern bool jj_graph_installed(void);

extern jj_measures jj_measures_of(const jj_feature_set *features);

/*
 * Load the module if columns of *features need it. If it isn't installed they
 * will be NULL, with loud after a WARNING; an error says why it can't be loaded.
 */
extern void jj_graph_load(const jj_feature_set *features, bool loud);

/*
 * No more flows: number the nodes, and have the needed measures taken. what
 * names the flows in messages ("of capture \"x\""); with loud there is a
 * WARNING for each limit that is exceeded, as far as columns of *features are
 * NULL for it. Can be cancelled.
 */
extern void jj_graph_finish(jj_connection *c, const jj_connection_options *o, const jj_feature_set *features, const char *what, bool loud);

/* ---- first_pass.c */

/* What first passes have done. */
typedef struct jj_first_pass_counts
{
	uint64		packets;		/* records read */
	uint64		flows;			/* in graphs that are not given up */
	uint64		nodes;
	uint64		edges;
} jj_first_pass_counts;

typedef struct jj_first_pass jj_first_pass;

/* Whether any of the columns needs a first pass. */
extern bool jj_first_pass_needed(const jj_feature_set *features);

/*
 * For a call whose columns need one, in its context; the call's filter is open.
 * engine->connections are set, for the engine of the second pass to be opened.
 */
extern jj_first_pass *jj_first_pass_begin(jj_call *call, const jj_call_options *options, jj_options *engine, bool loud);

/* Read the source that is open, the i-th, make its graph, and go back to its beginning. Flows of the sources before must be out. */
extern void jj_first_pass_source(jj_first_pass *p, int i);

/* The same of all sources, none is open, with flows that go on from one to the next. */
extern void jj_first_pass_all(jj_first_pass *p, List *sources);

/* How many records of the i-th source the first pass read: the second takes no more, and fewer are an error. UINT64_MAX: it did not read all. */
extern uint64 jj_first_pass_records(const jj_first_pass *p, int i);

/* Errors, if the second pass over the i-th source took so few records, or had flows that the first had not. */
extern void jj_first_pass_compare(const jj_first_pass *p, int i, uint64 records);
extern void jj_first_pass_check(const jj_first_pass *p);

extern jj_first_pass_counts jj_first_pass_counted(const jj_first_pass *p);

#endif
