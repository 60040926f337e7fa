/* SPDX-License-Identifier: MIT */
/* A probe of one's own: sends WORD to ADDRESS:PORT, and the server is well if its line begins with ANSWER. */
#include <libhealth/health.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct question {
	char word[64];
	const char *answer;
};

/* The dialogue: bytes in, bytes out, a verdict; never a socket. */
static enum health_step ask(void *state, const void *config, struct health_probe_io *io)
{
	(void)state;
	io->send = ((const struct question *)config)->word;
	io->send_len = strlen(io->send);
	return HEALTH_STEP_MORE;
}

static enum health_step hear(void *state, const void *config, const void *data, size_t len,
			     struct health_probe_io *io)
{
	const struct question *q = config;
	const char *line = data, *end = memchr(line, '\n', len);
	(void)state;
	io->consumed = 0; /* not a whole line yet: it comes again, with more behind */
	if (!end)
		return HEALTH_STEP_MORE;
	io->verdict = strncmp(line, q->answer, strlen(q->answer)) ? HEALTH_FAIL : HEALTH_OK;
	snprintf(io->text, sizeof(io->text), "%.*s", (int)(end - line), line);
	return HEALTH_STEP_DONE;
}

static int keep(const void *opts, void **ret_config)
{
	struct question *q = malloc(sizeof(*q));
	*ret_config = q ? memcpy(q, opts, sizeof(*q)) : NULL;
	return q ? 0 : -ENOMEM;
}

static void on_result(struct health_check *c, const struct health_result *r, void *ret_code)
{
	printf("%s %s %s\n", health_verdict_name(r->verdict), health_code_name(r->code), r->text);
	*(int *)ret_code = !health_verdict_is_ok(r->verdict);
	health_check_remove(c);
}

int main(int argc, char **argv)
{
	struct health_probe_ops ops = {.size = sizeof(ops), .name = "custom", .setup = keep};
	const struct health_engine_ops told = {.size = sizeof(told), .result = on_result};
	const struct health_engine_opts eo = {.size = sizeof(eo), .ops = &told};
	struct health_check_opts o = {.size = sizeof(o), .flags = HEALTH_CHECK_AT_ONCE};
	struct health_engine *e;
	struct health_check *c;
	struct question q;
	struct timespec t;
	int code = -1;
	if (argc != 5)
		return fprintf(stderr, "usage: health_custom ADDRESS PORT WORD ANSWER\n"), 2;
	ops.teardown = free, ops.open = ask, ops.received = hear;
	snprintf(q.word, sizeof(q.word), "%s\r\n", argv[3]);
	q.answer = argv[4], o.host = argv[1], o.port = (uint16_t)atoi(argv[2]);
	if (health_engine_new(&eo, &e) < 0 || health_probe_new(&ops, &q, &o.probe) < 0 ||
	    health_check_add(e, &o, &code, &c) < 0)
		return fprintf(stderr, "not an address and a port: %s %s\n", argv[1], argv[2]), 2;
	health_probe_free(o.probe); /* the check keeps it */
	while (code < 0) {
		poll(&(struct pollfd){health_engine_fd(e), POLLIN, 0}, 1, 100);
		clock_gettime(CLOCK_MONOTONIC, &t);
		health_engine_dispatch(e, (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
	}
	health_engine_free(e);
	return code;
}
