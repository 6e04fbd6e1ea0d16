-- packets to rows
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

-- the type; each column has a comment
SELECT attnum, attname, format_type(atttypid, NULL) AS type, col_description(attrelid, attnum) IS NOT NULL AS comment
FROM pg_attribute WHERE attrelid = 'jj_packet'::regclass AND attnum > 0 ORDER BY attnum;

-- a file
SELECT frame, flow, direction AS dir, time, t_ns, caplen, wirelen, src_ip, src_port, dst_port, protocol, ip_len, payload_len FROM jj_packets('jj_captures/pcap_le_us.pcap');
SELECT frame, tcp_flags, tcp_flags_text, tcp_seq, tcp_ack, tcp_window, tcp_urgent, tcp_header_len, tcp_options FROM jj_packets('jj_captures/pcap_le_us.pcap', 'tcp') WHERE flow IS NOT NULL;
SELECT DISTINCT tcp_flags, tcp_flags_text FROM jj_packets('jj_captures/tcp_*.pcap') ORDER BY 1;
SELECT frame, flow, ts_ns - 1700000000000000000 AS ns, t_ns FROM jj_packets('jj_captures/clock_backwards.pcap') p
WHERE ts_ns - (SELECT f.start_ns FROM jj_extract('jj_captures/clock_backwards.pcap') f WHERE f.first_frame = p.flow) < t_ns LIMIT 3;

-- a row with all there is
SELECT * FROM jj_packets('jj_captures/encap_vlan.pcap') WHERE cardinality(vlan_ids) = 2 LIMIT 1 \gx
SELECT frame, flow, tunnel, tunnel_src_ip, tunnel_dst_ip, ip_version AS v, src_ip, dst_ip, hdr_desc FROM jj_packets('jj_captures/tunnels_deep.pcap') ORDER BY frame;
SELECT frame, flow, direction AS dir, src_port, ip_id, ip_flags, fragment, frag_offset FROM jj_packets('jj_captures/fragments.pcap') WHERE fragment LIMIT 8;
SELECT frame, ip_version AS v, ip_id, flow_label, ext_headers, frag_offset, hdr_desc FROM jj_packets('jj_captures/ipv6_extensions.pcap') WHERE ext_headers IS NOT NULL LIMIT 8;
SELECT protocol, icmp_type, icmp_code, icmp_id, icmp_seq, count(*) FROM jj_packets('jj_captures/icmp*.pcap') WHERE icmp_type IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5;
SELECT link_type, array_agg(DISTINCT capture) AS captures, count(mac_src) AS with_mac_src, count(mac_dst) AS with_mac_dst, count(*) FROM jj_packets('jj_captures/link_[!u]*.pcap') GROUP BY 1 ORDER BY 1;

-- packets without a flow
SELECT frame, skipped, caplen, hdr_desc, eth_type, mac_src, mac_dst, vlan_ids, ip_version FROM jj_packets('jj_captures/non_ip.pcap');
SELECT frame, skipped, hdr_desc, eth_type, ip_version FROM jj_packets('jj_captures/malformed.pcap') WHERE skipped IS NOT NULL;
SELECT skipped, count(*), min(caplen), max(caplen) FROM jj_packets('jj_captures/cut_headers.pcap') GROUP BY 1 ORDER BY 1;
SELECT frame, skipped, flow, link_type, time FROM jj_packets('jj_captures/pcapng_no_iface.pcapng');
SELECT skipped, link_type, count(*) FROM jj_packets('jj_captures/pcapng_mixed_links.pcapng') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT frame, skipped, flow, direction, t_ns, protocol, src_port FROM jj_packets('jj_captures/pcap_le_us.pcap', 'udp') LIMIT 4;
SELECT skipped, count(flow), count(t_ns), count(src_ip) FROM jj_packets('jj_captures/pcap_le_us.pcap', options => '{"sampling_rate": 1e-9}') GROUP BY 1;
SELECT frame FROM jj_packets('jj_captures/cut_record.pcap') OFFSET 10;
SELECT count(*) FROM jj_packets('jj_captures/empty.pcap');
SELECT count(*) FROM jj_packets('{}'::text[]);

-- several files, and bytes
SELECT capture, count(*), min(frame), max(frame), min(flow), max(flow) FROM jj_packets(ARRAY['jj_captures/pcap_le_us.pcap', 'jj_captures/pcap_?e_us.pcap']) GROUP BY 1 ORDER BY 1;
SELECT capture, flow_capture, flow, count(*) FROM jj_packets('jj_captures/pcap_[bl]e_us.pcap', options => '{"continue": true}') GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT capture, flow_capture, count(*) FROM jj_packets(pg_read_binary_file('jj_captures/pcap_le_us.pcap.gz')) GROUP BY 1, 2;

-- drill down from flows
SELECT f.src_port, p.frame, p.tcp_flags_text FROM jj_extract('jj_captures/pcap_le_us.pcap') f, jj_packets('jj_captures/pcap_le_us.pcap') p
WHERE p.flow = f.first_frame AND f.protocol = 6 AND p.direction = -1 ORDER BY p.frame;
SELECT v.name, count(*) FROM (VALUES ('pcap_be_us.pcap'), ('demo.pcapng')) v(name), LATERAL jj_packets('jj_captures/' || v.name) GROUP BY 1 ORDER BY 1;
SELECT (jj_packets('jj_captures/pcap_le_us.pcap')).frame LIMIT 2;

-- errors
SELECT * FROM jj_packets('jj_captures/missing.pcap');
\echo :SQLSTATE
SELECT * FROM jj_packets('jj_captures/not_text.txt');
\echo :SQLSTATE
SELECT * FROM jj_packets('jj_captures/link_user0.pcap');
\echo :SQLSTATE
SELECT * FROM jj_packets('jj_captures/demo.pcapng', 'tcp prot 80');
\echo :SQLSTATE
SELECT * FROM jj_packets('jj_captures/demo.pcapng', options => '{"flow_timeout": "-5s"}');
\echo :SQLSTATE
SELECT * FROM jj_packets('jj_captures/demo.pcapng', options => NULL);
\echo :SQLSTATE
SELECT * FROM jj_packets(NULL::text);
\echo :SQLSTATE
SELECT * FROM jj_packets(NULL::text[]);
\echo :SQLSTATE
SELECT * FROM jj_packets(NULL::bytea);
\echo :SQLSTATE
CREATE ROLE regress_jj_nobody;
CREATE TEMP TABLE held AS SELECT pg_read_binary_file('jj_captures/demo.pcapng') AS capture;
GRANT SELECT ON held TO regress_jj_nobody;
SET ROLE regress_jj_nobody;
SELECT * FROM jj_packets('jj_captures/demo.pcapng');
\echo :SQLSTATE
SELECT count(*) FROM held, jj_packets(held.capture);
RESET ROLE;
DROP TABLE held;
DROP ROLE regress_jj_nobody;
SET work_mem = '64kB';
SELECT count(*), count(DISTINCT flow) FROM jj_packets('jj_captures/long_flow.pcap');

COPY shell FROM PROGRAM 'rm jj_captures';
