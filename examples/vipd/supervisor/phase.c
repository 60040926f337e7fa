/* SPDX-License-Identifier: MIT */
/*
 * Reload and stop, step by step: each ends when the processes that it waits for have ended.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "conf/pairs.h"
#include "leftover.h"
#include "log.h"
#include "pidfile.h"
#include "sd_notify.h"
#include "supervisor/state.h"
#include "upgrade.h"

#define SECOND_NS UINT64_C(1000000000)
#define SCRIPTS_PATIENCE_NS SECOND_NS /* keepalived's, for STOP scripts */
#define SCRIPTS_WAITED_FOR 10

/* Not the kernel process while it waits for the others: it is told to end after them, and takes back what they held. */
static void kill_late(struct supervisor *s)
{
	bool kernel_waits = s->phase == PHASE_STOP || s->phase == PHASE_RELOAD;

	for (int r = 0; r < N_ROLES; r++) {
		if (!s->child[r].pid || (r == ROLE_KERNEL && kernel_waits))
			continue;
		log_err("%s does not end: killed", role_name((enum role)r));
		kill(s->child[r].pid, SIGKILL);
	}
}

/* child_wait_time */
static uint64_t stop_patience_ns(const struct supervisor *s)
{
	return SECOND_NS * (uint64_t)s->conf->globals.child_wait_s;
}

void phase_on_deadline(struct loop *l, void *userdata)
{
	struct supervisor *s = userdata;

	if (s->phase == PHASE_SCRIPTS)
		loop_stop(s->loop, s->result);
	else
		kill_late(s);
}

/* Who takes back what goes: it may have died, to be started again later. */
static void want_kernel(struct supervisor *s)
{
	s->kernel_again = false;
	if (!s->child[ROLE_KERNEL].pid)
		child_start(s, ROLE_KERNEL);
}

void phase_stop(struct supervisor *s, int result)
{
	if (s->phase == PHASE_RELOAD || s->phase == PHASE_EXCHANGE) {
		s->stop_again = true; /* when there is somebody again who can give things back */
		return;
	}
	if (s->phase != PHASE_RUN)
		return;
	sd_notify_send("STOPPING=1");
	s->phase = PHASE_STOP;
	s->result = result;
	want_kernel(s);
	child_tell(s, ROLE_HEALTH, MSG_STOP, MSG_STOP_RELEASE);
	child_tell(s, ROLE_VRRP, MSG_STOP, MSG_STOP_RELEASE);
	loop_arm(s->deadline, loop_clock_ns() + stop_patience_ns(s));
	phase_advance(s);
}

/* What is known of an instance goes on when the instance does (shared.h). */
static struct heard heard_of_instance(const struct supervisor *s, const struct conf_instance *i)
{
	size_t n = 0;

	for (const struct conf_instance *old = s->conf->instances; old; old = old->next, n++)
		if (conf_same_instance(old, i))
			return s->instance[n];
	return (struct heard){0};
}

static struct heard heard_of_group(const struct supervisor *s, const char *name)
{
	size_t n = 0;

	for (const struct conf_group *old = s->conf->groups; old; old = old->next, n++)
		if (!strcmp(old->name, name))
			return s->group[n];
	return (struct heard){0};
}

int phase_make_heard(struct supervisor *s, const struct conf *c)
{
	struct heard *instance = calloc(c->n_instances + 1, sizeof(*instance));
	struct heard *group = calloc(c->n_groups + 1, sizeof(*group));
	size_t n = 0;

	if (!instance || !group) {
		free(instance);
		free(group);
		return -ENOMEM;
	}
	for (const struct conf_instance *i = c->instances; i && s->instance; i = i->next)
		instance[n++] = heard_of_instance(s, i);
	n = 0;
	for (const struct conf_group *g = c->groups; g && s->group; g = g->next)
		group[n++] = heard_of_group(s, g->name);
	free(s->instance);
	free(s->group);
	s->instance = instance;
	s->group = group;
	return 0;
}

/* What is made anew for another configuration. */
struct parts {
	struct shared *shared;
	struct trackers *trackers;
	struct watches *watches;
	struct live *live;
	struct weights *weights;
	struct orders *orders;
};

static int make_parts(struct supervisor *s, const struct conf_pairs *pairs, struct parts *ret)
{
	int r = shared_new(s->next, s->shared, pairs, &ret->shared);

	if (r >= 0)
		r = trackers_new(s->loop, s->scripts, s->next, s->trackers, supervisor_on_track, s,
				 &ret->trackers);
	if (r >= 0)
		r = watches_new(s->loop, s->next, s->watches, supervisor_on_watch, s,
				&ret->watches);
	if (r >= 0)
		r = live_new(s->next, ret->shared, s->live, s->shared, pairs, &ret->live);
	if (r >= 0)
		r = weights_new(s->next, &ret->weights);
	if (r >= 0)
		r = orders_new(s->next, s->orders, s->conf, &ret->orders);
	/* Last: its arrays are as long as the new configuration. */
	return r < 0 ? r : phase_make_heard(s, s->next);
}

static void free_parts(struct parts *p)
{
	trackers_free(p->trackers);
	watches_free(p->watches);
	live_free(p->live);
	weights_free(p->weights);
	orders_free(p->orders);
	shared_free(p->shared);
}

/* All of it or nothing: what follows after it cannot fail. */
static void take_next(struct supervisor *s)
{
	struct parts next = {0}, old = {.shared = s->shared,
					.trackers = s->trackers,
					.watches = s->watches,
					.live = s->live,
					.orders = s->orders};
	struct conf_pairs pairs;
	int r = conf_pairs(s->conf, s->next, &pairs);

	if (r >= 0)
		r = make_parts(s, &pairs, &next);
	if (r < 0) {
		log_err("out of memory: the old configuration goes on");
		free_parts(&next);
		conf_free(s->next);
	} else {
		if (pairs.in_place) {
			shared_keep_health(next.shared, s->shared, &pairs);
			live_keep_checks(next.live, s->live, &pairs);
		}
		s->pair = pairs.virtual;     /* kernel's successor looks into both */
		s->old_weights = s->weights;
		pairs.virtual = NULL;
		s->shared = next.shared;
		s->trackers = next.trackers;
		s->watches = next.watches;
		s->live = next.live;
		s->weights = next.weights;
		s->orders = next.orders;
		s->conf = s->next;
		free_parts(&old);
		scripts_configure(s->scripts, s->next);
		fifos_configure(s->fifos, s->next);
		mails_configure(s->mails, s->next);
		process_rename(s->next->globals.names.parent);
		reload_timer_new(s);
	}
	s->next = NULL;
	conf_pairs_fini(&pairs);
}

static void tell_reload(struct supervisor *s, bool taken)
{
	s->load_failed = !taken;
	if (taken)
		s->loaded = supervisor_now();
	events_add(&s->events, json_pack("{s:s, s:s, s:b}", "type", "reload", "file",
					 s->options->file, "taken", taken));
}

static void finish_reload(struct supervisor *s)
{
	struct conf *old = s->conf;

	notify_removed(s, s->next);
	save_state(s, ".pre");
	children_forget_old(s);
	take_next(s);
	for (int i = 0; i < 2; i++) {
		pair_drain(s->vrrp_kernel[i]); /* numbers of the old configuration */
		pair_drain(s->health_kernel[i]);
	}
	if (s->upgrade) {
		upgrade_exec(s); /* comes back when it failed: then it was a reload */
		free(s->upgrade);
		s->upgrade = NULL;
	}
	s->phase = PHASE_RUN;
	loop_arm(s->deadline, LOOP_NEVER);
	s->old = old; /* until MSG_SERVED */
	children_start(s);
	if (s->conf != old) {
		log_notice("reloaded %s", s->options->file);
		if (s->options->vrrp)
			leftover_write(s->options->pid_file, s->conf);
		tell_reload(s, true);
		notify_states_again(s);
		save_state(s, ".post");
	}
	sd_notify_send("READY=1");
	if (s->stop_again)
		phase_stop(s, 0);
	else if (s->reload_again)
		raise(SIGHUP);
	s->reload_again = false;
}

/* A second for each, since those of one object run one after the other. */
static uint64_t scripts_patience_ns(const struct supervisor *s)
{
	size_t n = scripts_waiting(s->scripts);

	return SCRIPTS_PATIENCE_NS * (n < 1 ? 1 : n > SCRIPTS_WAITED_FOR ? SCRIPTS_WAITED_FOR : n);
}

void phase_tell_kernel(struct supervisor *s)
{
	if (s->phase != PHASE_CLEAR && s->phase != PHASE_EXCHANGE)
		return;
	child_tell(s, ROLE_KERNEL, MSG_STOP, s->phase == PHASE_CLEAR ? MSG_STOP_RELEASE : MSG_STOP_RELOAD);
	loop_arm(s->deadline, loop_clock_ns() + stop_patience_ns(s));
}

/* The next step, when the processes of this one have ended. */
void phase_advance(struct supervisor *s)
{
	if (s->child[ROLE_VRRP].pid || s->child[ROLE_HEALTH].pid)
		return;
	supervisor_read(s, ROLE_VRRP); /* their last words */
	supervisor_read(s, ROLE_HEALTH);
	if (s->phase == PHASE_STOP || s->phase == PHASE_RELOAD)
		notify_ended(s, s->next);
	if (s->phase == PHASE_STOP) {
		s->phase = PHASE_CLEAR;
		notify_omega(s);
		phase_tell_kernel(s);
	} else if (s->phase == PHASE_RELOAD) {
		s->phase = PHASE_EXCHANGE;
		phase_tell_kernel(s);
	}
	if (s->child[ROLE_KERNEL].pid)
		return;
	if (s->phase == PHASE_EXCHANGE) {
		finish_reload(s);
		return;
	}
	if (s->phase == PHASE_CLEAR) {
		s->phase = PHASE_SCRIPTS;
		scripts_hurry(s->scripts);
		loop_arm(s->deadline, loop_clock_ns() + scripts_patience_ns(s));
	}
	if (s->phase == PHASE_SCRIPTS && scripts_idle(s->scripts) && mails_idle(s->mails))
		loop_stop(s->loop, s->result);
}

static bool differs(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) != 0 : a != b;
}

static void warn_of_names(const struct conf *old, const struct conf *next)
{
	if (differs(old->globals.instance, next->globals.instance) ||
	    differs(old->globals.name_space, next->globals.name_space) ||
	    differs(old->globals.ipvs_name_space, next->globals.ipvs_name_space) ||
	    old->globals.use_pid_dir != next->globals.use_pid_dir)
		log_warn("instance, net_namespace, net_namespace_ipvs and use_pid_dir stay as they "
			 "are until vipd is "
			 "started again");
}

/* reload_file is there while the configuration is read. */
static struct conf *load_marked(const struct supervisor *s)
{
	const char *mark = s->conf->globals.reload_file;
	struct conf *next;

	if (mark)
		pidfile_empty(mark);
	next = supervisor_load(s->options);
	if (mark)
		pidfile_remove(mark);
	if (next)
		warn_of_names(s->conf, next);
	return next;
}

/*
 * A file that was cut short, or is empty, would take addresses and services away: that is never what a reload is for. One that lacked a
 * brace all the time is taken as ever.
 */
static struct conf *load_next(const struct supervisor *s)
{
	static const char goes_on[] = "the old configuration goes on";
	const char *file = s->options->file;
	bool cut_short, left_empty;
	struct conf *next;

	if (access(file, R_OK) < 0) {
		log_err("%s cannot be read: %s: %s", file, strerror(errno), goes_on);
		return NULL;
	}
	next = load_marked(s);
	if (!next)
		log_err("%s is not taken: %s", file, goes_on);
	cut_short = next && next->ends_within && !s->conf->ends_within;
	left_empty = next && conf_is_empty(next) && !conf_is_empty(s->conf);
	if (cut_short)
		log_err("%s ends in the middle of a block, as if it were still being written: %s. vipd -t says where", file, goes_on);
	else if (left_empty)
		log_err("%s has no vrrp_instance and no virtual_server left: %s. To give up all of them, stop vipd", file, goes_on);
	if (!cut_short && !left_empty)
		return next;
	conf_free(next);
	return NULL;
}

void phase_reload(struct supervisor *s)
{
	if (s->phase != PHASE_RUN) {
		s->reload_again = s->phase == PHASE_RELOAD || s->phase == PHASE_EXCHANGE;
		return;
	}
	sd_notify_send("RELOADING=1");
	s->next = load_next(s);
	if (s->next && !s->conf->n_virtuals)
		supervisor_load_ipvs(s->next);
	if (!s->next) {
		free(s->upgrade);
		s->upgrade = NULL;
		tell_reload(s, false);
		sd_notify_send("READY=1");
		return;
	}
	tables_claim(s, s->next);
	s->saves++;
	save_configuration(s, s->next);
	shared_note_next(s->shared, s->next); /* vrrp stops what does not go on */
	s->phase = PHASE_RELOAD;
	s->fresh = false; /* until vrrp has written down where it stands */
	want_kernel(s);
	child_tell(s, ROLE_HEALTH, MSG_STOP, MSG_STOP_RELOAD);
	child_tell(s, ROLE_VRRP, MSG_STOP, MSG_STOP_RELOAD);
	loop_arm(s->deadline, loop_clock_ns() + stop_patience_ns(s));
	phase_advance(s);
}
