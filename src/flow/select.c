/*
 * Conditions on flows.
 */
#include "flow/select.h"
#include "flow/flow.h"

#include <string.h>

static bool
in_ranges(const jj_condition *c, int64_t value)
{
	uint32_t	low = 0;
	uint32_t	high = c->n;

	while (low < high)
	{
		uint32_t	middle = (low + high) / 2;

		if (c->range[middle].high < value)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->n && c->range[low].low <= value;
}

static bool
has_prefix(const uint8_t *address, const jj_prefix *x)
{
	unsigned	bits = x->bits + (x->version == 4 ? 96 : 0);
	unsigned	bytes = bits / 8;
	uint8_t		mask = (uint8_t) (0xff00 >> bits % 8);

	return memcmp(address, x->address, bytes) == 0 && (bits % 8 == 0 || ((address[bytes] ^ x->address[bytes]) & mask) == 0);
}

static bool
in_prefixes(const jj_condition *c, const uint8_t *address, int version)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->prefix[i].version == version && has_prefix(address, &c->prefix[i]))
			return true;
	return false;
}

static bool
number_meets(const jj_condition *c, int64_t value, bool null)
{
	return !null && in_ranges(c, value) != c->negated;
}

static bool
address_meets(const jj_condition *c, const uint8_t *address, int version)
{
	return in_prefixes(c, address, version) != c->negated;
}

static bool
has_ports(uint8_t proto)
{
	return proto == JJ_PROTO_TCP || proto == JJ_PROTO_UDP || proto == JJ_PROTO_SCTP || proto == JJ_PROTO_DCCP || proto == JJ_PROTO_UDPLITE;
}

/* One condition, for a flow from src to dst; ports as in jj_key. */
static bool
key_meets(const jj_condition *c, const jj_key *key, const uint8_t *src, const uint8_t *dst, uint32_t sport, uint32_t dport)
{
	const int	version = key->flags & JJ_KEY_IPV6 ? 6 : 4;
	const bool	ports = has_ports(key->proto);

	switch (c->column)
	{
		case JJ_SELECT_SRC_IP:
			return address_meets(c, src, version);
		case JJ_SELECT_DST_IP:
			return address_meets(c, dst, version);
		case JJ_SELECT_SRC_PORT:
			return number_meets(c, (int64_t) sport - 1, !ports || sport == 0);
		case JJ_SELECT_DST_PORT:
			return number_meets(c, (int64_t) dport - 1, !ports || dport == 0);
		case JJ_SELECT_PROTOCOL:
			return number_meets(c, key->proto, false);
		default:
			return true;
	}
}

bool
jj_selection_possible(const jj_selection *s, const jj_key *key)
{
	bool		up = true;
	bool		down = true;

	for (uint32_t i = 0; i < s->n && (up || down); i++)
	{
		up = up && key_meets(&s->condition[i], key, key->lo, key->hi, key->lo_port, key->hi_port);
		down = down && key_meets(&s->condition[i], key, key->hi, key->lo, key->hi_port, key->lo_port);
	}
	return up || down;
}

static bool
flow_meets(const jj_condition *c, const jj_flow *f)
{
	const jj_encapsulation *e = f->encapsulation;
	const bool	tagged = e != NULL && e->n_vlans > 0;

	switch (c->column)
	{
		case JJ_SELECT_SRC_IP:
			return address_meets(c, jj_flow_initiator(f), jj_flow_version(f));
		case JJ_SELECT_DST_IP:
			return address_meets(c, jj_flow_responder(f), jj_flow_version(f));
		case JJ_SELECT_SRC_PORT:
			return number_meets(c, f->src_port, f->src_port < 0);
		case JJ_SELECT_DST_PORT:
			return number_meets(c, f->dst_port, f->dst_port < 0);
		case JJ_SELECT_PROTOCOL:
			return number_meets(c, f->key.proto, false);
		case JJ_SELECT_MAC_VLAN_ID:
			return number_meets(c, tagged ? e->vlans[0] : 0, !tagged);
		case JJ_SELECT_START_TIME:
			return number_meets(c, f->start, false);
		default:
			return true;
	}
}

bool
jj_selection_has(const jj_selection *s, const jj_flow *f)
{
	for (uint32_t i = 0; i < s->n; i++)
		if (!flow_meets(&s->condition[i], f))
			return false;
	return true;
}
