/* SPDX-License-Identifier: MIT */
/*
 * TLS on one non-blocking socket, with the manners of recv and send: a worker that carries bytes needs
 * to know little more than that. One thread at a time.
 */
#ifndef PROXYD_TLS_CONN_H
#define PROXYD_TLS_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;
struct x509_st;
struct tls_seen;

/* Why a handshake with a client failed: by HAProxy's numbers, which fc_err gives. */
enum tls_failure {
	TLS_CLOSED = 24,    /* before there was a hello, */
	TLS_BROKEN = 25,    /* by an error of the socket */
	TLS_TOO_LATE = 26,
	TLS_CA_REFUSED = 30,
	TLS_CERT_REFUSED = 31,
	TLS_FAILED = 34,    /* any other reason */
};

struct tls {
	struct ssl_st *ssl;
	int fd;
	int send_flags;	   /* of the call at hand */
	bool is_ready : 1; /* the handshake is done */
	bool drained : 1;  /* a short read has emptied the socket: ask it no more before an event */
	bool unsure : 1;   /* a FIN or an urgent byte was announced: a short read proves nothing */
	bool
	    read_waits_write : 1; /* what a read needs first is room to write, and the other way round */
	bool write_waits_read : 1;
	bool keeps_tickets : 1; /* the kernel holds them for what is sent next */
	bool eof : 1;		/* close_notify, or the end of the stream */
	bool failed : 1;	/* nothing more is possible */
	bool heard : 1;		/* a byte came from the peer */
	bool used_cert : 1;	/* the peer sent one in this handshake */
	uint8_t ca_depth;	/* of ca_error */
	uint8_t failure;	/* enum tls_failure; 0: none */
	uint16_t error,
	    ca_error; /* X509_V_ERR_…, of its own certificate and of its issuers; forgiven or not */
	unsigned long ssl_error; /* of the handshake, OpenSSL's number; 0: none */
	struct tls_seen *seen; /* of the handshake, for rules; NULL: nothing is kept */
	struct x509_st *refused; /* the client's certificate; NULL: it had none, or it was taken */
	char *refused_name; /* that nothing is served for; NULL: something is */
	const char *reason; /* why the handshake failed; static text; NULL: it did not */
};

/* On a connected socket, which stays the caller's. NULL: no memory. */
struct tls *tls_new(struct ssl_ctx_st *ctx, int fd, bool is_server);

/* Says goodbye if that is possible at once, then frees. The socket stays open. NULL is fine. */
void tls_free(struct tls *t);

/* Of all threads, those that are not freed yet. */
unsigned tls_open(void);

/* The handshake went on with an older session. */
bool tls_is_resumed(const struct tls *t);

/* 0: done; -EAGAIN: more must come, or go; -EPROTO: it failed, see `reason`. */
int tls_handshake(struct tls *t);
/* Nobody waits for it any longer. */
void tls_too_late(struct tls *t);

/*
 * As recv and send, with EAGAIN and, for all that is wrong, EPROTO. tls_recv takes all that there is up to `cap`;
 * less than that means as for a plain socket that it is empty now, unless tls_has_ended. What tls_send did not
 * take must be the beginning of what the next call is given. `flags`: of send.
 */
ssize_t tls_recv(struct tls *t, void *buf, size_t cap);
/* As tls_recv, but the bytes stay, and only those of the first record are seen. */
ssize_t tls_peek(struct tls *t, void *buf, size_t cap);
ssize_t tls_send(struct tls *t, const void *data, size_t len, int flags);

/* The end of the stream, or an error, is still to be had from tls_recv. */
static inline bool tls_has_ended(const struct tls *t)
{
	return t->eof || t->failed;
}

/* "TLSv1.3", and the name of the cipher. */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);

/* close_notify: no more bytes go to the peer. */
void tls_shutdown(struct tls *t);

/* Events of epoll for the socket: remembers what they say, and returns them as they concern the reader and the
 * writer above. */
uint32_t tls_events(struct tls *t, uint32_t events);

#endif
