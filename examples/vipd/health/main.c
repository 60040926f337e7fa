/* SPDX-License-Identifier: MIT */
/*
 * The process that checks real servers. It has no capability: it says to the kernel process which
 * of the configured servers are in use, by number, and to the supervisor what changed.
 */
#include "health/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <libha/service.h>

#include "conf/pairs.h"
#include "log.h"
#include "model.h"
#include "schedule.h"
#include "service_name.h"

/* Checks due within it start together: one wake-up for all. */
#define CHECK_SLACK_NS 20000000u

/* ---- Telling ---- */

/* For those who look: control/live.h. */
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
	atomic_store(&to->sorry_weight, v->quorum.up ? QUORUM_ABSENT : weight[n]);
}

/* Of the virtual servers before it each has a place for a sorry server, too: health/weights.h. */
static size_t first_place(const struct virtual_state *v)
{
	return v->first_real + v->index;
}

static void want(struct virtual_state *v)
{
	struct health *h = v->health;
	size_t n = v->conf->n_reals;

	quorum_weights(&v->quorum, v->real, n, h->weight);
	publish(v, h->weight);
	weights_want(h->birth->weights, v->index, first_place(v), h->weight, n + 1);
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
		want(&h->virtuals[i]);
	commit(h);
}

static void keep_quorum(struct virtual_state *v)
{
	atomic_store(&v->slot->quorum, v->quorum.up ? SHARED_ALIVE_UP : SHARED_ALIVE_DOWN);
}

static void send_quorum(struct virtual_state *v, bool first)
{
	int64_t live = quorum_live_weight(v->real, v->conf->n_reals);
	const struct msg m = {.type = MSG_QUORUM,
			      .index = v->index,
			      .index2 = first,
			      .value = v->quorum.up,
			      .extra = live < INT32_MAX ? (int32_t)live : INT32_MAX};

	keep_quorum(v);
	msg_send_wait(v->health->birth->ends.control, &m);
}

/* keepalived's lines, which monitoring looks for. `first`: nothing was said before. */
static void log_quorum(const struct virtual_state *v, bool first)
{
	const struct conf_virtual *c = v->conf;
	int64_t live = quorum_live_weight(v->real, c->n_reals);
	bool up = v->quorum.up;
	char name[SERVICE_NAME_SIZE];
	const char *what = up	   ? "Gained quorum"
			   : first ? "Starting with quorum down"
				   : "Lost quorum";
	const char *sorry = up ? ": the sorry server goes" : ": the sorry server serves";

	log_notice("%s %d%c%d=%lld %s %lld for VS %s%s", what, c->quorum, up ? '+' : '-',
		   c->hysteresis, (long long)c->quorum + (up ? c->hysteresis : -c->hysteresis),
		   up ? "<=" : ">", (long long)live, service_virtual_name(c, name),
		   c->sorry ? sorry : "");
}

static void tell_quorum(struct virtual_state *v)
{
	log_quorum(v, false);
	send_quorum(v, false);
}

/* Something that the quorum counts is another. */
static void recount(struct virtual_state *v)
{
	if (quorum_update(&v->quorum, v->real, v->conf->n_reals))
		tell_quorum(v);
	want(v);
	commit(v->health);
}

static void tell_real(const struct virtual_state *v, uint32_t index, const char *why)
{
	const struct msg m = {
	    .type = MSG_REAL, .index = v->index, .index2 = index, .value = v->real[index].alive};
	static const char *const word[2][2][2] = {{{"Removing", "from"}, {"Adding", "to"}},
						  {{"Disabling", "of"}, {"Enabling", "of"}}};
	const struct quorum_real *r = &v->real[index];
	const char *const *what = word[r->inhibit][r->alive];
	char name[SERVICE_NAME_SIZE], in[SERVICE_NAME_SIZE];

	log_notice("%s service %s %s VS %s: %s", what[0],
		   service_real_name(v->conf, v->state[index].conf, name), what[1],
		   service_virtual_name(v->conf, in), why);
	msg_send_wait(v->health->birth->ends.control, &m);
}

/* As keepalived tells it: a server that has to prove itself (alpha) was down, and now a check of it is known to fail. */
static void tell_first_failure(struct probe *p, const char *why)
{
	if (p->conf->common.alpha != 1 || atomic_load(&p->slot->alive) != SHARED_ALIVE_UNKNOWN)
		return;
	atomic_store(&p->slot->alive, SHARED_ALIVE_DOWN);
	tell_real(p->virtual, p->real, why);
}

static void on_real_changed(struct virtual_state *v, uint32_t index, const char *why)
{
	tell_real(v, index, why);
	recount(v);
}

/* ---- Checks ---- */

static void write_live(const struct probe *p, const struct health_check *c)
{
	const struct health *h = p->virtual->health;

	live_write_check(h->birth->live, (size_t)(p - h->probes), c);
}

static void say_failure(const struct probe *p, const char *why)
{
	const struct conf_virtual *v = p->virtual->conf;
	char name[SERVICE_NAME_SIZE], in[SERVICE_NAME_SIZE];

	log_notice("a check of service %s of VS %s failed: %s",
		   service_real_name(v, probe_real(p), name), service_virtual_name(v, in), why);
}

static void on_result(struct health_check *check, const struct health_result *res, void *userdata)
{
	struct probe *leader = userdata;
	struct health *h = leader->virtual->health;
	bool failed = res->verdict == HEALTH_FAIL || res->verdict == HEALTH_FAIL_NOW;

	snprintf(h->text, sizeof(h->text), "%s%s%s", health_code_name(res->code),
		 *res->text || res->error ? ", " : "",
		 *res->text   ? res->text
		 : res->error ? strerror(res->error)
			      : "");
	for (struct probe *p = leader; p; p = p->next) {
		write_live(p, check);
		if (failed && p->conf->log_all_failures)
			say_failure(p, h->text);
		if (failed)
			tell_first_failure(p, h->text);
	}
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
	struct probe *leader = userdata;
	char why[sizeof(leader->virtual->health->text) + 64];

	if (health_state_is_up(t->to))
		snprintf(why, sizeof(why), "its check passed");
	else if (t->fail_run < t->fall) /* nothing good is known of it: retry comes later */
		snprintf(why, sizeof(why), "its first check failed: %s",
			 leader->virtual->health->text);
	else
		snprintf(why, sizeof(why), "%u of %u checks failed: %s", t->fail_run, t->fall,
			 leader->virtual->health->text);
	for (struct probe *p = leader; p; p = p->next) {
		write_live(p, check);
		set_passes(p, health_state_is_up(t->to), why);
	}
}

/* With what checks add to it: misc_dynamic, FILE_CHECK. */
static int32_t weight_of(const struct real_state *r)
{
	int64_t w = r->order.weight != ORDER_NO_WEIGHT ? r->order.weight
						       : r->conf->weight + r->weight_change;

	return w < 0 ? 0 : w > HA_WEIGHT_MAX ? HA_WEIGHT_MAX : (int32_t)w;
}

/* An exit code of 2 or more, with misc_dynamic. True: the weight is another one. */
static bool take_exit(struct probe *p, int exit_code)
{
	struct real_state *r = &p->virtual->state[p->real];
	int32_t change =
	    p->conf->misc->dynamic && exit_code >= 2 ? exit_code - 2 - r->conf->weight : 0;
	bool changed = change != p->weight_change;

	r->weight_change += (int64_t)change - p->weight_change;
	p->weight_change = change;
	return changed;
}

/* keepalived.conf(5), "Track files": number times weight moves the weight; of weight 0 only 0 is well. */
static bool judge_number(struct probe *p, int32_t number)
{
	const struct conf_track_watch *t = p->conf->track;
	struct real_state *r = &p->virtual->state[p->real];
	int64_t change = (int64_t)number * t->weight * (t->reverse ? -1 : 1);
	bool well = t->weight ? change > INT32_MIN : (number == 0) != t->reverse;

	if (change < -HA_WEIGHT_MAX || change > HA_WEIGHT_MAX)
		change = change < 0 ? -HA_WEIGHT_MAX : HA_WEIGHT_MAX;
	r->weight_change += change - p->weight_change;
	p->weight_change = (int32_t)change;
	return well;
}

static void on_number(struct probe *p, int32_t number)
{
	struct virtual_state *v = p->virtual;
	int32_t before = p->weight_change;
	bool well = judge_number(p, number);
	char why[64];

	if (p->weight_change != before) {
		v->real[p->real].weight = weight_of(&v->state[p->real]);
		recount(v);
	}
	snprintf(why, sizeof(why), "the number in its file is %d", number);
	set_passes(p, well, why);
}

static void on_watch(struct health *h, uint32_t index, int32_t value)
{
	for (size_t i = 0; i < h->n_probes; i++) {
		struct probe *p = &h->probes[i];
		const struct conf_check *c = p->conf;

		if (c->kind == CONF_CHECK_FILE && c->track->watch->index == index)
			on_number(p, value);
		else if (c->kind == CONF_CHECK_BFD && c->track->watch->index == index)
			set_passes(p, value, value ? "BFD is up" : "BFD is down");
	}
}

static void on_misc(struct probe *p, bool passes, int exit_code)
{
	struct virtual_state *v = p->virtual;
	char why[64];

	if (passes && take_exit(p, exit_code)) {
		v->real[p->real].weight = weight_of(&v->state[p->real]);
		recount(v);
	}
	snprintf(why, sizeof(why), "its script %s", passes ? "succeeded" : "failed");
	if (!passes)
		tell_first_failure(p, why);
	set_passes(p, passes, why);
}

/* ---- Start ---- */

/* Up until a check says otherwise (keepalived), unless it is to prove itself first (alpha). */
static bool is_up_unless_known(const struct conf_check *c)
{
	return c->common.alpha != 1;
}

/* *ret_known: by a script that has run, a predecessor, a check that asks the same, or BFD. */
static bool passes_at_first(const struct health *h, const struct probe *leader, bool *ret_known)
{
	uint8_t track =
	    leader->conf->misc ? h->birth->tracks[leader->conf->misc->index] : TRACK_INIT;

	*ret_known = true;
	if (track != TRACK_INIT)
		return track == TRACK_OK;
	for (const struct probe *p = leader; p; p = p->next) {
		uint32_t known = atomic_load(&p->slot->alive);

		if (known == SHARED_ALIVE_UP || known == SHARED_ALIVE_DOWN)
			return known == SHARED_ALIVE_UP;
	}
	if (leader->conf->kind == CONF_CHECK_BFD)
		return h->birth->watches[leader->conf->track->watch->index];
	*ret_known = false;
	return is_up_unless_known(leader->conf);
}

static void make_probe(struct health *h, struct virtual_state *v, uint32_t real,
		       const struct conf_check *c)
{
	struct probe *p = &h->probes[h->n_probes];

	*p = (struct probe){
	    .virtual = v, .real = real, .conf = c, .slot = &h->birth->shared->check[h->n_probes]};
	if (c->misc)
		h->misc[c->misc->index - h->birth->conf->n_scripts] = p;
	v->state[real].checks++;
	h->n_probes++;
}

static int make_virtual(struct health *h, const struct conf_virtual *c)
{
	struct virtual_state *v = &h->virtuals[h->n_virtuals];
	uint32_t n = 0;

	*v = (struct virtual_state){
	    .health = h,
	    .conf = c,
	    .index = (uint32_t)h->n_virtuals,
	    .real = calloc(c->n_reals + 1, sizeof(*v->real)),
	    .state = calloc(c->n_reals + 1, sizeof(*v->state)),
	    .slot = &h->birth->shared->virtual[h->n_virtuals],
	    .first_real = h->n_reals,
	    .first_probe = h->n_probes,
	};
	if (!v->real || !v->state)
		return -ENOMEM;
	model_quorum(c, &v->quorum);
	h->n_virtuals++;
	h->n_reals += c->n_reals;
	for (const struct conf_real *real = c->reals; real; real = real->next, n++) {
		v->state[n].conf = real;
		v->state[n].order = h->birth->orders->real[v->first_real + n];
		for (const struct conf_check *k = real->checks; k; k = k->next)
			make_probe(h, v, n, k);
	}
	v->n_probes = h->n_probes - v->first_probe;
	return 0;
}

/*
 * Nothing was said of this probe's check yet, and its state is news. Of the number in a file that is there at the start none is made, nor of
 * BFD that does not hear a neighbour for which an alpha server waits.
 */
static void note_news(struct probe *p, bool up)
{
	const struct conf_check *c = p->conf;
	struct real_state *r = &p->virtual->state[p->real];

	if (atomic_load(&p->slot->alive) != SHARED_ALIVE_UNKNOWN || c->kind == CONF_CHECK_FILE)
		return;
	if (up)
		r->found |= !is_up_unless_known(c);
	else
		r->lost |= is_up_unless_known(c) || c->kind != CONF_CHECK_BFD;
}

/* What is taken for true until a check says otherwise. */
static void judge_first(struct health *h, struct probe *leader)
{
	const struct conf_check *c = leader->conf;
	bool known = true;
	bool up = c->kind == CONF_CHECK_FILE
		      ? judge_number(leader, h->birth->watches[c->track->watch->index])
		      : passes_at_first(h, leader, &known);

	for (struct probe *p = leader; p; p = p->next) {
		p->passes = up;
		p->virtual->state[p->real].passing += up;
		if (!known)
			continue;
		note_news(p, up);
		/* One word for all who share it: an old one must not come back at a reload. */
		atomic_store(&p->slot->alive, up ? SHARED_ALIVE_UP : SHARED_ALIVE_DOWN);
	}
	if (c->misc)
		take_exit(leader, h->birth->exits[c->misc->index]);
}

/* A check that cannot be run says nothing: its server stays as it is taken at first. */
static int start_probe(struct health *h, struct probe *leader)
{
	const struct conf_check *c = leader->conf; /* others may share it: */
	const struct diag_place *at = &leader->virtual->state[leader->real].conf->at;
	int r = conf_check_is_told(c) ? 0 : health_start_check(h, leader, leader->passes);

	if (r < 0)
		log_err("%s:%u: cannot make a check: %s", at->file, at->line, strerror(-r));
	for (struct probe *p = leader; p && leader->check; p = p->next)
		if (live_check_is_new(h->birth->live, (size_t)(p - h->probes)))
			write_live(p, leader->check);
	return r == -ENOMEM ? r : 0;
}

/* Without anything that is known of its checks. */
static bool begins_alive(const struct real_state *s)
{
	if (!s->checks)
		return s->conf->opts->common.alpha != 1;
	for (const struct conf_check *c = s->conf->checks; c; c = c->next)
		if (!is_up_unless_known(c))
			return false;
	return true;
}

static bool is_alive(const struct real_state *s)
{
	return s->checks ? s->passing == s->checks : begins_alive(s);
}

static bool has_news(const struct real_state *s)
{
	return is_alive(s) ? s->found : s->lost;
}

static void begin_reals(struct virtual_state *v)
{
	for (uint32_t n = 0; n < v->conf->n_reals; n++) {
		const struct real_state *s = &v->state[n];

		v->real[n] = (struct quorum_real){
		    .weight = weight_of(s),
		    .admin = s->order.admin,
		    .alive = is_alive(s),
		    .inhibit = s->conf->opts->inhibit == 1,
		};
	}
}

static void tell_news(struct virtual_state *v)
{
	for (uint32_t n = 0; n < v->conf->n_reals; n++) {
		if (!has_news(&v->state[n]))
			continue;
		v->real[n].alive = is_alive(&v->state[n]);
		tell_real(v, n,
			  v->real[n].alive ? "its checks are known to pass"
					   : "a check of it is known to fail");
	}
}

/* rs_init_notifies */
static void tell_reals(const struct virtual_state *v)
{
	struct msg m = {.type = MSG_REAL, .index = v->index, .value = 1, .extra = 1};

	for (m.index2 = 0; m.index2 < v->conf->n_reals; m.index2++)
		if (v->real[m.index2].alive)
			msg_send_wait(v->health->birth->ends.control, &m);
}

/* Of thousands that begin with a quorum the supervisor need not hear. */
static bool somebody_hears(const struct virtual_state *v)
{
	const struct conf_globals *g = &v->health->birth->conf->globals;

	return v->conf->quorum_notify || g->fifo.path || g->lvs_fifo.path;
}

/*
 * What a predecessor said is not said again. At the very first a quorum that is there is told, so that quorum_up runs, and one that is
 * not is no news, for it was not there before either, unless the sorry server serves: as in keepalived.
 */
static void begin_quorum(struct virtual_state *v)
{
	uint32_t before = atomic_load(&v->slot->quorum);
	bool changed;

	if (before == SHARED_ALIVE_UNKNOWN && v->health->birth->conf->globals.init_notifies)
		tell_reals(v);
	v->quorum.up = before != SHARED_ALIVE_DOWN;
	changed = quorum_update(&v->quorum, v->real, v->conf->n_reals);
	if (before != SHARED_ALIVE_UNKNOWN) {
		if (changed)
			tell_quorum(v);
		return;
	}
	if (!v->quorum.up && v->conf->sorry)
		log_quorum(v, true);
	if ((v->quorum.up || v->conf->sorry) && somebody_hears(v))
		send_quorum(v, true);
	else
		keep_quorum(v);
}

/* At the very first as if news came just after: quorum_up, notify_down, quorum_down run as they do when a check takes its time. */
static void begin_virtual(struct virtual_state *v)
{
	bool first = atomic_load(&v->slot->quorum) == SHARED_ALIVE_UNKNOWN;

	begin_reals(v);
	if (!first) {
		tell_news(v);
		begin_quorum(v);
		return;
	}
	for (uint32_t n = 0; n < v->conf->n_reals; n++)
		if (has_news(&v->state[n]))
			v->real[n].alive = begins_alive(&v->state[n]);
	begin_quorum(v);
	tell_news(v);
	if (quorum_update(&v->quorum, v->real, v->conf->n_reals))
		tell_quorum(v);
}

static int make_all(struct health *h)
{
	const struct conf *c = h->birth->conf;
	int r = 0;

	h->virtuals = calloc(c->n_virtuals + 1, sizeof(*h->virtuals));
	h->probes = calloc(c->n_checks + 1, sizeof(*h->probes));
	h->misc = calloc(c->n_misc + 1, sizeof(*h->misc));
	h->weight = calloc(weights_places_max(c), sizeof(*h->weight));
	if (!h->virtuals || !h->probes || !h->misc || !h->weight)
		return -ENOMEM;
	for (const struct conf_virtual *v = c->virtuals; v && r >= 0; v = v->next)
		r = make_virtual(h, v);
	if (r >= 0)
		r = health_share(h);
	for (size_t i = 0; i < h->n_probes && r >= 0; i++)
		if (h->probes[i].leader == &h->probes[i])
			judge_first(h, &h->probes[i]);
	for (size_t i = 0; i < h->n_virtuals && r >= 0; i++)
		begin_virtual(&h->virtuals[i]);
	return r;
}

/* While the kernel process puts servers in place, which it was told before. */
static int start_checks(struct health *h)
{
	int r = 0;

	for (size_t i = 0; i < h->n_probes && r >= 0; i++)
		if (h->probes[i].leader == &h->probes[i])
			r = start_probe(h, &h->probes[i]);
	shared_forget_checks(h->birth->shared); /* they go on, or nobody knows them any more */
	return r;
}

/* ---- The supervisor ---- */

static void take_order(struct health *h, const struct msg *m)
{
	struct virtual_state *v = &h->virtuals[m->index];
	const struct order_real order = {.admin = (uint8_t)m->value, .weight = m->extra};

	v->state[m->index2].order = order;
	v->real[m->index2].admin = order.admin;
	v->real[m->index2].weight = weight_of(&v->state[m->index2]);
	recount(v);
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
			tell_all(h);
		else if (m.type == MSG_ORDER || m.type == MSG_CHECK)
			on_order(h, &m);
		else if (m.type == MSG_WATCH)
			on_watch(h, m.index, m.value);
		else if (m.type == MSG_TRACK && m.index < h->birth->conf->n_misc &&
			 h->misc[m.index])
			on_misc(h->misc[m.index], m.value == 1, m.extra);
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
			write_live(q, p->check);
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

static int set_up(struct health *h)
{
	const struct health_engine_ops ops = {
	    .size = sizeof(ops),
	    .result = on_result,
	    .transition = on_transition,
	    .open_socket = health_wants_sockets(h->birth->conf) ? health_open_socket : NULL};
	struct health_engine_opts o = {.size = sizeof(o),
				       .ops = &ops,
				       .userdata = h,
				       .seed = (uint64_t)getpid() ^ loop_clock_ns(),
				       .slack_ns = CHECK_SLACK_NS};
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
	if (h->birth->conf->globals.checker.auto_priority)
		loop_watch_late(h->loop, on_late, h);
	tell_all(h);
	r = start_checks(h);
	if (r < 0)
		return r;
	object.fd = health_engine_fd(h->engine);
	object.object = h->engine;
	r = loop_add_object(h->loop, &object, NULL);
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
