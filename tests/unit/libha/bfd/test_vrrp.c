/* SPDX-License-Identifier: MIT */
/*
 * BFD as VRRP's fast detector (RFC 5882 section 4): two routers at 1 s and a session of 50 ms times
 * 3 between them, on a virtual clock. The Backup takes over after the Detection Time and Skew_Time.
 */
#include "rig.h"

#include <libha/vrrp.h>

#define SKEW (609375 * US) /* of priority 100 at 1 s */
#define DETECT (150 * MS)
#define DELAY MS

struct node {
	struct node *far;
	struct ha_ip address;
	struct ha_vrrp *v;
	struct ha_bfd *s;
	uint64_t heard_ns; /* the last packet of the session */
	bool alive, ignores_bfd;
};

static struct node node[2];
static uint64_t now_ns;

/* What is on its way: the link is one queue, in order. */
static struct flying {
	uint64_t due_ns;
	struct node *to;
	bool is_bfd;
	uint8_t bytes[64];
	size_t len;
} flying[64];
static size_t n_flying;

static void fly(struct node *from, bool is_bfd, const void *bytes, size_t len)
{
	struct flying *f = &flying[n_flying++];

	assert_true(n_flying <= sizeof(flying) / sizeof(*flying) && len <= sizeof(f->bytes));
	*f = (struct flying){
	    .due_ns = now_ns + DELAY, .to = from->far, .is_bfd = is_bfd, .len = len};
	memcpy(f->bytes, bytes, len);
}

static int on_advert(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		     void *userdata)
{
	fly(userdata, false, advert, len);
	return 0;
}

static int on_packet(struct ha_bfd *s, const void *pkt, size_t len, void *userdata)
{
	fly(userdata, true, pkt, len);
	return 0;
}

/* The example of <libha/bfd.h>. */
static void on_session(struct ha_bfd *s, const struct ha_bfd_change *c, void *userdata)
{
	struct node *n = userdata;

	if (n->ignores_bfd)
		return;
	if (c->from == HA_BFD_UP && c->to == HA_BFD_DOWN && c->reason != HA_BFD_NEIGHBOR_ADMIN_DOWN)
		assert_int_equal(ha_vrrp_peer_down(n->v, now_ns, &ha_bfd_opts(s)->peer), 0);
}

static void boot(struct node *n, uint8_t priority)
{
	static const struct ha_vrrp_ops vrrp_ops = {.size = sizeof(vrrp_ops), .send = on_advert};
	static const struct ha_bfd_ops bfd_ops = {
	    .size = sizeof(bfd_ops), .send = on_packet, .changed = on_session};
	const struct ha_ip vip = ip("10.9.0.100");
	const struct ha_vrrp_opts vo = {.size = sizeof(vo),
					.vrid = 51,
					.family = AF_INET,
					.priority = priority,
					.source = n->address,
					.addresses = &vip,
					.n_addresses = 1};
	const struct ha_bfd_opts bo = {.size = sizeof(bo),
				       .family = AF_INET,
				       .discriminator = priority,
				       .desired_min_tx_us = 50000,
				       .required_min_rx_us = 50000,
				       .peer = n->far->address,
				       .local = n->address,
				       .seed = priority};

	assert_int_equal(ha_vrrp_new(&vo, &vrrp_ops, n, &n->v), 0);
	assert_int_equal(ha_bfd_new(&bo, &bfd_ops, n, &n->s), 0);
	n->alive = true;
	assert_int_equal(ha_vrrp_start(n->v, now_ns), 0);
	assert_int_equal(ha_bfd_start(n->s, now_ns), 0);
}

static void deliver(const struct flying *f)
{
	struct ha_bfd_meta bm = {.size = sizeof(bm), .source = f->to->far->address, .ttl = 255};
	struct ha_vrrp_meta vm = {.size = sizeof(vm), .source = f->to->far->address, .ttl = 255};

	if (!f->to->alive)
		return;
	vm.destination = ip("224.0.0.18");
	if (f->is_bfd) {
		f->to->heard_ns = now_ns;
		assert_true(ha_bfd_receive(f->to->s, now_ns, &bm, f->bytes, f->len) >= 0);
	} else {
		assert_int_equal(ha_vrrp_receive(f->to->v, now_ns, &vm, f->bytes, f->len), 0);
	}
}

static uint64_t next_due(void)
{
	uint64_t due = n_flying ? flying[0].due_ns : HA_BFD_NEVER;

	for (unsigned i = 0; i < 2; i++) {
		if (node[i].alive && ha_vrrp_deadline(node[i].v) < due)
			due = ha_vrrp_deadline(node[i].v);
		if (node[i].alive && ha_bfd_deadline(node[i].s) < due)
			due = ha_bfd_deadline(node[i].s);
	}
	return due;
}

static void run_until(uint64_t until_ns)
{
	while (next_due() <= until_ns) {
		if (next_due() > now_ns)
			now_ns = next_due();
		if (n_flying && flying[0].due_ns <= now_ns) {
			struct flying f = flying[0];

			memmove(flying, flying + 1, --n_flying * sizeof(*flying));
			deliver(&f);
			continue;
		}
		for (unsigned i = 0; i < 2; i++)
			if (node[i].alive) {
				ha_vrrp_tick(node[i].v, now_ns);
				ha_bfd_tick(node[i].s, now_ns);
			}
	}
	now_ns = until_ns;
}

/* Node 0 is Active, node 1 its Backup, and the session between them is Up. */
static int up(void **state)
{
	memset(node, 0, sizeof(node));
	n_flying = 0;
	now_ns = T0;
	node[0].far = &node[1];
	node[1].far = &node[0];
	node[0].address = ip("10.9.0.1");
	node[1].address = ip("10.9.0.2");
	boot(&node[0], 200);
	boot(&node[1], 100);
	run_until(T0 + 10 * S + 300 * MS);
	assert_int_equal(ha_vrrp_state(node[0].v), HA_VRRP_ACTIVE);
	assert_int_equal(ha_vrrp_state(node[1].v), HA_VRRP_BACKUP);
	assert_int_equal(ha_bfd_state(node[1].s), HA_BFD_UP);
	return 0;
}

static int down(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		ha_vrrp_free(node[i].v);
		ha_bfd_free(node[i].s);
	}
	return 0;
}

static void a_dead_active_is_replaced_after_detection_and_skew(void **state)
{
	uint64_t takeover_ns;

	node[0].alive = false;
	run_until(now_ns + 2 * DELAY);
	takeover_ns = node[1].heard_ns + DETECT + SKEW;
	run_until(takeover_ns - 1);
	assert_int_equal(ha_vrrp_state(node[1].v), HA_VRRP_BACKUP);
	run_until(takeover_ns);
	assert_int_equal(ha_vrrp_state(node[1].v), HA_VRRP_ACTIVE);
}

static void without_it_active_down_interval_has_to_pass(void **state)
{
	uint64_t killed_ns = now_ns;

	node[0].alive = false;
	node[1].ignores_bfd = true;
	run_until(killed_ns + 2 * S); /* less than three adverts */
	assert_int_equal(ha_bfd_state(node[1].s), HA_BFD_DOWN);
	assert_int_equal(ha_vrrp_state(node[1].v), HA_VRRP_BACKUP);
	run_until(killed_ns + 3 * S + SKEW + DELAY);
	assert_int_equal(ha_vrrp_state(node[1].v), HA_VRRP_ACTIVE);
}

/* RFC 5882 section 3.2: it says nothing about the path. */
static void a_session_that_was_switched_off_takes_nothing_over(void **state)
{
	assert_int_equal(ha_bfd_set_admin_down(node[0].s, now_ns, true, 0), 0);
	run_until(now_ns + 10 * S);
	assert_int_equal(ha_bfd_state(node[1].s), HA_BFD_DOWN);
	assert_int_equal(ha_vrrp_state(node[0].v), HA_VRRP_ACTIVE);
	assert_int_equal(ha_vrrp_state(node[1].v), HA_VRRP_BACKUP);
}

/* BFD alone failed, VRRP's adverts still come: the Active goes on. */
static void adverts_outvote_a_session_that_failed(void **state)
{
	ha_bfd_stop(node[0].s, now_ns);
	n_flying = 0; /* its goodbye is lost */
	run_until(now_ns + 10 * S);
	assert_int_equal(ha_bfd_state(node[1].s), HA_BFD_DOWN);
	assert_int_equal(ha_vrrp_state(node[0].v), HA_VRRP_ACTIVE);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, up, down)
	const struct CMUnitTest tests[] = {
	    T(a_dead_active_is_replaced_after_detection_and_skew),
	    T(without_it_active_down_interval_has_to_pass),
	    T(a_session_that_was_switched_off_takes_nothing_over),
	    T(adverts_outvote_a_session_that_failed),
	};

	return cmocka_run_group_tests_name("bfd/vrrp", tests, NULL, NULL);
}
