/* SPDX-License-Identifier: MIT */
#include "refused.h"
#include "rule_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct refused *find(struct engine *e, const char *proxy, bool is_answer)
{
	struct refused *c;

	TAILQ_FOREACH (c, &e->refused, entry)
		if (c->is_answer == is_answer && !strcmp(c->proxy, proxy))
			return c;
	return NULL;
}

/* A place for it, the oldest one if there are too many. NULL: no memory. */
static struct refused *take(struct engine *e, const char *proxy, bool is_answer)
{
	struct refused *c = find(e, proxy, is_answer);

	if (!c && e->n_refused_kept == REFUSED_MAX)
		c = TAILQ_LAST(&e->refused, refused_list);
	if (c) {
		TAILQ_REMOVE(&e->refused, c, entry);
		return c;
	}
	c = malloc(sizeof(*c));
	e->n_refused_kept += c != NULL;
	return c;
}

static void name(char *to, const char *from)
{
	snprintf(to, CFG_NAME_MAX + 1, "%s", from);
}

void refused_keep(struct worker *w, const struct client *c, const struct exchange *x, enum h1_fault fault,
		     const char *data, size_t len)
{
	struct engine *e = w->engine;
	const struct backend *b = x ? x->seeker.backend : NULL;
	const char *proxy = b ? b->proxy->name : c->frontend->name;
	struct refused *k;

	/* a flood of bad messages shall not make workers wait for one another */
	if (pthread_mutex_trylock(&e->refused_lock) != 0)
		return;
	k = take(e, proxy, b);
	if (k) {
		k->is_answer = b;
		name(k->proxy, proxy);
		name(k->frontend, c->frontend->name);
		name(k->backend, b ? b->proxy->name : "");
		name(k->server, x && x->seeker.server ? x->seeker.server->name : "");
		k->proxy_id = b ? b->number : c->frontend->number;
		k->frontend_id = c->frontend->number;
		k->server_id = k->server[0] ? backend_server_id(b, x->seeker.server) : 0;
		k->backend_id = b ? b->number : 0;
		k->from = c->from;
		clock_gettime(CLOCK_REALTIME, &k->when);
		k->event = e->n_refused;
		k->fault = fault;
		k->whole = len;
		k->len = len < REFUSED_BYTES_MAX ? len : REFUSED_BYTES_MAX;
		memcpy(k->data, data, k->len);
		TAILQ_INSERT_HEAD(&e->refused, k, entry);
	}
	e->n_refused++;
	pthread_mutex_unlock(&e->refused_lock);
}

void refused_each(struct engine *e, void (*fn)(void *userdata, const struct refused *c), void *userdata)
{
	const struct refused *c;

	pthread_mutex_lock(&e->refused_lock);
	TAILQ_FOREACH (c, &e->refused, entry)
		fn(userdata, c);
	pthread_mutex_unlock(&e->refused_lock);
}

void refused_free(struct engine *e)
{
	struct refused *c;

	while ((c = TAILQ_FIRST(&e->refused))) {
		TAILQ_REMOVE(&e->refused, c, entry);
		free(c);
	}
	pthread_mutex_destroy(&e->refused_lock);
}
