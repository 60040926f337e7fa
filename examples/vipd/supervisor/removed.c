/* SPDX-License-Identifier: MIT */
/* Servers that go because they are configured no longer, or because vipd ends: FIFOs and scripts are told DOWN. */
#include <string.h>

#include "supervisor/state.h"

static bool is_same_real(const struct conf_real *a, const struct conf_real *b)
{
	return a->port == b->port && !ha_ip_compare(&a->ip, &b->ip);
}

/* *hint is where it is most likely, since files change little: behind the last one that was found. */
static bool has_real(const struct conf_virtual *v, const struct conf_real *r,
		     const struct conf_real **hint)
{
	const struct conf_real *at = *hint && is_same_real(*hint, r) ? *hint : v->reals;

	while (at && !is_same_real(at, r))
		at = at->next;
	if (at)
		*hint = at->next;
	return at;
}

static bool is_same_virtual(const struct conf_virtual *a, const struct conf_virtual *b)
{
	return a->protocol == b->protocol && !strcmp(a->name, b->name);
}

static const struct conf_virtual *find_virtual(const struct conf *c, const struct conf_virtual *v,
					       const struct conf_virtual **hint)
{
	const struct conf_virtual *at = *hint && is_same_virtual(*hint, v) ? *hint : c->virtuals;

	while (at && !is_same_virtual(at, v))
		at = at->next;
	if (at)
		*hint = at->next;
	return at;
}

static void tell_real(struct supervisor *s, uint32_t virtual, uint32_t real, size_t live)
{
	const struct msg m = {.type = MSG_REAL, .index = virtual, .index2 = real};

	if (atomic_load(&s->live->real[live].alive))
		notify_real(s, &m);
}

static void tell_quorum(struct supervisor *s, uint32_t virtual)
{
	const struct msg m = {.type = MSG_QUORUM, .index = virtual};

	if (atomic_load(&s->live->virtual[virtual].up))
		notify_quorum(s, &m);
}

void notify_removed(struct supervisor *s, const struct conf *next)
{
	const struct conf_virtual *hint = next->virtuals;
	uint32_t virtual = 0;
	size_t live = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next, virtual ++) {
		const struct conf_virtual *now = find_virtual(next, v, &hint);
		const struct conf_real *real_hint = now ? now->reals : NULL;
		uint32_t real = 0;

		for (const struct conf_real *r = v->reals; r; r = r->next, real++, live++)
			if (!now || !has_real(now, r, &real_hint))
				tell_real(s, virtual, real, live);
		if (!now)
			tell_quorum(s, virtual);
	}
}

/* As keepalived's: with lvs_flush_on_stop it does not look at real servers any more. */
void notify_omega(struct supervisor *s)
{
	uint32_t virtual = 0;
	size_t live = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next, virtual ++) {
		bool reals = v->omega && !s->conf->globals.flush_on_stop;

		for (uint32_t real = 0; real < v->n_reals; real++, live++)
			if (reals)
				tell_real(s, virtual, real, live);
		if (v->omega)
			tell_quorum(s, virtual);
	}
}
