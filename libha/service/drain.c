/* SPDX-License-Identifier: MIT */
/* Destinations on their way out: weight 0 until idle or overdue, then gone from the table. */
#include <errno.h>
#include <netinet/in.h>

#include "base/sized.h"
#include "service/model.h"

int ha_dest_drain(struct ha_dest *d, uint64_t deadline_ns)
{
	if (!d)
		return -EINVAL;
	d->o.weight = 0;
	d->draining = true;
	d->drain_until_ns = deadline_ns;
	return 0;
}

bool ha_dest_is_draining(const struct ha_dest *d)
{
	return d && d->draining;
}

/*
 * A TCP connection that is closing is inactive, and nobody's loss; UDP knows none that is active; a mark may
 * stand for both.
 */
static uint32_t connections_of(const struct ha_service *s, const struct ha_dest *d)
{
	bool closes = s->o.protocol == IPPROTO_TCP || s->o.protocol == IPPROTO_SCTP;
	uint64_t n = (uint64_t)d->stats.active_conns + (closes ? 0 : d->stats.inactive_conns);

	return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

int ha_dest_connections(const struct ha_dest *d, uint32_t *ret)
{
	if (!d || !ret)
		return -EINVAL;
	*ret = connections_of(d->service, d);
	return 0;
}

/* The same destination in the dump, or NULL: the kernel has none, so no connection is left there. */
static const struct ha_dest *twin_of(const struct ha_service_table *have, const struct ha_dest *d)
{
	const struct ha_service *s = service_find(have, &d->service->o);

	return s ? service_dest_find(s, &d->o) : NULL;
}

struct drained {
	const struct ha_service_table *have;
	uint64_t now_ns;
	const struct ha_service_drain_ops *ops;
	void *userdata;
	size_t left;
};

static void look_at(struct drained *w, struct ha_dest *d)
{
	const struct ha_dest *twin = twin_of(w->have, d);
	uint32_t left = twin ? connections_of(twin->service, twin) : 0;
	/* One that still has its weight in the kernel may get a new connection any moment. */
	bool idle = !twin || (!left && !twin->o.weight);

	if (!idle && w->now_ns < d->drain_until_ns) {
		w->left++;
		if (w->ops->draining)
			w->ops->draining(w->userdata, d, left);
		return;
	}
	if (w->ops->drained)
		w->ops->drained(w->userdata, d, left);
	ha_dest_remove(d);
}

int ha_service_drain(struct ha_service_table *want, const struct ha_service_table *have,
		     uint64_t now_ns, const struct ha_service_drain_ops *ops, void *userdata,
		     size_t *ret_left)
{
	struct ha_service_drain_ops own = {.size = sizeof(own)};
	struct drained w = {have, now_ns, &own, userdata, 0};
	struct list *s, *pos, *next;
	int r;

	if (!want || !have || want == have)
		return -EINVAL;
	r = ops ? sized_in(&own, sizeof(own), ops) : 0;
	if (r < 0)
		return r;
	list_for_each (s, &want->services) {
		struct ha_service *service = container_of(s, struct ha_service, node);

		list_for_each_safe (pos, next, &service->dests) {
			struct ha_dest *d = container_of(pos, struct ha_dest, node);

			if (d->draining)
				look_at(&w, d);
		}
	}
	if (ret_left)
		*ret_left = w.left;
	return 0;
}

uint64_t ha_service_drain_deadline(const struct ha_service_table *want)
{
	uint64_t first = UINT64_MAX;
	const struct list *s, *pos;

	if (!want)
		return first;
	list_for_each (s, &want->services) {
		const struct ha_service *service = container_of(s, struct ha_service, node);

		list_for_each (pos, &service->dests) {
			const struct ha_dest *d = container_of(pos, struct ha_dest, node);

			if (d->draining && d->drain_until_ns < first)
				first = d->drain_until_ns;
		}
	}
	return first;
}
