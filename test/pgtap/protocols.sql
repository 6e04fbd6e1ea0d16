-- Columns of the application protocols against what tshark, and openssl for certificates, say of the recordings, and against what
-- was put into captures of damaged messages (test/captures/expected/protocols, made by check_protocols.py and make_captures.py).
BEGIN;
\ir setup.psql
DELETE FROM capture WHERE name || '.tsv' NOT IN (SELECT f FROM pg_ls_dir(:'captures' || '/expected/protocols') f);
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

CREATE TEMP TABLE expected ON COMMIT DROP AS
	SELECT regexp_replace(f, '\.tsv$', '') AS file, v[1]::bigint AS first_frame, v[2] AS col, v[3]::jsonb AS value
	FROM pg_ls_dir(:'captures' || '/expected/protocols') f,
		LATERAL regexp_split_to_table(rtrim(pg_read_file(:'captures' || '/expected/protocols/' || f), E'\n'), E'\n') line,
		LATERAL string_to_array(line, E'\t') v;
CREATE TEMP TABLE found ON COMMIT DROP AS
	SELECT file, (f).first_frame, k AS col, value FROM flow, jsonb_each(to_jsonb(f)) e(k, value);
CREATE INDEX ON found (file, first_frame, col);
ANALYZE found, expected;

SELECT cmp_ok((SELECT count(DISTINCT file) FROM expected), '>=', 30::bigint, 'recordings with expected values');
SELECT cmp_ok((SELECT count(*) FROM expected), '>=', 10000::bigint, 'expected values');
SELECT is((SELECT count(*) FROM expected), (SELECT count(*) FROM expected JOIN found USING (file, first_frame, col)), 'each has its flow');
SELECT is_empty(format($$ SELECT e.file, e.first_frame, e.value AS tshark, f.value AS found FROM expected e JOIN found f USING (file, first_frame, col)
	WHERE col = %L AND NOT pg_temp.same(e.value, f.value) $$, col), col) FROM (SELECT DISTINCT col FROM expected ORDER BY col) c;

-- columns that are not listed are those of protocols that are not there
SELECT is_empty(format($$ SELECT f.file, f.first_frame, f.col, f.value FROM expected e JOIN found f USING (file, first_frame)
	WHERE e.col = %L AND e.value = 'false' AND f.col LIKE %L AND f.col <> e.col AND f.value <> 'null' $$, p || '_detected', p || '\_%'),
	'without ' || p || ' its columns are NULL') FROM unnest(ARRAY['tls', 'quic', 'ssh', 'dns']) p;
SELECT is_empty($$ SELECT f.file, f.first_frame, f.col, f.value FROM expected e JOIN found f USING (file, first_frame)
	WHERE e.col = 'tls_detected' AND e.value = 'false' AND f.col ~ '^ja[34]' AND f.value <> 'null' $$, 'without tls no fingerprint');
SELECT * FROM finish();
ROLLBACK;
