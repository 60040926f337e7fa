/* SPDX-License-Identifier: MIT */
/* Fuzz target: cookies from clients. Held: what is read can be written, and reads back the same. */
#include <libsched/lb_persist.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void hold(bool truth)
{
	if (!truth)
		abort();
}

static void f5(const char *value, size_t len)
{
	struct lb_cookie_f5 c, again;
	char buf[64];
	ssize_t n;

	if (lb_cookie_f5_read(value, len, &c) < 0)
		return;
	n = lb_cookie_f5_write(&c, buf, sizeof(buf));
	hold(n > 0 && lb_cookie_f5_read(buf, (size_t)n, &again) == 0);
	hold(c.port == again.port && c.addr_len == again.addr_len &&
	     !memcmp(c.addr, again.addr, 16) && c.route_domain == again.route_domain);
}

static void haproxy(const char *value, size_t len)
{
	struct lb_cookie_haproxy c, again;
	char buf[LB_COOKIE_MAX + 16];
	ssize_t n;

	if (lb_cookie_haproxy_read(value, len, &c) < 0)
		return;
	n = lb_cookie_haproxy_write(&c, buf, sizeof(buf));
	hold(n > 0 && lb_cookie_haproxy_read(buf, (size_t)n, &again) == 0);
	hold(c.word_len == again.word_len && !memcmp(c.word, again.word, c.word_len));
	hold(c.last_s == again.last_s && c.first_s == again.first_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *value = data ? (const char *)data : "";

	f5(value, len);
	haproxy(value, len);
	return 0;
}
