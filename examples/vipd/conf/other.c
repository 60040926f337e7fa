/* SPDX-License-Identifier: MIT */
/* Smaller blocks: garp_group, and those that are known and not acted on. */
#include <string.h>

#include "conf/words.h"

/* ---- garp_group ---- */

#define GARP(member) offsetof(struct conf_garp_group, member)

static void add_interface(struct conf_parse *p, struct conf_garp_group *g,
			  const struct conf_word *w)
{
	const char *name = NULL;
	struct conf_word word[2] = {*w, *w};
	const struct conf_node node = {.word = word, .n = 2};

	conf_set_name(p, &node, &(struct conf_keyword){.word = w->text}, &name);
	if (!name)
		return;
	g->interfaces = conf_grow(p->memory, g->interfaces, g->n_interfaces, sizeof(name));
	g->interfaces[g->n_interfaces++] = name;
}

static void set_interface(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	const struct conf_word *w = conf_argument(p, n);

	if (w)
		add_interface(p, target, w);
}

static void set_interfaces(struct conf_parse *p, const struct conf_node *n,
			   const struct conf_keyword *k, void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		for (size_t i = 0; i < c->n; i++)
			add_interface(p, target, &c->word[i]);
}

static const struct conf_keyword garp_words[] = {
    {"garp_interval", conf_set_seconds, GARP(garp_interval_ms), 0, 60,
     .initial = "vrrp_garp_interval", .doc = "Time between two gratuitous ARPs."},
    {"gna_interval", conf_set_seconds, GARP(gna_interval_ms), 0, 60, .initial = "vrrp_gna_interval",
     .doc = "Time between two unsolicited NAs."},
    {"interface", set_interface, .form = "INTERFACE", .doc = "The interface it holds for."},
    {"interfaces", set_interfaces, .block = &conf_list, .form = "{ INTERFACE ... }",
     .doc = "Several; each keeps the time for itself."},
    {0}};

const struct conf_block conf_block_garp_group = {.name = "garp_group", .keyword = garp_words};

void conf_garp_group_new(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	struct conf_garp_group *g = conf_alloc(p->memory, sizeof(*g));

	*g =
	    (struct conf_garp_group){.garp_interval_ms = CONF_UNSET, .gna_interval_ms = CONF_UNSET};
	conf_walk(p, n->child, k->block, g);
	*p->garp_groups_end = g;
	p->garp_groups_end = &g->next;
	if (!g->n_interfaces)
		conf_warn(p, &n->word->at, "garp_group names no interface: write interface NAME");
}

void conf_garp_intervals(const struct conf *c, const char *interface, int64_t *ret_garp_ms,
			 int64_t *ret_gna_ms)
{
	*ret_garp_ms = c->globals.garp_interval_ms;
	*ret_gna_ms = c->globals.gna_interval_ms;
	for (const struct conf_garp_group *g = c->garp_groups; g; g = g->next) {
		for (size_t i = 0; i < g->n_interfaces; i++) {
			if (strcmp(g->interfaces[i], interface) != 0)
				continue;
			if (g->garp_interval_ms != CONF_UNSET)
				*ret_garp_ms = g->garp_interval_ms;
			if (g->gna_interval_ms != CONF_UNSET)
				*ret_gna_ms = g->gna_interval_ms;
		}
	}
}

/* ---- interface_up_down_delays ---- */

static void add_delay(struct conf_parse *p, const struct conf_node *n)
{
	struct conf_link_delay *d;
	double down, up;

	if (n->n < 2) {
		conf_warn(p, &n->word->at,
			  "\"%s\" needs seconds behind it: INTERFACE DOWN [UP]. Skipped",
			  n->word->text);
		return;
	}
	if (!conf_number(p, &n->word[1], 0, 255, false, &down))
		return;
	up = down;
	if (n->n > 2 && !conf_number(p, &n->word[2], 0, 255, false, &up))
		return;
	d = conf_alloc(p->memory, sizeof(*d));
	*d = (struct conf_link_delay){.next = p->conf->link_delays,
				      .interface = conf_keep(p, n->word->text),
				      .down_ms = (int64_t)(down * 1000 + 0.5),
				      .up_ms = (int64_t)(up * 1000 + 0.5)};
	p->conf->link_delays = d;
}

void conf_set_link_delays(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	for (const struct conf_node *c = n->child; c; c = c->next)
		add_delay(p, c);
}

/* ---- SSL ---- */

static const struct conf_keyword ssl_words[] = {
    {"password", conf_set_string, offsetof(struct conf, globals.ssl_password), .form = "STRING",
     .doc = "Password of the key. Who reads this file needs no password any more: better none."},
    {"ca", conf_set_string, offsetof(struct conf, globals.ssl_ca), .form = "FILE",
     .doc = "Certificates that complete the chain of certificate. Servers are not judged by it, as "
	    "with "
	    "keepalived: a check asks whether they work."},
    {"certificate", conf_set_string, offsetof(struct conf, globals.ssl_certificate), .form = "FILE",
     .doc = "What SSL_GET shows to servers that ask for a certificate."},
    {"key", conf_set_string, offsetof(struct conf, globals.ssl_key), .form = "FILE",
     .initial = "in certificate", .doc = "Its key."},
    {0}};
void conf_set_ssl(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		  void *target)
{
	conf_walk(p, n->child, k->block, target);
}

const struct conf_block conf_block_ssl = {.name = "SSL", .keyword = ssl_words};
