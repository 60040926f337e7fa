/* SPDX-License-Identifier: MIT */
/* Converters of bytes: numbers they stand for, hashes of them. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#ifdef PROXYD_XXHASH
#include <xxhash.h>
#endif

#include <libsched/lb_hash.h>

#include "rules/expr.h"

/* be2dec(separator,chunk[,truncate]), be2hex([separator[,chunk[,truncate]]]) */
static bool chunks(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	struct text separator = n_args ? arg[0].text : text_of("", 0);
	size_t chunk = n_args > 1 && arg[1].number > 0 ? (size_t)arg[1].number : s->text.len, n = 0;
	bool truncate = n_args > 2 && arg[2].number;
	size_t cap = s->text.len * (3 + separator.len) + 21;
	char *p = scratch_take(&r->scratch, cap);

	if (!p)
		return false;
	for (size_t at = 0; at < s->text.len; at += chunk) {
		size_t len = s->text.len - at < chunk ? s->text.len - at : chunk;
		uint64_t value = 0;

		if (truncate && len < chunk)
			break;
		if (at) {
			memcpy(p + n, separator.at, separator.len);
			n += separator.len;
		}
		for (size_t i = 0; i < len; i++) {
			unsigned char byte = (unsigned char)s->text.at[at + i];

			value = value << 8 | byte;
			if (c->data)
				n += (size_t)snprintf(p + n, cap - n, "%02X", byte);
		}
		if (!c->data)
			n += (size_t)snprintf(p + n, cap - n, "%llu", (unsigned long long)value);
	}
	scratch_trim(&r->scratch, cap, n);
	*s = sample_text(SAMPLE_STR, p, n);
	return true;
}

static bool check_chunks(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			 struct rule_error *e)
{
	if (n > 1 && (arg[1].number < 0 || arg[1].number > 8192))
		return rule_fail(e, "a chunk has 1 to 8192 bytes");
	if (n && (n < 2 || !arg[1].number) && (arg[0].text.len || (n > 2 && arg[2].number)))
		return rule_fail(e, "the size of a chunk is missing: what is between them, and whether the last may be shorter, needs one");
	return n < 3 || arg[2].number == 0 || arg[2].number == 1 ||
	       rule_fail(e, "write 1 to leave a shorter last chunk out, or 0");
}

/* The same, of numbers: eight bytes at most */
static bool check_numbers(struct expr_arg *arg, unsigned n, const struct rule_memory *m,
			  struct rule_error *e)
{
	if (arg[1].number < 1 || arg[1].number > 8)
		return rule_fail(e, "a chunk of a number has 1 to 8 bytes");
	return check_chunks(arg, n, m, e);
}

static bool network_order(const struct conv *c, const struct expr_arg *arg, unsigned n_args,
			  struct run *r, struct sample *s)
{
	uint32_t n = htonl((uint32_t)s->number);
	char *p = scratch_take(&r->scratch, sizeof(n));

	if (!p)
		return false;
	memcpy(p, &n, sizeof(n));
	*s = sample_text(SAMPLE_BIN, p, sizeof(n));
	return true;
}

/* CRC-32C (Castagnoli; RFC 3720, appendix B.4) */
static uint32_t crc32c_of(struct text t)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < t.len; i++) {
		crc ^= (unsigned char)t.at[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
	}
	return ~crc;
}

static bool crc32c(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		   struct sample *s)
{
	uint32_t hash = crc32c_of(s->text);

	*s = sample_int(n_args && arg[0].number ? lb_hash_avalanche(hash) : hash);
	return true;
}

/* xxh64([seed]) */
static bool xxh64(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r,
		  struct sample *s)
{
	*s = sample_int((int64_t)lb_hash_bytes(s->text.at, s->text.len,
					       n_args ? (uint64_t)arg[0].number : 0));
	return true;
}

#ifdef PROXYD_XXHASH
/* xxh32([seed]), xxh3([seed]) */
static bool xxh(const struct conv *c, const struct expr_arg *arg, unsigned n_args, struct run *r, struct sample *s)
{
	uint64_t seed = n_args ? (uint64_t)arg[0].number : 0;

	*s = sample_int(c->data == 32 ? (int64_t)XXH32(s->text.at, s->text.len, (uint32_t)seed)
				      : (int64_t)XXH3_64bits_withSeed(s->text.at, s->text.len, seed));
	return true;
}
#endif

const struct conv convs_binary[] = {
    {"be2dec", "siI", SAMPLE_BIN, SAMPLE_STR, chunks, 0, check_numbers, false},
    {"be2hex", "SII", SAMPLE_BIN, SAMPLE_STR, chunks, 1, check_chunks, false},
    {"crc32c", "I", SAMPLE_BIN, SAMPLE_INT, crc32c, 0, NULL, false},
    {"htonl", "", SAMPLE_INT, SAMPLE_BIN, network_order, 0, NULL, false},
#ifdef PROXYD_XXHASH
    {"xxh3", "I", SAMPLE_BIN, SAMPLE_INT, xxh, 64, NULL, false},
    {"xxh32", "I", SAMPLE_BIN, SAMPLE_INT, xxh, 32, NULL, false},
#endif
    {"xxh64", "I", SAMPLE_BIN, SAMPLE_INT, xxh64, 0, NULL, false},
    {NULL, NULL, 0, 0, NULL, 0, NULL, false},
};
