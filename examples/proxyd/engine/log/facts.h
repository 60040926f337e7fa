/* SPDX-License-Identifier: MIT */
/* What log lines, and the variables of formats, tell of sessions and exchanges. */
#ifndef PROXYD_ENGINE_LOG_FACTS_H
#define PROXYD_ENGINE_LOG_FACTS_H

#include "rules/log_facts.h"
#include "engine/worker.h"

/* An exchange, and what the log needs beside it: its client may be gone. */
struct exchange_view {
	struct worker *w;
	const struct exchange *x;
	const struct frontend *frontend;
	struct rule_store *store;
	const struct tls *tls;
	uint64_t idle_ns; /* since when the connection had no request */
	uint64_t bytes;	  /* given to the client */
	bool early;	  /* option logasap: it goes on */
};

struct session_view {
	struct worker *w;
	const struct session *s;
	bool early; /* option logasap: it goes on */
};

/* rules/run.h: facts; of a struct session_view, exchange_view, connection_ends */
void session_facts(const void *view, struct log_facts *f);
void connection_facts(const void *ends, struct log_facts *f);
/* Prepares a run that knows all of it; fd -1: but not where the client connected to. */
void exchange_run_facts(struct exchange_view *v, const struct endpoint *from,
			const struct endpoint *to, int fd, struct run *r, struct scratch scratch);

/*
 * A connection failed before it asked for anything: a line as error-log-format says, else `why` in HAProxy's form.
 * `heard`: the client had said something. `code` and `words` are what fc_err and fc_err_str give.
 */
void log_failed_connection(struct worker *w, const struct connection_ends *ends, bool heard, unsigned code,
			   const char *words, const char *why);

/* One line per request. */
void http_log(const struct exchange_view *v, const struct endpoint *from, const struct endpoint *to,
	      int fd);

#endif
