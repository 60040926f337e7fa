/* SPDX-License-Identifier: MIT */
/* The engines: what the configuration makes of them, and what they cause. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "log.h"
#include "model.h"
#include "vrrp/vrrp.h"

#define SECOND_NS UINT64_C(1000000000)
#define QUIET_NS (60 * SECOND_NS) /* a line that repeats is said once a minute */
#define MAX_AGAIN 6		  /* addresses that cannot be set are tried after 1, 2, 4 .. 64 s */

static void freeze(struct router *r)
{
	shared_freeze(r->vrrp->birth->shared, r->index, r->engine, &r->kept);
}

/* ---- What the engine asks for ---- */

static int on_send(struct ha_vrrp *e, const struct ha_ip *to, const void *advert, size_t len,
		   void *userdata)
{
	struct router *r = userdata;

	if (!r->linked)
		return -ENETDOWN;
	freeze(r);
	if (sends_from_vmac(r->conf)) {
		uint8_t mac[6];

		vmac_of(r->conf, r->conf->vmac, mac);
		return ha_vrrp_link_send_from(r->speaker->link, e, mac, to, advert, len);
	}
	return ha_vrrp_link_send(r->speaker->link, e, to, advert, len);
}

static void tell_kernel(struct router *r)
{
	const struct msg m = {.type = MSG_HOLD, .index = r->index, .value = r->up};

	r->told = msg_send(r->vrrp->birth->ends.kernel, &m, -1) >= 0;
	if (!r->told)
		loop_arm(r->vrrp->retry, loop_now_ns(r->vrrp->loop) + SECOND_NS / 100);
}

void routers_tell_kernel(struct vrrp *v, bool all)
{
	for (size_t i = 0; i < v->n_routers; i++)
		if (all || !v->routers[i].told)
			tell_kernel(&v->routers[i]);
}

static void on_addresses(struct ha_vrrp *e, bool up, bool accept, void *userdata)
{
	struct router *r = userdata;

	r->up = up;
	r->awaits = up;
	r->announce = 0;
	if (up || !r->vrrp->ending || !r->vrrp->birth->options->keep_addresses)
		tell_kernel(r);
}

/* The neighbours are told when the addresses are there, not before. */
static void on_announce(struct ha_vrrp *e, unsigned repeat, void *userdata)
{
	struct router *r = userdata;

	if (r->awaits)
		r->announce = repeat;
	else
		router_announce(r, repeat);
}

static void tell_state(struct router *r)
{
	struct msg m;

	memset(&m, 0, sizeof(m)); /* the union is longer than `why` */
	m.type = MSG_STATE;
	m.index = r->index;
	m.value = (int32_t)r->why.to;
	m.extra = (int32_t)r->why.priority;
	m.why = r->why;
	r->state_waits = false;
	if (msg_send(r->vrrp->birth->ends.control, &m, -1) < 0)
		log_err("(%s) the supervisor does not listen: a script is lost", r->conf->name);
}

static struct why why_of(const struct router *r, const struct ha_vrrp_change *c)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	ha_vrrp_status(r->engine, &s);
	return (struct why){.from = c->from,
			    .to = c->to,
			    .reason = c->reason,
			    .faults = s.faults,
			    .priority = s.priority,
			    .peer = c->peer,
			    .peer_priority = c->peer_priority,
			    .down_ns = s.down_ns};
}

void router_publish(struct router *r)
{
	live_write_router(&r->vrrp->birth->live->router[r->index], r->engine, r->base);
}

static void on_again(struct loop *l, void *userdata)
{
	struct router *r = userdata;

	ha_vrrp_set_fault(r->engine, loop_now_ns(l), HA_VRRP_FAULT_ADDRESS, false);
}

/* In Fault because of its addresses: ever later, so that a hopeless one does not flap. */
static void try_again_later(struct router *r)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};

	ha_vrrp_status(r->engine, &s);
	if (!(s.faults & HA_VRRP_FAULT_ADDRESS))
		return;
	if (!r->again && loop_add_timer(r->vrrp->loop, on_again, r, &r->again) < 0)
		return;
	loop_arm(r->again, loop_now_ns(r->vrrp->loop) + (SECOND_NS << r->tries));
	r->tries += r->tries < MAX_AGAIN;
}

static void hold(struct router *r, bool on)
{
	r->hold_waits = false;
	ha_vrrp_set_fault(r->engine, loop_now_ns(r->vrrp->loop), FAULT_ADMIN, on);
}

static void on_changed(struct ha_vrrp *e, const struct ha_vrrp_change *c, void *userdata)
{
	struct router *r = userdata;
	char text[256] = "";

	r->why = why_of(r, c);
	why_text(&r->why, text, sizeof(text));
	/* keepalived's line, which monitoring looks for, and the reason. */
	log_notice("(%s) Entering %s STATE, was %s: %s", r->conf->name, why_state(c->to),
		   why_state(c->from), text);
	freeze(r);
	router_publish(r);
	if (r->hold_waits && c->from == HA_VRRP_ACTIVE)
		hold(r, true);
	if (c->to == HA_VRRP_FAULT)
		try_again_later(r);
	if (c->to == HA_VRRP_ACTIVE)
		router_announce_extra(r);
	if (r->awaits)
		r->state_waits = true;
	else
		tell_state(r);
}

/* After its members, which wait for their addresses: its scripts may need them. */
static void tell_group(struct sync_group *g)
{
	const struct msg m = {
	    .type = MSG_GROUP, .index = g->index, .value = (int32_t)g->state, .extra = g->goes_on};

	for (size_t i = 0; i < g->vrrp->n_routers; i++)
		if (g->vrrp->routers[i].conf->group == g->conf && g->vrrp->routers[i].state_waits)
			return;
	g->state_waits = false;
	if (msg_send(g->vrrp->birth->ends.control, &m, -1) < 0)
		log_err("group %s: the supervisor does not listen: a script is lost",
			g->conf->name);
}

void routers_on_held(struct vrrp *v, const struct msg *m)
{
	struct router *r = m->index < v->n_routers ? &v->routers[m->index] : NULL;
	unsigned repeat;

	if (!r)
		return;
	ha_vrrp_set_held(r->engine, loop_now_ns(v->loop), m->extra >= 0);
	if (m->extra < 0)
		return;
	r->tries = 0;
	/* A Master that went on after a reload: with new addresses. */
	if (!r->awaits && m->index2)
		ha_vrrp_announce(r->engine, loop_now_ns(v->loop));
	if (!r->awaits)
		return;
	r->awaits = false;
	repeat = r->announce;
	r->announce = 0;
	if (repeat)
		router_announce(r, repeat);
	if (r->state_waits)
		tell_state(r);
	for (size_t g = 0; g < v->n_groups; g++)
		if (v->groups[g].conf == r->conf->group && v->groups[g].state_waits)
			tell_group(&v->groups[g]);
}

/* ---- What it wants to be said ---- */

static bool is_quiet(const struct router *r, uint64_t *until_ns)
{
	uint64_t now = loop_now_ns(r->vrrp->loop);

	if (now < *until_ns)
		return true;
	*until_ns = now + QUIET_NS;
	return false;
}

static void on_dropped(struct ha_vrrp *e, enum ha_vrrp_drop reason, const struct ha_vrrp_meta *m,
		       void *userdata)
{
	struct router *r = userdata;
	const char *remedy = why_dropped(reason);
	char from[HA_IP_TEXT_SIZE] = "?";

	if (reason == HA_VRRP_DROP_NOT_RUNNING || is_quiet(r, &r->dropped_quiet_until_ns))
		return;
	ha_ip_format(&m->source, from, sizeof(from));
	log_warn("(%s) dropped an advert of %s: %s%s%s (said once a minute)", r->conf->name, from,
		 ha_vrrp_drop_name(reason), remedy ? ": " : "", remedy ? remedy : "");
}

/* For notify_master_rx_lower_pri; a script, so not as often as somebody else likes. */
static void tell_lower(struct router *r)
{
	struct ha_vrrp_status s = {.size = sizeof(s)};
	uint64_t now = loop_now_ns(r->vrrp->loop);
	struct msg m = {.type = MSG_RX_LOWER, .index = r->index};

	if (now < r->lower_quiet_until_ns)
		return;
	r->lower_quiet_until_ns = now + SECOND_NS;
	ha_vrrp_status(r->engine, &s);
	m.value = (int32_t)s.priority;
	msg_send(r->vrrp->birth->ends.control, &m, -1);
}

static void on_remark(struct ha_vrrp *e, enum ha_vrrp_remark what, const struct ha_vrrp_meta *m,
		      void *userdata)
{
	struct router *r = userdata;
	const char *text = why_remark(what);
	char from[HA_IP_TEXT_SIZE] = "";
	/* Who is late is late for all: one of them says so. */
	uint64_t *quiet_until_ns =
	    what == HA_VRRP_REMARK_LATE ? &r->vrrp->late_quiet_until_ns : &r->quiet_until_ns[what];

	const struct msg tell = {.type = MSG_REMARK, .index = r->index, .value = (int32_t)what};

	if (what == HA_VRRP_REMARK_LATE)
		freeze(r); /* it may listen first, and sends nothing */
	if (what == HA_VRRP_REMARK_NO_HEIR)
		r->hold_waits = false;
	if (what == HA_VRRP_REMARK_LOSING_ADVERT)
		tell_lower(r);
	if (!text || (what != HA_VRRP_REMARK_NO_HEIR && is_quiet(r, quiet_until_ns)))
		return;
	msg_send(r->vrrp->birth->ends.control, &tell, -1);
	if (m)
		ha_ip_format(&m->source, from, sizeof(from));
	log_warn("(%s) %s%s%s%s", r->conf->name, from, *from ? ": " : "", text,
		 what == HA_VRRP_REMARK_NO_HEIR ? "" : " (said once a minute)");
}

/* ---- Life ---- */

static const struct ha_vrrp_ops ops = {
    .size = sizeof(ops),
    .send = on_send,
    .addresses = on_addresses,
    .announce = on_announce,
    .changed = on_changed,
    .dropped = on_dropped,
    .remark = on_remark,
    .hmac = auth_hmac,
};

/* Of most routers there is nothing to add, and they are many. */
static bool set_base(struct router *r, const struct live_counters *base)
{
	if (!r->base)
		r->base = malloc(sizeof(*r->base));
	if (r->base)
		*r->base = *base;
	return r->base;
}

static int make_router(struct vrrp *v, const struct conf_instance *i)
{
	struct live_counters base;
	struct router *r = &v->routers[v->n_routers];
	struct model_vrrp m;
	int e;

	*r = (struct router){.vrrp = v, .conf = i, .index = (uint32_t)v->n_routers, .told = true};
	model_vrrp(i, &m);
	e = ha_vrrp_new(&m.opts, &ops, r, &r->engine);
	if (e < 0) {
		log_err("(%s) %s", i->name, strerror(-e));
		return e;
	}
	v->n_routers++;
	if (live_base(&v->birth->live->router[r->index], &base) && !set_base(r, &base))
		return -ENOMEM;
	return ha_vrrp_set_fault(r->engine, loop_now_ns(v->loop),
				 FAULT_INTERFACE | FAULT_SOCKET |
				     (i->fault_no_peer && !i->n_peers ? FAULT_PEER : 0) |
				     (v->birth->orders->hold[r->index] ? FAULT_ADMIN : 0),
				 true);
}

static void on_group_changed(struct ha_vrrp_group *e, enum ha_vrrp_state from,
			     enum ha_vrrp_state to, void *userdata)
{
	struct sync_group *g = userdata;

	/* as keepalived says it */
	log_notice("VRRP_Group(%s) Syncing instances to %s state, was %s", g->conf->name,
		   why_state(to), why_state(from));
	g->goes_on = false;
	g->state = to;
	g->state_waits = true;
	tell_group(g);
}

static int make_group(struct vrrp *v, const struct conf_group *c)
{
	const struct ha_vrrp_group_ops group_ops = {.size = sizeof(group_ops),
						    .changed = on_group_changed};
	struct sync_group *g = &v->groups[v->n_groups];
	int e;

	*g = (struct sync_group){.vrrp = v, .conf = c, .index = (uint32_t)v->n_groups};
	e = ha_vrrp_group_new(&group_ops, g, &g->engine);
	if (e < 0)
		return e;
	v->n_groups++;
	for (size_t i = 0; i < v->n_routers; i++) {
		if (v->routers[i].conf->group != c)
			continue;
		e = ha_vrrp_group_add(g->engine, v->routers[i].engine);
		if (e < 0)
			log_err("group %s: %s: %s", c->name, v->routers[i].conf->name,
				strerror(-e));
	}
	return 0;
}

int routers_init(struct vrrp *v)
{
	const struct conf *c = v->birth->conf;
	int e = 0;

	v->routers = calloc(c->n_instances + 1, sizeof(*v->routers));
	v->groups = calloc(c->n_groups + 1, sizeof(*v->groups));
	if (!v->routers || !v->groups)
		return -ENOMEM;
	for (const struct conf_instance *i = c->instances; i && e >= 0; i = i->next)
		e = make_router(v, i);
	for (const struct conf_group *g = c->groups; g && e >= 0; g = g->next)
		e = make_group(v, g);
	return e;
}

/* The engine has its sockets: nothing but its interface keeps it from running. */
void router_join(struct router *r)
{
	int e = ha_vrrp_link_add(r->speaker->link, r->engine);

	if (e < 0) {
		log_err("(%s) %s", r->conf->name, strerror(-e));
		return;
	}
	r->linked = true;
	ha_vrrp_set_fault(r->engine, loop_now_ns(r->vrrp->loop), FAULT_SOCKET, false);
}

/* A MASTER resigns by the sockets that it leaves: an interface that was renamed still has a wire. */
void router_leave(struct router *r)
{
	ha_vrrp_set_fault(r->engine, loop_now_ns(r->vrrp->loop), FAULT_SOCKET, true);
	if (r->linked)
		ha_vrrp_link_remove(r->speaker->link, r->engine);
	r->linked = false;
}

static void thaw(struct router *r, uint64_t now)
{
	int e =
	    shared_thaw(r->vrrp->birth->shared, r->index, r->engine, now, r->vrrp->birth->fresh);

	if (e >= 0)
		log_info("(%s) goes on as %s", r->conf->name, why_state(ha_vrrp_state(r->engine)));
	else if (e != -ENODATA)
		log_warn("(%s) cannot go on where it was: %s", r->conf->name, strerror(-e));
}

static void start(struct router *r, uint64_t now)
{
	if (!r->waits || !tracks_are_known(r->vrrp, r->conf))
		return;
	r->waits = false;
	ha_vrrp_start(r->engine, now);
}

/* When all its members do. */
static void go_on(struct sync_group *g)
{
	enum ha_vrrp_state state = ha_vrrp_group_state(g->engine);

	if (state == HA_VRRP_INITIALIZE)
		return;
	log_info("VRRP_Group(%s) goes on as %s", g->conf->name, why_state(state));
	g->goes_on = true;
	g->state = state;
	tell_group(g);
}

/* A group begins in one step when all its members can, unless a part of it goes on. */
static void start_group(struct sync_group *g, uint64_t now)
{
	struct vrrp *v = g->vrrp;
	bool whole = true, known = true;

	for (size_t i = 0; i < v->n_routers; i++) {
		if (v->routers[i].conf->group != g->conf)
			continue;
		whole &= v->routers[i].waits;
		known &= tracks_are_known(v, v->routers[i].conf);
	}
	if (whole && !known)
		return;
	if (whole)
		ha_vrrp_group_start(g->engine, now);
	for (size_t i = 0; i < v->n_routers; i++) {
		struct router *r = &v->routers[i];

		if (r->conf->group != g->conf)
			continue;
		if (whole)
			r->waits = false;
		else
			start(r, now);
	}
}

/* As keepalived's: nothing is told of an instance before the scripts it needs have said something. */
void routers_start_waiting(struct vrrp *v)
{
	uint64_t now = loop_now_ns(v->loop);

	if (now < v->birth->begin_ns) {
		loop_arm(v->begin, v->birth->begin_ns);
		return;
	}
	for (size_t g = 0; g < v->n_groups; g++)
		start_group(&v->groups[g], now);
	for (size_t i = 0; i < v->n_routers; i++)
		if (!v->routers[i].conf->group)
			start(&v->routers[i], now);
}

/*
 * A predecessor's Active goes on as it was: no callback runs, so its addresses are asked for here,
 * which adopts them. All others say that they hold nothing: what a crash left behind goes.
 */
void routers_start(struct vrrp *v)
{
	uint64_t now = loop_clock_ns();

	for (size_t i = 0; i < v->n_routers; i++) {
		struct router *r = &v->routers[i];

		thaw(r, now);
		r->waits = ha_vrrp_state(r->engine) == HA_VRRP_INITIALIZE;
	}
	for (size_t g = 0; g < v->n_groups; g++)
		go_on(&v->groups[g]);
	routers_start_waiting(v);
	for (size_t i = 0; i < v->n_routers; i++) {
		struct router *r = &v->routers[i];

		r->up = ha_vrrp_state(r->engine) == HA_VRRP_ACTIVE;
		if (r->up)
			router_announce_extra(r);
		tell_kernel(r);
	}
}

/* ---- Orders of an administrator ---- */

/* With its sync group, which moves as a whole. Nothing happens when it is not MASTER, or hands over already. */
static void hand_over(struct router *r)
{
	uint64_t now = loop_now_ns(r->vrrp->loop);

	for (size_t g = 0; g < r->vrrp->n_groups; g++)
		if (r->vrrp->groups[g].conf == r->conf->group) {
			ha_vrrp_group_hand_over(r->vrrp->groups[g].engine, now);
			return;
		}
	ha_vrrp_hand_over(r->engine, now);
}

void routers_on_order(struct vrrp *v, const struct msg *m)
{
	struct router *r = m->index < v->n_routers ? &v->routers[m->index] : NULL;
	struct live_counters base;

	if (!r)
		return;
	switch (m->value) {
	case ORDER_FAILOVER:
		hand_over(r);
		break;
	case ORDER_HOLD:
		if (!m->extra && ha_vrrp_state(r->engine) == HA_VRRP_ACTIVE) {
			r->hold_waits = true;
			hand_over(r);
		} else {
			hold(r, true);
		}
		break;
	case ORDER_RELEASE:
		hold(r, false);
		break;
	case ORDER_ANNOUNCE:
		ha_vrrp_announce(r->engine, loop_now_ns(v->loop));
		break;
	case ORDER_CLEAR:
		live_clear(r->engine, &base);
		if (!set_base(r, &base))
			log_err("(%s) out of memory: its counters go on", r->conf->name);
		break;
	default:
		break;
	}
}
