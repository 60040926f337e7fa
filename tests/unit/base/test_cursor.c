/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/cursor.h"

static void reads_what_was_written(void **state)
{
	uint8_t buf[32];
	struct writer w = writer_of(buf, sizeof(buf));
	struct reader r;

	write_u8(&w, 0x12);
	write_be16(&w, 0x3456);
	write_be32(&w, 0x789abcde);
	write_host32(&w, 77);
	write_zero(&w, 2);
	assert_false(w.bad);
	assert_int_equal(buf[1], 0x34);
	assert_int_equal(buf[3], 0x78);
	r = reader_of(buf, writer_len(&w));
	assert_int_equal(read_u8(&r), 0x12);
	assert_int_equal(read_be16(&r), 0x3456);
	assert_int_equal(read_be32(&r), 0x789abcde);
	assert_int_equal(read_host32(&r), 77);
	assert_int_equal(read_be16(&r), 0);
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.bad);
}

static void a_read_past_the_end_makes_it_bad_for_good(void **state)
{
	const uint8_t two[2] = {1, 2};
	struct reader r = reader_of(two, sizeof(two));

	assert_int_equal(read_be32(&r), 0);
	assert_true(r.bad);
	assert_int_equal(read_u8(&r), 0); /* although a byte is there */
	assert_int_equal(reader_left(&r), 0);
}

static void a_length_near_the_top_of_size_t_does_not_wrap(void **state)
{
	uint8_t buf[4] = {0};
	struct reader r = reader_of(buf, sizeof(buf));
	struct writer w = writer_of(buf, sizeof(buf));

	assert_null(read_bytes(&r, SIZE_MAX));
	assert_null(write_room(&w, SIZE_MAX));
	assert_true(r.bad && w.bad);
}

static void a_part_ends_where_it_was_cut(void **state)
{
	const uint8_t data[4] = {1, 2, 3, 4};
	struct reader r = reader_of(data, sizeof(data)), part = read_part(&r, 2);

	assert_int_equal(read_be16(&part), 0x0102);
	assert_int_equal(read_u8(&part), 0);
	assert_true(part.bad);
	assert_int_equal(read_be16(&r), 0x0304);
	assert_false(r.bad);
	part = read_part(&r, 1);
	assert_true(part.bad && r.bad);
}

static void a_full_writer_writes_nothing_more(void **state)
{
	uint8_t buf[3] = {9, 9, 9};
	struct writer w = writer_of(buf, 2);

	write_be32(&w, 0x01020304);
	write_u8(&w, 5);
	assert_true(w.bad);
	assert_int_equal(writer_len(&w), 0);
	assert_int_equal(buf[0], 9);
}

static void an_empty_buffer_may_be_null(void **state)
{
	struct reader r = reader_of(NULL, 0);
	struct writer w = writer_of(NULL, 0);

	read_copy(&r, NULL, 0);
	write_bytes(&w, NULL, 0);
	assert_false(r.bad || w.bad);
	assert_int_equal(read_u8(&r), 0);
	assert_true(r.bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_was_written),
		cmocka_unit_test(a_read_past_the_end_makes_it_bad_for_good),
		cmocka_unit_test(a_length_near_the_top_of_size_t_does_not_wrap),
		cmocka_unit_test(a_part_ends_where_it_was_cut),
		cmocka_unit_test(a_full_writer_writes_nothing_more),
		cmocka_unit_test(an_empty_buffer_may_be_null),
	};

	return cmocka_run_group_tests_name("base/cursor", tests, NULL, NULL);
}
