/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: frozen groups and pickers from anywhere. The first byte says which and into what, the rest
 * is the buffer. Held: what is refused stages nothing; what is taken can be committed, picked from,
 * frozen and thawed again, to the same bytes.
 */
#include <libsched/lb.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum {
	PICKER = 1,
	WRR = 2,
	COUNTERS = 4,
	MEMBERS = 8,
};

static void hold(bool truth)
{
	if (!truth)
		abort();
}

static struct lb_group *make(uint8_t what)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = what & WRR ? "wrr" : "rr"};
	struct lb_group *g;

	hold(lb_group_new(&o, &g) == 0);
	for (uint64_t id = 1; id <= 3; id++) {
		struct lb_server_opts s = {
		    .size = sizeof(s), .id = id, .weight = (uint32_t)id, .maxconn = 5};

		hold(lb_server_add(g, &s, NULL) == 0);
	}
	hold(lb_group_commit(g) == 0);
	return g;
}

static void pick_some(struct lb_picker *p)
{
	for (int i = 0; i < 10; i++) {
		uint64_t id;

		if (lb_pick(p, NULL, &id) == 0 && i % 2)
			hold(lb_done(p, id, NULL) == 0);
	}
}

/* What a group was given, it gives on: thawed into an empty one, that freezes to the same bytes. */
static void hold_round_trip(const struct lb_group *g, uint8_t what)
{
	struct lb_group_opts o = {.size = sizeof(o), .algo = what & WRR ? "wrr" : "rr"};
	ssize_t n = lb_group_freeze(g, NULL, 0);
	struct lb_group *h;
	uint8_t *a, *b;

	hold(n > 0);
	a = malloc((size_t)n);
	b = malloc((size_t)n);
	hold(a && b && lb_group_freeze(g, a, (size_t)n) == n && lb_group_new(&o, &h) == 0);
	hold(lb_group_thaw(h, a, (size_t)n, LB_THAW_COUNTERS) == 0);
	hold(lb_group_freeze(h, b, (size_t)n) <= n); /* removed servers are not brought back */
	hold(lb_group_commit(h) == 0);
	lb_group_free(h);
	free(a);
	free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct lb_group_stats s = {.size = sizeof(s)};
	uint8_t what = len ? data[0] : 0;
	struct lb_group *g = make(what);
	struct lb_picker *p;
	int r;

	hold(lb_picker_new(g, &p) == 0);
	pick_some(p);
	if (what & PICKER) {
		r = lb_picker_thaw(p, data + (len > 0), len ? len - 1 : 0);
	} else {
		r = lb_group_thaw(g, data + (len > 0), len ? len - 1 : 0,
				  (what & COUNTERS ? LB_THAW_COUNTERS : 0) |
				      (what & MEMBERS ? LB_THAW_MEMBERS : 0));
		hold(lb_group_stats(g, &s) == 0 && (r == 0 || !s.staged));
	}
	hold(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT || r == -ENOENT);
	hold(lb_group_commit(g) == 0);
	pick_some(p);
	hold_round_trip(g, what);
	lb_group_free(g);
	return 0;
}
