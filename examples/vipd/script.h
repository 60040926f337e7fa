/* SPDX-License-Identifier: MIT */
/*
 * Programs that the supervisor runs: as the user of the configuration, in a process group of their
 * own, without our descriptors. Those of one object run one after the other, in the order in which
 * they were asked for; one that hangs delays the next for five seconds.
 */
#ifndef VIPD_SCRIPT_H
#define VIPD_SCRIPT_H

#include <jansson.h>
#include <sys/types.h>

#include "conf/conf.h"
#include "loop.h"

#define SCRIPT_QUEUE_MAX 4096 /* waiting; more are refused */
#define SCRIPT_EXTRA_MAX 4    /* words appended to the script's own */

struct scripts;

int scripts_new(struct loop *l, struct scripts **ret);
void scripts_free(struct scripts *s);

/* Whom to run as when the script does not say; from the configuration. May be called again. */
void scripts_configure(struct scripts *s, const struct conf *c);

/*
 * Runs a script, after those of the same `object` (any pointer or number). Everything is copied.
 * A script without argv is nothing to do.
 */
void scripts_run(struct scripts *s, uint64_t object, const struct conf_script *script,
		 const char *const extra[SCRIPT_EXTRA_MAX]);

/* Starts a program now, beside the queue: its pid, or -errno. For those who wait for its result. */
pid_t scripts_spawn(struct scripts *s, const struct conf_script *script);

/* The same with words behind its own. */
pid_t scripts_spawn_with(struct scripts *s, const struct conf_script *script,
			 const char *const extra[SCRIPT_EXTRA_MAX]);

/* Runs a program and waits until it has ended; one that takes longer is killed. What fails is said. */
void scripts_run_and_wait(struct scripts *s, const struct conf_script *script, int64_t timeout_ms);

/* Nobody waits any more for a program of scripts_spawn(): it has a second to heed SIGTERM, also of scripts_free(). */
void scripts_let_go(struct scripts *s, pid_t pid);

/* For a program that takes this process over (upgrade.h), whose children they are then: who runs, who waits and who is let go. */
json_t *scripts_freeze(const struct scripts *s);
/* NULL is nothing. */
void scripts_thaw(struct scripts *s, const json_t *frozen);

/* A child ended: true when it was one of the queue's. */
bool scripts_reap(struct scripts *s, pid_t pid, int status);

/* Nothing runs and nothing waits. */
bool scripts_idle(const struct scripts *s);
/* It ends soon: who keeps others waiting has a second now, so that one that hangs does not keep those behind it from telling of the end. */
void scripts_hurry(struct scripts *s);
/* Those that run, and those that wait for them. */
size_t scripts_waiting(const struct scripts *s);

#endif
