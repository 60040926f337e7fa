/* SPDX-License-Identifier: MIT */
/* The RADIUS probe: Access-Request or Status-Server, and an answer whose authenticators are right. */
#include <endian.h>
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_services.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/sized.h"
#include "line.h"
#include "reply.h"

#define ACCESS_REQUEST 1
#define ACCESS_ACCEPT 2
#define ACCESS_REJECT 3
#define ACCOUNTING_RESPONSE 5
#define ACCESS_CHALLENGE 11
#define STATUS_SERVER 12

#define USER_NAME 1
#define USER_PASSWORD 2
#define REPLY_MESSAGE 18
#define NAS_IDENTIFIER 32
#define MESSAGE_AUTHENTICATOR 80

#define HEAD_BYTES 20
#define MD5_BYTES 16
#define PACKET_MAX 4096 /* RFC 2865 §3 */
#define REQUEST_MAX 512

struct radius_config {
	char secret[HEALTH_RADIUS_WORD_MAX + 1];
	char user[HEALTH_RADIUS_WORD_MAX + 1];
	char password[HEALTH_RADIUS_WORD_MAX + 1];
	bool is_status;
	uint64_t flags;
	const struct health_crypto *crypto;
};

struct radius_state {
	uint8_t id;
	bool strangers;
	uint8_t authenticator[MD5_BYTES]; /* of the request */
	uint8_t out[REQUEST_MAX];
};

/* ---- the options ---- */

static bool keep(char *ret, const char *given)
{
	size_t len = given ? strnlen(given, HEALTH_RADIUS_WORD_MAX + 1) : 0;

	if (len > HEALTH_RADIUS_WORD_MAX)
		return false;
	if (len)
		memcpy(ret, given, len + 1);
	return true;
}

static void radius_teardown(void *config)
{
	mem_wipe_free(config, sizeof(struct radius_config));
}

static int radius_setup(const void *opts, void **ret_config)
{
	struct health_radius_opts o;
	int r = sized_in(&o, sizeof(o), opts);
	struct radius_config *c;

	if (r < 0)
		return r;
	if (!o.secret || !*o.secret || (o.user && !*o.user) || (o.password && !o.user) ||
	    !o.crypto || !o.crypto->size || !o.crypto->digest || !o.crypto->hmac ||
	    o.flags & ~HEALTH_RADIUS_REJECT_OK)
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->is_status = !o.user;
	c->flags = o.flags;
	c->crypto = o.crypto;
	if (!keep(c->secret, o.secret) || !keep(c->user, o.user) ||
	    !keep(c->password, o.password)) {
		radius_teardown(c);
		return -EINVAL;
	}
	*ret_config = c;
	return 0;
}

/* ---- the request ---- */

/*
 * One MD5 over up to three parts and the secret. The room is that of a whole packet: answers are hashed
 * with it, too.
 */
static int md5_with_secret(const struct radius_config *c, const struct reader *parts, size_t n,
			   uint8_t *ret)
{
	uint8_t all[PACKET_MAX + HEALTH_RADIUS_WORD_MAX];
	struct writer w = writer_of(all, sizeof(all));

	for (size_t i = 0; i < n; i++)
		write_bytes(&w, parts[i].at, reader_left(&parts[i]));
	write_bytes(&w, c->secret, strlen(c->secret));
	return w.bad ? -EINVAL : c->crypto->digest(HEALTH_HASH_MD5, all, writer_len(&w), ret);
}

/* Blocks of 16 bytes, each hidden by MD5(secret, the block before) (RFC 2865 §5.2). */
static int write_password(struct writer *w, const struct radius_config *c,
			  const uint8_t *authenticator)
{
	uint8_t mixed[HEALTH_RADIUS_WORD_MAX + MD5_BYTES], hash[HEALTH_HASH_MAX_BYTES];
	size_t len = strlen(c->password), blocks = len ? (len + 15) / 16 : 1;
	size_t secret_len = strlen(c->secret);
	const uint8_t *before = authenticator;

	write_u8(w, USER_PASSWORD);
	write_u8(w, (uint8_t)(2 + blocks * MD5_BYTES));
	for (size_t i = 0; i < blocks; i++) {
		uint8_t *block = write_room(w, MD5_BYTES);
		int r;

		memcpy(mixed, c->secret, secret_len);
		memcpy(mixed + secret_len, before, MD5_BYTES);
		r = c->crypto->digest(HEALTH_HASH_MD5, mixed, secret_len + MD5_BYTES, hash);
		if (r < 0 || !block)
			return -EIO;
		for (size_t j = 0; j < MD5_BYTES; j++) {
			size_t at = i * MD5_BYTES + j;

			block[j] = hash[j] ^ (uint8_t)(at < len ? c->password[at] : 0);
		}
		before = block;
	}
	return 0;
}

static void write_text(struct writer *w, uint8_t type, const char *text)
{
	write_u8(w, type);
	write_u8(w, (uint8_t)(2 + strlen(text)));
	write_bytes(w, text, strlen(text));
}

/* 0 and the length in `ret_len`. The Message-Authenticator comes first (RFC 3579 §3.2, CVE-2024-3596). */
static int write_request(struct radius_state *s, const struct radius_config *c, size_t *ret_len)
{
	uint8_t hash[HEALTH_HASH_MAX_BYTES], *proof;
	struct writer w = writer_of(s->out, sizeof(s->out)), length;
	int r = 0;

	write_u8(&w, c->is_status ? STATUS_SERVER : ACCESS_REQUEST);
	write_u8(&w, s->id);
	length = writer_of(w.at, 2);
	write_be16(&w, 0);
	write_bytes(&w, s->authenticator, MD5_BYTES);
	write_u8(&w, MESSAGE_AUTHENTICATOR);
	write_u8(&w, 2 + MD5_BYTES);
	proof = w.at;
	write_zero(&w, MD5_BYTES);
	if (!c->is_status) {
		write_text(&w, USER_NAME, c->user);
		r = write_password(&w, c, s->authenticator);
	}
	write_text(&w, NAS_IDENTIFIER, "libhealth");
	write_be16(&length, (uint16_t)writer_len(&w));
	*ret_len = writer_len(&w);
	if (r == 0)
		r = c->crypto->hmac(HEALTH_HASH_MD5, c->secret, strlen(c->secret), s->out, *ret_len,
				    hash);
	memcpy(proof, hash, MD5_BYTES);
	return r < 0 || w.bad ? -EIO : 0;
}

static enum health_step radius_open(void *state, const void *config, struct health_probe_io *io)
{
	const struct radius_config *c = config;
	struct radius_state *s = state;
	uint8_t hash[HEALTH_HASH_MAX_BYTES];
	uint64_t seed[2] = {htole64(io->now_ns), htole64(io->nonce)};
	size_t len;

	/* Unforeseeable to who does not know the secret, as RFC 2865 §3 wants it; the same on any machine. */
	if (c->crypto->hmac(HEALTH_HASH_MD5, c->secret, strlen(c->secret), seed, sizeof(seed),
			    hash) < 0)
		return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, 0,
				  "the hash function failed");
	memcpy(s->authenticator, hash, MD5_BYTES);
	s->id = (uint8_t)(io->nonce ^ io->now_ns);
	if (write_request(s, c, &len) < 0)
		return reply_over(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, 0,
				  "the hash function failed");
	return reply_send(io, s->out, len);
}

/* ---- the answer ---- */

/* MD5 of code, id, length, the request's authenticator, attributes and secret (RFC 2865 §3). */
static bool answer_is_right(const struct radius_state *s, const struct radius_config *c,
			    const uint8_t *packet, size_t len)
{
	const struct reader parts[] = {
	    reader_of(packet, 4),
	    reader_of(s->authenticator, MD5_BYTES),
	    reader_of(packet + HEAD_BYTES, len - HEAD_BYTES),
	};
	uint8_t hash[HEALTH_HASH_MAX_BYTES];

	return md5_with_secret(c, parts, 3, hash) >= 0 && secret_equal(hash, packet + 4, MD5_BYTES);
}

/* The next attribute's type, and its value. 0: there are no more, or it is broken. */
static uint8_t next_attribute(struct reader *r, struct reader *ret)
{
	uint8_t type = read_u8(r), len = read_u8(r);

	if (len < 2)
		r->bad = true;
	*ret = read_part(r, len - 2u);
	return r->bad ? 0 : type;
}

/* A Message-Authenticator, if there is one, is right, too. */
static bool proof_is_right(const struct radius_state *s, const struct radius_config *c,
			   const uint8_t *packet, size_t len, size_t at)
{
	uint8_t copy[PACKET_MAX], hash[HEALTH_HASH_MAX_BYTES];

	memcpy(copy, packet, len);
	memcpy(copy + 4, s->authenticator, MD5_BYTES);
	memset(copy + at, 0, MD5_BYTES);
	return c->crypto->hmac(HEALTH_HASH_MD5, c->secret, strlen(c->secret), copy, len, hash) >=
		   0 &&
	       secret_equal(hash, packet + at, MD5_BYTES);
}

static enum health_step judge(const struct radius_config *c, uint8_t code, const char *text,
			      struct health_probe_io *io)
{
	switch (code) {
	case ACCESS_ACCEPT:
		return reply_ok(io, code, *text ? text : "Access-Accept");
	case ACCOUNTING_RESPONSE: /* what an accounting port says to Status-Server */
		if (c->is_status)
			return reply_ok(io, code, "Accounting-Response");
		break;
	case ACCESS_REJECT:
		text = *text ? text : "Access-Reject";
		return c->flags & HEALTH_RADIUS_REJECT_OK ? reply_ok(io, code, text)
							  : reply_no(io, code, text);
	case ACCESS_CHALLENGE:
		return reply_no(io, code, *text ? text : "Access-Challenge");
	}
	return reply_no(io, code, "an answer of another kind");
}

static enum health_step radius_received(void *state, const void *config, const void *data,
					size_t len, struct health_probe_io *io)
{
	const struct radius_config *c = config;
	struct radius_state *s = state;
	const uint8_t *packet = data;
	struct reader r = reader_of(data, len), value;
	char text[HEALTH_TEXT_MAX] = "";
	uint8_t code = read_u8(&r), id = read_u8(&r), type;
	uint16_t size = read_be16(&r);

	s->strangers = true;
	if (r.bad || id != s->id || size < HEAD_BYTES || size > len || size > PACKET_MAX ||
	    !answer_is_right(s, c, packet, size))
		return HEALTH_STEP_MORE;
	r = reader_of(packet + HEAD_BYTES, size - HEAD_BYTES);
	while (reader_left(&r) && (type = next_attribute(&r, &value))) {
		if (type == REPLY_MESSAGE && !*text)
			line_excerpt(&value, text, sizeof(text));
		if (type == MESSAGE_AUTHENTICATOR &&
		    (reader_left(&value) != MD5_BYTES ||
		     !proof_is_right(s, c, packet, size, (size_t)(value.at - packet))))
			return HEALTH_STEP_MORE;
	}
	return judge(c, code, text, io);
}

static enum health_step radius_timeout(void *state, const void *config, struct health_probe_io *io)
{
	const struct radius_state *s = state;

	if (!s->strangers)
		return HEALTH_STEP_MORE;
	return reply_over(io, HEALTH_FAIL, HEALTH_CODE_L7TOUT, 0,
			  "answers came, none of them authentic: is the secret right?");
}

const struct health_probe_ops *health_probe_radius(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "radius",
	    .state_size = sizeof(struct radius_state),
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = radius_setup,
	    .teardown = radius_teardown,
	    .open = radius_open,
	    .received = radius_received,
	    .timeout = radius_timeout,
	};

	return &ops;
}
