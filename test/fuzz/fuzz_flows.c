/*
 * Fuzz target: a whole capture through reader, decoder, flow table and every
 * feature group. The first byte chooses options.
 */
#include "features/engine.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* Look at every value of a row as a face would. */
static uint64_t
read_row(const jj_row *row)
{
	uint64_t	sum = 0;

	for (unsigned f = 0; f < JJ_FEATURES; f++)
	{
		if (!jj_row_has(row, f))
			continue;
		assert(jj_group_implemented((jj_group) jj_feature_table[f].group));
		switch (jj_feature_table[f].type)
		{
			case JJ_FLOAT8:
				assert(isfinite(row->value[f].d));
				break;
			case JJ_INT2:
				assert(row->value[f].i >= INT16_MIN && row->value[f].i <= INT16_MAX);
				break;
			case JJ_INT4:
				assert(row->value[f].i >= INT32_MIN && row->value[f].i <= INT32_MAX);
				break;
			case JJ_BOOL:
				assert(row->value[f].i == 0 || row->value[f].i == 1);
				break;
			default:
				break;
		}
		if (jj_feature_table[f].type >= JJ_MACADDR)
		{
			uint32_t	size;
			const uint8_t *b = jj_row_bytes(row, f, &size);

			for (uint32_t i = 0; i < size; i++)
				sum += b[i];
		}
	}
	assert(jj_row_has(row, JJ_F_total_packets) && row->value[JJ_F_total_packets].i > 0);
	return sum;
}

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
