/* SPDX-License-Identifier: MIT */
/*
 * libsched in figures, beside what one would write first: CPU nanoseconds of a pick and of its end at 10
 * to 10,000 busy servers of mixed weights; both where connections end in any order; two threads beside
 * one; what a commit costs; memory. Part of no suite. CPU time of the thread is counted, the best of some
 * rounds: others on the machine disturb little, and ratios travel better than nanoseconds.
 *
 *     build/tests/bench/bench_sched [--all | ALGORITHM...]      see usage() below
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
#define SLOTS 65537
#define BATCH 1024    /* picks before their ends, so that both can be timed apart */
#define ROUND_NS 15e6 /* about how long one round of a figure takes */
#define COMMITS 30
#define COMMITS_NS 3e8 /* no more commits after this time, but for a few */

static const size_t sizes[] = {10, 100, 1000, SERVERS_MAX};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double clock_ns; /* what reading the clock twice adds to a time */

static void time_clock(void)
{
	clock_ns = 1e18;
	for (int i = 0; i < 1000; i++) {
		const double start = cpu_ns(), t = cpu_ns() - start;

		clock_ns = t < clock_ns ? t : clock_ns;
	}
}

static bool even; /* all servers have the same weight */

static uint32_t weight_of(size_t i)
{
	return even ? 1 : 1 + (uint32_t)(i * 7 % 16);
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
static uint32_t slot[SLOTS];

static void plain_fill(size_t n)
{
	plain_total = 0;
	for (size_t i = 0; i < n; i++) {
		plain[i] = (struct plain){.weight = weight_of(i), .active = weight_of(i)};
		plain_total += weight_of(i);
		heap[i] = (uint32_t)i;
		deadline[i] = 1.0 / weight_of(i);
	}
	for (uint64_t i = 0; i < SLOTS; i++)
		slot[i] = (uint32_t)((i * 0x9e3779b97f4a7c15u >> 32) * n >> 32);
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

/* What is in every line of the peers: the loop, a number that changes, a count. */
static size_t loop_alone(size_t n)
{
	return ++plain_random & 7; /* there are ten servers at least */
}

/* The floor of any hash by table: a hash as good as maglev's, a look at the slot, one at the server. */
static size_t bare_table(size_t n)
{
	uint64_t h = ++plain_random * 0xa0761d6478bd642fu;

	h = (h ^ h >> 32) * 0xe7037ed1a0b428dbu;
	return slot[(h >> 32) * SLOTS >> 32];
}

static const struct {
	const char *name;
	size_t (*pick)(size_t n);
} peers[] = {
    {"(loop and count alone)", loop_alone},	{"(bare table of 65537)", bare_table},
    {"(scan, least/weight)", scan_for_least},	{"(scan, smooth wrr)", scan_smoothly},
    {"(heap of deadlines)", earliest_deadline}, {"(two choices)", two_choices},
};

static struct cost time_peer(size_t which, size_t n, size_t picks)
{
	uint32_t chosen[BATCH];
	struct cost c = {0, 0};

	for (size_t i = 0; i < picks; i += BATCH) {
		double start = cpu_ns(), middle;

		for (size_t k = 0; k < BATCH; k++) {
			chosen[k] = (uint32_t)peers[which].pick(n);
			plain[chosen[k]].active++;
		}
		middle = cpu_ns();
		for (size_t k = 0; k < BATCH; k++)
			plain[chosen[k]].active--;
		c.pick += middle - start - clock_ns;
		c.done += cpu_ns() - middle - clock_ns;
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
		c.pick += middle - start - clock_ns;
		c.done += cpu_ns() - middle - clock_ns;
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
		c.pick += middle - start - clock_ns;
		c.done += cpu_ns() - middle - clock_ns;
	}
	return (struct cost){c.pick / (double)picks, c.done / (double)picks};
}

/* How a request is made: singly or in bursts, counted or not. */
struct way {
	const char *algo; /* NULL: a peer */
	size_t peer;
	uint32_t flags;
	bool bursts;
};

static struct cost pick_by(const struct way *w, struct lb_picker *p, size_t n, size_t picks)
{
	if (!w->algo)
		return time_peer(w->peer, n, picks);
	return w->bursts ? pick_in_bursts(p, picks, w->flags) : pick_each(p, picks, w->flags);
}

/* The best of some rounds, each as many picks as fit its time. */
static struct cost time_way(const struct way *w, size_t n)
{
	struct lb_group *g = w->algo ? group_of(w->algo, n) : NULL;
	struct lb_picker *p = NULL;
	struct cost best = {1e18, 1e18}, first;
	size_t picks;

	if (w->algo && (!g || lb_picker_new(g, &p) < 0))
		exit(1);
	if (p)
		make_busy(p, n);
	else
		plain_fill(n);
	/* Not among the best: all loads are equal still, which makes it easy for least_conn. */
	first = pick_by(w, p, n, BATCH);
	picks = (size_t)(ROUND_NS / (first.pick + first.done));
	picks = (picks + BATCH) / BATCH * BATCH;
	for (int i = 0; i < ROUNDS; i++)
		best = better(best, pick_by(w, p, n, picks));
	lb_group_free(g);
	return best;
}

/* ---- Two threads ---- */

#define THREADS 2

struct job {
	struct lb_picker *p; /* NULL: nothing but arithmetic */
	_Atomic int *ready;
	int threads;
	double ns; /* a pick and its end */
};

/* In registers alone: what the machine itself gives a second thread. */
static double time_arithmetic(size_t rounds)
{
	uint64_t x = (uint64_t)rounds;
	double start = cpu_ns();

	for (size_t i = 0; i < rounds; i++)
		x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
	__asm__ volatile("" : : "r"(x));
	return (cpu_ns() - start) / (double)rounds;
}

static void *thread_works(void *arg)
{
	struct job *j = arg;
	struct cost c;

	atomic_fetch_add(j->ready, 1);
	while (atomic_load(j->ready) < j->threads) /* all at once */
		;
	if (!j->p) {
		j->ns = time_arithmetic(1 << 23);
		return NULL;
	}
	c = pick_each(j->p, 1 << 18, 0);
	j->ns = c.pick + c.done;
	return NULL;
}

/*
 * CPU of a pick and its end, on average over so many threads that pick in one group, or each in its own (`apart`);
 * `algo` NULL: of arithmetic.
 */
static double time_threads(const char *algo, size_t n, int threads, bool apart)
{
	struct lb_group *group[THREADS] = {NULL};
	_Atomic int ready = 0;
	struct job job[THREADS];
	pthread_t thread[THREADS];
	double sum = 0;

	for (int k = 0; k < threads; k++) {
		const int in = apart ? k : 0;

		job[k] = (struct job){.ready = &ready, .threads = threads};
		if (!algo)
			continue;
		if (!group[in])
			group[in] = group_of(algo, n);
		if (!group[in] || lb_picker_new(group[in], &job[k].p) < 0)
			exit(1);
		if (in == k)
			make_busy(job[k].p, n);
	}
	for (int k = 0; k < threads; k++)
		if (pthread_create(&thread[k], NULL, thread_works, &job[k]))
			exit(1);
	for (int k = 0; k < threads; k++) {
		pthread_join(thread[k], NULL);
		sum += job[k].ns;
	}
	for (int k = 0; k < threads; k++)
		lb_group_free(group[k]);
	return sum / threads;
}

static void keep_less(double *least, double ns)
{
	*least = ns < *least ? ns : *least;
}

/* In turn, so that what else the machine does meets all. All cores must be free for it to mean something. */
static void time_scaling(const char *algo, size_t n)
{
	double one = 1e18, apart = 1e18, shared = 1e18;

	for (int i = 0; i < ROUNDS; i++) {
		keep_less(&one, time_threads(algo, n, 1, false));
		keep_less(&apart, time_threads(algo, n, THREADS, true));
		keep_less(&shared, time_threads(algo, n, THREADS, false));
	}
	printf("%10.1f%10.1f%7.2f", one, apart, THREADS * one / apart);
	if (algo)
		printf("%10.1f%7.2f", shared, THREADS * one / shared);
}

/* ---- Connections that come and go ---- */

/* Each pick follows the end of one of BATCH open connections: of the oldest, or of any of them. Both together. */
static double end_and_pick(struct lb_picker *p, uint64_t open[BATCH], size_t picks, bool any)
{
	struct lb_request r = {.size = sizeof(r)};
	size_t which[BATCH];
	double ns = 0;

	for (size_t i = 0; i < picks; i += BATCH) {
		double start;

		for (size_t k = 0; k < BATCH; k++)
			which[k] = any ? draw(BATCH) : k;
		start = cpu_ns();
		for (size_t k = 0; k < BATCH; k++) {
			lb_done(p, open[which[k]], NULL);
			r.key64 = i + k;
			if (lb_pick(p, &r, &open[which[k]]) < 0)
				open[which[k]] = 0; /* nobody's: ovf has not room for so many */
		}
		ns += cpu_ns() - start - clock_ns;
	}
	return ns / (double)picks;
}

/* In turn, so that what else the machine does meets both. */
static void time_ends(const char *algo, size_t n, double best[2])
{
	struct lb_group *group[2];
	struct lb_picker *p[2];
	uint64_t open[2][BATCH] = {{0}};
	size_t picks[2];

	for (int any = 0; any < 2; any++) {
		group[any] = group_of(algo, n);
		if (!group[any] || lb_picker_new(group[any], &p[any]) < 0)
			exit(1);
		make_busy(p[any], n);
		end_and_pick(p[any], open[any], BATCH, false); /* opens them */
		picks[any] = (size_t)(ROUND_NS / end_and_pick(p[any], open[any], BATCH, any));
		picks[any] = (picks[any] + BATCH) / BATCH * BATCH;
		best[any] = 1e18;
	}
	for (int i = 0; i < ROUNDS; i++)
		for (int any = 0; any < 2; any++)
			keep_less(&best[any], end_and_pick(p[any], open[any], picks[any], any));
	for (int any = 0; any < 2; any++)
		lb_group_free(group[any]);
}

/* ---- Commits and memory ---- */

static void time_commit(const char *algo)
{
	struct lb_group *g = group_of(algo, SERVERS_MAX);
	double publish = 1e18, adopt = 1e18, begun = cpu_ns();
	struct lb_picker *p;
	uint64_t id;

	if (!g || lb_picker_new(g, &p) < 0)
		exit(1);
	for (uint32_t i = 0; i < COMMITS && (i < 3 || cpu_ns() - begun < COMMITS_NS); i++) {
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

static void head(const char *what)
{
	printf("%-32s", what);
	for (size_t k = 0; k < N_SIZES; k++)
		printf("%16zu", sizes[k]);
	printf(" servers\n");
}

static void row(const char *name, const struct way *w)
{
	printf("%-32s", name);
	for (size_t k = 0; k < N_SIZES; k++) {
		struct cost c = time_way(w, sizes[k]);

		printf("%9.1f %6.1f", c.pick, c.done);
		fflush(stdout);
	}
	printf("\n");
}

static void rows_of(const char *algo)
{
	struct way w = {.algo = algo};
	char name[64];

	row(algo, &w);
	snprintf(name, sizeof(name), "%s, bursts", algo);
	w.bursts = true;
	row(name, &w);
	if (strcmp(algo, "maglev") && strcmp(algo, "p2c"))
		return;
	w.flags = LB_REQUEST_UNCOUNTED;
	snprintf(name, sizeof(name), "%s, bursts, uncounted", algo);
	row(name, &w);
	w.bursts = false;
	snprintf(name, sizeof(name), "%s, uncounted", algo);
	row(name, &w);
	if (!strcmp(algo, "maglev"))
		return;
	even = true;
	snprintf(name, sizeof(name), "%s, equal weights, uncounted", algo);
	row(name, &w);
	w.flags = 0;
	snprintf(name, sizeof(name), "%s, equal weights", algo);
	row(name, &w);
	even = false;
}

/* What the table costs: commits of a group with it, less those of one without. */
static double time_edit(const char *algo, size_t n)
{
	struct lb_group *g = group_of(algo, n);
	double best = 1e18;

	if (!g)
		exit(1);
	for (uint32_t i = 0; i < COMMITS; i++) {
		double start = cpu_ns(), t;

		lb_server_set_weight(g, 1 + i * 97 % n, 20 + i);
		lb_group_commit(g);
		t = cpu_ns() - start - clock_ns;
		best = t < best ? t : best;
	}
	lb_group_free(g);
	return best;
}

static void table_of_maglev(void)
{
	printf("\n%-32s", "ms: maglev's table");
	for (size_t k = 0; k < N_SIZES; k++)
		printf("%16.2f", (time_edit("maglev", sizes[k]) - time_edit("rr", sizes[k])) / 1e6);
	printf("\n");
}

static void row_of_ends(const char *algo)
{
	printf("%-32s", algo);
	for (size_t k = 0; k < N_SIZES; k++) {
		double ns[2];

		time_ends(algo, sizes[k], ns);
		printf("%9.1f %6.1f", ns[0], ns[1]);
		fflush(stdout);
	}
	printf("\n");
}

static void scaling(const char *algo)
{
	printf("%-32s", algo ? algo : "(arithmetic: the machine's own)");
	time_scaling(algo, 1000);
	if (algo)
		time_commit(algo);
	printf("\n");
	fflush(stdout);
}

/* What docs/decisions/libsched-speed.md is about. */
static const char *const usual[] = {
    "maglev",	  "p2c", "rr",	      "wrr",	    "roundrobin",
    "smooth-wrr", "wlc", "leastconn", "least_conn", "least-connections-member",
};

static int usage(FILE *to, int status)
{
	fprintf(
	    to,
	    "usage: bench_sched [--all | ALGORITHM...]\n\n"
	    "  CPU nanoseconds of lb_pick() and of lb_done(), beside what one would write first\n"
	    "  (in parentheses, inlined into the loop): 1,024 picks, singly or by lb_pick_many() "
	    "in bursts of\n"
	    "  64, then their ends in the same order.\n"
	    "  Both together among 1,024 open connections: the oldest of them ends before each "
	    "pick,\n"
	    "  or any, which is what a balancer's clients do and a processor cannot guess.\n"
	    "  Two threads beside one; commits; memory.\n"
	    "  Without a word: those the project states figures of, about a minute. --all: every\n"
	    "  algorithm, two or three. Each line comes when it is measured.\n");
	return status;
}

static bool is_algo(const char *name)
{
	for (size_t i = 0; lb_algo_name(i); i++)
		if (!strcmp(lb_algo_name(i), name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	const char *name[64];
	size_t n = 0;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return usage(stdout, 0);
	if (argc == 2 && !strcmp(argv[1], "--all"))
		for (; lb_algo_name(n); n++)
			name[n] = lb_algo_name(n);
	else
		for (int i = 1; i < argc && n < 64; i++) {
			if (!is_algo(argv[i])) {
				fprintf(stderr, "bench_sched: no algorithm \"%s\"\n\n", argv[i]);
				return usage(stderr, 2);
			}
			name[n++] = argv[i];
		}
	for (size_t i = 0; argc == 1 && i < sizeof(usual) / sizeof(usual[0]); i++)
		name[n++] = usual[i];
	mallopt(M_MMAP_THRESHOLD, 1 << 30); /* else each commit pays for fresh pages */
	mallopt(M_TRIM_THRESHOLD, -1);
	time_clock();
	head("CPU ns: pick, end");
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++)
		row(peers[i].name, &(struct way){.peer = i});
	for (size_t i = 0; i < n; i++)
		rows_of(name[i]);
	table_of_maglev();
	printf("\n");
	head("CPU ns, both: oldest ends, any");
	for (size_t i = 0; i < n; i++)
		row_of_ends(name[i]);
	printf("\n%-32s%10s%17s%17s%19s%19s\n", "1000 servers: CPU ns pick + end", "one thread",
	       "two apart scale", "together scale", "10,000: commit", "first pick after");
	scaling(NULL);
	for (size_t i = 0; i < n; i++)
		scaling(name[i]);
	printf("\nbytes for each server: %.0f, and %.0f more for each picker\n",
	       bytes_per_server(false), bytes_per_server(true) - bytes_per_server(false));
	return 0;
}
