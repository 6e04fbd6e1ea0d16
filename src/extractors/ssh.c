/*
 * Group ssh: what both sides say of themselves before the encryption begins,
 * HASSH, and the packets behind NEWKEYS.
 *
 * Source: RFC 4253; HASSH as published by Salesforce (https://github.com/salesforce/hassh).
 */
#include "extractors/ssh.h"

#include "extractors/crypto.h"
#include "extractors/ssh_side.h"
#include "extractors/tcp_analysis.h"
#include "extractors/text_out.h"

#include <string.h>

/*
 * Segments that are kept of a side before its NEWKEYS, because they came
 * before bytes that precede them. Of more than these, the later ones are not
 * counted as encrypted; nor are those that came before either side's first
 * "SSH-" was in order.
 */
#define MAX_EARLY 64

typedef enum phase
{
	IN_TEXT,					/* no identification line yet */
	IN_SIDE,
	OVER						/* there is none */
} phase;

typedef struct segment
{
	uint32_t	seq;
	uint32_t	n;
} segment;

/* Segments with new bytes behind NEWKEYS; what is missing there is followed as jj_tcp_bytes_add does (JJ_TCP_HOLES gaps). */
typedef struct encrypted
{
	jj_tcp_union sent;			/* from NEWKEYS on: lo stays there */
	uint32_t	packets;
	uint32_t	n_early;
	uint32_t	early_room;
	segment    *early;			/* not in order when they came, in order of arrival */
} encrypted;

typedef struct talk
{
	jj_ssh_side side[2];
	encrypted	sent[2];
} talk;

typedef struct jj_ssh
{
	jj_ssh_lines_at at[2];
	uint8_t		phase[2];
	talk	   *talk;			/* from the first line on that begins with "SSH-" */
} jj_ssh;

static bool
wants(const jj_work *w, jj_feature f)
{
	return jj_set_has(&w->options.features, f);
}

/* ---- encrypted packets */

/* The sequence number of the first payload byte. */
static uint32_t
first_byte(const jj_packet *p)
{
	return p->seq + (p->tcp_flags & JJ_TCP_SYN ? 1 : 0);
}

/* Keep a segment that is not in order yet, or that is the present one. False without memory. */
static bool
keep_early(encrypted *e, const jj_packet *p, const jj_allocator *a)
{
	if (e->n_early == MAX_EARLY)
		return true;
	if (e->n_early == e->early_room)
	{
		uint32_t	room = e->early_room == 0 ? 7 : e->early_room * 2 + 1;
		segment    *grown = jj_regrow(a, e->early, sizeof(segment) * e->n_early, sizeof(segment) * room);

		if (grown == NULL)
			return false;
		e->early = grown;
		e->early_room = room;
	}
	e->early[e->n_early++] = (segment) {first_byte(p), p->payload_len};
	return true;
}

/* Forget segments before the stream's byte next; true if the packet is not one of them. */
static bool
drop_early(encrypted *e, const jj_app_side *s, const jj_packet *p)
{
	uint32_t	next = s->start + (uint32_t) s->next;
	uint32_t	kept = 0;

	if (s->next == 0)
		return true;
	for (uint32_t i = 0; i < e->n_early; i++)
		if (jj_seq_diff(e->early[i].seq + e->early[i].n, next) > 0)
			e->early[kept++] = e->early[i];
	e->n_early = kept;
	return jj_seq_diff(first_byte(p) + p->payload_len, next) > 0;
}

/* Count the segment if it has bytes that are new and behind NEWKEYS. False without memory. */
static bool
count_segment(encrypted *e, uint32_t seq, uint32_t n, const jj_allocator *a)
{
	jj_tcp_union *u = &e->sent;
	int64_t		from = u->hi + jj_seq_diff(seq, (uint32_t) u->hi);
	int64_t		to = from + n;
	uint64_t	before = u->count;

	if (from < u->lo)
		from = u->lo;
	if (from >= to)
		return true;
	if (!jj_tcp_bytes_add(u, (uint32_t) from, (uint32_t) (to - from), a))
		return false;
	e->packets += u->count > before && e->packets < UINT32_MAX;
	return true;
}

/* NEWKEYS ends before this sequence number: what came before it in time, but not in sequence, is counted now. False without memory. */
static bool
begin_count(encrypted *e, uint32_t seq, const jj_allocator *a)
{
	bool		good = true;

	e->sent.started = true;
	e->sent.lo = e->sent.hi = (int64_t) seq;
	for (uint32_t i = 0; i < e->n_early && good; i++)
		good = count_segment(e, e->early[i].seq, e->early[i].n, a);
	jj_release(a, e->early);
	e->early = NULL;
	e->n_early = e->early_room = 0;
	return good;
}

/* ---- hooks */

/* Whether nothing more of a direction's stream is needed. */
static bool
is_read(const jj_ssh *s, unsigned d)
{
	return s->phase[d] == OVER || (s->phase[d] == IN_SIDE && s->talk->side[d].step >= JJ_SSH_KEYED);
}

/* What is needed after a call for direction d. */
static jj_want
still_wants(const jj_ssh *s, unsigned d, const jj_work *w)
{
	bool		counts = false;

	if (!is_read(s, d))
		return JJ_WANT_MORE;
	for (unsigned i = 0; i < 2 && s->talk != NULL; i++)
		counts = counts || (s->talk->side[i].step == JJ_SSH_KEYED && wants(w, JJ_F_ssh_encrypted_packets));
	return is_read(s, 1 - d) && !counts ? JJ_WANT_END : JJ_WANT_NONE;
}

/* What of the packets a wanted column needs. */
static unsigned
to_keep(const jj_work *w)
{
	bool		lists = wants(w, JJ_F_ssh_hassh) || wants(w, JJ_F_ssh_hassh_server) || wants(w, JJ_F_ssh_client_kexinit)
		|| wants(w, JJ_F_ssh_server_kexinit) || wants(w, JJ_F_ssh_negotiated);

	return (lists ? JJ_SSH_KEEP_KEXINIT : 0) | (wants(w, JJ_F_ssh_host_key_sha256) ? JJ_SSH_KEEP_HOST_KEY : 0);
}

static bool
stream_opens(const jj_chunk *c, bool *done)
{
	*done = !jj_ssh_may_begin(c->bytes, c->n < JJ_SSH_HEAD ? c->n : JJ_SSH_HEAD);
	return !*done;
}

/* Whether text may go before the identification line of the direction: a server's, or anyone's if the beginning is not there. */
static bool
allows_text(const jj_app *app, unsigned d)
{
	return d == 1 || !(jj_app_stream(app, 0).start_seen || jj_app_stream(app, 1).start_seen);
}

/* Look for the identification line in the chunk; *used bytes of it are read. */
static phase
find_line(jj_ssh *s, const jj_chunk *c, const jj_app *app, uint32_t *used)
{
	jj_ssh_lines_at *at = &s->at[c->dir];
	jj_ssh_found found;
	uint32_t	n = c->n;

	if (c->offset >= JJ_SSH_HEAD)
		return OVER;
	if (n > JJ_SSH_HEAD - c->offset)
		n = JJ_SSH_HEAD - (uint32_t) c->offset;
	found = jj_ssh_find_line(at, c->bytes, n, used);
	if (found == JJ_SSH_NOT || ((at->text || at->banner) && !allows_text(app, c->dir)))
		return OVER;
	return found == JJ_SSH_LINE ? IN_SIDE : IN_TEXT;
}

static jj_want
stream(void *state, const jj_chunk *c, jj_app *app, const jj_work *w)
{
	jj_ssh	   *s = state;
	const jj_allocator *a = &w->allocator;
	unsigned	d = c->dir;
	uint32_t	used = 0;
	jj_ssh_side *side;

	if (s->phase[d] == IN_TEXT)
	{
		s->phase[d] = find_line(s, c, app, &used);
		if (s->phase[d] != IN_SIDE)
			return still_wants(s, d, w);
		if (s->talk == NULL)
		{
			if ((s->talk = jj_alloc_zero(a, sizeof(talk))) == NULL || !keep_early(&s->talk->sent[d], c->done, a))
				return JJ_WANT_MEMORY;
		}
	}
	side = &s->talk->side[d];
	if (!jj_ssh_read(side, c->bytes + used, c->n - used, c->offset + used, to_keep(w), a))
		return JJ_WANT_MEMORY;
	if (side->step == JJ_SSH_STOPPED && !side->identified)
		s->phase[d] = OVER;
	if (side->step == JJ_SSH_KEYED && wants(w, JJ_F_ssh_encrypted_packets)
		&& !begin_count(&s->talk->sent[d], jj_app_stream(app, (int) d).start + (uint32_t) side->newkeys, a))
		return JJ_WANT_MEMORY;
	return still_wants(s, d, w);
}

static jj_want
packet(void *state, const jj_packet *p, jj_app *app, const jj_work *w)
{
	jj_ssh	   *s = state;
	unsigned	d = p->dir;
	encrypted  *e;
	jj_app_side in_order;

	if (s->talk == NULL || !p->has_tcp || p->payload_len == 0 || (p->tcp_flags & JJ_TCP_RST) || jj_stream_padding(p))
		return JJ_WANT_MORE;
	e = &s->talk->sent[d];
	if (s->talk->side[d].step == JJ_SSH_KEYED)
		return count_segment(e, first_byte(p), p->payload_len, &w->allocator) ? JJ_WANT_MORE : JJ_WANT_MEMORY;
	if (is_read(s, d) || !wants(w, JJ_F_ssh_encrypted_packets))
		return JJ_WANT_MORE;
	in_order = jj_app_stream(app, (int) d);
	if (!drop_early(e, &in_order, p))
		return JJ_WANT_MORE;
	return keep_early(e, p, &w->allocator) ? JJ_WANT_MORE : JJ_WANT_MEMORY;
}

static void
release(void *state, const jj_allocator *a)
{
	talk	   *t = ((jj_ssh *) state)->talk;

	if (t == NULL)
		return;
	for (int d = 0; d < 2; d++)
	{
		jj_ssh_side_free(&t->side[d], a);
		jj_release(a, t->sent[d].early);
		jj_release(a, t->sent[d].sent.hole);
	}
	jj_release(a, t);
}

const jj_parser jj_parser_ssh = {
	.state_size = sizeof(jj_ssh),
	.stream_opens = stream_opens,
	.stream = stream,
	.packet = packet,
	.release = release,
};

/* ---- what a flow is, once it has ended */

typedef struct sides
{
	const jj_ssh_side *side[2]; /* by direction; NULL without an identification line */
	unsigned	server;			/* direction of the server's side */
	bool		packets;		/* they were read: nobody speaks SSH 1 */
} sides;

static sides
sides_of(const jj_flow *f, const jj_app *app)
{
	const jj_ssh *s = jj_app_parser(app, JJ_P_SSH);
	bool		syn = f->seen & (JJ_SEEN_SYN | JJ_SEEN_SYNACK);
	sides		x = {.server = 1, .packets = true};

	for (unsigned d = 0; d < 2 && s != NULL && s->talk != NULL; d++)
	{
		/* of the initiator of a connection no text is allowed before the line; whether it was is only known now */
		if (!s->talk->side[d].identified || (d == 0 && syn && s->at[d].banner))
			continue;
		x.side[d] = &s->talk->side[d];
		x.packets = x.packets && jj_ssh_is_2(x.side[d]);
	}
	for (unsigned d = 0; d < 2 && !syn && x.packets; d++)
		if (x.side[d] != NULL && x.side[d]->client && !(x.side[1 - d] != NULL && x.side[1 - d]->client))
			x.server = 1 - d;
	return x;
}

unsigned
jj_ssh_lines(const jj_flow *f, const jj_app *app)
{
	sides		x = sides_of(f, app);

	return (x.side[0] != NULL) + (x.side[1] != NULL);
}

bool
jj_ssh_encrypted(const jj_flow *f, const jj_app *app)
{
	sides		x = sides_of(f, app);

	for (unsigned d = 0; d < 2; d++)
		if (x.packets && x.side[d] != NULL && x.side[d]->step == JJ_SSH_KEYED)
			return true;
	return false;
}

/* ---- columns */

/* Bytes that can't be printed as \xHH. */
static void
out_shown(jj_text_out *out, const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (b[i] >= 0x20 && b[i] <= 0x7e)
			jj_out_byte(out, (char) b[i]);
		else
		{
			jj_out_text(out, "\\x");
			jj_out_hex(out, b[i]);
		}
}

static void
put_shown(jj_row *row, jj_feature f, const uint8_t *b, uint32_t n)
{
	char		text[4 * JJ_SSH_SHOWN];
	jj_text_out out = {text};

	if (!jj_row_wants(row, f))
		return;
	out_shown(&out, b, n);
	jj_row_put(row, f, text, (size_t) (out.to - text));
}

/* Names as elements of a text array. */
static void
put_names(jj_row *row, jj_feature f, const jj_ssh_name *name, unsigned n)
{
	size_t		room = 0;
	char	   *start;
	jj_text_out out;

	for (unsigned i = 0; i < n; i++)
		room += sizeof(uint32_t) + 4 * (size_t) name[i].n;
	start = jj_row_reserve(row, f, room);
	if (start == NULL)
		return;
	out.to = start;
	for (unsigned i = 0; i < n; i++)
	{
		char	   *element = out.to;
		uint32_t	size = JJ_NULL_ELEMENT;

		out.to += sizeof(size);
		if (name[i].bytes != NULL)
		{
			out_shown(&out, name[i].bytes, name[i].n);
			size = (uint32_t) ((size_t) (out.to - element) - sizeof(size));
		}
		memcpy(element, &size, sizeof(size));
	}
	jj_row_trim(row, f, (size_t) (out.to - start));
}

/* 2.0 if all known sides are 2.0 or 1.99, else the lowest version. */
static void
put_version(jj_row *row, const sides *x)
{
	const uint32_t *least = NULL;
	bool		two = true;
	char		text[24];
	jj_text_out out = {text};

	for (unsigned d = 0; d < 2; d++)
	{
		const uint32_t *v;

		if (x->side[d] == NULL || !x->side[d]->has_version)
			continue;
		v = x->side[d]->version;
		two = two && ((v[0] == 2 && v[1] == 0) || (v[0] == 1 && v[1] == 99));
		if (least == NULL || v[0] < least[0] || (v[0] == least[0] && v[1] < least[1]))
			least = v;
	}
	if (least == NULL)
		return;
	jj_out_number(&out, two ? 2 : least[0]);
	jj_out_byte(&out, '.');
	jj_out_number(&out, two ? 0 : least[1]);
	jj_row_put(row, JJ_F_ssh_version, text, (size_t) (out.to - text));
}

/* MD5 of four of the lists, joined by ";". False without memory. */
static bool
put_hassh(jj_row *row, jj_feature f, const jj_ssh_name *list, const uint8_t which[4], jj_work *w)
{
	char		hex[2 * JJ_MD5_SIZE];
	size_t		n = 0;
	uint8_t    *joined;

	if (!jj_row_wants(row, f))
		return true;
	for (unsigned i = 0; i < 4; i++)
		n += list[which[i]].n + 1;
	joined = jj_alloc(&w->allocator, n);
	if (joined == NULL)
		return false;
	n = 0;
	for (unsigned i = 0; i < 4; i++)
	{
		if (i > 0)
			joined[n++] = ';';
		if (list[which[i]].n > 0)
			memcpy(joined + n, list[which[i]].bytes, list[which[i]].n);
		n += list[which[i]].n;
	}
	if (jj_digest_hex(w, JJ_MD5, joined, n, hex, sizeof(hex)))
		jj_row_put(row, f, hex, sizeof(hex));
	jj_release(&w->allocator, joined);
	return true;
}

/* What the KEXINITs say. False without memory. */
static bool
emit_kexinit(const jj_ssh_side *client, const jj_ssh_side *server, jj_work *w, jj_row *row)
{
	static const uint8_t of_client[4] = {0, 2, 4, 6};
	static const uint8_t of_server[4] = {0, 3, 5, 7};
	jj_ssh_name c[JJ_SSH_LISTS];
	jj_ssh_name s[JJ_SSH_LISTS];
	bool		has_c = client != NULL && client->kexinit != NULL && jj_ssh_name_lists(client->kexinit, client->kexinit_size, c);
	bool		has_s = server != NULL && server->kexinit != NULL && jj_ssh_name_lists(server->kexinit, server->kexinit_size, s);

	if (has_c)
	{
		put_names(row, JJ_F_ssh_client_kexinit, c, JJ_SSH_LISTS);
		if (!put_hassh(row, JJ_F_ssh_hassh, c, of_client, w))
			return false;
	}
	if (has_s)
	{
		put_names(row, JJ_F_ssh_server_kexinit, s, JJ_SSH_LISTS);
		if (!put_hassh(row, JJ_F_ssh_hassh_server, s, of_server, w))
			return false;
	}
	if (has_c && has_s && jj_row_wants(row, JJ_F_ssh_negotiated))
	{
		jj_ssh_name agreed[JJ_SSH_ALGORITHMS];

		jj_ssh_negotiate(c, s, agreed);
		put_names(row, JJ_F_ssh_negotiated, agreed, JJ_SSH_ALGORITHMS);
	}
	return true;
}

static void
emit_counts(const sides *x, const jj_ssh *s, const jj_app *app, jj_row *row)
{
	uint64_t	kex = 0;
	uint64_t	encrypted = 0;
	bool		gap = false;
	bool		keyed = false;

	for (unsigned d = 0; d < 2 && x->packets; d++)
	{
		if (x->side[d] == NULL)
			continue;
		kex += x->side[d]->kex_packets;
		gap = gap || (x->side[d]->step == JJ_SSH_IN_PACKETS && jj_app_stream(app, (int) d).gap);
		if (x->side[d]->step == JJ_SSH_KEYED)
		{
			keyed = true;
			encrypted += s->talk->sent[d].packets;
		}
	}
	if (!gap && kex <= INT32_MAX)
		jj_row_int(row, JJ_F_ssh_kex_packets, (int64_t) kex);
	if (keyed && encrypted <= INT32_MAX)
		jj_row_int(row, JJ_F_ssh_encrypted_packets, (int64_t) encrypted);
}

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	static const jj_feature version[2] = {JJ_F_ssh_client_version, JJ_F_ssh_server_version};
	static const jj_feature software[2] = {JJ_F_ssh_client_software, JJ_F_ssh_server_software};
	const jj_app *app = jj_app_of(state);
	sides		x = sides_of(f, app);
	const jj_ssh_side *server = x.side[x.server];

	(void) fold;
	if (f->key.proto == JJ_PROTO_TCP && jj_app_blind(f, state))
		return true;
	jj_row_int(row, JJ_F_ssh_detected, x.side[0] != NULL || x.side[1] != NULL);
	if (x.side[0] == NULL && x.side[1] == NULL)
		return true;
	put_version(row, &x);
	for (unsigned d = 0; d < 2; d++)
		if (x.side[d] != NULL)
		{
			const uint8_t *b = x.side[d]->identification;

			put_shown(row, version[d == x.server], b, x.side[d]->version_size);
			put_shown(row, software[d == x.server], b + x.side[d]->version_size, x.side[d]->software_size);
		}
	emit_counts(&x, jj_app_parser(app, JJ_P_SSH), app, row);
	if (!x.packets)
		return true;
	if (server != NULL && server->host_key != NULL && jj_row_wants(row, JJ_F_ssh_host_key_sha256))
	{
		uint8_t		hash[JJ_SHA256_SIZE];

		if (jj_digest(w, JJ_SHA256, server->host_key, server->host_key_size, hash))
			jj_row_put(row, JJ_F_ssh_host_key_sha256, hash, sizeof(hash));
	}
	return emit_kexinit(x.side[1 - x.server], server, w, row);
}

const jj_extractor jj_extract_ssh = {
	.group = JJ_G_ssh,
	.base = &jj_app_base,
	.emit = emit,
};
