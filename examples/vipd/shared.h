/* SPDX-License-Identifier: MIT */
/*
 * What survives a crash: memory that the supervisor shares with vrrp, and other memory that it shares
 * with health. They write down where they stand; a successor reads it. The supervisor itself only
 * copies slots by their keys at a reload. What is read is checked: a process that crashed wrote it.
 */
#ifndef VIPD_SHARED_H
#define VIPD_SHARED_H

#include <stdatomic.h>
#include <stdint.h>

#include <libha/bfd.h>
#include <libha/vrrp.h>
#include <libhealth/health.h>

#include "conf/pairs.h"

#define SHARED_KEY_SIZE 128
#define SHARED_PLACE_SIZE 24 /* interface, number, family */

/* Which virtual router: its name may change as long as no other one has its place. */
struct shared_router_id {
	char place[SHARED_PLACE_SIZE];
	uint32_t name;	 /* hash of it */
	uint32_t shares; /* 1: others have the place, too */
};

bool shared_same_router(const struct shared_router_id *a, const struct shared_router_id *b);

/* Two copies, of which `whole` says which one is finished: a crash in the middle harms neither. */
struct shared_router {
	struct shared_router_id id;
	_Atomic uint32_t whole; /* 0: none; 1, 2: copy 0 or 1 */
	uint32_t goes_on;	/* at a reload: the next configuration has it, too */
	struct {
		uint32_t len, state; /* state: enum ha_vrrp_state */
		uint8_t bytes[HA_VRRP_FREEZE_SIZE];
	} copy[2];
};

enum shared_alive { SHARED_ALIVE_UNKNOWN, SHARED_ALIVE_DOWN, SHARED_ALIVE_UP };

struct shared_check {
	_Atomic uint32_t alive; /* enum shared_alive */
};

struct shared_virtual {
	_Atomic uint32_t quorum; /* enum shared_alive */
};

/* A check, written when health ends in order for a successor: what it counted, and when it is due. */
struct shared_frozen {
	uint32_t len; /* 0: nothing */
	uint8_t bytes[HEALTH_FREEZE_MAX];
};

/* A bfd_instance, written when vrrp ends in order: no session outlives a crash. */
struct shared_bfd {
	char key[SHARED_KEY_SIZE];
	uint32_t goes_on; /* at a reload: the next configuration has it, too */
	uint32_t len;	  /* 0: nothing */
	uint32_t discriminator;
	uint16_t source_port;
	uint8_t bytes[HA_BFD_FREEZE_SIZE];
};

struct shared {
	size_t n_routers, n_watches, n_checks, n_virtuals;
	/* One mapping, of vrrp: when it had served what was due; and in the order of conf.instances. */
	_Atomic uint64_t *alive_ns;
	struct shared_router *router;
	struct shared_bfd *bfd; /* conf.watches; those of other kinds are empty */
	/* One mapping, of health: conf.virtuals; then virtuals, reals, checks. */
	struct shared_virtual *virtual;
	struct shared_check *check;
	/* One mapping, of health, empty but over a reload: when it froze them, CLOCK_MONOTONIC; all checks. */
	uint64_t *frozen_ns;
	struct shared_frozen *frozen;
};

/*
 * For a configuration, with what `old` (may be NULL) knows of the same objects; `pairs`: those of its configuration. 0 or -ENOMEM.
 */
int shared_new(const struct conf *c, const struct shared *old, const struct conf_pairs *pairs,
	       struct shared **ret);
void shared_free(struct shared *s);
/*
 * When pairs->in_place, for shared_new left it out: what `old` knows of virtual servers and checks becomes that of `s`, as it stands, and
 * `old` is only good to be freed.
 */
void shared_keep_health(struct shared *s, struct shared *old, const struct conf_pairs *pairs);
/* In a child: the memory of others goes. */
void shared_leave_routers(struct shared *s);
void shared_leave_checks(struct shared *s);

/* Before a reload: says of each router and bfd_instance whether the next configuration has it, too. */
void shared_note_next(struct shared *s, const struct conf *next);

/* Forgets what is known of a router: the next process begins from the start. */
void shared_forget_router(struct shared *s, size_t index);

/*
 * Freezes router `index`, unless *kept, 0 at first, says that nothing is new but adverts that left on time: for those shared_alive says
 * once a turn that everything due until now_ns was served.
 */
void shared_freeze(struct shared *s, size_t index, const struct ha_vrrp *v, uint32_t *kept);
void shared_alive(struct shared *s, uint64_t now_ns);
/* Thaws what can go on: an Active always, others only when `fresh`. 0, -ENODATA or an error. */
int shared_thaw(struct shared *s, size_t index, struct ha_vrrp *v, uint64_t now_ns, bool fresh);

/* health, all of its checks with the same time, at the end. */
void shared_freeze_check(struct shared *s, size_t index, const struct health_check *c,
			 uint64_t now_ns);
bool shared_has_frozen(const struct shared *s, size_t index);
/* Into a check just added: its next run is due when it was. 0, -ENODATA or an error. */
int shared_thaw_check(const struct shared *s, size_t index, struct health_check *c);
/* Gives the memory of all that is frozen back: it is of the past. */
void shared_forget_checks(struct shared *s);

#endif
