/* SPDX-License-Identifier: MIT */
/* "show resolvers": what the nameservers said so far. */
#include "runtime.h"

#include <string.h>

#include "engine/dns.h"
#include "engine/objects.h"

struct shown {
	struct call *call;
	bool any;
};

static void show_one(void *userdata, const char *section, const char *name, const uint64_t counter[DNS_COUNTERS])
{
	struct shown *s = userdata;
	struct out *o = s->call->out;

	if (s->call->n && strcmp(section, s->call->word[0]) != 0)
		return;
	s->any = true;
	if (!name) {
		out_printf(o, "Resolvers section %s\n", section);
		return;
	}
	out_printf(o, " nameserver %s:\n", name);
	for (unsigned i = 0; i < DNS_COUNTERS; i++)
		out_printf(o, "  %s:%*s%llu\n", dns_counter_names[i], 12 - (int)strlen(dns_counter_names[i]), "",
			   (unsigned long long)counter[i]);
}

void run_show_resolvers(struct call *c)
{
	struct shown s = {.call = c};

	dns_each(c->e->dns, show_one, &s);
	if (c->n && !s.any)
		call_say(c, "Can't find that resolvers section\n");
}
