/*
 * joyfuljay.finished_flows() in FROM: a custom scan that pulls rows from the
 * source of the INSERT that is about to run.
 */
#include "pg/insert.h"

#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "optimizer/tlist.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(jj_finished_flows_support);

typedef struct insert_scan
{
	CustomScanState css;		/* must be first */
	jj_row_source *source;		/* NULL: there is none, or it has come to its end */
	bool		explained;		/* EXPLAIN without execution */
	jj_row_plan *plan;			/* of the scan tuple */
} insert_scan;

static set_rel_pathlist_hook_type previous_hook = NULL;

static Plan *plan_path(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans);
static Node *create_state(CustomScan *scan);
static void begin(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec(CustomScanState *node);
static void end(CustomScanState *node);
static void rescan(CustomScanState *node);

static const CustomPathMethods path_methods = {
	.CustomName = "JoyfulJay Finished Flows",
	.PlanCustomPath = plan_path,
};

static const CustomScanMethods scan_methods = {
	.CustomName = "JoyfulJay Finished Flows",
	.CreateCustomScanState = create_state,
};

static const CustomExecMethods exec_methods = {
	.CustomName = "JoyfulJay Finished Flows",
	.BeginCustomScan = begin,
	.ExecCustomScan = exec,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
};

/* It has nothing to say; that it is called loads the library, and is by what the function is known. */
Datum
jj_finished_flows_support(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_POINTER(NULL);
}

/* ---- plan */

static FuncExpr *
own_call(const RangeTblEntry *rte)
{
	RangeTblFunction *f;
	FuncExpr   *call;
	Oid			support;
	FmgrInfo	info;

	if (rte->rtekind != RTE_FUNCTION || rte->funcordinality || list_length(rte->functions) != 1)
		return NULL;
	f = linitial(rte->functions);
	if (f->funccolnames != NIL || !IsA(f->funcexpr, FuncExpr))
		return NULL;
	call = (FuncExpr *) f->funcexpr;
	support = get_func_support(call->funcid);
	if (!OidIsValid(support))
		return NULL;
	fmgr_info(support, &info);
	return info.fn_addr == jj_finished_flows_support ? call : NULL;
}

static void
pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	FuncExpr   *call;
	CustomPath *path;

	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (rel->reloptkind != RELOPT_BASEREL || root->rowMarks != NIL)
		return;
	call = own_call(rte);
	if (call == NULL)
		return;
	path = makeNode(CustomPath);
	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.rows = rel->rows;
	path->path.total_cost = cpu_tuple_cost * rel->rows;
#ifdef CUSTOMPATH_SUPPORT_PROJECTION
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
#endif
	path->custom_private = list_make1(call);
	path->methods = &path_methods;
	rel->pathlist = NIL;
	rel->partial_pathlist = NIL;
	add_path(rel, (Path *) path);
}

static Plan *
plan_path(PlannerInfo *root pg_attribute_unused(), RelOptInfo *rel, CustomPath *path, List *tlist, List *clauses, List *custom_plans pg_attribute_unused())
{
	const int	how = PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS;
	CustomScan *scan = makeNode(CustomScan);
	List	   *vars;
	ListCell   *cell;
	Bitmapset  *seen = NULL;

	scan->scan.plan.targetlist = tlist;
	scan->scan.plan.qual = extract_actual_clauses(clauses, false);
	scan->flags = path->flags;
	scan->methods = &scan_methods;
	scan->custom_exprs = list_copy(path->custom_private);
	vars = pull_var_clause((Node *) list_concat_copy(tlist, rel->reltarget->exprs), how);
	vars = list_concat(vars, pull_var_clause((Node *) scan->scan.plan.qual, how));
	foreach(cell, vars)
	{
		Var		   *var = lfirst_node(Var, cell);

		if ((Index) var->varno != rel->relid || var->varattno < 0 || bms_is_member(var->varattno, seen))
			continue;
		seen = bms_add_member(seen, var->varattno);
		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) copyObject(var), (AttrNumber) (list_length(scan->custom_scan_tlist) + 1), NULL, false));
	}
	return &scan->scan.plan;
}

/* ---- execution */

static Node *
create_state(CustomScan *scan pg_attribute_unused())
{
	insert_scan *s = palloc0(sizeof(insert_scan));

	NodeSetTag(s, T_CustomScanState);
	s->css.methods = &exec_methods;
	return (Node *) s;
}

static void
begin(CustomScanState *node, EState *estate pg_attribute_unused(), int eflags)
{
	insert_scan *s = (insert_scan *) node;
	const CustomScan *scan = (CustomScan *) node->ss.ps.plan;
	const FuncExpr *call = linitial_node(FuncExpr, scan->custom_exprs);
	TupleDesc	desc = lookup_rowtype_tupdesc(call->funcresulttype, -1);
	int			column[JJ_FEATURES];	/* attributes of the row type, then of the scan tuple */
	int		   *place = palloc(sizeof(int) * (size_t) desc->natts);
	ListCell   *cell;

	jj_row_map(desc, column);
	for (int i = 0; i < desc->natts; i++)
		place[i] = -1;
	ReleaseTupleDesc(desc);
	foreach(cell, scan->custom_scan_tlist)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);
		const Var  *var = castNode(Var, entry->expr);

		if (var->varattno == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("the function finished_flows gives columns, no whole rows")));
		place[var->varattno - 1] = entry->resno - 1;
	}
	for (int f = 0; f < JJ_FEATURES; f++)
		column[f] = column[f] < 0 ? -1 : place[column[f]];
	s->plan = jj_row_plan_make(column, node->ss.ss_ScanTupleSlot->tts_tupleDescriptor);
	pfree(place);
	s->explained = (eflags & EXEC_FLAG_EXPLAIN_ONLY) != 0;
	if (!s->explained)
		s->source = jj_writer_take_source();
	if (!s->explained && s->source == NULL)
		(void) OidFunctionCall0(call->funcid);	/* says so */
}

static TupleTableSlot *
next(ScanState *node)
{
	insert_scan *s = (insert_scan *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	MemoryContext old;
	const jj_row *row;

	ExecClearTuple(slot);
	if (s->source == NULL)
		return slot;
	old = MemoryContextSwitchTo(node->ps.ps_ExprContext->ecxt_per_tuple_memory);
	row = s->source->next(s->source);
	if (row != NULL)
		jj_row_fill(s->plan, row, slot->tts_values, slot->tts_isnull);
	MemoryContextSwitchTo(old);
	if (row != NULL)
		return ExecStoreVirtualTuple(slot);
	s->source = NULL;
	return slot;
}

static bool
recheck(ScanState *node pg_attribute_unused(), TupleTableSlot *slot pg_attribute_unused())
{
	return true;
}

static TupleTableSlot *
exec(CustomScanState *node)
{
	return ExecScan(&node->ss, next, recheck);
}

static void
end(CustomScanState *node pg_attribute_unused())
{
}

static void
rescan(CustomScanState *node pg_attribute_unused())
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("finished flows can be read only once"),
			 errhint("Rules on the target that read the inserted rows again are not supported; triggers are.")));
}

void
jj_insert_scan_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = pathlist_hook;
}
