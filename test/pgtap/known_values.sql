-- Values that are known of captures (test/captures/known_values.tsv), of further ones where JJ_MORE_CAPTURES has them.
BEGIN;
\ir setup.psql
SELECT * FROM no_plan();

CREATE TEMP TABLE known ON COMMIT DROP AS
	SELECT n, v[1] AS capture, v[2] AS flow, v[3] AS col, v[4] AS op, v[5]::jsonb AS value
	FROM regexp_split_to_table(rtrim(pg_read_file(:'captures' || '/known_values.tsv'), E'\n'), E'\n') WITH ORDINALITY AS line(text, n),
		LATERAL string_to_array(text, E'\t') v
	WHERE text !~ '^(#|capture\t)';
SELECT cmp_ok((SELECT count(*) FROM known), '>=', 410::bigint, 'values are listed');
SELECT is_empty($$ SELECT n, col FROM known WHERE col NOT IN (SELECT attname FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass) $$, 'of columns there are');
SELECT is_empty($$ SELECT n, flow, op FROM known WHERE flow !~ '^(\d+|\*|\d+ flows)$' OR op NOT IN ('=', '>=', '@>', '~') $$, 'of flows and by comparisons there are');

-- the capture's file; some are named without the ending
CREATE TEMP TABLE file ON COMMIT DROP AS
	SELECT DISTINCT k.capture, c.name, c.path FROM known k JOIN capture c ON c.name = k.capture OR starts_with(c.name, k.capture || '.');
INSERT INTO flow SELECT f.capture, row_number() OVER (PARTITION BY f.capture), j FROM file f, jj_extract(f.path, options => '{"flow_timeout": "infinity"}') j;

CREATE FUNCTION pg_temp.holds(found jsonb, op text, wanted jsonb) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
	SELECT coalesce(CASE op
		WHEN '=' THEN pg_temp.same(found, wanted)
		WHEN '>=' THEN (found #>> '{}')::numeric >= (wanted #>> '{}')::numeric
		WHEN '@>' THEN found @> wanted
		WHEN '~' THEN found #>> '{}' ~ (wanted #>> '{}') END, false)
$$;
CREATE TEMP TABLE chosen ON COMMIT DROP AS
	SELECT k.n, to_jsonb(f) -> k.col AS found
	FROM known k JOIN flow ON file = k.capture AND (k.flow !~ '^\d+$' OR k.flow IN ((f).src_port::text, (f).dst_port::text));

SELECT ok(CASE WHEN k.flow LIKE '% flows' THEN good = split_part(k.flow, ' ', 1)::int ELSE good = total AND total > 0 END,
		format('%s %s: %s %s %s', k.capture, k.flow, k.col, k.op, left(k.value::text, 60)))
	|| CASE WHEN good < total AND k.flow NOT LIKE '% flows' THEN E'\n' || diag('found ' || found::text) ELSE '' END
FROM known k, LATERAL (SELECT count(*) AS total, count(*) FILTER (WHERE pg_temp.holds(c.found, k.op, k.value)) AS good, array_agg(DISTINCT c.found) AS found
	FROM chosen c WHERE c.n = k.n) x
WHERE k.capture IN (SELECT capture FROM file) ORDER BY k.n;
SELECT skip(capture || ' is not in JJ_MORE_CAPTURES', count(*)::int) FROM known WHERE capture NOT IN (SELECT capture FROM file) GROUP BY capture ORDER BY capture;

-- evidence of Tor is found nowhere else
DELETE FROM flow;
SELECT pg_temp.load_flows();
SELECT is_empty($$ SELECT file, ord FROM flow WHERE file NOT IN ('tor.pcap', 'tor_bridge.pcap', 'tls_names.pcap') AND (f).likely_tor $$, 'no flow of another capture is likely Tor');
SELECT * FROM finish();
ROLLBACK;
