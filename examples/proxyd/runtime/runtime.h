/* SPDX-License-Identifier: MIT */
/*
 * The runtime API: HAProxy's "stats socket". All of it runs in the control thread; what only a worker knows is
 * asked of it by a command, and the answer comes in a later turn.
 *
 *	socket.c    the sockets
 *	conn.c      a client: lines in, text out
 *	commands.c  the table of commands, levels, help
 *	absent.c    those of HAProxy's that are not offered
 *	show.c agent.c dynamic.c errors.c events.c getsocks.c resolvers.c map.c table.c server.c sessions.c tls_*.c var.c wait.c   the commands
 */
#ifndef PROXYD_RUNTIME_RUNTIME_H
#define PROXYD_RUNTIME_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "cfg/cfg.h"
#include "engine/engine.h"
#include "line.h"
#include "loop.h"
#include "stats/out.h"

#define RUNTIME_SOCKETS_MAX 16
#define RUNTIME_CONNECTIONS 10 /* HAProxy's default of "stats maxconn" */
#define RUNTIME_TIMEOUT_NS UINT64_C(10000000000)

struct runtime;
struct runtime_conn;

/* `reload` is called by the command "reload". */
struct runtime_opts {
	struct engine *engine;
	const char *(*startup_logs)(void); /* what was told before it ran */
	void (*reload)(void *userdata);
	void *userdata;
};
int runtime_new(const struct runtime_opts *o, struct runtime **ret);
void runtime_free(struct runtime *r);

/*
 * Opens the sockets of `cfg` that are not open yet and closes those that it does not have. Before the privileges
 * are dropped. False: one cannot be opened, ret_error says which and why; the others are.
 */
bool runtime_apply(struct runtime *r, const struct cfg *cfg, char *ret_error, size_t cap);

/* The master's socket of -S, a unix path or fd@N: as a stats socket of level admin, and mode 600. */
bool runtime_open_master(struct runtime *r, const char *address, char *ret_error, size_t cap);

/* Joins the loop, which is not there yet when the sockets are opened. 0 or -errno. */
int runtime_join(struct runtime *r, struct loop *l);

/* ---- Inside ---- */

/* A command at work. */
struct call {
	struct runtime *r;
	struct runtime_conn *conn;
	struct engine *e;
	const char *const *word; /* behind the command's name */
	size_t n;
	const char *payload; /* NULL: none */
	enum cfg_stats_level level;
	uint64_t now_ns;
	struct out *out;
	bool ranked; /* what it says has its severity, or is to have none */
};

/* The command ends with this message, an error. Its severity stands before it, if the client wants that (severity-output). */
__attribute__((format(printf, 2, 3))) void call_say(struct call *c, const char *format, ...);
/* The same, when it is no error: of a level of <syslog.h>, or CALL_TEXT: no message, but what was asked for. */
#define CALL_TEXT (-1)
__attribute__((format(printf, 3, 4))) void call_note(struct call *c, int level, const char *format, ...);
/* The word at i; "" past the end. */
const char *call_word(const struct call *c, size_t i);

/* It cannot be answered now: nothing more of this line is run until runtime_resume. */
void call_wait(struct call *c);
/*
 * The answer goes on: `more` adds to it ten times a second, until the client sends anything or it returns false; `end` then
 * frees `arg`.
 */
typedef bool runtime_more(void *arg, struct out *out);
void runtime_follow(struct call *c, runtime_more *more, void (*end)(void *arg), void *arg);

/* As that, whatever the client sends meanwhile, which is run behind it: until `more` returns false, asked at until_ns at the latest. */
struct loop *runtime_wait(struct call *c, uint64_t until_ns, runtime_more *more, void (*end)(void *arg), void *arg);

/* The rest of the answer; `conn` as call.conn was, which may be gone by now: NULL then. */
void runtime_resume(struct runtime *r, uint64_t conn, const char *text, size_t len);
uint64_t call_id(const struct call *c);

/* Runs the reload of runtime_opts. */
void runtime_reload(struct call *c);

void runtime_set_level(struct runtime_conn *c, enum cfg_stats_level level);
void runtime_set_severity(struct runtime_conn *c, enum cfg_severity severity);
/* With how long the process has run, if `timed`. */
void runtime_set_timed(struct runtime_conn *c, bool timed);
bool runtime_is_timed(const struct runtime_conn *c);
void runtime_set_prompt(struct runtime_conn *c, bool prompt);
bool runtime_has_prompt(const struct runtime_conn *c);
void runtime_set_interactive(struct runtime_conn *c, bool interactive);
const char *runtime_startup_logs(const struct call *c);
void runtime_quit(struct runtime_conn *c);
void runtime_set_timeout(struct runtime_conn *c, uint64_t timeout_ns);
/* Where sockets may be passed on (expose-fd); -1: they may not. */
int runtime_exposing_fd(const struct runtime_conn *c);
bool runtime_is_master(const struct runtime_conn *c);
void runtime_list_sockets(const struct runtime *r, struct out *o);
const char *runtime_level_name(enum cfg_stats_level level);

typedef void command_fn(struct call *c);
struct command_info {
	const char *name; /* one to three words */
	enum cfg_stats_level level;
	command_fn *fn;
	const char *usage, *help;
};
extern const struct command_info runtime_commands[];

struct server;
/* "BACKEND/SERVER" at word i; NULL: there is none, and that was said. */
struct server *runtime_find_server(struct call *c, size_t i);

/* agent.c: "set server" with one of those words. */
void set_server_agent(struct call *c, struct server *s, const char *what, const char *value);
void set_server_check(struct call *c, struct server *s, const char *what, const char *value);

/* Runs one command. On the master's socket it may begin with @master, @1 or @!PID: there is one process. */
void runtime_run(struct call *c, struct line_command *line);

/* absent.c: one that this version does not offer? Then that is said. */
bool runtime_absent(struct call *c, const struct line_command *line);

command_fn run_help, run_prompt, run_quit, run_level, run_mode, run_set_severity, run_show_startup_logs;
command_fn run_show_info, run_show_stat, run_show_backend, run_show_servers_state, run_show_servers_conn, run_show_env,
	run_show_version, run_show_schema, run_show_activity, run_show_threads, run_show_pools, run_show_fd,
	run_show_sockets, run_show_level, run_show_proc, run_reload, run_show_errors, run_clear_counters,
	run_show_resolvers, run_show_libs;
command_fn run_add_server, run_del_server, run_show_events, run_show_peers, run_wait, run_getsocks;
command_fn run_get_proc_var, run_set_proc_var;
command_fn run_show_table, run_set_table, run_clear_table;
command_fn run_get_weight, run_set_weight, run_set_server, run_enable_server, run_disable_server, run_enable_health,
	run_disable_health, run_agent, run_enable_frontend, run_disable_frontend, run_shutdown_frontend,
	run_set_rate_limit, run_dynamic_cookie, run_set_cookie_key, run_set_maxconn_server, run_set_maxconn_frontend, run_set_maxconn_global, run_set_timeout;
command_fn run_show_map, run_get_map, run_add_map, run_set_map, run_del_map, run_clear_map, run_prepare_map, run_commit_map;
command_fn run_show_sess, run_shutdown_session, run_shutdown_sessions;
command_fn run_new_ssl_file, run_set_ssl_file, run_commit_ssl_file, run_abort_ssl_file, run_del_ssl_file, run_show_ssl_file;
command_fn run_add_ssl_list, run_del_ssl_list, run_show_ssl_list, run_show_ssl_ocsp, run_set_ssl_ocsp, run_show_tls_keys, run_set_tls_key, run_show_ssl_providers;

#endif
