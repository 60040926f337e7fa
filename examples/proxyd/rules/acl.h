/* SPDX-License-Identifier: MIT */
/*
 * ACLs and conditions: "acl is_api path_beg /api/", "if is_api !{ src 10.0.0.0/8 } or METH_POST". Parsed
 * once, evaluated often. Pure, but for pattern files, which the host reads.
 */
#ifndef PROXYD_RULES_ACL_H
#define PROXYD_RULES_ACL_H

#include "rules/map.h"

#define ACL_NAME_MAX 127
#define COND_TERMS_MAX 256
#define ACL_FILES_MAX 16 /* of one ACL line */

/* One line: an expression and its patterns. */
struct acl_test {
	struct acl_test *next;
	struct expr expr;
	struct patterns patterns;
	struct map_view *list; /* of `patterns`, once `changed` says that they were; NULL: they never are */
	_Atomic bool changed;
	struct map_view *view[ACL_FILES_MAX]; /* of files */
	unsigned n_views;
	bool is_map; /* -M: the files have values, too */
};

/* Lines of one name: true when one of them is. */
struct acl {
	struct acl *next;
	const char *name; /* "": anonymous */
	struct acl_test *tests, **tail;
	const struct acl_test *seen; /* while lines are read: see leads_to() */
};

struct acls {
	struct acl *first;
};

struct cond {
	bool unless;
	unsigned n;
	struct cond_term {
		const struct acl *acl;
		bool negated, begins; /* begins: another alternative ("or") */
	} * term;
	unsigned needs; /* EXPR_… of all terms */
};

/*
 * How a pattern file is read: calls `add` for each line that is neither empty nor a comment. False with
 * e->text. NULL: there are no files.
 */
typedef bool acl_read_file_fn(void *userdata, const char *path,
			      bool (*add)(void *to, const char *line, struct rule_error *e),
			      void *to, struct rule_error *e);

struct bandwidth;
struct acl_reader {
	const struct rule_memory *memory;
	struct acls *acls;
	const char *file; /* that is read; lives as long as the rules; NULL: not known */
	struct capture_slots *slots; /* NULL: not of a frontend */
	bool is_frontend; /* and of no backend */
	struct bandwidth **bandwidths; /* filters of the section; NULL: it has none */
	acl_read_file_fn *read_file;
	void *userdata;
};

/*
 * "NAME CRITERION [FLAGS] [OPERATOR] PATTERN …": `word` are those behind "acl". False with e->text;
 * *ret_word is the one that is wrong. True with e->text: a warning.
 */
bool acl_parse(const struct acl_reader *r, const char *const *word, size_t n, size_t *ret_word,
	       struct rule_error *e);

/* "if …" or "unless …". */
bool cond_parse(const struct acl_reader *r, const char *const *word, size_t n, struct cond *ret,
		size_t *ret_word, struct rule_error *e);

/* Bits, so that & and | join them. */
enum cond_result {
	COND_FALSE = 0,
	COND_OPEN = 1, /* more bytes may tell; never when r->ended */
	COND_TRUE = 3,
};
enum cond_result cond_test(const struct cond *c, struct run *r);

/* What is open is false. */
bool cond_eval(const struct cond *c, struct run *r);

#endif
