-- jj_fill, jj_create_view, jj_bidirectional and jj_diff on the flows of every capture.
BEGIN;
\ir setup.psql
SELECT no_plan();

SELECT pg_temp.load_flows();
CREATE TEMP TABLE stored ON COMMIT DROP AS SELECT file, ord, (f).* FROM flow;
CREATE TEMP TABLE filled ON COMMIT DROP AS SELECT g.* FROM stored s, jj_fill(s) g;
SELECT cmp_ok((SELECT count(*) FROM filled), '>', 500::bigint, 'flows');

-- the library's values, by SQL
CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT * FROM jj_diff('stored', 'filled', 0, '{file,ord}');
SELECT is((SELECT compared FROM mine WHERE column_name = '*'), (SELECT count(*) FROM flow), 'as many of them');
SELECT is_empty('SELECT column_name, example FROM mine WHERE different > 0 AND column_name <> ''*'' OR only_a > 0', 'values stay');
SELECT is_empty('SELECT column_name, example FROM mine JOIN jj_features ON name = column_name WHERE only_b > 0 AND fill IS NULL', 'NULL stays where the library has no value for it');
SELECT cmp_ok((SELECT count(*) FROM mine WHERE only_b > 0 AND column_name <> '*'), '>', 250::bigint, 'many columns have gaps');
SELECT is(jj_create_view('by_sql', 'stored', '{all}', true)::text, 'by_sql', 'a view of them');
SELECT is((SELECT array_agg(x ORDER BY x) FROM (SELECT column_name || ' ' || example AS x FROM jj_diff('filled', 'by_sql', 0, '{capture,first_frame}') WHERE equal < compared) d), NULL,
	'jj_fill gives what the expressions of jj_features give');
SELECT is_empty($$ SELECT name FROM jj_features WHERE fill IS NOT NULL AND null_when IS NULL $$, 'no fill where there is no NULL');
SELECT is_empty($$ SELECT name FROM jj_features WHERE fill IS NOT NULL AND tier = 'ADDED' $$, 'no fill in columns that the library has not');
SELECT is((SELECT count(*) FROM filled WHERE NOT (total_packets > 1 OR is_constant_size AND NOT is_constant_rate AND packets_per_second = 1 AND padding_score = 0.5)), 0::bigint,
	'flows of one packet as the library has them');
SELECT is((SELECT count(*) FROM filled f JOIN stored s USING (file, ord) WHERE f.entropy_ratio = 'Infinity' AND coalesce(s.entropy_responder, 0) > 0), 0::bigint, 'infinite ratios only of nothing');
SELECT cmp_ok((SELECT count(*) FROM filled WHERE entropy_ratio = 'Infinity'), '>', 50::bigint, 'and many of them');

-- directions, from the packets
CREATE TEMP TABLE direction ON COMMIT DROP AS SELECT * FROM jj_bidirectional('stored');
SELECT is((SELECT count(*) FROM direction), (SELECT sum((packets_fwd > 0)::integer + (packets_bwd > 0)::integer) FROM stored), 'a row for each direction with packets');
SELECT is((SELECT sum(packets) FROM direction), (SELECT sum(total_packets) FROM stored), 'each packet once');
CREATE TEMP TABLE packet ON COMMIT DROP AS
	SELECT p.capture, p.flow AS first_frame, p.direction, count(*) AS packets, sum(ip_len) AS bytes, sum(payload_len) AS payload_bytes, min(ttl) AS ip_ttl_min, max(ttl) AS ip_ttl_max,
		max(ip_len) AS pkt_len_max, min(ip_len) AS pkt_len_min, (array_agg(src_ip ORDER BY frame))[1] AS src_ip
	FROM (SELECT DISTINCT c.path FROM capture c JOIN flow ON c.name = file WHERE own) c, jj_packets(c.path) p WHERE p.flow IS NOT NULL GROUP BY 1, 2, 3;
SELECT cmp_ok((SELECT count(*) FROM packet), '>', 500::bigint, 'directions of packets');
SELECT is_empty($$ SELECT p.capture, p.first_frame, p.direction FROM packet p LEFT JOIN direction d USING (capture, first_frame, direction)
	WHERE (d.packets, d.bytes, d.payload_bytes, d.ip_ttl_min, d.ip_ttl_max, d.pkt_len_max, d.pkt_len_min, d.src_ip) IS DISTINCT FROM
		(p.packets, p.bytes, p.payload_bytes, p.ip_ttl_min, p.ip_ttl_max, p.pkt_len_max, p.pkt_len_min, p.src_ip) $$, 'counts, lengths, TTLs and source are those of the packets');
SELECT is_empty($$ SELECT a.capture, a.first_frame FROM direction a JOIN direction b USING (capture, first_frame)
	WHERE a.direction = 1 AND b.direction = -1 AND (a.src_ip, a.src_port, a.dst_ip, a.dst_port, a.protocol, a.start_time, a.mac_src, a.tunnel_src_ip)
		IS DISTINCT FROM (b.dst_ip, b.dst_port, b.src_ip, b.src_port, b.protocol, b.start_time, b.mac_dst, b.tunnel_dst_ip) $$, 'the ends change places');

-- known differences
CREATE TEMP TABLE changed ON COMMIT DROP AS SELECT * FROM stored;
UPDATE changed SET bytes_fwd = bytes_fwd + 7 WHERE ord = 1;
UPDATE changed SET dst_port = NULL WHERE protocol = 17;
UPDATE changed SET iat_mean = iat_mean + 0.25, splt_times[1] = splt_times[1] + 1e-12 WHERE iat_mean IS NOT NULL;
DELETE FROM changed WHERE protocol = 1;
SELECT results_eq($$ SELECT column_name, different, only_a, only_b, round(largest_difference::numeric, 9) FROM jj_diff('stored', 'changed', key => '{file,ord}') WHERE equal < compared OR column_name = '*' $$,
	$$ SELECT '*', count(*) FILTER (WHERE protocol <> 1 AND (ord = 1 OR protocol = 17 AND dst_port IS NOT NULL OR iat_mean IS NOT NULL)), count(*) FILTER (WHERE protocol = 1), 0::bigint, NULL::numeric FROM stored
	UNION ALL SELECT 'dst_port', 0, count(*), 0, NULL FROM stored WHERE protocol = 17 AND dst_port IS NOT NULL
	UNION ALL SELECT 'bytes_fwd', count(*), 0, 0, 7 FROM stored WHERE protocol <> 1 AND ord = 1
	UNION ALL SELECT 'iat_mean', count(*), 0, 0, 0.25 FROM stored WHERE protocol <> 1 AND iat_mean IS NOT NULL $$, 'jj_diff counts what was changed');
SELECT is((SELECT different FROM jj_diff('stored', 'changed', 0, '{file,ord}', '{splt_times}') WHERE column_name = 'splt_times'),
	(SELECT count(*) FROM stored JOIN changed c USING (file, ord) WHERE stored.splt_times <> c.splt_times), 'and with tolerance 0 the smallest');

SELECT * FROM finish();
ROLLBACK;
