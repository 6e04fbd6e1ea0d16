-- captures into tables: jj_ingest and its ledger
-- a link in the data directory leads to the captures, so that no message names a folder of this machine
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'ln -sfn "' :captures '" jj_captures; rm -rf jj_ingest; mkdir jj_ingest; cp jj_captures/demo.pcapng jj_captures/vpn.pcap jj_captures/tunnels.pcap jj_ingest'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
\set SHOW_CONTEXT never
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
RESET client_min_messages;
CREATE SCHEMA ingest;
SET search_path = ingest, public;
CREATE VIEW ledger AS SELECT i.path, i.target, i.settings, status, first.path AS duplicate_of, i.flows, i.rows, i.parts, i.packets, i.skipped, i.warnings, i.error,
	i.finished >= i.started AS finished, i.sha256 = sha256(pg_read_binary_file(i.path)) AS right_digest
FROM joyfuljay.ingest i LEFT JOIN LATERAL (SELECT f.path FROM joyfuljay.ingest f WHERE f.ingest = i.duplicate_of) first(path) ON true;
-- how many rows differ from those of jj_extract
CREATE FUNCTION differences(target regclass, source text, filter text DEFAULT NULL, options jsonb DEFAULT '{}', OUT missing bigint, OUT excess bigint) LANGUAGE plpgsql AS $$
DECLARE
	columns text := (SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute JOIN jj_features ON name = attname WHERE attrelid = target AND attnum > 0);
BEGIN
	EXECUTE format('WITH e AS MATERIALIZED (SELECT %1$s FROM jj_extract($1, $2, $3)), t AS (SELECT %1$s FROM %2$s)
		SELECT (SELECT count(*) FROM (SELECT * FROM e EXCEPT ALL SELECT * FROM t) m), (SELECT count(*) FROM (SELECT * FROM t EXCEPT ALL SELECT * FROM e) x)', columns, target)
		INTO missing, excess USING source, filter, options;
END
$$;

-- a file, and the folder it is in
SELECT jj_create_table('flows');
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows');
SELECT * FROM ledger \gx
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows');
CALL jj_ingest('jj_ingest', 'flows');
SELECT * FROM differences('flows', 'jj_ingest');
SELECT path, status, flows FROM ledger ORDER BY path;
-- each row leads to its run, and to its packets
SELECT kind, name, source, filter, options->>'flow_timeout' AS flow_timeout, options->>'features' AS features, target, version = (SELECT value FROM jj_status() WHERE name = 'version') AS version,
	schema_version = jj_schema_version() AS schema_version, finished >= started AS finished, started_by = current_user AS by, count(*) AS rows, count(DISTINCT capture) AS captures
FROM flows JOIN joyfuljay.run r USING (run) GROUP BY r.run ORDER BY r.run;
SELECT total_packets, (SELECT count(*) FROM jj_packets('jj_ingest/' || f.capture) p WHERE p.flow = f.first_frame) AS packets FROM flows f WHERE capture = 'vpn.pcap' ORDER BY first_frame LIMIT 3;

-- the same content by another name, and in another table
COPY shell FROM PROGRAM 'cp jj_ingest/vpn.pcap jj_ingest/same.pcap; touch jj_ingest/vpn.pcap';
CALL jj_ingest('jj_ingest', 'flows');
CALL jj_ingest('jj_ingest', 'flows');
SELECT path, status, duplicate_of, flows, right_digest FROM ledger ORDER BY path;
SELECT jj_create_table('others');
CALL jj_ingest('jj_ingest', 'others');
SELECT path, status, duplicate_of FROM ledger WHERE target = 'others'::regclass ORDER BY path;

-- compressed it is still the same
COPY shell FROM PROGRAM 'mkdir jj_ingest/packed; cp jj_captures/pcap_le_us.pcap* jj_ingest/packed';
CALL jj_ingest('jj_ingest/packed', 'others');
SELECT path, status, duplicate_of, right_digest FROM ledger WHERE path ~ 'packed' ORDER BY path;

-- changed content
COPY shell FROM PROGRAM 'cp jj_captures/icmp.pcap jj_ingest/same.pcap; cp jj_captures/protocols.pcap jj_ingest/vpn.pcap';
CALL jj_ingest('jj_ingest', 'flows');
SELECT path, status, flows FROM ledger WHERE target = 'flows'::regclass ORDER BY path, flows;
TRUNCATE flows;
SELECT jj_ingest_forget('jj_ingest/vpn.pcap', 'flows'), jj_ingest_forget('jj_ingest/vpn.pcap', 'flows'), jj_ingest_forget('jj_ingest/demo.pcapng', 'flows');
CALL jj_ingest('jj_ingest/*.pcap*', 'flows');
SELECT capture, count(*) FROM flows GROUP BY 1 ORDER BY 1;

-- another filter or other options are another ingest, another spelling or other columns are not
TRUNCATE flows;
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows', 'udp');
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows', options => '{"flow_timeout": "1ms", "tunnels": "outer"}');
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows', options => '{"flow_timeout": 0.001, "tunnels": "OUTER", "active_timeout": "infinity", "features": "dns"}');
SET joyfuljay.tunnels = outer;
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows', options => '{"flow_timeout": "1000us"}');
RESET joyfuljay.tunnels;
SELECT settings, flows FROM ledger WHERE path ~ 'demo' AND target = 'flows'::regclass ORDER BY 1;
SELECT count(*), count(*) FILTER (WHERE protocol = 17) FROM flows WHERE run = (SELECT min(run) FROM flows);

-- in parts
SELECT jj_create_table('parts');
CALL jj_ingest('jj_ingest/demo.pcapng', 'parts', commit_rows => 5);
SELECT status, flows, rows, parts, packets, skipped FROM ledger WHERE target = 'parts'::regclass;
SELECT * FROM differences('parts', 'jj_ingest/demo.pcapng');
SELECT count(DISTINCT xmin::text) AS transactions FROM parts;

-- a table of one's own
CREATE TABLE own (id integer GENERATED ALWAYS AS IDENTITY, total_bytes numeric, "capture" varchar(40), SRC_IP inet, dropped int, note text DEFAULT 'new', twice numeric GENERATED ALWAYS AS (total_bytes * 2) STORED, tls_sni text, run integer);
ALTER TABLE own DROP COLUMN dropped;
CALL jj_ingest('jj_ingest/demo.pcapng', 'own', options => '{"features": "tls"}');
SELECT count(*), count(DISTINCT id), count(DISTINCT run), min(note), bool_and(total_bytes IS NULL) AS not_computed, count(tls_sni) AS names, count(src_ip) AS addresses FROM own;
SELECT options->>'features' FROM joyfuljay.run WHERE run = (SELECT min(run) FROM own);
TRUNCATE own;
CALL jj_ingest('jj_ingest/tunnels.pcap', 'own', commit_rows => 0);
SELECT * FROM differences('own', 'jj_ingest/tunnels.pcap');
SELECT bool_and(twice = total_bytes * 2) FROM own;

-- straight into a table, and by INSERT where there is a trigger: the same rows, of the same size
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION both_ways(target text, OUT rows bigint, OUT missing bigint, OUT excess bigint, OUT same_size boolean) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT (SELECT count(*) FROM %1$s), (SELECT count(*) FROM (SELECT %1$s::text FROM %1$s EXCEPT ALL SELECT %1$s::text FROM inserted.%1$s %1$s) m),
		(SELECT count(*) FROM (SELECT %1$s::text FROM inserted.%1$s %1$s EXCEPT ALL SELECT %1$s::text FROM %1$s) x),
		(SELECT sum(pg_column_size(t)) FROM %1$s t) = (SELECT sum(pg_column_size(t)) FROM inserted.%1$s t)', target) INTO rows, missing, excess, same_size;
END
$$;
CREATE SCHEMA inserted;
SELECT jj_create_table('wide'), jj_create_table('numbered', '{tls, dns, icmp, mac}'), jj_create_table('gone', '{tls, http2}'), jj_create_table('widened', '{ssh}');
ALTER TABLE wide DROP COLUMN run;
ALTER TABLE gone DROP COLUMN http_host, DROP COLUMN tls_sni, DROP COLUMN tls_cert_san, DROP COLUMN run;
ALTER TABLE numbered ALTER COLUMN run SET DEFAULT 7, ADD CHECK (first_frame > 0), ADD UNIQUE (capture, first_frame);
ALTER TABLE widened ALTER COLUMN ssh_client_software SET STORAGE PLAIN;
CREATE TABLE disordered (tls_alpn text, src_ip inet, start_time timestamptz, run bigint, mac_src macaddr, dns_detected boolean, iat_sequence double precision[], src_port int);
CREATE TABLE rounded (src_ip inet, start_time timestamptz(0), protocol bigint);
CREATE INDEX ON disordered (upper(tls_alpn), (src_port / 2)) WHERE src_port > 0;
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY '{wide, numbered, gone, widened, disordered, rounded}'::text[] LOOP
		EXECUTE format('CREATE TABLE inserted.%1$s (LIKE %1$s INCLUDING ALL)', t);
		EXECUTE format('CREATE TRIGGER keep BEFORE INSERT ON inserted.%I FOR EACH ROW EXECUTE FUNCTION keep()', t);
	END LOOP;
END
$$;
ALTER TABLE inserted.wide SET (toast_tuple_target = 8160);
SET client_min_messages = warning;
SELECT format('CALL jj_ingest(%L, %L, commit_rows => %s)', 'jj_captures/' || capture, place || target, CASE target WHEN 'disordered' THEN 5 ELSE 0 END)
FROM unnest('{protocols.pcap, recorded_loopback.pcap, long_flow.pcap, icmpv6.pcap}'::text[]) capture, unnest('{wide, numbered, gone, widened, disordered, rounded}'::text[]) target,
	unnest(ARRAY['', 'inserted.']) place \gexec
RESET client_min_messages;
UPDATE inserted.numbered i SET run = n.run FROM numbered n WHERE (n.capture, n.first_frame) = (i.capture, i.first_frame);
UPDATE inserted.widened i SET run = w.run FROM widened w WHERE (w.capture, w.first_frame) = (i.capture, i.first_frame);
UPDATE inserted.disordered SET run = 0;
UPDATE disordered SET run = 0;
SELECT target, b.* FROM unnest('{wide, numbered, gone, widened, disordered, rounded}'::text[]) target, both_ways(target) b;
SET enable_seqscan = off;
SELECT count(*) FROM disordered WHERE upper(tls_alpn) = 'H2' AND src_port > 0;
SELECT count(*) FROM inserted.disordered WHERE upper(tls_alpn) = 'H2' AND src_port > 0;
RESET enable_seqscan;
CREATE TABLE once (LIKE numbered INCLUDING ALL);
CREATE UNIQUE INDEX once_by_address ON once (src_ip);
CALL jj_ingest('jj_captures/tcp_close.pcap', 'once');
SELECT status, flows, error FROM ledger WHERE target = 'once'::regclass;
SELECT count(*) FROM once;

-- partitions, triggers, row security, views
SELECT jj_create_table('parted', '{JJ-CORE}', 'day');
CALL jj_ingest('jj_ingest/demo.pcapng', 'parted');
SELECT * FROM differences('parted', 'jj_ingest/demo.pcapng');
CREATE FUNCTION keep_udp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.protocol <> 17 THEN RETURN NULL; END IF; NEW.note := 'by trigger'; RETURN NEW; END $$;
CREATE TABLE triggered (protocol smallint, capture text, note text NOT NULL);
CREATE TRIGGER keep_udp BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION keep_udp();
CALL jj_ingest('jj_ingest/demo.pcapng', 'triggered', commit_rows => 7);
SELECT flows, rows, parts FROM ledger WHERE target = 'triggered'::regclass;
SELECT protocol, note, count(*) FROM triggered GROUP BY 1, 2;
CREATE TABLE beneath (protocol smallint, src_port integer);
CREATE VIEW above AS SELECT * FROM beneath WHERE protocol = 6;
CALL jj_ingest('jj_ingest/demo.pcapng', 'above');
SELECT count(*) FROM beneath;

-- constraints: what a capture does wrong is in the ledger, and the others go on
CREATE TABLE strict (capture text, dst_port integer CHECK (dst_port <> 53), src_port integer);
CALL jj_ingest('jj_ingest', 'strict');
SELECT path, status, flows, error FROM ledger WHERE target = 'strict'::regclass ORDER BY path;
SELECT capture, count(*) FROM strict GROUP BY 1 ORDER BY 1;
CREATE TABLE ports (port integer PRIMARY KEY);
INSERT INTO ports SELECT generate_series(0, 65535);
DELETE FROM ports WHERE port = 443;
CREATE TABLE referring (capture text, dst_port integer REFERENCES ports DEFERRABLE INITIALLY DEFERRED);
CALL jj_ingest('jj_ingest', 'referring');
SELECT path, status, flows, error FROM ledger WHERE target = 'referring'::regclass ORDER BY path;
SELECT capture, count(*) FROM referring GROUP BY 1 ORDER BY 1;
INSERT INTO ports VALUES (443);
CALL jj_ingest('jj_ingest', 'referring');
SELECT path, status, flows, error FROM ledger WHERE target = 'referring'::regclass ORDER BY path;

-- broken captures among good ones
COPY shell FROM PROGRAM 'cp jj_captures/not_short.pcap jj_ingest/a_broken.pcap; cp jj_captures/cut_record.pcap jj_ingest/cut.pcap; mkdir jj_ingest/below; cp jj_captures/icmp.pcap jj_ingest/below/other.pcap1; ln -s .. jj_ingest/below/round';
SELECT jj_create_table('rest', '{flow_meta}');
CALL jj_ingest('jj_ingest', 'rest', recursive => true);
SELECT path, status, duplicate_of, flows, warnings, error FROM ledger WHERE target = 'rest'::regclass ORDER BY path;
COPY shell FROM PROGRAM 'cp jj_captures/dns_tcp.pcap jj_ingest/a_broken.pcap';
CALL jj_ingest('jj_ingest', 'rest');
SELECT path, status, flows, error FROM ledger WHERE target = 'rest'::regclass AND path ~ 'broken';

-- arguments
CALL jj_ingest('jj_missing', 'flows');
CALL jj_ingest('base', 'flows');
CALL jj_ingest('jj_ingest', 'missing');
CALL jj_ingest(NULL, 'flows');
CALL jj_ingest('jj_ingest', NULL);
CALL jj_ingest('jj_ingest', 'flows', options => NULL);
CALL jj_ingest('jj_ingest', 'flows', 'no filter');
CALL jj_ingest('jj_ingest', 'flows', options => '{"no": "option"}');
CALL jj_ingest('jj_ingest', 'flows', options => '{"continue": true}');
CALL jj_ingest('jj_ingest', 'flows', commit_rows => -1);
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows', recursive => true);
CALL jj_ingest('jj_ingest', 'ports');
CREATE TABLE wrong (src_ip integer);
CALL jj_ingest('jj_ingest', 'wrong');
CREATE TABLE needs (src_ip inet, analyst text NOT NULL);
CALL jj_ingest('jj_ingest', 'needs');
CREATE SEQUENCE numbers;
CALL jj_ingest('jj_ingest', 'numbers');
BEGIN;
CALL jj_ingest('jj_ingest', 'flows');
ROLLBACK;
CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CALL jj_ingest('jj_ingest', 'flows'); END $$;
SELECT in_function();
DO $$ BEGIN CALL jj_ingest('jj_ingest/tunnels.pcap', 'ingest.flows', 'icmp'); END $$;
SET default_transaction_read_only = on;
CALL jj_ingest('jj_ingest', 'flows');
RESET default_transaction_read_only;
SET default_transaction_isolation = 'repeatable read';
CALL jj_ingest('jj_ingest/tunnels.pcap', 'flows', 'tcp');
RESET default_transaction_isolation;

-- finished flows are for that INSERT alone
SELECT * FROM joyfuljay.finished_flows();
EXPLAIN (COSTS OFF) SELECT src_ip FROM joyfuljay.finished_flows() WHERE src_port = 1;
CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM count(src_ip) FROM joyfuljay.finished_flows(); RETURN NEW; END $$;
CREATE TABLE stealing (src_ip inet);
CREATE TRIGGER steal BEFORE INSERT ON stealing FOR EACH ROW EXECUTE FUNCTION steal();
CALL jj_ingest('jj_ingest/demo.pcapng', 'stealing');
CREATE TABLE ruled (src_ip inet);
CREATE RULE again AS ON INSERT TO ruled DO ALSO INSERT INTO stealing VALUES (NEW.src_ip);
CALL jj_ingest('jj_ingest/demo.pcapng', 'ruled');
SELECT (SELECT count(*) FROM stealing) AS stealing, (SELECT count(*) FROM ruled) AS ruled;

-- rights: those of the caller
CREATE ROLE jj_reader IN ROLE pg_read_server_files;
CREATE ROLE jj_inserter;
GRANT USAGE ON SCHEMA ingest TO jj_reader, jj_inserter;
GRANT INSERT (src_ip, capture) ON flows TO jj_reader;
GRANT INSERT ON flows TO jj_inserter;
CREATE TABLE theirs (src_ip inet, run bigint);
GRANT INSERT (src_ip, run), SELECT ON theirs TO jj_reader;
SET ROLE jj_reader;
CALL jj_ingest('jj_ingest', 'flows');
CALL jj_ingest('jj_ingest/demo.pcapng', 'theirs');
SELECT count(*) FROM theirs;
SELECT DISTINCT target, started_by FROM joyfuljay.run;
SELECT path, status, flows FROM joyfuljay.ingest;
SELECT jj_ingest_forget('jj_ingest/demo.pcapng', 'theirs');
INSERT INTO joyfuljay.ingest DEFAULT VALUES;
UPDATE joyfuljay.run SET started_by = 'postgres';
RESET ROLE;
SET ROLE jj_inserter;
CALL jj_ingest('jj_ingest', 'flows');
SELECT count(*) FROM joyfuljay.run;
SELECT count(*) FROM joyfuljay.ingest;
RESET ROLE;
GRANT pg_monitor TO jj_inserter;
SET ROLE jj_inserter;
SELECT count(*) > 10 AS all FROM joyfuljay.ingest;
RESET ROLE;
-- a capture that the caller's row security keeps out
ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
CREATE POLICY no_demo ON theirs USING (true) WITH CHECK (host(src_ip) <> '192.0.2.10');
SET ROLE jj_reader;
CALL jj_ingest('jj_ingest/demo.pcapng', 'theirs', 'tcp');
RESET ROLE;
SELECT count(*) FROM theirs;
-- what the caller's search path hides is not used
CREATE FUNCTION ingest.hashtextextended(text, bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION ingest.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE OPERATOR ingest.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = ingest.trap);
SET search_path = ingest, public, pg_catalog;
CALL jj_ingest('jj_ingest/demo.pcapng', 'flows', 'tcp port 443');
SET search_path = ingest, public;

SET client_min_messages = warning;
DROP SCHEMA ingest CASCADE;
DROP ROLE jj_reader, jj_inserter;
COPY shell FROM PROGRAM 'rm -r jj_ingest';
