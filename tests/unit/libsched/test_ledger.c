/* SPDX-License-Identifier: MIT */
/* What no pick reaches in a test's time: counts at the end of their range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "libsched/server.h"

static struct ledger_row *row_new(struct ledger *l)
{
	struct ledger_row *row;

	*l = (struct ledger){0};
	row = ledger_add_row(l, 1);
	assert_non_null(row);
	return row;
}

static void one_request(struct counting *by)
{
	const struct lb_outcome o = {.size = sizeof(o)};

	server_start(by, 0);
	assert_true(server_finish_own(by, 0, &o));
}

static void picks_go_on_past_32_bits(void **state)
{
	const uint64_t edge[] = {UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(3) << 31,
				 UINT64_C(1) << 33};
	struct ledger l;
	struct ledger_row *row = row_new(&l);
	struct counting by = {&l, row};

	for (size_t i = 0; i < 4; i++) {
		uint64_t picks = edge[i] - 2;

		cell_set(row_cell(row, 0), picks << 32);
		row_tally(row, 0)->picks_halves = picks >> 31;
		for (; picks < edge[i] + 2; picks++) {
			assert_int_equal(ledger_sum(&l, 0).picks, picks);
			one_request(&by);
		}
		for (; picks < edge[i] + 4; picks++) { /* of which none has ended */
			assert_int_equal(ledger_sum(&l, 0).picks, picks);
			server_start(&by, 0);
		}
		assert_int_equal(ledger_active(&l, 0), 2);
	}
	ledger_fini(&l);
}

static void a_pick_after_ends_of_others_counts_once(void **state)
{
	struct ledger l;
	struct ledger_row *row = row_new(&l);
	struct counting by = {&l, row};

	cell_set(row_cell(row, 0), word_with_active(UINT64_C(7) << 32, -2));
	for (int32_t active = -1; active < 3; active++) {
		server_start(&by, 0);
		assert_int_equal(ledger_active(&l, 0), active);
	}
	assert_int_equal(ledger_sum(&l, 0).picks, 11);
	ledger_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(picks_go_on_past_32_bits),
	    cmocka_unit_test(a_pick_after_ends_of_others_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
