/* SPDX-License-Identifier: MIT */
/*
 * Gives each file named, and each file of each folder named, to the fuzz target this is linked with: the
 * corpus as a test, without a fuzzer. Each file of a folder is also cut at every length and changed in ways
 * that a fixed seed decides. `replay FILE` repeats a crash.
 */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX (1 << 20)
#define VARY_MAX 512	/* longer files are replayed as they are */
#define VARIATIONS 2000 /* of each file */

static uint64_t chance(uint64_t n)
{
	static uint64_t state = 1;
	uint64_t x = state += 0x9e3779b97f4a7c15u; /* SplitMix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return (x ^ x >> 31) % n;
}

/* In memory of its exact size, so that the sanitizer sees a read past the end. */
static int run(const uint8_t *data, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);

	if (!exact)
		return -1;
	memcpy(exact, data, n);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return 1;
}

static int vary(const uint8_t *data, size_t n)
{
	uint8_t copy[VARY_MAX + 1];

	for (size_t cut = 0; cut < n; cut++)
		if (run(data, cut) < 0)
			return -1;
	for (unsigned i = 0; n && i < VARIATIONS; i++) {
		memcpy(copy, data, n);
		for (uint64_t changes = 1 + chance(4); changes; changes--) {
			size_t at = chance(n);

			copy[at] =
			    (uint8_t)(chance(2) ? copy[at] ^ 1u << chance(8) : chance(2) * 0xff);
		}
		copy[n] = (uint8_t)chance(256);
		if (run(copy, chance(8) ? n : n + 1) < 0)
			return -1;
	}
	return 1;
}

static int replay_file(const char *path, bool varied)
{
	static uint8_t data[INPUT_MAX];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f) {
		perror(path);
		return -1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	if (run(data, n) < 0)
		return -1;
	return varied && n <= VARY_MAX ? vary(data, n) : 1;
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
		r = replay_file(file, true);
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
					      : replay_file(argv[i], false);

		if (r < 0) {
			fprintf(stderr, "replay: %s: cannot be read\n", argv[i]);
			return 1;
		}
		n += r;
	}
	printf("%d inputs\n", n);
	return n ? 0 : 1; /* an empty corpus proves nothing */
}
