/* SPDX-License-Identifier: MIT */
/* A haproxy.cfg of any bytes: it loads, every finding has its place, twice gives the same. */
#include <netdb.h>
#include <stddef.h>

#include "cfg/cfg.h"
#include "findings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In the place of libc's: no name resolves, and no input asks the network. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		struct addrinfo **ret)
{
	return EAI_NONAME;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_file f = memory_file_open(data, size);
	const char *const path[] = {f.path};
	const struct cfg_load_opts o = {.path = path, .n_paths = 1, .ignore_unresolved = true};
	struct diag found[2] = {{.n = 0}};
	struct cfg *c[2];

	for (int i = 0; i < 2; i++)
		assert(!cfg_load(&o, &found[i], &c[i]));
	findings_are_placed(&found[0], f.path, data, size);
	findings_are_equal(&found[0], &found[1]);
	for (int i = 0; i < 2; i++) {
		diag_fini(&found[i]);
		cfg_free(c[i]);
	}
	close(f.fd);
	return 0;
}
