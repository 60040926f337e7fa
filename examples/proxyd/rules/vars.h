/* SPDX-License-Identifier: MIT */
/*
 * Variables of rules: "txn.user". Names are numbered when the configuration is read; values are copies and
 * live as long as their scope. Pure.
 */
#ifndef PROXYD_RULES_VARS_H
#define PROXYD_RULES_VARS_H

#include <pthread.h>
#include <stdatomic.h>

#include "rules/expr.h"

#define VARS_NAMES_MAX 1024 /* in a configuration */
#define VARS_BYTES_USUAL 32768 /* of a connection or check that has no limit of its own */
#define VAR_COST 80	    /* of each beside its text, so that HAProxy's limits mean the same */

enum var_scope {
	VAR_PROC,
	VAR_SESS, /* the client's connection */
	VAR_TXN,  /* a request and its response */
	VAR_REQ,  /* until the response begins */
	VAR_RES,  /* from then on */
	VAR_CHECK, /* one run of a check */
	VAR_N_SCOPES,
};

/* A number has its name's index in the low bits, its scope above. */
static inline unsigned var_of(unsigned index, enum var_scope scope)
{
	return index | (unsigned)scope << 16;
}

static inline enum var_scope var_scope(unsigned number)
{
	return (enum var_scope)(number >> 16);
}

struct var_names {
	const char *name[VARS_NAMES_MAX]; /* with scope */
	unsigned n;
};

struct var {
	unsigned name;
	struct sample value; /* text: our own copy */
};

/* Bytes of all connections and checks of the process, kept while there is a limit for them; values that had no room. */
struct vars_total {
	_Atomic uint64_t bytes, refused;
};

/* `bytes` of a scope has those of the scopes within: a request's are its transaction's, these its connection's. */
struct vars {
	struct var *at;
	unsigned n, cap;
	uint32_t bytes[VAR_N_SCOPES];
	struct vars_total *total; /* which has them, too; NULL: none */
	struct vars *session; /* where those of the connection are; NULL: here */
};

struct vars_room {
	const unsigned *limit; /* bytes by scope, the process' of all that there are; 0: none. NULL: the usual ones */
	uint64_t elsewhere; /* of the process' bytes */
};

/* The number of a name, new or known; -1 with e->text. */
int var_number(struct text name, const struct rule_memory *m, struct rule_error *e);

/* False: unset. */
bool vars_get(const struct vars *v, unsigned name, struct sample *ret);
/* False: no room, or no memory; then the variable is unset. */
bool vars_set(struct vars *v, const struct vars_room *room, unsigned name, const struct sample *value);
/* Forgets those of one scope. */
void vars_end(struct vars *v, enum var_scope scope);
void vars_clear(struct vars *v);

/* Those of the process, "proc.…": of all workers; and what all variables share. Zero is a valid one. */
struct proc_vars {
	pthread_mutex_t lock;
	struct vars vars;
	unsigned n_names;      /* these exist, set or not */
	_Atomic uint32_t bytes; /* with those of the names */
	const unsigned *limit; /* as vars_room's */
	struct vars_total *total; /* NULL: nothing is counted */
};

/* ---- Of an evaluation, whatever their scope ---- */

/* False: unset. What is text stays as it is until the variable changes; the process' is copied into the scratch. */
bool run_var_get(struct run *r, unsigned name, struct sample *ret);
/* False: no room, or no memory; it is counted. */
bool run_var_set(struct run *r, unsigned name, const struct sample *value);
void run_var_unset(struct run *r, unsigned name);

/* "ifset" and its like, bits; 0: it is none. */
unsigned var_condition(struct text word);
/* May it be set to this value, as the conditions say? */
bool run_var_may(struct run *r, unsigned name, unsigned conditions, const struct sample *value);

#endif
