/* SPDX-License-Identifier: MIT */
/* The words of HAProxy's manual, a table per place; each table ends with a NULL name. */
#ifndef PROXYD_CFG_WORDS_H
#define PROXYD_CFG_WORDS_H

#define WORD_HTTP 1u	 /* acts in HTTP mode only */
#define WORD_HARMLESS 2u /* without it the proxy does its job all the same */

struct cfg_word {
	const char *name; /* one word, or two with a space */
	unsigned flags;
	unsigned arguments; /* of a parameter of `server` or `bind` */
};

extern const struct cfg_word cfg_words_section[];
extern const struct cfg_word cfg_words_global[];
extern const struct cfg_word cfg_words_proxy[];
extern const struct cfg_word cfg_words_server[];
extern const struct cfg_word cfg_words_bind[];

/* Why a word has no effect or is refused, and what to do; NULL: there is no more to say. */
const char *cfg_word_reason(const char *name);

#endif
