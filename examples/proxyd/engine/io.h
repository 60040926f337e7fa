/* SPDX-License-Identifier: MIT */
/* Bytes in and out of a connection, be it plain or TLS. */
#ifndef PROXYD_ENGINE_IO_H
#define PROXYD_ENGINE_IO_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "calls.h"
#include "objects.h"
#include "tls/conn.h"

static inline ssize_t handle_recv(const struct handle *h, void *buf, size_t cap)
{
	return h->tls ? tls_recv(h->tls, buf, cap) : call_recv(h->fd, buf, cap, 0);
}

/* What is there stays there. Of TLS only the first record is seen. */
static inline ssize_t handle_peek(const struct handle *h, void *buf, size_t cap)
{
	return h->tls ? tls_peek(h->tls, buf, cap) : call_recv(h->fd, buf, cap, MSG_PEEK);
}

/*
 * Sending failed. Where the kernel had no memory the connection still stands, and no event would ever tell that it is of no more
 * use: this is what makes one. errno stays.
 */
static inline void end_if_short(int fd)
{
	int error = errno;

	if (error == ENOBUFS || error == ENOMEM)
		shutdown(fd, SHUT_RDWR);
	errno = error;
}

/* `flags`: MSG_MORE. */
static inline ssize_t handle_send(const struct handle *h, const void *data, size_t len, int flags)
{
	ssize_t n;

	if (h->tls)
		return tls_send(h->tls, data, len, flags);
	n = call_send(h->fd, data, len, MSG_NOSIGNAL | flags);
	if (n < 0)
		end_if_short(h->fd);
	return n;
}

/* A read of `n` bytes of `cap` took all that had come: only an event brings more. */
static inline bool handle_is_emptied(const struct handle *h, size_t n, size_t cap)
{
	return n < cap && !(h->tls && tls_has_ended(h->tls));
}

/*
 * The peer has not said all yet, and may wait for an ACK before it says more (Nagle's algorithm; RFC 9293, section 3.7.4). Sockets
 * that answer, and those that were told to (TCP_QUICKACK), hold it back 40 ms. What is sent next makes it so again.
 */
static inline void handle_hurry(const struct handle *h)
{
	setsockopt(h->fd, IPPROTO_TCP, TCP_QUICKACK, &(int){1}, sizeof(int)); /* a unix socket has none */
}

/* Its close is a reset: the peer shall not take what came until then for all there is. */
static inline void handle_abort(const struct handle *h)
{
	if (h->fd >= 0)
		setsockopt(h->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
}

/* No more bytes go to the peer. 0 or -1. */
static inline int handle_shutdown(const struct handle *h)
{
	if (h->tls)
		tls_shutdown(h->tls);
	return shutdown(h->fd, SHUT_WR);
}

/* Which takes it out of epoll, too. */
static inline void handle_close(struct handle *h)
{
	tls_free(h->tls);
	h->tls = NULL;
	if (h->fd >= 0)
		call_close(h->fd);
	h->fd = -1;
}

/* Its handshake, if it is TLS, is done. */
static inline bool handle_is_ready(const struct handle *h)
{
	return !h->tls || h->tls->is_ready;
}

#endif
