/* SPDX-License-Identifier: MIT */
/*
 * A transport that writes a netlink conversation down while it happens, and one that plays it back without
 * a kernel or a privilege: what is sent must be what was sent then, byte by byte, and the answers are those
 * of then. A recording is the port id and then the datagrams, each behind 'S' (sent) or 'R' (received) and its
 * length; numbers in host order.
 */
#ifndef TEST_NL_RECORD_H
#define TEST_NL_RECORD_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libha/nl_transport.h>

#define NL_RECORD_DATAGRAM_MAX (1u << 20)

struct nl_record {
	FILE *file;
	struct ha_nl_transport below; /* while recording */
	uint32_t port;
	int fd; /* while playing: something to poll, always readable */
};

static inline void nl_record_die(const char *why)
{
	fprintf(stderr, "recording: %s\n", why);
	exit(1);
}

static inline void nl_record_write(struct nl_record *r, char kind, const void *buf, size_t len)
{
	uint32_t n = (uint32_t)len;

	if (fputc(kind, r->file) < 0 || fwrite(&n, sizeof(n), 1, r->file) != 1 ||
	    (len && fwrite(buf, len, 1, r->file) != 1))
		nl_record_die("cannot write");
}

static inline int nl_record_send(void *u, const void *buf, size_t len)
{
	struct nl_record *r = u;

	nl_record_write(r, 'S', buf, len);
	return r->below.ops->send(r->below.userdata, buf, len);
}

static inline ssize_t nl_record_recv(void *u, void *buf, size_t cap)
{
	struct nl_record *r = u;
	ssize_t n = r->below.ops->recv(r->below.userdata, buf, cap);

	if (n >= 0)
		nl_record_write(r, 'R', buf, (size_t)n);
	else if (n != -EAGAIN)
		nl_record_die("an answer was lost: begin again");
	return n;
}

static inline int nl_record_fd(void *u)
{
	struct nl_record *r = u;

	return r->below.ops->fd(r->below.userdata);
}

static inline uint32_t nl_record_port(void *u)
{
	return ((struct nl_record *)u)->port;
}

static inline void nl_record_close(void *u)
{
	struct nl_record *r = u;

	r->below.ops->close(r->below.userdata);
	if (fclose(r->file))
		nl_record_die("cannot write");
	free(r);
}

/* The kind of the next datagram, which stays; 0 at the end. */
static inline int nl_replay_peek(struct nl_record *r)
{
	int kind = fgetc(r->file);

	if (kind == EOF)
		return 0;
	ungetc(kind, r->file);
	return kind;
}

static inline uint32_t nl_replay_take(struct nl_record *r, void *buf, size_t cap)
{
	uint32_t n;

	fgetc(r->file);
	if (fread(&n, sizeof(n), 1, r->file) != 1 || n > cap || fread(buf, 1, n, r->file) != n)
		nl_record_die("it is damaged");
	return n;
}

static inline int nl_replay_send(void *u, const void *buf, size_t len)
{
	static unsigned char then[NL_RECORD_DATAGRAM_MAX];
	struct nl_record *r = u;

	if (nl_replay_peek(r) != 'S')
		nl_record_die("more is asked than was then");
	if (nl_replay_take(r, then, sizeof(then)) != len || memcmp(then, buf, len) != 0)
		nl_record_die("something else is asked than was then");
	return 0;
}

static inline ssize_t nl_replay_recv(void *u, void *buf, size_t cap)
{
	struct nl_record *r = u;

	return nl_replay_peek(r) == 'R' ? (ssize_t)nl_replay_take(r, buf, cap) : -EAGAIN;
}

static inline int nl_replay_fd(void *u)
{
	return ((struct nl_record *)u)->fd;
}

static inline void nl_replay_close(void *u)
{
	struct nl_record *r = u;

	if (nl_replay_peek(r))
		nl_record_die("less was asked than then");
	fclose(r->file);
	close(r->fd);
	free(r);
}

/*
 * A transport that records to $NL_RECORD or plays $NL_REPLAY; false when neither is set. Ends the program when
 * it cannot.
 */
static inline bool nl_record_open(int protocol, struct ha_nl_transport *ret)
{
	static const struct ha_nl_transport_ops recording = {.size = sizeof(recording),
							     .send = nl_record_send,
							     .recv = nl_record_recv,
							     .fd = nl_record_fd,
							     .port = nl_record_port,
							     .close = nl_record_close};
	static const struct ha_nl_transport_ops playing = {.size = sizeof(playing),
							   .send = nl_replay_send,
							   .recv = nl_replay_recv,
							   .fd = nl_replay_fd,
							   .port = nl_record_port,
							   .close = nl_replay_close};
	const char *to = getenv("NL_RECORD"), *from = getenv("NL_REPLAY");
	struct nl_record *r;

	if (!to && !from)
		return false;
	r = calloc(1, sizeof(*r));
	if (!r || !(r->file = fopen(to ? to : from, to ? "wb" : "rb")))
		nl_record_die("cannot open it");
	if (to) {
		if (ha_nl_mnl_open(protocol, NULL, &r->below) < 0)
			nl_record_die("no netlink");
		r->port = r->below.ops->port(r->below.userdata);
		if (fwrite(&r->port, sizeof(r->port), 1, r->file) != 1)
			nl_record_die("cannot write");
	} else {
		r->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (r->fd < 0 || fread(&r->port, sizeof(r->port), 1, r->file) != 1)
			nl_record_die("it is damaged");
	}
	*ret = (struct ha_nl_transport){.ops = to ? &recording : &playing, .userdata = r};
	return true;
}

#endif
