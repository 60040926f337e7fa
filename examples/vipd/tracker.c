/* SPDX-License-Identifier: MIT */
#include "tracker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "log.h"

#define NS_PER_MS UINT64_C(1000000)

struct tracker {
	struct trackers *all;
	const struct conf_vrrp_script *conf;
	struct loop_source *timer; /* runs it; while it runs: its time is over */
	pid_t pid;		   /* 0: does not run */
	bool killed, paused;
	int run; /* equal results in a row that the state does not yet show */
	uint64_t next_ns; /* by the interval */
	uint64_t due_ns;  /* when it is run, unless it runs */
	uint64_t last_ns; /* when it was run last; 0: never */
	char result[TRACKER_RESULT_SIZE]; /* how that ended; "": not yet */
};

struct trackers {
	struct loop *loop;
	struct scripts *scripts;
	const struct conf *conf;
	tracker_fn *fn;
	void *userdata;
	struct tracker *tracker;
	uint8_t *state, *exit_code;
	size_t n;
};

static void set_state(struct tracker *t, enum track_state s, const char *why)
{
	uint8_t *state = &t->all->state[t->conf->index];

	t->run = 0;
	if (*state == s)
		return;
	*state = (uint8_t)s;
	if (t->conf->index < t->all->conf->n_scripts) /* keepalived's line */
		log_notice("VRRP_Script(%s) %s: %s", t->conf->name,
			   s == TRACK_OK ? "succeeded" : "failed", why);
	else /* what follows from a MISC_CHECK is said by health */
		log_debug("%s %s: %s", t->conf->name, s == TRACK_OK ? "succeeded" : "failed", why);
	t->all->fn(t->all->userdata, t->conf->index, s == TRACK_OK,
		   t->all->exit_code[t->conf->index]);
}

/* The first result counts at once; then `fall` failures or `rise` successes in a row. */
static void take_result(struct tracker *t, bool ok, const char *why)
{
	uint8_t state = t->all->state[t->conf->index];
	int need = state == TRACK_INIT ? 1 : ok ? t->conf->rise : t->conf->fall;

	snprintf(t->result, sizeof(t->result), "%s", why);
	if (!ok && t->conf->log_failures)
		log_notice("%s failed: %s", t->conf->name, why);
	if (state == (ok ? TRACK_OK : TRACK_FAILED))
		t->run = 0;
	else if (++t->run >= need)
		set_state(t, ok ? TRACK_OK : TRACK_FAILED, why);
}

/* When a failure is borne it is soon looked at again. */
static uint64_t next_run(const struct tracker *t)
{
	if (!t->conf->retry_ms || !t->run || t->all->state[t->conf->index] != TRACK_OK)
		return t->next_ns;
	return loop_now_ns(t->all->loop) + (uint64_t)t->conf->retry_ms * NS_PER_MS;
}

static void arm(struct tracker *t, uint64_t due_ns)
{
	t->due_ns = due_ns;
	loop_arm(t->timer, due_ns);
}

static void run(struct tracker *t)
{
	uint64_t now = loop_now_ns(t->all->loop);

	t->killed = false;
	t->last_ns = now;
	t->next_ns = now + (uint64_t)t->conf->interval_ms * NS_PER_MS;
	t->pid = t->conf->script.argv ? scripts_spawn(t->all->scripts, &t->conf->script) : -ENOENT;
	if (t->pid < 0) {
		take_result(t, false, strerror((int)-t->pid));
		t->pid = 0;
		arm(t, next_run(t));
	} else {
		loop_arm(t->timer, now + (uint64_t)t->conf->timeout_ms * NS_PER_MS);
	}
}

static void on_timer(struct loop *l, void *userdata)
{
	struct tracker *t = userdata;

	if (!t->pid) {
		if (!t->paused)
			run(t);
		return;
	}
	t->killed = true;
	kill(-t->pid, SIGKILL);
	kill(t->pid, SIGKILL); /* before it made its group */
}

void trackers_run_now(struct trackers *all, uint32_t index)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->tracker[i].conf->index == index && !all->tracker[i].pid)
			arm(&all->tracker[i], loop_clock_ns());
}

void trackers_pause(struct trackers *all, uint32_t index, bool paused)
{
	struct tracker *t = index < all->n ? &all->tracker[index] : NULL;

	if (!t || t->paused == paused)
		return;
	t->paused = paused;
	if (!paused && !t->pid)
		arm(t, loop_clock_ns());
}

bool trackers_runs(const struct trackers *all, uint32_t index)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->tracker[i].conf->index == index)
			return all->tracker[i].pid != 0;
	return false;
}

void trackers_restore(struct trackers *all, uint32_t index, uint8_t state)
{
	if (index < all->n && state <= TRACK_FAILED)
		all->state[index] = state;
}

/* keepalived.conf(5), misc_dynamic: 2 and more are successes, and weights. */
static void take_exit(struct tracker *t, int status, const char *why)
{
	uint8_t *last = &t->all->exit_code[t->conf->index], before = *last;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	bool ok = !code || (t->conf->dynamic && code >= 2);

	if (ok)
		*last = (uint8_t)code;
	take_result(t, ok, why);
	if (ok && *last != before && t->conf->dynamic && t->all->state[t->conf->index] == TRACK_OK)
		t->all->fn(t->all->userdata, t->conf->index, true, *last);
}

bool trackers_reap(struct trackers *all, pid_t pid, int status)
{
	for (size_t i = 0; i < all->n; i++) {
		struct tracker *t = &all->tracker[i];
		char why[TRACKER_RESULT_SIZE];

		if (t->pid != pid)
			continue;
		t->pid = 0;
		if (t->killed)
			snprintf(why, sizeof(why), "no result in %g s",
				 (double)t->conf->timeout_ms / 1000);
		else if (WIFSIGNALED(status))
			snprintf(why, sizeof(why), "killed by signal %d", WTERMSIG(status));
		else if (WEXITSTATUS(status) == 127)
			snprintf(why, sizeof(why), "the program is not there");
		else
			snprintf(why, sizeof(why), "exit status %d", WEXITSTATUS(status));
		take_exit(t, status, why);
		arm(t, next_run(t));
		return true;
	}
	return false;
}

const char *trackers_result(const struct trackers *all, uint32_t index, uint64_t *ret_last_ns)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->tracker[i].conf->index != index)
			continue;
		*ret_last_ns = all->tracker[i].last_ns;
		return all->tracker[i].result;
	}
	*ret_last_ns = 0;
	return "";
}

const uint8_t *trackers_states(const struct trackers *t)
{
	return t->state;
}

const uint8_t *trackers_exits(const struct trackers *t)
{
	return t->exit_code;
}

static bool same_words(const struct conf_vrrp_script *a, const struct conf_vrrp_script *b)
{
	const char *const *v = a->script.argv, *const *w = b->script.argv;

	while (v && w && *v && *w && !strcmp(*v, *w))
		v++, w++;
	return v && w && !*v && !*w && a->interval_ms == b->interval_ms &&
	       a->timeout_ms == b->timeout_ms && a->retry_ms == b->retry_ms && a->rise == b->rise &&
	       a->fall == b->fall;
}

/* One after the other, by the golden ratio. */
static uint64_t first_run(const struct trackers *all, const struct conf_vrrp_script *v)
{
	uint64_t spread_ns = (uint64_t)v->spread_ms * NS_PER_MS;
	uint32_t part = v->index * UINT32_C(2654435769);

	return loop_now_ns(all->loop) + part * (spread_ns >> 32) +
	       (part * (spread_ns & UINT32_MAX) >> 32);
}

/* What is known of it; of one that did not change the rhythm, too. Its result is another's when it is running now. */
static void take_over(struct tracker *t, const struct trackers *old)
{
	const struct conf_vrrp_script *c = t->conf;
	struct trackers *all = t->all;

	all->state[c->index] = c->init_fail ? TRACK_FAILED : TRACK_INIT;
	for (size_t i = 0; old && i < old->n; i++) {
		const struct tracker *was = &old->tracker[i];

		if (strcmp(was->conf->name, c->name) != 0)
			continue;
		all->state[c->index] = old->state[i];
		all->exit_code[c->index] = old->exit_code[i];
		t->last_ns = was->last_ns;
		memcpy(t->result, was->result, sizeof(t->result));
		if (!same_words(was->conf, c))
			return;
		t->run = was->run;
		t->due_ns = was->pid ? loop_now_ns(all->loop) : was->due_ns;
		return;
	}
}

static int add(struct trackers *all, const struct conf_vrrp_script *v, const struct trackers *old)
{
	struct tracker *t = &all->tracker[all->n++];
	int r;

	*t = (struct tracker){.all = all, .conf = v, .due_ns = first_run(all, v)};
	take_over(t, old);
	r = loop_add_timer(all->loop, on_timer, t, &t->timer);
	if (r >= 0 && !v->off && !v->unused)
		arm(t, t->due_ns);
	return r;
}

int trackers_new(struct loop *l, struct scripts *s, const struct conf *c,
		 const struct trackers *old, tracker_fn *fn, void *userdata, struct trackers **ret)
{
	struct trackers *all = calloc(1, sizeof(*all));
	int r = 0;

	if (!all)
		return -ENOMEM;
	*all = (struct trackers){.loop = l,
				 .scripts = s,
				 .conf = c,
				 .fn = fn,
				 .userdata = userdata,
				 .tracker =
				     calloc(c->n_scripts + c->n_misc + 1, sizeof(*all->tracker)),
				 .state = calloc(c->n_scripts + c->n_misc + 1, 1),
				 .exit_code = calloc(c->n_scripts + c->n_misc + 1, 1)};
	if (!all->tracker || !all->state || !all->exit_code)
		r = -ENOMEM;
	for (const struct conf_vrrp_script *v = c->scripts; v && r >= 0; v = v->next)
		r = add(all, v, old);
	for (const struct conf_vrrp_script *v = c->misc; v && r >= 0; v = v->next)
		r = add(all, v, old);
	if (r < 0) {
		trackers_free(all);
		return r;
	}
	*ret = all;
	return 0;
}

void trackers_free(struct trackers *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < all->n; i++) {
		loop_remove(all->tracker[i].timer);
		if (all->tracker[i].pid)
			scripts_let_go(all->scripts, all->tracker[i].pid);
	}
	free(all->tracker);
	free(all->state);
	free(all->exit_code);
	free(all);
}
