/*
 * Pseudonyms of addresses, against the sample trace that was published with
 * Crypto-PAn and, for IPv6, another implementation of it (yacryptopan 1.0).
 */
#include "failing.h"
#include "features/cryptopan.h"
#include "tap.h"

#include <arpa/inet.h>

static const uint8_t sample_key[32] = {
	21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
	216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2
};

static const char *const sample[][2] = {
	{"128.11.68.132", "135.242.180.132"},
	{"129.118.74.4", "134.136.186.123"},
	{"130.132.252.244", "133.68.164.234"},
	{"141.223.7.43", "141.167.8.160"},
	{"141.233.145.108", "141.129.237.235"},
	{"152.163.225.39", "151.140.114.167"},
	{"156.29.3.236", "147.225.12.42"},
	{"165.247.96.84", "162.9.99.234"},
	{"166.107.77.190", "160.132.178.185"},
	{"192.102.249.13", "252.138.62.131"},
	{"192.215.32.125", "252.43.47.189"},
	{"192.233.80.103", "252.25.108.8"},
	{"192.41.57.43", "252.222.221.184"},
	{"193.150.244.223", "253.169.52.216"},
	{"195.205.63.100", "255.186.223.5"},
	{"198.200.171.101", "249.199.68.213"},
	{"198.26.132.101", "249.36.123.202"},
	{"198.36.213.5", "249.7.21.132"},
};

static jj_cryptopan *
open_with(const uint8_t key[32])
{
	jj_allocator a = jj_malloc_allocator();
	jj_cryptopan *c;
	jj_error	err;

	ok(jj_cryptopan_open(&c, key, &a, &err) == JJ_OK, "opens");
	return c;
}

static const char *
pseudonym(jj_cryptopan *c, const char *text)
{
	static char result[INET6_ADDRSTRLEN];
	uint8_t		a[16];
	int			family = strchr(text, ':') ? AF_INET6 : AF_INET;

	inet_pton(family, text, a);
	jj_cryptopan_ip(c, a, family == AF_INET ? 4 : 16, a);
	return inet_ntop(family, a, result, sizeof(result));
}

static void
vectors(void)
{
	jj_cryptopan *c = open_with(sample_key);

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < sizeof(sample) / sizeof(sample[0]); i++)
			is_text(pseudonym(c, sample[i][0]), sample[i][1], round == 0 ? "sample trace" : "again, from the cache");
	is_text(pseudonym(c, "2001:db8::1"), "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e", "IPv6");
	is_text(pseudonym(c, "2001:db8::2"), "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c", "its neighbour");
	is_text(pseudonym(c, "fe80::1"), "cf7f:c0e:1fc3:da1c:70:b18e:f7f3:2101", "a link-local address");
	is_text(pseudonym(c, "::"), "78ff:f001:9fc0:20df:8380:b1f1:704:ec", "the unspecified address");
	is_text(pseudonym(c, "0.0.0.0"), "120.255.240.1", "and that of IPv4");
	is_text(pseudonym(c, "255.255.255.255"), "206.120.97.255", "the last address");
	jj_cryptopan_close(c);
}

static uint32_t
next_random(void)
{
	static uint32_t x = 2463534242;

	x ^= x << 13;
	x ^= x >> 17;
	return x ^= x << 5;
}

/* How many bits in front are equal. */
static unsigned
common(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned	i = 0;

	while (i < bits && ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1) == 0)
		i++;
	return i;
}

/* Pairs of addresses that share a random number of bits. */
static void
prefixes(unsigned size, const char *name)
{
	jj_cryptopan *c = open_with(sample_key);
	bool		good = true;
	bool		changed = false;

	for (int n = 0; n < 3000; n++)
	{
		unsigned	shared = next_random() % (size * 8 + 1);
		uint8_t		a[2][16];
		uint8_t		p[2][16];

		for (unsigned i = 0; i < size; i++)
			a[0][i] = (uint8_t) (next_random() >> 11);
		memcpy(a[1], a[0], size);
		if (shared < size * 8)
		{
			a[1][shared / 8] ^= (uint8_t) (0x80 >> shared % 8);
			for (unsigned i = shared / 8 + 1; i < size; i++)
				a[1][i] = (uint8_t) (next_random() >> 7);
		}
		for (int i = 0; i < 2; i++)
			jj_cryptopan_ip(c, a[i], size, p[i]);
		good = good && common(a[0], a[1], size * 8) == shared && common(p[0], p[1], size * 8) == shared;
		changed = changed || memcmp(a[0], p[0], size) != 0;
	}
	ok(good && changed, "%s: pseudonyms share as many bits as addresses, 3000 random pairs", name);
	jj_cryptopan_close(c);
}

static void
hardware(void)
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	jj_cryptopan *c = open_with(sample_key);
	uint8_t		a[6] = {0x00, 0x1b, 0x21, 1, 2, 3};
	uint8_t		b[6] = {0x00, 0x1b, 0x21, 1, 2, 4};
	uint8_t		group[6] = {0x33, 0x33, 0xff, 1, 2, 3};
	/* by a script of its own */
	const uint8_t known[2][6] = {{0x08, 0x00, 0x27, 0xaa, 0xbb, 0xcc}, {0x0c, 0xfb, 0xd8, 0x6a, 0xc3, 0xf4}};
	uint8_t		p[3][6];
	uint8_t		ip[4];
	bool		kept = true;

	jj_cryptopan_mac(c, known[0], p[0]);
	ok(memcmp(p[0], known[1], 6) == 0, "a hardware address");
	jj_cryptopan_mac(c, a, p[0]);
	jj_cryptopan_mac(c, b, p[1]);
	jj_cryptopan_mac(c, group, p[2]);
	jj_cryptopan_ip(c, a, 4, ip);
	is_int(common(p[0], p[1], 48), 45, "hardware addresses of one vendor share their prefix");
	ok(memcmp(p[0], a, 3) != 0, "which is another than the vendor's");
	ok(memcmp(p[0], ip, 4) != 0, "their key is not that of IP addresses");
	ok((p[2][0] & 3) == 3 && memcmp(p[2] + 3, group + 3, 3) != 0, "a group address remains one");
	jj_cryptopan_mac(c, broadcast, p[0]);
	ok(memcmp(p[0], broadcast, 6) == 0, "broadcast stays");
	for (int n = 0; n < 1000; n++)
	{
		for (int i = 0; i < 6; i++)
			a[i] = (uint8_t) (next_random() >> 9);
		jj_cryptopan_mac(c, a, p[0]);
		kept = kept && ((a[0] ^ p[0][0]) & 3) == 0;
	}
	ok(kept, "the bits for group and local addresses stay");
	jj_cryptopan_close(c);
}

static void
keys(void)
{
	const char *digits = "152217" "8d33a4cf80130a5b1649907d10d8988f837979652762574c2d2a842202";
	uint8_t		a[32];
	uint8_t		b[32];

	ok(jj_cryptopan_key(digits, 64, "", 0, a) && memcmp(a, sample_key, 32) == 0, "64 digits are the key itself");
	ok(jj_cryptopan_key(digits, 64, "x", 1, b) && memcmp(a, b, 32) != 0, "but not with a salt");
	ok(jj_cryptopan_key("secret", 6, "", 0, a) && jj_cryptopan_key("secret", 6, "", 0, b) && memcmp(a, b, 32) == 0, "a secret gives the same key again");
	ok(jj_cryptopan_key("Secret", 6, "", 0, b) && memcmp(a, b, 32) != 0, "another secret another");
	ok(jj_cryptopan_key("secret", 6, "a", 1, b) && memcmp(a, b, 32) != 0, "another salt too");
}

static void
mapped(void)
{
	jj_cryptopan *c = open_with(sample_key);
	uint8_t		a[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 128, 11, 68, 132};
	const uint8_t want[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 135, 242, 180, 132};
	uint8_t		b[16];

	jj_cryptopan_mapped(c, a, 6, b);
	ok(memcmp(b, want, 16) != 0, "the mapped address as one of IPv6");
	jj_cryptopan_mapped(c, a, 4, a);
	ok(memcmp(a, want, 16) == 0, "an IPv4 address in 16 bytes, in place");
	jj_cryptopan_close(c);
}

static void
memory(void)
{
	failing		f = {.fail_at = 1};
	jj_allocator a = {failing_alloc, failing_release, &f};
	jj_cryptopan *c;
	jj_error	err;

	ok(jj_cryptopan_open(&c, sample_key, &a, &err) == JJ_ERR_NOMEM && c == NULL && f.live == 0, "without memory");
	jj_cryptopan_close(NULL);
}

int
main(void)
{
	vectors();
	prefixes(4, "IPv4");
	prefixes(16, "IPv6");
	hardware();
	keys();
	mapped();
	memory();
	return done_testing();
}
