/*
 * Rows of the engine to tuples of jj_flow.
 */
#include "pg/pg.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* from 1970 to 2000, in microseconds */
#define EPOCH_SHIFT ((int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

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

TimestampTz
jj_timestamp(int64 ns)
{
	int64		us = ns / 1000 - (ns % 1000 < 0);

	return us - EPOCH_SHIFT;
}

Datum
jj_text_datum(const char *bytes, size_t size)
{
	size_t		n;
	char	   *converted = jj_from_utf8(bytes, size, &n);

	return PointerGetDatum(cstring_to_text_with_len(converted, (int) n));
}

Datum
jj_inet_datum(const uint8 *bytes, uint32 size)
{
	inet	   *address = palloc0(sizeof(inet));

	Assert(size == 4 || size == 16);
	ip_family(address) = size == 4 ? PGSQL_AF_INET : PGSQL_AF_INET6;
	ip_bits(address) = ip_maxbits(address);
	memcpy(ip_addr(address), bytes, ip_addrsize(address));
	SET_INET_VARSIZE(address);
	return InetPGetDatum(address);
}

Datum
jj_mac_datum(const uint8 *b)
{
	macaddr    *m = palloc(sizeof(macaddr));

	m->a = b[0];
	m->b = b[1];
	m->c = b[2];
	m->d = b[3];
	m->e = b[4];
	m->f = b[5];
	return MacaddrPGetDatum(m);
}

Datum
jj_plain_array(const void *bytes, uint32 size, uint32 width, Oid type)
{
	const size_t header = ARR_OVERHEAD_NONULLS(1);
	ArrayType  *array;

	if (size == 0)
		return PointerGetDatum(construct_empty_array(type));
	array = palloc0(header + size);
	SET_VARSIZE(array, header + size);
	array->ndim = 1;
	array->dataoffset = 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = (int) (size / width);
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), bytes, size);
	return PointerGetDatum(array);
}

static Datum
text_array(const uint8 *bytes, uint32 size)
{
	const uint8 *end = bytes + size;
	Datum	   *elements = palloc(sizeof(Datum) * (size / sizeof(uint32) + 1));
	bool	   *nulls = palloc(sizeof(bool) * (size / sizeof(uint32) + 1));
	int			lower = 1;
	int			n = 0;

	while (bytes < end)
	{
		uint32		length;

		memcpy(&length, bytes, sizeof(length));
		bytes += sizeof(length);
		nulls[n] = length == JJ_NULL_ELEMENT;
		elements[n] = nulls[n] ? (Datum) 0 : jj_text_datum((const char *) bytes, length);
		bytes += nulls[n] ? 0 : length;
		n++;
	}
	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	return PointerGetDatum(construct_md_array(elements, nulls, 1, &n, &lower, TEXTOID, -1, false, TYPALIGN_INT));
}

static Datum
inet_array(const uint8 *bytes, uint32 size)
{
	const uint8 *end = bytes + size;
	Datum	   *elements = palloc(sizeof(Datum) * (size / 5 + 1));
	int			n = 0;

	while (bytes < end)
	{
		elements[n++] = jj_inet_datum(bytes + 1, *bytes);
		bytes += 1 + *bytes;
	}
	return PointerGetDatum(construct_array(elements, n, INETOID, -1, false, TYPALIGN_INT));
}

static Datum
jsonb_datum(const char *bytes, size_t size)
{
	size_t		n;

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(jj_from_utf8(bytes, size, &n)));
}

Datum
jj_bytea_datum(const uint8 *bytes, uint32 size)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) bytes, (int) size));
}

static void
check_int(int64 value, int64 min, int64 max, int f)
{
	if (value < min || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value " INT64_FORMAT " of column \"%s\" is out of range for type %s", value,
						jj_feature_table[f].name, jj_type_sql((jj_type) jj_feature_table[f].type))));
}

static Datum
feature_datum(const jj_row *row, int f)
{
	const jj_value *v = &row->value[f];
	const jj_type type = (jj_type) jj_feature_table[f].type;
	const uint8 *bytes;
	uint32		size;

	switch (type)
	{
		case JJ_INT2:
			check_int(v->i, PG_INT16_MIN, PG_INT16_MAX, f);
			return Int16GetDatum((int16) v->i);
		case JJ_INT4:
			check_int(v->i, PG_INT32_MIN, PG_INT32_MAX, f);
			return Int32GetDatum((int32) v->i);
		case JJ_INT8:
			return Int64GetDatum(v->i);
		case JJ_BOOL:
			return BoolGetDatum(v->i != 0);
		case JJ_FLOAT8:
			return Float8GetDatum(v->d);
		case JJ_TIMESTAMPTZ:
			return TimestampTzGetDatum(v->i - EPOCH_SHIFT);
		default:
			break;
	}
	bytes = jj_row_bytes(row, (unsigned) f, &size);
	switch (type)
	{
		case JJ_MACADDR:
			return jj_mac_datum(bytes);
		case JJ_INET:
			return jj_inet_datum(bytes, size);
		case JJ_TEXT:
			return jj_text_datum((const char *) bytes, size);
		case JJ_BYTEA:
			return jj_bytea_datum(bytes, size);
		case JJ_JSONB:
			return jsonb_datum((const char *) bytes, size);
		case JJ_FLOAT8_ARRAY:
			return jj_plain_array(bytes, size, sizeof(float8), FLOAT8OID);
		case JJ_INT4_ARRAY:
			return jj_plain_array(bytes, size, sizeof(int32), INT4OID);
		case JJ_INT2_ARRAY:
			return jj_plain_array(bytes, size, sizeof(int16), INT2OID);
		case JJ_TEXT_ARRAY:
			return text_array(bytes, size);
		case JJ_INET_ARRAY:
			return inet_array(bytes, size);
		default:
			elog(ERROR, "column \"%s\" has no known type", jj_feature_table[f].name);
	}
}

void
jj_row_fill(const jj_row *row, const int column[JJ_FEATURES], int natts, Datum *values, bool *nulls)
{
	memset(nulls, true, sizeof(bool) * (size_t) natts);
	for (size_t i = 0; i < lengthof(row->present.word); i++)
	{
		for (uint64 rest = row->present.word[i]; rest != 0; rest &= rest - 1)
		{
			int			f = (int) (64 * i) + pg_rightmost_one_pos64(rest);

			if (column[f] < 0)
				continue;
			values[column[f]] = feature_datum(row, f);
			nulls[column[f]] = false;
		}
	}
}
