/* SPDX-License-Identifier: MIT */
#include "passed.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "loop.h"

#define BATCH 252u /* the kernel takes no more than 253 */
#define WORDS_MAX (1 + NAME_MAX + 1 + IFNAMSIZ + sizeof(int))
#define ANSWER_NS UINT64_C(1000000000)
#define SEND_NS (2 * ANSWER_NS) /* of all: nobody else is answered meanwhile */

/* One batch, as it is sent and received. */
struct batch {
	unsigned n;
	int fd[BATCH];
	size_t len;
	uint8_t words[BATCH * WORDS_MAX];
};

struct passed {
	size_t n;
	struct one {
		int fd; /* -1: taken */
		char netns[NAME_MAX + 1], interface[IFNAMSIZ];
	} at[];
};

static void set_patience(int fd, uint64_t ns)
{
	const struct timeval t = {.tv_sec = (time_t)(ns / 1000000000), .tv_usec = (suseconds_t)(ns % 1000000000 / 1000)};

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int send_all(int to, const void *data, size_t len)
{
	ssize_t n = send(to, data, len, MSG_NOSIGNAL);

	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EPROTO;
}

static int receive_int(int from, int *ret)
{
	ssize_t n = recv(from, ret, sizeof(*ret), MSG_WAITALL);

	return n == sizeof(*ret) ? 0 : n < 0 ? -errno : -EPROTO;
}

/* ---- To the next process ---- */

static void put_name(struct batch *b, const char *name, size_t max)
{
	size_t len = name ? strnlen(name, max) : 0;

	b->words[b->len++] = (uint8_t)len;
	memcpy(b->words + b->len, name ? name : "", len);
	b->len += len;
}

static void put(struct batch *b, const struct passed_socket *s)
{
	static const int nothing;

	put_name(b, s->netns, NAME_MAX);
	put_name(b, s->interface, IFNAMSIZ - 1);
	memcpy(b->words + b->len, &nothing, sizeof(nothing));
	b->len += sizeof(nothing);
	b->fd[b->n++] = s->fd;
}

static int send_batch(int to, struct batch *b)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(BATCH * sizeof(int))];
	} control = {0};
	struct iovec words = {b->words, b->len};
	struct msghdr m = {.msg_iov = &words, .msg_iovlen = 1, .msg_control = &control,
			   .msg_controllen = CMSG_SPACE(b->n * sizeof(int))};
	ssize_t n;

	control.h = (struct cmsghdr){CMSG_LEN(b->n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.h), b->fd, b->n * sizeof(int));
	n = sendmsg(to, &m, MSG_NOSIGNAL);
	return n == (ssize_t)b->len ? 0 : n < 0 ? -errno : -EPROTO;
}

/* The next wait is for no longer than that. False: it is past. */
static bool wait_until(int fd, uint64_t until_ns)
{
	uint64_t now_ns = loop_clock_ns();

	if (now_ns + 1000 > until_ns) /* a microsecond is the least there is: 0 were for ever */
		return false;
	set_patience(fd, until_ns - now_ns < ANSWER_NS ? until_ns - now_ns : ANSWER_NS);
	return true;
}

static int send_batches(int to, const struct passed_socket *s, size_t n, struct batch *b)
{
	uint64_t until_ns = loop_clock_ns() + SEND_NS;
	int count = (int)n, taken, e;

	set_patience(to, ANSWER_NS);
	e = send_all(to, &count, sizeof(count));
	for (size_t i = 0; !e && i < n;) {
		b->n = 0;
		b->len = 0;
		while (i < n && b->n < BATCH)
			put(b, &s[i++]);
		e = wait_until(to, until_ns) ? send_batch(to, b) : -ETIMEDOUT;
		if (!e && i < n)
			e = wait_until(to, until_ns) ? receive_int(to, &taken) : -ETIMEDOUT;
	}
	return e;
}

int passed_send(int to, const struct passed_socket *s, size_t n)
{
	struct batch *b = malloc(sizeof(*b));
	int flags = fcntl(to, F_GETFL), e = !b ? -ENOMEM : fcntl(to, F_SETFL, flags & ~O_NONBLOCK) < 0 ? -errno : 0;

	if (!e)
		e = send_batches(to, s, n, b);
	fcntl(to, F_SETFL, flags);
	free(b);
	return e;
}

/* ---- From the last process ---- */

static int receive_batch(int from, struct batch *b)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(BATCH * sizeof(int))];
	} control;
	struct iovec words = {b->words, sizeof(b->words)};
	struct msghdr m = {.msg_iov = &words, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *h = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
	int e;

	b->n = 0;
	b->len = n > 0 ? (size_t)n : 0;
	if (n < 0)
		return -errno;
	e = m.msg_flags & MSG_CTRUNC ? -EMFILE : m.msg_flags & MSG_TRUNC ? -EPROTO : 0;
	if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
		return e ? e : -EPROTO;
	b->n = (unsigned)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(b->fd, CMSG_DATA(h), b->n * sizeof(int));
	return e;
}

/* Moves *at behind the name. False: it is not one. */
static bool get_name(const struct batch *b, size_t *at, char *to, size_t cap)
{
	size_t len = *at < b->len ? b->words[*at] : cap;

	if (len >= cap || len > b->len - *at - 1)
		return false;
	memcpy(to, b->words + *at + 1, len);
	to[len] = '\0';
	*at += 1 + len;
	return true;
}

static bool get(const struct batch *b, size_t *at, struct one *to)
{
	if (!get_name(b, at, to->netns, sizeof(to->netns)) || !get_name(b, at, to->interface, sizeof(to->interface)) ||
	    b->len - *at < sizeof(int))
		return false;
	*at += sizeof(int);
	return true;
}

/* Takes the descriptors, also when it fails. */
static int keep(struct passed *p, size_t max, const struct batch *b)
{
	size_t at = 0;
	int e = b->n <= max - p->n ? 0 : -EPROTO;

	for (unsigned i = 0; i < b->n; i++) {
		struct one *to = &p->at[p->n];

		if (!e && !get(b, &at, to))
			e = -EPROTO;
		if (e) {
			close(b->fd[i]);
			continue;
		}
		to->fd = b->fd[i];
		p->n++;
	}
	return e;
}

static int receive_all(int from, struct batch *b, struct passed **ret)
{
	struct passed *p;
	int n = 0, e = receive_int(from, &n);

	if (e)
		return e;
	if (n < 0 || n > (int)PASSED_MAX)
		return -EPROTO;
	p = calloc(1, sizeof(*p) + (size_t)n * sizeof(p->at[0]));
	if (!p)
		return -ENOMEM;
	while (!e && p->n < (size_t)n) {
		int failed = receive_batch(from, b);

		e = keep(p, (size_t)n, b);
		e = failed ? failed : e;
		if (!e) /* who sent the last one need not wait for that */
			(void)send(from, &(int){(int)b->n}, sizeof(int), MSG_NOSIGNAL);
	}
	if (e)
		passed_free(p);
	else
		*ret = p;
	return e;
}

int passed_receive(const char *path, struct passed **ret)
{
	static const char ask[] = "_getsocks\n";
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct batch *b;
	int fd, e;

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	set_patience(fd, ANSWER_NS);
	b = malloc(sizeof(*b));
	e = !b ? -ENOMEM : connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : send_all(fd, ask, sizeof(ask) - 1);
	if (!e)
		e = receive_all(fd, b, ret);
	free(b);
	close(fd);
	return e;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

/* A socket with a path was renamed since: its queue is emptied where it is. */
static bool is_at(int fd, const struct cfg_addr *addr)
{
	struct cfg_addr at = {.len = sizeof(at.storage)};

	return getsockname(fd, &at.sa, &at.len) == 0 && cfg_addr_equal(&at, addr) &&
	       (at.sa.sa_family != AF_UNIX || !*at.unix_path.sun_path);
}

static bool listens_as(int fd, const struct cfg_bind *b)
{
	return option(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && option(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1 &&
	       is_at(fd, &b->addr) &&
	       (b->addr.sa.sa_family != AF_INET6 || option(fd, IPPROTO_IPV6, IPV6_V6ONLY) == b->v6only);
}

int passed_take(struct passed *p, const struct cfg_bind *b)
{
	for (size_t i = 0; p && i < p->n; i++) {
		struct one *s = &p->at[i];
		int fd = s->fd;

		if (fd < 0 || strcmp(s->netns, b->netns ? b->netns->name : "") != 0 ||
		    strcmp(s->interface, b->interface ? b->interface : "") != 0 || !listens_as(fd, b))
			continue;
		s->fd = -1;
		return fd;
	}
	return -1;
}

void passed_free(struct passed *p)
{
	for (size_t i = 0; p && i < p->n; i++)
		if (p->at[i].fd >= 0)
			close(p->at[i].fd);
	free(p);
}
