/* SPDX-License-Identifier: MIT */
/* Pools and servers: what outlives a reload, and its mirror in libsched. */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsched/lb_hash.h>

#include "algos.h"
#include "log.h"
#include "loop.h"
#include "worker.h"
#include "fnv1a.h"

static uint64_t id_of(const struct server *s)
{
	return (uintptr_t)s;
}

static void pool_free(struct pool *p)
{
	lb_group_free(p->group);
	pthread_mutex_destroy(&p->editing);
	free(p->worker);
	tally_free(p->tally);
	free(p->cookie.key);
	free(p->name);
	free(p);
}

/* libsched has one for a group. */
static uint64_t slowstart(const struct backend *b)
{
	uint64_t longest = 0;

	for (size_t i = 0; i < b->n_servers; i++)
		if (b->lines[i]->slowstart_ns > longest)
			longest = b->lines[i]->slowstart_ns;
	return longest;
}

static struct lb_group_opts group_opts(const struct cfg_proxy *proxy, uint64_t slow_ns)
{
	const struct cfg_settings *set = &proxy->set;
	const struct lb_algo *own = set->hash_type.consistent ? NULL : own_algo_find(set->balance);

	return (struct lb_group_opts){
	    .size = sizeof(struct lb_group_opts),
	    .algo = own ? NULL : set->hash ? "uri" : set->balance, /* libsched wants the key, not what it is of */
	    .own_algo = own,
	    .draws = set->draws,
	    .flags = set->hash_type.consistent ? LB_GROUP_CONSISTENT : 0,
	    .balance_factor = set->hash_type.consistent ? set->balance_factor : 0,
	    .slow_start_ns = slow_ns,
	};
}

static void note_balance(struct pool *p, const struct cfg_proxy *proxy, uint64_t slow_ns)
{
	const struct cfg_settings *set = &proxy->set;

	p->algo = set->balance;
	p->draws = set->draws;
	p->consistent = set->hash_type.consistent;
	p->balance_factor = set->balance_factor;
	p->slow_ns = slow_ns;
}

static bool same_balance(const struct pool *p, const struct cfg_proxy *proxy)
{
	const struct cfg_settings *set = &proxy->set;

	return !strcmp(p->algo, set->balance) && p->draws == set->draws &&
	       p->consistent == set->hash_type.consistent && p->balance_factor == set->balance_factor;
}

static struct pool *pool_new(struct engine *e, const struct cfg_proxy *proxy)
{
	struct pool *p = calloc(1, sizeof(*p));
	struct lb_group_opts o = group_opts(proxy, 0); /* its servers come later */

	if (!p)
		return NULL;
	pthread_mutex_init(&p->editing, NULL);
	p->name = strdup(proxy->name);
	note_balance(p, proxy, 0);
	p->worker = aligned_alloc(CACHE_LINE, e->n_workers * sizeof(*p->worker));
	p->tally = tally_new(e->n_workers);
	if (!p->name || !p->worker || !p->tally || lb_group_new(&o, &p->group) < 0) {
		pool_free(p);
		return NULL;
	}
	for (unsigned i = 0; i < e->n_workers; i++) {
		p->worker[i] = (struct pool_worker){.pool = p, .first = NOBODY};
		TAILQ_INIT(&p->worker[i].queue);
	}
	p->changed_ns = loop_clock_ns();
	LIST_INIT(&p->servers);
	return p;
}

struct lb_picker *pool_picker(struct pool *p, unsigned worker)
{
	struct pool_worker *pw = &p->worker[worker];

	pthread_mutex_lock(&p->editing);
	if (lb_picker_new(p->group, &pw->picker) < 0)
		pw->picker = NULL;
	pthread_mutex_unlock(&p->editing);
	return pw->picker;
}

static unsigned bucket_of(const char *name)
{
	uint32_t hash = fnv1a_text(name);

	return (hash ^ hash >> 16) % POOL_BUCKETS;
}

struct pool *pool_get(struct engine *e, const struct cfg_proxy *proxy)
{
	unsigned bucket = bucket_of(proxy->name);
	struct pool *p;

	LIST_FOREACH (p, &e->pools_named[bucket], named)
		if (!strcmp(p->name, proxy->name)) {
			p->refs++;
			return p;
		}
	p = pool_new(e, proxy);
	if (!p)
		return NULL;
	p->refs = 1;
	LIST_INSERT_HEAD(&e->pools, p, entry);
	LIST_INSERT_HEAD(&e->pools_named[bucket], p, named);
	return p;
}

void pool_put(struct engine *e, struct pool *p)
{
	if (--p->refs)
		return;
	LIST_REMOVE(p, entry);
	LIST_REMOVE(p, named);
	pool_free(p);
}

static bool same_address(const struct cfg_addr *a, const struct cfg_addr *b)
{
	return a->len == b->len && !memcmp(&a->storage, &b->storage, a->len);
}

static bool make_idle_lists(const struct engine *e, struct server *s)
{
	s->worker = aligned_alloc(CACHE_LINE, e->n_workers * sizeof(*s->worker));
	for (unsigned i = 0; s->worker && i < e->n_workers; i++) {
		s->worker[i] = (struct server_worker){.purge_ns = 0};
		TAILQ_INIT(&s->worker[i].idle);
	}
	return s->worker;
}

/* One whose name is asked for is where that says. */
static bool same_target(const struct server *s, const struct cfg_server *c)
{
	bool asked = c->is_name && c->resolve.section;

	return s->host || asked ? s->host && asked && !strcmp(s->host, c->host) : same_address(&s->addr, &c->addr);
}

/* Equal is who has the same name and is spoken to alike: he keeps his health and his counters. */
struct server *server_get(struct engine *e, const struct backend *b, const struct cfg_server *c)
{
	struct pool *p = b->pool;
	struct server *s;

	LIST_FOREACH (s, &p->servers, entry)
		if (!s->gone && !strcmp(s->name, c->name) && same_target(s, c) &&
		    s->client_port == c->client_port && s->port_shift == c->port_shift && s->send_proxy == c->send_proxy &&
		    s->proxy_tells == c->proxy_tells && s->netns_id == cfg_netns_id(c->netns) &&
		    !atomic_load(&s->tls) == !cfg_server_back(c) && !atomic_load(&s->socks) == !c->socks &&
		    !s->worker == !b->http) {
			s->refs++;
			return s;
		}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->name = strdup(c->name);
	s->host = c->is_name && c->resolve.section ? strdup(c->host) : NULL;
	s->tally = tally_new(e->n_workers);
	if (!s->name || (!s->host && c->is_name && c->resolve.section) || !s->tally || (b->http && !make_idle_lists(e, s))) {
		tally_free(s->tally);
		free(s->host);
		free(s->name);
		free(s);
		return NULL;
	}
	s->pool = p;
	s->refs = 1;
	s->addr = c->addr;
	s->client_port = c->client_port;
	s->port_shift = c->port_shift;
	s->send_proxy = c->send_proxy;
	s->proxy_tells = c->proxy_tells;
	s->netns_id = cfg_netns_id(c->netns);
	atomic_init(&s->tls, cfg_server_back(c));
	atomic_init(&s->socks, c->socks);
	LIST_INIT(&s->trackers);
	s->up = true;
	s->admin.changed_ns = loop_clock_ns();
	LIST_INSERT_HEAD(&p->servers, s, entry);
	return s;
}

static void leave_group(struct server *s)
{
	pthread_mutex_lock(&s->pool->editing);
	lb_server_remove(s->pool->group, id_of(s));
	pthread_mutex_unlock(&s->pool->editing);
	s->member = s->in_service = false;
}

void server_put(struct server *s)
{
	if (--s->refs)
		return;
	check_end(s);
	agent_end(s);
	resolve_end(s);
	server_track(s, NULL);
	while (!LIST_EMPTY(&s->trackers))
		server_track(LIST_FIRST(&s->trackers), NULL);
	if (s->member)
		leave_group(s);
	LIST_REMOVE(s, entry);
	free(s->worker);
	tally_free(s->tally);
	while (s->places) {
		struct server_place *p = s->places;

		s->places = p->older;
		free(p);
	}
	check_made_free(s->checked);
	check_made_free(s->agent_made);
	free(s->admin.check_addr);
	free(s->admin.agent_addr);
	free(s->admin.agent_send);
	free(s->host);
	free(s->name);
	free(s);
}

static struct server *find(const struct pool *p, const struct set *set, const struct cfg_server *c)
{
	struct server *s;

	LIST_FOREACH (s, &p->servers, entry)
		if (s->in == set && !strcmp(s->name, c->name))
			return s;
	return NULL;
}

static bool server_serves(const struct server *s)
{
	return s->up && !server_in_maint(s);
}

static bool server_balanced(const struct server *s)
{
	return server_serves(s) && !s->draining && !server_in_drain(s) && s->admin.weight;
}

struct server *server_find(const struct engine *e, const struct set *set, const struct cfg_proxy *proxy,
			   const struct cfg_server *c)
{
	const struct pool *p;

	LIST_FOREACH (p, &e->pools_named[bucket_of(proxy->name)], named)
		if (!strcmp(p->name, proxy->name))
			return find(p, set, c);
	return NULL;
}

/* What the group is to know of the server now. */
/* Slow start begins when a server begins to serve, as in the group. */
static void note_service(struct server *s, bool in_service)
{
	if (s->in_service == in_service)
		return;
	s->in_service = in_service;
	s->warms_ns = in_service && s->pool->slow_ns ? loop_clock_ns() : 0;
}

unsigned server_share(const struct server *s, uint64_t now_ns)
{
	const uint64_t slow_ns = s->pool->slow_ns, warm_ns = now_ns > s->warms_ns ? now_ns - s->warms_ns : 0;
	bool all_are_warm;

	if (!s->warms_ns || warm_ns >= slow_ns)
		return 100;
	pthread_mutex_lock(&s->pool->editing);
	all_are_warm = lb_group_deadline(s->pool->group) == UINT64_MAX; /* or its algorithm has steady weights */
	pthread_mutex_unlock(&s->pool->editing);
	if (all_are_warm)
		return 100;
	return warm_ns * 100 < slow_ns ? 1 : (unsigned)(warm_ns * 100 / slow_ns);
}

static int stage(struct server *s)
{
	const enum lb_state state = server_in_maint(s)			? LB_STATE_OFFLINE
				    : s->draining || server_in_drain(s) ? LB_STATE_DISABLED
									: LB_STATE_ENABLED;
	uint64_t id = id_of(s);
	int e = lb_server_set_weight(s->pool->group, id, s->admin.weight);

	note_service(s, s->up && state == LB_STATE_ENABLED);
	if (!e)
		e = lb_server_set_state(s->pool->group, id, state);
	return e ? e : lb_server_set_up(s->pool->group, id, s->up);
}

/* hash-key. The points of an id are HAProxy's; what has no address, or a path for it, has those. */
static uint64_t ring_key(const struct server *s, const struct cfg_server *c)
{
	struct endpoint at = endpoint_of(&server_addr(s)->storage);

	if (c->hash_key == CFG_HASH_KEY_ID || (at.family != AF_INET && at.family != AF_INET6))
		return c->id;
	return lb_hash_bytes(at.addr, sizeof(at.addr), c->hash_key == CFG_HASH_KEY_ADDR ? 0 : ntohs(at.port)) | UINT64_C(1) << 63;
}

/* Into the group, if it is not there or has another key, with its settings. */
static int stage_anew(struct pool *p, struct server *s)
{
	const struct cfg_server *c = s->admin.cfg;
	const struct lb_server_opts o = {
	    .size = sizeof(o), .id = id_of(s), .key64 = ring_key(s, c), .weight = c->weight ? c->weight : 1};
	int e = 0;

	if (s->member && s->ring_key != o.key64 && p->consistent) {
		lb_server_remove(p->group, o.id); /* and comes back with another key, and with its connections */
		s->member = s->in_service = false;
	}
	if (!s->member) {
		e = lb_server_add(p->group, &o, NULL);
		s->member = !e;
		s->ring_key = o.key64;
	}
	if (!e)
		e = lb_server_set_maxconn(p->group, o.id, s->admin.maxconn);
	if (!e)
		e = lb_server_set_priority(p->group, o.id, s->priority);
	return e ? e : stage(s);
}

static int sync_server(struct pool *p, struct server *s, const struct cfg_server *c,
		       unsigned priority)
{
	int e;

	server_admin_read(s, c);
	atomic_store(&s->minconn, c->minconn);
	atomic_store(&s->maxqueue, c->maxqueue);
	atomic_store(&s->maxconn, s->admin.maxconn);
	s->serves = server_serves(s);
	s->balanced = server_balanced(s);
	pthread_mutex_lock(&p->editing);
	s->priority = priority;
	e = stage_anew(p, s);
	pthread_mutex_unlock(&p->editing);
	return e;
}

static void count_up(struct pool *p)
{
	const struct server *s;
	unsigned n_up = 0, n_up_backup = 0;

	LIST_FOREACH (s, &p->servers, entry)
		if (s->member && server_serves(s)) {
			n_up += !s->backup;
			n_up_backup += s->backup;
		}
	if (!n_up && !n_up_backup && p->n_up + p->n_up_backup) {
		p->n_down++;
		p->changed_ns = loop_clock_ns();
	} else if (n_up + n_up_backup && !(p->n_up + p->n_up_backup)) {
		p->down_ns += loop_clock_ns() - p->changed_ns;
		p->changed_ns = loop_clock_ns();
	}
	p->n_up = n_up;
	p->n_up_backup = n_up_backup;
}

static int configure(struct pool *p, const struct cfg_proxy *proxy, uint64_t slow_ns)
{
	struct lb_group_opts o = group_opts(proxy, slow_ns);

	int e;

	note_balance(p, proxy, slow_ns);
	pthread_mutex_lock(&p->editing);
	e = lb_group_configure(p->group, &o);
	pthread_mutex_unlock(&p->editing);
	return e;
}

int pool_sync(struct pool *p, const struct set *set, const struct backend *b)
{
	const struct cfg_proxy *proxy = b->proxy;
	uint64_t slow_ns = slowstart(b);
	unsigned backups = 0;
	struct server *s;
	int e = 0;

	if (!same_balance(p, proxy))
		e = configure(p, proxy, p->slow_ns);
	LIST_FOREACH (s, &p->servers, entry)
		if (s->member && s->in != set) {
			leave_group(s);
			check_end(s);
			agent_end(s);
			resolve_end(s);
			server_track(s, NULL);
		}
	for (size_t i = 0; i < b->n_servers && !e; i++) {
		const struct cfg_server *c = b->lines[i];

		/* HAProxy uses the first usable backup only, unless "option allbackups" */
		if (c->backup)
			backups = proxy->set.allbackups ? 1 : backups + 1;
		e = sync_server(p, b->servers[i], c, c->backup ? backups : 0);
	}
	if (!e && p->slow_ns != slow_ns) /* after them, as in HAProxy: who is there at the start has its whole share at once */
		e = configure(p, proxy, slow_ns);
	count_up(p);
	pthread_mutex_lock(&p->editing);
	if (!e)
		e = lb_group_commit(p->group);
	pthread_mutex_unlock(&p->editing);
	return e;
}

uint64_t pools_deadline(const struct engine *e)
{
	uint64_t first = UINT64_MAX;
	struct pool *p;

	if (!e->n_slow)
		return first;
	LIST_FOREACH (p, &e->pools, entry) {
		uint64_t deadline;

		if (!p->slow_ns)
			continue;
		pthread_mutex_lock(&p->editing);
		deadline = lb_group_deadline(p->group);
		pthread_mutex_unlock(&p->editing);
		first = deadline < first ? deadline : first;
	}
	return first;
}

void pools_tick(struct engine *e, uint64_t now_ns)
{
	struct pool *p;

	if (pools_deadline(e) > now_ns)
		return;
	LIST_FOREACH (p, &e->pools, entry) {
		if (!p->slow_ns)
			continue;
		pthread_mutex_lock(&p->editing);
		if (lb_group_deadline(p->group) <= now_ns && lb_group_tick(p->group, now_ns) == 1)
			lb_group_commit(p->group); /* no memory: the next tick says it again */
		pthread_mutex_unlock(&p->editing);
	}
}

int server_publish(struct engine *e, struct server *s)
{
	struct pool *p = s->pool;
	int r;

	pthread_mutex_lock(&p->editing);
	r = s->member ? stage_anew(p, s) : stage(s); /* it may have moved */
	if (!r && p->slow_ns) /* a small share from the first connection on */
		lb_group_tick(p->group, loop_clock_ns());
	if (!r)
		r = lb_group_commit(p->group);
	pthread_mutex_unlock(&p->editing);
	if (r < 0)
		log_err("backend %s: cannot publish the state of %s: %s", p->name, s->name, strerror(-r));
	s->balanced = server_balanced(s);
	if (s->serves != server_serves(s)) {
		s->serves = !s->serves;
		server_marked(e, s);
	}
	count_up(p);
	if (atomic_load(&p->waiting)) /* it is down: who waits for it takes another */
		for (unsigned i = 0; i < e->n_workers; i++)
			worker_poke(e->worker[i], POKE_QUEUE);
	return r;
}

void server_set_up(struct engine *e, struct server *s, bool up, bool draining, const char *why)
{
	bool was_up = s->up;
	char what[600];

	s->up = up;
	s->draining = draining;
	if (was_up != up)
		server_changed(s, up);
	server_publish(e, s);
	if (s->change_why)
		why = s->change_why;
	snprintf(what, sizeof(what), "%s%s", draining ? "is stopping" : up ? "is UP" : "is DOWN", why);
	if (!s->change_why || *s->change_why)
		server_tell_left(s, !up ? SERVER_DOWN : draining ? SERVER_STOPS : SERVER_UP, what);
	trackers_follow(e, s);
}
