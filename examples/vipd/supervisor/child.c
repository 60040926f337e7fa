/* SPDX-License-Identifier: MIT */
/* The other processes: they are forked, told, and started again when they die. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/setting.h"
#include "log.h"
#include "pidfile.h"
#include "sd_notify.h"
#include "supervisor/state.h"

#define SECOND_NS UINT64_C(1000000000)
#define SERVED_PATIENCE_NS (2 * SECOND_NS)
#define STABLE_NS (60 * SECOND_NS) /* who lived so long is started again at once */
#define BACKOFF_MAX_S 60u

static struct ends ends_of(const struct supervisor *s, enum role role)
{
	struct ends e = {.control = s->control[role][1], .kernel = -1, .vrrp = -1, .health = -1};

	if (role == ROLE_KERNEL) {
		e.vrrp = s->vrrp_kernel[1];
		e.health = s->health_kernel[1];
	} else {
		e.kernel = role == ROLE_VRRP ? s->vrrp_kernel[0] : s->health_kernel[0];
	}
	return e;
}

static const char *name_of(const struct conf_names *n, enum role role)
{
	return role == ROLE_KERNEL ? n->kernel : role == ROLE_VRRP ? n->vrrp : n->checker;
}

static _Noreturn void become(struct supervisor *s, enum role role)
{
	static int (*const main_of[])(const struct birth *) = {kernel_main, vrrp_main, health_main};
	bool is_kernel = role == ROLE_KERNEL;
	const struct birth b = {.options = s->options,
				.user = s->child[role].user,
				.conf = s->conf,
				.old = is_kernel ? s->old : NULL,
				.before = is_kernel ? s->before : NULL,
				.first = !s->ran,
				.shared = s->shared,
				.live = s->live,
				.weights = s->weights,
				.old_weights = s->old_weights,
				.pair = s->pair,
				.orders = s->orders,
				.tracks = trackers_states(s->trackers),
				.exits = trackers_exits(s->trackers),
				.watches = watches_values(s->watches),
				.begin_ns = s->begin_ns,
				.fresh = s->fresh,
				.ends = ends_of(s, role)};

	if (!is_kernel) {
		settings_leave(s->before);
		if (s->old != s->conf)
			conf_free(s->old);
	}
	process_become(role, &b.ends);
	process_rename(name_of(&s->conf->globals.names, role));
	_exit(main_of[role](&b));
}

static const char *pid_file_of(const struct supervisor *s, enum role role)
{
	return role == ROLE_VRRP     ? s->options->vrrp_pid_file
	       : role == ROLE_HEALTH ? s->options->check_pid_file
				     : NULL;
}

/* What nobody took any more is not for the next one. */
void pair_drain(int fd)
{
	struct msg m;

	while (msg_receive(fd, &m, NULL) > 0)
		;
}

void child_tell(const struct supervisor *s, enum role role, enum msg_type type, int32_t value)
{
	const struct msg m = {.type = type, .value = value};

	if (s->child[role].pid && msg_send(s->control[role][0], &m, -1) < 0)
		log_err("%s does not listen", role_name(role));
}

void child_start(struct supervisor *s, enum role role)
{
	struct child *c = &s->child[role];
	pid_t pid;

	if (!c->user.uid)
		c->user = process_user_find(role_user(role));
	pair_drain(s->control[role][1]);
	pid = fork();
	if (!pid)
		become(s, role);
	c->started_ns = loop_clock_ns();
	if (pid < 0) {
		log_err("cannot start %s: %s", role_name(role), strerror(errno));
		loop_arm(c->timer, c->started_ns + SECOND_NS);
		return;
	}
	c->pid = pid;
	if (pid_file_of(s, role))
		pidfile_write(pid_file_of(s, role), -1, pid);
	fresh_begins(s, role);
}

static bool has_bfd_check(const struct conf *c)
{
	for (const struct conf_watch *w = c->watches; w; w = w->next)
		if (w->kind == CONF_WATCH_BFD && w->bfd.checked)
			return true;
	return false;
}

static void take_bfd_as_up(struct supervisor *s)
{
	log_warn("BFD_CHECK is not run with -C: VRRP's process speaks BFD. The servers are taken "
		 "as alive");
	for (const struct conf_watch *w = s->conf->watches; w; w = w->next)
		if (w->kind == CONF_WATCH_BFD)
			watches_told(s->watches, w->index, 1);
}

/*
 * At the very first, checks begin when virtual servers are in place: nothing else takes the processor's time until then, and nobody
 * is told that we are ready.
 */
static bool waits_for_services(const struct supervisor *s)
{
	return !s->ran && s->child[ROLE_HEALTH].wanted && !weights_begin(s->weights, s->conf) &&
	       weights_are_said(s->weights);
}

static void forget_old_weights(struct supervisor *s)
{
	weights_free(s->old_weights);
	s->old_weights = NULL;
	free(s->pair);
	s->pair = NULL;
}

void children_forget_old(struct supervisor *s)
{
	forget_old_weights(s);
	if (s->old != s->conf)
		conf_free(s->old);
	s->old = NULL;
}

void children_served(struct supervisor *s)
{
	children_forget_old(s);
	loop_arm(s->child[ROLE_HEALTH].timer, loop_clock_ns());
}

void children_start(struct supervisor *s)
{
	bool bfd = has_bfd_check(s->conf), wait;

	s->child[ROLE_VRRP].wanted = s->options->vrrp && (s->conf->n_instances || bfd);
	if (bfd && !s->options->vrrp)
		take_bfd_as_up(s);
	s->child[ROLE_HEALTH].wanted = s->options->check && s->conf->n_virtuals;
	s->child[ROLE_KERNEL].wanted = true;
	wait = waits_for_services(s);
	for (int r = 0; r < N_ROLES; r++) {
		s->child[r].backoff_s = 0;
		if (r == ROLE_HEALTH && wait)
			loop_arm(s->child[r].timer, loop_clock_ns() + SERVED_PATIENCE_NS);
		else if (s->child[r].wanted)
			child_start(s, (enum role)r);
	}
}

/*
 * Nobody speaks for so long that the other node takes over: two must not hold an address, so it goes
 * here, and the successor begins anew.
 */
static void let_go(struct supervisor *s, unsigned wait_s)
{
	struct msg m = {.type = MSG_HOLD, .value = 0};

	for (const struct conf_instance *i = s->conf->instances; i; i = i->next, m.index++) {
		if (i->advert_ms * i->down_timer_adverts > (int64_t)wait_s * 1000)
			continue;
		shared_forget_router(s->shared, m.index);
		if (s->child[ROLE_KERNEL].pid)
			msg_send(s->control[ROLE_KERNEL][0], &m, -1);
	}
}

/* At once if it lived for a minute, else after 0, 1, 2, 4 … 60 s, as keepalived. */
static void start_again(struct supervisor *s, struct child *c)
{
	uint64_t now = loop_clock_ns();
	unsigned wait_s;

	if (now - c->started_ns > STABLE_NS)
		c->backoff_s = 0;
	wait_s = c->backoff_s;
	c->backoff_s = wait_s ? wait_s * 2 : 1;
	if (c->backoff_s > BACKOFF_MAX_S)
		c->backoff_s = BACKOFF_MAX_S;
	if (wait_s) {
		log_warn("%s is started again in %u s", role_name(c->role), wait_s);
		if (c->role == ROLE_VRRP)
			let_go(s, wait_s);
		loop_arm(c->timer, now + wait_s * SECOND_NS);
		return;
	}
	child_start(s, c->role);
	if (c->role == ROLE_KERNEL) {
		child_tell(s, ROLE_VRRP, MSG_RESYNC, 0);
		child_tell(s, ROLE_HEALTH, MSG_RESYNC, 0);
	}
}

void child_on_timer(struct loop *l, void *userdata)
{
	struct child *c = userdata;

	if (c->supervisor->phase != PHASE_RUN || c->pid || !c->wanted)
		return;
	child_start(c->supervisor, c->role);
	if (c->role == ROLE_KERNEL) {
		child_tell(c->supervisor, ROLE_VRRP, MSG_RESYNC, 0);
		child_tell(c->supervisor, ROLE_HEALTH, MSG_RESYNC, 0);
	} else if (c->role == ROLE_HEALTH) {
		sd_notify_send("READY=1"); /* said before unless it is the first one */
	}
}

void child_left(struct supervisor *s, enum role role)
{
	struct child *c = &s->child[role];

	if (s->phase != PHASE_RELOAD || !c->pid)
		return; /* its end says the same */
	c->left = c->pid;
	c->pid = 0;
	if (role == ROLE_VRRP)
		s->fresh = true;
}

static bool ended_well(int status)
{
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void tell_end(struct supervisor *s, const struct child *c, int status)
{
	if (WIFSIGNALED(status))
		log_err("%s was killed by signal %d", role_name(c->role), WTERMSIG(status));
	else
		log_err("%s ended with status %d", role_name(c->role), WEXITSTATUS(status));
	events_add(&s->events,
		   json_pack("{s:s, s:s, s:i}", "type", "process_died", "process",
			     role_name(c->role), WIFSIGNALED(status) ? "signal" : "status",
			     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
}

/* Its successor claims what it put there, or what is still there from before. */
static void leave_to_successor(struct supervisor *s)
{
	if (!s->old)
		s->old = s->conf;
	forget_old_weights(s); /* it may have changed some of that */
}

/* What is left to do of a stop or a reload, the kernel process does: when it dies over that, a successor does, but only one. */
static void end_of_phase(struct supervisor *s, struct child *c, int status)
{
	if (!ended_well(status))
		tell_end(s, c, status);
	if (c->role == ROLE_KERNEL && !ended_well(status) && s->phase != PHASE_SCRIPTS && !s->kernel_again) {
		s->kernel_again = true;
		leave_to_successor(s);
		child_start(s, ROLE_KERNEL);
		phase_tell_kernel(s);
	}
	phase_advance(s);
}

static void on_child_end(struct supervisor *s, struct child *c, int status)
{
	c->pid = 0;
	if (c->role == ROLE_VRRP)
		s->fresh = s->phase == PHASE_RELOAD && ended_well(status);
	if (s->phase != PHASE_RUN) {
		end_of_phase(s, c, status);
		return;
	}
	c->deaths++;
	tell_end(s, c, status);
	if (s->options->dont_respawn) {
		phase_stop(s, EXIT_FATAL);
		return;
	}
	if (c->role == ROLE_KERNEL)
		leave_to_successor(s);
	start_again(s, c);
}

void children_reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool known = false;

		for (int r = 0; r < N_ROLES && !known; r++) {
			struct child *c = &s->child[r];

			known = c->pid == pid || c->left == pid;
			if (c->pid == pid)
				on_child_end(s, c, status);
			else if (c->left == pid)
				c->left = 0;
		}
		if (!known && !scripts_reap(s->scripts, pid, status) &&
		    !fifos_reap(s->fifos, pid, status) && !mails_reap(s->mails, pid, status))
			trackers_reap(s->trackers, pid, status);
	}
	if (s->phase == PHASE_SCRIPTS)
		phase_advance(s);
}
