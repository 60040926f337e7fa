/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mem.h"
#include "net/codec.h"
#include "net/neighbour_codec.h"
#include "net/route_codec.h"
#include "net/rule_codec.h"
#include "net/view.h"

/* An element, in both of its indices. */
struct node {
	struct hmap_node by_key;
	struct list in_list;
	uint64_t generation;
	_Alignas(max_align_t) uint8_t item[];
};

/* -- the kinds ------------------------------------------------------------------------------------- */

static uint64_t hash_ip(uint64_t seed, uint32_t ifindex, const struct ha_ip *ip)
{
	return hmap_hash(ip->bytes, sizeof(ip->bytes), seed ^ ifindex);
}

static uint64_t link_hash(uint64_t seed, const void *item)
{
	return hmap_mix(seed ^ ((const struct ha_net_link *)item)->ifindex);
}

static bool link_same_key(const void *a, const void *b)
{
	return ((const struct ha_net_link *)a)->ifindex == ((const struct ha_net_link *)b)->ifindex;
}

static bool link_same(const void *a, const void *b)
{
	return net_codec_same_link(a, b);
}

static uint64_t address_hash(uint64_t seed, const void *item)
{
	const struct ha_net_address *a = item;

	return hash_ip(seed, a->ifindex, &a->ip);
}

/* The kernel's notion: IPv6 has one on a link once, IPv4 once for each prefix length and peer. */
static bool address_same_key(const void *x, const void *y)
{
	const struct ha_net_address *a = x, *b = y;

	if (a->ifindex != b->ifindex || ha_ip_compare(&a->ip, &b->ip))
		return false;
	return a->ip.family == AF_INET6 ||
	       (a->prefix_len == b->prefix_len && !ha_ip_compare(&a->peer, &b->peer));
}

static bool address_same(const void *a, const void *b)
{
	return net_codec_same_address(a, b);
}

static uint64_t neighbour_hash(uint64_t seed, const void *item)
{
	const struct ha_net_neighbour *a = item;

	return hash_ip(seed, a->ifindex, &a->ip);
}

static bool neighbour_same_key(const void *x, const void *y)
{
	const struct ha_net_neighbour *a = x, *b = y;

	return a->ifindex == b->ifindex && !ha_ip_compare(&a->ip, &b->ip);
}

static bool neighbour_same(const void *a, const void *b)
{
	return neighbour_codec_same(a, b);
}

static uint64_t route_hash(uint64_t seed, const void *item)
{
	const struct ha_net_route *r = item;

	return hash_ip(seed ^ (uint64_t)r->priority << 32, r->table ^ r->dst_len, &r->dst);
}

/* IPv4 may have several in one place, so the ways count; thus equal keys have equally many. */
static bool route_same_key(const void *x, const void *y)
{
	const struct ha_net_route *a = x, *b = y;

	return a->type == b->type && a->protocol == b->protocol && route_codec_same_place(a, b) &&
	       route_codec_same_ways(a, b);
}

static bool route_same(const void *a, const void *b)
{
	return route_codec_same(a, b);
}

static uint64_t rule_hash(uint64_t seed, const void *item)
{
	const struct ha_net_rule *r = item;

	return hash_ip(seed ^ (uint64_t)r->priority << 32, r->table, &r->from);
}

/* A rule has no name but itself. */
static bool rule_same_key(const void *a, const void *b)
{
	return rule_codec_same(a, b);
}

static bool rule_same(const void *a, const void *b)
{
	return true;
}

static const struct kind {
	size_t bytes; /* of the element, without next hops */
	size_t max;
	uint64_t (*hash)(uint64_t seed, const void *item);
	bool (*same_key)(const void *a, const void *b);
	bool (*same)(const void *a, const void *b); /* nothing to tell */
} kinds[VIEW_KINDS] = {
    [VIEW_LINKS] = {sizeof(struct ha_net_link), HA_NET_LINKS_MAX, link_hash, link_same_key,
		    link_same},
    [VIEW_ADDRESSES] = {sizeof(struct ha_net_address), HA_NET_ADDRESSES_MAX, address_hash,
			address_same_key, address_same},
    [VIEW_NEIGHBOURS] = {sizeof(struct ha_net_neighbour), HA_NET_NEIGHBOURS_MAX, neighbour_hash,
			 neighbour_same_key, neighbour_same},
    [VIEW_ROUTES] = {sizeof(struct ha_net_route), HA_NET_ROUTES_MAX, route_hash, route_same_key,
		     route_same},
    [VIEW_RULES] = {sizeof(struct ha_net_rule), HA_NET_RULES_MAX, rule_hash, rule_same_key,
		    rule_same},
};

static size_t nexthop_bytes(enum view_kind kind, const void *item)
{
	const struct ha_net_route *r = item;

	return kind == VIEW_ROUTES ? r->n_nexthops * sizeof(*r->nexthops) : 0;
}

static void copy_item(struct node *n, enum view_kind kind, const void *item)
{
	size_t more = nexthop_bytes(kind, item);
	struct ha_net_route *r = (void *)n->item;

	memcpy(n->item, item, kinds[kind].bytes);
	if (!more)
		return;
	memcpy(n->item + kinds[kind].bytes, ((const struct ha_net_route *)item)->nexthops, more);
	r->nexthops = (const void *)(n->item + kinds[kind].bytes);
}

/* -- the tables -------------------------------------------------------------------------------------- */

void view_init(struct view *v, uint64_t seed)
{
	*v = (struct view){.seed = seed};
	for (int k = 0; k < VIEW_KINDS; k++) {
		hmap_init(&v->table[k].by_key);
		list_init(&v->table[k].all);
	}
}

static struct node *node_at(struct list *pos)
{
	return container_of(pos, struct node, in_list);
}

void view_fini(struct view *v)
{
	struct list *pos, *next;

	for (int k = 0; k < VIEW_KINDS; k++) {
		list_for_each_safe (pos, next, &v->table[k].all)
			mem_free(node_at(pos));
		hmap_fini(&v->table[k].by_key);
	}
}

static struct node *find(const struct view *v, enum view_kind kind, const void *key)
{
	uint64_t hash = kinds[kind].hash(v->seed, key);
	struct hmap_node *i = hmap_first(&v->table[kind].by_key, hash);

	for (; i; i = hmap_next(i)) {
		struct node *n = container_of(i, struct node, by_key);

		if (kinds[kind].same_key(n->item, key))
			return n;
	}
	return NULL;
}

static void update(struct view *v, enum view_kind kind, struct node *n, const void *item)
{
	_Alignas(max_align_t) uint8_t before[512];
	bool same = kinds[kind].same(n->item, item);

	_Static_assert(sizeof(struct ha_net_route) <= sizeof(before), "the largest fits");
	/* The ways of a route are part of its key: those before are those now. */
	memcpy(before, n->item, kinds[kind].bytes);
	copy_item(n, kind, item);
	n->generation = v->generation;
	if (!same)
		v->tell(v->userdata, kind, n->item, before);
}

int view_put(struct view *v, enum view_kind kind, const void *item)
{
	struct view_table *t = &v->table[kind];
	struct node *n = find(v, kind, item);
	int r;

	if (n) {
		update(v, kind, n, item);
		return 0;
	}
	if (t->by_key.n >= kinds[kind].max) {
		v->over_limit++;
		return 0;
	}
	n = mem_zalloc(sizeof(*n) + kinds[kind].bytes + nexthop_bytes(kind, item));
	if (!n)
		return -ENOMEM;
	r = hmap_add(&t->by_key, &n->by_key, kinds[kind].hash(v->seed, item));
	if (r < 0) {
		mem_free(n);
		return r;
	}
	list_add_tail(&t->all, &n->in_list);
	copy_item(n, kind, item);
	n->generation = v->generation;
	v->tell(v->userdata, kind, n->item, NULL);
	return 0;
}

static void drop(struct view *v, enum view_kind kind, struct node *n);

static void drop_what_is_on(struct view *v, uint32_t ifindex)
{
	struct list *pos, *next;

	list_for_each_safe (pos, next, &v->table[VIEW_NEIGHBOURS].all)
		if (((struct ha_net_neighbour *)(void *)node_at(pos)->item)->ifindex == ifindex)
			drop(v, VIEW_NEIGHBOURS, node_at(pos));
	list_for_each_safe (pos, next, &v->table[VIEW_ADDRESSES].all)
		if (((struct ha_net_address *)(void *)node_at(pos)->item)->ifindex == ifindex)
			drop(v, VIEW_ADDRESSES, node_at(pos));
}

static void drop(struct view *v, enum view_kind kind, struct node *n)
{
	if (kind == VIEW_LINKS)
		drop_what_is_on(v, ((struct ha_net_link *)(void *)n->item)->ifindex);
	hmap_remove(&v->table[kind].by_key, &n->by_key);
	list_remove(&n->in_list);
	v->tell(v->userdata, kind, NULL, n->item);
	mem_free(n);
}

bool view_remove(struct view *v, enum view_kind kind, const void *key)
{
	struct node *n = find(v, kind, key);

	if (n)
		drop(v, kind, n);
	return n;
}

void view_sweep(struct view *v)
{
	struct list *pos, *next;

	for (enum view_kind k = VIEW_KINDS; k-- > 0;)
		list_for_each_safe (pos, next, &v->table[k].all)
			if (node_at(pos)->generation != v->generation)
				drop(v, k, node_at(pos));
}

const void *view_find(const struct view *v, enum view_kind kind, const void *key)
{
	const struct node *n = find(v, kind, key);

	return n ? n->item : NULL;
}

const struct ha_net_address *view_find_address(const struct view *v, uint32_t ifindex,
					       const struct ha_ip *ip)
{
	struct hmap_node *i =
	    hmap_first(&v->table[VIEW_ADDRESSES].by_key, hash_ip(v->seed, ifindex, ip));

	for (; i; i = hmap_next(i)) {
		const struct ha_net_address *a =
		    (const void *)container_of(i, struct node, by_key)->item;

		if (a->ifindex == ifindex && !ha_ip_compare(&a->ip, ip))
			return a;
	}
	return NULL;
}

int view_walk(const struct view *v, enum view_kind kind,
	      int (*each)(void *userdata, const void *item), void *userdata)
{
	const struct list *all = &v->table[kind].all;
	int r = 0;

	for (struct list *pos = all->next; !r && pos != all; pos = pos->next)
		r = each(userdata, node_at(pos)->item);
	return r;
}
