/* SPDX-License-Identifier: MIT */
#include "vrrp/frame.h"

#include <errno.h>
#include <sys/socket.h>

#include <libha/vrrp.h>

#include "base/csum.h"
#include "base/cursor.h"

#define TOS 0xc0 /* internetwork control, as on the sockets */
#define TTL 255
#define ETHERNET_HEADER 14
#define IP4_HEADER 20
#define DONT_FRAGMENT 0x4000 /* and so no identification (RFC 6864) */

static void write_ipv4(struct writer *w, const struct ha_ip *source,
		       const struct ha_ip *destination, size_t len)
{
	write_u8(w, 0x45);
	write_u8(w, TOS);
	write_be16(w, (uint16_t)(IP4_HEADER + len));
	write_be16(w, 0);
	write_be16(w, DONT_FRAGMENT);
	write_u8(w, TTL);
	write_u8(w, HA_VRRP_PROTOCOL);
	write_be16(w, 0);
	write_bytes(w, source->bytes, 4);
	write_bytes(w, destination->bytes, 4);
}

static void sum_ipv4(uint8_t *header)
{
	uint16_t sum;

	header[10] = header[11] = 0;
	sum = csum_finish(csum_add(0, header, IP4_HEADER));
	header[10] = (uint8_t)(sum >> 8);
	header[11] = (uint8_t)sum;
}

static void write_ipv6(struct writer *w, const struct ha_ip *source,
		       const struct ha_ip *destination, size_t len)
{
	write_be32(w, 0x60000000 | TOS << 20);
	write_be16(w, (uint16_t)len);
	write_u8(w, HA_VRRP_PROTOCOL);
	write_u8(w, TTL);
	write_bytes(w, source->bytes, 16);
	write_bytes(w, destination->bytes, 16);
}

/* RFC 1112 section 6.4: 23 bits of the group; RFC 2464 section 7: the last 32. */
static void write_group_mac(struct writer *w, const struct ha_ip *group)
{
	const uint8_t *b = group->bytes;
	const uint8_t v4[6] = {0x01, 0x00, 0x5e, b[1] & 0x7f, b[2], b[3]};
	const uint8_t v6[6] = {0x33, 0x33, b[12], b[13], b[14], b[15]};

	write_bytes(w, group->family == AF_INET6 ? v6 : v4, 6);
}

static bool is_group(const struct ha_ip *ip)
{
	if (ip->family == AF_INET)
		return (ip->bytes[0] & 0xf0) == 0xe0;
	return ip->family == AF_INET6 && ip->bytes[0] == 0xff;
}

ssize_t vrrp_frame(const uint8_t mac[6], const struct ha_ip *source,
		   const struct ha_ip *destination, const uint8_t *ip_header, const void *message,
		   size_t len, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap < VRRP_FRAME_SIZE ? cap : VRRP_FRAME_SIZE);
	bool six = destination->family == AF_INET6;

	if (!is_group(destination) || source->family != destination->family || (six && ip_header))
		return -EINVAL;
	write_group_mac(&w, destination);
	write_bytes(&w, mac, 6);
	write_be16(&w, six ? 0x86dd : 0x0800);
	if (six)
		write_ipv6(&w, source, destination, len);
	else if (ip_header)
		write_bytes(&w, ip_header, IP4_HEADER);
	else
		write_ipv4(&w, source, destination, len);
	write_bytes(&w, message, len);
	if (w.bad)
		return -ENOSPC;
	if (!six)
		sum_ipv4((uint8_t *)buf + ETHERNET_HEADER);
	return (ssize_t)writer_len(&w);
}
