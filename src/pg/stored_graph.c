/*
 * jj_connection_graph and jj_connection_flows: the connection graph of flows
 * that are stored, or that any query gives. The query runs as the caller, with
 * the snapshot of the calling statement, and may not write.
 */
#include "pg/graph.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "parser/scansup.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/regproc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(jj_connection_graph_text);
PG_FUNCTION_INFO_V1(jj_connection_graph_regclass);
PG_FUNCTION_INFO_V1(jj_connection_flows_text);
PG_FUNCTION_INFO_V1(jj_connection_flows_regclass);

#define FETCH 1000				/* rows at a time */

/* Columns of the flows that are read. */
enum
{
	SRC_IP,
	DST_IP,
	SRC_PORT,
	DST_PORT,
	PROTOCOL,
	PACKETS_FWD,
	PACKETS_BWD,
	BYTES_FWD,
	BYTES_BWD,
	NEEDED,						/* so far all must be there */
	RUN = NEEDED,
	CAPTURE,
	FIRST_FRAME,
	START_TIME,
	COLUMNS
};

static const struct
{
	const char *name;
	const char *type;
	bool		may_be_null;
}			columns[COLUMNS] = {
	[SRC_IP] = {"src_ip", "inet", false},
	[DST_IP] = {"dst_ip", "inet", false},
	[SRC_PORT] = {"src_port", "int4", true},
	[DST_PORT] = {"dst_port", "int4", true},
	[PROTOCOL] = {"protocol", "int4", false},
	[PACKETS_FWD] = {"packets_fwd", "int8", false},
	[PACKETS_BWD] = {"packets_bwd", "int8", false},
	[BYTES_FWD] = {"bytes_fwd", "int8", false},
	[BYTES_BWD] = {"bytes_bwd", "int8", false},
	[RUN] = {"run", "int8", true},
	[CAPTURE] = {"capture", "text", true},
	[FIRST_FRAME] = {"first_frame", "int8", true},
	[START_TIME] = {"start_time", "timestamptz", true},
};

/* A call of one of the functions. */
typedef struct graph_call
{
	char	   *source;			/* what comes behind FROM, as q */
	char	   *what;			/* for messages: of what the graph is */
	Datum		window[2];		/* from when on flows began, and before when; 0 if has_window is not set */
	bool		has_window[2];
	jj_connection_options options;
	jj_feature_set features;	/* of the group connection */
	jj_connection *graph;
	Tuplestorestate *kept;		/* the flows, NULL if they aren't needed again */
} graph_call;

/* ---- arguments */

/* Behind the white space and comments that a query may begin with. */
static const char *
skip_blanks(const char *text)
{
	for (;;)
	{
		text += strspn(text, " \t\r\n\f");
		if (strncmp(text, "--", 2) == 0)
			text += strcspn(text, "\r\n");
		else if (strncmp(text, "/*", 2) == 0 && strstr(text, "*/") != NULL)
			text = strstr(text, "*/") + 2;
		else
			return text;
	}
}

static bool
is_query(const char *text)
{
	static const char *const words[] = {"select", "with", "values", "table"};

	text = skip_blanks(text);
	if (*text == '(')
		return true;
	for (size_t i = 0; i < lengthof(words); i++)
	{
		size_t		size = strlen(words[i]);

		if (pg_strncasecmp(text, words[i], size) == 0 && text[size] != '\0' && text[size] != '.' && text[size] != '_'
			&& !isalnum((unsigned char) text[size]) && !IS_HIGHBIT_SET(text[size]))
			return true;
	}
	return false;
}

static void
from_table(graph_call *g, Oid relid)
{
	char	   *name = get_rel_name(relid);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("there is no table with OID %u", relid)));
	g->source = quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name);
	g->what = psprintf("of table \"%s\"", name);
}

/* A table's name, or a query. */
static void
from_text(graph_call *g, const char *text)
{
	size_t		size = strlen(text);
	RangeVar   *range;
	Oid			relid;

	if (!is_query(text))
	{
		range = makeRangeVarFromNameList(jj_qualified_name(text));
		relid = RangeVarGetRelid(range, NoLock, true);
		if (!OidIsValid(relid))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("relation \"%s\" does not exist", text),
					 errhint("Give the name of a table or view, or a query that begins with SELECT, WITH, VALUES or TABLE.")));
		from_table(g, relid);
		return;
	}
	while (size > 0 && (scanner_isspace(text[size - 1]) || text[size - 1] == ';'))
		size--;
	/* the line's end ends a comment that the query may end with */
	g->source = psprintf("(%.*s\n)", (int) size, text);
	g->what = pstrdup("of the query");
}

/* Only the options of the graph have a meaning for flows that are there. */
static void
check_options(Jsonb *options)
{
	JsonbIterator *it = JsonbIteratorInit(&options->root);
	JsonbIteratorToken token;
	JsonbValue	value;

	while (JB_ROOT_IS_OBJECT(options) && (token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_KEY && (value.val.string.len < 11 || strncmp(value.val.string.val, "connection_", 11) != 0))
		{
			char	   *name = pnstrdup(value.val.string.val, value.val.string.len);

			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" has no meaning for flows that are stored", name),
					 errhint("Valid options are connection_use_ports, connection_max_nodes, connection_max_edges and connection_max_betweenness.")));
		}
}

static void
null_argument(const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" must not be null", name)));
}

static void
take_arguments(graph_call *g, FunctionCallInfo fcinfo, bool named)
{
	jj_call_options all;

	memset(g, 0, sizeof(*g));
	if (PG_ARGISNULL(0))
		null_argument("flows");
	if (PG_ARGISNULL(3))
		null_argument("options");
	if (named)
		from_text(g, text_to_cstring(PG_GETARG_TEXT_PP(0)));
	else
		from_table(g, PG_GETARG_OID(0));
	for (int i = 0; i < 2; i++)
	{
		g->has_window[i] = !PG_ARGISNULL(1 + i);
		g->window[i] = g->has_window[i] ? PG_GETARG_DATUM(1 + i) : (Datum) 0;
	}
	check_options(PG_GETARG_JSONB_P(3));
	jj_options_from_jsonb(&all, PG_GETARG_JSONB_P(3));
	g->options = all.connection;
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		if (jj_feature_table[f].group == JJ_G_connection)
			jj_set_add(&g->features, f);
}

/* ---- reading flows */

/* Which of the columns the source has. Errors: those that are needed and not there. */
static void
look_at_source(const graph_call *g, bool has[COLUMNS])
{
	SPIPlanPtr	plan = SPI_prepare(psprintf("SELECT * FROM %s q", g->source), 0, NULL);
	List	   *sources = plan == NULL ? NIL : SPI_plan_get_plan_sources(plan);
	TupleDesc	desc = list_length(sources) != 1 ? NULL : ((CachedPlanSource *) linitial(sources))->resultDesc;
	StringInfoData missing;

	if (desc == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_SYNTAX_ERROR),
				 errmsg("argument \"flows\" must be one query that returns rows")));
	initStringInfo(&missing);
	for (int c = 0; c < COLUMNS; c++)
	{
		has[c] = SPI_fnumber(desc, columns[c].name) > 0;
		if (c < NEEDED && !has[c])
			appendStringInfo(&missing, "%s%s", missing.len > 0 ? ", " : "", columns[c].name);
	}
	if (missing.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("flows have no column %s", missing.data),
				 errhint("A query can rename columns, or add those that are not known, such as NULL::integer AS src_port.")));
	if (!has[START_TIME] && (g->has_window[0] || g->has_window[1]))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("flows have no column start_time for arguments \"since\" and \"until\"")));
	SPI_freeplan(plan);
}

/* The query of the columns, in their order. Operators and types are named in full: the caller's search_path is in force. */
static char *
build_query(const graph_call *g, const bool has[COLUMNS])
{
	StringInfoData q;

	initStringInfo(&q);
	for (int c = 0; c < COLUMNS; c++)
	{
		appendStringInfoString(&q, c == 0 ? "SELECT " : ", ");
		if (has[c])
			appendStringInfo(&q, "q.%s::pg_catalog.%s", columns[c].name, columns[c].type);
		else
			appendStringInfo(&q, "NULL::pg_catalog.%s", columns[c].type);
	}
	appendStringInfo(&q, " FROM %s q", g->source);
	if (g->has_window[0] || g->has_window[1])
		appendStringInfo(&q, " WHERE %s%s%s",
						 g->has_window[0] ? "q.start_time OPERATOR(pg_catalog.>=) $1" : "",
						 g->has_window[0] && g->has_window[1] ? " AND " : "",
						 g->has_window[1] ? "q.start_time OPERATOR(pg_catalog.<) $2" : "");
	return q.data;
}

/* An inet's address as 16 bytes; its prefix length has no influence. */
static void
address_of(Datum value, uint8 to[16])
{
	const inet *address = DatumGetInetPP(value);

	if (ip_family(address) == PGSQL_AF_INET)
	{
		memset(to, 0, 10);
		memset(to + 10, 0xff, 2);
		memcpy(to + 12, ip_addr(address), 4);
	}
	else
		memcpy(to, ip_addr(address), 16);
}

static uint64
count_of(Datum value, int c)
{
	const int64 n = DatumGetInt64(value);

	if (n < 0)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("column %s of flows must not be negative, as " INT64_FORMAT " is", columns[c].name, n)));
	return (uint64) n;
}

static int32
port_of(Datum value, bool null, int c)
{
	const int32 port = null ? -1 : DatumGetInt32(value);

	if (!null && (port < 0 || port > 65535))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("column %s of flows must be between 0 and 65535, not %d", columns[c].name, port)));
	return port;
}

/* The values of the columns as a flow; its addresses are put into src and dst, of 16 bytes each. */
static jj_connection_flow
flow_of(const Datum *values, const bool *nulls, uint8 *src, uint8 *dst)
{
	jj_connection_flow f;
	int32		protocol;

	for (int c = 0; c < NEEDED; c++)
		if (nulls[c] && !columns[c].may_be_null)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("column %s of flows must not be null", columns[c].name),
					 errhint("A query can leave such rows out, or fill the column in.")));
	address_of(values[SRC_IP], src);
	address_of(values[DST_IP], dst);
	protocol = DatumGetInt32(values[PROTOCOL]);
	if (protocol < 0 || protocol > 255)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("column protocol of flows must be between 0 and 255, not %d", protocol)));
	f.src = src;
	f.dst = dst;
	f.src_port = port_of(values[SRC_PORT], nulls[SRC_PORT], SRC_PORT);
	f.dst_port = port_of(values[DST_PORT], nulls[DST_PORT], DST_PORT);
	f.protocol = (uint8) protocol;
	f.packets[0] = count_of(values[PACKETS_FWD], PACKETS_FWD);
	f.packets[1] = count_of(values[PACKETS_BWD], PACKETS_BWD);
	f.bytes[0] = count_of(values[BYTES_FWD], BYTES_FWD);
	f.bytes[1] = count_of(values[BYTES_BWD], BYTES_BWD);
	return f;
}

static void
out_of_memory(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory")));
}

static void
take_flow(graph_call *g, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS];
	uint8		src[16];
	uint8		dst[16];
	jj_connection_flow f;

	heap_deform_tuple(tuple, desc, values, nulls);
	f = flow_of(values, nulls, src, dst);
	if (!jj_connection_add(g->graph, &f))
		out_of_memory();
	if (g->kept != NULL)
		tuplestore_putvalues(g->kept, desc, values, nulls);
}

/* Read all flows into the graph; without g->kept, no more once it is given up. A copy of the rows' type, in the caller's context. */
static TupleDesc
read_flows(graph_call *g)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[2] = {TIMESTAMPTZOID, TIMESTAMPTZOID};
	bool		has[COLUMNS];
	char		nulls[2] = {g->has_window[0] ? ' ' : 'n', g->has_window[1] ? ' ' : 'n'};
	SPIPlanPtr	plan;
	Portal		portal;
	TupleDesc	desc;
	MemoryContext old;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	look_at_source(g, has);
	plan = SPI_prepare_cursor(build_query(g, has), 2, types, CURSOR_OPT_PARALLEL_OK);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", SPI_result_code_string(SPI_result));
	portal = SPI_cursor_open(NULL, plan, g->window, nulls, true);
	old = MemoryContextSwitchTo(caller);
	desc = CreateTupleDescCopy(portal->tupDesc);
	MemoryContextSwitchTo(old);
	while (g->kept != NULL || jj_connection_exceeded(g->graph) == JJ_EXCESS_NONE)
	{
		SPI_cursor_fetch(portal, true, FETCH);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
			take_flow(g, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	SPI_finish();
	return desc;
}

/* The graph of the call's flows, in the current context. */
static TupleDesc
make_graph(graph_call *g)
{
	jj_allocator a = jj_context_allocator(CurrentMemoryContext);
	TupleDesc	desc;

	jj_graph_load(&g->features, true);
	g->graph = jj_connection_open(&g->options, jj_hash_seed(), &a);
	if (g->graph == NULL)
		out_of_memory();
	desc = read_flows(g);
	jj_graph_finish(g->graph, &g->options, &g->features, g->what, true);
	return desc;
}

/* ---- jj_connection_graph */

static Datum
address_datum(const uint8 address[16])
{
	static const uint8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(address, mapped, sizeof(mapped)) == 0)
		return jj_inet_datum(address + 12, 4);
	return jj_inet_datum(address, 16);
}

static Datum
connection_graph(FunctionCallInfo fcinfo, bool named)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext row;
	MemoryContext old;
	graph_call	g;

	InitMaterializedSRF(fcinfo, 0);
	take_arguments(&g, fcinfo, named);
	(void) make_graph(&g);
	row = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay row", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(row);
	for (uint32 i = 0; i < jj_connection_nodes(g.graph); i++)
	{
		jj_connection_node n;
		Datum		values[14];
		bool		nulls[14] = {false};

		CHECK_FOR_INTERRUPTS();
		jj_connection_node_get(g.graph, i, &n);
		nulls[2] = n.port < 0;
		nulls[5] = isnan(n.betweenness);
		nulls[6] = isnan(n.clustering);
		nulls[7] = n.community < 0;
		values[0] = Int32GetDatum((int32) i);
		values[1] = address_datum(n.address);
		values[2] = Int32GetDatum(n.port);
		values[3] = Int32GetDatum((int32) n.out_degree);
		values[4] = Int32GetDatum((int32) n.in_degree);
		values[5] = Float8GetDatum(n.betweenness);
		values[6] = Float8GetDatum(n.clustering);
		values[7] = Int32GetDatum((int32) n.community);
		values[8] = Int64GetDatum((int64) n.flows_out);
		values[9] = Int64GetDatum((int64) n.flows_in);
		values[10] = Int64GetDatum((int64) n.packets_sent);
		values[11] = Int64GetDatum((int64) n.packets_received);
		values[12] = Int64GetDatum((int64) n.bytes_sent);
		values[13] = Int64GetDatum((int64) n.bytes_received);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(row);
	jj_connection_close(g.graph);
	return (Datum) 0;
}

Datum
jj_connection_graph_text(PG_FUNCTION_ARGS)
{
	return connection_graph(fcinfo, true);
}

Datum
jj_connection_graph_regclass(PG_FUNCTION_ARGS)
{
	return connection_graph(fcinfo, false);
}

/* ---- jj_connection_flows */

/* In the order of the function's result, which is that of the features. */
static const int identity[] = {RUN, CAPTURE, FIRST_FRAME, START_TIME, SRC_IP, DST_IP, SRC_PORT, DST_PORT, PROTOCOL};

#define IDENTITY ((int) lengthof(identity))

static Datum
value_of(const jj_row *row, unsigned f)
{
	const int64 i = row->value[f].i;

	switch ((jj_type) jj_feature_table[f].type)
	{
		case JJ_INT4:
			if (i > PG_INT32_MAX)
				ereport(ERROR,
						(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						 errmsg("value " INT64_FORMAT " of column \"%s\" is out of range for type integer", i, jj_feature_table[f].name)));
			return Int32GetDatum((int32) i);
		case JJ_INT8:
			return Int64GetDatum(i);
		case JJ_BOOL:
			return BoolGetDatum(i != 0);
		case JJ_FLOAT8:
			return Float8GetDatum(row->value[f].d);
		default:
			elog(ERROR, "column \"%s\" has a type that none of its group has", jj_feature_table[f].name);
	}
}

static void
put_flow(const graph_call *g, ReturnSetInfo *rsinfo, TupleTableSlot *slot, jj_row *row)
{
	const int	natts = rsinfo->setDesc->natts;
	Datum	   *values = palloc0(sizeof(Datum) * (size_t) natts);
	bool	   *nulls = palloc(sizeof(bool) * (size_t) natts);
	uint8		src[16];
	uint8		dst[16];
	jj_connection_flow f;
	int			to = IDENTITY;

	memset(nulls, true, sizeof(bool) * (size_t) natts);
	slot_getallattrs(slot);
	f = flow_of(slot->tts_values, slot->tts_isnull, src, dst);
	jj_row_clear(row);
	if (!jj_connection_emit(g->graph, &f, row))
		elog(ERROR, "a flow is not in its graph");
	for (int i = 0; i < IDENTITY; i++)
	{
		values[i] = slot->tts_values[identity[i]];
		nulls[i] = slot->tts_isnull[identity[i]];
		if (identity[i] == PROTOCOL)
			values[i] = Int16GetDatum(f.protocol);
	}
	for (unsigned k = 0; k < JJ_FEATURES && to < natts; k++)
	{
		if (!jj_set_has(&g->features, k))
			continue;
		nulls[to] = !jj_row_has(row, k);
		if (!nulls[to])
			values[to] = value_of(row, k);
		to++;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static Datum
connection_flows(FunctionCallInfo fcinfo, bool named)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	jj_allocator a = jj_context_allocator(CurrentMemoryContext);
	TupleTableSlot *slot;
	MemoryContext memory;
	MemoryContext old;
	graph_call	g;
	jj_row		row;

	InitMaterializedSRF(fcinfo, 0);
	take_arguments(&g, fcinfo, named);
	g.kept = tuplestore_begin_heap(false, false, work_mem);
	slot = MakeSingleTupleTableSlot(make_graph(&g), &TTSOpsMinimalTuple);
	jj_row_init(&row, &g.features, &a);
	memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay row", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	while (tuplestore_gettupleslot(g.kept, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		put_flow(&g, rsinfo, slot, &row);
		MemoryContextReset(memory);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	jj_row_free(&row);
	ExecDropSingleTupleTableSlot(slot);
	tuplestore_end(g.kept);
	jj_connection_close(g.graph);
	return (Datum) 0;
}

Datum
jj_connection_flows_text(PG_FUNCTION_ARGS)
{
	return connection_flows(fcinfo, true);
}

Datum
jj_connection_flows_regclass(PG_FUNCTION_ARGS)
{
	return connection_flows(fcinfo, false);
}
