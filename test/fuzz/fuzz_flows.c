/*
 * Fuzz target: a whole capture through reader, decoder, flow table and every
 * feature group. The first byte chooses options.
 */
#include "rows.h"

#include <stdlib.h>

static uint64_t
take_rows(jj_engine *e, uint64_t *packets)
{
	uint64_t	sum = 0;
	const jj_row *row;
	bool		have;

	while (jj_engine_next(e, &row, &have, NULL) == JJ_OK && have)
	{
		sum += read_row(row);
		*packets += (uint64_t) row->value[JJ_F_total_packets].i;
	}
	return sum;
}

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	jj_allocator a = jj_malloc_allocator();
	jj_options	o;
	jj_reader  *r;
	jj_engine  *e;
	jj_frame	frames[JJ_BATCH];
	uint32_t	n;
	uint64_t	packets = 0;
	volatile uint64_t sum = 0;

	if (size < 1)
		return 0;
	jj_options_default(&o);
	o.inner_tunnels = !(data[0] & 1);
	o.flow_end = (jj_flow_end) ((data[0] >> 1) % 3);
	o.max_concurrent_flows = data[0] & 8 ? 2 : 0;
	o.eviction = data[0] & 16 ? JJ_EVICT_OLDEST : JJ_EVICT_LRU;
	o.max_samples = JJ_MIN_SAMPLES;
	o.vlan_in_key = !(data[0] & 32);
	o.defragment = !(data[0] & 64);
	if (jj_reader_open_memory(&r, data + 1, size - 1, &a, NULL) != JJ_OK)
		return 0;
	if (jj_engine_open(&e, &o, NULL, &a, NULL) != JJ_OK)
		abort();
	while (jj_reader_next(r, frames, JJ_BATCH, &n, NULL) == JJ_OK && n > 0)
	{
		if (jj_engine_feed(e, frames, n, NULL) != JJ_OK)
			abort();
		sum += take_rows(e, &packets);
	}
	if (jj_engine_finish(e, NULL) != JJ_OK)
		abort();
	sum += take_rows(e, &packets);
	assert(packets == jj_engine_counters(e)->decoded);
	(void) sum;
	jj_engine_close(e);
	jj_reader_close(r);
	return 0;
}
