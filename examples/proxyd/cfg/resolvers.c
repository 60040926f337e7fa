/* SPDX-License-Identifier: MIT */
/* The section "resolvers", and what servers say of their names. */
#include "cfg/resolvers.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cfg/read.h"
#include "cfg/rules.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_LINES_MAX 1000
#define PAYLOAD_MIN 512
#define PAYLOAD_MAX 65535
#define RETRIES_MAX 1000
#define SECOND_NS UINT64_C(1000000000)

static const char *const holds[CFG_HOLDS] = {"valid", "nx", "refused", "timeout", "other", "obsolete"};

static struct cfg_resolvers *find(const struct cfg *c, const char *name)
{
	struct cfg_resolvers *s;

	STAILQ_FOREACH (s, &c->resolvers, next)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static struct cfg_resolvers *add(struct reader *r, const struct diag_place *at, const char *name)
{
	struct cfg_resolvers *s = keep(r, sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct cfg_resolvers){
	    .at = *at,
	    .name = name,
	    .hold_ns = {10 * SECOND_NS, 30 * SECOND_NS, 30 * SECOND_NS, 30 * SECOND_NS, 30 * SECOND_NS, 0},
	    .resolve_ns = SECOND_NS,
	    .retry_ns = SECOND_NS,
	    .retries = 3,
	    .payload_bytes = PAYLOAD_MIN,
	};
	STAILQ_INSERT_TAIL(&r->cfg->resolvers, s, next);
	return s;
}

void begin_resolvers(struct reader *r)
{
	const struct cfg_resolvers *other = find(r->cfg, word_at(r, 1));
	struct diag_place at = place_at(r, 0);
	const struct cfg_resolvers *s;
	unsigned n = 0;

	if (other)
		say(r, DIAG_ERROR, 1, "there are resolvers \"%s\" in line %u: give each its own name", other->name,
		    other->at.line);
	STAILQ_FOREACH (s, &r->cfg->resolvers, next)
		n++;
	if (n == RESOLVERS_MAX)
		say(r, DIAG_ERROR, 0, "more than %d sections \"resolvers\"", RESOLVERS_MAX);
	r->resolvers = n < RESOLVERS_MAX ? add(r, &at, keep_word(r, 1)) : NULL;
}

/* NULL: told. */
static struct cfg_nameserver *new_nameserver(struct reader *r, struct cfg_resolvers *s, size_t i, const char *name)
{
	for (unsigned k = 0; k < s->n_nameservers; k++)
		if (!strcmp(s->nameserver[k].name, name)) {
			say(r, DIAG_ERROR, i, "there is a nameserver \"%s\" above: give each its own name", name);
			return NULL;
		}
	if (s->n_nameservers == NAMESERVERS_MAX) {
		say(r, DIAG_ERROR, i, "more than %d nameservers in a section", NAMESERVERS_MAX);
		return NULL;
	}
	return &s->nameserver[s->n_nameservers];
}

void kw_nameserver(struct reader *r, size_t first, const void *data)
{
	struct cfg_resolvers *s = r->resolvers;
	struct cfg_nameserver *n = s ? new_nameserver(r, s, first, word_at(r, first)) : NULL;
	const char *text = word_at(r, first + 1);
	struct address a;

	if (!n)
		return;
	n->tcp = !strncmp(text, "tcp@", 4) || !strncmp(text, "tcp4@", 5) || !strncmp(text, "tcp6@", 5);
	if (n->tcp || !strncmp(text, "udp@", 4) || !strncmp(text, "udp4@", 5) || !strncmp(text, "udp6@", 5))
		text = strchr(text, '@') + 1;
	if (!read_address(r, first + 1, text, 0, &a))
		return;
	if (a.addr.sa.sa_family == AF_UNIX) {
		say(r, DIAG_ERROR, first + 1, "a nameserver has an IPv4 or IPv6 address");
		return;
	}
	addr_set_port(&a.addr, a.port ? a.port : 53);
	n->name = keep_word(r, first);
	n->addr = a.addr;
	s->n_nameservers++;
}

/* Those of the system; a line that is none is skipped, as its resolver skips it. */
static void add_system(struct reader *r, struct cfg_resolvers *s)
{
	FILE *f = fopen(RESOLV_CONF, "re");
	char line[256];

	if (!f) {
		diag_add(r->diag, DIAG_WARNING, &s->at, "cannot read %s: %s", RESOLV_CONF, strerror(errno));
		return;
	}
	for (unsigned n = 0; n < RESOLV_CONF_LINES_MAX && s->n_nameservers < NAMESERVERS_MAX && fgets(line, sizeof(line), f); n++) {
		struct cfg_nameserver *to = &s->nameserver[s->n_nameservers];
		char word[64];

		if (sscanf(line, " nameserver %63s", word) != 1 || !cfg_numeric_address(word, &to->addr))
			continue;
		addr_set_port(&to->addr, 53);
		to->name = keep_text(r, word);
		s->n_nameservers++;
	}
	fclose(f);
}

void kw_parse_resolv_conf(struct reader *r, size_t first, const void *data)
{
	if (r->resolvers)
		add_system(r, r->resolvers);
}

void kw_hold(struct reader *r, size_t first, const void *data)
{
	for (unsigned i = 0; r->resolvers && i < CFG_HOLDS; i++)
		if (!strcmp(word_at(r, first), holds[i])) {
			read_time(r, first + 1, "hold", &r->resolvers->hold_ns[i]);
			return;
		}
	if (r->resolvers)
		say(r, DIAG_ERROR, first, "hold is one of valid, nx, refused, timeout, other, obsolete");
}

void kw_resolvers_timeout(struct reader *r, size_t first, const void *data)
{
	const char *name = word_at(r, first);
	uint64_t ns;

	if (!r->resolvers)
		return;
	if (strcmp(name, "resolve") != 0 && strcmp(name, "retry") != 0)
		say(r, DIAG_ERROR, first, "timeout is one of resolve, retry here");
	else if (read_time(r, first + 1, name, &ns)) {
		if (ns < CFG_MS)
			say(r, DIAG_ERROR, first + 1, "timeout %s is too short: write 1ms or more", name);
		else
			*(name[2] == 's' ? &r->resolvers->resolve_ns : &r->resolvers->retry_ns) = ns;
	}
}

void kw_resolvers_number(struct reader *r, size_t first, const void *data)
{
	if (!r->resolvers)
		return;
	if (data)
		read_number(r, first, "resolve_retries", 0, RETRIES_MAX, &r->resolvers->retries);
	else
		read_number(r, first, "accepted_payload_size", PAYLOAD_MIN, PAYLOAD_MAX, &r->resolvers->payload_bytes);
}

/* ---- Of servers ---- */

void server_resolvers(struct reader *r, size_t i, void *target)
{
	struct cfg_server *s = target;

	s->resolve.section = keep_word(r, i + 1);
	s->resolve.at = place_at(r, i + 1);
}

void server_resolve_prefer(struct reader *r, size_t i, void *target)
{
	const char *word = word_at(r, i + 1);

	if (strcmp(word, "ipv4") != 0 && strcmp(word, "ipv6") != 0)
		say(r, DIAG_ERROR, i + 1, "resolve-prefer is one of ipv4, ipv6");
	((struct cfg_server *)target)->resolve.prefer_ipv4 = !strcmp(word, "ipv4");
}

void server_resolve_opts(struct reader *r, size_t i, void *target)
{
	struct cfg_resolve *to = &((struct cfg_server *)target)->resolve;
	char list[256], *save = NULL;

	snprintf(list, sizeof(list), "%s", word_at(r, i + 1));
	for (const char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save))
		if (!strcmp(w, "allow-dup-ip"))
			to->dup_ip = true;
		else if (!strcmp(w, "prevent-dup-ip"))
			to->dup_ip = false;
		else if (!strcmp(w, "ignore-weight"))
			to->ignore_weight = true;
		else
			say(r, DIAG_ERROR, i + 1, "\"%s\" is unknown: resolve-opts takes allow-dup-ip, ignore-weight, prevent-dup-ip",
			    w);
}

void server_resolve_net(struct reader *r, size_t i, void *target)
{
	struct cfg_resolve *to = &((struct cfg_server *)target)->resolve;
	char list[512], *save = NULL;

	to->n_nets = 0;
	to->net = keep(r, CFG_RESOLVE_NETS_MAX * sizeof(*to->net));
	snprintf(list, sizeof(list), "%s", word_at(r, i + 1));
	for (char *w = strtok_r(list, ",", &save); to->net && w; w = strtok_r(NULL, ",", &save)) {
		struct cfg_resolve_net *net = &to->net[to->n_nets];
		char *slash = strchr(w, '/'), *end = NULL;
		unsigned long bits = 0;
		unsigned max;

		if (to->n_nets == CFG_RESOLVE_NETS_MAX) {
			say(r, DIAG_ERROR, i + 1, "more than %d networks", CFG_RESOLVE_NETS_MAX);
			return;
		}
		if (slash)
			*slash++ = '\0';
		if (!cfg_numeric_address(w, &net->addr)) {
			say(r, DIAG_ERROR, i + 1, "\"%s\" is no address: write networks such as 10.0.0.0/8,192.168.0.0/16", w);
			return;
		}
		max = net->addr.sa.sa_family == AF_INET ? 32 : 128;
		if (slash)
			bits = strtoul(slash, &end, 10);
		if (slash && (!isdigit((unsigned char)*slash) || *end || bits > max)) {
			say(r, DIAG_ERROR, i + 1, "\"%s\" is no prefix: write 0 to %u", slash, max);
			return;
		}
		net->prefix_bits = slash ? (unsigned)bits : max;
		to->n_nets++;
	}
}

void server_init_addr(struct reader *r, size_t i, void *target)
{
	static const char *const names[] = {"last", "libc", "none"}; /* as enum cfg_init */
	struct cfg_resolve *to = &((struct cfg_server *)target)->resolve;
	struct cfg_addr addr;
	char list[256], *save = NULL;

	to->n_init = 0;
	snprintf(list, sizeof(list), "%s", word_at(r, i + 1));
	for (char *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		unsigned k = 0;

		while (k < 3 && strcmp(w, names[k]) != 0)
			k++;
		if (to->n_init == CFG_INIT_MAX || (k == 3 && !cfg_numeric_address(w, &addr))) {
			say(r, DIAG_ERROR, i + 1, "init-addr takes last, libc, none and an address, each once");
			return;
		}
		if (k == 3)
			to->init_addr = keep_copy(r, &addr, sizeof(addr));
		if (k < 3 || to->init_addr)
			to->init[to->n_init++] = (enum cfg_init)k;
	}
}

/* ---- All of it ---- */

static bool finds(struct reader *r, const char *section, const struct diag_place *at)
{
	struct cfg_resolvers *system;

	if (find(r->cfg, section))
		return true;
	if (strcmp(section, "default") != 0)
		return false;
	system = add(r, at, "default"); /* HAProxy has it without being told, too */
	if (system)
		add_system(r, system);
	return true;
}

static void miss(struct reader *r, const char *section, const struct diag_place *at)
{
	if (!finds(r, section, at))
		diag_add(r->diag, DIAG_ERROR, at, "there is no section \"resolvers %s\": write one, or leave out the word", section);
}

/* Of do-resolve. */
static void check_rule(void *userdata, const char *section, const char *file, unsigned line)
{
	miss(userdata, section, &(const struct diag_place){.file = file, .line = line});
}

void cfg_resolvers_check(struct reader *r)
{
	const struct cfg_resolvers *s;

	STAILQ_FOREACH (s, &r->cfg->resolvers, next)
		if (!s->n_nameservers)
			diag_add(r->diag, DIAG_WARNING, &s->at,
				 "resolvers \"%s\" has no nameserver: names are resolved at the start and at each reload alone", s->name);
}

void cfg_resolves_check(struct reader *r, struct cfg_proxy *p)
{
	const struct cfg_server *server;

	STAILQ_FOREACH (server, &p->servers, next)
		if (server->resolve.section)
			miss(r, server->resolve.section, &server->resolve.at);
	if (!p->rules)
		return;
	rules_check_resolvers(&p->rules->of[RULES_REQUEST], check_rule, r);
	rules_check_resolvers(&p->rules->of[RULES_CONTENT], check_rule, r);
}
