/*
 * Execution of custom scans over jj_extract and jj_packets: rows go to the
 * plan one by one, as flows end, and only the columns that it uses.
 */
#include "pg/scan.h"

#include "access/parallel.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_proc.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/restrictinfo.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

static Node *create_state(CustomScan *scan);
static void begin(CustomScanState *node, EState *estate, int eflags);
static TupleTableSlot *exec(CustomScanState *node);
static void end(CustomScanState *node);
static void rescan(CustomScanState *node);
static Size estimate_shared(CustomScanState *node, ParallelContext *context);
static void initialize_shared(CustomScanState *node, ParallelContext *context, void *place);
static void reinitialize_shared(CustomScanState *node, ParallelContext *context, void *place);
static void initialize_worker(CustomScanState *node, shm_toc *toc, void *place);
static void shut_down(CustomScanState *node);

static const CustomScanMethods scan_methods = {
	.CustomName = "JoyfulJay",
	.CreateCustomScanState = create_state,
};

static const CustomExecMethods exec_methods = {
	.CustomName = "JoyfulJay",
	.BeginCustomScan = begin,
	.ExecCustomScan = exec,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.EstimateDSMCustomScan = estimate_shared,
	.InitializeDSMCustomScan = initialize_shared,
	.ReInitializeDSMCustomScan = reinitialize_shared,
	.InitializeWorkerCustomScan = initialize_worker,
	.ShutdownCustomScan = shut_down,
	.ExplainCustomScan = jj_scan_explain,
};

/* The feature of each attribute of jj_flow, -1 for a dropped one; palloc'd. */
static int *
features_of(TupleDesc desc)
{
	int		   *features = palloc(sizeof(int) * (size_t) desc->natts);
	int			column[JJ_FEATURES];

	jj_row_map(desc, column);
	for (int i = 0; i < desc->natts; i++)
		features[i] = -1;
	for (int f = 0; f < JJ_FEATURES; f++)
		if (column[f] >= 0)
			features[column[f]] = f;
	return features;
}

/* ---- plan */

/* Those clauses that flows can be tested with. */
static List *
selecting_clauses(Index relid, FuncExpr *call, List *clauses)
{
	TupleDesc	desc;
	List	   *found = NIL;
	ListCell   *cell;
	int		   *features;
	int			natts;

	if (jj_is_packets(call))
		return NIL;
	desc = lookup_rowtype_tupdesc(call->funcresulttype, -1);
	natts = desc->natts;
	features = features_of(desc);
	ReleaseTupleDesc(desc);
	foreach(cell, clauses)
		if (jj_qual_selects(lfirst(cell), relid, features, natts))
			found = lappend(found, lfirst(cell));
	return found;
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
	scan->scan.scanrelid = 0;
	scan->flags = path->flags;
	scan->methods = &scan_methods;
	scan->custom_exprs = list_make1(linitial(path->custom_private));
	scan->custom_private = list_copy_tail(path->custom_private, 1);
	/* tlist may be replaced later, by expressions over the same columns */
	vars = pull_var_clause((Node *) list_concat_copy(tlist, rel->reltarget->exprs), how);
	vars = list_concat(vars, pull_var_clause((Node *) scan->scan.plan.qual, how));
	scan->custom_exprs = list_concat(scan->custom_exprs, selecting_clauses(rel->relid, linitial(path->custom_private), scan->scan.plan.qual));
	foreach(cell, vars)
	{
		Var		   *var = lfirst_node(Var, cell);

		if ((Index) var->varno != rel->relid || bms_is_member(var->varattno, seen))
			continue;
		seen = bms_add_member(seen, var->varattno);
		scan->custom_scan_tlist = lappend(scan->custom_scan_tlist,
										  makeTargetEntry((Expr *) copyObject(var), (AttrNumber) (list_length(scan->custom_scan_tlist) + 1), NULL, false));
	}
	return &scan->scan.plan;
}

const CustomPathMethods *
jj_scan_path_methods(void)
{
	static const CustomPathMethods methods = {
		.CustomName = "JoyfulJay",
		.PlanCustomPath = plan_path,
	};

	return &methods;
}

void
jj_scan_init(void)
{
	RegisterCustomScanMethods(&scan_methods);
}

/* ---- begin */

static Node *
create_state(CustomScan *scan pg_attribute_unused())
{
	jj_scan_state *s = palloc0(sizeof(jj_scan_state));

	NodeSetTag(s, T_CustomScanState);
	s->css.methods = &exec_methods;
	return (Node *) s;
}

/* What a function call would check when it is prepared. */
static void
check_execute(Oid function)
{
	AclResult	result = jj_function_aclcheck(function, GetUserId());

	if (result != ACLCHECK_OK)
		aclcheck_error(result, OBJECT_FUNCTION, get_func_name(function));
	InvokeFunctionExecuteHook(function);
}

/* Find out where the columns of the scan tuple come from. */
static void
map_scan_tuple(jj_scan_state *s, List *tlist)
{
	const int	n = s->packets ? JJ_PACKET_COLUMNS : JJ_FEATURES;
	int		   *place;
	ListCell   *cell;

	s->desc = lookup_rowtype_tupdesc_copy(s->call->funcresulttype, -1);
	if (s->packets)
		jj_packet_rows_map(s->desc, s->whole);
	else
		jj_row_map(s->desc, s->whole);
	place = palloc(sizeof(int) * (size_t) s->desc->natts);
	for (int i = 0; i < s->desc->natts; i++)
		place[i] = -1;
	s->whole_row = -1;
	s->features = palloc(sizeof(int) * (size_t) Max(list_length(tlist), 1));
	for (int i = 0; i < list_length(tlist); i++)
		s->features[i] = -1;
	foreach(cell, tlist)
	{
		const TargetEntry *entry = lfirst_node(TargetEntry, cell);
		const Var  *var = castNode(Var, entry->expr);

		if (var->varattno == 0)
			s->whole_row = entry->resno - 1;
		else
			place[var->varattno - 1] = entry->resno - 1;
	}
	for (int c = 0; c < n; c++)
	{
		s->column[c] = s->whole[c] < 0 ? -1 : place[s->whole[c]];
		if (s->column[c] < 0 && (s->whole_row < 0 || s->whole[c] < 0))
			continue;
		s->n_columns++;
		if (s->packets)
			continue;
		jj_set_add(&s->wanted, (unsigned) c);
		if (s->column[c] >= 0)
			s->features[s->column[c]] = c;
	}
	if (!s->packets)
	{
		s->plan = jj_row_plan_make(s->column, s->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor);
		if (s->whole_row >= 0)
			s->whole_plan = jj_row_plan_make(s->whole, s->desc);
	}
	else if (s->whole_row >= 0)
	{
		s->row_values = palloc0(sizeof(Datum) * (size_t) s->desc->natts);
		s->row_nulls = palloc(sizeof(bool) * (size_t) s->desc->natts);
	}
	pfree(place);
}

static void
begin(CustomScanState *node, EState *estate, int eflags pg_attribute_unused())
{
	jj_scan_state *s = (jj_scan_state *) node;
	const CustomScan *scan = (CustomScan *) node->ss.ps.plan;

	s->call = linitial_node(FuncExpr, scan->custom_exprs);
	s->packets = jj_is_packets(s->call);
	check_execute(s->call->funcid);
	s->args = ExecInitExprList(s->call->args, (PlanState *) node);
	s->memory = AllocSetContextCreate(estate->es_query_cxt, "joyfuljay scan", ALLOCSET_DEFAULT_SIZES);
	map_scan_tuple(s, scan->custom_scan_tlist);
	s->selects = list_copy_tail(scan->custom_exprs, 1);
	s->select_values = jj_quals_prepare(s->selects, INDEX_VAR, s->features, list_length(scan->custom_scan_tlist), (PlanState *) node);
}

/* ---- execution */

/* Evaluate arguments first to 2 of the call. */
static void
evaluate(jj_scan_state *s, int first, Datum values[3], bool nulls[3])
{
	for (int i = first; i < 3; i++)
		values[i] = ExecEvalExpr((ExprState *) list_nth(s->args, i), s->css.ss.ps.ps_ExprContext, &nulls[i]);
}

/* Evaluate the arguments, and find the sources unless the leader of a parallel scan has. */
static void
begin_execution(jj_scan_state *s)
{
	MemoryContext old = MemoryContextSwitchTo(s->memory);
	const Oid	type = exprType(linitial(s->call->args));
	Datum		values[3];
	bool		nulls[3];

	evaluate(s, 0, values, nulls);
	jj_arguments_options(values, nulls, &s->filter, &s->options);
	if (s->sources == NIL)
		s->sources = jj_arguments_sources(type, values[0], nulls[0]);
	for (size_t i = 0; i < lengthof(s->wanted.word); i++)
		s->options.engine.features.word[i] &= s->wanted.word[i];
	s->options.engine.select = jj_quals_select(s->selects, s->select_values, INDEX_VAR, s->features,
											   s->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor->natts, !s->options.engine.anonymize,
											   s->css.ss.ps.ps_ExprContext);
	s->begun = true;
	MemoryContextSwitchTo(old);
}

void
jj_scan_counts_add(jj_scan_counts *to, const jj_scan_counts *from)
{
	to->packets += from->packets;
	for (int i = 0; i < JJ_SKIP_REASONS; i++)
		to->skipped[i] += from->skipped[i];
	to->unusable += from->unusable;
	to->truncated += from->truncated;
	to->unselected += from->unselected;
	to->flows += from->flows;
	to->first_pass.packets += from->first_pass.packets;
	to->first_pass.flows += from->first_pass.flows;
	to->first_pass.nodes += from->first_pass.nodes;
	to->first_pass.edges += from->first_pass.edges;
	to->times.first_pass += from->times.first_pass;
	to->times.reading += from->times.reading;
	to->times.decoding += from->times.decoding;
	to->times.features += from->times.features;
	to->times.forming += from->times.forming;
}

jj_scan_counts
jj_scan_now(const jj_scan_state *s)
{
	jj_scan_counts now = s->counts;

	if (s->extraction != NULL)
	{
		const jj_counters *c = jj_extraction_counters(s->extraction);
		jj_scan_counts unit = {
			.truncated = c->truncated,
			.unselected = c->unselected,
			.flows = c->flows_ended,
			.times = jj_extraction_times(s->extraction),
		};

		/* of shares, each reads the same packets, and makes the same graph */
		if (s->options.engine.shares < 2 || s->options.engine.share == 0)
		{
			unit.unusable = jj_extraction_unusable(s->extraction);
			unit.packets = c->frames + unit.unusable;
			memcpy(unit.skipped, c->skipped, sizeof(unit.skipped));
			(void) jj_extraction_first_pass(s->extraction, &unit.first_pass);
		}
		jj_scan_counts_add(&now, &unit);
	}
	return now;
}

static void
end_unit(jj_scan_state *s)
{
	if (s->extraction == NULL)
		return;
	s->counts = jj_scan_now(s);
	jj_extraction_end(s->extraction);
	s->extraction = NULL;
	s->packet_rows = NULL;
}

/* Begin with the next unit of work; false if there is none. */
static bool
begin_unit(jj_scan_state *s)
{
	MemoryContext old;
	List	   *sources;

	if (s->done)
		return false;
	if (!s->begun)
		begin_execution(s);
	old = MemoryContextSwitchTo(s->memory);
	sources = s->sources;
	if (s->shared == NULL)
		s->done = true;
	else
	{
		uint32		unit = pg_atomic_fetch_add_u32(&s->shared->next, 1);

		s->done = unit >= s->shared->units;
		s->options.engine.shares = s->shared->shares;
		if (s->shared->shares > 1)
		{
			s->options.engine.share = unit;
			s->options.engine.hash_seed = s->shared->seed;
		}
		else if (s->shared->units > 1)
			sources = list_make1(list_nth(s->sources, (int) unit));
	}
	if (s->shared == NULL || !s->done)
	{
		const TupleDesc desc = s->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor;
		TupleTableSlot *slot = s->css.ss.ss_ScanTupleSlot;

		if (!s->packets)
			s->extraction = jj_extraction_begin(sources, s->filter, &s->options, false);
		else
		{
			if (s->whole_row >= 0)
				s->packet_rows = jj_packet_rows_begin(sources, s->filter, &s->options, s->whole, s->desc->natts, s->row_values, s->row_nulls);
			else
				s->packet_rows = jj_packet_rows_begin(sources, s->filter, &s->options, s->column, desc->natts, slot->tts_values, slot->tts_isnull);
			s->extraction = jj_packet_rows_extraction(s->packet_rows);
		}
		if (s->css.ss.ps.instrument != NULL && s->css.ss.ps.instrument->need_timer)
			jj_extraction_measure(s->extraction);
	}
	MemoryContextSwitchTo(old);
	return s->extraction != NULL;
}

/* From the values of a whole packet to the scan tuple: the packet as one value, and the columns that are used beside it. */
static void
spread_packet(jj_scan_state *s, TupleTableSlot *slot)
{
	for (int c = 0; c < JJ_PACKET_COLUMNS; c++)
	{
		if (s->column[c] < 0)
			continue;
		slot->tts_values[s->column[c]] = s->row_values[s->whole[c]];
		slot->tts_isnull[s->column[c]] = s->row_nulls[s->whole[c]];
	}
	slot->tts_values[s->whole_row] = HeapTupleGetDatum(heap_form_tuple(s->desc, s->row_values, s->row_nulls));
	slot->tts_isnull[s->whole_row] = false;
}

/* Fill in the next row of the unit; false if there is none. */
static bool
next_row(jj_scan_state *s, TupleTableSlot *slot)
{
	const jj_row *row;
	uint64		begin;

	if (s->packets)
	{
		if (!jj_packet_rows_next(s->packet_rows))
			return false;
		begin = jj_extraction_clock(s->extraction);
		if (s->whole_row >= 0)
			spread_packet(s, slot);
		jj_extraction_formed(s->extraction, begin);
		return true;
	}
	while ((row = jj_extraction_row(s->extraction)) == NULL)
		if (!jj_extraction_step(s->extraction))
			return false;
	begin = jj_extraction_clock(s->extraction);
	jj_row_fill(s->plan, row, slot->tts_values, slot->tts_isnull);
	if (s->whole_row >= 0)
	{
		slot->tts_values[s->whole_row] = jj_row_composite(s->whole_plan, row);
		slot->tts_isnull[s->whole_row] = false;
	}
	jj_extraction_formed(s->extraction, begin);
	return true;
}

static TupleTableSlot *
next(ScanState *node)
{
	jj_scan_state *s = (jj_scan_state *) node;
	TupleTableSlot *slot = node->ss_ScanTupleSlot;
	MemoryContext old;
	bool		found = false;

	ExecClearTuple(slot);
	while (s->extraction != NULL || begin_unit(s))
	{
		old = MemoryContextSwitchTo(node->ps.ps_ExprContext->ecxt_per_tuple_memory);
		found = next_row(s, slot);
		MemoryContextSwitchTo(old);
		if (found)
			return ExecStoreVirtualTuple(slot);
		end_unit(s);
	}
	return slot;
}

static bool
recheck(ScanState *node pg_attribute_unused(), TupleTableSlot *slot pg_attribute_unused())
{
	/* no rows of ours are fetched again: planning leaves such queries to the plain function */
	return true;
}

static TupleTableSlot *
exec(CustomScanState *node)
{
	return ExecScan(&node->ss, next, recheck);
}

static void
end_execution(jj_scan_state *s)
{
	end_unit(s);
	s->done = false;
	/* arguments of parallel scans don't change, and the processes share one list of sources */
	if (s->shared != NULL)
		return;
	s->begun = false;
	s->sources = NIL;
	MemoryContextReset(s->memory);
}

static void
end(CustomScanState *node)
{
	end_execution((jj_scan_state *) node);
}

static void
rescan(CustomScanState *node)
{
	end_execution((jj_scan_state *) node);
	ExecScanReScan(&node->ss);
}

/* ---- parallel execution */

static int
larger_first(const ListCell *a, const ListCell *b)
{
	const int64 x = ((const jj_source *) lfirst(a))->size;
	const int64 y = ((const jj_source *) lfirst(b))->size;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* Files are units if they can be shared out evenly; else each process takes its share of the flows of all. */
static bool
by_file(const jj_scan_state *s, int participants)
{
	int64		total = 0;
	int64		largest = 0;
	ListCell   *cell;

	if (s->options.keep_flows || list_length(s->sources) < participants)
		return false;
	foreach(cell, s->sources)
	{
		const int64 size = ((const jj_source *) lfirst(cell))->size;

		total += size;
		largest = Max(largest, size);
	}
	return largest <= total / participants + total / 10;
}

static Size
estimate_shared(CustomScanState *node, ParallelContext *context)
{
	jj_scan_state *s = (jj_scan_state *) node;
	Size		size;
	ListCell   *cell;

	if (!s->begun)
		begin_execution(s);
	s->participants = context->nworkers + 1;
	size = add_size(offsetof(jj_scan_shared, counts), mul_size(sizeof(jj_scan_counts), (Size) s->participants));
	foreach(cell, s->sources)
	{
		const jj_source *source = lfirst(cell);

		if (source->path != NULL)
			size = add_size(size, sizeof(int64) + strlen(source->path) + 1);
	}
	return size;
}

static char *
shared_sources(jj_scan_shared *shared)
{
	return (char *) &shared->counts[shared->participants];
}

static void
initialize_shared(CustomScanState *node, ParallelContext *context, void *place)
{
	jj_scan_state *s = (jj_scan_state *) node;
	jj_scan_shared *shared = place;
	const int	workers = context->nworkers + (parallel_leader_participation ? 1 : 0);
	ListCell   *cell;
	char	   *to;

	memset(shared, 0, offsetof(jj_scan_shared, counts) + sizeof(jj_scan_counts) * (size_t) s->participants);
	pg_atomic_init_u32(&shared->next, 0);
	shared->participants = s->participants;
	shared->shares = 1;
	shared->seed = jj_hash_seed();
	if (s->options.engine.max_concurrent_flows != 0 || workers < 2)
		shared->units = 1;		/* which flow is evicted depends on all the others */
	else if (by_file(s, workers))
	{
		shared->units = (uint32) list_length(s->sources);
		list_sort(s->sources, larger_first);
	}
	else
		shared->units = shared->shares = (uint32) workers;
	to = shared_sources(shared);
	foreach(cell, s->sources)
	{
		const jj_source *source = lfirst(cell);

		if (source->path == NULL)
			continue;
		memcpy(to, &source->size, sizeof(int64));
		strcpy(to + sizeof(int64), source->path);
		to += sizeof(int64) + strlen(source->path) + 1;
		shared->sources++;
	}
	s->shared = shared;
}

static void
reinitialize_shared(CustomScanState *node pg_attribute_unused(), ParallelContext *context pg_attribute_unused(), void *place)
{
	pg_atomic_write_u32(&((jj_scan_shared *) place)->next, 0);
}

static void
initialize_worker(CustomScanState *node, shm_toc *toc pg_attribute_unused(), void *place)
{
	jj_scan_state *s = (jj_scan_state *) node;
	jj_scan_shared *shared = place;
	MemoryContext old = MemoryContextSwitchTo(s->memory);
	const char *from = shared_sources(shared);

	for (uint32 i = 0; i < shared->sources; i++)
	{
		int64		size;

		memcpy(&size, from, sizeof(int64));
		s->sources = lappend(s->sources, jj_source_of_file(from + sizeof(int64), size));
		from += sizeof(int64) + strlen(from + sizeof(int64)) + 1;
	}
	MemoryContextSwitchTo(old);
	s->shared = shared;
}

static void
shut_down(CustomScanState *node)
{
	jj_scan_state *s = (jj_scan_state *) node;

	if (s->shared == NULL)
		return;
	if (ParallelWorkerNumber >= 0)
	{
		/* a rescan's workers add to those before */
		jj_scan_counts now = jj_scan_now(s);

		jj_scan_counts_add(&s->shared->counts[ParallelWorkerNumber + 1], &now);
	}
	else
	{
		const size_t size = sizeof(jj_scan_counts) * (size_t) s->participants;

		s->worker_counts = MemoryContextAlloc(node->ss.ps.state->es_query_cxt, size);
		memcpy(s->worker_counts, s->shared->counts, size);
		s->shared = NULL;
	}
}
