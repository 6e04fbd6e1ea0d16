/*
 * Link layers: LINKTYPE_ headers, VLAN tags, MPLS, PPPoE and LLC down to IP.
 *
 * Sources: the LINKTYPE_ pages of tcpdump.org; IEEE 802.3, 802.1Q, 802.2,
 * 802.11; RFC 3032 and 4448 (MPLS, pseudowires), 1661 and 1662 (PPP), 2516
 * (PPPoE), 1547 (Cisco HDLC).
 */
#include "packet/decode_internal.h"

static const struct
{
	uint32_t	link;
	const char *name;
}			link_types[] = {
	{LINK_NULL, "NULL"}, {LINK_ETHERNET, "ETHERNET"}, {LINK_PPP, "PPP"}, {LINK_RAW_BSD, "RAW (12)"},
	{LINK_RAW_OPENBSD, "RAW (14)"}, {LINK_PPP_HDLC, "PPP_HDLC"}, {LINK_PPP_ETHER, "PPP_ETHER"}, {LINK_RAW, "RAW"},
	{LINK_C_HDLC, "C_HDLC"}, {LINK_IEEE802_11, "IEEE802_11"}, {LINK_LOOP, "LOOP"}, {LINK_LINUX_SLL, "LINUX_SLL"},
	{LINK_IEEE802_11_RADIOTAP, "IEEE802_11_RADIOTAP"}, {LINK_PPI, "PPI"}, {LINK_IPV4, "IPV4"}, {LINK_IPV6, "IPV6"},
	{LINK_LINUX_SLL2, "LINUX_SLL2"}
};

#define ARPHRD_IPGRE 778
#define ARPHRD_NETLINK 824

static jj_skip decode_link(jj_decoder *s, uint32_t link, size_t o, size_t end, size_t wend);

const char *
jj_link_supported_name(uint32_t i, uint32_t *link)
{
	if (i >= sizeof(link_types) / sizeof(link_types[0]))
		return NULL;
	*link = link_types[i].link;
	return link_types[i].name;
}

bool
jj_link_supported(uint32_t link)
{
	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++)
		if (link_types[i].link == link)
			return true;
	return false;
}

static void
set_mac(jj_decoder *s, const uint8_t *src, const uint8_t *dst)
{
	if (src != NULL)
		memcpy(s->p->src_mac, src, 6);
	if (dst != NULL)
		memcpy(s->p->dst_mac, dst, 6);
	s->p->has_src_mac = src != NULL;
	s->p->has_dst_mac = dst != NULL;
}

jj_skip
jj_decode_raw_ip(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	if (o >= end)
		return JJ_SKIP_TRUNCATED;
	switch (s->d[o] >> 4)
	{
		case 4:
			return jj_decode_ipv4(s, o, end, wend, depth);
		case 6:
			return jj_decode_ipv6(s, o, end, wend, depth);
		default:
			return JJ_SKIP_MALFORMED;
	}
}

jj_skip
jj_decode_ethernet(jj_decoder *s, size_t o, size_t end, size_t wend, int depth, bool outermost)
{
	if (o + 14 > end)
		return JJ_SKIP_TRUNCATED;
	push_label(s, JJ_L_ETH);
	if (outermost)
		set_mac(s, s->d + o + 6, s->d + o);
	return jj_decode_ethertype(s, rd16(s->d + o + 12), o + 14, end, wend, depth, outermost);
}

/* 802.2 LLC: IP behind SNAP, or with its own SAP. */
static jj_skip
decode_llc(jj_decoder *s, size_t o, size_t end, size_t wend, int depth, bool outermost)
{
	const uint8_t *b;

	if (o + 3 > end)
		return JJ_SKIP_NON_IP;
	b = s->d + o;
	if (b[0] == 0xaa && b[1] == 0xaa && b[2] == 3 && o + 8 <= end
		&& b[3] == 0 && b[4] == 0 && (b[5] == 0 || b[5] == 0xf8))
	{
		push_label(s, JJ_L_LLC);
		return jj_decode_ethertype(s, rd16(b + 6), o + 8, end, wend, depth, outermost);
	}
	if (b[0] == 6 && b[1] == 6 && b[2] == 3)
	{
		push_label(s, JJ_L_LLC);
		return jj_decode_ethertype(s, ETHERTYPE_IPV4, o + 3, end, wend, depth, outermost);
	}
	return JJ_SKIP_NON_IP;
}

static jj_skip
decode_mpls(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	uint32_t	entry;

	do
	{
		if (o + 4 > end)
			return JJ_SKIP_TRUNCATED;
		entry = rd32(s->d + o);
		push_label(s, JJ_L_MPLS);
		o += 4;
	} while (!(entry & 0x100));
	if (o >= end)
		return JJ_SKIP_TRUNCATED;
	switch (s->d[o] >> 4)
	{
		case 4:
			return jj_decode_ipv4(s, o, end, wend, depth);
		case 6:
			return jj_decode_ipv6(s, o, end, wend, depth);
		case 0:
			{
				/* an Ethernet pseudowire with a control word, if that leads to IP (RFC 4448 4.6) */
				jj_mark		mark = set_mark(s);

				if (jj_decode_ethernet(s, o + 4, end, wend, depth, false) == JJ_SKIP_NONE)
					return JJ_SKIP_NONE;
				return_to(s, mark);
			}
	}
	return jj_decode_ethernet(s, o, end, wend, depth, false);
}

static jj_skip
decode_ppp(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *d = s->d;
	uint16_t	protocol;

	if (o + 2 <= end && d[o] == 0xff && d[o + 1] == 3)
		o += 2;
	if (o >= end)
		return JJ_SKIP_TRUNCATED;
	if (d[o] & 1)				/* compressed protocol field */
		protocol = d[o++];
	else
	{
		if (o + 2 > end)
			return JJ_SKIP_TRUNCATED;
		protocol = rd16(d + o);
		o += 2;
	}
	switch (protocol)
	{
		case 0x0021:
			return jj_decode_ipv4(s, o, end, wend, depth);
		case 0x0057:
			return jj_decode_ipv6(s, o, end, wend, depth);
		case 0x0281:
		case 0x0283:
			return decode_mpls(s, o, end, wend, depth);
		default:
			return JJ_SKIP_NON_IP;
	}
}

static jj_skip
decode_pppoe(jj_decoder *s, size_t o, size_t end, size_t wend, int depth)
{
	const uint8_t *b;
	size_t		stop;

	push_label(s, JJ_L_PPPOE);
	if (o + 6 > end)
		return JJ_SKIP_TRUNCATED;
	b = s->d + o;
	if (b[0] != 0x11 || b[1] != 0)	/* version 1, type 1, session data */
		return JJ_SKIP_NON_IP;
	stop = o + 6 + rd16(b + 4);
	return decode_ppp(s, o + 6, min_size(end, stop), min_size(wend, stop), depth);
}

/* Behind a type field: VLAN tags, then MPLS, PPPoE, LLC or IP. */
jj_skip
jj_decode_ethertype(jj_decoder *s, uint16_t type, size_t o, size_t end, size_t wend, int depth, bool outermost)
{
	jj_packet  *p = s->p;

	if (!next_layer(s))
		return JJ_SKIP_MALFORMED;
	while (type == 0x8100 || type == 0x88a8 || type == 0x9100 || type == 0x9200)
	{
		if (o + 4 > end)
			return JJ_SKIP_TRUNCATED;
		if (p->n_vlans == JJ_MAX_VLANS)
			return JJ_SKIP_MALFORMED;
		p->vlans[p->n_vlans++] = rd16(s->d + o) & 0xfff;
		push_label(s, JJ_L_VLAN);
		type = rd16(s->d + o + 2);
		o += 4;
	}
	if (type < ETHERTYPE_MIN)
		return decode_llc(s, o, min_size(end, o + type), min_size(wend, o + type), depth, outermost);
	if (outermost)
		p->eth_type = type;
	switch (type)
	{
		case ETHERTYPE_IPV4:
			return jj_decode_ipv4(s, o, end, wend, depth);
		case ETHERTYPE_IPV6:
			return jj_decode_ipv6(s, o, end, wend, depth);
		case ETHERTYPE_MPLS:
		case ETHERTYPE_MPLS_MULTICAST:
			return decode_mpls(s, o, end, wend, depth);
		case ETHERTYPE_PPPOE_SESSION:
			return decode_pppoe(s, o, end, wend, depth);
		case ETHERTYPE_PPP:
			push_label(s, JJ_L_PPP);
			return decode_ppp(s, o, end, wend, depth);
		default:
			return JJ_SKIP_NON_IP;
	}
}

/* Linux cooked captures: the sender's address is at sender, the payload at o. */
static jj_skip
decode_cooked(jj_decoder *s, uint16_t protocol, uint16_t arphrd, unsigned address_len, size_t sender,
			  size_t o, size_t end, size_t wend)
{
	if (address_len == 6 && arphrd != ARPHRD_IPGRE && arphrd != ARPHRD_NETLINK)
		set_mac(s, s->d + sender, NULL);
	if (arphrd == ARPHRD_NETLINK)
		return JJ_SKIP_NON_IP;
	if (protocol == 4)			/* LINUX_SLL_P_802_2 */
		return decode_llc(s, o, end, wend, 0, true);
	return jj_decode_ethertype(s, protocol, o, end, wend, 0, true);
}

/* 802.11 data frames that are neither encrypted nor aggregated; pad: the header is padded to 4 bytes. */
static jj_skip
decode_wlan(jj_decoder *s, size_t o, size_t end, size_t wend, bool pad)
{
	const uint8_t *b;
	uint16_t	fc;
	bool		to_ds,
				from_ds;
	size_t		header;

	if (o + 24 > end)
		return JJ_SKIP_NON_IP;
	b = s->d + o;
	fc = rd16le(b);
	if ((fc >> 2 & 3) != 2 || (fc >> 4 & 4) || (fc & 0x4000))
		return JJ_SKIP_NON_IP;
	to_ds = fc >> 8 & 1;
	from_ds = fc >> 9 & 1;
	header = 24 + (to_ds && from_ds ? 6 : 0);
	if (fc >> 4 & 8)			/* QoS data */
	{
		if (o + header + 2 > end)
			return JJ_SKIP_TRUNCATED;
		if (b[header] & 0x80)	/* A-MSDU */
			return JJ_SKIP_NON_IP;
		header += 2;
		if (fc & 0x8000)		/* HT control */
			header += 4;
	}
	if (to_ds && from_ds && o + 30 > end)
		return JJ_SKIP_TRUNCATED;
	if (pad)
		header = (header + 3) / 4 * 4;
	set_mac(s, to_ds && from_ds ? b + 24 : from_ds ? b + 16 : b + 10, to_ds ? b + 16 : b + 4);
	push_label(s, JJ_L_WLAN);
	return decode_llc(s, o + header, end, wend, 0, true);
}

static jj_skip
decode_radiotap(jj_decoder *s, size_t o, size_t end, size_t wend)
{
	const uint8_t *d = s->d;
	size_t		header,
				q;
	uint32_t	first,
				word;
	bool		pad = false;

	if (o + 8 > end)
		return JJ_SKIP_TRUNCATED;
	header = rd16le(d + o + 2);
	if (header < 8)
		return JJ_SKIP_MALFORMED;
	if (o + header > end)
		return JJ_SKIP_TRUNCATED;
	first = word = rd32le(d + o + 4);
	for (q = o + 8; (word & 0x80000000) && q + 4 <= o + header; q += 4)
		word = rd32le(d + q);
	if (first & 2)				/* flags field, behind the 8-byte aligned TSFT if that is present */
	{
		if (first & 1)
			q = o + (q - o + 7) / 8 * 8 + 8;
		pad = q < o + header && (d[q] & 0x20);
	}
	push_label(s, JJ_L_RADIOTAP);
	return decode_wlan(s, o + header, end, wend, pad);
}

static jj_skip
decode_ppi(jj_decoder *s, size_t o, size_t end, size_t wend)
{
	size_t		header;
	uint32_t	link;

	if (o + 8 > end)
		return JJ_SKIP_TRUNCATED;
	header = rd16le(s->d + o + 2);
	link = rd32le(s->d + o + 4);
	if (header < 8)
		return JJ_SKIP_MALFORMED;
	if (o + header > end)
		return JJ_SKIP_TRUNCATED;
	push_label(s, JJ_L_PPI);
	if (link == LINK_PPI)
		return JJ_SKIP_MALFORMED;
	return decode_link(s, link, o + header, end, wend);
}

static jj_skip
decode_link(jj_decoder *s, uint32_t link, size_t o, size_t end, size_t wend)
{
	const uint8_t *b = s->d + o;

	switch (link)
	{
		case LINK_ETHERNET:
			return jj_decode_ethernet(s, o, end, wend, 0, true);
		case LINK_RAW_BSD:
		case LINK_RAW_OPENBSD:
		case LINK_RAW:
		case LINK_IPV4:
		case LINK_IPV6:
			return jj_decode_raw_ip(s, o, end, wend, 0);
		case LINK_NULL:
		case LINK_LOOP:
			{
				uint32_t	family;

				/* AF_ numbers in the byte order of the capturing machine: the smaller reading is right */
				if (o + 4 > end)
					return JJ_SKIP_TRUNCATED;
				family = rd32le(b) < rd32(b) ? rd32le(b) : rd32(b);
				push_label(s, link == LINK_NULL ? JJ_L_NULL : JJ_L_LOOP);
				if (family == 2)
					return jj_decode_ipv4(s, o + 4, end, wend, 0);
				if (family == 10 || family == 24 || family == 28 || family == 30)
					return jj_decode_ipv6(s, o + 4, end, wend, 0);
				return JJ_SKIP_NON_IP;
			}
		case LINK_LINUX_SLL:
			if (o + 16 > end)
				return JJ_SKIP_TRUNCATED;
			push_label(s, JJ_L_SLL);
			return decode_cooked(s, rd16(b + 14), rd16(b + 2), rd16(b + 4), o + 6, o + 16, end, wend);
		case LINK_LINUX_SLL2:
			if (o + 20 > end)
				return JJ_SKIP_TRUNCATED;
			push_label(s, JJ_L_SLL2);
			return decode_cooked(s, rd16(b), rd16(b + 8), b[11], o + 12, o + 20, end, wend);
		case LINK_PPP:
		case LINK_PPP_HDLC:
			push_label(s, JJ_L_PPP);
			return decode_ppp(s, o, end, wend, 0);
		case LINK_PPP_ETHER:
			return decode_pppoe(s, o, end, wend, 0);
		case LINK_C_HDLC:
			if (o + 4 > end)
				return JJ_SKIP_TRUNCATED;
			push_label(s, JJ_L_CHDLC);
			s->p->eth_type = rd16(b + 2);
			return jj_decode_ethertype(s, rd16(b + 2), o + 4, end, wend, 0, true);
		case LINK_IEEE802_11:
			return decode_wlan(s, o, end, wend, false);
		case LINK_IEEE802_11_RADIOTAP:
			return decode_radiotap(s, o, end, wend);
		case LINK_PPI:
			return decode_ppi(s, o, end, wend);
		default:
			return JJ_SKIP_LINK_TYPE;
	}
}

jj_skip
jj_decode_any(const jj_frame *frame, bool inner, jj_packet *p)
{
	jj_decoder	s = {frame->data, p, inner, 0};

	p->ts = frame->ts;
	p->index = frame->index;
	p->n_labels = p->n_vlans = p->n_tunnels = 0;
	p->has_src_mac = p->has_dst_mac = false;
	p->eth_type = -1;
	return decode_link(&s, frame->link, 0, frame->caplen, frame->wirelen > frame->caplen ? frame->wirelen : frame->caplen);
}
