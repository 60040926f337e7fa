/* SPDX-License-Identifier: MIT */
/*
 * Passive detection: what traffic shows of the hosts of one pool, and which of them are better left out for a
 * while (Envoy's outlier detection). Pure: outcomes and time in, ejections out; no I/O, no clock, no log.
 *
 *	consecutive    so many failures in a row                    at once
 *	success rate   far below the pool's mean                    at the end of an interval
 *	failure share  so many percent of a host's requests failed  at the end of an interval
 *
 * An ejection lasts base_ejection_ns times the number of ejections in a row, this one included, at most
 * max_ejection_ns; each interval a host stays in without a new one forgets one of them. Never more than
 * max_ejection_percent of the hosts are out, but one always may be. Hosts come back by time, or when an
 * active check says they are well (health_outlier_pass).
 *
 * When too few are well, it is better to ask all than to crush the rest: health_panic.
 *
 * One thread at a time. Callbacks come last; inside one every call is allowed but health_outlier_tick, which
 * returns -EBUSY, and health_outlier_free, which asserts. Defaults and names: Envoy's
 * config.cluster.v3.OutlierDetection.
 */
#ifndef LIBHEALTH_OUTLIER_H
#define LIBHEALTH_OUTLIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libhealth/version.h>

#ifdef __cplusplus
extern "C" {
#endif

struct health_outlier;
struct health_outlier_host;

#define HEALTH_OUTLIER_HOSTS_MAX 100000 /* of one pool; more: -ENOSPC */

/* How one request ended. */
enum health_outcome {
	HEALTH_OUTCOME_OK = 0,	    /* an answer, whatever it says, below 500 */
	HEALTH_OUTCOME_SERVER = 1,  /* the host's own error: 500, 501, 505 … */
	HEALTH_OUTCOME_GATEWAY = 2, /* it does not get through: 502, 503, 504 */
	HEALTH_OUTCOME_LOCAL = 3,   /* never got an answer: refused, reset, timed out */
};

/* Why a host is out. */
enum health_ejection {
	HEALTH_EJECTION_NONE = 0,
	HEALTH_EJECTION_CONSECUTIVE = 1,	 /* of any failures */
	HEALTH_EJECTION_CONSECUTIVE_GATEWAY = 2, /* of GATEWAY and LOCAL */
	HEALTH_EJECTION_CONSECUTIVE_LOCAL = 3,	 /* of LOCAL, with HEALTH_OUTLIER_SPLIT_LOCAL */
	HEALTH_EJECTION_SUCCESS_RATE = 4,
	HEALTH_EJECTION_FAILURE_PERCENTAGE = 5,
};

/* "consecutive", "success-rate" …; "?" for a number without a name. Static; any thread. */
LIBHEALTH_API const char *health_ejection_name(enum health_ejection e);

/* Bits of health_outlier_opts.flags. Envoy detects by consecutive failures and success rate unless told otherwise. */
#define HEALTH_OUTLIER_NO_CONSECUTIVE 1u
#define HEALTH_OUTLIER_NO_SUCCESS_RATE 2u
#define HEALTH_OUTLIER_GATEWAY 4u	     /* by consecutive gateway failures as well */
#define HEALTH_OUTLIER_FAILURE_PERCENTAGE 8u /* by the share of failures as well */
#define HEALTH_OUTLIER_SPLIT_LOCAL 16u /* LOCAL has a counter of its own and counts in no other */

struct health_outlier_opts {
	size_t size;
	uint32_t flags;
	uint32_t consecutive;	       /* 0: 5; also of gateway and local failures */
	uint64_t interval_ns;	       /* 0: 10 s */
	uint64_t base_ejection_ns;     /* 0: 30 s */
	uint64_t max_ejection_ns;      /* 0: 300 s, or base_ejection_ns if that is more */
	uint32_t max_ejection_percent; /* 1 to 100; 0: 10 */
	uint32_t min_hosts; /* with enough requests, for the two judgements by interval; 0: 5 */
	uint32_t success_rate_requests; /* of a host in an interval; 0: 100 */
	uint32_t
	    success_rate_stdev_factor; /* thousandths of a standard deviation below the mean; 0: 1900 */
	uint32_t failure_requests;     /* of a host in an interval; 0: 50 */
	uint32_t failure_percent;      /* 1 to 100; 0: 85 */
};

struct health_outlier_ops {
	size_t size;
	/* A host is out until `until_ns`, or in again. NULL: nobody wants to know. */
	void (*ejected)(struct health_outlier_host *h, enum health_ejection why, uint64_t until_ns,
			void *userdata);
	void (*returned)(struct health_outlier_host *h, void *userdata);
};

/*
 * Makes a pool without hosts; `ops` NULL: no callbacks; `now_ns` begins the first interval. 0; -EINVAL: a value out of
 * its range; -E2BIG; -ENOMEM.
 */
LIBHEALTH_API int health_outlier_new(const struct health_outlier_opts *o,
				     const struct health_outlier_ops *ops, uint64_t now_ns,
				     struct health_outlier **ret);
/* Frees the pool and its hosts, without callbacks. NULL is fine. */
LIBHEALTH_API void health_outlier_free(struct health_outlier *p);

/* A host comes; `userdata` comes back in its callbacks. 0; -EINVAL; -ENOSPC; -ENOMEM. */
LIBHEALTH_API int health_outlier_host_add(struct health_outlier *p, void *userdata,
					  struct health_outlier_host **ret);
/* A host goes, without a callback. NULL is fine. */
LIBHEALTH_API void health_outlier_host_remove(struct health_outlier_host *h);

/* One request to the host has ended so. May call `ejected`. */
LIBHEALTH_API void health_outlier_report(struct health_outlier_host *h, enum health_outcome outcome,
					 uint64_t now_ns);

/* An active check says the host is well: it is in again, its counters begin anew. May call `returned`. */
LIBHEALTH_API void health_outlier_pass(struct health_outlier_host *h, uint64_t now_ns);

/* The end of the interval, or of an ejection: absolute; UINT64_MAX: no hosts. */
LIBHEALTH_API uint64_t health_outlier_deadline(const struct health_outlier *p);
/* Does what is due. 0; -EBUSY inside a callback; -EINVAL. */
LIBHEALTH_API int health_outlier_tick(struct health_outlier *p, uint64_t now_ns);

/* Is it out now? */
LIBHEALTH_API bool health_outlier_is_ejected(const struct health_outlier_host *h);

/* All there is to show of one host. */
struct health_outlier_status {
	size_t size;
	enum health_ejection ejected; /* why it is out now; NONE: it is in */
	uint32_t ejections_in_a_row;  /* the factor of the last or next time out */
	uint64_t until_ns;	      /* when it comes back; 0: it is in */
	uint64_t ejections;	      /* in all */
	uint32_t failures_in_a_row;
	uint32_t requests, failures; /* of the present interval */
	uint32_t
	    success_permille; /* of the last interval with enough requests; 1000: none failed */
	uint64_t spared;      /* times too many others were out already */
};

/* Copies out. 0; -EINVAL: an argument is NULL, or ret is too small for its size field. */
LIBHEALTH_API int health_outlier_status(const struct health_outlier_host *h,
					struct health_outlier_status *ret);

#define HEALTH_PANIC_DEFAULT_PERCENT 50 /* Envoy's healthy_panic_threshold */

/* True: fewer than `percent` of `total` are `healthy`, and all are to be used. percent 0: never. */
LIBHEALTH_API bool health_panic(uint64_t healthy, uint64_t total, uint32_t percent);

#ifdef __cplusplus
}
#endif
#endif
