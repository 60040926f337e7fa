/* SPDX-License-Identifier: MIT */
#include "tls/conn.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/seen.h"

/* ---- The socket, as OpenSSL sees it ---- */

static int socket_read(BIO *b, char *buf, int len)
{
	struct tls *t = BIO_get_data(b);
	ssize_t n;

	BIO_clear_retry_flags(b);
	if (t->drained) {
		BIO_set_retry_read(b);
		return -1;
	}
	n = recv(t->fd, buf, (size_t)len, 0);
	if (n > 0) {
		t->heard = true;
		t->drained = n < len && !t->unsure;
	} else if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		t->drained = errno == EAGAIN;
		BIO_set_retry_read(b);
	} else if (n == 0) {
		BIO_set_flags(b, BIO_FLAGS_IN_EOF);
	}
	return (int)n;
}

/* Nobody waits for the tickets that end a handshake of TLS 1.3: they may go with the first answer. */
static bool is_ticket(const struct tls *t)
{
	return SSL_get_state(t->ssl) == TLS_ST_SW_SESSION_TICKET &&
	       SSL_version(t->ssl) == TLS1_3_VERSION;
}

/* But not if that is long to come. Setting this option once more sends what MSG_MORE has kept back. */
static void send_tickets(struct tls *t)
{
	t->keeps_tickets = false;
	setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static int socket_write(BIO *b, const char *data, int len)
{
	struct tls *t = BIO_get_data(b);
	int flags = MSG_NOSIGNAL | t->send_flags;
	ssize_t n;

	t->keeps_tickets = !t->is_ready && is_ticket(t);
	if (t->keeps_tickets)
		flags |= MSG_MORE;
	n = send(t->fd, data, (size_t)len, flags);

	BIO_clear_retry_flags(b);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(b);
	return (int)n;
}

static long socket_control(BIO *b, int cmd, long arg, void *ptr)
{
	switch (cmd) {
	case BIO_CTRL_FLUSH:
	case BIO_CTRL_DUP:
		return 1;
	case BIO_CTRL_EOF:
		return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
	default:
		return 0;
	}
}

static BIO_METHOD *socket_method;

static void make_method(void)
{
	socket_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
	if (!socket_method)
		return;
	BIO_meth_set_read(socket_method, socket_read);
	BIO_meth_set_write(socket_method, socket_write);
	BIO_meth_set_ctrl(socket_method, socket_control);
}

/* ---- Life ---- */

static _Atomic unsigned n_open; /* of the process */

unsigned tls_open(void)
{
	return atomic_load_explicit(&n_open, memory_order_relaxed);
}

struct tls *tls_new(SSL_CTX *ctx, int fd, bool is_server)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct tls *t = calloc(1, sizeof(*t));
	BIO *bio = NULL;

	pthread_once(&once, make_method);
	if (t && socket_method)
		bio = BIO_new(socket_method);
	if (bio)
		t->ssl = SSL_new(ctx);
	if (!bio || !t->ssl) {
		BIO_free(bio);
		free(t);
		return NULL;
	}
	atomic_fetch_add_explicit(&n_open, 1, memory_order_relaxed);
	t->fd = fd;
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	SSL_set_app_data(t->ssl, t);
	if (is_server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	return t;
}

bool tls_is_resumed(const struct tls *t)
{
	return SSL_session_reused((SSL *)(uintptr_t)t->ssl);
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	tls_shutdown(t);
	/* or OpenSSL would take the session for a broken one and forget it */
	SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	X509_free(t->refused);
	free(t->refused_name);
	tls_seen_free(t->seen);
	free(t);
	atomic_fetch_sub_explicit(&n_open, 1, memory_order_relaxed);
}

void tls_shutdown(struct tls *t)
{
	if (!t->is_ready || t->failed || SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)
		return;
	ERR_clear_error();
	SSL_shutdown(t->ssl);
}

uint32_t tls_events(struct tls *t, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		t->drained = false;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI))
		t->unsure = true;
	if (events & EPOLLOUT && t->read_waits_write) {
		t->read_waits_write = false;
		events |= EPOLLIN;
	}
	if (events & EPOLLIN && t->write_waits_read) {
		t->write_waits_read = false;
		events |= EPOLLOUT;
	}
	return events;
}

/* ---- Handshake ---- */

static const char *reason_of(const struct tls *t)
{
	unsigned long e = ERR_peek_error();
	const char *text = ERR_reason_error_string(e);
	long verify = SSL_get_verify_result(t->ssl);

	if (ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED && verify != X509_V_OK)
		return X509_verify_cert_error_string(verify);
	return text	  ? text
	       : t->heard ? "the connection ended"
			  : "the connection ended before a byte came";
}

static uint8_t failure_of(const struct tls *t)
{
	if (ERR_peek_error() || SSL_get_state(t->ssl) != TLS_ST_BEFORE)
		return TLS_FAILED;
	return errno ? TLS_BROKEN : TLS_CLOSED;
}

static int fail(struct tls *t)
{
	t->failed = true;
	errno = EPROTO;
	return -EPROTO;
}

int tls_handshake(struct tls *t)
{
	int r;

	if (t->is_ready)
		return 0;
	if (t->failed)
		return -EPROTO;
	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(t->ssl);
	if (r == 1) {
		t->is_ready = true;
		return 0;
	}
	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->read_waits_write = true;
		return -EAGAIN;
	default:
		t->ssl_error = ERR_peek_error();
		t->reason = reason_of(t);
		if (!t->failure)
			t->failure = failure_of(t);
		return fail(t);
	}
}

void tls_too_late(struct tls *t)
{
	t->failure = TLS_TOO_LATE;
	t->failed = true;
}

const char *tls_version(const struct tls *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_cipher(const struct tls *t)
{
	return SSL_get_cipher_name(t->ssl);
}

/* ---- Bytes ---- */

/* No bytes now. What is known of the end: 0, or -1 with errno. */
static ssize_t nothing(struct tls *t)
{
	if (t->keeps_tickets)
		send_tickets(t);
	if (t->failed)
		errno = EPROTO;
	else if (!t->eof)
		errno = EAGAIN;
	return t->eof && !t->failed ? 0 : -1;
}

ssize_t tls_recv(struct tls *t, void *buf, size_t cap)
{
	size_t n = 0, some;

	while (n < cap && !tls_has_ended(t)) {
		if (t->drained && !SSL_has_pending(t->ssl))
			break;
		ERR_clear_error();
		if (SSL_read_ex(t->ssl, (char *)buf + n, cap - n, &some)) {
			n += some;
			continue;
		}
		switch (SSL_get_error(t->ssl, 0)) {
		case SSL_ERROR_WANT_WRITE:
			t->read_waits_write = true;
			return n ? (ssize_t)n : nothing(t);
		case SSL_ERROR_WANT_READ:
			if (t->drained)
				return n ? (ssize_t)n : nothing(t);
			continue; /* interrupted, or half a record that a second look makes whole */
		case SSL_ERROR_ZERO_RETURN:
			t->eof = true;
			break;
		default:
			fail(t);
		}
	}
	return n ? (ssize_t)n : nothing(t);
}

ssize_t tls_peek(struct tls *t, void *buf, size_t cap)
{
	size_t n;
	int e;

	if (tls_has_ended(t))
		return nothing(t);
	ERR_clear_error();
	if (SSL_peek_ex(t->ssl, buf, cap, &n))
		return (ssize_t)n;
	e = SSL_get_error(t->ssl, 0);
	if (e == SSL_ERROR_ZERO_RETURN)
		t->eof = true;
	else if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE)
		fail(t);
	return nothing(t);
}

ssize_t tls_send(struct tls *t, const void *data, size_t len, int flags)
{
	size_t n = 0, some;

	if (t->failed)
		return fail(t) < 0 ? -1 : 0;
	t->send_flags = flags;
	while (n < len) {
		ERR_clear_error();
		if (SSL_write_ex(t->ssl, (const char *)data + n, len - n, &some)) {
			n += some; /* a record at a time */
			continue;
		}
		switch (SSL_get_error(t->ssl, 0)) {
		case SSL_ERROR_WANT_READ:
			t->write_waits_read = true;
			break;
		case SSL_ERROR_WANT_WRITE:
			break;
		default:
			fail(t);
		}
		break;
	}
	t->send_flags = 0;
	if (n)
		return (ssize_t)n;
	errno = t->failed ? EPROTO : EAGAIN;
	return -1;
}
