/* SPDX-License-Identifier: MIT */
/* The editor: staging, publishing, and giving back what nobody holds any more. */
#include <errno.h>

#include "base/sized.h"
#include "libsched/group.h"
#include "libsched/ramp.h"

/* Slow start begins when a server begins to serve. */
static void begins_to_serve(struct lb_group *g, struct lb_server *s)
{
	if (!g->setup.opts.slow_start_ns || !ramp_in_service(s))
		return;
	s->ramp = RAMP_WAITS;
	g->n_waiting++;
}

/* ---- The index of ids ---- */

/* The entry of this id, or the free one where the search for it ends. */
static uint32_t id_entry(const struct lb_group *g, uint64_t id)
{
	const struct id_index *x = &g->by_id;
	uint32_t i = id_index_start(x, id);

	while (x->at[i] && server_at(&g->pool, x->at[i] - 1)->id != id)
		i = id_index_next(x, i);
	return i;
}

static struct lb_server *find_known(const struct lb_group *g, uint64_t id)
{
	const uint32_t slot = g->by_id.at[id_entry(g, id)];

	return slot ? server_at(&g->pool, slot - 1) : NULL;
}

static size_t n_known(const struct lb_group *g)
{
	return g->n_members + g->n_removed;
}

static int reserve_id(struct lb_group *g)
{
	struct id_index more;

	if (id_index_has_room(&g->by_id, n_known(g) + 1))
		return 0;
	if (id_index_init(&more, n_known(g) + 1) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i <= g->by_id.mask; i++) {
		const uint32_t slot = g->by_id.at[i];

		if (slot)
			id_index_add(&more, server_at(&g->pool, slot - 1)->id, slot - 1);
	}
	id_index_fini(&g->by_id);
	g->by_id = more;
	return 0;
}

/* Entries behind the freed one, up to the next free one, move up if their search began before it. */
static void remove_id(struct lb_group *g, uint64_t id)
{
	struct id_index *x = &g->by_id;
	uint32_t hole = id_entry(g, id);

	for (uint32_t i = id_index_next(x, hole); x->at[i]; i = id_index_next(x, i)) {
		const uint32_t start = id_index_start(x, server_at(&g->pool, x->at[i] - 1)->id);

		if (((i - start) & x->mask) < ((i - hole) & x->mask))
			continue;
		x->at[hole] = x->at[i];
		hole = i;
	}
	x->at[hole] = 0;
}

/* ---- Servers ---- */

struct lb_server *group_find_member(const struct lb_group *g, uint64_t id)
{
	struct lb_server *s = find_known(g, id);

	return s && !s->removed ? s : NULL;
}

/* Takes it from its list. */
static void unlist(struct lb_group *g, struct lb_server *s)
{
	server_list_remove(&g->pool, s->removed ? &g->removed : &g->members, s);
	if (s->removed)
		g->n_removed--;
	else
		g->n_members--;
}

static void forget(struct lb_group *g, struct lb_server *s)
{
	remove_id(g, s->id);
	unlist(g, s);
	server_unref(&g->pool, s);
}

/*
 * Is its last connection done, and can no picker start another? Counters are looked at last: whoever
 * counted did so while he held a snapshot that is freed by now.
 */
static bool is_gone(const struct lb_group *g, const struct lb_server *s)
{
	return !s->shown && server_idle(&g->pool.ledger, s);
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
	    own->state > LB_STATE_OFFLINE || own->reserved2)
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
	int r;

	if (n_known(g) >= LB_SERVERS_MAX) {
		lb_group_reclaim(g);
		if (n_known(g) >= LB_SERVERS_MAX)
			return -ENOSPC;
	}
	r = reserve_id(g);
	if (r == 0)
		r = server_take(&g->pool, ret);
	if (r < 0)
		return r;
	(*ret)->id = id;
	id_index_add(&g->by_id, id, (*ret)->slot);
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
		unlist(g, s);
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
	s->state = own.state & 3u;
	s->up = !own.down;
	s->ramp = RAMP_NONE;
	atomic_store_explicit(&s->lower, own.lower, RELAXED);
	begins_to_serve(g, s);
	server_list_append(&g->pool, &g->members, s);
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
	unlist(g, s);
	s->removed = true;
	server_list_append(&g->pool, &g->removed, s);
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
	if (!maxconn || maxconn > s->maxconn) /* as the kernel does when a threshold is raised */
		atomic_store_explicit(&s->overloaded, false, RELAXED);
	s->maxconn = maxconn;
	return 0;
}

int lb_server_set_lower(struct lb_group *g, uint64_t id, uint32_t lower)
{
	struct lb_server *s;
	int r = find_to_edit(g, id, true, &s);

	if (r < 0)
		return r;
	g->staged |= atomic_load_explicit(&s->lower, RELAXED) != lower;
	atomic_store_explicit(&s->lower, lower, RELAXED);
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
	s->state = (unsigned)state & 3u;
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
	sums = ledger_sum(&g->pool.ledger, s->slot);
	own.weight = s->weight;
	own.maxconn = s->maxconn;
	own.priority = s->priority;
	own.state = s->state;
	own.up = s->up;
	own.removed = s->removed;
	own.active = server_count(&g->pool.ledger, s, LB_COUNTER_ACTIVE);
	own.inactive = server_count(&g->pool.ledger, s, LB_COUNTER_INACTIVE);
	own.queued = server_count(&g->pool.ledger, s, LB_COUNTER_QUEUED);
	own.elsewhere = server_count(&g->pool.ledger, s, LB_COUNTER_ELSEWHERE);
	own.sessions = server_count(&g->pool.ledger, s, LB_COUNTER_SESSIONS);
	own.lower = atomic_load_explicit(&s->lower, RELAXED);
	own.overloaded = g->setup.opts.flags & LB_GROUP_OVERLOAD &&
			 atomic_load_explicit(&s->overloaded, RELAXED);
	own.picks = sums.picks;
	memcpy(own.done, sums.done, sizeof(own.done));
	own.bytes = sums.bytes;
	own.latency_sum_ns = sums.latency_sum_ns;
	return sized_out(ret, &own, sizeof(own));
}

/* ---- Giving back ---- */

static bool is_held(const struct lb_group *g, const struct lb_snapshot *s)
{
	for (size_t i = 0; i < g->n_seats; i++) {
		struct lb_picker *p = g->seat[i].picker;

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
	struct lb_server *s = server_or_null(&g->pool, g->removed.first);

	while (s) {
		struct lb_server *next = server_or_null(&g->pool, s->next);

		if (is_gone(g, s))
			forget(g, s);
		s = next;
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

	for (size_t i = 0; i < g->n_seats && r == 0; i++)
		if (g->seat[i].picker)
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
	    .pool = &g->pool,
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
	g->members = g->removed = (struct server_list){SLOT_NONE, SLOT_NONE};
	g->pool.unused = SLOT_NONE;
	list_init(&g->snapshots);
	g->setup = setup;
	r = id_index_init(&g->by_id, 0);
	if (r == 0)
		r = publish(g);
	if (r < 0) {
		id_index_fini(&g->by_id);
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

static void forget_all(struct lb_group *g, const struct server_list *list)
{
	while (list->first != SLOT_NONE)
		forget(g, server_at(&g->pool, list->first));
}

/* All but the pickers and the group itself. */
static void free_contents(struct lb_group *g)
{
	struct list *i, *next;

	list_for_each_safe (i, next, &g->snapshots)
		snapshot_free(container_of(i, struct lb_snapshot, in_list));
	forget_all(g, &g->members);
	forget_all(g, &g->removed);
	id_index_fini(&g->by_id);
	state_unref(g->state);
	server_pool_fini(&g->pool);
}

void group_release(struct lb_group *g)
{
	mem_free(g->seat);
	line_free(g);
}

void lb_group_free(struct lb_group *g)
{
	if (!g)
		return;
	for (size_t k = 0; k < g->n_seats; k++)
		lb_picker_free(g->seat[k].picker);
	free_contents(g);
	group_release(g);
}

void lb_group_close(struct lb_group *g)
{
	if (!g)
		return;
	free_contents(g);
	atomic_store(&g->current, GROUP_CLOSED);
	for (size_t k = 0; k < g->n_seats; k++)
		if (g->seat[k].picker)
			picker_lose_group(g->seat[k].picker);
	if (!g->n_pickers)
		group_release(g);
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
	size_t n = 0;

	if (!g || (cap && !ret_ids))
		return -EINVAL;
	server_for_each (s, &g->pool, &g->members) {
		if (n < cap)
			ret_ids[n] = s->id;
		n++;
	}
	return (ssize_t)n;
}

ssize_t lb_group_slots(const struct lb_group *g, uint64_t *ret_ids, size_t cap)
{
	const struct lb_snapshot *s;
	size_t n = 0;
	ssize_t place;

	if (!g || (cap && !ret_ids))
		return -EINVAL;
	s = current_of(g);
	if (!s->setup.ops.slot)
		return -EOPNOTSUPP;
	for (; (place = s->setup.ops.slot(s, n)) != -ENOENT; n++)
		if (n < cap)
			ret_ids[n] = place >= 0 && (size_t)place < s->n ? s->at[place].id : 0;
	return (ssize_t)n;
}
