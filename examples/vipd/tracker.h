/* SPDX-License-Identifier: MIT */
/* vrrp_script and MISC_CHECK: programs that run again and again, and what their exit codes mean. */
#ifndef VIPD_TRACKER_H
#define VIPD_TRACKER_H

#include "conf/conf.h"
#include "loop.h"
#include "process.h"
#include "script.h"

#define TRACKER_RESULT_SIZE 64

struct trackers;

/* Told when a tracker's state changes, or with misc_dynamic its exit code. */
typedef void tracker_fn(void *userdata, uint32_t index, bool ok, uint8_t exit_code);

/* Begins to run all scripts of `c`; `old` (may be NULL) gives states to those of equal name. */
int trackers_new(struct loop *l, struct scripts *s, const struct conf *c,
		 const struct trackers *old, tracker_fn *fn, void *userdata, struct trackers **ret);
void trackers_free(struct trackers *t);

/* enum track_state of each: vrrp_scripts, then MISC_CHECKs. */
const uint8_t *trackers_states(const struct trackers *t);

/* Their last exit codes; 0: no run ended by itself yet. */
const uint8_t *trackers_exits(const struct trackers *t);

/* How its last run ended, for people; "": none has. *ret_last_ns: when it began; 0: none did. */
const char *trackers_result(const struct trackers *t, uint32_t index, uint64_t *ret_last_ns);

/* Unless it runs already. */
void trackers_run_now(struct trackers *t, uint32_t index);

/* While it rests it is not run; then it is at once. */
void trackers_pause(struct trackers *t, uint32_t index, bool paused);

bool trackers_runs(const struct trackers *t, uint32_t index);

/* What a predecessor knew: enum track_state. */
void trackers_restore(struct trackers *t, uint32_t index, uint8_t state);

bool trackers_reap(struct trackers *t, pid_t pid, int status);

#endif
