/*
 * What the system counts of a network interface: rtnetlink(7) on Linux,
 * nothing elsewhere. Private to src/capture.
 */
#ifndef JJ_NIC_H
#define JJ_NIC_H

#include "features/base.h"

typedef struct jj_nic
{
	int			fd;				/* -1: not asked */
	unsigned	index;
	uint32_t	sequence;
	bool		counted;		/* last is set */
	uint64_t	last;			/* the system's count when it was read last */
} jj_nic;

typedef enum jj_nic_state
{
	JJ_NIC_UNKNOWN,				/* nothing can be said */
	JJ_NIC_UP,
	JJ_NIC_DOWN,
	JJ_NIC_GONE
} jj_nic_state;

/* Begin to watch the interface of this name; without one, or where there is no rtnetlink, its state stays unknown. */
extern void jj_nic_open(jj_nic *n, const char *name);

/* Its state now; *drops grows by the packets dropped, missed or overrun since the last call (the first adds none). */
extern jj_nic_state jj_nic_read(jj_nic *n, uint64_t *drops);

extern void jj_nic_close(jj_nic *n);

#endif
