/* SPDX-License-Identifier: MIT */
#include "health/weights.h"

#include <errno.h>
#include <stdlib.h>

#include "map_shared.h"
#include "model.h"

static size_t wanted_size(const struct weights *w)
{
	return (w->n_virtuals + w->n + 1) * sizeof(*w->wanted);
}

static size_t held_size(const struct weights *w)
{
	return sizeof(*w->held) + w->n * sizeof(*w->held->weight);
}

void weights_leave_wanted(struct weights *w)
{
	if (w->turn)
		munmap((void *)w->turn, wanted_size(w));
	w->turn = NULL;
	w->wanted = NULL;
}

void weights_leave_held(struct weights *w)
{
	if (w->held)
		munmap(w->held, held_size(w));
	w->held = NULL;
}

void weights_seal_wanted(struct weights *w)
{
	mprotect((void *)w->turn, wanted_size(w), PROT_READ);
}

void weights_free(struct weights *w)
{
	if (!w)
		return;
	weights_leave_wanted(w);
	weights_leave_held(w);
	free(w);
}

int weights_new(const struct conf *c, struct weights **ret)
{
	struct weights *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->n_virtuals = c->n_virtuals;
	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		w->n += v->n_reals + 1;
	w->turn = map_shared(wanted_size(w));
	w->held = map_shared(held_size(w));
	if (!w->turn || !w->held) {
		weights_free(w);
		return -ENOMEM;
	}
	w->wanted = (void *)(w->turn + w->n_virtuals);
	*ret = w;
	return 0;
}

size_t weights_places_max(const struct conf *c)
{
	size_t n = 0;

	for (const struct conf_virtual *v = c->virtuals; v; v = v->next)
		n = v->n_reals > n ? v->n_reals : n;
	return n + 1;
}

void weights_want(struct weights *w, size_t index, size_t first, const int32_t *weight, size_t n)
{
	uint32_t turn =
	    atomic_load(&w->turn[index]) | 1; /* odd already: a predecessor died in the middle */

	atomic_store(&w->turn[index], turn);
	for (size_t i = 0; i < n; i++)
		atomic_store(&w->wanted[first + i], weight[i]);
	turn++;
	atomic_store(&w->turn[index], turn ? turn : 2);
}

bool weights_are_said(const struct weights *w)
{
	for (size_t i = 0; i < w->n_virtuals; i++)
		if (!atomic_load(&w->turn[i]))
			return false;
	return true;
}

int weights_read(const struct weights *w, size_t index, size_t first, int32_t *ret, size_t n)
{
	uint32_t turn = atomic_load(&w->turn[index]);

	if (!turn || turn & 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		ret[i] = atomic_load(&w->wanted[first + i]);
	if (atomic_load(&w->turn[index]) != turn)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (ret[i] < QUORUM_ABSENT)
			return -EBADMSG;
	return 1;
}

/* ---- At the very first ---- */

/* False: it depends on more than the configuration. */
static bool begin_real(const struct conf_real *r, struct quorum_real *ret)
{
	*ret = (struct quorum_real){.weight = r->weight,
				    .alive = r->checks || r->opts->common.alpha != 1,
				    .inhibit = r->opts->inhibit == 1};
	for (const struct conf_check *c = r->checks; c; c = c->next) {
		if (c->kind == CONF_CHECK_FILE || c->kind == CONF_CHECK_BFD)
			return false;
		ret->alive &= c->common.alpha != 1;
	}
	return true;
}

static bool begin_virtual(const struct conf_virtual *v, struct quorum_real *room, int32_t *ret)
{
	struct quorum q;
	size_t n = 0;

	for (const struct conf_real *r = v->reals; r; r = r->next)
		if (!begin_real(r, &room[n++]))
			return false;
	model_quorum(v, &q);
	q.up = true;
	quorum_update(&q, room, n);
	quorum_weights(&q, room, n, ret);
	return true;
}

int weights_begin(struct weights *w, const struct conf *c)
{
	size_t places = weights_places_max(c), index = 0, first = 0;
	struct quorum_real *room = calloc(places, sizeof(*room));
	int32_t *weight = calloc(places, sizeof(*weight));

	for (const struct conf_virtual *v = room && weight ? c->virtuals : NULL; v; v = v->next) {
		if (begin_virtual(v, room, weight))
			weights_want(w, index, first, weight, v->n_reals + 1);
		first += v->n_reals + 1;
		index++;
	}
	free(room);
	free(weight);
	return room && weight ? 0 : -ENOMEM;
}
