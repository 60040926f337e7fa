/* SPDX-License-Identifier: MIT */
/*
 * libsched by lines, for scripts that hold it against a real balancer.
 * usage: sched_repl ALGO [OVERHEAD_MUL [FLAGS]]          FLAGS: of struct lb_group_opts, a number
 *
 *	add ID WEIGHT [ADDRESS PORT] | weight ID WEIGHT     staged and committed at once; answers "ok"
 *	remove ID                                        likewise
 *	pick [ADDRESS PORT]                                 answers the id, or the error as a negative number
 *	done ID | closing ID                             ended; active to inactive. Answers "ok"
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

static int edit(struct lb_group *g, const char *verb, uint64_t id, uint32_t weight, uint64_t key)
{
	struct lb_server_opts o = {.size = sizeof(o), .id = id, .key64 = key};
	int r = 0;

	if (!strcmp(verb, "add"))
		r = lb_server_add(g, &o, NULL);
	if (r == 0)
		r = !strcmp(verb, "remove") ? lb_server_remove(g, id)
					    : lb_server_set_weight(g, id, weight);
	return r < 0 ? r : lb_group_commit(g);
}

static int closing(struct lb_picker *p, uint64_t id)
{
	int r = lb_count(p, id, LB_COUNTER_ACTIVE, -1);

	return r < 0 ? r : lb_count(p, id, LB_COUNTER_INACTIVE, 1);
}

static int run(struct lb_group *g, struct lb_picker *p, const char *line)
{
	struct lb_request request = {.size = sizeof(request)};
	char verb[16], address[INET6_ADDRSTRLEN] = "";
	uint16_t port = 0;
	uint64_t id = 0;
	uint32_t weight = 0;
	int r, n;

	if (!strncmp(line, "pick", 4)) {
		sscanf(line, "pick %45s %" SCNu16, address, &port);
		request.key64 = key_of(address, port);
		r = lb_pick(p, &request, &id);
		printf("%" PRId64 "\n", r < 0 ? (int64_t)r : (int64_t)id);
		return 0;
	}
	n = sscanf(line, "%15s %" SCNu64 " %" SCNu32 " %45s %" SCNu16, verb, &id, &weight, address,
		   &port);
	if ((n >= 3 && (!strcmp(verb, "add") || !strcmp(verb, "weight"))) ||
	    (n == 2 && !strcmp(verb, "remove")))
		r = edit(g, verb, id, weight, key_of(address, port));
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
	char line[128];

	o.overhead_mul = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	o.flags = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
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
