/*
 * The machine's network interfaces.
 */
#include "capture/live.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <string.h>
#include <sys/socket.h>

struct jj_interface_list
{
	jj_allocator a;
	uint32_t	n;
	jj_interface *interfaces;
	jj_interface_address *addresses;
};

bool
jj_interface_exists(const char *name)
{
	return strcmp(name, "any") == 0 || if_nametoindex(name) != 0;
}

/* Leading one bits of a mask; all of them if there is none. */
static uint8_t
prefix_of(const uint8_t *mask, unsigned size)
{
	unsigned	bits = 0;

	if (mask == NULL)
		return (uint8_t) (8 * size);
	while (bits < 8 * size && (mask[bits / 8] >> (7 - bits % 8) & 1) != 0)
		bits++;
	return (uint8_t) bits;
}

/* Whether it is one of ours, an IP address; *to may be NULL. */
static bool
take_address(const pcap_addr_t *from, jj_interface_address *to)
{
	const struct sockaddr *s = from->addr;
	const struct sockaddr *m = from->netmask;

	if (s == NULL || (s->sa_family != AF_INET && s->sa_family != AF_INET6))
		return false;
	if (to == NULL)
		return true;
	memset(to, 0, sizeof(*to));
	if (s->sa_family == AF_INET)
	{
		struct sockaddr_in in;
		struct sockaddr_in mask;

		memcpy(&in, s, sizeof(in));
		to->version = 4;
		to->address[10] = to->address[11] = 0xff;
		memcpy(to->address + 12, &in.sin_addr, 4);
		if (m != NULL)
			memcpy(&mask, m, sizeof(mask));
		to->prefix = prefix_of(m != NULL ? (const uint8_t *) &mask.sin_addr : NULL, 4);
	}
	else
	{
		struct sockaddr_in6 in;
		struct sockaddr_in6 mask;

		memcpy(&in, s, sizeof(in));
		to->version = 6;
		memcpy(to->address, &in.sin6_addr, 16);
		if (m != NULL)
			memcpy(&mask, m, sizeof(mask));
		to->prefix = prefix_of(m != NULL ? (const uint8_t *) &mask.sin6_addr : NULL, 16);
	}
	return true;
}

/* libpcap also knows sources that are no network interfaces: USB, Bluetooth, netfilter queues. */
static bool
is_ours(const pcap_if_t *i)
{
	return strlen(i->name) < sizeof(((jj_interface *) NULL)->name) && jj_interface_exists(i->name);
}

static void
take_interface(const pcap_if_t *from, jj_interface *to, jj_interface_address *addresses)
{
	memset(to, 0, sizeof(*to));
	memcpy(to->name, from->name, strlen(from->name));
	if (from->description != NULL)
	{
		size_t		n = strlen(from->description);

		if (n >= sizeof(to->description))
			for (n = sizeof(to->description) - 1; n > 0 && ((unsigned char) from->description[n] & 0xc0) == 0x80; n--)
				;
		memcpy(to->description, from->description, n);
	}
	to->up = (from->flags & PCAP_IF_UP) != 0;
	to->running = (from->flags & PCAP_IF_RUNNING) != 0;
	to->loopback = (from->flags & PCAP_IF_LOOPBACK) != 0;
	to->addresses = addresses;
	for (const pcap_addr_t *a = from->addresses; a != NULL; a = a->next)
		to->n_addresses += take_address(a, &addresses[to->n_addresses]);
}

jj_code
jj_interfaces_open(jj_interface_list **out, const jj_allocator *a, jj_error *err)
{
	char		text[PCAP_ERRBUF_SIZE] = "";
	pcap_if_t  *all = NULL;
	uint32_t	n = 0;
	uint32_t	n_addresses = 0;
	jj_interface_list *list;

	*out = NULL;
	if (pcap_findalldevs(&all, text) != 0)
		return jj_fail(err, JJ_ERR_IO, "could not list the network interfaces: %.200s", text);
	list = jj_alloc_zero(a, sizeof(*list));
	if (list == NULL)
	{
		pcap_freealldevs(all);
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	}
	list->a = *a;
	for (const pcap_if_t *i = all; i != NULL; i = i->next)
	{
		n++;
		for (const pcap_addr_t *x = i->addresses; x != NULL; x = x->next)
			n_addresses += take_address(x, NULL);
	}
	/* take_address may look at the place behind the last one */
	list->interfaces = jj_alloc_zero(a, sizeof(*list->interfaces) * (n + 1));
	list->addresses = jj_alloc_zero(a, sizeof(*list->addresses) * (n_addresses + 1));
	if (list->interfaces == NULL || list->addresses == NULL)
	{
		pcap_freealldevs(all);
		jj_interfaces_close(list);
		return jj_fail(err, JJ_ERR_NOMEM, "out of memory");
	}
	n_addresses = 0;
	for (const pcap_if_t *i = all; i != NULL; i = i->next)
	{
		if (!is_ours(i))
			continue;
		take_interface(i, &list->interfaces[list->n], list->addresses + n_addresses);
		n_addresses += list->interfaces[list->n++].n_addresses;
	}
	pcap_freealldevs(all);
	*out = list;
	return JJ_OK;
}

const jj_interface *
jj_interfaces_get(const jj_interface_list *list, uint32_t *n)
{
	*n = list->n;
	return list->interfaces;
}

void
jj_interfaces_close(jj_interface_list *list)
{
	jj_allocator a;

	if (list == NULL)
		return;
	a = list->a;
	jj_release(&a, list->interfaces);
	jj_release(&a, list->addresses);
	jj_release(&a, list);
}
