/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sized.h"
#include "engine.h"
#include "resolve.h"

#define EVENTS 64 /* of one epoll_wait */

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value ? value : fallback;
}

static void pace(struct health_engine *e)
{
	uint32_t rate = or_default(e->rate, spread_rate(e->demand, HEALTH_RATE_LEAST));

	bucket_set(&e->bucket, rate, or_default(e->burst, spread_burst(rate, HEALTH_BURST_LEAST)));
}

int health_engine_new(const struct health_engine_opts *opts, struct health_engine **ret)
{
	const struct health_engine_opts defaults = {.size = sizeof(defaults)};
	struct health_engine_opts o;
	struct health_engine *e;
	int r;

	if (!ret)
		return -EINVAL;
	r = sized_in(&o, sizeof(o), opts ? opts : &defaults);
	if (r < 0)
		return r;
	if (o.rate > SPREAD_RATE_MAX || o.batch > HEALTH_BATCH_MAX ||
	    o.slack_ns > HEALTH_SLACK_MAX_NS)
		return -EINVAL;
	e = mem_zalloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->epoll_fd = e->home_netns = -1;
	list_init(&e->checks);
	list_init(&e->fresh);
	list_init(&e->waiting);
	list_init(&e->graves);
	list_init(&e->gone);
	list_init(&e->orphans);
	e->userdata = o.userdata;
	e->seed = o.seed;
	e->max_in_flight = or_default(o.max_in_flight, HEALTH_IN_FLIGHT_DEFAULT);
	e->batch = or_default(o.batch, HEALTH_BATCH_DEFAULT);
	e->rate = o.rate;
	e->burst = o.burst;
	e->slack_ns = o.slack_ns;
	pace(e);
	if (o.ops)
		r = sized_in(&e->ops, sizeof(e->ops), o.ops);
	if (r == 0 && o.name_servers) {
		e->name_servers = mem_strdup(o.name_servers);
		r = e->name_servers ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = health_probe_new(health_probe_tcp(), NULL, &e->tcp);
	if (r == 0) {
		e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
		if (e->epoll_fd < 0)
			r = -errno;
	}
	if (r < 0) {
		health_engine_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void health_engine_free(struct health_engine *e)
{
	if (!e)
		return;
	assert(!e->depth);
	while (!list_empty(&e->checks))
		health_check_remove(container_of(e->checks.next, struct health_check, all));
	resolver_free(e->resolver);
	orphans_free(e);
	heap_fini(&e->timers);
	heap_fini(&e->filters);
	health_probe_free(e->tcp);
	mem_free(e->name_servers);
	if (e->home_netns >= 0)
		close(e->home_netns);
	if (e->epoll_fd >= 0)
		close(e->epoll_fd);
	mem_free(e);
}

int health_engine_fd(const struct health_engine *e)
{
	return e ? e->epoll_fd : -EINVAL;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t health_engine_deadline(const struct health_engine *e)
{
	uint64_t first;

	if (!e)
		return HEAP_NEVER;
	if (!list_empty(&e->fresh))
		return 0;
	first = sooner(heap_deadline(&e->timers), heap_deadline(&e->filters));
	if (!list_empty(&e->waiting) && e->stats.in_flight < e->max_in_flight)
		first = sooner(first, bucket_ready_ns(&e->bucket));
	first = sooner(first, orphans_deadline(e));
	return sooner(first, resolver_deadline(e->resolver));
}

int health_engine_stats(const struct health_engine *e, struct health_engine_stats *ret)
{
	return e ? sized_out(ret, &e->stats, sizeof(e->stats)) : -EINVAL;
}

void engine_enter(struct health_engine *e)
{
	e->depth++;
}

void engine_leave(struct health_engine *e)
{
	if (--e->depth)
		return;
	while (!list_empty(&e->gone))
		watcher_free(container_of(e->gone.next, struct health_watcher, grave));
	while (!list_empty(&e->graves))
		check_free(container_of(e->graves.next, struct health_check, all));
}

static uint64_t starts_of(uint64_t interval_ns)
{
	return interval_ns ? UINT64_C(1000000000000000000) / interval_ns : 0;
}

void check_demand(struct health_check *c, uint64_t interval_ns)
{
	if (interval_ns == c->demand_ns)
		return;
	c->engine->demand += starts_of(interval_ns) - starts_of(c->demand_ns);
	c->demand_ns = interval_ns;
	if (!c->engine->rate)
		pace(c->engine);
}

static void arm(struct health_check *c, uint64_t deadline_ns)
{
	int r = heap_arm(&c->engine->timers, &c->timer, deadline_ns);

	assert(r == 0); /* health_check_add reserved the room */
	(void)r;
}

void check_arm_start(struct health_check *c)
{
	uint64_t slack = c->engine->slack_ns;
	bool shares = slack && health_filter_interval_ns(&c->filter) / HEALTH_SLACK_SHARE >= slack;

	arm(c, shares ? spread_shared(c->planned_ns, slack) : c->planned_ns);
}

void check_arm_phase(struct health_check *c, uint64_t limit_ns, uint64_t now_ns)
{
	uint64_t end = c->start_ns + c->timeout_ns;

	arm(c, limit_ns ? sooner(now_ns + limit_ns, end) : end);
}

static struct run *begin_run(const struct health_check *c)
{
	struct run *r = mem_zalloc(sizeof(*r) + c->probe->ops.state_size);

	if (r)
		r->fd = r->port_fd = -1;
	return r;
}

static void end_run(struct health_check *c)
{
	if (!c->run)
		return;
	c->hand->close(c);
	mem_free(c->run->warning);
	mem_free(c->run);
	c->run = NULL;
}

void check_halt(struct health_check *c)
{
	struct health_engine *e = c->engine;

	if (c->condition == WAITING)
		e->stats.waiting--;
	if (check_in_flight(c)) {
		end_run(c);
		e->stats.in_flight--;
	}
	list_remove(&c->queue);
	heap_disarm(&e->timers, &c->timer);
	heap_disarm(&e->filters, &c->filter_timer);
	c->condition = PAUSED;
}

void check_refresh(struct health_check *c, bool at_once)
{
	assert(c->condition == PAUSED);
	c->condition = FRESH;
	c->at_once = at_once;
	list_add_tail(&c->engine->fresh, &c->queue);
}

void check_enqueue(struct health_check *c)
{
	struct health_engine *e = c->engine;

	assert(c->condition == FRESH || c->condition == IDLE);
	list_remove(&c->queue);
	heap_disarm(&e->timers, &c->timer);
	c->condition = WAITING;
	list_add_tail(&e->waiting, &c->queue);
	e->stats.waiting++;
}

static struct health_check *first_of(const struct list *queue)
{
	return container_of(queue->next, struct health_check, queue);
}

/* The first round may be quicker than those to come, but for one at once. */
static uint64_t first_interval(const struct health_check *c)
{
	uint64_t interval = health_filter_interval_ns(&c->filter);

	if (c->at_once || c->thawed || c->delayed || c->start_within_ns > interval)
		return interval;
	return c->start_within_ns > HEALTH_INTERVAL_MIN_NS ? c->start_within_ns
							   : HEALTH_INTERVAL_MIN_NS;
}

/* Gives new checks their first time. */
static void place_fresh(struct health_engine *e, uint64_t now_ns)
{
	for (uint32_t i = 0; i < e->batch && !list_empty(&e->fresh); i++) {
		struct health_check *c = first_of(&e->fresh);

		if (!(c->flags & HEALTH_CHECK_FED))
			check_demand(c, first_interval(c));
		if (!c->thawed)
			health_filter_rebase(&c->filter, now_ns);
		if (c->flags & HEALTH_CHECK_FED) {
			list_remove(&c->queue);
			c->condition = FED;
		} else if (c->at_once) {
			c->planned_ns = UNPLANNED;
			check_enqueue(c);
		} else {
			list_remove(&c->queue);
			c->condition = IDLE;
			if (c->delayed)
				c->planned_ns += now_ns;
			else if (!c->thawed)
				c->planned_ns =
				    now_ns + spread_offset(e->seed, c->id, c->start_within_ns);
			check_arm_start(c);
		}
		c->thawed = c->delayed = false;
		check_arm_filter(c);
	}
}

/* Sockets, of checks, programs and name servers. */
static void hear_sockets(struct health_engine *e, uint64_t now_ns)
{
	struct epoll_event event[EVENTS];
	int n, room;

	for (uint32_t left = e->batch; left; left -= (uint32_t)n) {
		room = left < EVENTS ? (int)left : EVENTS;
		n = epoll_wait(e->epoll_fd, event, room, 0);
		for (int i = 0; i < n; i++) {
			struct watch *w = event[i].data.ptr;

			w->event(w, event[i].events, now_ns);
		}
		if (n < room)
			return;
	}
}

/* Starts that are due join the queue; runs whose time is over end. */
static void ring_timers(struct health_engine *e, uint64_t now_ns)
{
	struct heap_node *node;

	for (uint32_t i = 0; i < e->batch && (node = heap_pop_due(&e->timers, now_ns)); i++) {
		struct health_check *c = container_of(node, struct health_check, timer);

		if (c->condition == IDLE)
			check_enqueue(c);
		else
			c->hand->timeout(c, now_ns);
	}
}

static void ring_filters(struct health_engine *e, uint64_t now_ns)
{
	struct heap_node *node;

	for (uint32_t i = 0; i < e->batch && (node = heap_pop_due(&e->filters, now_ns)); i++)
		check_tick(container_of(node, struct health_check, filter_timer), now_ns);
}

static void count_start(struct health_check *c, uint64_t now_ns)
{
	struct health_engine_stats *s = &c->engine->stats;

	if (c->planned_ns == UNPLANNED)
		c->planned_ns = now_ns;
	c->late_ns = now_ns - c->planned_ns;
	if (c->late_ns >= HEALTH_LATE_NS + c->engine->slack_ns) {
		c->late++;
		s->late++;
	}
	if (c->late_ns > s->late_max_ns)
		s->late_max_ns = c->late_ns;
	c->starts++;
	s->started++;
	s->waiting--;
	if (++s->in_flight > s->in_flight_peak)
		s->in_flight_peak = s->in_flight;
}

static void begin(struct health_check *c, uint64_t now_ns)
{
	c->condition = CONNECT; /* in flight; the hand knows better */
	c->start_ns = now_ns;
	c->run = begin_run(c);
	if (c->run)
		c->hand->start(c, now_ns);
	else
		check_finish_local(c, "memory", ENOMEM, now_ns);
}

static void start_waiting(struct health_engine *e, uint64_t now_ns)
{
	for (uint32_t i = 0; i < e->batch && !list_empty(&e->waiting); i++) {
		struct health_check *c = first_of(&e->waiting);

		if (e->stats.in_flight >= e->max_in_flight || !bucket_take(&e->bucket, now_ns))
			return;
		list_remove(&c->queue);
		count_start(c, now_ns);
		begin(c, now_ns);
	}
}

int health_engine_dispatch(struct health_engine *e, uint64_t now_ns)
{
	if (!e)
		return -EINVAL;
	if (e->depth)
		return -EBUSY;
	engine_enter(e);
	place_fresh(e, now_ns);
	hear_sockets(e, now_ns); /* before the timers: who answered in time is not timed out */
	ring_timers(e, now_ns);
	ring_filters(e, now_ns);
	orphans_ring(e, now_ns);
	resolver_ring(e->resolver, now_ns);
	start_waiting(e, now_ns);
	engine_leave(e);
	return 0;
}
