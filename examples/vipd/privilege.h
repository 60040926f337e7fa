/* SPDX-License-Identifier: MIT */
/* What a process gives up before it reads its first byte from outside. */
#ifndef VIPD_PRIVILEGE_H
#define VIPD_PRIVILEGE_H

#include <stdint.h>

#define PRIVILEGE_BIT(cap) (UINT64_C(1) << (cap)) /* of CAP_… in linux/capability.h */

/*
 * Becomes `user` (when root; NULL: stays the user) with the capabilities `keep` and no other, for good:
 * the bounding set is emptied and no program that is executed can regain any. 0 or -errno; -ENOENT:
 * there is no such user.
 */
int privilege_drop(const char *user, uint64_t keep);

/* The first user of the list that exists on this system, or NULL. The list ends with NULL. */
const char *privilege_first_user(const char *const *users);

#endif
