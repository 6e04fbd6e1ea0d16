/*
 * A few lines of TAP for the engine's unit tests: prove(1) reads the output.
 */
#ifndef JJ_TAP_H
#define JJ_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int	tap_count;
static int	tap_failed;

/* One test: "ok" or "not ok" with a printf-style name. */
static inline bool
ok(bool good, const char *name,...)
{
	va_list		args;

	printf("%s %d - ", good ? "ok" : "not ok", ++tap_count);
	va_start(args, name);
	vprintf(name, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	if (!good)
		tap_failed++;
	return good;
}

static inline bool
is_int(int64_t got, int64_t want, const char *name)
{
	bool		good = ok(got == want, "%s", name);

	if (!good)
		printf("#      got: %" PRId64 "\n# expected: %" PRId64 "\n", got, want);
	return good;
}

static inline bool
is_text(const char *got, const char *want, const char *name)
{
	bool		good = ok(got != NULL && strcmp(got, want) == 0, "%s", name);

	if (!good)
		printf("#      got: %s\n# expected: %s\n", got == NULL ? "(null)" : got, want);
	return good;
}

/* To be returned from main. */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed != 0;
}

#endif
