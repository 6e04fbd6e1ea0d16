-- options: what each does, the forms of their values, and what is refused
-- a link in the data directory leads to the captures, so that no message names a folder of this machine
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
RESET client_min_messages;

CREATE FUNCTION pg_temp.flows(capture text, options jsonb) RETURNS bigint LANGUAGE sql AS
	$$ SELECT count(*) FROM jj_extract('jj_captures/' || capture, options => options) $$;

-- each option
SELECT pg_temp.flows('idle.pcap', '{}') AS idle_60s, pg_temp.flows('idle.pcap', '{"flow_timeout": 1}') AS idle_1s,
	pg_temp.flows('idle.pcap', '{"flow_timeout": "infinity"}') AS idle_never;
SELECT pg_temp.flows('active.pcap', '{}') AS active_never, pg_temp.flows('active.pcap', '{"active_timeout": "5s"}') AS active_5s;
SELECT pg_temp.flows('tcp_reuse.pcap', jsonb_build_object('flow_end', e)) AS flows, e AS flow_end FROM unnest('{tcp_close,fin_rst,timeout}'::text[]) e;
SELECT end_reason, count(*) FROM jj_extract('jj_captures/many_udp.pcap', options => '{"max_concurrent_flows": 20}') GROUP BY 1 ORDER BY 1;
SELECT array_agg(src_port) FROM (SELECT src_port FROM jj_extract('jj_captures/many_udp.pcap', options => '{"max_concurrent_flows": 3, "flow_eviction_strategy": "lru"}') LIMIT 3) f;
SELECT array_agg(src_port) FROM (SELECT src_port FROM jj_extract('jj_captures/many_udp.pcap', options => '{"max_concurrent_flows": 3, "flow_eviction_strategy": "oldest"}') LIMIT 3) f;
SELECT count(tunnel) > 0 AS some FROM jj_extract('jj_captures/tunnels.pcap', options => '{"tunnels": "inner"}');
SELECT count(tunnel) > 0 AS some FROM jj_extract('jj_captures/tunnels.pcap', options => '{"tunnels": "outer"}');
SELECT pg_temp.flows('encap_vlan.pcap', '{}') AS by_vlan, pg_temp.flows('encap_vlan.pcap', '{"vlan_in_key": false}') AS without;
SELECT pg_temp.flows('fragments.pcap', '{}') AS joined, pg_temp.flows('fragments.pcap', '{"defragment": "off"}') AS apart;
SELECT sum(burst_count) < (SELECT sum(burst_count) FROM jj_extract('jj_captures/tcp_close.pcap', options => '{"burst_threshold_ms": 0.5}')) AS fewer
FROM jj_extract('jj_captures/tcp_close.pcap');
SELECT max(cardinality(pkt_len_sequence)) FROM jj_extract('jj_captures/demo.pcapng', options => '{"max_sequence_length": 7}');
SELECT count(pkt_len_sequence) FROM jj_extract('jj_captures/demo.pcapng', options => '{"max_sequence_length": 0}');
SELECT max(abs(a.iat_median - b.iat_median) / nullif(a.iat_median, 0)) <= 1.0 / 128 AS close, max(abs(a.iat_mean - b.iat_mean)) AS mean
FROM jj_extract('jj_captures/long_flow.pcap') a JOIN jj_extract('jj_captures/long_flow.pcap', options => '{"max_samples_per_flow": 64}') b USING (first_frame);
SELECT pg_temp.flows('many_udp.pcap', '{"sampling_rate": 0.1}') BETWEEN 10 AND 200 AS some;
SELECT (SELECT array_agg(first_frame) FROM jj_extract('jj_captures/many_udp.pcap', options => '{"sampling_rate": 0.1}'))
	<> (SELECT array_agg(first_frame) FROM jj_extract('jj_captures/many_udp.pcap', options => '{"sampling_rate": 0.1, "sampling_seed": 18446744073709551615}')) AS other_flows;

-- columns: groups, columns, profiles; as an array or a string
CREATE FUNCTION pg_temp.filled(features jsonb) RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(DISTINCT group_name, ' ' ORDER BY group_name) || ': ' || count(DISTINCT k)
	FROM jj_extract('jj_captures/demo.pcapng', options => jsonb_build_object('features', features)) f, jsonb_each(jsonb_strip_nulls(to_jsonb(f))) e(k, v)
	JOIN jj_features ON name = k $$;
SELECT pg_temp.filled('["src_ip", "dst_ip"]');
SELECT pg_temp.filled('"src_ip, dst_ip , duration"');
SELECT pg_temp.filled('["mac", "src_ip"]') LIKE 'flow_meta mac:%' AS two_groups;
SELECT pg_temp.filled('["mac,src_ip"]') = pg_temp.filled('["mac", "src_ip"]') AS same;
SELECT pg_temp.filled('"JJ-CORE"') = pg_temp.filled('"jj-core"') AS same, pg_temp.filled('["JJ-CORE", "all"]') = pg_temp.filled('"all"') AS same;
SELECT DISTINCT tier FROM jj_extract('jj_captures/demo.pcapng', options => '{"features": "JJ-EXTENDED"}') f, jsonb_each(jsonb_strip_nulls(to_jsonb(f))) e(k, v) JOIN jj_features ON name = k;

-- forms of durations
SELECT o AS flow_timeout, pg_temp.flows('idle.pcap', jsonb_build_object('flow_timeout', o))
FROM jsonb_array_elements('[60, 60.0, "60", "60s", "60 s", "1min", "60000ms", "60000000us", "60000000000ns", "0.016666666666667h", 6e1, "1d", "Infinity"]') o;
SELECT o AS burst_threshold_ms, sum(burst_count) FROM jsonb_array_elements('[50, "50", "50ms", "0.05s", "50000us"]') o,
	jj_extract('jj_captures/demo.pcapng', options => jsonb_build_object('burst_threshold_ms', o)) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng', options => '{"vlan_in_key": "no", "defragment": "true", "continue": "off", "max_sequence_length": "10", "sampling_rate": "1", "max_samples_per_flow": 100.0}');

-- what is refused; DETAIL and HINT belong to it
CREATE FUNCTION pg_temp.refused(options jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	PERFORM FROM jj_extract('jj_captures/demo.pcapng', options => options);
	RAISE 'options % were taken', options;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RAISE INFO E'%\n  %: %\n  %', options, SQLSTATE, message, hint;
END $$;
\set VERBOSITY terse
DO $$ DECLARE o jsonb; BEGIN
	FOREACH o IN ARRAY ARRAY['[]', '5', 'null', '"flow_timeout"', '{"flow_timout": 1}', '{"idle": 1}', '{"": 1}',
		'{"flow_timeout": -1}', '{"flow_timeout": "-1s"}', '{"flow_timeout": 1e30}', '{"flow_timeout": 9223372037}', '{"flow_timeout": "soon"}', '{"flow_timeout": "5 weeks"}', '{"flow_timeout": "nan"}',
		'{"flow_timeout": "0x10"}', '{"flow_timeout": ""}', '{"flow_timeout": null}', '{"flow_timeout": [1]}', '{"flow_timeout": true}',
		'{"flow_end": "fin"}', '{"flow_end": 1}', '{"max_concurrent_flows": -1}', '{"max_concurrent_flows": 2147483648}', '{"max_concurrent_flows": 99999999999999999999999}', '{"max_concurrent_flows": 1.5}',
		'{"max_concurrent_flows": "many"}', '{"flow_eviction_strategy": "random"}', '{"tunnels": "both"}', '{"vlan_in_key": "maybe"}', '{"vlan_in_key": {}}', '{"defragment": 2}',
		'{"burst_threshold_ms": 0}', '{"burst_threshold_ms": "2h"}', '{"burst_threshold_ms": "infinity"}', '{"max_sequence_length": 65536}', '{"max_samples_per_flow": 63}', '{"max_samples_per_flow": 1000001}',
		'{"sampling_rate": 0}', '{"sampling_rate": 1e-10}', '{"sampling_rate": 1.0001}', '{"sampling_rate": -0.5}', '{"sampling_rate": "half"}', '{"sampling_seed": 18446744073709551616}', '{"sampling_seed": -1}', '{"continue": null}',
		'{"features": []}', '{"features": null}', '{"features": ["tcp", null]}', '{"features": ["tcp", 5]}', '{"features": {"tcp": 1}}', '{"features": 7}', '{"features": ""}', '{"features": "tcp,"}',
		'{"features": ["timings"]}', '{"features": "src_ipp"}', '{"features": ["JJ-CORES"]}', '{"features": "weather"}']::jsonb[]
	LOOP
		PERFORM pg_temp.refused(o);
	END LOOP;
END $$;
\set VERBOSITY default

COPY shell FROM PROGRAM 'rm jj_captures';
