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

static void
explain_counts(const jj_scan_state *s, ExplainState *es)
{
	jj_scan_counts sum = jj_scan_now(s);

	for (int i = 1; s->worker_counts != NULL && i < s->participants; i++)
	{
		sum.packets += s->worker_counts[i].packets;
		sum.flows += s->worker_counts[i].flows;
		for (int k = 0; k < JJ_SKIP_REASONS; k++)
			sum.skipped[k] += s->worker_counts[i].skipped[k];
	}
	ExplainPropertyUInteger("Packets Read", NULL, sum.packets, es);
	ExplainPropertyUInteger("Flows", NULL, sum.flows, es);
	if (es->format == EXPLAIN_FORMAT_TEXT)
	{
		StringInfoData text;

		initStringInfo(&text);
		for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
			if (sum.skipped[i] != 0)
				appendStringInfo(&text, "%s" UINT64_FORMAT " %s", text.len > 0 ? ", " : "", sum.skipped[i], jj_skip_name[i]);
		if (text.len > 0)
			ExplainPropertyText("Packets Skipped", text.data, es);
		return;
	}
	ExplainOpenGroup("Packets Skipped", "Packets Skipped", true, es);
	for (int i = JJ_SKIP_NONE + 1; i < JJ_SKIP_REASONS; i++)
		ExplainPropertyUInteger(jj_skip_name[i], NULL, sum.skipped[i], es);
	ExplainCloseGroup("Packets Skipped", "Packets Skipped", true, es);
}

void
jj_scan_explain(CustomScanState *node, List *ancestors, ExplainState *es)
{
	const jj_scan_state *s = (const jj_scan_state *) node;
	const CustomScan *scan = (const CustomScan *) node->ss.ps.plan;
	const int	files = intVal(linitial(scan->custom_private));
	const double bytes = floatVal(lsecond(scan->custom_private));
	const int	all = s->packets ? JJ_PACKET_COLUMNS : JJ_FEATURES;

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
		ExplainPropertyList("Groups", groups_of(&s->wanted), es);
	if (s->selects != NIL)
		ExplainPropertyText("Flows Selected By", clauses_text(s->selects, node, ancestors, es), es);
	if (es->analyze)
		explain_counts(s, es);
}
