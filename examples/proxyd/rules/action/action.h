/* SPDX-License-Identifier: MIT */
/*
 * Rules: "http-request set-header X-Real-IP %[src] if is_proxy". A rule set is run from its beginning until
 * a rule decides what becomes of the request or response. Pure: messages are changed in place, what else
 * must happen is the verdict.
 */
#ifndef PROXYD_RULES_ACTION_H
#define PROXYD_RULES_ACTION_H

#include "rules/acl.h"
#include "rules/bandwidth.h"
#include "rules/format.h"

#define RETURN_HEADERS_MAX 16
#define RETURN_CONTENT_MAX 65536 /* bytes */

enum verdict_kind {
	VERDICT_GO_ON,
	VERDICT_ALLOW,	     /* no more rules of this set */
	VERDICT_DENY,	     /* answer with `status` */
	VERDICT_TARPIT,	     /* the same, after timeout tarpit */
	VERDICT_REJECT,	     /* close without an answer */
	VERDICT_CLOSE,	     /* the same, and nobody is said to have wanted it */
	VERDICT_SILENT_DROP, /* close without telling the client */
	VERDICT_REDIRECT,    /* answer with `status` and `location` */
	VERDICT_RETURN,	     /* answer with `answer` */
	VERDICT_METRICS,     /* answer with metrics for Prometheus */
	VERDICT_WAIT_BODY,   /* of the message: run what is behind this rule when `wait_bytes` of it have come */
	VERDICT_PAUSE,	     /* of HTTP: run what is behind this rule after `wait_ns` */
	VERDICT_RESOLVE,     /* the same, when there is an address for `name` in `variable`, or none */
	VERDICT_WAIT,	     /* more bytes may decide: run them again then */
	VERDICT_ERROR,	     /* a rule could not be carried out: 500 */
};

enum answer_kind {
	ANSWER_COMPOSED,
	ANSWER_STANDARD, /* the section's own answer of `status` */
	ANSWER_PAGE,	 /* `page`, as it is */
};

/* Of "return", of "deny" with more than a status, and of "http-error". */
struct answer {
	enum answer_kind kind;
	unsigned status;
	bool asks_name; /* who it is: "auth" */
	struct text page;
	const char *pages; /* the section http-errors where `page` is to be found */
	const char *content_type; /* NULL: no content */
	struct format content;
	unsigned n_headers;
	struct {
		const char *name;
		struct format value;
	} header[RETURN_HEADERS_MAX];
};

struct verdict {
	enum verdict_kind kind;
	unsigned status;
	struct text location; /* in the scratch */
	struct text cookie;   /* of a redirect: the value of Set-Cookie; empty: none */
	bool drop_query, close;
	bool has_class, has_offset;
	int16_t priority_class;	 /* in the queue: -2047 .. 2047, lower goes first */
	int32_t priority_offset; /* ms, as if it had come so much later: -524287 .. 524287 */
	uint64_t wait_ns;  /* VERDICT_WAIT_BODY: at most so long */
	uint64_t wait_bytes; /* and so much of it; 0: all */
	struct text name;	   /* VERDICT_RESOLVE: in the scratch */
	const char *resolvers;	   /* the section that is asked */
	unsigned variable;
	bool prefers_ipv4;
	uint64_t server_ns, tunnel_ns; /* set-timeout; 0: as configured */
	struct bandwidth_order bandwidth[2]; /* from the client, from the server; entries are the host's to release */
	bool no_retry;	   /* retry-on does not hold */
	bool expect_proxy; /* a PROXY header comes first */
	bool expect_cip;   /* NetScaler's does */
	bool to_http;	   /* VERDICT_ALLOW: what the client says is HTTP */
	bool has_mark, has_tos;
	uint8_t tos;		     /* of packets to the client */
	uint32_t mark;		     /* the same, SO_MARK */
	const struct answer *answer; /* NULL: the standard one of `status` */
	int log_level;		     /* -1: as configured; 8: silent */
	const struct rule *rule;     /* which decided */
};

struct rule;
struct rules {
	struct rule *first, **tail;
	unsigned needs;
};

enum rules_kind {
	RULES_REQUEST,	      /* http-request */
	RULES_RESPONSE,	      /* http-response */
	RULES_AFTER_RESPONSE, /* http-after-response */
	RULES_CONNECTION,     /* tcp-request connection: before anything is read */
	RULES_SESSION,	      /* tcp-request session: behind the PROXY header */
	RULES_CONTENT,	      /* tcp-request content */
	RULES_TCP_RESPONSE,   /* tcp-response content */
	RULES_N_KINDS,
};

void rules_init(struct rules *rules);

/*
 * `word`: the action and what belongs to it, "set-header X-A %[src] if a". `line` is what it is called in
 * a log. False with e->text; *ret_word is the one that is wrong.
 */
bool rules_add(struct rules *rules, enum rules_kind kind, const struct acl_reader *r,
	       const char *const *word, size_t n, unsigned line, size_t *ret_word,
	       struct rule_error *e);

/*
 * The words of "http-error", "status 503 content-type text/plain lf-string …": an answer of `owner`. True with e->text:
 * a warning. False with e->text; *ret_word is the one that is wrong.
 */
bool rules_read_error(const struct acl_reader *r, const char *const *word, size_t n, struct answer **ret, size_t *ret_word,
		      struct rule_error *e);

/* Rules of a defaults section, for a section that begins: copies. False: no memory. */
bool rules_copy(struct rules *to, const struct rules *from, const struct rule_memory *m);

/* The legacy line "redirect scheme https if …" is an http-request rule. */
void rules_run(const struct rules *rules, struct run *r, struct verdict *ret);
/* Those behind `last` only. */
void rules_run_on(const struct rule *last, struct run *r, struct verdict *ret);

/* Is there a switch-mode? */
bool rules_may_switch(const struct rules *rules);

/* Is there one that redirects or returns, or without a condition refuses? */
bool rules_may_answer(const struct rules *rules);

/*
 * The answers of "errorfiles NAME". A page without bytes: there is none; return sends an empty answer then, deny
 * the standard one.
 */
typedef struct text find_page_fn(void *userdata, const char *section, unsigned status, unsigned line);
void rules_find_pages(const struct rules *rules, find_page_fn *find, void *userdata);

/* The sections that do-resolve names. */
typedef void check_resolvers_fn(void *userdata, const char *section, const char *file, unsigned line);
void rules_check_resolvers(const struct rules *rules, check_resolvers_fn *check, void *userdata);

/* "500ms", "10s"; without a unit ms. At most 24 days, as HAProxy. */
bool time_from_text(const char *text, uint64_t *ret_ns);

/* A name of the next action from `index` 0 on; NULL past the end. */
const char *rules_action_name(enum rules_kind kind, unsigned index);

/* The line of a rule, for logs, and the file it is in; NULL: not known. */
unsigned rule_line(const struct rule *rule);
const char *rule_file(const struct rule *rule);

#endif
