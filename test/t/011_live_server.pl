# Live captures and what happens to their tables, databases and server: nothing
# is written twice, what is lost is counted, and nobody has to wait for them.
use strict;
use warnings;

use LiveCapture;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

pair('jja', 'jjb');
my $sender = sender('jjb');
my $worker = '{"isolation": "worker", "batch_interval": 0.1}';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'joyfuljay'\njoyfuljay.databases = 'postgres, \"no such\"'\nmax_worker_processes = 20\nrestart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION joyfuljay;
	CREATE TABLE flows (run bigint, src_ip inet, src_port integer, total_packets bigint, end_reason text);
	CREATE FUNCTION sent(n bigint) RETURNS inet LANGUAGE sql IMMUTABLE AS $$ SELECT inet '10.0.0.0' + n $$;
});

# Each frame is a flow of its own, with the next number.
my $next = 0;

sub send_flows
{
	my ($n) = @_;
	send_frames($sender, map { udp_frame(++$next, 9) } 1 .. $n);
	return;
}

# Packets counted since the capture was started.
sub captured
{
	my ($name, $n) = @_;
	return is(wait_for($node, "SELECT packets FROM jj_capture_status WHERE name = '$name'", $n), $n, "$n packets are captured");
}

sub logged
{
	my ($pattern, $name) = @_;
	return ok(PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ $pattern, $name);
}

# The numbers from and to are all there, once.
sub all_there
{
	my ($from, $to, $name, $table) = @_;
	$table //= 'flows';
	is($node->safe_psql('postgres', "SELECT count(*) || ' ' || count(DISTINCT src_ip) FROM $table WHERE src_ip BETWEEN sent($from) AND sent($to)"),
		join(' ', ($to - $from + 1) x 2), $name);
	return;
}

# ---- the server is restarted

my ($out, $err);
is($node->psql('postgres', "SELECT jj_capture_start('lan', 'jja', 'flows', options => '$worker')", stderr => \$err), 0, 'start');
is($err, '', 'in a database that the launcher knows, nothing is to be said');
is(state_of($node, 'lan', 'running'), 'running', 'it runs');
send_flows(50);
captured('lan', 50);
$node->restart;
is(state_of($node, 'lan', 'running'), 'running', 'after a restart of the server it is there again');
all_there(1, 50, 'the flows that were open are written at its end');
logged(qr/WARNING:  there is no database "no such" to connect to, which is in setting "joyfuljay.databases"/, 'a database that is not there');
send_flows(50);
captured('lan', 50);

# ---- the worker is told to end, by somebody who doesn't know about captures

my $pid = value_of($node, 'lan', 'pid');
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)"), 't', 'pg_terminate_backend');
is(state_of($node, 'lan', 'running'), 'running', 'it is started again');
isnt(value_of($node, 'lan', 'pid'), $pid, 'as another process');
all_there(1, 100, 'its flows are written');
is(value_of($node, 'lan', "restarts || ' ' || packets"), '1 50', 'the restart is counted, counts go on');

# ---- the worker crashes: the server starts all over, what was not written is lost

send_flows(20);
captured('lan', 70);
$pid = value_of($node, 'lan', 'pid');
kill 'KILL', $pid;
ok($node->poll_query_until('postgres', "SELECT state = 'running' AND pid <> $pid FROM jj_capture_status WHERE name = 'lan'"), 'after a crash of the worker it is there again');
send_flows(20);
captured('lan', 20);
$node->safe_psql('postgres', "SELECT jj_capture_restart('lan')");
all_there(121, 140, 'what came since is written');
all_there(1, 100, 'nothing twice');
is(state_of($node, 'lan', 'running'), 'running', 'restarted');

# ---- the postmaster crashes

send_flows(20);
captured('lan', 20);
$pid = value_of($node, 'lan', 'pid');
$node->kill9;
for (1 .. 600)
{
	last unless kill 0, $pid;
	usleep(50_000);
}
ok(!kill(0, $pid), 'the worker ends when the postmaster does');
$node->start;
is(state_of($node, 'lan', 'running'), 'running', 'the capture is there again');
is($node->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT src_ip) FROM flows'), 0, 'nothing twice');
$next = 1000;
send_flows(10);
captured('lan', 10);
$node->safe_psql('postgres', "SELECT jj_capture_stop('lan')");
all_there(1001, 1010, 'flows after the crash');
is($node->safe_psql('postgres', "SELECT count(*) FROM joyfuljay.run WHERE name = 'lan' AND finished IS NULL"), 2, 'the runs that crashed have no end');

# ---- the target. With this timeout flows end a moment after their packet.

my $short = '{"isolation": "worker", "batch_interval": 0.1, "flow_timeout": 0.1, "flow_end": "timeout"}';

sub queued
{
	my ($n) = @_;
	return is(wait_for($node, q{SELECT queue_rows FROM jj_capture_status WHERE name = 'target'}, $n), $n, "$n flows wait");
}

# What the status says of the error.
sub says
{
	my ($want, $name) = @_;
	return is(wait_for($node, q{SELECT last_error FROM jj_capture_status WHERE name = 'target'}, $want), $want, $name);
}

start_capture($node, 'target', 'jja', 'flows', $short);
$pid = value_of($node, 'target', 'pid');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE flows');
send_flows(30);
queued(30);
says('table public.flows is locked', 'locked');
is(value_of($node, 'target', "state || ' ' || (lag > '0')"), 'retrying true', 'the status says so');
send_flows(30);
queued(60);
$holder->query_safe('ROLLBACK');
$holder->quit;
queued(0);
all_there(1011, 1070, 'the lock is gone: all flows are written');
is(state_of($node, 'target', 'running'), 'running', 'all is well again');
is(value_of($node, 'target', 'rows_written'), 60, 'and counted');

$node->safe_psql('postgres', 'ALTER TABLE flows RENAME TO other');
send_flows(10);
queued(10);
says('relation "public.flows" does not exist', 'renamed');
$node->safe_psql('postgres', 'ALTER TABLE other RENAME TO flows');
queued(0);
all_there(1071, 1080, 'and back');

$node->safe_psql('postgres', 'ALTER TABLE flows DROP COLUMN total_packets, ADD COLUMN dst_port integer, ADD COLUMN protocol smallint');
send_flows(10);
ok($node->poll_query_until('postgres', 'SELECT count(*) = 10 FROM flows WHERE src_ip > sent(1080)'), 'columns come and go');
logged(qr/column "dst_port" of table public.flows stays NULL until the capture is restarted/, 'a column that is not computed');

$node->safe_psql('postgres', 'DROP TABLE flows');
send_flows(10);
queued(10);
$node->safe_psql('postgres', 'CREATE TABLE flows (src_ip inet, src_port integer)');
queued(0);
all_there(1091, 1100, 'dropped, and made again');

$node->safe_psql('postgres', q{
	CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no space left' USING ERRCODE = 'disk_full'; END $$;
	CREATE TRIGGER full_disk BEFORE INSERT ON flows FOR EACH ROW EXECUTE FUNCTION full_disk();
});
send_flows(10);
queued(10);
says('no space left', 'full');
is(value_of($node, 'target', "state || ' ' || rejected"), 'retrying 0', 'that is no fault of the rows');
is(value_of($node, 'target', 'pid'), $pid, 'the worker is still the same');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)"), 0, 'it holds no snapshot while it waits');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE pid = $pid AND granted"), 0, 'and no lock');
$node->safe_psql('postgres', "SELECT jj_capture_stop('target')");
is(value_of($node, 'target', "queue_rows || ' ' || queue_drops"), '0 10', 'what is not written at the end is counted');

# a full queue: each flow has a long text
$node->safe_psql('postgres', q{TRUNCATE flows; ALTER TABLE flows ADD COLUMN capture text, ADD COLUMN iat_sequence float8[]});
start_capture($node, 'target', 'jja', 'flows', '{"isolation": "worker", "flow_timeout": 0.1, "flow_end": "timeout", "queue_mb": 1}');
my $before = $next;
send_flows(10000);
wait_for($node, q{SELECT sum(n::bigint) FROM jj_capture_status, jsonb_each_text(flows_ended) e(reason, n) WHERE name = 'target'}, 10000);
cmp_ok(value_of($node, 'target', 'queue_drops'), '>', 100, 'more flows than the queue holds');
cmp_ok(value_of($node, 'target', 'queue_bytes'), '<=', 1024 * 1024, 'which keeps its bound');
$node->safe_psql('postgres', 'DROP TRIGGER full_disk ON flows');
queued(0);
is(value_of($node, 'target', 'rows_written + queue_drops'), 10000, 'each flow is written or counted');
is($node->safe_psql('postgres', 'SELECT count(*) || $$ $$ || count(DISTINCT src_ip) FROM flows'), join(' ', (value_of($node, 'target', 'rows_written')) x 2), 'once');

# ---- the interface

link_set('set', 'jja', 'down');
is(wait_for($node, "SELECT state FROM jj_capture_status WHERE name = 'target'", qr/running|retrying/), value_of($node, 'target', 'state'), 'down');
link_set('set', 'jja', 'up');
my $packets = value_of($node, 'target', 'packets');
my $seen;
for (1 .. 200)
{
	send_flows(1);
	usleep(50_000);
	$seen = value_of($node, 'target', 'packets');
	last if $seen > $packets;
}
cmp_ok($seen, '>', $packets, 'and up again: it goes on');
link_set('del', 'jja');
is(state_of($node, 'target', 'retrying'), 'retrying', 'the interface is removed');
like(value_of($node, 'target', 'last_error'), qr/jja/, 'the status says so');
pair('jja', 'jjb');
$sender = sender('jjb');
is(state_of($node, 'target', 'running'), 'running', 'and made again');
is(value_of($node, 'target', 'gaps > 0'), 't', 'a gap');
$packets = value_of($node, 'target', 'packets');
send_flows(10);
wait_for($node, q{SELECT packets FROM jj_capture_status WHERE name = 'target'}, $packets + 10);
$node->safe_psql('postgres', "SELECT jj_capture_stop('target')");

# ---- more flows than may be open

start_capture($node, 'flood', 'jja', 'flows', '{"isolation": "worker", "max_concurrent_flows": 1000}');
my @frames = map { udp_frame(0x200000 + $_, 9) } 1 .. 30000;
send_frames($sender, @frames);
$packets = wait_for($node, q{SELECT packets + kernel_drops FROM jj_capture_status WHERE name = 'flood'}, 30000);
is($packets, 30000, 'a flood');
is(value_of($node, 'flood', 'active_flows'), 1000, 'no more flows are open than may be');
is(wait_for($node, q{SELECT (flows_ended ->> 'evicted')::bigint = packets - 1000 FROM jj_capture_status WHERE name = 'flood'}, 't'), 't', 'the others are evicted, and counted');
$node->safe_psql('postgres', "SELECT jj_capture_stop('flood')");
is(value_of($node, 'flood', 'rows_written + queue_drops = packets'), 't', 'each is written or counted');

# ---- more flows end at once than the queue holds, but the table takes them

start_capture($node, 'burst', 'jja', 'flows', '{"isolation": "worker", "queue_mb": 1}');
send_frames($sender, @frames[0 .. 4999]);
captured('burst', 5000);
$node->safe_psql('postgres', "SELECT jj_capture_stop('burst')");
is(value_of($node, 'burst', "rows_written || ' ' || queue_drops"), '5000 0', 'none is lost');

# ---- a transaction that holds the table stops the capture

start_capture($node, 'mine', 'jja', 'flows', $worker);
send_flows(5);
captured('mine', 5);
$node->safe_psql('postgres', "BEGIN; LOCK TABLE flows; SELECT jj_capture_stop('mine'); COMMIT");
is(value_of($node, 'mine', "state || ' ' || queue_drops"), 'stopped 5', 'it ends, and counts what it could not write');

# ---- the database and the extension are dropped; DROP DATABASE itself gives up after five seconds

$node->safe_psql('postgres', 'CREATE DATABASE doomed');
$node->safe_psql('doomed', 'CREATE EXTENSION joyfuljay; CREATE TABLE flows (src_ip inet)');
is($node->psql('doomed', "SELECT jj_capture_start('doomed', 'jja', 'flows', options => '$worker')", stderr => \$err), 0, 'a capture in another database');
like($err, qr/NOTICE:  capture "doomed" runs until the server is restarted\nHINT:  Add the database to joyfuljay.databases/, 'which the launcher does not know');
ok($node->poll_query_until('doomed', q{SELECT state = 'running' FROM jj_capture_status}), 'it runs');
is($node->psql('postgres', 'DROP DATABASE doomed', stderr => \$err), 0, 'DROP DATABASE') or diag $err;
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'joyfuljay capture'}), 0, 'the worker has ended');

$node->safe_psql('postgres', 'CREATE DATABASE kept');
$node->safe_psql('kept', "CREATE EXTENSION joyfuljay; CREATE TABLE flows (src_ip inet); SELECT jj_capture_start('kept', 'jja', 'flows', options => '$worker')");
ok($node->poll_query_until('kept', q{SELECT state = 'running' FROM jj_capture_status}), 'one in a database that is only copied and renamed');
is($node->psql('postgres', 'CREATE DATABASE copied TEMPLATE kept', stderr => \$err), 0, 'CREATE DATABASE ... TEMPLATE') or diag $err;
ok($node->poll_query_until('kept', q{SELECT state = 'running' FROM jj_capture_status}), 'it goes on');
is($node->psql('postgres', 'ALTER DATABASE kept RENAME TO moved', stderr => \$err), 0, 'ALTER DATABASE ... RENAME') or diag $err;
ok($node->poll_query_until('moved', q{SELECT state = 'running' FROM jj_capture_status}), 'it goes on');
is($node->psql('postgres', 'DROP DATABASE moved WITH (FORCE)', stderr => \$err), 0, 'DROP DATABASE ... WITH (FORCE)') or diag $err;

start_capture($node, 'extension', 'jja', 'flows', $worker);
$node->safe_psql('postgres', 'DROP EXTENSION joyfuljay');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'joyfuljay capture'}), 'DROP EXTENSION ends the worker');
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');
is($node->safe_psql('postgres', 'SELECT count(*) FROM jj_capture_status'), 0, 'a new extension knows nothing of it');

# ---- a standby, and its promotion

start_capture($node, 'lan', 'jja', 'flows', $worker);
my $backup = 'backup';
$node->backup($backup);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, $backup, has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'joyfuljay%'}), 0, 'nothing runs on a standby');
is($standby->safe_psql('postgres', q{SELECT state || ' ' || enabled FROM jj_capture_status}), 'stopped true', 'the status there');
isnt($standby->psql('postgres', "SELECT jj_capture_restart('lan')", stderr => \$err), 0, 'none can be started there');
like($err, qr/cannot execute jj_capture_restart\(\) during recovery/, 'it says why');
$node->stop('smart');
$standby->promote;
is(state_of($standby, 'lan', 'running'), 'running', 'after its promotion the capture runs there');
$standby->safe_psql('postgres', "SELECT jj_capture_stop('lan')");

# ---- without shared_preload_libraries: captures survive a crash, but no restart

$standby->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$standby->restart;
is($standby->safe_psql('postgres', q{SELECT state FROM jj_capture_status}), 'stopped', 'no launcher');
$standby->safe_psql('postgres', "UPDATE joyfuljay.capture SET enabled = true");
$standby->safe_psql('postgres', "CREATE TABLE more (src_ip inet); SELECT jj_capture_start('more', 'jja', 'more', options => '$worker')");
is(state_of($standby, 'more', 'running'), 'running', 'one that is started');
is(value_of($standby, 'lan', 'state'), 'stopped', 'the other one stays as it was');
$pid = value_of($standby, 'more', 'pid');
kill 'KILL', $pid;
ok($standby->poll_query_until('postgres', "SELECT state = 'running' AND pid <> $pid FROM jj_capture_status WHERE name = 'more'"), 'after a crash it is there again');
is(value_of($standby, 'lan', 'state'), 'stopped', 'the other one is not');
$standby->restart;
is(value_of($standby, 'more', "state || ' ' || enabled"), 'stopped true', 'after a restart it is not');

$standby->stop;
done_testing();
