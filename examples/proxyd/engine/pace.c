/* SPDX-License-Identifier: MIT */
#include "engine/pace.h"

#include <stdlib.h>

#define RECHECKS 16 /* of a shared rate, in a period of the table */
#define RECHECK_MIN_NS UINT64_C(1000000)
#define RECHECK_MAX_NS UINT64_C(250000000)

/* Tells the entry what has moved since it was told. */
static void count(struct pace_way *y, uint64_t moved, uint64_t now_ns)
{
	if (moved > y->mark)
		table_count(y->table, y->entry,
			    table_at(y->is_out ? TABLE_BYTES_OUT_CNT : TABLE_BYTES_IN_CNT),
			    (int64_t)(moved - y->mark), now_ns);
	y->mark = moved;
}

static void end(struct pace_way *y, uint64_t moved, uint64_t now_ns)
{
	if (y->entry) {
		count(y, moved, now_ns);
		table_release(y->table, y->entry);
		table_put(y->table);
	}
	*y = (struct pace_way){.bytes = 0};
}

static void set(struct pace_way *y, const struct bandwidth_order *o, uint64_t moved,
		uint64_t now_ns)
{
	struct table *table = o->entry ? o->filter->table->table : NULL;
	uint64_t min = o->filter->min_bytes;

	if (y->bytes == o->bytes && y->ns == o->ns && y->entry == o->entry) {
		if (o->entry)
			table_release(table, o->entry);
		return;
	}
	end(y, moved, now_ns);
	if (table)
		table_retain(table); /* it may be kept longer than its configuration */
	*y = (struct pace_way){
	    .bytes = o->bytes,
	    .ns = o->ns,
	    .min_bytes = min < o->bytes ? min : o->bytes,
	    .mark = moved,
	    .until_ns = now_ns + o->ns,
	    .is_out = o->filter->is_out,
	    .table = table,
	    .entry = o->entry,
	};
}

void pace_set(struct pace **p, struct bandwidth_order order[2], const uint64_t moved[2],
	      uint64_t now_ns)
{
	if (!order[0].filter && !order[1].filter)
		return;
	if (p && !*p)
		*p = calloc(1, sizeof(**p));
	for (int i = 0; i < 2; i++) {
		if (p && *p && order[i].filter)
			set(&(*p)->way[i], &order[i], moved[i], now_ns);
		else if (order[i].entry)
			table_release(order[i].filter->table->table, order[i].entry);
		order[i] = (struct bandwidth_order){.filter = NULL};
	}
}

static uint64_t left_of_rate(struct pace_way *y, uint64_t moved, uint64_t now_ns)
{
	enum table_data rate = y->is_out ? TABLE_BYTES_OUT_RATE : TABLE_BYTES_IN_RATE;
	uint64_t used = 0, wait = table_def(y->table)->period_ns[rate] / RECHECKS;

	count(y, moved, now_ns);
	table_read(y->table, y->entry, table_at(rate), now_ns, &used);
	wait = wait < RECHECK_MIN_NS   ? RECHECK_MIN_NS
	       : wait > RECHECK_MAX_NS ? RECHECK_MAX_NS
				       : wait;
	y->until_ns = now_ns + wait;
	return used < y->bytes ? y->bytes - used : 0;
}

static uint64_t left_of_period(struct pace_way *y, uint64_t moved, uint64_t now_ns)
{
	uint64_t used = moved - y->mark;

	if (now_ns >= y->until_ns) { /* what was too much is the next period's */
		y->mark += used < y->bytes ? used : y->bytes;
		y->until_ns = now_ns + y->ns;
		used = moved - y->mark;
	}
	return used < y->bytes ? y->bytes - used : 0;
}

size_t pace_room(struct pace *p, int from, uint64_t moved, uint64_t now_ns)
{
	struct pace_way *y = &p->way[from];
	uint64_t left;

	if (!y->bytes)
		return SIZE_MAX;
	left = y->entry ? left_of_rate(y, moved, now_ns) : left_of_period(y, moved, now_ns);
	y->is_held = !left || left < y->min_bytes;
	return y->is_held ? 0 : (size_t)left;
}

uint64_t pace_until(const struct pace *p)
{
	uint64_t until = UINT64_MAX;

	for (int i = 0; i < 2; i++)
		if (p->way[i].is_held && p->way[i].until_ns < until)
			until = p->way[i].until_ns;
	return until;
}

bool pace_wake(struct pace *p, uint64_t now_ns)
{
	if (pace_until(p) > now_ns)
		return false;
	p->way[0].is_held = p->way[1].is_held = false;
	return true;
}

void pace_restart(struct pace *p, const uint64_t moved[2], uint64_t now_ns)
{
	for (int i = 0; i < 2; i++) {
		if (p->way[i].entry)
			count(&p->way[i], moved[i], now_ns);
		p->way[i].mark = 0;
		p->way[i].is_held = false;
	}
}

void pace_free(struct pace **p, const uint64_t moved[2], uint64_t now_ns)
{
	if (!*p)
		return;
	end(&(*p)->way[0], moved[0], now_ns);
	end(&(*p)->way[1], moved[1], now_ns);
	free(*p);
	*p = NULL;
}
