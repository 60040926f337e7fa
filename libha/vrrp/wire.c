/* SPDX-License-Identifier: MIT */
#include "vrrp/wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/csum.h"
#include "base/cursor.h"
#include "base/secret.h"

#define VRRP_TYPE_ADVERTISEMENT 1
#define VRRP_HEADER_SIZE 8
#define VRRP_INTERVAL_MASK 0x0fff /* the upper four bits of the field are reserved */

/* RFC 2338 section 5.3.6; RFC 3768 reserves all but none. */
enum { VRRP_AUTH_NONE, VRRP_AUTH_PASS, VRRP_AUTH_AH };

static size_t address_len(const struct vrrp_wire *w)
{
	return w->family == AF_INET6 ? 16 : 4;
}

/* The length follows from the count alone, never from the buffer. */
static size_t message_len(const struct vrrp_wire *w, uint8_t count)
{
	return VRRP_HEADER_SIZE + count * address_len(w) +
	       (w->version == 2 ? HA_VRRP_AUTH_SIZE : 0);
}

/* RFC 8200 section 8.1 for IPv6; RFC 793's pseudo-header for IPv4. */
static uint64_t csum_pseudo(const struct ha_ip *source, const struct ha_ip *destination, size_t len)
{
	const uint8_t tail[8] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len, 0,
				 0, 0, HA_VRRP_PROTOCOL};
	uint64_t sum = 0;

	sum = csum_add(sum, source->bytes, ha_ip_len(source));
	sum = csum_add(sum, destination->bytes, ha_ip_len(destination));
	return csum_add(sum, tail, sizeof(tail));
}

/* The sum over what precedes the message. Only version 3 over IPv4 has a choice of forms. */
static uint64_t csum_start(const struct vrrp_wire *w, enum ha_vrrp_checksum form,
			   const struct ha_ip *source, const struct ha_ip *destination, size_t len)
{
	if (w->version == 2)
		return 0;
	if (w->family == AF_INET6)
		return csum_pseudo(source, destination, len);
	switch (form) {
	case HA_VRRP_CHECKSUM_PSEUDO:
		return csum_pseudo(source, destination, len);
	case HA_VRRP_CHECKSUM_PSEUDO_GROUP:
		return csum_pseudo(source, &w->group, len);
	default:
		return 0;
	}
}

/* Finds the form in which the checksum is right, our own first. False: in none. */
static bool csum_right(const struct vrrp_wire *w, const struct ha_vrrp_meta *m, const void *pkt,
		       size_t len, enum ha_vrrp_checksum *ret)
{
	int forms = w->version == 3 && w->family == AF_INET ? HA_VRRP_N_CHECKSUMS : 1;

	for (int i = 0; i < forms; i++) {
		int form = ((int)w->checksum + i) % HA_VRRP_N_CHECKSUMS;
		uint64_t sum = csum_start(w, form, &m->source, &m->destination, len);

		if (csum_finish(csum_add(sum, pkt, len)) == 0) {
			*ret = form;
			return true;
		}
	}
	return false;
}

/* RFC 2338 section 7.1; with type 0 the data is ignored (RFC 3768 section 5.3.10). */
static enum ha_vrrp_drop check_auth(const struct vrrp_wire *w, uint8_t type, const uint8_t *data)
{
	if (type > VRRP_AUTH_AH)
		return HA_VRRP_DROP_AUTH_TYPE;
	if (type != w->auth_type)
		return HA_VRRP_DROP_AUTH_MISMATCH;
	if (type == VRRP_AUTH_PASS && !secret_equal(data, w->auth, HA_VRRP_AUTH_SIZE))
		return HA_VRRP_DROP_AUTH_FAILURE;
	return HA_VRRP_DROP_NONE;
}

enum ha_vrrp_drop vrrp_wire_decode(const struct vrrp_wire *w, const struct ha_vrrp_meta *m,
				   const void *pkt, size_t len, struct vrrp_advert *ret)
{
	struct reader r = reader_of(pkt, len);
	struct vrrp_advert adv = {0};
	uint8_t version_type = read_u8(&r), vrid = read_u8(&r);
	uint8_t auth_type, seconds;
	uint16_t interval;

	adv.version = w->version;
	adv.priority = read_u8(&r);
	adv.n_addresses = read_u8(&r);
	interval = read_be16(&r);
	read_be16(&r); /* the checksum, seen below */
	if (r.bad)
		return HA_VRRP_DROP_LENGTH;
	if (version_type >> 4 != w->version)
		return HA_VRRP_DROP_VERSION;
	if ((version_type & 0xf) != VRRP_TYPE_ADVERTISEMENT)
		return HA_VRRP_DROP_TYPE;
	if (vrid != w->vrid)
		return HA_VRRP_DROP_VRID;
	/* A count of 0 says nothing (erratum 8299); trailing bytes are nobody's. */
	if ((!adv.n_addresses && !w->empty) || len != message_len(w, adv.n_addresses))
		return HA_VRRP_DROP_LENGTH;
	if (!csum_right(w, m, pkt, len, &adv.checksum))
		return HA_VRRP_DROP_CHECKSUM;
	adv.addresses = read_bytes(&r, adv.n_addresses * address_len(w));
	if (w->version == 2) {
		enum ha_vrrp_drop drop;

		auth_type = (uint8_t)(interval >> 8);
		seconds = (uint8_t)interval;
		adv.interval_cs = (uint16_t)(seconds * 100);
		drop = check_auth(w, auth_type, read_bytes(&r, HA_VRRP_AUTH_SIZE));
		if (drop)
			return drop;
	} else {
		adv.interval_cs = interval & VRRP_INTERVAL_MASK;
	}
	if (!adv.interval_cs) /* erratum 8301 */
		return HA_VRRP_DROP_ADVERT_INTERVAL;
	*ret = adv;
	return HA_VRRP_DROP_NONE;
}

ssize_t vrrp_wire_encode(const struct vrrp_wire *w, const struct vrrp_wire_out *out, void *buf,
			 size_t cap)
{
	struct writer b = writer_of(buf, cap);
	uint8_t *csum;
	uint64_t sum;
	size_t len;

	write_u8(&b, (uint8_t)(w->version << 4 | VRRP_TYPE_ADVERTISEMENT));
	write_u8(&b, w->vrid);
	write_u8(&b, out->priority);
	write_u8(&b, (uint8_t)out->n_addresses);
	if (w->version == 2) {
		write_u8(&b, w->auth_type);
		write_u8(&b, (uint8_t)(out->interval_cs / 100));
	} else {
		write_be16(&b, out->interval_cs & VRRP_INTERVAL_MASK);
	}
	csum = write_room(&b, 2);
	for (size_t i = 0; i < out->n_addresses; i++)
		write_bytes(&b, out->addresses[i].bytes, address_len(w));
	if (w->version == 2)
		write_bytes(&b, w->auth, HA_VRRP_AUTH_SIZE);
	if (b.bad)
		return -ENOSPC;
	len = writer_len(&b);
	memset(csum, 0, 2);
	sum = csum_start(w, out->checksum, &out->source, &out->destination, len);
	sum = csum_add(sum, buf, len);
	b = writer_of(csum, 2);
	write_be16(&b, csum_finish(sum));
	return (ssize_t)len;
}
