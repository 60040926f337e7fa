/* SPDX-License-Identifier: MIT */
/* The queue of scripts: what waits for what, and as it goes along into another program. */
#include <setjmp.h>
#include <stdarg.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "bytes_json.h"
#include "script.h"

static struct loop *loop;

static void run(struct scripts *s, const char *word)
{
	const char *const argv[] = {"/bin/true", NULL}, *const extra[SCRIPT_EXTRA_MAX] = {word, "last"};
	const struct conf_script script = {.argv = argv};

	scripts_run(s, 1, &script, extra);
}

static json_t *job_of(const json_t *frozen, size_t i)
{
	return json_array_get(json_object_get(frozen, "jobs"), i);
}

/* Its first word behind the program. */
static void assert_word(const json_t *frozen, size_t i, const char *expected)
{
	char *word = bytes_from_json(json_array_get(json_object_get(job_of(frozen, i), "argv"), 1));

	assert_string_equal(word, expected);
	free(word);
}

static size_t count(const json_t *frozen)
{
	return json_array_size(json_object_get(frozen, "jobs"));
}

static pid_t reap(struct scripts *s)
{
	int status;
	pid_t pid = wait(&status);

	assert_true(pid > 0);
	assert_true(scripts_reap(s, pid, status));
	return pid;
}

static void words_go_along_byte_for_byte(void **state)
{
	struct scripts *s, *next;
	json_t *frozen;

	assert_int_equal(scripts_new(loop, &s), 0);
	run(s, "runs");
	run(s, "caf\xe9");
	run(s, "caf\xc3\xa9");
	assert_int_equal(scripts_waiting(s), 3);
	frozen = scripts_freeze(s);
	scripts_free(s);
	assert_int_equal(scripts_new(loop, &next), 0);
	scripts_thaw(next, frozen);
	json_decref(frozen);
	frozen = scripts_freeze(next);
	assert_int_equal(count(frozen), 3);
	assert_word(frozen, 0, "runs");
	assert_word(frozen, 1, "caf\xe9");
	assert_word(frozen, 2, "caf\xc3\xa9");
	json_decref(frozen);
	for (size_t left = 3; left; left--) {
		assert_int_equal(scripts_waiting(next), left);
		reap(next); /* who ran is its child, and the next one's turn comes */
	}
	assert_true(scripts_idle(next));
	scripts_free(next);
}

/* What nobody waits behind may take its time; with somebody there, no longer. */
static void one_that_hangs_is_left_when_another_waits(void **state)
{
	const char *const argv[] = {"/bin/sleep", "100", NULL};
	const struct conf_script hangs = {.argv = argv};
	struct scripts *s;
	json_t *frozen;
	pid_t pid;

	assert_int_equal(scripts_new(loop, &s), 0);
	scripts_run(s, 1, &hangs, NULL);
	frozen = scripts_freeze(s);
	scripts_free(s);
	json_object_set_new(job_of(frozen, 0), "started_ns", json_integer((json_int_t)(loop_clock_ns() - UINT64_C(20000000000))));
	pid = (pid_t)json_integer_value(json_object_get(job_of(frozen, 0), "pid"));
	assert_int_equal(scripts_new(loop, &s), 0);
	scripts_thaw(s, frozen);
	json_decref(frozen);
	assert_int_equal(scripts_waiting(s), 1);
	run(s, "next");
	assert_int_equal(scripts_waiting(s), 1);
	assert_int_not_equal(reap(s), pid);
	assert_true(scripts_idle(s));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	scripts_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_go_along_byte_for_byte),
	    cmocka_unit_test(one_that_hangs_is_left_when_another_waits),
	};
	int r = loop_new(&loop);

	if (r >= 0)
		r = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	return r;
}
