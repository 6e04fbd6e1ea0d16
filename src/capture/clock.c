/*
 * Timestamps of pcapng interfaces, exact for every unit the format allows.
 */
#include "capture/clock.h"

#define NS_PER_SECOND 1000000000
#define MAX_SECONDS 9223372036	/* INT64_MAX ns, and the rest of it */
#define MAX_REST 854775807

static uint64_t
power_of_ten(unsigned n)
{
	uint64_t	power = 1;

	while (n-- > 0)
		power *= 10;
	return power;
}

void
jj_clock_set(jj_clock *c, uint8_t resolution, int64_t offset)
{
	unsigned	n = resolution & 0x7f;
	bool		binary = resolution > 0x7f;

	c->resolution = resolution;
	c->offset = offset;
	if (binary)
		c->per_second = n <= 63 ? (uint64_t) 1 << n : 0;
	else
		c->per_second = n <= 19 ? power_of_ten(n) : 0;

	c->factor = c->limit = 0;
	if (offset == 0 && c->per_second != 0 && NS_PER_SECOND % c->per_second == 0)
	{
		c->factor = NS_PER_SECOND / c->per_second;
		c->limit = INT64_MAX / c->factor + UINT64_C(1);
	}
}

/* ticks * 10^9 / 2^shift, for a quotient below 2^63. */
static uint64_t
binary_ns(uint64_t ticks, unsigned shift)
{
	uint64_t	low = (ticks & 0xffffffff) * NS_PER_SECOND;
	uint64_t	high = (ticks >> 32) * NS_PER_SECOND + (low >> 32);

	/* the product is high * 2^32 + the lower half of low */
	low &= 0xffffffff;
	if (shift >= 96)
		return 0;
	if (shift >= 32)
		return high >> (shift - 32);
	return high << (32 - shift) | low >> shift;
}

/* seconds + c->offset, without overflow and within one of what a result can hold. */
static int64_t
shifted_seconds(const jj_clock *c, uint64_t seconds)
{
	int64_t		sum;

	if (c->offset < 0)
	{
		uint64_t	back = (uint64_t) -(c->offset + 1) + 1;

		if (seconds < back)
			sum = -(int64_t) (back - seconds - 1) - 1;
		else
			sum = seconds - back > MAX_SECONDS ? MAX_SECONDS + 1 : (int64_t) (seconds - back);
	}
	else if (seconds > MAX_SECONDS || c->offset > MAX_SECONDS)
		sum = MAX_SECONDS + 1;
	else
		sum = (int64_t) seconds + c->offset;
	return sum;
}

int64_t
jj_clock_slow(const jj_clock *c, uint64_t ticks)
{
	unsigned	n = c->resolution & 0x7f;
	bool		binary = c->resolution > 0x7f;
	uint64_t	seconds = c->per_second != 0 ? ticks / c->per_second : 0;
	uint64_t	rest = c->per_second != 0 ? ticks % c->per_second : ticks;
	int64_t		whole;
	int64_t		ns;

	if (binary)
		ns = (int64_t) binary_ns(rest, n);
	else if (n <= 9)
		ns = (int64_t) (rest * power_of_ten(9 - n));
	else
		ns = n - 9 <= 19 ? (int64_t) (rest / power_of_ten(n - 9)) : 0;

	whole = shifted_seconds(c, seconds);
	if (whole > MAX_SECONDS || (whole == MAX_SECONDS && ns > MAX_REST))
		return INT64_MAX;
	if (whole < -MAX_SECONDS - 1)
		return INT64_MIN;
	if (whole == -MAX_SECONDS - 1)
	{
		/* one second less than -MAX_SECONDS, so ns makes up for most of it or not */
		ns -= NS_PER_SECOND;
		return ns < -MAX_REST - 1 ? INT64_MIN : -MAX_SECONDS * (int64_t) NS_PER_SECOND + ns;
	}
	return whole * NS_PER_SECOND + ns;
}
