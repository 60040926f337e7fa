/* SPDX-License-Identifier: MIT */
/* Many users of one check. */
#include <errno.h>

#include "base/mem.h"
#include "base/sized.h"
#include "engine.h"

int health_check_watch(struct health_check *c, const struct health_engine_ops *ops, void *userdata,
		       struct health_watcher **ret)
{
	struct health_watcher *w;
	int r;

	if (!c || c->removed || !ret)
		return -EINVAL;
	w = mem_zalloc(sizeof(*w));
	if (!w)
		return -ENOMEM;
	r = sized_in(&w->ops, sizeof(w->ops), ops);
	if (r < 0) {
		mem_free(w);
		return r;
	}
	w->check = c;
	w->userdata = userdata;
	list_init(&w->grave);
	list_add_tail(&c->watchers, &w->node);
	*ret = w;
	return 0;
}

void watcher_free(struct health_watcher *w)
{
	list_remove(&w->node);
	list_remove(&w->grave);
	mem_free(w);
}

void health_watcher_remove(struct health_watcher *w)
{
	struct health_engine *e;

	if (!w || w->gone)
		return;
	e = w->check->engine;
	w->gone = true;
	if (e->depth) /* someone may stand on it */
		list_add_tail(&e->gone, &w->grave);
	else
		watcher_free(w);
}

void watchers_tell(struct health_check *c, const struct health_result *result,
		   const struct health_transition *transition)
{
	struct list *at;

	list_for_each (at, &c->watchers) {
		struct health_watcher *w = container_of(at, struct health_watcher, node);

		if (c->removed)
			return;
		if (result && w->ops.result && !w->gone)
			w->ops.result(c, result, w->userdata);
		if (transition && w->ops.transition && !w->gone && !c->removed)
			w->ops.transition(c, transition, w->userdata);
	}
}
