/* SPDX-License-Identifier: MIT */
/* The Ethernet frames that tell the neighbours who answers for an address now. Pure. */
#ifndef VRRP_ANNOUNCE_H
#define VRRP_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <libha/ip.h>
#include <libha/vrrp.h>

#define VRRP_ANNOUNCE_FRAME_SIZE 86 /* the longer one: 14 + 40 + 32 */

/*
 * Writes a gratuitous ARP request (IPv4) or an unsolicited neighbour advertisement (IPv6) for
 * `address`, which `mac` answers for and is sent from. `router` sets the NA's R flag. The length of the
 * frame without its check sequence; -ENOSPC; -EINVAL when it is no address.
 */
ssize_t vrrp_announce_frame(const struct ha_ip *address, const uint8_t mac[6], bool router,
			    void *buf, size_t cap);

/*
 * What a frame of ARP or a neighbour advertisement claims: address and mac of *ret, the other fields stay.
 * -EINVAL: it is neither, or cut.
 */
int vrrp_announce_read(const void *frame, size_t len, struct ha_vrrp_sighting *ret);

#endif
