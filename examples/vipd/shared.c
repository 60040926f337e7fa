/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fnv1a.h"
#include "map_shared.h"

#define ROUTERS_AT 64 /* bytes of the mapping before the first: a cache line */

static struct shared_router_id router_id(const struct conf_instance *i)
{
	struct shared_router_id id = {.name = fnv1a_text(i->name), .shares = i->shares_vrid};

	snprintf(id.place, sizeof(id.place), "%s %d %d", i->interface, i->vrid, (int)i->family);
	return id;
}

bool shared_same_router(const struct shared_router_id *a, const struct shared_router_id *b)
{
	return !strncmp(a->place, b->place, sizeof(a->place)) &&
	       ((!a->shares && !b->shares) || a->name == b->name);
}

static void bfd_key(const struct conf_watch *w, char *key)
{
	char peer[HA_IP_TEXT_SIZE] = "", local[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&w->bfd.peer, peer, sizeof(peer));
	if (w->bfd.local.family)
		ha_ip_format(&w->bfd.local, local, sizeof(local));
	snprintf(key, SHARED_KEY_SIZE, "%s %s %s", peer, local,
		 w->bfd.multihop || !w->bfd.interface ? "" : w->bfd.interface);
}

static void fill_keys(const struct conf *c, struct shared *s)
{
	size_t router = 0;

	for (const struct conf_instance *i = c->instances; i; i = i->next)
		s->router[router++].id = router_id(i);
	for (const struct conf_watch *w = c->watches; w; w = w->next)
		if (w->kind == CONF_WATCH_BFD)
			bfd_key(w, s->bfd[w->index].key);
}

/* The element of `n` with this key, searched from *from on, where it mostly is: NULL, or it. */
static void *find(void *array, size_t n, size_t size, const char *key, size_t *from)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = (*from + i) % n;
		char *element = (char *)array + at * size;

		if (!strncmp(element, key, SHARED_KEY_SIZE)) {
			*from = at + 1;
			return element;
		}
	}
	return NULL;
}

static struct shared_router *find_router(const struct shared *s, const struct shared_router_id *id,
					 size_t *from)
{
	for (size_t i = 0; i < s->n_routers; i++) {
		size_t at = (*from + i) % s->n_routers;

		if (shared_same_router(&s->router[at].id, id)) {
			*from = at + 1;
			return &s->router[at];
		}
	}
	return NULL;
}

static void take_over_routers(struct shared *s, const struct shared *old)
{
	size_t from = 0;

	for (size_t o = 0; o < old->n_routers; o++) {
		struct shared_router *to = find_router(s, &old->router[o].id, &from);
		struct shared_router_id id;

		if (!to)
			continue;
		id = to->id; /* others may have its place now, or no longer */
		memcpy(to, &old->router[o], sizeof(*to));
		to->id = id;
	}
}

static void take_over_bfd(struct shared *s, const struct shared *old)
{
	size_t from = 0;

	for (size_t o = 0; o < old->n_watches; o++) {
		struct shared_bfd *to = *old->bfd[o].key ? find(s->bfd, s->n_watches, sizeof(*to),
								old->bfd[o].key, &from)
							 : NULL;

		if (to)
			memcpy(to, &old->bfd[o], sizeof(*to));
	}
}

static void take_over_frozen(struct shared_frozen *to, const struct shared_frozen *from)
{
	uint32_t len = from->len;

	if (!len || len > sizeof(to->bytes))
		return;
	memcpy(to->bytes, from->bytes, len);
	to->len = len;
}

static void take_over_health(struct shared *s, const struct shared *old,
			     const struct conf_pairs *pairs)
{
	for (size_t i = 0; i < s->n_virtuals; i++)
		if (pairs->virtual[i] != CONF_NO_PAIR)
			atomic_store(&s->virtual[i].quorum,
				     atomic_load(&old->virtual[pairs->virtual[i]].quorum));
	*s->frozen_ns = *old->frozen_ns;
	for (size_t i = 0; i < s->n_checks; i++) {
		if (pairs->check[i] == CONF_NO_PAIR)
			continue;
		atomic_store(&s->check[i].alive, atomic_load(&old->check[pairs->check[i]].alive));
		if (pairs->unchanged[i] && *old->frozen_ns)
			take_over_frozen(&s->frozen[i], &old->frozen[pairs->check[i]]);
	}
}

static size_t routers_size(const struct shared *s)
{
	return ROUTERS_AT + (s->n_routers + 1) * sizeof(*s->router) +
	       s->n_watches * sizeof(*s->bfd);
}

static size_t health_size(const struct shared *s)
{
	return (s->n_virtuals + 1) * sizeof(*s->virtual) + s->n_checks * sizeof(*s->check);
}

static size_t frozen_size(const struct shared *s)
{
	return sizeof(*s->frozen_ns) + s->n_checks * sizeof(*s->frozen);
}

void shared_leave_routers(struct shared *s)
{
	if (s->alive_ns)
		munmap(s->alive_ns, routers_size(s));
	s->alive_ns = NULL;
	s->router = NULL;
	s->bfd = NULL;
}

void shared_leave_checks(struct shared *s)
{
	if (s->virtual)
		munmap(s->virtual, health_size(s));
	s->virtual = NULL;
	s->check = NULL;
	if (s->frozen_ns)
		munmap(s->frozen_ns, frozen_size(s));
	s->frozen_ns = NULL;
	s->frozen = NULL;
}

void shared_free(struct shared *s)
{
	if (!s)
		return;
	shared_leave_routers(s);
	shared_leave_checks(s);
	free(s);
}

int shared_new(const struct conf *c, const struct shared *old, const struct conf_pairs *pairs,
	       struct shared **ret)
{
	struct shared *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->n_routers = c->n_instances;
	s->n_watches = c->n_watches;
	s->n_checks = c->n_checks;
	s->n_virtuals = c->n_virtuals;
	s->alive_ns = map_shared(routers_size(s));
	s->virtual = map_shared(health_size(s));
	s->frozen_ns = map_shared(frozen_size(s));
	if (!s->alive_ns || !s->virtual || !s->frozen_ns) {
		shared_free(s);
		return -ENOMEM;
	}
	s->router = (void *)((char *)s->alive_ns + ROUTERS_AT);
	s->bfd = (void *)(s->router + s->n_routers + 1);
	s->check = (void *)(s->virtual + s->n_virtuals + 1);
	s->frozen = (void *)(s->frozen_ns + 1);
	fill_keys(c, s);
	if (old) {
		take_over_routers(s, old);
		take_over_bfd(s, old);
		shared_alive(s, atomic_load(old->alive_ns));
		if (!pairs->in_place)
			take_over_health(s, old, pairs);
	}
	*ret = s;
	return 0;
}

void shared_keep_health(struct shared *s, struct shared *old, const struct conf_pairs *pairs)
{
	const struct shared empty = *s;

	s->virtual = old->virtual;
	s->check = old->check;
	s->frozen_ns = old->frozen_ns;
	s->frozen = old->frozen;
	old->virtual = empty.virtual;
	old->check = empty.check;
	old->frozen_ns = empty.frozen_ns;
	old->frozen = empty.frozen;
	for (size_t i = 0; i < s->n_checks; i++)
		if (!pairs->unchanged[i])
			s->frozen[i].len = 0;
}

void shared_note_next(struct shared *s, const struct conf *next)
{
	char key[SHARED_KEY_SIZE];
	size_t from = 0;

	for (size_t i = 0; i < s->n_routers; i++)
		s->router[i].goes_on = 0;
	for (const struct conf_instance *i = next->instances; i; i = i->next) {
		struct shared_router_id id = router_id(i);
		struct shared_router *r = find_router(s, &id, &from);

		if (r)
			r->goes_on = 1;
	}
	for (size_t i = 0; i < s->n_watches; i++)
		s->bfd[i].goes_on = 0;
	from = 0;
	for (const struct conf_watch *w = next->watches; w; w = w->next) {
		struct shared_bfd *b;

		if (w->kind != CONF_WATCH_BFD)
			continue;
		bfd_key(w, key);
		b = find(s->bfd, s->n_watches, sizeof(*b), key, &from);
		if (b)
			b->goes_on = 1;
	}
}

void shared_forget_router(struct shared *s, size_t index)
{
	atomic_store(&s->router[index].whole, 0);
}

void shared_freeze(struct shared *s, size_t index, const struct ha_vrrp *v, uint32_t *kept)
{
	struct shared_router *slot = &s->router[index];
	unsigned next;
	ssize_t len;

	if (*kept == ha_vrrp_revision(v))
		return;
	next = atomic_load(&slot->whole) == 1;
	len = ha_vrrp_freeze(v, slot->copy[next].bytes, sizeof(slot->copy[next].bytes));
	if (len < 0)
		return;
	slot->copy[next].len = (uint32_t)len;
	slot->copy[next].state = (uint32_t)ha_vrrp_state(v);
	atomic_store_explicit(&slot->whole, next + 1, memory_order_release);
	*kept = ha_vrrp_revision(v);
}

void shared_alive(struct shared *s, uint64_t now_ns)
{
	atomic_store_explicit(s->alive_ns, now_ns, memory_order_release);
}

int shared_thaw(struct shared *s, size_t index, struct ha_vrrp *v, uint64_t now_ns, bool fresh)
{
	const struct shared_router *slot = &s->router[index];
	uint32_t whole = atomic_load_explicit(&slot->whole, memory_order_acquire), len;
	uint64_t alive_ns = atomic_load_explicit(s->alive_ns, memory_order_acquire);
	const uint8_t *bytes;

	if (whole != 1 && whole != 2)
		return -ENODATA;
	bytes = slot->copy[whole - 1].bytes;
	len = slot->copy[whole - 1].len;
	if (len > HA_VRRP_FREEZE_SIZE || (!fresh && slot->copy[whole - 1].state != HA_VRRP_ACTIVE))
		return -ENODATA;
	return ha_vrrp_thaw(v, now_ns, alive_ns, bytes, len);
}

void shared_freeze_check(struct shared *s, size_t index, const struct health_check *c,
			 uint64_t now_ns)
{
	struct shared_frozen *to = &s->frozen[index];
	ssize_t len = health_check_freeze(c, now_ns, to->bytes, sizeof(to->bytes));

	to->len = len > 0 ? (uint32_t)len : 0;
	*s->frozen_ns = now_ns;
}

bool shared_has_frozen(const struct shared *s, size_t index)
{
	/* At a start nothing is: pages that were only looked at would be made. */
	return *s->frozen_ns && s->frozen[index].len;
}

/* By the clock of that moment, which is still ours: ages and the time of the next run stay what they were. */
int shared_thaw_check(const struct shared *s, size_t index, struct health_check *c)
{
	const struct shared_frozen *from = &s->frozen[index];

	if (!from->len || from->len > sizeof(from->bytes))
		return -ENODATA;
	return health_check_thaw(c, *s->frozen_ns, from->bytes, from->len);
}

void shared_forget_checks(struct shared *s)
{
	if (madvise(s->frozen_ns, frozen_size(s), MADV_REMOVE) < 0)
		memset(s->frozen_ns, 0, frozen_size(s));
}
