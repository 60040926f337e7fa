/* SPDX-License-Identifier: MIT */
/*
 * Holds the nftables table to the services on standard input, of the kernel it runs on or of one that was recorded
 * (nl_record.h).
 * usage: nft_apply apply | rotate SECONDS | dump | drain ADDRESS PORT SECONDS | session FILE
 *
 *	tcp 192.0.2.1 80 wrr [300/24] [masquerade] [port] [slots=AAB]
 *	mark ipv4 7 rr
 *	 10.0.0.1 8080 3        a destination: address, port, weight
 *
 * apply prints each step and what became of it, then "N steps, result R". Twice the second one is
 * "0 steps, result 0". rotate applies tables that empty lines divide one after the other, over and over, and prints
 * "N tables, F failed". dump prints the services, and each destination with its connections: all ever,
 * active, inactive. drain applies, then drains a destination of the first service, and prints each change of the
 * connections it has left. session goes through a file like nft_session.txt. $AFFINITY_MAX and $CUT_REMOVED are options of ha_nft_open().
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/netlink.h>

#include <libha/nft.h>

#include "../support/nl_record.h"

static void fail(const char *what, int error)
{
	fprintf(stderr, "nft_apply: %s: %s\n", what, strerror(-error));
	exit(1);
}

static void read_flags(char *words, struct ha_service_opts *o)
{
	unsigned int prefix = 0;
	char *save = NULL;

	for (char *word = strtok_r(words, " \n", &save); word;
	     word = strtok_r(NULL, " \n", &save)) {
		if (!strcmp(word, "masquerade"))
			o->flags |= HA_SERVICE_MASQUERADE;
		else if (!strcmp(word, "port"))
			o->flags |= HA_SERVICE_SCHED_PORT;
		else if (!strncmp(word, "slots=", 6))
			o->flags |= HA_SERVICE_SLOTS;
		else if (sscanf(word, "%u/%u", &o->persistence_s, &prefix) == 2)
			o->persistence_prefix = (uint8_t)prefix;
	}
}

static struct ha_service *read_service(struct ha_service_table *t, char *line)
{
	struct ha_service_opts o = {.size = sizeof(o)};
	char kind[8], address[64], scheduler[16];
	struct ha_service *s;
	unsigned int number;
	int rest = 0, r;

	if (sscanf(line, "%7s %63s %u %15s%n", kind, address, &number, scheduler, &rest) != 4)
		fail(line, -EINVAL);
	if (!strcmp(kind, "mark")) {
		o.fwmark = number;
		o.address.family = strcmp(address, "ipv6") ? AF_INET : AF_INET6;
	} else {
		o.protocol = !strcmp(kind, "udp")    ? IPPROTO_UDP
			     : !strcmp(kind, "sctp") ? IPPROTO_SCTP
						     : IPPROTO_TCP;
		o.port = (uint16_t)number;
		r = ha_ip_parse(address, &o.address);
		if (r < 0)
			fail(address, r);
	}
	o.scheduler = scheduler;
	read_flags(line + rest, &o);
	r = ha_service_add(t, &o, &s);
	if (r < 0)
		fail("service", r);
	return s;
}

static void read_dest(struct ha_service *s, const char *line)
{
	struct ha_dest_opts o = {.size = sizeof(o)};
	char address[64];
	unsigned int port;
	int r = -EINVAL;

	if (sscanf(line, "%63s %u %u", address, &port, &o.weight) != 3 ||
	    (r = ha_ip_parse(address, &o.address)) < 0)
		fail(line, r);
	o.port = (uint16_t)port;
	r = ha_dest_set(s, &o, NULL);
	if (r < 0)
		fail("destination", r);
}

static struct ha_service_table *new_table(void)
{
	struct ha_service_table *t;
	int r = ha_service_table_new(&t);

	if (r < 0)
		fail("table", r);
	return t;
}

static char slots[256]; /* of the service that was read last, as letters */

static void set_slots(struct ha_service *s)
{
	uint16_t dests[sizeof(slots)];
	size_t n = 0;

	for (; slots[n] >= 'A'; n++)
		dests[n] = (uint16_t)(slots[n] - 'A');
	if (n && ha_service_set_slots(s, dests, n) < 0)
		fail(slots, -EINVAL);
}

/* *last: the service that destinations are of. */
static void read_line(struct ha_service_table *t, char *line, struct ha_service **last)
{
	const char *word;

	if (*line == ' ') {
		read_dest(*last, line);
		return;
	}
	set_slots(*last);
	*slots = '\0';
	if (*line == '\n')
		return;
	word = strstr(line, "slots=");
	if (word)
		snprintf(slots, sizeof(slots), "%s", word + 6);
	*last = read_service(t, line);
}

/* Until the end, or an empty line. */
static struct ha_service_table *read_table(FILE *in)
{
	struct ha_service_table *t = new_table();
	struct ha_service *last = NULL;
	char line[256];

	while (fgets(line, sizeof(line), in) && *line != '\n')
		read_line(t, line, &last);
	set_slots(last);
	return t;
}

static void say(void *userdata, const struct ha_service_step *step, int error)
{
	char text[HA_SERVICE_TEXT_SIZE];

	if (ha_service_step_format(step, text, sizeof(text)) > 0)
		printf("%s: %s\n", text, error ? strerror(-error) : "done");
}

/* From what is to what is wanted. The number of steps. */
static size_t bring(struct ha_nft *n, const struct ha_service_table *want,
		    const struct ha_service_table *have, const struct ha_service_apply_ops *ops,
		    int *ret_result)
{
	struct ha_service_plan *p;
	int r = ha_service_plan(want, have, &p);
	size_t steps;

	if (r < 0)
		fail("plan", r);
	steps = ha_service_plan_count(p);
	*ret_result = ha_nft_apply(n, p, ops, NULL);
	ha_service_plan_free(p);
	return steps;
}

static struct ha_service_table *dumped(struct ha_nft *n)
{
	struct ha_service_table *have;
	int r = ha_nft_dump(n, &have);

	if (r < 0)
		fail("dump", r);
	return have;
}

static int apply(struct ha_nft *n)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = say};
	struct ha_service_table *want = read_table(stdin), *have = dumped(n);
	int r;
	size_t steps = bring(n, want, have, &ops, &r);

	printf("%zu steps, result %d\n", steps, r);
	ha_service_table_free(want);
	ha_service_table_free(have);
	return r < 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define ROTATED_MAX 16

/* What is there is known but for the first time, so that changes come as close together as they can. */
static int rotate(struct ha_nft *n, const char *seconds)
{
	uint64_t end = now_ns() + (uint64_t)(atof(seconds) * 1e9);
	struct ha_service_table *tables[ROTATED_MAX], *first = dumped(n), *have = first;
	size_t n_tables = 0, applied = 0, failed = 0;
	int r;

	while (n_tables < ROTATED_MAX && !feof(stdin))
		tables[n_tables++] = read_table(stdin);
	for (; now_ns() < end; applied++) {
		struct ha_service_table *want = tables[applied % n_tables];

		bring(n, want, have, NULL, &r);
		failed += r < 0;
		have = want;
	}
	while (n_tables)
		ha_service_table_free(tables[--n_tables]);
	ha_service_table_free(first);
	printf("%zu tables, %zu failed\n", applied, failed);
	return failed > 0;
}

static void say_left(void *userdata, const struct ha_dest *d, uint32_t left)
{
	uint32_t *last = userdata;

	if (left != *last)
		printf("left %u\n", left);
	fflush(stdout);
	*last = left;
}

static void say_drained(void *userdata, const struct ha_dest *d, uint32_t left)
{
	printf("drained with %u\n", left);
}

static int drain(struct ha_nft *n, const char *address, const char *port, const char *seconds)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	const struct ha_service_drain_ops ops = {
	    .size = sizeof(ops), .draining = say_left, .drained = say_drained};
	struct ha_service_table *want = read_table(stdin);
	struct ha_dest_opts key = {.size = sizeof(key), .port = (uint16_t)atoi(port)};
	uint32_t last = UINT32_MAX;
	size_t left = 1;
	int r = ha_ip_parse(address, &key.address);

	if (!r)
		r = ha_dest_drain(ha_dest_find(ha_service_next(want, NULL), &key),
				  now_ns() + (uint64_t)(atof(seconds) * 1e9));
	while (!r && left) {
		struct ha_service_table *have = dumped(n);

		r = ha_service_drain(want, have, now_ns(), &ops, &last, &left);
		if (!r)
			bring(n, want, have, NULL, &r);
		ha_service_table_free(have);
		nanosleep(&pause, NULL);
	}
	ha_service_table_free(want);
	return r < 0;
}

static void print_table(const struct ha_service_table *t, FILE *out)
{
	char text[HA_SERVICE_TEXT_SIZE];

	for (struct ha_service *s = NULL; (s = ha_service_next(t, s));) {
		ha_service_format(s, text, sizeof(text));
		fprintf(out, "%s\n", text);
		for (struct ha_dest *d = NULL; (d = ha_dest_next(s, d));) {
			struct ha_service_stats stats = {.size = sizeof(stats)};

			ha_dest_format(d, text, sizeof(text));
			ha_dest_stats(d, &stats);
			fprintf(out, " %s: %" PRIu64 " %u %u\n", text, stats.conns,
				stats.active_conns, stats.inactive_conns);
		}
	}
}

static int dump(struct ha_nft *n)
{
	struct ha_service_table *have = dumped(n);

	print_table(have, stdout);
	ha_service_table_free(have);
	return 0;
}

/* ---- Sessions ---- */

static void expect(const char *have, const char *want, unsigned int line)
{
	if (!strcmp(have, want))
		return;
	fprintf(stderr, "nft_apply: line %u\n have: %s\n want: %s\n", line, have, want);
	exit(1);
}

static void expect_result(struct ha_nft *n, const struct ha_service_table *want, const char *text,
			  unsigned int line)
{
	struct ha_service_table *have = dumped(n);
	char result[64];
	int r;
	size_t steps = bring(n, want, have, NULL, &r);

	snprintf(result, sizeof(result), "%zu steps, result %d\n", steps, r);
	expect(result, text, line);
	ha_service_table_free(have);
}

static void expect_table(struct ha_nft *n, const char *want, unsigned int line)
{
	struct ha_service_table *have = dumped(n);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	print_table(have, out);
	fclose(out);
	for (char *c = text; *c; c++)
		*c = *c == '\n' ? ';' : *c;
	text[len ? len - 1 : 0] = '\n'; /* the last semicolon */
	expect(len ? text : "nothing\n", want, line);
	free(text);
	ha_service_table_free(have);
}

static int session(struct ha_nft *n, const char *file)
{
	FILE *in = fopen(file, "r");
	struct ha_service_table *want = new_table();
	struct ha_service *last = NULL;
	char line[512];

	if (!in)
		fail(file, -errno);
	for (unsigned int i = 1; fgets(line, sizeof(line), in); i++) {
		if (!strncmp(line, "= ", 2)) {
			set_slots(last);
			*slots = '\0';
			expect_result(n, want, line + 2, i);
			ha_service_table_free(want);
			want = new_table();
		} else if (!strncmp(line, "? ", 2)) {
			expect_table(n, line + 2, i);
		} else if (!strncmp(line, "! ", 2)) {
			if (!getenv("NL_REPLAY") && system(line + 2))
				expect("failed", line, i);
		} else if (*line != '#') {
			read_line(want, line, &last);
		}
	}
	ha_service_table_free(want);
	fclose(in);
	return 0;
}

int main(int argc, char **argv)
{
	const char *size = getenv("AFFINITY_MAX");
	struct ha_nft_opts o = {.size = sizeof(o),
				.affinity_max = size ? (uint32_t)atoi(size) : 0,
				.cut_removed = getenv("CUT_REMOVED")};
	struct ha_nl_transport t;
	struct ha_nft *n;
	int r;

	if (nl_record_open(NETLINK_NETFILTER, &t))
		o.transport = &t;
	r = ha_nft_open(&o, &n);

	if (r < 0) {
		printf("nft_apply: open: %s\n", strerror(-r));
		return r == -EOPNOTSUPP || r == -EPERM ? 77 : 1;
	}
	if (argc == 5 && !strcmp(argv[1], "drain"))
		r = drain(n, argv[2], argv[3], argv[4]);
	else if (argc == 3 && !strcmp(argv[1], "rotate"))
		r = rotate(n, argv[2]);
	else if (argc == 3 && !strcmp(argv[1], "session"))
		r = session(n, argv[2]);
	else
		r = argc == 2 && !strcmp(argv[1], "apply") ? apply(n) : dump(n);
	ha_nft_close(n);
	return r;
}
