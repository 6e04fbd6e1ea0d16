#!/bin/sh
# Most memory of its own that a server process has had, in kB, after one statement: from
# proc(5), the peak of what was resident (VmHWM) without mapped files and shared memory.
#
#     bench/peak.sh STATEMENT
set -eu

psql -XqAt -v ON_ERROR_STOP=1 -v statement="$1" <<'END'
SELECT pg_backend_pid() AS pid \gset
SET max_parallel_workers_per_gather = 0;
:statement \g /dev/null
\set peak `awk '/^VmHWM/ {n += $2} /^RssFile|^RssShmem/ {n -= $2} END {print n}' /proc/:pid/status`
\echo :peak
END
