/*
 * Interface counters through rtnetlink, which needs no file and always speaks
 * of the network namespace of its socket.
 */
#include "capture/nic.h"

#include <string.h>

#if defined(__linux__)

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER 32768

typedef struct request
{
	struct nlmsghdr head;
	struct ifinfomsg body;
} request;

void
jj_nic_open(jj_nic *n, const char *name)
{
	const struct timeval limit = {.tv_sec = 0,.tv_usec = 100000};

	memset(n, 0, sizeof(*n));
	n->index = if_nametoindex(name);
	n->fd = n->index == 0 ? -1 : socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	/* the kernel answers before send(2) returns; this is for the day on which it doesn't */
	if (n->fd >= 0)
		(void) setsockopt(n->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static jj_nic_state
read_link(jj_nic *n, const struct nlmsghdr *h, uint64_t *drops)
{
	const struct ifinfomsg *body = NLMSG_DATA(h);
	int			room;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*body)))
		return JJ_NIC_UNKNOWN;
	room = (int) (h->nlmsg_len - NLMSG_LENGTH(sizeof(*body)));
	for (const struct rtattr *x = IFLA_RTA(body); RTA_OK(x, room); x = RTA_NEXT(x, room))
	{
		struct rtnl_link_stats64 s;
		uint64_t	now;

		if (x->rta_type != IFLA_STATS64)
			continue;
		/* an older kernel's is shorter, a newer one's longer */
		memset(&s, 0, sizeof(s));
		memcpy(&s, RTA_DATA(x), RTA_PAYLOAD(x) < sizeof(s) ? RTA_PAYLOAD(x) : sizeof(s));
		now = s.rx_dropped + s.rx_missed_errors + s.rx_fifo_errors;
		if (n->counted)
			*drops += now >= n->last ? now - n->last : now; /* less: the driver began anew */
		n->last = now;
		n->counted = true;
	}
	return body->ifi_flags & IFF_UP ? JJ_NIC_UP : JJ_NIC_DOWN;
}

jj_nic_state
jj_nic_read(jj_nic *n, uint64_t *drops)
{
	union
	{
		struct nlmsghdr head;
		char		bytes[ANSWER];
	}			answer;
	request		r;

	if (n->fd < 0)
		return JJ_NIC_UNKNOWN;
	memset(&r, 0, sizeof(r));
	r.head.nlmsg_len = sizeof(r);
	r.head.nlmsg_type = RTM_GETLINK;
	r.head.nlmsg_flags = NLM_F_REQUEST;
	r.head.nlmsg_seq = ++n->sequence;
	r.body.ifi_family = AF_UNSPEC;
	r.body.ifi_index = (int) n->index;
	if (send(n->fd, &r, sizeof(r), 0) != (ssize_t) sizeof(r))
		return JJ_NIC_UNKNOWN;

	/* answers to calls that gave up may come first */
	for (int tries = 0; tries < 8; tries++)
	{
		const ssize_t size = recv(n->fd, &answer, sizeof(answer), 0);

		if (size < 0 && errno == EINTR)
			continue;
		if (size < (ssize_t) sizeof(answer.head) || answer.head.nlmsg_len > (size_t) size)
			return JJ_NIC_UNKNOWN;
		if (answer.head.nlmsg_seq != n->sequence)
			continue;
		if (answer.head.nlmsg_type == RTM_NEWLINK)
			return read_link(n, &answer.head, drops);
		if (answer.head.nlmsg_type == NLMSG_ERROR && answer.head.nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr)))
			return ((const struct nlmsgerr *) NLMSG_DATA(&answer.head))->error == -ENODEV ? JJ_NIC_GONE : JJ_NIC_UNKNOWN;
		return JJ_NIC_UNKNOWN;
	}
	return JJ_NIC_UNKNOWN;
}

void
jj_nic_close(jj_nic *n)
{
	if (n->fd >= 0)
		(void) close(n->fd);
	n->fd = -1;
}

#else

void
jj_nic_open(jj_nic *n, const char *name)
{
	(void) name;
	memset(n, 0, sizeof(*n));
	n->fd = -1;
}

jj_nic_state
jj_nic_read(jj_nic *n, uint64_t *drops)
{
	(void) n;
	(void) drops;
	return JJ_NIC_UNKNOWN;
}

void
jj_nic_close(jj_nic *n)
{
	(void) n;
}

#endif
