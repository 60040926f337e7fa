/* SPDX-License-Identifier: MIT */
/* The object around the state machine: options, exact timers, callbacks, freezing, memory. */
#include "rig.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fail_memory.h"

#define DOWN_100 (3 * S + 609375000)

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

/* ---- timers, to the nanosecond: (256 - priority) * interval / 256, rounded down ---- */

static void timers(uint8_t version, uint8_t priority, uint16_t cs, uint64_t skew, uint64_t length)
{
	struct ha_vrrp_opts o = rig_opts();
	struct ha_vrrp_status s = {.size = sizeof(s)};

	o.version = version;
	o.priority = priority;
	o.advert_interval_cs = cs;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	ha_vrrp_status(r.v, &s);
	assert_true(s.skew_ns == skew);
	assert_true(s.down_ns == length);
	assert_true(ha_vrrp_deadline(r.v) == T0 + length);
	rig_down(&r);
}

static void timers_are_exact(void **state)
{
	timers(3, 254, 100, 7812500, 3 * S + 7812500);
	timers(3, 100, 100, 609375000, 3 * S + 609375000);
	timers(3, 1, 100, 996093750, 3 * S + 996093750);
	timers(3, 254, 1, 78125, 30 * MS + 78125);
	timers(3, 100, 1, 6093750, 30 * MS + 6093750); /* no centisecond is lost (R57) */
	timers(3, 253, 1, 117187, 30 * MS + 117187);
	timers(3, 100, 4095, 24953906250, 3 * UINT64_C(40950) * MS + 24953906250);
	timers(2, 100, 100, 609375000, 3 * S + 609375000);
	timers(2, 100, 500, 609375000, 15 * S + 609375000); /* version 2: a share of one second */
	timers(2, 254, 25500, 7812500, 765 * S + 7812500);
}

static void down_timer_adverts_counts_intervals(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.down_timer_adverts = 5;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 5 * S + 609375000);
}

static void what_is_learned_stays_within_bounds(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer fast = peer_make(3, 200, "10.9.0.2", 1),
		    slow = peer_make(3, 200, "10.9.0.2", 4095);

	o.learn_min_cs = 50;
	o.learn_max_cs = 200;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	peer_send(&r, T0, &fast);
	assert_true(ha_vrrp_deadline(r.v) == T0 + DOWN_100 / 2);
	peer_send(&r, T0, &slow);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * DOWN_100);
}

/* ---- options ---- */

static void refused(const struct ha_vrrp_opts *o, const char *field)
{
	struct ha_vrrp *v = NULL;
	const char *why = ha_vrrp_check(o);

	assert_non_null(why);
	if (strncmp(why, field, strlen(field)))
		fail_msg("not about %s: %s", field, why);
	assert_int_equal(ha_vrrp_new(o, &rig_ops, NULL, &v), -EINVAL);
	assert_null(v);
}

#define REFUSED(field, change)                      \
	do {                                        \
		struct ha_vrrp_opts o = rig_opts(); \
		change;                             \
		refused(&o, field);                 \
	} while (0)

static void wrong_options_are_refused_by_name(void **state)
{
	static struct ha_ip many[256];
	const struct ha_ip six = ip("2001:db8::1"), multicast = ip("224.0.0.1"),
			   none = ip("0.0.0.0");

	for (unsigned i = 0; i < 256; i++) {
		many[i] = ip("10.9.1.0");
		many[i].bytes[3] = (uint8_t)i;
	}
	REFUSED("vrid", o.vrid = 0);
	REFUSED("family", o.family = 77);
	REFUSED("version", o.version = 4);
	REFUSED("version", (o.version = 2, o.family = AF_INET6, o.source.family = 0));
	REFUSED("down_timer_adverts", o.down_timer_adverts = 101);
	REFUSED("checksum", o.checksum = HA_VRRP_N_CHECKSUMS);
	REFUSED("advert_interval_cs", o.advert_interval_cs = 4096); /* R24 */
	REFUSED("advert_interval_cs", (o.version = 2, o.advert_interval_cs = 150));
	REFUSED("advert_interval_cs", (o.version = 2, o.advert_interval_cs = 25600));
	REFUSED("learn_min_cs", o.learn_min_cs = 101);
	REFUSED("learn_min_cs", o.learn_max_cs = 99);
	REFUSED("addresses", o.n_addresses = 0); /* R19 */
	REFUSED("addresses", (o.addresses = many, o.n_addresses = 256));
	REFUSED("addresses", o.addresses = &six);
	REFUSED("addresses", o.addresses = &multicast);
	REFUSED("addresses", o.addresses = &none);
	REFUSED("addresses", (o.family = AF_INET6, o.source.family = 0, o.addresses = &six));
	REFUSED("peers", (o.peers = &six, o.n_peers = 1));
	REFUSED("peers", (o.peers = many, o.n_peers = 65));
	REFUSED("source", o.source = six);
	REFUSED("source", (o.family = AF_INET6, o.source = six));
	REFUSED("group", o.group = six);
	REFUSED("group", o.group = ip("10.9.0.100"));
	REFUSED("auth_pass", o.auth_pass = "secret");
	REFUSED("auth_pass", (o.version = 2, o.auth_pass = "123456789"));
	REFUSED("auth_pass", (o.version = 2, o.auth_pass = ""));
	REFUSED("size", o.size = 3);
}

static void an_unknown_tail_is_refused(void **state)
{
	struct {
		struct ha_vrrp_opts o;
		long unknown;
	} newer = {rig_opts(), 0};
	struct ha_vrrp *v;

	newer.o.size = sizeof(newer);
	assert_int_equal(ha_vrrp_new(&newer.o, &rig_ops, NULL, &v), 0);
	ha_vrrp_free(v);
	newer.unknown = 1;
	assert_int_equal(ha_vrrp_new(&newer.o, &rig_ops, NULL, &v), -E2BIG);
}

static void the_longest_adverts_fit(void **state)
{
	static struct ha_ip many[255];
	struct ha_vrrp_opts o = rig_opts();

	for (unsigned i = 0; i < 255; i++) {
		many[i] = ip("10.9.1.0");
		many[i].bytes[3] = (uint8_t)i;
	}
	o.version = 2;
	o.priority = 255;
	o.addresses = many;
	o.n_addresses = 255;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(r.sent_len, 8 + 255 * 4 + 8);
	rig_down(&r);
	for (unsigned i = 0; i < HA_VRRP_MAX_ADDRESSES_IPV6; i++) {
		many[i] = ip("fe80::");
		many[i].bytes[15] = (uint8_t)(i + 1);
	}
	o.version = 3;
	o.family = AF_INET6;
	o.source = ip("fe80::1:1");
	o.n_addresses = HA_VRRP_MAX_ADDRESSES_IPV6;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	assert_int_equal(r.sent_len, HA_VRRP_MAX_ADVERT);
}

static void misuse_is_refused(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct ha_vrrp_ops ops = rig_ops;
	struct ha_ip six = ip("fe80::1");
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);

	ops.send = NULL;
	assert_int_equal(ha_vrrp_new(&o, &ops, NULL, &r.v), -EINVAL);
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_set_source(r.v, &six), -EINVAL);
	assert_int_equal(ha_vrrp_set_fault(r.v, T0, 0, true), -EINVAL);
	assert_int_equal(ha_vrrp_receive(r.v, T0, NULL, p.pkt, p.len), -EINVAL);
	assert_int_equal(ha_vrrp_receive(r.v, T0, &p.meta, NULL, 4), -EINVAL);
	assert_int_equal(ha_vrrp_start(NULL, T0), -EINVAL);
	assert_true(ha_vrrp_deadline(NULL) == HA_VRRP_NEVER);
	ha_vrrp_free(NULL);
}

static void the_mac_is_that_of_the_family(void **state)
{
	static const uint8_t four[6] = {0, 0, 0x5e, 0, 1, 51}, six[6] = {0, 0, 0x5e, 0, 2, 51};
	uint8_t mac[6];

	ha_vrrp_mac(AF_INET, 51, mac); /* R6 */
	assert_memory_equal(mac, four, 6);
	ha_vrrp_mac(AF_INET6, 51, mac);
	assert_memory_equal(mac, six, 6);
}

static void every_value_has_a_name(void **state)
{
	for (int i = 0; i < HA_VRRP_N_REASONS; i++)
		assert_true(ha_vrrp_reason_name(i) && *ha_vrrp_reason_name(i) != '?');
	for (int i = 0; i < HA_VRRP_N_DROPS; i++)
		assert_true(ha_vrrp_drop_name(i) && *ha_vrrp_drop_name(i) != '?');
	for (int i = 0; i < HA_VRRP_N_REMARKS; i++)
		assert_true(ha_vrrp_remark_name(i) && *ha_vrrp_remark_name(i) != '?');
	assert_string_equal(ha_vrrp_state_name(HA_VRRP_FAULT), "fault");
	assert_string_equal(ha_vrrp_drop_name(99), "?");
	assert_true(HA_VRRP_N_DROPS <= HA_VRRP_STATS_SLOTS &&
		    HA_VRRP_N_REMARKS <= HA_VRRP_STATS_SLOTS);
}

/* ---- callbacks ---- */

static void inside(struct rig *rig, const char *what)
{
	struct peer p = peer_make(3, 200, "10.9.0.2", 100);

	if (strcmp(what, "active"))
		return;
	assert_int_equal(ha_vrrp_state(rig->v), HA_VRRP_ACTIVE);
	assert_int_equal(ha_vrrp_tick(rig->v, T0), -EBUSY);
	assert_int_equal(peer_send(rig, T0, &p), -EBUSY);
	assert_int_equal(ha_vrrp_set_priority(rig->v, 0, 50), 0);
	assert_int_equal(ha_vrrp_stop(rig->v, 0), 0);
	assert_int_equal(ha_vrrp_start(rig->v, 0), 0);
}

static void inside_a_callback_all_but_time_and_packets_may_be_called(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	rig_up(&r, &o);
	r.in_callback = inside;
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	assert_said(&r, "backup send100 up announce5 active down send0 initialize backup");
	assert_int_equal(ha_vrrp_tick(r.v, T0), 0);
}

static int refusals;

static void for_ever(struct rig *rig, const char *what)
{
	if (ha_vrrp_state(rig->v) == HA_VRRP_INITIALIZE)
		refusals += ha_vrrp_start(rig->v, 0) == -EBUSY;
	else
		refusals += ha_vrrp_stop(rig->v, 0) == -EBUSY;
}

static void a_loop_of_callbacks_ends(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	o.priority = 255;
	rig_up(&r, &o);
	refusals = 0;
	r.in_callback = for_ever;
	assert_int_equal(ha_vrrp_start(r.v, T0), 0);
	assert_true(refusals > 0);
	r.in_callback = NULL;
	assert_int_equal(ha_vrrp_tick(r.v, T0), 0);
}

static void free_inside(struct rig *rig, const char *what)
{
	ha_vrrp_free(rig->v);
}

static void freeing_inside_a_callback_asserts(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr); /* the message is expected */
		rig_up(&r, &o);
		r.in_callback = free_inside;
		ha_vrrp_start(r.v, T0);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- memory ---- */

static int build_all(void)
{
	struct ha_vrrp_opts o = rig_opts();
	const struct ha_ip peer = ip("10.9.0.2");
	struct ha_vrrp_group *g = NULL;
	struct ha_vrrp *v = NULL;
	int e;

	o.peers = &peer;
	o.n_peers = 1;
	e = ha_vrrp_new(&o, &rig_ops, &r, &v);
	if (!e)
		e = ha_vrrp_group_new(NULL, NULL, &g);
	if (!e)
		e = ha_vrrp_group_add(g, v);
	ha_vrrp_group_free(g);
	ha_vrrp_free(v);
	return e;
}

static void each_failed_allocation_is_enomem(void **state)
{
	size_t before = allocations;
	long n;

	assert_int_equal(build_all(), 0);
	n = (long)(allocations - before);
	assert_true(n >= 5);
	for (long i = 0; i < n; i++) {
		fail_in = i;
		assert_int_equal(build_all(), -ENOMEM);
	}
	fail_in = -1;
}

static void nothing_is_allocated_after_start(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer good = peer_make(3, 50, "10.9.0.2", 100), bad = good;
	size_t before;

	bad.pkt[6]++;
	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	before = allocations;
	for (unsigned i = 1; i < 1000; i++) {
		rig_run(&r, T0 + i * 100 * MS);
		peer_send(&r, T0 + i * 100 * MS, &good);
		peer_send(&r, T0 + i * 100 * MS, &bad);
		r.log[0] = 0;
	}
	ha_vrrp_stop(r.v, T0 + 100 * S);
	assert_int_equal(allocations, before);
}

/* ---- freezing ---- */

static uint8_t cold[HA_VRRP_FREEZE_SIZE];
static size_t cold_len;

static void freeze(void)
{
	ssize_t n = ha_vrrp_freeze(r.v, cold, sizeof(cold));

	assert_true(n > 0);
	cold_len = (size_t)n;
	rig_down(&r);
}

static void make_active(void)
{
	struct ha_vrrp_opts o = rig_opts();

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	rig_run(&r, T0 + DOWN_100);
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
}

static void a_thawed_active_misses_no_beat(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	make_active();
	ha_vrrp_set_priority(r.v, T0 + DOWN_100, 120);
	freeze();
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100 + 500 * MS, 0, cold, cold_len), 0);
	assert_said(&r, "");
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_ACTIVE);
	assert_true(ha_vrrp_deadline(r.v) == T0 + DOWN_100 + S);
	rig_run(&r, T0 + DOWN_100 + S);
	assert_said(&r, "send120");
	rig_run(&r, T0 + DOWN_100 + 5 * S); /* the second burst is not forgotten */
	assert_said(&r, "send120 send120 send120 send120 announce5");
	assert_int_equal(ha_vrrp_start(r.v, T0), -EALREADY);
	assert_int_equal(ha_vrrp_thaw(r.v, T0, 0, cold, cold_len), -EALREADY);
}

/* Frozen once, it sends ten adverts: its successor goes on after the last that left. */
static void a_beat_goes_on_without_a_new_freezing(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	uint64_t calm = T0 + DOWN_100 + 6 * S, alive = calm + 10 * S;
	uint32_t revision;

	make_active();
	rig_run(&r, calm);
	revision = ha_vrrp_revision(r.v);
	cold_len = (size_t)ha_vrrp_freeze(r.v, cold, sizeof(cold));
	rig_run(&r, alive);
	assert_int_equal(ha_vrrp_revision(r.v), revision);
	rig_down(&r);
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, alive, alive + 1, cold, cold_len), -ESTALE);
	assert_int_equal(ha_vrrp_thaw(r.v, alive + 300 * MS, alive, cold, cold_len), 0);
	assert_true(ha_vrrp_deadline(r.v) == alive + S);
	assert_said(&r, "");
}

/* It died long ago: an advert that did not leave is late, and it listens first. */
static void a_beat_that_ended_is_late(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	uint64_t calm = T0 + DOWN_100 + 6 * S;

	make_active();
	rig_run(&r, calm);
	freeze();
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, calm + 9 * S, calm + S, cold, cold_len), 0);
	assert_true(ha_vrrp_deadline(r.v) == calm + 2 * S);
	rig_run(&r, calm + 9 * S);
	assert_said(&r, "remark(timer served late)");
	assert_true(ha_vrrp_deadline(r.v) == calm + 10 * S);
}

/* What a successor must know is news; what changes nothing is none. */
static void a_revision_tells_what_is_news(void **state)
{
	struct peer loser = peer_make(3, 50, "10.9.0.2", 100), broken = loser;
	uint32_t revision;

	make_active();
	rig_run(&r, T0 + DOWN_100 + 6 * S);
	revision = ha_vrrp_revision(r.v);
	broken.pkt[6] ^= 1; /* the checksum */
	peer_send(&r, T0 + DOWN_100 + 6 * S + MS, &broken);
	assert_int_equal(ha_vrrp_revision(r.v), revision);
	peer_send(&r, T0 + DOWN_100 + 6 * S + 2 * MS, &loser);
	assert_int_not_equal(ha_vrrp_revision(r.v), revision);
	revision = ha_vrrp_revision(r.v);
	ha_vrrp_set_priority(r.v, T0 + DOWN_100 + 6 * S + 3 * MS, 99);
	assert_int_not_equal(ha_vrrp_revision(r.v), revision);
	revision = ha_vrrp_revision(r.v);
	ha_vrrp_set_held(r.v, T0 + DOWN_100 + 6 * S + 4 * MS, false);
	assert_int_not_equal(ha_vrrp_revision(r.v), revision);
}

static void a_thawed_backup_keeps_what_it_learned(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	struct peer p = peer_make(3, 200, "10.9.0.2", 200);
	struct ha_vrrp_status s = {.size = sizeof(s)};

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	peer_send(&r, T0 + S, &p);
	freeze();
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + 2 * S, 0, cold, cold_len), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + S + 2 * DOWN_100);
	ha_vrrp_status(r.v, &s);
	assert_int_equal(s.active_interval_cs, 200);
	assert_int_equal(s.active_priority, 200);
	assert_int_equal(ha_ip_compare(&s.active, &p.meta.source), 0);
}

static void new_options_are_in_force_after_a_thaw(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	make_active();
	freeze();
	o.priority = 42;
	o.advert_interval_cs = 10;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100 + MS, 0, cold, cold_len), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + DOWN_100 + 101 * MS);
	rig_run(&r, T0 + DOWN_100 + 101 * MS);
	assert_said(&r, "send42");
}

static void a_thawed_backup_waits_as_the_new_options_say(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	freeze();
	o.down_timer_adverts = 5;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + MS, 0, cold, cold_len), 0);
	assert_true(ha_vrrp_deadline(r.v) == T0 + 2 * S + DOWN_100);
}

static void a_fault_known_before_the_thaw_is_acted_on(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	make_active();
	freeze();
	rig_up(&r, &o);
	ha_vrrp_set_fault(r.v, T0 + DOWN_100, 1, true);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100 + MS, 0, cold, cold_len), 0);
	rig_run(&r, T0 + DOWN_100 + MS);
	assert_said(&r, "down send0 fault");
}

static void another_router_is_not_thawed(void **state)
{
	struct ha_vrrp_opts o = rig_opts();

	make_active();
	freeze();
	o.vrid = 52;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, cold, cold_len), -ESTALE);
	rig_down(&r);
	o.vrid = 51;
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, S, 0, cold, cold_len), -ESTALE); /* rebooted since */
	assert_int_equal(ha_vrrp_state(r.v), HA_VRRP_INITIALIZE);
}

static void a_damaged_buffer_is_refused_whole(void **state)
{
	struct ha_vrrp_opts o = rig_opts();
	uint8_t copy[HA_VRRP_FREEZE_SIZE];

	make_active();
	assert_int_equal(ha_vrrp_freeze(r.v, copy, 10), -ENOSPC);
	freeze();
	rig_up(&r, &o);
	for (size_t i = 0; i < cold_len; i++) {
		memcpy(copy, cold, cold_len);
		copy[i] ^= 0x10;
		assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, copy, cold_len), -EINVAL);
		assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, cold, i), -EINVAL);
	}
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, NULL, 0), -EINVAL);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, cold, cold_len), 0);
}

/* Writes into a frozen router and makes its checksum right again. */
static void forge(size_t at, const void *bytes, size_t len)
{
	uint16_t sum;

	memcpy(cold + at, bytes, len);
	sum = slow_csum(cold, cold_len - 2, 0);
	cold[cold_len - 2] = (uint8_t)(sum >> 8);
	cold[cold_len - 1] = (uint8_t)sum;
}

/* Where ha_vrrp_freeze puts what is forged here. */
enum {
	AT_STATE = 7,
	AT_PRIORITY = 9,
	AT_TIMER = 10,
	AT_SINCE = 32,
	AT_TIMER_NS = 40,
	AT_ANNOUNCE = 64,
	AT_REANNOUNCED = 80,
	AT_REPLIED = 88
};

static void a_state_that_no_router_is_in_is_refused(void **state)
{
	static const uint8_t early[8] = {0, 0, 0, 1}, late[8] = {0xff, 1};
	static const struct {
		size_t at;
		uint8_t bytes[8];
		size_t len;
		int result;
	} forged[] = {
	    {AT_STATE, {HA_VRRP_INITIALIZE}, 1, -EINVAL}, /* with a timer that nobody serves */
	    {AT_STATE, {HA_VRRP_BACKUP}, 1, -EINVAL},	  /* with the timer of an Active */
	    {AT_TIMER, {2}, 1, -EINVAL},		  /* an Active with that of a Backup */
	    {AT_PRIORITY, {255}, 1, -EINVAL},		  /* not the owner */
	};
	struct ha_vrrp_opts o = rig_opts();
	uint8_t whole[HA_VRRP_FREEZE_SIZE];

	make_active();
	freeze();
	memcpy(whole, cold, cold_len);
	rig_up(&r, &o);
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		memcpy(cold, whole, cold_len);
		forge(forged[i].at, forged[i].bytes, forged[i].len);
		assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, cold, cold_len),
				 forged[i].result);
	}
	memcpy(cold, whole, cold_len); /* would never answer a losing advert again */
	forge(AT_REPLIED, late, sizeof(late));
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, cold, cold_len), -ESTALE);
	rig_down(&r);

	rig_up(&r, &o);
	ha_vrrp_start(r.v, T0);
	freeze();
	forge(AT_ANNOUNCE, early, sizeof(early)); /* a Backup with something to announce */
	rig_up(&r, &o);
	assert_int_equal(ha_vrrp_thaw(r.v, T0 + DOWN_100, 0, cold, cold_len), -EINVAL);
}

static void forge_time(size_t at, uint64_t ns)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(ns >> (56 - 8 * i));
	forge(at, bytes, sizeof(bytes));
}

/* Each to the nanosecond: a state that began just now, an answer just given, the longest timer there can be. */
static void what_began_just_now_is_of_this_boot(void **state)
{
	const uint64_t now = T0 + DOWN_100, longest = UINT64_C(4) * HA_VRRP_MAX_INTERVAL_V2_CS * 10 * MS;
	const struct {
		size_t at;
		uint64_t latest;
	} forged[] = {{AT_SINCE, now},
		      {AT_TIMER_NS, now + longest},
		      {AT_REANNOUNCED, now + S},
		      {AT_REPLIED, now + 10 * MS}};
	struct ha_vrrp_opts o = rig_opts();
	uint8_t whole[HA_VRRP_FREEZE_SIZE];

	make_active();
	freeze();
	memcpy(whole, cold, cold_len);
	for (size_t i = 0; i < 2 * sizeof(forged) / sizeof(*forged); i++) {
		uint64_t late = i & 1;

		memcpy(cold, whole, cold_len);
		forge_time(forged[i / 2].at, forged[i / 2].latest + late);
		rig_up(&r, &o);
		assert_int_equal(ha_vrrp_thaw(r.v, now, 0, cold, cold_len), late ? -ESTALE : 0);
		rig_down(&r);
	}
	rig_up(&r, &o);
}

static void R16_routers_of_two_families_with_one_vrid_are_independent(void **state)
{
	const struct ha_ip vip6 = ip("fe80::100");
	struct ha_vrrp_opts four = rig_opts(), six = rig_opts();
	static struct rig r4, r6;
	uint8_t mac4[6], mac6[6];
	uint64_t due;

	six.family = AF_INET6;
	six.addresses = &vip6;
	six.source = ip("fe80::1");
	rig_up(&r4, &four);
	rig_up(&r6, &six);
	ha_vrrp_start(r4.v, T0);
	ha_vrrp_start(r6.v, T0);
	due = ha_vrrp_deadline(r6.v);
	hear(&r4, T0 + S, 200); /* of the one is nothing to the other */
	assert_true(ha_vrrp_deadline(r6.v) == due && ha_vrrp_deadline(r4.v) != due);
	ha_vrrp_mac(AF_INET, 51, mac4);
	ha_vrrp_mac(AF_INET6, 51, mac6);
	assert_memory_not_equal(mac4, mac6, 6);
	rig_down(&r4);
	rig_down(&r6);
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(timers_are_exact),
	    T(down_timer_adverts_counts_intervals),
	    T(what_is_learned_stays_within_bounds),
	    T(wrong_options_are_refused_by_name),
	    T(an_unknown_tail_is_refused),
	    T(the_longest_adverts_fit),
	    T(misuse_is_refused),
	    T(the_mac_is_that_of_the_family),
	    T(every_value_has_a_name),
	    T(inside_a_callback_all_but_time_and_packets_may_be_called),
	    T(a_loop_of_callbacks_ends),
	    T(freeing_inside_a_callback_asserts),
	    T(each_failed_allocation_is_enomem),
	    T(nothing_is_allocated_after_start),
	    T(a_thawed_active_misses_no_beat),
	    T(a_beat_goes_on_without_a_new_freezing),
	    T(a_beat_that_ended_is_late),
	    T(a_revision_tells_what_is_news),
	    T(a_thawed_backup_keeps_what_it_learned),
	    T(new_options_are_in_force_after_a_thaw),
	    T(a_thawed_backup_waits_as_the_new_options_say),
	    T(a_fault_known_before_the_thaw_is_acted_on),
	    T(another_router_is_not_thawed),
	    T(a_damaged_buffer_is_refused_whole),
	    T(a_state_that_no_router_is_in_is_refused),
	    T(what_began_just_now_is_of_this_boot),
	    cmocka_unit_test(R16_routers_of_two_families_with_one_vrid_are_independent),
	};

	return cmocka_run_group_tests_name("vrrp/object", tests, NULL, NULL);
}
