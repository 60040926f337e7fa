/* SPDX-License-Identifier: MIT */
/* Sections `peers`: nothing is shared with them, but what HAProxy refuses in one is refused. */
#include "cfg/read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rules/table.h"

static struct cfg_peers *find_peers(const struct cfg *c, const char *name)
{
	struct cfg_peers *p;

	STAILQ_FOREACH (p, &c->peers, next)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

void begin_peers(struct reader *r)
{
	const char *name = word_at(r, 1);
	const struct cfg_peers *other = find_peers(r->cfg, name);

	for (const char *at = name; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("-_.:", *at)) {
			say(r, DIAG_ERROR, 1, "\"%c\" in a name: letters, digits and - _ . : are allowed", *at);
			break;
		}
	if (other)
		say(r, DIAG_ERROR, 1, "the section \"peers %s\" is there already, in line %u", other->name, other->at.line);
	r->peers = keep(r, sizeof(*r->peers));
	if (!r->peers)
		return;
	r->peers->at = place_at(r, 0);
	r->peers->name = keep_word(r, 1);
	STAILQ_INSERT_TAIL(&r->cfg->peers, r->peers, next);
}

/* Which of them this process would be: -L, or the host's name. */
static bool is_local(const char *name)
{
	const char *local = getenv("HAPROXY_LOCALPEER");

	return local && !strcmp(local, name);
}

/* "peer" and "server": NAME ADDRESS:PORT; the address of the local one may be of a "bind". */
void kw_peer(struct reader *r, size_t first, const void *data)
{
	const char *name = word_at(r, first), *addr = word_at(r, first + 1);
	struct address a;

	if (!r->peers)
		return;
	if (is_local(name) && r->peers->local_line)
		say(r, DIAG_ERROR, first, "\"%s\" is this process, and named in line %u already", name, r->peers->local_line);
	else if (is_local(name))
		r->peers->local_line = place_at(r, 0).line;
	if (*addr && !(is_local(name) && r->peers->bind_line))
		read_address(r, first + 1, addr, ADDR_PORT | ADDR_NO_LOOKUP, &a);
}

void kw_peers_bind(struct reader *r, size_t first, const void *data)
{
	if (r->peers && r->peers->bind_line)
		say(r, DIAG_ERROR, first, "there is a \"bind\" in line %u: a section \"peers\" has one", r->peers->bind_line);
	else if (r->peers)
		r->peers->bind_line = place_at(r, 0).line;
}

/* NAME type TYPE size SIZE … */
void kw_peers_table(struct reader *r, size_t first, const void *data)
{
	struct table_def def = {0};

	cfg_read_table(r, first + 1, "table NAME", &def);
}
