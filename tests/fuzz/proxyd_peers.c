/* SPDX-License-Identifier: MIT */
/*
 * What a peer says, in any bytes, with tables of all types of keys. What waits to be answered and what tables hold stays within
 * its limits, and all that was learned and has not expired can be told to another, who learns as many entries.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/peers/link.h"

#define NOW UINT64_C(1000000000000)
#define TABLES 5
#define SIZE 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct table *table_of(const char *name, enum sample_type type)
{
	struct table_def def;

	memset(&def, 0, sizeof(def));
	def.type = type;
	def.key_len = type == SAMPLE_STR || type == SAMPLE_BIN ? 8 : 0;
	def.size = SIZE;
	def.expire_ns = UINT64_C(100000000000);
	def.stored = (1u << TABLE_N_DATA) - 1;
	for (int d = 0; d < TABLE_N_DATA; d++) {
		def.period_ns[d] = table_data_is_rate((enum table_data)d) ? UINT64_C(10000000000) : 0;
		def.n_elements[d] = table_data_is_array((enum table_data)d) ? 2 : 0;
	}
	return table_get(name, &def);
}

static void make(struct share share[TABLES], const char *names[TABLES])
{
	static const enum sample_type types[TABLES] = {SAMPLE_INT, SAMPLE_IPV4, SAMPLE_IPV6, SAMPLE_STR, SAMPLE_BIN};
	static char known[TABLES][2] = {"i", "4", "6", "s", "b"};

	for (int i = 0; i < TABLES; i++) {
		share[i] = (struct share){table_of(names[i], types[i]), known[i], true};
		assert(share[i].table);
	}
}

static void drop(struct share share[TABLES])
{
	for (int i = 0; i < TABLES; i++)
		table_put(share[i].table);
}

static struct link *new_link(struct shares *shares, uint64_t since_ns)
{
	struct link *l = calloc(1, sizeof(*l));

	assert(l && link_begin(l, shares, since_ns) == 0);
	return l;
}

static int hear(struct link *l, const uint8_t *data, size_t size)
{
	int e = 0;

	for (size_t n; !e && size; data += n, size -= n) {
		n = sizeof(l->in) - l->in_len;
		n = n < size ? n : size;
		assert(n); /* a whole message always fits */
		memcpy(l->in + l->in_len, data, n);
		l->in_len += n;
		e = link_take(l, NOW);
		assert(l->in_len < sizeof(l->in) || e);
	}
	return e;
}

static void count(void *userdata, struct table *t, const struct table_entry *e)
{
	++*(unsigned *)userdata;
}

/* Entries whose time is not over. */
static unsigned living(struct table *t)
{
	struct table_cursor at = {0, 0};
	unsigned n = 0;

	while (table_walk(t, &at, NOW, count, &n))
		;
	return n;
}

/* Tells all of one side to the other. */
static void tell(struct shares *from, struct shares *to)
{
	struct link *a = new_link(from, LINK_ALL), *b = new_link(to, 0);

	do {
		link_fill(a, NOW);
		assert(a->out_len < LINK_OUT_MAX);
		assert(hear(b, a->out, a->out_len) == 0);
		a->out_len = 0;
	} while (a->walk.runs);
	for (size_t i = 0; i < TABLES; i++)
		assert(living(from->share[i].table) == living(to->share[i].table));
	link_end(a);
	link_end(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct share ours[TABLES], theirs[TABLES];
	struct shares one = {.share = ours, .n = TABLES, .knows_all = true}, two = {.share = theirs, .n = TABLES, .knows_all = true};
	struct link *l;

	make(ours, (const char *[]){"i", "4", "6", "s", "b"});
	make(theirs, (const char *[]){"I", "IV", "VI", "S", "B"});
	l = new_link(&one, 0);
	hear(l, data, size);
	assert(l->n_known <= LINK_TABLES_MAX);
	for (int i = 0; i < TABLES; i++)
		assert(table_used(ours[i].table, 0) <= SIZE);
	link_end(l);
	tell(&one, &two);
	drop(ours);
	drop(theirs);
	return 0;
}
