/* SPDX-License-Identifier: MIT */
/*
 * The language as tables: which words stand in which block, and what is done with each. A word that
 * keepalived knows and this version does not act on stands in its block's `known`: it is said, not
 * mistaken for a slip of the pen.
 */
#ifndef VIPD_CONF_WORDS_H
#define VIPD_CONF_WORDS_H

#include "conf.h"
#include "conf_memory.h"
#include "conf_tree.h"

struct conf_parse {
	struct conf_memory *memory;
	struct conf *conf;
	struct diag *diag;
	struct conf_virtual **virtuals_end;
	size_t n_listen;		   /* of all groups; at most HA_SERVICES_MAX */
	struct ha_service_table *services; /* all keys so far: finds the doubles */
};

struct conf_keyword;

typedef void conf_fn(struct conf_parse *p, const struct conf_node *n, const struct conf_keyword *k,
		     void *target);

struct conf_keyword {
	const char *word;
	conf_fn *fn;
	size_t offset; /* of what it sets, in the target */
	double min, max;
	const struct conf_block *block; /* what may stand in its braces; NULL: it has none */
};

struct conf_block {
	const char *name;
	const struct conf_keyword *keyword; /* ends with a NULL word */
	const char *known; /* blank-separated; those that open a block end with { */
	bool quiet;	   /* `known` is not said word by word: the block as a whole was */
};

extern const struct conf_block conf_root;

enum conf_known {
	CONF_WORD_UNKNOWN,
	CONF_WORD_IGNORED, /* keepalived's, not acted on */
	CONF_WORD_USED,
};

/* What a word is in a block; *ret_keyword (may be NULL) is set for CONF_WORD_USED. */
enum conf_known conf_word_find(const struct conf_block *b, const char *word,
			       const struct conf_keyword **ret_keyword);

/* Does it open a block there? */
bool conf_word_opens(const struct conf_block *b, const char *word);

/* The name of another block that has the word, or NULL. */
const char *conf_word_elsewhere(const struct conf_block *not_here, const char *word);

/* Walks a block's statements. */
void conf_walk(struct conf_parse *p, const struct conf_node *first, const struct conf_block *b,
	       void *target);

/* Handlers that the tables share; conf_values.c. They set target + offset. */
conf_fn conf_set_flag;	   /* bool: present, or on/off, true/false, yes/no */
conf_fn conf_clear_flag;   /* bool = false */
conf_fn conf_set_tristate; /* int: as a flag, but knows "not said" */
conf_fn conf_set_int;	   /* int in min..max */
conf_fn conf_set_seconds;  /* int64_t ms, from seconds with fractions, min..max seconds */
conf_fn conf_set_string;   /* const char * */
conf_fn conf_set_name;	   /* const char *, an interface: at most 15 characters */
conf_fn conf_set_ip;	   /* struct ha_ip */
conf_fn conf_set_script;   /* struct conf_script */

/* Parts of values. They say what is wrong and return false. */
bool conf_number(struct conf_parse *p, const struct conf_word *w, double min, double max,
		 bool whole, double *ret);
bool conf_read_port(struct conf_parse *p, const struct conf_word *w, uint16_t *ret);
void conf_script_of(struct conf_parse *p, const struct conf_word *w, size_t n,
		    struct conf_script *ret);

/* The word after the keyword, or NULL, said, when there is none. */
const struct conf_word *conf_argument(struct conf_parse *p, const struct conf_node *n);

/* conf_vrrp.c, conf_service.c */
extern const struct conf_block conf_block_instance, conf_block_sync_group, conf_block_vrrp_script;
extern const struct conf_block conf_block_virtual, conf_block_virtual_group;
conf_fn conf_instance_new, conf_group_new, conf_vrrp_script_new;
conf_fn conf_virtual_new, conf_virtual_group_new;

/* What can only be judged when all is read: conf_check.c. */
void conf_check(struct conf_parse *p);

#define conf_warn(p, at, ...) diag_add((p)->diag, DIAG_WARNING, at, __VA_ARGS__)
#define conf_note(p, at, ...) diag_add((p)->diag, DIAG_NOTICE, at, __VA_ARGS__)

#endif
