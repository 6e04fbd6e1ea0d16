/*
 * The connection graph without igraph: counts, numbers of nodes, edges, limits.
 */
#include "connections.h"
#include "failing.h"
#include "traffic.h"

#define BRIDGE "0>1 x2, 1>0, 0>2, 1>2, 2>3, 3>4 x2, 3>5, 5>4"

static jj_connection_options o;

/* Edges or links of the graph, "0>1 0>2" or "0-1*3". */
static const char *
graph_text(const jj_connection *c, bool links)
{
	static char text[4000];
	const jj_graph *g = jj_connection_graph(c);
	char	   *to = text;

	*to = '\0';
	for (uint32_t i = 0; i < (links ? g->links : g->edges); i++)
	{
		uint64_t	e = links ? g->link[i] : g->edge[i];

		to += sprintf(to, "%s%u%c%u", i > 0 ? " " : "", jj_edge_from(e), links ? '-' : '>', jj_edge_to(e));
		if (links)
			to += sprintf(to, "*%" PRIu64, g->weight[i]);
	}
	return text;
}

static void
counts(void)
{
	jj_connection *c = open_graph(&o);
	jj_connection_flow f;

	add_text(c, "0>3 x2, 1>3, 2>3", false);
	jj_connection_finish(c, true);
	is_int(jj_connection_nodes(c), 4, "star: nodes");
	is_int((int64_t) jj_connection_flows(c), 4, "flows");
	is_text(graph_text(c, false), "0>3 1>3 2>3", "edges");
	is_text(graph_text(c, true), "0-3*2 1-3*1 2-3*1", "links");
	f = flow_of(0, 3);
	is_text(columns_of(c, &f), "1 3 2 2 2 4 6 600 12 1200 1 1 3 - - - - - - -", "columns of 0>3: 2 flows of 3 packets and 300 bytes sent, the server receives 4 times that");
	f = flow_of(3, 0);
	is_text(columns_of(c, &f), "not there:- - - - - - - - - - - - - - - - - - - -", "a flow of the other direction is not there");
	f = flow_of(0, 9);
	is_text(columns_of(c, &f), "not there:- - - - - - - - - - - - - - - - - - - -", "nor one to another host");
	jj_connection_close(c);

	c = open_graph(&o);
	add_text(c, BRIDGE, false);
	jj_connection_finish(c, true);
	is_text(graph_text(c, false), "0>1 0>2 1>0 1>2 2>3 3>4 3>5 5>4", "two triangles: edges in order");
	is_text(graph_text(c, true), "0-1*3 0-2*1 1-2*1 2-3*1 3-4*2 3-5*1 4-5*1", "links have the flows of both directions");
	f = flow_of(1, 0);
	/* 0 sends 3 flows' forward and 1 flow's backward packets, and receives the reverse */
	is_text(columns_of(c, &f), "2 1 1 2 2 1 10 760 9 540 1 2 1 - - - - - - -", "both roles of a host count in what it sends and receives");
	jj_connection_close(c);

	c = open_graph(&o);
	add_text(c, "4>4, 4>1", false);
	jj_connection_finish(c, true);
	f = flow_of(4, 4);
	is_text(graph_text(c, false), "1>0 1>1", "a host that talks to itself is an edge");
	is_text(graph_text(c, true), "0-1*1", "and no link");
	is_text(columns_of(c, &f), "2 1 1 2 2 1 8 680 7 460 1 2 1 - - - - - - -", "its packets are sent and received, of both directions");
	jj_connection_close(c);

	c = open_graph(&o);
	jj_connection_finish(c, true);
	is_int(jj_connection_nodes(c), 0, "no flows, no nodes");
	jj_connection_close(c);
}

static void
ports(void)
{
	jj_connection *c = open_graph(&o);
	jj_connection_flow f[6];

	for (int i = 0; i < 6; i++)
		f[i] = flow_of(0, 1);
	f[1].dst_port = 81;
	f[2].protocol = 17;
	f[3].dst = address_of(2);
	f[4].src_port = f[4].dst_port = -1;
	f[4].protocol = 1;
	f[5].src = address_of(3);
	for (int i = 0; i < 6; i++)
		jj_connection_add(c, &f[i]);
	jj_connection_finish(c, false);
	is_text(columns_of(c, &f[0]), "2 2 4 2 5 5 15 1500 15 1500 3 2 2 - - - - - - -", "80/tcp of any host is one port, 81/tcp and 80/udp are others");
	is_text(columns_of(c, &f[2]), "2 2 4 1 5 5 15 1500 15 1500 3 2 2 - - - - - - -", "80/udp");
	is_text(columns_of(c, &f[4]), "2 2 4 - 5 5 15 1500 15 1500 3 2 2 - - - - - - -", "ICMP has no port");
	is_text(columns_of(c, &f[5]), "1 2 1 1 1 5 3 300 15 1500 1 1 2 - - - - - - -", "another host's ports are its own");
	jj_connection_close(c);

	/* with ports in the nodes only degrees and measures change */
	o.use_ports = true;
	c = open_graph(&o);
	f[1].src_port = 1001;
	for (int i = 0; i < 6; i++)
		jj_connection_add(c, &f[i]);
	jj_connection_finish(c, true);
	is_int(jj_connection_nodes(c), 8, "nodes are addresses with ports");
	is_text(graph_text(c, false), "0>3 1>4 1>6 2>5 7>4", "in the order of address and port, without port first");
	is_text(graph_text(c, true), "0-3*1 1-4*2 1-6*1 2-5*1 4-7*1", "both protocols of a port are one node");
	is_text(columns_of(c, &f[0]), "2 2 4 2 5 5 15 1500 15 1500 3 2 2 - - - - - - -", "degrees are those of the nodes");
	is_text(columns_of(c, &f[1]), "2 2 4 1 5 5 15 1500 15 1500 3 1 1 - - - - - - -", "counts those of the addresses");
	{
		jj_connection_node n;

		jj_connection_node_get(c, 4, &n);
		ok(n.port == 80 && n.flows_in == 3 && n.flows_out == 0 && n.packets_received == 9 && n.packets_sent == 6, "a node has the flows of its port");
	}
	jj_connection_close(c);
	o.use_ports = false;
}

/* Results depend neither on the order of flows nor on the seed. */
static void
order(void)
{
	jj_allocator a = jj_malloc_allocator();
	char		first[4000];

	for (int i = 0; i < 4; i++)
	{
		jj_connection *c = jj_connection_open(&o, i < 2 ? 1 : 0x123456789abcdef, &a);
		jj_connection_flow f = flow_of(3, 4);
		char		text[4000];

		add_text(c, BRIDGE, i % 2 == 1);
		jj_connection_finish(c, true);
		snprintf(text, sizeof(text), "%s|", graph_text(c, false));
		strcat(text, graph_text(c, true));
		strcat(text, columns_of(c, &f));
		if (i == 0)
			strcpy(first, text);
		else
			is_text(text, first, i % 2 == 1 ? "flows in the other order" : "another seed");
		jj_connection_close(c);
	}
}

/* What igraph gives becomes columns. */
static void
measures(void)
{
	jj_connection *c = open_graph(&o);
	jj_graph_measures m;
	jj_connection_flow f = flow_of(2, 3);
	double		b[] = {0, 0, 6, 6, 0, 0};
	double		k[] = {1, 1, 0.25, (double) NAN, 1, 1};
	uint32_t	group[] = {5, 5, 5, 0, 0, 0};

	add_text(c, BRIDGE, false);
	jj_connection_finish(c, true);
	ok(jj_connection_measures(c, true, true, true, &m) && m.betweenness != NULL && m.clustering != NULL && m.community != NULL, "all are asked for");
	memcpy(m.betweenness, b, sizeof(b));
	memcpy(m.clustering, k, sizeof(k));
	memcpy(m.community, group, sizeof(group));
	jj_connection_measured(c, true);
	is_text(columns_of(c, &f), "1 1 1 1 1 1 7 460 9 540 1 1 1 0.3 0.3 0 3 0 0.25 -", "betweenness is divided, communities are labelled, NaN is NULL");
	jj_connection_close(c);

	c = open_graph(&o);
	add_text(c, BRIDGE, false);
	jj_connection_finish(c, true);
	jj_connection_measures(c, true, true, true, &m);
	memcpy(m.betweenness, b, sizeof(b));
	memcpy(m.clustering, k, sizeof(k));
	jj_connection_measured(c, false);
	is_text(columns_of(c, &f), "1 1 1 1 1 1 7 460 9 540 1 1 1 0.3 0.3 - - - 0.25 -", "communities may not have been found");
	jj_connection_close(c);

	c = open_graph(&o);
	add_text(c, "0>1", false);
	jj_connection_finish(c, true);
	ok(jj_connection_measures(c, true, false, true, &m) && m.betweenness == NULL && m.clustering == NULL && m.community != NULL, "betweenness needs three nodes");
	m.community[0] = m.community[1] = 1;
	jj_connection_measured(c, true);
	is_text(measures_text(c), "0: - - 0; 1: - - 0", "what isn't asked for is unknown");
	jj_connection_close(c);
}

static void
limits(void)
{
	jj_connection_options strict = o;
	jj_connection *c;
	jj_connection_flow f = flow_of(0, 1);
	jj_graph_measures m;

	strict.max_nodes = 6;
	strict.max_edges = 8;
	strict.max_betweenness = 48;
	c = open_graph(&strict);
	add_text(c, BRIDGE, false);
	jj_connection_finish(c, true);
	ok(jj_connection_exceeded(c) == JJ_EXCESS_NONE && !jj_connection_ports_exceeded(c), "6 nodes and 8 edges are within these limits");
	ok(!jj_connection_betweenness_exceeded(c) && jj_connection_measures(c, true, false, false, &m) && m.betweenness != NULL, "and 48 of the product");
	jj_connection_close(c);

	strict.max_betweenness = 47;
	c = open_graph(&strict);
	add_text(c, BRIDGE, false);
	jj_connection_finish(c, true);
	ok(jj_connection_betweenness_exceeded(c) && jj_connection_measures(c, true, false, true, &m) && m.betweenness == NULL && m.community != NULL, "above 47 only betweenness is left out");
	jj_connection_close(c);

	strict.max_edges = 7;
	c = open_graph(&strict);
	add_text(c, BRIDGE, false);
	ok(jj_connection_exceeded(c) == JJ_EXCESS_EDGES, "8 edges are above 7");
	ok(jj_connection_add(c, &f) && jj_connection_finish(c, true) && jj_connection_nodes(c) == 0, "the graph is given up");
	is_text(columns_of(c, &f), "- - - - - - - - - - - - - - - - - - - -", "and all columns are NULL");
	jj_connection_close(c);

	strict.max_edges = 8;
	strict.max_nodes = 5;
	c = open_graph(&strict);
	add_text(c, BRIDGE, false);
	ok(jj_connection_exceeded(c) == JJ_EXCESS_NODES, "6 nodes are above 5");
	jj_connection_close(c);

	strict = o;
	strict.max_edges = 10;
	c = open_graph(&strict);
	for (f.dst_port = 0; f.dst_port < 11; f.dst_port++)
		jj_connection_add(c, &f);
	f.dst_port = 0;
	jj_connection_finish(c, true);
	ok(jj_connection_exceeded(c) == JJ_EXCESS_NONE && jj_connection_ports_exceeded(c), "11 ports of one pair are above 10");
	is_text(columns_of(c, &f), "1 1 11 - 11 11 33 3300 33 3300 - 1 1 - - - - - - -", "and only what counts ports is NULL");
	jj_connection_close(c);
}

static void
memory(void)
{
	failing		f = {0};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_connection_options with_ports = o;
	uint64_t	calls = 0;
	bool		good = true;

	with_ports.use_ports = true;
	for (uint64_t i = 0; i <= calls; i++)
	{
		jj_connection *c;
		jj_graph_measures m;
		bool		whole = false;

		f = (failing) {.fail_at = i};
		c = jj_connection_open(&with_ports, 1, &a);
		if (c != NULL)
		{
			whole = true;
			for (int k = 0; whole && k < 400; k++)
			{
				jj_connection_flow flow = flow_of(k % 60, (k * 7 + 1) % 64);

				flow.src_port = k;
				flow.dst_port = k;
				whole = jj_connection_add(c, &flow);
			}
			whole = whole && jj_connection_finish(c, true) && jj_connection_measures(c, true, true, true, &m);
		}
		jj_connection_close(c);
		if (i == 0)
			calls = f.calls;
		good = good && f.live == 0 && whole == (i == 0);
	}
	ok(calls > 20 && good, "without memory at any call: no success, no leak");
}

/* Twice through the engine: first the graph, then the columns. */
static const char *
twice(const jj_options *given, uint32_t first_source)
{
	jj_options	eo = *given;
	jj_allocator a = jj_malloc_allocator();
	jj_connection *c = open_graph(&o);
	jj_connections all_of = {.collect = true, .first = first_source, .n = 1, .of = &c};
	jj_error	err;
	static char text[4000];

	memset(&eo.features, 0, sizeof(eo.features));
	jj_set_add_name(&eo.features, "conn_src_dst_flows");
	eo.connections = &all_of;
	text[0] = '\0';
	if (run_with(&eo, NULL, &a, JJ_BATCH, full, &err) == JJ_OK && jj_connection_finish(c, false))
	{
		snprintf(text, sizeof(text), "%" PRIu64 " flows, rows: %.1500s", jj_connection_flows(c), out);
		all_of.collect = false;
		jj_set_add_name(&eo.features, "conn_src_total_bytes");
		jj_set_add_name(&eo.features, "conn_dst_unique_srcs");
		if (run_with(&eo, NULL, &a, JJ_BATCH, full, &err) == JJ_OK)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.1500s%" PRIu64 " missing", out, all_of.missing);
	}
	jj_connection_close(c);
	return text;
}

static void
engine(void)
{
	jj_options	eo = defaults();

	start();
	udp(1, 1000, 2, 53, 10);
	udp(2, 53, 1, 1000, 100);
	udp(1, 1001, 2, 53, 20);
	udp(3, 1000, 2, 53, 30);
	is_text(twice(&eo, 1), "3 flows, rows: \n\n\n"
			"conn_src_total_bytes=86 conn_dst_unique_srcs=2 conn_src_dst_flows=2 \n"
			"conn_src_total_bytes=86 conn_dst_unique_srcs=2 conn_src_dst_flows=2 \n"
			"conn_src_total_bytes=58 conn_dst_unique_srcs=2 conn_src_dst_flows=1 \n0 missing", "flows make the graph, then have its columns");
	is_text(twice(&eo, 2), "0 flows, rows: \n\n\n\n\n\n0 missing", "flows of another source have none");
	ask(JJ_F_conn_src_dst_flows, &eo);
	is_int(got_int, -1000, "without graphs the columns are NULL");
}

int
main(void)
{
	jj_connection_options_default(&o);
	counts();
	ports();
	order();
	measures();
	limits();
	memory();
	engine();
	return done_testing();
}
