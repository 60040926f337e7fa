/* SPDX-License-Identifier: MIT */
#include "control/events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

void events_fini(struct events *e)
{
	for (size_t i = 0; i < EVENTS_MAX; i++)
		free(e->line[i]);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)(t.tv_nsec / 1000000) / 1000;
}

void events_add(struct events *e, json_t *event)
{
	char **slot = &e->line[(e->next + 1) % EVENTS_MAX];
	json_t *head = json_pack("{s:I, s:f}", "number", (json_int_t)(e->next + 1), "time", now());
	char *line = NULL;

	if (event && head && !json_object_update(head, event))
		line = json_dumps(head, JSON_COMPACT | JSON_REAL_PRECISION(14));
	json_decref(head);
	json_decref(event);
	if (!line)
		return;
	e->next++;
	free(*slot);
	*slot = line;
	if (e->fn)
		e->fn(e->userdata, line);
}

void events_restore(struct events *e, const json_t *event)
{
	json_int_t number = json_integer_value(json_object_get(event, "number"));
	char *line = json_dumps(event, JSON_COMPACT | JSON_REAL_PRECISION(14));
	char **slot = &e->line[(uint64_t)number % EVENTS_MAX];

	if (number <= 0 || !line) {
		free(line);
		return;
	}
	free(*slot);
	*slot = line;
	e->next = (uint64_t)number;
}

json_t *events_last(const struct events *e, const char *member, const char *value, size_t limit)
{
	json_t *list = json_array();
	uint64_t oldest = e->next > EVENTS_MAX ? e->next - EVENTS_MAX + 1 : 1;

	for (uint64_t n = e->next; list && n >= oldest && json_array_size(list) < limit; n--) {
		const char *line = e->line[n % EVENTS_MAX];
		json_t *event = line ? json_loads(line, 0, NULL) : NULL;
		const char *is = member ? json_string_value(json_object_get(event, member)) : NULL;

		if (event && (!member || (is && !strcmp(is, value))))
			json_array_insert(list, 0, event);
		json_decref(event);
	}
	return list;
}
