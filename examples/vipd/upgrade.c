/* SPDX-License-Identifier: MIT */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bytes_json.h"
#include "control/control.h"
#include "log.h"
#include "tracker.h"

#define STATE_ENV "VIPD_STATE_FD"

/* ---- Frozen bytes as text ---- */

_Static_assert(HEALTH_FREEZE_MAX <= HA_VRRP_FREEZE_SIZE, "of routers and of checks");

static json_t *hex_of(const uint8_t *bytes, size_t len)
{
	char text[2 * HA_VRRP_FREEZE_SIZE + 1] = "";

	for (size_t i = 0; i < len && i < HA_VRRP_FREEZE_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_string(text);
}

static uint32_t bytes_of(const json_t *hex, uint8_t *ret, size_t cap)
{
	const char *text = json_string_value(hex);
	uint32_t len = 0;
	unsigned byte;

	while (text && len < cap && sscanf(text + 2 * (size_t)len, "%2x", &byte) == 1)
		ret[len++] = (uint8_t)byte;
	return len;
}

/* ---- Writing ---- */

static json_t *counters_json(const struct live_counters *c)
{
	json_t *list = json_array();
	const uint64_t *value = (const void *)c;

	for (size_t i = 0; i < sizeof(*c) / sizeof(*value); i++)
		json_array_append_new(list, json_integer((json_int_t)value[i]));
	return list;
}

static json_t *routers_json(const struct supervisor *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->shared->n_routers; i++) {
		const struct shared_router *r = &s->shared->router[i];
		uint32_t whole = atomic_load(&r->whole);
		const struct heard *h = &s->instance[i];
		struct live_router live;

		live_read_router(&s->live->router[i], &live);
		json_array_append_new(
		    list,
		    json_pack("{s:o, s:I, s:b, s:i, s:o, s:i, s:i, s:f, s:i, s:i, s:o, s:b}",
			      "key", bytes_to_json(r->id.place), "name", (json_int_t)r->id.name, "shares",
			      (int)r->id.shares, "state", whole ? (int)r->copy[whole - 1].state : 0, "frozen",
			      whole ? hex_of(r->copy[whole - 1].bytes, r->copy[whole - 1].len)
				    : json_null(),
			      "told", h->state, "priority", h->priority, "since", h->since,
			      "reason", (int)h->why.reason, "faults", (int)h->why.faults,
			      "counters", counters_json(&live.counters), "hold",
			      s->orders->hold[i]));
	}
	return list;
}

static json_t *groups_json(const struct supervisor *s)
{
	json_t *list = json_array();
	size_t n = 0;

	for (const struct conf_group *g = s->conf->groups; g; g = g->next, n++)
		json_array_append_new(list,
				      json_pack("{s:o, s:i, s:f}", "name", bytes_to_json(g->name), "told",
						s->group[n].state, "since", s->group[n].since));
	return list;
}

/* Of each check whether it passed, and what it counted and when it is due. */
static void checks_json(const struct supervisor *s, json_t *ret_alive, json_t *ret_frozen)
{
	const struct shared *m = s->shared;
	char key[CONF_KEY_SIZE];
	size_t n = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			unsigned place = 0;

			for (const struct conf_check *k = r->checks; k; k = k->next, n++) {
				conf_check_key(v, r, place++, key);
				bytes_object_set(ret_alive, key, json_integer(atomic_load(&m->check[n].alive)));
				if (shared_has_frozen(m, n))
					bytes_object_set(ret_frozen, key, hex_of(m->frozen[n].bytes, m->frozen[n].len));
			}
		}
	}
}

static json_t *virtuals_json(const struct supervisor *s)
{
	json_t *o = json_object();
	char key[CONF_KEY_SIZE];
	size_t n = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		conf_virtual_key(v, key);
		bytes_object_set(o, key, json_integer(atomic_load(&s->shared->virtual[n++].quorum)));
	}
	return o;
}

/* "VIRTUAL_SERVER PROTOCOL REAL_SERVER" */
static void real_key(const struct conf_virtual *v, const struct conf_real *r, char *buf, size_t cap)
{
	char name[CONF_REAL_NAME_SIZE];

	conf_real_name(r, name, sizeof(name));
	snprintf(buf, cap, "%s %d %s", v->name, v->protocol, name);
}

static json_t *orders_json(const struct supervisor *s)
{
	json_t *o = json_object();
	char key[256];
	size_t n = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next, n++) {
			const struct order_real *order = &s->orders->real[n];

			if (order->admin == ORDER_READY && order->weight == ORDER_NO_WEIGHT)
				continue;
			real_key(v, r, key, sizeof(key));
			bytes_object_set(o, key, json_pack("[i, i]", order->admin, order->weight));
		}
	}
	return o;
}

static json_t *scripts_json(const struct supervisor *s)
{
	const uint8_t *state = trackers_states(s->trackers);
	json_t *o = json_object();

	for (const struct conf_vrrp_script *t = s->conf->scripts; t; t = t->next)
		bytes_object_set(o, t->name, json_integer(state[t->index]));
	for (const struct conf_vrrp_script *t = s->conf->misc; t; t = t->next)
		bytes_object_set(o, t->name, json_integer(state[t->index]));
	return o;
}

static json_t *state_json(const struct supervisor *s)
{
	json_t *alive = json_object(), *frozen = json_object();

	checks_json(s, alive, frozen);
	return json_pack("{s:i, s:b, s:I, s:f, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "pid_fd", s->pid_fd, "fresh", s->fresh, "alive_ns",
			 s->shared->alive_ns ? (json_int_t)atomic_load(s->shared->alive_ns) : 0,
			 "started", s->started, "routers", routers_json(s), "groups",
			 groups_json(s), "checks", alive, "checks_frozen_ns",
			 (json_int_t)*s->shared->frozen_ns, "checks_frozen", frozen, "virtuals",
			 virtuals_json(s), "orders", orders_json(s), "scripts", scripts_json(s),
			 "programs", scripts_freeze(s->scripts), "mails", mails_freeze(s->mails), "events", events_last(&s->events, NULL, NULL, EVENTS_MAX));
}

/* To a file without a name, from its beginning. Its descriptor, or -errno. */
static int write_state(const struct supervisor *s)
{
	int fd = memfd_create("vipd-state", 0), r = fd < 0 ? -errno : 0;
	json_t *state = state_json(s);

	if (r >= 0 && (!state || json_dumpfd(state, fd, JSON_COMPACT | JSON_REAL_PRECISION(17)) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		r = -ENOMEM;
	json_decref(state);
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* It comes back when it failed. -errno. */
static int become(struct supervisor *s, int fd)
{
	char number[16];
	int r;

	snprintf(number, sizeof(number), "%d", fd);
	setenv(STATE_ENV, number, 1);
	if (s->pid_fd >= 0)
		fcntl(s->pid_fd, F_SETFD, 0);
	execv(s->upgrade, s->argv);
	r = -errno;
	unsetenv(STATE_ENV);
	if (s->pid_fd >= 0)
		fcntl(s->pid_fd, F_SETFD, FD_CLOEXEC);
	close(fd);
	return r;
}

int upgrade_exec(struct supervisor *s)
{
	int r;

	control_close(s->control_socket); /* the other program opens its own */
	s->control_socket = NULL;
	fifos_free(s->fifos); /* likewise; their scripts are let go */
	s->fifos = NULL;
	r = write_state(s);
	if (r >= 0)
		r = become(s, r);
	supervisor_open_control(s);
	if (fifos_new(s->loop, s->scripts, &s->fifos) >= 0)
		fifos_configure(s->fifos, s->conf);
	log_err("cannot become %s: %s. This program goes on", s->upgrade, strerror(-r));
	return r;
}

/* ---- Reading ---- */

json_t *upgrade_state(void)
{
	const char *text = getenv(STATE_ENV);
	json_t *state = NULL;
	int fd;

	if (!text)
		return NULL;
	fd = atoi(text);
	unsetenv(STATE_ENV);
	if (fd > STDERR_FILENO && fcntl(fd, F_GET_SEALS) >= 0) { /* a memfd, as it should be */
		state = json_loadfd(fd, 0, NULL);
		close(fd);
	}
	return state;
}

int upgrade_pid_fd(const json_t *state)
{
	int fd = (int)json_integer_value(json_object_get(state, "pid_fd"));

	if (fd <= STDERR_FILENO || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fd;
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static json_int_t number_of(const json_t *o, const char *name)
{
	return json_integer_value(bytes_object_get(o, name));
}

static void take_router(struct supervisor *s, size_t i, const json_t *from)
{
	struct shared_router *r = &s->shared->router[i];
	struct live_router *live = &s->live->router[i];
	uint64_t *value = (void *)&live->counters;
	const json_t *counters = json_object_get(from, "counters");
	struct heard *h = &s->instance[i];

	r->copy[0].len =
	    bytes_of(json_object_get(from, "frozen"), r->copy[0].bytes, sizeof(r->copy[0].bytes));
	r->copy[0].state = (uint32_t)number(from, "state");
	atomic_store(&r->whole, r->copy[0].len ? 1 : 0);
	h->state = (int32_t)number(from, "told");
	h->priority = (int32_t)number(from, "priority");
	h->since = json_real_value(json_object_get(from, "since"));
	h->why = (struct why){.to = (uint32_t)h->state,
			      .reason = (uint32_t)number(from, "reason"),
			      .faults = (uint32_t)number(from, "faults")};
	s->orders->hold[i] = json_is_true(json_object_get(from, "hold"));
	/* Of another version, with other reasons: they begin anew. */
	if (json_array_size(counters) != sizeof(live->counters) / sizeof(*value))
		return;
	for (size_t c = 0; c < json_array_size(counters); c++)
		value[c] = (uint64_t)json_integer_value(json_array_get(counters, c));
	atomic_store(&live->turn, 2);
}

static void take_routers(struct supervisor *s, const json_t *list)
{
	size_t n = s->shared->n_routers, at = 0, i;
	json_t *from;

	json_array_foreach(list, i, from)
	{
		char *key = bytes_from_json(json_object_get(from, "key"));
		struct shared_router_id id = {
		    .name = (uint32_t)number(from, "name"),
		    .shares = json_is_true(json_object_get(from, "shares"))};

		snprintf(id.place, sizeof(id.place), "%s", key ? key : "");
		for (size_t tries = 0; key && tries < n; tries++, at++) {
			if (shared_same_router(&s->shared->router[at % n].id, &id)) {
				take_router(s, at++ % n, from);
				break;
			}
		}
		free(key);
	}
}

static void take_groups(struct supervisor *s, const json_t *list)
{
	json_t *from;
	size_t i;

	json_array_foreach(list, i, from)
	{
		char *name = bytes_from_json(json_object_get(from, "name"));
		size_t n = 0;

		for (const struct conf_group *g = s->conf->groups; g && name; g = g->next, n++) {
			if (strcmp(g->name, name) != 0)
				continue;
			s->group[n].state = (int32_t)number(from, "told");
			s->group[n].since = json_real_value(json_object_get(from, "since"));
		}
		free(name);
	}
}

static void take_orders(struct supervisor *s, const json_t *o)
{
	char key[256];
	size_t n = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		for (const struct conf_real *r = v->reals; r; r = r->next, n++) {
			const json_t *order;

			real_key(v, r, key, sizeof(key));
			order = bytes_object_get(o, key);
			if (!order)
				continue;
			s->orders->real[n].admin =
			    (uint8_t)json_integer_value(json_array_get(order, 0));
			s->orders->real[n].weight =
			    (int32_t)json_integer_value(json_array_get(order, 1));
		}
	}
}

static void take_events(struct supervisor *s, const json_t *list)
{
	json_t *event;
	size_t i;

	json_array_foreach(list, i, event) events_restore(&s->events, event);
}

/* The program is another one, the file the same; a word that changed in between is found by a check soon enough. */
static void take_checks(struct supervisor *s, const json_t *state)
{
	const json_t *alive = json_object_get(state, "checks");
	const json_t *frozen = json_object_get(state, "checks_frozen");
	const json_t *quorum = json_object_get(state, "virtuals");
	struct shared *m = s->shared;
	char key[CONF_KEY_SIZE];
	size_t virtual = 0, n = 0;

	*m->frozen_ns = (uint64_t)number(state, "checks_frozen_ns");
	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		conf_virtual_key(v, key);
		atomic_store(&m->virtual[virtual ++].quorum, (uint32_t)number_of(quorum, key));
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			unsigned place = 0;

			for (const struct conf_check *k = r->checks; k; k = k->next, n++) {
				struct shared_frozen *to = &m->frozen[n];

				conf_check_key(v, r, place++, key);
				atomic_store(&m->check[n].alive, (uint32_t)number_of(alive, key));
				to->len = bytes_of(bytes_object_get(frozen, key), to->bytes, sizeof(to->bytes));
			}
		}
	}
}

void upgrade_take(struct supervisor *s, const json_t *state)
{
	const json_t *o;

	atomic_store(s->shared->alive_ns, (uint64_t)number(state, "alive_ns"));
	s->fresh = json_is_true(json_object_get(state, "fresh"));
	s->started = json_real_value(json_object_get(state, "started"));
	take_routers(s, json_object_get(state, "routers"));
	take_groups(s, json_object_get(state, "groups"));
	take_orders(s, json_object_get(state, "orders"));
	take_events(s, json_object_get(state, "events"));
	take_checks(s, state);
	o = json_object_get(state, "scripts");
	for (const struct conf_vrrp_script *t = s->conf->scripts; t; t = t->next)
		trackers_restore(s->trackers, t->index, (uint8_t)number_of(o, t->name));
	for (const struct conf_vrrp_script *t = s->conf->misc; t; t = t->next)
		trackers_restore(s->trackers, t->index, (uint8_t)number_of(o, t->name));
	scripts_thaw(s->scripts, json_object_get(state, "programs"));
	mails_thaw(s->mails, json_object_get(state, "mails"));
}
