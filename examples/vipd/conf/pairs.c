/* SPDX-License-Identifier: MIT */
#include "conf/pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is compared; `check` NULL: the virtual server itself. */
struct item {
	const struct conf_virtual *virtual;
	const struct conf_real *real;
	const struct conf_check *check;
	unsigned place; /* of the check in its real server */
	size_t index;	/* in its configuration, of virtual servers or of checks */
};

/*
 * All of the old configuration, in order: mostly the next one is the one that is looked for. When it is not, by hash: thousands may have
 * moved.
 */
struct table {
	struct item *item;
	size_t n, next;
	uint32_t *slot; /* 0: free; else one more than the index of an item */
	size_t size;	/* a power of two, more than twice n */
	bool hashed;
};

static uint64_t mix(uint64_t h, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		h = (h ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
	return h;
}

static size_t hash_of(const struct item *i)
{
	const char *name = i->virtual->name;
	uint64_t h = mix(UINT64_C(0xcbf29ce484222325), name, strlen(name));

	if (i->check) {
		h = mix(h, i->real->ip.bytes, sizeof(i->real->ip.bytes));
		h = mix(h, &i->real->port, sizeof(i->real->port));
		h = mix(h, &i->place, sizeof(i->place));
	}
	return (size_t)(h ^ h >> 32);
}

static bool same_item(const struct item *a, const struct item *b)
{
	if (!a->check != !b->check || a->virtual->protocol != b->virtual->protocol ||
	    strcmp(a->virtual->name, b->virtual->name) != 0)
		return false;
	return !a->check || (a->place == b->place && a->real->port == b->real->port &&
			     !ha_ip_compare(&a->real->ip, &b->real->ip));
}

/* Where it is, or where it would be. Of several that are the same the first counts. */
static uint32_t *place_of(const struct table *t, const struct item *i)
{
	size_t at = hash_of(i) & (t->size - 1);

	while (t->slot[at] && !same_item(&t->item[t->slot[at] - 1], i))
		at = (at + 1) & (t->size - 1);
	return &t->slot[at];
}

static void hash_all(struct table *t)
{
	for (size_t i = 0; i < t->n; i++) {
		uint32_t *slot = place_of(t, &t->item[i]);

		if (!*slot)
			*slot = (uint32_t)i + 1;
	}
	t->hashed = true;
}

static const struct item *find(struct table *t, const struct item *i)
{
	uint32_t found;

	if (t->next < t->n && same_item(&t->item[t->next], i))
		return &t->item[t->next++];
	if (!t->hashed)
		hash_all(t);
	found = *place_of(t, i);
	if (!found)
		return NULL;
	t->next = found;
	return &t->item[found - 1];
}

static void take_old(void *userdata, const struct item *i)
{
	struct table *t = userdata;

	t->item[t->n++] = *i;
}

struct search {
	struct table *old;
	struct conf_pairs *ret;
	size_t n; /* looked up so far */
};

static void look_up(void *userdata, const struct item *i)
{
	struct search *s = userdata;
	const struct item *old = find(s->old, i);
	size_t index = old ? old->index : CONF_NO_PAIR;

	s->ret->in_place &= old && (size_t)(old - s->old->item) == s->n;
	s->n++;

	if (!i->check) {
		s->ret->virtual[i->index] = index;
		return;
	}
	s->ret->check[i->index] = index;
	s->ret->unchanged[i->index] =
	    old && conf_check_same(old->check, old->real, i->check, i->real);
}

/* Virtual servers and checks, in order. */
static void walk(const struct conf *c, void (*fn)(void *, const struct item *), void *userdata)
{
	size_t virtual = 0, check = 0;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next) {
		fn(userdata, &(struct item){.virtual = v, .index = virtual ++});
		for (const struct conf_real *r = v->reals; r; r = r->next) {
			struct item i = {.virtual = v, .real = r};

			for (i.check = r->checks; i.check; i.check = i.check->next, i.place++) {
				i.index = check++;
				fn(userdata, &i);
			}
		}
	}
}

static int make_table(const struct conf *c, struct table *ret)
{
	size_t n = c ? c->n_virtuals + c->n_checks : 0;

	*ret = (struct table){.size = 16};
	while (ret->size <= 2 * n)
		ret->size *= 2;
	ret->item = calloc(n + 1, sizeof(*ret->item));
	ret->slot = calloc(ret->size, sizeof(*ret->slot));
	if (!ret->item || !ret->slot)
		return -ENOMEM;
	if (c)
		walk(c, take_old, ret);
	return 0;
}

int conf_pairs(const struct conf *old, const struct conf *c, struct conf_pairs *ret)
{
	size_t n = c->n_checks;
	struct table t;
	int r = make_table(old, &t);

	*ret = (struct conf_pairs){.virtual = calloc(c->n_virtuals + 1, sizeof(*ret->virtual)),
				   .check = calloc(n + 1, sizeof(*ret->check)),
				   .unchanged = calloc(n + 1, sizeof(*ret->unchanged)),
				   .in_place = old && t.n == c->n_virtuals + n &&
					       old->n_reals == c->n_reals};
	if (!ret->virtual || !ret->check || !ret->unchanged)
		r = -ENOMEM;
	if (r < 0)
		conf_pairs_fini(ret);
	else
		walk(c, look_up, &(struct search){.old = &t, .ret = ret});
	free(t.item);
	free(t.slot);
	return r;
}

void conf_pairs_fini(struct conf_pairs *m)
{
	free(m->virtual);
	free(m->check);
	free(m->unchanged);
	*m = (struct conf_pairs){0};
}

/* ---- Names ---- */

void conf_virtual_key(const struct conf_virtual *v, char key[CONF_KEY_SIZE])
{
	snprintf(key, CONF_KEY_SIZE, "%.100s %d", v->name, v->protocol);
}

void conf_check_key(const struct conf_virtual *v, const struct conf_real *r, unsigned place,
		    char key[CONF_KEY_SIZE])
{
	char ip[HA_IP_TEXT_SIZE] = "";

	ha_ip_format(&r->ip, ip, sizeof(ip));
	snprintf(key, CONF_KEY_SIZE, "%.40s %d %s %u %u", v->name, v->protocol, ip,
		 (unsigned)r->port, place);
}
