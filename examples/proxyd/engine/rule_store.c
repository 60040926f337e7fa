/* SPDX-License-Identifier: MIT */
#include "rule_store.h"

#include <stdlib.h>

struct rule_store *rule_store_get(struct rule_store **store)
{
	if (!*store)
		*store = calloc(1, sizeof(**store));
	return *store;
}

struct captures *rule_store_captures(struct rule_store *store, const struct capture_slots *slots)
{
	if (!store->captures && slots)
		store->captures = calloc(1, sizeof(*store->captures));
	return store->captures;
}

void rule_store_end(struct rule_store *store, const struct var_names *names)
{
	if (names) {
		vars_end(&store->vars, names, VAR_TXN);
		vars_end(&store->vars, names, VAR_REQ);
		vars_end(&store->vars, names, VAR_RES);
	}
	if (store->captures)
		captures_clear(store->captures);
	free(store->unique_id);
	store->unique_id = NULL;
}

void rule_store_free(struct rule_store *store)
{
	if (!store)
		return;
	rule_store_end(store, NULL);
	vars_clear(&store->vars);
	free(store->captures);
	free(store);
}
