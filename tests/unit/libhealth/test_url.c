/* SPDX-License-Identifier: MIT */
/* URLs become probes: the right one, with the right bytes; what is wrong is told in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <libhealth/url.h>

#include "answers.h"
#include "served.h"

static struct health_url parse(const char *url)
{
	struct health_url u = {.size = sizeof(u)};
	char error[HEALTH_TEXT_MAX] = "";
	int r = health_url_parse(url, &health_foreign, &u, error);

	if (r)
		print_error("%s: %s\n", url, error);
	assert_int_equal(r, 0);
	return u;
}

static void wrong(const char *url, const char *word)
{
	struct health_url u = {.size = sizeof(u)};
	char error[HEALTH_TEXT_MAX] = "";

	assert_int_equal(health_url_parse(url, &health_foreign, &u, error), -EINVAL);
	if (!strstr(error, word))
		print_error("%s: '%s', not '%s'\n", url, error, word);
	assert_non_null(strstr(error, word));
	assert_null(u.probe);
}

static void sends(const char *url, const void *answer, size_t len, const char *what)
{
	struct health_url u = parse(url);
	static struct talk t;

	talk(&t, u.probe, answer, len, 0, TALK_SILENCE);
	if (!memmem(t.sent, t.sent_len, what, strlen(what)))
		print_error("%s sends '%s'\n", url, t.sent);
	assert_non_null(memmem(t.sent, t.sent_len, what, strlen(what)));
	health_probe_free(u.probe);
}

static void a_url_has_its_parts(void **state)
{
	struct health_url u = parse("redis://u:p%20w@[2001:db8::1]:7000#role=master");

	assert_string_equal(u.host, "2001:db8::1");
	assert_int_equal(u.port, 7000);
	assert_int_equal(u.tls, 0);
	assert_string_equal(health_probe_name(u.probe), "redis");
	health_probe_free(u.probe);
	u = parse("imaps://mail.example.com");
	assert_string_equal(u.host, "mail.example.com");
	assert_int_equal(u.port, 993);
	assert_int_not_equal(u.tls, 0);
	assert_int_equal(u.verify, 0);
	assert_string_equal(u.sni, "mail.example.com");
	health_probe_free(u.probe);
	u = parse("https://192.0.2.1#verify");
	assert_int_equal(u.verify, 1);
	assert_string_equal(u.sni, "");
	health_probe_free(u.probe);
	u = parse("https://192.0.2.1#sni=www");
	assert_string_equal(u.sni, "www");
	health_probe_free(u.probe);
	assert_int_equal(u.expiry_warn_s, 0);
	u = parse("smtp://mail.example.com#starttls&expires=14&verify");
	assert_int_equal(u.port, 25);
	assert_int_equal(u.tls, 1);
	assert_int_equal(u.starttls, 1);
	assert_int_equal(u.verify, 1);
	assert_int_equal(u.expiry_warn_s, 14 * 86400);
	assert_string_equal(u.sni, "mail.example.com");
	health_probe_free(u.probe);
	u = parse("tls://h#alpn=h2,http/1.1");
	assert_int_equal(u.tls, 1);
	assert_int_equal(u.starttls, 0);
	assert_string_equal(u.alpn, "h2,http/1.1");
	health_probe_free(u.probe);
	u = parse("file:///var/lib/state");
	assert_string_equal(u.host, "");
	health_probe_free(u.probe);
	sends("redis://u:p%20w%40@h", "", 0, "$1\r\nu\r\n$4\r\np w@\r\n");
	sends("redis://:p:w@h", "", 0, "*2\r\n$4\r\nAUTH\r\n$3\r\np:w\r\n");
	sends("ftp://u@h/a%20b", BYTES("220 x\r\n230 x\r\n200 x\r\n"), "SIZE a b\r\n");
}

static void http_has_the_most_options(void **state)
{
	sends("http://h:81/a?b=%20#version=1.0&header=A:%20b", "", 0,
	      "GET /a?b=%20 HTTP/1.0\r\nHost: h:81\r\n");
	sends("http://[::1]", "", 0, "GET / HTTP/1.1\r\nHost: [::1]\r\n");
	sends("http://h#host=www&method=post&content=x%00", "", 0, "Content-Length: 2\r\n\r\nx");
	sends("http://Aladdin:open%20sesame@h", "", 0,
	      "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"); /* RFC 7617 §2 */
	sends("http://h#next=/two", BYTES("HTTP/1.1 200 OK\r\n\r\n"), "GET /two ");
	wrong("http://h#status=200-", "200-299,401");
	wrong("http://h#status=20", "200-299,401");
	wrong("http://h#status=200;", "200-299,401");
	wrong("http://h#method=FETCH", "FETCH");
	wrong("http://h#header=a", "out of its range");
	wrong("http://h#md5=abc", "http");
	wrong("http://h#body-max=x", "numbers");
}

static void steps_come_in_their_order(void **state)
{
	sends("expect://h:1#send=a&expect=b&send=c%00d&expect=e", "b", 1, "ac");
	sends("expect://h:1#expect=b&send=c", "b", 1, "c");
	sends("expect://h:1#send=a&absent=bad&min=3&send=c&expect=d", "yes", 3, "ac");
	wrong("expect://h:1#send=a&look=b", "'look'");
	wrong("expect://h:1#expect=a&min=x", "number of bytes");
	wrong("expect://h:1#expect=a&min=2", "out of its range");
	wrong("expect://h:1#send=a", "out of its range");
	wrong("udp://h:1#expect=ab&mask=%ff", "mask");
	wrong("dns://h#type=B", "'B'");
}

static void what_is_wrong_is_told(void **state)
{
	static char longest[HEALTH_URL_MAX + 2];

	wrong("", "scheme://");
	wrong("192.0.2.1:80", "scheme://");
	wrong("://h", "scheme://");
	wrong("gopher://h", "'gopher'");
	wrong("tcp://h", "port");
	wrong("tcp://h:0", "'0'");
	wrong("tcp://h:65536", "65536");
	wrong("tcp://h:8o", "'8o'");
	wrong("tcp://:80", "host");
	wrong("exec://h/bin/true", "exec:///path");
	wrong("exec:///bin/true#school=oxford", "oxford");
	wrong("imap://h#verify", "no option 'verify'");
	wrong("imaps://h#starttls", "no option 'starttls'");
	wrong("tls://h#expires=soon", "days");
	wrong("mysql://h#starttls", "out of its range"); /* without a user nothing follows */
	wrong("tcp://[::1:80", "]");
	wrong("tcp://::1:80", "[ ]");
	wrong("tcp://u@h:1", "no user");
	wrong("tcp://h:1/x", "no path");
	wrong("tcp://h:1#x", "no option 'x'");
	wrong("redis://h#role=king", "out of its range");
	wrong("redis://h#role=master&role=slave", "twice");
	wrong("redis://:%0@h", "hexadecimal");
	wrong("redis://:%00@h", "zero");
	wrong("redis://h#role=%zz", "hexadecimal");
	memset(longest, 'x', HEALTH_URL_MAX + 1);
	wrong(longest, "longer");
}

static void misuse_is_refused(void **state)
{
	struct health_url u = {.size = sizeof(u)};

	assert_int_equal(health_url_parse(NULL, NULL, &u, NULL), -EINVAL);
	assert_int_equal(health_url_parse("tcp://h:1", NULL, NULL, NULL), -EINVAL);
	assert_int_equal(health_url_parse("nonsense", NULL, &u, NULL), -EINVAL);
	assert_int_equal(health_url_parse("pgsql://u:p@h", NULL, &u, NULL), -EINVAL); /* no hash */
	u.size = 8;
	assert_int_equal(health_url_parse("tcp://h:1", NULL, &u, NULL), -EINVAL);
}

/* Every scheme stands in answers.h, so every probe is reached by its name and bears every case. */
static void every_scheme_has_an_answer(void **state)
{
	const char *name;

	for (size_t i = 0; (name = health_url_scheme(i)); i++) {
		bool found = false;

		if (i)
			assert_true(strcmp(health_url_scheme(i - 1), name) < 0);
		for (size_t j = 0; j < ANSWERS; j++)
			found |= !strncmp(answers[j].url, name, strlen(name)) &&
				 !strncmp(answers[j].url + strlen(name), "://", 3);
		if (!found)
			print_error("%s has no answer in answers.h\n", name);
		assert_true(found);
	}
}

static void every_probe_bears_every_case(void **state)
{
	for (size_t i = 0; i < ANSWERS; i++) {
		struct health_url u = parse(answers[i].url);

		if (answers[i].len && !answers[i].is_agent)
			served_as(u.probe, answers[i].good, answers[i].len, answers[i].code,
				  answers[i].status);
		health_probe_free(u.probe);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_url_has_its_parts),
	    cmocka_unit_test(http_has_the_most_options),
	    cmocka_unit_test(steps_come_in_their_order),
	    cmocka_unit_test(what_is_wrong_is_told),
	    cmocka_unit_test(misuse_is_refused),
	    cmocka_unit_test(every_scheme_has_an_answer),
	    cmocka_unit_test(every_probe_bears_every_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
