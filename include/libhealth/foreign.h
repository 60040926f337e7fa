/* SPDX-License-Identifier: MIT */
/*
 * What a few probes borrow from other people's libraries: hashes (a login to MySQL, PostgreSQL or
 * RADIUS, a digest of a page) and regular expressions. libhealth links none of them; the host, which
 * knows what it links with anyway, hands over a table of functions. examples/adapters/ has two, ready to
 * include: health_openssl.h (OpenSSL) and health_pcre2.h (PCRE2).
 *
 * The functions must not block, call this library or keep state between calls. They run in the
 * engine's thread. The tables must live as long as the probes made with them.
 */
#ifndef LIBHEALTH_FOREIGN_H
#define LIBHEALTH_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum health_hash {
	HEALTH_HASH_MD5 = 0,
	HEALTH_HASH_SHA1 = 1,
	HEALTH_HASH_SHA256 = 2,
};

#define HEALTH_HASH_MAX_BYTES 32 /* of a hash: MD5 has 16, SHA1 20, SHA256 32 */

/* Each returns 0 or -errno; with an error the check fails with HEALTH_CODE_SOCKERR. */
struct health_crypto {
	size_t size;
	/* The hash of `data` into `ret`, HEALTH_HASH_MAX_BYTES of room. */
	int (*digest)(enum health_hash hash, const void *data, size_t len, uint8_t *ret);
	/* RFC 2104, into `ret` as above. */
	int (*hmac)(enum health_hash hash, const void *key, size_t key_len, const void *data,
		    size_t len, uint8_t *ret);
	/* RFC 8018 §5.2 with HMAC-SHA256, 32 bytes into `ret`. NULL: no SCRAM (PostgreSQL). */
	int (*pbkdf2)(const void *password, size_t password_len, const void *salt, size_t salt_len,
		      uint32_t iterations, uint8_t *ret);
};

/* A server chooses the subject: `search` must end after a bounded number of steps. */
struct health_regex {
	size_t size;
	/* Compiles; the object is given back to the two below. 0; -EINVAL: no such expression;
	 * -ENOMEM. */
	int (*compile)(const char *pattern, void **ret_regex);
	/* 1: found at or after `start`, from `*ret_from` up to `*ret_to` (offsets in data); 0: not;
	 * -errno: a limit was met. */
	int (*search)(const void *regex, const void *data, size_t len, size_t start,
		      size_t *ret_from, size_t *ret_to);
	void (*free)(void *regex);
};

#define HEALTH_REGEX_MAX 1024 /* characters of a pattern */

#ifdef __cplusplus
}
#endif
#endif
