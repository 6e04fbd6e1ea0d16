/*
 * TLS over TCP: where it begins in either direction, and who is the client.
 *
 * TLS begins with the first byte of a stream; or, after another protocol, where
 * a segment or a line begins with a whole valid ClientHello or ServerHello; or,
 * if the beginning was not captured, where a segment begins with records of
 * which one ends with a segment. Which of these it is can be known only later,
 * so records are followed from each such offset on (a run) until it proves to
 * be none. At most MAX_RUNS of a direction are followed at a time; further
 * offsets are passed over while they last. Lines that do not begin a segment
 * are looked at in the first LINE_REACH bytes of a direction alone, and in the
 * first LINE_SEGMENT bytes of a segment that begins with text.
 */
#include "extractors/tls_internal.h"

#define MAX_RUNS 4
#define LINE_REACH 65536		/* lines in the middle of a segment are looked at in so many bytes of a direction, */
#define LINE_SEGMENT 512		/* and in so many of a segment */
#define NO_ANSWER UINT64_MAX

/* Records from the first byte on, or from behind a hello in SSL 2.0 format. */
static jj_tls_run *
run_from_start(const jj_tls_tcp *t, int d)
{
	jj_tls_run *r = t->run[d];

	return r != NULL && (r->start == 0 || r->ssl2) ? r : NULL;
}

static bool
has_hello(const jj_tls_run *r)
{
	return r != NULL && (r->first == JJ_TLS_FIRST_CLIENT || r->first == JJ_TLS_FIRST_SERVER);
}

/* The run that begins with the direction's hello, NULL if none does so far. */
static jj_tls_run *
found_hello(const jj_tls_tcp *t, int d)
{
	const jj_tls_run *start = run_from_start(t, d);

	if (start != NULL && !has_hello(start) && start->good > 0)
		return NULL;			/* records from the first byte on, but no hello: not after another protocol */
	for (jj_tls_run *r = t->run[d]; r != NULL; r = r->next)
		if (has_hello(r))
			return r;
	return NULL;
}

/* The first run of the direction that is a chain of records. */
static jj_tls_run *
found_chain(const jj_tls_tcp *t, int d)
{
	for (jj_tls_run *r = t->run[d]; r != NULL; r = r->next)
		if (r->at_piece && r->good > 0)
			return r;
	return NULL;
}

/* Whether n > 0 bytes may begin with a hello in a record, as far as they are there. */
static bool
may_be_hello(const uint8_t *b, uint32_t n)
{
	return b[0] == JJ_TLS_HANDSHAKE && jj_tls_may_be_record(b, n)
		&& (n < 6 || b[5] == JJ_TLS_CLIENT_HELLO || b[5] == JJ_TLS_SERVER_HELLO);
}

/* Whether n > 0 bytes may begin with a record of a chain. */
static bool
may_be_chain(const uint8_t *b, uint32_t n)
{
	return b[0] <= JJ_TLS_APPDATA && jj_tls_may_be_record(b, n) && (n < 5 || b[3] != 0 || b[4] != 0);
}

/* Whether the bytes begin as a line of text does. */
static bool
is_text(const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n && i < 4; i++)
		if ((b[i] < ' ' || b[i] > '~') && b[i] != '\t' && b[i] != '\r' && b[i] != '\n')
			return false;
	return true;
}

/* The next offset behind from where a line begins that may be a hello; n if there is none. */
static uint32_t
next_line(const uint8_t *b, uint32_t n, uint32_t from)
{
	uint32_t	end = n < LINE_SEGMENT ? n : LINE_SEGMENT;

	if (!is_text(b, n))
		return n;
	for (uint32_t i = from + 1; i < end; i++)
	{
		const uint8_t *at = memchr(b + i, JJ_TLS_HANDSHAKE, end - i);

		if (at == NULL)
			return n;
		i = (uint32_t) (at - b);
		if (b[i - 1] == '\n' && may_be_hello(at, n - i))
			return i;
	}
	return n;
}

/* Whether n > 0 bytes may begin a ClientHello in SSL 2.0 format. */
static bool
may_be_ssl2(const uint8_t *b, uint32_t n)
{
	jj_hello	h;

	return jj_ssl2_hello_parse(&h, b, n) != 0;
}

bool
jj_tls_tcp_opens(const jj_chunk *c, bool *done)
{
	(void) done;
	if (c->offset == 0 ? jj_tls_may_be_record(c->bytes, c->n) || may_be_ssl2(c->bytes, c->n) : may_be_chain(c->bytes, c->n))
		return true;
	return c->offset < LINE_REACH && next_line(c->bytes, c->n, 0) < c->n;
}

/* Records from byte at of the chunk on; *good is false without memory, NULL too if there are max. */
static jj_tls_run *
open_run(jj_tls_tcp *t, const jj_chunk *c, uint32_t at, unsigned max, const jj_allocator *a, bool *good)
{
	jj_tls_run **link = &t->run[c->dir];
	jj_tls_run *r;
	unsigned	n = 0;

	for (; *link != NULL; link = &(*link)->next)
		n++;
	*good = true;
	if (n >= max)
		return NULL;
	r = &t->slot[c->dir];
	if (!r->used)
		memset(r, 0, sizeof(*r));
	else if ((r = jj_alloc_zero(a, sizeof(*r))) == NULL)
	{
		*good = false;
		return NULL;
	}
	r->used = true;
	r->start = c->offset + at;
	r->begun = c->done->index;
	r->answer = NO_ANSWER;
	r->at_piece = at == 0;
	r->dir = c->dir;
	*link = r;
	t->steady[1 - c->dir] = false;	/* what comes next there may be an answer */
	return r;
}

/* Note that a chunk is what comes first after what may be hellos of the other direction began; whether it is so for any. */
static bool
answers(jj_tls_tcp *t, const jj_chunk *c)
{
	bool		any = false;

	for (jj_tls_run *r = t->run[1 - c->dir]; r != NULL; r = r->next)
		if (r->start > 0 && r->first != JJ_TLS_FIRST_OTHER && r->answer == NO_ANSWER)
		{
			r->answer = c->offset;
			any = true;
		}
	return any;
}

/* Whether a run is what came first after a hello of the other direction. */
static bool
is_answer(const jj_tls_tcp *t, const jj_tls_run *r)
{
	for (const jj_tls_run *o = t->run[1 - r->dir]; o != NULL; o = o->next)
		if (o->answer == r->start)
			return true;
	return false;
}

/* Whether a run that does not begin with its stream can still come to matter. */
static bool
matters(const jj_tls_tcp *t, const jj_tls_run *r)
{
	const jj_tls_run *chain;

	if (!r->headed && r->over)
		return false;
	if (is_answer(t, r))
		return true;
	if (has_hello(run_from_start(t, r->dir)))
		return false;
	if (has_hello(r) || r->good > 0)
		return true;
	if (r->over)
		return false;
	if (r->first == JJ_TLS_FIRST_OPEN)
		return true;
	chain = found_chain(t, r->dir);
	return r->at_piece && !r->broken && found_hello(t, 0) == NULL && found_hello(t, 1) == NULL && (chain == NULL || chain->start > r->start);
}

/* A run that is in no list any more. */
static void
close_run(jj_tls_tcp *t, jj_tls_run *r, const jj_allocator *a)
{
	jj_tls_run_free(r, a);
	if (r == &t->slot[r->dir])
		r->used = false;
	else
		jj_release(a, r);
}

static void
prune(jj_tls_tcp *t, int d, const jj_allocator *a)
{
	jj_tls_run **link = &t->run[d];

	while (*link != NULL)
	{
		jj_tls_run *r = *link;

		if (r->ssl2 || (r->start == 0 ? r->headed || !r->over : matters(t, r)))
			link = &r->next;
		else
		{
			*link = r->next;
			close_run(t, r, a);
		}
	}
}

/*
 * The beginning of a stream that may be a ClientHello in SSL 2.0 format.
 * Bytes behind it become a run. False without memory.
 */
static bool
add_ssl2(jj_tls_tcp *t, const jj_chunk *c, const jj_tls_need *need, const jj_allocator *a)
{
	jj_buffer  *b = &t->ssl2[c->dir];
	uint32_t	before = b->n;
	jj_tls_run *r;
	jj_hello	h;
	int			size;
	bool		good;

	if (b->n >= JJ_MESSAGE_BYTES)
	{
		jj_buffer_free(b, a);
		return true;
	}
	if (!jj_buffer_add(b, c->bytes, c->n < JJ_MESSAGE_BYTES ? c->n : JJ_MESSAGE_BYTES, a))
		return false;
	size = jj_ssl2_hello_parse(&h, b->bytes, b->n);
	if (size < 0)
		return true;
	if (size > 0)
	{
		uint32_t	at = (uint32_t) size - before;

		r = open_run(t, c, at, 2 * MAX_RUNS, a, &good);
		if (r == NULL)
			return good;
		r->ssl2 = true;
		r->first = JJ_TLS_FIRST_CLIENT;
		r->client_over = r->server_over = true;
		if (jj_tls_run_talk(r, a) == NULL)
			return false;
		r->talk->side.ch = h;
		if (!jj_hello_keep(&r->talk->side.ch, a))
		{
			memset(&r->talk->side.ch, 0, sizeof(h));
			return false;
		}
		if (!jj_tls_run_add(r, c->bytes + at, c->n - at, c->carrier, &t->order, need, a))
			return false;
	}
	jj_buffer_free(b, a);
	return true;
}

/* Whether the direction is still searched for a hello that does not begin its stream, and for a chain. */
static void
searches(const jj_tls_tcp *t, int d, bool *hello, bool *chain)
{
	const jj_tls_run *start = run_from_start(t, d);

	*hello = !has_hello(start) && (start == NULL || start->good == 0) && found_hello(t, d) == NULL;
	*chain = *hello && found_hello(t, 1 - d) == NULL && found_chain(t, d) == NULL;
}

/* Follow records from byte at of the chunk on. False without memory. */
static bool
start_run(jj_tls_tcp *t, const jj_chunk *c, uint32_t at, bool answer, const jj_tls_need *need, const jj_allocator *a)
{
	bool		good;
	jj_tls_run *r = open_run(t, c, at, answer ? 2 * MAX_RUNS : MAX_RUNS, a, &good);

	return r != NULL ? jj_tls_run_add(r, c->bytes + at, c->n - at, c->carrier, &t->order, need, a) : good;
}

/* Begin runs in the chunk. False without memory. */
static bool
search(jj_tls_tcp *t, const jj_chunk *c, bool answer, const jj_tls_need *need, const jj_allocator *a)
{
	bool		hello;
	bool		chain;

	if (c->offset == 0)
	{
		if (jj_tls_may_be_record(c->bytes, c->n))
		{
			if (!start_run(t, c, 0, answer, need, a))
				return false;
		}
		else if (may_be_ssl2(c->bytes, c->n) && !add_ssl2(t, c, need, a))
			return false;
	}
	searches(t, c->dir, &hello, &chain);
	if (c->offset > 0
		&& ((answer && jj_tls_may_be_record(c->bytes, c->n)) || (hello && may_be_hello(c->bytes, c->n)) || (chain && may_be_chain(c->bytes, c->n))))
	{
		if (!start_run(t, c, 0, answer, need, a))
			return false;
		searches(t, c->dir, &hello, &chain);
	}
	for (uint32_t i = 0; hello && c->offset < LINE_REACH && (i = next_line(c->bytes, c->n, i)) < c->n;)
	{
		if (!start_run(t, c, i, false, need, a))
			return false;
		searches(t, c->dir, &hello, &chain);
	}
	return true;
}

/* Whether both directions begin with hellos, the client's first: then there is no doubt. *client. */
static bool
decided(const jj_tls_tcp *t, int *client)
{
	const jj_tls_run *r[2] = {run_from_start(t, 0), run_from_start(t, 1)};

	for (int d = 0; d < 2; d++)
		if (r[d] != NULL && r[1 - d] != NULL && r[d]->first == JJ_TLS_FIRST_CLIENT && r[1 - d]->first == JJ_TLS_FIRST_SERVER)
		{
			*client = d;
			return true;
		}
	return false;
}

/* Whether handshake records may come at any time: TLS 1.3 has none in the clear behind a protected one (RFC 8446 5). */
static bool
counts_packets(const jj_tls_run *server, const jj_tls_need *need)
{
	return need->packets && !jj_tls_run_is_13(server);
}

/* Whether nothing more is wanted of a run whose role is known. */
static bool
settled(const jj_tls_tcp *t, int d, int client)
{
	const jj_tls_need *need = &t->need;
	const jj_tls_run *r = run_from_start(t, d);

	if (r->over)
		return true;
	if (need->cells || (d == client ? !r->client_over : !r->server_over && (need->certs || need->key_exchange || need->resumed)))
		return false;
	if (need->lengths > 0 && run_from_start(t, 0)->lengths.n + run_from_start(t, 1)->lengths.n < need->lengths)
		return false;
	if (need->alert && !r->closed && r->alert == 0)
		return false;
	return !need->packets || (!counts_packets(run_from_start(t, 1 - client), need) && r->appdata);
}

/* Learn the shape of the connection's records; no more of them are needed if it is not known, or if either side's hold no cells. */
static void
weigh_cells(jj_tls_tcp *t, const jj_tls_run *server)
{
	const jj_hello *sh = &server->talk->side.sh;

	if (!t->need.shaped)
		t->need.shaped = t->need.cells = jj_fp_suite_shape(sh->cipher, sh->chosen, &t->need.shape);
	if (run_from_start(t, 0)->no_cells || run_from_start(t, 1)->no_cells)
		t->need.cells = false;
	if (!t->need.cells)
		t->steady[0] = t->steady[1] = false;
}

/* What more is wanted of a direction of a connection that is decided. */
static jj_want
want_decided(jj_tls_tcp *t, int d, int client)
{
	const jj_tls_run *server = run_from_start(t, 1 - client);

	if (t->need.cells)
		weigh_cells(t, server);
	if (!settled(t, d, client))
	{
		t->steady[d] = t->run[d]->next == NULL && (t->need.cells || counts_packets(server, &t->need));
		return JJ_WANT_MORE;
	}
	return settled(t, 1 - d, client) ? JJ_WANT_END : JJ_WANT_NONE;
}

/* What more is wanted of a direction of a connection that is not. */
static jj_want
want_undecided(jj_tls_tcp *t, int d)
{
	const jj_tls_run *r = t->run[d];
	bool		hello;
	bool		chain;

	if (t->run[0] == NULL && t->run[1] == NULL && t->ssl2[0].n == 0 && t->ssl2[1].n == 0)
		return JJ_WANT_RESET;
	if (r != NULL && r->next == NULL && r->first == JJ_TLS_FIRST_OTHER && t->ssl2[d].n == 0)
	{
		searches(t, d, &hello, &chain);
		t->steady[d] = !hello && !chain && (t->run[1 - d] == NULL || (t->run[1 - d]->next == NULL && t->run[1 - d]->start == 0));
	}
	return JJ_WANT_MORE;
}

jj_want
jj_tls_tcp_add(jj_tls_tcp *t, const jj_chunk *c, const jj_work *w)
{
	const jj_allocator *a = &w->allocator;
	const jj_tls_need *need = &t->need;
	int			d = c->dir;
	int			client;
	bool		answer;

	if (!t->begun)
	{
		t->begun = true;
		t->need = jj_tls_needs(w);
	}
	if (t->run[d] != NULL)
		t->run[d]->left -= (uint32_t) (c->offset - t->at[d]);	/* bytes that were left out */
	t->at[d] = c->offset + c->n;
	if (t->steady[d])
	{
		if (!jj_tls_run_add(t->run[d], c->bytes, c->n, c->carrier, &t->order, need, a))
			return JJ_WANT_MEMORY;
		if (!t->run[d]->over && !(need->cells && t->run[d]->no_cells))
			return JJ_WANT_MORE;
		t->steady[d] = false;
		return decided(t, &client) ? want_decided(t, d, client) : JJ_WANT_MORE;
	}
	answer = answers(t, c);
	for (jj_tls_run *r = t->run[d]; r != NULL; r = r->next)
		if (!r->over && !jj_tls_run_add(r, c->bytes, c->n, c->carrier, &t->order, need, a))
			return JJ_WANT_MEMORY;
	if (t->ssl2[d].n > 0 && !add_ssl2(t, c, need, a))
		return JJ_WANT_MEMORY;
	if (!decided(t, &client) && !search(t, c, answer, need, a))
		return JJ_WANT_MEMORY;
	prune(t, d, a);
	return decided(t, &client) ? want_decided(t, d, client) : want_undecided(t, d);
}

uint32_t
jj_tls_tcp_pass(const jj_tls_tcp *t, unsigned dir)
{
	const jj_tls_run *r = t->run[dir];

	return t->steady[dir] && jj_tls_run_in_appdata(r) ? r->left - 1 : 0;
}

void
jj_tls_tcp_free(jj_tls_tcp *t, const jj_allocator *a)
{
	for (int d = 0; d < 2; d++)
	{
		while (t->run[d] != NULL)
		{
			jj_tls_run *r = t->run[d];

			t->run[d] = r->next;
			close_run(t, r, a);
		}
		jj_buffer_free(&t->ssl2[d], a);
	}
}

/* The run of a direction that begins at an offset, if there is a record. */
static const jj_tls_run *
run_at(const jj_tls_tcp *t, int d, uint64_t start)
{
	for (const jj_tls_run *r = t->run[d]; r != NULL; r = r->next)
		if (r->start == start && !r->ssl2 && r->headed)
			return r;
	return NULL;
}

/* Who is the client, where hellos were found; *first is the direction whose hello decides where TLS began. */
static int
find_client(jj_tls_run *const found[2], int *first)
{
	int			early = 0;

	if (found[0] == NULL || (found[1] != NULL && found[1]->begun < found[0]->begun))
		early = 1;
	*first = early;
	if (found[early]->first == JJ_TLS_FIRST_CLIENT)
		return early;
	if (found[1 - early] != NULL && found[1 - early]->first == JJ_TLS_FIRST_CLIENT)
		return *first = 1 - early;
	return 1 - early;
}

static void
read_records(jj_tls_view *v, const jj_tls_run *run[2])
{
	uint32_t	order = 0;

	for (int d = 0; d < 2; d++)
	{
		const jj_tls_run *r = run[d];

		if (r == NULL)
			continue;
		if (r->talk != NULL)
			v->handshake_packets += r->talk->packets;
		if (r->alert > 0 && (v->alert < 0 || r->alert_order < order))
		{
			v->alert = (int16_t) (r->alert - 1);
			order = r->alert_order;
		}
	}
}

void
jj_tls_tcp_read(const jj_tls_tcp *t, jj_tls_view *v, const jj_tls_run *run[2])
{
	jj_tls_run *found[2] = {found_hello(t, 0), found_hello(t, 1)};
	int			first;

	run[0] = run[1] = NULL;
	if (found[0] == NULL && found[1] == NULL)
	{
		uint32_t	records = 0;

		for (int d = 0; d < 2; d++)
		{
			run[d] = found_chain(t, d);
			records += run[d] != NULL ? run[d]->good : 0;
		}
		if (records < 2)
		{
			run[0] = run[1] = NULL;
			return;
		}
		v->transport = JJ_TLS_TCP;
		read_records(v, run);
		return;
	}
	v->client = (uint8_t) find_client(found, &first);
	v->transport = found[first]->start == 0 || found[first]->ssl2 ? JJ_TLS_TCP : JJ_TLS_STARTTLS;
	for (int d = 0; d < 2; d++)
	{
		if (found[d] != NULL && (found[d]->first == JJ_TLS_FIRST_CLIENT) == (d == v->client))
			run[d] = found[d];
		else if (v->transport == JJ_TLS_TCP)
			run[d] = run_at(t, d, 0);
		else if (d != first && found[first]->answer != NO_ANSWER)
			run[d] = run_at(t, d, found[first]->answer);
	}
	if (run[v->client] != NULL && run[v->client]->talk != NULL)
		jj_tls_view_client(v, &run[v->client]->talk->side);
	if (run[1 - v->client] != NULL && run[1 - v->client]->talk != NULL)
		jj_tls_view_server(v, &run[1 - v->client]->talk->side);
	read_records(v, run);
	if (v->sh != NULL)
		jj_tls_cells_read(run, v->sh, &v->cell_records, &v->cells_fit);
}
