/* SPDX-License-Identifier: MIT */
/* Tables of virtual services: kept in the order of adding, found by key through a hash. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "service/model.h"

/* ---- Normal forms and keys ---- */

static uint8_t address_bits(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 ? 128 : 32;
}

void service_normalize(struct ha_service_opts *o)
{
	if (o->fwmark) {
		o->address =
		    (struct ha_ip){.family = o->address.family == AF_INET6 ? AF_INET6 : AF_INET};
		o->protocol = 0;
		o->port = 0;
	}
	if (!o->scheduler || !*o->scheduler)
		o->scheduler = "wlc";
	if (o->persistence_engine && !*o->persistence_engine)
		o->persistence_engine = NULL;
	if (!o->persistence_s)
		o->persistence_prefix = 0;
	else if (!o->persistence_prefix)
		o->persistence_prefix = address_bits(&o->address);
}

void service_dest_normalize(struct ha_dest_opts *o)
{
	if (o->forward != HA_FORWARD_TUN)
		o->tunnel = HA_TUNNEL_IPIP;
	if (o->tunnel != HA_TUNNEL_GUE)
		o->tunnel_port = 0;
	if (o->tunnel == HA_TUNNEL_IPIP)
		o->tunnel_flags = 0;
}

static bool ip_equal(const struct ha_ip *a, const struct ha_ip *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

static bool same_key(const struct ha_service_opts *a, const struct ha_service_opts *b)
{
	return a->fwmark == b->fwmark && a->protocol == b->protocol && a->port == b->port &&
	       ip_equal(&a->address, &b->address);
}

static bool same_dest_key(const struct ha_dest_opts *a, const struct ha_dest_opts *b)
{
	return a->port == b->port && ip_equal(&a->address, &b->address);
}

/* Keys come from the administrator or the kernel, not from packets: no secret seed. */
static uint64_t ip_hash(const struct ha_ip *ip, uint64_t seed)
{
	return hmap_hash(ip->bytes, sizeof(ip->bytes), seed);
}

static uint64_t key_hash(const struct ha_service_opts *o)
{
	return ip_hash(&o->address,
		       (uint64_t)o->fwmark << 32 | (uint32_t)o->protocol << 16 | o->port);
}

struct ha_service *service_find(const struct ha_service_table *t, const struct ha_service_opts *key)
{
	struct hmap_node *node = hmap_first(&t->by_key, key_hash(key));

	for (; node; node = hmap_next(node)) {
		struct ha_service *s = container_of(node, struct ha_service, by_key);

		if (same_key(&s->o, key))
			return s;
	}
	return NULL;
}

struct ha_dest *service_dest_find(const struct ha_service *s, const struct ha_dest_opts *key)
{
	struct hmap_node *node = hmap_first(&s->dest_by_key, ip_hash(&key->address, key->port));

	for (; node; node = hmap_next(node)) {
		struct ha_dest *d = container_of(node, struct ha_dest, by_key);

		if (same_dest_key(&d->o, key))
			return d;
	}
	return NULL;
}

static bool same_name(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

bool service_equal(const struct ha_service_opts *a, const struct ha_service_opts *b)
{
	return same_name(a->scheduler, b->scheduler) && a->flags == b->flags &&
	       a->persistence_s == b->persistence_s &&
	       a->persistence_prefix == b->persistence_prefix &&
	       same_name(a->persistence_engine, b->persistence_engine);
}

bool service_dest_equal(const struct ha_dest_opts *a, const struct ha_dest_opts *b)
{
	return a->forward == b->forward && a->weight == b->weight &&
	       a->upper_threshold == b->upper_threshold &&
	       a->lower_threshold == b->lower_threshold && a->tunnel == b->tunnel &&
	       a->tunnel_port == b->tunnel_port && a->tunnel_flags == b->tunnel_flags;
}

/* ---- Tables ---- */

int ha_service_table_new(struct ha_service_table **ret)
{
	struct ha_service_table *t;

	if (!ret)
		return -EINVAL;
	t = mem_zalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	list_init(&t->services);
	hmap_init(&t->by_key);
	*ret = t;
	return 0;
}

void ha_service_table_free(struct ha_service_table *t)
{
	struct list *pos, *tmp;

	if (!t)
		return;
	list_for_each_safe (pos, tmp, &t->services)
		ha_service_remove(container_of(pos, struct ha_service, node));
	hmap_fini(&t->by_key);
	mem_free(t);
}

size_t ha_service_table_count(const struct ha_service_table *t)
{
	return t ? t->by_key.n : 0;
}

static int copy_service(struct ha_service_table *to, const struct ha_service *from)
{
	struct ha_service *s;
	const struct list *pos;
	int r = service_add_unchecked(to, &from->o, from->owned, &s);

	if (r < 0)
		return r;
	list_for_each (pos, &from->dests) {
		const struct ha_dest *d = container_of(pos, struct ha_dest, node);
		struct ha_dest *copy;

		r = service_dest_set_unchecked(s, &d->o, &copy);
		if (r < 0)
			return r;
		copy->draining = d->draining;
		copy->drain_until_ns = d->drain_until_ns;
	}
	if (from->slots.dests)
		return ha_service_set_slots(s, from->slots.dests, from->slots.n);
	s->slots = from->slots;
	return 0;
}

int ha_service_table_copy(const struct ha_service_table *t, struct ha_service_table **ret)
{
	struct ha_service_table *copy;
	const struct list *pos;
	int r;

	if (!t || !ret)
		return -EINVAL;
	r = ha_service_table_new(&copy);
	if (r < 0)
		return r;
	list_for_each (pos, &t->services) {
		r = copy_service(copy, container_of(pos, struct ha_service, node));
		if (r < 0) {
			ha_service_table_free(copy);
			return r;
		}
	}
	*ret = copy;
	return 0;
}

/* ---- Services ---- */

/* Takes over all but the links; the strings become the service's own. */
static void store(struct ha_service *s, const struct ha_service_opts *o)
{
	char scheduler[HA_SERVICE_NAME_SIZE] = "", engine[HA_SERVICE_NAME_SIZE] = "";

	/* `o` may hold our own strings. */
	memcpy(scheduler, o->scheduler, strnlen(o->scheduler, sizeof(scheduler) - 1));
	if (o->persistence_engine)
		memcpy(engine, o->persistence_engine,
		       strnlen(o->persistence_engine, sizeof(engine) - 1));
	s->o = *o;
	memcpy(s->scheduler, scheduler, sizeof(scheduler));
	memcpy(s->engine, engine, sizeof(engine));
	s->o.scheduler = s->scheduler;
	s->o.persistence_engine = *s->engine ? s->engine : NULL;
}

int service_add_unchecked(struct ha_service_table *t, const struct ha_service_opts *o, bool owned,
			  struct ha_service **ret)
{
	struct ha_service_opts own = *o;
	struct ha_service *s;

	service_normalize(&own);
	if (service_find(t, &own))
		return -EEXIST;
	if (t->by_key.n >= HA_SERVICES_MAX)
		return -E2BIG;
	s = mem_zalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	store(s, &own);
	s->table = t;
	s->owned = owned;
	list_init(&s->dests);
	hmap_init(&s->dest_by_key);
	if (hmap_add(&t->by_key, &s->by_key, key_hash(&s->o)) < 0) {
		mem_free(s);
		return -ENOMEM;
	}
	list_add_tail(&t->services, &s->node);
	if (ret)
		*ret = s;
	return 0;
}

int ha_service_add(struct ha_service_table *t, const struct ha_service_opts *o,
		   struct ha_service **ret_service)
{
	struct ha_service_opts own;
	int r;

	if (!t)
		return -EINVAL;
	r = service_check_sized(o, NULL, &own, NULL, NULL);
	return r < 0 ? r : service_add_unchecked(t, &own, true, ret_service);
}

int ha_service_set(struct ha_service *s, const struct ha_service_opts *o)
{
	struct ha_service_opts own;
	int r;

	if (!s)
		return -EINVAL;
	r = service_check_sized(o, NULL, &own, NULL, NULL);
	if (r < 0)
		return r;
	service_normalize(&own);
	if (!same_key(&own, &s->o))
		return -EINVAL;
	store(s, &own);
	if (!(own.flags & HA_SERVICE_SLOTS))
		service_forget_slots(s);
	return 0;
}

void ha_service_remove(struct ha_service *s)
{
	struct list *pos, *tmp;

	if (!s)
		return;
	list_for_each_safe (pos, tmp, &s->dests)
		ha_dest_remove(container_of(pos, struct ha_dest, node));
	service_forget_slots(s);
	hmap_fini(&s->dest_by_key);
	hmap_remove(&s->table->by_key, &s->by_key);
	list_remove(&s->node);
	mem_free(s);
}

struct ha_service *ha_service_find(const struct ha_service_table *t,
				   const struct ha_service_opts *key)
{
	struct ha_service_opts own;

	if (!t || sized_in(&own, sizeof(own), key) < 0)
		return NULL;
	service_normalize(&own);
	return service_find(t, &own);
}

struct ha_service *ha_service_next(const struct ha_service_table *t, const struct ha_service *s)
{
	const struct list *next;

	if (!t)
		return NULL;
	next = s ? s->node.next : t->services.next;
	return next == &t->services ? NULL : container_of(next, struct ha_service, node);
}

int ha_service_get(const struct ha_service *s, struct ha_service_opts *ret)
{
	return s ? sized_out(ret, &s->o, sizeof(s->o)) : -EINVAL;
}

int ha_service_stats(const struct ha_service *s, struct ha_service_stats *ret)
{
	return s ? sized_out(ret, &s->stats, sizeof(s->stats)) : -EINVAL;
}

int ha_service_claim(struct ha_service_table *have, const struct ha_service_table *previous)
{
	struct list *pos;

	if (!have)
		return -EINVAL;
	list_for_each (pos, &have->services) {
		struct ha_service *s = container_of(pos, struct ha_service, node);

		if (!previous || service_find(previous, &s->o))
			s->owned = true;
	}
	return 0;
}

/* ---- Destinations ---- */

int service_dest_set_unchecked(struct ha_service *s, const struct ha_dest_opts *o,
			       struct ha_dest **ret)
{
	struct ha_dest_opts own = *o;
	struct ha_dest *d;

	service_dest_normalize(&own);
	d = service_dest_find(s, &own);
	if (!d) {
		if (s->dest_by_key.n >= HA_DESTS_MAX)
			return -E2BIG;
		d = mem_zalloc(sizeof(*d));
		if (!d)
			return -ENOMEM;
		if (hmap_add(&s->dest_by_key, &d->by_key, ip_hash(&own.address, own.port)) < 0) {
			mem_free(d);
			return -ENOMEM;
		}
		d->service = s;
		list_add_tail(&s->dests, &d->node);
	}
	d->o = own;
	d->draining = false;
	if (ret)
		*ret = d;
	return 0;
}

int ha_dest_set(struct ha_service *s, const struct ha_dest_opts *o, struct ha_dest **ret_dest)
{
	struct ha_service_opts service;
	struct ha_dest_opts own;
	size_t n = ha_dest_count(s);
	int r;

	if (!s || !o)
		return -EINVAL;
	r = service_check_sized(&s->o, o, &service, &own, NULL);
	if (r < 0)
		return r;
	if (!own.port)
		own.port = s->o.port;
	r = service_dest_set_unchecked(s, &own, ret_dest);
	if (ha_dest_count(s) != n)
		service_forget_slots(s);
	return r;
}

void ha_dest_remove(struct ha_dest *d)
{
	if (!d)
		return;
	service_forget_slots(d->service);
	hmap_remove(&d->service->dest_by_key, &d->by_key);
	list_remove(&d->node);
	mem_free(d);
}

struct ha_dest *ha_dest_find(const struct ha_service *s, const struct ha_dest_opts *key)
{
	struct ha_dest_opts own;

	if (!s || sized_in(&own, sizeof(own), key) < 0)
		return NULL;
	if (!own.port)
		own.port = s->o.port;
	return service_dest_find(s, &own);
}

struct ha_dest *ha_dest_next(const struct ha_service *s, const struct ha_dest *d)
{
	const struct list *next;

	if (!s)
		return NULL;
	next = d ? d->node.next : s->dests.next;
	return next == &s->dests ? NULL : container_of(next, struct ha_dest, node);
}

size_t ha_dest_count(const struct ha_service *s)
{
	return s ? s->dest_by_key.n : 0;
}

int ha_dest_get(const struct ha_dest *d, struct ha_dest_opts *ret)
{
	return d ? sized_out(ret, &d->o, sizeof(d->o)) : -EINVAL;
}

int ha_dest_stats(const struct ha_dest *d, struct ha_service_stats *ret)
{
	return d ? sized_out(ret, &d->stats, sizeof(d->stats)) : -EINVAL;
}
