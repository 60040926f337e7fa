/* SPDX-License-Identifier: MIT */
/*
 * When a server is asked first. HAProxy's plan, of a start: checks and agent checks have places in the order of the
 * configuration, the first one starts at once, and the others lie evenly within the shortest interval of them all, or
 * within their own when that is longer. A reload makes the same plan for those that it adds: the others go on.
 */
#include "engine/control.h"

/* What begins for another reason, as a new address or the end of a maintenance, is not to be waited for. */
#define CHECK_SOON_NS UINT64_C(1000000000)
/* HAProxy: shorter intervals say nothing of how far the others may lie apart. */
#define CHECK_LEAST_NS UINT64_C(1000000000)

static uint64_t interval(uint64_t configured_ns)
{
	return configured_ns ? configured_ns : HEALTH_INTERVAL_DEFAULT_NS;
}

static void count(struct first_checks *f, uint64_t configured_ns)
{
	uint64_t ns = interval(configured_ns);

	f->n++;
	if (ns >= CHECK_LEAST_NS && (!f->least_ns || ns < f->least_ns))
		f->least_ns = ns;
}

void first_checks_begin(struct engine *e, const struct set *set)
{
	e->first = (struct first_checks){.most_ns = set->cfg->global.max_spread_ns};
	for (size_t i = 0; i < set->n_backends; i++) {
		const struct backend *b = &set->backend[i];

		for (size_t k = 0; k < b->n_servers; k++) {
			if (b->lines[k]->check && !b->servers[k]->check)
				count(&e->first, b->lines[k]->inter_ns);
			if (b->lines[k]->agent_check && !b->servers[k]->agent)
				count(&e->first, b->lines[k]->agent_inter_ns);
		}
	}
}

void first_checks_end(struct engine *e)
{
	e->first = (struct first_checks){0};
}

void first_check_plan(struct engine *e, bool is_new, struct health_check_opts *o)
{
	struct first_checks *f = &e->first;
	uint64_t ns = interval(o->filter->interval_ns), span = ns > f->least_ns ? ns : f->least_ns;

	o->start_within_ns = ns < CHECK_SOON_NS ? ns : CHECK_SOON_NS;
	if (!is_new || f->next >= f->n)
		return;
	if (f->most_ns && span > f->most_ns)
		span = f->most_ns;
	o->first_after_ns = 1 + span / f->n * f->next++; /* 0 would be no place */
}
