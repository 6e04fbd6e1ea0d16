/*
 * Packets to rows: the loops of jj-sensor.
 */
#include "sensor/run.h"
#include "features/cryptopan.h"
#include "sensor/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 100				/* longest wait for packets: signals and clocks are looked at as often */
#define TICK JJ_SECOND			/* how often flows are ended by the clock, rows flushed, counters sent */
#define DISORDER JJ_SECOND		/* by so much packets may be read later than others of their time */
#define DRAIN_LIMIT (2 * JJ_SECOND) /* for reading what is in the ring at the end */

typedef struct run
{
	const jj_arguments *a;
	volatile sig_atomic_t *stop;
	jj_allocator allocator;
	jj_output	output;
	jj_engine  *engine;
	jj_filter  *filter;			/* of files; that of an interface is the kernel's */
	jj_live    *live;
	int		   *fds;			/* of the files */
	uint64_t	packets;		/* read so far */
	uint64_t	unusable;		/* records of files that can't be packets */
	jj_live_stats stats;
	bool		gone;			/* the interface */
} run;

void
jj_say(const char *format,...)
{
	char		line[1024] = "jj-sensor: ";
	const size_t head = strlen(line);
	va_list		args;
	int			n;

	va_start(args, format);
	n = vsnprintf(line + head, sizeof(line) - head - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	n = (int) strlen(line);
	line[n++] = '\n';
	(void) !write(STDERR_FILENO, line, (size_t) n);
}

void
jj_say_error(const jj_error *err)
{
	jj_say("%s", err->message);
	if (err->hint[0] != '\0')
		jj_say("%s", err->hint);
}

static int64_t
clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t) t.tv_sec * JJ_SECOND + t.tv_nsec;
}

/* ---- opening */

static jj_code
open_output(run *r, jj_error *err)
{
	const jj_arguments *a = r->a;
	struct stat st;
	int			fd = STDOUT_FILENO;

	if (strcmp(a->output, "-") != 0)
	{
		fd = open(a->output, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
		if (fd < 0)
			return jj_fail(err, JJ_ERR_IO, "could not open output \"%.150s\": %s", a->output, strerror(errno));
	}
	if (fstat(fd, &st) != 0)
		return jj_fail(err, JJ_ERR_IO, "could not stat output \"%.150s\": %s", a->output, strerror(errno));
	if (fd != STDOUT_FILENO && S_ISREG(st.st_mode) && st.st_size > 0)
	{
		if (!a->overwrite)
		{
			jj_fail(err, JJ_ERR_ARGUMENT, "output \"%.150s\" exists and is not empty", a->output);
			jj_hint(err, "With --overwrite it is replaced.");
			return JJ_ERR_ARGUMENT;
		}
		if (ftruncate(fd, 0) != 0)
			return jj_fail(err, JJ_ERR_IO, "could not truncate output \"%.150s\": %s", a->output, strerror(errno));
	}
	if (a->format == JJ_OUTPUT_BINARY && isatty(fd))
		return jj_fail(err, JJ_ERR_ARGUMENT, "binary rows are not for a terminal");
	jj_output_init(&r->output, a->format, fd, strcmp(a->output, "-") == 0 ? "standard output" : a->output,
				   &a->options.engine.features, r->stop, &r->allocator);
	jj_sandbox_close_inherited(fd == STDOUT_FILENO ? -1 : fd);
	return JJ_OK;
}

static jj_code
open_file(const char *path, int *fd, jj_error *err)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (*fd < 0)
		return jj_fail(err, JJ_ERR_IO, "could not open capture \"%.150s\": %s", path, strerror(errno));
	if (fstat(*fd, &st) != 0)
		return jj_fail(err, JJ_ERR_IO, "could not stat capture \"%.150s\": %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
	{
		jj_fail(err, JJ_ERR_ARGUMENT, "\"%.150s\" is not a regular file", path);
		jj_hint(err, "Captures are read from regular files, not from pipes, sockets, devices or folders.");
		return JJ_ERR_ARGUMENT;
	}
	return JJ_OK;
}

static jj_code
open_sources(run *r, jj_error *err)
{
	const jj_arguments *a = r->a;
	jj_code		code = JJ_OK;

	if (a->action == JJ_DO_LIVE)
	{
		code = jj_live_open(&r->live, a->interface, a->filter, &a->live, &r->allocator, err);
		if (code == JJ_ERR_PERMISSION)
			jj_hint(err, "Run it as root, or give the program the capability, as root: setcap cap_net_raw+ep %.150s",
					r->a->program);
		return code;
	}
	r->fds = calloc((size_t) a->n_files, sizeof(int));
	if (r->fds == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	for (int i = 0; i < a->n_files && code == JJ_OK; i++)
		code = open_file(a->files[i], &r->fds[i], err);
	if (code == JJ_OK && a->filter != NULL)
		code = jj_filter_open(&r->filter, a->filter, &r->allocator, err);
	return code;
}

/* The key that the secret in the file and the salt give. */
static jj_code
read_key(const jj_arguments *a, uint8_t key[JJ_CRYPTOPAN_KEY], jj_error *err)
{
	char		secret[1024];
	struct stat st;
	ssize_t		n = -1;
	bool		good;
	int			fd = open(a->key_file, O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) != 0 || (n = read(fd, secret, sizeof(secret))) < 0)
		jj_fail(err, JJ_ERR_IO, "could not read key file \"%.150s\": %s", a->key_file, strerror(errno));
	if (fd >= 0)
		(void) close(fd);
	if (n < 0)
		return JJ_ERR_IO;
	if (st.st_mode & S_IRWXO)
		return jj_fail(err, JJ_ERR_PERMISSION, "key file \"%.150s\" may be read or written by everyone", a->key_file);
	while (n > 0 && (secret[n - 1] == '\n' || secret[n - 1] == '\r'))
		n--;
	if (n == 0 || n == (ssize_t) sizeof(secret) || memchr(secret, '\0', (size_t) n) != NULL)
		return jj_fail(err, JJ_ERR_ARGUMENT, "key file \"%.150s\" must have one line of 1 to %zu bytes", a->key_file, sizeof(secret) - 1);
	good = jj_cryptopan_key(secret, (size_t) n, a->options.salt, strlen(a->options.salt), key);
	explicit_bzero(secret, sizeof(secret));
	return good ? JJ_OK : jj_fail(err, JJ_ERR_ARGUMENT, "libcrypto does not offer HMAC-SHA-256, which anonymization needs");
}

static jj_code
open_engine(run *r, jj_error *err)
{
	jj_options	o = r->a->options.engine;
	jj_code		code;

	if (o.anonymize && (code = read_key(r->a, o.anonymization_key, err)) != JJ_OK)
		return code;
	if (getrandom(&o.hash_seed, sizeof(o.hash_seed), 0) != (ssize_t) sizeof(o.hash_seed))
		return jj_fail(err, JJ_ERR_IO, "could not get a random seed: %s", strerror(errno));
	code = jj_engine_open(&r->engine, &o, r->filter, &r->allocator, err);
	explicit_bzero(o.anonymization_key, sizeof(o.anonymization_key));
	return code;
}

static jj_code
give_up_privileges(const run *r, jj_error *err)
{
	jj_code		code = jj_sandbox_drop(r->a->user, err);

	if (code != JJ_OK || !r->a->seccomp)
		return code;
	if (!jj_sandbox_filters() && !r->a->quiet)
		jj_say("built without libseccomp: system calls are not limited");
	return jj_sandbox_filter(err);
}

/* ---- rows */

static jj_code
take_rows(run *r, jj_error *err)
{
	const jj_row *row = NULL;
	bool		have;
	jj_code		code;

	while ((code = jj_engine_next(r->engine, &row, &have, err)) == JJ_OK && have)
	{
		code = jj_output_row(&r->output, row, err);
		if (code != JJ_OK)
			break;
	}
	return code;
}

static jj_code
feed(run *r, const jj_frame *frames, uint32_t n, jj_error *err)
{
	jj_code		code = jj_engine_feed(r->engine, frames, n, err);

	r->packets += n;
	return code == JJ_OK ? take_rows(r, err) : code;
}

/* Most frames to be read at once, of those that may still be read. */
static uint32_t
batch(const run *r)
{
	const uint64_t rest = r->a->count - r->packets;

	return rest < JJ_BATCH ? (uint32_t) rest : JJ_BATCH;
}

/* ---- what a row stream says besides */

static jj_code
send_counters(run *r, jj_error *err)
{
	jj_rowstream_stats s;

	memset(&s, 0, sizeof(s));
	s.time = (uint64_t) clock_of(CLOCK_REALTIME);
	s.rows = r->output.rows;
	s.delivered = r->stats.delivered;
	s.delivered_bytes = r->stats.delivered_bytes;
	s.received = r->stats.received;
	s.kernel_drops = r->stats.kernel_drops;
	s.interface_drops = r->stats.interface_drops;
	s.up = r->stats.up;
	jj_rowstream_stats_engine(&s, jj_engine_counters(r->engine));
	return jj_rowstream_statistics(&r->output.writer, &s, err);
}

/* Something that is not as it should be. */
static void
warn(run *r, const char *text)
{
	if (!r->a->quiet)
		jj_say("warning: %s", text);
	if (r->output.format == JJ_OUTPUT_BINARY)
		(void) jj_rowstream_warning(&r->output.writer, text, NULL);
}

/* ---- an interface */

/* Read what is there; *idle: that is nothing any more. False at a failure. */
static jj_code
read_live(run *r, bool *idle, jj_error *err)
{
	jj_frame	frames[JJ_BATCH];
	uint32_t	n;
	jj_code		code = jj_live_next(r->live, frames, batch(r), &n, err);

	*idle = code != JJ_OK || n == 0;
	if (code == JJ_ERR_DEVICE)
		r->gone = true;
	return *idle ? code : feed(r, frames, n, err);
}

/* Once a second: flows that have been quiet end, what has gathered is written. idle_at: when there was nothing to read, 0 = never since. */
static jj_code
tick(run *r, int64_t idle_at, jj_error *err)
{
	const int64_t late = DISORDER + (int64_t) r->a->live.timeout_ms * (JJ_SECOND / 1000);
	jj_code		code = JJ_OK;

	if (idle_at != 0)
	{
		code = jj_engine_advance(r->engine, idle_at - late, err);
		if (code == JJ_OK)
			code = take_rows(r, err);
	}
	if (code == JJ_OK)
	{
		code = jj_live_stats_get(r->live, &r->stats, err);
		r->gone = code == JJ_ERR_DEVICE;
	}
	if (code == JJ_OK && r->output.format == JJ_OUTPUT_BINARY)
	{
		code = send_counters(r, err);
		if (code == JJ_OK && idle_at != 0)
			code = jj_rowstream_heartbeat(&r->output.writer, idle_at - late, err);
	}
	return code == JJ_OK ? jj_output_flush(&r->output, err) : code;
}

/* What was captured before the end, and may not be readable yet. */
static jj_code
drain(run *r, jj_error *err)
{
	const int64_t begin = clock_of(CLOCK_MONOTONIC);
	const int64_t gather = r->a->live.immediate ? 0 : (int64_t) (r->a->live.timeout_ms + 20) * (JJ_SECOND / 1000);
	jj_code		code = JJ_OK;

	while (code == JJ_OK && r->packets < r->a->count && *r->stop < 2)
	{
		const int64_t spent = clock_of(CLOCK_MONOTONIC) - begin;
		struct pollfd p = {.fd = jj_live_fd(r->live),.events = POLLIN};
		bool		idle;

		code = read_live(r, &idle, err);
		if (spent > DRAIN_LIMIT + gather || (idle && spent > gather))
			break;
		if (idle)
			(void) poll(&p, 1, 10);
	}
	return code;
}

static jj_code
run_live(run *r, jj_error *err)
{
	const int64_t begin = clock_of(CLOCK_MONOTONIC);
	int64_t		ticked = begin;
	int64_t		idle_at = 0;
	jj_code		code = JJ_OK;

	if (r->output.format == JJ_OUTPUT_BINARY)
		code = jj_rowstream_begin(&r->output.writer, jj_live_link(r->live), jj_live_nanoseconds(r->live),
								  r->a->interface, err);
	if (jj_live_warning(r->live) != NULL)
		warn(r, jj_live_warning(r->live));
	if (code == JJ_OK)
		code = jj_output_flush(&r->output, err);
	while (code == JJ_OK && *r->stop == 0 && r->packets < r->a->count)
	{
		struct pollfd p = {.fd = jj_live_fd(r->live),.events = POLLIN};
		const int64_t now = clock_of(CLOCK_MONOTONIC);
		const int64_t wall = clock_of(CLOCK_REALTIME);
		bool		idle;

		if (r->a->duration != JJ_INFINITE && now - begin >= r->a->duration)
			break;
		code = read_live(r, &idle, err);
		if (code == JJ_OK && idle)
		{
			idle_at = wall;
			code = jj_output_flush(&r->output, err);
		}
		if (code == JJ_OK && now - ticked >= TICK)
		{
			ticked = now;
			code = tick(r, idle_at, err);
			idle_at = 0;
		}
		if (code == JJ_OK && idle)
			(void) poll(&p, 1, WAIT_MS);
	}
	return code == JJ_OK ? drain(r, err) : code;
}

/* ---- files */

/* A file's name without its folder. */
static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Put the capture's name in front of an error of its reader. */
static jj_code
about_file(const char *path, jj_code code, jj_error *err)
{
	const jj_error own = *err;

	if (code == JJ_OK || code == JJ_ERR_FILTER)
		return code;
	jj_fail(err, code, "capture \"%.100s\": %.140s", path, own.message);
	memcpy(err->hint, own.hint, sizeof(err->hint));
	return code;
}

static jj_code
read_file(run *r, jj_reader *reader, const char *path, jj_error *err)
{
	jj_frame	frames[JJ_BATCH];
	uint32_t	n = 1;
	jj_code		code = JJ_OK;

	while (code == JJ_OK && n > 0 && *r->stop == 0 && r->packets < r->a->count)
	{
		code = about_file(path, jj_reader_next(reader, frames, batch(r), &n, err), err);
		if (code == JJ_OK && n > 0)
			code = feed(r, frames, n, err);
	}
	return code;
}

static jj_code
run_file(run *r, const char *path, int fd, jj_error *err)
{
	const jj_reader_info *info;
	jj_reader  *reader;
	const char *text;
	jj_code		code = jj_reader_open_fd(&reader, fd, &r->allocator, err);

	if (code != JJ_OK)
		return about_file(path, code, err);
	info = jj_reader_info_get(reader);
	if (info->format != JJ_FORMAT_PCAPNG && !jj_link_supported(info->ifaces[0].link))
		code = jj_fail(err, JJ_ERR_LINK, "capture \"%.150s\": link type %" PRIu32 " is not supported", path, info->ifaces[0].link);
	if (code == JJ_OK)
		code = jj_engine_source(r->engine, r->a->name != NULL ? r->a->name : base_name(path), !r->a->options.keep_flows, err);
	if (code == JJ_OK)
		code = take_rows(r, err);
	if (code == JJ_OK)
		code = read_file(r, reader, path, err);
	r->unusable += info->unusable;
	for (uint32_t i = 0; (text = jj_reader_warning(reader, i)) != NULL; i++)
	{
		char		line[JJ_MESSAGE_SIZE + 256];

		(void) snprintf(line, sizeof(line), "capture \"%.200s\": %s", path, text);
		warn(r, line);
	}
	jj_reader_close(reader);
	return code;
}

static jj_code
run_files(run *r, jj_error *err)
{
	jj_code		code = JJ_OK;

	if (r->output.format == JJ_OUTPUT_BINARY)
		code = jj_rowstream_begin(&r->output.writer, 0, true, r->a->n_files == 1 ? r->a->files[0] : "files", err);
	for (int i = 0; i < r->a->n_files && code == JJ_OK && *r->stop == 0 && r->packets < r->a->count; i++)
	{
		code = run_file(r, r->a->files[i], r->fds[i], err);
		(void) close(r->fds[i]);
	}
	if (code == JJ_OK && *r->stop != 0)
		code = jj_fail(err, JJ_ERR_IO, "interrupted before all files were read to their end");
	return code;
}

/* ---- the end */

/* What the row stream says at its end, also of a failure. */
static jj_code
end_stream(run *r, const jj_error *failure, jj_error *err)
{
	jj_rowstream_writer *w = &r->output.writer;
	jj_code		code = send_counters(r, err);

	if (code == JJ_OK && failure->code != JJ_OK)
		code = jj_rowstream_failure(w, failure, err);
	return code == JJ_OK ? jj_rowstream_end(w, err) : code;
}

static void
say_skipped(const run *r)
{
	const jj_counters *c = jj_engine_counters(r->engine);
	char		reasons[400] = "";
	uint64_t	skipped = r->unusable;

	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
	{
		const size_t used = strlen(reasons);

		if (c->skipped[i] == 0)
			continue;
		(void) snprintf(reasons + used, sizeof(reasons) - used, "%s%" PRIu64 " %s", used > 0 ? ", " : "", c->skipped[i], jj_skip_name[i]);
		skipped += c->skipped[i];
	}
	if (r->unusable > 0)
	{
		const size_t used = strlen(reasons);

		(void) snprintf(reasons + used, sizeof(reasons) - used, "%s%" PRIu64 " unknown_interface", used > 0 ? ", " : "", r->unusable);
	}
	if (skipped > 0)
		jj_say("%" PRIu64 " of %" PRIu64 " packets gave no flow: %s", skipped, r->packets + r->unusable, reasons);
	if (c->stream_refused > 0)
		jj_say("%" PRIu64 " payload bytes behind gaps of TCP streams were not kept", c->stream_refused);
}

static void
say_statistics(const run *r)
{
	const jj_counters *c = jj_engine_counters(r->engine);

	if (r->a->action == JJ_DO_LIVE)
		jj_say("%" PRIu64 " packets of %s, %" PRIu64 " dropped by the kernel, %" PRIu64 " by the interface", r->packets,
			   r->a->interface, r->stats.kernel_drops, r->stats.interface_drops);
	else
		jj_say("%" PRIu64 " packets of %d %s", r->packets, r->a->n_files, r->a->n_files == 1 ? "file" : "files");
	say_skipped(r);
	jj_say("%" PRIu64 " flows, %" PRIu64 " rows written", c->flows_started, r->output.rows_flushed);
	if (c->flows_evicted > 0)
		jj_say("%" PRIu64 " flows were evicted, to keep max_concurrent_flows", c->flows_evicted);
	if (r->output.rows_flushed < c->flows_started)
		jj_say("%" PRIu64 " flows were not written", c->flows_started - r->output.rows_flushed);
}

/* End flows, write them, tell; the exit status. */
static int
finish(run *r, jj_code code, jj_error *err)
{
	jj_error	failure = *err;
	jj_error	other;

	failure.code = code;
	if (r->live != NULL && jj_live_stats_get(r->live, &r->stats, NULL) == JJ_ERR_DEVICE)
		r->gone = true;
	/* flows that are whole are written whatever failed, if only they can be */
	if (!r->output.reader_gone && *r->stop < 2)
	{
		jj_code		ended = code == JJ_ERR_NOMEM ? JJ_OK : jj_engine_finish(r->engine, &other);

		if (ended == JJ_OK)
			ended = take_rows(r, &other);
		if (ended == JJ_OK && r->output.format == JJ_OUTPUT_BINARY)
			ended = end_stream(r, &failure, &other);
		if (ended == JJ_OK)
			ended = jj_output_flush(&r->output, &other);
		if (ended != JJ_OK && code == JJ_OK)
		{
			code = ended;
			failure = other;
		}
	}
	if (code == JJ_OK && *r->stop >= 2)
		code = jj_fail(&failure, JJ_ERR_IO, "interrupted before all flows were written");
	if (code == JJ_OK && strcmp(r->a->output, "-") != 0 && close(r->output.fd) != 0)
		code = jj_fail(&failure, JJ_ERR_IO, "could not write output \"%.150s\": %s", r->output.name, strerror(errno));
	if (code != JJ_OK)
		jj_say_error(&failure);
	if (!r->a->quiet)
		say_statistics(r);
	return code == JJ_OK ? JJ_EXIT_OK : r->output.reader_gone ? JJ_EXIT_READER : r->gone ? JJ_EXIT_GONE : JJ_EXIT_FAILED;
}

static void
close_all(run *r)
{
	jj_engine_close(r->engine);
	jj_live_close(r->live);
	jj_filter_close(r->filter);
	jj_output_free(&r->output);
	free(r->fds);
}

/* What may be read from is open, what may be written to, too; no packet has been looked at. */
static jj_code
begin(run *r, jj_error *err)
{
	jj_code		code = open_output(r, err);

	if (code == JJ_OK)
		code = open_sources(r, err);
	if (code == JJ_OK)
		code = open_engine(r, err);
	if (code == JJ_OK)
		code = give_up_privileges(r, err);
	if (code == JJ_OK)
		code = jj_output_header(&r->output, err);
	if (code == JJ_OK && r->live != NULL)
		code = jj_engine_source(r->engine, r->a->name != NULL ? r->a->name : r->a->interface, true, err);
	return code;
}

/* A failure before there is anything to count: whoever reads a row stream is told in it. */
static int
not_begun(run *r, const jj_error *err)
{
	jj_say_error(err);
	if (r->output.format == JJ_OUTPUT_BINARY && r->output.name != NULL && r->output.writer.used == 0
		&& jj_output_header(&r->output, NULL) == JJ_OK && jj_rowstream_failure(&r->output.writer, err, NULL) == JJ_OK
		&& jj_rowstream_end(&r->output.writer, NULL) == JJ_OK)
		(void) jj_output_flush(&r->output, NULL);
	return JJ_EXIT_FAILED;
}

int
jj_run(const jj_arguments *a, volatile sig_atomic_t *stop)
{
	run			r;
	jj_error	err;
	jj_code		code;
	int			status;

	memset(&r, 0, sizeof(r));
	memset(&err, 0, sizeof(err));
	r.a = a;
	r.stop = stop;
	r.allocator = jj_malloc_allocator();
	code = begin(&r, &err);
	if (code != JJ_OK)
		status = not_begun(&r, &err);
	else
	{
		code = r.live != NULL ? run_live(&r, &err) : run_files(&r, &err);
		status = finish(&r, code, &err);
	}
	close_all(&r);
	return status;
}
