/* SPDX-License-Identifier: MIT */
/* No allocation that fails may crash the reader, or leak: the supervisor reads while it serves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "conf/conf.h"

#define ENOUGH 100000

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);

static const char *file;
static long left = -1; /* allocations until one fails; -1: none does */

static int fails(void)
{
	return left >= 0 && left-- == 0;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

static void each_allocation_may_fail(void **state)
{
	const struct conf_source source = {.file = file, .config_id = "test"};
	static struct diag d;
	int failures = 0, r = -1;

	for (long n = 0; n < ENOUGH; n++) {
		struct conf *c;
		bool reached;

		left = n;
		r = conf_load(&source, &d, &c);
		reached = left < 0;
		left = -1;
		diag_fini(&d);
		conf_free(c);
		if (!reached)
			break;
		assert_true(!r || r == -ENOMEM);
		failures += r == -ENOMEM;
	}
	assert_int_equal(r, 0);
	assert_true(failures > 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation_may_fail)};

	if (argc < 2) {
		puts("skipped: needs the name of a configuration file");
		return 77;
	}
	file = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
