-- What options may change, and what not: all packets stay, whatever ends the flows.
BEGIN;
\ir setup.psql
SELECT * FROM no_plan();
SELECT pg_temp.load_flows();

CREATE TEMP TABLE variant (name text, options jsonb) ON COMMIT DROP;
INSERT INTO variant VALUES
	('fin_rst', '{"flow_end": "fin_rst"}'), ('timeout', '{"flow_end": "timeout"}'), ('never idle', '{"flow_timeout": "infinity"}'),
	('idle after 1 s', '{"flow_timeout": 1}'), ('active 5 s', '{"active_timeout": "5s"}'), ('no VLANs in the key', '{"vlan_in_key": false}'),
	('no fragments joined', '{"defragment": false}'), ('outer', '{"tunnels": "outer"}'), ('20 flows, lru', '{"max_concurrent_flows": 20}'),
	('3 flows, oldest', '{"max_concurrent_flows": 3, "flow_eviction_strategy": "oldest"}'), ('no sequences', '{"max_sequence_length": 0}'),
	('bursts of 1 ms', '{"burst_threshold_ms": 1}');
CREATE TEMP TABLE other ON COMMIT DROP AS
	SELECT v.name AS variant, c.name AS file, count(*) AS flows, sum(total_packets) AS packets, sum(total_bytes) AS bytes, count(*) FILTER (WHERE end_reason = 'evicted') AS evicted,
		count(*) FILTER (WHERE end_reason = 'active') AS active, count(tunnel) AS tunnels, max(burst_count) AS bursts, count(pkt_len_sequence) AS sequences
	FROM variant v, capture c, jj_extract(c.path, options => v.options) WHERE c.own AND c.error IS NULL GROUP BY 1, 2;

SELECT is_empty(format($$ SELECT o.file, o.packets, s.packets FROM other o JOIN (SELECT file, sum((f).total_packets) AS packets FROM flow GROUP BY 1) s USING (file)
	WHERE variant = %L AND o.packets <> s.packets $$, name), name || ': no packet is lost') FROM variant ORDER BY name;
SELECT is_empty(format($$ SELECT o.file, o.bytes, s.bytes FROM other o JOIN (SELECT file, sum((f).total_bytes) AS bytes FROM flow GROUP BY 1) s USING (file)
	WHERE variant = %L AND o.bytes <> s.bytes $$, name), name || ': nor any byte') FROM variant WHERE name <> 'outer' ORDER BY name;
CREATE FUNCTION pg_temp.flows(v text, capture text) RETURNS bigint LANGUAGE sql AS $$ SELECT flows FROM other WHERE variant = v AND file = capture $$;
SELECT is(pg_temp.flows('fin_rst', 'tcp_close.pcap'), 15::bigint, 'fin_rst cuts a connection at each FIN');
SELECT is(pg_temp.flows('timeout', 'tcp_reuse.pcap'), 7::bigint, 'timeout joins what shares its ends');
SELECT is(pg_temp.flows('no VLANs in the key', 'encap_vlan.pcap'), 1::bigint, 'vlan_in_key');
SELECT is(pg_temp.flows('never idle', 'idle.pcap'), 6::bigint, 'flow_timeout infinity');
SELECT cmp_ok((SELECT evicted FROM other WHERE variant = '20 flows, lru' AND file = 'many_udp.pcap'), '=', 420::bigint, 'max_concurrent_flows evicts');
SELECT cmp_ok((SELECT active FROM other WHERE variant = 'active 5 s' AND file = 'active.pcap'), '=', 50::bigint, 'active_timeout cuts');
SELECT is((SELECT sum(tunnels) FROM other WHERE variant = 'outer'), 0::numeric, 'tunnels outer takes none off');
SELECT cmp_ok((SELECT bursts FROM other WHERE variant = 'bursts of 1 ms' AND file = 'tcp_close.pcap'), '>', (SELECT max((f).burst_count)::int FROM flow WHERE file = 'tcp_close.pcap'), 'burst_threshold_ms');
SELECT is((SELECT sum(sequences) FROM other WHERE variant = 'no sequences'), 0::numeric, 'max_sequence_length 0');

-- ---- features: the named columns and no others, with the same values

SELECT is_empty($$ SELECT c.name, e.k FROM capture c CROSS JOIN LATERAL jj_extract(c.path, options => '{"features": ["timing", "src_ip", "total_packets"]}') j
		CROSS JOIN LATERAL jsonb_each(to_jsonb(j)) e(k, v)
	WHERE own AND error IS NULL AND v <> 'null' AND k NOT IN ('src_ip', 'total_packets') AND k NOT IN (SELECT name FROM jj_features WHERE group_name = 'timing') $$,
	'columns that are not asked for are NULL');
SELECT is_empty($$ SELECT c.name, n FROM capture c CROSS JOIN LATERAL (SELECT row_number() OVER () AS n, x.* FROM jj_extract(c.path, options => '{"features": ["timing", "tcp_fstat", "end_reason"]}') x) j
	JOIN flow ON file = c.name AND ord = n WHERE own AND error IS NULL AND (j.iat_p90 IS DISTINCT FROM (f).iat_p90 OR j.tcp_fstat IS DISTINCT FROM (f).tcp_fstat
		OR j.end_reason IS DISTINCT FROM (f).end_reason OR j.splt_directions IS DISTINCT FROM (f).splt_directions) $$, 'the others are as ever');

-- ---- a filter takes whole packets away

SELECT is((SELECT sum(total_packets) FROM jj_extract(:'captures' || '/demo.pcapng', 'udp port 53')), 14::numeric, 'filter: DNS only');
SELECT is((SELECT sum(total_packets) FROM jj_extract(:'captures' || '/demo.pcapng', 'not udp')) + (SELECT sum(total_packets) FROM jj_extract(:'captures' || '/demo.pcapng', 'udp')),
	(SELECT sum(total_packets) FROM jj_extract(:'captures' || '/demo.pcapng')), 'filter: two halves make the whole');

-- ---- several files as one

SELECT is((SELECT count(*) FROM jj_extract(ARRAY[:'captures' || '/pcap_le_us.pcap', :'captures' || '/pcap_be_us.pcap'], options => '{"continue": true}')), 2::bigint,
	'continue: flows go on in the next file');
SELECT is((SELECT count(*) FROM jj_extract(ARRAY[:'captures' || '/pcap_le_us.pcap', :'captures' || '/pcap_be_us.pcap'])), 4::bigint, 'flows end with their file');
SELECT is((SELECT array_agg(DISTINCT capture ORDER BY capture) FROM jj_extract(ARRAY[:'captures' || '/swap_*.pcap'])), ARRAY['swap_a.pcap', 'swap_b.pcap'], 'globs');
SELECT * FROM finish();
ROLLBACK;
