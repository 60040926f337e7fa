/* SPDX-License-Identifier: MIT */
#include "rules/vars.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *prefix;
	enum var_scope within; /* whose limit they have a part in */
} scopes[VAR_N_SCOPES] = {
    [VAR_PROC] = {"proc.", VAR_PROC}, [VAR_SESS] = {"sess.", VAR_PROC}, [VAR_TXN] = {"txn.", VAR_SESS},
    [VAR_REQ] = {"req.", VAR_TXN},    [VAR_RES] = {"res.", VAR_TXN},	[VAR_CHECK] = {"check.", VAR_SESS},
};
static const unsigned usual_limit[VAR_N_SCOPES] = {[VAR_SESS] = VARS_BYTES_USUAL};

/* VAR_N_SCOPES: it has none. */
static enum var_scope scope_of(struct text name)
{
	enum var_scope s = VAR_PROC;

	while (s < VAR_N_SCOPES &&
	       (name.len <= strlen(scopes[s].prefix) || strncmp(name.at, scopes[s].prefix, strlen(scopes[s].prefix)) != 0))
		s++;
	return s;
}

static bool is_name(struct text name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_' && name.at[i] != '.')
			return false;
	return scope_of(name) < VAR_N_SCOPES;
}

int var_number(struct text name, const struct rule_memory *m, struct rule_error *e)
{
	enum var_scope scope = scope_of(name);
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
			return (int)var_of(i, scope);
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
	return (int)var_of(v->n++, scope);
}

static bool is_text(const struct sample *s)
{
	return s->type == SAMPLE_STR || s->type == SAMPLE_BIN;
}

/* Where a variable is. */
static struct vars *home(struct vars *v, unsigned name)
{
	return v->session && var_scope(name) == VAR_SESS ? v->session : v;
}

bool vars_get(const struct vars *v, unsigned name, struct sample *ret)
{
	v = home((struct vars *)(uintptr_t)v, name);
	for (unsigned i = 0; i < v->n; i++)
		if (v->at[i].name == name) {
			*ret = v->at[i].value;
			return true;
		}
	return false;
}

/* What it takes of the limits. The process' names are there, set or not. */
static uint32_t cost(const struct var *var)
{
	return (var_scope(var->name) == VAR_PROC ? 0 : VAR_COST) + (is_text(&var->value) ? (uint32_t)var->value.text.len : 0);
}

static bool has_room(const struct vars *v, const struct vars_room *room, enum var_scope s, uint32_t n)
{
	const unsigned *limit = room->limit ? room->limit : usual_limit;

	for (; s != VAR_PROC; s = scopes[s].within)
		if (limit[s] && v->bytes[s] + (uint64_t)n > limit[s])
			return false;
	return !limit[VAR_PROC] || (v->total ? 0 : v->bytes[VAR_PROC]) + room->elsewhere + n <= limit[VAR_PROC];
}

static void add_bytes(struct vars *v, enum var_scope s, uint32_t n)
{
	v->bytes[VAR_PROC] += n;
	for (; s != VAR_PROC; s = scopes[s].within)
		v->bytes[s] += n;
}

/* Others add to the total at the same time: it is looked at with these in it. */
static bool take(struct vars *v, const struct vars_room *room, const struct var *var)
{
	enum var_scope s = var_scope(var->name);
	const uint32_t n = cost(var);
	struct vars_room with_total = *room;

	if (v->total)
		with_total.elsewhere += atomic_fetch_add(&v->total->bytes, n);
	if (!has_room(v, &with_total, s, n)) {
		if (v->total)
			atomic_fetch_sub(&v->total->bytes, n);
		return false;
	}
	add_bytes(v, s, n);
	return true;
}

static void drop(struct vars *v, unsigned i)
{
	struct var *var = &v->at[i];
	const uint32_t n = cost(var);

	add_bytes(v, var_scope(var->name), -n);
	if (v->total)
		atomic_fetch_sub(&v->total->bytes, n);
	if (is_text(&var->value))
		free((void *)(uintptr_t)var->value.text.at);
	*var = v->at[--v->n];
}

static void vars_unset(struct vars *v, unsigned name)
{
	v = home(v, name);
	for (unsigned i = 0; i < v->n; i++)
		if (v->at[i].name == name) {
			drop(v, i);
			return;
		}
}

static bool grow(struct vars *v)
{
	unsigned cap = v->cap ? v->cap * 2 : 4;
	struct var *at = realloc(v->at, cap * sizeof(*at));

	if (!at)
		return false;
	v->at = at;
	v->cap = cap;
	return true;
}

/* Text becomes our own copy. False: no memory. */
static bool copy_value(struct sample *s)
{
	char *copy;

	if (!is_text(s))
		return true;
	copy = malloc(s->text.len + 1);
	if (copy && s->text.len)
		memcpy(copy, s->text.at, s->text.len);
	s->text.at = copy;
	return copy;
}

bool vars_set(struct vars *v, const struct vars_room *room, unsigned name, const struct sample *value)
{
	struct var var = {name, *value};

	v = home(v, name);
	/* before the old one goes: it may be what is copied */
	if (!copy_value(&var.value)) {
		vars_unset(v, name);
		return false;
	}
	vars_unset(v, name);
	if ((v->n < v->cap || grow(v)) && take(v, room, &var)) {
		v->at[v->n++] = var;
		return true;
	}
	if (is_text(value))
		free((void *)(uintptr_t)var.value.text.at);
	return false;
}

void vars_end(struct vars *v, enum var_scope scope)
{
	for (unsigned i = v->n; i-- > 0;)
		if (var_scope(v->at[i].name) == scope)
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
	if (var_scope(name) == VAR_PROC)
		return r->proc && get_of_process(r, name, ret);
	return r->vars && vars_get(r->vars, name, ret);
}

/* NULL: unset. False: no room. */
static bool change_of_process(struct proc_vars *p, unsigned name, const struct sample *value)
{
	struct vars_room room = {p->limit, p->n_names * VAR_COST};
	bool ok = true;

	pthread_mutex_lock(&p->lock);
	if (p->total)
		room.elsewhere += atomic_load(&p->total->bytes);
	if (value)
		ok = vars_set(&p->vars, &room, name, value);
	else
		vars_unset(&p->vars, name);
	atomic_store(&p->bytes, p->vars.bytes[VAR_PROC] + p->n_names * VAR_COST);
	pthread_mutex_unlock(&p->lock);
	return ok;
}

static bool set(struct run *r, unsigned name, const struct sample *value)
{
	const struct proc_vars *p = r->proc;
	const struct vars_room room = {p ? p->limit : NULL, p ? atomic_load(&p->bytes) : 0};

	if (!r->vars)
		return true;
	if (!r->vars->n && p)
		r->vars->total = p->limit && p->limit[VAR_PROC] ? p->total : NULL;
	return vars_set(r->vars, &room, name, value);
}

bool run_var_set(struct run *r, unsigned name, const struct sample *value)
{
	bool ok = var_scope(name) != VAR_PROC ? set(r, name, value) : r->proc ? change_of_process(r->proc, name, value) : true;

	if (!ok && r->proc && r->proc->total)
		atomic_fetch_add(&r->proc->total->refused, 1);
	return ok;
}

void run_var_unset(struct run *r, unsigned name)
{
	if (var_scope(name) == VAR_PROC && r->proc)
		change_of_process(r->proc, name, NULL);
	else if (var_scope(name) != VAR_PROC && r->vars)
		vars_unset(r->vars, name);
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
	exists = set || var_scope(name) == VAR_PROC; /* those of the process exist since they were named */
	if (((wanted & IF_EXISTS) && !exists) || ((wanted & IF_NOT_EXISTS) && exists) || ((wanted & IF_EMPTY) && !empty) ||
	    ((wanted & IF_NOT_EMPTY) && empty) || ((wanted & IF_SET) && !set) || ((wanted & IF_NOT_SET) && set))
		return false;
	if (!set || old.type != SAMPLE_INT || value->type != SAMPLE_INT)
		return true;
	return (!(wanted & IF_GREATER) || old.number > value->number) && (!(wanted & IF_LESS) || old.number < value->number);
}
