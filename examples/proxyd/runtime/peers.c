/* SPDX-License-Identifier: MIT */
/* "show peers": with whom tables are shared, and how many entries were told and learned. */
#include "runtime.h"

#include <inttypes.h>
#include <string.h>

#include "engine/objects.h"
#include "engine/peers/peers.h"

struct shown {
	struct call *call;
	const char *section; /* whose line stands already */
};

static void show_one(void *userdata, const struct peer_status *p)
{
	struct shown *s = userdata;
	struct out *o = s->call->out;

	if (s->call->n && strcmp(p->section, s->call->word[0]) != 0)
		return;
	if (!s->section || strcmp(s->section, p->section) != 0)
		out_printf(o, "id=%s\n", p->section);
	s->section = p->section;
	out_printf(o, "  id=%s addr=%s status=%s told=%" PRIu64 " learned=%" PRIu64 "\n", p->name, p->address, p->state, p->n_told, p->n_learned);
}

void run_show_peers(struct call *c)
{
	struct shown s = {.call = c};

	peers_each(c->e->peers, show_one, &s);
	if (c->n && !s.section)
		call_say(c, "No such peers\n");
}
