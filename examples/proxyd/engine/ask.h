/* SPDX-License-Identifier: MIT */
/*
 * Requests that the control thread answers: the statistics page, metrics. The worker reads the request and its
 * body, hands a copy over, and sends what comes back; meanwhile the client may go, and the answer is dropped.
 */
#ifndef PROXYD_ENGINE_ASK_H
#define PROXYD_ENGINE_ASK_H

#include "engine/http/http.h"

#define ASK_BODY_MAX 16384u /* bytes of a form */
#define ASKS_MAX 64u	    /* at once; more: 503 */

enum ask_kind {
	ASK_STATS,
	ASK_METRICS,
};

struct ask {
	enum ask_kind kind;
	struct worker *worker;
	struct exchange *exchange; /* the worker's; NULL: gone */
	struct set *set;	   /* lives as long as this does */
	/* the request */
	const struct cfg_stats *stats; /* of the set; NULL: metrics */
	const char *proxy;	       /* whose page it is */
	char *target;
	bool handed; /* to the control thread */
	bool is_post, admin;
	bool foreign; /* a page of another site sent the form */
	char *body;   /* ends with a NUL */
	size_t body_len;
	/* the answer: allocated by who answers, freed here */
	unsigned status;
	char *fields; /* lines of the head, each with its end; NULL: none */
	char *text;
	size_t text_len;
	struct command way_back;
};

/*
 * Begins it: the exchange is the control thread's from here on, or is over. What came of its body is
 * http_worker.early. `stats` NULL: metrics.
 */
void exchange_ask(struct worker *w, struct exchange *x, const struct http_msg *m, const struct cfg_stats *stats,
		  const char *proxy, bool admin);

/* More of the body. False: nothing to do now. */
bool exchange_ask_upload(struct worker *w, struct exchange *x);

/* The exchange ends before its answer. */
void exchange_ask_end(struct worker *w, struct exchange *x);

/* An answer without a body to speak of, such as 401, with one more line of the head; NULL: none. */
void exchange_answer(struct worker *w, struct exchange *x, unsigned status, const char *fields, const char *text,
		     size_t len);

/* ---- http/stats.c ---- */

struct run;

/* True: the request was for the statistics page of this proxy, and is being answered, or was. */
bool http_stats(struct worker *w, struct exchange *x, const struct http_msg *m, const struct cfg_stats *s,
		const char *proxy, struct run *r);

#endif
