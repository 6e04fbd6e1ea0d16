# jj_ingest into a table on a disk that gets full: a small file system in a
# mount namespace of the test's own.
use strict;
use warnings;

use File::Temp;
use IPC::Run;
use Test::More;

BEGIN
{
	# before PostgreSQL::Test::Utils redirects the output
	if (!$ENV{JJ_SMALL_DISK})
	{
		my $dir = File::Temp::tempdir(CLEANUP => 0);
		my @unshare = ('unshare', '--user', '--map-current-user', '--keep-caps', '--mount', 'sh', '-c',
			'mount -t tmpfs -o size=2m,mode=700 tmpfs "$0" && exec setpriv --ambient-caps=-all --inh-caps=-all -- "$@"', $dir);
		my ($out, $err) = ('', '');
		my $able = eval { IPC::Run::run([ @unshare, 'test', '-w', $dir ], '>', \$out, '2>', \$err) };
		if (!$able)
		{
			$err = $@ if $err eq '';
			$err =~ s/\n.*//s;
			rmdir $dir;
			plan skip_all => "can't mount a small file system: $err";
		}
		$ENV{JJ_SMALL_DISK} = $dir;
		exec @unshare, $^X, (map { "-I$_" } @INC), $0, @ARGV;
		die "unshare: $!";
	}
}

use JJTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
mkdir "$ENV{JJ_SMALL_DISK}/space", 0700 or die $!;
my $dir = PostgreSQL::Test::Utils::tempdir;
repeat_capture("$captures/many_udp.pcap", "$dir/$_.pcap", 3, 120, 3 * $_) for 1 .. 6;
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');
$node->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$ENV{JJ_SMALL_DISK}/space'");
$node->safe_psql('postgres', "SELECT jj_create_table('flows', '{JJ-CORE}'); ALTER TABLE flows SET TABLESPACE small");

my ($out, $err);
$node->psql('postgres', "CALL jj_ingest('$dir', 'flows', commit_rows => 100)", stdout => \$out, stderr => \$err);
like($err, qr/ERROR:  could not extend file .*No space left on device/, 'no room on the disk ends the call');
my $entry = $node->safe_psql('postgres', "SELECT status, flows, rows, error FROM joyfuljay.ingest WHERE error IS NOT NULL");
like($entry, qr/^error\|(\d+)\|\1\|could not extend file .*No space left/, 'it is in the ledger, with the parts that are in the table');
is($node->safe_psql('postgres', 'SELECT count(*) FROM flows'), $node->safe_psql('postgres', 'SELECT sum(rows) FROM joyfuljay.ingest'), 'and nothing else is there');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM joyfuljay.ingest'), '<', 6, 'captures behind it were not tried');
$node->safe_psql('postgres', 'ALTER TABLE flows SET TABLESPACE pg_default');
$node->safe_psql('postgres', "CALL jj_ingest('$dir', 'flows')");
is($node->safe_psql('postgres', 'SELECT count(*) FROM flows'), $node->safe_psql('postgres', "SELECT count(*) FROM jj_extract('$dir')"), 'with room it goes on');
is($node->safe_psql('postgres', 'SELECT count(*), min(status), max(status) FROM joyfuljay.ingest'), '6|done|done', 'to the end');

$node->stop;
done_testing();
