-- Flows against what tshark says of the same captures (test/captures/expected, made by check_tshark.py).
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

CREATE TEMP TABLE expected ON COMMIT DROP AS
	WITH t AS (SELECT replace(f, '.tsv', '') AS file, regexp_split_to_array(rtrim(pg_read_file(:'captures' || '/expected/' || f), E'\n'), E'\n') AS line
		FROM pg_ls_dir(:'captures' || '/expected') f WHERE f LIKE '%.tsv')
	SELECT file, h.col, n, nullif(v.value, '\N') AS value, max(CASE WHEN h.col = 'first_frame' THEN v.value END) OVER (PARTITION BY file, n)::bigint AS first_frame
	FROM t, generate_series(2, cardinality(line)) n,
		LATERAL unnest(string_to_array(line[1], E'\t')) WITH ORDINALITY h(col, i),
		LATERAL unnest(string_to_array(line[n], E'\t')) WITH ORDINALITY v(value, j) WHERE h.i = v.j;
CREATE TEMP TABLE found ON COMMIT DROP AS
	SELECT file, (f).first_frame, k AS col, value FROM flow, jsonb_each_text(to_jsonb(f) || jsonb_build_object('duration_ns', round((f).duration::numeric * 1e9),
		'vlan_ids', (f).vlan_ids::text)) e(k, value) WHERE file IN (SELECT file FROM expected);
CREATE INDEX ON found (file, first_frame, col);
ANALYZE found, expected;

SELECT cmp_ok((SELECT count(DISTINCT file) FROM expected), '>=', 45::bigint, 'captures with expected values');
SELECT set_eq($$ SELECT file, (f).first_frame FROM flow WHERE file IN (SELECT file FROM expected) $$, 'SELECT DISTINCT file, first_frame FROM expected',
	'the same flows');
SELECT is_empty(format($$ SELECT e.file, e.first_frame, e.value AS tshark, f.value AS found FROM expected e JOIN found f USING (file, first_frame, col)
	WHERE col = %L AND e.value IS DISTINCT FROM f.value $$, col), col) FROM (SELECT DISTINCT col FROM expected ORDER BY col) c;
SELECT is((SELECT count(*) FROM expected), (SELECT count(*) FROM expected JOIN found USING (file, first_frame, col)), 'every expected value was compared');
SELECT * FROM finish();
ROLLBACK;
