/* SPDX-License-Identifier: MIT */
/*
 * The supervisor forks the other processes over pairs of sockets that it keeps, starts again what
 * dies, runs scripts, and carries the state over a crash or a reload (shared.h). It reads one thing
 * from outside: the configuration.
 *
 * Reload: the new file is read here; if it cannot run, nothing happens. Else vrrp and health end
 * with their state written down, then kernel ends, and all three are forked again from the new
 * configuration. vrrp's successor goes on where it stood, so nobody on the network notices.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "pidfile.h"
#include "sd_notify.h"
#include "supervisor_state.h"

#define SECOND_NS UINT64_C(1000000000)
#define STABLE_NS (60 * SECOND_NS) /* who lived so long is started again at once */
#define BACKOFF_MAX_S 60u
#define STOP_PATIENCE_NS (5 * SECOND_NS)
#define SCRIPTS_PATIENCE_NS SECOND_NS /* keepalived's, for STOP scripts */
#define MESSAGES_PER_TURN 1024

static void start_child(struct supervisor *s, enum role role);
static void advance(struct supervisor *s);

/* ---- Configuration ---- */

static void log_findings(const struct diag *d)
{
	char line[DIAG_TEXT_MAX + 400];

	for (size_t i = 0; i < d->n; i++) {
		static const int level[] = {LOG_INFO, LOG_WARNING, LOG_ERR};

		diag_format(&d->message[i], line, sizeof(line));
		log_msg(level[d->message[i].level], "%s", line);
	}
}

/* Scripts that others may change are not run when the configuration asks for security. */
static void check_scripts(const struct conf *c, struct diag *d)
{
	bool insecure = conf_scripts_insecure(c, d);

	if (insecure && c->globals.script_security)
		diag_add(d, DIAG_ERROR, NULL,
			 "enable_script_security is set, and others than root may change a script");
}

static struct conf *load(const struct options *o)
{
	const struct conf_source source = {.file = o->file, .config_id = o->config_id};
	struct diag *d = calloc(1, sizeof(*d));
	struct conf *c = NULL;

	if (!d)
		return NULL;
	if (!conf_load(&source, d, &c))
		check_scripts(c, d);
	log_findings(d);
	if (d->count[DIAG_ERROR]) {
		diag_fini(d);
		conf_free(c);
		c = NULL;
	} else {
		diag_fini(d);
	}
	free(d);
	return c;
}

/* The kernel's IPVS is a module that nobody loads by itself. Silent: nftables is there, too. */
static void load_ipvs(const struct conf *c)
{
	int status;
	pid_t pid;

	if (!c->n_virtuals || geteuid())
		return;
	pid = fork();
	if (!pid) {
		int null = open("/dev/null", O_RDWR);

		if (null >= 0) {
			dup2(null, STDOUT_FILENO);
			dup2(null, STDERR_FILENO);
		}
		execlp("modprobe", "modprobe", "-q", "ip_vs", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
}

/* ---- Children ---- */

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

static _Noreturn void become(struct supervisor *s, enum role role)
{
	static int (*const main_of[])(const struct birth *) = {kernel_main, vrrp_main, health_main};
	const struct birth b = {.options = s->options,
				.conf = s->conf,
				.old = s->old,
				.shared = s->shared,
				.tracks = trackers_states(s->trackers),
				.fresh = s->fresh,
				.ends = ends_of(s, role)};

	process_become(role, &b.ends);
	_exit(main_of[role](&b));
}

static const char *pid_file_of(const struct supervisor *s, enum role role)
{
	return role == ROLE_VRRP     ? s->options->vrrp_pid_file
	       : role == ROLE_HEALTH ? s->options->check_pid_file
				     : NULL;
}

/* What nobody took any more is not for the next one. */
static void drain(int fd)
{
	struct msg m;

	while (msg_receive(fd, &m, NULL) > 0)
		;
}

static void tell(const struct supervisor *s, enum role role, enum msg_type type, int32_t value)
{
	const struct msg m = {.type = type, .value = value};

	if (s->child[role].pid && msg_send(s->control[role][0], &m, -1) < 0)
		log_err("%s does not listen", role_name(role));
}

/* A vrrp that is being replaced does not answer: its successor is asked again. */
static void ask_stats(struct supervisor *s)
{
	s->stats_wanted = true;
	s->stats_due = s->child[ROLE_VRRP].pid ? s->conf->n_instances : 0;
	tell(s, ROLE_VRRP, MSG_STATS, 0);
}

static void start_child(struct supervisor *s, enum role role)
{
	struct child *c = &s->child[role];
	pid_t pid;

	drain(s->control[role][1]);
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
	if (role == ROLE_VRRP && s->stats_wanted)
		ask_stats(s);
}

static void start_all(struct supervisor *s)
{
	s->child[ROLE_VRRP].wanted = s->options->vrrp && s->conf->n_instances;
	s->child[ROLE_HEALTH].wanted = s->options->check && s->conf->n_virtuals;
	s->child[ROLE_KERNEL].wanted = true;
	for (int r = 0; r < N_ROLES; r++) {
		s->child[r].backoff_s = 0;
		if (s->child[r].wanted)
			start_child(s, (enum role)r);
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
	start_child(s, c->role);
	if (c->role == ROLE_KERNEL) {
		tell(s, ROLE_VRRP, MSG_RESYNC, 0);
		tell(s, ROLE_HEALTH, MSG_RESYNC, 0);
	}
}

static void on_child_timer(struct loop *l, void *userdata)
{
	struct child *c = userdata;

	(void)l;
	if (c->supervisor->phase != PHASE_RUN || c->pid || !c->wanted)
		return;
	start_child(c->supervisor, c->role);
	if (c->role == ROLE_KERNEL) {
		tell(c->supervisor, ROLE_VRRP, MSG_RESYNC, 0);
		tell(c->supervisor, ROLE_HEALTH, MSG_RESYNC, 0);
	}
}

static void begin_stop(struct supervisor *s, int result);

static void on_child_end(struct supervisor *s, struct child *c, int status)
{
	c->pid = 0;
	if (c->role == ROLE_VRRP)
		s->fresh = s->phase == PHASE_RELOAD && WIFEXITED(status) && !WEXITSTATUS(status);
	if (s->phase != PHASE_RUN) {
		advance(s);
		return;
	}
	if (WIFSIGNALED(status))
		log_err("%s was killed by signal %d", role_name(c->role), WTERMSIG(status));
	else
		log_err("%s ended with status %d", role_name(c->role), WEXITSTATUS(status));
	if (s->options->dont_respawn) {
		begin_stop(s, EXIT_FATAL);
		return;
	}
	/* The kernel process claims what its predecessor put there. */
	if (c->role == ROLE_KERNEL)
		s->old = s->conf;
	start_again(s, c);
}

static void reap(struct supervisor *s)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool known = false;

		for (int r = 0; r < N_ROLES && !known; r++) {
			known = s->child[r].pid == pid;
			if (known)
				on_child_end(s, &s->child[r], status);
		}
		if (!known && !scripts_reap(s->scripts, pid, status))
			trackers_reap(s->trackers, pid, status);
	}
	if (s->phase == PHASE_SCRIPTS)
		advance(s);
}

/* ---- Messages ---- */

static void take_stats(struct supervisor *s, const struct msg *m)
{
	if (m->index >= s->conf->n_instances || !s->stats_due)
		return;
	s->instance[m->index].stats = m->stats;
	s->instance[m->index].priority = m->extra; /* trackers may have moved it since */
	if (--s->stats_due)
		return;
	s->stats_wanted = false;
	if (s->stats_json)
		dump_json(s);
	else
		dump_stats(s);
}

static void take_message(struct supervisor *s, enum role from, const struct msg *m)
{
	if (from == ROLE_VRRP && m->type == MSG_STATE)
		notify_instance(s, m->index, (enum ha_vrrp_state)m->value, m->extra);
	else if (from == ROLE_VRRP && m->type == MSG_GROUP)
		notify_group(s, m->index, (enum ha_vrrp_state)m->value);
	else if (from == ROLE_VRRP && m->type == MSG_STATS)
		take_stats(s, m);
	else if (from == ROLE_HEALTH && m->type == MSG_REAL)
		notify_real(s, m->index, m->index2, m->value == 1);
	else if (from == ROLE_HEALTH && m->type == MSG_QUORUM)
		notify_quorum(s, m->index, m->value == 1);
	else
		log_warn("%s said something that it must not (%u)", role_name(from), m->type);
}

static void read_messages(struct supervisor *s, enum role from)
{
	struct msg m;

	for (int i = 0; i < MESSAGES_PER_TURN && msg_receive(s->control[from][0], &m, NULL) > 0;
	     i++)
		take_message(s, from, &m);
}

static void on_message(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct child *c = userdata;

	(void)l;
	(void)fd;
	(void)events;
	read_messages(c->supervisor, c->role);
}

static void on_track(void *userdata, uint32_t index, bool ok)
{
	struct supervisor *s = userdata;
	bool vrrp = index < s->conf->n_scripts;
	enum role role = vrrp ? ROLE_VRRP : ROLE_HEALTH;
	const struct msg m = {.type = MSG_TRACK,
			      .index = vrrp ? index : index - (uint32_t)s->conf->n_scripts,
			      .value = ok};

	if (s->child[role].pid && msg_send(s->control[role][0], &m, -1) < 0)
		log_err("%s does not listen", role_name(role));
}

/* ---- Phases: reload and stop ---- */

static void kill_late(struct supervisor *s)
{
	for (int r = 0; r < N_ROLES; r++) {
		if (!s->child[r].pid)
			continue;
		log_err("%s does not end: killed", role_name((enum role)r));
		kill(s->child[r].pid, SIGKILL);
	}
}

static void on_deadline(struct loop *l, void *userdata)
{
	struct supervisor *s = userdata;

	(void)l;
	if (s->phase == PHASE_SCRIPTS)
		loop_stop(s->loop, s->result);
	else
		kill_late(s);
}

static void begin_stop(struct supervisor *s, int result)
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
	if (!s->child[ROLE_KERNEL].pid) /* it died, and was to be started again later */
		start_child(s, ROLE_KERNEL);
	tell(s, ROLE_HEALTH, MSG_STOP, MSG_STOP_RELEASE);
	tell(s, ROLE_VRRP, MSG_STOP, MSG_STOP_RELEASE);
	loop_arm(s->deadline, loop_clock_ns() + STOP_PATIENCE_NS);
	advance(s);
}

/* omega: at the end the scripts for "down" run, too. */
static void run_omega(struct supervisor *s)
{
	uint32_t n = 0;

	for (const struct conf_virtual *v = s->conf->virtuals; v; v = v->next, n++) {
		uint32_t real = 0;

		if (!v->omega)
			continue;
		for (const struct conf_real *r = v->reals; r; r = r->next)
			notify_real(s, n, real++, false);
		notify_quorum(s, n, false);
	}
}

/* What is known of an instance goes on when the instance does (shared.h). */
static struct heard heard_of_instance(const struct supervisor *s, const struct conf_instance *i)
{
	size_t n = 0;

	for (const struct conf_instance *old = s->conf->instances; old; old = old->next, n++)
		if (old->vrid == i->vrid && old->family == i->family &&
		    !strcmp(old->interface, i->interface))
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

static int make_heard(struct supervisor *s, const struct conf *c)
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

static void take_next(struct supervisor *s)
{
	struct trackers *old_trackers = s->trackers, *trackers;
	int r = trackers_new(s->loop, s->scripts, s->next, old_trackers, on_track, s, &trackers);

	/* Last, since nothing can fail after it: its arrays are as long as the new configuration. */
	if (r >= 0 && make_heard(s, s->next) < 0) {
		trackers_free(trackers);
		r = -ENOMEM;
	}
	if (r < 0) {
		log_err("out of memory: the old configuration goes on");
		conf_free(s->next);
		shared_free(s->next_shared);
	} else {
		trackers_free(old_trackers);
		s->trackers = trackers;
		scripts_configure(s->scripts, s->next);
		s->conf = s->next;
		shared_free(s->shared);
		s->shared = s->next_shared;
	}
	s->next = NULL;
	s->next_shared = NULL;
}

static void finish_reload(struct supervisor *s)
{
	struct conf *old = s->conf;

	/* Again: vrrp has written down where it stands since. */
	shared_free(s->next_shared);
	s->next_shared = NULL;
	if (shared_new(s->next, s->shared, &s->next_shared) < 0) {
		log_err("out of memory: the old configuration goes on");
		conf_free(s->next);
		s->next = NULL;
	} else {
		take_next(s);
	}
	for (int i = 0; i < 2; i++) {
		drain(s->vrrp_kernel[i]); /* numbers of the old configuration */
		drain(s->health_kernel[i]);
	}
	s->phase = PHASE_RUN;
	loop_arm(s->deadline, LOOP_NEVER);
	s->old = old;
	start_all(s);
	s->old = NULL;
	if (s->conf != old) {
		conf_free(old);
		log_notice("reloaded %s", s->options->file);
	}
	sd_notify_send("READY=1");
	if (s->stop_again)
		begin_stop(s, 0);
	else if (s->reload_again)
		raise(SIGHUP);
	s->reload_again = false;
}

/* The next step, when the processes of this one have ended. */
static void advance(struct supervisor *s)
{
	if (s->child[ROLE_VRRP].pid || s->child[ROLE_HEALTH].pid)
		return;
	read_messages(s, ROLE_VRRP); /* their last words */
	read_messages(s, ROLE_HEALTH);
	if (s->phase == PHASE_STOP) {
		s->phase = PHASE_CLEAR;
		run_omega(s);
		tell(s, ROLE_KERNEL, MSG_STOP, MSG_STOP_RELEASE);
		loop_arm(s->deadline, loop_clock_ns() + STOP_PATIENCE_NS);
	} else if (s->phase == PHASE_RELOAD) {
		s->phase = PHASE_EXCHANGE;
		tell(s, ROLE_KERNEL, MSG_STOP, MSG_STOP_RELOAD);
		loop_arm(s->deadline, loop_clock_ns() + STOP_PATIENCE_NS);
	}
	if (s->child[ROLE_KERNEL].pid)
		return;
	if (s->phase == PHASE_EXCHANGE) {
		finish_reload(s);
		return;
	}
	if (s->phase == PHASE_CLEAR) {
		s->phase = PHASE_SCRIPTS;
		loop_arm(s->deadline, loop_clock_ns() + SCRIPTS_PATIENCE_NS);
	}
	if (s->phase == PHASE_SCRIPTS && scripts_idle(s->scripts))
		loop_stop(s->loop, s->result);
}

/*
 * A file that was cut short, or is empty, would take every address and service away: that is never what a
 * reload is for.
 */
static struct conf *load_next(const struct supervisor *s)
{
	struct conf *next = load(s->options);

	if (!next || next->n_instances || next->n_virtuals ||
	    !(s->conf->n_instances + s->conf->n_virtuals))
		return next;
	log_err(
	    "%s has no vrrp_instance and no virtual_server left: to give up all of them, stop vipd",
	    s->options->file);
	conf_free(next);
	return NULL;
}

static void begin_reload(struct supervisor *s)
{
	if (s->phase != PHASE_RUN) {
		s->reload_again = s->phase == PHASE_RELOAD || s->phase == PHASE_EXCHANGE;
		return;
	}
	sd_notify_send("RELOADING=1");
	s->next = load_next(s);
	if (s->next && !s->conf->n_virtuals)
		load_ipvs(s->next);
	/* The keys tell the old vrrp which of its routers go on. */
	if (!s->next || shared_new(s->next, s->shared, &s->next_shared) < 0) {
		log_err("%s is not taken: the old configuration goes on", s->options->file);
		conf_free(s->next);
		s->next = NULL;
		sd_notify_send("READY=1");
		return;
	}
	s->phase = PHASE_RELOAD;
	s->fresh = false; /* until vrrp has written down where it stands */
	tell(s, ROLE_HEALTH, MSG_STOP, MSG_STOP_RELOAD);
	tell(s, ROLE_VRRP, MSG_STOP, MSG_STOP_RELOAD);
	loop_arm(s->deadline, loop_clock_ns() + STOP_PATIENCE_NS);
	advance(s);
}

/* ---- Signals ---- */

static void on_signal(struct loop *l, const struct signalfd_siginfo *info, void *userdata)
{
	struct supervisor *s = userdata;
	int number = (int)info->ssi_signo;

	(void)l;
	switch (number) {
	case SIGCHLD:
		reap(s);
		break;
	case SIGHUP:
		begin_reload(s);
		break;
	case SIGTERM:
	case SIGINT:
		log_notice("stopping");
		begin_stop(s, 0);
		break;
	case SIGUSR1:
		dump_data(s);
		break;
	case SIGUSR2:
		s->stats_json = false;
		ask_stats(s);
		break;
	default:
		if (number == SIGRTMIN + 2) {
			s->stats_json = true;
			ask_stats(s);
			break;
		}
		log_warn("this signal of keepalived is not supported by this version: ignored");
	}
}

static int take_signals(struct supervisor *s)
{
	const int wanted[] = {SIGCHLD, SIGHUP,	SIGTERM,      SIGINT,
			      SIGUSR1, SIGUSR2, SIGRTMAX - 1, SIGRTMIN + 2};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		sigaddset(&set, wanted[i]);
	signal(SIGPIPE, SIG_IGN);
	return loop_add_signals(s->loop, &set, on_signal, s);
}

/* ---- Start ---- */

static int make_pairs(struct supervisor *s)
{
	int r = msg_pair(s->vrrp_kernel);

	if (r >= 0)
		r = msg_pair(s->health_kernel);
	for (int i = 0; i < N_ROLES && r >= 0; i++)
		r = msg_pair(s->control[i]);
	for (int i = 0; i < N_ROLES && r >= 0; i++) {
		struct child *c = &s->child[i];

		*c = (struct child){.supervisor = s, .role = (enum role)i};
		r = loop_add_timer(s->loop, on_child_timer, c, &c->timer);
		if (r >= 0)
			r = loop_add_fd(s->loop, s->control[i][0], EPOLLIN, on_message, c, NULL);
	}
	return r;
}

static int set_up(struct supervisor *s)
{
	int r = loop_new(&s->loop);

	if (r >= 0)
		r = take_signals(s);
	if (r >= 0)
		r = make_pairs(s);
	if (r >= 0)
		r = loop_add_timer(s->loop, on_deadline, s, &s->deadline);
	if (r >= 0)
		r = shared_new(s->conf, NULL, &s->shared);
	if (r >= 0)
		r = make_heard(s, s->conf);
	if (r >= 0)
		r = scripts_new(s->loop, &s->scripts);
	if (r < 0)
		return r;
	scripts_configure(s->scripts, s->conf);
	return trackers_new(s->loop, s->scripts, s->conf, NULL, on_track, s, &s->trackers);
}

static void clean_up(struct supervisor *s)
{
	trackers_free(s->trackers);
	scripts_free(s->scripts);
	shared_free(s->shared);
	free(s->instance);
	free(s->group);
	loop_free(s->loop);
	if (s->pid_fd >= 0) {
		pidfile_remove(s->options->pid_file);
		pidfile_remove(s->options->vrrp_pid_file);
		pidfile_remove(s->options->check_pid_file);
	}
	conf_free(s->conf);
}

static int run(struct supervisor *s)
{
	int r = set_up(s);

	if (r < 0) {
		log_err("cannot start: %s", strerror(-r));
		return r == -ENOMEM ? EXIT_NO_MEMORY : EXIT_FATAL;
	}
	log_notice("vipd " VIPD_VERSION " starts: %zu instances, %zu virtual servers, from %s",
		   s->conf->n_instances, s->conf->n_virtuals, s->options->file);
	if (s->pid_fd >= 0 || !s->options->dont_fork) /* else the terminal was told already */
		pidfile_write(s->options->pid_file, s->pid_fd, getpid());
	if (s->options->dump_conf)
		dump_data(s);
	load_ipvs(s->conf);
	start_all(s);
	sd_notify_send("READY=1");
	r = loop_run(s->loop);
	log_notice("stopped");
	return r < 0 ? EXIT_FATAL : r;
}

static int check_start(const struct options *o)
{
	struct stat st;

	if (stat(o->file, &st) < 0) {
		log_err("cannot read the configuration %s: %s. Name another one with -f FILE",
			o->file, strerror(errno));
		return EXIT_NO_CONFIG;
	}
	if (!process_has_capabilities(1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW)) {
		log_err("not allowed to change addresses: run as root, or with CAP_NET_ADMIN and "
			"CAP_NET_RAW. To check a configuration: vipd -t -f %s",
			o->file);
		return EXIT_PERMISSION;
	}
	return 0;
}

int supervisor_run(const struct options *o, int argc, char **argv)
{
	/* Until it runs by itself, what is wrong is said where it was started. */
	struct log_opts log = {.ident = "vipd",
			       .facility = o->facility,
			       .console = true,
			       .no_syslog = o->no_syslog,
			       .detail = o->detail};
	struct supervisor s = {.options = o, .pid_fd = -1};
	int r;

	process_title_init(argc, argv);
	log_open(&log);
	r = check_start(o);
	if (r)
		return r;
	s.conf = load(o);
	if (!s.conf) {
		log_err("%s cannot run: vipd -t -f %s says why", o->file, o->file);
		return EXIT_CONFIG;
	}
	s.pid_fd = pidfile_lock(o->pid_file);
	if (s.pid_fd == -EEXIST) {
		conf_free(s.conf);
		return EXIT_FATAL;
	}
	if (!o->dont_fork && daemon(1, 0) < 0) {
		log_err("cannot go into the background: %s. Use -n", strerror(errno));
		return EXIT_FATAL;
	}
	log.console = o->console || (o->dont_fork && o->no_syslog);
	log_open(&log);
	r = run(&s);
	clean_up(&s);
	return r;
}
