# jj_ingest with a worker that reads: the same rows, ledger and messages as
# without, whatever happens to one of the two processes or to the table.
use strict;
use warnings;

use Digest::SHA;
use File::Copy;
use IO::Compress::Gzip qw(gzip $GzipError);
use JJTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
# captures of any size are read by a worker, unless a call says otherwise
$node->append_conf('postgresql.conf', "min_parallel_table_scan_size = 0\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');

my $dir = PostgreSQL::Test::Utils::tempdir;
my $without = 'SET max_parallel_workers_per_gather = 0';
my $with = 'SET max_parallel_workers_per_gather = 2';

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub readers
{
	return sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'joyfuljay reader'");
}

sub no_reader_left
{
	return $node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'joyfuljay reader')");
}

# What a call says, without what differs by the table's name.
sub messages
{
	my ($statements, $table) = @_;
	my ($out, $err);
	$node->psql('postgres', $statements, stdout => \$out, stderr => \$err);
	$err =~ s/psql:<stdin>:\d+: //g;
	$err =~ s/\b\Q$table\E\b/NAME/g;
	return $err;
}

sub in_order
{
	return sql("SELECT md5(string_agg(capture || ' ' || first_frame, ',' ORDER BY ctid)) FROM $_[0]");
}

# ---- the same, of all kinds of captures and tables

mkdir "$dir/all" or die $!;
copy($_, "$dir/all") or die "$_: $!" for glob "$captures/*.pcap $captures/*.pcapng";
open my $broken, '>:raw', "$dir/all/broken.pcap" or die $!;
print $broken substr(slurp_file("$captures/vpn.pcap"), 0, 2000), 'x' x 100;
close $broken;
open my $none, '>', "$dir/all/none.pcap" or die $!;
print $none "no capture\n";
close $none;

my %made = (
	plain => "SELECT jj_create_table('NAME')",
	partitioned => "SELECT jj_create_table('NAME', '{JJ-CORE, tls}', partition_by => 'day')",
	trigger => "SELECT jj_create_table('NAME', '{JJ-CORE, dns}'); CREATE TRIGGER t BEFORE INSERT ON NAME FOR EACH ROW EXECUTE FUNCTION same_row()",
	dropped => "SELECT jj_create_table('NAME', '{JJ-CORE, ssh}'); ALTER TABLE NAME DROP COLUMN dst_port",
);
sql('CREATE FUNCTION same_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$');
for my $kind (sort keys %made)
{
	my %said;
	for my $how ('without', 'with')
	{
		my $table = "${kind}_$how";
		(my $make = $made{$kind}) =~ s/\bNAME\b/$table/g;
		sql($make);
		my $rows = $kind eq 'plain' ? 0 : 7;
		$said{$how} = messages(($how eq 'with' ? $with : $without) . "; CALL jj_ingest('$dir/all', '$table', commit_rows => $rows)", $table);
	}
	is($said{with}, $said{without}, "$kind: the same messages");
	is(checksum($node, "${kind}_with"), checksum($node, "${kind}_without"), "$kind: the same rows");
	is(in_order("${kind}_with"), in_order("${kind}_without"), "$kind: in the same order") if $kind ne 'partitioned';
	is(sql(qq{SELECT count(*) FROM (
			(SELECT path, status, flows, rows, parts, packets, skipped, warnings, error FROM joyfuljay.ingest WHERE target = '${kind}_with'::regclass)
			EXCEPT
			(SELECT path, status, flows, rows, parts, packets, skipped, warnings, error FROM joyfuljay.ingest WHERE target = '${kind}_without'::regclass)) x}),
		0, "$kind: the same ledger");
}
like(messages("$with; SELECT jj_create_table('said', '{JJ-CORE}'); CALL jj_ingest('$dir/all', 'said')", 'said'), qr/WARNING:.*none\.pcap/, 'what is no capture is said');
for my $how ('without', 'with')
{
	sql("SELECT jj_create_table('anonymous_$how', '{JJ-CORE}')");
	# of the session alone
	messages("LOAD 'joyfuljay'; SET joyfuljay.anonymization_key = 'correct horse battery staple'; "
			. ($how eq 'with' ? $with : $without) . "; CALL jj_ingest('$captures/vpn.pcap', 'anonymous_$how', options => '{\"anonymize_ips\": true}')", 'x');
}
is(checksum($node, 'anonymous_with'), checksum($node, 'anonymous_without'), 'the same pseudonyms');
isnt((split / /, checksum($node, 'anonymous_with'))[0], 0, 'of some rows');

# ---- a capture with more rows than the queue holds, so that both processes are at work

my $big = repeat_capture("$captures/many_udp.pcap", "$dir/big.pcap", 20, 120);
sql("SELECT jj_create_table('undisturbed', '{JJ-CORE}')");
sql("$without; CALL jj_ingest('$big', 'undisturbed')");
my $right = checksum($node, 'undisturbed');

# Rows of a table, whichever file they are from.
sub content
{
	return sql("SELECT count(*) || ' ' || sum(hashtextextended((to_jsonb(t) - '{run, capture, flow_id}'::text[])::text, 0)::numeric) FROM $_[0] t");
}

# A table with a row that is held up: of tuples made by the worker, or of rows.
sub held_ingest
{
	my ($table, $kind, $row, $call) = @_;
	sql("DROP TABLE IF EXISTS $table; SELECT jj_create_table('$table', '{JJ-CORE}')");
	$kind eq 'tuples' ? make_holdable_by_check($node, $table) : make_holdable($node, $table);
	my $holder = hold($node, $row);
	my $s = session($node);
	send_sql($s, "$call;\nSELECT 'the end';\n");
	ok(wait_until_held($node, $s->{pid}), "$table: ingest is held up at row $row") or diag(${ $s->{err} });
	is(readers(), 1, "$table: while a worker reads");
	return ($s, $holder);
}

for my $kind ('tuples', 'rows')
{
	my ($s, $holder) = held_ingest($kind, $kind, 250, "CALL jj_ingest('$big', '$kind', commit_rows => 100)");
	is(sql("SELECT relid::regclass, bytes_total, bytes_processed > 0 FROM pg_stat_progress_copy"), "$kind|" . (-s $big) . '|t', "$kind: progress is the backend's");
	rename $big, "$big.away" or die $!;
	release($node, $holder);
	ok(wait_for($s, qr/the end/), "$kind: the call ends");
	finish($s);
	rename "$big.away", $big or die $!;
	is(checksum($node, $kind), $right, "$kind: all rows, though the file got another name");
	ok(no_reader_left(), "$kind: no worker is left");

	# the worker is terminated
	my $table = "${kind}_terminated";
	($s, $holder) = held_ingest($table, $kind, 250, "CALL jj_ingest('$big', '$table', commit_rows => 100)");
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'joyfuljay reader'");
	ok(no_reader_left(), "$table: the worker is gone");
	release($node, $holder);
	ok(wait_for($s, qr/the end/), "$table: the call ends");
	finish($s);
	like(${ $s->{err} }, qr/terminating background worker|the process that reads a capture has ended/, "$table: with an error");
	like(sql("SELECT status, flows = rows, flows < 6000 FROM joyfuljay.ingest WHERE target = '$table'::regclass"), qr/^error\|t\|t$/, "$table: which the ledger has");
	messages("CALL jj_ingest('$big', '$table')", $table);
	is(checksum($node, $table), $right, "$table: the next call goes on");

	# the backend is cancelled
	$table = "${kind}_cancelled";
	($s, $holder) = held_ingest($table, $kind, 250, "CALL jj_ingest('$big', '$table', commit_rows => 100)");
	sql("SELECT pg_cancel_backend($s->{pid})");
	ok(wait_for($s, qr/canceling/, 'err'), "$table: cancelled");
	ok(no_reader_left(), "$table: no worker is left");
	release($node, $holder);
	finish($s);
	messages("CALL jj_ingest('$big', '$table')", $table);
	is(checksum($node, $table), $right, "$table: the next call goes on");

	# the backend is terminated
	$table = "${kind}_lost";
	($s, $holder) = held_ingest($table, $kind, 250, "CALL jj_ingest('$big', '$table')");
	sql("SELECT pg_terminate_backend($s->{pid})");
	wait_for($s, qr/terminating|closed/, 'err');
	ok(no_reader_left(), "$table: the worker ends with its backend");
	release($node, $holder);
	finish($s);
	messages("CALL jj_ingest('$big', '$table')", $table);
	is(checksum($node, $table), $right, "$table: the next call begins again");
}

# ---- a table that changes between two parts

for my $change ("ALTER TABLE changed ADD COLUMN note text DEFAULT 'new'", 'CREATE TRIGGER t BEFORE INSERT ON changed FOR EACH ROW EXECUTE FUNCTION same_row()',
	'ALTER TABLE changed ALTER COLUMN capture SET STORAGE PLAIN', 'DROP TRIGGER hold_row ON changed')
{
	my $kind = $change =~ /DROP/ ? 'rows' : 'tuples';
	my ($s, $holder) = held_ingest('changed', $kind, 250, "CALL jj_ingest('$big', 'changed', commit_rows => 200)");
	my $changer = session($node);
	send_sql($changer, "$change;\nSELECT 'changed';\n");
	ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $changer->{pid} AND NOT granted)"), "$change waits for the part");
	release($node, $holder);
	ok(wait_for($changer, qr/changed/), 'and is done between two parts');
	ok(wait_for($s, qr/the end/), 'the call ends');
	finish($_) for $s, $changer;
	is(sql('SELECT count(*), count(DISTINCT (capture, first_frame)) FROM changed'), sql('SELECT count(*), count(*) FROM undisturbed'), 'each row once');
	is(sql('SELECT sum(total_bytes), sum(duration) FROM changed'), sql('SELECT sum(total_bytes), sum(duration) FROM undisturbed'), 'with its values');
	is(sql("SELECT count(*) FROM changed WHERE note = 'new'"), sql('SELECT count(*) FROM changed'), 'and the default') if $change =~ /note/;
	ok(no_reader_left(), 'no worker is left');
}

# ---- the digest, which the worker computes while rows are written

my $copy = "$dir/copy.pcap";
copy($big, $copy) or die $!;
is(sql("SELECT count(DISTINCT sha256), count(*) > 3 FROM joyfuljay.ingest WHERE path = '$big' AND status = 'done'"), '1|t', 'the same with and without a worker');
is(sql("SELECT encode(sha256, 'hex') FROM joyfuljay.ingest WHERE target = 'undisturbed'::regclass"), Digest::SHA->new(256)->addfile($big, 'b')->hexdigest, 'and right');

for my $kind ('tuples', 'rows')
{
	# another session is faster with the same content
	my $table = "${kind}_twice";
	my ($s, $holder) = held_ingest($table, $kind, 50, "CALL jj_ingest('$big', '$table')");
	is(sql("SELECT status, sha256 IS NULL FROM joyfuljay.ingest WHERE target = '$table'::regclass"), 'running|t', "$table: rows are written before the content is known");
	like(messages("CALL jj_ingest('$copy', '$table')", $table), qr/captures ingested: 1,/, "$table: by then another session ingests it");
	release($node, $holder);
	ok(wait_for($s, qr/the end/), "$table: the call ends");
	finish($s);
	like(${ $s->{err} }, qr/captures ingested: 0, rows: 0, .*: 1$/m, "$table: without an error");
	is(content($table), content('undisturbed'), "$table: each row once");
	is(sql("SELECT string_agg(status || ' ' || rows, ', ' ORDER BY path = '$big') FROM joyfuljay.ingest WHERE target = '$table'::regclass"), 'done 8000, duplicate 0', "$table: the ledger says so");
	is(sql("SELECT count(*) FROM joyfuljay.ingest i JOIN joyfuljay.ingest f ON f.ingest = i.duplicate_of WHERE i.path = '$big' AND f.path = '$copy' AND i.target = '$table'::regclass"),
		1, "$table: and of which entry");

	# another session is at it
	$table = "${kind}_busy";
	($s, $holder) = held_ingest($table, $kind, 50, "CALL jj_ingest('$big', '$table')");
	sql('INSERT INTO held VALUES (250)');
	my $other = session($node);
	send_sql($other, "CALL jj_ingest('$copy', '$table', commit_rows => 100);\nSELECT 'the end';\n");
	ok(wait_until_held($node, $other->{pid}), "$table: the other session has committed a part");
	release($node, $holder);
	ok(wait_for($s, qr/the end/), "$table: the call ends");
	ok(wait_for($other, qr/the end/), "$table: the other one, too");
	finish($_) for $s, $other;
	like(${ $s->{err} }, qr/is being ingested by another session/, "$table: and says why it did nothing");
	is(content($table), content('undisturbed'), "$table: each row once");
	is(sql("SELECT string_agg(path || ' ' || status || ' ' || rows, ', ') FROM joyfuljay.ingest WHERE target = '$table'::regclass"), "$copy done 8000", "$table: no entry is left");
}

# the content is there, compressed, which the size doesn't tell
gzip($big => "$dir/big.pcap.gz") or die $GzipError;
sql("SELECT jj_create_table('compressed', '{JJ-CORE}')");
like(messages("CALL jj_ingest('$dir/big.pcap.gz', 'compressed')", 'compressed'), qr/captures ingested: 1,/, 'a compressed capture');
like(messages("CALL jj_ingest('$big', 'compressed', commit_rows => 100)", 'compressed'), qr/captures ingested: 0, rows: 0, .*: 1$/m, 'its content uncompressed');
is(content('compressed'), content('undisturbed'), 'each row once');
is(sql("SELECT string_agg(status, ' ' ORDER BY ingest), bool_and(sha256 IS NOT NULL) FROM joyfuljay.ingest WHERE target = 'compressed'::regclass"), 'done duplicate|t', 'and an entry for each');

# a damaged capture with a tail that takes hours to read: nobody waits for its digest any more
my $endless = "$dir/endless.pcap";
open my $tail, '>:raw', $endless or die $!;
print $tail slurp_file("$captures/vpn.pcap"), "\xff" x 64;
close $tail;
SKIP:
{
	skip 'there are no files of a terabyte here', 4 unless truncate $endless, 1 << 40;
	sql("SELECT jj_create_table('endless', '{JJ-CORE}')");
	my $s = session($node);
	send_sql($s, "CALL jj_ingest('$endless', 'endless');\n");
	ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $s->{pid} AND wait_event_type = 'Extension')
		AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'joyfuljay reader' AND query ~ 'endless')"), 'the digest is waited for');
	sql("SELECT pg_cancel_backend($s->{pid})");
	ok(wait_for($s, qr/canceling/, 'err'), 'cancelled');
	finish($s);
	ok(no_reader_left(), 'the worker ends');
	is(sql("SELECT status, flows FROM joyfuljay.ingest WHERE target = 'endless'::regclass"), 'error|0', 'the ledger says so');
	unlink $endless;
}

# ---- no worker is to be had

sql("ALTER SYSTEM SET max_parallel_workers = 0; SELECT pg_reload_conf()");
$node->poll_query_until('postgres', "SELECT current_setting('max_parallel_workers') = '0'") or die;
sql("SELECT jj_create_table('alone', '{JJ-CORE}')");
sql("CALL jj_ingest('$big', 'alone')");
is(checksum($node, 'alone'), $right, 'the backend reads by itself');

$node->stop;
done_testing();
