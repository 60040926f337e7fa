/* SPDX-License-Identifier: MIT */
/* What rules remember of a client's connection; it is there when there are rules. */
#ifndef PROXYD_ENGINE_RULE_STORE_H
#define PROXYD_ENGINE_RULE_STORE_H

#include "rules/capture.h"
#include "rules/track.h"
#include "rules/vars.h"

#define STICKS_MAX 8 /* entries that one request is remembered in */

struct backend;
struct name_ask;
struct server;

struct rule_store {
	struct vars vars;
	struct captures *captures; /* of a transaction; NULL: nothing is captured */
	char *unique_id;	   /* of a transaction, our own; NULL: none yet */
	bool greeted;				/* a PROXY header came */
	bool expects_cip;			/* the header that comes is NetScaler's, with this number */
	bool proxy_follows;			/* behind it a PROXY header */
	uint32_t cip_magic;
	struct text pp_authority, pp_unique_id; /* our own; at NULL: it did not tell */
	struct run_end *met; /* rules/run.h; our own */
	struct track track[TRACK_MAX];
	/* What stick lines will remember the server in, when there is one. */
	struct stick_hold {
		struct table *table;
		struct table_entry *entry;
		uint64_t made_ns; /* when, for this; 0: it was there */
	} stick[STICKS_MAX];
	unsigned n_sticks;
	const struct rule *last_rule; /* that decided in this transaction; NULL: none did */
	int8_t log_level; /* of set-log-level, plus 1; 0: as configured */
	/* mode tcp */
	struct name_ask *name_ask;   /* do-resolve waits; NULL: for nothing */
	const struct rule *resolved; /* do-resolve that is done: the rules go on behind it; NULL: from their beginning */
	bool to_http;		     /* switch-mode: its first request has passed the frontend's rules of TCP */
	bool switched;		     /* the backend is chosen */
	struct backend *chosen;	     /* for its first request, by the rules of mode tcp; NULL: none, or it is over */
	struct server *wanted; /* by use-server; NULL: any */
	bool forces;	       /* force-persist: that one even when it is down */
	uint64_t served_ns; /* when a server was first looked for: what was waited for before counts as the queue's; 0: not yet */
	uint64_t inspected_ns
	    [3]; /* since when: frontend's rules, backend's, the server's answer; 0: not yet */
};

/* The store of a stream of HTTP/2, whose connection has `session`: what is of the connection is there. NULL: no memory. */
struct rule_store *rule_store_of_stream(struct rule_store *session);

/* What belongs to a transaction goes. */
void rule_store_end(struct rule_store *store);
/* NULL: no memory, or nothing is captured. */
struct captures *rule_store_captures(struct rule_store *store, const struct capture_slots *slots);

/* The server is found: sticks remember it by this number; 0: they do not. */
void rule_store_stick(struct rule_store *store, unsigned server, uint64_t now_ns);

/* NULL: no memory. */
struct rule_store *rule_store_get(struct rule_store **store);
/* Keeps a copy of what came; `at` NULL: nothing did. False: no memory. */
bool rule_store_text(struct text *to, const char *at, size_t len);
void rule_store_free(struct rule_store *store);

#endif
