/*
 * A capture file that is held open, and the digest of its content.
 */
#include "pg/held_file.h"

#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/input.h"
#include "storage/fd.h"
#include "utils/memutils.h"

static void
close_file(void *arg)
{
	jj_held_file *f = arg;

	if (f->fd < 0)
		return;
	(void) close(f->fd);
	f->fd = -1;
	ReleaseExternalFD();
}

static void
look(const jj_held_file *f, const jj_source *source, struct stat *st)
{
	if (fstat(f->fd, st) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not stat capture \"%s\": %m", source->label)));
}

static int64
nanoseconds(const struct timespec *t)
{
	return (int64) t->tv_sec * JJ_SECOND + t->tv_nsec;
}

jj_held_file *
jj_held_file_open(const jj_source *source)
{
	jj_held_file *f = palloc0(sizeof(jj_held_file));
	struct stat st;

	f->fd = -1;
	f->callback.func = close_file;
	f->callback.arg = f;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &f->callback);
	/* not a transaction's: those are closed by its end */
	if (!AcquireExternalFD())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_RESOURCES),
				 errmsg("too many open files to read capture \"%s\"", source->label)));
	f->fd = BasicOpenFile(source->path, O_RDONLY | PG_BINARY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->fd < 0)
	{
		ReleaseExternalFD();
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open capture \"%s\": %m", source->label),
				 errhint("The server's account must be able to read the file.")));
	}
	look(f, source, &st);
	if (!S_ISREG(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a regular file", source->label)));
	f->identity.size = st.st_size;
	f->modified_ns = nanoseconds(&st.st_mtim);
	f->identity.modified = jj_timestamp(f->modified_ns);
	f->identity.changed = jj_timestamp(nanoseconds(&st.st_ctim));
	f->identity.inode = (int64) st.st_ino;
	return f;
}

/* Add the bytes of the source, decompressed, to the digest. False: libcrypto failed. */
static bool
digest_input(EVP_MD_CTX *context, jj_input *in, const jj_source *source)
{
	jj_error	error = {0};

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (jj_input_need(in, 1, &error) != JJ_OK)
			jj_raise(&error, source);
		if (in->end == in->pos)
			return true;
		if (EVP_DigestUpdate(context, in->data + in->pos, in->end - in->pos) != 1)
			return false;
		in->pos = in->end;
	}
}

void
jj_held_file_digest(const jj_held_file *f, const jj_source *source, uint8 digest[JJ_SHA256])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const jj_allocator allocator = jj_context_allocator(CurrentMemoryContext);
	jj_input	in = {0};
	jj_error	error = {0};
	unsigned	size = 0;
	bool		good = false;

	if (lseek(f->fd, 0, SEEK_SET) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in capture \"%s\": %m", source->label)));
	PG_TRY();
	{
		if (jj_input_open(&in, f->fd, NULL, 0, &allocator, &error) != JJ_OK)
			jj_raise(&error, source);
		good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 && digest_input(context, &in, source)
			&& EVP_DigestFinal_ex(context, digest, &size) == 1 && size == JJ_SHA256;
	}
	PG_FINALLY();
	{
		jj_input_close(&in);
		EVP_MD_CTX_free(context);
	}
	PG_END_TRY();
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute the SHA-256 of capture \"%s\"", source->label)));
}

bool
jj_held_file_written(const jj_held_file *f, const jj_source *source)
{
	struct stat st;

	look(f, source, &st);
	return st.st_size != f->identity.size || nanoseconds(&st.st_mtim) != f->modified_ns;
}
