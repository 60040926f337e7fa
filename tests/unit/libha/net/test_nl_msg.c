/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/netlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "nl/msg.h"

/* Golden bytes are those of a little-endian machine. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static void a_message_has_these_bytes(void **state)
{
	static const uint8_t golden[] = {
	    0x34, 0, 0, 0,    0x10, 0,	 5, 3, 0, 0, 0, 0, 0, 0, 0, 0, /* nlmsghdr: 52 bytes */
	    3,	  1, 0, 0,		       /* generic netlink: cmd 3, version 1 */
	    5,	  0, 1, 0,    0x7f, 0,	 0, 0, /* u8, padded */
	    0x10, 0, 2, 0x80,		       /* nest of 16 bytes */
	    6,	  0, 3, 0,    0,    80,	 0, 0, /* be16, padded */
	    4,	  0, 4, 0,		       /* empty attribute */
	    7,	  0, 5, 0,    'l',  'o', 0, 0, /* string with its NUL */
	};
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t m = nl_msg_begin(&w, 16, NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP), n;

	nl_genl_put(&w, 3, 1);
	nl_attr_put_u8(&w, 1, 0x7f);
	n = nl_nest_begin(&w, 2);
	nl_attr_put_be16(&w, 3, 80);
	nl_attr_put(&w, 4, NULL, 0);
	nl_nest_end(&w, n);
	nl_attr_put_str(&w, 5, "lo");
	nl_msg_end(&w, m);
	assert_false(w.bad);
	assert_int_equal(writer_len(&w), sizeof(golden));
	assert_memory_equal(buf, golden, sizeof(golden));
}
#endif

static void every_number_survives(void **state)
{
	uint8_t buf[256], u8 = 0;
	uint16_t u16 = 0, be16 = 0;
	uint32_t u32 = 0, be32 = 0;
	uint64_t u64 = 0, be64 = 0;
	struct writer w = writer_of(buf, sizeof(buf));
	struct reader r;
	struct nl_attr a;
	int seen = 0;

	nl_attr_put_u8(&w, 1, 0xab);
	nl_attr_put_u16(&w, 2, 0xabcd);
	nl_attr_put_u32(&w, 3, 0xabcdef01);
	nl_attr_put_u64(&w, 4, 0xabcdef0123456789);
	nl_attr_put_be16(&w, 5, 0xabcd);
	nl_attr_put_be32(&w, 6, 0xabcdef01);
	nl_attr_put_be64(&w, 7, 0xabcdef0123456789);
	r = reader_of(buf, writer_len(&w));
	for (; nl_attr_next(&r, &a); seen++) {
		bool ok[] = {nl_attr_u8(&a, &u8),     nl_attr_u16(&a, &u16),
			     nl_attr_u32(&a, &u32),   nl_attr_u64(&a, &u64),
			     nl_attr_be16(&a, &be16), nl_attr_be32(&a, &be32),
			     nl_attr_be64(&a, &be64)};

		assert_true(ok[a.type - 1]); /* and the last of its length to be read stays */
		assert_int_equal(nl_attr_u8(&a, &u8), a.type == 1);
	}
	assert_int_equal(seen, 7);
	assert_int_equal(u8, 0xab);
	assert_int_equal(be16, 0xabcd);
	assert_int_equal(be32, 0xabcdef01);
	assert_true(be64 == 0xabcdef0123456789);
	assert_int_equal(buf[40], 0xab); /* be16: most significant first */
}

/* What a consumer does with any message: walk it, two levels deep, and read each payload. */
static size_t walk(const uint8_t *data, size_t len)
{
	struct reader r = reader_of(data, len);
	struct nl_msg msg;
	struct nl_attr a, inner;
	struct nl_error e;
	char text[16];
	size_t n = 0;

	while (nl_msg_next(&r, &msg)) {
		nl_error_read(&msg, &e);
		while (nl_attr_next(&msg.body, &a)) {
			n += nl_attr_str(&a, text, sizeof(text));
			while (nl_attr_next(&a.data, &inner))
				n++;
		}
	}
	return n;
}

static size_t sample(uint8_t *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	size_t m = nl_msg_begin(&w, 20, 0), n;

	nl_attr_put_str(&w, 1, "abcdefg");
	n = nl_nest_begin(&w, 2);
	nl_attr_put_u32(&w, 1, 7);
	nl_nest_end(&w, n);
	nl_msg_end(&w, m);
	return w.bad ? 0 : writer_len(&w);
}

static void a_message_cut_at_any_byte_is_bad_and_not_overrun(void **state)
{
	uint8_t buf[64];
	size_t len = sample(buf, sizeof(buf));

	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		struct reader r;
		struct nl_msg msg;

		memcpy(exact, buf, cut);
		walk(exact, cut);
		r = reader_of(exact, cut);
		assert_false(nl_msg_next(&r, &msg));
		assert_int_equal(r.bad, cut != 0);
		free(exact);
	}
}

static void an_attribute_of_any_wrong_length_stays_inside(void **state)
{
	uint8_t buf[64], copy[64];
	size_t len = sample(buf, sizeof(buf));

	for (uint32_t lie = 0; lie <= UINT16_MAX; lie++) {
		uint16_t l = (uint16_t)lie;

		for (size_t at = NL_HEADER_BYTES; at < len; at += NL_ALIGN) {
			memcpy(copy, buf, len);
			memcpy(copy + at, &l, sizeof(l));
			walk(copy, len);
		}
		if (lie == 4096)
			lie = UINT16_MAX - 8; /* between there is only more of the same */
	}
}

static void an_attribute_shorter_than_its_header_ends_the_walk(void **state)
{
	const uint16_t bad[2] = {3, 1};
	struct reader r = reader_of(bad, sizeof(bad));
	struct nl_attr a;

	assert_false(nl_attr_next(&r, &a));
	assert_true(r.bad);
}

static void a_builder_without_room_is_bad_at_any_size(void **state)
{
	uint8_t buf[64];
	size_t len = sample(buf, sizeof(buf));

	for (size_t cap = 0; cap < len; cap++) {
		uint8_t *exact = malloc(cap ? cap : 1);

		assert_int_equal(sample(exact, cap), 0);
		free(exact);
	}
	assert_int_equal(sample(buf, len), len);
}

static void what_no_length_field_can_say_is_refused(void **state)
{
	static uint8_t buf[80000], big[65532];
	struct writer w = writer_of(buf, sizeof(buf));
	size_t n;

	nl_attr_put(&w, 1, big, 65531);
	assert_false(w.bad);
	w = writer_of(buf, sizeof(buf));
	nl_attr_put(&w, 1, big, 65532);
	assert_true(w.bad);
	w = writer_of(buf, sizeof(buf));
	n = nl_nest_begin(&w, 1);
	nl_attr_put(&w, 1, big, 65531);
	nl_nest_end(&w, n);
	assert_true(w.bad);
}

static struct nl_msg message(uint8_t *buf, struct writer *w)
{
	struct reader r;
	struct nl_msg msg;

	nl_msg_end(w, 0);
	assert_false(w->bad);
	r = reader_of(buf, writer_len(w));
	assert_true(nl_msg_next(&r, &msg));
	return msg;
}

static void an_error_gives_its_text_with_and_without_the_request(void **state)
{
	uint8_t buf[1024];

	for (int capped = 0; capped < 2; capped++) {
		struct writer w = writer_of(buf, sizeof(buf));
		struct nl_error e;
		struct nl_msg msg;

		nl_msg_begin(&w, NLMSG_ERROR,
			     (uint16_t)(NLM_F_ACK_TLVS | (capped ? NLM_F_CAPPED : 0)));
		write_host32(&w, (uint32_t)-EBUSY);
		write_host32(&w, 21); /* the request: its header and 5 bytes */
		write_zero(&w, 12);
		if (!capped)
			write_zero(&w, 8);
		nl_attr_put_str(&w, NLMSGERR_ATTR_MSG, "device is busy");
		msg = message(buf, &w);
		assert_true(nl_error_read(&msg, &e));
		assert_int_equal(e.error, -EBUSY);
		assert_string_equal(e.text, "device is busy");
	}
}

static void a_text_longer_than_its_room_is_cut(void **state)
{
	uint8_t buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));
	struct nl_error e;
	struct nl_msg msg;
	char longer[NL_TEXT_SIZE + 100];

	memset(longer, 'x', sizeof(longer));
	nl_msg_begin(&w, NLMSG_DONE, NLM_F_ACK_TLVS);
	write_host32(&w, 0);
	nl_attr_put(&w, NLMSGERR_ATTR_MSG, longer, sizeof(longer)); /* and no NUL */
	msg = message(buf, &w);
	assert_true(nl_error_read(&msg, &e));
	assert_int_equal(strlen(e.text), NL_TEXT_SIZE - 1);
}

static void what_is_no_errno_is_no_error_message(void **state)
{
	static const int numbers[] = {1, -4096, INT32_MIN};
	uint8_t buf[64];
	struct nl_error e;

	for (size_t i = 0; i < 3; i++) {
		struct writer w = writer_of(buf, sizeof(buf));
		struct nl_msg msg;

		nl_msg_begin(&w, NLMSG_DONE, 0);
		write_host32(&w, (uint32_t)numbers[i]);
		msg = message(buf, &w);
		assert_false(nl_error_read(&msg, &e));
	}
}

static void a_string_must_fit_with_its_nul(void **state)
{
	const struct nl_attr a = {.data = reader_of("abcd", 4)},
			     nul = {.data = reader_of("ab\0d", 4)};
	char text[5] = "....";

	assert_false(nl_attr_str(&a, text, 4));
	assert_string_equal(text, "....");
	assert_true(nl_attr_str(&a, text, 5));
	assert_string_equal(text, "abcd");
	assert_true(nl_attr_str(&nul, text, 3));
	assert_string_equal(text, "ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		cmocka_unit_test(a_message_has_these_bytes),
#endif
		cmocka_unit_test(every_number_survives),
		cmocka_unit_test(a_message_cut_at_any_byte_is_bad_and_not_overrun),
		cmocka_unit_test(an_attribute_of_any_wrong_length_stays_inside),
		cmocka_unit_test(an_attribute_shorter_than_its_header_ends_the_walk),
		cmocka_unit_test(a_builder_without_room_is_bad_at_any_size),
		cmocka_unit_test(what_no_length_field_can_say_is_refused),
		cmocka_unit_test(an_error_gives_its_text_with_and_without_the_request),
		cmocka_unit_test(a_text_longer_than_its_room_is_cut),
		cmocka_unit_test(what_is_no_errno_is_no_error_message),
		cmocka_unit_test(a_string_must_fit_with_its_nul),
	};

	return cmocka_run_group_tests_name("libha/nl/msg", tests, NULL, NULL);
}
