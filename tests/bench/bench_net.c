/* SPDX-License-Identifier: MIT */
/*
 * Many addresses, routes and rules at once, beside `ip -batch` with the same ones in the same namespace. usage:
 * bench_net [COUNT [ROUNDS]]; needs root. For each kind and each way the median of ROUNDS: milliseconds of the
 * clock, and of the processor (user and system) altogether.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <libha/route.h>

#define TABLE 1000
#define COUNT_MAX 50000
#define ROUNDS_MAX 99

enum kind { ADDRESSES, ROUTES, RULES, KINDS };

static const char *const names[] = {"addresses", "routes", "rules"};
static struct ha_net_address addresses[COUNT_MAX];
static struct ha_net_route routes[COUNT_MAX];
static struct ha_net_rule rules[COUNT_MAX];
static unsigned int count = 5000;
static struct ha_net *net;

static void check(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "%s: %s\n", what, r < 0 ? strerror(-r) : "failed");
	exit(1);
}

static void prepare(void)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct ha_ip ip = {
		    .family = AF_INET,
		    .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};

		addresses[i] =
		    (struct ha_net_address){.size = sizeof(addresses[0]), .ifindex = 1, .ip = ip};
		routes[i] = (struct ha_net_route){
		    .size = sizeof(routes[0]), .ifindex = 1, .dst = ip, .table = TABLE};
		rules[i] = (struct ha_net_rule){
		    .size = sizeof(rules[0]), .from = ip, .priority = 1000 + i, .table = TABLE};
	}
}

static void write_batch(enum kind k, bool add, const char *path)
{
	FILE *f = fopen(path, "w");

	check(!f, path);
	for (unsigned int i = 0; i < count; i++) {
		char ip[HA_IP_TEXT_SIZE];

		ha_ip_format(&routes[i].dst, ip, sizeof(ip));
		if (k == ADDRESSES)
			fprintf(f, "addr %s %s/32 dev lo\n", add ? "add" : "del", ip);
		else if (k == ROUTES)
			fprintf(f, "route %s %s dev lo table 1000\n", add ? "add" : "del", ip);
		else
			fprintf(f, "rule %s from %s priority %u table 1000\n", add ? "add" : "del",
				ip, 1000 + i);
	}
	check(fclose(f), path);
}

static void ours(enum kind k, bool add)
{
	int r;

	if (k == ADDRESSES)
		r = add ? ha_net_address_add(net, addresses, count, NULL)
			: ha_net_address_remove(net, addresses, count, NULL);
	else if (k == ROUTES)
		r = add ? ha_net_route_add(net, routes, count, NULL)
			: ha_net_route_remove(net, routes, count, NULL);
	else
		r = add ? ha_net_rule_add(net, rules, count, NULL)
			: ha_net_rule_remove(net, rules, count, NULL);
	check(r, "ours");
}

static void theirs(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "exec ip -batch %s", path);
	check(system(command), command);
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

struct spent {
	double wall, cpu; /* ms */
};

static struct spent now(void)
{
	struct rusage self, children;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return (struct spent){
	    .wall = (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6,
	    .cpu = 1e3 * (seconds(&self.ru_utime) + seconds(&self.ru_stime) +
			  seconds(&children.ru_utime) + seconds(&children.ru_stime)),
	};
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

static void compare(enum kind k, int n_rounds)
{
	static double wall[2][ROUNDS_MAX], cpu[2][ROUNDS_MAX];
	char add[64], del[64];

	snprintf(add, sizeof(add), "/tmp/bench_net.%d.add", getpid());
	snprintf(del, sizeof(del), "/tmp/bench_net.%d.del", getpid());
	write_batch(k, true, add);
	write_batch(k, false, del);
	for (int i = 0; i < n_rounds; i++) {
		for (int peer = 0; peer < 2; peer++) {
			struct spent from = now(), to;

			if (peer)
				theirs(add);
			else
				ours(k, true);
			to = now();
			wall[peer][i] = to.wall - from.wall;
			cpu[peer][i] = to.cpu - from.cpu;
			if (peer)
				theirs(del);
			else
				ours(k, false);
		}
	}
	unlink(add);
	unlink(del);
	printf(
	    "%-10s %u added: ours %.1f ms (CPU %.1f), ip -batch %.1f ms (CPU %.1f): %.1f times\n",
	    names[k], count, median(wall[0], n_rounds), median(cpu[0], n_rounds),
	    median(wall[1], n_rounds), median(cpu[1], n_rounds),
	    wall[1][n_rounds / 2] / wall[0][n_rounds / 2]);
}

int main(int argc, char **argv)
{
	int n_rounds = argc > 2 ? atoi(argv[2]) : 5;

	if (argc > 1)
		count = (unsigned int)strtoul(argv[1], NULL, 10);
	if (!count || count > COUNT_MAX || n_rounds < 1 || n_rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_net [1..%d [1..%d]]\n", COUNT_MAX, ROUNDS_MAX);
		return 2;
	}
	if (unshare(CLONE_NEWNET) < 0 || system("ip link set lo up")) {
		fprintf(stderr, "a network namespace needs root, and iproute2\n");
		return 1;
	}
	check(ha_net_new(NULL, &net), "ha_net_new");
	prepare();
	for (enum kind k = 0; k < KINDS; k++)
		compare(k, n_rounds);
	ha_net_free(net);
	return 0;
}
