/* SPDX-License-Identifier: MIT */
/* The Redis and memcached probes: a command in each one's own words, an answer in lines. */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_store.h>

#include "base/mem.h"
#include "base/sized.h"
#include "commands.h"

/* ---- Redis ---- */

enum { AUTH, PING, EXISTS, ROLE };

struct redis_config {
	struct commands commands;
	const char *role; /* static; NULL: any */
};

static void redis_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct redis_config));
}

/* A bulk string's head; `ret` holds 8 bytes. */
static const char *bulk(const char *s, char *ret)
{
	snprintf(ret, 8, "$%u\r\n", (unsigned int)strlen(s) % 1000);
	return ret;
}

static void add_auth(struct commands *c, const struct health_redis_opts *o)
{
	char user[8], password[8];

	if (o->user)
		commands_add(c, AUTH, "*3\r\n$4\r\nAUTH\r\n", bulk(o->user, user), o->user, "\r\n",
			     bulk(o->password, password), o->password, "\r\n", NULL);
	else
		commands_add(c, AUTH, "*2\r\n$4\r\nAUTH\r\n", bulk(o->password, password),
			     o->password, "\r\n", NULL);
}

/* False: no such role. Redis says "slave" to this day. */
static bool find_role(const char *role, const char **ret)
{
	static const char *const roles[][2] = {
	    {"master", "master"}, {"primary", "master"},    {"slave", "slave"},
	    {"replica", "slave"}, {"sentinel", "sentinel"},
	};

	for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
		if (!strcmp(role, roles[i][0])) {
			*ret = roles[i][1];
			return true;
		}
	return false;
}

static bool redis_opts_valid(const struct health_redis_opts *o)
{
	return (!o->password || commands_word(o->password, true)) &&
	       (!o->user || (o->password && commands_word(o->user, true))) &&
	       (!o->absent_key || commands_word(o->absent_key, true));
}

static int redis_setup(const void *opts, void **ret_config)
{
	struct health_redis_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct redis_config *c;
	const char *role = NULL;
	char head[8];

	if (r < 0)
		return r;
	if (!redis_opts_valid(&o) || (o.role && !find_role(o.role, &role)))
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->role = role;
	if (o.password)
		add_auth(&c->commands, &o);
	commands_add(&c->commands, PING, "*1\r\n$4\r\nPING\r\n", NULL);
	if (o.absent_key)
		commands_add(&c->commands, EXISTS, "*2\r\n$6\r\nEXISTS\r\n",
			     bulk(o.absent_key, head), o.absent_key, "\r\n", NULL);
	if (role) /* the last: the end of its long answer is not waited for */
		commands_add(&c->commands, ROLE, "*1\r\n$4\r\nROLE\r\n", NULL);
	*ret_config = c;
	return 0;
}

static bool is(const struct reader *line, const char *text)
{
	return reader_left(line) == strlen(text) && !memcmp(line->at, text, strlen(text));
}

/* An array whose first member, a bulk string in the third line, names the role. */
static enum verdict_of_line judge_role(const struct commands_state *s, const char *role,
				       struct reader line)
{
	if (s->lines < 2)
		return commands_take(&line, s->lines ? "$" : "*") ? LINE_FURTHER : LINE_ALIEN;
	return is(&line, role) ? LINE_YES : LINE_NO;
}

static enum verdict_of_line redis_judge(struct commands_state *s, uint8_t kind, const void *config,
					struct reader line)
{
	const struct redis_config *c = config;

	if (!s->lines && commands_take(&line, "-"))
		return LINE_NO; /* NOAUTH, WRONGPASS, LOADING, MASTERDOWN … */
	switch (kind) {
	case AUTH:
		return is(&line, "+OK") ? LINE_YES : LINE_ALIEN;
	case PING:
		return is(&line, "+PONG") ? LINE_YES : LINE_ALIEN;
	case EXISTS:
		if (is(&line, ":0"))
			return LINE_YES;
		return is(&line, ":1") ? LINE_NO : LINE_ALIEN;
	default:
		return judge_role(s, c->role, line);
	}
}

static enum health_step redis_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct redis_config *c = config;

	return commands_open(state, &c->commands, io);
}

static enum health_step redis_received(void *state, const void *config, const void *data,
				       size_t len, struct health_probe_io *io)
{
	const struct redis_config *c = config;

	return commands_received(state, &c->commands, c, redis_judge, data, len, io);
}

const struct health_probe_ops *health_probe_redis(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "redis",
	    .flags = HEALTH_PROBE_FIRST,
	    .state_size = sizeof(struct commands_state),
	    .setup = redis_setup,
	    .teardown = redis_teardown,
	    .open = redis_open,
	    .received = redis_received,
	};

	return &ops;
}

/* ---- memcached ---- */

static enum health_step memcached_open(void *state, const void *config, struct health_probe_io *io)
{
	static const char version[] = "version\r\n";

	return reply_send(io, version, sizeof(version) - 1);
}

static enum health_step memcached_received(void *state, const void *config, const void *data,
					   size_t len, struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), line;
	char text[HEALTH_TEXT_MAX];

	switch (line_take(&r, COMMANDS_LINE_MAX, &line)) {
	case LINE_NONE:
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	case LINE_TOO_LONG:
		return reply_broken(io, 0, "line too long");
	case LINE_WHOLE:
		break;
	}
	line_excerpt(&line, text, sizeof(text));
	if (commands_take(&line, "VERSION "))
		return reply_ok(io, 0, text);
	if (commands_take(&line, "ERROR") || commands_take(&line, "SERVER_ERROR") ||
	    commands_take(&line, "CLIENT_ERROR"))
		return reply_no(io, 0, text);
	return reply_broken(io, 0, text);
}

const struct health_probe_ops *health_probe_memcached(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "memcached",
	    .flags = HEALTH_PROBE_FIRST,
	    .open = memcached_open,
	    .received = memcached_received,
	};

	return &ops;
}
