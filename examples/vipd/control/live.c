/* SPDX-License-Identifier: MIT */
#include "control/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map_shared.h"

#define READ_TRIES 100 /* a writer needs a microsecond; one that died in the middle never ends */

const uint64_t live_late_bound_ns[LIVE_LATE_BOUNDS] = {
    100000, 500000, 1000000, 2000000, 5000000, 10000000, 50000000, 100000000, 1000000000};

/* ---- Memory ---- */

static size_t routers_size(const struct live *l)
{
	return sizeof(*l->late) + (l->n_routers + 1) * sizeof(*l->router) +
	       l->n_watches * sizeof(*l->bfd);
}

static size_t checks_size(const struct live *l)
{
	return (l->n_virtuals + 1) * sizeof(*l->virtual) + (l->n_reals + 1) * sizeof(*l->real) +
	       (l->n_checks + 1) * (sizeof(*l->check) + sizeof(*l->text));
}

static size_t traffic_size(const struct live *l)
{
	return (l->n_services + l->n_reals + 1) * sizeof(*l->service);
}

void live_leave_routers(struct live *l)
{
	if (l->late)
		munmap(l->late, routers_size(l));
	l->late = NULL;
	l->router = NULL;
	l->bfd = NULL;
}

void live_leave_checks(struct live *l)
{
	if (l->virtual)
		munmap(l->virtual, checks_size(l));
	l->virtual = NULL;
	l->real = NULL;
	l->check = NULL;
	l->text = NULL;
}

void live_leave_traffic(struct live *l)
{
	if (l->service)
		munmap(l->service, traffic_size(l));
	l->service = l->dest = NULL;
}

void live_free(struct live *l)
{
	if (!l)
		return;
	live_leave_routers(l);
	live_leave_checks(l);
	live_leave_traffic(l);
	free(l);
}

static void count(const struct conf *c, struct live *l)
{
	l->n_routers = c->n_instances;
	l->n_watches = c->n_watches;
	l->n_virtuals = c->n_virtuals;
	l->n_reals = c->n_reals;
	l->n_checks = c->n_checks;
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		l->n_services += v->n_listen;
}

static void begin(_Atomic uint32_t *turn)
{
	/* A predecessor may have died while it was odd. */
	atomic_store(turn, atomic_load(turn) | 1);
	atomic_thread_fence(memory_order_seq_cst);
}

static void end(_Atomic uint32_t *turn)
{
	atomic_fetch_add(turn, 1);
}

static void write_check(struct live *l, size_t index, const struct health_check_status *s)
{
	struct live_check *to = &l->check[index];

	begin(&to->turn);
	memcpy(to->status, s, sizeof(to->status));
	to->has_text = *s->text != '\0';
	if (to->has_text)
		memcpy(l->text[index], s->text, sizeof(l->text[index]));
	end(&to->turn);
}

/* Keys are mostly in the same order: each search begins where the last one ended. */
static void take_over_routers(struct live *l, const struct shared *keys, const struct live *old,
			      const struct shared *old_keys)
{
	size_t at = 0;

	memcpy(l->late, old->late, sizeof(*l->late));
	for (size_t i = 0; i < l->n_routers; i++) {
		for (size_t tries = 0; tries < old->n_routers; tries++, at++) {
			const struct shared_router *o = &old_keys->router[at % old->n_routers];

			if (shared_same_router(&o->id, &keys->router[i].id)) {
				live_read_router(&old->router[at++ % old->n_routers],
						 &l->router[i]);
				break;
			}
		}
	}
}

static void take_over_checks(struct live *l, const struct live *old, const struct conf_pairs *pairs)
{
	struct health_check_status s;

	for (size_t i = 0; i < l->n_checks; i++)
		if (pairs->unchanged[i] && live_read_check(old, pairs->check[i], &s))
			write_check(l, i, &s);
}

int live_new(const struct conf *c, const struct shared *keys, const struct live *old,
	     const struct shared *old_keys, const struct conf_pairs *pairs, struct live **ret)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	count(c, l);
	l->late = map_shared(routers_size(l));
	l->virtual = map_shared(checks_size(l));
	l->service = map_shared(traffic_size(l));
	if (!l->late || !l->virtual || !l->service) {
		live_free(l);
		return -ENOMEM;
	}
	l->dest = l->service + l->n_services;
	l->router = (void *)(l->late + 1);
	l->bfd = (void *)(l->router + l->n_routers + 1);
	l->check = (void *)(l->virtual + l->n_virtuals + 1);
	l->real = (void *)(l->check + l->n_checks + 1);
	l->text = (void *)(l->real + l->n_reals + 1);
	if (old) {
		take_over_routers(l, keys, old, old_keys);
		if (!pairs->in_place)
			take_over_checks(l, old, pairs);
	}
	*ret = l;
	return 0;
}

void live_keep_checks(struct live *l, struct live *old, const struct conf_pairs *pairs)
{
	const struct live empty = *l;

	l->virtual = old->virtual;
	l->real = old->real;
	l->check = old->check;
	l->text = old->text;
	old->virtual = empty.virtual;
	old->real = empty.real;
	old->check = empty.check;
	old->text = empty.text;
	for (size_t i = 0; i < l->n_checks; i++)
		if (!pairs->unchanged[i])
			atomic_store(&l->check[i].turn, 0);
}

/* ---- Writing ---- */

void live_clear_traffic(struct live *l)
{
	memset((void *)l->service, 0, traffic_size(l));
}

void live_add_traffic(struct live_traffic *to, const struct ha_service_stats *s)
{
	atomic_fetch_add(&to->conns, s->conns);
	atomic_fetch_add(&to->in_packets, s->in_packets);
	atomic_fetch_add(&to->out_packets, s->out_packets);
	atomic_fetch_add(&to->in_bytes, s->in_bytes);
	atomic_fetch_add(&to->out_bytes, s->out_bytes);
	atomic_fetch_add(&to->active, s->active_conns);
	atomic_fetch_add(&to->inactive, s->inactive_conns);
}

static void counters_of(const struct ha_vrrp *v, struct live_counters *ret)
{
	struct ha_vrrp_stats s = {.size = sizeof(s)};

	ha_vrrp_stats(v, &s);
	*ret = (struct live_counters){.became_active = s.became_active,
				      .left_active = s.left_active,
				      .adverts_sent = s.adverts_sent,
				      .adverts_received = s.adverts_received,
				      .priority_zero_sent = s.priority_zero_sent,
				      .priority_zero_received = s.priority_zero_received,
				      .send_errors = s.send_errors};
	memcpy(ret->dropped, s.dropped, sizeof(ret->dropped));
	memcpy(ret->remarks, s.remarks, sizeof(ret->remarks));
}

/* All of it is uint64_t, and differences wrap as they should. */
static void add(struct live_counters *to, const struct live_counters *what, bool subtract)
{
	uint64_t *t = (void *)to;
	const uint64_t *w = (const void *)what;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*t); i++)
		t[i] += subtract ? -w[i] : w[i];
}

void live_clear(const struct ha_vrrp *v, struct live_counters *ret)
{
	struct live_counters now;

	counters_of(v, &now);
	*ret = (struct live_counters){0};
	add(ret, &now, true);
}

bool live_base(const struct live_router *from, struct live_counters *ret)
{
	struct live_router copy;

	if (!live_read_router(from, &copy))
		return false;
	*ret = copy.counters;
	return true;
}

/* Those that were heard last, when there are more than fit. */
static uint32_t senders_of(const struct ha_vrrp *v, struct ha_vrrp_sender *ret)
{
	struct ha_vrrp_sender s = {.size = sizeof(s)};
	uint32_t n = 0;

	for (unsigned i = 0; ha_vrrp_sender(v, i, &s) >= 0; i++) {
		struct ha_vrrp_sender *oldest = ret;

		if (n < LIVE_SENDERS) {
			ret[n++] = s;
			continue;
		}
		for (uint32_t o = 1; o < n; o++)
			if (ret[o].last_ns < oldest->last_ns)
				oldest = &ret[o];
		if (oldest->last_ns < s.last_ns)
			*oldest = s;
	}
	return n;
}

void live_write_router(struct live_router *to, const struct ha_vrrp *v,
		       const struct live_counters *base)
{
	begin(&to->turn);
	to->status.size = sizeof(to->status);
	ha_vrrp_status(v, &to->status);
	counters_of(v, &to->counters);
	if (base)
		add(&to->counters, base, false);
	to->n_senders = senders_of(v, to->sender);
	end(&to->turn);
}

void live_add_late(struct live_late *l, uint64_t late_ns)
{
	size_t i = 0;

	while (i < LIVE_LATE_BOUNDS && late_ns > live_late_bound_ns[i])
		i++;
	atomic_fetch_add_explicit(&l->count[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&l->sum_ns, late_ns, memory_order_relaxed);
}

void live_write_check(struct live *to, size_t index, const struct health_check *c)
{
	struct health_check_status s = {.size = sizeof(s)};

	health_check_status(c, &s);
	write_check(to, index, &s);
}

bool live_check_is_new(const struct live *l, size_t index)
{
	return !atomic_load(&l->check[index].turn);
}

/* ---- Reading ---- */

/* Copies until nothing was written meanwhile. False: never written, or torn for good. */
static bool read_whole(const _Atomic uint32_t *turn, const void *from, void *ret, size_t size)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t before = atomic_load(turn);

		if (!before)
			return false;
		memcpy(ret, from, size);
		atomic_thread_fence(memory_order_seq_cst);
		if (!(before & 1) && before == atomic_load(turn))
			return true;
	}
	return false;
}

void live_write_bfd(struct live_bfd *to, const struct ha_bfd *e)
{
	begin(&to->turn);
	to->status.size = sizeof(to->status);
	to->discriminator = e && !ha_bfd_status(e, &to->status) ? ha_bfd_opts(e)->discriminator : 0;
	end(&to->turn);
}

bool live_read_bfd(const struct live_bfd *from, struct live_bfd *ret)
{
	return read_whole(&from->turn, from, ret, sizeof(*ret)) && ret->discriminator;
}

bool live_read_router(const struct live_router *from, struct live_router *ret)
{
	if (!read_whole(&from->turn, from, ret, sizeof(*ret))) {
		memset(ret, 0, sizeof(*ret));
		return false;
	}
	if (ret->n_senders > LIVE_SENDERS)
		ret->n_senders = LIVE_SENDERS;
	return true;
}

bool live_read_check(const struct live *from, size_t index, struct health_check_status *ret)
{
	const struct live_check *c = &from->check[index];
	struct live_check copy;

	memset(ret, 0, sizeof(*ret));
	for (int i = 0; i < READ_TRIES; i++) {
		if (!read_whole(&c->turn, c, &copy, sizeof(copy)))
			return false;
		if (copy.has_text)
			memcpy(ret->text, from->text[index], sizeof(ret->text) - 1);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&c->turn) == copy.turn)
			break;
		memset(ret->text, 0, sizeof(ret->text)); /* the next one's, perhaps half of it */
	}
	memcpy(ret, copy.status, sizeof(copy.status));
	return true;
}
