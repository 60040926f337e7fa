/* SPDX-License-Identifier: MIT */
/*
 * A TCP server for tests that does what a script says and nothing on its own: no thread, no clock. Each
 * peer_step accepts who knocks and takes every connection one step further, so a test decides when the
 * server is slow, in which pieces it answers and how it ends.
 */
#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <netinet/in.h>

#define PEER_CONNECTIONS_MAX 32
#define PEER_RECEIVED_MAX 4096

enum peer_end { PEER_STAYS, PEER_CLOSES, PEER_RESETS };

struct peer_script {
	unsigned int hold; /* steps before anything is accepted */
	size_t listen_for; /* bytes to receive before the reply begins */
	const void *reply;
	size_t reply_len;
	size_t chunk;	   /* bytes of the reply per step; 0: all in one */
	enum peer_end end; /* after the reply */
	bool deaf;	   /* never accepts, and its backlog is full: a connect hangs */
};

struct peer_connection {
	int fd; /* -1: none */
	size_t received, sent;
};

struct peer {
	struct peer_script script;
	struct sockaddr_in address; /* 127.0.0.1 and the port it listens on */
	int listener;
	int filler[4]; /* deaf: they fill the backlog */
	struct peer_connection connection[PEER_CONNECTIONS_MAX];
	unsigned int steps, accepted;
	struct sockaddr_in last_client;
	uint8_t received[PEER_RECEIVED_MAX]; /* of the last connection that spoke */
	size_t received_len;
};

/* Asserts (cmocka) on failure. */
void peer_open(struct peer *p, const struct peer_script *script);
void peer_step(struct peer *p);
void peer_close(struct peer *p);

#endif
