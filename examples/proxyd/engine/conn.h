/* SPDX-License-Identifier: MIT */
/*
 * The life of a proxied connection, without the I/O: what the sockets report goes in, what to do
 * next comes out. It knows no file descriptor, no clock and no memory but its own.
 *
 *	QUEUED ──► CONNECTING ──► OPEN ──► OVER
 *	   ▲         │    ▲
 *	   └─────────┘    └── RETRY (a second's rest before the same server)
 *
 * Each end (client, server) has a direction that leaves it; bytes read from one end go to the other
 * at once, and what does not fit there is `pending` for it. While something is pending for an end
 * its peer is not read: that is all the backpressure there is.
 *
 * End of stream: a FIN of one end is passed on with shutdown() when all before it is sent, and the
 * other direction goes on (half-close). When both ends have sent their FIN and nothing is pending,
 * both sockets are just closed.
 */
#ifndef PROXYD_ENGINE_CONN_H
#define PROXYD_ENGINE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONN_NEVER UINT64_MAX
#define CONN_RETRY_NS UINT64_C(1000000000) /* HAProxy's rest before the same server again */

enum conn_end {
	CONN_CLIENT = 0,
	CONN_SERVER = 1,
};

enum conn_state {
	CONN_QUEUED,	 /* no server may take it now */
	CONN_CONNECTING, /* a socket to the server, not connected yet */
	CONN_RETRY,	 /* waits, then connects again */
	CONN_OPEN,
	CONN_OVER, /* to be closed */
};

struct conn_side {
	bool readable : 1, writable : 1; /* until the socket says it would block */
	bool urgent : 1;		 /* reads may stop short at an urgent byte (RFC 6093) */
	bool hup : 1;			 /* its FIN was announced: read on until it is seen */
	bool fin : 1;			 /* and no reset: behind a short read lies nothing else */
	bool eof : 1;			 /* no more bytes come from it */
	bool shut : 1;			 /* it got our FIN, or cannot be written to any more */
	bool independent : 1; /* option independent-streams: what it is sent does not put its timeout off */
	bool broken : 1;    /* reset, or a failed write: what is meant for it is dropped */
	uint32_t pending;   /* bytes that wait to go to it */
	uint64_t active_ns; /* when bytes last moved at this end */
	uint64_t bytes;	    /* read from it */
};

/* Why it ended, in the letters of HAProxy's log: who, and in which phase. */
struct conn_end_cause {
	char who;   /* C S client, server aborted; c s its timeout; R resource; D U on-marked-…; '-' normal */
	char phase; /* Q queue, C connect, D data, '-' */
};

/* Attempts to connect, for one connection or request. */
struct conn_attempts {
	uint8_t failures; /* at most `retries` + 1 */
	bool redispatched;
};

struct conn {
	enum conn_state state;
	struct conn_end_cause cause;
	bool sooner; /* the deadline may have come nearer; bytes only put it off */
	bool opened; /* it has been OPEN, since `since_ns` */
	struct conn_side side[2];
	uint64_t since_ns; /* when this state began */
};

struct conn_timeouts {
	uint64_t client_ns, server_ns, connect_ns, queue_ns, tunnel_ns, client_fin_ns,
	    server_fin_ns; /* 0: never */
};

/* An end that is independent has said nothing in its time: it says no more, and may hear on. False: another thing has expired. */
bool conn_expire_half(struct conn *c, const struct conn_timeouts *t);

/* What to do next. */
enum conn_action {
	CONN_WAIT,  /* nothing until the sockets or the clock speak again */
	CONN_READ,  /* read from `end` and give it to the other */
	CONN_FLUSH, /* send what is pending for `end` */
	CONN_SHUT,  /* shutdown(SHUT_WR) of `end` */
	CONN_CLOSE, /* close everything */
};

struct conn_step {
	enum conn_action action;
	enum conn_end end;
};

/* A client was accepted; it has no server yet. */
void conn_begin(struct conn *c, uint64_t now_ns);

/* The state changes that the host decides: a server was found, there is none now. */
void conn_set_state(struct conn *c, enum conn_state state, uint64_t now_ns);

/* The next step. Asked again after each one was done, until CONN_WAIT or CONN_CLOSE. */
struct conn_step conn_next(const struct conn *c);

/* What came of it. `would_block`: the socket has no more to give, or to take. */
void conn_did_read(struct conn *c, enum conn_end end, size_t n, bool would_block, uint64_t now_ns);
void conn_did_send(struct conn *c, enum conn_end end, size_t n, size_t pending, bool would_block,
		   uint64_t now_ns);
void conn_did_shut(struct conn *c, enum conn_end end);

/* A FIN arrived. */
void conn_saw_eof(struct conn *c, enum conn_end end);

/* Reading or writing failed for good. */
void conn_saw_error(struct conn *c, enum conn_end end);

/* Ends it, the first cause stays. */
void conn_end(struct conn *c, char who, char phase);

/*
 * When the clock matters next; CONN_NEVER: it does not. Whoever armed a timer for it needs to ask again
 * only when that fires or `sooner` is true, which is the host's to clear.
 */
uint64_t conn_deadline(const struct conn *c, const struct conn_timeouts *t);

/*
 * The deadline has passed: ends the connection and says why; in CONNECTING and RETRY it leaves the
 * state to the host and returns false.
 */
bool conn_expire(struct conn *c, const struct conn_timeouts *t, uint64_t now_ns);

enum conn_retry {
	CONN_RETRY_SAME, /* rest, then the same server */
	CONN_REDISPATCH, /* another server, at once */
	CONN_GIVE_UP,
};

/*
 * An attempt to connect failed. `retries` is HAProxy's word; `redispatch` too: 0 never, n at every
 * n-th retry, -n at the n-th before the last.
 */
enum conn_retry conn_connect_failed(struct conn_attempts *a, unsigned retries, int redispatch);

#endif
