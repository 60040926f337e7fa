/* SPDX-License-Identifier: MIT */
/*
 * Variables of rules: "txn.user". Names are numbered when the configuration is read; values are copies and
 * live as long as their scope. Pure.
 */
#ifndef PROXYD_RULES_VARS_H
#define PROXYD_RULES_VARS_H

#include <pthread.h>

#include "rules/expr.h"

#define VARS_NAMES_MAX 1024 /* in a configuration */
#define VARS_MAX 64	    /* set at a time, of one transaction */
#define VARS_BYTES_MAX 16384
#define VAR_PROC (1u << 20) /* in a number: of the process */

enum var_scope {
	VAR_SESS, /* the client's connection */
	VAR_TXN,  /* a request and its response */
	VAR_REQ,  /* until the response begins */
	VAR_RES,  /* from then on */
	VAR_CHECK, /* one run of a check */
	VAR_N_SCOPES,
};

struct var_names {
	const char *name[VARS_NAMES_MAX]; /* with scope */
	unsigned n;
};

struct var {
	unsigned name;
	struct sample value; /* text: our own copy */
};

struct vars {
	struct var *at;
	unsigned n, cap;
	size_t bytes;
};

/* The number of a name, new or known; -1 with e->text. */
int var_number(struct text name, const struct rule_memory *m, struct rule_error *e);

/* False: unset. */
bool vars_get(const struct vars *v, unsigned name, struct sample *ret);
/* False: too many, too long, or no memory; then the variable is unset. */
bool vars_set(struct vars *v, unsigned name, const struct sample *value);
void vars_unset(struct vars *v, unsigned name);
/* Forgets those of one scope. `names` as when they were numbered. */
void vars_end(struct vars *v, const struct var_names *names, enum var_scope scope);
void vars_clear(struct vars *v);

/* Those of the process, "proc.…": of all workers. Zero is a valid one. */
struct proc_vars {
	pthread_mutex_t lock;
	struct vars vars;
};

/* ---- Of an evaluation, whatever their scope ---- */

/* False: unset. What is text stays as it is until the variable changes; the process' is copied into the scratch. */
bool run_var_get(struct run *r, unsigned name, struct sample *ret);
void run_var_set(struct run *r, unsigned name, const struct sample *value);
void run_var_unset(struct run *r, unsigned name);

/* "ifset" and its like, bits; 0: it is none. */
unsigned var_condition(struct text word);
/* May it be set to this value, as the conditions say? */
bool run_var_may(struct run *r, unsigned name, unsigned conditions, const struct sample *value);

#endif
