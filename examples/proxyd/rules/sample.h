/* SPDX-License-Identifier: MIT */
/*
 * A value that a rule works on, with its type. Text is borrowed: from the message, the configuration,
 * or the scratch, whose content lasts for one evaluation. Pure.
 */
#ifndef PROXYD_RULES_SAMPLE_H
#define PROXYD_RULES_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
	const char *at;
	size_t len;
};

enum sample_type {
	SAMPLE_BOOL,
	SAMPLE_INT, /* 64 bits, signed */
	SAMPLE_IPV4,
	SAMPLE_IPV6,
	SAMPLE_STR,
	SAMPLE_BIN,
	SAMPLE_N_TYPES,
};

struct sample {
	enum sample_type type;
	union {
		int64_t number; /* BOOL (0, 1) and INT */
		uint8_t ip[16]; /* network order; IPV4: the first four */
		struct text text;
	};
};

/* Memory of one evaluation; what does not fit makes the evaluation fail. */
struct scratch {
	char *at;
	size_t used, cap;
};

/* NULL: full. */
char *scratch_take(struct scratch *s, size_t size);
/* Gives back what of the last piece, taken as `size`, is not needed. */
void scratch_trim(struct scratch *s, size_t size, size_t needed);

/* Copies text behind what is there. */
bool scratch_put(struct scratch *s, struct text t);

struct sample sample_bool(bool value);
struct sample sample_int(int64_t value);
struct sample sample_text(enum sample_type type, const char *at, size_t len);

/*
 * Changes the type as HAProxy does: numbers are written as decimals and read from the digits that text
 * begins with, binary ends at a NUL as text, IPv4 becomes a mapped IPv6 address and back. False: it
 * has no such value, or the scratch is full.
 */
bool sample_cast(struct sample *s, enum sample_type to, struct scratch *scratch);

/* True if some value of one type can become the other. */
bool sample_castable(enum sample_type from, enum sample_type to);

/* "string", "integer" … for messages. */
const char *sample_type_name(enum sample_type type);

/* Digits and an optional sign that `t` begins with; stops at anything else. False: overflow, *ret is the end of the range. */
bool text_to_int(struct text t, int64_t *ret);
/* The whole of `t`. */
bool text_to_ip(struct text t, struct sample *ret);
bool text_same(struct text a, struct text b, bool ignore_case);
static inline struct text text_of(const char *at, size_t len)
{
	return (struct text){at, len};
}

#endif
