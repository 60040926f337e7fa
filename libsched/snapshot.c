/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "libsched/gcd.h"
#include "libsched/ramp.h"
#include "libsched/snapshot.h"

/* Where the search for an id begins. Ids are the host's own, not a stranger's: no secret is needed. */
static size_t index_start(const struct lb_snapshot *s, uint64_t id)
{
	return (size_t)hmap_mix(id) & s->index_mask;
}

ssize_t snapshot_find_known(const struct lb_snapshot *s, uint64_t id)
{
	/* At most half full: the walk ends at a free entry. */
	for (size_t i = index_start(s, id); s->index[i]; i = (i + 1) & s->index_mask)
		if (s->at[s->index[i] - 1].id == id)
			return (ssize_t)s->index[i] - 1;
	return -1;
}

static void index_add(struct lb_snapshot *s, size_t place)
{
	size_t i = index_start(s, s->at[place].id);

	while (s->index[i])
		i = (i + 1) & s->index_mask;
	s->index[i] = (uint32_t)place + 1;
}

static int index_alloc(struct lb_snapshot *s)
{
	size_t n = 4;

	while (n < 2 * s->n_known)
		n *= 2;
	s->index_mask = n - 1;
	s->index = mem_array(n, sizeof(*s->index));
	return s->index ? 0 : -ENOMEM;
}

/* Why a server is no candidate, before its priority group is known. */
static enum lb_verdict server_verdict(const struct lb_server *server)
{
	if (server->state == LB_STATE_OFFLINE)
		return LB_VERDICT_OFFLINE;
	if (server->state == LB_STATE_DRAINING)
		return LB_VERDICT_DRAINING;
	if (!server->up)
		return LB_VERDICT_DOWN;
	if (server->state == LB_STATE_DISABLED)
		return LB_VERDICT_DISABLED;
	return server->weight ? LB_VERDICT_CANDIDATE : LB_VERDICT_WEIGHT;
}

/* F5: who has reached his connection limit is not active. */
static bool counts_as_active(const struct snapshot_source *from, const struct lb_server *s)
{
	return server_verdict(s) == LB_VERDICT_CANDIDATE &&
	       (!s->maxconn || server_count(from->ledger, s, LB_COUNTER_ACTIVE) < s->maxconn);
}

/* The first one that with those before it has min_active usable. */
uint32_t snapshot_open_priority(const struct snapshot_source *from)
{
	uint32_t usable[LB_PRIORITY_MAX + 1] = {0}, n = 0, p;
	const struct list *i;

	list_for_each (i, from->members) {
		const struct lb_server *server = container_of(i, struct lb_server, in_list);

		if (counts_as_active(from, server))
			usable[server->priority]++;
	}
	for (p = 0; p < LB_PRIORITY_MAX; p++) {
		n += usable[p];
		if (n >= from->setup->opts.min_active)
			break;
	}
	return p;
}

static void show(struct lb_snapshot *s, size_t place, struct lb_server *server, enum lb_verdict why,
		 const struct ramp_clock *clock)
{
	struct snap_server *e = &s->at[place];

	server->was_limited |= server->maxconn != 0;
	*e = (struct snap_server){
	    .id = server->id,
	    .server = server,
	    .weight =
		why == LB_VERDICT_CANDIDATE ? ramp_weight(server, s->setup.ops.flags, clock) : 0,
	    .maxconn = server->maxconn,
	    .slot = server->slot,
	    .set_weight = server->weight,
	    .why = (uint8_t)why,
	    .limited = server->was_limited,
	};
	server->shown += place < s->n;
	server->refs++;
	index_add(s, place);
}

static struct ramp_clock clock_of(const struct lb_snapshot *s, const struct snapshot_source *from)
{
	const uint64_t slow_start_ns = s->setup.opts.slow_start_ns;
	uint32_t max = 0;
	const struct list *i;

	if (slow_start_ns) {
		list_for_each (i, from->members) {
			const struct lb_server *server = container_of(i, struct lb_server, in_list);

			max = server->weight > max ? server->weight : max;
		}
	}
	return (struct ramp_clock){
	    .now_ns = from->now_ns,
	    .slow_start_ns = slow_start_ns,
	    .scale = ramp_scale(slow_start_ns, s->setup.ops.flags, max),
	};
}

static void show_members(struct lb_snapshot *s, const struct snapshot_source *from)
{
	bool newest_first = s->setup.ops.flags & LB_ALGO_NEWEST_FIRST;
	const struct ramp_clock clock = clock_of(s, from);
	uint32_t open = snapshot_open_priority(from);
	size_t k = 0;
	const struct list *i;

	s->open_priority = open;
	s->weight_scale = clock.scale;
	list_for_each (i, from->members) {
		struct lb_server *server = container_of(i, struct lb_server, in_list);
		enum lb_verdict why = server_verdict(server);
		size_t place = newest_first ? s->n - 1 - k : k;

		if (server->weight)
			server->last_weight = server->weight;
		if (why == LB_VERDICT_CANDIDATE && server->priority > open)
			why = LB_VERDICT_STANDBY;
		show(s, place, server, why, &clock);
		s->n_usable += why == LB_VERDICT_CANDIDATE;
		s->total_weight += s->at[place].weight;
		if (s->weight_gcd != 1)
			s->weight_gcd = gcd(s->weight_gcd, s->at[place].weight);
		if (s->max_weight < s->at[place].weight)
			s->max_weight = s->at[place].weight;
		k++;
	}
}

static void show_removed(struct lb_snapshot *s, const struct snapshot_source *from)
{
	size_t place = s->n;
	const struct list *i;

	list_for_each (i, from->removed)
		show(s, place++, container_of(i, struct lb_server, in_list), LB_VERDICT_OFFLINE,
		     NULL);
}

/* The states the algorithm asked for, shared with the snapshot before. 0 or -ENOMEM. */
static int share_states(struct lb_snapshot *s, struct algo_state **group)
{
	const struct lb_algo *ops = &s->setup.ops;

	if (ops->group_bytes) {
		s->group_state = state_ref(group, s->setup.serial, ops->group_bytes);
		if (!s->group_state)
			return -ENOMEM;
	}
	if (!ops->server_bytes)
		return 0;
	s->server_state = mem_array(s->n + 1, sizeof(struct algo_state *));
	if (!s->server_state)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		s->server_state[i] =
		    state_ref(&s->at[i].server->algo_state, s->setup.serial, ops->server_bytes);
		if (!s->server_state[i])
			return -ENOMEM;
	}
	return 0;
}

static void let_go_of_states(struct lb_snapshot *s)
{
	state_unref(s->group_state);
	for (size_t i = 0; i < s->n && s->server_state; i++)
		state_unref(s->server_state[i]);
	mem_free(s->server_state);
}

static int build_table(struct lb_snapshot *s, const struct lb_snapshot *old)
{
	const struct lb_algo *ops = &s->setup.ops;

	if (ops->table_size) {
		s->table = line_alloc(ops->table_size(s));
		if (!s->table)
			return -ENOMEM;
	}
	if (old && old->setup.serial != s->setup.serial)
		old = NULL;
	return ops->build ? ops->build(s, old, s->table) : 0;
}

int snapshot_new(const struct snapshot_source *from, struct lb_snapshot **ret)
{
	struct lb_snapshot *s = mem_zalloc(sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	list_init(&s->in_list);
	s->setup = *from->setup;
	s->ledger = from->ledger;
	s->generation = from->generation;
	s->at = mem_array(from->n_members + from->n_removed + 1, sizeof(*s->at));
	if (!s->at) {
		snapshot_free(s);
		return -ENOMEM;
	}
	s->n = from->n_members;
	s->n_known = from->n_members + from->n_removed;
	r = index_alloc(s);
	if (r < 0) {
		s->n = s->n_known = 0; /* no entry holds a server yet */
		snapshot_free(s);
		return r;
	}
	show_members(s, from);
	show_removed(s, from);
	if (s->setup.ops.cursor_size)
		s->cursor_bytes = s->setup.ops.cursor_size(s);
	r = share_states(s, from->state);
	if (r == 0)
		r = build_table(s, from->old);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

int snapshot_add_cursor(struct lb_snapshot *s, size_t i)
{
	s->cursor[i] = line_alloc(s->cursor_bytes);
	return s->cursor[i] ? 0 : -ENOMEM;
}

void snapshot_free(struct lb_snapshot *s)
{
	if (!s)
		return;
	let_go_of_states(s);
	for (size_t i = 0; i < s->n_known; i++) {
		s->at[i].server->shown -= i < s->n;
		server_unref(s->ledger, s->at[i].server);
	}
	for (size_t i = 0; i < LB_PICKERS_MAX; i++)
		line_free(s->cursor[i]);
	list_remove(&s->in_list);
	line_free(s->table);
	mem_free(s->index);
	mem_free(s->at);
	mem_free(s);
}
