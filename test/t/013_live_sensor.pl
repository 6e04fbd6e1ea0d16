# Live captures by jj-sensor: the same rows, and what happens when the program
# ends, or is another one.
use strict;
use warnings;

use LiveCapture;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $dir = PostgreSQL::Test::Utils::tempdir;
pair('jja', 'jjb');
my $sender = sender('jjb');
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'joyfuljay'\njoyfuljay.databases = 'postgres'\nrestart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION joyfuljay; SELECT jj_create_table('by_worker'); SELECT jj_create_table('by_sensor')});

# ---- the same rows

start_capture($node, 'worker', 'jja', 'by_worker', '{"isolation": "worker"}');
start_capture($node, 'sensor', 'jja', 'by_sensor', '{"isolation": "sensor"}');
is(value_of($node, 'sensor', 'how'), 'sensor', 'by jj-sensor');
is(value_of($node, 'worker', 'how'), 'worker', 'and without');
my $sent = 0;
for my $file (map { "$captures/$_.pcap" } qw(protocols dns_tcp encap_mpls fragments http2_frames http_heads icmp messages_tcp messages_udp mptcp many_udp recorded/dns))
{
	$sent += send_frames($sender, frames_of($file));
}
for my $name (qw(worker sensor))
{
	is(wait_for($node, "SELECT packets FROM jj_capture_status WHERE name = '$name'", $sent), $sent, "$sent packets: $name");
}
like(value_of($node, 'sensor', 'active_flows'), qr/^[1-9]\d\d/, 'open flows');
$node->safe_psql('postgres', "SELECT jj_capture_stop('worker'); SELECT jj_capture_stop('sensor')");
my $flows = $node->safe_psql('postgres', 'SELECT count(*) FROM by_worker');
cmp_ok($flows, '>', 100, "$flows flows");
is($node->safe_psql('postgres', 'SELECT count(*) FROM by_sensor'), $flows, 'as many by the sensor');
is(value_of($node, 'sensor', 'bytes'), value_of($node, 'worker', 'bytes'), 'as many bytes');
is(value_of($node, 'sensor', 'flows_ended'), value_of($node, 'worker', 'flows_ended'), 'flows by end reason');

# each of the two has times of its own, a little apart; nothing else differs
my $both = 'by_worker w JOIN by_sensor s USING (first_frame, src_ip, dst_ip, protocol)';
is($node->safe_psql('postgres', "SELECT count(*) FROM $both"), $flows, 'the same flows');
is($node->safe_psql('postgres', qq{
	SELECT string_agg(DISTINCT f.name, ', ') FROM (SELECT to_jsonb(w) AS w, to_jsonb(s) AS s FROM $both) b, jsonb_each(b.w) a JOIN jj_features f ON f.name = a.key
	WHERE a.value IS DISTINCT FROM b.s -> a.key AND f.unit NOT IN ('s', 'ms', 'us', 'ns', 'bytes/s', 'packets/s', 'bit/s') AND f.sql_type NOT LIKE 'timestamp%'
		AND f.group_name NOT IN ('timing', 'tcp_rtt')}), '', 'columns that differ, beside those of time');
is($node->safe_psql('postgres', "SELECT count(*) FROM $both WHERE abs(extract(epoch FROM w.start_time - s.start_time)) > 0.1 OR abs(w.duration - s.duration) > 0.2"),
	0, 'times differ by little');

# more flows end at once than the queue holds
start_capture($node, 'burst', 'jja', 'by_sensor', '{"isolation": "sensor", "queue_mb": 1}');
send_frames($sender, map { udp_frame($_, 9) } 1 .. 3000);
is(wait_for($node, q{SELECT packets FROM jj_capture_status WHERE name = 'burst'}, 3000), 3000, 'a burst of flows');
$node->safe_psql('postgres', "SELECT jj_capture_stop('burst')");
is(value_of($node, 'burst', "rows_written || ' ' || queue_drops"), '3000 0', 'none is lost');

# ---- the sensor crashes

start_capture($node, 'sensor', 'jja', 'by_sensor', '{"isolation": "sensor", "batch_interval": 0.1}');
$node->safe_psql('postgres', 'TRUNCATE by_sensor');
my $pid = value_of($node, 'sensor', 'pid');

# Process id of the sensor of a worker.
sub child_of
{
	my ($parent) = @_;

	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $f, '<', $stat or next;
		my ($child, $name, $of) = <$f> =~ /^(\d+) \((.*)\) \S (\d+)/ or next;
		return $child if $of == $parent && $name eq 'jj-sensor';
	}
	return;
}
send_frames($sender, map { udp_frame($_, 9) } 1 .. 20);
wait_for($node, q{SELECT packets FROM jj_capture_status WHERE name = 'sensor'}, 20);
my $child = child_of($pid);
ok($child, 'the worker has a child');
open my $f, '<', "/proc/$child/status" or die "/proc/$child/status: $!";
my $status = join '', <$f>;
close $f;
like($status, qr/^CapPrm:\s+0+$/m, 'which has given up all privileges');
kill 'KILL', $child;
is(wait_for($node, q{SELECT last_error FROM jj_capture_status WHERE name = 'sensor'}, qr/signal/), 'jj-sensor was terminated by signal 9', 'it is killed: the status says so');
is(wait_for($node, q{SELECT gaps || ' ' || state FROM jj_capture_status WHERE name = 'sensor'}, '1 running'), '1 running', 'the worker starts it again, and counts the gap');
is(value_of($node, 'sensor', 'pid'), $pid, 'the worker is the same');
send_frames($sender, map { udp_frame($_, 9) } 101 .. 120);
is(wait_for($node, q{SELECT packets FROM jj_capture_status WHERE name = 'sensor'}, 40), 40, 'counts go on');
$node->safe_psql('postgres', "SELECT jj_capture_stop('sensor')");
is($node->safe_psql('postgres', q{SELECT count(*) || ' ' || count(DISTINCT src_ip) FROM by_sensor WHERE src_ip > '10.0.0.100'}), '20 20', 'flows since then');
is($node->safe_psql('postgres', q{SELECT count(*) FROM by_sensor WHERE src_ip <= '10.0.0.100'}), 0, 'those that were open are lost with it');
ok(!defined child_of($pid), 'no process is left');

# the worker crashes: its sensor ends, too
start_capture($node, 'sensor', 'jja', 'by_sensor', '{"isolation": "sensor"}');
$pid = value_of($node, 'sensor', 'pid');
$child = child_of($pid);
kill 'KILL', $pid;
ok($node->poll_query_until('postgres', "SELECT state = 'running' AND pid <> $pid FROM jj_capture_status WHERE name = 'sensor'"), 'a crash of the worker');
for (1 .. 200)
{
	last unless kill 0, $child;
	Time::HiRes::usleep(50_000);
}
ok(!kill(0, $child), 'its sensor has ended');
$node->safe_psql('postgres', "SELECT jj_capture_stop('sensor')");

# ---- other programs

sub with_program
{
	my ($program, $pattern, $name) = @_;

	$node->append_conf('postgresql.conf', "joyfuljay.sensor_path = '$program'");
	$node->reload;
	$node->safe_psql('postgres', q{SELECT pg_sleep(0.1)}) until $node->safe_psql('postgres', 'SHOW joyfuljay.sensor_path') eq $program;
	$node->safe_psql('postgres', q{SELECT jj_capture_start('other', 'jja', 'by_sensor', options => '{"isolation": "sensor"}')});
	like(wait_for($node, q{SELECT last_error FROM jj_capture_status WHERE name = 'other'}, $pattern, 30), $pattern, "$name: message");
	is(state_of($node, 'other', 'retrying'), 'retrying', "$name: tries again");
	$node->safe_psql('postgres', q{SELECT jj_capture_stop('other')});
	return;
}

sub script
{
	my ($name, $text) = @_;
	open my $s, '>', "$dir/$name" or die "$dir/$name: $!";
	print $s "#!/bin/sh\n$text\n";
	close $s;
	chmod 0755, "$dir/$name";
	return "$dir/$name";
}

with_program('/no/such/program', qr/^jj-sensor has ended: could not run the program$/, 'no such program');
with_program(script('fails', 'echo "no luck" >&2; exit 3'), qr/^jj-sensor has ended: no luck$/, 'a program that fails');
with_program(script('says_nothing', 'exit 3'), qr/^jj-sensor has ended with status 3$/, 'and says nothing');
with_program(script('foreign', 'exec cat /dev/zero'), qr/stream/, 'a foreign stream');
chomp(my $bindir = `pg_config --bindir`);
with_program(script('damaged', qq{"$bindir/jj-sensor" "\$@" | (dd bs=1 count=500 2>/dev/null; cat /dev/urandom)}), qr/jj-sensor|stream|message/, 'a damaged stream');
with_program(script('cut', qq{"$bindir/jj-sensor" "\$@" | dd bs=1 count=100 2>/dev/null}), qr/jj-sensor|stream|message/, 'a stream that is cut');
my ($err);
isnt($node->psql('postgres', "SET joyfuljay.sensor_path = '/bin/true'", stderr => \$err), 0, 'the program is the administrator\'s choice');
isnt($node->psql('postgres', qq{SELECT jj_capture_start('x', 'jja', 'by_sensor', options => '{"isolation": "sensor", "save_pcap": "$dir/x"}')}, stderr => \$err), 0, 'saving packets');
like($err, qr/option "save_pcap" does not work with isolation "sensor"/, 'is not the sensor\'s work');
isnt($node->psql('postgres', q{SELECT jj_capture_start('x', 'jja', 'by_sensor', options => '{"isolation": "sensor", "anonymize_ips": true}')}, stderr => \$err), 0, 'nor pseudonyms');
like($err, qr/option "anonymize_ips" does not work with isolation "sensor"|anonymi[sz]/, 'since the key stays in the server');

$node->stop;
done_testing();
