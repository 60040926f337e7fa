/* SPDX-License-Identifier: MIT */
/* Programs as checks: what they are told, what they say, and that none is left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <libhealth/probe_exec.h>

#include "rig.h"

#define WAIT_MS 5000 /* for a program on a busy machine; the clock of the engine stands still */

static void hear(struct rig *r, unsigned int results)
{
	struct pollfd p = {.fd = health_engine_fd(r->engine), .events = POLLIN};

	for (int quiet = 0; r->results < results && quiet < WAIT_MS / 10;) {
		quiet = poll(&p, 1, 10) > 0 ? 0 : quiet + 1;
		rig_dispatch(r);
	}
	assert_int_equal(r->results, results);
}

static struct health_probe *probe_of(const struct health_exec_opts *given)
{
	struct health_exec_opts o = *given;
	struct health_probe *p = NULL;

	o.size = sizeof(o);
	assert_int_equal(health_probe_new(health_probe_exec(), &o, &p), 0);
	return p;
}

static struct health_check *add(struct rig *r, const struct health_exec_opts *given)
{
	struct health_check_opts o = {.size = sizeof(o), .flags = HEALTH_CHECK_AT_ONCE};
	struct health_check *c;

	o.probe = probe_of(given);
	o.timeout_ns = S;
	c = rig_add(r, &o);
	health_probe_free(o.probe);
	return c;
}

/* A shell command under a school, to its end. */
static void run(struct rig *r, enum health_exec_school school, const char *command)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};

	rig_open(r, NULL, NULL);
	add(r, &(struct health_exec_opts){.argv = argv, .school = school});
	rig_dispatch(r);
	hear(r, 1);
	rig_close(r);
}

static void each_school_reads_the_exit_status_its_own_way(void **state)
{
	static const struct {
		enum health_exec_school school;
		const char *command;
		enum health_verdict verdict;
		enum health_code code;
		uint32_t status;
		const char *text;
	} want[] = {
	    {HEALTH_EXEC_HAPROXY, "exit 0", HEALTH_OK, HEALTH_CODE_PROCOK, 0, ""},
	    {HEALTH_EXEC_HAPROXY, "echo too slow; exit 2", HEALTH_FAIL, HEALTH_CODE_PROCERR, 2,
	     "too slow"},
	    {HEALTH_EXEC_HAPROXY, "exit 3", HEALTH_FAIL, HEALTH_CODE_PROCERR, 3, "exit status 3"},
	    {HEALTH_EXEC_KEEPALIVED, "exit 1", HEALTH_FAIL, HEALTH_CODE_PROCERR, 1,
	     "exit status 1"},
	    {HEALTH_EXEC_KEEPALIVED, "exit 7", HEALTH_OK, HEALTH_CODE_PROCOK, 7, "exit status 7"},
	    {HEALTH_EXEC_F5, "echo; echo up; exit 9", HEALTH_FAIL, HEALTH_CODE_PROCERR, 9,
	     "exit status 9"},
	    {HEALTH_EXEC_F5, "echo up >&2; exit 9", HEALTH_OK, HEALTH_CODE_PROCOK, 9, "up"},
	    {HEALTH_EXEC_NAGIOS, "echo WARNING - load; exit 1", HEALTH_DEGRADED, HEALTH_CODE_PROCOK,
	     1, "WARNING - load"},
	    {HEALTH_EXEC_NAGIOS, "exit 2", HEALTH_FAIL, HEALTH_CODE_PROCERR, 2, "exit status 2"},
	    {HEALTH_EXEC_NAGIOS, "exit 3", HEALTH_NEUTRAL, HEALTH_CODE_PROCERR, 3, "exit status 3"},
	    {HEALTH_EXEC_HAPROXY, "kill -9 $$", HEALTH_FAIL, HEALTH_CODE_PROCERR, 0,
	     "killed by signal 9"},
	    {HEALTH_EXEC_HAPROXY, "printf '\\033[2J\\377'", HEALTH_OK, HEALTH_CODE_PROCOK, 0,
	     ".[2J."},
	};
	struct rig r;

	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		run(&r, want[i].school, want[i].command);
		if (r.result.verdict != want[i].verdict)
			print_error("%s\n", want[i].command);
		assert_int_equal(r.result.verdict, want[i].verdict);
		assert_int_equal(r.result.code, want[i].code);
		assert_int_equal(r.result.phase, HEALTH_PHASE_TALK);
		assert_int_equal(r.result.status, want[i].status);
		assert_string_equal(r.text, want[i].text);
	}
}

static void a_dynamic_script_sets_the_weight(void **state)
{
	struct rig r;

	run(&r, HEALTH_EXEC_KEEPALIVED_DYNAMIC, "exit 52");
	assert_int_equal(r.result.verdict, HEALTH_OK);
	assert_int_equal(r.result.advice.weight_kind, HEALTH_WEIGHT_ABSOLUTE);
	assert_int_equal(r.result.advice.weight, 50);
	run(&r, HEALTH_EXEC_KEEPALIVED_DYNAMIC, "exit 0");
	assert_int_equal(r.result.advice.weight_kind, HEALTH_WEIGHT_NONE);
}

static void haproxys_program_gets_haproxys_arguments_and_environment(void **state)
{
	static const char want[] =
	    "NOT_USED NOT_USED 192.0.2.7 8080 | PATH=/bin NOT_USED 8080 bk 3 s1 2 100 1 http 17";
	static const char script[] =
	    "#!/bin/sh\n"
	    "echo $1 $2 $3 $4 \\| PATH=$PATH $HAPROXY_PROXY_PORT $HAPROXY_SERVER_PORT "
	    "$HAPROXY_PROXY_NAME $HAPROXY_PROXY_ID $HAPROXY_SERVER_NAME $HAPROXY_SERVER_ID "
	    "$HAPROXY_SERVER_MAXCONN $HAPROXY_SERVER_SSL $HAPROXY_SERVER_PROTO "
	    "$HAPROXY_SERVER_CURCONN\n";
	char path[] = "/tmp/health-exec-XXXXXX";
	uint32_t curconn = 3;
	const struct health_exec_haproxy h = {
	    .size = sizeof(h),
	    .server_addr = "192.0.2.7",
	    .server_port = "8080",
	    .proxy_name = "bk",
	    .proxy_id = 3,
	    .server_name = "s1",
	    .server_id = 2,
	    .server_maxconn = 100,
	    .server_ssl = 1,
	    .server_proto = "http",
	    .path = "/bin",
	    .server_curconn = &curconn,
	};
	const char *argv[] = {path, NULL};
	int fd = mkstemp(path);
	struct rig r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	rig_open(&r, NULL, NULL);
	add(&r, &(struct health_exec_opts){.argv = argv, .haproxy = &h});
	curconn = 17; /* as it is when the program starts */
	rig_dispatch(&r);
	hear(&r, 1);
	assert_string_equal(r.text, want);
	assert_int_equal(r.result.code, HEALTH_CODE_PROCOK);
	rig_close(&r);
	unlink(path);
}

static void a_program_that_is_not_there_has_failed(void **state)
{
	static const char *const argv[] = {"/no/such/program", NULL};
	struct rig r;

	rig_open(&r, NULL, NULL);
	add(&r, &(struct health_exec_opts){.argv = argv});
	rig_dispatch(&r);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_int_equal(r.result.code, HEALTH_CODE_PROCERR);
	assert_int_equal(r.result.error, ENOENT);
	rig_close(&r);
}

#define FIFO "/tmp/health-stubborn"

/* A program that ignores SIGTERM, with a child that does too; both hold the pipe, and say there that they are ready. */
static const char *const stubborn[] = {
    "/bin/sh", "-c",
    "trap '' TERM; exec 9>" FIFO "; (printf . >&9; exec sleep 600) & exec sleep 600", NULL};

/* Our end of the pipe. */
static int open_fifo(void)
{
	int fd;

	unlink(FIFO);
	assert_int_equal(mkfifo(FIFO, 0600), 0);
	fd = open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void wait_ready(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
}

/* Whoever held the pipe is no more. */
static bool closed_within(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, ms) > 0 && read(fd, &byte, 1) == 0;
}

static void close_fifo(int fd)
{
	close(fd);
	unlink(FIFO);
}

static void a_timeout_ends_the_whole_group(void **state)
{
	size_t fds = rig_open_fds();
	int fifo = open_fifo();
	struct health_check *c;
	struct rig r;

	rig_open(&r, NULL, NULL);
	c = add(&r, &(struct health_exec_opts){.argv = stubborn});
	rig_dispatch(&r);
	wait_ready(fifo);
	rig_pass(&r, S - 1);
	assert_int_equal(r.results, 0);
	rig_pass(&r, 1);
	assert_int_equal(r.results, 1);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_int_equal(r.result.code, HEALTH_CODE_PROCTOUT);
	assert_int_equal(r.result.error, ETIMEDOUT);
	health_check_set_paused(c, true);      /* no other begins */
	assert_false(closed_within(fifo, 50)); /* SIGTERM was no use */
	r.now_ns += HEALTH_EXEC_TERM_NS;
	rig_dispatch(&r);
	assert_true(closed_within(fifo, WAIT_MS));
	close_fifo(fifo);
	for (int i = 0; i < 100; i++) { /* it is reaped: no child is left */
		rig_dispatch(&r);
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			break;
		poll(NULL, 0, 10);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	rig_close(&r);
	assert_int_equal(rig_open_fds(), fds);
}

static void removing_and_freeing_kill_at_once(void **state)
{
	size_t fds = rig_open_fds();

	for (int removed = 0; removed < 2; removed++) {
		int fifo = open_fifo();
		struct health_check *c;
		struct rig r;

		rig_open(&r, NULL, NULL);
		c = add(&r, &(struct health_exec_opts){.argv = stubborn});
		rig_dispatch(&r);
		wait_ready(fifo);
		if (removed)
			health_check_remove(c);
		rig_close(&r);
		assert_true(closed_within(fifo, WAIT_MS));
		close_fifo(fifo);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
		assert_int_equal(errno, ECHILD);
	}
	assert_int_equal(rig_open_fds(), fds);
}

static void a_flood_of_output_is_cut_to_its_first_line(void **state)
{
	struct rig r;

	run(&r, HEALTH_EXEC_HAPROXY,
	    "echo first; i=0; while [ $i -lt 3000 ]; do echo "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; i=$((i+1)); done");
	assert_int_equal(r.result.code, HEALTH_CODE_PROCOK);
	assert_string_equal(r.text, "first");
}

/* Nothing of the checker leaks into it: its mask, its dispositions, its descriptors. */
static void a_program_starts_clean(void **state)
{
	unsigned long blocked = 1, ignored = 1;
	sigset_t block, before;
	char last[16] = "";
	struct rig r;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	sigprocmask(SIG_BLOCK, &block, &before);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(dup2(1, 77), 77);
	run(&r, HEALTH_EXEC_HAPROXY,
	    "while read key value; do case $key in SigBlk:|SigIgn:) printf '%s ' $value;; esac; "
	    "done "
	    "</proc/$$/status; [ -e /proc/$$/fd/77 ] && echo leaks || echo clean");
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(77);
	assert_int_equal(sscanf(r.text, "%lx %lx %15s", &blocked, &ignored, last), 3);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & 0x7fffffff, 0); /* 32 and 33 are the C library's own */
	assert_string_equal(last, "clean");
}

static int spawned;

static int spawn_for_the_engine(const struct health_process_want *want, void *userdata)
{
	pid_t pid = fork();

	spawned++;
	if (pid == 0) {
		setpgid(0, 0);
		dup2(want->output_fd, 1);
		execve(want->argv[0], (char *const *)(uintptr_t)want->argv,
		       (char *const *)(uintptr_t)want->envp);
		_exit(127);
	}
	*want->ret_pid = pid;
	return pidfd_open(pid, 0);
}

static void the_host_may_start_the_programs(void **state)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo by $WHO", NULL};
	static const char *const envp[] = {"WHO=host", NULL};
	const struct health_engine_ops ops = {.size = sizeof(ops),
					      .open_process = spawn_for_the_engine};
	struct health_engine_opts o = {.size = sizeof(o), .ops = &ops};
	struct rig r;

	rig_open(&r, &o, NULL);
	add(&r, &(struct health_exec_opts){.argv = argv, .envp = envp});
	rig_dispatch(&r);
	hear(&r, 1);
	assert_int_equal(spawned, 1);
	assert_string_equal(r.text, "by host");
	rig_close(&r);
}

static void options_are_checked(void **state)
{
	static const char *const relative[] = {"true", NULL}, *const none[] = {NULL};
	static const char *const fine[] = {"/bin/true", NULL};
	const char *many[HEALTH_EXEC_WORDS_MAX + 2];
	const struct health_exec_haproxy h = {.size = sizeof(h)};
	const struct health_exec_opts bad[] = {
	    {.argv = NULL},
	    {.argv = none},
	    {.argv = relative},
	    {.argv = many},
	    {.argv = fine, .school = (enum health_exec_school)9},
	    {.argv = fine, .reserved = 1},
	    {.argv = fine, .envp = fine, .haproxy = &h},
	};
	struct health_probe_ops ops = *health_probe_exec();
	struct health_probe *p = NULL;

	for (size_t i = 0; i <= HEALTH_EXEC_WORDS_MAX; i++)
		many[i] = "/a";
	many[HEALTH_EXEC_WORDS_MAX + 1] = NULL;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct health_exec_opts o = bad[i];

		o.size = sizeof(o);
		assert_int_equal(health_probe_new(health_probe_exec(), &o, &p), -EINVAL);
	}
	ops.setup = NULL; /* its flags with another's config would be wild pointers */
	assert_int_equal(health_probe_new(&ops, NULL, &p), -EINVAL);
	assert_null(p);
}

/* ---- files ---- */

static void a_file_speaks_in_numbers_or_words(void **state)
{
	static const struct {
		const char *content; /* NULL: no file */
		int32_t weight;
		uint32_t missing_ok;
		enum health_verdict verdict;
		int32_t offset;
	} want[] = {
	    {"0\n", 0, 0, HEALTH_OK, 0},
	    {"", 0, 0, HEALTH_OK, 0},
	    {"1\n", 0, 0, HEALTH_FAIL, 0},
	    {"-3\n", 10, 0, HEALTH_OK, -30},
	    {" 2 \r\nrest", 5, 0, HEALTH_OK, 10},
	    {"-26", 10, 0, HEALTH_FAIL, 0},
	    {"999999999", INT32_MAX, 0, HEALTH_OK, INT32_MAX},
	    {"up\n", 0, 0, HEALTH_OK, 0},
	    {"down # maintenance\n", 0, 0, HEALTH_FAIL, 0},
	    {"gibberish\n", 0, 0, HEALTH_FAIL, 0},
	    {"12345678901234567890\n", 1, 0, HEALTH_FAIL, 0},
	    {NULL, 0, 0, HEALTH_FAIL, 0},
	    {NULL, 0, 1, HEALTH_OK, 0},
	};
	char path[] = "/tmp/health-file-XXXXXX";
	int made = mkstemp(path);

	close(made);
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		const struct health_file_opts o = {.size = sizeof(o),
						   .path = path,
						   .weight = want[i].weight,
						   .missing_ok = want[i].missing_ok};
		struct health_check_opts c = {.size = sizeof(c), .flags = HEALTH_CHECK_AT_ONCE};
		struct rig r;
		FILE *f;

		unlink(path);
		f = want[i].content ? fopen(path, "w") : NULL;
		if (f) {
			fputs(want[i].content, f);
			fclose(f);
		}
		rig_open(&r, NULL, NULL);
		assert_int_equal(health_probe_new(health_probe_file(), &o, &c.probe), 0);
		rig_add(&r, &c);
		health_probe_free(c.probe);
		rig_dispatch(&r);
		assert_int_equal(r.results, 1);
		if (r.result.verdict != want[i].verdict)
			print_error("%s: %s\n", want[i].content, r.text);
		assert_int_equal(r.result.verdict, want[i].verdict);
		assert_int_equal(r.result.advice.weight, want[i].offset);
		rig_close(&r);
	}
	unlink(path);
}

static void a_pipe_is_no_file(void **state)
{
	const struct health_file_opts o = {.size = sizeof(o), .path = "/tmp/health-fifo"};
	struct health_check_opts c = {.size = sizeof(c), .flags = HEALTH_CHECK_AT_ONCE};
	struct rig r;

	unlink(o.path);
	assert_int_equal(mkfifo(o.path, 0600), 0);
	rig_open(&r, NULL, NULL);
	assert_int_equal(health_probe_new(health_probe_file(), &o, &c.probe), 0);
	rig_add(&r, &c);
	health_probe_free(c.probe);
	rig_dispatch(&r);
	assert_int_equal(r.result.verdict, HEALTH_FAIL);
	assert_string_equal(r.text, "unreadable");
	rig_close(&r);
	unlink(o.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_school_reads_the_exit_status_its_own_way),
	    cmocka_unit_test(a_dynamic_script_sets_the_weight),
	    cmocka_unit_test(haproxys_program_gets_haproxys_arguments_and_environment),
	    cmocka_unit_test(a_program_that_is_not_there_has_failed),
	    cmocka_unit_test(a_timeout_ends_the_whole_group),
	    cmocka_unit_test(removing_and_freeing_kill_at_once),
	    cmocka_unit_test(a_flood_of_output_is_cut_to_its_first_line),
	    cmocka_unit_test(a_program_starts_clean),
	    cmocka_unit_test(the_host_may_start_the_programs),
	    cmocka_unit_test(options_are_checked),
	    cmocka_unit_test(a_file_speaks_in_numbers_or_words),
	    cmocka_unit_test(a_pipe_is_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
