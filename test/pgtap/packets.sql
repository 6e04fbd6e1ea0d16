-- Columns of every kind computed anew in SQL from jj_packets, for all flows of all captures.
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

CREATE TEMP TABLE every_packet ON COMMIT DROP AS SELECT c.name AS file, p.* FROM capture c, jj_packets(c.path) p WHERE c.own AND c.error IS NULL;
CREATE TEMP TABLE packet ON COMMIT DROP AS
	SELECT *, direction = -1 AS bwd, row_number() OVER w AS i, row_number() OVER d AS k, t_ns - lag(t_ns) OVER w AS gap, t_ns - lag(t_ns) OVER d AS own_gap,
		ttl <> lag(ttl) OVER d AS ttl_changed, (ip_id - lag(ip_id) OVER d + 65536) % 65536 AS id_step
	FROM every_packet WHERE flow IS NOT NULL
	WINDOW w AS (PARTITION BY file, flow ORDER BY flow_packet), d AS (PARTITION BY file, flow, direction ORDER BY flow_packet);
CREATE INDEX ON packet (file, flow, frame);
ANALYZE packet;

-- ---- records: all of them, each of the flow that counts it, or with a reason

SELECT is_empty($$ SELECT file, max(packets), count(r.frame) FROM (SELECT c.name AS file, i.packets FROM capture c, jj_pcap_info(c.path) i WHERE own AND error IS NULL) x
	LEFT JOIN every_packet r USING (file) GROUP BY file HAVING count(r.frame) <> max(packets) OR coalesce(max(r.frame), 0) <> max(packets) OR count(DISTINCT r.frame) <> max(packets) $$,
	'one row for each packet record, numbered from 1');
SELECT is_empty($$ SELECT * FROM (SELECT name AS file, s.key, s.value::bigint FROM capture, jj_pcap_info(path), jsonb_each_text(skipped) s WHERE own AND error IS NULL AND s.value <> '0') a
	FULL JOIN (SELECT file, skipped AS key, count(*) AS value FROM every_packet WHERE skipped IS NOT NULL GROUP BY 1, 2) b USING (file, key) WHERE a.value IS DISTINCT FROM b.value $$,
	'what is skipped, and why, as jj_pcap_info says');
SELECT is_empty('SELECT file, frame FROM every_packet WHERE num_nulls(flow, flow_capture, flow_packet, direction, t_ns) NOT IN (0, 5) OR (flow IS NULL) <> (skipped IS NOT NULL)
	OR flow_capture <> capture OR (flow > frame AND frag_offset IS NULL) OR capture <> file', 'a flow, or a reason');
SELECT is_empty('SELECT file, flow, flow_packet FROM packet WHERE i <> flow_packet OR (flow_packet = 1) <> (frame = flow) OR gap < 0 OR (flow_packet = 1 AND t_ns <> 0)',
	'the packets of a flow are numbered, its clock begins at 0 and never runs backwards');
SELECT is_empty('SELECT a.file, a.frame, b.frame FROM packet a JOIN packet b USING (file, flow) WHERE a.flow_packet < b.flow_packet AND a.frame > b.frame AND coalesce(b.frag_offset, 0) = 0',
	'in order of capture, later fragments apart');
SELECT set_eq('SELECT file, flow FROM packet', 'SELECT file, (f).first_frame FROM flow JOIN capture ON name = file WHERE own', 'the flows of jj_extract');

-- ---- the columns, by group

CREATE TEMP TABLE mine (file text, flow bigint, j jsonb) ON COMMIT DROP;

-- flow_meta
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, flow AS first_frame, count(*) AS total_packets, count(*) FILTER (WHERE NOT bwd) AS packets_fwd, count(*) FILTER (WHERE bwd) AS packets_bwd,
		sum(ip_len) AS total_bytes, coalesce(sum(ip_len) FILTER (WHERE NOT bwd), 0) AS bytes_fwd, coalesce(sum(ip_len) FILTER (WHERE bwd), 0) AS bytes_bwd,
		sum(payload_len) AS payload_bytes_total, coalesce(sum(payload_len) FILTER (WHERE NOT bwd), 0) AS payload_bytes_fwd,
		coalesce(sum(payload_len) FILTER (WHERE bwd), 0) AS payload_bytes_bwd, max(t_ns) / 1e9 AS duration, min(ts_ns) FILTER (WHERE i = 1) AS start_ns,
		min(time) FILTER (WHERE i = 1) AS start_time, min(time) FILTER (WHERE i = 1) AS time_first,
		count(*) FILTER (WHERE NOT bwd) / nullif(count(*) FILTER (WHERE bwd), 0)::numeric AS packets_ratio,
		coalesce(sum(ip_len) FILTER (WHERE NOT bwd), 0) / sum(ip_len) FILTER (WHERE bwd) AS bytes_ratio,
		count(*) / nullif(max(t_ns) / 1e9, 0) AS packets_per_second, sum(ip_len) / nullif(max(t_ns) / 1e9, 0) AS bytes_per_second, avg(ip_len) AS avg_packet_size,
		count(*) FILTER (WHERE fragment) AS fragment_count, count(*) FILTER (WHERE truncated) AS truncated_count, min(capture) AS capture
	FROM packet GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, e AS end_time, e AS time_last
	FROM (SELECT file, flow, timestamptz 'epoch' + floor((min(ts_ns) FILTER (WHERE i = 1) + max(t_ns)) / 1000::numeric)::float8 * interval '1 microsecond' AS e FROM packet GROUP BY 1, 2) y) x;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, CASE WHEN bwd THEN dst_ip ELSE src_ip END AS src_ip, CASE WHEN bwd THEN src_ip ELSE dst_ip END AS dst_ip,
		CASE WHEN bwd THEN dst_port ELSE src_port END AS src_port, CASE WHEN bwd THEN src_port ELSE dst_port END AS dst_port,
		CASE WHEN bwd THEN width_bucket(src_port, ARRAY[0, 1024, 49152]) ELSE width_bucket(dst_port, ARRAY[0, 1024, 49152]) END AS dst_port_class_num,
		protocol, hdr_desc, cardinality(string_to_array(hdr_desc, '-')) AS num_hdrs, vlan_ids, tunnel, tunnel_src_ip, tunnel_dst_ip, ip_version,
		eth_type AS mac_eth_type, vlan_ids[1] AS mac_vlan_id, protocol = 6 AS tcp_is_tcp
	FROM packet WHERE i = 1) x;

-- timing
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, min(gap) / 1e9 AS iat_min, max(gap) / 1e9 AS iat_max, avg(gap) / 1e9 AS iat_mean, stddev_pop(gap::float8) / 1e9 AS iat_std, sum(gap) / 1e9 AS iat_sum,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY gap) / 1e9 AS iat_median, percentile_cont(0.25) WITHIN GROUP (ORDER BY gap) / 1e9 AS iat_p25,
		percentile_cont(0.75) WITHIN GROUP (ORDER BY gap) / 1e9 AS iat_p75, percentile_cont(0.9) WITHIN GROUP (ORDER BY gap) / 1e9 AS iat_p90,
		percentile_cont(0.99) WITHIN GROUP (ORDER BY gap) / 1e9 AS iat_p99,
		min(own_gap) FILTER (WHERE NOT bwd) / 1e9 AS iat_fwd_min, max(own_gap) FILTER (WHERE NOT bwd) / 1e9 AS iat_fwd_max, avg(own_gap) FILTER (WHERE NOT bwd) / 1e9 AS iat_fwd_mean,
		stddev_pop(own_gap::float8) FILTER (WHERE NOT bwd) / 1e9 AS iat_fwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY own_gap) FILTER (WHERE NOT bwd) / 1e9 AS iat_fwd_median,
		min(own_gap) FILTER (WHERE bwd) / 1e9 AS iat_bwd_min, max(own_gap) FILTER (WHERE bwd) / 1e9 AS iat_bwd_max, avg(own_gap) FILTER (WHERE bwd) / 1e9 AS iat_bwd_mean,
		stddev_pop(own_gap::float8) FILTER (WHERE bwd) / 1e9 AS iat_bwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY own_gap) FILTER (WHERE bwd) / 1e9 AS iat_bwd_median,
		CASE WHEN count(gap) >= 2 THEN stddev_pop(gap::float8) / nullif(avg(gap), 0) END AS burstiness_index,
		CASE WHEN count(own_gap) FILTER (WHERE NOT bwd) >= 2 THEN stddev_pop(own_gap::float8) FILTER (WHERE NOT bwd) / nullif(avg(own_gap) FILTER (WHERE NOT bwd), 0) END AS burstiness_index_fwd,
		CASE WHEN count(own_gap) FILTER (WHERE bwd) >= 2 THEN stddev_pop(own_gap::float8) FILTER (WHERE bwd) / nullif(avg(own_gap) FILTER (WHERE bwd), 0) END AS burstiness_index_bwd,
		count(*) FILTER (WHERE gap >= 5e7) AS idle_count, avg(gap) FILTER (WHERE gap >= 5e7) / 1e9 AS avg_idle_duration, max(gap) FILTER (WHERE gap >= 5e7) / 1e9 AS max_idle_duration,
		array_agg(t_ns / 1e9::float8 ORDER BY i) FILTER (WHERE i <= 50) AS timestamp_sequence, array_agg(coalesce(gap, 0) / 1e9::float8 ORDER BY i) FILTER (WHERE i <= 50) AS splt_times,
		coalesce(array_agg(gap / 1e9::float8 ORDER BY i) FILTER (WHERE i BETWEEN 2 AND 51), '{}') AS iat_sequence,
		array_agg(ip_len ORDER BY i) FILTER (WHERE i <= 50) AS splt_lengths, array_agg(direction ORDER BY i) FILTER (WHERE i <= 50) AS splt_directions,
		array_agg(ip_len * direction ORDER BY i) FILTER (WHERE i <= 50) AS pkt_len_sequence
	FROM packet GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, count(*) AS burst_count, avg(n) AS avg_burst_packets, avg(ns) / 1e9 AS avg_burst_duration, max(n) AS max_burst_packets FROM (
		SELECT file, flow, b, count(*) AS n, max(t_ns) - min(t_ns) AS ns FROM (
			SELECT file, flow, t_ns, count(*) FILTER (WHERE gap >= 5e7) OVER (PARTITION BY file, flow ORDER BY i) AS b FROM packet) x GROUP BY 1, 2, 3) y GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, jsonb_build_object('first_response_time', (min(t_ns) FILTER (WHERE bwd AND i > request) - min(t_ns) FILTER (WHERE i = request)) / 1e9)
	FROM (SELECT *, min(i) FILTER (WHERE NOT bwd) OVER (PARTITION BY file, flow) AS request FROM packet) x GROUP BY 1, 2;

-- size
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, min(ip_len) AS pkt_len_min, max(ip_len) AS pkt_len_max, avg(ip_len) AS pkt_len_mean, stddev_pop(ip_len) AS pkt_len_std, var_pop(ip_len) AS pkt_len_variance,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY ip_len) AS pkt_len_median, percentile_cont(0.25) WITHIN GROUP (ORDER BY ip_len) AS pkt_len_p25,
		percentile_cont(0.75) WITHIN GROUP (ORDER BY ip_len) AS pkt_len_p75, percentile_cont(0.9) WITHIN GROUP (ORDER BY ip_len) AS pkt_len_p90,
		min(ip_len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_min, max(ip_len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_max, avg(ip_len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_mean,
		stddev_pop(ip_len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY ip_len) FILTER (WHERE NOT bwd) AS pkt_len_fwd_median,
		min(ip_len) FILTER (WHERE bwd) AS pkt_len_bwd_min, max(ip_len) FILTER (WHERE bwd) AS pkt_len_bwd_max, avg(ip_len) FILTER (WHERE bwd) AS pkt_len_bwd_mean,
		stddev_pop(ip_len) FILTER (WHERE bwd) AS pkt_len_bwd_std, percentile_cont(0.5) WITHIN GROUP (ORDER BY ip_len) FILTER (WHERE bwd) AS pkt_len_bwd_median,
		min(payload_len) AS payload_len_min, max(payload_len) AS payload_len_max, avg(payload_len) AS payload_len_mean, stddev_pop(payload_len) AS payload_len_std,
		avg(payload_len) FILTER (WHERE NOT bwd) AS payload_len_fwd_mean, stddev_pop(payload_len) FILTER (WHERE NOT bwd) AS payload_len_fwd_std,
		avg(payload_len) FILTER (WHERE bwd) AS payload_len_bwd_mean, stddev_pop(payload_len) FILTER (WHERE bwd) AS payload_len_bwd_std,
		count(*) FILTER (WHERE payload_len > 0) AS packets_with_payload, count(*) FILTER (WHERE payload_len > 0 AND NOT bwd) AS packets_with_payload_fwd,
		count(*) FILTER (WHERE payload_len > 0 AND bwd) AS packets_with_payload_bwd, count(*) FILTER (WHERE payload_len = 0) / count(*)::numeric AS header_only_ratio,
		min(payload_len) FILTER (WHERE payload_len > 0 AND NOT bwd) AS l7_pkt_min_fwd, max(payload_len) FILTER (WHERE payload_len > 0 AND NOT bwd) AS l7_pkt_max_fwd,
		min(payload_len) FILTER (WHERE payload_len > 0 AND bwd) AS l7_pkt_min_bwd, max(payload_len) FILTER (WHERE payload_len > 0 AND bwd) AS l7_pkt_max_bwd,
		coalesce(sum(payload_len) FILTER (WHERE NOT bwd), 0) AS l7_bytes_fwd, coalesce(sum(payload_len) FILTER (WHERE bwd), 0) AS l7_bytes_bwd, sum(payload_len) AS l7_bytes_total,
		sum(direction) / count(*)::numeric AS pkt_asymmetry, sum(ip_len * direction) / sum(ip_len) AS byte_asymmetry
	FROM packet GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT DISTINCT ON (file, flow) file, flow, ip_len AS dominant_pkt_size, count(*) / sum(count(*)) OVER (PARTITION BY file, flow) AS dominant_pkt_ratio
	FROM packet GROUP BY file, flow, ip_len ORDER BY file, flow, count(*) DESC, min(i)) x;

-- tcp; the handshake: a SYN, the answer to the latest one, what acknowledges the latest answer
CREATE TEMP TABLE handshake ON COMMIT DROP AS
	WITH answer AS (
		SELECT a.file, a.flow, a.frame, a.tcp_seq FROM packet a, LATERAL (SELECT * FROM packet s WHERE (s.file, s.flow) = (a.file, a.flow) AND s.frame < a.frame AND NOT s.bwd
				AND s.tcp_flags & 18 = 2 ORDER BY s.frame DESC LIMIT 1) s
		WHERE a.bwd AND a.tcp_flags & 18 = 18 AND (a.tcp_ack - s.tcp_seq - 1 + 4294967296) % 4294967296 <= s.payload_len)
	SELECT DISTINCT k.file, k.flow FROM packet k, LATERAL (SELECT * FROM answer a WHERE (a.file, a.flow) = (k.file, k.flow) AND a.frame < k.frame ORDER BY a.frame DESC LIMIT 1) a
	WHERE NOT k.bwd AND k.tcp_flags & 22 = 16 AND (k.tcp_ack - a.tcp_seq - 1 + 4294967296) % 4294967296 < 2147483648;
CREATE TEMP TABLE tcp ON COMMIT DROP AS
	SELECT file, flow, count(*) FILTER (WHERE tcp_flags & 18 = 2) AS tcp_syn_count, count(*) FILTER (WHERE tcp_flags & 18 = 18) AS tcp_synack_count,
		count(*) FILTER (WHERE tcp_flags_text ~ 'FIN') AS tcp_fin_count, count(*) FILTER (WHERE tcp_flags_text ~ 'RST') AS tcp_rst_count,
		count(*) FILTER (WHERE tcp_flags_text ~ 'ACK') AS tcp_ack_count, count(*) FILTER (WHERE tcp_flags_text ~ 'PSH') AS tcp_psh_count,
		count(*) FILTER (WHERE tcp_flags_text ~ 'URG') AS tcp_urg_count, count(*) FILTER (WHERE tcp_flags_text ~ 'ECE') AS tcp_ece_count,
		count(*) FILTER (WHERE tcp_flags_text ~ 'CWR') AS tcp_cwr_count,
		EXISTS (SELECT FROM handshake h WHERE (h.file, h.flow) = (p.file, p.flow)) AS tcp_complete_handshake,
		bool_or(tcp_flags & 1 = 1 AND NOT bwd) AS fin_fwd, bool_or(tcp_flags & 1 = 1 AND bwd) AS fin_bwd, bool_or(tcp_flags & 4 = 4) AS tcp_reset_close,
		count(*) FILTER (WHERE tcp_flags & 2 = 2) / count(*)::numeric AS tcp_syn_ratio, count(*) FILTER (WHERE tcp_flags & 1 = 1) / count(*)::numeric AS tcp_fin_ratio,
		count(*) FILTER (WHERE tcp_flags & 4 = 4) / count(*)::numeric AS tcp_rst_ratio, count(*) FILTER (WHERE tcp_flags & 8 = 8) / count(*)::numeric AS tcp_psh_ratio,
		count(*) FILTER (WHERE payload_len > 0) AS tcp_data_packets, count(*) FILTER (WHERE tcp_flags & 23 = 16 AND payload_len = 0) AS tcp_ack_only_packets,
		bool_or(tcp_flags & 22 = 0 OR (tcp_flags & 2 = 2 AND tcp_flags & 5 > 0)) AS tcp_flags_anomaly, bool_or(tcp_flags & 18 = 2 AND NOT bwd) AS tcp_initiator_syn,
		bool_or(tcp_flags & 18 = 18 AND bwd) AS tcp_responder_synack, bit_or(tcp_flags) AS tcp_flags_agg, bit_or(tcp_flags) FILTER (WHERE NOT bwd) AS tcp_flags_fwd,
		bit_or(tcp_flags) FILTER (WHERE bwd) AS tcp_flags_bwd
	FROM packet p WHERE protocol = 6 AND tcp_flags IS NOT NULL GROUP BY file, flow;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow,fin_fwd,fin_bwd}'::text[] FROM (
	SELECT *, fin_fwd AND fin_bwd AS tcp_graceful_close, tcp_initiator_syn::int + 2 * tcp_responder_synack::int + 4 * tcp_complete_handshake::int + 8 * fin_fwd::int + 16 * fin_bwd::int
			+ 32 * tcp_reset_close::int + 64 * (tcp_data_packets > 0)::int + 128 * tcp_flags_anomaly::int AS tcp_fstat,
		(tcp_syn_count > 0)::int + 2 * (tcp_synack_count > 0)::int + 4 * fin_fwd::int + 8 * fin_bwd::int + 16 * tcp_reset_close::int
			+ 64 * (tcp_syn_count > 0 AND tcp_synack_count > 0 AND fin_fwd AND fin_bwd)::int AS flow_stat
	FROM (SELECT DISTINCT file, flow FROM packet) f LEFT JOIN tcp USING (file, flow)) x;

-- ip_extended
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, min(ttl) FILTER (WHERE NOT bwd) AS ip_ttl_fwd_min, max(ttl) FILTER (WHERE NOT bwd) AS ip_ttl_fwd_max, avg(ttl) FILTER (WHERE NOT bwd) AS ip_ttl_fwd_mean,
		CASE WHEN NOT bool_and(bwd) THEN count(*) FILTER (WHERE ttl_changed AND NOT bwd) END AS ip_ttl_fwd_changes,
		min(ttl) FILTER (WHERE bwd) AS ip_ttl_bwd_min, max(ttl) FILTER (WHERE bwd) AS ip_ttl_bwd_max, avg(ttl) FILTER (WHERE bwd) AS ip_ttl_bwd_mean,
		CASE WHEN bool_or(bwd) THEN count(*) FILTER (WHERE ttl_changed AND bwd) END AS ip_ttl_bwd_changes,
		min(tos) FILTER (WHERE k = 1 AND NOT bwd) AS ip_tos_value, min(dscp) FILTER (WHERE k = 1 AND NOT bwd) AS ip_dscp, count(DISTINCT dscp) AS ip_tos_unique_count, max(ecn) AS ip_ecn,
		bit_or(ip_flags) AS ip_flags, CASE WHEN min(ip_version) = 4 THEN count(*) FILTER (WHERE ip_flags & 2 = 2) END AS ip_df_count,
		CASE WHEN min(ip_version) = 4 THEN count(*) FILTER (WHERE ip_flags & 2 = 2) / count(*)::numeric END AS ip_df_ratio,
		CASE WHEN min(ip_version) = 4 AND max(k) >= 2 AND max(ip_id) > 0 THEN count(*) FILTER (WHERE id_step > 1 AND id_step < 32768) END AS ip_id_gaps
	FROM packet GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, CASE WHEN bwd THEN jsonb_build_object('ip_ttl_bwd_initial_est', initial, 'ip_ttl_bwd_hops_est', initial - ttl)
		ELSE jsonb_build_object('ip_ttl_fwd_initial_est', initial, 'ip_ttl_fwd_hops_est', initial - ttl) END
	FROM packet, LATERAL (SELECT CASE WHEN ttl <= 1 OR dst_ip <<= '224.0.0.0/4' OR dst_ip = '255.255.255.255' OR dst_ip <<= '169.254.0.0/16' OR dst_ip <<= 'ff00::/8' OR dst_ip <<= 'fe80::/10'
		THEN NULL WHEN ttl <= 32 THEN 32 WHEN ttl <= 64 THEN 64 WHEN ttl <= 128 THEN 128 ELSE 255 END AS initial) l WHERE k = 1;

-- mac
CREATE TEMP TABLE mac ON COMMIT DROP AS
	SELECT file, flow, (array_agg(CASE WHEN bwd THEN mac_dst ELSE mac_src END ORDER BY bwd, i))[1] AS mac_src, (array_agg(CASE WHEN bwd THEN mac_src ELSE mac_dst END ORDER BY bwd, i))[1] AS mac_dst,
		count(DISTINCT vlan_ids[1]) AS mac_vlan_count, nullif(greatest(count(DISTINCT mac_src) FILTER (WHERE NOT bwd), count(DISTINCT mac_src) FILTER (WHERE bwd)), 0) AS mac_unique_src_count,
		nullif(greatest(count(DISTINCT mac_dst) FILTER (WHERE NOT bwd), count(DISTINCT mac_dst) FILTER (WHERE bwd)), 0) AS mac_unique_dst_count,
		CASE WHEN count(mac_dst) > 0 THEN count(*) FILTER (WHERE mac_dst = 'ff:ff:ff:ff:ff:ff') END AS mac_broadcast_count,
		CASE WHEN count(mac_dst) > 0 THEN count(*) FILTER (WHERE mac_dst <> 'ff:ff:ff:ff:ff:ff' AND mac_dst & '01:00:00:00:00:00' <> '00:00:00:00:00:00') END AS mac_multicast_count
	FROM packet GROUP BY 1, 2;
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT *, CASE WHEN mac_unique_src_count > 0 OR mac_unique_dst_count > 0 THEN (mac_src IS NOT NULL)::int + 2 * (mac_dst IS NOT NULL)::int + 4 * coalesce(mac_unique_src_count > 1, false)::int
		+ 8 * coalesce(mac_unique_dst_count > 1, false)::int + 16 * (mac_vlan_count > 0)::int END AS mac_stat FROM mac) x;

-- icmp
CREATE TEMP TABLE icmp ON COMMIT DROP AS
	SELECT *, lag(icmp_seq) OVER (PARTITION BY file, flow, direction, icmp_id, icmp_type IN (8, 128) ORDER BY i) AS seq_before, icmp_type IN (8, 128) AND icmp_type = CASE protocol WHEN 1 THEN 8 ELSE 128 END AS request,
		icmp_type = CASE protocol WHEN 1 THEN 0 ELSE 129 END AS reply, icmp_type = CASE protocol WHEN 1 THEN 3 ELSE 1 END AS unreachable, icmp_type = CASE protocol WHEN 1 THEN 11 ELSE 3 END AS exceeded,
		icmp_type = CASE protocol WHEN 1 THEN 5 ELSE 137 END AS redirect
	FROM packet WHERE protocol IN (1, 58);
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, count(icmp_type) AS icmp_packet_count, count(*) FILTER (WHERE request) AS icmp_echo_request_count, count(*) FILTER (WHERE reply) AS icmp_echo_reply_count,
		count(*) FILTER (WHERE unreachable) AS icmp_dest_unreachable_count, count(*) FILTER (WHERE exceeded) AS icmp_time_exceeded_count,
		count(DISTINCT (icmp_type, icmp_code)) FILTER (WHERE icmp_type IS NOT NULL) AS icmp_unique_type_codes, nullif(count(DISTINCT icmp_id), 0) AS icmp_unique_ids, min(icmp_seq) AS icmp_seq_min, max(icmp_seq) AS icmp_seq_max,
		CASE WHEN bool_or(request AND seq_before IS NOT NULL) THEN coalesce(sum(step - 1) FILTER (WHERE request AND step > 1 AND step < 32768), 0) END AS icmp_seq_gaps,
		coalesce(bit_or(request::int + 2 * reply::int + 4 * unreachable::int + 8 * exceeded::int + 16 * redirect::int + 32 * (NOT (request OR reply OR unreachable OR exceeded OR redirect))::int), 0) AS icmp_stat
	FROM icmp, LATERAL (SELECT (icmp_seq - seq_before + 65536) % 65536 AS step) y GROUP BY 1, 2) x;
INSERT INTO mine SELECT DISTINCT ON (file, flow) file, flow, jsonb_build_object('icmp_dominant_type', icmp_type, 'icmp_dominant_type_count', n)
	FROM (SELECT file, flow, icmp_type, count(icmp_type) AS n, min(i) AS first FROM icmp WHERE icmp_type IS NOT NULL GROUP BY 1, 2, 3) x ORDER BY file, flow, n DESC, first;
INSERT INTO mine SELECT q.file, q.flow, jsonb_build_object('icmp_echo_success_ratio', avg(EXISTS (SELECT FROM icmp r WHERE r.reply AND (r.file, r.flow, r.direction, r.icmp_id, r.icmp_seq)
		= (q.file, q.flow, -q.direction, q.icmp_id, q.icmp_seq) AND r.i > q.i)::int))
	FROM (SELECT file, flow, direction, icmp_id, icmp_seq, min(i) AS i FROM icmp WHERE request AND icmp_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5) q GROUP BY 1, 2;
INSERT INTO mine SELECT file, flow, jsonb_build_object('icmp_ratio', count(*) FILTER (WHERE icmp_type IS NOT NULL)::numeric / count(*), 'is_icmp_only', min(protocol) IN (1, 58)) FROM packet GROUP BY 1, 2;

-- ipv6_options
INSERT INTO mine SELECT file, flow, to_jsonb(x) - '{file,flow}'::text[] FROM (
	SELECT file, flow, count(*) FILTER (WHERE ip_version = 6) AS ipv6_packet_count, count(*) FILTER (WHERE ip_version = 4) AS ipv4_packet_count, avg((ip_version = 6)::int) AS ipv6_ratio, min(ip_version) = 6 AS is_ipv6_only,
		min(flow_label) FILTER (WHERE k = 1 AND NOT bwd) AS ipv6_flow_label,
		CASE WHEN min(ip_version) = 6 THEN greatest(count(DISTINCT flow_label) FILTER (WHERE NOT bwd), count(DISTINCT flow_label) FILTER (WHERE bwd)) END AS ipv6_flow_label_unique_count,
		CASE WHEN min(ip_version) = 6 THEN count(*) FILTER (WHERE flow_label <> label_before) END AS ipv6_flow_label_changes,
		min(tos) FILTER (WHERE k = 1 AND NOT bwd AND ip_version = 6) AS ipv6_traffic_class, min(dscp) FILTER (WHERE k = 1 AND NOT bwd AND ip_version = 6) AS ipv6_dscp,
		nullif(count(DISTINCT dscp) FILTER (WHERE ip_version = 6), 0) AS ipv6_traffic_class_unique_count, max(ecn) FILTER (WHERE ip_version = 6) AS ipv6_ecn
	FROM (SELECT *, lag(flow_label) OVER (PARTITION BY file, flow, direction ORDER BY i) AS label_before FROM packet) p GROUP BY 1, 2) x;
INSERT INTO mine SELECT file, flow, jsonb_build_object('ipv6_ext_headers', coalesce(to_jsonb(array_agg(header ORDER BY i, n) FILTER (WHERE header IS NOT NULL)), '[]'))
	FROM (SELECT DISTINCT ON (file, flow, header) file, flow, header, i, n FROM packet LEFT JOIN LATERAL unnest(ext_headers) WITH ORDINALITY u(header, n) ON true WHERE ip_version = 6 ORDER BY file, flow, header, i, n) x
	GROUP BY 1, 2;

-- padding
CREATE TEMP TABLE sizes ON COMMIT DROP AS
	SELECT file, flow, count(*) AS sizes, (array_agg(ip_len ORDER BY n DESC, first))[1] AS mode, max(n)::numeric / sum(n) AS share, -sum(n / total * ln(n / total)) AS h
	FROM (SELECT file, flow, ip_len, count(*) AS n, min(i) AS first, sum(count(*)) OVER (PARTITION BY file, flow)::float8 AS total FROM packet GROUP BY 1, 2, 3) x GROUP BY 1, 2;
CREATE TEMP TABLE shape ON COMMIT DROP AS
	SELECT *, CASE WHEN n >= 2 THEN share >= 0.95 END AS constant_size, CASE WHEN n >= 3 AND gap_mean > 0 THEN gap_std / gap_mean <= 0.1 END AS constant_rate, CASE WHEN tcp AND data >= 2 THEN cells::numeric / data >= 0.7 END AS tor
	FROM (SELECT file, flow, count(*) AS n, var_pop(ip_len) AS var, stddev_pop(ip_len) / avg(ip_len) AS cv, var_pop(gap / 1e9) AS gap_var, avg(gap)::float8 AS gap_mean, stddev_pop(gap::float8) AS gap_std, sum(ip_len) AS bytes, sum(payload_len) AS payload,
			bool_or(tcp_flags IS NOT NULL) AS tcp, count(*) FILTER (WHERE tcp_flags IS NOT NULL AND payload_len > 0) AS data,
			count(*) FILTER (WHERE tcp_flags IS NOT NULL AND payload_len > 0 AND 0 IN (payload_len % 535, payload_len % 536, payload_len % 543, payload_len % 565, payload_len % 586)) AS cells, min(protocol) AS protocol
		FROM packet GROUP BY 1, 2) p JOIN sizes USING (file, flow);
INSERT INTO mine SELECT file, flow, jsonb_build_object('pkt_size_variance', var, 'pkt_size_cv', CASE WHEN n >= 2 THEN cv END, 'dominant_size_ratio', share, 'dominant_size_mode', mode, 'unique_size_count', sizes,
		'size_entropy', CASE WHEN sizes > 1 THEN h / ln(sizes) END, 'iat_variance', gap_var, 'iat_cv', CASE WHEN n >= 3 AND gap_mean > 0 THEN gap_std / gap_mean END,
		'tor_cell_count', CASE WHEN protocol = 6 THEN cells END, 'tor_cell_ratio', CASE WHEN protocol = 6 AND data > 0 THEN cells::numeric / data END, 'burst_overhead_bytes', bytes - payload, 'burst_padding_ratio', (bytes - payload) / bytes,
		'is_constant_size', constant_size, 'is_constant_rate', constant_rate, 'is_tor_like', tor,
		'padding_score', CASE WHEN n >= 3 THEN 0.3 * coalesce(constant_size, false)::int + 0.2 * (share > 0.8)::int + 0.2 * coalesce(constant_rate, false)::int + 0.3 * coalesce(tor, false)::int END)
	FROM shape;
INSERT INTO mine SELECT file, flow, jsonb_build_object('avg_burst_payload_efficiency', avg(share)) FROM (
	SELECT file, flow, burst, sum(payload_len) / sum(ip_len)::numeric AS share FROM (
		SELECT *, count(*) FILTER (WHERE gap >= 50000000) OVER (PARTITION BY file, flow ORDER BY i) AS burst FROM packet) x GROUP BY 1, 2, 3) y GROUP BY 1, 2;

-- ---- the comparison

CREATE TEMP TABLE compared ON COMMIT DROP AS
	WITH theirs AS MATERIALIZED (SELECT file, (f).first_frame AS flow, to_jsonb(f) AS j FROM flow)
	SELECT m.file, m.flow, e.k AS col, e.v AS here, t.j -> e.k AS there FROM mine m JOIN theirs t USING (file, flow), jsonb_each(m.j) e(k, v);
SELECT is_empty(format($$ SELECT g.name, c.file, c.flow, here, there FROM compared c JOIN jj_features g ON g.name = col WHERE group_name = %L AND NOT pg_temp.same(here, there) $$, name),
	name || ': as SQL computes it from the packets') FROM unnest(ARRAY['flow_meta', 'timing', 'size', 'tcp', 'ip_extended', 'mac', 'icmp', 'ipv6_options', 'padding']) name;
SELECT is_empty('SELECT col FROM compared WHERE col NOT IN (SELECT name FROM jj_features)', 'nothing was computed that is no column');
SELECT set_eq($$ SELECT name FROM jj_features WHERE group_name IN ('flow_meta', 'timing', 'size', 'tcp', 'ip_extended', 'mac', 'icmp', 'ipv6_options', 'padding') AND name NOT IN (SELECT col FROM compared) $$,
	ARRAY['end_reason', 'flow_end_code', 'dst_port_class', 'community_id'], 'all columns of these groups but what is no matter of the packets');
SELECT is_empty($$ SELECT col, count(*) FROM compared GROUP BY 1 HAVING count(*) <> (SELECT count(*) FROM flow JOIN capture ON name = file WHERE own) AND col !~ '^(ip_ttl_.*_est|icmp_.*|ipv6_ext_headers)$' $$,
	'for every flow');
SELECT is_empty($$ SELECT col FROM compared GROUP BY 1 HAVING count(*) FILTER (WHERE here <> 'null') = 0 $$, 'each has values');

SELECT cmp_ok((SELECT count(*) FROM compared WHERE here <> 'null'), '>', 80000::bigint, 'values compared');

-- ---- options act as in jj_extract: the same flows, from the same packets

CREATE TEMP TABLE variant (options jsonb) ON COMMIT DROP;
INSERT INTO variant VALUES ('{"flow_end": "fin_rst"}'), ('{"flow_timeout": 1}'), ('{"active_timeout": "5s"}'), ('{"vlan_in_key": false}'), ('{"defragment": false}'),
	('{"tunnels": "outer"}'), ('{"max_concurrent_flows": 3, "flow_eviction_strategy": "oldest"}'), ('{"sampling_rate": 0.3, "sampling_seed": 7}'), ('{"features": "ssh"}');
SELECT is_empty(format($$ SELECT c.name, x.* FROM capture c, LATERAL (SELECT * FROM
		(SELECT first_frame, total_packets AS n, total_bytes AS b, packets_fwd AS f FROM jj_extract(c.path, options => %1$L::jsonb - 'features')) e FULL JOIN
		(SELECT flow, count(*) AS n, sum(ip_len) AS b, count(*) FILTER (WHERE direction = 1) AS f FROM jj_packets(c.path, options => %1$L) WHERE flow IS NOT NULL GROUP BY 1) p
			ON first_frame = flow WHERE (e.n, e.b, e.f) IS DISTINCT FROM (p.n, p.b, p.f)) x
	WHERE c.own AND c.error IS NULL $$, options), options::text) FROM variant;
SELECT is_empty($$ SELECT c.name, x.* FROM capture c, LATERAL (SELECT * FROM (SELECT first_frame, total_packets FROM jj_extract(c.path, 'udp')) e FULL JOIN
		(SELECT flow, count(*) FROM jj_packets(c.path, 'udp') WHERE flow IS NOT NULL GROUP BY 1) p ON first_frame = flow WHERE total_packets IS DISTINCT FROM count) x
	WHERE c.own AND c.error IS NULL $$, 'filter');
SELECT cmp_ok((SELECT count(*) FROM jj_packets(:'captures' || '/many_udp.pcap', options => '{"sampling_rate": 0.3}') WHERE skipped = 'not_sampled' AND flow IS NULL AND protocol = 17),
	'>', 0::bigint, 'what is not sampled is there, with its columns');
SELECT is_empty($$ SELECT frame FROM jj_packets((SELECT path FROM capture WHERE name = 'demo.pcapng'), 'udp') WHERE (skipped IS NOT NULL) IS DISTINCT FROM (protocol IS DISTINCT FROM 17)
	OR (skipped <> 'filtered' AND ip_version IS NOT NULL) $$, 'what a filter takes away is there, with its columns');
SELECT is((SELECT array_agg(DISTINCT ARRAY[capture, flow_capture]) FROM jj_packets(ARRAY[:'captures' || '/pcap_le_us.pcap', :'captures' || '/pcap_be_us.pcap'], options => '{"continue": true}')),
	ARRAY[ARRAY['pcap_be_us.pcap', 'pcap_le_us.pcap'], ARRAY['pcap_le_us.pcap', 'pcap_le_us.pcap']], 'continue: flow_capture says where the flow began');
SELECT * FROM finish();
ROLLBACK;
