/* SPDX-License-Identifier: MIT */
#include "rules/vars.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const scopes[VAR_N_SCOPES] = {
    [VAR_SESS] = "sess.", [VAR_TXN] = "txn.", [VAR_REQ] = "req.", [VAR_RES] = "res.", [VAR_CHECK] = "check."};
static const char proc[] = "proc.";

static bool begins(struct text name, const char *scope)
{
	return name.len > strlen(scope) && !strncmp(name.at, scope, strlen(scope));
}

static bool is_name(struct text name)
{
	size_t scope = begins(name, proc) ? strlen(proc) : 0;

	for (unsigned i = 0; i < VAR_N_SCOPES; i++)
		if (begins(name, scopes[i]))
			scope = strlen(scopes[i]);
	for (size_t i = scope; i < name.len; i++)
		if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_' && name.at[i] != '.')
			return false;
	return scope;
}

int var_number(struct text name, const struct rule_memory *m, struct rule_error *e)
{
	unsigned of_process = begins(name, proc) ? VAR_PROC : 0;
	struct var_names *v = m->vars;
	char *copy;

	if (!is_name(name)) {
		rule_fail(e,
			  "\"%.*s\" is no variable: write proc., sess., txn., req., res. or check. and letters, "
			  "digits, \"_\" or \".\"",
			  (int)(name.len > 64 ? 64 : name.len), name.at);
		return -1;
	}
	for (unsigned i = 0; i < v->n; i++)
		if (strlen(v->name[i]) == name.len && !strncmp(v->name[i], name.at, name.len))
			return (int)(i | of_process);
	if (v->n == VARS_NAMES_MAX) {
		rule_fail(e, "more than %d variables", VARS_NAMES_MAX);
		return -1;
	}
	copy = m->alloc(m->owner, name.len + 1);
	if (!copy) {
		rule_fail(e, "%s", "");
		return -1;
	}
	memcpy(copy, name.at, name.len);
	v->name[v->n] = copy;
	return (int)(v->n++ | of_process);
}

static bool is_text(const struct sample *s)
{
	return s->type == SAMPLE_STR || s->type == SAMPLE_BIN;
}

bool vars_get(const struct vars *v, unsigned name, struct sample *ret)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->at[i].name == name) {
			*ret = v->at[i].value;
			return true;
		}
	return false;
}

static void drop(struct vars *v, unsigned i)
{
	struct sample *s = &v->at[i].value;

	if (is_text(s)) {
		v->bytes -= s->text.len;
		free((void *)(uintptr_t)s->text.at);
	}
	v->at[i] = v->at[--v->n];
}

void vars_unset(struct vars *v, unsigned name)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->at[i].name == name) {
			drop(v, i);
			return;
		}
}

static bool grow(struct vars *v)
{
	unsigned cap = v->cap ? v->cap * 2 : 4;
	struct var *at = cap <= VARS_MAX ? realloc(v->at, cap * sizeof(*at)) : NULL;

	if (!at)
		return false;
	v->at = at;
	v->cap = cap;
	return true;
}

bool vars_set(struct vars *v, unsigned name, const struct sample *value)
{
	struct sample own = *value;
	char *copy;

	if (is_text(value)) { /* before the old one goes: it may be what is copied */
		if (value->text.len > VARS_BYTES_MAX)
			copy = NULL;
		else
			copy = malloc(value->text.len + 1);
		if (copy && value->text.len)
			memcpy(copy, value->text.at, value->text.len);
		own.text.at = copy;
	}
	vars_unset(v, name);
	if (is_text(value) && (!own.text.at || own.text.len > VARS_BYTES_MAX - v->bytes)) {
		free((void *)(uintptr_t)own.text.at);
		return false;
	}
	if (v->n == v->cap && !grow(v)) {
		if (is_text(value))
			free((void *)(uintptr_t)own.text.at);
		return false;
	}
	v->at[v->n++] = (struct var){name, own};
	if (is_text(value))
		v->bytes += own.text.len;
	return true;
}

void vars_end(struct vars *v, const struct var_names *names, enum var_scope scope)
{
	for (unsigned i = v->n; i-- > 0;)
		if (!strncmp(names->name[v->at[i].name], scopes[scope], strlen(scopes[scope])))
			drop(v, i);
}

void vars_clear(struct vars *v)
{
	while (v->n)
		drop(v, v->n - 1);
	free(v->at);
	*v = (struct vars){.n = 0};
}

/* ---- Of an evaluation ---- */

static bool get_of_process(struct run *r, unsigned name, struct sample *ret)
{
	bool found;

	pthread_mutex_lock(&r->proc->lock);
	found = vars_get(&r->proc->vars, name, ret);
	if (found && is_text(ret)) {
		char *copy = scratch_take(&r->scratch, ret->text.len);

		found = copy;
		if (copy && ret->text.len)
			memcpy(copy, ret->text.at, ret->text.len);
		ret->text.at = copy;
	}
	pthread_mutex_unlock(&r->proc->lock);
	return found;
}

bool run_var_get(struct run *r, unsigned name, struct sample *ret)
{
	if (name & VAR_PROC)
		return r->proc && get_of_process(r, name, ret);
	return r->vars && vars_get(r->vars, name, ret);
}

/* NULL: unset. */
static void change(struct run *r, unsigned name, const struct sample *value)
{
	struct vars *v = name & VAR_PROC ? r->proc ? &r->proc->vars : NULL : r->vars;

	if (!v)
		return;
	if (name & VAR_PROC)
		pthread_mutex_lock(&r->proc->lock);
	if (value)
		vars_set(v, name, value);
	else
		vars_unset(v, name);
	if (name & VAR_PROC)
		pthread_mutex_unlock(&r->proc->lock);
}

void run_var_set(struct run *r, unsigned name, const struct sample *value)
{
	change(r, name, value);
}

void run_var_unset(struct run *r, unsigned name)
{
	change(r, name, NULL);
}

/* In the order of `conditions`. */
enum {
	IF_EXISTS = 1,
	IF_NOT_EXISTS = 2,
	IF_EMPTY = 4,
	IF_NOT_EMPTY = 8,
	IF_SET = 16,
	IF_NOT_SET = 32,
	IF_GREATER = 64,
	IF_LESS = 128,
};
static const char *const conditions[] = {"ifexists", "ifnotexists", "ifempty", "ifnotempty", "ifset", "ifnotset", "ifgt", "iflt"};

unsigned var_condition(struct text word)
{
	for (unsigned i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
		if (text_same(word, text_of(conditions[i], strlen(conditions[i])), false))
			return 1u << i;
	return 0;
}

bool run_var_may(struct run *r, unsigned name, unsigned wanted, const struct sample *value)
{
	struct sample old;
	bool set, exists, empty = is_text(value) && !value->text.len;

	if (!wanted)
		return true;
	set = run_var_get(r, name, &old);
	exists = set || (name & VAR_PROC); /* those of the process exist since they were named */
	if (((wanted & IF_EXISTS) && !exists) || ((wanted & IF_NOT_EXISTS) && exists) || ((wanted & IF_EMPTY) && !empty) ||
	    ((wanted & IF_NOT_EMPTY) && empty) || ((wanted & IF_SET) && !set) || ((wanted & IF_NOT_SET) && set))
		return false;
	if (!set || old.type != SAMPLE_INT || value->type != SAMPLE_INT)
		return true;
	return (!(wanted & IF_GREATER) || old.number > value->number) && (!(wanted & IF_LESS) || old.number < value->number);
}
