/*
 * Planning: calls of jj_extract and jj_packets in FROM become custom scans,
 * with rows and costs from the sizes of the captures.
 */
#include "pg/scan.h"

#include "access/detoast.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/clauses.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(jj_extract_support);
PG_FUNCTION_INFO_V1(jj_packets_support);

/* What a capture is taken for as long as nothing is known of it. */
#define DEFAULT_BYTES 10e6
#define PACKET_BYTES 450		/* of a capture file, for each packet */
#define FLOW_PACKETS 20
#define COMPRESSION 4			/* bytes of a compressed capture's content for each of its own */

/*
 * Costs. As measured (bench/README.md), with cpu_operator_cost for 20 ns, which is
 * what suits the other costs of parallel plans: of a packet reading it from the
 * page cache, in large blocks; decoding it and making its key; finding its flow;
 * a group's update. Of a parallel process, as a multiple of parallel_setup_cost,
 * its start: each loads the library and what that needs.
 */
#define PAGE_SHARE 8			/* of a page's cost in a table */
#define DECODING_COST 3
#define FLOW_COST 8
#define GROUP_COST 2.5
#define START_COST 2

static set_rel_pathlist_hook_type previous_hook = NULL;

typedef struct estimate
{
	bool		known;
	int			files;			/* 0: a value */
	double		bytes;			/* of the files */
	double		largest;		/* of their sizes */
	double		packets;
} estimate;

static void
add_file(estimate *e, const char *name, int64 size)
{
	size_t		n = strlen(name);
	bool		compressed = (n > 3 && pg_strcasecmp(name + n - 3, ".gz") == 0) || (n > 4 && (pg_strcasecmp(name + n - 4, ".zst") == 0 || pg_strcasecmp(name + n - 4, ".lz4") == 0));

	e->files++;
	e->bytes += (double) size;
	e->largest = Max(e->largest, (double) size);
	e->packets += (double) size * (compressed ? COMPRESSION : 1) / PACKET_BYTES;
}

/* Look at the captures that the first argument names, if it is known and the user may. Raises no error. */
static estimate
estimate_captures(FuncExpr *call)
{
	estimate	e = {0};
	Node	   *argument = linitial(call->args);
	Const	   *value = (Const *) argument;

	if (argument != NULL && IsA(argument, Const) && !value->constisnull)
	{
		if (value->consttype == BYTEAOID)
		{
			e.known = true;
			e.bytes = (double) toast_raw_datum_size(value->constvalue);
			e.packets = e.bytes / PACKET_BYTES;
		}
		else
		{
			List	   *sources = NIL;
			ListCell   *cell;

			if (value->consttype == TEXTOID)
				e.known = jj_sources_known(TextDatumGetCString(value->constvalue), &sources);
			else if (value->consttype == TEXTARRAYOID)
			{
				Datum	   *elements;
				bool	   *nulls;
				int			n;

				deconstruct_array(DatumGetArrayTypeP(value->constvalue), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
				e.known = true;
				for (int i = 0; i < n && e.known; i++)
					e.known = !nulls[i] && jj_sources_known(TextDatumGetCString(elements[i]), &sources);
			}
			foreach(cell, sources)
			{
				const jj_source *s = lfirst(cell);

				add_file(&e, s->name, s->size);
			}
		}
	}
	if (!e.known)
	{
		e.bytes = DEFAULT_BYTES;
		e.packets = DEFAULT_BYTES / PACKET_BYTES;
	}
	return e;
}

static double
estimate_rows(const estimate *e, bool packets)
{
	return clamp_row_est(packets ? e->packets : e->packets / FLOW_PACKETS);
}

/* Of each of so many processes. Unless files can be shared out, each reads and decodes all packets. */
static Cost
estimate_cost(const estimate *e, int groups, double processes)
{
	const bool	by_file = e->files >= processes && e->largest <= e->bytes / processes + e->bytes / 10;
	const Cost	reading = seq_page_cost / PAGE_SHARE * e->bytes / BLCKSZ + cpu_operator_cost * e->packets * DECODING_COST;
	const Cost	rest = cpu_operator_cost * e->packets * (FLOW_COST + GROUP_COST * groups);

	return reading / (by_file ? processes : 1) + rest / processes;
}

/* ---- support functions; that they are called also loads the library, and with it the hook */

static Datum
support(FunctionCallInfo fcinfo, bool packets)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);
	Node	   *result = NULL;

	if (IsA(request, SupportRequestRows))
	{
		SupportRequestRows *r = (SupportRequestRows *) request;

		if (is_funcclause(r->node))
		{
			estimate	e = estimate_captures((FuncExpr *) r->node);

			r->rows = estimate_rows(&e, packets);
			result = request;
		}
	}
	else if (IsA(request, SupportRequestCost))
	{
		SupportRequestCost *r = (SupportRequestCost *) request;

		if (r->node != NULL && is_funcclause(r->node))
		{
			estimate	e = estimate_captures((FuncExpr *) r->node);

			/* all rows are made before the first is given */
			r->startup = estimate_cost(&e, packets ? 0 : JJ_GROUPS, 1);
			r->per_tuple = 0;
			result = request;
		}
	}
	PG_RETURN_POINTER(result);
}

Datum
jj_extract_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, false);
}

Datum
jj_packets_support(PG_FUNCTION_ARGS)
{
	return support(fcinfo, true);
}

/* ---- paths */

bool
jj_is_packets(const FuncExpr *call)
{
	FmgrInfo	info;

	fmgr_info(get_func_support(call->funcid), &info);
	return info.fn_addr == jj_packets_support;
}

/* Whether a value is not known before execution, and may change in it. */
static bool
has_exec_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind != PARAM_EXTERN;
	return expression_tree_walker(node, has_exec_param, context);
}

/* The call of an own function that is all there is in a FROM item, or NULL. */
static FuncExpr *
own_call(const RangeTblEntry *rte, bool *packets)
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
	*packets = info.fn_addr == jj_packets_support;
	return *packets || info.fn_addr == jj_extract_support ? call : NULL;
}

/* The relation's columns that the plan needs of it, those that it gives and those of its own conditions, by attribute number above the lowest. */
static Bitmapset *
needed_columns(RelOptInfo *rel, Index rti)
{
	List	   *vars = pull_var_clause((Node *) rel->reltarget->exprs, PVC_RECURSE_PLACEHOLDERS);
	Bitmapset  *own = NULL;
	ListCell   *cell;

	foreach(cell, rel->baserestrictinfo)
		vars = list_concat(vars, pull_var_clause((Node *) lfirst_node(RestrictInfo, cell)->clause, PVC_RECURSE_PLACEHOLDERS));
	foreach(cell, vars)
		if ((Index) lfirst_node(Var, cell)->varno == rti)
			own = bms_add_member(own, lfirst_node(Var, cell)->varattno - FirstLowInvalidHeapAttributeNumber);
	return own;
}

/* The columns that the options allow, as far as these are known. Raises their errors, as execution would. */
static jj_feature_set
allowed_features(const FuncExpr *call)
{
	const Const *options = lthird(call->args);
	jj_call_options own;
	jj_feature_set all = {{0}};

	if (IsA(options, Const) && !options->constisnull)
	{
		jj_options_from_jsonb(&own, DatumGetJsonbP(options->constvalue));
		return own.engine.features;
	}
	jj_set_all(&all);
	return all;
}

/* How many groups the columns are of, those that are computed, and whether they need the connection graph. */
static int
count_groups(const FuncExpr *call, const Bitmapset *columns, bool *graph)
{
	const jj_feature_set allowed = allowed_features(call);
	const int	whole = -FirstLowInvalidHeapAttributeNumber;
	bool		seen[JJ_GROUPS] = {false};
	int			column[JJ_FEATURES];
	int			n = 0;
	TupleDesc	desc = lookup_rowtype_tupdesc(call->funcresulttype, -1);

	*graph = false;
	jj_row_map(desc, column);
	ReleaseTupleDesc(desc);
	for (int f = 0; f < JJ_FEATURES; f++)
	{
		const int	group = jj_feature_table[f].group;

		if (column[f] < 0 || seen[group] || !jj_set_has(&allowed, (unsigned) f) || !(bms_is_member(whole + column[f] + 1, columns) || bms_is_member(whole, columns)))
			continue;
		seen[group] = true;
		*graph = *graph || group == JJ_G_connection;
		n += jj_group_implemented((jj_group) group);
	}
	return n;
}

static CustomPath *
make_path(RelOptInfo *rel, FuncExpr *call, const estimate *e)
{
	CustomPath *path = makeNode(CustomPath);

	path->path.pathtype = T_CustomScan;
	path->path.parent = rel;
	path->path.pathtarget = rel->reltarget;
	path->path.param_info = NULL;
	path->path.parallel_safe = rel->consider_parallel;
	path->path.rows = rel->rows;
#ifdef CUSTOMPATH_SUPPORT_PROJECTION
	path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
#endif
	path->custom_private = list_make3(call, makeInteger(e->known ? e->files : -1), makeFloat(psprintf("%.0f", e->bytes)));
	path->methods = jj_scan_path_methods();
	return path;
}

/* Of one of so many processes, whose captures cost so much before the first row and after it. */
static void
set_costs(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, Cost first, Cost cost, double processes)
{
	QualCost	per_row;

	cost_qual_eval(&per_row, rel->baserestrictinfo, root);
	path->path.startup_cost = per_row.startup + rel->reltarget->cost.startup + first;
	path->path.total_cost = path->path.startup_cost + cost + (per_row.per_tuple + cpu_tuple_cost) * rel->tuples / processes
		+ rel->reltarget->cost.per_tuple * path->path.rows;
}

static void
add_paths(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	bool		packets;
	FuncExpr   *call = own_call(rte, &packets);
	Bitmapset  *columns;
	estimate	e;
	CustomPath *path;
	int			groups = 0;
	bool		graph = false;
	Cost		first = 0;		/* first pass over the first file, before any row */
	Cost		others = 0;		/* and over the others */

	/*
	 * Rows that may have to be fetched again (UPDATE ... FROM, FOR UPDATE) and
	 * arguments of other FROM items are left to the plain function.
	 */
	if (call == NULL || root->rowMarks != NIL || !bms_is_empty(rel->lateral_relids) || contain_var_clause((Node *) call->args))
		return;
	if (contain_subplans((Node *) call->args))
		return;
	columns = needed_columns(rel, rti);
	if (bms_next_member(columns, -1) >= 0 && bms_next_member(columns, -1) < -FirstLowInvalidHeapAttributeNumber)
		return;
	e = estimate_captures(call);
	if (!packets)
		groups = count_groups(call, columns, &graph);
	if (graph)
	{
		first = estimate_cost(&e, 1, 1) / Max(e.files, 1);
		others = estimate_cost(&e, 1, 1) - first;
	}
	path = make_path(rel, call, &e);
	set_costs(root, rel, path, first, estimate_cost(&e, groups, 1) + others, 1);
	rel->pathlist = NIL;
	add_path(rel, (Path *) path);

	if (rel->consider_parallel && !packets && !contain_volatile_functions((Node *) call->args)
		&& !has_exec_param((Node *) call->args, NULL))
	{
		int			workers = compute_parallel_worker(rel, ceil(e.bytes / BLCKSZ), -1, max_parallel_workers_per_gather);

		if (workers > 0)
		{
			const double share = workers + (parallel_leader_participation ? 1 : 0);

			path = make_path(rel, call, &e);
			path->path.parallel_aware = true;
			path->path.parallel_workers = workers;
			path->path.rows = clamp_row_est(path->path.rows / share);
			set_costs(root, rel, path, first + START_COST * parallel_setup_cost, estimate_cost(&e, groups, share) + others / share, share);
			add_partial_path(rel, (Path *) path);
		}
	}
}

static void
pathlist_hook(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *rte)
{
	if (previous_hook != NULL)
		previous_hook(root, rel, rti, rte);
	if (rel->reloptkind == RELOPT_BASEREL || rel->reloptkind == RELOPT_OTHER_MEMBER_REL)
		add_paths(root, rel, rti, rte);
}

void
jj_plan_init(void)
{
	previous_hook = set_rel_pathlist_hook;
	set_rel_pathlist_hook = pathlist_hook;
}
