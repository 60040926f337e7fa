/* SPDX-License-Identifier: MIT */
/*
 * Netlink from a kernel that lies. The input is a row of datagrams, each behind its length in 16 bits of
 * host order; each is read by itself, with the property that an address or route written again reads the
 * same, and all are given to a monitor.
 */
#include <assert.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "net/codec.h"
#include "net/neighbour_codec.h"
#include "net/route_codec.h"
#include "net/rule_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The monitor numbers its dumps from 1, so an input can answer them. */
#define PORT 1
#define DISPATCHES 64

static bool next_datagram(struct reader *in, const uint8_t **ret, size_t *ret_len)
{
	size_t len = read_host16(in);

	if (len > reader_left(in))
		len = reader_left(in);
	*ret_len = len;
	*ret = read_bytes(in, len);
	return !in->bad;
}

static void address_survives(const struct ha_net_address *a)
{
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	struct reader r;
	struct nl_msg msg;
	struct ha_net_address again;

	if (net_codec_check(a) < 0 || !a->prefix_len)
		return; /* a kernel may hold what it cannot be asked for */
	nl_msg_begin(&w, RTM_NEWADDR, 0);
	net_codec_put_address(&w, a);
	nl_msg_end(&w, 0);
	assert(!w.bad);
	r = reader_of(buf, writer_len(&w));
	assert(nl_msg_next(&r, &msg) && !net_codec_read_address(&msg, &again));
	again.flags = a->flags; /* only some can be asked for */
	assert(net_codec_same_address(a, &again));
}

static void route_survives(const struct ha_net_route *a)
{
	static struct ha_net_nexthop room[HA_NET_NEXTHOPS_MAX];
	static uint8_t buf[65536];
	struct writer w = writer_of(buf, sizeof(buf));
	struct reader r;
	struct nl_msg msg;
	struct ha_net_route b = *a, again;

	if (route_codec_check(a) < 0 || a->flags & ~(uint32_t)RTNH_F_ONLINK || !a->table ||
	    !a->protocol || !a->type || !a->scope)
		return; /* a kernel may hold what it cannot be asked for, or what means a default */
	if (net_codec_prefix(&a->dst, a->dst_len) != a->dst_len ||
	    net_codec_prefix(&a->src, a->src_len) != a->src_len)
		return;
	b.metrics[0] = b.metrics[RTAX_CC_ALGO] = 0;
	for (size_t i = 0; i < a->n_nexthops; i++)
		if (a->nexthops[i].flags & ~(uint32_t)RTNH_F_ONLINK)
			return;
	nl_msg_begin(&w, RTM_NEWROUTE, 0);
	route_codec_put(&w, &b);
	nl_msg_end(&w, 0);
	if (w.bad)
		return;
	r = reader_of(buf, writer_len(&w));
	assert(nl_msg_next(&r, &msg) && !route_codec_read(&msg, room, &again));
	assert(route_codec_same(&b, &again));
}

static void read_others(const struct nl_msg *msg)
{
	static struct ha_net_nexthop room[HA_NET_NEXTHOPS_MAX];
	struct ha_net_route route;
	struct ha_net_rule rule;
	struct ha_net_neighbour neighbour;

	if (!route_codec_read(msg, room, &route))
		route_survives(&route);
	if (!rule_codec_read(msg, &rule))
		assert(memchr(rule.iif, 0, sizeof(rule.iif)) && rule.from_len <= 128);
	if (!neighbour_codec_read(msg, &neighbour))
		assert(neighbour.mac_len <= sizeof(neighbour.mac));
}

static void walk_attributes(struct reader r, int depth)
{
	struct nl_attr a;
	char text[32];
	uint32_t u32;

	while (nl_attr_next(&r, &a)) {
		nl_attr_str(&a, text, sizeof(text));
		nl_attr_be32(&a, &u32);
		if (depth < 3)
			walk_attributes(a.data, depth + 1);
	}
}

static void read_datagram(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	struct nl_msg msg;
	struct nl_error e;
	struct ha_net_address a;
	struct ha_net_link l;

	while (nl_msg_next(&r, &msg)) {
		struct reader body = msg.body;
		struct nl_genl genl;

		if (nl_error_read(&msg, &e))
			assert(memchr(e.text, 0, sizeof(e.text)));
		if (!net_codec_read_address(&msg, &a))
			address_survives(&a);
		if (!net_codec_read_link(&msg, &l))
			assert(l.mac_len <= sizeof(l.mac) && memchr(l.name, 0, sizeof(l.name)));
		read_others(&msg);
		if (nl_genl_take(&body, &genl))
			walk_attributes(body, 0);
	}
}

/* -- a transport that reads the input --------------------------------------------------------------- */

static int input_send(void *u, const void *buf, size_t len)
{
	return 0;
}

static ssize_t input_recv(void *u, void *buf, size_t cap)
{
	const uint8_t *data;
	size_t len;

	if (!reader_left(u))
		return -EAGAIN;
	if (!next_datagram(u, &data, &len) || len > cap)
		return -ENOBUFS;
	if (len)
		memcpy(buf, data, len);
	return (ssize_t)len;
}

static int input_fd(void *u)
{
	return 0;
}

static uint32_t input_port(void *u)
{
	return PORT;
}

static int input_join(void *u, uint32_t group)
{
	return 0;
}

static const struct ha_nl_transport_ops input_ops = {.size = sizeof(input_ops),
						     .send = input_send,
						     .recv = input_recv,
						     .fd = input_fd,
						     .port = input_port,
						     .join = input_join};

static void watch(const uint8_t *data, size_t size)
{
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops)};
	struct reader in = reader_of(data, size);
	const struct ha_nl_transport t = {.ops = &input_ops, .userdata = &in};
	const struct ha_net_monitor_opts o = {
	    .size = sizeof(o), .transport = &t, .neighbours = true, .routes = true, .rules = true};
	struct ha_net_monitor *m;

	if (ha_net_monitor_new(&o, &ops, NULL, &m) < 0)
		return;
	for (uint64_t now = 0; now < DISPATCHES; now++)
		ha_net_monitor_dispatch(m, now * 100000000);
	ha_net_monitor_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader in = reader_of(data, size);
	const uint8_t *datagram;
	size_t len;

	while (reader_left(&in) && next_datagram(&in, &datagram, &len))
		read_datagram(datagram, len);
	watch(data, size);
	return 0;
}
