/*
 * What the SSH parser knows of a flow, for the groups ssh and fingerprint.
 */
#ifndef JJ_SSH_H
#define JJ_SSH_H

#include "extractors/app.h"

/* In how many directions (0 to 2) an identification line was seen; app may be NULL. */
extern unsigned jj_ssh_lines(const jj_flow *f, const jj_app *app);

/* Whether a side's SSH_MSG_NEWKEYS was seen: what it sent then is encrypted (RFC 4253 7.3). */
extern bool jj_ssh_encrypted(const jj_flow *f, const jj_app *app);

#endif
