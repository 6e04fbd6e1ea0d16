#!/bin/sh
# "make demo": set up this machine, build and install the extension, extract a
# capture on a throw-away server and show its flows.
set -eu

cd "$(dirname "$0")/.."
if [ -z "${JJ_SERVER_DIR:-}" ]; then
	make=${MAKE:-make}
	unset MAKEFLAGS MFLAGS MAKEOVERRIDES
	as_root=
	[ "$(id -u)" -eq 0 ] || as_root=sudo
	log=$(mktemp)
	trap 'rm -f "$log"' EXIT

	echo "== setting up: compiler, libraries, PostgreSQL"
	tools/setup.sh build >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	echo "== building and installing the extension"
	$make -s -j"$(nproc)" all >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	$as_root "$make" -s install PG_CONFIG="${PG_CONFIG:-pg_config}" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
	echo "== starting a throw-away server"
	tools/server.sh tools/demo.sh
	exit
fi

capture=$JJ_SERVER_DIR/demo.pcapng
cp test/captures/demo.pcapng "$capture"
chmod 644 "$capture"

psql -Xq -v ON_ERROR_STOP=1 -v capture="$capture" -P pager=off -P footer=off -P null=- <<'END'
CREATE EXTENSION joyfuljay;

CREATE TEMP TABLE demo AS
SELECT start_time,
       CASE WHEN src_port IS NULL THEN host(src_ip)
            WHEN family(src_ip) = 6 THEN format('[%s]:%s', host(src_ip), src_port)
            ELSE format('%s:%s', host(src_ip), src_port) END AS initiator,
       CASE WHEN dst_port IS NULL THEN host(dst_ip)
            WHEN family(dst_ip) = 6 THEN format('[%s]:%s', host(dst_ip), dst_port)
            ELSE format('%s:%s', host(dst_ip), dst_port) END AS responder,
       CASE protocol WHEN 1 THEN 'ICMP' WHEN 2 THEN 'IGMP' WHEN 6 THEN 'TCP' WHEN 17 THEN 'UDP'
                     WHEN 58 THEN 'ICMPv6' WHEN 132 THEN 'SCTP' ELSE protocol::text END AS proto,
       duration, packets_fwd, packets_bwd, bytes_fwd, bytes_bwd, end_reason, app_protocol
FROM jj_extract(:'capture');

\echo
\echo 'Who talked to whom, when, how long, how much each way, and how it ended:'
\echo
SELECT to_char(start_time AT TIME ZONE 'UTC', 'HH24:MI:SS.MS') AS "UTC",
       initiator, responder, proto,
       to_char(duration, 'FM999990.000') AS seconds,
       packets_fwd AS "packets ->", packets_bwd AS "<-",
       bytes_fwd AS "bytes ->", bytes_bwd AS "<-",
       end_reason AS ended, app_protocol AS application
FROM demo
ORDER BY start_time;

\echo 'The capture in a line:'
\echo
SELECT count(*) AS flows, sum(packets_fwd + packets_bwd) AS packets, pg_size_pretty(sum(bytes_fwd + bytes_bwd)) AS bytes,
       min(start_time) AS "from", to_char(max(start_time + duration * interval '1 second') - min(start_time), 'HH24:MI:SS.MS') AS lasting
FROM demo;
END

cat <<'END'
joyfuljay is installed in this machine's PostgreSQL. What to try next:

    tools/server.sh psql                       a throw-away server to play with; it goes when you quit
    CREATE EXTENSION joyfuljay;                as superuser, in any database
    SELECT * FROM jj_extract('/path/to/your.pcap') LIMIT 1 \gx
    SELECT * FROM jj_pcap_info('/path/to/your.pcap');
    SELECT name, sql_type, unit, definition FROM jj_features WHERE implemented;
    CREATE TABLE flows AS SELECT * FROM jj_extract('/path/to/*.pcap');

The server's account must be able to read the file. README.md says more; make test runs the tests.
END
