/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bytes_json.h"
#include "log.h"

/* After so long the next one of the object is started, and this one left alone; and at the end. Order is worth a delay, and no more. */
#define PATIENCE_NS UINT64_C(5000000000)
#define LAST_PATIENCE_NS UINT64_C(1000000000)
/* For one that nobody waits for any more, to heed SIGTERM. */
#define LEAVE_MS 1000
#define NS_PER_MS UINT64_C(1000000)

struct job {
	TAILQ_ENTRY(job) entry;
	struct scripts *scripts;
	uint64_t object;
	char **argv;
	char *user, *group;
	pid_t pid; /* 0: waits */
	uint64_t started_ns;
	bool delays; /* there is one behind it */
};

struct leaver {
	LIST_ENTRY(leaver) entry;
	struct loop_source *timer;
	pid_t pid;
	int fd; /* a pidfd: readable when it has ended, and its number may be another's */
};

struct scripts {
	struct loop *loop;
	struct loop_source *patience;
	bool ends;
	TAILQ_HEAD(jobs, job) jobs;
	size_t n;
	LIST_HEAD(leavers, leaver) leavers;
	char *user, *group; /* default; NULL: as we are */
	bool looked;	    /* for a user of keepalived's name */
	mode_t umask;	    /* as it was found; scripts inherit ours */
};

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

/* ---- A child's way to exec ---- */

struct identity {
	uid_t uid;
	gid_t gid;
	const char *name;
	bool changes;
};

static int find_identity(const char *user, const char *group, struct identity *ret)
{
	const struct passwd *p = user ? getpwnam(user) : NULL;
	const struct group *g = group ? getgrnam(group) : NULL;

	if ((user && !p) || (group && !g)) {
		log_err("there is no %s \"%s\" to run a script as", user && !p ? "user" : "group",
			user && !p ? user : group);
		return -ENOENT;
	}
	*ret = (struct identity){.changes = p && !geteuid()};
	if (p) {
		ret->uid = p->pw_uid;
		ret->gid = g ? g->gr_gid : p->pw_gid;
		ret->name = p->pw_name;
	}
	return 0;
}

static _Noreturn void child(const struct identity *who, char *const *argv)
{
	int null = open("/dev/null", O_RDWR);
	sigset_t none;

	setpgid(0, 0);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	syscall(SYS_close_range, 3u, ~0u, 0);
	unsetenv("IFS");
	unsetenv("LD_PRELOAD");
	unsetenv("LD_LIBRARY_PATH");
	unsetenv("NOTIFY_SOCKET");
	if (who->changes &&
	    (initgroups(who->name, who->gid) < 0 || setresgid(who->gid, who->gid, who->gid) < 0 ||
	     setresuid(who->uid, who->uid, who->uid) < 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

static pid_t start(const char *user, const char *group, char *const *argv)
{
	struct identity who;
	pid_t pid;
	int r = find_identity(user, group, &who);

	if (r < 0)
		return r;
	pid = fork();
	if (!pid)
		child(&who, argv);
	return pid < 0 ? -errno : pid;
}

/* Not before there is a script: name services take longer than all else of a start. */
static const char *default_user(struct scripts *s)
{
	if (!s->user && !s->looked && getpwnam("keepalived_script"))
		s->user = copy("keepalived_script");
	s->looked = true;
	return s->user;
}

pid_t scripts_spawn(struct scripts *s, const struct conf_script *c)
{
	return start(c->user ? c->user : default_user(s), c->user ? c->group : s->group,
		     (char *const *)(uintptr_t)c->argv);
}

/* ---- The queue ---- */

static void free_job(struct job *j)
{
	for (char **a = j->argv; a && *a; a++)
		free(*a);
	free(j->argv);
	free(j->user);
	free(j->group);
	free(j);
}

static void drop(struct job *j)
{
	TAILQ_REMOVE(&j->scripts->jobs, j, entry);
	j->scripts->n--;
	free_job(j);
}

static bool is_first(const struct job *j)
{
	const struct job *o;

	TAILQ_FOREACH (o, &j->scripts->jobs, entry) {
		if (o == j)
			return true;
		if (o->object == j->object)
			return false;
	}
	return false;
}

/* At the end many may run at once, and share the CPU: those that delay nobody have the time that is left for all. */
static uint64_t patience_ns(const struct job *j)
{
	return j->scripts->ends && j->delays ? LAST_PATIENCE_NS : PATIENCE_NS;
}

/* At the end somebody waits for each. */
static bool is_waited_for(const struct job *j)
{
	return j->pid > 0 && (j->delays || j->scripts->ends);
}

/* Those that hang keep nobody waiting. */
static void give_up(struct scripts *s)
{
	uint64_t now_ns = loop_clock_ns();
	struct job *j, *next;

	for (j = TAILQ_FIRST(&s->jobs); j; j = next) {
		next = TAILQ_NEXT(j, entry);
		if (!is_waited_for(j) || j->started_ns + patience_ns(j) > now_ns)
			continue;
		log_warn("%s runs for more than %d s: not waiting for it any longer", j->argv[0], (int)(patience_ns(j) / (1000 * NS_PER_MS)));
		drop(j);
	}
}

static void arm_patience(struct scripts *s)
{
	uint64_t first_ns = UINT64_MAX;
	const struct job *j;

	TAILQ_FOREACH (j, &s->jobs, entry)
		if (is_waited_for(j) && j->started_ns + patience_ns(j) < first_ns)
			first_ns = j->started_ns + patience_ns(j);
	if (first_ns < UINT64_MAX)
		loop_arm(s->patience, first_ns);
}

/* Starts what may run. A job that cannot be started is dropped, which lets the next one run. */
static void start_ready(struct scripts *s)
{
	struct job *j, *next;

	for (j = TAILQ_FIRST(&s->jobs); j; j = next) {
		next = TAILQ_NEXT(j, entry);
		if (j->pid || !is_first(j))
			continue;
		j->pid = start(j->user, j->group, j->argv);
		j->started_ns = loop_clock_ns();
		if (j->pid < 0) {
			log_err("cannot run %s: %s", j->argv[0], strerror((int)-j->pid));
			drop(j);
		}
	}
}

static void run_ready(struct scripts *s)
{
	give_up(s);
	start_ready(s);
	arm_patience(s);
}

static void on_patience(struct loop *l, void *userdata)
{
	(void)l;
	run_ready(userdata);
}

/* At the end of the queue. */
static void wait_in_line(struct scripts *s, struct job *j)
{
	struct job *o;

	TAILQ_FOREACH (o, &s->jobs, entry)
		o->delays |= o->object == j->object;
	TAILQ_INSERT_TAIL(&s->jobs, j, entry);
	s->n++;
}

/* A shell's command is one text: what follows it becomes its arguments, and these its last words. */
static size_t let_shell_append(char **argv)
{
	char *text;

	if (argv[2] && asprintf(&text, "%s \"$@\"", argv[2]) > 0) {
		free(argv[2]);
		argv[2] = text;
	}
	argv[3] = strdup("sh");
	return 4;
}

static struct job *make_job(struct scripts *s, uint64_t object, const struct conf_script *c,
			    const char *const *extra)
{
	struct job *j = calloc(1, sizeof(*j));
	size_t n = 0;

	if (!j)
		return NULL;
	j->scripts = s;
	j->object = object;
	j->user = copy(c->user ? c->user : default_user(s));
	j->group = copy(c->user ? c->group : s->group);
	j->argv = calloc(CONF_ARGS_MAX + SCRIPT_EXTRA_MAX + 2, sizeof(*j->argv));
	for (; j->argv && c->argv[n]; n++)
		j->argv[n] = strdup(c->argv[n]);
	if (j->argv && extra && n == 3 && !strcmp(c->argv[1], "-c"))
		n = let_shell_append(j->argv);
	for (size_t i = 0; j->argv && extra && i < SCRIPT_EXTRA_MAX && extra[i]; i++)
		j->argv[n++] = strdup(extra[i]);
	if (j->argv && j->argv[0])
		return j;
	free_job(j);
	return NULL;
}

pid_t scripts_spawn_with(struct scripts *s, const struct conf_script *c,
			 const char *const extra[SCRIPT_EXTRA_MAX])
{
	struct job *j = make_job(s, 0, c, extra);
	pid_t pid;

	if (!j)
		return -ENOMEM;
	pid = start(j->user, j->group, j->argv);
	free_job(j);
	return pid;
}

static void say_result(const char *name, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		log_err("cannot run %s: it is not there", name);
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 126)
		log_err("cannot run %s: not executable, or not allowed to be its user", name);
	else if (WIFEXITED(status) && WEXITSTATUS(status))
		log_warn("%s ended with status %d", name, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		log_warn("%s was killed by signal %d", name, WTERMSIG(status));
}

void scripts_run_and_wait(struct scripts *s, const struct conf_script *c, int64_t timeout_ms)
{
	pid_t pid;
	int fd, status = 0;

	if (!c->argv)
		return;
	pid = scripts_spawn(s, c);
	if (pid < 0) {
		log_err("cannot run %s: %s", c->argv[0], strerror((int)-pid));
		return;
	}
	fd = pidfd_open(pid, 0);
	if (fd >= 0 &&
	    poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, (int)timeout_ms) == 0) {
		log_err("%s runs for more than %d s: killed", c->argv[0], (int)(timeout_ms / 1000));
		kill(-pid, SIGKILL);
		kill(pid, SIGKILL); /* before it made its group */
	}
	if (fd >= 0)
		close(fd);
	if (waitpid(pid, &status, 0) == pid)
		say_result(c->argv[0], status);
}

void scripts_run(struct scripts *s, uint64_t object, const struct conf_script *c,
		 const char *const extra[SCRIPT_EXTRA_MAX])
{
	struct job *j;

	if (!c->argv)
		return;
	j = s->n < SCRIPT_QUEUE_MAX ? make_job(s, object, c, extra) : NULL;
	if (!j) {
		log_err("%s is not run: %s", c->argv[0],
			s->n < SCRIPT_QUEUE_MAX ? "out of memory" : "too many scripts are waiting");
		return;
	}
	wait_in_line(s, j);
	run_ready(s);
}

bool scripts_reap(struct scripts *s, pid_t pid, int status)
{
	struct job *j;

	TAILQ_FOREACH (j, &s->jobs, entry) {
		if (j->pid != pid)
			continue;
		say_result(j->argv[0], status);
		drop(j);
		run_ready(s);
		return true;
	}
	return false;
}

bool scripts_idle(const struct scripts *s)
{
	return TAILQ_EMPTY(&s->jobs);
}

void scripts_hurry(struct scripts *s)
{
	s->ends = true;
	loop_arm(s->patience, loop_now_ns(s->loop));
}

size_t scripts_waiting(const struct scripts *s)
{
	return s->n;
}

/* ---- Those that nobody waits for any more ---- */

static void see_off(struct leaver *v, int patience_ms)
{
	if (!poll(&(struct pollfd){.fd = v->fd, .events = POLLIN}, 1, patience_ms))
		kill(-v->pid, SIGKILL);
	close(v->fd);
	loop_remove(v->timer);
	LIST_REMOVE(v, entry);
	free(v);
}

static void on_leave(struct loop *l, void *userdata)
{
	see_off(userdata, 0);
}

/* Without memory or a pidfd it may go on. */
void scripts_let_go(struct scripts *s, pid_t pid)
{
	struct leaver *v = calloc(1, sizeof(*v));

	kill(-pid, SIGTERM);
	kill(pid, SIGTERM); /* before it made its group */
	if (!v)
		return;
	*v = (struct leaver){.pid = pid, .fd = pidfd_open(pid, 0)};
	if (v->fd < 0 || loop_add_timer(s->loop, on_leave, v, &v->timer) < 0) {
		if (v->fd >= 0)
			close(v->fd);
		free(v);
		return;
	}
	LIST_INSERT_HEAD(&s->leavers, v, entry);
	loop_arm(v->timer, loop_now_ns(s->loop) + LEAVE_MS * NS_PER_MS);
}

static void see_all_off(struct scripts *s)
{
	uint64_t end_ns = loop_clock_ns() + LEAVE_MS * NS_PER_MS;

	while (!LIST_EMPTY(&s->leavers)) {
		uint64_t now_ns = loop_clock_ns();

		see_off(LIST_FIRST(&s->leavers), now_ns < end_ns ? (int)((end_ns - now_ns) / NS_PER_MS) : 0);
	}
}

/* ---- Another program takes the process over ---- */

/* NULL: out of memory. */
static json_t *freeze_argv(char *const *from)
{
	json_t *argv = json_array();

	for (; *from; from++) {
		if (json_array_append_new(argv, bytes_to_json(*from)) < 0) {
			json_decref(argv);
			return NULL;
		}
	}
	return argv;
}

/* NULL: it does not go along, and that is said. */
static json_t *freeze_job(const struct job *j)
{
	json_t *argv = freeze_argv(j->argv);

	if (!argv) {
		log_err("%s is not %s after the upgrade: out of memory", j->argv[0], j->pid ? "waited for" : "run");
		return NULL;
	}
	return json_pack("{s:I, s:o, s:o?, s:o?, s:i, s:I}", "object", (json_int_t)j->object, "argv", argv, "user",
			 j->user ? bytes_to_json(j->user) : NULL, "group", j->group ? bytes_to_json(j->group) : NULL, "pid", (int)j->pid, "started_ns", (json_int_t)j->started_ns);
}

json_t *scripts_freeze(const struct scripts *s)
{
	json_t *jobs = json_array(), *leavers = json_array();
	const struct job *j;
	const struct leaver *v;

	TAILQ_FOREACH (j, &s->jobs, entry)
		json_array_append_new(jobs, freeze_job(j));
	LIST_FOREACH (v, &s->leavers, entry)
		if (!poll(&(struct pollfd){.fd = v->fd, .events = POLLIN}, 1, 0))
			json_array_append_new(leavers, json_integer(v->pid));
	return json_pack("{s:o, s:o}", "jobs", jobs, "leavers", leavers);
}

static char *text_of(const json_t *o, const char *key)
{
	return bytes_from_json(json_object_get(o, key));
}

static void thaw_job(struct scripts *s, const json_t *from)
{
	const json_t *argv = json_object_get(from, "argv");
	struct job *j = calloc(1, sizeof(*j));
	bool whole;

	if (!j)
		return;
	*j = (struct job){.scripts = s,
			  .object = (uint64_t)json_integer_value(json_object_get(from, "object")),
			  .argv = calloc(json_array_size(argv) + 1, sizeof(*j->argv)),
			  .user = text_of(from, "user"),
			  .group = text_of(from, "group"),
			  .pid = (pid_t)json_integer_value(json_object_get(from, "pid")),
			  .started_ns = (uint64_t)json_integer_value(json_object_get(from, "started_ns"))};
	whole = j->argv;
	for (size_t i = 0; whole && i < json_array_size(argv); i++) {
		j->argv[i] = bytes_from_json(json_array_get(argv, i));
		whole = j->argv[i];
	}
	if (!whole || !j->argv[0]) {
		log_err("a script of before the upgrade is not %s: out of memory", j->pid ? "waited for" : "run");
		free_job(j);
		return;
	}
	wait_in_line(s, j);
}

void scripts_thaw(struct scripts *s, const json_t *frozen)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(frozen, "jobs"), i, one) thaw_job(s, one);
	json_array_foreach(json_object_get(frozen, "leavers"), i, one)
		scripts_let_go(s, (pid_t)json_integer_value(one));
	run_ready(s);
}

/* ---- Life ---- */

void scripts_configure(struct scripts *s, const struct conf *c)
{
	umask(c->globals.umask == CONF_UNSET ? s->umask : (mode_t)c->globals.umask);
	free(s->user);
	free(s->group);
	s->user = copy(c->globals.script_user);
	s->looked = false;
	s->group = copy(c->globals.script_group);
}

int scripts_new(struct loop *l, struct scripts **ret)
{
	struct scripts *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	TAILQ_INIT(&s->jobs);
	LIST_INIT(&s->leavers);
	s->loop = l;
	s->umask = umask(0);
	umask(s->umask);
	r = loop_add_timer(l, on_patience, s, &s->patience);
	if (r < 0) {
		free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void scripts_free(struct scripts *s)
{
	if (!s)
		return;
	while (!TAILQ_EMPTY(&s->jobs))
		drop(TAILQ_FIRST(&s->jobs));
	see_all_off(s);
	loop_remove(s->patience);
	free(s->user);
	free(s->group);
	free(s);
}
