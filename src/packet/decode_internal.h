/*
 * What the parts of the decoder share. Offsets are into the frame: o the next
 * byte, end the first byte not captured, wend the first byte not on the wire.
 */
#ifndef JJ_DECODE_INTERNAL_H
#define JJ_DECODE_INTERNAL_H

#include "packet/decode.h"

#include <string.h>

enum
{
	LINK_NULL = 0,
	LINK_ETHERNET = 1,
	LINK_PPP = 9,
	LINK_RAW_BSD = 12,
	LINK_RAW_OPENBSD = 14,
	LINK_PPP_HDLC = 50,
	LINK_PPP_ETHER = 51,
	LINK_RAW = 101,
	LINK_C_HDLC = 104,
	LINK_IEEE802_11 = 105,
	LINK_LOOP = 108,
	LINK_LINUX_SLL = 113,
	LINK_IEEE802_11_RADIOTAP = 127,
	LINK_PPI = 192,
	LINK_IPV4 = 228,
	LINK_IPV6 = 229,
	LINK_LINUX_SLL2 = 276
};

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_PPP 0x880b
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_MULTICAST 0x8848
#define ETHERTYPE_PPPOE_SESSION 0x8864
#define ETHERTYPE_MIN 0x600		/* smaller values are 802.3 lengths */

#define PORT_VXLAN 4789
#define PORT_GENEVE 6081
#define PORT_GTPU 2152
#define PORT_TEREDO 3544

typedef struct jj_decoder
{
	const uint8_t *d;
	jj_packet  *p;
	bool		inner;			/* take tunnels off */
	unsigned	layers;			/* headers walked so far, failed attempts included */
} jj_decoder;

/* What to return to when a tunnel or pseudowire turns out to be none. */
typedef struct jj_mark
{
	uint8_t		n_labels;
	uint8_t		n_vlans;
	uint8_t		n_tunnels;
} jj_mark;

static inline uint16_t
rd16(const uint8_t *b)
{
	return (uint16_t) (b[0] << 8 | b[1]);
}

static inline uint32_t
rd32(const uint8_t *b)
{
	return (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
}

static inline uint16_t
rd16le(const uint8_t *b)
{
	return (uint16_t) (b[1] << 8 | b[0]);
}

static inline uint32_t
rd32le(const uint8_t *b)
{
	return (uint32_t) b[3] << 24 | (uint32_t) b[2] << 16 | (uint32_t) b[1] << 8 | b[0];
}

/* An address as jj_packet has it, from a header of this IP version. */
static inline void
copy_address(uint8_t to[16], const uint8_t *from, int version)
{
	static const uint8_t prefix[8] = {0, 0, 0xff, 0xff, 0, 0, 0, 0};
	static const uint8_t place[8] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
	uint64_t	tail;
	uint64_t	mask;
	uint32_t	address;

	if (version == 6)
	{
		memcpy(to, from, 16);
		return;
	}
	/* halves of 8 bytes, since the flow key is read in such */
	memcpy(&tail, prefix, 8);
	memcpy(&mask, place, 8);
	memcpy(&address, from, 4);
	tail |= mask == UINT32_MAX ? address : (uint64_t) address << 32;
	memset(to, 0, 8);
	memcpy(to + 8, &tail, 8);
}

static inline size_t
min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Labels beyond JJ_MAX_LABELS are counted, not kept. */
static inline void
push_label(jj_decoder *s, jj_label label)
{
	jj_packet  *p = s->p;

	if (p->n_labels < JJ_MAX_LABELS)
		p->labels[p->n_labels] = (uint8_t) label;
	if (p->n_labels < UINT8_MAX)
		p->n_labels++;
}

static inline jj_mark
set_mark(const jj_decoder *s)
{
	jj_mark		m = {s->p->n_labels, s->p->n_vlans, s->p->n_tunnels};

	return m;
}

static inline void
return_to(jj_decoder *s, jj_mark m)
{
	s->p->n_labels = m.n_labels;
	s->p->n_vlans = m.n_vlans;
	s->p->n_tunnels = m.n_tunnels;
}

/* False when the frame has more headers than any real one. */
static inline bool
next_layer(jj_decoder *s)
{
	return ++s->layers <= JJ_MAX_LAYERS;
}

/* Whether a datagram may carry a tunnel, by its ports. */
static inline bool
jj_udp_tunnel_ports(uint16_t sport, uint16_t dport)
{
	return dport == PORT_VXLAN || dport == PORT_GENEVE || sport == PORT_GTPU || dport == PORT_GTPU
		|| sport == PORT_TEREDO || dport == PORT_TEREDO;
}

/* link.c: jj_decode for every frame, the long way */
extern jj_skip jj_decode_any(const jj_frame *frame, bool inner, jj_packet *p);

extern jj_skip jj_decode_ethernet(jj_decoder *s, size_t o, size_t end, size_t wend, int depth, bool outermost);
extern jj_skip jj_decode_ethertype(jj_decoder *s, uint16_t type, size_t o, size_t end, size_t wend, int depth, bool outermost);
extern jj_skip jj_decode_raw_ip(jj_decoder *s, size_t o, size_t end, size_t wend, int depth);

/* ip.c; depth is the number of tunnels taken off */
extern jj_skip jj_decode_ipv4(jj_decoder *s, size_t o, size_t end, size_t wend, int depth);
extern jj_skip jj_decode_ipv6(jj_decoder *s, size_t o, size_t end, size_t wend, int depth);

/* tunnel.c: JJ_SKIP_NONE only if a whole inner IP header was found */
extern jj_skip jj_decode_tunnel(jj_decoder *s, int ip_version, uint8_t proto, size_t o, size_t end, size_t wend, int depth);

#endif
