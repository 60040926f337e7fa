/* SPDX-License-Identifier: MIT */
/*
 * What the kernel is to keep from our sockets, as programs of classic BPF (SO_ATTACH_FILTER): a packet
 * that is of no use to a link shall not wake it. Pure: the programs are data.
 */
#ifndef VRRP_FILTER_H
#define VRRP_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The values a byte may have. */
struct vrrp_byte_set {
	uint32_t word[8];
};

static inline void vrrp_byte_set_add(struct vrrp_byte_set *s, uint8_t value)
{
	s->word[value / 32] |= 1u << value % 32;
}

static inline bool vrrp_byte_set_has(const struct vrrp_byte_set *s, uint8_t value)
{
	return s->word[value / 32] >> value % 32 & 1;
}

#define VRRP_FILTER_MAX 64 /* instructions of the longest program */

struct vrrp_filter {
	struct sock_filter at[VRRP_FILTER_MAX];
	unsigned short n;
};

/*
 * Of a raw socket of protocol 112, or with `ah` of protocol 51: adverts of these VRIDs that this host
 * has not sent itself. What the wire brings with one of our own addresses passes: it is worth a word.
 */
void vrrp_filter_adverts(uint8_t family, bool ah, const struct vrrp_byte_set *vrids,
			 struct vrrp_filter *ret);

/*
 * Of a packet socket: ARP (AF_INET) or neighbour advertisements (AF_INET6) of others that claim an
 * address whose last byte is one of these; who reads them looks at the rest.
 */
void vrrp_filter_sights(uint8_t family, const struct vrrp_byte_set *last_bytes,
			struct vrrp_filter *ret);

#endif
