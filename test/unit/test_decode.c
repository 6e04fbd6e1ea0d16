/*
 * The decoder on frames written by hand, one header after another. A packet is
 * compared as one line of text (see summary).
 */
#include "packet/decode.h"
#include "tap.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* Headers in hex; blanks are ignored. */
#define ETH(type) "02000000000b 02000000000a " type " "
#define IP4(len, proto) "45 00 " len " 0001 4000 40 " proto " 0000 c0000201 c6336401 "
#define IP4FROM(src, dst, len, proto) "45 00 " len " 0001 0000 40 " proto " 0000 " src " " dst " "
#define A6 "20010db8000000000000000000000001 "
#define B6 "20010db8000000000000000000000002 "
#define IP6(len, next) "60000000 " len " " next " 40 " A6 B6
#define UDP "2710 0007 000c 0000 61626364 "	/* 12 bytes */
#define U4 IP4("0020", "11") UDP	/* 32 bytes */
#define U6 IP6("000c", "11") UDP	/* 52 bytes */
#define ENDS4 " 192.0.2.1:10000>198.51.100.1:7 17"
#define ENDS6 " 2001:db8::1:10000>2001:db8::2:7 17"
#define UDP4 ENDS4 " ip 32 data 4/4"
#define UDP6 ENDS6 " ip 52 data 4/4"
#define MACS " mac 02000000000a>02000000000b"
#define PAYLOAD16 "000102030405060708090a0b0c0d0e0f "

static const char *const link_names[] = {
	"NULL", "ETHERNET", "PPP", "RAW (12)", "RAW (14)", "PPP_HDLC", "PPP_ETHER", "RAW", "C_HDLC", "IEEE802_11", "LOOP",
	"LINUX_SLL", "IEEE802_11_RADIOTAP", "PPI", "IPV4", "IPV6", "LINUX_SLL2"
};

static char line[1024];

static void
add(const char *format,...)
{
	size_t		used = strlen(line);
	va_list		args;

	va_start(args, format);
	vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
}

static void
add_end(const uint8_t *address, int version, int port)
{
	char		text[INET6_ADDRSTRLEN];

	inet_ntop(version == 4 ? AF_INET : AF_INET6, address + (version == 4 ? 12 : 0), text, sizeof(text));
	if (port >= 0)
		add("%s:%d", text, port);
	else
		add("%s", text);
}

static void
add_mac(bool has, const uint8_t *mac)
{
	for (int i = 0; has && i < 6; i++)
		add("%02x", mac[i]);
}

/*
 * LABELS source:port>destination:port protocol ip length data length/captured,
 * then what else there is.
 */
static const char *
summary(const jj_frame *f, const jj_packet *p)
{
	line[0] = '\0';
	for (unsigned i = 0; i < p->n_labels && i < JJ_MAX_LABELS; i++)
	{
		add("%s%s", i ? "-" : "", jj_label_name[p->labels[i]]);
		if (p->labels[i] == JJ_L_PROTO)
			add("%d", p->proto);
	}
	if (p->n_labels > JJ_MAX_LABELS)
		add("+%d", p->n_labels - JJ_MAX_LABELS);
	add(" ");
	add_end(p->src, p->ip_version, p->sport);
	add(">");
	add_end(p->dst, p->ip_version, p->dport);
	add(" %d ip %u data %u/%u", p->proto, p->ip_len, p->payload_len, p->payload_caplen);
	if (p->has_tcp)
		add(" tcp %03x %u,%u win %d head %d+%d", p->tcp_flags, p->seq, p->ack, p->window, p->tcp_header_len, p->options_len);
	if (p->icmp_type >= 0)
		add(" icmp %d/%d", p->icmp_type, p->icmp_code);
	if (p->icmp_id >= 0)
		add(" id %d seq %d", p->icmp_id, p->icmp_seq);
	if (p->fragment)
		add(" fragment %u of %u", p->frag_offset, p->ip_id);
	for (unsigned i = 0; i < p->n_ext_headers; i++)
		add("%s%d", i ? "," : " ext ", p->ext_headers[i]);
	for (unsigned i = 0; i < p->n_vlans; i++)
		add("%s%d", i ? "," : " vlan ", p->vlans[i]);
	for (unsigned i = 0; i < p->n_tunnels; i++)
	{
		add("%s%s", i ? "/" : " in ", jj_tunnel_name[p->tunnels[i].type]);
		if (p->tunnels[i].has_id)
			add(":%u", p->tunnels[i].id);
	}
	if (p->n_tunnels > 0)
	{
		add(" of ");
		add_end(p->outer_src, p->outer_version, -1);
		add(">");
		add_end(p->outer_dst, p->outer_version, -1);
	}
	if (p->truncated)
		add(" truncated");
	if (p->has_src_mac || p->has_dst_mac)
	{
		add(" mac ");
		add_mac(p->has_src_mac, p->src_mac);
		add(">");
		add_mac(p->has_dst_mac, p->dst_mac);
	}
	if (p->eth_type >= 0 && p->eth_type != 0x800 && p->eth_type != 0x86dd)
		add(" type %04x", p->eth_type);
	if (p->payload < f->data || p->payload + p->payload_caplen > f->data + f->caplen)
		add(" PAYLOAD OUTSIDE THE FRAME");
	return line;
}

static int
nibble(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

static jj_packet last;

/* Decode the first cut bytes (all if 0) of the frame given in hex; extra: by how much it was longer on the wire. */
static const char *
decode(uint32_t link, bool inner, const char *hex, uint32_t cut, uint32_t extra)
{
	size_t		size = 0;
	uint8_t    *bytes;
	jj_frame	f = {.ts = 5, .index = 3, .link = link};
	jj_skip		skip;
	static char text[1024];

	for (const char *c = hex; *c; c++)
		size += *c != ' ';
	size /= 2;
	f.caplen = cut ? cut : (uint32_t) size;
	f.wirelen = (uint32_t) size + extra;
	bytes = malloc(f.caplen ? f.caplen : 1);	/* no byte more, for the address sanitizer */
	for (uint32_t i = 0; i < f.caplen; i++)
	{
		while (*hex == ' ')
			hex++;
		bytes[i] = (uint8_t) (nibble(hex[0]) << 4 | nibble(hex[1]));
		hex += 2;
	}
	f.data = bytes;
	memset(&last, 0xaa, sizeof(last));
	skip = jj_decode(&f, inner, &last);
	snprintf(text, sizeof(text), "%s", skip == JJ_SKIP_NONE ? summary(&f, &last) : jj_skip_name[skip]);
	free(bytes);
	return text;
}

#define IS(link, hex, want, name) is_text(decode(link, true, hex, 0, 0), want, name)
#define IS_CUT(link, hex, cut, want, name) is_text(decode(link, true, hex, cut, 0), want, name)

static void
links(void)
{
	uint32_t	link,
				n = 0;
	bool		good = true;
	const char *name;

	while ((name = jj_link_supported_name(n, &link)) != NULL)
	{
		good = good && n < sizeof(link_names) / sizeof(link_names[0]) && strcmp(name, link_names[n]) == 0 && jj_link_supported(link);
		n++;
	}
	ok(good && n == sizeof(link_names) / sizeof(link_names[0]), "names of the supported link types");
	ok(!jj_link_supported(147) && !jj_link_supported(0xffffffff), "other link types are not supported");
	IS(147, U4, "unsupported_link_type", "USER0");

	IS(1, ETH("0800") U4, "ETH-IP-UDP" UDP4 MACS, "Ethernet, IPv4");
	IS(1, ETH("86dd") U6, "ETH-IP6-UDP" UDP6 MACS, "Ethernet, IPv6");
	IS(1, ETH("0806") PAYLOAD16, "non_ip", "Ethernet, ARP");
	IS_CUT(1, ETH("0800"), 13, "truncated", "Ethernet, cut");
	IS(12, U4, "IP-UDP" UDP4, "raw IP 12");
	IS(14, U6, "IP6-UDP" UDP6, "raw IP 14");
	IS(101, U6, "IP6-UDP" UDP6, "raw IP 101");
	IS(228, U4, "IP-UDP" UDP4, "raw IPv4");
	IS(229, U6, "IP6-UDP" UDP6, "raw IPv6");
	IS(101, "70" PAYLOAD16, "malformed", "raw IP, version 7");
	IS(101, "", "truncated", "raw IP, no byte");
	IS(0, "02000000" U4, "NULL-IP-UDP" UDP4, "loopback, little endian");
	IS(0, "00000002" U4, "NULL-IP-UDP" UDP4, "loopback, big endian");
	IS(0, "1e000000" U6, "NULL-IP6-UDP" UDP6, "loopback, macOS IPv6");
	IS(0, "0a000000" U6, "NULL-IP6-UDP" UDP6, "loopback, Linux IPv6");
	IS(108, "00000018" U6, "LOOP-IP6-UDP" UDP6, "OpenBSD loopback, IPv6");
	IS(108, "0000001c" U6, "LOOP-IP6-UDP" UDP6, "FreeBSD IPv6");
	IS(0, "07000000" U4, "non_ip", "loopback, another family");
	IS(0, "0200", "truncated", "loopback, cut");
	IS(9, "ff030021" U4, "PPP-IP-UDP" UDP4, "PPP");
	IS(9, "0057" U6, "PPP-IP6-UDP" UDP6, "PPP without address and control");
	IS(50, "21" U4, "PPP-IP-UDP" UDP4, "PPP with a short protocol field");
	IS(9, "ff030281 00010140" U4, "PPP-MPLS-IP-UDP" UDP4, "PPP, MPLS");
	IS(9, "ff03c021 0901", "non_ip", "PPP, LCP");
	IS(9, "ff03", "truncated", "PPP, cut behind the control field");
	IS(9, "00", "truncated", "PPP, cut protocol");
	IS(51, "1100 0001 0022 0021" U4, "PPPOE-IP-UDP" UDP4, "PPPoE");
	IS(51, "1109 0000 0000", "non_ip", "PPPoE, discovery");
	IS(51, "2100 0001 0022 0021" U4, "non_ip", "PPPoE, version 2");
	IS(51, "1100 00", "truncated", "PPPoE, cut");
	IS(51, "1100 0001 001a 0021" U4, "PPPOE-IP-UDP" ENDS4 " ip 32 data 4/0 truncated", "PPPoE, its length ends inside the IP packet");
	IS(104, "0f000800" U4, "CHDLC-IP-UDP" UDP4, "Cisco HDLC");
	IS(104, "8f008035" PAYLOAD16, "non_ip", "Cisco HDLC, SLARP");
	IS(104, "0f0008", "truncated", "Cisco HDLC, cut");
	IS(113, "0000 0001 0006 020000000010 0000 0800" U4, "SLL-IP-UDP" UDP4 " mac 020000000010>", "Linux cooked");
	IS(113, "0000 0001 0000 020000000010 0000 86dd" U6, "SLL-IP6-UDP" UDP6, "Linux cooked, no address");
	IS(113, "0000 030a 0006 020000000010 0000 0800" U4, "SLL-IP-UDP" UDP4, "Linux cooked, GRE device: the address is none");
	IS(113, "0000 0338 0000 020000000010 0000 0000" PAYLOAD16, "non_ip", "Linux cooked, netlink");
	IS(113, "0000 0001 0006 020000000010 0000 0004 aaaa03000000 0800" U4, "SLL-LLC-IP-UDP" UDP4 " mac 020000000010>", "Linux cooked, 802.2");
	IS(113, "0000 0001 0006 0200", "truncated", "Linux cooked, cut");
	IS(276, "0800 0000 00000003 0001 00 06 0200000000100000" U4, "SLL2-IP-UDP" UDP4 " mac 020000000010>", "Linux cooked 2");
	IS(276, "0800 0000 00000003", "truncated", "Linux cooked 2, cut");
}

#define DS0 "0800 0000 020000000051 020000000052 020000000053 1000 "
#define SNAP "aaaa03000000 "

static void
wireless(void)
{
	IS(105, DS0 SNAP "0800" U4, "WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "802.11 between stations");
	IS(105, "0801 0000 020000000051 020000000052 020000000053 1000" SNAP "0800" U4, "WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000053",
	   "802.11 to the distribution system");
	IS(105, "0802 0000 020000000051 020000000052 020000000053 1000" SNAP "0800" U4, "WLAN-LLC-IP-UDP" UDP4 " mac 020000000053>020000000051",
	   "802.11 from the distribution system");
	IS(105, "0803 0000 020000000051 020000000052 020000000053 1000 020000000054" SNAP "0800" U4,
	   "WLAN-LLC-IP-UDP" UDP4 " mac 020000000054>020000000053", "802.11 between access points");
	IS_CUT(105, "0803 0000 020000000051 020000000052 020000000053 1000 020000000054", 26, "truncated", "802.11, fourth address cut");
	IS(105, "8800 0000 020000000051 020000000052 020000000053 1000 0000" SNAP "86dd" U6, "WLAN-LLC-IP6-UDP" UDP6 " mac 020000000052>020000000051", "802.11 QoS");
	IS(105, "8880 0000 020000000051 020000000052 020000000053 1000 0000 00000000" SNAP "0800" U4,
	   "WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "802.11 QoS with HT control");
	IS(105, "8800 0000 020000000051 020000000052 020000000053 1000 8000" SNAP "0800" U4, "non_ip", "802.11 A-MSDU");
	IS_CUT(105, "8800 0000 020000000051 020000000052 020000000053 1000 0000", 25, "truncated", "802.11 QoS, cut");
	IS(105, "8000 0000 020000000051 020000000052 020000000053 1000" U4, "non_ip", "802.11 beacon");
	IS(105, "4800 0000 020000000051 020000000052 020000000053 1000", "non_ip", "802.11 null");
	IS(105, "0840 0000 020000000051 020000000052 020000000053 1000" SNAP "0800" U4, "non_ip", "802.11 encrypted");
	IS_CUT(105, DS0, 20, "non_ip", "802.11, short control frame");
	IS(127, "0000 0800 00000000" DS0 SNAP "0800" U4, "RADIOTAP-WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "radiotap");
	IS(127, "0000 0900 02000000 20 8800 0000 020000000051 020000000052 020000000053 1000 0000 0000" SNAP "0800" U4,
	   "RADIOTAP-WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "radiotap, padding behind the 802.11 header");
	IS(127, "0000 1900 03000000 0000000000000000 0000000000000000 20 8800 0000 020000000051 020000000052 020000000053 1000 0000 0000" SNAP "0800" U4,
	   "non_ip", "radiotap, TSFT is aligned to 8 bytes, here the padding flag is not where it seems");
	IS(127, "0000 1100 03000000 0000000000000000 20 8800 0000 020000000051 020000000052 020000000053 1000 0000 0000" SNAP "0800" U4,
	   "RADIOTAP-WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "radiotap, flags behind TSFT");
	IS(127, "0000 0d00 02000080 00000000 20 8800 0000 020000000051 020000000052 020000000053 1000 0000 0000" SNAP "0800" U4,
	   "RADIOTAP-WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "radiotap, flags behind a second bitmap");
	IS(127, "0000 0400 00000000", "malformed", "radiotap, length below 8");
	IS(127, "0000 4000 00000000", "truncated", "radiotap, cut");
	IS(127, "0000 08", "truncated", "radiotap, cut length");
	IS(192, "00000800 01000000" ETH("0800") U4, "PPI-ETH-IP-UDP" UDP4 MACS, "PPI, Ethernet");
	IS(192, "00000c00 69000000 00000000" DS0 SNAP "0800" U4, "PPI-WLAN-LLC-IP-UDP" UDP4 " mac 020000000052>020000000051", "PPI, 802.11 behind a field");
	IS(192, "00000800 93000000" U4, "unsupported_link_type", "PPI, USER0");
	IS(192, "00000800 c0000000 00000800 01000000" ETH("0800") U4, "malformed", "PPI in itself");
	IS(192, "00000400 01000000", "malformed", "PPI, length below 8");
	IS(192, "00004000 01000000", "truncated", "PPI, cut");
	IS(192, "0000", "truncated", "PPI, cut length");
}

static void
encapsulation(void)
{
	IS(1, ETH("8100") "200a0800" U4, "ETH-VLAN-IP-UDP" UDP4 " vlan 10" MACS, "802.1Q; priority bits are no part of the id");
	IS(1, ETH("88a8") "00c88100 000a0800" U4, "ETH-VLAN-VLAN-IP-UDP" UDP4 " vlan 200,10" MACS, "802.1ad");
	IS(1, ETH("9100") "00019200 00028100 000386dd" U6, "ETH-VLAN-VLAN-VLAN-IP6-UDP" UDP6 " vlan 1,2,3" MACS, "0x9100, 0x9200");
	IS(1, ETH("8100") "00", "truncated", "cut tag");
	IS(1, ETH("8100") "00018100 00028100 00038100 00048100 00058100 00068100 00078100 00088100 00098100 000a8100 000b8100 000c8100 000d8100 "
	   "000e8100 000f8100 00100800" U4, "ETH-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN-VLAN+3" UDP4
	   " vlan 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16" MACS, "16 tags");
	IS(1, ETH("8100") "00018100 00028100 00038100 00048100 00058100 00068100 00078100 00088100 00098100 000a8100 000b8100 000c8100 000d8100 "
	   "000e8100 000f8100 00108100 00110800" U4, "malformed", "17 tags");
	IS(1, ETH("8847") "00010040 00011140" U4, "ETH-MPLS-MPLS-IP-UDP" UDP4 MACS " type 8847", "MPLS");
	IS(1, ETH("8848") "00011140" U6, "ETH-MPLS-IP6-UDP" UDP6 MACS " type 8848", "MPLS multicast");
	IS(1, ETH("8847") "00010040", "truncated", "MPLS without a last label");
	IS(1, ETH("8847") "00010140", "truncated", "MPLS, nothing behind");
	IS(1, ETH("8847") "00010140 00000000 0c0000000001 0c0000000002 0800" U4, "ETH-MPLS-ETH-IP-UDP" UDP4 MACS " type 8847", "pseudowire with a control word");
	IS(1, ETH("8847") "00010140 020000000001 020000000002 0800" U4, "ETH-MPLS-ETH-IP-UDP" UDP4 MACS " type 8847", "pseudowire without");
	IS(1, ETH("8847") "00010140 00000000 0c0000000001 0c0000000002 0806" PAYLOAD16, "non_ip", "pseudowire, ARP");
	IS(1, ETH("8864") "1100 0001 0036 0057" U6 "00000000", "ETH-PPPOE-IP6-UDP" UDP6 MACS " type 8864", "PPPoE session");
	IS(1, ETH("880b") "0021" U4, "ETH-PPP-IP-UDP" UDP4 MACS " type 880b", "PPP by EtherType");
	IS(1, ETH("0028") SNAP "0800" U4 "0000", "ETH-LLC-IP-UDP" UDP4 MACS, "SNAP");
	IS(1, ETH("0028") "aaaa030000f8 0800" U4, "ETH-LLC-IP-UDP" UDP4 MACS, "SNAP, bridged OUI");
	IS(1, ETH("0023") "060603" U4, "ETH-LLC-IP-UDP" ENDS4 " ip 32 data 4/4" MACS, "IP SAP");
	IS(1, ETH("0026") "424203" PAYLOAD16, "non_ip", "spanning tree");
	IS(1, ETH("0001") "aa", "non_ip", "LLC, one byte");
	IS(1, ETH("8100") "00090028" SNAP "0800" U4, "ETH-VLAN-LLC-IP-UDP" UDP4 " vlan 9" MACS, "SNAP behind a tag");
	IS(1, ETH("0800") U4 "0000000000000000", "ETH-IP-UDP" UDP4 MACS, "padding is no payload");
}

static void
ipv4(void)
{
	IS(228, "46 00 0024 0001 0000 40 11 0000 c0000201 c6336401 94040000" UDP, "IP-UDP" ENDS4 " ip 36 data 4/4", "options");
	IS(228, "43" PAYLOAD16 PAYLOAD16, "malformed", "IHL 3");
	IS(228, IP4("0013", "11") UDP, "malformed", "total length below the header");
	IS_CUT(228, U4, 19, "truncated", "cut header");
	IS(1, ETH("0800") U6, "malformed", "version 6 where 4 is announced");
	IS(1, ETH("86dd") U4, "malformed", "version 4 where 6 is announced");
	is_text(decode(228, true, IP4("0000", "11") UDP, 0, 1000), "IP-UDP" ENDS4 " ip 1032 data 4/4 truncated",
			"length 0: to the end of the frame; the UDP length still counts");
	IS(228, IP4("0000", "06") "0050c350 00000001 00000002 50100400 0000 0000" PAYLOAD16,
	   "IP-TCP 192.0.2.1:80>198.51.100.1:50000 6 ip 56 data 16/16 tcp 010 1,2 win 1024 head 20+0", "length 0, TCP");
	is_text(decode(228, true, IP4("0400", "11") UDP, 0, 0), "IP-UDP" ENDS4 " ip 1024 data 4/4 truncated", "IP packet longer than the frame");
	IS(228, IP4("0038", "33") "11040000 00000001 00000002 000000000000000000000000" UDP, "IP-AH-UDP" ENDS4 " ip 56 data 4/4 ext 51", "AH");
	IS(228, IP4("0038", "33") "11ff0000 00000001 00000002" PAYLOAD16 "00000000 00000000",
	   "IP-PROTO51 192.0.2.1>198.51.100.1 51 ip 56 data 36/36", "AH longer than the packet");
	IS(228, "45 00 0028 0007 2000 40 11 0000 c0000201 c6336401 2710 0007 0100 0000" PAYLOAD16 "00000000",
	   "IP-UDP" ENDS4 " ip 40 data 12/12 fragment 0 of 7", "first fragment");
	IS(228, "45 00 0024 0007 0003 40 11 0000 c0000201 c6336401" PAYLOAD16, "IP-UDP 192.0.2.1>198.51.100.1 17 ip 36 data 16/16 fragment 24 of 7",
	   "last fragment");
	IS(228, "45 00 0024 0007 2003 40 04 0000 c0000201 c6336401" PAYLOAD16, "IP-PROTO4 192.0.2.1>198.51.100.1 4 ip 36 data 16/16 fragment 24 of 7",
	   "a fragment of a tunnel is none");
	IS(228, "45 b9 0020 0001 e000 01 11 0000 c0000201 c6336401" UDP, "IP-UDP" ENDS4 " ip 32 data 4/4 fragment 0 of 1", "flags");
	ok(last.ip_flags == 7 && last.tos == 0xb9 && last.ttl == 1 && last.ip_id == 1 && last.ts == 5 && last.index == 3 && last.frag_proto == 17,
	   "flags, DS field, TTL, id, time and number are kept");
}

static void
ipv6(void)
{
	IS(229, IP6("0014", "00") "11000104 00000000" UDP, "IP6-HBH-UDP" ENDS6 " ip 60 data 4/4 ext 0", "hop-by-hop");
	IS(229, IP6("0044", "00") "2b000104 00000000 3c010400 00000000 0000000000000000 87000104 00000000 8b000104 00000000 8c000104 00000000 "
	   "11000104 00000000" UDP, "IP6-HBH-ROUTE-DST-MOBILITY-HIP-SHIM6-UDP" ENDS6 " ip 108 data 4/4 ext 0,43,60,135,139,140", "chain");
	IS(229, IP6("0014", "2c") "11000000 0000004d" UDP, "IP6-FRAG-UDP" ENDS6 " ip 60 data 4/4 ext 44", "atomic fragment");
	IS(229, IP6("0014", "2c") "11000001 0000004d" UDP, "IP6-FRAG-UDP" ENDS6 " ip 60 data 4/4 fragment 0 of 77 ext 44", "first fragment");
	IS(229, IP6("0018", "2c") "11000010 0000004d" PAYLOAD16, "IP6-FRAG-UDP 2001:db8::1>2001:db8::2 17 ip 64 data 16/16 fragment 16 of 77 ext 44",
	   "later fragment");
	IS(229, IP6("0018", "2c") "2b000010 0000004d" PAYLOAD16, "IP6-FRAG-PROTO43 2001:db8::1>2001:db8::2 43 ip 64 data 16/16 fragment 16 of 77 ext 44",
	   "later fragment: what follows is no header");
	IS(229, IP6("001c", "33") "11020000 00000001 00000002 00000000" UDP, "IP6-AH-UDP" ENDS6 " ip 68 data 4/4 ext 51", "AH counts in words of 4");
	IS(229, IP6("0000", "3b"), "IP6-NONE 2001:db8::1>2001:db8::2 59 ip 40 data 0/0", "no next header");
	IS(229, IP6("0010", "3b") PAYLOAD16, "IP6-NONE 2001:db8::1>2001:db8::2 59 ip 56 data 16/16", "no next header, with bytes behind");
	IS(229, IP6("0014", "00") "1100", "IP6-PROTO0 2001:db8::1>2001:db8::2 0 ip 60 data 20/2 truncated", "cut extension header");
	IS(229, IP6("0014", "2b") "11080104 00000000" UDP, "IP6-PROTO43 2001:db8::1>2001:db8::2 43 ip 60 data 20/20", "extension header longer than the packet");
	is_text(decode(229, true, IP6("0000", "00") "1100c204 00011170" UDP, 0, 70000), "IP6-HBH-UDP" ENDS6 " ip 70040 data 4/4 ext 0 truncated",
			"jumbogram");
	is_text(decode(229, true, IP6("0000", "00") "11010000 01020000 c2040001 11700000" UDP, 0, 70000),
			"IP6-HBH-UDP" ENDS6 " ip 70040 data 4/4 ext 0 truncated", "jumbogram, the option behind padding");
	IS(229, IP6("0000", "00") "11000104 00000000" UDP, "IP6-HBH-UDP" ENDS6 " ip 60 data 4/4 ext 0", "length 0 without the jumbo option");
	IS(229, IP6("0000", "00") "11000102 0000c2", "IP6-PROTO0 2001:db8::1>2001:db8::2 0 ip 47 data 7/7", "cut jumbo option");
	IS_CUT(229, U6, 39, "truncated", "cut header");
	IS(229, "6b912345 000c 11 40" A6 B6 UDP, "IP6-UDP" UDP6, "traffic class and flow label");
	ok(last.tos == 0xb9 && last.flow_label == 0x12345 && last.ttl == 0x40 && last.ip_flags == 0, "traffic class, flow label and hop limit are kept");
}

#define T4(len, rest) IP4(len, "06") "c3500050 00000001 00000002 " rest
#define TCP4 " 192.0.2.1:50000>198.51.100.1:80 6"

static void
transport(void)
{
	IS(228, T4("0028", "50020400 00000000"), "IP-TCP" TCP4 " ip 40 data 0/0 tcp 002 1,2 win 1024 head 20+0", "TCP");
	IS(228, T4("0034", "7fff0400 00000009 020405b4 04020000 61626364"), "IP-TCP" TCP4 " ip 52 data 4/4 tcp 1ff 1,2 win 1024 head 28+8",
	   "TCP with options and all flags");
	ok(last.urgent == 9, "urgent pointer");
	IS_CUT(228, T4("0034", "70100400 00000000 020405b4 04020000 61626364"), 44, "IP-TCP" TCP4 " ip 52 data 4/0 tcp 010 1,2 win 1024 head 28+4 truncated", "TCP, options cut");
	IS_CUT(228, T4("0034", "50100400 00000000 020405b4 04020000 61626364"), 38, "IP-TCP" TCP4 " ip 52 data 12/0 truncated", "TCP, header cut: ports only");
	IS_CUT(228, T4("0034", "50100400 00000000 020405b4 04020000 61626364"), 23, "IP-TCP 192.0.2.1>198.51.100.1 6 ip 52 data 12/0 truncated", "TCP, ports cut");
	IS(228, T4("0028", "40020400 00000000"), "IP-TCP" TCP4 " ip 40 data 0/0", "TCP, data offset below 5");
	IS(228, T4("0028", "60020400 00000000"), "IP-TCP" TCP4 " ip 40 data 0/0", "TCP, data offset beyond the packet");
	IS(228, "45 00 0028 0007 2000 40 06 0000 c0000201 c6336401 c3500050 00000001 00000002 60020400 00000000",
	   "IP-TCP" TCP4 " ip 40 data 0/0 tcp 002 1,2 win 1024 head 24+0 fragment 0 of 7", "TCP, options continue in the next fragment");
	IS(228, IP4("001e", "11") "2710 0007 0014 0000 6162", "IP-UDP" ENDS4 " ip 30 data 2/2", "UDP length beyond the packet");
	IS(228, IP4("0020", "11") "2710 0007 0000 0000 61626364", "IP-UDP" ENDS4 " ip 32 data 4/4", "UDP length 0");
	IS(228, IP4("0020", "11") "2710 0007 000a 0000 61626364", "IP-UDP" ENDS4 " ip 32 data 2/2", "UDP length below the packet's");
	IS(228, IP4("0020", "11") "2710 0007 0003 0000 61626364", "IP-UDP" ENDS4 " ip 32 data 0/0", "UDP length below 8");
	IS_CUT(228, U4, 25, "IP-UDP" ENDS4 " ip 32 data 4/0 truncated", "UDP cut behind the ports");
	IS(228, IP4("0020", "88") "2710 0007 0008 0000 61626364", "IP-UDPLITE 192.0.2.1:10000>198.51.100.1:7 136 ip 32 data 4/4", "UDP-Lite: coverage is no length");
	IS(228, IP4("0024", "84") "2710 0007 00000001 00000000 61626364", "IP-SCTP 192.0.2.1:10000>198.51.100.1:7 132 ip 36 data 4/4", "SCTP");
	IS(228, IP4("0028", "21") "2710 0007 04000000 05000000 00000001 61626364", "IP-DCCP 192.0.2.1:10000>198.51.100.1:7 33 ip 40 data 4/4", "DCCP");
	IS(228, IP4("0028", "21") "2710 0007 01000000 04000000 00000001 61626364", "IP-DCCP 192.0.2.1:10000>198.51.100.1:7 33 ip 40 data 8/8",
	   "DCCP, data offset below its header");
	IS(228, IP4("0020", "01") "08000000 00050009 61626364", "IP-ICMP 192.0.2.1>198.51.100.1 1 ip 32 data 4/4 icmp 8/0 id 5 seq 9", "ICMP echo");
	IS(228, IP4("0020", "01") "03010000 00050009 61626364", "IP-ICMP 192.0.2.1>198.51.100.1 1 ip 32 data 4/4 icmp 3/1", "ICMP unreachable has no id");
	IS(228, IP4("001a", "01") "08000000 0005", "IP-ICMP 192.0.2.1>198.51.100.1 1 ip 26 data 0/0 icmp 8/0", "ICMP echo, cut id");
	IS(228, IP4("0017", "01") "080000", "IP-ICMP 192.0.2.1>198.51.100.1 1 ip 23 data 0/0", "ICMP, cut");
	IS(229, IP6("000c", "3a") "81000000 00050009 61626364", "IP6-ICMP6 2001:db8::1>2001:db8::2 58 ip 52 data 4/4 icmp 129/0 id 5 seq 9", "ICMPv6 echo reply");
	IS(229, IP6("000c", "3a") "87000000 00000000 61626364", "IP6-ICMP6 2001:db8::1>2001:db8::2 58 ip 52 data 4/4 icmp 135/0", "ICMPv6 neighbour solicitation");
	IS(228, IP4("0018", "02") "16000000", "IP-IGMP 192.0.2.1>198.51.100.1 2 ip 24 data 4/4", "IGMP");
	IS(228, IP4("0018", "32") "16000000", "IP-ESP 192.0.2.1>198.51.100.1 50 ip 24 data 4/4", "ESP");
	IS(228, IP4("0018", "59") "02010000", "IP-OSPF 192.0.2.1>198.51.100.1 89 ip 24 data 4/4", "OSPF");
	IS(228, IP4("0018", "fd") "16000000", "IP-PROTO253 192.0.2.1>198.51.100.1 253 ip 24 data 4/4", "another protocol");
	ok(jj_icmp_has_id(1, 0) && jj_icmp_has_id(1, 37) && !jj_icmp_has_id(1, 5) && !jj_icmp_has_id(1, 128)
	   && jj_icmp_has_id(58, 128) && !jj_icmp_has_id(58, 8), "ICMP types with an identifier");
	ok(jj_protocol_label(6) == JJ_L_TCP && jj_protocol_label(47) == JJ_L_GRE && jj_protocol_label(200) == JJ_L_PROTO, "labels of protocols");
}

#define OUT(len, proto) IP4FROM("cb007101", "cb007102", len, proto)
#define OF " of 203.0.113.1>203.0.113.2"

static void
tunnels(void)
{
	IS(228, OUT("0034", "04") U4, "IP-IP-UDP" UDP4 " in 4in4" OF, "4in4");
	IS(228, OUT("0048", "29") U6, "IP-IP6-UDP" UDP6 " in 6in4" OF, "6in4");
	IS(229, IP6("0020", "04") U4, "IP6-IP-UDP" UDP4 " in 4in6 of 2001:db8::1>2001:db8::2", "4in6");
	IS(229, IP6("0034", "29") U6, "IP6-IP6-UDP" UDP6 " in 6in6 of 2001:db8::1>2001:db8::2", "6in6");
	is_text(decode(228, false, OUT("0034", "04") U4, 0, 0), "IP-PROTO4 203.0.113.1>203.0.113.2 4 ip 52 data 32/32", "outermost wanted");
	IS(228, OUT("0038", "2f") "00000800" U4, "IP-GRE-IP-UDP" UDP4 " in gre" OF, "GRE");
	IS(228, OUT("0044", "2f") "b0000800 00000000 0000002a 00000001" U4, "IP-GRE-IP-UDP" UDP4 " in gre:42" OF, "GRE with checksum, key and sequence number");
	IS(228, OUT("0046", "2f") "00006558" ETH("0800") U4, "IP-GRE-ETH-IP-UDP" UDP4 " in gre" OF, "GRE, Ethernet");
	IS(228, OUT("0046", "2f") "2081880b 00220005 00000007 0021" U4 "00", "IP-GRE-PPP-IP-UDP" UDP4 " in gre" OF, "GRE version 1: the key is none");
	IS(228, OUT("0038", "2f") "40000800" U4, "IP-GRE 203.0.113.1>203.0.113.2 47 ip 56 data 36/36", "GRE with source routes");
	IS(228, OUT("0038", "2f") "00020800" U4, "IP-GRE 203.0.113.1>203.0.113.2 47 ip 56 data 36/36", "GRE version 2");
	IS(228, OUT("0018", "2f") "20000800", "IP-GRE 203.0.113.1>203.0.113.2 47 ip 24 data 4/4", "GRE, cut key");
	IS(228, OUT("0028", "2f") "00000806" PAYLOAD16, "IP-GRE 203.0.113.1>203.0.113.2 47 ip 40 data 20/20", "GRE, ARP inside");
	IS(228, OUT("0046", "2f") "000088be" ETH("0800") U4, "IP-GRE-ERSPAN-ETH-IP-UDP" UDP4 " in erspan" OF, "ERSPAN type I");
	IS(228, OUT("0052", "2f") "100088be 00000001 1000007b 00000000" ETH("0800") U4, "IP-GRE-ERSPAN-ETH-IP-UDP" UDP4 " in erspan:123" OF, "ERSPAN type II");
	IS(228, OUT("0056", "2f") "100022eb 00000001 20000141 00000000 00000000" ETH("0800") U4, "IP-GRE-ERSPAN-ETH-IP-UDP" UDP4 " in erspan:321" OF, "ERSPAN type III");
	IS(228, OUT("005e", "2f") "100022eb 00000001 20000141 00000000 00000001 0000000000000000" ETH("0800") U4,
	   "IP-GRE-ERSPAN-ETH-IP-UDP" UDP4 " in erspan:321" OF, "ERSPAN type III with a subheader");
	IS(228, OUT("0052", "11") "9c4012b5 003e0000 08000000 0003e800" ETH("0800") U4, "IP-UDP-VXLAN-ETH-IP-UDP" UDP4 " in vxlan:1000" OF, "VXLAN");
	IS(228, OUT("0052", "11") "9c4012b5 003e0000 00000000 0003e800" ETH("0800") U4, "IP-UDP 203.0.113.1:40000>203.0.113.2:4789 17 ip 82 data 54/54",
	   "VXLAN port without the VNI flag");
	IS(228, OUT("0056", "11") "9c4017c1 00420000 01006558 000bb800 00000000" ETH("0800") U4, "IP-UDP-GENEVE-ETH-IP-UDP" UDP4 " in geneve:3000" OF,
	   "Geneve with options");
	IS(228, OUT("0058", "11") "9c4017c1 00440000 000086dd 000bb900" U6, "IP-UDP-GENEVE-IP6-UDP" UDP6 " in geneve:3001" OF, "Geneve, IPv6 inside");
	IS(228, OUT("0044", "11") "08680868 00300000 30ff0020 00001234" U4, "IP-UDP-GTPU-IP-UDP" UDP4 " in gtp-u:4660" OF, "GTP-U");
	IS(228, OUT("004c", "11") "08680868 00380000 34ff0028 00001234 00000085 01000000" U4, "IP-UDP-GTPU-IP-UDP" UDP4 " in gtp-u:4660" OF,
	   "GTP-U with an extension header");
	ok(last.n_tunnels == 1 && !last.tunnels[0].keyed, "a TEID is no part of the key");
	IS(228, OUT("002c", "11") "08680868 00180000 32ff0008 00001234 0000", "IP-UDP 203.0.113.1:2152>203.0.113.2:2152 17 ip 44 data 16/10 truncated", "GTP-U, options cut");
	IS(228, OUT("0044", "11") "08680868 00300000 30010020 00001234" U4, "IP-UDP 203.0.113.1:2152>203.0.113.2:2152 17 ip 68 data 40/40", "GTP-U echo");
	IS(228, OUT("0050", "11") "9c400dd8 003c0000" U6, "IP-UDP-TEREDO-IP6-UDP" UDP6 " in teredo" OF, "Teredo");
	IS(228, OUT("0065", "11") "0dd89c40 00510000 00010000 0000000000000000 00 00001234 0a000001" U6, "IP-UDP-TEREDO-IP6-UDP" UDP6 " in teredo" OF,
	   "Teredo with authentication and origin");
	IS(228, OUT("0050", "11") "9c400dd8 003c0000 60000000 0100 11 40" A6 B6 UDP, "IP-UDP 203.0.113.1:40000>203.0.113.2:3544 17 ip 80 data 52/52",
	   "Teredo port, IPv6 length beyond the datagram");
	IS(228, OUT("0033", "04") U4, "IP-IP-UDP" ENDS4 " ip 32 data 4/3 in 4in4" OF " truncated", "inner packet longer than the outer one");
	IS(228, OUT("0024", "04") "45000020 00014000 40110000 c0000201", "IP-PROTO4 203.0.113.1>203.0.113.2 4 ip 36 data 16/16", "cut inner header: the outer one counts");
	IS(228, OUT("0070", "04") OUT("005c", "04") OUT("0048", "04") OUT("0034", "04") U4, "IP-IP-IP-IP-IP-UDP" UDP4 " in 4in4/4in4/4in4/4in4" OF, "four tunnels");
	IS(228, OUT("0084", "04") OUT("0070", "04") OUT("005c", "04") OUT("0048", "04") OUT("0034", "04") U4,
	   "IP-IP-IP-IP-IP-PROTO4 203.0.113.1>203.0.113.2 4 ip 52 data 32/32 in 4in4/4in4/4in4/4in4" OF, "five: the fifth stays");
	IS(1, ETH("8100") "00050800" OUT("004a", "2f") "00006558 0c0000000001 0c0000000002 8100 00060800" U4,
	   "ETH-VLAN-IP-GRE-ETH-VLAN-IP-UDP" UDP4 " vlan 5,6 in gre" OF MACS, "tags outside and inside; MAC addresses of the outside");
}

int
main(void)
{
	links();
	wireless();
	encapsulation();
	ipv4();
	ipv6();
	transport();
	tunnels();
	return done_testing();
}
