/* SPDX-License-Identifier: MIT */
#include "control/explain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"

__attribute__((format(printf, 2, 3))) static void say(json_t *list, const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	json_array_append_new(list, json_string(text ? text : ""));
	free(text);
}

static const char *duration(double s, char buf[DURATION_SIZE])
{
	return duration_text(s, true, buf);
}

/* ---- Instances ---- */

static void say_trackers(const struct supervisor *s, const struct conf_instance *i, json_t *list)
{
	for (size_t t = 0; t < i->n_scripts; t++) {
		const struct conf_track_script *k = &i->scripts[t];
		const char *state = report_track(s, k->script->index);

		if (k->weight == CONF_NO_WEIGHT && !strcmp(state, "waiting"))
			say(list, "The script %s has not ended yet: until then nothing begins.",
			    k->name);
		else if (k->weight == CONF_NO_WEIGHT &&
			 strcmp(state, k->reverse ? "down" : "up") != 0)
			say(list,
			    "The script %s is %s, and it has no weight: that alone is a fault.",
			    k->name, state);
		else if (k->weight != CONF_NO_WEIGHT)
			say(list, "The script %s is %s; its weight is %d%s.", k->name, state,
			    k->weight, k->reverse ? ", reversed" : "");
	}
}

static void say_watches(const struct supervisor *s, const struct conf_instance *i, json_t *list)
{
	for (size_t t = 0; t < i->watches.n; t++) {
		const struct conf_track_watch *k = &i->watches.at[t];
		int32_t value = watches_values(s->watches)[k->watch->index];
		const char *reverse = k->reverse ? ", reversed" : "";

		if (k->kind == CONF_WATCH_FILE && !k->weight)
			say(list, "The number in %s is %d; any but 0 is a fault%s.",
			    k->watch->file.path, value, reverse);
		else if (k->kind == CONF_WATCH_FILE)
			say(list, "The number in %s is %d; it counts times %d%s.",
			    k->watch->file.path, value, k->weight, reverse);
		else if (k->kind == CONF_WATCH_PROCESS && !k->weight)
			say(list, "Of the process %s %s run%s.", k->name,
			    value ? "enough" : "too few or too many", reverse);
		else if (k->kind == CONF_WATCH_PROCESS)
			say(list, "Of the process %s %s run; its weight is %d%s.", k->name,
			    value ? "enough" : "too few or too many", k->weight, reverse);
	}
}

/* `why` was said already. */
static void say_fault(const struct supervisor *s, const struct conf_instance *i, size_t index,
		      uint32_t faults, const char *why, json_t *list)
{
	const char *text[WHY_FAULTS];
	char source[HA_IP_TEXT_SIZE];
	size_t n = why_faults(faults, text);

	for (size_t f = 0; f < n; f++)
		if (strcmp(text[f], why) != 0)
			say(list, "It is in FAULT because %s.", text[f]);
	if (s->orders->hold[index])
		say(list, "To let it take part again: lbctl release %s.", i->name);
	if (i->source.family && faults & FAULT_SOURCE &&
	    ha_ip_format(&i->source, source, sizeof(source)) > 0)
		say(list, "Its adverts are to leave from %s.", source);
	if (!strcmp(i->interface, CONF_BY_ROUTE) && faults & FAULT_SOURCE)
		say(list, "Look at: ip address show.");
	else if (faults & (FAULT_INTERFACE | FAULT_SOURCE))
		say(list, "Look at: ip address show dev %s.", i->interface);
}

static const struct ha_vrrp_sender *sender_of(const struct live_router *r, const struct ha_ip *ip)
{
	for (uint32_t n = 0; n < r->n_senders; n++)
		if (!ha_ip_compare(&r->sender[n].address, ip))
			return &r->sender[n];
	return NULL;
}

/* Why the other one stays MASTER, and not we. */
static void say_rivals(const struct conf_instance *i, const struct live_router *r, json_t *list)
{
	int other = r->status.active_priority, own = r->status.priority;

	if (r->status.waits_for_group)
		say(list, "It could be MASTER, but another member of its group %s cannot.",
		    i->group ? i->group->name : "");
	else if (other > own)
		say(list, "That priority is higher than ours, %d.", own);
	else if (other == own)
		say(list, "That priority is the same as ours, and its address is the higher one.");
	else if (i->no_preempt)
		say(list,
		    "That priority is lower than ours, %d, but nopreempt is set: it stays MASTER "
		    "until it fails.",
		    own);
	else if (i->preempt_delay_ms)
		say(list,
		    "That priority is lower than ours, %d: preempt_delay is %g s, and then we take "
		    "over.",
		    own, (double)i->preempt_delay_ms / 1000);
	else
		say(list,
		    "That priority is lower than ours, %d: we take over, unless we have handed "
		    "over to it (lbctl failover), which lasts until it fails.",
		    own);
}

static void say_backup(const struct conf_instance *i, const struct live_router *r, json_t *list)
{
	const struct ha_vrrp_sender *o;
	char master[HA_IP_TEXT_SIZE] = "", when[DURATION_SIZE];

	if (!r->status.active.family) {
		say(list,
		    "No MASTER was heard yet. When none is heard for %.2f s, it becomes MASTER.",
		    (double)r->status.down_ns / 1e9);
		return;
	}
	ha_ip_format(&r->status.active, master, sizeof(master));
	o = sender_of(r, &r->status.active);
	say(list, "%s is MASTER, with priority %d; its last advert came %s ago.", master,
	    r->status.active_priority,
	    duration(o ? supervisor_now() - report_time(o->last_ns) : 0, when));
	say_rivals(i, r, list);
	if (o && o->missed)
		say(list, "%llu of its adverts were missed, at most %d in a row.",
		    (unsigned long long)o->missed, o->missed_in_row);
}

static bool has_dropped(const struct live_router *r)
{
	for (int d = HA_VRRP_DROP_NOT_RUNNING + 1; d < HA_VRRP_N_DROPS; d++)
		if (r->counters.dropped[d])
			return true;
	return false;
}

static void say_master(const struct live_router *r, json_t *list)
{
	uint64_t rivals = r->counters.remarks[HA_VRRP_REMARK_LOSING_ADVERT];
	uint64_t duplicates = r->counters.remarks[HA_VRRP_REMARK_DUPLICATE];

	if (!r->n_senders && has_dropped(r))
		say(list,
		    "Another router of this virtual_router_id was heard, but none of its adverts was "
		    "accepted: there may be two MASTERs.");
	else if (!r->n_senders)
		say(list,
		    "No other router of this virtual_router_id was ever heard: it has no backup, "
		    "or the backup only listens.");
	if (rivals)
		say(list,
		    "%llu adverts of a second MASTER with lower priority were heard: two nodes did "
		    "not hear each other.",
		    (unsigned long long)rivals);
	if (duplicates)
		say(list, "%llu times another machine claimed one of the addresses.",
		    (unsigned long long)duplicates);
}

static void say_drops(const struct live_router *r, json_t *list)
{
	for (uint32_t d = HA_VRRP_DROP_NOT_RUNNING + 1; d < HA_VRRP_N_DROPS; d++) {
		const char *remedy = why_dropped(d);

		if (r->counters.dropped[d])
			say(list, "%llu adverts were dropped: %s%s%s.",
			    (unsigned long long)r->counters.dropped[d],
			    ha_vrrp_drop_name((enum ha_vrrp_drop)d), remedy ? ": " : "",
			    remedy ? remedy : "");
	}
}

json_t *explain_instance(const struct supervisor *s, const struct conf_instance *i, size_t index)
{
	const struct heard *h = &s->instance[index];
	json_t *list = json_array();
	struct live_router r;
	char why[256], when[DURATION_SIZE];

	live_read_router(&s->live->router[index], &r);
	why_text(&h->why, why, sizeof(why));
	if (h->since > 0)
		say(list, "%s has been %s for %s: %s.", i->name, why_state((uint32_t)h->state),
		    duration(supervisor_now() - h->since, when), why);
	else
		say(list, "%s has not begun yet.", i->name);
	if (h->state == HA_VRRP_FAULT)
		say_fault(s, i, index, r.status.faults, why, list);
	else if (h->state == HA_VRRP_BACKUP)
		say_backup(i, &r, list);
	else if (h->state == HA_VRRP_ACTIVE)
		say_master(&r, list);
	if (r.status.priority && r.status.priority != i->priority)
		say(list, "Its priority is %d: %d in the configuration, the rest by trackers.",
		    r.status.priority, i->priority);
	say_trackers(s, i, list);
	say_watches(s, i, list);
	say_drops(&r, list);
	return list;
}

json_t *explain_group(const struct supervisor *s, const struct conf_group *g, size_t index)
{
	const struct heard *h = &s->group[index];
	json_t *list = json_array();
	size_t n = 0;
	char when[DURATION_SIZE];

	if (h->since > 0)
		say(list, "The group %s has been %s for %s. All its members go together.", g->name,
		    why_state((uint32_t)h->state), duration(supervisor_now() - h->since, when));
	else
		say(list, "The group %s has not begun yet.", g->name);
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, n++) {
		json_t *member = i->group == g ? explain_instance(s, i, n) : NULL;

		json_array_extend(list, member);
		json_decref(member);
	}
	return list;
}

static const struct conf_track_script *tracked_by(const struct conf_instance *i,
						  const struct conf_vrrp_script *t)
{
	for (size_t n = 0; n < i->n_scripts; n++)
		if (i->scripts[n].script == t)
			return &i->scripts[n];
	return NULL;
}

json_t *explain_script(const struct supervisor *s, const struct conf_vrrp_script *t)
{
	uint64_t last_ns;
	const char *result = trackers_result(s->trackers, t->index, &last_ns);
	json_t *list = json_array();
	bool any = false;
	char when[DURATION_SIZE];

	if (!*result && t->unused)
		say(list, "The script %s is not run.", t->name);
	else if (!*result)
		say(list, "The script %s has not ended yet.", t->name);
	else
		say(list, "The script %s is %s: %s, %s ago. It runs every %g s.", t->name,
		    report_track(s, t->index), result,
		    duration(supervisor_now() - report_time(last_ns), when),
		    (double)t->interval_ms / 1000);
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next) {
		const struct conf_track_script *k = tracked_by(i, t);

		any |= k != NULL;
		if (k && k->weight == CONF_NO_WEIGHT)
			say(list, "%s tracks it%s without a weight: there a failure is a fault.",
			    i->name, k->reverse ? ", reversed," : "");
		else if (k)
			say(list, "%s tracks it with weight %d%s.", i->name, k->weight,
			    k->reverse ? ", reversed" : "");
	}
	if (!any)
		say(list, "No instance tracks it: write track_script.");
	return list;
}

/* ---- Virtual and real servers ---- */

static void say_check(const struct supervisor *s, const struct conf_check *k, size_t index,
		      json_t *list)
{
	const char *kind = report_check_kind(k);
	struct health_check_status c;
	const char *error = "";
	uint64_t last_ns;
	char when[DURATION_SIZE];

	if (k->misc) {
		error = trackers_result(s->trackers, k->misc->index, &last_ns);
		say(list, "%s %s: %s%s%s.", kind,
		    k->misc->script.argv ? k->misc->script.argv[0] : "",
		    report_track(s, k->misc->index), *error ? ": " : "", error);
		return;
	}
	if (k->kind == CONF_CHECK_FILE) {
		say(list, "%s: the number in track_file %s is %d.", kind, k->track->name,
		    watches_values(s->watches)[k->track->watch->index]);
		return;
	}
	if (k->kind == CONF_CHECK_BFD) {
		say(list, "%s: bfd_instance %s is %s.", kind, k->track->name,
		    watches_values(s->watches)[k->track->watch->index] ? "up" : "down");
		return;
	}
	if (live_read_check(s->live, index, &c) && c.paused) {
		say(list,
		    "%s rests, for ha_suspend: no address of the virtual server is on this "
		    "node.",
		    kind);
		return;
	}
	if (!live_read_check(s->live, index, &c) || !c.last_start_ns) {
		say(list, "%s has not run yet.", kind);
		return;
	}
	if (c.error && c.error != ETIMEDOUT && strcmp(c.text, strerror(c.error)) != 0)
		error = strerror(c.error);
	say(list, "%s is %s: %s%s%s%s%s, %s ago; %llu of %llu runs failed.", kind,
	    health_state_is_up(c.state) ? "up" : "down", health_code_name(c.code),
	    *c.text ? ", " : "", c.text, *error ? ", " : "", error,
	    duration(supervisor_now() - report_time(c.last_start_ns), when),
	    (unsigned long long)c.failures, (unsigned long long)c.runs);
}

static void say_use(const struct supervisor *s, const struct conf_virtual *v, uint32_t index,
		    const char *name, size_t real, json_t *list)
{
	const struct order_real *order = &s->orders->real[real];
	bool alive = atomic_load(&s->live->real[real].alive);
	int32_t weight = atomic_load(&s->live->real[real].weight);

	if (order->admin != ORDER_READY)
		say(list, "An administrator set it to %s: lbctl enable %s undoes that.",
		    order_admin_name(order->admin), name);
	if (order->weight != ORDER_NO_WEIGHT)
		say(list,
		    "An administrator gave it weight %d: lbctl weight %s default undoes that.",
		    order->weight, name);
	if (weight > 0)
		say(list, "It gets connections, with weight %d.", weight);
	else if (weight == 0)
		say(list, "It gets no new connections%s: its weight is 0.",
		    v->persistence_s ? ", but of clients that persistence_timeout binds to it" : "");
	else if (alive && !atomic_load(&s->live->virtual[index].up) && v->sorry)
		say(list, "It is not in use: the sorry server is, for want of the quorum.");
	else
		say(list, "It is not in use.");
}

json_t *explain_real(const struct supervisor *s, const struct conf_virtual *v, uint32_t index,
		     const struct conf_real *r, size_t real, size_t check)
{
	json_t *list = json_array();
	char name[CONF_REAL_NAME_SIZE];

	conf_real_name(r, name, sizeof(name));
	say(list, "%s of %s is %s.", name, v->name,
	    atomic_load(&s->live->real[real].alive) ? "up" : "down");
	if (!r->checks)
		say(list, "It has no check: it is always taken as up.");
	for (const struct conf_check *k = r->checks; k; k = k->next)
		say_check(s, k, check++, list);
	say_use(s, v, index, name, real, list);
	return list;
}

json_t *explain_virtual(const struct supervisor *s, const struct conf_virtual *v,
			const struct report_at *at)
{
	const struct live_virtual *live = &s->live->virtual[at->index];
	json_t *list = json_array();
	struct report_at part = *at;

	say(list, "%s %s its quorum: live weight %lld, quorum %d, hysteresis %d.", v->name,
	    atomic_load(&live->up) ? "has" : "lacks", (long long)atomic_load(&live->live_weight),
	    v->quorum, v->hysteresis);
	if (v->sorry && atomic_load(&live->sorry_weight) >= 0)
		say(list, "The sorry server is in use.");
	if (s->backend == BACKEND_NONE)
		say(list, "The kernel has neither IPVS nor nftables: nothing is served.");
	for (const struct conf_real *r = v->reals; r; r = r->next) {
		json_t *real = explain_real(s, v, at->index, r, part.real++, part.check);

		json_array_extend(list, real);
		json_decref(real);
		for (const struct conf_check *k = r->checks; k; k = k->next)
			part.check++;
	}
	return list;
}
