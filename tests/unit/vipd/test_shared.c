/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "model.h"
#include "shared.h"

#define SECOND UINT64_C(1000000000)

static const char two[] = "vrrp_instance A { interface eth0\n virtual_router_id 1\n"
			  " virtual_ipaddress { 10.0.0.1 } }\n"
			  "vrrp_instance B { interface eth0\n virtual_router_id 2\n"
			  " virtual_ipaddress { 10.0.0.2 } }\n"
			  "virtual_server 10.0.0.1 80 { protocol TCP\n lb_algo rr\n lb_kind NAT\n"
			  " real_server 10.1.0.1 80 { TCP_CHECK { } } }\n";
/* B has another name and stands first; A is gone; C and another server are new. */
static const char changed[] =
    "vrrp_instance Bee { interface eth0\n virtual_router_id 2\n"
    " virtual_ipaddress { 10.0.0.3 } }\n"
    "vrrp_instance C { interface eth0\n virtual_router_id 3\n"
    " virtual_ipaddress { 10.0.0.4 } }\n"
    "virtual_server 10.0.0.1 80 { protocol TCP\n lb_algo rr\n lb_kind NAT\n"
    " real_server 10.1.0.2 80 { TCP_CHECK { } }\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { } } }\n";

static struct conf *conf_of(const char *text)
{
	char name[] = "/tmp/vipd-test-XXXXXX";
	const struct conf_source source = {.file = name, .config_id = "test"};
	struct diag *d = calloc(1, sizeof(*d));
	int fd = mkstemp(name);
	struct conf *c;

	assert_true(fd >= 0 && d);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(conf_load(&source, d, &c), 0);
	assert_int_equal(d->count[DIAG_WARNING] + d->count[DIAG_ERROR], 0);
	unlink(name);
	diag_fini(d);
	free(d);
	return c;
}

static int sends(struct ha_vrrp *v, const struct ha_ip *to, const void *advert, size_t len,
		 void *userdata)
{
	++*(int *)userdata;
	return 0;
}

static struct ha_vrrp *router_of(const struct conf_instance *i, int *sent)
{
	const struct ha_vrrp_ops ops = {.size = sizeof(ops), .send = sends};
	struct model_vrrp m;
	struct ha_vrrp *v;

	model_vrrp(i, &m);
	ha_ip_parse("10.0.0.9", &m.opts.source);
	assert_int_equal(ha_vrrp_new(&m.opts, &ops, sent, &v), 0);
	return v;
}

static void an_active_router_goes_on_after_a_crash(void **state)
{
	struct conf *c = conf_of(two);
	struct shared *s;
	int sent = 0;
	uint32_t kept = 0;
	struct ha_vrrp *old = router_of(c->instances, &sent), *new = router_of(c->instances, &sent);

	assert_int_equal(shared_new(c, NULL, NULL, &s), 0);
	assert_int_equal(shared_thaw(s, 0, new, 5 * SECOND, false), -ENODATA);
	ha_vrrp_start(old, SECOND);
	ha_vrrp_tick(old, 5 * SECOND);
	assert_int_equal(ha_vrrp_state(old), HA_VRRP_ACTIVE);
	shared_freeze(s, 0, old, &kept);
	sent = 0;
	assert_int_equal(shared_thaw(s, 0, new, 5 * SECOND, false), 0);
	assert_int_equal(ha_vrrp_state(new), HA_VRRP_ACTIVE);
	assert_true(ha_vrrp_deadline(new) == ha_vrrp_deadline(old));
	assert_int_equal(sent, 0);
	ha_vrrp_free(old);
	ha_vrrp_free(new);
	shared_free(s);
	conf_free(c);
}

/* Most of what an Active does is adverts on time: a word for all says that they left. */
static void adverts_on_time_are_not_frozen(void **state)
{
	struct conf *c = conf_of(two);
	struct shared *s;
	int sent = 0;
	uint32_t kept = 0;
	struct ha_vrrp *old = router_of(c->instances, &sent), *new = router_of(c->instances, &sent);
	uint64_t t = 5 * SECOND;
	uint32_t whole;

	assert_int_equal(shared_new(c, NULL, NULL, &s), 0);
	ha_vrrp_start(old, SECOND);
	for (; t < 12 * SECOND; t = ha_vrrp_deadline(old)) { /* the second burst is news */
		ha_vrrp_tick(old, t);
		shared_freeze(s, 0, old, &kept);
	}
	whole = atomic_load(&s->router[0].whole);
	for (int i = 0; i < 10; i++) {
		t = ha_vrrp_deadline(old);
		ha_vrrp_tick(old, t);
		shared_freeze(s, 0, old, &kept);
		shared_alive(s, t);
	}
	assert_int_equal(atomic_load(&s->router[0].whole), whole);
	assert_int_equal(shared_thaw(s, 0, new, t + 1, false), 0);
	assert_true(ha_vrrp_deadline(new) == ha_vrrp_deadline(old));
	kept = 0; /* of another process */
	shared_freeze(s, 0, new, &kept);
	assert_int_not_equal(atomic_load(&s->router[0].whole), whole);
	ha_vrrp_free(old);
	ha_vrrp_free(new);
	shared_free(s);
	conf_free(c);
}

/* Its timer is old: it would take over at once from an Active that lives. */
static void a_backup_goes_on_only_after_a_reload(void **state)
{
	struct conf *c = conf_of(two);
	struct shared *s;
	int sent = 0;
	uint32_t kept = 0;
	struct ha_vrrp *old = router_of(c->instances, &sent), *new = router_of(c->instances, &sent);

	assert_int_equal(shared_new(c, NULL, NULL, &s), 0);
	ha_vrrp_start(old, SECOND);
	shared_freeze(s, 0, old, &kept);
	assert_int_equal(shared_thaw(s, 0, new, 2 * SECOND, false), -ENODATA);
	assert_int_equal(ha_vrrp_state(new), HA_VRRP_INITIALIZE);
	assert_int_equal(shared_thaw(s, 0, new, 2 * SECOND, true), 0);
	assert_int_equal(ha_vrrp_state(new), HA_VRRP_BACKUP);
	ha_vrrp_free(old);
	ha_vrrp_free(new);
	shared_free(s);
	conf_free(c);
}

static void a_reload_finds_its_objects_by_what_they_are(void **state)
{
	struct conf *before = conf_of(two), *after = conf_of(changed);
	struct conf_pairs pairs;
	struct shared *old, *new;

	assert_int_equal(shared_new(before, NULL, NULL, &old), 0);
	atomic_store(&old->router[1].whole, 2);
	atomic_store(&old->check[0].alive, SHARED_ALIVE_DOWN);
	shared_note_next(old, after);
	assert_int_equal(conf_pairs(before, after, &pairs), 0);
	assert_int_equal(shared_new(after, old, &pairs, &new), 0);
	assert_int_equal(old->router[0].goes_on, 0);
	assert_int_equal(old->router[1].goes_on, 1);
	assert_int_equal(atomic_load(&new->router[0].whole), 2);
	assert_int_equal(atomic_load(&new->router[1].whole), 0);
	assert_int_equal(atomic_load(&new->check[0].alive), SHARED_ALIVE_UNKNOWN);
	assert_int_equal(atomic_load(&new->check[1].alive), SHARED_ALIVE_DOWN);
	conf_pairs_fini(&pairs);
	shared_free(old);
	shared_free(new);
	conf_free(before);
	conf_free(after);
}

#define SHARED_A                                                                             \
	"vrrp_instance A { interface eth0\n virtual_router_id 1\n unicast_src_ip 10.9.0.1\n" \
	" unicast_peer { 10.9.0.2 }\n virtual_ipaddress { 10.0.0.1 } }\n"
#define SHARED_B                                                                             \
	"vrrp_instance B { interface eth0\n virtual_router_id 1\n unicast_src_ip 10.9.0.1\n" \
	" unicast_peer { 10.9.0.3 }\n virtual_ipaddress { 10.0.0.2 } }\n"

/* Of two with the same interface and id the one that stays goes on as itself, wherever it stands. */
static void routers_with_one_id_are_told_apart_by_name(void **state)
{
	static const char *const text[] = {SHARED_A SHARED_B, SHARED_B, SHARED_B SHARED_A,
					   SHARED_A};
	static const unsigned whole[][2] = {{1, 2}, {2, 0}, {2, 0}, {0, 0}};
	struct shared *s = NULL;
	struct conf *c = NULL;

	for (size_t i = 0; i < 4; i++) {
		struct conf *after = conf_of(text[i]);
		struct conf_pairs pairs = {0};
		struct shared *next;

		if (c) {
			assert_int_equal(conf_pairs(c, after, &pairs), 0);
			shared_note_next(s, after);
		}
		assert_int_equal(shared_new(after, s, c ? &pairs : NULL, &next), 0);
		if (!c) {
			atomic_store(&next->router[0].whole, 1);
			atomic_store(&next->router[1].whole, 2);
		}
		for (size_t r = 0; r < after->n_instances; r++)
			assert_int_equal(atomic_load(&next->router[r].whole), whole[i][r]);
		if (i == 1) {
			assert_int_equal(s->router[0].goes_on, 0);
			assert_int_equal(s->router[1].goes_on, 1);
			assert_false(conf_same_instance(c->instances, after->instances));
			assert_true(conf_same_instance(c->instances->next, after->instances));
		}
		if (c) {
			conf_pairs_fini(&pairs);
			shared_free(s);
			conf_free(c);
		}
		s = next;
		c = after;
	}
	shared_free(s);
	conf_free(c);
}

static const char services[] =
    "virtual_server 10.0.0.1 80 { protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 7\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { }\n HTTP_GET { url { path / } } }\n"
    " real_server 10.1.0.2 80 { TCP_CHECK { } } }\n"
    "virtual_server 10.0.0.2 80 { protocol UDP\n lb_algo rr\n lb_kind NAT\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { } } }\n";
/* Another order; another protocol; another path; weights are no matter of checks. */
static const char other_services[] =
    "virtual_server 10.0.0.2 80 { protocol TCP\n lb_algo rr\n lb_kind NAT\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { } } }\n"
    "virtual_server 10.0.0.1 80 { protocol TCP\n lb_algo wrr\n lb_kind NAT\n delay_loop 7\n"
    " real_server 10.1.0.2 80 { weight 9\n TCP_CHECK { } }\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { }\n HTTP_GET { url { path /else } } } }\n";

static void checks_are_paired_wherever_they_stand(void **state)
{
	struct conf *before = conf_of(services), *after = conf_of(other_services);
	struct conf_pairs pairs;

	assert_int_equal(conf_pairs(before, after, &pairs), 0);
	assert_int_equal(pairs.virtual[0], CONF_NO_PAIR);
	assert_int_equal(pairs.virtual[1], 0);
	assert_int_equal(pairs.check[0], CONF_NO_PAIR);
	assert_int_equal(pairs.check[1], 2);
	assert_int_equal(pairs.check[2], 0);
	assert_int_equal(pairs.check[3], 1);
	assert_false(pairs.unchanged[0]);
	assert_true(pairs.unchanged[1]);
	assert_true(pairs.unchanged[2]);
	assert_false(pairs.unchanged[3]);
	conf_pairs_fini(&pairs);
	assert_int_equal(conf_pairs(NULL, after, &pairs), 0);
	assert_int_equal(pairs.check[1], CONF_NO_PAIR);
	conf_pairs_fini(&pairs);
	conf_free(before);
	conf_free(after);
}

static struct health_check *check_of(struct health_engine *e)
{
	const struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	const struct health_check_opts o = {
	    .size = sizeof(o), .destination = (const void *)&to, .destination_len = sizeof(to)};
	struct health_check *c;

	assert_int_equal(health_check_add(e, &o, NULL, &c), 0);
	return c;
}

static void a_check_that_did_not_change_is_due_when_it_was(void **state)
{
	struct conf *before = conf_of(services), *after = conf_of(other_services);
	struct health_check_status was = {.size = sizeof(was)}, is = {.size = sizeof(is)};
	struct conf_pairs pairs;
	struct health_engine *e;
	struct shared *old, *new;
	struct health_check *c;

	assert_int_equal(health_engine_new(NULL, &e), 0);
	c = check_of(e);
	health_engine_dispatch(e, SECOND);
	health_check_status(c, &was);
	assert_int_equal(shared_new(before, NULL, NULL, &old), 0);
	assert_false(shared_has_frozen(old, 0));
	for (size_t i = 0; i < old->n_checks; i++)
		shared_freeze_check(old, i, c, SECOND);
	assert_int_equal(conf_pairs(before, after, &pairs), 0);
	assert_int_equal(shared_new(after, old, &pairs, &new), 0);
	shared_free(old);
	assert_false(shared_has_frozen(new, 0));
	assert_true(shared_has_frozen(new, 2));
	assert_false(shared_has_frozen(new, 3));
	c = check_of(e);
	assert_int_equal(shared_thaw_check(new, 3, c), -ENODATA);
	assert_int_equal(shared_thaw_check(new, 2, c), 0);
	health_check_status(c, &is);
	assert_true(is.next_ns == was.next_ns);
	new->frozen[2].len = UINT32_MAX;
	assert_int_equal(shared_thaw_check(new, 2, c), -ENODATA);
	shared_forget_checks(new);
	assert_false(shared_has_frozen(new, 2));
	shared_free(new);
	health_engine_free(e);
	conf_pairs_fini(&pairs);
	conf_free(before);
	conf_free(after);
}

/* As `services`, but for the path that one check asks for. */
static const char services_in_place[] =
    "virtual_server 10.0.0.1 80 { protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 7\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { }\n HTTP_GET { url { path /else } } }\n"
    " real_server 10.1.0.2 80 { weight 3\n TCP_CHECK { } } }\n"
    "virtual_server 10.0.0.2 80 { protocol UDP\n lb_algo rr\n lb_kind NAT\n"
    " real_server 10.1.0.1 80 { TCP_CHECK { } } }\n";

static void what_is_in_place_does_not_move(void **state)
{
	struct conf *before = conf_of(services), *after = conf_of(services_in_place),
		    *moved = conf_of(other_services);
	struct conf_pairs pairs;
	struct health_engine *e;
	struct shared *old, *new;
	struct health_check *c;
	const void *memory;

	(void)state;
	assert_int_equal(health_engine_new(NULL, &e), 0);
	c = check_of(e);
	assert_int_equal(shared_new(before, NULL, NULL, &old), 0);
	for (size_t i = 0; i < old->n_checks; i++)
		shared_freeze_check(old, i, c, SECOND);
	atomic_store(&old->virtual[1].quorum, SHARED_ALIVE_DOWN);
	memory = old->check;
	assert_int_equal(conf_pairs(before, moved, &pairs), 0);
	assert_false(pairs.in_place);
	conf_pairs_fini(&pairs);
	assert_int_equal(conf_pairs(NULL, after, &pairs), 0);
	assert_false(pairs.in_place);
	conf_pairs_fini(&pairs);
	assert_int_equal(conf_pairs(before, after, &pairs), 0);
	assert_true(pairs.in_place);
	assert_int_equal(shared_new(after, old, &pairs, &new), 0);
	shared_keep_health(new, old, &pairs);
	shared_free(old);
	assert_ptr_equal(new->check, memory);
	assert_int_equal(atomic_load(&new->virtual[1].quorum), SHARED_ALIVE_DOWN);
	assert_true(shared_has_frozen(new, 0));
	assert_false(shared_has_frozen(new, 1)); /* it asks for something else */
	assert_true(shared_has_frozen(new, 3));
	shared_free(new);
	health_engine_free(e);
	conf_pairs_fini(&pairs);
	conf_free(before);
	conf_free(after);
	conf_free(moved);
}

static void rubbish_in_the_memory_is_refused(void **state)
{
	struct conf *c = conf_of(two);
	struct shared *s;
	int sent = 0;
	struct ha_vrrp *v = router_of(c->instances, &sent);

	assert_int_equal(shared_new(c, NULL, NULL, &s), 0);
	memset(s->router[0].copy, 0xff, sizeof(s->router[0].copy));
	atomic_store(&s->router[0].whole, 1);
	assert_true(shared_thaw(s, 0, v, SECOND, true) < 0);
	s->router[0].copy[0].len = HA_VRRP_FREEZE_SIZE;
	assert_true(shared_thaw(s, 0, v, SECOND, true) < 0);
	atomic_store(&s->router[0].whole, 77);
	assert_true(shared_thaw(s, 0, v, SECOND, true) < 0);
	assert_int_equal(ha_vrrp_state(v), HA_VRRP_INITIALIZE);
	ha_vrrp_free(v);
	shared_free(s);
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_active_router_goes_on_after_a_crash),
	    cmocka_unit_test(adverts_on_time_are_not_frozen),
	    cmocka_unit_test(a_backup_goes_on_only_after_a_reload),
	    cmocka_unit_test(a_reload_finds_its_objects_by_what_they_are),
	    cmocka_unit_test(routers_with_one_id_are_told_apart_by_name),
	    cmocka_unit_test(checks_are_paired_wherever_they_stand),
	    cmocka_unit_test(a_check_that_did_not_change_is_due_when_it_was),
	    cmocka_unit_test(what_is_in_place_does_not_move),
	    cmocka_unit_test(rubbish_in_the_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
