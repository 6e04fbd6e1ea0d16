/*
 * Rows of the engine to tuples of jj_flow.
 */
#include "pg/pg.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "port/pg_bitutils.h"
#include "utils/inet.h"
#include "utils/timestamp.h"

/*
 * Where a datum is as wide as a value of the row, and a tuple holds it as it
 * is, plain numbers are copied all at once. Elsewhere each is converted.
 */
#if SIZEOF_DATUM == 8 && MAXIMUM_ALIGNOF == 8 && ALIGNOF_DOUBLE == 8
#define WIDE_DATUMS
#endif

static const Oid type_oid[] = {
	[JJ_INT2] = INT2OID,
	[JJ_INT4] = INT4OID,
	[JJ_INT8] = INT8OID,
	[JJ_BOOL] = BOOLOID,
	[JJ_FLOAT8] = FLOAT8OID,
	[JJ_TIMESTAMPTZ] = TIMESTAMPTZOID,
	[JJ_MACADDR] = MACADDROID,
	[JJ_INET] = INETOID,
	[JJ_TEXT] = TEXTOID,
	[JJ_BYTEA] = BYTEAOID,
	[JJ_JSONB] = JSONBOID,
	[JJ_FLOAT8_ARRAY] = FLOAT8ARRAYOID,
	[JJ_INT4_ARRAY] = INT4ARRAYOID,
	[JJ_INT2_ARRAY] = INT2ARRAYOID,
	[JJ_TEXT_ARRAY] = TEXTARRAYOID,
	[JJ_INET_ARRAY] = INETARRAYOID,
};

Oid
jj_type_oid(jj_type type)
{
	return type_oid[type];
}

void
jj_map_columns(TupleDesc desc, const char *type, const char *const *names, const jj_type *types, int n, int *column)
{
	int			found = 0;

	for (int c = 0; c < n; c++)
		column[c] = -1;
	for (int i = 0, c = 0; i < desc->natts; i++, c++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);

		if (a->attisdropped)
			continue;
		for (int tried = 0; tried < n; tried++, c++)
		{
			c = c >= n ? 0 : c;
			if (strcmp(NameStr(a->attname), names[c]) == 0)
				break;
		}
		if (c < n && strcmp(NameStr(a->attname), names[c]) == 0 && a->atttypid == type_oid[types[c]])
		{
			column[c] = i;
			found++;
			continue;
		}
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s is not one of library version %s", NameStr(a->attname), type, JJ_VERSION),
				 errhint("Run ALTER EXTENSION joyfuljay UPDATE, or begin a new session if that was done just now.")));
	}
	if (found == 0)
		elog(ERROR, "type %s has no columns", type);
}

void
jj_row_map(TupleDesc desc, int column[JJ_FEATURES])
{
	const char *names[JJ_FEATURES];
	jj_type		types[JJ_FEATURES];

	for (int f = 0; f < JJ_FEATURES; f++)
	{
		names[f] = jj_feature_table[f].name;
		types[f] = (jj_type) jj_feature_table[f].type;
	}
	jj_map_columns(desc, "jj_flow", names, types, JJ_FEATURES, column);
}

/* ---- what goes where */

/* How a tuple holds a column. */
typedef enum storing
{
	STORE_1,
	STORE_2,
	STORE_4,
	STORE_8,
	STORE_TIME,
	STORE_MAC,
	STORE_INT_ALIGNED,			/* of variable length */
	STORE_DOUBLE_ALIGNED
} storing;

/* Used columns, one behind the other, that are stored alike; not across words of a jj_feature_set. */
typedef struct run
{
	uint8		store;			/* storing */
	uint8		n;
	uint16		first;
} run;

struct jj_row_plan
{
	TupleDesc	desc;
	bool		straight;		/* attribute i is column i, for all of them */
	bool		in_order;		/* attribute i is the i-th of the used columns, and those are the first attributes */
	int			n;				/* columns that are used, by ... */
	uint16		feature[JJ_FEATURES];	/* ... their numbers */
	uint16		attribute[JJ_FEATURES];
	int			place[JJ_FEATURES]; /* attribute of a column, -1 if it isn't used */
	jj_feature_set made;		/* used columns whose datums are not their values in the row */
	int			n_int2;			/* used columns of that type */
	int			n_int4;
	int			n_bool;
	uint16		int2[JJ_FEATURES];
	uint16		int4[JJ_FEATURES];
	uint16		boolean[JJ_FEATURES];
	int			n_runs;			/* of the used columns */
	run			runs[JJ_FEATURES];
	char	   *header;			/* of jj_row_composite */
	Size		header_size;
	char	   *tuple;
	Size		tuple_size;
	Datum	   *values;
	bool	   *nulls;
};

static storing
storing_of(jj_type type)
{
	switch (type)
	{
		case JJ_BOOL:
			return STORE_1;
		case JJ_INT2:
			return STORE_2;
		case JJ_INT4:
			return STORE_4;
		case JJ_INT8:
		case JJ_FLOAT8:
			return STORE_8;
		case JJ_TIMESTAMPTZ:
			return STORE_TIME;
		case JJ_MACADDR:
			return STORE_MAC;
		case JJ_FLOAT8_ARRAY:
			return STORE_DOUBLE_ALIGNED;
		default:
			return STORE_INT_ALIGNED;
	}
}

static bool
is_made(jj_type type)
{
	switch (type)
	{
		case JJ_BOOL:
		case JJ_INT2:
		case JJ_INT4:
			return false;
		case JJ_INT8:
		case JJ_FLOAT8:
#ifdef WIDE_DATUMS
			return false;
#endif
		default:
			return true;
	}
}

/* Divide the used columns into runs. */
static void
make_runs(jj_row_plan *p)
{
	for (int f = 0; f < JJ_FEATURES; f++)
	{
		const storing store = storing_of((jj_type) jj_feature_table[f].type);
		run		   *r = &p->runs[p->n_runs];

		if (p->place[f] < 0)
			continue;
		if (f % 64 != 0 && p->n_runs > 0 && r[-1].store == store && r[-1].first + r[-1].n == f)
			r[-1].n++;
		else
		{
			r->store = (uint8) store;
			r->n = 1;
			r->first = (uint16) f;
			p->n_runs++;
		}
	}
}

jj_row_plan *
jj_row_plan_make(const int column[JJ_FEATURES], TupleDesc desc)
{
	jj_row_plan *p = palloc0(sizeof(jj_row_plan));

	p->desc = desc;
#ifdef WIDE_DATUMS
	p->straight = desc->natts == JJ_FEATURES;
	p->in_order = true;
#endif
	for (int f = 0; f < JJ_FEATURES; f++)
	{
		const jj_type type = (jj_type) jj_feature_table[f].type;

		p->place[f] = column[f];
		p->straight = p->straight && column[f] == f;
		if (column[f] < 0)
			continue;
		/* of plain storage, values of variable length have no short headers */
		p->in_order = p->in_order && column[f] == p->n
			&& (TupleDescAttr(desc, column[f])->attlen > 0 || TupleDescAttr(desc, column[f])->attstorage != TYPSTORAGE_PLAIN);
		p->feature[p->n] = (uint16) f;
		p->attribute[p->n++] = (uint16) column[f];
		if (is_made(type))
			jj_set_add(&p->made, (unsigned) f);
		else if (type == JJ_INT2)
			p->int2[p->n_int2++] = (uint16) f;
		else if (type == JJ_INT4)
			p->int4[p->n_int4++] = (uint16) f;
		else if (type == JJ_BOOL)
			p->boolean[p->n_bool++] = (uint16) f;
	}
	make_runs(p);
	return p;
}

/* ---- values */

/* Whether a value, present or not, doesn't fit its type; bias makes the fitting ones those from 0 to 2^bits - 1. */
static bool
any_beyond(const jj_row *row, const uint16 *features, int n, int64 bias, int bits)
{
	uint64		beyond = 0;

	for (int i = 0; i < n; i++)
		beyond |= (uint64) (row->value[features[i]].i + bias) >> bits;
	return beyond != 0;
}

static void
check_range(const jj_row *row, const uint16 *features, int n, int64 min, int64 max)
{
	for (int i = 0; i < n; i++)
	{
		const int64 value = row->value[features[i]].i;

		if (jj_row_has(row, features[i]) && (value < min || value > max))
			ereport(ERROR,
					(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
					 errmsg("value " INT64_FORMAT " of column \"%s\" is out of range for type %s", value,
							jj_feature_table[features[i]].name, jj_type_sql((jj_type) jj_feature_table[features[i]].type))));
	}
}

/* All integers that are used fit their types. */
static void
check_integers(const jj_row_plan *p, const jj_row *row)
{
	if (unlikely(any_beyond(row, p->int2, p->n_int2, -(int64) PG_INT16_MIN, 16)))
		check_range(row, p->int2, p->n_int2, PG_INT16_MIN, PG_INT16_MAX);
	if (unlikely(any_beyond(row, p->int4, p->n_int4, -(int64) PG_INT32_MIN, 32)))
		check_range(row, p->int4, p->n_int4, PG_INT32_MIN, PG_INT32_MAX);
	if (unlikely(any_beyond(row, p->boolean, p->n_bool, 0, 1)))
		check_range(row, p->boolean, p->n_bool, 0, 1);
}

/* The datum of a column that is present and made: in the row, or palloc'd. */
static Datum
make_datum(const jj_row *row, unsigned f)
{
	const jj_type type = (jj_type) jj_feature_table[f].type;
	uint32		size;
	uint8	   *bytes;

	switch (type)
	{
		case JJ_INT8:
			return Int64GetDatum(row->value[f].i);
		case JJ_FLOAT8:
			return Float8GetDatum(row->value[f].d);
		case JJ_TIMESTAMPTZ:
			return TimestampTzGetDatum(row->value[f].i - JJ_EPOCH_SHIFT);
		default:
			break;
	}
	bytes = (uint8 *) jj_row_bytes(row, f, &size);
	switch (type)
	{
		case JJ_MACADDR:
			return PointerGetDatum(bytes);
		case JJ_INET:
			return jj_inet_in_place(bytes, size);
		case JJ_TEXT:
			return jj_text_in_place(bytes, size);
		case JJ_BYTEA:
			return jj_varlena_in_place(bytes, size);
		case JJ_JSONB:
			return jj_jsonb_datum((const char *) bytes, size);
		case JJ_FLOAT8_ARRAY:
			return jj_array_in_place(bytes, size, sizeof(float8), FLOAT8OID);
		case JJ_INT4_ARRAY:
			return jj_array_in_place(bytes, size, sizeof(int32), INT4OID);
		case JJ_INT2_ARRAY:
			return jj_array_in_place(bytes, size, sizeof(int16), INT2OID);
		case JJ_TEXT_ARRAY:
			return jj_text_array(bytes, size);
		case JJ_INET_ARRAY:
			return jj_inet_array(bytes, size);
		default:
			elog(ERROR, "column \"%s\" has no known type", jj_feature_table[f].name);
	}
}

/* One byte for each column: whether it is NULL. */
static void
spread_nulls(const jj_feature_set *present, bool *nulls)
{
#ifdef WORDS_BIGENDIAN
	const uint64 one_each = UINT64CONST(0x0102040810204080);
#else
	const uint64 one_each = UINT64CONST(0x8040201008040201);
#endif
	const uint64 ones = UINT64CONST(0x0101010101010101);
	int			f = 0;

	/* each byte keeps one of the eight bits, which is carried to its top, and down to its bottom */
	for (; f + 8 <= JJ_FEATURES; f += 8)
	{
		uint64		eight = (present->word[f / 64] >> f % 64 & 0xff) * ones & one_each;

		eight = ((eight + 0x7f * ones) >> 7 & ones) ^ ones;
		memcpy(nulls + f, &eight, sizeof(eight));
	}
	for (; f < JJ_FEATURES; f++)
		nulls[f] = !jj_set_has(present, (unsigned) f);
}

StaticAssertDecl(sizeof(bool) == 1, "bool must be a byte");

void
jj_row_fill(const jj_row_plan *p, const jj_row *row, Datum *values, bool *nulls)
{
	check_integers(p, row);
	if (p->straight)
	{
		memcpy(values, row->value, sizeof(row->value));
		spread_nulls(&row->present, nulls);
	}
	else
	{
		if (p->n < p->desc->natts)
			memset(nulls, true, sizeof(bool) * (size_t) p->desc->natts);
		for (int i = 0; i < p->n; i++)
		{
			values[p->attribute[i]] = (Datum) row->value[p->feature[i]].i;
			nulls[p->attribute[i]] = !jj_row_has(row, p->feature[i]);
		}
	}
	for (size_t i = 0; i < lengthof(row->present.word); i++)
		for (uint64 rest = row->present.word[i] & p->made.word[i]; rest != 0; rest &= rest - 1)
		{
			const unsigned f = (unsigned) (64 * i) + (unsigned) pg_rightmost_one_pos64(rest);

			values[p->place[f]] = make_datum(row, f);
		}
}

/* ---- composite values */

/* Make the tuple's memory so large that there is room for more bytes behind those that are used, and for all plain numbers. */
static char *
make_room(jj_row_plan *p, Size used, Size more)
{
	const Size	size = used + more + 16 * JJ_FEATURES;

	if (size <= p->tuple_size)
		return p->tuple + used;
	/* beside the plan: rows have memory of their own */
	if (p->tuple == NULL)
		p->tuple = MemoryContextAlloc(GetMemoryChunkContext(p), 2 * size);
	else
		p->tuple = repalloc(p->tuple, 2 * size);
	p->tuple_size = 2 * size;
	return p->tuple + used;
}

/* The next place of that alignment, with zeroes on the way. */
static inline char *
aligned(char *to, uintptr_t alignment)
{
	memset(to, 0, 8);
	return (char *) TYPEALIGN(alignment, to);
}

static char *
store_varlena(jj_row_plan *p, char *to, Datum datum, uintptr_t alignment)
{
	const char *const from = DatumGetPointer(datum);
	Size		size;

	if (VARATT_IS_SHORT(from))
	{
		size = VARSIZE_SHORT(from);
		to = make_room(p, (Size) (to - p->tuple), size);
		memcpy(to, from, size);
	}
	else if (VARATT_CAN_MAKE_SHORT(from))
	{
		size = VARATT_CONVERTED_SHORT_SIZE(from);
		to = make_room(p, (Size) (to - p->tuple), size);
		SET_VARSIZE_SHORT(to, size);
		memcpy(to + 1, VARDATA(from), size - 1);
	}
	else
	{
		size = VARSIZE(from);
		to = aligned(make_room(p, (Size) (to - p->tuple), size), alignment);
		memcpy(to, from, size);
	}
	return to + size;
}

/* Store the run's values that are present, one behind the other. */
#define STORE_PLAIN(type, value) \
	do { \
		type	   *at = (type *) to; \
		if (bits == all) \
			for (unsigned k = 0; k < r->n; k++) \
				*at++ = (type) (value); \
		else \
			for (uint64 rest = bits; rest != 0; rest &= rest - 1) \
			{ \
				const unsigned k = (unsigned) pg_rightmost_one_pos64(rest); \
				*at++ = (type) (value); \
			} \
		to = (char *) at; \
	} while (0)

static char *
store_columns(jj_row_plan *p, const jj_row *row, char *to)
{
	for (int i = 0; i < p->n_runs; i++)
	{
		const run  *const r = &p->runs[i];
		const jj_value *const v = &row->value[r->first];
		const uint64 all = ~UINT64CONST(0) >> (64 - r->n);
		const uint64 bits = row->present.word[r->first / 64] >> r->first % 64 & all;

		if (bits == 0)
			continue;
		switch ((storing) r->store)
		{
			case STORE_1:
				STORE_PLAIN(int8, v[k].i);
				break;
			case STORE_2:
				to = aligned(to, 2);
				STORE_PLAIN(int16, v[k].i);
				break;
			case STORE_4:
				to = aligned(to, 4);
				STORE_PLAIN(int32, v[k].i);
				break;
			case STORE_8:
				to = aligned(to, 8);
				STORE_PLAIN(int64, v[k].i);
				break;
			case STORE_TIME:
				to = aligned(to, 8);
				STORE_PLAIN(int64, v[k].i - JJ_EPOCH_SHIFT);
				break;
			default:
				for (uint64 rest = bits; rest != 0; rest &= rest - 1)
				{
					const unsigned f = r->first + (unsigned) pg_rightmost_one_pos64(rest);
					const Datum datum = make_datum(row, f);

					if (r->store != STORE_MAC)
						to = store_varlena(p, to, datum, r->store == STORE_DOUBLE_ALIGNED ? 8 : 4);
					else
					{
						to = aligned(to, 4);
						memcpy(to, DatumGetPointer(datum), sizeof(macaddr));
						to += sizeof(macaddr);
					}
				}
		}
	}
	return to;
}

/* What all tuples of the row type have in their headers: only the server knows. */
static void
take_header(jj_row_plan *p)
{
	HeapTuple	tuple;

	memset(p->nulls, true, sizeof(bool) * (size_t) p->desc->natts);
	tuple = heap_form_tuple(p->desc, p->values, p->nulls);
	p->header_size = tuple->t_data->t_hoff;
	p->header = MemoryContextAlloc(GetMemoryChunkContext(p), p->header_size);
	memcpy(p->header, tuple->t_data, p->header_size);
	heap_freetuple(tuple);
}

/* The header is there; the bits of columns that are present. How many are. */
static int
store_bits(const jj_row_plan *p, const jj_row *row, bool more, bits8 *bitmap)
{
	uint64		words[JJ_FEATURES / 64 + 3] = {0};
	unsigned	at = 0;
	int			n_present = 0;

	for (int i = 0; i < p->n_runs; i++)
	{
		const run  *const r = &p->runs[i];
		const uint64 bits = row->present.word[r->first / 64] >> r->first % 64 & ~UINT64CONST(0) >> (64 - r->n);

		words[at / 64] |= bits << at % 64;
		if (at % 64 + r->n > 64)
			words[at / 64 + 1] |= bits >> (64 - at % 64);
		at += r->n;
	}
	words[at / 64] |= (uint64) more << at % 64;
	for (unsigned i = 0; i < lengthof(words); i++)
		n_present += pg_popcount64(words[i]);
	for (int i = 0; i < BITMAPLEN(p->desc->natts); i++)
		bitmap[i] = (bits8) (words[i / 8] >> i % 8 * 8);
	return n_present;
}

/* As heap_form_tuple does, from the row itself and, if there is one more attribute, its value; the tuple's size. */
static Size
form_in_order(jj_row_plan *p, const jj_row *row, const int64 *more)
{
	HeapTupleHeader tuple;
	char	   *to;

	check_integers(p, row);
	to = store_columns(p, row, make_room(p, 0, p->header_size) + p->header_size);
	if (more != NULL)
	{
		to = aligned(to, 8);
		memcpy(to, more, sizeof(*more));
		to += sizeof(*more);
	}
	memcpy(p->tuple, p->header, p->header_size);
	tuple = (HeapTupleHeader) p->tuple;
	if (store_bits(p, row, more != NULL, tuple->t_bits) == p->desc->natts)
		tuple->t_infomask &= ~HEAP_HASNULL;
	tuple->t_infomask |= HEAP_HASVARWIDTH;
	return (Size) (to - p->tuple);
}

/* What forming tuples needs, made when it is first needed. */
static void
prepare_forming(jj_row_plan *p)
{
	const MemoryContext context = GetMemoryChunkContext(p);

	if (p->values != NULL)
		return;
	p->values = MemoryContextAllocZero(context, sizeof(Datum) * (size_t) p->desc->natts);
	p->nulls = MemoryContextAlloc(context, sizeof(bool) * (size_t) p->desc->natts);
	if (p->in_order)
		take_header(p);
}

Datum
jj_row_composite(jj_row_plan *p, const jj_row *row)
{
	prepare_forming(p);
	if (p->straight && p->in_order)
	{
		const Size	size = form_in_order(p, row, NULL);

		HeapTupleHeaderSetDatumLength((HeapTupleHeader) p->tuple, size);
		return PointerGetDatum(p->tuple);
	}
	jj_row_fill(p, row, p->values, p->nulls);
	return HeapTupleGetDatum(heap_form_tuple(p->desc, p->values, p->nulls));
}

HeapTuple
jj_row_tuple(jj_row_plan *p, const jj_row *row, int number_attribute, int64 number)
{
	const bool	numbered = number_attribute >= 0;

	prepare_forming(p);
	if (p->in_order && p->n + numbered == p->desc->natts && (!numbered || number_attribute == p->n))
	{
		const Size	size = form_in_order(p, row, numbered ? &number : NULL);
		HeapTuple	tuple = palloc(HEAPTUPLESIZE + size);

		tuple->t_len = (uint32) size;
		ItemPointerSetInvalid(&tuple->t_self);
		tuple->t_tableOid = InvalidOid;
		tuple->t_data = (HeapTupleHeader) ((char *) tuple + HEAPTUPLESIZE);
		memcpy(tuple->t_data, p->tuple, size);
		return tuple;
	}
	jj_row_fill(p, row, p->values, p->nulls);
	if (numbered)
	{
		p->values[number_attribute] = Int64GetDatum(number);
		p->nulls[number_attribute] = false;
	}
	return heap_form_tuple(p->desc, p->values, p->nulls);
}
