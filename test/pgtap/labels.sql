-- Labels against the plainest way to find them, at random, and by index.
BEGIN;
\ir setup.psql
SELECT no_plan();
DELETE FROM capture WHERE NOT own;
SELECT pg_temp.load_flows();

CREATE TEMP TABLE flows ON COMMIT DROP AS
	SELECT (f).src_ip, (f).src_port, (f).dst_ip, (f).dst_port, (f).protocol, (f).start_time, (f).end_time, (f).capture, (f).first_frame FROM flow;
SELECT jj_create_label_table('label');

-- labels made of the flows' own values, loosened, turned round, and misplaced
SELECT setseed(0.6);
INSERT INTO label (src, src_ports, dst, dst_ports, protocol, during, either_direction, label, priority)
	SELECT CASE WHEN r[1] < 0.7 THEN set_masklen(CASE WHEN turned THEN dst_ip ELSE src_ip END, (width * (0.2 + 0.8 * r[2]))::int) END,
		CASE WHEN r[3] < 0.3 AND p IS NOT NULL THEN int4range(p, least(p + (r[4] * 10)::int, 65535), '[]') END,
		CASE WHEN r[5] < 0.6 THEN CASE WHEN turned THEN src_ip ELSE dst_ip END END,
		CASE WHEN r[6] < 0.3 AND q IS NOT NULL THEN int4range(q, q, '[]') END,
		CASE WHEN r[7] < 0.5 THEN protocol END,
		tstzrange(start_time - r[8] * interval '10 s', start_time + (r[9] - 0.2) * r[8] * interval '20 s' + interval '10 s', CASE WHEN r[10] < 0.5 THEN '[)' ELSE '[]' END),
		r[11] < 0.5, 'label ' || (r[12] * 20)::int, (r[13] * 5)::int
	FROM (SELECT *, r[14] < 0.5 AS turned, CASE family(src_ip) WHEN 4 THEN 32 ELSE 128 END AS width,
			CASE WHEN r[14] < 0.5 THEN dst_port ELSE src_port END AS p, CASE WHEN r[14] < 0.5 THEN src_port ELSE dst_port END AS q
		FROM (SELECT flows.*, (SELECT array_agg(random()) FROM generate_series(1, 14) WHERE first_frame IS NOT NULL) AS r FROM flows ORDER BY capture, first_frame) x) y
	WHERE r[10] < 0.9;
SELECT cmp_ok((SELECT count(*) FROM label), '>', 1000::bigint, 'labels');

CREATE FUNCTION pg_temp.plain(how text) RETURNS TABLE (capture text, first_frame bigint, start_time timestamptz, ids bigint[]) LANGUAGE sql AS $$
	SELECT f.capture, f.first_frame, f.start_time, coalesce(array_agg(l.id ORDER BY l.id) FILTER (WHERE l.id IS NOT NULL), '{}')
	FROM flows f LEFT JOIN label l ON
		CASE how WHEN 'start' THEN f.start_time <@ l.during ELSE l.during && tstzrange(f.start_time, f.end_time, '[]') END
		AND (l.protocol IS NULL OR l.protocol = f.protocol)
		AND ((l.src IS NULL OR f.src_ip <<= l.src) AND (l.dst IS NULL OR f.dst_ip <<= l.dst)
				AND (l.src_ports IS NULL OR coalesce(f.src_port <@ l.src_ports, false)) AND (l.dst_ports IS NULL OR coalesce(f.dst_port <@ l.dst_ports, false))
			OR l.either_direction AND (l.src IS NULL OR f.dst_ip <<= l.src) AND (l.dst IS NULL OR f.src_ip <<= l.dst)
				AND (l.src_ports IS NULL OR coalesce(f.dst_port <@ l.src_ports, false)) AND (l.dst_ports IS NULL OR coalesce(f.src_port <@ l.dst_ports, false)))
	GROUP BY 1, 2, 3
$$;
CREATE FUNCTION pg_temp.found(how text) RETURNS TABLE (capture text, first_frame bigint, start_time timestamptz, ids bigint[]) LANGUAGE sql AS $$
	SELECT capture, first_frame, start_time, coalesce(array_agg(label_id ORDER BY label_id) FILTER (WHERE label_id IS NOT NULL), '{}')
	FROM joyfuljay.label_matches('flows', 'label', how) GROUP BY 1, 2, 3
$$;
CREATE TEMP TABLE truth ON COMMIT DROP AS SELECT h AS how, p.* FROM unnest('{start,overlap}'::text[]) h, pg_temp.plain(h) p;
CREATE TEMP TABLE got ON COMMIT DROP AS SELECT h AS how, p.* FROM unnest('{start,overlap}'::text[]) h, pg_temp.found(h) p;
SELECT is_empty('(TABLE truth EXCEPT ALL TABLE got) UNION ALL (TABLE got EXCEPT ALL TABLE truth)', 'every flow meets the labels that it should');
SELECT cmp_ok((SELECT count(*) FROM truth WHERE cardinality(ids) > 1), '>', 500::bigint, 'many meet several');
SELECT cmp_ok((SELECT count(*) FROM truth WHERE ids = '{}'), '>', 0::bigint, 'some none');

-- one label for each, and the counts
CREATE TEMP TABLE met ON COMMIT DROP AS
	SELECT capture, first_frame, start_time, l.id, l.label, l.priority, max(l.priority) OVER (PARTITION BY capture, first_frame, start_time) AS highest
	FROM truth, unnest(ids) i JOIN label l ON l.id = i WHERE how = 'start';
CREATE TEMP TABLE best ON COMMIT DROP AS
	SELECT t.capture, t.first_frame, t.start_time, (array_agg(m.label ORDER BY m.priority DESC, m.id))[1] AS label, count(DISTINCT m.label) AS labels,
		count(DISTINCT m.label) FILTER (WHERE m.priority = m.highest) > 1 AS tied
	FROM truth t LEFT JOIN met m USING (capture, first_frame, start_time) WHERE how = 'start' GROUP BY 1, 2, 3;
SELECT set_eq('SELECT capture, first_frame, start_time, label, cardinality(labels_met)::bigint, tied FROM jj_label(''flows'', ''label'')', 'SELECT * FROM best', 'jj_label');
SELECT row_eq('SELECT * FROM jj_label_summary(''flows'', ''label'')',
	(SELECT ROW(count(*), count(label), count(*) - count(label), count(*) FILTER (WHERE labels > 1), count(*) FILTER (WHERE tied),
		(SELECT count(*) FROM label), (SELECT count(DISTINCT id) FROM met), (SELECT count(*) FROM label WHERE id NOT IN (SELECT id FROM met))) FROM best), 'jj_label_summary');
SELECT set_eq('SELECT label_id, flows_met FROM jj_label_report(''flows'', ''label'')', 'SELECT l.id, count(m.id) FROM label l LEFT JOIN met m ON m.id = l.id GROUP BY 1', 'jj_label_report: flows that meet a label');
SELECT is((SELECT sum(flows_won) FROM jj_label_report('flows', 'label')), (SELECT count(label)::numeric FROM best), 'and of how many it is the label');
SELECT is((SELECT count(*) FROM best WHERE tied) > 0, true, 'there are ties');
SELECT cmp_ok((SELECT sum(flows_tied) FROM jj_label_report('flows', 'label')), '>=', (2 * (SELECT count(*) FROM best WHERE tied))::numeric, 'which are at least two labels'' each');

-- the same for pseudonyms
SET joyfuljay.anonymization_key = 'a key of this test';
SELECT jj_create_label_table('hidden');
INSERT INTO hidden OVERRIDING SYSTEM VALUE SELECT id, jj_anonymize(src), src_ports, jj_anonymize(dst), dst_ports, protocol, during, either_direction, label, priority, source, line FROM label;
CREATE TEMP TABLE hidden_flows ON COMMIT DROP AS SELECT jj_anonymize(src_ip) AS src_ip, src_port, jj_anonymize(dst_ip) AS dst_ip, dst_port, protocol, start_time, end_time, capture, first_frame FROM flows;
SELECT set_eq('SELECT capture, first_frame, start_time, label_id FROM jj_label(''hidden_flows'', ''hidden'')', 'SELECT capture, first_frame, start_time, label_id FROM jj_label(''flows'', ''label'')', 'anonymised labels fit anonymised flows');

-- by index, however many labels there are
INSERT INTO label (src, dst, dst_ports, during, label)
	SELECT inet '10.0.0.0' + n % 5000, inet '192.168.0.0' + n % 300, int4range(n % 1000 + 1, n % 1000 + 2), tstzrange(t, t + interval '1 min'), 'one of many'
	FROM (SELECT n, timestamptz '2017-07-03' + n * interval '1 s' AS t FROM generate_series(1, 20000) n) x;
INSERT INTO label (src, during, label) SELECT set_masklen(inet '2001:db8::' + n * 65536, 112), tstzrange(t, t + interval '1 min'), 'of IPv6'
	FROM (SELECT n, timestamptz '2017-07-03' + n * interval '1 s' AS t FROM generate_series(1, 5000) n) x;
ANALYZE label;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;
SELECT is((SELECT count(*) FROM pg_temp.plan_of(joyfuljay.label_query('flows', 'label', h)) l WHERE l ~ 'Index Scan (on|using) label_coalesce'), 4::bigint, h || ': each way to meet a label is a search in an index')
	FROM unnest('{start,overlap}'::text[]) h;
SELECT is((SELECT count(*) FROM pg_temp.plan_of(joyfuljay.label_query('flows', 'label', h)) l WHERE l ~ 'Index Cond:.*>>=.*>>=.*during'), 4::bigint, h || ': by both addresses and the time')
	FROM unnest('{start,overlap}'::text[]) h;
SELECT * FROM finish();
ROLLBACK;
