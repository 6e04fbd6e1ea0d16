# The connection graph: cancelled in each of its phases, captures that change between the passes, no graph module.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Copy;
use Test::More;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');
if ($node->safe_psql('postgres', "SELECT value FROM jj_status() WHERE name = 'graph module'") eq 'not installed')
{
	$node->stop;
	plan skip_all => 'the graph module is not installed';
}
my $dir = PostgreSQL::Test::Utils::tempdir;

# Flows as a capture of raw IP: [source, destination] numbers of hosts, one datagram each.
sub capture
{
	my ($name, @flows) = @_;
	my $n = 0;

	open my $f, '>:raw', "$dir/$name" or die "$dir/$name: $!";
	print $f pack('VvvVVVV', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101);
	for (@flows)
	{
		print $f records($n++, @$_);
	}
	close $f or die "$dir/$name: $!";
	return "$dir/$name";
}

sub records
{
	my ($n, $from, $to) = @_;

	return pack('VVVV', 1700000000, $n % 1000000, 28, 28)
		. pack('CCnnnCCnNNnnnn', 0x45, 0, 28, 0, 0, 64, 17, 0, 0x0a000000 + $from, 0x0a000000 + $to, 1024 + $n % 60000, 53, 8, 0);
}

# ---- a graph that igraph would work on for minutes: the cancelling is what ends it

my $state = 1;
sub random_host
{
	$state = ($state * 1103515245 + 12345) % 2147483648;
	return ($state >> 8) % 60000;
}
my $large = capture('large.pcap', map { [ random_host(), random_host() ] } 1 .. 200000);
my $measured = "SELECT count(conn_src_betweenness) FROM jj_extract('$large', options => '{\"connection_max_betweenness\": 1000000000000}')";

my ($in, $out, $err) = ('', '', '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$err,
	IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default // 180));
$in .= "SELECT 'pid=' || pg_backend_pid();\n";
$session->pump until $out =~ /pid=(\d+)\n/;
my ($pid) = $out =~ /pid=(\d+)/;

# Wait until the whole file is read: what comes then is igraph.
sub wait_for_igraph
{
	return $node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_progress_copy WHERE pid = $pid AND bytes_processed >= " . (-s $large) . ")");
}

$in .= "$measured;\n";
$session->pump_nb;
ok(wait_for_igraph(), 'the first pass shows in pg_stat_progress_copy');
is($node->safe_psql('postgres', "SELECT bytes_total FROM pg_stat_progress_copy WHERE pid = $pid"), 2 * -s $large, 'with twice the size of the file to read');
is($node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)"), 't', 'cancel while igraph works');
$session->pump until $err =~ /ERROR/;
like($err, qr/canceling statement due to user request/, 'the call ends with the error of a cancelled statement');
$err = '';
$in .= "SELECT 'again=' || max(conn_dst_betweenness) FROM jj_extract('$captures/icmp.pcap');\n";
$session->pump until $out =~ /again=/ || $err =~ /ERROR/;
like($out, qr/again=0\.5\n/, 'the session goes on, and igraph works as before');
$in .= "SET statement_timeout = '2s'; $measured; RESET statement_timeout; SELECT 'after=' || max(conn_dst_betweenness) FROM jj_extract('$captures/icmp.pcap');\n";
$session->pump until $out =~ /after=/;
like($err, qr/canceling statement due to statement timeout/, 'under statement_timeout it ends, too');
like($out, qr/after=0\.5\n/, 'and the session goes on');
$in .= "$measured;\n";
$session->pump_nb;
wait_for_igraph();
is($node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)"), 't', 'terminated while igraph works');
$session->kill_kill;
is($node->safe_psql('postgres', 'SELECT 1'), 1, 'the server lives');

# DROP DATABASE waits for each backend to answer, also one that is in igraph
$node->safe_psql('postgres', 'CREATE DATABASE other');
($in, $out, $err) = ('', '', '');
$session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$err,
	IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default // 180));
$in .= "SELECT 'pid=' || pg_backend_pid();\n";
$session->pump until $out =~ /pid=(\d+)\n/;
($pid) = $out =~ /pid=(\d+)/;
$in .= "$measured;\n";
$session->pump_nb;
wait_for_igraph();
$node->safe_psql('postgres', 'DROP DATABASE other');
is($node->safe_psql('postgres', "SELECT state FROM pg_stat_activity WHERE pid = $pid"), 'active', 'a database can be dropped while igraph works');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 60000)");
$session->kill_kill;

# ---- captures that change between the passes

sub through_cursor
{
	my ($file, $change) = @_;
	my ($o, $e) = ('', '');

	# 200 flows, the first of them is out before the file changes
	$node->psql('postgres', qq{
		BEGIN;
		DECLARE c CURSOR FOR SELECT conn_dst_total_flows FROM jj_extract('$file', options => '{"flow_timeout": 0}');
		FETCH 1 FROM c;
		$change
		SELECT 'rest';
		FETCH ALL FROM c;
	}, stdout => \$o, stderr => \$e);
	return ($o, $e);
}

# hosts 1 to 200 to host 0, each a second later, so that flows end while others are read
sub spread
{
	my ($name, $n) = @_;

	open my $f, '>:raw', "$dir/$name" or die "$dir/$name: $!";
	print $f pack('VvvVVVV', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101);
	for my $i (1 .. $n)
	{
		my $r = records($i, $i, 0);
		substr $r, 0, 4, pack('V', 1700000000 + $i * 10);
		print $f $r;
	}
	close $f or die "$dir/$name: $!";
	chmod 0666, "$dir/$name";
	return "$dir/$name";
}

my $grows = spread('grows.pcap', 20000);

# at a limit the first pass ends
my ($stdout, $stderr);
$node->psql('postgres', "EXPLAIN (ANALYZE, COSTS OFF) SELECT conn_src_total_flows FROM jj_extract('$grows', options => '{\"connection_max_nodes\": 100}')",
	stdout => \$stdout, stderr => \$stderr);
like($stdout, qr/First Pass: (\d+) packets, 0 flows, 0 nodes, 0 edges\n/, 'a graph that is too large is given up');
my ($read) = $stdout =~ /First Pass: (\d+)/;
cmp_ok($read, '<', 10000, 'as soon as it is');
like($stdout, qr/ Packets Read: 20000\n/, 'and the second pass reads on');
is(() = $stderr =~ /WARNING:  the columns of the connection graph of capture "[^"]*" are NULL: it has more than 100 nodes/g, 1, 'with one warning');

my $more = spread('more.pcap', 20500);
($stdout, $stderr) = through_cursor($grows, "COPY (SELECT 1) TO PROGRAM 'cat $more > $grows';");
is($stderr, '', 'a capture that grows between the passes');
my @rows = split /\n/, $stdout;
is(scalar(grep { $_ eq '20000' } @rows), 20000, 'gives what was there in the first') or diag(scalar @rows, " rows, the last $rows[-1]");
my $shrinks = spread('shrinks.pcap', 20000);
($stdout, $stderr) = through_cursor($shrinks, "COPY (SELECT 1) TO PROGRAM 'head -c 100000 $more > $shrinks';");
like($stderr, qr/ERROR:  capture "[^"]*shrinks.pcap" changed while it was read\n.*two passes/, 'one that shrinks is an error');
my $other = spread('other.pcap', 20000);
my $replaced = capture('replaced.pcap', map { [ $_ + 30000, $_ ] } 1 .. 30000);
($stdout, $stderr) = through_cursor($other, "COPY (SELECT 1) TO PROGRAM 'cat $replaced > $other';");
like($stderr, qr/ERROR:  capture "[^"]*other.pcap" changed while it was read/, 'and so is one that has other packets');
my $renamed = spread('renamed.pcap', 20000);
($stdout, $stderr) = through_cursor($renamed, "COPY (SELECT 1) TO PROGRAM 'mv $replaced $renamed';");
is($stderr, '', 'a file that is replaced under its name');
is(scalar(grep { $_ eq '20000' } split /\n/, $stdout), 20000, 'is read to its end in both passes');

# ---- no graph module: a copy of the library in a folder without it

my $libdir = PostgreSQL::Test::Utils::tempdir;
chomp(my $pkglibdir = `pg_config --pkglibdir`);
my ($library) = grep { -f } map { "$pkglibdir/joyfuljay.$_" } qw(so dylib);
copy($library, $libdir) or die "$library: $!";
chmod 0755, "$libdir/joyfuljay.so";
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('bare', 'CREATE EXTENSION joyfuljay');
$node->safe_psql('bare', "UPDATE pg_proc SET probin = '$libdir/joyfuljay' WHERE probin LIKE '%joyfuljay'");
is($node->safe_psql('bare', "SELECT value FROM jj_status() WHERE name = 'graph module'"), 'not installed', 'without the graph module jj_status says so');
is($node->safe_psql('bare', "SELECT max(conn_src_total_flows), max(conn_dst_in_degree), max(conn_src_unique_ports) FROM jj_extract('$captures/icmp.pcap')"), '4|2|0', 'columns that count need none');
for my $query ("SELECT conn_same_community FROM jj_extract('$captures/icmp.pcap')", "SELECT * FROM jj_extract('$captures/icmp.pcap')",
	"SELECT j.conn_src_clustering FROM (SELECT '$captures/icmp.pcap'::text AS p OFFSET 0) x, jj_extract(x.p) j")
{
	is($node->psql('bare', $query, stdout => \$stdout, stderr => \$stderr), 0, $query);
	like($stderr, qr/\A[^\n]*WARNING:  the betweenness, clustering and community columns are NULL: the graph module is not installed\nDETAIL:  There is no file "\Q$libdir\E\/joyfuljay_graph\.\w+"\.\nHINT:  Install igraph[^\n]*\n?\z/, 'says what is missing, once');
}
is($node->safe_psql('bare', "SELECT count(*), count(conn_src_total_flows), count(conn_dst_in_degree), count(conn_src_betweenness), count(conn_dst_clustering), count(conn_src_community), count(conn_same_community) FROM jj_extract('$captures/icmp.pcap')"),
	'8|8|8|0|0|0|0', 'the others are there');
is($node->safe_psql('bare', "CREATE TABLE flows AS SELECT * FROM jj_extract('$captures/icmp.pcap'); SELECT count(address), count(betweenness), count(community) FROM jj_connection_graph('flows')"), '3|0|0', 'and those of stored flows');
is($node->safe_psql('bare', "SET joyfuljay.features = '-connection'; SELECT count(f) FROM (SELECT * FROM jj_extract('$captures/icmp.pcap')) f"), 8, 'without the group there is no warning');

$node->stop;
done_testing();
