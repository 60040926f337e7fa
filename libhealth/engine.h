/* SPDX-License-Identifier: MIT */
/*
 * The inside of the engine. A check is always in exactly one of these conditions:
 *
 *	PAUSED     nowhere
 *	FRESH      in engine.fresh: waits for a dispatch to give it a time
 *	FED        nowhere: never asked, only told (health_check_report)
 *	IDLE       in engine.timers: waits for that time
 *	WAITING    in engine.waiting: due, waits for a token and a free place
 *	NAME       its name is being looked up              ┐
 *	CONNECT    has an fd, not connected                 │ in flight: has its timeout in
 *	HANDSHAKE  connected, TLS does not stand yet        │ engine.timers
 *	TALK       the dialogue goes on; or a program runs  │
 *	LINGER     has its answer, hears a last word of TLS ┘
 *
 * engine.c moves checks between them and holds the one dispatch; check.c judges, plans and tells, and is
 * what the host asks of one check. How a run is carried is its hand: conn.c over a socket (opened by
 * socket.c), exec.c by a program, file.c by reading a file.
 */
#ifndef LIBHEALTH_ENGINE_H
#define LIBHEALTH_ENGINE_H

#include <netinet/in.h>
#include <stdalign.h>
#include <sys/socket.h>

#include <libhealth/health.h>

#include "base/heap.h"
#include "base/list.h"
#include "dialogue.h"
#include "spread.h"

#define UNPLANNED UINT64_MAX /* planned_ns of a check that runs out of its turn */
#define RECEIVE_BYTES 16384  /* of one recv; a TLS record fits */

enum condition { PAUSED, FRESH, FED, IDLE, WAITING, NAME, CONNECT, HANDSHAKE, TALK, LINGER };

/* What an epoll event points to. */
struct watch {
	void (*event)(struct watch *w, uint32_t events, uint64_t now_ns);
};

struct resolver;
struct name;

/* health_check_watch */
struct health_watcher {
	struct list node;  /* health_check.watchers */
	struct list grave; /* engine.gone */
	struct health_check *check;
	struct health_engine_ops ops;
	void *userdata;
	bool gone;
};

struct health_engine {
	struct health_engine_ops ops;
	void *userdata;
	uint64_t seed;
	uint32_t max_in_flight, batch;
	uint32_t rate, burst; /* as given; 0: by the demand */
	uint64_t slack_ns;
	uint64_t demand;      /* starts in 10^9 seconds that the checks ask for */
	int epoll_fd;
	int home_netns;	    /* opened when a check lives in another one; -1: not yet */
	unsigned int depth; /* > 0: inside a call that may call back */
	struct bucket bucket;
	struct health_probe *tcp; /* for checks without a probe */
	struct heap timers;	  /* health_check.timer: starts and timeouts */
	struct heap filters;	  /* health_check.filter_timer: silence and settling */
	struct list checks;
	struct list fresh, waiting;
	struct list graves;	   /* removed inside a callback; freed when it is safe */
	struct list gone;	   /* watchers, the same */
	char *name_servers;	   /* for the resolver; NULL: the system's */
	struct list orphans;	   /* programs whose check is done with them: see exec.c */
	struct resolver *resolver; /* made for the first name */
	uint64_t next_id;
	struct health_engine_stats stats;
	uint8_t received[RECEIVE_BYTES];
};

/* How a run is carried. Each may finish the check, and then touches it no more. */
struct hand {
	void (*start)(struct health_check *c, uint64_t now_ns);
	void (*event)(struct health_check *c, uint32_t events, uint64_t now_ns);
	void (*timeout)(struct health_check *c, uint64_t now_ns);
	/* Gives back all a run holds; harmless without a run. */
	void (*close)(struct health_check *c);
};

extern const struct hand conn_hand, exec_hand, file_hand;

/* Limits of single phases, from their beginning; 0: none but the whole check's. */
struct phases {
	uint64_t name_ns, tls_ns, send_ns, first_byte_ns;
};

/* The way out of this machine, when it is not the usual one. */
struct way {
	struct sockaddr_storage source;
	socklen_t source_len; /* 0: the system's choice */
	char device[HEALTH_DEVICE_MAX + 1];
	uint32_t fwmark, tos;
	int netns_fd; /* the host's; 0: here */
	bool transparent;
	uint16_t preamble_len;
	uint8_t preamble[HEALTH_PREAMBLE_MAX];
};

/* Of this run; 0: not reached. As in health_result. */
struct times {
	uint64_t name_ns, connect_ns, tls_ns, first_byte_ns;
};

/* What a check needs only while it is in flight: of thousands few are. */
struct run {
	struct times times;
	void *process; /* of exec_hand */
	void *channel; /* TLS; NULL: none */
	int64_t tls_expires_s;
	char *warning; /* owned; the text of at_best */
	bool tls_resumed;
	uint8_t at_best; /* enum health_verdict: what TLS makes of a success; NEUTRAL: nothing */
	bool watched;	 /* in the epoll set */
	bool spoken;	 /* the connection carries bytes of the dialogue */
	bool heard;	 /* and some of the server */
	uint16_t port;	 /* of this connection, when the probe chose one; 0: the destination's */
	uint16_t reconnects;
	struct sockaddr_storage to; /* likewise an address */
	socklen_t to_len;	    /* 0: the destination's */
	int fd;	     /* -1: none */
	int port_fd; /* holds the port of a half-open check; -1: none */
	enum health_step then; /* TLS: begins when all is sent */
	struct dialogue dialogue;
	const uint8_t *send;
	size_t send_len;
	alignas(max_align_t) unsigned char state[]; /* the probe's */
};

struct adaptive;

struct history {
	uint32_t cap, n; /* n: entries ever written */
	struct health_past past[];
};

struct health_check {
	struct watch watch;
	const struct hand *hand;
	struct health_engine *engine;
	void *userdata;
	struct list all;   /* engine.checks or engine.graves */
	struct list queue; /* engine.fresh or engine.waiting; NAME: the resolver's */
	struct heap_node timer, filter_timer;
	enum condition condition;
	bool removed;
	bool at_once; /* FRESH: not spread */
	bool thawed;  /* FRESH: has its time already */
	bool delayed; /* FRESH: planned_ns counts from the next dispatch */
	struct list watchers;

	/* what it is */
	struct health_probe *probe;
	struct sockaddr *destination; /* owned; with a name: the address last asked; or NULL */
	socklen_t destination_len;
	uint32_t flags, jitter_percent;
	struct name *name; /* the resolver's; NULL: the destination was given */
	in_port_t name_port;
	struct way *way;
	struct phases *phases;
	struct adaptive *adaptive; /* NULL: none */
	uint64_t timeout_ns, connect_timeout_ns, start_within_ns;
	uint64_t demand_ns; /* its part of engine.demand, as an interval; 0: none */
	uint64_t id;

	/* TLS; NULL: none */
	const struct health_transport_ops *transport;
	void *target;

	/* the plan, and the run that goes on */
	uint64_t planned_ns, start_ns, late_ns;
	uint64_t starts;
	struct run *run; /* NULL: none, or there was no memory for it */

	/* what came of it */
	struct health_filter filter;
	struct health_past last; /* the result, and `text` */
	char *text; /* NULL: "" */
	uint64_t runs, failures, late, skipped;
	struct history *history;
};

static inline bool check_in_flight(const struct health_check *c)
{
	return c->condition >= NAME;
}

/* The port, not 0 when there is one; its byte order is of no interest here. */
static inline in_port_t address_port(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)sa)->sin_port;
	if (sa->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)(const void *)sa)->sin6_port;
	return 0;
}

/* Where this connection of the run goes. */
static inline const struct sockaddr *run_target(const struct health_check *c)
{
	return c->run->to_len ? (const struct sockaddr *)&c->run->to : c->destination;
}

static inline socklen_t run_target_len(const struct health_check *c)
{
	return c->run->to_len ? c->run->to_len : c->destination_len;
}

static inline void address_set_port(struct sockaddr *sa, in_port_t port)
{
	if (sa->sa_family == AF_INET)
		((struct sockaddr_in *)(void *)sa)->sin_port = port;
	if (sa->sa_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)sa)->sin6_port = port;
}

static inline bool check_is_datagram(const struct health_check *c)
{
	return c->probe->ops.flags & HEALTH_PROBE_DATAGRAM;
}

/* engine.c */

/* Around calls that may call back; the outermost leave frees what was removed meanwhile. */
void engine_enter(struct health_engine *e);
void engine_leave(struct health_engine *e);

/* A check leaves whatever condition it is in, for PAUSED; a run ends without a result. */
void check_halt(struct health_check *c);
/* From PAUSED: the next dispatch gives it a time. */
void check_refresh(struct health_check *c, bool at_once);
/* Nowhere or FRESH or IDLE: now it waits its turn to start. */
void check_enqueue(struct health_check *c);
/* From now on it asks for a start each interval_ns; 0: for none. */
void check_demand(struct health_check *c, uint64_t interval_ns);
/* Arms the timer of a check for the planned start, or when the others of its time start. */
void check_arm_start(struct health_check *c);
/* Arms it for a phase of the run that may last so long (0: no limit of its own), or its whole end. */
void check_arm_phase(struct health_check *c, uint64_t limit_ns, uint64_t now_ns);

/* check.c */

/* A run ended with this answer: takes it down, feeds the filter, plans the next, tells the host. */
void check_finish(struct health_check *c, const struct health_probe_io *answer, int error,
		  uint64_t now_ns);
/* The same, by the checker's own trouble: no verdict about the target, which would be blamed for it. */
void check_finish_local(struct health_check *c, const char *where, int error, uint64_t now_ns);
/* The filter's clock rang. */
void check_tick(struct health_check *c, uint64_t now_ns);
/* The clock of the filter follows what the filter says. */
void check_arm_filter(struct health_check *c);
void check_free(struct health_check *c);

/* watcher.c */

void watcher_free(struct health_watcher *w);
/* Tells all watchers; stops when the check is removed. */
void watchers_tell(struct health_check *c, const struct health_result *result,
		   const struct health_transition *transition);

/* socket.c */

/* Opens, tunes and binds the socket of a run. An fd, or -errno with the step that failed. */
int socket_open(struct health_check *c, const char **ret_where);
/* 0: connected; -EINPROGRESS: under way. */
int socket_connect(const struct health_check *c);
/* For a raw TCP socket that is connected: its own end, with a port that c->port_fd holds. 0 or -errno. */
int socket_half_open(struct health_check *c, struct sockaddr_storage *ret_local);
int socket_set_int(int fd, int level, int name, int value);

/* exec.c */

/* When the first orphan has to be killed; HEAP_NEVER: none. */
uint64_t orphans_deadline(const struct health_engine *e);
void orphans_ring(struct health_engine *e, uint64_t now_ns);
/* Kills them all; waits for them only a moment. */
void orphans_free(struct health_engine *e);

#endif
