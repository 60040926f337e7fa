/* SPDX-License-Identifier: MIT */
/* The rules of one section; the model only points to them, so that it need not know them. */
#ifndef PROXYD_CFG_RULES_H
#define PROXYD_CFG_RULES_H

#include "cfg/cfg.h"
#include "rules/action/action.h"
#include "rules/capture.h"
#include "rules/vars.h"

/* use_backend */
struct cfg_switch {
	STAILQ_ENTRY(cfg_switch) next;
	struct diag_place at;
	const char *name;
	struct format format;	   /* of the name; constant: `backend` is known */
	const struct cond *cond;   /* NULL: always */
	struct cfg_proxy *backend; /* NULL: the name is found out for each request */
};

/* use-server */
struct cfg_use {
	STAILQ_ENTRY(cfg_use) next;
	struct diag_place at;
	struct format name;
	const struct cond *cond; /* NULL: always */
};

/* log-format and its like, of a frontend */
struct cfg_formats {
	struct format line, sd, error, id;
	bool has_sd, has_error, has_id;
};

/* stick on, match, store-request, store-response */
#define STICK_MATCH 1u
#define STICK_STORE 2u
#define STICK_STORE_RESPONSE 4u

struct table_ref;
struct cfg_stick {
	STAILQ_ENTRY(cfg_stick) next;
	unsigned does;
	struct expr key;
	const struct table_ref *table;
	const struct cond *cond; /* NULL: always */
};

/* force-persist, ignore-persist */
struct cfg_persist {
	STAILQ_ENTRY(cfg_persist) next;
	bool force;
	const struct cond *cond;
};

struct cfg_rules {
	struct acls acls;
	struct rules of[RULES_N_KINDS];
	struct bandwidth *bandwidths; /* filter bwlim-in, bwlim-out */
	struct rules monitor; /* answers requests for monitor-uri */
	STAILQ_HEAD(, cfg_switch) switches;
	STAILQ_HEAD(, cfg_use) uses;
	STAILQ_HEAD(, cfg_stick) sticks;
	STAILQ_HEAD(, cfg_persist) persists;
	uint64_t inspect_ns, inspect_answer_ns; /* tcp-request, tcp-response inspect-delay */
};

/* The number of a "proc.NAME" that the file mentions. */
bool cfg_find_proc_var(const struct cfg *c, const char *name, unsigned *ret);
/* At run time, as set-var or set-var-fmt of the file. False with e->text. */
bool cfg_set_proc_var(const struct cfg *c, unsigned number, const char *text, bool is_format, struct rule_error *e);

#endif
