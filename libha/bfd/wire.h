/* SPDX-License-Identifier: MIT */
/* The bytes of a BFD Control packet: RFC 5880 section 4.1. Pure. */
#ifndef BFD_WIRE_H
#define BFD_WIRE_H

#include <stdint.h>
#include <sys/types.h>

#include <libha/bfd.h>

/* The bits beside the state. */
enum bfd_flag {
	BFD_POLL = 0x20,
	BFD_FINAL = 0x10,
	BFD_INDEPENDENT = 0x08,
	BFD_AUTH = 0x04,
	BFD_DEMAND = 0x02,
	BFD_MULTIPOINT = 0x01,
};

struct bfd_packet {
	enum ha_bfd_state state;
	uint8_t diag, flags, detect_mult;
	uint32_t my_discriminator, your_discriminator;
	uint32_t desired_min_tx_us, required_min_rx_us;
};

/*
 * Decodes the payload of a datagram: HA_BFD_DROP_NONE, or the first check of RFC 5880 section 6.8.6
 * that fails and needs no session. `ret` is set only on success.
 */
enum ha_bfd_drop bfd_wire_decode(const void *pkt, size_t len, struct bfd_packet *ret);

/* Writes a packet without echo and authentication: HA_BFD_PACKET_SIZE, or -ENOSPC. */
ssize_t bfd_wire_encode(const struct bfd_packet *p, void *buf, size_t cap);

#endif
