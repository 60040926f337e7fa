/* SPDX-License-Identifier: MIT */
/*
 * What authenticates an advert beyond its checksum: the IP Authentication Header in front of a version 2
 * message (RFC 2402, RFC 2338 section 5.3.6.3), or the HMAC trailer behind any message. Pure: the hash is
 * the host's (ops->hmac). docs/vrrp-authentication.md has the formats.
 */
#ifndef VRRP_AUTH_H
#define VRRP_AUTH_H

#include "vrrp/object.h"

#define VRRP_PROTOCOL_AH 51
#define VRRP_AH_SIZE 24	     /* with the 96 bits of HMAC-MD5-96 */
#define VRRP_TRAILER_SIZE 44 /* magic, version, key, sequence, HMAC-SHA256 */
#define VRRP_IP4_HEADER_SIZE 20

/* The parts of an authenticated packet. */
struct vrrp_sealed {
	const uint8_t *message; /* the VRRP message itself */
	size_t len;
	uint64_t sequence;
	uint8_t key_id; /* trailer only */
	const uint8_t *mac;
};

/* Finds the parts; nothing is proven yet. Without authentication the message is the whole packet. */
enum ha_vrrp_drop vrrp_auth_open(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
				 const void *pkt, size_t len, struct vrrp_sealed *ret);

/* Proves them, the last and dearest check of all: who knows a key wrote it, and it is no replay. */
enum ha_vrrp_drop vrrp_auth_verify(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
				   const struct vrrp_sealed *sealed);

/* Bytes in front of the message, to be left free by whoever encodes it. */
size_t vrrp_auth_head(const struct ha_vrrp *v);

/* Completes a packet whose message of `len` bytes stands at vrrp_auth_head: its length, or -errno. */
ssize_t vrrp_auth_seal(struct ha_vrrp *v, const struct vrrp_wire_out *out, uint8_t *buf, size_t cap,
		       size_t len);

/* The IPv4 header that goes in front of AH: it is part of what the ICV covers, so it must leave so. */
void vrrp_ah_ip_header(const struct ha_ip *source, const struct ha_ip *destination, const void *ah,
		       size_t len, uint8_t *ret);

#endif
