/* SPDX-License-Identifier: MIT */
/*
 * One run of a probe's dialogue, without I/O: calls the ops, keeps what the probe left unread, fills in
 * what it left unsaid. The engine drives it from sockets, tests and fuzzers from arrays.
 */
#ifndef LIBHEALTH_DIALOGUE_H
#define LIBHEALTH_DIALOGUE_H

#include <libhealth/probe.h>

/* Private bits of health_probe_ops.flags: only the library's own ops may have them. */
#define PROBE_PROCESS (1u << 16) /* carried by exec.c */
#define PROBE_FILE (1u << 17)	 /* carried by file.c */
#define PROBE_RAW_TCP (1u << 18) /* a raw socket of TCP segments: halfopen.c */
#define PROBE_PRIVATE (PROBE_PROCESS | PROBE_FILE | PROBE_RAW_TCP)

struct health_probe {
	struct health_probe_ops ops;
	void *config;
	size_t uses; /* one for the host, one for each check */
};

/* Counts a user; health_probe_free gives it up. */
struct health_probe *probe_use(struct health_probe *p);

/* The connection alone is the success. */
bool probe_only_connects(const struct health_probe *p);

struct dialogue {
	const struct health_probe *probe;
	void *state; /* the caller's, of ops.state_size bytes */
	uint8_t *unread;
	size_t unread_len;
	bool again;   /* more is there that the probe can use, once its bytes are sent */
	bool entered; /* an op was called: `end` is owed */
	/* what the probe is told of its channel; the caller's to set after dialogue_init */
	const char *alpn; /* NULL: nothing was chosen */
	uint64_t nonce;
	const struct sockaddr *local, *remote; /* of a raw socket, while it opens; else NULL */
	uint16_t family;
	bool tls;
};

/* Begins a run: zeroes the state. End it with dialogue_fini. */
void dialogue_init(struct dialogue *d, const struct health_probe *probe, void *state);
void dialogue_fini(struct dialogue *d);

/* Each returns what is next. With HEALTH_STEP_DONE, `io` holds a whole answer: code and text too. */
enum health_step dialogue_open(struct dialogue *d, uint64_t now_ns, struct health_probe_io *io);
/* `again` is set: call it with no data when io->send is on its way. */
enum health_step dialogue_received(struct dialogue *d, const void *data, size_t len,
				   uint64_t now_ns, struct health_probe_io *io);
/* DONE, or RECONNECT; `reason` is the text when the probe has none. */
enum health_step dialogue_closed(struct dialogue *d, int error, const char *reason, uint64_t now_ns,
				 struct health_probe_io *io);
/* Always DONE. */
void dialogue_timeout(struct dialogue *d, uint64_t now_ns, struct health_probe_io *io);

/* Writes an answer into `io`; `text` is cut to fit. Also for ends that no probe has seen. */
void answer_set(struct health_probe_io *io, enum health_verdict verdict, enum health_code code,
		const char *text);

/* Nothing that a server or a program wrote reaches a log as a control character. */
void answer_clean(struct health_probe_io *io);

#endif
