/* SPDX-License-Identifier: MIT */
/* A section "resolvers": who is asked for names at run time, and how long answers hold. */
#ifndef PROXYD_CFG_RESOLVERS_H
#define PROXYD_CFG_RESOLVERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cfg/cfg.h"

#define NAMESERVERS_MAX 16
#define RESOLVERS_MAX 64

struct cfg_nameserver {
	const char *name;
	struct cfg_addr addr;
	bool tcp;
};

/* What the last answer was; for how long an older, good one counts in spite of it. */
enum cfg_hold {
	CFG_HOLD_VALID,
	CFG_HOLD_NX,
	CFG_HOLD_REFUSED,
	CFG_HOLD_TIMEOUT,
	CFG_HOLD_OTHER,
	CFG_HOLD_OBSOLETE, /* how long an address counts that is in no answer any more */
	CFG_HOLDS,
};

struct cfg_resolvers {
	STAILQ_ENTRY(cfg_resolvers) next;
	struct diag_place at;
	const char *name;
	struct cfg_nameserver nameserver[NAMESERVERS_MAX];
	unsigned n_nameservers;
	uint64_t hold_ns[CFG_HOLDS];
	uint64_t resolve_ns, retry_ns;
	unsigned retries, payload_bytes;
};

#endif
