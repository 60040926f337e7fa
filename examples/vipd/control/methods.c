/* SPDX-License-Identifier: MIT */
/* What can be asked and ordered over the control socket; docs/control-socket.md lists it for people. */
#include <string.h>
#include <unistd.h>

#include <libha/service.h>

#include "control/control.h"
#include "control/explain.h"
#include "log.h"
#include "control/report.h"
#include "tracker.h"

#define EVENTS_DEFAULT 20

/* ---- Parameters ---- */

/* A text, NULL when it is not there. Another type is an error. */
static const char *text_param(struct control_call *c, const char *name)
{
	const json_t *value = json_object_get(c->params, name);

	if (value && !json_is_string(value))
		control_fail(c, CONTROL_NO_PARAMS, "%s must be a text", name);
	return json_string_value(value);
}

static bool flag_param(struct control_call *c, const char *name)
{
	const json_t *value = json_object_get(c->params, name);

	if (value && !json_is_boolean(value))
		control_fail(c, CONTROL_NO_PARAMS, "%s must be true or false", name);
	return json_is_true(value);
}

/* ---- Finding ---- */

static const struct conf_instance *find_instance(struct control_call *c, size_t *ret_index)
{
	const char *name = text_param(c, "instance");
	size_t n = 0;

	if (!name) {
		if (!c->error)
			control_fail(c, CONTROL_NO_PARAMS, "name an instance");
		return NULL;
	}
	for (const struct conf_instance *i = c->s->conf->instances; i; i = i->next, n++) {
		if (!strcmp(i->name, name)) {
			*ret_index = n;
			return i;
		}
	}
	control_fail(c, CONTROL_NOT_FOUND, "there is no instance \"%.63s\"", name);
	return NULL;
}

/* A real server, of each virtual server that has it, or of the one that is named. */
struct found {
	const struct conf_virtual *virtual;
	const struct conf_real *real;
	struct msg at;	   /* index, index2 */
	size_t real_index; /* in arrays of all */
	size_t check_index;
};
typedef void found_fn(struct control_call *c, const struct found *f, void *userdata);

static void each_of(struct control_call *c, const struct conf_virtual *v, struct report_at at,
		    const char *name, found_fn *fn, void *userdata, size_t *n)
{
	struct found f = {.virtual = v, .at.index = at.index};
	char own[CONF_REAL_NAME_SIZE];

	f.real_index = at.real;
	f.check_index = at.check;
	for (f.real = v->reals; f.real; f.real = f.real->next) {
		conf_real_name(f.real, own, sizeof(own));
		if (!strcmp(own, name)) {
			fn(c, &f, userdata);
			++*n;
		}
		f.at.index2++;
		f.real_index++;
		for (const struct conf_check *k = f.real->checks; k; k = k->next)
			f.check_index++;
	}
}

static void each_real(struct control_call *c, found_fn *fn, void *userdata)
{
	const char *name = text_param(c, "real_server"), *in = text_param(c, "virtual_server");
	struct report_at at = {0};
	size_t n = 0;

	if (!name && !c->error)
		control_fail(c, CONTROL_NO_PARAMS, "name a real_server, as \"ADDRESS:PORT\"");
	if (c->error)
		return;
	for (const struct conf_virtual *v = c->s->conf->virtuals; v; v = v->next) {
		if (!in || !strcmp(in, v->name))
			each_of(c, v, at, name, fn, userdata, &n);
		report_next(v, &at);
	}
	if (!n)
		control_fail(c, CONTROL_NOT_FOUND, "there is no real server \"%.60s\"%s%.60s%s",
			     name, in ? " in \"" : "", in ? in : "", in ? "\"" : "");
}

/* ---- Showing ---- */

static void do_status(struct control_call *c)
{
	c->result = report_status(c->s);
}

static bool is_asked(const char *asked, const char *name, bool all)
{
	return all || (asked && !strcmp(asked, name));
}

static void do_show(struct control_call *c)
{
	const char *instance = text_param(c, "instance"),
		   *virtual = text_param(c, "virtual_server");
	json_t *instances = json_array(), *virtuals = json_array(), *scripts = json_array();
	bool all = !instance && !virtual;
	struct report_at at = {0};
	size_t n = 0;

	for (const struct conf_instance *i = c->s->conf->instances; i; i = i->next, n++)
		if (is_asked(instance, i->name, all))
			json_array_append_new(instances, report_instance(c->s, i, n, false));
	for (const struct conf_virtual *v = c->s->conf->virtuals; v; v = v->next) {
		if (is_asked(virtual, v->name, all))
			json_array_append_new(virtuals, report_virtual(c->s, v, &at, false));
		report_next(v, &at);
	}
	for (const struct conf_vrrp_script *t = c->s->conf->scripts; t && all; t = t->next)
		json_array_append_new(scripts, report_script(c->s, t));
	if (!all && !json_array_size(instances) && !json_array_size(virtuals) && !c->error)
		control_fail(c, CONTROL_NOT_FOUND, "there is no \"%.60s\"",
			     instance ? instance : virtual);
	c->result = json_pack("{s:o, s:o, s:o}", "instances", instances, "virtual_servers",
			      virtuals, "scripts", scripts);
}

static void explain_found(struct control_call *c, const struct found *f, void *userdata)
{
	json_t *more =
	    explain_real(c->s, f->virtual, f->at.index, f->real, f->real_index, f->check_index);

	json_array_extend(userdata, more);
	json_decref(more);
}

static json_t *explain_virtual_named(struct control_call *c, const char *name)
{
	struct report_at at = {0};

	for (const struct conf_virtual *v = c->s->conf->virtuals; v; v = v->next) {
		if (!strcmp(v->name, name))
			return explain_virtual(c->s, v, &at);
		report_next(v, &at);
	}
	control_fail(c, CONTROL_NOT_FOUND, "there is no virtual server \"%.60s\"", name);
	return NULL;
}

static json_t *explain_group_named(struct control_call *c, const char *name)
{
	size_t n = 0;

	for (const struct conf_group *g = c->s->conf->groups; g; g = g->next, n++)
		if (!strcmp(g->name, name))
			return explain_group(c->s, g, n);
	control_fail(c, CONTROL_NOT_FOUND, "there is no group \"%.60s\"", name);
	return NULL;
}

static json_t *explain_script_named(struct control_call *c, const char *name)
{
	for (const struct conf_vrrp_script *t = c->s->conf->scripts; t; t = t->next)
		if (!strcmp(t->name, name))
			return explain_script(c->s, t);
	control_fail(c, CONTROL_NOT_FOUND, "there is no vrrp_script \"%.60s\"", name);
	return NULL;
}

static void do_explain(struct control_call *c)
{
	const char *virtual = text_param(c, "virtual_server"), *group = text_param(c, "group"),
		   *script = text_param(c, "script");
	const struct conf_instance *i;
	json_t *list = NULL;
	size_t index;

	if (json_object_get(c->params, "real_server")) {
		list = json_array();
		each_real(c, explain_found, list);
	} else if (virtual) {
		list = explain_virtual_named(c, virtual);
	} else if (group) {
		list = explain_group_named(c, group);
	} else if (script) {
		list = explain_script_named(c, script);
	} else if ((i = find_instance(c, &index))) {
		list = explain_instance(c->s, i, index);
	}
	if (list)
		c->result = json_pack("{s:o}", "sentences", list);
}

static void do_events(struct control_call *c)
{
	const json_t *limit = json_object_get(c->params, "limit");

	if (limit && (!json_is_integer(limit) || json_integer_value(limit) < 0))
		control_fail(c, CONTROL_NO_PARAMS, "limit must be a whole number from 0");
	else
		c->result = json_pack(
		    "{s:o}", "events",
		    events_last(&c->s->events, NULL, NULL,
				limit ? (size_t)json_integer_value(limit) : EVENTS_DEFAULT));
}

static void do_subscribe(struct control_call *c)
{
	c->subscribe = true;
	c->result = json_pack("{s:b}", "subscribed", true);
}

static const struct control_method *method_at(size_t index); /* NULL: there are no more */

static void do_help(struct control_call *c)
{
	const struct control_method *m;

	c->result = json_array();
	for (size_t i = 0; (m = method_at(i)); i++) {
		json_t *params = json_array();

		for (size_t p = 0; m->params[p]; p++)
			json_array_append_new(params, json_string(m->params[p]));
		json_array_append_new(c->result, json_pack("{s:s, s:o, s:s}", "method", m->name,
							   "params", params, "help", m->help));
	}
}

/* ---- Orders ---- */

/* Whoever ordered it stands in the log and in the events. */
static void record(struct control_call *c, const char *what, const char *name)
{
	log_notice("control socket: %s %s, by user %d (process %d)", what, name, (int)c->who.uid,
		   (int)c->who.pid);
	events_add(&c->s->events, json_pack("{s:s, s:s, s:s, s:i}", "type", "order", "order", what,
					    "name", name, "uid", (int)c->who.uid));
}

static bool send_to(struct control_call *c, enum role role, const struct msg *m)
{
	if (c->s->phase == PHASE_RUN && c->s->child[role].pid &&
	    msg_send(c->s->control[role][0], m, -1) >= 0)
		return true;
	control_fail(c, CONTROL_NOT_NOW, "%s does not run at the moment: try again in a second",
		     role_name(role));
	return false;
}

static void order_instance(struct control_call *c, const char *what, enum msg_order order,
			   bool force)
{
	struct msg m = {.type = MSG_ORDER, .value = (int32_t)order, .extra = force};
	size_t index = 0;
	const struct conf_instance *i = find_instance(c, &index);

	if (!i || c->error)
		return;
	m.index = (uint32_t)index;
	if (order == ORDER_FAILOVER && c->s->instance[index].state != HA_VRRP_ACTIVE) {
		control_fail(c, CONTROL_NOT_NOW,
			     "%s is %s: only a MASTER can hand over. Ask the node that is MASTER",
			     i->name, why_state((uint32_t)c->s->instance[index].state));
		return;
	}
	if (!send_to(c, ROLE_VRRP, &m))
		return;
	if (order == ORDER_HOLD || order == ORDER_RELEASE)
		c->s->orders->hold[index] = order == ORDER_HOLD;
	record(c, what, i->name);
	c->result = json_pack("{s:b}", "ordered", true);
}

static void do_failover(struct control_call *c)
{
	order_instance(c, "failover", ORDER_FAILOVER, false);
}

static void do_hold(struct control_call *c)
{
	order_instance(c, "hold", ORDER_HOLD, flag_param(c, "force"));
}

static void do_release(struct control_call *c)
{
	order_instance(c, "release", ORDER_RELEASE, false);
}

static void do_announce(struct control_call *c)
{
	order_instance(c, "announce", ORDER_ANNOUNCE, false);
}

struct real_order {
	const char *what;
	int admin;	/* -1: as it is */
	int32_t weight; /* with admin -1 */
};

static void order_found(struct control_call *c, const struct found *f, void *userdata)
{
	struct order_real *order = &c->s->orders->real[f->real_index];
	const struct real_order *ask = userdata;
	struct msg m = f->at;
	char name[CONF_REAL_NAME_SIZE];

	if (c->error)
		return;
	m.type = MSG_ORDER;
	m.value = ask->admin < 0 ? order->admin : ask->admin;
	m.extra = ask->admin < 0 ? ask->weight : order->weight;
	if (!send_to(c, ROLE_HEALTH, &m))
		return;
	order->admin = (uint8_t)m.value;
	order->weight = m.extra;
	conf_real_name(f->real, name, sizeof(name));
	record(c, ask->what, name);
}

static void order_real(struct control_call *c, const struct real_order *ask)
{
	struct real_order copy = *ask;

	each_real(c, order_found, &copy);
	if (!c->error)
		c->result = json_pack("{s:b}", "ordered", true);
}

static void do_drain(struct control_call *c)
{
	order_real(c, &(struct real_order){.what = "drain", .admin = ORDER_DRAIN});
}

static void do_disable(struct control_call *c)
{
	order_real(c, &(struct real_order){.what = "disable", .admin = ORDER_DISABLED});
}

static void do_enable(struct control_call *c)
{
	order_real(c, &(struct real_order){.what = "enable", .admin = ORDER_READY});
}

static void do_weight(struct control_call *c)
{
	const json_t *weight = json_object_get(c->params, "weight");
	struct real_order ask = {.what = "weight", .admin = -1, .weight = ORDER_NO_WEIGHT};

	if (json_is_integer(weight) && json_integer_value(weight) >= 0 &&
	    json_integer_value(weight) <= HA_WEIGHT_MAX)
		ask.weight = (int32_t)json_integer_value(weight);
	else if (!json_is_null(weight))
		control_fail(c, CONTROL_NO_PARAMS,
			     "weight must be 0 to %d, or null for the configuration's",
			     HA_WEIGHT_MAX);
	if (!c->error)
		order_real(c, &ask);
}

static void check_found(struct control_call *c, const struct found *f, void *userdata)
{
	struct msg m = f->at;

	m.type = MSG_CHECK;
	if (c->error || !send_to(c, ROLE_HEALTH, &m))
		return;
	for (const struct conf_check *k = f->real->checks; k; k = k->next)
		if (k->misc)
			trackers_run_now(c->s->trackers, k->misc->index);
}

static void do_check(struct control_call *c)
{
	const char *script = text_param(c, "script");
	const struct conf_vrrp_script *t = c->s->conf->scripts;

	if (!script) {
		each_real(c, check_found, NULL);
	} else {
		while (t && strcmp(t->name, script) != 0)
			t = t->next;
		if (t)
			trackers_run_now(c->s->trackers, t->index);
		else
			control_fail(c, CONTROL_NOT_FOUND, "there is no vrrp_script \"%.60s\"",
				     script);
	}
	if (!c->error)
		c->result = json_pack("{s:b}", "ordered", true);
}

static void do_reload(struct control_call *c)
{
	if (c->s->phase != PHASE_RUN) {
		control_fail(c, CONTROL_NOT_NOW, "a reload or a stop is going on");
		return;
	}
	record(c, "reload", c->s->options->file);
	phase_reload(c->s);
	if (c->s->phase == PHASE_RUN)
		control_fail(c, CONTROL_NOT_NOW,
			     "%.120s is not taken, and the old configuration goes on: vipd -t -f "
			     "says why",
			     c->s->options->file);
	else
		c->result = json_pack("{s:b}", "ordered", true);
}

static void do_upgrade(struct control_call *c)
{
	const char *program = text_param(c, "program");

	if (!program || *program != '/' || access(program, X_OK) < 0) {
		control_fail(
		    c, CONTROL_NO_PARAMS,
		    "program must be the whole path of a program: ask with vipd --upgrade");
		return;
	}
	if (c->s->phase != PHASE_RUN || !c->s->child[ROLE_KERNEL].pid) {
		control_fail(c, CONTROL_NOT_NOW, "a start, a reload or a stop is going on: try again in a second");
		return;
	}
	record(c, "upgrade", program);
	c->s->upgrade = strdup(program);
	phase_reload(c->s);
	if (c->s->phase == PHASE_RUN)
		control_fail(c, CONTROL_NOT_NOW, "%.120s is not taken: the old program goes on",
			     c->s->options->file);
	else
		c->result = json_pack("{s:b}", "ordered", true);
}

static void do_clear(struct control_call *c)
{
	record(c, "clear", "counters");
	supervisor_clear_counters(c->s);
	c->result = json_pack("{s:b}", "ordered", true);
}

/* ---- The table ---- */

#define INSTANCE                 \
	{                        \
		"instance", NULL \
	}
#define REAL                                          \
	{                                             \
		"real_server", "virtual_server", NULL \
	}

static const struct control_method methods[] = {
    {"help", do_help, false, {NULL}, "what can be asked and ordered"},
    {"status", do_status, true, {NULL}, "instances, groups and virtual servers in short"},
    {"show",
     do_show,
     true,
     {"instance", "virtual_server", NULL},
     "all that is known, of one or of all"},
    {"explain",
     do_explain,
     true,
     {"instance", "group", "script", "real_server", "virtual_server", NULL},
     "in sentences: why it is in its state, and what to do"},
    {"events", do_events, false, {"limit", NULL}, "the last things that happened"},
    {"subscribe", do_subscribe, false, {NULL}, "hear each event as it happens, as notifications"},
    {"failover", do_failover, false, INSTANCE, "a MASTER hands over to another node"},
    {"hold",
     do_hold,
     false,
     {"instance", "force", NULL},
     "hand over and stay in FAULT until released; force: also when no other node takes over"},
    {"release", do_release, false, INSTANCE, "undo hold"},
    {"announce", do_announce, false, INSTANCE,
     "send gratuitous ARP or neighbour advertisements again"},
    {"drain", do_drain, false, REAL, "no new connections to a real server"},
    {"disable", do_disable, false, REAL, "take a real server out of use"},
    {"enable", do_enable, false, REAL, "undo drain and disable"},
    {"weight",
     do_weight,
     false,
     {"real_server", "virtual_server", "weight", NULL},
     "another weight; null: the configuration's"},
    {"check",
     do_check,
     false,
     {"real_server", "virtual_server", "script", NULL},
     "run the checks of a real server, or a vrrp_script, now"},
    {"upgrade", do_upgrade, false, {"program", NULL}, "become another program; nobody notices"},
    {"reload", do_reload, false, {NULL}, "read the configuration again"},
    {"clear", do_clear, false, {NULL}, "counters begin at 0"},
};

static const struct control_method *method_at(size_t index)
{
	return index < sizeof(methods) / sizeof(*methods) ? &methods[index] : NULL;
}

const struct control_method *control_method_find(const char *name)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (!strcmp(methods[i].name, name))
			return &methods[i];
	return NULL;
}
