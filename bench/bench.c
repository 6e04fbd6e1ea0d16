/*
 * Time per packet of the engine's stages over one capture, beside a bare
 * libpcap loop in the same run. bench/README.md says how to read the table.
 *
 *     bench FILE [--rounds N] [--stages all|few|none] [--markdown FILE] [--groups NAME,NAME...]
 *           [[--once] --measured NAME COMMAND] [[--once] --peer NAME PACKETS COMMAND] ...
 *
 * A measured command prints its packets and its wall and CPU time in
 * nanoseconds; a peer is timed as a whole process over so many packets. Those
 * with --once run in the first round alone. --markdown appends the table to a
 * file, too.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "features/engine.h"

#define MAX_STAGES (JJ_GROUPS + 24)

typedef enum stage_kind
{
	BARE_LIBPCAP, READING, DECODING, ENGINE, MEASURED, PEER
} stage_kind;

typedef struct stage
{
	stage_kind	kind;
	char		name[64];
	jj_feature_set features;	/* ENGINE */
	const char *command;		/* MEASURED, PEER */
	uint64_t	packets;
	uint64_t	rows;
	uint64_t	live;			/* most flows open at once */
	uint64_t	memory;			/* most bytes held by flows */
	size_t		flow_bytes;
	int64_t		wall;			/* shortest round, ns */
	int64_t		cpu;
	bool		once;
	bool		failed;
} stage;

static stage stages[MAX_STAGES];
static int	n_stages;
static uint64_t sink;			/* keeps the compiler from leaving work out */

static void
die(const char *what, const jj_error *err)
{
	fprintf(stderr, "bench: %s: %s\n", what, err != NULL ? err->message : strerror(errno));
	exit(1);
}

static int64_t
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static stage *
add_stage(stage_kind kind, const char *name)
{
	stage	   *s;

	if (n_stages == MAX_STAGES)
	{
		fprintf(stderr, "bench: too many commands\n");
		exit(2);
	}
	s = &stages[n_stages++];
	s->kind = kind;
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

static void
run_libpcap(stage *s, const char *path)
{
	char		text[PCAP_ERRBUF_SIZE];
	pcap_t	   *p = pcap_open_offline(path, text);
	struct pcap_pkthdr *header;
	const u_char *data;
	int			r;

	if (p == NULL)
	{
		fprintf(stderr, "bench: %s\n", text);
		exit(1);
	}
	s->packets = 0;
	while ((r = pcap_next_ex(p, &header, &data)) == 1)
		s->packets++;
	if (r != PCAP_ERROR_BREAK)
	{
		fprintf(stderr, "bench: %s\n", pcap_geterr(p));
		exit(1);
	}
	pcap_close(p);
}

static void
run_engine(stage *s, const char *path)
{
	jj_allocator a = jj_malloc_allocator();
	jj_reader  *reader;
	jj_engine  *engine = NULL;
	jj_frame	frames[JJ_BATCH];
	jj_error	err;
	uint32_t	n;
	bool		last = false;
	int			fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path, NULL);
	if (jj_reader_open_fd(&reader, fd, &a, &err) != JJ_OK)
		die(path, &err);
	if (s->kind == ENGINE)
	{
		jj_options	options;

		jj_options_default(&options);
		options.features = s->features;
		s->flow_bytes = jj_engine_flow_bytes(&options);
		if (jj_engine_open(&engine, &options, NULL, &a, &err) != JJ_OK ||
			jj_engine_source(engine, path, true, &err) != JJ_OK)
			die(s->name, &err);
	}
	s->packets = s->rows = s->live = 0;
	while (!last)
	{
		if (jj_reader_next(reader, frames, JJ_BATCH, &n, &err) != JJ_OK)
			die(path, &err);
		last = n == 0;
		s->packets += n;
		if (s->kind == DECODING)
		{
			jj_packet	p;

			for (uint32_t i = 0; i < n; i++)
				if (jj_decode(&frames[i], true, &p) == JJ_SKIP_NONE)
					sink += p.ip_len;
		}
		else if (s->kind == ENGINE)
		{
			const jj_row *row;
			bool		have;
			uint64_t	live;
			jj_code		code = last ? jj_engine_finish(engine, &err) : jj_engine_feed(engine, frames, n, &err);

			if (code != JJ_OK)
				die(s->name, &err);
			live = jj_engine_counters(engine)->flows_live;
			if (live > s->live)
				s->live = live;
			for (;;)
			{
				if (jj_engine_next(engine, &row, &have, &err) != JJ_OK)
					die(s->name, &err);
				if (!have)
					break;
				sink += row->present.word[0];
				s->rows++;
			}
		}
	}
	if (engine != NULL)
	{
		s->memory = jj_engine_counters(engine)->memory_peak;
		jj_engine_close(engine);
	}
	for (uint32_t i = 0; jj_reader_warning(reader, i) != NULL; i++)
		fprintf(stderr, "bench: %s: %s\n", path, jj_reader_warning(reader, i));
	jj_reader_close(reader);
	close(fd);
}

/* Run a command that measures itself. */
static void
run_measured(stage *s, int64_t *wall, int64_t *cpu)
{
	FILE	   *p = popen(s->command, "r");

	if (p == NULL)
		die(s->command, NULL);
	if (fscanf(p, "%" SCNu64 " %" SCNd64 " %" SCNd64, &s->packets, wall, cpu) != 3 || pclose(p) != 0)
	{
		fprintf(stderr, "bench: \"%s\" failed\n", s->command);
		exit(1);
	}
}

/* Run a command as a process of its own, its output thrown away. False if it failed. */
static bool
run_peer(const stage *s, int64_t *cpu)
{
	struct rusage use;
	int			status;
	pid_t		pid = fork();

	if (pid < 0)
		die("could not fork", NULL);
	if (pid == 0)
	{
		int			null = open("/dev/null", O_RDWR);

		if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
			_exit(127);
		execl("/bin/sh", "sh", "-c", s->command, (char *) NULL);
		_exit(127);
	}
	if (wait4(pid, &status, 0, &use) != pid)
		die("could not wait", NULL);
	*cpu = ((int64_t) use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000000 +
		((int64_t) use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
run(stage *s, const char *path)
{
	int64_t		wall = now_ns(CLOCK_MONOTONIC);
	int64_t		cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);

	if (s->kind == BARE_LIBPCAP)
		run_libpcap(s, path);
	else if (s->kind == MEASURED)
		run_measured(s, &wall, &cpu);
	else if (s->kind == PEER)
	{
		if (!run_peer(s, &cpu))
		{
			fprintf(stderr, "bench: \"%s\" failed\n", s->command);
			s->failed = true;
			return;
		}
	}
	else
		run_engine(s, path);
	if (s->kind != MEASURED)
		wall = now_ns(CLOCK_MONOTONIC) - wall;
	if (s->kind != MEASURED && s->kind != PEER)
		cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (s->wall == 0 || wall < s->wall)
		s->wall = wall;
	if (s->cpu == 0 || cpu < s->cpu)
		s->cpu = cpu;
}

static double
per_packet(int64_t ns, const stage *s)
{
	return (double) ns / (double) s->packets;
}

/* A table as Markdown, or with aligned columns. The second column of numbers is relative to the first stage. */
static void
print_times(FILE *to, bool markdown, const stage *flow)
{
	const char *const head = markdown ? "| %s | %s | %s | %s | %s | %s |\n" : "%-44s %12s %12s %9s %10s %10s\n";
	const char *const line = markdown ? "| %s | %s | %s | %s | %s | %" PRIu64 " |\n" : "%-44s %12s %12s %9s %10s %10" PRIu64 "\n";
	double		bare = per_packet(stages[0].cpu, &stages[0]);

	if (!markdown)
		fprintf(to, head, "", "CPU", "elapsed", "times", "over flow", "");
	fprintf(to, head, "stage", markdown ? "CPU, ns/packet" : "ns/packet", markdown ? "elapsed, ns/packet" : "ns/packet",
			markdown ? "times libpcap" : "libpcap", markdown ? "over flow assembly" : "assembly", "packets");
	if (markdown)
		fputs("|---|---:|---:|---:|---:|---:|\n", to);
	for (int i = 0; i < n_stages; i++)
	{
		const stage *s = &stages[i];
		char		cpu[32] = "failed";
		char		wall[32] = "";
		char		ratio[32] = "";
		char		over[32] = "";

		if (!s->failed && s->packets > 0)
		{
			snprintf(cpu, sizeof(cpu), "%.1f", per_packet(s->cpu, s));
			snprintf(wall, sizeof(wall), "%.1f", per_packet(s->wall, s));
			snprintf(ratio, sizeof(ratio), "%.2f", per_packet(s->cpu, s) / bare);
			if (s->kind == ENGINE && flow != NULL && s > flow)
				snprintf(over, sizeof(over), "%.1f", per_packet(s->cpu, s) - per_packet(flow->cpu, flow));
		}
		fprintf(to, line, s->name, cpu, wall, ratio, over, s->packets);
	}
}

static void
print_memory(FILE *to, bool markdown)
{
	const char *const head = markdown ? "| %s | %s | %s | %s | %s |\n" : "%-44s %12s %12s %14s %14s\n";
	const char *const line = markdown ? "| %s | %" PRIu64 " | %" PRIu64 " | %.0f | %zu |\n" : "%-44s %12" PRIu64 " %12" PRIu64 " %14.0f %14zu\n";

	fputc('\n', to);
	fprintf(to, head, markdown ? "stage" : "memory", "rows", markdown ? "most flows at once" : "most flows", markdown ? "peak bytes a flow" : "peak bytes",
			markdown ? "bytes a flow without samples" : "bytes a flow");
	if (markdown)
		fputs("|---|---:|---:|---:|---:|\n", to);
	else
		fprintf(to, head, "", "", "at once", "a flow", "no samples");
	for (int i = 0; i < n_stages; i++)
		if (stages[i].kind == ENGINE)
			fprintf(to, line, stages[i].name, stages[i].rows, stages[i].live,
					stages[i].live == 0 ? 0.0 : (double) stages[i].memory / (double) stages[i].live, stages[i].flow_bytes);
}

/* The stages of the engine; flow assembly, or NULL. */
static const stage *
add_engine_stages(bool groups)
{
	stage	   *flow;
	stage	   *s;

	add_stage(READING, "reading");
	add_stage(DECODING, "reading, decoding");
	flow = s = add_stage(ENGINE, "reading, decoding, flow assembly");
	jj_set_add(&s->features, JJ_F_total_packets);
	for (int g = 0; groups && g < JJ_GROUPS; g++)
	{
		char		name[48];

		/* the connection graph takes a pass before this one, which is the server's */
		if (!jj_group_implemented((jj_group) g) || g == JJ_G_connection)
			continue;
		snprintf(name, sizeof(name), "... and %s", jj_group_name[g]);
		s = add_stage(ENGINE, name);
		jj_set_add_name(&s->features, jj_group_name[g]);
	}
	s = add_stage(ENGINE, "... and all groups: the whole engine");
	jj_set_all(&s->features);
	return flow;
}

int
main(int argc, char **argv)
{
	long		rounds = 5;
	const stage *flow = NULL;
	const char *stages_wanted = "all";
	const char *markdown = NULL;
	bool		once = false;
	bool		engine = false;
	bool		memory;
	stage	   *s;

	if (argc < 2 || argv[1][0] == '-')
	{
		fprintf(stderr, "usage: bench FILE [--rounds N] [--stages all|few|none] [--markdown FILE] [--groups NAME,NAME...] "
				"[[--once] --measured NAME COMMAND] [[--once] --peer NAME PACKETS COMMAND] ...\n");
		return 2;
	}
	add_stage(BARE_LIBPCAP, "bare libpcap loop");
	for (int i = 2; i < argc;)
	{
		if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc && (rounds = strtol(argv[i + 1], NULL, 10)) > 0)
			i += 2;
		else if (strcmp(argv[i], "--stages") == 0 && i + 1 < argc && !engine)
		{
			stages_wanted = argv[i + 1];
			i += 2;
		}
		else if (strcmp(argv[i], "--markdown") == 0 && i + 1 < argc)
		{
			markdown = argv[i + 1];
			i += 2;
		}
		else if (strcmp(argv[i], "--once") == 0)
		{
			once = true;
			i++;
		}
		else
		{
			/* before what is compared with them */
			if (!engine && strcmp(stages_wanted, "none") != 0)
				flow = add_engine_stages(strcmp(stages_wanted, "all") == 0);
			engine = true;
			if (strcmp(argv[i], "--groups") == 0 && i + 1 < argc)
			{
				char		name[256];

				snprintf(name, sizeof(name), "... and %s", argv[i + 1]);
				s = add_stage(ENGINE, name);
				for (char *group = strtok(argv[i + 1], ","); group != NULL; group = strtok(NULL, ","))
					if (!jj_set_add_name(&s->features, group))
					{
						fprintf(stderr, "bench: there is no group \"%s\"\n", group);
						return 2;
					}
				i += 2;
			}
			else if (strcmp(argv[i], "--measured") == 0 && i + 2 < argc)
			{
				s = add_stage(MEASURED, argv[i + 1]);
				s->command = argv[i + 2];
				s->once = once;
				i += 3;
			}
			else if (strcmp(argv[i], "--peer") == 0 && i + 3 < argc)
			{
				s = add_stage(PEER, argv[i + 1]);
				s->packets = strtoull(argv[i + 2], NULL, 10);
				s->command = argv[i + 3];
				s->once = once;
				i += 4;
			}
			else
			{
				fprintf(stderr, "bench: bad argument \"%s\"\n", argv[i]);
				return 2;
			}
			once = false;
		}
	}
	if (!engine && strcmp(stages_wanted, "none") != 0)
		flow = add_engine_stages(strcmp(stages_wanted, "all") == 0);

	run_libpcap(&stages[0], argv[1]);	/* brings the file into memory */
	for (long r = 0; r < rounds; r++)
		for (int i = 0; i < n_stages; i++)
			if (!stages[i].failed && (r == 0 || !stages[i].once))
				run(&stages[i], argv[1]);
	print_times(stdout, false, flow);
	memory = flow != NULL && strcmp(stages_wanted, "all") == 0;
	if (memory)
		print_memory(stdout, false);
	if (markdown != NULL)
	{
		FILE	   *to = fopen(markdown, "a");

		if (to == NULL)
			die(markdown, NULL);
		print_times(to, true, flow);
		if (memory)
			print_memory(to, true);
		if (fclose(to) != 0)
			die(markdown, NULL);
	}
	return sink == UINT64_MAX;
}
