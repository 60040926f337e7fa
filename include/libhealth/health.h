/* SPDX-License-Identifier: MIT */
/*
 * The engine runs checks: it starts each one in its time, does its I/O, feeds its filter and tells
 * the host. It owns no thread, no loop and no signal: the host polls one fd, sleeps until one
 * deadline and calls one function.
 *
 *	struct pollfd p = { .fd = health_engine_fd(e), .events = POLLIN };
 *	for (;;) {
 *		poll(&p, 1, ms_until(health_engine_deadline(e)));
 *		health_engine_dispatch(e, now_ns());
 *	}
 *
 * A check is a target, a probe (libhealth/probe.h), a filter (libhealth/filter.h) and a userdata.
 *
 * Times are CLOCK_MONOTONIC nanoseconds given by the host; they never go back. An engine, its
 * checks and their probes belong to one thread at a time. Calls that are handed NULL for an object
 * do nothing or return -EINVAL.
 *
 * Callbacks come only from health_engine_dispatch and from the calls that say so, after engine and
 * check are whole again. Inside one, every call is allowed (a check may remove itself and others)
 * but health_engine_dispatch, which returns -EBUSY, and health_engine_free, which asserts.
 */
#ifndef LIBHEALTH_HEALTH_H
#define LIBHEALTH_HEALTH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <libhealth/filter.h>
#include <libhealth/probe.h>
#include <libhealth/transport.h>
#include <libhealth/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct health_engine;
struct health_check;
struct health_watcher;

#define HEALTH_CHECKS_MAX 1000000     /* checks of one engine; more: -ENOSPC */
#define HEALTH_IN_FLIGHT_DEFAULT 4096 /* checks that may run at once; each has one fd */
#define HEALTH_RATE_LEAST 5000	      /* check starts per second, at least, without a limit given */
#define HEALTH_BURST_LEAST 32	      /* check starts at once, at least, likewise */
#define HEALTH_BATCH_DEFAULT 256      /* events, timers and starts of each kind in one dispatch */
#define HEALTH_BATCH_MAX 4096	      /* the highest `batch` */
/* A start counts as late when it is this far behind its plan, the slack added. */
#define HEALTH_LATE_NS UINT64_C(20000000)
#define HEALTH_SLACK_MAX_NS UINT64_C(20000000) /* the highest `slack_ns` */
#define HEALTH_SLACK_SHARE 20	     /* the slack is at most 1/20 of an interval, see slack_ns */
#define HEALTH_JITTER_MAX_PERCENT 50 /* HAProxy's limit of `spread-checks` */
#define HEALTH_DEVICE_MAX 15	     /* characters of a device name (IFNAMSIZ - 1) */
#define HEALTH_NAME_MAX 253	     /* characters of a host name (RFC 1035 §2.3.4) */
#define HEALTH_PREAMBLE_MAX 256	     /* bytes of a preamble */
#define HEALTH_HISTORY_MAX 4096	     /* results a check may remember */

/* How one check ended. Lives until the callback returns. */
struct health_result {
	size_t size;
	enum health_verdict verdict;
	enum health_code code;
	enum health_phase phase; /* how far it came */
	int error;		 /* errno that ended it; ETIMEDOUT: the system's, or a time limit; 0: none */
	uint32_t status;	 /* the protocol's own number (HTTP status, DNS rcode); 0: none */
	uint64_t start_ns;	 /* absolute */
	uint64_t late_ns;	 /* how far behind its plan it started */
	uint64_t connect_ns;	 /* start to connected; 0: never was */
	uint64_t total_ns;	 /* start to end; as exact as the host's dispatch times */
	const char *text;	 /* printable, shorter than HEALTH_TEXT_MAX, "" rather than NULL */
	/* When each phase was over, from the start; 0: it was not reached, or there was none. */
	uint64_t name_ns;	/* the name was found */
	uint64_t tls_ns;	/* the TLS handshake was complete */
	uint64_t first_byte_ns; /* the first bytes of an answer came */
	int64_t tls_expires_s;	/* Unix time when the server's certificate expires; 0: unknown */
	uint32_t tls_resumed;	/* not 0: an earlier TLS session was taken up again */
	uint32_t reserved;	/* 0 */
	struct health_advice advice; /* what the server said of itself beyond up and down */
};

/* A change of state. Lives until the callback returns. */
struct health_transition {
	size_t size;
	enum health_state from, to;
	enum health_reason reason;
	enum health_code code; /* of the last check; HEALTH_CODE_INI before the first */
	uint64_t now_ns;
	uint32_t ok_run, fail_run; /* successes and failures in a row, this one included */
	uint32_t rise, fall;	   /* as configured: "3/3 failures" */
};

/* What a socket of a check must be, for health_engine_ops.open_socket. */
struct health_socket_want {
	size_t size;
	int family;	    /* AF_INET, AF_INET6, AF_UNIX */
	int type;	    /* SOCK_STREAM, SOCK_DGRAM */
	int protocol;	    /* 0 */
	uint32_t fwmark;    /* SO_MARK; 0: none */
	const char *device; /* SO_BINDTODEVICE: interface or VRF; NULL: none */
	const struct sockaddr *destination;
	socklen_t destination_len;
	int netns_fd;	      /* the namespace it has to be opened in; 0: this one */
	uint32_t transparent; /* not 0: IP_TRANSPARENT, to bind to foreign addresses */
	uint32_t reserved;    /* 0 */
};

/* What a program of a check must be, for health_engine_ops.open_process. */
struct health_process_want {
	size_t size;
	const char *const *argv; /* argv[0] is the path; ends with NULL */
	const char *const *envp; /* the whole environment; ends with NULL */
	int output_fd; /* becomes stdout and stderr; the callee's own to close; stdin: /dev/null */
	/* It has to lead a process group of its own (setpgid(2)), so that all of it can be killed. */
	pid_t *ret_pid; /* the callee sets it */
};

/* The host's side. Every entry may be NULL. `userdata` is the check's, but for open_socket. */
struct health_engine_ops {
	size_t size;
	/* A check ended; also for health_check_report. Called before `transition`. */
	void (*result)(struct health_check *check, const struct health_result *r, void *userdata);
	/* A check's filter changed its mind. */
	void (*transition)(struct health_check *check, const struct health_transition *t,
			   void *userdata);
	/*
	 * For hosts without capabilities: returns a new socket as `want` says, fwmark and device
	 * already set, or -errno (the check then ends as HEALTH_CODE_SOCKERR). The engine owns it,
	 * makes it non-blocking and close-on-exec, binds and connects it. It must not call the
	 * engine. NULL: the engine opens sockets itself (fwmark needs CAP_NET_ADMIN).
	 */
	int (*open_socket)(const struct health_socket_want *want, void *engine_userdata);
	/*
	 * For hosts that run programs as other users or in a cage: starts `want` and returns its pid
	 * file descriptor (pidfd_open(2), clone3(2)), or -errno. The engine owns it. It must not call
	 * the engine. NULL: the engine starts programs itself, as its own user.
	 */
	int (*open_process)(const struct health_process_want *want, void *engine_userdata);
};

struct health_engine_opts {
	size_t size;
	const struct health_engine_ops *ops; /* copied; NULL: no callbacks */
	void *userdata;			     /* for open_socket */
	/* Of all spreading: the same seed and the same checks give the same times. Give every node
	 * its own, so that they do not check at the same moments. */
	uint64_t seed;
	uint32_t max_in_flight; /* 0: HEALTH_IN_FLIGHT_DEFAULT; due checks beyond it wait */
	/* Starts per second. 0: a quarter more than what the checks ask for by their intervals, at least
	 * HEALTH_RATE_LEAST: an engine that was kept from its work makes up for it, but not all at once. */
	uint32_t rate;
	/* Starts at once within that. 0: those of 5.5 ms, at least HEALTH_BURST_LEAST. */
	uint32_t burst;
	uint32_t batch; /* bound of the work of one dispatch; 0: HEALTH_BATCH_DEFAULT */
	/* "192.0.2.53,[2001:db8::53]:5353": whom to ask for names; NULL: the system's (resolv.conf(5),
	 * read when the first check with a name is added). A word that is none: -EINVAL from there. */
	const char *name_servers;
	/*
	 * How long a start may wait for others, so that they share a wake-up and warm caches: it moves from its plan to
	 * the next multiple of this. A check whose interval is less than HEALTH_SLACK_SHARE times as long is not moved.
	 * 0: all start as planned; at most HEALTH_SLACK_MAX_NS. The wait stands in late_ns.
	 */
	uint64_t slack_ns;
};

/*
 * Makes an engine. `o` NULL: defaults. 0; -EINVAL: a limit out of range or ret is NULL; -E2BIG:
 * unknown fields, here or in the ops; -ENOMEM, -EMFILE, -ENFILE.
 */
LIBHEALTH_API int health_engine_new(const struct health_engine_opts *o, struct health_engine **ret);

/* Removes all checks without a callback, closes everything. Not inside a callback (asserts). */
LIBHEALTH_API void health_engine_free(struct health_engine *e);

/* The fd to poll for reading: constant, the engine's own. */
LIBHEALTH_API int health_engine_fd(const struct health_engine *e);

/* When to dispatch at the latest: absolute. Past: at once; UINT64_MAX: when the fd is readable. */
LIBHEALTH_API uint64_t health_engine_deadline(const struct health_engine *e);

/*
 * Does what is due: never blocks, bounded by `batch`; what is left makes the deadline past or the
 * fd readable. 0; -EBUSY inside a callback; -EINVAL.
 */
LIBHEALTH_API int health_engine_dispatch(struct health_engine *e, uint64_t now_ns);

#define HEALTH_ADAPTIVE_PERCENT_MAX 10000
#define HEALTH_ADAPTIVE_LEAST 8 /* good answers within the window, before there is a mean */

/*
 * A good answer that comes much later than usual is a failure (F5's adaptive response time): HEALTH_FAIL, with
 * HEALTH_CODE_L4TOUT, L6TOUT, L7TOUT or PROCTOUT after how far the check went, and both times as text. Usual is the
 * mean of the good answers within a sliding window, slow ones included, so that a server that stays slower is
 * accepted when the window has passed. A time is that of the whole check (health_result.total_ns), as
 * the host's dispatch times show it.
 */
struct health_adaptive_opts {
	size_t size;
	/* More than the mean by so many percent, at most HEALTH_ADAPTIVE_PERCENT_MAX, or by so much time. Only
	 * one of the two may be set; neither is 25 % (F5). */
	uint32_t percent;
	uint32_t reserved; /* 0 */
	uint64_t over_ns;
	uint64_t limit_ns;  /* never more than this; 0: no such limit (F5's is 200 ms) */
	uint64_t window_ns; /* 0: 5 minutes; at least HEALTH_INTERVAL_MIN_NS */
};

/* Bits of health_check_opts.flags. */
#define HEALTH_CHECK_AT_ONCE 1u /* the first check at the next dispatch, within `rate` */
/* Intervals count from the end of a check (keepalived), shortened by how late it started, by at most an eighth. */
#define HEALTH_CHECK_FROM_END 2u
#define HEALTH_CHECK_REFUSED_NOW 4u  /* a refused or reset connection is HEALTH_FAIL_NOW (F5) */
#define HEALTH_CHECK_PAUSED 8u	     /* added paused */
#define HEALTH_CHECK_FED 16u	     /* never asked, only told: see health_check_report */
#define HEALTH_CHECK_STARTTLS 32u    /* TLS begins where the probe asks for it, not at once */
#define HEALTH_CHECK_TRANSPARENT 64u /* IP_TRANSPARENT: the source may be a foreign address */

/*
 * One check. All is copied; the probe is shared (see health_probe_free).
 *
 * Its plan: the first start lies in [0, start_within_ns) after the next dispatch, spread evenly
 * over the engine's checks from (seed, id), or at first_after_ns; then one start per health_filter_interval_ns after the
 * last, whether the engine was late or not. A slot that comes while the check still runs is skipped
 * and counted.
 */
struct health_check_opts {
	size_t size;
	const struct sockaddr *destination; /* AF_INET, AF_INET6 with a port, or AF_UNIX */
	socklen_t destination_len;
	const struct sockaddr *source; /* to bind to, same family; NULL: the system's choice */
	socklen_t source_len;
	const char *device;			 /* interface or VRF to bind to; NULL or "": none */
	uint32_t fwmark;			 /* SO_MARK; 0: none */
	uint32_t flags;				 /* HEALTH_CHECK_…; an unknown bit is -EINVAL */
	struct health_probe *probe;		 /* NULL: TCP connect */
	const struct health_filter_opts *filter; /* NULL: HAProxy's defaults */
	uint64_t timeout_ns; /* for the whole check; 0: the filter's interval_ns (HAProxy) */
	uint64_t connect_timeout_ns; /* for the connection alone; 0: timeout_ns */
	uint64_t start_within_ns;    /* keepalived's warmup; 0: the filter's interval_ns */
	uint32_t jitter_percent; /* each interval is up to so much shorter or longer; at most 50 */
	/* Names the check in all spreading; 0: counted by the engine. Consecutive ids spread best;
	 * the same id twice is allowed, and checks at the same moments. */
	uint64_t id;
	/* TLS or the like over the connection (libhealth/transport.h). Copied; NULL: none. */
	const struct health_transport *transport;
	/*
	 * Instead of a destination: a host name, or an address in text. A name is looked up before a
	 * check when its last answer is older than its TTL (at least HEALTH_NAME_TTL_MIN_NS), without
	 * blocking; of several addresses the first is asked, as the resolver has sorted them (RFC
	 * 6724). No such name: HEALTH_FAIL, HEALTH_CODE_L4CON. No word from any name server: the last
	 * address goes on, and without one the check is HEALTH_NEUTRAL. A library built without c-ares
	 * takes addresses only: a name is -EOPNOTSUPP (health_has_names).
	 */
	const char *host;
	uint16_t port;	 /* of `host`; 1 to 65535 */
	uint16_t family; /* of `host`: AF_INET, AF_INET6; 0: either */
	uint32_t tos;	 /* IP_TOS, IPV6_TCLASS: the whole byte, at most 255; 0: the default */
	/* The network namespace to ask from (names are looked up here); stays open and the host's; 0: here.
	 * Entering it takes CAP_SYS_ADMIN. */
	int netns_fd;
	uint32_t history;     /* results to remember, at most HEALTH_HISTORY_MAX; 0: none */
	const void *preamble; /* sent first on every connection, before TLS (PROXY protocol) */
	size_t preamble_len;  /* at most HEALTH_PREAMBLE_MAX */
	/* Limits of single phases within timeout_ns, each from its own beginning; 0: none. */
	uint64_t name_timeout_ns;	/* looking the name up */
	uint64_t tls_timeout_ns;	/* the handshake */
	uint64_t send_timeout_ns;	/* handing over what the probe sends */
	uint64_t first_byte_timeout_ns; /* from then to the first byte of an answer */
	const struct health_adaptive_opts *adaptive; /* NULL: any time within timeout_ns is good */
	/*
	 * For hosts that spread first starts themselves (HAProxy: by place in the configuration): the first one comes so
	 * long after the next dispatch. Every later beginning, as after a pause, lies within start_within_ns.
	 * 0: so does the first; at once is HEALTH_CHECK_AT_ONCE, which goes before.
	 */
	uint64_t first_after_ns;
};

#define HEALTH_NAME_TTL_MIN_NS UINT64_C(1000000000) /* an answer is good for 1 s at least */

/* True: this library was built with c-ares and looks names up. Any thread. */
LIBHEALTH_API bool health_has_names(void);

/*
 * Adds a check. `userdata` comes back in its callbacks. The check lives until health_check_remove
 * or health_engine_free. 0; -EINVAL: an address, name, time or flag out of range; -EAFNOSUPPORT:
 * the family; -EOPNOTSUPP: a name without c-ares; -E2BIG: unknown fields, here or in the options
 * within; -ENOSPC: HEALTH_CHECKS_MAX; -ENOMEM; or what the transport's target_new returned.
 */
LIBHEALTH_API int health_check_add(struct health_engine *e, const struct health_check_opts *o,
				   void *userdata, struct health_check **ret);

/* Ends the check at once, without a callback; the pointer is dead. NULL is fine. */
LIBHEALTH_API void health_check_remove(struct health_check *c);

/* The userdata given to health_check_add. */
LIBHEALTH_API void *health_check_userdata(const struct health_check *c);

/* The filter's state. */
LIBHEALTH_API enum health_state health_check_state(const struct health_check *c);

/*
 * Pauses (a running check ends without a result; the state stays) or goes on: the next start is
 * spread as at first and the filter's clocks start anew. Paused twice is paused once.
 */
LIBHEALTH_API void health_check_set_paused(struct health_check *c, bool paused);

/* Starts the check at the next dispatch, outside its plan, unless it is paused or running. */
LIBHEALTH_API void health_check_run_now(struct health_check *c);

/*
 * A passive observation: traffic showed what a check would have. Feeds the filter as a check does,
 * with code HEALTH_CODE_HANA for a failure; when that shortens the interval the next start moves
 * forward (HAProxy on-error: HEALTH_FAIL is fail-check, HEALTH_FAIL_NOW is mark-down). Calls back.
 * Ignored while paused.
 *
 * With HEALTH_CHECK_FED it is all there is: for states that others find out, as BFD sessions, traps or
 * a cluster's word. Such a check needs no destination, never starts, and with `silence_ns` goes down
 * when nobody speaks.
 */
LIBHEALTH_API void health_check_report(struct health_check *c, enum health_verdict verdict,
				       uint64_t now_ns);

/* health_filter_set, _resume and _override for a check; they call `transition` when the state changes. */
LIBHEALTH_API void health_check_set(struct health_check *c, enum health_start start,
				    uint64_t now_ns);
LIBHEALTH_API void health_check_resume(struct health_check *c, uint64_t now_ns);
LIBHEALTH_API void health_check_override(struct health_check *c, enum health_override o,
					 uint64_t now_ns);

/*
 * Many users of one check: each watcher hears its results and transitions after the check's own
 * callbacks. `ops` is copied; its open_socket and open_process are ignored. A user with another policy
 * feeds a health_filter of its own in `result`. The watcher ends with health_watcher_remove, or with the
 * check. 0; -EINVAL; -E2BIG; -ENOMEM.
 */
LIBHEALTH_API int health_check_watch(struct health_check *c, const struct health_engine_ops *ops,
				     void *userdata, struct health_watcher **ret);
LIBHEALTH_API void health_watcher_remove(struct health_watcher *w);

/* One remembered result. Grows only with the SONAME. */
struct health_past {
	uint64_t start_ns, total_ns;
	uint32_t status;
	int32_t error;
	uint16_t verdict, code, phase; /* the enums of health_result */
	uint16_t state;		       /* enum health_state after it */
};

/*
 * Copies at most `max` remembered results to `ret`, the latest first. How many; -EINVAL: an argument is
 * NULL.
 */
LIBHEALTH_API ssize_t health_check_history(const struct health_check *c, struct health_past *ret,
					   size_t max);

/*
 * State for a successor: another process after an update, a standby, a file over a restart (HAProxy's
 * server-state). freeze writes at most HEALTH_FREEZE_MAX bytes: the filter (health_filter_freeze), the
 * plan, the counters and the last result without its text; the host keeps them by its own name for the check. thaw into a check just added,
 * before its first dispatch: the state and the time of the next start go on without a callback; what a
 * check *is* comes from its options. Times are carried as ages, so another clock may read them.
 * freeze: bytes written; -ENOBUFS: `cap` is too small. thaw: 0; -EBUSY: the check was dispatched
 * already; -EBADMSG: not such bytes, or of another version; nothing changed.
 */
#define HEALTH_FREEZE_MAX 256
LIBHEALTH_API ssize_t health_check_freeze(const struct health_check *c, uint64_t now_ns, void *buf,
					  size_t cap);
LIBHEALTH_API int health_check_thaw(struct health_check *c, uint64_t now_ns, const void *buf,
				    size_t len);

/* All there is to show of one check. */
struct health_check_status {
	size_t size;
	uint64_t id;
	uint8_t paused, running; /* not 0: is */
	enum health_state state;
	enum health_verdict verdict; /* of the last check; NEUTRAL before the first */
	enum health_code code;	     /* HEALTH_CODE_INI before the first */
	enum health_phase phase;
	int error;
	uint32_t status;
	uint64_t last_start_ns; /* absolute; 0: none yet */
	uint64_t last_total_ns;
	uint64_t next_ns;  /* absolute, planned; UINT64_MAX: running, waiting its turn or paused */
	uint64_t runs;	   /* checks ended */
	uint64_t failures; /* of these: HEALTH_FAIL and HEALTH_FAIL_NOW */
	uint64_t late;	   /* starts later than HEALTH_LATE_NS and the slack */
	uint64_t skipped;  /* slots of the plan that could not be kept */
	char text[HEALTH_TEXT_MAX]; /* of the last check */
};

/* Copies out. 0; -EINVAL: an argument is NULL, or ret is too small for its size field. */
LIBHEALTH_API int health_check_status(const struct health_check *c,
				      struct health_check_status *ret);

/* health_filter_status of the check's filter. The same errors. */
LIBHEALTH_API int health_check_filter_status(const struct health_check *c,
					     struct health_filter_status *ret);

/* Sums since health_engine_new. Nothing slips silently: what could not start in time is here. */
struct health_engine_stats {
	size_t size;
	uint64_t checks;    /* now */
	uint64_t in_flight; /* now */
	uint64_t waiting;   /* now: due, kept back by max_in_flight or rate */
	uint64_t in_flight_peak;
	uint64_t started;
	uint64_t ok;	   /* ended with a success */
	uint64_t failed;   /* ended with a failure */
	uint64_t neutral;  /* ended without a word about the target: the checker's own trouble */
	uint64_t timeouts; /* of failed: by time */
	uint64_t late;	   /* starts later than HEALTH_LATE_NS and the slack */
	uint64_t late_max_ns;
	uint64_t skipped; /* slots of a plan that could not be kept */
	uint64_t transitions;
};

/* Copies out. 0; -EINVAL: an argument is NULL, or ret is too small for its size field. */
LIBHEALTH_API int health_engine_stats(const struct health_engine *e,
				      struct health_engine_stats *ret);

#ifdef __cplusplus
}
#endif
#endif
