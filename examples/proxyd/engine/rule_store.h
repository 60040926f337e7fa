/* SPDX-License-Identifier: MIT */
/* What rules remember of a client's connection; it is there when there are rules. */
#ifndef PROXYD_ENGINE_RULE_STORE_H
#define PROXYD_ENGINE_RULE_STORE_H

#include "rules/capture.h"
#include "rules/vars.h"

struct server;

struct rule_store {
	struct vars vars;
	struct captures *captures; /* of a transaction; NULL: nothing is captured */
	char *unique_id;	   /* of a transaction, our own; NULL: none yet */
	int8_t log_level;	   /* of set-log-level, plus 1; 0: as configured */
	/* mode tcp */
	bool switched;		     /* the backend is chosen */
	const struct server *wanted; /* by use-server; NULL: any */
	uint64_t inspected_ns
	    [3]; /* since when: frontend's rules, backend's, the server's answer; 0: not yet */
};

/* What belongs to a transaction goes; `names` as in vars_end. */
void rule_store_end(struct rule_store *store, const struct var_names *names);
/* NULL: no memory, or nothing is captured. */
struct captures *rule_store_captures(struct rule_store *store, const struct capture_slots *slots);

/* NULL: no memory. */
struct rule_store *rule_store_get(struct rule_store **store);
void rule_store_free(struct rule_store *store);

#endif
