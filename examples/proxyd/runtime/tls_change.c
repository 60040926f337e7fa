/* SPDX-License-Identifier: MIT */
#include "tls_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/objects.h"
#include "log.h"

struct tls_store *tls_change_store(const struct call *c)
{
	return engine_set(c->e)->cfg->tls_store;
}

/* A front or a back that was made, until it is in its place; the old one then. */
struct made {
	struct cfg_tls *of;
	struct tls_front *front;
	struct tls_back *back;
};

struct work {
	struct call *call;
	const struct tls_change *change;
	struct made *made;
	size_t n, cap;
	struct diag found;
	bool failed; /* and told, or in `found` */
};

static bool has_list(const struct cfg_tls *t, const char *list)
{
	const struct cfg_tls_crt *crt;

	STAILQ_FOREACH (crt, &t->crts, next)
		if (crt->list && !strcmp(crt->list, list))
			return true;
	return false;
}

static bool concerns(const struct tls_change *change, const struct cfg_tls *t)
{
	if (!t)
		return false;
	if (change->ticket_file)
		return t->front && tls_front_ticket_file(t->front) && !strcmp(tls_front_ticket_file(t->front), change->ticket_file);
	if (change->list)
		return t->front && has_list(t, change->list);
	return (t->front && tls_front_uses(t->front, change->kind, change->file)) ||
	       (t->back && tls_back_uses(t->back, change->kind, change->file));
}

typedef bool each_fn(void *arg, const struct cfg_proxy *p, struct cfg_tls *t);

static bool each_forward(const struct cfg *cfg, each_fn *fn, void *arg)
{
	static const struct cfg_proxy plain = {.name = "", .set = {.mode = CFG_MODE_TCP}};
	const struct cfg_tls *last = NULL;
	const struct cfg_forward_bind *b;
	const struct cfg_forward *f;

	STAILQ_FOREACH (f, &cfg->forwards, next)
		STAILQ_FOREACH (b, &f->binds, next) {
			if (b->tls && b->tls != last && fn(arg, &plain, b->tls))
				return true;
			last = b->tls;
		}
	return false;
}

/* Each `bind` line with TLS, those of a range of ports once; each server. Until fn says true. */
static bool each(const struct call *c, each_fn *fn, void *arg)
{
	const struct set *set = engine_set(c->e);
	const struct cfg_tls *last = NULL;
	const struct cfg_proxy *p;
	const struct cfg_bind *b;

	STAILQ_FOREACH (p, &set->cfg->proxies, next)
		STAILQ_FOREACH (b, &p->binds, next) {
			if (b->tls_words && b->tls_words != last && fn(arg, p, b->tls_words))
				return true;
			last = b->tls_words;
		}
	if (each_forward(set->cfg, fn, arg))
		return true;
	for (size_t i = 0; i < set->n_servers; i++)
		if (set->line[i]->tls_words && fn(arg, NULL, set->line[i]->tls_words))
			return true;
	return false;
}

static bool is_concerned(void *arg, const struct cfg_proxy *p, struct cfg_tls *t)
{
	return concerns(arg, t);
}

bool tls_change_is_used(const struct call *c, enum tls_kind kind, const char *file)
{
	return each(c, is_concerned, &(struct tls_change){.kind = kind, .file = file});
}

struct wanted {
	const char *list;
	struct cfg_tls *found;
};

static bool look(void *arg, const struct cfg_proxy *p, struct cfg_tls *t)
{
	struct wanted *w = arg;

	if (!p || !t->front || !has_list(t, w->list))
		return false;
	w->found = t;
	return true;
}

struct cfg_tls *tls_change_find_list(const struct call *c, const char *list)
{
	struct wanted w = {list, NULL};

	each(c, look, &w);
	return w.found;
}

static struct tls_front *make_front(struct work *w, const struct cfg_proxy *p, const struct cfg_tls *t)
{
	unsigned n;
	const struct tls_source *have = tls_front_sources(t->front, &n);
	struct tls_source *source = calloc(n + 1, sizeof(*source));
	struct tls_front *f = NULL;
	int e;

	if (!source) {
		call_say(w->call, "There is not memory enough.\n");
		return NULL;
	}
	if (n)
		memcpy(source, have, n * sizeof(*source));
	if (!w->change->edit || w->change->edit(w->change->arg, p, t, source, &n))
		f = tls_front_again(t->front, tls_change_store(w->call), source, n, &w->found);
	if (f && w->change->ticket_key && (e = tls_front_add_ticket_key(f, w->change->ticket_key)) < 0) {
		call_say(w->call,
			 e == -EINVAL	   ? "'set ssl tls-key' received invalid base64 encoded TLS key.\n"
			 : e == -EMSGSIZE ? "'set ssl tls-key' received a key of wrong size.\n"
					  : "There is not memory enough.\n");
		tls_front_free(f);
		f = NULL;
	}
	free(source);
	return f;
}

/* True: it failed. */
static bool make(void *arg, const struct cfg_proxy *p, struct cfg_tls *t)
{
	struct work *w = arg;
	struct made m = {.of = t};

	if (!concerns(w->change, t))
		return false;
	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 16;
		struct made *more = realloc(w->made, cap * sizeof(*more));

		if (!more) {
			call_say(w->call, "There is not memory enough.\n");
			return true;
		}
		w->made = more;
		w->cap = cap;
	}
	if (t->front)
		m.front = make_front(w, p, t);
	else
		m.back = tls_back_again(t->back, tls_change_store(w->call), &w->found);
	if (m.front || m.back)
		w->made[w->n++] = m;
	return !m.front && !m.back;
}

static void swap(struct work *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct made *m = &w->made[i], was = *m;

		if (m->front) {
			m->front = m->of->front;
			m->of->front = was.front;
		} else {
			m->back = m->of->back;
			m->of->back = was.back;
		}
	}
}

int tls_change_run(struct call *c, const struct tls_change *change)
{
	struct work w = {.call = c, .change = change};
	char error[512];
	bool failed = each(c, make, &w);
	int n = (int)w.n;

	for (size_t i = 0; i < w.found.n; i++)
		if (w.found.message[i].level == DIAG_ERROR)
			call_say(c, "%s\n", w.found.message[i].text);
	if (!failed && w.n) {
		swap(&w);
		if (engine_renew(c->e, error, sizeof(error)) < 0) {
			swap(&w);
			call_say(c, "%s\n", error);
			failed = true;
		}
	}
	for (size_t i = 0; i < w.n; i++) {
		tls_front_free(w.made[i].front);
		tls_back_free(w.made[i].back);
	}
	free(w.made);
	diag_fini(&w.found);
	return failed ? -1 : n;
}

int tls_change_item(struct call *c, struct tls_item *item)
{
	struct tls_store *store = tls_change_store(c);
	struct tls_change change = {.kind = tls_item_kind(item), .file = tls_item_file(item)};
	struct tls_item *old = tls_store_find(store, change.kind, change.file);
	int n;

	if (old)
		tls_item_hold(old);
	if (tls_store_put(store, item) < 0) {
		call_say(c, "There is not memory enough.\n");
		tls_item_free(old);
		return -1;
	}
	n = tls_change_run(c, &change);
	if (n < 0 && old)
		tls_store_put(store, old);
	else if (n < 0)
		tls_store_remove(store, change.kind, change.file);
	else
		log_notice("%s: set at run time, in use by %d bind and server lines", change.file, n);
	tls_item_free(old);
	return n;
}
