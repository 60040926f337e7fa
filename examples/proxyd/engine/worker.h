/* SPDX-License-Identifier: MIT */
/*
 * A worker's work, in the order a connection meets it: accept.c takes it, handover.c may give it to another worker,
 * session_begin.c asks the rules, session_connect.c finds it a server, relay.c carries bytes (large transfers by
 * pipe.c), session.c ends it, spent.c keeps the socket that the next one can use. worker.c is the loop around.
 */
#ifndef PROXYD_ENGINE_WORKER_H
#define PROXYD_ENGINE_WORKER_H

#include "objects.h"
#include "tls/conn.h"
#include "rules/sample.h"

struct verdict;

/* ---- worker.c: the loop, and words between threads ---- */

int worker_new(struct engine *e, unsigned index, struct worker **ret);
int worker_start(struct worker *w);
void worker_join(struct worker *w); /* after worker_quit was posted */

/* All workers' first, then the workers are freed: a session that ends may poke another one. */
void worker_close_sessions(struct worker *w);
void worker_free(struct worker *w);

/* Any thread: runs fn(w, arg) in the worker. 0 or -ENOMEM. */
int worker_post(struct worker *w, void (*fn)(struct worker *w, void *arg), void *arg);
/* The same with memory of the caller's, which is fn's to free. Never fails. */
void worker_post_own(struct worker *w, struct command *c, void (*fn)(struct worker *w, void *arg), void *arg);

/* Any thread: something that waits in this worker may go on. Never fails. */
void worker_poke(struct worker *w, unsigned bits);

/* Any thread: the worker is to look into its mailbox. */
void worker_ring(struct worker *w);

/* Commands. */
void worker_adopt(struct worker *w, void *set);
void worker_drain(struct worker *w, void *unused);
void worker_quit(struct worker *w, void *unused);

/* Any thread: runs fn(arg) in the control thread. False: no memory. */
bool engine_post(struct engine *e, void (*fn)(void *arg), void *arg);
/* The same with memory of the caller's, which is fn's to free. Never fails. */
void engine_post_own(struct engine *e, struct message *m, void (*fn)(void *arg), void *arg);

/* Tells the control thread that something waits for it: a message, or a set without holders. */
void engine_wake(struct engine *e);

/* Edge-triggered, once for all. PRI: see conn_side.urgent. */
#define SESSION_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

/* Puts a handle's socket into epoll. 0 or -errno. */
int worker_watch(struct worker *w, struct handle *h, uint32_t events);

/* The same of a socket that is in epoll already, but with another handle, or for other events. */
int worker_rewatch(struct worker *w, struct handle *h, uint32_t events);
void worker_unwatch(struct worker *w, struct handle *h);

/* ---- rate.c ---- */

/* How long connections of this listener are to wait, in ns; 0: not at all. */
uint64_t rate_wait(const struct worker *w, const struct socket_handle *l);

static inline bool rate_is_limited(const struct worker *w, const struct socket_handle *l)
{
	const struct engine_limits *m = &w->engine->limits;

	return atomic_load_explicit(&m->connection_rate, memory_order_relaxed) |
	       atomic_load_explicit(&m->session_rate, memory_order_relaxed) |
	       atomic_load_explicit(&m->tls_rate, memory_order_relaxed) |
	       atomic_load_explicit(&l->as->frontend->gate->rate_max, memory_order_relaxed);
}

/* ---- gate.c ---- */

bool gate_enter(struct gate *g);
void gate_leave(struct engine *e, struct gate *g);

/* ---- session_rules.c: tcp-request and tcp-response ---- */

struct proxy_ends;

/* One client's connection, in either mode; rules may change where it is from and went to. */
struct connection_ends {
	const struct frontend *frontend;
	int fd;
	struct endpoint *from, *to; /* `to` without a family: as the socket says */
	struct rule_store **store;
	unsigned bind; /* number of the frontend's line */
	struct tally *listener; /* NULL: without option socket-stats */
	struct tls *tls;	/* NULL: plain */
};

/* A session's; *to, where it went to, is a copy. */
static inline struct connection_ends session_ends(struct session *s, struct endpoint *to)
{
	*to = *session_target(s);
	return (struct connection_ends){s->frontend, s->handle[CONN_CLIENT].fd, &s->client, to, &s->store, s->bind, s->listener, s->handle[CONN_CLIENT].tls};
}

/* Rules "tcp-request connection", of a connection that was just accepted. False: it is refused. */
bool connection_admit(struct worker *w, const struct connection_ends *ends, bool *ret_greeting);
/* Rules "tcp-request session", once it is known where the connection is from. False: it is refused. */
bool connection_known(struct worker *w, const struct connection_ends *ends);

enum inspection {
	INSPECT_DONE, /* s->seeker.backend is chosen */
	INSPECT_WAIT, /* for more bytes, or the end of the delay */
	INSPECT_OVER, /* the session is closed */
};

/* tcp-request content, with what the client has sent so far, and the choice of a backend. */
enum inspection session_inspect(struct worker *w, struct session *s);

/* tcp-response content: are there any for it, and what do they say? */
bool session_inspects_answer(const struct session *s);
enum inspection session_inspect_answer(struct worker *w, struct session *s);

/* When the delay of either ends; TIMER_NEVER: nothing is inspected. */
uint64_t session_inspect_deadline(const struct session *s);

#define TLS_NAME_SIZE 256 /* of a server name with its end */

/* What `sni` of its server says for this session; false: no name. */
bool session_sni(struct worker *w, struct session *s, char name[TLS_NAME_SIZE]);

/* What unique-id-format says of this session, its own; NULL: there is none. */
const char *session_unique_id(struct worker *w, struct session *s);

/*
 * balance hash and rdp-cookie, with the client's first bytes: sets the key, or it is the turn of the next. The server
 * that persist rdp-cookie says; NULL: none.
 */
struct server *session_key(struct worker *w, struct session *s, const char *early, size_t len);

/* ---- defer.c ---- */

/* What the kernel is told of a listening socket, as the set says that was adopted. */
void defer_configure(struct socket_handle *l);

/* A connection was accepted on this socket: counts it. */
void defer_count(struct worker *w, struct socket_handle *l);

/* At w->defer_check_ns: do connections still come fast? */
void defer_check(struct worker *w);
void defer_end(struct socket_handle *l);

/* ---- handover.c ---- */

/* Hands an accepted connection over to a worker that has fewer. False: it is to be served here. */
bool handover_give(struct worker *w, const struct accepted *a);

/* Begins the connections that other workers handed over. */
void handover_take(struct worker *w);

/* Takes no more of them, and begins those that are there. */
void handover_end(struct worker *w);

/* The process ends: closes those that nobody has begun. */
void handover_drop(struct worker *w);

/* ---- accept.c ---- */

void listener_event(struct worker *w, struct socket_handle *l);
/* This worker's sockets of the listener are from now on as `as` says, which its set has. */
void listener_adopt(struct worker *w, const struct set_listener *as);

/*
 * The listener is in no set any more: accepts what waits in the queues of this worker's sockets. The last worker to do so closes the
 * sockets of all.
 */
void listener_retire(struct worker *w, struct listener *l);

/* Accepts again where accepting was paused. */
void listeners_resume(struct worker *w);

/* Serves a connection that was accepted, in whichever worker. */
void accepted_begin(struct worker *w, const struct accepted *a);

struct endpoint endpoint_of(const struct sockaddr_storage *a);

/* ---- steer.c ---- */

/* New connections go to the successor's sockets, if there is one, also while those of this process are closed. */
void listener_steer_past(const struct listener *l);

/* ---- session_begin.c ---- */

/* Takes the accepted socket over. False: no memory. */
bool session_accept(struct worker *w, const struct accepted *a);

/*
 * At the end of the turn that accepted it: by now its client may have spoken, which spares it a read that finds nothing,
 * a wake-up and a packet.
 */
void session_first_look(struct worker *w, struct session *s);

/* Its phase is GREETING or INSPECTING, and what is waited for may have come. */
void session_begin_event(struct worker *w, struct session *s, uint32_t events);

/* The client's TLS handshake may go on. */
void session_shake(struct worker *w, struct session *s);

/* Its first step is long: see client_begins_tls. */
static inline bool session_begins_tls(const struct session *s)
{
	return s->shaking && !s->handle[CONN_CLIENT].tls->heard;
}

/* ---- shake.c ---- */

/* TLS on a socket that was accepted. NULL: no memory. */
struct tls *shake_begin(struct worker *w, struct tls_front *f, int fd);

/* A client's handshake failed, or took too long: for the log. */
void shake_failed(struct worker *w, const struct connection_ends *c);

/*
 * TLS to a server, on a socket that is connected; begun when h->tls is NULL. 0: done; -EAGAIN: more
 * must come; -EPROTO, -ENOMEM: it failed, and now and then the log says why.
 */
int shake_server(struct worker *w, struct handle *h, const struct server *server, const char *name);

/* ---- observe.c ---- */

enum observed {
	OBSERVED_CONNECTED,
	OBSERVED_NO_CONNECTION,
	OBSERVED_ANSWER, /* this and the next are of layer 7 */
	OBSERVED_WRONG_STATUS,
	OBSERVED_BAD_ANSWER,
	OBSERVED_CLOSE,
	OBSERVED_READ_ERROR,
	OBSERVED_TIMEOUT,
};

void server_observed(struct worker *w, struct server *s, enum observed what);
/* The control thread's: the errors in a row that the check was told of last; "": there were none. */
void observed_text(const struct server *s, char *buf, size_t cap);

/* What a session saw of its server. */
static inline void observe(struct worker *w, struct server *s, enum observed what)
{
	if (atomic_load_explicit(&s->observe, memory_order_relaxed))
		server_observed(w, s, what);
}

/* ---- connect.c ---- */

/* Whom a connection to a server is for: it may be made to come from there. */
struct connect_from {
	int fd;
	const struct endpoint *client, *header; /* header: as usesrc hdr_ip says; NULL: there is none */
	const struct endpoint *target; /* what the client had connected to, when told so; NULL or no family: ask fd */
};

/* What a client connected to: as PROXY or rules told, else the near end of its socket. */
struct endpoint client_target(const struct endpoint *told, int fd);

/* A socket that connects to the server. It, or -errno. has_data: we speak first, so the last ACK of the handshake may wait. */
int server_connect(struct server *to, const struct connect_from *from, bool has_data);

/* What failed at once with -errno did so here: no way there, no port left, nobody at that UNIX socket. A rest would change nothing. */
bool server_is_unreachable(const struct server *to, int error);

/* The server's address, for this client: it may follow the client's (server_follows_client()). */
struct cfg_addr server_target(const struct server *to, const struct connect_from *from);

/* What server_connect does last. `rides`: data is at hand, and the last ACK of the handshake goes with it. 0 or -errno. */
int server_connect_socket(int fd, const struct cfg_addr *to, bool rides);

/* A connection to it begins with bytes that are not the client's: a PROXY header, TLS, SOCKS. */
static inline bool server_has_beginning(const struct server *s)
{
	return s->send_proxy || s->tls || s->socks;
}

/*
 * Sends the PROXY header over a fresh connection, which takes these few bytes. `more`: other bytes follow at once. `target` NULL or without
 * a family: the near end of the client's socket. `unique_id` NULL: there is none. False: the connection is broken.
 */
bool server_introduce(int fd, const struct server *server, const struct handle *client_handle,
		      const struct endpoint *client, const struct endpoint *target, const char *unique_id, bool more);

/* ---- session_connect.c ---- */

/* A session's first server; `early` is what the client sent along with its connection. */
void session_dispatch(struct worker *w, struct session *s, const char *early, size_t len);

/* The server's socket became writable or failed, while connecting, as these events say. */
void session_connect_event(struct worker *w, struct session *s, uint32_t events);

/* CONNECTING, RETRY or QUEUED ran out of time. */
void session_connect_expired(struct worker *w, struct session *s);

/* It waited, and its seeker has a server now. */
void session_turn(struct worker *w, struct session *s);

/* ---- spent.c ---- */

/* The session is over: it leaves its server's socket behind, if another session may use that. */
void spent_leave(struct worker *w, struct session *s);

/* At the end of the turn that closed the session: keeps what it left. False: it left nothing, or enough are kept. */
bool spent_keep(struct worker *w, struct session *s);

/* An event of a socket that was left. */
void spent_event(struct worker *w, struct session *s);

/*
 * A socket for a session that is about to connect to `host` (family 0: it needs settings of its own): one that another session left, as
 * good as new, and still in epoll with that session's handle. -1: there is none.
 */
int spent_take(struct worker *w, struct session *s, const struct endpoint *host);

void spent_init(struct worker *w);
/* Closes all that were left. */
void spent_drop(struct worker *w);

/* ---- socks.c ---- */

/*
 * The socket is connected to the server's SOCKS proxy, or has bytes from it. *step, how far that is, is 0 at first.
 * 0: the server is at the other end now; -EAGAIN: once more when there is more; another -errno: it is not.
 */
int server_socks(int fd, const struct server *to, const struct connect_from *from, uint8_t *step);

/* ---- source.c ---- */

/* Binds a socket that is to connect there. 0 or -errno. */
int source_bind(int fd, int family, struct server *to, const struct cfg_source *s, const struct connect_from *from);

/* The server learns who the client is as the connection is made: it can serve that client alone. */
static inline bool server_sees_client(const struct server *s)
{
	const struct cfg_source *source = atomic_load_explicit(&s->source, memory_order_acquire);

	return s->send_proxy || (source && source->as >= CFG_SOURCE_CLIENT);
}

/* ---- pool.c ---- */

/* Makes a worker's picker: of thousands of backends most are asked for by few workers. NULL: no memory. */
struct lb_picker *pool_picker(struct pool *p, unsigned worker);

/* ---- seek.c ---- */

/* 0: k->server is set, and counted; -EAGAIN: all are full; -ENOSR: there is none. */
int seeker_pick(struct worker *w, struct seeker *k, const struct server *prefer);

/*
 * As that, but behind those who wait already. `own`, unless NULL: the server it belongs to, which it waits for while
 * that is full, and takes any other while it is down; `force`: also when it is down. -ENOBUFS: its queue is full.
 */
int seeker_pick_first(struct worker *w, struct seeker *k, struct server *own, bool force);

/* As seeker_pick; when only those remain that failed already, one of them. */
int seeker_pick_other(struct worker *w, struct seeker *k);

/* Its server failed it in this way (enum cfg_retry). Returns what to do now. */
enum conn_retry seeker_failed(struct worker *w, struct seeker *k, unsigned how);

/* Is there a rest before the next attempt, and what is that one? */
bool seeker_rests(const struct seeker *k);
enum conn_retry seeker_after_rest(const struct seeker *k);

/* Gives the server back, and will not pick it again. A server is looked for since then: all of that was a wait for the next one. */
void seeker_exclude(struct worker *w, struct seeker *k, uint64_t since_ns);

/* The request has nothing that its algorithm hashes: the servers take turns. */
void seeker_without_key(struct seeker *k);
void seeker_drop_server(struct worker *w, struct seeker *k, enum lb_result result, uint64_t bytes);

/* Joins the queue of its pool, by class first, then by time. False: no memory. */
bool seeker_enqueue(struct worker *w, struct seeker *k);

/* What rules say of its place in queues. */
void seeker_prioritize(struct seeker *k, const struct verdict *v);
void seeker_priority(const struct seeker *k, int *ret_class, int *ret_offset);
void seeker_leave_queue(struct worker *w, struct seeker *k);

/* Frees what the seeker has allocated. */
void seeker_fini(struct seeker *k);

/* Servers may be free: those who wait in this worker's queue of the pool go on. */
void queue_run(struct worker *w, struct pool *p);

/* ---- relay.c ---- */

/* Does what conn_next says until it waits; may close the session. */
void session_run(struct worker *w, struct session *s);

/* Gives bytes to an end, keeps what it does not take. False: memory ran out, or the end failed. */
bool session_give(struct worker *w, struct session *s, enum conn_end to, const char *data,
		  size_t len, int flags);

/* The worker's large buffer, or its small one when there is no memory. */
char *worker_bulk(struct worker *w, size_t *ret_cap);

/* ---- pipe.c ---- */

#define PIPE_SIZE 262144u
#define PIPE_MIN 65536u /* shorter ones are copied in fewer calls */

/* May the next `left` bytes go that way? */
bool pipe_suits(struct worker *w, const struct handle *from, const struct handle *to,
		uint64_t left);

/* At most `left` bytes into the pipe, as recv(). A short one does not tell that all is read. */
ssize_t pipe_fill(struct worker *w, int from, uint64_t left);

/* The `len` bytes in the pipe, as send(): when it takes fewer, it would block. */
ssize_t pipe_send(struct worker *w, int to, size_t len);

/* Reads the `len` bytes that are left in it. NULL: no memory, and they are lost. */
struct chunk *pipe_rest(struct worker *w, size_t len);

/* Drops what is in it. */
void pipe_close(struct worker *w);

/* ---- session.c ---- */

/* Puts the socket of that end into epoll. 0 or -errno. */
int session_watch(struct worker *w, struct session *s, enum conn_end end);

/* Nothing is left to do now: epoll, or the clock, tells when there is. */
void session_wait(struct worker *w, struct session *s);

/* NULL: no memory. */
struct session_more *session_more(struct session *s);
/* False: no memory. */
bool session_set_target(struct session *s, const struct endpoint *to);

void session_arm(struct worker *w, struct session *s);
void session_expired(struct worker *w, struct session *s);
void session_close(struct worker *w, struct session *s);
/* When it has waited too long, as of now; UINT64_MAX: never. */
uint64_t session_deadline(const struct session *s);
/* check/marked.c: an operator ends it; those of a server, in mode http, too. */
void session_kill(struct worker *w, struct session *s);
void sessions_kill(struct worker *w, void *server);

/* Frees it; its sockets, as far as they are still there, are closed. Its place in the counts stays. */
void session_forget(struct worker *w, struct session *s);

/* One holder less. */
void set_drop(struct worker *w, struct set *set);

/* One session of the set less in this worker. */
void set_leave(struct worker *w, struct set *set);

/* The set is not this worker's any more; it lives until its last session has left. */
void set_let_go(struct worker *w, struct set *set);
void session_unlist(struct worker *w, struct session *s);
void session_list(struct worker *w, struct session *s, enum session_list on);

/* ---- log/facts.c ---- */

/* One line for a session; early: option logasap, it goes on. */
void session_log(struct worker *w, struct session *s, bool early);

/* ---- log.c ---- */

struct log_message {
	int level;		    /* of <syslog.h> */
	struct text line, sd;	    /* sd: RFC 5424's structured data */
	const char *tag, *hostname; /* set by log_message */
	bool is_json;		    /* rules/log_json.h */
};

/* To all of `logs`, by sockets of this thread. */
void log_to_all(int fds[3], const struct cfg_proxy *p, const struct cfg *cfg, const struct cfg_logs *const logs[2],
		const struct log_message *m);
struct syslog_line;
/* A line of somebody else's to those logs: as it came, `whole`, or in the format that one names. */
void log_pass_on(int fds[3], const struct cfg_logs *logs, const struct syslog_line *l, struct text whole);
/* As run.debug. */
void debug_write(const void *to, struct text line);
/* To all logs of the frontend. */
void log_message(struct worker *w, const struct frontend *f, const struct log_message *m);
void log_line(struct worker *w, const struct frontend *f, const char *line, size_t len);
/* "Connect from …", of a frontend with `connectlog`; `to` NULL or without a family: where `fd` was connected to. */
void log_connect(struct worker *w, const struct frontend *f, const struct endpoint *from, const struct endpoint *to,
		 int fd);
/* "22/Nov/2026:08:59:34.319", so long ago. */
void log_date(uint64_t ago_ns, char *buf, size_t cap);
/* "%s:%u" of HAProxy's logs. */
void log_client(const struct endpoint *client, char *buf, size_t cap);
/* facts.c: that of its line of this number; NULL: not known. */
const struct set_listener *frontend_listener(const struct frontend *f, unsigned number);

#endif
