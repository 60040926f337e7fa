/* SPDX-License-Identifier: MIT */
/*
 * What an evaluation sees: the messages of a transaction, the connection they came on, variables, and
 * what the host knows of its proxies. Filled by the host, borrowed during the call. One thread. Pure.
 */
#ifndef PROXYD_RULES_RUN_H
#define PROXYD_RULES_RUN_H

#include <time.h>

#include "engine/http/msg.h"
#include "rules/sample.h"

#define RUN_SCRATCH 32768 /* bytes: values of one evaluation */

/* What is asked of a frontend, a backend, or one of its servers. */
enum run_count {
	RUN_AVG_QUEUE,
	RUN_BE_CONN,
	RUN_BE_CONN_FREE,
	RUN_BE_SERVER_TIMEOUT, /* ms; 0: none */
	RUN_BE_SESS_RATE,
	RUN_BE_TUNNEL_TIMEOUT,
	RUN_CONNSLOTS,
	RUN_FE_CLIENT_TIMEOUT,
	RUN_FE_CONN,
	RUN_FE_REQ_RATE,
	RUN_FE_SESS_RATE,
	RUN_NBSRV,
	RUN_QUEUE,
	RUN_SRV_CONN,
	RUN_SRV_CONN_FREE,
	RUN_SRV_ID,
	RUN_SRV_IS_UP,
	RUN_SRV_IWEIGHT,
	RUN_SRV_QUEUE,
	RUN_SRV_SESS_RATE,
	RUN_SRV_UWEIGHT,
};

static inline bool run_asks_frontend(enum run_count what)
{
	return what == RUN_FE_CLIENT_TIMEOUT || what == RUN_FE_CONN || what == RUN_FE_REQ_RATE || what == RUN_FE_SESS_RATE;
}

/* What is asked of a socket. */
enum run_socket {
	RUN_RTT, /* µs; this and the next seven of Linux' TCP_INFO */
	RUN_RTT_VARIANCE,
	RUN_TCP_FACKETS, /* segments */
	RUN_TCP_LOST,
	RUN_TCP_REORDERING,
	RUN_TCP_RETRANS,
	RUN_TCP_SACKED,
	RUN_TCP_UNACKED,
	RUN_OWN_ADDRESS,
	RUN_PEER_ADDRESS,
};

/* One end of a connection; type SAMPLE_BOOL in `address`: not known, such as a unix socket. */
struct run_end {
	struct sample address;
	uint16_t port;
};

struct run_proxy {
	const char *name; /* NULL: none yet */
	unsigned id;
};

struct vars;
struct proc_vars;
struct verdict;
struct track;
struct tls;
struct expr_arg;
struct log_facts;
struct captures;
struct capture_slots;
struct format;

struct run {
	/* NULL: not there (yet). Rules change them. */
	struct http_msg *request, *response;
	/* Mode tcp: looks whether payload[0] begins with a request, once one is asked for; NULL: there is none. */
	void (*find_request)(struct run *r);
	void *finder;

	/* Why the client's connection failed before it asked for anything: HAProxy's number and words; 0: it did not. */
	unsigned client_error;
	const char *client_error_text;
	struct run_end source, destination; /* of the client's connection; as PROXY told */
	const struct run_end *met; /* the same two as tcp-request connection left them; NULL: as its socket says */
	struct run_proxy frontend, backend, server;
	const char *default_backend; /* the frontend's; NULL: none */
	const struct tls *client_tls, *server_tls; /* NULL: plain, or not there yet */
	/* A value of rules/tls_names.h; false: there is none. */
	bool (*tls_info)(const struct tls *t, int what, const struct expr_arg *arg, unsigned n_args,
			 struct scratch *scratch, struct sample *ret);
	bool was_asked;	    /* there is, or was, a request; its method: */
	enum http_method method;
	bool first_request; /* of its connection */
	bool is_h2;	    /* its client speaks HTTP/2 */
	struct text body;   /* what has come of the message's that rules look at, with its chunks; at NULL: not looked at */
	bool greeted;	    /* a PROXY header came; what else it told, at NULL: nothing: */
	struct text pp_authority, pp_unique_id;
	unsigned thread; /* from 0 on */
	/* mode tcp: what the client and the server have sent; at NULL: not looked at */
	struct text payload[2];
	bool ended;	 /* no more bytes will come: WAIT_END */
	bool is_logged;	 /* it is over: a line of a log is written */
	bool may_change; /* out: what was fetched is not the last word, unless ended */
	bool moved;	 /* out: source or destination were changed */
	const struct verdict *so_far; /* of the rules that run; NULL: none do */

	struct vars *vars;
	struct proc_vars *proc; /* NULL: there are none of the process */
	struct track *track; /* an array; NULL: nothing can be tracked */
	uint64_t now_ns;     /* CLOCK_MONOTONIC */

	struct timespec wall; /* CLOCK_REALTIME */
	uint64_t random_state;
	/* Adds to what is known of the connection or request; NULL: nothing. */
	void (*facts)(const void *facts_of, struct log_facts *f);
	const void *facts_of;
	struct captures *captures; /* NULL: nothing is captured */
	const struct capture_slots *slots;
	struct text request_line; /* at NULL: not kept */
	/* rules/unique_id.h: where it is kept, its owner's, and how it is made; NULL: there is none */
	char **unique_id;
	const struct format *id_format;
	/* False: there is no such proxy or server. */
	bool (*count)(const struct run *r, enum run_count what, struct text proxy, struct text server,
		      int64_t *ret);
	void *userdata;
	/* NULL: there are no sockets. False: it has no such thing. */
	bool (*ask_socket)(int fd, enum run_socket what, struct run_end *ret, int64_t *ret_us);
	int client_fd, server_fd; /* -1: none */
	/* A line of the converter debug; `to`: rule_shared.debug_to. NULL: it is not written. */
	void (*debug)(const void *to, struct text line);
	/* NULL: nothing is known of this host. Has it this address? */
	bool (*is_own)(const struct run_end *end);

	struct scratch scratch;
	struct scratch hints; /* out: fields of an answer 103, each with its end; at NULL: nobody is told */
};

#endif
