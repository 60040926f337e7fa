/* SPDX-License-Identifier: MIT */
#include "health_proc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <libhealth/health.h>

#include "log.h"
#include "loop.h"
#include "msg.h"
#include "privilege.h"
#include "quorum.h"

#define NS_PER_MS UINT64_C(1000000)

static const char *const users[] = {"keepalived_script", "nobody", NULL};

/* One check of a real server. It is alive while all of them are up. */
struct check {
	struct real *real;
	const struct conf_check *conf;
	struct health_check *check;
	bool up;
};

struct real {
	struct virtual_server *virtual_server;
	const struct conf_real *conf;
	struct check *check;
	size_t n_checks;
	struct quorum_dest told; /* what the kernel process has heard */
	uint32_t index;
};

struct virtual_server {
	struct health *health;
	const struct conf_virtual *conf;
	struct quorum quorum;
	struct real *real;
	struct quorum_dest sorry_told;
	uint32_t index;
	bool dirty; /* the kernel process has not heard it all */
};

struct health {
	struct loop *loop;
	struct health_engine *engine;
	struct virtual_server *virtual_server;
	uint32_t n;
	int supervisor_fd, kernel_fd;
	struct loop_source *supervisor, *kernel;
	bool commit; /* something was told that is not yet committed */
};

/* ---- Telling the kernel process ---- */

static int tell_dest(struct health *h, const struct virtual_server *v, uint32_t real,
		     struct quorum_dest want, struct quorum_dest *told)
{
	const struct msg m = {.type = MSG_DEST,
			      .dest = {.virtual_server = v->index,
				       .real = real,
				       .present = want.present,
				       .weight = want.weight}};
	int r;

	if (want.present == told->present && want.weight == told->weight)
		return 0;
	r = msg_send(h->kernel_fd, &m, -1);
	if (r < 0)
		return r;
	*told = want;
	h->commit = true;
	return 0;
}

static int tell_virtual_server(struct health *h, struct virtual_server *v)
{
	int r = 0;

	/* Who comes in before who goes out: the service is never empty in between. */
	for (int coming = 1; coming >= 0; coming--) {
		for (size_t i = 0; i < v->quorum.n && !r; i++) {
			struct quorum_dest want = quorum_real_dest(&v->quorum, i);

			if (want.present == coming)
				r = tell_dest(h, v, (uint32_t)i, want, &v->real[i].told);
		}
		if (!r && v->conf->sorry && quorum_sorry_dest(&v->quorum).present == coming)
			r = tell_dest(h, v, MSG_SORRY, quorum_sorry_dest(&v->quorum),
				      &v->sorry_told);
	}
	return r;
}

/* Sends what is new; goes on when there is room again. */
static void flush(struct health *h)
{
	const struct msg commit = {.type = MSG_COMMIT};
	int r = 0;

	if (h->kernel_fd < 0)
		return; /* being restarted: it hears all when it is back */
	for (uint32_t i = 0; i < h->n && !r; i++) {
		struct virtual_server *v = &h->virtual_server[i];

		if (v->dirty)
			r = tell_virtual_server(h, v);
		if (!r)
			v->dirty = false;
	}
	if (!r && h->commit)
		r = msg_send(h->kernel_fd, &commit, -1);
	if (!r)
		h->commit = false;
	loop_set_events(h->kernel, r == -EAGAIN ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (r < 0 && r != -EAGAIN && r != -EPIPE)
		log_err("cannot tell the kernel process: %s", strerror(-r));
}

static void tell_all(struct health *h)
{
	for (uint32_t i = 0; i < h->n; i++) {
		struct virtual_server *v = &h->virtual_server[i];

		v->dirty = true;
		v->sorry_told = (struct quorum_dest){0};
		for (size_t r = 0; r < v->quorum.n; r++)
			v->real[r].told = (struct quorum_dest){0};
	}
	h->commit = true;
	flush(h);
}

/* ---- Judging ---- */

static void report(struct health *h, const struct virtual_server *v, uint32_t real, bool up,
		   bool notify)
{
	const struct msg m = {
	    .type = MSG_HEALTH,
	    .health = {.virtual_server = v->index, .real = real, .up = up, .notify = notify}};

	if (h->supervisor_fd >= 0 && msg_send(h->supervisor_fd, &m, -1) == -EAGAIN)
		log_warn("virtual_server %s: the supervisor is too busy to run its scripts",
			 v->conf->name);
}

static void judge(struct health *h, struct virtual_server *v)
{
	v->dirty = true;
	if (!quorum_judge(&v->quorum))
		return;
	log_notice("virtual_server %s: quorum %s%s", v->conf->name,
		   v->quorum.up ? "gained" : "lost",
		   !v->conf->sorry ? ""
		   : v->quorum.up  ? ", the sorry server goes out"
				   : ", the sorry server comes in");
	report(h, v, MSG_QUORUM, v->quorum.up, true);
}

static bool all_up(const struct real *r)
{
	for (size_t i = 0; i < r->n_checks; i++)
		if (!r->check[i].up)
			return false;
	return true;
}

static void real_text(const struct conf_real *r, char *buf, size_t cap)
{
	char ip[HA_IP_TEXT_SIZE] = "?";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	snprintf(buf, cap, r->ip.family == AF_INET6 ? "[%s]:%u" : "%s:%u", ip, r->port);
}

static void on_transition(struct health_check *c, const struct health_transition *t, void *userdata)
{
	struct check *check = userdata;
	struct real *r = check->real;
	struct virtual_server *v = r->virtual_server;
	struct health_check_status s = {.size = sizeof(s)};
	struct quorum_real *q = &v->quorum.real[r->index];
	char name[HA_IP_TEXT_SIZE + 16];

	check->up = health_state_is_up(t->to);
	health_check_status(c, &s);
	real_text(r->conf, name, sizeof(name));
	log_notice("virtual_server %s: TCP_CHECK of %s %s: %s%s%s", v->conf->name, name,
		   check->up ? "passed" : "failed", health_code_name(t->code), *s.text ? ", " : "",
		   s.text);
	if (q->alive == all_up(r))
		return;
	q->alive = !q->alive;
	log_notice("virtual_server %s: real_server %s is %s", v->conf->name, name,
		   q->alive	? "up"
		   : q->inhibit ? "down: weight 0"
				: "down: removed");
	report(v->health, v, r->index, q->alive, true);
	judge(v->health, v);
	flush(v->health);
}

/* ---- Setting up ---- */

static uint64_t ns(int64_t ms)
{
	return ms > 0 ? (uint64_t)ms * NS_PER_MS : 0;
}

static int add_check(struct health *h, struct check *check, bool up)
{
	const struct conf_check *c = check->conf;
	const struct conf_real *r = check->real->conf;
	struct sockaddr_storage to, from;
	struct health_filter_opts f = {
	    .size = sizeof(f),
	    .rise = 1,
	    .fall = (uint32_t)(c->common.retry > 0 ? c->common.retry : 0) + 1,
	    .start = up ? HEALTH_START_UP : HEALTH_START_DOWN,
	    .interval_ns = ns(c->common.delay_loop_ms),
	    .retry_ns = ns(c->common.delay_before_retry_ms),
	};
	struct health_check_opts o = {
	    .size = sizeof(o),
	    .destination = (const struct sockaddr *)&to,
	    .filter = &f,
	    .device = c->bind_device,
	    .fwmark = c->fwmark > 0 ? (uint32_t)c->fwmark : 0,
	    .timeout_ns = ns(c->common.connect_timeout_ms),
	    .start_within_ns = ns(c->common.warmup_ms),
	    .flags = HEALTH_CHECK_FROM_END | (c->common.warmup_ms ? 0 : HEALTH_CHECK_AT_ONCE),
	};
	ssize_t len =
	    ha_ip_to_sockaddr(c->connect_ip.family ? &c->connect_ip : &r->ip,
			      (uint16_t)(c->connect_port > 0 ? c->connect_port : r->port), 0, &to);

	if (len < 0)
		return (int)len;
	o.destination_len = (socklen_t)len;
	if (c->bind_ip.family) {
		len = ha_ip_to_sockaddr(&c->bind_ip,
					(uint16_t)(c->bind_port > 0 ? c->bind_port : 0), 0, &from);
		if (len < 0)
			return (int)len;
		o.source = (const struct sockaddr *)&from;
		o.source_len = (socklen_t)len;
	}
	check->up = up;
	return health_check_add(h->engine, &o, check, &check->check);
}

static int add_checks(struct health *h, struct real *r, enum health_known known)
{
	size_t n = 0;
	bool alive = true;

	for (const struct conf_check *c = r->conf->checks; c; c = c->next)
		r->n_checks++;
	r->check = calloc(r->n_checks + 1, sizeof(*r->check));
	if (!r->check)
		return -ENOMEM;
	for (const struct conf_check *c = r->conf->checks; c; c = c->next) {
		struct check *check = &r->check[n++];
		bool up = known ? known == HEALTH_KNOWN_ALIVE : c->common.alpha != 1;
		int e;

		*check = (struct check){.real = r, .conf = c};
		e = add_check(h, check, up);
		if (e < 0)
			return e;
		alive = alive && up;
	}
	r->virtual_server->quorum.real[r->index].alive = alive;
	return 0;
}

static int add_virtual_server(struct health *h, struct virtual_server *v, const uint8_t **known)
{
	const struct conf_virtual *c = v->conf;
	struct quorum *q = &v->quorum;
	const struct conf_real *r = c->reals;
	int e = 0;

	v->real = calloc(c->n_reals + 1, sizeof(*v->real));
	q->real = calloc(c->n_reals + 1, sizeof(*q->real));
	if (!v->real || !q->real)
		return -ENOMEM;
	q->quorum = c->quorum > 0 ? (uint32_t)c->quorum : 1;
	q->hysteresis = c->hysteresis > 0 ? (uint32_t)c->hysteresis : 0;
	q->has_sorry = c->sorry != NULL;
	q->sorry_inhibit = c->sorry_inhibit == 1;
	q->sorry_weight = c->sorry && c->sorry->weight > 0 ? (uint32_t)c->sorry->weight : 1;
	for (; r && q->n < c->n_reals && !e; r = r->next) {
		struct real *own = &v->real[q->n];

		*own = (struct real){.virtual_server = v, .conf = r, .index = (uint32_t)q->n};
		q->real[q->n++] = (struct quorum_real){
		    .weight = r->weight > 0 ? (uint32_t)r->weight : 0, .inhibit = r->inhibit == 1};
		e = add_checks(h, own,
			       *known ? (enum health_known) * *known : HEALTH_KNOWN_NOTHING);
		*known += *known != NULL;
	}
	quorum_start(q);
	return e;
}

static int build(struct health *h, const struct health_args *args)
{
	const struct health_engine_ops ops = {.size = sizeof(ops), .transition = on_transition};
	struct health_engine_opts o = {.size = sizeof(o), .ops = &ops};
	const uint8_t *known = args->known;
	int r;

	/* Each node its own seed: the balancers of a pair shall not knock at the same moment. */
	if (getrandom(&o.seed, sizeof(o.seed), 0) < 0)
		return -errno;
	r = health_engine_new(&o, &h->engine);
	if (r < 0)
		return r;
	h->virtual_server = calloc(args->conf->n_virtuals + 1, sizeof(*h->virtual_server));
	if (!h->virtual_server)
		return -ENOMEM;
	for (const struct conf_virtual *c = args->conf->virtuals; c && !r; c = c->next) {
		struct virtual_server *v = &h->virtual_server[h->n];

		*v = (struct virtual_server){.health = h, .conf = c, .index = h->n++};
		r = add_virtual_server(h, v, &known);
	}
	return r;
}

static void destroy(struct health *h)
{
	health_engine_free(h->engine);
	for (uint32_t i = 0; h->virtual_server && i < h->n; i++) {
		struct virtual_server *v = &h->virtual_server[i];

		for (size_t r = 0; v->real && r < v->quorum.n; r++)
			free(v->real[r].check);
		free(v->real);
		free(v->quorum.real);
	}
	free(h->virtual_server);
	loop_free(h->loop);
}

/* ---- Channels ---- */

static void on_kernel(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct health *h = userdata;
	struct msg m;
	int got = -1, r = 0;

	(void)l;
	if (events & (EPOLLIN | EPOLLHUP))
		while ((r = msg_receive(fd, &m, &got)) > 0) /* no answers were asked for */
			if (got >= 0)
				close(got);
	if (r == -EPIPE) {
		loop_remove(h->kernel);
		close(fd);
		h->kernel = NULL;
		h->kernel_fd = -1;
		return;
	}
	flush(h);
}

static int attach_kernel(struct health *h, int fd)
{
	loop_remove(h->kernel);
	if (h->kernel_fd >= 0)
		close(h->kernel_fd);
	h->kernel_fd = fd;
	return loop_add_fd(h->loop, fd, EPOLLIN, on_kernel, h, &h->kernel);
}

/* omega: at the end the down scripts of what was up are run, as if it had failed. */
static void stop(struct health *h)
{
	for (uint32_t i = 0; i < h->n; i++) {
		const struct virtual_server *v = &h->virtual_server[i];

		if (!v->conf->omega)
			continue;
		for (uint32_t r = 0; r < v->quorum.n; r++)
			if (v->quorum.real[r].alive)
				report(h, v, r, false, true);
		if (v->quorum.up)
			report(h, v, MSG_QUORUM, false, true);
	}
	loop_stop(h->loop, 0);
}

static void on_supervisor(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct health *h = userdata;
	struct msg m;
	int got, r;

	(void)events;
	while ((r = msg_receive(fd, &m, &got)) > 0) {
		if (m.type == MSG_STOP) {
			stop(h);
		} else if (m.type == MSG_PEER && m.role == MSG_ROLE_KERNEL && got >= 0) {
			if (attach_kernel(h, got) < 0)
				loop_stop(l, 1);
			else
				tell_all(h);
			got = -1;
		}
		if (got >= 0)
			close(got);
	}
	if (r == -EPIPE) /* the supervisor is gone: what stands in the kernel stays */
		loop_stop(l, 0);
}

static uint64_t engine_deadline(const void *engine)
{
	return health_engine_deadline(engine);
}

static int engine_dispatch(void *engine, uint64_t now_ns)
{
	return health_engine_dispatch(engine, now_ns);
}

static int start(struct health *h, const struct health_args *args)
{
	struct loop_object engine = {
	    .name = "checks", .deadline = engine_deadline, .dispatch = engine_dispatch};
	int r = loop_new(&h->loop);

	if (!r)
		r = privilege_drop(privilege_first_user(users), 0);
	if (!r)
		r = build(h, args);
	if (r < 0)
		return r;
	engine.fd = health_engine_fd(h->engine);
	engine.object = h->engine;
	r = loop_add_object(h->loop, &engine, NULL);
	if (!r)
		r = loop_add_fd(h->loop, args->supervisor_fd, EPOLLIN, on_supervisor, h,
				&h->supervisor);
	if (!r)
		r = attach_kernel(h, args->kernel_fd);
	if (!r)
		tell_all(h);
	return r;
}

int health_run(const struct health_args *args)
{
	struct health h = {.supervisor_fd = args->supervisor_fd, .kernel_fd = -1};
	int r = start(&h, args);

	if (r < 0)
		log_err("the health process cannot start: %s", strerror(-r));
	else
		r = loop_run(h.loop);
	destroy(&h);
	return r ? 1 : 0;
}
