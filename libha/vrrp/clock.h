/* SPDX-License-Identifier: MIT */
/*
 * When each router of a link is due. A plain array: every advert heard moves one deadline, only a turn
 * asks for the first, and looking at 256 numbers costs less than keeping a thousand in order.
 */
#ifndef VRRP_CLOCK_H
#define VRRP_CLOCK_H

#include <stdint.h>
#include <string.h>

#define VRRP_CLOCK_NEVER UINT64_MAX
#define VRRP_CLOCK_LANES 4 /* minima that do not wait for each other */

struct vrrp_clock {
	uint64_t at_ns[256]; /* by VRID; NEVER, too, where there is no router */
};

static inline void vrrp_clock_init(struct vrrp_clock *c)
{
	memset(c, 0xff, sizeof(*c));
}

static inline uint64_t vrrp_clock_first_ns(const struct vrrp_clock *c)
{
	uint64_t first[VRRP_CLOCK_LANES];

	memcpy(first, c->at_ns, sizeof(first));
	for (unsigned i = VRRP_CLOCK_LANES; i < 256; i += VRRP_CLOCK_LANES)
		for (unsigned j = 0; j < VRRP_CLOCK_LANES; j++)
			first[j] = c->at_ns[i + j] < first[j] ? c->at_ns[i + j] : first[j];
	for (unsigned j = 1; j < VRRP_CLOCK_LANES; j++)
		first[0] = first[j] < first[0] ? first[j] : first[0];
	return first[0];
}

/* The VRID that is due first; 0, which no router has, when none is. */
static inline uint8_t vrrp_clock_first(const struct vrrp_clock *c)
{
	uint64_t first_ns = vrrp_clock_first_ns(c);
	unsigned vrid = 0;

	while (first_ns != VRRP_CLOCK_NEVER && c->at_ns[vrid] != first_ns)
		vrid++;
	return (uint8_t)vrid;
}

#endif
