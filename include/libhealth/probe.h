/* SPDX-License-Identifier: MIT */
/*
 * A probe is a dialogue with a server, without the I/O: bytes in, bytes out, a verdict at the end.
 * The engine (libhealth/health.h) connects, sends, receives, keeps the time and closes; the probe
 * only reads and answers, so that a test plays the server from an array and a fuzzer needs no
 * network.
 *
 * A probe's life, for each check anew:
 *
 *	connected ──► open ──► received* ──► verdict ──► end
 *	               ▲   └─► closed | timeout ──► verdict ──► end
 *	               └────── HEALTH_STEP_TLS, HEALTH_STEP_RECONNECT: a new channel, the same state
 *
 * Every entry of the ops may be NULL; the comment says what the engine does then. With all of them
 * NULL a connection made is the success: that is the TCP probe (health_probe_tcp).
 */
#ifndef LIBHEALTH_PROBE_H
#define LIBHEALTH_PROBE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <libhealth/filter.h>
#include <libhealth/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HEALTH_TEXT_MAX 96	    /* bytes of a result's text, with its 0 */
#define HEALTH_PROBE_NAME_MAX 31    /* characters of a probe's name */
#define HEALTH_PROBE_STATE_MAX 4096 /* bytes of state_size */
/* Bytes a probe may leave unread; with more the check fails with HEALTH_CODE_L7RSP. */
#define HEALTH_PROBE_UNREAD_MAX 16384
#define HEALTH_PROBE_RECONNECTS_MAX 64 /* of one check; one more: HEALTH_CODE_L7RSP */

/*
 * How a check ended, in the codes HAProxy shows (its manual, "check_status" of the CSV): 4 is the
 * connection, 6 is TLS, 7 is the protocol.
 */
enum health_code {
	HEALTH_CODE_UNK = 0,	 /* nothing known */
	HEALTH_CODE_INI = 1,	 /* not checked yet */
	HEALTH_CODE_SOCKERR = 2, /* the checker's own socket failed: no verdict about the target */
	HEALTH_CODE_L4OK = 3,
	HEALTH_CODE_L4TOUT = 4, /* no connection in time */
	HEALTH_CODE_L4CON = 5,	/* refused, reset, unreachable */
	HEALTH_CODE_L6OK = 6,
	HEALTH_CODE_L6TOUT = 7,
	HEALTH_CODE_L6RSP = 8, /* TLS handshake failed */
	HEALTH_CODE_L7OK = 9,
	HEALTH_CODE_L7OKC = 10, /* passed under a condition: draining */
	HEALTH_CODE_L7TOUT = 11,
	HEALTH_CODE_L7RSP = 12, /* not the protocol */
	HEALTH_CODE_L7STS = 13, /* the protocol, and it says no */
	HEALTH_CODE_PROCERR = 14,
	HEALTH_CODE_PROCTOUT = 15,
	HEALTH_CODE_PROCOK = 16,
	HEALTH_CODE_HANA = 17, /* passive: traffic failed, no check did */
};

/* "L4OK", "L4TOUT" …; "?" for a number without a name. Static; any thread. */
LIBHEALTH_API const char *health_code_name(enum health_code code);

/* How far a check came. */
enum health_phase {
	HEALTH_PHASE_SOCKET = 0, /* no socket yet */
	HEALTH_PHASE_CONNECT = 1,
	HEALTH_PHASE_TLS = 2,
	HEALTH_PHASE_TALK = 3,
	HEALTH_PHASE_PASSIVE = 4, /* not a check: reported by the host */
	HEALTH_PHASE_NAME = 5,	  /* looking the name up, which comes before all */
};

/* "socket", "connect" …; "?" for a number without a name. Static; any thread. */
LIBHEALTH_API const char *health_phase_name(enum health_phase phase);

/* What a probe wants next. */
enum health_step {
	/* Send io->send if there is any, then wait for the server. */
	HEALTH_STEP_MORE = 0,
	/* The verdict stands in io; io->send goes out if the socket takes it at once. */
	HEALTH_STEP_DONE = 1,
	/* Send io->send, then begin TLS here (STARTTLS); `open` is called again when it stands. Bytes
	 * received and not consumed fail the check: a stranger could have slipped them in before the
	 * encryption. The check needs a transport and HEALTH_CHECK_STARTTLS; without, or a second time,
	 * the check ends as HEALTH_CODE_SOCKERR. Not for datagrams. */
	HEALTH_STEP_TLS = 2,
	/* Send io->send if the socket takes it at once, close, connect again (to io->to or io->port, if one of
	 * them is said), and call `open`; what was received and not consumed is dropped. Also from `closed`. At
	 * most HEALTH_PROBE_RECONNECTS_MAX times in a check, whose timeout goes on. */
	HEALTH_STEP_RECONNECT = 3,
};

/* An operator's word that an agent passes on (HAProxy's agent-check). */
enum health_admin {
	HEALTH_ADMIN_NONE = 0,
	HEALTH_ADMIN_READY = 1,
	HEALTH_ADMIN_DRAIN = 2,
	HEALTH_ADMIN_MAINT = 3,
};

/* What `weight` of health_advice means. */
enum health_weight {
	HEALTH_WEIGHT_NONE = 0,	    /* nothing was said */
	HEALTH_WEIGHT_ABSOLUTE = 1, /* this weight (agent "weight:30", keepalived's misc_dynamic) */
	HEALTH_WEIGHT_PERCENT = 2,  /* so many percent of the configured one (agent "50%") */
	HEALTH_WEIGHT_OFFSET = 3,   /* the configured one plus this (keepalived's track_file) */
};

/* What a server says of itself beyond up and down. Zero: nothing. For the host; no filter reads it. */
struct health_advice {
	enum health_weight weight_kind;
	int32_t weight;
	enum health_admin admin;
	uint32_t has_maxconn; /* not 0: maxconn was said */
	uint32_t maxconn;     /* connections the server wants at most; 0: no limit */
	uint32_t reserved;    /* 0 */
};

/*
 * One step of a dialogue. The engine zeroes it before each call (but for `consumed` and what is
 * marked "in") and reads it after. The engine grows this struct only at its end: a probe never makes
 * one itself but in tests.
 */
struct health_probe_io {
	uint64_t now_ns; /* in */

	/* out: bytes to send; state or config holds them unchanged until the next call */
	const void *send;
	size_t send_len;

	/* out, received only: how many bytes are done with. Preset to all. When it took some, the
	 * probe gets the rest at once, after its bytes are sent: one line at a time is fine. When
	 * it took none, it gets them again with more behind. */
	size_t consumed;

	/* out, with HEALTH_STEP_DONE */
	enum health_verdict verdict;
	enum health_code code;
	uint32_t status; /* the protocol's own number (HTTP status, DNS rcode); 0: none */
	/* For people, in the server's words if it spoke; never a secret. The engine ends it with 0
	 * and makes it printable. */
	char text[HEALTH_TEXT_MAX];
	struct health_advice advice;

	/* out, with HEALTH_STEP_RECONNECT: the port to connect to, host order; 0: the check's */
	uint16_t port;

	/* in */
	uint16_t family;  /* of the target: AF_INET, AF_INET6, AF_UNIX; 0 in a test that has none */
	uint32_t tls;	  /* not 0: TLS stands below */
	const char *alpn; /* what ALPN chose ("h2"); "" when nothing; never NULL */
	uint64_t nonce; /* another one in each check, from the engine's seed: for ids; no secret */
	/* The two ends, when a raw socket opens; else NULL. For the library's own half-open probe. */
	const struct sockaddr *local, *remote;

	/* out, with HEALTH_STEP_RECONNECT: where to connect to, of AF_INET, AF_INET6 or AF_UNIX and with its port, `to_len` bytes that state or
	 * config holds until the next call; then `port` does not count. For this connection alone; NULL: to the check's target. A check's source
	 * of another family is left out. */
	const struct sockaddr *to;
	socklen_t to_len;
};

/*
 * Bits of health_probe_ops.flags.
 * DATAGRAM is UDP: open, which is required, sends one datagram; each call of received gets one.
 * ICMP, with DATAGRAM, is an echo socket of the target's family (icmp(7), IPPROTO_ICMP): whole ICMP
 * messages go both ways, the kernel sets identifier and checksum and passes only answers to it. Where the
 * kernel allows no echo sockets it is a raw one: others' messages come too, for IPv4 with their IP header.
 * OPTIONAL: a server that cannot be reached, or is silent, is HEALTH_NEUTRAL instead of a failure.
 * FIRST says that `open` always sends, so that the kernel need not acknowledge the connection before: a packet less.
 * Where `open` then sends nothing, the server learns of the connection 200 ms late.
 * FIN closes politely, so that the last bytes arrive; the default, RST, leaves no TIME_WAIT behind.
 */
#define HEALTH_PROBE_DATAGRAM 1u
#define HEALTH_PROBE_FIN 2u
#define HEALTH_PROBE_ICMP 4u
#define HEALTH_PROBE_OPTIONAL 8u
#define HEALTH_PROBE_FIRST 16u

/*
 * The dialogue. Callbacks must not block, call the engine or touch globals; they see
 * `state` (state_size bytes of their own, zeroed before open, aligned for any type) and `config`
 * (what setup made, shared by all checks of this probe, read-only).
 */
struct health_probe_ops {
	size_t size;
	const char *name;  /* "tcp"; [a-z0-9-], at most HEALTH_PROBE_NAME_MAX */
	size_t state_size; /* at most HEALTH_PROBE_STATE_MAX */
	uint32_t flags;	   /* HEALTH_PROBE_…; an unknown bit is -EINVAL */

	/* Compiles the probe's options, once, into what the checks share. 0 or -errno, which
	 * health_probe_new returns. NULL: config is NULL and opts must be NULL. */
	int (*setup)(const void *opts, void **ret_config);
	/* Frees what setup made. NULL: nothing to free. */
	void (*teardown)(void *config);

	/* A channel stands (TLS included): the first, or the one asked for by HEALTH_STEP_TLS or
	 * HEALTH_STEP_RECONNECT. NULL: with `received`, the server speaks first;
	 * without, the connection is the success, HEALTH_CODE_L4OK. */
	enum health_step (*open)(void *state, const void *config, struct health_probe_io *io);
	/* Bytes came: len > 0 (a datagram may be empty). NULL: they are dropped. */
	enum health_step (*received)(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io);
	/* The server closed; `error` 0, or the errno it broke with (ECONNRESET; ECONNREFUSED for a
	 * datagram). No more bytes come: MORE is a failure. NULL: HEALTH_FAIL, HEALTH_CODE_L7RSP,
	 * or HEALTH_CODE_L4CON for ECONNREFUSED. */
	enum health_step (*closed)(void *state, const void *config, int error,
				   struct health_probe_io *io);
	/* The time is over: MORE is a failure. NULL: HEALTH_FAIL, HEALTH_CODE_L7TOUT. */
	enum health_step (*timeout)(void *state, const void *config, struct health_probe_io *io);
	/* The run is over, with or without a verdict: frees what `state` holds. Called once for each
	 * run in which another entry was called, and after io->send was sent or given up. */
	void (*end)(void *state, const void *config);
};

struct health_probe;

/*
 * Makes a probe from its ops (built in or the host's own) and that probe's options: a struct the
 * probe documents, or NULL. One probe serves any number of checks, of engines that live in the same
 * thread. The ops are copied, `name` is not: it must be static. 0; -EINVAL: ret or ops is NULL, a
 * name, size or flag out of range, options for a probe that takes none; -E2BIG: the ops have an
 * entry this library does not know; -ENOMEM; or what setup returned.
 */
LIBHEALTH_API int health_probe_new(const struct health_probe_ops *ops, const void *opts,
				   struct health_probe **ret);

/* Gives the probe up. Checks that use it keep it until they are removed. NULL is fine. */
LIBHEALTH_API void health_probe_free(struct health_probe *p);

/* The name given in the ops; lives as long as the probe. */
LIBHEALTH_API const char *health_probe_name(const struct health_probe *p);

/* The ops of the TCP connect probe; it takes no options. Static; any thread. */
LIBHEALTH_API const struct health_probe_ops *health_probe_tcp(void);

/*
 * The ops of the ssl-hello probe (HAProxy's `option ssl-hello-chk`); it takes no options. It sends an
 * SSL 3.0 ClientHello; a handshake or alert record of major version 3 is the success, with
 * HEALTH_CODE_L6OK, anything else fails with HEALTH_CODE_L7RSP. It shows that a TLS server listens, no
 * more: no version, certificate or name is looked at. Static; any thread.
 */
LIBHEALTH_API const struct health_probe_ops *health_probe_ssl_hello(void);

#ifdef __cplusplus
}
#endif
#endif
