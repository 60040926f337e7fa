/* SPDX-License-Identifier: MIT */
/* The UDP probe: a datagram out, a look at the one that comes back, or silence if that is enough. */
#include <errno.h>

#include <libhealth/probe_expect.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"
#include "line.h"
#include "reply.h"

struct udp_config {
	uint64_t flags;
	size_t send_len, expect_len;
	size_t reply_min, reply_max;
	uint8_t send[HEALTH_UDP_BYTES_MAX];
	uint8_t expect[HEALTH_UDP_BYTES_MAX];
	uint8_t mask[HEALTH_UDP_BYTES_MAX];
};

static void udp_teardown(void *config)
{
	mem_free(config);
}

static bool opts_valid(const struct health_udp_opts *o)
{
	return o->send_len <= HEALTH_UDP_BYTES_MAX && o->expect_len <= HEALTH_UDP_BYTES_MAX &&
	       !o->send == !o->send_len && !o->expect == !o->expect_len &&
	       !(o->flags & ~(HEALTH_UDP_SILENCE_OK | HEALTH_UDP_ANYWHERE)) &&
	       !(o->expect_mask && (!o->expect || o->flags & HEALTH_UDP_ANYWHERE)) &&
	       !(o->reply_max && o->reply_max < o->reply_min);
}

static void compile(struct udp_config *c, const struct health_udp_opts *o)
{
	c->flags = o->flags;
	c->reply_min = o->reply_min;
	c->reply_max = o->reply_max ? o->reply_max : SIZE_MAX;
	c->send_len = o->send ? o->send_len : 1;
	if (o->send)
		memcpy(c->send, o->send, o->send_len);
	c->expect_len = o->expect_len;
	memset(c->mask, 0xff, sizeof(c->mask));
	if (o->expect_mask)
		memcpy(c->mask, o->expect_mask, o->expect_len);
	for (size_t i = 0; i < o->expect_len; i++)
		c->expect[i] = ((const uint8_t *)o->expect)[i] & c->mask[i];
}

static int udp_setup(const void *opts, void **ret_config)
{
	struct health_udp_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct udp_config *c;

	if (r < 0)
		return r;
	if (!opts_valid(&o))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	compile(c, &o);
	*ret_config = c;
	return 0;
}

static bool matches(const struct udp_config *c, const uint8_t *data, size_t len)
{
	if (len < c->expect_len)
		return false;
	if (c->flags & HEALTH_UDP_ANYWHERE)
		return !c->expect_len || memmem(data, len, c->expect, c->expect_len);
	for (size_t i = 0; i < c->expect_len; i++)
		if ((data[i] & c->mask[i]) != c->expect[i])
			return false;
	return true;
}

static enum health_step udp_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct udp_config *c = config;

	return reply_send(io, c->send, c->send_len);
}

static enum health_step udp_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	const struct udp_config *c = config;
	struct reader r = reader_of(data, len);
	char text[HEALTH_TEXT_MAX];

	line_excerpt(&r, text, sizeof(text));
	if (len < c->reply_min || len > c->reply_max)
		return reply_broken(io, 0, "answer of another length");
	return matches(c, data, len) ? reply_ok(io, 0, text) : reply_broken(io, 0, text);
}

static enum health_step udp_timeout(void *state, const void *config, struct health_probe_io *io)
{
	const struct udp_config *c = config;

	if (!(c->flags & HEALTH_UDP_SILENCE_OK))
		return HEALTH_STEP_MORE;
	return reply_over(io, HEALTH_OK, HEALTH_CODE_L4OK, 0, "nothing refused it");
}

const struct health_probe_ops *health_probe_udp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "udp",
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = udp_setup,
	    .teardown = udp_teardown,
	    .open = udp_open,
	    .received = udp_received,
	    .timeout = udp_timeout,
	};

	return &ops;
}
