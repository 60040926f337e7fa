/* SPDX-License-Identifier: MIT */
/*
 * Gives each file named, and each file of each folder named, to the fuzz target this is linked with: the
 * corpus as a test, without a fuzzer. `replay FILE` repeats a crash.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1 << 20)

static int replay_file(const char *path)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	uint8_t *exact;
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* In memory of its exact size, so that the sanitizer sees a read past the end. */
	exact = malloc(n ? n : 1);
	if (!exact)
		return -1;
	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 1;
}

static int replay_folder(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	char file[4096];
	int n = 0;

	while (d && (e = readdir(d))) {
		int r;

		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		r = replay_file(file);
		if (r < 0) {
			n = r;
			break;
		}
		n += r;
	}
	if (d)
		closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		struct stat s;
		int r = stat(argv[i], &s) < 0 ? -1
			: S_ISDIR(s.st_mode)  ? replay_folder(argv[i])
					      : replay_file(argv[i]);

		if (r < 0) {
			fprintf(stderr, "replay: %s: cannot be read\n", argv[i]);
			return 1;
		}
		n += r;
	}
	printf("%d inputs\n", n);
	return n ? 0 : 1; /* an empty corpus proves nothing */
}
