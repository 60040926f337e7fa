/* SPDX-License-Identifier: MIT */
/* Reading and writing BFD Control packets: RFC 5880 sections 4.1 and 6.8.6. */
#include "bfd/wire.h"

#include <errno.h>

#include "base/cursor.h"

#define BFD_VERSION 1
#define BFD_MIN_AUTH 2 /* bytes of type and length */
#define BFD_FLAGS 0x3f

enum ha_bfd_drop bfd_wire_decode(const void *pkt, size_t len, struct bfd_packet *ret)
{
	struct reader r = reader_of(pkt, len);
	struct bfd_packet p;
	uint8_t version_diag = read_u8(&r), state_flags = read_u8(&r), length;

	p.diag = version_diag & 0x1f;
	p.state = (enum ha_bfd_state)(state_flags >> 6);
	p.flags = state_flags & BFD_FLAGS;
	p.detect_mult = read_u8(&r);
	length = read_u8(&r);
	p.my_discriminator = read_be32(&r);
	p.your_discriminator = read_be32(&r);
	p.desired_min_tx_us = read_be32(&r);
	p.required_min_rx_us = read_be32(&r);
	read_be32(&r); /* Required Min Echo RX Interval: we send no echo */
	if (len && version_diag >> 5 != BFD_VERSION)
		return HA_BFD_DROP_VERSION;
	if (r.bad || length > len ||
	    length < HA_BFD_PACKET_SIZE + (p.flags & BFD_AUTH ? BFD_MIN_AUTH : 0))
		return HA_BFD_DROP_LENGTH;
	if (!p.detect_mult)
		return HA_BFD_DROP_DETECT_MULT;
	if (p.flags & BFD_MULTIPOINT)
		return HA_BFD_DROP_MULTIPOINT;
	if (!p.my_discriminator)
		return HA_BFD_DROP_MY_DISCRIMINATOR;
	*ret = p;
	return HA_BFD_DROP_NONE;
}

ssize_t bfd_wire_encode(const struct bfd_packet *p, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	write_u8(&w, (uint8_t)(BFD_VERSION << 5 | (p->diag & 0x1f)));
	write_u8(&w, (uint8_t)((unsigned)p->state << 6 | (p->flags & BFD_FLAGS)));
	write_u8(&w, p->detect_mult);
	write_u8(&w, HA_BFD_PACKET_SIZE);
	write_be32(&w, p->my_discriminator);
	write_be32(&w, p->your_discriminator);
	write_be32(&w, p->desired_min_tx_us);
	write_be32(&w, p->required_min_rx_us);
	write_be32(&w, 0); /* no echo is taken (RFC 5880 section 6.8.9) */
	return w.bad ? -ENOSPC : (ssize_t)writer_len(&w);
}

uint32_t ha_bfd_your_discriminator(const void *pkt, size_t len)
{
	struct reader r = reader_of(pkt, len);

	read_bytes(&r, 8);
	return read_be32(&r);
}
