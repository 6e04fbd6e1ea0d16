-- errors: SQLSTATE, message, hint
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

-- no such file, folder without captures, pattern without a file
SELECT * FROM jj_extract('jj_captures/missing.pcap');
\echo :SQLSTATE
SELECT * FROM jj_extract(ARRAY['jj_captures/demo.pcapng', 'jj_captures/missing.pcap']);
\echo :SQLSTATE
SELECT * FROM jj_extract('');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/demo.pcapng/more');
\echo :SQLSTATE
SELECT * FROM jj_extract('base');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/no*such*file.pcap');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/../*.[xyz]');
\echo :SQLSTATE
SELECT * FROM jj_pcap_info('jj_captures/missing.pcap');
\echo :SQLSTATE

-- not a regular file
COPY shell FROM PROGRAM 'mkfifo jj_fifo.pcap';
SELECT * FROM jj_extract('jj_fifo.pcap');
\echo :SQLSTATE
SELECT * FROM jj_pcap_info('jj_fifo.pcap');
\echo :SQLSTATE
COPY shell FROM PROGRAM 'rm jj_fifo.pcap';
SELECT * FROM jj_extract('/dev/null');
\echo :SQLSTATE
SELECT * FROM jj_extract('/dev/zero');
\echo :SQLSTATE

-- not a capture
SELECT * FROM jj_extract('jj_captures/not_text.txt');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/not_netmon.cap');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/not_snoop.cap');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/not_short.pcap');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/not_header.pcap');
\echo :SQLSTATE
SELECT * FROM jj_extract('not a capture'::bytea);
\echo :SQLSTATE
SELECT * FROM jj_extract(''::bytea);
\echo :SQLSTATE
SELECT * FROM jj_pcap_info('jj_captures/not_text.txt');
\echo :SQLSTATE
SELECT * FROM jj_pcap_info('\x00'::bytea);
\echo :SQLSTATE

-- link type not supported
SELECT * FROM jj_extract('jj_captures/link_user0.pcap');
\echo :SQLSTATE
SELECT * FROM jj_extract(pg_read_binary_file('jj_captures/link_user0.pcap'));
\echo :SQLSTATE
-- a section and an interface of link type 163, and a packet
SELECT * FROM jj_extract('\x0a0d0d0a1c0000004d3c2b1a01000000ffffffffffffffff1c000000'
	'0100000014000000a300000000000000140000000600000024000000000000000000000000000000040000000400000001020304'
	'24000000'::bytea);
\echo :SQLSTATE
SELECT count(*) FROM jj_extract(pg_read_binary_file('jj_captures/pcapng_mixed_links.pcapng'));
\echo :SQLSTATE

-- filter
SELECT * FROM jj_extract('jj_captures/demo.pcapng', 'tcp prot 80');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/demo.pcapng', 'nonsense and');
\echo :SQLSTATE
-- the rest of this message is libpcap's, and differs between its versions
\set VERBOSITY sqlstate
SELECT src_ip FROM jj_extract('jj_captures/link_raw.pcap', 'ether host 02:00:00:00:00:01');
\set VERBOSITY default
SELECT :'LAST_ERROR_MESSAGE' ~ '^filter "ether host 02:00:00:00:00:01" does not compile for link type 101 \(RAW\): .' AS says_why;

-- NULL
SELECT * FROM jj_extract(NULL::text);
\echo :SQLSTATE
SELECT * FROM jj_extract(NULL::text[]);
\echo :SQLSTATE
SELECT * FROM jj_extract(NULL::bytea);
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/demo.pcapng', options => NULL);
\echo :SQLSTATE
SELECT * FROM jj_extract(ARRAY['jj_captures/demo.pcapng', NULL]);
\echo :SQLSTATE
SELECT * FROM jj_pcap_info(NULL::text);
\echo :SQLSTATE
SELECT * FROM jj_pcap_info(NULL::bytea);
\echo :SQLSTATE

-- options; test options has them all
SELECT * FROM jj_extract('jj_captures/demo.pcapng', options => '{"flow_timeout": "-5s"}');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/demo.pcapng', options => '{"burst_treshold_ms": 5}');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/demo.pcapng', options => '{"features": ["tcp", "timings"]}');
\echo :SQLSTATE

-- privilege
CREATE ROLE regress_jj_nobody;
CREATE ROLE regress_jj_reader IN ROLE pg_read_server_files;
GRANT USAGE ON SCHEMA public TO regress_jj_nobody, regress_jj_reader;
CREATE TEMP TABLE held AS SELECT pg_read_binary_file('jj_captures/demo.pcapng') AS capture;
GRANT SELECT ON held TO regress_jj_nobody;
SET ROLE regress_jj_nobody;
SELECT * FROM jj_extract('jj_captures/demo.pcapng');
\echo :SQLSTATE
SELECT * FROM jj_extract('jj_captures/missing.pcap');
\echo :SQLSTATE
SELECT * FROM jj_extract(ARRAY['jj_captures/*']);
\echo :SQLSTATE
SELECT * FROM jj_pcap_info('jj_captures/demo.pcapng');
\echo :SQLSTATE
SELECT count(*) FROM held, jj_extract(capture);
SELECT packets FROM held, jj_pcap_info(held.capture);
SELECT count(*) FROM jj_features;
SELECT count(*) FROM jj_settings;
SELECT count(*) FROM jj_status();
SET ROLE regress_jj_reader;
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng');
SELECT packets FROM jj_pcap_info('jj_captures/demo.pcapng');
RESET ROLE;
DROP TABLE held;
REVOKE USAGE ON SCHEMA public FROM regress_jj_nobody, regress_jj_reader;
DROP ROLE regress_jj_nobody, regress_jj_reader;

-- an error in the middle leaves nothing behind: what was open is closed, the next call works
DO $$ BEGIN
	FOR i IN 1 .. 200 LOOP
		BEGIN
			PERFORM FROM jj_extract(ARRAY['jj_captures/pcap_le_us.pcap.zst', 'jj_captures/not_text.txt'], 'tcp');
		EXCEPTION WHEN invalid_binary_representation THEN
			NULL;
		END;
	END LOOP;
END $$;
SELECT count(*) FROM jj_extract('jj_captures/demo.pcapng');
SELECT count(*) FROM pg_stat_progress_copy;
SELECT sum(total_bytes) < 100e6 AS small FROM pg_backend_memory_contexts WHERE name LIKE 'joyfuljay%' OR name = 'TopMemoryContext';

COPY shell FROM PROGRAM 'rm jj_captures';
