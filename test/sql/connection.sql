-- the connection graph of a capture and the columns of group connection
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
SET max_parallel_workers_per_gather = 0;

-- a capture of raw IPv4 packets: '0>3 x2, 1>3' is two UDP flows from 10.0.0.1 to 10.0.0.4 port 53, each from a port of its own, and one from 10.0.0.2
CREATE FUNCTION graph_capture(graph text) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
	SELECT '\xd4c3b2a1020004000000000000000000ffff000065000000'::bytea || string_agg(decode(
			lpad(to_hex(n), 2, '0') || '000000' || '00000000' || '1c000000' || '1c000000'
			|| '4500001c00000000401100000a0000' || lpad(to_hex(a + 1), 2, '0') || '0a0000' || lpad(to_hex(b + 1), 2, '0')
			|| lpad(to_hex(1000 + n), 4, '0') || '003500080000', 'hex'), ''::bytea ORDER BY n)
	FROM (SELECT (row_number() OVER (ORDER BY position, i))::int AS n, e[1]::int AS a, e[2]::int AS b
		FROM regexp_split_to_table(graph, ', *') WITH ORDINALITY AS part(text, position),
			LATERAL regexp_matches(text, '(\d+)>(\d+)(?: x(\d+))?') e, LATERAL generate_series(1, coalesce(e[3], '1')::int) i) x
$$;
\set star '0>3 x2, 1>3, 2>3'
\set cycle '0>1 x3, 0>2, 1>2 x2, 2>3, 3>0'
\set bridge '0>1 x2, 1>0, 0>2, 1>2, 2>3, 3>4 x2, 3>5, 5>4'

-- worked examples, checked with networkx 2.8.8: degrees, betweenness, clustering, communities
\set columns 'DISTINCT src_ip, dst_ip, conn_src_out_degree AS out, conn_dst_in_degree AS "in", conn_src_betweenness AS b_src, conn_dst_betweenness AS b_dst, conn_src_clustering AS c_src, conn_dst_clustering AS c_dst, conn_src_community AS g_src, conn_dst_community AS g_dst, conn_same_community AS same'
SELECT :columns FROM jj_extract(graph_capture(:'star')) ORDER BY 1, 2;
SELECT :columns FROM jj_extract(graph_capture(:'cycle')) ORDER BY 1, 2;
SELECT :columns FROM jj_extract(graph_capture(:'bridge')) ORDER BY 1, 2;
-- the counts
SELECT DISTINCT src_ip, dst_ip, conn_src_unique_dsts AS dsts, conn_dst_unique_srcs AS srcs, conn_src_dst_flows AS pair, conn_src_port_flows AS port, conn_src_total_flows AS src_flows,
	conn_dst_total_flows AS dst_flows, conn_src_total_packets AS sent, conn_src_total_bytes AS sent_bytes, conn_dst_total_packets AS got, conn_dst_total_bytes AS got_bytes, conn_src_unique_ports AS ports
FROM jj_extract(graph_capture(:'bridge')) ORDER BY 1, 2;
-- a host that talks to itself, nodes of a pair, none at all
SELECT :columns FROM jj_extract(graph_capture('0>0, 0>1, 2>2')) ORDER BY 1, 2;
SELECT :columns FROM jj_extract(graph_capture('0>1')) ORDER BY 1, 2;
SELECT count(conn_src_community) FROM jj_extract('jj_captures/empty.pcap');
-- ports as nodes: each client port is one, and 53 of a host one
SELECT :columns FROM jj_extract(graph_capture(:'star'), options => '{"connection_use_ports": true}') ORDER BY 1, 2;
SELECT conn_src_unique_dsts, conn_src_out_degree, conn_dst_unique_srcs, conn_dst_in_degree FROM jj_extract(graph_capture(:'star'), options => '{"connection_use_ports": true}');

-- WHERE, LIMIT and the columns asked for change nothing but what is shown; filter and sampling are part of the question
SELECT src_port, conn_dst_total_flows, conn_dst_unique_srcs FROM jj_extract(graph_capture(:'star')) WHERE src_ip = '10.0.0.3';
SELECT conn_dst_total_flows FROM jj_extract(graph_capture(:'star')) LIMIT 1;
SELECT src_port, conn_dst_total_flows, conn_dst_unique_srcs FROM jj_extract(graph_capture(:'star'), 'src host 10.0.0.3 or src host 10.0.0.2');
SELECT count(*) > 0 AS some, count(*) < 400 AS not_all, bool_and(conn_dst_total_flows = n) AS of_the_sample
FROM (SELECT conn_dst_total_flows, count(*) OVER () AS n FROM jj_extract('jj_captures/many_udp.pcap', options => '{"sampling_rate": 0.3}')) x;
SELECT conn_dst_total_flows FROM jj_extract(graph_capture(:'star'), options => '{"features": "conn_dst_total_flows"}') LIMIT 1;
SELECT count(conn_dst_total_flows) FROM jj_extract(graph_capture(:'star'), options => '{"features": "all, -connection"}');
SELECT count(conn_dst_total_flows), count(conn_src_community), count(tls_sni), count(src_ip) FROM jj_extract(graph_capture(:'star'), options => '{"features": ["-conn_src_community", "-tls"]}');
SELECT (jj).conn_src_dst_flows, (jj).conn_dst_community FROM (SELECT graph_capture(:'star') AS capture) c, LATERAL (SELECT jj FROM jj_extract(c.capture) jj LIMIT 1) x;

-- each file has a graph of its own, also where flows continue in the next: there flows are of the file they begin in
SELECT capture, count(*), sum(conn_src_total_flows), count(DISTINCT conn_src_community) FROM jj_extract(ARRAY['jj_captures/demo.pcapng', 'jj_captures/icmp.pcap', 'jj_captures/demo.pcapng']) GROUP BY 1 ORDER BY 1;
SELECT capture, count(*), min(conn_src_total_packets), max(conn_dst_total_packets), max(conn_src_dst_flows) FROM jj_extract(ARRAY['jj_captures/swap_a.pcap', 'jj_captures/swap_b.pcap']) GROUP BY 1 ORDER BY 1;
SELECT capture, count(*), min(conn_src_total_packets), max(conn_dst_total_packets), max(conn_src_dst_flows) FROM jj_extract(ARRAY['jj_captures/swap_a.pcap', 'jj_captures/swap_b.pcap'], options => '{"continue": true}') GROUP BY 1 ORDER BY 1;
SELECT capture, total_packets, conn_src_total_packets, conn_dst_total_packets, conn_src_total_flows FROM jj_extract(ARRAY['jj_captures/turn_a.pcap', 'jj_captures/turn_b.pcap'], options => '{"continue": true}') ORDER BY capture, first_frame;

-- limits: one warning each, with the limit's name and value
SELECT count(*), count(conn_src_dst_flows) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_nodes": 16}');
SELECT count(*), count(conn_src_dst_flows) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_nodes": 15}');
SELECT count(*), count(conn_src_dst_flows) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_edges": 13}');
SELECT count(*), count(conn_src_dst_flows), count(conn_src_port_flows) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_edges": 12}');
SELECT count(conn_dst_betweenness), count(conn_src_community) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_betweenness": 208}');
SELECT count(conn_dst_betweenness), count(conn_src_community) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_betweenness": 207}');
SELECT count(conn_src_community) FROM jj_extract('jj_captures/demo.pcapng', options => '{"connection_max_betweenness": 0}');
SELECT capture, count(conn_src_dst_flows) FROM jj_extract(ARRAY['jj_captures/demo.pcapng', 'jj_captures/icmp.pcap'], options => '{"connection_max_nodes": 10}') GROUP BY 1 ORDER BY 1;
SET joyfuljay.connection_max_nodes = 3;
SELECT count(conn_src_dst_flows) FROM jj_extract(graph_capture(:'star'));
RESET joyfuljay.connection_max_nodes;
-- many ports of one pair
SELECT count(conn_src_dst_flows), count(conn_src_port_flows), count(conn_src_unique_ports) FROM jj_extract('jj_captures/messages_tcp.pcap', options => '{"connection_max_edges": 20}');
SELECT * FROM jj_extract(graph_capture(:'star'), options => '{"connection_max_nodes": 0}');
SELECT * FROM jj_extract(graph_capture(:'star'), options => '{"connection_max_betweenness": -1}');
SET joyfuljay.connection_max_betweenness = 'much';

-- plans show the second pass
EXPLAIN (COSTS OFF) SELECT conn_src_community FROM jj_extract('jj_captures/demo.pcapng') WHERE dst_port = 53;
EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng');
-- PostgreSQL 18 shows rows with decimals
CREATE FUNCTION pg_temp.analyzed(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		RETURN NEXT regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1');
	END LOOP;
END $$;
SELECT * FROM pg_temp.analyzed($$SELECT conn_src_community FROM jj_extract('jj_captures/demo.pcapng') WHERE dst_port = 53$$);
SELECT count(*) FROM jj_status() WHERE name = 'graph module' AND value <> 'not installed';

-- ---- stored flows

\pset null -
CREATE TABLE regress_flows AS SELECT 7::bigint AS run, * FROM jj_extract(graph_capture(:'bridge'));
SELECT * FROM jj_connection_graph('regress_flows');
SELECT * FROM jj_connection_graph('regress_flows'::regclass, since => '1970-01-01 00:00:03+00', until => '1970-01-01 00:00:05+00');
SELECT node, address, port, out_degree, in_degree FROM jj_connection_graph('public."regress_flows"', options => '{"connection_use_ports": true}') LIMIT 3;
SELECT run, capture, first_frame, start_time, src_ip, dst_ip, src_port, dst_port, protocol, conn_src_dst_flows, conn_dst_betweenness, conn_src_community, conn_same_community FROM jj_connection_flows('regress_flows');
SELECT count(*) FROM jj_connection_flows('regress_flows'::regclass, until => '1970-01-01 00:00:03+00');
-- any query with the columns, here flow records of another kind
SELECT node, address, out_degree, in_degree, betweenness, community, packets_sent, bytes_received FROM jj_connection_graph($$ -- a chain
	WITH netflow(a, b, pkts, octets) AS (VALUES ('10.0.0.1', '10.0.0.2', 5, 500), ('10.0.0.2', '2001:db8::1', 1, 60), ('2001:db8::1', '192.0.2.7/24', 2, 80))
	SELECT a::inet AS src_ip, b::inet AS dst_ip, NULL AS src_port, NULL AS dst_port, 6 AS protocol, pkts AS packets_fwd, 0 AS packets_bwd, octets AS bytes_fwd, 0 AS bytes_bwd FROM netflow; $$);
SELECT run, capture, first_frame, start_time, src_ip, dst_port, protocol, conn_src_port_flows, conn_src_unique_ports, conn_src_out_degree
FROM jj_connection_flows($$ SELECT '::1'::inet AS src_ip, '::2'::inet AS dst_ip, 1 AS src_port, 2 AS dst_port, 17 AS protocol, 1 AS packets_fwd, 0 AS packets_bwd, 9 AS bytes_fwd, 0 AS bytes_bwd $$);
-- its columns are those of the group, in their order
SELECT string_agg(name, ', ' ORDER BY position) = (SELECT string_agg(attname, ', ' ORDER BY n) FROM (SELECT unnest(proargnames) AS attname, generate_subscripts(proargnames, 1) AS n FROM pg_proc
	WHERE oid = 'jj_connection_flows(text, timestamptz, timestamptz, jsonb)'::regprocedure) x WHERE attname LIKE 'conn\_%') FROM jj_features WHERE group_name = 'connection';
-- limits
SELECT count(*) FROM jj_connection_graph('regress_flows', options => '{"connection_max_nodes": 5}');
SELECT count(*), count(conn_src_dst_flows) FROM jj_connection_flows('SELECT * FROM regress_flows', options => '{"connection_max_edges": 7}');
SELECT count(*), count(betweenness), count(community) FROM jj_connection_graph('regress_flows', options => '{"connection_max_betweenness": 47}');
-- back into the table
UPDATE regress_flows f SET conn_dst_betweenness = c.conn_dst_betweenness, conn_dst_community = c.conn_dst_community
FROM jj_connection_flows($$SELECT * FROM regress_flows WHERE dst_ip <> '10.0.0.4'$$) c WHERE (f.run, f.capture, f.first_frame) = (c.run, c.capture, c.first_frame);
SELECT DISTINCT dst_ip, conn_dst_betweenness, conn_dst_community FROM regress_flows ORDER BY 1;
-- errors
SELECT * FROM jj_connection_graph('no_such_table');
SELECT * FROM jj_connection_graph('two words');
SELECT * FROM jj_connection_graph('selection');
SELECT * FROM jj_connection_graph('SELECT 1; SELECT 2');
SELECT * FROM jj_connection_graph('SELECT * FROM regress_flows) q; DROP TABLE regress_flows; SELECT * FROM (SELECT * FROM regress_flows');
SELECT * FROM jj_connection_graph('WITH gone AS (DELETE FROM regress_flows RETURNING *) SELECT * FROM gone');
SELECT * FROM jj_connection_graph('SELECT src_ip, dst_ip FROM regress_flows');
SELECT * FROM jj_connection_graph('pg_class'::regclass);
SELECT * FROM jj_connection_graph(1::oid::regclass);
SELECT * FROM jj_connection_graph('SELECT src_ip, dst_ip, src_port, dst_port, protocol, packets_fwd, packets_bwd, bytes_fwd, bytes_bwd FROM regress_flows', since => 'now');
SELECT * FROM jj_connection_flows('SELECT NULL::inet AS src_ip, dst_ip, src_port, dst_port, protocol, packets_fwd, packets_bwd, bytes_fwd, bytes_bwd FROM regress_flows');
SELECT * FROM jj_connection_flows('SELECT src_ip, dst_ip, src_port, 70000 AS dst_port, protocol, packets_fwd, packets_bwd, bytes_fwd, bytes_bwd FROM regress_flows');
SELECT * FROM jj_connection_flows('SELECT src_ip, dst_ip, src_port, dst_port, 256 AS protocol, packets_fwd, packets_bwd, bytes_fwd, bytes_bwd FROM regress_flows');
SELECT * FROM jj_connection_flows('SELECT src_ip, dst_ip, src_port, dst_port, protocol, -1 AS packets_fwd, packets_bwd, bytes_fwd, bytes_bwd FROM regress_flows');
SELECT * FROM jj_connection_graph('regress_flows', options => '{"flow_timeout": 1}');
SELECT * FROM jj_connection_graph('regress_flows', options => '{"connection_ports": true}');
SELECT * FROM jj_connection_graph('regress_flows', options => '[]');
SELECT * FROM jj_connection_graph(NULL::text);
SELECT * FROM jj_connection_flows('regress_flows', options => NULL);
-- as the caller: its rights, its row security
CREATE ROLE regress_jj_graph;
SET ROLE regress_jj_graph;
SELECT count(*) FROM jj_connection_graph('regress_flows');
SELECT count(*) FROM jj_connection_flows('SELECT * FROM regress_flows');
RESET ROLE;
GRANT SELECT ON regress_flows TO regress_jj_graph;
CREATE POLICY regress_some ON regress_flows FOR SELECT USING (src_ip = '10.0.0.1');
ALTER TABLE regress_flows ENABLE ROW LEVEL SECURITY;
SET ROLE regress_jj_graph;
SELECT address, flows_out FROM jj_connection_graph('regress_flows');
RESET ROLE;
DROP TABLE regress_flows;
DROP ROLE regress_jj_graph;
DROP FUNCTION graph_capture(text);
