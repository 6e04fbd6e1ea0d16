/*
 * Flows from the program jj-sensor, which captures and runs the engine in a
 * process of its own, with no privilege but that one. It is started without a
 * shell, with three descriptors, and read through a pipe; what it sends is
 * checked like anything from outside.
 */
#include "pg/feed.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensor/rowstream.h"

#include "portability/instr_time.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#define SILENCE_MS 60000		/* it sends something every second */

typedef struct sensor
{
	jj_feed		feed;
	MemoryContext context;
	jj_allocator allocator;
	pid_t		pid;			/* 0: it has ended, and its status is known */
	int			status;			/* of waitpid(2) */
	int			messages;		/* its standard error, -1 = closed */
	char		said[JJ_MESSAGE_SIZE];	/* the last line there */
	size_t		said_size;
	jj_rowstream_reader *reader;
	bool		ended;			/* it has said that this was all */
	bool		told;			/* to end */
	bool		left;			/* a row may be there that was not taken */
	TimestampTz heard;			/* when it sent something last */
	MemoryContextCallback callback;
} sensor;

/* The process that runs, to be ended with ours. */
static pid_t running;

static void
kill_running(int code pg_attribute_unused(), Datum arg pg_attribute_unused())
{
	if (running != 0)
		(void) kill(running, SIGKILL);
	running = 0;
}

/* ---- the process */

/* Arguments of the program. */
static char **
make_arguments(const char *program, const jj_feed_request *r)
{
	const jj_capture_options *o = r->options;
	char	  **arg = palloc(sizeof(char *) * (30 + 2 * JJ_OPTIONS));
	StringInfoData features;
	int			n = 0;
	bool		all = true;

	initStringInfo(&features);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		if (!jj_set_has(&o->call.engine.features, f))
			all = false;
		else
			appendStringInfo(&features, "%s%s", features.len > 0 ? "," : "", jj_feature_table[f].name);
	}
	arg[n++] = pstrdup(program);
	arg[n++] = "--quiet";
	arg[n++] = psprintf("--interface=%s", r->source);
	if (r->filter != NULL)
		arg[n++] = psprintf("--filter=%s", r->filter);
	arg[n++] = "--output=-";
	arg[n++] = "--format=binary";
	arg[n++] = psprintf("--snaplen=%u", o->live.snaplen);
	arg[n++] = psprintf("--buffer=%d", (int) (o->live.buffer_size >> 20));
	if (!o->live.promiscuous)
		arg[n++] = "--no-promiscuous";
	if (o->live.immediate)
		arg[n++] = "--immediate";
	arg[n++] = psprintf("--features=%s", all ? "all" : features.data);
	for (int i = 0; i < JJ_OPTIONS; i++)
	{
		jj_option_value v;
		jj_option_text text;

		/* the last two are for the engine that has the key */
		if (i == JJ_O_FEATURES || i == JJ_O_CONTINUE || i == JJ_O_ANONYMIZE_IPS || i == JJ_O_ANONYMIZATION_SALT)
			continue;
		jj_option_get(&o->call, (jj_option_id) i, &v);
		jj_option_show(&jj_option_table[i], &v, &text);
		arg[n++] = "--option";
		arg[n++] = psprintf("%s=%s", jj_option_table[i].name, text.text);
	}
	arg[n] = NULL;
	return arg;
}

/* In the child: become the program. Nothing of the server's may be called here. */
static void
become(char **arg, int out, int messages)
{
	static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD};
	static const char text[] = "could not run the program\n";
	sigset_t	none;
	int			input = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < lengthof(signals); i++)
		(void) signal(signals[i], SIG_DFL);
	sigemptyset(&none);
	(void) sigprocmask(SIG_SETMASK, &none, NULL);
	(void) dup2(input, STDIN_FILENO);
	(void) dup2(out, STDOUT_FILENO);
	(void) dup2(messages, STDERR_FILENO);
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++)
		(void) close(fd);
	(void) execv(arg[0], arg);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(126);
	_exit(127);
}

static bool
start_process(sensor *s, char **arg, jj_error *error)
{
	int			out[2] = {-1, -1};
	int			messages[2] = {-1, -1};

	if (pipe2(out, O_CLOEXEC) == 0 && pipe2(messages, O_CLOEXEC) == 0)
	{
		fflush(NULL);
		s->pid = fork();
		if (s->pid == 0)
			become(arg, out[1], messages[1]);
	}
	else
		s->pid = -1;
	if (s->pid < 0)
	{
		(void) jj_fail(error, JJ_ERR_IO, "could not start \"%s\"", arg[0]);
		error->sys_errno = errno;
		s->pid = 0;
		for (int i = 0; i < 2; i++)
		{
			if (out[i] >= 0)
				close(out[i]);
			if (messages[i] >= 0)
				close(messages[i]);
		}
		return false;
	}
	running = s->pid;
	close(out[1]);
	close(messages[1]);
	s->feed.fd = out[0];
	s->messages = messages[0];
	(void) fcntl(s->feed.fd, F_SETFL, O_NONBLOCK);
	(void) fcntl(s->messages, F_SETFL, O_NONBLOCK);
	return true;
}

/* Wait for its end, with whatever it takes. */
static void
end_process(sensor *s)
{
	if (s->pid == 0)
		return;
	for (int i = 0; i < 20; i++)
	{
		if (waitpid(s->pid, &s->status, WNOHANG) == s->pid)
		{
			s->pid = running = 0;
			return;
		}
		pg_usleep(1000L);
	}
	(void) kill(s->pid, SIGKILL);
	while (waitpid(s->pid, &s->status, 0) < 0 && errno == EINTR)
		;
	s->pid = running = 0;
}

/* Read its standard error: the last whole line is kept. */
static void
read_messages(sensor *s)
{
	char		buffer[1024];
	ssize_t		n;

	while (s->messages >= 0 && (n = read(s->messages, buffer, sizeof(buffer))) > 0)
	{
		for (ssize_t i = 0; i < n; i++)
		{
			if (buffer[i] == '\n')
			{
				s->said[s->said_size] = '\0';
				s->said_size = 0;
			}
			else if (s->said_size < sizeof(s->said) - 1)
				s->said[s->said_size++] = buffer[i];
		}
	}
}

/* The stream has ended, or can't be read: say why. */
static bool
fail(sensor *s, const char *why)
{
	jj_error   *e = &s->feed.error;

	end_process(s);
	read_messages(s);
	if (e->code != JJ_OK)
		return false;
	if (s->said[0] != '\0')
		return jj_fail(e, JJ_ERR_IO, "jj-sensor has ended: %.200s", s->said), false;
	if (WIFSIGNALED(s->status))
		return jj_fail(e, JJ_ERR_IO, "jj-sensor was terminated by signal %d", WTERMSIG(s->status)), false;
	if (WIFEXITED(s->status) && WEXITSTATUS(s->status) != 0)
		return jj_fail(e, JJ_ERR_IO, "jj-sensor has ended with status %d", WEXITSTATUS(s->status)), false;
	return jj_fail(e, JJ_ERR_IO, "jj-sensor has ended%s%s", why[0] != '\0' ? ": " : "", why), false;
}

/* ---- the stream */

static void
take_statistics(sensor *s, const jj_rowstream_stats *x)
{
	uint64	   *count = s->feed.count;
	uint64		skipped = 0;

	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		skipped += x->skipped[i];
	count[JJ_COUNT_PACKETS] = x->frames;
	count[JJ_COUNT_BYTES] = x->wire_bytes;
	count[JJ_COUNT_NO_FLOW] = skipped;
	count[JJ_COUNT_KERNEL_DROPS] = x->kernel_drops;
	count[JJ_COUNT_INTERFACE_DROPS] = x->interface_drops;
	count[JJ_COUNT_ACTIVE_FLOWS] = x->flows_live;
	count[JJ_COUNT_MEMORY] = x->memory_flows;
}

static void
take_message(sensor *s, const jj_rowstream_message *m)
{
	const jj_feed_request *r = s->feed.request;

	switch (m->type)
	{
		case JJ_ROWSTREAM_BEGIN:
			s->feed.ready = true;
			break;
		case JJ_ROWSTREAM_ROW:
			r->take(r->arg, m->row);
			break;
		case JJ_ROWSTREAM_STATISTICS:
			take_statistics(s, m->stats);
			break;
		case JJ_ROWSTREAM_HEARTBEAT:
			break;
		case JJ_ROWSTREAM_WARNING:
			strlcpy(s->feed.warning, m->text, sizeof(s->feed.warning));
			break;
		case JJ_ROWSTREAM_ERROR:
			s->feed.error = *m->error;
			if (s->feed.error.code == JJ_OK)
				s->feed.error.code = JJ_ERR_IO;
			break;
		case JJ_ROWSTREAM_END:
			s->ended = true;
			break;
	}
}

/* Take the messages that are there. False after a failure. */
static bool
take_messages(sensor *s)
{
	const jj_feed_request *r = s->feed.request;
	jj_rowstream_message m;
	bool		have;

	for (;;)
	{
		s->left = !r->has_room(r->arg);
		if (s->left)
			return true;
		if (jj_rowstream_next(s->reader, &m, &have, &s->feed.error) != JJ_OK)
		{
			/* whatever sends this is not to go on */
			if (s->pid != 0)
				(void) kill(s->pid, SIGKILL);
			return fail(s, "");
		}
		if (!have)
			return true;
		take_message(s, &m);
	}
}

/* It has said that this was all: as it should, or before it was told to. */
static bool
finished(sensor *s)
{
	return s->told ? false : fail(s, "");
}

static bool
pump(jj_feed *feed, int ms)
{
	sensor	   *s = (sensor *) feed;
	instr_time	begin;
	instr_time	now;

	INSTR_TIME_SET_CURRENT(begin);
	for (;;)
	{
		size_t		room;
		uint8_t    *to;
		ssize_t		n;

		if (!take_messages(s))
			return false;
		if (s->left)
			return true;
		if (s->ended)
			return finished(s);
		to = jj_rowstream_space(s->reader, &room);
		if (to == NULL)
			return jj_fail(&feed->error, JJ_ERR_NOMEM, "out of memory"), false;
		n = read(feed->fd, to, room);
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		{
			struct pollfd p = {.fd = feed->fd, .events = POLLIN};

			/* once it has been told to end there is more until it says that there isn't */
			if (s->told)
				(void) poll(&p, 1, Min(ms, 20));
			return s->told;
		}
		if (n <= 0)
			return fail(s, "in the middle of its output");
		jj_rowstream_filled(s->reader, (size_t) n);
		s->heard = GetCurrentTimestamp();
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, begin);
		if (INSTR_TIME_GET_MILLISEC(now) >= ms)
			return true;
	}
}

static void
tick(jj_feed *feed)
{
	sensor	   *s = (sensor *) feed;

	read_messages(s);
	if (s->left)
		s->heard = GetCurrentTimestamp();
	if (TimestampDifferenceExceeds(s->heard, GetCurrentTimestamp(), SILENCE_MS))
	{
		if (s->pid != 0)
			(void) kill(s->pid, SIGKILL);
		(void) jj_fail(&feed->error, JJ_ERR_IO, "jj-sensor has sent nothing for %d seconds", SILENCE_MS / 1000);
	}
}

static void
finish(jj_feed *feed, int ms)
{
	sensor	   *s = (sensor *) feed;
	TimestampTz limit = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), ms);

	s->told = true;
	if (feed->error.code == JJ_OK && s->pid != 0)
		(void) kill(s->pid, SIGTERM);
	while (feed->error.code == JJ_OK && !s->ended && !s->left && GetCurrentTimestamp() < limit)
	{
		jj_check_interrupts();
		(void) pump(feed, 20);
	}
	feed->count[JJ_COUNT_ACTIVE_FLOWS] = 0;
}

/* ---- life */

/* What is not in the context's memory. */
static void
close_all(void *arg)
{
	sensor	   *s = arg;

	if (s->pid != 0)
		(void) kill(s->pid, SIGKILL);
	end_process(s);
	if (s->feed.fd >= 0)
		close(s->feed.fd);
	if (s->messages >= 0)
		close(s->messages);
	s->feed.fd = s->messages = -1;
	jj_rowstream_close(s->reader);
	s->reader = NULL;
}

static void
close_sensor(jj_feed *feed)
{
	MemoryContextDelete(((sensor *) feed)->context);
}

jj_feed *
jj_feed_sensor(const jj_feed_request *r, jj_error *error)
{
	static bool registered;
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay feed", ALLOCSET_DEFAULT_SIZES);
	sensor	   *s = MemoryContextAllocZero(context, sizeof(sensor));
	MemoryContext old = MemoryContextSwitchTo(context);
	char	  **arg = make_arguments(jj_sensor_program(), r);

	MemoryContextSwitchTo(old);
	s->context = context;
	s->allocator = jj_context_allocator(context);
	s->feed = (jj_feed) {.request = r, .how = "sensor", .fd = -1, .pump = pump, .tick = tick, .finish = finish, .close = close_sensor};
	s->messages = -1;
	s->heard = GetCurrentTimestamp();
	s->callback.func = close_all;
	s->callback.arg = s;
	MemoryContextRegisterResetCallback(context, &s->callback);
	if (!registered)
		on_proc_exit(kill_running, (Datum) 0);
	registered = true;
	if (jj_rowstream_open(&s->reader, &s->allocator, error) == JJ_OK && start_process(s, arg, error))
		return &s->feed;
	MemoryContextDelete(context);
	return NULL;
}
