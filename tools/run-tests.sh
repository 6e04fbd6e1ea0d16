#!/bin/sh
# Run suites of tests, one TAP stream for all.
#
#     tools/run-tests.sh [build] [unit] [fuzz] [install] [regress] [pgtap] [tap] [recipes]
#
# regress, pgtap, tap and recipes test the installed extension and want the server and
# the folder of tools/server.sh. JJ_MORE_CAPTURES may name folders of further
# captures, with colons between; the tests that read them say so when they are
# skipped.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
make=${MAKE:-make}
unset MAKEFLAGS MFLAGS MAKEOVERRIDES
jobs=-j$(nproc)
pg_config=${PG_CONFIG:-pg_config}
as_root=
[ "$(id -u)" -eq 0 ] || as_root=sudo

# What the tests read goes where the server's account can read it.
if [ -n "${JJ_SERVER_DIR:-}" ]; then
	mkdir "$JJ_SERVER_DIR/work"
	cp -R test expected tools/without-graph.sh "$JJ_SERVER_DIR/work"
	JJ_CAPTURES=$JJ_SERVER_DIR/work/test/captures
	if [ -n "${JJ_MORE_CAPTURES:-}" ]; then
		mkdir "$JJ_SERVER_DIR/work/more"
		echo "$JJ_MORE_CAPTURES" | tr ':' '\n' | while read -r folder; do
			cp -R "$folder/." "$JJ_SERVER_DIR/work/more"
			chmod -R u+w "$JJ_SERVER_DIR/work/more"
		done
		JJ_MORE_CAPTURES=$JJ_SERVER_DIR/work/more
	fi
	chmod -R a+rX "$JJ_SERVER_DIR/work"
	if [ "$(id -u)" -eq 0 ]; then
		chown -R "$JJ_SERVER_USER:" "$JJ_SERVER_DIR/work"
	fi
else
	JJ_CAPTURES=$root/test/captures
fi
export JJ_CAPTURES
[ -z "${JJ_MORE_CAPTURES:-}" ] || export JJ_MORE_CAPTURES

line()
{
	printf '%s\t%s\t%s\n' "$1" "$2" "$3"
}

need_server()
{
	if [ -z "${JJ_SERVER_DIR:-}" ]; then
		echo "run-tests.sh: $1 needs a server: tools/server.sh tools/run-tests.sh $1" >&2
		exit 2
	fi
	pgxs=$("$pg_config" --pgxs)
	support=$(dirname "$pgxs")/../../src/test
	bindir=$("$pg_config" --bindir)
	as_server=
	[ "$(id -u)" -ne 0 ] || as_server="runuser -u $JJ_SERVER_USER -- "
}

suite()
{
	case $1 in
		build)
			line step "engine and its tests compile, sanitized, without warnings" "$make $jobs WERROR=-Werror unit-programs replay-programs"
			line step "extension compiles without warnings" "$make $jobs WERROR=-Werror all"
			line check "FEATURES.md is up to date" "$make -s features-check"
			;;
		unit)
			for file in test/unit/test_*.c; do
				name=$(basename "$file" .c)
				line tap "unit/${name#test_}" "exec build/san/$name"
			done
			;;
		fuzz)
			for file in test/fuzz/fuzz_*.c; do
				name=$(basename "$file" .c)
				name=${name#fuzz_}
				line tap "fuzz/$name" "exec build/san/replay_$name test/fuzz/corpus/$name"
			done
			;;
		install)
			line step "extension installs" "$as_root $make -s install PG_CONFIG=$pg_config"
			;;
		regress)
			need_server regress
			names=$(cd test/sql && ls ./*.sql | sed 's,^\./,,; s,\.sql$,,')
			module="$("$pg_config" --pkglibdir)/joyfuljay_graph.so"
			without=$(echo "$names" | grep -v '^connection$')
			line tap "regress/connection" "if [ -f '$module' ]; then echo 'ok 1 - is among those that follow'; echo 1..1; else echo '1..0 # SKIP the graph module is not installed'; fi"
			line regress regress "cd '$JJ_SERVER_DIR/work' || exit 1; if [ -f '$module' ]; then set --; names='$(echo $names)'; else set -- --launcher=./without-graph.sh; names='$(echo $without)'; fi; ${as_server}'$support/regress/pg_regress' \"\$@\" --bindir='$bindir' --inputdir=test --outputdir=. --dbname=jj_regress \$names && exit 0; cat regression.diffs; exit 1"
			;;
		pgtap)
			need_server pgtap
			for file in test/pgtap/*.sql; do
				name=$(basename "$file" .sql)
				line tap "pgtap/$name" "cd '$JJ_SERVER_DIR/work' && PGOPTIONS='-c client_min_messages=warning' psql -Xq -c 'CREATE DATABASE jj_pgtap' && export PGDATABASE=jj_pgtap && psql -Xq -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION joyfuljay' && psql -XqAt -P pager=off -v ON_ERROR_STOP=1 -f $file; status=\$?; PGDATABASE=postgres psql -Xq -c 'DROP DATABASE jj_pgtap' || exit 1; exit \$status"
			done
			;;
		tap)
			need_server tap
			for file in test/t/*.pl; do
				name=$(basename "$file" .pl)
				logs=$JJ_SERVER_DIR/work/tmp_check/log
				line tap "tap/$name" "cd '$JJ_SERVER_DIR/work' && ${as_server}env -u PGHOST -u PGUSER -u PGDATABASE PGPORT=65432 PATH='$bindir:$PATH' TESTDIR='$JJ_SERVER_DIR/work' TESTDATADIR='$JJ_SERVER_DIR/work/tmp_check' TESTLOGDIR='$logs' PG_REGRESS='$support/regress/pg_regress' perl -I '$support/perl' -I test/t $file; status=\$?; [ \$status -eq 0 ] || tail -n 60 '$logs/regress_log_$name' | sed 's/^/# /'; exit \$status"
			done
			;;
		recipes)
			need_server recipes
			python=
			[ ! -x build/recipes/bin/python ] || python=$root/build/recipes/bin/python
			for file in $(grep -l '^<!-- executed -->$' docs/*.md) $(grep -l '^# expect: ' docs/*.py); do
				line tap "recipes/$(basename "$file")" "JJ_RECIPES_PYTHON='$python' perl test/recipes/run.pl $file"
			done
			;;
		*)
			echo "run-tests.sh: unknown suite \"$1\"" >&2
			exit 2
			;;
	esac
}

list()
{
	for name in "$@"; do
		suite "$name"
	done
}

list "$@" | perl tools/tap.pl
