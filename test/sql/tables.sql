-- tables of flows: jj_create_table, jj_ensure_partitions, jj_upgrade_table
\set SHOW_CONTEXT never
CREATE SCHEMA tables;
SET search_path = tables, public;
SELECT jj_create_table('everything');
SELECT count(*) AS columns, count(col_description(attrelid, attnum)) AS comments FROM pg_attribute WHERE attrelid = 'everything'::regclass AND attnum > 0;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'everything'::regclass AND attname <> 'run' AND attnum > 0
	AND (attname, atttypid, attnum) NOT IN (SELECT attname, atttypid, attnum FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass);
SELECT indexdef FROM pg_indexes WHERE tablename = 'everything' ORDER BY indexdef;
SELECT count(*) FROM pg_depend WHERE objid = 'everything'::regclass AND refclassid = 'pg_extension'::regclass;
-- rows stay in one piece as long as they fit a page, also if they can be compressed
SELECT reloptions = ARRAY['toast_tuple_target=' || current_setting('block_size')::integer - 32] AS storage FROM pg_class WHERE oid = 'everything'::regclass;
INSERT INTO everything (start_time, community_id) VALUES ('2024-01-01', repeat('a', 6000)), ('2024-01-01', repeat('b', 60000));
SELECT length(community_id), pg_column_size(community_id) = length(community_id) + 4 AS as_it_is FROM everything ORDER BY 1;
TRUNCATE everything;

-- some columns, in a schema of choice, with names that need quotes
SELECT jj_create_table('"Tab""les"', ARRAY['ja3_hash', 'icmp', 'Community_ID']);
SELECT jj_create_table('tables.few', '{tls_sni}');
SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'few'::regclass AND attnum > 0;
SELECT count(*) FROM pg_attribute WHERE attrelid = '"Tab""les"'::regclass AND attnum > 0;
SELECT jj_create_table('core', '{JJ-CORE}'), jj_create_table('everywhere', schema => 'public');
SELECT count(*) FILTER (WHERE f.name IS NOT NULL) AS core, count(*) FILTER (WHERE f.name IS NULL) AS others FROM pg_attribute a
	LEFT JOIN jj_features f ON name = attname AND tier = 'CORE' WHERE attrelid = 'core'::regclass AND attnum > 0;
DROP TABLE everywhere;

SELECT jj_create_table('wrong', '{nonsense}');
SELECT jj_create_table('wrong', '{}');
SELECT jj_create_table('wrong', ARRAY['tls', NULL]);
SELECT jj_create_table('a.b.c');
SELECT jj_create_table('wrong', partition_by => 'week');
SELECT jj_create_table('few');
SELECT jj_create_table('nowhere.wrong');
SET search_path = '';
SELECT public.jj_create_table('wrong');
SET search_path = tables, public;

-- partitions: whole units of UTC, whatever the session's time zone
SET timezone = 'Asia/Kathmandu';
SELECT jj_create_table('days', '{flow_meta}', 'day');
SELECT count(*) AS partitions, count(*) FILTER (WHERE is_default) AS defaults,
	bool_and(upper_bound - lower_bound = '1 day' AND date_trunc('day', lower_bound, 'UTC') = lower_bound) AS whole FROM joyfuljay.partitions('days');
INSERT INTO days (start_time, src_port) SELECT '2024-02-28 12:00Z'::timestamptz + n * '6 hours'::interval, n FROM generate_series(1, 10) n;
SELECT tableoid::regclass, count(*) FROM days GROUP BY 1;
SELECT * FROM jj_ensure_partitions('days', '2 days', NULL, '2024-03-05 23:30Z');
SELECT tableoid::regclass, count(*), min(src_port), max(src_port) FROM days GROUP BY 1 ORDER BY tableoid::regclass::text;
SELECT part, lower_bound AT TIME ZONE 'UTC' AS lower, upper_bound AT TIME ZONE 'UTC' AS upper FROM joyfuljay.partitions('days') WHERE lower_bound < '2025-01-01' ORDER BY lower_bound;
SELECT * FROM jj_ensure_partitions('days', '2 days', NULL, '2024-03-05 23:30Z');
INSERT INTO days (start_time, src_port) VALUES ('2024-01-01 00:00Z', 0);
SELECT * FROM jj_ensure_partitions('days', '2 days', '5 days', '2024-03-05 23:30Z');
SELECT tableoid::regclass, count(*) FROM days GROUP BY 1 ORDER BY tableoid::regclass::text;
SELECT indexdef FROM pg_indexes WHERE tablename = 'days_20240301' ORDER BY indexdef;
SELECT relkind, reloptions = ARRAY['toast_tuple_target=' || current_setting('block_size')::integer - 32] AS storage, count(*) > 1 AS several
	FROM pg_class WHERE oid = 'days'::regclass OR oid IN (SELECT part FROM joyfuljay.partitions('days')) GROUP BY 1, 2 ORDER BY 1;
SELECT jj_create_table('hours', '{flow_meta}', 'hour'), jj_create_table('months', '{flow_meta}', 'month');
SELECT * FROM jj_ensure_partitions('hours', '3 hours', NULL, '2024-12-31 22:59:59Z');
SELECT * FROM jj_ensure_partitions('months', '40 days', NULL, '2024-01-31 12:00Z');
SELECT part, lower_bound AT TIME ZONE 'UTC' AS lower, upper_bound AT TIME ZONE 'UTC' AS upper FROM joyfuljay.partitions('hours') WHERE lower_bound < '2025-02-01';
SELECT part, lower_bound AT TIME ZONE 'UTC' AS lower, upper_bound AT TIME ZONE 'UTC' AS upper FROM joyfuljay.partitions('months') WHERE lower_bound < '2025-02-01';
RESET timezone;
-- a generated column, and a time that no partition has
SELECT jj_create_table('mine', '{capture}', 'day');
ALTER TABLE mine ADD COLUMN ports text GENERATED ALWAYS AS (src_port::text || '-' || dst_port::text) STORED;
INSERT INTO mine (start_time, src_port, dst_port) VALUES ('2024-05-05 05:05Z', 1, 2), ('infinity', 3, 4);
SELECT * FROM jj_ensure_partitions('mine', '0', NULL, '2024-05-05');
SELECT tableoid::regclass, start_time, ports FROM mine ORDER BY 2;

SELECT * FROM jj_ensure_partitions('core');
SELECT * FROM jj_ensure_partitions('days', '-1 day');
SELECT * FROM jj_ensure_partitions('days', NULL);
CREATE TABLE odd (start_time timestamptz) PARTITION BY RANGE (start_time);
SELECT * FROM jj_ensure_partitions('odd');

-- columns that a newer version has
SELECT jj_create_table('older', '{flow_meta, tls, ssh_hassh}');
ALTER TABLE older DROP COLUMN ja4, DROP COLUMN tls_sni, DROP COLUMN run, DROP COLUMN capture;
SELECT * FROM jj_upgrade_table('older');
SELECT * FROM jj_upgrade_table('older');
SELECT count(*) FROM jj_upgrade_table('older', '{ssh}');
SELECT attname, atttypid::regtype, col_description(attrelid, attnum) IS NOT NULL AS comment FROM pg_attribute WHERE attrelid = 'older'::regclass AND attname IN ('tls_sni', 'run', 'ssh_detected');
SELECT * FROM jj_upgrade_table('few');
SELECT * FROM jj_upgrade_table('few', '{tls, nonsense}');
SELECT count(*) FROM jj_upgrade_table('days', '{icmp}');

-- rights are the caller's
CREATE ROLE jj_tables_user;
GRANT USAGE ON SCHEMA tables TO jj_tables_user;
SET ROLE jj_tables_user;
SELECT jj_create_table('tables.theirs');
SELECT * FROM jj_ensure_partitions('tables.days');
SELECT * FROM jj_upgrade_table('tables.few', '{icmp}');
RESET ROLE;
REVOKE ALL ON SCHEMA tables FROM jj_tables_user;
DROP ROLE jj_tables_user;
SET client_min_messages = warning;
DROP SCHEMA tables CASCADE;
