/* SPDX-License-Identifier: MIT */
/*
 * ip_hash, nginx-hash, ketama, each the obvious way: text by text, server by server. nginx itself is asked in
 * tests/interop/sched_nginx.py.
 */
#include "support.h"

#include <libsched/lb_hash.h>

#define SERVERS 6
#define TRIES 21

static uint32_t weight_of(uint64_t id)
{
	return 1 + (uint32_t)(id * 3 % 5);
}

static const char *name_of(uint64_t id)
{
	static char name[32];

	snprintf(name, sizeof(name), "192.0.2.%d:80", (int)id);
	return name;
}

static struct lb_group *group_named(const char *algo)
{
	struct lb_group *g = group_new(algo);

	for (uint64_t id = 1; id <= SERVERS; id++) {
		struct lb_server_opts s = {.size = sizeof(s),
					   .id = id,
					   .weight = weight_of(id),
					   .key64 = lb_hash_ketama_server(name_of(id))};

		assert_int_equal(lb_server_add(g, &s, NULL), 0);
	}
	commit(g);
	return g;
}

static uint64_t walk(uint32_t hash)
{
	uint32_t total = 0;
	uint64_t id = 1;

	for (uint64_t i = 1; i <= SERVERS; i++)
		total += weight_of(i);
	for (hash %= total; hash >= weight_of(id); id++)
		hash -= weight_of(id);
	return id;
}

/* 0: it falls back to the rotation. */
static uint64_t model_ip_hash(const uint8_t *addr, size_t len, uint64_t down)
{
	uint32_t hash = 89;

	for (int try = 0; try < TRIES; try++) {
		for (size_t i = 0; i < len; i++)
			hash = (hash * 113 + addr[i]) % 6271;
		if (walk(hash) != down)
			return walk(hash);
	}
	return 0;
}

static uint64_t model_hash(const char *text, uint64_t down)
{
	uint32_t hash = 0;

	for (int try = 0; try < TRIES; try++) {
		char buf[64];

		if (try)
			snprintf(buf, sizeof(buf), "%d%s", try, text);
		else
			snprintf(buf, sizeof(buf), "%s", text);
		hash += lb_hash_crc32(buf, strlen(buf)) >> 16 & 0x7fff;
		if (walk(hash) != down)
			return walk(hash);
	}
	return 0;
}

/* The least point at or above the hash, else the least of all; who is down has none. */
static uint64_t model_ketama(uint32_t hash, uint64_t down)
{
	uint64_t best = 0, first = 0;
	uint32_t at = 0, first_at = 0;

	for (uint64_t id = 1; id <= SERVERS; id++) {
		uint8_t text[32];
		int len = snprintf((char *)text, sizeof(text), "192.0.2.%d", (int)id) + 1;
		uint32_t point = 0;

		len += snprintf((char *)text + len, sizeof(text) - (size_t)len, "80");
		for (uint32_t i = 0; i < 160 * weight_of(id) && id != down; i++) {
			for (int k = 0; k < 4; k++)
				text[len + k] = (uint8_t)(point >> 8 * k);
			point = lb_hash_crc32(text, (size_t)len + 4);
			if (point >= hash && (!best || point < at)) {
				best = id;
				at = point;
			}
			if (!first || point < first_at) {
				first = id;
				first_at = point;
			}
		}
	}
	return best ? best : first;
}

static void same_as_the_model(const char *algo, bool with_one_down)
{
	struct lb_group *g = group_named(algo);
	struct lb_picker *p = picker_of(g);
	uint64_t down = with_one_down ? 3 : 0;
	uint32_t x = 7;

	if (down)
		lb_server_set_up(g, down, false);
	commit(g);
	for (int i = 0; i < 2000; i++) {
		uint64_t key = 0, expected;
		uint8_t addr[4] = {(uint8_t)draw(&x, 256), (uint8_t)draw(&x, 256),
				   (uint8_t)draw(&x, 256), (uint8_t)draw(&x, 256)};
		char text[32];

		snprintf(text, sizeof(text), "/%u", draw(&x, 1000000));
		if (!strcmp(algo, "ip_hash")) {
			lb_hash_nginx_ip(addr, 4, &key);
			expected = model_ip_hash(addr, 3, down);
		} else if (!strcmp(algo, "ketama")) {
			key = lb_hash_crc32(text, strlen(text));
			expected = model_ketama((uint32_t)key, down);
		} else {
			key = lb_hash_nginx(text, strlen(text));
			expected = model_hash(text, down);
		}
		if (expected)
			assert_int_equal(key_pick(p, key), expected);
		else
			assert_int_not_equal(key_pick(p, key), down);
	}
	lb_group_free(g);
}

static void ip_hash_is_the_models(void **state)
{
	same_as_the_model("ip_hash", false);
	same_as_the_model("ip_hash", true);
}

static void nginx_hash_is_the_models(void **state)
{
	same_as_the_model("nginx-hash", false);
	same_as_the_model("nginx-hash", true);
}

static void ketama_is_the_models(void **state)
{
	same_as_the_model("ketama", false);
	same_as_the_model("ketama", true);
}

static void without_a_key_they_are_smooth_wrr(void **state)
{
	static const char *const algos[] = {"ip_hash", "nginx-hash", "ketama"};
	const struct lb_request r = {.size = sizeof(r), .flags = LB_REQUEST_KEYLESS};

	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = GROUP(algos[a], 5, 1, 1);
		struct lb_picker *p = picker_of(g);
		const uint64_t expected[] = {1, 1, 2, 1, 3, 1, 1};

		for (size_t i = 0; i < 14; i++) {
			uint64_t id;

			assert_int_equal(lb_pick(p, &r, &id), 0);
			assert_int_equal(id, expected[i % 7]);
		}
		lb_group_free(g);
	}
}

/* One of 65535 is up, of the lightest weight: 21 tries miss it. */
static void the_rotation_helps_where_all_tries_miss(void **state)
{
	static const char *const algos[] = {"ip_hash", "nginx-hash", "ketama"};

	for (size_t a = 0; a < 3; a++) {
		struct lb_group *g = GROUP(algos[a], 1, 65535);
		struct lb_picker *p = picker_of(g);

		lb_server_set_up(g, 2, false);
		commit(g);
		for (uint64_t key = 1; key < 50; key++)
			assert_int_equal(key_pick(p, key << 32 | key), 1);
		lb_group_free(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ip_hash_is_the_models),
	    cmocka_unit_test(nginx_hash_is_the_models),
	    cmocka_unit_test(ketama_is_the_models),
	    cmocka_unit_test(without_a_key_they_are_smooth_wrr),
	    cmocka_unit_test(the_rotation_helps_where_all_tries_miss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
