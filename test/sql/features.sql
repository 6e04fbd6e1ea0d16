-- jj_features and jj_status
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
RESET client_min_messages;
SELECT group_name, count(*) AS columns, implemented FROM jj_features GROUP BY group_name, implemented ORDER BY min(position);
SELECT tier, count(*) FROM jj_features GROUP BY 1 ORDER BY tier COLLATE "C";
SELECT sql_type, count(*) FROM jj_features GROUP BY 1 ORDER BY sql_type COLLATE "C";
SELECT position, name, group_name, sql_type, unit, tier, null_when, implemented FROM jj_features WHERE position <= 10 ORDER BY position;
SELECT definition, deviation FROM jj_features WHERE name = 'dst_ip';
SELECT count(*) AS lines, count(DISTINCT name) AS names, min(position), max(position),
	count(*) FILTER (WHERE definition = '' OR unit = '-' OR null_when = '-' OR deviation = '') AS odd FROM jj_features;

-- status names what differs from machine to machine
SELECT name, value <> '' AS filled FROM jj_status();
SELECT value FROM jj_status() WHERE name IN ('version', 'link types', 'columns', 'groups built');
SELECT value::int BETWEEN 100 AND 100000 AS plausible FROM jj_status() WHERE name = 'bytes per flow';
SELECT value = extversion AS same FROM jj_status(), pg_extension WHERE name = 'version' AND extname = 'joyfuljay';
