/* SPDX-License-Identifier: MIT */
/*
 * observe: what the traffic shows of a server's health. Workers count errors in a row; at error-limit the control
 * thread tells the check, as on-error says.
 */
#include <stdio.h>

#include "engine/control.h"
#include "log.h"
#include "loop.h"
#include "engine/worker.h"

/* The next check that fails takes it down; if that was so before, this one does. */
static void sudden_death(struct health_check *check, uint64_t now_ns)
{
	struct health_filter_status f = {.size = sizeof(f)};
	unsigned n = 1;

	if (health_check_filter_status(check, &f) == 0 && f.left > 1)
		n = f.left - 1;
	while (n--)
		health_check_report(check, HEALTH_FAIL, now_ns);
}

/* HAProxy's words for them. */
void observed_text(const struct server *s, char *buf, size_t cap)
{
	static const char *const words[] = {
	    [OBSERVED_NO_CONNECTION] = "L4 unsuccessful connection",
	    [OBSERVED_WRONG_STATUS] = "Wrong http response",
	    [OBSERVED_BAD_ANSWER] = "Invalid http response (headers)",
	    [OBSERVED_CLOSE] = "Close from server (http)",
	    [OBSERVED_READ_ERROR] = "Read error (http)",
	    [OBSERVED_TIMEOUT] = "Read timeout (http)",
	};

	*buf = '\0';
	if (s->admin.n_errors)
		snprintf(buf, cap, "Detected %u consecutive errors, last one was: %s", s->admin.n_errors, words[s->admin.last_error]);
}

static void too_many_errors(void *arg)
{
	struct server *s = arg;
	uint64_t now_ns = loop_clock_ns(), n_failed = s->admin.n_failed;
	char text[96];

	if (!s->check || server_in_maint(s) || s->admin.no_checks)
		return;
	s->admin.n_observed++;
	s->admin.n_errors = atomic_load(&s->error_limit);
	s->admin.last_error = atomic_load(&s->last_observed);
	observed_text(s, text, sizeof(text));
	log_msg(LOG_WARNING, "server %s/%s: %s", s->pool->name, s->name, text);
	switch (s->admin.cfg->on_error) {
	case CFG_ON_ERROR_FASTINTER:
		if (s->admin.cfg->fastinter_ns)
			health_check_run_now(s->check);
		return;
	case CFG_ON_ERROR_FAIL_CHECK:
		health_check_report(s->check, HEALTH_FAIL, now_ns);
		break;
	case CFG_ON_ERROR_SUDDEN_DEATH:
		sudden_death(s->check, now_ns);
		break;
	case CFG_ON_ERROR_MARK_DOWN:
		health_check_report(s->check, HEALTH_FAIL_NOW, now_ns);
		break;
	}
	if (s->admin.n_failed > n_failed) /* one error is one failed check, whatever it took */
		s->admin.n_failed = n_failed + 1;
}

void server_observed(struct worker *w, struct server *s, enum observed what)
{
	bool layer7 = atomic_load_explicit(&s->observe, memory_order_relaxed) == CFG_OBSERVE_LAYER7;
	bool of_layer7 = what >= OBSERVED_ANSWER;

	if (what != OBSERVED_NO_CONNECTION && of_layer7 != layer7)
		return;
	if (what == OBSERVED_CONNECTED || what == OBSERVED_ANSWER) {
		if (atomic_load_explicit(&s->n_errors, memory_order_relaxed))
			atomic_store(&s->n_errors, 0);
		return;
	}
	if (atomic_fetch_add(&s->n_errors, 1) + 1 < atomic_load(&s->error_limit))
		return;
	atomic_store(&s->n_errors, 0);
	atomic_store(&s->last_observed, what);
	engine_post(w->engine, too_many_errors, s); /* no memory: the next errors say it again */
}
