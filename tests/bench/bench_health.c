/* SPDX-License-Identifier: MIT */
/*
 * The checker that tools/bench health puts beside haproxy and keepalived: one engine, one thread, TARGETS servers at
 * 127.x.y.z and one PORT, each asked every INTERVAL milliseconds for SECONDS. The bench counts connections and CPU from
 * outside; this prints what only it can know.
 *
 *	bench_health tcp|http|tls|tls-1.2|tls-full PORT TARGETS INTERVAL SECONDS
 *	bench_health burst PORT              10,000 checks by tcp, one each a second, no limit set: how many of the planned
 *	                                     are made, how evenly they start, and what one takes while it waits
 */
#include <arpa/inet.h>
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <libhealth/health.h>
#include <libhealth/probe_http.h>
#ifdef HAVE_TLS
#include <libhealth/tls.h>
#endif

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define BURST_CHECKS 10000u
#define BURST_SECONDS 5u
#define BURST_AFTER (1 * S) /* by then every check has had its first time */
#define SLOT (10 * MS)
#define SLACK_NS (20 * MS) /* as vipd and proxyd have it */

static uint32_t slot[(BURST_SECONDS + 1) * 100]; /* starts in each 10 ms, from the first on */
static uint32_t delivered; /* of the starts planned for BURST_SECONDS, BURST_AFTER the beginning */
static uint64_t began_ns;
static bool burst;

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "%s: %s\n", what, strerror(-error));
	exit(1);
}

static void on_result(struct health_check *c, const struct health_result *r, void *userdata)
{
	uint64_t start = r->start_ns - began_ns, planned = start - r->late_ns;

	if (burst && start / SLOT < sizeof(slot) / sizeof(*slot))
		slot[start / SLOT]++;
	delivered += burst && planned >= BURST_AFTER && planned < BURST_AFTER + BURST_SECONDS * S;
}

static const struct health_transport *transport_of(const char *mode)
{
#ifdef HAVE_TLS
	struct health_tls_opts o = {.size = sizeof(o)};
	struct health_tls *tls;
	int r;

	if (!strcmp(mode, "tls-full"))
		o.flags = HEALTH_TLS_NO_RESUMPTION;
	if (!strcmp(mode, "tls-1.2"))
		o.max_version = HEALTH_TLS_1_2;
	if (strncmp(mode, "tls", 3))
		return NULL;
	r = health_tls_new(&o, NULL, 0, &tls);
	if (r < 0)
		fail("health_tls_new", r);
	return health_tls_transport(tls);
#else
	if (!strncmp(mode, "tls", 3))
		fail("built without OpenSSL", 0);
	return NULL;
#endif
}

static void add_checks(struct health_engine *e, const char *mode, uint16_t port, uint32_t targets,
		       uint64_t interval_ns)
{
	const struct health_filter_opts f = {.size = sizeof(f), .interval_ns = interval_ns};
	const struct health_transport *transport = transport_of(mode);
	struct health_probe *probe = NULL;
	int r = 0;

	if (!strcmp(mode, "http"))
		r = health_probe_new(health_probe_http(), NULL, &probe);
	for (uint32_t i = 0; r == 0 && i < targets; i++) {
		struct sockaddr_in to = {
		    .sin_family = AF_INET,
		    .sin_port = htons(port),
		    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + i),
		};
		const struct health_check_opts o = {
		    .size = sizeof(o),
		    .destination = (struct sockaddr *)&to,
		    .destination_len = sizeof(to),
		    .filter = &f,
		    .probe = probe,
		    .transport = transport,
		    .timeout_ns = 2 * S,
		};
		struct health_check *c;

		r = health_check_add(e, &o, NULL, &c);
	}
	if (r < 0)
		fail("health_check_add", r);
}

/* Until `ns` have passed. */
static void run(struct health_engine *e, uint64_t ns)
{
	struct pollfd p = {.fd = health_engine_fd(e), .events = POLLIN};
	uint64_t now = began_ns;

	while (now - began_ns < ns) {
		uint64_t deadline = health_engine_deadline(e), left;
		struct timespec wait;

		left = deadline <= now ? 0 : deadline - now;
		wait = (struct timespec){.tv_sec = (time_t)(left / S) < 1 ? 0 : 1,
					 .tv_nsec = (long)(left % S)};
		ppoll(&p, 1, &wait, NULL);
		now = read_clock(CLOCK_MONOTONIC);
		health_engine_dispatch(e, now);
	}
}

static void tell_burst(void)
{
	uint32_t most = 0, at = 0;

	for (uint32_t i = 0; i < sizeof(slot) / sizeof(*slot); i++)
		if (slot[i] > most)
			most = slot[at = i];
	printf(
	    "burst: %u of %u checks planned for %u s; the most in 10 ms: %u, at %u ms; the mean: "
	    "%.0f; ratio %.2f\n",
	    delivered, BURST_CHECKS * BURST_SECONDS, BURST_SECONDS, most, at * 10,
	    BURST_CHECKS / 100.0, most / (BURST_CHECKS / 100.0));
}

int main(int argc, char **argv)
{
	const struct health_engine_ops ops = {.size = sizeof(ops), .result = on_result};
	struct health_engine_opts eo = {
	    .size = sizeof(eo), .ops = &ops, .rate = 1000000, .burst = 1000, .max_in_flight = 512,
	    .slack_ns = SLACK_NS};
	const struct rlimit files = {8192, 8192};
	struct health_engine_stats s = {.size = sizeof(s)};
	struct health_engine *e;
	uint64_t cpu;
	size_t heap;
	int r;

	burst = argc == 3 && !strcmp(argv[1], "burst");
	if (!burst && argc != 6)
		return fprintf(stderr, "usage: bench_health tcp|http|tls|tls-1.2|tls-full PORT "
				       "TARGETS INTERVAL SECONDS | burst PORT\n"),
		       2;
	setrlimit(RLIMIT_NOFILE, &files);
	if (burst)
		eo.rate = eo.burst = eo.max_in_flight = 0;
	r = health_engine_new(&eo, &e);
	if (r < 0)
		fail("health_engine_new", r);
	heap = mallinfo2().uordblks;
	if (burst)
		add_checks(e, "tcp", (uint16_t)atoi(argv[2]), BURST_CHECKS, S);
	else
		add_checks(e, argv[1], (uint16_t)atoi(argv[2]), (uint32_t)atoi(argv[3]),
			   (uint64_t)atoi(argv[4]) * MS);
	heap = mallinfo2().uordblks - heap;
	began_ns = read_clock(CLOCK_MONOTONIC);
	cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	run(e, burst ? BURST_AFTER + BURST_SECONDS * S + S / 2 : (uint64_t)atoi(argv[5]) * S);
	cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	health_engine_stats(e, &s);
	if (burst) {
		tell_burst();
		printf("idle: %zu bytes of heap for each tcp check\n", heap / BURST_CHECKS);
	}
	printf(
	    "ended %llu ok %llu failed %llu late %llu late_max_ms %.1f skipped %llu cpu_us %.1f\n",
	    (unsigned long long)(s.ok + s.failed + s.neutral), (unsigned long long)s.ok,
	    (unsigned long long)s.failed, (unsigned long long)s.late, (double)s.late_max_ns / 1e6,
	    (unsigned long long)s.skipped,
	    (double)cpu / 1e3 / (double)(s.ok + s.failed ? s.ok + s.failed : 1));
	health_engine_free(e);
	return 0;
}
