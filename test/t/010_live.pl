# Live captures: start, stop, rows, filters, files, errors, rights.
use strict;
use warnings;

use LiveCapture;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $captures = $ENV{JJ_CAPTURES} or plan skip_all => 'JJ_CAPTURES is not set';
my $dir = PostgreSQL::Test::Utils::tempdir;
pair('jja', 'jjb');
pair('jjc', 'jjd');
my $sender = sender('jjb');
my $other = sender('jjd');
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "session_preload_libraries = 'joyfuljay'\njoyfuljay.anonymization_key = 'the key of this test'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION joyfuljay;
	SELECT jj_create_table('flows');
	SELECT jj_create_table('hidden');
	CREATE TABLE dns (run bigint, src_ip inet, dst_port integer, end_reason text, seen timestamptz DEFAULT now());
	CREATE TABLE quiet (src_ip inet, end_reason text);
});

is($node->safe_psql('postgres', q{SELECT string_agg(format('%s %s %s', name, up, loopback), ', ' ORDER BY name) FROM jj_interfaces() WHERE name ~ '^jj[ab]$'}),
	'jja t f, jjb t f', 'interfaces');

# ---- a quiet link: two packets, then nothing that would let time pass

my ($rc, $out, $err);
$rc = $node->psql('postgres', q{SELECT jj_capture_start('quiet', 'jjc', 'quiet', options => '{"isolation": "worker", "flow_timeout": 2}')}, stdout => \$out, stderr => \$err);
is($rc, 0, 'start');
like($err, qr/NOTICE:  capture "quiet" runs until the server is restarted\nHINT:  .*shared_preload_libraries/, 'it says for how long');
state_of($node, 'quiet', 'running');
send_frames($other, udp_frame(1, 7), udp_frame(2, 7));

# ---- two captures of one interface

start_capture($node, 'all', 'jja', 'flows', qq({"isolation": "worker", "save_pcap": "$dir/all", "batch_rows": 100}));
start_capture($node, 'hidden', 'jja', 'hidden', '{"isolation": "worker", "anonymize_ips": true}');
start_capture($node, 'dns', 'jja', 'dns', '{"isolation": "worker"}', q{, filter => 'udp port 53'});
my $sent = 0;
for my $file (sort glob "$captures/*.pcap $captures/recorded/*.pcap")
{
	# only what Ethernet carries, and is whole
	open my $f, '<:raw', $file or die "$file: $!";
	read $f, my $header, 24;
	next unless length $header == 24 && unpack('V', $header) == 0xa1b2c3d4 && unpack('V', substr($header, 20)) == 1;
	next if $file =~ m{/(bad|cut_record|impossible)\w*\.pcap$};
	# the kernel passes on no tag without what is tagged
	$sent += send_frames($sender, grep { length >= 18 } frames_of($file));
}
my $queries = 40;
$sent += send_frames($sender, map { udp_frame(0x630000 + $_, 53) } 1 .. $queries);
cmp_ok($sent, '>', 5000, "$sent packets of test captures");
is(wait_for($node, q{SELECT packets FROM jj_capture_status WHERE name = 'all'}, $sent), $sent, 'all of them are captured');
is(value_of($node, 'all', 'kernel_drops'), 0, 'none is dropped');
is(wait_for($node, q{SELECT packets + kernel_drops FROM jj_capture_status WHERE name = 'hidden'}, $sent), $sent, 'nor of those whose addresses are hidden');
is(value_of($node, 'all', "how || ' ' || enabled || ' ' || coalesce(last_error, 'no error')"), 'worker true no error', 'status');
like(value_of($node, 'all', 'active_flows'), qr/^[1-9]\d\d/, 'open flows');
$node->safe_psql('postgres', "SELECT jj_capture_stop('all'); SELECT jj_capture_stop('dns'); SELECT jj_capture_stop('hidden')");
is(value_of($node, 'all', "state || ' ' || enabled || ' ' || active_flows || ' ' || queue_rows"), 'stopped false 0 0', 'stopped');
my $flows = $node->safe_psql('postgres', 'SELECT count(*) FROM flows');
cmp_ok($flows, '>', 500, "$flows flows");
is(value_of($node, 'all', q{rows_written || ' ' || (SELECT sum(n::bigint) FROM jsonb_each_text(flows_ended) e(reason, n)) || ' ' || queue_drops + rejected}), "$flows $flows 0", 'all are written, and counted by reason');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dns WHERE src_ip <<= '10.99.0.0/24' AND dst_port = 53 AND end_reason = 'end_of_capture' AND seen IS NOT NULL}),
	$queries, 'the filter lets these pass');
is($node->safe_psql('postgres', q{SELECT count(*) FROM dns d WHERE NOT EXISTS (SELECT FROM flows f WHERE f.src_ip = d.src_ip AND f.dst_port = d.dst_port) OR 53 NOT IN (dst_port, (SELECT max(src_port) FROM flows f WHERE f.src_ip = d.src_ip AND f.dst_port = d.dst_port))}),
	0, 'and nothing else');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT run) || ' ' || min(r.kind) || ' ' || min(r.name) || ' ' || bool_and(r.finished > r.started) FROM dns JOIN joyfuljay.run r USING (run)}),
	'1 capture dns true', 'the run of the flows');

# ---- the same rows from the packets that were saved, but for the columns that need all flows of a capture

my @saved = glob "$dir/all-*.pcap";
is(scalar @saved, 1, 'a file with the packets');
like($saved[0], qr/all-\d{8}T\d{6}Z-0001\.pcap$/, 'its name');
is(value_of($node, 'all', 'packets_saved'), $sent, 'all packets are saved');
is($node->safe_psql('postgres', "SELECT packets FROM jj_pcap_info('$saved[0]')"), $sent, 'and are in it');
$node->safe_psql('postgres', qq{CREATE TABLE again AS SELECT * FROM jj_extract('$saved[0]', options => '{"active_timeout": "1800s"}')});
$node->safe_psql('postgres', qq{CREATE TABLE hidden_again AS SELECT * FROM jj_extract('$saved[0]', options => '{"active_timeout": "1800s", "anonymize_ips": true}')});
for my $two ([ 'flows', 'again' ], [ 'again', 'flows' ], [ 'hidden', 'hidden_again' ], [ 'hidden_again', 'hidden' ])
{
	is($node->safe_psql('postgres', qq{
		WITH other AS MATERIALIZED (SELECT array_agg(name) || '{run,capture}' AS columns FROM jj_features WHERE group_name = 'connection')
		SELECT count(*) FROM (SELECT to_jsonb(x) - columns FROM $two->[0] x, other EXCEPT ALL SELECT to_jsonb(x) - columns FROM $two->[1] x, other) d}),
		0, "every row of $two->[0] is one of $two->[1], in all columns");
}

is($node->safe_psql('postgres', q{SELECT count(*) FROM flows JOIN hidden h USING (first_frame)
	WHERE (h.src_ip, h.dst_ip, h.mac_src) IS DISTINCT FROM (jj_anonymize(flows.src_ip), jj_anonymize(flows.dst_ip), jj_anonymize(flows.mac_src))}), 0, 'each address has its pseudonym');
is($node->safe_psql('postgres', q{SELECT count(*) FROM hidden h WHERE h.src_ip IN (SELECT src_ip FROM flows UNION SELECT dst_ip FROM flows) AND h.src_ip NOT IN (SELECT jj_anonymize(src_ip) FROM flows UNION SELECT jj_anonymize(dst_ip) FROM flows)}),
	0, 'no other address is stored');
is($node->safe_psql('postgres', q{SELECT options->>'anonymize_ips' FROM joyfuljay.run WHERE kind = 'capture' AND name = 'hidden'}), 'true', 'and the run says so');

# ---- an end of its own, files that are rotated, a table that takes only some rows

$node->safe_psql('postgres', q{
	CREATE TABLE picky (run bigint, src_ip inet, src_port integer, CHECK (src_ip <> '10.0.0.7'));
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.src_ip = '10.0.0.9' THEN RAISE 'not this one'; END IF; RETURN NEW; END $$;
	CREATE TRIGGER refuse BEFORE INSERT ON picky FOR EACH ROW EXECUTE FUNCTION refuse();
});
start_capture($node, 'short', 'jja', 'picky', qq({"isolation": "worker", "save_pcap": "$dir/short", "save_pcap_mb": 1, "save_pcap_files": 2}), q{, duration => '3 s'});
send_frames($sender, (map { udp_frame($_, 9, 200) } 1 .. 100), (map { udp_frame(300, 9, 8000) } 1 .. 400));
is(state_of($node, 'short', 'stopped', 30), 'stopped', 'it ends by itself');
is($node->safe_psql('postgres', "SELECT r.finished >= c.ends FROM joyfuljay.run r JOIN joyfuljay.capture c USING (name) WHERE name = 'short'"), 't', 'not before its time');
is(value_of($node, 'short', "enabled || ' ' || rows_written || ' ' || rejected || ' ' || queue_drops || ' ' || last_error"), 'false 99 2 0 not this one', 'rows that the table refuses are counted');
is($node->safe_psql('postgres', 'SELECT count(*) FROM picky'), 99, 'and all the others are there');
is(scalar(() = glob "$dir/short-*.pcap"), 2, 'the last two files are kept');
is($node->safe_psql('postgres', "SELECT bool_and(size <= 1048576) FROM (SELECT (pg_stat_file(f)).size FROM unnest(ARRAY[" . join(',', map { "'$_'" } glob "$dir/short-*.pcap") . "]) f) s"), 't', 'none is larger than asked for');
$node->safe_psql('postgres', "SELECT jj_capture_restart('short')");
state_of($node, 'short', 'running');
is(value_of($node, 'short', "enabled || ' ' || rows_written || ' ' || (ends > now())"), 'true 0 true', 'the same again');
$node->safe_psql('postgres', "SELECT jj_capture_stop('short'); SELECT jj_capture_stop('short')");

# ---- the quiet link

is(wait_for($node, 'SELECT count(*) FROM quiet', 2, 30), 2, 'flows on a quiet link come');
is(value_of($node, 'quiet', "flows_ended::text || active_flows"), '{"idle": 2}0', 'as idle flows');
$node->safe_psql('postgres', "SELECT jj_capture_stop('quiet')");

# ---- errors

sub fails
{
	my ($sql, $pattern, $name, $role) = @_;
	my $status = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err, extra_params => [ '-U', $role // 'postgres' ]);
	isnt($status, 0, "$name: fails");
	like($err, $pattern, "$name: message");
	return;
}

my $super = $node->safe_psql('postgres', 'SELECT current_user');
fails("SELECT jj_capture_start('x', 'no_such0', 'flows')", qr/ERROR:  42704: there is no network interface "no_such0"\nHINT:  Network interfaces: .*jja/, 'no such interface', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', 'tcp prot 80')", qr/ERROR:  42601: .*tcp prot 80/, 'a filter', $super);
fails("SELECT jj_capture_start('x', 'jja', 'no_such_table')", qr/ERROR:  42P01:/, 'no such table', $super);
fails("SELECT jj_capture_start('x', 'jja', 'pg_class')", qr/ERROR: /, 'a table without columns of flows', $super);
fails("SELECT jj_capture_start('', 'jja', 'flows')", qr/ERROR:  22023: the name of a capture must not be empty/, 'no name', $super);
fails("SELECT jj_capture_start('x', NULL, 'flows')", qr/ERROR:  22004: argument "source" must not be null/, 'no source', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', duration => '0 s')", qr/ERROR:  22023: duration must be greater than zero/, 'no duration', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', options => '{\"snaplenn\": 1}')", qr/ERROR:  42704: option "snaplenn" of a capture does not exist\nHINT:  Perhaps you meant "snaplen"\. Valid options are isolation, .*flow_timeout/, 'an unknown option', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', options => '{\"snaplen\": 10}')", qr/ERROR:  22023: invalid value for option "snaplen": 10\nHINT:  Give a whole number \(64 \.\. 262144\)/, 'a value out of range', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', options => '{\"isolation\": \"none\"}')", qr/ERROR:  22023: invalid value for option "isolation": "none"\nHINT:  Available values: auto, worker, sensor/, 'no such isolation', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', options => '{\"flow_timeout\": true}')", qr/ERROR:  22023: invalid value for option "flow_timeout"/, 'a value of an option of jj_extract', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', options => '{\"save_pcap\": \"here\"}')", qr/ERROR:  22023: invalid value for option "save_pcap": "here"/, 'a relative path', $super);
fails("SELECT jj_capture_start('x', 'jja', 'flows', options => '{\"save_pcap\": \"/no/such/folder/x\"}')", qr{ERROR:  58P01: folder "/no/such/folder" of option "save_pcap" does not exist}, 'no such folder', $super);
fails("SELECT jj_capture_stop('x')", qr/ERROR:  42704: capture "x" does not exist/, 'no such capture', $super);
is($node->safe_psql('postgres', "SELECT count(*) FROM joyfuljay.capture WHERE name IN ('x', '')"), 0, 'none of these is left');

# what a transaction asks for, and takes back
$node->safe_psql('postgres', "BEGIN; SELECT jj_capture_start('never', 'jja', 'flows'); ROLLBACK");
is($node->safe_psql('postgres', "SELECT (SELECT count(*) FROM joyfuljay.capture WHERE name = 'never') + (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'joyfuljay capture')"), 0, 'a start that is rolled back');
start_capture($node, 'mine', 'jja', 'flows', '{"isolation": "worker"}');
fails("SELECT jj_capture_start('mine', 'jja', 'flows')", qr/ERROR:  55006: capture "mine" is already running/, 'started twice', $super);

# ---- rights

$node->safe_psql('postgres', q{
	CREATE ROLE nobody_special LOGIN;
	CREATE ROLE sniffer LOGIN;
	CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
	CREATE ROLE cannot_login;
	DO $$
	DECLARE
		f regprocedure;
	BEGIN
		FOR f IN SELECT oid FROM pg_proc WHERE proname ~ '^jj_capture_st|^jj_capture_re|^jj_interfaces' LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO sniffer, cannot_login', f);
		END LOOP;
	END $$;
});
my $denied = qr/ERROR:  42501: permission denied for function jj_/;
fails($_, $denied, "without EXECUTE: $_", 'nobody_special') for "SELECT jj_capture_start('x', 'jja', 'flows')", "SELECT jj_capture_stop('mine')", "SELECT jj_capture_restart('mine')", 'SELECT * FROM jj_interfaces()';
fails("SELECT jj_capture_start('x', 'jja', 'flows')", qr/ERROR:  42501: permission denied for table flows/, 'without INSERT', 'sniffer');
fails("SELECT jj_capture_stop('mine')", qr/ERROR:  42501: must be owner of capture "mine"/, 'another role\'s capture', 'sniffer');
fails("SELECT jj_capture_start('mine', 'jja', 'flows')", qr/ERROR:  42501: must be owner of capture "mine"/, 'in another role\'s place', 'sniffer');
$node->safe_psql('postgres', 'GRANT INSERT ON dns TO sniffer, cannot_login');
fails("SELECT jj_capture_start('x', 'jja', 'dns', options => '{\"save_pcap\": \"$dir/x\"}')", qr/ERROR:  42501: permission denied to save packets to a file/, 'without the right to write files', 'sniffer');
SKIP:
{
	skip 'workers of roles that may not log in', 2 if $node->safe_psql('postgres', 'SHOW server_version_num') >= 170000;
	fails("SET ROLE cannot_login; SELECT jj_capture_start('x', 'jja', 'dns')", qr/ERROR:  55000: role "cannot_login" is not permitted to log in/, 'a role without LOGIN', $super);
}
my @as_sniffer = (extra_params => [ '-U', 'sniffer' ]);
$node->safe_psql('postgres', 'TRUNCATE dns');
is($node->psql('postgres', "SELECT jj_capture_start('theirs', 'jja', 'dns', options => '{\"isolation\": \"worker\", \"batch_interval\": 0.1}')", stderr => \$err, @as_sniffer), 0, 'a role with both rights') or diag $err;
state_of($node, 'theirs', 'running');
is($node->safe_psql('postgres', "SELECT usename FROM pg_stat_activity WHERE backend_type = 'joyfuljay capture' AND pid = (SELECT pid FROM jj_capture_status WHERE name = 'theirs')"), 'sniffer', 'the worker has its rights');
sub sees
{
	my ($role, $want) = @_;
	$node->psql('postgres', q{SELECT string_agg(name::text, ',' ORDER BY name) FROM jj_capture_status WHERE state = 'running' UNION ALL SELECT string_agg(name::text, ',' ORDER BY name) FROM joyfuljay.capture WHERE name IN ('mine', 'theirs')
		UNION ALL SELECT string_agg(name::text, ',' ORDER BY name) FROM joyfuljay.capture_counts() WHERE name IN ('mine', 'theirs')}, stdout => \$out, extra_params => [ '-U', $role ]);
	is($out, join("\n", ($want) x 3), "what $role sees");
	return;
}
sees('sniffer', 'theirs');
sees('watcher', 'mine,theirs');
sees('nobody_special', '');

# rights that are taken away meanwhile
$node->safe_psql('postgres', 'REVOKE INSERT ON dns FROM sniffer');
send_frames($sender, map { udp_frame($_, 53) } 1 .. 5);
wait_for($node, "SELECT packets >= 5 FROM jj_capture_status WHERE name = 'theirs'", 't');
is($node->psql('postgres', "SELECT jj_capture_stop('theirs')", stderr => \$err, @as_sniffer), 0, 'the owner stops it') or diag $err;
is(value_of($node, 'theirs', "rows_written || ' ' || queue_drops || ' ' || last_error"), '0 5 permission denied for table dns', 'without the right nothing is written, and that is counted');
$node->safe_psql('postgres', "SELECT jj_capture_stop('mine')");

$node->stop;
unlike(PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/(PANIC|terminated by signal|server process)/, 'no crash');
done_testing();
