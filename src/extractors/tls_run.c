/*
 * Records of one direction of a TCP flow from an offset on, and the handshake
 * messages in them.
 */
#include "extractors/tls_internal.h"

bool
jj_tls_may_be_record(const uint8_t *b, uint32_t n)
{
	if (b[0] < JJ_TLS_CCS || b[0] > JJ_TLS_HEARTBEAT || (n > 1 && b[1] != 3))
		return false;
	return n < 5 || (b[3] << 8 | b[4]) <= JJ_TLS_MAX_RECORD;
}

/* A packet that brought bytes of a handshake record counts once. Its bytes may lie between those of others, so more than the last is remembered. */
static void
count_packet(jj_tls_talk *t, uint64_t index)
{
	for (int i = 0; i < JJ_TLS_RECENT; i++)
		if (t->recent[i] == index + 1)
			return;
	memmove(t->recent + 1, t->recent, sizeof(t->recent) - sizeof(t->recent[0]));
	t->recent[0] = index + 1;
	t->packets++;
}

jj_tls_talk *
jj_tls_run_talk(jj_tls_run *r, const jj_allocator *a)
{
	if (r->talk == NULL)
		r->talk = jj_alloc_zero(a, sizeof(*r->talk));
	return r->talk;
}

static unsigned
record_type(const jj_tls_run *r)
{
	return r->head[0];
}

static unsigned
record_length(const jj_tls_run *r)
{
	return (unsigned) r->head[3] << 8 | r->head[4];
}

/* The header of a record is complete. False without memory. */
static bool
begin_record(jj_tls_run *r, uint64_t carrier, const jj_allocator *a)
{
	unsigned	type = record_type(r);

	r->headed = true;
	r->left = record_length(r);
	if (type != JJ_TLS_HANDSHAKE || r->left == 0)
	{
		if (r->first == JJ_TLS_FIRST_OPEN)
			r->first = JJ_TLS_FIRST_OTHER;
	}
	else if (jj_tls_run_is_13(r))
		r->server_over = true;
	if (type == JJ_TLS_HANDSHAKE)
	{
		if (jj_tls_run_talk(r, a) == NULL)
			return false;
		for (unsigned i = 0; i < r->n_pending; i++)
			count_packet(r->talk, r->pending[i]);
		count_packet(r->talk, carrier);
	}
	r->n_pending = 0;
	if (type > JJ_TLS_APPDATA || r->left == 0)
		r->broken = true;
	if (type == JJ_TLS_CCS || type == JJ_TLS_APPDATA)
		r->client_over = true;
	if (type == JJ_TLS_APPDATA)
		r->server_over = r->appdata = true;
	return true;
}

/* False without memory. */
static bool
end_record(jj_tls_run *r, uint32_t *order, const jj_tls_need *need, const jj_allocator *a)
{
	unsigned	type = record_type(r);

	r->n_head = 0;
	r->records++;
	(*order)++;
	if (type == JJ_TLS_CCS && !r->server_over)
	{
		if (r->talk != NULL)
			jj_tls_side_ccs(&r->talk->side);
		r->server_over = r->talk == NULL || jj_tls_has_sh(&r->talk->side) || !r->talk->side.retry;
	}
	if (type == JJ_TLS_CCS || type == JJ_TLS_APPDATA)
		r->closed = true;
	if (type == JJ_TLS_ALERT && record_length(r) == 2 && !r->closed && r->alert == 0)
	{
		r->alert = (int16_t) (r->alert_byte[1] + 1);
		r->alert_order = *order;
	}
	if (type == JJ_TLS_APPDATA && need->cells && !jj_tls_cells_add(r, record_length(r), need, a))
		return false;
	return jj_tls_lengths_add(&r->lengths, *order, record_length(r), r->dir, need->lengths, a);
}

/* A complete message. False without memory. */
static bool
end_message(jj_tls_run *r, const uint8_t *body, uint32_t n, const jj_allocator *a)
{
	jj_tls_talk *t = r->talk;
	unsigned	type = t->message_head[0];
	bool		good = true;
	jj_hello	h;

	if (type == JJ_TLS_CLIENT_HELLO)
	{
		if (jj_client_hello_parse(&h, body, n, false))
		{
			t->side.ch = h;
			good = jj_hello_keep(&t->side.ch, a);
			if (!good)
				memset(&t->side.ch, 0, sizeof(h));
			r->client_over = true;
			if (r->first == JJ_TLS_FIRST_OPEN)
			{
				r->first = JJ_TLS_FIRST_CLIENT;
				r->server_over = true;
			}
		}
	}
	else if (type == JJ_TLS_SERVER_HELLO)
	{
		if (jj_server_hello_parse(&h, body, n, false))
		{
			good = jj_tls_side_server_hello(&t->side, &h, a);
			if (r->first == JJ_TLS_FIRST_OPEN)
			{
				r->first = JJ_TLS_FIRST_SERVER;
				r->client_over = true;
			}
		}
	}
	else
		good = jj_tls_side_message(&t->side, type, body, n, a);
	if (r->first == JJ_TLS_FIRST_OPEN)
		r->first = JJ_TLS_FIRST_OTHER;
	return good;
}

/* The header of a message is complete. */
static void
begin_message(jj_tls_run *r, const jj_tls_need *need)
{
	jj_tls_talk *t = r->talk;
	unsigned	type = t->message_head[0];

	t->message_left = (uint32_t) t->message_head[1] << 16 | (uint32_t) t->message_head[2] << 8 | t->message_head[3];
	if (!r->server_over)
		jj_tls_side_header(&t->side, type);
	t->keep = t->message_left <= JJ_MESSAGE_BYTES
		&& ((type == JJ_TLS_CLIENT_HELLO && !r->client_over) || (!r->server_over && jj_tls_side_wants(&t->side, type, need)));
	if (!t->keep && r->first == JJ_TLS_FIRST_OPEN)
		r->first = JJ_TLS_FIRST_OTHER;
}

/* n bytes of handshake records. False without memory. */
static bool
add_messages(jj_tls_run *r, const uint8_t *b, uint32_t n, const jj_tls_need *need, const jj_allocator *a)
{
	jj_tls_talk *t = r->talk;
	bool		good = true;

	while (good && n > 0 && !(r->client_over && r->server_over))
	{
		uint32_t	take;

		if (t->n_message_head < sizeof(t->message_head))
		{
			t->message_head[t->n_message_head++] = *b++;
			n--;
			if (t->n_message_head < sizeof(t->message_head))
				continue;
			begin_message(r, need);
		}
		take = n < t->message_left ? n : t->message_left;
		if (!t->keep)
			;
		else if (t->message.n == 0 && take == t->message_left)
			good = end_message(r, b, take, a);
		else
		{
			good = jj_buffer_add(&t->message, b, take, a);
			if (good && take == t->message_left)
			{
				good = end_message(r, t->message.bytes, t->message.n, a);
				jj_buffer_free(&t->message, a);
			}
		}
		b += take;
		n -= take;
		t->message_left -= take;
		if (t->message_left == 0)
			t->n_message_head = 0;
	}
	if (r->client_over && r->server_over)
		jj_buffer_free(&t->message, a);
	return good;
}

/* Bytes of a record's header; how many were taken. *good is false without memory. */
static uint32_t
add_head(jj_tls_run *r, const uint8_t *b, uint32_t n, uint64_t carrier, const jj_allocator *a, bool *good)
{
	uint32_t	take = (uint32_t) sizeof(r->head) - r->n_head;

	if (take > n)
		take = n;
	memcpy(r->head + r->n_head, b, take);
	r->n_head = (uint8_t) (r->n_head + take);
	if (!jj_tls_may_be_record(r->head, r->n_head))
		r->over = true;
	else if (r->n_head == sizeof(r->head))
		*good = begin_record(r, carrier, a);
	else
		r->pending[r->n_pending++] = carrier;
	return take;
}

/* Bytes of a record, no more than are left of it. False without memory. */
static bool
add_body(jj_tls_run *r, const uint8_t *b, uint32_t n, uint64_t carrier, const jj_tls_need *need, const jj_allocator *a)
{
	unsigned	type = record_type(r);

	if (type == JJ_TLS_HANDSHAKE)
	{
		count_packet(r->talk, carrier);
		if (!(r->client_over && r->server_over))
			return add_messages(r, b, n, need, a);
	}
	else if (type == JJ_TLS_ALERT && record_length(r) == 2)
	{
		r->alert_byte[2 - r->left] = b[0];
		r->alert_byte[1] = b[n - 1];
	}
	return true;
}

bool
jj_tls_run_add(jj_tls_run *r, const uint8_t *b, uint32_t n, uint64_t carrier, uint32_t *order, const jj_tls_need *need, const jj_allocator *a)
{
	while (n > 0 && !r->over)
	{
		uint32_t	take;
		bool		good = true;

		if (r->n_head < sizeof(r->head))
			take = add_head(r, b, n, carrier, a, &good);
		else
		{
			take = n < r->left ? n : r->left;
			good = add_body(r, b, take, carrier, need, a);
			r->left -= take;
		}
		if (!good)
			return false;
		b += take;
		n -= take;
		if (r->n_head == sizeof(r->head) && r->left == 0 && !r->over && !end_record(r, order, need, a))
			return false;
	}
	if (r->n_head == 0 && !r->broken && !r->over)
		r->good = r->records;
	return true;
}

void
jj_tls_run_free(jj_tls_run *r, const jj_allocator *a)
{
	if (r->talk != NULL)
	{
		jj_buffer_free(&r->talk->message, a);
		jj_tls_side_free(&r->talk->side, a);
		jj_release(a, r->talk);
	}
	jj_release(a, r->cells);
	jj_release(a, r->lengths.list);
}
