/*
 * Paths to capture files: folders, globs, and who may read them.
 */
#include "pg/pg.h"

#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

/* What a folder's captures are called; each also with a suffix of compression. */
#define CAPTURE_SUFFIXES ".pcap, .pcapng, .cap, .ntar and .dmp, also with a number or .gz, .zst or .lz4 behind"

static bool
may_read(void)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES);
}

static void
check_privilege(const char *path)
{
	if (!may_read())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to read capture \"%s\"", path),
				 errdetail("Only roles with privileges of the \"%s\" role may read files of the server.", "pg_read_server_files"),
				 errhint("The form of the function that takes a bytea value needs no privilege.")));
}

static bool
ends_with(const char *name, size_t length, const char *suffix)
{
	size_t		n = strlen(suffix);

	return length > n && pg_strncasecmp(name + length - n, suffix, n) == 0;
}

static bool
is_capture_name(const char *name)
{
	static const char *const compressed[] = {".gz", ".zst", ".lz4"};
	static const char *const captures[] = {".pcap", ".pcapng", ".cap", ".ntar", ".dmp"};
	size_t		length = strlen(name);

	for (size_t i = 0; i < lengthof(compressed); i++)
	{
		if (ends_with(name, length, compressed[i]))
		{
			length -= strlen(compressed[i]);
			break;
		}
	}
	/* numbered, as by tcpdump -C (a.pcap1) or logrotate (a.pcap.1) */
	while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9')
		length--;
	if (length > 0 && name[length - 1] == '.')
		length--;
	for (size_t i = 0; i < lengthof(captures); i++)
		if (ends_with(name, length, captures[i]))
			return true;
	return false;
}

jj_source *
jj_source_of_file(const char *path, int64 size)
{
	jj_source  *s = palloc0(sizeof(jj_source));
	const char *slash = strrchr(path, '/');

	s->path = pstrdup(path);
	s->label = jj_shown(path);
	s->name = jj_to_utf8(slash != NULL ? slash + 1 : path);
	s->size = size;
	return s;
}

static int
compare_sources(const ListCell *a, const ListCell *b)
{
	return strcmp(((const jj_source *) lfirst(a))->path, ((const jj_source *) lfirst(b))->path);
}

/* The captures in a folder: regular files with the names of captures, in the order of their bytes. NIL instead of an error if quiet. */
static List *
sources_in_folder(const char *path, bool quiet)
{
	DIR		   *dir = AllocateDir(path);
	struct dirent *entry;
	List	   *found = NIL;
	size_t		length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	while ((entry = ReadDirExtended(dir, path, quiet ? DEBUG1 : ERROR)) != NULL)
	{
		struct stat st;
		char	   *file;

		CHECK_FOR_INTERRUPTS();
		if (!is_capture_name(entry->d_name))
			continue;
		file = psprintf("%.*s%s%s", (int) length, path, path[length - 1] == '/' ? "" : "/", entry->d_name);
		/* what can't be looked at is reported when it is opened */
		if (stat(file, &st) < 0)
			st.st_size = 0;
		else if (!S_ISREG(st.st_mode))
			continue;
		found = lappend(found, jj_source_of_file(file, st.st_size));
	}
	if (dir != NULL)
		FreeDir(dir);
	if (found == NIL && !quiet)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("directory \"%s\" contains no captures", path),
				 errhint("Captures in a directory are its regular files named " CAPTURE_SUFFIXES "; directories in it are not read. A glob such as \"%.*s/*\" takes files of any name.",
						 (int) length, path)));
	list_sort(found, compare_sources);
	return found;
}

/* The regular files that match a glob, in the order of their bytes. NIL instead of an error if quiet. */
static List *
sources_of_glob(const char *pattern, bool quiet)
{
	glob_t		result;
	int			status = glob(pattern, GLOB_NOSORT, NULL, &result);
	List	   *found = NIL;

	if (status != 0 && status != GLOB_NOMATCH)
	{
		globfree(&result);
		if (quiet)
			return NIL;
		ereport(ERROR,
				(errcode(status == GLOB_NOSPACE ? ERRCODE_OUT_OF_MEMORY : ERRCODE_IO_ERROR),
				 errmsg("could not match the pattern \"%s\"", pattern)));
	}
	PG_TRY();
	{
		for (size_t i = 0; status == 0 && i < result.gl_pathc; i++)
		{
			struct stat st;

			CHECK_FOR_INTERRUPTS();
			if (stat(result.gl_pathv[i], &st) < 0)
				st.st_size = 0;
			else if (!S_ISREG(st.st_mode))
				continue;
			found = lappend(found, jj_source_of_file(result.gl_pathv[i], st.st_size));
		}
	}
	PG_FINALLY();
	{
		globfree(&result);
	}
	PG_END_TRY();
	if (found == NIL && !quiet)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("no file matches \"%s\"", pattern),
				 errhint("Patterns (*, ?, [...]) match regular files on the server, as the server's account sees them.")));
	list_sort(found, compare_sources);
	return found;
}

/* Add the captures of a folder to *found; names match the pattern, or are those of captures if it is NULL. */
static void
add_tree(const char *path, const char *pattern, bool recursive, List **found)
{
	DIR		   *dir = AllocateDir(path);
	struct dirent *entry;
	List	   *folders = NIL;
	ListCell   *cell;

	while ((entry = ReadDir(dir, path)) != NULL)
	{
		struct stat st;
		char	   *file;

		CHECK_FOR_INTERRUPTS();
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		file = psprintf("%s%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/", entry->d_name);
		/* links to folders are not followed, they may go round; what has gone since is none of ours */
		if (lstat(file, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode))
		{
			if (recursive)
				folders = lappend(folders, file);
			continue;
		}
		if (pattern != NULL ? fnmatch(pattern, entry->d_name, FNM_PERIOD) != 0 : !is_capture_name(entry->d_name))
			continue;
		if (stat(file, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		*found = lappend(*found, jj_source_of_file(file, st.st_size));
	}
	FreeDir(dir);
	foreach(cell, folders)
		add_tree(lfirst(cell), pattern, true, found);
}

List *
jj_sources_in_tree(const char *path, const char *pattern, bool recursive)
{
	struct stat st;
	List	   *found = NIL;

	check_privilege(path);
	if (stat(path, &st) < 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", path),
				 errhint("The path is one of the server's machine, as the server's account sees it.")));
	if (!S_ISDIR(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a directory", path)));
	add_tree(path, pattern, recursive, &found);
	list_sort(found, compare_sources);
	return found;
}

List *
jj_sources_from_path(const char *path)
{
	struct stat st;
	int			problem;

	check_privilege(path);
	if (stat(path, &st) == 0)
	{
		if (S_ISDIR(st.st_mode))
			return sources_in_folder(path, false);
		if (!S_ISREG(st.st_mode))
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" is not a regular file", path),
					 errhint("Captures are read from regular files, not from pipes, sockets or devices.")));
		return list_make1(jj_source_of_file(path, st.st_size));
	}
	problem = errno;
	if (problem == ENOENT && strpbrk(path, "*?[") != NULL)
		return sources_of_glob(path, false);
	errno = problem;
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("could not open capture \"%s\": %m", path),
			 errhint("The path is one of the server's machine, as the server's account sees it.")));
}

List *
jj_sources_from_array(ArrayType *paths)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *all = NIL;
	HASHCTL		control = {0};
	HTAB	   *seen;

	control.keysize = MAXPGPATH;
	control.entrysize = MAXPGPATH;
	control.hcxt = CurrentMemoryContext;
	seen = hash_create("joyfuljay paths", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);

	deconstruct_array(paths, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		ListCell   *cell;
		List	   *found;

		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %d of argument \"paths\" must not be null", i + 1),
					 errhint("Leave it out, for example with array_remove(paths, NULL).")));
		found = jj_sources_from_path(TextDatumGetCString(elements[i]));
		foreach(cell, found)
		{
			jj_source  *source = lfirst(cell);
			bool		repeated = false;

			/* a path that is too long for the table is too long for the system */
			if (strlen(source->path) < MAXPGPATH)
				hash_search(seen, source->path, HASH_ENTER, &repeated);
			if (!repeated)
				all = lappend(all, source);
		}
	}
	hash_destroy(seen);
	return all;
}

List *
jj_source_from_bytea(bytea *capture)
{
	jj_source  *s = palloc0(sizeof(jj_source));

	s->name = "bytea";
	s->label = s->name;
	s->bytes = (const uint8 *) VARDATA_ANY(capture);
	s->size = VARSIZE_ANY_EXHDR(capture);
	return list_make1(s);
}

bool
jj_sources_known(const char *path, List **sources)
{
	struct stat st;
	List	   *found = NIL;

	if (!may_read())
		return false;
	if (stat(path, &st) == 0)
	{
		if (S_ISDIR(st.st_mode))
			found = sources_in_folder(path, true);
		else if (S_ISREG(st.st_mode))
			found = list_make1(jj_source_of_file(path, st.st_size));
	}
	else if (errno == ENOENT && strpbrk(path, "*?[") != NULL)
		found = sources_of_glob(path, true);
	*sources = list_concat(*sources, found);
	return found != NIL;
}
