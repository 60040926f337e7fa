/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "supervisor_state.h"

/* Objects of the script queue: what happens to one of them keeps its order. */
enum { OBJECT_INSTANCE = 1, OBJECT_GROUP, OBJECT_VIRTUAL };

static uint64_t object(int kind, uint32_t index)
{
	return (uint64_t)kind << 32 | index;
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

/* First the script of the state, with its own words only, then the one for all. */
static void notify(struct supervisor *s, uint64_t queue, const struct conf_notify *n,
		   const char *type, const char *name, enum ha_vrrp_state state, int priority)
{
	char number[16];
	const char *const extra[SCRIPT_EXTRA_MAX] = {type, name, why_state(state), number};

	snprintf(number, sizeof(number), "%d", priority);
	scripts_run(s->scripts, queue, script_of(n, state), NULL);
	scripts_run(s->scripts, queue, &n->any, extra);
}

static const struct conf_instance *instance_at(const struct supervisor *s, uint32_t index)
{
	const struct conf_instance *i = s->conf->instances;

	for (uint32_t n = 0; i && n < index; n++)
		i = i->next;
	return i;
}

void notify_instance(struct supervisor *s, const struct msg *m)
{
	const struct conf_instance *i = instance_at(s, m->index);
	enum ha_vrrp_state state = (enum ha_vrrp_state)m->value;
	struct heard *h = &s->instance[m->index];
	char why[256];

	if (!i)
		return;
	h->priority = m->extra;
	/* A vrrp that was started again says where it begins: for the scripts nothing happened. */
	if (h->state == m->value)
		return;
	why_text(&m->why, why, sizeof(why));
	events_add(&s->events, json_pack("{s:s, s:s, s:s, s:s, s:s, s:i}", "type", "transition",
					 "instance", i->name, "from", why_state((uint32_t)h->state),
					 "to", why_state(state), "why", why, "priority", m->extra));
	h->state = m->value;
	h->why = m->why;
	h->since = supervisor_now();
	notify(s, object(OBJECT_INSTANCE, m->index), &i->notify, "INSTANCE", i->name, state,
	       m->extra);
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

void notify_group(struct supervisor *s, uint32_t index, enum ha_vrrp_state state)
{
	const struct conf_group *g = s->conf->groups;

	for (uint32_t n = 0; g && n < index; n++)
		g = g->next;
	if (!g || s->group[index].state == (int32_t)state)
		return;
	events_add(&s->events,
		   json_pack("{s:s, s:s, s:s, s:s}", "type", "group_transition", "group", g->name,
			     "from", why_state((uint32_t)s->group[index].state), "to",
			     why_state(state)));
	s->group[index].state = (int32_t)state;
	s->group[index].since = supervisor_now();
	notify(s, object(OBJECT_GROUP, index), &g->notify, "GROUP", g->name, state, 0);
}

static const struct conf_virtual *virtual_at(const struct supervisor *s, uint32_t index)
{
	const struct conf_virtual *v = s->conf->virtuals;

	for (uint32_t n = 0; v && n < index; n++)
		v = v->next;
	return v;
}

void notify_real(struct supervisor *s, uint32_t index, uint32_t real, bool up)
{
	const struct conf_virtual *v = virtual_at(s, index);
	const struct conf_real *r = v ? v->reals : NULL;
	char name[CONF_REAL_NAME_SIZE];

	for (uint32_t n = 0; r && n < real; n++)
		r = r->next;
	if (!r)
		return;
	conf_real_name(r, name, sizeof(name));
	events_add(&s->events,
		   json_pack("{s:s, s:s, s:s, s:s}", "type", "real_server", "virtual_server",
			     v->name, "real_server", name, "to", up ? "up" : "down"));
	scripts_run(s->scripts, object(OBJECT_VIRTUAL, index), up ? &r->notify_up : &r->notify_down,
		    NULL);
}

void notify_quorum(struct supervisor *s, uint32_t index, bool up)
{
	const struct conf_virtual *v = virtual_at(s, index);

	if (!v)
		return;
	events_add(&s->events, json_pack("{s:s, s:s, s:s}", "type", "quorum", "virtual_server",
					 v->name, "to", up ? "gained" : "lost"));
	scripts_run(s->scripts, object(OBJECT_VIRTUAL, index), up ? &v->quorum_up : &v->quorum_down,
		    NULL);
}
