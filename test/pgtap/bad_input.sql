-- Bad and hostile input, by hand: what comes out is what can be known, and the rest is counted. fragments.sql has the floods of fragments,
-- recompute.sql tunnels in tunnels, tcp.sql holds every TCP column of these captures against SQL.
BEGIN;
\ir setup.psql
SELECT * FROM no_plan();

CREATE FUNCTION pg_temp.flows(name text, what text, which text DEFAULT 'true') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	o text;
BEGIN
	EXECUTE format('SELECT string_agg(concat_ws('' '', %s), ''; '' ORDER BY first_frame) FROM jj_extract($1) WHERE %s', what, which) USING (SELECT path FROM capture c WHERE c.name = $1) INTO o;
	RETURN o;
END $$;
CREATE FUNCTION pg_temp.skipped(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s', skipped, frames), '; ' ORDER BY skipped) FROM (SELECT skipped, string_agg(frame::text, ' ' ORDER BY frame) AS frames FROM capture c, jj_packets(path) WHERE c.name = $1 AND skipped IS NOT NULL GROUP BY 1) x
$$;

-- ---- lengths that lie

SELECT is(pg_temp.skipped('malformed.pcap'), 'malformed 1 2 3 4', 'IP versions, IHL and lengths that can not be');
SELECT is(pg_temp.flows('malformed.pcap', 'protocol, total_packets, payload_bytes_total, tcp_syn_count'), '6 2 0; 17 1 1', 'data offsets that can not be: ports, no TCP header');
SELECT is(pg_temp.skipped('lying_lengths.pcap'), 'truncated 1 2', 'IHL beyond the packet');
SELECT is(pg_temp.flows('lying_lengths.pcap', 'first_frame, protocol, src_port, total_packets, total_bytes, payload_bytes_total, truncated_count', 'tcp_is_tcp IS NOT TRUE'),
	'3 17 5 3 1580 24 1; 4 17 1 22 0 0; 7 17 5 2 65619 12 1; 36 0 1 48 8 0; 37 60 2 128 40 0; 39 51 1 52 32 0; 40 51 1 72 32 0; 41 44 1 43 3 0; 42 47 1 32 12 0; 43 17 40000 1 48 20 0; 44 17 40000 1 98 70 0; 45 17 40000 1 89 61 0; 46 17 40000 1 109 81 0; 47 17 5 1 9000 12 1; 48 4 1 60 40 0',
	'IP, UDP, extension headers, tunnels: the header in front of the lie counts');
SELECT is(pg_temp.flows('lying_lengths.pcap', 'first_frame, total_packets, tcp_syn_count, tcp_options_pkt_count, tcp_mss_fwd, tcp_ws_fwd, tcp_sack_permitted_fwd, tcp_ts_fwd_present, tcp_options_bitmap', 'protocol = 6'),
	'9 27 11 22 f f 2109', 'TCP options: those before the lie; the first SYN has none');
SELECT is((SELECT array_agg(frame ORDER BY frame) FROM capture, jj_packets(path) WHERE name = 'lying_lengths.pcap' AND protocol = 6 AND tcp_flags IS NULL), ARRAY[9, 10, 11, 12, 13]::bigint[], 'data offsets beyond the packet');
SELECT is(pg_temp.skipped('impossible_length.pcap'), 'malformed 2 3', 'IP packets of gigabytes');
SELECT is(pg_temp.skipped('cut_headers.pcap') ~ 'truncated', true, 'headers that are cut');

-- ---- packets larger than any network carries

SELECT is(pg_temp.flows('super_packets.pcap.gz', 'total_packets, total_bytes, payload_bytes_total, pkt_len_max, truncated_count, tcp_seq_fwd_bytes_sent, tcp_seq_bwd_bytes_sent, tcp_total_retrans, end_reason'),
	'17 331770 331066 65523 0 65583 200000 1 tcp_close; 4 315643 315483 180040 1 315483 0 0 end_of_capture; 4 315703 315463 180060 1 250000 0 0 end_of_capture',
	'segments of 64 kB and more; a TCP header that is cut is not counted on');
SELECT is(pg_temp.skipped('super_packets.pcap.gz'), NULL, 'none is left out');

-- ---- sequence numbers that wrap, clocks that run backwards

SELECT is(pg_temp.flows('tcp_wrap.pcap', 'tcp_isn_fwd, tcp_isn_bwd, tcp_seq_fwd_bytes_sent, tcp_seq_bwd_bytes_sent, tcp_total_retrans, tcp_total_ooo, tcp_seq_fwd_gaps, end_reason'),
	'4294967280 4294967294 5000 10 0 0 0 tcp_close; 4294967294 4294967294 0 0 0 0 0 tcp_close', 'sequence numbers pass 2^32');
SELECT is(pg_temp.flows('clock_backwards.pcap', 'src_port, total_packets, extract(epoch FROM start_time)::int - 1700000000, duration, iat_min, iat_sum', 'src_port > 8000'),
	'8001 6 10 3 0 3; 8002 3 20 1 0 1', 'a flow begins at the time of its first packet, its clock stands still until time has caught up');
SELECT ok(iat_min >= 0 AND duration = iat_sum AND end_reason = 'tcp_close', 'also where a connection has two segments exchanged') FROM capture, jj_extract(path) WHERE name = 'clock_backwards.pcap' AND protocol = 6;

-- ---- 64 bytes of each packet

CREATE TEMP TABLE cut ON COMMIT DROP AS SELECT j FROM capture, jj_extract(path) j WHERE name = 'snaplen64.pcap';
CREATE TEMP TABLE whole ON COMMIT DROP AS SELECT j FROM capture, jj_extract(path) j WHERE name = 'pcap_le_us.pcap';
SELECT is_empty($$ SELECT c.key, w.value, c.value FROM whole JOIN cut ON (whole.j).first_frame = (cut.j).first_frame, jsonb_each(to_jsonb(whole.j)) w, jsonb_each(to_jsonb(cut.j)) c, jj_features f
	WHERE w.key = c.key AND f.name = c.key AND f.group_name IN ('flow_meta', 'timing', 'size', 'tcp', 'mac', 'ip_extended', 'ipv6_options', 'icmp', 'padding', 'tcp_sequence', 'tcp_window', 'tcp_rtt')
		AND c.key NOT IN ('capture', 'truncated_count') AND w.value <> c.value $$, 'the headers'' columns are those of whole packets');
SELECT is((SELECT count(*) FROM cut), (SELECT count(*) FROM whole), 'as many flows');
SELECT ok(bool_or((j).truncated_count > 0) AND bool_and((j).truncated_count <= (j).total_packets), 'and it is known that bytes are missing') FROM cut;
SELECT * FROM finish();
ROLLBACK;
