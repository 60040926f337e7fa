/* SPDX-License-Identifier: MIT */
/* Three servers, twelve picks, one goes down, and why. cc sched.c $(pkg-config --cflags --libs libsched) */
#include <stdio.h>

#include <libsched/lb.h>

static int explain_row(const struct lb_explanation *e, void *userdata)
{
	(void)userdata;
	printf("  server %d, weight %u: %s\n", (int)e->id, e->weight,
	       lb_verdict_string(e->verdict));
	return 0;
}

/* Twelve requests that end at once, by the ids of the servers that had them. */
static void twelve(struct lb_picker *picker)
{
	uint64_t id;

	for (int i = 0; i < 12; i++) {
		if (lb_pick(picker, NULL, &id) < 0) {
			printf(" -");
			continue;
		}
		printf(" %d", (int)id);
		lb_done(picker, id, NULL);
	}
	printf("\n");
}

static int run(struct lb_group *group)
{
	struct lb_picker *picker; /* one for each thread */
	int r;

	for (uint32_t id = 1; id <= 3; id++) {
		struct lb_server_opts server = {.size = sizeof(server), .id = id, .weight = 4 - id};

		r = lb_server_add(group, &server, NULL);
		if (r < 0)
			return r;
	}
	r = lb_group_commit(group); /* publishes all three at once */
	if (r < 0)
		return r;
	r = lb_picker_new(group, &picker);
	if (r < 0)
		return r;
	printf("weights 3 2 1: ");
	twelve(picker);

	lb_server_set_up(group, 1, false);
	r = lb_group_commit(group);
	if (r < 0)
		return r;
	printf("server 1 down: ");
	twelve(picker);
	return lb_explain(picker, NULL, explain_row, NULL);
}

int main(void)
{
	struct lb_group_opts opts = {.size = sizeof(opts), .algo = "roundrobin"};
	struct lb_group *group;
	int r = lb_group_new(&opts, &group);

	if (r == 0) {
		r = run(group);
		lb_group_free(group); /* its picker too */
	}
	if (r < 0)
		fprintf(stderr, "sched: error %d\n", r);
	return r < 0;
}
