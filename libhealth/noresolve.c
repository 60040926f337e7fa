/* SPDX-License-Identifier: MIT */
/* A library without c-ares: addresses only, and it says so. */
#include <errno.h>

#include "resolve.h"

bool health_has_names(void)
{
	return false;
}

int resolver_use(struct health_engine *e, const char *host, int family, struct name **ret)
{
	return -EOPNOTSUPP;
}

void resolver_drop(struct name *n)
{
}

void resolver_free(struct resolver *r)
{
}

void resolver_ask(struct health_check *c, uint64_t now_ns)
{
	check_finish_local(c, "name", EOPNOTSUPP, now_ns);
}

uint64_t resolver_deadline(const struct resolver *r)
{
	return HEAP_NEVER;
}

void resolver_ring(struct resolver *r, uint64_t now_ns)
{
}
