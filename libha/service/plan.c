/* SPDX-License-Identifier: MIT */
/* The difference of two tables as an ordered list of steps: make before break, a service at a time. */
#include <errno.h>

#include "base/mem.h"
#include "base/sized.h"
#include "service/plan.h"

static int push(struct ha_service_plan *p, const struct service_step *step)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct service_step *steps = mem_regrow(p->steps, cap, sizeof(*steps));

		if (!steps)
			return -ENOMEM;
		p->steps = steps;
		p->cap = cap;
	}
	p->steps[p->n++] = *step;
	return 0;
}

/* Destinations of one kind of step at a time; `old` may be NULL. */
static int push_dests(struct ha_service_plan *p, enum ha_service_step_kind kind,
		      const struct ha_service *s, const struct ha_service *old)
{
	bool removes = kind == HA_STEP_REMOVE_DEST;
	const struct ha_service *from = removes ? old : s, *other = removes ? s : old;

	for (const struct ha_dest *d = NULL; (d = ha_dest_next(from, d));) {
		const struct ha_dest *match = other ? service_dest_find(other, &d->o) : NULL;
		struct service_step step = {kind, s, old, d, NULL};
		int r;

		if (kind == HA_STEP_EDIT_DEST) {
			if (!match || service_dest_equal(&d->o, &match->o))
				continue;
			step.old_dest = match;
		} else if (match) {
			continue;
		}
		r = push(p, &step);
		if (r < 0)
			return r;
	}
	return 0;
}

static int push_service(struct ha_service_plan *p, const struct ha_service *s)
{
	static const enum ha_service_step_kind order[] = {HA_STEP_ADD_DEST, HA_STEP_EDIT_DEST,
							  HA_STEP_REMOVE_DEST};
	const struct ha_service *old = service_find(p->have, &s->o);
	struct service_step step = {old ? HA_STEP_EDIT_SERVICE : HA_STEP_ADD_SERVICE, s, old, NULL,
				    NULL};
	int r = 0;

	if (!old || !service_equal(&s->o, &old->o) || s->slots.digest != old->slots.digest)
		r = push(p, &step);
	for (size_t i = 0; !r && i < sizeof(order) / sizeof(*order); i++)
		r = push_dests(p, order[i], s, old);
	return r;
}

static int push_removals(struct ha_service_plan *p)
{
	int r = 0;

	for (const struct ha_service *s = NULL; !r && (s = ha_service_next(p->have, s));) {
		struct service_step step = {HA_STEP_REMOVE_SERVICE, s, s, NULL, NULL};

		if (s->owned && !service_find(p->want, &s->o))
			r = push(p, &step);
	}
	return r;
}

int ha_service_plan(const struct ha_service_table *want, const struct ha_service_table *have,
		    struct ha_service_plan **ret)
{
	struct ha_service_plan *p;
	int r = 0;

	if (!want || !have || !ret)
		return -EINVAL;
	p = mem_zalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->want = want;
	p->have = have;
	for (const struct ha_service *s = NULL; !r && (s = ha_service_next(want, s));)
		r = push_service(p, s);
	if (!r)
		r = push_removals(p);
	if (r < 0) {
		ha_service_plan_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void ha_service_plan_free(struct ha_service_plan *p)
{
	if (!p)
		return;
	mem_free(p->steps);
	mem_free(p);
}

size_t ha_service_plan_count(const struct ha_service_plan *p)
{
	return p ? p->n : 0;
}

static void show(const struct ha_service_plan *p, size_t i, struct ha_service_step *ret)
{
	const struct service_step *s = &p->steps[i];

	*ret = (struct ha_service_step){
	    .size = sizeof(*ret),
	    .index = i,
	    .kind = s->kind,
	    .service = s->service,
	    .old_service = s->old_service,
	    .dest = s->dest,
	    .old_dest = s->old_dest,
	};
}

int ha_service_plan_step(const struct ha_service_plan *p, size_t i, struct ha_service_step *ret)
{
	struct ha_service_step own;

	if (!p || i >= p->n)
		return -EINVAL;
	show(p, i, &own);
	return sized_out(ret, &own, sizeof(own));
}

int service_apply_ops_take(struct ha_service_apply_ops *own,
			   const struct ha_service_apply_ops *given)
{
	*own = (struct ha_service_apply_ops){.size = sizeof(*own)};
	return given ? sized_in(own, sizeof(*own), given) : 0;
}

void service_plan_tell(const struct ha_service_plan *p, size_t i, int error,
		       const struct ha_service_apply_ops *ops, void *userdata)
{
	struct ha_service_step step;

	if (!ops->done)
		return;
	show(p, i, &step);
	ops->done(userdata, &step, error);
}
