/* SPDX-License-Identifier: MIT */
/* The FTP, POP3 and IMAP probes: a greeting, and a login if there is a user (RFC 959, 1939, 3501). */
#include <errno.h>

#include <libhealth/probe_login.h>

#include "base/mem.h"
#include "base/sized.h"
#include "commands.h"

/* What a command is, for the judge of its answer. */
enum { GREETING, STARTTLS, USER, PASS, TYPE, FIND, LOGIN, BYE };

static void login_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct commands));
}

static int read_opts(const void *opts, bool with_path, struct health_login_opts *ret)
{
	int r;

	*ret = (struct health_login_opts){.size = sizeof(*ret)};
	r = opts ? sized_in(ret, sizeof(*ret), opts) : 0;
	if (r < 0)
		return r;
	if (!ret->user)
		return ret->password || ret->path ? -EINVAL : 0;
	if (!commands_word(ret->user, true) ||
	    (ret->password && *ret->password && !commands_word(ret->password, true)) ||
	    (ret->path && (!with_path || !commands_word(ret->path, true))))
		return -EINVAL;
	if (!ret->password)
		ret->password = "";
	return 0;
}

/* The options, and a dialogue that begins with the server's greeting. */
static int begin(const void *opts, bool with_path, struct health_login_opts *ret,
		 struct commands **ret_c)
{
	int r = read_opts(opts, with_path, ret);

	if (r < 0)
		return r;
	*ret_c = mem_zalloc(sizeof(**ret_c));
	if (!*ret_c)
		return -ENOMEM;
	commands_add(*ret_c, GREETING, NULL);
	return 0;
}

/* As FTP and POP3 have it. */
static void add_user(struct commands *c, const struct health_login_opts *o)
{
	if (!o->user)
		return;
	commands_add(c, USER, "USER ", o->user, "\r\n", NULL);
	commands_add(c, PASS, "PASS ", o->password, "\r\n", NULL);
}

/* TLS, and a word over it when no login would show that the server hears what comes through. */
static void add_starttls(struct commands *c, const struct health_login_opts *o, const char *command,
			 const char *bye)
{
	if (!o->starttls)
		return;
	commands_add(c, STARTTLS, command, NULL);
	commands_then_tls(c);
	if (!o->user)
		commands_add(c, BYE, bye, NULL);
}

/* The first command when the channel stands: none before a greeting, the next one over TLS. */
static enum health_step login_open(void *state, const void *config, struct health_probe_io *io)
{
	return commands_open(state, config, io);
}

/* Keeps what was compiled, if all of it had room. */
static int finish(struct commands *c, void **ret_config)
{
	if (c->full) {
		login_teardown(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

/* ---- FTP ---- */

static int ftp_setup(const void *opts, void **ret_config)
{
	struct health_login_opts o;
	struct commands *c;
	int r = begin(opts, true, &o, &c);

	if (r < 0)
		return r;
	add_starttls(c, &o, "AUTH TLS\r\n", "QUIT\r\n"); /* RFC 4217 §4 */
	add_user(c, &o);
	if (o.path) { /* servers refuse SIZE of a text, whose size depends on the line ends */
		commands_add(c, TYPE, "TYPE I\r\n", NULL);
		commands_add(c, FIND, "SIZE ", o.path, "\r\n", NULL);
	}
	commands_farewell(c, "QUIT\r\n");
	return finish(c, ret_config);
}

/* Between "220-" and "220 " a line may be anything (RFC 959 §4.2). */
static enum verdict_of_line ftp_judge(struct commands_state *s, uint8_t kind, const void *config,
				      struct reader line)
{
	static const uint16_t wanted[] = {
	    [GREETING] = 220, [STARTTLS] = 234, [USER] = 331, [PASS] = 230,
	    [TYPE] = 200,     [FIND] = 213,	[BYE] = 221,
	};
	uint16_t status = read_status(&line);
	uint8_t after = reader_left(&line) ? read_u8(&line) : ' ';
	bool is_status = !line.bad && status >= 100 && (after == ' ' || after == '-');

	if (s->has_more && (!is_status || status != s->status || after == '-'))
		return LINE_FURTHER;
	if (!is_status)
		return LINE_ALIEN;
	s->status = status;
	s->has_more = after == '-';
	if (s->has_more)
		return LINE_FURTHER;
	if (kind == USER && status == 230) { /* no password is wanted */
		s->at++;
		return LINE_YES;
	}
	return status == wanted[kind] || (kind == PASS && status == 202) ? LINE_YES : LINE_NO;
}

static enum health_step ftp_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	return commands_received(state, config, config, ftp_judge, data, len, io);
}

const struct health_probe_ops *health_probe_ftp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "ftp",
	    .state_size = sizeof(struct commands_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = ftp_setup,
	    .teardown = login_teardown,
	    .open = login_open,
	    .received = ftp_received,
	};

	return &ops;
}

/* ---- POP3 ---- */

static int pop3_setup(const void *opts, void **ret_config)
{
	struct health_login_opts o;
	struct commands *c;
	int r = begin(opts, false, &o, &c);

	if (r < 0)
		return r;
	add_starttls(c, &o, "STLS\r\n", "QUIT\r\n"); /* RFC 2595 §4 */
	add_user(c, &o);
	commands_farewell(c, "QUIT\r\n");
	return finish(c, ret_config);
}

static enum verdict_of_line pop3_judge(struct commands_state *s, uint8_t kind, const void *config,
				       struct reader line)
{
	if (commands_take(&line, "+OK"))
		return LINE_YES;
	return commands_take(&line, "-ERR") ? LINE_NO : LINE_ALIEN;
}

static enum health_step pop3_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	return commands_received(state, config, config, pop3_judge, data, len, io);
}

const struct health_probe_ops *health_probe_pop3(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "pop3",
	    .state_size = sizeof(struct commands_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = pop3_setup,
	    .teardown = login_teardown,
	    .open = login_open,
	    .received = pop3_received,
	};

	return &ops;
}

/* ---- IMAP ---- */

/* A quoted string (RFC 3501 §4.3); `ret` holds twice COMMANDS_WORD_MAX and three more. */
static const char *quoted(const char *s, char *ret)
{
	char *at = ret;

	*at++ = '"';
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			*at++ = '\\';
		*at++ = *s;
	}
	*at++ = '"';
	*at = '\0';
	return ret;
}

static int imap_setup(const void *opts, void **ret_config)
{
	char user[2 * COMMANDS_WORD_MAX + 3], password[sizeof(user)];
	struct health_login_opts o;
	struct commands *c;
	int r = begin(opts, true, &o, &c);

	if (r < 0)
		return r;
	add_starttls(c, &o, "h STARTTLS\r\n", "h NOOP\r\n"); /* RFC 3501 §6.2.1 */
	if (o.user)
		commands_add(c, LOGIN, "h LOGIN ", quoted(o.user, user), " ",
			     quoted(o.password, password), "\r\n", NULL);
	explicit_bzero(password, sizeof(password));
	if (o.path)
		commands_add(c, FIND, "h EXAMINE ", quoted(o.path, user), "\r\n", NULL);
	commands_farewell(c, "h LOGOUT\r\n");
	return finish(c, ret_config);
}

/* Untagged lines come before the tagged one that ends an answer; BYE is the server hanging up. */
static enum verdict_of_line imap_judge(struct commands_state *s, uint8_t kind, const void *config,
				       struct reader line)
{
	if (commands_take(&line, "* BYE"))
		return LINE_NO;
	if (kind == GREETING)
		return commands_take(&line, "* OK") || commands_take(&line, "* PREAUTH")
			   ? LINE_YES
			   : LINE_ALIEN;
	if (commands_take(&line, "h OK"))
		return LINE_YES;
	if (commands_take(&line, "h NO") || commands_take(&line, "h BAD"))
		return LINE_NO;
	return commands_take(&line, "* ") ? LINE_FURTHER : LINE_ALIEN;
}

static enum health_step imap_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	return commands_received(state, config, config, imap_judge, data, len, io);
}

const struct health_probe_ops *health_probe_imap(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "imap",
	    .state_size = sizeof(struct commands_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = imap_setup,
	    .teardown = login_teardown,
	    .open = login_open,
	    .received = imap_received,
	};

	return &ops;
}
