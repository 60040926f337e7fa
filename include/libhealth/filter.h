/* SPDX-License-Identifier: MIT */
/*
 * The filter turns a stream of verdicts ("this check passed", "this one failed") into a state that
 * does not flap, and says how long to wait before the next check. It is pure: no I/O, no clock, no
 * heap; use it alone, or let the engine (libhealth/health.h) drive one per check.
 *
 * One machine covers four schools, each a preset (health_filter_preset):
 *
 *              up -> down                  down -> up                  starts
 *  HAProxy     `fall` failures in a row    `rise` successes in a row   up; one failure drops it
 *  keepalived  1 + `retry` failures in a   one success                 the same; or down (`alpha`)
 *              row, `retry_ns` apart
 *  F5          no success for `silence_ns` one, then `settle_ns`       unknown
 *                                          without a failure
 *  Envoy       `fall`, or one fail-now     `rise`; the first ever: 1   unknown
 *
 * Time is CLOCK_MONOTONIC (or any clock that never goes back) in nanoseconds, given by the caller;
 * the filter keeps no other idea of it. A filter belongs to one thread at a time; copying the
 * struct copies the filter.
 */
#ifndef LIBHEALTH_FILTER_H
#define LIBHEALTH_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libhealth/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one check says of its target. */
enum health_verdict {
	/* Says nothing (the checker's own trouble): changes no state and no counter. */
	HEALTH_NEUTRAL = 0,
	/* A success. */
	HEALTH_OK = 1,
	/* Works, wants no new users (HAProxy disable-on-404, F5 recv-disable): a success while up;
	 * while down or unknown a failure, as in HAProxy. */
	HEALTH_OK_DRAIN = 2,
	/* A success, but use others first (Envoy's degraded header). */
	HEALTH_DEGRADED = 3,
	/* A failure that counts. */
	HEALTH_FAIL = 4,
	/* A failure that needs no second (F5 on RST, Envoy on an unexpected status). */
	HEALTH_FAIL_NOW = 5,
};

/* What the filter believes. UP, DEGRADED and DRAIN are the three ways of being up. */
enum health_state {
	HEALTH_STATE_UNKNOWN = 0, /* never checked; F5 treats it as available, Envoy as healthy */
	HEALTH_STATE_DOWN = 1,
	HEALTH_STATE_DRAIN = 2,	   /* up: keep its users, send no new ones (HAProxy's NOLB) */
	HEALTH_STATE_DEGRADED = 3, /* up: send users here when the rest is not enough */
	HEALTH_STATE_UP = 4,
};

/* Where a filter begins, or is put by an operator (health_filter_set): HAProxy's `init-state`. */
enum health_start {
	HEALTH_START_UP = 0,	     /* up, and the next failure alone takes it down */
	HEALTH_START_FULLY_UP = 1,   /* up, with all of `fall` ahead of it */
	HEALTH_START_DOWN = 2,	     /* down; the next success alone takes it up (alpha) */
	HEALTH_START_FULLY_DOWN = 3, /* down, with all of `rise` ahead of it */
	HEALTH_START_UNKNOWN = 4,    /* the first verdict decides; with silence_ns: first success */
};

/* Why the state is what it is. */
enum health_reason {
	HEALTH_REASON_START = 0,    /* nothing has happened yet */
	HEALTH_REASON_RISE = 1,	    /* enough successes in a row */
	HEALTH_REASON_SETTLED = 2,  /* no failure during `settle_ns` after the first success */
	HEALTH_REASON_FALL = 3,	    /* enough failures in a row */
	HEALTH_REASON_FAIL_NOW = 4, /* one failure that needs no second */
	HEALTH_REASON_SILENCE = 5,  /* no success for `silence_ns` */
	HEALTH_REASON_SAYS_SO = 6,  /* still up; the target went between up, drain, degraded */
	HEALTH_REASON_OPERATOR = 7, /* health_filter_set, health_filter_resume, an override */
	HEALTH_REASON_DAMPED = 8, /* well again long enough: the penalty for flapping is paid off */
};

/* Which entry of the interval table is next. */
enum health_interval {
	HEALTH_INTERVAL_NORMAL = 0, /* settled in up, or unknown without fast_ns */
	HEALTH_INTERVAL_FAST = 1,   /* unchecked, or some but not enough of `rise` or `fall` */
	HEALTH_INTERVAL_DOWN = 2,   /* settled in down */
	HEALTH_INTERVAL_RETRY = 3,  /* up, the last check failed: count from the END of it */
	HEALTH_INTERVAL_EDGE = 4,   /* the first check after a change to up or down */
};

/* The schools, for health_filter_preset. */
enum health_school {
	HEALTH_SCHOOL_HAPROXY = 0,    /* rise 2, fall 3, 2 s */
	HEALTH_SCHOOL_KEEPALIVED = 1, /* rise 1, fall 2 (`retry 1`), 60 s, 1 s between retries */
	HEALTH_SCHOOL_F5 = 2,	      /* 5 s, down after 16 s without a success */
	HEALTH_SCHOOL_ENVOY = 3,      /* rise 2, fall 3, 5 s: the usual figures */
};

/* Names, for logs: "ok", "UP", "rise" …; "?" for a number without a name. Static; any thread. */
LIBHEALTH_API const char *health_verdict_name(enum health_verdict verdict);
LIBHEALTH_API const char *health_state_name(enum health_state state);
LIBHEALTH_API const char *health_reason_name(enum health_reason reason);

/* True for HEALTH_OK, HEALTH_OK_DRAIN and HEALTH_DEGRADED. Any thread. */
LIBHEALTH_API bool health_verdict_is_ok(enum health_verdict verdict);

/* True for HEALTH_STATE_UP, _DEGRADED and _DRAIN. Any thread. */
LIBHEALTH_API bool health_state_is_up(enum health_state state);

#define HEALTH_RISE_DEFAULT 2				/* HAProxy's `rise` */
#define HEALTH_FALL_DEFAULT 3				/* HAProxy's `fall` */
#define HEALTH_COUNT_MAX 65535				/* the highest `rise` and `fall` */
#define HEALTH_INTERVAL_DEFAULT_NS UINT64_C(2000000000) /* HAProxy's `inter` */
#define HEALTH_INTERVAL_MIN_NS UINT64_C(1000000)	/* 1 ms: below, -EINVAL */
/* 366 days: the longest time of health_filter_opts and health_check_opts; above, -EINVAL. */
#define HEALTH_TIME_MAX_NS UINT64_C(31622400000000000)

/*
 * How a filter judges. Zero everywhere is HAProxy's default. Set `size`; a preset sets the rest.
 *
 * - HAProxy: fast_ns = fastinter, or inter when there is none; down_ns = downinter, or inter.
 * - keepalived: rise 1, fall = retry + 1, interval_ns = down_ns = delay_loop, retry_ns =
 *   delay_before_retry, start = alpha ? HEALTH_START_DOWN : HEALTH_START_UP.
 * - F5: interval_ns = up-interval, or interval when that is 0; down_ns = fast_ns = interval;
 *   silence_ns = timeout; settle_ns = time-until-up; manual_resume.
 * - Envoy: down_ns = unhealthy_interval, up_edge_ns = healthy_edge_interval, down_edge_ns =
 *   unhealthy_edge_interval.
 */
struct health_filter_opts {
	size_t size;
	uint32_t rise; /* successes in a row to come up; 0: HEALTH_RISE_DEFAULT */
	uint32_t fall; /* failures in a row to go down; 0: HEALTH_FALL_DEFAULT */
	enum health_start start;
	uint8_t manual_resume; /* not 0: once down, stay down until health_filter_resume */
	uint64_t interval_ns;  /* settled in up; 0: HEALTH_INTERVAL_DEFAULT_NS */
	uint64_t fast_ns;      /* in transition or unknown; 0: the interval of the state it is in */
	uint64_t down_ns;      /* settled in down; 0: interval_ns */
	uint64_t retry_ns;     /* up with failures pending, from the failure's end; 0: fast_ns */
	uint64_t up_edge_ns;   /* the first after coming up; 0: none */
	uint64_t down_edge_ns; /* the first after going down; 0: none */
	uint64_t silence_ns;   /* down without a success for so long, `fall` unused; 0: by `fall` */
	uint64_t settle_ns;    /* enough successes, then so long without a failure; 0: up at once */
	/*
	 * Damping of flaps, after RFC 2439 §4: each fall from up to down adds HEALTH_DAMP_FLAP to a penalty,
	 * which halves every damp_half_life_ns. At damp_suppress or more the target, once down, stays down,
	 * however well, until the penalty is damp_reuse; but no longer than damp_max_ns after its last fall.
	 */
	uint64_t damp_half_life_ns; /* 0: no damping; RFC 2439's figure is 15 minutes */
	uint64_t damp_max_ns;	    /* 0: 4 half-lives, as in RFC 2439's example */
	uint32_t damp_suppress;	    /* 0: HEALTH_DAMP_SUPPRESS_DEFAULT */
	uint32_t damp_reuse;	    /* 0: HEALTH_DAMP_REUSE_DEFAULT; below damp_suppress */
};

#define HEALTH_DAMP_FLAP 1000 /* the penalty of one fall */
#define HEALTH_DAMP_SUPPRESS_DEFAULT \
	2000 /* two falls in a short time are forgiven, a third is not */
#define HEALTH_DAMP_REUSE_DEFAULT 750
#define HEALTH_DAMP_PENALTY_MAX 1000000 /* the highest of the three, and of the penalty */

/*
 * Fills `ret`, whose size is set, with a school's defaults. 0; -EINVAL: unknown school, or ret is
 * NULL or too small for its size field. Sources: the manuals of HAProxy 3.x (server keywords),
 * keepalived 2.x (TCP_CHECK), F5 LTM monitor reference, Envoy core.v3.HealthCheck.
 */
LIBHEALTH_API int health_filter_preset(enum health_school school, struct health_filter_opts *ret);

/* The caller's memory for one filter. Only the functions below look inside. */
struct health_filter {
	uint64_t opaque[32];
};

/*
 * Makes a filter in the caller's memory; nothing to free. `o` NULL: HAProxy's defaults. `now_ns`
 * starts the clock of `silence_ns`. 0; -EINVAL: f is NULL, a count above HEALTH_COUNT_MAX, a penalty
 * above HEALTH_DAMP_PENALTY_MAX or damp_reuse not below damp_suppress, an interval that is not 0 and
 * below HEALTH_INTERVAL_MIN_NS, a time above HEALTH_TIME_MAX_NS, an unknown start; -E2BIG: `o` has a field this library does not know.
 */
LIBHEALTH_API int health_filter_init(struct health_filter *f, const struct health_filter_opts *o,
				     uint64_t now_ns);

/*
 * Feeds the verdict of a check that ended at `now_ns`. True: health_filter_state changed, once. A
 * verdict outside the enum counts as HEALTH_NEUTRAL.
 */
LIBHEALTH_API bool health_filter_feed(struct health_filter *f, enum health_verdict verdict,
				      uint64_t now_ns);

/*
 * When time alone may change the state (silence_ns, settle_ns, damping): absolute, UINT64_MAX = never. Call
 * health_filter_tick then or later; earlier is harmless. True: the state changed.
 */
LIBHEALTH_API uint64_t health_filter_deadline(const struct health_filter *f);
LIBHEALTH_API bool health_filter_tick(struct health_filter *f, uint64_t now_ns);

/*
 * Puts the filter into a starting state, its counters at their beginning and nothing held: an
 * operator's word (HAProxy `set server … health`), state carried over a reload, or HAProxy's
 * `on-error sudden-death` (HEALTH_START_UP: the next failure is the last). True: the state changed.
 * An unknown start does nothing.
 */
LIBHEALTH_API bool health_filter_set(struct health_filter *f, enum health_start start,
				     uint64_t now_ns);

/*
 * Ends the hold of `manual_resume`. When the successes so far would have brought the target up it
 * comes up now (true), else the next ones will.
 */
LIBHEALTH_API bool health_filter_resume(struct health_filter *f, uint64_t now_ns);

/* What an operator wants to be believed, whatever the checks say. */
enum health_override {
	HEALTH_OVERRIDE_NONE = 0,
	HEALTH_OVERRIDE_UP = 1,
	HEALTH_OVERRIDE_DRAIN = 2,
	HEALTH_OVERRIDE_DOWN = 3, /* HAProxy's maint, F5's forced offline */
};

/*
 * Puts an override over the filter, or takes it off. Underneath the filter goes on: with the override gone the
 * state is what the checks say by then. Counters, intervals and clocks are those of the checks, never of the
 * override. True: the state changed. An unknown override does nothing.
 */
LIBHEALTH_API bool health_filter_override(struct health_filter *f, enum health_override o,
					  uint64_t now_ns);

/*
 * Says that nobody checked until now (a pause): the clocks of silence_ns and settle_ns start anew,
 * so that the target is not blamed for it. Never changes the state.
 */
LIBHEALTH_API void health_filter_rebase(struct health_filter *f, uint64_t now_ns);

/*
 * The state of a filter in at most HEALTH_FILTER_FREEZE_MAX bytes, for one of the same options made
 * later, by another process or machine: times are carried as ages. freeze: bytes written; -ENOBUFS; -EINVAL.
 * thaw into a filter after health_filter_init: 0; -EBADMSG: not such bytes, or of another version, and
 * nothing changed; -EINVAL. Counts beyond the filter's own rise and fall are cut to them.
 */
#define HEALTH_FILTER_FREEZE_MAX 128
LIBHEALTH_API ssize_t health_filter_freeze(const struct health_filter *f, uint64_t now_ns,
					   void *buf, size_t cap);
LIBHEALTH_API int health_filter_thaw(struct health_filter *f, uint64_t now_ns, const void *buf,
				     size_t len);

/* The state, an override applied. */
LIBHEALTH_API enum health_state health_filter_state(const struct health_filter *f);

/*
 * How long until the next check, in ns, >= HEALTH_INTERVAL_MIN_NS, and which entry of the table
 * that is. Counted from the start of the last check, HEALTH_INTERVAL_RETRY from its end.
 */
LIBHEALTH_API uint64_t health_filter_interval_ns(const struct health_filter *f);
LIBHEALTH_API enum health_interval health_filter_interval(const struct health_filter *f);

/*
 * All there is to show. HAProxy's "UP 2/3" is left/fall; its "DOWN 1/2" is (rise - left)/rise.
 */
struct health_filter_status {
	size_t size;
	enum health_state state;
	enum health_reason reason; /* of the last change of state */
	enum health_verdict last;  /* the last verdict fed; HEALTH_NEUTRAL before the first */
	uint32_t rise, fall;
	uint32_t left;	     /* so many failures more take it down; while down, successes up */
	uint32_t ok_run;     /* successes in a row, 0 after a failure; stops at UINT32_MAX */
	uint32_t fail_run;   /* failures in a row, 0 after a success; stops at UINT32_MAX */
	uint8_t held;	     /* not 0: manual_resume keeps it down */
	uint8_t settling;    /* not 0: settle_ns is running */
	uint64_t changes;    /* changes of state since init */
	uint64_t since_ns;   /* when the state last changed, or init */
	uint64_t last_ok_ns; /* the last success; 0: none yet */
	enum health_override override;
	enum health_state checked; /* the state without the override */
	uint32_t penalty;	   /* for flapping, as of the last fall */
	uint32_t damped;	   /* not 0: it keeps the target down, until damped_until_ns */
	uint64_t damped_until_ns;
};

/* Copies out. 0; -EINVAL: an argument is NULL, or ret is too small for its size field. */
LIBHEALTH_API int health_filter_status(const struct health_filter *f,
				       struct health_filter_status *ret);

#ifdef __cplusplus
}
#endif
#endif
