/* SPDX-License-Identifier: MIT */
/*
 * Sync groups: all members Active, or none. After every event of a member the group settles: one
 * fault puts all in Fault; when all are Active or ready the ready ones become Active; otherwise
 * nobody stays Active. A member that would be Active alone waits in Backup, ready, without a timer.
 */
#include "vrrp/object.h"

#include <assert.h>
#include <errno.h>

#include "base/mem.h"
#include "base/sized.h"

struct ha_vrrp_group {
	struct ha_vrrp_group_ops ops;
	void *userdata;
	struct list members;
	size_t n;
	enum ha_vrrp_state state; /* as last told */
	struct vrrp_queue queue;
};

static struct ha_vrrp *member_of(struct list *node)
{
	return container_of(node, struct ha_vrrp, in_group);
}

int ha_vrrp_group_new(const struct ha_vrrp_group_ops *ops, void *userdata,
		      struct ha_vrrp_group **ret)
{
	struct ha_vrrp_group *g;
	int r = 0;

	if (!ret)
		return -EINVAL;
	g = mem_zalloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	if (ops)
		r = sized_in(&g->ops, sizeof(g->ops), ops);
	if (r < 0) {
		mem_free(g);
		return r;
	}
	g->userdata = userdata;
	list_init(&g->members);
	*ret = g;
	return 0;
}

void ha_vrrp_group_free(struct ha_vrrp_group *g)
{
	struct list *i, *next;

	if (!g)
		return;
	assert(!g->queue.busy);
	list_for_each_safe (i, next, &g->members)
		vrrp_group_leave(member_of(i));
	mem_free(g->queue.lasting);
	mem_free(g);
}

int ha_vrrp_group_add(struct ha_vrrp_group *g, struct ha_vrrp *v)
{
	struct vrrp_action *at;
	size_t cap;

	if (!g || !v)
		return -EINVAL;
	if (v->group)
		return -EALREADY;
	if (g->queue.busy || v->queue->busy)
		return -EBUSY;
	if (v->state != HA_VRRP_INITIALIZE)
		return -EINVAL;
	if (g->n >= HA_VRRP_MAX_GROUP)
		return -ENOSPC;
	cap = VRRP_QUEUE_SIZE(g->n + 1);
	at = mem_regrow(g->queue.lasting, cap, sizeof(*at));
	if (!at)
		return -ENOMEM;
	g->queue.at = g->queue.lasting = at;
	g->queue.cap = cap;
	g->n++;
	list_add_tail(&g->members, &v->in_group);
	v->group = g;
	v->queue = &g->queue;
	return 0;
}

/* No time is known here: what a member can do now it does at its next tick, due at once. */
static void wake(struct ha_vrrp *v)
{
	if (v->ready || (v->state == HA_VRRP_FAULT && !v->faults)) {
		v->timer = VRRP_TIMER_NOW;
		v->timer_ns = v->now_ns;
		v->revision++;
	}
	vrrp_rearm(v);
}

static bool any_fault(struct ha_vrrp_group *g)
{
	struct list *i;

	list_for_each (i, &g->members)
		if (member_of(i)->faults & ~HA_VRRP_FAULT_GROUP)
			return true;
	return false;
}

static void mark_fault(struct ha_vrrp *v, bool on)
{
	if (on)
		v->faults |= HA_VRRP_FAULT_GROUP;
	else
		v->faults &= ~HA_VRRP_FAULT_GROUP;
}

void vrrp_group_leave(struct ha_vrrp *v)
{
	struct ha_vrrp_group *g = v->group;
	struct list *i;
	bool fault;

	if (!g)
		return;
	assert(!g->queue.busy);
	list_remove(&v->in_group);
	g->n--;
	v->group = NULL;
	v->queue = &v->own_queue;
	mark_fault(v, false);
	wake(v);
	fault = any_fault(g);
	list_for_each (i, &g->members) {
		mark_fault(member_of(i), fault);
		wake(member_of(i));
	}
}

int ha_vrrp_group_remove(struct ha_vrrp_group *g, struct ha_vrrp *v)
{
	if (!g || !v)
		return -EINVAL;
	if (v->group != g)
		return -ENOENT;
	if (g->queue.busy)
		return -EBUSY;
	vrrp_group_leave(v);
	return 0;
}

static bool is_able(const struct ha_vrrp *v)
{
	return v->state == HA_VRRP_ACTIVE || (v->state == HA_VRRP_BACKUP && v->ready);
}

bool vrrp_group_permits(const struct ha_vrrp *v)
{
	struct list *i;

	if (!v->group)
		return true;
	list_for_each (i, &v->group->members)
		if (member_of(i) != v && !is_able(member_of(i)))
			return false;
	return true;
}

/* None: of several such members all are the first. */
static struct ha_ip first_address(const struct ha_vrrp *v)
{
	return v->opts.n_addresses ? v->opts.addresses[0] : (struct ha_ip){0};
}

/* What every node of the group agrees on without a word: virtual addresses are the same on all. */
bool vrrp_group_is_first(const struct ha_vrrp *v)
{
	struct ha_ip own = first_address(v);
	struct list *i;

	if (!v->group)
		return false;
	list_for_each (i, &v->group->members) {
		struct ha_ip other = first_address(member_of(i));

		if (ha_ip_compare(&other, &own) < 0)
			return false;
	}
	return true;
}

enum ha_vrrp_state ha_vrrp_group_state(const struct ha_vrrp_group *g)
{
	bool initialize = !g->n, fault = false, active = true;

	for (const struct list *i = g->members.next; i != &g->members; i = i->next) {
		const struct ha_vrrp *v = container_of(i, const struct ha_vrrp, in_group);

		initialize |= v->state == HA_VRRP_INITIALIZE;
		fault |= v->state == HA_VRRP_FAULT;
		active &= v->state == HA_VRRP_ACTIVE;
	}
	if (initialize)
		return HA_VRRP_INITIALIZE;
	if (fault)
		return HA_VRRP_FAULT;
	return active ? HA_VRRP_ACTIVE : HA_VRRP_BACKUP;
}

static void settle_faults(struct ha_vrrp_group *g)
{
	bool fault = any_fault(g);
	struct list *i;

	list_for_each (i, &g->members) {
		struct ha_vrrp *v = member_of(i);

		mark_fault(v, fault);
		if (fault && v->state != HA_VRRP_FAULT)
			vrrp_fsm(v, VRRP_EV_FAULT, NULL);
		else if (!fault && v->state == HA_VRRP_FAULT)
			vrrp_fsm(v, VRRP_EV_RECOVER, NULL);
	}
}

static void settle_election(struct ha_vrrp_group *g)
{
	enum vrrp_event event = VRRP_EV_GROUP_ACTIVE;
	struct list *i;

	list_for_each (i, &g->members)
		if (!is_able(member_of(i)))
			event = VRRP_EV_GROUP_BACKUP;
	list_for_each (i, &g->members)
		vrrp_fsm(member_of(i), event, NULL);
}

void vrrp_group_settle(struct ha_vrrp *v)
{
	struct ha_vrrp_group *g = v->group;
	enum ha_vrrp_state state;
	struct vrrp_action *a;
	struct list *i;

	if (!g) {
		vrrp_rearm(v);
		return;
	}
	list_for_each (i, &g->members) /* one clock for all */
		if (member_of(i)->now_ns < v->now_ns)
			member_of(i)->now_ns = v->now_ns;
	settle_faults(g);
	settle_election(g);
	list_for_each (i, &g->members)
		vrrp_rearm(member_of(i));
	state = ha_vrrp_group_state(g);
	if (state == g->state)
		return;
	a = vrrp_push(v, VRRP_GROUP_CHANGED);
	a->group.g = g;
	a->group.from = g->state;
	a->group.to = state;
	g->state = state;
}

/* After a thaw, which calls nobody: what comes next is news to who knew the state before. */
void vrrp_group_note(struct ha_vrrp *v)
{
	if (v->group)
		v->group->state = ha_vrrp_group_state(v->group);
}

void vrrp_group_tell(const struct vrrp_action *a)
{
	struct ha_vrrp_group *g = a->group.g;

	if (g->ops.changed)
		g->ops.changed(g, a->group.from, a->group.to, g->userdata);
}

/* All members take the event before the group settles once. */
static int group_event(struct ha_vrrp_group *g, uint64_t now_ns, enum vrrp_event event)
{
	struct ha_vrrp *v = NULL;
	struct list *i;
	int r;

	if (!g || !g->n)
		return -EINVAL;
	list_for_each (i, &g->members) {
		bool runs = member_of(i)->state != HA_VRRP_INITIALIZE;

		if (runs == (event == VRRP_EV_STARTUP))
			continue;
		v = member_of(i);
	}
	if (!v)
		return -EALREADY;
	r = vrrp_queue_enter(&g->queue, NULL, true);
	if (r < 0)
		return r;
	list_for_each (i, &g->members) {
		if (member_of(i)->now_ns < now_ns)
			member_of(i)->now_ns = now_ns;
		member_of(i)->revision++;
		vrrp_fsm(member_of(i), event, NULL);
	}
	vrrp_group_settle(v);
	vrrp_queue_drain(&g->queue);
	return 0;
}

int ha_vrrp_group_start(struct ha_vrrp_group *g, uint64_t now_ns)
{
	return group_event(g, now_ns, VRRP_EV_STARTUP);
}

int ha_vrrp_group_hand_over(struct ha_vrrp_group *g, uint64_t now_ns)
{
	struct list *i;

	if (!g || !g->n)
		return -EINVAL;
	if (ha_vrrp_group_state(g) != HA_VRRP_ACTIVE)
		return -EALREADY;
	list_for_each (i, &g->members)
		if (member_of(i)->handover_ns)
			return -EALREADY;
	return group_event(g, now_ns, VRRP_EV_HAND_OVER);
}

int ha_vrrp_group_stop(struct ha_vrrp_group *g, uint64_t now_ns)
{
	return group_event(g, now_ns, VRRP_EV_SHUTDOWN);
}
