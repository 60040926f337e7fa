/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>

#include <libhealth/outlier.h>

#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/sized.h"

#define S UINT64_C(1000000000)
#define TIME_MAX (366 * 86400 * S)
#define SCALE 1000000 /* a success rate of 1 */

struct health_outlier {
	struct health_outlier_opts o;
	struct health_outlier_ops ops;
	struct list hosts;
	struct list condemned; /* of the interval that ends now */
	struct heap returns;   /* health_outlier_host.timer of those that are out */
	size_t n_hosts;
	uint64_t interval_end_ns;
	unsigned int depth;
};

struct health_outlier_host {
	struct health_outlier *pool;
	struct list node, condemned;
	struct heap_node timer;
	void *userdata;
	enum health_ejection out, condemned_for;
	bool was_out; /* in this interval */
	uint32_t in_a_row, gateway_in_a_row, local_in_a_row;
	uint32_t requests, failures;
	uint32_t factor;
	uint32_t success; /* of SCALE, in the last interval with enough requests */
	uint64_t ejections, spared;
};

const char *health_ejection_name(enum health_ejection e)
{
	static const char *const name[] = {
	    [HEALTH_EJECTION_NONE] = "none",
	    [HEALTH_EJECTION_CONSECUTIVE] = "consecutive",
	    [HEALTH_EJECTION_CONSECUTIVE_GATEWAY] = "consecutive-gateway",
	    [HEALTH_EJECTION_CONSECUTIVE_LOCAL] = "consecutive-local",
	    [HEALTH_EJECTION_SUCCESS_RATE] = "success-rate",
	    [HEALTH_EJECTION_FAILURE_PERCENTAGE] = "failure-percentage",
	};

	return (size_t)e < sizeof(name) / sizeof(*name) ? name[e] : "?";
}

bool health_panic(uint64_t healthy, uint64_t total, uint32_t percent)
{
	return healthy <= UINT64_MAX / 100 && total <= UINT64_MAX / 100 &&
	       healthy * 100 < total * percent;
}

/* ---- the pool ---- */

static void or_default(uint32_t *value, uint32_t fallback)
{
	if (!*value)
		*value = fallback;
}

static void fill_defaults(struct health_outlier_opts *o)
{
	or_default(&o->consecutive, 5);
	or_default(&o->max_ejection_percent, 10);
	or_default(&o->min_hosts, 5);
	or_default(&o->success_rate_requests, 100);
	or_default(&o->success_rate_stdev_factor, 1900);
	or_default(&o->failure_requests, 50);
	or_default(&o->failure_percent, 85);
	if (!o->interval_ns)
		o->interval_ns = 10 * S;
	if (!o->base_ejection_ns)
		o->base_ejection_ns = 30 * S;
	if (!o->max_ejection_ns)
		o->max_ejection_ns = o->base_ejection_ns > 300 * S ? o->base_ejection_ns : 300 * S;
}

static bool opts_valid(const struct health_outlier_opts *o)
{
	const uint32_t known = HEALTH_OUTLIER_NO_CONSECUTIVE | HEALTH_OUTLIER_NO_SUCCESS_RATE |
			       HEALTH_OUTLIER_GATEWAY | HEALTH_OUTLIER_FAILURE_PERCENTAGE |
			       HEALTH_OUTLIER_SPLIT_LOCAL;

	return !(o->flags & ~known) && o->max_ejection_percent <= 100 &&
	       o->failure_percent <= 100 && o->success_rate_stdev_factor <= 100000 &&
	       o->interval_ns <= TIME_MAX && o->base_ejection_ns <= TIME_MAX &&
	       o->max_ejection_ns <= TIME_MAX && o->base_ejection_ns <= o->max_ejection_ns;
}

int health_outlier_new(const struct health_outlier_opts *given,
		       const struct health_outlier_ops *ops, uint64_t now_ns,
		       struct health_outlier **ret)
{
	const struct health_outlier_opts defaults = {.size = sizeof(defaults)};
	struct health_outlier_opts o;
	struct health_outlier *p;
	int r;

	if (!ret)
		return -EINVAL;
	r = sized_in(&o, sizeof(o), given ? given : &defaults);
	if (r < 0)
		return r;
	fill_defaults(&o);
	if (!opts_valid(&o))
		return -EINVAL;
	p = mem_zalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	if (ops)
		r = sized_in(&p->ops, sizeof(p->ops), ops);
	if (r < 0) {
		mem_free(p);
		return r;
	}
	p->o = o;
	list_init(&p->hosts);
	list_init(&p->condemned);
	p->interval_end_ns = now_ns + o.interval_ns;
	*ret = p;
	return 0;
}

void health_outlier_free(struct health_outlier *p)
{
	if (!p)
		return;
	assert(!p->depth);
	while (!list_empty(&p->hosts))
		health_outlier_host_remove(
		    container_of(p->hosts.next, struct health_outlier_host, node));
	heap_fini(&p->returns);
	mem_free(p);
}

int health_outlier_host_add(struct health_outlier *p, void *userdata,
			    struct health_outlier_host **ret)
{
	struct health_outlier_host *h;

	if (!p || !ret)
		return -EINVAL;
	if (p->n_hosts >= HEALTH_OUTLIER_HOSTS_MAX)
		return -ENOSPC;
	h = mem_zalloc(sizeof(*h));
	if (!h || heap_reserve(&p->returns, p->n_hosts + 1) < 0) {
		mem_free(h);
		return -ENOMEM;
	}
	h->pool = p;
	h->userdata = userdata;
	h->success = SCALE;
	list_init(&h->condemned);
	list_add_tail(&p->hosts, &h->node);
	p->n_hosts++;
	*ret = h;
	return 0;
}

void health_outlier_host_remove(struct health_outlier_host *h)
{
	if (!h)
		return;
	heap_disarm(&h->pool->returns, &h->timer);
	list_remove(&h->node);
	list_remove(&h->condemned);
	h->pool->n_hosts--;
	mem_free(h);
}

/* ---- out and in ---- */

/* One may always be out; a further one only if the share stays within the limit. */
static bool may_eject(const struct health_outlier *p)
{
	return !p->returns.n ||
	       (p->returns.n + 1) * 100 <= (size_t)p->o.max_ejection_percent * p->n_hosts;
}

/* The callback may remove the host. */
static void eject(struct health_outlier_host *h, enum health_ejection why, uint64_t now_ns)
{
	struct health_outlier *p = h->pool;
	uint64_t time = p->o.max_ejection_ns;
	int r;

	if (h->out)
		return;
	if (!may_eject(p)) {
		h->spared++;
		return;
	}
	/* Envoy's factor goes on growing behind the ceiling; so it does not come down at once, either. */
	if (h->factor < UINT32_MAX)
		h->factor++;
	if (h->factor <= p->o.max_ejection_ns / p->o.base_ejection_ns)
		time = p->o.base_ejection_ns * h->factor;
	h->out = why;
	h->was_out = true;
	h->ejections++;
	r = heap_arm(&p->returns, &h->timer, now_ns + time);
	assert(r == 0); /* health_outlier_host_add reserved the room */
	(void)r;
	p->depth++;
	if (p->ops.ejected)
		p->ops.ejected(h, why, now_ns + time, h->userdata);
	p->depth--;
}

static void take_back(struct health_outlier_host *h)
{
	struct health_outlier *p = h->pool;

	heap_disarm(&p->returns, &h->timer);
	h->out = HEALTH_EJECTION_NONE;
	h->in_a_row = h->gateway_in_a_row = h->local_in_a_row = 0;
	p->depth++;
	if (p->ops.returned)
		p->ops.returned(h, h->userdata);
	p->depth--;
}

void health_outlier_pass(struct health_outlier_host *h, uint64_t now_ns)
{
	if (!h)
		return;
	h->in_a_row = h->gateway_in_a_row = h->local_in_a_row = 0;
	if (h->out)
		take_back(h);
}

/* ---- one request ---- */

static void count_up(uint32_t *n)
{
	if (*n < UINT32_MAX)
		++*n;
}

static enum health_ejection count(struct health_outlier_host *h, enum health_outcome outcome)
{
	const struct health_outlier_opts *o = &h->pool->o;
	bool local = outcome == HEALTH_OUTCOME_LOCAL, split = o->flags & HEALTH_OUTLIER_SPLIT_LOCAL;

	if (local && split) {
		count_up(&h->local_in_a_row);
		return h->local_in_a_row >= o->consecutive ? HEALTH_EJECTION_CONSECUTIVE_LOCAL
							   : HEALTH_EJECTION_NONE;
	}
	h->local_in_a_row = 0;
	count_up(&h->requests);
	if (outcome == HEALTH_OUTCOME_OK) {
		h->in_a_row = h->gateway_in_a_row = 0;
		return HEALTH_EJECTION_NONE;
	}
	count_up(&h->failures);
	count_up(&h->in_a_row);
	if (local || outcome == HEALTH_OUTCOME_GATEWAY)
		count_up(&h->gateway_in_a_row);
	else
		h->gateway_in_a_row = 0;
	if (o->flags & HEALTH_OUTLIER_GATEWAY && h->gateway_in_a_row >= o->consecutive)
		return HEALTH_EJECTION_CONSECUTIVE_GATEWAY;
	if (!(o->flags & HEALTH_OUTLIER_NO_CONSECUTIVE) && h->in_a_row >= o->consecutive)
		return HEALTH_EJECTION_CONSECUTIVE;
	return HEALTH_EJECTION_NONE;
}

void health_outlier_report(struct health_outlier_host *h, enum health_outcome outcome,
			   uint64_t now_ns)
{
	enum health_ejection why;

	if (!h || (unsigned int)outcome > HEALTH_OUTCOME_LOCAL)
		return;
	why = count(h, outcome);
	if (why)
		eject(h, why, now_ns);
}

/* ---- the end of an interval ---- */

static uint64_t square_root(uint64_t n)
{
	uint64_t root = 0;

	for (uint64_t bit = UINT64_C(1) << 31; bit; bit >>= 1)
		if ((root + bit) * (root + bit) <= n)
			root += bit;
	return root;
}

static uint32_t success_of(const struct health_outlier_host *h)
{
	return (uint32_t)((uint64_t)(h->requests - h->failures) * SCALE / h->requests);
}

static bool has_requests(const struct health_outlier_host *h, uint32_t least)
{
	return h->requests && h->requests >= least;
}

/* Of SCALE: below it a host is an outlier. 0: too few hosts to say. */
static uint64_t success_threshold(const struct health_outlier *p)
{
	uint64_t n = 0, sum = 0, squares = 0, mean, below;
	const struct health_outlier_host *h;
	struct list *at;

	list_for_each (at, &p->hosts) {
		h = container_of(at, struct health_outlier_host, node);
		if (has_requests(h, p->o.success_rate_requests)) {
			n++;
			sum += success_of(h);
		}
	}
	if (!n || n < p->o.min_hosts)
		return 0;
	mean = sum / n;
	list_for_each (at, &p->hosts) {
		h = container_of(at, struct health_outlier_host, node);
		if (has_requests(h, p->o.success_rate_requests)) {
			int64_t off = (int64_t)success_of(h) - (int64_t)mean;

			squares += (uint64_t)(off * off);
		}
	}
	below = square_root(squares / n) * p->o.success_rate_stdev_factor / 1000;
	return mean > below ? mean - below : 0;
}

/* True: as many hosts as needed have had enough requests to speak of their share of failures. */
static bool enough_failure_requests(const struct health_outlier *p)
{
	uint32_t n = 0;
	struct list *at;

	list_for_each (at, &p->hosts)
		n += has_requests(container_of(at, struct health_outlier_host, node),
				  p->o.failure_requests);
	return n >= p->o.min_hosts;
}

static enum health_ejection judge(const struct health_outlier_host *h, uint64_t threshold,
				  bool by_failures)
{
	const struct health_outlier_opts *o = &h->pool->o;

	if (has_requests(h, o->success_rate_requests) && success_of(h) < threshold)
		return HEALTH_EJECTION_SUCCESS_RATE;
	if (by_failures && has_requests(h, o->failure_requests) &&
	    (uint64_t)h->failures * 100 >= (uint64_t)h->requests * o->failure_percent)
		return HEALTH_EJECTION_FAILURE_PERCENTAGE;
	return HEALTH_EJECTION_NONE;
}

/* A new interval for one host. What was found of the last one is carried out when all are judged. */
static void turn(struct health_outlier_host *h, enum health_ejection found)
{
	if (has_requests(h, h->pool->o.success_rate_requests))
		h->success = success_of(h);
	h->requests = h->failures = 0;
	if (!h->out && !h->was_out && h->factor)
		h->factor--;
	h->was_out = h->out;
	if (!found || h->out)
		return;
	h->condemned_for = found;
	list_add_tail(&h->pool->condemned, &h->condemned);
}

static void end_interval(struct health_outlier *p, uint64_t now_ns)
{
	bool by_rate = !(p->o.flags & HEALTH_OUTLIER_NO_SUCCESS_RATE);
	bool by_failures =
	    p->o.flags & HEALTH_OUTLIER_FAILURE_PERCENTAGE && enough_failure_requests(p);
	uint64_t threshold = by_rate ? success_threshold(p) : 0;
	struct list *at;

	list_for_each (at, &p->hosts) {
		struct health_outlier_host *h = container_of(at, struct health_outlier_host, node);

		turn(h, judge(h, threshold, by_failures));
	}
	/* A callback may remove this host, or others of the list. */
	while (!list_empty(&p->condemned)) {
		struct health_outlier_host *h =
		    container_of(p->condemned.next, struct health_outlier_host, condemned);

		list_remove(&h->condemned);
		eject(h, h->condemned_for, now_ns);
	}
}

uint64_t health_outlier_deadline(const struct health_outlier *p)
{
	uint64_t next;

	if (!p || !p->n_hosts)
		return HEAP_NEVER;
	next = heap_deadline(&p->returns);
	return next < p->interval_end_ns ? next : p->interval_end_ns;
}

int health_outlier_tick(struct health_outlier *p, uint64_t now_ns)
{
	struct heap_node *node;

	if (!p)
		return -EINVAL;
	if (p->depth)
		return -EBUSY;
	while ((node = heap_pop_due(&p->returns, now_ns)))
		take_back(container_of(node, struct health_outlier_host, timer));
	if (now_ns < p->interval_end_ns)
		return 0;
	/* A host that slept through several has one long one. */
	p->interval_end_ns +=
	    p->o.interval_ns * (1 + (now_ns - p->interval_end_ns) / p->o.interval_ns);
	end_interval(p, now_ns);
	return 0;
}

/* ---- asked ---- */

bool health_outlier_is_ejected(const struct health_outlier_host *h)
{
	return h && h->out;
}

int health_outlier_status(const struct health_outlier_host *h, struct health_outlier_status *ret)
{
	struct health_outlier_status s;

	if (!h)
		return -EINVAL;
	s = (struct health_outlier_status){
	    .ejected = h->out,
	    .ejections_in_a_row = h->factor,
	    .until_ns = h->out ? h->timer.deadline_ns : 0,
	    .ejections = h->ejections,
	    .failures_in_a_row = h->in_a_row,
	    .requests = h->requests,
	    .failures = h->failures,
	    .success_permille = h->success / (SCALE / 1000),
	    .spared = h->spared,
	};
	return sized_out(ret, &s, sizeof(s));
}
