-- Captures that differ in one known way, and what becomes of their flows.
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

CREATE FUNCTION pg_temp.rows(name text, VARIADIC without text[] DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(to_jsonb(f) - without - 'capture'::text ORDER BY ord) FROM flow WHERE file = name
$$;

-- ---- the same packets in other formats

SELECT is(pg_temp.rows(x), pg_temp.rows('pcap_le_us.pcap'), x || ' has the flows of pcap_le_us.pcap')
	FROM unnest(ARRAY['pcap_be_us.pcap', 'pcap_modified.pcap', 'pcap_modified_be.pcap', 'pcap_le_us.pcap.gz', 'pcap_le_us.pcap.zst', 'pcap_le_us.pcap.lz4',
		'wire_shorter.pcap', 'cut_record_header.pcap']) x;
SELECT is(pg_temp.rows(x), pg_temp.rows('pcap_le_ns.pcap'), x || ' has the flows of pcap_le_ns.pcap')
	FROM unnest(ARRAY['pcap_be_ns.pcap', 'pcapng_le.pcapng', 'pcapng_be.pcapng', 'pcapng_be.pcapng.gz', 'pcapng_sections.pcapng']) x;
SELECT is((SELECT array_agg((f).start_ns ORDER BY ord) FROM flow WHERE file = 'pcap_le_ns.pcap'),
	ARRAY[1700000000000000000, 1700000000030000789]::bigint[], 'nanoseconds are kept');
SELECT is((SELECT array_agg((f).start_ns ORDER BY ord) FROM flow WHERE file = 'pcap_le_us.pcap'),
	ARRAY[1700000000000000000, 1700000000030000000]::bigint[], 'microseconds are what they are');
SELECT is((SELECT array_agg((f).start_ns - 1700000000000000000 ORDER BY (f).src_port) FROM flow WHERE file = 'pcapng_tsresol.pcapng'),
	ARRAY[0, 1250000000, 2123456789, 3500000000, 4000000000, 5000000001], 'clocks of 10^-6, 10^-3, 10^-9 and 2^-10 s, with offsets');

-- a cut of the captured bytes changes nothing that headers tell
SELECT is_empty($$ SELECT a.ord, k, v, to_jsonb(b.f) -> k FROM flow a JOIN flow b USING (ord), jsonb_each(to_jsonb(a.f)) e(k, v)
	WHERE a.file = 'snaplen64.pcap' AND b.file = 'pcap_le_us.pcap' AND k NOT IN ('capture', 'truncated_count')
		AND k IN (SELECT name FROM jj_features WHERE group_name IN ('flow_meta', 'timing', 'size', 'tcp', 'mac', 'ip_extended')) AND v <> to_jsonb(b.f) -> k $$,
	'sizes and flags do not depend on the snap length');
SELECT cmp_ok((SELECT sum((f).truncated_count) FROM flow WHERE file = 'snaplen64.pcap'), '=', 7::bigint, 'what is cut is counted');

-- ---- both ends exchanged: the same flow with source and destination exchanged

SELECT is((SELECT count(*) FROM flow WHERE file IN ('swap_a.pcap', 'swap_b.pcap')), 2::bigint, 'one flow each');
SELECT is(pg_temp.rows('swap_b.pcap', 'src_ip', 'dst_ip', 'src_port', 'dst_port', 'mac_src', 'mac_dst', 'dst_port_class', 'dst_port_class_num'),
	pg_temp.rows('swap_a.pcap', 'src_ip', 'dst_ip', 'src_port', 'dst_port', 'mac_src', 'mac_dst', 'dst_port_class', 'dst_port_class_num'),
	'exchanging both ends of every packet changes only who is who');
SELECT ok((a.f).src_ip = (b.f).dst_ip AND (a.f).dst_ip = (b.f).src_ip AND (a.f).src_port = (b.f).dst_port AND (a.f).mac_src = (b.f).mac_dst
	AND (a.f).mac_dst = (b.f).mac_src AND (a.f).community_id = (b.f).community_id, 'the ends are exchanged, the Community ID is the same')
	FROM flow a, flow b WHERE a.file = 'swap_a.pcap' AND b.file = 'swap_b.pcap';

-- ---- the other end as initiator: forward and backward change places

CREATE TEMP TABLE turned ON COMMIT DROP AS
	SELECT k, va.value AS a, to_jsonb(b.f) -> CASE
		WHEN k ~ '(^|_)fwd(_|$)' THEN regexp_replace(k, '(^|_)fwd(_|$)', '\1bwd\2')
		WHEN k ~ '(^|_)bwd(_|$)' THEN regexp_replace(k, '(^|_)bwd(_|$)', '\1fwd\2')
		WHEN k ~ '^src_' THEN replace(k, 'src_', 'dst_') WHEN k ~ '^dst_(ip|port)$' THEN replace(k, 'dst_', 'src_')
		WHEN k = 'mac_src' THEN 'mac_dst' WHEN k = 'mac_dst' THEN 'mac_src' ELSE k END AS b
	FROM flow a, flow b, jsonb_each(to_jsonb(a.f)) va(k, value)
	WHERE a.file = 'turn_a.pcap' AND b.file = 'turn_b.pcap'
		AND k IN (SELECT name FROM jj_features WHERE implemented AND group_name IN ('flow_meta', 'timing', 'size', 'ip_extended', 'mac'));
SELECT cmp_ok((SELECT count(*) FROM turned WHERE k ~ 'fwd|bwd' AND a <> 'null'), '>', 40::bigint, 'columns with a direction');
SELECT is_empty($$ SELECT * FROM turned WHERE k ~ '(^|_)(fwd|bwd)(_|$)|^src_|^dst_(ip|port)$|^mac_(src|dst)$' AND NOT pg_temp.same(a, b) $$, 'they change places');
SELECT is_empty($$ SELECT * FROM turned WHERE k ~ '^(iat|pkt_len|payload_len)_(min|max|mean|std|median|p\d\d)$|^total_|^duration$|^start|^end|^burst|^idle|^dominant|^splt_(lengths|times)$|^ip_(df|id|flags|version|ecn)|_total$'
	AND NOT pg_temp.same(a, b) $$, 'what has no direction stays');
SELECT is_empty($$ SELECT * FROM turned WHERE k IN ('pkt_asymmetry', 'byte_asymmetry') AND NOT pg_temp.same(a, to_jsonb(-(b::numeric))) $$, 'asymmetries change their sign');
SELECT ok((a.f).splt_directions = ARRAY(SELECT -x FROM unnest((b.f).splt_directions) x) AND (a.f).pkt_len_sequence = ARRAY(SELECT -x FROM unnest((b.f).pkt_len_sequence) x),
	'and so do the sequences') FROM flow a, flow b WHERE a.file = 'turn_a.pcap' AND b.file = 'turn_b.pcap';
SELECT ok((SELECT (f).packets_fwd <> (f).packets_bwd AND (f).bytes_fwd <> (f).bytes_bwd AND (f).ip_ttl_fwd_min <> (f).ip_ttl_bwd_min FROM flow WHERE file = 'turn_a.pcap'),
	'the two directions differ');
SELECT * FROM finish();
ROLLBACK;
