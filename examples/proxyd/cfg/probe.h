/* SPDX-License-Identifier: MIT */
/* How the servers of a section are checked: what its check lines say. */
#ifndef PROXYD_CFG_PROBE_H
#define PROXYD_CFG_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CFG_EXPECTS_MAX 16 /* of one connection of http-check */
#define CFG_STEPS_MAX 64
#define CFG_STEP_BYTES_MAX 4096
#define CFG_HTTPCHK_HEADERS_MAX 24
#define CFG_HTTPCHK_ROUNDS_MAX 16 /* connections of a check */

struct expr;   /* rules/expr.h */
struct format; /* rules/format.h */
struct regex;  /* rules/regex.h */
struct rule;   /* rules/rule.h */
struct cfg_addr;
struct cfg_proxy;

/* What http-check connect and tcp-check connect say. */
struct cfg_check_connect {
	bool given, usual; /* usual: "default": as the server's line says */
	bool tls, send_proxy, via_socks;
	const char *sni, *alpn; /* NULL: none */
	const struct cfg_addr *addr; /* NULL: the check's */
};

/* A text that is looked for: the first of these that is not NULL. */
struct cfg_pattern {
	const struct regex *regex;
	const struct format *format; /* what is written by it; */
	bool is_hex;		     /* digits of bytes */
	const char *data;
	size_t len;
};

static inline bool cfg_pattern_given(const struct cfg_pattern *p)
{
	return p->regex || p->format || p->data;
}

/* How a field's name or value is compared. */
enum cfg_match {
	CFG_MATCH_WHOLE,
	CFG_MATCH_BEGIN,
	CFG_MATCH_END,
	CFG_MATCH_WITHIN,
	CFG_MATCH_REGEX,
};

/* "expect" of either script: what has to be, and what is told of it. */
struct cfg_status_range {
	uint16_t first, last;
};

struct cfg_expect {
	enum cfg_expect_what {
		CFG_EXPECT_BYTES, /* in what came, or in the body */
		CFG_EXPECT_STATUS,
		CFG_EXPECT_RSTATUS, /* the pattern matches its digits */
		CFG_EXPECT_FIELD,
	} what;
	bool not ; /* it must not be there */
	bool is_binary;
	struct cfg_pattern pattern; /* of FIELD: its value, when that counts; else not given */
	struct cfg_pattern name;    /* FIELD */
	enum cfg_match match, name_match;
	bool whole_value; /* fhdr: commas do not part it */
	const struct cfg_status_range *status; /* apart from each other */
	unsigned n_status;

	int min_bytes;		       /* judged for good with so many; -1: when it is found, or at the end */
	unsigned ok, error, timed_out; /* libhealth's enum health_code; 0: the usual one */
	const struct format *on_success, *on_error; /* NULL: the usual words */
	const struct expr *status_code;		    /* NULL: as it is */
	const char *comment;			    /* NULL: none */
	const char *text;			    /* the line */
};

/* Does it say anything but what is expected? */
static inline bool cfg_expect_tells(const struct cfg_expect *x)
{
	return x->ok || x->error || x->timed_out || x->on_success || x->on_error || x->status_code;
}

/* "port NUMBER|EXPRESSION" of a connect: nothing of it, or no port that it finds, is the check's own. */
struct cfg_check_port {
	unsigned number; /* 0: none */
	const struct expr *expr; /* NULL: none */
};

/* option httpchk and http-check, over one connection. */
struct cfg_httpchk {
	const struct cfg_httpchk *before; /* what is asked over the connection before; NULL: nothing */
	const char *method, *uri, *body;  /* NULL: OPTIONS, "/", none */
	const struct format *uri_format, *body_format; /* NULL: as it is written */
	struct cfg_httpchk_header {
		const char *name, *text; /* text: the value as it is written */
		const struct format *value;
	} header[CFG_HTTPCHK_HEADERS_MAX];
	unsigned n_headers;
	const struct rule *set, *set_after; /* set-var and its like before it and behind it; NULL: none */
	bool sends;			    /* there is such a line */
	bool version_1_1, drain_404, send_state;
	const struct cfg_expect *expect[CFG_EXPECTS_MAX]; /* each has to hold */
	unsigned n_expects;				   /* 0: a status of 200-399 */
	struct cfg_check_connect connect;
	struct cfg_check_port port; /* of http-check connect */
};

enum cfg_check_kind {
	CFG_CHECK_CONNECT, /* a connection is enough */
	CFG_CHECK_EXTERNAL,
	CFG_CHECK_HTTP, /* struct cfg_httpchk */
	CFG_CHECK_LDAP,
	CFG_CHECK_MYSQL,
	CFG_CHECK_PGSQL,
	CFG_CHECK_REDIS,
	CFG_CHECK_SCRIPT, /* tcp-check */
	CFG_CHECK_SMTP,
	CFG_CHECK_SSL_HELLO,
};

/* A line of tcp-check. */
struct cfg_step {
	enum cfg_step_action { CFG_STEP_CONNECT, CFG_STEP_SEND, CFG_STEP_EXPECT, CFG_STEP_SET } action;
	unsigned number; /* among the lines, from 1: logs mean it by that */
	const char *data; /* SEND */
	size_t len;
	const struct format *format; /* what is written by it in place of `data`; NULL: nothing */
	bool is_hex;		     /* the digits of the bytes */
	const struct cfg_expect *expect;
	const struct rule *set;	     /* set-var and its like */
	const struct cfg_check_connect *connect;
	struct cfg_check_port port; /* connect */
};

struct cfg_check {
	enum cfg_check_kind kind;
	bool is_live; /* what is sent, or judged, is found out in each run, or there are several connections of HTTP */
	bool is_tcp_check; /* option tcp-check, with steps or without: then it is a CONNECT */
	struct cfg_check_connect connect; /* the first connection */
	bool mixed;			  /* another one speaks TLS or PROXY in another way */
	bool roams;			  /* another one goes to another address */
	const char *user; /* mysql, pgsql; NULL: none */
	const char *helo; /* smtp */
	bool ehlo;
	const struct cfg_proxy *httpchk_of; /* whose the lines of http-check are: see steps_of */
	const char *command, *path; /* external-check; path NULL: /usr/bin:/bin */
	const struct cfg_step *step;
	unsigned n_steps;
	unsigned n_lines;    /* those of comments, too */
	const char *comment; /* for the next step; NULL: none */
	const struct cfg_proxy
	    *steps_of;	  /* whose they are: a section's own stand for its defaults' */
	const char *text; /* says all of it: equal text is the same check */
};

struct cfg_settings;
/* The port that the steps of the check begin with; zero: they name none. */
struct cfg_check_port cfg_first_port(const struct cfg_settings *set);

/* The first step that is about a connection; NULL: there is none. */
static inline const struct cfg_step *cfg_first_step(const struct cfg_check *c)
{
	unsigned i = 0;

	while (i < c->n_steps && c->step[i].action == CFG_STEP_SET)
		i++;
	return i < c->n_steps ? &c->step[i] : NULL;
}

#endif
