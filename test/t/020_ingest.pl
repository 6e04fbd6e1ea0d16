# jj_ingest when something comes in between: files that are written to, other
# sessions, cancelling, a target that goes, a disk that is full.
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
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');

my $dir = PostgreSQL::Test::Utils::tempdir;
my $big = repeat_capture("$captures/many_udp.pcap", "$dir/big.pcap", 3, 120);
my $all = $node->safe_psql('postgres', "SELECT count(*) FROM jj_extract('$big')");
cmp_ok($all, '>', 300, 'a capture of many flows');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub entry
{
	my ($table, $path) = @_;
	return sql("SELECT status, flows, rows, parts FROM joyfuljay.ingest WHERE target = '$table'::regclass AND path = '$path' ORDER BY ingest DESC LIMIT 1");
}

# A table with a row that is held up, in the middle of the call; gives the session of the call and that which holds.
sub held_ingest
{
	my ($table, $row, $call) = @_;
	my $holder = hold($node, $row);
	my $s = session($node);
	send_sql($s, "$call;\nSELECT 'the end';\n");
	ok(wait_until_held($node, $s->{pid}), "$table: ingest is held up at row $row") or diag(${ $s->{err} });
	return ($s, $holder);
}

sub new_table
{
	my ($table) = @_;
	sql("SELECT jj_create_table('$table', '{JJ-CORE}')");
	make_holdable($node, $table);
	return;
}

sql("SELECT jj_create_table('undisturbed', '{JJ-CORE}')");
sql("CALL jj_ingest('$big', 'undisturbed')");
my $right = checksum($node, 'undisturbed');
is((split / /, $right)[0], $all, 'an undisturbed ingest');

# ---- what others see of it

new_table('seen');
my ($s, $holder) = held_ingest('seen', 250, "CALL jj_ingest('$big', 'seen', commit_rows => 100)");
is(sql("SELECT relid::regclass, type, bytes_total, bytes_processed > 0, tuples_processed >= 0 FROM pg_stat_progress_copy WHERE pid = $s->{pid}"),
	'seen|CALLBACK|' . (-s $big) . '|t|t', 'progress in pg_stat_progress_copy');
is(entry('seen', $big), 'running|200|200|2', 'and in the ledger');
is(sql('SELECT count(*) FROM seen'), 200, 'two parts are committed');

# ---- two sessions at once

my ($out, $err);
$node->psql('postgres', "CALL jj_ingest('$dir', 'seen')", stdout => \$out, stderr => \$err);
like($err, qr/NOTICE:\s+capture "\Q$big\E" is being ingested by another session/, 'a second session leaves the capture to the first');
like($err, qr/captures ingested: 0, rows: 0, with another session: 1/, 'and says so');
copy($big, "$dir/copy.pcap") or die $!;
$node->psql('postgres', "CALL jj_ingest('$dir/copy.pcap', 'seen')", stdout => \$out, stderr => \$err);
like($err, qr/NOTICE:\s+capture "\Q$dir\E\/copy.pcap" is being ingested by another session/, 'also its content by another name');
$node->psql('postgres', "SELECT jj_ingest_forget('$big', 'undisturbed')", stdout => \$out, stderr => \$err);
is($out, 1, 'the ledger can forget another table\'s');

# ---- cancelled: the parts stay, and it goes on behind them

sql("SELECT pg_cancel_backend($s->{pid})");
ok(wait_for($s, qr/canceling statement due to user request/, 'err'), 'cancelled');
is(entry('seen', $big), 'error|200|200|2', 'the ledger has the parts');
is(sql("SELECT error FROM joyfuljay.ingest WHERE target = 'seen'::regclass"), 'canceling statement due to user request', 'and the reason');
is(sql("SELECT count(*) FROM pg_locks WHERE pid = $s->{pid} AND locktype = 'advisory'"), 0, 'no lock is left');
send_sql($s, "CALL jj_ingest('$big', 'seen', commit_rows => 70);\nSELECT 'resumed';\n");
release($node, $holder);
ok(wait_for($s, qr/resumed/), 'the same session ingests it again');
like(${ $s->{err} }, qr/going on with capture "\Q$big\E" behind its first 200 flows/, 'behind the parts');
is(checksum($node, 'seen'), $right, 'the rows are those of an undisturbed ingest');
is(sql('SELECT count(DISTINCT run) FROM seen'), 2, 'of two runs');
finish($s);
sql("CALL jj_ingest('$dir', 'seen')");
is(entry('seen', "$dir/copy.pcap"), 'duplicate|0|0|0', 'the copy is a duplicate');
unlink "$dir/copy.pcap";

# ---- terminated, and interrupted in its first part

for my $how ('pg_terminate_backend', 'pg_cancel_backend')
{
	my $table = $how =~ /term/ ? 'terminated' : 'cancelled';
	new_table($table);
	($s, $holder) = held_ingest($table, 250, "CALL jj_ingest('$big', '$table')");
	sql("SELECT $how($s->{pid})");
	wait_for($s, $how =~ /term/ ? qr/terminating connection|server closed/ : qr/canceling/, 'err');
	release($node, $holder);
	finish($s);
	ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_locks WHERE pid = $s->{pid})"), "$table: the session is gone");
	is(sql("SELECT count(*) FROM $table"), 0, "$table: no rows of a part that was not finished");
	like(entry($table, $big), qr/^(running|error)\|0\|0\|0$/, "$table: nor in the ledger");
	sql("CALL jj_ingest('$big', '$table')");
	is(checksum($node, $table), $right, "$table: ingested by the next call");
}

# ---- written to while it is read

my $growing = "$dir/growing.pcap";
for my $parts (0, 100)
{
	my $table = "growing_$parts";
	copy($big, $growing) or die $!;
	new_table($table);
	($s, $holder) = held_ingest($table, 250, "CALL jj_ingest('$growing', '$table', commit_rows => $parts)");
	open my $f, '>>:raw', $growing or die $!;
	print $f substr(slurp_file($big), 24);
	close $f;
	release($node, $holder);
	ok(wait_for($s, qr/the end/), "$table: the call ends");
	finish($s);
	like(${ $s->{err} }, qr/WARNING:\s+capture "\Q$growing\E" was written to while it was read/, "$table: with a warning");
	if ($parts == 0)
	{
		like(${ $s->{err} }, qr/captures ingested: 0, rows: 0, changed while read: 1/, "$table: and a count");
		is(entry($table, $growing), 'changed|0|0|0', "$table: ledger");
		is(sql("SELECT count(*) FROM $table"), 0, "$table: no rows");
		sql("CALL jj_ingest('$growing', '$table')");
		my $flows = sql("SELECT count(*) FROM jj_extract('$growing')");
		is(entry($table, $growing), "done|$flows|$flows|1", "$table: ingested as soon as it is at rest");
	}
	else
	{
		# the parts before that are in the table, and no part of the content that there is now
		is(entry($table, $growing), 'error|200|200|2', "$table: ledger");
		is(sql("SELECT count(*) FROM $table"), 200, "$table: the parts before");
		$node->psql('postgres', "CALL jj_ingest('$growing', '$table')", stdout => \$out, stderr => \$err);
		like($err, qr/WARNING:\s+capture "\Q$growing\E" or its settings have changed since run \d+ ingested 200 flows of it, not all/, "$table: is refused");
		like($err, qr/HINT:.*jj_ingest_forget/, "$table: with a way out");
		is(sql("SELECT count(*) FROM $table"), 200, "$table: nothing was added");
		sql("DELETE FROM $table; SELECT jj_ingest_forget('$growing', '$table'); CALL jj_ingest('$growing', '$table');");
		is(sql("SELECT count(*) FROM $table"), sql("SELECT count(*) FROM jj_extract('$growing')"), "$table: the way out");
	}
	unlink $growing;
}

# ---- other settings, with a part in the table

new_table('settings');
($s, $holder) = held_ingest('settings', 250, "CALL jj_ingest('$big', 'settings', commit_rows => 100)");
sql("SELECT pg_cancel_backend($s->{pid})");
wait_for($s, qr/canceling/, 'err');
release($node, $holder);
finish($s);
$node->psql('postgres', "CALL jj_ingest('$big', 'settings', options => '{\"flow_timeout\": 5}')", stdout => \$out, stderr => \$err);
like($err, qr/or its settings have changed since run/, 'other settings are refused while a part is in the table');
$node->psql('postgres', "UPDATE joyfuljay.run SET version = '0.0.1'; CALL jj_ingest('$big', 'settings')", stdout => \$out, stderr => \$err);
like($err, qr/200 flows of capture "\Q$big\E" were ingested by another version of the library/, 'so is another version');
sql("UPDATE joyfuljay.run SET version = (SELECT value FROM jj_status() WHERE name = 'version'); CALL jj_ingest('$big', 'settings')");
is(checksum($node, 'settings'), $right, 'the same ones finish it');

# ---- forgotten while it is ingested

new_table('forgotten');
($s, $holder) = held_ingest('forgotten', 250, "CALL jj_ingest('$big', 'forgotten')");
sql("SELECT jj_ingest_forget('$big', 'forgotten')");
release($node, $holder);
ok(wait_for($s, qr/the end/), 'forgotten meanwhile');
like(${ $s->{err} }, qr/WARNING:.*has been removed/, 'is an error');
finish($s);
is(sql('SELECT count(*) FROM forgotten'), 0, 'and no row without an entry');

# ---- a target that is dropped, or loses a column, in the middle

mkdir "$dir/two";
copy("$captures/vpn.pcap", "$dir/two/1.pcap");
copy($big, "$dir/two/2.pcap");
copy("$captures/icmp.pcap", "$dir/two/3.pcap");
for my $change ('DROP TABLE dropped', 'ALTER TABLE dropped DROP COLUMN src_ip')
{
	new_table('dropped');
	my $first = sql("SELECT count(*) FROM jj_extract('$dir/two/1.pcap')");
	my $changer = session($node);
	($s, $holder) = held_ingest('dropped', $first + 10, "CALL jj_ingest('$dir/two', 'dropped', commit_rows => 100)");
	send_sql($changer, "$change;\nSELECT 'changed';\n");
	ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $changer->{pid} AND NOT granted)"), "$change waits for the part");
	release($node, $holder);
	ok(wait_for($changer, qr/changed/), 'and is done between two parts');
	ok(wait_for($s, qr/the end/), 'the call ends');
	finish($_) for $s, $changer;
	if ($change =~ /^DROP/)
	{
		like(${ $s->{err} }, qr/ERROR:\s+table public\.dropped has been dropped/, 'with an error');
		is(sql("SELECT count(*) FROM joyfuljay.ingest WHERE path ~ '/3.pcap'"), 0, 'not one for each capture');
		is(sql("SELECT count(*) FROM joyfuljay.ingest WHERE path ~ '/2.pcap' AND error ~ 'dropped'"), 1, 'which the ledger has');
	}
	else
	{
		like(${ $s->{err} }, qr/column "src_ip" of relation "dropped" does not exist/, 'with an error');
		sql("CALL jj_ingest('$dir/two', 'dropped')");
		is(sql('SELECT count(*) FROM dropped'), sql("SELECT count(*) FROM jj_extract('$dir/two')"), 'the next call goes on without the column');
		sql('DROP TABLE dropped');
	}
}

# ---- a capture that the server's account may not read, among others

SKIP:
{
	skip 'root may read everything', 1 if $> == 0;
	sql("SELECT jj_create_table('unreadable', '{JJ-CORE}')");
	chmod 0000, "$dir/two/1.pcap";
	$node->psql('postgres', "CALL jj_ingest('$dir/two', 'unreadable')", stdout => \$out, stderr => \$err);
	like($err, qr/could not open capture "\Q$dir\E\/two\/1.pcap": Permission denied.*captures ingested: 2, rows: \d+, failed: 1/s, 'an unreadable capture among others');
	chmod 0644, "$dir/two/1.pcap";
	sql("CALL jj_ingest('$dir/two', 'unreadable')");
	is(entry('unreadable', "$dir/two/1.pcap") =~ /^done/, 1, 'is ingested when it is readable');
}

is(sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0, 'no locks are left');
$node->stop;
done_testing();
