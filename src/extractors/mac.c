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

/* What few flows have. */
typedef struct mac_more
{
	mac_set    *src[2];			/* addresses of each direction that are not its first */
	mac_set    *dst[2];
	mac_set    *vlans;
	uint32_t	broadcast;
	uint32_t	multicast;
} mac_more;

typedef struct mac_state
{
	uint8_t		src[2][6];		/* first of each direction */
	uint8_t		dst[2][6];
	uint16_t	eth_type;		/* of the first packet */
	int16_t		vlan;			/* outermost id of the first packet, -1 if untagged */
	int16_t		first_vlan;		/* first outermost id of any packet */
	bool		started : 1;
	bool		has_eth_type : 1;
	bool		any_vlan : 1;
	uint8_t		seen;			/* bits of directions; so are these: */
	uint8_t		has_src;
	uint8_t		has_dst;
	uint8_t		first_src_known;	/* whether each direction's first packet had addresses */
	uint8_t		first_dst_known;
	mac_more   *more;			/* NULL until needed */
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

/* NULL without memory. */
static mac_more *
more_of(mac_state *s, const jj_allocator *a)
{
	if (s->more == NULL)
		s->more = jj_alloc_zero(a, sizeof(mac_more));
	return s->more;
}

/* A source or destination address; false without memory. */
static bool
note_src(mac_state *s, int d, const uint8_t mac[6], const jj_allocator *a)
{
	if (JJ_LIKELY((s->has_src >> d & 1) && memcmp(s->src[d], mac, 6) == 0))
		return true;
	if (!(s->has_src >> d & 1))
	{
		memcpy(s->src[d], mac, 6);
		s->has_src |= (uint8_t) (1 << d);
		return true;
	}
	return more_of(s, a) != NULL && set_add(&s->more->src[d], number_of(mac), a);
}

static bool
note_dst(mac_state *s, int d, const uint8_t mac[6], const jj_allocator *a)
{
	static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	if (JJ_UNLIKELY(mac[0] & 1))
	{
		if (more_of(s, a) == NULL)
			return false;
		if (memcmp(mac, all_ones, 6) == 0)
			s->more->broadcast++;
		else
			s->more->multicast++;
	}
	if (JJ_LIKELY((s->has_dst >> d & 1) && memcmp(s->dst[d], mac, 6) == 0))
		return true;
	if (!(s->has_dst >> d & 1))
	{
		memcpy(s->dst[d], mac, 6);
		s->has_dst |= (uint8_t) (1 << d);
		return true;
	}
	return more_of(s, a) != NULL && set_add(&s->more->dst[d], number_of(mac), a);
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
	return vlan == s->first_vlan || (more_of(s, a) != NULL && set_add(&s->more->vlans, (uint64_t) vlan, a));
}

/* A packet that may bring something new. False without memory. */
static JJ_NOINLINE bool
note(mac_state *s, const jj_packet *p, const jj_work *w)
{
	int			d = p->dir;

	if (JJ_UNLIKELY(!(s->seen >> d & 1)))
	{
		if (!s->started)
		{
			s->started = true;
			s->has_eth_type = p->eth_type >= 0;
			s->eth_type = (uint16_t) p->eth_type;
			s->vlan = p->n_vlans > 0 ? (int16_t) p->vlans[0] : -1;
		}
		s->seen |= (uint8_t) (1 << d);
		s->first_src_known |= (uint8_t) (p->has_src_mac << d);
		s->first_dst_known |= (uint8_t) (p->has_dst_mac << d);
	}
	if (p->n_vlans > 0 && !note_vlan(s, (int16_t) p->vlans[0], &w->allocator))
		return false;
	return (!p->has_src_mac || note_src(s, d, p->src_mac, &w->allocator))
		&& (!p->has_dst_mac || note_dst(s, d, p->dst_mac, &w->allocator));
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	mac_state  *s = state;
	int			d = p->dir;

	if (JJ_LIKELY((s->seen & s->has_src & s->has_dst) >> d & 1) && p->has_src_mac && p->has_dst_mac
		&& p->n_vlans == 0 && !(p->dst_mac[0] & 1)
		&& memcmp(s->src[d], p->src_mac, 6) == 0 && memcmp(s->dst[d], p->dst_mac, 6) == 0)
		return true;
	return note(s, p, w);
}

static int64_t
distinct(bool has, const mac_set *more)
{
	return has ? 1 + (more == NULL ? 0 : (int64_t) more->used) : 0;
}

static int64_t
widest(uint8_t has, mac_set *const more[2])
{
	int64_t		a = distinct(has & 1, more[0]);
	int64_t		b = distinct(has >> 1 & 1, more[1]);

	return a > b ? a : b;
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	static const mac_more none = {.broadcast = 0};
	const mac_state *s = state;
	const mac_more *more = s->more != NULL ? s->more : &none;
	bool		fwd = s->seen & 1;
	bool		src_known = fwd ? s->first_src_known & 1 : s->first_dst_known >> 1 & 1;
	bool		dst_known = fwd ? s->first_dst_known & 1 : s->first_src_known >> 1 & 1;
	int64_t		unique_src = widest(s->has_src, more->src);
	int64_t		unique_dst = widest(s->has_dst, more->dst);

	(void) f;
	(void) fold;
	(void) w;
	if (src_known)
		jj_row_put(row, JJ_F_mac_src, fwd ? s->src[0] : s->dst[1], 6);
	if (dst_known)
		jj_row_put(row, JJ_F_mac_dst, fwd ? s->dst[0] : s->src[1], 6);
	if (s->has_eth_type)
		jj_row_int(row, JJ_F_mac_eth_type, s->eth_type);
	if (s->vlan >= 0)
		jj_row_int(row, JJ_F_mac_vlan_id, s->vlan);
	jj_row_int(row, JJ_F_mac_vlan_count, distinct(s->any_vlan, more->vlans));
	if (unique_src > 0)
		jj_row_int(row, JJ_F_mac_unique_src_count, unique_src);
	if (unique_dst > 0)
	{
		jj_row_int(row, JJ_F_mac_unique_dst_count, unique_dst);
		jj_row_int(row, JJ_F_mac_broadcast_count, more->broadcast);
		jj_row_int(row, JJ_F_mac_multicast_count, more->multicast);
	}
	if (unique_src > 0 || unique_dst > 0)
		jj_row_int(row, JJ_F_mac_stat, src_known | dst_known << 1 | (unique_src > 1) << 2 | (unique_dst > 1) << 3
				   | (s->any_vlan ? 16 : 0));
	return true;
}

static void
free_state(void *state, const jj_allocator *a)
{
	mac_more   *more = ((mac_state *) state)->more;

	if (more == NULL)
		return;
	for (int d = 0; d < 2; d++)
	{
		jj_release(a, more->src[d]);
		jj_release(a, more->dst[d]);
	}
	jj_release(a, more->vlans);
	jj_release(a, more);
}

const jj_extractor jj_extract_mac = {
	.group = JJ_G_mac,
	.state_size = sizeof(mac_state),
	.update = update,
	.emit = emit,
	.free_state = free_state,
};
