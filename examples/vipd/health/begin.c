/* SPDX-License-Identifier: MIT */
/* How virtual servers, real servers and checks begin: by the configuration, what a predecessor knew, and what is told at first. */
#include "health/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "model.h"

/* Up until a check says otherwise (keepalived), unless it is to prove itself first (alpha). */
static bool is_up_unless_known(const struct conf_check *c)
{
	return c->common.alpha != 1;
}

/* *ret_known: by a script that has run, a predecessor, a check that asks the same, or BFD. */
static bool passes_at_first(const struct health *h, const struct probe *leader, bool *ret_known)
{
	uint8_t track =
	    leader->conf->misc ? h->birth->tracks[leader->conf->misc->index] : TRACK_INIT;

	*ret_known = true;
	if (track != TRACK_INIT)
		return track == TRACK_OK;
	for (const struct probe *p = leader; p; p = p->next) {
		uint32_t known = atomic_load(&p->slot->alive);

		if (known == SHARED_ALIVE_UP || known == SHARED_ALIVE_DOWN)
			return known == SHARED_ALIVE_UP;
	}
	if (leader->conf->kind == CONF_CHECK_BFD)
		return h->birth->watches[leader->conf->track->watch->index];
	*ret_known = false;
	return is_up_unless_known(leader->conf);
}

static void make_probe(struct health *h, struct virtual_state *v, uint32_t real,
		       const struct conf_check *c)
{
	struct probe *p = &h->probes[h->n_probes];

	*p = (struct probe){
	    .virtual = v, .real = real, .conf = c, .slot = &h->birth->shared->check[h->n_probes]};
	if (c->misc)
		h->misc[c->misc->index - h->birth->conf->n_scripts] = p;
	v->state[real].checks++;
	h->n_probes++;
}

static int make_virtual(struct health *h, const struct conf_virtual *c)
{
	struct virtual_state *v = &h->virtuals[h->n_virtuals];
	uint32_t n = 0;

	*v = (struct virtual_state){
	    .health = h,
	    .conf = c,
	    .index = (uint32_t)h->n_virtuals,
	    .real = calloc(c->n_reals + 1, sizeof(*v->real)),
	    .state = calloc(c->n_reals + 1, sizeof(*v->state)),
	    .slot = &h->birth->shared->virtual[h->n_virtuals],
	    .first_real = h->n_reals,
	    .first_probe = h->n_probes,
	};
	if (!v->real || !v->state)
		return -ENOMEM;
	model_quorum(c, &v->quorum);
	h->n_virtuals++;
	h->n_reals += c->n_reals;
	for (const struct conf_real *real = c->reals; real; real = real->next, n++) {
		v->state[n].conf = real;
		v->state[n].order = h->birth->orders->real[v->first_real + n];
		for (const struct conf_check *k = real->checks; k; k = k->next)
			make_probe(h, v, n, k);
	}
	v->n_probes = h->n_probes - v->first_probe;
	return 0;
}

/*
 * Nothing was said of this probe's check yet, and its state is news. Of the number in a file that is there at the start none is made, nor of
 * BFD that does not hear a neighbour for which an alpha server waits.
 */
static void note_news(struct probe *p, bool up)
{
	const struct conf_check *c = p->conf;
	struct real_state *r = &p->virtual->state[p->real];

	if (atomic_load(&p->slot->alive) != SHARED_ALIVE_UNKNOWN || c->kind == CONF_CHECK_FILE)
		return;
	if (up)
		r->found |= !is_up_unless_known(c);
	else
		r->lost |= is_up_unless_known(c) || c->kind != CONF_CHECK_BFD;
}

/* What is taken for true until a check says otherwise. */
static void judge_first(struct health *h, struct probe *leader)
{
	const struct conf_check *c = leader->conf;
	bool known = true;
	bool up = c->kind == CONF_CHECK_FILE
		      ? health_judge_number(leader, h->birth->watches[c->track->watch->index])
		      : passes_at_first(h, leader, &known);

	for (struct probe *p = leader; p; p = p->next) {
		p->passes = up;
		p->virtual->state[p->real].passing += up;
		if (!known)
			continue;
		note_news(p, up);
		/* One word for all who share it: an old one must not come back at a reload. */
		atomic_store(&p->slot->alive, up ? SHARED_ALIVE_UP : SHARED_ALIVE_DOWN);
	}
	if (c->misc)
		health_take_exit(leader, h->birth->exits[c->misc->index]);
}

/* A check that cannot be run says nothing: its server stays as it is taken at first. */
static int start_probe(struct health *h, struct probe *leader)
{
	const struct conf_check *c = leader->conf; /* others may share it: */
	const struct diag_place *at = &leader->virtual->state[leader->real].conf->at;
	int r = conf_check_is_told(c) ? 0 : health_start_check(h, leader, leader->passes);

	if (r < 0)
		log_err("%s:%u: cannot make a check: %s", at->file, at->line, strerror(-r));
	for (struct probe *p = leader; p && leader->check; p = p->next)
		if (live_check_is_new(h->birth->live, (size_t)(p - h->probes)))
			health_write_live(p, leader->check);
	return r == -ENOMEM ? r : 0;
}

/* Without anything that is known of its checks. */
static bool begins_alive(const struct real_state *s)
{
	if (!s->checks)
		return s->conf->opts->common.alpha != 1;
	for (const struct conf_check *c = s->conf->checks; c; c = c->next)
		if (!is_up_unless_known(c))
			return false;
	return true;
}

static bool is_alive(const struct real_state *s)
{
	return s->checks ? s->passing == s->checks : begins_alive(s);
}

static bool has_news(const struct real_state *s)
{
	return is_alive(s) ? s->found : s->lost;
}

static void begin_reals(struct virtual_state *v)
{
	for (uint32_t n = 0; n < v->conf->n_reals; n++) {
		const struct real_state *s = &v->state[n];

		v->real[n] = (struct quorum_real){
		    .weight = health_weight_of(s),
		    .admin = s->order.admin,
		    .alive = is_alive(s),
		    .inhibit = s->conf->opts->inhibit == 1,
		};
	}
}

static void tell_news(struct virtual_state *v)
{
	for (uint32_t n = 0; n < v->conf->n_reals; n++) {
		if (!has_news(&v->state[n]))
			continue;
		v->real[n].alive = is_alive(&v->state[n]);
		health_tell_real(v, n,
				 v->real[n].alive ? "its checks are known to pass"
						  : "a check of it is known to fail");
	}
}

/* rs_init_notifies */
static void tell_reals(const struct virtual_state *v)
{
	struct msg m = {.type = MSG_REAL, .index = v->index, .value = 1, .extra = 1};

	for (m.index2 = 0; m.index2 < v->conf->n_reals; m.index2++)
		if (v->real[m.index2].alive)
			msg_send_wait(v->health->birth->ends.control, &m);
}

/* Of thousands that begin with a quorum the supervisor need not hear. */
static bool somebody_hears(const struct virtual_state *v)
{
	const struct conf_globals *g = &v->health->birth->conf->globals;

	return v->conf->quorum_notify || g->fifo.path || g->lvs_fifo.path;
}

/*
 * What a predecessor said is not said again. At the very first a quorum that is there is told, so that quorum_up runs, and one that is
 * not is no news, for it was not there before either, unless the sorry server serves: as in keepalived.
 */
static void begin_quorum(struct virtual_state *v)
{
	uint32_t before = atomic_load(&v->slot->quorum);
	bool changed;

	if (before == SHARED_ALIVE_UNKNOWN && v->health->birth->conf->globals.init_notifies)
		tell_reals(v);
	v->quorum.up = before != SHARED_ALIVE_DOWN;
	changed = quorum_update(&v->quorum, v->real, v->conf->n_reals);
	if (before != SHARED_ALIVE_UNKNOWN) {
		if (changed)
			health_tell_quorum(v);
		return;
	}
	if (!v->quorum.up && v->conf->sorry)
		health_log_quorum(v, true);
	if ((v->quorum.up || v->conf->sorry) && somebody_hears(v))
		health_send_quorum(v, true);
	else
		health_keep_quorum(v);
}

/* At the very first as if news came just after: quorum_up, notify_down, quorum_down run as they do when a check takes its time. */
static void begin_virtual(struct virtual_state *v)
{
	bool first = atomic_load(&v->slot->quorum) == SHARED_ALIVE_UNKNOWN;

	begin_reals(v);
	if (!first) {
		tell_news(v);
		begin_quorum(v);
		return;
	}
	for (uint32_t n = 0; n < v->conf->n_reals; n++)
		if (has_news(&v->state[n]))
			v->real[n].alive = begins_alive(&v->state[n]);
	begin_quorum(v);
	tell_news(v);
	if (quorum_update(&v->quorum, v->real, v->conf->n_reals))
		health_tell_quorum(v);
}

int health_make_all(struct health *h)
{
	const struct conf *c = h->birth->conf;
	int r = 0;

	h->virtuals = calloc(c->n_virtuals + 1, sizeof(*h->virtuals));
	h->probes = calloc(c->n_checks + 1, sizeof(*h->probes));
	h->misc = calloc(c->n_misc + 1, sizeof(*h->misc));
	h->weight = calloc(weights_places_max(c), sizeof(*h->weight));
	if (!h->virtuals || !h->probes || !h->misc || !h->weight)
		return -ENOMEM;
	for (const struct conf_virtual *v = c->virtuals; v && r >= 0; v = v->next)
		r = make_virtual(h, v);
	if (r >= 0)
		r = health_share(h);
	for (size_t i = 0; i < h->n_probes && r >= 0; i++)
		if (h->probes[i].leader == &h->probes[i])
			judge_first(h, &h->probes[i]);
	for (size_t i = 0; i < h->n_virtuals && r >= 0; i++)
		begin_virtual(&h->virtuals[i]);
	return r;
}

/* While the kernel process puts servers in place, which it was told before. */
int health_start_checks(struct health *h)
{
	int r = 0;

	for (size_t i = 0; i < h->n_probes && r >= 0; i++)
		if (h->probes[i].leader == &h->probes[i])
			r = start_probe(h, &h->probes[i]);
	shared_forget_checks(h->birth->shared); /* they go on, or nobody knows them any more */
	return r;
}
