/* SPDX-License-Identifier: MIT */
/* keepalived.json, in keepalived's fields and with its types: exporters read it. Passwords are left out. */
#include <inttypes.h>
#include <stdio.h>

#include "log.h"
#include "supervisor/state.h"

/* keepalived writes whole seconds without a point. */
static json_t *json_seconds(int64_t ms)
{
	return ms % 1000 ? json_real((double)ms / 1000) : json_integer(ms / 1000);
}

static json_t *json_addresses(const struct conf_instance *i, size_t from, size_t to, bool set)
{
	json_t *list = json_array();
	char text[160];

	for (size_t a = from; a < to; a++) {
		dump_address_text(i, &i->addresses[a], set, text, sizeof(text));
		json_array_append_new(list, json_string(text));
	}
	return list;
}

/* 'COMMAND' 'WORD' ..., as keepalived writes it. */
static json_t *json_command(const struct conf_script *script)
{
	char text[4096] = "";
	size_t at = 0;

	for (const char *const *a = script->argv; a && *a && at < sizeof(text); a++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s'%s'", at ? " " : "", *a);
	return json_string(text);
}

static void add_scripts(json_t *o, const struct conf_notify *n)
{
	const struct {
		const char *name;
		const struct conf_script *script;
	} all[] = {{"script_backup", &n->backup},
		   {"script_master", &n->master},
		   {"script_fault", &n->fault},
		   {"script_stop", &n->stop},
		   {"script_deleted", n->deleted},
		   {"script", &n->any},
		   {"script_master_rx_lower_pri", n->rx_lower}};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i].script && all[i].script->argv)
			json_object_set_new(o, all[i].name, json_command(all[i].script));
}

/* An empty list is left out. */
static void add_list(json_t *o, const char *name, json_t *list)
{
	if (json_array_size(list))
		json_object_set(o, name, list);
	json_decref(list);
}

static void add_routes(json_t *o, const struct conf_instance *i)
{
	json_t *routes = json_array(), *rules = json_array();

	for (size_t n = 0; n < i->n_routes; n++)
		json_array_append_new(routes, json_string(i->routes[n].text));
	for (size_t n = 0; n < i->n_rules; n++)
		json_array_append_new(rules, json_string(i->rules[n].text));
	add_list(o, "vroutes", routes);
	add_list(o, "vrules", rules);
}

static void add_trackers(json_t *o, const struct conf_instance *i)
{
	json_t *interfaces = json_array(), *scripts = json_array(), *processes = json_array();

	for (size_t n = 0; n < i->n_interfaces; n++)
		json_array_append_new(interfaces, json_string(i->interfaces[n].name));
	for (size_t n = 0; n < i->n_scripts; n++)
		json_array_append_new(scripts, json_command(&i->scripts[n].script->script));
	for (size_t n = 0; n < i->watches.n; n++)
		if (i->watches.at[n].kind == CONF_WATCH_PROCESS)
			json_array_append_new(processes, json_string(i->watches.at[n].name));
	add_list(o, "track_ifp", interfaces);
	add_list(o, "track_script", scripts);
	add_list(o, "track_process", processes);
}

/* Its fields, in its order and with its types: flags of one bit are numbers there. */
static json_t *json_data(const struct conf_instance *i, const struct heard *h,
			 const struct live_router *r)
{
	bool master = h->state == HA_VRRP_ACTIVE;
	json_t *o = json_pack("{s:s, s:i, s:i, s:i, s:s, s:s, s:i, s:f}", "iname", i->name,
			      "dont_track_primary", i->dont_track_primary, "skip_check_adv_addr",
			      i->any_addresses, "strict_mode", i->strict == 1, "vmac_ifname",
			      i->vmac ? i->vmac->name : "", "ifp_ifname",
			      i->vmac ? i->vmac->name : i->interface, "master_priority",
			      r->status.active_priority, "last_transition", h->since);

	if (!o)
		return NULL;
	json_object_set_new(o, "garp_delay", json_seconds(i->garp.delay_ms));
	json_object_set_new(o, "garp_refresh", json_seconds(i->garp.refresh_ms));
	json_object_set_new(o, "garp_rep", json_integer(i->garp.repeat));
	json_object_set_new(o, "garp_refresh_rep", json_integer(i->garp.refresh_repeat));
	json_object_set_new(o, "garp_lower_prio_delay", json_seconds(i->garp.lower_delay_ms));
	json_object_set_new(o, "garp_lower_prio_rep", json_integer(i->garp.lower_repeat));
	json_object_set_new(o, "lower_prio_no_advert", json_integer(i->no_reply));
	json_object_set_new(o, "higher_prio_send_advert", json_integer(i->last_advert));
	json_object_set_new(o, "vrid", json_integer(i->vrid));
	json_object_set_new(o, "base_priority", json_integer(i->priority));
	json_object_set_new(o, "effective_priority", json_integer(dump_effective_priority(i, r)));
	json_object_set_new(o, "vipset", json_boolean(master));
	json_object_set_new(o, "promote_secondaries", json_boolean(i->promote_secondaries));
	json_object_set_new(o, "adver_int", json_seconds(i->advert_ms));
	json_object_set_new(o, "master_adver_int",
			    json_seconds(r->status.active_interval_cs * INT64_C(10)));
	json_object_set_new(o, "accept", json_integer(!i->no_accept));
	json_object_set_new(o, "nopreempt", json_boolean(i->no_preempt));
	json_object_set_new(o, "preempt_delay", json_seconds(i->preempt_delay_ms));
	json_object_set_new(o, "state", json_integer(h->state));
	json_object_set_new(o, "wantstate", json_integer(h->state));
	json_object_set_new(o, "version", json_integer(i->version));
	json_object_set_new(o, "smtp_alert", json_boolean(i->smtp_alert == 1));
	json_object_set_new(o, "notify_deleted", json_boolean(i->tell_deleted));
	add_scripts(o, &i->notify);
	json_object_set_new(o, "vips", json_addresses(i, 0, i->n_advertised, master));
	if (i->n_addresses > i->n_advertised)
		json_object_set_new(o, "evips",
				    json_addresses(i, i->n_advertised, i->n_addresses, master));
	add_routes(o, i);
	add_trackers(o, i);
	json_object_set_new(o, "auth_type", json_integer(!i->auth_pass ? 0 : i->auth_ah ? 2 : 1));
	return o;
}

static json_t *json_stats(const struct live_counters *c)
{
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
	    {"advert_rcvd", c->adverts_received},
	    {"advert_sent", c->adverts_sent},
	    {"become_master", c->became_active},
	    {"release_master", c->left_active},
	    {"packet_len_err", c->DUMP_DROPPED(LENGTH)},
	    {"advert_interval_err", c->DUMP_DROPPED(ADVERT_INTERVAL)},
	    {"ip_ttl_err", c->DUMP_DROPPED(TTL)},
	    {"invalid_type_rcvd", c->DUMP_DROPPED(TYPE)},
	    {"addr_list_err", c->DUMP_DROPPED(ADDRESS_LIST)},
	    {"invalid_authtype", c->DUMP_DROPPED(AUTH_TYPE)},
	    {"authtype_mismatch", c->DUMP_DROPPED(AUTH_MISMATCH)},
	    {"auth_failure", c->DUMP_DROPPED(AUTH_FAILURE)},
	    {"pri_zero_rcvd", c->priority_zero_received},
	    {"pri_zero_sent", c->priority_zero_sent},
	};
	json_t *o = json_object();

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		json_object_set_new(o, all[i].name, json_integer((json_int_t)all[i].value));
	return o;
}

/* Of json_version 2. */
static json_t *json_process(const struct supervisor *s, const struct conf_watch *w)
{
	static const char *const match[] = {
	    [CONF_MATCH_EXACT] = "exact",
	    [CONF_MATCH_PARTIAL] = "partial",
	    [CONF_MATCH_INITIAL] = "initial",
	};
	char parameters[1024] = "";
	size_t at = 0;
	json_t *o = json_pack("{s:s}", "process", w->process.argv[0]);

	for (size_t a = 1; a < w->process.n_argv && at < sizeof(parameters); a++)
		at += (size_t)snprintf(parameters + at, sizeof(parameters) - at, "%s%s",
				       at ? " " : "", w->process.argv[a]);
	if (at)
		json_object_set_new(o, "parameters", json_string(parameters));
	json_object_set_new(o, "param_match",
			    json_string(w->process.n_argv > 1 ? match[w->process.match] : "none"));
	json_object_set_new(o, "min_processes", json_integer(w->process.quorum));
	if (w->process.quorum_max != CONF_UNSET)
		json_object_set_new(o, "max_processes", json_integer(w->process.quorum_max));
	json_object_set_new(o, "current_processes",
			    json_integer(watches_processes(s->watches, w->index)));
	json_object_set_new(o, "have_quorum", json_boolean(watches_values(s->watches)[w->index]));
	json_object_set_new(o, "weight", json_integer(w->reverse ? -w->weight : w->weight));
	json_object_set_new(o, "terminate_delay", json_seconds(w->process.terminate_ms));
	json_object_set_new(o, "fork_delay", json_seconds(w->process.fork_ms));
	json_object_set_new(o, "full_command", json_boolean(w->process.whole));
	return o;
}

/* One object at a time: an array of thousands is never whole in memory. */
static void write_one(FILE *f, bool first, json_t *o)
{
	fputs(first ? "" : ",", f);
	if (!o || json_dumpf(o, f, JSON_COMPACT | JSON_REAL_PRECISION(16)) < 0)
		log_err("out of memory: keepalived.json is not whole");
	json_decref(o);
}

static void write_processes(const struct supervisor *s, FILE *f)
{
	bool first = true;

	for (const struct conf_watch *w = s->conf->watches; w; w = w->next) {
		if (w->kind != CONF_WATCH_PROCESS)
			continue;
		fputs(first ? ",\"track_process\":[" : "", f);
		write_one(f, first, json_process(s, w));
		first = false;
	}
	fputs(first ? "" : "]", f);
}

void dump_json(struct supervisor *s, void *userdata)
{
	bool whole = s->conf->globals.json_version == 2;
	char path[4096];
	FILE *f = dump_open(s->conf->globals.json_dump, "keepalived.json", path, sizeof(path));
	struct live_router r;
	size_t n = 0;

	if (!f)
		return;
	fputs(whole ? "{\"vrrp\":[" : "[", f);
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, n++) {
		live_read_router(&s->live->router[n], &r);
		write_one(f, !n,
			  json_pack("{s:o, s:o}", "data", json_data(i, &s->instance[n], &r),
				    "stats", json_stats(&r.counters)));
	}
	fputc(']', f);
	if (whole) {
		write_processes(s, f);
		fputc('}', f);
	}
	fputc('\n', f);
	dump_close(f, path);
}
