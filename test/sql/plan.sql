-- calls in FROM as plans: what EXPLAIN shows, and every way to execute one
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
SET max_parallel_workers_per_gather = 0;

-- columns decide what runs
EXPLAIN (COSTS OFF) SELECT src_ip, total_packets FROM jj_extract('jj_captures/demo.pcapng');
EXPLAIN (COSTS OFF) SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng');
EXPLAIN (COSTS OFF) SELECT iat_mean FROM jj_extract('jj_captures/demo.pcapng') WHERE tcp_syn_count > 0 ORDER BY entropy_ratio;
EXPLAIN (COSTS OFF) SELECT frame FROM jj_packets('jj_captures/demo.pcapng') WHERE dst_port = 53;
-- without what PostgreSQL itself says of any plan
CREATE FUNCTION pg_temp.plan(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	result jsonb;
BEGIN
	EXECUTE 'EXPLAIN (COSTS OFF, FORMAT json) ' || query INTO result;
	RETURN (result->0->'Plan') - '{Parallel Aware,Async Capable,Disabled}'::text[];
END
$$;
SELECT jsonb_pretty(pg_temp.plan($$SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng') WHERE dst_port = 53$$));
EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract('jj_captures/no_such_file.pcap');
EXPLAIN (COSTS OFF) SELECT * FROM jj_extract('jj_captures/demo.pcapng', options => '{"features": "timing,tls"}');
EXPLAIN (COSTS OFF) SELECT src_ip, iat_mean FROM jj_extract('jj_captures/demo.pcapng', options => '{"features": "-timing"}');
EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"feature": "timing"}');

-- what ANALYZE adds, in every format; times only with TIMING
CREATE FUNCTION analyzed(how text, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF, %s) %s', how, query) LOOP
		RETURN QUERY SELECT regexp_replace(trim(x), '\d+\.\d{3} ms', 'N ms', 'g') FROM regexp_split_to_table(line, '\n') x WHERE x ~ 'Packets|Flows|Times|Filter';
	END LOOP;
END $$;
CREATE FUNCTION analyzed_json(how text, query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	found jsonb;
BEGIN
	EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF, FORMAT json, %s) %s', how, query) INTO plan;
	SELECT jsonb_object_agg(key, CASE key WHEN 'Times' THEN (SELECT jsonb_object_agg(key, value >= '0') FROM jsonb_each(value)) ELSE value END) INTO found
	FROM jsonb_each(plan::jsonb #> '{0,Plan}') WHERE key ~ 'Packets|Flows|Times|Columns|Groups';
	RETURN found;
END $$;
SELECT analyzed('TIMING ON', $$ SELECT total_packets FROM jj_extract('jj_captures/non_ip.pcap') WHERE dst_port > 0 $$);
SELECT analyzed('TIMING OFF', $$ SELECT total_packets FROM jj_extract('jj_captures/demo.pcapng') WHERE protocol = 17 AND duration > 0.1 $$);
SELECT analyzed('TIMING ON', $$ SELECT frame FROM jj_packets('jj_captures/non_ip.pcap') $$);
SELECT analyzed('TIMING OFF', $$ SELECT total_packets FROM jj_extract('jj_captures/pcapng_blocks.pcapng') $$);
SELECT analyzed('TIMING OFF', $$ SELECT total_packets FROM jj_extract('jj_captures/snaplen64.pcap') $$);
SELECT jsonb_pretty(analyzed_json('TIMING ON', $$ SELECT total_packets FROM jj_extract('jj_captures/non_ip.pcap') WHERE dst_port > 0 $$));
SELECT jsonb_pretty(analyzed_json('TIMING OFF', $$ SELECT * FROM jj_packets('jj_captures/non_ip.pcap') $$));
SELECT analyzed('FORMAT xml, TIMING OFF', $$ SELECT total_packets FROM jj_extract('jj_captures/demo.pcapng') $$);
SELECT analyzed('FORMAT yaml, TIMING OFF', $$ SELECT total_packets FROM jj_extract('jj_captures/demo.pcapng') $$);

-- which conditions are tested on flows
CREATE FUNCTION tested(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract(''jj_captures/demo.pcapng'') WHERE ' || condition LOOP
		IF line ~ 'Flows Selected By' THEN
			RETURN trim(line);
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
SELECT c AS condition, tested(c) FROM unnest(ARRAY['dst_port = 443', '443 = dst_port', 'dst_port <> 443', 'dst_port BETWEEN 1 AND 1024', 'dst_port IN (80, 443)', 'dst_port NOT IN (80, 443)',
	'dst_port > ANY (''{1,2}'')', 'protocol = 6', 'src_ip = ''10.0.0.1''', 'src_ip << ''10.0.0.0/8''', 'src_ip && ''10.0.0.0/8''', 'src_ip > ''10.0.0.0''', 'mac_vlan_id = 5',
	'start_time >= ''2024-01-01''', 'start_time >= ''2024-01-01''::date', 'dst_port = 443 OR dst_port = 80', 'dst_port = src_port', 'dst_port = 443 + random()::int', 'dst_port::text = ''443''',
	'duration > 1', 'dst_port IS NULL', 'NOT dst_port = 443']) c;

-- parameters
PREPARE by_port(text, int) AS SELECT count(*), sum(total_packets) FROM jj_extract($1) WHERE dst_port = $2;
EXECUTE by_port('jj_captures/demo.pcapng', 53);
EXECUTE by_port('jj_captures/demo.pcapng', 443);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_port('jj_captures/demo.pcapng', 53);
EXECUTE by_port('jj_captures/demo.pcapng', 53);
EXECUTE by_port('jj_captures/demo.pcapng', NULL);
EXECUTE by_port(NULL, 53);
RESET plan_cache_mode;
SELECT count(*) FROM jj_extract((SELECT 'jj_captures/' || 'demo.pcapng'));
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng') WHERE dst_port = (SELECT 53);

-- views, CTEs, sub-selects, joins, set operations
CREATE TEMP VIEW demo AS SELECT * FROM jj_extract('jj_captures/demo.pcapng');
EXPLAIN (COSTS OFF) SELECT dst_port FROM demo WHERE protocol = 17;
SELECT dst_port, count(*) FROM demo WHERE protocol = 17 GROUP BY 1 ORDER BY 1;
WITH f AS (SELECT src_ip, first_frame FROM demo), g AS MATERIALIZED (SELECT first_frame, total_packets FROM demo) SELECT count(*), sum(total_packets) FROM f JOIN g USING (first_frame);
SELECT count(*) FROM demo a JOIN demo b USING (first_frame) WHERE a.total_bytes = b.total_bytes;
SELECT count(*) FROM (SELECT first_frame FROM demo UNION ALL SELECT first_frame FROM demo) x;
SELECT count(*) FROM demo WHERE first_frame IN (SELECT flow FROM jj_packets('jj_captures/demo.pcapng') WHERE protocol = 17);
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (VALUES (6), (17)) v(p) JOIN demo ON demo.protocol = p;
SELECT p, count(*) FROM (VALUES (6), (17)) v(p) JOIN demo ON demo.protocol = p GROUP BY 1 ORDER BY 1;
RESET ALL;
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;

-- what the plain function does
EXPLAIN (COSTS OFF) SELECT ordinality, src_ip FROM jj_extract('jj_captures/demo.pcapng') WITH ORDINALITY;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (VALUES ('jj_captures/demo.pcapng'), ('jj_captures/idle.pcap')) v(p), jj_extract(p);
EXPLAIN (COSTS OFF) SELECT * FROM ROWS FROM (jj_extract('jj_captures/demo.pcapng'), generate_series(1, 3));
EXPLAIN (COSTS OFF) SELECT (jj_extract('jj_captures/demo.pcapng')).src_ip;
SELECT count(*) FROM (VALUES ('jj_captures/demo.pcapng'), ('jj_captures/idle.pcap')) v(p), jj_extract(p);

-- changing tables by it
CREATE TEMP TABLE flows AS SELECT * FROM demo;
UPDATE flows SET total_bytes = 0 FROM demo WHERE demo.first_frame = flows.first_frame AND demo.protocol = 17;
SELECT count(*) FROM flows WHERE total_bytes = 0;
DELETE FROM flows USING demo WHERE demo.first_frame = flows.first_frame AND demo.protocol = 6;
INSERT INTO flows SELECT * FROM demo WHERE protocol = 6 RETURNING dst_port;

-- cursors
BEGIN;
DECLARE ahead NO SCROLL CURSOR FOR SELECT first_frame FROM demo;
FETCH 3 FROM ahead;
FETCH 2 FROM ahead;
FETCH BACKWARD 1 FROM ahead;
ROLLBACK;
BEGIN;
DECLARE there_and_back SCROLL CURSOR FOR SELECT first_frame FROM demo;
FETCH 3 FROM there_and_back;
FETCH BACKWARD 2 FROM there_and_back;
FETCH ABSOLUTE 2 FROM there_and_back;
COMMIT;
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT first_frame FROM demo LIMIT 4;
COMMIT;
FETCH ALL FROM held;
CLOSE held;

-- a row type that is not the library's
BEGIN;
CREATE TEMP TABLE whole ON COMMIT DROP AS SELECT first_frame, to_jsonb(f) - '{iat_mean,src_ip,app_evidence}'::text[] AS j FROM demo f;
DROP VIEW demo;
ALTER TYPE jj_flow DROP ATTRIBUTE iat_mean, DROP ATTRIBUTE src_ip, DROP ATTRIBUTE app_evidence;
SELECT count(*), count(f) FROM jj_extract('jj_captures/demo.pcapng') f JOIN whole USING (first_frame) WHERE to_jsonb(f) = j;
SELECT count(*), count(f.*) FROM (SELECT * FROM jj_extract('jj_captures/demo.pcapng') OFFSET 0) f JOIN whole USING (first_frame) WHERE to_jsonb(f) = j;
SELECT count(*) FROM (VALUES ('jj_captures/demo.pcapng')) v(p), jj_extract(p) f JOIN whole USING (first_frame) WHERE to_jsonb(f) = j;
ROLLBACK;

-- several processes where they pay: each reads and decodes all of one capture
COPY shell FROM PROGRAM 'truncate -s 60M jj_medium.pcap; truncate -s 900M jj_large.pcap';
CREATE FUNCTION pg_temp.processes(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN coalesce((plan #>> '{0,Plan,Plans,0,Workers Planned}')::int + 1, 1);
END
$$;
SET max_parallel_workers_per_gather = 2;
SELECT capture, columns, pg_temp.processes(format('SELECT %s FROM jj_extract(%L) f', columns, capture)) AS processes
FROM unnest('{jj_medium.pcap, jj_large.pcap}'::text[]) capture, unnest('{count(src_ip), count(iat_mean), count(f)}'::text[]) columns;
SELECT pg_temp.processes($$SELECT first_frame FROM jj_extract('jj_large.pcap') LIMIT 1$$) AS of_first_row;
-- the connection graph comes before the first row, unless options or settings leave it out
CREATE FUNCTION pg_temp.waits(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN (plan #>> '{0,Plan,Startup Cost}')::float > 1000;
END
$$;
SET max_parallel_workers_per_gather = 0;
SELECT features, pg_temp.waits(format('SELECT * FROM jj_extract(''jj_large.pcap'', options => %L)', jsonb_build_object('features', features))) AS waits
FROM unnest('{all, connection, "all,-connection", tls}'::text[]) features;
SET joyfuljay.features = 'all,-connection';
SELECT pg_temp.waits($$SELECT * FROM jj_extract('jj_large.pcap')$$);
RESET joyfuljay.features;
SET max_parallel_workers_per_gather = 0;
COPY shell FROM PROGRAM 'rm jj_medium.pcap jj_large.pcap';

-- errors come when it runs, and leave nothing open
SELECT count(*) FROM jj_extract('jj_captures/no_such_file.pcap');
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng', options => '{"flow_timeout": -1}');
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng', 'no such filter');
SELECT 1 / (total_packets - total_packets) FROM demo;
SELECT count(*) FROM demo;
