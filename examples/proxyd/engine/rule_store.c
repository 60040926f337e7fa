/* SPDX-License-Identifier: MIT */
#include "rule_store.h"

#include <stdlib.h>
#include <string.h>

struct rule_store *rule_store_get(struct rule_store **store)
{
	if (!*store)
		*store = calloc(1, sizeof(**store));
	return *store;
}

struct rule_store *rule_store_of_stream(struct rule_store *session)
{
	struct rule_store *s = calloc(1, sizeof(*s));
	bool ok = s;

	if (!ok)
		return NULL;
	s->vars.session = &session->vars;
	s->greeted = session->greeted;
	ok &= rule_store_text(&s->pp_authority, session->pp_authority.at, session->pp_authority.len);
	ok &= rule_store_text(&s->pp_unique_id, session->pp_unique_id.at, session->pp_unique_id.len);
	if (session->met && (s->met = malloc(sizeof(*s->met))))
		*s->met = *session->met;
	ok &= !session->met || s->met;
	track_share(s->track, session->track);
	s->to_http = session->to_http;
	s->chosen = session->chosen;
	session->to_http = false;
	session->chosen = NULL;
	if (ok)
		return s;
	rule_store_free(s);
	return NULL;
}

struct captures *rule_store_captures(struct rule_store *store, const struct capture_slots *slots)
{
	if (!store->captures && slots)
		store->captures = calloc(1, sizeof(*store->captures));
	return store->captures;
}

bool rule_store_text(struct text *to, const char *at, size_t len)
{
	char *copy = at ? malloc(len + 1) : NULL;

	if (!at)
		return true;
	if (!copy)
		return false;
	free((char *)(uintptr_t)to->at);
	memcpy(copy, at, len);
	*to = text_of(copy, len);
	return true;
}

static void drop_sticks(struct rule_store *store)
{
	for (unsigned i = 0; i < store->n_sticks; i++) {
		const struct stick_hold *h = &store->stick[i];

		if (h->made_ns) /* no server was found: none is remembered */
			table_forget(h->table, h->entry, h->made_ns);
		else
			table_release(h->table, h->entry);
		table_put(h->table);
	}
	store->n_sticks = 0;
}

void rule_store_stick(struct rule_store *store, unsigned server, uint64_t now_ns)
{
	for (unsigned i = 0; server && i < store->n_sticks; i++) {
		struct stick_hold *h = &store->stick[i];

		table_set(h->table, h->entry, table_at(TABLE_SERVER_ID), server, now_ns);
		h->made_ns = 0;
	}
	drop_sticks(store);
}

void rule_store_end(struct rule_store *store)
{
	vars_end(&store->vars, VAR_TXN);
	vars_end(&store->vars, VAR_REQ);
	vars_end(&store->vars, VAR_RES);
	if (store->captures)
		captures_clear(store->captures);
	store->last_rule = NULL;
	track_end(store->track, true);
	drop_sticks(store);
	free(store->unique_id);
	store->unique_id = NULL;
}

void rule_store_free(struct rule_store *store)
{
	if (!store)
		return;
	rule_store_end(store);
	track_end(store->track, false);
	vars_clear(&store->vars);
	free(store->captures);
	free((char *)(uintptr_t)store->pp_authority.at);
	free((char *)(uintptr_t)store->pp_unique_id.at);
	free(store->met);
	free(store);
}
