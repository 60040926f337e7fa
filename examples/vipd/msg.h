/* SPDX-License-Identifier: MIT */
/*
 * What the four processes say to each other: one fixed struct per message over SOCK_SEQPACKET
 * socketpairs, a descriptor with it at most. Nothing in a message is a pointer or a name: it names
 * instances, addresses and servers by their place in the configuration, which every process has by
 * fork. So the kernel process can hold each request against what the file allows.
 */
#ifndef VIPD_MSG_H
#define VIPD_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include <libha/vrrp.h>
#include <libha/vrrp_link.h>

enum msg_type {
	/* vrrp -> kernel */
	MSG_ADDRESS = 1, /* hold or give up one address of an instance */
	MSG_SOCKET,	 /* open a socket for an instance's link; MSG_DONE brings it */
	/* health -> kernel */
	MSG_DEST,   /* a real server is in, out, or has another weight … */
	MSG_COMMIT, /* … and now all of that is to be so */
	/* health -> supervisor */
	MSG_HEALTH, /* a real server or a quorum went up or down */
	/* kernel -> who asked */
	MSG_DONE, /* the answer to the message of the same seq */
	/* supervisor -> child */
	MSG_PEER, /* a child was restarted: this descriptor is the new channel to it */
	MSG_STOP, /* undo what is to be undone, then exit */
};

enum msg_role {
	MSG_ROLE_SUPERVISOR,
	MSG_ROLE_KERNEL,
	MSG_ROLE_VRRP,
	MSG_ROLE_HEALTH,
	MSG_N_ROLES,
};

#define MSG_SORRY UINT32_MAX /* msg_dest.real: the sorry server */

struct msg_address {
	uint32_t instance, address;
	bool hold;
};

struct msg_socket {
	uint32_t instance;
	struct ha_vrrp_socket want;
};

struct msg_dest {
	uint32_t virtual_server, real;
	uint32_t weight;
	bool present;
};

#define MSG_QUORUM (UINT32_MAX - 1) /* msg_health.real: the virtual server itself */

struct msg_health {
	uint32_t virtual_server, real;
	bool up;
	bool notify; /* a change: run the scripts. False: for the record */
};

struct msg_stop {
	bool keep; /* leave in the kernel what is there: -V for addresses, -I for services */
};

struct msg {
	uint32_t type; /* enum msg_type */
	uint32_t seq;  /* the asker's choice; 0: no answer is wanted */
	int32_t error; /* MSG_DONE: 0 or -errno */
	uint32_t role; /* MSG_PEER: enum msg_role */
	union {
		struct msg_address address;
		struct msg_socket socket;
		struct msg_dest dest;
		struct msg_health health;
		struct msg_stop stop;
	};
};

/* Both ends of a channel, non-blocking and close-on-exec. 0 or -errno. */
int msg_channel(int ret_fd[2]);

/*
 * Sends one message, with `pass_fd` unless that is -1 (it stays open here). 0; -EAGAIN: the other side
 * does not read and the socket is full; -EPIPE: it is gone.
 */
int msg_send(int fd, const struct msg *m, int pass_fd);

/*
 * Receives one message. 1: *ret is set, and *ret_fd is a descriptor the caller now owns, or -1. 0: there
 * is none now. -EPIPE: the other side is gone. -EBADMSG: not a message; what came with it is closed.
 */
int msg_receive(int fd, struct msg *ret, int *ret_fd);

#endif
