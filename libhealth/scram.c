/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/secret.h"
#include "base64.h"
#include "line.h"
#include "scram.h"

#define KEY 32
#define MESSAGE_MAX 1024 /* client-first-bare, server-first, client-final without its proof */
#define SALT_MAX 256

static void put(struct writer *w, const char *text)
{
	write_bytes(w, text, strlen(text));
}

int scram_begin(struct scram *s, const struct health_crypto *crypto, const char *password,
		const uint64_t salt[2])
{
	uint8_t hash[HEALTH_HASH_MAX_BYTES];
	struct writer w = writer_of(s->nonce, SCRAM_NONCE);
	int r = crypto->hmac(HEALTH_HASH_SHA256, password, strlen(password), salt,
			     2 * sizeof(*salt), hash);

	write_base64(&w, hash, 24);
	s->nonce[SCRAM_NONCE] = '\0';
	return r < 0 ? r : 0;
}

void scram_write_first(const struct scram *s, struct writer *w)
{
	put(w, "n,,n=,r=");
	put(w, s->nonce);
}

/* The value of the attribute that begins here, up to the comma. */
static bool take(struct reader *r, const char *name, struct reader *ret)
{
	const uint8_t *comma;

	if (reader_left(r) < 2 || memcmp(r->at, name, 2) != 0)
		return false;
	read_bytes(r, 2);
	comma = reader_left(r) ? memchr(r->at, ',', reader_left(r)) : NULL;
	*ret = read_part(r, comma ? (size_t)(comma - r->at) : reader_left(r));
	if (comma)
		read_u8(r);
	return true;
}

static uint32_t read_count(struct reader r)
{
	uint32_t n = 0;

	if (!reader_left(&r) || reader_left(&r) > 9)
		return 0;
	while (reader_left(&r)) {
		uint8_t c = read_u8(&r);

		if (!is_digit(c))
			return 0;
		n = n * 10 + c - '0';
	}
	return n;
}

/* Proof and signature from the salted password (RFC 5802 §3). */
static int prove(const struct health_crypto *crypto, const uint8_t *salted,
		 const struct writer *message, uint8_t *ret_proof, uint8_t *ret_signature)
{
	const enum health_hash sha256 = HEALTH_HASH_SHA256;
	uint8_t client[KEY], stored[KEY], server[KEY], mine[KEY];
	size_t len = writer_len(message);
	int r = crypto->hmac(sha256, salted, KEY, "Client Key", 10, client);

	if (r >= 0)
		r = crypto->digest(sha256, client, KEY, stored);
	if (r >= 0)
		r = crypto->hmac(sha256, stored, KEY, message->start, len, mine);
	if (r >= 0)
		r = crypto->hmac(sha256, salted, KEY, "Server Key", 10, server);
	if (r >= 0)
		r = crypto->hmac(sha256, server, KEY, message->start, len, ret_signature);
	if (r < 0)
		return r;
	for (int i = 0; i < KEY; i++)
		ret_proof[i] = client[i] ^ mine[i];
	return 0;
}

int scram_answer(struct scram *s, const struct health_crypto *crypto, const char *password,
		 uint32_t iterations_max, struct reader server_first, struct writer *w)
{
	uint8_t salt[SALT_MAX], salted[KEY], proof[KEY], signature[KEY], bytes[MESSAGE_MAX];
	struct writer message = writer_of(bytes, sizeof(bytes));
	struct writer expected = writer_of(s->signature, SCRAM_SIGNATURE);
	struct reader all = server_first, nonce, coded, count;
	uint32_t iterations;
	int salt_len, r;

	if (!take(&server_first, "r=", &nonce) || !take(&server_first, "s=", &coded) ||
	    !take(&server_first, "i=", &count) || reader_left(&nonce) <= SCRAM_NONCE ||
	    memcmp(nonce.at, s->nonce, SCRAM_NONCE) != 0)
		return -EPROTO;
	salt_len = read_base64(coded, salt, sizeof(salt));
	iterations = read_count(count);
	if (salt_len <= 0 || !iterations || iterations > iterations_max)
		return -EPROTO;
	put(&message, "n=,r=");
	put(&message, s->nonce);
	put(&message, ",");
	write_bytes(&message, all.at, reader_left(&all));
	put(&message, ",c=biws,r=");
	write_bytes(&message, nonce.at, reader_left(&nonce));
	if (message.bad)
		return -EPROTO;
	r = crypto->pbkdf2(password, strlen(password), salt, (size_t)salt_len, iterations, salted);
	if (r >= 0)
		r = prove(crypto, salted, &message, proof, signature);
	if (r < 0)
		return r;
	put(w, "c=biws,r=");
	write_bytes(w, nonce.at, reader_left(&nonce));
	put(w, ",p=");
	write_base64(w, proof, KEY);
	write_base64(&expected, signature, KEY);
	s->signature[SCRAM_SIGNATURE] = '\0';
	explicit_bzero(salted, sizeof(salted));
	return 0;
}

bool scram_verify(const struct scram *s, struct reader server_final)
{
	struct reader value;

	return take(&server_final, "v=", &value) && reader_left(&value) == SCRAM_SIGNATURE &&
	       secret_equal(value.at, (const uint8_t *)s->signature, SCRAM_SIGNATURE);
}
