/*
 * Reading DNS messages.
 */
#include "extractors/dns_message.h"

typedef enum reading
{
	GOOD,
	BAD,						/* no DNS message says this */
	CUT							/* the bytes end before */
} reading;

static inline uint16_t
get16(const uint8_t *b)
{
	return (uint16_t) (b[0] << 8 | b[1]);
}

static inline uint32_t
get32(const uint8_t *b)
{
	return (uint32_t) get16(b) << 16 | get16(b + 2);
}

/*
 * Walk over the name at o: *end is behind it; its labels go to out, if not
 * NULL, and their size to *size. A pointer leads to an earlier byte, not into
 * the header (RFC 1035 4.1.4).
 */
static reading
walk_name(const uint8_t *b, uint32_t n, uint32_t o, uint32_t *end, uint8_t *out, uint32_t *size)
{
	uint32_t	used = 0;
	unsigned	jumps = 0;

	for (;;)
	{
		uint32_t	length;

		if (o >= n)
			return CUT;
		length = b[o];
		if (length >= 0xc0)
		{
			uint32_t	to;

			if (n - o < 2)
				return CUT;
			to = get16(b + o) & 0x3fff;
			if (jumps == 0)
				*end = o + 2;
			if (to >= o || to < JJ_DNS_HEADER || ++jumps > JJ_DNS_JUMPS)
				return BAD;
			o = to;
			continue;
		}
		if (length > 63)
			return BAD;
		if (length == 0)
			break;
		if (n - o - 1 < length)
			return CUT;
		if (used + 1 + length > JJ_DNS_NAME_BYTES)
			return BAD;
		if (out != NULL)
			memcpy(out + used, b + o, 1 + length);
		used += 1 + length;
		o += 1 + length;
	}
	if (jumps == 0)
		*end = o + 1;
	if (size != NULL)
		*size = used;
	return GOOD;
}

/* Move *o behind the name there. Most names of records are those of the first question, which was walked before. */
static inline reading
skip_name(const jj_dns_message *m, uint32_t *o)
{
	const uint8_t *b = m->bytes;

	if (m->size - *o >= 2 && b[*o] == 0xc0 && b[*o + 1] == JJ_DNS_HEADER && *o > JJ_DNS_HEADER && m->count[JJ_DNS_QUESTIONS] > 0)
	{
		*o += 2;
		return GOOD;
	}
	return walk_name(b, m->size, *o, o, NULL, NULL);
}

static reading
read_questions(jj_dns_message *m, uint32_t *o)
{
	for (unsigned i = 0; i < m->count[JJ_DNS_QUESTIONS]; i++)
	{
		reading		r = i == 0 ? walk_name(m->bytes, m->size, *o, o, NULL, NULL) : skip_name(m, o);

		if (r != GOOD)
			return r;
		if (m->size - *o < 4)
			return CUT;
		if (i == 0)
		{
			m->qtype = get16(m->bytes + *o);
			m->qclass = get16(m->bytes + *o + 2);
		}
		*o += 4;
	}
	return GOOD;
}

static void
note_ttl(jj_dns_message *m, uint32_t ttl)
{
	ttl = ttl & UINT32_C(0x80000000) ? 0 : ttl;
	if (m->n_answers == 0 || ttl < m->min_ttl)
		m->min_ttl = ttl;
	if (m->n_answers == 0 || ttl > m->max_ttl)
		m->max_ttl = ttl;
	m->n_answers++;
}

static reading
read_section(jj_dns_message *m, unsigned section, uint32_t *o)
{
	for (unsigned i = 0; i < m->count[section]; i++)
	{
		reading		r = skip_name(m, o);
		const uint8_t *fixed = m->bytes + *o;

		if (r != GOOD)
			return r;
		if (m->size - *o < 10 || m->size - *o - 10 < get16(fixed + 8))
			return CUT;
		if (section == JJ_DNS_ANSWERS)
			note_ttl(m, get32(fixed + 4));
		else if (section == JJ_DNS_ADDITIONALS && get16(fixed) == JJ_DNS_OPT && m->n_opt++ == 0)
		{
			m->opt_class = get16(fixed + 2);
			m->opt_ttl = get32(fixed + 4);
		}
		*o += 10 + (uint32_t) get16(fixed + 8);
	}
	return GOOD;
}

bool
jj_dns_parse(jj_dns_message *m, const uint8_t *bytes, uint32_t n, bool cut)
{
	uint32_t	o = JJ_DNS_HEADER;
	unsigned	opcode;

	memset(m, 0, sizeof(*m));
	if (n < JJ_DNS_HEADER)
		return false;
	m->bytes = bytes;
	m->size = n;
	m->id = get16(bytes);
	m->flags = get16(bytes + 2);
	for (unsigned i = 0; i < 4; i++)
		m->count[i] = get16(bytes + 4 + 2 * i);
	opcode = m->flags >> 11 & 15;
	if (opcode == 3 || opcode > 6)	/* RFC 6895 2.2, RFC 8490 */
		return false;
	if (read_questions(m, &o) != GOOD)
		return false;
	m->answers = o;
	m->answers_whole = true;
	for (unsigned s = JJ_DNS_ANSWERS; s <= JJ_DNS_ADDITIONALS; s++)
	{
		reading		r = read_section(m, s, &o);

		if (r == BAD || (r == CUT && !cut && !(m->flags & JJ_DNS_TC)))
			return false;
		if (r == CUT)
		{
			m->cut = cut;
			m->answers_whole = s > JJ_DNS_ANSWERS;
			break;
		}
	}
	return true;
}

void
jj_dns_next_question(const jj_dns_message *m, uint32_t *offset, jj_dns_question *q)
{
	q->name_size = 0;
	(void) walk_name(m->bytes, m->size, *offset, offset, q->name, &q->name_size);
	q->type = get16(m->bytes + *offset);
	q->class = get16(m->bytes + *offset + 2);
	*offset += 4;
}

void
jj_dns_next_answer(const jj_dns_message *m, uint32_t *offset, jj_dns_record *r)
{
	r->name = *offset;
	(void) skip_name(m, offset);
	r->type = get16(m->bytes + *offset);
	r->size = get16(m->bytes + *offset + 8);
	r->data = m->bytes + *offset + 10;
	*offset += 10 + (uint32_t) r->size;
}

uint32_t
jj_dns_name(const jj_dns_message *m, uint32_t offset, uint8_t out[JJ_DNS_NAME_BYTES])
{
	uint32_t	end;
	uint32_t	size = 0;

	(void) walk_name(m->bytes, m->size, offset, &end, out, &size);
	return size;
}

bool
jj_dns_is_name(const jj_dns_message *m, uint32_t offset, const uint8_t *name, uint32_t size)
{
	uint8_t		labels[JJ_DNS_NAME_BYTES];

	/* most names that are the same are so in every byte and not compressed; a name ends where its labels do */
	if (m->size - offset > size && memcmp(m->bytes + offset, name, size) == 0 && m->bytes[offset + size] == 0)
		return true;
	if (jj_dns_name(m, offset, labels) != size)
		return false;
	/* lengths of labels are below the letters, so that the bytes can be taken as one string */
	for (uint32_t i = 0; i < size; i++)
	{
		uint8_t		x = labels[i];
		uint8_t		y = name[i];

		x |= x >= 'A' && x <= 'Z' ? 0x20 : 0;
		y |= y >= 'A' && y <= 'Z' ? 0x20 : 0;
		if (x != y)
			return false;
	}
	return true;
}
