/* SPDX-License-Identifier: MIT */
/* What an epoll event points to: a socket of a worker, plain or TLS. */
#ifndef PROXYD_ENGINE_HANDLE_H
#define PROXYD_ENGINE_HANDLE_H

struct tls;

enum handle_kind {
	HANDLE_WAKE,
	HANDLE_ALARM,
	HANDLE_LISTENER,
	HANDLE_CLIENT,
	HANDLE_SERVER,
	HANDLE_HTTP_CLIENT,
	HANDLE_HTTP_STREAM, /* of a connection of HTTP/2, whose socket and TLS it names: http/h2.h */
	HANDLE_LINK, /* an HTTP connection to a server */
	HANDLE_GONE, /* closed in this turn; events may still point to it */
};

struct handle {
	enum handle_kind kind;
	int fd;		 /* -1: none */
	struct tls *tls; /* NULL: plain */
};

#endif
