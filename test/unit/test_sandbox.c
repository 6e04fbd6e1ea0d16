/*
 * Privileges that are given up, each in a process of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sensor/sandbox.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Run a function in a child; its result, or 1000 and the signal that ended it. */
static int
in_child(int (*f) (void))
{
	int			status;
	pid_t		pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		(void) syscall(SYS_exit_group, f());	/* not _exit(2): AddressSanitizer's does more */
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static jj_error err;

/* A line of /proc/self/status. */
static bool
status_is(const char *text, const char *key, const char *value)
{
	const char *line = strstr(text, key);

	return line != NULL && strncmp(line + strlen(key), value, strlen(value)) == 0;
}

static int
dropped(void)
{
	char		text[8192];
	int			fd = open("/proc/self/status", O_RDONLY);
	ssize_t		n;
	struct rlimit l;

	if (jj_sandbox_drop("nobody", &err) != JJ_OK)
	{
		printf("# %s\n", err.message);
		fflush(stdout);
		return 1;
	}
	n = pread(fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	if (geteuid() == 0 || getegid() == 0 || setuid(0) == 0)
		return 2;
	if (!status_is(text, "CapEff:\t", "0000000000000000") || !status_is(text, "CapPrm:\t", "0000000000000000")
		|| !status_is(text, "CapInh:\t", "0000000000000000") || !status_is(text, "CapAmb:\t", "0000000000000000"))
		return 3;
	if (!status_is(text, "NoNewPrivs:\t", "1"))
		return 4;
	if (getrlimit(RLIMIT_CORE, &l) != 0 || l.rlim_max != 0)
		return 5;
	return 0;
}

static int
unknown_user(void)
{
	if (geteuid() != 0)
		return 0;
	return jj_sandbox_drop("no such user", &err) == JJ_ERR_ARGUMENT && strcmp(err.message, "user \"no such user\" does not exist") == 0
		&& jj_sandbox_drop("root", &err) == JJ_ERR_ARGUMENT && strcmp(err.message, "user \"root\" is root") == 0 ? 0 : 1;
}

/* What a sensor does after it has begun. */
static int
works(void)
{
	int			in = open("/dev/zero", O_RDONLY);
	int			out = open("/dev/null", O_WRONLY);
	char		bytes[100];
	void	   *p;
	const struct timespec moment = {0, 1000};

	if (jj_sandbox_filter(&err) != JJ_OK)
		return 1;
	if (read(in, bytes, sizeof(bytes)) != (ssize_t) sizeof(bytes) || write(out, bytes, sizeof(bytes)) != (ssize_t) sizeof(bytes))
		return 2;
	p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || munmap(p, 1 << 20) != 0)
		return 3;
	if (nanosleep(&moment, NULL) != 0 || getpid() <= 0)
		return 4;
	return 0;
}

static int
opens_a_file(void)
{
	if (jj_sandbox_filter(&err) != JJ_OK)
		return 1;
	return open("/dev/null", O_RDONLY) < 0 && errno == EPERM && unlink("/nosuch") < 0 && errno == EPERM ? 0 : 2;
}

static int
opens_a_socket(void)
{
	if (jj_sandbox_filter(&err) != JJ_OK)
		return 1;
	(void) socket(AF_INET, SOCK_STREAM, 0);
	return 0;
}

static int
runs_a_program(void)
{
	if (jj_sandbox_filter(&err) != JJ_OK)
		return 1;
	(void) execl("/bin/true", "true", (char *) NULL);
	return 0;
}

static int
forks(void)
{
	if (jj_sandbox_filter(&err) != JJ_OK)
		return 1;
	(void) fork();
	return 0;
}

static int
closes_inherited(void)
{
	int			a = open("/dev/null", O_RDONLY);
	int			b = open("/dev/null", O_RDONLY);
	int			c = open("/dev/null", O_RDONLY);

	jj_sandbox_close_inherited(b);
	if (fcntl(a, F_GETFD) >= 0 || fcntl(b, F_GETFD) < 0 || fcntl(c, F_GETFD) >= 0 || fcntl(1, F_GETFD) < 0)
		return 1;
	jj_sandbox_close_inherited(-1);
	return fcntl(b, F_GETFD) >= 0 || fcntl(2, F_GETFD) < 0;
}

int
main(void)
{
	if (geteuid() == 0)
		is_int(in_child(dropped), 0, "root becomes nobody, without capabilities, for good");
	else
		is_int(in_child(dropped), 0, "capabilities are dropped, for good");
	is_int(in_child(unknown_user), 0, "users that can't be");
	is_int(in_child(closes_inherited), 0, "descriptors that were inherited are closed but one");
	if (!jj_sandbox_filters())
	{
		ok(true, "system calls # SKIP built without libseccomp");
		return done_testing();
	}
	is_int(in_child(works), 0, "reading, writing, memory, waiting work");
	is_int(in_child(opens_a_file), 0, "files can't be opened");
	is_int(in_child(opens_a_socket), 1000 + SIGSYS, "a socket ends the process");
	is_int(in_child(runs_a_program), 1000 + SIGSYS, "so does running a program");
	is_int(in_child(forks), 1000 + SIGSYS, "and a child");
	return done_testing();
}
