/* SPDX-License-Identifier: MIT */
/* drain_timeout: real servers that the configuration no longer has stay until their connections have ended. */
#include <errno.h>
#include <stdlib.h>

#include "kernel/service.h"
#include "log.h"
#include "model.h"

#define NS_PER_MS UINT64_C(1000000)
#define DRAIN_ROUND_NS (1000 * NS_PER_MS) /* from one look at those that drain to the next */

static int add_leaver(struct services *s, const struct ha_service *from, const struct ha_dest *d)
{
	struct leaver *l = realloc(s->leaver, (s->n_leavers + 1) * sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	s->leaver = l;
	l += s->n_leavers;
	*l = (struct leaver){.service = {.size = sizeof(l->service)},
			     .dest = {.size = sizeof(l->dest)},
			     .deadline_ns =
				 loop_clock_ns() + (uint64_t)s->conf->globals.drain_ms * NS_PER_MS};
	r = ha_service_get(from, &l->service);
	if (r >= 0)
		r = ha_dest_get(d, &l->dest);
	if (r < 0)
		return r;
	l->service.scheduler = l->service.persistence_engine = NULL; /* the dump's */
	l->dest.weight = 0;
	s->n_leavers++;
	return 0;
}

/* All real servers of the services in `have`, whether they are in use or not. */
static int build_configured(const struct services *s, const struct ha_service_table *have,
			    struct ha_service_table **ret)
{
	struct ha_service_opts key;
	int32_t *weight = NULL;
	int r = ha_service_table_new(ret);

	for (const struct conf_virtual *v = s->conf->virtuals; v && r >= 0; v = v->next) {
		free(weight);
		weight = calloc(v->n_reals + 1, sizeof(*weight));
		if (!weight)
			r = -ENOMEM;
		for (size_t l = 0; l < v->n_listen && r >= 0; l++) {
			model_service(v, &v->listen[l], &key);
			if (ha_service_find(have, &key))
				r = services_add(s, v, &v->listen[l], weight, *ret);
		}
	}
	free(weight);
	return r;
}

int services_find_leavers(struct services *s, const struct ha_service_table *have)
{
	struct ha_service_table *configured = NULL;
	struct ha_service_opts key = {.size = sizeof(key)};
	struct ha_dest_opts dest = {.size = sizeof(dest)};
	int r = build_configured(s, have, &configured);

	for (struct ha_service *v = ha_service_next(have, NULL); v && r >= 0;
	     v = ha_service_next(have, v)) {
		struct ha_service *same;

		r = ha_service_get(v, &key);
		same = r < 0 ? NULL : ha_service_find(configured, &key);
		if (!same)
			continue;
		for (struct ha_dest *d = ha_dest_next(v, NULL); d && r >= 0;
		     d = ha_dest_next(v, d)) {
			r = ha_dest_get(d, &dest);
			if (r >= 0 && !ha_dest_find(same, &dest))
				r = add_leaver(s, v, d);
		}
	}
	ha_service_table_free(configured);
	s->leavers_known |= r >= 0;
	return r;
}

static void on_drained(void *userdata, const struct ha_dest *d, uint32_t left)
{
	char text[HA_SERVICE_TEXT_SIZE] = "";

	ha_dest_format(d, text, sizeof(text));
	log_notice("drained: %s%s", text, left ? ", cut off by drain_timeout" : "");
}

int services_keep_leavers(struct services *s, struct ha_service_table *want,
			  const struct ha_service_table *have)
{
	const struct ha_service_drain_ops ops = {.size = sizeof(ops), .drained = on_drained};
	size_t left = 0, n = 0;
	int r = 0;

	for (size_t i = 0; i < s->n_leavers && r >= 0; i++) {
		struct leaver *l = &s->leaver[i];
		struct ha_service *v = ha_service_find(want, &l->service);
		struct ha_dest *d;

		if (!v || ha_dest_find(v, &l->dest))
			continue; /* its service went, too; or it came back */
		r = ha_dest_set(v, &l->dest, &d);
		if (r >= 0)
			r = ha_dest_drain(d, l->deadline_ns);
	}
	if (r >= 0)
		r = ha_service_drain(want, have, loop_clock_ns(), &ops, s, &left);
	for (size_t i = 0; i < s->n_leavers && r >= 0; i++) {
		const struct ha_service *v = ha_service_find(want, &s->leaver[i].service);

		if (v && ha_dest_is_draining(ha_dest_find(v, &s->leaver[i].dest)))
			s->leaver[n++] = s->leaver[i];
	}
	if (r >= 0)
		s->n_leavers = n;
	if (left)
		loop_arm(s->drain_timer, loop_clock_ns() + DRAIN_ROUND_NS);
	return r;
}
