/* SPDX-License-Identifier: MIT */
/*
 * CPU per packet of many BFD sessions, and how fast a death is told: libha's link beside BIRD or
 * FRR, on a veth pair in two network namespaces, each side with as many sessions as the other. Over
 * one hop a neighbour has one session for each pair of addresses, so both ends hold as many
 * addresses.
 *
 *	bench_bfd [SECONDS [SESSIONS [MS]]]	both ends are ours: one process each
 *	bench_bfd --end INTERFACE OURS THEIRS SESSIONS MS SECONDS
 *						one end; bench_bfd.sh has another program there
 *
 * OURS and THEIRS are the first addresses, counted up. What is printed of an end: sessions that are
 * Up, packets each way, CPU per packet (user and system), the latest timer, and after it the death
 * that it noticed.
 */
#include <libha/bfd_link.h>

#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define S (1000 * MS)
#define MULT 3u
#define SETTLE_NS (6 * S)

struct session {
	struct ha_bfd *s;
	struct end *e;
};

struct end {
	struct ha_bfd_link *link;
	struct session *session;
	unsigned n, n_up;
	uint64_t downs, first_down_ns, last_down_ns;
};

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * S + (uint64_t)t.tv_nsec;
}

static uint64_t now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void die(const char *what, int error)
{
	fprintf(stderr, "bench_bfd: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static int on_send(struct ha_bfd *s, const void *pkt, size_t len, void *userdata)
{
	struct session *own = userdata;

	return ha_bfd_link_send(own->e->link, s, pkt, len);
}

static void on_changed(struct ha_bfd *s, const struct ha_bfd_change *c, void *userdata)
{
	struct end *e = ((struct session *)userdata)->e;

	if (c->to == HA_BFD_UP)
		e->n_up++;
	if (c->from != HA_BFD_UP)
		return;
	e->n_up--;
	e->downs++;
	e->last_down_ns = now();
	if (!e->first_down_ns)
		e->first_down_ns = e->last_down_ns;
}

static struct ha_ip counted_up(struct ha_ip ip, unsigned i)
{
	i += (unsigned)ip.bytes[2] << 8 | ip.bytes[3];
	ip.bytes[2] = (uint8_t)(i >> 8);
	ip.bytes[3] = (uint8_t)i;
	return ip;
}

static void end_open(struct end *e, const char *interface, const char *ours, const char *theirs,
		     unsigned n, unsigned ms)
{
	static const struct ha_bfd_ops ops = {
	    .size = sizeof(ops), .send = on_send, .changed = on_changed};
	struct ha_bfd_link_opts lo = {.size = sizeof(lo), .family = AF_INET};
	struct ha_ip local, peer;
	int r;

	if (ha_ip_parse(ours, &local) < 0 || ha_ip_parse(theirs, &peer) < 0)
		die("addresses", EINVAL);
	lo.ifindex = if_nametoindex(interface);
	memset(e, 0, sizeof(*e));
	e->n = n;
	e->session = calloc(n, sizeof(*e->session));
	r = e->session ? ha_bfd_link_new(&lo, &e->link) : -ENOMEM;
	for (unsigned i = 0; i < n && !r; i++) {
		struct ha_bfd_opts o = {.size = sizeof(o), .family = AF_INET, .detect_mult = MULT};

		o.desired_min_tx_us = o.required_min_rx_us = ms * 1000;
		o.local = counted_up(local, i);
		o.peer = counted_up(peer, i);
		e->session[i].e = e;
		r = ha_bfd_link_draw(e->link, &o);
		if (!r)
			r = ha_bfd_new(&o, &ops, &e->session[i], &e->session[i].s);
		if (!r)
			r = ha_bfd_link_add(e->link, e->session[i].s);
		if (!r)
			r = ha_bfd_start(e->session[i].s, now());
	}
	if (r < 0)
		die(interface, r);
}

static void end_run(struct end *e, uint64_t until_ns)
{
	for (uint64_t t; (t = now()) < until_ns; ha_bfd_link_dispatch(e->link, now())) {
		struct pollfd p = {.fd = ha_bfd_link_fd(e->link), .events = POLLIN};
		uint64_t due = ha_bfd_link_deadline(e->link), ns;
		struct timespec wait;

		due = due < until_ns ? due : until_ns;
		ns = due > t ? due - t : 0;
		wait = (struct timespec){(time_t)(ns / S), (long)(ns % S)};
		ppoll(&p, 1, &wait, NULL);
	}
}

static void end_report(const char *name, struct end *e, uint64_t seconds)
{
	struct ha_bfd_link_stats before = {.size = sizeof(before)}, after = before;
	uint64_t cpu_ns, packets, late_ns = 0;

	ha_bfd_link_stats(e->link, &before);
	e->downs = 0;
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	end_run(e, now() + seconds * S);
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	ha_bfd_link_stats(e->link, &after);
	packets = after.sent - before.sent + after.received - before.received;
	for (unsigned i = 0; i < e->n; i++) {
		struct ha_bfd_stats st = {.size = sizeof(st)};

		ha_bfd_stats(e->session[i].s, &st);
		late_ns = st.worst_late_ns > late_ns ? st.worst_late_ns : late_ns;
	}
	printf("%s: %u of %u up, %" PRIu64 " went down; sent %" PRIu64 " and received %" PRIu64
	       " packets a second, %.2f us of CPU each, %.1f %% of a CPU; latest timer %.2f ms\n",
	       name, e->n_up, e->n, e->downs, (after.sent - before.sent) / seconds,
	       (after.received - before.received) / seconds,
	       packets ? (double)cpu_ns / 1e3 / (double)packets : 0.0,
	       100.0 * (double)cpu_ns / (double)(seconds * S), (double)late_ns / 1e6);
	fflush(stdout);
}

/* The other end is to die now: whoever makes it so writes a byte at that moment. */
static void end_detect(struct end *e, int told_fd, unsigned ms)
{
	uint64_t died_ns;
	char c;

	e->first_down_ns = 0;
	e->downs = 0;
	if (read(told_fd, &c, 1) != 1)
		return;
	died_ns = now();
	end_run(e, died_ns + 4ull * MULT * ms * MS);
	if (e->first_down_ns)
		printf("death of the neighbour, %u x %u ms: first of %" PRIu64
		       " sessions after %.1f ms, last after %.1f ms\n",
		       MULT, ms, e->downs, (double)(e->first_down_ns - died_ns) / 1e6,
		       (double)(e->last_down_ns - died_ns) / 1e6);
}

static void end_close(struct end *e)
{
	ha_bfd_link_free(e->link);
	for (unsigned i = 0; i < e->n; i++)
		ha_bfd_free(e->session[i].s);
	free(e->session);
}

static void run(const char *command)
{
	if (system(command)) {
		fprintf(stderr, "bench_bfd: failed: %s\n", command);
		exit(1);
	}
}

/* A namespace with one end of the veth pair and its addresses; the parent has made the pair. */
static void add_addresses(const char *interface, unsigned net, unsigned n)
{
	FILE *f = popen("ip -batch -", "w");

	if (!f)
		die("ip", errno);
	for (unsigned i = 1; i <= n; i++)
		fprintf(f, "addr add 10.%u.%u.%u/15 dev %s\n", net, i >> 8, i & 255, interface);
	fprintf(f, "link set %s up\n", interface);
	if (pclose(f))
		die("ip -batch", EINVAL);
}

/* The far end in a process and a namespace of its own; it is killed when the pipe says so. */
static pid_t far_end(unsigned n, unsigned ms, int ready_fd, int go_fd)
{
	struct end e;
	pid_t child = fork();
	char c = 0;

	if (child)
		return child;
	if (unshare(CLONE_NEWNET) < 0)
		die("unshare", errno);
	if (write(ready_fd, &c, 1) != 1 || read(go_fd, &c, 1) != 1)
		_exit(1);
	add_addresses("bb-b", 19, n);
	if (write(ready_fd, &c, 1) != 1)
		_exit(1);
	end_open(&e, "bb-b", "10.19.0.1", "10.18.0.1", n, ms);
	for (;;)
		end_run(&e, now() + S);
}

static int both_ends(uint64_t seconds, unsigned n, unsigned ms)
{
	int ready[2], go[2], told[2];
	char command[128], c = 0;
	struct end e;
	pid_t child;

	if (unshare(CLONE_NEWNET) < 0)
		return printf("skipped: needs root to make a network namespace\n"), 77;
	if (pipe(ready) < 0 || pipe(go) < 0 || pipe(told) < 0)
		die("pipe", errno);
	child = far_end(n, ms, ready[1], go[0]);
	if (child < 0 || read(ready[0], &c, 1) != 1)
		die("far end", errno);
	snprintf(command, sizeof(command), "ip link add bb-a type veth peer name bb-b netns %d",
		 (int)child);
	run(command);
	add_addresses("bb-a", 18, n);
	if (write(go[1], &c, 1) != 1 || read(ready[0], &c, 1) != 1)
		die("far end", errno);
	end_open(&e, "bb-a", "10.18.0.1", "10.19.0.1", n, ms);
	end_run(&e, now() + SETTLE_NS);
	end_report("libha", &e, seconds);
	kill(child, SIGKILL);
	if (write(told[1], &c, 1) == 1)
		end_detect(&e, told[0], ms);
	waitpid(child, NULL, 0);
	end_close(&e);
	return 0;
}

int main(int argc, char **argv)
{
	struct rlimit files = {65536, 65536};
	struct end e;

	setrlimit(RLIMIT_NOFILE, &files);
	if (argc == 8 && !strcmp(argv[1], "--end")) {
		unsigned ms = (unsigned)atoi(argv[6]);

		end_open(&e, argv[2], argv[3], argv[4], (unsigned)atoi(argv[5]), ms);
		end_run(&e, now() + SETTLE_NS);
		end_report("libha", &e, strtoull(argv[7], NULL, 10));
		end_detect(&e, STDIN_FILENO, ms);
		end_close(&e);
		return 0;
	}
	return both_ends(argc > 1 ? strtoull(argv[1], NULL, 10) : 10,
			 argc > 2 ? (unsigned)atoi(argv[2]) : 500,
			 argc > 3 ? (unsigned)atoi(argv[3]) : 50);
}
