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

#define MANY_SERVERS 64u

static uint64_t id_of(const struct server *s)
{
	return (uintptr_t)s;
}

static void pool_free(struct pool *p)
{
	lb_group_free(p->group);
	pthread_mutex_destroy(&p->editing);
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

static bool same_balance(const struct lb_group_opts *a, const struct lb_group_opts *b)
{
	return a->own_algo == b->own_algo && (a->own_algo || !strcmp(a->algo, b->algo)) && a->draws == b->draws &&
	       a->flags == b->flags && a->balance_factor == b->balance_factor;
}

static struct pool *pool_new(struct engine *e, const struct cfg_proxy *proxy)
{
	const size_t size = sizeof(struct pool) + e->n_workers * sizeof(struct pool_worker);
	struct pool *p = aligned_alloc(CACHE_LINE, size);

	if (!p)
		return NULL;
	memset(p, 0, size);
	pthread_mutex_init(&p->editing, NULL);
	p->name = strdup(proxy->name);
	p->balance = group_opts(proxy, 0);
	p->tally = tally_new(e->n_workers);
	if (!p->name || !p->tally) {
		pool_free(p);
		return NULL;
	}
	for (unsigned i = 0; i < e->n_workers; i++) {
		p->worker[i] = (struct pool_worker){.pool = p, .first = NOBODY};
		TAILQ_INIT(&p->worker[i].queue);
	}
	p->changed_ns = loop_clock_ns();
	TAILQ_INIT(&p->servers);
	return p;
}

static struct pool_list *bucket_of(const struct engine *e, const char *name)
{
	uint32_t hash = fnv1a_text(name);

	return &e->pools_named[(hash ^ hash >> 16) & (e->n_buckets - 1)];
}

bool pools_make_room(struct engine *e, size_t n)
{
	size_t n_buckets = e->n_buckets ? e->n_buckets : 64;
	struct pool_list *named;
	struct pool *p;

	while (n_buckets < n)
		n_buckets *= 2;
	if (n_buckets == e->n_buckets)
		return true;
	named = calloc(n_buckets, sizeof(*named));
	if (!named)
		return false;
	free(e->pools_named);
	e->pools_named = named;
	e->n_buckets = n_buckets;
	LIST_FOREACH (p, &e->pools, entry)
		LIST_INSERT_HEAD(bucket_of(e, p->name), p, named);
	return true;
}

struct pool *pool_get(struct engine *e, const struct cfg_proxy *proxy)
{
	struct pool_list *bucket = bucket_of(e, proxy->name);
	struct pool *p;

	LIST_FOREACH (p, bucket, named)
		if (!strcmp(p->name, proxy->name)) {
			p->refs++;
			return p;
		}
	p = pool_new(e, proxy);
	if (!p)
		return NULL;
	p->refs = 1;
	LIST_INSERT_HEAD(&e->pools, p, entry);
	LIST_INSERT_HEAD(bucket, p, named);
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

/* Of one of an HTTP backend connections wait in each worker. NULL: no memory. */
static struct server *server_new(const struct engine *e, bool http)
{
	const unsigned n = http ? e->n_workers : 0;
	const size_t size = sizeof(struct server) + n * sizeof(struct server_worker);
	struct server *s = aligned_alloc(CACHE_LINE, size);

	if (!s)
		return NULL;
	memset(s, 0, size);
	s->http = http;
	for (unsigned i = 0; i < n; i++)
		TAILQ_INIT(&s->worker[i].idle);
	return s;
}

/* One whose name is asked for is where that says. */
static bool same_target(const struct server *s, const struct cfg_server *c)
{
	bool asked = c->is_name && c->resolve.section;

	return s->host || asked ? s->host && asked && !strcmp(s->host, c->host) : cfg_addr_equal(&s->addr, &c->addr);
}

/* Equal is who has the same name and is spoken to alike: he keeps his health and his counters. */
struct server *server_get(struct engine *e, const struct backend *b, const struct cfg_server *c)
{
	struct pool *p = b->pool;
	struct server *s;

	TAILQ_FOREACH (s, &p->servers, entry)
		if (!s->gone && !strcmp(s->name, c->name) && same_target(s, c) &&
		    s->client_port == c->client_port && s->port_shift == c->port_shift && s->send_proxy == c->send_proxy &&
		    s->proxy_tells == c->proxy_tells && s->netns_id == cfg_netns_id(c->netns) &&
		    !atomic_load(&s->tls) == !cfg_server_back(c) && !atomic_load(&s->socks) == !c->socks &&
		    s->http == (b->http != NULL)) {
			s->refs++;
			return s;
		}
	s = server_new(e, b->http != NULL);
	if (!s)
		return NULL;
	s->name = strdup(c->name);
	s->host = c->is_name && c->resolve.section ? strdup(c->host) : NULL;
	s->tally = tally_new(e->n_workers);
	if (!s->name || (!s->host && c->is_name && c->resolve.section) || !s->tally) {
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
	pthread_mutex_lock(&p->editing);
	TAILQ_INSERT_TAIL(&p->servers, s, entry);
	pthread_mutex_unlock(&p->editing);
	return s;
}

/* ---- The group ---- */

/* It has what is wanted of the server. */
static int tell_group(struct lb_group *g, const struct server *s)
{
	const struct server_wanted *w = &s->wanted;
	uint64_t id = id_of(s);
	int e = lb_server_set_weight(g, id, w->weight);

	if (!e)
		e = lb_server_set_maxconn(g, id, w->maxconn);
	if (!e)
		e = lb_server_set_priority(g, id, w->priority);
	if (!e)
		e = lb_server_set_state(g, id, w->state);
	return e ? e : lb_server_set_up(g, id, w->up);
}

static int join_group(struct lb_group *g, const struct server *s)
{
	const struct lb_server_opts o = {.size = sizeof(o), .id = id_of(s), .key64 = s->wanted.key};
	int e = lb_server_add(g, &o, NULL);

	return e ? e : tell_group(g, s);
}

/*
 * Under `editing`. Where there are tens of thousands of backends most are not asked for long: who picks first makes it. Of
 * many servers that would take so long that the clients of that worker felt it: it is made before.
 */
static int make_group(struct pool *p)
{
	const struct server *s;
	int e = lb_group_new(&p->balance, &p->group);

	if (e < 0)
		return e;
	TAILQ_FOREACH (s, &p->servers, entry)
		if (s->member && !e)
			e = join_group(p->group, s);
	if (!e)
		e = lb_group_commit(p->group);
	if (e < 0) {
		lb_group_free(p->group);
		p->group = NULL;
	}
	return e;
}

struct lb_picker *pool_picker(struct pool *p, unsigned worker)
{
	struct pool_worker *pw = &p->worker[worker];

	pthread_mutex_lock(&p->editing);
	if ((!p->group && make_group(p) < 0) || lb_picker_new(p->group, &pw->picker) < 0)
		pw->picker = NULL;
	pthread_mutex_unlock(&p->editing);
	return pw->picker;
}

/* Under `editing`. */
static void leave_group(struct server *s)
{
	if (s->pool->group)
		lb_server_remove(s->pool->group, id_of(s));
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
	pthread_mutex_lock(&s->pool->editing);
	if (s->member)
		leave_group(s);
	TAILQ_REMOVE(&s->pool->servers, s, entry);
	pthread_mutex_unlock(&s->pool->editing);
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

	TAILQ_FOREACH (s, &p->servers, entry)
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

	LIST_FOREACH (p, bucket_of(e, proxy->name), named)
		if (!strcmp(p->name, proxy->name))
			return find(p, set, c);
	return NULL;
}

/* Slow start begins when a server begins to serve, as in the group. */
static void note_service(struct server *s, bool in_service)
{
	if (s->in_service == in_service)
		return;
	s->in_service = in_service;
	s->warms_ns = in_service && pool_ramps(s->pool) ? loop_clock_ns() : 0;
}

unsigned server_share(const struct server *s, uint64_t now_ns)
{
	const uint64_t slow_ns = s->pool->balance.slow_start_ns, warm_ns = now_ns > s->warms_ns ? now_ns - s->warms_ns : 0;
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

/* hash-key. The points of an id are HAProxy's; what has no address, or a path for it, has those. */
static uint64_t ring_key(const struct server *s, const struct cfg_server *c)
{
	struct endpoint at = endpoint_of(&server_addr(s)->storage);

	if (c->hash_key == CFG_HASH_KEY_ID || (at.family != AF_INET && at.family != AF_INET6))
		return c->id;
	return lb_hash_bytes(at.addr, sizeof(at.addr), c->hash_key == CFG_HASH_KEY_ADDR ? 0 : ntohs(at.port)) | UINT64_C(1) << 63;
}

static void want(struct server *s)
{
	struct server_wanted *w = &s->wanted;

	w->weight = s->admin.weight;
	/* a key's server that is full is to be known: see seek.c */
	w->maxconn = backend_hashes(s->admin.backend) ? 0 : s->admin.maxconn;
	w->state = server_in_maint(s)			       ? LB_STATE_OFFLINE
		   : s->draining || server_in_drain(s) ? LB_STATE_DISABLED
						       : LB_STATE_ENABLED;
	w->up = s->up;
	note_service(s, w->up && w->state == LB_STATE_ENABLED);
}

/* Into the group, if it is not there or has another key, with its settings. Under `editing`. */
static int stage(struct pool *p, struct server *s)
{
	const uint64_t key = ring_key(s, s->admin.cfg);
	int e;

	if (p->group && s->member && s->wanted.key != key && p->balance.flags & LB_GROUP_CONSISTENT)
		leave_group(s); /* and comes back with another key, and with its connections */
	want(s);
	if (p->group && s->member)
		return tell_group(p->group, s);
	s->wanted.key = key;
	e = p->group ? join_group(p->group, s) : 0;
	s->member = !e;
	return e;
}

static int sync_server(struct pool *p, struct server *s, const struct cfg_server *c,
		       unsigned priority)
{
	server_admin_read(s, c);
	atomic_store(&s->minconn, c->minconn);
	atomic_store(&s->maxqueue, c->maxqueue);
	atomic_store(&s->maxconn, s->admin.maxconn);
	s->serves = server_serves(s);
	s->balanced = server_balanced(s);
	s->wanted.priority = priority;
	return stage(p, s);
}

static void count_up(struct pool *p)
{
	const struct server *s;
	unsigned n_up = 0, n_up_backup = 0;

	TAILQ_FOREACH (s, &p->servers, entry)
		if (s->member && s->balanced) {
			n_up += !s->backup;
			n_up_backup += s->backup;
		}
	if (!n_up && !n_up_backup && p->n_up + p->n_up_backup) {
		p->n_down++;
		p->down_untold = true;
		p->changed_ns = loop_clock_ns();
	} else if (n_up + n_up_backup && !(p->n_up + p->n_up_backup)) {
		p->down_untold = false;
		p->down_ns += loop_clock_ns() - p->changed_ns;
		p->changed_ns = loop_clock_ns();
	}
	p->n_up = n_up;
	p->n_up_backup = n_up_backup;
}

/* Slow start is a group's from the beginning: it knows who was there before. */
static int configure(struct pool *p, const struct lb_group_opts *o)
{
	int e = !p->group && o->slow_start_ns ? make_group(p) : 0;

	if (e)
		return e;
	p->balance = *o;
	return p->group ? lb_group_configure(p->group, o) : 0;
}

static int sync_all(struct pool *p, const struct set *set, const struct backend *b)
{
	const struct cfg_proxy *proxy = b->proxy;
	struct lb_group_opts o = group_opts(proxy, p->balance.slow_start_ns);
	unsigned backups = 0;
	struct server *s;
	int e = 0;

	if (!same_balance(&p->balance, &o))
		e = configure(p, &o);
	TAILQ_FOREACH (s, &p->servers, entry)
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
	o.slow_start_ns = slowstart(b);
	if (!e && p->balance.slow_start_ns != o.slow_start_ns) /* after them, as in HAProxy: who is there at the start has its whole share at once */
		e = configure(p, &o);
	count_up(p);
	if (!e && p->group)
		return lb_group_commit(p->group);
	if (!e && b->n_servers >= MANY_SERVERS)
		return make_group(p);
	return e;
}

/* In one go: a worker that picks first meanwhile, and makes the group, would find servers gone and the new ones not there yet. */
int pool_sync(struct pool *p, const struct set *set, const struct backend *b)
{
	int e;

	pthread_mutex_lock(&p->editing);
	e = sync_all(p, set, b);
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

		if (!pool_ramps(p))
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
		if (!pool_ramps(p))
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

	s->had_sessions = atomic_load(&s->n_sessions); /* before workers hear of it */
	s->had_queued = atomic_load(&s->n_queued);
	pthread_mutex_lock(&p->editing);
	r = s->member ? stage(p, s) : -ENOENT; /* it may have moved */
	if (!r && pool_ramps(p)) /* a small share from the first connection on */
		lb_group_tick(p->group, loop_clock_ns());
	if (!r && p->group)
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
	if (was_up != up && !server_in_maint(s))
		server_changed(s, up);
	server_publish(e, s);
	if (s->change_why)
		why = s->change_why;
	snprintf(what, sizeof(what), "%s%s", draining ? "is stopping" : up ? "is UP" : "is DOWN", why);
	if (!s->change_why || *s->change_why)
		server_tell_left(s, !up ? SERVER_DOWN : draining ? SERVER_STOPS : SERVER_UP, what);
	else
		server_tell_none(s);
	if (server_in_drain(s) && !server_in_maint(s))
		server_tell(s, LOG_NOTICE, "remains in forced drain mode.");
	trackers_follow(e, s);
}
