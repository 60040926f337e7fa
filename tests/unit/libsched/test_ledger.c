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

/* As lb_done() does. */
static void finish(struct counting *by, const struct lb_outcome *o)
{
	struct lb_server s = {0};

	if (!server_finish_own(by, 0, o))
		server_finish(by, &s, o, false);
}

static void one_request(struct counting *by)
{
	const struct lb_outcome o = {.size = sizeof(o)};

	server_start(by, 0);
	finish(by, &o);
}

/* Both counts of a cell, where each of their bits and of the tally's changes. */
static void counts_go_on_past_the_cell(void **state)
{
	const uint64_t edge[] = {1 << 15, 1 << 16, 3 << 15, UINT64_C(1) << 32, UINT64_C(1) << 63};
	const struct lb_outcome failed = {.size = sizeof(failed), .result = LB_RESULT_CONNECT};
	struct ledger l;
	struct ledger_row *row = row_new(&l);
	struct counting by = {&l, row};

	for (size_t i = 0; i < 5; i++) {
		uint64_t n = edge[i] - 2;

		row_set_counts(row, 0, &(struct ledger_sums){.picks = n, .done = {n}});
		for (; n < edge[i] + 2; n++) {
			assert_int_equal(ledger_sum(&l, 0).picks, n);
			assert_int_equal(ledger_sum(&l, 0).done[LB_RESULT_OK], n);
			one_request(&by);
		}
		for (; n < edge[i] + 4; n++) { /* of which none has ended */
			assert_int_equal(ledger_sum(&l, 0).picks, n);
			server_start(&by, 0);
		}
		assert_int_equal(ledger_active(&l, 0), 2);
		while (ledger_active(&l, 0))
			finish(&by, &failed);
		assert_int_equal(ledger_sum(&l, 0).done[LB_RESULT_OK], edge[i] + 2);
		assert_int_equal(ledger_sum(&l, 0).done[LB_RESULT_CONNECT], 2);
		assert_int_equal(ledger_sum(&l, 0).picks, edge[i] + 4);
	}
	ledger_fini(&l);
}

/* Not in the usual way: through another picker, of a connection that is inactive, of one that was never counted. */
static void ends_of_any_kind_count_once(void **state)
{
	const uint64_t n = (1 << 16) + 2;
	struct lb_outcome o = {.size = sizeof(o)};
	struct ledger l;
	struct ledger_row *row = row_new(&l), *other = ledger_add_row(&l, 1);
	struct counting by = {&l, row}, by_other = {&l, other};
	struct lb_server s = {0};

	assert_non_null(other);
	for (uint64_t i = 0; i < n; i++) {
		server_start(&by, 0);
		server_finish(&by_other, &s, &o, false);
		assert_int_equal(ledger_active(&l, 0), 0);
		server_add(&by, &s, LB_COUNTER_INACTIVE, 1);
		o.inactive = 1;
		server_finish(&by, &s, &o, false);
		o.inactive = 0;
		server_finish(&by, &s, &o, i & 1);
		assert_int_equal(ledger_sum(&l, 0).done[LB_RESULT_OK], 3 * i + 3);
	}
	assert_int_equal(ledger_sum(&l, 0).picks, n);
	assert_int_equal(ledger_active(&l, 0), 0);
	assert_int_equal(ledger_inactive(&l, 0), 0);
	ledger_fini(&l);
}

/* The editor may look at any moment of a spill. */
static void what_is_spilt_is_seen_once(void **state)
{
	const uint64_t high = CELL_SPILLS(CELL_PICK) | CELL_SPILLS(CELL_OK),
		       low = 5 * CELL_PICK + 7 * CELL_OK;
	const struct {
		uint64_t word, spilt;
	} moment[] = {{high | low, 6}, {high | low, 9}, {low, 9}, {low, 8}};
	struct ledger l;
	struct ledger_row *row = row_new(&l);

	for (size_t i = 0; i < 4; i++) {
		cell_set(row_cell(row, 0), moment[i].word);
		row_tally(row, 0)->picks_spilt = row_tally(row, 0)->ok_spilt = moment[i].spilt;
		assert_int_equal(ledger_sum(&l, 0).picks, (4 << 15) + 5);
		assert_int_equal(ledger_sum(&l, 0).done[LB_RESULT_OK], (4 << 15) + 7);
	}
	ledger_fini(&l);
}

static void a_pick_after_ends_of_others_counts_once(void **state)
{
	struct ledger l;
	struct ledger_row *row = row_new(&l);
	struct counting by = {&l, row};

	cell_set(row_cell(row, 0), word_with_active(7 * CELL_PICK, -2));
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
	    cmocka_unit_test(counts_go_on_past_the_cell),
	    cmocka_unit_test(ends_of_any_kind_count_once),
	    cmocka_unit_test(what_is_spilt_is_seen_once),
	    cmocka_unit_test(a_pick_after_ends_of_others_counts_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
