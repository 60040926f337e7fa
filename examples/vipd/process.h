/* SPDX-License-Identifier: MIT */
/* What the processes are, and how a fork becomes one of them. */
#ifndef VIPD_PROCESS_H
#define VIPD_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "control/live.h"
#include "options.h"
#include "orders.h"
#include "shared.h"
#include "health/weights.h"

enum role {
	ROLE_KERNEL, /* changes the kernel: CAP_NET_ADMIN, CAP_NET_RAW */
	ROLE_VRRP,   /* speaks VRRP: no capability */
	ROLE_HEALTH, /* checks servers: no capability, another user */
	N_ROLES,
};

/* Which ends of the pairs a process has; -1: none. */
struct ends {
	int control;	  /* to the supervisor */
	int kernel;	  /* vrrp and health: to kernel */
	int vrrp, health; /* kernel: to these */
};

/* Whom a process runs as. */
struct process_user {
	uid_t uid;
	gid_t gid;
};

/* What a process is born with. All of it is inherited memory. */
struct birth {
	const struct options *options;
	struct process_user user;
	const struct conf *conf;
	/* kernel: what the configuration was before, until that is dealt with: then it is to be freed, if it is another one. Or NULL */
	struct conf *old;
	bool first; /* vipd starts: nothing of it ran before */
	struct shared *shared;
	struct live *live;
	struct weights *weights;
	struct weights *old_weights;	/* kernel: with `old`, or NULL */
	const size_t *pair;		/* kernel: with both, conf_pairs.virtual; or NULL */
	struct settings_before *before; /* kernel: kernel/setting.h */
	const struct orders *orders;
	const uint8_t *tracks;	/* of each vrrp_script, then each MISC_CHECK: enum track_state */
	const uint8_t *exits;	/* of the same: the last exit code */
	const int32_t *watches; /* conf.watches: watch/watch.h */
	uint64_t begin_ns;	/* no instance begins before; 0: at once */
	bool fresh;		/* what shared says is of this moment: a reload, not a crash */
	struct ends ends;
};

enum track_state { TRACK_INIT, TRACK_OK, TRACK_FAILED };

/* They return the exit code. */
int kernel_main(const struct birth *b);
int vrrp_main(const struct birth *b);
int health_main(const struct birth *b);

const char *role_name(enum role r); /* "vipd_kernel" … */
const char *role_user(enum role r); /* each another one: none can signal another */

/* Of this name; nobody, where there is none. */
struct process_user process_user_find(const char *name);

/* In the child: other names, other signals, no descriptors but its ends. */
void process_become(enum role r, const struct ends *keep);

/*
 * The last word of a process that ends for a reload: its successor need not wait until the kernel has taken it apart, which for sockets that
 * adverts leave from takes a while of its own (RCU), longest on a busy machine.
 */
void process_say_left(const struct birth *b);

/* What "ps" shows; NULL: nothing changes. */
void process_rename(const char *name);

/*
 * Gives up privileges: `capabilities` is a bit set of CAP_… that stays (0: none), `user` whom to run
 * as: looked up before, since a fork would touch all of the C library's pages for it anew. From then on system calls are filtered (sandbox.h). Says what fails and returns -errno.
 */
int process_drop(uint64_t capabilities, struct process_user user);

/* Enters a network namespace of ip-netns(8). Says what fails and returns -errno. */
int process_enter_namespace(const char *name);

bool process_has_capabilities(uint64_t capabilities);

/* The memory of argv, which "ps" shows. Call once, early. */
void process_title_init(int argc, char **argv);

#endif
