/*
 * Flow keys.
 */
#include "flow/key.h"

#include <string.h>

int
jj_icmp_counterpart(uint8_t proto, int type)
{
	static const uint8_t pairs4[][2] = {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}};
	static const uint8_t pairs6[][2] = {{128, 129}, {130, 131}, {133, 134}, {135, 136}, {139, 140}, {144, 145}};
	const uint8_t (*pairs)[2] = proto == JJ_PROTO_ICMP ? pairs4 : pairs6;
	size_t		n = proto == JJ_PROTO_ICMP ? sizeof(pairs4) / 2 : sizeof(pairs6) / 2;

	for (size_t i = 0; i < n; i++)
	{
		if (pairs[i][0] == type)
			return pairs[i][1];
		if (pairs[i][1] == type)
			return pairs[i][0];
	}
	return -1;
}

jj_key_ports
jj_icmp_ports(const jj_packet *p)
{
	jj_key_ports ports = {0};
	int			pair;

	if (p->icmp_id >= 0)
		ports.src = ports.dst = (uint32_t) p->icmp_id + 1;
	else if (p->icmp_type >= 0 && !jj_icmp_has_id(p->proto, p->icmp_type))
	{
		pair = jj_icmp_counterpart(p->proto, p->icmp_type);
		ports.one_way = pair < 0;
		ports.src = (uint32_t) p->icmp_type + 1;
		ports.dst = (uint32_t) (pair >= 0 ? pair : p->icmp_code) + 1;
	}
	return ports;
}

uint64_t
jj_encapsulation_hash(const jj_packet *p, bool with_vlans)
{
	uint64_t	h = UINT64_C(0x2545f4914f6cdd1d);
	uint8_t		n_vlans = with_vlans ? p->n_vlans : 0;

	if (n_vlans == 0 && p->n_tunnels == 0)
		return 0;
	h = jj_mix(h, n_vlans);
	for (unsigned i = 0; i < n_vlans; i++)
		h = jj_mix(h, p->vlans[i]);
	for (unsigned i = 0; i < p->n_tunnels; i++)
	{
		const jj_tunnel *t = &p->tunnels[i];

		h = jj_mix(h, (uint64_t) t->type << 40 | (uint64_t) (t->has_id && t->keyed) << 32 | (t->keyed ? t->id : 0));
	}
	return h == 0 ? 1 : h;
}

bool
jj_same_encapsulation(uint8_t n_vlans_a, const uint16_t *vlans_a, uint8_t n_tunnels_a, const jj_tunnel *tunnels_a,
					  uint8_t n_vlans_b, const uint16_t *vlans_b, uint8_t n_tunnels_b, const jj_tunnel *tunnels_b,
					  bool with_vlans)
{
	if (n_tunnels_a != n_tunnels_b || (with_vlans && n_vlans_a != n_vlans_b))
		return false;
	for (unsigned i = 0; with_vlans && i < n_vlans_a; i++)
		if (vlans_a[i] != vlans_b[i])
			return false;
	for (unsigned i = 0; i < n_tunnels_a; i++)
	{
		const jj_tunnel *a = &tunnels_a[i];
		const jj_tunnel *b = &tunnels_b[i];

		if (a->type != b->type || (a->keyed && (a->has_id != b->has_id || a->id != b->id)))
			return false;
	}
	return true;
}

uint32_t
jj_key_hash(const jj_key *key, uint64_t seed)
{
	uint64_t	word[6];
	uint64_t	a = seed ^ UINT64_C(0x9e3779b97f4a7c15);
	uint64_t	b = seed ^ UINT64_C(0xc2b2ae3d27d4eb4f);

	memcpy(word, key, sizeof(word));
	a = jj_mix(a, word[0]);
	b = jj_mix(b, word[1]);
	a = jj_mix(a, word[2]);
	b = jj_mix(b, word[3]);
	a = jj_mix(a, word[4]);
	b = jj_mix(b, word[5]);
	return (uint32_t) (jj_mix(a, b + (b >> 29)) >> 32);
}
