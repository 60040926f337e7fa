/* SPDX-License-Identifier: MIT */
/* The Ethernet frame of an advert, for one whose MAC address is not its interface's. Pure. */
#ifndef VRRP_FRAME_H
#define VRRP_FRAME_H

#include <stdint.h>
#include <sys/types.h>

#include <libha/ip.h>

#define VRRP_FRAME_SIZE 1514 /* the longest: an Ethernet header and 1500 bytes */

/*
 * Writes the frame from `mac` to the multicast group `destination`, as RFC 9568 section 5.1 has it:
 * protocol 112, TTL or hop limit 255. `ip_header`, if not NULL, is the IPv4 header to be used instead,
 * but for its checksum: the one that AH covers. `message` is what follows the IP header. The length
 * without the check sequence; -ENOSPC; -EINVAL when the destination is no group or of another family
 * than the source.
 */
ssize_t vrrp_frame(const uint8_t mac[6], const struct ha_ip *source,
		   const struct ha_ip *destination, const uint8_t *ip_header, const void *message,
		   size_t len, void *buf, size_t cap);

#endif
