/*
 * The connection graph of a capture: which addresses talk to which over all of
 * its flows, and how much. From it come the columns conn_*.
 *
 *     jj_connection_add for each flow, jj_connection_finish, measures,
 *     then jj_connection_emit for any flow of the same
 *
 * A node is an address, or with use_ports an address and a port; nodes are
 * numbered from 0 in ascending order of the address's 16 bytes, then the port,
 * those without port first. Counts always go by address.
 */
#ifndef JJ_CONNECTION_H
#define JJ_CONNECTION_H

#include "analysis/graph.h"
#include "features/row.h"

#define JJ_CONNECTION_MAX 1000000000	/* largest limit of nodes or edges */

typedef struct jj_connection_options
{
	bool		use_ports;
	uint32_t	max_nodes;		/* above one of these two the graph is given up */
	uint32_t	max_edges;
	uint64_t	max_betweenness;	/* most nodes times edges for which betweenness is computed */
} jj_connection_options;

extern void jj_connection_options_default(jj_connection_options *o);

/* A flow, as far as the graph needs it. [0] is the direction of the initiator. */
typedef struct jj_connection_flow
{
	const uint8_t *src;			/* 16 bytes, IPv4 as ::ffff:a.b.c.d; the initiator */
	const uint8_t *dst;
	int32_t		src_port;		/* -1 = none */
	int32_t		dst_port;
	uint8_t		protocol;
	uint64_t	packets[2];
	uint64_t	bytes[2];
} jj_connection_flow;

/* Which limit was exceeded. */
typedef enum jj_connection_excess
{
	JJ_EXCESS_NONE,
	JJ_EXCESS_NODES,			/* the graph is given up and its memory released: all columns are NULL */
	JJ_EXCESS_EDGES
} jj_connection_excess;

typedef struct jj_connection jj_connection;

/* An empty graph, NULL without memory; seed is of the hash tables and has no influence on any result. */
extern jj_connection *jj_connection_open(const jj_connection_options *o, uint64_t seed, const jj_allocator *a);
extern void jj_connection_close(jj_connection *c);	/* NULL is ignored */

/* Add a flow; false without memory. Does nothing once the graph is given up. */
extern bool jj_connection_add(jj_connection *c, const jj_connection_flow *f);

extern jj_connection_excess jj_connection_exceeded(const jj_connection *c);

/*
 * Whether there are more combinations of initiator address, protocol and
 * responder port than max_edges: then those two columns are NULL.
 */
extern bool jj_connection_ports_exceeded(const jj_connection *c);

/*
 * No more flows: number the nodes. False without memory. With measures the
 * graph is made ready for jj_connection_graph. Of a graph given up nothing happens.
 */
extern bool jj_connection_finish(jj_connection *c, bool measures);

/* The graph, until jj_connection_measured; after jj_connection_finish with measures. */
extern const jj_graph *jj_connection_graph(const jj_connection *c);

/* Whether nodes times edges are more than max_betweenness. */
extern bool jj_connection_betweenness_exceeded(const jj_connection *c);

/*
 * Room for the wanted measures in *m, to be filled; what is not defined for
 * this graph, or above its limit, is not asked for. False without memory.
 */
extern bool jj_connection_measures(jj_connection *c, bool betweenness, bool clustering, bool community, jj_graph_measures *m);

/* The measures are there, but for communities if they could not be found: finish them (division, labels) and release the graph. */
extern void jj_connection_measured(jj_connection *c, bool communities);

/* Set the wanted columns conn_* of a flow that was added; false if its addresses or the pair of them are not in the graph. */
extern bool jj_connection_emit(const jj_connection *c, const jj_connection_flow *f, jj_row *row);

/* Numbers of a finished graph. */
extern uint32_t jj_connection_nodes(const jj_connection *c);
extern uint32_t jj_connection_edges(const jj_connection *c);
extern uint64_t jj_connection_flows(const jj_connection *c);

/* A node of a finished graph, by its number. */
typedef struct jj_connection_node
{
	const uint8_t *address;		/* 16 bytes */
	int32_t		port;			/* -1 = none */
	uint32_t	out_degree;
	uint32_t	in_degree;
	uint64_t	flows_out;		/* flows it is the initiator of */
	uint64_t	flows_in;
	uint64_t	packets_sent;
	uint64_t	packets_received;
	uint64_t	bytes_sent;
	uint64_t	bytes_received;
	double		betweenness;	/* NaN: not computed or not defined */
	double		clustering;
	int64_t		community;		/* smallest node number in it; -1: not computed */
} jj_connection_node;

extern void jj_connection_node_get(const jj_connection *c, uint32_t number, jj_connection_node *node);

/*
 * The graphs of the captures that an engine reads (jj_options.connections), of
 * the sources first to first + n - 1 by their number in the engine. With
 * collect, flows that end are added to the graph of the source they began in;
 * without, they get their columns from it.
 */
typedef struct jj_connections
{
	bool		collect;
	uint32_t	first;
	uint32_t	n;
	jj_connection **of;
	uint64_t	missing;		/* flows that should be in their graph and are not */
} jj_connections;

#endif
