/* SPDX-License-Identifier: MIT */
/* Heads that are changed and written. */
#include "h1_rig.h"

static void writes_what_it_read(void **state)
{
	static const char text[] = "GET /x HTTP/1.1" CRLF HOST "X-A: 1" CRLF CRLF;
	struct rig r;

	assert_true(ask(&r, TEXT(text)) > 0);
	assert_written(&r.m, text);
	free(r.base);
}

static void knows_its_fields_by_every_byte_of_their_name(void **state)
{
	static const struct {
		const char *name;
		enum http_id id;
	} known[] = {
	    {"host", HTTP_ID_HOST},
	    {"expect", HTTP_ID_EXPECT},
	    {"upgrade", HTTP_ID_UPGRADE},
	    {"connection", HTTP_ID_CONNECTION},
	    {"content-length", HTTP_ID_CONTENT_LENGTH},
	    {"transfer-encoding", HTTP_ID_TRANSFER_ENCODING},
	};

	for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
		size_t len = strlen(known[k].name);
		char *name = malloc(len); /* valgrind and asan see a byte too many */

		memcpy(name, known[k].name, len);
		for (size_t i = 0; i < len; i++)
			for (int c = 0x21; c < 0x100; c++) {
				char was = name[i];
				bool same;

				name[i] = (char)c;
				same = c == was || (c == was - 0x20 && was >= 'a');
				assert_int_equal(http_id_of(name, len),
						 same ? known[k].id : HTTP_ID_OTHER);
				name[i] = was;
			}
		free(name);
	}
}

static void changes_requests(void **state)
{
	static const char text[] =
	    "GET /x?q HTTP/1.1" CRLF HOST "X: 1" CRLF "Y: 2" CRLF "x: 3" CRLF CRLF;
	struct rig r;
	struct http_msg *m = &r.m;

	assert_true(ask(&r, TEXT(text)) > 0);
	assert_int_equal(http_set(m, TEXT("X"), TEXT("new")), 0);
	assert_int_equal(http_add(m, TEXT("Connection"), TEXT("close")), 0);
	assert_int_equal(http_set_target(m, TEXT("/y")), 0);
	assert_int_equal(http_set_method(m, TEXT("HEAD")), 0);
	assert_int_equal(m->method, HTTP_METHOD_HEAD);
	assert_int_equal(http_set_value(m, 1, TEXT("two")), 0);
	assert_int_equal(http_set_value(m, 2, TEXT("newer")), 0); /* of an added one, too */
	assert_int_equal(http_set_value(m, 2, TEXT("new")), 0);
	assert_written(m, "HEAD /y HTTP/1.1" CRLF HOST "Y: two" CRLF "X: new" CRLF
			  "Connection: close" CRLF CRLF);
	assert_int_equal(http_remove(m, TEXT("y")), 1);
	assert_int_equal(http_remove(m, TEXT("y")), 0);
	assert_int_equal(http_remove_id(m, HTTP_ID_CONNECTION), 1);
	assert_written(m, "HEAD /y HTTP/1.1" CRLF HOST "X: new" CRLF CRLF);
	assert_true(m->edited);
	free(r.base);
}

static void changes_responses(void **state)
{
	static const char text[] = "HTTP/1.0 200 OK" CRLF "A: b" CRLF CRLF;
	struct rig r;

	assert_true(answer(&r, TEXT(text), HTTP_METHOD_GET) > 0);
	r.m.minor = 1;
	assert_int_equal(http_set_status(&r.m, 404, NULL), 0);
	assert_written(&r.m, "HTTP/1.1 404 Not Found" CRLF "A: b" CRLF CRLF);
	free(r.base);
}

static void leaves_all_as_it_was_when_the_room_is_full(void **state)
{
	static const char text[] = "GET / HTTP/1.1" CRLF HOST CRLF;
	static char big[ROOM];
	struct rig r;
	char out[8];

	memset(big, 'b', sizeof(big));
	assert_true(ask(&r, TEXT(text)) > 0);
	assert_int_equal(http_add(&r.m, TEXT("X"), big, sizeof(big)), -ENOSPC);
	assert_int_equal(http_set(&r.m, TEXT("Host"), big, sizeof(big)), -ENOSPC);
	assert_int_equal(r.m.room_at, 0);
	assert_written(&r.m, text);
	for (unsigned i = 1; i < HTTP_FIELDS_MAX + HTTP_FIELDS_ADDED_MAX; i++)
		assert_int_equal(http_add(&r.m, TEXT("X"), TEXT("")), 0);
	assert_int_equal(http_add(&r.m, TEXT("X"), TEXT("")), -ENOSPC);
	assert_int_equal(http_write(&r.m, out, sizeof(out)), -ENOSPC);
	free(r.base);
}

static void steps_through_lists(void **state)
{
	static const char text[] = "GET / HTTP/1.1" CRLF "X: ,a ,, \"b,\\\"c\" ;q=1,d," CRLF CRLF;
	static const char *const want[] = {"a", "\"b,\\\"c\" ;q=1", "d"};
	struct http_span element;
	uint32_t at = 0;
	struct rig r;
	size_t n = 0;

	assert_true(ask(&r, TEXT(text)) > 0);
	while (http_next_element(&r.m, r.m.field[0].value, &at, &element)) {
		assert_true(n < 3);
		assert_span(&r.m, element, want[n++]);
	}
	assert_int_equal(n, 3);
	free(r.base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(knows_its_fields_by_every_byte_of_their_name),
	    cmocka_unit_test(writes_what_it_read),
	    cmocka_unit_test(changes_requests),
	    cmocka_unit_test(changes_responses),
	    cmocka_unit_test(leaves_all_as_it_was_when_the_room_is_full),
	    cmocka_unit_test(steps_through_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
