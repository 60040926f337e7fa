/* SPDX-License-Identifier: MIT */
/* A server: where it is, whether it is well, how many use it. Its address in memory is its id for libsched. */
#ifndef PROXYD_ENGINE_SERVER_H
#define PROXYD_ENGINE_SERVER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libhealth/health.h>
#include <libsched/lb.h>

#include "cfg/cfg.h"
#include "gate.h"

struct backend;
struct engine;
struct link;
struct server_name;
struct set;
struct tls_back;

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
	unsigned n_errors, last_error; /* how many they were the last time, and the last of them (enum observed) */
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

/*
 * Who writes a field is said above its group. The control thread alone makes, changes and frees a server; workers read what is
 * atomic or never changes, and count.
 */
struct server {
	/* The control thread's, but for what never changes: pool, name, addr, host. */
	TAILQ_ENTRY(server) entry; /* of its pool */
	unsigned refs;
	struct engine *engine;
	struct pool *pool;
	char *name;
	struct cfg_addr addr;		 /* as configured; see server_addr() */
	char *host;			 /* as written, when that is a name */
	struct server_name *named;	 /* resolve.c; NULL: its name is not asked for */
	struct server_place *places;	 /* all that it was moved to */
	const struct set *in;		 /* the last set it is in */
	struct server_admin admin;	 /* some of it is atomic, for workers */
	struct server *tracked;		 /* its state is that one's; NULL: its own */
	LIST_HEAD(, server) trackers;
	LIST_ENTRY(server) tracks;	 /* of the trackers of `tracked` */

	/* Set when it is made; any thread reads them. */
	bool client_port;	 /* the client's port, moved by port_shift, is its port */
	int port_shift;
	unsigned send_proxy;	 /* version of the PROXY protocol; 0: none */
	unsigned proxy_tells;	 /* bits of enum cfg_proxy_extra */
	uint64_t netns_id;	 /* where it is */
	struct tally *tally;
	bool http;		 /* `worker`, at the end, has one for each of them */

	/* As the last set that it is in says; any thread reads them. */
	_Atomic(const struct cfg_source *) source; /* NULL: the system's choice */
	_Atomic(const struct cfg_netns *) netns;   /* NULL: ours */
	_Atomic(const struct cfg_addr *) socks;	   /* NULL: it is connected to itself */
	_Atomic(const struct cfg_tcp *) tcp;	   /* NULL: nothing is told to its sockets */
	_Atomic(struct tls_back *) tls;		   /* NULL: plain */
	_Atomic(const struct cfg_server *) pooled; /* when it says how idle connections wait; else NULL */
	_Atomic bool non_stick;			   /* tables do not keep it */
	_Atomic unsigned observe;		   /* enum cfg_observe; none, too, without a check */
	_Atomic unsigned error_limit;
	_Atomic uint64_t cookie_hash;		   /* of its address, with cookie … dynamic; 0: none */
	_Atomic uint32_t minconn, maxconn;	   /* see seek.c; minconn 0: maxconn is libsched's alone */
	_Atomic uint32_t maxqueue;		   /* who may wait for it and no other; 0: any number */

	/* What the control thread publishes of its state; any thread reads them. */
	_Atomic(struct server_place *) moved; /* where it is now; NULL: at `addr` */
	_Atomic bool serves;   /* up, and nobody's word against it */
	_Atomic bool balanced; /* and not only for those bound to it: neither drained nor of weight 0 */

	/* Workers count. */
	_Atomic uint32_t n_sessions;
	_Atomic uint32_t n_queued;	 /* who wait for it and no other */
	_Atomic uint32_t n_turns;	 /* of those, who were served; wraps */
	_Atomic unsigned source_turn;	 /* of the ports of `source` */
	_Atomic unsigned n_errors;	 /* in a row, of what `observe` looks at */
	_Atomic unsigned last_observed;	 /* enum observed: the error that was one too many */

	/* The control thread's: its state, and as a member of its group. */
	bool up;		/* as the checks say; true without a check */
	bool draining;		/* they say: up, but nothing new */
	_Atomic bool backup;	/* as configured */
	bool usable;		/* it has an address, and its name holds */
	bool gone;		/* an operator removed it: nobody comes back to it */
	const char *change_why; /* an operator's word is what changes it now; "": that is told by itself */
	bool in_service;	/* of the group: it is given requests, if its weight is not 0 */
	uint32_t had_sessions, had_queued; /* when its state was published last */
	uint64_t warms_ns;	/* slowstart: since when; 0: it began with its whole share */

	/* Under the pool's `editing`: as a member of its group. */
	bool member;		/* of the group, when that is made */
	struct server_wanted {	/* what the group is to know of it */
		uint64_t key;	/* of its points on a ring */
		uint32_t weight, maxconn;
		uint32_t priority; /* 0, or the number of a backup */
		enum lb_state state;
		bool up;
	} wanted;

	/* The control thread's: its check, and its agent. */
	struct health_check *check, *agent;
	struct check_made *checked;	/* what the check was made with; NULL: there was none */
	struct check_made *agent_made;	/* the same of the agent */
	struct health_tls *check_tls;	/* NULL: plain */
	struct check_via *check_via;	/* NULL: it goes straight there */
	bool log_checks;
	bool agent_down;		/* the agent says so */
	enum health_code agent_code;	/* of its last word about up or down; HEALTH_CODE_INI: it said another */
	enum health_code last_code;	/* of the last check */
	unsigned last_level;		/* how well: 0 to rise + fall - 1, which is full health */
	int last_error;
	int bind_error;			/* the check had no near end to connect from; 0: it had */
	uint64_t last_ns;

	struct server_worker worker[]; /* each worker's own */
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

#endif
