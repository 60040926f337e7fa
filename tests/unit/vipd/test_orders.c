/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "orders.h"

/* Two instances; a virtual server with two real ones and one with one. */
struct farm {
	struct conf conf;
	struct conf_instance instance[2];
	struct conf_virtual virtual[2];
	struct conf_real real[3];
};

static void set_up(struct farm *f)
{
	*f = (struct farm){0};
	f->conf.instances = &f->instance[0];
	f->conf.n_instances = 2;
	f->instance[0].next = &f->instance[1];
	f->instance[0].name = "A";
	f->instance[1].name = "B";
	f->conf.virtuals = &f->virtual[0];
	f->conf.n_virtuals = 2;
	f->virtual[0] = (struct conf_virtual){
	    .next = &f->virtual[1], .name = "10.0.0.1:80", .reals = &f->real[0], .n_reals = 2};
	f->virtual[1] = (struct conf_virtual){
	    .name = "10.0.0.2:80", .reals = &f->real[2], .n_reals = 1};
	f->real[0].next = &f->real[1];
	for (int i = 0; i < 3; i++) {
		ha_ip_parse("10.0.0.9", &f->real[i].ip);
		f->real[i].port = (uint16_t)(i == 2 ? 8000 : 8000 + i);
	}
}

static void a_new_one_orders_nothing(void **state)
{
	struct orders *o;
	struct farm f;

	set_up(&f);
	assert_int_equal(orders_new(&f.conf, NULL, NULL, &o), 0);
	assert_int_equal(o->n_reals, 3);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(o->real[i].admin, ORDER_READY);
		assert_int_equal(o->real[i].weight, ORDER_NO_WEIGHT);
	}
	assert_false(o->hold[0] || o->hold[1]);
	orders_free(o);
}

static void orders_follow_their_objects_to_another_place(void **state)
{
	struct orders *old, *o;
	struct farm f, g;

	set_up(&f);
	set_up(&g);
	assert_int_equal(orders_new(&f.conf, NULL, NULL, &old), 0);
	old->hold[1] = true;
	old->real[1] = (struct order_real){.admin = ORDER_DRAIN, .weight = 7};
	/* B comes first now, the virtual servers change places, and the real one is the first of its. */
	g.instance[0].name = "B";
	g.instance[1].name = "C";
	g.virtual[0].name = "10.0.0.2:80";
	g.virtual[1].name = "10.0.0.1:80";
	g.real[2].port = 8001;
	assert_int_equal(orders_new(&g.conf, old, &f.conf, &o), 0);
	assert_true(o->hold[0]);
	assert_false(o->hold[1]);
	assert_int_equal(o->real[0].admin, ORDER_READY);
	assert_int_equal(o->real[1].admin,
			 ORDER_READY); /* the same address in another virtual server */
	assert_int_equal(o->real[2].admin, ORDER_DRAIN);
	assert_int_equal(o->real[2].weight, 7);
	orders_free(o);
	orders_free(old);
}

static void names_are_as_people_write_them(void **state)
{
	struct conf_real r = {.port = 80};
	char name[CONF_REAL_NAME_SIZE];

	ha_ip_parse("2001:db8::1", &r.ip);
	conf_real_name(&r, name, sizeof(name));
	assert_string_equal(name, "[2001:db8::1]:80");
	ha_ip_parse("10.0.0.1", &r.ip);
	conf_real_name(&r, name, sizeof(name));
	assert_string_equal(name, "10.0.0.1:80");
	assert_string_equal(order_admin_name(ORDER_DISABLED), "disabled");
	assert_string_equal(order_admin_name(99), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_one_orders_nothing),
	    cmocka_unit_test(orders_follow_their_objects_to_another_place),
	    cmocka_unit_test(names_are_as_people_write_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
