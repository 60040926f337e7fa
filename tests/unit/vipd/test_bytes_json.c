/* SPDX-License-Identifier: MIT */
/* Any text comes back as it went. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "bytes_json.h"

static const char *const text[] = {"", "plain", "caf\xc3\xa9", "caf\xe9", "\x01", "\x01x\xff", "cut off \xe2\x82"};

#define N_TEXTS (sizeof(text) / sizeof(*text))

static void text_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_TEXTS; i++) {
		json_t *o = bytes_to_json(text[i]);
		char *back = bytes_from_json(o);

		assert_non_null(back);
		assert_string_equal(back, text[i]);
		free(back);
		json_decref(o);
	}
	assert_null(bytes_from_json(NULL));
}

static void each_byte_comes_back(void **state)
{
	char all[256], *back;
	json_t *o;

	(void)state;
	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	o = bytes_to_json(all);
	back = bytes_from_json(o);
	assert_string_equal(back, all);
	free(back);
	json_decref(o);
}

/* Other programs of this version wrote it so. */
static void utf8_stays_as_it_is(void **state)
{
	json_t *o = bytes_to_json("caf\xc3\xa9");

	(void)state;
	assert_string_equal(json_string_value(o), "caf\xc3\xa9");
	json_decref(o);
}

static void keys_are_found(void **state)
{
	json_t *o = json_object();

	(void)state;
	for (size_t i = 0; i < N_TEXTS; i++)
		assert_int_equal(bytes_object_set(o, text[i], json_integer((json_int_t)i)), 0);
	assert_int_equal(json_object_size(o), N_TEXTS);
	for (size_t i = 0; i < N_TEXTS; i++)
		assert_int_equal(json_integer_value(bytes_object_get(o, text[i])), i);
	assert_null(bytes_object_get(o, "\xe9"));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_comes_back),
	    cmocka_unit_test(each_byte_comes_back),
	    cmocka_unit_test(utf8_stays_as_it_is),
	    cmocka_unit_test(keys_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
