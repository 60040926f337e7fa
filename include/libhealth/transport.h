/* SPDX-License-Identifier: MIT */
/*
 * What lies between a socket and a dialogue: TLS. libhealth itself knows no cryptography; libhealth-tls
 * (libhealth/tls.h) makes a transport of OpenSSL, and a host may bring its own. Give it to a check in
 * health_check_opts.transport: an "https" probe is the http probe over a transport, a "tls" probe is
 * the tcp probe over one.
 *
 * A transport works on a connected, non-blocking stream socket, which stays the engine's: it reads and
 * writes, raises no SIGPIPE, never blocks and never closes. The engine polls the socket for both
 * directions and calls again when it is ready.
 */
#ifndef LIBHEALTH_TRANSPORT_H
#define LIBHEALTH_TRANSPORT_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <libhealth/filter.h>
#include <libhealth/probe.h>
#include <libhealth/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* "Call again when the socket is ready": what handshake, receive and send return besides results. */
#define HEALTH_TRANSPORT_AGAIN (-EAGAIN)

/* What a handshake has shown. The engine zeroes it; strings live as long as the channel. */
struct health_transport_report {
	const char *alpn; /* the protocol chosen; NULL: none */
	/* Unix time (UTC, seconds) when the first of the server's certificates expires; 0: unknown. */
	int64_t expires_s;
	/* Not HEALTH_NEUTRAL: what a success of this check is turned into (a certificate about to
	 * expire), with `text` to say why. */
	enum health_verdict at_best;
	uint32_t resumed; /* not 0: an earlier session was taken up again */
	/* Not 0: a check that only shakes hands should read on for a moment: the server is about to send
	 * what makes the next handshake cheaper (TLS 1.3 tickets). The engine then calls receive once the
	 * socket is readable, or after HEALTH_TRANSPORT_LINGER_NS, and ignores what it says. */
	uint32_t linger;
	char text[HEALTH_TEXT_MAX]; /* why it failed, or of at_best; printable */
	uint32_t plain; /* not 0: what stands is a connection without TLS (a check of it alone is HEALTH_CODE_L4OK) */
	uint32_t code;	/* enum health_code of a failure; 0: HEALTH_CODE_L6RSP */
};

#define HEALTH_TRANSPORT_LINGER_NS UINT64_C(50000000) /* 50 ms */

/* A target is what the checks of one server remember between runs; a channel is one connection. */
struct health_transport_ops {
	size_t size;
	const char *name; /* "tls"; static */
	/* Called by health_check_add and when the check is removed. 0 or -errno. */
	int (*target_new)(void *config, void **ret_target);
	void (*target_free)(void *target);
	/* Begins a channel on the connected `fd`. 0 or -errno: the checker's own trouble. */
	int (*begin)(void *target, int fd, void **ret_channel);
	/* 0: the channel stands, *ret is filled; HEALTH_TRANSPORT_AGAIN; another -errno: it failed,
	 * ret->text says why. */
	int (*handshake)(void *channel, struct health_transport_report *ret);
	/* Bytes, 0 when the peer closed, HEALTH_TRANSPORT_AGAIN, or -errno. `len` is at least 16384, which a TLS
	 * record fits in: whatever is decoded has to be handed out, for the engine asks again only when the
	 * socket is readable. */
	ssize_t (*receive)(void *channel, void *data, size_t len);
	/* Bytes taken (> 0), HEALTH_TRANSPORT_AGAIN, or -errno. Called again with the same bytes. */
	ssize_t (*send)(void *channel, const void *data, size_t len);
	/* Ends the channel; `polite`: the peer is told (close_notify) if that does not block. */
	void (*end)(void *channel, bool polite);
};

/* A transport, for health_check_opts. The check copies it and keeps a target of its own. */
struct health_transport {
	size_t size;
	const struct health_transport_ops *ops; /* static; all entries are required */
	void *config;				/* of target_new */
};

#ifdef __cplusplus
}
#endif
#endif
