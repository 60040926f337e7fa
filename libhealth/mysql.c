/* SPDX-License-Identifier: MIT */
/* The MySQL probe: the greeting, and the connection phase up to its OK. Numbers are little-endian. */
#include <stdio.h>

#include "base/cursor.h"
#include "reply.h"
#include "sql.h"

#define PACKET_HEAD 4 /* three bytes of length, one of sequence */
#define PROTOCOL_10 0x0a
#define OK_PACKET 0x00
#define MORE_DATA 0x01
#define AUTH_SWITCH 0xfe
#define ERROR_PACKET 0xff
#define FAST_AUTH_DONE 3
#define FULL_AUTH_WANTED 4

#define NONCE_BYTES 20
#define PLUGIN_MAX 32
#define OUT_BYTES 512

#define LONG_PASSWORD 0x00000001u
#define CONNECT_WITH_DB 0x00000008u
#define PROTOCOL_41 0x00000200u
#define SSL 0x00000800u
#define SECURE_CONNECTION 0x00008000u
#define PLUGIN_AUTH 0x00080000u
#define UTF8 0x21

enum stage { GREETING, LOGIN };

struct mysql_state {
	enum stage stage;
	uint8_t sequence; /* of the next packet, whoever sends it */
	uint8_t packets;
	char version[64];
	char plugin[PLUGIN_MAX];
	bool has_tls; /* the server says so */
	uint8_t nonce[NONCE_BYTES];
	uint8_t out[OUT_BYTES];
};

static void write_le(struct writer *w, uint32_t n, int bytes)
{
	for (; bytes; bytes--, n >>= 8)
		write_u8(w, (uint8_t)n);
}

static uint32_t read_le(struct reader *r, int bytes)
{
	uint32_t n = 0;

	for (int i = 0; i < bytes; i++)
		n |= (uint32_t)read_u8(r) << 8 * i;
	return n;
}

/* A text up to its 0, or to the end; what does not fit is cut. */
static void read_text(struct reader *r, char *ret, size_t size)
{
	size_t left = reader_left(r), len;
	const uint8_t *nul = left ? memchr(r->at, 0, left) : NULL;
	struct reader text;

	len = nul ? (size_t)(nul - r->at) : left;
	text = read_part(r, len);
	if (nul)
		read_u8(r);
	if (len > size - 1)
		len = size - 1;
	read_copy(&text, ret, len);
	ret[len] = '\0';
}

/* ---- what the plugins want ---- */

/* mysql_native_password: SHA1(p) XOR SHA1(nonce + SHA1(SHA1(p))). */
static int native_answer(const struct sql_config *c, const uint8_t *nonce, uint8_t *ret)
{
	uint8_t once[HEALTH_HASH_MAX_BYTES], mixed[NONCE_BYTES + HEALTH_HASH_MAX_BYTES];
	const enum health_hash sha1 = HEALTH_HASH_SHA1;
	int r = c->crypto->digest(sha1, c->password, strlen(c->password), once);

	memcpy(mixed, nonce, NONCE_BYTES);
	if (r == 0)
		r = c->crypto->digest(sha1, once, 20, mixed + NONCE_BYTES);
	if (r == 0)
		r = c->crypto->digest(sha1, mixed, NONCE_BYTES + 20, ret);
	for (int i = 0; i < 20; i++)
		ret[i] ^= once[i];
	return r < 0 ? r : 20;
}

/* caching_sha2_password: SHA256(p) XOR SHA256(SHA256(SHA256(p)) + nonce). */
static int sha2_answer(const struct sql_config *c, const uint8_t *nonce, uint8_t *ret)
{
	uint8_t once[HEALTH_HASH_MAX_BYTES], mixed[HEALTH_HASH_MAX_BYTES + NONCE_BYTES];
	const enum health_hash sha256 = HEALTH_HASH_SHA256;
	int r = c->crypto->digest(sha256, c->password, strlen(c->password), once);

	memcpy(mixed + 32, nonce, NONCE_BYTES);
	if (r == 0)
		r = c->crypto->digest(sha256, once, 32, mixed);
	if (r == 0)
		r = c->crypto->digest(sha256, mixed, sizeof(mixed), ret);
	for (int i = 0; i < 32; i++)
		ret[i] ^= once[i];
	return r < 0 ? r : 32;
}

static bool knows_plugin(const char *plugin)
{
	return !strcmp(plugin, "mysql_native_password") || !strcmp(plugin, "caching_sha2_password");
}

/* The length of the answer in `ret`, or -errno. */
static int plugin_answer(const struct mysql_state *s, const struct sql_config *c, uint8_t *ret)
{
	memset(ret, 0, HEALTH_HASH_MAX_BYTES);
	if (!c->has_password)
		return 0;
	if (!strcmp(s->plugin, "caching_sha2_password"))
		return sha2_answer(c, s->nonce, ret);
	return native_answer(c, s->nonce, ret);
}

/* ---- packets out ---- */

static struct writer begin(struct mysql_state *s)
{
	struct writer w = writer_of(s->out, sizeof(s->out));

	write_le(&w, 0, 3);
	write_u8(&w, s->sequence++);
	return w;
}

static enum health_step send_packet(struct mysql_state *s, struct writer *w,
				    struct health_probe_io *io)
{
	struct writer head = writer_of(s->out, PACKET_HEAD);

	write_le(&head, (uint32_t)(writer_len(w) - PACKET_HEAD), 3);
	return reply_send(io, s->out, writer_len(w));
}

static enum health_step no_hash(struct health_probe_io *io)
{
	return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, 0, "the hash function failed");
}

/* What a HandshakeResponse41 begins with; all there is of it when TLS is asked for. */
static void write_login_head(const struct sql_config *c, struct writer *w)
{
	uint32_t abilities = LONG_PASSWORD | PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH;

	if (c->database[0])
		abilities |= CONNECT_WITH_DB;
	if (c->starttls)
		abilities |= SSL;
	write_le(w, abilities, 4);
	write_le(w, 1 << 24, 4); /* the longest packet we take */
	write_u8(w, UTF8);
	write_zero(w, 23);
}

static enum health_step ask_for_tls(struct mysql_state *s, const struct sql_config *c,
				    struct health_probe_io *io)
{
	struct writer w = begin(s);

	if (!s->has_tls)
		return reply_no(io, 0, "the server speaks no TLS");
	write_login_head(c, &w);
	send_packet(s, &w, io);
	return HEALTH_STEP_TLS;
}

/* HandshakeResponse41. */
static enum health_step send_login(struct mysql_state *s, const struct sql_config *c,
				   struct health_probe_io *io)
{
	uint8_t answer[HEALTH_HASH_MAX_BYTES];
	struct writer w = begin(s);
	int len;

	if (!knows_plugin(s->plugin)) /* the server will ask for the one this user has */
		snprintf(s->plugin, sizeof(s->plugin), "mysql_native_password");
	len = plugin_answer(s, c, answer);
	if (len < 0)
		return no_hash(io);
	write_login_head(c, &w);
	write_bytes(&w, c->user, strlen(c->user) + 1);
	write_u8(&w, (uint8_t)len);
	write_bytes(&w, answer, (size_t)len);
	if (c->database[0])
		write_bytes(&w, c->database, strlen(c->database) + 1);
	write_bytes(&w, s->plugin, strlen(s->plugin) + 1);
	s->stage = LOGIN;
	return send_packet(s, &w, io);
}

static enum health_step quit(struct mysql_state *s, struct health_probe_io *io)
{
	static const uint8_t com_quit[] = {1, 0, 0, 0, 1};

	reply_send(io, com_quit, sizeof(com_quit));
	return reply_ok(io, 0, s->version);
}

/* ---- packets in ---- */

static enum health_step read_error(struct reader *r, struct health_probe_io *io)
{
	uint32_t number = read_le(r, 2);
	char words[64], text[HEALTH_TEXT_MAX];

	if (reader_left(r) && *r->at == '#')
		read_bytes(r, 6); /* the SQL state */
	read_text(r, words, sizeof(words));
	if (r->bad)
		return reply_broken(io, 0, "not a MySQL error");
	snprintf(text, sizeof(text), "error %u: %s", number, words);
	return reply_no(io, number, text);
}

/* The nonce comes in two parts, the second with a 0 at its end. */
static bool read_greeting(struct mysql_state *s, struct reader *r)
{
	uint32_t abilities;
	uint8_t second;

	if (read_u8(r) != PROTOCOL_10)
		return false;
	read_text(r, s->version, sizeof(s->version));
	read_bytes(r, 4); /* connection id */
	read_copy(r, s->nonce, 8);
	read_bytes(r, 1);
	abilities = read_le(r, 2);
	if (r->bad)
		return false;
	s->has_tls = abilities & SSL;
	if (!reader_left(r))
		return true; /* the oldest servers end here */
	read_bytes(r, 3);    /* character set, status */
	abilities |= read_le(r, 2) << 16;
	second = read_u8(r); /* length of the whole nonce */
	read_bytes(r, 10);
	if (abilities & SECURE_CONNECTION) {
		read_copy(r, s->nonce + 8, 12);
		read_bytes(r, second > 21 ? second - 20u : 1);
	}
	if (abilities & PLUGIN_AUTH)
		read_text(r, s->plugin, sizeof(s->plugin));
	return !r->bad;
}

static enum health_step greeted(struct mysql_state *s, const struct sql_config *c, struct reader *r,
				struct health_probe_io *io)
{
	if (!read_greeting(s, r))
		return reply_broken(io, 0, "not a MySQL greeting");
	if (!c->user[0])
		return reply_ok(io, 0, s->version);
	return c->starttls ? ask_for_tls(s, c, io) : send_login(s, c, io);
}

static enum health_step switch_plugin(struct mysql_state *s, const struct sql_config *c,
				      struct reader *r, struct health_probe_io *io)
{
	uint8_t answer[HEALTH_HASH_MAX_BYTES];
	char text[HEALTH_TEXT_MAX];
	struct writer w = begin(s);
	int len;

	read_text(r, s->plugin, sizeof(s->plugin));
	if (!knows_plugin(s->plugin)) {
		snprintf(text, sizeof(text), "the user wants %.30s, which is not known here",
			 s->plugin[0] ? s->plugin : "mysql_old_password");
		return reply_no(io, 0, text);
	}
	read_copy(r, s->nonce, NONCE_BYTES);
	if (r->bad)
		return reply_broken(io, 0, "not a MySQL nonce");
	len = plugin_answer(s, c, answer);
	if (len < 0)
		return no_hash(io);
	write_bytes(&w, answer, (size_t)len);
	return send_packet(s, &w, io);
}

/* caching_sha2_password goes on: known from its cache, or the password itself, which TLS must hide. */
static enum health_step more_data(struct mysql_state *s, const struct sql_config *c,
				  struct reader *r, struct health_probe_io *io)
{
	uint8_t what = read_u8(r);
	struct writer w;

	if (r->bad || strcmp(s->plugin, "caching_sha2_password") != 0)
		return reply_broken(io, 0, "not the answer to a login");
	if (what == FAST_AUTH_DONE)
		return HEALTH_STEP_MORE;
	if (what != FULL_AUTH_WANTED || !c->has_password)
		return reply_broken(io, 0, "not the answer to a login");
	if (!io->tls)
		return reply_no(io, 0, "the password is not in the server's cache: use TLS");
	w = begin(s);
	write_bytes(&w, c->password, strlen(c->password) + 1);
	return send_packet(s, &w, io);
}

static enum health_step read_packet(struct mysql_state *s, const struct sql_config *c,
				    struct reader r, struct health_probe_io *io)
{
	uint8_t what = reader_left(&r) ? *r.at : 0;

	if (!reader_left(&r))
		return reply_broken(io, 0, "not MySQL: an empty packet");
	if (s->stage == GREETING && what != ERROR_PACKET)
		return greeted(s, c, &r, io);
	read_u8(&r);
	switch (what) {
	case ERROR_PACKET:
		return read_error(&r, io);
	case OK_PACKET:
		return quit(s, io);
	case AUTH_SWITCH:
		return switch_plugin(s, c, &r, io);
	case MORE_DATA:
		return more_data(s, c, &r, io);
	default:
		return reply_broken(io, 0, "not the answer to a login");
	}
}

static enum health_step mysql_received(void *state, const void *config, const void *data,
				       size_t len, struct health_probe_io *io)
{
	struct mysql_state *s = state;
	struct reader r = reader_of(data, len), packet;
	uint32_t size = read_le(&r, 3);
	uint8_t sequence = read_u8(&r);

	/* An error instead of a greeting has whatever number the server likes. */
	if (!r.bad &&
	    (size > HEALTH_SQL_MESSAGE_MAX || (s->stage == LOGIN && sequence != s->sequence)))
		return reply_broken(io, 0, "not MySQL");
	packet = read_part(&r, size);
	if (r.bad) {
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	}
	io->consumed = len - reader_left(&r);
	if (++s->packets > HEALTH_SQL_MESSAGES_MAX)
		return reply_broken(io, 0, "a login of too many messages");
	s->sequence = (uint8_t)(sequence + 1);
	return read_packet(s, config, packet, io);
}

/* The server speaks first; over TLS it waits for the login. */
static enum health_step mysql_open(void *state, const void *config, struct health_probe_io *io)
{
	struct mysql_state *s = state;

	return s->sequence ? send_login(s, config, io) : HEALTH_STEP_MORE;
}

/* It may hold the password, which went out over TLS. */
static void mysql_end(void *state, const void *config)
{
	explicit_bzero(state, sizeof(struct mysql_state));
}

const struct health_probe_ops *health_probe_mysql(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "mysql",
	    .state_size = sizeof(struct mysql_state),
	    .flags = HEALTH_PROBE_FIN,
	    .setup = sql_setup,
	    .teardown = sql_teardown,
	    .open = mysql_open,
	    .received = mysql_received,
	    .end = mysql_end,
	};

	return &ops;
}
