/* SPDX-License-Identifier: MIT */
/* What an algorithm of the host's own sees of a snapshot and of a request. */
#include "libsched/picker.h"

size_t lb_snapshot_count(const struct lb_snapshot *s)
{
	return s->n;
}

uint64_t lb_snapshot_generation(const struct lb_snapshot *s)
{
	return s->generation;
}

uint64_t lb_snapshot_id(const struct lb_snapshot *s, size_t place)
{
	return s->at[place].id;
}

ssize_t lb_snapshot_find(const struct lb_snapshot *s, uint64_t id)
{
	ssize_t place = snapshot_find_known(s, id);

	return place < (ssize_t)s->n ? place : -1;
}

uint32_t lb_snapshot_weight(const struct lb_snapshot *s, size_t place)
{
	return s->at[place].weight;
}

uint32_t lb_snapshot_configured_weight(const struct lb_snapshot *s, size_t place)
{
	return s->at[place].set_weight;
}

uint64_t lb_snapshot_key(const struct lb_snapshot *s, size_t place)
{
	return snap_server_of(s, &s->at[place])->key;
}

uint32_t lb_snapshot_counter(const struct lb_snapshot *s, size_t place, enum lb_counter c)
{
	return snap_count(s, place, c);
}

uint32_t lb_snapshot_active(const struct lb_snapshot *s)
{
	return snap_active(s);
}

void *lb_snapshot_group_state(const struct lb_snapshot *s)
{
	return snap_group_state(s);
}

void *lb_snapshot_server_state(const struct lb_snapshot *s, size_t place)
{
	return snap_server_state(s, place);
}

const void *lb_snapshot_table(const struct lb_snapshot *s)
{
	return s->table;
}

const struct lb_group_opts *lb_snapshot_opts(const struct lb_snapshot *s)
{
	return &s->setup.opts;
}

uint64_t lb_snapshot_seed(const struct lb_snapshot *s)
{
	return s->setup.opts.seed;
}

void *lb_snapshot_userdata(const struct lb_snapshot *s)
{
	return s->setup.opts.own_userdata;
}

bool lb_query_eligible(const struct lb_query *q, size_t place)
{
	return query_eligible(q, place);
}

const struct lb_request *lb_query_request(const struct lb_query *q)
{
	return q->request;
}

uint64_t lb_query_random(const struct lb_query *q)
{
	return picker_random(q->random);
}
