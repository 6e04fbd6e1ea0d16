/*
 * What the fuzz targets of whole engines do with rows.
 */
#ifndef JJ_FUZZ_ROWS_H
#define JJ_FUZZ_ROWS_H

#include "features/engine.h"

#include <assert.h>
#include <math.h>

/* Look at every value of a row as a face would. */
static inline uint64_t
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

#endif
