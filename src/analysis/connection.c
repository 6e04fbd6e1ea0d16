/*
 * The connection graph: counting flows, numbering nodes, giving columns.
 */
#include "analysis/connection.h"
#include "analysis/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What finds a node: an address, or an address and a port. */
typedef struct node_key
{
	uint8_t		address[16];
	int32_t		port;			/* -1 = none */
} node_key;

typedef struct node
{
	node_key	key;
	uint32_t	number;
	uint64_t	flows_out;
	uint64_t	flows_in;
	uint64_t	packets_sent;
	uint64_t	packets_received;
	uint64_t	bytes_sent;
	uint64_t	bytes_received;
	uint32_t	out;			/* distinct neighbours */
	uint32_t	in;
	uint32_t	ports;			/* distinct (protocol, responder port) of its flows */
} node;

/* The flows between two entries of a table of nodes. */
typedef struct pair
{
	uint32_t	from;
	uint32_t	to;
	uint64_t	flows;
} pair;

/* The flows of an initiator to a port, wherever. */
typedef struct service
{
	uint32_t	from;
	uint16_t	port;
	uint8_t		protocol;
	uint8_t		zero;
	uint64_t	flows;
} service;

#define PAIR_KEY 8				/* bytes */

struct jj_connection
{
	jj_allocator allocator;
	jj_connection_options options;
	jj_connection_excess excess;
	bool		ports_exceeded;
	uint64_t	flows;
	jj_dense	addresses;		/* node, without ports */
	jj_dense	pairs;			/* pair of addresses */
	jj_dense	services;
	jj_dense	ends;			/* node; only with use_ports */
	jj_dense	edges;			/* pair of ends; the same */

	/* after finish; values by node number, NULL if not computed */
	uint32_t   *order;			/* entry of each node */
	jj_graph	graph;			/* whose arrays are these three */
	uint64_t   *edge;
	uint64_t   *link;
	uint64_t   *weight;
	double	   *betweenness;
	double	   *clustering;
	uint32_t   *community;
};

void
jj_connection_options_default(jj_connection_options *o)
{
	o->use_ports = false;
	o->max_nodes = 1000000;
	o->max_edges = 4000000;
	o->max_betweenness = 1000000000;
}

jj_connection *
jj_connection_open(const jj_connection_options *o, uint64_t seed, const jj_allocator *a)
{
	jj_connection *c = jj_alloc_zero(a, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->allocator = *a;
	c->options = *o;
	jj_dense_init(&c->addresses, sizeof(node_key), sizeof(node), seed, a);
	jj_dense_init(&c->pairs, PAIR_KEY, sizeof(pair), seed, a);
	jj_dense_init(&c->services, PAIR_KEY, sizeof(service), seed, a);
	jj_dense_init(&c->ends, sizeof(node_key), sizeof(node), seed, a);
	jj_dense_init(&c->edges, PAIR_KEY, sizeof(pair), seed, a);
	return c;
}

static void
release_graph(jj_connection *c)
{
	jj_release(&c->allocator, c->edge);
	jj_release(&c->allocator, c->link);
	jj_release(&c->allocator, c->weight);
	c->edge = c->link = c->weight = NULL;
}

static void
release_all(jj_connection *c)
{
	jj_dense_free(&c->addresses);
	jj_dense_free(&c->pairs);
	jj_dense_free(&c->services);
	jj_dense_free(&c->ends);
	jj_dense_free(&c->edges);
	release_graph(c);
	jj_release(&c->allocator, c->order);
	jj_release(&c->allocator, c->betweenness);
	jj_release(&c->allocator, c->clustering);
	jj_release(&c->allocator, c->community);
	c->order = c->community = NULL;
	c->betweenness = c->clustering = NULL;
}

void
jj_connection_close(jj_connection *c)
{
	jj_allocator a;

	if (c == NULL)
		return;
	a = c->allocator;
	release_all(c);
	jj_release(&a, c);
}

/* The tables of nodes and edges. */
static jj_dense *
node_table(jj_connection *c)
{
	return c->options.use_ports ? &c->ends : &c->addresses;
}

static jj_dense *
edge_table(jj_connection *c)
{
	return c->options.use_ports ? &c->edges : &c->pairs;
}

/* ---- adding flows */

static node_key
key_of(const uint8_t *address, int32_t port)
{
	node_key	key;

	memcpy(key.address, address, sizeof(key.address));
	key.port = port;
	return key;
}

static void
count_sent(node *from, node *to, uint64_t packets, uint64_t bytes)
{
	from->packets_sent += packets;
	from->bytes_sent += bytes;
	to->packets_received += packets;
	to->bytes_received += bytes;
}

/* Count a flow between two nodes, which may be one. *from is the initiator's number. False without memory. */
static bool
add_pair(jj_dense *nodes, jj_dense *pairs, const node_key *src, const node_key *dst, const jj_connection_flow *f, uint32_t *from)
{
	pair		key = {0};
	uint32_t	i;
	bool		added;
	node	   *s;
	node	   *d;
	pair	   *p;

	key.from = jj_dense_add(nodes, src, &added);
	key.to = jj_dense_add(nodes, dst, &added);
	if (key.from == JJ_DENSE_NONE || key.to == JJ_DENSE_NONE)
		return false;
	i = jj_dense_add(pairs, &key, &added);
	if (i == JJ_DENSE_NONE)
		return false;
	s = jj_dense_at(nodes, key.from);
	d = jj_dense_at(nodes, key.to);
	p = jj_dense_at(pairs, i);
	p->flows++;
	s->out += added;
	d->in += added;
	s->flows_out++;
	d->flows_in++;
	count_sent(s, d, f->packets[0], f->bytes[0]);
	count_sent(d, s, f->packets[1], f->bytes[1]);
	*from = key.from;
	return true;
}

/* Count a flow of an initiator to the responder's port, which it has. False without memory. */
static bool
add_service(jj_connection *c, uint32_t from, const jj_connection_flow *f)
{
	service		key = {.from = from, .port = (uint16_t) f->dst_port, .protocol = f->protocol};
	bool		added;
	uint32_t	i;

	if (c->ports_exceeded)
		return true;
	i = jj_dense_add(&c->services, &key, &added);
	if (i == JJ_DENSE_NONE)
		return false;
	((service *) jj_dense_at(&c->services, i))->flows++;
	((node *) jj_dense_at(&c->addresses, from))->ports += added;
	if (c->services.count > c->options.max_edges)
	{
		c->ports_exceeded = true;
		jj_dense_free(&c->services);
	}
	return true;
}

bool
jj_connection_add(jj_connection *c, const jj_connection_flow *f)
{
	node_key	src = key_of(f->src, -1);
	node_key	dst = key_of(f->dst, -1);
	uint32_t	from;
	uint32_t	end;

	if (c->excess != JJ_EXCESS_NONE)
		return true;
	if (!add_pair(&c->addresses, &c->pairs, &src, &dst, f, &from))
		return false;
	if (f->dst_port >= 0 && !add_service(c, from, f))
		return false;
	src.port = f->src_port;
	dst.port = f->dst_port;
	if (c->options.use_ports && !add_pair(&c->ends, &c->edges, &src, &dst, f, &end))
		return false;
	c->flows++;
	if (node_table(c)->count > c->options.max_nodes)
		c->excess = JJ_EXCESS_NODES;
	else if (edge_table(c)->count > c->options.max_edges)
		c->excess = JJ_EXCESS_EDGES;
	if (c->excess != JJ_EXCESS_NONE)
		release_all(c);
	return true;
}

jj_connection_excess
jj_connection_exceeded(const jj_connection *c)
{
	return c->excess;
}

bool
jj_connection_ports_exceeded(const jj_connection *c)
{
	return c->ports_exceeded;
}

/* ---- finishing */

static int
compare_nodes(const void *a, const void *b)
{
	const node *x = *(const node *const *) a;
	const node *y = *(const node *const *) b;
	int			order = memcmp(x->key.address, y->key.address, sizeof(x->key.address));

	if (order != 0)
		return order;
	return x->key.port < y->key.port ? -1 : x->key.port > y->key.port;
}

/* Number the nodes in their order; false without memory. */
static bool
number_nodes(jj_connection *c)
{
	const jj_dense *nodes = node_table(c);
	uint32_t	n = nodes->count;
	node	  **sorted = jj_alloc(&c->allocator, sizeof(*sorted) * (n + 1));

	c->order = jj_alloc(&c->allocator, sizeof(*c->order) * (n + 1));
	if (sorted == NULL || c->order == NULL)
	{
		jj_release(&c->allocator, sorted);
		return false;
	}
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = jj_dense_at(nodes, i);
	qsort(sorted, n, sizeof(*sorted), compare_nodes);
	for (uint32_t i = 0; i < n; i++)
	{
		sorted[i]->number = i;
		c->order[i] = (uint32_t) (((const uint8_t *) sorted[i] - nodes->entry) / nodes->width);
	}
	jj_release(&c->allocator, sorted);
	return true;
}

static int
compare_edges(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *) a;
	uint64_t	y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

typedef struct weighted
{
	uint64_t	edge;			/* first, so that compare_edges takes it */
	uint64_t	flows;
} weighted;

/* From the sorted edges, those of both directions one behind the other, the links. */
static void
make_links(jj_connection *c, const weighted *w, uint32_t n)
{
	uint32_t	links = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		if (links > 0 && c->link[links - 1] == w[i].edge)
		{
			c->weight[links - 1] += w[i].flows;
			continue;
		}
		c->link[links] = w[i].edge;
		c->weight[links++] = w[i].flows;
	}
	c->graph.links = links;
}

/* Make the graph of the numbered nodes; false without memory. */
static bool
make_graph(jj_connection *c)
{
	const jj_allocator *a = &c->allocator;
	const jj_dense *nodes = node_table(c);
	const jj_dense *edges = edge_table(c);
	size_t		room = (size_t) edges->count + 1;
	weighted   *both = jj_alloc(a, sizeof(*both) * room);
	uint32_t	n = 0;

	c->edge = jj_alloc(a, sizeof(*c->edge) * room);
	c->link = jj_alloc(a, sizeof(*c->link) * room);
	c->weight = jj_alloc(a, sizeof(*c->weight) * room);
	if (both == NULL || c->edge == NULL || c->link == NULL || c->weight == NULL)
	{
		jj_release(a, both);
		return false;
	}
	for (uint32_t i = 0; i < edges->count; i++)
	{
		const pair *p = jj_dense_at(edges, i);
		uint64_t	from = ((const node *) jj_dense_at(nodes, p->from))->number;
		uint64_t	to = ((const node *) jj_dense_at(nodes, p->to))->number;

		c->edge[i] = from << 32 | to;
		if (from == to)
			continue;
		both[n].edge = from < to ? from << 32 | to : to << 32 | from;
		both[n++].flows = p->flows;
	}
	qsort(c->edge, edges->count, sizeof(*c->edge), compare_edges);
	qsort(both, n, sizeof(*both), compare_edges);
	make_links(c, both, n);
	jj_release(a, both);
	c->graph.nodes = nodes->count;
	c->graph.edges = edges->count;
	c->graph.edge = c->edge;
	c->graph.link = c->link;
	c->graph.weight = c->weight;
	return true;
}

bool
jj_connection_finish(jj_connection *c, bool measures)
{
	if (c->excess != JJ_EXCESS_NONE)
		return true;
	return number_nodes(c) && (!measures || make_graph(c));
}

const jj_graph *
jj_connection_graph(const jj_connection *c)
{
	return &c->graph;
}

/* ---- measures */

bool
jj_connection_betweenness_exceeded(const jj_connection *c)
{
	return (uint64_t) jj_connection_nodes(c) * jj_connection_edges(c) > c->options.max_betweenness;
}

bool
jj_connection_measures(jj_connection *c, bool betweenness, bool clustering, bool community, jj_graph_measures *m)
{
	const jj_allocator *a = &c->allocator;
	size_t		n = c->graph.nodes;

	memset(m, 0, sizeof(*m));
	if (n == 0)
		return true;
	/* of fewer than three nodes it is not defined */
	betweenness = betweenness && n >= 3 && !jj_connection_betweenness_exceeded(c);
	if (betweenness)
		m->betweenness = c->betweenness = jj_alloc(a, sizeof(double) * n);
	if (clustering)
		m->clustering = c->clustering = jj_alloc(a, sizeof(double) * n);
	if (community)
		m->community = c->community = jj_alloc(a, sizeof(uint32_t) * n);
	return !((betweenness && m->betweenness == NULL) || (clustering && m->clustering == NULL) || (community && m->community == NULL));
}

/*
 * The communities' labels: the smallest node number in each. Any numbers below
 * the number of nodes name them before. *room has a place for each node.
 */
static void
label_communities(uint32_t *community, uint32_t n, uint32_t *room)
{
	for (uint32_t i = 0; i < n; i++)
		room[i] = n;
	for (uint32_t i = 0; i < n; i++)
		if (room[community[i]] == n)
			room[community[i]] = i;
	for (uint32_t i = 0; i < n; i++)
		community[i] = room[community[i]];
}

void
jj_connection_measured(jj_connection *c, bool communities)
{
	uint32_t	n = c->graph.nodes;
	double		pairs = ((double) n - 1) * ((double) n - 2);

	for (uint32_t i = 0; c->betweenness != NULL && i < n; i++)
		c->betweenness[i] /= pairs;
	if (!communities)
	{
		jj_release(&c->allocator, c->community);
		c->community = NULL;
	}
	/* the edges are used up: their memory is room for the labels, since each node has an edge */
	if (c->community != NULL)
		label_communities(c->community, n, (uint32_t *) c->edge);
	release_graph(c);
}

/* ---- results */

uint32_t
jj_connection_nodes(const jj_connection *c)
{
	return c->options.use_ports ? c->ends.count : c->addresses.count;
}

uint32_t
jj_connection_edges(const jj_connection *c)
{
	return c->options.use_ports ? c->edges.count : c->pairs.count;
}

uint64_t
jj_connection_flows(const jj_connection *c)
{
	return c->flows;
}

void
jj_connection_node_get(const jj_connection *c, uint32_t number, jj_connection_node *to)
{
	const node *n = jj_dense_at(c->options.use_ports ? &c->ends : &c->addresses, c->order[number]);

	to->address = n->key.address;
	to->port = n->key.port;
	to->out_degree = n->out;
	to->in_degree = n->in;
	to->flows_out = n->flows_out;
	to->flows_in = n->flows_in;
	to->packets_sent = n->packets_sent;
	to->packets_received = n->packets_received;
	to->bytes_sent = n->bytes_sent;
	to->bytes_received = n->bytes_received;
	to->betweenness = c->betweenness != NULL ? c->betweenness[number] : (double) NAN;
	to->clustering = c->clustering != NULL ? c->clustering[number] : (double) NAN;
	to->community = c->community != NULL ? (int64_t) c->community[number] : -1;
}

static const node *
find_node(const jj_dense *nodes, const node_key *key, uint32_t *number)
{
	*number = jj_dense_find(nodes, key);
	return *number == JJ_DENSE_NONE ? NULL : jj_dense_at(nodes, *number);
}

/* The columns that are about flows to a port. */
static void
emit_services(const jj_connection *c, uint32_t src, const jj_connection_flow *f, jj_row *row)
{
	service		key = {.from = src, .port = (uint16_t) f->dst_port, .protocol = f->protocol};
	uint32_t	i;

	if (c->ports_exceeded)
		return;
	jj_row_int(row, JJ_F_conn_src_unique_ports, ((const node *) jj_dense_at(&c->addresses, src))->ports);
	if (f->dst_port < 0)
		return;
	i = jj_dense_find(&c->services, &key);
	if (i != JJ_DENSE_NONE)
		jj_row_int(row, JJ_F_conn_src_port_flows, (int64_t) ((const service *) jj_dense_at(&c->services, i))->flows);
}

/* The columns of a flow's two nodes. A row leaves out what is not finite. */
static void
emit_nodes(const jj_connection *c, const node *s, const node *d, jj_row *row)
{
	jj_row_int(row, JJ_F_conn_src_out_degree, s->out);
	jj_row_int(row, JJ_F_conn_dst_in_degree, d->in);
	if (c->betweenness != NULL)
	{
		jj_row_double(row, JJ_F_conn_src_betweenness, c->betweenness[s->number]);
		jj_row_double(row, JJ_F_conn_dst_betweenness, c->betweenness[d->number]);
	}
	if (c->clustering != NULL)
	{
		jj_row_double(row, JJ_F_conn_src_clustering, c->clustering[s->number]);
		jj_row_double(row, JJ_F_conn_dst_clustering, c->clustering[d->number]);
	}
	if (c->community != NULL)
	{
		jj_row_int(row, JJ_F_conn_src_community, c->community[s->number]);
		jj_row_int(row, JJ_F_conn_dst_community, c->community[d->number]);
		jj_row_int(row, JJ_F_conn_same_community, c->community[s->number] == c->community[d->number]);
	}
}

bool
jj_connection_emit(const jj_connection *c, const jj_connection_flow *f, jj_row *row)
{
	node_key	src = key_of(f->src, -1);
	node_key	dst = key_of(f->dst, -1);
	pair		between = {0};
	uint32_t	i;
	const node *s;
	const node *d;

	if (c->excess != JJ_EXCESS_NONE)
		return true;
	s = find_node(&c->addresses, &src, &between.from);
	d = find_node(&c->addresses, &dst, &between.to);
	if (s == NULL || d == NULL)
		return false;
	i = jj_dense_find(&c->pairs, &between);
	if (i == JJ_DENSE_NONE)
		return false;
	jj_row_int(row, JJ_F_conn_src_unique_dsts, s->out);
	jj_row_int(row, JJ_F_conn_dst_unique_srcs, d->in);
	jj_row_int(row, JJ_F_conn_src_dst_flows, (int64_t) ((const pair *) jj_dense_at(&c->pairs, i))->flows);
	jj_row_int(row, JJ_F_conn_src_total_flows, (int64_t) s->flows_out);
	jj_row_int(row, JJ_F_conn_dst_total_flows, (int64_t) d->flows_in);
	jj_row_int(row, JJ_F_conn_src_total_packets, (int64_t) s->packets_sent);
	jj_row_int(row, JJ_F_conn_src_total_bytes, (int64_t) s->bytes_sent);
	jj_row_int(row, JJ_F_conn_dst_total_packets, (int64_t) d->packets_received);
	jj_row_int(row, JJ_F_conn_dst_total_bytes, (int64_t) d->bytes_received);
	emit_services(c, between.from, f, row);
	if (c->options.use_ports)
	{
		src.port = f->src_port;
		dst.port = f->dst_port;
		s = find_node(&c->ends, &src, &i);
		d = find_node(&c->ends, &dst, &i);
		if (s == NULL || d == NULL)
			return false;
	}
	emit_nodes(c, s, d, row);
	return true;
}
