/*
 * jj-sensor's work: packets to rows.
 */
#ifndef JJ_RUN_H
#define JJ_RUN_H

#include "sensor/arguments.h"

/*
 * Open what the arguments name, give up privileges, work until the end, say
 * on standard error what was seen; the exit status. *stop is raised by signal
 * handlers: 1 ends flows and writes them, 2 gives up.
 */
extern int	jj_run(const jj_arguments *a, volatile sig_atomic_t *stop);

/* A printf-style line on standard error, behind the program's name; without stdio's buffers, which would need more system calls. */
extern void jj_say(const char *format,...)
#if defined(__GNUC__)
			__attribute__((format(printf, 1, 2)))
#endif
;

/* An error and its hint as lines. */
extern void jj_say_error(const jj_error *err);

#endif
