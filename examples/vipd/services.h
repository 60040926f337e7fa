/* SPDX-License-Identifier: MIT */
/*
 * The virtual services of the configuration in the kernel: which backend, which real servers are in, and
 * that it stays so. Belongs to the kernel process.
 */
#ifndef VIPD_SERVICES_H
#define VIPD_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

struct services;

/*
 * Chooses the backend: IPVS where the kernel has it, else nftables; with neither, a message is logged and
 * the object exists, but does nothing. Nothing is programmed before the first services_commit.
 * `previous` (or NULL) is the configuration before this one: services it had and `conf` has not are ours
 * to remove. Both must outlive the object. 0 or -errno.
 */
int services_open(const struct conf *conf, const struct conf *previous, struct services **ret);
void services_free(struct services *s);

/*
 * A real server is in (with a weight) or out; `real` may be MSG_SORRY. Takes effect with the next
 * services_commit. -EINVAL: the configuration has no such server, or not this weight.
 */
int services_set_dest(struct services *s, uint32_t virtual_server, uint32_t real, bool present,
		      uint32_t weight);

/*
 * Makes the kernel agree: reads what is there, and goes the shortest way. Also repairs what others
 * changed since; `repair` only words the log. 0 or the first -errno.
 */
int services_commit(struct services *s, bool repair);

/* Removes all that is ours. */
int services_remove(struct services *s);

#endif
