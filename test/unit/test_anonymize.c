/*
 * Anonymised rows and texts. The pseudonyms of single addresses are those of
 * test_cryptopan.c.
 */
#include "columns.h"
#include "failing.h"
#include "features/anonymize.h"

#include <arpa/inet.h>

static const uint8_t sample_key[32] = {
	21, 34, 23, 141, 51, 164, 207, 128, 19, 10, 91, 22, 73, 144, 125, 16,
	216, 152, 143, 131, 121, 121, 101, 39, 98, 87, 76, 45, 42, 132, 34, 2
};

static jj_cryptopan *c;

static void
text(const char *from, const char *want, const char *name)
{
	jj_scanned	s = {.allocator = jj_malloc_allocator()};
	bool		found = jj_anonymize_text(c, from, strlen(from), &s);
	char		got[512];

	snprintf(got, sizeof(got), "%.*s", (int) s.used, s.text != NULL ? s.text : "");
	is_text(got, want, name);
	ok(found == (strcmp(from, want) != 0), "and says whether there was an address");
	jj_release(&s.allocator, s.text);
}

static void
texts(void)
{
	text("", "", "empty");
	text("www.example.org", "www.example.org", "a name");
	text("128.11.68.132", "135.242.180.132", "IPv4");
	text("128.11.68.132:8080", "135.242.180.132:8080", "with a port");
	text("128.11.68.132:80:90", "135.242.180.132:80:90", "with more behind it");
	text("a128.11.68.132b", "a135.242.180.132b", "inside of a word");
	text("ip-128-11-68-132.example.org", "ip-135-242-180-132.example.org", "joined by hyphens");
	text("128.11-68.132", "128.11-68.132", "joined by both: none");
	text("1.2.3", "1.2.3", "three numbers");
	text("1.2.3.256", "1.2.3.256", "a number above 255");
	text("1.2.3.1234", "1.2.3.1234", "a number of four digits");
	text("2024-01-02-03", "2024-01-02-03", "a date");
	text("128.11.68.132 and 129.118.74.4.", "135.242.180.132 and 134.136.186.123.", "two, and a dot");
	text("2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e", "IPv6");
	text("2001:DB8:0:0:0:0:0:1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e", "another form of it");
	text("[2001:db8::1]:443", "[4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e]:443", "in brackets with a port");
	text("fe80::1%eth0", "cf7f:c0e:1fc3:da1c:70:b18e:f7f3:2101%eth0", "with a zone");
	text("12:34", "12:34", "one colon");
	text("12:34:56", "12:34:56", "a time of day");
	text(":::", "78ff:f001:9fc0:20df:8380:b1f1:704:ec:", "colons");
	text("CN=128.11.68.132,O=x", "CN=135.242.180.132,O=x", "in a distinguished name");
	text("2.5.4.97=#0c03,CN=x", "2.5.4.97=#0c03,CN=x", "an object identifier");
	text("1 . alpn=h2 ipv4hint=128.11.68.132,129.118.74.4 ipv6hint=fe80::1",
		 "1 . alpn=h2 ipv4hint=135.242.180.132,134.136.186.123 ipv6hint=cf7f:c0e:1fc3:da1c:70:b18e:f7f3:2101", "an SVCB record");
	text("132.68.11.128.in-addr.arpa", "132.180.242.135.in-addr.arpa", "a reverse name");
	text("132.68.11.128.IN-ADDR.arpa.", "132.180.242.135.IN-ADDR.arpa.", "in capitals, with a dot");
	text("11.128.in-addr.arpa", "242.135.in-addr.arpa", "of a network");
	text("b._dns-sd._udp.0.68.11.128.in-addr.arpa", "b._dns-sd._udp.1.180.242.135.in-addr.arpa", "with a service in front");
	text("0/25.68.11.128.in-addr.arpa", "0/25.180.242.135.in-addr.arpa", "of a delegated part (RFC 2317)");
	text("5.132.68.11.128.in-addr.arpa", "5.132.180.242.135.in-addr.arpa", "with a fifth number");
	text("in-addr.arpa", "in-addr.arpa", "the zone");
	text("x.in-addr.arpa", "x.in-addr.arpa", "a name in it");
	text("8.b.d.0.1.0.0.2.ip6.arpa", "c.b.2.0.1.0.4.4.ip6.arpa", "a network of IPv6");
	text("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
		 "e.1.c.d.1.f.6.e.e.8.f.f.f.7.2.0.d.1.9.d.f.3.0.6.c.b.2.0.1.0.4.4.ip6.arpa", "an address of IPv6");
}

static void
hardware(void)
{
	uint8_t		mac[6] = {0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	char		want[64];

	jj_cryptopan_mac(c, mac, mac);
	snprintf(want, sizeof(want), "%02x:%02x:%02x:%02x:%02x:%02x\\@x.local", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	text("aa:bb:cc:dd:ee:ff\\@x.local", want, "a hardware address in the name of a service");
	text("aa:bb:cc:dd:ee:f", "aa:bb:cc:dd:ee:f", "one with a digit missing");
}

/* No text may be changed beyond its end or lost: random ones of few characters. */
static void
garbage(void)
{
	static const char some[] = "0123456789abf.:-=/%x";
	uint32_t	x = 88172645;
	bool		good = true;

	for (int n = 0; n < 20000; n++)
	{
		jj_scanned	s = {.allocator = jj_malloc_allocator()};
		char		t[80];
		size_t		size;
		char	   *own;

		x = x * 1664525 + 1013904223;
		size = x >> 8 & 63;
		for (size_t i = 0; i < size; i++)
		{
			x = x * 1664525 + 1013904223;
			t[i] = some[(x >> 10) % (sizeof(some) - 1)];
		}
		if (x & 4096)
			size += (size_t) sprintf(t + size, x & 8192 ? ".ip6.arpa" : ".in-addr.arpa");
		own = malloc(size + 1);
		memcpy(own, t, size);
		if (!jj_anonymize_text(c, own, size, &s))
			good = good && s.used == size && (size == 0 || memcmp(s.text, t, size) == 0);
		free(own);
		jj_release(&s.allocator, s.text);
	}
	ok(good, "random texts without an address come out as they were");
}

/* Every column that could hold an address by its type is decided upon. */
static void
columns(void)
{
	static const jj_feature harmless[] = {
		JJ_F_end_reason, JJ_F_dst_port_class, JJ_F_hdr_desc, JJ_F_tunnel, JJ_F_tls_version_str, JJ_F_tls_alpn, JJ_F_ja3_hash, JJ_F_ja3s_hash,
		JJ_F_tls_key_exchange_group_name, JJ_F_tls_transport, JJ_F_tls_client_alpn, JJ_F_tls_server_alpn, JJ_F_ja3_raw, JJ_F_ja4, JJ_F_ja4_raw,
		JJ_F_tls_cert_key, JJ_F_quic_version_str, JJ_F_quic_alpn, JJ_F_http_version, JJ_F_http_method, JJ_F_ssh_client_version,
		JJ_F_ssh_server_version, JJ_F_ssh_hassh, JJ_F_ssh_hassh_server, JJ_F_ssh_client_kexinit, JJ_F_ssh_server_kexinit, JJ_F_ssh_negotiated,
		JJ_F_dns_query_type_str, JJ_F_dns_response_code_str, JJ_F_vpn_type, JJ_F_app_protocol,
		JJ_F_tcp_fp_fwd, JJ_F_tcp_fp_bwd, JJ_F_tcp_os_hint_fwd, JJ_F_tcp_os_hint_bwd
	};
	jj_feature_set changed;

	jj_anonymize_features(&changed);
	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const int	type = jj_feature_table[f].type;
		const char *remark;
		jj_treatment t = jj_treatment_of((jj_feature) f, &remark);
		bool		listed = false;

		for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
			listed = listed || harmless[i] == f;
		if (type == JJ_TEXT || type == JJ_TEXT_ARRAY || type == JJ_BYTEA || type == JJ_JSONB)
			ok(listed != (t != JJ_UNTOUCHED) && (t == JJ_UNTOUCHED) == (remark == NULL), "%s is decided upon: %s", jj_feature_table[f].name, jj_treatment_name[t]);
		if (type == JJ_INET || type == JJ_INET_ARRAY || type == JJ_MACADDR)
			ok(t == JJ_PSEUDONYM, "%s becomes a pseudonym", jj_feature_table[f].name);
		if (jj_set_has(&changed, f) != (t == JJ_PSEUDONYM || t == JJ_SCANNED))
			ok(false, "%s is changed or not", jj_feature_table[f].name);
	}
}

static void
options(void)
{
	/* ADD_ADDR of version 0 and 1, with and without port and HMAC, behind a NOP */
	uint8_t		v0[] = {1, 30, 8, 0x34, 7, 128, 11, 68, 132};
	uint8_t		v1[22] = {30, 18, 0x30, 7, 128, 11, 68, 132, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 0};
	uint8_t		v6[30] = {30, 28, 0x30, 7, 0x20, 0x01, 0x0d, 0xb8};
	uint8_t		other[] = {30, 8, 0x40, 7, 128, 11, 68, 132};
	const uint8_t want[] = {135, 242, 180, 132};
	uint8_t		before[sizeof(other)];

	v6[19] = 1;
	jj_anonymize_tcp_options(c, v0, sizeof(v0));
	ok(memcmp(v0 + 5, want, 4) == 0, "ADD_ADDR of version 0");
	jj_anonymize_tcp_options(c, v1, sizeof(v1));
	ok(memcmp(v1 + 4, want, 4) == 0 && v1[9] == 80, "of version 1 with port and HMAC");
	jj_anonymize_tcp_options(c, v6, sizeof(v6));
	ok(v6[4] == 0x44 && v6[19] == 0x1e, "of IPv6");
	memcpy(before, other, sizeof(other));
	jj_anonymize_tcp_options(c, other, sizeof(other));
	ok(memcmp(before, other, sizeof(other)) == 0, "another option");
	memcpy(v0 + 5, "\x80\x0b\x44\x84", 4);
	jj_anonymize_tcp_options(c, v0, 7);
	ok(v0[5] == 0 && v0[6] == 0, "what was captured of a cut one is made zero");
}

static void
preferred(void)
{
	uint8_t		b[41] = {128, 11, 68, 132, 1, 187};
	const uint8_t want[] = {135, 242, 180, 132, 1, 187, 0, 0, 0, 0};

	ok(!jj_anonymize_preferred(c, b, 23), "a preferred_address that is too short");
	ok(jj_anonymize_preferred(c, b, sizeof(b)) && memcmp(b, want, sizeof(want)) == 0, "one without IPv6");
}

/* The pseudonym of an address of traffic.h. */
static bool
is_pseudonym(jj_feature f, const uint8_t address[4])
{
	uint8_t		want[4];

	jj_cryptopan_ip(c, address, 4, want);
	return n_rows > 0 && jj_set_has(&present, f) && value[f].bytes.size == 4 && memcmp(arena + value[f].bytes.offset, want, 4) == 0;
}

static void
flows(void)
{
	char		plain[31];

	start();
	whole();
	jj_options_default(&o);
	rows();
	snprintf(plain, sizeof(plain), "%.30s", (const char *) arena + value[JJ_F_community_id].bytes.offset);
	o.anonymize = true;
	rows();
	is_int(n_rows, 0, "without a key there is no row");
	memcpy(o.anonymization_key, sample_key, sizeof(sample_key));
	rows();
	ok(is_pseudonym(JJ_F_src_ip, host[1]) && is_pseudonym(JJ_F_dst_ip, host[2]), "addresses of a flow");
	ok(jj_set_has(&present, JJ_F_community_id) && memcmp(plain, arena + value[JJ_F_community_id].bytes.offset, 30) != 0, "another Community ID");
	is_int(value[JJ_F_total_packets].i, 7, "the flow itself is the same");
}

/* A failure of each allocation is noticed, and nothing is kept. */
static void
memory(void)
{
	bool		good = true;
	bool		done = false;

	for (uint64_t n = 1; !done && n < 5000; n++)
	{
		failing		f = {.fail_at = n};
		jj_allocator a = {failing_alloc, failing_release, &f};
		jj_error	err;
		jj_code		code = run_with(&o, NULL, &a, JJ_BATCH, keep, &err);

		done = code == JJ_OK;
		good = good && (code == JJ_OK || code == JJ_ERR_NOMEM) && f.live == 0;
	}
	ok(good && done, "each allocation may fail");
}

int
main(void)
{
	jj_allocator a = jj_malloc_allocator();
	jj_error	err;

	if (!ok(jj_cryptopan_open(&c, sample_key, &a, &err) == JJ_OK, "opens"))
		return done_testing();
	texts();
	hardware();
	garbage();
	columns();
	options();
	preferred();
	flows();
	memory();
	jj_cryptopan_close(c);
	return done_testing();
}
