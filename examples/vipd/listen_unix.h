/* SPDX-License-Identifier: MIT */
/* A unix socket that only its owner may open. */
#ifndef VIPD_LISTEN_UNIX_H
#define VIPD_LISTEN_UNIX_H

/*
 * Listens at `path`, mode 0600, non-blocking. A socket that a crash left there is replaced; anything else there
 * stays, and no link is followed: -EADDRINUSE. The descriptor, or -errno.
 */
int listen_unix(const char *path, int backlog);

#endif
