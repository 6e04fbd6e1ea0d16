#!/bin/sh
# Fuzz each target for a while: "make fuzz SECONDS=60".
#
#     tools/fuzz.sh SECONDS TARGET ...
#
# Starts from test/fuzz/corpus/TARGET; inputs that reach new code stay in
# build/fuzz/corpus/TARGET, for the next run. An input that breaks the target
# is kept, named and makes the status 1.
set -eu

seconds=$1
shift
cd "$(dirname "$0")/.."
status=0
for target in "$@"; do
	found=build/fuzz/found/$target
	mkdir -p "build/fuzz/corpus/$target" "$found"
	echo "== $target, $seconds s"
	if ! "build/fuzz/fuzz_$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=20 -print_final_stats=1 -verbosity=0 \
		-artifact_prefix="$found/" "build/fuzz/corpus/$target" "test/fuzz/corpus/$target"; then
		status=1
		echo "== $target broke; the input is the newest of:"
		ls -t "$found"/*
	fi
done
exit $status
