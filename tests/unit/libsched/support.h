/* SPDX-License-Identifier: MIT */
/* What the tests of libsched share: groups in one line, sequences as text, allocations that fail. */
#ifndef TEST_LIBSCHED_SUPPORT_H
#define TEST_LIBSCHED_SUPPORT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <libsched/lb.h>
#include <libsched/lb_algo.h>

/* A group of servers 1, 2, … of these weights, each committed alone, as a kernel would see it. */
#define GROUP(algo, ...)                                  \
	group_of((algo), (const uint32_t[]){__VA_ARGS__}, \
		 sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static inline struct lb_group *group_new(const char *algo)
{
	struct lb_group_opts o = {
	    .size = sizeof(o), .algo = algo, .seed = 1, .flags = LB_GROUP_FALLBACK};
	struct lb_group *g;

	assert_int_equal(lb_group_new(&o, &g), 0);
	return g;
}

static inline void add(struct lb_group *g, uint64_t id, uint32_t weight)
{
	struct lb_server_opts s = {.size = sizeof(s), .id = id, .weight = weight};

	assert_int_equal(lb_server_add(g, &s, NULL), 0);
	if (!weight)
		assert_int_equal(lb_server_set_weight(g, id, 0), 0);
}

static inline void commit(struct lb_group *g)
{
	assert_int_equal(lb_group_commit(g), 0);
}

static inline struct lb_group *group_of(const char *algo, const uint32_t *weight, size_t n)
{
	struct lb_group *g = group_new(algo);

	for (size_t i = 0; i < n; i++) {
		add(g, i + 1, weight[i]);
		commit(g);
	}
	return g;
}

static inline struct lb_picker *picker_of(struct lb_group *g)
{
	struct lb_picker *p;

	assert_int_equal(lb_picker_new(g, &p), 0);
	return p;
}

static inline bool algo_is(const struct lb_group *g, const char *name)
{
	struct lb_group_stats s = {.size = sizeof(s)};

	assert_int_equal(lb_group_stats(g, &s), 0);
	return !strcmp(s.algo, name);
}

/* Does everyone get some of many requests of one key that stay? */
static inline bool spreads(const struct lb_group *g)
{
	static const char *const do_not[] = {
	    "fo",      "first",	     "sh",     "dh",	    "mh",	  "maglev",
	    "source",  "uri",	     "hdr",    "url_param", "rdp-cookie", "hash",
	    "ip_hash", "nginx-hash", "ketama", "anchor",    "dx",	  "jump",
	};

	for (size_t i = 0; i < sizeof(do_not) / sizeof(do_not[0]); i++)
		if (algo_is(g, do_not[i]))
			return false;
	return true;
}

/* Whose the key is; nothing is counted. */
static inline uint64_t key_pick(struct lb_picker *p, uint64_t key)
{
	struct lb_request r = {.size = sizeof(r), .key64 = key, .flags = LB_REQUEST_UNCOUNTED};
	uint64_t id;

	assert_int_equal(lb_pick(p, &r, &id), 0);
	return id;
}

/* The next n picks as text, "1 2 1"; errors as "-EAGAIN" and the like. `done`: each ends at once. */
static inline const char *picks(struct lb_picker *p, size_t n, bool done)
{
	static char text[16384];
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n && len + 32 < sizeof(text); i++) {
		uint64_t id;
		int r = lb_pick(p, NULL, &id);
		const char *gap = i ? " " : "";

		if (r == 0)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%llu", gap,
						(unsigned long long)id);
		else
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", gap,
						r == -EAGAIN  ? "-EAGAIN"
						: r == -ENOSR ? "-ENOSR"
							      : "-?");
		if (r == 0 && done)
			assert_int_equal(lb_done(p, id, NULL), 0);
	}
	return text;
}

#define assert_picks(p, n, expected) assert_string_equal(picks((p), (n), true), (expected))
#define assert_picks_that_stay(p, n, expected) \
	assert_string_equal(picks((p), (n), false), (expected))

/* How often ids 1..9 occur in the next n picks. */
struct tally {
	size_t of[10];
};

static inline struct tally tally_of(struct lb_picker *p, size_t n)
{
	struct tally t = {{0}};

	for (size_t i = 0; i < n; i++) {
		uint64_t id;

		assert_int_equal(lb_pick(p, NULL, &id), 0);
		assert_in_range(id, 1, 9);
		t.of[id]++;
		lb_done(p, id, NULL);
	}
	return t;
}

static inline struct lb_server_stats stats_of(const struct lb_group *g, uint64_t id)
{
	struct lb_server_stats s = {.size = sizeof(s)};

	assert_int_equal(lb_server_stats(g, id, &s), 0);
	return s;
}

/* A small fixed generator: the test is the same on every machine. */
static inline uint32_t draw(uint32_t *x, uint32_t below)
{
	*x = *x * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(*x >> 8) * below >> 24);
}

#endif
