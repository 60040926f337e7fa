/* SPDX-License-Identifier: MIT */
/*
 * A transport whose kernel is the test: what is sent is kept and shown to a hook, what is received
 * was queued by the test, datagram by datagram or errno by errno.
 */
#ifndef TEST_FAKE_NL_H
#define TEST_FAKE_NL_H

#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libha/nl_transport.h>

#include "nl/msg.h"

#define FAKE_PORT 4711
#define FAKE_QUEUE 4096

struct fake_datagram {
	uint8_t *data; /* NULL: an errno */
	size_t len;
	int error;
};

struct fake_nl {
	struct fake_datagram queue[FAKE_QUEUE];
	size_t first, n;
	int fd, n_sends, n_closes;
	uint32_t joined[8];
	size_t n_joined;
	int send_error; /* what send answers when not 0 */
	void (*on_send)(struct fake_nl *f, const void *buf, size_t len);
	void *userdata;
	uint8_t last[1 << 20]; /* the last datagram sent */
	size_t last_len;
};

static inline void fake_push(struct fake_nl *f, const void *data, size_t len, int error)
{
	struct fake_datagram *d = &f->queue[(f->first + f->n) % FAKE_QUEUE];
	uint64_t one = 1;

	assert(f->n < FAKE_QUEUE);
	*d = (struct fake_datagram){.len = len, .error = error};
	if (data) {
		/* The exact size, so that the sanitizer sees a read past it. */
		d->data = malloc(len ? len : 1);
		memcpy(d->data, data, len);
	}
	if (!f->n++)
		assert(write(f->fd, &one, sizeof(one)) == sizeof(one));
}

/* Queues what a builder wrote, as a message of the kernel to us. */
static inline void fake_push_msg(struct fake_nl *f, struct writer *w, uint32_t seq, uint32_t port)
{
	assert(!w->bad);
	memcpy(w->start + 8, &seq, sizeof(seq));
	memcpy(w->start + 12, &port, sizeof(port));
	fake_push(f, w->start, writer_len(w), 0);
}

/* Queues NLMSG_ERROR or NLMSG_DONE; `text` may be NULL. */
static inline void fake_push_error(struct fake_nl *f, uint16_t type, uint32_t seq, int error,
				   uint16_t flags, const char *text)
{
	uint8_t buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, type,
				(uint16_t)(flags | (text ? NLM_F_ACK_TLVS : 0) |
					   (type == NLMSG_ERROR ? NLM_F_CAPPED : 0)));

	write_host32(&w, (uint32_t)error);
	if (type == NLMSG_ERROR) {
		write_host32(&w, NL_HEADER_BYTES);
		write_zero(&w, NL_HEADER_BYTES - 4);
	}
	if (text)
		nl_attr_put_str(&w, NLMSGERR_ATTR_MSG, text);
	nl_msg_end(&w, m);
	fake_push_msg(f, &w, seq, FAKE_PORT);
}

static inline int fake_send(void *u, const void *buf, size_t len)
{
	struct fake_nl *f = u;

	f->n_sends++;
	if (f->send_error)
		return f->send_error;
	assert(len <= sizeof(f->last));
	memcpy(f->last, buf, len);
	f->last_len = len;
	if (f->on_send)
		f->on_send(f, buf, len);
	return 0;
}

static inline ssize_t fake_recv(void *u, void *buf, size_t cap)
{
	struct fake_nl *f = u;
	struct fake_datagram d;
	uint64_t v;

	if (!f->n)
		return -EAGAIN;
	d = f->queue[f->first];
	f->first = (f->first + 1) % FAKE_QUEUE;
	if (!--f->n)
		assert(read(f->fd, &v, sizeof(v)) == sizeof(v));
	if (!d.data)
		return d.error;
	assert(d.len <= cap);
	memcpy(buf, d.data, d.len);
	free(d.data);
	return (ssize_t)d.len;
}

static inline int fake_fd(void *u)
{
	return ((struct fake_nl *)u)->fd;
}

static inline uint32_t fake_port(void *u)
{
	return FAKE_PORT;
}

static inline int fake_join(void *u, uint32_t group)
{
	struct fake_nl *f = u;

	assert(f->n_joined < 8);
	f->joined[f->n_joined++] = group;
	return 0;
}

static inline void fake_close(void *u)
{
	((struct fake_nl *)u)->n_closes++;
}

static const struct ha_nl_transport_ops fake_ops = {
    .size = sizeof(fake_ops),
    .send = fake_send,
    .recv = fake_recv,
    .fd = fake_fd,
    .port = fake_port,
    .join = fake_join,
    .close = fake_close,
};

static inline struct fake_nl *fake_new(void)
{
	struct fake_nl *f = calloc(1, sizeof(*f));

	assert(f);
	f->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert(f->fd >= 0);
	return f;
}

static inline void fake_free(struct fake_nl *f)
{
	uint8_t *buf = malloc(1 << 17);

	while (f->n)
		fake_recv(f, buf, 1 << 17);
	free(buf);
	close(f->fd);
	free(f);
}

static inline struct ha_nl_transport fake_transport(struct fake_nl *f)
{
	return (struct ha_nl_transport){.ops = &fake_ops, .userdata = f};
}

/* The nth message of the last datagram sent, or an all zero one. */
static inline struct nl_msg fake_sent(const struct fake_nl *f, size_t nth)
{
	struct reader r = reader_of(f->last, f->last_len);
	struct nl_msg msg;

	while (nl_msg_next(&r, &msg))
		if (!nth--)
			return msg;
	return (struct nl_msg){0};
}

#endif
