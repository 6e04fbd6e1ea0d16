/*
 * A directed graph with its undirected weighted companion, and what is
 * measured on them: all that passes between the engine and the module that has
 * igraph (src/analysis/igraph).
 */
#ifndef JJ_GRAPH_H
#define JJ_GRAPH_H

#include "features/base.h"

/*
 * Nodes are numbers from 0. An edge is its two nodes in one number, the first
 * one in the upper half; edges ascend and none comes twice.
 */
typedef struct jj_graph
{
	uint32_t	nodes;
	uint32_t	edges;			/* directed, loops among them: from << 32 | to */
	const uint64_t *edge;
	uint32_t	links;			/* undirected, no loops: smaller << 32 | larger */
	const uint64_t *link;
	const uint64_t *weight;		/* of each link, > 0 */
} jj_graph;

static inline uint32_t
jj_edge_from(uint64_t edge)
{
	return (uint32_t) (edge >> 32);
}

static inline uint32_t
jj_edge_to(uint64_t edge)
{
	return (uint32_t) edge;
}

/* What to measure: room for one value a node, NULL if it isn't wanted. */
typedef struct jj_graph_measures
{
	double	   *betweenness;	/* sum over the pairs of other nodes, of the directed graph, each edge of length 1; not divided */
	double	   *clustering;		/* local clustering coefficient on the links; NaN with fewer than 2 neighbours */
	uint32_t   *community;		/* number of the node's community, by Louvain on the weighted links */
	uint32_t	max_rounds;		/* over all nodes, that Louvain may make; 0 = no limit. igraph 0.10 does not always come to an end */
	bool		(*stop) (void *arg);	/* asked often: whether to give up; NULL = never */
	void	   *stop_arg;
} jj_graph_measures;

/*
 * jj_graph_measure of the module. Not for two threads at once. JJ_ERR_STOPPED
 * if stop said so, JJ_ERR_LIMIT after max_rounds, JJ_ERR_NOMEM, or JJ_ERR_LIBRARY with igraph's message;
 * the values are undefined then.
 */
typedef jj_code (*jj_graph_measure_function) (const jj_graph *g, const jj_graph_measures *m, jj_error *err);

#define JJ_GRAPH_MODULE "joyfuljay_graph"	/* file name without suffix */
#define JJ_GRAPH_FUNCTION "jj_graph_measure"

#endif
