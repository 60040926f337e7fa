/* SPDX-License-Identifier: MIT */
/* Sections `peers`: with whom stick tables are shared. */
#include "cfg/read.h"
#include "rules/table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	STAILQ_INIT(&r->peers->list);
	STAILQ_INSERT_TAIL(&r->cfg->peers, r->peers, next);
}

/* Which of them this process would be: -L, or the host's name. */
static bool is_local(const char *name)
{
	const char *local = getenv("HAPROXY_LOCALPEER");

	return local && !strcmp(local, name);
}

void kw_localpeer(struct reader *r, size_t first, const void *data)
{
	const char *name = word_at(r, first);

	if (!*name)
		say(r, DIAG_ERROR, first, "localpeer needs a name");
	else if (!STAILQ_EMPTY(&r->cfg->peers))
		say(r, DIAG_WARNING, first - 1, "a section \"peers\" is above: this line is ignored");
	else if (!r->opts->localpeer_given && setenv("HAPROXY_LOCALPEER", name, 1) < 0)
		r->no_memory = true;
}

/* Words of TLS, which is not spoken to peers. */
static void look_for_tls(struct reader *r, size_t i)
{
	for (; r->peers && i < r->line->n; i++)
		if (!strcmp(word_at(r, i), "ssl"))
			r->peers->tls_line = place_at(r, 0).line;
}

static void add_peer(struct reader *r, const char *name, const struct cfg_addr *addr)
{
	struct cfg_peer *p = keep(r, sizeof(*p));

	if (!p)
		return;
	p->name = name;
	p->addr = *addr;
	STAILQ_INSERT_TAIL(&r->peers->list, p, next);
}

/*
 * "peer" (`data` is something) and "server": NAME ADDRESS:PORT and words of a server. "server" has no address when it is
 * the local one, for which a "bind" stands.
 */
void kw_peer(struct reader *r, size_t first, const void *data)
{
	const char *name = word_at(r, first);
	bool local = is_local(name), has_address = data || !local, ok = true;
	struct address a = {0};

	if (!r->peers)
		return;
	r->peers->any = true;
	look_for_tls(r, first + 1);
	if (local && r->peers->local_line)
		say(r, DIAG_ERROR, first, "\"%s\" is this process, and named in line %u already", name, r->peers->local_line);
	else if (local)
		r->peers->local_line = place_at(r, 0).line;
	if (data && r->peers->bind_line)
		say(r, DIAG_ERROR, first - 1, "beside the \"bind\" in line %u: write \"server\", the local one without an address", r->peers->bind_line);
	else if (has_address && *word_at(r, first + 1))
		ok = read_address(r, first + 1, word_at(r, first + 1), ADDR_PORT | ADDR_UNRESOLVED, &a);
	if (local)
		r->peers->local = keep_word(r, first);
	if (local && a.addr.len)
		r->peers->addr = a.addr;
	else if (!local && a.addr.len)
		add_peer(r, keep_word(r, first), &a.addr);
	else if (!local && ok)
		say(r, DIAG_WARNING, first + 1, "\"%s\" has no address that is known: nothing is shared with it", name);
	cfg_server_words(r, first + (has_address ? 2 : 1));
}

void kw_peers_disabled(struct reader *r, size_t first, const void *data)
{
	if (r->peers)
		r->peers->any = r->peers->disabled = true; /* it needs no peer then */
}

void kw_peers_bind(struct reader *r, size_t first, const void *data)
{
	struct address a;

	if (!r->peers)
		return;
	r->peers->any = true;
	if (r->peers->bind_line)
		say(r, DIAG_ERROR, first, "there is a \"bind\" in line %u: a section \"peers\" has one", r->peers->bind_line);
	else
		r->peers->bind_line = place_at(r, 0).line;
	if (read_address(r, first, word_at(r, first), ADDR_LISTEN, &a))
		r->peers->addr = a.addr;
	look_for_tls(r, first + 1);
	cfg_bind_words(r, first + 1);
}

void kw_peers_bind_words(struct reader *r, size_t first, const void *data)
{
	look_for_tls(r, first);
	cfg_bind_words(r, first);
}

void kw_peers_server_words(struct reader *r, size_t first, const void *data)
{
	look_for_tls(r, first);
	cfg_server_words(r, first);
}

/* NAME type TYPE size SIZE …: rules know it as SECTION/NAME, and the section shares it. */
void kw_peers_table(struct reader *r, size_t first, const void *data)
{
	const struct rule_memory *m = cfg_rule_memory(r);
	char name[2 * CFG_NAME_MAX + 2];
	const struct table_ref *ref;

	if (!r->peers)
		return;
	r->peers->any = true;
	if ((size_t)snprintf(name, sizeof(name), "%s/%s", r->peers->name, word_at(r, first)) >= sizeof(name)) {
		say(r, DIAG_ERROR, first, "this name is too long");
		return;
	}
	cfg_define_table(r, first + 1, "table NAME", name);
	ref = m ? table_ref(m, name) : NULL;
	if (ref)
		cfg_peers_use(r, first, r->peers->name, ref);
}

void cfg_peers_use(struct reader *r, size_t i, const char *name, const struct table_ref *ref)
{
	struct cfg_peers_use *use = keep(r, sizeof(*use));

	if (!use)
		return;
	use->at = place_at(r, i);
	use->name = name;
	use->ref = ref;
	use->by = r->proxy;
	STAILQ_INSERT_TAIL(&r->cfg->peers_uses, use, next);
}

/* Whether it shares, and if not, why. */
static void check_section(struct reader *r, struct cfg_peers *p)
{
	const char *why = NULL;

	r->peers = p;
	if (p->disabled)
		p->local = NULL;
	else if (p->any && p->tls_line)
		why = "speaks TLS, which this version does not to peers";
	else if (!STAILQ_EMPTY(&p->list) && (!p->local || !p->addr.len))
		why = "has no line, or no address, for this process: write one with its name, as -L, localpeer or the host has it";
	if (why)
		diag_add(r->diag, DIAG_WARNING, &p->at, "the section \"peers %s\" %s: its tables are not shared", p->name, why);
	if (why || !p->addr.len)
		p->local = NULL;
	if (p->local)
		add_peer(r, p->local, &p->addr);
}

void cfg_peers_check(struct reader *r)
{
	const struct cfg_peers_use *use;
	struct cfg_peers *section;

	STAILQ_FOREACH (section, &r->cfg->peers, next)
		check_section(r, section);

	STAILQ_FOREACH (use, &r->cfg->peers_uses, next) {
		const struct cfg_peers *p = find_peers(r->cfg, use->name);

		if (use->by && use->by->set.disabled)
			continue;
		if (!p)
			diag_add(r->diag, DIAG_ERROR, &use->at, "there is no section \"peers %s\": write one", use->name);
		else if (!p->any)
			diag_add(r->diag, DIAG_ERROR, &use->at, "the section \"peers %s\" is empty: write peer NAME ADDRESS:PORT", use->name);
	}
}
