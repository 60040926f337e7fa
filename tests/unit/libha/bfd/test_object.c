/* SPDX-License-Identifier: MIT */
/* The object around the state machine: options, callbacks, memory, freezing. */
#include "rig.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/fail_memory.h"

static struct rig r;

static int down(void **state)
{
	rig_down(&r);
	return 0;
}

/* ---- options ---- */

static void refused(const struct ha_bfd_opts *o, const char *field)
{
	struct ha_bfd *s = NULL;
	const char *why = ha_bfd_check(o);

	assert_non_null(why);
	if (strncmp(why, field, strlen(field)))
		fail_msg("not about %s: %s", field, why);
	assert_int_equal(ha_bfd_new(o, &rig_ops, NULL, &s), -EINVAL);
	assert_null(s);
}

#define REFUSED(field, change)                     \
	do {                                       \
		struct ha_bfd_opts o = rig_opts(); \
		change;                            \
		refused(&o, field);                \
	} while (0)

static void wrong_options_are_refused_by_name(void **state)
{
	const struct ha_ip six = ip("2001:db8::1"), multicast = ip("224.0.0.1"),
			   none = ip("0.0.0.0");

	REFUSED("size", o.size = 3);
	REFUSED("family", o.family = 77);
	REFUSED("discriminator", o.discriminator = 0); /* 6.8.1 */
	REFUSED("passive", o.passive = true);	       /* RFC 5881 section 3 */
	REFUSED("point_to_point", o.point_to_point = o.multihop = true);
	REFUSED("source_port", o.source_port = 49144); /* RFC 5881 section 4 */
	REFUSED("desired_min_tx_us", o.desired_min_tx_us = 999);
	REFUSED("desired_min_tx_us", o.desired_min_tx_us = 60000001);
	REFUSED("required_min_rx_us", o.required_min_rx_us = 1);
	REFUSED("idle_tx_us", o.idle_tx_us = 999999); /* 6.8.3 */
	REFUSED("idle_tx_us", o.idle_tx_us = 60000001);
	REFUSED("peer", o.peer = six);
	REFUSED("peer", o.peer = multicast);
	REFUSED("peer", o.peer = none);
	REFUSED("local", o.local = six);
	REFUSED("local", o.local = multicast);
	REFUSED("local", o.local = o.peer);
}

static void an_unknown_tail_is_refused(void **state)
{
	struct {
		struct ha_bfd_opts o;
		long unknown;
	} newer = {rig_opts(), 0};
	struct ha_bfd *s;

	newer.o.size = sizeof(newer);
	assert_int_equal(ha_bfd_new(&newer.o, &rig_ops, NULL, &s), 0);
	ha_bfd_free(s);
	newer.unknown = 1;
	assert_int_equal(ha_bfd_new(&newer.o, &rig_ops, NULL, &s), -E2BIG);
}

static void zero_is_the_default(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_up(&r, &o);
	assert_int_equal(ha_bfd_opts(r.s)->detect_mult, 3);
	assert_int_equal(ha_bfd_opts(r.s)->min_ttl, 255);
	assert_int_equal(ha_bfd_opts(r.s)->desired_min_tx_us, 100000);
	assert_int_equal(ha_bfd_opts(r.s)->required_min_rx_us, 100000);
	assert_int_equal(ha_bfd_opts(r.s)->idle_tx_us, 1000000);
	assert_ptr_equal(ha_bfd_userdata(r.s), &r);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_ADMIN_DOWN);
	assert_true(ha_bfd_deadline(r.s) == HA_BFD_NEVER);
}

static void misuse_is_refused(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd_ops ops = rig_ops;
	struct peer p = peer_make(HA_BFD_DOWN, 0, 0);
	uint8_t buf[HA_BFD_FREEZE_SIZE];

	ops.send = NULL;
	assert_int_equal(ha_bfd_new(&o, &ops, NULL, &r.s), -EINVAL);
	assert_int_equal(ha_bfd_new(&o, &rig_ops, NULL, NULL), -EINVAL);
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_receive(r.s, T0, NULL, p.pkt, p.len), -EINVAL);
	assert_int_equal(ha_bfd_receive(r.s, T0, &p.meta, NULL, 4), -EINVAL);
	assert_int_equal(ha_bfd_freeze(r.s, buf, sizeof(buf)), -EINVAL); /* not started */
	assert_int_equal(ha_bfd_start(NULL, T0), -EINVAL);
	assert_int_equal(ha_bfd_stop(NULL, T0), -EINVAL);
	assert_int_equal(ha_bfd_tick(NULL, T0), -EINVAL);
	assert_int_equal(ha_bfd_reset(NULL, T0), -EINVAL);
	assert_int_equal(ha_bfd_set_admin_down(NULL, T0, true, 0), -EINVAL);
	assert_int_equal(ha_bfd_set_timers(NULL, T0, NULL), -EINVAL);
	assert_int_equal(ha_bfd_status(NULL, NULL), -EINVAL);
	assert_int_equal(ha_bfd_stats(r.s, NULL), -EINVAL);
	assert_true(ha_bfd_deadline(NULL) == HA_BFD_NEVER);
	assert_true(HA_BFD_N_DROPS <= HA_BFD_STATS_SLOTS && HA_BFD_N_REMARKS <= HA_BFD_STATS_SLOTS);
	ha_bfd_free(NULL);
}

static void a_failed_send_is_told_and_the_next_one_leaves_when_due(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	r.send_result = -ENETDOWN;
	rig_run(&r, T0 + 100 * MS);
	assert_said(&r, "tx:up remark(sending failed)");
	assert_int_equal(rig_stats(&r).send_errors, 1);
	assert_in_range(ha_bfd_deadline(r.s), T0 + 100 * MS, T0 + 200 * MS);
}

static void time_does_not_run_backwards(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	hear(&r, T0 + 50 * MS, HA_BFD_UP, 0);
	hear(&r, T0, HA_BFD_UP, 0);
	assert_true(rig_status(&r).detect_at_ns == T0 + 350 * MS);
}

/* ---- callbacks ---- */

static void inside(struct rig *rig, const char *what)
{
	struct peer p = peer_make(HA_BFD_UP, 0, OURS);

	if (strcmp(what, "=up"))
		return;
	assert_int_equal(ha_bfd_state(rig->s), HA_BFD_UP);
	assert_int_equal(ha_bfd_tick(rig->s, T0), -EBUSY);
	assert_int_equal(peer_send(rig, T0, &p), -EBUSY);
	assert_int_equal(ha_bfd_set_admin_down(rig->s, 0, true, 0), 0);
	assert_int_equal(ha_bfd_stop(rig->s, 0), 0);
	assert_int_equal(ha_bfd_set_admin_down(rig->s, 0, false, 0), 0);
	assert_int_equal(ha_bfd_start(rig->s, 0), 0);
}

static void inside_a_callback_all_but_time_and_packets_may_be_called(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer p = peer_make(HA_BFD_INIT, 0, OURS);

	rig_up(&r, &o);
	ha_bfd_start(r.s, T0);
	r.log[0] = 0;
	r.in_callback = inside;
	assert_int_equal(peer_send(&r, T0, &p), 0);
	/* Packets say what is true when they leave, not when they were queued. */
	assert_said(&r, "tx:up+P =up remark(timers changed) tx:down =admin tx:down =admin tx:down "
			"=down");
	assert_int_equal(ha_bfd_tick(r.s, T0), 0);
}

static int refusals;

static void for_ever(struct rig *rig, const char *what)
{
	if (!rig_status(rig).running)
		refusals += ha_bfd_start(rig->s, 0) == -EBUSY;
	else
		refusals += ha_bfd_stop(rig->s, 0) == -EBUSY;
}

static void a_loop_of_callbacks_ends(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_up(&r, &o);
	refusals = 0;
	r.in_callback = for_ever;
	assert_int_equal(ha_bfd_start(r.s, T0), 0);
	assert_true(refusals > 0);
	r.in_callback = NULL;
	assert_int_equal(ha_bfd_tick(r.s, T0), 0);
}

static void free_inside(struct rig *rig, const char *what)
{
	ha_bfd_free(rig->s);
}

static void freeing_inside_a_callback_asserts(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		signal(SIGABRT, SIG_DFL);
		fclose(stderr); /* the message is expected */
		rig_up(&r, &o);
		r.in_callback = free_inside;
		ha_bfd_start(r.s, T0);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* ---- memory ---- */

static void a_failed_allocation_is_enomem(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd *s = NULL;

	fail_in = 0;
	assert_int_equal(ha_bfd_new(&o, &rig_ops, NULL, &s), -ENOMEM);
	assert_null(s);
	fail_in = -1;
}

static void nothing_is_allocated_after_start(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct peer good = peer_make(HA_BFD_UP, P, OURS), bad = good;
	uint8_t buf[HA_BFD_FREEZE_SIZE];
	size_t before;

	bad.pkt[0] = 0;
	rig_established(&r, &o);
	before = allocations;
	for (unsigned i = 1; i < 1000; i++) {
		rig_run(&r, T0 + i * 100 * MS);
		peer_send(&r, T0 + i * 100 * MS, &good);
		peer_send(&r, T0 + i * 100 * MS, &bad);
		r.log[0] = 0;
	}
	assert_true(ha_bfd_freeze(r.s, buf, sizeof(buf)) > 0);
	ha_bfd_stop(r.s, T0 + 100 * S);
	assert_int_equal(allocations, before);
}

/* ---- freezing ---- */

static uint8_t cold[HA_BFD_FREEZE_SIZE];
static size_t cold_len;

static void freeze(void)
{
	ssize_t n = ha_bfd_freeze(r.s, cold, sizeof(cold));

	assert_true(n > 0);
	cold_len = (size_t)n;
	rig_down(&r);
}

static void a_thawed_session_misses_no_beat(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	struct ha_bfd_status before, after;
	uint64_t due, next;

	rig_established(&r, &o);
	rig_run(&r, T0 + 90 * MS);
	hear(&r, T0 + 95 * MS, HA_BFD_UP, 0);
	rig_look(&r, &before);
	due = ha_bfd_deadline(r.s);
	assert_int_equal(ha_bfd_freeze(r.s, cold, sizeof(cold)), 144);
	cold_len = 144;
	ha_bfd_tick(r.s, due); /* the jitter that the old one would have drawn next */
	next = ha_bfd_deadline(r.s);
	rig_down(&r);

	rig_up(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, T0 + 96 * MS, cold, cold_len), 0);
	assert_said(&r, "");
	rig_look(&r, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(ha_bfd_deadline(r.s) == due);
	assert_int_equal(ha_bfd_tick(r.s, due), 0);
	assert_said(&r, "tx:up");
	assert_int_equal(be32_at(r.sent + 8), THEIRS);
	assert_true(ha_bfd_deadline(r.s) == next);
	assert_int_equal(ha_bfd_start(r.s, T0 + S), -EALREADY);
	assert_int_equal(ha_bfd_thaw(r.s, T0 + S, cold, cold_len), -EALREADY);
	rig_run(&r, T0 + 395 * MS); /* and detection goes on from what was heard before */
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_DOWN);
}

static void new_timers_are_polled_after_a_thaw(void **state)
{
	struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	freeze();
	o.desired_min_tx_us = 400000;
	o.required_min_rx_us = 50000;
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, T0 + MS, cold, cold_len), 0);
	assert_true(rig_status(&r).polling);
	assert_true(rig_status(&r).tx_interval_ns == 100 * MS);
	assert_true(rig_status(&r).detect_ns == 300 * MS);
	rig_run(&r, T0 + 100 * MS);
	assert_said(&r, "tx:up+P");
	assert_int_equal(be32_at(r.sent + 12), 400000);
}

static void a_poll_and_an_owed_answer_survive(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	const struct ha_bfd_timers t = {.size = sizeof(t), .desired_min_tx_us = 200000};

	rig_established(&r, &o);
	ha_bfd_set_timers(r.s, T0, &t);
	rig_run(&r, T0 + 100 * MS);
	for (unsigned i = 0; i < 10; i++)
		hear(&r, T0 + 101 * MS, HA_BFD_UP, P);
	freeze();
	rig_up(&r, &o);
	ha_bfd_set_timers(r.s, T0, &t);
	assert_int_equal(ha_bfd_thaw(r.s, T0 + 102 * MS, cold, cold_len), 0);
	assert_true(rig_status(&r).polling);
	rig_run(&r, T0 + 111 * MS);
	assert_said(&r, "tx:up+F");
	hear(&r, T0 + 112 * MS, HA_BFD_UP, F);
	assert_true(rig_status(&r).tx_interval_ns == 200 * MS);
}

static void admin_down_survives(void **state)
{
	const struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	ha_bfd_set_admin_down(r.s, T0, true, HA_BFD_DIAG_PATH_DOWN);
	freeze();
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, T0 + MS, cold, cold_len), 0);
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_ADMIN_DOWN);
	assert_int_equal(ha_bfd_set_admin_down(r.s, T0 + MS, false, 0), 0);
	assert_said(&r, "tx:down+P =down");
}

static void another_session_is_not_thawed(void **state)
{
	struct ha_bfd_opts o = rig_opts();

	rig_established(&r, &o);
	freeze();
	o.discriminator++;
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, T0, cold, cold_len), -ESTALE);
	rig_down(&r);
	o = rig_opts();
	o.peer = ip("10.9.0.3");
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, T0, cold, cold_len), -ESTALE);
	rig_down(&r);
	o = rig_opts();
	rig_up(&r, &o);
	assert_int_equal(ha_bfd_thaw(r.s, S, cold, cold_len), -ESTALE); /* rebooted since */
	assert_int_equal(ha_bfd_state(r.s), HA_BFD_ADMIN_DOWN);
}

static void a_damaged_buffer_is_refused_whole(void **state)
{
	const struct ha_bfd_opts o = rig_opts();
	uint8_t copy[HA_BFD_FREEZE_SIZE];

	rig_established(&r, &o);
	assert_int_equal(ha_bfd_freeze(r.s, copy, 10), -ENOSPC);
	freeze();
	rig_up(&r, &o);
	for (size_t i = 0; i < cold_len; i++) {
		memcpy(copy, cold, cold_len);
		copy[i] ^= 0x10;
		assert_int_equal(ha_bfd_thaw(r.s, T0, copy, cold_len), -EINVAL);
		assert_int_equal(ha_bfd_thaw(r.s, T0, cold, i), -EINVAL);
	}
	assert_int_equal(ha_bfd_thaw(r.s, T0, NULL, 0), -EINVAL);
	assert_int_equal(ha_bfd_thaw(r.s, T0, cold, cold_len), 0);
}

/* Writes into a frozen session and makes its checksum right again. */
static void forge(size_t at, const void *bytes, size_t len)
{
	uint32_t sum = 0;

	memcpy(cold + at, bytes, len);
	for (size_t i = 0; i < cold_len - 2; i++)
		sum += i % 2 ? cold[i] : (uint32_t)cold[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	sum = ~sum;
	cold[cold_len - 2] = (uint8_t)(sum >> 8);
	cold[cold_len - 1] = (uint8_t)sum;
}

/* Where ha_bfd_freeze puts what is forged here. */
enum {
	AT_STATE = 26,
	AT_DIAG = 27,
	AT_FLAGS = 29,
	AT_REMOTE = 30,
	AT_REMOTE_STATE = 34,
	AT_MULT = 36,
	AT_DESIRED = 45,
	AT_SENT = 69,
	AT_INTERVAL = 77,
	AT_TX = 85,
	AT_REPLY = 101,
	AT_HEARD = 133,
};

static void a_state_that_no_session_is_in_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t bytes[8];
		size_t len;
		int result;
	} forged[] = {
	    {AT_STATE, {4}, 1, -EINVAL},
	    {AT_STATE, {HA_BFD_DOWN}, 1, -EINVAL}, /* at the beat of Up */
	    {AT_STATE, {HA_BFD_ADMIN_DOWN}, 1, -EINVAL},
	    {AT_FLAGS, {1}, 1, -EINVAL}, /* AdminDown, but Up */
	    {AT_DIAG, {9}, 1, -EINVAL},
	    {AT_REMOTE, {0, 0, 0, 0}, 4, -EINVAL}, /* nobody whose silence ends it */
	    {AT_REMOTE_STATE, {4}, 1, -EINVAL},
	    {AT_MULT, {0}, 1, -EINVAL},
	    {AT_DESIRED, {0, 0, 0, 1}, 4, -EINVAL},
	    {AT_INTERVAL, {0}, 8, -EINVAL}, /* no beat, but a next one */
	    {AT_TX, {1}, 8, -ESTALE},
	    {AT_SENT, {1}, 8, -ESTALE},
	    {AT_HEARD, {1}, 8, -ESTALE}, /* would be alive for years */
	    {AT_REPLY, {1}, 8, -ESTALE}, /* would never answer */
	};
	const struct ha_bfd_opts o = rig_opts();
	uint8_t whole[HA_BFD_FREEZE_SIZE];

	rig_established(&r, &o);
	freeze();
	memcpy(whole, cold, cold_len);
	rig_up(&r, &o);
	for (size_t i = 0; i < sizeof(forged) / sizeof(*forged); i++) {
		memcpy(cold, whole, cold_len);
		forge(forged[i].at, forged[i].bytes, forged[i].len);
		assert_int_equal(ha_bfd_thaw(r.s, T0, cold, cold_len), forged[i].result);
	}
}

#define T(f) cmocka_unit_test_teardown(f, down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(wrong_options_are_refused_by_name),
	    T(an_unknown_tail_is_refused),
	    T(zero_is_the_default),
	    T(misuse_is_refused),
	    T(a_failed_send_is_told_and_the_next_one_leaves_when_due),
	    T(time_does_not_run_backwards),
	    T(inside_a_callback_all_but_time_and_packets_may_be_called),
	    T(a_loop_of_callbacks_ends),
	    T(freeing_inside_a_callback_asserts),
	    T(a_failed_allocation_is_enomem),
	    T(nothing_is_allocated_after_start),
	    T(a_thawed_session_misses_no_beat),
	    T(new_timers_are_polled_after_a_thaw),
	    T(a_poll_and_an_owed_answer_survive),
	    T(admin_down_survives),
	    T(another_session_is_not_thawed),
	    T(a_damaged_buffer_is_refused_whole),
	    T(a_state_that_no_session_is_in_is_refused),
	};

	return cmocka_run_group_tests_name("bfd/object", tests, NULL, NULL);
}
