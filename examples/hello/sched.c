/* SPDX-License-Identifier: MIT */
/* Three servers, a burst, one down, and why. cc sched.c $(pkg-config --cflags --libs libsched) */
#include <stdio.h>

#include <libsched/lb.h>

static int explain_row(const struct lb_explanation *e, void *userdata)
{
	(void)userdata;
	printf("  server %d, weight %u: %s\n", (int)e->id, e->weight,
	       lb_verdict_string(e->verdict));
	return 0;
}

/* Requests that end at once, by the ids of the servers that had them. */
static void six(struct lb_picker *picker)
{
	uint64_t id;

	for (int i = 0; i < 6; i++) {
		if (lb_pick(picker, NULL, &id) < 0)
			continue; /* nobody is up, or all are full: the error says which */
		printf(" %d", (int)id);
		lb_done(picker, id, NULL);
	}
}

/* A data path that gets its packets in bursts asks once for all of them, each by a key of its own. */
static void burst(struct lb_picker *picker)
{
	const uint64_t key[6] = {11, 22, 33, 44, 55, 66}; /* maglev and others would go by them */
	uint64_t id[6];

	lb_pick_many(picker, NULL, key, 6, id); /* id[i] is 0 where nobody was found */
	for (int i = 0; i < 6; i++) {
		printf(" %d", (int)id[i]);
		lb_done(picker, id[i], NULL);
	}
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
	if (r == 0)
		r = lb_picker_new(group, &picker);
	if (r < 0)
		return r;
	printf("weights 3 2 1, a burst: ");
	six(picker);
	burst(picker);
	lb_server_set_up(group, 1, false);
	r = lb_group_commit(group);
	printf("\nserver 1 down:          ");
	six(picker);
	printf("\n");
	return r < 0 ? r : lb_explain(picker, NULL, explain_row, NULL);
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
	return r < 0;
}
