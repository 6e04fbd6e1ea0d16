#!/bin/sh
# Live captures of packets that a sender on the same machine makes, through the
# worker and through jj-sensor:
#
#     tools/server.sh bench/live.sh BUILD [RUN + RUN ...]
#
# RUN is worker|sensor OPTIONS SECONDS ARGUMENTS-OF-JJ-SEND, see live.pl. Without
# any: 64-byte packets at several rates, and those of the benchmark's capture.
set -eu

build=$1
shift
mixed=$JJ_SERVER_DIR/mixed.pcap
if [ $# -eq 0 ]; then
	"$build/jj-generate" --out "$mixed" --packets 200000 --flows 2000 >/dev/null
	chmod 644 "$mixed"
	for by in worker sensor; do
		for rate in 100000 200000 300000 400000 500000 600000; do
			set -- "$@" $by '{}' 5 --size 64 --flows 1000 --pps $rate --senders 2 +
		done
		set -- "$@" $by '{}' 5 --read "$mixed" --mbps 1000 + $by '{}' 5 --read "$mixed" --mbps 2000 +
	done
fi
pg_config=${PG_CONFIG:-pg_config}
bindir=$("$pg_config" --bindir)
support=$(dirname "$("$pg_config" --pgxs)")/../../src/test
work=$JJ_SERVER_DIR/work
mkdir "$work"
cp -R test/t bench/live.pl "$build/jj-send" "$work"
as_server=
if [ "$(id -u)" -eq 0 ]; then
	chown -R "$JJ_SERVER_USER:" "$work"
	as_server="runuser -u $JJ_SERVER_USER --"
fi
cd "$work"
$as_server env -u PGHOST -u PGUSER -u PGDATABASE PGPORT=65432 PATH="$bindir:$PATH" TESTDIR="$work" TESTDATADIR="$work/tmp_check" \
	TESTLOGDIR="$work/tmp_check/log" PG_REGRESS="$support/regress/pg_regress" perl -I "$support/perl" -I t live.pl "$work/jj-send" "$@" >/dev/null
