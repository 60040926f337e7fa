/* SPDX-License-Identifier: MIT */
/*
 * Patterns that a sample is held against: of an ACL, of a pattern file, of a map. Pure.
 */
#ifndef PROXYD_RULES_PATTERN_H
#define PROXYD_RULES_PATTERN_H

#include "rules/expr.h"

#define PATTERNS_MAX 1000000 /* of one ACL or file */

enum match {
	MATCH_FOUND,
	MATCH_BOOL,
	MATCH_INT,
	MATCH_IP,
	MATCH_BIN,
	MATCH_LEN,
	MATCH_STR,
	MATCH_BEG,
	MATCH_SUB,
	MATCH_DIR, /* between slashes */
	MATCH_DOM, /* between dots */
	MATCH_END,
	MATCH_REG,
	MATCH_N,
};

struct pattern {
	struct text text;  /* as written, or the bytes of MATCH_BIN */
	int64_t low, high; /* INT, LEN */
	uint8_t ip[16];
	uint8_t bits; /* of `ip`; an IPv4 address is mapped: 96 and more */
	const struct regex *regex;
	uint32_t entry; /* of a map: its place there */
};

/*
 * Found by hash: texts that are equal, or that the sample begins or ends with, and networks, for each length that some have, the
 * longest first. All else one after the other, as few are.
 */
#define PATTERN_LENGTHS 256 /* longer ones count as 255 */
struct patterns {
	enum match match;
	bool ignore_case;
	bool versions; /* numbers are written as in "3.3" */
	bool no_names; /* -n: of hosts */
	struct pattern *at;
	unsigned n, cap;
	uint64_t number; /* of `at`, in the memory of texts: rules/pattern_memory.h */
	uint32_t *slot; /* 1 + index; 0: free; NULL: they are not found by hash */
	unsigned n_slots;
	uint64_t lengths[PATTERN_LENGTHS / 64]; /* a bit for each that some of them have, there */
};

/* "str", "beg" … ; false: no such match. */
bool match_of(const char *name, enum match *ret);
const char *match_name(enum match m);
enum match match_for(enum sample_type type); /* without -m */

/* Adds one pattern; INT and LEN understand "eq", "ge" … as *op, set by the words before. */
bool pattern_add(struct patterns *p, const char *text, const char *op, const struct rule_memory *m,
		 struct rule_error *e);
/* After the last one. */
bool patterns_finish(struct patterns *p, const struct rule_memory *m, struct rule_error *e);

/* The slots for one more, which pattern_add has added to what was finished. */
bool patterns_grow(struct patterns *p, const struct rule_memory *m, struct rule_error *e);

/* Steps through all that fit. */
struct pattern_walk {
	uint32_t at;
	int length; /* by hash: of those at hand; -1: there are no more */
	bool remembers; /* what was held in vain against all so far */
	uint32_t from;	/* those before it do not fit, as is remembered */
};
/* Casts `s` to what is matched. False: it has no such value. */
bool patterns_walk(const struct patterns *p, struct sample *s, struct scratch *scratch,
		   struct pattern_walk *ret);
const struct pattern *patterns_next(const struct patterns *p, const struct sample *s,
				    struct pattern_walk *w);

/* The first one that fits, or NULL. Any thread; `s` may be cast. */
const struct pattern *patterns_find(const struct patterns *p, struct sample *s,
				    struct scratch *scratch);

#endif
