/* SPDX-License-Identifier: MIT */
/* The file of what is held, beside the pid file stays whole when a new one cannot be written. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/if_addr.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "leftover.h"

#define ADDRESSES_MAX 300 /* more than a buffer of stdio has room for */

static struct conf_address address[ADDRESSES_MAX];
static struct conf_instance instance = {.name = "one", .addresses = address};
static struct conf conf = {.instances = &instance, .n_instances = 1};

static void set_limit(rlim_t bytes)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void write_some(const char *pid_file, size_t n)
{
	instance.n_addresses = n;
	leftover_write(pid_file, &conf);
}

static size_t how_many(const char *pid_file)
{
	struct conf *c = leftover_read(pid_file);
	size_t n = c && c->fixed ? c->fixed->n_addresses : 0;

	conf_free(c);
	return n;
}

/* However long it is: the last that is written may fail as well as one before. */
static void what_was_there_stays(void **state)
{
	char folder[] = "/tmp/leftover-XXXXXX", pid_file[64], next[64 + 32];

	assert_non_null(mkdtemp(folder));
	snprintf(pid_file, sizeof(pid_file), "%s/pid", folder);
	snprintf(next, sizeof(next), "%s.held.next", pid_file);
	signal(SIGXFSZ, SIG_IGN);
	write_some(pid_file, 7);
	for (size_t n = 1; n <= ADDRESSES_MAX; n++) {
		set_limit(0);
		write_some(pid_file, n);
		set_limit(RLIM_INFINITY);
		assert_int_equal(how_many(pid_file), 7);
		assert_int_equal(access(next, F_OK), -1);
	}
	write_some(pid_file, ADDRESSES_MAX);
	assert_int_equal(how_many(pid_file), ADDRESSES_MAX);
	leftover_remove(pid_file);
	assert_int_equal(rmdir(folder), 0);
}

/* An address is found again only with all that the kernel tells it by. */
static void an_address_comes_back_whole(void **state)
{
	char folder[] = "/tmp/leftover-XXXXXX", pid_file[64];
	struct conf_address all = address[0];
	const struct conf_address *back;
	struct conf *c;

	assert_non_null(mkdtemp(folder));
	snprintf(pid_file, sizeof(pid_file), "%s/pid", folder);
	all.peer = address[1].ip;
	all.broadcast = address[2].ip;
	all.scope = RT_SCOPE_LINK;
	all.label = "eth0:one";
	all.flags = IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN;
	all.preferred_s = 3600;
	instance.addresses = &all;
	write_some(pid_file, 1);
	instance.addresses = address;
	c = leftover_read(pid_file);
	assert_true(c && c->fixed && c->fixed->n_addresses == 1);
	back = &c->fixed->addresses[0];
	assert_int_equal(ha_ip_compare(&back->ip, &all.ip), 0);
	assert_int_equal(ha_ip_compare(&back->peer, &all.peer), 0);
	assert_int_equal(ha_ip_compare(&back->broadcast, &all.broadcast), 0);
	assert_int_equal(back->prefix, all.prefix);
	assert_int_equal(back->scope, all.scope);
	assert_int_equal(back->flags, all.flags);
	assert_int_equal(back->preferred_s, all.preferred_s);
	assert_string_equal(back->label, all.label);
	assert_string_equal(back->dev, "eth0");
	conf_free(c);
	leftover_remove(pid_file);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_there_stays), cmocka_unit_test(an_address_comes_back_whole)};

	instance.home = "eth0";
	for (size_t i = 0; i < ADDRESSES_MAX; i++)
		address[i] = (struct conf_address){
		    .ip = {.family = 2, .bytes = {10, 0, (uint8_t)(i / 200), (uint8_t)(1 + i % 200)}}, .prefix = 24, .preferred_s = CONF_UNSET};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
