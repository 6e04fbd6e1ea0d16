/*
 * jj-sensor's command line.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* getopt_long(3) */
#endif
#include "sensor/arguments.h"
#include "features/parse.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define LIVE_ACTIVE_TIMEOUT (1800 * JJ_SECOND)

enum
{
	OPT_FORMAT = 256,
	OPT_OVERWRITE,
	OPT_FEATURES,
	OPT_OPTION,
	OPT_IMMEDIATE,
	OPT_TIMEOUT,
	OPT_NAME,
	OPT_KEY_FILE,
	OPT_USER,
	OPT_NO_SECCOMP,
	OPT_LIST_FEATURES,
	OPT_LIST_OPTIONS
};

static const struct option long_options[] = {
	{"interface", required_argument, NULL, 'i'},
	{"read", required_argument, NULL, 'r'},
	{"filter", required_argument, NULL, 'f'},
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, OPT_FORMAT},
	{"overwrite", no_argument, NULL, OPT_OVERWRITE},
	{"features", required_argument, NULL, OPT_FEATURES},
	{"option", required_argument, NULL, OPT_OPTION},
	{"duration", required_argument, NULL, 'd'},
	{"count", required_argument, NULL, 'c'},
	{"snaplen", required_argument, NULL, 's'},
	{"buffer", required_argument, NULL, 'B'},
	{"no-promiscuous", no_argument, NULL, 'p'},
	{"immediate", no_argument, NULL, OPT_IMMEDIATE},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"name", required_argument, NULL, OPT_NAME},
	{"key-file", required_argument, NULL, OPT_KEY_FILE},
	{"user", required_argument, NULL, OPT_USER},
	{"no-seccomp", no_argument, NULL, OPT_NO_SECCOMP},
	{"quiet", no_argument, NULL, 'q'},
	{"list-interfaces", no_argument, NULL, 'D'},
	{"list-features", no_argument, NULL, OPT_LIST_FEATURES},
	{"list-options", no_argument, NULL, OPT_LIST_OPTIONS},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0}
};

void
jj_arguments_help(void)
{
	fputs("jj-sensor turns packets into flows, one row a flow, as the PostgreSQL extension joyfuljay does.\n"
		  "\n"
		  "  jj-sensor -i INTERFACE [OPTION ...]       packets of an interface, until it is told to end\n"
		  "  jj-sensor -r FILE [OPTION ...] [FILE ...] capture files\n"
		  "\n"
		  "  -i, --interface NAME     network interface; \"any\" for all of them\n"
		  "  -r, --read FILE          pcap or pcapng, also compressed; can be given several times\n"
		  "  -f, --filter EXPRESSION  packets to take, as in pcap-filter(7)\n"
		  "  -o, --output FILE        where the rows go; \"-\", the default, is standard output\n"
		  "      --format FORMAT      jsonl, csv or binary; by default that of the file's name, jsonl for standard output\n"
		  "      --overwrite          whether the output may be a file that exists and is not empty\n"
		  "      --features LIST      columns, groups or profiles to compute, with commas; see --list-features\n"
		  "      --option NAME=VALUE  an option of jj_extract; see --list-options\n"
		  "  -d, --duration TIME      end after so many seconds, or \"10min\", \"1h\"\n"
		  "  -c, --count N            end after N packets\n"
		  "      --name TEXT          what column capture says instead of the name of interface or file\n"
		  "      --key-file FILE      secret for --option anonymize_ips=on: 64 hexadecimal digits, or any text\n"
		  "  -q, --quiet              no statistics at the end, errors alone\n"
		  "\n"
		  "of interfaces:\n"
		  "  -s, --snaplen BYTES      captured of each packet (262144)\n"
		  "  -B, --buffer MB          of the kernel, for packets that wait (64)\n"
		  "  -p, --no-promiscuous     only packets that the machine would get anyway\n"
		  "      --timeout MS         for which packets gather (100)\n"
		  "      --immediate          no gathering: each packet at once, at more cost\n"
		  "\n"
		  "      --user NAME          to change to, when started by root (nobody)\n"
		  "      --no-seccomp         without limiting system calls\n"
		  "  -D, --list-interfaces    --list-features    --list-options    -V, --version    -h, --help\n"
		  "\n"
		  "SIGINT, SIGTERM and SIGHUP end it: all flows end and are written; a second signal ends it at once.\n"
		  "Exit status: 0 done, 1 failed, 2 bad arguments, 3 the interface has gone, 4 nobody reads the output.\n",
		  stdout);
}

static bool
bad(const char *message, const char *hint)
{
	fprintf(stderr, "jj-sensor: %s\n", message);
	if (hint[0] != '\0')
		fprintf(stderr, "jj-sensor: %s\n", hint);
	return false;
}

static bool
set_option(jj_arguments *a, const char *name, const char *value)
{
	jj_option_text message;
	jj_option_text hint;

	return jj_option_set(&a->options, name, value, "jj-sensor --list-features", &message, &hint) || bad(message.text, hint.text);
}

/* "name=value" */
static bool
split_option(jj_arguments *a, char *text)
{
	char	   *equals = strchr(text, '=');

	if (equals == NULL)
		return bad("--option needs a name and a value, as in --option flow_timeout=30s", "jj-sensor --list-options lists the names.");
	*equals = '\0';
	return set_option(a, text, equals + 1);
}

static bool
whole_number(const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *v)
{
	char		message[300];

	if (jj_parse_unsigned(text, v) == JJ_PARSED && *v >= min && *v <= max)
		return true;
	(void) snprintf(message, sizeof(message), "invalid value for %s: %.100s (a whole number, %llu to %llu)", option, text,
					(unsigned long long) min, (unsigned long long) max);
	return bad(message, "");
}

static bool
take_duration(jj_arguments *a, const char *text)
{
	char		message[200];

	if (jj_parse_duration(text, (double) JJ_SECOND, &a->duration) == JJ_PARSED && a->duration > 0)
		return true;
	(void) snprintf(message, sizeof(message), "invalid value for --duration: %.100s", text);
	return bad(message, "Give a number of seconds, or a number with a unit (ms, s, min, h, d).");
}

static const struct
{
	const char *name;
	jj_output_format format;
}			formats[] = {
	{"jsonl", JJ_OUTPUT_JSONL}, {"ndjson", JJ_OUTPUT_JSONL}, {"json", JJ_OUTPUT_JSONL}, {"csv", JJ_OUTPUT_CSV},
	{"binary", JJ_OUTPUT_BINARY}, {"jjrows", JJ_OUTPUT_BINARY}
};

static bool
find_format(const char *name, jj_output_format *format)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		if (jj_same_word(name, formats[i].name))
		{
			*format = formats[i].format;
			return true;
		}
	}
	return false;
}

/* By its name, or by the output's. */
static bool
choose_format(jj_arguments *a, const char *given)
{
	const char *dot = strrchr(a->output, '.');
	char		message[300];

	if (given != NULL)
	{
		if (find_format(given, &a->format))
			return true;
		(void) snprintf(message, sizeof(message), "format \"%.100s\" does not exist", given);
		return bad(message, "Formats are jsonl, csv and binary.");
	}
	a->format = JJ_OUTPUT_JSONL;
	if (strcmp(a->output, "-") == 0 || (dot != NULL && find_format(dot + 1, &a->format)))
		return true;
	(void) snprintf(message, sizeof(message), "the name of output \"%.200s\" does not tell its format", a->output);
	return bad(message, "Names end in .jsonl, .csv or .jjrows, or --format says what it is.");
}

static bool
check(jj_arguments *a, const char *format, bool timeout_given)
{
	if (a->interface != NULL && a->n_files > 0)
		return bad("an interface and files can't be read together", "");
	if (a->interface == NULL && a->n_files == 0)
		return bad("nothing to read", "Give an interface (-i) or a file (-r); jj-sensor --help tells more.");
	if (a->interface != NULL && a->options.keep_flows)
		return bad("option \"continue\" is for files", "");
	if (a->options.engine.anonymize && a->key_file == NULL)
		return bad("anonymize_ips needs a key", "--key-file names a file with the secret, as in the setting joyfuljay.anonymization_key.");
	a->action = a->interface != NULL ? JJ_DO_LIVE : JJ_DO_FILES;
	if (a->action == JJ_DO_LIVE && !timeout_given)
		a->options.engine.active_timeout = LIVE_ACTIVE_TIMEOUT;
	return choose_format(a, format);
}

bool
jj_arguments_parse(jj_arguments *a, int argc, char **argv)
{
	const char *format = NULL;
	bool		timeout_given = false;
	uint64_t	n;
	int			c;

	memset(a, 0, sizeof(*a));
	a->program = argv[0];
	a->output = "-";
	a->user = "nobody";
	a->seccomp = true;
	a->duration = JJ_INFINITE;
	a->count = UINT64_MAX;
	jj_live_options_default(&a->live);
	jj_call_options_default(&a->options);
	a->files = calloc((size_t) argc + 1, sizeof(*a->files));
	if (a->files == NULL)
		return bad("out of memory", "");
	while ((c = getopt_long(argc, argv, "i:r:f:o:d:c:s:B:pqDVh", long_options, NULL)) != -1)
	{
		switch (c)
		{
			case 'i':
				if (a->interface != NULL)
					return bad("only one interface can be read; \"any\" is all of them", "");
				a->interface = optarg;
				break;
			case 'r':
				a->files[a->n_files++] = optarg;
				break;
			case 'f':
				a->filter = optarg;
				break;
			case 'o':
				a->output = optarg;
				break;
			case OPT_FORMAT:
				format = optarg;
				break;
			case OPT_OVERWRITE:
				a->overwrite = true;
				break;
			case OPT_FEATURES:
				if (!set_option(a, "features", optarg))
					return false;
				break;
			case OPT_OPTION:
				timeout_given = timeout_given || strncmp(optarg, "active_timeout=", 15) == 0;
				if (!split_option(a, optarg))
					return false;
				break;
			case 'd':
				if (!take_duration(a, optarg))
					return false;
				break;
			case 'c':
				if (!whole_number("--count", optarg, 1, UINT64_MAX - 1, &a->count))
					return false;
				break;
			case 's':
				if (!whole_number("--snaplen", optarg, JJ_LIVE_MIN_SNAPLEN, JJ_MAX_RECORD, &n))
					return false;
				a->live.snaplen = (uint32_t) n;
				break;
			case 'B':
				if (!whole_number("--buffer", optarg, JJ_LIVE_MIN_BUFFER >> 20, JJ_LIVE_MAX_BUFFER >> 20, &n))
					return false;
				a->live.buffer_size = (int64_t) n << 20;
				break;
			case 'p':
				a->live.promiscuous = false;
				break;
			case OPT_IMMEDIATE:
				a->live.immediate = true;
				break;
			case OPT_TIMEOUT:
				if (!whole_number("--timeout", optarg, 1, JJ_LIVE_MAX_TIMEOUT, &n))
					return false;
				a->live.timeout_ms = (uint32_t) n;
				break;
			case OPT_NAME:
				a->name = optarg;
				break;
			case OPT_KEY_FILE:
				a->key_file = optarg;
				break;
			case OPT_USER:
				a->user = optarg;
				break;
			case OPT_NO_SECCOMP:
				a->seccomp = false;
				break;
			case 'q':
				a->quiet = true;
				break;
			case 'D':
				a->action = JJ_DO_INTERFACES;
				return true;
			case OPT_LIST_FEATURES:
				a->action = JJ_DO_FEATURES;
				return true;
			case OPT_LIST_OPTIONS:
				a->action = JJ_DO_OPTIONS;
				return true;
			case 'V':
				a->action = JJ_DO_VERSION;
				return true;
			case 'h':
				a->action = JJ_DO_HELP;
				return true;
			default:
				/* getopt_long has said what is wrong */
				return bad("jj-sensor --help tells more", "");
		}
	}
	/* what follows -r FILE, as a shell's pattern gives it */
	if (a->n_files == 0 && optind < argc)
		return bad("an argument that is no option: is it a file, for -r?", "jj-sensor --help tells more.");
	while (optind < argc)
		a->files[a->n_files++] = argv[optind++];
	return check(a, format, timeout_given);
}
