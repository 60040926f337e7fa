/* SPDX-License-Identifier: MIT */
/* Checks URLs (docs/probes.md; HOST:PORT is tcp://) and prints changes; with --once, one result each. */
#include <libhealth/health.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include "../adapters/health_foreign.h"

static int once, results, failures;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_result(struct health_check *c, const struct health_result *r, void *url)
{
	failures += !health_verdict_is_ok(r->verdict);
	if (!once)
		return;
	results++;
	printf("%s: %s %s %s\n", (char *)url, health_verdict_name(r->verdict),
	       health_code_name(r->code), r->text);
	health_check_remove(c);
}

static void on_transition(struct health_check *c, const struct health_transition *t, void *url)
{
	printf("%s: %s to %s: %s, %s\n", (char *)url, health_state_name(t->from),
	       health_state_name(health_check_state(c)), health_reason_name(t->reason),
	       health_code_name(t->code));
}

static int add(struct health_engine *e, char *target)
{
	struct health_check_opts o = {.size = sizeof(o)};
	struct health_url u = {.size = sizeof(u)};
	char url[HEALTH_URL_MAX], why[256] = "no memory";
	struct health_check *check;
	int r = snprintf(url, sizeof(url), "%s%s", strstr(target, "://") ? "" : "tcp://", target);
	if ((r = health_url_parse(url, &health_foreign, &u, why)) < 0)
		return fprintf(stderr, "%s: %s\n", target, why), r;
	o.host = *u.host ? u.host : NULL;
	o.port = (uint16_t)u.port;
	o.probe = u.probe;
	o.flags = HEALTH_CHECK_AT_ONCE | (u.starttls ? HEALTH_CHECK_STARTTLS : 0);
	if (u.tls)
		r = health_foreign_tls(&u, why, sizeof(why), &o.transport);
	if (r == 0 && (r = health_check_add(e, &o, target, &check)) < 0)
		snprintf(why, sizeof(why), "%s", strerror(-r));
	if (r < 0)
		fprintf(stderr, "%s: %s\n", target, why);
	health_probe_free(u.probe);
	return r;
}

int main(int argc, char **argv)
{
	const struct health_engine_ops ops = {sizeof(ops), on_result, on_transition, NULL, NULL};
	const struct health_engine_opts o = {.size = sizeof(o), .ops = &ops};
	struct health_engine *e;
	once = argc > 1 && !strcmp(argv[1], "--once");
	if (argc < 2 + once || health_engine_new(&o, &e) < 0)
		return fprintf(stderr, "usage: health [--once] URL...\n"), 2;
	setlinebuf(stdout);
	for (int i = 1 + once; i < argc; i++)
		if (add(e, argv[i]))
			return health_engine_free(e), 2;
	while (!once || results < argc - 2) {
		uint64_t t = now(), next = health_engine_deadline(e),
			 wait = next > t ? next - t : 0;
		struct pollfd p = {health_engine_fd(e), POLLIN, 0};
		poll(&p, 1, wait < 1000000000 ? (int)(wait / 1000000) + 1 : 1000);
		health_engine_dispatch(e, now());
	}
	return health_engine_free(e), failures > 0;
}
