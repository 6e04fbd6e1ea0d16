/*
 * Runs a fuzz target over saved inputs, without libFuzzer: each argument is a
 * file or a folder of files. Says in TAP which inputs were survived; one that
 * is not ends the program.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int	count;

static int
fail(const char *path)
{
	printf("Bail out!  %s: %s\n", path, strerror(errno));
	return 1;
}

static int
replay_file(const char *path, size_t size)
{
	uint8_t    *data = malloc(size);	/* exactly, so that AddressSanitizer sees the end */
	FILE	   *f = fopen(path, "rb");

	if (f == NULL || (data == NULL && size > 0) || fread(data, 1, size, f) != size)
		return fail(path);
	fclose(f);
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	printf("ok %d - %s\n", ++count, path);
	free(data);
	return 0;
}

static int
replay(const char *path)
{
	struct stat st;
	struct dirent **entries;
	int			n;
	int			status = 0;

	if (stat(path, &st) != 0)
		return fail(path);
	if (!S_ISDIR(st.st_mode))
		return replay_file(path, (size_t) st.st_size);
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0)
		return fail(path);
	for (int i = 0; i < n; i++)
	{
		char		inner[4096];

		if (status == 0 && entries[i]->d_name[0] != '.')
		{
			snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
			status = replay(inner);
		}
		free(entries[i]);
	}
	free(entries);
	return status;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (replay(argv[i]) != 0)
			return 1;
	printf("1..%d\n", count);
	return 0;
}
