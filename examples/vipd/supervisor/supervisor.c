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
#include "supervisor/supervisor.h"

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
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "kernel/setting.h"
#include "leftover.h"
#include "log.h"
#include "control/metrics.h"
#include "pidfile.h"
#include "schedule.h"
#include "sd_notify.h"
#include "supervisor/state.h"
#include "upgrade.h"

#define MESSAGES_PER_TURN 1024

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

struct conf *supervisor_load(const struct options *o)
{
	const struct conf_source source = {.file = o->file, .config_id = o->config_id};
	struct diag *d = calloc(1, sizeof(*d));
	struct conf *c = NULL;

	if (!d)
		return NULL;
	if (!conf_load(&source, d, &c))
		conf_scripts_insecure(c, d);
	log_findings(d);
	if (d->count[DIAG_ERROR]) {
		diag_fini(d);
		conf_free(c);
		c = NULL;
	} else {
		diag_fini(d);
	}
	free(d);
	if (c && o->umask != CONF_UNSET)
		c->globals.umask = o->umask;
	return c;
}

/* The kernel's IPVS is a module that nobody loads by itself. Silent: nftables is there, too. */
void supervisor_load_ipvs(const struct conf *c)
{
	int status;
	pid_t pid;

	if (!c->n_virtuals || geteuid() || !access("/proc/net/ip_vs", F_OK))
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

double supervisor_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- Messages ---- */

/* Whose it is for a BFD_CHECK. */
static void hear_bfd(const struct supervisor *s, const struct msg *m)
{
	const struct msg on = {.type = MSG_WATCH, .index = m->index, .value = m->value == 1};

	if (watches_told(s->watches, m->index, m->value) && s->child[ROLE_HEALTH].pid &&
	    msg_send(s->control[ROLE_HEALTH][0], &on, -1) < 0)
		log_err("%s does not listen", role_name(ROLE_HEALTH));
}

static void take_message(struct supervisor *s, enum role from, const struct msg *m)
{
	if (from == ROLE_VRRP && m->type == MSG_STATE)
		notify_instance(s, m);
	else if (from == ROLE_VRRP && m->type == MSG_GROUP)
		notify_group(s, m);
	else if (from != ROLE_HEALTH && m->type == MSG_STATS)
		fresh_arrived(s, from);
	else if (from == ROLE_VRRP && m->type == MSG_REMARK)
		notify_remark(s, m->index, (uint32_t)m->value);
	else if (from == ROLE_VRRP && m->type == MSG_PRIORITY)
		notify_priority(s, m);
	else if (from == ROLE_VRRP && m->type == MSG_RX_LOWER)
		notify_rx_lower(s, m);
	else if (from == ROLE_VRRP && m->type == MSG_WATCH)
		hear_bfd(s, m);
	else if (from == ROLE_KERNEL && m->type == MSG_BACKEND)
		s->backend = (enum msg_backend)m->value;
	else if (from == ROLE_KERNEL && m->type == MSG_SERVED)
		children_served(s);
	else if (from == ROLE_HEALTH && m->type == MSG_REAL)
		notify_real(s, m);
	else if (from == ROLE_HEALTH && m->type == MSG_QUORUM)
		notify_quorum(s, m);
	else if (from == ROLE_HEALTH && m->type == MSG_PAUSE && m->index >= s->conf->n_scripts)
		trackers_pause(s->trackers, m->index, m->value == 1);
	else if (from != ROLE_KERNEL && m->type == MSG_LEFT)
		child_left(s, from);
	else if (from != ROLE_KERNEL && m->type == MSG_LATE)
		schedule_raise(from == ROLE_VRRP ? &s->conf->globals.vrrp
						 : &s->conf->globals.checker,
			       s->child[from].pid, role_name(from), m->value);
	else
		log_warn("%s said something that it must not (%u)", role_name(from), m->type);
}

void supervisor_read(struct supervisor *s, enum role from)
{
	struct msg m;

	for (int i = 0; i < MESSAGES_PER_TURN && msg_receive(s->control[from][0], &m, NULL) > 0;
	     i++)
		take_message(s, from, &m);
}

static void on_message(struct loop *l, int fd, uint32_t events, void *userdata)
{
	struct child *c = userdata;

	supervisor_read(c->supervisor, c->role);
	if (c->left && !c->pid)
		phase_advance(c->supervisor);
}

void supervisor_on_track(void *userdata, uint32_t index, bool ok, uint8_t exit_code)
{
	struct supervisor *s = userdata;
	bool vrrp = index < s->conf->n_scripts;
	enum role role = vrrp ? ROLE_VRRP : ROLE_HEALTH;
	const struct msg m = {.type = MSG_TRACK,
			      .index = vrrp ? index : index - (uint32_t)s->conf->n_scripts,
			      .value = ok,
			      .extra = exit_code};

	if (s->child[role].pid && msg_send(s->control[role][0], &m, -1) < 0)
		log_err("%s does not listen", role_name(role));
}

void supervisor_on_watch(void *userdata, uint32_t index, int32_t value)
{
	struct supervisor *s = userdata;
	const struct msg m = {.type = MSG_WATCH, .index = index, .value = value};

	if (s->child[ROLE_VRRP].pid && msg_send(s->control[ROLE_VRRP][0], &m, -1) < 0)
		log_err("%s does not listen", role_name(ROLE_VRRP));
	if (s->child[ROLE_HEALTH].pid && msg_send(s->control[ROLE_HEALTH][0], &m, -1) < 0)
		log_err("%s does not listen", role_name(ROLE_HEALTH));
}

/* ---- Signals ---- */

void supervisor_clear_counters(const struct supervisor *s)
{
	struct msg m = {.type = MSG_ORDER, .value = ORDER_CLEAR};

	for (; m.index < s->conf->n_instances && s->child[ROLE_VRRP].pid; m.index++)
		msg_send(s->control[ROLE_VRRP][0], &m, -1);
	log_info("the counters begin at 0");
}

static void on_signal(struct loop *l, const struct signalfd_siginfo *info, void *userdata)
{
	struct supervisor *s = userdata;
	int number = (int)info->ssi_signo;

	switch (number) {
	case SIGCHLD:
		children_reap(s);
		break;
	case SIGHUP:
		phase_reload(s);
		break;
	case SIGTERM:
	case SIGINT:
		log_notice("stopping");
		phase_stop(s, 0);
		break;
	case SIGUSR1:
		fresh_ask(s, dump_data, NULL);
		break;
	case SIGUSR2:
		fresh_ask(s, dump_stats, NULL);
		break;
	default:
		if (number == SIGRTMIN + 2) {
			fresh_ask(s, dump_json, NULL);
			break;
		}
		supervisor_clear_counters(s); /* SIGRTMAX - 1 */
	}
}

static void add_signals(sigset_t *set, const int *number, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sigaddset(set, number[i]);
}

/* Who asks for something while the first configuration is read is heard when it runs; by default the signal would end us. */
static void hold_requests(sigset_t *ret)
{
	const int requests[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGRTMAX - 1, SIGRTMIN + 2};

	sigemptyset(ret);
	add_signals(ret, requests, sizeof(requests) / sizeof(*requests));
	sigprocmask(SIG_BLOCK, ret, NULL);
}

static int take_signals(struct supervisor *s)
{
	static const int others[] = {SIGCHLD, SIGTERM, SIGINT};
	sigset_t set;

	hold_requests(&set);
	add_signals(&set, others, sizeof(others) / sizeof(*others));
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
		r = loop_add_timer(s->loop, child_on_timer, c, &c->timer);
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
		r = loop_add_timer(s->loop, phase_on_deadline, s, &s->deadline);
	if (r >= 0)
		r = shared_new(s->conf, NULL, NULL, &s->shared);
	if (r >= 0)
		r = live_new(s->conf, s->shared, NULL, NULL, NULL, &s->live);
	if (r >= 0)
		r = weights_new(s->conf, &s->weights);
	if (r >= 0)
		r = orders_new(s->conf, NULL, NULL, &s->orders);
	if (r >= 0)
		r = settings_new(&s->before);
	if (r >= 0)
		r = fresh_init(s);
	if (r >= 0)
		r = phase_make_heard(s, s->conf);
	if (r >= 0)
		r = scripts_new(s->loop, &s->scripts);
	if (r >= 0)
		r = fifos_new(s->loop, s->scripts, &s->fifos);
	if (r >= 0)
		r = mails_new(s->loop, &s->mails);
	if (r < 0)
		return r;
	scripts_configure(s->scripts, s->conf);
	fifos_configure(s->fifos, s->conf);
	mails_configure(s->mails, s->conf);
	r = watches_new(s->loop, s->conf, NULL, supervisor_on_watch, s, &s->watches);
	if (r < 0)
		return r;
	return trackers_new(s->loop, s->scripts, s->conf, NULL, supervisor_on_track, s,
			    &s->trackers);
}

static void clean_up(struct supervisor *s)
{
	control_close(s->control_socket);
	metrics_server_free(s->metrics);
	reload_timer_free(s->reload_timer);
	trackers_free(s->trackers);
	watches_free(s->watches);
	fifos_free(s->fifos);
	mails_free(s->mails);
	scripts_free(s->scripts);
	shared_free(s->shared);
	live_free(s->live);
	weights_free(s->weights);
	orders_free(s->orders);
	settings_leave(s->before);
	events_fini(&s->events);
	free(s->instance);
	free(s->group);
	loop_free(s->loop);
	if (s->pid_fd >= 0) {
		leftover_remove(s->options->pid_file);
		pidfile_remove(s->options->pid_file);
		pidfile_remove(s->options->vrrp_pid_file);
		pidfile_remove(s->options->check_pid_file);
	}
	children_forget_old(s);
	conf_free(s->conf);
}

/* Without it vipd does its work all the same. */
void supervisor_open_control(struct supervisor *s)
{
	char path[4096];

	options_control_path(s->options, path, sizeof(path));
	if (*path)
		control_open(s, path, &s->control_socket);
}

/* When the first instance may begin: vrrp_startup_delay, vrrp_delay_after_boot. 0: at once. */
static uint64_t begin_of(const struct conf_globals *g)
{
	struct timespec up = {0};
	int64_t wait_ms = g->startup_delay_ms, left_ms;

	clock_gettime(CLOCK_BOOTTIME, &up);
	left_ms = g->boot_delay_ms - (int64_t)up.tv_sec * 1000 - up.tv_nsec / 1000000;
	if (left_ms > wait_ms)
		wait_ms = left_ms;
	if (wait_ms <= 0)
		return 0;
	log_info("no instance begins for the next %.1f s", (double)wait_ms / 1000);
	return loop_clock_ns() + (uint64_t)wait_ms * UINT64_C(1000000);
}

/* `state`: a predecessor's in this process, or NULL. */
static int run(struct supervisor *s, const json_t *state)
{
	int r = set_up(s);

	s->started = s->loaded = supervisor_now();
	if (r < 0) {
		log_err("cannot start: %s", strerror(-r));
		return r == -ENOMEM ? EXIT_NO_MEMORY : EXIT_FATAL;
	}
	process_rename(s->conf->globals.names.parent);
	tables_claim(s, s->conf);
	log_notice("vipd " VIPD_VERSION " %s: %zu instances, %zu virtual servers, from %s",
		   state ? "takes over" : "starts", s->conf->n_instances, s->conf->n_virtuals,
		   s->options->file);
	if (s->pid_fd >= 0 || !s->options->dont_fork) /* else the terminal was told already */
		pidfile_write(s->options->pid_file, s->pid_fd, getpid());
	if (s->conf->globals.reload_file) /* somebody may wait */
		pidfile_remove(s->conf->globals.reload_file);
	reload_timer_new(s);
	supervisor_open_control(s);
	if (s->options->metrics)
		metrics_serve(s, s->options->metrics, &s->metrics);
	if (s->options->dump_conf)
		dump_data(s, NULL);
	if (!state)
		scripts_run_and_wait(s->scripts, &s->conf->globals.startup.script,
				     s->conf->globals.startup.timeout_ms);
	supervisor_load_ipvs(s->conf);
	if (state) {
		upgrade_take(s, state);
		s->old = s->conf; /* the kernel process claims what its predecessor put there */
		events_add(&s->events,
			   json_pack("{s:s, s:s}", "type", "upgrade", "version", VIPD_VERSION));
	}
	if (!state && s->options->vrrp) { /* -C: they are another vipd's */
		s->old = leftover_read(s->options->pid_file);
	}
	if (!state)
		s->begin_ns = begin_of(&s->conf->globals);
	s->ran = state != NULL;
	if (s->options->vrrp)
		leftover_write(s->options->pid_file, s->conf);
	save_configuration(s, s->conf);
	children_start(s);
	s->ran = true;
	if (!s->child[ROLE_HEALTH].wanted || s->child[ROLE_HEALTH].pid)
		sd_notify_send("READY=1"); /* else when virtual servers are in place */
	r = loop_run(s->loop);
	scripts_run_and_wait(s->scripts, &s->conf->globals.shutdown.script,
			     s->conf->globals.shutdown.timeout_ms);
	log_notice("stopped");
	return r < 0 ? EXIT_FATAL : r;
}

/* Where it runs and what its files are called, before any of them is touched. */
static int find_place(struct options *o, const struct conf *c, bool already_there)
{
	const struct options_naming how = {.instance = c->globals.instance,
					   .name_space = c->globals.name_space,
					   .pid_dir = c->globals.use_pid_dir};

	if (!o->name_space && how.name_space) {
		o->name_space = strdup(how.name_space); /* a reload frees it */
		if (!o->name_space)
			return EXIT_NO_MEMORY;
	}
	if (c->globals.ipvs_name_space) {
		o->ipvs_name_space = strdup(c->globals.ipvs_name_space); /* likewise */
		if (!o->ipvs_name_space)
			return EXIT_NO_MEMORY;
	}
	if (o->name_space && !already_there && process_enter_namespace(o->name_space) < 0)
		return EXIT_FATAL;
	return options_name_files(o, &how) < 0 ? EXIT_NO_MEMORY : 0;
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

int supervisor_run(struct options *o, int argc, char **argv)
{
	/* Until it runs by itself, what is wrong is said where it was started. */
	struct log_opts log = {.ident = "vipd",
			       .facility = o->facility,
			       .console = true,
			       .no_syslog = o->no_syslog,
			       .detail = o->detail};
	struct supervisor s = {.options = o, .pid_fd = -1};
	sigset_t held;
	json_t *state;
	int r;

	hold_requests(&held);
	process_title_init(argc, argv);
	log_open(&log);
	r = check_start(o);
	if (r)
		return r;
	state = upgrade_state();
	s.argv = argv;
	s.conf = supervisor_load(o);
	if (!s.conf) {
		log_err("%s cannot run: vipd -t -f %s says why", o->file, o->file);
		return EXIT_CONFIG;
	}
	if (conf_is_empty(s.conf))
		log_warn("%s: " CONF_EMPTY_TEXT, o->file);
	r = find_place(o, s.conf, state);
	if (r) {
		conf_free(s.conf);
		return r;
	}
	s.pid_fd = state ? upgrade_pid_fd(state) : pidfile_lock(o->pid_file);
	if (s.pid_fd == -EEXIST) {
		conf_free(s.conf);
		return EXIT_FATAL;
	}
	if (!state && !o->dont_fork && daemon(1, 0) < 0) {
		log_err("cannot go into the background: %s. Use -n", strerror(errno));
		return EXIT_FATAL;
	}
	log.console = o->console || (o->dont_fork && o->no_syslog);
	log_open(&log);
	r = run(&s, state);
	json_decref(state);
	clean_up(&s);
	return r;
}
