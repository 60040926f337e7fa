/* SPDX-License-Identifier: MIT */
/*
 * The bytes of adverts. The golden packets were written down field by field from RFC 3768 and RFC 9568
 * and their checksums added by hand; the catalogue lists what must be dropped, and as what.
 */
#include "rig.h"

#include <stdlib.h>

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

/* The first advert of a router that starts as the owner, or times out into Active. */
static void first_advert(const struct ha_vrrp_opts *o)
{
	rig_up(&r, o);
	ha_vrrp_start(r.v, T0);
	while (!r.sent_len)
		rig_run(&r, ha_vrrp_deadline(r.v));
}

static void R11_version_2_is_as_rfc_3768_draws_it(void **state)
{
	static const uint8_t golden[20] = {
	    0x21, 0x33, 0x64, 0x01, /* version 2, type 1; VRID 51; priority 100; one address */
	    0x00, 0x01, 0x70, 0x5d, /* no authentication; 1 s; checksum */
	    0x0a, 0x09, 0x00, 0x64, /* 10.9.0.100 */
	};			    /* R39: authentication data zero */
	struct ha_vrrp_opts o = rig_opts();

	/* 2133 + 6401 + 0001 + 0a09 + 0064 = 8fa2 */
	assert_int_equal(golden[6] << 8 | golden[7], 0xffff - 0x8fa2);
	o.version = 2;
	first_advert(&o);
	assert_int_equal(r.sent_len, sizeof(golden));
	assert_memory_equal(r.sent, golden, sizeof(golden));
}

static void R30_the_checksum_of_version_2_covers_the_password(void **state)
{
	static const uint8_t golden[20] = {0x21, 0x33, 0x64, 0x01, 0x01, 0x01, 0, 0, 0x0a, 0x09,
					   0x00, 0x64, '1',  '2',  '3',	 '4',  0, 0, 0,	   0};
	struct ha_vrrp_opts o = rig_opts();

	o.version = 2;
	o.auth_pass = "1234";
	first_advert(&o);
	assert_int_equal(r.sent_len, 20);
	assert_memory_equal(r.sent, golden, 6);
	assert_memory_equal(r.sent + 8, golden + 8, 12);
	assert_int_equal(r.sent[6] << 8 | r.sent[7], slow_csum(golden, sizeof(golden), 0));
}

static void R33_version_3_sends_the_pseudo_header_form(void **state)
{
	static const uint8_t golden[12] = {
	    0x31, 0x33, 0x64, 0x01, /* version 3 */
	    0x00, 0x64, 0x00, 0x00, /* 100 cs */
	    0x0a, 0x09, 0x00, 0x64,
	};
	/* 10.9.0.1 224.0.0.18 112 12: 0a09 + 0001 + e000 + 0012 + 0070 + 000c = ea98;
	 * 3133 + 6401 + 0064 + 0a09 + 0064 = a005; the sum 18a9d folds to 8a9e */
	const uint16_t sum = 0xffff - 0x8a9e;
	struct ha_vrrp_opts o = rig_opts();

	first_advert(&o);
	assert_int_equal(r.sent_len, sizeof(golden));
	assert_memory_equal(r.sent, golden, 6);
	assert_int_equal(r.sent[6] << 8 | r.sent[7], sum);
	assert_memory_equal(r.sent + 8, golden + 8, 4);
	assert_int_equal(ha_ip_compare(&r.sent_to, &ha_vrrp_opts(r.v)->group), 0); /* R10 */
}

static void R32_version_3_can_send_the_message_form(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.checksum = HA_VRRP_CHECKSUM_MESSAGE;
	first_advert(&o);
	assert_int_equal(r.sent[6] << 8 | r.sent[7], 0xffff - 0xa005);
}

static void R31_the_checksum_of_ipv6_covers_the_pseudo_header(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip address[2] = {ip("fe80::100"), ip("2001:db8::100")};
	struct ha_ip group = ip("ff02::12");
	uint8_t copy[40];

	o.family = AF_INET6;
	o.source = ip("fe80::1");
	o.addresses = address;
	o.n_addresses = 2;
	first_advert(&o);
	assert_int_equal(r.sent_len, 8 + 2 * 16);
	assert_memory_equal(r.sent + 8, address[0].bytes, 16); /* R25 */
	assert_memory_equal(r.sent + 24, address[1].bytes, 16);
	assert_int_equal(ha_ip_compare(&r.sent_to, &group), 0);
	memcpy(copy, r.sent, 40);
	copy[6] = copy[7] = 0;
	assert_int_equal(r.sent[6] << 8 | r.sent[7],
			 slow_csum(copy, 40, slow_pseudo(&o.source, &group, 40)));
}

static void R21_reserved_bits_are_sent_as_zero(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.advert_interval_cs = 4095;
	first_advert(&o);
	assert_int_equal(r.sent[4], 0x0f);
	assert_int_equal(r.sent[5], 0xff);
}

static void unicast_goes_to_every_peer_with_its_own_checksum(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip peer[2] = {ip("10.9.0.2"), ip("10.9.0.3")};

	o.peers = peer;
	o.n_peers = 2;
	first_advert(&o);
	assert_string_equal(r.log, "backup send100 send100 up announce5 active");
	assert_int_equal(ha_ip_compare(&r.sent_to, &peer[1]), 0);
	/* as above, with 0a09 + 0003 in the place of e000 + 0012 */
	assert_int_equal(r.sent[6] << 8 | r.sent[7],
			 0xffff - (0xa005 + 0x0a09 + 1 + 0x0a09 + 3 + 0x70 + 12));
}

/* ---- the catalogue: one good packet, one thing wrong, one counter ---- */

enum sum { SUM_AGAIN, SUM_AS_IS };

struct bad {
	const char *what;
	uint8_t version;
	int at, value; /* the byte changed; -1: none */
	int len;       /* the length given; 0: as it is */
	enum sum sum;
	const char *source, *destination; /* NULL: as it is */
	int ttl;			  /* 0: 255; -1: 0 */
	enum ha_vrrp_drop drop;
};

static const struct bad catalogue[] = {
    {"1 version 0", 3, 0, 0x01, 0, 0, 0, 0, 0, HA_VRRP_DROP_VERSION},
    {"2 version 1", 3, 0, 0x11, 0, 0, 0, 0, 0, HA_VRRP_DROP_VERSION},
    {"3 version 4", 3, 0, 0x41, 0, 0, 0, 0, 0, HA_VRRP_DROP_VERSION},
    {"4 version 15", 3, 0, 0xf1, 0, 0, 0, 0, 0, HA_VRRP_DROP_VERSION},
    {"5 version 2 in 3 (R12)", 3, 0, 0x21, 0, 0, 0, 0, 0, HA_VRRP_DROP_VERSION},
    {"5 version 3 in 2 (R12)", 2, 0, 0x31, 0, 0, 0, 0, 0, HA_VRRP_DROP_VERSION},
    {"6 type 0 (R13)", 3, 0, 0x30, 0, 0, 0, 0, 0, HA_VRRP_DROP_TYPE},
    {"7 type 2", 3, 0, 0x32, 0, 0, 0, 0, 0, HA_VRRP_DROP_TYPE},
    {"8 type 15", 3, 0, 0x3f, 0, 0, 0, 0, 0, HA_VRRP_DROP_TYPE},
    {"9 another VRID (R14)", 3, 1, 52, 0, 0, 0, 0, 0, HA_VRRP_DROP_VRID},
    {"10 VRID 0", 3, 1, 0, 0, 0, 0, 0, 0, HA_VRRP_DROP_VRID},
    {"11 TTL 254 (R3)", 3, -1, 0, 0, 0, 0, 0, 254, HA_VRRP_DROP_TTL},
    {"12 TTL 1", 3, -1, 0, 0, 0, 0, 0, 1, HA_VRRP_DROP_TTL},
    {"13 TTL 0", 2, -1, 0, 0, 0, 0, 0, -1, HA_VRRP_DROP_TTL},
    {"14 checksum 0 (R34)", 3, 6, 0, 0, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_CHECKSUM},
    {"15 checksum ff..", 3, 6, 0xff, 0, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_CHECKSUM},
    {"16 one bit flipped", 3, 9, 0x0b, 0, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_CHECKSUM},
    {"16 one bit flipped, version 2", 2, 9, 0x0b, 0, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_CHECKSUM},
    {"20 nothing (R28)", 3, -1, 0, -1, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"20 1 byte", 3, -1, 0, 1, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"21 4 bytes", 3, -1, 0, 4, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"22 7 bytes", 3, -1, 0, 7, SUM_AS_IS, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"23 8 bytes", 3, -1, 0, 8, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"24 cut inside the address", 3, -1, 0, 10, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"25 count 0, no address (R20)", 3, 3, 0, 8, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"26 count 0, an address", 3, 3, 0, 0, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"27 count 2, one address (R29)", 3, 3, 2, 0, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"28 count 255", 3, 3, 255, 0, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"29 trailing bytes", 3, -1, 0, 16, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"29 trailing bytes, version 2", 2, -1, 0, 24, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"30 another address, version 2 (R43)", 2, 11, 101, 0, 0, 0, 0, 0, HA_VRRP_DROP_ADDRESS_LIST},
    {"36 interval 0 (R23)", 3, 5, 0, 0, 0, 0, 0, 0, HA_VRRP_DROP_ADVERT_INTERVAL},
    {"40 interval 0, version 2", 2, 5, 0, 0, 0, 0, 0, 0, HA_VRRP_DROP_ADVERT_INTERVAL},
    {"41 interval 2 s, version 2 (R40)", 2, 5, 2, 0, 0, 0, 0, 0, HA_VRRP_DROP_ADVERT_INTERVAL},
    {"42 authentication 1 while none (R37)", 2, 4, 1, 0, 0, 0, 0, 0, HA_VRRP_DROP_AUTH_MISMATCH},
    {"43 authentication 2 while none", 2, 4, 2, 0, 0, 0, 0, 0, HA_VRRP_DROP_AUTH_MISMATCH},
    {"44 authentication 3 (R36)", 2, 4, 3, 0, 0, 0, 0, 0, HA_VRRP_DROP_AUTH_TYPE},
    {"45 authentication 255", 2, 4, 255, 0, 0, 0, 0, 0, HA_VRRP_DROP_AUTH_TYPE},
    {"46 authentication data missing", 2, -1, 0, 12, 0, 0, 0, 0, HA_VRRP_DROP_LENGTH},
    {"49 unicast without peers", 3, -1, 0, 0, 0, 0, "10.9.0.1", 0, HA_VRRP_DROP_DESTINATION},
    {"50 another group", 3, -1, 0, 0, 0, 0, "224.0.0.19", 0, HA_VRRP_DROP_DESTINATION},
    {"53 our own address", 3, -1, 0, 0, 0, "10.9.0.1", 0, 0, HA_VRRP_DROP_OWN_ADDRESS},
    {"54 from 0.0.0.0", 3, -1, 0, 0, 0, "0.0.0.0", 0, 0, HA_VRRP_DROP_SOURCE},
    {"55 from the virtual address", 3, -1, 0, 0, 0, "10.9.0.100", 0, 0, HA_VRRP_DROP_SOURCE},
    {"57 from a multicast address", 3, -1, 0, 0, 0, "224.0.0.1", 0, 0, HA_VRRP_DROP_SOURCE},
    {"an IPv6 header (R27)", 3, -1, 0, 0, SUM_AS_IS, "fe80::2", "ff02::12", 0, HA_VRRP_DROP_SOURCE},
};

static void check_bad(const struct bad *b)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(b->version, 200, "10.9.0.2", 100);
	struct ha_vrrp_status before = {.size = sizeof(before)}, after = before;
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	uint64_t moved = 0, deadline;

	o.version = b->version;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	if (b->source)
		p.meta.source = ip(b->source);
	if (b->destination)
		p.meta.destination = ip(b->destination);
	if (b->at >= 0)
		p.pkt[b->at] = (uint8_t)b->value;
	if (b->len)
		p.len = b->len < 0 ? 0 : (size_t)b->len;
	p.meta.ttl = (uint8_t)(b->ttl < 0 ? 0 : b->ttl ? b->ttl : 255);
	if (b->sum == SUM_AGAIN)
		peer_sum(&p);
	ha_vrrp_status(r.v, &before);
	deadline = ha_vrrp_deadline(r.v);
	if (peer_send(&r, T0 + S, &p) != (int)b->drop)
		fail_msg("%s: not dropped as \"%s\" but: %s", b->what, ha_vrrp_drop_name(b->drop),
			 r.log);
	/* R94, I7: nothing but one counter moved. */
	ha_vrrp_status(r.v, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(deadline == ha_vrrp_deadline(r.v));
	ha_vrrp_stats(r.v, &s);
	for (unsigned i = 0; i < HA_VRRP_STATS_SLOTS; i++)
		moved += s.dropped[i] + s.remarks[i];
	assert_int_equal(moved, 1);
	assert_int_equal(s.dropped[b->drop], 1);
	assert_int_equal(s.adverts_received, 0);
	assert_int_equal(strncmp(r.log, "drop(", 5), 0);
	rig_down(&r);
}

static void R94_every_bad_packet_moves_one_counter_and_nothing_else(void **state)
{
	for (size_t i = 0; i < sizeof(catalogue) / sizeof(*catalogue); i++)
		check_bad(&catalogue[i]);
}

/*
 * The rows that need more than one changed byte, and those that are accepted: what is told of them is part of
 * the reaction. `remark` -1: nothing.
 */
struct odd {
	const char *what;
	void (*twist)(struct ha_vrrp_opts *o, struct peer *p);
	enum ha_vrrp_drop drop;
	int remark;
	uint64_t down_ns; /* the timer after it; 0: as by a common advert */
};

static void message_sum(struct ha_vrrp_opts *o, struct peer *p)
{
	uint16_t sum;

	p->pkt[6] = p->pkt[7] = 0;
	sum = slow_csum(p->pkt, p->len, 0);
	p->pkt[6] = (uint8_t)(sum >> 8);
	p->pkt[7] = (uint8_t)sum;
}

static struct ha_ip only_peer;

static void from_a_peer(struct ha_vrrp_opts *o, struct peer *p)
{
	only_peer = ip("10.9.0.2");
	o->peers = &only_peer;
	o->n_peers = 1;
	p->meta.destination = ip("10.9.0.1"); /* summed for the group still */
}

static void from_a_stranger_to_peers(struct ha_vrrp_opts *o, struct peer *p)
{
	from_a_peer(o, p);
	p->meta.source = ip("10.9.0.3");
	peer_sum(p);
}

static void version_2_with_a_pseudo_header(struct ha_vrrp_opts *o, struct peer *p)
{
	uint16_t right;

	*p = peer_make(3, 200, "10.9.0.2", 100);
	right = (uint16_t)(p->pkt[6] << 8 | p->pkt[7]); /* that of version 3 has one */
	*p = peer_make(2, 200, "10.9.0.2", 100);
	o->version = 2;
	p->pkt[6] = (uint8_t)(right >> 8);
	p->pkt[7] = (uint8_t)right;
}

static void another_address(struct ha_vrrp_opts *o, struct peer *p)
{
	p->pkt[11] = 101;
	peer_sum(p);
}

/* A second address, all of whose bytes are `byte`. */
static void longer_list(struct peer *p, uint8_t byte)
{
	p->pkt[3] = 2;
	memset(p->pkt + p->len, byte, 4);
	p->len += 4;
	peer_sum(p);
}

static void one_more_address(struct ha_vrrp_opts *o, struct peer *p)
{
	longer_list(p, 9);
}

static void address_zero(struct ha_vrrp_opts *o, struct peer *p)
{
	longer_list(p, 0);
}

static void address_ones(struct ha_vrrp_opts *o, struct peer *p)
{
	longer_list(p, 0xff);
}

static void address_multicast(struct ha_vrrp_opts *o, struct peer *p)
{
	longer_list(p, 0xe0);
}

static void reserved_bits(struct ha_vrrp_opts *o, struct peer *p)
{
	p->pkt[4] |= 0xf0;
	peer_sum(p);
}

static void another_interval(struct ha_vrrp_opts *o, struct peer *p)
{
	*p = peer_make(3, 200, "10.9.0.2", 200);
}

static void the_longest_interval(struct ha_vrrp_opts *o, struct peer *p)
{
	o->learn_max_cs = 200; /* the bound of the configuration */
	*p = peer_make(3, 200, "10.9.0.2", 4095);
}

static void data_without_authentication(struct ha_vrrp_opts *o, struct peer *p)
{
	o->version = 2;
	*p = peer_make(2, 200, "10.9.0.2", 100);
	memset(p->pkt + 12, 0xaa, 8);
	peer_sum(p);
}

static void an_authentication_header(struct ha_vrrp_opts *o, struct peer *p)
{
	p->meta.protocol = 51;
}

static void a_physical_mac(struct ha_vrrp_opts *o, struct peer *p)
{
	memcpy(p->meta.mac, "\2\0\0\0\0\2", 6);
}

static void a_foreign_vrid_with_a_wrong_sum(struct ha_vrrp_opts *o, struct peer *p)
{
	p->pkt[1] = 52;
	p->pkt[6] ^= 1;
}

static void longer_than_any_advert(struct ha_vrrp_opts *o, struct peer *p)
{
	memset(p->pkt + p->len, 0, sizeof(p->pkt) - p->len);
	p->len = sizeof(p->pkt);
}

#define DOWN_OF(interval) (3 * (interval) + 156 * (interval) / 256)

static const struct odd oddities[] = {
    {"17 the message's own checksum", message_sum, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_CHECKSUM_FORM,
     0},
    {"18 the group's checksum, unicast", from_a_peer, HA_VRRP_DROP_NONE,
     HA_VRRP_REMARK_CHECKSUM_FORM, 0},
    {"19 version 2 with a pseudo-header", version_2_with_a_pseudo_header, HA_VRRP_DROP_CHECKSUM, -1,
     0},
    {"30 another address", another_address, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_ADDRESS_LIST, 0},
    {"31 a longer list", one_more_address, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_ADDRESS_LIST, 0},
    {"33 address 0", address_zero, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_ADDRESS_LIST, 0},
    {"34 address of all ones", address_ones, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_ADDRESS_LIST, 0},
    {"35 multicast address", address_multicast, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_ADDRESS_LIST, 0},
    {"37 reserved bits", reserved_bits, HA_VRRP_DROP_NONE, -1, 0},
    {"38 another interval", another_interval, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_INTERVAL,
     DOWN_OF(2 * S)},
    {"39 interval 4095", the_longest_interval, HA_VRRP_DROP_NONE, HA_VRRP_REMARK_INTERVAL,
     DOWN_OF(2 * S)},
    {"47 data, but no authentication", data_without_authentication, HA_VRRP_DROP_NONE, -1, 0},
    {"48 AH while there is none", an_authentication_header, HA_VRRP_DROP_AUTH_MISMATCH, -1, 0},
    {"51 a stranger to the peers", from_a_stranger_to_peers, HA_VRRP_DROP_SOURCE, -1, 0},
    {"52 from a physical MAC", a_physical_mac, HA_VRRP_DROP_NONE, -1, 0},
    {"65 a foreign VRID is dropped before its checksum is seen", a_foreign_vrid_with_a_wrong_sum,
     HA_VRRP_DROP_VRID, -1, 0},
    {"66 longer than any advert", longer_than_any_advert, HA_VRRP_DROP_LENGTH, -1, 0},
};

static void check_odd(const struct odd *row)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	uint64_t told = 0, due;

	row->twist(&o, &p);
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	due =
	    row->drop ? ha_vrrp_deadline(r.v) : T0 + S + (row->down_ns ? row->down_ns : DOWN_OF(S));
	r.log[0] = 0;
	if (peer_send(&r, T0 + S, &p) != (int)row->drop)
		fail_msg("%s: not \"%s\" but: %s", row->what, ha_vrrp_drop_name(row->drop), r.log);
	if (ha_vrrp_deadline(r.v) != due)
		fail_msg("%s: the timer is %.3f ms off", row->what,
			 (double)(int64_t)(ha_vrrp_deadline(r.v) - due) / 1e6);
	ha_vrrp_stats(r.v, &s);
	for (unsigned i = 0; i < HA_VRRP_STATS_SLOTS; i++)
		told += s.dropped[i] + s.remarks[i];
	if (told != (row->drop || row->remark >= 0 ? 1 : 0) ||
	    (row->drop && !s.dropped[row->drop]) || (row->remark >= 0 && !s.remarks[row->remark]))
		fail_msg("%s: told otherwise: %s", row->what, r.log);
	assert_int_equal(s.adverts_received, row->drop ? 0 : 1);
	rig_down(&r);
}

static void odd_packets_are_taken_or_dropped_as_the_catalogue_says(void **state)
{
	for (size_t i = 0; i < sizeof(oddities) / sizeof(*oddities); i++)
		check_odd(&oddities[i]);
}

/* Rows that are no matter of one packet's bytes, or not of the engine, and where they are held instead. */
static const char *const elsewhere[] = {
    "32 IPv6, the first address not link-local: R26 below",
    "48 AH, replayed, or with another next header: test_auth",
    "56 a global IPv6 source: below",
    "58 IPv4 options: tests/netns/vrrp_link.c, ip_options_are_skipped",
    "59 fragments: the kernel's; tests/netns/vrrp_link.c, a_fragment_and_a_stub",
    "60 a short IP length: the kernel's; the same",
    "61 a flood of priority 0: test_fsm R56, R72",
    "62 priority 1: test_fsm R58, R76",
    "63 a second 255: test_fsm R93",
    "64 more bad packets than adverts: tests/sim I8, and its planted mistake \"starved\"",
    "66 garbage of any length: tests/fuzz/vrrp.c",
};

static void every_row_of_the_catalogue_has_its_place(void **state)
{
	bool has[67] = {false};

	for (size_t i = 0; i < sizeof(catalogue) / sizeof(*catalogue); i++)
		has[strtoul(catalogue[i].what, NULL, 10) % 67] = true;
	for (size_t i = 0; i < sizeof(oddities) / sizeof(*oddities); i++)
		has[strtoul(oddities[i].what, NULL, 10) % 67] = true;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(*elsewhere); i++)
		has[strtoul(elsewhere[i], NULL, 10) % 67] = true;
	for (unsigned row = 1; row <= 66; row++)
		if (!has[row])
			fail_msg("row %u is nowhere", row);
}

/* ---- what must be accepted ---- */

static void up(uint8_t version)
{
	struct ha_vrrp_opts o = rig_opts();

	o.version = version;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
}

static void accepts(const struct peer *p, const char *said)
{
	assert_int_equal(peer_send(&r, T0 + S, p), HA_VRRP_DROP_NONE);
	assert_true(ha_vrrp_deadline(r.v) > T0 + 4 * S);
	assert_said(&r, said);
}

static void R32_the_message_form_is_accepted(void **state)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);
	struct ha_vrrp_stats s = {.size = sizeof(s)};
	uint16_t sum;

	p.pkt[6] = p.pkt[7] = 0;
	sum = slow_csum(p.pkt, p.len, 0);
	p.pkt[6] = (uint8_t)(sum >> 8);
	p.pkt[7] = (uint8_t)sum;
	up(3);
	accepts(&p, "remark(checksum form differs)");
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.checksums[HA_VRRP_CHECKSUM_MESSAGE], 1);
}

static void the_old_unicast_form_is_accepted(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip other = ip("10.9.0.2");
	struct peer p = peer_make(3, 200, "10.9.0.2", 100); /* summed for the group */
	struct ha_vrrp_stats s = {.size = sizeof(s)};

	o.peers = &other;
	o.n_peers = 1;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	p.meta.destination = ip("10.9.0.1");
	p.meta.ttl = 64; /* nobody asks for 255 between peers */
	accepts(&p, "remark(checksum form differs)");
	ha_vrrp_stats(r.v, &s);
	assert_int_equal(s.checksums[HA_VRRP_CHECKSUM_PSEUDO_GROUP], 1);
}

/* To the group the old unicast form is the usual one. */
static void a_form_that_is_ours_too_is_not_remarked(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);

	o.checksum = HA_VRRP_CHECKSUM_PSEUDO_GROUP;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	accepts(&p, "");
}

static void each_peer_has_ttls_of_its_own(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip peers[] = {ip("10.9.0.2"), ip("10.9.0.3")};
	const struct ha_vrrp_ttls ttls[] = {{.least = 254}, {.least = 3, .most = 64}};
	const struct ha_vrrp_ttls empty[] = {{.least = 254}, {.least = 65, .most = 64}};
	struct peer p = peer_make(3, 200, "10.9.0.3", 100);

	o.peers = peers;
	o.n_peers = 2;
	o.min_ttl = 100; /* peer_ttls count instead */
	o.peer_ttls = empty;
	assert_non_null(strstr(ha_vrrp_check(&o), "peer_ttls"));
	o.peer_ttls = ttls;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	p.meta.destination = ip("10.9.0.1");
	peer_sum(&p);
	for (int ttl = 0; ttl < 256; ttl++) {
		p.meta.ttl = (uint8_t)ttl;
		assert_int_equal(peer_send(&r, T0, &p),
				 ttl < 3 || ttl > 64 ? HA_VRRP_DROP_TTL : HA_VRRP_DROP_NONE);
	}
	p.meta.source = peers[0];
	peer_sum(&p);
	p.meta.ttl = 253;
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_TTL);
	p.meta.ttl = 255;
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_NONE);
}

static void a_stranger_to_the_peers_is_not_heard(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip other = ip("10.9.0.2");
	struct peer p = peer_make(3, 200, "10.9.0.3", 100);

	o.peers = &other;
	o.n_peers = 1;
	o.min_ttl = 254;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	p.meta.destination = ip("10.9.0.1");
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_SOURCE);
	p.meta.source = other;
	p.meta.ttl = 253;
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_TTL);
	p.meta.ttl = 254;
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_NONE);
	p.meta.destination = ip("224.0.0.18");
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_DESTINATION);
}

static void R22_reserved_bits_do_not_touch_the_interval(void **state)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);

	p.pkt[4] |= 0xf0;
	peer_sum(&p);
	up(3);
	accepts(&p, "");
	assert_true(ha_vrrp_deadline(r.v) == T0 + S + 3 * S + 609375000);
}

static void R39_data_beside_authentication_none_is_ignored(void **state)
{
	struct peer p = peer_make(2, 200, "10.9.0.2", 100);

	memset(p.pkt + 12, 0xaa, 8);
	peer_sum(&p);
	up(2);
	accepts(&p, "");
}

static void R38_the_password_must_be_the_same(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(2, 200, "10.9.0.2", 100);

	o.version = 2;
	o.auth_pass = "12345678";
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_AUTH_MISMATCH);
	p.pkt[4] = 1;
	memcpy(p.pkt + 12, "12345679", 8);
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_AUTH_FAILURE);
	p.pkt[19] = '8';
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_NONE);
	assert_null(ha_vrrp_opts(r.v)->auth_pass);
}

static void R42_another_list_is_kept_and_told_in_version_3(void **state)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);

	p.pkt[11] = 101;
	peer_sum(&p);
	up(3);
	accepts(&p, "remark(address list differs)"); /* 30 */
	p.pkt[3] = 2; /* 31: a longer one, with an address nobody can have (33) */
	p.len += 4;
	peer_sum(&p);
	accepts(&p, "remark(address list differs)");
}

static void R43_the_owner_may_have_another_list_in_version_2(void **state)
{
	struct peer p = peer_make(2, 255, "10.9.0.2", 100);

	p.pkt[11] = 101;
	peer_sum(&p);
	up(2);
	accepts(&p, "");
}

static void the_order_of_addresses_does_not_matter(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip address[2] = {ip("10.9.0.100"), ip("10.9.0.101")};
	struct peer p = peer_make(2, 200, "10.9.0.2", 100);

	o.version = 2;
	o.addresses = address;
	o.n_addresses = 2;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	memset(p.pkt + 8, 0, sizeof(p.pkt) - 8);
	memcpy(p.pkt + 8, address[1].bytes, 4);
	memcpy(p.pkt + 12, address[0].bytes, 4);
	p.pkt[3] = 2;
	p.len += 4;
	peer_sum(&p);
	accepts(&p, "");
	memcpy(p.pkt + 12, address[1].bytes, 4); /* the same one twice is another list */
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_ADDRESS_LIST);
}

/* It may be on two interfaces. A peer must say it as often. */
static void an_address_may_stand_there_twice(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip address[3] = {ip("10.9.0.100"), ip("10.9.0.100"), ip("10.9.0.101")};
	struct peer p = peer_make(2, 200, "10.9.0.2", 100);

	o.version = 2;
	o.addresses = address;
	o.n_addresses = 3;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
	memset(p.pkt + 8, 0, sizeof(p.pkt) - 8);
	for (unsigned i = 0; i < 3; i++)
		memcpy(p.pkt + 8 + 4 * i, address[i].bytes, 4);
	p.pkt[3] = 3;
	p.len += 8;
	peer_sum(&p);
	accepts(&p, "");
	memcpy(p.pkt + 8, address[2].bytes, 4); /* 101, 100, 101 */
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_ADDRESS_LIST);
	memcpy(p.pkt + 16, address[0].bytes, 4); /* 101, 100, 100 */
	peer_sum(&p);
	r.log[0] = 0;
	accepts(&p, "");
	p.pkt[3] = 2;
	p.len -= 4; /* 101, 100 */
	memset(p.pkt + 16, 0, 8);
	peer_sum(&p);
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_ADDRESS_LIST);
}

static void an_owner_sends_from_a_virtual_address(void **state)
{
	struct peer p = peer_make(3, 255, "10.9.0.100", 100);

	up(3);
	accepts(&p, "");
}

/* ---- IPv6 ---- */

static struct peer peer6(const char *source, const char *address)
{
	struct peer p = peer_make(3, 200, source, 100);

	p.meta.destination = ip("ff02::12");
	p.len = 24;
	memcpy(p.pkt + 8, ip(address).bytes, 16);
	peer_sum(&p);
	return p;
}

static void up6(void)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip address = ip("fe80::100");

	o.family = AF_INET6;
	o.source = ip("fe80::1");
	o.addresses = &address;
	o.checksum = HA_VRRP_CHECKSUM_MESSAGE; /* of no meaning here */
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	r.log[0] = 0;
}

static void an_ipv6_advert_is_accepted(void **state)
{
	struct peer p = peer6("fe80::2", "fe80::100");

	up6();
	accepts(&p, "");
	p.pkt[23]++; /* R31: no form but the pseudo-header's is right */
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_CHECKSUM);
}

static void R26_the_first_ipv6_address_must_be_link_local(void **state)
{
	struct peer p = peer6("fe80::2", "2001:db8::100");

	up6();
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_ADDRESS_LIST);
}

static void R4_an_ipv6_advert_has_hop_limit_255(void **state)
{
	struct peer p = peer6("fe80::2", "fe80::100");

	p.meta.ttl = 254;
	up6();
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_TTL);
}

static void a_global_ipv6_source_is_refused(void **state)
{
	struct peer p = peer6("2001:db8::2", "fe80::100"); /* 56 */

	up6();
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_SOURCE);
	p = peer6("::", "fe80::100");
	assert_int_equal(peer_send(&r, T0, &p), HA_VRRP_DROP_SOURCE);
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(R11_version_2_is_as_rfc_3768_draws_it),
	    T(R30_the_checksum_of_version_2_covers_the_password),
	    T(R33_version_3_sends_the_pseudo_header_form),
	    T(R32_version_3_can_send_the_message_form),
	    T(R31_the_checksum_of_ipv6_covers_the_pseudo_header),
	    T(R21_reserved_bits_are_sent_as_zero),
	    T(unicast_goes_to_every_peer_with_its_own_checksum),
	    T(R94_every_bad_packet_moves_one_counter_and_nothing_else),
	    T(odd_packets_are_taken_or_dropped_as_the_catalogue_says),
	    T(every_row_of_the_catalogue_has_its_place),
	    T(R32_the_message_form_is_accepted),
	    T(the_old_unicast_form_is_accepted),
	    T(a_form_that_is_ours_too_is_not_remarked),
	    T(each_peer_has_ttls_of_its_own),
	    T(a_stranger_to_the_peers_is_not_heard),
	    T(R22_reserved_bits_do_not_touch_the_interval),
	    T(R39_data_beside_authentication_none_is_ignored),
	    T(R38_the_password_must_be_the_same),
	    T(R42_another_list_is_kept_and_told_in_version_3),
	    T(R43_the_owner_may_have_another_list_in_version_2),
	    T(the_order_of_addresses_does_not_matter),
	    T(an_address_may_stand_there_twice),
	    T(an_owner_sends_from_a_virtual_address),
	    T(an_ipv6_advert_is_accepted),
	    T(R26_the_first_ipv6_address_must_be_link_local),
	    T(R4_an_ipv6_advert_has_hop_limit_255),
	    T(a_global_ipv6_source_is_refused),
	};

	return cmocka_run_group_tests_name("vrrp/wire", tests, NULL, NULL);
}
