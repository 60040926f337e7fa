/* SPDX-License-Identifier: MIT */
/* The caller's own table of slots of a service. */
#include <errno.h>

#include "base/mem.h"
#include "service/model.h"

/* Of the destinations' keys in the order of the slots: another order of adding makes no difference. */
static uint64_t digest(const uint64_t *keys, const uint16_t *dests, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i++)
		h = hmap_hash(&keys[dests[i]], sizeof(keys[0]), h);
	return h;
}

void service_forget_slots(struct ha_service *s)
{
	mem_free(s->slots.dests);
	s->slots = (struct service_slots){0};
}

int ha_service_set_slots(struct ha_service *s, const uint16_t *dests, size_t n)
{
	struct service_slots own = {.n = (uint32_t)n};
	uint64_t *keys, *key;

	if (!s || !dests || !n || n > HA_SLOTS_MAX || !(s->o.flags & HA_SERVICE_SLOTS))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (dests[i] >= ha_dest_count(s))
			return -EINVAL;
	key = keys = mem_array(ha_dest_count(s), sizeof(*keys));
	own.dests = keys ? mem_dup(dests, n * sizeof(*dests)) : NULL;
	if (!own.dests) {
		mem_free(keys);
		return -ENOMEM;
	}
	for (const struct ha_dest *d = NULL; (d = ha_dest_next(s, d));)
		*key++ = hmap_hash(d->o.address.bytes, sizeof(d->o.address.bytes), d->o.port);
	own.digest = digest(keys, dests, n);
	mem_free(keys);
	service_forget_slots(s);
	s->slots = own;
	return 0;
}
