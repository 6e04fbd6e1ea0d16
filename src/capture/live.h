/*
 * Packets of a network interface, by libpcap (on Linux its TPACKET_V3 ring).
 *
 *     open, [ wait until jj_live_fd is readable, next until it gives no more ], close
 *
 * Opening needs CAP_NET_RAW and nothing else, on Linux; what comes
 * afterwards needs no privilege and opens no file. A process that forks keeps
 * it in one of the two.
 */
#ifndef JJ_LIVE_H
#define JJ_LIVE_H

#include "capture/reader.h"

/* Limits of jj_live_options. */
#define JJ_LIVE_MIN_BUFFER (INT64_C(1) << 20)
#define JJ_LIVE_MAX_BUFFER (INT64_C(1) << 30)
#define JJ_LIVE_MIN_SNAPLEN 64
#define JJ_LIVE_MAX_TIMEOUT 10000

typedef struct jj_live_options
{
	int64_t		buffer_size;	/* bytes of the kernel's ring; it takes less where the system has not so much memory */
	uint32_t	snaplen;		/* bytes captured of each packet, JJ_LIVE_MIN_SNAPLEN to JJ_MAX_RECORD */
	uint32_t	timeout_ms;		/* longest time for which packets gather before they can be read, 1 to JJ_LIVE_MAX_TIMEOUT */
	bool		promiscuous;	/* also what is not meant for this machine */
	bool		immediate;		/* each packet can be read at once, at more cost; timeout_ms is not used then */
} jj_live_options;

/* 64 MB, whole packets, 100 ms, promiscuous. */
extern void jj_live_options_default(jj_live_options *o);

/*
 * Since the interface was opened; none ever decreases. Each packet that passed
 * the filter is read, waits in the ring, or is one of kernel_drops. What the
 * interface dropped did not come as far as the filter.
 */
typedef struct jj_live_stats
{
	uint64_t	delivered;		/* frames that jj_live_next gave */
	uint64_t	delivered_bytes;	/* their captured bytes */
	uint64_t	received;		/* packets by the kernel's count: those read, waiting or dropped; also what came before the filter was set, and with "any" what went out on the loopback */
	uint64_t	kernel_drops;	/* packets for which the ring had no room */
	uint64_t	interface_drops;	/* packets dropped, missed or overrun by the interface's own count; 0 for "any" */
	bool		up;				/* the interface is up */
} jj_live_stats;

typedef struct jj_live jj_live;

/*
 * Open a network interface, or "any" for all of them. filter is a BPF
 * expression, NULL or empty for none. Fails with
 *     JJ_ERR_DEVICE       there is no such network interface; the hint lists those that are
 *     JJ_ERR_PERMISSION   this process may not capture
 *     JJ_ERR_DOWN         the interface is down
 *     JJ_ERR_FILTER       as jj_filter_open
 *     JJ_ERR_ARGUMENT     an option out of range
 *     JJ_ERR_IO, JJ_ERR_NOMEM.
 * *out is NULL on failure, else to be given to jj_live_close. libpcap's own
 * memory comes from malloc(3).
 */
extern jj_code jj_live_open(jj_live **out, const char *device, const char *filter, const jj_live_options *options,
							const jj_allocator *a, jj_error *err);

/* What is not as it was asked for (no promiscuous mode, for example), NULL if nothing. As long as the source is open. */
extern const char *jj_live_warning(const jj_live *l);

/* Readable when there are packets. A frame is readable at most timeout_ms after its packet. */
extern int	jj_live_fd(const jj_live *l);

/* LINKTYPE_ number of every frame. */
extern uint32_t jj_live_link(const jj_live *l);

/* Whether times are in nanoseconds; otherwise in microseconds. */
extern bool jj_live_nanoseconds(const jj_live *l);

/*
 * Up to max (>= 1) frames that are there, in the kernel's order; never waits.
 * *count = 0 if there is none at present. Their bytes are valid until the next
 * call. index counts from 1, iface is 0. An interface that is down gives no
 * frames, and gives them again when it is up. JJ_ERR_DEVICE: it is gone for
 * good, also when one of the same name is made; JJ_ERR_IO: reading failed.
 * After a failure only stats and close make sense.
 */
extern jj_code jj_live_next(jj_live *l, jj_frame *frames, uint32_t max, uint32_t *count, jj_error *err);

/*
 * The counts, and whether the interface is up. Fails with JJ_ERR_DEVICE, and
 * the last counts in *stats, when the interface is gone. Costs a few system calls.
 */
extern jj_code jj_live_stats_get(jj_live *l, jj_live_stats *stats, jj_error *err);

extern void jj_live_close(jj_live *l);

/* ---- interfaces.c */

typedef struct jj_interface_address
{
	uint8_t		address[16];	/* IPv4 as ::ffff:a.b.c.d */
	uint8_t		version;		/* 4 or 6 */
	uint8_t		prefix;			/* bits of the network, of 32 or 128 */
} jj_interface_address;

typedef struct jj_interface
{
	char		name[64];
	char		description[128];	/* empty if none; UTF-8 as the system gives it */
	bool		up;
	bool		running;		/* has a carrier */
	bool		loopback;
	uint32_t	n_addresses;
	const jj_interface_address *addresses;
} jj_interface;

typedef struct jj_interface_list jj_interface_list;

/*
 * The network interfaces, and "any" where the system has it, in libpcap's
 * order: those up first. Needs no privilege. Names that are too long for
 * jj_interface are left out. JJ_ERR_IO, JJ_ERR_NOMEM.
 */
extern jj_code jj_interfaces_open(jj_interface_list **out, const jj_allocator *a, jj_error *err);
extern const jj_interface *jj_interfaces_get(const jj_interface_list *list, uint32_t *n);
extern void jj_interfaces_close(jj_interface_list *list);

/* Whether there is a network interface of this name, or the name is "any". */
extern bool jj_interface_exists(const char *name);

#endif
