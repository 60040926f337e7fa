/* SPDX-License-Identifier: MIT */
/*
 * What the supervisor watches for instances: track_file (watch/file.c) and vrrp_track_process
 * (watch/process.c). A bfd_instance is vrrp's own: vrrp/bfd.c.
 */
#ifndef VIPD_WATCH_H
#define VIPD_WATCH_H

#include <sys/types.h>

#include "conf/conf.h"
#include "loop.h"

struct watches;

/* Told when a value changes: the number in a file; of processes 1 or 0, right or wrong. */
typedef void watch_fn(void *userdata, uint32_t index, int32_t value);

/*
 * Begins to watch all of `c`; what there is now counts at once. `old` (may be NULL) says which files had their
 * first number already.
 */
int watches_new(struct loop *l, const struct conf *c, const struct watches *old, watch_fn *fn,
		void *userdata, struct watches **ret);
void watches_free(struct watches *w);

/* Of each in the order of the configuration; 0 of a bfd_instance. */
const int32_t *watches_values(const struct watches *w);

/* How many processes a vrrp_track_process matches; 0 of anything else. */
unsigned watches_processes(const struct watches *w, uint32_t index);

/* vrrp says how a bfd_instance stands. False: that is known, or it is none. */
bool watches_told(struct watches *w, uint32_t index, int32_t up);

/* ---- Inside: what others wrote; watch/read.c ---- */

#define WATCH_NUMBER_BYTES 31 /* of a track_file; what is behind them is not read */

/*
 * The number at the beginning of a text, as C writes them (0x10, 010); what is behind it does not count. 0, -EINVAL: there is none,
 * -ERANGE: it, or its negative, is no int32_t.
 */
int watch_number(const char *text, size_t len, int32_t *ret);

/* What the kernel's proc connector says of a process: it may be another program now, or has ended. */
enum watch_event { WATCH_NOTHING, WATCH_LOOK, WATCH_GONE };
enum watch_event watch_proc_event(const void *datagram, size_t len, pid_t *ret_pid);

/* ---- Inside ---- */

struct watches {
	struct loop *loop;
	const struct conf *conf;
	watch_fn *fn;
	void *userdata;
	int32_t *value; /* conf->n_watches */
	struct watch_files *files;
	struct watch_processes *processes;
};

void watches_set(struct watches *w, uint32_t index, int32_t value);

int watch_files_new(struct watches *w, const struct watches *old);
void watch_files_free(struct watch_files *f);
int watch_processes_new(struct watches *w);
void watch_processes_free(struct watch_processes *p);

#endif
