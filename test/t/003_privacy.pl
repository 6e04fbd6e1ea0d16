# Anonymisation: who may use it, who sees the key, and that its pseudonyms last.
use strict;
use warnings;

use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $secret = 'c0ffee' x 10 . 'abcd';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "joyfuljay.anonymization_key = '$secret'\nlog_statement = all");
$node->start;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = "$dir/demo.pcapng";
copy("$captures/demo.pcapng", $file) or die "$captures/demo.pcapng: $!";
my $super = $node->safe_psql('postgres', 'SELECT current_user');

$node->safe_psql('postgres', qq{
	CREATE EXTENSION joyfuljay;
	CREATE ROLE analyst LOGIN;
	CREATE ROLE reader LOGIN IN ROLE pg_read_server_files;
	GRANT ALL ON SCHEMA public TO analyst, reader;
	CREATE TABLE held AS SELECT pg_read_binary_file('$file') AS c;
	GRANT SELECT ON held TO PUBLIC;
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
	unlike($err, qr/$secret/, "$name: doesn't tell the key");
}

my $hidden = q({"anonymize_ips": true});
my $distinct = "SELECT count(DISTINCT src_ip) FROM jj_extract('$file')";
my $addresses = "SELECT string_agg(host(src_ip), ',' ORDER BY first_frame) FROM jj_extract('$file', options => '$hidden')";

# ---- a key that everyone can read is refused

succeeds('analyst', 'SHOW joyfuljay.anonymization_key', $secret, 'without preloading, the server itself shows the key to everyone');
fails($super, $addresses, qr/ERROR:\s+55000:.*readable by everyone.*HINT:.*session_preload_libraries/s, 'and so it is refused');
succeeds($super, "LOAD 'joyfuljay'; SET joyfuljay.anonymization_key = 'another'; SELECT count(*) > 0 FROM jj_extract('$file', options => '$hidden')", 't', 'but not one of the session alone');

for my $where (qw(session_preload_libraries shared_preload_libraries))
{
	$node->append_conf('postgresql.conf', "session_preload_libraries = ''\n$where = 'joyfuljay'");
	$node->restart;

	# ---- who sees the key
	fails('analyst', 'SHOW joyfuljay.anonymization_key', qr/ERROR:\s+42501:/, "$where: SHOW");
	fails('analyst', "SELECT current_setting('joyfuljay.anonymization_key')", qr/ERROR:\s+42501:/, "$where: current_setting");
	fails('reader', 'SHOW joyfuljay.anonymization_key', qr/ERROR:\s+42501:/, "$where: SHOW by a reader of files");
	fails('analyst', "SET joyfuljay.anonymization_key = 'mine'", qr/ERROR:\s+42501:/, "$where: SET");
	succeeds('analyst', "SELECT count(*) FROM pg_settings WHERE setting = '$secret'", 0, "$where: pg_settings");
	succeeds('analyst', "SELECT count(*) FROM jj_settings WHERE value = '$secret'", 0, "$where: jj_settings");
	succeeds($super, 'SHOW joyfuljay.anonymization_key', $secret, "$where: a superuser sees it");
}

# ---- who may anonymise: whoever could have chosen addresses anonymised could undo it

my $want = $node->safe_psql('postgres', $addresses);
like($want, qr/^\d+\.\d+\.\d+\.\d+,/, 'addresses');
unlike($want, qr/192\.0\.2\.|198\.51\.100\./, 'which are not the true ones');
succeeds('reader', $addresses, $want, 'another role and session has the same pseudonyms');
fails('analyst', "SELECT count(*) FROM jj_extract((SELECT c FROM held), options => '$hidden')", qr/ERROR:\s+42501:.*DETAIL:/s, 'bytes, by one who may not read files');
succeeds('analyst', 'SELECT count(*) FROM jj_extract((SELECT c FROM held))', 23, 'who may have flows of them as they are');
fails('analyst', "SELECT count(*) FROM jj_packets((SELECT c FROM held), options => '$hidden')", qr/ERROR:\s+42501:/, 'packets of bytes');
fails('analyst', "SET joyfuljay.anonymize_ips = on; SELECT count(*) FROM jj_extract((SELECT c FROM held))", qr/ERROR:\s+42501:/, 'by the setting');
fails('analyst', "SELECT jj_anonymize(inet '10.0.0.1')", qr/ERROR:\s+42501: permission denied for function/, 'an address');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION jj_anonymize(inet, text) TO PUBLIC');
fails('analyst', "SELECT jj_anonymize(inet '10.0.0.1')", qr/ERROR:\s+42501: must be superuser/, 'an address with EXECUTE alone');
succeeds('reader', "SELECT jj_anonymize(inet '10.0.0.1') <> inet '10.0.0.1'", 't', 'a reader of files, an address');
succeeds('reader', "SELECT count(*) FROM jj_extract((SELECT c FROM held), options => '$hidden') WHERE src_ip << '192.0.2.0/24'", 0, 'and bytes');

# ---- in parallel, and after a restart

my $parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off";
succeeds('reader', "$parallel; $addresses", $want, 'parallel workers have the same pseudonyms');
like($node->safe_psql('postgres', "$parallel; EXPLAIN SELECT src_ip FROM jj_extract('$file', options => '$hidden')"), qr/Parallel Custom Scan/, 'there are workers');
$node->restart;
succeeds('reader', $addresses, $want, 'the same after a restart');

# ---- into a table; the run says that it was so, and not by which key

succeeds('reader', "SELECT jj_create_table('ingested', '{flow_meta}') IS NOT NULL; CALL jj_ingest('$file', 'ingested', options => '{\"anonymize_ips\": true, \"anonymization_salt\": \"release 1\"}');"
	. "SELECT count(*) FROM ingested WHERE src_ip <> '192.0.2.10' AND src_ip = (SELECT jj_anonymize(inet '192.0.2.10', 'release 1'))", "t\n10", 'jj_ingest');
like($node->safe_psql('postgres', "SELECT options FROM joyfuljay.run WHERE kind = 'ingest' ORDER BY run DESC LIMIT 1"), qr/"anonymize_ips": true.*"anonymization_salt": "release 1"|"anonymization_salt": "release 1".*"anonymize_ips": true/, 'recorded in its run');
is($node->safe_psql('postgres', "SELECT count(*) FROM joyfuljay.run r, joyfuljay.ingest i WHERE r::text || i::text LIKE '%' || current_setting('joyfuljay.anonymization_key') || '%'"), 0, 'without the key');

# ---- nothing of it in the catalogs or the log

$node->safe_psql('postgres', "CREATE TABLE flows AS SELECT * FROM jj_extract('$file', options => '$hidden')");
my $dump = $node->safe_psql('postgres', 'SELECT string_agg(f::text, chr(10)) FROM flows f');
unlike($dump, qr/192\.0\.2\.\d|198\.51\.100\.\d|203\.0\.113\.\d|2001:db8:/, 'no true address in the table');
$node->stop;
my $log = slurp_file($node->logfile);
$log =~ s/^.*(?:WHERE setting|WHERE value) = '$secret'.*$//mg;
unlike($log, qr/$secret/, 'the key is not in the log');

done_testing();
