/* SPDX-License-Identifier: MIT */
/* What a configuration becomes. What is said about it is in tests/conf/vipd. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <libha/service.h>

#include "conf/conf.h"
#include "conf/tree.h"
#include "model.h"
#include "regex.h"

static struct diag *d;

static struct conf *read_conf(const char *text)
{
	char name[] = "/tmp/vipd-test-XXXXXX";
	const struct conf_source source = {.file = name, .config_id = "test"};
	int fd = mkstemp(name);
	struct conf *c;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	d = calloc(1, sizeof(*d));
	assert_non_null(d);
	assert_int_equal(conf_load(&source, d, &c), 0);
	unlink(name);
	return c;
}

static void end(struct conf *c)
{
	diag_fini(d);
	free(d);
	conf_free(c);
}

#define INSTANCE(more)                                                                     \
	"vrrp_instance A {\n interface eth0\n virtual_router_id 5\n virtual_ipaddress {\n" \
	" 10.0.0.1\n }\n" more "\n}\n"

static void defaults_are_those_of_keepalived(void **state)
{
	struct conf *c = read_conf(INSTANCE(""));
	const struct conf_instance *i = c->instances;

	assert_int_equal(i->priority, 100);
	assert_int_equal(i->advert_ms, 1000);
	assert_int_equal(i->version, 2);
	assert_int_equal(i->garp.repeat, 5);
	assert_int_equal(i->garp.delay_ms, 5000);
	assert_int_equal(i->addresses[0].prefix, 32);
	assert_false(i->no_preempt || i->master);
	end(c);
}

static void ipv6_addresses_make_version_3(void **state)
{
	struct conf *c = read_conf("vrrp_instance A {\n interface eth0\n virtual_router_id 5\n"
				   " virtual_ipaddress {\n fe80::1\n }\n}\n");

	assert_int_equal(c->instances->version, 3);
	assert_int_equal(c->instances->family, AF_INET6);
	assert_int_equal(c->instances->addresses[0].prefix, 128);
	end(c);
}

static void version_2_knows_whole_seconds_and_3_hundredths(void **state)
{
	struct conf *c = read_conf(INSTANCE("advert_int 1.6"));

	assert_int_equal(c->instances->advert_ms, 2000);
	assert_int_equal(d->count[DIAG_WARNING], 1);
	end(c);
	c = read_conf(INSTANCE("version 3\n advert_int 0.25"));
	assert_int_equal(c->instances->advert_ms, 250);
	assert_int_equal(d->count[DIAG_WARNING], 0);
	end(c);
}

static void globals_count_wherever_they_stand(void **state)
{
	struct conf *c = read_conf(INSTANCE("") "global_defs {\n vrrp_garp_master_repeat 9\n"
						" vrrp_version 3\n}\n");

	assert_int_equal(c->instances->garp.repeat, 9);
	assert_int_equal(c->instances->version, 3);
	end(c);
}

static void a_password_is_cut_to_8_characters(void **state)
{
	struct conf *c =
	    read_conf(INSTANCE("authentication {\n auth_type PASS\n auth_pass 123456789\n}"));

	assert_string_equal(c->instances->auth_pass, "12345678");
	end(c);
}

static void a_check_inherits_from_its_servers(void **state)
{
	struct conf *c = read_conf("virtual_server 10.0.0.1 80 {\n protocol TCP\n delay_loop 7\n"
				   " retry 4\n connect_timeout 2.5\n"
				   " real_server 10.1.0.1 80 {\n retry 3\n TCP_CHECK {\n"
				   " connect_timeout 1\n }\n }\n}\n");
	const struct conf_check *k = c->virtuals->reals->checks;

	assert_int_equal(k->common.delay_loop_ms, 7000);
	assert_int_equal(k->common.retry, 3);
	assert_int_equal(k->common.connect_timeout_ms, 1000);
	assert_int_equal(k->common.delay_before_retry_ms, 1000);
	assert_int_equal(k->common.warmup_ms, 7000);
	end(c);
}

static void a_group_is_many_services_of_one_virtual_server(void **state)
{
	struct conf *c = read_conf("virtual_server_group g {\n 10.0.0.1-3 80\n fwmark 9\n}\n"
				   "virtual_server group g {\n protocol TCP\n"
				   " real_server 10.1.0.1 80 {\n TCP_CHECK {\n }\n }\n}\n");
	const struct conf_virtual *v = c->virtuals;
	struct ha_service_opts s;

	assert_int_equal(v->n_listen, 4);
	assert_int_equal(v->listen[2].ip.bytes[3], 3);
	model_service(v, &v->listen[3], &s);
	assert_int_equal(s.fwmark, 9);
	assert_int_equal(s.protocol, 0);
	end(c);
}

static void a_range_goes_from_its_first_to_its_last_address(void **state)
{
	static const struct {
		const char *line, *first, *last;
		size_t n;
	} ranges[] = {
	    {"10.0.0.1-3", "10.0.0.1", "10.0.0.3", 3},
	    {"10.0.0.250-10.0.1.5", "10.0.0.250", "10.0.1.5", 12},
	    {"10.0.0.8/29", "10.0.0.8", "10.0.0.15", 8},
	    {"10.0.0.13/29", NULL, NULL, 0},
	    {"10.0.0.1/32", "10.0.0.1", "10.0.0.1", 1},
	    {"2001:db8::fffe-2001:db8::1:1", "2001:db8::fffe", "2001:db8::1:1", 4},
	    {"2001:db8::9-a", "2001:db8::9", "2001:db8::a", 2},
	    {"2001:db8::/126", "2001:db8::", "2001:db8::3", 4},
	    {"10.0.0.9-3", NULL, NULL, 0},
	    {"10.0.0.9-2001:db8::1", NULL, NULL, 0},
	    {"10.0.0.0/33", NULL, NULL, 0},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		char text[200], address[HA_IP_TEXT_SIZE];
		const struct conf_virtual_group *g;
		struct conf *c;

		snprintf(text, sizeof(text), "virtual_server_group g {\n %s 80\n}\n",
			 ranges[i].line);
		c = read_conf(text);
		g = c->virtual_groups;
		assert_int_equal(g->n_listen, ranges[i].n);
		if (g->n_listen) {
			ha_ip_format(&g->listen[0].ip, address, sizeof(address));
			assert_string_equal(address, ranges[i].first);
			ha_ip_format(&g->listen[g->n_listen - 1].ip, address, sizeof(address));
			assert_string_equal(address, ranges[i].last);
		}
		end(c);
	}
	/* 2^31 addresses: as many as services may be, and no longer than that. */
	struct conf *c = read_conf("virtual_server_group g {\n 128.0.0.0/1 80\n}\n");

	assert_int_equal(c->virtual_groups->n_listen, HA_SERVICES_MAX);
	end(c);
}

static void each_url_is_a_request_of_its_check(void **state)
{
	struct conf *c = read_conf(
	    "virtual_server 10.0.0.1 80 {\n virtualhost v\n real_server 10.1.0.1 80 {\n HTTP_GET "
	    "{\n"
	    " http_protocol 1.1\n url {\n path /a\n status_code 200 300-399\n }\n"
	    " url {\n path /b\n virtualhost w\n regex x\n regex_options utf\n }\n }\n }\n}\n");
	const struct conf_check *k = c->virtuals->reals->checks;

	assert_null(k->next);
	assert_int_equal(k->kind, CONF_CHECK_HTTP);
	assert_ptr_equal(k->way, &conf_way_default);
	assert_int_equal(k->common.delay_before_retry_ms, 3000);
	assert_false(k->http->tls);
	assert_true(k->http->version_1_1);
	assert_int_equal(k->http->n_urls, 2);
	assert_int_equal(k->http->urls->status[1].last, 399);
	assert_string_equal(k->http->urls->next->host, "w");
	if (regex_available())
		assert_string_equal(k->http->urls->next->regex, "00080000x");
	assert_string_equal(c->virtuals->reals->opts->host, "v");
	end(c);
}

static void hexadecimal_bytes_may_stand_in_any_pieces(void **state)
{
	struct conf *c =
	    read_conf("virtual_server 10.0.0.1 80 {\n real_server 10.1.0.1 80 {\n UDP_CHECK {\n"
		      " payload Ab12f 3 456\n require_reply X1 2x x 4\n }\n }\n}\n");
	const struct conf_udp *u = c->virtuals->reals->checks->udp;
	static const uint8_t payload[] = {0xab, 0x12, 0x0f, 0x03, 0x45, 0x06};
	static const uint8_t reply[] = {0x01, 0x20, 0x00, 0x04}, mask[] = {0x0f, 0xf0, 0xf0, 0xff};

	assert_int_equal(u->payload_len, sizeof(payload));
	assert_memory_equal(u->payload, payload, sizeof(payload));
	assert_int_equal(u->reply_len, sizeof(reply));
	assert_memory_equal(u->reply, reply, sizeof(reply));
	assert_memory_equal(u->reply_mask, mask, sizeof(mask));
	assert_int_equal(u->reply_max, 255);
	end(c);
}

static void each_host_of_smtp_is_a_check(void **state)
{
	struct conf *c = read_conf(
	    "virtual_server 10.0.0.1 25 {\n real_server 10.1.0.1 25 {\n SMTP_CHECK {\n helo_name "
	    "h\n"
	    " connect_timeout 2\n host {\n connect_port 26\n }\n host {\n connect_ip 10.1.0.2\n"
	    " retry 9\n }\n }\n }\n}\n");
	const struct conf_check *k = c->virtuals->reals->checks;

	assert_int_equal(k->way->connect_port, 26);
	assert_string_equal(k->helo, "h");
	assert_int_equal(k->next->common.retry, 9);
	assert_int_equal(k->next->common.connect_timeout_ms, 2000);
	assert_int_equal(k->next->way->connect_port, CONF_UNSET);
	assert_null(k->next->next);
	end(c);
}

static void nobody_waits_for_a_script_that_security_keeps_from_running(void **state)
{
	char path[] = "/tmp/hawser-script-XXXXXX", text[1024];
	int fd = mkstemp(path);
	struct conf *c;

	assert_true(fd >= 0 && !fchmod(fd, 0722));
	close(fd);
	snprintf(text, sizeof(text),
		 "global_defs {\n enable_script_security\n}\n"
		 "vrrp_script s {\n script %s\n}\n"
		 "vrrp_instance I {\n interface lo\n virtual_router_id 1\n track_script {\n s\n }\n"
		 " notify %s\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n"
		 "virtual_server 10.0.0.1 80 {\n lb_algo rr\n lb_kind NAT\n protocol TCP\n"
		 " real_server 10.0.0.2 80 {\n MISC_CHECK {\n misc_path %s\n }\n }\n"
		 " real_server 10.0.0.3 80 {\n MISC_CHECK {\n misc_path /bin/true\n }\n }\n}\n",
		 path, path, path);
	c = read_conf(text);
	assert_int_equal(c->n_misc, 2);
	assert_true(conf_scripts_insecure(c, d));
	unlink(path);
	assert_int_equal(c->instances->n_scripts, 0);
	assert_null(c->instances->notify.any.argv);
	assert_null(c->virtuals->reals->checks);
	assert_int_equal(c->n_misc, 1);
	assert_int_equal(c->misc->index, 1);
	assert_ptr_equal(c->virtuals->reals->next->checks->misc, c->misc);
	end(c);
}

static void a_script_is_split_or_given_to_a_shell(void **state)
{
	struct conf *c =
	    read_conf("vrrp_script a {\n script \"/bin/x  -y z\"\n}\n"
		      "vrrp_script b {\n script \"pidof x || exit 1\"\n user nobody\n}\n");
	const struct conf_vrrp_script *a = c->scripts, *b = a->next;

	assert_string_equal(a->script.argv[0], "/bin/x");
	assert_string_equal(a->script.argv[2], "z");
	assert_null(a->script.argv[3]);
	assert_string_equal(b->script.argv[0], "/bin/sh");
	assert_string_equal(b->script.argv[2], "pidof x || exit 1");
	assert_string_equal(b->script.user, "nobody");
	end(c);
}

static void broadcast_plus_and_minus_are_computed(void **state)
{
	struct conf *c = read_conf("vrrp_instance A {\n interface eth0\n virtual_router_id 5\n"
				   " virtual_ipaddress {\n 10.0.0.1/26 brd +\n 10.0.0.70/26 brd -\n"
				   " }\n}\n");

	assert_int_equal(c->instances->addresses[0].broadcast.bytes[3], 63);
	assert_int_equal(c->instances->addresses[1].broadcast.bytes[3], 64);
	end(c);
}

static void missing_braces_are_found_again(void **state)
{
	struct conf *c = read_conf("vrrp_instance A {\n interface eth0\n virtual_router_id 5\n"
				   " virtual_ipaddress {\n 10.0.0.1\n"
				   "vrrp_instance B {\n interface eth0\n virtual_router_id 6\n"
				   " authentication {\n auth_type PASS\n auth_pass x\n"
				   " virtual_ipaddress {\n 10.0.0.2\n");

	assert_int_equal(c->n_instances, 2);
	assert_int_equal(c->instances->n_addresses, 1);
	assert_string_equal(c->instances->next->auth_pass, "x");
	end(c);
}

/* Nothing is guessed where the braces pair: the block is skipped. */
static void a_misplaced_block_in_a_paired_file_is_skipped(void **state)
{
	struct conf *c = read_conf(
	    INSTANCE("authentication {\n virtual_server 10.0.0.1 80 {\n }\n}\npriority 7"));

	assert_int_equal(c->n_virtuals, 0);
	assert_int_equal(c->instances->priority, 7);
	end(c);
}

static void blocks_deeper_than_the_limit_are_skipped(void **state)
{
	char text[4096] = "";
	struct conf *c;

	for (int i = 0; i < CONF_DEPTH_MAX + 10; i++)
		strcat(text, "a {\n");
	for (int i = 0; i < CONF_DEPTH_MAX + 10; i++)
		strcat(text, "}\n");
	strcat(text, INSTANCE(""));
	c = read_conf(text);
	assert_int_equal(c->n_instances, 1);
	end(c);
}

static void a_file_that_includes_itself_ends(void **state)
{
	char name[] = "/tmp/vipd-test-XXXXXX", text[64];
	const struct conf_source source = {.file = name, .config_id = "test"};
	int fd = mkstemp(name);
	struct conf *c;

	snprintf(text, sizeof(text), "include %s\n", name);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	d = calloc(1, sizeof(*d));
	assert_int_equal(conf_load(&source, d, &c), 0);
	assert_int_equal(d->count[DIAG_ERROR], 1);
	unlink(name);
	end(c);
}

/* Doubling: 2^16 files without a limit on their number. */
static void a_file_that_includes_itself_twice_ends_soon(void **state)
{
	char name[] = "/tmp/vipd-test-XXXXXX", text[128];
	const struct conf_source source = {.file = name, .config_id = "test"};
	int fd = mkstemp(name);
	struct conf *c;

	snprintf(text, sizeof(text), "include %s\ninclude %s\n", name, name);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	d = calloc(1, sizeof(*d));
	assert_int_equal(conf_load(&source, d, &c), 0);
	assert_true(d->count[DIAG_ERROR] > 0);
	unlink(name);
	end(c);
}

/* A log of 256 MiB without a line, say: it is not read to its end, and memory is not filled with it. */
static void a_file_that_is_no_configuration_is_refused_before_it_is_read(void **state)
{
	char name[] = "/tmp/vipd-test-XXXXXX";
	const struct conf_source source = {.file = name, .config_id = "test"};
	int fd = mkstemp(name);
	struct rusage before, after;
	struct conf *c = NULL;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 256 << 20), 0);
	close(fd);
	d = calloc(1, sizeof(*d));
	getrusage(RUSAGE_SELF, &before);
	assert_int_equal(conf_load(&source, d, &c), -EFBIG);
	getrusage(RUSAGE_SELF, &after);
	unlink(name);
	assert_true(after.ru_maxrss - before.ru_maxrss < 128 << 10); /* KiB */
	end(c);
}

/* What was read of `text`, as a file of one's own. */
static char *copy_of(const char *text)
{
	char name[] = "/tmp/vipd-test-XXXXXX", *copy;
	struct conf_source source = {.file = name, .config_id = "test", .copy = tmpfile()};
	int fd = mkstemp(name);
	struct conf *c;
	size_t len;

	assert_true(fd >= 0 && source.copy);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	d = calloc(1, sizeof(*d));
	assert_int_equal(conf_load(&source, d, &c), 0);
	unlink(name);
	end(c);
	copy = calloc(1, 4096);
	assert_non_null(copy);
	rewind(source.copy);
	len = fread(copy, 1, 4095, source.copy);
	assert_true(len > 0);
	fclose(source.copy);
	return copy;
}

static void a_copy_says_what_was_read_and_its_copy_says_the_same(void **state)
{
	const char *text =
	    "! a comment\n$ID=7\n@test global_defs {\n router_id \"a b\" # more\n }\n"
	    "@other global_defs { router_id c }\n"
	    "vrrp_script s {\n script \"/bin/sh -c 'echo \\\"x\\\" {\\\\y}'\"\n}\n"
	    "vrrp_instance A {\n virtual_router_id $ID\n interface eth0\n"
	    " virtual_ipaddress {\n 10.0.0.1 label \"\"\n }\n"; /* a brace is missing */
	char *one = copy_of(text), *two = copy_of(one);

	assert_string_equal(one, two);
	assert_null(strstr(one, "comment"));
	assert_null(strstr(one, "other"));
	assert_non_null(strstr(one, "    router_id \"a b\"\n}"));
	assert_non_null(strstr(one, "    virtual_router_id 7\n"));
	assert_non_null(strstr(one, "\"/bin/sh -c 'echo \\\"x\\\" {\\\\y}'\""));
	free(one);
	free(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_those_of_keepalived),
	    cmocka_unit_test(ipv6_addresses_make_version_3),
	    cmocka_unit_test(version_2_knows_whole_seconds_and_3_hundredths),
	    cmocka_unit_test(globals_count_wherever_they_stand),
	    cmocka_unit_test(a_password_is_cut_to_8_characters),
	    cmocka_unit_test(a_check_inherits_from_its_servers),
	    cmocka_unit_test(a_range_goes_from_its_first_to_its_last_address),
	    cmocka_unit_test(each_url_is_a_request_of_its_check),
	    cmocka_unit_test(hexadecimal_bytes_may_stand_in_any_pieces),
	    cmocka_unit_test(each_host_of_smtp_is_a_check),
	    cmocka_unit_test(a_group_is_many_services_of_one_virtual_server),
	    cmocka_unit_test(a_script_is_split_or_given_to_a_shell),
	    cmocka_unit_test(nobody_waits_for_a_script_that_security_keeps_from_running),
	    cmocka_unit_test(broadcast_plus_and_minus_are_computed),
	    cmocka_unit_test(missing_braces_are_found_again),
	    cmocka_unit_test(a_misplaced_block_in_a_paired_file_is_skipped),
	    cmocka_unit_test(blocks_deeper_than_the_limit_are_skipped),
	    cmocka_unit_test(a_file_that_includes_itself_ends),
	    cmocka_unit_test(a_file_that_includes_itself_twice_ends_soon),
	    cmocka_unit_test(a_file_that_is_no_configuration_is_refused_before_it_is_read),
	    cmocka_unit_test(a_copy_says_what_was_read_and_its_copy_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
