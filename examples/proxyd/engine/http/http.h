/* SPDX-License-Identifier: MIT */
/*
 * mode http, the workers' side. A `client` is a client's connection, a `link` one to a server, and an `exchange` a request
 * with its answer, from its head to its log line. In the order a request meets the files:
 *
 *	client.c	reads requests from the client's connection, and gives answers to it
 *	exchange.c	begins and ends an exchange, and edits the request's head (edit.c)
 *	rules.c		runs the rules on request and answer, and chooses the backend
 *	wait.c		keeps a message while its rules wait for its body, or for a time
 *	send.c		finds a server and sends the head, again if that may be
 *	link.c		opens connections to servers, and uses those that are idle (idle.c)
 *	upload.c	passes the request's body on
 *	answer.c	takes the answer's head, and passes its body on
 *	reply.c		writes answers of our own (with compose.c, for those of rules)
 *	tunnel.c	makes a session of an answered CONNECT, or of 101
 *	upgrade.c	the other way: makes a client of a session that goes to a backend of mode http
 *	h2.h		HTTP/2: a connection of many clients
 *
 *	client ──┬── exchange ── link ── server
 *	         │      while a request is answered
 *	         └── idle: no exchange, no buffer     link idle: on its server's list, of this worker
 *
 * A head is parsed where it was received, in the worker's one buffer. What must wait (for the rest of it, for room in a
 * socket, for a server) is copied to a chunk of its client or exchange. So a connection without a request holds no buffer.
 */
#ifndef PROXYD_ENGINE_HTTP_HTTP_H
#define PROXYD_ENGINE_HTTP_HTTP_H

#include <stdlib.h>

#include "h1.h"
#include "edit.h"
#include "engine/pace.h"
#include "rules/vars.h"
#include "engine/worker.h"

#define HTTP_ROOM 16384u /* in front of what is received: text that is added */
#define HTTP_RECEIVE 16384u
#define HTTP_BUFFER (HTTP_ROOM + HTTP_HEAD_MAX + HTTP_RECEIVE)
#define HTTP_INTERIM_MAX 10000		       /* 1xx answers to one request; HAProxy passes on any number */
#define HTTP_LINGER_NS UINT64_C(2000000000)    /* for a client that still sends when all is said */
#define HTTP_LINGER_BYTES 1048576u
#define HTTP_CLOSES 6u /* sockets of clients that are closed together */

/* ---- A connection to a server ---- */

struct link {
	struct handle h;
	struct server *server;
	struct exchange *exchange; /* NULL: idle */
	struct client *owner;	   /* idle, and for this client only */
	bool readable, writable, hup;
	bool broken;	/* cannot be written to any more */
	bool connected; /* HTTP may be sent */
	uint8_t socks;	/* of server_socks() */
	unsigned used;	/* requests it has answered */
	char *sni;	/* the name that its handshake asked for, when an expression says which; NULL: none */
	struct endpoint target; /* where its first client went to, when server_follows_client(); else no family */
	TAILQ_ENTRY(link) of_server, of_worker; /* while idle; dead */
};

/* ---- A client's connection ---- */

enum client_list {
	CLIENT_ON_NONE,
	CLIENT_ON_AGAIN, /* as SESSION_ON_AGAIN and its like */
	CLIENT_ON_BULK,
	CLIENT_ON_DEAD,
};

struct client {
	struct handle h;
	bool watched; /* in epoll: only once something must be waited for */
	bool readable, writable, hup, eof;
	bool greeting; /* accept-proxy: its header has not come yet */
	bool unparsed : 1;  /* bytes came to `in` that no parser has seen */
	bool closing : 1;   /* it is closed when `out` is sent */
	bool gone : 1;	    /* the client left before it had all of its answer */
	bool linger : 1;    /* the client may still be sending: read and drop that before the close */
	bool lingering : 1; /* that goes on */
	bool not_first : 1; /* a request was answered here */
	bool binds_h2 : 1;  /* `proto h2` */
	bool speaks_h2 : 1; /* its requests are those of streams: it has `h2` */
	uint8_t on;	 /* enum client_list */
	uint8_t seen;	 /* worker's window of its last event */
	uint16_t bind;	 /* number of its line */
	uint32_t lingered; /* bytes that were dropped */
	struct timer timer;
	struct frontend *frontend;
	struct tally *listener;	   /* of its gate; NULL: without option socket-stats */
	struct exchange *exchange; /* NULL: between requests */
	struct chunk *in;  /* received, not taken yet: part of a head, or the next request */
	struct chunk *out; /* waits for room in its socket */
	union {
		struct link *own; /* http-reuse never: its connection to a server */
		struct h2 *h2;
	};
	LIST_ENTRY(client) entry;
	TAILQ_ENTRY(client) link; /* of the list it is on */
	uint64_t accepted_ns;
	uint64_t since_ns; /* waits for a request; its first byte came; bytes last moved */
	uint64_t idle_ns;  /* since when it has no request */
	struct endpoint from, to;
	struct rule_store *store; /* of its rules; NULL: none yet */
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct client) <= 200, "what an idle connection takes: malloc gives 208 or 224 bytes");

/* ---- A request and its answer ---- */

struct ask;
struct exchange_view; /* log_facts.h */
struct name_ask;

enum exchange_state {
	EXCHANGE_TARPIT,	/* it is denied when its time is over */
	EXCHANGE_BODY,		/* the request's rules wait for its body (wait.c), */
	EXCHANGE_PAUSED,	/* or for a time, or for the address of a name */
	EXCHANGE_OWN,		/* the control thread answers it (ask.h) */
	EXCHANGE_QUEUED,	/* all servers are full */
	EXCHANGE_CONNECTING,
	EXCHANGE_RETRY,		/* a rest before the same server is tried again */
	EXCHANGE_ASKED,		/* the server has the request, or is getting it */
	EXCHANGE_ANSWER_BODY,	/* the answer's rules wait for its body (wait.c), */
	EXCHANGE_ANSWER_PAUSED, /* or for a time */
	EXCHANGE_ANSWER,	/* the answer's head was passed on, its body goes on */
};

struct exchange {
	enum exchange_state state;
	struct client *client;
	struct seeker seeker;
	struct link *link;
	struct ask *ask;   /* NULL: a server answers */
	struct name_ask *name_ask; /* PAUSED: what is asked for; NULL: a time */
	uint64_t since_ns; /* when this state began; ASKED, ANSWER: when the server last moved */
	/* request */
	enum http_method method;
	uint8_t minor;
	bool keep_alive, asked_upgrade;
	struct h1_body up;
	struct chunk *request; /* for the server: sent up to `at`, and kept that far for another try */
	bool routed;	 /* its backend is chosen, and counts it */
	bool repeatable; /* may be sent again on another connection */
	bool retryable;	 /* may be sent again as retry-on says: no answer has begun */
	bool no_retry;	 /* a rule says: never */
	bool was_answered; /* by its server, whatever becomes of that */
	bool server_broke; /* its connection ended with an error */
	const char *own; /* the control thread answers it, or did: its name in the log; else NULL */
	struct http_msg *head; /* the request, while it stands in the worker's buffer; else NULL */
	/* rules, when they wait */
	uint8_t stage;		    /* enum stage of rules.c: where they go on, */
	const struct rule *resume;  /* behind that rule; NULL: at the stage's first */
	uint64_t wait_ns;	    /* how long they wait at most; 0: no limit of their own */
	uint64_t wait_bytes;	    /* for so much of the body; 0: for all of it */
	uint32_t head_len;	    /* of the head that is kept meanwhile, in client->in, `request` or `part` */
	uint64_t held_until_ns;	    /* ANSWER_BODY, ANSWER_PAUSED */
	uint64_t server_ns, tunnel_ns; /* set-timeout; 0: as configured */
	/* answer */
	unsigned status; /* 0: none yet */
	struct h1_body down;
	struct chunk *part; /* of its head; while its rules wait: head and body so far */
	bool dechunk;	    /* the client knows no chunks */
	uint8_t answer_version; /* 1: HTTP/1.0, 2: HTTP/1.1; 0: the server has said none */
	bool hurried;	    /* by exchange_hurry() */
	bool link_keeps;    /* the server goes on, as it says */
	bool client_keeps;
	uint16_t n_interim;
	struct server *wanted;	    /* a rule, a table or its cookie says which; NULL: any */
	struct endpoint source;	    /* usesrc hdr_ip: where connections to servers are to come from; else no family */
	uint8_t persistence;	    /* enum persistence */
	bool compresses;	    /* its answer may have the coding `encoding`, an enum cfg_encoding */
	uint8_t encoding;
	struct pace *pace;	    /* of its bodies; NULL: no bandwidth limit */
	struct deflater *deflater;  /* compress.c; NULL: the body passes as it is */
	bool wanted_by_rule;	    /* `wanted`, by use-server: no cookie is asked */
	uint32_t cookie_last_s, cookie_first_s; /* dates of its cookie, seconds since 1970; 0: none */
	char cookie_in, cookie_out; /* for the log, HAProxy's letters */
	int8_t log_level;	    /* of set-log-level; -1: as configured, 8: silent */
	/* for the log */
	struct conn_end_cause cause;
	enum h1_fault fault; /* what was wrong with a refused message */
	uint64_t began_ns, asked_ns, connected_ns, answered_ns;
	uint64_t bytes, bytes_in; /* given to the client; come from it */
	struct counted_bytes counted;
	uint32_t count;		  /* number of the request in the process, more or less */
	bool logged;		  /* option logasap: its line is written */
	char *line;		  /* the request line, when it is to be logged */
	char server_name[64];
	TAILQ_ENTRY(exchange) spare;
};

TAILQ_HEAD(client_list_head, client);
TAILQ_HEAD(exchange_list, exchange);

/* What a worker has for HTTP. */
struct http_worker {
	LIST_HEAD(, client) clients;
	struct client_list_head again, bulk, dead;
	int done[HTTP_CLOSES]; /* sockets of the dead that wait for each other */
	unsigned n_done;
	struct link_list dead_links;
	struct purge_list purge; /* servers with idle connections, and some without; next is first */
	struct exchange_list spares;
	unsigned n_spares;
	struct h2_worker *h2; /* NULL: no HTTP/2 yet */
	TAILQ_HEAD(, h2) senders; /* connections of HTTP/2 that have something to send, */
	unsigned n_senders;	  /* so many */
	const char *early; /* what came of a body with its head: the request's; the answer's, while its rules run */
	size_t early_len;
	uint64_t refused[2][H1_FAULT_COUNT_]; /* requests, answers: by what was wrong */
	uint64_t refused_told_ns;
	struct http_msg request, answer;
	char written[2 * HTTP_HEAD_MAX];
	char hints[2048]; /* of early-hint */
	char scratch[RUN_SCRATCH]; /* of rules */
	char buffer[HTTP_BUFFER];
};

/* A request of HTTP/2: its client has no connection of its own. */
static inline bool client_is_stream(const struct client *c)
{
	return c->h.kind == HANDLE_HTTP_STREAM;
}

/* ---- worker.c ---- */

/* Begins a message that stands from `at` on in the worker's buffer. */
void http_begin(struct worker *w, struct http_msg *m, uint32_t at);
void http_begin_request(struct worker *w, const struct client *c);

/* When a client is to leave a worker that drains: at once, or at a moment of close-spread-time that is its own. */
static inline uint64_t client_leave_ns(const struct worker *w, const struct client *c)
{
	uint64_t spread_ns = w->set->cfg->global.close_spread_ns;

	if (!spread_ns || spread_ns == UINT64_MAX)
		return spread_ns;
	return w->drain_ns + ((uint64_t)(uintptr_t)c * UINT64_C(0x9e3779b97f4a7c15) >> 11) % spread_ns; /* by its place in memory */
}

#define HTTP_ON_ITS_WAY_NS UINT64_C(1000000000)

/*
 * When such a client is closed between two requests. It was answered a moment ago? Then its next request may be on its way, and is
 * waited for.
 */
static inline uint64_t client_close_ns(const struct worker *w, const struct client *c)
{
	uint64_t leave_ns = client_leave_ns(w, c), idle_ns = c->not_first ? c->since_ns + HTTP_ON_ITS_WAY_NS : 0;

	return leave_ns > idle_ns ? leave_ns : idle_ns;
}

/* The worker drains, and the client's time has come: the next answer closes its connection. */
static inline bool client_leaves(const struct worker *w, const struct client *c)
{
	return w->draining && w->now_ns >= client_leave_ns(w, c);
}

/* ---- client.c ---- */

/* What its rules remember. NULL: no memory. */
struct rule_store *client_store(struct client *c);

/* Sets its timer: the deadline may have come nearer. */
void client_arm(struct worker *w, struct client *c);

/*
 * The log had "Connect from …" for its connection already, so its first request is not told again. So it is in sections that are
 * written as mode tcp.
 */
bool client_was_told(const struct client *c);
/* Takes the accepted socket over. False: no memory. */
bool client_accept(struct worker *w, const struct accepted *a);
void client_event(struct worker *w, struct client *c, uint32_t events);
void client_expired(struct worker *w, struct client *c);

/* Does what can be done until it must wait; may close it. */
void client_run(struct worker *w, struct client *c);
/* The same of who has an event; of large transfers behind all others, see run_bulk(). */
void client_wake(struct worker *w, struct client *c);

/* Gives bytes to the client, keeps what it does not take. False: no memory. */
bool client_give(struct worker *w, struct client *c, const char *data, size_t len, int flags);

/* The same with the `len` bytes in the worker's pipe. Only for a client that is writable and has no `out`. */
bool client_pass(struct worker *w, struct client *c, size_t len);

/*
 * An error page to a client whose request did not become an exchange (`x` has what is known of it), then the end of the connection.
 * The frontend counts the bytes.
 */
void client_reply(struct worker *w, struct client *c, struct exchange *x, unsigned status);

/* No request: what was wrong with it, or that it did not come. Status 0: without an answer. The connection ends. */
void client_refuse(struct worker *w, struct client *c, unsigned status, enum h1_fault fault, char who);

/* Gives the page of `len` bytes that stands in the worker's `written`. */
void client_page(struct worker *w, struct client *c, size_t len);

/* Closes it now, its socket at the end of the turn at the latest. */
void client_close(struct worker *w, struct client *c);
uint64_t client_deadline(const struct worker *w, const struct client *c); /* as session_deadline() */
void client_kill(struct worker *w, struct client *c); /* check/marked.c: an operator ends it */
/* Closes the sockets that wait for that. False: there were none. */
bool client_close_done(struct http_worker *h);

/* Frees it, but neither closes its socket nor leaves the counts: those are a session's now. */
void client_forget(struct worker *w, struct client *c);

/*
 * Its next step is the long one of a handshake, some 300 us. Such clients are run one in each turn,
 * behind all others: those who wait for an answer do not wait for them, too.
 */
static inline bool client_begins_tls(const struct client *c)
{
	return c->h.tls && !c->h.tls->heard && c->readable;
}

/* ---- h2.c, of a client that speaks HTTP/2 ---- */

/* From here on it does; `first` bytes of it have come. False: no memory. */
bool h2_begin(struct worker *w, struct client *c, const char *first, size_t len);
/* Reads. False: there is nothing now. */
bool h2_step(struct worker *w, struct client *c);
/* There is room to send. */
void h2_go_on(const struct client *c);
/* No new streams; it is closed with the last one. */
void h2_leave(struct client *c);
bool h2_is_busy(const struct client *c);
/* Since when it has no request, and of answers that it must still take nothing has moved; TIMER_NEVER: it has one. */
uint64_t h2_idle_ns(const struct client *c);
/* Where its connection remembers. */
struct rule_store **h2_session_store(const struct client *stream);
/* How much more of an answer a stream may be given at once. */
size_t h2_room(const struct client *stream);
/* Its time is over. */
void h2_expired(struct worker *w, struct client *c);
/* Its connection is closed. */
void h2_free(struct worker *w, struct client *c);
/* The connection of a stream ends with it: with GOAWAY, or without a word. */
void h2_end_with(const struct client *c, bool silently);
/* What comes next is not the end of its answer, which breaks off. */
void h2_cut(const struct client *stream);
/* The client of a stream is closed. */
void h2_stream_over(struct worker *w, struct client *c);
/* Sends what streams have said. */
void h2_flush(struct worker *w);
void h2_worker_free(struct http_worker *h);

/* ---- exchange.c ---- */

/*
 * Begins the exchange of a request whose head, w->http->request, is the first `head_len` of the `total` bytes in the worker's buffer. A
 * fault in what came of its body: nothing was begun.
 */
enum h1_fault exchange_begin(struct worker *w, struct client *c, uint32_t head_len, uint32_t total);

/* A number that no two requests of the process have, until 32 bits are used up. */
static inline uint32_t http_next_number(struct worker *w)
{
	return w->n_requests++ * w->engine->n_workers + w->index;
}

/* The backend is chosen (it may be none), and counts the request. A second call changes nothing. */
void exchange_routed(struct worker *w, struct exchange *x);

/* Its head and `n` bytes of its body stand in the worker's buffer: rules, then a server. */
void exchange_route(struct worker *w, struct exchange *x, uint32_t head_len, size_t n);

/* The exchange is denied with this status, when the time of the tarpit is over: http_tarpit_over() is called then. */
void exchange_tarpit(struct worker *w, struct exchange *x, unsigned status);
void http_tarpit_over(struct worker *w, struct exchange *x);

/*
 * The exchange fails. The client gets a page of this status, unless the answer has begun or the status is 0; its connection ends
 * unless the page and the request are whole. `who` and `phase` are HAProxy's letters for the log.
 */
void exchange_fail(struct worker *w, struct exchange *x, unsigned status, char who, char phase);

static inline void exchange_set_state(struct worker *w, struct exchange *x, enum exchange_state state)
{
	x->state = state;
	x->since_ns = w->now_ns;
	x->head = NULL;
}

/* All of the request is sent. */
static inline bool exchange_is_asked(const struct exchange *x)
{
	return x->up.done && (!x->request || x->request->at == x->request->len);
}

/* A bandwidth limit lets nothing pass now. */
static inline bool exchange_is_paced(const struct exchange *x)
{
	return x->pace && (x->state == EXCHANGE_ASKED || x->state == EXCHANGE_ANSWER) && pace_until(x->pace) != UINT64_MAX;
}

/* The answer is through, and the request as far as anybody wants it. */
static inline bool exchange_is_over(const struct exchange *x)
{
	return x->down.done && (exchange_is_asked(x) || !x->link_keeps || !x->client_keeps);
}

/* Request and answer are through: the client's next one. */
void exchange_finish(struct worker *w, struct exchange *x);
void exchange_free(struct worker *w, struct exchange *x);

/* ---- send.c ---- */

/* Finds a server, and sends it `data`: the head and what came of the body. */
void exchange_send(struct worker *w, struct exchange *x, const char *data, size_t len);

/* Keeps bytes for the server, behind those that are. False: no memory, it is over. */
bool exchange_keep(struct worker *w, struct exchange *x, const char *data, size_t len);

/* The same for the client: bytes behind the request, which its next one begins with. `phase`: for the log, if there is no memory. */
bool exchange_keep_next(struct worker *w, struct exchange *x, const char *data, size_t len, char phase);

/* Of what is kept for the server, `sent` more bytes are sent. */
void exchange_sent(struct worker *w, struct exchange *x, size_t sent);

/* A connecting socket has news; the state's time is over; the queue has a server. */
void exchange_connect_event(struct worker *w, struct exchange *x);
void exchange_expired(struct worker *w, struct exchange *x);
void exchange_turn(struct worker *w, struct exchange *x);
uint64_t exchange_deadline(const struct exchange *x);

/* The idle connection that it went over was closed meanwhile: sends the request over another one. False: it may not be sent again. */
bool exchange_repeat(struct worker *w, struct exchange *x);

/*
 * The server failed it like that (enum cfg_retry): asks again if retry-on says so and retries are left. False: it
 * stands as it is.
 */
bool exchange_retry(struct worker *w, struct exchange *x, unsigned how);

/* An answer has come that is passed on: nothing is sent again. */
void exchange_answered(struct exchange *x);

/* ---- wait.c ---- */

/*
 * All of the body, or as much of it as there is room for. False: the request is kept until that has come, and
 * exchange_route() is called again; or it has failed.
 */
bool exchange_has_body(struct worker *w, struct exchange *x, struct http_msg *m);

/* The same until x->wait_ns is over, or somebody calls exchange_go_on(). */
void exchange_pause(struct worker *w, struct exchange *x, struct http_msg *m);
void exchange_go_on(struct worker *w, struct exchange *x);

/* Reads more of the body that is waited for. False: nothing to do now. */
bool exchange_gather(struct worker *w, struct exchange *x);

/* The same of an answer, which is "held": it goes on with exchange_take_answer(). */
bool exchange_can_hold(const struct worker *w, const struct exchange *x, const struct http_msg *m);
void exchange_hold(struct worker *w, struct exchange *x, struct http_msg *m, enum exchange_state state);
void exchange_release(struct worker *w, struct exchange *x);

/* Adds the `n` bytes in the worker's buffer to the body that is held. */
void exchange_hold_more(struct worker *w, struct exchange *x, size_t n);

static inline bool exchange_is_held(const struct exchange *x)
{
	return x->state == EXCHANGE_ANSWER_BODY || x->state == EXCHANGE_ANSWER_PAUSED;
}

/* ---- upload.c ---- */

/* Sends the server what is kept for it, or more of the request's body. False: nothing to do now. */
bool exchange_upload(struct worker *w, struct exchange *x);

/* ---- tunnel.c ---- */

/* The answer opened a tunnel: from here on it is a TCP session. */
void exchange_tunnel(struct worker *w, struct exchange *x);

/* That session is about to end: for the log. */
void tunnel_closed(struct worker *w, struct session *s);

/* ---- upgrade.c ---- */

/* A session of mode tcp, of which nothing was read, goes to a backend of mode http: it is a client from here on. */
void session_upgrade(struct worker *w, struct session *s, bool watched);

/* ---- answer.c ---- */

/*
 * The answer's head, as w->http->answer, and what came behind it, `total` bytes in all, stand from `at` on in the
 * worker's buffer: rules, then the client.
 */
void exchange_take_answer(struct worker *w, struct exchange *x, uint32_t at, uint32_t head_len, uint32_t total);

/* A large body is on its way, in either direction. */
static inline bool exchange_is_bulk(const struct exchange *x)
{
	uint64_t much = 2 * (uint64_t)WORKER_SCRATCH;

	return x->state == EXCHANGE_ANSWER && !x->down.done ? x->down.left > WORKER_SCRATCH || x->bytes > much
	       : !x->up.done && (x->up.left > WORKER_SCRATCH || x->bytes_in > much);
}

/* Nothing can be done now. If the answer has begun, its server may wait for an ACK: sends that. */
void exchange_hurry(struct exchange *x);

/* Reads from the server. False: nothing to read now. */
bool exchange_download(struct worker *w, struct exchange *x);

/* ---- link.c ---- */

/* An idle connection that this exchange may use, whose server was asked for this name ("": none); NULL: there is none. */
struct link *link_reuse(struct worker *w, struct exchange *x, const char *sni);

/* A new connection to its server, with `early` sent if it stands at once. 0 or -errno. */
int link_open(struct worker *w, struct exchange *x, const char *sni, const char *early, size_t len, size_t *ret_sent);
void link_event(struct worker *w, struct link *l, uint32_t events);

/* The exchange needs its link no more: idle if `keep` and it may be used again, else closed. */
void link_release(struct worker *w, struct exchange *x, bool keep);
void link_close(struct worker *w, struct link *l);

/* ---- idle.c ---- */

/* More connections than ever since the last purge are used now: notes that. */
void idle_used_most(struct server_worker *m);

/* A link begins to work for an exchange; idle_unused(): it has ended to. */
static inline void idle_used(struct worker *w, struct link *l)
{
	struct server_worker *m = &l->server->worker[w->index];

	if (++m->n_used > m->max_used)
		idle_used_most(m);
}

static inline void idle_unused(struct worker *w, struct link *l)
{
	l->server->worker[w->index].n_used--;
}

/* Is the link to be kept when its exchange, which is still counted, is over? Shared: for any client, not for its own alone. */
bool idle_may_wait(const struct worker *w, const struct link *l, bool is_shared);
void idle_join(struct worker *w, struct link *l);
void idle_leave(struct worker *w, struct link *l);

/* Closes half of those above the need of the servers whose turn it is. */
void links_purge(struct worker *w);
void links_close_idle(struct worker *w);
void links_close_of(struct worker *w, struct server *s);

/* The one unused for longest, of a server whose turn comes soon. False: there is none. */
bool links_close_one(struct worker *w);

/* ---- rules.c ---- */

/*
 * Runs the rules of frontend and backend over a message, and chooses the backend. False: the exchange
 * is over, or waits.
 */
bool http_request_rules(struct worker *w, struct exchange *x, struct http_msg *m);
bool http_response_rules(struct worker *w, struct exchange *x, struct http_msg *m);

/* source.c: finds x->source. */
void http_source(struct exchange *x, const struct http_msg *m);

/* What `sni` of its server says for this request, whose head stands at `head` as the server gets it; "": no name. */
void http_sni(struct worker *w, struct exchange *x, char *head, size_t len, char name[TLS_NAME_SIZE]);

/* What expressions of this exchange are evaluated with; `v` lives as long as *r. False: no memory. */
bool http_prepare_run(struct worker *w, struct exchange *x, struct exchange_view *v, struct run *r);

/* option http-restrict-req-hdr-names, once the rules have seen them. False: the request is denied. */
bool http_restrict_names(struct worker *w, struct exchange *x, struct http_msg *m, enum cfg_header_names how);

/* ---- ends.c ---- */

/* Changes the head as the backend's options say, once it is chosen: see cfg_http.late_edits. 0 or -ENOSPC, -ENOMEM. */
int http_edit_late(struct worker *w, struct exchange *x, struct http_msg *m);
/* http-send-name-header: the head, as it is written, names the server that is set now. */
void http_name_server(const struct exchange *x, char *head, size_t len);

/* What an error page, which has a head for everybody, is told of its client. */
struct own_end {
	uint8_t minor; /* of the request's version */
	bool headless; /* HEAD: the page goes without its body */
	bool keeps;    /* the connection is to go on; false afterwards: the page's end is the connection's */
};

/* What an own answer of version 1.1 says about its connection: a line, or nothing. */
static inline const char *connection_field(bool keeps, unsigned asked_minor)
{
	if (!keeps)
		return "connection: close\r\n";
	return asked_minor ? "" : "connection: keep-alive\r\n";
}

/*
 * http-after-response rules on an answer of our own, whole in `text`; `end` NULL: its Connection field is right.
 * Its new length; what cannot be changed stays as it was.
 */
size_t http_after_own(struct worker *w, struct client *c, const struct backend *b, char *text,
		      size_t len, size_t cap, struct own_end *end);

/* balance hash: finds x->seeker.key. False: the request has none. */
bool http_hash_key(struct worker *w, struct exchange *x, struct http_msg *m);

/* unique-id-header. 0 or -ENOSPC. */
int http_add_unique_id(const struct exchange *x, struct http_msg *m);

/* In the tables that track the client: what the server's answer of this status tells of it, or of the server. */
void http_count_status(struct worker *w, const struct exchange *x, unsigned status);

/* The variables of an exchange; all of a client's. */
void http_rules_end(struct worker *w, struct client *c, const struct exchange *x);
void http_rules_forget(struct client *c);

/* ---- cookie.c ---- */

/* Finds x->wanted; on the way back tells the client its server. 0 or -ENOSPC. */
int http_cookie_take(struct exchange *x, struct http_msg *m);
int http_cookie_give(struct exchange *x, struct http_msg *m);

/* ---- reply.c ---- */

/* The HTML of a page. Its length. */
size_t http_page_body(unsigned status, char *buf, size_t cap);

enum http_page_end {
	HTTP_PAGE_KEEPS,
	HTTP_PAGE_CLOSES,
	HTTP_PAGE_UNREAD, /* closes, and answers what could not be read: HAProxy writes other letters then */
};

/*
 * A whole answer: what "http-error" says, the errorfile as it is, or a page. `r`: what its formats see; NULL: what is
 * there of the exchange. Its length; 0: nothing is to be said.
 */
size_t http_error(struct worker *w, struct exchange *x, unsigned status, enum http_page_end end, struct run *r, char *buf,
		  size_t cap);

/* A message was refused: counts why, and says so now and then. `b` NULL: a request. */
void http_count_refused(struct worker *w, const struct client *c, const struct backend *b,
			enum h1_fault fault);

/* ---- worker.c ---- */

struct http_worker *http_worker_new(void);
void http_worker_free(struct worker *w);

/* At the end of a turn. */
void http_free_dead(struct worker *w);
/* Those whose turn was cut short; large transfers, until `room` bytes are moved. */
void http_run_again(struct worker *w);
void http_run_bulk(struct worker *w, size_t room);

/* When a server's idle connections are looked at; TIMER_NEVER: there are none. */
static inline uint64_t http_deadline(const struct worker *w)
{
	const struct server_worker *next = w->http ? TAILQ_FIRST(&w->http->purge) : NULL;

	return next ? next->purge_ns : TIMER_NEVER;
}

/* A new set: clients between requests go over to it, the others after their answer. */
void http_adopt(struct worker *w);

/* No new requests: clients between requests are closed, the others after their answer. */
void http_drain(struct worker *w);
void http_close_all(struct worker *w);

/* The frontend of the running set that took this one's place; false: there is none. */
bool client_migrate(struct worker *w, struct client *c);

/* ---- rules.c, log/facts.c ---- */

/* What the client was given so far, as one line; early: option logasap, it goes on. */
void exchange_log(struct worker *w, struct exchange *x, bool early);

/* ---- Bytes that wait ---- */

/* Behind what is there already. False: no memory. */
bool chunk_append(struct chunk **c, const char *data, size_t len);

static inline void chunk_free(struct chunk **c)
{
	if (!*c)
		return;
	free(*c);
	*c = NULL;
}

static inline size_t chunk_left(const struct chunk *c)
{
	return c ? c->len - c->at : 0;
}

#endif
