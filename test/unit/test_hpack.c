/*
 * HPACK, on the examples of RFC 7541 appendix C and on blocks that are wrong.
 */
#include "extractors/hpack.h"
#include "failing.h"
#include "tap.h"

#include <string.h>

#define BYTES 4096

static jj_hpack hpack;
static jj_hpack_fields fields;
static jj_allocator a;
static failing memory;

/* Bytes of hexadecimal text, blanks ignored. */
static uint32_t
from_hex(const char *hex, uint8_t *out)
{
	uint32_t	n = 0;

	for (; *hex != '\0'; hex++)
	{
		char		pair[3];

		if (*hex == ' ')
			continue;
		pair[0] = *hex++;
		pair[1] = *hex;
		pair[2] = '\0';
		out[n++] = (uint8_t) strtoul(pair, NULL, 16);
	}
	return n;
}

static void
fresh(void)
{
	jj_hpack_free(&hpack, &a);
	memset(&hpack, 0, sizeof(hpack));
	hpack.table_max = JJ_HPACK_TABLE;
}

static uint32_t piece = UINT32_MAX;	/* blocks are decoded in pieces of so many bytes */

/* A whole block. */
static jj_hpack_result
decode_bytes(const uint8_t *bytes, uint32_t n)
{
	jj_hpack_result r = JJ_HPACK_OK;

	jj_hpack_fields_free(&fields, &a);
	while (n > 0 && r == JJ_HPACK_OK)
	{
		uint32_t	take = n < piece ? n : piece;
		uint8_t    *exact = malloc(take);	/* so that AddressSanitizer sees the end */

		memcpy(exact, bytes, take);
		r = jj_hpack_decode(&hpack, exact, take, &fields, &a);
		free(exact);
		bytes += take;
		n -= take;
	}
	return r == JJ_HPACK_OK && !jj_hpack_complete(&hpack) ? JJ_HPACK_BAD : r;
}

static jj_hpack_result
decode(const char *hex)
{
	uint8_t		bytes[BYTES];

	return decode_bytes(bytes, from_hex(hex, bytes));
}

/* Is the value kept of a name this one? NULL: there is none. */
static bool
is(jj_hpack_name name, const char *want)
{
	uint32_t	n = fields.of[name].value.n;

	if (want == NULL || !fields.of[name].has)
		return want == NULL && !fields.of[name].has;
	return n == strlen(want) && memcmp(n > 0 ? fields.of[name].value.bytes : (const uint8_t *) "", want, n) == 0;
}

static bool
table_is(uint32_t entries, uint32_t size)
{
	if (hpack.n == entries && hpack.table_size == size)
		return true;
	printf("# %u entries of %u\n", hpack.n, hpack.table_size);
	return false;
}

/* Decode a user-agent in Huffman code. */
static jj_hpack_result
decode_huffman(const char *hex)
{
	uint8_t		block[BYTES] = {0x0f, 0x2b};
	uint32_t	n = from_hex(hex, block + 3);

	block[2] = (uint8_t) (0x80 | n);
	fresh();
	return decode_bytes(block, 3 + n);
}

static bool
huffman_is(const char *hex, const char *want)
{
	return decode_huffman(hex) == JJ_HPACK_OK && is(JJ_HPACK_USER_AGENT, want);
}

static bool
huffman_fails(const char *hex)
{
	return decode_huffman(hex) == JJ_HPACK_BAD;
}

static void
examples(void)
{
	/* C.2: representations alone */
	fresh();
	ok(decode("400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572") == JJ_HPACK_OK && table_is(1, 55), "C.2.1");
	fresh();
	ok(decode("040c 2f73 616d 706c 652f 7061 7468") == JJ_HPACK_OK && table_is(0, 0), "C.2.2");
	ok(decode("1008 7061 7373 776f 7264 0673 6563 7265 74") == JJ_HPACK_OK && table_is(0, 0), "C.2.3");
	ok(decode("82") == JJ_HPACK_OK && is(JJ_HPACK_METHOD, "GET") && table_is(0, 0), "C.2.4");

	/* C.3 and C.4: three requests without and with Huffman code */
	for (int huffman = 0; huffman < 2; huffman++)
	{
		fresh();
		ok(decode(huffman ? "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff" : "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d") == JJ_HPACK_OK
		   && is(JJ_HPACK_METHOD, "GET") && is(JJ_HPACK_AUTHORITY, "www.example.com") && table_is(1, 57), "C.%d.1", 3 + huffman);
		ok(decode(huffman ? "8286 84be 5886 a8eb 1064 9cbf" : "8286 84be 5808 6e6f 2d63 6163 6865") == JJ_HPACK_OK
		   && is(JJ_HPACK_METHOD, "GET") && is(JJ_HPACK_AUTHORITY, "www.example.com") && table_is(2, 110), "C.%d.2", 3 + huffman);
		ok(decode(huffman ? "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf"
				  : "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65") == JJ_HPACK_OK
		   && is(JJ_HPACK_AUTHORITY, "www.example.com") && table_is(3, 164), "C.%d.3", 3 + huffman);
	}

	/* C.5 and C.6: three responses in a table of 256, whose entries are evicted */
	for (int huffman = 0; huffman < 2; huffman++)
	{
		fresh();
		hpack.table_max = 256;
		ok(decode(huffman ? "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7"
				  " 8f0b 97c8 e9ae 82ae 43d3"
				  : "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d"
				  " 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d") == JJ_HPACK_OK
		   && is(JJ_HPACK_STATUS, "302") && table_is(4, 222), "C.%d.1", 5 + huffman);
		ok(decode(huffman ? "4883 640e ffc1 c0bf" : "4803 3330 37c1 c0bf") == JJ_HPACK_OK && is(JJ_HPACK_STATUS, "307") && table_is(4, 222),
		   "C.%d.2", 5 + huffman);
		ok(decode(huffman ? "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335"
				  " dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07"
				  : "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f"
				  " 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b"
				  " 2076 6572 7369 6f6e 3d31") == JJ_HPACK_OK
		   && is(JJ_HPACK_STATUS, "200") && table_is(3, 215), "C.%d.3", 5 + huffman);
	}
}

static void
huffman(void)
{
	ok(huffman_is("", ""), "no bytes");
	ok(huffman_is("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"), "C.4.1");
	ok(huffman_is("07", "0"), "a symbol of 5 bits and 3 of padding");
	ok(huffman_fails("ff"), "8 bits of padding are too many");
	ok(huffman_fails("00 00 00 00 00 ff"), "8 bits of padding behind symbols");
	ok(huffman_fails("00"), "padding must be ones");
	ok(huffman_fails("ffffffff"), "EOS and padding");
	ok(huffman_fails("fffffffc"), "EOS and zeros");
	ok(huffman_fails("fffff6"), "a code that is cut");

	/* the longest codes: 10, 13 and 22 have 30 bits */
	ok(huffman_is("fffffff3", "\n"), "a code of 30 bits");
	ok(huffman_is("fffffff7", "\r"), "the next");
	ok(huffman_is("fffffffb", "\x16"), "and the last but EOS");

	ok(huffman_is("fe3f", "!") && huffman_is("ffcf", "$") && huffman_is("fffe1f", "\\"), "codes of 10, 13 and 19 bits");
	ok(huffman_fails("ffc8"), "wrong padding behind 13");
	ok(huffman_is("0000000000", "00000000"), "no padding");
}

/* An error in a decoder that has read nothing. */
static bool
is_bad(const char *hex)
{
	fresh();
	return decode(hex) == JJ_HPACK_BAD;
}

static void
wrong(void)
{
	uint8_t		block[BYTES];
	uint32_t	n;

	ok(is_bad("80"), "index 0");
	ok(is_bad("be"), "an index beyond the static table, the dynamic one being empty");
	fresh();
	ok(decode("bd") == JJ_HPACK_OK, "the last of the static table");
	ok(is_bad("ff8080808080 01"), "an integer of six bytes behind the prefix");
	ok(is_bad("3fffffffff0f"), "a table too large");
	ok(is_bad("3fe2ff03"), "65537");
	fresh();
	ok(decode("3fe1ff03") == JJ_HPACK_OK && hpack.table_max == 65536, "65536");
	ok(is_bad("ff"), "a cut integer");
	ok(is_bad("41"), "a name without value");
	ok(is_bad("4105 6162"), "a string longer than the block");
	ok(is_bad("417fffffffff7f"), "and one much longer");
	ok(is_bad("4181 00"), "a value that is no Huffman code");
	ok(is_bad("4081 ff 00"), "nor a name");
	fresh();
	ok(decode("40 00 00") == JJ_HPACK_OK && table_is(1, 32), "an empty name and value");
	ok(decode("20") == JJ_HPACK_OK && table_is(0, 0), "a table of size 0");
	ok(decode("4103 616263") == JJ_HPACK_OK && table_is(0, 0) && is(JJ_HPACK_AUTHORITY, "abc"), "takes no entry");
	ok(decode("3e 4103 616263") == JJ_HPACK_OK && table_is(0, 0), "nor does one of 30");
	fresh();

	/* what is kept */
	ok(decode("4101 61 4101 62 8883 8d") == JJ_HPACK_OK && is(JJ_HPACK_AUTHORITY, "a") && is(JJ_HPACK_METHOD, "POST")
	   && is(JJ_HPACK_STATUS, "404"), "of fields that come twice the first, of :status the last");
	ok(is(JJ_HPACK_HOST, NULL) && is(JJ_HPACK_USER_AGENT, NULL), "what didn't come");
	ok(decode("00 04 686f7374 00") == JJ_HPACK_OK && is(JJ_HPACK_HOST, ""), "a name in letters, an empty value");
	ok(decode("00 04 486f7374 00") == JJ_HPACK_OK && is(JJ_HPACK_HOST, NULL), "names are in lower case");
	ok(decode("00 83 9ce8 4f 01 61") == JJ_HPACK_OK && is(JJ_HPACK_HOST, "a"), "a name in Huffman code");
	n = from_hex("42 7f 81 01", block);	/* :method of 256 bytes */
	memset(block + n, 'M', 256);
	ok(decode_bytes(block, n + 256) == JJ_HPACK_OK && is(JJ_HPACK_METHOD, "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM"), "32 bytes of a method");
	ok(decode("be") == JJ_HPACK_OK && is(JJ_HPACK_METHOD, "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM"), "and of its entry");

	n = from_hex("417f818101", block);	/* :authority of 16640 bytes, 16 of them at a time */
	decode_bytes(block, n);
	for (int i = 0; i < 1040; i++)
		jj_hpack_decode(&hpack, (const uint8_t *) "0123456789abcdef", 16, &fields, &a);
	ok(jj_hpack_complete(&hpack) && is(JJ_HPACK_AUTHORITY, ""), "an authority that is too long is not kept");
	n = from_hex("0f2b7f818101", block);
	decode_bytes(block, n);
	for (int i = 0; i < 1040; i++)
		jj_hpack_decode(&hpack, (const uint8_t *) "0123456789abcdef", 16, &fields, &a);
	ok(jj_hpack_complete(&hpack) && fields.of[JJ_HPACK_USER_AGENT].value.n == JJ_HPACK_AGENT_BYTES, "the beginning of a user agent is");

	/* a name from an entry that its own insertion evicts (4.4) */
	fresh();
	ok(decode("3f 16 41 05 6162636465 7e 05 6667686970") == JJ_HPACK_OK && hpack.table_max == 53 && table_is(1, 47)
	   && decode("be") == JJ_HPACK_OK && is(JJ_HPACK_AUTHORITY, "fghip"), "a name from the entry it evicts");

	/* as many entries as there can be */
	fresh();
	n = from_hex("3fe1ff03", block);
	for (int round = 0; round < 3; round++)
	{
		for (int i = 0; i < 1000; i++)
			n += from_hex("400000", block + n);
		jj_hpack_decode(&hpack, block, n, &fields, &a);
		n = 0;
	}
	ok(table_is(2048, 65536), "2048 entries and no more");
	ok(decode("ffbe0f") == JJ_HPACK_OK && decode("ffbf0f") == JJ_HPACK_BAD, "the oldest one");
	ok(decode("20") == JJ_HPACK_OK && table_is(0, 0), "and none");
}

/* Cut anywhere, a block is an error or ends between two fields. */
static void
cut(void)
{
	static const char *const hex = "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 7a03 666f6f";
	uint8_t		bytes[BYTES];
	uint32_t	n = from_hex(hex, bytes);
	unsigned	good = 0;

	for (uint32_t i = 0; i <= n; i++)
	{
		fresh();
		good += decode_bytes(bytes, i) == JJ_HPACK_OK;
	}
	is_int(good, 6, "a block cut at every byte");
}

static void
no_memory(void)
{
	uint8_t		bytes[BYTES];
	uint32_t	n = from_hex("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff 7a03 666f6f 88", bytes);
	unsigned	failed = 0;
	jj_hpack_result r;

	for (uint64_t at = 1;; at++)
	{
		fresh();
		memory.calls = 0;
		memory.fail_at = at;
		r = decode_bytes(bytes, n);
		if (r != JJ_HPACK_MEMORY)
			break;
		failed++;
	}
	memory.fail_at = 0;
	ok(r == JJ_HPACK_OK && failed >= 5, "each allocation may fail");
}

int
main(void)
{
	a = (jj_allocator) {failing_alloc, failing_release, &memory};
	for (piece = UINT32_MAX; piece > 0; piece = piece == UINT32_MAX ? 3 : piece - 1)
	{
		printf("# in pieces of %u bytes\n", piece);
		examples();
		huffman();
		wrong();
		cut();
		no_memory();
	}
	fresh();
	jj_hpack_fields_free(&fields, &a);
	is_int(memory.live, 0, "everything was released");
	return done_testing();
}
