/* SPDX-License-Identifier: MIT */
/*
 * libsched in figures, beside what one would write first: CPU nanoseconds of a pick and of its end at 10
 * to 10,000 busy servers of mixed weights; two threads beside one; what a commit costs; memory. Part of
 * no suite. CPU time of the thread is counted, the best of some rounds: others on the machine disturb
 * little, and ratios travel better than nanoseconds.
 *
 *     build/tests/bench/bench_sched [ALGORITHM]...         all of them without a word
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libsched/lb.h>

#define SERVERS_MAX 10000
#define ROUNDS 5
#define BURST 64
#define BATCH 1024 /* picks before their ends, so that both can be timed apart */

static const size_t sizes[] = {10, 100, 1000, SERVERS_MAX};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint32_t weight_of(size_t i)
{
	return 1 + (uint32_t)(i * 7 % 16);
}

struct cost {
	double pick, done;
};

static struct cost better(struct cost a, struct cost b)
{
	return (struct cost){a.pick < b.pick ? a.pick : b.pick, a.done < b.done ? a.done : b.done};
}

/* ---- What one would write first ---- */

struct plain {
	uint64_t weight, active;
	int64_t current;
};

static struct plain plain[SERVERS_MAX];
static uint64_t plain_total;
static uint32_t heap[SERVERS_MAX]; /* of places, by deadline */
static double deadline[SERVERS_MAX];
static uint64_t plain_random = 1;

static void plain_fill(size_t n)
{
	plain_total = 0;
	for (size_t i = 0; i < n; i++) {
		plain[i] = (struct plain){.weight = weight_of(i), .active = weight_of(i)};
		plain_total += weight_of(i);
		heap[i] = (uint32_t)i;
		deadline[i] = 1.0 / weight_of(i);
	}
}

static size_t scan_for_least(size_t n)
{
	size_t best = 0;

	for (size_t i = 1; i < n; i++)
		if (plain[i].active * plain[best].weight < plain[best].active * plain[i].weight)
			best = i;
	return best;
}

static size_t scan_smoothly(size_t n)
{
	size_t best = 0;

	for (size_t i = 0; i < n; i++) {
		plain[i].current += (int64_t)plain[i].weight;
		if (plain[i].current > plain[best].current)
			best = i;
	}
	plain[best].current -= (int64_t)plain_total;
	return best;
}

static size_t earliest_deadline(size_t n)
{
	uint32_t first = heap[0];
	size_t i = 0;

	deadline[first] += 1.0 / (double)plain[first].weight;
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		child += child + 1 < n && deadline[heap[child + 1]] < deadline[heap[child]];
		if (deadline[heap[child]] >= deadline[first])
			break;
		heap[i] = heap[child];
	}
	heap[i] = first;
	return first;
}

static size_t draw(size_t n)
{
	plain_random ^= plain_random << 13;
	plain_random ^= plain_random >> 7;
	plain_random ^= plain_random << 17;
	return (size_t)((plain_random >> 32) * n >> 32);
}

static size_t two_choices(size_t n)
{
	size_t a = draw(n), b = draw(n);

	return plain[b].active * plain[a].weight < plain[a].active * plain[b].weight ? b : a;
}

static const struct {
	const char *name;
	size_t (*pick)(size_t n);
} peers[] = {
    {"(scan, least/weight)", scan_for_least},
    {"(scan, smooth wrr)", scan_smoothly},
    {"(heap of deadlines)", earliest_deadline},
    {"(two choices)", two_choices},
};

static struct cost time_peer(size_t which, size_t n, size_t picks)
{
	uint32_t chosen[BATCH];
	struct cost c = {0, 0};

	plain_fill(n);
	for (size_t i = 0; i < picks; i += BATCH) {
		double start = cpu_ns(), middle;

		for (size_t k = 0; k < BATCH; k++) {
			chosen[k] = (uint32_t)peers[which].pick(n);
			plain[chosen[k]].active++;
		}
		middle = cpu_ns();
		for (size_t k = 0; k < BATCH; k++)
			plain[chosen[k]].active--;
		c.pick += middle - start;
		c.done += cpu_ns() - middle;
	}
	return (struct cost){c.pick / (double)picks, c.done / (double)picks};
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

/* An idle server would end every search for the least; more than its weight ovf refuses. */
static void make_busy(struct lb_picker *p, size_t n)
{
	for (uint64_t i = 1; i <= n; i++)
		lb_count(p, i, LB_COUNTER_ACTIVE, weight_of(i - 1));
}

static struct cost pick_each(struct lb_picker *p, size_t picks, uint32_t flags)
{
	struct lb_request r = {.size = sizeof(r), .flags = flags};
	uint64_t id[BATCH];
	struct cost c = {0, 0};

	for (size_t i = 0; i < picks; i += BATCH) {
		double start = cpu_ns(), middle;
		size_t got = 0;

		for (size_t k = 0; k < BATCH; k++) {
			r.key64 = i + k;
			got += lb_pick(p, &r, &id[got]) == 0;
		}
		middle = cpu_ns();
		for (size_t k = 0; k < got && !flags; k++)
			lb_done(p, id[k], NULL);
		c.pick += middle - start;
		c.done += cpu_ns() - middle;
	}
	return (struct cost){c.pick / (double)picks, c.done / (double)picks};
}

/* The same through lb_pick_many(), as a data path that gets its packets in bursts of 64. */
static struct cost pick_in_bursts(struct lb_picker *p, size_t picks, uint32_t flags)
{
	struct lb_request r = {.size = sizeof(r), .flags = flags};
	uint64_t id[BATCH];
	struct cost c = {0, 0};

	for (size_t i = 0; i < picks; i += BATCH) {
		double start, middle;

		for (size_t k = 0; k < BATCH; k++)
			id[k] = i + k;
		start = cpu_ns();
		for (size_t k = 0; k < BATCH; k += BURST)
			if (lb_pick_many(p, &r, id + k, BURST, id + k) != BURST)
				exit(1);
		middle = cpu_ns();
		for (size_t k = 0; k < BATCH && !flags; k++)
			lb_done(p, id[k], NULL);
		c.pick += middle - start;
		c.done += cpu_ns() - middle;
	}
	return (struct cost){c.pick / (double)picks, c.done / (double)picks};
}

static struct cost time_algo(const char *algo, size_t n, size_t picks, uint32_t flags, bool bursts)
{
	struct lb_group *g = group_of(algo, n);
	struct cost best = {1e18, 1e18};
	struct lb_picker *p;

	if (!g || lb_picker_new(g, &p) < 0)
		exit(1);
	make_busy(p, n);
	for (int i = 0; i < ROUNDS; i++)
		best = better(best, bursts ? pick_in_bursts(p, picks, flags)
					   : pick_each(p, picks, flags));
	lb_group_free(g);
	return best;
}

/* ---- Two threads ---- */

struct job {
	struct lb_picker *p;
	_Atomic int *ready;
	struct cost cost;
};

static void *thread_picks(void *arg)
{
	struct job *j = arg;

	atomic_fetch_add(j->ready, 1);
	while (atomic_load(j->ready) < 2) /* both at once */
		;
	j->cost = pick_each(j->p, 1 << 19, 0);
	return NULL;
}

/* CPU of a pick and its end with two threads; both cores must be free for it to mean something. */
static double time_two_threads(const char *algo, size_t n)
{
	double best = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		struct lb_group *g = group_of(algo, n);
		_Atomic int ready = 0;
		struct job job[2];
		pthread_t thread[2];
		double mine = 0;

		for (size_t k = 0; k < 2; k++) {
			job[k] = (struct job){.ready = &ready};
			if (!g || lb_picker_new(g, &job[k].p) < 0)
				exit(1);
		}
		make_busy(job[0].p, n);
		for (size_t k = 0; k < 2; k++)
			if (pthread_create(&thread[k], NULL, thread_picks, &job[k]))
				exit(1);
		for (size_t k = 0; k < 2; k++) {
			pthread_join(thread[k], NULL);
			mine += (job[k].cost.pick + job[k].cost.done) / 2;
		}
		best = mine < best ? mine : best;
		lb_group_free(g);
	}
	return best;
}

/* ---- Commits and memory ---- */

static void time_commit(const char *algo)
{
	struct lb_group *g = group_of(algo, SERVERS_MAX);
	double publish = 1e18, adopt = 1e18;
	struct lb_picker *p;
	uint64_t id;

	if (!g || lb_picker_new(g, &p) < 0)
		exit(1);
	for (uint32_t i = 0; i < 30; i++) {
		double start = cpu_ns(), middle;

		lb_server_set_weight(g, 1 + i * 97 % SERVERS_MAX, 20 + i);
		lb_group_commit(g);
		middle = cpu_ns();
		lb_pick(p, NULL, &id);
		if (cpu_ns() - middle < adopt)
			adopt = cpu_ns() - middle;
		if (middle - start < publish)
			publish = middle - start;
	}
	printf("%16.3f ms %15.3f ms", publish / 1e6, adopt / 1e6);
	lb_group_free(g);
}

static double bytes_per_server(bool picker)
{
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd, after;
	struct lb_group *g = group_of("rr", SERVERS_MAX);
	struct lb_picker *p;

	if (!g || (picker && lb_picker_new(g, &p) < 0))
		exit(1);
	after = mallinfo2().uordblks + mallinfo2().hblkhd;
	lb_group_free(g);
	return (double)(after - before) / SERVERS_MAX;
}

/* ---- The tables ---- */

static size_t picks_for(double ns_each)
{
	size_t n = (size_t)(2e7 / ns_each); /* 20 ms */

	return (n < 512 ? 512 : n) / BATCH * BATCH;
}

static void row(const char *name, size_t peer, const char *algo, uint32_t flags, bool bursts)
{
	printf("%-32s", name);
	for (size_t k = 0; k < N_SIZES; k++) {
		struct cost c = {1e18, 1e18};

		for (int i = 0; i < (algo ? 1 : ROUNDS); i++) {
			double guess = algo ? 40 : 1 + (double)sizes[k];

			c = better(c,
				   algo ? time_algo(algo, sizes[k], picks_for(guess), flags, bursts)
					: time_peer(peer, sizes[k], picks_for(guess)));
		}
		printf("%9.1f %6.1f", c.pick, c.done);
	}
	printf("\n");
	fflush(stdout);
}

static void scaling(const char *algo)
{
	const size_t n = 1000;
	struct cost one = time_algo(algo, n, 1 << 19, 0, false);
	double two = time_two_threads(algo, n);

	printf("%-32s%13.1f%13.1f%12.2f", algo, one.pick + one.done, two,
	       2 * (one.pick + one.done) / two);
	time_commit(algo);
	printf("\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *name;

	mallopt(M_MMAP_THRESHOLD, 1 << 30); /* else each commit pays for fresh pages */
	mallopt(M_TRIM_THRESHOLD, -1);
	printf("%-32s", "CPU ns: pick, end");
	for (size_t k = 0; k < N_SIZES; k++)
		printf("%16zu", sizes[k]);
	printf(" servers\n");
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		row(peers[i].name, i, NULL, 0, false);
	for (int i = 0; argc > 1 ? i < argc - 1 : lb_algo_name((size_t)i) != NULL; i++) {
		name = argc > 1 ? argv[1 + i] : lb_algo_name((size_t)i);
		row(name, 0, name, 0, false);
		if (!strcmp(name, "p2c"))
			row("p2c, bursts", 0, name, 0, true);
		if (strcmp(name, "maglev"))
			continue;
		row("maglev, uncounted", 0, name, LB_REQUEST_UNCOUNTED, false);
		row("maglev, bursts", 0, name, 0, true);
		row("maglev, bursts, uncounted", 0, name, LB_REQUEST_UNCOUNTED, true);
	}
	printf("\n%-32s%13s%13s%12s%19s%19s\n", "1000 servers: CPU ns pick + end", "one thread",
	       "two threads", "scales", "10,000: commit", "first pick after");
	for (int i = 0; argc > 1 ? i < argc - 1 : lb_algo_name((size_t)i) != NULL; i++)
		scaling(argc > 1 ? argv[1 + i] : lb_algo_name((size_t)i));
	printf("\nbytes for each server: %.0f, and %.0f more for each picker\n",
	       bytes_per_server(false), bytes_per_server(true) - bytes_per_server(false));
	return 0;
}
