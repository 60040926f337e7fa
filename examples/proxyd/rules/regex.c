/* SPDX-License-Identifier: MIT */
#include "rules/regex.h"

#ifdef PROXYD_PCRE2

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <pthread.h>
#include <stdlib.h>

struct regex {
	pcre2_code *code;
	pcre2_match_context *limits;
	bool is_compiled; /* to machine code */
};

static void free_regex(void *object)
{
	struct regex *re = object;

	pcre2_code_free(re->code);
	pcre2_match_context_free(re->limits);
	free(re);
}

static struct regex *new_regex(const char *pattern, bool ignore_case, struct rule_error *e)
{
	struct regex *re = calloc(1, sizeof(*re));
	PCRE2_SIZE at;
	int error;

	if (!re) {
		rule_fail(e, "%s", "");
		return NULL;
	}
	re->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
				 PCRE2_DOLLAR_ENDONLY | (ignore_case ? PCRE2_CASELESS : 0), &error,
				 &at, NULL);
	re->limits = pcre2_match_context_create(NULL);
	if (!re->code || !re->limits) {
		PCRE2_UCHAR text[128] = "";

		if (!re->code)
			pcre2_get_error_message(error, text, sizeof(text));
		rule_fail(e, "the regular expression \"%.80s\" is wrong at character %zu: %s",
			  pattern, (size_t)at + 1, (const char *)text);
		free_regex(re);
		return NULL;
	}
	pcre2_set_match_limit(re->limits, REGEX_STEPS_MAX);
	pcre2_set_heap_limit(re->limits, 1024);		 /* KiB */
	re->is_compiled = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0; /* without it: slower */
	return re;
}

const struct regex *rule_regex(const struct rule_memory *m, const char *pattern, bool ignore_case,
			       struct rule_error *e)
{
	struct regex *re = new_regex(pattern, ignore_case, e);

	if (re && !m->on_free(m->owner, free_regex, re)) {
		rule_fail(e, "%s", "");
		return NULL;
	}
	return re;
}

/* ---- Where a match writes what it found: one place for a thread, as lists try thousands on one text ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t place;
static int place_error;

static void free_place(void *m)
{
	pcre2_match_data_free(m);
}

static void make_place_key(void)
{
	place_error = pthread_key_create(&place, free_place);
}

/* NULL: no memory. */
static pcre2_match_data *match_data(void)
{
	pcre2_match_data *m;

	if (pthread_once(&once, make_place_key) || place_error)
		return NULL;
	m = pthread_getspecific(place);
	if (m)
		return m;
	m = pcre2_match_data_create(REGEX_GROUPS, NULL);
	if (m && pthread_setspecific(place, m)) {
		pcre2_match_data_free(m);
		return NULL;
	}
	return m;
}

static bool match_from(const struct regex *re, struct text t, size_t from, struct text *group)
{
	PCRE2_SPTR subject = (PCRE2_SPTR)(t.at ? t.at : "");
	pcre2_match_data *m = match_data();
	const PCRE2_SIZE *at;
	int n;

	if (!m)
		return false;
	if (re->is_compiled) /* what pcre2_match() looks at before it does the same is right here */
		n = pcre2_jit_match(re->code, subject, t.len, from, 0, m, re->limits);
	else
		n = pcre2_match(re->code, subject, t.len, from, 0, m, re->limits);
	at = pcre2_get_ovector_pointer(m);
	for (int i = 0; group && n >= 0 && i < REGEX_GROUPS; i++) {
		bool set = (!n || i < n) && at[2 * i] != PCRE2_UNSET && at[2 * i] <= at[2 * i + 1];

		group[i] =
		    set ? text_of(t.at + at[2 * i], at[2 * i + 1] - at[2 * i]) : text_of(NULL, 0);
	}
	return n >= 0;
}

bool regex_match(const struct regex *re, struct text t, struct text group[REGEX_GROUPS])
{
	return match_from(re, t, 0, group);
}

bool regex_fill(const struct text group[REGEX_GROUPS], struct text template,
		struct scratch *scratch, struct text *ret)
{
	char *begin = scratch->at + scratch->used;

	for (size_t i = 0; i < template.len; i++) {
		struct text piece = text_of(template.at + i, 1);

		if (template.at[i] == '\\' && i + 1 < template.len) {
			char c = template.at[++i];

			piece = c >= '0' && c <= '9' ? group[c - '0'] : text_of(template.at + i, 1);
		}
		if (!scratch_put(scratch, piece))
			return false;
	}
	*ret = text_of(begin, (size_t)(scratch->at + scratch->used - begin));
	return true;
}

bool regex_replace(const struct regex *re, struct text t, struct text template, bool all,
		   struct scratch *scratch, struct text *ret)
{
	char *begin = scratch->at + scratch->used;
	struct text group[REGEX_GROUPS], piece;
	size_t from = 0, kept = 0;
	bool any = false;

	while (from <= t.len && match_from(re, t, from, group)) {
		size_t at = (size_t)(group[0].at - t.at), end = at + group[0].len;

		any = true;
		if (!scratch_put(scratch, text_of(t.at + kept, at - kept)) ||
		    !regex_fill(group, template, scratch, &piece))
			return false;
		kept = end;
		from = group[0].len ? end : end + 1; /* an empty match moves on */
		if (!all)
			break;
	}
	if (!any) {
		*ret = t;
		return true;
	}
	if (!scratch_put(scratch, text_of(t.at + kept, t.len - kept)))
		return false;
	*ret = text_of(begin, (size_t)(scratch->at + scratch->used - begin));
	return true;
}

#else

const struct regex *rule_regex(const struct rule_memory *m, const char *pattern, bool ignore_case,
			       struct rule_error *e)
{
	rule_fail(e, "regular expressions need PCRE2, and this program was built without it");
	return NULL;
}

bool regex_match(const struct regex *re, struct text t, struct text group[REGEX_GROUPS])
{
	return false;
}

bool regex_fill(const struct text group[REGEX_GROUPS], struct text template,
		struct scratch *scratch, struct text *ret)
{
	*ret = template;
	return true;
}

bool regex_replace(const struct regex *re, struct text t, struct text template, bool all,
		   struct scratch *scratch, struct text *ret)
{
	*ret = t;
	return true;
}

#endif
