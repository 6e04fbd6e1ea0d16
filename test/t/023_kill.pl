# kill -9 of the backend, the watcher and the postmaster at random moments of an
# ingest of 40 captures: whatever is resumed ends with the rows of an undisturbed
# ingest, and in between the ledger says exactly which rows are in the table.
use strict;
use warnings;

use JJTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);

use constant { CAPTURES => 40, KILLS => 30 };

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $seed = srand;
note "random seed $seed";
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nshared_preload_libraries = 'joyfuljay'\njoyfuljay.databases = 'postgres'\n"
	# each capture has a worker that reads it
	. "min_parallel_table_scan_size = 0\n");
$node->start;

my $dir = PostgreSQL::Test::Utils::tempdir;
mkdir "$dir/in" or die $!;
for my $n (1 .. CAPTURES)
{
	# of one to three parts
	my $name = sprintf '%s/in/%02d.pcap', $dir, $n;
	repeat_capture("$captures/many_udp.pcap", $name, 1 + $n % 3, 120, 4 * $n);
	system('gzip', $name) == 0 or die 'gzip' if $n % 10 == 0;
}

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sql("CREATE EXTENSION joyfuljay; SELECT jj_create_table('undisturbed', '{JJ-CORE}')");
my $begin = time;
sql("CALL jj_ingest('$dir/in', 'undisturbed', commit_rows => 400)");
my $duration = time - $begin;
my $right = checksum($node, 'undisturbed');
my $parts = sql('SELECT sum(parts) FROM joyfuljay.ingest');
note sprintf 'undisturbed: %.2f s, %s, %d parts', $duration, $right, $parts;
cmp_ok($parts, '>', CAPTURES, 'some captures have several parts');

# Wait until the server takes connections.
sub wait_for_server
{
	for (1 .. 600)
	{
		return 1 if $node->psql('postgres', 'SELECT 1') == 0;
		usleep(50_000);
	}
	return 0;
}

sub starts
{
	my $log = slurp_file($node->logfile);
	return scalar(() = $log =~ /database system is ready to accept connections/g);
}

# The postmaster takes a moment to notice that a process of its has been killed, and takes connections until then.
sub wait_for_restart
{
	my ($before) = @_;
	for (1 .. 600)
	{
		return if starts() > $before;
		usleep(50_000);
	}
	die 'the server does not start again';
}

my @children;

sub children_of
{
	my ($parent) = @_;
	my @found;

	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $f, '<', $stat or next;
		my ($pid, $of) = (<$f> // '') =~ /^(\d+) \(.*\) \S (\d+)/ or next;
		push @found, $pid if $of == $parent;
	}
	return @found;
}

sub kill_postmaster
{
	my ($backend) = @_;
	my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
	@children = children_of($pid);
	# the backend would not notice before it is done
	return kill('KILL', $pid, $backend) == 2;
}

# Until the postmaster's children are gone, too, the server can't be started. One that waits for what the
# killed backend held never goes by itself: the server's hint is to end it.
sub start_again
{
	for my $try (1 .. 300)
	{
		kill('KILL', @children) if $try == 50;
		$node->{_pid} = undef;
		return if $node->start(fail_ok => 1);
		usleep(100_000);
	}
	die 'the server cannot be started';
}

my $round = 0;
my $table;

sub new_round
{
	$round++;
	$table = "round_$round";
	sql("SELECT jj_create_table('$table', '{JJ-CORE}')");
	return;
}

sub pause
{
	usleep(1_000_000 * rand($duration / 6));
	return;
}

sub interrupt_call
{
	my ($whom) = @_;
	my $s = session($node);
	my $before = starts();
	send_sql($s, "CALL jj_ingest('$dir/in', '$table', commit_rows => 400);\n");
	pause();
	my $killed = $whom eq 'backend' ? kill('KILL', $s->{pid}) : kill_postmaster($s->{pid});
	finish($s);
	start_again() if $whom eq 'postmaster';
	wait_for_restart($before) if $killed;
	return $killed;
}

sub interrupt_watch
{
	sql("SELECT jj_watch_start('$dir/in', '$table', settle => '0', commit_rows => 400, name => 'in')");
	pause();
	my $pid = sql("SELECT pid FROM jj_watch_status WHERE name = 'in'");
	my $before = starts();
	return 1 if $pid eq '';
	my $killed = kill('KILL', $pid);
	wait_for_restart($before) if $killed;
	return $killed;
}

sub all_done
{
	return sql("SELECT count(*) FROM joyfuljay.ingest WHERE target = '$table'::regclass AND status = 'done'") == CAPTURES;
}

sub check_round
{
	is(checksum($node, $table), $right, "$table: the rows of an undisturbed ingest");
	is(sql("SELECT count(*) - count(DISTINCT (capture, first_frame)) FROM $table"), 0, "$table: none twice");
	is(sql("SELECT count(*) FROM joyfuljay.ingest WHERE target = '$table'::regclass"), CAPTURES, "$table: one entry for each capture");
	return;
}

new_round();
my %kills = (backend => 0, watcher => 0, postmaster => 0);
my $wrong = 0;
my $partial = 0;
for my $n (1 .. KILLS)
{
	my $whom = (qw(backend watcher postmaster))[$n % 3];
	$kills{$whom} += $whom eq 'watcher' ? interrupt_watch() : interrupt_call($whom);
	wait_for_server() or die 'the server does not come back';
	if ($whom eq 'watcher')
	{
		# the launcher starts it again, also after a crash of the server
		$node->poll_query_until('postgres', "SELECT state FROM jj_watch_status WHERE name = 'in'", 'running') or die 'the watch does not come back';
		sql("SELECT jj_watch_stop('in')");
	}
	my ($rows, $entries, $unfinished) = split /\|/, sql(qq{
		SELECT (SELECT count(*) FROM $table), coalesce(sum(rows), 0), count(*) FILTER (WHERE status <> 'done' AND flows > 0)
		FROM joyfuljay.ingest WHERE target = '$table'::regclass});
	$wrong += $rows != $entries;
	$partial += $unfinished;
	note "kill $n, $whom: $rows rows, $entries in the ledger, $unfinished captures in part";
	next unless all_done();
	check_round();
	new_round();
}
is("$kills{backend} $kills{watcher} $kills{postmaster}", join(' ', (KILLS / 3) x 3), 'kills');
is($wrong, 0, 'behind each of them the ledger has the rows that the table has');
sql("CALL jj_ingest('$dir/in', '$table', commit_rows => 400)");
check_round();
note "$round rounds; $partial times a capture was left in part";

$node->stop;
done_testing();
