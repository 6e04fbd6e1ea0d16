# pg_dump and restore of a database with runs, ledger and watches.
use strict;
use warnings;

use File::Copy;
use JJTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir;
mkdir "$dir/in" or die $!;
copy("$captures/$_", "$dir/in/$_") or die $! for qw(demo.pcapng vpn.pcap not_short.pcap);
copy("$captures/vpn.pcap", "$dir/in/same.pcap") or die $!;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION joyfuljay;
	SELECT jj_create_table('flows'), jj_create_table('"Odd ""table"', partition_by => 'day'), jj_create_table('gone', '{flow_meta}');
	SELECT jj_watch_start('$dir/in', 'flows', filter => 'tcp', name => 'in', settle => '0');
});
$node->safe_psql('postgres', "CALL jj_ingest('$dir/in', $_)") for q{'flows'}, q{'"Odd ""table"'}, q{'gone'};
ok($node->poll_query_until('postgres', 'SELECT captures || \' \' || duplicates FROM jj_watch_status', '2 1'), 'a watch');
$node->safe_psql('postgres', "SELECT jj_watch_stop('in'); DROP TABLE gone");

# all that the tables of the extension say, but for entries of a table that is gone
my $all = q{
	SELECT * FROM joyfuljay.run ORDER BY run;
	SELECT i FROM joyfuljay.ingest i WHERE target::oid IN (SELECT oid FROM pg_class) ORDER BY ingest;
	SELECT * FROM joyfuljay.watch;
	SELECT objsubid, description FROM pg_description WHERE objoid = 'flows'::regclass ORDER BY 1 LIMIT 5;
};
my $before = $node->safe_psql('postgres', $all);
is($node->safe_psql('postgres', "SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM joyfuljay.ingest"), 'done duplicate error', 'a ledger of all kinds');
my $flows = checksum($node, 'flows') . checksum($node, '"Odd ""table"');
my ($next) = split /\n/, $node->safe_psql('postgres', "SELECT max(run) FROM joyfuljay.run");

for my $format ([ 'plain', [] ], [ 'inserts', [ '--inserts' ] ], [ 'custom', [ '-Fc' ] ])
{
	my ($name, $options) = @$format;
	my $file = "$dir/dump.$name";
	$node->command_ok([ 'pg_dump', '-f', $file, @$options, $node->connstr('postgres') ], "$name: dumped");
	$node->safe_psql('postgres', "CREATE DATABASE restored_$name TEMPLATE template0");
	if ($name eq 'custom')
	{
		$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr("restored_$name"), $file ], "$name: restored");
	}
	else
	{
		$node->command_ok([ 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null', '-f', $file, $node->connstr("restored_$name") ], "$name: restored");
	}
	is($node->safe_psql("restored_$name", $all), $before, "$name: runs, ledger and watches are there");
	is(checksum($node, 'flows', "restored_$name") . checksum($node, '"Odd ""table"', "restored_$name"), $flows, "$name: so are the flows");
	$node->safe_psql("restored_$name", "CALL jj_ingest('$dir/in', '\"Odd \"\"table\"')");
	is(checksum($node, '"Odd ""table"', "restored_$name"), checksum($node, '"Odd ""table"'), "$name: what is in the table is not ingested again");
	is($node->safe_psql("restored_$name", 'SELECT max(run) FROM joyfuljay.run'), $next + 1, "$name: numbers of runs go on");
	is($node->safe_psql("restored_$name", "SELECT state FROM jj_watch_status"), 'stopped', "$name: the watch is there, stopped");
}

$node->stop;
done_testing();
