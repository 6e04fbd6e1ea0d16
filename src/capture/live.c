/*
 * A network interface as a source of frames, over libpcap.
 */
#include "capture/live.h"
#include "capture/filter.h"
#include "capture/nic.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#if defined(__linux__)
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#endif

#define ARENA ((size_t) 1 << 20)	/* copied bytes of one call, beside one packet of the snap length */
#define SLACK 64				/* what libpcap may add to a packet, a VLAN tag */
#define ALIGNED(n) (((size_t) (n) + 15) & ~(size_t) 15)
#define STATS_EVERY (UINT64_C(1) << 24)	/* frames; libpcap's counters have 32 bits */

struct jj_live
{
	jj_allocator a;
	pcap_t	   *pcap;
	jj_nic		nic;
	int			fd;
	uint32_t	link;
	int64_t		tick;			/* ns of what libpcap gives as microseconds */
	char		device[64];
	char		warning[JJ_MESSAGE_SIZE];

	/* the frames of the last call; libpcap may give packets' memory back to the kernel before it returns */
	uint8_t    *arena;
	size_t		room;
	size_t		used;
	size_t		largest;		/* packet that can come, aligned */
	jj_frame   *frames;
	uint32_t	count;

	/* libpcap's counters when they were read last */
	uint32_t	last_received;
	uint32_t	last_drops;
	uint64_t	counted_at;		/* stats.delivered then */
	jj_live_stats stats;
};

void
jj_live_options_default(jj_live_options *o)
{
	memset(o, 0, sizeof(*o));
	o->buffer_size = INT64_C(64) << 20;
	o->snaplen = JJ_MAX_RECORD;
	o->timeout_ms = 100;
	o->promiscuous = true;
}

static jj_code
check_options(const jj_live_options *o, jj_error *err)
{
	if (o->buffer_size < JJ_LIVE_MIN_BUFFER || o->buffer_size > JJ_LIVE_MAX_BUFFER)
		return jj_fail(err, JJ_ERR_ARGUMENT, "the capture buffer must be between 1 MB and 1 GB");
	if (o->snaplen < JJ_LIVE_MIN_SNAPLEN || o->snaplen > JJ_MAX_RECORD)
		return jj_fail(err, JJ_ERR_ARGUMENT, "the snap length must be between %d and %d", JJ_LIVE_MIN_SNAPLEN, JJ_MAX_RECORD);
	if (o->timeout_ms < 1 || o->timeout_ms > JJ_LIVE_MAX_TIMEOUT)
		return jj_fail(err, JJ_ERR_ARGUMENT, "the capture timeout must be between 1 and %d ms", JJ_LIVE_MAX_TIMEOUT);
	return JJ_OK;
}

static jj_code
no_such_device(const char *device, const jj_allocator *a, jj_error *err)
{
	char		names[JJ_MESSAGE_SIZE] = "";
	size_t		used = 0;
	jj_interface_list *list;
	uint32_t	n = 0;

	jj_fail(err, JJ_ERR_DEVICE, "network interface \"%.64s\" does not exist", device);
	if (jj_interfaces_open(&list, a, NULL) != JJ_OK)
		return JJ_ERR_DEVICE;
	for (const jj_interface *i = jj_interfaces_get(list, &n); n > 0; i++, n--)
	{
		const size_t size = strlen(i->name);

		if (used + size + 40 > sizeof(names))
		{
			memcpy(names + used, ", ...", 6);
			break;
		}
		if (used > 0)
		{
			memcpy(names + used, ", ", 2);
			used += 2;
		}
		memcpy(names + used, i->name, size + 1);
		used += size;
	}
	jj_interfaces_close(list);
	jj_hint(err, "Network interfaces: %.200s.", names);
	return JJ_ERR_DEVICE;
}

/* What pcap_activate's failure means. */
static jj_code
not_opened(const jj_live *l, int status, jj_error *err)
{
	const char *text = pcap_geterr(l->pcap);

	switch (status)
	{
		case PCAP_ERROR_PERM_DENIED:
		case PCAP_ERROR_PROMISC_PERM_DENIED:
			jj_fail(err, JJ_ERR_PERMISSION, "permission denied to capture on network interface \"%s\"", l->device);
			jj_hint(err, "On Linux, capturing needs the capability CAP_NET_RAW.");
			return JJ_ERR_PERMISSION;
		case PCAP_ERROR_NO_SUCH_DEVICE:
			return no_such_device(l->device, &l->a, err);
		case PCAP_ERROR_IFACE_NOT_UP:
			return jj_fail(err, JJ_ERR_DOWN, "network interface \"%s\" is down", l->device);
		default:
			return jj_fail(err, JJ_ERR_IO, "could not capture on network interface \"%s\": %.150s", l->device,
						   *text != '\0' ? text : pcap_statustostr(status));
	}
}

static jj_code
activate(jj_live *l, const jj_live_options *o, jj_error *err)
{
	int			status;

	if ((status = pcap_set_snaplen(l->pcap, (int) o->snaplen)) < 0 ||
		(status = pcap_set_promisc(l->pcap, o->promiscuous)) < 0 ||
		(status = pcap_set_timeout(l->pcap, (int) o->timeout_ms)) < 0 ||
		(status = pcap_set_buffer_size(l->pcap, (int) o->buffer_size)) < 0 ||
		(status = pcap_set_immediate_mode(l->pcap, o->immediate)) < 0)
		return not_opened(l, status, err);
	/* refused where the interface has no nanoseconds, and microseconds it is then */
	status = pcap_set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO);
	if (status < 0 && status != PCAP_ERROR_TSTAMP_PRECISION_NOTSUP)
		return not_opened(l, status, err);
	status = pcap_activate(l->pcap);
	if (status < 0)
		return not_opened(l, status, err);
	if (status > 0)
	{
		const char *text = status == PCAP_WARNING ? pcap_geterr(l->pcap) : pcap_statustostr(status);

		(void) snprintf(l->warning, sizeof(l->warning), "%s", text);
	}
	l->tick = pcap_get_tstamp_precision(l->pcap) == PCAP_TSTAMP_PRECISION_NANO ? 1 : 1000;
	return JJ_OK;
}

/* A packet on the loopback goes out and comes in; libpcap gives the second, so that the first needs no place in the ring. */
static void
ignore_outgoing(const jj_live *l)
{
#if defined(PACKET_IGNORE_OUTGOING)
	const int	one = 1;
	const size_t size = strlen(l->device);
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	if (size >= sizeof(r.ifr_name))
		return;
	memcpy(r.ifr_name, l->device, size);
	if (ioctl(pcap_fileno(l->pcap), SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_LOOPBACK) != 0)
		(void) setsockopt(pcap_fileno(l->pcap), SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
#else
	(void) l;
#endif
}

static jj_code
set_filter(jj_live *l, const char *expression, jj_error *err)
{
	struct bpf_program code;
	int			status;

	if (pcap_compile(l->pcap, &code, expression, 1, PCAP_NETMASK_UNKNOWN) != 0)
		return jj_filter_refused(err, expression, l->link, pcap_geterr(l->pcap));
	status = pcap_setfilter(l->pcap, &code);
	pcap_freecode(&code);
	if (status != 0)
		return jj_fail(err, JJ_ERR_IO, "could not set a filter on network interface \"%s\": %.150s", l->device, pcap_geterr(l->pcap));
	return JJ_OK;
}

/* The parts of jj_live_open that come after the allocation. */
static jj_code
prepare(jj_live *l, const char *filter, const jj_live_options *o, jj_error *err)
{
	char		text[PCAP_ERRBUF_SIZE] = "";
	jj_code		code;

	l->pcap = pcap_create(l->device, text);
	if (l->pcap == NULL)
		return jj_fail(err, JJ_ERR_IO, "could not capture on network interface \"%s\": %.150s", l->device, text);
	code = activate(l, o, err);
	if (code != JJ_OK)
		return code;
	ignore_outgoing(l);
	l->link = jj_link_of_dlt(pcap_datalink(l->pcap));
	if (filter != NULL && *filter != '\0' && (code = set_filter(l, filter, err)) != JJ_OK)
		return code;
	if (pcap_setnonblock(l->pcap, 1, text) != 0)
		return jj_fail(err, JJ_ERR_IO, "could not read network interface \"%s\" without waiting: %.150s", l->device, text);
	l->fd = pcap_get_selectable_fd(l->pcap);
	if (l->fd < 0)
		return jj_fail(err, JJ_ERR_IO, "network interface \"%s\" can't be waited for", l->device);
	l->largest = ALIGNED((size_t) o->snaplen + SLACK);
	l->room = ARENA + l->largest;
	l->arena = jj_alloc(&l->a, l->room);
	if (l->arena == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	jj_nic_open(&l->nic, l->device);
	l->stats.up = true;
	return jj_live_stats_get(l, NULL, err);
}

jj_code
jj_live_open(jj_live **out, const char *device, const char *filter, const jj_live_options *options,
			 const jj_allocator *a, jj_error *err)
{
	const size_t size = strlen(device);
	jj_code		code = check_options(options, err);
	jj_live    *l;

	*out = NULL;
	if (code != JJ_OK)
		return code;
	/* libpcap would take other things than network interfaces, too */
	if (size >= sizeof(l->device) || !jj_interface_exists(device))
		return no_such_device(device, a, err);
	l = jj_alloc_zero(a, sizeof(*l));
	if (l == NULL)
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	l->a = *a;
	l->nic.fd = -1;
	memcpy(l->device, device, size + 1);
	code = prepare(l, filter, options, err);
	if (code != JJ_OK)
	{
		jj_live_close(l);
		return code;
	}
	*out = l;
	return JJ_OK;
}

const char *
jj_live_warning(const jj_live *l)
{
	return l->warning[0] != '\0' ? l->warning : NULL;
}

int
jj_live_fd(const jj_live *l)
{
	return l->fd;
}

uint32_t
jj_live_link(const jj_live *l)
{
	return l->link;
}

bool
jj_live_nanoseconds(const jj_live *l)
{
	return l->tick == 1;
}

static void
take_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
	jj_live    *l = (jj_live *) (void *) user;
	jj_frame   *f = &l->frames[l->count++];
	const size_t room = l->room - l->used;

	f->ts = (int64_t) h->ts.tv_sec * INT64_C(1000000000) + (int64_t) h->ts.tv_usec * l->tick;
	f->index = ++l->stats.delivered;
	f->data = l->arena + l->used;
	f->caplen = h->caplen <= room ? h->caplen : (uint32_t) room;
	f->wirelen = h->len >= f->caplen ? h->len : f->caplen;
	f->link = l->link;
	f->iface = 0;
	l->stats.delivered_bytes += f->caplen;
	memcpy(l->arena + l->used, bytes, f->caplen);
	l->used += ALIGNED(f->caplen) < room ? ALIGNED(f->caplen) : room;
	if (l->room - l->used < l->largest)
		pcap_breakloop(l->pcap);
}

/* What libpcap counts, with 32 bits, to 64. */
static void
count(jj_live *l)
{
	struct pcap_stat s;

	l->counted_at = l->stats.delivered;
	if (pcap_stats(l->pcap, &s) != 0)
		return;
	l->stats.received += (uint32_t) (s.ps_recv - l->last_received);
	l->stats.kernel_drops += (uint32_t) (s.ps_drop - l->last_drops);
	l->last_received = s.ps_recv;
	l->last_drops = s.ps_drop;
}

static jj_code
gone(const jj_live *l, jj_error *err)
{
	return jj_fail(err, JJ_ERR_DEVICE, "network interface \"%s\" has gone", l->device);
}

jj_code
jj_live_next(jj_live *l, jj_frame *frames, uint32_t max, uint32_t *n, jj_error *err)
{
	int			status;

	l->frames = frames;
	l->count = 0;
	l->used = 0;
	status = pcap_dispatch(l->pcap, (int) (max > INT32_MAX ? INT32_MAX : max), take_packet, (u_char *) l);
	*n = l->count;
	if (l->stats.delivered - l->counted_at >= STATS_EVERY)
		count(l);
	/* what was read before a failure comes first; the failure comes again */
	if (status >= 0 || status == PCAP_ERROR_BREAK || l->count > 0)
		return JJ_OK;
	if (jj_live_stats_get(l, NULL, err) == JJ_ERR_DEVICE)
		return JJ_ERR_DEVICE;
	return jj_fail(err, JJ_ERR_IO, "could not read network interface \"%s\": %.150s", l->device, pcap_geterr(l->pcap));
}

jj_code
jj_live_stats_get(jj_live *l, jj_live_stats *stats, jj_error *err)
{
	jj_nic_state state;

	count(l);
	state = jj_nic_read(&l->nic, &l->stats.interface_drops);
	if (state != JJ_NIC_UNKNOWN)
		l->stats.up = state == JJ_NIC_UP;
	if (stats != NULL)
		*stats = l->stats;
	return state == JJ_NIC_GONE ? gone(l, err) : JJ_OK;
}

void
jj_live_close(jj_live *l)
{
	jj_allocator a;

	if (l == NULL)
		return;
	a = l->a;
	if (l->pcap != NULL)
		pcap_close(l->pcap);
	jj_nic_close(&l->nic);
	jj_release(&a, l->arena);
	jj_release(&a, l);
}
