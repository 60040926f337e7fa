/* SPDX-License-Identifier: MIT */
/* Listening on a unix socket: of a bind line, or of the runtime API. */
#ifndef PROXYD_ENGINE_UNIX_SOCKET_H
#define PROXYD_ENGINE_UNIX_SOCKET_H

#include <sys/types.h>

#include "cfg/cfg.h"

/*
 * A descriptor that does not block, or -errno. Who finds the path can connect: it is made beside it, and replaces
 * in one step what the last run left there, or a running process has there.
 */
int unix_listen(const struct cfg_addr *addr, const struct cfg_access *access, int backlog);

/* As unix_listen, for datagrams. */
int unix_receive(const struct cfg_addr *addr, const struct cfg_access *access);

/* 0 or -errno. An abstract one is no file, and open to all. */
int unix_set_access(const struct cfg_addr *addr, const struct cfg_access *access);

/* Which file it is: another process may have put its own at the same path since. */
struct unix_file {
	dev_t dev;
	ino_t ino;
};
void unix_remember(const char *path, struct unix_file *ret);
/* Removes it if it is still that one; what unix_keep() kept comes back. */
void unix_remove(const char *path, const struct unix_file *f);

/*
 * Before unix_listen(), by who may fail after it: what a running process has at the path stays under another name,
 * until unix_settle() gives that up.
 */
void unix_keep(const char *path);
void unix_settle(const char *path);

#endif
