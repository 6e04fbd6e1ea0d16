-- Which flow a fragment is of: by rule, from packets that were not put together, and by hand.
BEGIN;
\ir setup.psql
SELECT * FROM no_plan();

CREATE TEMP TABLE packet ON COMMIT DROP AS SELECT c.name AS file, p.* FROM capture c, jj_packets(c.path) p WHERE c.own AND c.name ~ 'fragment';
CREATE TEMP TABLE loose ON COMMIT DROP AS SELECT c.name AS file, p.* FROM capture c, jj_packets(c.path, options => '{"defragment": false}') p WHERE c.own AND c.name ~ 'fragment';

-- ---- the rule: a later fragment has the protocol and ports of the last first one before it that is no more than 30 s older, else of the next one
-- that is no more than 30 s younger, unless more of them wait than there is room for (flood, frame 1), or a packet
-- without ports comes whose flow they would be in without it (late, frame 37)

CREATE TEMP TABLE belongs ON COMMIT DROP AS
	SELECT l.file, l.frame, f.* FROM loose l LEFT JOIN LATERAL (
		SELECT frame AS first_frame, protocol, src_port, dst_port, icmp_id FROM loose f
		WHERE f.file = l.file AND f.frag_offset = 0 AND CASE WHEN f.frame < l.frame THEN l.ts_ns - f.ts_ns ELSE f.ts_ns - l.ts_ns END <= 30e9 AND (f.ip_version, f.src_ip, f.dst_ip, f.ip_id) = (l.ip_version, l.src_ip, l.dst_ip, l.ip_id)
			AND (f.vlan_ids, regexp_replace(f.tunnel, 'gtp-u:\d+', 'gtp-u')) IS NOT DISTINCT FROM (l.vlan_ids, regexp_replace(l.tunnel, 'gtp-u:\d+', 'gtp-u'))
			AND (f.protocol = l.protocol OR l.protocol NOT IN (1, 6, 17, 58))
		ORDER BY f.frame < l.frame DESC, CASE WHEN f.frame < l.frame THEN -f.frame ELSE f.frame END LIMIT 1) f ON true
	WHERE l.frag_offset > 0;
SELECT is_empty($$ SELECT file, frame, b.first_frame, p.src_port, b.src_port FROM packet p JOIN belongs b USING (file, frame)
	WHERE (p.src_port, p.dst_port, p.protocol) IS DISTINCT FROM (b.src_port, b.dst_port, coalesce(b.protocol, p.protocol)) AND (file, frame) NOT IN (VALUES ('fragments_flood.pcap', 1), ('fragments_late.pcap', 37)) $$,
	'ports of later fragments: those of the first, whether it comes before or after them');
SELECT is_empty($$ SELECT b.file, b.frame, b.first_frame FROM belongs b JOIN packet p USING (file, frame) JOIN packet f ON f.file = b.file AND f.frame = b.first_frame
	WHERE f.flow <> p.flow AND b.frame < b.first_frame AND (b.file, b.frame) NOT IN (VALUES ('fragments_flood.pcap', 1), ('fragments_late.pcap', 37)) $$, 'one that waited is of the flow of its first');
SELECT cmp_ok((SELECT count(*) FROM belongs WHERE first_frame > frame), '>', 80::bigint, 'fragments before their first');
SELECT cmp_ok((SELECT count(*) FROM belongs WHERE first_frame < frame), '>', 30::bigint, 'fragments behind it');
SELECT cmp_ok((SELECT count(*) FROM belongs WHERE first_frame IS NULL), '>', 1400::bigint, 'fragments without');

-- ---- by hand

-- port of the initiator, packets, fragments, first frame, microseconds from first to last packet
CREATE FUNCTION pg_temp.flows(name text, which text DEFAULT 'src_port >= 5000', about text DEFAULT '''''') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	o text;
BEGIN
	EXECUTE format($q$ SELECT string_agg(format('%%s: %%s, %%s from %%s, %%s us%%s', src_port, total_packets, fragment_count, first_frame, round(duration * 1e6), %s), '; ' ORDER BY first_frame)
		FROM jj_extract($1) WHERE %s $q$, about, which) USING (SELECT path FROM capture c WHERE c.name = $1) INTO o;
	RETURN o;
END $$;
SELECT is(pg_temp.flows('fragments_reversed.pcap', 'src_port BETWEEN 5000 AND 5013 AND ip_version = 4'),
	'5000: 10, 9 from 1, 9000 us; 5001: 3, 3 from 11, 4000 us; 5002: 3, 3 from 12, 4000 us; 5003: 6, 6 from 17, 5000 us; 5004: 4, 2 from 30, 2000 us; 5010: 11, 3 from 65, 10000 us; 5011: 2, 2 from 76, 101000 us; 5013: 3, 3 from 181, 2000 us',
	'last fragment first, IPv4: a flow begins with the packet that was captured first');
SELECT is(pg_temp.flows('fragments_reversed.pcap', 'src_port BETWEEN 5000 AND 5013 AND ip_version = 6'),
	'5000: 10, 9 from 33, 9000 us; 5001: 3, 3 from 43, 4000 us; 5002: 3, 3 from 44, 4000 us; 5003: 6, 6 from 49, 5000 us; 5004: 4, 2 from 62, 2000 us; 5012: 3, 3 from 178, 2000 us',
	'IPv6');
SELECT is(pg_temp.flows('fragments_reversed.pcap', 'protocol IN (1, 58)'),
	': 6, 6 from 23, 5000 us; : 6, 6 from 55, 5000 us',
	'echo request and reply of ICMP and ICMPv6');
SELECT is(pg_temp.flows('fragments_late.pcap', 'true', $$' ' || end_reason$$),
	'5000: 2, 2 from 1, 30000000 us idle; : 4, 4 from 2, 120000000 us idle; 5004: 1, 0 from 3, 0 us idle; 5005: 3, 2 from 4, 55000000 us idle; : 1, 1 from 5, 0 us idle; : 1, 1 from 6, 0 us idle; : 1, 1 from 7, 0 us idle; 5001: 1, 1 from 9, 0 us idle; 5004: 2, 2 from 11, 15000000 us idle; 5006: 2, 2 from 14, 500000 us idle; 5007: 2, 2 from 16, 100000 us idle; 5002: 1, 1 from 20, 0 us idle; 5010: 6, 0 from 22, 50000 us tcp_close; 5010: 3, 3 from 28, 2000 us idle; 5020: 3, 2 from 31, 0 us end_of_capture; 5021: 3, 2 from 34, 0 us end_of_capture; : 2, 1 from 37, 1000000 us end_of_capture; 5031: 2, 2 from 39, 1000000 us end_of_capture',
	'firsts that come late or never, and flows that end meanwhile');
SELECT is(pg_temp.flows('fragments_overlap.pcap', 'true'),
	'5000: 2, 2 from 1, 1000 us; 5010: 8, 8 from 3, 7000 us; 5020: 3, 3 from 11, 2000 us; 5030: 2, 2 from 14, 1000 us; : 2, 2 from 16, 1000 us; 5040: 2, 2 from 18, 1000 us; 5050: 3, 3 from 20, 2000 us; 5001: 2, 2 from 23, 1000 us; 5011: 8, 8 from 25, 7000 us; 5021: 3, 3 from 33, 2000 us; 5031: 2, 2 from 36, 1000 us; : 2, 2 from 38, 1000 us; 5041: 2, 2 from 40, 1000 us; 5051: 3, 3 from 42, 2000 us',
	'teardrop and other overlaps: the same in either order');
SELECT is(pg_temp.flows('fragments_encap.pcap', 'true', $$coalesce(' ' || tunnel, '') || coalesce(' ' || vlan_ids::text, '')$$),
	'5000: 6, 6 from 1, 14000 us; 5000: 2, 2 from 2, 10000 us {10}; 5000: 2, 2 from 3, 10000 us {200,10}; 5000: 2, 2 from 6, 10000 us gre:1; 5000: 2, 2 from 7, 10000 us gre:2; 5000: 2, 2 from 8, 10000 us vxlan:77; 5000: 2, 2 from 9, 10000 us gtp-u:66; 5000: 2, 2 from 10, 10000 us 4in6; 5001: 2, 2 from 21, 1000 us 6in4; : 3, 3 from 23, 2000 us; 40000: 3, 3 from 26, 2000 us',
	'in VLANs and tunnels');
SELECT is(pg_temp.flows('fragments_flood.pcap', 'src_port IS NOT NULL OR fragment_count > 1'),
	': 1100, 1100 from 2, 110000 us; 5001: 2, 2 from 702, 40100 us; : 100, 100 from 1404, 9900 us; 5002: 2, 2 from 1504, 100 us; 5000: 1, 1 from 1506, 0 us',
	'a flood ends the wait of the oldest, no other');
SELECT * FROM finish();
ROLLBACK;
