/* SPDX-License-Identifier: MIT */
/* Inside the process that checks real servers. */
#ifndef VIPD_HEALTH_H
#define VIPD_HEALTH_H

#include <libha/nl_transport.h>
#include <libhealth/health.h>

#include "loop.h"
#include "msg.h"
#include "process.h"
#include "health/quorum.h"

struct health;
struct tls_contexts;

struct real_state {
	const struct conf_real *conf;
	unsigned checks, passing;
	bool lost, found;      /* a check was known to fail, or pass, when health began: news */
	int64_t weight_change; /* sum of its probes' */
	struct order_real order;
};

struct virtual_state {
	struct health *health;
	const struct conf_virtual *conf;
	uint32_t index;
	struct quorum quorum;
	struct quorum_real *real; /* in the order of the configuration */
	struct real_state *state;
	size_t first_real, first_probe; /* its first ones in arrays of all */
	size_t n_probes;
	struct shared_virtual *slot;
	bool waits; /* in health.waiting */
	struct virtual_state *next_waiting;
};

/*
 * A check of a real server. Those that ask the same server the same thing, for several virtual servers,
 * are on the wire only once: the first of them is the leader, the others hear what it hears.
 */
struct probe {
	struct virtual_state *virtual;
	uint32_t real;
	bool passes;
	int32_t weight_change; /* what it adds to the weight */
	const struct conf_check *conf;
	struct shared_check *slot;
	struct probe *leader;	    /* itself, unless another one asks for it */
	struct probe *next;	    /* the next one with the same leader */
	struct health_check *check; /* of the leader; NULL: the supervisor tells it */
};

struct health {
	const struct birth *birth;
	struct loop *loop;
	struct health_engine *engine;
	struct tls_contexts *tls;
	struct virtual_state *virtuals;
	size_t n_virtuals, n_reals;
	struct virtual_state *waiting; /* changed in this turn: health_tell_waiting */
	int32_t *weight; /* room for those of one virtual server */
	struct probe *probes;
	size_t n_probes;
	struct probe **misc; /* those whose script the supervisor runs, in its order */
	uint32_t asked;	     /* number of the last question to the kernel process */
	struct ha_nl_transport suspend_socket;
	bool has_suspend_socket; /* health_suspend_prepare opened it */
	uint64_t late_said_ns;	 /* of schedule_is_late */
	uint64_t deaf_until_ns;	 /* it did not answer the last one: none is put to it before */
	char text[HEALTH_TEXT_MAX + 64]; /* how the last check ended, for the line about a change */
};

static inline const struct conf_real *probe_real(const struct probe *p)
{
	return p->virtual->state[p->real].conf;
}

/* health/check.c: from the configuration to the library */

/* Loads OpenSSL if a check needs it, reads the certificates of SSL_GET: before privileges are given up. 0 or -ENOMEM. */
int tls_contexts_new(const struct conf *c, struct tls_contexts **ret);

/* Begins to check; `up`: that is what it is until a check says otherwise. 0 or -errno. */
int health_start_check(struct health *h, struct probe *p, bool up);

/* health/begin.c: all servers as they begin, and what is news of that is told. 0 or -errno. */
int health_make_all(struct health *h);
int health_start_checks(struct health *h);

/* health/judge.c: what the library's checks say, and what the supervisor says of scripts, files and BFD */
void health_on_result(struct health_check *check, const struct health_result *res, void *probe);
void health_on_transition(struct health_check *check, const struct health_transition *t, void *probe);
void health_on_misc(struct probe *p, bool passes, int exit_code);
void health_on_watch(struct health *h, uint32_t index, int32_t value);
/* With what checks add to it: misc_dynamic, FILE_CHECK. */
int32_t health_weight_of(const struct real_state *r);
/* An exit code of 2 or more, with misc_dynamic. True: the weight is another one. */
bool health_take_exit(struct probe *p, int exit_code);
/* The number in the file of a FILE_CHECK. True: it is well. */
bool health_judge_number(struct probe *p, int32_t number);

/* health/tell.c: the kernel process, the supervisor, the log and those who look hear what changed */

/* The weights of all virtual servers. */
void health_tell_all(struct health *h);
/* Once for all that changed in a turn of the loop: a switch that dies takes many servers with it. */
void health_tell_waiting(struct health *h);
/* Something that the quorum counts is another; the weights are told at the end of the turn. */
void health_recount(struct virtual_state *v);
void health_tell_real(const struct virtual_state *v, uint32_t index, const char *why);
/* A quorum is logged, kept for a successor, told to the supervisor; tell_quorum: all of it. `first`: nothing was said before. */
void health_log_quorum(const struct virtual_state *v, bool first);
void health_keep_quorum(struct virtual_state *v);
void health_send_quorum(struct virtual_state *v, bool first);
void health_tell_quorum(struct virtual_state *v);
/* For those who look: how the check of a probe stands. */
void health_write_live(const struct probe *p, const struct health_check *c);

/* health/main.c: the checks of a virtual server rest, or go on, the first at once. */
void health_set_suspended(struct health *h, uint32_t index, bool suspended);

/*
 * health/suspend.c: follows the addresses of this host, if an ha_suspend wants it. 0 or -errno. Its socket comes
 * before privileges go when the file says how large its buffer is.
 */
int health_suspend_prepare(struct health *h);
int health_suspend_start(struct health *h);

/* health/share.c: gives each probe its leader. 0 or -ENOMEM. */
int health_share(struct health *h);

/*
 * health/socket.c: sockets that need a capability come from the kernel process. Is one of them ever wanted?
 * If so, health_open_socket opens all sockets (health_engine_ops.open_socket, with a struct health).
 */
bool health_wants_sockets(const struct conf *c);
int health_open_socket(const struct health_socket_want *want, void *health);

#endif
