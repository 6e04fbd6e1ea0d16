-- However a call is planned, it gives the same rows: as a custom scan, as a
-- plain function, with conditions tested before the features, in parallel.
BEGIN;
\ir setup.psql
SELECT * FROM no_plan();
SELECT pg_temp.load_flows();

-- The plan of a query, as text.
CREATE FUNCTION pg_temp.plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	lines text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		lines := lines || line || E'\n';
	END LOOP;
	RETURN lines;
END $$;

-- The rows of a query as one value each, joined in their order.
CREATE FUNCTION pg_temp.digest(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT count(*) || '' '' || coalesce(md5(string_agg(x::text, E''\n'')), ''-'') FROM (%s) x', query) INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

SELECT set_config('max_parallel_workers_per_gather', '0', true);
SELECT matches(pg_temp.plan(format('SELECT src_ip FROM jj_extract(%L)', path)), 'Custom Scan \(JoyfulJay\)', 'a call in FROM is a custom scan') FROM capture WHERE name = 'demo.pcapng';
SELECT matches(pg_temp.plan(format('SELECT src_ip FROM jj_extract(%L) WITH ORDINALITY', path)), 'Function Scan', 'WITH ORDINALITY is a function') FROM capture WHERE name = 'demo.pcapng';
SELECT matches(pg_temp.plan('SELECT j.* FROM capture c, jj_extract(c.path) j'), 'Function Scan', 'LATERAL, too');
SELECT matches(pg_temp.plan('SELECT j.* FROM (SELECT array_agg(path) AS p FROM capture) c, jj_extract(c.p) j'), 'Function Scan', 'of a sub-select, too');

-- ---- the same rows, in the same order, as from the function

CREATE TEMP TABLE scanned ON COMMIT DROP AS
	SELECT name, pg_temp.digest(format('SELECT * FROM jj_extract(%L)', path)) AS scan,
		pg_temp.digest(format('SELECT j.* FROM capture c, jj_extract(c.path) j WHERE c.name = %L', name)) AS function,
		pg_temp.digest(format('SELECT j, pg_column_size(j), first_frame FROM jj_extract(%L) j', path)) AS composite,
		pg_temp.digest(format('SELECT j, pg_column_size(j), first_frame FROM capture c, jj_extract(c.path) j WHERE c.name = %L', name)) AS function_composite,
		pg_temp.digest(format('SELECT * FROM jj_packets(%L)', path)) AS packets,
		pg_temp.digest(format('SELECT j.* FROM capture c, jj_packets(c.path) j WHERE c.name = %L', name)) AS function_packets
	FROM capture;
SELECT cmp_ok((SELECT count(*) FROM scanned WHERE scan ~ '^[1-9]'), '>', 50::bigint, 'captures with flows');
SELECT is_empty($$ SELECT name, scan, function FROM scanned WHERE scan <> function $$, 'jj_extract: scan and function give the same rows, or the same error');
SELECT is_empty($$ SELECT name, composite, function_composite FROM scanned WHERE composite <> function_composite $$, 'and the same composite values, of the same size');
SELECT is_empty($$ SELECT name, packets, function_packets FROM scanned WHERE packets <> function_packets $$, 'jj_packets: the same');

SELECT is_empty(format($$ SELECT j.first_frame FROM jj_extract(%L) j WHERE NOT EXISTS (SELECT FROM flow WHERE file = %L AND f *= j) $$, path, name), name || ': composite values byte by byte')
	FROM capture WHERE own AND error IS NULL AND name ~ 'demo|tls|dns|ipv6_ext|long_flow' ORDER BY name;

-- ---- single columns: what a query leaves out has no influence on the rest

CREATE TEMP TABLE chosen ON COMMIT DROP AS
	SELECT group_name, string_agg(quote_ident(name), ', ' ORDER BY position) AS columns FROM jj_features WHERE implemented GROUP BY group_name;
SELECT is_empty(format($$ SELECT name FROM capture WHERE own AND error IS NULL
	AND pg_temp.digest(format('SELECT %s FROM jj_extract(%%L)', path)) <> pg_temp.digest(format('SELECT %s FROM (SELECT (f).* FROM flow WHERE file = %%L ORDER BY ord) x', name)) $$, columns, columns),
	'columns of group ' || group_name || ' alone') FROM chosen ORDER BY group_name;

-- ---- random conditions: tested before the features and on the rows, or on the rows alone

CREATE TABLE pg_temp.condition (n int PRIMARY KEY, clause text) ON COMMIT DROP;
CREATE FUNCTION pg_temp.one(list text[]) RETURNS text VOLATILE LANGUAGE sql AS $$ SELECT list[1 + floor(random() * cardinality(list))::int] $$;
CREATE FUNCTION pg_temp.value(what text) RETURNS text VOLATILE LANGUAGE plpgsql AS $$
DECLARE
	v text;
BEGIN
	IF what = 'inet' THEN
		SELECT quote_literal(host(CASE WHEN random() < 0.5 THEN (f).src_ip ELSE (f).dst_ip END)) INTO v FROM flow ORDER BY random() LIMIT 1;
		RETURN v || '::inet';
	ELSIF what = 'network' THEN
		SELECT quote_literal(set_masklen((f).src_ip, floor(random() * (CASE family((f).src_ip) WHEN 4 THEN 33 ELSE 129 END))::int)) INTO v FROM flow ORDER BY random() LIMIT 1;
		RETURN v || '::inet';
	ELSIF what = 'port' THEN
		SELECT coalesce(CASE WHEN random() < 0.5 THEN (f).src_port ELSE (f).dst_port END, -1) INTO v FROM flow ORDER BY random() LIMIT 1;
		RETURN v;
	ELSIF what = 'start_time' THEN
		SELECT quote_literal((f).start_time) INTO v FROM flow ORDER BY random() LIMIT 1;
		RETURN v || '::timestamptz';
	ELSIF what = 'protocol' THEN
		RETURN pg_temp.one('{1,6,17,58,132,0,255}');
	ELSE
		RETURN pg_temp.one('{0,1,5,10,100,4095}');
	END IF;
END $$;
CREATE FUNCTION pg_temp.clause() RETURNS text VOLATILE LANGUAGE plpgsql AS $$
DECLARE
	c text := pg_temp.one('{src_ip,dst_ip,src_port,dst_port,protocol,mac_vlan_id,start_time}');
	kind text := CASE WHEN c ~ 'ip$' THEN 'inet' WHEN c ~ 'port$' THEN 'port' ELSE c END;
	how text := pg_temp.one('{compare,compare,compare,swapped,in,notin,between,network,array,null}');
BEGIN
	RETURN CASE how
		WHEN 'swapped' THEN pg_temp.value(kind) || pg_temp.one('{ = , < , > , <= , >= , <> }') || c
		WHEN 'in' THEN format('%s IN (%s, %s, %s)', c, pg_temp.value(kind), pg_temp.value(kind), pg_temp.value(kind))
		WHEN 'notin' THEN format('%s NOT IN (%s, %s)', c, pg_temp.value(kind), pg_temp.one(ARRAY[pg_temp.value(kind), 'NULL', pg_temp.value(kind)]))
		WHEN 'between' THEN format('%s BETWEEN %s AND %s', c, pg_temp.value(kind), pg_temp.value(kind))
		WHEN 'array' THEN CASE WHEN kind = 'inet' THEN format('%s %s ANY (ARRAY[%s, %s])', c, pg_temp.one('{<<,<<=,&&,=}'), pg_temp.value('network'), pg_temp.value('network'))
			ELSE format('%s %s (''{}'')', c, pg_temp.one('{"= ANY","<> ALL"}')) END
		WHEN 'null' THEN c || pg_temp.one('{" IS NULL"," IS NOT NULL"}')
		WHEN 'network' THEN CASE WHEN kind = 'inet' THEN format('%s %s %s', c, pg_temp.one('{<<,<<=,>>,>>=,&&,=,<>,<}'), pg_temp.value('network'))
			ELSE format('%s <> %s', c, pg_temp.value(kind)) END
		ELSE c || pg_temp.one('{ = , < , > , <= , >= , <> }') || pg_temp.value(kind) END;
END $$;
SELECT setseed(0.20240607);
INSERT INTO pg_temp.condition
	SELECT n, concat_ws(CASE WHEN n % 7 = 0 THEN ' OR ' ELSE ' AND ' END, pg_temp.clause(), CASE WHEN n % 3 > 0 THEN pg_temp.clause() END, CASE WHEN n % 5 = 0 THEN 'total_packets > 1' END)
	FROM generate_series(1, 400) n;
CREATE TEMP TABLE tried (n int, clause text, scan text, filtered text, pushed boolean) ON COMMIT DROP;
CREATE TEMP TABLE reference ON COMMIT DROP AS
	SELECT j.* FROM (SELECT array_agg(path ORDER BY name) AS paths FROM capture WHERE own AND error IS NULL) p, jj_extract(paths, options => '{"flow_end": "timeout"}') j;
INSERT INTO tried
	SELECT n, clause, pg_temp.digest(format('SELECT capture, first_frame, duration, total_bytes FROM jj_extract(%L::text[], options => ''{"flow_end": "timeout"}'') WHERE %s', paths, clause)),
		pg_temp.digest(format('SELECT capture, first_frame, duration, total_bytes FROM reference WHERE %s', clause)),
		pg_temp.plan(format('SELECT capture FROM jj_extract(%L::text[]) WHERE %s', paths, clause)) ~ 'Flows Selected By'
	FROM pg_temp.condition,
		(SELECT array_agg(path ORDER BY name)::text AS paths FROM capture WHERE own AND error IS NULL) p;
SELECT cmp_ok((SELECT count(*) FROM tried WHERE pushed), '>', 200::bigint, 'most of the conditions are tested on flows');
SELECT cmp_ok((SELECT count(*) FROM tried WHERE pushed AND filtered ~ '^[1-9]'), '>', 80::bigint, 'and many of them are met');
SELECT is_empty($$ SELECT clause, scan, filtered FROM tried WHERE scan <> filtered $$, 'random conditions: the same rows with and without');
SELECT is_empty($$ SELECT clause FROM tried WHERE scan !~ '^\d+ ' OR scan ~ '^\w{5} ' $$, 'and no error');

-- ---- parallel

SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ('parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size');
CREATE FUNCTION pg_temp.sorted(workers int, leader boolean, call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, true), set_config('parallel_leader_participation', leader::text, true);
	RETURN pg_temp.digest(format('SELECT t FROM (SELECT j::text AS t FROM %s j) y ORDER BY t', call));
END $$;
CREATE FUNCTION pg_temp.workers(n int, call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', n::text, true);
	RETURN pg_temp.plan(format('SELECT j::text FROM %s j', call));
END $$;
CREATE TEMP TABLE call ON COMMIT DROP AS
	SELECT name, format('jj_extract(%L)', path) AS call FROM capture WHERE own AND error IS NULL AND (pg_stat_file(path)).size > 20000
	UNION ALL
	SELECT label, format('jj_extract(%L::text[], options => %L)', paths, options) FROM (SELECT array_agg(path ORDER BY name) AS paths FROM capture WHERE own AND error IS NULL) p,
		(VALUES ('all files', '{}'), ('continue', '{"continue": true}'), ('a bound of flows', '{"max_concurrent_flows": 5}'), ('sampling', '{"sampling_rate": 0.5}')) v(label, options);
SELECT matches(pg_temp.workers(2, call), 'Parallel Custom Scan', name || ': in parallel') FROM call WHERE name = 'all files';
SELECT is(pg_temp.sorted(w, leader, call), pg_temp.sorted(0, true, call), format('%s: %s workers%s give the same rows', name, w, CASE WHEN leader THEN '' ELSE ' alone' END))
	FROM call, (VALUES (1, true), (2, true), (4, true), (2, false)) v(w, leader) ORDER BY name, w;

-- what EXPLAIN ANALYZE counts: the same, whoever has counted it
CREATE FUNCTION pg_temp.counted(workers int, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	PERFORM set_config('max_parallel_workers_per_gather', workers::text, true);
	EXECUTE format('EXPLAIN (ANALYZE, FORMAT json) SELECT j::text FROM %s j WHERE dst_port <> 443', call) INTO plan;
	RETURN (SELECT string_agg(key || ' ' || value, ', ' ORDER BY key) FROM jsonb_path_query(plan::jsonb, 'strict $.**?(@."Custom Plan Provider" == "JoyfulJay")') p, jsonb_each(p)
		WHERE key ~ 'Packets|^Flows' OR (key = 'Times' AND value ?& '{Reading,Decoding,Features,Row Forming}'));
END $$;
CREATE TEMP TABLE counted ON COMMIT DROP AS
	SELECT name, call, w, pg_temp.counted(w, call) AS counts FROM call, unnest(ARRAY[0, 2, 4]) w WHERE name <> 'a bound of flows';
SELECT is_empty($$ SELECT name, counts FROM counted WHERE w = 0 AND counts !~ 'Packets Read [1-9]' $$, 'packets are counted');
SELECT matches(counts, 'not_sampled": [1-9]', 'and those that are not sampled') FROM counted WHERE name = 'sampling' AND w = 0;
SELECT is_empty($$ SELECT a.name, a.w, a.counts, b.counts FROM counted a JOIN counted b ON a.name = b.name AND b.w = 0
	WHERE regexp_replace(a.counts, ', Times.*', '') <> regexp_replace(b.counts, ', Times.*', '') $$, 'the same by 0, 2 and 4 workers');
SELECT is_empty($$ SELECT name, w FROM counted WHERE counts !~ 'Times' $$, 'with times');
SELECT * FROM finish();
ROLLBACK;
