/* SPDX-License-Identifier: MIT */
/* The HTTP probe against answers from arrays, in pieces of every size; then over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include <libhealth/probe_http.h>

#include "match.h"
#include "rig.h"
#include "tests/support/talk.h"

#define HEAD "HTTP/1.1 200 OK\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static struct health_probe *probe(const struct health_http_opts *o)
{
	struct health_probe *p = NULL;

	assert_int_equal(health_probe_new(health_probe_http(), o, &p), 0);
	return p;
}

/* `answer`, in pieces of every size: the verdict is always the same. */
static void expect(const struct health_http_opts *o, const char *answer, enum talk_end end,
		   enum health_verdict verdict, enum health_code code, uint32_t status)
{
	struct health_probe *p = probe(o);
	size_t len = strlen(answer);
	static struct talk t;

	for (size_t chunk = 0; chunk <= len && chunk < 400; chunk++) {
		talk(&t, p, answer, len, chunk, end);
		if (t.io.verdict != verdict || t.io.code != code || t.io.status != status)
			print_error("'%.60s' by %zu: %s %s\n", answer, chunk,
				    health_code_name(t.io.code), t.io.text);
		assert_int_equal(t.io.verdict, verdict);
		assert_int_equal(t.io.code, code);
		assert_int_equal(t.io.status, status);
	}
	health_probe_free(p);
}

static void passes(const struct health_http_opts *o, const char *answer, uint32_t status)
{
	expect(o, answer, TALK_SILENCE, HEALTH_OK, HEALTH_CODE_L7OK, status);
}

static void is_no_http(const struct health_http_opts *o, const char *answer, uint32_t status)
{
	expect(o, answer, TALK_SILENCE, HEALTH_FAIL, HEALTH_CODE_L7RSP, status);
}

static void the_request_is_what_was_asked_for(void **state)
{
	struct health_http_opts o = {
	    .size = sizeof(o),
	    .method = HEALTH_HTTP_OPTIONS,
	    .version = HEALTH_HTTP_1_1,
	    .path = "/health?x=1",
	    .host = "www.example.com:8080",
	};
	struct health_probe *p = probe(&o);
	static struct talk t;

	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_string_equal(t.sent, "OPTIONS /health?x=1 HTTP/1.1\r\nHost: www.example.com:8080\r\n"
				    "User-Agent: libhealth\r\nConnection: close\r\n\r\n");
	assert_int_equal(t.io.code, HEALTH_CODE_L7TOUT);
	health_probe_free(p);
	p = probe(NULL);
	talk(&t, p, "", 0, 0, TALK_CLOSES);
	assert_string_equal(t.sent,
			    "GET / HTTP/1.0\r\nUser-Agent: libhealth\r\nConnection: close\r\n\r\n");
	assert_int_equal(t.io.code, HEALTH_CODE_L7RSP);
	health_probe_free(p);
}

static void the_longest_path_and_host_fit(void **state)
{
	char path[HEALTH_HTTP_PATH_MAX + 2], host[HEALTH_HTTP_HOST_MAX + 2];
	struct health_http_opts o = {.size = sizeof(o),
				     .method = HEALTH_HTTP_OPTIONS,
				     .version = HEALTH_HTTP_1_1,
				     .path = path,
				     .host = host};
	static struct talk t;
	struct health_probe *p;

	memset(path, '/', sizeof(path));
	memset(host, 'h', sizeof(host));
	path[HEALTH_HTTP_PATH_MAX] = host[HEALTH_HTTP_HOST_MAX] = '\0';
	p = probe(&o);
	talk(&t, p, "", 0, 0, TALK_SILENCE);
	assert_string_equal(t.sent + t.sent_len - 4, "\r\n\r\n");
	health_probe_free(p);
	host[HEALTH_HTTP_HOST_MAX] = 'h';
	host[HEALTH_HTTP_HOST_MAX + 1] = '\0';
	assert_int_equal(health_probe_new(health_probe_http(), &o, &p), -EINVAL);
}

static void the_status_decides(void **state)
{
	static const struct health_http_range ranges[] = {{200, 399}, {401, 401}};
	struct health_http_opts o = {.size = sizeof(o), .status = ranges, .n_status = 2};

	passes(NULL, HEAD "\r\n", 200);
	passes(NULL, "HTTP/1.0 299\n\n", 299); /* no reason, bare LF */
	passes(NULL, "HTTP/1.0 204 \r\nX: y\r\n\r\n", 204);
	passes(&o, "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", 302);
	passes(&o, "HTTP/1.1 401 Who\r\n\r\n", 401);
	expect(NULL, "HTTP/1.1 302 Found\r\n\r\n", TALK_SILENCE, HEALTH_FAIL, HEALTH_CODE_L7STS,
	       302);
	expect(&o, "HTTP/1.1 503 Busy\r\n\r\n", TALK_CLOSES, HEALTH_FAIL, HEALTH_CODE_L7STS, 503);
	expect(&o, "HTTP/1.1 400 No\r\n\r\n", TALK_CLOSES, HEALTH_FAIL, HEALTH_CODE_L7STS, 400);
	expect(NULL, "HTTP/1.1 101 Other\r\n\r\n", TALK_SILENCE, HEALTH_FAIL, HEALTH_CODE_L7STS,
	       101);
}

static void an_odd_status_line_is_no_http(void **state)
{
	static const char *const odd[] = {
	    "HTTP/1.1 \r\n\r\n",	 "HTTP/1.1\r\n\r\n",
	    "HTTP/1.1 20\r\n\r\n",	 "HTTP/1.1 2000 OK\r\n\r\n",
	    "HTTP/1.1 20x OK\r\n\r\n",	 "HTTP/1.1 099 OK\r\n\r\n",
	    "HTTP/1.1  200 OK\r\n\r\n",	 "HTTP/1.1 -20 OK\r\n\r\n",
	    "HTTP/1.x 200 OK\r\n\r\n",	 "HTTP/2.0 200 OK\r\n\r\n",
	    "http/1.1 200 OK\r\n\r\n",	 "HTTP/1.1200 OK\r\n\r\n",
	    "SSH-2.0-OpenSSH_9.2p1\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n",
	    "HTTP/1.1\t200 OK\r\n\r\n",
	};

	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++)
		is_no_http(NULL, odd[i], 0);
}

/* CVE-2018-19115 was a copy of the status without a bound. */
static void a_status_line_of_any_length_is_bounded(void **state)
{
	static char answer[70000];

	for (size_t digits = 4; digits <= 65536; digits *= 16) {
		memcpy(answer, "HTTP/1.1 ", 9);
		memset(answer + 9, '2', digits);
		strcpy(answer + 9 + digits, " OK\r\n\r\n");
		is_no_http(NULL, answer, 0);
	}
	memset(answer + 9, ' ', 65536);
	is_no_http(NULL, answer, 0);
}

static void a_head_without_end_is_bounded(void **state)
{
	static char answer[HEALTH_HTTP_HEAD_MAX + 2000];
	struct health_probe *p = probe(NULL);
	static struct talk t;
	size_t len = strlen(strcpy(answer, HEAD));

	while (len < HEALTH_HTTP_HEAD_MAX + 1000)
		len += strlen(strcpy(answer + len, "X-Filler: 0123456789012345678901234567\r\n"));
	talk(&t, p, answer, len, 1400, TALK_SILENCE);
	assert_int_equal(t.io.code, HEALTH_CODE_L7RSP);
	assert_string_equal(t.io.text, "head of the answer too long");
	memset(answer + strlen(HEAD), 'x', HEALTH_HTTP_LINE_MAX);
	talk(&t, p, answer, len, 1400, TALK_SILENCE);
	assert_string_equal(t.io.text, "line of the answer too long");
	health_probe_free(p);
}

static void half_an_answer_is_a_failure(void **state)
{
	expect(NULL, "", TALK_SILENCE, HEALTH_FAIL, HEALTH_CODE_L7TOUT, 0);
	expect(NULL, HEAD "X: y\r\n", TALK_SILENCE, HEALTH_FAIL, HEALTH_CODE_L7TOUT, 0);
	expect(NULL, HEAD "X: y\r\n", TALK_CLOSES, HEALTH_FAIL, HEALTH_CODE_L7RSP, 200);
	expect(NULL, HEAD, TALK_RESETS, HEALTH_FAIL, HEALTH_CODE_L7RSP, 200);
	expect(NULL, "HTT", TALK_CLOSES, HEALTH_FAIL, HEALTH_CODE_L7RSP, 0);
}

static void interim_answers_are_skipped(void **state)
{
	struct health_http_opts o = {.size = sizeof(o), .body = "yes"};
	char many[600] = "";

	passes(NULL, "HTTP/1.1 100 Continue\r\n\r\n" HEAD "\r\n", 200);
	passes(&o,
	       "HTTP/1.1 103 Early\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" HEAD
	       "Content-Length: 3\r\n\r\nyes",
	       200);
	expect(NULL, "HTTP/1.1 100 Continue\r\n\r\n", TALK_CLOSES, HEALTH_FAIL, HEALTH_CODE_L7RSP,
	       100);
	for (int i = 0; i <= HEALTH_HTTP_INTERIM_MAX; i++)
		strcat(many, "HTTP/1.1 102 Wait\r\n\r\n");
	is_no_http(NULL, many, 102);
}

static void a_text_in_the_body_is_found(void **state)
{
	struct health_http_opts o = {.size = sizeof(o), .body = "aab"};

	passes(&o, HEAD "\r\nx aaab", 200); /* the end of the connection is the end of it */
	passes(&o, HEAD "content-length:6 \r\n\r\nxaaaab", 200);
	passes(&o, CHUNKED "2\r\nxa\r\n1;ext=1\r\na\r\n0A\r\nbyyyyyyyyy\r\n0\r\n\r\n", 200);
	passes(&o, HEAD "Content-Length: 1\r\ntransfer-encoding: Chunked\r\n\r\n4\r\naaab\r\n",
	       200);
}

static void a_body_without_the_text_fails(void **state)
{
	struct health_http_opts o = {.size = sizeof(o), .body = "aab"};

	is_no_http(&o, HEAD "Content-Length: 5\r\n\r\nababaaab", 200); /* the rest is not of it */
	is_no_http(&o, HEAD "Content-Length: 0\r\n\r\naab", 200);
	is_no_http(&o, CHUNKED "2\r\naa\r\n0\r\n\r\naab", 200);
	is_no_http(&o, "HTTP/1.1 204 No\r\nContent-Length: 3\r\n\r\naab", 204);
	expect(&o, HEAD "X-Text: aab\r\n\r\nabab aa", TALK_CLOSES, HEALTH_FAIL, HEALTH_CODE_L7RSP,
	       200);
	expect(&o, HEAD "Content-Length: 9\r\n\r\nabab aa", TALK_CLOSES, HEALTH_FAIL,
	       HEALTH_CODE_L7RSP, 200);
	expect(&o, HEAD "\r\naa", TALK_SILENCE, HEALTH_FAIL, HEALTH_CODE_L7TOUT, 0);
}

static void bad_lengths_and_chunks_are_no_http(void **state)
{
	struct health_http_opts o = {.size = sizeof(o), .body = "aab"};

	is_no_http(&o, HEAD "Content-Length: -1\r\n\r\naab", 200);
	is_no_http(&o, HEAD "Content-Length: \r\n\r\naab", 200);
	is_no_http(&o, HEAD "Content-Length: 9999999999999999999\r\n\r\naab", 200);
	is_no_http(&o, HEAD "Content-Length: 3\r\nContent-Length: 4\r\n\r\naab", 200);
	is_no_http(&o, HEAD "Transfer-Encoding: gzip\r\n\r\naab", 200);
	is_no_http(&o, CHUNKED "\r\naab", 200);
	is_no_http(&o, CHUNKED "3x\r\naab", 200);
	is_no_http(&o, CHUNKED "-3\r\naab", 200);
	is_no_http(&o, CHUNKED "ffffffffffffffff\r\naab", 200);
	is_no_http(&o, CHUNKED "1\r\nxaab\r\n", 200);	     /* longer than it said */
	passes(NULL, HEAD "Content-Length: x\r\n\r\n", 200); /* nobody reads the body */
}

static void a_body_is_read_up_to_its_limit(void **state)
{
	struct health_http_opts o = {.size = sizeof(o), .body = "end", .body_max_bytes = 10};

	passes(&o, HEAD "\r\n1234567end", 200);
	is_no_http(&o, HEAD "\r\n12345678end", 200);
	is_no_http(&o, CHUNKED "1;0123456789\r\n", 200); /* chunk sizes count */
}

static void options_out_of_range_are_refused(void **state)
{
	static const struct health_http_range low = {99, 200}, high = {200, 1000},
					      back = {300, 200};
	const struct health_http_opts plain = {.size = sizeof(plain)};
	struct health_http_opts o;
	struct health_probe *p = NULL;
	struct {
		struct health_http_opts o;
		void *later;
	} grown = {.o = {.size = sizeof(grown)}, .later = &p};

#define REFUSED(field, value) \
	o = plain;            \
	o.field = (value);    \
	assert_int_equal(health_probe_new(health_probe_http(), &o, &p), -EINVAL)
	REFUSED(size, 0);
	REFUSED(method, (enum health_http_method)5);
	REFUSED(version, (enum health_http_version)2);
	REFUSED(version, HEALTH_HTTP_1_1); /* without a host */
	REFUSED(path, "");
	REFUSED(path, "health");
	REFUSED(path, "*"); /* of OPTIONS only */
	REFUSED(path, "/a b");
	REFUSED(path, "/a\r\nX: y");
	REFUSED(host, "");
	REFUSED(host, "a\nb");
	REFUSED(body, "");
	REFUSED(body_max_bytes, 10); /* of no body */
	REFUSED(n_status, 1);
	REFUSED(status, &low);
#define REFUSED_RANGE(range) \
	o = plain;           \
	o.status = &(range); \
	o.n_status = 1;      \
	assert_int_equal(health_probe_new(health_probe_http(), &o, &p), -EINVAL)
	REFUSED_RANGE(low);
	REFUSED_RANGE(high);
	REFUSED_RANGE(back);
	o = (struct health_http_opts){.size = sizeof(o), .method = HEALTH_HTTP_HEAD, .body = "x"};
	assert_int_equal(health_probe_new(health_probe_http(), &o, &p), -EINVAL);
	assert_int_equal(health_probe_new(health_probe_http(), &grown, &p), -E2BIG);
	assert_null(p);
}

static void a_text_is_found_wherever_it_overlaps_itself(void **state)
{
	static const char letters[] = "ab";
	char text[7] = "", stream[13] = "";

	/* Every text of 1 to 6 letters in every 12th stream of 12: as strstr finds it. */
	for (unsigned int n = 1; n <= 6; n++)
		for (unsigned int t = 0; t < 1u << n; t++)
			for (unsigned int s = 0; s < 1u << 12; s += 12) {
				struct match m;
				struct reader r = reader_of(stream, 12);
				uint8_t matched = 0;
				const char *want;

				for (unsigned int i = 0; i < n; i++)
					text[i] = letters[t >> i & 1];
				for (unsigned int i = 0; i < 12; i++)
					stream[i] = letters[s >> i & 1];
				text[n] = '\0';
				assert_int_equal(match_init(&m, text, n), 0);
				want = strstr(stream, text);
				assert_int_equal(match_feed(&m, &matched, &r), !!want);
				if (want)
					assert_ptr_equal(r.at, want + n);
			}
}

/* The cases of a server that is not well, over a socket; what an array cannot show. */
static void a_real_connection_ends_as_the_array_did(void **state)
{
	static const char good[] = HEAD "Content-Length: 2\r\n\r\nok";
	const struct {
		struct peer_script script;
		enum health_code code;
	} cases[] = {
	    {{.listen_for = 10, .reply = good, .reply_len = sizeof(good) - 1, .chunk = 1},
	     HEALTH_CODE_L7OK},
	    {{.listen_for = 10, .reply = good, .reply_len = sizeof(good) - 1, .end = PEER_CLOSES},
	     HEALTH_CODE_L7OK},
	    {{.listen_for = 10, .end = PEER_CLOSES}, HEALTH_CODE_L7RSP},
	    {{.listen_for = 10, .reply = good, .reply_len = 20, .end = PEER_RESETS},
	     HEALTH_CODE_L7RSP},
	    {{.listen_for = 10, .reply = "HTTP/1.1 500 No\r\n\r\n", .reply_len = 19},
	     HEALTH_CODE_L7STS},
	    {{.listen_for = 10, .reply = good, .reply_len = 20}, HEALTH_CODE_L7TOUT},
	    {{.deaf = true}, HEALTH_CODE_L4TOUT},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct health_http_opts o = {.size = sizeof(o), .body = "ok"};
		struct health_check_opts check;
		struct rig r;

		rig_open(&r, NULL, &cases[i].script);
		check = rig_opts(&r);
		check.probe = probe(&o);
		rig_add(&r, &check);
		health_probe_free(check.probe);
		rig_settle(&r, 1);
		if (!r.results)
			rig_pass(&r, 11 * S);
		assert_true(r.results >= 1);
		if (r.result.code != cases[i].code)
			print_error("case %zu: %s %s\n", i, health_code_name(r.result.code),
				    r.text);
		assert_int_equal(r.result.code, cases[i].code);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_request_is_what_was_asked_for),
	    cmocka_unit_test(the_longest_path_and_host_fit),
	    cmocka_unit_test(the_status_decides),
	    cmocka_unit_test(an_odd_status_line_is_no_http),
	    cmocka_unit_test(a_status_line_of_any_length_is_bounded),
	    cmocka_unit_test(a_head_without_end_is_bounded),
	    cmocka_unit_test(half_an_answer_is_a_failure),
	    cmocka_unit_test(interim_answers_are_skipped),
	    cmocka_unit_test(a_text_in_the_body_is_found),
	    cmocka_unit_test(a_body_without_the_text_fails),
	    cmocka_unit_test(bad_lengths_and_chunks_are_no_http),
	    cmocka_unit_test(a_body_is_read_up_to_its_limit),
	    cmocka_unit_test(options_out_of_range_are_refused),
	    cmocka_unit_test(a_text_is_found_wherever_it_overlaps_itself),
	    cmocka_unit_test(a_real_connection_ends_as_the_array_did),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
