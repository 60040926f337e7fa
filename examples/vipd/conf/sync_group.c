/* SPDX-License-Identifier: MIT */
/* The block vrrp_sync_group: instances that change together. */
#include "conf/words.h"

#define GROUP(member) offsetof(struct conf_group, member)

/* One name a line, or several. */
void conf_set_members(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		      void *target)
{
	struct conf_group *g = target;

	for (const struct conf_node *c = n->child; c; c = c->next) {
		for (size_t i = 0; i < c->n; i++) {
			g->members =
			    conf_grow(p->memory, g->members, g->n_members, sizeof(*g->members));
			g->member_at =
			    conf_grow(p->memory, g->member_at, g->n_members, sizeof(*g->member_at));
			g->members[g->n_members] = conf_keep_word(p, c, i);
			g->member_at[g->n_members++] = c->word[i].at;
		}
	}
}

static void set_group_interfaces(struct conf_parse *p, const struct conf_node *n,
				 const struct conf_keyword *k, void *target)
{
	struct conf_group *g = target;

	conf_read_interfaces(p, n, &g->interfaces, &g->n_interfaces);
}

static void set_group_scripts(struct conf_parse *p, const struct conf_node *n,
			      const struct conf_keyword *k, void *target)
{
	struct conf_group *g = target;

	conf_read_scripts(p, n, &g->scripts, &g->n_scripts);
}

static const struct conf_keyword group_words[] = {
    {"group", conf_set_members, .once = true, .block = &conf_list, .form = "{ INSTANCE ... }",
     .doc = "Its instances."},
    CONF_NOTIFY_WORDS(GROUP),
    {"track_interface", set_group_interfaces, .block = &conf_list,
     .form = "{ INTERFACE [weight -253..253] [reverse] ... }",
     .doc = "Interfaces that all its instances track."},
    {"track_script", set_group_scripts, .block = &conf_list,
     .form = "{ SCRIPT [weight -253..253] [reverse] ... }",
     .doc = "Scripts that all its instances track."},
    {"track_file", conf_set_track_file, GROUP(watches), .block = &conf_list,
     .form = "{ FILE [weight -254..254] [reverse] ... }",
     .doc = "A track_file whose number moves the priority, or is a fault."},
    {"track_process", conf_set_track_process, GROUP(watches), .block = &conf_list,
     .form = "{ NAME [weight -254..254] [reverse] ... }",
     .doc = "A vrrp_track_process whose failure is a fault, or moves the priority."},
    {"track_bfd", conf_set_track_bfd, GROUP(watches), .block = &conf_list,
     .form = "{ NAME [weight -253..253] [reverse] ... }",
     .doc = "A bfd_instance whose loss is a fault, or moves the priority."},
    {"sync_group_tracking_weight", conf_set_flag, GROUP(tracking_weight),
     .doc = "Weights that its instances have of their own for scripts, files and BFD count; else "
	    "these are not tracked."},
    {"global_tracking", conf_set_flag, GROUP(tracking_weight),
     .doc = "Old word for sync_group_tracking_weight."},
    {"notify_priority_changes", conf_set_flag, GROUP(priority_changes),
     .doc = "Tells FIFOs when trackers change the priority of its instances."},
    {"smtp_alert", conf_set_tristate, GROUP(smtp_alert), .initial = "smtp_alert_vrrp",
     .doc = "Mail at each change."},
    {0}};

const struct conf_block conf_block_sync_group = {.name = "vrrp_sync_group", .keyword = group_words};

void conf_group_new(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		    void *target)
{
	struct conf *c = target;
	struct conf_group *g;
	const char *name = conf_block_name(p, n, c->n_groups);

	if (!name)
		return;
	for (g = c->groups; g; g = g->next) {
		if (!strcmp(g->name, name)) {
			conf_warn(p, &n->word->at,
				  "vrrp_sync_group \"%s\" is there already, in line %u: skipped", name,
				  g->at.line);
			return;
		}
	}
	g = conf_alloc(p->memory, sizeof(*g));
	g->name = name;
	g->smtp_alert = CONF_UNSET;
	g->at = n->word->at;
	*p->groups_end = g;
	p->groups_end = &g->next;
	c->n_groups++;
	conf_walk(p, n->child, k->block, g);
}
