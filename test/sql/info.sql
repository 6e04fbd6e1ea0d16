-- jj_pcap_info
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

\x
SELECT * FROM jj_pcap_info('jj_captures/pcap_le_us.pcap');
SELECT * FROM jj_pcap_info('jj_captures/pcap_be_ns.pcap');
SELECT * FROM jj_pcap_info('jj_captures/pcapng_sections.pcapng');
SELECT * FROM jj_pcap_info('jj_captures/pcapng_tsresol.pcapng');
SELECT * FROM jj_pcap_info('jj_captures/pcapng_fine_clock.pcapng');
SELECT * FROM jj_pcap_info('jj_captures/pcapng_mixed_links.pcapng');
SELECT * FROM jj_pcap_info('jj_captures/cut_member.pcap.gz');
SELECT * FROM jj_pcap_info('jj_captures/empty.pcapng');
SELECT * FROM jj_pcap_info('jj_captures/pcapng_no_iface.pcapng');
SELECT * FROM jj_pcap_info(pg_read_binary_file('jj_captures/pcap_le_us.pcap.zst'));
\x
-- several files are several rows
SELECT capture, format, compression, byte_order, packets FROM jj_pcap_info('jj_captures/pcap_*');
SELECT capture, packets, cut_packets, captured_bytes, wire_bytes FROM jj_pcap_info('jj_captures/snaplen64.pcap');
SELECT capture, out_of_order, first_time, last_time FROM jj_pcap_info('jj_captures/clock_backwards.pcap');
SELECT capture, truncated, warnings FROM jj_pcap_info('jj_captures/[bc][au][dt]_*');
SELECT capture, packets, skipped FROM unnest('{non_ip,malformed,cut_headers,ipsec,encap_many_vlans}'::text[]) n, jj_pcap_info('jj_captures/' || n || '.pcap');
SELECT capture, link_types, link_names, snap_length FROM jj_pcap_info('jj_captures/link_*.pcap');

-- what it says is skipped is what jj_extract leaves out, and all else is in the flows
SET client_min_messages = error;
CREATE TEMP TABLE sums AS SELECT f, i.packets, skipped, (SELECT coalesce(sum(total_packets), 0) FROM jj_extract('jj_captures/' || f)) AS in_flows
FROM pg_ls_dir('jj_captures') f, jj_pcap_info('jj_captures/' || f) i WHERE f ~ '\.pcap(ng)?(\.[a-z0-9]+)?$' AND f !~ '^(not_|link_user0)';
RESET client_min_messages;
SELECT count(*) > 70 AS many, sum(in_flows) > 1000 AS some FROM sums;
SELECT * FROM sums WHERE in_flows <> packets - (SELECT coalesce(sum(value::bigint), 0) FROM jsonb_each_text(skipped));

COPY shell FROM PROGRAM 'rm jj_captures';
