/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/hmap.h"
#include "libsched/gcd.h"
#include "libsched/picker.h"
#include "libsched/ramp.h"

bool query_eligible_unusual(const struct lb_query *q, size_t place)
{
	const struct snap_server *e = &q->snap->at[place];

	return e->weight && !snap_full(q->snap, e) && !request_excludes(q->request, e->id);
}

uint32_t snap_active_of_limited(const struct lb_snapshot *s, const struct snap_server *e)
{
	return server_count(s->ledger, snap_server_of(s, e), LB_COUNTER_ACTIVE);
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

/* F5: who has reached his connection limit is not active. HAProxy's backups do not come because of that. */
static bool counts_as_active(const struct snapshot_source *from, const struct lb_server *s)
{
	if (server_verdict(s) != LB_VERDICT_CANDIDATE)
		return false;
	if (s->maxconn && from->setup->opts.flags & LB_GROUP_OVERLOAD)
		return !atomic_load_explicit(&s->overloaded, RELAXED);
	return !s->maxconn || !from->setup->opts.min_active ||
	       server_count(&from->pool->ledger, s, LB_COUNTER_ACTIVE) < s->maxconn;
}

/* The first one that with those before it has min_active usable. */
uint32_t snapshot_open_priority(const struct snapshot_source *from)
{
	const uint32_t min_active = from->setup->opts.min_active ? from->setup->opts.min_active : 1;
	uint32_t usable[LB_PRIORITY_MAX + 1] = {0}, n = 0, p;

	if (!from->n_members)
		return LB_PRIORITY_MAX;
	server_for_each (server, from->pool, from->members)
		if (counts_as_active(from, server))
			usable[server->priority]++;
	for (p = 0; p < LB_PRIORITY_MAX; p++) {
		n += usable[p];
		if (n >= min_active)
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
	    .slot = server->slot,
	    .maxconn = server->maxconn,
	    .weight =
		why == LB_VERDICT_CANDIDATE ? ramp_weight(server, s->setup.ops.flags, clock) : 0,
	    .set_weight = server->weight,
	    .why = (uint8_t)why,
	    .limited = server->was_limited,
	};
	if (place < s->n)
		server->shown++;
	server->refs++;
	id_index_add(&s->index, e->id, (uint32_t)place);
}

static struct ramp_clock clock_of(const struct lb_snapshot *s, const struct snapshot_source *from)
{
	const uint64_t slow_start_ns = s->setup.opts.slow_start_ns;
	uint32_t max = 0;

	if (slow_start_ns)
		server_for_each (server, from->pool, from->members)
			max = server->weight > max ? server->weight : max;
	return (struct ramp_clock){
	    .now_ns = from->now_ns,
	    .slow_start_ns = slow_start_ns,
	    .scale = ramp_scale(slow_start_ns, s->setup.ops.flags, max),
	};
}

static bool in_a_row(const struct snap_server *e, uint32_t step)
{
	for (size_t i = 1; i < LINE_PLACES; i++)
		if (e[i].slot != e[i - 1].slot + step)
			return false;
	return true;
}

static void find_rows(struct lb_snapshot *s)
{
	for (struct snap_server *e = s->at; e + LINE_PLACES <= s->at + s->n; e += LINE_PLACES) {
		e->ascend = in_a_row(e, 1);
		e->descend = in_a_row(e, UINT32_MAX);
	}
}

static void show_members(struct lb_snapshot *s, const struct snapshot_source *from)
{
	bool newest_first = s->setup.ops.flags & LB_ALGO_NEWEST_FIRST;
	const struct ramp_clock clock = clock_of(s, from);
	uint32_t open = snapshot_open_priority(from);
	size_t k = 0;

	s->open_priority = open;
	s->weight_scale = clock.scale;
	server_for_each (server, from->pool, from->members) {
		enum lb_verdict why = server_verdict(server);
		size_t place = newest_first ? s->n - 1 - k : k;

		if (server->weight)
			server->last_weight = server->weight;
		if (why == LB_VERDICT_CANDIDATE && server->priority > open)
			why = LB_VERDICT_STANDBY;
		show(s, place, server, why, &clock);
		s->has_limits |= s->at[place].limited;
		s->n_usable += why == LB_VERDICT_CANDIDATE;
		s->total_weight += s->at[place].weight;
		if (s->weight_gcd != 1)
			s->weight_gcd = gcd(s->weight_gcd, s->at[place].weight);
		if (s->max_weight < s->at[place].weight)
			s->max_weight = s->at[place].weight;
		k++;
	}
	find_rows(s);
}

static void show_removed(struct lb_snapshot *s, const struct snapshot_source *from)
{
	size_t place = s->n;

	server_for_each (server, from->pool, from->removed)
		show(s, place++, server, LB_VERDICT_OFFLINE, NULL);
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
		s->server_state[i] = state_ref(&snap_server_of(s, &s->at[i])->algo_state,
					       s->setup.serial, ops->server_bytes);
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
	s->salt = hmap_mix(s->setup.opts.seed + 1);
	s->pool = from->pool;
	s->ledger = &from->pool->ledger;
	s->generation = from->generation;
	s->at = mem_array(from->n_members + from->n_removed + 1, sizeof(*s->at));
	if (!s->at) {
		snapshot_free(s);
		return -ENOMEM;
	}
	r = id_index_init(&s->index, from->n_members + from->n_removed);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	s->n = from->n_members;
	s->n_known = from->n_members + from->n_removed;
	show_members(s, from);
	show_removed(s, from);
	r = share_states(s, from->state);
	if (r == 0)
		r = build_table(s, from->old);
	if (r < 0) {
		snapshot_free(s);
		return r;
	}
	s->usual = picker_usual;
	if (s->setup.usual && s->n_usable && !s->has_limits) {
		s->usual = s->setup.usual->pick;
		s->burst = s->setup.usual->burst;
	}
	if (s->setup.ops.cursor_size)
		s->cursor_bytes = s->setup.ops.cursor_size(s);
	*ret = s;
	return 0;
}

int snapshot_add_cursor(struct lb_snapshot *s, size_t i)
{
	void ***chunk = &s->cursor[i / CURSOR_CHUNK];

	if (!*chunk)
		*chunk = mem_array(CURSOR_CHUNK, sizeof(**chunk));
	if (!*chunk)
		return -ENOMEM;
	(*chunk)[i % CURSOR_CHUNK] = line_alloc(s->cursor_bytes);
	return snapshot_cursor(s, i) ? 0 : -ENOMEM;
}

void snapshot_drop_cursor(struct lb_snapshot *s, size_t i)
{
	line_free(snapshot_cursor(s, i));
	s->cursor[i / CURSOR_CHUNK][i % CURSOR_CHUNK] = NULL;
}

void snapshot_free(struct lb_snapshot *s)
{
	if (!s)
		return;
	let_go_of_states(s);
	for (size_t i = 0; i < s->n_known; i++) {
		struct lb_server *server = snap_server_of(s, &s->at[i]);

		if (i < s->n)
			server->shown--;
		server_unref(s->pool, server);
	}
	for (size_t i = 0; i < LB_PICKERS_MAX / CURSOR_CHUNK; i++) {
		for (size_t k = 0; s->cursor[i] && k < CURSOR_CHUNK; k++)
			line_free(s->cursor[i][k]);
		mem_free(s->cursor[i]);
	}
	list_remove(&s->in_list);
	line_free(s->table);
	id_index_fini(&s->index);
	mem_free(s->at);
	mem_free(s);
}
