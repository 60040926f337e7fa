/* SPDX-License-Identifier: MIT */
/* struct health_regex of <libhealth/foreign.h> by PCRE2: include it and link with libpcre2-8. */
#ifndef HEALTH_PCRE2_H
#define HEALTH_PCRE2_H

#include <errno.h>
#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <libhealth/foreign.h>

/* What a hostile page may cost: backtracking steps, nesting, and heap in KiB (pcre2_match(3)). */
#define HEALTH_PCRE2_MATCH_LIMIT 100000
#define HEALTH_PCRE2_DEPTH_LIMIT 1000
#define HEALTH_PCRE2_HEAP_LIMIT 1024

static inline int health_pcre2_compile(const char *pattern, void **ret_regex)
{
	int error;
	PCRE2_SIZE at;
	pcre2_code *code =
	    pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);

	if (!code)
		return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : -EINVAL;
	*ret_regex = code;
	return 0;
}

static inline int health_pcre2_search(const void *regex, const void *data, size_t len, size_t start,
				      size_t *ret_from, size_t *ret_to)
{
	pcre2_match_data *found =
	    pcre2_match_data_create_from_pattern((const pcre2_code *)regex, NULL);
	pcre2_match_context *limits = pcre2_match_context_create(NULL);
	int r = -ENOMEM;

	if (found && limits) {
		pcre2_set_match_limit(limits, HEALTH_PCRE2_MATCH_LIMIT);
		pcre2_set_depth_limit(limits, HEALTH_PCRE2_DEPTH_LIMIT);
		pcre2_set_heap_limit(limits, HEALTH_PCRE2_HEAP_LIMIT);
		r = pcre2_match((const pcre2_code *)regex, (PCRE2_SPTR)data, len, start, 0, found,
				limits);
		if (r > 0) {
			*ret_from = pcre2_get_ovector_pointer(found)[0];
			*ret_to = pcre2_get_ovector_pointer(found)[1];
			r = 1;
		} else {
			r = r == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
		}
	}
	pcre2_match_context_free(limits);
	pcre2_match_data_free(found);
	return r;
}

static inline void health_pcre2_free(void *regex)
{
	pcre2_code_free((pcre2_code *)regex);
}

static const struct health_regex health_pcre2 = {
    sizeof(health_pcre2),
    health_pcre2_compile,
    health_pcre2_search,
    health_pcre2_free,
};

#endif
