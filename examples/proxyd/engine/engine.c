/* SPDX-License-Identifier: MIT */
/*
 * The engine as a whole: made, given a configuration (engine_apply, which is what a reload calls, too), joined to the
 * control thread's loop, drained, freed. set.c makes the objects of a configuration, worker.c runs them.
 */
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "refused.h"
#include "control.h"
#include "dns.h"
#include "log.h"
#include "loop.h"
#include "passed.h"
#include "engine/log/mail.h"
#include "engine/log/forward.h"
#include "engine/log/ring.h"
#include "engine/peers/peers.h"
#include "worker.h"
#include "rules/map.h"
#include "rules/pattern_memory.h"

int engine_new(const struct engine_opts *o, struct engine **ret)
{
	struct engine *e = aligned_alloc(CACHE_LINE, sizeof(*e));
	int r = -ENOMEM;

	if (!e)
		return -ENOMEM;
	memset(e, 0, sizeof(*e));
	e->opts = *o;
	e->started_ns = loop_clock_ns();
	sched_getaffinity(0, sizeof(e->cpus), &e->cpus);
	e->log_fd[0] = e->log_fd[1] = e->log_fd[2] = -1;
	e->requeue_fd = requeue_open();
	STAILQ_INIT(&e->sets);
	STAILQ_INIT(&e->messages);
	TAILQ_INIT(&e->refused);
	pthread_mutex_init(&e->refused_lock, NULL);
	pthread_mutex_init(&e->lock, NULL);
	LIST_INIT(&e->pools);
	LIST_INIT(&e->gates);
	LIST_INIT(&e->listeners);
	e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (e->wake_fd < 0)
		r = -errno;
	else
		e->worker = calloc(o->threads, sizeof(struct worker *));
	e->tally = tally_new(o->threads);
	e->tls_clients = tally_new(o->threads);
	e->tls_servers = tally_new(o->threads);
	e->compressed = tally_new(o->threads);
	if (e->worker && e->tally && e->tls_clients && e->tls_servers && e->compressed)
		r = checks_new(e);
	if (!r)
		r = rings_new(&e->rings);
	if (!r)
		r = peers_new(&e->peers);
	if (!r)
		r = forwards_new(&e->forwards);
	if (!r)
		r = mails_new(&e->mails);
	if (!r)
		r = resolve_new(e);
	for (; r == 0 && e->n_workers < o->threads; e->n_workers += r == 0)
		r = worker_new(e, e->n_workers, &e->worker[e->n_workers]);
	if (r < 0) {
		engine_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

static void post(struct engine *e, struct message *m)
{
	pthread_mutex_lock(&e->lock);
	STAILQ_INSERT_TAIL(&e->messages, m, link);
	pthread_mutex_unlock(&e->lock);
	engine_wake(e);
}

bool engine_post(struct engine *e, void (*fn)(void *arg), void *arg)
{
	struct message *m = malloc(sizeof(*m));

	if (!m)
		return false;
	*m = (struct message){.fn = fn, .arg = arg};
	post(e, m);
	return true;
}

void engine_post_own(struct engine *e, struct message *m, void (*fn)(void *arg), void *arg)
{
	*m = (struct message){.fn = fn, .arg = arg, .borrowed = true};
	post(e, m);
}

static void read_messages(struct engine *e)
{
	struct message *m, now;

	for (;;) {
		pthread_mutex_lock(&e->lock);
		m = STAILQ_FIRST(&e->messages);
		if (m)
			STAILQ_REMOVE_HEAD(&e->messages, link);
		pthread_mutex_unlock(&e->lock);
		if (!m)
			return;
		now = *m;
		if (!now.borrowed)
			free(m);
		now.fn(now.arg);
	}
}

void engine_wake(struct engine *e)
{
	uint64_t one = 1;

	if (write(e->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_err("cannot wake the control thread: %s", strerror(errno));
}

static void mark(struct set *s)
{
	struct listener *l;

	for (size_t i = 0; i < s->n_servers; i++)
		s->server[i]->in = s;
	for (size_t i = 0; i < s->n_backends; i++)
		s->backend[i].pool->in = s;
	LIST_FOREACH (l, &s->engine->listeners, entry)
		l->running = false;
	for (size_t i = 0; i < s->n_listeners; i++)
		s->listener[i].listener->running = true;
}

/* From here on nothing is undone: what fails is told, and the rest goes on. */
static void sync_backend(struct engine *e, struct set *set, const struct backend *b)
{
	int r;

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct cfg_server *c = b->lines[i];
		struct server *s = b->servers[i];

		s->admin.cfg = c;
		atomic_store(&s->non_stick, c->non_stick);
		atomic_store(&s->pooled, c->max_reuse >= 0 || c->pool_max >= 0 || c->pool_low || c->has_purge ? c : NULL);
		s->admin.backend = b;
		/* certificates were read again; the older set, and what it has, lives longer */
		atomic_store(&s->tls, cfg_server_back(c));
		atomic_store(&s->source, source_of(c, b->proxy));
		atomic_store(&s->netns, c->netns);
		atomic_store(&s->socks, c->socks);
		atomic_store(&s->tcp, tcp_of(c));
		server_hash_cookie(s);
		r = check_sync(e, s, c, b);
		if (!r)
			r = agent_sync(e, s, c, &b->proxy->set.timeout);
		if (r < 0)
			log_err("server %s/%s cannot be checked and counts as up: %s",
				b->proxy->name, c->name, strerror(-r));
	}
	r = pool_sync(b->pool, set, b);
	if (r < 0)
		log_err("backend %s: %s", b->proxy->name, strerror(-r));
}

/* Pools that are in no configuration any more: who still waits or works there may, but nobody
 * checks. */
static void end_orphans(struct engine *e, const struct set *set)
{
	struct server *s;
	struct pool *p;

	LIST_FOREACH (p, &e->pools, entry)
		if (p->in != set)
			TAILQ_FOREACH (s, &p->servers, entry) {
				check_end(s);
				agent_end(s);
				resolve_end(s);
				server_track(s, NULL);
			}
}

/* From here on `set` is the one that runs. */
static void run_set(struct engine *e, struct set *set)
{
	mark(set);
	e->n_slow = 0;
	first_checks_begin(e, set);
	for (size_t i = 0; i < set->n_backends; i++) {
		sync_backend(e, set, &set->backend[i]);
		e->n_slow += pool_ramps(set->backend[i].pool);
	}
	first_checks_end(e);
	end_orphans(e, set);
	resolve_sync(e, set);
	tracks_sync(e, set);
	STAILQ_INSERT_TAIL(&e->sets, set, entry);
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_post_own(e->worker[i], &set->worker[i].adopt, worker_adopt, set);
}

static void set_limits(struct engine_limits *m, const struct cfg_global *g)
{
	atomic_store(&m->connection_rate, g->maxconnrate);
	atomic_store(&m->session_rate, g->maxsessrate);
	atomic_store(&m->tls_rate, g->maxsslrate);
	atomic_store(&m->tls_open, g->maxsslconn);
	atomic_store(&m->compression_rate, g->maxcomprate > UINT32_MAX / 1024 ? UINT32_MAX : g->maxcomprate * 1024);
}

int engine_apply(struct engine *e, struct cfg *cfg, unsigned maxconn, char *ret_error, size_t cap)
{
	struct set *set;

	if (e->draining) {
		snprintf(ret_error, cap, "this process is about to end");
		return -EBUSY;
	}
	if (cfg->shared) /* before workers see it */
		cfg->shared->proc.total = &e->variables;
	set = set_new(e, cfg, NULL, 0, maxconn, ret_error, cap);
	passed_free(e->opts.passed);
	e->opts.passed = NULL;
	if (!set)
		return -EINVAL;
	if (!peers_prepare(e->peers, cfg, ret_error, cap) || !forwards_sync(e->forwards, cfg, ret_error, cap)) {
		peers_close_prepared(e->peers);
		set_free(set, true); /* the caller's, as before */
		return -EINVAL;
	}
	peers_sync(e->peers, cfg, loop_clock_ns());
	if (rings_sync(e->rings, cfg, loop_clock_ns()) < 0)
		log_err("rings: out of memory: some log lines go nowhere");
	for (const struct cfg_debug *d = cfg->debugs; d; d = d->next)
		session_log_prepare(&d->logs);
	pattern_memory_limit(cfg->global.pattern_memory);
	e->spread_checks = cfg->global.spread_checks;
	e->n_applied++;
	e->maxconn = maxconn;
	atomic_store(&e->gate.max, e->gate.max_by_hand ? e->gate.max_by_hand : maxconn);
	admin_forget_cookies(e);
	set_limits(&e->limits, &cfg->global);
	for (size_t i = 0; i < set->n_listeners; i++)
		listener_tune(set->listener[i].listener, set->listener[i].tcp);
	for (size_t i = 0; i < set->n_frontends; i++) {
		const struct frontend *f = &set->frontend[i];

		f->gate->shut = false;
		atomic_store(&f->gate->rate_max, f->proxy->set.rate_limit);
		frontend_admin_read(f, f->maxconn ? f->maxconn : maxconn);
	}
	run_set(e, set);
	sets_superseded(e, cfg, loop_clock_ns());
	return 0;
}

int engine_edit(struct engine *e, const struct set_edit *edit, size_t n, char *ret_error, size_t cap)
{
	struct cfg *cfg = engine_set(e)->cfg;
	struct set *set = set_new(e, cfg_hold(cfg), edit, n, e->maxconn, ret_error, cap);

	if (!set) {
		cfg_free(cfg);
		return -ENOMEM;
	}
	run_set(e, set);
	return 0;
}

int engine_renew(struct engine *e, char *ret_error, size_t cap)
{
	const struct set *set = engine_set(e);

	return engine_edit(e, set->edit, set->n_edits, ret_error, cap);
}

unsigned engine_threads(const struct engine *e)
{
	return e->n_workers;
}

int engine_start(struct engine *e)
{
	for (unsigned i = 0; i < e->n_workers; i++) {
		int r = worker_start(e->worker[i]);

		if (r < 0)
			return r;
	}
	e->started = true;
	return 0;
}

void engine_place(struct engine *e, const cpu_set_t *map)
{
	for (unsigned i = 0; i < e->n_workers; i++) {
		const cpu_set_t *cpus = map && CPU_COUNT(&map[i]) ? &map[i] : &e->cpus;
		int error = pthread_setaffinity_np(e->worker[i]->thread, sizeof(*cpus), cpus);

		if (error)
			log_warn("thread %u cannot run where cpu-map puts it: %s; it stays where it is", i + 1,
				 strerror(error));
	}
}

void engine_drain(struct engine *e)
{
	if (e->draining)
		return;
	e->draining = true;
	if (engine_set(e))
		proxies_tell_stopped(engine_set(e));
	forwards_drain(e->forwards, loop_clock_ns());
	peers_drain(e->peers, loop_clock_ns());
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_post_own(e->worker[i], &e->worker[i]->drain, worker_drain, NULL);
}

void engine_free(struct engine *e)
{
	struct set *s;

	if (!e)
		return;
	for (unsigned i = 0; i < e->n_workers; i++)
		if (e->worker[i]->started)
			worker_post_own(e->worker[i], &e->worker[i]->leave, worker_quit, NULL);
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_join(e->worker[i]);
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_close_sessions(e->worker[i]);
	e->ending = true;
	read_messages(e); /* nobody is left who would send another; they speak of workers and servers */
	for (unsigned i = 0; i < e->n_workers; i++)
		worker_free(e->worker[i]);
	while ((s = STAILQ_FIRST(&e->sets))) {
		STAILQ_REMOVE_HEAD(&e->sets, entry);
		set_free(s, false);
	}
	passed_free(e->opts.passed);
	health_engine_free(e->health);
	resolve_free(e);
	forwards_free(e->forwards);
	rings_free(e->rings);
	peers_free(e->peers);
	mails_free(e->mails);
	if (e->wake_fd >= 0)
		close(e->wake_fd);
	if (e->requeue_fd >= 0)
		close(e->requeue_fd);
	for (size_t i = 0; i < sizeof(e->log_fd) / sizeof(e->log_fd[0]); i++)
		if (e->log_fd[i] >= 0)
			close(e->log_fd[i]);
	refused_free(e);
	pthread_mutex_destroy(&e->lock);
	tally_free(e->tally);
	tally_free(e->compressed);
	tally_free(e->tls_clients);
	tally_free(e->tls_servers);
	free(e->pools_named);
	free(e->worker);
	free(e);
}

static int hear_workers(void *engine, uint64_t now_ns)
{
	struct engine *e = engine;
	struct set *s;
	uint64_t n;

	if (read(e->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		return -errno;
	read_messages(e);
	/* In order: a session of an old set may use a server that only a later one brought. */
	while ((s = STAILQ_FIRST(&e->sets)) && STAILQ_NEXT(s, entry) && !atomic_load(&s->holders)) {
		read_messages(e); /* they may speak of its servers */
		STAILQ_REMOVE_HEAD(&e->sets, entry);
		set_free(s, false);
	}
	if (e->draining && !e->idle_told && atomic_load(&e->n_drained) == e->n_workers && !peers_are_busy(e->peers)) {
		e->idle_told = true;
		if (e->opts.idle)
			e->opts.idle(e->opts.userdata);
	}
	return 0;
}

static uint64_t checks_due(const void *engine)
{
	const struct engine *e = engine;
	uint64_t first = health_engine_deadline(e->health), slow = pools_deadline(e), end = sets_deadline(e);

	first = slow < first ? slow : first;
	return end < first ? end : first;
}

static int run_checks(void *engine, uint64_t now_ns)
{
	struct engine *e = engine;
	int r;

	pools_tick(e, now_ns);
	sets_tick(e, now_ns);
	r = health_engine_dispatch(e->health, now_ns);
	checks_follow_ports(e);
	return r;
}

LOOP_JOINS(dns)
LOOP_JOINS(rings)
LOOP_JOINS(forwards)
LOOP_JOINS(mails)

static uint64_t peers_due(const void *engine)
{
	return peers_deadline(((const struct engine *)engine)->peers);
}

/* Draining ends when a successor knows the tables. */
static int run_peers(void *engine, uint64_t now_ns)
{
	struct engine *e = engine;
	int r = peers_dispatch(e->peers, now_ns);

	if (e->draining && !e->idle_told && !peers_are_busy(e->peers))
		engine_wake(e);
	return r;
}

int engine_join(struct engine *e, struct loop *l)
{
	const struct loop_object peers = {"peers", peers_fd(e->peers), peers_due, run_peers, e};
	const struct loop_object workers = {.name = "engine", .fd = e->wake_fd, .dispatch = hear_workers, .object = e};
	const struct loop_object checks = {"health", health_engine_fd(e->health), checks_due, run_checks, e};
	int r = loop_add_object(l, &workers, NULL);

	if (!r)
		r = loop_add_object(l, &checks, NULL);
	if (!r)
		r = dns_join(e->dns, "resolvers", l, NULL);
	if (!r)
		r = rings_join(e->rings, "rings", l, NULL);
	if (!r)
		r = loop_add_object(l, &peers, NULL);
	if (!r)
		r = forwards_join(e->forwards, "log-forward", l, NULL);
	if (!r)
		r = mails_join(e->mails, "mails", l, NULL);
	return r;
}

void engine_count(const struct engine *e, uint64_t *ret_open, uint64_t *ret_total)
{
	*ret_open = *ret_total = 0;
	for (unsigned i = 0; i < e->n_workers; i++) {
		*ret_open += atomic_load_explicit(&e->worker[i]->n_open, memory_order_relaxed);
		*ret_total += atomic_load_explicit(&e->worker[i]->n_total, memory_order_relaxed);
	}
}

uint64_t engine_starved(const struct engine *e)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < e->n_workers; i++)
		n += atomic_load_explicit(&e->worker[i]->n_starved, memory_order_relaxed);
	return n;
}

const struct set *engine_set(const struct engine *e)
{
	const struct set *s, *last = NULL;

	STAILQ_FOREACH (s, &e->sets, entry)
		last = s;
	return last;
}

size_t engine_listeners(const struct engine *e)
{
	const struct set *last = engine_set(e);

	return last ? last->n_listeners : 0;
}
