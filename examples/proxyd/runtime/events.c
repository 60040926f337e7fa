/* SPDX-License-Identifier: MIT */
/* "show events": what rings hold. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#include "engine/objects.h"
#include "engine/ring.h"

static void list(struct call *c)
{
	call_say(c, "Supported events sinks are listed below.\n");
	for (const struct ring *r = rings_next(c->e->rings, NULL); r; r = rings_next(c->e->rings, r))
		out_printf(c->out, "    %-10s : type=buffer, %llu dropped, %s\n", ring_name(r), (unsigned long long)ring_gaps(r),
			   ring_description(r));
}

void run_show_events(struct call *c)
{
	const char *name = call_word(c, 0);
	size_t len;
	char *text;

	if (!*name) {
		list(c);
		return;
	}
	for (size_t i = 1; i < c->n; i++)
		if (strcmp(c->word[i], "-n") != 0 && strcmp(c->word[i], "-w") != 0 && strcmp(c->word[i], "-nw") != 0 &&
		    strcmp(c->word[i], "-wn") != 0) {
			call_say(c, "Write show events, or show events RING.\n");
			return;
		}
	if (c->n > 1) {
		call_say(c, "Waiting for lines (-w, -n) is not offered by this version: ask again.\n");
		return;
	}
	for (const struct ring *r = rings_next(c->e->rings, NULL); r; r = rings_next(c->e->rings, r))
		if (!strcmp(ring_name(r), name)) {
			text = ring_text((struct ring *)(uintptr_t)r, &len);
			if (text)
				out_put(c->out, text, len);
			free(text);
			return;
		}
	call_say(c, "No such event sink\n");
}
