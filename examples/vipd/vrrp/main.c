/* SPDX-License-Identifier: MIT */
/*
 * The process that speaks VRRP. It has no capability: its sockets come from the kernel process, which
 * also holds the addresses for it. Once it has begun it never waits for anybody.
 */
#include <errno.h>
#include <link.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth.h"
#include "log.h"
#include "schedule.h"
#include "vrrp/vrrp.h"

#define MESSAGES_PER_TURN 1024
#define PUBLISHED_PER_TURN 64
#define REST_NS UINT64_C(500000)  /* a burst of adverts shares a wake-up; far below a skew time */
#define SLACK_NS UINT64_C(100000) /* likewise of adverts that are due */
#define PATIENCE_NS UINT64_C(20000000000) /* for the kernel process, on a machine that is overrun */
#define CALLED_NS UINT64_C(3000000000) /* when the supervisor speaks; below child_wait_time's 5 s */

static void on_kernel(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct vrrp *v = userdata;
	struct msg m;
	int passed;

	for (int i = 0; i < MESSAGES_PER_TURN && msg_receive(fd, &m, &passed) > 0; i++) {
		if (m.type == MSG_SOCKET)
			speakers_on_socket(v, &m, passed);
		else if (passed >= 0)
			close(passed);
		if (m.type == MSG_LINK)
			speakers_on_link(v, &m.link);
		else if (m.type == MSG_SOURCE)
			routers_on_source(v, &m);
		else if (m.type == MSG_HELD)
			routers_on_held(v, &m);
	}
}

/* ---- The end ---- */

static bool goes_on(const struct router *r, enum msg_stop how)
{
	return how == MSG_STOP_RELOAD && r->vrrp->birth->shared->router[r->index].goes_on;
}

/* A group that ends as a whole ends in one step; else those that go on are not moved by those that end. */
static void stop_groups(struct vrrp *v, enum msg_stop how)
{
	for (size_t g = 0; g < v->n_groups; g++) {
		bool whole = true;

		for (size_t i = 0; i < v->n_routers; i++)
			if (v->routers[i].conf->group == v->groups[g].conf)
				whole &= !goes_on(&v->routers[i], how);
		if (whole)
			ha_vrrp_group_stop(v->groups[g].engine, loop_now_ns(v->loop));
		else
			ha_vrrp_group_free(v->groups[g].engine);
	}
}

static void end(struct vrrp *v, enum msg_stop how)
{
	v->ending = true;
	bfds_end(v, how);
	stop_groups(v, how);
	for (size_t i = 0; i < v->n_routers; i++) {
		struct router *r = &v->routers[i];

		router_publish(r);
		if (goes_on(r, how))
			shared_freeze(v->birth->shared, i, r->engine, &r->kept);
		else if (ha_vrrp_state(r->engine) != HA_VRRP_INITIALIZE)
			ha_vrrp_stop(r->engine, loop_now_ns(v->loop));
	}
	loop_stop(v->loop, 0);
}

/* ---- The supervisor ---- */

/* A few at a time, so that no advert waits for a thousand of them. */
static void on_publish(struct loop *l, void *userdata)
{
	const struct msg done = {.type = MSG_STATS};
	struct vrrp *v = userdata;

	for (int i = 0; i < PUBLISHED_PER_TURN && v->published < v->n_routers; i++)
		router_publish(&v->routers[v->published++]);
	if (v->published < v->n_routers) {
		loop_arm(v->publish, loop_now_ns(l));
		return;
	}
	bfds_publish(v);
	msg_send(v->birth->ends.control, &done, -1);
}

static void on_late(void *userdata, uint64_t late_ns)
{
	struct vrrp *v = userdata;
	const struct msg m = {.type = MSG_LATE, .value = (int32_t)(late_ns / 1000000)};

	live_add_late(v->birth->live->late, late_ns);
	if (schedule_is_late(&v->birth->conf->globals.vrrp, loop_now_ns(v->loop), late_ns,
			     &v->late_said_ns))
		msg_send(v->birth->ends.control, &m, -1);
}

static void on_order(struct vrrp *v, const struct msg *m)
{
	switch (m->type) {
	case MSG_STOP:
		end(v, (enum msg_stop)m->value);
		break;
	case MSG_RESYNC:
		speakers_ask_again(v);
		routers_tell_kernel(v, true);
		break;
	case MSG_TRACK:
		if (m->index < v->birth->conf->n_scripts) {
			v->track[m->index] = m->value ? TRACK_OK : TRACK_FAILED;
			tracks_apply(v);
			routers_start_waiting(v);
		}
		break;
	case MSG_WATCH:
		if (m->index < v->birth->conf->n_watches) {
			v->watch[m->index] = m->value;
			tracks_apply(v);
		}
		break;
	case MSG_STATS:
		v->published = 0;
		loop_arm(v->publish, loop_now_ns(v->loop));
		break;
	case MSG_ORDER:
		routers_on_order(v, m);
		break;
	default:
		break;
	}
}

static void on_control(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct vrrp *v = userdata;
	struct msg m;
	int r;

	while ((r = msg_receive(fd, &m, NULL)) > 0 && !v->ending)
		on_order(v, &m);
	if (r < 0 && !v->ending) {
		log_err("the supervisor is gone: resigning");
		end(v, MSG_STOP_RELEASE);
	}
}

static void on_turn_end(struct loop *l, void *userdata)
{
	const struct vrrp *v = userdata;

	shared_alive(v->birth->shared, loop_now_ns(l));
}

static void on_begin(struct loop *l, void *userdata)
{
	routers_start_waiting(userdata);
}

static void on_retry(struct loop *l, void *userdata)
{
	routers_tell_kernel(userdata, false);
}

/* ---- Start ---- */

static bool authenticates(const struct conf *c)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		if (i->auth_ah)
			return true;
	return false;
}

/* The program itself has no name; of the libraries it starts with, VRRP only calls these. */
static bool runs_vrrp(const char *object, const struct conf *c)
{
	return !object[0] || strstr(object, "/libc.so") || strstr(object, "/libha.so") ||
	       (strstr(object, "/libcrypto.so") && authenticates(c));
}

/* Reads a program's or library's pages in, so that a takeover reads no disk. */
static int populate(struct dl_phdr_info *info, size_t size, void *userdata)
{
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;

	if (!runs_vrrp(info->dlpi_name, userdata))
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		uintptr_t from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
		uintptr_t to = from + info->dlpi_phdr[i].p_memsz;

		if (info->dlpi_phdr[i].p_type == PT_LOAD)
			madvise((void *)(from & ~page), (to - (from & ~page) + page) & ~page,
				MADV_POPULATE_READ);
	}
	return 0;
}

/*
 * What is touched stays, and code is touched now. Not all at once: that would make a copy of what the
 * supervisor's memory still shares with us. Without the right to raise the limit, allocation would fail
 * after the privilege is gone: then *raised is false, and lock_rest is for what set_up made.
 */
static void lock_memory(const struct birth *b, bool *raised)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	*raised = setrlimit(RLIMIT_MEMLOCK, &all) == 0;
	if (mlockall(MCL_CURRENT | MCL_ONFAULT | (*raised ? MCL_FUTURE : 0)) < 0)
		log_debug("cannot lock memory: %s", strerror(errno));
	dl_iterate_phdr(populate, (void *)(uintptr_t)b->conf);
}

static void lock_rest(bool raised)
{
	if (!raised && mlockall(MCL_CURRENT | MCL_ONFAULT) < 0)
		log_debug("cannot lock memory: %s", strerror(errno));
}

/*
 * Above all ordinary work, unless the file says 0: what is late here looks like a dead node to the others. It
 * never waits nor loops for long, and the kernel leaves others their share of a real-time process.
 */
static void be_punctual(const struct birth *b)
{
	int said = b->conf->globals.vrrp.rt_priority;
	const struct sched_param p = {.sched_priority = said == CONF_UNSET ? 1 : said};

	prctl(PR_SET_TIMERSLACK, 1UL); /* the default is 50 us */
	if (p.sched_priority && sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p) < 0)
		log_msg(said == CONF_UNSET ? LOG_DEBUG : LOG_WARNING, "vrrp_rt_priority: %s",
			strerror(errno));
}

/* Its sockets have come, or will not. */
static bool is_answered(const struct router *r)
{
	const struct device *d = device_find(r->vrrp, r->conf->interface);

	return r->linked || r->speaker->refused || (d && d->link.name[0] && !d->link.ifindex);
}

/*
 * To stop, perhaps; or the kernel process is another one, and an answer was lost with its predecessor. What a
 * tracker found, which comes right after the start, is no call: it counts when all have begun.
 */
static bool is_called(const struct vrrp *v)
{
	struct msg m;
	ssize_t n = recv(v->birth->ends.control, &m, sizeof(m), MSG_PEEK | MSG_DONTWAIT);

	if (n == (ssize_t)sizeof(m))
		return m.type != MSG_TRACK && m.type != MSG_WATCH;
	return n >= 0 || errno != EAGAIN;
}

/*
 * Interfaces and sockets first: a router that goes on as Active must be able to speak at once, and one
 * that begins is in FAULT when its interface is, not when we do not know it yet.
 */
static void wait_for_sockets(struct vrrp *v)
{
	const uint64_t began = loop_clock_ns();
	size_t answered = 0;

	for (;;) {
		uint64_t patience = is_called(v) ? CALLED_NS : PATIENCE_NS;

		on_kernel(v->loop, v->birth->ends.kernel, 0, v);
		while (answered < v->n_routers && is_answered(&v->routers[answered]))
			answered++;
		if (answered == v->n_routers || loop_clock_ns() - began > patience)
			return;
		usleep(500);
	}
}

static int set_up(struct vrrp *v)
{
	const struct msg again = {.type = MSG_RESYNC};
	int r = loop_new(&v->loop);

	if (r >= 0) {
		loop_set_rest_ns(v->loop, REST_NS);
		loop_set_slack_ns(v->loop, SLACK_NS);
		loop_set_turn_end(v->loop, on_turn_end, v);
		loop_watch_late(v->loop, on_late, v);
	}
	v->track = calloc(v->birth->conf->n_scripts + 1, 1);
	v->watch = calloc(v->birth->conf->n_watches + 1, sizeof(*v->watch));
	if (!v->track || !v->watch)
		return -ENOMEM;
	memcpy(v->watch, v->birth->watches, v->birth->conf->n_watches * sizeof(*v->watch));
	memcpy(v->track, v->birth->tracks, v->birth->conf->n_scripts);
	if (r >= 0)
		r = loop_add_timer(v->loop, on_retry, v, &v->retry);
	if (r >= 0)
		r = loop_add_timer(v->loop, on_begin, v, &v->begin);
	if (r >= 0)
		r = loop_add_timer(v->loop, on_publish, v, &v->publish);
	if (r >= 0)
		r = routers_init(v);
	if (r >= 0)
		r = speakers_init(v);
	if (r >= 0)
		r = bfds_init(v);
	if (r >= 0)
		r = loop_add_fd(v->loop, v->birth->ends.control, EPOLLIN, on_control, v, NULL);
	if (r >= 0)
		r = loop_add_fd(v->loop, v->birth->ends.kernel, EPOLLIN, on_kernel, v, NULL);
	if (r >= 0)
		r = msg_send(v->birth->ends.kernel, &again, -1);
	return r;
}

int vrrp_main(const struct birth *b)
{
	struct vrrp v = {.birth = b};
	bool raised;
	int r;

	shared_leave_checks(b->shared);
	live_leave_checks(b->live);
	live_leave_traffic(b->live);
	weights_leave_wanted(b->weights);
	weights_leave_held(b->weights);
	be_punctual(b);
	schedule_apply(&b->conf->globals.vrrp, "vrrp");
	auth_prepare(b->conf);
	lock_memory(b, &raised);
	r = set_up(&v);
	lock_rest(raised);
	if (r >= 0)
		r = process_drop(0, b->user);
	if (r < 0) {
		log_err("cannot start: %s", strerror(-r));
		return EXIT_FATAL;
	}
	wait_for_sockets(&v);
	tracks_apply(&v);
	routers_start(&v);
	tracks_apply(&v); /* a predecessor's priority may be of yesterday */
	r = loop_run(v.loop);
	if (r >= 0 && v.ending && !v.bfds) /* BFD's ports are free when this process is gone */
		process_say_left(b);
	return r < 0 ? EXIT_FATAL : 0;
}
