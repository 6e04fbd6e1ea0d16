/*
 * Names of SSH: key types, ciphers, and what two name-lists have in common.
 */
#include "extractors/ssh_side.h"

#include <string.h>

#define COMPARISONS (1u << 18)

static bool
is_name(jj_ssh_name x, const char *name)
{
	return x.n == strlen(name) && memcmp(x.bytes, name, x.n) == 0;
}

static bool
begins(jj_ssh_name x, const char *prefix)
{
	return x.n >= strlen(prefix) && memcmp(x.bytes, prefix, strlen(prefix)) == 0;
}

/* Public key algorithms that are the type of a key (IANA, Secure Shell (SSH) Protocol Parameters; OpenSSH, PROTOCOL.certkeys, PROTOCOL.u2f). */
static const char *const key_types[] = {
	"ssh-ed25519", "ssh-rsa", "ssh-dss", "ssh-ed448", "rsa-sha2-256", "rsa-sha2-512",
	"sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
	"ssh-rsa-cert-v01@openssh.com", "ssh-dss-cert-v01@openssh.com", "ssh-ed25519-cert-v01@openssh.com",
	"sk-ssh-ed25519-cert-v01@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
	"x509v3-ssh-dss", "x509v3-ssh-rsa", "x509v3-rsa2048-sha256", "x509v3-sign-rsa", "x509v3-sign-dss",
	"pgp-sign-rsa", "pgp-sign-dss", "spki-sign-rsa", "spki-sign-dss",
};

bool
jj_ssh_is_key(const uint8_t *b, uint32_t n)
{
	uint32_t	size;
	jj_ssh_name type;

	if (n < 4)
		return false;
	size = (uint32_t) b[0] << 24 | (uint32_t) b[1] << 16 | (uint32_t) b[2] << 8 | b[3];
	if (size > n - 4)
		return false;
	type = (jj_ssh_name) {b + 4, size};

	/* the curve follows by name or number (RFC 5656 3.1, RFC 6187 3.4) */
	if (begins(type, "ecdsa-sha2-") || begins(type, "x509v3-ecdsa-sha2-"))
		return true;
	for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++)
		if (is_name(type, key_types[i]))
			return true;
	return false;
}

/* Ciphers that authenticate by themselves (RFC 5647; OpenSSH, PROTOCOL 1.6 and PROTOCOL.chacha20poly1305). */
static bool
is_aead(jj_ssh_name x)
{
	static const char *const name[] = {
		"aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "chacha20-poly1305",
		"AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "aes128-gcm", "aes256-gcm",
	};

	for (size_t i = 0; x.bytes != NULL && i < sizeof(name) / sizeof(name[0]); i++)
		if (is_name(x, name[i]))
			return true;
	return false;
}

/* Take the first name off a list; false at its end. */
static bool
next_name(jj_ssh_name *list, jj_ssh_name *name)
{
	const uint8_t *comma;

	if (list->bytes == NULL)
		return false;
	comma = list->n > 0 ? memchr(list->bytes, ',', list->n) : NULL;
	name->bytes = list->bytes;
	name->n = comma != NULL ? (uint32_t) (comma - list->bytes) : list->n;
	list->n -= comma != NULL ? name->n + 1 : list->n;
	list->bytes = comma != NULL ? comma + 1 : NULL;
	return true;
}

/* Whether the list has the name; *budget limits the comparisons. */
static bool
has_name(jj_ssh_name list, jj_ssh_name name, uint32_t *budget)
{
	jj_ssh_name other;

	while (*budget > 0 && next_name(&list, &other))
	{
		(*budget)--;
		if (other.n == name.n && memcmp(other.bytes, name.bytes, name.n) == 0)
			return true;
	}
	return false;
}

/* Names in the list of key exchange methods that are none (RFC 8308 2.1; OpenSSH, PROTOCOL 1.10). */
static bool
is_indicator(jj_ssh_name x)
{
	return begins(x, "ext-info-") || begins(x, "kex-strict-");
}

/* The first name of the client's list that the server's has; kex: only methods, without a host key only those of GSS-API (RFC 4462). */
static jj_ssh_name
pick(jj_ssh_name client, jj_ssh_name server, bool kex, bool host_key, uint32_t *budget)
{
	jj_ssh_name name;

	while (next_name(&client, &name))
	{
		if (name.n == 0 || (kex && (is_indicator(name) || !(host_key || begins(name, "gss-")))))
			continue;
		if (has_name(server, name, budget))
			return name;
	}
	return (jj_ssh_name) {NULL, 0};
}

void
jj_ssh_negotiate(const jj_ssh_name client[JJ_SSH_LISTS], const jj_ssh_name server[JJ_SSH_LISTS], jj_ssh_name agreed[JJ_SSH_ALGORITHMS])
{
	static const uint8_t implicit[] = "implicit";
	uint32_t	budget = COMPARISONS;

	for (unsigned i = 1; i < JJ_SSH_ALGORITHMS; i++)
		agreed[i] = pick(client[i], server[i], false, true, &budget);
	agreed[0] = pick(client[0], server[0], true, agreed[1].bytes != NULL, &budget);
	for (unsigned i = 2; i < 4; i++)
		if (is_aead(agreed[i]))
			agreed[i + 2] = (jj_ssh_name) {implicit, sizeof(implicit) - 1};
}
