#!/bin/sh
# One query of jj_extract over a capture, for bench: prints the number of packets it was
# given, then the elapsed time and the server's CPU time in nanoseconds.
#
#     bench/sql.sh CAPTURE PACKETS SELECT_LIST
#
# The CPU time is the backend's own, from proc(5): utime + stime, in ticks.
set -eu

psql -XqAt -v ON_ERROR_STOP=1 -v capture="$1" -v packets="$2" -v list="$3" -v tick="$(getconf CLK_TCK)" <<'END'
SELECT pg_backend_pid() AS pid \gset
SET max_parallel_workers_per_gather = 0;
\set before `awk '{print $14 + $15}' /proc/:pid/stat`
SELECT extract(epoch FROM clock_timestamp()) AS start \gset
SELECT :list FROM jj_extract(:'capture') f \g /dev/null
SELECT extract(epoch FROM clock_timestamp()) AS finish \gset
\set after `awk '{print $14 + $15}' /proc/:pid/stat`
SELECT :packets || ' ' || ((:finish - :start) * 1e9)::bigint || ' ' || ((:after - :before) * 1e9 / :tick)::bigint;
END
