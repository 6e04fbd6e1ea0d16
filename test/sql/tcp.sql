-- the TCP groups on connections of our own making: values held against tshark and the definitions in jj_features
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
CREATE TEMP TABLE f AS
SELECT * FROM jj_extract(ARRAY['jj_captures/tcp_recovery.pcap', 'jj_captures/tcp_damage.pcap', 'jj_captures/tcp_wrap.pcap', 'jj_captures/mptcp.pcap', 'jj_captures/recorded_loopback.pcap'],
	options => '{"features": ["flow_meta", "tcp_sequence", "tcp_window", "tcp_options", "tcp_mptcp", "tcp_rtt", "tcp_fingerprint"]}')
WHERE protocol = 6;

SELECT capture, first_frame AS frame, tcp_seq_fwd_bytes_sent AS bytes_f, tcp_seq_bwd_bytes_sent AS bytes_b, tcp_total_retrans AS retrans,
	tcp_fast_retrans AS fast, tcp_spurious_retrans AS spurious, tcp_total_ooo AS ooo, tcp_total_dup_acks AS dups,
	tcp_seq_fwd_gaps AS gaps_f, tcp_keep_alive_count AS keep
FROM f ORDER BY capture COLLATE "C", first_frame;
SELECT capture, first_frame AS frame, tcp_init_win_fwd AS init_f, tcp_win_scale_fwd AS scale_f, tcp_scaled_win_fwd_max AS max_f,
	tcp_win_fwd_zero_count + tcp_win_bwd_zero_count AS zero, tcp_win_bwd_change_count AS changes_b
FROM f ORDER BY capture COLLATE "C", first_frame;
SELECT capture, first_frame AS frame, tcp_mss_fwd AS mss, tcp_ws_fwd AS ws, tcp_sack_permitted_fwd AS sack, tcp_ts_fwd_present AS ts,
	tcp_options_bitmap AS options, tcp_sack_blocks_total AS blocks, tcp_dsack_count AS dsack, mptcp_detected AS mptcp, mptcp_stat
FROM f ORDER BY capture COLLATE "C", first_frame;
SELECT capture, first_frame AS frame, tcp_rtt_handshake::numeric(9,6) AS handshake, tcp_rtt_samples AS samples, tcp_rtt_ack_samples AS acks,
	tcp_rtt_ack_mean::numeric(9,6) AS mean
FROM f ORDER BY capture COLLATE "C", first_frame;
SELECT DISTINCT tcp_fp_fwd, tcp_os_hint_fwd FROM f WHERE tcp_fp_fwd IS NOT NULL ORDER BY 1;
