/* SPDX-License-Identifier: MIT */
/* The block vrrp_script: a program that instances track. */
#include <string.h>

#include "conf/index.h"
#include "conf/words.h"

#define SCRIPT(member) offsetof(struct conf_vrrp_script, member)
#define DAY 86400.0

static void set_script_weight(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	struct conf_vrrp_script *s = target;
	const struct conf_word *w = conf_argument(p, n);
	double v;

	if (!w || !conf_number(p, w, -253, 253, true, &v))
		return;
	s->weight = v != 0 ? (int32_t)v : CONF_NO_WEIGHT;
	s->reverse = n->n > 2 && !strcmp(n->word[2].text, "reverse");
}

static void set_user(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target)
{
	struct conf_vrrp_script *s = target;

	if (!conf_argument(p, n))
		return;
	s->script.user = conf_keep_word(p, n, 1);
	s->script.group = conf_keep_word(p, n, 2);
}

/* The user may stand before the script. */
static void set_program(struct conf_parse *p, const struct conf_node *n,
			const struct conf_keyword *k, void *target)
{
	struct conf_vrrp_script *s = target;
	struct conf_script old = s->script;

	conf_set_script(p, n, k, target);
	if (!s->script.user) {
		s->script.user = old.user;
		s->script.group = old.group;
	}
}

static const struct conf_keyword script_words[] = {
    {"script", set_program, SCRIPT(script), .form = "COMMAND",
     .doc = "What is run. Must be written."},
    {"interval", conf_set_seconds, SCRIPT(interval_ms), 0.01, DAY, .initial = "1",
     .doc = "From one run to the next."},
    {"timeout", conf_set_seconds, SCRIPT(timeout_ms), 0.01, DAY, .initial = "interval",
     .doc = "A run that takes longer has failed."},
    {"weight", set_script_weight, .form = "-253..253 [reverse]",
     .initial = "0: a failure is a fault",
     .doc =
	 "Added to the priority: a positive one while it succeeds, a negative one while it fails."},
    {"rise", conf_set_int, SCRIPT(rise), 1, 65535, .initial = "1",
     .doc = "Successes in a row that count."},
    {"fall", conf_set_int, SCRIPT(fall), 1, 65535, .initial = "1",
     .doc = "Failures in a row that count."},
    {"user", set_user, .form = "USER [GROUP]", .initial = "script_user", .doc = "Who runs it."},
    {"init_fail", conf_set_flag, SCRIPT(init_fail),
     .doc = "It counts as failed until it has succeeded."},
    {0}};

const struct conf_block conf_block_vrrp_script = {.name = "vrrp_script", .keyword = script_words};

void conf_vrrp_script_new(struct conf_parse *p, const struct conf_node *n,
			  const struct conf_keyword *k, void *target)
{
	struct conf *c = target;
	struct conf_vrrp_script *s;
	const char *name = conf_block_name(p, n, c->n_scripts);

	if (!name)
		return;
	s = conf_alloc(p->memory, sizeof(*s));
	*s = (struct conf_vrrp_script){.name = name,
				       .interval_ms = CONF_UNSET,
				       .timeout_ms = CONF_UNSET,
				       .weight = CONF_NO_WEIGHT,
				       .rise = 1,
				       .fall = 1,
				       .unused = true,
				       .index = (unsigned)c->n_scripts,
				       .at = n->word->at};
	conf_index_set_name(p->scratch, &p->scripts, name, s); /* of two, the later one counts */
	*p->scripts_end = s;
	p->scripts_end = &s->next;
	c->n_scripts++;
	conf_walk(p, n->child, k->block, s);
}

static bool is_behind(const struct diag_place *a, const struct diag_place *b)
{
	return a->file == b->file && a->line > b->line;
}

static bool is_tracked(const struct conf_track_script *list, size_t n,
		       const struct conf_vrrp_script *script)
{
	while (n && list[n - 1].script != script)
		n--;
	return n;
}

size_t conf_find_scripts(struct conf_parse *p, struct conf_track_script *list, size_t count)
{
	size_t n = 0;

	for (size_t t = 0; t < count; t++) {
		struct conf_track_script track = list[t];
		const struct conf_vrrp_script *script =
		    conf_index_find_name(&p->scripts, track.name);

		track.script = script;
		if (!script) {
			conf_warn(p, &track.at, "there is no vrrp_script \"%s\": not tracked",
				  track.name);
			continue;
		}
		if (!script->script.argv)
			continue; /* said of the script */
		if (is_behind(&script->at, &track.at))
			conf_warn(
			    p, &track.at,
			    "vrrp_script \"%s\" is written further down, where keepalived does not "
			    "find it: move it up. Here it is tracked",
			    track.name);
		if (is_tracked(list, n, script)) {
			conf_warn_twice(p, &track.at, track.name);
			continue;
		}
		if (track.weight == INT32_MAX)
			track.weight = script->weight;
		conf_default_int(&track.reverse, script->reverse, 0);
		list[n++] = track;
	}
	return n;
}

void conf_check_scripts(struct conf_parse *p)
{
	for (struct conf_vrrp_script *s = p->conf->scripts; s; s = s->next) {
		if (!s->script.argv)
			conf_warn(
			    p, &s->at,
			    "vrrp_script \"%s\" lacks \"script COMMAND\": nobody tracks it",
			    s->name);
		conf_default_ms(&s->interval_ms, CONF_UNSET, 1000);
		conf_default_ms(&s->timeout_ms, CONF_UNSET, s->interval_ms);
	}
}

/* By instances, which have what their groups track, and no longer what does not count. */
static void mark_used(struct conf_parse *p)
{
	for (const struct conf_instance *i = p->conf->instances; i; i = i->next)
		for (size_t t = 0; t < i->n_scripts; t++) {
			struct conf_vrrp_script *s =
			    conf_index_find_name(&p->scripts, i->scripts[t].name);

			s->unused = false;
		}
}

void conf_note_unused_scripts(struct conf_parse *p)
{
	mark_used(p);
	for (const struct conf_vrrp_script *s = p->conf->scripts; s; s = s->next)
		if (s->unused && s->script.argv)
			conf_note(p, &s->at,
				  "nobody tracks vrrp_script \"%s\": it is not run. Write "
				  "track_script { %s } in a vrrp_instance or vrrp_sync_group",
				  s->name, s->name);
}
