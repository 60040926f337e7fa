/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/why.h"

static const char *text_of(const struct why *w)
{
	static char text[256];

	why_text(w, text, sizeof(text));
	return text;
}

static void a_fault_names_each_cause(void **state)
{
	const struct why w = {.to = HA_VRRP_FAULT, .faults = FAULT_INTERFACE | FAULT_SCRIPT};

	assert_string_equal(text_of(&w),
			    "its interface is missing or down, a tracked script failed");
}

static void the_cause_of_a_groups_fault_does_not_blame_another_member(void **state)
{
	const struct why own = {.to = HA_VRRP_FAULT, .faults = FAULT_ADMIN | HA_VRRP_FAULT_GROUP};
	const struct why others = {.to = HA_VRRP_FAULT, .faults = HA_VRRP_FAULT_GROUP};

	assert_string_equal(text_of(&own), "an administrator holds it");
	assert_string_equal(text_of(&others), "another member of its group is in FAULT");
}

static void a_change_names_the_other_router(void **state)
{
	struct why w = {.to = HA_VRRP_BACKUP,
			.reason = HA_VRRP_HIGHER_PRIORITY,
			.priority = 100,
			.peer_priority = 200};

	ha_ip_parse("10.0.0.2", &w.peer);
	assert_string_equal(text_of(&w), "10.0.0.2 has priority 200, ours is 100");
	w.reason = HA_VRRP_RESIGNED;
	assert_string_equal(text_of(&w), "10.0.0.2 resigned");
	w.reason = HA_VRRP_TIMEOUT;
	w.down_ns = 3609375000;
	assert_string_equal(text_of(&w), "no adverts were heard for 3.61 s");
}

static void a_dropped_advert_names_the_word_to_make_equal(void **state)
{
	assert_string_equal(why_dropped(HA_VRRP_DROP_AUTH_FAILURE),
			    "make auth_pass equal on all nodes");
	assert_string_equal(why_dropped(HA_VRRP_DROP_VERSION),
			    "make the version equal on all nodes");
}

static void numbers_out_of_range_are_no_crash(void **state)
{
	const struct why w = {.to = UINT32_MAX, .reason = UINT32_MAX, .faults = UINT32_MAX};

	assert_string_equal(why_state(UINT32_MAX), "?");
	assert_string_equal(text_of(&w), "?");
	assert_null(why_remark(UINT32_MAX));
	assert_null(why_dropped(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_fault_names_each_cause),
	    cmocka_unit_test(the_cause_of_a_groups_fault_does_not_blame_another_member),
	    cmocka_unit_test(a_change_names_the_other_router),
	    cmocka_unit_test(a_dropped_advert_names_the_word_to_make_equal),
	    cmocka_unit_test(numbers_out_of_range_are_no_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
