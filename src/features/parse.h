/*
 * Texts to values, for options.
 */
#ifndef JJ_PARSE_H
#define JJ_PARSE_H

#include "features/options.h"

/* A duration in ns, unit (ns) for a number without one; infinity gives JJ_INFINITE. */
extern jj_parsed jj_parse_duration(const char *text, double unit, int64_t *ns);
extern jj_parsed jj_parse_unsigned(const char *text, uint64_t *value);
extern jj_parsed jj_parse_double(const char *text, double *value);

/* true, false, yes, no, on, off, 1, 0 and what they begin with, as PostgreSQL takes them. */
extern jj_parsed jj_parse_bool(const char *text, bool *value);

/* Whether two words are the same in either case of ASCII letters. */
extern bool jj_same_word(const char *a, const char *b);

/* Of n names the one nearest to word, if it is near enough to be meant; otherwise NULL. */
extern const char *jj_nearest(const char *word, const char *const *names, int n);

#endif
