/* SPDX-License-Identifier: MIT */
/*
 * Direct server return by nftables until standard input ends. usage: dsr_hold LINK VIP PORT SCHEDULER SERVER[=WEIGHT]...
 * Prints "unknown N" whenever it looked at the neighbours and the table was replaced. A line on standard input: look again; a number there: make
 * the table anew as often, and print "replaced N".
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libha/dsr.h>
#include <libha/net.h>

static bool changed;

static void fail(const char *what, int error)
{
	printf("dsr_hold: %s: %s\n", what, strerror(-error));
	exit(error == -EOPNOTSUPP || error == -EPERM ? 77 : 1);
}

static void on_neighbour(void *u, const struct ha_net_neighbour *now,
			 const struct ha_net_neighbour *before)
{
	changed = true;
}

static void on_neighbour_removed(void *u, const struct ha_net_neighbour *a)
{
	changed = true;
}

static void on_link(void *u, const struct ha_net_link *now, const struct ha_net_link *before)
{
	changed = true;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct ha_service_table *table_of(char **argv)
{
	struct ha_service_opts o = {.size = sizeof(o),
				    .protocol = IPPROTO_TCP,
				    .port = (uint16_t)atoi(argv[1]),
				    .scheduler = argv[2],
				    .flags = HA_SERVICE_SCHED_PORT};
	struct ha_service_table *t;
	struct ha_service *s;

	if (ha_ip_parse(argv[0], &o.address) < 0 || ha_service_table_new(&t) < 0 ||
	    ha_service_add(t, &o, &s) < 0)
		fail("service", -EINVAL);
	for (argv += 3; *argv; argv++) {
		char *weight = strchr(*argv, '=');
		struct ha_dest_opts d = {.size = sizeof(d),
					 .forward = HA_FORWARD_DR,
					 .weight = weight ? (uint32_t)atoi(weight + 1) : 1};

		if (weight)
			*weight = '\0';
		if (ha_ip_parse(*argv, &d.address) < 0 || ha_dest_set(s, &d, NULL) < 0)
			fail(*argv, -EINVAL);
	}
	return t;
}

static void update(struct ha_dsr *d)
{
	int r = ha_dsr_update(d);

	if (r < 0 && r != -EAGAIN)
		printf("error %s\n", strerror(-r));
	if (r == 1)
		printf("unknown %zu\n", ha_dsr_unknown(d));
	fflush(stdout);
	changed = false;
}

static void replace(struct ha_dsr *d, const struct ha_service_table *want, int times)
{
	for (int i = 0; i < times; i++) {
		int r = ha_dsr_set(d, want, NULL);

		if (r < 0)
			fail("set", r);
	}
	printf("replaced %d\n", times);
	fflush(stdout);
}

static void run(struct ha_net_monitor *m, struct ha_dsr *d, const struct ha_service_table *want)
{
	struct pollfd fds[] = {{.fd = ha_net_monitor_fd(m), .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};
	char line[64];

	for (;;) {
		uint64_t now = now_ns(), until = ha_net_monitor_deadline(m);
		uint64_t wait_ms = until == UINT64_MAX ? 1000
				   : until <= now      ? 0
						       : (until - now) / 1000000 + 1;

		poll(fds, 2, wait_ms > 1000 ? 1000 : (int)wait_ms);
		ha_net_monitor_dispatch(m, now_ns());
		if (fds[1].revents) {
			ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

			if (n <= 0)
				return;
			line[n] = '\0';
			if (atoi(line))
				replace(d, want, atoi(line));
			else
				changed = true;
		}
		if (changed)
			update(d);
	}
}

int main(int argc, char **argv)
{
	const struct ha_net_monitor_ops ops = {.size = sizeof(ops),
					       .neighbour_changed = on_neighbour,
					       .neighbour_removed = on_neighbour_removed,
					       .link_changed = on_link};
	const struct ha_net_monitor_opts mo = {.size = sizeof(mo), .neighbours = true};
	const char *const links[] = {argv[1]};
	struct ha_dsr_opts o = {.size = sizeof(o), .links = links, .n_links = 1};
	struct ha_service_table *want, *none;
	const struct ha_service *refused;
	struct ha_dsr *d;
	int r;

	if (argc < 6)
		return 2;
	r = ha_net_monitor_new(&mo, &ops, NULL, &o.monitor);
	if (r < 0)
		fail("monitor", r);
	r = ha_dsr_open(&o, &d);
	if (r < 0)
		fail("open", r);
	want = table_of(argv + 2);
	r = ha_dsr_set(d, want, &refused);
	if (r < 0 && r != -EAGAIN)
		fail("set", r);
	run(o.monitor, d, want);
	if (ha_service_table_new(&none) < 0)
		return 1;
	r = ha_dsr_set(d, none, NULL);
	ha_service_table_free(none);
	ha_service_table_free(want);
	ha_dsr_close(d);
	ha_net_monitor_free(o.monitor);
	return r < 0;
}
