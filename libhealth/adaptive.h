/* SPDX-License-Identifier: MIT */
/* Answers that come slower than usual (health_adaptive_opts). Pure. */
#ifndef LIBHEALTH_ADAPTIVE_H
#define LIBHEALTH_ADAPTIVE_H

#include <libhealth/health.h>

#define ADAPTIVE_SLICES 8 /* the window moves on by one of them */

struct adaptive {
	struct health_adaptive_opts o;
	uint64_t slice; /* the number of the present one since time began; 0: none yet */
	struct {
		uint64_t sum_ns, n;
	} past[ADAPTIVE_SLICES];
};

/* 0; -EINVAL, -E2BIG: the options. */
int adaptive_init(struct adaptive *a, const struct health_adaptive_opts *o);

/*
 * Takes the time of a good answer. 0: it is in order; else the limit it exceeds. Slow ones count for the mean, too: a
 * server that is slower for good is what it is, once the window has passed.
 */
uint64_t adaptive_judge(struct adaptive *a, uint64_t took_ns, uint64_t now_ns);

#endif
