/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/ip_vs.h>

#include <libha/ipvs.h>

#include "ipvs/codec.h"
#include "ipvs/config_codec.h"
#include "service/model.h"
#include "words.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void a_service_has_the_kernels_bytes(void **state)
{
	static const uint8_t golden[] = {
	    1,	1, 0, 0,			/* NEW_SERVICE, version 1 */
	    84, 0, 1, 0x80,			/* IPVS_CMD_ATTR_SERVICE */
	    6,	0, 1, 0,    2,	  0,	0,   0, /* AF */
	    6,	0, 2, 0,    6,	  0,	0,   0, /* PROTOCOL */
	    20, 0, 3, 0,    192,  0,	2,   1, 0,    0,    0,	  0,
	    0,	0, 0, 0,    0,	  0,	0,   0,				/* ADDR */
	    6,	0, 4, 0,    0x1f, 0x90, 0,   0,				/* PORT */
	    8,	0, 6, 0,    'w',  'r',	'r', 0,				/* SCHED_NAME */
	    12, 0, 7, 0,    1,	  0,	0,   0, 0xff, 0xff, 0xff, 0xff, /* FLAGS: persistent */
	    8,	0, 8, 0,    0x2c, 1,	0,   0,				/* TIMEOUT */
	    8,	0, 9, 0,    255,  255,	255, 0,				/* NETMASK */
	};
	struct ha_service_opts o = service_of("tcp 192.0.2.1 8080 wrr 300/24");
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	service_normalize(&o);
	ipvs_codec_put_service(&w, IPVS_CMD_NEW_SERVICE, &o);
	assert_false(w.bad);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}

static void a_destination_has_the_kernels_bytes(void **state)
{
	static const uint8_t golden[] = {
	    5,	1, 0,  0,		       /* NEW_DEST, version 1 */
	    20, 0, 1,  0x80,		       /* IPVS_CMD_ATTR_SERVICE */
	    6,	0, 1,  0,    2,	   0,	 0, 0, /* AF */
	    8,	0, 5,  0,    7,	   0,	 0, 0, /* FWMARK */
	    96, 0, 2,  0x80,		       /* IPVS_CMD_ATTR_DEST */
	    6,	0, 11, 0,    2,	   0,	 0, 0, /* ADDR_FAMILY */
	    20, 0, 1,  0,    10,   0,	 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* ADDR */
	    6,	0, 2,  0,    0,	   80,	 0, 0,					   /* PORT */
	    8,	0, 3,  0,    2,	   0,	 0, 0, /* FWD_METHOD: tunnel */
	    8,	0, 4,  0,    3,	   0,	 0, 0, /* WEIGHT */
	    8,	0, 5,  0,    0,	   0,	 0, 0, /* U_THRESH */
	    8,	0, 6,  0,    0,	   0,	 0, 0, /* L_THRESH */
	    5,	0, 13, 0,    1,	   0,	 0, 0, /* TUN_TYPE: GUE */
	    6,	0, 14, 0,    0x17, 0xc0, 0, 0, /* TUN_PORT */
	    6,	0, 15, 0,    1,	   0,	 0, 0, /* TUN_FLAGS */
	};
	struct ha_service_opts s = service_of("fwmark 7 rr");
	struct ha_dest_opts d = dest_of("10.0.0.1 80 TUN 3");
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	d.tunnel = HA_TUNNEL_GUE;
	d.tunnel_port = 6080;
	d.tunnel_flags = HA_TUNNEL_CSUM;
	service_normalize(&s);
	ipvs_codec_put_dest(&w, IPVS_CMD_NEW_DEST, &s, &d);
	assert_false(w.bad);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}
#endif

static void services_come_back_as_they_were_written(void **state)
{
	static const char *const texts[] = {
	    "tcp 192.0.2.1 80 wrr",    "tcp 192.0.2.1 80 wlc 300/24",
	    "udp 192.0.2.1 53 sh 1/1", "tcp 2001:db8::1 80 mh 60/64",
	    "fwmark 4294967295 rr",    "tcp 192.0.2.1 0 rr 2678400/32",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		for (uint32_t flags = 0; flags < 0x10; flags++) {
			struct ha_service_opts o = service_of(texts[i]);
			uint8_t buf[512];
			struct writer w = writer_of(buf, sizeof(buf));
			struct ipvs_service got;

			o.flags = flags;
			o.persistence_engine = o.persistence_s ? "sip" : NULL;
			service_normalize(&o);
			ipvs_codec_put_service(&w, IPVS_CMD_NEW_SERVICE, &o);
			assert_true(ipvs_codec_read_service(reader_of(buf, writer_len(&w)), &got));
			service_normalize(&got.o);
			assert_true(service_equal(&o, &got.o));
			assert_memory_equal(&o.address, &got.o.address, sizeof(o.address));
			assert_int_equal(o.port, got.o.port);
			assert_int_equal(o.protocol, got.o.protocol);
			assert_int_equal(o.fwmark, got.o.fwmark);
		}
	}
}

static void destinations_come_back_as_they_were_written(void **state)
{
	struct ha_service_opts s = service_of("tcp 192.0.2.1 80 wrr");
	static const char *const texts[] = {"10.0.0.1 80 NAT 0", "10.0.0.1 81 DR 2147483647",
					    "2001:db8::1 80 TUN 1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct ha_dest_opts d = dest_of(texts[i]);
		uint8_t buf[512];
		struct writer w = writer_of(buf, sizeof(buf));
		struct ipvs_dest got;

		d.upper_threshold = 10;
		d.lower_threshold = 5;
		ipvs_codec_put_dest(&w, IPVS_CMD_NEW_DEST, &s, &d);
		assert_true(ipvs_codec_read_dest(reader_of(buf, writer_len(&w)), &s, &got));
		assert_true(service_dest_equal(&d, &got.o));
		assert_memory_equal(&d.address, &got.o.address, sizeof(d.address));
		assert_int_equal(d.port, got.o.port);
	}
}

/* An answer of GET_DEST with both kinds of counters in the order given. */
static size_t dest_with_stats(uint8_t *buf, size_t cap, bool wide_first)
{
	struct writer w = writer_of(buf, cap);
	size_t nest, stats;

	nl_genl_put(&w, IPVS_CMD_NEW_DEST, 1);
	nest = nl_nest_begin(&w, IPVS_CMD_ATTR_DEST);
	nl_attr_put(&w, IPVS_DEST_ATTR_ADDR, "\x0a\0\0\x01", 4);
	nl_attr_put_u32(&w, IPVS_DEST_ATTR_ACTIVE_CONNS, 5);
	for (int i = 0; i < 2; i++) {
		bool wide = (i == 0) == wide_first;

		stats = nl_nest_begin(&w, wide ? IPVS_DEST_ATTR_STATS64 : IPVS_DEST_ATTR_STATS);
		if (wide)
			nl_attr_put_u64(&w, IPVS_STATS_ATTR_CONNS, UINT64_C(5000000000));
		else
			nl_attr_put_u32(&w, IPVS_STATS_ATTR_CONNS, 705032704);
		nl_attr_put_u64(&w, IPVS_STATS_ATTR_INBYTES, 9);
		nl_nest_end(&w, stats);
	}
	nl_nest_end(&w, nest);
	assert_false(w.bad);
	return writer_len(&w);
}

static void wide_counters_win_over_narrow_ones(void **state)
{
	struct ha_service_opts s = service_of("tcp 192.0.2.1 80 wrr");

	for (int wide_first = 0; wide_first < 2; wide_first++) {
		struct ipvs_dest got;
		uint8_t buf[256];
		size_t len = dest_with_stats(buf, sizeof(buf), wide_first);

		assert_true(ipvs_codec_read_dest(reader_of(buf, len), &s, &got));
		assert_true(got.stats.conns == UINT64_C(5000000000));
		assert_true(got.stats.in_bytes == 9);
		assert_int_equal(got.stats.active_conns, 5);
	}
}

static void what_is_cut_short_is_refused_at_every_length(void **state)
{
	struct ha_service_opts s = service_of("tcp 2001:db8::1 80 wrr 300/64");
	struct ipvs_service got_s;
	struct ipvs_dest got_d;
	uint8_t buf[512];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t len;

	service_normalize(&s);
	ipvs_codec_put_service(&w, IPVS_CMD_NEW_SERVICE, &s);
	for (size_t n = 0; n < writer_len(&w); n++) {
		uint8_t *exact = test_malloc(n + 1); /* so that a sanitizer sees the edge */

		memcpy(exact, buf, n);
		assert_false(ipvs_codec_read_service(reader_of(exact, n), &got_s));
		test_free(exact);
	}
	len = dest_with_stats(buf, sizeof(buf), true);
	for (size_t n = 0; n < len; n++)
		assert_false(ipvs_codec_read_dest(reader_of(buf, n), &s, &got_d));
}

static void attributes_of_a_wrong_length_are_refused(void **state)
{
	struct ha_service_opts s = service_of("tcp 192.0.2.1 80 wrr");
	uint8_t buf[512];

	for (uint16_t type = IPVS_DEST_ATTR_ADDR; type <= IPVS_DEST_ATTR_PERSIST_CONNS; type++) {
		struct writer w = writer_of(buf, sizeof(buf));
		struct ipvs_dest got;
		size_t nest;

		nl_genl_put(&w, IPVS_CMD_NEW_DEST, 1);
		nest = nl_nest_begin(&w, IPVS_CMD_ATTR_DEST);
		nl_attr_put(&w, IPVS_DEST_ATTR_ADDR, "\x0a\0\0\x01", 4);
		nl_attr_put(&w, type, "123456", 7);
		nl_nest_end(&w, nest);
		assert_false(ipvs_codec_read_dest(reader_of(buf, writer_len(&w)), &s, &got));
	}
}

static void a_netmask_that_is_no_prefix_is_odd(void **state)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 wrr 300/24");
	struct ipvs_service got;
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof(buf));

	ipvs_codec_put_service(&w, IPVS_CMD_NEW_SERVICE, &o);
	buf[writer_len(&w) - 3] = 0; /* 255.0.255.0 */
	assert_true(ipvs_codec_read_service(reader_of(buf, writer_len(&w)), &got));
	assert_int_equal(got.o.persistence_prefix, SERVICE_PREFIX_ODD);
}

static void masquerading_is_refused_with_a_reason(void **state)
{
	struct ha_service_opts o = service_of("tcp 192.0.2.1 80 wlc");
	const char *reason = NULL;

	assert_int_equal(ha_ipvs_check(&o, NULL, &reason), 0);
	assert_null(reason);
	o.flags = HA_SERVICE_MASQUERADE;
	assert_int_equal(ha_ipvs_check(&o, NULL, &reason), -EOPNOTSUPP);
	assert_non_null(strstr(reason, "nftables"));
}

static struct ha_ipvs_sync sync_daemon(const char *group)
{
	struct ha_ipvs_sync s = {.size = sizeof(s),
				 .role = HA_IPVS_SYNC_MASTER,
				 .interface = "eth0",
				 .max_len = 1200,
				 .port = 9999,
				 .ttl = 3,
				 .sync_id = 255};

	if (group)
		assert_int_equal(ha_ip_parse(group, &s.group), 0);
	return s;
}

static void a_sync_daemon_is_read_back(void **state)
{
	static const char *const groups[] = {"224.0.0.99", "ff02::99", NULL};

	for (int i = 0; i < 3; i++) {
		struct ha_ipvs_sync s = sync_daemon(groups[i]), got;
		uint8_t buf[256];
		struct writer w = writer_of(buf, sizeof(buf));

		assert_int_equal(ipvs_codec_check_sync(&s), 0);
		ipvs_codec_put_sync(&w, &s);
		assert_true(ipvs_codec_read_sync(reader_of(buf, writer_len(&w)), &got));
		assert_memory_equal(&s, &got, sizeof(s));
		for (size_t len = 0; len < writer_len(&w); len++) /* cut short anywhere */
			assert_false(ipvs_codec_read_sync(reader_of(buf, len), &got));
	}
}

static void a_sync_daemon_that_makes_no_sense_is_refused(void **state)
{
	struct ha_ipvs_sync s = sync_daemon("192.0.2.1");

	assert_int_equal(ipvs_codec_check_sync(&s), -EINVAL); /* no multicast group */
	s = sync_daemon("2001:db8::1");
	assert_int_equal(ipvs_codec_check_sync(&s), -EINVAL);
	s = sync_daemon(NULL);
	s.role = 3;
	assert_int_equal(ipvs_codec_check_sync(&s), -EINVAL);
	s = sync_daemon(NULL);
	s.interface[0] = 0;
	assert_int_equal(ipvs_codec_check_sync(&s), -EINVAL);
	memset(s.interface, 'x', sizeof(s.interface));
	assert_int_equal(ipvs_codec_check_sync(&s), -EINVAL);
}

static void timeouts_of_zero_are_not_sent(void **state)
{
	struct ha_ipvs_timeouts t = {.size = sizeof(t), .tcp_s = 600, .udp_s = 17}, got;
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));

	ipvs_codec_put_timeouts(&w, &t);
	assert_int_equal(writer_len(&w), 4 + 8 + 8);
	assert_true(ipvs_codec_read_timeouts(reader_of(buf, writer_len(&w)), &got));
	assert_memory_equal(&t, &got, sizeof(t));
	assert_false(ipvs_codec_read_timeouts(reader_of(buf, writer_len(&w) - 1), &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	    cmocka_unit_test(a_service_has_the_kernels_bytes),
	    cmocka_unit_test(a_destination_has_the_kernels_bytes),
#endif
	    cmocka_unit_test(services_come_back_as_they_were_written),
	    cmocka_unit_test(destinations_come_back_as_they_were_written),
	    cmocka_unit_test(wide_counters_win_over_narrow_ones),
	    cmocka_unit_test(what_is_cut_short_is_refused_at_every_length),
	    cmocka_unit_test(attributes_of_a_wrong_length_are_refused),
	    cmocka_unit_test(a_netmask_that_is_no_prefix_is_odd),
	    cmocka_unit_test(masquerading_is_refused_with_a_reason),
	    cmocka_unit_test(a_sync_daemon_is_read_back),
	    cmocka_unit_test(a_sync_daemon_that_makes_no_sense_is_refused),
	    cmocka_unit_test(timeouts_of_zero_are_not_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
