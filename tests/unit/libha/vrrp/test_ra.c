/* SPDX-License-Identifier: MIT */
/* Router advertisements: a golden frame, written down from RFC 4861, and when they are sent. */
#include "rig.h"

#include <stdlib.h>

#include <libha/vrrp_ra.h>

static const uint8_t rs[8] = {133};
static struct ha_vrrp_ra *ra;
static uint8_t frame[HA_VRRP_RA_FRAME_SIZE];

static struct ha_vrrp_ra_opts ra_opts(void)
{
	return (struct ha_vrrp_ra_opts){
	    .size = sizeof(struct ha_vrrp_ra_opts), .address = ip("fe80::100"), .vrid = 51};
}

static void make(const struct ha_vrrp_ra_opts *o)
{
	assert_int_equal(ha_vrrp_ra_new(o, &ra), 0);
}

static int unmake(void **state)
{
	ha_vrrp_ra_free(ra);
	ra = NULL;
	return 0;
}

/* The time of the next one, which is sent. */
static uint64_t next(void)
{
	uint64_t at = ha_vrrp_ra_deadline(ra);

	assert_int_equal(ha_vrrp_ra_tick(ra, at - 1, frame, sizeof(frame)), 0);
	assert_true(ha_vrrp_ra_tick(ra, at, frame, sizeof(frame)) > 0);
	return at;
}

static void R64_an_advertisement_has_these_bytes(void **state)
{
	static const uint8_t golden[118] = {
	    0x33,	 0x33, 0,	  0,	     0,	   1,	 0,    0,    0x5e,
	    0,		 2,    51,	  0x86,	     0xdd, /* to all nodes, virtual MAC */
	    0x60,	 0,    0,	  0,	     0,	   64,	 58,   255, /* 64 bytes of ICMPv6 */
	    0xfe,	 0x80, [36] = 1,  [37] = 0,			    /* fe80::100 */
	    [38] = 0xff, 2,    [53] = 1,				    /* ff02::1 */
	    [54] = 134,	 0,    [58] = 64, 0xc0,	     0x07, 0x08, /* RA; M and O; 1800 s */
	    0,		 0,    0x75,	  0x30,	     0,	   0,	 0x03, 0xe8, /* 30 s, 1 s */
	    1,		 1,    0,	  0,	     0x5e, 0,	 2,    51, /* source link-layer address */
	    5,		 1,    0,	  0,	     0,	   0,	 0x05, 0xdc, /* MTU 1500 */
	    3,		 4,    61,	  0x80,	     0,	   0x27, 0x8d, 0,    0,
	    9,		 0x3a, 0x80, /* a /61 on the link */
	    0,		 0,    0,	  0,	     0x20, 1,	 0x0d, 0xb8, 0,
	    0,		 0,    8,	  [117] = 0,
	};
	const struct ha_vrrp_ra_prefix prefix = {
	    .prefix = ip("2001:db8:0:f::1"), .len = 61, .no_autoconf = true};
	struct ha_vrrp_ra_opts o = ra_opts();
	const struct ha_ip all = ip("ff02::1");
	uint16_t sum;

	o.managed = o.other = true;
	o.reachable_ms = 30000;
	o.retrans_ms = 1000;
	o.mtu = 1500;
	o.prefixes = &prefix;
	o.n_prefixes = 1;
	make(&o);
	ha_vrrp_ra_start(ra, T0);
	assert_int_equal(ha_vrrp_ra_tick(ra, T0, frame, sizeof(frame)), sizeof(golden));
	sum = (uint16_t)(frame[56] << 8 | frame[57]);
	frame[56] = frame[57] = 0;
	assert_memory_equal(frame, golden, sizeof(golden));
	assert_int_equal(sum, slow_csum(golden + 54, 64,
					slow_pseudo(&o.address, &all, 64) - HA_VRRP_PROTOCOL + 58));
}

/* Whoever is Active says the same. */
static void R82_two_routers_with_equal_options_say_the_same(void **state)
{
	uint8_t first[HA_VRRP_RA_FRAME_SIZE];
	struct ha_vrrp_ra_opts o = ra_opts();
	ssize_t len;

	make(&o);
	ha_vrrp_ra_start(ra, T0);
	len = ha_vrrp_ra_tick(ra, T0, first, sizeof(first));
	ha_vrrp_ra_free(ra);
	o.seed = 4711; /* all that may differ */
	make(&o);
	ha_vrrp_ra_start(ra, T0 + S);
	assert_int_equal(ha_vrrp_ra_tick(ra, T0 + S, frame, sizeof(frame)), len);
	assert_memory_equal(frame, first, (size_t)len);
}

static void R51_a_backup_sends_none_and_answers_none(void **state)
{
	const struct ha_ip host = ip("fe80::9");
	struct ha_vrrp_ra_opts o = ra_opts();

	make(&o);
	for (int round = 0; round < 2; round++) {
		assert_true(ha_vrrp_ra_deadline(ra) == HA_VRRP_NEVER);
		assert_int_equal(ha_vrrp_ra_tick(ra, UINT64_MAX, frame, sizeof(frame)), 0);
		assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 255, rs, sizeof(rs)));
		assert_true(ha_vrrp_ra_deadline(ra) == HA_VRRP_NEVER);
		ha_vrrp_ra_start(ra, T0);
		next();
		ha_vrrp_ra_stop(ra); /* and no last one with lifetime 0 */
	}
}

static void the_first_three_come_fast_and_then_in_their_interval(void **state)
{
	struct ha_vrrp_ra_opts o = ra_opts();
	uint64_t last, least = UINT64_MAX, most = 0;

	o.max_interval_s = 60;
	make(&o);
	ha_vrrp_ra_start(ra, T0);
	last = next();
	assert_true(last == T0);
	for (int i = 0; i < 2; i++) {
		assert_true(ha_vrrp_ra_deadline(ra) - last <= 16 * S);
		last = next();
	}
	for (int i = 0; i < 1000; i++) {
		uint64_t at = next();

		least = at - last < least ? at - last : least;
		most = at - last > most ? at - last : most;
		last = at;
	}
	assert_true(least >= 20 * S && least < 21 * S);
	assert_true(most <= 60 * S && most > 59 * S);
}

static void a_solicitation_is_answered_soon_but_not_too_often(void **state)
{
	const struct ha_ip host = ip("fe80::9");
	struct ha_vrrp_ra_opts o = ra_opts();
	uint64_t last;

	make(&o);
	ha_vrrp_ra_start(ra, T0);
	for (int i = 0; i < 3; i++)
		last = next();
	for (int i = 0; i < 100; i++) {
		uint64_t asked = last + 10 * S;

		assert_true(ha_vrrp_ra_solicited(ra, asked, &host, 255, rs, sizeof(rs)));
		assert_true(ha_vrrp_ra_deadline(ra) - asked <= 500 * MS);
		last = next();
		assert_true(ha_vrrp_ra_solicited(ra, last + 1, &host, 255, rs, sizeof(rs)));
		assert_true(ha_vrrp_ra_deadline(ra) >= last + 3 * S);
		assert_true(ha_vrrp_ra_deadline(ra) <= last + 3 * S + 500 * MS);
		last = next();
	}
}

/* RFC 4861 section 6.1.1. */
static void a_malformed_solicitation_is_not_answered(void **state)
{
	static const uint8_t with_mac[16] = {133, [8] = 1, 1}, endless[16] = {133, [8] = 1},
			     cut[15] = {133, [8] = 1, 1}, code[8] = {133, 1}, other[8] = {134};
	const struct ha_ip host = ip("fe80::9"), nobody = ip("::"), four = ip("10.9.0.9");
	struct ha_vrrp_ra_opts o = ra_opts();

	make(&o);
	ha_vrrp_ra_start(ra, T0);
	assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 254, rs, 8));
	for (size_t len = 0; len < 8; len++)
		assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 255, rs, len));
	assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 255, endless, 16));
	assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 255, cut, 15));
	assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 255, code, 8));
	assert_false(ha_vrrp_ra_solicited(ra, T0, &host, 255, other, 8));
	assert_false(ha_vrrp_ra_solicited(ra, T0, &nobody, 255, with_mac, 16));
	assert_false(ha_vrrp_ra_solicited(ra, T0, &four, 255, rs, 8));
	assert_true(ha_vrrp_ra_solicited(ra, T0, &host, 255, with_mac, 16));
	assert_true(ha_vrrp_ra_solicited(ra, T0, &nobody, 255, rs, 8));
}

static void a_short_buffer_loses_nothing(void **state)
{
	struct ha_vrrp_ra_opts o = ra_opts();

	make(&o);
	ha_vrrp_ra_start(ra, T0);
	assert_int_equal(ha_vrrp_ra_tick(ra, T0, frame, 14 + 40 + 24 - 1), -ENOSPC);
	assert_int_equal(ha_vrrp_ra_tick(ra, T0, frame, 14 + 40 + 24), 14 + 40 + 24);
}

static void wrong_options_are_refused(void **state)
{
	struct ha_vrrp_ra_prefix many[HA_VRRP_RA_MAX_PREFIXES + 1];
	const struct ha_vrrp_ra_opts good = ra_opts();
	struct ha_vrrp_ra_opts o;

	for (size_t i = 0; i < HA_VRRP_RA_MAX_PREFIXES + 1; i++)
		many[i] = (struct ha_vrrp_ra_prefix){.prefix = ip("2001:db8::")};
#define REFUSED(change)                                     \
	o = good;                                           \
	change;                                             \
	assert_int_equal(ha_vrrp_ra_new(&o, &ra), -EINVAL); \
	assert_null(ra)
	REFUSED(o.address = ip("2001:db8::1"));
	REFUSED(o.address = ip("10.0.0.1"));
	REFUSED(o.vrid = 0);
	REFUSED(o.mac[0] = 1);
	REFUSED(o.max_interval_s = 3);
	REFUSED(o.max_interval_s = 1801);
	REFUSED(o.min_interval_s = 2);
	REFUSED(o.min_interval_s = 451);
	REFUSED(o.lifetime_s = 9001);
	REFUSED(o.lifetime_s = 599);
	REFUSED((o.prefixes = many, o.n_prefixes = HA_VRRP_RA_MAX_PREFIXES + 1));
	REFUSED(o.n_prefixes = 1);
	many[0].len = 129;
	REFUSED((o.prefixes = many, o.n_prefixes = 1));
	many[0] = (struct ha_vrrp_ra_prefix){.prefix = ip("fe80::")};
	REFUSED((o.prefixes = many, o.n_prefixes = 1));
	many[0] =
	    (struct ha_vrrp_ra_prefix){.prefix = ip("2001:db8::"), .valid_s = 1, .preferred_s = 2};
	REFUSED((o.prefixes = many, o.n_prefixes = 1));
	many[0] = many[1];
	o.prefixes = many;
	o.n_prefixes = HA_VRRP_RA_MAX_PREFIXES;
	o.mtu = 1280;
	make(&o);
	ha_vrrp_ra_start(ra, T0);
	assert_int_equal(ha_vrrp_ra_tick(ra, T0, frame, sizeof(frame)), HA_VRRP_RA_FRAME_SIZE);
}

#define T(f) cmocka_unit_test_teardown(f, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(R64_an_advertisement_has_these_bytes),
	    T(R82_two_routers_with_equal_options_say_the_same),
	    T(R51_a_backup_sends_none_and_answers_none),
	    T(the_first_three_come_fast_and_then_in_their_interval),
	    T(a_solicitation_is_answered_soon_but_not_too_often),
	    T(a_malformed_solicitation_is_not_answered),
	    T(a_short_buffer_loses_nothing),
	    T(wrong_options_are_refused),
	};

	return cmocka_run_group_tests_name("vrrp/ra", tests, NULL, NULL);
}
