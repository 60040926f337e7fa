/* SPDX-License-Identifier: MIT */
/*
 * Maps and pattern files: keys, with values or without, by the name of a file. Each use of one (an ACL, a
 * converter) has a view with its own kind of match; all views see each change.
 *
 * Any thread may look up and change; a lock of each map orders them, held while one key is looked up. The
 * configuration owns maps: what was changed is gone with a reload, as in HAProxy.
 */
#ifndef PROXYD_RULES_MAP_H
#define PROXYD_RULES_MAP_H

#include "rules/pattern.h"
#include "rules/vars.h"

#define MAP_BYTES_MAX (64u << 20) /* of one map */
#define MAP_DRAFTS_MAX 8
#define MAP_USES_MAX 16384u /* bytes of text */

struct map;
struct table_ref;
struct map_view;

/* What rules of one configuration share. */
struct rule_shared {
	struct map *maps, *last_map, *given_maps; /* given_maps: with a number of "-u" */
	struct userlist *userlists;
	struct table_ref *tables;
	struct proc_vars proc;
	/* As acl_read_file_fn. */
	bool (*read_file)(void *userdata, const char *path,
			  bool (*add)(void *to, const char *line, struct rule_error *e), void *to,
			  struct rule_error *e);
	void *userdata;
	const char *file; /* and line, that are read now */
	unsigned line;
	bool rests; /* of a section that is disabled */
	/* Where the file of that name is, see rule_path(). NULL: no memory. */
	const char *(*place)(void *userdata, const char *name);
	/* A whole file, which the caller frees, with a NUL behind its bytes; NULL with e->text. */
	char *(*read_whole)(const char *path, size_t *ret_len, struct rule_error *e);
	/* Where the converter debug writes, run.debug takes it; NULL: there is none of that name, or no memory. May be NULL. */
	const void *(*debug_to)(void *userdata, const char *name);
	/* The IPv4 address of a host, while files are read. False: there is none. */
	bool (*find_host)(const char *name, struct sample *ret);
};

static inline const char *rule_path(const struct rule_shared *s, const char *name)
{
	const char *path = s && s->place ? s->place(s->userdata, name) : name;

	return path ? path : name;
}

/* The map of this name, made when there is none. NULL: no memory. Freed by maps_free. */
struct map *map_get(struct rule_shared *s, const char *name);
struct map *map_next(const struct map *m);		       /* in the order of their making */
void maps_free(struct rule_shared *s);

/*
 * map_inline.c: the patterns of an ACL's line, which has no file ("" by name). They count until `changed` is true, then its
 * view does. NULL with e->text.
 */
struct map_view *map_inline(struct rule_shared *s, const char *criterion, const struct patterns *written, _Atomic bool *changed,
			    struct rule_error *e);
struct map *map_of_view(const struct map_view *v);
bool map_is_inline(const struct map *m);
/* The control thread's: before a change. False with e->text: these cannot be changed. */
bool map_may_change(struct map *m, struct rule_error *e);
/* Of "-u"; false with e->text: another has it. Those without get the first ones that are free, once all are there. */
bool map_set_number(struct rule_shared *s, struct map *m, unsigned id, struct rule_error *e);
void maps_number(struct rule_shared *s);

const char *map_name(const struct map *m);
unsigned map_id(const struct map *m); /* 0, 1 … */
bool map_has_values(const struct map *m);
const char *map_uses(const struct map *m); /* "map at file 'FILE' line N, by map at …" */
size_t map_count(struct map *m);

/* Once more used by the line that is read; its file is read once. `values`: "key value", else each line is a key. False with e->text. */
bool map_load(struct map *m, struct rule_shared *s, bool values, struct rule_error *e);

/* A use of it. NULL with e->text: a key that is there is no pattern of this kind. */
struct map_view *map_view(struct map *m, enum match match, bool ignore_case, struct rule_error *e);
bool map_view_has(struct map_view *v, struct sample *s, struct scratch *scratch);
/*
 * The value of the key that fits best (the longest one, of beg and ip; else the first), into the scratch.
 * `groups` (NULL: none) gets those of a regular expression.
 */
bool map_view_value(struct map_view *v, struct sample *s, struct scratch *scratch,
		    struct text *groups, struct text *ret);

/* Its views: the first for NULL; NULL: there are no more. */
struct map_view *map_next_view(const struct map *m, const struct map_view *v);
void map_view_fills(struct map_view *v); /* it puts groups of the expression into values */
const char *map_view_type(const struct map_view *v); /* as match_name(); "regm" when it fills */
enum match map_view_match(const struct map_view *v, bool *ret_ignore_case);
/* The entry that fits a text, copied into the scratch; ret_value->at NULL: it has none. False: none fits. */
bool map_view_entry(struct map_view *v, const char *text, struct scratch *scratch, struct text *ret_key, struct text *ret_value);

/* ---- Changes while it runs: "add acl", "set map" … of rules and of the runtime API ---- */

/* `value` NULL: none. False with e->text: no such pattern, or no room. */
bool map_add(struct map *m, const char *key, const char *value, struct rule_error *e);
/* Every entry of this key. The number of them. */
size_t map_set(struct map *m, const char *key, const char *value);
size_t map_del(struct map *m, const char *key);
bool map_del_id(struct map *m, uint64_t id);
bool map_set_id(struct map *m, uint64_t id, const char *value);
void map_clear(struct map *m);
/* Calls `fn` for each entry, in order, under the lock: false ends it. `value` NULL: none. */
void map_each(struct map *m,
	      bool (*fn)(void *userdata, uint64_t id, const char *key, const char *value),
	      void *userdata);

/*
 * Versions: a change of many entries at once. One is prepared, filled beside the one in use, and takes its place when it is
 * committed. The control thread's alone.
 */
unsigned map_version(const struct map *m);	/* in use */
unsigned map_next_version(const struct map *m); /* the last that was prepared */
unsigned map_prepare(struct map *m);
/*
 * What can be added to, listed and cleared by the calls above: `m` itself, when it is the version in use. NULL: it is empty,
 * or, with `make`, there is no memory, or there are MAP_DRAFTS_MAX.
 */
struct map *map_draft(struct map *m, unsigned version, bool make);
/* Older ones go. False: it is none that was prepared and is not in use yet, or a view cannot be made of it; e->text is "" without memory. */
bool map_commit(struct map *m, unsigned version, struct rule_error *e);

#endif
