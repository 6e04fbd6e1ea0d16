/*
 * The base of the application protocols: whatever groups are wanted together,
 * and however a flow is followed, each group's columns are the same.
 *
 * Connections at random, of several protocols, with segments lost, late, twice,
 * cut and overlapping, several SYNs, sequence numbers that wrap.
 */
#include "hello_bytes.h"
#include "payload.h"

#include "extractors/app.h"

#define PSH JJ_TCP_PSH
#define ROUNDS 600

static uint64_t rng;

static uint32_t
roll(uint32_t below)
{
	rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (rng >> 33) % below;
}

/* ---- what the sides say */

static message said[2];

static void
say_text(int d, const char *text)
{
	put_bytes(&said[d], text, strlen(text));
}

static void
say_record(int d, unsigned type, const message *body)
{
	put_number(&said[d], type, 1);
	put_number(&said[d], 0x303, 2);
	put_number(&said[d], (unsigned) body->n, 2);
	put_bytes(&said[d], body->b, body->n);
}

static void
say_noise(int d, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		put_number(&said[d], roll(256), 1);
}

static void
say_hello(int d)
{
	static message m;
	static message h;
	size_t		at;

	if (d == 0)
		client_hello(&m, 0x303, "", NULL, "1301 c02f");
	else
		server_hello(&m, 0x303, 0xc02f, false);
	at = extensions(&m);
	if (d == 0)
		name_extension(&m, "host.example");
	else
		extension(&m, 0xff01, "00");
	end_extensions(&m, at);
	h.n = 0;
	put_number(&h, d == 0 ? 1 : 2, 1);
	put_number(&h, (unsigned) m.n, 3);
	put_bytes(&h, m.b, m.n);
	say_record(d, 22, &h);
}

static void
say_data(int d)
{
	static message m;

	m.n = 0;
	for (uint32_t n = roll(300); n > 0; n--)
		put_number(&m, roll(256), 1);
	say_record(d, 23, &m);
}

static void
say_dns(int d)
{
	put_number(&said[d], 29, 2);
	put_hex(&said[d], d == 0 ? "1234 0100 0001 0000 0000 0000" : "1234 8180 0001 0000 0000 0000");
	put_hex(&said[d], "07 6578616d706c65 03 636f6d 00 0001 0001");
}

static void
make_streams(void)
{
	said[0].n = said[1].n = 0;
	switch (roll(8))
	{
		case 0:
			say_text(0, "EHLO x\r\nSTARTTLS\r\n");
			say_text(1, "220 mail ESMTP\r\n250 STARTTLS\r\n220 go\r\n");
			/* fall through */
		case 1:
			say_hello(0);
			say_hello(1);
			/* fall through */
		case 2:
			for (int i = 0; i < 6; i++)
				say_data((int) roll(2));
			break;
		case 3:
			say_text(0, "GET / HTTP/1.1\r\nHost: host.example\r\nUser-Agent: test\r\n\r\n");
			say_text(1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
			break;
		case 4:
			say_text(0, "SSH-2.0-OpenSSH_9.6\r\n");
			say_text(1, "SSH-2.0-dropbear_2022.83\r\n");
			break;
		case 5:
			say_dns(0);
			say_dns(1);
			break;
		case 6:
			say_text(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
			put_hex(&said[0], "000000 04 00 00000000");
			put_hex(&said[1], "000000 04 00 00000000 000000 04 01 00000000");
			break;
		default:
			break;
	}
	for (int d = 0; d < 2; d++)
		say_noise(d, roll(3) == 0 ? 0 : roll(400));
}

/* ---- how it comes */

static uint32_t first[2];

static void
one_segment(int d, unsigned flags, uint32_t at, uint32_t n)
{
	uint8_t		head[20] = {0};
	uint32_t	cut = roll(40) == 0 ? roll(n + 1) : 0;

	put16(head, port[1 + d]);
	put16(head + 2, port[2 - d]);
	put32(head + 4, first[d] + at);
	put32(head + 8, roll(2) == 0 ? first[1 - d] : roll(1000));
	head[12] = 0x50;
	head[13] = (uint8_t) flags;
	packet(1 + d, 6, head, 20, said[d].b + at, n, n - cut, 0);
}

static void
make_frames(void)
{
	uint32_t	at[2] = {0, 0};

	between(40000, roll(2) == 0 ? 443 : 53);
	for (int d = 0; d < 2; d++)
	{
		first[d] = roll(2) == 0 ? roll(UINT32_MAX) : UINT32_MAX - roll(300);
		for (uint32_t i = roll(4), right = i == 0 || roll(5) == 0 ? 0 : 1 + roll(i); i > 0; i--)
		{
			/* one of them fits the stream */
			uint32_t	off = i == right ? UINT32_MAX : roll(3) * 50;

			first[d] += off;
			one_segment(d, S | (d == 1 ? A : 0), 0, 0);
			first[d] -= off;
		}
	}
	while (n_frames < 300 && (at[0] < said[0].n || at[1] < said[1].n))
	{
		int			d = at[0] == said[0].n || (at[1] < said[1].n && roll(2) == 0);
		uint32_t	left = (uint32_t) said[d].n - at[d];
		uint32_t	n = roll(3) == 0 ? 1 + roll(8) : 1 + roll(300);
		uint32_t	ahead = roll(12) == 0 ? roll(left) : 0;

		n = n < left - ahead ? n : left - ahead;
		if (roll(30) == 0)
		{
			at[d] += n;
			continue;
		}
		one_segment(d, roll(4) == 0 ? A : A | PSH, at[d] + ahead, n);
		if (roll(10) == 0 && at[d] > 0)
			one_segment(d, A | PSH, at[d] - 1 - roll(at[d] < 100 ? at[d] : 100), n);
		if (roll(60) == 0)
			one_segment(d, A | R, at[d], n);
		if (ahead == 0)
			at[d] += n;
	}
}

/* ---- rows */

typedef struct outcome
{
	jj_feature_set present;
	jj_value	value[JJ_FEATURES];
	uint8_t		arena[sizeof(arena)];
	unsigned	n_rows;
} outcome;

static void
run_groups(const char *const *groups, outcome *x)
{
	o = defaults();
	memset(&o.features, 0, sizeof(o.features));
	for (; *groups != NULL; groups++)
		jj_set_add_name(&o.features, *groups);
	rows();
	x->present = present;
	memcpy(x->value, value, sizeof(value));
	memcpy(x->arena, arena, sizeof(arena));
	x->n_rows = n_rows;
}

static const char *
differ(const outcome *a, const outcome *b, const char *group)
{
	if (a->n_rows != b->n_rows)
		return "number of rows";
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const jj_value *x = &a->value[f];
		const jj_value *y = &b->value[f];

		if (strcmp(jj_group_name[jj_feature_table[f].group], group) != 0)
			continue;
		if (jj_set_has(&a->present, f) != jj_set_has(&b->present, f))
			return jj_feature_table[f].name;
		if (!jj_set_has(&a->present, f))
			continue;
		if (jj_feature_table[f].type == JJ_FLOAT8 ? x->d != y->d
			: jj_feature_table[f].type < JJ_FLOAT8 || jj_feature_table[f].type == JJ_TIMESTAMPTZ ? x->i != y->i
			: x->bytes.size != y->bytes.size || memcmp(a->arena + x->bytes.offset, b->arena + y->bytes.offset, x->bytes.size) != 0)
			return jj_feature_table[f].name;
	}
	return NULL;
}

int
main(void)
{
	static const char *const all[] = {"tls", "quic", "ssh", "dns", "http2", "fingerprint", NULL};
	static const char *const some[][4] = {
		{"tls", NULL}, {"ssh", NULL}, {"dns", NULL}, {"http2", NULL}, {"fingerprint", NULL}, {"tls", "ssh", "dns", NULL}, {"ssh", "http2", NULL},
	};
	static outcome whole;
	static outcome part;
	static unsigned seen[JJ_GROUPS];
	unsigned	bad = 0;

	for (unsigned seed = 1; seed <= ROUNDS; seed++)
	{
		rng = seed;
		make_streams();
		make_frames();
		run_groups(all, &whole);
		seen[JJ_G_tls] += whole.n_rows == 1 && jj_set_has(&whole.present, JJ_F_tls_transport);
		seen[JJ_G_ssh] += whole.n_rows == 1 && jj_set_has(&whole.present, JJ_F_ssh_version);
		seen[JJ_G_dns] += whole.n_rows == 1 && jj_set_has(&whole.present, JJ_F_dns_query_name);
		seen[JJ_G_http2] += whole.n_rows == 1 && jj_set_has(&whole.present, JJ_F_http_version);
		for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		{
			run_groups(some[i], &part);
			for (const char *const *group = some[i]; *group != NULL; group++)
			{
				const char *wrong = differ(&whole, &part, *group);

				if (wrong != NULL && bad++ < 10)
					printf("# seed %u, group %s of %u together: %s\n", seed, *group, (unsigned) i, wrong);
			}
		}
	}
	is_int(bad, 0, "each group alone gives what it gives among all");
	ok(seen[JJ_G_tls] > 50 && seen[JJ_G_ssh] > 15 && seen[JJ_G_dns] > 10 && seen[JJ_G_http2] > 15, "connections: %u of TLS, %u of SSH, %u of DNS, %u of HTTP",
	   seen[JJ_G_tls], seen[JJ_G_ssh], seen[JJ_G_dns], seen[JJ_G_http2]);
	return done_testing();
}
