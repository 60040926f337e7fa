/* SPDX-License-Identifier: MIT */
/*
 * libsched by lines, for scripts that hold it against a real balancer. usage: sched_repl ALGO [OVERHEAD_MUL]
 *
 *	add ID WEIGHT | weight ID WEIGHT | remove ID     staged and committed at once; answers "ok"
 *	pick                                             answers the id, or the error as a negative number
 *	done ID | closing ID                             ended; active to inactive. Answers "ok"
 *
 * One picker, which sees every commit. Anything else, or an error but from pick, ends it with status 1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsched/lb.h>

static int edit(struct lb_group *g, const char *verb, uint64_t id, uint32_t weight)
{
	struct lb_server_opts o = {.size = sizeof(o), .id = id};
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
	char verb[16];
	uint64_t id = 0;
	uint32_t weight = 0;
	int r, n = sscanf(line, "%15s %" SCNu64 " %" SCNu32, verb, &id, &weight);

	if (n == 1 && !strcmp(verb, "pick")) {
		r = lb_pick(p, NULL, &id);
		printf("%" PRId64 "\n", r < 0 ? (int64_t)r : (int64_t)id);
		return 0;
	}
	if ((n == 3 && (!strcmp(verb, "add") || !strcmp(verb, "weight"))) ||
	    (n == 2 && !strcmp(verb, "remove")))
		r = edit(g, verb, id, weight);
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
	char line[64];

	o.overhead_mul = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
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
