/* SPDX-License-Identifier: MIT */
/*
 * What the engine is made of, and who owns it.
 *
 *	struct set      one configuration as the workers see it: frontends and backends, never
 *	                changed. Lives until every worker has moved on and its last connection is
 *	                over; sets are freed in the order of their making.
 *	struct pool     what stays of a backend over reloads: its libsched group, a picker and a
 *	                queue per worker, its servers.
 *	struct server   one server: address, check, counters. Its address in memory is its id.
 *	struct listener one bound address: a socket per worker.
 *	struct gate     counts connections against a maxconn.
 *
 * The last four are counted by the sets that use them, in the control thread only.
 */
#ifndef PROXYD_ENGINE_OBJECTS_H
#define PROXYD_ENGINE_OBJECTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libhealth/health.h>
#include <libsched/lb.h>

#include "cfg/cfg.h"
#include "conn.h"
#include "counters.h"
#include "engine.h"
#include "nap.h"
#include "rules/vars.h"
#include "timer.h"

#define CACHE_LINE 64

struct worker;
struct session;
struct client;
struct exchange;
struct link;
struct http_worker;
struct tls;
struct tls_front;
struct tls_back;
struct rule_store;
struct dns;
struct mails;
struct rings;
struct forwards;
struct server_name;

/* Of a timer. */
enum timer_owner {
	TIMER_SESSION,
	TIMER_CLIENT,
};

/* What an epoll event points to. */
enum handle_kind {
	HANDLE_WAKE,
	HANDLE_ALARM,
	HANDLE_LISTENER,
	HANDLE_CLIENT,
	HANDLE_SERVER,
	HANDLE_HTTP_CLIENT,
	HANDLE_LINK, /* an HTTP connection to a server */
	HANDLE_GONE, /* closed in this turn; events may still point to it */
};

struct handle {
	enum handle_kind kind;
	int fd;		 /* -1: none */
	struct tls *tls; /* NULL: plain */
};

/* ---- Gate ---- */

/* What is counted of one address of a frontend: whoever came there has it, over reloads. */
struct gate_listener {
	LIST_ENTRY(gate_listener) entry;
	char *text;
	struct tally *tally;
};

struct gate {
	LIST_HEAD(, gate_listener) listeners; /* with option socket-stats */
	LIST_ENTRY(gate) entry;
	unsigned refs;
	char *name; /* the frontend's */
	struct tally *tally;	 /* the frontend's, too */
	bool paused, shut; /* an operator's: nothing is accepted, for now or for good */
	uint32_t max_before_pause;
	uint32_t max_by_hand; /* an operator's word; 0: as configured */
	_Atomic uint32_t rate_max; /* sessions a second; 0: any number */
	_Atomic uint32_t max;
	_Alignas(CACHE_LINE) _Atomic uint32_t n;
	_Atomic uint64_t waiting; /* a bit per worker that paused its listeners here */
	_Atomic uint64_t told_ns; /* when the log last said that it is full; 0: never */
	_Atomic uint32_t n_lines; /* of the log, about its requests and sessions */
};

/* ---- Servers ---- */

#define HTTP_PURGE_NS UINT64_C(5000000000) /* HAProxy's pool-purge-delay */

TAILQ_HEAD(link_list, link);
TAILQ_HEAD(purge_list, server_worker);

/* What a worker keeps of a server of an HTTP backend; it alone writes it (see http/idle.c). */
struct server_worker {
	_Alignas(CACHE_LINE) struct link_list idle; /* connections, used last is first */
	TAILQ_ENTRY(server_worker) purge;	    /* of its http_worker */
	uint64_t purge_ns;			    /* when; 0: not on that list */
	uint32_t n_used, max_used;		    /* connections with an exchange: now; most since the last purge */
	_Atomic uint32_t n_idle, need;		    /* need: as many may be used at a time, or more */
};

/* What an operator and the configuration want of a server; the control thread's. */
struct server_admin {
	const struct cfg_server *cfg; /* of the last set it is in */
	const struct backend *backend;
	_Atomic unsigned weight, cfg_weight; /* now; as written; workers read them */
	unsigned maxconn, cfg_maxconn;
	bool known, cfg_disabled;
	bool maint, drain; /* an operator's; maint: also "disabled" as written */
	bool via_maint, via_drain; /* those of the server it tracks */
	bool no_checks;	   /* "disable health" */
	bool no_agent;	   /* "disable agent" */
	/* an operator's; 0, NULL: as configured */
	unsigned check_port, agent_port;
	struct cfg_addr *check_addr, *agent_addr;
	char *agent_send;
	uint64_t changed_ns, down_ns; /* since when it is as it is; how long it was down before */
	uint64_t n_down, n_failed;    /* changes to down; checks that failed while it was up */
	uint64_t n_observed;	      /* how often traffic had too many errors in a row */
	char observed[96];	      /* what they were, the last time */
};

/* Where a server was moved to. Workers may still read an older one: it goes when all have taken note of a newer. */
struct server_place {
	struct cfg_addr addr;
	struct server *server;
	struct server_place *older;
	_Atomic unsigned noted; /* by so many workers */
};

/* What a check was made with: when nothing of it changes, it goes on over a reload. */
struct check_made {
	struct cfg_addr target, source; /* length 0: the system's choice */
	struct cfg_addr via; /* a SOCKS proxy; length 0: straight there */
	bool bound;			/* to an interface */
	const struct cfg_netns *netns;
	size_t preamble_len;
	unsigned rise, fall;
	uint64_t interval_ns, fast_ns, down_ns, timeout_ns, first_byte_timeout_ns;
	char *text; /* of cfg_check, or what the agent is sent; NULL: nothing */
};

struct server {
	TAILQ_ENTRY(server) entry;    /* of its pool */
	unsigned refs;
	struct pool *pool;
	char *name;
	struct cfg_addr addr;			/* as configured; see server_addr() */
	_Atomic(struct server_place *) moved;	/* NULL: it was not */
	struct server_place *places;		/* all of them, the control thread's */
	struct server_name *named;		/* resolve.c; NULL: its name is not asked for */
	char *host;				/* of `named`, as written */
	bool client_port;
	int port_shift;			/* from the client's port on */
	unsigned send_proxy;		/* version of the PROXY protocol; 0: none */
	unsigned proxy_tells;		/* bits of enum cfg_proxy_extra */
	uint64_t netns_id;		/* where it is */
	_Atomic(const struct cfg_source *) source; /* of the last set it is in; NULL: the system's choice */
	_Atomic(const struct cfg_netns *) netns; /* of the last set it is in; NULL: ours */
	_Atomic(const struct cfg_addr *) socks; /* of the last set it is in; NULL: it is connected to itself */
	_Atomic unsigned source_turn;	/* of its ports */
	_Atomic(const struct cfg_tcp *) tcp; /* of the last set it is in; NULL: nothing is told to its sockets */
	_Atomic(struct tls_back *) tls; /* of the last set it is in; NULL: plain */
	_Atomic uint32_t n_sessions;
	_Atomic uint32_t n_queued, maxqueue; /* who wait for it and no other; at most, 0: any number */
	_Atomic uint32_t n_turns;	     /* of those, who were served; wraps */
	_Atomic uint32_t minconn, maxconn; /* see seek.c; minconn 0: maxconn is libsched's alone */
	struct tally *tally;
	struct server_admin admin;
	struct server *tracked;		/* its state is that one's; NULL: its own */
	LIST_HEAD(, server) trackers;
	LIST_ENTRY(server) tracks;	/* of the trackers of `tracked` */
	const struct set *in;		/* the last set it is in */
	_Atomic uint64_t cookie_hash;	/* of its address, with cookie … dynamic; 0: none */
	_Atomic bool non_stick;		/* tables do not keep it */
	_Atomic(const struct cfg_server *) pooled; /* of the last set it is in, when it says how connections wait; else NULL */
	_Atomic unsigned observe;	/* enum cfg_observe; none, too, without a check */
	_Atomic unsigned error_limit, n_errors; /* in a row */
	_Atomic unsigned last_observed;		/* enum observed; the error that was one too many */
	bool member;			/* of the group, when it is made; written under the pool's `editing` */
	struct server_wanted { /* what the group is to know of it; under the pool's `editing` */
		uint64_t key; /* of its points on a ring */
		uint32_t weight, maxconn;
		uint32_t priority; /* 0, or the number of a backup */
		enum lb_state state;
		bool up;
	} wanted;
	_Atomic bool serves;		/* up, and nobody's word against it: as last published */
	_Atomic bool balanced;		/* and not only for those bound to it: neither drained nor of weight 0 */
	bool up;			/* as the checks say; true without a check */
	const char *change_why;		/* an operator's word is what changes it now; "": that is told by itself */
	bool gone;			/* an operator removed it: nobody comes back to it */
	bool draining;			/* they say: up, but nothing new */
	bool in_service;		/* of the group: it is given requests, if its weight is not 0 */
	uint64_t warms_ns;		/* slowstart: since when; 0: it began with its whole share */
	bool backup, usable;		/* as configured; it has an address, and its name holds */
	struct engine *engine;
	bool log_checks;
	struct health_check *check, *agent;
	bool agent_down; /* it says so */
	enum health_code agent_code; /* of its last word about up or down; HEALTH_CODE_INI: it said another */
	struct check_made *agent_made; /* what the agent was made with; NULL: there was none */
	struct health_tls *check_tls; /* NULL: plain */
	struct check_via *check_via;  /* NULL: it goes straight there */
	struct check_made *checked; /* the same of the check */
	enum health_code last_code;
	unsigned last_level; /* of its check: so near to falling, or rising, it was; rise + fall - 1: full health */
	int last_error;
	int bind_error; /* its check had no near end to connect from; 0: it had */
	uint64_t last_ns;
	bool http;			/* `worker` has one for each of them */
	struct server_worker worker[];
};

/* Its own, or that of the server it tracks; or nobody knows where it is. */
static inline bool server_in_maint(const struct server *s)
{
	return s->admin.maint || s->admin.via_maint || !s->usable;
}

static inline bool server_in_drain(const struct server *s)
{
	return s->admin.drain || s->admin.via_drain;
}

/* All that its maxconn allows are there. */
static inline bool server_is_full(const struct server *s)
{
	uint32_t max = atomic_load_explicit(&s->maxconn, memory_order_relaxed);

	return max && atomic_load_explicit(&s->n_sessions, memory_order_relaxed) >= max;
}

/* Where it is now. Any thread. */
static inline const struct cfg_addr *server_addr(const struct server *s)
{
	const struct server_place *p = atomic_load_explicit(&s->moved, memory_order_acquire);

	return p ? &p->addr : &s->addr;
}

/* The client's connection says where it is: a server without a port, or with the address 0.0.0.0. */
static inline bool server_follows_client(const struct server *s)
{
	return s->client_port || cfg_addr_is_any(server_addr(s));
}

/* ---- A seeker: who wants a server. Part of a TCP session and of an HTTP exchange ---- */

#define SEEKER_EXCLUDE_MAX 8

/* Of those who had to wait, or whose server failed them. */
struct seeker_more {
	struct seeker *seeker;		/* while it is queued */
	TAILQ_ENTRY(seeker_more) link;	/* of the queue of its pool */
	int64_t turn;			/* there, lowest first */
	struct server *bound;		/* the one it waits for; NULL: any */
	struct server *failed;		/* it left this one, and has no other yet; NULL: it did not */
	uint64_t queued_ns;		/* how long it was there; means nothing while it is */
	uint32_t turns;			/* of the pool, or of `bound`, when it came */
	uint32_t pool_place, server_place; /* for the log, as HAProxy counts: 1 is the first; 0: it never waited there */
	bool keyless; /* what its algorithm hashes is not there: the servers take turns */
	uint8_t n_exclude;
	uint64_t exclude[SEEKER_EXCLUDE_MAX]; /* servers that failed it */
};

struct seeker {
	struct backend *backend;
	struct server *server; /* counted by the group; NULL: none */
	bool is_http;	       /* what it is part of */
	bool queued;
	struct conn_attempts attempts;
	int32_t priority;	  /* as rules say: class and offset, see seek.c */
	uint64_t key;		  /* for the algorithms that hash */
	struct seeker_more *more; /* NULL: it had no trouble, and has a key */
};

static inline uint64_t seeker_queued_ns(const struct seeker *k)
{
	return k->more ? k->more->queued_ns : 0;
}

TAILQ_HEAD(seeker_queue, seeker_more);
TAILQ_HEAD(session_queue, session);

struct pool_worker {
	_Alignas(CACHE_LINE) struct seeker_queue queue; /* who waits for a server */
	struct lb_picker *picker; /* NULL until it picks: see pool_picker() */
	struct pool *pool;
	LIST_ENTRY(pool_worker) entry; /* of its worker, while the queue is not empty */
	_Atomic int64_t first; /* the turn of the first one there who takes any server, for other workers; NOBODY */
};

#define NOBODY INT64_MAX

struct pool {
	LIST_ENTRY(pool) entry, named; /* of the engine; of its bucket there */
	unsigned refs;
	char *name;
	const struct set *in; /* the last set it is in */
	pthread_mutex_t editing; /* held for libsched's calls that are [editor]'s */
	struct lb_group_opts balance; /* of the group; slow start: the longest of its servers */
	struct lb_group *group; /* NULL until somebody picks */
	TAILQ_HEAD(, server) servers;
	_Atomic unsigned n_up; /* workers read it */
	unsigned n_up_backup;
	_Atomic uint64_t waiting;	       /* a bit per worker whose queue is not empty */
	_Atomic uint32_t n_sessions, n_queued; /* for the log */
	_Atomic uint32_t n_bound; /* of those, who wait for a certain server */
	_Atomic uint32_t n_turns; /* who waited for any, and were served; wraps */
	struct tally *tally;
	uint64_t changed_ns, down_ns; /* since when it is as it is; how long it was down before */
	uint64_t n_down;
	struct { /* an operator's word, until the next configuration */
		enum { COOKIE_AS_CONFIGURED, COOKIE_DYNAMIC, COOKIE_NOT_DYNAMIC } dynamic;
		char *key; /* NULL: as configured */
	} cookie;
	struct pool_worker worker[];
};

/* Its servers' shares grow after a start. */
static inline bool pool_ramps(const struct pool *p)
{
	return p->balance.slow_start_ns;
}

/* Who wait for whichever server is free first. Between the two looks others may come. */
static inline uint32_t pool_queue(const struct pool *p)
{
	uint32_t bound = atomic_load_explicit(&p->n_bound, memory_order_relaxed);
	uint32_t all = atomic_load_explicit(&p->n_queued, memory_order_relaxed);

	return all > bound ? all - bound : 0;
}

/* ---- A set ---- */

struct backend {
	struct set *set;
	const struct cfg_proxy *proxy;
	struct pool *pool;
	unsigned retries;
	int redispatch;
	unsigned retry_on;		    /* enum cfg_retry */
	bool rotates, redirects; /* redirects: a server has "redir" */
	unsigned name_max; /* bytes of its servers' longest name; 0: they have none */
	const struct expr *hash, *persist; /* balance hash, persist rdp-cookie; NULL: not */
	bool hashes_source, hashes_request; /* its algorithm wants a key of that */
	struct conn_timeouts timeout;	    /* without the client's */
	const struct cfg_http *http;	    /* NULL: mode tcp */
	struct health_probe *probe;	    /* of its checks; NULL: a connection is enough */
	unsigned number;		    /* as be_id says */
	unsigned fullconn;		    /* so many, and its servers take their maxconn */
	struct backend_cookie {
		const char *value;
		struct server *server;
	} * cookies; /* of its servers that have one */
	size_t n_cookies;
	const struct cfg_stats *stats; /* its page; NULL: none */
	struct server **servers; /* of its set, in the order of the file, then of their coming */
	const struct cfg_server **lines; /* of each of them */
	size_t n_servers;
};

struct frontend {
	struct set *set;
	const struct cfg_proxy *proxy;
	const char *name;
	struct backend *backend; /* NULL: connections are closed at once */
	struct gate *gate;
	struct conn_timeouts timeout; /* the client's, and those of `backend` */
	uint64_t client_ns, client_fin_ns, request_ns, keep_alive_ns; /* 0: never */
	uint64_t shake_ns; /* timeout client-hs; 0: client_ns, or request_ns */
	const struct cfg_http *http;				      /* NULL: mode tcp */
	bool tcplog, httplog, dontlognull;
	bool connectlog; /* it has logs and no format: a line as a connection or a request begins */
	unsigned maxconn;		/* 0: the process' */
	const struct cfg_logs *logs[2]; /* own, global; NULL: none */
	const struct cfg_rules *rules;	/* NULL: none */
	struct frontend_switch {
		const struct cfg_switch *on;
		struct backend *to; /* NULL: by its name */
	} * switches;		    /* use_backend, in order */
	size_t n_switches;
	uint64_t tarpit_ns;
	const struct cfg_stats *stats; /* its page; NULL: none */
	unsigned number; /* as fe_id says */
	struct frontend *as_http; /* mode tcp: for those who go to a backend of mode http; NULL: none does */
};

/* Its lines say "mode tcp": its log has their form, also when all of its clients speak HTTP. */
static inline bool frontend_is_written_tcp(const struct frontend *f)
{
	return f->proxy->set.mode == CFG_MODE_TCP || f->proxy->set.became_http;
}

/* A bind line: who comes to a listener, as one set says. */
struct set_listener {
	struct listener *listener;
	struct frontend *frontend;
	struct tls_front *tls;	   /* NULL: plain */
	struct tally *tally;	   /* the listener's; NULL: without option socket-stats */
	bool accept_proxy, defers; /* as `bind` says: defer-accept */
	uint32_t cip_magic;	   /* accept-netscaler-cip; 0: no */
	const struct cfg_tcp *tcp;
	uint16_t number;  /* among those of its frontend, from 1; logs show it as a unix client's port */
	const char *name; /* NULL: none */
};

/* One worker's socket of one listener. */
struct socket_handle {
	struct handle h;
	const struct set_listener *as; /* of the set that was adopted last */
	bool added, paused, shared; /* in epoll; without interest; one queue for all workers */
	bool retired;		    /* its worker takes no more */
	bool speaks_first, defers;  /* see defer.c: its clients do; TCP_DEFER_ACCEPT is on */
	unsigned n_recent;	    /* connections since then */
	uint64_t recent_since_ns;
	LIST_ENTRY(socket_handle) paused_entry, deferring_entry;
};

struct listener {
	LIST_ENTRY(listener) entry;
	unsigned refs;
	char *text;
	uint64_t netns_id;	      /* where it is */
	bool running;		      /* in the last set: no worker closes it */
	bool shut;		      /* by an operator: closed for good */
	struct socket_handle *socket; /* one per worker */
	unsigned n_successors;	      /* sockets of the process that takes over */
	atomic_uint n_retired;	      /* workers that take no more */
};

/* What was changed at run time: a server that came, or one that went. */
struct set_edit {
	const struct cfg_proxy *proxy;
	const struct cfg_server *line;
	struct cfg *memory; /* of `line`, which came; NULL: it is of the file, and went */
};

/* From any thread to a worker. */
struct command {
	STAILQ_ENTRY(command) link;
	void (*fn)(struct worker *w, void *arg);
	void *arg;
	bool borrowed; /* it is part of what `arg` points to */
};

struct set_worker {
	_Alignas(CACHE_LINE) uint64_t sessions; /* of this set in this worker */
	bool left;				/* the worker has adopted a later one */
	struct command adopt;
};

struct set {
	STAILQ_ENTRY(set) entry; /* oldest first */
	uint32_t number;	 /* in the order of their making */
	uint64_t end_ns; /* a reload took its place: when the sessions it still has are ended, UINT64_MAX: never */
	struct engine *engine;
	struct cfg *cfg;
	struct backend *backend;
	size_t n_backends;
	struct frontend *frontend;
	size_t n_frontends;
	struct set_listener *listener;
	size_t n_listeners;
	struct server **server; /* references */
	const struct cfg_server **line; /* of each */
	struct tls_back **back;		/* of each; references */
	size_t n_servers;
	struct set_edit *edit; /* of `cfg`, oldest first */
	size_t n_edits;
	_Atomic unsigned holders;  /* workers that may still use it */
	struct set_worker *worker; /* an array */
};

/* ---- A session: one proxied connection with its sockets ---- */

struct chunk { /* bytes that wait for an end */
	uint32_t at, len;
	char data[];
};

/* An address without its family's padding. */
struct endpoint {
	uint16_t family;
	uint16_t port; /* network order */
	uint8_t addr[16];
};

enum session_list {
	SESSION_ON_NONE,
	SESSION_ON_AGAIN,  /* its turn was long: go on after the others */
	SESSION_ON_BULK,   /* the same, of large transfers, and after all of those */
	SESSION_ON_DEAD,   /* closed in this turn; events may still point to it */
	SESSION_ON_SPENT,  /* has left a socket, and is its host's: see spent.c */
	SESSION_ON_FADING, /* the same, but the kernel is not done with that */
};

enum session_phase {
	SESSION_SERVING,    /* the server's: it is looked for, connected to, relayed to */
	SESSION_GREETING,   /* accept-proxy: its header has not come yet */
	SESSION_INSPECTING, /* tcp-request content rules have not decided yet */
	SESSION_REFUSED,   /* they did before there was anything to log */
	SESSION_FRESH,	   /* accepted in this turn, and not looked at yet */
};

/* What option contstats has counted already. */
struct counted_bytes {
	uint64_t in, out;
};

/* What few sessions have. */
struct session_more {
	struct exchange *tunnel; /* of the HTTP request that made it; NULL: a TCP session */
	struct pace *pace;	 /* NULL: no bandwidth limit */
	struct endpoint target;	 /* where the client wanted to go; of family 0: ask the socket */
	struct counted_bytes counted;
};

/* What is idle is many: each byte here is one for every connection. */
struct session {
	struct conn conn;
	struct handle handle[2]; /* by enum conn_end; epoll points here */
	struct chunk *chunk[2];	 /* pending for that end */
	struct timer timer;
	struct frontend *frontend;
	struct tally *listener; /* of its gate; NULL: without option socket-stats */
	struct seeker seeker;
	LIST_ENTRY(session) entry;
	TAILQ_ENTRY(session) link;	    /* of the list it is on */
	uint64_t accepted_ns;
	struct rule_store *store;  /* NULL: no rules */
	struct session_more *more; /* NULL: nothing of that */
	struct endpoint client;	   /* as a PROXY header says, if there was one */
	uint16_t bind;		   /* number of its line */
	uint8_t on;		   /* enum session_list */
	uint8_t phase;		   /* enum session_phase */
	uint8_t full_reads;
	uint8_t seen;		  /* worker's window of its last event */
	uint8_t socks;		  /* of server_socks() */
	bool asks_room[2];	  /* epoll tells when that end takes more */
	bool bulk : 1;		  /* full reads in a row: use the large buffer */
	bool shaking : 1;	  /* the client's TLS handshake is not done */
	bool logged : 1;	  /* option logasap: its line is written */
	bool inspects_answer : 1; /* tcp-response rules have not let it pass yet */
	bool renewed : 1;   /* its server's socket is one that was left: it is in epoll already */
	bool rides : 1;	    /* the ACK of its server's handshake went with data: see handle_hurry() */
	uint8_t host;	    /* of worker's, whom its server's socket is for */
	int spent;	    /* the socket that it has left, see spent.c; -1: none */
	uint32_t host_turn; /* that one's, when it connected; 0: nobody else may have it */
};

_Static_assert(sizeof(void *) != 8 || sizeof(struct session) <= 280,
	       "what an idle connection takes: malloc gives 288 or 304 bytes");

static inline struct exchange *session_tunnel(const struct session *s)
{
	return s->more ? s->more->tunnel : NULL;
}

static inline struct pace *session_pace(const struct session *s)
{
	return s->more ? s->more->pace : NULL;
}

static inline const struct endpoint *session_target(const struct session *s)
{
	static const struct endpoint untold;

	return s->more ? &s->more->target : &untold;
}

/* 0: it never was. */
static inline uint64_t session_connected_ns(const struct session *s)
{
	return s->conn.opened ? s->conn.since_ns : 0;
}

/* A connection that nobody serves yet. Its gates count it, and its set has a holder for it while it is handed over. */
struct accepted {
	int fd;
	struct endpoint client;
	const struct set_listener *at;
};

/* ---- A worker ---- */

#define HANDED_MAX 16u

#define WORKER_SCRATCH 16384u
#define WORKER_SCRATCH_BULK 262144u

/* How much one connection does before others have their turn, and bytes that take the time of an event. */
#define TURN_STEPS 64u
#define TURN_BYTES 262144u
#define EVENT_BYTES 16384u

#define POKE_GATE 1u
#define POKE_QUEUE 2u

#define SPENT_HOSTS 32u /* see spent.c */

struct worker {
	struct engine *engine;
	unsigned index;
	pthread_t thread;
	bool started, quit, draining;
	uint64_t drain_ns; /* since when it is draining */
	int epoll_fd;
	struct handle wake, alarm;
	uint64_t alarm_ns; /* when it rings; TIMER_NEVER: not set */
	uint64_t now_ns;
	struct timers timers;
	struct set *set; /* adopted last */
	struct session_queue again, bulk, dead, fading;
	LIST_HEAD(, session) sessions;
	struct http_worker *http; /* NULL: no HTTP yet */
	LIST_HEAD(, socket_handle) paused, deferring;
	LIST_HEAD(, pool_worker) waiting;
	uint64_t accept_retry_ns; /* descriptors ran out: try again then; TIMER_NEVER: not so */
	uint64_t defer_check_ns;  /* TIMER_NEVER: none defers */
	uint64_t spent_drop_ns;   /* TIMER_NEVER: no session has left a socket */
	uint64_t count_ns;	  /* option contstats: when bytes are counted next; TIMER_NEVER: not before the end */
	uint64_t fd_warned_ns, tls_warned_ns, starved_warned_ns;
	uint64_t dice; /* how often rules were run: for their random numbers */
	uint32_t n_requests; /* what came for one, too */
	unsigned n_sessions, n_spent;
	size_t moved; /* bytes, by the connection whose turn it is */
	/* Hosts that sessions went to, the oldest gives way. */
	struct spent_host {
		struct endpoint at;	    /* without a port */
		uint32_t turn;		    /* of `host_turns`, when it came; 0: nobody's place */
		struct session_queue spent; /* sessions that have left a socket */
	} host[SPENT_HOSTS];
	uint32_t host_turns;
	struct nap nap;
	bool crowded; /* more wait to be accepted */
	bool hands_over; /* tune.listener.multi-queue, of the last set */
	unsigned next_look; /* see handover.c */
	int log_fd[3]; /* datagram sockets for IPv4, IPv6, unix; -1: not opened yet */
	char *large;   /* WORKER_SCRATCH_BULK, when first needed */
	uint32_t head_max, fields_max; /* bytes and fields of an HTTP head, of the last set */
	uint32_t line_max; /* bytes of a request line in the log, of the last set */
	int pipe[2];   /* see pipe.c; -1: not opened yet */
	_Alignas(CACHE_LINE) _Atomic uint64_t n_open; /* and on the way here: see handover.c */
	_Atomic uint64_t n_total;
	_Atomic uint64_t n_handed, n_refused; /* it was handed; it would have handed over, to one who had enough */
	_Atomic uint64_t n_starved; /* had no memory, or another of the system's resources */
	_Atomic uint64_t n_loops, n_events; /* of epoll, and what it told */
	/* mailbox */
	_Alignas(CACHE_LINE) _Atomic unsigned poke;
	pthread_mutex_t lock;
	STAILQ_HEAD(, command) commands;
	struct command drain, leave; /* they must reach it, memory or not */
	struct handed {
		bool closed; /* no more come */
		unsigned n;
		struct accepted of[HANDED_MAX];
	} handed; /* under `lock` */
	char scratch[WORKER_SCRATCH];
};

/* From a worker to the control thread. */
struct message {
	STAILQ_ENTRY(message) link;
	void (*fn)(void *arg);
	void *arg;
	bool borrowed; /* it is part of what `arg` points to */
};

LIST_HEAD(pool_list, pool);

struct engine {
	struct engine_opts opts;
	unsigned n_workers;
	cpu_set_t cpus; /* of the process at its start */
	struct worker **worker;
	struct gate gate;	 /* of the process */
	STAILQ_HEAD(, set) sets; /* the last one runs */
	struct pool_list pools, *pools_named; /* all; by a hash of the name, in `n_buckets`: a power of two */
	size_t n_buckets;
	LIST_HEAD(, gate) gates;
	LIST_HEAD(, listener) listeners;
	struct tally *tally;	 /* of the process */
	struct tally *tls_clients, *tls_servers;
	struct tally *compressed; /* bytes a second: before it as connections, after it as sessions */
	struct vars_total variables; /* of rules */
	uint64_t started_ns;
	unsigned n_applied; /* configurations so far */
	uint32_t n_sets;    /* made so far */
	unsigned maxconn; /* of the process, as configured */
	struct engine_limits {
		_Atomic uint32_t connection_rate, session_rate, tls_rate; /* of a second; 0: any number */
		_Atomic uint32_t tls_open; /* connections with TLS, of both sides; 0: any number */
		_Atomic uint32_t compression_rate; /* bytes a second, of those in front of it; 0: any number */
	} limits;
	struct health_engine *health;
	bool check_ports; /* one may have moved: checks_follow_ports() */
	struct dns *dns; /* names of servers; resolve.c */
	unsigned spread_checks; /* percent */
	struct first_checks {
		uint64_t least_ns, most_ns; /* the shortest interval; max-spread-checks, 0: none */
		unsigned n, next;
	} first; /* of a configuration that begins; check/first.c */
	unsigned n_slow;	/* pools with a slowstart */
	int wake_fd;
	pthread_mutex_t lock; /* of what workers hand to the control thread */
	STAILQ_HEAD(, message) messages;
	_Atomic unsigned n_asks; /* of workers, see ask.h */
	_Atomic unsigned n_name_asks; /* the same, see name_ask.h */
	pthread_mutex_t refused_lock;
	TAILQ_HEAD(refused_list, refused) refused;
	unsigned n_refused_kept;
	uint64_t n_refused; /* ever */
	int log_fd[3];		 /* as a worker's */
	struct rings *rings;
	struct forwards *forwards;
	struct mails *mails;
	bool ending;		 /* no worker is left */
	bool started, draining, idle_told;
	_Atomic unsigned n_drained; /* workers without listeners and sessions, while draining */
};

#endif
