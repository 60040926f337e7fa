/* SPDX-License-Identifier: MIT */
/*
 * agent-check: a program beside the server says how it feels; what it says of weight, maxconn and state is
 * taken as an operator's word. An agent that is silent says nothing. What it took down only it brings back.
 */
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libhealth/probe_agent.h>

#include "engine/admin.h"
#include "engine/control.h"
#include "log.h"

static void take_weight(struct server *s, const struct health_advice *a)
{
	uint64_t weight = a->weight_kind == HEALTH_WEIGHT_PERCENT
			      ? (uint64_t)s->admin.cfg_weight * (uint64_t)a->weight / 100
			      : (uint64_t)a->weight;

	if (a->weight < 0 ||
	    (a->weight_kind != HEALTH_WEIGHT_PERCENT && a->weight_kind != HEALTH_WEIGHT_ABSOLUTE))
		return;
	if (weight > CFG_WEIGHT_MAX)
		weight = CFG_WEIGHT_MAX;
	if (weight != s->admin.weight)
		admin_set_weight(s->engine, s, (unsigned)weight);
}

static void take_state(struct server *s, enum health_admin said)
{
	if (said == HEALTH_ADMIN_READY)
		admin_set_state(s->engine, s, ADMIN_READY);
	else if (said == HEALTH_ADMIN_DRAIN)
		admin_set_state(s->engine, s, ADMIN_DRAIN);
	else if (said == HEALTH_ADMIN_MAINT)
		admin_set_state(s->engine, s, ADMIN_MAINT);
}

/* `why`: behind "is DOWN" or "is UP" in the log. */
static void take_verdict(struct server *s, enum health_verdict verdict, const char *why)
{
	bool checked_up = s->tracked  ? s->tracked->up
			  : !s->check || health_state_is_up(health_check_state(s->check));
	bool down = verdict == HEALTH_FAIL || verdict == HEALTH_FAIL_NOW;

	if (verdict == HEALTH_NEUTRAL || down == s->agent_down)
		return;
	s->agent_down = down;
	if (s->up != (checked_up && !down))
		server_set_up(s->engine, s, checked_up && !down, false, why);
}

int admin_enable_agent(struct server *s, bool on)
{
	if (!s->agent)
		return -ENOENT;
	s->admin.no_agent = !on;
	health_check_set_paused(s->agent, !on);
	return 0;
}

int admin_set_agent_verdict(struct server *s, bool up)
{
	if (!s->agent)
		return -ENOENT;
	take_verdict(s, up ? HEALTH_OK : HEALTH_FAIL_NOW, ", changed from CLI");
	return 0;
}

int admin_set_agent(struct engine *e, struct server *s, const struct cfg_addr *addr, unsigned port, const char *send)
{
	struct server_admin *a = &s->admin;
	char *copy = send ? strdup(send) : NULL;

	if (!s->agent)
		return -ENOENT;
	if (send && !copy)
		return -ENOMEM;
	if (addr && addr_keep(&a->agent_addr, addr) < 0) {
		free(copy);
		return -ENOMEM;
	}
	if (port)
		a->agent_port = port;
	if (copy) {
		free(a->agent_send);
		a->agent_send = copy;
	}
	return agent_sync(e, s, a->cfg, &a->backend->proxy->set.timeout);
}

bool agent_is_away(enum health_verdict verdict, enum health_code code, unsigned word)
{
	return verdict == HEALTH_NEUTRAL && code != HEALTH_CODE_L7OK && !(code == HEALTH_CODE_L7RSP && word == HEALTH_AGENT_UNKNOWN);
}

void agent_tell(enum health_verdict verdict, unsigned word, const char *text, char *buf, size_t cap)
{
	static const char *const words[] = {
	    [HEALTH_AGENT_DOWN] = "down", [HEALTH_AGENT_FAIL] = "fail", [HEALTH_AGENT_STOPPED] = "stopped"};
	const char *said = verdict != HEALTH_OK && word < sizeof(words) / sizeof(words[0]) ? words[word] : "up";

	if (verdict == HEALTH_NEUTRAL)
		snprintf(buf, cap, *text ? "agent reports an error : %.95s" : "%s", text);
	else
		snprintf(buf, cap, *text ? "via agent : %s (%.95s)" : "via agent : %s", said, text);
}

void agent_result(struct server *s, const struct health_result *r)
{
	bool down = r->verdict == HEALTH_FAIL || r->verdict == HEALTH_FAIL_NOW, away = agent_is_away(r->verdict, r->code, r->status);
	char why[512], told[160] = "";
	const char *info = told;

	take_state(s, r->advice.admin);
	take_weight(s, &r->advice);
	if (r->advice.has_maxconn && r->advice.maxconn != s->admin.maxconn)
		admin_set_maxconn(s->engine, s, r->advice.maxconn);
	if (!away)
		agent_tell(r->verdict, r->status, r->text, told, sizeof(told));
	else if (r->code == HEALTH_CODE_L4CON && r->error)
		info = strerror(r->error);
	snprintf(why, sizeof(why), ", reason: %s%s%s%s%s, check duration: %llums",
		 check_code_text(away ? r->code : down ? HEALTH_CODE_L7STS : HEALTH_CODE_L7OK), away ? "" : ", code: 0",
		 *info ? ", info: \"" : "", info, *info ? "\"" : "", (unsigned long long)(r->total_ns / CFG_MS));
	if (s->log_checks && (away || r->verdict != HEALTH_NEUTRAL) && r->code != s->agent_code)
		server_tell_agent(s, !down && !away, away ? !s->agent_down : !down, why);
	s->agent_code = !away && r->verdict == HEALTH_NEUTRAL ? HEALTH_CODE_INI : r->code;
	take_verdict(s, r->verdict, s->log_checks ? "" : why);
}

void agent_end(struct server *s)
{
	health_check_remove(s->agent);
	s->agent = NULL;
	s->agent_down = false;
}

/* As configured, or as an operator said since. */
int agent_sync(struct engine *e, struct server *s, const struct cfg_server *c, const struct cfg_timeouts *timeouts)
{
	const struct server_admin *a = &s->admin;
	const char *send = a->agent_send ? a->agent_send : c->agent_send;
	const struct health_agent_opts opts = {.size = sizeof(opts), .send = send};
	const struct health_filter_opts filter = {
	    .size = sizeof(filter), .rise = 1, .fall = 1, .interval_ns = c->agent_inter_ns};
	struct cfg_addr target = a->agent_addr ? *a->agent_addr : c->agent_addr ? *c->agent_addr : c->addr;
	in_port_t port = htons((in_port_t)(a->agent_port ? a->agent_port : c->agent_port));
	struct health_check_opts o = {
	    .size = sizeof(o),
	    .destination = &target.sa,
	    .destination_len = target.len,
	    .filter = &filter,
	    .jitter_percent = e->spread_checks,
	    .netns_fd = c->netns ? c->netns->fd : 0,
	    .flags = a->no_agent ? HEALTH_CHECK_PAUSED : 0,
	};
	bool is_new;
	int r;

	s->engine = e;
	check_set_timeouts(c->agent_inter_ns, timeouts, &o);
	if (target.len && target.sa.sa_family != AF_UNIX)
		memcpy((char *)&target.storage + offsetof(struct sockaddr_in, sin_port), &port, sizeof(port));
	if (s->agent && c->agent_check && check_made_is(s->agent_made, &o, c->netns, NULL, send))
		return 0;
	is_new = !s->agent;
	agent_end(s);
	if (!c->agent_check || !target.len || target.sa.sa_family == AF_UNIX)
		return 0;
	first_check_plan(e, is_new, &o);
	r = check_made_set(&s->agent_made, &o, c->netns, NULL, send);
	if (r < 0)
		return r;
	r = health_probe_new(health_probe_agent(), &opts, &o.probe);
	if (r < 0)
		return r;
	r = health_check_add(e->health, &o, s, &s->agent);
	health_probe_free(o.probe); /* the check keeps it */
	return r;
}
