/* SPDX-License-Identifier: MIT */
/* A stranger's program, C11 and C++17 alike: three servers in turn, then one less. */
#include <libsched/lb.h>

#include <string.h>

#undef NDEBUG
#include <assert.h>

static uint64_t pick(struct lb_picker *p)
{
	uint64_t id = 0;

	assert(lb_pick(p, NULL, &id) == 0);
	assert(lb_done(p, id, NULL) == 0);
	return id;
}

int main(void)
{
	struct lb_group_opts o;
	struct lb_group *g;
	struct lb_picker *p;
	uint64_t id[3], seen;

	assert(strcmp(lb_version(), LIBSCHED_VERSION) == 0);
	memset(&o, 0, sizeof(o));
	o.size = sizeof(o);
	o.algo = "rr";
	assert(lb_group_new(&o, &g) == 0);
	for (int i = 0; i < 3; i++)
		assert(lb_server_add(g, NULL, &id[i]) == 0);
	assert(lb_group_commit(g) == 0);
	assert(lb_picker_new(g, &p) == 0);
	seen = pick(p) + pick(p) + pick(p);
	assert(seen == id[0] + id[1] + id[2]);
	assert(lb_server_set_up(g, id[1], false) == 0 && lb_group_commit(g) == 0);
	seen = pick(p) + pick(p);
	assert(seen == id[0] + id[2]);
	lb_picker_free(p);
	lb_group_free(g);
	return 0;
}
