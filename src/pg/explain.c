/*
 * What EXPLAIN shows of custom scans.
 */
#include "pg/scan.h"

#include "lib/stringinfo.h"
#include "nodes/makefuncs.h"
#include "utils/ruleutils.h"

/* The groups of the columns that are computed, in the order of the registry. */
static List *
groups_of(const jj_feature_set *wanted)
{
	bool		seen[JJ_GROUPS] = {false};
	List	   *names = NIL;

	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		const int	group = jj_feature_table[f].group;

		if (!jj_set_has(wanted, f) || seen[group] || !jj_group_implemented((jj_group) group))
			continue;
		seen[group] = true;
		names = lappend(names, pstrdup(jj_group_name[group]));
	}
	return names;
}

static char *
clauses_text(List *clauses, CustomScanState *node, List *ancestors, ExplainState *es)
{
	List	   *context = set_deparse_context_plan(es->deparse_cxt, node->ss.ps.plan, ancestors);

	return deparse_expression((Node *) make_ands_explicit(clauses), context, es->verbose, false);
}

/* Whether addresses are anonymised, as far as that is known. */
static bool
anonymizes(const jj_scan_state *s)
{
	const Const *options = lthird(s->call->args);

	if (s->begun)
		return s->options.engine.anonymize;
	return IsA(options, Const) && !options->constisnull && jj_options_anonymize(DatumGetJsonbP(options->constvalue));
}

/* The columns that are computed: those that the query uses and the options allow. */
static jj_feature_set
computed(const jj_scan_state *s)
{
	const Const *options = lthird(s->call->args);
	jj_feature_set set = s->wanted;
	jj_call_options own;

	if (s->begun)
		return s->options.engine.features;
	if (!IsA(options, Const) || options->constisnull)
		return set;
	jj_options_from_jsonb(&own, DatumGetJsonbP(options->constvalue));
	for (size_t i = 0; i < lengthof(set.word); i++)
		set.word[i] &= own.engine.features.word[i];
	return set;
}

static List *
without_addresses(const jj_scan_state *s, List *clauses)
{
	List	   *others = NIL;
	ListCell   *cell;

	foreach(cell, clauses)
		if (!jj_qual_on_address(lfirst(cell), INDEX_VAR, s->features, s->css.ss.ss_ScanTupleSlot->tts_tupleDescriptor->natts))
			others = lappend(others, lfirst(cell));
	return others;
}

/* Packets that gave no flow, and why. */
static void
explain_skipped(const jj_scan_counts *c, ExplainState *es)
{
	uint64		total = c->unusable;
	StringInfoData reasons;

	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		total += c->skipped[i];
	if (es->format != EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyUInteger("Packets Skipped", NULL, total, es);
		ExplainOpenGroup("Packets Skipped By Reason", "Packets Skipped By Reason", true, es);
		for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
			ExplainPropertyUInteger(jj_skip_name[i], NULL, c->skipped[i], es);
		ExplainPropertyUInteger("unknown_interface", NULL, c->unusable, es);
		ExplainCloseGroup("Packets Skipped By Reason", "Packets Skipped By Reason", true, es);
		return;
	}
	if (total == 0)
		return;
	initStringInfo(&reasons);
	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		if (c->skipped[i] != 0)
			appendStringInfo(&reasons, "%s" UINT64_FORMAT " %s", reasons.len > 0 ? ", " : "", c->skipped[i], jj_skip_name[i]);
	if (c->unusable != 0)
		appendStringInfo(&reasons, "%s" UINT64_FORMAT " unknown_interface", reasons.len > 0 ? ", " : "", c->unusable);
	ExplainPropertyText("Packets Skipped", psprintf(UINT64_FORMAT " (%s)", total, reasons.data), es);
}

/* What the first pass has done. */
static void
explain_first_pass(const jj_first_pass_counts *c, ExplainState *es)
{
	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		ExplainPropertyText("First Pass", psprintf(UINT64_FORMAT " packets, " UINT64_FORMAT " flows, " UINT64_FORMAT " nodes, " UINT64_FORMAT " edges",
												   c->packets, c->flows, c->nodes, c->edges), es);
		return;
	}
	ExplainOpenGroup("First Pass", "First Pass", true, es);
	ExplainPropertyUInteger("Packets Read", NULL, c->packets, es);
	ExplainPropertyUInteger("Flows", NULL, c->flows, es);
	ExplainPropertyUInteger("Nodes", NULL, c->nodes, es);
	ExplainPropertyUInteger("Edges", NULL, c->edges, es);
	ExplainCloseGroup("First Pass", "First Pass", true, es);
}

/* Where the time went, of all processes together. */
static void
explain_times(const jj_times *t, bool packets, bool two_passes, ExplainState *es)
{
	const char *const what = packets ? "Flows" : "Features";

	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		const char *first = two_passes ? psprintf("first pass %.3f ms, ", (double) t->first_pass / 1e6) : "";

		ExplainPropertyText("Times", psprintf("%sreading %.3f ms, decoding %.3f ms, %s %.3f ms, row forming %.3f ms", first,
											  (double) t->reading / 1e6, (double) t->decoding / 1e6, packets ? "flows" : "features",
											  (double) t->features / 1e6, (double) t->forming / 1e6), es);
		return;
	}
	ExplainOpenGroup("Times", "Times", true, es);
	if (two_passes)
		ExplainPropertyFloat("First Pass", "ms", (double) t->first_pass / 1e6, 3, es);
	ExplainPropertyFloat("Reading", "ms", (double) t->reading / 1e6, 3, es);
	ExplainPropertyFloat("Decoding", "ms", (double) t->decoding / 1e6, 3, es);
	ExplainPropertyFloat(what, "ms", (double) t->features / 1e6, 3, es);
	ExplainPropertyFloat("Row Forming", "ms", (double) t->forming / 1e6, 3, es);
	ExplainCloseGroup("Times", "Times", true, es);
}

static void
explain_counts(const jj_scan_state *s, bool two_passes, ExplainState *es)
{
	jj_scan_counts sum = jj_scan_now(s);

	for (int i = 1; s->worker_counts != NULL && i < s->participants; i++)
		jj_scan_counts_add(&sum, &s->worker_counts[i]);
	if (two_passes)
		explain_first_pass(&sum.first_pass, es);
	ExplainPropertyUInteger("Packets Read", NULL, sum.packets, es);
	explain_skipped(&sum, es);
	if (sum.truncated != 0 || es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyUInteger("Packets Truncated", NULL, sum.truncated, es);
	if (s->selects != NIL)
		ExplainPropertyUInteger("Packets Not Selected", NULL, sum.unselected, es);
	ExplainPropertyUInteger("Flows", NULL, sum.flows, es);
	if (es->timing)
		explain_times(&sum.times, s->packets, two_passes, es);
}

void
jj_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	const jj_scan_state *s = (const jj_scan_state *) node;
	const CustomScan *scan = (const CustomScan *) node->ss.ps.plan;
	const int	files = intVal(linitial(scan->custom_private));
	const double bytes = floatVal(lsecond(scan->custom_private));
	const jj_feature_set set = computed(s);
	const bool	two_passes = !s->packets && jj_first_pass_needed(&set);
	const int	all = s->packets ? JJ_PACKET_COLUMNS : JJ_FEATURES;
	List	   *selects = s->selects;

	ExplainPropertyText("Function", s->packets ? "jj_packets" : "jj_extract", es);
	if (files >= 0)
	{
		ExplainPropertyInteger("Files", NULL, files, es);
		ExplainPropertyInteger("Capture Size", "bytes", (int64) bytes, es);
	}
	if (es->format == EXPLAIN_FORMAT_TEXT)
		ExplainPropertyText("Columns", psprintf("%d of %d", s->n_columns, all), es);
	else
	{
		ExplainPropertyInteger("Columns", NULL, s->n_columns, es);
		ExplainPropertyInteger("Columns Of", NULL, all, es);
	}
	if (!s->packets && (s->n_columns > 0 || es->format != EXPLAIN_FORMAT_TEXT))
		ExplainPropertyList("Groups", groups_of(&set), es);
	if (two_passes && es->format == EXPLAIN_FORMAT_TEXT)
		ExplainPropertyText("Passes", "2 (the first for the connection graph)", es);
	else if (!s->packets && es->format != EXPLAIN_FORMAT_TEXT)
		ExplainPropertyInteger("Passes", NULL, two_passes ? 2 : 1, es);
	if (anonymizes(s))
	{
		ExplainPropertyBool("Anonymized", true, es);
		selects = without_addresses(s, selects);
	}
	if (selects != NIL)
		ExplainPropertyText("Flows Selected By", clauses_text(selects, node, ancestors, es), es);
	if (es->analyze)
		explain_counts(s, two_passes, es);
}
