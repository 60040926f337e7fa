/* SPDX-License-Identifier: MIT */
/* The blocks track_file, vrrp_track_process and bfd_instance, and the lists of instances that name them. */
#include <string.h>

#include <libha/bfd.h>

#include "conf/words.h"
#include "model.h"

#define WATCH(member) offsetof(struct conf_watch, member)
#define DAY 86400.0

/* ---- Blocks ---- */

/* "NUMBER [reverse]" */
static void set_weight(struct conf_parse *p, const struct conf_node *n,
		       const struct conf_keyword *k, void *target)
{
	struct conf_watch *w = target;
	const struct conf_word *word = conf_argument(p, n);
	double v;

	if (!word || !conf_number(p, word, k->min, k->max, true, &v))
		return;
	w->weight = (int32_t)v;
	w->reverse = n->n > 2 && !strcmp(n->word[2].text, "reverse");
}

/* "init_file [NUMBER] [overwrite]" */
static void set_init(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_watch *w = target;
	double v;

	w->file.init = true;
	for (size_t i = 1; i < n->n; i++) {
		if (!strcmp(n->word[i].text, "overwrite"))
			w->file.overwrite = true;
		else if (conf_number(p, &n->word[i], -INT32_MAX, INT32_MAX, true, &v))
			w->file.first = (int32_t)v;
	}
}

static void set_path(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	const struct conf_word *word = conf_argument(p, n);

	if (word && *word->text != '/')
		conf_warn(p, &word->at, "\"%s\" is not a whole path: begin it with /. Skipped",
			  word->text);
	else if (word)
		((struct conf_watch *)target)->file.path = conf_keep(p, word->text);
}

/* The words of a command line. Blanks in quotes belong to them, as those in the name "Web Content". */
static void set_process(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_watch *w = target;

	if (!conf_argument(p, n))
		return;
	w->process.argv = conf_alloc(p->memory, (CONF_ARGS_MAX + 1) * sizeof(*w->process.argv));
	w->process.n_argv = 0;
	for (size_t i = 1; i < n->n && w->process.n_argv < CONF_ARGS_MAX; i++)
		w->process.argv[w->process.n_argv++] = conf_keep_word(p, n, i);
}

static void set_match(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf_watch *w = target;
	const struct conf_word *word = conf_argument(p, n);

	if (!word)
		return;
	if (!strcmp(word->text, "initial"))
		w->process.match = CONF_MATCH_INITIAL;
	else if (!strcmp(word->text, "partial"))
		w->process.match = CONF_MATCH_PARTIAL;
	else
		conf_warn(p, &word->at, "\"%s\" is not initial or partial: skipped", word->text);
	w->process.whole = true;
}

/* Both ways, unless one of them is said after it. */
static void set_delay(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf_watch *w = target;

	conf_set_seconds(p, n, k, target);
	w->process.terminate_ms = w->process.fork_ms;
}

static void set_milliseconds(struct conf_parse *p, const struct conf_node *n,
			     const struct conf_keyword *k, void *target)
{
	const struct conf_word *word = conf_argument(p, n);
	double v;

	if (word && conf_number(p, word, k->min, k->max, false, &v))
		*(uint32_t *)(void *)((char *)target + k->offset) = (uint32_t)(v * 1000 + 0.5);
}

static const struct conf_keyword file_words[] = {
    {"file", set_path, .once = true, .form = "PATH", .doc = "The file. Must be written."},
    {"weight", set_weight, 0, -254, 254, .once = true, .form = "-254..254 [reverse]", .initial = "1",
     .doc =
	 "What its number is multiplied with, and added to the priority; -254 or less is a fault. "
	 "0: any number but 0 is a fault."},
    {"init_file", set_init, .form = "[NUMBER] [overwrite]",
     .doc = "Writes the number (0) at the start, when there is no file or always."},
    {0}};
const struct conf_block conf_block_track_file = {.name = "track_file", .keyword = file_words};

static const struct conf_keyword process_words[] = {
    {"process", set_process, .once = true, .form = "NAME [ARGUMENT ...]",
     .doc = "The program: its name, with arguments its command line. Must be written."},
    {"weight", set_weight, 0, -254, 254, .once = true, .form = "-254..254 [reverse]",
     .initial = "0: too few or too many are a fault", .doc = "What moves the priority."},
    {"quorum", conf_set_int, WATCH(process.quorum), 1, 65535, .initial = "1",
     .doc = "How many must run."},
    {"quorum_max", conf_set_int, WATCH(process.quorum_max), 0, 65535, .initial = "any number",
     .doc = "How many may run. 0: it is right while none runs."},
    {"delay", set_delay, WATCH(process.fork_ms), 0, 3600, .initial = "0",
     .doc = "How long a change must last."},
    {"fork_delay", conf_set_seconds, WATCH(process.fork_ms), 0, 3600, .initial = "delay",
     .doc = "How long enough must have run before that counts."},
    {"terminate_delay", conf_set_seconds, WATCH(process.terminate_ms), 0, 3600, .initial = "delay",
     .doc = "How long too few or too many must have run before that counts."},
    {"param_match", set_match, .form = "initial|partial", .initial = "all arguments are equal",
     .doc = "partial: more may follow; initial: the last one may be longer, too."},
    {"full_command", conf_set_flag, WATCH(process.whole),
     .doc = "Compares the command line, not the name of the process; without arguments any may follow."},
    {0}};
const struct conf_block conf_block_track_process = {.name = "vrrp_track_process",
						    .keyword = process_words};

static const struct conf_keyword bfd_words[] = {
    {"neighbor_ip", conf_set_ip, WATCH(bfd.peer), .doc = "The neighbour. Must be written."},
    {"neighbour_ip", conf_set_ip, WATCH(bfd.peer), .doc = "The same."},
    {"source_ip", conf_set_ip, WATCH(bfd.local), .initial = "the route's",
     .doc = "Where packets leave from."},
    {"min_rx", set_milliseconds, WATCH(bfd.rx_us), 1, 1000, .form = "MILLISECONDS", .initial = "10",
     .doc = "Least time between packets that we can receive."},
    {"min_tx", set_milliseconds, WATCH(bfd.tx_us), 1, 1000, .form = "MILLISECONDS", .initial = "10",
     .doc = "Least time between packets that we send."},
    {"idle_tx", set_milliseconds, WATCH(bfd.idle_us), 1000, 10000, .form = "MILLISECONDS",
     .initial = "1000", .doc = "Time between packets while it is down."},
    {"multiplier", conf_set_int, WATCH(bfd.multiplier), 1, 255, .initial = "5",
     .doc = "Packets that may be missed before the neighbour counts as down."},
    {"passive", conf_set_flag, WATCH(bfd.passive),
     .doc = "Waits for the neighbour; with multihop only."},
    {CONF_NOTED("ttl", "1..255", "TTL of what is sent.", "it is always 255 (RFC 5881 section 5)")},
    {CONF_NOTED("hoplimit", "1..255", "The same of IPv6.",
		"it is always 255 (RFC 5881 section 5)")},
    {"max_hops", conf_set_int, WATCH(bfd.max_hops), 0, 255, .initial = "0",
     .doc = "Hops of what is heard."},
    {"multihop", conf_set_flag, WATCH(bfd.multihop),
     .doc = "The neighbour is not on the link (RFC 5883)."},
    {"weight", set_weight, 0, -253, 253, .form = "-253..253 [reverse]",
     .initial = "0: a lost neighbour is a fault", .doc = "What moves the priority."},
    {CONF_NOTED("vrrp", "", "For instances only.", "who tracks it says so")},
    {CONF_NOTED("checker", "", "For servers only.", "who tracks it says so")},
    {0}};
const struct conf_block conf_block_bfd = {.name = "bfd_instance", .keyword = bfd_words};

/* ---- A block as a whole ---- */

static const struct conf_watch initial[] = {
    [CONF_WATCH_FILE] = {.weight = 1},
    [CONF_WATCH_PROCESS] = {.process = {.quorum = 1, .quorum_max = CONF_UNSET}},
    [CONF_WATCH_BFD] =
	{.bfd = {.rx_us = 10000, .tx_us = 10000, .idle_us = 1000000, .multiplier = 5}},
};

/* What is wrong with it; NULL: nothing. */
static const char *lack(const struct conf_watch *w)
{
	switch (w->kind) {
	case CONF_WATCH_FILE:
		return w->file.path ? NULL : "file PATH";
	case CONF_WATCH_PROCESS:
		return w->process.n_argv ? NULL : "process NAME";
	case CONF_WATCH_BFD:
		return w->bfd.peer.family ? NULL : "neighbor_ip ADDRESS";
	}
	return NULL;
}

/* None may run: then none must. As keepalived it takes any number when the most is less than the least. */
static void settle_quorum(struct conf_parse *p, struct conf_watch *w)
{
	int *least = &w->process.quorum, *most = &w->process.quorum_max;

	if (!*most)
		*least = 0;
	if (*most == CONF_UNSET || *most >= *least)
		return;
	conf_warn(p, &w->at, "vrrp_track_process \"%s\": quorum_max %d is less than quorum %d: any number may run", w->name, *most, *least);
	*most = CONF_UNSET;
}

/* Over one hop both sides are active (RFC 5881 section 3), which serves a neighbour that is passive and one that is not. */
static void settle_passive(struct conf_parse *p, struct conf_watch *w)
{
	if (w->bfd.passive && !w->bfd.multihop)
		conf_note(p, &w->at, "bfd_instance \"%s\": passive is for multihop: it does not wait for its neighbour", w->name);
	w->bfd.passive &= w->bfd.multihop;
}

/* NULL: the library would take it. */
static const char *refusal(const struct conf_watch *w)
{
	struct ha_bfd_opts o;

	model_bfd(w, &o);
	o.discriminator = 1;
	return ha_bfd_check(&o);
}

/* The kinds have names of their own. */
static const char *key_of(struct conf_memory *m, enum conf_watch_kind kind, const char *name)
{
	return conf_printf(m, "%d %s", (int)kind, name);
}

static void add(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		enum conf_watch_kind kind)
{
	struct conf_watch *w;

	if (n->n < 2 || strlen(n->word[1].text) > CONF_NAME_MAX) {
		conf_warn(p, &n->word->at, "\"%s\" needs a name of at most %d characters: skipped",
			  k->word, CONF_NAME_MAX);
		return;
	}
	w = conf_alloc(p->memory, sizeof(*w));
	*w = initial[kind];
	w->kind = kind;
	w->name = conf_keep_word(p, n, 1);
	w->at = n->word->at;
	conf_walk(p, n->child, k->block, w);
	if (lack(w)) {
		conf_warn(p, &w->at, "%s \"%s\" lacks \"%s\": skipped", k->word, w->name, lack(w));
		return;
	}
	if (w->bfd.local.family && w->bfd.local.family != w->bfd.peer.family) {
		conf_warn(p, &w->at, "%s \"%s\": source_ip is not of the IP version of its neighbour: skipped", k->word, w->name);
		return;
	}
	if (kind == CONF_WATCH_BFD)
		settle_passive(p, w);
	if (kind == CONF_WATCH_BFD && refusal(w)) {
		conf_warn(p, &w->at, "%s \"%s\": %s: skipped", k->word, w->name, refusal(w));
		return;
	}
	w->process.whole |= w->process.n_argv > 1 || w->process.match != CONF_MATCH_EXACT;
	if (kind == CONF_WATCH_PROCESS)
		settle_quorum(p, w);
	if (p->conf->n_watches == CONF_INSTANCES_MAX ||
	    conf_index_add_name(p->scratch, &p->watches, key_of(p->scratch, kind, w->name), w)) {
		conf_warn(p, &w->at, "%s \"%s\": %s: skipped", k->word, w->name,
			  p->conf->n_watches == CONF_INSTANCES_MAX ? "too many of them"
								   : "it is there already");
		return;
	}
	w->index = (uint32_t)p->conf->n_watches++;
	*p->watches_end = w;
	p->watches_end = &w->next;
}

void conf_track_file_new(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	add(p, n, k, CONF_WATCH_FILE);
}

void conf_track_process_new(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	add(p, n, k, CONF_WATCH_PROCESS);
}

void conf_bfd_new(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		  void *target)
{
	add(p, n, k, CONF_WATCH_BFD);
}

/* ---- Who tracks them ---- */

static void read_tracks(struct conf_parse *p, const struct conf_node *n, enum conf_watch_kind kind,
			struct conf_tracks *list)
{
	for (const struct conf_node *c = n->child; c; c = c->next) {
		struct conf_track_watch t = {.kind = kind,
					     .name = conf_keep_word(p, c, 0),
					     .weight = CONF_TRACK_DEFAULT,
					     .reverse = CONF_UNSET,
					     .at = c->word->at};

		conf_read_weight(p, c, 254, &t.weight, &t.reverse);
		list->at = conf_grow(p->memory, list->at, list->n, sizeof(t));
		list->at[list->n++] = t;
	}
}

/* The keyword's offset is that of the list. */
static struct conf_tracks *list_of(const struct conf_keyword *k, void *target)
{
	return (struct conf_tracks *)(void *)((char *)target + k->offset);
}

void conf_set_track_file(struct conf_parse *p, const struct conf_node *n,
			 const struct conf_keyword *k, void *target)
{
	read_tracks(p, n, CONF_WATCH_FILE, list_of(k, target));
}

void conf_set_track_process(struct conf_parse *p, const struct conf_node *n,
			    const struct conf_keyword *k, void *target)
{
	read_tracks(p, n, CONF_WATCH_PROCESS, list_of(k, target));
}

void conf_set_track_bfd(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	read_tracks(p, n, CONF_WATCH_BFD, list_of(k, target));
}

static bool is_tracked(const struct conf_track_watch *list, size_t n, const struct conf_watch *watch)
{
	while (n && list[n - 1].watch != watch)
		n--;
	return n;
}

void conf_find_watches(struct conf_parse *p, struct conf_tracks *list)
{
	static const char *const word[] = {"track_file", "vrrp_track_process", "bfd_instance"};
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct conf_track_watch t = list->at[i];

		t.watch = conf_index_find_name(&p->watches, key_of(p->scratch, t.kind, t.name));
		if (!t.watch) {
			conf_warn(p, &t.at, "there is no %s \"%s\": not tracked", word[t.kind],
				  t.name);
			continue;
		}
		if (is_tracked(list->at, n, t.watch)) {
			conf_warn_twice(p, &t.at, t.name);
			continue;
		}
		if (t.weight == CONF_TRACK_DEFAULT)
			t.weight = t.watch->weight;
		conf_default_int(&t.reverse, t.watch->reverse, 0);
		list->at[n++] = t;
	}
	list->n = n;
}
