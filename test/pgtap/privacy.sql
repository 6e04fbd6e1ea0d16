-- Anonymised rows of every capture against the rows themselves.
BEGIN;
\ir setup.psql
SELECT no_plan();
SET joyfuljay.anonymization_key = 'a key of this test';

SELECT pg_temp.load_flows();
CREATE TEMP TABLE hidden (file text, ord bigint, f jj_flow, PRIMARY KEY (file, ord)) ON COMMIT DROP;
INSERT INTO hidden SELECT name, row_number() OVER (PARTITION BY name), j FROM (SELECT name, path FROM capture WHERE error IS NULL ORDER BY name) c,
	LATERAL jj_extract(path, options => '{"anonymize_ips": true}') j;

SELECT is((SELECT count(*) FROM hidden), (SELECT count(*) FROM flow), 'as many flows');

-- addresses by their type, each column
CREATE FUNCTION pg_temp.wrong(name text, type text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format(CASE WHEN type = 'inet[]'
		THEN 'SELECT file FROM flow JOIN hidden h USING (file, ord) WHERE (h.f).%1$I IS DISTINCT FROM (SELECT array_agg(jj_anonymize(a) ORDER BY o) FROM unnest((flow.f).%1$I) WITH ORDINALITY u(a, o))'
		ELSE 'SELECT file FROM flow JOIN hidden h USING (file, ord) WHERE (h.f).%1$I IS DISTINCT FROM jj_anonymize((flow.f).%1$I)' END, name);
END $$;
SELECT is_empty(format('SELECT pg_temp.wrong(%L, %L)', name, sql_type), name || ' is the pseudonym of what it was')
	FROM jj_features WHERE sql_type IN ('inet', 'inet[]', 'macaddr') ORDER BY "position";

-- the others
CREATE TEMP TABLE treated ON COMMIT DROP AS
	SELECT array_agg(column_name) FILTER (WHERE treatment IN ('pseudonym', 'scanned', 'recomputed')) AS changed, array_agg(column_name) FILTER (WHERE treatment = 'identifying' OR sql_type ~ '^(smallint|integer|bigint|double|boolean|timestamp)') AS silent
	FROM jj_privacy JOIN jj_features ON name = column_name WHERE row_type = 'jj_flow';
SELECT is_empty($$ SELECT file, ord FROM flow JOIN hidden h USING (file, ord), treated
	WHERE to_jsonb(flow.f) - changed <> to_jsonb(h.f) - changed $$, 'columns without addresses are as they were');
SELECT cmp_ok((SELECT count(*) FROM flow JOIN hidden h USING (file, ord) WHERE (flow.f).community_id <> (h.f).community_id), '>', 100::bigint, 'Community IDs are others');
SELECT is_empty($$ SELECT file FROM flow JOIN hidden h USING (file, ord) WHERE ((flow.f).community_id IS NULL) <> ((h.f).community_id IS NULL) $$, 'and there where they were');
SELECT is_empty($$ SELECT file FROM flow JOIN hidden h USING (file, ord) GROUP BY file
	HAVING count(DISTINCT (flow.f).community_id) <> count(DISTINCT ((flow.f).community_id, (h.f).community_id)) FILTER (WHERE (h.f).community_id IS NOT NULL)
		OR count(DISTINCT (flow.f).community_id) <> count(DISTINCT (h.f).community_id) $$, 'and equal where they were equal');

-- no address of a capture is in any column of its rows
CREATE TEMP TABLE address (file text, a inet) ON COMMIT DROP;
INSERT INTO address SELECT DISTINCT file, a FROM flow, unnest(array_cat(ARRAY[(f).src_ip, (f).dst_ip, (f).tunnel_src_ip, (f).tunnel_dst_ip], (f).dns_answers)) a WHERE a IS NOT NULL;
DELETE FROM address t USING (SELECT file, a FROM hidden, unnest(array_cat(ARRAY[(f).src_ip, (f).dst_ip, (f).tunnel_src_ip, (f).tunnel_dst_ip], (f).dns_answers)) a) p WHERE p.file = t.file AND p.a = t.a;
SELECT cmp_ok((SELECT count(*) FROM address), '>', 100::bigint, 'addresses to look for');
CREATE FUNCTION pg_temp.written(t text) RETURNS SETOF text LANGUAGE sql AS $$ SELECT m[1] FROM regexp_matches(t, '(\d{1,3}(?:[.-]\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)', 'g') m $$;
CREATE TEMP TABLE shown ON COMMIT DROP AS SELECT DISTINCT file, pg_temp.written(jsonb_strip_nulls(to_jsonb(f) - silent)::text) AS t FROM hidden, treated;
CREATE TEMP TABLE truth ON COMMIT DROP AS SELECT DISTINCT file, pg_temp.written(jsonb_strip_nulls(to_jsonb(f) - silent)::text) AS t FROM flow, treated;
CREATE FUNCTION pg_temp.forms(a inet) RETURNS text[] LANGUAGE sql AS $$
	SELECT CASE WHEN family(a) = 6 THEN ARRAY[host(a)]
		ELSE ARRAY[host(a), replace(host(a), '.', '-'), (SELECT string_agg(p, '.' ORDER BY o DESC) FROM unnest(string_to_array(host(a), '.')) WITH ORDINALITY u(p, o))] END
$$;
CREATE TEMP TABLE form ON COMMIT DROP AS SELECT file, unnest(pg_temp.forms(a)) AS t FROM address;
DELETE FROM form USING (SELECT file, pg_temp.forms(a) AS forms FROM hidden, unnest(array_cat(ARRAY[(f).src_ip, (f).dst_ip], (f).dns_answers)) a) p WHERE p.file = form.file AND form.t = ANY (p.forms);
SELECT is_empty($$ SELECT file, t FROM form JOIN shown USING (file, t) $$, 'no address of a capture is in its anonymised rows');
SELECT cmp_ok((SELECT count(*) FROM form JOIN truth USING (file, t)), '>', 100::bigint, 'the same search finds them in the rows themselves');

-- packets
CREATE TEMP TABLE packet ON COMMIT DROP AS SELECT name, p.* FROM capture, LATERAL jj_packets(path) p WHERE error IS NULL AND own;
CREATE TEMP TABLE hidden_packet ON COMMIT DROP AS SELECT name, p.* FROM capture, LATERAL jj_packets(path, options => '{"anonymize_ips": true}') p WHERE error IS NULL AND own;
SELECT cmp_ok((SELECT count(*) FROM packet), '>', 1000::bigint, 'packets');
SELECT is_empty($$ SELECT name, frame FROM packet p FULL JOIN hidden_packet h USING (name, frame)
	WHERE (h.src_ip, h.dst_ip, h.tunnel_src_ip, h.tunnel_dst_ip, h.mac_src, h.mac_dst) IS DISTINCT FROM
		(jj_anonymize(p.src_ip), jj_anonymize(p.dst_ip), jj_anonymize(p.tunnel_src_ip), jj_anonymize(p.tunnel_dst_ip), jj_anonymize(p.mac_src), jj_anonymize(p.mac_dst)) $$, 'pseudonyms in packets');
SELECT is_empty($$ SELECT name, frame FROM packet p JOIN hidden_packet h USING (name, frame)
	WHERE to_jsonb(p) - '{src_ip,dst_ip,tunnel_src_ip,tunnel_dst_ip,mac_src,mac_dst,tcp_options}'::text[] <> to_jsonb(h) - '{src_ip,dst_ip,tunnel_src_ip,tunnel_dst_ip,mac_src,mac_dst,tcp_options}'::text[] $$, 'the rest of them');
SELECT is_empty($$ SELECT name, frame FROM packet p JOIN hidden_packet h USING (name, frame) WHERE p.tcp_options <> h.tcp_options AND name !~ 'mptcp' $$, 'options only where MPTCP announces addresses');

-- conditions: the same rows as without testing them on flows
CREATE TEMP TABLE everything ON COMMIT DROP AS SELECT j.* FROM (SELECT array_agg(path ORDER BY name) AS paths FROM capture WHERE own AND error IS NULL) p,
	LATERAL jj_extract(paths, options => '{"anonymize_ips": true}') j;
CREATE FUNCTION pg_temp.tried(condition text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	scan text;
	filtered text;
	n bigint;
	files text[] := (SELECT array_agg(path ORDER BY name) FROM capture WHERE own AND error IS NULL);
BEGIN
	EXECUTE format('SELECT md5(string_agg(t, chr(10) ORDER BY t)) FROM (SELECT concat_ws(chr(9), capture, first_frame, src_ip, dst_ip) AS t FROM jj_extract(%L::text[], options => ''{"anonymize_ips": true}'') WHERE %s) x', files, condition) INTO scan;
	EXECUTE format('SELECT md5(string_agg(t, chr(10) ORDER BY t)), count(*) FROM (SELECT concat_ws(chr(9), capture, first_frame, src_ip, dst_ip) AS t FROM everything WHERE %s) x', condition) INTO filtered, n;
	RETURN NEXT is(scan, filtered, condition);
	RETURN NEXT cmp_ok(n, '>', 0::bigint, 'met by some');
END $$;
SELECT pg_temp.tried(c) FROM (SELECT DISTINCT ON (family(src_ip)) src_ip AS a FROM everything ORDER BY family(src_ip), src_ip) x,
	unnest(ARRAY[format('src_ip = %L', a), format('%L = src_ip', a), format('dst_ip <> %L', a), format('src_ip << %L', set_masklen(a, 8)), format('src_ip IN (%L, ''10.0.0.1'')', a), format('src_ip = %L AND total_packets > 0 AND start_time > ''1970-01-01''', a)]) c;
SELECT is((SELECT count(*) FROM jj_extract((SELECT array_agg(path ORDER BY name) FROM capture WHERE own AND error IS NULL), options => '{"anonymize_ips": true}') WHERE src_ip = '10.0.0.1'), 0::bigint, 'nor does a true address find anything');
SELECT * FROM finish();
ROLLBACK;
