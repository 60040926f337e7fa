/* SPDX-License-Identifier: MIT */
#include "watch/watch.h"

#include <errno.h>
#include <stdlib.h>

void watches_set(struct watches *w, uint32_t index, int32_t value)
{
	if (w->value[index] == value)
		return;
	w->value[index] = value;
	w->fn(w->userdata, index, value);
}

bool watches_told(struct watches *w, uint32_t index, int32_t up)
{
	const struct conf_watch *c = w->conf->watches;

	while (c && c->index != index)
		c = c->next;
	if (!c || c->kind != CONF_WATCH_BFD || w->value[index] == (up == 1))
		return false;
	w->value[index] = up == 1;
	return true;
}

const int32_t *watches_values(const struct watches *w)
{
	return w->value;
}

static void quiet(void *userdata, uint32_t index, int32_t value)
{
}

int watches_new(struct loop *l, const struct conf *c, const struct watches *old, watch_fn *fn,
		void *userdata, struct watches **ret)
{
	struct watches *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	/* What there is now is no change. */
	*w = (struct watches){.loop = l,
			      .conf = c,
			      .fn = quiet,
			      .value = calloc(c->n_watches + 1, sizeof(*w->value))};
	r = w->value ? watch_files_new(w, old) : -ENOMEM;
	if (r >= 0)
		r = watch_processes_new(w);
	if (r < 0) {
		watches_free(w);
		return r;
	}
	w->fn = fn;
	w->userdata = userdata;
	*ret = w;
	return 0;
}

void watches_free(struct watches *w)
{
	if (!w)
		return;
	watch_files_free(w->files);
	watch_processes_free(w->processes);
	free(w->value);
	free(w);
}
