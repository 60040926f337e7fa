/* SPDX-License-Identifier: MIT */
/* SOCKS4's CONNECT on a socket that is connected to the proxy. */
#ifndef PROXYD_ENGINE_SOCKS_H
#define PROXYD_ENGINE_SOCKS_H

#include <stdint.h>
#include <sys/socket.h>

/*
 * *step, how far it is, is 0 at first. 0: `to` is at the other end now, and nothing of its bytes was read; -EAGAIN: once more
 * when there is more; -ECONNREFUSED: the proxy says no; another -errno: it failed.
 */
int socks_connect(int fd, const struct sockaddr *to, uint8_t *step);

#endif
