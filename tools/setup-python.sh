#!/bin/sh
# Make build/recipes, a Python with the packages that the recipes in docs/ use
# (test/recipes/requirements.txt). Without a package index nothing is made, it
# is said, and the recipes that need it are skipped.
set -eu

cd "$(dirname "$0")/.."
wanted=test/recipes/requirements.txt
place=build/recipes

if [ -x $place/bin/python ] && cmp -s $wanted $place/requirements.txt; then
	exit 0
fi
rm -rf $place
mkdir -p build
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if python3 -m venv $place >"$log" 2>&1 &&
	$place/bin/python -m pip install --quiet --disable-pip-version-check --retries 1 --requirement $wanted >"$log" 2>&1; then
	cp $wanted $place/requirements.txt
	echo "setup-python.sh: installed Python packages for the recipes in $place"
else
	rm -rf $place
	tail -n 3 "$log"
	echo "setup-python.sh: Python packages could not be installed; recipes that need them will be skipped"
fi
