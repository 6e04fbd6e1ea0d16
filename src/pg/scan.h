/*
 * Custom scans over jj_extract and jj_packets: what planning (plan.c) and
 * execution (scan.c, explain.c) share.
 *
 * A path's custom_private is (FuncExpr, Integer files, Float bytes): the call,
 * and the captures as planning found them; files is -1 if they were not known
 * and 0 for a value. A plan's custom_exprs is the FuncExpr and behind it the
 * conditions that flows are tested with (quals.c), its custom_private
 * (Integer files, Float bytes), its custom_scan_tlist the Vars of the call's
 * row type that are used.
 */
#ifndef JJ_SCAN_H
#define JJ_SCAN_H

#include "pg/pg.h"

#include "commands/explain.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"

#include "flow/select.h"
#include "pg/graph.h"

/* What scans have done, of all their units. */
typedef struct jj_scan_counts
{
	uint64		packets;		/* records read */
	uint64		skipped[JJ_SKIP_REASONS];
	uint64		unusable;		/* records of an interface that is not described */
	uint64		truncated;		/* packets of flows that were not captured to their end */
	uint64		unselected;		/* packets of flows that don't meet the conditions */
	uint64		flows;			/* that have ended */
	jj_first_pass_counts first_pass;
	jj_times	times;
} jj_scan_counts;

/*
 * What the processes of a parallel scan share. A unit of work is a file of its
 * own, or a share of the flows of all files, by hash: then each process reads
 * all packets. Behind the counts lie the sources: for each an int64 size, and
 * its path with terminator.
 */
typedef struct jj_scan_shared
{
	pg_atomic_uint32 next;		/* unit to take next */
	uint32		units;
	uint32		shares;			/* 1: units are files */
	uint64		seed;			/* of the hash that says which share a flow is in */
	uint32		sources;
	Size		size;			/* bytes of sources */
	int			participants;
	jj_scan_counts counts[FLEXIBLE_ARRAY_MEMBER];
} jj_scan_shared;

typedef struct jj_scan_state
{
	CustomScanState css;		/* must be first */
	FuncExpr   *call;
	bool		packets;		/* jj_packets, otherwise jj_extract */
	List	   *args;			/* ExprState */
	List	   *selects;		/* clauses that flows are tested with */
	List	   *select_values;	/* ExprState of each one's value */
	int		   *features;		/* of each attribute of the scan tuple; jj_extract */
	MemoryContext memory;		/* of one execution: arguments, sources, extraction; reset by a rescan */

	/* the columns of the row type, and where they go */
	TupleDesc	desc;
	int			whole[Max(JJ_FEATURES, JJ_PACKET_COLUMNS)];	/* attribute of a column in the row type */
	int			column[Max(JJ_FEATURES, JJ_PACKET_COLUMNS)];	/* the same in the scan tuple, -1 = unused */
	int			n_columns;		/* used ones */
	int			whole_row;		/* place of the row as a composite value in the scan tuple, -1 = none */
	jj_feature_set wanted;		/* of jj_extract */
	jj_row_plan *plan;			/* of the scan tuple, jj_extract */
	jj_row_plan *whole_plan;	/* of the whole row, if that is wanted */
	Datum	   *row_values;		/* the same of jj_packets */
	bool	   *row_nulls;

	/* execution */
	bool		begun;			/* arguments are evaluated */
	bool		done;
	List	   *sources;
	const char *filter;
	jj_call_options options;
	jj_extraction *extraction;	/* of the unit, or NULL */
	jj_packet_rows *packet_rows;
	jj_scan_shared *shared;		/* NULL if not parallel */
	jj_scan_counts counts;		/* of units that are done */
	jj_scan_counts *worker_counts;	/* copy of shared->counts at the end, leader */
	int			participants;
} jj_scan_state;

extern const CustomPathMethods *jj_scan_path_methods(void);

/* Whether a call of an own function is one of jj_packets, not jj_extract. */
extern bool jj_is_packets(const FuncExpr *call);

/* Counts of the execution so far, in this process. */
extern jj_scan_counts jj_scan_now(const jj_scan_state *s);

extern void jj_scan_counts_add(jj_scan_counts *to, const jj_scan_counts *from);

/* ---- quals.c: conditions that flows are tested with */

/*
 * Whether the clause is a condition on a column of range table entry varno
 * that flows can be tested with; features[] are those of natts attributes.
 */
extern bool jj_qual_selects(Expr *clause, Index varno, const int *features, int natts);

/* An ExprState for the value of each such clause. */
extern List *jj_quals_prepare(List *clauses, Index varno, const int *features, int natts, PlanState *parent);

/* Whether such a clause is on an address: no flow can be tested with it if the query's addresses are pseudonyms. */
extern bool jj_qual_on_address(Expr *clause, Index varno, const int *features, int natts);

/* The conditions with their values of now, palloc'd, those on addresses only if asked for; NULL without clauses. */
extern const jj_selection *jj_quals_select(List *clauses, List *states, Index varno, const int *features, int natts, bool addresses,
										   ExprContext *context);

/* explain.c */
extern void jj_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es);

#endif
