#!/bin/sh
# Elapsed time of a statement in milliseconds, the shortest of several rounds in one session.
#
#     bench/elapsed.sh ROUNDS SETTINGS STATEMENT
set -eu

{
	echo "$2;"
	i=0
	while [ "$i" -lt "$1" ]; do
		echo 'SELECT extract(epoch FROM clock_timestamp()) AS start \gset'
		echo "$3 \\g /dev/null"
		echo 'SELECT extract(epoch FROM clock_timestamp()) * 1000 - :start * 1000;'
		i=$((i + 1))
	done
} | psql -XqAt -v ON_ERROR_STOP=1 | sort -n | head -n 1
