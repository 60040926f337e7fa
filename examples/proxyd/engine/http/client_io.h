/* SPDX-License-Identifier: MIT */
/* Bytes from and to a client: of its socket, or of its stream of HTTP/2 (h2_stream.c), which has the same manners. */
#ifndef PROXYD_ENGINE_HTTP_CLIENT_IO_H
#define PROXYD_ENGINE_HTTP_CLIENT_IO_H

#include "engine/io.h"
#include "http.h"

ssize_t h2_recv(const struct client *c, void *buf, size_t cap);
bool h2_is_emptied(const struct client *c);
ssize_t h2_send(const struct client *c, const void *data, size_t len);
/* No more comes. */
void h2_shutdown(const struct client *c);

static inline ssize_t client_recv(const struct client *c, void *buf, size_t cap)
{
	return client_is_stream(c) ? h2_recv(c, buf, cap) : handle_recv(&c->h, buf, cap);
}

/* As handle_is_emptied(). */
static inline bool client_is_emptied(const struct client *c, size_t n, size_t cap)
{
	return client_is_stream(c) ? h2_is_emptied(c) : handle_is_emptied(&c->h, n, cap);
}

static inline ssize_t client_send(const struct client *c, const void *data, size_t len, int flags)
{
	return client_is_stream(c) ? h2_send(c, data, len) : handle_send(&c->h, data, len, flags);
}

/* As handle_hurry(): streams share a socket, whose ACKs nobody waits for. */
static inline void client_hurry(const struct client *c)
{
	if (!client_is_stream(c))
		handle_hurry(&c->h);
}

#endif
