/* SPDX-License-Identifier: MIT */
/*
 * proxyd: reads haproxy.cfg, checks it and runs it. This is the control thread: signals, reload,
 * health checks. The traffic is the engine's (engine/engine.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "cfg/cfg.h"
#include "cli.h"
#include "engine/engine.h"
#include "engine/passed.h"
#include "log.h"
#include "loop.h"
#include "migrate.h"
#include "process.h"
#include "runtime/runtime.h"
#include "runtime/state.h"
#include "stats/http.h"
#include "sd_notify.h"

#define DESCRIPTORS_OTHER 64 /* of the process itself: standard ones, epoll, logs, checks */

#define LEAVE_NS UINT64_C(250000000) /* as long as a handshake takes */

struct daemon {
	struct cli cli;
	struct engine *engine;
	struct runtime *runtime;
	struct loop *loop;
	struct loop_source *hard_stop, *leave, *arrived;
	uint64_t hard_stop_ns, grace_ns;
	bool stopping; /* was asked to; connections are still taken while `grace` lasts */
};

/* ---- Configuration ---- */

/* Configurations may ask for it, and "localpeer" of the one before has changed it. */
static void name_this_node(const struct cli *cli)
{
	char host[256];

	if (cli->localpeer || !gethostname(host, sizeof(host)))
		setenv("HAPROXY_LOCALPEER", cli->localpeer ? cli->localpeer : host, 1);
}

/* NULL: no memory, told. What was found is in `d`. */
static struct cfg *read_files(const struct cli *cli, struct migrate *m, struct diag *d)
{
	struct cfg *cfg = NULL;
	int e;

	name_this_node(cli);
	e = cfg_load(
	    &(struct cfg_load_opts){
		.path = cli->path,
		.n_paths = cli->n_paths,
		.ignore_unresolved = cli->ignore_unresolved,
		.diagnose = cli->diagnose,
		.localpeer_given = cli->localpeer,
		.upgraded = m ? migrate_note : NULL,
		.userdata = m,
	    },
	    d, &cfg);

	if (e < 0)
		cli_say(LOG_ERR, "config : %s", strerror(-e));
	return cfg;
}

/* NULL: it cannot run, and why was told. */
static struct cfg *load(const struct cli *cli, bool warnings)
{
	struct diag d = {0};
	struct cfg *cfg = read_files(cli, NULL, &d);

	if (!cfg)
		return NULL;
	cli_print_diag(&d, warnings);
	if (cli->check && warnings && d.count[DIAG_WARNING] && !d.count[DIAG_ERROR])
		puts("Warnings were found.");
	if ((cli->zero_warning || cfg->global.zero_warning) && d.count[DIAG_WARNING]) {
		cli_say(LOG_ERR, "config : zero-warning: what was warned of is an error");
		d.count[DIAG_ERROR]++;
	}
	if (d.count[DIAG_ERROR]) {
		cli_say(LOG_ERR, "config : Fatal errors found in configuration.");
		cfg_free(cfg);
		cfg = NULL;
	}
	diag_fini(&d);
	return cfg;
}

static size_t count_listeners(const struct cfg *cfg)
{
	const struct cfg_proxy *p;
	const struct cfg_stats_socket *s;
	const struct cfg_forward_bind *lines;
	const struct cfg_forward *f;
	const struct cfg_bind *b;
	size_t n = 0;

	STAILQ_FOREACH (p, &cfg->frontends, next_frontend)
		if (!p->set.disabled)
			STAILQ_FOREACH (b, &p->binds, next)
				n++;
	STAILQ_FOREACH (s, &cfg->global.stats_sockets, next)
		n++; /* HAProxy, too, starts for a socket of the runtime API alone */
	STAILQ_FOREACH (f, &cfg->forwards, next)
		STAILQ_FOREACH (lines, &f->binds, next)
			n++;
	return n;
}

static int check_only(const struct cli *cli)
{
	struct cfg *cfg;
	size_t n;

	/* as HAProxy: the status alone tells */
	if (cli->quiet && !cli->verbose && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
		return 1;
	cfg = load(cli, true);
	if (!cfg)
		return 1;
	n = count_listeners(cfg);
	cfg_free(cfg);
	if (!n) {
		puts(
		    "Configuration file has no error but will not start (no listener) => exit(2).");
		return 2;
	}
	puts("Configuration file is valid");
	return 0;
}

/* --json, --migrate: what they print goes to stdout. */
static int print_only(const struct cli *cli)
{
	struct migrate *m = migrate_new();
	struct diag d = {0};
	struct cfg *cfg = m ? read_files(cli, m, &d) : NULL;
	int status = !cfg || d.count[DIAG_ERROR], e = 0;

	if (cli->json)
		cli_print_json(&d);
	else
		cli_print_diag(&d, !cli->quiet);
	if (cfg && cli->migrate)
		e = migrate_print(m, cfg, stdout);
	if (e >= 0 && fflush(stdout))
		e = -errno;
	if (e >= 0 && ferror(stdout))
		e = -EIO;
	if (e < 0)
		cli_say(LOG_ERR, "cannot write to stdout: %s", strerror(-e));
	cfg_free(cfg);
	migrate_free(m);
	diag_fini(&d);
	return e < 0 ? 1 : status;
}

/* The connections that the file, the command line and the system allow; 0: fewer than that, and it was told. */
static unsigned maxconn_of(const struct cli *cli, const struct cfg *cfg, unsigned threads)
{
	const struct cfg_global *g = &cfg->global;

	return process_maxconn(g, cli->maxconn ? cli->maxconn : g->maxconn,
			       DESCRIPTORS_OTHER + threads * (ENGINE_THREAD_DESCRIPTORS + ENGINE_SPENT_MAX + count_listeners(cfg)));
}

/* ---- Reload: beside what runs, then all at once ---- */

static void reload(struct daemon *d)
{
	unsigned threads = engine_threads(d->engine), maxconn;
	struct cfg *cfg;
	char error[512];

	sd_notify_send("RELOADING=1");
	cfg = load(&d->cli, true);
	if (!cfg) {
		log_err("reload refused: the configuration has errors; the old one goes on");
		sd_notify_send("READY=1");
		return;
	}
	if (cfg->global.nbthread && cfg->global.nbthread != threads)
		log_warn("nbthread %u takes effect at the next start; %u threads go on",
			 cfg->global.nbthread, threads);
	maxconn = maxconn_of(&d->cli, cfg, threads);
	d->hard_stop_ns = cfg->global.hard_stop_ns;
	d->grace_ns = cfg->global.grace_ns;
	snprintf(error, sizeof(error), "strict-limits");
	if (!maxconn || engine_apply(d->engine, cfg, maxconn, error, sizeof(error)) < 0) {
		log_err("reload refused: %s; the old configuration goes on", error);
		cfg_free(cfg);
	} else {
		engine_place(d->engine, cfg->global.cpu_map);
		if (!runtime_apply(d->runtime, cfg, error, sizeof(error)))
			log_err("%s", error);
		log_notice("reloaded: %zu listening addresses", engine_listeners(d->engine));
	}
	sd_notify_send("READY=1");
}

static void on_hard_stop(struct loop *l, void *userdata)
{
	log_warn("hard-stop-after: the connections that are left are closed");
	loop_stop(l, 0);
}

static void drain(struct daemon *d)
{
	uint64_t open, total;

	d->grace_ns = 0;
	engine_steer_away(d->engine);
	engine_count(d->engine, &open, &total);
	log_notice("stopping: no new connections, %llu to be finished", (unsigned long long)open);
	sd_notify_send("STOPPING=1");
	if (d->hard_stop_ns)
		loop_arm(d->hard_stop, loop_now_ns(d->loop) + d->hard_stop_ns);
	loop_arm(d->arrived, LOOP_NEVER);
	loop_arm(d->leave, loop_now_ns(d->loop) + LEAVE_NS);
}

/* SIGUSR1 */
static void stop(struct daemon *d)
{
	if (!d->grace_ns) {
		drain(d);
	} else if (!d->stopping) {
		log_notice("stopping in %llu ms (grace)", (unsigned long long)(d->grace_ns / CFG_MS));
		loop_arm(d->leave, loop_now_ns(d->loop) + d->grace_ns);
	}
	d->stopping = true;
}

static void on_leave(struct loop *l, void *userdata)
{
	struct daemon *d = userdata;

	if (d->grace_ns)
		drain(d);
	else
		engine_drain(d->engine);
}

/* The process before this one has gone by now. */
static void on_arrived(struct loop *l, void *userdata)
{
	struct daemon *d = userdata;

	engine_steer_back(d->engine);
}

static void on_idle(void *userdata)
{
	struct daemon *d = userdata;

	loop_stop(d->loop, 0);
}

static void on_signal(struct loop *l, const struct signalfd_siginfo *info, void *userdata)
{
	struct daemon *d = userdata;

	switch (info->ssi_signo) {
	case SIGHUP:
	case SIGUSR2:
		reload(d);
		break;
	case SIGUSR1:
		stop(d);
		break;
	case SIGTTOU:
	case SIGTTIN:
	case SIGQUIT:
		log_notice("signal %u does nothing here: the runtime API has \"disable frontend\" "
			   "and \"show info\"",
			   info->ssi_signo);
		break;
	default:
		log_notice("stopping at once (signal %u)", info->ssi_signo);
		sd_notify_send("STOPPING=1");
		/* HAProxy ends by its signal in the foreground; scripts look at 128 + n. */
		loop_stop(l, d->cli.foreground && info->ssi_signo == SIGINT ? 128 + SIGINT : 0);
	}
}

/* ---- Start ---- */

static int join_loop(struct daemon *d)
{
	static const int heard[] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP,
				    /* HAProxy's: listeners rest, go on, memory is told of */
				    SIGTTOU, SIGTTIN, SIGQUIT};
	sigset_t set;
	int e = loop_new(&d->loop);

	if (e < 0)
		return e;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(heard) / sizeof(heard[0]); i++)
		sigaddset(&set, heard[i]);
	e = loop_add_signals(d->loop, &set, on_signal, d);
	if (!e)
		e = engine_join(d->engine, d->loop);
	if (!e)
		e = loop_add_timer(d->loop, on_hard_stop, d, &d->hard_stop);
	if (!e)
		e = loop_add_timer(d->loop, on_leave, d, &d->leave);
	if (!e)
		e = loop_add_timer(d->loop, on_arrived, d, &d->arrived);
	return e;
}

static void signal_old(const struct cli *cli)
{
	for (size_t i = 0; i < cli->n_old; i++)
		if (kill(cli->old_pid[i], cli->old_signal) < 0)
			cli_say(LOG_WARNING, "cannot signal process %d: %s", (int)cli->old_pid[i],
				strerror(errno));
}

static void on_reload(void *userdata)
{
	reload(userdata);
}

/* The sockets of the runtime API; -EINVAL: one could not be opened, and that was told. */
static int make_runtime(struct daemon *d, const struct cfg *cfg)
{
	struct runtime_opts o = {.engine = d->engine, .startup_logs = cli_said, .reload = on_reload, .userdata = d};
	char error[512];
	int e = runtime_new(&o, &d->runtime);

	if (e < 0)
		cli_say(LOG_ERR, "cannot start: %s", strerror(-e));
	else if (!runtime_apply(d->runtime, cfg, error, sizeof(error)) ||
		 (d->cli.master && !runtime_open_master(d->runtime, d->cli.master, error, sizeof(error)))) {
		cli_say(LOG_ERR, "%s", error);
		e = -EINVAL;
	}
	return e;
}

static void on_ask(void *userdata, struct ask *ask)
{
	struct daemon *d = userdata;

	stats_answer(d->engine, ask, loop_now_ns(d->loop));
}

/* On failure `cfg` is still the caller's. */
static int make_engine(struct daemon *d, struct cfg *cfg, struct passed *passed)
{
	const struct cfg_global *g = &cfg->global;
	struct engine_opts o = {
	    .threads = g->nbthread ? g->nbthread : process_cpus(),
	    .nap_us = g->nap_us,
	    .no_splice = g->no_splice,
	    .busy = g->busy_polling,
	    .follows = d->cli.n_old,
	    .passed = passed,
	    .pipe_size = g->pipe_size,
	    .answer = on_ask,
	    .idle = on_idle,
	    .userdata = d,
	};
	char error[512];
	unsigned maxconn;
	int e;

	if (g->thread_limit && o.threads > g->thread_limit)
		o.threads = g->thread_limit;
	e = engine_new(&o, &d->engine);
	if (e < 0) {
		cli_say(LOG_ERR, "cannot start: %s", strerror(-e));
		return e;
	}
	/* Before the ports: whoever reaches one finds the runtime API, too. */
	e = make_runtime(d, cfg);
	if (e < 0)
		return e;
	maxconn = maxconn_of(&d->cli, cfg, o.threads);
	if (!maxconn)
		return -EMFILE;
	e = engine_apply(d->engine, cfg, maxconn, error, sizeof(error));
	if (e < 0)
		cli_say(LOG_ERR, "%s", error);
	return e;
}

/* A step of the start that failed is told by its name. */
static bool did(const char *what, int e)
{
	if (e < 0)
		cli_say(LOG_ERR, "cannot %s: %s", what, strerror(-e));
	return e >= 0;
}

static bool write_pid(const char *path)
{
	int e = process_write_pid(path);

	if (e < 0)
		cli_say(LOG_ERR, "cannot write the pid file %s: %s. Name another one with -p", path,
			strerror(-e));
	return e >= 0;
}

static bool take_sockets(const char *path, struct passed **ret)
{
	int e;

	process_add_descriptors(PASSED_MAX);
	e = passed_receive(path, ret);
	if (e < 0)
		cli_say(LOG_ERR, "-x %s: cannot take over the listening sockets: %s. It must be a stats socket with \"expose-fd listeners\" of "
				 "the process that runs; -x /dev/null goes without", path, strerror(-e));
	return e >= 0;
}

static int run(struct daemon *d, struct cfg *cfg)
{
	const struct cfg_global g = cfg->global;
	const char *pidfile = d->cli.pidfile ? d->cli.pidfile : g.pidfile;
	struct passed *passed = NULL;
	int ready = -1;
	bool background = (d->cli.daemon || g.daemon) && !d->cli.foreground && !d->cli.notify;

	d->hard_stop_ns = g.hard_stop_ns;
	d->grace_ns = g.grace_ns;
	if (d->cli.passing && !take_sockets(d->cli.passing, &passed)) {
		cfg_free(cfg);
		return 1;
	}
	if (make_engine(d, cfg, passed) < 0) {
		cfg_free(cfg);
		return 1;
	}
	if (background && !did("go to the background", process_daemonize(&ready)))
		return 1;
	log_open(&(struct log_opts){
	    .ident = "proxyd",
	    .console = !background,
	    .no_syslog = !background,
	});
	state_load(d->engine, loop_clock_ns()); /* may be readable for root alone */
	if (pidfile && !write_pid(pidfile))
		return 1;
	if (!did("change the user", process_drop_root(&g)) ||
	    !did("set up the loop", join_loop(d)) ||
	    !did("listen for commands", runtime_join(d->runtime, d->loop)) ||
	    !did("start the workers", engine_start(d->engine)))
		return 1;
	if (g.dumpable)
		process_allow_dump();
	if (g.cpu_map)
		engine_place(d->engine, g.cpu_map);
	signal_old(&d->cli);
	if (d->cli.n_old)
		loop_arm(d->arrived, loop_now_ns(d->loop) + 4 * LEAVE_NS);
	if (background && !did("leave the terminal", process_detach(ready)))
		return 1;
	sd_notify_send("READY=1");
	return loop_run(d->loop);
}

/* Who asks for a reload while the first files are read gets one when they are; by default the signal would end us. */
static void hold_reloads(void)
{
	sigset_t reloads;

	sigemptyset(&reloads);
	sigaddset(&reloads, SIGHUP);
	sigaddset(&reloads, SIGUSR2);
	sigprocmask(SIG_BLOCK, &reloads, NULL);
}

int main(int argc, char **argv)
{
	struct daemon d = {0};
	struct cfg *cfg;
	int status = cli_parse(argc, argv, &d.cli);

	if (status >= 0)
		return status;
	if (d.cli.directory && chdir(d.cli.directory) < 0) {
		cli_say(LOG_ERR, "cannot change to %s: %s", d.cli.directory, strerror(errno));
		return 1;
	}
	if (d.cli.json || d.cli.migrate)
		return print_only(&d.cli);
	if (d.cli.check)
		return check_only(&d.cli);
	hold_reloads();
	cfg = load(&d.cli, !d.cli.quiet);
	if (!cfg)
		return 1;
	if (!count_listeners(cfg)) {
		cli_say(LOG_ERR, "nothing to listen on: add a section with a bind line");
		cfg_free(cfg);
		return 2;
	}
	if (d.cli.memory_mb && setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)d.cli.memory_mb << 20,
								     (rlim_t)d.cli.memory_mb << 20}) < 0)
		cli_say(LOG_WARNING, "-m: cannot limit the memory: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	status = run(&d, cfg);
	engine_free(d.engine);
	runtime_free(d.runtime);
	loop_free(d.loop);
	return status < 0 ? 1 : status;
}
