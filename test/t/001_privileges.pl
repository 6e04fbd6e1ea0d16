# Who may read what: paths need pg_read_server_files, bytes need nothing, and
# only regular files are read.
use strict;
use warnings;

use File::Copy;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

# A copy which the server can read wherever the checkout is.
my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = "$dir/demo.pcapng";
copy("$captures/demo.pcapng", $file) or die "$captures/demo.pcapng: $!";

$node->safe_psql('postgres', qq{
	CREATE EXTENSION joyfuljay;
	CREATE ROLE nobody_special LOGIN;
	CREATE ROLE reader LOGIN IN ROLE pg_read_server_files;
	CREATE ROLE granted LOGIN;
	GRANT ALL ON SCHEMA public TO nobody_special, reader, granted;
});

sub run_as
{
	my ($role, $sql) = @_;
	my ($out, $err);
	my $rc = $node->psql('postgres', $sql, stdout => \$out, stderr => \$err, extra_params => [ '-U', $role ]);
	return ($rc, $out, $err);
}

sub succeeds
{
	my ($role, $sql, $want, $name) = @_;
	my ($rc, $out, $err) = run_as($role, $sql);
	is("$rc $out", "0 $want", $name) or diag($err);
}

sub fails
{
	my ($role, $sql, $pattern, $name) = @_;
	my ($rc, $out, $err) = run_as($role, "\\set VERBOSITY verbose\n$sql");
	isnt($rc, 0, "$name: fails");
	like($err, $pattern, "$name: message");
}

my $by_path = "SELECT count(*) FROM jj_extract('$file')";
my $by_bytes = "SELECT count(*) FROM jj_extract((SELECT c FROM held))";
my $denied = qr/ERROR:\s+42501:/;

# ---- paths

my $flows = $node->safe_psql('postgres', $by_path);
is($flows, 23, 'a superuser reads a path');
fails('nobody_special', $by_path, $denied, 'without privilege');
succeeds('reader', $by_path, $flows, 'a member of pg_read_server_files reads a path');
fails('nobody_special', "SELECT count(*) FROM jj_extract(ARRAY['$file'])", $denied, 'without privilege, array');
succeeds('reader', "SELECT count(*) FROM jj_extract(ARRAY['$file'])", $flows, 'member, array');
fails('nobody_special', "SELECT packets FROM jj_pcap_info('$file')", $denied, 'without privilege, jj_pcap_info');
succeeds('reader', "SELECT packets FROM jj_pcap_info('$file')", 384, 'member, jj_pcap_info');
fails('nobody_special', "SELECT count(*) FROM jj_packets('$file')", $denied, 'without privilege, jj_packets');
succeeds('reader', "SELECT count(*) FROM jj_packets('$file')", 384, 'member, jj_packets');
fails('nobody_special', "SELECT count(*) FROM jj_extract('$dir/no_such_file')", $denied, 'without privilege, nothing is said about files that are not there');

# GRANT EXECUTE is no substitute for the right to read files
$node->safe_psql('postgres', q{
	DO $$
	DECLARE
		f regprocedure;
	BEGIN
		FOR f IN SELECT oid FROM pg_proc WHERE proname IN ('jj_extract', 'jj_packets', 'jj_pcap_info') LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO granted', f);
		END LOOP;
	END $$;
});
fails('granted', $by_path, $denied, 'EXECUTE alone');
$node->safe_psql('postgres', 'REVOKE pg_read_server_files FROM reader');
fails('reader', $by_path, $denied, 'no longer a member');
$node->safe_psql('postgres', 'GRANT pg_read_server_files TO reader');

# ---- bytes

$node->safe_psql('postgres', "CREATE TABLE held AS SELECT pg_read_binary_file('$file') AS c; GRANT SELECT ON held TO PUBLIC;");
succeeds($_, $by_bytes, $flows, "bytes: $_") for qw(nobody_special reader granted);

# ---- by way of somebody else's function or view

$node->safe_psql('postgres', qq{
	CREATE FUNCTION monday() RETURNS SETOF jj_flow LANGUAGE sql SECURITY DEFINER SET search_path = public AS \$\$ SELECT * FROM jj_extract('$file') \$\$;
	CREATE FUNCTION mine() RETURNS SETOF jj_flow LANGUAGE sql AS \$\$ SELECT * FROM jj_extract('$file') \$\$;
	CREATE VIEW monday_view AS SELECT * FROM monday();
	CREATE VIEW direct_view AS SELECT * FROM jj_extract('$file');
	ALTER VIEW direct_view OWNER TO reader;
	GRANT SELECT ON monday_view, direct_view TO PUBLIC;
});
succeeds('nobody_special', 'SELECT count(*) FROM monday()', $flows, 'a SECURITY DEFINER function reads with its owner\'s right');
succeeds('nobody_special', 'SELECT count(*) FROM monday_view', $flows, 'a view over it');
fails('nobody_special', 'SELECT count(*) FROM mine()', $denied, 'an ordinary function reads with the caller\'s right');
fails('nobody_special', 'SELECT count(*) FROM direct_view', $denied, 'a view\'s owner lends no right to call functions');
succeeds('reader', 'SELECT count(*) FROM direct_view', $flows, 'a reader may use the view');
$node->safe_psql('postgres', 'ALTER FUNCTION monday() OWNER TO granted');
fails('nobody_special', 'SELECT count(*) FROM monday()', $denied, 'SECURITY DEFINER whose owner may not read files');

# ---- what is no regular file

mkfifo("$dir/fifo.pcap", 0666) or die "mkfifo: $!";
symlink('/dev/zero', "$dir/zero.pcap") or die "symlink: $!";
symlink($file, "$dir/link.pcapng") or die "symlink: $!";
mkdir "$dir/nothing" or die "mkdir: $!";
my $super = $node->safe_psql('postgres', 'SELECT current_user');
fails($super, "SELECT * FROM jj_extract('$dir/fifo.pcap')", qr/ERROR:\s+\w+:.*fifo\.pcap/, 'a FIFO');
fails($super, "SELECT * FROM jj_extract('/dev/zero')", qr{ERROR:\s+\w+:.*/dev/zero}, 'a device');
fails($super, "SELECT * FROM jj_extract('$dir/zero.pcap')", qr/ERROR:\s+\w+:.*zero\.pcap/, 'a link to a device');
succeeds($super, "SELECT count(*) FROM jj_extract('$dir/link.pcapng')", $flows, 'a link to a file');
fails($super, "SELECT * FROM jj_extract('$dir/no_such_file')", qr/ERROR:\s+58P01:.*no_such_file/, 'no such file');
fails($super, "SELECT * FROM jj_extract('$dir/nothing')", qr/ERROR:\s+\w+:.*nothing/, 'a folder without captures');

# a file which the server's own user may not read
SKIP:
{
	skip 'root may read everything', 2 if $> == 0;
	copy($file, "$dir/closed.pcapng");
	chmod 0000, "$dir/closed.pcapng";
	fails($super, "SELECT * FROM jj_extract('$dir/closed.pcapng')", qr/ERROR:\s+42501:.*closed\.pcapng/, 'a file without read permission');
}

# ---- the same for calls that are planned as scans: checked for the current user when the query starts

$node->safe_psql('postgres', qq{
	CREATE ROLE viewer LOGIN IN ROLE pg_read_server_files;
	GRANT ALL ON SCHEMA public TO viewer;
	SET ROLE viewer;
	CREATE VIEW through AS SELECT src_ip, dst_port FROM jj_extract('$file');
	GRANT SELECT ON through TO PUBLIC;
	CREATE FUNCTION defined() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS \$\$ SELECT count(*) FROM jj_extract('$file') \$\$;
});
like($node->safe_psql('postgres', "EXPLAIN $by_path"), qr/Custom Scan/, 'a scan');
succeeds('reader', 'SELECT count(*) FROM through', 23, 'a view of another role, for a reader of files');
fails('nobody_special', 'SELECT count(*) FROM through', $denied, 'and for one who is none');
succeeds('nobody_special', 'SELECT defined()', 23, 'a function with its owner\'s rights');
unlike($node->safe_psql('postgres', "SET ROLE nobody_special; EXPLAIN (COSTS OFF) $by_path"), qr/Files|Size/, 'EXPLAIN says nothing of files to one who may not read them');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION jj_extract(text, text, jsonb) FROM PUBLIC; GRANT EXECUTE ON FUNCTION jj_extract(text, text, jsonb) TO viewer');
fails('reader', $by_path, qr/ERROR:\s+42501: permission denied for function jj_extract/, 'without EXECUTE');
fails('reader', "EXPLAIN $by_path", qr/ERROR:\s+42501: permission denied for function jj_extract/, 'EXPLAIN without EXECUTE');
succeeds('viewer', $by_path, 23, 'with EXECUTE');
fails('reader', 'SELECT count(*) FROM through', $denied, 'a view gives no right to execute');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION jj_extract(text, text, jsonb) TO PUBLIC');
succeeds('reader', "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT count(*) FROM jj_extract(ARRAY['$file', '$file'])", 23, 'in parallel');

$node->stop;
done_testing();
