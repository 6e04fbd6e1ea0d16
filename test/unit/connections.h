/*
 * Graphs written as text, for the tests of the connection graph: "0>3 x2, 1>3"
 * is two flows from 10.0.0.1 to 10.0.0.4 and one from 10.0.0.2 to it.
 */
#ifndef JJ_CONNECTIONS_H
#define JJ_CONNECTIONS_H

#include "analysis/connection.h"
#include "row_text.h"

#include <stdlib.h>

static inline const uint8_t *
address_of(int node)
{
	static uint8_t a[64][16];

	memset(a[node], 0, 16);
	a[node][10] = a[node][11] = 0xff;
	a[node][12] = 10;
	a[node][15] = (uint8_t) (node + 1);
	return a[node];
}

/* A TCP flow of 3 packets of 300 bytes forward, 2 of 80 backward, to port 80. */
static inline jj_connection_flow
flow_of(int from, int to)
{
	jj_connection_flow f = {
		.src = address_of(from), .dst = address_of(to), .src_port = 1000, .dst_port = 80, .protocol = 6,
		.packets = {3, 2}, .bytes = {300, 80}
	};

	return f;
}

/* Add the flows of a text, from the back if reversed; false without memory. */
static inline bool
add_text(jj_connection *c, const char *text, bool reversed)
{
	int			from[64];
	int			to[64];
	int			n = 0;

	for (const char *p = text; *p != '\0'; p += strspn(p, ", "))
	{
		int			times = 1;
		int			used = 0;
		int			a = 0;
		int			b = 0;

		sscanf(p, "%d>%d%n", &a, &b, &used);
		p += used;
		if (*p == ' ' && p[1] == 'x')
		{
			sscanf(p, " x%d%n", &times, &used);
			p += used;
		}
		while (times-- > 0 && n < 64)
		{
			from[n] = a;
			to[n++] = b;
		}
	}
	for (int i = 0; i < n; i++)
	{
		int			k = reversed ? n - 1 - i : i;
		jj_connection_flow f = flow_of(from[k], to[k]);

		if (!jj_connection_add(c, &f))
			return false;
	}
	return true;
}

/* The 20 columns of a flow as text, NULL as "-". */
static inline const char *
columns_of(const jj_connection *c, const jj_connection_flow *f)
{
	static const jj_feature columns[] = {
		JJ_F_conn_src_unique_dsts, JJ_F_conn_dst_unique_srcs, JJ_F_conn_src_dst_flows, JJ_F_conn_src_port_flows,
		JJ_F_conn_src_total_flows, JJ_F_conn_dst_total_flows, JJ_F_conn_src_total_packets, JJ_F_conn_src_total_bytes,
		JJ_F_conn_dst_total_packets, JJ_F_conn_dst_total_bytes, JJ_F_conn_src_unique_ports, JJ_F_conn_src_out_degree,
		JJ_F_conn_dst_in_degree, JJ_F_conn_src_betweenness, JJ_F_conn_dst_betweenness, JJ_F_conn_src_community,
		JJ_F_conn_dst_community, JJ_F_conn_same_community, JJ_F_conn_src_clustering, JJ_F_conn_dst_clustering
	};
	static char text[1000];
	jj_allocator a = jj_malloc_allocator();
	char	   *to = text;

	jj_set_all(&all);
	jj_row_init(&row, &all, &a);
	if (!jj_connection_emit(c, f, &row))
		to += sprintf(to, "not there:");
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
	{
		const char *space = i > 0 ? " " : "";

		if (!jj_row_has(&row, columns[i]))
			to += sprintf(to, "%s-", space);
		else if (jj_feature_table[columns[i]].type == JJ_FLOAT8)
			to += sprintf(to, "%s%.4g", space, row.value[columns[i]].d);
		else
			to += sprintf(to, "%s%" PRId64, space, row.value[columns[i]].i);
	}
	return text;
}

/* A graph of defaults, never NULL. */
static inline jj_connection *
open_graph(const jj_connection_options *o)
{
	jj_allocator a = jj_malloc_allocator();
	jj_connection *c = jj_connection_open(o, 1, &a);

	if (c == NULL)
		abort();
	return c;
}

/* Betweenness, clustering and community of each node. */
static inline const char *
measures_text(const jj_connection *c)
{
	static char text[10000];
	char	   *to = text;

	*to = '\0';
	for (uint32_t i = 0; i < jj_connection_nodes(c); i++)
	{
		jj_connection_node n;

		jj_connection_node_get(c, i, &n);
		to += sprintf(to, "%s%u:", i > 0 ? "; " : "", i);
		to += isnan(n.betweenness) ? sprintf(to, " -") : sprintf(to, " %.17g", n.betweenness);
		to += isnan(n.clustering) ? sprintf(to, " -") : sprintf(to, " %.17g", n.clustering);
		to += sprintf(to, " %" PRId64, n.community);
	}
	return text;
}

#endif
