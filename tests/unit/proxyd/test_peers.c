/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/peers/link.h"

#define SECOND UINT64_C(1000000000)
#define NOW (1000 * SECOND)

/* ---- Numbers ---- */

static void numbers_take_as_many_bytes_as_haproxys(void **state)
{
	static const struct {
		uint64_t v;
		size_t n;
		uint8_t bytes[10];
	} known[] = {
	    {0, 1, {0}},
	    {239, 1, {239}},
	    {240, 2, {0xf0, 0}},
	    {512, 2, {0xf0, 0x11}},
	    {2287, 2, {0xff, 0x7f}},
	    {2288, 3, {0xf0, 0x80, 0}},
	    {10000, 3, {0xf0, 0xe2, 3}},
	    {264432, 4, {0xf0, 0x80, 0x80, 0}},
	    {UINT32_MAX, 5, {0xff, 0xf0, 0xfe, 0xfe, 0x7e}},
	    {UINT64_MAX, 10, {0xff, 0xf0, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0xfe, 0x0e}},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint8_t buf[10];
		struct output w = output_of(buf, sizeof(buf));
		struct input r;

		peers_put_int(&w, known[i].v);
		assert_int_equal(output_len(&w), known[i].n);
		assert_memory_equal(buf, known[i].bytes, known[i].n);
		r = input_of(text_of((char *)buf, known[i].n));
		assert_true(peers_get_int(&r) == known[i].v && !r.is_short);
		r = input_of(text_of((char *)buf, known[i].n - 1));
		peers_get_int(&r);
		assert_true(r.is_short);
	}
}

static void a_number_has_an_end(void **state)
{
	uint8_t buf[32];
	struct peers_message m;
	struct input r = input_of(text_of((char *)buf, sizeof(buf)));

	memset(buf, 0xff, sizeof(buf));
	peers_get_int(&r);
	assert_true(r.is_short);
	buf[0] = PEERS_TABLE;
	buf[1] = PEERS_UPDATE;
	assert_int_equal(peers_next(buf, 5, &m), 0);
	assert_int_equal(peers_next(buf, sizeof(buf), &m), -EMSGSIZE);
}

/* ---- Two that share tables ---- */

struct side {
	struct share share[2];
	struct shares shares;
	struct link *link;
};

static struct table *new_table(const char *name, unsigned key_len)
{
	struct table_def def;

	memset(&def, 0, sizeof(def));
	def = (struct table_def){.type = SAMPLE_STR, .key_len = key_len, .size = 1000, .expire_ns = 100 * SECOND};
	def.stored = 1u << TABLE_SERVER_ID | 1u << TABLE_GPC0 | 1u << TABLE_HTTP_REQ_RATE | 1u << TABLE_CONN_CUR | 1u << TABLE_GPC;
	def.period_ns[TABLE_HTTP_REQ_RATE] = 10 * SECOND;
	def.n_elements[TABLE_GPC] = 3;
	return table_get(name, &def);
}

/* Tables are known by name in a process: each side has its own, and the same name for others. */
static void begin(struct side *s, const char *prefix, unsigned key_len)
{
	char name[32];

	memset(s, 0, sizeof(*s));
	s->shares = (struct shares){.share = s->share, .n = 2, .knows_all = true};
	for (unsigned i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s%u", prefix, i);
		s->share[i] = (struct share){new_table(name, key_len), strdup(i ? "second" : "first"), i};
		assert_non_null(s->share[i].table);
		table_share(s->share[i].table, -1);
	}
	s->link = calloc(1, sizeof(*s->link));
	assert_int_equal(link_begin(s->link, &s->shares, 0), 0);
	link_fill(s->link, NOW);
}

static void end(struct side *s)
{
	link_end(s->link);
	for (unsigned i = 0; i < 2; i++) {
		table_put(s->share[i].table);
		free(s->share[i].name);
	}
}

static char scratch_bytes[2048];

static struct table_entry *hold(struct side *s, unsigned i, const char *key, bool make)
{
	struct scratch scratch = {scratch_bytes, 0, sizeof(scratch_bytes)};
	struct sample k = sample_text(SAMPLE_STR, key, strlen(key));

	return table_hold(s->share[i].table, &k, make, NOW, &scratch);
}

static uint64_t value(struct side *s, unsigned i, const char *key, struct table_place p)
{
	struct table_entry *e = hold(s, i, key, false);
	uint64_t v = UINT64_MAX;

	if (!e)
		return v;
	table_read(s->share[i].table, e, p, NOW, &v);
	table_release(s->share[i].table, e);
	return v;
}

static void tell_all(void *userdata, struct table *t, const struct table_entry *e)
{
	struct side *s = userdata;

	link_tell(s->link, &s->share[t == s->share[1].table], e, NOW);
}

static void change(struct side *s, unsigned i, const char *key)
{
	struct table_entry *e = hold(s, i, key, true);
	struct table_cursor at = {0, 0};
	struct table *t = s->share[i].table;

	table_count(t, e, table_at(TABLE_GPC0), 7, NOW);
	table_count(t, e, table_at(TABLE_CONN_CUR), 1, NOW);
	table_count(t, e, table_at(TABLE_HTTP_REQ_CNT), 300, NOW); /* its rate is stored */
	table_set(t, e, (struct table_place){TABLE_GPC, 2}, 1 << 20, NOW);
	table_set(t, e, table_at(TABLE_SERVER_ID), 3, NOW);
	table_release(t, e);
	while (table_walk(t, &at, NOW, tell_all, s))
		;
}

/* In pieces of so many bytes. */
static int pass(struct side *from, struct side *to, size_t piece)
{
	int e = 0;

	for (size_t at = 0, n; !e && at < from->link->out_len; at += n) {
		n = from->link->out_len - at < piece ? from->link->out_len - at : piece;
		memcpy(to->link->in + to->link->in_len, from->link->out + at, n);
		to->link->in_len += n;
		e = link_take(to->link, NOW);
	}
	from->link->out_len = 0;
	return e;
}

static void what_changes_is_learned(void **state)
{
	for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
		struct side a, b;

		begin(&a, "a", 20);
		begin(&b, "b", 20);
		change(&a, 0, "key");
		change(&a, 1, "another");
		assert_int_equal(pass(&a, &b, piece), 0);
		assert_int_equal(value(&b, 0, "key", table_at(TABLE_GPC0)), 7);
		assert_int_equal(value(&b, 0, "key", table_at(TABLE_HTTP_REQ_RATE)), 300);
		assert_int_equal(value(&b, 0, "key", (struct table_place){TABLE_GPC, 2}), 1 << 20);
		assert_int_equal(value(&b, 0, "key", table_at(TABLE_CONN_CUR)), 0);
		assert_int_equal(value(&b, 0, "key", table_at(TABLE_SERVER_ID)), 0); /* that table tells none */
		assert_int_equal(value(&b, 1, "another", table_at(TABLE_SERVER_ID)), 3);
		assert_true(value(&b, 1, "key", table_at(TABLE_GPC0)) == UINT64_MAX);
		assert_int_equal(pass(&b, &a, piece), 0); /* the acknowledgements */
		end(&a);
		end(&b);
	}
}

static void who_asks_is_told_all(void **state)
{
	struct side a, b;
	char key[16];

	begin(&a, "a", 20);
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		change(&a, 0, key);
	}
	a.link->out_len = 0; /* somebody else was told that */
	a.link->told = NULL;
	begin(&b, "b", 20);
	b.shares.knows_all = false;
	link_fill(b.link, NOW);
	assert_int_equal(pass(&b, &a, 16), 0);
	assert_false(b.shares.knows_all);
	while (a.link->walk.runs) {
		link_fill(a.link, NOW);
		assert_true(a.link->out_len < LINK_OUT_ENOUGH + 256 * 64);
		assert_int_equal(pass(&a, &b, 4096), 0);
	}
	assert_true(b.shares.knows_all);
	assert_int_equal(table_used(b.share[0].table, 0), 500);
	assert_int_equal(value(&b, 0, "key499", table_at(TABLE_GPC0)), 7);
	end(&a);
	end(&b);
}

static void tables_with_other_keys_are_left(void **state)
{
	struct side a, b;

	begin(&a, "a", 20);
	begin(&b, "b", 21);
	change(&a, 0, "key");
	assert_int_equal(pass(&a, &b, 4096), 0);
	assert_int_equal(table_used(b.share[0].table, 0), 0);
	end(&a);
	end(&b);
}

static void an_empty_key_is_one(void **state)
{
	struct side a, b;

	begin(&a, "a", 20);
	begin(&b, "b", 20);
	change(&a, 0, "");
	assert_int_equal(pass(&a, &b, 4096), 0);
	assert_int_equal(value(&b, 0, "", table_at(TABLE_GPC0)), 7);
	end(&a);
	end(&b);
}

static void who_takes_no_answers_is_left(void **state)
{
	struct side s;
	int e = 0;

	begin(&s, "a", 20);
	while (!e && s.link->out_len < 2 * LINK_OUT_LIMIT) {
		s.link->in_len = 16384;
		for (size_t i = 0; i < s.link->in_len; i += 2) {
			s.link->in[i] = PEERS_CONTROL;
			s.link->in[i + 1] = PEERS_RESYNC_FINISHED;
		}
		e = link_take(s.link, NOW);
	}
	assert_int_equal(e, -ENOBUFS);
	end(&s);
}

static void who_is_slow_is_told_later(void **state)
{
	struct side a, b;
	char key[16];

	begin(&a, "a", 20);
	begin(&b, "b", 20);
	table_share(a.share[0].table, 1 << 20); /* noted; nobody is woken */
	for (int i = 0; !a.link->behind_ns && i < 1000; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		change(&a, 0, key);
	}
	assert_true(a.link->behind_ns && a.link->out_len < LINK_OUT_MAX + 1024);
	change(&a, 0, "last");
	assert_int_equal(pass(&a, &b, 4096), 0);
	assert_true(value(&b, 0, "last", table_at(TABLE_GPC0)) == UINT64_MAX);
	do {
		link_fill(a.link, NOW);
		assert_int_equal(pass(&a, &b, 4096), 0);
	} while (a.link->walk.runs || a.link->behind_ns);
	assert_int_equal(value(&b, 0, "last", table_at(TABLE_GPC0)), 7);
	end(&a);
	end(&b);
}

static void what_is_wrong_is_an_error(void **state)
{
	static const struct {
		const char *at;
		size_t len;
		int e;
	} wrong[] = {
#define WRONG(bytes, e) {bytes, sizeof(bytes) - 1, e}
	    WRONG("\x0a\x80\x09\0\0\0\1\3key\7", -EPROTO),	 /* before any table */
	    WRONG("\x0a\x83\x01\x09", -EPROTO),			 /* nobody defined it */
	    WRONG("\x0a\x82\x02\x01\x7f", -EPROTO),		 /* cut */
	    WRONG("\x0a\x82\x0e\1\5first\x06\x15\xf0\0\0\1\5", -EPROTO), /* a period of what is no rate */
	    WRONG("\x0a\x80\xff\xff\xff\x7f", -EMSGSIZE),
	    WRONG("\x07\x01", -EPROTO),
	    WRONG("\x01\x00", -ECONNABORTED),
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct side s;

		begin(&s, "a", 20);
		memcpy(s.link->in, wrong[i].at, wrong[i].len);
		s.link->in_len = wrong[i].len;
		if (link_take(s.link, NOW) != wrong[i].e)
			fail_msg("%zu", i);
		end(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_take_as_many_bytes_as_haproxys), cmocka_unit_test(a_number_has_an_end),
	    cmocka_unit_test(what_changes_is_learned),		      cmocka_unit_test(who_asks_is_told_all),
	    cmocka_unit_test(tables_with_other_keys_are_left),	      cmocka_unit_test(who_is_slow_is_told_later),
	    cmocka_unit_test(what_is_wrong_is_an_error),		      cmocka_unit_test(an_empty_key_is_one),
	    cmocka_unit_test(who_takes_no_answers_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
