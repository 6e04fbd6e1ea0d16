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

set -- "$capture" --rounds "$rounds" \
	--groups flow_meta,timing,size,tcp,mac,ip_extended,ipv6_options,icmp,padding,entropy,tcp_sequence,tcp_window,tcp_options,tcp_mptcp,tcp_rtt,tcp_fingerprint
if psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION joyfuljay'; then
	for list in 'count(*)' 'count(src_ip), count(dst_ip), count(src_port), count(dst_port), count(protocol), sum(total_packets), sum(total_bytes), max(duration)' 'count(f)'; do
		case $list in
			'count(*)') name="SQL, no column" ;;
			'count(f)') name="SQL, every column" ;;
			*) name="SQL, ends, packets, bytes, duration" ;;
		esac
		set -- "$@" --measured "$name" "sh $folder/sql.sh $capture $packets '$list'"
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
