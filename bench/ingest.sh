#!/bin/sh
# Rows of a capture from a table into a table, and from the capture into a table
# in one process and with a worker that reads, by turns: of each, the shortest
# elapsed time and the least CPU time of the session's process, in milliseconds.
#
#     bench/ingest.sh ROUNDS CAPTURE FEATURES
#
# prints: ROWS, then ELAPSED CPU of INSERT, of jj_ingest alone and of jj_ingest with a worker.
# FEATURES is an expression, of the columns of the tables. Those written to are made anew each time, by jj_create_table.
set -eu

measure()
{
	cat <<'END'
SELECT jj_create_table('target', :features) \g /dev/null
CHECKPOINT;
\set began `awk '{print $14 + $15}' /proc/:pid/stat`
SELECT extract(epoch FROM clock_timestamp()) AS start \gset
END
	echo "$2;"
	cat <<END
SELECT extract(epoch FROM clock_timestamp()) AS finish \\gset
\\set ended \`awk '{print \$14 + \$15}' /proc/:pid/stat\`
SELECT '$1', (:finish - :start) * 1000, (:ended - :began) * 1000.0 / :tick, count(*) FROM target;
DROP TABLE target;
END
}

{
	cat <<'END'
SET joyfuljay.features = 'all';
SELECT pg_backend_pid() AS pid \gset
DROP TABLE IF EXISTS source;
SELECT jj_create_table('source', :features) \g /dev/null
CALL jj_ingest(:'capture', 'source');
VACUUM (FREEZE, ANALYZE) source;
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) AS columns FROM pg_attribute WHERE attrelid = 'source'::regclass AND attnum > 0 \gset
END
	i=0
	while [ "$i" -lt "$1" ]; do
		measure insert 'INSERT INTO target (:columns) SELECT :columns FROM source'
		echo 'SET max_parallel_workers_per_gather = 0;'
		measure alone "CALL jj_ingest(:'capture', 'target')"
		echo 'SET max_parallel_workers_per_gather = 2;'
		measure worker "CALL jj_ingest(:'capture', 'target')"
		i=$((i + 1))
	done
	echo 'DROP TABLE source;'
} | psql -XqAt -F ' ' -v ON_ERROR_STOP=1 -v capture="$2" -v features="$3" -v tick="$(getconf CLK_TCK)" | awk '
	!(($1, "elapsed") in best) || $2 < best[$1, "elapsed"] {best[$1, "elapsed"] = $2}
	!(($1, "cpu") in best) || $3 < best[$1, "cpu"] {best[$1, "cpu"] = $3}
	rows != "" && $4 != rows {print "bench: " $4 " rows instead of " rows >"/dev/stderr"; exit 1}
	{rows = $4}
	END {
		print rows, best["insert", "elapsed"], best["insert", "cpu"], best["alone", "elapsed"], best["alone", "cpu"], best["worker", "elapsed"], best["worker", "cpu"]
	}'
