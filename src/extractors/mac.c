/*
 * Group mac: hardware addresses and VLAN of the outermost frames. Source: IEEE 802.3, 802.1Q.
 */
#include "extractors/extractor.h"

#include <string.h>

/* Distinct values beyond this many are not counted any more. */
#define MAX_DISTINCT 4096

/* Values beyond the first one, which the state itself holds. */
typedef struct mac_set
{
	uint32_t	used;
	uint32_t	room;
	uint64_t	value[];
} mac_set;

/* One cache line and a half; sets only for flows whose addresses change. */
typedef struct mac_state
{
	uint8_t		src[2][6];		/* first of each direction */
	uint8_t		dst[2][6];
	int32_t		eth_type;		/* of the first packet */
	uint32_t	broadcast;
	uint32_t	multicast;
	int16_t		vlan;			/* outermost id of the first packet, -1 if untagged */
	uint8_t		has_src[2];
	uint8_t		has_dst[2];
	uint8_t		started;
	uint8_t		first_src_known[2]; /* whether each direction's first packet had addresses */
	uint8_t		first_dst_known[2];
	uint8_t		seen[2];
	uint8_t		any_vlan;
	mac_set    *more_src[2];
	mac_set    *more_dst[2];
	mac_set    *more_vlans;
	int16_t		first_vlan;		/* first outermost id of any packet, -1 if none */
} mac_state;

static uint64_t
number_of(const uint8_t mac[6])
{
	uint64_t	v = 0;

	for (int i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	return v;
}

/* Add a value that is not the first one. False without memory. */
static bool
set_add(mac_set **set, uint64_t value, const jj_allocator *a)
{
	mac_set    *s = *set;
	uint32_t	lo = 0;
	uint32_t	hi = s == NULL ? 0 : s->used;

	while (lo < hi)
	{
		uint32_t	mid = (lo + hi) / 2;

		if (s->value[mid] == value)
			return true;
		if (s->value[mid] < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (s == NULL || s->used == s->room)
	{
		uint32_t	used = s == NULL ? 0 : s->used;
		uint32_t	room = s == NULL ? 8 : s->room * 2;
		mac_set    *grown;

		if (used >= MAX_DISTINCT)
			return true;
		grown = jj_alloc(a, sizeof(mac_set) + sizeof(uint64_t) * room);
		if (grown == NULL)
			return false;
		if (s != NULL)
			memcpy(grown->value, s->value, sizeof(uint64_t) * used);
		grown->used = used;
		grown->room = room;
		jj_release(a, s);
		*set = s = grown;
	}
	memmove(s->value + lo + 1, s->value + lo, sizeof(uint64_t) * (s->used - lo));
	s->value[lo] = value;
	s->used++;
	return true;
}

static bool
note_address(uint8_t first[6], uint8_t *has, mac_set **more, const uint8_t mac[6], const jj_allocator *a)
{
	if (!*has)
	{
		memcpy(first, mac, 6);
		*has = true;
		return true;
	}
	return memcmp(first, mac, 6) == 0 || set_add(more, number_of(mac), a);
}

static bool
note_vlan(mac_state *s, int16_t vlan, const jj_allocator *a)
{
	if (!s->any_vlan)
	{
		s->any_vlan = true;
		s->first_vlan = vlan;
		return true;
	}
	return vlan == s->first_vlan || set_add(&s->more_vlans, (uint64_t) vlan, a);
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	mac_state  *s = state;
	int			d = p->dir;

	if (!s->started)
	{
		s->started = true;
		s->eth_type = p->eth_type;
		s->vlan = p->n_vlans > 0 ? (int16_t) p->vlans[0] : -1;
	}
	if (!s->seen[d])
	{
		s->seen[d] = true;
		s->first_src_known[d] = p->has_src_mac;
		s->first_dst_known[d] = p->has_dst_mac;
	}
	if (p->n_vlans > 0 && !note_vlan(s, (int16_t) p->vlans[0], &w->allocator))
		return false;
	if (p->has_src_mac && !note_address(s->src[d], &s->has_src[d], &s->more_src[d], p->src_mac, &w->allocator))
		return false;
	if (p->has_dst_mac)
	{
		if (!note_address(s->dst[d], &s->has_dst[d], &s->more_dst[d], p->dst_mac, &w->allocator))
			return false;
		if (p->dst_mac[0] & 1)
		{
			if (memcmp(p->dst_mac, all_ones, 6) == 0)
				s->broadcast++;
			else
				s->multicast++;
		}
	}
	return true;
}

static int64_t
distinct(bool has, const mac_set *more)
{
	return has ? 1 + (more == NULL ? 0 : (int64_t) more->used) : 0;
}

static int64_t
widest(const uint8_t has[2], mac_set *const more[2])
{
	int64_t		a = distinct(has[0], more[0]);
	int64_t		b = distinct(has[1], more[1]);

	return a > b ? a : b;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	const mac_state *s = state;
	bool		fwd = s->seen[0];
	bool		src_known = fwd ? s->first_src_known[0] : s->first_dst_known[1];
	bool		dst_known = fwd ? s->first_dst_known[0] : s->first_src_known[1];
	int64_t		unique_src = widest(s->has_src, s->more_src);
	int64_t		unique_dst = widest(s->has_dst, s->more_dst);

	(void) f;
	(void) fold;
	(void) w;
	if (src_known)
		jj_row_put(row, JJ_F_mac_src, fwd ? s->src[0] : s->dst[1], 6);
	if (dst_known)
		jj_row_put(row, JJ_F_mac_dst, fwd ? s->dst[0] : s->src[1], 6);
	if (s->eth_type >= 0)
		jj_row_int(row, JJ_F_mac_eth_type, s->eth_type);
	if (s->vlan >= 0)
		jj_row_int(row, JJ_F_mac_vlan_id, s->vlan);
	jj_row_int(row, JJ_F_mac_vlan_count, distinct(s->any_vlan, s->more_vlans));
	if (unique_src > 0)
		jj_row_int(row, JJ_F_mac_unique_src_count, unique_src);
	if (unique_dst > 0)
	{
		jj_row_int(row, JJ_F_mac_unique_dst_count, unique_dst);
		jj_row_int(row, JJ_F_mac_broadcast_count, s->broadcast);
		jj_row_int(row, JJ_F_mac_multicast_count, s->multicast);
	}
	if (unique_src > 0 || unique_dst > 0)
		jj_row_int(row, JJ_F_mac_stat, src_known | dst_known << 1 | (unique_src > 1) << 2 | (unique_dst > 1) << 3
				   | (s->any_vlan ? 16 : 0));
	return true;
}

static void
free_state(void *state, const jj_allocator *a)
{
	mac_state  *s = state;

	for (int d = 0; d < 2; d++)
	{
		jj_release(a, s->more_src[d]);
		jj_release(a, s->more_dst[d]);
	}
	jj_release(a, s->more_vlans);
}

const jj_extractor jj_extract_mac = {
	.group = JJ_G_mac,
	.state_size = sizeof(mac_state),
	.update = update,
	.emit = emit,
	.free_state = free_state,
};
