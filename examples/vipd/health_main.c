/* SPDX-License-Identifier: MIT */
/*
 * The process that checks real servers. It has no capability: it says to the kernel process which
 * of the configured servers are in use, by number, and to the supervisor what changed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <libhealth/health.h>
#include <libhealth/probe_dns.h>
#include <libhealth/probe_http.h>
#include <libhealth/probe_smtp.h>

#include "log.h"
#include "loop.h"
#include "msg.h"
#include "process.h"
#include "quorum.h"
#include "schedule.h"

#define NS_PER_MS UINT64_C(1000000)

struct real_state {
	const struct conf_real *conf;
	unsigned checks, passing;
};

struct virtual_state {
	struct health *health;
	const struct conf_virtual *conf;
	uint32_t index;
	struct quorum quorum;
	struct quorum_real *real; /* in the order of the configuration */
	struct real_state *state;
	size_t first_real; /* its first one in arrays of all */
	int32_t *sent;	   /* weights that the kernel process knows, the sorry server's last */
	struct shared_virtual *slot;
};

struct probe {
	struct virtual_state *virtual;
	uint32_t real;
	bool passes;
	const struct conf_check *conf;
	struct shared_check *slot;
	struct live_check *live;
	struct health_check *check; /* NULL: a MISC_CHECK */
};

struct health {
	const struct birth *birth;
	struct loop *loop;
	struct health_engine *engine;
	struct virtual_state *virtuals;
	size_t n_virtuals, n_reals;
	struct probe *probes;
	size_t n_probes;
	struct probe **misc;		 /* those whose script the supervisor runs, in its order */
	char text[HEALTH_TEXT_MAX + 64]; /* how the last check ended, for the line about a change */
};

/* ---- Telling ---- */

/* For those who look: live.h. */
static void publish(struct virtual_state *v, const int32_t *weight)
{
	struct live *l = v->health->birth->live;
	struct live_virtual *to = &l->virtual[v->index];
	size_t n = v->conf->n_reals;

	for (size_t i = 0; i < n; i++) {
		atomic_store(&l->real[v->first_real + i].alive, v->real[i].alive);
		atomic_store(&l->real[v->first_real + i].weight, weight[i]);
	}
	atomic_store(&to->up, v->quorum.up);
	atomic_store(&to->live_weight, quorum_live_weight(v->real, n));
	atomic_store(&to->sorry_weight, weight[n]);
}

static void tell_kernel(struct virtual_state *v, bool all)
{
	size_t n = v->conf->n_reals;
	int32_t *want = calloc(n + 1, sizeof(*want));
	struct msg m = {.type = MSG_DEST, .index = v->index};

	if (!want) {
		log_err("virtual server %s: out of memory", v->conf->name);
		return;
	}
	quorum_weights(&v->quorum, v->real, n, want);
	publish(v, want);
	for (m.index2 = 0; m.index2 < n + (v->conf->sorry != NULL); m.index2++) {
		m.value = want[m.index2];
		if ((all || v->sent[m.index2] != m.value) &&
		    msg_send_wait(v->health->birth->ends.kernel, &m) >= 0)
			v->sent[m.index2] = m.value;
	}
	free(want);
}

static void commit(struct health *h)
{
	const struct msg m = {.type = MSG_COMMIT};

	if (msg_send_wait(h->birth->ends.kernel, &m) < 0)
		log_err("the kernel process does not listen");
}

static void tell_all(struct health *h)
{
	for (size_t i = 0; i < h->n_virtuals; i++)
		tell_kernel(&h->virtuals[i], true);
	commit(h);
}

static void tell_quorum(struct virtual_state *v)
{
	int64_t live = quorum_live_weight(v->real, v->conf->n_reals);
	const struct msg m = {.type = MSG_QUORUM,
			      .index = v->index,
			      .value = v->quorum.up,
			      .extra = live < INT32_MAX ? (int32_t)live : INT32_MAX};

	atomic_store(&v->slot->quorum, v->quorum.up ? SHARED_ALIVE_UP : SHARED_ALIVE_DOWN);
	log_notice("virtual server %s: quorum %s: live weight %lld, quorum %d%s", v->conf->name,
		   v->quorum.up ? "gained" : "lost", (long long)live, v->conf->quorum,
		   v->conf->sorry
		       ? v->quorum.up ? ": the sorry server goes" : ": the sorry server takes over"
		       : "");
	msg_send_wait(v->health->birth->ends.control, &m);
}

/* Something that the quorum counts is another. */
static void recount(struct virtual_state *v)
{
	if (quorum_update(&v->quorum, v->real, v->conf->n_reals))
		tell_quorum(v);
	tell_kernel(v, false);
	commit(v->health);
}

static void on_real_changed(struct virtual_state *v, uint32_t index, const char *why)
{
	struct real_state *r = &v->state[index];
	const struct msg m = {
	    .type = MSG_REAL, .index = v->index, .index2 = index, .value = v->real[index].alive};
	char name[CONF_REAL_NAME_SIZE];

	conf_real_name(r->conf, name, sizeof(name));
	log_notice("virtual server %s: real server %s is %s: %s", v->conf->name, name,
		   v->real[index].alive ? "up" : "down", why);
	msg_send_wait(v->health->birth->ends.control, &m);
	recount(v);
}

/* ---- Checks ---- */

static void on_result(struct health_check *check, const struct health_result *res, void *userdata)
{
	struct probe *p = userdata;
	struct health *h = p->virtual->health;

	live_write_check(p->live, check);
	snprintf(h->text, sizeof(h->text), "%s%s%s", health_code_name(res->code),
		 *res->text ? ", " : "",
		 *res->text   ? res->text
		 : res->error ? strerror(res->error)
			      : "");
}

/* A real server lives while all of its checks pass. */
static void set_passes(struct probe *p, bool passes, const char *why)
{
	struct virtual_state *v = p->virtual;
	struct real_state *r = &v->state[p->real];

	if (passes == p->passes)
		return;
	p->passes = passes;
	atomic_store(&p->slot->alive, passes ? SHARED_ALIVE_UP : SHARED_ALIVE_DOWN);
	r->passing += passes ? 1 : -1u;
	if (v->real[p->real].alive == (r->passing == r->checks))
		return;
	v->real[p->real].alive = r->passing == r->checks;
	on_real_changed(v, p->real, why);
}

static void on_transition(struct health_check *check, const struct health_transition *t,
			  void *userdata)
{
	struct probe *p = userdata;
	char why[sizeof(p->virtual->health->text) + 64];

	live_write_check(p->live, check);
	if (health_state_is_up(t->to))
		snprintf(why, sizeof(why), "its check passed");
	else if (t->fail_run < t->fall) /* nothing good is known of it: retry comes later */
		snprintf(why, sizeof(why), "its first check failed: %s", p->virtual->health->text);
	else
		snprintf(why, sizeof(why), "%u of %u checks failed: %s", t->fail_run, t->fall,
			 p->virtual->health->text);
	set_passes(p, health_state_is_up(t->to), why);
}

static void filter_of(const struct conf_check_common *c, bool up, struct health_filter_opts *ret)
{
	*ret = (struct health_filter_opts){
	    .size = sizeof(*ret),
	    .rise = 1,
	    .fall = (uint32_t)c->retry + 1,
	    .start = up ? HEALTH_START_UP : HEALTH_START_DOWN,
	    .interval_ns = (uint64_t)c->delay_loop_ms * NS_PER_MS,
	    .down_ns = (uint64_t)c->delay_loop_ms * NS_PER_MS,
	    .retry_ns =
		(uint64_t)(c->delay_before_retry_ms ? c->delay_before_retry_ms : 1) * NS_PER_MS,
	};
}

static int make_http(const struct conf_check *c, const struct ha_ip *ip, uint16_t port,
		     struct health_probe **ret)
{
	struct health_http_range status[CONF_STATUS_MAX];
	char text[HA_IP_TEXT_SIZE] = "", host[HA_IP_TEXT_SIZE + 10];
	struct health_http_opts o = {
	    .size = sizeof(o),
	    .version = c->http_1_1 ? HEALTH_HTTP_1_1 : HEALTH_HTTP_1_0,
	    .path = c->path,
	    .host = c->host ? c->host : host,
	    .status = c->n_status ? status : NULL,
	    .n_status = c->n_status,
	};

	for (size_t i = 0; i < c->n_status; i++)
		status[i] = (struct health_http_range){(uint16_t)c->status[i].first,
						       (uint16_t)c->status[i].last};
	ha_ip_format(ip, text, sizeof(text));
	snprintf(host, sizeof(host), ip->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
	return health_probe_new(health_probe_http(), &o, ret);
}

/* NULL for a check that only connects. */
static int make_dialogue(const struct conf_check *c, const struct ha_ip *ip, uint16_t port,
			 struct health_probe **ret)
{
	const struct health_smtp_opts smtp = {.size = sizeof(smtp), .helo = c->helo};
	const struct health_dns_opts dns = {
	    .size = sizeof(dns), .name = c->name, .type = (uint64_t)c->type};

	*ret = NULL;
	switch (c->kind) {
	case CONF_CHECK_CONNECT:
		return 0;
	case CONF_CHECK_HTTP:
		return make_http(c, ip, port, ret);
	case CONF_CHECK_SMTP:
		return health_probe_new(health_probe_smtp(), &smtp, ret);
	case CONF_CHECK_DNS:
		return health_probe_new(health_probe_dns(), &dns, ret);
	}
	return -EINVAL;
}

static int add_check(struct health *h, struct probe *p)
{
	const struct conf_check *c = p->conf;
	const struct conf_real *r = p->virtual->state[p->real].conf;
	const struct ha_ip *ip = c->connect_ip.family ? &c->connect_ip : &r->ip;
	uint16_t port = c->connect_port != CONF_UNSET ? (uint16_t)c->connect_port : r->port;
	struct sockaddr_storage to, from;
	struct health_filter_opts filter;
	struct health_check_opts o = {
	    .size = sizeof(o),
	    .destination = (void *)&to,
	    .filter = &filter,
	    .device = c->bind_device,
	    .flags = HEALTH_CHECK_FROM_END | (c->common.warmup_ms ? 0 : HEALTH_CHECK_AT_ONCE),
	    .timeout_ns = (uint64_t)c->common.connect_timeout_ms * NS_PER_MS,
	    .start_within_ns = (uint64_t)c->common.warmup_ms * NS_PER_MS,
	};
	struct health_probe *dialogue;
	int err = make_dialogue(c, ip, port, &dialogue);

	if (err < 0)
		return err;
	o.probe = dialogue;
	filter_of(&c->common, p->passes, &filter);
	o.destination_len = (socklen_t)ha_ip_to_sockaddr(ip, port, 0, &to);
	if (c->bind_ip.family) {
		o.source = (void *)&from;
		o.source_len = (socklen_t)ha_ip_to_sockaddr(
		    &c->bind_ip, c->bind_port != CONF_UNSET ? (uint16_t)c->bind_port : 0, 0, &from);
	}
	err = health_check_add(h->engine, &o, p, &p->check);
	if (err >= 0)
		live_write_check(p->live, p->check);
	health_probe_free(dialogue); /* the check keeps it */
	return err;
}

/* ---- Start ---- */

/* Up until a check says otherwise (keepalived), unless it is to prove itself first (alpha). */
static bool passes_at_first(const struct health *h, const struct probe *p)
{
	uint32_t known = atomic_load(&p->slot->alive);
	uint8_t track = p->conf->misc ? h->birth->tracks[p->conf->misc->index] : TRACK_INIT;

	if (track != TRACK_INIT)
		return track == TRACK_OK;
	return known == SHARED_ALIVE_UP ||
	       (known != SHARED_ALIVE_DOWN && p->conf->common.alpha != 1);
}

static int make_probe(struct health *h, struct virtual_state *v, uint32_t real,
		      const struct conf_check *c)
{
	struct probe *p = &h->probes[h->n_probes];
	int r;

	*p = (struct probe){.virtual = v,
			    .real = real,
			    .conf = c,
			    .slot = &h->birth->shared->check[h->n_probes],
			    .live = &h->birth->live->check[h->n_probes]};
	if (c->misc)
		h->misc[c->misc->index - h->birth->conf->n_scripts] = p;
	p->passes = passes_at_first(h, p);
	v->state[real].checks++;
	v->state[real].passing += p->passes;
	h->n_probes++;
	r = c->misc ? 0 : add_check(h, p);
	if (r < 0)
		log_err("%s:%u: cannot make the check: %s", c->at.file, c->at.line, strerror(-r));
	return r == -ENOMEM ? r : 0;
}

static int32_t weight_of(const struct conf_real *r, const struct order_real *order)
{
	return order->weight != ORDER_NO_WEIGHT ? order->weight : r->weight;
}

static int make_virtual(struct health *h, const struct conf_virtual *c)
{
	struct virtual_state *v = &h->virtuals[h->n_virtuals];
	const struct order_real *order = &h->birth->orders->real[h->n_reals];
	uint32_t n = 0;
	int r = 0;

	*v = (struct virtual_state){
	    .health = h,
	    .conf = c,
	    .index = (uint32_t)h->n_virtuals,
	    .quorum = {.quorum = c->quorum,
		       .hysteresis = c->hysteresis,
		       .has_sorry = c->sorry,
		       .sorry_inhibit = c->sorry_inhibit == 1,
		       .sorry_weight = c->sorry ? c->sorry->weight : 0},
	    .real = calloc(c->n_reals + 1, sizeof(*v->real)),
	    .state = calloc(c->n_reals + 1, sizeof(*v->state)),
	    .sent = calloc(c->n_reals + 1, sizeof(*v->sent)),
	    .slot = &h->birth->shared->virtual[h->n_virtuals],
	    .first_real = h->n_reals,
	};
	if (!v->real || !v->state || !v->sent)
		return -ENOMEM;
	h->n_virtuals++;
	h->n_reals += c->n_reals;
	for (const struct conf_real *real = c->reals; real && r >= 0; real = real->next, n++) {
		v->state[n].conf = real;
		for (const struct conf_check *k = real->checks; k && r >= 0; k = k->next)
			r = make_probe(h, v, n, k);
		v->real[n] = (struct quorum_real){
		    .weight = weight_of(real, &order[n]),
		    .admin = order[n].admin,
		    .alive = v->state[n].passing == v->state[n].checks &&
			     (v->state[n].checks || real->common.alpha != 1),
		    .inhibit = real->inhibit == 1,
		};
	}
	return r;
}

/* What a predecessor said is not said again; at the very first the quorum is taken as there. */
static void begin_quorum(struct virtual_state *v)
{
	v->quorum.up = atomic_load(&v->slot->quorum) != SHARED_ALIVE_DOWN;
	if (quorum_update(&v->quorum, v->real, v->conf->n_reals))
		tell_quorum(v);
}

static size_t count_checks(const struct conf *c)
{
	size_t n = 0;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		for (const struct conf_real *r = v->reals; r; r = r->next)
			for (const struct conf_check *k = r->checks; k; k = k->next)
				n++;
	return n;
}

static int make_all(struct health *h)
{
	const struct conf *c = h->birth->conf;
	int r = 0;

	h->virtuals = calloc(c->n_virtuals + 1, sizeof(*h->virtuals));
	h->probes = calloc(count_checks(c) + 1, sizeof(*h->probes));
	h->misc = calloc(c->n_misc + 1, sizeof(*h->misc));
	if (!h->virtuals || !h->probes || !h->misc)
		return -ENOMEM;
	for (const struct conf_virtual *v = c->virtuals; v && r >= 0; v = v->next)
		r = make_virtual(h, v);
	for (size_t i = 0; i < h->n_virtuals && r >= 0; i++)
		begin_quorum(&h->virtuals[i]);
	return r;
}

/* ---- The supervisor ---- */

static void take_order(struct health *h, const struct msg *m)
{
	struct virtual_state *v = &h->virtuals[m->index];
	const struct order_real order = {.admin = (uint8_t)m->value, .weight = m->extra};

	v->real[m->index2].admin = order.admin;
	v->real[m->index2].weight = weight_of(v->state[m->index2].conf, &order);
	recount(v);
}

static void check_now(struct health *h, const struct msg *m)
{
	for (size_t i = 0; i < h->n_probes; i++)
		if (h->probes[i].virtual->index == m->index && h->probes[i].real == m->index2 &&
		    h->probes[i].check)
			health_check_run_now(h->probes[i].check);
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

static void on_control(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct health *h = userdata;
	struct msg m;
	int r;

	(void)events;
	while ((r = msg_receive(fd, &m, NULL)) > 0) {
		if (m.type == MSG_STOP)
			loop_stop(l, 0);
		else if (m.type == MSG_RESYNC)
			tell_all(h);
		else if (m.type == MSG_ORDER || m.type == MSG_CHECK)
			on_order(h, &m);
		else if (m.type == MSG_TRACK && m.index < h->birth->conf->n_misc &&
			 h->misc[m.index])
			set_passes(h->misc[m.index], m.value == 1,
				   m.value == 1 ? "its script succeeded" : "its script failed");
	}
	if (r < 0)
		loop_stop(l, 0); /* the supervisor is gone */
}

static int set_up(struct health *h)
{
	const struct health_engine_ops ops = {
	    .size = sizeof(ops), .result = on_result, .transition = on_transition};
	struct health_engine_opts o = {
	    .size = sizeof(o), .ops = &ops, .seed = (uint64_t)getpid() ^ loop_clock_ns()};
	struct loop_object object = {
	    .name = "checks",
	    .deadline = (uint64_t(*)(const void *))(void (*)(void))health_engine_deadline,
	    .dispatch = (int (*)(void *, uint64_t))(void (*)(void))health_engine_dispatch,
	};
	int r = loop_new(&h->loop);

	if (r >= 0)
		r = health_engine_new(&o, &h->engine);
	if (r >= 0)
		r = make_all(h);
	if (r < 0)
		return r;
	object.fd = health_engine_fd(h->engine);
	object.object = h->engine;
	r = loop_add_object(h->loop, &object, NULL);
	if (r >= 0)
		r = loop_add_fd(h->loop, h->birth->ends.control, EPOLLIN, on_control, h, NULL);
	return r;
}

int health_main(const struct birth *b)
{
	struct health h = {.birth = b};
	int r;

	shared_leave_routers(b->shared);
	live_leave_routers(b->live);
	schedule_apply(&b->conf->globals.checker, "checker");
	r = process_drop(0, "daemon"); /* not the user of vrrp */
	if (r >= 0)
		r = set_up(&h);
	if (r < 0) {
		log_err("cannot start: %s", strerror(-r));
		return EXIT_FATAL;
	}
	tell_all(&h);
	return loop_run(h.loop) < 0 ? EXIT_FATAL : 0;
}
