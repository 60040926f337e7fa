/* SPDX-License-Identifier: MIT */
/*
 * Nanoseconds a pick, for each algorithm and 10, 100 and 1000 busy servers of mixed weights, each request
 * ended at once, beside a plain linear wlc scan over an array in the same run. Part of no suite: run it on
 * a quiet machine. The ratio travels better than the nanoseconds.
 *
 *     build/tests/bench/bench_pick [PICKS]
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <libsched/lb.h>

#define SERVERS_MAX 1000
#define ROUNDS 7 /* the best of */

static const size_t sizes[] = {10, 100, 1000};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t weight_of(size_t i)
{
	return 1 + (uint32_t)(i * 7 % 16);
}

/* ---- The peer: what one would write first ---- */

struct plain {
	uint64_t weight, active;
};

static size_t plain_pick(struct plain *at, size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (at[i].active * at[best].weight < at[best].active * at[i].weight)
			best = i;
	at[best].active++;
	return best;
}

static double time_plain(size_t n, size_t picks)
{
	static struct plain at[SERVERS_MAX];
	double start;

	for (size_t i = 0; i < n; i++)
		at[i] = (struct plain){.weight = weight_of(i), .active = weight_of(i)};
	start = now();
	for (size_t i = 0; i < picks; i++)
		at[plain_pick(at, n)].active--;
	return (now() - start) / (double)picks;
}

/* ---- libsched ---- */

static struct lb_group *group_of(const char *algo, size_t n)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo};
	struct lb_group *g = NULL;

	if (lb_group_new(&o, &g) < 0)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		struct lb_server_opts s = {.size = sizeof(s), .weight = weight_of(i)};

		if (lb_server_add(g, &s, NULL) < 0)
			return NULL;
	}
	return lb_group_commit(g) < 0 ? NULL : g;
}

static double time_algo(const char *algo, size_t n, size_t picks)
{
	struct lb_group *g = group_of(algo, n);
	struct lb_request r = {.size = sizeof(r)};
	struct lb_picker *p;
	uint64_t id;
	double start, spent;

	if (!g || lb_picker_new(g, &p) < 0)
		exit(1);
	/* An idle server would end every search for the least; more than its weight ovf refuses. */
	for (uint64_t i = 1; i <= n; i++)
		lb_count(p, i, LB_COUNTER_ACTIVE, weight_of(i - 1));
	start = now();
	for (size_t i = 0; i < picks; i++) {
		r.key64 = i;
		if (lb_pick(p, &r, &id) < 0 || lb_done(p, id, NULL) < 0)
			exit(1);
	}
	spent = (now() - start) / (double)picks;
	lb_group_free(g);
	return spent;
}

/* ---- The table ---- */

/* Fewer picks for more servers: the same time for each cell, about. */
static double best_of(const char *algo, size_t n, size_t picks)
{
	double best = 1e18;

	picks = picks * 10 / n + 1000;
	for (int i = 0; i < ROUNDS; i++) {
		double ns = algo ? time_algo(algo, n, picks) : time_plain(n, picks);

		best = ns < best ? ns : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	size_t picks = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
	double plain[N_SIZES];

	printf("%-14s", "ns/pick+done");
	for (size_t k = 0; k < N_SIZES; k++)
		printf("%9zu servers (x plain)", sizes[k]);
	printf("\n%-14s", "plain wlc");
	for (size_t k = 0; k < N_SIZES; k++) {
		plain[k] = best_of(NULL, sizes[k], picks);
		printf("%17.1f %12.2f", plain[k], 1.0);
	}
	printf("\n");
	for (size_t i = 0; lb_algo_name(i); i++) {
		printf("%-14s", lb_algo_name(i));
		for (size_t k = 0; k < N_SIZES; k++) {
			double ns = best_of(lb_algo_name(i), sizes[k], picks);

			printf("%17.1f %12.2f", ns, ns / plain[k]);
		}
		printf("\n");
	}
	return 0;
}
