#!/usr/bin/perl
# Execute what a document in docs/ shows, block by block, so that it stays true.
#
#     run.pl [-u] docs/NAME.md|docs/NAME.py
#
# With -u a document is made to say what its blocks print.
#
# Of a Markdown file with "<!-- executed -->" in it, these fenced blocks count:
#     sql          psql runs it, in a session of its own
#     sql error    and it must fail
#     python       the Python of JJ_RECIPES_PYTHON runs it; skipped without one
#     sql behind python    needs what a block of Python did; skipped with that
#     sh           the shell
#     conf         lines of postgresql.conf; in force from the next block on
# A block without a language behind one of these is what that printed; "..." in a
# line stands for anything. A script is run, and its output must match what
# "# expect: REGEX" in it says.
#
# /captures/ is the folder test/captures, /data/ one that goes away and that the
# server can write to. Each document has a database of its own, its roles go with it.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename;
use File::Temp qw(tempdir);

my $update   = @ARGV && $ARGV[0] eq '-u' && shift;
my $file     = shift or die "usage: run.pl [-u] FILE\n";
my $captures = $ENV{JJ_CAPTURES} or die "JJ_CAPTURES is not set\n";
my $server   = $ENV{JJ_SERVER_DIR} or die "run it beside a server: tools/server.sh\n";
my $python   = $ENV{JJ_RECIPES_PYTHON} // '';
my $data     = tempdir(DIR => $server, CLEANUP => 1);
my $docs     = dirname(abs_path($file));
my $name     = basename($file);
my $number   = 0;
chmod 0777, $data;

sub slurp
{
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!\n";
	local $/;
	return <$in>;
}

sub spill
{
	my ($path, $text) = @_;
	open my $out, '>', $path or die "$path: $!\n";
	print $out $text;
	close $out or die "$path: $!\n";
	chmod 0644, $path;
}

sub ok
{
	my ($good, $what, @comments) = @_;
	$number++;
	print $good ? '' : 'not ', "ok $number - $what\n";
	if (!$good)
	{
		print "# $_\n" for map { split /\n/ } @comments;
	}
	return $good;
}

sub skip
{
	my ($what, $why) = @_;
	$number++;
	print "ok $number - $what # SKIP $why\n";
}

# A value of the server, through psql.
sub ask
{
	my ($sql) = @_;
	my $answer = qx{psql -XqAt -d postgres -c "$sql" 2>&1};
	die "$sql: $answer" if $?;
	chomp $answer;
	return $answer;
}

sub paths
{
	my ($text) = @_;
	$text =~ s{(?<=['"=\s])/captures(?=[/'"\s])}{$captures}g;
	$text =~ s{(?<=['"=\s])/data(?=[/'"\s])}{$data}g;
	return $text;
}

sub unpaths
{
	my ($text) = @_;
	$text =~ s{\Q$captures\E}{/captures}g;
	$text =~ s{\Q$data\E}{/data}g;
	return $text;
}

# Whether a block printed what the document says it does.
sub printed
{
	my ($got, $want) = @_;
	for ($got, $want)
	{
		s/[ \t]+$//mg;
		s/^\n+//;
		s/\n+$//;
	}
	my $pattern = join '.*?', map { quotemeta } split /\.\.\./, $want, -1;
	return scalar($got =~ /^$pattern$/s);
}

# Run a block; what it printed, and whether it succeeded.
sub run_block
{
	my ($language, $text) = @_;
	my $script = "$data/.block";
	my %command = (
		'sql'    => "psql -X -q -v ON_ERROR_STOP=1 -P pager=off -f '$script' 2>&1",
		'python' => "cd '$docs' && '$python' '$script' 2>&1",
		'sh'     => "cd '$docs' && sh -e '$script' 2>&1",
	);
	spill($script, paths($text));
	my $output = qx{$command{$language}};
	my $good = $? == 0;
	unlink $script;
	$output =~ s/^psql:\Q$script\E:\d+: //mg;
	# of a system without igraph
	$output =~ s/^WARNING:  the betweenness, clustering and community columns are NULL: the graph module is not installed\nDETAIL:.*\nHINT:.*\n//mg;
	return (unpaths($output), $good);
}

# ---- the configuration, as it was

my $folder = ask('SHOW data_directory');
my $before = slurp("$folder/postgresql.conf");

sub configure
{
	my ($lines) = @_;
	open my $out, '>>', "$folder/postgresql.conf" or die "postgresql.conf: $!\n";
	print $out "\n$lines";
	close $out or die "postgresql.conf: $!\n";
	reload();
}

sub reload
{
	my $loaded = ask('SELECT pg_conf_load_time()');
	ask('SELECT pg_reload_conf()');
	for (1 .. 500)
	{
		return if ask('SELECT pg_conf_load_time()') ne $loaded;
		select undef, undef, undef, 0.02;
	}
	die "the server did not reload its configuration\n";
}

my $roles = ask("SELECT string_agg(quote_literal(rolname), ',') FROM pg_roles");
my $db = 'jj_recipe';
ask("CREATE DATABASE $db");
$ENV{PGDATABASE} = $db;
$ENV{PGTZ} = 'UTC';
$ENV{PGOPTIONS} = '-c datestyle=ISO';

# ---- scripts

if ($file =~ /\.py$/)
{
	my $text = slurp($file);
	my ($expected) = $text =~ /^# expect: (.+)$/m or die "$file: no line says what to expect\n";
	if ($python eq '')
	{
		skip($name, 'no Python with the packages of test/recipes/requirements.txt');
	}
	else
	{
		my $output = qx{'$python' '$file' '$data' 2>&1};
		my $good = $? == 0;
		ok($good, "$name runs", $output);
		ok(scalar($output =~ /$expected/), "$name: its result", $output);
	}
}

# ---- documents

else
{
	my @lines = split /\n/, slurp($file);
	my ($last, $in, $indent, @block, $start, @written);
	for my $n (0 .. $#lines)
	{
		my $line = $lines[$n];
		push @written, $line;
		if (!defined $in && $line =~ /^(\s*)```\s*(.*?)\s*$/)
		{
			($indent, $in, $start, @block) = (length $1, $2, $n + 1);
			next;
		}
		next if !defined $in;
		if ($line !~ /^\s*```\s*$/)
		{
			push @block, substr($line, $indent < length $line ? $indent : length $line);
			next;
		}
		my ($kind, $text) = ($in, join('', map { "$_\n" } @block));
		my $what = "$name:$start $kind";
		undef $in;
		if ($kind eq '')
		{
			if (defined $last && !printed($last, $text) && $update)
			{
				splice @written, -@block - 1;
				$last =~ s/[ \t]+$//mg;
				$last =~ s/^\n+|\n+$//g;
				push @written, split(/\n/, $last), $line;
			}
			elsif (defined $last)
			{
				ok(printed($last, $text), "$name:$start what the block before printed", "it printed:\n$last");
			}
			undef $last;
		}
		elsif ($kind eq 'conf')
		{
			configure($text);
			ok(1, $what);
			undef $last;
		}
		elsif (($kind eq 'python' || $kind =~ / behind python$/) && $python eq '')
		{
			skip($what, 'no Python with the packages of test/recipes/requirements.txt');
			undef $last;
		}
		elsif ($kind =~ /^(sql|python|sh)( error)?(?: behind python)?$/)
		{
			my ($output, $good) = run_block($1, $text);
			ok($good != defined $2, $what, $output);
			$last = $output;
		}
		else
		{
			undef $last;
		}
	}
	spill($file, join('', map { "$_\n" } @written)) if $update;
}
print "1..$number\n";

END
{
	my $status = $?;
	if (defined $before)
	{
		delete $ENV{PGDATABASE};
		if (slurp("$folder/postgresql.conf") ne $before)
		{
			open my $out, '>', "$folder/postgresql.conf" or die "postgresql.conf: $!\n";
			print $out $before;
			close $out;
			reload();
		}
		ask("DROP DATABASE IF EXISTS $db WITH (FORCE)") if defined $db;
		ask("DROP ROLE $_") for split /\n/, ask("SELECT quote_ident(rolname) FROM pg_roles WHERE rolname NOT IN ($roles)");
	}
	$? = $status;
}
