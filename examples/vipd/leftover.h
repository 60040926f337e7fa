/* SPDX-License-Identifier: MIT */
/*
 * What this vipd may hold, in a file beside its pid file: when all of it is killed, the next start takes back the addresses, routes,
 * rules and interfaces that its configuration no longer has. Those it has are adopted or given back anyway. The file is a
 * configuration: what is held as what is static, an interface as an instance that holds nothing.
 */
#ifndef VIPD_LEFTOVER_H
#define VIPD_LEFTOVER_H

#include "conf/conf.h"

/* For `pid_file`; said when it cannot be written. */
void leftover_write(const char *pid_file, const struct conf *c);
void leftover_remove(const char *pid_file);

/* As a configuration that had it, to be freed by conf_free; NULL: nothing was left. */
struct conf *leftover_read(const char *pid_file);

#endif
