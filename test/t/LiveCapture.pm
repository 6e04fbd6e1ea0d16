# For tests of live captures: a network namespace of the test's own with pairs
# of virtual Ethernet interfaces, and packets that are sent into one end.
#
# unshare(1) makes the namespace together with a user namespace, in which the
# test (and the servers it starts) may do everything to these interfaces; so
# no privilege is needed where the system lets users make namespaces.
package LiveCapture;

use strict;
use warnings;

use Exporter ();
use IPC::Run ();
use Socket;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(pair link_set sender send_frames frames_of udp_frame wait_for status start_capture state_of value_of);

use constant { AF_PACKET => 17, ETH_P_IP => 0x0800 };

# To be used first: goes on in a namespace of our own, or skips the test,
# before PostgreSQL::Test::Utils redirects its output.
sub import
{
	in_namespace();
	goto &Exporter::import;
}

sub in_namespace
{
	return if $ENV{JJ_NAMESPACE};
	my @unshare = qw(unshare --user --map-current-user --keep-caps --net --);
	my ($out, $err) = ('', '');

	my $able = eval { IPC::Run::run([ @unshare, 'ip', 'link', 'add', 'jj0', 'type', 'veth', 'peer', 'name', 'jj1' ], '>', \$out, '2>', \$err) };
	if (!$able)
	{
		$err = $@ if $err eq '';
		$err =~ s/\n.*//s;
		plan skip_all => "can't make a network namespace: $err";
	}
	$ENV{JJ_NAMESPACE} = 1;
	exec @unshare, $^X, (map { "-I$_" } @INC), $0, @ARGV;
	die "unshare: $!";
}

sub run_quietly
{
	my $out;
	IPC::Run::run([@_], '>&', \$out) or die "@_: $out";
	return $out;
}

# A pair of interfaces, up, and without packets of the system's own.
sub pair
{
	my ($name, $peer) = @_;

	run_quietly('ip', 'link', 'add', $name, 'type', 'veth', 'peer', 'name', $peer);
	for my $i ($name, $peer)
	{
		if (open my $f, '>', "/proc/sys/net/ipv6/conf/$i/disable_ipv6")
		{
			print $f 1;
			close $f;
		}
		run_quietly('ip', 'link', 'set', $i, 'mtu', 9000, 'up');
	}
	return;
}

sub link_set
{
	run_quietly('ip', 'link', @_);
	return;
}

# A socket whose packets go out of an interface.
sub sender
{
	my ($name) = @_;
	my $index = do { open my $f, '<', "/sys/class/net/$name/ifindex" or undef; defined $f ? <$f> : undef };

	# /sys shows the interfaces of the namespace in which it was mounted
	if (!defined $index)
	{
		my $line = run_quietly('ip', '-o', 'link', 'show', 'dev', $name);
		($index) = $line =~ /^(\d+):/;
	}
	socket(my $s, AF_PACKET, SOCK_RAW, 0) or die "socket: $!";
	bind($s, pack('S n i S C C a8', AF_PACKET, ETH_P_IP, $index, 0, 0, 0, '')) or die "bind to $name: $!";
	return $s;
}

# Returns how many could be sent: some captures have longer ones than an interface takes.
sub send_frames
{
	my ($s, @frames) = @_;
	my $sent = 0;

	for my $frame (@frames)
	{
		my $n;

		until (defined($n = syswrite $s, $frame))
		{
			last if $!{EMSGSIZE} || $!{EINVAL};
			die "send: $!" unless $!{ENOBUFS} || $!{EAGAIN} || $!{EINTR};
			usleep(1000);
		}
		$sent++ if defined $n;
	}
	return $sent;
}

# The frames of a pcap file with microseconds in this machine's order.
sub frames_of
{
	my ($file) = @_;
	my ($bytes, @frames);

	{
		local $/;
		open my $f, '<:raw', $file or die "$file: $!";
		$bytes = <$f>;
	}
	for (my $o = 24; $o + 16 <= length $bytes;)
	{
		my $caplen = unpack 'V', substr($bytes, $o + 8, 4);
		push @frames, substr($bytes, $o + 16, $caplen);
		$o += 16 + $caplen;
	}
	return @frames;
}

# UDP from 10.<three bytes of n> to 10.255.255.254, with so many bytes of payload.
sub udp_frame
{
	my ($n, $port, $size) = @_;
	my $payload = 'x' x ($size // 18);
	my $ip = pack('C C n n n C C n N N', 0x45, 0, 28 + length $payload, 1, 0, 64, 17, 0, 0x0a000000 | ($n & 0xffffff), 0x0afffffe);
	my $sum = 0;

	$sum += $_ for unpack 'n*', $ip;
	$sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
	substr($ip, 10, 2) = pack 'n', ~$sum & 0xffff;
	return pack('H12 H12 n', '020000000002', '020000000001', ETH_P_IP) . $ip . pack('n n n n', 1024 + ($n >> 24), $port, 8 + length $payload, 0) . $payload;
}

# Wait until the query gives the value; what it gave last.
sub wait_for
{
	my ($node, $sql, $want, $seconds) = @_;
	my $limit = time() + ($seconds // 60);
	my $got;

	do
	{
		$got = $node->safe_psql('postgres', $sql);
		return $got if ref $want ? $got =~ $want : $got eq $want;
		usleep(100_000);
	} while time() < $limit;
	diag("after waiting for it, \"$sql\" gives \"$got\"; status: " . status($node));
	return $got;
}

# Everything that is known of the captures.
sub status
{
	my ($node) = @_;
	return $node->safe_psql('postgres', 'SELECT to_jsonb(s) FROM jj_capture_status s');
}

# Start a capture, and wait until it captures. Options are JSON.
sub start_capture
{
	my ($node, $name, $source, $target, $options, $more) = @_;

	$node->safe_psql('postgres', "SELECT jj_capture_start('$name', '$source', '$target', options => '$options'" . ($more // '') . ')');
	return is(state_of($node, $name, 'running'), 'running', "capture $name runs");
}

sub state_of
{
	my ($node, $name, $want, $seconds) = @_;
	return wait_for($node, "SELECT state FROM jj_capture_status WHERE name = '$name'", $want, $seconds);
}

# A value of the status of a capture.
sub value_of
{
	my ($node, $name, $column) = @_;
	return $node->safe_psql('postgres', "SELECT $column FROM jj_capture_status WHERE name = '$name'");
}

1;
