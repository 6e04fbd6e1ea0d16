-- Group connection on every capture: each count recomputed from the flows in
-- SQL, what must hold for every graph, and the same values however they are read.
BEGIN;
\ir setup.psql
SELECT * FROM no_plan();
SELECT pg_temp.load_flows();

CREATE TEMP TABLE r ON COMMIT DROP AS SELECT file, ord, (f).* FROM flow;
ALTER TABLE r ADD PRIMARY KEY (file, ord);
SELECT cmp_ok(count(*), '>', 1000::bigint, 'flows') FROM r;
SELECT value <> 'not installed' AS measured FROM jj_status() WHERE name = 'graph module' \gset
SELECT is_empty($$ SELECT file, ord FROM r WHERE conn_src_unique_dsts IS NULL $$, 'every flow is in its graph');

-- ---- counts

SELECT is_empty($$ SELECT file, ord FROM r WHERE conn_src_dst_flows <> (SELECT count(*) FROM r o WHERE o.file = r.file AND o.src_ip = r.src_ip AND o.dst_ip = r.dst_ip) $$, 'conn_src_dst_flows');
CREATE TEMP TABLE sources ON COMMIT DROP AS
	SELECT file, src_ip, count(*) AS flows, count(DISTINCT dst_ip) AS dsts, count(DISTINCT (protocol, dst_port)) FILTER (WHERE dst_port IS NOT NULL) AS ports,
		sum(packets_fwd) AS packets_fwd, sum(bytes_fwd) AS bytes_fwd, sum(packets_bwd) AS packets_bwd, sum(bytes_bwd) AS bytes_bwd
	FROM r GROUP BY file, src_ip;
CREATE TEMP TABLE targets ON COMMIT DROP AS
	SELECT file, dst_ip, count(*) AS flows, count(DISTINCT src_ip) AS srcs,
		sum(packets_fwd) AS packets_fwd, sum(bytes_fwd) AS bytes_fwd, sum(packets_bwd) AS packets_bwd, sum(bytes_bwd) AS bytes_bwd
	FROM r GROUP BY file, dst_ip;
SELECT is_empty($$ SELECT file, ord FROM r JOIN sources s USING (file, src_ip) JOIN targets t USING (file, dst_ip)
	WHERE (conn_src_unique_dsts, conn_src_total_flows, conn_src_unique_ports, conn_src_out_degree, conn_dst_unique_srcs, conn_dst_total_flows, conn_dst_in_degree)
		IS DISTINCT FROM (s.dsts, s.flows, s.ports, s.dsts, t.srcs, t.flows, t.srcs) $$, 'flows, neighbours, ports, degrees');
SELECT is_empty($$ SELECT r.file, ord FROM r JOIN sources s USING (file, src_ip) LEFT JOIN targets t ON t.file = r.file AND t.dst_ip = r.src_ip
	WHERE conn_src_total_packets <> s.packets_fwd + coalesce(t.packets_bwd, 0) OR conn_src_total_bytes <> s.bytes_fwd + coalesce(t.bytes_bwd, 0) $$, 'what the initiator sends in both roles');
SELECT is_empty($$ SELECT r.file, ord FROM r JOIN targets t USING (file, dst_ip) LEFT JOIN sources s ON s.file = r.file AND s.src_ip = r.dst_ip
	WHERE conn_dst_total_packets <> t.packets_fwd + coalesce(s.packets_bwd, 0) OR conn_dst_total_bytes <> t.bytes_fwd + coalesce(s.bytes_bwd, 0) $$, 'what the responder receives in both roles');
SELECT is_empty($$ SELECT file, ord FROM r WHERE conn_src_port_flows IS DISTINCT FROM CASE WHEN dst_port IS NOT NULL THEN
	(SELECT count(*) FROM r o WHERE o.file = r.file AND o.src_ip = r.src_ip AND o.protocol = r.protocol AND o.dst_port = r.dst_port) END $$, 'flows to the port, of any host');

-- ---- measures: what must hold, and values that networkx 2.8.8 gives for the same graphs

\if :measured
SELECT is_empty($$ SELECT file, ord FROM r WHERE conn_src_community IS NULL OR conn_same_community IS NULL $$, 'every flow has communities');
\else
SELECT skip('the graph module is not installed', 4);
\endif
SELECT is_empty($$ SELECT file, ord FROM r WHERE conn_src_betweenness NOT BETWEEN 0 AND 1 OR conn_dst_betweenness NOT BETWEEN 0 AND 1
	OR conn_src_clustering NOT BETWEEN 0 AND 1 OR conn_dst_clustering NOT BETWEEN 0 AND 1 $$, 'ratios');
CREATE TEMP TABLE node ON COMMIT DROP AS
	SELECT DISTINCT file, address, betweenness, clustering, community FROM r, LATERAL (VALUES
		(src_ip, conn_src_betweenness, conn_src_clustering, conn_src_community), (dst_ip, conn_dst_betweenness, conn_dst_clustering, conn_dst_community)) v(address, betweenness, clustering, community);
SELECT is_empty($$ SELECT file, address FROM node GROUP BY 1, 2 HAVING count(*) > 1 $$, 'an address has the same values as initiator and responder');
-- nodes are numbered in the order of the 16 bytes, IPv4 as ::ffff:a.b.c.d
CREATE TEMP TABLE numbered ON COMMIT DROP AS
	SELECT *, row_number() OVER (PARTITION BY file ORDER BY CASE family(address) WHEN 4 THEN inet '::ffff:0:0' + (address - inet '0.0.0.0') ELSE address END) - 1 AS number FROM node;
SELECT is_empty($$ SELECT file, address FROM numbered n WHERE community <> (SELECT min(number) FROM numbered o WHERE o.file = n.file AND o.community = n.community) $$,
	'a label is the smallest number in its community');
SELECT is_empty($$ SELECT file, ord FROM r WHERE conn_same_community <> (conn_src_community = conn_dst_community) $$, 'conn_same_community');
\if :measured
SELECT is_empty($$ SELECT file, ord FROM r WHERE (conn_src_betweenness IS NULL) <> ((SELECT count(*) FROM node n WHERE n.file = r.file) < 3) $$, 'betweenness needs three nodes');
SELECT is_empty($$ SELECT file, address FROM node n WHERE (clustering IS NULL) <> ((SELECT count(DISTINCT CASE WHEN src_ip = address THEN dst_ip ELSE src_ip END)
	FROM r WHERE r.file = n.file AND address IN (src_ip, dst_ip) AND src_ip <> dst_ip) < 2) $$, 'clustering needs two neighbours');
SELECT results_eq($$ SELECT n.file, max(betweenness)::numeric(9, 6), sum(clustering)::numeric(9, 6), count(DISTINCT community) FROM node n JOIN capture c ON c.name = n.file WHERE own
	GROUP BY 1 HAVING max(betweenness) > 0 OR sum(clustering) > 0 ORDER BY n.file COLLATE "C" $$,
	$$ VALUES ('demo.pcapng', 0.004762, 0.000000, 4::bigint), ('dns_local.pcap', 0.166667, 2.333333, 1), ('icmp.pcap', 0.500000, 0.000000, 1), ('icmpv6.pcap', 0.100000, 0.000000, 2) $$,
	'captures whose hosts lie on ways or have neighbours that know each other');
\endif

-- ---- the same however they are read

CREATE FUNCTION pg_temp.digest(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT count(*) || '' '' || coalesce(md5(string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C")), ''-'') FROM (%s) x', query) INTO result;
	RETURN result;
END $$;
SELECT string_agg(name, ', ' ORDER BY position) AS conn FROM jj_features WHERE group_name = 'connection' \gset
CREATE TEMP TABLE paths ON COMMIT DROP AS SELECT array_agg(path ORDER BY path) AS p FROM capture WHERE own AND error IS NULL AND name ~ '^[a-j]';
SELECT set_config('max_parallel_workers_per_gather', '0', true);
SELECT pg_temp.digest(format('SELECT capture, first_frame, %s FROM jj_extract(%L::text[])', :'conn', p)) AS serial FROM paths \gset
SELECT is(:'serial', pg_temp.digest(format('SELECT capture, first_frame, %s FROM r WHERE file ~ ''^[a-j]'' AND file IN (SELECT name FROM capture WHERE own)', :'conn')), 'several files: each has its own graph');
SELECT set_config('max_parallel_workers_per_gather', '3', true), set_config('min_parallel_table_scan_size', '0', true), set_config('parallel_setup_cost', '0', true), set_config('parallel_tuple_cost', '0', true);
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan;
END $$;
SELECT matches(pg_temp.plan(format('SELECT conn_src_community FROM jj_extract(%L)', path)), '"Parallel Aware": true', 'plans are parallel') FROM capture WHERE name = 'demo.pcapng';
SELECT is(pg_temp.digest(format('SELECT capture, first_frame, %s FROM jj_extract(%L::text[])', :'conn', p)), :'serial', 'in parallel, by files') FROM paths;
SELECT is(pg_temp.digest(format('SELECT first_frame, %s FROM jj_extract(%L)', :'conn', path)), pg_temp.digest(format('SELECT first_frame, %s FROM r WHERE file = %L', :'conn', name)),
	'in parallel, one file by shares of its flows: ' || name) FROM capture WHERE name IN ('demo.pcapng', 'many_udp.pcap', 'concurrent.pcap', 'fragments_flood.pcap');

-- ---- stored flows: the same columns from the table, in any order of its rows

CREATE TEMP TABLE stored ON COMMIT DROP AS SELECT * FROM r ORDER BY md5(file || ord);
CREATE FUNCTION pg_temp.from_stored(which text, how text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN pg_temp.digest(format('SELECT first_frame, %s FROM jj_connection_flows(%L)',
		(SELECT string_agg(name, ', ' ORDER BY position) FROM jj_features WHERE group_name = 'connection'), format('SELECT * FROM stored WHERE file = %L ORDER BY %s', which, how)));
END $$;
SELECT is_empty($$ SELECT name FROM capture WHERE error IS NULL AND own AND pg_temp.from_stored(name, 'ord') <> pg_temp.digest(format('SELECT first_frame, %s FROM r WHERE file = %L',
	(SELECT string_agg(name, ', ' ORDER BY position) FROM jj_features WHERE group_name = 'connection'), name)) $$, 'jj_connection_flows gives what jj_extract gave, for each capture');
SELECT is_empty($$ SELECT name FROM capture WHERE error IS NULL AND own AND pg_temp.from_stored(name, 'ord DESC') <> pg_temp.from_stored(name, 'md5(ord::text)') $$, 'whatever the order of the rows');
SELECT is_empty($$ SELECT name, n.address FROM capture CROSS JOIN LATERAL jj_connection_graph(format('SELECT * FROM stored WHERE file = %L', name)) n
	LEFT JOIN numbered o ON o.file = name AND o.address = n.address
	WHERE own AND error IS NULL AND (n.node, n.betweenness, n.clustering, n.community) IS DISTINCT FROM (o.number::int, o.betweenness, o.clustering, o.community) $$, 'jj_connection_graph has the nodes');
SELECT is_empty($$ SELECT name, totals FROM capture, LATERAL (SELECT ARRAY[sum(flows_out), sum(flows_in), sum(packets_sent), sum(packets_received), sum(bytes_sent), sum(bytes_received)] AS totals
		FROM jj_connection_graph(format('SELECT * FROM stored WHERE file = %L', name), options => '{"connection_use_ports": true}')) n
	WHERE own AND error IS NULL AND totals IS DISTINCT FROM (SELECT ARRAY[nullif(count(*), 0), nullif(count(*), 0), sum(total_packets), sum(total_packets), sum(total_bytes), sum(total_bytes)] FROM r WHERE file = name) $$,
	'what is sent is received, and is all there is');
SELECT finish();
ROLLBACK;
