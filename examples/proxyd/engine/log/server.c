/* SPDX-License-Identifier: MIT */
/*
 * What happens to servers, in HAProxy's words, which people search their logs for and alarms are made of: to the log of
 * the daemon, to the `log` lines of the section, and by mail. The control thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/control.h"
#include "log.h"
#include "loop.h"
#include "mail.h"
#include "engine/worker.h"

const char *check_code_text(enum health_code code)
{
	static const char *const text[] = {
	    [HEALTH_CODE_UNK] = "Unknown",
	    [HEALTH_CODE_INI] = "Initializing",
	    [HEALTH_CODE_SOCKERR] = "Socket error",
	    [HEALTH_CODE_L4OK] = "Layer4 check passed",
	    [HEALTH_CODE_L4TOUT] = "Layer4 timeout",
	    [HEALTH_CODE_L4CON] = "Layer4 connection problem",
	    [HEALTH_CODE_L6OK] = "Layer6 check passed",
	    [HEALTH_CODE_L6TOUT] = "Layer6 timeout",
	    [HEALTH_CODE_L6RSP] = "Layer6 invalid response",
	    [HEALTH_CODE_L7OK] = "Layer7 check passed",
	    [HEALTH_CODE_L7OKC] = "Layer7 check conditionally passed",
	    [HEALTH_CODE_L7TOUT] = "Layer7 timeout",
	    [HEALTH_CODE_L7RSP] = "Layer7 invalid response",
	    [HEALTH_CODE_L7STS] = "Layer7 wrong status",
	    [HEALTH_CODE_PROCERR] = "External check error",
	    [HEALTH_CODE_PROCTOUT] = "External check timeout",
	    [HEALTH_CODE_PROCOK] = "External check passed",
	    [HEALTH_CODE_HANA] = "Health analyze",
	};

	return code < sizeof(text) / sizeof(text[0]) && text[code] ? text[code] : "";
}

/* HAProxy's words for where in a tcp-check a connection failed; with several of them it may be any. */
static const char *failed_step(const struct server *s, const struct health_check_status *status)
{
	const struct cfg_check *c = s->admin.backend ? &s->admin.backend->proxy->set.check : NULL;
	unsigned n_connects = 0;

	if (!c || !c->is_tcp_check || (status->code != HEALTH_CODE_L4CON && status->code != HEALTH_CODE_L4TOUT))
		return "";
	if (*status->text && (status->code == HEALTH_CODE_L4TOUT || !status->error))
		return ""; /* an expectation, with such a status of its own, which tells its step */
	for (unsigned i = 0; i < c->n_steps; i++)
		n_connects += c->step[i].action == CFG_STEP_CONNECT;
	if (c->n_steps && c->step[0].action != CFG_STEP_CONNECT && cfg_first_step(c) != c->step)
		return ""; /* variables come first: HAProxy counts them */
	if (c->n_steps && c->step[0].action == CFG_STEP_CONNECT)
		return n_connects == 1 ? " at step 1 of tcp-check (connect)" : "";
	return n_connects ? "" : " at initial connection step of tcp-check";
}

static bool is_timeout(enum health_code code)
{
	return code == HEALTH_CODE_L4TOUT || code == HEALTH_CODE_L6TOUT || code == HEALTH_CODE_L7TOUT;
}

static const char *told(const struct server *s, const struct health_check_status *c)
{
	const struct backend *b = s->admin.backend;
	bool well = c->verdict == HEALTH_OK || c->verdict == HEALTH_OK_DRAIN;

	if (b && b->proxy->set.check.is_live) /* scripts say what there is to tell, also of success */
		return *c->text || well || is_timeout(c->code) || !c->error ? c->text : strerror(c->error);
	if (well || is_timeout(c->code))
		return "";
	if (c->code == HEALTH_CODE_L7STS && !strncmp(c->text, "HTTP/", 5) && strlen(c->text) > 13) /* the status is told already */
		return c->text + 13;
	return *c->text ? c->text : c->error ? strerror(c->error) : "";
}

void check_info(const struct server *s, const struct health_check_status *c, char *buf, size_t cap)
{
	bool well = c->verdict == HEALTH_OK || c->verdict == HEALTH_OK_DRAIN;

	if (c->code == HEALTH_CODE_HANA)
		observed_text(s, buf, cap);
	else
		snprintf(buf, cap, "%.300s%s", told(s, c), well ? "" : failed_step(s, c));
}

void check_reason(const struct server *s, char *buf, size_t cap)
{
	struct health_check_status c = {.size = sizeof(c)};
	char info[HEALTH_TEXT_MAX + 64];
	size_t n;

	*buf = '\0';
	if (check_status(s, &c) < 0)
		return;
	n = (size_t)snprintf(buf, cap, ", reason: %s", check_code_text(c.code));
	if (c.code == HEALTH_CODE_L7OK || c.code == HEALTH_CODE_L7OKC || c.code == HEALTH_CODE_L7STS)
		n += (size_t)snprintf(buf + n, cap - n, ", code: %u", c.status);
	check_info(s, &c, info, sizeof(info));
	if (*info)
		n += (size_t)snprintf(buf + n, cap - n, ", info: \"%s\"", info);
	if (n < cap && c.code != HEALTH_CODE_HANA)
		snprintf(buf + n, cap - n, ", check duration: %llums", (unsigned long long)(c.last_total_ns / CFG_MS));
}

/* To the daemon's log, and to those of the section. */
static void say(const struct backend *b, int level, const char *text)
{
	if (b)
		proxy_tell(b->set, b->proxy, level, text);
	else
		log_msg(level, "%s", text);
}

void server_note(const struct server *s, int level, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	say(s->admin.backend, level, text);
}

/* email-alert */
static void mail(const struct server *s, int level, const char *text)
{
	const struct backend *b = s->admin.backend;

	if (b && b->proxy->set.email)
		mails_send(b->set->engine->mails, b->proxy->set.email, level, text, loop_clock_ns());
}

__attribute__((format(printf, 4, 0))) static void vtell(const struct server *s, int level, bool mails, const char *format,
							 va_list args)
{
	char text[1024];
	int n = snprintf(text, sizeof(text), "%sServer %s/%s ", s->backup ? "Backup " : "", s->pool->name, s->name);

	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	say(s->admin.backend, level, text);
	if (mails)
		mail(s, level, text);
}

void server_tell(const struct server *s, int level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vtell(s, level, false, format, args);
	va_end(args);
}

__attribute__((format(printf, 4, 5))) static void tell_and_mail(const struct server *s, int level, bool mails,
								 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vtell(s, level, mails, format, args);
	va_end(args);
}

/* A run of its health check or agent: `health` of `of` says how far it is from the other state. */
static void tell_run(const struct server *s, const char *kind, const char *outcome, const char *reason, unsigned health,
		     unsigned of, bool up)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s check for %sserver %s/%s %s%s, status: %u/%u %s.", kind, s->backup ? "backup " : "",
		 s->pool->name, s->name, outcome, reason, health, of, !up ? "DOWN" : s->admin.weight ? "UP" : "DRAIN");
	say(s->admin.backend, LOG_NOTICE, text);
	mail(s, LOG_INFO, text);
}

void server_tell_agent(const struct server *s, bool well, bool up, const char *reason)
{
	tell_run(s, "Agent", well ? "succeeded" : "failed", reason, up, 1, up);
}

void server_tell_check(const struct server *s, bool well, bool conditionally)
{
	struct health_filter_status f = {.size = sizeof(f)};
	char reason[512];
	bool up;

	if (health_check_filter_status(s->check, &f) < 0)
		return;
	up = health_state_is_up(f.checked); /* s->up follows */
	check_reason(s, reason, sizeof(reason));
	tell_run(s, "Health", well ? conditionally ? "conditionally succeeded" : "succeeded" : "failed", reason,
		 up ? f.left : f.rise - f.left, up ? f.fall : f.rise, up);
}

void server_tell_none(const struct server *s)
{
	char text[CFG_NAME_MAX + 64];

	if (!s->pool->down_untold)
		return;
	s->pool->down_untold = false;
	snprintf(text, sizeof(text), "%s %s has no server available!",
		 s->admin.backend && s->admin.backend->proxy->kind == CFG_LISTEN ? "proxy" : "backend", s->pool->name);
	say(s->admin.backend, LOG_EMERG, text);
}

void server_tell_left(const struct server *s, enum server_change change, const char *what)
{
	unsigned queued = s->had_queued, active = s->pool->n_up, backup = s->pool->n_up_backup;
	const char *on_backup = !active && backup ? " Running on backup." : "";
	const bool leaves = change == SERVER_DOWN || change == SERVER_LEAVES;

	if (leaves || !s->up)
		tell_and_mail(s, leaves ? LOG_ALERT : LOG_NOTICE, leaves ? change == SERVER_DOWN : change != SERVER_STOPS,
			      "%s. %u active and %u backup servers left.%s %u sessions active, %u requeued, 0 remaining in queue.",
			      what, active, backup, on_backup, s->had_sessions, queued);
	else
		tell_and_mail(s, LOG_NOTICE, change != SERVER_STOPS,
			      "%s. %u active and %u backup servers online.%s 0 sessions requeued, %u total in queue.", what, active,
			      backup, on_backup, queued);
	server_tell_none(s);
}
