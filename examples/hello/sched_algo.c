/* SPDX-License-Identifier: MIT */
/*
 * An algorithm of one's own: the zone's servers first, in turn; those of other zones when none of them may be
 * chosen. cc sched_algo.c $(pkg-config --cflags --libs libsched)
 */
#include <stdio.h>

#include <libsched/lb_algo.h>

/* The cursor: where a picker's rotation goes on. */
static size_t zone_cursor_size(const struct lb_snapshot *s)
{
	(void)s;
	return sizeof(size_t);
}

/* The next that may be chosen, near ones first: here those of even ids. -1: nobody may be. */
static ssize_t zone_pick(const struct lb_snapshot *s, void *cursor, const struct lb_query *q)
{
	size_t n = lb_snapshot_count(s), *next = cursor;

	for (size_t i = 0; i < 2 * n; i++) {
		size_t place = (*next + i) % n;

		if (!lb_query_eligible(q, place) || (i < n && lb_snapshot_id(s, place) % 2))
			continue;
		*next = place + 1;
		return (ssize_t)place;
	}
	return -1;
}

static const struct lb_algo zone = {
    .size = sizeof(zone),
    .name = "zone",
    .cursor_size = zone_cursor_size,
    .pick = zone_pick,
};

static int run(struct lb_group *group)
{
	struct lb_picker *picker;
	uint64_t id;
	int r = 0;

	for (int i = 0; i < 4 && r == 0; i++)
		r = lb_server_add(group, NULL, NULL); /* ids 1 to 4 */
	if (r == 0)
		r = lb_group_commit(group);
	if (r == 0)
		r = lb_picker_new(group, &picker);
	for (int i = 0; i < 8 && r == 0; i++) {
		if (i == 4) { /* the near ones go down */
			lb_server_set_up(group, 2, false);
			lb_server_set_up(group, 4, false);
			r = lb_group_commit(group);
		}
		if (r == 0)
			r = lb_pick(picker, NULL, &id);
		if (r == 0)
			printf("%s%d", i ? " " : "", (int)id);
	}
	printf("\n");
	return r;
}

int main(void)
{
	struct lb_group_opts opts = {.size = sizeof(opts), .own_algo = &zone};
	struct lb_group *group;
	int r = lb_group_new(&opts, &group);

	if (r == 0)
		r = run(group);
	if (r < 0)
		fprintf(stderr, "sched_algo: error %d\n", r);
	else
		lb_group_free(group);
	return r < 0;
}
