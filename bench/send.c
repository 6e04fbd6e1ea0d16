/*
 * Sends frames on an interface, at a rate, and says how many: what the speed
 * of live captures is measured with (Linux, CAP_NET_RAW).
 *
 *     jj-send -i veth0 --size 64 --flows 1000 --pps 500000 --seconds 60
 *     jj-send -i veth0 --read FILE --mbps 2000 --seconds 60
 *     jj-send -i veth0 --read FILE --as-captured
 *
 * Without a file the frames are UDP over IPv4, of --flows different flows in
 * turn, --per-flow frames of one before the next. With a file its Ethernet
 * frames are sent, again and again if --seconds or --count ask for more.
 * Without a rate they go as fast as they can.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE				/* sendmmsg(2) */
#endif
#include "capture/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define LARGEST 65536
#define HEADERS 42				/* Ethernet, IPv4, UDP */
#define SECOND INT64_C(1000000000)

typedef struct frame
{
	size_t		offset;			/* in the arena */
	uint32_t	size;
	int64_t		ts;
} frame;

static const char *interface;
static const char *path;
static uint32_t size = 64;		/* with the frame check sequence, which the interface adds: 60 bytes are sent for 64 */
static uint32_t flows = 1000;
static uint32_t per_flow = 1;
static double pps;
static double mbps;
static uint64_t count = UINT64_MAX;
static double seconds;
static bool as_captured;

/* of a file */
static uint8_t *arena;
static size_t arena_used;
static frame *frames;
static size_t n_frames;
static uint64_t left_out;

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	(void) number;
	stop = 1;
}

static void
fail(const char *what)
{
	fprintf(stderr, "jj-send: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
usage(const char *message)
{
	fprintf(stderr, "jj-send: %s\n"
			"usage: jj-send -i INTERFACE [--size BYTES] [--flows N] [--per-flow N] [--pps N | --mbps N] [--seconds N] [--count N]\n"
			"       jj-send -i INTERFACE --read FILE [--pps N | --mbps N | --as-captured] [--seconds N] [--count N]\n", message);
	exit(2);
}

static double
number(const char *text, double min, double max)
{
	char	   *end;
	double		v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= min && v <= max))
		usage("a number is needed, or another one");
	return v;
}

static void
arguments(int argc, char **argv)
{
	enum
	{
		SIZE = 256, FLOWS, PER_FLOW, PPS, MBPS, COUNT, SECONDS, READ, AS_CAPTURED
	};
	static const struct option options[] = {
		{"size", required_argument, NULL, SIZE}, {"flows", required_argument, NULL, FLOWS}, {"per-flow", required_argument, NULL, PER_FLOW},
		{"pps", required_argument, NULL, PPS}, {"mbps", required_argument, NULL, MBPS}, {"count", required_argument, NULL, COUNT},
		{"seconds", required_argument, NULL, SECONDS}, {"read", required_argument, NULL, READ},
		{"as-captured", no_argument, NULL, AS_CAPTURED}, {NULL, 0, NULL, 0}
	};
	int			c;

	while ((c = getopt_long(argc, argv, "i:", options, NULL)) != -1)
	{
		switch (c)
		{
			case 'i':
				interface = optarg;
				break;
			case SIZE:
				size = (uint32_t) number(optarg, 64, 65000);
				break;
			case FLOWS:
				flows = (uint32_t) number(optarg, 1, UINT32_MAX);
				break;
			case PER_FLOW:
				per_flow = (uint32_t) number(optarg, 1, UINT32_MAX);
				break;
			case PPS:
				pps = number(optarg, 1, 1e9);
				break;
			case MBPS:
				mbps = number(optarg, 0.001, 1e6);
				break;
			case COUNT:
				count = (uint64_t) number(optarg, 1, 1e18);
				break;
			case SECONDS:
				seconds = number(optarg, 0.001, 1e6);
				break;
			case READ:
				path = optarg;
				break;
			case AS_CAPTURED:
				as_captured = true;
				break;
			default:
				usage("what is that?");
		}
	}
	if (interface == NULL || optind < argc)
		usage("an interface is needed, and options alone");
	if ((pps > 0) + (mbps > 0) + as_captured > 1 || (as_captured && path == NULL))
		usage("one rate, please");
}

static void *
grow(void *block, size_t bytes)
{
	block = realloc(block, bytes);
	if (block == NULL)
		fail("memory");
	return block;
}

/* The whole file into memory. */
static void
read_file(void)
{
	const jj_allocator a = jj_malloc_allocator();
	jj_reader  *r;
	jj_error	err;
	jj_frame	f[BATCH];
	uint32_t	n;
	size_t		arena_room = 0;
	size_t		room = 0;
	int			fd = open(path, O_RDONLY);

	if (fd < 0)
		fail(path);
	if (jj_reader_open_fd(&r, fd, &a, &err) != JJ_OK)
	{
		fprintf(stderr, "jj-send: %s: %s\n", path, err.message);
		exit(1);
	}
	while (jj_reader_next(r, f, BATCH, &n, &err) == JJ_OK && n > 0)
		for (uint32_t i = 0; i < n; i++)
		{
			/* what was not captured can't be sent */
			if (f[i].link != 1 || f[i].caplen < 14 || f[i].caplen != f[i].wirelen || f[i].caplen > LARGEST)
			{
				left_out++;
				continue;
			}
			if (n_frames == room)
				frames = grow(frames, sizeof(frame) * (room = 2 * room + 1024));
			if (arena_used + f[i].caplen > arena_room)
				arena = grow(arena, arena_room = 2 * arena_room + (1 << 20));
			memcpy(arena + arena_used, f[i].data, f[i].caplen);
			frames[n_frames++] = (frame) {arena_used, f[i].caplen, f[i].ts};
			arena_used += f[i].caplen;
		}
	jj_reader_close(r);
	close(fd);
	if (n_frames == 0)
	{
		fprintf(stderr, "jj-send: %s: no Ethernet frames that were captured whole\n", path);
		exit(1);
	}
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t) (v >> 8);
	p[1] = (uint8_t) v;
}

/* The fields that all frames share. */
static void
make_frame(uint8_t *p, uint32_t bytes)
{
	static const uint8_t head[HEADERS] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 0, 198, 18, 0, 1,
		0, 0, 0x23, 0x28, 0, 0, 0, 0
	};

	memset(p, 0, bytes);
	memcpy(p, head, HEADERS);
	put16(p + 16, bytes - 14);
	put16(p + 38, bytes - 34);
}

/* The source's address and port, and the header's checksum. */
static void
set_flow(uint8_t *p, uint32_t flow)
{
	uint32_t	sum = 0;

	p[27] = (uint8_t) (flow >> 16);
	p[28] = (uint8_t) (flow >> 8);
	p[29] = (uint8_t) flow;
	put16(p + 34, 1024 + (flow >> 24));
	put16(p + 24, 0);
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t) p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(p + 24, ~(sum + (sum >> 16)));
}

static int64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * SECOND + t.tv_nsec;
}

static void
sleep_until(int64_t when)
{
	const struct timespec t = {.tv_sec = when / SECOND,.tv_nsec = when % SECOND};

	(void) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int
open_socket(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	const int	one = 1;
	const int	room = 8 << 20;
	int			s = socket(AF_PACKET, SOCK_RAW, 0); /* 0: nothing is received */

	if (s < 0)
		fail("socket");
	to.sll_ifindex = (int) if_nametoindex(interface);
	if (to.sll_ifindex == 0)
		fail(interface);
	if (bind(s, (struct sockaddr *) &to, sizeof(to)) != 0)
		fail("bind");
	(void) setsockopt(s, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	(void) setsockopt(s, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	return s;
}

/* When the next frame may go, after so many frames and bytes. */
static int64_t
due(int64_t begin, uint64_t sent, uint64_t bytes, uint64_t round, size_t next)
{
	if (as_captured)
		return begin + frames[next].ts - frames[0].ts + (int64_t) round * (frames[n_frames - 1].ts - frames[0].ts + 1);
	if (pps > 0)
		return begin + (int64_t) ((double) sent / pps * SECOND);
	if (mbps > 0)
		return begin + (int64_t) ((double) bytes * 8000 / mbps);
	return begin;
}

int
main(int argc, char **argv)
{
	static uint8_t own[BATCH][LARGEST];
	struct mmsghdr message[BATCH];
	struct iovec vec[BATCH];
	uint64_t	sent = 0;
	uint64_t	bytes = 0;
	uint64_t	refused = 0;
	uint64_t	rounds = 0;		/* through the file */
	size_t		next = 0;		/* frame of the file */
	int64_t		begin;
	int64_t		end;
	double		took;
	int			s;

	arguments(argc, argv);
	if (path != NULL)
		read_file();
	/* a file once, unless more is asked for */
	if (path != NULL && seconds == 0 && count == UINT64_MAX)
		count = n_frames;
	for (int i = 0; i < BATCH; i++)
		make_frame(own[i], size - 4);
	memset(message, 0, sizeof(message));
	for (int i = 0; i < BATCH; i++)
	{
		vec[i] = (struct iovec) {own[i], size - 4};
		message[i].msg_hdr.msg_iov = &vec[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	s = open_socket();
	(void) signal(SIGINT, on_signal);
	(void) signal(SIGTERM, on_signal);
	(void) prctl(PR_SET_TIMERSLACK, 1);

	begin = now();
	end = seconds > 0 ? begin + (int64_t) (seconds * SECOND) : INT64_MAX;
	while (!stop && sent < count)
	{
		int64_t		t = now();
		int64_t		when = due(begin, sent, bytes, rounds, next);
		unsigned	n = 0;
		int			done = 0;

		if (t >= end)
			break;
		if (when > t)
		{
			sleep_until(when < end ? when : end);
			continue;
		}
		for (; n < BATCH && sent + n < count; n++)
		{
			if (path == NULL)
			{
				set_flow(own[n], (uint32_t) ((sent + n) / per_flow % flows));
				continue;
			}
			if (n > 0 && as_captured && due(begin, 0, 0, rounds, next) > t)
				break;
			vec[n] = (struct iovec) {arena + frames[next].offset, frames[next].size};
			if (++next == n_frames)
			{
				next = 0;
				rounds++;
			}
		}
		while (done < (int) n && !stop)
		{
			int			k = sendmmsg(s, message + done, n - (unsigned) done, 0);

			if (k < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR))
			{
				refused += errno != EINTR;
				continue;
			}
			if (k < 0 && errno == EMSGSIZE)
			{
				fprintf(stderr, "jj-send: a frame of %zu bytes is longer than the interface takes\n", vec[done].iov_len);
				return 1;
			}
			if (k < 0)
				fail("send");
			for (int i = 0; i < k; i++)
				bytes += vec[done + i].iov_len;
			done += k;
			sent += (uint64_t) k;
		}
	}
	took = (double) (now() - begin) / SECOND;
	printf("sent %" PRIu64 " packets, %" PRIu64 " bytes in %.3f s: %.0f packets/s, %.1f Mbit/s; tries refused: %" PRIu64, sent, bytes, took,
		   (double) sent / took, (double) bytes * 8e-6 / took, refused);
	if (left_out > 0)
		printf("; frames of the file left out: %" PRIu64, left_out);
	printf("\n");
	close(s);
	return 0;
}
