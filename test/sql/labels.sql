-- labels: their table, lists of them, and which flows they are for
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set lists `echo "${PG_ABS_SRCDIR:-$PWD/test}/labels"`
\set link 'ln -sfn "' :captures '" jj_captures; ln -sfn "' :lists '" jj_lists'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
RESET client_min_messages;
CREATE SCHEMA labelled;
SET search_path = labelled, public;

-- ---- the table
SELECT jj_create_label_table('label');
\d label
SELECT jj_create_label_table('label');
SELECT jj_create_label_table('labelled."Of Others"');
SELECT count(*) AS columns, count(col_description(attrelid, attnum)) AS comments FROM pg_attribute WHERE attrelid = 'label'::regclass AND attnum > 0;
INSERT INTO label (src, dst, label) VALUES ('10.0.0.1', '2001:db8::1', 'x');
INSERT INTO label (src_ports, label) VALUES ('[5,5)', 'x');
INSERT INTO label (src_ports, label) VALUES ('[5,70000)', 'x');
INSERT INTO label (during, label) VALUES ('empty', 'x');
INSERT INTO label (label) VALUES ('');

-- ---- lists: a CSV in the style of CIC-IDS2017, with what is wrong in such
\set VERBOSITY default
\set columns '{"src": "Source IP", "src_ports": "Source Port", "dst": "Destination IP", "dst_ports": "Destination Port", "start": "Timestamp"}'
SELECT * FROM jj_load_labels('label', 'jj_lists/cic.csv', 'America/Halifax', :'columns', '{"time_format": "DD/MM/YYYY HH24:MI", "afternoon_before": 8, "after": "1 min"}') \gx
SELECT line, src, src_ports, dst, dst_ports, protocol, during, label, source FROM label ORDER BY line;
TRUNCATE label;
-- formats are tried in their order
SELECT lines, loaded, refused FROM jj_load_labels('label', 'jj_lists/cic.csv', 'America/Halifax', :'columns', '{"time_format": ["DD/MM/YYYY HH24:MI:SS", "DD/MM/YYYY HH24:MI", "iso"]}');
TRUNCATE label;

-- clocks that are put forward and back; offsets in the time itself
SELECT errors FROM jj_load_labels('label', 'jj_lists/iso.csv', 'Europe/Berlin');
SELECT line, during, label FROM label ORDER BY line;
TRUNCATE label;
-- the same list by the clock of another place
SELECT loaded FROM jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"before": "10 s"}');
SELECT line, during, label FROM label ORDER BY line LIMIT 2;
TRUNCATE label;
SELECT loaded FROM jj_load_labels('label', 'jj_lists/iso.csv', '+05:30');
SELECT line, during, label FROM label ORDER BY line LIMIT 2;
TRUNCATE label;

-- another delimiter and encoding; seconds since 1970
SELECT lines, loaded, refused, errors FROM jj_load_labels('label', 'jj_lists/windows.csv', 'UTC', '{"src": "Source IP", "dst": "Destination IP"}',
	'{"delimiter": ";", "encoding": "WIN1252", "time_format": "epoch", "defaults": {"protocol": "udp", "source": "notes", "either_direction": "no"}}');
SELECT line, src, dst, protocol, during, either_direction, label, priority, source FROM label ORDER BY line;
SELECT loaded FROM jj_load_labels('label', 'jj_lists/windows.csv', 'UTC', '{}', '{"delimiter": ";", "time_format": "epoch"}');
TRUNCATE label;

-- from a table: its own types, or texts
CREATE TABLE attack (host inet, port int, begins timestamptz, ends timestamptz, what text);
INSERT INTO attack VALUES ('10.0.0.1', 80, '2024-03-31 01:30+00', '2024-03-31 02:30+00', 'flood'), ('10.0.0.0/24', NULL, '2024-03-31 01:30+00', NULL, 'scan'), (NULL, 0, NULL, NULL, 'never');
SET timezone = 'Asia/Tokyo';
SELECT lines, loaded, refused, errors FROM jj_load_labels('label', 'attack'::regclass, 'America/New_York', '{"dst": "host", "dst_ports": "port", "start": "begins", "end": "ends", "label": "what"}');
SET timezone = 'UTC';
SELECT line, dst, dst_ports, during, label, source FROM label ORDER BY line;
TRUNCATE label;

-- what is refused
\set VERBOSITY terse
SELECT jj_load_labels('label', 'jj_lists/iso.csv', NULL);
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'Mars/Olympus');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC+3');
SELECT jj_load_labels('label', 'jj_lists/no_such.csv', 'UTC');
SELECT jj_load_labels('label', 'jj_lists/empty.csv', 'UTC');
SELECT * FROM jj_load_labels('label', 'jj_lists/header.csv', 'UTC');
SELECT jj_load_labels('label', 'jj_lists/twice.csv', 'UTC');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', '{"source": "no such"}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', '{"port": "src"}');
SELECT jj_load_labels('label', 'attack'::regclass, 'UTC');
SELECT jj_load_labels('attack', 'jj_lists/iso.csv', 'UTC');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => o) FROM unnest(ARRAY['{"header": true}', '5', '{"time_format": []}', '{"time_format": 5}']::jsonb[]) o;
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"header": true}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"time_format": []}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"duration_unit": "h"}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"afternoon_before": 13}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"after": "-1 s"}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"after": "soon"}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"delimiter": "::"}');
SELECT jj_load_labels('label', 'jj_lists/iso.csv', 'UTC', options => '{"defaults": {"ports": "1"}}');
SELECT count(*) FROM label;
CREATE ROLE jj_no_files;
GRANT ALL ON SCHEMA labelled TO jj_no_files;
GRANT ALL ON ALL TABLES IN SCHEMA labelled TO jj_no_files;
SET ROLE jj_no_files;
-- the message differs between versions of the server
\set VERBOSITY sqlstate
SELECT jj_load_labels('label', 'jj_lists/header.csv', 'UTC');
\set VERBOSITY default
SELECT loaded FROM jj_load_labels('label', 'attack'::regclass, 'UTC', '{"dst": "host", "label": "what"}');
RESET ROLE;
TRUNCATE label;
\set VERBOSITY default

-- ---- which flows
CREATE TABLE flow AS SELECT src_ip, src_port, dst_ip, dst_port, protocol, start_time, end_time, duration, capture, first_frame FROM jj_extract('jj_captures/demo.pcapng');
INSERT INTO label (src, src_ports, dst, dst_ports, protocol, during, either_direction, label, priority) VALUES
	('192.0.2.10', NULL, '198.51.100.0/24', '[443,444)', 6, DEFAULT, true, 'https', 1),
	(NULL, NULL, '198.51.100.20', NULL, NULL, DEFAULT, true, 'one server', 2),
	('198.51.100.30', NULL, '192.0.2.10', NULL, NULL, DEFAULT, false, 'the other way only', 9),
	('198.51.100.30', NULL, NULL, NULL, NULL, DEFAULT, true, 'either way', 1),
	(NULL, NULL, NULL, '[53,54)', 17, '[2023-11-14 22:13:25+00,2023-11-14 22:14:00+00)', true, 'dns, for a while', 3),
	(NULL, NULL, '2001:db8::/32', NULL, NULL, DEFAULT, true, 'ipv6', 0),
	(NULL, NULL, '10.9.9.9', NULL, NULL, DEFAULT, true, 'nobody', 3);
SELECT first_frame, label, label_id, priority, matched, labels_met, tied FROM jj_label('flow', 'label') ORDER BY first_frame;
SELECT * FROM jj_label_summary('flow', 'label') \gx
SELECT label_id, label, flows_met, flows_won, flows_tied FROM jj_label_report('flow', 'label');

-- a flow that began before the time of a label
UPDATE label SET during = '[2023-11-14 22:13:20.05+00,2023-11-14 22:13:20.06+00)' WHERE label = 'one server';
SELECT count(*) FILTER (WHERE 'one server' = ANY (labels_met)) AS at_start FROM jj_label('flow', 'label');
SELECT count(*) FILTER (WHERE 'one server' = ANY (labels_met)) AS overlapping FROM jj_label('flow', 'label', 'overlap');
ALTER TABLE flow DROP end_time;
SELECT count(*) FILTER (WHERE 'one server' = ANY (labels_met)) AS by_duration FROM jj_label('flow', 'label', 'overlap');

-- a label per flow, written down; a second time changes nothing
SELECT * FROM jj_apply_labels('flow', 'label');
ALTER TABLE flow ADD label text;
SELECT * FROM jj_apply_labels('flow', 'label', otherwise => 'BENIGN') \gx
SELECT flows_changed FROM jj_apply_labels('flow', 'label', otherwise => 'BENIGN');
SELECT label, count(*) FROM flow GROUP BY 1 ORDER BY 1;
UPDATE label SET priority = 5 WHERE label = 'https';
SELECT flows_tied, flows_changed FROM jj_apply_labels('flow', 'label', otherwise => 'BENIGN');

-- views, partitions
CREATE VIEW capture AS SELECT * FROM jj_extract('jj_captures/demo.pcapng');
SET client_min_messages = warning;
SELECT (SELECT count(*) FROM jj_label('capture', 'label') v JOIN jj_label('flow', 'label') t USING (first_frame) WHERE v.label IS NOT DISTINCT FROM t.label AND v.flow IS NULL) AS of_view,
	(SELECT count(*) FROM flow) AS flows;
CREATE TABLE part (LIKE flow) PARTITION BY RANGE (start_time);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (MINVALUE) TO ('2023-11-14 22:13:40+00');
CREATE TABLE part2 PARTITION OF part DEFAULT;
INSERT INTO part SELECT * FROM flow;
UPDATE part SET label = NULL;
SELECT count(DISTINCT flow_table), count(*) FROM jj_label('part', 'label');
SELECT flows_labelled, flows_changed FROM jj_apply_labels('part', 'label', 'label');
SELECT p.label, count(*) FROM part p JOIN jj_label('part', 'label') l ON l.flow_table = p.tableoid AND l.flow = p.ctid WHERE p.label IS NOT DISTINCT FROM l.label GROUP BY 1 ORDER BY 1;
RESET client_min_messages;

-- no flows, no labels
CREATE TABLE none (LIKE flow);
SELECT * FROM jj_label_summary('none', 'label') \gx
SELECT jj_create_label_table('unlabelled');
SELECT flows_labelled, flows_unlabelled, labels_read FROM jj_label_summary('flow', 'unlabelled');

-- what is refused
\set VERBOSITY terse
SELECT jj_label('flow', 'label', 'sometimes');
SELECT jj_label('flow', 'flow');
SELECT jj_label('label', 'label');
SELECT jj_label(NULL, 'label');
SELECT jj_label('none', NULL);
ALTER TABLE none DROP duration;
SELECT jj_label('none', 'label', 'overlap');
SELECT jj_apply_labels('capture', 'label');
SELECT jj_apply_labels('flow', 'label', 'weather');

SET client_min_messages = warning;
DROP SCHEMA labelled CASCADE;
DROP ROLE jj_no_files;
COPY shell FROM PROGRAM 'rm jj_captures jj_lists';
