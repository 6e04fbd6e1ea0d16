# Watches after a restart of the server, with the library preloaded.
use strict;
use warnings;

use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'joyfuljay'\njoyfuljay.databases = 'postgres'\n");
$node->start;

my $dir = PostgreSQL::Test::Utils::tempdir;
copy("$captures/demo.pcapng", "$dir/a.pcapng") or die $!;
my ($out, $err);
$node->psql('postgres', "CREATE EXTENSION joyfuljay; SELECT jj_create_table('flows'); SELECT jj_watch_start('$dir', 'flows', settle => '0', name => 'in')", stdout => \$out, stderr => \$err);
unlike($err, qr/until the server is restarted/, 'no notice that it does not come back');
ok($node->poll_query_until('postgres', 'SELECT captures FROM jj_watch_status', 1), 'a watch');
$node->restart;
ok($node->poll_query_until('postgres', 'SELECT state FROM jj_watch_status', 'running'), 'it comes back with the server');
copy("$captures/protocols.pcap", "$dir/b.pcap") or die $!;
ok($node->poll_query_until('postgres', 'SELECT captures FROM jj_watch_status', 2), 'and goes on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM flows'), 23 + 28, 'with nothing twice');
$node->safe_psql('postgres', q{SELECT jj_watch_stop('in')});
$node->restart;
is($node->safe_psql('postgres', 'SELECT state, enabled FROM jj_watch_status'), 'stopped|f', 'one that was stopped does not come back');

$node->stop;
done_testing();
