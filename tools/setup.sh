#!/bin/sh
# Install what is missing to build or test joyfuljay (Debian, Ubuntu).
#
#     tools/setup.sh build    compiler, libraries, PostgreSQL
#     tools/setup.sh test     and what the tests need
#     tools/setup.sh fuzz     and clang with libFuzzer
#
# Looks for the things themselves, not for packages: a PostgreSQL of your own
# (PG_CONFIG=/path/to/pg_config) is taken as it is. Nothing is installed, and
# no privilege needed, when all is there.
set -eu

level=${1:-}
case $level in
	build | test | fuzz) ;;
	*)
		echo "usage: tools/setup.sh build|test|fuzz" >&2
		exit 2
		;;
esac

pg_config=${PG_CONFIG:-pg_config}
missing=			# what, for people
packages=			# what, for apt-get
optional=			# packages that do without where there are none
postgres_packages=		# suffixes of postgresql packages
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

lack()
{
	missing="$missing $1"
	shift
	packages="$packages $*"
}

has_compiler()
{
	echo 'int main(void) { return 0; }' >"$scratch/c.c"
	"${CC:-cc}" -o "$scratch/c" "$scratch/c.c" >/dev/null 2>&1
}

has_libfuzzer()
{
	echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' >"$scratch/f.c"
	clang -fsanitize=fuzzer,address,undefined -o "$scratch/f" "$scratch/f.c" >/dev/null 2>&1
}

has_library()
{
	command -v pkg-config >/dev/null && pkg-config --exists "$1"
}

look()
{
	missing=
	packages=
	postgres_packages=
	command -v make >/dev/null || lack make make
	has_compiler || lack "C-compiler" gcc libc6-dev
	command -v pkg-config >/dev/null || lack pkg-config pkg-config
	has_library libpcap || lack libpcap libpcap-dev
	has_library libcrypto || lack OpenSSL libssl-dev
	has_library zlib || lack zlib zlib1g-dev
	has_library libzstd || lack libzstd libzstd-dev
	has_library liblz4 || lack liblz4 liblz4-dev
	has_library libseccomp || lack libseccomp libseccomp-dev

	# the graph module is built if igraph is there
	optional=
	has_library 'igraph >= 0.10' || optional=libigraph-dev

	pgxs=$("$pg_config" --pgxs 2>/dev/null) || pgxs=
	headers=$("$pg_config" --includedir-server 2>/dev/null) || headers=
	if [ -z "$pgxs" ] || [ ! -f "$pgxs" ] || [ ! -f "$headers/postgres.h" ]; then
		lack "PostgreSQL-headers"
		postgres_packages="$postgres_packages server-dev"
	fi
	bindir=$("$pg_config" --bindir 2>/dev/null) || bindir=
	if [ -z "$bindir" ] || [ ! -x "$bindir/initdb" ] || [ ! -x "$bindir/psql" ]; then
		lack "PostgreSQL-server"
		postgres_packages="$postgres_packages server client"
	fi
	[ "$level" = build ] && return

	perl -MTAP::Parser -MTest::More -MTime::HiRes -e 1 2>/dev/null || lack perl perl
	perl -MIPC::Run -e 1 2>/dev/null || lack IPC::Run libipc-run-perl
	sharedir=$("$pg_config" --sharedir 2>/dev/null) || sharedir=
	if [ -z "$sharedir" ] || [ ! -f "$sharedir/extension/pgtap.control" ]; then
		lack pgTAP
		postgres_packages="$postgres_packages pgtap"
	fi
	python3 -c 'import ensurepip, venv' 2>/dev/null || lack "Python's venv" python3 python3-venv
	[ "$level" = test ] && return

	has_libfuzzer || lack libFuzzer clang libclang-rt
}

look
[ -n "$missing$optional" ] || exit 0

# Of igraph, older distributions have none or one before 0.10: then it is left alone.
igraph_candidate()
{
	apt-cache policy libigraph-dev 2>/dev/null | sed -n 's/^  Candidate: \([0-9.]*\).*/\1/p'
}

no_igraph()
{
	echo "setup.sh: igraph 0.10 or 1 is missing; columns that need it will be NULL"
}

if [ -z "$missing" ]; then
	case $(igraph_candidate) in
		0.10.* | 1.* | "")
			if ! command -v apt-get >/dev/null || { [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; }; then
				no_igraph
				exit 0
			fi
			;;
		*)
			no_igraph
			exit 0
			;;
	esac
fi
echo "missing:$missing${optional:+ igraph}"

if ! command -v apt-get >/dev/null; then
	echo "setup.sh: only Debian and Ubuntu are set up automatically; please install the above" >&2
	exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "setup.sh: installing needs root; run as root: $PWD/tools/setup.sh $level" >&2
		exit 1
	fi
	as_root=sudo
fi

apt()
{
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 --no-install-recommends "$@"
}

# A server package starts a server of its own at port 5432 when it is first
# installed. Nobody asked for it: no cluster is made this time.
switch=/etc/postgresql-common/createcluster.d/joyfuljay-setup.conf
allow_cluster()
{
	rm -rf "$scratch"
	[ ! -e "$switch" ] || $as_root rm -f "$switch"
}
trap allow_cluster EXIT
trap 'exit 1' HUP INT TERM

apt update
if [ -n "$postgres_packages" ]; then
	major=$("$pg_config" --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
	if [ -z "$major" ] || [ -z "$(apt-cache policy "postgresql-server-dev-$major")" ]; then
		major=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	fi
	if [ -z "$major" ]; then
		echo "setup.sh: apt-get knows no PostgreSQL" >&2
		exit 1
	fi
	for part in $postgres_packages; do
		case $part in
			server) packages="$packages postgresql-$major" ;;
			client) packages="$packages postgresql-client-$major" ;;
			server-dev) packages="$packages postgresql-server-dev-$major" ;;
			pgtap) packages="$packages postgresql-$major-pgtap" ;;
		esac
	done
	case " $postgres_packages " in
		*" server "*)
			$as_root mkdir -p "${switch%/*}"
			echo 'create_main_cluster = false' | $as_root tee "$switch" >/dev/null
			;;
	esac
fi

# the runtime of clang's sanitizers and libFuzzer carries clang's version, where it is a package of its own
case " $packages " in
	*" libclang-rt "*)
		version=$(apt-cache depends clang | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -n 1)
		packages=$(echo "$packages" | sed "s/ libclang-rt\b//")
		if [ -n "$(apt-cache policy "libclang-rt-$version-dev")" ]; then
			packages="$packages libclang-rt-$version-dev"
		fi
		;;
esac

if [ -n "$optional" ]; then
	case $(igraph_candidate) in
		0.10.* | 1.*) packages="$packages $optional" ;;
		*) no_igraph ;;
	esac
fi
[ -n "$packages" ] || exit 0

echo "installing:$packages"
# shellcheck disable=SC2086
apt install $packages

look
if [ -n "$missing" ]; then
	echo "setup.sh: still missing after the installation:$missing" >&2
	exit 1
fi
