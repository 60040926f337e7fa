/* SPDX-License-Identifier: MIT */
/* The control thread's side: engine.c composes it of sets (set.c), pools, listeners and checks. */
#ifndef PROXYD_ENGINE_CONTROL_H
#define PROXYD_ENGINE_CONTROL_H

#include <string.h>

#include "objects.h"

/* ---- set.c ---- */

/*
 * Builds what is new, opens what is not open yet, and changes nothing that runs. NULL: *ret_error
 * says why. The set owns cfg from then on, and holds the memory of the edits, which it copies.
 */
struct set *set_new(struct engine *e, struct cfg *cfg, const struct set_edit *edit, size_t n_edits, unsigned maxconn,
		    char *ret_error, size_t cap);

/* Frees it and what no other set uses; cfg too unless `keep_cfg`. */
void set_free(struct set *s, bool keep_cfg);

/* ---- engine.c ---- */

/* The running configuration with these edits in place of those it has. 0, or -errno and *ret_error. */
int engine_edit(struct engine *e, const struct set_edit *edit, size_t n, char *ret_error, size_t cap);

/* ---- log.c ---- */

/* A console that nobody reads must not stop the traffic: makes it non-blocking, as HAProxy does. */
void session_log_prepare(const struct cfg_logs *logs);

/* ---- listener.c ---- */

/* The listener of this text, with one more reference; opened when it is new, or an operator closed it and it need
 * not stay so. NULL: see error. */
struct listener *listener_get(struct engine *e, const struct cfg_bind *b, unsigned backlog, bool stays_shut,
			      char *ret_error, size_t cap);
void listener_put(struct engine *e, struct listener *l);
/* How many sockets listen where that one does, in whatever process; 0 if the kernel does not tell. steer.c */
unsigned listener_count(int fd);
/* Tunes the sockets of a listener that was opened before, as its bind line says now. */
void listener_tune(struct listener *l, const struct cfg_tcp *t);

/* ---- requeue.c ---- */

/* Loads the program; with CAP_BPF, which root has. A descriptor or -errno. */
int requeue_open(void);
/* For all sockets of the address of this one, also those of other processes. False: it is as it was. */
bool requeue_attach(int program, int fd);

/* ---- pool.c ---- */

/* So many are found fast. False: no memory. */
bool pools_make_room(struct engine *e, size_t n);
struct pool *pool_get(struct engine *e, const struct cfg_proxy *p);
void pool_put(struct engine *e, struct pool *p);
struct server *server_get(struct engine *e, const struct backend *b, const struct cfg_server *c);
void server_put(struct server *s);

/* The server that a line of `proxy` stands for, in `set`, which is the last one; NULL: there is none. */
struct server *server_find(const struct engine *e, const struct set *set, const struct cfg_proxy *proxy,
			   const struct cfg_server *c);

/* Makes the group what the set says, all at once. 0 or -errno. */
int pool_sync(struct pool *p, const struct set *set, const struct backend *b);

/* slowstart: when a server's share is to grow next (UINT64_MAX: none is in it), and that. */
uint64_t pools_deadline(const struct engine *e);
void pools_tick(struct engine *e, uint64_t now_ns);
/* How much of its weight a server has by then, in percent: 1 to 100. */
unsigned server_share(const struct server *s, uint64_t now_ns);

/* A server came up or went down: publishes that, and tells it; `why` stands behind "is DOWN". */
void server_set_up(struct engine *e, struct server *s, bool up, bool draining, const char *why);

/* What the group is to know of the server now, for all to see. */
int server_publish(struct engine *e, struct server *s);

/* ---- log/proxy.c ---- */

/* To the daemon's log and the section's. */
void proxy_tell(const struct set *set, const struct cfg_proxy *p, int level, const char *text);
void frontend_tell_paused(const struct frontend *f, bool paused);
void frontend_tell_stopped(const struct frontend *f);
/* All that are not shut yet. */
void proxies_tell_stopped(const struct set *set);

/* ---- log/server.c ---- */

/* HAProxy's words, of the field check_desc, too. */
const char *check_code_text(enum health_code code);
/* health_check_status() of its check, as HAProxy tells it; -ENOENT: it has none. */
int check_status(const struct server *s, struct health_check_status *ret);
/* ", reason: …, check duration: 0ms" of the last check; "" without one. */
void check_reason(const struct server *s, char *buf, size_t cap);
/* What is told of how the last check went, without its code; "": no more. */
void check_info(const struct server *s, const struct health_check_status *c, char *buf, size_t cap);

/* To the daemon's log and the section's. */
__attribute__((format(printf, 3, 4))) void server_note(const struct server *s, int level, const char *format, ...);
/* The same of "Server B/S …". */
__attribute__((format(printf, 3, 4))) void server_tell(const struct server *s, int level, const char *format, ...);
/* The same with what servers are left, and server_tell_none(). Once it is published. */
enum server_change {
	SERVER_UP,
	SERVER_DRAINS,
	SERVER_STOPS,  /* the same, by its check, of which there is no mail */
	SERVER_DOWN,
	SERVER_LEAVES, /* for maintenance, of which there is no mail */
};
void server_tell_left(const struct server *s, enum server_change change, const char *what);
/* That new connections have nowhere to go, if that came with the change of this server that was published last. */
void server_tell_none(const struct server *s);
/* option log-health-checks */
void server_tell_check(const struct server *s, bool well, bool conditionally);
/* The same of its agent. */
void server_tell_agent(const struct server *s, bool well, bool up, const char *reason);

/* ---- admin.c ---- */

/*
 * Takes over what the configuration says of weight, maxconn and "disabled", where that is another word than before. What it repeats is
 * not taken: an operator may have said something else since.
 */
void server_admin_read(struct server *s, const struct cfg_server *c);
void frontend_admin_read(const struct frontend *f, uint32_t maxconn);

/* The server went up or down now: for the statistics. */
void server_changed(struct server *s, bool up);

/* Computes its dynamic cookie anew: its address, or its section's key, is another one. */
void server_hash_cookie(struct server *s);
/* A new configuration: what an operator said of dynamic cookies no longer counts. */
void admin_forget_cookies(struct engine *e);

/* Moves the server to that address, without a log line. 0 or -ENOMEM; another -errno: it was moved, but its check was not. */
int server_move(struct engine *e, struct server *s, const struct cfg_addr *addr);

/* ---- resolve.c: names of servers, asked for at run time ---- */

int resolve_new(struct engine *e);
void resolve_free(struct engine *e);

/* Asks for the names that servers of the set have, and no more for others. */
void resolve_sync(struct engine *e, const struct set *set);
void resolve_end(struct server *s);

/* An operator gives the server another name. -ENOENT: it has no `resolvers`. */
int resolve_rename(struct engine *e, struct server *s, const char *name);

/* The name that is asked for now, and that of the SRV record it is from; NULL: none. */
const char *resolve_name(const struct server *s);
const char *resolve_srv(const struct server *s);

/* ---- marked.c: sessions that are ended ---- */

/*
 * hard-stop-after: `by` runs now. Sessions of sets of other configurations are ended when the time that their own configuration gives them
 * is over: at sets_deadline() (UINT64_MAX: never), by sets_tick().
 */
void sets_superseded(struct engine *e, const struct cfg *by, uint64_t now_ns);
uint64_t sets_deadline(const struct engine *e);
void sets_tick(struct engine *e, uint64_t now_ns);

/* It was published that `s` serves, or that it no longer does: ends sessions as on-marked-up and on-marked-down say. */
void server_marked(struct engine *e, struct server *s);

/* ---- follow.c: `track` ---- */

/* The state of `s` is to be that of `tracked`, from the next change on. NULL: its own. */
void server_track(struct server *s, struct server *tracked);

/* Servers track each other as the lines of the set say, and take over the state of whom they track. */
void tracks_sync(struct engine *e, const struct set *set);

/* The state of `s` changed: so does that of its trackers. */
void trackers_follow(struct engine *e, const struct server *s);

/* Where connections to the server of this line come from; NULL: the system's choice. */
static inline const struct cfg_source *source_of(const struct cfg_server *c, const struct cfg_proxy *p)
{
	return c->source ? c->source : p->set.source;
}

/* What its sockets are told; NULL: nothing. */
static inline const struct cfg_tcp *tcp_of(const struct cfg_server *c)
{
	static const struct cfg_tcp nothing;

	return memcmp(&c->tcp, &nothing, sizeof(nothing)) != 0 ? &c->tcp : NULL;
}

/* ---- checks.c ---- */

int checks_new(struct engine *e);

/* Notes what a check or an agent is made with now, in place of what was noted. 0 or -ENOMEM. */
int check_made_set(struct check_made **made, const struct health_check_opts *o, const struct cfg_netns *netns,
		   const struct cfg_addr *via, const char *text);
/* Would it be made with the same again? */
bool check_made_is(const struct check_made *m, const struct health_check_opts *o, const struct cfg_netns *netns,
		   const struct cfg_addr *via, const char *text);
void check_made_free(struct check_made *m);

/* A copy in memory of its own, in place of what was there. 0 or -ENOMEM. */
int addr_keep(struct cfg_addr **to, const struct cfg_addr *addr);

/* Starts, changes or ends the server's check. 0 or -errno. */
int check_sync(struct engine *e, struct server *s, const struct cfg_server *c,
	       const struct backend *b);
/* The first connection of a check may have its port from an expression: looks what it says now, and checks go there. */
void checks_follow_ports(struct engine *e);

void check_end(struct server *s);

/* Its checks and its agent rest while an operator, or a missing address, says so; else they go on. */
void check_rest(struct server *s);

/*
 * It comes back from maintenance, or has an address now: begins as `init-state` says, without a log line. By default that is, as in
 * HAProxy, up at once, until a first check fails.
 */
void check_start_up(struct server *s);

/* ---- check/first.c ---- */

/* Between the two calls each new check of `set` gets its own moment, so that they are spread; at other times a check begins soon. */
void first_checks_begin(struct engine *e, const struct set *set);
void first_checks_end(struct engine *e);
void first_check_plan(struct engine *e, bool is_new, struct health_check_opts *o);

/* ---- agent.c ---- */

/* Starts, changes or ends the server's agent-check. 0 or -errno. */
int agent_sync(struct engine *e, struct server *s, const struct cfg_server *c, const struct cfg_timeouts *timeouts);
void agent_result(struct server *s, const struct health_result *r);
void agent_end(struct server *s);

/* Of a result of libhealth's; `word`: its status. HAProxy's words for what was said, unless nobody has said it. */
bool agent_is_away(enum health_verdict verdict, enum health_code code, unsigned word);
void agent_tell(enum health_verdict verdict, unsigned word, const char *text, char *buf, size_t cap);

/* ---- checks.c: how long a check of this interval may take ---- */
void check_set_timeouts(uint64_t inter_ns, const struct cfg_timeouts *t, struct health_check_opts *o);

/* ---- check/probe.c ---- */

/* The dialogue that checks of this section have; *ret stays as it is when a connection is enough. 0 or -errno. */
int check_probe(const struct cfg_proxy *p, struct health_probe **ret);

/* The dialogue of this server alone, which the caller frees; *ret stays as it is when there is none. 0 or -errno. */
int check_probe_of_server(const struct backend *b, const struct server *s, const struct cfg_server *c,
			  const struct cfg_addr *target, struct health_probe **ret);

#endif
