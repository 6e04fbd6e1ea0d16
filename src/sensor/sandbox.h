/*
 * Giving up privileges, before bytes of the network are looked at. Linux:
 * user and groups, capabilities, new privileges, limits, system calls.
 */
#ifndef JJ_SANDBOX_H
#define JJ_SANDBOX_H

#include "features/base.h"

/* Whether system calls can be limited in this build. */
extern bool jj_sandbox_filters(void);

/*
 * For root: change to the user of this name and its group, no others. Then, for
 * everyone, drop all capabilities and the right to gain any, allow no children,
 * no further descriptors, no core file. What is open stays open. On failure
 * *err says what is not given up.
 */
extern jj_code jj_sandbox_drop(const char *user, jj_error *err);

/*
 * Limit system calls to those of reading, writing, waiting and memory. Others
 * fail with EPERM; those of attacks (running programs, new sockets, tracing
 * ...) end the process. JJ_ERR_IO if it can't be set up; JJ_OK without doing
 * anything if the build can't.
 */
extern jj_code jj_sandbox_filter(jj_error *err);

/* Close descriptors from 3 up but one (-1: none), which whoever started us may have left open. */
extern void jj_sandbox_close_inherited(int keep);

#endif
