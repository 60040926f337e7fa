/* SPDX-License-Identifier: MIT */
/*
 * What there is to see of a running vipd: memory that vrrp and health write and the supervisor only
 * reads, for dumps, the control socket and metrics. It never steers anything; what is read is shown,
 * so a writer that was taken over can lie about itself and do nothing else. Texts are cut to size by
 * the reader.
 *
 * vrrp writes an instance when its state changes and when it is asked (MSG_STATS), so that the rest of
 * the time it costs nothing; health writes what it has just learned.
 */
#ifndef VIPD_LIVE_H
#define VIPD_LIVE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <libha/bfd.h>
#include <libha/service.h>
#include <libha/vrrp.h>
#include <libhealth/health.h>

#include "conf/conf.h"
#include "shared.h"

#define LIVE_SENDERS 4 /* of HA_VRRP_MAX_SENDERS: those heard last */

/* Counters since vipd started, or since they were cleared: a crash or a reload does not end them. */
struct live_counters {
	uint64_t became_active, left_active, adverts_sent, adverts_received, priority_zero_sent,
	    priority_zero_received, send_errors;
	uint64_t dropped[HA_VRRP_N_DROPS]; /* adverts, by enum ha_vrrp_drop */
	uint64_t remarks[HA_VRRP_N_REMARKS];
};

struct live_router {
	_Atomic uint32_t turn; /* odd: it is being written */
	uint32_t n_senders;
	struct ha_vrrp_status status;
	struct live_counters counters;
	struct ha_vrrp_sender sender[LIVE_SENDERS];
};

/* How late vrrp served its timers: a count for each bound, and of those beyond all of them. */
#define LIVE_LATE_BOUNDS 9
extern const uint64_t live_late_bound_ns[LIVE_LATE_BOUNDS];
struct live_late {
	_Atomic uint64_t count[LIVE_LATE_BOUNDS + 1], sum_ns;
};

/* Of thousands few have a text, which lies elsewhere: pages of texts that nobody wrote are none. */
struct live_check {
	_Atomic uint32_t turn;
	uint32_t has_text;
	uint64_t status[offsetof(struct health_check_status, text) /
			sizeof(uint64_t)]; /* its beginning */
};

struct live_real {
	_Atomic uint32_t alive;
	_Atomic int32_t weight; /* in the kernel's table; -1: not there */
};

struct live_virtual {
	_Atomic uint32_t up; /* has its quorum */
	_Atomic int64_t live_weight;
	_Atomic int32_t sorry_weight; /* -1: not in use */
};

/* What the kernel's table counted of a service, or of a real server in all services of its virtual server. */
struct live_traffic {
	_Atomic uint64_t conns, in_packets, out_packets, in_bytes, out_bytes;
	_Atomic uint32_t active, inactive; /* connections now */
};

/* Of a bfd_instance, in the order of conf.watches; those of other kinds are empty. */
struct live_bfd {
	_Atomic uint32_t turn;
	uint32_t discriminator; /* 0: it does not run */
	struct ha_bfd_status status;
};

struct live {
	size_t n_routers, n_watches, n_virtuals, n_reals, n_checks, n_services;
	/* One mapping, of vrrp: then the routers, in the order of conf.instances; then BFD sessions. */
	struct live_late *late;
	struct live_router *router;
	struct live_bfd *bfd;
	/* One mapping, of health: conf.virtuals; then all reals, all checks and their texts, in order. */
	struct live_virtual *virtual;
	struct live_real *real;
	struct live_check *check;
	char (*text)[HEALTH_TEXT_MAX];
	/* One mapping, of kernel: each place where a virtual server listens; then all reals, in order. */
	struct live_traffic *service, *dest;
};

/*
 * For a configuration, whose keys are in `keys`; counters come along from `old` (may be NULL) and its keys, and what
 * is known of checks that did not change (`pairs`). 0 or -ENOMEM.
 */
int live_new(const struct conf *c, const struct shared *keys, const struct live *old,
	     const struct shared *old_keys, const struct conf_pairs *pairs, struct live **ret);
void live_free(struct live *l);
/* As shared_keep_health. */
void live_keep_checks(struct live *l, struct live *old, const struct conf_pairs *pairs);
/* In a child: what is not its own goes. */
void live_leave_routers(struct live *l);
void live_leave_checks(struct live *l);
void live_leave_traffic(struct live *l);

/* vrrp: where it stands now; `base` (NULL: nothing) is added to its counters. */
void live_write_router(struct live_router *to, const struct ha_vrrp *v,
		       const struct live_counters *base);
/* e NULL: it does not run. */
void live_write_bfd(struct live_bfd *to, const struct ha_bfd *e);
/* kernel: begins a look, adds what a dump says to one of it. */
void live_clear_traffic(struct live *l);
void live_add_traffic(struct live_traffic *to, const struct ha_service_stats *s);

/* vrrp: what a predecessor had counted; false: there was none. */
bool live_base(const struct live_router *from, struct live_counters *ret);
/* The base that makes the counters of `v` begin at 0 now. */
void live_clear(const struct ha_vrrp *v, struct live_counters *ret);
void live_add_late(struct live_late *l, uint64_t late_ns);

/* health; is_new: nothing is known of it from before a reload */
void live_write_check(struct live *to, size_t index, const struct health_check *c);
bool live_check_is_new(const struct live *l, size_t index);

/* The supervisor: a copy that hangs together. False when there is none yet. */
bool live_read_router(const struct live_router *from, struct live_router *ret);
bool live_read_bfd(const struct live_bfd *from, struct live_bfd *ret);
bool live_read_check(const struct live *from, size_t index, struct health_check_status *ret);

#endif
