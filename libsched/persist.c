/* SPDX-License-Identifier: MIT */
/* The table of keys: a hash table in one array, all entries in a list by last use. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/hmap.h"
#include "base/mem.h"
#include "base/sized.h"
#include <libsched/lb_persist.h>

#define TIMEOUT_NS UINT64_C(180000000000) /* F5: persistence source-addr, timeout 180 */
#define NONE UINT32_MAX

/* Numbers, not pointers: half the memory. */
struct entry {
	uint64_t key, id, used_ns;
	uint32_t newer, older; /* the list; a free entry uses `older` alone */
	uint32_t next;	       /* in the bucket */
};

struct lb_persist {
	struct entry *at;
	uint32_t *bucket;
	uint32_t mask;
	uint32_t newest, oldest, free;
	struct lb_persist_opts opts;
	struct lb_persist_stats stats;
};

_Static_assert(sizeof(struct entry) + 2 * sizeof(uint32_t) <= LB_PERSIST_ENTRY_BYTES,
	       "an entry and less than two buckets");

static uint32_t *bucket_of(const struct lb_persist *t, uint64_t key)
{
	return &t->bucket[hmap_mix(key ^ t->opts.seed) & t->mask];
}

static uint32_t find(const struct lb_persist *t, uint64_t key)
{
	uint32_t i = *bucket_of(t, key);

	while (i != NONE && t->at[i].key != key)
		i = t->at[i].next;
	return i;
}

static void changed(const struct lb_persist *t, uint64_t id, int by)
{
	if (t->opts.on_change)
		t->opts.on_change(id, by, t->opts.userdata);
}

/* ---- The list by last use ---- */

static void list_out(struct lb_persist *t, uint32_t i)
{
	const struct entry *e = &t->at[i];

	*(e->newer == NONE ? &t->newest : &t->at[e->newer].older) = e->older;
	*(e->older == NONE ? &t->oldest : &t->at[e->older].newer) = e->newer;
}

static void list_in(struct lb_persist *t, uint32_t i)
{
	t->at[i].newer = NONE;
	t->at[i].older = t->newest;
	*(t->newest == NONE ? &t->oldest : &t->at[t->newest].newer) = i;
	t->newest = i;
}

static void drop(struct lb_persist *t, uint32_t i)
{
	struct entry *e = &t->at[i];
	uint32_t *at = bucket_of(t, e->key);
	const uint64_t id = e->id;

	while (*at != i)
		at = &t->at[*at].next;
	*at = e->next;
	list_out(t, i);
	e->older = t->free;
	e->id = 0;
	t->free = i;
	t->stats.used--;
	changed(t, id, -1);
}

static bool is_expired(const struct lb_persist *t, uint32_t i, uint64_t now_ns)
{
	const uint64_t used = t->at[i].used_ns;

	return now_ns > used && now_ns - used >= t->opts.timeout_ns;
}

/* ---- The calls ---- */

int lb_persist_new(const struct lb_persist_opts *o, struct lb_persist **ret)
{
	struct lb_persist_opts own;
	struct lb_persist *t;
	size_t n_buckets = 1;
	int r;

	if (!ret)
		return -EINVAL;
	r = sized_in(&own, sizeof(own), o);
	if (r < 0)
		return r;
	if (!own.entries || own.entries > LB_PERSIST_ENTRIES_MAX || own.reserved)
		return -EINVAL;
	while (n_buckets < own.entries)
		n_buckets *= 2;
	t = mem_zalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->at = mem_array(own.entries, sizeof(*t->at));
	t->bucket = mem_array(n_buckets, sizeof(*t->bucket));
	if (!t->at || !t->bucket) {
		lb_persist_free(t);
		return -ENOMEM;
	}
	memset(t->bucket, 0xff, n_buckets * sizeof(*t->bucket));
	for (uint32_t i = 0; i < own.entries; i++)
		t->at[i].older = i + 1 < own.entries ? i + 1 : NONE;
	if (!own.timeout_ns)
		own.timeout_ns = TIMEOUT_NS;
	t->mask = (uint32_t)n_buckets - 1;
	t->newest = t->oldest = NONE;
	t->opts = own;
	t->stats.entries = own.entries;
	*ret = t;
	return 0;
}

void lb_persist_free(struct lb_persist *t)
{
	if (!t)
		return;
	mem_free(t->at);
	mem_free(t->bucket);
	mem_free(t);
}

int lb_persist_get(struct lb_persist *t, uint64_t key64, uint64_t now_ns, uint64_t *ret_id)
{
	uint32_t i;

	if (!t || !ret_id)
		return -EINVAL;
	i = find(t, key64);
	if (i != NONE && is_expired(t, i, now_ns)) {
		t->stats.expired++;
		drop(t, i);
		i = NONE;
	}
	if (i == NONE) {
		t->stats.misses++;
		return -ENOENT;
	}
	t->stats.hits++;
	if (t->at[i].used_ns < now_ns)
		t->at[i].used_ns = now_ns;
	list_out(t, i);
	list_in(t, i);
	*ret_id = t->at[i].id;
	return 0;
}

/* A free entry; the one not used for longest, if there is none. */
static uint32_t take_entry(struct lb_persist *t)
{
	uint32_t i;

	if (t->free == NONE) {
		t->stats.evicted++;
		drop(t, t->oldest);
	}
	i = t->free;
	t->free = t->at[i].older;
	t->stats.used++;
	return i;
}

int lb_persist_put(struct lb_persist *t, uint64_t key64, uint64_t id, uint64_t now_ns)
{
	uint64_t before = 0;
	uint32_t i, *bucket;

	if (!t || !id)
		return -EINVAL;
	i = find(t, key64);
	if (i == NONE) {
		i = take_entry(t);
		bucket = bucket_of(t, key64);
		t->at[i].key = key64;
		t->at[i].next = *bucket;
		*bucket = i;
	} else {
		before = t->at[i].id;
		list_out(t, i);
	}
	list_in(t, i);
	t->at[i].id = id;
	t->at[i].used_ns = now_ns;
	if (before == id)
		return 0;
	if (before)
		changed(t, before, -1);
	changed(t, id, 1);
	return 0;
}

int lb_persist_remove(struct lb_persist *t, uint64_t key64)
{
	uint32_t i;

	if (!t)
		return -EINVAL;
	i = find(t, key64);
	if (i == NONE)
		return -ENOENT;
	drop(t, i);
	return 0;
}

ssize_t lb_persist_forget(struct lb_persist *t, uint64_t id)
{
	ssize_t n = 0;

	if (!t || !id)
		return -EINVAL;
	for (uint32_t i = t->newest, older; i != NONE; i = older) {
		older = t->at[i].older;
		if (t->at[i].id != id)
			continue;
		drop(t, i);
		n++;
	}
	return n;
}

int lb_persist_stats(const struct lb_persist *t, struct lb_persist_stats *ret)
{
	if (!t || !ret)
		return -EINVAL;
	return sized_out(ret, &t->stats, sizeof(t->stats));
}

int lb_persist_key(const void *addr, size_t addr_len, unsigned prefix, uint64_t *ret_key64)
{
	uint8_t masked[16] = {0};

	if (!addr || !ret_key64 || (addr_len != 4 && addr_len != 16) || prefix > addr_len * 8)
		return -EINVAL;
	memcpy(masked, addr, prefix / 8);
	if (prefix % 8)
		masked[prefix / 8] =
		    ((const uint8_t *)addr)[prefix / 8] & (uint8_t)(0xff00 >> prefix % 8);
	*ret_key64 = hmap_hash(masked, addr_len, addr_len);
	return 0;
}
