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

/* ---- content */

struct jj_digest
{
	EVP_MD_CTX *context;
	jj_input	in;
	MemoryContextCallback callback;
};

static void
release_digest(void *arg)
{
	jj_digest  *d = arg;

	jj_input_close(&d->in);
	EVP_MD_CTX_free(d->context);
}

/* Its content from the beginning, decompressed. */
static void
open_input(const jj_held_file *f, const jj_source *source, jj_input *in)
{
	const jj_allocator allocator = jj_context_allocator(CurrentMemoryContext);
	jj_error	error = {0};

	if (lseek(f->fd, 0, SEEK_SET) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in capture \"%s\": %m", source->label)));
	if (jj_input_open(in, f->fd, NULL, 0, &allocator, &error) != JJ_OK)
	{
		jj_input_close(in);
		jj_raise(&error, source);
	}
}

jj_digest *
jj_digest_begin(const jj_held_file *f, const jj_source *source)
{
	jj_digest  *d = palloc0(sizeof(jj_digest));

	d->callback.func = release_digest;
	d->callback.arg = d;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &d->callback);
	open_input(f, source, &d->in);
	d->context = EVP_MD_CTX_new();
	if (d->context == NULL || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not compute a SHA-256")));
	return d;
}

jj_code
jj_digest_step(jj_digest *d, bool *more, jj_error *err)
{
	jj_code		code = jj_input_need(&d->in, 1, err);

	if (code != JJ_OK)
		return code;
	*more = d->in.end > d->in.pos;
	if (*more && EVP_DigestUpdate(d->context, d->in.data + d->in.pos, d->in.end - d->in.pos) != 1)
		return jj_fail(err, JJ_ERR_LIBRARY, "could not compute a SHA-256");
	d->in.pos = d->in.end;
	return JJ_OK;
}

jj_code
jj_digest_end(jj_digest *d, uint8 digest[JJ_SHA256], jj_error *err)
{
	unsigned	size = 0;

	if (EVP_DigestFinal_ex(d->context, digest, &size) != 1 || size != JJ_SHA256)
		return jj_fail(err, JJ_ERR_LIBRARY, "could not compute a SHA-256");
	return JJ_OK;
}

void
jj_held_file_digest(const jj_held_file *f, const jj_source *source, uint8 digest[JJ_SHA256])
{
	const MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "joyfuljay digest", ALLOCSET_DEFAULT_SIZES);
	const MemoryContext old = MemoryContextSwitchTo(memory);
	const off_t at = lseek(f->fd, 0, SEEK_CUR);
	jj_digest  *d = jj_digest_begin(f, source);
	jj_error	error = {0};
	bool		more = true;

	while (more)
	{
		CHECK_FOR_INTERRUPTS();
		if (jj_digest_step(d, &more, &error) != JJ_OK)
			jj_raise(&error, source);
	}
	if (jj_digest_end(d, digest, &error) != JJ_OK)
		jj_raise(&error, source);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	/* whoever reads the file goes on where he was */
	if (at < 0 || lseek(f->fd, at, SEEK_SET) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not seek in capture \"%s\": %m", source->label)));
}

bool
jj_held_file_compressed(const jj_held_file *f, const jj_source *source)
{
	jj_input	in = {0};
	bool		compressed;

	open_input(f, source, &in);
	compressed = in.compression != JJ_PLAIN;
	jj_input_close(&in);
	return compressed;
}

bool
jj_held_file_written(const jj_held_file *f, const jj_source *source)
{
	struct stat st;

	look(f, source, &st);
	return st.st_size != f->identity.size || nanoseconds(&st.st_mtim) != f->modified_ns;
}
