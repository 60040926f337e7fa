/* SPDX-License-Identifier: MIT */
/*
 * A set is one configuration as the workers see it: frontends, backends and bind lines, never changed once it is made. It points to
 * gates, pools, servers and listeners, which sets share.
 */
#ifndef PROXYD_ENGINE_SET_H
#define PROXYD_ENGINE_SET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "cfg/cfg.h"
#include "conn.h"
#include "gate.h"
#include "handle.h"
#include "name_index.h"
#include "pool.h"
#include "threads.h"

struct expr;
struct tls_front;

struct backend {
	struct set *set;
	const struct cfg_proxy *proxy;
	struct pool *pool;
	unsigned retries;
	int redispatch;
	unsigned retry_on;		    /* enum cfg_retry */
	bool rotates, redirects, asks_names; /* the last two: a server has "redir", "sni" that is no constant */
	unsigned name_max; /* bytes of its servers' longest name; 0: they have none */
	const struct expr *hash, *persist; /* balance hash, persist rdp-cookie; NULL: not */
	bool hashes_source, hashes_request; /* its algorithm wants a key of that */
	struct conn_timeouts timeout;	    /* without the client's */
	const struct cfg_http *http;	    /* NULL: mode tcp */
	struct health_probe *probe;	    /* of its checks; NULL: a connection is enough */
	unsigned number;		    /* as be_id says */
	unsigned fullconn;		    /* so many, and its servers take their maxconn */
	const struct frontend *led_from;    /* set_fullconn(): the last one that leads here */
	struct backend_cookie {
		const char *value;
		size_t len;
		struct server *server;
	} * cookies; /* of its servers that have one */
	size_t n_cookies;
	struct backend_use {
		const struct cfg_use *on;
		struct server *to; /* NULL: the name is found out for each request, or there is none of it */
	} * uses; /* use-server */
	size_t n_uses;
	const struct cfg_stats *stats; /* its page; NULL: none */
	struct server **servers; /* of its set, in the order of the file, then of their coming */
	const struct cfg_server **lines; /* of each of them */
	size_t n_servers;
};

/* Its algorithm goes by a key. */
static inline bool backend_hashes(const struct backend *b)
{
	return b->hashes_source || b->hashes_request || b->hash;
}

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
	bool accept_proxy, defers, speaks_h2; /* as `bind` says: defer-accept, proto h2 */
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
	char *netns, *interface;      /* names; NULL: none */
	uint64_t netns_id;	      /* where it is */
	bool v6only;
	bool inherited;		      /* from who started us: others may have its queue, too */
	bool is_path;		      /* of a unix socket: who opens it next has another queue */
	bool running;		      /* in the last set: no worker closes it */
	bool shut;		      /* by an operator: closed for good */
	struct socket_handle *socket; /* at least one per worker: worker i has i, i + n_workers … */
	unsigned n_sockets;
	bool requeues;		      /* what is left at its sockets goes to others of that address: requeue.c */
	unsigned n_successors;	      /* sockets of the process that takes over */
	atomic_uint n_retired;	      /* workers that take no more */
};

/* What was changed at run time: a server that came, or one that went. */
struct set_edit {
	const struct cfg_proxy *proxy;
	const struct cfg_server *line;
	struct cfg *memory; /* of `line`, which came; NULL: it is of the file, and went */
};

struct set_worker {
	_Alignas(CACHE_LINE) uint64_t sessions; /* of this set in this worker */
	bool left;				/* the worker has adopted a later one */
	struct command adopt;
	struct set *left_before; /* see worker.left */
};

struct set {
	STAILQ_ENTRY(set) entry; /* oldest first */
	uint32_t number;	 /* in the order of their making */
	uint64_t end_ns; /* a reload took its place: when the sessions it still has are ended, UINT64_MAX: never */
	struct engine *engine;
	struct cfg *cfg;
	struct backend *backend;
	size_t n_backends;
	struct name_index backend_names, server_names;
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

#endif
