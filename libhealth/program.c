/* SPDX-License-Identifier: MIT */
#include "program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"

#define HAPROXY_ARGS 5
#define HAPROXY_ENV 13
#define CURCONN "HAPROXY_SERVER_CURCONN="
#define CURCONN_ROOM sizeof(CURCONN "4294967295")

/* Counts words and bytes. -EINVAL: beyond the limits. */
static int measure(const char *const *words, size_t *n, size_t *bytes)
{
	for (*n = 0; words && words[*n]; ++*n) {
		*bytes += strnlen(words[*n], HEALTH_EXEC_BYTES_MAX) + 1;
		if (*n >= HEALTH_EXEC_WORDS_MAX || *bytes > HEALTH_EXEC_BYTES_MAX)
			return -EINVAL;
	}
	return 0;
}

static char *copy_words(char **to, const char *const *words, size_t n, char *at)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(words[i]) + 1;

		to[i] = memcpy(at, words[i], len);
		at += len;
	}
	to[n] = NULL;
	return at;
}

static int make(enum health_exec_school school, const char *const *argv, const char *const *envp,
		void **ret)
{
	size_t n_args, n_env, bytes = 0;
	struct program *p;
	char *at;

	if (measure(argv, &n_args, &bytes) < 0 || measure(envp, &n_env, &bytes) < 0)
		return -EINVAL;
	p = mem_zalloc(sizeof(*p) + bytes + CURCONN_ROOM);
	if (!p)
		return -ENOMEM;
	/* One array for both: the environment begins behind the arguments. */
	p->argv = mem_array(n_args + 1 + n_env + 1, sizeof(*p->argv));
	if (!p->argv) {
		mem_free(p);
		return -ENOMEM;
	}
	p->school = school;
	at = copy_words(p->argv, argv, n_args, p->words);
	if (envp) {
		p->envp = p->argv + n_args + 1;
		copy_words(p->envp, envp, n_env, at);
	}
	*ret = p;
	return 0;
}

static const char *or_text(const char *text, const char *fallback)
{
	return text ? text : fallback;
}

/* HAProxy's arguments and environment. The last word is the one that changes. */
static int make_haproxy(const struct health_exec_opts *o, void **ret)
{
	static const char *const not_used = "NOT_USED";
	struct health_exec_haproxy h;
	const char *argv[HAPROXY_ARGS + 1] = {o->argv[0]}, *envp[HAPROXY_ENV + 1] = {0};
	char *text, *at;
	size_t room = HEALTH_EXEC_BYTES_MAX, n = 0;
	int r = sized_in(&h, sizeof(h), o->haproxy);

	if (r < 0)
		return r;
	if (o->argv[1] || o->envp)
		return -EINVAL;
	argv[1] = or_text(h.proxy_addr, not_used);
	argv[2] = or_text(h.proxy_port, not_used);
	argv[3] = or_text(h.server_addr, not_used);
	argv[4] = or_text(h.server_port, not_used);
	at = text = mem_zalloc(room);
	if (!text)
		return -ENOMEM;
#define WORD(...)                                                 \
	do {                                                      \
		int len = snprintf(at, room, __VA_ARGS__);        \
		r = len < 0 || (size_t)len >= room ? -EINVAL : r; \
		envp[n++] = at;                                   \
		at += r < 0 ? 0 : len + 1;                        \
		room -= r < 0 ? 0 : (size_t)len + 1;              \
	} while (0)
	WORD("PATH=%s", or_text(h.path, "/usr/bin:/bin"));
	WORD("HAPROXY_PROXY_ADDR=%s", argv[1]);
	WORD("HAPROXY_PROXY_PORT=%s", argv[2]);
	WORD("HAPROXY_PROXY_NAME=%s", or_text(h.proxy_name, ""));
	WORD("HAPROXY_PROXY_ID=%u", h.proxy_id);
	WORD("HAPROXY_SERVER_ADDR=%s", argv[3]);
	WORD("HAPROXY_SERVER_PORT=%s", argv[4]);
	WORD("HAPROXY_SERVER_NAME=%s", or_text(h.server_name, ""));
	WORD("HAPROXY_SERVER_ID=%u", h.server_id);
	WORD("HAPROXY_SERVER_MAXCONN=%u", h.server_maxconn);
	WORD("HAPROXY_SERVER_SSL=%d", h.server_ssl != 0);
	WORD("HAPROXY_SERVER_PROTO=%s", or_text(h.server_proto, ""));
	WORD(CURCONN "0");
#undef WORD
	if (r == 0)
		r = make(o->school, argv, envp, ret);
	if (r == 0)
		((struct program *)*ret)->curconn = h.server_curconn;
	mem_free(text);
	return r;
}

static int program_setup(const void *opts, void **ret_config)
{
	struct health_exec_opts o;
	int r = sized_in(&o, sizeof(o), opts);

	if (r < 0)
		return r;
	if (!o.argv || !o.argv[0] || !strchr(o.argv[0], '/') ||
	    (unsigned int)o.school > HEALTH_EXEC_NAGIOS || o.reserved)
		return -EINVAL;
	if (o.haproxy)
		return make_haproxy(&o, ret_config);
	return make(o.school, o.argv, o.envp, ret_config);
}

static void program_teardown(void *config)
{
	struct program *p = config;

	mem_free(p->argv);
	mem_free(p);
}

void program_refresh(struct program *p)
{
	size_t last = 0;

	if (!p->curconn)
		return;
	while (p->envp[last + 1])
		last++;
	snprintf(p->envp[last], CURCONN_ROOM, CURCONN "%u", *p->curconn); /* make left the room */
}

static enum health_verdict verdict_of(const struct program *p, int status, const char *output)
{
	switch (p->school) {
	case HEALTH_EXEC_KEEPALIVED:
	case HEALTH_EXEC_KEEPALIVED_DYNAMIC:
		return status == 1 ? HEALTH_FAIL : HEALTH_OK;
	case HEALTH_EXEC_F5:
		return output[0] ? HEALTH_OK : HEALTH_FAIL;
	case HEALTH_EXEC_NAGIOS:
		if (status > 2)
			return HEALTH_NEUTRAL;
		return status == 2 ? HEALTH_FAIL : status ? HEALTH_DEGRADED : HEALTH_OK;
	default:
		return status ? HEALTH_FAIL : HEALTH_OK;
	}
}

void program_judge(const struct program *p, int status, int signal, const char *output,
		   struct health_probe_io *ret)
{
	enum health_verdict verdict = signal ? HEALTH_FAIL : verdict_of(p, status, output);

	*ret = (struct health_probe_io){.status = (uint32_t)status};
	answer_set(ret, verdict,
		   health_verdict_is_ok(verdict) ? HEALTH_CODE_PROCOK : HEALTH_CODE_PROCERR,
		   output);
	if (signal)
		snprintf(ret->text, sizeof(ret->text), "killed by signal %d", signal);
	else if (!output[0] && status)
		snprintf(ret->text, sizeof(ret->text), "exit status %d", status);
	if (p->school == HEALTH_EXEC_KEEPALIVED_DYNAMIC && !signal && status >= 2)
		ret->advice = (struct health_advice){.weight_kind = HEALTH_WEIGHT_ABSOLUTE,
						     .weight = status - 2};
	answer_clean(ret);
}

const struct health_probe_ops *health_probe_exec(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "exec",
	    .flags = PROBE_PROCESS,
	    .setup = program_setup,
	    .teardown = program_teardown,
	};

	return &ops;
}
