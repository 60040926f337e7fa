/* SPDX-License-Identifier: MIT */
/* Inside the rules: one rule, and how the words of its action are read. Each action_*.c has a topic. */
#ifndef PROXYD_RULES_RULE_H
#define PROXYD_RULES_RULE_H

#include "rules/action/action.h"
#include "rules/regex.h"
#include "rules/table.h"
#include "rules/vars.h"

typedef void run_fn(const struct rule *rule, struct run *r, struct verdict *v);

struct rule {
	struct rule *next;
	struct cond *cond; /* NULL: always */
	run_fn *run;
	int data; /* for run */
	enum rules_kind kind;
	unsigned line;
	const char *file; /* NULL: not known */
	const char *name; /* of a header, a cookie's value … */
	const struct regex *regex;
	struct format format, value;
	struct map *map;
	const struct table_ref *table;
	struct expr expr;
	unsigned number; /* status, variable, slot … */
	unsigned conditions; /* of setting it */
	uint64_t ns, bytes; /* how long, how much */
	unsigned index;  /* of an array of a stick table */
	struct answer *answer;
	const struct bandwidth *bandwidth;
	struct bandwidth_change *change; /* of its limit */
	/* redirect */
	const char *cookie;
	bool drop_query, append_slash, clears_cookie, ignore_empty;
};

struct words {
	const struct acl_reader *r;
	const char *const *word;
	size_t n, i;
	struct rule_error *e;
	enum rules_kind kind;
};

/* Name of the variable that stands in the action's parentheses, at `text`: "txn.a[,…". NULL: none. Behind it; ')' or ','. */
const char *rule_read_var(struct words *w, struct rule *rule);
/* NULL: there is none. */
const char *rule_next_word(struct words *w);
bool rule_is_condition(const char *word);
/* Readers return false, or NULL, with w->e->text. */
const char *rule_need_word(struct words *w, const char *what);
/* The next word is `word`: it is taken. */
bool rule_take_word(struct words *w, const char *word);
const char *rule_keep_text(struct words *w, const char *text);
bool rule_read_format(struct words *w, const char *what, struct format *ret);
bool rule_read_expr(struct words *w, struct expr *ret);
bool rule_read_number(struct words *w, const char *what, unsigned min, unsigned max, unsigned *ret);
/* "500ms", "16k" */
bool rule_read_time(struct words *w, uint64_t *ret_ns);
bool rule_read_size(struct words *w, uint64_t *ret);

/* The name of a header field. */
bool is_token(const char *text);
/* No rule makes two fields of one. */
bool is_field_value(struct text t);
/* What cannot be done fails the request: HAProxy's strict-mode, its default. */
void fail_rule(struct verdict *v);

typedef bool read_fn(struct words *w, struct rule *rule);

/* ---- action/http.c ---- */

#define HEADER_ADD 2
#define HEADER_SET 4
#define HEADER_DEL 8
#define HEADER_MATCH 32	 /* of the name */
#define REPLACE_VALUE 16 /* each element, not the whole field */

enum {
	PART_METHOD,
	PART_PATH,
	PART_PATH_QUERY,
	PART_QUERY,
	PART_URI,
};

/* One of those becomes `new`. False: there is no room, or it would be none. */
bool change_target(struct run *r, int part, struct text new);

read_fn read_header, read_replace_header, read_start_line, read_replace_part, read_status;
run_fn run_header, run_replace_header, run_start_line, run_replace_part, run_status;

/* ---- action/answer.c ---- */

read_fn read_answer, read_auth, read_redirect;
run_fn run_verdict, run_redirect;

/* ---- action/bandwidth.c ---- */

read_fn read_bandwidth;
run_fn run_bandwidth;

/* ---- action/var.c ---- */

read_fn read_set_var, read_unset_var, read_log_level, read_priority;
run_fn run_set_var, run_unset_var, run_log_level, run_priority;

/* ---- action/capture.c ---- */

read_fn read_capture;
run_fn run_capture;

/* ---- action/map.c ---- */

enum {
	CHANGE_SET,
	CHANGE_ADD,
	CHANGE_DELETE,
};

read_fn read_change_map;
run_fn run_change_map;

/* ---- action/track.c ---- */

read_fn read_track, read_count, read_tag;
run_fn run_track, run_add, run_count, run_tag;

/* ---- action/wait.c ---- */

read_fn read_wait_body, read_action_timeout, read_pause;
run_fn run_wait_body, run_action_timeout, run_pause;

/* ---- action/name.c ---- */

read_fn read_resolve, read_hint;
run_fn run_resolve, run_hint;

/* ---- action/uri.c ---- */

read_fn read_normalize;
run_fn run_normalize;

/* ---- action/tcp.c ---- */

#define SET_DESTINATION 1 /* else the source */
#define SET_PORT 2	  /* else the address */

enum {
	PACKET_MARK,
	PACKET_TOS,
	PACKET_NICE,
};

read_fn read_expect_proxy, read_set_end, read_packet, read_switch;
run_fn run_expect_cip, run_expect_proxy, run_set_end, run_packet, run_switch;

#endif
