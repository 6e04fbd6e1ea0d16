# What tests of ingest share: sessions that run while the test goes on,
# captures made longer, and a target whose rows can be held up.
package JJTest;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(session send_sql wait_for finish repeat_capture make_holdable make_holdable_by_check hold release wait_until_held checksum);

# A psql that runs while we go on; its backend's process is {pid}.
sub session
{
	my ($node, $dbname) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default // 180);
	my $h = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($dbname // 'postgres'), '-f', '-' ], '<', \$in, '>', \$out, '2>', \$err, $timer);
	my $s = { in => \$in, out => \$out, err => \$err, h => $h };
	send_sql($s, "SELECT 'pid=' || pg_backend_pid();\n");
	wait_for($s, qr/pid=(\d+)\n/);
	($s->{pid}) = $out =~ /pid=(\d+)/;
	return $s;
}

sub send_sql
{
	my ($s, $sql) = @_;
	${ $s->{in} } .= $sql;
	$s->{h}->pump_nb;
	return;
}

sub wait_for
{
	my ($s, $pattern, $stream) = @_;
	$s->{h}->pump until ${ $s->{ $stream // 'out' } } =~ $pattern || !$s->{h}->pumpable;
	return ${ $s->{ $stream // 'out' } } =~ $pattern;
}

# Let a session come to its end, whatever that is.
sub finish
{
	my ($s) = @_;
	eval { $s->{h}->finish; };
	return;
}

# A classic little-endian pcap again and again, each time so many seconds later.
sub repeat_capture
{
	my ($from, $to, $times, $seconds, $first) = @_;
	my $base = PostgreSQL::Test::Utils::slurp_file($from);
	my (@records, $o);
	$first //= 0;

	for ($o = 24; $o + 16 <= length $base;)
	{
		my ($sec, $usec, $caplen, $len) = unpack 'V4', substr($base, $o, 16);
		push @records, [ $sec, pack('V3', $usec, $caplen, $len) . substr($base, $o + 16, $caplen) ];
		$o += 16 + $caplen;
	}
	open my $f, '>:raw', $to or die "$to: $!";
	print $f substr($base, 0, 24);
	for my $n ($first .. $first + $times - 1)
	{
		print $f map { pack('V', $_->[0] + $seconds * $n) . $_->[1] } @records;
	}
	close $f or die "$to: $!";
	return $to;
}

# From now on a row of the table, counted from 1, can be held up.
sub make_holdable
{
	my ($node, $table) = @_;
	$node->safe_psql('postgres', qq{
		CREATE SEQUENCE IF NOT EXISTS row_number;
		CREATE TABLE IF NOT EXISTS held (number bigint);
		CREATE OR REPLACE FUNCTION hold_row() RETURNS trigger LANGUAGE plpgsql AS \$\$
		BEGIN
			IF nextval('row_number') IN (SELECT number FROM held) THEN
				PERFORM pg_advisory_xact_lock(77);
			END IF;
			RETURN NEW;
		END \$\$;
		CREATE TRIGGER hold_row BEFORE INSERT ON $table FOR EACH ROW EXECUTE FUNCTION hold_row();
	});
	return;
}

# The same without a trigger, so that the table stays a plain one.
sub make_holdable_by_check
{
	my ($node, $table) = @_;
	$node->safe_psql('postgres', qq{
		CREATE SEQUENCE IF NOT EXISTS row_number;
		CREATE TABLE IF NOT EXISTS held (number bigint);
		CREATE OR REPLACE FUNCTION hold_check() RETURNS boolean LANGUAGE plpgsql AS \$\$
		BEGIN
			IF nextval('row_number') IN (SELECT number FROM held) THEN
				PERFORM pg_advisory_xact_lock(77);
			END IF;
			RETURN true;
		END \$\$;
		ALTER TABLE $table ADD CONSTRAINT hold_row CHECK (hold_check());
	});
	return;
}

# Hold the row up; gives the session that does.
sub hold
{
	my ($node, $number) = @_;
	my $s = session($node);
	$node->safe_psql('postgres', "DELETE FROM held; INSERT INTO held VALUES ($number); ALTER SEQUENCE row_number RESTART");
	send_sql($s, "SELECT 'locked' FROM pg_advisory_lock(77);\n");
	wait_for($s, qr/locked/) or die 'no lock';
	return $s;
}

sub release
{
	my ($node, $s) = @_;
	$node->safe_psql('postgres', 'DELETE FROM held');
	send_sql($s, "\\q\n");
	finish($s);
	return;
}

sub wait_until_held
{
	my ($node, $pid) = @_;
	return $node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND locktype = 'advisory' AND NOT granted)");
}

# Number of rows, and a digest of all columns but run, in any order.
sub checksum
{
	my ($node, $table, $dbname) = @_;
	return $node->safe_psql($dbname // 'postgres', "SELECT count(*) || ' ' || coalesce(sum(hashtextextended((to_jsonb(t) - 'run')::text, 0)::numeric), 0) FROM $table t");
}

1;
