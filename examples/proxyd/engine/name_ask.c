/* SPDX-License-Identifier: MIT */
#include "name_ask.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dns.h"
#include "rule_run.h"
#include "rule_store.h"

#include "container_of.h"

struct name_ask {
	struct dns_once once; /* the control thread's */
	struct engine *engine;
	struct worker *worker; /* gone when the engine ends */
	struct exchange *exchange; /* who waits, the worker's: one of both; */
	struct session *session;   /* neither: it has gone */
	struct command answer;
	struct set *set;	   /* lives as long as this does: so do the section's name and the variable's */
	const char *section;
	char *name;
	int prefer;
	unsigned variable;
	struct sample address; /* SAMPLE_BOOL: there is none */
};

static void ask_free(struct name_ask *a)
{
	free(a->name);
	free(a);
}

static void set_variable(const struct name_ask *a, struct rule_store **store)
{
	struct run r = {.proc = &a->set->cfg->shared->proc};

	if (!rule_store_get(store) || a->address.type == SAMPLE_BOOL)
		return;
	r.vars = &(*store)->vars;
	run_var_set(&r, a->variable, &a->address);
}

/* In the worker. */
static void finish(struct worker *w, void *arg)
{
	struct name_ask *a = arg;
	struct exchange *x = a->exchange;
	struct session *s = a->session;
	struct set *set = a->set;

	if (x) {
		struct client *c = x->client;

		x->name_ask = NULL;
		set_variable(a, &c->store);
		exchange_go_on(w, x);
		client_run(w, c);
	} else if (s) {
		s->store->name_ask = NULL;
		set_variable(a, &s->store);
		session_begin_event(w, s, 0);
	}
	ask_free(a);
	atomic_fetch_sub(&w->engine->n_name_asks, 1);
	set_leave(w, set);
}

/* ---- The control thread ---- */

static void give_back(struct name_ask *a)
{
	worker_post_own(a->worker, &a->answer, finish, a);
}

static struct sample address_of(const struct dns_question *q, int prefer)
{
	struct sample s = sample_bool(false);

	for (unsigned i = 0; q && q->status == CFG_HOLD_VALID && i < q->n_answers; i++) {
		const struct dns_answer *a = &q->answer[i];

		if (s.type != SAMPLE_BOOL && a->family != prefer)
			continue;
		s.type = a->family == AF_INET ? SAMPLE_IPV4 : SAMPLE_IPV6;
		memcpy(s.ip, a->addr, sizeof(s.ip));
		if (a->family == prefer)
			break;
	}
	return s;
}

static void told(struct dns_once *once, const struct dns_question *q)
{
	struct name_ask *a = container_of(once, struct name_ask, once);

	a->address = address_of(q, a->prefer);
	if (a->engine->ending)
		ask_free(a);
	else
		give_back(a);
}

static void begin(void *arg)
{
	struct name_ask *a = arg;
	struct engine *e = a->engine;

	if (e->ending)
		ask_free(a);
	else if (dns_ask(e->dns, a->section, a->name, a->prefer, &a->once) < 0)
		give_back(a);
}

/* ---- The worker ---- */

/* NULL: it goes on without an address. */
static struct name_ask *ask(struct worker *w, struct set *set, struct exchange *x, struct session *s, const struct verdict *v)
{
	struct name_ask *a = NULL;

	if (atomic_fetch_add(&w->engine->n_name_asks, 1) >= NAME_ASKS_MAX || !(a = calloc(1, sizeof(*a))) ||
	    !(a->name = strndup(v->name.at, v->name.len))) {
		atomic_fetch_sub(&w->engine->n_name_asks, 1);
		free(a);
		return NULL;
	}
	a->once.told = told;
	a->engine = w->engine;
	a->worker = w;
	a->exchange = x;
	a->session = s;
	a->set = set;
	a->section = v->resolvers;
	a->prefer = v->prefers_ipv4 ? AF_INET : AF_INET6;
	a->variable = v->variable;
	a->address = sample_bool(false);
	set->worker[w->index].sessions++;
	if (engine_post(w->engine, begin, a))
		return a;
	ask_free(a);
	atomic_fetch_sub(&w->engine->n_name_asks, 1);
	set_leave(w, set);
	return NULL;
}

bool exchange_ask_name(struct worker *w, struct exchange *x, const struct verdict *v)
{
	x->name_ask = ask(w, x->client->frontend->set, x, NULL, v);
	return x->name_ask;
}

void exchange_ask_name_end(struct exchange *x)
{
	if (x->name_ask)
		x->name_ask->exchange = NULL;
	x->name_ask = NULL;
}

bool session_ask_name(struct worker *w, struct session *s, const struct verdict *v)
{
	s->store->name_ask = ask(w, s->frontend->set, NULL, s, v);
	return s->store->name_ask;
}

void session_ask_name_end(struct session *s)
{
	if (s->store && s->store->name_ask)
		s->store->name_ask->session = NULL;
}
