/* SPDX-License-Identifier: MIT */
/*
 * The system calls of every request and connection. Those of libc are cancellation points, which costs two locked
 * instructions for each in a process with threads; no thread here is ever cancelled. Sanitizers watch libc's.
 */
#ifndef PROXYD_ENGINE_CALLS_H
#define PROXYD_ENGINE_CALLS_H

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

#define call_recv recv
#define call_send send
#define call_accept accept4
#define call_connect connect
#define call_close close
#define call_epoll_wait epoll_wait

#else

static inline ssize_t call_recv(int fd, void *buf, size_t cap, int flags)
{
	return syscall(SYS_recvfrom, fd, buf, cap, flags, NULL, NULL);
}

static inline ssize_t call_send(int fd, const void *data, size_t len, int flags)
{
	return syscall(SYS_sendto, fd, data, len, flags, NULL, (socklen_t)0);
}

static inline int call_accept(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
	return (int)syscall(SYS_accept4, fd, from, len, flags);
}

static inline int call_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	return (int)syscall(SYS_connect, fd, to, len);
}

static inline int call_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

/* Until there are events, or at once. */
static inline int call_epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
	return (int)syscall(SYS_epoll_pwait, fd, events, max, timeout_ms, NULL, (size_t)0);
}

#endif
#endif
