-- texts in a database whose encoding isn't UTF-8
\set captures `echo "${PG_ABS_SRCDIR:-$PWD/test}/captures"`
\set link 'mkdir -p jj_names && ln -sf "' :captures '/demo.pcapng" "$(printf "jj_names/g\\303\\244nge \\342\\202\\254.pcapng")"'
CREATE TEMP TABLE shell (line text);
COPY shell FROM PROGRAM :'link';
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS joyfuljay;
CREATE FUNCTION pg_temp.names(call text) RETURNS TABLE (hex text, n bigint, texts bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT encode(convert_to(capture, getdatabaseencoding()), ''hex''), count(*), count(*) FILTER (WHERE end_reason <> '''' AND app_evidence IS NOT NULL) FROM %s GROUP BY 1', call);
END $$;
SELECT * FROM pg_temp.names($$ jj_extract('jj_names') $$);
SELECT * FROM pg_temp.names($$ (VALUES ('jj_names')) v(p), jj_extract(p) $$);
SELECT * FROM pg_temp.names($$ (SELECT (f).* FROM (SELECT f FROM jj_extract('jj_names') f OFFSET 0) x) y $$);
SELECT current_database() AS first \gset
CREATE DATABASE jj_regress_latin9 TEMPLATE template0 ENCODING 'LATIN9' LC_COLLATE 'C' LC_CTYPE 'C';
\c jj_regress_latin9
SET client_min_messages = warning;
CREATE EXTENSION joyfuljay;
CREATE FUNCTION pg_temp.names(call text) RETURNS TABLE (hex text, n bigint, texts bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT encode(convert_to(capture, getdatabaseencoding()), ''hex''), count(*), count(*) FILTER (WHERE end_reason <> '''' AND app_evidence IS NOT NULL) FROM %s GROUP BY 1', call);
END $$;
SELECT * FROM pg_temp.names($$ jj_extract('jj_names') $$);
SELECT * FROM pg_temp.names($$ (VALUES ('jj_names')) v(p), jj_extract(p) $$);
SELECT * FROM pg_temp.names($$ (SELECT (f).* FROM (SELECT f FROM jj_extract('jj_names') f OFFSET 0) x) y $$);
\c :first
DROP DATABASE jj_regress_latin9;
