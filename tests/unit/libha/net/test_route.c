/* SPDX-License-Identifier: MIT */
/* Routes, rules and neighbours: their bytes, and the handle over a scripted kernel. */
#include <linux/fib_rules.h>
#include <linux/lwtunnel.h>
#include <linux/mpls_iptunnel.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/encap_codec.h"
#include "net/neighbour_codec.h"
#include "net/route_codec.h"
#include "net/rule_codec.h"

#include "fake_nl.h"

#include "tests/support/fail_memory.h"

static struct ha_ip ip(const char *text)
{
	struct ha_ip a;

	assert_int_equal(ha_ip_parse(text, &a), 0);
	return a;
}

static struct nl_msg message(uint8_t *buf, struct writer *w)
{
	struct reader r;
	struct nl_msg msg;

	nl_msg_end(w, 0);
	assert_false(w->bad);
	r = reader_of(buf, writer_len(w));
	assert_true(nl_msg_next(&r, &msg));
	return msg;
}

/* -- bytes ----------------------------------------------------------------------------------------- */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void a_route_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    2,	  24, 0,  0,	252,  112, 0,	 1,    0, 0, 0, 0, /* rtmsg: RT_TABLE_COMPAT, universe, unicast */
	    8,	  0,  15, 0,	0xe8, 3,   0,	 0,		   /* RTA_TABLE 1000 */
	    8,	  0,  1,  0,	203,  0,   113,	 0,		   /* RTA_DST */
	    8,	  0,  6,  0,	77,   0,   0,	 0,		   /* RTA_PRIORITY */
	    0x34, 0,  9,  0x80,					   /* RTA_MULTIPATH */
	    16,	  0,  0,  2,	0,    0,   0,	 0,		   /* rtnexthop: weight 3 */
	    8,	  0,  5,  0,	192,  0,   2,	 254, /* RTA_GATEWAY */
	    32,	  0,  4,  0,	3,    0,   0,	 0,   /* rtnexthop: onlink, link 3 */
	    22,	  0,  18, 0,	10,   0,   0xfe, 0x80, 0, 0, 0, 0, 0,
	    0,	  0,  0,  0,	0,    0,   0,	 0,    0, 0, 0, /* RTA_VIA */
	};
	struct ha_net_nexthop nh[2] = {
	    {.size = sizeof(nh[0]), .via = ip("192.0.2.254"), .weight = 3},
	    {.size = sizeof(nh[0]), .via = ip("fe80::"), .ifindex = 3, .flags = RTNH_F_ONLINK}};
	struct ha_net_route r = {.size = sizeof(r),
				 .dst = ip("203.0.113.0"),
				 .dst_len = 24,
				 .table = 1000,
				 .priority = 77,
				 .nexthops = nh,
				 .n_nexthops = 2};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	assert_int_equal(route_codec_check(&r), 0);
	route_codec_put(&w, &r);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_rule_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    2, 0, 16, 0, 7,    0, 0,  1, 2, 0, 0, 0, /* fib_rule_hdr: to the table, inverted */
	    8, 0, 15, 0, 7,    0, 0,  0,	     /* FRA_TABLE */
	    5, 0, 21, 0, 112,  0, 0,  0,	     /* FRA_PROTOCOL */
	    8, 0, 2,  0, 10,   1, 0,  0,	     /* FRA_SRC */
	    8, 0, 24, 0, 80,   0, 90, 0,	     /* FRA_DPORT_RANGE */
	    8, 0, 6,  0, 0xf4, 1, 0,  0,	     /* FRA_PRIORITY */
	};
	struct ha_net_rule r = {.size = sizeof(r),
				.from = ip("10.1.0.0"),
				.from_len = 16,
				.invert = true,
				.table = 7,
				.dport_first = 80,
				.dport_last = 90,
				.priority = 500};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	rule_codec_put(&w, &r);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_neighbour_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    2,	0, 0,  0, 3,   0, 0, 0, 0x80, 0, 0, 0, /* ndmsg: link 3, NUD_PERMANENT */
	    8,	0, 1,  0, 192, 0, 2, 9,		       /* NDA_DST */
	    10, 0, 2,  0, 2,   0, 0, 0, 0,    7, 0, 0, /* NDA_LLADDR */
	    5,	0, 12, 0, 112, 0, 0, 0,		       /* NDA_PROTOCOL */
	};
	struct ha_net_neighbour a = {.size = sizeof(a),
				     .ifindex = 3,
				     .ip = ip("192.0.2.9"),
				     .mac_len = 6,
				     .mac = {2, 0, 0, 0, 0, 7}};
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	neighbour_codec_put(&w, &a);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
	/* Who only has the kernel ask replaces nothing and leaves no mark. */
	a.flags = NTF_USE;
	a.mac_len = 0;
	w = writer_of(buf, sizeof(buf));
	neighbour_codec_put(&w, &a);
	assert_int_equal(writer_len(&w), 20);
	assert_int_equal(buf[8], NUD_NONE);
	assert_int_equal(buf[10], NTF_USE);
}
#endif

/* A route with everything, of either family. */
static struct ha_net_route full(bool v4, struct ha_net_nexthop *nh)
{
	struct ha_net_route r = {.size = sizeof(r),
				 .family = v4 ? AF_INET : AF_INET6,
				 .dst = ip(v4 ? "203.0.113.0" : "2001:db8::"),
				 .dst_len = 24,
				 .prefsrc = ip(v4 ? "192.0.2.1" : "2001:db8::1"),
				 .type = RTN_UNICAST,
				 .protocol = 18,
				 .table = 70000,
				 .priority = 5,
				 .realms = 0x10002,
				 .metrics = {[RTAX_MTU] = 1400, [RTAX_LOCK] = 1u << RTAX_MTU},
				 .congestion = "bbr"};

	if (v4) {
		r.tos = 0x10;
		r.scope = RT_SCOPE_SITE;
	} else {
		r.src = ip("2001:db8:1::");
		r.src_len = 48;
		r.pref = 3;
	}
	if (!nh) {
		r.via = ip("fe80::1");
		r.ifindex = 7;
		r.flags = RTNH_F_ONLINK;
		return r;
	}
	nh[0] = (struct ha_net_nexthop){
	    .size = sizeof(*nh), .via = ip("fe80::1"), .ifindex = 3, .weight = 256};
	nh[1] = (struct ha_net_nexthop){
	    .size = sizeof(*nh), .ifindex = 4, .weight = 1, .realms = 9, .flags = RTNH_F_ONLINK};
	r.nexthops = nh;
	r.n_nexthops = 2;
	return r;
}

static struct ha_net_nexthop room[HA_NET_NEXTHOPS_MAX];

static void a_route_is_read_back(void **state)
{
	uint8_t buf[512];

	for (int i = 0; i < 4; i++) {
		struct ha_net_nexthop nh[2];
		struct ha_net_route r = full(i & 1, i & 2 ? nh : NULL), back;
		struct writer w = writer_of(buf, sizeof(buf));
		struct nl_msg msg;

		assert_int_equal(route_codec_check(&r), 0);
		nl_msg_begin(&w, RTM_NEWROUTE, 0);
		route_codec_put(&w, &r);
		msg = message(buf, &w);
		assert_int_equal(route_codec_read(&msg, room, &back), 0);
		assert_true(route_codec_same(&r, &back));
		back.metrics[RTAX_MTU]++;
		assert_false(route_codec_same(&r, &back));
		assert_true(route_codec_same_place(&r, &back));
	}
}

static void a_rule_is_read_back(void **state)
{
	struct ha_net_rule r = {.size = sizeof(r),
				.from = ip("2001:db8::"),
				.from_len = 32,
				.to = ip("2001:db8::1"),
				.to_len = 128,
				.family = AF_INET6,
				.tos = 4,
				.ip_proto = 17,
				.invert = true,
				.by_uid = true,
				.uid_first = 5,
				.uid_last = 9,
				.iif = "123456789012345",
				.oif = "lo",
				.fwmark = 1,
				.fwmask = 3,
				.sport_first = 1,
				.sport_last = 1,
				.dport_first = 2,
				.dport_last = 3,
				.tun_id = UINT64_C(0x123456789),
				.action = FR_ACT_TO_TBL,
				.protocol = 18,
				.suppress_prefix = true,
				.suppress_group = true,
				.suppress_ifgroup = 8,
				.priority = 5,
				.table = 1000,
				.realms = 7},
			   back;
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	struct nl_msg msg;

	assert_int_equal(rule_codec_check(&r), 0);
	nl_msg_begin(&w, RTM_NEWRULE, 0);
	rule_codec_put(&w, &r);
	msg = message(buf, &w);
	assert_int_equal(rule_codec_read(&msg, &back), 0);
	r.flags = FIB_RULE_INVERT;
	assert_memory_equal(&r, &back, sizeof(r));
}

#define REFUSED(...)                                              \
	do {                                                      \
		r = good;                                         \
		__VA_ARGS__;                                      \
		assert_int_equal(route_codec_check(&r), -EINVAL); \
	} while (0)

/* -- encapsulations -------------------------------------------------------------------------------- */

static const struct ha_net_encap encaps[] = {
    {.type = LWTUNNEL_ENCAP_MPLS, .ttl = 3, .n_labels = 3, .u.labels = {1048575, 0, 16}},
    {.type = LWTUNNEL_ENCAP_IP,
     .flags = 4,
     .ttl = 1,
     .tos = 2,
     .u.ip = {UINT64_C(1) << 63, {AF_INET, {1, 2, 3, 4}}, {AF_INET, {5, 6, 7, 8}}}},
    {.type = LWTUNNEL_ENCAP_IP6, .u.ip = {.dst = {AF_INET6, {0xfe, 0x80, 1}}}},
    {.type = LWTUNNEL_ENCAP_ILA, .u.ila = {UINT64_C(0x20010db800000001), 2, 1, 1}},
};

#define N_ENCAPS (sizeof(encaps) / sizeof(encaps[0]))

static void an_encapsulation_is_read_back(void **state)
{
	uint8_t buf[1024];

	for (size_t i = 0; i < 2 * N_ENCAPS; i++) {
		struct ha_net_nexthop nh[2];
		struct ha_net_route r = full(false, i < N_ENCAPS ? NULL : nh), back;
		struct writer w = writer_of(buf, sizeof(buf));
		struct nl_msg msg;

		*(i < N_ENCAPS ? &r.encap : &nh[1].encap) = encaps[i % N_ENCAPS];
		assert_int_equal(route_codec_check(&r), 0);
		nl_msg_begin(&w, RTM_NEWROUTE, 0);
		route_codec_put(&w, &r);
		msg = message(buf, &w);
		assert_int_equal(route_codec_read(&msg, room, &back), 0);
		assert_true(route_codec_same(&r, &back));
		*(i < N_ENCAPS ? &back.encap : &room[1].encap) = encaps[(i + 1) % N_ENCAPS];
		assert_false(route_codec_same_ways(&r, &back));
	}
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void an_encapsulation_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    6,	0, 21, 0,    1, 0, 0,	 0, /* RTA_ENCAP_TYPE: MPLS */
	    16, 0, 22, 0x80,		    /* RTA_ENCAP */
	    12, 0, 1,  0,		    /* MPLS_IPTUNNEL_DST: */
	    0,	6, 64, 0,    0, 0, 0x11, 0, /* 100; 1, bottom of the stack */
	};
	const struct ha_net_encap e = {
	    .type = LWTUNNEL_ENCAP_MPLS, .n_labels = 2, .u.labels = {100, 1}};
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));

	encap_codec_put(&w, &e);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}
#endif

static void an_encapsulation_that_makes_no_sense_is_refused(void **state)
{
	struct ha_net_route good = full(false, NULL), r;

	REFUSED(r.encap.type = LWTUNNEL_ENCAP_SEG6);
	REFUSED(r.encap.ttl = 1); /* of none */
	REFUSED(r.encap = encaps[0]; r.encap.n_labels = 0);
	REFUSED(r.encap = encaps[0]; r.encap.n_labels = HA_NET_LABELS_MAX + 1);
	REFUSED(r.encap = encaps[0]; r.encap.u.labels[1] = 1 << 20);
	REFUSED(r.encap = encaps[1]; r.encap.u.ip.dst.family = AF_INET6);
	REFUSED(r.encap = encaps[2]; r.encap.u.ip.src.family = AF_INET);
	REFUSED(r.encap = encaps[3]; r.encap.tos = 1);
	REFUSED(r.encap = encaps[3]; r.encap.u.ila.reserved[4] = 1);
	REFUSED(r.encap.reserved[0] = 1);
}

static void hostile_encapsulations_are_refused(void **state)
{
	struct ha_net_route back;
	uint8_t buf[256];

	for (int i = 0; i < 4; i++) {
		struct writer w = writer_of(buf, sizeof(buf));
		struct nl_msg msg;
		size_t nest;

		nl_msg_begin(&w, RTM_NEWROUTE, 0);
		write_u8(&w, AF_INET);
		write_zero(&w, 11);
		nest = nl_nest_begin(&w, RTA_ENCAP); /* before the type */
		if (i == 0) {
			uint8_t labels[HA_NET_LABELS_MAX * 4 + 4] = {0};

			nl_attr_put(&w, MPLS_IPTUNNEL_DST, labels, sizeof(labels));
		} else if (i == 1) {
			nl_attr_put(&w, MPLS_IPTUNNEL_DST, "123", 3); /* no whole label */
		} else if (i == 2) {
			nl_attr_put_u8(&w, MPLS_IPTUNNEL_TTL, 3); /* no label */
		} else {
			write_host16(&w, 200); /* longer than it is */
			write_host16(&w, MPLS_IPTUNNEL_DST);
		}
		nl_nest_end(&w, nest);
		nl_attr_put_u16(&w, RTA_ENCAP_TYPE, LWTUNNEL_ENCAP_MPLS);
		msg = message(buf, &w);
		assert_int_equal(route_codec_read(&msg, room, &back), -EBADMSG);
	}
}

static void a_default_route_and_a_host_route_differ(void **state)
{
	static const struct {
		const char *dst;
		uint8_t len, on_wire;
	} rows[] = {{"0.0.0.0", 0, 0},
		    {"192.0.2.1", 0, 32},
		    {"::", 0, 0},
		    {"2001:db8::1", 0, 128},
		    {"10.0.0.0", 8, 8}};
	uint8_t buf[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ha_net_route r = {.size = sizeof(r),
					 .dst = ip(rows[i].dst),
					 .dst_len = rows[i].len,
					 .ifindex = 1};
		struct writer w = writer_of(buf, sizeof(buf));

		assert_int_equal(route_codec_check(&r), 0);
		route_codec_put(&w, &r);
		assert_int_equal(buf[1], rows[i].on_wire);
	}
}

static void a_route_that_makes_no_sense_is_refused(void **state)
{
	struct ha_net_nexthop nh[2];
	struct ha_net_route good = full(true, NULL), r;

	REFUSED(r = (struct ha_net_route){.size = sizeof(r), .ifindex = 1}); /* no family */
	REFUSED(r.family = 44);
	REFUSED(r.dst = ip("2001:db8::"));
	REFUSED(r.prefsrc = ip("2001:db8::"));
	REFUSED(r.dst_len = 33);
	REFUSED(r.ifindex = UINT32_MAX);
	REFUSED(r.src = ip("192.0.2.0"); r.src_len = 24);
	REFUSED(r.pref = 1);
	REFUSED(r.expires_s = 1);
	REFUSED(memset(r.congestion, 'x', sizeof(r.congestion)));
	REFUSED(r.n_nexthops = 1);
	good = full(false, NULL);
	REFUSED(r.tos = 4);
	REFUSED(r.via = ip("192.0.2.1"));
	good = full(true, nh);
	assert_int_equal(route_codec_check(&good), 0);
	REFUSED(r.ifindex = 3);
	REFUSED(r.n_nexthops = HA_NET_NEXTHOPS_MAX + 1);
	nh[1].weight = 257;
	REFUSED((void)r);
	nh[1].weight = 0;
	nh[1].reserved = 1;
	REFUSED((void)r);
	nh[1].reserved = 0;
	nh[1].size--; /* one array, two sizes */
	REFUSED((void)r);
}

static void a_rule_that_makes_no_sense_is_refused(void **state)
{
	const struct ha_net_rule good = {.size = sizeof(good), .family = AF_INET};
	struct ha_net_rule r;

	assert_int_equal(rule_codec_check(&good), 0);
#undef REFUSED
#define REFUSED(...)                                             \
	do {                                                     \
		r = good;                                        \
		__VA_ARGS__;                                     \
		assert_int_equal(rule_codec_check(&r), -EINVAL); \
	} while (0)
	REFUSED(r.family = 0);
	REFUSED(r.from = ip("::1"));
	REFUSED(r.to_len = 1); /* of no address */
	REFUSED(memset(r.iif, 'x', sizeof(r.iif)));
	REFUSED(r.sport_last = 5);
	REFUSED(r.dport_first = 6; r.dport_last = 5);
	REFUSED(r.by_uid = true; r.uid_first = 1);
	REFUSED(r.l3mdev = true; r.table = 5);
	REFUSED(r.action = FR_ACT_GOTO);
	REFUSED(r.goto_priority = 5);
}

/* Cut short anywhere, a message is refused, or says less: but never reads on. */
static void nothing_is_read_past_the_end(void **state)
{
	struct ha_net_nexthop nh[2];
	struct ha_net_route r = full(true, nh), back;
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	struct nl_msg msg;

	route_codec_put(&w, &r);
	for (size_t len = 0; len < writer_len(&w); len++) {
		uint8_t *exact = malloc(len + 1);
		struct ha_net_rule rule;
		struct ha_net_neighbour neighbour;

		memcpy(exact, buf, len);
		msg = (struct nl_msg){.type = RTM_NEWROUTE, .body = reader_of(exact, len)};
		if (!route_codec_read(&msg, room, &back))
			assert_false(route_codec_same(&r, &back));
		else
			assert_int_equal(route_codec_read(&msg, room, &back), -EBADMSG);
		rule_codec_read(&msg, &rule);
		neighbour_codec_read(&msg, &neighbour);
		free(exact);
	}
}

static void hostile_next_hops_are_refused(void **state)
{
	static const uint8_t lengths[] = {0, 4, 7, 9, 200};
	uint8_t buf[8192];
	struct ha_net_route back;

	for (size_t i = 0; i <= sizeof(lengths); i++) {
		struct writer w = writer_of(buf, sizeof(buf));
		bool too_many = i == sizeof(lengths);
		struct nl_msg msg;
		size_t nest;

		nl_msg_begin(&w, RTM_NEWROUTE, 0);
		write_u8(&w, AF_INET);
		write_zero(&w, 11);
		nest = nl_nest_begin(&w, RTA_MULTIPATH);
		for (int n = 0; n < (too_many ? HA_NET_NEXTHOPS_MAX + 1 : 1); n++) {
			write_host16(&w, too_many ? 8 : lengths[i]);
			write_zero(&w, 6);
		}
		nl_nest_end(&w, nest);
		msg = message(buf, &w);
		assert_int_equal(route_codec_read(&msg, room, &back),
				 too_many ? -EOVERFLOW : -EBADMSG);
	}
}

static void what_is_no_neighbour_is_passed_over(void **state)
{
	struct ha_net_neighbour a = {.size = sizeof(a), .ifindex = 3, .ip = ip("192.0.2.9")}, back;
	uint8_t buf[128], mac[HA_NET_MAC_BYTES + 1] = {0};
	struct writer w = writer_of(buf, sizeof(buf));
	struct nl_msg msg;

	a.mac_len = HA_NET_MAC_BYTES;
	memset(a.mac, 7, sizeof(a.mac));
	a.state = NUD_STALE;
	nl_msg_begin(&w, RTM_NEWNEIGH, 0);
	neighbour_codec_put(&w, &a);
	msg = message(buf, &w);
	assert_int_equal(neighbour_codec_read(&msg, &back), 0);
	assert_true(ha_net_neighbour_is_valid(&back));
	assert_memory_equal(back.mac, a.mac, sizeof(a.mac));
	buf[NL_HEADER_BYTES + 10] = NTF_PROXY;
	assert_int_equal(neighbour_codec_read(&msg, &back), -ENOMSG);
	buf[NL_HEADER_BYTES] = AF_BRIDGE;
	assert_int_equal(neighbour_codec_read(&msg, &back), -ENOMSG);
	w = writer_of(buf, sizeof(buf));
	nl_msg_begin(&w, RTM_NEWNEIGH, 0);
	a.mac_len = 0;
	neighbour_codec_put(&w, &a);
	nl_attr_put(&w, NDA_LLADDR, mac, sizeof(mac)); /* longer than any link's */
	msg = message(buf, &w);
	assert_int_equal(neighbour_codec_read(&msg, &back), -EBADMSG);
}

/* -- the handle ------------------------------------------------------------------------------------- */

struct place {
	struct fake_nl *f;
	struct ha_net *n;
	int error; /* what the kernel answers to the first request */
};

static void answer(struct fake_nl *f, const void *buf, size_t len)
{
	struct place *p = f->userdata;
	struct reader r = reader_of(buf, len);
	struct nl_msg msg;

	for (size_t i = 0; nl_msg_next(&r, &msg); i++)
		if ((!i && p->error) || msg.flags & NLM_F_ACK)
			fake_push_error(f, NLMSG_ERROR, msg.seq, i ? 0 : p->error, 0, NULL);
}

static int set_up(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct ha_nl_transport t;
	struct ha_net_opts o = {.size = sizeof(o), .transport = &t, .timeout_ms = 10};

	p->f = fake_new();
	p->f->userdata = p;
	p->f->on_send = answer;
	t = fake_transport(p->f);
	assert_int_equal(ha_net_new(&o, &p->n), 0);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	ha_net_free(p->n);
	fake_free(p->f);
	free(p);
	return 0;
}

static void what_is_there_or_gone_is_no_error(void **state)
{
	struct place *p = *state;
	struct ha_net_route route = {.size = sizeof(route), .family = AF_INET, .ifindex = 1};
	struct ha_net_rule rule = {.size = sizeof(rule), .family = AF_INET};
	struct ha_net_neighbour a = {.size = sizeof(a), .ifindex = 3, .ip = ip("192.0.2.9")};
	int status = 77;

	p->error = -EEXIST;
	assert_int_equal(ha_net_route_add(p->n, &route, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(fake_sent(p->f, 0).flags & NLM_F_EXCL, NLM_F_EXCL);
	assert_int_equal(ha_net_rule_add(p->n, &rule, 1, &status), 0);
	assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	p->error = -ESRCH;
	assert_int_equal(ha_net_route_remove(p->n, &route, 1, &status), 0);
	assert_int_equal(ha_net_rule_remove(p->n, &rule, 1, &status), -ESRCH);
	p->error = -ENOENT;
	assert_int_equal(ha_net_rule_remove(p->n, &rule, 1, &status), 0);
	assert_int_equal(ha_net_neighbour_remove(p->n, &a, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
	assert_int_equal(ha_net_route_replace(p->n, &route, 1, &status), -ENOENT);
	assert_int_equal(status, -ENOENT);
	p->error = -EOPNOTSUPP;
	assert_int_equal(ha_net_rule_remove(p->n, &rule, 1, &status), 0);
	assert_int_equal(ha_net_rule_add(p->n, &rule, 1, &status), -EOPNOTSUPP);
	p->error = -EAFNOSUPPORT;
	assert_int_equal(ha_net_rule_remove(p->n, &rule, 1, &status), 0);
	assert_int_equal(status, HA_NET_ALREADY);
}

/* The first message of the last call has the body that the codec makes. */
#define assert_sent(p, put, item)                                       \
	do {                                                            \
		uint8_t want_[256];                                     \
		struct writer w_ = writer_of(want_, sizeof(want_));     \
		struct reader body_ = fake_sent((p)->f, 0).body;        \
		put(&w_, (item));                                       \
		assert_int_equal(reader_left(&body_), writer_len(&w_)); \
		assert_memory_equal(body_.at, want_, writer_len(&w_));  \
	} while (0)

static void what_is_asked_for_is_what_is_sent(void **state)
{
	struct place *p = *state;
	struct ha_net_route route = {
	    .size = sizeof(route), .dst = ip("203.0.113.0"), .dst_len = 24, .ifindex = 5};
	struct ha_net_rule rule = {
	    .size = sizeof(rule), .from = ip("10.1.0.0"), .from_len = 16, .table = 7};
	struct ha_net_neighbour a = {.size = sizeof(a), .ifindex = 3, .ip = ip("192.0.2.9")};

	a.mac_len = 6;
	a.mac[5] = 7;
	assert_int_equal(ha_net_route_add(p->n, &route, 1, NULL), 0);
	assert_sent(p, route_codec_put, &route);
	assert_int_equal(ha_net_route_replace(p->n, &route, 1, NULL), 0);
	assert_int_equal(fake_sent(p->f, 0).flags & NLM_F_EXCL, 0);
	assert_sent(p, route_codec_put, &route);
	assert_int_equal(ha_net_route_remove(p->n, &route, 1, NULL), 0);
	assert_sent(p, route_codec_put_name, &route);
	assert_int_equal(ha_net_rule_add(p->n, &rule, 1, NULL), 0);
	assert_sent(p, rule_codec_put, &rule);
	assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, NULL), 0);
	assert_sent(p, neighbour_codec_put, &a);
	assert_int_equal(ha_net_neighbour_set(p->n, &a, 1, NULL), 0);
	assert_int_equal(fake_sent(p->f, 0).flags & NLM_F_REPLACE, NLM_F_REPLACE);
	assert_sent(p, neighbour_codec_put, &a);
	assert_int_equal(ha_net_neighbour_remove(p->n, &a, 1, NULL), 0);
	assert_sent(p, neighbour_codec_put_name, &a);
}

static void misuse_is_refused(void **state)
{
	struct place *p = *state;
	struct ha_net_route_filter f = {.size = sizeof(f), .family = 44};
	struct ha_net_route route = {.size = sizeof(route), .family = AF_INET, .n_nexthops = 3};
	const struct ha_net_neighbour a = {
	    .size = sizeof(a), .ifindex = 3, .ip = ip("192.0.2.9"), .reserved[2] = 1};

	assert_int_equal(ha_net_route_add(p->n, &route, 1, NULL), -EINVAL);
	assert_int_equal(ha_net_route_add(NULL, NULL, 1, NULL), -EINVAL);
	assert_int_equal(ha_net_rule_add(p->n, NULL, 1, NULL), -EINVAL);
	assert_int_equal(ha_net_neighbour_set(p->n, NULL, HA_NET_BATCH_MAX + 1, NULL), -EINVAL);
	assert_int_equal(ha_net_route_list(p->n, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(ha_net_rule_list(p->n, 44, 0, NULL, NULL), -EINVAL);
	assert_int_equal(ha_net_neighbour_list(p->n, 0, 44, NULL, NULL), -EINVAL);
	assert_int_equal(ha_net_route_list(p->n, &f, (ha_net_route_fn *)(uintptr_t)1, NULL),
			 -EINVAL);
	f = (struct ha_net_route_filter){.size = sizeof(f), .reserved[1] = 1};
	assert_int_equal(ha_net_route_list(p->n, &f, (ha_net_route_fn *)(uintptr_t)1, NULL),
			 -EINVAL);
	assert_int_equal(ha_net_neighbour_add(p->n, &a, 1, NULL), -EINVAL);
	assert_int_equal(p->f->n_sends, 0);
}

/* Two routes with two ways each, of which the second one goes elsewhere; the first dump is cut. */
static void two_routes(struct fake_nl *f, const void *buf, size_t len)
{
	uint32_t seq = fake_sent(f, 0).seq;

	for (int i = 0; i < 2; i++) {
		struct ha_net_nexthop nh[2];
		struct ha_net_route r = full(i, nh);
		uint8_t bytes[512];
		struct writer w = writer_of(bytes, sizeof(bytes));
		size_t m =
		    nl_msg_begin(&w, RTM_NEWROUTE,
				 f->n_sends == 1 ? NLM_F_MULTI | NLM_F_DUMP_INTR : NLM_F_MULTI);

		nh[1].ifindex = 40u + (uint32_t)i;
		route_codec_put(&w, &r);
		nl_msg_end(&w, m);
		fake_push_msg(f, &w, seq, FAKE_PORT);
	}
	fake_push_error(f, NLMSG_DONE, seq, 0, 0, NULL);
}

static int count_ways(void *userdata, const struct ha_net_route *r)
{
	uint32_t *sum = userdata;

	assert_int_equal(r->n_nexthops, 2);
	*sum += r->nexthops[1].ifindex;
	return 0;
}

static void each_route_is_given_with_its_ways(void **state)
{
	struct place *p = *state;
	struct ha_net_route_filter f = {.size = sizeof(f), .family = AF_INET};
	uint32_t sum = 0;

	p->f->on_send = two_routes;
	assert_int_equal(ha_net_route_list(p->n, NULL, count_ways, &sum), 0);
	assert_int_equal(sum, 81);
	assert_int_equal(p->f->n_sends, 2);
	sum = 0;
	assert_int_equal(ha_net_route_list(p->n, &f, count_ways, &sum), 0);
	assert_int_equal(sum, 41);
}

static void any_allocation_may_fail(void **state)
{
	struct place *p = *state;
	bool done = false;

	p->f->on_send = two_routes;
	p->f->n_sends = 1; /* not cut */
	for (long nth = 0; !done; nth++) {
		uint32_t sum = 0;
		int r;

		assert_true(nth < 20);
		fail_in = nth;
		r = ha_net_route_list(p->n, NULL, count_ways, &sum);
		done = fail_in >= 0;
		fail_in = -1;
		assert_int_equal(r, done ? 0 : -ENOMEM);
		assert_int_equal(sum, done ? 81 : 0);
		while (p->f->n) { /* answers to a query given up */
			uint8_t junk[1024];

			fake_recv(p->f, junk, sizeof(junk));
		}
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		cmocka_unit_test(a_route_has_these_bytes),
		cmocka_unit_test(an_encapsulation_has_these_bytes),
		cmocka_unit_test(a_rule_has_these_bytes),
		cmocka_unit_test(a_neighbour_has_these_bytes),
#endif
		cmocka_unit_test(a_route_is_read_back),
		cmocka_unit_test(an_encapsulation_is_read_back),
		cmocka_unit_test(an_encapsulation_that_makes_no_sense_is_refused),
		cmocka_unit_test(hostile_encapsulations_are_refused),
		cmocka_unit_test(a_rule_is_read_back),
		cmocka_unit_test(a_default_route_and_a_host_route_differ),
		cmocka_unit_test(a_route_that_makes_no_sense_is_refused),
		cmocka_unit_test(a_rule_that_makes_no_sense_is_refused),
		cmocka_unit_test(nothing_is_read_past_the_end),
		cmocka_unit_test(hostile_next_hops_are_refused),
		cmocka_unit_test(what_is_no_neighbour_is_passed_over),
		T(what_is_there_or_gone_is_no_error),
		T(what_is_asked_for_is_what_is_sent),
		T(misuse_is_refused),
		T(each_route_is_given_with_its_ways),
		T(any_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("libha/net/route", tests, NULL, NULL);
}
