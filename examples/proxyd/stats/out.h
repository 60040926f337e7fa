/* SPDX-License-Identifier: MIT */
/* Text that grows, up to a limit; a failure is remembered, so that only the end is asked. */
#ifndef PROXYD_STATS_OUT_H
#define PROXYD_STATS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUT_MAX (64u << 20) /* bytes */

struct out {
	char *at;
	size_t len, cap;
	bool failed; /* no memory, or more than OUT_MAX: `at` is not whole */
};

void out_put(struct out *o, const char *data, size_t len);
void out_text(struct out *o, const char *text);
void out_number(struct out *o, uint64_t n);
__attribute__((format(printf, 2, 3))) void out_printf(struct out *o, const char *format, ...);

/* As content or attribute of HTML; within a JSON string; in a CSV field (RFC 4180, only when needed). */
void out_html(struct out *o, const char *text);
void out_json(struct out *o, const char *text);
void out_csv(struct out *o, const char *text);

void out_free(struct out *o);

#endif
