/*
 * The flow key: both ends, protocol, VLANs and tunnels of a packet.
 */
#ifndef JJ_KEY_H
#define JJ_KEY_H

#include "features/stats.h"
#include "packet/packet.h"

#include <string.h>

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
	bool		one_way;		/* between the ports, lest compilers read both at once that were written one by one just before */
	uint32_t	dst;
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

/* jj_packet_ports of ICMP and ICMPv6. */
extern jj_key_ports jj_icmp_ports(const jj_packet *p);

/*
 * Ports of TCP, UDP, UDP-Lite, SCTP and DCCP; for ICMP and ICMPv6 the
 * identifier, else the type and its answering type as in the Community ID,
 * else type and code one way.
 */
static inline jj_key_ports
jj_packet_ports(const jj_packet *p)
{
	jj_key_ports ports = {.src = (uint32_t) (p->sport + 1), .dst = (uint32_t) (p->dport + 1)};

	if (p->proto == JJ_PROTO_ICMP || p->proto == JJ_PROTO_ICMPV6)
		return jj_icmp_ports(p);
	return ports;
}

static inline uint64_t
jj_load_be64(const uint8_t *b)
{
	return (uint64_t) b[0] << 56 | (uint64_t) b[1] << 48 | (uint64_t) b[2] << 40 | (uint64_t) b[3] << 32
		| (uint64_t) b[4] << 24 | (uint64_t) b[5] << 16 | (uint64_t) b[6] << 8 | b[7];
}

/* 64-bit hash of VLAN ids (if with_vlans) and tunnels, 0 if there are none. */
extern uint64_t jj_encapsulation_hash(const jj_packet *p, bool with_vlans);

static inline uint64_t
jj_load_64(const uint8_t *b)
{
	uint64_t	v;

	memcpy(&v, b, sizeof(v));
	return v;
}

static inline void
jj_store_64(uint8_t *b, uint64_t v)
{
	memcpy(b, &v, sizeof(v));
}

/*
 * Fill *key; true if the packet's source is the lo end (also if both ends are
 * equal). Without branches on the ends: which is lower can't be predicted.
 */
static inline bool
jj_key_make(jj_key *key, const jj_packet *p, const jj_key_ports *ports, bool with_vlans)
{
	uint64_t	src[2] = {jj_load_64(p->src), jj_load_64(p->src + 8)};
	uint64_t	dst[2] = {jj_load_64(p->dst), jj_load_64(p->dst + 8)};
	uint64_t	s[2] = {jj_load_be64(p->src), jj_load_be64(p->src + 8)};
	uint64_t	d[2] = {jj_load_be64(p->dst), jj_load_be64(p->dst + 8)};
	bool		same = (s[0] == d[0]) & (s[1] == d[1]);
	bool		below = (s[0] < d[0]) | ((s[0] == d[0]) & (s[1] < d[1]));
	bool		src_is_lo = ports->one_way | below | (same & (ports->src <= ports->dst));
	uint64_t	swap = (uint64_t) src_is_lo - 1;	/* all ones if the source is the hi end */
	uint64_t	x0 = (src[0] ^ dst[0]) & swap;
	uint64_t	x1 = (src[1] ^ dst[1]) & swap;
	uint32_t	x = (ports->src ^ ports->dst) & (uint32_t) swap;
	uint64_t	encapsulation = JJ_UNLIKELY((p->n_vlans | p->n_tunnels) != 0) ? jj_encapsulation_hash(p, with_vlans) : 0;

	/* stored as jj_key_index loads them: processors are quick to hand such stores on */
	jj_store_64(key->lo, src[0] ^ x0);
	jj_store_64(key->lo + 8, src[1] ^ x1);
	jj_store_64(key->hi, dst[0] ^ x0);
	jj_store_64(key->hi + 8, dst[1] ^ x1);
	key->lo_port = ports->src ^ x;
	key->hi_port = ports->dst ^ x;
	key->encapsulation = encapsulation == 0 ? 0 : (uint32_t) (encapsulation >> 32) | 1;
	key->proto = p->proto;
	key->flags = (uint8_t) ((ports->one_way ? JJ_KEY_ONE_WAY : 0) | (p->ip_version == 6 ? JJ_KEY_IPV6 : 0));
	key->zero = 0;
	return src_is_lo;
}

static inline uint64_t
jj_mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9fb21c651e98df25);
	return h ^ h >> 32;
}

/* 32-bit hash of the whole key. */
extern uint32_t jj_key_hash(const jj_key *key, uint64_t seed);

/* Both halves of the product of two words, over each other. */
static inline uint64_t
jj_fold(uint64_t a, uint64_t b)
{
	jj_u128		product = jj_u128_mul(a, b);

	return product.lo ^ product.hi;
}

/*
 * 32-bit hash for the flow table; results never depend on it. Pairs of words,
 * each behind a secret, are multiplied side by side, not one after the other.
 */
static inline uint32_t
jj_key_index(const jj_key *key, uint64_t seed)
{
	uint64_t	secret = seed ^ UINT64_C(0x9e3779b97f4a7c15);
	uint64_t	other = seed >> 32 ^ seed << 32 ^ UINT64_C(0xd1b54a32d192ed03);
	uint64_t	ends = jj_fold(jj_load_64(key->lo + 8) ^ secret, jj_load_64(key->hi + 8) ^ other);
	uint64_t	rest = jj_fold(((uint64_t) key->lo_port << 32 | key->hi_port) ^ other,
							   ((uint64_t) key->encapsulation << 16 | (unsigned) key->proto << 8 | key->flags) ^ secret);

	if (key->flags & JJ_KEY_IPV6)
		ends ^= jj_fold(jj_load_64(key->lo) ^ other, jj_load_64(key->hi) ^ (secret + 1));
	return (uint32_t) jj_fold(ends ^ UINT64_C(0x2545f4914f6cdd1d), rest ^ secret);
}

static inline bool
jj_same_key(const jj_key *a, const jj_key *b)
{
	uint64_t	x[6];
	uint64_t	y[6];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) | (x[5] ^ y[5])) == 0;
}

/* Whether two packets' VLAN ids (if with_vlans) and tunnels, GTP-U TEIDs apart, are the same. */
extern bool jj_same_encapsulation(uint8_t n_vlans_a, const uint16_t *vlans_a, uint8_t n_tunnels_a, const jj_tunnel *tunnels_a,
								  uint8_t n_vlans_b, const uint16_t *vlans_b, uint8_t n_tunnels_b, const jj_tunnel *tunnels_b,
								  bool with_vlans);

/*
 * The answering type of an ICMP or ICMPv6 message type in the Community ID
 * specification 1.0, -1 if it has none.
 */
extern int	jj_icmp_counterpart(uint8_t proto, int type);

#endif
