#!/bin/sh
# One statement, for bench: prints the number of packets it was given, then the
# elapsed time and the server's CPU time in nanoseconds.
#
#     bench/sql.sh PACKETS STATEMENT [BEFORE]
#
# The CPU time is the backend's own, from proc(5): utime + stime, in ticks. BEFORE
# is not timed. What both write is rolled back.
set -eu

psql -XqAt -v ON_ERROR_STOP=1 -v packets="$1" -v statement="$2" -v before="${3:-SELECT}" -v tick="$(getconf CLK_TCK)" <<'END'
SELECT pg_backend_pid() AS pid \gset
SET max_parallel_workers_per_gather = 0;
BEGIN;
:before \g /dev/null
\set began `awk '{print $14 + $15}' /proc/:pid/stat`
SELECT extract(epoch FROM clock_timestamp()) AS start \gset
:statement \g /dev/null
SELECT extract(epoch FROM clock_timestamp()) AS finish \gset
\set ended `awk '{print $14 + $15}' /proc/:pid/stat`
ROLLBACK;
SELECT :packets || ' ' || ((:finish - :start) * 1e9)::bigint || ' ' || ((:ended - :began) * 1e9 / :tick)::bigint;
END
