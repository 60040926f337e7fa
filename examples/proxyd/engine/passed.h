/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that one process passes to the next over a stats socket with "expose-fd listeners", in the form of
 * HAProxy, which may be at either end: "_getsocks" is answered with how many there are, an int of this machine, and then
 * with batches of them (SCM_RIGHTS). The data of a batch tells of each: the length of its network namespace's name and
 * that name, the same of its interface, and an int of no meaning. A batch is acknowledged by an int.
 */
#ifndef PROXYD_ENGINE_PASSED_H
#define PROXYD_ENGINE_PASSED_H

#include <stdbool.h>
#include <stddef.h>

#define PASSED_MAX 16384u

struct cfg_bind;
struct passed;

struct passed_socket {
	int fd;
	const char *netns, *interface; /* NULL: none */
};

/* Waits at most two seconds for all of it, and leaves `to` as non-blocking as it was. 0 or -errno. */
int passed_send(int to, const struct passed_socket *s, size_t n);

/* Asks at the stats socket `path` for all, and waits at most a second for each batch. 0; -errno: nothing was received, *ret is as it was. */
int passed_receive(const char *path, struct passed **ret);

/* One that listens where and as the line says; from now on the caller's. -1: there is none. NULL is fine. */
int passed_take(struct passed *p, const struct cfg_bind *b);

/* Closes those that nobody took. NULL is fine. */
void passed_free(struct passed *p);

#endif
