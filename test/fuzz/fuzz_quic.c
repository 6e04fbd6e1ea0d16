/*
 * Fuzz target: the datagrams of one flow, through the parser of QUIC and its
 * columns.
 *
 * Input: parts, each a byte that says what it is, a length (2 bytes, big endian)
 * and so many bytes. Low three bits: 0 = raw bytes, 1 = an Initial around these
 * frames, 2 = the same by the server's key, 3 = a Retry of that version, 4 = the
 * bytes as a CRYPTO frame at the offset that their first two bytes give, in an
 * Initial, 5 = the same by the server's key. Next two bits: version. Bit 0x20:
 * the datagram ends behind the part. Bit 0x40: its last 16 bytes are not
 * captured. Bit 0x80: it is from the responder.
 */
#include "../unit/quic_bytes.h"

#include <stdio.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
		{ \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #x); \
			abort(); \
		} \
	} while (0)

#define MAX_PART 4000

static const cid first = {8, {1, 2, 3, 4, 5, 6, 7, 8}};
static const cid client = {3, {9, 8, 7}};
static const cid server = {4, {4, 5, 6, 7}};

static void
put_part(message *d, unsigned what, const uint8_t *b, size_t n)
{
	static const uint32_t versions[] = {1, JJ_QUIC_V2, 0xff00001b, JJ_QUIC_Q050};
	initial		p = {.version = versions[what >> 3 & 3], .key = first, .dcid = first, .scid = client, .number = 1, .number_len = 2};
	message		frames = {.n = 0};

	switch (what & 7)
	{
		case 1:
		case 2:
			put_bytes(&frames, b, n);
			break;
		case 3:
			put_retry(d, p.version, client, server, first);
			return;
		case 4:
		case 5:
			if (n < 2)
				return;
			put_number(&frames, p.version == JJ_QUIC_Q050 ? 8 : 6, 1);
			put_varint(&frames, (unsigned) b[0] << 8 | b[1]);
			put_varint(&frames, n - 2);
			put_bytes(&frames, b + 2, n - 2);
			break;
		default:
			put_bytes(d, b, n);
			return;
	}
	p.server = (what & 7) == 2 || (what & 7) == 5;
	if (p.server)
	{
		p.dcid = client;
		p.scid = server;
	}
	while (frames.n < 4)
		put_number(&frames, 0, 1);
	put_initial(d, &p, &frames);
}

/* Whether b is a JSON object as quic_transport_params gives it: strings, numbers and true, no key twice. */
static bool
is_object(const char *b, uint32_t n)
{
	const char *end = b + n;
	bool		quoted = false;
	int			colons = 0;
	int			commas = 0;

	if (n < 2 || *b != '{' || end[-1] != '}')
		return false;
	for (b++; b < end - 1; b++)
	{
		if (*b < 0x20 || *b > 0x7e)
			return false;
		if (quoted && *b == '\\')
			b++;
		else if (*b == '"')
			quoted = !quoted;
		else if (!quoted)
		{
			colons += *b == ':';
			commas += *b == ',';
			if (strchr(":,0123456789true", *b) == NULL)
				return false;
		}
	}
	return !quoted && (n == 2 || colons == commas + 1);
}

static void
check_columns(void)
{
	jj_feature_set all;
	jj_row		row;
	const jj_quic *q = quic_now();

	jj_set_all(&all);
	jj_row_init(&row, &all, &quic_work.allocator);
	CHECK(jj_extract_quic.emit(&quic_flow, quic_state, NULL, &quic_work, &row) && !row.failed);
	if (q != NULL)
	{
		CHECK(q->ch.body == NULL || q->decrypted);
		CHECK(!q->decrypted || q->initial_packets > 0);
		CHECK(q->handshake_datagrams <= quic_index);
		CHECK((q->opener == NULL) >= q->opened);
	}
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		uint32_t	size;
		const char *b;

		if (!jj_row_has(&row, f))
			continue;
		CHECK(jj_feature_table[f].group == JJ_G_quic);
		switch (jj_feature_table[f].type)
		{
			case JJ_TEXT:
				b = (const char *) jj_row_bytes(&row, f, &size);
				for (uint32_t i = 0; i < size; i++)
					CHECK(b[i] >= ' ' && b[i] < 127);
				break;
			case JJ_JSONB:
				b = (const char *) jj_row_bytes(&row, f, &size);
				CHECK(is_object(b, size));
				break;
			case JJ_BYTEA:
				jj_row_bytes(&row, f, &size);
				CHECK(size <= JJ_QUIC_CID);
				break;
			default:
				CHECK(row.value[f].i >= 0);
		}
	}
	jj_row_free(&row);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static message d;
	jj_allocator a = jj_malloc_allocator();

	if (quic_work.crypto == NULL)
		quic_open(&a);
	quic_index = 0;
	d.n = 0;
	while (size >= 3)
	{
		unsigned	what = data[0];
		size_t		n = (size_t) data[1] << 8 | data[2];

		n = n > MAX_PART ? MAX_PART : n;
		n = n > size - 3 ? size - 3 : n;
		if (d.n + n + 100 > sizeof(d.b))
			break;
		put_part(&d, what, data + 3, n);
		data += 3 + n;
		size -= 3 + n;
		if (!(what & 0x20) && size >= 3)
			continue;
		if (d.n > 0)
			CHECK(quic_cut(what >> 7, d.b, (what & 0x40) && d.n > 16 ? d.n - 16 : d.n, d.n));
		d.n = 0;
	}
	check_columns();
	quic_restart();
	CHECK(quic_hold.bytes == 0);
	return 0;
}
