/* SPDX-License-Identifier: MIT */
/* Checks HOST:PORT... by TCP connect and prints changes; with --once, one result per target. */
#include <libhealth/health.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool once;
static int results, failures;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_result(struct health_check *c, const struct health_result *r, void *target)
{
	failures += !health_verdict_is_ok(r->verdict);
	if (!once)
		return;
	results++;
	printf("%s: %s %s %s\n", (char *)target, health_verdict_name(r->verdict),
	       health_code_name(r->code), r->text);
	health_check_remove(c);
}

static void on_transition(struct health_check *c, const struct health_transition *t, void *target)
{
	(void)c;
	printf("%s: %s to %s: %s, %s\n", (char *)target, health_state_name(t->from),
	       health_state_name(t->to), health_reason_name(t->reason), health_code_name(t->code));
}

static bool add(struct health_engine *e, char *target)
{
	struct health_check_opts o = {.size = sizeof(o), .flags = HEALTH_CHECK_AT_ONCE};
	const struct addrinfo hint = {.ai_socktype = SOCK_STREAM};
	char host[256], port[32];
	struct health_check *check;
	struct addrinfo *found;
	int r;
	if (sscanf(target, "%255[^:]:%31s", host, port) != 2)
		return fprintf(stderr, "%s: want HOST:PORT\n", target), false;
	if ((r = getaddrinfo(host, port, &hint, &found)))
		return fprintf(stderr, "%s: %s\n", target, gai_strerror(r)), false;
	o.destination = found->ai_addr;
	o.destination_len = found->ai_addrlen;
	r = health_check_add(e, &o, target, &check);
	freeaddrinfo(found);
	return r == 0;
}

int main(int argc, char **argv)
{
	const struct health_engine_ops ops = {sizeof(ops), on_result, on_transition, NULL};
	const struct health_engine_opts o = {.size = sizeof(o), .ops = &ops};
	struct health_engine *e;
	once = argc > 1 && !strcmp(argv[1], "--once");
	if (argc < 2 + once)
		return fprintf(stderr, "usage: health [--once] HOST:PORT...\n"), 2;
	if (health_engine_new(&o, &e) < 0)
		return fprintf(stderr, "no engine\n"), 1;
	setlinebuf(stdout);
	for (int i = 1 + once; i < argc; i++)
		if (!add(e, argv[i]))
			return health_engine_free(e), 2;
	while (!once || results < argc - 2) {
		uint64_t t = now(), next = health_engine_deadline(e);
		uint64_t ms = next <= t ? 0 : (next - t) / 1000000 + 1;
		struct pollfd p = {health_engine_fd(e), POLLIN, 0};
		poll(&p, 1, ms < 1000 ? (int)ms : 1000);
		health_engine_dispatch(e, now());
	}
	health_engine_free(e);
	return failures > 0;
}
