/* SPDX-License-Identifier: MIT */
#include "admin.h"

#include <errno.h>
#include <libsched/lb_hash.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "engine/http/http.h"
#include "log.h"
#include "loop.h"

/* ---- Names ---- */

struct backend *admin_backend(const struct engine *e, const char *name)
{
	const struct set *set = engine_set(e);

	for (size_t i = 0; set && i < set->n_backends; i++)
		if (!strcmp(set->backend[i].proxy->name, name))
			return &set->backend[i];
	return NULL;
}

struct frontend *admin_frontend(const struct engine *e, const char *name)
{
	const struct set *set = engine_set(e);

	for (size_t i = 0; set && i < set->n_frontends; i++)
		if (!strcmp(set->frontend[i].name, name))
			return &set->frontend[i];
	return NULL;
}

struct server *admin_server(const struct engine *e, const char *backend, const char *server)
{
	const struct backend *b = admin_backend(e, backend);

	for (size_t i = 0; b && i < b->n_servers; i++)
		if (!strcmp(b->servers[i]->name, server))
			return b->servers[i];
	return NULL;
}

/* ---- Servers ---- */

void server_admin_read(struct server *s, const struct cfg_server *c)
{
	struct server_admin *a = &s->admin;
	bool first = !a->known;

	s->backup = c->backup;
	if (first || !s->named)
		s->usable = server_addr(s)->len;
	atomic_store(&s->observe, c->check ? c->observe : CFG_OBSERVE_NONE);
	atomic_store(&s->error_limit, c->error_limit);
	if (first || c->weight != a->cfg_weight)
		a->weight = c->weight;
	if (first || c->maxconn != a->cfg_maxconn)
		a->maxconn = c->maxconn;
	if (first || c->disabled != a->cfg_disabled) {
		a->maint = c->disabled;
		a->drain = false;
		check_rest(s);
	}
	if (first)
		a->no_checks = c->dynamic;
	a->cfg_weight = c->weight;
	a->cfg_maxconn = c->maxconn;
	a->cfg_disabled = c->disabled;
	a->known = true;
}

void server_changed(struct server *s, bool up)
{
	struct server_admin *a = &s->admin;
	uint64_t now_ns = loop_clock_ns();

	if (up)
		a->down_ns += now_ns - a->changed_ns;
	else
		a->n_down++;
	a->changed_ns = now_ns;
}

/* Once it is published. */
static void tell_state(const struct server *s, bool was_up, bool was_maint, bool was_drain)
{
	bool maint = s->admin.maint, drain = s->admin.drain;
	const char *now = s->up ? "UP" : "DOWN";

	if (maint && !was_maint && was_up)
		server_tell_left(s, SERVER_LEAVES, "is going DOWN for maintenance");
	else if (maint && !was_maint)
		server_tell(s, LOG_NOTICE, "was DOWN and now enters maintenance.");
	else if (was_maint && !maint)
		server_tell(s, LOG_NOTICE, "is %s/%s (leaving forced maintenance).", now, drain ? "DRAIN" : "READY");
	if (was_maint && !maint && drain)
		server_tell(s, LOG_NOTICE, "remains in forced drain mode.");
	if (was_maint || maint)
		return;
	if (drain && !was_drain)
		server_tell_left(s, SERVER_DRAINS, "enters drain state");
	else if (was_drain && !drain)
		server_tell(s, LOG_NOTICE, "is %s (leaving forced drain).", now);
}

int admin_set_state(struct engine *e, struct server *s, enum admin_state state)
{
	struct server_admin *a = &s->admin;
	bool maint = state == ADMIN_MAINT, drain = state == ADMIN_DRAIN;
	bool was_maint = a->maint, was_drain = a->drain, was_up = s->up;
	int r;

	if (was_maint == maint && was_drain == drain)
		return 0;
	if (was_maint != maint) {
		a->maint = maint;
		check_rest(s);
		if (!maint)
			check_start_up(s);
		if (!maint && !s->check && !s->tracked && !s->agent_down)
			s->up = true; /* nobody else would bring it back */
		if (was_up) /* else it was down before, and a change to up was told */
			server_changed(s, !maint);
	}
	a->maint = maint;
	a->drain = drain;
	r = server_publish(e, s);
	tell_state(s, was_up && !s->admin.via_maint, was_maint, was_drain);
	trackers_follow(e, s);
	return r;
}

int admin_set_weight(struct engine *e, struct server *s, unsigned weight)
{
	int r;

	s->admin.weight = weight;
	r = server_publish(e, s);
	server_tell_none(s);
	return r;
}

/* Idle connections go where the server was: nobody needs them now. */
static void note_place(struct worker *w, void *arg)
{
	struct server_place *p = arg;

	if (p->server->http)
		links_close_of(w, p->server);
	atomic_fetch_add(&p->noted, 1);
}

/* Places that no worker can be reading any more. */
static void drop_places(const struct engine *e, struct server *s)
{
	struct server_place *p = s->places, *older;

	while (p && atomic_load(&p->noted) < e->n_workers)
		p = p->older;
	for (; p && (older = p->older);) {
		p->older = older->older;
		free(older);
	}
}

static int check_anew(struct engine *e, struct server *s)
{
	return s->admin.cfg ? check_sync(e, s, s->admin.cfg, s->admin.backend) : 0;
}

/* NULL: it has no dynamic cookie, as it is off, or its line has one. */
static const char *cookie_key(const struct server *s)
{
	const struct cfg_http *http = s->admin.backend ? s->admin.backend->http : NULL;
	const struct pool *p = s->pool;
	bool on;

	if (!http || !http->cookie || (s->admin.cfg && s->admin.cfg->cookie))
		return NULL;
	on = p->cookie.dynamic ? p->cookie.dynamic == COOKIE_DYNAMIC : http->cookie->dynamic;
	return !on ? NULL : p->cookie.key ? p->cookie.key : http->dynamic_cookie_key;
}

void admin_forget_cookies(struct engine *e)
{
	struct pool *p;

	LIST_FOREACH (p, &e->pools, entry) {
		free(p->cookie.key);
		p->cookie.key = NULL;
		p->cookie.dynamic = COOKIE_AS_CONFIGURED;
	}
}

void admin_set_dynamic_cookie(const struct backend *b, bool on)
{
	b->pool->cookie.dynamic = on ? COOKIE_DYNAMIC : COOKIE_NOT_DYNAMIC;
	for (size_t i = 0; i < b->n_servers; i++)
		server_hash_cookie(b->servers[i]);
}

int admin_set_cookie_key(const struct backend *b, const char *key)
{
	char *copy = strdup(key);

	if (!copy)
		return -ENOMEM;
	free(b->pool->cookie.key);
	b->pool->cookie.key = copy;
	for (size_t i = 0; i < b->n_servers; i++)
		server_hash_cookie(b->servers[i]);
	return 0;
}

/* HAProxy's: XXH64 of the key, the address, and the port in four bytes. */
void server_hash_cookie(struct server *s)
{
	const char *key = cookie_key(s);
	const struct cfg_addr *a = server_addr(s);
	const struct sockaddr_in *in = (const struct sockaddr_in *)&a->storage;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&a->storage;
	const bool is_in = a->sa.sa_family == AF_INET, is_in6 = a->sa.sa_family == AF_INET6;
	char text[CFG_COOKIE_KEY_MAX + sizeof(in6->sin6_addr) + sizeof(uint32_t)];
	size_t len = key ? strlen(key) : 0;
	uint32_t port;

	if (!key || !a->len || (!is_in && !is_in6)) {
		atomic_store(&s->cookie_hash, 0);
		return;
	}
	memcpy(text, key, len);
	memcpy(text + len, is_in ? (const void *)&in->sin_addr : &in6->sin6_addr,
	       is_in ? sizeof(in->sin_addr) : sizeof(in6->sin6_addr));
	len += is_in ? sizeof(in->sin_addr) : sizeof(in6->sin6_addr);
	port = htonl(ntohs(is_in ? in->sin_port : in6->sin6_port));
	memcpy(text + len, &port, sizeof(port));
	atomic_store(&s->cookie_hash, lb_hash_bytes(text, len + sizeof(port), 0));
}

int server_move(struct engine *e, struct server *s, const struct cfg_addr *addr)
{
	struct server_place *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	drop_places(e, s);
	p->addr = *addr;
	p->server = s;
	p->older = s->places;
	s->places = p;
	atomic_store_explicit(&s->moved, p, memory_order_release);
	server_hash_cookie(s);
	for (unsigned i = 0; i < e->n_workers; i++)
		if (worker_post(e->worker[i], note_place, p) < 0)
			log_err("worker %u keeps idle connections of %s/%s: out of memory", i, s->pool->name, s->name);
	return check_anew(e, s);
}

int admin_set_addr(struct engine *e, struct server *s, const struct cfg_addr *addr)
{
	int r = server_move(e, s, addr);

	if (r < 0)
		return r;
	s->usable = true;
	check_rest(s);
	log_notice("server %s/%s: moved to another address", s->pool->name, s->name);
	return server_publish(e, s);
}

int admin_set_check_port(struct engine *e, struct server *s, unsigned port)
{
	if (!s->check)
		return -ENOENT;
	s->admin.check_port = port;
	return check_anew(e, s);
}

int admin_set_check_addr(struct engine *e, struct server *s, const struct cfg_addr *addr)
{
	if (!s->check)
		return -ENOENT;
	if (addr_keep(&s->admin.check_addr, addr) < 0)
		return -ENOMEM;
	return check_anew(e, s);
}

int admin_set_maxconn(struct engine *e, struct server *s, unsigned maxconn)
{
	if (!s->member)
		return -ENOENT;
	s->admin.maxconn = maxconn;
	atomic_store(&s->maxconn, maxconn);
	return server_publish(e, s);
}

int admin_set_health(struct engine *e, struct server *s, enum admin_health health, uint64_t now_ns)
{
	bool up = health != ADMIN_HEALTH_DOWN;

	s->change_why = server_in_maint(s) ? "" : ", changed from CLI"; /* told when that is over */
	if (s->check)
		health_check_set(s->check, up ? HEALTH_START_FULLY_UP : HEALTH_START_FULLY_DOWN, now_ns);
	if (s->up != up || s->draining != (health == ADMIN_HEALTH_STOPPING))
		server_set_up(e, s, up, health == ADMIN_HEALTH_STOPPING, "");
	s->change_why = NULL;
	return 0;
}

int admin_set_checks(struct server *s, bool on)
{
	if (!s->check)
		return -ENOENT;
	s->admin.no_checks = !on;
	check_rest(s);
	return 0;
}

/* ---- Frontends ---- */

static void resume(struct engine *e)
{
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_poke(e->worker[i], POKE_GATE);
}

void frontend_admin_read(const struct frontend *f, uint32_t maxconn)
{
	struct gate *g = f->gate;
	uint32_t max = g->max_by_hand ? g->max_by_hand : maxconn;

	g->max_before_pause = max;
	atomic_store(&g->max, g->paused ? 0 : max);
}

void admin_set_frontend_maxconn(struct engine *e, const struct frontend *f, uint32_t max)
{
	f->gate->max_by_hand = max;
	frontend_admin_read(f, f->maxconn ? f->maxconn : e->maxconn);
	resume(e);
}

void admin_set_global_maxconn(struct engine *e, uint32_t max)
{
	e->gate.max_by_hand = max;
	atomic_store(&e->gate.max, max ? max : e->maxconn);
	resume(e);
}

void admin_pause(struct engine *e, const struct frontend *f, bool pause)
{
	f->gate->paused = pause;
	atomic_store(&f->gate->max, pause ? 0 : f->gate->max_before_pause);
	frontend_tell_paused(f, pause);
	resume(e);
}

static void close_listeners(struct worker *w, void *arg)
{
	const struct gate *g = arg;

	for (size_t i = 0; w->set && i < w->set->n_listeners; i++) {
		const struct set_listener *l = &w->set->listener[i];

		if (l->frontend->gate == g)
			listener_retire(w, l->listener);
	}
}

int admin_shut(struct engine *e, const struct frontend *f)
{
	const struct set *set = engine_set(e);

	f->gate->shut = true;
	for (size_t i = 0; i < set->n_listeners; i++)
		if (set->listener[i].frontend == f)
			set->listener[i].listener->shut = true;
	frontend_tell_stopped(f);
	for (unsigned i = 0; i < e->n_workers; i++)
		if (worker_post(e->worker[i], close_listeners, f->gate) < 0)
			return -ENOMEM;
	return 0;
}

/* ---- Counters ---- */

bool admin_clear_counters(struct engine *e, bool all)
{
	bool ok = tally_clear(e->tally, all) & tally_clear(e->tls_clients, all) & tally_clear(e->tls_servers, all) &
		  tally_clear(e->compressed, all);
	struct gate_listener *l;
	struct server *s;
	struct gate *g;
	struct pool *p;

	LIST_FOREACH (g, &e->gates, entry) {
		ok &= tally_clear(g->tally, all);
		LIST_FOREACH (l, &g->listeners, entry)
			ok &= tally_clear(l->tally, all);
	}
	LIST_FOREACH (p, &e->pools, entry) {
		ok &= tally_clear(p->tally, all);
		if (all)
			p->n_down = p->down_ns = 0;
		TAILQ_FOREACH (s, &p->servers, entry) {
			ok &= tally_clear(s->tally, all);
			if (all)
				s->admin.n_down = s->admin.n_failed = s->admin.n_observed = s->admin.down_ns = 0;
		}
	}
	return ok;
}
