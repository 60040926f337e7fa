/* SPDX-License-Identifier: MIT */
#include "vrrp/announce.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/csum.h"
#include "base/cursor.h"

#define ETHERTYPE_OF_ARP 0x0806
#define ETHERTYPE_OF_IPV6 0x86dd
#define ARP_REQUEST 1
#define PROTOCOL_ICMPV6 58
#define ICMPV6_NEIGHBOUR_ADVERTISEMENT 136
#define NA_ROUTER 0x80000000u	/* R; S stays 0: nobody solicited it */
#define NA_OVERRIDE 0x20000000u /* O */
#define OPTION_TARGET_MAC 2	/* RFC 4861 section 4.6.1 */
#define NA_SIZE 32		/* with the target link-layer address option */

/* RFC 9568 section 6.4.1: broadcast, sender and target are the address (errata 7947, 7949). */
static void write_arp(struct writer *w, const struct ha_ip *address, const uint8_t mac[6])
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	write_bytes(w, broadcast, 6);
	write_bytes(w, mac, 6);
	write_be16(w, ETHERTYPE_OF_ARP);
	write_be16(w, 1); /* Ethernet */
	write_be16(w, 0x0800);
	write_u8(w, 6);
	write_u8(w, 4);
	write_be16(w, ARP_REQUEST);
	write_bytes(w, mac, 6);
	write_bytes(w, address->bytes, 4);
	write_zero(w, 6);
	write_bytes(w, address->bytes, 4);
}

/* RFC 4861 section 4.4 as RFC 9568 section 6.4.1 wants it: R=1, S=0, O=1, to all nodes. */
static void write_na(struct writer *w, const struct ha_ip *address, const uint8_t mac[6],
		     bool router)
{
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	static const uint8_t pseudo_tail[8] = {0, 0, 0, NA_SIZE, 0, 0, 0, PROTOCOL_ICMPV6};
	uint8_t *csum, *message;
	uint64_t sum = 0;

	write_bytes(w, all_nodes_mac, 6);
	write_bytes(w, mac, 6);
	write_be16(w, ETHERTYPE_OF_IPV6);
	write_be32(w, 0x60000000);
	write_be16(w, NA_SIZE);
	write_u8(w, PROTOCOL_ICMPV6);
	write_u8(w, 255);
	write_bytes(w, address->bytes, 16);
	write_bytes(w, all_nodes, 16);
	message = w->at;
	write_u8(w, ICMPV6_NEIGHBOUR_ADVERTISEMENT);
	write_u8(w, 0);
	csum = w->at;
	write_be16(w, 0);
	write_be32(w, (router ? NA_ROUTER : 0) | NA_OVERRIDE);
	write_bytes(w, address->bytes, 16);
	write_u8(w, 2); /* target link-layer address */
	write_u8(w, 1); /* of 8 bytes */
	write_bytes(w, mac, 6);
	if (w->bad)
		return;
	sum = csum_add(sum, address->bytes, 16);
	sum = csum_add(sum, all_nodes, 16);
	sum = csum_add(sum, pseudo_tail, sizeof(pseudo_tail));
	sum = csum_finish(csum_add(sum, message, NA_SIZE));
	csum[0] = (uint8_t)(sum >> 8);
	csum[1] = (uint8_t)sum;
}

ssize_t vrrp_announce_frame(const struct ha_ip *address, const uint8_t mac[6], bool router,
			    void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	if (address->family == AF_INET)
		write_arp(&w, address, mac);
	else if (address->family == AF_INET6)
		write_na(&w, address, mac, router);
	else
		return -EINVAL;
	return w.bad ? -ENOSPC : (ssize_t)writer_len(&w);
}

/* ---- what others claim ---- */

/* Of an ARP packet, request or reply: its sender says "this address is at my MAC" (RFC 826). */
static bool read_arp(struct reader *r, struct ha_vrrp_sighting *s)
{
	bool ethernet_ip =
	    read_be16(r) == 1 && read_be16(r) == 0x0800 && read_u8(r) == 6 && read_u8(r) == 4;
	const uint8_t *mac, *ip;

	read_be16(r); /* operation */
	mac = read_bytes(r, 6);
	ip = read_bytes(r, 4);
	if (!ethernet_ip || !mac || !ip)
		return false;
	s->address.family = AF_INET;
	memcpy(s->address.bytes, ip, 4);
	memcpy(s->mac, mac, 6);
	return true;
}

/* Of a neighbour advertisement: the option, or else who sent the frame. */
static bool read_na(struct reader *r, struct ha_vrrp_sighting *s)
{
	const uint8_t *target;

	read_bytes(r, 6);
	if (read_u8(r) != PROTOCOL_ICMPV6)
		return false;
	read_bytes(r, 33);
	if (read_u8(r) != ICMPV6_NEIGHBOUR_ADVERTISEMENT)
		return false;
	read_bytes(r, 7); /* code, checksum, flags */
	target = read_bytes(r, 16);
	if (!target)
		return false;
	s->address.family = AF_INET6;
	memcpy(s->address.bytes, target, 16);
	while (reader_left(r) >= 8) {
		uint8_t type = read_u8(r), units = read_u8(r);
		const uint8_t *value = read_bytes(r, units ? units * 8u - 2 : SIZE_MAX);

		if (!value)
			break;
		if (type == OPTION_TARGET_MAC)
			memcpy(s->mac, value, 6);
	}
	return true;
}

int vrrp_announce_read(const void *frame, size_t len, struct ha_vrrp_sighting *ret)
{
	struct reader r = reader_of(frame, len);
	struct ha_vrrp_sighting found = *ret;
	bool claims;
	const uint8_t *from;
	uint16_t type;

	read_bytes(&r, 6);
	from = read_bytes(&r, 6);
	type = read_be16(&r);
	if (!from)
		return -EINVAL;
	memcpy(found.mac, from, 6);
	claims = type == ETHERTYPE_OF_IPV6 ? read_na(&r, &found)
					   : type == ETHERTYPE_OF_ARP && read_arp(&r, &found);
	if (!claims)
		return -EINVAL;
	*ret = found;
	return 0;
}
