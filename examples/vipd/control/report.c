/* SPDX-License-Identifier: MIT */
#include "control/report.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tracker.h"

#define TRANSITIONS_SHOWN 5

static json_t *ip_json(const struct ha_ip *ip)
{
	char text[HA_IP_TEXT_SIZE] = "";

	if (!ip->family || ha_ip_format(ip, text, sizeof(text)) < 0)
		return json_null();
	return json_string(text);
}

double report_time(uint64_t mono_ns)
{
	return supervisor_now() + ((double)mono_ns - (double)loop_clock_ns()) / 1e9;
}

static json_t *time_json(uint64_t mono_ns)
{
	return mono_ns && mono_ns != HA_VRRP_NEVER ? json_real(report_time(mono_ns)) : json_null();
}

static json_t *seconds_json(uint64_t ns)
{
	return json_real((double)(ns / 1000) / 1e6);
}

/* ---- Instances ---- */

/* With its device where that is another one than the instance's. */
static json_t *addresses_of(const struct conf_instance *i)
{
	json_t *list = json_array();

	for (size_t a = 0; a < i->n_addresses; a++) {
		const char *device = conf_address_device(i, &i->addresses[a]);
		bool elsewhere = strcmp(device, conf_home_device(i)) != 0;
		char ip[HA_IP_TEXT_SIZE] = "";

		ha_ip_format(&i->addresses[a].ip, ip, sizeof(ip));
		json_array_append_new(list, json_sprintf("%s/%u%s%s", ip, i->addresses[a].prefix,
							 elsewhere ? " dev " : "", elsewhere ? device : ""));
	}
	return list;
}

static json_t *faults_of(uint32_t faults)
{
	const char *text[WHY_FAULTS];
	size_t n = why_faults(faults, text);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(text[i]));
	return list;
}

static json_t *senders_of(const struct live_router *r)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < r->n_senders; i++) {
		const struct ha_vrrp_sender *o = &r->sender[i];

		json_array_append_new(
		    list,
		    json_pack("{s:o, s:i, s:i, s:f, s:o, s:I, s:I, s:i, s:o}", "address",
			      ip_json(&o->address), "priority", o->priority, "version", o->version,
			      "advert_interval_s", o->interval_cs / 100.0, "last_heard",
			      time_json(o->last_ns), "adverts", (json_int_t)o->adverts, "missed",
			      (json_int_t)o->missed, "most_missed_in_row", o->missed_in_row,
			      "longest_gap_s", seconds_json(o->longest_ns)));
	}
	return list;
}

/* The names of libha have blanks; members have none. */
static void count_into(json_t *o, const char *name, uint64_t n)
{
	char key[64];

	snprintf(key, sizeof(key), "%s", name);
	for (char *c = key; *c; c++)
		if (*c == ' ')
			*c = '_';
	if (n) /* only what happened: most never does */
		json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *counters_of(const struct live_counters *c)
{
	json_t *o = json_pack(
	    "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "became_master", (json_int_t)c->became_active,
	    "left_master", (json_int_t)c->left_active, "adverts_sent", (json_int_t)c->adverts_sent,
	    "adverts_received", (json_int_t)c->adverts_received, "priority_zero_sent",
	    (json_int_t)c->priority_zero_sent, "priority_zero_received",
	    (json_int_t)c->priority_zero_received, "send_errors", (json_int_t)c->send_errors);
	json_t *dropped = json_object(), *remarks = json_object();

	for (int i = 1; i < HA_VRRP_N_DROPS; i++)
		count_into(dropped, ha_vrrp_drop_name((enum ha_vrrp_drop)i), c->dropped[i]);
	for (int i = 0; i < HA_VRRP_N_REMARKS; i++)
		count_into(remarks, ha_vrrp_remark_name((enum ha_vrrp_remark)i), c->remarks[i]);
	json_object_set_new(o, "dropped", dropped);
	json_object_set_new(o, "remarks", remarks);
	return o;
}

const char *report_track(const struct supervisor *s, uint32_t index)
{
	static const char *const word[] = {"waiting", "up", "down"};
	uint8_t state = trackers_states(s->trackers)[index];

	return state < 3 ? word[state] : "?";
}

/* The state of a neighbour is vrrp's; the log has it. */
static json_t *watch_json(const struct supervisor *s, const struct conf_track_watch *k)
{
	static const char *const type[] = {"file", "process", "bfd"};
	json_t *o =
	    json_pack("{s:s, s:s, s:o, s:b}", "type", type[k->kind], "name", k->name, "weight",
		      k->weight ? json_integer(k->weight) : json_null(), "reverse", k->reverse);
	int32_t value = watches_values(s->watches)[k->watch->index];

	if (k->kind == CONF_WATCH_FILE)
		json_object_set_new(o, "value", json_integer(value));
	else if (k->kind == CONF_WATCH_PROCESS)
		json_object_set_new(o, "state", json_string(value ? "up" : "down"));
	return o;
}

static json_t *trackers_of(const struct supervisor *s, const struct conf_instance *i)
{
	json_t *list = json_array();

	for (size_t t = 0; t < i->n_scripts; t++) {
		const struct conf_track_script *k = &i->scripts[t];

		json_array_append_new(
		    list,
		    json_pack("{s:s, s:s, s:s, s:o, s:b}", "type", "script", "name", k->name,
			      "state", report_track(s, k->script->index), "weight",
			      k->weight == CONF_NO_WEIGHT ? json_null() : json_integer(k->weight),
			      "reverse", k->reverse));
	}
	for (size_t t = 0; t < i->watches.n; t++)
		json_array_append_new(list, watch_json(s, &i->watches.at[t]));
	for (size_t t = 0; t < i->n_interfaces; t++) {
		const struct conf_track_interface *k = &i->interfaces[t];

		json_array_append_new(
		    list,
		    json_pack("{s:s, s:s, s:o, s:b}", "type", "interface", "name", k->name,
			      "weight",
			      k->weight == CONF_NO_WEIGHT ? json_null() : json_integer(k->weight),
			      "reverse", k->reverse));
	}
	return list;
}

static json_t *details_of(const struct supervisor *s, const struct conf_instance *i, size_t index,
			  const struct live_router *r)
{
	bool backup = s->instance[index].state == HA_VRRP_BACKUP && r->status.active.family;
	json_t *master = !backup
			     ? json_null()
			     : json_pack("{s:o, s:i, s:f}", "address", ip_json(&r->status.active),
					 "priority", r->status.active_priority, "advert_interval_s",
					 r->status.active_interval_cs / 100.0);

	return json_pack("{s:i, s:s, s:f, s:b, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "version", i->version, "family", i->family == AF_INET6 ? "IPv6" : "IPv4",
			 "advert_interval_s", (double)i->advert_ms / 1000, "preempt",
			 !i->no_preempt, "preempt_delay_s", (double)i->preempt_delay_ms / 1000,
			 "master", master, "timer", time_json(r->status.timer_ns), "master_down_s",
			 seconds_json(r->status.down_ns), "faults", faults_of(r->status.faults),
			 "trackers", trackers_of(s, i), "peers_heard", senders_of(r), "counters",
			 counters_of(&r->counters), "transitions",
			 events_last(&s->events, "instance", i->name, TRANSITIONS_SHOWN));
}

json_t *report_instance(const struct supervisor *s, const struct conf_instance *i, size_t index,
			bool brief)
{
	const struct heard *h = &s->instance[index];
	struct live_router r;
	char why[256];
	json_t *o;

	live_read_router(&s->live->router[index], &r);
	why_text(&h->why, why, sizeof(why));
	o = json_pack(
	    "{s:s, s:s, s:s, s:o, s:i, s:i, s:s, s:i, s:s?, s:b, s:o}", "name", i->name, "state",
	    why_state((uint32_t)h->state), "why", h->since > 0 ? why : "starting", "since",
	    h->since > 0 ? json_real(h->since) : json_null(), "priority", i->priority,
	    "effective_priority", r.status.priority ? r.status.priority : i->priority, "interface",
	    i->interface, "vrid", i->vrid, "group", i->group ? i->group->name : NULL, "held",
	    s->orders->hold[index], "addresses", addresses_of(i));
	if (o && !brief)
		json_object_update_new(o, details_of(s, i, index, &r));
	return o;
}

static json_t *report_group(const struct supervisor *s, const struct conf_group *g, size_t index)
{
	const struct heard *h = &s->group[index];
	json_t *members = json_array();

	for (size_t i = 0; i < g->n_members; i++)
		json_array_append_new(members, json_string(g->members[i]));
	return json_pack("{s:s, s:s, s:o, s:o}", "name", g->name, "state",
			 why_state((uint32_t)h->state), "since",
			 h->since > 0 ? json_real(h->since) : json_null(), "members", members);
}

json_t *report_script(const struct supervisor *s, const struct conf_vrrp_script *t)
{
	json_t *argv = json_array(), *o;
	uint64_t last_ns;
	const char *result = trackers_result(s->trackers, t->index, &last_ns);

	for (size_t i = 0; t->script.argv && t->script.argv[i]; i++)
		json_array_append_new(argv, json_string(t->script.argv[i]));
	o = json_pack("{s:s, s:s, s:o, s:f, s:f, s:i, s:i}", "name", t->name, "state",
		      report_track(s, t->index), "command", argv, "interval_s",
		      (double)t->interval_ms / 1000, "timeout_s", (double)t->timeout_ms / 1000,
		      "rise", t->rise, "fall", t->fall);
	if (*result) {
		json_object_set_new(o, "last", time_json(last_ns));
		json_object_set_new(o, "text", json_string(result));
	}
	return o;
}

/* ---- Virtual servers ---- */

static size_t count_checks(const struct conf_real *r)
{
	size_t n = 0;

	for (const struct conf_check *k = r->checks; k; k = k->next)
		n++;
	return n;
}

void report_next(const struct conf_virtual *v, struct report_at *at)
{
	at->index++;
	at->real += v->n_reals;
	for (const struct conf_real *r = v->reals; r; r = r->next)
		at->check += count_checks(r);
}

const char *report_check_kind(const struct conf_check *c)
{
	static const char *const name[N_CONF_CHECKS] = {"TCP_CHECK",  "PING_CHECK", "HTTP_GET",
							"SMTP_CHECK", "DNS_CHECK",  "UDP_CHECK",
							"MISC_CHECK", "FILE_CHECK", "BFD_CHECK"};

	return c->kind == CONF_CHECK_HTTP && c->http->tls ? "SSL_GET" : name[c->kind];
}

static json_t *misc_json(const struct supervisor *s, const struct conf_check *k)
{
	uint64_t last_ns;
	const char *result = trackers_result(s->trackers, k->misc->index, &last_ns);
	json_t *o = json_pack("{s:s, s:s}", "type", report_check_kind(k), "state",
			      report_track(s, k->misc->index));

	if (*result) {
		json_object_set_new(o, "last", time_json(last_ns));
		json_object_set_new(o, "text", json_string(result));
	}
	return o;
}

static json_t *check_json(const struct supervisor *s, const struct conf_check *k, size_t index)
{
	struct health_check_status now;
	json_t *o;

	if (k->misc)
		return misc_json(s, k);
	if (k->kind == CONF_CHECK_FILE || k->kind == CONF_CHECK_BFD)
		return json_pack("{s:s, s:s}", "type", report_check_kind(k), "state",
				 atomic_load(&s->shared->check[index].alive) == SHARED_ALIVE_DOWN
				     ? "down"
				     : "up");
	if (!live_read_check(s->live, index, &now))
		return json_pack("{s:s, s:s}", "type", report_check_kind(k), "state", "waiting");
	o = json_pack("{s:s, s:s, s:o, s:o, s:o, s:I, s:I}", "type", report_check_kind(k), "state",
		      health_state_is_up(now.state) ? "up" : "down", "last",
		      time_json(now.last_start_ns), "took_s", seconds_json(now.last_total_ns),
		      "next", time_json(now.next_ns), "runs", (json_int_t)now.runs, "failures",
		      (json_int_t)now.failures);
	json_object_set_new(o, "code", json_string(health_code_name(now.code)));
	/* A server chose it: what is not UTF-8 is not shown. */
	json_object_set_new(o, "text", *now.text ? json_string(now.text) : NULL);
	if (now.error && strcmp(now.text, strerror(now.error)) != 0)
		json_object_set_new(o, "error", json_string(strerror(now.error)));
	return o;
}

static json_t *real_json(const struct supervisor *s, const struct conf_real *r, size_t real,
			 size_t check)
{
	const struct order_real *order = &s->orders->real[real];
	const struct live_real *live = &s->live->real[real];
	int32_t weight = atomic_load(&live->weight);
	json_t *checks = json_array();
	char name[CONF_REAL_NAME_SIZE];

	for (const struct conf_check *k = r->checks; k; k = k->next)
		json_array_append_new(checks, check_json(s, k, check++));
	conf_real_name(r, name, sizeof(name));
	return json_pack(
	    "{s:s, s:s, s:s, s:i, s:o, s:o}", "name", name, "state",
	    atomic_load(&live->alive) ? "up" : "down", "admin", order_admin_name(order->admin),
	    "weight", order->weight != ORDER_NO_WEIGHT ? order->weight : r->weight, "weight_in_use",
	    weight < 0 ? json_null() : json_integer(weight), "checks", checks);
}

static json_t *reals_of(const struct supervisor *s, const struct conf_virtual *v,
			struct report_at at)
{
	json_t *list = json_array();

	for (const struct conf_real *r = v->reals; r; r = r->next) {
		json_array_append_new(list, real_json(s, r, at.real++, at.check));
		at.check += count_checks(r);
	}
	return list;
}

static json_t *sorry_json(const struct supervisor *s, const struct conf_virtual *v, uint32_t index)
{
	char name[CONF_REAL_NAME_SIZE];

	if (!v->sorry)
		return json_null();
	conf_real_name(v->sorry, name, sizeof(name));
	return json_pack("{s:s, s:b}", "name", name, "in_use",
			 atomic_load(&s->live->virtual[index].sorry_weight) >= 0);
}

json_t *report_virtual(const struct supervisor *s, const struct conf_virtual *v,
		       const struct report_at *at, bool brief)
{
	const struct live_virtual *live = &s->live->virtual[at->index];
	int up = 0;
	json_t *o;

	for (size_t i = 0; i < v->n_reals; i++)
		up += atomic_load(&s->live->real[at->real + i].alive) != 0;
	o = json_pack("{s:s, s:s, s:b, s:i, s:i, s:I, s:i, s:i, s:o}", "name", v->name, "scheduler",
		      v->scheduler ? v->scheduler : "wlc", "up", atomic_load(&live->up) != 0,
		      "quorum", v->quorum, "hysteresis", v->hysteresis, "live_weight",
		      (json_int_t)atomic_load(&live->live_weight), "real_servers_up", up,
		      "real_servers_all", (int)v->n_reals, "sorry_server",
		      sorry_json(s, v, at->index));
	if (o && !brief)
		json_object_set_new(o, "real_servers", reals_of(s, v, *at));
	return o;
}

/* ---- All of it ---- */

static json_t *processes(const struct supervisor *s)
{
	json_t *o = json_object();

	for (int r = 0; r < N_ROLES; r++)
		if (s->child[r].wanted)
			json_object_set_new(o, role_name((enum role)r),
					    json_integer(s->child[r].pid));
	return o;
}

/* Who does not answer, and since when what is shown of him is old. */
static json_t *silent(const struct supervisor *s)
{
	const struct fresh *f = &s->fresh_waiters;
	json_t *o = json_object();

	for (int r = 0; r < N_ROLES; r++)
		if (f->silent & 1u << r && s->child[r].wanted)
			json_object_set_new(o, role_name((enum role)r), time_json(f->heard_ns[r]));
	return o;
}

json_t *report_status(const struct supervisor *s)
{
	static const char *const backend[] = {"none", "ipvs", "nft"};
	json_t *instances = json_array(), *groups = json_array(), *virtuals = json_array();
	struct report_at at = {0};
	size_t n = 0;

	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, n++)
		json_array_append_new(instances, report_instance(s, i, n, true));
	n = 0;
	for (const struct conf_group *g = s->conf->groups; g; g = g->next, n++)
		json_array_append_new(groups, report_group(s, g, n));
	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next) {
		json_array_append_new(virtuals, report_virtual(s, v, &at, true));
		report_next(v, &at);
	}
	return json_pack(
	    "{s:s, s:i, s:s?, s:f, s:f, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:o}", "version",
	    VIPD_VERSION, "pid", (int)getpid(), "router_id", s->conf->globals.router_id, "started",
	    s->started, "loaded", s->loaded, "file", s->options->file, "last_reload_refused",
	    s->load_failed, "forwarding_backend",
	    s->conf->n_virtuals ? backend[s->backend] : backend[0], "processes", processes(s), "silent", silent(s),
	    "instances", instances, "groups", groups, "virtual_servers", virtuals);
}
