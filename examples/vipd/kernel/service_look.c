/* SPDX-License-Identifier: MIT */
/*
 * IPVS tells nobody that somebody else changed it, and to read all of a large table takes long. So a few services are looked at each second,
 * in turn: after `ipvsadm -C` the first one is gone already, and a small table is seen whole.
 */
#include <libha/ipvs.h>

#include <time.h>

#include "kernel/kernel.h"
#include "kernel/patience.h"
#include "kernel/service.h"
#include "model.h"

#define NS_PER_MS UINT64_C(1000000)
#define LOOK_MAX_NS (NS_PER_MS / 2) /* after so long the next service waits for the next look */
#define LOOK_SHARE 1500		    /* looks take 1/LOOK_SHARE of a CPU's time at most */

/* To the service that is the next one to be looked at. False: that was the last one. */
static bool has_next(struct look *k)
{
	while (k->virtual && k->listen == k->virtual->n_listen) {
		k->weight += k->virtual->n_reals + 1;
		k->virtual = k->virtual->next;
		k->listen = 0;
	}
	return k->virtual;
}

/* How many steps it takes to make of the service what it should be; or -errno. */
static ssize_t compare(const struct services *s, const struct conf_listen *l, const struct ha_service_table *want)
{
	struct ha_service_table *have = NULL;
	struct ha_service_plan *plan = NULL;
	struct ha_service_opts key;
	ssize_t r;

	model_service(s->look.virtual, l, &key);
	r = ha_ipvs_dump_service(s->ipvs, &key, &have);
	if (r >= 0)
		r = ha_service_claim(have, NULL);
	if (r >= 0)
		r = ha_service_plan(want, have, &plan);
	if (r >= 0)
		r = (ssize_t)ha_service_plan_count(plan);
	ha_service_plan_free(plan);
	ha_service_table_free(have);
	return r;
}

/* Likewise. Nothing is to be done for one that IPVS was never asked for. */
static ssize_t look_at(const struct services *s)
{
	const struct conf_listen *l = &s->look.virtual->listen[s->look.listen];
	struct ha_service_table *want;
	ssize_t r = ha_service_table_new(&want);

	if (r < 0)
		return r;
	r = services_add(s, s->look.virtual, l, s->look.weight, want);
	if (r >= 0 && ha_service_table_count(want))
		r = compare(s, l, want);
	ha_service_table_free(want);
	return r;
}

/* True: somebody else was at it. */
static bool look(struct services *s)
{
	uint64_t begin_ns = loop_clock_ns();
	struct look *k = &s->look;
	ssize_t steps = 0;

	if (!has_next(k))
		*k = (struct look){.virtual = s->conf->virtuals, .weight = s->weight};
	for (; !steps && has_next(k) && loop_clock_ns() - begin_ns < LOOK_MAX_NS; k->listen++)
		steps = look_at(s);
	return steps > 0;
}

/* Of a CPU: while others have it, looks are no longer than they are. */
static uint64_t used_ns(void)
{
	struct timespec t = {0};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* of our own process it cannot fail */
	return (uint64_t)t.tv_sec * 1000 * NS_PER_MS + (uint64_t)t.tv_nsec;
}

/* What is undone again and again, or what the kernel does not keep, is repaired ever more seldom. */
static void on_look(struct loop *l, void *userdata)
{
	struct services *s = userdata;
	uint64_t begin_ns = used_ns(), rest_ns;
	bool sure = s->committed && s->known && !s->n_leavers; /* else it will be, and all is read then */
	bool touched = sure && look(s);

	rest_ns = LOOK_SHARE * (used_ns() - begin_ns);
	if (touched)
		services_audit(s);
	s->look_gap_ns = patience_next(s->look_gap_ns, touched, true);
	loop_arm(s->look_timer, loop_clock_ns() + (rest_ns > s->look_gap_ns ? rest_ns : s->look_gap_ns));
}

int services_look(struct loop *l, struct services *s)
{
	int r = loop_add_timer(l, on_look, s, &s->look_timer);

	s->look_gap_ns = PATIENCE_GAP_NS;
	if (r >= 0)
		loop_arm(s->look_timer, loop_clock_ns() + PATIENCE_GAP_NS);
	return r;
}
