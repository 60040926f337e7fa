/* SPDX-License-Identifier: MIT */
/* A session: one connection of mode tcp, with its sockets and its server. */
#ifndef PROXYD_ENGINE_SESSION_H
#define PROXYD_ENGINE_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "endpoint.h"
#include "pool.h"
#include "set.h"
#include "timer.h"

struct exchange;
struct pace;
struct rule_store;

TAILQ_HEAD(session_queue, session);

struct chunk { /* bytes that wait for an end */
	uint32_t at, len;
	char data[];
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

/* It is neither waited for with its PROXY header, nor refused before there was anything to log. */
static inline bool session_has_begun(const struct session *s)
{
	return s->phase != SESSION_GREETING && s->phase != SESSION_REFUSED;
}

/* 0: it never was. */
static inline uint64_t session_connected_ns(const struct session *s)
{
	return s->conn.opened ? s->conn.since_ns : 0;
}

/* When a server was first looked for. */
uint64_t session_served_ns(const struct session *s);
/* When it could have been connected, had it not waited: for the rules that inspect it, and in a queue. */
uint64_t session_queued_until_ns(const struct session *s);

/* A connection that nobody serves yet. Its gates count it, and its set has a holder for it while it is handed over. */
struct accepted {
	int fd;
	struct endpoint client;
	const struct set_listener *at;
};

#endif
