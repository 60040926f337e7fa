/* SPDX-License-Identifier: MIT */
/*
 * Where a run of allowed bytes ends. Vectors of the build's instruction set (32 bytes with AVX2, 16
 * with SSE2), one byte at a time elsewhere and at the end; nothing is read past `end`.
 */
#ifndef PROXYD_ENGINE_HTTP_H1_SCAN_H
#define PROXYD_ENGINE_HTTP_H1_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__AVX2__)
#include <immintrin.h>
#define H1_VECTOR 32
typedef __m256i h1_vector;
#define h1_load(p) _mm256_loadu_si256((const __m256i *)(p))
#define h1_all(c) _mm256_set1_epi8(c)
#define h1_equal(a, b) _mm256_cmpeq_epi8(a, b)
#define h1_greater(a, b) _mm256_cmpgt_epi8(a, b) /* signed */
#define h1_min(a, b) _mm256_min_epu8(a, b)
#define h1_or(a, b) _mm256_or_si256(a, b)
#define h1_and_not(a, b) _mm256_andnot_si256(b, a)
#define h1_subtract(a, b) _mm256_sub_epi8(a, b)
#define h1_mask(v) ((uint32_t)_mm256_movemask_epi8(v))
#define H1_ALL_BITS 0xffffffffu
#elif defined(__SSE2__)
#include <emmintrin.h>
#define H1_VECTOR 16
typedef __m128i h1_vector;
#define h1_load(p) _mm_loadu_si128((const __m128i *)(p))
#define h1_all(c) _mm_set1_epi8(c)
#define h1_equal(a, b) _mm_cmpeq_epi8(a, b)
#define h1_greater(a, b) _mm_cmpgt_epi8(a, b) /* signed */
#define h1_min(a, b) _mm_min_epu8(a, b)
#define h1_or(a, b) _mm_or_si128(a, b)
#define h1_and_not(a, b) _mm_andnot_si128(b, a)
#define h1_subtract(a, b) _mm_sub_epi8(a, b)
#define h1_mask(v) ((uint32_t)_mm_movemask_epi8(v))
#define H1_ALL_BITS 0xffffu
#endif
#ifdef H1_VECTOR
/* The first of these bits, H1_VECTOR if there is none. */
#define h1_first(mask) __builtin_ctzll((uint64_t)(mask) | UINT64_C(1) << H1_VECTOR)
#endif

/* RFC 9110, section 5.6.2 */
static inline bool h1_is_token(unsigned char c)
{
	/* a bit per character, 32 each: ! # $ % & ' * + - . 0-9 A-Z ^ _ ` a-z | ~ */
	static const uint32_t set[8] = {0, 0x03ff6cfau, 0xc7fffffeu, 0x57ffffffu};

	return set[c >> 5] >> (c & 31) & 1;
}

/* Field values: HTAB, SP, visible, obs-text (RFC 9110, section 5.5). */
static inline bool h1_is_value(unsigned char c)
{
	return c >= 0x20 ? c != 0x7f : c == '\t';
}

/* A value of Host without what ends a host, or hides one: HTAB SP " # , / < > ? @ \ */
static inline bool h1_is_host(unsigned char c)
{
	static const uint32_t never[8] = {0x00000200u, 0xd000900du, 0x10000001u};

	return !(never[c >> 5] >> (c & 31) & 1);
}

static inline bool h1_is_target(unsigned char c)
{
	return c > 0x20 && c < 0x7f && c != '#';
}

static inline const char *h1_skip_token(const char *p, const char *end)
{
#ifdef H1_VECTOR
	/* Letters, digits and "-" at once: that is nearly all there is. */
	if (end - p >= H1_VECTOR) {
		h1_vector v = h1_load(p);
		h1_vector letter = h1_subtract(h1_or(v, h1_all(0x20)), h1_all('a'));
		h1_vector digit = h1_subtract(v, h1_all('0'));
		h1_vector good = h1_or(h1_or(h1_equal(h1_min(letter, h1_all(25)), letter),
					     h1_equal(h1_min(digit, h1_all(9)), digit)),
				       h1_equal(v, h1_all('-')));
		uint32_t bad = ~h1_mask(good) & H1_ALL_BITS;

		p += h1_first(bad);
	}
#endif
	while (p < end && *p != ':' && h1_is_token((unsigned char)*p))
		p++;
	return p;
}

static inline const char *h1_skip_value(const char *p, const char *end)
{
#ifdef H1_VECTOR
	for (; end - p >= H1_VECTOR; p += H1_VECTOR) {
		h1_vector v = h1_load(p);
		h1_vector control = h1_equal(h1_min(v, h1_all(0x1f)), v);
		h1_vector bad = h1_or(h1_and_not(control, h1_equal(v, h1_all('\t'))),
				      h1_equal(v, h1_all(0x7f)));
		uint32_t mask = h1_mask(bad);

		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && h1_is_value((unsigned char)*p))
		p++;
	return p;
}

static inline const char *h1_skip_target(const char *p, const char *end)
{
#ifdef H1_VECTOR
	for (; end - p >= H1_VECTOR; p += H1_VECTOR) {
		h1_vector v = h1_load(p);
		/* bytes from 0x80 on are negative here: not greater than a space either */
		h1_vector bad = h1_or(h1_equal(v, h1_all(0x7f)), h1_equal(v, h1_all('#')));
		uint32_t mask = h1_mask(bad) | (h1_mask(h1_greater(v, h1_all(0x20))) ^ H1_ALL_BITS);

		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	while (p < end && h1_is_target((unsigned char)*p))
		p++;
	return p;
}

#endif
