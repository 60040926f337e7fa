/* SPDX-License-Identifier: MIT */
/* What peers.c, talk.c and section.c have in common. */
#ifndef PROXYD_ENGINE_PEERS_INTERNAL_H
#define PROXYD_ENGINE_PEERS_INTERNAL_H

#include <sys/queue.h>

#include "engine/peers/link.h"
#include "engine/peers/peers.h"
#include "engine/unix_socket.h"

#define SECOND_NS UINT64_C(1000000000)
#define NEVER UINT64_MAX
#define STRANGERS_MAX 16 /* connections that have not said who they are */

struct section;

enum state {
	CONNECTS,  /* ours */
	ASKS,	   /* ours: the greeting is said */
	IS_GREETED, /* theirs: it has not come whole yet */
	RUNS,
	LEAVES, /* what waits is sent, and then it is closed */
};

/* A connection. */
struct talk {
	LIST_ENTRY(talk) entry; /* of its section */
	struct section *section;
	struct peer *peer; /* NULL: nobody knows yet, or no longer */
	enum state state;
	int fd;
	uint64_t deadline_ns; /* of connecting and greeting */
	uint64_t heard_ns, said_ns;
	uint32_t events; /* it is watched for */
	struct link *link;
};

struct peer {
	LIST_ENTRY(peer) entry;
	struct section *section;
	char *name;
	struct cfg_addr addr;
	struct talk *talk; /* NULL: none */
	uint64_t connect_ns, lost_ns; /* when to try; when the last connection that ran ended */
	uint64_t n_told, n_learned;   /* over those that are over */
	bool is_local;		      /* this process; or its successor, which is told all when it is to end, */
	bool is_done;		      /* and has been */
	bool wanted, told;	      /* told: that it refuses us */
};

struct section {
	LIST_ENTRY(section) entry;
	struct peers *peers;
	char *name, *local;
	struct cfg_addr addr; /* ours */
	int fd;
	struct shares shares;
	LIST_HEAD(, peer) list;
	LIST_HEAD(, talk) talks;
	unsigned n_strangers;
	uint64_t accept_ns; /* when the listener is watched again; NEVER: it is */
	bool wanted;
};

#define SECTIONS_MAX 32

/* A listener of a section to come. */
struct prepared {
	struct cfg_addr addr;
	int fd;
	struct unix_file file; /* if it is one */
};

struct peers {
	LIST_HEAD(, section) sections;
	struct prepared prepared[SECTIONS_MAX];
	size_t n_prepared;
	int epoll_fd, wake_fd;
	uint64_t tell_ns; /* when changes are told; NEVER: there are none */
	uint64_t gone_ns; /* draining: until then the end of the process waits for a successor that is told; NEVER: no longer */
	bool is_draining;
};

/* ---- talk.c ---- */

/* epoll points to a talk, or to a section, whose pointer is odd; to nothing for wake_fd. 0 or -1. */
int peers_watch(struct peers *ps, int fd, int op, uint32_t events, uintptr_t who);
struct peer *section_peer(const struct section *s, const char *name, size_t len);

/* Connects. What fails is tried again. */
void talk_to(struct peer *p, uint64_t now_ns);
/* Of a socket, which it owns from then on. NULL: no memory. */
struct talk *talk_new(struct section *s, int fd, enum state state, uint64_t now_ns);
/* Frees it. */
void talk_close(struct talk *t, uint64_t now_ns);
/* It is closed when what waits is sent. */
void talk_leave(struct talk *t, uint64_t now_ns);
/* These three may close it. */
void talk_send(struct talk *t, uint64_t now_ns);
void talk_event(struct talk *t, uint64_t now_ns);
void talk_time(struct talk *t, uint64_t now_ns);
/* When talk_time() is due. */
uint64_t talk_deadline(const struct talk *t);

/* ---- section.c ---- */

void section_free(struct section *s);

#endif
