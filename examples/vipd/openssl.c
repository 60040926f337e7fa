/* SPDX-License-Identifier: MIT */
#include "openssl.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#ifdef VIPD_OPENSSL

/*
 * Beside the program, where a build has it, else where it is installed. Not by a path in the program (RPATH): the loader would look there for
 * each library of each start.
 */
static void *open_module(void)
{
	char path[PATH_MAX + sizeof(OPENSSL_MODULE)];
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX);
	char *name = len > 0 ? memrchr(path, '/', (size_t)len) : NULL;

	if (name) {
		memcpy(name + 1, OPENSSL_MODULE, sizeof(OPENSSL_MODULE));
		if (!access(path, F_OK))
			return dlopen(path, RTLD_NOW | RTLD_LOCAL);
	}
	return dlopen(OPENSSL_MODULE_DIR "/" OPENSSL_MODULE, RTLD_NOW | RTLD_LOCAL);
}

static const struct openssl_module *load(void)
{
	const struct openssl_module *m;
	void *library = open_module();

	if (!library) {
		log_err("SSL_GET, digest and auth_type AH do not work: %s. It is installed with "
			"vipd",
			dlerror());
		return NULL;
	}
	m = dlsym(library, OPENSSL_MODULE_SYMBOL);
	if (m && m->size == sizeof(*m))
		return m;
	log_err("SSL_GET, digest and auth_type AH do not work: " OPENSSL_MODULE
		" is of another version of vipd");
	dlclose(library);
	return NULL;
}

#else

static const struct openssl_module *load(void)
{
	return NULL;
}

#endif

const struct openssl_module *openssl_module(void)
{
	static const struct openssl_module *module;
	static bool tried;

	if (!tried)
		module = load();
	tried = true;
	return module;
}
