# jj-sensor: files give what jj_extract gives; arguments; capturing, without
# privileges, in a network namespace of its own; its ends.
use strict;
use warnings;

use File::Temp;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use SensorTest;

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION joyfuljay');
my $dir = PostgreSQL::Test::Utils::tempdir;
chmod 0755, $dir;

# Exit status, standard output and error.
sub run_sensor
{
	my @arguments = @_;
	my $pid = start("$dir/out", "$dir/err", 'jj-sensor', @arguments);
	return (ended($pid), slurp("$dir/out"), slurp("$dir/err"));
}

# ---- arguments

my @wrong = (
	[ [], 2, qr/^jj-sensor: nothing to read$/m, 'no arguments' ],
	[ [ '-x' ], 2, qr/invalid option/, 'an option that does not exist' ],
	[ [ '-i' ], 2, qr/requires an argument/, 'an option without its argument' ],
	[ [ '-i', 'lo', '-r', 'x.pcap' ], 2, qr/can't be read together/, 'an interface and a file' ],
	[ [ 'x.pcap' ], 2, qr/is it a file, for -r\?/, 'a file without -r' ],
	[ [ '-i', 'lo', '-i', 'eth0' ], 2, qr/only one interface/, 'two interfaces' ],
	[ [ '-i', 'lo', '-c', '0' ], 2, qr/invalid value for --count: 0 \(a whole number, 1 to /, 'no packets' ],
	[ [ '-i', 'lo', '-d', 'soon' ], 2, qr/invalid value for --duration: soon/, 'no time' ],
	[ [ '-i', 'lo', '-s', '1' ], 2, qr/invalid value for --snaplen: 1 \(a whole number, 64 to 262144\)/, 'a snap length' ],
	[ [ '-i', 'lo', '-B', '2000' ], 2, qr/invalid value for --buffer: 2000/, 'a buffer' ],
	[ [ '-i', 'lo', '--option', 'continue=on' ], 2, qr/is for files/, 'continue for an interface' ],
	[ [ '-r', 'x', '--option', 'flow_timout=3' ], 2, qr/^jj-sensor: option "flow_timout" does not exist\njj-sensor: Perhaps you meant "flow_timeout"\. Valid options are /m, 'an engine option that does not exist' ],
	[ [ '-r', 'x', '--option', 'flow_timeout=soon' ], 2, qr/^jj-sensor: invalid value for option "flow_timeout": soon\n/m, 'a value that is none' ],
	[ [ '-r', 'x', '--option', 'entropy_sample_bytes=0' ], 2, qr/^jj-sensor: 0 is outside the valid range for option "entropy_sample_bytes" \(1 \.\. 65535\)\n/m, 'a value out of range' ],
	[ [ '-r', 'x', '--option', 'flow_timeout' ], 2, qr/needs a name and a value/, 'an option without a value' ],
	[ [ '-r', 'x', '--features', 'tlss' ], 2, qr/^jj-sensor: there is no column, group or profile "tlss" for option "features"\n/m, 'a column that does not exist' ],
	[ [ '-r', 'x', '--format', 'xml' ], 2, qr/^jj-sensor: format "xml" does not exist\n/m, 'a format that does not exist' ],
	[ [ '-r', 'x', '-o', "$dir/flows.txt" ], 2, qr/does not tell its format/, 'a name that does not tell the format' ],
	[ [ '-r', "$dir/nosuch.pcap" ], 1, qr/^jj-sensor: could not open capture "\Q$dir\E\/nosuch\.pcap": No such file or directory$/m, 'a file that does not exist' ],
	[ [ '-r', $dir ], 1, qr/is not a regular file$/m, 'a folder' ],
	[ [ '-r', "$captures/not_text.txt" ], 1, qr/^jj-sensor: capture "\Q$captures\E\/not_text\.txt": /m, 'no capture' ],
	[ [ '-r', "$captures/demo.pcapng", '-f', 'nonsense here' ], 1, qr/^jj-sensor: filter "nonsense here" does not compile/m, 'no filter' ],
	[ [ '-r', "$captures/demo.pcapng", '-o', "$dir/nosuch/x.csv" ], 1, qr/^jj-sensor: could not open output "\Q$dir\E\/nosuch\/x\.csv": /m, 'no output' ],
	[ [ '-r', "$captures/demo.pcapng", '--option', 'anonymize_ips=on' ], 2, qr/^jj-sensor: anonymize_ips needs a key\n/m, 'no key' ],
	[ [ '-r', "$captures/demo.pcapng", '--option', 'anonymize_ips=on', '--key-file', "$captures/demo.pcapng" ], 1, qr/^jj-sensor: key file .* may be read or written by everyone$/m, 'a key that is none' ],
	[ [ '-r', "$captures/demo.pcapng", '-o', '/dev/full', '--format', 'csv' ], 1, qr/^jj-sensor: could not write output "\/dev\/full": No space left on device\n(?:.*\n)*jj-sensor: 23 flows, 0 rows written\njj-sensor: 23 flows were not written\n/m, 'a full disk' ],
	[ [ '-i', 'nosuch0' ], 1, qr/^jj-sensor: network interface "nosuch0" does not exist\njj-sensor: Network interfaces: .*lo/m, 'an interface that does not exist' ],
);
for my $w (@wrong)
{
	my ($arguments, $want, $message, $name) = @$w;
	my ($status, $out, $err) = run_sensor(@$arguments);
	is("$status $out", "$want ", "$name: status");
	like($err, $message, "$name: message");
}

# ---- lists

my ($status, $out, $err) = run_sensor('--list-options');
is($out, $node->safe_psql('postgres', "SELECT string_agg(concat_ws(E'\\t', name, CASE unit WHEN 'ms' THEN rtrim(default_value, 'ms') ELSE default_value END, range, meaning), E'\\n' ORDER BY ordinality) FROM (SELECT *, row_number() OVER () AS ordinality FROM jj_settings) s") . "\n", 'options are those of jj_settings');
($status, $out) = run_sensor('--list-features');
is(join(',', map { (split /\t/)[0] } split /\n/, $out), $node->safe_psql('postgres', "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'jj_flow'::regclass"),
	'features are the columns of jj_flow');
($status, $out) = run_sensor('-D');
like($out, qr/^lo\t\w+,loopback\t/m, 'interfaces');
($status, $out) = run_sensor('--version');
like($out, qr/^jj-sensor \S+, \d+ columns, .*\nsystem calls are limited by seccomp\n$/, 'version');
($status, $out) = run_sensor('--help');
like($out, qr/^jj-sensor turns packets into flows/, 'help');

# ---- files: the same rows as jj_extract, through CSV, JSON lines and a row stream

my (@good, @files, $different);
opendir my $d, $captures or die "$captures: $!";
for my $name (sort grep { /\.(pcap|pcapng|cap)(\.\w+)?$/ } readdir $d)
{
	my $rc = $node->psql('postgres', "SET client_min_messages = error; SELECT count(*) FROM jj_extract('$captures/$name')");
	($status) = run_sensor('-q', '-r', "$captures/$name", '--features', 'src_ip');
	$different .= " $name" if ($rc == 0) != ($status eq '0');
	push @good, $name if $rc == 0;
}
closedir $d;
is($different, undef, 'a file that jj_extract refuses is refused');
cmp_ok(scalar @good, '>', 80, 'many files are not');
@files = map { ('-r', "$captures/$_") } @good;

($status, $out, $err) = run_sensor(@files, '-o', "$dir/flows.csv");
is($status, 0, 'CSV');
like($err, qr/^jj-sensor: \d+ packets of \d+ files\njj-sensor: \d+ of \d+ packets gave no flow: .*\d+ non_ip.*\n(?:.*\n)*jj-sensor: (\d+) flows, \1 rows written\n$/m, 'statistics');
like($err, qr/^jj-sensor: warning: capture ".*cut_record\.pcap": /m, 'warnings');
($status, $out, $err) = run_sensor(@files, '-o', "$dir/flows.csv");
is($status, 1, 'a file that exists is not replaced');
like($err, qr/^jj-sensor: output "\Q$dir\E\/flows\.csv" exists and is not empty\njj-sensor: With --overwrite it is replaced\.$/m, 'which is said');
($status, $out, $err) = run_sensor('-q', @files, '-o', "$dir/flows.csv", '--overwrite');
is($status, 0, 'unless that is meant');
($status, $out, $err) = run_sensor('-q', @files, '-o', "$dir/flows.jsonl");
is($status, 0, 'JSON lines');
chmod 0644, "$dir/flows.csv", "$dir/flows.jsonl";

# what needs the flows of a whole capture is not the sensor's
my $columns = $node->safe_psql('postgres', "SELECT string_agg(name, ', ') FROM jj_features WHERE group_name <> 'connection'");
my $paths = join ', ', map { "'$captures/$_'" } @good;
$node->safe_psql('postgres', qq{
	SET client_min_messages = error;
	CREATE TABLE from_csv OF jj_flow;
	COPY from_csv FROM '$dir/flows.csv' WITH (FORMAT csv, HEADER match);
	CREATE TABLE lines (line json);
	COPY lines FROM '$dir/flows.jsonl' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02');
	CREATE TABLE from_json AS SELECT r.* FROM lines, json_populate_record(NULL::jj_flow, line) r;
	CREATE TABLE extracted AS SELECT * FROM jj_extract(ARRAY[$paths]);
});
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM extracted'), '>', 500, 'flows to compare');
for my $table ('from_csv', 'from_json')
{
	is($node->safe_psql('postgres', "SELECT count(*) FROM $table"), $node->safe_psql('postgres', 'SELECT count(*) FROM extracted'), "$table: as many rows");
	is($node->safe_psql('postgres', qq{
		SELECT count(*) FROM (
			(SELECT ROW($columns)::text FROM extracted EXCEPT ALL SELECT ROW($columns)::text FROM $table)
			UNION ALL
			(SELECT ROW($columns)::text FROM $table EXCEPT ALL SELECT ROW($columns)::text FROM extracted)) d}), 0, "$table: the same values in all columns");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM (SELECT capture FROM from_csv EXCEPT SELECT capture FROM extracted) d'), 0, 'names of captures');

($status, $out, $err) = run_sensor('-q', @files, '--format', 'binary');
my ($types, $trouble) = messages($out);
is($trouble, '', 'a row stream is whole');
like($types, qr/^BW*R[RW]*SZ$/, 'begins, and has rows, counters and an end');
is($types =~ tr/R//, $node->safe_psql('postgres', 'SELECT count(*) FROM extracted'), 'as many rows');
($status, $out, $err) = run_sensor('-q', '-r', "$dir/nosuch.pcap", '--format', 'binary');
($types, $trouble) = messages($out);
is("$status $types $trouble", '1 EZ ', 'a row stream says what went wrong');

# options, as in SQL
($status, $out, $err) = run_sensor('-q', '-r', "$captures/demo.pcapng", '-f', 'tcp', '--option', 'flow_end=fin_rst', '--features', 'src_ip,src_port,end_reason', '--format', 'csv');
is($out =~ tr/\r//dr, $node->safe_psql('postgres', qq{SET client_min_messages = error; COPY (SELECT src_ip, src_port, end_reason FROM jj_extract('$captures/demo.pcapng', 'tcp', '{"flow_end": "fin_rst"}')) TO STDOUT WITH (FORMAT csv, HEADER)}) . "\n", 'options and filter act as in jj_extract');
($status, $out, $err) = run_sensor('-q', '-r', "$captures/demo.pcapng", '-c', '20', '--features', 'total_packets', '--name', 'x', '--format', 'csv');
my $taken = 0;
$taken += $_ for grep { /^\d+$/ } split /\r?\n/, $out;
is($taken, $node->safe_psql('postgres', "SET client_min_messages = error; SELECT count(flow) FROM jj_packets('$captures/demo.pcapng') WHERE frame <= 20"), 'so many packets');

($status, $out, $err) = run_sensor('-r', "$captures/concurrent.pcap", '--option', 'max_concurrent_flows=5', '--features', 'src_ip');
like($err, qr/^jj-sensor: \d+ flows were evicted, to keep max_concurrent_flows$/m, 'evictions are counted');

# the same pseudonyms as in the server
my $key = "$dir/key";
PostgreSQL::Test::Utils::append_to_file($key, "a secret\n");
chmod 0600, $key;
$node->append_conf('postgresql.conf', "session_preload_libraries = 'joyfuljay'\njoyfuljay.anonymization_key = 'a secret'\n");
$node->reload;
($status, $out, $err) = run_sensor('-q', '-r', "$captures/demo.pcapng", '--option', 'anonymize_ips=on', '--option', 'anonymization_salt=salt', '--key-file', $key, '--features', 'src_ip,dst_ip,community_id', '--format', 'csv');
is($out =~ tr/\r//dr, $node->safe_psql('postgres', qq{SET client_min_messages = error; COPY (SELECT src_ip, dst_ip, community_id FROM jj_extract('$captures/demo.pcapng', options => '{"anonymize_ips": true, "anonymization_salt": "salt"}')) TO STDOUT WITH (FORMAT csv, HEADER)}) . "\n", 'pseudonyms are those of the server');
unlike($out, qr/192\.0\.2\.10/, 'and no addresses');

# ---- capturing

if (slurp('/proc/self/status') =~ /^CapEff:\s*0+$/m)
{
	($status, $out, $err) = run_sensor('-i', 'lo');
	is($status, 1, 'without the capability');
	like($err, qr/^jj-sensor: permission denied to capture on network interface "lo"\njj-sensor: Run it as root, or give the program the capability, as root: setcap cap_net_raw\+ep .*jj-sensor$/m, 'how to get it');
}

my @unshare = ('unshare', '--user', '--map-current-user', '--keep-caps', '--net');
my $inside = File::Temp->newdir;
if (system("@unshare sh -c 'ip link show lo' >/dev/null 2>&1") != 0)
{
	ok(1, 'capturing # SKIP a network namespace of our own is not allowed');
}
else
{
	my $last = '';
	open my $lines, '-|', @unshare, $^X, '-I', 'test/t', '-MSensorTest', '-e', 'SensorTest::inside(@ARGV)', "$inside" or die "unshare: $!";
	while (my $line = <$lines>)
	{
		chomp $line;
		if ($line =~ /^(not )?ok - (.*)$/) { ok(!$1, $2); }
		else { note($line); }
		$last = $line;
	}
	close $lines;
	is($last, 'done', 'all of the tests inside of the namespace ran');
}

done_testing();
