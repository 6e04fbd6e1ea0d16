-- anonymisation: the key, pseudonyms, what becomes of each column, conditions
-- a link in the data directory leads to the captures, so that no message names a folder of this machine
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET max_parallel_workers_per_gather = 0;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;

-- without a key nothing is anonymised, and nothing is shown instead
SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": true}');
SELECT src_ip FROM jj_packets('jj_captures/demo.pcapng', options => '{"anonymize_ips": true}');
SELECT jj_anonymize(inet '10.0.0.1');
SET joyfuljay.anonymization_key = '';
SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": true}');
SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymization_salt": 5}');
SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => jsonb_build_object('anonymization_salt', repeat('x', 128)));

-- the key of the sample trace that was published with Crypto-PAn
SET joyfuljay.anonymization_key = '1522178d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202';
SELECT jj_anonymize(inet '128.11.68.132'), jj_anonymize(inet '129.118.74.4'), jj_anonymize(inet '198.36.213.5'), jj_anonymize(inet '2001:db8::1');
SELECT jj_anonymize(inet '128.11.0.0/16') AS network, jj_anonymize(inet '128.11.68.132/16') AS host, jj_anonymize(cidr '2001:db8::/32') AS network6,
	jj_anonymize(inet '128.11.68.132') << jj_anonymize(inet '128.11.0.0/16') AS inside;
SELECT jj_anonymize(macaddr '00:1b:21:01:02:03'), jj_anonymize(macaddr 'ff:ff:ff:ff:ff:ff'), jj_anonymize(macaddr '01:00:5e:00:00:fb');
SELECT jj_anonymize(NULL::inet) IS NULL AS null, jj_anonymize(inet '10.0.0.1', 'a') <> jj_anonymize(inet '10.0.0.1', 'b') AS salt,
	jj_anonymize(inet '10.0.0.1', '') = jj_anonymize(inet '10.0.0.1') AS none;

SELECT src_ip, src_port, dst_ip, dst_port, mac_src, mac_dst, community_id, tls_sni, total_bytes
FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": true}') ORDER BY start_ns, first_frame LIMIT 6;
SELECT frame, mac_src, src_ip, src_port, mac_dst, dst_ip, dst_port FROM jj_packets('jj_captures/demo.pcapng', options => '{"anonymize_ips": true}') ORDER BY frame LIMIT 4;
SELECT count(*) AS salted FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": true, "anonymization_salt": "2024"}') a
JOIN jj_extract('jj_captures/demo.pcapng') b USING (first_frame) WHERE a.src_ip = jj_anonymize(b.src_ip, '2024') AND a.src_ip <> jj_anonymize(b.src_ip);

-- the settings give the defaults
SET joyfuljay.anonymize_ips = on;
SET joyfuljay.anonymization_salt = '2024';
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng') a JOIN jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": false}') b USING (first_frame)
WHERE a.dst_ip = jj_anonymize(b.dst_ip, '2024');
RESET joyfuljay.anonymize_ips;
RESET joyfuljay.anonymization_salt;

-- a secret of another form, and another key
SET joyfuljay.anonymization_key = 'correct horse battery staple';
SELECT jj_anonymize(inet '128.11.68.132'), jj_anonymize(inet '128.11.68.133');
SET joyfuljay.anonymization_key = 'correct horse battery stable';
SELECT jj_anonymize(inet '128.11.68.132');

-- conditions on addresses see pseudonyms; the others are still tested on flows
EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": true}') WHERE src_ip << '10.0.0.0/8' AND dst_port = 443;
EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": "on"}') WHERE dst_ip = '10.0.0.1';
EXPLAIN (COSTS OFF) SELECT src_ip FROM jj_extract('jj_captures/demo.pcapng', options => '{"anonymize_ips": false}') WHERE dst_ip = '10.0.0.1';
PREPARE by_options(jsonb) AS SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng', options => $1) WHERE src_ip = jj_anonymize(inet '192.0.2.10');
SET plan_cache_mode = force_generic_plan;
EXECUTE by_options('{"anonymize_ips": true}');
EXECUTE by_options('{"anonymize_ips": false}');
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng') WHERE src_ip = '192.0.2.10';

-- the key can't be put where everyone reads it
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET joyfuljay.anonymization_key = ''x''', current_database()); END $$;
ALTER ROLE CURRENT_USER SET joyfuljay.anonymization_key = 'x';
CREATE FUNCTION leak() RETURNS int LANGUAGE sql SET joyfuljay.anonymization_key = 'x' AS 'SELECT 1';
SELECT count(*) FROM pg_settings WHERE name = 'joyfuljay.anonymization_key';

-- what becomes of the columns that anonymisation looks at
SELECT * FROM jj_privacy WHERE treatment <> 'untouched' ORDER BY row_type, treatment, column_name;

COPY shell FROM PROGRAM 'rm jj_captures';
