-- what users of the Python library know: jj_fill, jj_create_view, jj_bidirectional, jj_diff, jj_cite
\set SHOW_CONTEXT never
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
RESET client_min_messages;
CREATE SCHEMA compat;
SET search_path = compat, public;

SELECT name, fill FROM jj_features WHERE fill !~ '^(0|-1|false|'''')$' ORDER BY "position";
SELECT count(fill) FILTER (WHERE fill = '0') AS zero, count(fill) FILTER (WHERE fill = 'false') AS false, count(fill) FILTER (WHERE fill = '''''') AS empty,
	count(fill) FILTER (WHERE fill = '-1') AS minus_one FROM jj_features;

-- rows of jj_flow, and of tables with some of its columns
SELECT f.src_port, g.src_port, g.packets_ratio, g.packets_per_second, g.ja3_hash, g.traffic_type, g.dns_response_code, f.mac_src IS NULL AS no_mac, g.mac_src, g.tcp_os_hint_fwd, g.community_id IS NULL AS added
	FROM jj_extract('jj_captures/icmp.pcap') f, jj_fill(f) g ORDER BY f.first_frame LIMIT 1;
SELECT g.protocol, g.src_port, g.dst_port, g.dst_port_class, g.dst_port_class_num, g.dns_response_code, g.entropy_ratio, g.is_constant_size, g.is_constant_rate, g.padding_score
	FROM jj_extract('jj_captures/icmp.pcap') f, jj_fill(f) g ORDER BY f.first_frame LIMIT 2;
SELECT jj_create_table('few', '{packets_ratio,packets_per_second,tls_sni,ja3_hash,is_constant_rate}');
ALTER TABLE few ADD COLUMN note text, DROP COLUMN ja3_hash;
INSERT INTO few (src_ip, dst_ip, protocol, start_time) VALUES ('192.0.2.1', '192.0.2.2', 6, '2024-01-01');
SELECT g.* FROM few s, jj_fill(s) g;
SELECT jj_fill(1);
SELECT jj_fill(NULL::jj_flow) IS NULL AS nothing;
SELECT jj_fill(ROW(1, NULL::integer));

-- views
SELECT jj_create_table('flows');
INSERT INTO flows SELECT * FROM jj_extract('jj_captures/demo.pcapng');
SELECT jj_create_view('core', 'flows', '{JJ-CORE}'), jj_create_view('filled', 'flows', '{JJ-CORE,tls}', true), jj_create_view('narrow', 'few', filled => true);
SELECT (SELECT count(*) FROM pg_attribute WHERE attrelid = 'core'::regclass AND attnum > 0) AS columns, count(*) AS flows, count(src_port) AS with_port, count(*) FILTER (WHERE tls_detected) AS tls FROM filled;
SELECT count(*) FILTER (WHERE obj_description('filled'::regclass) IS NULL AND col_description(attrelid, attnum) IS NOT NULL) AS comments FROM pg_attribute WHERE attrelid = 'filled'::regclass AND attnum > 0;
-- PostgreSQL 16 and later leave out the table's name
SELECT regexp_replace(replace(pg_get_viewdef('narrow'), 'few.', ''), '\s+', ' ', 'g') AS definition;
SELECT jj_create_view('core', 'flows');
SELECT jj_create_view('a.b.c', 'flows');
SELECT jj_create_view('nowhere.c', 'flows');
SELECT jj_create_view('none', 'shell');
SELECT jj_create_view('none', NULL);
SELECT jj_create_view('none', 'flows', '{nonsense}');

-- a row per direction
SELECT src_ip, src_port, dst_ip, dst_port, protocol, direction, packets, bytes, pkt_len_max, tcp_flags, ip_ttl_min, first_frame FROM jj_bidirectional('flows') ORDER BY first_frame, direction DESC LIMIT 6;
SELECT * FROM jj_bidirectional('shell');
SELECT * FROM jj_bidirectional(NULL);
SELECT count(*) AS columns FROM pg_attribute WHERE attrelid = 'jj_direction'::regclass AND col_description(attrelid, attnum) IS NOT NULL;

-- differences
CREATE TABLE other AS SELECT * FROM flows;
SELECT column_name, compared, equal, different, only_a, only_b FROM jj_diff('flows', 'other') WHERE column_name = '*' OR equal < compared;
UPDATE other SET bytes_fwd = bytes_fwd * 2, tls_sni = NULL WHERE tls_sni IS NOT NULL;
UPDATE other SET duration = duration * (1 + 1e-10), iat_mean = 'NaN', entropy_ratio = 'Infinity', iat_max = 'Infinity' WHERE duration > 0;
DELETE FROM other WHERE protocol = 1;
SELECT column_name, compared, equal, different, only_a, only_b, largest_difference IS NULL AS no_distance, regexp_replace(example, '\.\d+', '', 'g') AS example FROM jj_diff('flows', 'other') WHERE column_name = '*' OR equal < compared;
SELECT column_name, compared, equal, different FROM jj_diff('flows', 'other', 0, '{first_frame}', '{duration}');
SELECT column_name, compared, equal, only_b FROM jj_diff('few', 'other', columns => '{tls_sni}');
SELECT count(*) FROM jj_diff('few', 'narrow');
SELECT * FROM jj_diff('flows', 'other', -1);
SELECT * FROM jj_diff('flows', 'other', 'NaN');
SELECT * FROM jj_diff('flows', 'other', key => '{}');
SELECT * FROM jj_diff('flows', 'other', key => '{flow_id}');
SELECT * FROM jj_diff('flows', 'shell', key => '{line}');
SELECT * FROM jj_diff('flows', NULL);
SELECT * FROM jj_diff('shell', 'shell', key => '{line}');

-- whoever may read the flows may use all of this
CREATE ROLE jj_compat_reader;
GRANT USAGE, CREATE ON SCHEMA compat TO jj_compat_reader;
GRANT SELECT ON flows, other TO jj_compat_reader;
SET ROLE jj_compat_reader;
SELECT count(*) FROM jj_bidirectional('flows');
SELECT count(g) FROM flows f, jj_fill(f) g;
SELECT compared, equal FROM jj_diff('flows', 'other') LIMIT 1;
SELECT jj_create_view('mine', 'flows', '{JJ-CORE}', true);
SELECT count(*) FROM jj_bidirectional('filled');
RESET ROLE;
DROP OWNED BY jj_compat_reader;
DROP ROLE jj_compat_reader;

-- citations
SELECT jj_cite();
SELECT jj_cite('APA');
SELECT jj_cite('cff');
SELECT jj_cite('text');
SELECT jj_cite('mla');
SELECT jj_cite(NULL);
