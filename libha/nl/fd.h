/* SPDX-License-Identifier: MIT */
/* A netlink socket by its descriptor: what every transport over one does (libha/nl_transport.h). */
#ifndef LIBHA_NL_FD_H
#define LIBHA_NL_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* As ha_nl_transport_ops.send, .recv and .join; a send buffer that is too small grows. */
int nl_fd_send(int fd, const void *buf, size_t len);
ssize_t nl_fd_recv(int fd, void *buf, size_t cap);
int nl_fd_join(int fd, uint32_t group);

/* Sets a queue's limit (SO_RCVBUF, SO_SNDBUF): past the system's maximum if we may, else as far as it goes. */
void nl_fd_set_queue(int fd, int force, int polite, size_t bytes);

#endif
