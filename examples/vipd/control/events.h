/* SPDX-License-Identifier: MIT */
/* What happened, as JSON: the last EVENTS_MAX are kept, and subscribers of the control socket hear each. */
#ifndef VIPD_EVENTS_H
#define VIPD_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#define EVENTS_MAX 512

typedef void event_fn(void *userdata, const char *line);

struct events {
	char *line[EVENTS_MAX]; /* JSON, one line each; at its number modulo EVENTS_MAX */
	uint64_t next;		/* number of the next one, from 1 */
	event_fn *fn;		/* told of each; NULL: nobody */
	void *userdata;
};

void events_fini(struct events *e);

/* Adds "number" and "time" (UNIX seconds) to it and keeps it. Steals `event`; NULL (no memory) is nothing. */
void events_add(struct events *e, json_t *event);

/* One of a predecessor, as it was. */
void events_restore(struct events *e, const json_t *event);

/* The last `limit` whose `member` is `value` (both NULL: all), the oldest first: a new array, or NULL. */
json_t *events_last(const struct events *e, const char *member, const char *value, size_t limit);

#endif
