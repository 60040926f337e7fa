/* SPDX-License-Identifier: MIT */
/*
 * The process that checks real servers. It has no capability: it says to the kernel process which
 * of the configured servers are in use, by number, and to the supervisor what changed.
 */
#include "health/health.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"
#include "schedule.h"

/* Checks due within it start together: one wake-up for all. */
#define CHECK_SLACK_NS 20000000u

/* ---- The supervisor ---- */

static void take_order(struct health *h, const struct msg *m)
{
	struct virtual_state *v = &h->virtuals[m->index];
	const struct order_real order = {.admin = (uint8_t)m->value, .weight = m->extra};

	v->state[m->index2].order = order;
	v->real[m->index2].admin = order.admin;
	v->real[m->index2].weight = health_weight_of(&v->state[m->index2]);
	health_recount(v);
}

static void check_now(struct health *h, const struct msg *m)
{
	const struct virtual_state *v = &h->virtuals[m->index];

	for (size_t i = v->first_probe; i < v->first_probe + v->n_probes; i++)
		if (h->probes[i].real == m->index2 && h->probes[i].leader->check)
			health_check_run_now(h->probes[i].leader->check);
}

static void on_order(struct health *h, const struct msg *m)
{
	if (m->index >= h->n_virtuals || m->index2 >= h->virtuals[m->index].conf->n_reals)
		return;
	if (m->type == MSG_CHECK)
		check_now(h, m);
	else if (m->value >= 0 && m->value < N_ORDER_ADMIN)
		take_order(h, m);
}

/* A successor goes on where these checks stand. */
static void freeze(const struct health *h)
{
	uint64_t now = loop_clock_ns();

	for (size_t i = 0; i < h->n_probes; i++)
		if (h->probes[i].leader->check)
			shared_freeze_check(h->birth->shared, i, h->probes[i].leader->check, now);
}

static void on_control(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct health *h = userdata;
	struct msg m;
	int r;

	while ((r = msg_receive(fd, &m, NULL)) > 0) {
		if (m.type == MSG_STOP && m.value == MSG_STOP_RELOAD)
			freeze(h);
		if (m.type == MSG_STOP)
			loop_stop(l, 0);
		else if (m.type == MSG_RESYNC)
			health_tell_all(h);
		else if (m.type == MSG_ORDER || m.type == MSG_CHECK)
			on_order(h, &m);
		else if (m.type == MSG_WATCH)
			health_on_watch(h, m.index, m.value);
		else if (m.type == MSG_TRACK && m.index < h->birth->conf->n_misc &&
			 h->misc[m.index])
			health_on_misc(h->misc[m.index], m.value == 1, m.extra);
	}
	if (r < 0)
		loop_stop(l, 0); /* the supervisor is gone */
}

void health_set_suspended(struct health *h, uint32_t index, bool suspended)
{
	const struct virtual_state *v = &h->virtuals[index];

	for (size_t i = 0; i < v->n_probes; i++) {
		struct probe *p = &h->probes[v->first_probe + i];
		const struct msg m = {.type = MSG_PAUSE,
				      .index = p->conf->misc ? p->conf->misc->index : 0,
				      .value = suspended};

		if (p->conf->misc)
			msg_send_wait(h->birth->ends.control, &m);
		if (!p->check)
			continue;
		health_check_set_paused(p->check, suspended);
		if (!suspended)
			health_check_run_now(p->check);
		for (const struct probe *q = p; q; q = q->next)
			health_write_live(q, p->check);
	}
	log_info("virtual server %s: checks %s", v->conf->name,
		 suspended ? "rest: its address is not on this host" : "go on");
}

static void on_late(void *userdata, uint64_t late_ns)
{
	struct health *h = userdata;

	const struct msg m = {.type = MSG_LATE, .value = (int32_t)(late_ns / 1000000)};

	if (schedule_is_late(&h->birth->conf->globals.checker, loop_now_ns(h->loop), late_ns,
			     &h->late_said_ns))
		msg_send(h->birth->ends.control, &m, -1);
}

static void on_turn_end(struct loop *l, void *userdata)
{
	health_tell_waiting(userdata);
}

LOOP_JOINS(health_engine)

static int set_up(struct health *h)
{
	const struct health_engine_ops ops = {
	    .size = sizeof(ops),
	    .result = health_on_result,
	    .transition = health_on_transition,
	    .open_socket = health_wants_sockets(h->birth->conf) ? health_open_socket : NULL};
	struct health_engine_opts o = {.size = sizeof(o),
				       .ops = &ops,
				       .userdata = h,
				       .seed = (uint64_t)getpid() ^ loop_clock_ns(),
				       .slack_ns = CHECK_SLACK_NS};
	int r = loop_new(&h->loop);

	if (r >= 0)
		r = health_engine_new(&o, &h->engine);
	if (r >= 0)
		r = health_make_all(h);
	if (r < 0)
		return r;
	if (h->birth->conf->globals.checker.auto_priority)
		loop_watch_late(h->loop, on_late, h);
	loop_set_turn_end(h->loop, on_turn_end, h);
	health_tell_all(h);
	r = health_start_checks(h);
	if (r < 0)
		return r;
	r = health_engine_join(h->engine, "checks", h->loop, NULL);
	if (r >= 0)
		r = loop_add_fd(h->loop, h->birth->ends.control, EPOLLIN, on_control, h, NULL);
	if (r >= 0)
		r = health_suspend_start(h);
	return r;
}

int health_main(const struct birth *b)
{
	struct health h = {.birth = b};
	int r;

	shared_leave_routers(b->shared);
	live_leave_routers(b->live);
	live_leave_traffic(b->live);
	weights_leave_held(b->weights);
	schedule_apply(&b->conf->globals.checker, "checker");
	r = tls_contexts_new(b->conf, &h.tls); /* keys are root's */
	if (r >= 0)
		r = health_suspend_prepare(&h);
	if (r >= 0)
		r = process_drop(0, b->user);
	if (r >= 0)
		r = set_up(&h);
	if (r < 0) {
		log_err("cannot start: %s", strerror(-r));
		return EXIT_FATAL;
	}
	r = loop_run(h.loop);
	if (r >= 0)
		process_say_left(b);
	return r < 0 ? EXIT_FATAL : 0;
}
