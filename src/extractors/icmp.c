/*
 * Group icmp: message types, identifiers and sequence numbers. Source: RFC 792, 4443.
 */
#include "extractors/extractor.h"

#include <string.h>

#define INLINE_PAIRS 4
#define FIRST_ECHO_ROOM 2

typedef struct type_count
{
	uint64_t	count;
	uint8_t		type;
	uint8_t		code;
} type_count;

/* 64 consecutive sequence numbers of one direction's echo requests, one bit each. */
typedef struct echo_word
{
	uint32_t	key;			/* one more than direction << 10 | number / 64, 0 = free */
	uint64_t	asked;
	uint64_t	answered;
} echo_word;

/*
 * Echo requests. An echo identifier is part of the flow key, so a flow has
 * one at most, and a request is told by direction and sequence number: at most
 * 2048 words, all kept, in a hash table.
 */
typedef struct echo_set
{
	uint32_t	used;
	uint32_t	room;			/* power of two */
	echo_word	word[];
} echo_set;

/* Of a flow with at least one readable ICMP header. */
typedef struct icmp_messages
{
	uint64_t	messages;
	uint64_t	asked;			/* distinct echo requests */
	uint64_t	answered;		/* and those of them with a reply */
	uint64_t	missing;		/* sequence numbers left out between requests */
	echo_set   *echo;
	type_count	pair[INLINE_PAIRS]; /* the first ones, in the order in which they came */
	jj_tally	more;			/* the others, as type << 8 | code */
	uint16_t	seq_min;
	uint16_t	seq_max;
	uint16_t	last_request[2];
	uint8_t		requested[2];
	uint8_t		n_pairs;
	uint8_t		has_id;
	uint8_t		consecutive;	/* a direction had two requests */
} icmp_messages;

typedef struct icmp_state
{
	icmp_messages *m;
} icmp_state;

static bool
count_pair(icmp_messages *m, uint8_t type, uint8_t code, const jj_allocator *a)
{
	for (int i = 0; i < m->n_pairs; i++)
		if (m->pair[i].type == type && m->pair[i].code == code)
		{
			m->pair[i].count++;
			return true;
		}
	if (m->n_pairs == INLINE_PAIRS)
		return jj_tally_add(&m->more, (uint32_t) type << 8 | code, 0, a);
	m->pair[m->n_pairs++] = (type_count) {1, type, code};
	return true;
}

/* Where key is, or where it belongs. */
static echo_word *
find_word(echo_set *e, uint32_t key)
{
	uint32_t	i = key & (e->room - 1);

	while (e->word[i].key != 0 && e->word[i].key != key)
		i = (i + 1) & (e->room - 1);
	return &e->word[i];
}

static inline uint32_t
word_key(int dir, uint16_t seq)
{
	return ((uint32_t) dir << 10 | seq >> 6) + 1;
}

/* The word of a request, made if it isn't there; at most half of the table is used. NULL without memory. */
static echo_word *
make_word(icmp_messages *m, uint32_t key, const jj_allocator *a)
{
	echo_set   *e = m->echo;
	echo_word  *w;

	if (e != NULL && (w = find_word(e, key))->key != 0)
		return w;
	if (e == NULL || 2 * (e->used + 1) > e->room)
	{
		uint32_t	room = e == NULL ? FIRST_ECHO_ROOM : 2 * e->room;
		echo_set   *grown = jj_alloc_zero(a, sizeof(echo_set) + sizeof(echo_word) * room);

		if (grown == NULL)
			return NULL;
		grown->room = room;
		grown->used = e == NULL ? 0 : e->used;
		for (uint32_t i = 0; e != NULL && i < e->room; i++)
			if (e->word[i].key != 0)
				*find_word(grown, e->word[i].key) = e->word[i];
		jj_release(a, e);
		m->echo = e = grown;
	}
	w = find_word(e, key);
	w->key = key;
	e->used++;
	return w;
}

static bool
note_request(icmp_messages *m, int dir, uint16_t seq, const jj_allocator *a)
{
	uint64_t	bit = UINT64_C(1) << (seq & 63);
	echo_word  *w = make_word(m, word_key(dir, seq), a);

	if (w == NULL)
		return false;
	m->asked += !(w->asked & bit);
	w->asked |= bit;
	if (m->requested[dir])
	{
		uint16_t	d = (uint16_t) (seq - m->last_request[dir]);

		m->consecutive = true;
		if (d > 1 && d < 32768)
			m->missing += d - 1U;
	}
	m->requested[dir] = true;
	m->last_request[dir] = seq;
	return true;
}

static void
note_reply(icmp_messages *m, int dir, uint16_t seq)
{
	uint64_t	bit = UINT64_C(1) << (seq & 63);
	echo_word  *w;

	if (m->echo == NULL || (w = find_word(m->echo, word_key(1 - dir, seq)))->key == 0)
		return;
	if ((w->asked & bit) && !(w->answered & bit))
	{
		w->answered |= bit;
		m->answered++;
	}
}

static void
fetch_all(const void *state)
{
	const icmp_messages *m = ((const icmp_state *) state)->m;

	if (m != NULL)
		for (size_t o = 0; o < sizeof(*m); o += 64)
			JJ_PREFETCH((const char *) m + o);
}

static void
fetch(const void *state, const jj_packet *p, int dir)
{
	(void) p;
	(void) dir;
	fetch_all(state);
}

static void
fetch_more(const void *state)
{
	const icmp_messages *m = ((const icmp_state *) state)->m;

	if (m != NULL && m->echo != NULL)
		JJ_PREFETCH(m->echo);
}

static bool
update(void *state, const jj_packet *p, const jj_work *w)
{
	icmp_state *s = state;
	icmp_messages *m = s->m;
	bool		v6 = p->proto == JJ_PROTO_ICMPV6;
	uint16_t	seq = (uint16_t) p->icmp_seq;

	if (p->icmp_type < 0)
		return true;
	if (m == NULL && (m = s->m = jj_alloc_zero(&w->allocator, sizeof(icmp_messages))) == NULL)
		return false;
	m->messages++;
	if (!count_pair(m, (uint8_t) p->icmp_type, (uint8_t) p->icmp_code, &w->allocator))
		return false;
	if (p->icmp_id < 0)
		return true;
	if (!m->has_id || seq < m->seq_min)
		m->seq_min = seq;
	if (!m->has_id || seq > m->seq_max)
		m->seq_max = seq;
	m->has_id = true;
	if (p->icmp_type == (v6 ? 128 : 8))
		return note_request(m, p->dir, seq, &w->allocator);
	if (p->icmp_type == (v6 ? 129 : 0))
		note_reply(m, p->dir, seq);
	return true;
}

/* Messages of each type; the types in the order in which they came in first, their number returned. */
static int
types_of(const icmp_messages *m, uint64_t count[256], uint8_t first[256])
{
	int			n = 0;

	for (uint32_t i = 0; i < m->n_pairs + m->more.used; i++)
	{
		bool		more = i >= m->n_pairs;
		const jj_tally_entry *e = more ? &m->more.entry[i - m->n_pairs] : NULL;
		uint8_t		type = more ? (uint8_t) (e->value >> 8) : m->pair[i].type;

		if (count[type] == 0)
			first[n++] = type;
		count[type] += more ? e->count[0] : m->pair[i].count;
	}
	return n;
}

static void
emit_types(const icmp_messages *m, bool v6, jj_row *row)
{
	/* echo request, echo reply, destination unreachable, time exceeded, redirect: the bits of icmp_stat */
	static const uint8_t named[2][5] = {{8, 0, 3, 11, 5}, {128, 129, 1, 3, 137}};
	uint64_t	count[256] = {0};
	uint8_t		first[256] = {0};
	int			n = types_of(m, count, first);
	int			dominant = first[0];
	int			stat = 0;

	for (int i = 0; i < n; i++)
	{
		int			bit = 0;

		while (bit < 5 && named[v6][bit] != first[i])
			bit++;
		stat |= 1 << bit;
		if (count[first[i]] > count[dominant])
			dominant = first[i];
	}
	jj_row_int(row, JJ_F_icmp_echo_request_count, (int64_t) count[named[v6][0]]);
	jj_row_int(row, JJ_F_icmp_echo_reply_count, (int64_t) count[named[v6][1]]);
	jj_row_int(row, JJ_F_icmp_dest_unreachable_count, (int64_t) count[named[v6][2]]);
	jj_row_int(row, JJ_F_icmp_time_exceeded_count, (int64_t) count[named[v6][3]]);
	jj_row_int(row, JJ_F_icmp_unique_type_codes, (int64_t) m->n_pairs + m->more.used);
	jj_row_int(row, JJ_F_icmp_stat, stat);
	if (n > 0)
	{
		jj_row_int(row, JJ_F_icmp_dominant_type, dominant);
		jj_row_int(row, JJ_F_icmp_dominant_type_count, (int64_t) count[dominant]);
	}
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	static const icmp_messages none = {0};
	const icmp_messages *m = ((const icmp_state *) state)->m;
	bool		v6 = f->key.proto == JJ_PROTO_ICMPV6;
	bool		is_icmp = v6 || f->key.proto == JJ_PROTO_ICMP;

	(void) fold;
	(void) w;
	if (m == NULL)
		m = &none;
	jj_row_double(row, JJ_F_icmp_ratio, (double) m->messages / (double) (f->packets[0] + f->packets[1]));
	jj_row_int(row, JJ_F_is_icmp_only, is_icmp);
	if (!is_icmp)
		return true;
	jj_row_int(row, JJ_F_icmp_packet_count, (int64_t) m->messages);
	emit_types(m, v6, row);
	if (m->asked > 0)
		jj_row_double(row, JJ_F_icmp_echo_success_ratio, (double) m->answered / (double) m->asked);
	if (m->has_id)
	{
		jj_row_int(row, JJ_F_icmp_unique_ids, 1);
		jj_row_int(row, JJ_F_icmp_seq_min, m->seq_min);
		jj_row_int(row, JJ_F_icmp_seq_max, m->seq_max);
	}
	if (m->consecutive)
		jj_row_int(row, JJ_F_icmp_seq_gaps, m->missing > INT32_MAX ? INT32_MAX : (int64_t) m->missing);
	return true;
}

static void
free_state(void *state, const jj_allocator *a)
{
	icmp_messages *m = ((icmp_state *) state)->m;

	if (m == NULL)
		return;
	jj_tally_free(&m->more, a);
	jj_release(a, m->echo);
	jj_release(a, m);
}

const jj_extractor jj_extract_icmp = {
	.group = JJ_G_icmp,
	.state_size = sizeof(icmp_state),
	.kinds = JJ_FOR_ICMP,
	.fetch = fetch,
	.update = update,
	.fetch_all = fetch_all,
	.fetch_more = fetch_more,
	.emit = emit,
	.free_state = free_state,
};
