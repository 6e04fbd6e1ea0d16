-- Columns of timing and size computed anew in SQL from the packet sequences of each flow.
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

-- the long flow with its whole sequence
INSERT INTO flow SELECT 'long', row_number() OVER (), j FROM jj_extract(:'captures' || '/long_flow.pcap', options => '{"max_sequence_length": 2000}') j;

CREATE TEMP TABLE packet ON COMMIT DROP AS
	SELECT file, ord, i, len, dir = -1 AS bwd, t, CASE WHEN i > 1 THEN gap END AS gap,
		t - lag(t) OVER (PARTITION BY file, ord, dir ORDER BY i) AS own_gap
	FROM flow, unnest((f).splt_lengths, (f).splt_directions, (f).timestamp_sequence, (f).splt_times) WITH ORDINALITY p(len, dir, t, gap, i)
	WHERE (f).total_packets = cardinality((f).splt_lengths);
SELECT cmp_ok((SELECT count(DISTINCT (file, ord)) FROM packet), '>', 700::bigint, 'flows whose packets are all known');
SELECT ok(EXISTS (SELECT FROM packet WHERE file = 'long' AND i = 1500), 'one of them long');

CREATE TEMP TABLE burst ON COMMIT DROP AS
	SELECT file, ord, b, count(*) AS n, max(t) - min(t) AS seconds FROM (
		SELECT file, ord, t, count(*) FILTER (WHERE gap >= 0.05) OVER (PARTITION BY file, ord ORDER BY i) AS b FROM packet) x GROUP BY 1, 2, 3;

CREATE TEMP TABLE mine ON COMMIT DROP AS
	SELECT file, ord, to_jsonb(x) - '{file,ord}'::text[] AS j FROM (
		SELECT file, ord, count(*) AS total_packets, count(*) FILTER (WHERE NOT bwd) AS packets_fwd, count(*) FILTER (WHERE bwd) AS packets_bwd,
			sum(len) AS total_bytes, coalesce(sum(len) FILTER (WHERE NOT bwd), 0) AS bytes_fwd,
			min(gap) AS iat_min, max(gap) AS iat_max, avg(gap) AS iat_mean, stddev_pop(gap) AS iat_std, sum(gap) AS iat_sum,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) AS iat_median, percentile_cont(0.25) WITHIN GROUP (ORDER BY gap) AS iat_p25,
			percentile_cont(0.75) WITHIN GROUP (ORDER BY gap) AS iat_p75, percentile_cont(0.9) WITHIN GROUP (ORDER BY gap) AS iat_p90,
			percentile_cont(0.99) WITHIN GROUP (ORDER BY gap) AS iat_p99,
			min(len) AS pkt_len_min, max(len) AS pkt_len_max, avg(len) AS pkt_len_mean, stddev_pop(len) AS pkt_len_std, var_pop(len) AS pkt_len_variance,
			percentile_cont(0.5) WITHIN GROUP (ORDER BY len) AS pkt_len_median, percentile_cont(0.25) WITHIN GROUP (ORDER BY len) AS pkt_len_p25,
			percentile_cont(0.75) WITHIN GROUP (ORDER BY len) AS pkt_len_p75, percentile_cont(0.9) WITHIN GROUP (ORDER BY len) AS pkt_len_p90,
			min(len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_min, max(len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_max, avg(len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_mean,
			stddev_pop(len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_median,
			min(len) FILTER (WHERE bwd) AS pkt_len_bwd_min, max(len) FILTER (WHERE bwd) AS pkt_len_bwd_max, avg(len) FILTER (WHERE bwd) AS pkt_len_bwd_mean,
			stddev_pop(len) FILTER (WHERE bwd) AS pkt_len_bwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY len) FILTER (WHERE bwd) AS pkt_len_bwd_median,
			count(*) FILTER (WHERE gap >= 0.05) AS idle_count, avg(gap) FILTER (WHERE gap >= 0.05) AS avg_idle_duration, max(gap) FILTER (WHERE gap >= 0.05) AS max_idle_duration,
			(count(*) FILTER (WHERE NOT bwd) - count(*) FILTER (WHERE bwd))::float8 / count(*) AS pkt_asymmetry,
			sum(CASE WHEN bwd THEN -len ELSE len END)::float8 / sum(len) AS byte_asymmetry,
			count(*) FILTER (WHERE NOT bwd) / nullif(count(*) FILTER (WHERE bwd), 0)::float8 AS packets_ratio,
			count(*) / nullif(max(t), 0) AS packets_per_second, sum(len) / nullif(max(t), 0) AS bytes_per_second,
			CASE WHEN count(gap) >= 2 THEN stddev_pop(gap) / nullif(avg(gap), 0) END AS burstiness_index
		FROM packet GROUP BY 1, 2) x
	UNION ALL
	SELECT file, ord, to_jsonb(x) - '{file,ord}'::text[] FROM (
		SELECT file, ord, count(*) AS burst_count, avg(n) AS avg_burst_packets, avg(seconds) AS avg_burst_duration, max(n) AS max_burst_packets FROM burst GROUP BY 1, 2) x
	UNION ALL
	SELECT file, ord, to_jsonb(x) - '{file,ord}'::text[] FROM (
		SELECT DISTINCT ON (file, ord) file, ord, len AS dominant_pkt_size, count(*)::float8 / sum(count(*)) OVER (PARTITION BY file, ord) AS dominant_pkt_ratio
		FROM packet GROUP BY file, ord, len ORDER BY file, ord, count(*) DESC, min(i)) x;

-- a gap within a direction is the difference of two times, each rounded to a double
CREATE TEMP TABLE mine_direction ON COMMIT DROP AS
	SELECT file, ord, to_jsonb(x) - '{file,ord}'::text[] AS j FROM (
		SELECT file, ord, min(own_gap) FILTER (WHERE NOT bwd) AS iat_fwd_min, max(own_gap) FILTER (WHERE NOT bwd) AS iat_fwd_max, avg(own_gap) FILTER (WHERE NOT bwd) AS iat_fwd_mean,
			stddev_pop(own_gap) FILTER (WHERE NOT bwd) AS iat_fwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY own_gap) FILTER (WHERE NOT bwd) AS iat_fwd_median,
			min(own_gap) FILTER (WHERE bwd) AS iat_bwd_min, max(own_gap) FILTER (WHERE bwd) AS iat_bwd_max, avg(own_gap) FILTER (WHERE bwd) AS iat_bwd_mean,
			stddev_pop(own_gap) FILTER (WHERE bwd) AS iat_bwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY own_gap) FILTER (WHERE bwd) AS iat_bwd_median
		FROM packet GROUP BY 1, 2) x;

CREATE FUNCTION pg_temp.differences(own regclass, within numeric) RETURNS TABLE (file text, ord bigint, col text, here jsonb, there jsonb) LANGUAGE plpgsql AS $$
BEGIN
	-- OFFSET 0: a row becomes jsonb once, not once a column
	RETURN QUERY EXECUTE format('SELECT m.file, m.ord, e.k, e.v, w.v FROM %s m JOIN (SELECT file, ord, to_jsonb(f) AS j FROM flow OFFSET 0) r USING (file, ord),
			jsonb_each(m.j) e(k, v) JOIN LATERAL jsonb_each(r.j) w(k, v) USING (k)
		WHERE NOT pg_temp.same(e.v, w.v) AND NOT coalesce(abs((e.v #>> ''{}'')::numeric - (w.v #>> ''{}'')::numeric) <= $1, false)', own) USING within;
END $$;
SELECT is_empty($$ SELECT * FROM pg_temp.differences('mine', 1e-12) $$, 'lengths, gaps, bursts: as percentile_cont, stddev_pop and the others give them');
SELECT is_empty($$ SELECT * FROM pg_temp.differences('mine_direction', 1e-9) $$, 'gaps within each direction');
SELECT cmp_ok((SELECT count(*) FROM mine, jsonb_object_keys(j)), '>', 20000::bigint, 'values compared');

-- ---- the groups icmp, ipv6_options, padding and entropy from other columns

SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).pkt_size_variance <> (f).pkt_len_variance OR (f).dominant_size_mode <> (f).dominant_pkt_size
	OR (f).dominant_size_ratio <> (f).dominant_pkt_ratio OR (f).iat_cv IS DISTINCT FROM (f).burstiness_index
	OR NOT pg_temp.same(to_jsonb((f).pkt_size_cv), CASE WHEN (f).total_packets > 1 THEN to_jsonb((f).pkt_len_std / (f).pkt_len_mean) END)
	OR abs((f).iat_variance - (f).iat_std ^ 2) > 1e-9 * (f).iat_variance
	OR (f).burst_overhead_bytes <> (f).total_bytes - (f).payload_bytes_total OR abs((f).burst_padding_ratio - (f).burst_overhead_bytes::float8 / (f).total_bytes) > 1e-12 $$,
	'padding agrees with size and timing');
SELECT is_empty($$ SELECT p.file, p.ord FROM (SELECT file, ord, count(*) AS k, -sum(n / total * ln(n / total)) AS h
		FROM (SELECT file, ord, len, count(*)::float8 AS n, sum(count(*)) OVER (PARTITION BY file, ord)::float8 AS total FROM packet GROUP BY 1, 2, 3) x GROUP BY 1, 2) p
	JOIN flow USING (file, ord) WHERE (f).unique_size_count <> k OR CASE WHEN k = 1 THEN (f).size_entropy IS NOT NULL ELSE ((f).size_entropy - h / ln(k)) IS NULL
		OR abs((f).size_entropy - h / ln(k)) > 1e-12 END $$, 'distinct lengths and their entropy');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).ipv6_packet_count + (f).ipv4_packet_count <> (f).total_packets OR (f).is_ipv6_only <> ((f).ip_version = 6)
	OR (f).ip_version = 6 AND ((f).ipv6_traffic_class, (f).ipv6_dscp, (f).ipv6_ecn, (f).ipv6_traffic_class_unique_count::int)
		IS DISTINCT FROM ((f).ip_tos_value, (f).ip_dscp, (f).ip_ecn, (f).ip_tos_unique_count::int) $$, 'ipv6_options agrees with ip_extended');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).is_icmp_only <> ((f).protocol IN (1, 58)) OR ((f).icmp_packet_count IS NULL) = (f).is_icmp_only
	OR abs((f).icmp_ratio - coalesce((f).icmp_packet_count, 0)::float8 / (f).total_packets) > 1e-12 OR (f).icmp_echo_success_ratio NOT BETWEEN 0 AND 1
	OR (f).icmp_dominant_type_count > (f).icmp_packet_count OR (f).icmp_seq_min > (f).icmp_seq_max OR (f).icmp_unique_ids > 1 $$, 'icmp agrees with itself');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).payload_bytes_sampled > 512 OR (f).payload_bytes_sampled > (f).payload_bytes_total
	OR ((f).entropy_payload IS NULL) <> ((f).payload_bytes_sampled = 0) OR (f).entropy_payload NOT BETWEEN 0 AND least(8, log(2, greatest((f).payload_bytes_sampled, 1))::float8 + 1e-12)
	OR (f).printable_ratio + (f).null_ratio + (f).high_byte_ratio > 1 + 1e-12 OR ((f).byte_distribution_uniformity IS NULL) <> ((f).payload_bytes_sampled < 256)
	OR NOT pg_temp.same(to_jsonb((f).entropy_ratio), to_jsonb((f).entropy_initiator / nullif((f).entropy_responder, 0))) $$, 'entropy keeps its bounds');
SELECT ok(bool_or((f).icmp_echo_success_ratio > 0) AND bool_or((f).size_entropy > 0) AND bool_or((f).entropy_ratio > 0) AND bool_or(cardinality((f).ipv6_ext_headers) > 1),
	'each of these groups has something to tell') FROM flow;

-- ---- some values by hand: the HTTP connection of pcap_le_us.pcap, eleven segments 5 ms apart

SELECT is((f).src_ip, inet '192.0.2.10', 'source') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((f).dst_port_class, 'http', 'port class') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((f).hdr_desc, 'ETH-IP-TCP', 'headers') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((f).pkt_len_sequence, ARRAY[52, -52, 40, 81, -40, -1500, -421, 40, 40, -40, 40], 'lengths: options, request of 41 bytes, answer of 1841 in two segments')
	FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((f).payload_bytes_bwd, 1841::bigint, 'payload') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT ok((f).tcp_complete_handshake AND (f).tcp_graceful_close AND NOT (f).tcp_reset_close AND (f).tcp_syn_count = 1 AND (f).tcp_synack_count = 1
	AND (f).tcp_fin_count = 2 AND (f).tcp_ack_count = 10 AND (f).tcp_psh_count = 2 AND (f).tcp_data_packets = 3 AND (f).tcp_fstat = 95 AND (f).flow_stat = 79,
	'TCP') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT ok((f).ip_ttl_fwd_initial_est = 64 AND (f).ip_ttl_fwd_hops_est = 0 AND (f).ip_ttl_bwd_hops_est = 7 AND (f).ip_df_ratio = 1 AND (f).ip_flags = 2 AND (f).ip_version = 4, 'IP')
	FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT ok((f).mac_src = '02:00:00:00:00:0a' AND (f).mac_dst = '02:00:00:00:00:0b' AND (f).mac_eth_type = 2048 AND (f).mac_vlan_count = 0 AND (f).mac_stat = 3, 'MAC')
	FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((f).duration, 0.050001::float8, 'duration') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((f).first_response_time, 0.005::float8, 'first response') FROM flow WHERE file = 'pcap_le_us.pcap' AND ord = 2;
SELECT is((SELECT array_agg((f).vlan_ids ORDER BY (f).first_frame) FROM flow WHERE file = 'encap_vlan.pcap' AND cardinality((f).vlan_ids) = 2), ARRAY[ARRAY[200, 10], ARRAY[1, 3]],
	'VLAN ids from the outermost');
SELECT is((SELECT array_agg((f).tunnel ORDER BY (f).first_frame) FROM flow WHERE file = 'tunnels_deep.pcap'),
	ARRAY['4in4', '4in4/4in4', '4in4/4in4/4in4', '4in4/4in4/4in4/4in4', '4in4/4in4/4in4/4in4', 'vxlan:55/gre:8/6in4/4in6'], 'tunnels');
SELECT is((SELECT (f).fragment_count FROM flow WHERE file = 'fragments.pcap' AND (f).src_port = 5000 AND (f).ip_version = 4), 3, 'fragments');
SELECT * FROM finish();
ROLLBACK;
