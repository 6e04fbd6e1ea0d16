-- the extension: its objects, their properties, and that it goes away without a trace
SET client_min_messages = warning;
DROP EXTENSION IF EXISTS joyfuljay;
RESET client_min_messages;
CREATE EXTENSION joyfuljay;
SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'joyfuljay';

SELECT pg_describe_object(classid, objid, 0) AS object
FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'joyfuljay')
	AND (classid <> 'pg_type'::regclass OR objid IN (SELECT reltype FROM pg_class WHERE relkind = 'c'))	-- from PostgreSQL 17 on, row and array types count too
ORDER BY pg_describe_object(classid, objid, 0) COLLATE "C";

SELECT p.oid::regprocedure AS function, provolatile, proparallel, proisstrict, prosecdef, obj_description(p.oid, 'pg_proc') IS NOT NULL AS has_comment,
	has_function_privilege('pg_monitor', p.oid, 'EXECUTE') AS anyone
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND extname = 'joyfuljay'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- the type and its comments come from the registry, as the library's view does
SELECT count(*) AS columns, count(col_description(attrelid, attnum)) AS comments
FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass AND attnum > 0;
SELECT attnum, attname, name FROM (SELECT * FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass AND attnum > 0) a
	FULL JOIN jj_features f ON attnum = position
WHERE attname IS DISTINCT FROM name OR format_type(atttypid, NULL) IS DISTINCT FROM replace(sql_type, 'timestamptz', 'timestamp with time zone');
SELECT attname, format_type(atttypid, NULL) AS type, col_description(attrelid, attnum) AS comment
FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass AND attname IN ('src_ip', 'duration', 'iat_mean');

-- nothing here depends on the caller's search path
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = prolang
WHERE proname ~ '^jj_' AND lanname <> 'c' AND prosqlbody IS NULL AND NOT EXISTS (SELECT FROM unnest(proconfig) c WHERE c ~ '^search_path=');

-- somewhere else
CREATE SCHEMA jj_elsewhere;
DROP EXTENSION joyfuljay;
CREATE EXTENSION joyfuljay SCHEMA jj_elsewhere;
SELECT count(*) FROM jj_elsewhere.jj_features;
SELECT count(*) FROM jj_elsewhere.jj_settings;
SELECT count(*) FROM jj_elsewhere.jj_extract('\xd4c3b2a1020004000000000000000000ffff000001000000'::bytea);
DROP EXTENSION joyfuljay;
SELECT count(*) FROM pg_proc WHERE proname ~ '^jj_';
SELECT count(*) FROM pg_namespace WHERE nspname = 'joyfuljay';
DROP SCHEMA jj_elsewhere;
-- in the schema that its tables have anyway
CREATE SCHEMA joyfuljay;
CREATE EXTENSION joyfuljay SCHEMA joyfuljay;
DROP EXTENSION joyfuljay;
DROP SCHEMA joyfuljay;

SELECT name, default_version, comment FROM pg_available_extensions WHERE name = 'joyfuljay';
CREATE EXTENSION joyfuljay;
