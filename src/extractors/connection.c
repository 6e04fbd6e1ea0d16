/*
 * Group connection: what the graph of all flows of the capture says of a
 * flow's two ends. Its flows are read twice: first they make the graph, then
 * they get their columns from it.
 */
#include "analysis/connection.h"
#include "extractors/extractor.h"

static bool
emit(const jj_flow *f, const void *state, void *fold, jj_work *w, jj_row *row)
{
	jj_connections *all = w->options.connections;
	jj_connection_flow flow = {
		.src = jj_flow_initiator(f),
		.dst = jj_flow_responder(f),
		.src_port = f->src_port,
		.dst_port = f->dst_port,
		.protocol = f->key.proto,
		.packets = {f->packets[0], f->packets[1]},
		.bytes = {f->bytes[0], f->bytes[1]},
	};
	jj_connection *c;

	(void) state;
	(void) fold;
	if (all == NULL || f->capture - all->first >= all->n)
		return true;
	c = all->of[f->capture - all->first];
	if (all->collect)
		return jj_connection_add(c, &flow);
	if (!jj_connection_emit(c, &flow, row))
		all->missing++;
	return true;
}

const jj_extractor jj_extract_connection = {
	.group = JJ_G_connection,
	.emit = emit,
};
