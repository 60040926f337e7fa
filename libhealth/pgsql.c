/* SPDX-License-Identifier: MIT */
/* The PostgreSQL probe: the startup message, and the login up to ReadyForQuery (protocol 3.0). */
#include <endian.h>
#include <stdio.h>

#include "reply.h"
#include "scram.h"
#include "sql.h"

#define PROTOCOL_3 0x00030000u
#define SSL_REQUEST 80877103u
#define OUT_BYTES 1024

/* AuthenticationRequest's kinds. */
#define AUTH_OK 0
#define AUTH_CLEAR 3
#define AUTH_MD5 5
#define AUTH_SASL 10
#define AUTH_SASL_CONTINUE 11
#define AUTH_SASL_FINAL 12

struct pgsql_state {
	bool in;     /* AuthenticationOk was said */
	bool proven; /* SCRAM: the server's signature was right */
	bool scram_sent;
	uint8_t messages;
	struct scram scram;
	uint8_t out[OUT_BYTES];
};

static int pgsql_setup(const void *opts, void **ret_config)
{
	const struct sql_config *c;
	void *config = NULL;
	int r = sql_setup(opts, &config);

	if (r < 0)
		return r;
	c = config;
	if (!c->user[0] || (c->has_password && c->crypto->size < sizeof(*c->crypto))) {
		sql_teardown(config);
		return -EINVAL;
	}
	*ret_config = config;
	return 0;
}

/* ---- messages out ---- */

static void put(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text) + 1);
}

/* Fills in the length, which counts itself and not the type before it. */
static enum health_step send_message(struct pgsql_state *s, struct writer *w, size_t type_bytes,
				     struct health_probe_io *io)
{
	struct writer head = writer_of(s->out + type_bytes, 4);

	write_be32(&head, (uint32_t)(writer_len(w) - type_bytes));
	return reply_send(io, s->out, writer_len(w));
}

static bool wants_tls(const struct sql_config *c, const struct health_probe_io *io)
{
	return c->starttls && !io->tls;
}

/* One letter; an error comes from servers older than TLS (the manual, "SSL Session Encryption"). */
static enum health_step read_tls_letter(uint8_t letter, struct health_probe_io *io)
{
	io->consumed = 1;
	switch (letter) {
	case 'S':
		return HEALTH_STEP_TLS;
	case 'N':
	case 'E':
		return reply_no(io, 0, "the server speaks no TLS");
	default:
		return reply_broken(io, 0, "not PostgreSQL");
	}
}

static enum health_step pgsql_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct sql_config *c = config;
	struct pgsql_state *s = state;
	struct writer w = writer_of(s->out, sizeof(s->out));

	write_zero(&w, 4);
	write_be32(&w, wants_tls(c, io) ? SSL_REQUEST : PROTOCOL_3);
	if (wants_tls(c, io))
		return send_message(s, &w, 0, io);
	put(&w, "user");
	put(&w, c->user);
	if (c->database[0]) {
		put(&w, "database");
		put(&w, c->database);
	}
	write_u8(&w, 0);
	return send_message(s, &w, 0, io);
}

static struct writer begin_password(struct pgsql_state *s)
{
	struct writer w = writer_of(s->out, sizeof(s->out));

	write_u8(&w, 'p');
	write_zero(&w, 4);
	return w;
}

static enum health_step no_hash(struct health_probe_io *io)
{
	return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, 0, "the hash function failed");
}

static void write_hex(struct writer *w, const uint8_t *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		write_u8(w, (uint8_t)digits[bytes[i] >> 4]);
		write_u8(w, (uint8_t)digits[bytes[i] & 15]);
	}
}

/* "md5" and md5(md5(password user) salt), in hex. */
static enum health_step send_md5(struct pgsql_state *s, const struct sql_config *c,
				 struct reader *r, struct health_probe_io *io)
{
	uint8_t mixed[2 * HEALTH_SQL_WORD_MAX], hash[HEALTH_HASH_MAX_BYTES];
	struct writer w = writer_of(mixed, sizeof(mixed)), out = begin_password(s);
	const uint8_t *salt = read_bytes(r, 4);
	int error;

	if (!salt)
		return reply_broken(io, 0, "not a PostgreSQL salt");
	write_bytes(&w, c->password, strlen(c->password));
	write_bytes(&w, c->user, strlen(c->user));
	error = c->crypto->digest(HEALTH_HASH_MD5, mixed, writer_len(&w), hash);
	w = writer_of(mixed, sizeof(mixed));
	write_hex(&w, hash, 16);
	write_bytes(&w, salt, 4);
	if (error >= 0)
		error = c->crypto->digest(HEALTH_HASH_MD5, mixed, writer_len(&w), hash);
	if (error < 0)
		return no_hash(io);
	write_bytes(&out, "md5", 3);
	write_hex(&out, hash, 16);
	write_u8(&out, 0);
	return send_message(s, &out, 1, io);
}

/* The server lists mechanisms, each with a 0 behind it. */
static bool offers_scram(struct reader *r)
{
	static const char name[] = "SCRAM-SHA-256";

	while (reader_left(r)) {
		const uint8_t *nul = memchr(r->at, 0, reader_left(r));
		struct reader one;

		if (!nul)
			return false;
		one = read_part(r, (size_t)(nul - r->at) + 1);
		if (reader_left(&one) == sizeof(name) && !memcmp(one.at, name, sizeof(name)))
			return true;
	}
	return false;
}

static enum health_step send_scram_first(struct pgsql_state *s, const struct sql_config *c,
					 struct reader *r, struct health_probe_io *io)
{
	const uint64_t salt[2] = {htole64(io->now_ns), htole64(io->nonce)};
	struct writer w = begin_password(s), len;

	if (!offers_scram(r))
		return reply_no(io, 0, "the server offers no SCRAM-SHA-256");
	if (!c->crypto->pbkdf2)
		return reply_no(io, 0, "the server wants SCRAM: no pbkdf2 was given");
	if (scram_begin(&s->scram, c->crypto, c->password, salt) < 0)
		return no_hash(io);
	put(&w, "SCRAM-SHA-256");
	len = writer_of(w.at, 4);
	write_zero(&w, 4);
	scram_write_first(&s->scram, &w);
	write_be32(&len, (uint32_t)(w.at - len.end));
	return send_message(s, &w, 1, io);
}

static enum health_step send_scram_final(struct pgsql_state *s, const struct sql_config *c,
					 struct reader *r, struct health_probe_io *io)
{
	struct writer w = begin_password(s);
	int error = -EPROTO;

	if (s->scram.nonce[0] && !s->scram_sent && reader_left(r) <= SCRAM_SERVER_MAX)
		error = scram_answer(&s->scram, c->crypto, c->password, HEALTH_SQL_ITERATIONS_MAX,
				     *r, &w);
	if (error == -EPROTO || w.bad)
		return reply_broken(io, 0, "not a SCRAM challenge");
	if (error < 0)
		return no_hash(io);
	s->scram_sent = true;
	return send_message(s, &w, 1, io);
}

/* ---- messages in ---- */

/* Fields: a letter and a text with a 0; "M" is for people. */
static enum health_step read_error(struct reader *r, struct health_probe_io *io)
{
	while (reader_left(r) && *r->at) {
		uint8_t field = read_u8(r);
		const uint8_t *nul = reader_left(r) ? memchr(r->at, 0, reader_left(r)) : NULL;

		if (!nul)
			break;
		if (field == 'M')
			return reply_no(io, 0, (const char *)r->at);
		read_bytes(r, (size_t)(nul - r->at) + 1);
	}
	return reply_broken(io, 0, "not a PostgreSQL error");
}

/* Which authentications there are: all of them show that it is PostgreSQL. */
static bool is_auth_kind(uint32_t kind)
{
	return kind == AUTH_OK || (kind >= 2 && kind <= 7) || kind == 9 || kind == AUTH_SASL;
}

static enum health_step read_auth(struct pgsql_state *s, const struct sql_config *c,
				  struct reader *r, struct health_probe_io *io)
{
	uint32_t kind = read_be32(r);
	struct writer w;

	if (r->bad || s->in)
		return reply_broken(io, 0, "not a PostgreSQL authentication");
	if (!c->has_password)
		return is_auth_kind(kind) ? reply_ok(io, 0, "PostgreSQL answers")
					  : reply_broken(io, 0, "unknown authentication");
	switch (kind) {
	case AUTH_OK:
		if (s->scram_sent && !s->proven)
			return reply_no(io, 0,
					"the server did not prove that it knows the password");
		s->in = true;
		return HEALTH_STEP_MORE;
	case AUTH_CLEAR:
		w = begin_password(s);
		put(&w, c->password);
		return send_message(s, &w, 1, io);
	case AUTH_MD5:
		return send_md5(s, c, r, io);
	case AUTH_SASL:
		return send_scram_first(s, c, r, io);
	case AUTH_SASL_CONTINUE:
		return send_scram_final(s, c, r, io);
	case AUTH_SASL_FINAL:
		s->proven = s->scram_sent && scram_verify(&s->scram, *r);
		return s->proven ? HEALTH_STEP_MORE
				 : reply_no(io, 0, "the server's SCRAM signature is wrong");
	default:
		return reply_no(io, 0, "the server wants an authentication not known here");
	}
}

static enum health_step read_message(struct pgsql_state *s, const struct sql_config *c,
				     uint8_t type, struct reader r, struct health_probe_io *io)
{
	static const uint8_t terminate[] = {'X', 0, 0, 0, 4};

	switch (type) {
	case 'R':
		return read_auth(s, c, &r, io);
	case 'E':
		return read_error(&r, io);
	case 'Z':
		if (!s->in)
			return reply_broken(io, 0, "ready without a login");
		reply_send(io, terminate, sizeof(terminate));
		return reply_ok(io, 0, "logged in");
	default: /* parameters, the key to cancel, notices, a lower protocol version */
		return HEALTH_STEP_MORE;
	}
}

static bool is_known(uint8_t type)
{
	return type && strchr("REZSKNv", type);
}

static enum health_step pgsql_received(void *state, const void *config, const void *data,
				       size_t len, struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), body;
	struct pgsql_state *s = state;
	uint8_t type = read_u8(&r);
	uint32_t size = read_be32(&r);

	if (wants_tls(config, io))
		return read_tls_letter(type, io);
	if (!is_known(type) || (!r.bad && (size < 4 || size > HEALTH_SQL_MESSAGE_MAX)))
		return reply_broken(io, 0, "not PostgreSQL");
	body = read_part(&r, r.bad ? 0 : size - 4);
	if (r.bad) {
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	}
	io->consumed = len - reader_left(&r);
	if (++s->messages > HEALTH_SQL_MESSAGES_MAX)
		return reply_broken(io, 0, "a login of too many messages");
	return read_message(s, config, type, body, io);
}

/* It may hold the password, which a server without encryption asked for. */
static void pgsql_end(void *state, const void *config)
{
	explicit_bzero(state, sizeof(struct pgsql_state));
}

const struct health_probe_ops *health_probe_pgsql(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "pgsql",
	    .state_size = sizeof(struct pgsql_state),
	    .flags = HEALTH_PROBE_FIN | HEALTH_PROBE_FIRST,
	    .setup = pgsql_setup,
	    .teardown = sql_teardown,
	    .open = pgsql_open,
	    .received = pgsql_received,
	    .end = pgsql_end,
	};

	return &ops;
}
