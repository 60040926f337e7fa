/* SPDX-License-Identifier: MIT */
/*
 * Holds the nftables table to the services on standard input. usage: nft_apply apply | dump
 *
 *	tcp 192.0.2.1 80 wrr [persistence 300/24] [masquerade] [port]
 *	mark ipv4 7 rr
 *	 10.0.0.1 8080 3        a destination: address, port, weight
 *
 * apply prints each step and what became of it, then "N steps, result R". Twice the second one is
 * "0 steps, result 0". dump prints the services, and each destination with its connections.
 */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libha/nft.h>

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
		o.protocol = strcmp(kind, "udp") ? IPPROTO_TCP : IPPROTO_UDP;
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

static struct ha_service_table *read_table(FILE *in)
{
	struct ha_service_table *t;
	struct ha_service *s = NULL;
	char line[256];
	int r = ha_service_table_new(&t);

	if (r < 0)
		fail("table", r);
	while (fgets(line, sizeof(line), in)) {
		if (*line == ' ')
			read_dest(s, line);
		else if (*line != '\n')
			s = read_service(t, line);
	}
	return t;
}

static void say(void *userdata, const struct ha_service_step *step, int error)
{
	char text[HA_SERVICE_TEXT_SIZE];

	(void)userdata;
	if (ha_service_step_format(step, text, sizeof(text)) > 0)
		printf("%s: %s\n", text, error ? strerror(-error) : "done");
}

static int apply(struct ha_nft *n)
{
	const struct ha_service_apply_ops ops = {.size = sizeof(ops), .done = say};
	struct ha_service_table *want = read_table(stdin), *have;
	struct ha_service_plan *p;
	int r = ha_nft_dump(n, &have);

	if (r < 0)
		fail("dump", r);
	r = ha_service_plan(want, have, &p);
	if (r < 0)
		fail("plan", r);
	r = ha_nft_apply(n, p, &ops, NULL);
	printf("%zu steps, result %d\n", ha_service_plan_count(p), r);
	ha_service_plan_free(p);
	ha_service_table_free(want);
	ha_service_table_free(have);
	return r < 0;
}

static int dump(struct ha_nft *n)
{
	struct ha_service_table *have;
	char text[HA_SERVICE_TEXT_SIZE];
	int r = ha_nft_dump(n, &have);

	if (r < 0)
		fail("dump", r);
	for (struct ha_service *s = NULL; (s = ha_service_next(have, s));) {
		ha_service_format(s, text, sizeof(text));
		printf("%s\n", text);
		for (struct ha_dest *d = NULL; (d = ha_dest_next(s, d));) {
			struct ha_service_stats stats = {.size = sizeof(stats)};

			ha_dest_format(d, text, sizeof(text));
			ha_dest_stats(d, &stats);
			printf(" %s: %" PRIu64 "\n", text, stats.conns);
		}
	}
	ha_service_table_free(have);
	return 0;
}

int main(int argc, char **argv)
{
	const char *size = getenv("AFFINITY_MAX");
	struct ha_nft_opts o = {.size = sizeof(o), .affinity_max = size ? (uint32_t)atoi(size) : 0};
	struct ha_nft *n;
	int r = ha_nft_open(&o, &n);

	if (r < 0) {
		printf("nft_apply: open: %s\n", strerror(-r));
		return r == -EOPNOTSUPP || r == -EPERM ? 77 : 1;
	}
	r = argc == 2 && !strcmp(argv[1], "apply") ? apply(n) : dump(n);
	ha_nft_close(n);
	return r;
}
