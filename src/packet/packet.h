/*
 * One decoded packet: what flow table and extractors read.
 */
#ifndef JJ_PACKET_H
#define JJ_PACKET_H

#include "capture/reader.h"

#define JJ_MAX_TUNNELS 4		/* at most so many are taken off a packet */
#define JJ_MAX_LABELS 16		/* headers named in hdr_desc */
#define JJ_MAX_VLANS 16			/* a frame with more tags is malformed */
#define JJ_MAX_IP_LENGTH INT32_MAX	/* a longer IP packet, as a jumbogram may claim, is malformed; lengths fit an SQL integer */
#define JJ_MAX_EXT_HEADERS 16	/* IPv6 extension headers remembered */
#define JJ_MAX_LAYERS 64		/* link-layer headers walked per frame, bounds nested MPLS and LLC */

/* Why a frame gave no packet. */
typedef enum jj_skip
{
	JJ_SKIP_NONE = 0,
	JJ_SKIP_NON_IP,
	JJ_SKIP_TRUNCATED,			/* captured bytes end inside a header that is needed */
	JJ_SKIP_MALFORMED,			/* impossible version or length */
	JJ_SKIP_LINK_TYPE,			/* link type not supported */
	JJ_SKIP_FILTERED,			/* the BPF filter says no */
	JJ_SKIP_SAMPLED,			/* its flow is not in the sample */
	JJ_SKIP_REASONS
} jj_skip;

/* Names of the reasons, as jj_pcap_info and notices give them. */
extern const char *const jj_skip_name[JJ_SKIP_REASONS];

/* A header in hdr_desc; jj_label_name gives its text, except for JJ_L_PROTO ("PROTO" and the protocol number). */
typedef enum jj_label
{
	JJ_L_ETH, JJ_L_SLL, JJ_L_SLL2, JJ_L_NULL, JJ_L_LOOP, JJ_L_PPP, JJ_L_CHDLC, JJ_L_WLAN, JJ_L_RADIOTAP, JJ_L_PPI,
	JJ_L_LLC, JJ_L_VLAN, JJ_L_MPLS, JJ_L_PPPOE, JJ_L_IP, JJ_L_IP6, JJ_L_HBH, JJ_L_ROUTE, JJ_L_FRAG, JJ_L_DST, JJ_L_AH,
	JJ_L_MOBILITY, JJ_L_HIP, JJ_L_SHIM6, JJ_L_GRE, JJ_L_ERSPAN, JJ_L_VXLAN, JJ_L_GENEVE, JJ_L_GTPU, JJ_L_TEREDO,
	JJ_L_TCP, JJ_L_UDP, JJ_L_ICMP, JJ_L_ICMP6, JJ_L_IGMP, JJ_L_SCTP, JJ_L_DCCP, JJ_L_UDPLITE, JJ_L_ESP, JJ_L_OSPF,
	JJ_L_NONE, JJ_L_PROTO,
	JJ_LABELS
} jj_label;

extern const char *const jj_label_name[JJ_LABELS];

typedef enum jj_tunnel_type
{
	JJ_T_4IN4, JJ_T_6IN4, JJ_T_4IN6, JJ_T_6IN6, JJ_T_GRE, JJ_T_ERSPAN, JJ_T_VXLAN, JJ_T_GENEVE, JJ_T_GTPU, JJ_T_TEREDO,
	JJ_TUNNEL_TYPES
} jj_tunnel_type;

extern const char *const jj_tunnel_name[JJ_TUNNEL_TYPES];

typedef struct jj_tunnel
{
	uint8_t		type;			/* jj_tunnel_type */
	bool		has_id;
	bool		keyed;			/* the id is part of the flow key */
	uint32_t	id;				/* GRE key, ERSPAN session, VNI, TEID */
} jj_tunnel;

#define JJ_TCP_FIN 0x01
#define JJ_TCP_SYN 0x02
#define JJ_TCP_RST 0x04
#define JJ_TCP_PSH 0x08
#define JJ_TCP_ACK 0x10
#define JJ_TCP_URG 0x20
#define JJ_TCP_ECE 0x40
#define JJ_TCP_CWR 0x80
#define JJ_TCP_AE 0x100

#define JJ_PROTO_ICMP 1
#define JJ_PROTO_TCP 6
#define JJ_PROTO_UDP 17
#define JJ_PROTO_DCCP 33
#define JJ_PROTO_GRE 47
#define JJ_PROTO_ESP 50
#define JJ_PROTO_AH 51
#define JJ_PROTO_ICMPV6 58
#define JJ_PROTO_SCTP 132
#define JJ_PROTO_UDPLITE 136

/*
 * Pointers lead into the frame's bytes. Addresses are 16 bytes, IPv4 as
 * ::ffff:a.b.c.d. -1 in a port or ICMP field means not there or not captured.
 */
typedef struct jj_packet
{
	int64_t		ts;				/* ns, as in jj_frame */
	uint64_t	index;
	uint8_t		src[16];
	uint8_t		dst[16];
	int32_t		sport;
	int32_t		dport;
	uint32_t	ip_len;			/* IP header to the end of the IP packet, from the header (spec: total_bytes) */
	uint32_t	payload_len;	/* behind the transport header, from header fields */

	const uint8_t *payload;		/* captured bytes of it */
	uint32_t	payload_caplen;
	uint8_t		proto;			/* upper-layer protocol behind extension headers */
	uint8_t		ip_version;		/* 4 or 6 */
	uint8_t		ttl;
	uint8_t		tos;
	bool		truncated;		/* captured bytes end before the IP packet does */
	bool		fragment;		/* any IP fragment, the first included */
	bool		has_tcp;		/* readable TCP header */
	uint8_t		ip_flags;		/* IPv4: 1 more fragments, 2 don't fragment, 4 reserved */
	uint32_t	seq;
	uint32_t	ack;
	uint16_t	tcp_flags;		/* 9 bits */
	uint16_t	window;
	const uint8_t *options;
	uint16_t	urgent;
	uint8_t		tcp_header_len; /* bytes, from the data offset */
	uint8_t		options_len;	/* captured bytes at options */

	/* filled in by the flow table */
	uint8_t		dir;			/* 0 from the initiator, 1 from the responder */
	int64_t		t;				/* flow clock, ns since the flow's start, never running backwards */

	uint32_t	ip_id;			/* IPv4 identification, or that of the IPv6 fragment header */
	uint32_t	frag_offset;	/* bytes */
	uint32_t	flow_label;
	int32_t		icmp_id;
	int32_t		icmp_seq;
	int16_t		icmp_type;
	int16_t		icmp_code;
	uint16_t	ip_header_len;	/* bytes, with extension headers and AH */
	uint8_t		frag_proto;		/* protocol field that identifies the datagram of a fragment */
	uint8_t		n_vlans;
	uint8_t		n_labels;		/* headers met; only the first JJ_MAX_LABELS are in labels */
	uint8_t		n_tunnels;
	uint8_t		n_ext_headers;
	bool		has_src_mac;
	bool		has_dst_mac;
	uint8_t		src_mac[6];		/* outermost frame */
	uint8_t		dst_mac[6];
	int32_t		eth_type;		/* behind the VLAN tags of the outermost frame, -1 if the link layer has none */
	uint8_t		labels[JJ_MAX_LABELS];

	uint8_t		ext_headers[JJ_MAX_EXT_HEADERS];	/* protocol numbers, AH of IPv4 included */
	uint16_t	vlans[JJ_MAX_VLANS];	/* outermost first */
	jj_tunnel	tunnels[JJ_MAX_TUNNELS];
	uint8_t		outer_src[16];	/* outermost IP header, when n_tunnels > 0 */
	uint8_t		outer_dst[16];
	uint8_t		outer_version;
} jj_packet;

/* Headers as in hdr_desc: labels joined by '-', upper_proto for JJ_L_PROTO; bytes written, without terminator. */
#define JJ_LABELS_TEXT (JJ_MAX_LABELS * 12)
extern size_t jj_labels_text(char out[JJ_LABELS_TEXT], const uint8_t *labels, unsigned n, uint8_t upper_proto);

/* Tunnels as in the column of this name: "vxlan:5/4in6"; bytes written, without terminator. */
#define JJ_TUNNELS_TEXT (JJ_MAX_TUNNELS * 24)
extern size_t jj_tunnels_text(char out[JJ_TUNNELS_TEXT], const jj_tunnel *tunnels, unsigned n);

/* The label of an upper-layer protocol number, JJ_L_PROTO for one without a name. */
extern jj_label jj_protocol_label(uint8_t proto);

/* Whether an ICMP or ICMPv6 (proto) message of this type carries an identifier and a sequence number (RFC 792, 4443). */
extern bool jj_icmp_has_id(uint8_t proto, int type);

#endif
