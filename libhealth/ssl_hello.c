/* SPDX-License-Identifier: MIT */
/*
 * The ssl-hello probe: a ClientHello of SSL 3.0, to which a TLS server says something (HAProxy's `option
 * ssl-hello-chk`). No key is exchanged: where the TLS library is linked, a real handshake tells more.
 */
#include "base/cursor.h"
#include "reply.h"

#define RECORD_HEAD 5
#define ALERT 0x15
#define HANDSHAKE 0x16
#define CLIENT_HELLO 1
#define RANDOM_BYTES 32

/* TLS_RSA_WITH_… of RFC 6101 and 3268, the signal of RFC 5746 last: any will do to be answered. */
static const uint16_t ciphers[] = {0x002f, 0x0035, 0x000a, 0x0005, 0x0004, 0x00ff};

struct hello_state {
	uint8_t out[RECORD_HEAD + 4 + 2 + RANDOM_BYTES + 1 + 2 + sizeof(ciphers) + 2];
};

static enum health_step hello_open(void *state, const void *config, struct health_probe_io *io)
{
	struct hello_state *s = state;
	struct writer w = writer_of(s->out, sizeof(s->out));

	write_u8(&w, HANDSHAKE);
	write_be16(&w, 0x0300);
	write_be16(&w, (uint16_t)(sizeof(s->out) - RECORD_HEAD));
	write_u8(&w, CLIENT_HELLO);
	write_u8(&w, 0);
	write_be16(&w, (uint16_t)(sizeof(s->out) - RECORD_HEAD - 4));
	write_be16(&w, 0x0300);
	for (int i = 0; i < RANDOM_BYTES / 16; i++) {
		write_be64(&w, io->now_ns);
		write_be64(&w, io->nonce);
	}
	write_u8(&w, 0); /* no session */
	write_be16(&w, sizeof(ciphers));
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(*ciphers); i++)
		write_be16(&w, ciphers[i]);
	write_u8(&w, 1); /* one way to compress: not to */
	write_u8(&w, 0);
	return reply_send(io, s->out, writer_len(&w));
}

static enum health_step hello_received(void *state, const void *config, const void *data,
				       size_t len, struct health_probe_io *io)
{
	struct reader r = reader_of(data, len);
	uint8_t type = read_u8(&r), major = reader_left(&r) ? read_u8(&r) : 3;

	if ((type != ALERT && type != HANDSHAKE) || major != 3)
		return reply_broken(io, 0, "not TLS");
	if (len < RECORD_HEAD) {
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	}
	return reply_over(io, HEALTH_OK, HEALTH_CODE_L6OK, 0, type == ALERT ? "alert" : "hello");
}

const struct health_probe_ops *health_probe_ssl_hello(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "ssl-hello",
	    .flags = HEALTH_PROBE_FIRST,
	    .state_size = sizeof(struct hello_state),
	    .open = hello_open,
	    .received = hello_received,
	};

	return &ops;
}
