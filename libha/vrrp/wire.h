/* SPDX-License-Identifier: MIT */
/* The bytes of an advert: RFC 3768 section 5.1 (version 2), RFC 9568 section 5.1 (3). Pure. */
#ifndef VRRP_WIRE_H
#define VRRP_WIRE_H

#include <stdint.h>
#include <sys/types.h>

#include <libha/vrrp.h>

/* What the two ends of a link agree on before the first byte. */
struct vrrp_wire {
	uint8_t family, version, vrid;
	uint8_t auth_type; /* version 2: 0, 1, or 2 behind an Authentication Header */
	uint8_t auth[HA_VRRP_AUTH_SIZE];
	enum ha_vrrp_checksum checksum; /* version 3 over IPv4: the form that is expected */
	bool empty;			/* a count of 0 is right, too */
	struct ha_ip group;		/* for HA_VRRP_CHECKSUM_PSEUDO_GROUP */
};

struct vrrp_advert {
	uint8_t version, priority;
	uint8_t n_addresses; /* at least 1, or vrrp_wire.empty */
	uint16_t interval_cs;
	const uint8_t *addresses;	/* inside the packet, n_addresses of the family's length */
	enum ha_vrrp_checksum checksum; /* the form it came in; version 3 over IPv4 */
};

/*
 * Decodes the message after the IP header; HA_VRRP_DROP_NONE, or the first check of RFC 9568
 * section 7.1 that fails, cheap ones before the checksum. `ret` is set only on success.
 */
enum ha_vrrp_drop vrrp_wire_decode(const struct vrrp_wire *w, const struct ha_vrrp_meta *m,
				   const void *pkt, size_t len, struct vrrp_advert *ret);

/* What an advert says that differs from one to the next. */
struct vrrp_wire_out {
	uint8_t priority;
	uint16_t interval_cs;
	struct ha_ip source, destination;
	enum ha_vrrp_checksum checksum; /* version 3 over IPv4 */
	const struct ha_ip *addresses;
	size_t n_addresses;
};

/* Writes an advert: its length, or -ENOSPC. */
ssize_t vrrp_wire_encode(const struct vrrp_wire *w, const struct vrrp_wire_out *out, void *buf,
			 size_t cap);

#endif
