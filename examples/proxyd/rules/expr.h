/* SPDX-License-Identifier: MIT */
/*
 * Expressions of HAProxy: a sample fetch and the converters behind it, "req.hdr(host),lower". Parsed
 * once, evaluated often. Pure.
 */
#ifndef PROXYD_RULES_EXPR_H
#define PROXYD_RULES_EXPR_H

#include "rules/run.h"

#define EXPR_ARGS_MAX 6	  /* of one fetch or converter */
#define EXPR_CONVS_MAX 16 /* converters behind a fetch */
#define EXPR_TEXT_MAX 4096

/* Memory that lives as long as the rules. */
struct rule_memory {
	void *(*alloc)(void *owner, size_t size); /* zeroed; NULL: there is none */
	/* Calls `fn` with `object` when the memory goes; false: no memory, and it was called. */
	bool (*on_free)(void *owner, void (*fn)(void *object), void *object);
	void *owner;
	struct var_names *vars;
	struct rule_shared *shared; /* rules/map.h; NULL: there are no files, lists and tables */
	const char *proxy;	    /* whose rules they are */
	struct acls *acls;	    /* and their ACLs; NULL: there are none */
};

/* What is wrong with a rule, in words; an empty text: there was no memory. */
struct rule_error {
	char text[256];
};
__attribute__((format(printf, 2, 3))) bool rule_fail(struct rule_error *e, const char *format, ...);

struct acls;
struct regex;
/* A regular expression that lives as long as the rules; NULL with e->text. */
const struct regex *rule_regex(const struct rule_memory *m, const char *pattern, bool ignore_case,
			       struct rule_error *e);

/* Where an expression may stand, and what a fetch needs: bits. */
#define EXPR_REQUEST 1u	 /* HTTP request */
#define EXPR_RESPONSE 2u /* HTTP response */
#define EXPR_ASKED 4u	 /* HTTP request, or what is known of it when it is gone */
#define EXPR_MESSAGE 8u	 /* HTTP response where there is one, else the request */
#define EXPR_BACKEND 16u /* a backend that was chosen */
#define EXPR_SERVER 32u	 /* a connection to a server, or what it answered */
#define EXPR_SENT 64u	 /* bytes of a client */
#define EXPR_SAID 128u	 /* bytes of a server */
#define EXPR_BYTES 256u	 /* either */
#define EXPR_ANSWERED 512u /* HTTP response, or what is known of it when it is gone */
#define EXPR_CHOSEN 1024u /* a server that was chosen */
#define EXPR_CLIENT 2048u /* a client's connection, and where it came to */
#define EXPR_SHAKEN 4096u /* and its handshake */
#define EXPR_KEPT 8192u   /* what was kept of its request */

/* What is not there yet, or any more: in rules of requests, of answers, when a connection begins, in lines of a log. */
#define EXPR_NOT_BEFORE_ANSWER (EXPR_RESPONSE | EXPR_ANSWERED | EXPR_SAID | EXPR_SERVER | EXPR_CHOSEN)
#define EXPR_NOT_BEHIND_REQUEST (EXPR_REQUEST | EXPR_SENT)
#define EXPR_NOT_AT_ACCEPT \
	(EXPR_NOT_BEFORE_ANSWER | EXPR_NOT_BEHIND_REQUEST | EXPR_MESSAGE | EXPR_ASKED | EXPR_BYTES | EXPR_BACKEND | EXPR_KEPT)
#define EXPR_NOT_IN_LOG (EXPR_NOT_BEHIND_REQUEST | EXPR_RESPONSE | EXPR_SAID | EXPR_MESSAGE | EXPR_BYTES)

struct expr_arg {
	struct text text;
	int64_t number;
	const void *object; /* what the check made of it */
};

/* Steps through the values of a fetch that has several, such as each element of a header. */
struct fetch_step {
	bool each; /* in: an ACL asks for one value after the other, from the first */
	bool more; /* out: there may be another */
	uint32_t field, at;
};

struct fetch;
struct conv;

typedef bool fetch_fn(const struct fetch *f, const struct expr_arg *arg, unsigned n_args,
		      struct run *r, struct fetch_step *step, struct sample *ret);
typedef bool conv_fn(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
		     struct run *r, struct sample *s);
/* Prepares arguments: false with e->text. */
typedef bool arg_check_fn(struct expr_arg *arg, unsigned n_args, const struct rule_memory *m,
			  struct rule_error *e);

/*
 * `args` has a letter for each argument, capitals may be left out: s text, i number, x text or the name of
 * a number variable; '*' repeats the last.
 */
struct fetch {
	const char *name, *args;
	enum sample_type out;
	unsigned needs; /* EXPR_… */
	fetch_fn *fn;
	int data; /* for fn */
	arg_check_fn *check;
};

struct conv {
	const char *name, *args;
	enum sample_type in, out;
	conv_fn *fn;
	int data;
	arg_check_fn *check;
	bool keeps_type; /* the output has the input's type; `in` only says what can be cast */
};

struct expr {
	const struct fetch *fetch;
	struct expr_arg arg[EXPR_ARGS_MAX];
	unsigned n_args, n_convs;
	struct {
		const struct conv *conv;
		struct expr_arg *arg;
		unsigned n_args;
	} conv[EXPR_CONVS_MAX];
	enum sample_type out;
	unsigned needs;
};

/*
 * Reads an expression at the beginning of `text`; *ret_rest is what follows it: ' ' or the end in a word,
 * '\0' else. False with e->text.
 */
bool expr_parse(const char *text, const struct rule_memory *m, struct expr *ret,
		const char **ret_rest, struct rule_error *e);

/* Does what is needed exist where `absent` does not? False with e->text. */
bool expr_may_stand(unsigned needs, unsigned absent, struct rule_error *e);

/* False: there is no value. `step` may be NULL: one value, the last of several. */
bool expr_eval(const struct expr *x, struct run *r, struct fetch_step *step, struct sample *ret);

/* The same as text; false as well when the scratch is full. */
bool expr_eval_text(const struct expr *x, struct run *r, struct text *ret);

/* NULL: HAProxy's, but not here, or nobody's. */
const struct fetch *fetch_find(struct text name);

/* names.c: HAProxy has it, this build not. */
bool conv_is_known(struct text name);

/*
 * fetch/http.c: the value of the next parameter of that name, or of any for an empty one, in a list like "a=1&b=2";
 * ';' and `delimiter` end one, too.
 */
bool fetch_parameter(struct text list, char delimiter, struct text name, struct fetch_step *step, struct text *ret);

/* conv/text.c: what base64 (RFC 4648; for_url: section 5) stands for. False: another character, or no room. */
bool base64_bytes(struct text t, bool for_url, struct scratch *scratch, struct text *ret);

/* The tables, one for each topic; they end with a NULL name. */
extern const struct fetch fetches_acl[], fetches_http[], fetches_conn[], fetches_const[], fetches_payload[],
    fetches_tls[], fetches_body[], fetches_capture[], fetches_facts[], fetches_table[];
extern const struct conv convs_text[], convs_debug[], convs_number[], convs_hash[], convs_address[],
    convs_binary[], convs_capture[], convs_conn[], convs_digest[], convs_fix[], convs_forwarded[], convs_json[],
    convs_jwt[], convs_map[], convs_mqtt[], convs_protobuf[], convs_table[], convs_when[];

#endif
