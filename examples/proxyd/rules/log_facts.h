/* SPDX-License-Identifier: MIT */
/*
 * What a log line tells of a connection or request: filled in by the host, written by a format's variables
 * ("%ci"). Text without a place is not known and written as "-". Times are milliseconds; -1: never came so
 * far. Pure.
 */
#ifndef PROXYD_RULES_LOG_FACTS_H
#define PROXYD_RULES_LOG_FACTS_H

#include "rules/capture.h"
#include "rules/run.h"

struct log_facts {
	bool is_check; /* nobody is in front of it */
	struct run_end client, frontend, server;
	/* our end of the connection to the server; NULL: there is none */
	void (*own_end)(int fd, struct run_end *ret);
	int backend_fd;
	struct text frontend_name, backend_name, server_name;
	bool tls;
	struct timespec accepted, began; /* CLOCK_REALTIME; began: the first byte of the request */
	int64_t handshake, idle, request, queue, connect, response, data, active, total, user;
	bool logasap; /* times and bytes may go on */
	int status;
	uint64_t bytes, uploaded;
	struct text cookie, set_cookie;
	char state[4]; /* who ended it, when, and the two letters of cookies */
	unsigned actconn, feconn, beconn, srvconn, retries, server_queue, backend_queue;
	bool redispatched;
	uint32_t count;	  /* number of the request in the process */
	uint32_t n_lines; /* that the frontend has logged */
	struct text line; /* the request's, whole */
	const struct captures *captures;
	unsigned n_captures[2];
	char *const *unique_id; /* as in struct run: expressions of a format may make it */
	struct text tls_version, tls_cipher;
	bool asks_rare; /* in: what only expressions ask is wanted, too: */
	struct text listener_name, rule_file, compression, answer_version; /* at NULL: none */
	unsigned listener_id, rule_line;				    /* id 0: not known */
	int64_t listener_open;						    /* connections; -1: not known */
	int64_t client_timeout, server_timeout, tunnel_timeout;		    /* ms; -1: none */
	int priority_class, priority_offset;
	struct text failure; /* why it became neither session nor request */
	bool stopping;
	bool forwarded, own; /* a server has it; the process answers it: statistics, metrics */
};

/* What is known of `r`, from its host or itself; `rare`: all of it. */
void run_facts(struct run *r, bool rare, struct log_facts *ret);

/* Of the request line: 'M'ethod, 'U'RI, 'P'ath, 'O'nly its path, 'Q'uery with its mark, 'V'ersion, else all of it. Without one "<BADREQ>". */
struct text log_request_part(const struct log_facts *f, int part);
/* Empty: there is none. */
struct text log_unique_id(const struct log_facts *f);
struct text log_captured(const struct log_facts *f, unsigned side, unsigned slot);

/* The variables: in the order of their names. False: that is none of them. */
bool log_var_find(struct text name, int *ret);

#define LOG_QUOTE 1u  /* +Q */
#define LOG_HEX 2u    /* +X */
#define LOG_ESCAPE 4u /* +E: RFC 5424, section 6.3.3 */
#define LOG_OPTIONAL 8u /* no log line: what is empty is nothing */

struct log_writer {
	char *at;
	size_t len, cap;
	bool full;
};

void log_put(struct log_writer *w, const char *at, size_t len);
/* Text with the quotes and escapes that `flags` want; empty is "-", or nothing in quotes. */
void log_put_text(struct log_writer *w, struct text t, unsigned flags, bool is_message);
/* False: nothing was written, and a space next to it goes. */
bool log_put_var(struct log_writer *w, int var, unsigned flags, const struct log_facts *f);

#endif
