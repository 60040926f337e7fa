/* SPDX-License-Identifier: MIT */
/*
 * libsched by lines, for scripts that hold it against a real balancer.
 * usage: sched_repl ALGO [OVERHEAD_MUL [FLAGS [BALANCE_FACTOR]]]     FLAGS: of struct lb_group_opts, a number
 *        sched_repl --names                                          all built-in ones, a line each
 *
 *	add ID WEIGHT [ADDRESS PORT] | weight ID WEIGHT     staged and committed at once; answers "ok"
 *	remove ID | down ID                              likewise
 *	name NAME                                           of the server added next, for ketama; answers "ok"
 *	pick [ADDRESS PORT]                                 answers the id, or the error as a negative number
 *	hash FUNCTION TEXT                               likewise, with a key of the text: see functions[]
 *	limits ID UPPER LOWER                            maxconn and lower; staged and committed; answers "ok"
 *	done ID | closing ID | gone ID       ended; active to inactive; ended when inactive. Answers "ok"
 *
 * One picker, which sees every commit. Anything else, or an error but from pick, ends it with status 1.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsched/lb.h>
#include <libsched/lb_hash.h>

static uint64_t next_key; /* of the server added next */

/* The key of an address and a port; 0 for an empty address. */
static uint64_t key_of(const char *address, uint16_t port)
{
	uint8_t a[16];
	uint64_t key = 0;

	if (inet_pton(AF_INET, address, a) == 1)
		lb_hash_ipvs(a, 4, port, &key);
	else if (inet_pton(AF_INET6, address, a) == 1)
		lb_hash_ipvs(a, 16, port, &key);
	return key;
}

static uint64_t nginx_ip(const char *text)
{
	uint8_t a[16];
	uint64_t key = 0;

	if (inet_pton(AF_INET, text, a) == 1)
		lb_hash_nginx_ip(a, 4, &key);
	else if (inet_pton(AF_INET6, text, a) == 1)
		lb_hash_nginx_ip(a, 16, &key);
	return key;
}

static const struct {
	const char *name;
	uint32_t (*of)(const void *key, size_t len);
} functions[] = {
    {"sdbm", lb_hash_sdbm},
    {"djb2", lb_hash_djb2},
    {"wt6", lb_hash_wt6},
    {"crc32", lb_hash_crc32},
};

/* "sdbm", "sdbm+avalanche", …, "address", "address+avalanche", "nginx", "nginx-ip". -1: no such. */
static int hash_of(const char *function, const char *text, uint64_t *ret)
{
	size_t len = strcspn(function, "+");
	int r = 0;

	if (!strcmp(function, "nginx"))
		*ret = lb_hash_nginx(text, strlen(text));
	else if (!strcmp(function, "nginx-ip"))
		*ret = nginx_ip(text);
	else if (!strncmp(function, "address", len))
		*ret = key_of(text, 0);
	else
		r = -1;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]) && r < 0; i++) {
		if (strlen(functions[i].name) != len || strncmp(functions[i].name, function, len))
			continue;
		*ret = functions[i].of(text, strlen(text));
		r = 0;
	}
	if (r == 0 && !strcmp(function + len, "+avalanche"))
		*ret = lb_hash_avalanche((uint32_t)*ret);
	return r;
}

static int edit(struct lb_group *g, const char *verb, uint64_t id, uint32_t weight, uint64_t key)
{
	struct lb_server_opts o = {.size = sizeof(o), .id = id, .key64 = key ? key : next_key};
	int r = 0;

	if (!strcmp(verb, "add")) {
		r = lb_server_add(g, &o, NULL);
		next_key = 0;
	}
	if (r == 0 && !strcmp(verb, "remove"))
		r = lb_server_remove(g, id);
	else if (r == 0 && !strcmp(verb, "down"))
		r = lb_server_set_up(g, id, false);
	else if (r == 0)
		r = lb_server_set_weight(g, id, weight);
	return r < 0 ? r : lb_group_commit(g);
}

static int limits(struct lb_group *g, uint64_t id, uint32_t upper, uint32_t lower)
{
	int r = lb_server_set_maxconn(g, id, upper);

	if (r == 0)
		r = lb_server_set_lower(g, id, lower);
	return r < 0 ? r : lb_group_commit(g);
}

static int gone(struct lb_picker *p, uint64_t id)
{
	const struct lb_outcome o = {.size = sizeof(o), .inactive = 1};

	return lb_done(p, id, &o);
}

static int closing(struct lb_picker *p, uint64_t id)
{
	int r = lb_count(p, id, LB_COUNTER_ACTIVE, -1);

	return r < 0 ? r : lb_count(p, id, LB_COUNTER_INACTIVE, 1);
}

static int pick(struct lb_picker *p, uint64_t key, uint32_t flags)
{
	struct lb_request request = {.size = sizeof(request), .key64 = key, .flags = flags};
	uint64_t id = 0;
	int r = lb_pick(p, &request, &id);

	printf("%" PRId64 "\n", r < 0 ? (int64_t)r : (int64_t)id);
	return 0;
}

/* A line that picks: 1 when it was one, else 0, or -1. */
static int run_pick(struct lb_picker *p, const char *line)
{
	char function[32] = "", text[256] = "", address[INET6_ADDRSTRLEN] = "";
	uint16_t port = 0;
	uint64_t key = 0;

	if (!strncmp(line, "hash", 4)) {
		if (sscanf(line, "hash %31s %255s", function, text) < 1)
			return -1;
		if (!strcmp(function, "none"))
			return pick(p, 0, LB_REQUEST_KEYLESS) < 0 ? -1 : 1;
		return hash_of(function, text, &key) < 0 || pick(p, key, 0) < 0 ? -1 : 1;
	}
	if (strncmp(line, "pick", 4))
		return 0;
	sscanf(line, "pick %45s %" SCNu16, address, &port);
	return pick(p, key_of(address, port), 0) < 0 ? -1 : 1;
}

static int run(struct lb_group *g, struct lb_picker *p, const char *line)
{
	char verb[16], address[INET6_ADDRSTRLEN] = "", name[256];
	uint16_t port = 0;
	uint64_t id = 0;
	uint32_t weight = 0, lower = 0;
	int r, n;

	r = run_pick(p, line);
	if (r)
		return r < 0 ? r : 0;
	n = sscanf(line, "%15s %" SCNu64 " %" SCNu32 " %45s %" SCNu16, verb, &id, &weight, address,
		   &port);
	if (sscanf(line, "name %255s", name) == 1)
		next_key = lb_hash_ketama_server(name);
	else if ((n >= 3 && (!strcmp(verb, "add") || !strcmp(verb, "weight"))) ||
		 (n == 2 && (!strcmp(verb, "remove") || !strcmp(verb, "down"))))
		r = edit(g, verb, id, weight, key_of(address, port));
	else if (n == 4 && sscanf(address, "%" SCNu32, &lower) == 1 && !strcmp(verb, "limits"))
		r = limits(g, id, weight, lower);
	else if (n == 2 && !strcmp(verb, "gone"))
		r = gone(p, id);
	else if (n == 2 && !strcmp(verb, "done"))
		r = lb_done(p, id, NULL);
	else if (n == 2 && !strcmp(verb, "closing"))
		r = closing(p, id);
	else
		return -1;
	if (r == 0)
		r = lb_picker_refresh(p);
	if (r == 0)
		puts("ok");
	return r;
}

int main(int argc, char **argv)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = argc > 1 ? argv[1] : NULL};
	struct lb_group *g;
	struct lb_picker *p;
	char line[512];

	if (argc == 2 && !strcmp(argv[1], "--names")) {
		for (size_t i = 0; lb_algo_name(i); i++)
			puts(lb_algo_name(i));
		return 0;
	}
	o.overhead_mul = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	o.flags = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	o.balance_factor = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
	if (lb_group_new(&o, &g) < 0 || lb_picker_new(g, &p) < 0)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		if (run(g, p, line) < 0) {
			fprintf(stderr, "sched_repl: cannot do: %s", line);
			return 1;
		}
	}
	lb_group_free(g);
	return 0;
}
