/* SPDX-License-Identifier: MIT */
/*
 * Nanoseconds a pick without its counters, and milliseconds a commit of one edit, for the hashes and the
 * load based algorithms at 10, 100, 1000 and 10,000 servers, each beside what one would write first for the
 * same, in the same run. Part of no suite. The ratio travels better than the figures; bench_sched has the counters.
 *
 *     build/tests/bench/bench_algos [ALGORITHM]...          all of them without a word
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libsched/lb.h>
#include <libsched/lb_hash.h>

#define SERVERS_MAX 10000
#define SLOTS 65537
#define ROUNDS 5 /* the best of */
#define PICKS 200000

static const size_t sizes[] = {10, 100, 1000, 10000};

#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* CPU time of this thread: others on the machine disturb little. */
static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* ---- What one would write first ---- */

static struct {
	uint32_t active, weight;
	int64_t gained;
} server[SERVERS_MAX];
static uint32_t table[SLOTS];
static struct point {
	uint32_t hash, place;
} ring[SERVERS_MAX * 160];
static size_t n_servers, n_points;
static uint64_t chance;

static int by_hash(const void *a, const void *b)
{
	const struct point *left = a, *right = b;

	return (left->hash > right->hash) - (left->hash < right->hash);
}

static void prepare(size_t n)
{
	n_servers = n;
	n_points = 0;
	for (size_t i = 0; i < n; i++) {
		server[i].active = 1;
		server[i].weight = 1 + (uint32_t)i % 4;
		server[i].gained = 0;
		for (uint32_t k = 0; k < 160; k++)
			ring[n_points++] = (struct point){(uint32_t)mix(i << 16 | k), (uint32_t)i};
	}
	qsort(ring, n_points, sizeof(ring[0]), by_hash);
	for (size_t i = 0; i < SLOTS; i++)
		table[i] = (uint32_t)(mix(i) % n);
}

static size_t plain_table(uint64_t key)
{
	return table[mix(key) % SLOTS];
}

static size_t plain_ring(uint64_t key)
{
	uint32_t hash = (uint32_t)mix(key);
	size_t low = 0, high = n_points;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ring[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return ring[low < n_points ? low : 0].place;
}

static size_t plain_rendezvous(uint64_t key)
{
	uint64_t most = 0;
	size_t best = 0;

	for (size_t i = 0; i < n_servers; i++) {
		uint64_t h = mix(key ^ mix(i + 1));

		if (h > most) {
			most = h;
			best = i;
		}
	}
	return best;
}

static size_t plain_jump(uint64_t key)
{
	int64_t b = -1, next = 0;

	key = mix(key);
	while (next < (int64_t)n_servers) {
		b = next;
		key = key * 2862933555777941757u + 1;
		next = (int64_t)((double)(b + 1) * (2147483648.0 / (double)((key >> 33) + 1)));
	}
	return (size_t)b;
}

static size_t plain_p2c(uint64_t key)
{
	size_t a, b;

	chance += 0x9e3779b97f4a7c15u;
	a = (size_t)((mix(chance) >> 32) * n_servers >> 32);
	chance += 0x9e3779b97f4a7c15u;
	b = (size_t)((mix(chance) >> 32) * n_servers >> 32);
	return server[b].active < server[a].active ? b : a;
}

static size_t plain_smooth(uint64_t key)
{
	int64_t total = 0;
	size_t best = 0;

	for (size_t i = 0; i < n_servers; i++) {
		server[i].gained += server[i].weight;
		total += server[i].weight;
		if (server[i].gained > server[best].gained)
			best = i;
	}
	server[best].gained -= total;
	return best;
}

static size_t plain_least(uint64_t key)
{
	size_t best = 0;

	for (size_t i = 1; i < n_servers; i++)
		if ((uint64_t)server[i].active * server[best].weight <
		    (uint64_t)server[best].active * server[i].weight)
			best = i;
	return best;
}

/* ---- libsched ---- */

static struct lb_group *group_of(const char *algo, uint32_t flags, size_t n)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = algo, .flags = flags, .points = 0};
	struct lb_group *g;

	if (lb_group_new(&o, &g) < 0)
		exit(1);
	for (size_t i = 0; i < n; i++) {
		struct lb_server_opts s = {
		    .size = sizeof(s), .id = i + 1, .weight = 1 + (uint32_t)i % 4};

		if (lb_server_add(g, &s, NULL) < 0)
			exit(1);
	}
	if (lb_group_commit(g) < 0)
		exit(1);
	return g;
}

/* ns a pick; every server busy, as an idle one ends many a search. */
static double time_picks(struct lb_group *g, size_t n, size_t picks)
{
	struct lb_request r = {.size = sizeof(r), .flags = LB_REQUEST_UNCOUNTED};
	struct lb_picker *p;
	uint64_t id;
	double start, spent;

	if (lb_picker_new(g, &p) < 0)
		exit(1);
	for (uint64_t i = 1; i <= n; i++)
		lb_count(p, i, LB_COUNTER_ACTIVE, 1);
	start = now();
	for (size_t i = 0; i < picks; i++) {
		r.key64 = i;
		r.now_ns = i;
		if (lb_pick(p, &r, &id) < 0)
			exit(1);
	}
	spent = (now() - start) / (double)picks;
	for (uint64_t i = 1; i <= n; i++)
		lb_count(p, i, LB_COUNTER_ACTIVE, -1);
	lb_picker_free(p);
	return spent;
}

static double time_commit(struct lb_group *g)
{
	double start;

	lb_server_set_up(g, 1, false);
	start = now();
	if (lb_group_commit(g) < 0)
		exit(1);
	start = now() - start;
	lb_server_set_up(g, 1, true);
	if (lb_group_commit(g) < 0)
		exit(1);
	return start / 1e6;
}

static double time_plain(size_t (*pick)(uint64_t key), size_t picks)
{
	static volatile size_t sink;
	double start = now();

	for (size_t i = 0; i < picks; i++)
		sink = pick(i);
	(void)sink;
	return (now() - start) / (double)picks;
}

/* ---- The table ---- */

static const struct {
	const char *algo;
	uint32_t flags;
	const char *peer;
	size_t (*plain)(uint64_t key);
	bool linear; /* fewer picks for more servers */
} rows[] = {
    {"maglev", 0, "a table, hash %", plain_table, false},
    {"hash", 0, "a table, hash %", plain_table, false},
    {"hash", LB_GROUP_CONSISTENT, "ring, binary search", plain_ring, false},
    {"bounded", 0, "ring, binary search", plain_ring, true},
    {"ketama", 0, "ring, binary search", plain_ring, false},
    {"anchor", 0, "rendezvous", plain_rendezvous, true},
    {"dx", 0, "rendezvous", plain_rendezvous, true},
    {"jump", 0, "jump", plain_jump, false},
    {"ip_hash", 0, "a table, hash %", plain_table, false},
    {"nginx-hash", 0, "a table, hash %", plain_table, false},
    {"random", 0, "p2c, unweighted", plain_p2c, false},
    {"p2c", 0, "p2c, unweighted", plain_p2c, false},
    {"jiq", 0, "p2c, unweighted", plain_p2c, false},
    {"peak-ewma", 0, "p2c, unweighted", plain_p2c, false},
    {"prequal", 0, "p2c, unweighted", plain_p2c, false},
    {"smooth-wrr", 0, "smooth, all servers", plain_smooth, true},
    {"least_conn", 0, "least, all servers", plain_least, true},
    {"leastconn", 0, "least, all servers", plain_least, true},
    {"least-connections-member", 0, "least, all servers", plain_least, true},
    {"observed-member", 0, "smooth, all servers", plain_smooth, true},
    {"roundrobin", 0, "smooth, all servers", plain_smooth, true},
    {"static-rr", 0, "smooth, all servers", plain_smooth, true},
};

static void measure(size_t i, size_t n, size_t picks)
{
	size_t some = rows[i].linear ? picks * 10 / n + 1000 : picks;
	double ns = 1e18, plain = 1e18, ms = 1e18;
	struct lb_group *g = group_of(rows[i].algo, rows[i].flags, n);

	for (int k = 0; k < ROUNDS; k++) {
		double t = time_picks(g, n, some);

		ns = t < ns ? t : ns;
		t = time_plain(rows[i].plain, some);
		plain = t < plain ? t : plain;
		t = time_commit(g);
		ms = t < ms ? t : ms;
	}
	printf("%10.1f %8.1f %9.3f", ns, plain, ms);
	lb_group_free(g);
}

static bool is_asked_for(const char *algo, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], algo))
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	printf("ns a pick, ns of the peer, ms a commit\n%-27s%-21s", "", "peer");
	for (size_t k = 0; k < N_SIZES; k++)
		printf("%21zu servers", sizes[k]);
	printf("\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!is_asked_for(rows[i].algo, argc, argv))
			continue;
		printf("%-27s%-21s", rows[i].flags ? "hash, consistent" : rows[i].algo,
		       rows[i].peer);
		for (size_t k = 0; k < N_SIZES; k++) {
			prepare(sizes[k]);
			measure(i, sizes[k], PICKS);
			fflush(stdout);
		}
		printf("\n");
	}
	return 0;
}
