/* SPDX-License-Identifier: MIT */
/*
 * Virtual services in nftables, beside `nft -f` with the same content in the same namespace. usage:
 *
 *	bench_nft [ROUNDS]	the figures; needs root and nft, makes a network namespace of its own
 *	bench_nft swap N	N times, every 20 ms: other destinations for 192.0.2.1:80 (bench_nft.sh)
 */
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <libha/nft.h>

#include "nl/call.h"

#define SERVICES 1000
#define DESTS 10
#define ROUNDS_MAX 99
#define FLOWS 100000

static size_t rounds = 11;
static struct ha_nft *nft;

static void check(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "bench_nft: %s: %s\n", what, r < 0 ? strerror(-r) : "failed");
	exit(1);
}

/* Of the clock, and of the processor: in this process with what the kernel does for it, and in children that ended. */
struct cost {
	double clock_ms, cpu_ms;
};

static double ms_of(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

static struct cost now(void)
{
	struct timespec t, cpu;
	struct rusage children;

	clock_gettime(CLOCK_MONOTONIC, &t);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	getrusage(RUSAGE_CHILDREN, &children);
	return (struct cost){(double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6,
			     (double)cpu.tv_sec * 1e3 + (double)cpu.tv_nsec / 1e6 +
				 ms_of(children.ru_utime) + ms_of(children.ru_stime)};
}

static struct cost since(struct cost begin)
{
	struct cost end = now();

	return (struct cost){end.clock_ms - begin.clock_ms, end.cpu_ms - begin.cpu_ms};
}

static int compare(const void *a, const void *b)
{
	const double *p = a, *q = b;

	return *p < *q ? -1 : *p > *q;
}

static void report(const char *what, const struct cost *costs, size_t n)
{
	double clock[ROUNDS_MAX], cpu[ROUNDS_MAX];

	for (size_t i = 0; i < n; i++) {
		clock[i] = costs[i].clock_ms;
		cpu[i] = costs[i].cpu_ms;
	}
	qsort(clock, n, sizeof(*clock), compare);
	qsort(cpu, n, sizeof(*cpu), compare);
	printf("%-66s %9.3f  [%.3f-%.3f] %9.3f  [%.3f-%.3f]\n", what, clock[n / 2], clock[0],
	       clock[n - 1], cpu[n / 2], cpu[0], cpu[n - 1]);
}

/* ---- Tables ---- */

static struct ha_ip ip(unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	return (struct ha_ip){.family = AF_INET,
			      .bytes = {(uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d}};
}

/* Service `n`; its destinations are set number `set`, of weights 1 + `shift` and so on. */
static void add_service(struct ha_service_table *t, unsigned int n, unsigned int set,
			unsigned int shift)
{
	const struct ha_service_opts o = {.size = sizeof(o),
					  .address = ip(198, 18 + (n >> 16), n >> 8, n),
					  .protocol = IPPROTO_TCP,
					  .port = 80,
					  .scheduler = "wrr"};
	struct ha_service *s;

	check(ha_service_add(t, &o, &s), "service");
	for (unsigned int i = 0; i < DESTS; i++) {
		const struct ha_dest_opts d = {.size = sizeof(d),
					       .address = ip(10, set * 16 + i, n >> 8, n),
					       .port = 8080,
					       .weight = 1 + (i + shift) % DESTS};

		check(ha_dest_set(s, &d, NULL), "destination");
	}
}

static struct ha_service_table *table(unsigned int n)
{
	struct ha_service_table *t;

	check(ha_service_table_new(&t), "table");
	for (unsigned int i = 0; i < n; i++)
		add_service(t, i, 0, 0);
	return t;
}

static struct ha_service_table *dump(void)
{
	struct ha_service_table *t;

	check(ha_nft_dump(nft, &t), "dump");
	return t;
}

/* How long the transaction itself took, without dump and plan. */
static struct cost apply(const struct ha_service_table *want)
{
	struct ha_service_table *have = dump();
	struct ha_service_plan *p;
	struct cost cost;

	check(ha_service_plan(want, have, &p), "plan");
	cost = now();
	check(ha_nft_apply(nft, p, NULL, NULL), "apply");
	cost = since(cost);
	ha_service_plan_free(p);
	ha_service_table_free(have);
	return cost;
}

/* ---- The figures ---- */

static void load_all(void)
{
	struct ha_service_table *all = table(SERVICES), *none = table(0);
	struct cost costs[ROUNDS_MAX], peer[ROUNDS_MAX];

	check(system("nft list ruleset >/dev/null"), "nft");
	for (size_t i = 0; i < rounds; i++) {
		costs[i] = apply(all);
		check(system("nft list ruleset >/tmp/bench_nft.$PPID"), "nft list");
		apply(none);
		peer[i] = now();
		check(system("nft -f /tmp/bench_nft.$PPID"), "nft -f");
		peer[i] = since(peer[i]);
		check(system("nft delete table inet hawser; rm /tmp/bench_nft.$PPID"), "nft");
	}
	report("1,000 services of 10 destinations in one transaction", costs, rounds);
	report("  nft -f of the same", peer, rounds);
	apply(all);
	ha_service_table_free(all);
	ha_service_table_free(none);
}

static void swap_one(unsigned int set_step, unsigned int shift_step, const char *what)
{
	struct ha_service_table *want = table(SERVICES);
	const struct ha_service_opts key = {
	    .size = sizeof(key), .address = ip(198, 18, 0, 7), .protocol = IPPROTO_TCP, .port = 80};
	struct cost costs[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++) {
		ha_service_remove(ha_service_find(want, &key));
		add_service(want, 7, (i + 1) * set_step % 2, (i + 1) * shift_step);
		costs[i] = apply(want);
	}
	report(what, costs, rounds);
	ha_service_table_free(want);
}

/* The peer's way: nft -f with what makes the same slots anew; it must read the table first. */
static void swap_one_by_nft(void)
{
	struct cost costs[ROUNDS_MAX];

	check(system("f=/tmp/bench_nft.$PPID; { echo flush map inet hawser "
		     "slots-tcp-198.18.0.7-80; nft list map inet "
		     "hawser slots-tcp-198.18.0.7-80; } >$f"),
	      "nft list");
	for (size_t i = 0; i < rounds; i++) {
		costs[i] = now();
		check(system("nft -f /tmp/bench_nft.$PPID"), "nft -f");
		costs[i] = since(costs[i]);
	}
	check(system("rm /tmp/bench_nft.$PPID"), "rm");
	report("  nft -f of its 55 slots alone", costs, rounds);
}

static void swap_all(void)
{
	struct ha_service_table *want;
	struct cost costs[ROUNDS_MAX];

	for (unsigned int i = 0; i < rounds; i++) {
		want = table(0);
		for (unsigned int n = 0; n < SERVICES; n++)
			add_service(want, n, 0, i + 1);
		costs[i] = apply(want);
		ha_service_table_free(want);
	}
	report("1,000 services with other weights in one transaction", costs, rounds);
}

static void read_back(void)
{
	struct cost costs[ROUNDS_MAX], audits[ROUNDS_MAX], peer[ROUNDS_MAX];

	for (size_t i = 0; i < rounds; i++) {
		check(system("nft add table inet other && nft delete table inet other"), "nft");
		audits[i] = now();
		ha_service_table_free(dump());
		audits[i] = since(audits[i]);
		costs[i] = now();
		ha_service_table_free(dump());
		costs[i] = since(costs[i]);
		peer[i] = now();
		check(system("nft list table inet hawser >/dev/null"), "nft list");
		peer[i] = since(peer[i]);
	}
	report("1,000 services of 10 destinations read back", costs, rounds);
	report("  after somebody changed something in nf_tables", audits, rounds);
	report("  nft list table", peer, rounds);
}

static void put_tuple(struct writer *w, uint16_t type, const uint8_t *src, uint16_t sport,
		      const uint8_t *dst, uint16_t dport)
{
	size_t tuple = nl_nest_begin(w, type), nest = nl_nest_begin(w, CTA_TUPLE_IP);

	nl_attr_put(w, CTA_IP_V4_SRC, src, 4);
	nl_attr_put(w, CTA_IP_V4_DST, dst, 4);
	nl_nest_end(w, nest);
	nest = nl_nest_begin(w, CTA_TUPLE_PROTO);
	nl_attr_put_u8(w, CTA_PROTO_NUM, IPPROTO_UDP);
	nl_attr_put_be16(w, CTA_PROTO_SRC_PORT, sport);
	nl_attr_put_be16(w, CTA_PROTO_DST_PORT, dport);
	nl_nest_end(w, nest);
	nl_nest_end(w, tuple);
}

/* As if so many clients had come; without destination NAT, which only a packet brings. */
static void make_flows(unsigned int n)
{
	static const uint8_t vip[] = {198, 18, 0, 7};
	struct nl_batch b = {0};
	struct nl_channel c;

	check(nl_channel_open(&c, NETLINK_NETFILTER, NULL, 0), "netlink");
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t client[] = {172, 16, (uint8_t)(i >> 16), (uint8_t)(i >> 8)};
		uint16_t port = (uint16_t)(1024 + (i & 0xff));
		struct writer *w = nl_batch_begin(
		    &b, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW, NLM_F_CREATE | NLM_F_EXCL);

		nl_nfgen_put(w, AF_INET, 0);
		put_tuple(w, CTA_TUPLE_ORIG, client, port, vip, 53);
		put_tuple(w, CTA_TUPLE_REPLY, vip, 53, client, port);
		nl_attr_put_be32(w, CTA_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY);
		nl_attr_put_be32(w, CTA_TIMEOUT, 600);
		nl_batch_end(&b);
	}
	check(nl_call(&c, &b, NULL, NULL), "flows");
	nl_batch_fini(&b);
	nl_channel_close(&c);
}

/* They are all looked at by a dump, and all forgotten when a service of UDP appears that they went past. */
static void flows(void)
{
	struct ha_service_opts o = {.size = sizeof(o),
				    .address = ip(198, 18, 0, 7),
				    .protocol = IPPROTO_UDP,
				    .port = 53,
				    .scheduler = "rr"};
	struct ha_service_table *want = table(SERVICES);
	struct cost costs[ROUNDS_MAX];

	make_flows(FLOWS);
	for (size_t i = 0; i < rounds; i++) {
		costs[i] = now();
		ha_service_table_free(dump());
		costs[i] = since(costs[i]);
	}
	report("the same read back beside 100,000 foreign connections", costs, rounds);
	check(ha_service_add(want, &o, NULL), "service");
	costs[0] = apply(want);
	report("a service added, and 100,000 flows of UDP that went past it cut", costs, 1);
	ha_service_table_free(want);
}

static void plan_again(void)
{
	struct ha_service_table *have = table(4 * SERVICES), *want;
	struct mallinfo2 before = mallinfo2(), after;
	struct cost costs[ROUNDS_MAX];

	want = table(4 * SERVICES);
	after = mallinfo2();
	for (size_t i = 0; i < rounds; i++) {
		struct ha_service_plan *p;

		costs[i] = now();
		check(ha_service_plan(want, have, &p), "plan");
		check(ha_nft_apply(nft, p, NULL, NULL), "apply");
		costs[i] = since(costs[i]);
		check(ha_service_plan_count(p) != 0, "no steps");
		ha_service_plan_free(p);
	}
	report("40,000 unchanged destinations planned and applied: no request", costs, rounds);
	printf("%-66s %9zu\n", "bytes of memory for each destination, all of the table",
	       (after.uordblks - before.uordblks) / (4 * SERVICES * DESTS));
	ha_service_table_free(want);
	ha_service_table_free(have);
}

static int swap(unsigned int n)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	const struct ha_service_opts o = {.size = sizeof(o),
					  .address = ip(192, 0, 2, 1),
					  .protocol = IPPROTO_TCP,
					  .port = 80,
					  .scheduler = "rr"};
	double sum = 0;

	for (unsigned int i = 0; i <= n; i++) {
		struct ha_service_table *want = table(0);
		struct ha_service *s;

		check(ha_service_add(want, &o, &s), "service");
		for (unsigned int d = 0; d < 3;
		     d++) { /* three of four servers, another three each time */
			const struct ha_dest_opts dest = {.size = sizeof(dest),
							  .address = ip(10, 0, 1 + (i + d) % 4, 1),
							  .port = 8080,
							  .weight = 1};

			check(ha_dest_set(s, &dest, NULL), "destination");
		}
		sum += apply(want).clock_ms;
		ha_service_table_free(want);
		nanosleep(&pause, NULL);
	}
	printf("%u swaps, %.3f ms each\n", n, sum / (n + 1));
	return 0;
}

int main(int argc, char **argv)
{
	bool swaps = argc == 3 && !strcmp(argv[1], "swap");
	int r;

	if (geteuid() || (!swaps && unshare(CLONE_NEWNET))) {
		printf("left out: needs root to make a network namespace\n");
		return 77;
	}
	r = ha_nft_open(NULL, &nft);
	if (r == -EOPNOTSUPP || system("nft --version >/dev/null 2>&1")) {
		printf("left out: needs nftables in the kernel, and nft as the peer\n");
		return 77;
	}
	check(r, "open");
	if (swaps)
		return swap((unsigned int)atoi(argv[2]));
	if (argc > 1 && atoi(argv[1]) > 0 && atoi(argv[1]) <= ROUNDS_MAX)
		rounds = (size_t)atoi(argv[1]);
	printf("milliseconds, median [least-most] of %zu: of the clock, of the processor\n",
	       rounds);
	load_all();
	swap_one(0, 1, "one service of them with other weights");
	swap_one(1, 0, "one service of them with 10 other destinations");
	swap_one_by_nft();
	swap_all();
	read_back();
	flows();
	plan_again();
	ha_nft_close(nft);
	return 0;
}
