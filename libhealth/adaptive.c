/* SPDX-License-Identifier: MIT */
#include "adaptive.h"

#include <errno.h>

#include "base/sized.h"

#define PERCENT_DEFAULT 25 /* F5's */
#define WINDOW_DEFAULT_NS UINT64_C(300000000000)

int adaptive_init(struct adaptive *a, const struct health_adaptive_opts *o)
{
	int r;

	*a = (struct adaptive){0};
	r = sized_in(&a->o, sizeof(a->o), o);
	if (r < 0)
		return r;
	if (a->o.percent > HEALTH_ADAPTIVE_PERCENT_MAX || a->o.over_ns > HEALTH_TIME_MAX_NS ||
	    a->o.limit_ns > HEALTH_TIME_MAX_NS || a->o.window_ns > HEALTH_TIME_MAX_NS ||
	    (a->o.percent && a->o.over_ns) || a->o.reserved)
		return -EINVAL;
	if (!a->o.percent && !a->o.over_ns)
		a->o.percent = PERCENT_DEFAULT;
	if (!a->o.window_ns)
		a->o.window_ns = WINDOW_DEFAULT_NS;
	if (a->o.window_ns < HEALTH_INTERVAL_MIN_NS)
		return -EINVAL;
	return 0;
}

/* What lies behind the window is forgotten. */
static void move_on(struct adaptive *a, uint64_t now_ns)
{
	uint64_t slice = now_ns / (a->o.window_ns / ADAPTIVE_SLICES) + 1;

	if (!a->slice || slice - a->slice > ADAPTIVE_SLICES)
		a->slice = slice - ADAPTIVE_SLICES;
	while (a->slice != slice) {
		a->slice++;
		a->past[a->slice % ADAPTIVE_SLICES].sum_ns = 0;
		a->past[a->slice % ADAPTIVE_SLICES].n = 0;
	}
}

/* The longest time that is in order; UINT64_MAX: any. */
static uint64_t limit_of(const struct adaptive *a)
{
	uint64_t limit = a->o.limit_ns ? a->o.limit_ns : UINT64_MAX, sum = 0, n = 0, mean;

	for (int i = 0; i < ADAPTIVE_SLICES; i++) {
		sum += a->past[i].sum_ns;
		n += a->past[i].n;
	}
	if (n < HEALTH_ADAPTIVE_LEAST)
		return limit;
	mean = sum / n;
	mean += a->o.over_ns + mean / 100 * a->o.percent;
	return mean < limit ? mean : limit;
}

uint64_t adaptive_judge(struct adaptive *a, uint64_t took_ns, uint64_t now_ns)
{
	uint64_t limit;

	move_on(a, now_ns);
	limit = limit_of(a);
	a->past[a->slice % ADAPTIVE_SLICES].sum_ns += took_ns;
	a->past[a->slice % ADAPTIVE_SLICES].n++;
	return took_ns > limit ? limit : 0;
}
