/*
 * Texts between UTF-8, which the engine speaks, and the server's encoding.
 */
#include "pg/pg.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#define HIGH_BITS UINT64CONST(0x8080808080808080)

static bool
is_plain_ascii(const char *bytes, size_t size)
{
	uint64		high = 0;

	/* eight at a time: adding 0x7f to its lower bits sets the high bit of each byte unless those are zero */
	for (; size >= sizeof(uint64); bytes += sizeof(uint64), size -= sizeof(uint64))
	{
		uint64		word;

		memcpy(&word, bytes, sizeof(word));
		high |= word | ~((word & ~HIGH_BITS) + ~HIGH_BITS);
	}
	for (size_t i = 0; i < size; i++)
		if (bytes[i] == '\0' || IS_HIGHBIT_SET(bytes[i]))
			return false;
	return (high & HIGH_BITS) == 0;
}

/* Append bytes in an encoding, with \xHH for those that are not valid in it. */
static void
append_valid(StringInfo to, int encoding, const char *bytes, size_t size)
{
	while (size > 0)
	{
		int			valid = pg_encoding_verifymbstr(encoding, bytes, (int) size);

		appendBinaryStringInfo(to, bytes, valid);
		bytes += valid;
		size -= (size_t) valid;
		if (size > 0)
		{
			appendStringInfo(to, "\\x%02X", (unsigned char) *bytes);
			bytes++;
			size--;
		}
	}
}

/* Append valid UTF-8 in another encoding, with \uXXXX for characters which that doesn't have. */
static void
append_converted(StringInfo to, int encoding, char *bytes, int size)
{
	Oid			proc = FindDefaultConversionProc(PG_UTF8, encoding);

	while (size > 0)
	{
		const int	room = size * MAX_CONVERSION_GROWTH + 1;
		int			done = 0;

		if (OidIsValid(proc))
		{
			enlargeStringInfo(to, room);
			done = pg_do_encoding_conversion_buf(proc, PG_UTF8, encoding, (unsigned char *) bytes, size,
												 (unsigned char *) to->data + to->len, room, true);
			to->len += (int) strlen(to->data + to->len);
			bytes += done;
			size -= done;
		}
		if (size > 0)
		{
			int			length = pg_utf_mblen((unsigned char *) bytes);

			appendStringInfo(to, "\\u%04X", (unsigned) utf8_to_unicode((unsigned char *) bytes));
			bytes += length;
			size -= length;
		}
	}
}

bool
jj_is_plain(const char *bytes, size_t size)
{
	const int	encoding = GetDatabaseEncoding();

	return is_plain_ascii(bytes, size)
		|| ((encoding == PG_UTF8 || encoding == PG_SQL_ASCII) && pg_encoding_verifymbstr(PG_UTF8, bytes, (int) size) == (int) size);
}

char *
jj_from_utf8(const char *bytes, size_t size, size_t *result_size)
{
	const int	encoding = GetDatabaseEncoding();
	StringInfoData valid;

	if (is_plain_ascii(bytes, size))
	{
		*result_size = size;
		return pnstrdup(bytes, size);
	}
	initStringInfo(&valid);
	append_valid(&valid, PG_UTF8, bytes, size);
	if (encoding != PG_UTF8 && encoding != PG_SQL_ASCII)
	{
		StringInfoData converted;

		initStringInfo(&converted);
		append_converted(&converted, encoding, valid.data, valid.len);
		pfree(valid.data);
		valid = converted;
	}
	*result_size = (size_t) valid.len;
	return valid.data;
}

char *
jj_to_utf8(const char *text)
{
	int			encoding = GetDatabaseEncoding();
	const size_t size = strlen(text);
	StringInfoData valid;

	if (is_plain_ascii(text, size))
		return pstrdup(text);
	if (encoding == PG_SQL_ASCII)
		encoding = PG_UTF8;
	initStringInfo(&valid);
	append_valid(&valid, encoding, text, size);
	if (encoding == PG_UTF8)
		return valid.data;
	return (char *) pg_do_encoding_conversion((unsigned char *) valid.data, valid.len, encoding, PG_UTF8);
}

char *
jj_shown(const char *text)
{
	const int	encoding = GetDatabaseEncoding();
	StringInfoData valid;

	initStringInfo(&valid);
	append_valid(&valid, encoding, text, strlen(text));
	return valid.data;
}
