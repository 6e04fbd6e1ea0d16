# Measures live captures: bench/live.sh runs it.
#
#     live.pl SEND RUN [+ RUN ...]
#
# SEND is the program jj-send. A run is: worker or sensor, options of the
# capture as JSON without spaces, seconds, arguments of jj-send; with --senders N
# so many of them share the rate, since one takes a processor for itself. It
# prints what was sent, captured and dropped, and the anonymous memory of the
# processes that capture, at each tenth of the time.
use strict;
use warnings;

use LiveCapture;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $send = shift @ARGV;
pair('jja', 'jjb');
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_buffers = 256MB\nmax_wal_size = 8GB\nlog_statement = none\n");
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION joyfuljay; SELECT jj_create_table('flows')});

# Resident memory of the process that has the flows, in kB.
sub resident
{
	my ($pid) = @_;
	my $kb = 0;

	for my $stat (glob '/proc/[0-9]*/stat')
	{
		open my $f, '<', $stat or next;
		my ($child, $name, $of) = <$f> =~ /^(\d+) \((.*)\) \S (\d+)/ or next;
		next unless $child == $pid || ($of == $pid && $name eq 'jj-sensor');
		open my $s, '<', "/proc/$child/status" or next;
		while (<$s>)
		{
			$kb += $1 if /^(?:RssAnon):\s+(\d+)/;
		}
	}
	return $kb;
}

sub numbers
{
	my $text = $node->safe_psql('postgres', q{SELECT concat_ws(' ', packets, kernel_drops, interface_drops, rows_written, queue_drops + rejected, queue_rows, pid) FROM jj_capture_status WHERE name = 'bench'});
	return split / /, $text;
}

# The arguments of each sender.
sub senders
{
	my @arguments = @_;
	my $n = 1;
	for my $i (reverse 0 .. $#arguments - 1)
	{
		(undef, $n) = splice @arguments, $i, 2 if $arguments[$i] eq '--senders';
	}
	for my $i (1 .. $#arguments)
	{
		$arguments[$i] /= $n if $arguments[ $i - 1 ] =~ /^--(pps|mbps)$/;
	}
	return ([@arguments]) x $n;
}

diag sprintf '%-6s %9s %9s %7s %9s %8s %8s %8s %6s  %s', qw(by sent packets/s Mbit/s captured kernel iface rows lost sender);
for my $run (split / \+ /, join ' ', @ARGV)
{
	my ($isolation, $options, $seconds, @arguments) = split ' ', $run;

	$node->safe_psql('postgres', 'TRUNCATE flows');
	$node->safe_psql('postgres', qq[SELECT jj_capture_start('bench', 'jja', 'flows', options => '{"isolation": "$isolation"}'::jsonb || '$options')]);
	state_of($node, 'bench', 'running');
	my $pid = value_of($node, 'bench', 'pid');
	my @from;
	for my $one (senders(@arguments))
	{
		open my $f, '-|', $send, '-i', 'jjb', '--seconds', $seconds, @$one or die "$send: $!";
		push @from, $f;
	}
	my @memory;
	for (1 .. 10)
	{
		usleep(97_000 * $seconds);
		push @memory, resident($pid);
	}
	my ($sent, $bytes, $took) = (0, 0, 0);
	for my $f (@from)
	{
		my $line = join '', <$f>;
		close $f;
		my @one = $line =~ /sent (\d+) packets, (\d+) bytes in ([\d.]+) s/ or die $line;
		$sent += $one[0];
		$bytes += $one[1];
		$took = $one[2] if $one[2] > $took;
	}

	# until nothing more comes
	my ($packets, $kernel, $interface, $rows, $lost);
	for (my $before = -1;;)
	{
		($packets, $kernel, $interface) = numbers();
		last if $packets + $kernel == $before;
		$before = $packets + $kernel;
		usleep(2_500_000);
	}
	$node->safe_psql('postgres', q{SELECT jj_capture_stop('bench')});
	($packets, $kernel, $interface, $rows, $lost) = numbers();
	diag sprintf '%-6s %9d %9.0f %7.0f %9d %8d %8d %8d %6d  %s%s', $isolation, $sent, $sent / $took, $bytes * 8 / $took / 1e6,
		$packets, $kernel, $interface, $rows, $lost, join(' ', @arguments),
		$packets + $kernel + $interface == $sent ? '' : '   NOT ACCOUNTED FOR: ' . ($sent - $packets - $kernel - $interface);
	diag 'memory, kB: ' . join ' ', @memory;
}
$node->stop;
ok(1, 'done');
done_testing();
