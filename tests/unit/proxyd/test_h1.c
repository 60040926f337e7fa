/* SPDX-License-Identifier: MIT */
/* Heads: what is taken, what is refused, and what they say. */
#include "h1_rig.h"

static const struct refused requests[] = {
    /* start lines */
    {TEXT("GET /" CRLF CRLF), H1_FAULT_START_LINE}, /* HTTP/0.9 */
    {TEXT("GET / HTTP/1.1 " CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("GET  / HTTP/1.1" CRLF CRLF), H1_FAULT_TARGET},
    {TEXT("GET http://a?q HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET http://a:80?/ HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET /a b HTTP/1.1" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("GET\t/ HTTP/1.1" CRLF CRLF), H1_FAULT_METHOD},
    {TEXT(" GET / HTTP/1.1" CRLF CRLF), H1_FAULT_METHOD},
    {TEXT("G@T / HTTP/1.1" CRLF CRLF), H1_FAULT_METHOD},
    {TEXT("\x16\x03\x01\x02"
	  "abc"),
     H1_FAULT_METHOD}, /* TLS to a clear port */
    {TEXT("GET / http/1.1" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("GET / HTTP/1" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("GET / HTTP/11" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("GET / HTTP/1.10" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("GET / HTTP/2.0" CRLF CRLF), H1_FAULT_VERSION},
    {TEXT("GET / HTTP/0.9" CRLF CRLF), H1_FAULT_VERSION},
    /* targets */
    {TEXT("GET /a#b HTTP/1.1" CRLF HOST CRLF), H1_FAULT_FRAGMENT},
    {TEXT("GET /\x01 HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET /\0 HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET /\x7f HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET /\xc3\xa4 HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x80 HTTP/1.1" CRLF HOST CRLF),
     H1_FAULT_TARGET},
    {TEXT("GET a HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET * HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET a:80 HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("CONNECT / HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("CONNECT a HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET http:///x HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    {TEXT("GET http://u@a/ HTTP/1.1" CRLF HOST CRLF), H1_FAULT_TARGET},
    /* line ends */
    {TEXT("GET / HTTP/1.1\n" HOST CRLF), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1" CRLF "Host: a\n" CRLF), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1" CRLF HOST "\n"), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1" CRLF HOST "\r\r\n"), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1" CRLF "Host: a\rX: b" CRLF CRLF), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1\rHost: a" CRLF CRLF), H1_FAULT_LINE_END},
    {TEXT("\nGET / HTTP/1.1" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("\rGET / HTTP/1.1" CRLF CRLF), H1_FAULT_LINE_END},
    /* fields */
    {TEXT("GET / HTTP/1.1" CRLF HOST " folded" CRLF CRLF), H1_FAULT_FOLDED},
    {TEXT("GET / HTTP/1.1" CRLF HOST "\tfolded" CRLF CRLF), H1_FAULT_FOLDED},
    {TEXT("GET / HTTP/1.1" CRLF " Host: a" CRLF CRLF), H1_FAULT_FOLDED},
    {TEXT("GET / HTTP/1.1" CRLF ": a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "Host : a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "Host\t: a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "Host\0: a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "X\xff: a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "Host" CRLF CRLF), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1" CRLF "X: a\0b" CRLF CRLF), H1_FAULT_FIELD_VALUE},
    {TEXT("GET / HTTP/1.1" CRLF "X: a\x0b" CRLF CRLF), H1_FAULT_FIELD_VALUE},
    {TEXT("GET / HTTP/1.1" CRLF "X: a\x7f" CRLF CRLF), H1_FAULT_FIELD_VALUE},
    {TEXT("GET / HTTP/1.1" CRLF "X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x01" CRLF CRLF),
     H1_FAULT_FIELD_VALUE},
    {TEXT("GET / HTTP/1.1" CRLF "Transfer-Encoding:\x0b"
	  "chunked" CRLF CRLF),
     H1_FAULT_FIELD_VALUE},
    /* Host */
    {TEXT("GET / HTTP/1.1" CRLF HOST HOST CRLF), H1_FAULT_HOST},
    {TEXT("GET / HTTP/1.1" CRLF HOST "hOST: b" CRLF CRLF), H1_FAULT_HOST},
    {TEXT("GET / HTTP/1.1" CRLF "Host: a, b" CRLF CRLF), H1_FAULT_HOST},
    {TEXT("GET / HTTP/1.1" CRLF "Host: a/b" CRLF CRLF), H1_FAULT_HOST},
    {TEXT("GET / HTTP/1.1" CRLF "Host: u@a" CRLF CRLF), H1_FAULT_HOST},
    {TEXT("GET http://b/ HTTP/1.1" CRLF HOST CRLF), H1_FAULT_HOST},
    {TEXT("GET http://a:8080/ HTTP/1.1" CRLF HOST CRLF), H1_FAULT_HOST},
    {TEXT("GET https://a:80/ HTTP/1.1" CRLF HOST CRLF), H1_FAULT_HOST},
    {TEXT("CONNECT b:443 HTTP/1.1" CRLF HOST CRLF), H1_FAULT_HOST},
    /* lengths */
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 1" CRLF "Content-Length: 1" CRLF CRLF),
     H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 1" CRLF "content-length: 2" CRLF CRLF),
     H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 1, 1" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: +1" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: -1" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 0x1" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 1 1" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 1.0" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length:" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 9223372036854775808" CRLF CRLF),
     H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 99999999999999999999999" CRLF CRLF),
     H1_FAULT_LENGTH},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Content-Length: 5" CRLF
	  "Transfer-Encoding: chunked" CRLF CRLF),
     H1_FAULT_BOTH_LENGTHS},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked" CRLF
	  "Content-Length: 5" CRLF CRLF),
     H1_FAULT_BOTH_LENGTHS},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked" CRLF
	  "Content-Length: 0" CRLF CRLF),
     H1_FAULT_BOTH_LENGTHS},
    /* codings */
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: xchunked" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked, identity" CRLF CRLF),
     H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: gzip, chunked" CRLF CRLF),
     H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked, chunked" CRLF CRLF),
     H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: \"chunked\"" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked;q=1" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding:" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: identity" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.1" CRLF HOST "Transfer-Encoding: chunked" CRLF
	  "Transfer-encoding: cow" CRLF CRLF),
     H1_FAULT_CODING},
    {TEXT("POST / HTTP/1.0" CRLF HOST "Transfer-Encoding: chunked" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("CONNECT a:1 HTTP/1.1" CRLF "Content-Length: 1" CRLF CRLF), H1_FAULT_CONNECT_BODY},
    {TEXT("GET / HTTP/1.1" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" CRLF CRLF), H1_FAULT_WEBSOCKET},
    {TEXT("GET / HTTP/1.1" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" CRLF "Sec-WebSocket-Key: x" CRLF CRLF),
     H1_FAULT_WEBSOCKET},
};

static void refuses_what_two_parsers_may_read_in_two_ways(void **state)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		struct rig r;
		ssize_t n = ask(&r, requests[i].text, requests[i].len);

		if (n != -(ssize_t)requests[i].fault)
			fail_msg("request %zu: %zd (%s), not \"%s\":\n%s", i, n,
				 n < 0 ? h1_fault_text((enum h1_fault) - n) : "no fault",
				 h1_fault_text(requests[i].fault), requests[i].text);
		free(r.base);
	}
}

static const struct refused responses[] = {
    {TEXT("HTTP/1.1" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("HTTP/1.1 20" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("HTTP/1.1 2000 OK" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("HTTP/1.1 099 No" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("HTTP/1.1  200 OK" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("ICY 200 OK" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("HTTP/2.0 200 OK" CRLF CRLF), H1_FAULT_VERSION},
    {TEXT("HTTP/1.1 200 O\0K" CRLF CRLF), H1_FAULT_START_LINE},
    {TEXT("HTTP/1.1 200 OK\r\r"), H1_FAULT_LINE_END},
    {TEXT("HTTP/1.1 200 OK" CRLF "X: a\rb" CRLF CRLF), H1_FAULT_LINE_END},
    {TEXT("HTTP/1.1 200 OK" CRLF "Content-Length: 1" CRLF " 2" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("HTTP/1.1 200 OK" CRLF "Content-Length: 1" CRLF "Content-Length: 1" CRLF " 2" CRLF CRLF), H1_FAULT_FOLDED},
    {TEXT("HTTP/1.1 200 OK" CRLF "Transfer-Encoding: gzip" CRLF " , chunked" CRLF CRLF), H1_FAULT_CODING},
    {TEXT("HTTP/1.1 200 OK" CRLF "X : a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("HTTP/1.1 200 OK" CRLF "X{}: a" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("HTTP/1.1 101 Now" CRLF CRLF), H1_FAULT_START_LINE}, /* nobody asked */
    {TEXT("HTTP/1.1 200 OK" CRLF "Content-Length: 1" CRLF "Content-Length: 2" CRLF CRLF),
     H1_FAULT_LENGTH},
    {TEXT("HTTP/1.1 200 OK" CRLF "Content-Length: x" CRLF "Transfer-Encoding: chunked" CRLF CRLF), H1_FAULT_LENGTH},
    {TEXT("HTTP/1.1 200 OK" CRLF " X: b" CRLF CRLF), H1_FAULT_FOLDED},
};

static const struct {
	const char *came, *goes_on;
	bool lenient;
} old_servers[] = {
    {"HTTP/1.1 200 OK\nContent-Length: 2\nX: b\n\n", "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF "X: b" CRLF CRLF, false},
    {"HTTP/1.1 200 OK\nX: b \nY: \nZ:\n\n", "HTTP/1.1 200 OK" CRLF "X: b" CRLF "Y: " CRLF "Z: " CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "X: b" CRLF "\n", "HTTP/1.1 200 OK" CRLF "X: b" CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "X: b" CRLF " c" CRLF CRLF, "HTTP/1.1 200 OK" CRLF "X: b   c" CRLF CRLF, false},
    {"HTTP/1.1 200 OK\nX: b \n\tc\n d\n\n", "HTTP/1.1 200 OK" CRLF "X: b  \tc  d" CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "X: b" CRLF "  " CRLF "Y: c" CRLF CRLF, "HTTP/1.1 200 OK" CRLF "X: b" CRLF "Y: c" CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "Content-Length:" CRLF " 2" CRLF CRLF, "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF "content-length: 2" CRLF CRLF,
     "HTTP/1.1 200 OK" CRLF "Content-Length: 2" CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "Transfer-Encoding: chunked" CRLF "Content-Length: 2" CRLF "X: b" CRLF CRLF,
     "HTTP/1.1 200 OK" CRLF "Transfer-Encoding: chunked" CRLF "X: b" CRLF CRLF, false},
    {"HTTP/1.1 200 OK" CRLF "X{\xe9} \t: b" CRLF CRLF, "HTTP/1.1 200 OK" CRLF "X{\xe9}:\t  b" CRLF CRLF, true},
    {"HTTP/1.1 200 OK" CRLF "Content-Length : 2" CRLF CRLF, "HTTP/1.1 200 OK" CRLF "Content-Length:  2" CRLF CRLF, true},
};

static void puts_old_servers_right(void **state)
{
	for (size_t i = 0; i < sizeof(old_servers) / sizeof(old_servers[0]); i++) {
		const char *text = old_servers[i].came;
		size_t len = strlen(text);
		struct rig r;

		put(&r, text, len);
		r.m.lenient = old_servers[i].lenient;
		assert_int_equal(h1_response(&r.m, ROOM, (uint32_t)len, HTTP_METHOD_GET, false), len);
		assert_true(r.m.edited || r.m.lenient);
		assert_written(&r.m, old_servers[i].goes_on);
		assert_int_equal(r.m.keep_alive, r.m.framing != HTTP_BODY_CHUNKED);
		free(r.base);
	}
}

static const struct refused lenient_requests[] = {
    {TEXT("GET /\xc3\xa9#a HTTP/1.1" CRLF "Host: h" CRLF "X{\xe9}: b" CRLF CRLF), H1_FAULT_NONE},
    {TEXT("GET /a\x01 HTTP/1.1" CRLF CRLF), H1_FAULT_TARGET},
    {TEXT("GET / HTTP/1.1" CRLF "X : b" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "X y: b" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF "X\x01: b" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1" CRLF ": b" CRLF CRLF), H1_FAULT_FIELD_NAME},
    {TEXT("GET / HTTP/1.1\nHost: h\n\n"), H1_FAULT_LINE_END},
    {TEXT("GET / HTTP/1.1" CRLF "X: b" CRLF " c" CRLF CRLF), H1_FAULT_FOLDED},
    {TEXT("POST / HTTP/1.1" CRLF "Content-Length: 2" CRLF "Transfer-Encoding: chunked" CRLF CRLF), H1_FAULT_BOTH_LENGTHS},
    {TEXT("POST / HTTP/1.1" CRLF "Content-Length: 2" CRLF "Content-Length: 2" CRLF CRLF), H1_FAULT_LENGTH},
};

static void lenient_is_not_ambiguous(void **state)
{
	for (size_t i = 0; i < sizeof(lenient_requests) / sizeof(lenient_requests[0]); i++) {
		struct rig r;
		ssize_t n;

		put(&r, lenient_requests[i].text, lenient_requests[i].len);
		r.m.lenient = true;
		n = h1_request(&r.m, ROOM, (uint32_t)lenient_requests[i].len);
		if (n < 0 ? -n != (ssize_t)lenient_requests[i].fault : lenient_requests[i].fault || !n)
			fail_msg("lenient request %zu: %zd", i, n);
		free(r.base);
	}
}

static void refuses_what_a_lying_server_sends(void **state)
{
	for (size_t i = 0; i < sizeof(responses) / sizeof(responses[0]); i++) {
		struct rig r;
		ssize_t n = answer(&r, responses[i].text, responses[i].len, HTTP_METHOD_GET);

		if (n != -(ssize_t)responses[i].fault)
			fail_msg("response %zu: %zd (%s), not \"%s\"", i, n,
				 n < 0 ? h1_fault_text((enum h1_fault) - n) : "no fault",
				 h1_fault_text(responses[i].fault));
		free(r.base);
	}
}

static void tells_the_parts_of_a_request(void **state)
{
	static const char text[] =
	    CRLF "POST /p/a?x=1&y HTTP/1.1" CRLF "hOst:  a:80 \t" CRLF "X-Empty:" CRLF
		 "Content-length: 0005" CRLF "X: \xc3\xa4\t\"q\"" CRLF CRLF "12345";
	struct rig r;
	struct http_msg *m = &r.m;

	assert_int_equal(ask(&r, TEXT(text)), sizeof(text) - 1 - 5);
	assert_int_equal(m->method, HTTP_METHOD_POST);
	assert_span(m, m->method_text, "POST");
	assert_span(m, m->target, "/p/a?x=1&y");
	assert_span(m, http_path(m), "/p/a");
	assert_span(m, http_query(m), "x=1&y");
	assert_int_equal(m->minor, 1);
	assert_int_equal(m->n_fields, 4);
	assert_span(m, http_find(m, "host", 4, 0)->value, "a:80");
	assert_span(m, m->field[1].value, "");
	assert_span(m, m->field[3].value, "\xc3\xa4\t\"q\"");
	assert_int_equal(m->framing, HTTP_BODY_LENGTH);
	assert_int_equal(m->length, 5);
	assert_true(m->keep_alive);
	assert_false(m->edited);
	free(r.base);
}

static void tells_the_parts_of_an_absolute_target(void **state)
{
	static const struct {
		const char *target, *host, *path, *query;
	} t[] = {
	    {"http://a/x?y", "a", "/x", "y"},	 {"http://a", "a", "", ""},
	    {"http://a/?q", "a", "/", "q"},	 {"http://A:80/", "a", "/", ""},
	    {"https://a/", "a:443", "/", ""},	 {"http://[::1]:81/z", "[::1]:81", "/z", ""},
	    {"coap+tcp://a:5/", "a:5", "/", ""},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char text[256];
		struct rig r;
		int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1" CRLF "Host: %s" CRLF CRLF,
				 t[i].target, t[i].host);

		assert_int_equal(ask(&r, text, (size_t)n), n);
		assert_true(r.m.absolute_form);
		assert_span(&r.m, http_path(&r.m), t[i].path);
		assert_span(&r.m, http_query(&r.m), t[i].query);
		free(r.base);
	}
}

static void knows_who_goes_on(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive, upgrade, expects;
	} t[] = {
	    {"GET / HTTP/1.1" CRLF CRLF, true, false, false},
	    {"GET / HTTP/1.9" CRLF CRLF, true, false, false},
	    {"GET / HTTP/1.0" CRLF CRLF, false, false, false},
	    {"GET / HTTP/1.0" CRLF "Connection: Keep-Alive" CRLF CRLF, true, false, false},
	    {"GET / HTTP/1.0" CRLF "Connection: keep-alive, close" CRLF CRLF, false, false, false},
	    {"GET / HTTP/1.1" CRLF "Connection: foo ,Close" CRLF CRLF, false, false, false},
	    {"GET / HTTP/1.1" CRLF "Connection: closed" CRLF CRLF, true, false, false},
	    {"GET / HTTP/1.1" CRLF "Connection: x" CRLF "connection: close" CRLF CRLF, false, false,
	     false},
	    {"GET / HTTP/1.1" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" CRLF
	     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" CRLF CRLF, true,
	     true, false},
	    {"GET / HTTP/1.1" CRLF "Upgrade: websocket" CRLF CRLF, true, false, false},
	    {"GET / HTTP/1.1" CRLF "Connection: upgrade" CRLF "Upgrade: websocket, h2c" CRLF CRLF,
	     true, false, false},
	    {"GET / HTTP/1.0" CRLF "Connection: upgrade" CRLF "Upgrade: websocket" CRLF CRLF, false,
	     false, false},
	    {"POST / HTTP/1.1" CRLF "Connection: upgrade" CRLF "Upgrade: h2c" CRLF
	     "Content-Length: 2" CRLF CRLF,
	     true, false, false},
	    {"POST / HTTP/1.1" CRLF "Expect: 100-Continue" CRLF "Content-Length: 2" CRLF CRLF, true,
	     false, true},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rig r;

		assert_int_equal(ask(&r, t[i].text, strlen(t[i].text)), strlen(t[i].text));
		assert_int_equal(r.m.keep_alive, t[i].keep_alive);
		assert_int_equal(r.m.upgrade, t[i].upgrade);
		assert_int_equal(r.m.expects_continue, t[i].expects);
		free(r.base);
	}
}

static void decides_where_an_answer_ends(void **state)
{
	static const struct {
		const char *text;
		enum http_method asked;
		enum http_framing framing;
		uint64_t length;
	} t[] = {
	    {"HTTP/1.1 200 OK" CRLF "Content-Length: 7" CRLF CRLF, HTTP_METHOD_GET,
	     HTTP_BODY_LENGTH, 7},
	    {"HTTP/1.1 200 OK" CRLF "Content-Length: 0" CRLF CRLF, HTTP_METHOD_GET, HTTP_BODY_NONE,
	     0},
	    {"HTTP/1.1 200 OK" CRLF "Content-Length: 7" CRLF CRLF, HTTP_METHOD_HEAD, HTTP_BODY_NONE,
	     7},
	    {"HTTP/1.1 200" CRLF "Transfer-Encoding: Chunked" CRLF CRLF, HTTP_METHOD_GET,
	     HTTP_BODY_CHUNKED, 0},
	    {"HTTP/1.1 200 " CRLF "Transfer-Encoding: chunked" CRLF CRLF, HTTP_METHOD_HEAD,
	     HTTP_BODY_NONE, 0},
	    {"HTTP/1.1 204 No" CRLF "Content-Length: 7" CRLF CRLF, HTTP_METHOD_GET, HTTP_BODY_NONE,
	     7},
	    {"HTTP/1.1 304 No" CRLF "Content-Length: 7" CRLF CRLF, HTTP_METHOD_GET, HTTP_BODY_NONE,
	     7},
	    {"HTTP/1.1 100 Go" CRLF CRLF, HTTP_METHOD_POST, HTTP_BODY_NONE, 0},
	    {"HTTP/1.0 200 OK" CRLF CRLF, HTTP_METHOD_GET, HTTP_BODY_CLOSE, 0},
	    {"HTTP/1.1 404 No" CRLF CRLF, HTTP_METHOD_POST, HTTP_BODY_CLOSE, 0},
	    {"HTTP/1.1 200 OK" CRLF "Content-Length: 7" CRLF CRLF, HTTP_METHOD_CONNECT,
	     HTTP_BODY_TUNNEL, 7},
	    {"HTTP/1.1 407 No" CRLF "Content-Length: 7" CRLF CRLF, HTTP_METHOD_CONNECT,
	     HTTP_BODY_LENGTH, 7},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rig r;

		assert_int_equal(answer(&r, t[i].text, strlen(t[i].text), t[i].asked),
				 strlen(t[i].text));
		assert_int_equal(r.m.framing, t[i].framing);
		assert_int_equal(r.m.length, t[i].length);
		free(r.base);
	}
}

static void opens_a_tunnel_only_when_asked(void **state)
{
	static const char text[] = "HTTP/1.1 101 Go" CRLF CRLF;
	struct rig r;

	put(&r, TEXT(text));
	assert_int_equal(h1_response(&r.m, ROOM, sizeof(text) - 1, HTTP_METHOD_GET, true),
			 sizeof(text) - 1);
	assert_int_equal(r.m.framing, HTTP_BODY_TUNNEL);
	free(r.base);
}

static void wants_more_until_the_head_is_whole(void **state)
{
	static const char text[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1" CRLF HOST
				   "Accept: text/html, application/xhtml+xml, */*" CRLF CRLF;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		struct rig r;

		assert_int_equal(ask(&r, text, n), 0);
		free(r.base);
	}
}

/* A fault is never taken back: what a part shows is what the whole shows. */
static void finds_the_same_fault_at_every_split(void **state)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		for (size_t n = 0; n < requests[i].len; n++) {
			struct rig r;
			ssize_t got = ask(&r, requests[i].text, n);

			assert_true(got == 0 || got == -(ssize_t)requests[i].fault);
			free(r.base);
		}
}

static void bounds_the_head(void **state)
{
	char *text = malloc(65536);
	struct rig r;
	size_t n;

	assert_non_null(text);
	n = (size_t)sprintf(text, "GET / HTTP/1.1" CRLF);
	for (int i = 0; i <= HTTP_FIELDS_DEFAULT; i++)
		n += (size_t)sprintf(text + n, "X: %d" CRLF, i);
	assert_int_equal(ask(&r, text, n), -H1_FAULT_TOO_MANY);
	free(r.base);
	n = (size_t)sprintf(text, "GET / HTTP/1.1" CRLF "X: ");
	memset(text + n, 'a', 65536 - n);
	assert_int_equal(ask(&r, text, HTTP_HEAD_DEFAULT - 1), 0);
	free(r.base);
	assert_int_equal(ask(&r, text, HTTP_HEAD_DEFAULT), -H1_FAULT_TOO_LARGE);
	free(r.base);
	memcpy(text + HTTP_HEAD_DEFAULT, CRLF CRLF, 4);
	assert_int_equal(ask(&r, text, HTTP_HEAD_DEFAULT + 4), -H1_FAULT_TOO_LARGE);
	free(r.base);
	memset(text, '\r', 64);
	for (int i = 0; i < 64; i += 2)
		text[i + 1] = '\n';
	assert_int_equal(ask(&r, text, 64), -H1_FAULT_START_LINE); /* so many empty lines */
	free(r.base);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(refuses_what_two_parsers_may_read_in_two_ways),
	    cmocka_unit_test(refuses_what_a_lying_server_sends),
	    cmocka_unit_test(puts_old_servers_right),
	    cmocka_unit_test(lenient_is_not_ambiguous),
	    cmocka_unit_test(tells_the_parts_of_a_request),
	    cmocka_unit_test(tells_the_parts_of_an_absolute_target),
	    cmocka_unit_test(knows_who_goes_on),
	    cmocka_unit_test(decides_where_an_answer_ends),
	    cmocka_unit_test(opens_a_tunnel_only_when_asked),
	    cmocka_unit_test(wants_more_until_the_head_is_whole),
	    cmocka_unit_test(finds_the_same_fault_at_every_split),
	    cmocka_unit_test(bounds_the_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
