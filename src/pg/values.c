/*
 * Values of the engine to datums.
 */
#include "pg/pg.h"

#include <sys/socket.h>

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/inet.h"

/* ---- copies */

TimestampTz
jj_timestamp(int64 ns)
{
	return ns / 1000 - (ns % 1000 < 0) - JJ_EPOCH_SHIFT;
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
jj_mac_datum(const uint8 *bytes)
{
	macaddr    *m = palloc(sizeof(macaddr));

	memcpy(m, bytes, sizeof(macaddr));
	return MacaddrPGetDatum(m);
}

Datum
jj_bytea_datum(const uint8 *bytes, uint32 size)
{
	return PointerGetDatum(cstring_to_text_with_len((const char *) bytes, (int) size));
}

Datum
jj_jsonb_datum(const char *bytes, size_t size)
{
	size_t		n;

	return DirectFunctionCall1(jsonb_in, CStringGetDatum(jj_from_utf8(bytes, size, &n)));
}

/* ---- arrays of what has no fixed size: elements with headers of four bytes, aligned to four */

/* An array of n elements, size bytes of them with their alignment, zeroed. *data is where they go, *nulls the bitmap if there is one. */
static ArrayType *
make_array(Oid type, int n, Size size, bool has_nulls, char **data, bits8 **nulls)
{
	const Size	header = has_nulls ? ARR_OVERHEAD_WITHNULLS(1, n) : ARR_OVERHEAD_NONULLS(1);
	ArrayType  *array = palloc0(header + size);

	SET_VARSIZE(array, header + size);
	array->ndim = 1;
	array->dataoffset = has_nulls ? (int32) header : 0;
	array->elemtype = type;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	*data = ARR_DATA_PTR(array);
	*nulls = ARR_NULLBITMAP(array);
	return array;
}

Datum
jj_text_array(const uint8 *bytes, uint32 size)
{
	const uint8 *const end = bytes + size;
	ArrayType  *array;
	bits8	   *bitmap;
	char	   *to;
	uint32		length;
	Size		room = 0;
	int			n = 0;
	bool		has_nulls = false;
	bool		plain = true;

	for (const uint8 *b = bytes; b < end; b += length, n++)
	{
		memcpy(&length, b, sizeof(length));
		b += sizeof(length);
		if (length == JJ_NULL_ELEMENT)
		{
			has_nulls = true;
			length = 0;
			continue;
		}
		plain = plain && jj_is_plain((const char *) b, length);
		room += INTALIGN(VARHDRSZ + length);
	}
	if (n == 0)
		return PointerGetDatum(construct_empty_array(TEXTOID));
	if (!plain)
	{
		Datum	   *elements = palloc(sizeof(Datum) * (size_t) n);
		bool	   *nulls = palloc(sizeof(bool) * (size_t) n);
		int			lower = 1;

		for (int i = 0; i < n; i++, bytes += length)
		{
			memcpy(&length, bytes, sizeof(length));
			bytes += sizeof(length);
			nulls[i] = length == JJ_NULL_ELEMENT;
			length = nulls[i] ? 0 : length;
			elements[i] = nulls[i] ? (Datum) 0 : jj_text_datum((const char *) bytes, length);
		}
		return PointerGetDatum(construct_md_array(elements, nulls, 1, &n, &lower, TEXTOID, -1, false, TYPALIGN_INT));
	}
	array = make_array(TEXTOID, n, room, has_nulls, &to, &bitmap);
	for (int i = 0; i < n; i++, bytes += length)
	{
		memcpy(&length, bytes, sizeof(length));
		bytes += sizeof(length);
		if (length == JJ_NULL_ELEMENT)
		{
			length = 0;
			continue;
		}
		if (has_nulls)
			bitmap[i / 8] |= (bits8) (1 << i % 8);
		SET_VARSIZE(to, VARHDRSZ + length);
		memcpy(VARDATA(to), bytes, length);
		to += INTALIGN(VARHDRSZ + length);
	}
	return PointerGetDatum(array);
}

Datum
jj_inet_array(const uint8 *bytes, uint32 size)
{
	const Size	head = offsetof(inet_struct, ipaddr) + VARHDRSZ;
	const uint8 *const end = bytes + size;
	ArrayType  *array;
	bits8	   *bitmap;
	char	   *to;
	Size		room = 0;
	int			n = 0;

	for (const uint8 *b = bytes; b < end; b += 1 + *b, n++)
		room += INTALIGN(head + *b);
	if (n == 0)
		return PointerGetDatum(construct_empty_array(INETOID));
	array = make_array(INETOID, n, room, false, &to, &bitmap);
	for (; bytes < end; bytes += 1 + *bytes)
	{
		inet	   *address = (inet *) to;

		SET_VARSIZE(address, head + *bytes);
		ip_family(address) = *bytes == 4 ? PGSQL_AF_INET : PGSQL_AF_INET6;
		ip_bits(address) = ip_maxbits(address);
		memcpy(ip_addr(address), bytes + 1, *bytes);
		to += INTALIGN(head + *bytes);
	}
	return PointerGetDatum(array);
}

/* ---- in place: headers go in front of the bytes, which are aligned to 8 and have JJ_ROW_HEADROOM there */

StaticAssertDecl(JJ_ROW_HEADROOM % MAXIMUM_ALIGNOF == 0 && JJ_ROW_HEADROOM >= ARR_OVERHEAD_NONULLS(1), "arrays need more room in front of their elements");

Datum
jj_varlena_in_place(void *bytes, uint32 size)
{
	char	   *datum = bytes;

	if (size + VARHDRSZ_SHORT <= VARATT_SHORT_MAX)
	{
		datum -= VARHDRSZ_SHORT;
		SET_VARSIZE_SHORT(datum, size + VARHDRSZ_SHORT);
	}
	else
	{
		datum -= VARHDRSZ;
		SET_VARSIZE(datum, size + VARHDRSZ);
	}
	return PointerGetDatum(datum);
}

Datum
jj_text_in_place(void *bytes, uint32 size)
{
	return jj_is_plain(bytes, size) ? jj_varlena_in_place(bytes, size) : jj_text_datum(bytes, size);
}

Datum
jj_inet_in_place(void *bytes, uint32 size)
{
	uint8	   *address = (uint8 *) bytes - offsetof(inet_struct, ipaddr);

	Assert(size == 4 || size == 16);
	address[offsetof(inet_struct, family)] = size == 4 ? PGSQL_AF_INET : PGSQL_AF_INET6;
	address[offsetof(inet_struct, bits)] = (uint8) (size * 8);
	return jj_varlena_in_place(address, (uint32) offsetof(inet_struct, ipaddr) + size);
}

Datum
jj_array_in_place(void *bytes, uint32 size, uint32 width, Oid type)
{
	const Size	header = size == 0 ? sizeof(ArrayType) : ARR_OVERHEAD_NONULLS(1);
	ArrayType  *array = (ArrayType *) ((char *) bytes - header);

	SET_VARSIZE(array, header + size);
	array->ndim = size == 0 ? 0 : 1;
	array->dataoffset = 0;
	array->elemtype = type;
	if (size > 0)
	{
		ARR_DIMS(array)[0] = (int) (size / width);
		ARR_LBOUND(array)[0] = 1;
	}
	return PointerGetDatum(array);
}
