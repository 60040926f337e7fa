/* SPDX-License-Identifier: MIT */
/* "show events": what rings hold. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#include "engine/objects.h"
#include "engine/log/ring.h"

static void list(struct call *c)
{
	call_note(c, CALL_TEXT, "Supported events sinks are listed below. Add -w(wait), -n(new). Any key to stop\n");
	for (const struct ring *r = rings_next(c->e->rings, NULL); r; r = rings_next(c->e->rings, r))
		out_printf(c->out, "    %-10s : type=buffer, %llu dropped, %s\n", ring_name(r), (unsigned long long)ring_gaps(r),
			   ring_description(r));
}

/* Who waits for lines of a ring; by name, for a reload may take it away. */
struct follower {
	const struct engine *e;
	char *name;
	uint64_t at;
};

/* False: the ring has gone. */
static bool put_lines(void *arg, struct out *o)
{
	struct follower *f = arg;
	struct ring *r = rings_find(f->e->rings, f->name);
	size_t len;
	char *text;

	if (!r)
		return false;
	if (f->at > ring_end(r)) /* another one of that name */
		f->at = 0;
	text = ring_text_from(r, &f->at, &len);
	if (text)
		out_put(o, text, len);
	free(text);
	return true;
}

static void end_follower(void *arg)
{
	struct follower *f = arg;

	free(f->name);
	free(f);
}

static void follow(struct call *c, const struct follower *from)
{
	struct follower *f = malloc(sizeof(*f));

	if (f)
		*f = (struct follower){from->e, strdup(from->name), from->at};
	if (f && f->name) {
		runtime_follow(c, put_lines, end_follower, f);
		return;
	}
	free(f);
	call_say(c, "There is not memory enough.\n");
}

/* Letters behind "-". False: told. */
static bool read_flags(struct call *c, bool *ret_wait, bool *ret_new)
{
	for (size_t i = 1; i < c->n; i++)
		for (const char *p = c->word[i] + 1; *p || *c->word[i] != '-'; p++) {
			if (*c->word[i] != '-' || !strchr("wn", *p)) {
				call_say(c, "unknown option \"%s\": -w waits for more lines, -n leaves out those that are there.\n", c->word[i]);
				return false;
			}
			*(*p == 'w' ? ret_wait : ret_new) = true;
		}
	return true;
}

void run_show_events(struct call *c)
{
	struct follower f = {.e = c->e, .name = (char *)(uintptr_t)call_word(c, 0)};
	bool wait = false, only_new = false;
	struct ring *r;

	if (!*f.name) {
		list(c);
		return;
	}
	r = rings_find(c->e->rings, f.name);
	if (!r) {
		call_say(c, "No such event sink\n");
		return;
	}
	if (!read_flags(c, &wait, &only_new))
		return;
	if (only_new)
		f.at = ring_end(r);
	else
		put_lines(&f, c->out);
	if (wait)
		follow(c, &f);
}
