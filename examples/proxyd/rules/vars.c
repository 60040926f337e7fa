/* SPDX-License-Identifier: MIT */
#include "rules/vars.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const scopes[VAR_N_SCOPES] = {
    [VAR_SESS] = "sess.", [VAR_TXN] = "txn.", [VAR_REQ] = "req.", [VAR_RES] = "res."};

static bool is_name(struct text name)
{
	size_t scope = 0;

	for (unsigned i = 0; i < VAR_N_SCOPES; i++)
		if (name.len > strlen(scopes[i]) && !strncmp(name.at, scopes[i], strlen(scopes[i])))
			scope = strlen(scopes[i]);
	for (size_t i = scope; i < name.len; i++)
		if (!isalnum((unsigned char)name.at[i]) && name.at[i] != '_' && name.at[i] != '.')
			return false;
	return scope;
}

int var_number(struct text name, const struct rule_memory *m, struct rule_error *e)
{
	struct var_names *v = m->vars;
	char *copy;

	if (!is_name(name)) {
		rule_fail(e,
			  "\"%.*s\" is no variable: write sess., txn., req. or res. and letters, "
			  "digits, \"_\" or \".\"",
			  (int)(name.len > 64 ? 64 : name.len), name.at);
		return -1;
	}
	for (unsigned i = 0; i < v->n; i++)
		if (strlen(v->name[i]) == name.len && !strncmp(v->name[i], name.at, name.len))
			return (int)i;
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
	return (int)v->n++;
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
