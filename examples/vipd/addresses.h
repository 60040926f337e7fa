/* SPDX-License-Identifier: MIT */
/* The floating addresses of the configuration on their interfaces. Belongs to the kernel process. */
#ifndef VIPD_ADDRESSES_H
#define VIPD_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"

struct addresses;

/* 0 or -errno. `conf` must outlive the object. */
int addresses_open(const struct conf *conf, struct addresses **ret);
void addresses_free(struct addresses *a);

/*
 * Holds address `address` of instance `instance`, or gives it up; being so already is success. -EINVAL:
 * the configuration has no such address; -ENODEV: its interface is not there.
 */
int addresses_set(struct addresses *a, uint32_t instance, uint32_t address, bool hold);

/* The interface index an instance's link must have, or -ENODEV; -EINVAL: no such instance. */
int addresses_ifindex(const struct addresses *a, uint32_t instance);

/* The instance, or NULL. */
const struct conf_instance *addresses_instance(const struct addresses *a, uint32_t instance);

#endif
