/* SPDX-License-Identifier: MIT */
/* The editor: staging, publishing, and giving back what nobody holds any more. */
#include <errno.h>

#include "base/sized.h"
#include "libsched/group.h"
#include "libsched/ramp.h"

/* ---- Servers ---- */

/* Slow start begins when a server begins to serve. */
static void begins_to_serve(struct lb_group *g, struct lb_server *s)
{
	if (!g->setup.opts.slow_start_ns || !ramp_in_service(s))
		return;
	s->ramp = RAMP_WAITS;
	g->n_waiting++;
}

static struct lb_server *find_known(const struct lb_group *g, uint64_t id)
{
	struct hmap_node *i;

	for (i = hmap_first(&g->by_id, hmap_mix(id)); i; i = hmap_next(i)) {
		struct lb_server *s = container_of(i, struct lb_server, by_id);

		if (s->id == id)
			return s;
	}
	return NULL;
}

struct lb_server *group_find_member(const struct lb_group *g, uint64_t id)
{
	struct lb_server *s = find_known(g, id);

	return s && !s->removed ? s : NULL;
}

static void forget(struct lb_group *g, struct lb_server *s)
{
	hmap_remove(&g->by_id, &s->by_id);
	list_remove(&s->in_list);
	if (s->removed)
		g->n_removed--;
	else
		g->n_members--;
	server_unref(&g->ledger, s);
}

/*
 * Is its last connection done, and can no picker start another? Counters are looked at last: whoever
 * counted did so while he held a snapshot that is freed by now.
 */
static bool is_gone(const struct lb_group *g, const struct lb_server *s)
{
	return !s->shown && server_idle(&g->ledger, s);
}

static int check_server_opts(const struct lb_server_opts *o, struct lb_server_opts *own)
{
	int r;

	*own = (struct lb_server_opts){.size = sizeof(*own)};
	if (o) {
		r = sized_in(own, sizeof(*own), o);
		if (r < 0)
			return r;
	}
	if (own->weight > LB_WEIGHT_MAX || own->priority > LB_PRIORITY_MAX ||
	    own->state > LB_STATE_OFFLINE)
		return -EINVAL;
	if (!own->weight)
		own->weight = 1;
	return 0;
}

static uint64_t free_id(struct lb_group *g)
{
	/* Ends: there are fewer ids in use than numbers. */
	do {
		g->next_id++;
	} while (!g->next_id || find_known(g, g->next_id));
	return g->next_id;
}

static int server_new(struct lb_group *g, uint64_t id, struct lb_server **ret)
{
	struct lb_server *s;
	int r;

	if (g->by_id.n >= LB_SERVERS_MAX) {
		lb_group_reclaim(g);
		if (g->by_id.n >= LB_SERVERS_MAX)
			return -ENOSPC;
	}
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	r = ledger_take_slot(&g->ledger, &s->slot);
	if (r < 0) {
		mem_free(s);
		return r;
	}
	s->id = id;
	s->refs = 1;
	if (hmap_add(&g->by_id, &s->by_id, hmap_mix(id)) < 0) {
		server_unref(&g->ledger, s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

int lb_server_add(struct lb_group *g, const struct lb_server_opts *o, uint64_t *ret_id)
{
	struct lb_server_opts own;
	struct lb_server *s;
	int r;

	if (!g)
		return -EINVAL;
	r = check_server_opts(o, &own);
	if (r < 0)
		return r;
	s = own.id ? find_known(g, own.id) : NULL;
	if (s && !s->removed)
		return -EEXIST;
	if (s) { /* its connections are not all done: it comes back with them */
		list_remove(&s->in_list);
		g->n_removed--;
		s->removed = false;
	} else {
		r = server_new(g, own.id ? own.id : free_id(g), &s);
		if (r < 0)
			return r;
	}
	s->key = own.key64 ? own.key64 : s->id;
	s->weight = (uint16_t)own.weight;
	s->last_weight = 0;
	s->maxconn = own.maxconn;
	s->priority = (uint16_t)own.priority;
	s->state = (uint8_t)own.state;
	s->up = !own.down;
	s->ramp = RAMP_NONE;
	begins_to_serve(g, s);
	list_add_tail(&g->members, &s->in_list);
	g->n_members++;
	g->staged = true;
	if (ret_id)
		*ret_id = s->id;
	return 0;
}

int lb_server_remove(struct lb_group *g, uint64_t id)
{
	struct lb_server *s = g ? group_find_member(g, id) : NULL;

	if (!s)
		return g ? -ENOENT : -EINVAL;
	g->staged = true;
	if (is_gone(g, s)) {
		forget(g, s);
		return 0;
	}
	list_remove(&s->in_list);
	g->n_members--;
	s->removed = true;
	list_add_tail(&g->removed, &s->in_list);
	g->n_removed++;
	return 0;
}

/* The member whose setting is to change. 0, -EINVAL, -ENOENT. */
static int find_to_edit(const struct lb_group *g, uint64_t id, bool valid, struct lb_server **ret)
{
	if (!g || !valid)
		return -EINVAL;
	*ret = group_find_member(g, id);
	return *ret ? 0 : -ENOENT;
}

int lb_server_set_weight(struct lb_group *g, uint64_t id, uint32_t weight)
{
	struct lb_server *s;
	int r = find_to_edit(g, id, weight <= LB_WEIGHT_MAX, &s);

	if (r < 0)
		return r;
	g->staged |= s->weight != weight;
	s->weight = (uint16_t)weight;
	return 0;
}

int lb_server_set_maxconn(struct lb_group *g, uint64_t id, uint32_t maxconn)
{
	struct lb_server *s;
	int r = find_to_edit(g, id, true, &s);

	if (r < 0)
		return r;
	g->staged |= s->maxconn != maxconn;
	s->maxconn = maxconn;
	return 0;
}

int lb_server_set_priority(struct lb_group *g, uint64_t id, uint32_t priority)
{
	struct lb_server *s;
	int r = find_to_edit(g, id, priority <= LB_PRIORITY_MAX, &s);

	if (r < 0)
		return r;
	g->staged |= s->priority != priority;
	s->priority = (uint16_t)priority;
	return 0;
}

int lb_server_set_state(struct lb_group *g, uint64_t id, enum lb_state state)
{
	struct lb_server *s;
	int r = find_to_edit(g, id, (unsigned)state <= LB_STATE_OFFLINE, &s);

	if (r < 0)
		return r;
	if (s->state == state)
		return 0;
	g->staged = true;
	s->state = (uint8_t)state;
	begins_to_serve(g, s);
	return 0;
}

int lb_server_set_up(struct lb_group *g, uint64_t id, bool up)
{
	struct lb_server *s;
	int r = find_to_edit(g, id, true, &s);

	if (r < 0)
		return r;
	if (s->up == up)
		return 0;
	g->staged = true;
	s->up = up;
	begins_to_serve(g, s);
	return 0;
}

int lb_server_stats(const struct lb_group *g, uint64_t id, struct lb_server_stats *ret)
{
	const struct lb_server *s = g ? find_known(g, id) : NULL;
	struct lb_server_stats own = {.id = id};
	struct ledger_sums sums;

	if (!g || !ret)
		return -EINVAL;
	if (!s)
		return -ENOENT;
	sums = server_sums(&g->ledger, s);
	own.weight = s->weight;
	own.maxconn = s->maxconn;
	own.priority = s->priority;
	own.state = s->state;
	own.up = s->up;
	own.removed = s->removed;
	own.active = server_count(&g->ledger, s, LB_COUNTER_ACTIVE);
	own.inactive = server_count(&g->ledger, s, LB_COUNTER_INACTIVE);
	own.queued = server_count(&g->ledger, s, LB_COUNTER_QUEUED);
	own.elsewhere = server_count(&g->ledger, s, LB_COUNTER_ELSEWHERE);
	own.sessions = server_count(&g->ledger, s, LB_COUNTER_SESSIONS);
	own.picks = sums.picks;
	memcpy(own.done, sums.done, sizeof(own.done));
	own.bytes = sums.bytes;
	own.latency_sum_ns = sums.latency_sum_ns;
	return sized_out(ret, &own, sizeof(own));
}

/* ---- Giving back ---- */

static bool is_held(const struct lb_group *g, const struct lb_snapshot *s)
{
	for (size_t i = 0; i < LB_PICKERS_MAX; i++) {
		struct lb_picker *p = g->picker[i];

		/* In this order: a picker sets `held` before it clears `next`. */
		if (p && (atomic_load(&p->next) == s || atomic_load(&p->held) == s))
			return true;
	}
	return false;
}

static struct lb_snapshot *current_of(const struct lb_group *g)
{
	return atomic_load_explicit(&g->current, memory_order_relaxed); /* the editor wrote it */
}

static int free_unheld_snapshots(struct lb_group *g)
{
	struct list *i, *next;
	int held = 0;

	list_for_each_safe (i, next, &g->snapshots) {
		struct lb_snapshot *s = container_of(i, struct lb_snapshot, in_list);

		if (s == current_of(g))
			continue;
		if (is_held(g, s))
			held++;
		else
			snapshot_free(s);
	}
	return held;
}

static void forget_removed_servers(struct lb_group *g)
{
	struct list *i, *next;

	list_for_each_safe (i, next, &g->removed) {
		struct lb_server *s = container_of(i, struct lb_server, in_list);

		if (is_gone(g, s))
			forget(g, s);
	}
}

int lb_group_reclaim(struct lb_group *g)
{
	int held;

	if (!g)
		return -EINVAL;
	held = free_unheld_snapshots(g);
	forget_removed_servers(g);
	return held;
}

/* ---- Publishing ---- */

static int add_cursors(struct lb_group *g, struct lb_snapshot *s)
{
	int r = 0;

	for (size_t i = 0; i < LB_PICKERS_MAX && r == 0; i++)
		if (g->picker[i])
			r = snapshot_add_cursor(s, i);
	return r;
}

static struct snapshot_source source_of(struct lb_group *g)
{
	const struct lb_snapshot *old = current_of(g);

	return (struct snapshot_source){
	    .setup = &g->setup,
	    .generation = old ? old->generation + 1 : 1,
	    .members = &g->members,
	    .removed = &g->removed,
	    .n_members = g->n_members,
	    .n_removed = g->n_removed,
	    .old = old,
	    .state = &g->state,
	    .ledger = &g->ledger,
	    .now_ns = g->now_ns,
	};
}

uint32_t group_open_priority(struct lb_group *g)
{
	const struct snapshot_source from = source_of(g);

	return snapshot_open_priority(&from);
}

uint32_t group_shown_priority(const struct lb_group *g)
{
	return current_of(g)->open_priority;
}

static int publish(struct lb_group *g)
{
	struct lb_snapshot *s;
	struct snapshot_source from = source_of(g);
	int r;

	r = snapshot_new(&from, &s);
	if (r < 0)
		return r;
	r = add_cursors(g, s);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	list_add_tail(&g->snapshots, &s->in_list);
	g->staged = false;
	/* Before is_held() looks at the pickers: see picker.c, come_over(). */
	atomic_store(&g->current, s);
	return 0;
}

int lb_group_commit(struct lb_group *g)
{
	int r = 0;

	if (!g)
		return -EINVAL;
	lb_group_reclaim(g);
	if (g->staged) {
		r = publish(g);
		lb_group_reclaim(g);
	}
	return r;
}

/* ---- The group ---- */

int lb_group_new(const struct lb_group_opts *o, struct lb_group **ret)
{
	struct algo_setup setup;
	struct lb_group *g;
	int r;

	if (!ret)
		return -EINVAL;
	r = algo_setup_of(o, &setup);
	if (r < 0)
		return r;
	g = line_alloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	hmap_init(&g->by_id);
	list_init(&g->members);
	list_init(&g->removed);
	list_init(&g->snapshots);
	g->setup = setup;
	r = publish(g);
	if (r < 0) {
		state_unref(g->state);
		line_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

static bool setup_equal(const struct algo_setup *a, const struct algo_setup *b)
{
	return !memcmp(&a->ops, &b->ops, sizeof(a->ops)) && !strcmp(a->name, b->name) &&
	       !memcmp(&a->opts, &b->opts, sizeof(a->opts)); /* it has no padding */
}

int lb_group_configure(struct lb_group *g, const struct lb_group_opts *o)
{
	struct algo_setup setup;
	int r;

	if (!g)
		return -EINVAL;
	r = algo_setup_of(o, &setup);
	if (r < 0)
		return r;
	if (setup_equal(&setup, &g->setup))
		return 0;
	setup.serial = g->setup.serial + 1;
	g->setup = setup;
	g->staged = true;
	return 0;
}

static void forget_all(struct lb_group *g, struct list *servers)
{
	struct list *i, *next;

	list_for_each_safe (i, next, servers)
		forget(g, container_of(i, struct lb_server, in_list));
}

/* All but the pickers and the group itself. */
static void free_contents(struct lb_group *g)
{
	struct list *i, *next;

	list_for_each_safe (i, next, &g->snapshots)
		snapshot_free(container_of(i, struct lb_snapshot, in_list));
	forget_all(g, &g->members);
	forget_all(g, &g->removed);
	hmap_fini(&g->by_id);
	state_unref(g->state);
	ledger_fini(&g->ledger);
}

void lb_group_free(struct lb_group *g)
{
	if (!g)
		return;
	for (size_t k = 0; k < LB_PICKERS_MAX; k++)
		lb_picker_free(g->picker[k]);
	free_contents(g);
	line_free(g);
}

void lb_group_close(struct lb_group *g)
{
	if (!g)
		return;
	free_contents(g);
	atomic_store(&g->current, GROUP_CLOSED);
	for (size_t k = 0; k < LB_PICKERS_MAX; k++)
		if (g->picker[k])
			picker_lose_group(g->picker[k]);
	if (!g->n_pickers)
		line_free(g);
}

int lb_group_stats(const struct lb_group *g, struct lb_group_stats *ret)
{
	struct lb_group_stats own = {0};
	const struct lb_snapshot *s;

	if (!g || !ret)
		return -EINVAL;
	s = current_of(g);
	own.generation = s->generation;
	own.servers = (uint32_t)s->n;
	own.usable = (uint32_t)s->n_usable;
	own.removed = (uint32_t)g->n_removed;
	own.pickers = (uint32_t)g->n_pickers;
	own.snapshots = (uint32_t)list_count(&g->snapshots);
	own.staged = g->staged;
	memcpy(own.algo, s->setup.name, sizeof(own.algo));
	return sized_out(ret, &own, sizeof(own));
}

ssize_t lb_group_servers(const struct lb_group *g, uint64_t *ret_ids, size_t cap)
{
	const struct list *i;
	size_t n = 0;

	if (!g || (cap && !ret_ids))
		return -EINVAL;
	list_for_each (i, &g->members) {
		if (n < cap)
			ret_ids[n] = container_of(i, struct lb_server, in_list)->id;
		n++;
	}
	return (ssize_t)n;
}
