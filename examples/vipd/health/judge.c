/* SPDX-License-Identifier: MIT */
/* What checks say is judged: which real servers live, and with which weight. */
#include "health/health.h"

#include <string.h>

#include <libha/service.h>

#include "log.h"
#include "service_name.h"

/* As keepalived tells it: a server that has to prove itself (alpha) was down, and now a check of it is known to fail. */
static void tell_first_failure(struct probe *p, const char *why)
{
	if (p->conf->common.alpha != 1 || atomic_load(&p->slot->alive) != SHARED_ALIVE_UNKNOWN)
		return;
	atomic_store(&p->slot->alive, SHARED_ALIVE_DOWN);
	health_tell_real(p->virtual, p->real, why);
}

static void on_real_changed(struct virtual_state *v, uint32_t index, const char *why)
{
	health_tell_real(v, index, why);
	health_recount(v);
}

/* ---- Checks of the library ---- */

static void say_failure(const struct probe *p, const char *why)
{
	const struct conf_virtual *v = p->virtual->conf;
	char name[SERVICE_NAME_SIZE], in[SERVICE_NAME_SIZE];

	log_notice("a check of service %s of VS %s failed: %s",
		   service_real_name(v, probe_real(p), name), service_virtual_name(v, in), why);
}

void health_on_result(struct health_check *check, const struct health_result *res, void *userdata)
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
		health_write_live(p, check);
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

void health_on_transition(struct health_check *check, const struct health_transition *t,
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
		health_write_live(p, check);
		set_passes(p, health_state_is_up(t->to), why);
	}
}

/* ---- Of the supervisor ---- */

int32_t health_weight_of(const struct real_state *r)
{
	int64_t w = r->order.weight != ORDER_NO_WEIGHT ? r->order.weight
						       : r->conf->weight + r->weight_change;

	return w < 0 ? 0 : w > HA_WEIGHT_MAX ? HA_WEIGHT_MAX : (int32_t)w;
}

bool health_take_exit(struct probe *p, int exit_code)
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
bool health_judge_number(struct probe *p, int32_t number)
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
	bool well = health_judge_number(p, number);
	char why[64];

	if (p->weight_change != before) {
		v->real[p->real].weight = health_weight_of(&v->state[p->real]);
		health_recount(v);
	}
	snprintf(why, sizeof(why), "the number in its file is %d", number);
	set_passes(p, well, why);
}

void health_on_watch(struct health *h, uint32_t index, int32_t value)
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

void health_on_misc(struct probe *p, bool passes, int exit_code)
{
	struct virtual_state *v = p->virtual;
	char why[64];

	if (passes && health_take_exit(p, exit_code)) {
		v->real[p->real].weight = health_weight_of(&v->state[p->real]);
		health_recount(v);
	}
	snprintf(why, sizeof(why), "its script %s", passes ? "succeeded" : "failed");
	if (!passes)
		tell_first_failure(p, why);
	set_passes(p, passes, why);
}
