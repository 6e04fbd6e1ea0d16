# Watched directories: captures that are there, that come, are written slowly,
# renamed, compressed, broken; stop and start; what the worker is in the way of.
use strict;
use warnings;

use File::Copy;
use JJTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

my $dir = PostgreSQL::Test::Utils::tempdir;
mkdir "$dir/in";
mkdir "$dir/in/below";
copy("$captures/demo.pcapng", "$dir/in/a.pcapng") or die $!;
copy("$captures/vpn.pcap", "$dir/in/below/b.pcap") or die $!;
copy("$captures/icmp.pcap", "$dir/in/not_a_capture.txt") or die $!;
copy("$captures/not_short.pcap", "$dir/in/broken.pcap") or die $!;

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub fails
{
	my ($sql, $pattern, $name) = @_;
	my ($out, $err);
	isnt($node->psql('postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err), 0, "$name: fails");
	like($err, $pattern, "$name: message");
	return;
}

# Wait until a query gives a value.
sub comes
{
	my ($sql, $value, $name) = @_;
	ok($node->poll_query_until('postgres', $sql, $value), $name) or diag(sql('SELECT * FROM jj_watch_status') . "\n" . sql('SELECT path, status, flows, error FROM joyfuljay.ingest'));
	return;
}

sub put
{
	my ($from, $name) = @_;
	copy($from, "$dir/new") or die $!;
	rename "$dir/new", "$dir/in/$name" or die $!;
	return;
}

sub done
{
	my ($name) = @_;
	return "SELECT string_agg(status, ',' ORDER BY ingest) FROM joyfuljay.ingest WHERE path = '$dir/in/$name'";
}

sql(q{CREATE EXTENSION joyfuljay; SELECT jj_create_table('flows'); CREATE TABLE names (capture text, dst_port integer);
	CREATE ROLE watcher LOGIN IN ROLE pg_read_server_files; CREATE ROLE other LOGIN; GRANT INSERT, SELECT ON flows TO watcher; GRANT INSERT ON flows TO other;});

# ---- start, and what is there

is(sql("SELECT jj_watch_start('$dir/in', 'flows', recursive => true, settle => '0')"), "$dir/in", 'start');
comes("SELECT captures || ' ' || failed FROM jj_watch_status", '2 1', 'what is there is ingested, also below, and what is broken is recorded');
is(sql("SELECT state, enabled, rows, duplicates, directory = '$dir/in', target FROM jj_watch_status"), 'running|t|58|0|t|public.flows', 'status');
is(sql("SELECT count(*) FROM flows f JOIN joyfuljay.run r USING (run) WHERE r.kind = 'watch' AND r.name = '$dir/in' AND r.finished IS NULL"), 58, 'rows are those of its run');
like(sql("SELECT error FROM joyfuljay.ingest WHERE status = 'error'"), qr/not a capture file/, 'with the error');
fails("SELECT jj_watch_start('$dir/in', 'flows')", qr/55006: watch ".*" is already running/, 'a second one');

# ---- what comes

put("$captures/icmp.pcap", 'c.pcap');
comes(done('c.pcap'), 'done', 'a capture that comes');
my $rows = sql('SELECT count(*) FROM flows');
is($rows, 66, 'has its rows');
rename "$dir/in/c.pcap", "$dir/in/c.pcap.1" or die $!;
comes(done('c.pcap.1'), 'duplicate', 'renamed it is a duplicate');
system('gzip', "$dir/in/c.pcap.1") == 0 or die 'gzip';
comes(done('c.pcap.1.gz'), 'duplicate', 'compressed too');
is(sql('SELECT count(*) FROM flows'), $rows, 'no row twice');
put("$captures/dns_tcp.pcap", 'broken.pcap');
comes(done('broken.pcap'), 'done', 'the broken one is replaced by a good one');
$rows = sql('SELECT count(*) FROM flows');

# ---- stop and start again

sql("SELECT jj_watch_stop('$dir/in')");
is(sql('SELECT state, enabled, pid IS NULL FROM jj_watch_status'), 'stopped|f|t', 'stopped');
is(sql("SELECT count(*) FROM joyfuljay.run WHERE kind = 'watch' AND finished IS NULL"), 0, 'its run has ended');
put("$captures/tunnels.pcap", 'd.pcap');
sql("SELECT jj_watch_restart('$dir/in')");
comes(done('d.pcap'), 'done', 'started again, it has what came meanwhile');
is(sql('SELECT count(*) FROM flows'), $rows + 21, 'and nothing twice');

# ---- a capture that is written slowly

sql("SELECT jj_watch_stop('$dir/in')");
mkdir "$dir/slow";
sql("SELECT jj_watch_start('$dir/slow', 'names', '*.trace', filter => 'udp', options => '{\"flow_timeout\": \"2min\"}', name => 'slow', settle => '3 s')");
my $bytes = slurp_file("$captures/many_udp.pcap");
open my $f, '>:raw', "$dir/slow/x.trace" or die $!;
for (my $at = 0; $at < length $bytes; $at += 4096)
{
	syswrite $f, substr($bytes, $at, 4096);
	usleep(100_000);
}
close $f;
comes("SELECT count(*) FROM joyfuljay.ingest i JOIN joyfuljay.run r USING (run) WHERE r.name = 'slow' AND status = 'done'", 1, 'a capture that is written slowly is ingested');
is(sql("SELECT string_agg(status || coalesce(warnings::text, ''), ',') FROM joyfuljay.ingest i JOIN joyfuljay.run r USING (run) WHERE r.name = 'slow'"), 'done', 'once, when it is complete');
is(sql('SELECT count(*) FROM names'), sql("SELECT count(*) FROM jj_extract('$dir/slow/x.trace', 'udp', '{\"flow_timeout\": 120}')"), 'with filter and options');
is(sql("SELECT options->>'flow_timeout' || ' ' || (options->>'tunnels') FROM joyfuljay.watch WHERE name = 'slow'"), '120s inner', 'all options are kept');

# ---- a directory that goes and comes

rename "$dir/slow", "$dir/gone" or die $!;
comes("SELECT state || ' ' || (last_error ~ 'could not open directory') FROM jj_watch_status WHERE name = 'slow'", 'retrying true', 'the directory is gone');
rename "$dir/gone", "$dir/slow" or die $!;
comes("SELECT state FROM jj_watch_status WHERE name = 'slow'", 'running', 'and there again');

# ---- what it must not be in the way of

my $pid = sql("SELECT pid FROM jj_watch_status WHERE name = 'slow'");
is(sql("SELECT pg_terminate_backend($pid, 10000)"), 't', 'its worker can be terminated');
comes("SELECT state || (pid <> $pid) FROM jj_watch_status WHERE name = 'slow'", 'runningtrue', 'the launcher starts another');
sql('DROP TABLE names');
comes("SELECT state || ' ' || enabled || ' ' || last_error FROM jj_watch_status WHERE name = 'slow'", 'stopped false table public.names has been dropped', 'it ends with its table');

# in the middle of a capture
sql("SELECT jj_create_table('held', '{JJ-CORE}')");
repeat_capture("$captures/many_udp.pcap", "$dir/slow/big.trace", 60, 120);
sql("SELECT jj_watch_start('$dir/slow', 'held', '*.trace', name => 'big', settle => '0', commit_rows => 500)");
comes("SELECT count(*) > 0 FROM joyfuljay.ingest WHERE path ~ 'big' AND flows > 0", 't', 'a large capture');
sql("SELECT jj_watch_stop('big')");
pass('the watch stops in it');
sql("CALL jj_ingest('$dir/slow/*.trace', 'held')");
is(sql('SELECT count(*) FROM held'), sql("SELECT count(*) FROM jj_extract('$dir/slow/*.trace')"), 'and jj_ingest goes on with it');

$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', "CREATE EXTENSION joyfuljay; SELECT jj_create_table('flows'); SELECT jj_watch_start('$dir/slow', 'flows', '*.trace', settle => '0', commit_rows => 100, name => 'there')");
ok($node->poll_query_until('second', "SELECT state FROM jj_watch_status", 'running'), 'a watch in another database');
$node->safe_psql('second', 'DROP EXTENSION joyfuljay CASCADE');
pass('its extension can be dropped');
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'second')"), 'which ends the worker');
$node->safe_psql('second', "CREATE EXTENSION joyfuljay; DROP TABLE flows; SELECT jj_create_table('flows'); SELECT jj_watch_start('$dir/slow', 'flows', '*.trace', settle => '0', commit_rows => 100, name => 'there')");
ok($node->poll_query_until('second', "SELECT state FROM jj_watch_status", 'running'), 'once more');
$node->safe_psql('postgres', 'DROP DATABASE second');
pass('its database can be dropped');

# a look that took long is followed by a long pause
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', "CREATE EXTENSION joyfuljay; SELECT jj_create_table('flows'); SELECT jj_watch_start('$dir/slow', 'flows', '*.trace', settle => '0', commit_rows => 20, name => 'there')");
ok($node->poll_query_until('second', "SELECT status FROM joyfuljay.ingest WHERE path ~ 'big'", 'done'), 'all is ingested');
$node->safe_psql('postgres', 'DROP DATABASE second');
pass('its database can be dropped between two looks');

# ---- rights and errors

sub as
{
	my ($role, $sql) = @_;
	return "SET ROLE $role; $sql";
}
fails(as('other', "SELECT jj_watch_start('$dir/in', 'flows', name => 'mine')"), qr/42501: permission denied to read capture/, 'without the right to read files');
fails(as('watcher', "SELECT jj_watch_start('$dir/in', 'held', name => 'mine')"), qr/42501: permission denied for table held/, 'without the right to insert');
fails(as('watcher', "SELECT jj_watch_stop('$dir/in')"), qr/42501: must be owner of watch/, 'another\'s watch');
fails(as('watcher', "SELECT jj_watch_start('$dir/in', 'flows')"), qr/42501: must be owner of watch/, 'another\'s name');
is(sql(as('watcher', 'SELECT count(*) FROM jj_watch_status')), 0, 'another\'s watches are not shown');
sql(as('watcher', "SELECT jj_watch_start('$dir/in', 'flows', name => 'own', filter => 'icmp')"));
comes("SELECT count(*) > 0 FROM joyfuljay.ingest i JOIN joyfuljay.run r USING (run) WHERE r.name = 'own' AND r.started_by = 'watcher' AND i.status = 'done'", 't', 'a watch has its owner\'s rights');
is(sql("SELECT usename FROM pg_stat_activity WHERE backend_type = 'joyfuljay watch'"), 'watcher', 'its worker is connected as the owner');
sql(as('watcher', "SELECT jj_watch_stop('own')"));
fails("SELECT jj_watch_start('$dir/none', 'flows')", qr/58P01: could not open directory/, 'no such directory');
fails("SELECT jj_watch_start('$dir/in/a.pcapng', 'flows', name => 'file')", qr/42809: ".*" is not a directory/, 'a file');
fails("SELECT jj_watch_start('$dir/in', 'flows', filter => 'nonsense')", qr/filter "nonsense"/, 'a wrong filter');
fails("SELECT jj_watch_start('$dir/in', 'flows', options => '{\"continue\": true}')", qr/0A000: option "continue" must be off/, 'a wrong option');
fails("SELECT jj_watch_start('$dir/in', 'flows', settle => '-1 s')", qr/22023: argument "settle" must not be negative/, 'a wrong duration');
fails("SELECT jj_watch_start('$dir/in/" . 'x' x 64 . "', 'flows')", qr/22023: ".*" cannot be the name of a watch/, 'a directory too long for a name');
fails("SELECT jj_watch_start('$dir/in', 'flows', name => '')", qr/22023: "" cannot be the name of a watch/, 'no name');
fails("SELECT jj_watch_start(NULL, 'flows')", qr/22004: argument "directory" must not be null/, 'no directory');
fails("SELECT jj_watch_stop('nobody')", qr/42704: watch "nobody" does not exist/, 'no such watch');
fails("INSERT INTO joyfuljay.watch SELECT * FROM joyfuljay.watch", qr/duplicate key/, 'the owner of the table may write it');
fails(as('watcher', "UPDATE joyfuljay.watch SET owner = 'watcher'"), qr/42501: permission denied/, 'others may not');

$node->stop;
done_testing();
