/* SPDX-License-Identifier: MIT */
/*
 * TCP checks per second and CPU per check against a listener on loopback: libhealth's engine beside the least
 * a program can do (epoll, connect, reset), in one run. The engine is asked for more than it can do, so the
 * figure is its limit; `late` and `skipped` then say so, which is their job.
 *
 *	bench_checks [SECONDS [TARGETS]]
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <libhealth/health.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define FLOOR_IN_FLIGHT 64
#define IDLE_CHECKS 20000

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A child that accepts and closes, on every 127/8 address; returns its port. */
static in_port_t listen_in_child(pid_t *ret_child)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 4096) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("listener");
	*ret_child = fork();
	if (*ret_child < 0)
		die("fork");
	if (*ret_child == 0) {
		for (;;) {
			int client = accept(fd, NULL, NULL);

			if (client >= 0)
				close(client);
		}
	}
	close(fd);
	return address.sin_port;
}

static struct sockaddr_in target(in_port_t port, uint32_t i)
{
	return (struct sockaddr_in){
	    .sin_family = AF_INET,
	    .sin_port = port,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + i),
	};
}

struct figures {
	double per_s, us_per_check;
};

static struct figures figures_of(uint64_t checks, uint64_t wall_ns, uint64_t cpu_ns)
{
	return (struct figures){
	    .per_s = (double)checks * 1e9 / (double)wall_ns,
	    .us_per_check = checks ? (double)cpu_ns / 1e3 / (double)checks : 0,
	};
}

/* ---- the floor ---- */

static void floor_start(int epoll_fd, in_port_t port, uint32_t i)
{
	const struct linger rst = {.l_onoff = 1};
	struct sockaddr_in to = target(port, i);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct epoll_event ev = {.events = EPOLLOUT, .data.fd = fd};

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst, sizeof(rst));
	setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		die("connect");
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

static struct figures run_floor(in_port_t port, uint32_t targets, uint64_t ns)
{
	int epoll_fd = epoll_create1(0);
	uint64_t start = read_clock(CLOCK_MONOTONIC), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t done = 0;
	uint32_t next = 0;

	for (int i = 0; i < FLOOR_IN_FLIGHT; i++)
		floor_start(epoll_fd, port, next++ % targets);
	while (read_clock(CLOCK_MONOTONIC) - start < ns) {
		struct epoll_event ev[FLOOR_IN_FLIGHT];
		int n = epoll_wait(epoll_fd, ev, FLOOR_IN_FLIGHT, 100);

		for (int i = 0; i < n; i++) {
			int error = 0;

			getsockopt(ev[i].data.fd, SOL_SOCKET, SO_ERROR, &error,
				   &(socklen_t){sizeof(error)});
			close(ev[i].data.fd);
			done += !error;
			floor_start(epoll_fd, port, next++ % targets);
		}
	}
	close(epoll_fd); /* the sockets in flight go with the process */
	return figures_of(done, read_clock(CLOCK_MONOTONIC) - start,
			  read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
}

/* ---- the engine ---- */

static struct health_engine *engine_of(in_port_t port, uint32_t targets, uint32_t flags)
{
	const struct health_engine_opts eo = {
	    .size = sizeof(eo), .rate = 1000000, .burst = 1000, .max_in_flight = 256};
	const struct health_filter_opts f = {.size = sizeof(f), .interval_ns = 20 * MS};
	struct health_engine *e;

	if (health_engine_new(&eo, &e) < 0)
		die("health_engine_new");
	for (uint32_t i = 0; i < targets; i++) {
		struct sockaddr_in to = target(port, i);
		const struct health_check_opts o = {
		    .size = sizeof(o),
		    .destination = (struct sockaddr *)&to,
		    .destination_len = sizeof(to),
		    .filter = &f,
		    .timeout_ns = 2 * S,
		    .flags = flags,
		};
		struct health_check *c;

		if (health_check_add(e, &o, NULL, &c) < 0)
			die("health_check_add");
	}
	return e;
}

static struct figures run_engine(in_port_t port, uint32_t targets, uint64_t ns,
				 struct health_engine_stats *ret)
{
	struct health_engine *e = engine_of(port, targets, 0);
	struct pollfd p = {.fd = health_engine_fd(e), .events = POLLIN};
	uint64_t start = read_clock(CLOCK_MONOTONIC), cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	uint64_t now = start, wall;

	while (now - start < ns) {
		uint64_t deadline = health_engine_deadline(e);

		poll(&p, 1, deadline <= now ? 0 : (int)((deadline - now) / MS) + 1);
		now = read_clock(CLOCK_MONOTONIC);
		health_engine_dispatch(e, now);
	}
	wall = now - start;
	cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	*ret = (struct health_engine_stats){.size = sizeof(*ret)};
	health_engine_stats(e, ret);
	health_engine_free(e);
	return figures_of(ret->ok + ret->failed, wall, cpu);
}

static size_t resident_bytes(void)
{
	unsigned long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		die("/proc/self/statm");
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
	uint64_t ns = (argc > 1 ? strtoul(argv[1], NULL, 10) : 3) * S;
	uint32_t targets = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2000;
	const struct rlimit files = {4096, 4096};
	struct health_engine_stats stats;
	struct figures floor, engine;
	struct health_engine *idle;
	size_t before;
	pid_t child;
	in_port_t port;

	if (!ns || !targets || targets > 1000000)
		return fprintf(stderr, "usage: bench_checks [SECONDS [TARGETS]]\n"), 2;
	setrlimit(RLIMIT_NOFILE, &files);
	port = listen_in_child(&child);
	floor = run_floor(port, targets, ns);
	engine = run_engine(port, targets, ns, &stats);
	printf("%-24s %12s %14s\n", "TCP checks, one thread", "checks/s", "CPU us/check");
	printf("%-24s %12.0f %14.1f\n", "floor (epoll, no engine)", floor.per_s,
	       floor.us_per_check);
	printf("%-24s %12.0f %14.1f\n", "libhealth", engine.per_s, engine.us_per_check);
	printf("%-24s %12.2f %14.2f\n", "ratio", engine.per_s / floor.per_s,
	       engine.us_per_check / floor.us_per_check);
	printf("%u targets every 20 ms asked; failed %llu, neutral %llu, late %llu, skipped %llu\n",
	       targets, (unsigned long long)stats.failed, (unsigned long long)stats.neutral,
	       (unsigned long long)stats.late, (unsigned long long)stats.skipped);
	before = resident_bytes();
	idle = engine_of(port, IDLE_CHECKS, HEALTH_CHECK_PAUSED);
	printf("memory of an idle check: %zu bytes\n", (resident_bytes() - before) / IDLE_CHECKS);
	health_engine_free(idle);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
