#!/bin/sh
# Run a command beside a throw-away PostgreSQL server, then remove the server.
#
#     tools/server.sh COMMAND [ARGUMENT ...]
#
# The command finds the server through PGHOST, PGPORT, PGUSER and PGDATABASE.
# JJ_SERVER_DIR names a folder that the server can read; it goes away at the
# end. JJ_SERVER_USER is the account the server runs as: that of the caller,
# or postgres when the caller is root. The server listens on a Unix socket in
# that folder only, and does not care for power cuts (fsync is off).
set -eu

if [ $# -eq 0 ]; then
	echo "usage: tools/server.sh COMMAND [ARGUMENT ...]" >&2
	exit 2
fi

bindir=$("${PG_CONFIG:-pg_config}" --bindir)
if [ ! -x "$bindir/initdb" ]; then
	echo "server.sh: there is no PostgreSQL server in $bindir; run tools/setup.sh build" >&2
	exit 1
fi

JJ_SERVER_DIR=$(mktemp -d "${TMPDIR:-/tmp}/joyfuljay.XXXXXX")
if [ "$(id -u)" -eq 0 ]; then
	JJ_SERVER_USER=postgres
	chown postgres: "$JJ_SERVER_DIR"
else
	JJ_SERVER_USER=$(id -un)
fi
chmod 755 "$JJ_SERVER_DIR"

as_server()
{
	if [ "$(id -u)" -eq 0 ]; then
		(cd / && exec runuser -u "$JJ_SERVER_USER" -- "$@")
	else
		"$@"
	fi
}

stop()
{
	status=$?
	trap - EXIT
	if [ -f "$JJ_SERVER_DIR/data/postmaster.pid" ]; then
		as_server "$bindir/pg_ctl" -D "$JJ_SERVER_DIR/data" -m immediate -w stop >/dev/null 2>&1 || true
	fi
	rm -rf "$JJ_SERVER_DIR"
	exit $status
}
trap stop EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

PGHOST=$JJ_SERVER_DIR
PGPORT=5432
PGUSER=postgres
PGDATABASE=postgres
export JJ_SERVER_DIR JJ_SERVER_USER PGHOST PGPORT PGUSER PGDATABASE
unset PGDATA PGHOSTADDR PGSERVICE PGOPTIONS PGPASSWORD

if ! as_server "$bindir/initdb" -D "$JJ_SERVER_DIR/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$JJ_SERVER_DIR/initdb.log" 2>&1; then
	cat "$JJ_SERVER_DIR/initdb.log" >&2
	exit 1
fi
cat >>"$JJ_SERVER_DIR/data/postgresql.conf" <<END
listen_addresses = ''
unix_socket_directories = '$JJ_SERVER_DIR'
port = $PGPORT
fsync = off
timezone = 'UTC'
log_timezone = 'UTC'
END
if ! as_server "$bindir/pg_ctl" -D "$JJ_SERVER_DIR/data" -l "$JJ_SERVER_DIR/server.log" -w -t 120 start >/dev/null; then
	cat "$JJ_SERVER_DIR/server.log" >&2
	exit 1
fi

"$@"
