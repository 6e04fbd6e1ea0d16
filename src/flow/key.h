/*
 * The flow key: both ends, protocol, VLANs and tunnels of a packet.
 */
#ifndef JJ_KEY_H
#define JJ_KEY_H

#include "packet/packet.h"

#define JJ_KEY_ONE_WAY 1		/* ICMP type without an answering type: the ends are not swapped */
#define JJ_KEY_IPV6 2

/*
 * The ends in ascending order of (address, port). Ports are one higher than
 * on the wire, 0 meaning none; ICMP has its identifier or types there. No
 * padding: keys are compared byte by byte.
 */
typedef struct jj_key
{
	uint8_t		lo[16];
	uint8_t		hi[16];
	uint32_t	lo_port;
	uint32_t	hi_port;
	uint32_t	encapsulation;	/* hash of VLAN ids and tunnels, 0 without */
	uint8_t		proto;
	uint8_t		flags;			/* JJ_KEY_ */
	uint16_t	zero;
} jj_key;

/* The pair of (pseudo) ports that keys a packet; as in jj_key. */
typedef struct jj_key_ports
{
	uint32_t	src;
	uint32_t	dst;
	bool		one_way;
} jj_key_ports;

/* A packet's key and hash, made ahead of its turn for prefetching. */
typedef struct jj_lookup
{
	int64_t		clock;			/* of the table at the packet's frame */
	jj_key		key;
	jj_key_ports ports;
	uint32_t	hash;
	uint32_t	likely;			/* flow of the same hash at the time of prefetching */
	bool		src_is_lo;
	bool		waits;			/* a fragment whose first is not known: it comes late, if ever, into the flow of this key */
} jj_lookup;

/*
 * Ports of TCP, UDP, UDP-Lite, SCTP and DCCP; for ICMP and ICMPv6 the
 * identifier, else the type and its answering type as in the Community ID,
 * else type and code one way.
 */
extern jj_key_ports jj_packet_ports(const jj_packet *p);

/* Fill *key; true if the packet's source is the lo end (also if both ends are equal). */
extern bool jj_key_make(jj_key *key, const jj_packet *p, const jj_key_ports *ports, bool with_vlans);

/* 32-bit hash for the flow table; results never depend on the seed. */
extern uint32_t jj_key_hash(const jj_key *key, uint64_t seed);

/* Whether two packets' VLAN ids (if with_vlans) and tunnels, GTP-U TEIDs apart, are the same. */
extern bool jj_same_encapsulation(uint8_t n_vlans_a, const uint16_t *vlans_a, uint8_t n_tunnels_a, const jj_tunnel *tunnels_a,
								  uint8_t n_vlans_b, const uint16_t *vlans_b, uint8_t n_tunnels_b, const jj_tunnel *tunnels_b,
								  bool with_vlans);

/* 64-bit hash of VLAN ids (if with_vlans) and tunnels, 0 if there are none. */
extern uint64_t jj_encapsulation_hash(const jj_packet *p, bool with_vlans);

/*
 * The answering type of an ICMP or ICMPv6 message type in the Community ID
 * specification 1.0, -1 if it has none.
 */
extern int	jj_icmp_counterpart(uint8_t proto, int type);

#endif
