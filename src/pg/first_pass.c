/*
 * The first of two passes over captures whose columns need the connection
 * graph: flows are assembled as in the second pass, but all of them and with
 * nothing else computed, and make the graph.
 */
#include "pg/graph.h"

#include "utils/memutils.h"

struct jj_first_pass
{
	jj_call    *call;
	jj_call_options options;
	jj_feature_set features;	/* of the second pass */
	bool		loud;
	MemoryContext memory;		/* of the graphs */
	jj_allocator allocator;
	uint64	   *records;		/* of each source */
	jj_first_pass_counts counts;
	jj_connections connections; /* for both passes; of[0] is that of source "first" */
};

bool
jj_first_pass_needed(const jj_feature_set *features)
{
	for (unsigned f = 0; f < JJ_FEATURES; f++)
		if (jj_feature_table[f].group == JJ_G_connection && jj_set_has(features, f))
			return true;
	return false;
}

jj_first_pass *
jj_first_pass_begin(jj_call *call, const jj_call_options *options, jj_options *engine, bool loud)
{
	jj_first_pass *p = MemoryContextAllocZero(call->context, sizeof(jj_first_pass));

	jj_graph_load(&engine->features, loud);
	p->call = call;
	p->options = *options;
	p->features = engine->features;
	p->loud = loud;
	p->memory = AllocSetContextCreate(call->context, "joyfuljay connection graph", ALLOCSET_DEFAULT_SIZES);
	p->allocator = jj_context_allocator(p->memory);
	engine->connections = &p->connections;
	return p;
}

/* Make room for the graphs of n sources, from number first of the engine on. */
static void
open_graphs(jj_first_pass *p, uint32 n)
{
	const uint64 seed = p->options.engine.hash_seed;

	MemoryContextReset(p->memory);
	p->connections.n = n;
	p->connections.first = 1;
	p->connections.collect = true;
	p->connections.of = MemoryContextAllocZero(p->memory, sizeof(jj_connection *) * n);
	for (uint32 i = 0; i < n; i++)
	{
		p->connections.of[i] = jj_connection_open(&p->options.connection, seed, &p->allocator);
		if (p->connections.of[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("out of memory")));
	}
}

/* An engine that does nothing but assemble all flows. */
static void
open_engine(jj_first_pass *p)
{
	jj_options	o = p->options.engine;
	jj_error	error = {0};

	memset(&o.features, 0, sizeof(o.features));
	jj_set_add(&o.features, JJ_F_conn_src_dst_flows);
	o.select = NULL;
	o.anonymize = false;
	o.share = o.shares = 0;
	o.connections = &p->connections;
	if (jj_engine_open(&p->call->first, &o, p->call->filter, &p->call->allocator, &error) != JJ_OK)
		jj_raise(&error, NULL);
}

/* Flows that have ended go into the graph of their source as their rows are made. */
static void
take_flows(jj_engine *engine)
{
	jj_error	error = {0};
	const jj_row *row;
	bool		have;

	do
	{
		if (jj_engine_next(engine, &row, &have, &error) != JJ_OK)
			jj_raise(&error, NULL);
	} while (have);
}

/* Read the open source to its end, or until its graph is given up. The number of its records, UINT64_MAX if not all were read. */
static uint64
read_source(jj_first_pass *p, const jj_source *source, const jj_connection *c, bool fresh)
{
	jj_engine  *engine = p->call->first;
	jj_frame	frames[JJ_BATCH];
	jj_error	error = {0};
	uint32		n;

	if (jj_engine_source(engine, source->name, fresh, &error) != JJ_OK)
		jj_raise(&error, source);
	while (jj_connection_exceeded(c) == JJ_EXCESS_NONE && (n = jj_call_next(p->call, frames, JJ_BATCH)) > 0)
	{
		if (jj_engine_feed(engine, frames, n, &error) != JJ_OK)
			jj_raise(&error, source);
		take_flows(engine);
	}
	p->counts.packets += jj_reader_info_get(p->call->reader)->packets;
	return jj_connection_exceeded(c) == JJ_EXCESS_NONE ? jj_reader_info_get(p->call->reader)->packets : PG_UINT64_MAX;
}

static void
close_engine(jj_first_pass *p)
{
	jj_error	error = {0};

	if (jj_engine_finish(p->call->first, &error) != JJ_OK)
		jj_raise(&error, NULL);
	take_flows(p->call->first);
	jj_engine_close(p->call->first);
	p->call->first = NULL;
}

static void
finish_graph(jj_first_pass *p, jj_connection *c, const jj_source *source)
{
	jj_graph_finish(c, &p->options.connection, &p->features, psprintf("of capture \"%s\"", source->label), p->loud);
	if (jj_connection_exceeded(c) != JJ_EXCESS_NONE)
		return;
	p->counts.flows += jj_connection_flows(c);
	p->counts.nodes += jj_connection_nodes(c);
	p->counts.edges += jj_connection_edges(c);
}

void
jj_first_pass_source(jj_first_pass *p, int i)
{
	const jj_source *source = p->call->source;
	MemoryContext memory = AllocSetContextCreate(p->call->context, "joyfuljay first pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);

	if (p->records == NULL)
		p->records = MemoryContextAlloc(p->call->context, sizeof(uint64));
	open_graphs(p, 1);
	open_engine(p);
	p->records[0] = read_source(p, source, p->connections.of[0], true);
	close_engine(p);
	finish_graph(p, p->connections.of[0], source);
	jj_call_rewind(p->call);
	p->connections.collect = false;
	p->connections.first = (uint32) i + 1;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

void
jj_first_pass_all(jj_first_pass *p, List *sources)
{
	MemoryContext memory = AllocSetContextCreate(p->call->context, "joyfuljay first pass", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	ListCell   *cell;

	p->records = MemoryContextAlloc(p->call->context, sizeof(uint64) * (Size) list_length(sources));
	open_graphs(p, (uint32) list_length(sources));
	open_engine(p);
	foreach(cell, sources)
	{
		const int	i = foreach_current_index(cell);

		jj_call_open(p->call, lfirst(cell));
		p->records[i] = read_source(p, lfirst(cell), p->connections.of[i], false);
		jj_call_leave(p->call);
	}
	close_engine(p);
	foreach(cell, sources)
		finish_graph(p, p->connections.of[foreach_current_index(cell)], lfirst(cell));
	p->connections.collect = false;
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}

/* Of sources one by one only the present one's number is kept. */
uint64
jj_first_pass_records(const jj_first_pass *p, int i)
{
	return p->records[p->options.keep_flows ? i : 0];
}

static void
changed(const char *label)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("capture \"%s\" changed while it was read", label),
			 errdetail("Columns of the group connection need two passes over the same packets."),
			 errhint("Read the capture again when nothing changes it, or read a copy.")));
}

void
jj_first_pass_compare(const jj_first_pass *p, int i, uint64 records)
{
	const uint64 before = jj_first_pass_records(p, i);

	if (before != PG_UINT64_MAX && records < before)
		changed(p->call->source->label);
}

void
jj_first_pass_check(const jj_first_pass *p)
{
	if (unlikely(p->connections.missing > 0))
		changed(p->call->source->label);
}

jj_first_pass_counts
jj_first_pass_counted(const jj_first_pass *p)
{
	return p->counts;
}
