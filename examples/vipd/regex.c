/* SPDX-License-Identifier: MIT */
#include "regex.h"

#ifdef HAVE_PCRE2

#include <stdio.h>
#include <string.h>

#include "adapters/health_pcre2.h"

bool regex_available(void)
{
	return true;
}

bool regex_option(const char *name, uint32_t *options)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} known[] = {
	    {"allow_empty_class", PCRE2_ALLOW_EMPTY_CLASS},
	    {"alt_bsux", PCRE2_ALT_BSUX},
	    {"alt_circumflex", PCRE2_ALT_CIRCUMFLEX},
	    {"alt_verbnames", PCRE2_ALT_VERBNAMES},
	    {"auto_callout", PCRE2_AUTO_CALLOUT},
	    {"caseless", PCRE2_CASELESS},
	    {"dollar_endonly", PCRE2_DOLLAR_ENDONLY},
	    {"dotall", PCRE2_DOTALL},
	    {"dupnames", PCRE2_DUPNAMES},
	    {"extended", PCRE2_EXTENDED},
	    {"firstline", PCRE2_FIRSTLINE},
	    {"match_unset_backref", PCRE2_MATCH_UNSET_BACKREF},
	    {"multiline", PCRE2_MULTILINE},
	    {"never_backslash_c", PCRE2_NEVER_BACKSLASH_C},
	    {"never_ucp", PCRE2_NEVER_UCP},
	    {"never_utf", PCRE2_NEVER_UTF},
	    {"no_auto_capture", PCRE2_NO_AUTO_CAPTURE},
	    {"no_auto_possess", PCRE2_NO_AUTO_POSSESS},
	    {"no_dotstar_anchor", PCRE2_NO_DOTSTAR_ANCHOR},
	    {"no_start_optimize", PCRE2_NO_START_OPTIMIZE},
	    {"ucp", PCRE2_UCP},
	    {"ungreedy", PCRE2_UNGREEDY},
	    {"use_offset_limit", PCRE2_USE_OFFSET_LIMIT},
	    {"utf", PCRE2_UTF},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].name, name))
			continue;
		*options |= known[i].bit;
		return true;
	}
	return false;
}

static pcre2_code *compile(const char *pattern, uint32_t options, int *ret_error, size_t *ret_at)
{
	return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, ret_error, ret_at,
			     NULL);
}

const char *regex_check(const char *pattern, uint32_t options, size_t *ret_at)
{
	static char text[128];
	int error;
	pcre2_code *code = compile(pattern, options, &error, ret_at);

	if (code) {
		pcre2_code_free(code);
		return NULL;
	}
	pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
	return text;
}

static int compile_with_options(const char *text, void **ret_regex)
{
	unsigned options;
	size_t at;
	int error;

	if (sscanf(text, "%8x", &options) != 1)
		return -EINVAL;
	*ret_regex = compile(text + REGEX_OPTIONS_LEN, options, &error, &at);
	if (*ret_regex)
		return 0;
	return error == PCRE2_ERROR_HEAP_FAILED ? -ENOMEM : -EINVAL;
}

const struct health_regex *regex_ops(void)
{
	static const struct health_regex ops = {sizeof(ops), compile_with_options,
						health_pcre2_search, health_pcre2_free};

	(void)health_pcre2;
	return &ops;
}

#else

bool regex_available(void)
{
	return false;
}

bool regex_option(const char *name, uint32_t *options)
{
	return true;
}

const char *regex_check(const char *pattern, uint32_t options, size_t *ret_at)
{
	return NULL;
}

const struct health_regex *regex_ops(void)
{
	return NULL;
}

#endif
