#!/bin/sh
# Set up this machine, then run every test: "make test". The last line counts.
set -eu

cd "$(dirname "$0")/.."
tools/setup.sh test
tools/setup-python.sh
if [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; then
	:
else
	echo "test.sh: make install will ask for the password of $(id -un)"
fi
exec tools/server.sh tools/run-tests.sh build unit fuzz install regress pgtap tap recipes
