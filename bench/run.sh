#!/bin/sh
# The whole benchmark: make the capture, time the stages, print the table.
# Called by "make bench" inside tools/server.sh, which gives the server and a
# folder that it can read.
#
#     bench/run.sh BUILD_DIR [PACKETS [FLOWS [ROUNDS]]]
set -eu

build=$1
packets=${2:-2000000}
flows=${3:-60000}
rounds=${4:-5}
slice=$((packets / 10))
folder=$(dirname "$0")
capture=$JJ_SERVER_DIR/bench.pcap
small=$JJ_SERVER_DIR/slice.pcap

"$build/jj-generate" --out "$capture" --packets "$packets" --flows "$flows"
"$build/jj-generate" --out "$small" --packets "$slice" --flows $((flows / 10 + 1))
chmod 644 "$capture" "$small"
sync "$capture" "$small"
echo

set -- "$capture" --rounds "$rounds" --groups flow_meta,timing,size,tcp,mac,ip_extended
if psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION joyfuljay'; then
	for options in '{}' '{"features": ["flow_meta", "timing", "size", "tcp", "mac", "ip_extended"]}' '{"features": "total_packets"}'; do
		set -- "$@" --measured "SQL, options $options" "sh $folder/sql.sh $capture $packets '$options'"
	done
else
	echo "bench: the extension is not installed, no SQL call is timed; run make install" >&2
fi
if command -v softflowd >/dev/null; then
	set -- "$@" --peer "softflowd -6" "$packets" "exec softflowd -6 -d -m 10000000 -p $JJ_SERVER_DIR/p -c $JJ_SERVER_DIR/c -r $capture"
fi
if command -v argus >/dev/null; then
	set -- "$@" --peer "argus" "$packets" "exec argus -X -r $capture -w /dev/null"
fi
if command -v tshark >/dev/null; then
	set -- "$@" --peer "tshark -q -z conv,tcp (slice)" "$slice" "exec tshark -n -r $small -q -z conv,tcp"
fi
"$build/jj-bench" "$@"
