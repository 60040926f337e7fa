/* SPDX-License-Identifier: MIT */
/* Versions of maps: a change of many entries is prepared beside the map and takes its place in one step. */
#include <stdlib.h>

#include "rules/map_object.h"

unsigned map_version(const struct map *m)
{
	return m->version;
}

unsigned map_next_version(const struct map *m)
{
	return m->next_version;
}

unsigned map_prepare(struct map *m)
{
	return ++m->next_version;
}

static struct map *new_draft(struct map *m, unsigned version)
{
	struct map *d = calloc(1, sizeof(*d));
	struct map_view **tail;

	if (!d)
		return NULL;
	pthread_rwlock_init(&d->lock, NULL);
	tail = &d->views;
	for (const struct map_view *v = m->views; v; v = v->next) {
		*tail = calloc(1, sizeof(**tail));
		if (!*tail) {
			map_free(d);
			return NULL;
		}
		(*tail)->map = d;
		(*tail)->patterns.match = v->patterns.match;
		(*tail)->patterns.ignore_case = v->patterns.ignore_case;
		tail = &(*tail)->next;
	}
	d->has_values = m->has_values;
	d->version = version;
	pthread_rwlock_rdlock(&m->lock);
	d->next_id = m->next_id;
	pthread_rwlock_unlock(&m->lock);
	d->next = m->drafts;
	m->drafts = d;
	return d;
}

struct map *map_draft(struct map *m, unsigned version, bool make)
{
	unsigned n = 0;

	if (version == m->version)
		return m;
	for (struct map *d = m->drafts; d; d = d->next, n++)
		if (d->version == version)
			return d;
	return make && n < MAP_DRAFTS_MAX ? new_draft(m, version) : NULL;
}

#define SWAP(a, b)                            \
	do {                                  \
		__typeof__(a) was = (a);      \
		(a) = (b);                    \
		(b) = was;                    \
	} while (0)

/* A view that is younger than the draft ("set var" may make one) is made there, too. */
static bool complete_views(struct map *draft, const struct map *m, struct rule_error *e)
{
	for (const struct map_view *v = m->views; v; v = v->next)
		if (!map_view(draft, v->patterns.match, v->patterns.ignore_case, e))
			return false;
	return true;
}

/* All that entries and views are made of; both have views of the same kinds. */
static void swap_contents(struct map *m, struct map *d)
{
	pthread_rwlock_wrlock(&m->lock);
	SWAP(m->at, d->at);
	SWAP(m->n, d->n);
	SWAP(m->cap, d->cap);
	SWAP(m->n_dead, d->n_dead);
	SWAP(m->bytes, d->bytes);
	SWAP(m->bucket, d->bucket);
	SWAP(m->n_buckets, d->n_buckets);
	SWAP(m->blocks, d->blocks);
	SWAP(m->ends, d->ends);
	for (struct map_view *v = m->views; v; v = v->next)
		SWAP(v->patterns, map_view_of(d, v->patterns.match, v->patterns.ignore_case)->patterns);
	if (m->next_id < d->next_id)
		m->next_id = d->next_id;
	pthread_rwlock_unlock(&m->lock);
}

bool map_commit(struct map *m, unsigned version, struct rule_error *e)
{
	struct map *d, **at = &m->drafts;

	/* numbers may have gone round */
	if (version - m->version - 1 >= m->next_version - m->version)
		return rule_fail(e, "Version number out of range.");
	d = map_draft(m, version, false);
	if (d && !complete_views(d, m, e))
		return false;
	if (d)
		swap_contents(m, d);
	else
		map_clear(m);
	while ((d = *at)) {
		if (d->version - m->version > version - m->version) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		map_free(d);
	}
	m->version = version;
	return true;
}
