/* SPDX-License-Identifier: MIT */
/* What a configuration becomes; what is wrong with one is said in tests/conf/proxyd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cfg/cfg.h"
#include "cfg/if.h"

#define SECOND (UINT64_C(1000) * CFG_MS)

struct loaded {
	struct diag diag;
	struct cfg *cfg;
	char file[64];
};

static struct loaded *load(const char *text)
{
	struct loaded *l = calloc(1, sizeof(*l));
	const char *path;
	int fd;

	assert_non_null(l);
	strcpy(l->file, "/tmp/proxyd-cfg.XXXXXX");
	fd = mkstemp(l->file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	path = l->file;
	assert_int_equal(
	    cfg_load(&(struct cfg_load_opts){.path = &path, .n_paths = 1}, &l->diag, &l->cfg), 0);
	unlink(l->file);
	return l;
}

static void unload(struct loaded *l)
{
	diag_fini(&l->diag);
	cfg_free(l->cfg);
	free(l);
}

static struct cfg_proxy *first(const struct loaded *l)
{
	return STAILQ_FIRST(&l->cfg->proxies);
}

/* 1 true, 0 false, -1 it cannot be read. */
static int evaluate(const char *text)
{
	char error[128];
	bool yes = false;
	size_t at;

	return cfg_if_eval(text, &yes, error, sizeof(error), &at) ? yes : -1;
}

static void a_condition_binds_not_before_and_before_or(void **state)
{
	assert_int_equal(evaluate(""), 0);
	assert_int_equal(evaluate("12"), 1);
	assert_int_equal(evaluate("1 || 0 && 0"), 1);
	assert_int_equal(evaluate("(1 || 0) && 0"), 0);
	assert_int_equal(evaluate("!0 && !(0||0)"), 1);
	assert_int_equal(evaluate("1 &&"), -1);
	assert_int_equal(evaluate("1 1"), -1);
	assert_int_equal(evaluate("((((((((((((((((((((((((((((((((((1"), -1);
}

static void a_predicate_says_what_it_is_asked(void **state)
{
	assert_int_equal(evaluate("streq(\"a, b\",\"a, b\")"), 1);
	assert_int_equal(evaluate("strneq(a,a)"), 0);
	assert_int_equal(evaluate("strstr(abc,bc)"), 1);
	assert_int_equal(evaluate("streq(a)"), -1);
	assert_int_equal(evaluate("streq(a,b,c)"), -1);
	assert_int_equal(evaluate("defined(NOT_SET_ANYWHERE)"), 0);
	assert_int_equal(evaluate("version_atleast(2.6)"), 1);
	assert_int_equal(evaluate("version_atleast(2.6-dev3)"), 1);
	assert_int_equal(evaluate("version_before(2.6-dev3)"), 0);
	assert_int_equal(evaluate("version_before(2.7-dev0)"), 1);
	assert_int_equal(evaluate("version_before(10)"), 1);
	assert_int_equal(evaluate("feature(EPOLL) && !feature(NO_SUCH)"), 1);
	assert_int_equal(evaluate("feature(LINUX_SPLICE) && feature(LINUX_TPROXY) && feature(NS) && feature(TFO) && !feature(LUA)"), 1);
	assert_int_equal(evaluate("ssllib_name_startswith(OpenSSL) && feature(OPENSSL)"), 1);
	assert_int_equal(evaluate("openssl_version_atleast(3.0.0)"), 1);
	assert_int_equal(evaluate("openssl_version_before(1.1.1w)"), 0);
	assert_int_equal(evaluate("nonsense(1)"), -1);
}

static void a_section_takes_its_defaults(void **state)
{
	struct loaded *l = load("defaults\n mode tcp\n timeout client 5s\n retries 7\n"
				" default-server weight 9 inter 3s\n"
				"listen a\n bind :1\n server s 127.0.0.1:1 weight 4\n"
				"defaults\n timeout server 2m\n"
				"listen b\n server s 127.0.0.1:1\n");
	struct cfg_proxy *a = first(l), *b = STAILQ_NEXT(a, next);
	struct cfg_server *s = STAILQ_FIRST(&a->servers);

	assert_int_equal(l->diag.count[DIAG_ERROR], 0);
	assert_int_equal(a->set.timeout.client_ns, 5 * SECOND);
	assert_int_equal(a->set.retries, 7);
	assert_int_equal(s->weight, 4);
	assert_int_equal(s->inter_ns, 3 * SECOND);
	assert_int_equal(b->set.timeout.client_ns, 0);
	assert_int_equal(b->set.timeout.server_ns, 120 * SECOND);
	assert_int_equal(b->set.retries, CFG_RETRIES_DEFAULT);
	assert_int_equal(STAILQ_FIRST(&b->servers)->weight, 1);
	unload(l);
}

static void named_defaults_are_chosen(void **state)
{
	struct loaded *l = load("defaults x\n timeout client 1s\n"
				"defaults y\n timeout client 2s\n"
				"listen a from x\n bind :1\n");

	assert_int_equal(first(l)->set.timeout.client_ns, SECOND);
	unload(l);
}

static void times_have_units(void **state)
{
	struct loaded *l = load("listen a\n timeout client 1500\n timeout server 2d\n"
				" timeout connect 250us\n timeout check 3m\n timeout queue 1h\n");
	const struct cfg_timeouts *t = &first(l)->set.timeout;

	assert_int_equal(t->client_ns, 1500 * CFG_MS);
	assert_int_equal(t->server_ns, 172800 * SECOND);
	assert_int_equal(t->connect_ns, 250000);
	assert_int_equal(t->check_ns, 180 * SECOND);
	assert_int_equal(t->queue_ns, 3600 * SECOND);
	unload(l);
}

static void bind_knows_lists_and_ranges(void **state)
{
	static const char *const expected[] = {"0.0.0.0:80", "[::1]:81", "127.0.0.1:90",
					       "127.0.0.1:91", "[::]:82"};
	struct loaded *l = load("listen a\n mode tcp\n bind :80,[::1]:81,127.0.0.1:90-91,:::82\n");
	struct cfg_bind *b;
	size_t i = 0;

	STAILQ_FOREACH (b, &first(l)->binds, next) {
		assert_true(i < 5);
		assert_string_equal(b->text, expected[i++]);
	}
	assert_int_equal(i, 5);
	unload(l);
}

static void addresses_know_the_environment(void **state)
{
	struct loaded *l;
	struct cfg_server *s;

	setenv("PROXYD_TEST_HOST", "127.0.0.9", 1);
	l = load("listen a\n mode tcp\n server s ${PROXYD_TEST_HOST}:77\n"
		 " server t \"$PROXYD_TEST_HOST\":78\n");
	s = STAILQ_FIRST(&first(l)->servers);
	assert_int_equal(((struct sockaddr_in *)&s->addr.storage)->sin_addr.s_addr,
			 htonl(0x7f000009));
	assert_int_equal(((struct sockaddr_in *)&s->addr.storage)->sin_port, htons(77));
	s = STAILQ_NEXT(s, next);
	assert_int_equal(((struct sockaddr_in *)&s->addr.storage)->sin_port, htons(78));
	unload(l);
}

static void setenv_is_seen_by_the_lines_below(void **state)
{
	struct loaded *l =
	    load("global\n setenv PROXYD_TEST_PORT 4711\n presetenv PROXYD_TEST_PORT 1\n"
		 "listen a\n mode tcp\n bind \":$PROXYD_TEST_PORT\"\n");

	assert_string_equal(STAILQ_FIRST(&first(l)->binds)->text, "0.0.0.0:4711");
	unload(l);
}

static void a_listen_section_is_its_own_backend(void **state)
{
	struct loaded *l =
	    load("listen a\n mode tcp\n bind :1\n server s 127.0.0.1:1\n"
		 "listen b\n mode tcp\n bind :2\n default_backend c\n"
		 "frontend f\n mode tcp\n bind :3\n default_backend c\n use_backend a\n"
		 "backend c\n mode tcp\n server s 127.0.0.1:1\n");
	struct cfg_proxy *a = first(l), *b = STAILQ_NEXT(a, next), *f = STAILQ_NEXT(b, next),
			 *c = STAILQ_NEXT(f, next);

	assert_ptr_equal(a->backend, a);
	assert_ptr_equal(b->backend, c);
	assert_ptr_equal(f->backend, a);
	unload(l);
}

static void a_long_second_word_is_no_second_word(void **state)
{
	char text[400] = "global\n lua-prepend-path ";
	struct loaded *l;

	memset(text + strlen(text), 'A', 300);
	l = load(text);
	assert_int_equal(l->diag.count[DIAG_ERROR], 0);
	assert_int_equal(l->diag.count[DIAG_WARNING], 1);
	unload(l);
}

static void no_takes_back(void **state)
{
	struct loaded *l = load("defaults\n mode tcp\n option tcplog\n log 127.0.0.1 local0\n"
				" option redispatch\n"
				"listen a\n no option tcplog\n no log\n no option redispatch\n"
				"listen b\n");
	struct cfg_proxy *a = first(l), *b = STAILQ_NEXT(a, next);

	assert_false(a->set.tcplog);
	assert_null(a->set.logs);
	assert_int_equal(a->set.redispatch, 0);
	assert_true(b->set.tcplog);
	assert_non_null(b->set.logs);
	assert_int_equal(b->set.redispatch, -1);
	unload(l);
}

static void no_input_breaks_the_reader(void **state)
{
	/* Pieces of lines in an order of chance: any findings, no crash. */
	static const char *const piece[] = {
	    "listen ",
	    "frontend a",
	    "\n",
	    "\n ",
	    "server ",
	    "a ",
	    "127.0.0.1:80 ",
	    "check ",
	    "inter ",
	    "5s ",
	    "bind ",
	    ":80",
	    "-90 ",
	    "default-server ",
	    "no ",
	    "option ",
	    "timeout ",
	    "client ",
	    "log ",
	    "global",
	    "\"",
	    "'",
	    "\\",
	    "$",
	    "${",
	    "}",
	    "#",
	    "balance ",
	    "defaults ",
	    "from ",
	    "\xff",
	    "99999999999999999999 ",
	    "use_backend ",
	    "maxconn ",
	    "unix@",
	    "fd@",
	    "[",
	    "]",
	    ",",
	    "mode ",
	    "tcp ",
	    "http ",
	};
	uint64_t x = 1;

	for (int round = 0; round < 300; round++) {
		char text[1500] = "";
		size_t len = 0;

		while (len < 1300) {
			x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
			len +=
			    (size_t)snprintf(text + len, sizeof(text) - len, "%s",
					     piece[(x >> 33) % (sizeof(piece) / sizeof(*piece))]);
		}
		unload(load(text));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_condition_binds_not_before_and_before_or),
	    cmocka_unit_test(a_predicate_says_what_it_is_asked),
	    cmocka_unit_test(a_section_takes_its_defaults),
	    cmocka_unit_test(named_defaults_are_chosen),
	    cmocka_unit_test(times_have_units),
	    cmocka_unit_test(bind_knows_lists_and_ranges),
	    cmocka_unit_test(addresses_know_the_environment),
	    cmocka_unit_test(setenv_is_seen_by_the_lines_below),
	    cmocka_unit_test(a_listen_section_is_its_own_backend),
	    cmocka_unit_test(a_long_second_word_is_no_second_word),
	    cmocka_unit_test(no_takes_back),
	    cmocka_unit_test(no_input_breaks_the_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
