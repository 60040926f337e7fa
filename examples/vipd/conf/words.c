/* SPDX-License-Identifier: MIT */
#include "conf/words.h"

#include <stdio.h>
#include <string.h>

const struct conf_block conf_list = {.name = "a list"};

/* ---- The outermost block ---- */

#define CONF_BLOCK_WORDS_MAX 256 /* words that are compared with an unknown one */

static void set_ipvs_namespace(struct conf_parse *p, const struct conf_node *n,
			       const struct conf_keyword *k, void *target)
{
	struct conf_globals *g = &((struct conf *)target)->globals;

	g->ipvs_name_space = "";
	if (n->n > 1)
		conf_set_file_part(
		    p, n,
		    &(struct conf_keyword){
			.word = k->word, .offset = offsetof(struct conf_globals, ipvs_name_space)},
		    g);
}

static const struct conf_keyword root_words[] = {
    {"global_defs", conf_set_globals, .block = &conf_block_global,
     .doc = "What holds for the whole of vipd."},
    {"vrrp_instance", conf_instance_new, .block = &conf_block_instance, .form = "NAME { ... }",
     .doc = "A virtual router: addresses that one of several nodes holds."},
    {"vrrp_sync_group", conf_group_new, .block = &conf_block_sync_group, .form = "NAME { ... }",
     .doc = "Instances that change state together."},
    {"vrrp_script", conf_vrrp_script_new, .block = &conf_block_vrrp_script, .form = "NAME { ... }",
     .doc = "A command that is run regularly, if an instance tracks its exit code."},
    {"virtual_server", conf_virtual_new, .block = &conf_block_virtual,
     .form = "ADDRESS [PORT] { ... }, fwmark N { ... }, group NAME { ... }",
     .doc = "A service that is spread over real servers."},
    {"virtual_server_group", conf_virtual_group_new, .block = &conf_block_virtual_group,
     .form = "NAME { ... }",
     .doc =
	 "Many addresses, ranges and marks of one service: ADDRESS[-END|/PREFIX] PORT, fwmark N."},
    {"garp_group", conf_garp_group_new, .block = &conf_block_garp_group,
     .doc = "How fast neighbours of some interfaces are told of addresses."},
    {"track_file", conf_track_file_new, .block = &conf_block_track_file, .form = "NAME { ... }",
     .doc = "A file whose number instances track."},
    {"vrrp_track_file", conf_track_file_new, .block = &conf_block_track_file,
     .form = "NAME { ... }", .doc = "Old word for track_file."},
    {"vrrp_track_process", conf_track_process_new, .block = &conf_block_track_process,
     .form = "NAME { ... }", .doc = "Processes whose number instances track."},
    {"bfd_instance", conf_bfd_new, .block = &conf_block_bfd, .form = "NAME { ... }",
     .doc = "A neighbour that is watched by BFD, while an instance tracks it."},
    {"static_ipaddress", conf_static_addresses, .block = &conf_list,
     .form = "{ as virtual_ipaddress }",
     .doc = "Addresses that are there while vipd runs, on any node."},
    {"static_routes", conf_static_routes, .block = &conf_list, .form = "{ as virtual_routes }",
     .doc = "Routes that are there while vipd runs."},
    {"static_rules", conf_static_rules, .block = &conf_list, .form = "{ as virtual_rules }",
     .doc = "Routing rules that are there while vipd runs."},
    {"track_group", conf_track_group_new, .block = &conf_block_track_group,
     .form = "NAME { group { INSTANCE ... } }",
     .doc =
	 "Instances that are in FAULT while the interface of a static address or route with this "
	 "track_group is down."},
    {CONF_NOTED("linkbeat_interfaces", "{ INTERFACE [mii|ethtool|ioctl] ... }",
		"How the state of links is asked for.",
		"the kernel tells of a link at once, and no driver of today has to be asked"),
     .block = &conf_list},
    {CONF_NOTED("linkbeat_use_polling", "", "Asks for the state of links.",
		"the kernel tells of a link at once, and no driver of today has to be asked")},
    {"interface_up_down_delays", conf_set_link_delays, .block = &conf_list,
     .form = "{ INTERFACE DOWN [UP] ... }",
     .doc = "How many seconds a link must be down, or up, before it counts; without UP as DOWN."},
    {"SSL", conf_set_ssl, .block = &conf_block_ssl, .doc = "What SSL_GET shows."},
    {"net_namespace", conf_set_file_part, offsetof(struct conf, globals.name_space), .form = "NAME",
     .doc = "Runs in that network namespace; files in /run/keepalived/NAME."},
    {"net_namespace_ipvs", set_ipvs_namespace, .form = "[NAME]",
     .initial = "net_namespace; without NAME: that of init",
     .doc =
	 "Has virtual servers in IPVS of that network namespace; checks are made where vipd runs."},
    {CONF_NOTED("namespace_with_ipsets", "", "Uses ipsets there.", "vipd uses no ipsets")},
    {"instance", conf_set_file_part, offsetof(struct conf, globals.instance), .form = "NAME",
     .doc = "One of several vipd here: pid files and socket /run/keepalived/keepalived_NAME.*"},
    {"use_pid_dir", conf_set_flag, offsetof(struct conf, globals.use_pid_dir),
     .doc = "Has pid files and socket in /run/keepalived."},
    {"child_wait_time", conf_set_int, offsetof(struct conf, globals.child_wait_s), 1, 3600,
     .form = "SECONDS", .initial = "5",
     .doc = "How long each process may take to end, at a stop and at a reload; then it is killed."},
    {"include", .form = "FILE", .doc = "Reads a file, or all that match a pattern, here.",
     .extra = true},
    {"includer", .form = "FILE", .doc = "As include.", .extra = true},
    {"includem", .form = "FILE", .doc = "As include.", .extra = true},
    {"includew", .form = "FILE", .doc = "As include.", .extra = true},
    {"includeb", .form = "FILE", .doc = "As include.", .extra = true},
    {"includea", .form = "FILE", .doc = "As include.", .extra = true},
    {0}};

const struct conf_block conf_root = {.name = "the file", .keyword = root_words};

/* ---- Looking words up ---- */

const struct conf_keyword *conf_word_find(const struct conf_block *b, const char *word)
{
	for (const struct conf_keyword *k = b->keyword; k && k->word; k++)
		if (*k->word == *word && !strcmp(k->word, word))
			return k;
	return NULL;
}

bool conf_word_opens(const struct conf_block *b, const char *word)
{
	const struct conf_keyword *k = b ? conf_word_find(b, word) : NULL;

	return k && k->block;
}

static const char *find_below(const struct conf_block *b, const struct conf_block *not_here,
			      const char *word, unsigned depth)
{
	if (b != not_here && conf_word_find(b, word))
		return b->name;
	for (const struct conf_keyword *k = b->keyword; k && k->word && depth; k++) {
		const char *name =
		    k->block ? find_below(k->block, not_here, word, depth - 1) : NULL;

		if (name)
			return name;
	}
	return NULL;
}

/* The name of another block that has the word, or NULL. */
static const char *conf_word_elsewhere(const struct conf_block *not_here, const char *word)
{
	return find_below(&conf_root, not_here, word, CONF_DEPTH_MAX);
}

static const char *nearest_word(const struct conf_block *b, const char *word)
{
	const char *word_of[CONF_BLOCK_WORDS_MAX];
	size_t n = 0;

	for (const struct conf_keyword *k = b->keyword; k && k->word && n < CONF_BLOCK_WORDS_MAX;
	     k++)
		word_of[n++] = k->word;
	return diag_nearest(word, word_of, n);
}

const char *conf_form(const struct conf_keyword *k, char *buf, size_t cap)
{
	static const struct {
		conf_fn *fn;
		const char *form;
	} known[] = {
	    {conf_set_flag, "[on|off]"},
	    {conf_clear_flag, "[on|off]"},
	    {conf_set_tristate, "[on|off]"},
	    {conf_clear_tristate, "[on|off]"},
	    {conf_set_seconds, "SECONDS"},
	    {conf_set_check_seconds, "SECONDS"},
	    {conf_set_string, "STRING"},
	    {conf_set_name, "INTERFACE"},
	    {conf_set_ip, "ADDRESS"},
	    {conf_set_script, "COMMAND [USER [GROUP]]"},
	};

	if (k->form)
		return k->form;
	if (k->block)
		return "{ ... }";
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (k->fn == known[i].fn)
			return known[i].form;
	if (k->fn != conf_set_int)
		return "";
	snprintf(buf, cap, k->max > 1e9 ? "%.0f.." : "%.0f..%.0f", k->min, k->max);
	return buf;
}

/* ---- Walking ---- */

static void say_unknown(struct conf_parse *p, const struct conf_node *n, const struct conf_block *b)
{
	const char *word = n->word->text, *what = n->block ? ": its block is skipped" : ": skipped";
	const char *where, *nearest;

	if (diag_full(p->diag)) {
		conf_warn(p, &n->word->at, "unknown");
		return;
	}
	where = conf_word_elsewhere(b, word);
	if (where) {
		conf_warn(p, &n->word->at, "\"%s\" has no place in %s, but in %s%s", word, b->name,
			  where, what);
		return;
	}
	nearest = nearest_word(b, word);
	if (nearest)
		conf_warn(p, &n->word->at, "unknown keyword \"%s\": did you mean \"%s\"?%s", word,
			  nearest, n->block ? " Its block is skipped" : " Skipped");
	else
		conf_warn(p, &n->word->at, "unknown keyword \"%s\"%s", word, what);
}

/* Without effect: why, in the words of the table. */
static void say_why(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k)
{
	if (k->refused)
		conf_warn(p, &n->word->at, "\"%s\" has no effect: %s", k->word, k->why);
	else if (k->why)
		conf_note(p, &n->word->at, "\"%s\" changes nothing: %s", k->word, k->why);
}

/* The first of them that says the same word. */
static const struct conf_node *first_of(const struct conf_node *list, const char *word)
{
	while (strcmp(list->word->text, word) != 0)
		list = list->next;
	return list;
}

static void walk_one(struct conf_parse *p, const struct conf_node *list, const struct conf_node *n,
		     const struct conf_block *b, void *target)
{
	const struct conf_keyword *k;

	if (n->word->quoted) {
		conf_warn(p, &n->word->at,
			  "a keyword must stand here, not \"%s\" in quotes: "
			  "skipped",
			  n->word->text);
		return;
	}
	if (n->word->text[0] == '{')
		return; /* said when the brace was read */
	k = conf_word_find(b, n->word->text);
	if (!k) {
		say_unknown(p, n, b);
		return;
	}
	if (k->once && first_of(list, k->word) != n) {
		conf_warn(p, &n->word->at, "\"%s\" is in line %u already: skipped", k->word,
			  first_of(list, k->word)->word->at.line);
		return;
	}
	if (n->block && !k->block)
		conf_warn(p, &n->open, "\"%s\" takes no block: the block is skipped", k->word);
	if (!n->block && k->block)
		conf_warn(p, &n->word->at, "\"%s\" needs a block: write { after it. Skipped",
			  k->word);
	else if (k->fn)
		k->fn(p, n, k, target);
	else
		say_why(p, n, k);
}

void conf_walk(struct conf_parse *p, const struct conf_node *n, const struct conf_block *b,
	       void *target)
{
	for (const struct conf_node *list = n; n; n = n->next)
		walk_one(p, list, n, b, target);
}
