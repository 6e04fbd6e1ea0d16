/*
 * Names and addresses in the lists of this group. The lists are part of the
 * source; none is fetched at run time.
 */
#include "extractors/fp.h"
#include "extractors/fp_providers.h"
#include "extractors/fp_resolvers.h"

#include <string.h>

static inline uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Order of a name in any case and a listed one. */
static int
compare(const char *name, size_t n, const char *listed)
{
	for (size_t i = 0; i < n; i++)
	{
		uint8_t		a = lower((uint8_t) name[i]);
		uint8_t		b = (uint8_t) listed[i];

		if (a != b || b == 0)
			return a < b ? -1 : 1;
	}
	return listed[n] == 0 ? 0 : -1;
}

static bool
is_listed(const char *name, size_t n, const char *const *list, size_t size)
{
	size_t		low = 0;

	while (low < size)
	{
		size_t		middle = low + (size - low) / 2;
		int			order = compare(name, n, list[middle]);

		if (order == 0)
			return true;
		if (order < 0)
			size = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Whether a host or a domain above it is in the list. */
static bool
is_below(const char *host, size_t n, const char *const *list, size_t size)
{
	for (;;)
	{
		const char *dot;

		if (is_listed(host, n, list, size))
			return true;
		dot = n == 0 ? NULL : memchr(host, '.', n);
		if (dot == NULL)
			return false;
		n -= (size_t) (dot + 1 - host);
		host = dot + 1;
	}
}

bool
jj_fp_is_provider(const char *host, size_t n)
{
	return is_below(host, n, providers, sizeof(providers) / sizeof(providers[0]));
}

bool
jj_fp_is_resolver(const char *host, size_t n)
{
	return is_below(host, n, resolvers, sizeof(resolvers) / sizeof(resolvers[0]));
}

bool
jj_fp_is_resolver_address(const uint8_t address[16])
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	if (memcmp(address, mapped, 12) == 0)
	{
		for (size_t i = 0; i < sizeof(resolver_v4) / sizeof(resolver_v4[0]); i++)
			if (memcmp(address + 12, resolver_v4[i], 4) == 0)
				return true;
		return false;
	}
	for (size_t i = 0; i < sizeof(resolver_v6) / sizeof(resolver_v6[0]); i++)
		if (memcmp(address, resolver_v6[i], 16) == 0)
			return true;
	return false;
}
