# What 012_sensor.pl shares with the part of it that runs in a network
# namespace of its own, where no server is.
package SensorTest;
use strict;
use warnings;

use Exporter qw(import);
use Fcntl;
use IO::Socket::INET;
use POSIX qw(mkfifo :sys_wait_h);
use Time::HiRes qw(usleep);

our @EXPORT = qw(start ended slurp messages);

# Start a program; its pid. Standard output and error go to files, or to what is given.
sub start
{
	my ($out, $err, @command) = @_;
	my $pid = fork();
	die "fork: $!" unless defined $pid;
	return $pid if $pid > 0;
	open(STDIN, '<', '/dev/null') or die;
	open(STDOUT, '>', $out) or die "$out: $!";
	open(STDERR, '>', $err) or die "$err: $!";
	exec @command or POSIX::_exit(127);
}

# Wait for the end of a program, a minute at most; its exit status, or text.
sub ended
{
	my ($pid) = @_;
	for my $i (1 .. 6000)
	{
		if (waitpid($pid, WNOHANG) == $pid)
		{
			return WIFEXITED($?) ? WEXITSTATUS($?) : 'signal ' . WTERMSIG($?);
		}
		usleep(10_000);
	}
	kill 'KILL', $pid;
	waitpid $pid, 0;
	return 'no end';
}

# Wait until something is true, a minute at most.
sub until_true
{
	my ($what) = @_;
	for my $i (1 .. 6000)
	{
		return 1 if $what->();
		usleep(10_000);
	}
	return 0;
}

sub slurp
{
	my ($path) = @_;
	open my $f, '<:raw', $path or return '';
	local $/;
	my $text = <$f>;
	return defined $text ? $text : '';
}

# ---- inside of the namespace; the lines are read by the rest of this file

my $outputs = 0;

# The prototype: a match that fails is false, not nothing.
sub say_ok($$)
{
	my ($good, $name) = @_;
	print $good ? "ok - $name\n" : "not ok - $name\n";
	return $good;
}

sub status_of
{
	my ($pid) = @_;
	my %s = map { /^(\w+):\s*(.*)$/ ? ($1 => $2) : () } split /\n/, slurp("/proc/$pid/status");
	return \%s;
}

# A sensor that has begun: it limits its system calls last.
sub sensor
{
	my ($dir, @arguments) = @_;
	$outputs++;
	my ($out, $err) = ("$dir/out$outputs", "$dir/err$outputs");
	my $pid = start($out, $err, 'jj-sensor', @arguments);
	until_true(sub { (status_of($pid)->{Seccomp} // '') eq '2' }) or print "# not begun: " . slurp($err) . "\n";
	return ($pid, $out, $err);
}

sub datagrams
{
	my ($port, $n, $sources) = @_;
	for my $s (1 .. ($sources // 1))
	{
		my $socket = IO::Socket::INET->new(Proto => 'udp', PeerAddr => "127.0.0.1:$port") or die "socket: $!";
		$socket->send("datagram") for 1 .. $n;
	}
}

sub lines
{
	my ($path) = @_;
	my @lines = split /\n/, slurp($path);
	return @lines;
}

sub inside
{
	my ($dir) = @_;
	my ($pid, $out, $err, $status);

	$| = 1;
	$SIG{ALRM} = sub { print "not ok - takes too long\n"; exit 1; };
	alarm 170;

	# down
	$status = ended(start("$dir/down", "$dir/down_error", 'jj-sensor', '-i', 'lo'));
	say_ok($status eq '1' && slurp("$dir/down_error") =~ /^jj-sensor: network interface "lo" is down$/m, 'an interface that is down');
	system('ip', 'link', 'set', 'lo', 'up') == 0 or die 'lo does not come up';
	# so that nothing is refused
	my @listeners = map { IO::Socket::INET->new(Proto => 'udp', LocalAddr => "127.0.0.1:$_") or die "socket: $!" } 5000, 5001;

	# privileges, quiet links
	($pid, $out, $err) = sensor($dir, '-i', 'lo', '-f', 'udp dst port 5000', '--option', 'flow_timeout=1s', '--features', 'flow_meta');
	$status = status_of($pid);
	say_ok(!(grep { ($status->{$_} // '') !~ /^0+$/ } qw(CapInh CapPrm CapEff CapBnd CapAmb)), 'no capability is left');
	say_ok(($status->{NoNewPrivs} // '') eq '1' && ($status->{Seccomp} // '') eq '2', 'no new privileges, limited system calls');
	my $limits = slurp("/proc/$pid/limits");
	say_ok($limits =~ /^Max processes\s+0\s+0/m && $limits =~ /^Max core file size\s+0\s+0/m && $limits =~ /^Max open files\s+4\s+4/m, 'limits');
	datagrams(5000, 5);
	datagrams(5001, 5);
	until_true(sub { lines($out) > 0 });
	my @rows = lines($out);
	say_ok(@rows == 1 && $rows[0] =~ /"dst_port":5000,/ && $rows[0] =~ /"total_packets":5,/ && $rows[0] =~ /"end_reason":"idle"/,
		'a flow comes when it has been idle, without a further packet');
	say_ok($rows[0] =~ /"capture":"lo"/ && $rows[0] =~ /^\{"src_ip":"127\.0\.0\.1",.*\}$/, 'as a line');

	# down and up again
	system('ip', 'link', 'set', 'lo', 'down');
	usleep(300_000);
	system('ip', 'link', 'set', 'lo', 'up');
	datagrams(5000, 3);
	kill 'TERM', $pid;
	$status = ended($pid);
	@rows = lines($out);
	say_ok($status eq '0' && @rows == 2 && $rows[1] =~ /"total_packets":3,/ && $rows[1] =~ /"end_reason":"end_of_capture"/,
		'SIGTERM ends flows, with the packets that came before it; the interface was down in between');
	say_ok(slurp($err) =~ /^jj-sensor: 8 packets of lo, 0 dropped by the kernel, 0 by the interface\njj-sensor: 2 flows, 2 rows written\n$/, 'statistics');

	# ends by count and time
	($pid, $out, $err) = sensor($dir, '-i', 'lo', '-f', 'udp dst port 5000', '-c', '10', '-q', '--format', 'csv', '--features', 'flow_meta');
	datagrams(5000, 100);
	$status = ended($pid);
	@rows = lines($out);
	say_ok($status eq '0' && @rows == 2 && $rows[0] =~ /^src_ip,src_port,.*\r$/ && $rows[1] =~ /^127\.0\.0\.1,\d+,127\.0\.0\.1,5000,17,[^,]+,[^,]+,10,/, 'so many packets');
	say_ok(slurp($err) eq '', 'quiet');
	($pid, $out, $err) = sensor($dir, '-i', 'lo', '-f', 'udp dst port 5000', '-d', '200ms', '--name', 'my name');
	say_ok(ended($pid) eq '0' && slurp($err) =~ /^jj-sensor: 0 packets of lo, /, 'so much time');

	# each flow again: a reader that goes
	my $fifo = "$dir/fifo";
	mkfifo($fifo, 0600) or die "mkfifo: $!";
	sysopen(my $reader, $fifo, O_RDONLY | O_NONBLOCK) or die "$fifo: $!";
	($pid, $out, $err) = sensor($dir, '-i', 'lo', '-f', 'udp dst port 5000', '--option', 'flow_timeout=0', '-o', $fifo, '--format', 'jsonl');
	close $reader;
	until_true(sub { datagrams(5000, 2); usleep(100_000); waitpid($pid, WNOHANG) == $pid });
	say_ok($? >> 8 == 4 && slurp($err) =~ /^jj-sensor: nobody reads output "\Q$fifo\E" any more$/m, 'a reader that goes away ends it');
	say_ok(slurp($err) =~ /^jj-sensor: \d+ flows were not written$/m, 'and what was not written is counted');

	# a reader that does not read
	sysopen($reader, $fifo, O_RDONLY | O_NONBLOCK) or die "$fifo: $!";
	($pid, $out, $err) = sensor($dir, '-i', 'lo', '-f', 'udp dst port 5000', '-o', $fifo, '--format', 'jsonl', '--features', 'flow_meta');
	datagrams(5000, 1, 400);
	kill 'TERM', $pid;
	usleep(1_000_000);
	say_ok(waitpid($pid, WNOHANG) == 0, 'it waits for a reader that does not read');
	kill 'TERM', $pid;
	$status = ended($pid);
	say_ok($status eq '1' && slurp($err) =~ /interrupted while writing/ && slurp($err) =~ /\d+ flows, \d+ rows written\njj-sensor: \d+ flows were not written/, 'until a second signal');
	close $reader;

	# an interface that goes
	if (system("ip link add jjs0 type veth peer name jjs1 2>/dev/null && ip link set jjs0 up && ip link set jjs1 up") == 0)
	{
		($pid, $out, $err) = sensor($dir, '-i', 'jjs0');
		system('ip', 'link', 'delete', 'jjs0');
		say_ok(ended($pid) eq '3' && slurp($err) =~ /^jj-sensor: network interface "jjs0" has gone$/m, 'an interface that goes away ends it');
	}
	else
	{
		print "ok - an interface that goes away # SKIP ip(8) makes no veth pair\n";
	}

	# what a row stream says
	($pid, $out, $err) = sensor($dir, '-i', 'lo', '-f', 'udp dst port 5000', '--format', 'binary');
	datagrams(5000, 1, 3);
	until_true(sub { index(slurp($out), 'H') >= 0 && -s $out > 400 });
	kill 'INT', $pid;
	say_ok(ended($pid) eq '0', 'SIGINT ends a row stream');
	my ($types) = messages(slurp($out));
	say_ok($types =~ /^B(SH?)+R{3}SZ$/, "which has begin, counters, rows and end ($types)");

	print "done\n";
	return 0;
}

# The types of a row stream's messages, and what is wrong with it.
sub messages
{
	my ($bytes) = @_;
	my $types = '';

	return ('', 'no header') unless length $bytes > 44 && substr($bytes, 0, 8) eq "JJROWS\r\n";
	my ($version, $header) = unpack 'VV', substr($bytes, 8, 8);
	my $at = $header;
	while ($at + 5 <= length $bytes)
	{
		my ($type, $size) = unpack 'aV', substr($bytes, $at, 5);
		$types .= $type;
		$at += 5 + $size;
	}
	return ($types, $at == length $bytes && $version == 1 ? '' : "ends at $at of " . length($bytes));
}

1;
