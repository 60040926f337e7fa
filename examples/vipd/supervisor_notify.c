/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "supervisor_state.h"

/* Objects of the script queue: what happens to one of them keeps its order. */
enum { OBJECT_INSTANCE = 1, OBJECT_GROUP, OBJECT_VIRTUAL };

static uint64_t object(int kind, uint32_t index)
{
	return (uint64_t)kind << 32 | index;
}

static const char *word_of(enum ha_vrrp_state state)
{
	static const char *const word[] = {"STOP", "BACKUP", "MASTER", "FAULT"};

	return (unsigned)state < 4 ? word[state] : "STOP";
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
	const char *const extra[SCRIPT_EXTRA_MAX] = {type, name, word_of(state), number};

	snprintf(number, sizeof(number), "%d", priority);
	scripts_run(s->scripts, queue, script_of(n, state), NULL);
	scripts_run(s->scripts, queue, &n->any, extra);
}

void notify_instance(struct supervisor *s, uint32_t index, enum ha_vrrp_state state, int priority)
{
	const struct conf_instance *i = s->conf->instances;

	for (uint32_t n = 0; i && n < index; n++)
		i = i->next;
	if (!i)
		return;
	s->instance[index].priority = priority;
	/* A vrrp that was started again says where it begins: for the scripts nothing happened. */
	if (s->instance[index].state == (int32_t)state)
		return;
	s->instance[index].state = (int32_t)state;
	notify(s, object(OBJECT_INSTANCE, index), &i->notify, "INSTANCE", i->name, state, priority);
}

void notify_group(struct supervisor *s, uint32_t index, enum ha_vrrp_state state)
{
	const struct conf_group *g = s->conf->groups;

	for (uint32_t n = 0; g && n < index; n++)
		g = g->next;
	if (!g || s->group[index].state == (int32_t)state)
		return;
	s->group[index].state = (int32_t)state;
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

	for (uint32_t n = 0; r && n < real; n++)
		r = r->next;
	if (r)
		scripts_run(s->scripts, object(OBJECT_VIRTUAL, index),
			    up ? &r->notify_up : &r->notify_down, NULL);
}

void notify_quorum(struct supervisor *s, uint32_t index, bool up)
{
	const struct conf_virtual *v = virtual_at(s, index);

	if (v)
		scripts_run(s->scripts, object(OBJECT_VIRTUAL, index),
			    up ? &v->quorum_up : &v->quorum_down, NULL);
}
