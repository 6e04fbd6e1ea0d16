#!/bin/sh
# The benchmark: makes captures, times, writes bench/RESULTS.md. Called by
# "make bench" inside tools/server.sh, which gives the server and a folder that
# it can read.
#
#     bench/run.sh BUILD_DIR "PART ..." PACKETS FLOWS ROUNDS
#
# Each part leaves its results in BUILD_DIR; RESULTS.md has those of all parts
# that have run so far.
set -eu

build=$1
parts=$2
packets=$3
flows=$4
rounds=$5
folder=$(dirname "$0")
results=$build/results
capture=$JJ_SERVER_DIR/bench.pcap
# all columns but those of the connection graph, which takes a pass of its own and is timed by itself; what it can't compute of a capture
# of this size it says each time
PGOPTIONS="-c client_min_messages=error -c joyfuljay.features=all,-connection"
export PGOPTIONS
narrow='count(src_ip), count(dst_ip), count(src_port), count(dst_port), count(protocol), sum(total_packets), sum(total_bytes), max(duration)'

# make_capture FILE PACKETS FLOWS [SEED]
make_capture()
{
	"$build/jj-generate" --out "$1" --packets "$2" --flows "$3" --seed "${4:-1}"
	chmod 644 "$1"
	sync "$1"
	cat "$1" >/dev/null
}

# from CAPTURE: a call
from()
{
	echo "jj_extract('$1') f"
}

# columns LIST: what a table calls a list of columns
columns()
{
	case $1 in
		"$narrow") echo "ends, packets, bytes, duration" ;;
		first_frame) echo one ;;
		*) echo every ;;
	esac
}

elapsed()
{
	sh "$folder/elapsed.sh" "$@"
}

# row A B ...: a line of a table
row()
{
	line=
	for cell in "$@"; do
		line="$line| $cell "
	done
	echo "$line|"
}

# share A B: A of B, in per cent
share()
{
	awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f %%", 100 * a / b}'
}

ratio()
{
	awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'
}

part_engine()
{
	make_capture "$capture" "$packets" "$flows"
	"$build/jj-bench" "$capture" --rounds "$rounds" --stages all --markdown "$to"
}

part_sql()
{
	make_capture "$capture" "$packets" "$flows"
	set -- "$capture" --rounds "$rounds" --stages few --markdown "$to" \
		--measured "SQL: no column" "sh $folder/sql.sh $packets \"SELECT count(*) FROM $(from "$capture")\"" \
		--measured "SQL: ends, packets, bytes, duration" "sh $folder/sql.sh $packets \"SELECT $narrow FROM $(from "$capture")\"" \
		--measured "SQL: every column, as columns" "sh $folder/sql.sh $packets \"SELECT * FROM $(from "$capture") OFFSET 1000000000\"" \
		--measured "SQL: every column, as one value" "sh $folder/sql.sh $packets \"SELECT count(f) FROM $(from "$capture")\"" \
		--measured "SQL: every column and the connection graph" "sh $folder/sql.sh $packets \"SELECT count(f) FROM $(from "$capture")\" \"SET joyfuljay.features = 'all'\""
	for target in '' ' WITH (toast_tuple_target = 8160)'; do
		wide=${target:+, rows in one piece}
		set -- "$@" \
			--once --measured "CREATE TABLE AS$wide" "sh $folder/sql.sh $packets \"CREATE TABLE t$target AS SELECT * FROM $(from "$capture")\"" \
			--once --measured "INSERT ... SELECT$wide" "sh $folder/sql.sh $packets \"INSERT INTO t SELECT * FROM $(from "$capture")\" \"CREATE TABLE t$target AS SELECT * FROM $(from "$capture") LIMIT 0\""
	done
	"$build/jj-bench" "$@"
}

part_ingest()
{
	make_capture "$capture" "$packets" "$flows"
	row columns rows "INSERT ... SELECT, ms" "CPU, ms" "jj_ingest alone, ms" "CPU, ms" share "with a worker, ms" "CPU, ms" share >>"$to"
	row --- ---: ---: ---: ---: ---: ---: ---: ---: ---: >>"$to"
	for features in "(SELECT array_agg(DISTINCT group_name) FROM jj_features WHERE group_name <> 'connection')" "'{all}'"; do
		figures=$(sh "$folder/ingest.sh" "$rounds" "$capture" "$features")
		# shellcheck disable=SC2086
		set -- $figures
		row "$([ "$features" = "'{all}'" ] && echo "every and the connection graph" || echo every)" "$1" \
			"$(printf %.0f "$2")" "$(printf %.0f "$3")" "$(printf %.0f "$4")" "$(printf %.0f "$5")" "$(share "$2" "$4")" \
			"$(printf %.0f "$6")" "$(printf %.0f "$7")" "$(share "$2" "$6")" | tee -a "$to"
	done
}

part_peers()
{
	slice=$JJ_SERVER_DIR/slice.pcap
	small=$JJ_SERVER_DIR/small.pcap

	make_capture "$capture" "$packets" "$flows"
	make_capture "$slice" $((packets / 10)) $((flows / 10 + 1))
	make_capture "$small" 5000 $((flows / 100 + 1))
	set -- "$capture" --rounds "$rounds" --stages none --markdown "$to" \
		--measured "joyfuljay, SQL: ends, packets, bytes, duration" "sh $folder/sql.sh $packets \"SELECT $narrow FROM $(from "$capture")\"" \
		--measured "joyfuljay, SQL: every column" "sh $folder/sql.sh $packets \"SELECT count(f) FROM $(from "$capture")\""
	if command -v softflowd >/dev/null; then
		set -- "$@" --peer "softflowd -6" "$packets" "exec softflowd -6 -d -m 10000000 -p $JJ_SERVER_DIR/p -c $JJ_SERVER_DIR/c -r $capture"
	fi
	if command -v argus >/dev/null; then
		set -- "$@" --peer "argus" "$packets" "exec argus -X -r $capture -w /dev/null"
	fi
	if command -v ndpiReader >/dev/null; then
		set -- "$@" --peer "ndpiReader -q" "$packets" "exec ndpiReader -q -i $capture"
	fi
	if command -v tshark >/dev/null; then
		set -- "$@" --once --peer "tshark -q -z conv,tcp, a tenth of it" $((packets / 10)) "exec tshark -n -r $slice -q -z conv,tcp"
	fi
	if [ -n "${JOYFULJAY_PYTHON:-}" ]; then
		set -- "$@" --once --peer "joyfuljay in Python, 5,000 packets" 5000 "exec $JOYFULJAY_PYTHON extract $small -o $JJ_SERVER_DIR/small.csv"
	fi
	"$build/jj-bench" "$@"
}

part_parallel()
{
	two='SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0'
	one='SET max_parallel_workers_per_gather = 0'

	make_capture "$capture" "$packets" "$flows"
	mkdir "$JJ_SERVER_DIR/ten"
	chmod 755 "$JJ_SERVER_DIR/ten"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		make_capture "$JJ_SERVER_DIR/ten/$i.pcap" $((packets / 2)) $((flows / 10 + 1)) "$i" >/dev/null
	done
	row captures columns "one process, ms" "two workers, ms" "times faster" >>"$to"
	row --- --- ---: ---: ---: >>"$to"
	for files in "$capture" "$JJ_SERVER_DIR/ten"; do
		for list in "$narrow" 'count(f)'; do
			a=$(elapsed "$rounds" "$one" "SELECT $list FROM $(from "$files")")
			b=$(elapsed "$rounds" "$two" "SELECT $list FROM $(from "$files")")
			row "$([ "$files" = "$capture" ] && echo one || echo ten)" "$(columns "$list")" \
				"$(printf %.0f "$a")" "$(printf %.0f "$b")" "$(ratio "$a" "$b")" | tee -a "$to"
		done
	done
}

part_limit()
{
	row "flows at once" "packets a second of capture" columns "all rows, ms" "LIMIT 1, ms" "share" >>"$to"
	row ---: ---: --- ---: ---: ---: >>"$to"
	for n in "$flows" $((flows / 20)); do
		rate=$(make_capture "$capture" "$packets" "$n" | sed -n 's/.*: \([0-9]*\) packets.* \([0-9.]*\) s,.*/\1 \2/p' | awk '{printf "%.0f", $1 / $2}')
		for list in 'first_frame' '*'; do
			a=$(elapsed "$rounds" 'SET max_parallel_workers_per_gather = 0' "SELECT $list FROM $(from "$capture") OFFSET 1000000000")
			b=$(elapsed "$rounds" 'SET max_parallel_workers_per_gather = 0' "SELECT $list FROM $(from "$capture") LIMIT 1")
			row "$n" "$rate" "$(columns "$list")" "$(printf %.0f "$a")" "$(printf %.1f "$b")" "$(share "$b" "$a")" | tee -a "$to"
		done
	done
}

part_memory()
{
	row "capture, MB" "flows at once" columns "peak, MB" "64 MB + 4 kB a flow" >>"$to"
	row ---: ---: --- ---: ---: >>"$to"
	for n in "$flows" $((flows / 20)); do
		for times in 1 5; do
			make_capture "$capture" $((packets * times)) "$n"
			for list in "$narrow" 'count(f)'; do
				row "$(($(stat -c %s "$capture") / 1000000))" "$n" "$(columns "$list")" \
					"$(($(sh "$folder/peak.sh" "SELECT $list FROM $(from "$capture")") / 1024))" $((64 + n * 4 / 1024)) | tee -a "$to"
			done
		done
	done
}

title()
{
	case $1 in
		engine) echo "The engine, stage by stage" ;;
		sql) echo "SQL" ;;
		ingest) echo "Into a table, from a table and from the capture" ;;
		peers) echo "Side by side" ;;
		parallel) echo "Two workers" ;;
		limit) echo "The first row" ;;
		memory) echo "Memory of the server process" ;;
	esac
}

version()
{
	command -v "$1" >/dev/null || return 0
	echo "- $("$@" 2>&1 | sed -n '/[0-9]\.[0-9]/ {p; q}' | cut -c 1-100)"
}

report()
{
	echo "# Results of the benchmark"
	echo
	echo "Written by \`make bench\`; bench/README.md says what the lines mean. They are of one machine and one day."
	echo
	echo "- $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r | cut -d . -f 1,2)"
	echo "- $(cc --version | head -n 1)"
	echo "- $(psql -XqAtc "SELECT 'PostgreSQL ' || current_setting('server_version')")"
	if command -v softflowd >/dev/null; then
		echo "- softflowd $(dpkg-query -W -f '${Version}' softflowd 2>/dev/null || true)"
	fi
	if command -v argus >/dev/null; then
		echo "- argus $(dpkg-query -W -f '${Version}' argus-server 2>/dev/null || true)"
	fi
	version tshark --version
	if command -v ndpiReader >/dev/null; then
		echo "- nDPI $(dpkg-query -W -f '${Version}' libndpi-bin 2>/dev/null || true)"
	fi
	for part in engine sql ingest peers parallel limit memory; do
		[ -f "$results/$part.md" ] || continue
		printf '\n## %s\n\n' "$(title $part)"
		cat "$results/$part.md"
	done
}

mkdir -p "$results"
psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION joyfuljay' || {
	echo "bench: the extension is not installed; run make install" >&2
	exit 1
}
for part in $parts; do
	case $part in
		engine | sql | ingest | peers | parallel | limit | memory) ;;
		*)
			echo "bench: there is no part \"$part\"" >&2
			exit 2
			;;
	esac
	echo "== $(title "$part")"
	to=$results/$part.md
	printf '%s, %s packets, %s flows at once, shortest of %s rounds.\n\n' "$(date -u +%F)" "$packets" "$flows" "$rounds" >"$to"
	"part_$part"
	rm -rf "$capture" "$JJ_SERVER_DIR"/*.pcap "$JJ_SERVER_DIR/ten"
done
report >"$folder/RESULTS.md"
