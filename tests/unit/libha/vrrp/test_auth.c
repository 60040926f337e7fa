/* SPDX-License-Identifier: MIT */
/*
 * Authentication: an AH packet that keepalived 2.2.7 sent, and a trailer that another implementation of
 * HMAC-SHA256 made, byte by byte; then replays, wrong keys and flipped bits.
 */
#include "rig.h"

#include "adapters/hmac_openssl.h"

#define DOWN_150 (3 * S + 106 * S / 256)
#define EPOCH (UINT64_C(1700000000) * S) /* CLOCK_REALTIME at T0 */

/* auth_pass secret12, VRID 51, priority 150, 10.9.0.1, address 10.9.0.100, its first advert. */
static const uint8_t ah_header[20] = {0x45, 0xc0, 0x00, 0x40, 0x00, 0x01, 0x00, 0x00, 0xff, 0x33,
				      0xd0, 0xad, 10,	9,    0,    1,	  224,	0,    0,    18};
static const uint8_t ah_packet[44] = {
    0x70, 0x04, 0x00, 0x00, 0x0a, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x1a, 0xfd, 0xf3,
    0x3b, 0x5f, 0xce, 0x71, 0x82, 0xd4, 0xd6, 0x4a, 0xae, 0x21, 0x33, 0x96, 0x01, 0x02, 0x01,
    0x3c, 0x5d, 0x0a, 0x09, 0x00, 0x64, 0,    0,    0,	  0,	0,    0,    0,	  0};

/* Key 7, "a shared secret", sequence 0x1122334455667788, priority 150, from 10.9.0.1. */
static const uint8_t trailer_packet[56] = {
    0x31, 0x33, 0x96, 0x01, 0x00, 0x64, 0x43, 0x61, 0x0a, 0x09, 0x00, 0x64, 0x48, 0x41,
    0x01, 0x07, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x16, 0x52, 0x00, 0x1d,
    0xd9, 0x8b, 0x8c, 0x46, 0xdc, 0x92, 0xd6, 0xae, 0x68, 0x3b, 0x9b, 0xd9, 0x41, 0x01,
    0x44, 0xf9, 0x2c, 0x04, 0x30, 0xca, 0x64, 0xb7, 0x27, 0x4c, 0xc1, 0xfe, 0x79, 0x4b};

static const struct ha_vrrp_key ah_key = {0, "secret12", 8},
				trailer_key = {7, "a shared secret", 15},
				other_key = {8, "another one", 11};

static struct rig r, sender;

static int down(void **state)
{
	rig_down(&r);
	rig_down(&sender);
	return 0;
}

static void make(struct rig *rig, const char *source, uint8_t priority, enum ha_vrrp_auth auth,
		 const struct ha_vrrp_key *keys, size_t n_keys)
{
	struct ha_vrrp_ops ops = rig_ops;
	struct ha_vrrp_opts o = rig_opts();

	ops.hmac = hmac_openssl;
	o.version = auth == HA_VRRP_AUTH_AH ? 2 : 3;
	o.source = ip(source);
	o.priority = priority;
	o.auth = auth;
	o.keys = keys;
	o.n_keys = n_keys;
	o.realtime_offset_ns = EPOCH - T0;
	memset(rig, 0, sizeof(*rig));
	assert_null(ha_vrrp_check(&o));
	assert_int_equal(ha_vrrp_new(&o, &ops, rig, &rig->v), 0);
	ha_vrrp_start(rig->v, T0);
}

static struct ha_vrrp_meta meta(const char *source, bool ah)
{
	struct ha_vrrp_meta m = {.size = sizeof(m), .ttl = 255};

	m.source = ip(source);
	m.destination = ip("224.0.0.18");
	if (ah) {
		m.protocol = 51;
		m.header = ah_header;
		m.header_len = sizeof(ah_header);
	}
	return m;
}

static int take_ah(const uint8_t *packet, uint64_t now_ns)
{
	struct ha_vrrp_meta m = meta("10.9.0.1", true);

	return ha_vrrp_receive(r.v, now_ns, &m, packet, sizeof(ah_packet));
}

/* What the sender sent last, at the receiver. */
static int pass_on(uint64_t now_ns)
{
	struct ha_vrrp_meta m = meta("10.9.0.1", false);

	return ha_vrrp_receive(r.v, now_ns, &m, sender.sent, sender.sent_len);
}

/* The sender's adverts up to a time, and then one. */
static void send_one(uint64_t now_ns)
{
	if (ha_vrrp_state(sender.v) != HA_VRRP_ACTIVE)
		rig_run(&sender, T0 + DOWN_150);
	rig_run(&sender, now_ns);
}

static void ah_of_keepalived_is_accepted(void **state)
{
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_AH, &ah_key, 1);
	assert_int_equal(take_ah(ah_packet, T0 + S), HA_VRRP_DROP_NONE);
}

static void ah_is_sent_as_keepalived_sends_it(void **state)
{
	make(&r, "10.9.0.1", 150, HA_VRRP_AUTH_AH, &ah_key, 1);
	rig_run(&r, T0 + DOWN_150);
	assert_int_equal(r.sent_len, sizeof(ah_packet));
	assert_memory_equal(r.sent, ah_packet, sizeof(ah_packet));
}

static void ah_with_any_bit_flipped_is_not(void **state)
{
	uint8_t packet[sizeof(ah_packet)];

	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_AH, &ah_key, 1);
	for (size_t bit = 0; bit < sizeof(packet) * 8; bit++) {
		memcpy(packet, ah_packet, sizeof(packet));
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(take_ah(packet, T0 + S) > 0);
	}
	memcpy(packet, ah_packet, sizeof(packet));
	packet[32 + 8] = 1; /* in the authentication data, and the checksum made right again */
	packet[30] = 0x3b;
	assert_int_equal(take_ah(packet, T0 + S), HA_VRRP_DROP_AUTH_FAILURE);
	assert_int_equal(take_ah(ah_packet, T0 + S), HA_VRRP_DROP_NONE);
}

static void ah_of_another_ip_header_is_not(void **state)
{
	struct ha_vrrp_meta m = meta("10.9.0.1", true);
	uint8_t header[20];

	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_AH, &ah_key, 1);
	memcpy(header, ah_header, sizeof(header));
	header[5] ^= 1; /* the id is covered */
	m.header = header;
	assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &m, ah_packet, sizeof(ah_packet)),
			 HA_VRRP_DROP_AUTH_FAILURE);
	m.header_len = 24;
	assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &m, ah_packet, sizeof(ah_packet)),
			 HA_VRRP_DROP_AUTH_FAILURE);
	m.header = NULL;
	assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &m, ah_packet, sizeof(ah_packet)),
			 HA_VRRP_DROP_AUTH_FAILURE);
}

static void ah_replayed_or_of_another_kind_is_dropped(void **state)
{
	struct ha_vrrp_meta plain = meta("10.9.0.1", false);
	uint8_t packet[sizeof(ah_packet)];

	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_AH, &ah_key, 1);
	assert_int_equal(take_ah(ah_packet, T0 + S), HA_VRRP_DROP_NONE);
	assert_int_equal(take_ah(ah_packet, T0 + 2 * S), HA_VRRP_DROP_REPLAY);
	assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &plain, ah_packet + 24, 20),
			 HA_VRRP_DROP_AUTH_MISMATCH);
	memcpy(packet, ah_packet, sizeof(packet));
	packet[0] = 6;
	assert_int_equal(take_ah(packet, T0 + S), HA_VRRP_DROP_AUTH_FAILURE);
	for (size_t len = 0; len < 24; len++) {
		struct ha_vrrp_meta m = meta("10.9.0.1", true);

		assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &m, ah_packet, len),
				 HA_VRRP_DROP_LENGTH);
	}
}

static void a_router_without_ah_takes_none(void **state)
{
	struct ha_vrrp_meta m = meta("10.9.0.1", true);
	struct ha_vrrp_opts o = rig_opts();

	o.version = 2;
	o.source = ip("10.9.0.9");
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &m, ah_packet, sizeof(ah_packet)),
			 HA_VRRP_DROP_AUTH_MISMATCH);
}

static void ah_counts_on_from_what_it_heard(void **state)
{
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_AH, &ah_key, 1);
	take_ah(ah_packet, T0 + S);
	rig_run(&r, T0 + 6 * S);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	assert_true(r.sent[11] > 1); /* keepalived takes one counter for all senders of a VRID */
}

static void a_trailer_made_elsewhere_is_accepted(void **state)
{
	struct ha_vrrp_meta m = meta("10.9.0.1", false);
	struct ha_vrrp_ops ops = rig_ops;
	struct ha_vrrp_opts o = rig_opts();

	ops.hmac = hmac_openssl;
	o.source = ip("10.9.0.9");
	o.auth = HA_VRRP_AUTH_HMAC;
	o.keys = &trailer_key;
	o.n_keys = 1;
	o.realtime_offset_ns = UINT64_C(0x1122334455667788) - T0;
	assert_int_equal(ha_vrrp_new(&o, &ops, &r, &r.v), 0);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(ha_vrrp_receive(r.v, T0 + S, &m, trailer_packet, sizeof(trailer_packet)),
			 HA_VRRP_DROP_NONE);
}

static void a_trailer_is_understood_by_its_like(void **state)
{
	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	for (uint64_t t = T0 + 4 * S; t < T0 + 9 * S; t += S) {
		send_one(t);
		assert_int_equal(pass_on(t), HA_VRRP_DROP_NONE);
		assert_int_equal(pass_on(t), HA_VRRP_DROP_REPLAY);
	}
}

static void a_trailer_with_any_bit_flipped_is_not(void **state)
{
	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	send_one(T0 + 4 * S);
	for (size_t bit = 0; bit < sender.sent_len * 8; bit++) {
		sender.sent[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_true(pass_on(T0 + 4 * S) > 0);
		sender.sent[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_NONE);
}

static void a_trailer_from_another_address_is_not(void **state)
{
	struct ha_vrrp_meta m = meta("10.9.0.3", false);
	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	send_one(T0 + 4 * S);
	assert_true(ha_vrrp_receive(r.v, T0 + 4 * S, &m, sender.sent, sender.sent_len) > 0);
}

static void a_recorded_resignation_does_not_work_later(void **state)
{
	uint8_t recorded[HA_VRRP_MAX_ADVERT];
	size_t len;

	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	send_one(T0 + 4 * S);
	ha_vrrp_stop(sender.v, T0 + 4 * S);
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_NONE);
	memcpy(recorded, sender.sent, len = sender.sent_len);
	ha_vrrp_start(sender.v, T0 + 4 * S);
	rig_run(&sender, T0 + 9 * S);
	assert_int_equal(pass_on(T0 + 9 * S), HA_VRRP_DROP_NONE);
	memcpy(sender.sent, recorded, len);
	sender.sent_len = len;
	assert_int_equal(pass_on(T0 + 9 * S), HA_VRRP_DROP_REPLAY);
}

static void an_unknown_sender_must_be_of_our_time(void **state)
{
	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	send_one(T0 + 4 * S);
	rig_run(&r, T0 + 65 * S);
	assert_int_equal(pass_on(T0 + 65 * S), HA_VRRP_DROP_REPLAY);
	send_one(T0 + 65 * S);
	assert_int_equal(pass_on(T0 + 65 * S), HA_VRRP_DROP_NONE);
}

static void keys_rotate(void **state)
{
	const struct ha_vrrp_key both[] = {trailer_key, other_key},
				 turned[] = {other_key, trailer_key};

	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, turned, 2);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, both, 2);
	send_one(T0 + 4 * S);
	assert_int_equal(sender.sent[12 + 3], 8);
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_NONE);
	rig_down(&r);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, both, 1); /* has not got the new one */
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_AUTH_FAILURE);
}

static void no_trailer_or_an_unwanted_one_is_dropped(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(3, 150, "10.9.0.1", 100);

	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	assert_int_equal(peer_send(&r, T0 + S, &p), HA_VRRP_DROP_AUTH_MISMATCH);
	rig_down(&r);
	o.source = ip("10.9.0.9");
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	send_one(T0 + 4 * S);
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_LENGTH);
}

static void a_thawed_router_takes_no_replay(void **state)
{
	uint8_t cold[HA_VRRP_FREEZE_SIZE];
	ssize_t len;

	make(&sender, "10.9.0.1", 150, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	send_one(T0 + 4 * S);
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_NONE);
	len = ha_vrrp_freeze(r.v, cold, sizeof(cold));
	assert_true(len > 0);
	rig_down(&r);
	make(&r, "10.9.0.9", 100, HA_VRRP_AUTH_HMAC, &trailer_key, 1);
	ha_vrrp_stop(r.v, T0);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + 4 * S, 0, cold, (size_t)len), 0);
	assert_int_equal(pass_on(T0 + 4 * S), HA_VRRP_DROP_REPLAY);
	send_one(T0 + 5 * S);
	assert_int_equal(pass_on(T0 + 5 * S), HA_VRRP_DROP_NONE);
}

static void wrong_options_are_refused(void **state)
{
	const struct ha_vrrp_key twice[] = {trailer_key, trailer_key}, empty = {1, "", 0};
	struct ha_vrrp_opts o = rig_opts();
	struct ha_vrrp *v;

	o.auth = HA_VRRP_AUTH_HMAC;
	assert_non_null(strstr(ha_vrrp_check(&o), "1 to 8 keys"));
	o.keys = &empty;
	o.n_keys = 1;
	assert_non_null(strstr(ha_vrrp_check(&o), "1 to 64 bytes"));
	o.keys = twice;
	o.n_keys = 2;
	assert_non_null(strstr(ha_vrrp_check(&o), "id of its own"));
	o.n_keys = 1;
	assert_null(ha_vrrp_check(&o));
	assert_int_equal(ha_vrrp_new(&o, &rig_ops, &r, &v), -EINVAL); /* no ops->hmac */
	o.auth = HA_VRRP_AUTH_AH;
	assert_non_null(strstr(ha_vrrp_check(&o), "version 2"));
	o.version = 2;
	assert_null(ha_vrrp_check(&o));
	o.auth_pass = "secret";
	assert_non_null(strstr(ha_vrrp_check(&o), "auth_pass"));
	o.auth_pass = NULL;
	o.auth = 0;
	assert_non_null(strstr(ha_vrrp_check(&o), "what they are for"));
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(ah_of_keepalived_is_accepted),
	    T(ah_is_sent_as_keepalived_sends_it),
	    T(ah_with_any_bit_flipped_is_not),
	    T(ah_of_another_ip_header_is_not),
	    T(ah_replayed_or_of_another_kind_is_dropped),
	    T(a_router_without_ah_takes_none),
	    T(ah_counts_on_from_what_it_heard),
	    T(a_trailer_made_elsewhere_is_accepted),
	    T(a_trailer_is_understood_by_its_like),
	    T(a_trailer_with_any_bit_flipped_is_not),
	    T(a_trailer_from_another_address_is_not),
	    T(a_recorded_resignation_does_not_work_later),
	    T(an_unknown_sender_must_be_of_our_time),
	    T(keys_rotate),
	    T(no_trailer_or_an_unwanted_one_is_dropped),
	    T(a_thawed_router_takes_no_replay),
	    T(wrong_options_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
