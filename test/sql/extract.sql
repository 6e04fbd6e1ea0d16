-- captures to rows: files, folders, patterns, arrays, bytes
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

-- a file
SELECT src_ip, src_port, dst_ip, dst_port, protocol, start_time, duration, packets_fwd, packets_bwd, bytes_fwd, bytes_bwd, end_reason, flow_end_code, capture
FROM jj_extract('jj_captures/pcap_le_us.pcap');

-- every type that the implemented columns have
SELECT src_ip, start_time, start_ns, duration, protocol, packets_fwd, tcp_is_tcp, mac_src, mac_vlan_id, community_id, vlan_ids, pkt_len_sequence, iat_sequence, timestamp_sequence, splt_directions, hdr_desc
FROM jj_extract('jj_captures/encap_vlan.pcap') LIMIT 2 \gx
SELECT tunnel, tunnel_src_ip, tunnel_dst_ip, src_ip, dst_ip, hdr_desc FROM jj_extract('jj_captures/tunnels.pcap') LIMIT 3;
SELECT DISTINCT pg_typeof(f.src_ip), pg_typeof(f.start_time), pg_typeof(f.mac_src), pg_typeof(f) FROM jj_extract('jj_captures/pcap_le_us.pcap') f;

-- formats and compressions give the same rows
CREATE FUNCTION pg_temp.digest(path text) RETURNS text LANGUAGE sql AS
	$$ SELECT count(*) || ' ' || md5(string_agg((to_jsonb(f) - 'capture')::text, E'\n')) FROM jj_extract(path) f $$;
SELECT name, pg_temp.digest('jj_captures/' || name) = pg_temp.digest('jj_captures/pcap_le_us.pcap') AS same
FROM unnest('{pcap_be_us.pcap,pcap_modified.pcap,pcap_modified_be.pcap,pcap_le_us.pcap.gz,pcap_le_us.pcap.zst,pcap_le_us.pcap.lz4}'::text[]) name;
-- these have nanoseconds
SELECT name, pg_temp.digest('jj_captures/' || name) = pg_temp.digest('jj_captures/pcap_le_ns.pcap') AS same
FROM unnest('{pcap_be_ns.pcap,pcapng_le.pcapng,pcapng_be.pcapng,pcapng_sections.pcapng,pcapng_be.pcapng.gz}'::text[]) name;

-- bytes
SELECT src_port, dst_port, packets_fwd, capture FROM jj_extract(pg_read_binary_file('jj_captures/pcap_le_us.pcap'));
SELECT count(*) FROM jj_extract(pg_read_binary_file('jj_captures/pcap_le_us.pcap.gz'), 'udp');

-- filter; NULL is none
SELECT count(*) FROM jj_extract('jj_captures/pcap_le_us.pcap', 'udp port 53');
SELECT count(*) FROM jj_extract('jj_captures/pcap_le_us.pcap', NULL);
SELECT count(*) FROM jj_extract('jj_captures/pcap_le_us.pcap', filter => 'tcp', options => '{"features": "src_ip"}');
SELECT count(*) FROM jj_extract('jj_captures/pcap_le_us.pcap', 'port 9');

-- patterns and folders: sorted by bytes; each file once, in the order of the array
SELECT capture, count(*) FROM jj_extract('jj_captures/pcap_?e_us.pcap') GROUP BY 1 ORDER BY 1;
SELECT array_agg(capture) FROM jj_extract('jj_captures/pcap_[bl]e_us.pcap');
SELECT array_agg(capture) FROM jj_extract(ARRAY['jj_captures/pcap_le_us.pcap', 'jj_captures/pcap_?e_us.pcap', 'jj_captures/pcap_be_us.pcap']);
SELECT array_agg(capture) FROM jj_extract('{jj_captures/pcap_le_us.pcap}'::text[]);
COPY shell FROM PROGRAM 'mkdir -p jj_folder/below.pcap && cp jj_captures/pcap_le_us.pcap jj_folder/b.PCAP && cp jj_captures/pcap_be_us.pcap.gz jj_folder/a.cap.gz 2>/dev/null || cp jj_captures/pcap_le_us.pcap.gz jj_folder/a.cap.gz';
COPY shell FROM PROGRAM 'cp jj_captures/not_text.txt jj_folder/text.txt; cp jj_captures/not_text.txt jj_folder/pcap; cp jj_captures/pcap_le_us.pcap jj_folder/below.pcap/; mkfifo jj_folder/f.pcap; cp jj_captures/pcap_le_us.pcap "jj_folder/[1].cap"';
SELECT array_agg(capture) FROM jj_extract('jj_folder');
SELECT array_agg(DISTINCT capture) FROM jj_extract('jj_folder/');
SELECT array_agg(DISTINCT capture) FROM jj_extract('jj_folder/*p');
SELECT array_agg(DISTINCT capture) FROM jj_extract('jj_folder/[1].cap');
COPY shell FROM PROGRAM 'rm -r jj_folder';

-- flows end with their file, unless they continue
SELECT capture, total_packets, end_reason FROM jj_extract('jj_captures/pcap_[bl]e_us.pcap', options => '{"features": ["capture", "total_packets", "end_reason"]}');
SELECT capture, total_packets FROM jj_extract('jj_captures/pcap_[bl]e_us.pcap', options => '{"continue": true}');

-- where a function may stand
SELECT n, f.src_port FROM jj_extract('jj_captures/pcap_le_us.pcap') WITH ORDINALITY AS f(src_ip, src_port) JOIN generate_series(1, 1) n ON true;
SELECT name, f.src_port FROM (VALUES ('pcap_be_us.pcap'), ('pcap_le_us.pcap')) v(name), LATERAL jj_extract('jj_captures/' || name) f;
SELECT (jj_extract('jj_captures/pcap_le_us.pcap')).src_port;
CREATE TABLE jj_kept AS SELECT * FROM jj_extract('jj_captures/demo.pcapng');
SELECT count(*), sum(total_packets) FROM jj_kept;
DROP TABLE jj_kept;
CREATE VIEW jj_seen AS SELECT * FROM jj_extract('jj_captures/pcap_le_us.pcap');
SELECT src_port FROM jj_seen WHERE protocol = 17;
DROP VIEW jj_seen;
PREPARE by_path(text) AS SELECT count(*) FROM jj_extract($1);
EXECUTE by_path('jj_captures/pcap_le_us.pcap');
EXECUTE by_path('jj_captures/demo.pcapng');

-- packets that give no flow
SELECT count(*) FROM jj_extract('jj_captures/pcapng_mixed_links.pcapng');
SELECT count(*) FROM jj_extract('jj_captures/pcapng_mixed_links.pcapng', options => '{"sampling_rate": 1e-9}');
SELECT count(*) FROM jj_extract(ARRAY['jj_captures/non_ip.pcap', 'jj_captures/malformed.pcap', 'jj_captures/cut_headers.pcap'], 'not icmp');
SELECT count(*) FROM jj_extract('jj_captures/non_ip.pcap');
SELECT count(*) FROM jj_extract('jj_captures/pcapng_no_iface.pcapng');
SELECT count(*) FROM jj_extract('jj_captures/pcapng_blocks.pcapng');

-- no packets
SELECT count(*) FROM jj_extract('jj_captures/empty.pcap');
SELECT count(*) FROM jj_extract('jj_captures/empty.pcap*');
SELECT count(*) FROM jj_extract('jj_captures/empty*.pcap*');
SELECT count(*) FROM jj_extract(pg_read_binary_file('jj_captures/empty.pcap'));
SELECT count(*) FROM jj_extract('{}'::text[]);

-- damaged captures give what comes before the damage
SELECT sum(total_packets) FROM jj_extract('jj_captures/cut_record.pcap');
SELECT sum(total_packets) FROM jj_extract('jj_captures/cut_record_header.pcap');
SELECT sum(total_packets) FROM jj_extract('jj_captures/cut_block.pcapng');
SELECT sum(total_packets) FROM jj_extract('jj_captures/cut_member.pcap.gz');
SELECT sum(total_packets) FROM jj_extract('jj_captures/bad_length.pcap');
SELECT sum(total_packets) FROM jj_extract('jj_captures/bad_block.pcapng');
SELECT sum(total_packets) FROM jj_extract('jj_captures/bad_caplen.pcapng');
SELECT sum(total_packets) FROM jj_extract(pg_read_binary_file('jj_captures/cut_record.pcap'));

-- a length that no packet can have costs that packet, not the call
SELECT src_ip, total_packets, total_bytes, pkt_len_max, payload_len_max FROM jj_extract('jj_captures/impossible_length.pcap');
SELECT frame, ip_len, wirelen, skipped FROM jj_packets('jj_captures/impossible_length.pcap');

COPY shell FROM PROGRAM 'rm jj_captures';
