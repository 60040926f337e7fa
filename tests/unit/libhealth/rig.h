/* SPDX-License-Identifier: MIT */
/*
 * An engine on a clock of the test's own, one scripted server, and a record of what was told. Sockets are
 * real, time is not: rig_pass moves the clock, rig_settle lets the kernel deliver without moving it.
 */
#ifndef RIG_H
#define RIG_H

#include <libhealth/health.h>

#include "tests/support/peer.h"

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define RIG_T0 (5000 * S)
#define RIG_EVENTS_MAX 256

struct rig {
	struct health_engine *engine;
	struct peer peer;
	bool has_peer;
	uint64_t now_ns;
	unsigned int results, transitions;
	struct health_result result;	     /* the last */
	struct health_transition transition; /* the last */
	char text[HEALTH_TEXT_MAX];
	void (*on_result)(struct rig *r,
			  struct health_check *c); /* a test's own, inside the callback */
};

/* Servers that say nothing; the second takes no connection either. */
static const struct peer_script rig_listens = {0}, rig_deaf = {.deaf = true};

static inline struct health_filter_opts rig_filter(uint64_t interval_ns)
{
	return (struct health_filter_opts){
	    .size = sizeof(struct health_filter_opts),
	    .interval_ns = interval_ns,
	};
}

/* `o` and `script` may be NULL: defaults, no server. The rig's pointer is every check's userdata. */
void rig_open(struct rig *r, const struct health_engine_opts *o, const struct peer_script *script);
void rig_close(struct rig *r);

/* A check of the rig's server, started at once; change what you like, then rig_add. */
struct health_check_opts rig_opts(const struct rig *r);
struct health_check *rig_add(struct rig *r, const struct health_check_opts *o);

/* One dispatch at the present time. */
void rig_dispatch(struct rig *r);
/* Moves the clock on by ns, dispatching at every deadline on the way. */
void rig_pass(struct rig *r, uint64_t ns);
/* Steps server and engine until `results` were told or nothing more comes; the clock stands still. */
void rig_settle(struct rig *r, unsigned int results);

struct health_engine_stats rig_stats(const struct rig *r);
struct health_check_status rig_status(const struct health_check *c);
size_t rig_open_fds(void);

#endif
