-- What must hold for the flows of any capture.
BEGIN;
\ir setup.psql
SELECT pg_temp.load_flows();
SELECT * FROM no_plan();

SELECT CASE WHEN :'more' = '' THEN diag('JJ_MORE_CAPTURES is not set: only the captures of test/captures are used')
	ELSE diag((SELECT count(*) FROM capture WHERE NOT own) || ' more captures, not readable: '
		|| coalesce((SELECT string_agg(name || ' (' || error || ')', ', ') FROM capture WHERE NOT own AND error IS NOT NULL), 'none')) END;

SELECT set_eq('SELECT name FROM capture WHERE own AND error IS NOT NULL',
	ARRAY['link_user0.pcap', 'not_header.pcap', 'not_netmon.cap', 'not_short.pcap', 'not_snoop.cap', 'not_text.txt'],
	'of our captures, these can''t be read');
SELECT cmp_ok((SELECT count(*) FROM flow f JOIN capture c ON c.name = f.file WHERE own), '>', 700::bigint, 'our captures have flows');
SELECT cmp_ok((SELECT count(DISTINCT file) FROM flow), '>=', (SELECT count(*) FROM capture WHERE own AND error IS NULL) - 5,
	'nearly every readable capture has flows');

-- ---- sums

CREATE TEMP TABLE info ON COMMIT DROP AS SELECT c.name AS file, i.packets, i.skipped, i.wire_bytes FROM capture c, jj_pcap_info(c.path) i WHERE error IS NULL;

SELECT is_empty($$
	SELECT i.file, i.packets, i.skipped, sum((f).total_packets) FROM info i LEFT JOIN flow USING (file) GROUP BY i.file, i.packets, i.skipped
	HAVING coalesce(sum((f).total_packets), 0) <> i.packets - (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(i.skipped)) $$,
	'the flows have all packets of the capture, less those counted as skipped');
SELECT is_empty($$
	SELECT file, sum((f).total_bytes), max(wire_bytes) FROM flow JOIN info USING (file) WHERE file <> 'jumbo.pcap'
	GROUP BY file HAVING sum((f).total_bytes) > max(wire_bytes) AND sum((f).truncated_count) = 0 $$,
	'IP bytes are no more than bytes on the wire');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).total_packets <> (f).packets_fwd + (f).packets_bwd OR (f).total_packets < 1 OR (f).packets_fwd < 0 $$,
	'packets: forward and backward make the total');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).total_bytes <> (f).bytes_fwd + (f).bytes_bwd OR (f).total_bytes < 20 * (f).total_packets $$,
	'bytes: forward and backward make the total, which has room for the headers');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).payload_bytes_total <> (f).payload_bytes_fwd + (f).payload_bytes_bwd
	OR (f).payload_bytes_fwd > (f).bytes_fwd - 20 * (f).packets_fwd OR (f).payload_bytes_bwd > (f).bytes_bwd - 20 * (f).packets_bwd $$,
	'payload: forward and backward make the total, headers are no part of it');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).packets_with_payload <> (f).packets_with_payload_fwd + (f).packets_with_payload_bwd
	OR (f).packets_with_payload > (f).total_packets OR (f).fragment_count > (f).total_packets OR (f).truncated_count > (f).total_packets $$,
	'no count is above that of the packets');
SELECT is_empty($$ SELECT file, first_frame FROM (SELECT file, (f).first_frame, count(*) FROM flow GROUP BY 1, 2) x WHERE count > 1 $$,
	'no two flows begin with the same packet');
SELECT is_empty($$ SELECT file, ord FROM flow JOIN info USING (file) WHERE NOT (f).first_frame BETWEEN 1 AND packets $$, 'the first packet is one of the capture');

-- ---- order of values

SELECT is_empty($$ SELECT file, ord FROM flow WHERE NOT ((f).iat_min <= (f).iat_p25 AND (f).iat_p25 <= (f).iat_median AND (f).iat_median <= (f).iat_p75
	AND (f).iat_p75 <= (f).iat_p90 AND (f).iat_p90 <= (f).iat_p99 AND (f).iat_p99 <= (f).iat_max) $$, 'gaps: min <= p25 <= median <= p75 <= p90 <= p99 <= max');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE NOT ((f).pkt_len_min <= (f).pkt_len_p25 AND (f).pkt_len_p25 <= (f).pkt_len_median
	AND (f).pkt_len_median <= (f).pkt_len_p75 AND (f).pkt_len_p75 <= (f).pkt_len_p90 AND (f).pkt_len_p90 <= (f).pkt_len_max) $$,
	'packet lengths: min <= p25 <= median <= p75 <= p90 <= max');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE NOT ((f).iat_fwd_min <= (f).iat_fwd_median AND (f).iat_fwd_median <= (f).iat_fwd_max)
	OR NOT ((f).iat_bwd_min <= (f).iat_bwd_median AND (f).iat_bwd_median <= (f).iat_bwd_max)
	OR NOT ((f).pkt_len_fwd_min <= (f).pkt_len_fwd_median AND (f).pkt_len_fwd_median <= (f).pkt_len_fwd_max)
	OR NOT ((f).pkt_len_bwd_min <= (f).pkt_len_bwd_median AND (f).pkt_len_bwd_median <= (f).pkt_len_bwd_max) $$,
	'the same for each direction: min <= median <= max');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE NOT ((f).iat_mean BETWEEN (f).iat_min AND (f).iat_max) OR NOT ((f).pkt_len_mean BETWEEN (f).pkt_len_min AND (f).pkt_len_max)
	OR NOT ((f).payload_len_mean BETWEEN (f).payload_len_min AND (f).payload_len_max)
	OR NOT ((f).ip_ttl_fwd_mean BETWEEN (f).ip_ttl_fwd_min AND (f).ip_ttl_fwd_max) OR NOT ((f).ip_ttl_bwd_mean BETWEEN (f).ip_ttl_bwd_min AND (f).ip_ttl_bwd_max) $$,
	'means lie between the extremes');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).iat_std < 0 OR (f).pkt_len_std < 0 OR (f).iat_std > (f).iat_max - (f).iat_min + 1e-12
	OR (f).pkt_len_std > (f).pkt_len_max - (f).pkt_len_min + 1e-9 $$, 'standard deviations are no larger than the range');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).duration < 0 OR (f).end_time < (f).start_time
	OR abs(extract(epoch FROM (f).end_time - (f).start_time) - (f).duration) > 0.000002 OR ((f).iat_sum IS NOT NULL AND abs((f).iat_sum - (f).duration) > 1e-9 * greatest(1, (f).duration)) $$,
	'duration is the time from start to end, and the sum of the gaps');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).start_time <> 'epoch'::timestamptz + floor((f).start_ns / 1000.0)::bigint * interval '1 microsecond' $$,
	'start_time is start_ns cut to microseconds');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE ((f).total_packets = 1) <> ((f).iat_mean IS NULL) OR ((f).packets_bwd = 0) <> ((f).pkt_len_bwd_mean IS NULL)
	OR ((f).packets_fwd = 0) <> ((f).pkt_len_fwd_mean IS NULL) OR ((f).duration = 0) <> ((f).packets_per_second IS NULL) $$, 'NULL where there is nothing to measure, and only there');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).tcp_is_tcp <> ((f).protocol = 6) OR ((f).protocol <> 6 AND (f).tcp_syn_count IS NOT NULL) $$, 'TCP columns are NULL for other protocols');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).burst_count <> (f).idle_count + 1 OR (f).max_burst_packets > (f).total_packets $$, 'bursts and the pauses between them');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).flow_end_code <> CASE (f).end_reason WHEN 'idle' THEN 1 WHEN 'active' THEN 2 WHEN 'end_of_capture' THEN 4
	WHEN 'evicted' THEN 5 ELSE 3 END $$, 'end reason and its IPFIX code');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE (f).capture IS DISTINCT FROM file $$, 'the capture is named');
SELECT is_empty($$ SELECT file, ord FROM flow WHERE cardinality((f).pkt_len_sequence) <> least(50, (f).total_packets) OR cardinality((f).iat_sequence) <> least(50, (f).total_packets - 1)
	OR cardinality((f).timestamp_sequence) <> least(50, (f).total_packets) $$, 'sequences have at most 50 entries');

-- ---- no column of any type holds what is no number

CREATE FUNCTION pg_temp.not_finite() RETURNS TABLE (file text, ord bigint, col name) LANGUAGE plpgsql AS $$
DECLARE
	a record;
BEGIN
	FOR a IN SELECT attname, atttypid FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass AND attnum > 0 AND NOT attisdropped
		AND atttypid IN ('float8'::regtype, 'float8[]'::regtype)
	LOOP
		RETURN QUERY EXECUTE format('SELECT file, ord, %L::name FROM flow, unnest(%s) v WHERE v::text IN (''NaN'', ''Infinity'', ''-Infinity'')', a.attname,
			CASE WHEN a.atttypid = 'float8'::regtype THEN format('ARRAY[(f).%I]', a.attname) ELSE format('(f).%I', a.attname) END);
	END LOOP;
END $$;
SELECT is_empty('SELECT * FROM pg_temp.not_finite()', 'no NaN, no Infinity in any column');
SELECT cmp_ok((SELECT count(*) FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass AND atttypid = 'float8'::regtype), '>', 50::bigint, 'there are columns to look at');

-- ---- order of rows

SELECT is_empty($$ SELECT a.file, a.ord, b.ord FROM flow a JOIN flow b ON b.file = a.file AND b.ord > a.ord
	WHERE (a.f).end_reason = 'end_of_capture' AND (b.f).end_reason NOT IN ('end_of_capture', 'tcp_close', 'tcp_reset') $$,
	'flows that end with the capture come last');
SELECT is_empty($$ SELECT a.file, a.ord, b.ord FROM flow a JOIN flow b ON b.file = a.file AND b.ord > a.ord
	WHERE (a.f).end_reason = 'end_of_capture' AND (b.f).end_reason = 'end_of_capture' AND (a.f).first_frame > (b.f).first_frame $$,
	'and among them the first to begin');
SELECT is_empty($$ SELECT a.file, a.ord, b.ord FROM flow a JOIN flow b ON b.file = a.file AND b.ord > a.ord
	WHERE (a.f).end_reason = 'idle' AND (b.f).end_reason = 'idle'
	AND ((a.f).end_time > (b.f).end_time OR ((a.f).start_ns + round((a.f).duration * 1e9)::bigint = (b.f).start_ns + round((b.f).duration * 1e9)::bigint
		AND (a.f).first_frame > (b.f).first_frame)) $$,
	'flows that are idle end in the order of their last packets, ties by first packet');

-- ---- the same rows every time, whatever the way in

SELECT is_empty($$ SELECT name FROM capture WHERE error IS NULL AND (SELECT array_agg(j::text ORDER BY n) FROM (SELECT row_number() OVER () AS n, j FROM jj_extract(path) j) x)
	IS DISTINCT FROM (SELECT array_agg(f::text ORDER BY ord) FROM flow WHERE file = name) $$, 'the same rows a second time');
SELECT is_empty($$ SELECT name FROM capture WHERE error IS NULL
	AND (SELECT jsonb_agg(to_jsonb(j) - 'capture' ORDER BY n) FROM (SELECT row_number() OVER () AS n, j FROM jj_extract(pg_read_binary_file(path)) j) x)
	IS DISTINCT FROM (SELECT jsonb_agg(to_jsonb(f) - 'capture' ORDER BY ord) FROM flow WHERE file = name) $$, 'the same rows from bytea');
CREATE TEMP TABLE together ON COMMIT DROP AS
	SELECT row_number() OVER () AS n, j FROM jj_extract((SELECT array_agg(path ORDER BY name) FROM capture WHERE error IS NULL)) j;
SELECT is_empty($$ SELECT name FROM capture WHERE error IS NULL AND (SELECT array_agg(j::text ORDER BY n) FROM together WHERE (j).capture = name)
	IS DISTINCT FROM (SELECT array_agg(f::text ORDER BY ord) FROM flow WHERE file = name) $$, 'the same rows from an array of paths');
SELECT is((SELECT count(*) FROM together), (SELECT count(*) FROM flow), 'and no more');
SELECT * FROM finish();
ROLLBACK;
