/*
 * Conditions on flows that are known before any feature is computed: packets
 * of flows that can't meet them are left out, and flows that don't meet them
 * cost no feature work and give no row.
 */
#ifndef JJ_SELECT_H
#define JJ_SELECT_H

#include "flow/key.h"

/* What a condition is about; as the columns of these names. */
typedef enum jj_select_column
{
	JJ_SELECT_SRC_IP,
	JJ_SELECT_DST_IP,
	JJ_SELECT_SRC_PORT,
	JJ_SELECT_DST_PORT,
	JJ_SELECT_PROTOCOL,
	JJ_SELECT_MAC_VLAN_ID,		/* of the first packet */
	JJ_SELECT_START_TIME		/* in ns */
} jj_select_column;

typedef struct jj_range
{
	int64_t		low;
	int64_t		high;			/* included */
} jj_range;

typedef struct jj_prefix
{
	uint8_t		address[16];	/* IPv4 as ::ffff:a.b.c.d; bits behind the prefix are ignored */
	uint8_t		version;		/* 4 or 6 */
	uint8_t		bits;			/* of that version's address */
} jj_prefix;

/* The value is in one of the ranges or prefixes, or with negated in none. A NULL value never meets a condition. */
typedef struct jj_condition
{
	uint8_t		column;			/* jj_select_column */
	bool		negated;
	uint32_t	n;
	const jj_range *range;		/* numbers: ascending and apart from each other */
	const jj_prefix *prefix;	/* addresses */
} jj_condition;

/* All conditions have to be met. Arrays are the caller's. */
typedef struct jj_selection
{
	uint32_t	n;
	const jj_condition *condition;
} jj_selection;

struct jj_flow;

/* Whether a flow with this key can meet the conditions, whichever of its ends is the initiator. */
extern bool jj_selection_possible(const jj_selection *s, const jj_key *key);

/* Whether a flow that has just begun does. */
extern bool jj_selection_has(const jj_selection *s, const struct jj_flow *f);

#endif
