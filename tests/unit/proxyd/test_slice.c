/* SPDX-License-Identifier: MIT */
/* What the kernel says of a thread before and after its slices were made shorter. */
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "engine/slice.h"

#define US UINT64_C(1000)

static struct sched_attr get(void)
{
	struct sched_attr a = {.size = sizeof(a)};

	assert_int_equal(syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0U), 0);
	return a;
}

static void set(struct sched_attr a)
{
	assert_int_equal(syscall(SYS_sched_setattr, 0, &a, 0U), 0);
}

/* Of this thread again what it was; niceness cannot go back without privileges. */
static int restore(void **state)
{
	static struct sched_attr first;

	if (!first.size)
		first = get();
	first.sched_nice = get().sched_nice;
	set(first);
	return 0;
}

static void knows_slices_or_skip(void)
{
	if (!get().sched_runtime)
		skip(); /* before Linux 6.12 */
}

static void set_slice(uint64_t ns)
{
	struct sched_attr a = get();

	a.sched_runtime = ns;
	set(a);
}

static void shortens_long_ones(void **state)
{
	knows_slices_or_skip();
	set_slice(3000 * US);
	slice_shorten();
	assert_int_equal(get().sched_runtime, 1000 * US);
}

static void keeps_policy_and_niceness(void **state)
{
	struct sched_attr a = get();

	a.sched_nice++;
	set(a);
	slice_shorten();
	assert_int_equal(get().sched_policy, SCHED_NORMAL);
	assert_int_equal(get().sched_nice, a.sched_nice);
}

static void leaves_shorter_ones(void **state)
{
	knows_slices_or_skip();
	set_slice(200 * US);
	slice_shorten();
	assert_int_equal(get().sched_runtime, 200 * US);
}

static void leaves_other_policies(void **state)
{
	struct sched_attr a = get(), before;

	a.sched_policy = SCHED_BATCH;
	set(a);
	before = get();
	slice_shorten();
	assert_int_equal(get().sched_policy, SCHED_BATCH);
	assert_int_equal(get().sched_runtime, before.sched_runtime);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(shortens_long_ones, restore),
	    cmocka_unit_test_setup(keeps_policy_and_niceness, restore),
	    cmocka_unit_test_setup(leaves_shorter_ones, restore),
	    cmocka_unit_test_setup(leaves_other_policies, restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
