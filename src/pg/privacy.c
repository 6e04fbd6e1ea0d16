/*
 * Anonymisation: its key, who may use it, and pseudonyms of single addresses.
 *
 * Whoever can have addresses of his choice anonymised can find out which
 * pseudonym is whose, so it is for those who may read captures anyway.
 */
#include "pg/pg.h"

#include <sys/socket.h>

#include "catalog/pg_authid.h"
#include "features/anonymize.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inet.h"
#include "utils/memutils.h"

PG_FUNCTION_INFO_V1(jj_anonymize_inet);
PG_FUNCTION_INFO_V1(jj_anonymize_macaddr);
PG_FUNCTION_INFO_V1(jj_privacy);

#define SETTING "joyfuljay.anonymization_key"

static char *key_setting;
static GucSource key_source = PGC_S_DEFAULT;
static bool preloaded;			/* by shared_preload_libraries */

/* ---- setting */

/* Values for roles, databases and functions are in catalogs that everyone reads. */
static bool
check_key(char **text, void **extra, GucSource source)
{
	GucSource  *kept = jj_guc_malloc(sizeof(GucSource));

	if (kept == NULL)
		return false;
	*kept = source;
	*extra = kept;
	switch (source)
	{
		case PGC_S_TEST:
		case PGC_S_GLOBAL:
		case PGC_S_DATABASE:
		case PGC_S_USER:
		case PGC_S_DATABASE_USER:
			if ((*text)[0] == '\0')
				return true;
			GUC_check_errmsg("parameter \"" SETTING "\" can't be set for a database, role or function");
			GUC_check_errdetail("Every role could read it there.");
			GUC_check_errhint("Set it in postgresql.conf.");
			return false;
		default:
			return true;
	}
}

static void
assign_key(const char *text pg_attribute_unused(), void *extra)
{
	key_source = extra == NULL ? PGC_S_DEFAULT : *(GucSource *) extra;
}

void
jj_privacy_init(void)
{
	preloaded = process_shared_preload_libraries_in_progress;
	DefineCustomStringVariable(SETTING, "Secret that pseudonyms of addresses are made with (option anonymize_ips).",
							   "64 hexadecimal digits are a Crypto-PAn key, any other text is a secret from which one is made.",
							   &key_setting, "", PGC_SUSET, GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE,
							   check_key, assign_key, NULL);
}

/* Whether the setting has had its protection from the beginning of the session, or is this session's own. */
static bool
key_was_hidden(void)
{
	const char *libraries;

	if (preloaded || key_source > PGC_S_ARGV)
		return true;
	libraries = GetConfigOption("session_preload_libraries", true, false);
	return libraries != NULL && strstr(libraries, "joyfuljay") != NULL;
}

void
jj_privacy_key(const char *salt, uint8 key[JJ_CRYPTOPAN_KEY])
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be superuser or have privileges of the pg_read_server_files role to anonymize addresses"),
				 errdetail("Whoever can anonymize addresses of his choice can find out which pseudonym is whose.")));
	if (key_setting == NULL || key_setting[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("anonymization needs a key, and parameter \"" SETTING "\" is empty"),
				 errhint("Set it in postgresql.conf, for example to the output of \"openssl rand -hex 32\", and reload.")));
	if (!key_was_hidden())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("parameter \"" SETTING "\" is readable by everyone"),
				 errdetail("Only the library knows that it is secret, and in a session that has not loaded it any role can show it."),
				 errhint("Add joyfuljay to shared_preload_libraries or session_preload_libraries in postgresql.conf, and change the key.")));
	if (!jj_cryptopan_key(key_setting, strlen(key_setting), salt, strlen(salt), key))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("libcrypto does not offer HMAC-SHA-256, which anonymization needs")));
}

/* ---- pseudonyms of single addresses */

/* What a call site keeps: the key of its last call. */
typedef struct pseudonyms
{
	jj_cryptopan *cryptopan;	/* NULL before the first call */
	uint8		key[JJ_CRYPTOPAN_KEY];
	MemoryContextCallback callback;
} pseudonyms;

static void
close_pseudonyms(void *arg)
{
	pseudonyms *p = arg;

	jj_cryptopan_close(p->cryptopan);
	explicit_bzero(p->key, sizeof(p->key));
	p->cryptopan = NULL;
}

static jj_cryptopan *
pseudonyms_of(FunctionCallInfo fcinfo, const char *salt)
{
	pseudonyms *p = fcinfo->flinfo->fn_extra;
	jj_allocator a = jj_malloc_allocator();
	jj_error	error = {0};
	uint8		key[JJ_CRYPTOPAN_KEY];

	jj_privacy_key(salt, key);
	if (p == NULL)
	{
		p = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(pseudonyms));
		p->callback.func = close_pseudonyms;
		p->callback.arg = p;
		MemoryContextRegisterResetCallback(fcinfo->flinfo->fn_mcxt, &p->callback);
		fcinfo->flinfo->fn_extra = p;
	}
	if (p->cryptopan == NULL || memcmp(p->key, key, sizeof(key)) != 0)
	{
		close_pseudonyms(p);
		if (jj_cryptopan_open(&p->cryptopan, key, &a, &error) != JJ_OK)
			jj_raise(&error, NULL);
		memcpy(p->key, key, sizeof(key));
	}
	explicit_bzero(key, sizeof(key));
	return p->cryptopan;
}

void
jj_privacy_check(const jj_cryptopan *c)
{
	if (jj_cryptopan_failed(c))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("libcrypto failed to encrypt, which anonymization needs")));
}

/* Make the bits behind the first n of size bytes zero; false if they are. */
static bool
clear_behind(uint8 *address, int n, int size)
{
	bool		any = false;

	for (int i = n; i < size * 8; i++)
	{
		const uint8 bit = (uint8) (0x80 >> i % 8);

		any |= (address[i / 8] & bit) != 0;
		address[i / 8] &= (uint8) ~bit;
	}
	return any;
}

/* A network, which has no bits behind its prefix, becomes one. */
Datum
jj_anonymize_inet(PG_FUNCTION_ARGS)
{
	const inet *given = PG_GETARG_INET_PP(0);
	jj_cryptopan *c = pseudonyms_of(fcinfo, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	inet	   *result = palloc0(sizeof(inet));
	uint8		host[16];

	ip_family(result) = ip_family(given);
	ip_bits(result) = ip_bits(given);
	SET_INET_VARSIZE(result);
	memcpy(host, ip_addr(given), (size_t) ip_addrsize(given));
	jj_cryptopan_ip(c, host, (unsigned) ip_addrsize(given), ip_addr(result));
	jj_privacy_check(c);
	if (!clear_behind(host, ip_bits(given), ip_addrsize(given)))
		clear_behind(ip_addr(result), ip_bits(given), ip_addrsize(given));
	PG_RETURN_INET_P(result);
}

Datum
jj_anonymize_macaddr(PG_FUNCTION_ARGS)
{
	const macaddr *given = PG_GETARG_MACADDR_P(0);
	jj_cryptopan *c = pseudonyms_of(fcinfo, text_to_cstring(PG_GETARG_TEXT_PP(1)));
	uint8		b[6] = {given->a, given->b, given->c, given->d, given->e, given->f};

	jj_cryptopan_mac(c, b, b);
	jj_privacy_check(c);
	PG_RETURN_DATUM(jj_mac_datum(b));
}

/* ---- what becomes of each column */

static void
put_line(ReturnSetInfo *rsinfo, const char *type, const char *column, const char *treatment, const char *remark)
{
	Datum		values[4] = {CStringGetTextDatum(type), CStringGetTextDatum(column), CStringGetTextDatum(treatment)};
	bool		nulls[4] = {false, false, false, remark == NULL};

	if (remark != NULL)
		values[3] = CStringGetTextDatum(remark);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
jj_privacy(PG_FUNCTION_ARGS)
{
	static const struct
	{
		const char *name;
		jj_type		type;
	}			packet_columns[] = {
#define JJ_COLUMN(name, type, definition) {#name, JJ_##type},
#include "pg/packets.def"
#undef JJ_COLUMN
	};
	ReturnSetInfo *rsinfo;
	const char *remark;

	InitMaterializedSRF(fcinfo, 0);
	rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	for (int f = 0; f < JJ_FEATURES; f++)
	{
		const jj_treatment t = jj_treatment_of((jj_feature) f, &remark);

		put_line(rsinfo, "jj_flow", jj_feature_table[f].name, jj_treatment_name[t], remark);
	}
	for (int i = 0; i < JJ_PACKET_COLUMNS; i++)
	{
		jj_treatment t = packet_columns[i].type == JJ_INET || packet_columns[i].type == JJ_MACADDR ? JJ_PSEUDONYM : JJ_UNTOUCHED;

		remark = NULL;
		if (i == JJ_PACKET_capture || i == JJ_PACKET_flow_capture)
			t = jj_treatment_of(JJ_F_capture, &remark);
		else if (i == JJ_PACKET_tcp_options)
		{
			t = JJ_RECOMPUTED;
			remark = "pseudonyms in ADD_ADDR of MPTCP";
		}
		put_line(rsinfo, "jj_packet", packet_columns[i].name, jj_treatment_name[t], remark);
	}
	return (Datum) 0;
}
