/* SPDX-License-Identifier: MIT */
/*
 * Rings of log lines: memory that the newest push the oldest out of. Any thread writes; the control thread sends
 * them over TCP (RFC 6587: a line end behind each, or its length before it) and shows them. A ring lives as long as
 * the engine, over reloads, by its name.
 */
#ifndef PROXYD_ENGINE_LOG_RING_H
#define PROXYD_ENGINE_LOG_RING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "cfg/cfg.h"

struct ring;
struct rings;

/* 0 or -errno. */
int rings_new(struct rings **ret);
void rings_free(struct rings *rs);

/* Makes them what the configuration says, and gives its log lines their rings. 0 or -ENOMEM. */
int rings_sync(struct rings *rs, struct cfg *cfg, uint64_t now_ns);

/* Any thread. A line that is longer than the ring takes is cut. */
void ring_write(struct ring *r, const struct iovec *v, int n);

/* Joins a loop. */
int rings_fd(const struct rings *rs);
uint64_t rings_deadline(const struct rings *rs);
int rings_dispatch(struct rings *rs, uint64_t now_ns);

/* The next one; NULL first, and at the end. */
const struct ring *rings_next(const struct rings *rs, const struct ring *r);
const char *ring_name(const struct ring *r);
const char *ring_description(const struct ring *r);
/* How often lines were pushed out before a server had them. */
uint64_t ring_gaps(const struct ring *r);
/*
 * Its lines from `*at` on, oldest first, each with a line end, in memory that free() takes; *at is set behind the last one. 0: from the
 * oldest. NULL: no memory.
 */
char *ring_text_from(struct ring *r, uint64_t *at, size_t *ret_len);
/* Where the next line will stand. */
uint64_t ring_end(struct ring *r);
struct ring *rings_find(const struct rings *rs, const char *name);

#endif
