/* SPDX-License-Identifier: MIT */
/* Patterns found by hash, or with what is remembered of a text, are those found one after the other. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rules/map.h"
#include "rules/pattern.h"
#include "rules/pattern_memory.h"

#define PATTERNS 400
#define SAMPLES 2000

struct arena {
	void *at[4 * PATTERNS];
	size_t n;
};

static void *take(void *owner, size_t size)
{
	struct arena *a = owner;

	assert_true(a->n < sizeof(a->at) / sizeof(a->at[0]));
	return a->at[a->n++] = calloc(1, size);
}

static uint64_t state;

static unsigned any(unsigned n)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (unsigned)(state >> 33) % n;
}

/* Of few letters, so that many fit; some are longer than what is hashed. */
static void any_text(char *to, bool may_be_long)
{
	size_t len = any(8), at = 0;

	if (may_be_long && !any(8))
		for (len = 250 + any(10); at < len - 2; at++)
			to[at] = 'a';
	for (; at < len; at++)
		to[at] = "abAB"[any(4)];
	to[at] = '\0';
}

static void any_network(char *to, bool is_pattern)
{
	unsigned a = any(3), b = any(4), c = any(256);

	if (any(3))
		snprintf(to, 64, "10.%u.%u.%u", a, b, c);
	else
		snprintf(to, 64, "2001:db8:%x::%x", a << 8, c);
	if (is_pattern && any(4))
		snprintf(to + strlen(to), 8, "/%u", any(strchr(to, ':') ? 129 : 33));
}

static bool fits_text(enum match match, bool ignore_case, const char *pattern, const char *text)
{
	size_t n = strlen(pattern), len = strlen(text);
	const char *at = match == MATCH_END && len >= n ? text + len - n : text;

	if (n > len || (match == MATCH_STR && n != len))
		return false;
	return !(ignore_case ? strncasecmp(at, pattern, n) : strncmp(at, pattern, n));
}

/* By the bits, one after the other. */
static bool fits_network(const struct pattern *p, const uint8_t ip[16])
{
	for (unsigned i = 0; i < p->bits; i++)
		if ((p->ip[i / 8] ^ ip[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static unsigned length(enum match match, const struct pattern *p)
{
	return match == MATCH_IP ? p->bits : p->text.len < 255 ? (unsigned)p->text.len : 255;
}

static void compare(const struct patterns *p, struct sample *s, const char *text)
{
	unsigned found[PATTERNS] = {0}, n = 0, last = 256;
	struct scratch scratch = {(char[512]){0}, 0, 512};
	struct pattern_walk walk;
	const struct pattern *one;

	assert_true(patterns_walk(p, s, &scratch, &walk));
	while ((one = patterns_next(p, s, &walk))) {
		found[one - p->at]++;
		n++;
		assert_true(p->match == MATCH_STR || length(p->match, one) <= last);
		last = length(p->match, one);
	}
	for (unsigned i = 0; i < p->n; i++) {
		bool fits = p->match == MATCH_IP ? fits_network(&p->at[i], s->ip) : fits_text(p->match, p->ignore_case, p->at[i].text.at, text);

		if (found[i] != fits)
			fail_msg("%s: \"%s\" and \"%s\": %u times", match_name(p->match), p->at[i].text.at, text, found[i]);
	}
	assert_true(!n == !patterns_find(p, s, &scratch));
}

/* `late`: so many are there when the rest comes, as at run time. */
static void run(enum match match, bool ignore_case, unsigned n, unsigned late)
{
	struct arena arena = {.n = 0};
	struct rule_memory m = {.alloc = take, .owner = &arena};
	struct patterns p = {.match = match, .ignore_case = ignore_case};
	struct rule_error e = {""};
	char text[512];

	state = n * 31 + match * 7 + ignore_case;
	for (unsigned i = 0; i < n; i++) {
		if (match == MATCH_IP)
			any_network(text, true);
		else
			any_text(text, true);
		assert_true(pattern_add(&p, text, NULL, &m, &e));
		if (i + 1 == n - late)
			assert_true(patterns_finish(&p, &m, &e));
		else if (i >= n - late)
			assert_true(patterns_grow(&p, &m, &e));
	}
	for (unsigned i = 0; i < SAMPLES; i++) {
		struct sample s;

		if (match == MATCH_IP) {
			any_network(text, false);
			assert_true(text_to_ip(text_of(text, strlen(text)), &s));
		} else {
			any_text(text, true);
			s = sample_text(SAMPLE_STR, text, strlen(text));
		}
		compare(&p, &s, text);
	}
	for (size_t i = 0; i < arena.n; i++)
		free(arena.at[i]);
}

static void all_that_fit_are_found(void **unused)
{
	static const enum match matches[] = {MATCH_STR, MATCH_BEG, MATCH_END, MATCH_IP};
	static const unsigned n[] = {8, 30, PATTERNS};

	for (unsigned i = 0; i < sizeof(matches) / sizeof(matches[0]); i++)
		for (unsigned k = 0; k < 2 * sizeof(n) / sizeof(n[0]); k++) {
			run(matches[i], k % 2, n[k / 2], 0);
			run(matches[i], k % 2, n[k / 2], n[k / 2] / 2);
		}
}

/* ---- One after the other, with what is remembered of a text ---- */

static struct {
	void (*fn)(void *object);
	void *object;
} ends[4 * PATTERNS];
static size_t n_ends;

static bool at_end(void *owner, void (*fn)(void *object), void *object)
{
	(void)owner;
	assert_true(n_ends < sizeof(ends) / sizeof(ends[0]));
	ends[n_ends].fn = fn;
	ends[n_ends++].object = object;
	return true;
}

/* The first of `n` that the text contains: letters are their own regular expressions. -1: none. */
static int first_within(char (*pattern)[16], unsigned n, bool ignore_case, const char *text)
{
	for (unsigned i = 0; i < n; i++)
		if (ignore_case ? strcasestr(text, pattern[i]) : strstr(text, pattern[i]))
			return (int)i;
	return -1;
}

/* Few texts, so that they come again; two lists, one of which is begun anew, so that each is remembered on its own. */
static void run_slow(enum match match, bool ignore_case)
{
	static char pattern[2][PATTERNS][16];
	struct arena arena = {.n = 0};
	const struct rule_memory m = {.alloc = take, .on_free = at_end, .owner = &arena};
	struct patterns p[2] = {{.match = match, .ignore_case = ignore_case}, {.match = match, .ignore_case = ignore_case}};
	char bytes[512], text[300];
	struct rule_error e;

	for (unsigned i = 0; i < 4000; i++) {
		unsigned k = any(2);
		struct scratch scratch = {bytes, 0, sizeof(bytes)};
		const struct pattern *found;
		struct sample s;
		int first;

		if (k && !any(300) && p[1].n) {
			p[1] = (struct patterns){.match = match, .ignore_case = ignore_case};
		} else if (p[k].n < 100 || (p[k].n < PATTERNS / 2 && !any(30))) {
			for (unsigned c = 3 + any(6), at = 0; at <= c; at++)
				pattern[k][p[k].n][at] = at < c ? "abAB"[any(4)] : '\0';
			assert_true(pattern_add(&p[k], pattern[k][p[k].n], NULL, &m, &e));
		}
		any_text(text, true);
		s = sample_text(SAMPLE_STR, text, strlen(text));
		found = patterns_find(&p[k], &s, &scratch);
		first = first_within(pattern[k], p[k].n, ignore_case, text);
		assert_ptr_equal(found, first < 0 ? NULL : &p[k].at[first]);
	}
	while (n_ends)
		n_ends--, ends[n_ends].fn(ends[n_ends].object);
	for (size_t i = 0; i < arena.n; i++)
		free(arena.at[i]);
}

static void what_is_remembered_changes_nothing(void **unused)
{
	for (unsigned texts = 0; texts <= 200; texts += 100) { /* 0: the thread has none; then one in which few have room */
		pattern_memory_limit(texts);
		run_slow(MATCH_SUB, texts == 100);
		run_slow(MATCH_REG, false);
		run_slow(MATCH_REG, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_that_fit_are_found),
	    cmocka_unit_test(what_is_remembered_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
