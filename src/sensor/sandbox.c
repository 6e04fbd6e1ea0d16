/*
 * Giving up privileges.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* setresuid(2), close_range(2) */
#endif
#include "sensor/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#if defined(JJ_HAVE_SECCOMP)
#include <fcntl.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#endif

static jj_code
failed(const char *what, int number, jj_error *err)
{
	return jj_fail(err, JJ_ERR_PERMISSION, "could not %s: %s", what, strerror(number));
}

void
jj_sandbox_close_inherited(int keep)
{
	const long	limit = sysconf(_SC_OPEN_MAX);

#if defined(SYS_close_range)
	if ((keep <= 3 || syscall(SYS_close_range, 3U, (unsigned) keep - 1, 0U) == 0)
		&& syscall(SYS_close_range, keep < 3 ? 3U : (unsigned) keep + 1, ~0U, 0U) == 0)
		return;
#endif
	for (int fd = 3; fd < (limit > 0 && limit < 65536 ? limit : 65536); fd++)
		if (fd != keep)
			(void) close(fd);
}

static jj_code
change_user(const char *user, jj_error *err)
{
	const struct passwd *p;

	errno = 0;
	p = getpwnam(user);
	if (p == NULL)
		return jj_fail(err, JJ_ERR_ARGUMENT, "user \"%.100s\" does not exist", user);
	if (p->pw_uid == 0)
		return jj_fail(err, JJ_ERR_ARGUMENT, "user \"%.100s\" is root", user);
	if (setgroups(0, NULL) != 0 || setgid(p->pw_gid) != 0 || setuid(p->pw_uid) != 0)
		return failed("change the user", errno, err);
	if (getuid() == 0 || geteuid() == 0 || setuid(0) == 0)
		return jj_fail(err, JJ_ERR_PERMISSION, "could not change the user for good");
	return JJ_OK;
}

#if defined(__linux__)

/* So that no program that is run can have one; only who has CAP_SETPCAP can do that. */
static void
drop_bounding_set(void)
{
	for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) != 0)
			return;
}

static jj_code
drop_capabilities(jj_error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3,.pid = 0};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	memset(data, 0, sizeof(data));
#if defined(PR_CAP_AMBIENT)
	(void) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
#endif
	if (syscall(SYS_capset, &head, data) != 0)
		return failed("drop capabilities", errno, err);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return failed("forbid new privileges", errno, err);
	/* memory that holds packets is nobody else's */
	(void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	return JJ_OK;
}

#endif

static jj_code
limit(int resource, rlim_t most, const char *what, jj_error *err)
{
	struct rlimit l = {.rlim_cur = most,.rlim_max = most};

	return setrlimit(resource, &l) == 0 ? JJ_OK : failed(what, errno, err);
}

jj_code
jj_sandbox_drop(const char *user, jj_error *err)
{
	jj_code		code;

#if defined(__linux__)
	drop_bounding_set();
#endif
	if (geteuid() == 0 && (code = change_user(user, err)) != JJ_OK)
		return code;
#if defined(__linux__)
	code = drop_capabilities(err);
	if (code != JJ_OK)
		return code;
#endif
	/* poll(2) takes no more descriptors than RLIMIT_NOFILE; none of these numbers is free */
	code = limit(RLIMIT_NOFILE, 4, "limit descriptors", err);
	if (code == JJ_OK)
		code = limit(RLIMIT_CORE, 0, "forbid core files", err);
#if defined(RLIMIT_NPROC)
	if (code == JJ_OK)
		code = limit(RLIMIT_NPROC, 0, "forbid children", err);
#endif
	return code;
}

#if defined(JJ_HAVE_SECCOMP)

bool
jj_sandbox_filters(void)
{
	return true;
}

/* of reading, writing, waiting, memory, and of the way out */
static const char *const allowed[] = {
	"read", "readv", "pread64", "write", "writev", "pwrite64", "lseek", "_llseek", "close", "fsync",
	"poll", "ppoll", "ppoll_time64", "select", "pselect6", "pselect6_time64",
	"recvfrom", "recvmsg", "recv", "sendto", "send", "getsockopt", "setsockopt",
	"brk", "mmap", "mmap2", "munmap", "mremap", "madvise", "mprotect",
	"clock_gettime", "clock_gettime64", "gettimeofday", "time", "nanosleep", "clock_nanosleep", "clock_nanosleep_time64",
	"getrandom", "getpid", "gettid", "fstat", "fstat64", "futex", "futex_time64", "sched_yield",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "restart_syscall",
	"exit", "exit_group",
};

/* what no part of a sensor does, but somebody who has taken it over would */
static const char *const deadly[] = {
	"execve", "execveat", "fork", "vfork", "clone", "clone3", "ptrace", "process_vm_readv", "process_vm_writev",
	"socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "bpf", "perf_event_open", "userfaultfd",
	"io_uring_setup", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "init_module", "finit_module", "kexec_load",
	"keyctl", "add_key", "open_by_handle_at", "setuid", "setresuid", "capset",
};

static int
add_rules(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		const int	number = seccomp_syscall_resolve_name(names[i]);
		int			status;

		if (number == __NR_SCMP_ERROR)
			continue;			/* this libseccomp is older than the call */
		status = seccomp_rule_add(filter, action, number, 0);
		if (status != 0 && status != -EDOM)
			return status;
	}
	return 0;
}

jj_code
jj_sandbox_filter(jj_error *err)
{
	/* asked of an interface that went away */
	static const unsigned long requests[] = {SIOCGIFNAME, SIOCGIFFLAGS, SIOCGIFINDEX};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int			status = filter == NULL ? -ENOMEM : 0;

	if (status == 0)
		status = add_rules(filter, SCMP_ACT_ALLOW, allowed, sizeof(allowed) / sizeof(allowed[0]));
	if (status == 0)
		status = add_rules(filter, SCMP_ACT_KILL_PROCESS, deadly, sizeof(deadly) / sizeof(deadly[0]));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && status == 0; i++)
		status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, requests[i], 0));
	/* how fstat(3) is called; it also lets a path be looked at, but nothing be opened */
	if (status == 0)
		status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1, SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0));
	if (status == 0)
		status = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	return status == 0 ? JJ_OK : failed("limit system calls", -status, err);
}

#else

bool
jj_sandbox_filters(void)
{
	return false;
}

jj_code
jj_sandbox_filter(jj_error *err)
{
	(void) err;
	return JJ_OK;
}

#endif
