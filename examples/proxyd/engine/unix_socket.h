/* SPDX-License-Identifier: MIT */
/* Listening on a unix socket: of a bind line, or of the runtime API. */
#ifndef PROXYD_ENGINE_UNIX_SOCKET_H
#define PROXYD_ENGINE_UNIX_SOCKET_H

#include "cfg.h"

/* A descriptor that does not block, or -errno. What the last run left at its path is replaced. */
int unix_listen(const struct cfg_addr *addr, const struct cfg_access *access, int backlog);

/* 0 or -errno. An abstract one is no file, and open to all. */
int unix_set_access(const struct cfg_addr *addr, const struct cfg_access *access);

#endif
