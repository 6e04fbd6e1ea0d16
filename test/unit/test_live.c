/*
 * Capturing on interfaces, in a network namespace of our own, where nobody
 * else sends. Where that is not allowed, only what needs no privilege.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* unshare(2) */
#endif
#include "capture/live.h"
#include "failing.h"
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX 64

static jj_allocator a;
static jj_error err;

/* Open and close; the code. */
static jj_code
try(const char *device, const char *filter, const jj_live_options *o)
{
	jj_live    *l;
	jj_code		code = jj_live_open(&l, device, filter, o, &a, &err);

	if ((code == JJ_OK) != (l != NULL))
		printf("# code %d with %p\n", code, (void *) l);
	jj_live_close(l);
	return code;
}

static void
test_arguments(void)
{
	jj_live_options o;

	jj_live_options_default(&o);
	o.buffer_size = JJ_LIVE_MAX_BUFFER + 1;
	is_int(try("lo", NULL, &o), JJ_ERR_ARGUMENT, "a buffer that is too large");
	is_text(err.message, "the capture buffer must be between 1 MB and 1 GB", "its message");
	jj_live_options_default(&o);
	o.snaplen = JJ_LIVE_MIN_SNAPLEN - 1;
	is_int(try("lo", NULL, &o), JJ_ERR_ARGUMENT, "a snap length that is too short");
	jj_live_options_default(&o);
	o.timeout_ms = 0;
	is_int(try("lo", NULL, &o), JJ_ERR_ARGUMENT, "no timeout");

	jj_live_options_default(&o);
	is_int(try("nosuch0", NULL, &o), JJ_ERR_DEVICE, "an interface that does not exist");
	is_text(err.message, "network interface \"nosuch0\" does not exist", "its message");
	ok(strncmp(err.hint, "Network interfaces: ", 20) == 0 && strstr(err.hint, "lo") != NULL, "its hint lists those that exist");
	is_int(try("", NULL, &o), JJ_ERR_DEVICE, "no name");
	is_int(try("nflog:5", NULL, &o), JJ_ERR_DEVICE, "a source of libpcap that is no network interface");
	is_int(try("0123456789012345678901234567890123456789012345678901234567890123456789", NULL, &o), JJ_ERR_DEVICE, "a long name");
}

static void
test_list(void)
{
	jj_interface_list *list;
	uint32_t	n = 0;
	const jj_interface *i;
	bool		found = false;

	is_int(jj_interfaces_open(&list, &a, &err), JJ_OK, "interfaces are listed");
	i = jj_interfaces_get(list, &n);
	for (uint32_t k = 0; k < n; k++)
		found = found || (strcmp(i[k].name, "lo") == 0 && i[k].loopback);
	ok(n > 0 && found, "lo is among them, as a loopback");
	jj_interfaces_close(list);
	jj_interfaces_close(NULL);
	ok(jj_interface_exists("lo") && jj_interface_exists("any") && !jj_interface_exists("nosuch0"), "names of interfaces");
}

/* Lists and sources without memory at each allocation. */
static void
test_memory(void)
{
	failing		f = {0};
	jj_allocator fa = {failing_alloc, failing_release, &f};
	jj_interface_list *list;
	jj_live    *l;
	jj_live_options o;
	jj_code		code = JJ_ERR_NOMEM;
	int			failures = 0;

	for (f.fail_at = 1; f.fail_at < 20 && code == JJ_ERR_NOMEM; f.fail_at++)
	{
		f.calls = 0;
		code = jj_interfaces_open(&list, &fa, &err);
		jj_interfaces_close(list);
		failures += code == JJ_ERR_NOMEM;
	}
	ok(failures >= 2 && code == JJ_OK && f.live == 0, "lists without memory fail and leave nothing");

	jj_live_options_default(&o);
	f.calls = 0;
	f.fail_at = 1;
	is_int(jj_live_open(&l, "lo", NULL, &o, &fa, &err), JJ_ERR_NOMEM, "no memory for a source");
	ok(l == NULL && f.live == 0, "nothing is left");
}

static void
set_up(const char *name, bool up)
{
	struct ifreq r;
	int			s = socket(AF_INET, SOCK_DGRAM, 0);

	memset(&r, 0, sizeof(r));
	memcpy(r.ifr_name, name, strlen(name));
	if (ioctl(s, SIOCGIFFLAGS, &r) == 0)
	{
		r.ifr_flags = (short) (up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
		if (ioctl(s, SIOCSIFFLAGS, &r) != 0)
			printf("# SIOCSIFFLAGS: %s\n", strerror(errno));
	}
	close(s);
}

/* n datagrams to a port of this machine, where nobody listens or somebody does. */
static void
send_datagrams(uint16_t port, int n, size_t size)
{
	static const char bytes[60000];
	struct sockaddr_in to = {.sin_family = AF_INET,.sin_port = htons(port),.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int			s = socket(AF_INET, SOCK_DGRAM, 0);

	for (int i = 0; i < n; i++)
		(void) !sendto(s, bytes, size, 0, (struct sockaddr *) &to, sizeof(to));
	close(s);
}

/* Read until that many frames have come, or none for a second; how many. *good: bytes and lengths are right. */
static uint64_t
read_frames(jj_live *l, uint64_t want, uint32_t wirelen, bool *good)
{
	jj_frame	frame[MAX];
	uint64_t	n = 0;
	int64_t		last = 0;
	uint32_t	got;

	*good = true;
	while (n < want)
	{
		struct pollfd p = {.fd = jj_live_fd(l),.events = POLLIN};

		if (poll(&p, 1, 1000) <= 0)
			break;
		do
		{
			if (jj_live_next(l, frame, MAX, &got, &err) != JJ_OK)
			{
				printf("# %s\n", err.message);
				return n;
			}
			for (uint32_t i = 0; i < got; i++)
			{
				*good = *good && frame[i].wirelen == wirelen && frame[i].link == 1 && frame[i].iface == 0
					&& frame[i].ts >= last && frame[i].caplen <= wirelen && frame[i].data[12] == 8
					&& frame[i].data[14] == 0x45;
				last = frame[i].ts;
			}
			n += got;
		} while (got > 0 && n < want);
	}
	return n;
}

static void
test_loopback(void)
{
	jj_live_options o;
	jj_live_stats s;
	jj_live    *l;
	bool		good;

	jj_live_options_default(&o);
	is_int(try("lo", NULL, &o), JJ_ERR_DOWN, "an interface that is down");
	is_text(err.message, "network interface \"lo\" is down", "its message");
	set_up("lo", true);
	is_int(try("lo", "not a filter", &o), JJ_ERR_FILTER, "a bad filter");
	ok(strstr(err.message, "filter \"not a filter\" does not compile for link type 1 (EN10MB)") != NULL, "its message");

	is_int(jj_live_open(&l, "lo", "udp dst port 5000", &o, &a, &err), JJ_OK, "lo opens");
	if (l == NULL)
	{
		printf("# %s\n", err.message);
		return;
	}
	ok(jj_live_link(l) == 1 && jj_live_nanoseconds(l), "Ethernet, nanoseconds");
	send_datagrams(5000, 100, 10);
	send_datagrams(5001, 100, 10);	/* filtered */
	is_int((int64_t) read_frames(l, 100, 52, &good), 100, "the packets that pass the filter come");
	ok(good, "as they were sent");
	is_int(jj_live_stats_get(l, &s, &err), JJ_OK, "statistics");
	ok(s.delivered == 100 && s.received == 100 && s.kernel_drops == 0 && s.delivered_bytes == 5200 && s.up, "count them");

	/* more in a call than its memory holds */
	send_datagrams(5000, 40, 59000);
	is_int((int64_t) read_frames(l, 40, 59042, &good), 40, "large packets come");
	ok(good, "whole");

	/* a ring that overflows */
	jj_live_close(l);
	o.buffer_size = JJ_LIVE_MIN_BUFFER;
	o.snaplen = 2000;
	is_int(jj_live_open(&l, "lo", "udp dst port 5000", &o, &a, &err), JJ_OK, "lo opens with a small buffer");
	send_datagrams(5000, 4000, 1900);
	(void) read_frames(l, 4000, 1942, &good);
	is_int(jj_live_stats_get(l, &s, &err), JJ_OK, "statistics");
	ok(s.received == 4000 && s.kernel_drops > 0 && s.delivered == s.received - s.kernel_drops,
	   "each packet was read or is counted as dropped");
	send_datagrams(5000, 10, 1990);
	is_int((int64_t) read_frames(l, 10, 2032, &good), 10, "packets beyond the snap length come");
	is_int(jj_live_stats_get(l, &s, &err), JJ_OK, "statistics");
	ok(s.received == 4010, "and go on");
	jj_live_close(l);

	jj_live_options_default(&o);
	o.immediate = true;
	is_int(jj_live_open(&l, "any", "udp dst port 5000", &o, &a, &err), JJ_OK, "any opens, in immediate mode");
	if (l != NULL)
	{
		jj_frame	frame[MAX];
		uint32_t	n = 0;
		struct pollfd p = {.fd = jj_live_fd(l),.events = POLLIN};

		ok(jj_live_link(l) == 113 || jj_live_link(l) == 276, "as Linux cooked capture");
		is_int(jj_live_next(l, frame, MAX, &n, &err), JJ_OK, "nothing to read is no failure");
		is_int(n, 0, "and no frame");
		send_datagrams(5000, 1, 10);
		ok(poll(&p, 1, 2000) == 1, "one packet can be waited for");
		ok(jj_live_next(l, frame, 1, &n, &err) == JJ_OK && n == 1, "and read");
		jj_live_close(l);
	}
}

static void
test_going(void)
{
	jj_live_options o;
	jj_live_stats s;
	jj_frame	frame[MAX];
	jj_live    *l;
	uint32_t	n;
	bool		good;
	jj_code		code = JJ_OK;

	set_up("lo", true);
	jj_live_options_default(&o);
	is_int(jj_live_open(&l, "lo", "udp dst port 5000", &o, &a, &err), JJ_OK, "lo opens once more");
	set_up("lo", false);
	for (int i = 0; i < 3 && code == JJ_OK; i++)
		code = jj_live_next(l, frame, MAX, &n, &err);
	is_int(code, JJ_OK, "an interface that goes down is no failure");
	ok(jj_live_stats_get(l, &s, &err) == JJ_OK && !s.up, "but seen");
	set_up("lo", true);
	send_datagrams(5000, 7, 10);
	is_int((int64_t) read_frames(l, 7, 52, &good), 7, "packets come again when it is up again");
	ok(jj_live_stats_get(l, &s, &err) == JJ_OK && s.up && s.received == 7, "which is seen, too");
	jj_live_close(l);

	if (system("ip link add jjt0 type veth peer name jjt1 2>/dev/null") != 0)
	{
		ok(true, "an interface that goes # SKIP ip(8) makes no veth pair");
		return;
	}
	set_up("jjt0", true);
	set_up("jjt1", true);
	is_int(jj_live_open(&l, "jjt0", NULL, &o, &a, &err), JJ_OK, "a veth interface opens");
	if (system("ip link delete jjt0") != 0)
		printf("# could not delete it\n");
	for (int i = 0; i < 100 && code == JJ_OK; i++)
		code = jj_live_next(l, frame, MAX, &n, &err);
	ok(jj_live_stats_get(l, &s, &err) == JJ_ERR_DEVICE && !s.up, "statistics say that it has gone");
	is_text(err.message, "network interface \"jjt0\" has gone", "in a message");
	is_int(code, JJ_ERR_DEVICE, "reading does so, too");
	jj_live_close(l);
}

int
main(void)
{
	a = jj_malloc_allocator();
	jj_live_close(NULL);
	test_arguments();
	test_list();
	test_memory();
	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
	{
		ok(true, "capturing # SKIP a network namespace of our own is not allowed: %s", strerror(errno));
		return done_testing();
	}
	test_loopback();
	test_going();
	return done_testing();
}
