/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "service_name.h"
#include "supervisor/state.h"

/* Objects of the script queue: what happens to one of them keeps its order. */
enum { OBJECT_INSTANCE = 1, OBJECT_GROUP, OBJECT_VIRTUAL, OBJECT_REAL };

static uint64_t object(int kind, uint32_t index)
{
	return (uint64_t)kind << 56 | index;
}

static uint64_t real_object(uint32_t index, uint32_t real)
{
	return object(OBJECT_REAL, index) | (uint64_t)(real & 0xffffff) << 32;
}

static const struct conf_script *script_of(const struct conf_notify *n, enum ha_vrrp_state state)
{
	switch (state) {
	case HA_VRRP_ACTIVE:
		return &n->master;
	case HA_VRRP_BACKUP:
		return &n->backup;
	case HA_VRRP_FAULT:
		return &n->fault;
	default:
		return &n->stop;
	}
}

/* First the script of what happened, with its own words only, then the one for all. */
static void run_both(struct supervisor *s, uint64_t queue, const struct conf_script *own,
		     const struct conf_script *any, const char *const extra[SCRIPT_EXTRA_MAX])
{
	if (own)
		scripts_run(s->scripts, queue, own, NULL);
	scripts_run(s->scripts, queue, any, extra);
}

/* ---- Mail, in keepalived's words ---- */

/* `was`: at the start nobody needs to be told of BACKUP. */
static bool is_worth_mail(const struct supervisor *s, int alert, int32_t was,
			  enum ha_vrrp_state state)
{
	return alert == 1 && state != HA_VRRP_INITIALIZE &&
	       !(was == HA_VRRP_INITIALIZE && state == HA_VRRP_BACKUP) &&
	       !(state == HA_VRRP_FAULT && s->conf->globals.mail.no_faults);
}

static void mail_instance(struct supervisor *s, const struct conf_instance *i,
			  enum ha_vrrp_state state, const char *why)
{
	mails_send(s->mails,
		   state == HA_VRRP_ACTIVE ? "=> VRRP Instance is now owning VRRP VIPs <="
					   : "=> VRRP Instance is no longer owning VRRP VIPs <=",
		   why, "VRRP Instance %s - Entering %s state", i->name, why_state(state));
}

static void mail_group(struct supervisor *s, const struct conf_group *g, enum ha_vrrp_state state)
{
	char body[128];

	snprintf(body, sizeof(body),
		 "=> All VRRP group instances are now in %s state <=", why_state(state));
	mails_send(s->mails, body, "", "VRRP Group %s - Entering %s state", g->name,
		   why_state(state));
}

/* What its checks are called when they are of one kind. */
static const char *check_name(const struct conf_real *r)
{
	static const char *const name[N_CONF_CHECKS] = {
	    [CONF_CHECK_TCP] = "TCP CHECK",   [CONF_CHECK_PING] = "ICMP CHECK",
	    [CONF_CHECK_HTTP] = "CHECK",      [CONF_CHECK_SMTP] = "CHECK",
	    [CONF_CHECK_DNS] = "DNS_CHECK:",  [CONF_CHECK_UDP] = "UDP CHECK",
	    [CONF_CHECK_MISC] = "MISC CHECK", [CONF_CHECK_FILE] = "FILE CHECK",
	    [CONF_CHECK_BFD] = "BFD CHECK"};
	const struct conf_check *c = r->checks;

	for (const struct conf_check *k = c; k; k = k->next)
		if (k->kind != c->kind)
			return "CHECK";
	return c ? name[c->kind] : "CHECK";
}

static const struct conf_instance *instance_at(const struct supervisor *s, uint32_t index)
{
	const struct conf_instance *i = s->conf->instances;

	for (uint32_t n = 0; i && n < index; n++)
		i = i->next;
	return i;
}

/* FIFOs and scripts. `was`: its state before. */
static void tell_instance(struct supervisor *s, const struct conf_instance *i, const struct msg *m, int32_t was)
{
	enum ha_vrrp_state state = (enum ha_vrrp_state)m->value;
	bool gone = s->phase == PHASE_RELOAD && state == HA_VRRP_INITIALIZE;
	bool deleted = gone && i->tell_deleted;
	/* What a reload removes has failed in keepalived's eyes, unless notify_deleted asks for its own word. */
	enum ha_vrrp_state told = gone ? HA_VRRP_FAULT : state;
	const char *what = deleted ? "DELETED" : why_state(told);
	char number[16];
	const char *const extra[SCRIPT_EXTRA_MAX] = {"INSTANCE", i->name, what, number};

	if (gone && !deleted && was == HA_VRRP_FAULT)
		return; /* told already */
	snprintf(number, sizeof(number), "%d", (int)m->extra);
	fifos_write(s->fifos, FIFO_VRRP, "INSTANCE \"%s\" %s %s\n", i->name, what, number);
	run_both(s, object(OBJECT_INSTANCE, m->index),
		 deleted ? i->notify.deleted : script_of(&i->notify, told), &i->notify.any, extra);
}

void notify_instance(struct supervisor *s, const struct msg *m)
{
	const struct conf_instance *i = instance_at(s, m->index);
	enum ha_vrrp_state state = (enum ha_vrrp_state)m->value;
	struct heard *h = &s->instance[m->index];
	int32_t was = h->state;
	char why[256];

	if (!i)
		return;
	h->priority = m->extra;
	/* A vrrp that was started again says where it begins: for the scripts nothing happened. */
	if (h->state == m->value)
		return;
	why_text(&m->why, why, sizeof(why));
	if (is_worth_mail(s, i->smtp_alert, h->state, state))
		mail_instance(s, i, state, why);
	events_add(&s->events, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "type", "transition",
					 "instance", i->name, "from", why_state((uint32_t)h->state),
					 "to", why_state(state), "why", why, "priority", m->extra));
	h->state = m->value;
	h->why = m->why;
	h->since = supervisor_now();
	tell_instance(s, i, m, was);
}

void notify_priority(struct supervisor *s, const struct msg *m)
{
	const struct conf_instance *i = instance_at(s, m->index);

	if (i && (m->extra == HA_VRRP_ACTIVE || m->extra == HA_VRRP_BACKUP))
		fifos_write(s->fifos, FIFO_VRRP, "INSTANCE \"%s\" %s_PRIORITY %d\n", i->name,
			    why_state((uint32_t)m->extra), (int)m->value);
}

void notify_rx_lower(struct supervisor *s, const struct msg *m)
{
	const struct conf_instance *i = instance_at(s, m->index);

	if (!i)
		return;
	fifos_write(s->fifos, FIFO_VRRP, "INSTANCE \"%s\" MASTER_RX_LOWER_PRI %d\n", i->name,
		    (int)m->value);
	if (i->notify.rx_lower)
		scripts_run(s->scripts, object(OBJECT_INSTANCE, m->index), i->notify.rx_lower,
			    NULL);
}

void notify_states_again(struct supervisor *s)
{
	size_t n = 0;

	if (!s->conf->globals.fifo_on_reload)
		return;
	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, n++)
		fifos_write(s->fifos, FIFO_VRRP, "INSTANCE \"%s\" %s %d\n", i->name,
			    why_state((uint32_t)s->instance[n].state), s->instance[n].priority);
	n = 0;
	for (const struct conf_group *g = s->conf->groups; g; g = g->next, n++)
		fifos_write(s->fifos, FIFO_VRRP, "GROUP \"%s\" %s 0\n", g->name,
			    why_state((uint32_t)s->group[n].state));
}

void notify_remark(struct supervisor *s, uint32_t index, uint32_t remark)
{
	const struct conf_instance *i = instance_at(s, index);
	const char *text = why_remark(remark);

	if (!i || !text)
		return;
	/* Nobody came, so it is not held either. */
	if (remark == HA_VRRP_REMARK_NO_HEIR)
		s->orders->hold[index] = false;
	events_add(&s->events,
		   json_pack("{s:s, s:s, s:s, s:s}", "type", "remark", "instance", i->name,
			     "remark", ha_vrrp_remark_name((enum ha_vrrp_remark)remark), "text",
			     text));
}

void notify_group(struct supervisor *s, const struct msg *m)
{
	const struct conf_group *g = s->conf->groups;
	enum ha_vrrp_state state = (enum ha_vrrp_state)m->value;
	struct heard *h = &s->group[m->index];
	/* As keepalived's: a reload that makes a group of what runs, or takes it away, is told to nobody. */
	bool silent = m->extra || (s->phase == PHASE_RELOAD && state == HA_VRRP_INITIALIZE);

	for (uint32_t n = 0; g && n < m->index; n++)
		g = g->next;
	if (!g || h->state == m->value)
		return;
	if (!silent && is_worth_mail(s, g->smtp_alert, h->state, state))
		mail_group(s, g, state);
	events_add(&s->events,
		   json_pack("{s:s, s:s, s:s, s:s}", "type", "group_transition", "group", g->name,
			     "from", why_state((uint32_t)h->state), "to", why_state(state)));
	h->state = m->value;
	h->since = supervisor_now();
	if (silent)
		return;
	fifos_write(s->fifos, FIFO_VRRP, "GROUP \"%s\" %s 0\n", g->name, why_state(state));
	run_both(s, object(OBJECT_GROUP, m->index), script_of(&g->notify, state), &g->notify.any,
		 (const char *[SCRIPT_EXTRA_MAX]){"GROUP", g->name, why_state(state), "0"});
}

static bool goes_on(const struct conf_instance *i, const struct conf *next)
{
	for (const struct conf_instance *n = next ? next->instances : NULL; n; n = n->next)
		if (conf_same_instance(i, n))
			return true;
	return false;
}

/* What a vrrp that died could not say any more: who ends with this stop or reload. */
void notify_ended(struct supervisor *s, const struct conf *next)
{
	struct msg m = {.value = HA_VRRP_INITIALIZE};

	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, m.index++) {
		m.extra = s->instance[m.index].priority;
		if (!goes_on(i, next))
			notify_instance(s, &m);
	}
	m = (struct msg){.value = HA_VRRP_INITIALIZE};
	for (const struct conf_group *g = s->conf->groups; g && !next; g = g->next, m.index++)
		notify_group(s, &m);
}

static const struct conf_virtual *virtual_at(const struct supervisor *s, uint32_t index)
{
	const struct conf_virtual *v = s->conf->virtuals;

	for (uint32_t n = 0; v && n < index; n++)
		v = v->next;
	return v;
}

static void mail_real(struct supervisor *s, const struct conf_virtual *v, const struct conf_real *r,
		      bool up)
{
	char name[SERVICE_NAME_SIZE], in[SERVICE_NAME_SIZE], body[64];

	snprintf(body, sizeof(body), "=> %s %s on service <=", check_name(r),
		 up ? "succeed" : "failed");
	mails_send(s->mails, body, "", "Realserver %s of virtual server %s - %s",
		   service_real_name(v, r, name), service_virtual_name(v, in), up ? "UP" : "DOWN");
}

static void mail_quorum(struct supervisor *s, const struct conf_virtual *v, bool up, int32_t live)
{
	char in[SERVICE_NAME_SIZE], body[128];

	snprintf(body, sizeof(body), "=> %s quorum %d+%d=%lld <= %d <=", up ? "Gained" : "Lost",
		 v->quorum, v->hysteresis, (long long)v->quorum + v->hysteresis, (int)live);
	mails_send(s->mails, body, "", "Virtualserver %s - %s", service_virtual_name(v, in),
		   up ? "UP" : "DOWN");
}

static void run_up_down(struct supervisor *s, uint64_t queue, const struct conf_up_down *script,
			bool up)
{
	if (script)
		scripts_run(s->scripts, queue, up ? &script->up : &script->down, NULL);
}

void notify_real(struct supervisor *s, const struct msg *m)
{
	const struct conf_virtual *v = virtual_at(s, m->index);
	const struct conf_real *r = v ? v->reals : NULL;
	bool up = m->value == 1;
	char own[CONF_REAL_NAME_SIZE], name[SERVICE_NAME_SIZE], in[SERVICE_NAME_SIZE];

	for (uint32_t n = 0; r && n < m->index2; n++)
		r = r->next;
	if (!r)
		return;
	conf_real_name(r, own, sizeof(own));
	events_add(&s->events,
		   json_pack("{s:s, s:s, s:s, s:s}", "type", "real_server", "virtual_server",
			     v->name, "real_server", own, "to", up ? "up" : "down"));
	fifos_write(s->fifos, FIFO_LVS, "RS %s %s %s\n", service_real_name(v, r, name),
		    service_virtual_name(v, in), up ? "UP" : "DOWN");
	if (r->opts->smtp_alert == 1 && !m->extra)
		mail_real(s, v, r, up);
	run_up_down(s, real_object(m->index, m->index2), r->opts->notify, up);
}

void notify_quorum(struct supervisor *s, const struct msg *m)
{
	const struct conf_virtual *v = virtual_at(s, m->index);
	bool up = m->value == 1, first = m->index2 == 1;
	char name[SERVICE_NAME_SIZE];

	if (!v)
		return;
	fifos_write(s->fifos, FIFO_LVS, "VS %s %s\n", service_virtual_name(v, name),
		    up ? "UP" : "DOWN");
	if (!first)
		events_add(&s->events,
			   json_pack("{s:s, s:s, s:s}", "type", "quorum", "virtual_server", v->name,
				     "to", up ? "gained" : "lost"));
	if (v->smtp_alert == 1 && !first)
		mail_quorum(s, v, up, m->extra);
	run_up_down(s, object(OBJECT_VIRTUAL, m->index), v->quorum_notify, up);
}
