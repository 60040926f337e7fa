/* SPDX-License-Identifier: MIT */
/*
 * What an operator may change while it runs: the runtime API and the statistics page call these, in the control
 * thread. What is set stays over a reload for as long as the configuration says of that setting what it said
 * before.
 */
#ifndef PROXYD_ENGINE_ADMIN_H
#define PROXYD_ENGINE_ADMIN_H

#include "objects.h"

/* NULL: there is none in the running configuration. */
struct backend *admin_backend(const struct engine *e, const char *name);
struct frontend *admin_frontend(const struct engine *e, const char *name);
struct server *admin_server(const struct engine *e, const char *backend, const char *server);

enum admin_state {
	ADMIN_READY,
	ADMIN_DRAIN,
	ADMIN_MAINT,
};

/* 0 or -errno. */
int admin_set_state(struct engine *e, struct server *s, enum admin_state state);
int admin_set_weight(struct engine *e, struct server *s, unsigned weight);
/* New connections go there, and checks. */
int admin_set_addr(struct engine *e, struct server *s, const struct cfg_addr *addr);
/* -ENOENT: it has no check. */
int admin_set_check_port(struct engine *e, struct server *s, unsigned port);
int admin_set_check_addr(struct engine *e, struct server *s, const struct cfg_addr *addr);

/* agent.c. -ENOENT: it has none. NULL and 0 leave what is. */
int admin_enable_agent(struct server *s, bool on);
int admin_set_agent(struct engine *e, struct server *s, const struct cfg_addr *addr, unsigned port, const char *send);
/* As if it had said that. */
int admin_set_agent_verdict(struct server *s, bool up);

/* Dynamic cookies of a backend that has a cookie line, and their key: until the next configuration. 0 or -ENOMEM. */
void admin_set_dynamic_cookie(const struct backend *b, bool on);
int admin_set_cookie_key(const struct backend *b, const char *key);

int admin_set_maxconn(struct engine *e, struct server *s, unsigned maxconn);

/*
 * edit.c: adds a server, in maintenance; `word` is what stands behind "server" in a file. 0, and in `text` what was
 * found, or nothing; or -errno, and why. And removes one that is in maintenance and has no connections.
 */
int admin_add_server(struct engine *e, const struct backend *b, const char *const *word, size_t n, char *text, size_t cap);
int admin_del_server(struct engine *e, struct server *s, char *text, size_t cap);
/* Why it cannot be removed now; NULL: it can. May_come: nothing but its connections is in the way. */
const char *admin_keeps_server(const struct server *s, bool *ret_may_come);

enum admin_health {
	ADMIN_HEALTH_UP,
	ADMIN_HEALTH_STOPPING,
	ADMIN_HEALTH_DOWN,
};
/* The checks, if it has any, go on from there. */
int admin_set_health(struct engine *e, struct server *s, enum admin_health health, uint64_t now_ns);

/* Its checks rest, its state stays. -ENOENT: it has none. */
int admin_set_checks(struct server *s, bool on);

/* Its sessions end, each in the thread that has it; who waits for an answer is told that there will be none. */
void admin_kill_sessions(struct engine *e, struct server *s);

/* `max` 0: as configured. */
void admin_set_frontend_maxconn(struct engine *e, const struct frontend *f, uint32_t max);
void admin_set_global_maxconn(struct engine *e, uint32_t max);

/* Nothing more is accepted; what comes waits in the socket's queue until it is enabled again. */
void admin_pause(struct engine *e, const struct frontend *f, bool pause);

/* Closes its sockets; a reload opens them anew. 0 or -ENOMEM. */
int admin_shut(struct engine *e, const struct frontend *f);

/* Highest values, or everything. False: no memory. */
bool admin_clear_counters(struct engine *e, bool all);

#endif
