/* SPDX-License-Identifier: MIT */
#include "openssl.h"

#include <dlfcn.h>
#include <stdbool.h>

#include "log.h"

#ifdef VIPD_OPENSSL

static const struct openssl_module *load(void)
{
	const struct openssl_module *m;
	void *library = dlopen(OPENSSL_MODULE, RTLD_NOW | RTLD_LOCAL);

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
