/* SPDX-License-Identifier: MIT */
/*
 * Tables of virtual services: what a destination costs in memory, how long it takes to see that nothing is to do, and, where
 * the kernel has IPVS (tools/bench ipvs brings its own), how long to bring a table into it: ours; the same requests each with
 * its own answer, with libmnl and with libnl-3, which keepalived uses so; and `ipvsadm -R`. usage: bench_ipvs [ROUNDS]; root for IPVS. Figures are
 * medians of ROUNDS.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_LIBNL
#include <netlink/netlink.h>
#include <netlink/socket.h>
#endif

#include <libha/ipvs.h>

#define ROUNDS_MAX 99
#define DESTS 10u /* of each service */
#define SMALL 1000u
#define LARGE 4000u

static void check(int r, const char *what)
{
	if (r >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(1);
}

/* ---- Tables ---- */

static struct ha_service_table *table_of(unsigned int services)
{
	struct ha_service_table *t;

	check(ha_service_table_new(&t), "table");
	for (unsigned int i = 0; i < services; i++) {
		const struct ha_service_opts o = {
		    .size = sizeof(o),
		    .address = {AF_INET, {198, 18, (uint8_t)(i >> 8), (uint8_t)i}},
		    .protocol = IPPROTO_TCP,
		    .port = 80,
		    .scheduler = "wrr"};
		struct ha_service *s;

		check(ha_service_add(t, &o, &s), "service");
		for (uint8_t d = 1; d <= DESTS; d++) {
			const struct ha_dest_opts dest = {
			    .size = sizeof(dest),
			    .address = {AF_INET, {10, (uint8_t)(i >> 8), (uint8_t)i, d}},
			    .port = 80,
			    .weight = d};

			check(ha_dest_set(s, &dest, NULL), "destination");
		}
	}
	return t;
}

static void write_rules(unsigned int services, const char *path)
{
	FILE *f = fopen(path, "w");

	check(f ? 0 : -errno, path);
	for (unsigned int i = 0; i < services; i++) {
		fprintf(f, "-A -t 198.18.%u.%u:80 -s wrr\n", i >> 8, i & 255);
		for (unsigned int d = 1; d <= DESTS; d++)
			fprintf(f, "-a -t 198.18.%u.%u:80 -r 10.%u.%u.%u:80 -m -w %u\n", i >> 8,
				i & 255, i >> 8, i & 255, d, d);
	}
	check(fclose(f) ? -errno : 0, path);
}

/* ---- A transport that sends requests one by one, and counts what is sent ---- */

enum how { OURS, EACH_MNL, EACH_NL, IPVSADM, HOWS };

static const char *const names[] = {"ours", "one by one, libmnl", "one by one, libnl-3",
				    "ipvsadm -R"};

struct counting {
	struct ha_nl_transport below;
	struct nl_sock *nl; /* NULL: no libnl-3 */
	enum how how;
	unsigned long requests;
	uint32_t fence; /* sequence number that is yet to be answered, with `answered` */
	bool answered;
};

static int await_mnl(struct counting *c)
{
	struct pollfd p = {.fd = c->below.ops->fd(c->below.userdata), .events = POLLIN};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[4096];
	} answer;
	ssize_t n;

	while ((n = c->below.ops->recv(c->below.userdata, &answer, sizeof(answer))) == -EAGAIN)
		poll(&p, 1, 1000);
	return n < 0 ? (int)n : answer.e.error;
}

#ifdef HAVE_LIBNL
static void nl_open(struct counting *c)
{
	c->nl = nl_socket_alloc();
	check(c->nl ? nl_connect(c->nl, NETLINK_GENERIC) : -ENOMEM, "libnl-3");
	nl_socket_disable_seq_check(c->nl);
}

static int each_nl(struct counting *c, void *request, size_t len)
{
	int r = nl_sendto(c->nl, request, len);

	return r < 0 ? r : nl_wait_for_ack(c->nl);
}

static void nl_end(struct counting *c)
{
	nl_socket_free(c->nl);
}
#else
static void nl_open(struct counting *c)
{
}

static int each_nl(struct counting *c, void *request, size_t len)
{
	return -ENOSYS;
}

static void nl_end(struct counting *c)
{
}
#endif

static int each_mnl(struct counting *c, const void *request, size_t len)
{
	int r = c->below.ops->send(c->below.userdata, request, len);

	return r < 0 ? r : await_mnl(c);
}

static int send_each(struct counting *c, const char *at, size_t len)
{
	int r = 0;

	for (struct nlmsghdr h; !r && len; len -= NLMSG_ALIGN(h.nlmsg_len)) {
		char one[1024];

		memcpy(&h, at, sizeof(h));
		memcpy(one, at, h.nlmsg_len);
		h.nlmsg_flags |= NLM_F_ACK;
		memcpy(one, &h, sizeof(h));
		r = c->how == EACH_NL ? each_nl(c, one, h.nlmsg_len)
				      : each_mnl(c, one, h.nlmsg_len);
		c->fence = h.nlmsg_seq;
		at += NLMSG_ALIGN(h.nlmsg_len);
	}
	c->answered = true;
	return r;
}

static int count_send(void *userdata, const void *buf, size_t len)
{
	struct counting *c = userdata;
	const char *at = buf;
	struct nlmsghdr h;

	for (size_t i = 0; i < len; i += NLMSG_ALIGN(h.nlmsg_len), c->requests++)
		memcpy(&h, at + i, sizeof(h));
	return c->how == OURS ? c->below.ops->send(c->below.userdata, buf, len)
			      : send_each(c, buf, len);
}

static ssize_t count_recv(void *userdata, void *buf, size_t cap)
{
	struct counting *c = userdata;
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} done = {
	    .h = {.nlmsg_len = sizeof(done), .nlmsg_type = NLMSG_ERROR, .nlmsg_seq = c->fence}};

	if (!c->answered)
		return c->below.ops->recv(c->below.userdata, buf, cap);
	c->answered = false;
	done.h.nlmsg_pid = c->below.ops->port(c->below.userdata);
	memcpy(buf, &done, sizeof(done));
	return sizeof(done);
}

static int count_fd(void *userdata)
{
	struct counting *c = userdata;

	return c->below.ops->fd(c->below.userdata);
}

static uint32_t count_port(void *userdata)
{
	struct counting *c = userdata;

	return c->below.ops->port(c->below.userdata);
}

/* ---- Measuring ---- */

struct spent {
	double wall, cpu; /* ms; with the kernel's share */
};

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

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

static int by_wall(const void *a, const void *b)
{
	const struct spent *x = a, *y = b;

	return (x->wall > y->wall) - (x->wall < y->wall);
}

static struct spent median(struct spent *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_wall);
	return v[n / 2];
}

static struct spent since(struct spent from)
{
	struct spent to = now();

	return (struct spent){to.wall - from.wall, to.cpu - from.cpu};
}

/* ---- What needs no kernel ---- */

static void memory(void)
{
	size_t before = mallinfo2().uordblks, after;
	struct ha_service_table *t = table_of(LARGE);

	after = mallinfo2().uordblks;
	printf("memory: %u services with %u destinations each: %.0f bytes for a destination, its "
	       "share of the service included\n",
	       LARGE, DESTS, (double)(after - before) / (LARGE * DESTS));
	ha_service_table_free(t);
}

/* `have` NULL: a copy of what is wanted. `c` NULL: no kernel. */
static void unchanged(int n_rounds, const struct ha_service_table *want,
		      const struct ha_service_table *have, struct ha_ipvs *v, struct counting *c)
{
	static struct spent spent[ROUNDS_MAX];
	struct ha_service_table *copy = NULL;
	struct spent m;
	size_t steps = 0;

	if (!have)
		check(ha_service_table_copy(want, &copy), "copy");
	if (c)
		c->requests = 0;
	for (int i = 0; i < n_rounds; i++) {
		struct ha_service_plan *p;
		struct spent from = now();

		check(ha_service_plan(want, have ? have : copy, &p), "plan");
		steps += ha_service_plan_count(p);
		if (v)
			check(ha_ipvs_apply(v, p, NULL, NULL), "apply");
		ha_service_plan_free(p);
		spent[i] = since(from);
	}
	m = median(spent, n_rounds);
	printf("nothing to do: %u destinations planned%s in %.1f ms (CPU %.1f): %zu steps, %lu "
	       "requests\n",
	       LARGE * DESTS, v ? " and applied" : "", m.wall, m.cpu, steps, c ? c->requests : 0);
	ha_service_table_free(copy);
}

/* ---- With IPVS ---- */

static struct spent bring(struct ha_ipvs *v, const struct ha_service_table *want,
			  const struct ha_service_table *have)
{
	struct spent from = now();
	struct ha_service_plan *p;
	int r;

	check(ha_service_plan(want, have, &p), "plan");
	r = ha_ipvs_apply(v, p, NULL, NULL);
	if (r)
		check(r < 0 ? r : -EEXIST, "apply");
	ha_service_plan_free(p);
	return since(from);
}

static void clear(void)
{
	check(system("exec ipvsadm -C") ? -ENOSYS : 0, "ipvsadm -C");
}

static struct spent ipvsadm(const char *path)
{
	struct spent from = now();
	char command[128];

	snprintf(command, sizeof(command), "exec ipvsadm -R <%s", path);
	check(system(command) ? -ENOSYS : 0, command);
	return since(from);
}

static void load(int n_rounds, struct ha_ipvs *v, struct counting *c)
{
	static struct spent spent[HOWS][ROUNDS_MAX];
	struct ha_service_table *want = table_of(SMALL), *none;
	struct spent m[HOWS];
	char path[64];

	check(ha_service_table_new(&none), "table");
	snprintf(path, sizeof(path), "/tmp/bench_ipvs.%d", getpid());
	write_rules(SMALL, path);
	for (int i = 0; i < n_rounds; i++) {
		for (enum how how = OURS; how < HOWS; how++) {
			if (how == EACH_NL && !c->nl)
				continue;
			clear();
			c->how = how;
			spent[how][i] = how == IPVSADM ? ipvsadm(path) : bring(v, want, none);
		}
	}
	unlink(path);
	c->how = OURS;
	printf("into IPVS: %u services with %u destinations each\n", SMALL, DESTS);
	for (enum how how = OURS; how < HOWS; how++) {
		if (how == EACH_NL && !c->nl)
			continue;
		m[how] = median(spent[how], n_rounds);
		printf("  %-20s %8.1f ms (CPU %.1f), %.0f requests/s: %.1f times ours\n",
		       names[how], m[how].wall, m[how].cpu, SMALL * (DESTS + 1) / m[how].wall * 1e3,
		       m[how].wall / m[OURS].wall);
	}
	ha_service_table_free(none);
	ha_service_table_free(want);
}

static void audit(int n_rounds, struct ha_ipvs *v, struct counting *c)
{
	struct ha_service_table *want = table_of(LARGE), *none, *have;
	struct spent from, took;

	check(ha_service_table_new(&none), "table");
	clear();
	bring(v, want, none);
	from = now();
	check(ha_ipvs_dump(v, &have), "dump");
	took = since(from);
	printf("read back: %u services with %u destinations each in %.0f ms (CPU %.0f)\n", LARGE,
	       DESTS, took.wall, took.cpu);
	unchanged(n_rounds, want, have, v, c);
	clear();
	ha_service_table_free(have);
	ha_service_table_free(none);
	ha_service_table_free(want);
}

int main(int argc, char **argv)
{
	static const struct ha_nl_transport_ops ops = {.size = sizeof(ops),
						       .send = count_send,
						       .recv = count_recv,
						       .fd = count_fd,
						       .port = count_port};
	static struct counting c;
	const struct ha_nl_transport t = {&ops, &c};
	const struct ha_ipvs_opts o = {.size = sizeof(o), .transport = &t};
	int n_rounds = argc > 1 ? atoi(argv[1]) : 5, r;
	struct ha_service_table *want;
	struct ha_ipvs *v;

	if (n_rounds < 1 || n_rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_ipvs [1..%d]\n", ROUNDS_MAX);
		return 2;
	}
	memory();
	check(ha_nl_mnl_open(NETLINK_GENERIC, NULL, &c.below), "netlink");
	r = ha_ipvs_open(&o, &v);
	if (r < 0) {
		want = table_of(LARGE);
		unchanged(n_rounds, want, NULL, NULL, NULL);
		ha_service_table_free(want);
		printf("into IPVS: not measured: %s\n", strerror(-r));
	} else {
		nl_open(&c);
		load(n_rounds, v, &c);
		audit(n_rounds, v, &c);
		nl_end(&c);
		ha_ipvs_close(v);
	}
	c.below.ops->close(c.below.userdata);
	return 0;
}
