# Long calls: cancelled, timed out, watched, short of work_mem.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');

# ---- a capture that takes a while: many_udp.pcap again and again, each time two minutes later, so that flows keep ending

my $dir = PostgreSQL::Test::Utils::tempdir;
my $base = PostgreSQL::Test::Utils::slurp_file("$captures/many_udp.pcap");

sub repeated
{
	my ($name, $times) = @_;
	my (@records, $o);

	for ($o = 24; $o + 16 <= length $base;)
	{
		my ($sec, $usec, $caplen, $len) = unpack 'V4', substr($base, $o, 16);
		push @records, [ $sec, pack('V3', $usec, $caplen, $len) . substr($base, $o + 16, $caplen) ];
		$o += 16 + $caplen;
	}
	open my $f, '>:raw', "$dir/$name" or die "$dir/$name: $!";
	print $f substr($base, 0, 24);
	for my $n (0 .. $times - 1)
	{
		print $f map { pack('V', $_->[0] + 120 * $n) . $_->[1] } @records;
	}
	close $f or die "$dir/$name: $!";
	return "$dir/$name";
}

my $small = repeated('small.pcap', 20);
my $big = repeated('big.pcap', 2000);
my $packets = $node->safe_psql('postgres', "SELECT packets FROM jj_pcap_info('$captures/many_udp.pcap')");
is($packets, 640, 'packets to repeat');

# ---- the whole of it, in a session of its own, and what others see of it

# A psql that runs while we go on.
sub session
{
	my ($in, $out, $err) = ('', '', '');
	my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default // 180);
	my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$err, $timer);
	return { in => \$in, out => \$out, err => \$err, h => $h };
}

sub send_sql
{
	my ($s, $sql) = @_;
	${ $s->{in} } .= $sql;
	$s->{h}->pump_nb;
}

sub wait_for
{
	my ($s, $pattern, $stream) = @_;
	$s->{h}->pump until ${ $s->{ $stream // 'out' } } =~ $pattern || !$s->{h}->pumpable;
	return ${ $s->{ $stream // 'out' } } =~ $pattern;
}

# Wait until the backend is inside jj_extract: its progress shows.
sub wait_until_running
{
	my ($pid) = @_;
	return $node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_progress_copy WHERE pid = $pid AND bytes_processed > 0)");
}

my $watched = session();
send_sql($watched, "SELECT 'pid=' || pg_backend_pid();\n");
wait_for($watched, qr/pid=(\d+)\n/);
my ($pid) = ${ $watched->{out} } =~ /pid=(\d+)/;
send_sql($watched, "SELECT 'rows=' || count(*) || ' packets=' || sum(total_packets) FROM jj_extract('$big');\n");
ok(wait_until_running($pid), 'a running call shows in pg_stat_progress_copy');
my $progress = $node->safe_psql('postgres',
	"SELECT bytes_total, bytes_processed BETWEEN 1 AND bytes_total, tuples_processed >= 0, datname FROM pg_stat_progress_copy WHERE pid = $pid");
SKIP:
{
	skip 'the call was over before it was looked at', 1 if $progress eq '';
	is($progress, (-s $big) . '|t|t|postgres', 'with the size of the file and how much of it is read');
}

# ---- cancelled

is($node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)"), 't', 'cancel it');
ok(wait_for($watched, qr/canceling statement due to user request/, 'err'), 'the call ends with the error of a cancelled statement');
unlike(${ $watched->{out} }, qr/rows=/, 'and without a result');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_progress_copy WHERE pid = $pid"), 0, 'its progress is gone');
${ $watched->{err} } = '';

# the session is as good as before
send_sql($watched, "SELECT 'again=' || count(*) FROM jj_extract('$captures/demo.pcapng');\n");
ok(wait_for($watched, qr/again=23\n/), 'the session goes on');

# ---- statement_timeout

send_sql($watched, "SET statement_timeout = '50ms'; SELECT 'rows=' || count(*) FROM jj_extract('$big'); RESET statement_timeout; SELECT 'after';\n");
ok(wait_for($watched, qr/after\n/), 'a call under statement_timeout ends');
like(${ $watched->{err} }, qr/canceling statement due to statement timeout/, 'with its error');
unlike(${ $watched->{out} }, qr/rows=/, 'and without a result');

# ---- terminated

send_sql($watched, "SELECT 'rows=' || count(*) FROM jj_extract('$big');\n");
wait_until_running($pid);
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)"), 't', 'a running call can be terminated');
$watched->{h}->kill_kill;
is($node->safe_psql('postgres', 'SELECT 1'), 1, 'the server lives');

# ---- work_mem

my $md5 = "SELECT count(*) || ' ' || md5(string_agg(f::text, E'\\n')) FROM (SELECT f FROM jj_extract('$small') WITH ORDINALITY f ORDER BY ordinality) x";
my $rich = $node->safe_psql('postgres', "SET work_mem = '256MB'; $md5");
my $poor = $node->safe_psql('postgres', "SET work_mem = '64kB'; $md5");
is($poor, $rich, 'the same rows with work_mem = 64kB');
cmp_ok((split / /, $poor)[0], '>', 5000, 'more rows than 64 kB hold');
ok($node->poll_query_until('postgres', "SELECT temp_bytes > 0 FROM pg_stat_database WHERE datname = 'postgres'"),
	'rows go to temporary files');
is($node->safe_psql('postgres', "SELECT sum(total_packets) FROM jj_extract('$small')"), 20 * $packets, 'all packets are there');

# ---- LIMIT, cursors and errors leave no file open and no memory behind

my $open = "SELECT count(*) FROM pg_ls_dir('/proc/self/fd');";
my $counts = $node->safe_psql('postgres', qq{
	SELECT count(*) FROM jj_extract('$captures/demo.pcapng') WHERE false;
	$open
	DO \$\$
	BEGIN
		FOR i IN 1 .. 300 LOOP
			PERFORM * FROM jj_extract('$captures/demo.pcapng') LIMIT 1;
			BEGIN
				PERFORM * FROM jj_extract('$captures/not_text.txt');
				RAISE 'a text file was read';
			EXCEPTION WHEN OTHERS THEN
				IF SQLERRM LIKE '%was read%' THEN
					RAISE;
				END IF;
			END;
		END LOOP;
	END \$\$;
	$open
});
my (undef, $before, $after) = split /\n/, $counts;
cmp_ok($after, '<=', $before + 10, 'three hundred calls and errors leave no descriptor open');

$node->stop;
done_testing();
