#!/usr/bin/perl
# Run commands one after the other and make one TAP stream of what they say.
#
#     tools/tap.pl <LIST
#
# A line of the list is KIND, LABEL and shell COMMAND, with tabs between:
#     step      one test: the command succeeds; if not, all ends there
#     check     one test: the command succeeds
#     tap       the command writes TAP
#     regress   the command is pg_regress
# The last line says how many passed, failed and were skipped. The status is 0
# when something passed and nothing failed.
use strict;
use warnings;
use TAP::Parser;

$| = 1;
my ($number, $passed, $failed, $skipped) = (0, 0, 0, 0);
my @failures;

sub report
{
	my ($result, $name) = @_;

	$number++;
	$name =~ s/\s+/ /g;
	if ($result eq 'ok')
	{
		$passed++;
		print "ok $number - $name\n";
	}
	elsif ($result eq 'failed')
	{
		$failed++;
		push @failures, $name;
		print "not ok $number - $name\n";
	}
	else
	{
		$skipped++;
		print "ok $number - $name # SKIP $result\n";
	}
}

sub comment
{
	for my $line (map { split /\n/ } @_)
	{
		print $line =~ /^\s*#/ ? "$line\n" : "# $line\n";
	}
}

# Tests that ended without saying so: a crash, a wrong plan, an exit status.
sub check_end
{
	my ($label, $parser, $bad) = @_;
	my @what = $parser->parse_errors;

	my $signal = $parser->wait & 127;
	push @what, "ended by signal $signal" if $signal;
	push @what, 'exit status ' . $parser->exit if !$signal && $parser->exit && !$bad;
	push @what, 'no tests' if $parser->tests_run == 0 && !defined $parser->skip_all;
	report('failed', "$label: " . join('; ', @what)) if @what;
}

sub run_tap
{
	my ($label, $command) = @_;
	my $bad    = 0;
	my $parser = TAP::Parser->new({ exec => [ 'sh', '-c', $command ], merge => 1 });

	while (my $r = $parser->next)
	{
		if ($r->is_test)
		{
			my $name = $r->description;
			$name =~ s/^- //;
			$name = "$label: $name";
			$bad = 1 if !$r->is_ok;
			report(   $r->has_skip  ? ($r->explanation || 'no reason given')
					: $r->has_todo  ? 'to do: ' . $r->explanation
					: $r->is_ok     ? 'ok'
					: 'failed', $name);
		}
		elsif ($r->is_plan)
		{
			report($r->explanation || 'no reason given', $label) if $r->has_skip;
		}
		elsif (!$r->is_version && !$r->is_pragma)
		{
			comment($r->as_string) if $r->as_string ne '';
		}
	}
	check_end($label, $parser, $bad);
}

sub run_regress
{
	my ($label, $command) = @_;
	my ($tests, $bad) = (0, 0);

	open my $pipe, '-|', 'sh', '-c', "($command) 2>&1" or die "could not run $command: $!\n";
	while (my $line = <$pipe>)
	{
		chomp $line;
		if ($line =~ /^test (\S+)\s+\.\.\. (ok|FAILED)/ || $line =~ /^()((?:not )?ok) \d+\s+[-+] \S+/)
		{
			my ($name, $result) = ($1, $2);
			($name) = $line =~ /^(?:not )?ok \d+\s+[-+] (\S+)/ if $name eq '';
			$tests++;
			$bad++ if $result ne 'ok';
			report($result eq 'ok' ? 'ok' : 'failed', "$label: $name");
		}
		elsif ($line !~ /^\s*$|^1\.\.\d+$/)
		{
			comment($line);
		}
	}
	my $good = close $pipe;
	report('failed', "$label: pg_regress failed") if !$good && !$bad;
	report('failed', "$label: no tests") if $tests == 0;
}

sub run_once
{
	my ($label, $command) = @_;
	my $output = qx{($command) 2>&1};
	my $good   = $? == 0;

	report($good ? 'ok' : 'failed', $label);
	comment($output) if !$good;
	return $good;
}

while (my $line = <STDIN>)
{
	chomp $line;
	my ($kind, $label, $command) = split /\t/, $line, 3;

	if    ($kind eq 'tap')     { run_tap($label, $command); }
	elsif ($kind eq 'regress') { run_regress($label, $command); }
	elsif ($kind eq 'check')   { run_once($label, $command); }
	elsif ($kind eq 'step')
	{
		if (!run_once($label, $command))
		{
			print "Bail out!  $label failed, the rest was not run\n";
			last;
		}
	}
	else { die "tap.pl: unknown kind \"$kind\"\n"; }
}

print "1..$number\n";
comment("failed: $_") for @failures;
print "$passed passed, $failed failed", $skipped ? ", $skipped skipped" : '', "\n";
exit($failed || !$passed ? 1 : 0);
