/* SPDX-License-Identifier: MIT */
/* A `server` line that comes while the configuration runs. */
#ifndef PROXYD_CFG_DYNAMIC_H
#define PROXYD_CFG_DYNAMIC_H

#include "cfg/cfg.h"

/*
 * Reads NAME ADDRESS PARAMETERS as a line of the section `p` of `c`, which stays as it is. What was read lives in
 * *ret_memory, to be given to cfg_free. 0, and what was
 * found in `text`, or nothing; -errno, and why.
 */
int cfg_read_dynamic(const struct cfg *c, const struct cfg_proxy *p, const char *const *word, size_t n,
		     struct cfg **ret_memory, struct cfg_server **ret, char *text, size_t cap);

#endif
