/* SPDX-License-Identifier: MIT */
/*
 * The language as tables: which words stand in which block, what is done with each, and what people
 * should know about it. The reference of keywords, the table of the migration guide and the completion
 * of the shell are made from them (conf/reference.c).
 */
#ifndef VIPD_CONF_WORDS_H
#define VIPD_CONF_WORDS_H

#include "conf/conf.h"
#include "conf/index.h"
#include "conf/memory.h"
#include "conf/tree.h"

struct conf_parse {
	struct conf_memory *memory;
	struct conf_memory *scratch; /* given back when all is read */
	struct conf_memory *passing; /* when the next virtual server begins */
	struct conf *conf;
	struct diag *diag;
	FILE *copy; /* of the source */
	struct conf_instance **instances_end;
	struct conf_group **groups_end;
	struct conf_vrrp_script **scripts_end;
	struct conf_watch **watches_end;
	struct conf_index texts;	    /* that were kept */
	struct conf_known reals_opts, checks; /* likewise, of real servers */
	struct conf_index watches; /* by kind and name */
	struct conf_virtual **virtuals_end;
	struct conf_virtual_group **groups_of_services_end;
	struct conf_real **reals_end; /* of the virtual server that is read */
	struct conf_index reals;      /* likewise; by address and port */
	struct conf_index instances, scripts, virtual_groups; /* by name */
	struct conf_index routers, vmacs; /* by interface, family and id; by interface */
	struct conf_index places;	  /* likewise, with the group, or source and peer */
	struct conf_index vmac_places;	  /* by interface and MAC address */
	struct conf_garp_group **garp_groups_end;
	uint32_t last_preference[2]; /* of rules without one: of IPv4, IPv6; 0: there was none */
	size_t n_listen;	    /* of all groups; at most HA_SERVICES_MAX */
	struct conf_index services; /* of all virtual servers, by what IPVS tells them apart by */
};

struct conf_keyword;

typedef void conf_fn(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target);

struct conf_keyword {
	const char *word;
	conf_fn *fn;   /* NULL: without effect, as `why` says */
	size_t offset; /* of what it sets, in the target */
	double min, max;
	const struct conf_block *block; /* what may stand in its braces; NULL: it has none */
	const char *form;		/* of what follows the word; NULL: conf_form() knows */
	const char *initial;		/* what holds without it; NULL: nothing to say */
	const char *doc;		/* what it does, a sentence */
	const char *why; /* NULL: it works. Else why it has no effect, or what to do instead */
	bool refused;	 /* somebody may miss it: a warning, not a notice */
	bool always;	 /* what it asks for is so without it, too */
	bool extra;	 /* not a word of keepalived's: an old one, or the manual's mistake */
	bool once;	 /* written again in a block it is skipped; of others the last one counts */
};

/* A word that changes nothing: it has no meaning here. */
#define CONF_NOTED(w, f, d, y) .word = (w), .form = (f), .doc = (d), .why = (y)
/* Likewise: what it asks for is always so. */
#define CONF_ALWAYS(w, f, d, y) CONF_NOTED(w, f, d, y), .always = true
/* A word that asks for something which is not done. */
#define CONF_REFUSED(w, f, d, y) CONF_NOTED(w, f, d, y), .refused = true

struct conf_block {
	const char *name;
	const struct conf_keyword
	    *keyword; /* ends with a NULL word; NULL: lines without keywords */
};

extern const struct conf_block conf_root;
extern const struct conf_block conf_list; /* lines without keywords */

/* What a word is in a block; NULL: nothing. */
const struct conf_keyword *conf_word_find(const struct conf_block *b, const char *word);

/* Does it open a block there? */
bool conf_word_opens(const struct conf_block *b, const char *word);

/* What follows a keyword, for people: "1..255", "SECONDS", "{ ... }"; "": nothing. */
const char *conf_form(const struct conf_keyword *k, char *buf, size_t cap);

/* Walks a block's statements. */
void conf_walk(struct conf_parse *p, const struct conf_node *first, const struct conf_block *b,
	       void *target);

/* Handlers that the tables share; conf/values.c. They set target + offset. */
conf_fn conf_set_flag;	     /* bool: present, or on/off, true/false, yes/no */
conf_fn conf_clear_flag;     /* bool = false */
conf_fn conf_clear_tristate; /* int: the contrary */
conf_fn conf_set_tristate;   /* int: as a flag, but knows "not said" */
conf_fn conf_set_int;	     /* int in min..max */
conf_fn conf_set_frames;     /* int in 1..max; 0 is 1, as in keepalived */
conf_fn conf_set_seconds;    /* int64_t ms, from seconds with fractions, min..max seconds */
conf_fn conf_set_check_seconds; /* int ms, likewise: there are many checks */
conf_fn conf_set_garp_extra; /* struct conf_garp: [all] SECONDS */
conf_fn conf_set_string;     /* const char * */
conf_fn conf_set_name;	     /* const char *, an interface: at most 15 characters */
conf_fn conf_set_file_part;  /* const char *, which may stand in the name of a file */
conf_fn conf_set_ip;	     /* struct ha_ip */
conf_fn conf_set_script;     /* struct conf_script */
conf_fn conf_set_cpus;	     /* uint64_t: a bit for each processor */

/* A flag with its on, off, ... behind the keyword. */
bool conf_read_flag(struct conf_parse *p, const struct conf_node *n, bool *ret);

/* Parts of values. They say what is wrong and return false. */
bool conf_number(struct conf_parse *p, const struct conf_word *w, double min, double max,
		 bool whole, double *ret);
bool conf_read_ip(struct conf_parse *p, const struct conf_word *w, struct ha_ip *ret); /* says nothing */
bool conf_read_port(struct conf_parse *p, const struct conf_word *w, uint16_t *ret);
void conf_script_of(struct conf_parse *p, const struct conf_word *w, size_t n,
		    struct conf_script *ret);

/*
 * A word lasts as long as its statement: what a handler keeps of it is a copy. _word: the i-th word of the statement, NULL when
 * there are fewer.
 */
const char *conf_keep(struct conf_parse *p, const char *text);
const char *conf_keep_word(struct conf_parse *p, const struct conf_node *n, size_t i);

/* The word after the keyword, or NULL, said, when there is none. */
const struct conf_word *conf_argument(struct conf_parse *p, const struct conf_node *n);

/* conf/global.c, conf/vrrp.c, conf/sync_group.c, conf/vrrp_script.c, conf/service.c, conf/other.c */
extern const struct conf_block conf_block_global;
extern const struct conf_block conf_block_instance, conf_block_sync_group, conf_block_vrrp_script;
extern const struct conf_block conf_block_virtual, conf_block_virtual_group;
extern const struct conf_block conf_block_track_file, conf_block_track_process, conf_block_bfd,
    conf_block_garp_group, conf_block_track_group, conf_block_ssl;
conf_fn conf_set_globals;
conf_fn conf_set_members; /* of a struct conf_group */
conf_fn conf_track_group_new;
conf_fn conf_instance_new, conf_group_new, conf_vrrp_script_new;
conf_fn conf_virtual_new, conf_virtual_group_new;
conf_fn conf_set_recipients, conf_set_sender, conf_set_smtp_server, conf_set_helo;
conf_fn conf_garp_group_new, conf_set_link_delays, conf_set_ssl;
conf_fn conf_track_file_new, conf_track_process_new, conf_bfd_new;
conf_fn conf_set_track_file, conf_set_track_process, conf_set_track_bfd;
conf_fn conf_static_addresses, conf_static_routes, conf_static_rules;

/* The name after a block's keyword; NULL, said, when it may not be. `already`: how many there are. */
const char *conf_block_name(struct conf_parse *p, const struct conf_node *n, size_t already);

/* The scripts of changes, of an instance and of a group. */
#define CONF_NOTIFY_WORDS(o)                                                                   \
	{"notify", conf_set_script, o(notify.any), .once = true,                               \
	 .doc = "Runs at each change, with INSTANCE or GROUP, name, state and priority."},     \
	    {"notify_master", conf_set_script, o(notify.master), .once = true,                 \
	     .doc = "Runs when it is MASTER."},                                                \
	    {"notify_backup", conf_set_script, o(notify.backup), .once = true,                 \
	     .doc = "Runs when it is BACKUP."},                                                \
	    {"notify_fault", conf_set_script, o(notify.fault), .once = true,                   \
	     .doc = "Runs when it is in FAULT."},                                              \
	{                                                                                      \
		"notify_stop", conf_set_script, o(notify.stop), .once = true,                  \
		    .doc = "Runs when vipd stops."                                             \
	}

/* What can only be judged when all is read: conf/check.c, which asks conf/check_*.c. */
void conf_check(struct conf_parse *p);
void conf_check_scripts(struct conf_parse *p);
void conf_note_unused_scripts(struct conf_parse *p); /* conf/vrrp_script.c */
void conf_check_instances(struct conf_parse *p);
void conf_check_vmacs(struct conf_parse *p);
void conf_check_track_groups(struct conf_parse *p); /* conf/track_group.c */
void conf_check_group(struct conf_parse *p, struct conf_group *g);
void conf_check_virtuals(struct conf_parse *p);
void conf_collect_checks(struct conf *c); /* how many are left, and the scripts of MISC_CHECKs */
void conf_complete_mail(struct conf_parse *p); /* conf/mail.c */

/* Trackers that name nothing are left out: conf/watch.c. */
#define CONF_TRACK_DEFAULT INT32_MAX /* a weight: that of what is tracked */
void conf_find_watches(struct conf_parse *p, struct conf_tracks *list);
/* Likewise of a track_script; how many are left: conf/vrrp_script.c. */
size_t conf_find_scripts(struct conf_parse *p, struct conf_track_script *list, size_t count);
/* Of a track_interface without `own`, which is tracked anyhow (NULL: a group's). */
size_t conf_find_interfaces(struct conf_parse *p, struct conf_track_interface *list, size_t count,
			    const char *own);
/* The first of two counts, as in keepalived. */
void conf_warn_twice(struct conf_parse *p, const struct diag_place *at, const char *name);

/* What was not said is the first, or else the second of two defaults. */
static inline void conf_default_int(int *v, int first, int second)
{
	if (*v == CONF_UNSET)
		*v = first != CONF_UNSET ? first : second;
}

static inline void conf_default_ms(int64_t *v, int64_t first, int64_t second)
{
	if (*v == CONF_UNSET)
		*v = first != CONF_UNSET ? first : second;
}

/* "weight N" (0: CONF_NO_WEIGHT, unless `max` is that of a watch) and "reverse" behind a name. */
bool conf_read_weight(struct conf_parse *p, const struct conf_node *n, int max, int32_t *weight,
		      int *reverse);

/* Append what a track_interface or track_script names. */
void conf_read_interfaces(struct conf_parse *p, const struct conf_node *n,
			  struct conf_track_interface **list, size_t *count);
void conf_read_scripts(struct conf_parse *p, const struct conf_node *n,
		       struct conf_track_script **list, size_t *count);

#define conf_warn(p, at, ...) diag_add((p)->diag, DIAG_WARNING, at, __VA_ARGS__)
#define conf_note(p, at, ...) diag_add((p)->diag, DIAG_NOTICE, at, __VA_ARGS__)

#endif
