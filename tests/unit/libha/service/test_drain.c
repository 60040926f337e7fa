/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "service/model.h"
#include "words.h"

#define DEADLINE 1000
#define WEB "tcp 192.0.2.1 80 wrr\n 10.0.0.1 80 NAT 1\n 10.0.0.2 80 NAT 1\n"
#define DNS "udp 192.0.2.1 53 wrr\n 10.0.0.1 53 NAT 1\n"

struct place {
	struct ha_service_table *want, *have;
	struct ha_dest *d, *twin; /* the first destination of the first service, in both */
	unsigned int n_draining, n_drained;
	uint32_t left;
};

static void begin(struct place *p, const char *lines)
{
	*p = (struct place){0};
	assert_int_equal(ha_service_table_new(&p->want), 0);
	assert_int_equal(ha_service_table_new(&p->have), 0);
	assert_int_equal(table_fill(p->want, lines), 0);
	assert_int_equal(table_fill(p->have, lines), 0);
	p->d = ha_dest_next(ha_service_next(p->want, NULL), NULL);
	p->twin = ha_dest_next(ha_service_next(p->have, NULL), NULL);
}

static void end(struct place *p)
{
	ha_service_table_free(p->want);
	ha_service_table_free(p->have);
}

static void draining(void *userdata, const struct ha_dest *d, uint32_t left)
{
	struct place *p = userdata;

	assert_true(ha_dest_is_draining(d));
	p->n_draining++;
	p->left = left;
}

static void drained(void *userdata, const struct ha_dest *d, uint32_t left)
{
	struct place *p = userdata;

	assert_true(ha_dest_is_draining(d));
	p->n_drained++;
	p->left = left;
}

static const struct ha_service_drain_ops ops = {
    .size = sizeof(ops), .draining = draining, .drained = drained};

static size_t step(struct place *p, uint64_t now_ns)
{
	size_t left = 77;

	assert_int_equal(ha_service_drain(p->want, p->have, now_ns, &ops, p, &left), 0);
	return left;
}

static void it_stays_until_the_last_connection_is_gone(void **state)
{
	struct place p;

	begin(&p, WEB);
	assert_int_equal(ha_service_drain_deadline(p.want), UINT64_MAX);
	assert_int_equal(step(&p, 0), 0); /* nothing drains */
	assert_int_equal(ha_dest_drain(p.d, DEADLINE), 0);
	assert_int_equal(ha_service_drain_deadline(p.want), DEADLINE);
	assert_int_equal(p.d->o.weight, 0);
	/* In the kernel its weight is still 1: it may get one any moment. */
	assert_int_equal(step(&p, 1), 1);
	p.twin->o.weight = 0;
	p.twin->stats.active_conns = 3;
	p.twin->stats.inactive_conns = 9; /* closing */
	assert_int_equal(step(&p, 2), 1);
	assert_int_equal(p.left, 3);
	p.twin->stats.active_conns = 0;
	assert_int_equal(step(&p, 3), 0);
	assert_int_equal(p.n_draining, 2);
	assert_int_equal(p.n_drained, 1);
	assert_int_equal(p.left, 0);
	assert_int_equal(ha_dest_count(ha_service_next(p.want, NULL)), 1);
	end(&p);
}

static void it_goes_at_the_deadline_and_what_was_left_is_told(void **state)
{
	struct place p;

	begin(&p, WEB);
	ha_dest_drain(p.d, DEADLINE);
	p.twin->stats.active_conns = 5;
	assert_int_equal(step(&p, DEADLINE - 1), 1);
	assert_int_equal(step(&p, DEADLINE), 0);
	assert_int_equal(p.n_drained, 1);
	assert_int_equal(p.left, 5);
	end(&p);
}

static void what_the_kernel_lost_is_drained(void **state)
{
	struct place p;

	begin(&p, WEB);
	ha_dest_drain(p.d, UINT64_MAX);
	ha_service_remove(ha_service_next(p.have, NULL)); /* ipvsadm -C */
	assert_int_equal(step(&p, 1), 0);
	assert_int_equal(p.n_drained, 1);
	end(&p);
}

static void udp_has_inactive_connections_only(void **state)
{
	struct place p;
	uint32_t n = 77;

	begin(&p, DNS);
	ha_dest_drain(p.d, DEADLINE);
	p.twin->o.weight = 0;
	p.twin->stats.inactive_conns = 4;
	assert_int_equal(step(&p, 1), 1);
	assert_int_equal(p.left, 4);
	assert_int_equal(ha_dest_connections(p.twin, &n), 0);
	assert_int_equal(n, 4);
	end(&p);
}

static void setting_it_again_takes_it_back(void **state)
{
	struct ha_dest_opts o = dest_of("10.0.0.1 80 NAT 1");
	struct ha_service_table *copy;
	struct place p;

	begin(&p, WEB);
	ha_dest_drain(p.d, DEADLINE);
	assert_int_equal(ha_service_table_copy(p.want, &copy), 0);
	assert_int_equal(ha_service_drain_deadline(copy), DEADLINE);
	ha_service_table_free(copy);
	assert_int_equal(ha_dest_set(p.d->service, &o, NULL), 0);
	assert_false(ha_dest_is_draining(p.d));
	assert_int_equal(p.d->o.weight, 1);
	assert_int_equal(step(&p, DEADLINE), 0);
	assert_int_equal(p.n_drained, 0);
	end(&p);
}

static void misuse_is_refused(void **state)
{
	struct place p;
	uint32_t n;

	begin(&p, WEB);
	assert_int_equal(ha_dest_drain(NULL, 0), -EINVAL);
	assert_int_equal(ha_dest_connections(NULL, &n), -EINVAL);
	assert_int_equal(ha_service_drain(p.want, NULL, 0, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(ha_service_drain(p.want, p.want, 0, NULL, NULL, NULL), -EINVAL);
	assert_int_equal(ha_service_drain(p.want, p.have, 0, NULL, NULL, NULL), 0);
	assert_int_equal(ha_service_drain_deadline(NULL), UINT64_MAX);
	assert_false(ha_dest_is_draining(NULL));
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_stays_until_the_last_connection_is_gone),
	    cmocka_unit_test(it_goes_at_the_deadline_and_what_was_left_is_told),
	    cmocka_unit_test(what_the_kernel_lost_is_drained),
	    cmocka_unit_test(udp_has_inactive_connections_only),
	    cmocka_unit_test(setting_it_again_takes_it_back),
	    cmocka_unit_test(misuse_is_refused),
	};

	return cmocka_run_group_tests_name("libha/service/drain", tests, NULL, NULL);
}
