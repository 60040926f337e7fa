/* SPDX-License-Identifier: MIT */
#include "vrrp/auth.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/csum.h"
#include "base/cursor.h"
#include "base/secret.h"

#define AH_PAYLOAD_LEN 4 /* RFC 2402 section 2.2: 24 bytes in words, minus 2 */
#define AH_MAC_SIZE 12	 /* RFC 2403 */
#define AH_MAC_AT 12
#define VRRP_TOS 0xc0
#define VRRP_TTL 255

#define TRAILER_MAGIC 0x4841 /* "HA" */
#define TRAILER_VERSION 1
#define TRAILER_MAC_SIZE 32
#define TRAILER_MAC_AT (VRRP_TRAILER_SIZE - TRAILER_MAC_SIZE)

/* Both addresses, the longest message, the trailer; more than AH's header and message need. */
#define COVERED_SIZE (32 + HA_VRRP_MAX_ADVERT + VRRP_TRAILER_SIZE)

static int hmac(const struct ha_vrrp *v, const struct vrrp_key *key, const void *data, size_t len,
		uint8_t *ret)
{
	enum ha_vrrp_hash hash =
	    v->opts.auth == HA_VRRP_AUTH_AH ? HA_VRRP_HASH_MD5 : HA_VRRP_HASH_SHA256;

	return v->ops.hmac(hash, key->secret, key->len, data, len, ret, v->userdata);
}

/* ---- AH ---- */

void vrrp_ah_ip_header(const struct ha_ip *source, const struct ha_ip *destination, const void *ah,
		       size_t len, uint8_t *ret)
{
	const uint8_t *from = source->bytes, *to = destination->bytes;
	uint16_t total = (uint16_t)(VRRP_IP4_HEADER_SIZE + len), id;
	struct reader r = reader_of(ah, len);

	read_bytes(&r, 8);
	id = (uint16_t)read_be32(&r); /* of the sequence number; the kernel would replace 0 */
	if (!id)
		id = 1;
	const uint8_t header[VRRP_IP4_HEADER_SIZE] = {
	    0x45,
	    VRRP_TOS,
	    (uint8_t)(total >> 8),
	    (uint8_t)total,
	    (uint8_t)(id >> 8),
	    (uint8_t)id,
	    0,
	    0,
	    VRRP_TTL,
	    VRRP_PROTOCOL_AH,
	    0,
	    0, /* the checksum: the kernel's */
	    from[0],
	    from[1],
	    from[2],
	    from[3],
	    to[0],
	    to[1],
	    to[2],
	    to[3],
	};

	memcpy(ret, header, sizeof(header));
}

/*
 * RFC 2402 section 3.3.3.1: what changes on the way counts as zero: TOS, flags, offset, checksum, and the
 * TTL; but keepalived, the only other one that speaks AH, leaves the TTL in, and so is what is sent.
 */
static size_t cover_ah(const uint8_t *header, const void *ah, size_t len, bool ttl, uint8_t *ret)
{
	memcpy(ret, header, VRRP_IP4_HEADER_SIZE);
	ret[1] = 0;
	memset(ret + 6, 0, 2);
	if (!ttl)
		ret[8] = 0;
	memset(ret + 10, 0, 2);
	memcpy(ret + VRRP_IP4_HEADER_SIZE, ah, len);
	memset(ret + VRRP_IP4_HEADER_SIZE + AH_MAC_AT, 0, AH_MAC_SIZE);
	return VRRP_IP4_HEADER_SIZE + len;
}

static enum ha_vrrp_drop open_ah(const void *pkt, size_t len, struct vrrp_sealed *ret)
{
	struct reader r = reader_of(pkt, len);
	uint8_t next = read_u8(&r), words = read_u8(&r);

	read_bytes(&r, 6); /* reserved, SPI: the key is the router's, whatever the SPI */
	ret->sequence = read_be32(&r);
	ret->mac = read_bytes(&r, AH_MAC_SIZE);
	if (r.bad || words != AH_PAYLOAD_LEN || len > HA_VRRP_MAX_ADVERT)
		return HA_VRRP_DROP_LENGTH;
	if (next != HA_VRRP_PROTOCOL)
		return HA_VRRP_DROP_AUTH_FAILURE;
	ret->len = reader_left(&r);
	ret->message = read_bytes(&r, ret->len);
	return HA_VRRP_DROP_NONE;
}

static bool is_right_ah(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
			const struct vrrp_sealed *sealed)
{
	const uint8_t *ah = sealed->message - VRRP_AH_SIZE;
	size_t len = VRRP_AH_SIZE + sealed->len;
	uint8_t covered[COVERED_SIZE], mac[HA_VRRP_HASH_MAX];

	if (!m->header || m->header_len != VRRP_IP4_HEADER_SIZE) /* options would be covered, too */
		return false;
	for (unsigned form = 0; form < 2; form++) {
		size_t n = cover_ah(m->header, ah, len, !form, covered);

		for (size_t i = 0; i < v->n_keys; i++)
			if (!hmac(v, &v->key[i], covered, n, mac) &&
			    secret_equal(mac, sealed->mac, AH_MAC_SIZE))
				return true;
	}
	return false;
}

static ssize_t seal_ah(struct ha_vrrp *v, const struct vrrp_wire_out *out, uint8_t *buf, size_t cap,
		       size_t len)
{
	uint8_t header[VRRP_IP4_HEADER_SIZE], covered[COVERED_SIZE], mac[HA_VRRP_HASH_MAX];
	struct writer w = writer_of(buf, cap);

	write_u8(&w, HA_VRRP_PROTOCOL);
	write_u8(&w, AH_PAYLOAD_LEN);
	write_be16(&w, 0);
	write_bytes(&w, out->source.bytes, 4); /* the SPI, as keepalived chooses it */
	write_be32(&w, (uint32_t)++v->sequence);
	write_zero(&w, AH_MAC_SIZE);
	len += VRRP_AH_SIZE;
	vrrp_ah_ip_header(&out->source, &out->destination, buf, len, header);
	if (hmac(v, &v->key[0], covered, cover_ah(header, buf, len, true, covered), mac) < 0)
		return -EIO;
	memcpy(buf + AH_MAC_AT, mac, AH_MAC_SIZE);
	return (ssize_t)len;
}

/* ---- the trailer ---- */

/* The addresses count, too, or an advert could be replayed from another one or on another link. */
static size_t cover_trailer(const struct ha_ip *source, const struct ha_ip *destination,
			    const void *message, size_t len, uint8_t *ret)
{
	struct writer w = writer_of(ret, COVERED_SIZE);

	write_bytes(&w, source->bytes, ha_ip_len(source));
	write_zero(&w, 16 - ha_ip_len(source));
	write_bytes(&w, destination->bytes, ha_ip_len(destination));
	write_zero(&w, 16 - ha_ip_len(destination));
	write_bytes(&w, message, len);
	return writer_len(&w);
}

static bool open_trailer(const void *pkt, size_t len, struct vrrp_sealed *ret)
{
	struct reader r = reader_of(pkt, len);

	if (len < VRRP_TRAILER_SIZE || len > HA_VRRP_MAX_ADVERT)
		return false;
	ret->len = len - VRRP_TRAILER_SIZE;
	ret->message = read_bytes(&r, ret->len);
	if (read_be16(&r) != TRAILER_MAGIC || read_u8(&r) != TRAILER_VERSION)
		return false;
	ret->key_id = read_u8(&r);
	ret->sequence = read_be64(&r);
	ret->mac = read_bytes(&r, TRAILER_MAC_SIZE);
	return !r.bad;
}

static bool is_right_trailer(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
			     const struct vrrp_sealed *sealed)
{
	uint8_t covered[COVERED_SIZE], mac[HA_VRRP_HASH_MAX];
	size_t n = cover_trailer(&m->source, &m->destination, sealed->message,
				 sealed->len + TRAILER_MAC_AT, covered);

	for (size_t i = 0; i < v->n_keys; i++)
		if (v->key[i].id == sealed->key_id && !hmac(v, &v->key[i], covered, n, mac) &&
		    secret_equal(mac, sealed->mac, TRAILER_MAC_SIZE))
			return true;
	return false;
}

/* The clock of the sequence numbers: CLOCK_REALTIME, as far as the host told the offset. */
static uint64_t sequence_now(const struct ha_vrrp *v)
{
	return v->now_ns + v->opts.realtime_offset_ns;
}

static ssize_t seal_trailer(struct ha_vrrp *v, const struct vrrp_wire_out *out, uint8_t *buf,
			    size_t cap, size_t len)
{
	uint8_t covered[COVERED_SIZE], *tail = buf + len;
	struct writer w = writer_of(tail, cap - len);
	size_t n;

	v->sequence = sequence_now(v) > v->sequence ? sequence_now(v) : v->sequence + 1;
	write_be16(&w, TRAILER_MAGIC);
	write_u8(&w, TRAILER_VERSION);
	write_u8(&w, v->key[0].id);
	write_be64(&w, v->sequence);
	write_room(&w, TRAILER_MAC_SIZE);
	if (w.bad)
		return -ENOSPC;
	n = cover_trailer(&out->source, &out->destination, buf, len + TRAILER_MAC_AT, covered);
	if (hmac(v, &v->key[0], covered, n, tail + TRAILER_MAC_AT) < 0)
		return -EIO;
	return (ssize_t)(len + VRRP_TRAILER_SIZE);
}

/* ---- replays ---- */

/* A known sender counts up. One that is not known yet must at least be of our time (trailer). */
static bool is_replay(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
		      const struct vrrp_sealed *sealed)
{
	uint64_t last = vrrp_senders_sequence(v, &m->source), now = sequence_now(v), apart;

	if (last)
		return sealed->sequence <= last;
	if (v->opts.auth == HA_VRRP_AUTH_AH)
		return !sealed->sequence; /* RFC 2402 section 3.3.2: the first one is 1 */
	apart = sealed->sequence > now ? sealed->sequence - now : now - sealed->sequence;
	return apart > v->opts.auth_window_ns;
}

/* ---- all of them ---- */

enum ha_vrrp_drop vrrp_auth_open(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
				 const void *pkt, size_t len, struct vrrp_sealed *ret)
{
	bool ah = m->protocol == VRRP_PROTOCOL_AH;

	*ret = (struct vrrp_sealed){.message = pkt, .len = len};
	if (ah != (v->opts.auth == HA_VRRP_AUTH_AH))
		return HA_VRRP_DROP_AUTH_MISMATCH;
	if (ah)
		return open_ah(pkt, len, ret);
	if (v->opts.auth == HA_VRRP_AUTH_HMAC && !open_trailer(pkt, len, ret))
		return HA_VRRP_DROP_AUTH_MISMATCH;
	return HA_VRRP_DROP_NONE;
}

enum ha_vrrp_drop vrrp_auth_verify(const struct ha_vrrp *v, const struct ha_vrrp_meta *m,
				   const struct vrrp_sealed *sealed)
{
	bool right;

	if (v->opts.auth == HA_VRRP_AUTH_NONE)
		return HA_VRRP_DROP_NONE;
	right = v->opts.auth == HA_VRRP_AUTH_AH ? is_right_ah(v, m, sealed)
						: is_right_trailer(v, m, sealed);
	if (!right)
		return HA_VRRP_DROP_AUTH_FAILURE;
	return is_replay(v, m, sealed) ? HA_VRRP_DROP_REPLAY : HA_VRRP_DROP_NONE;
}

size_t vrrp_auth_head(const struct ha_vrrp *v)
{
	return v->opts.auth == HA_VRRP_AUTH_AH ? VRRP_AH_SIZE : 0;
}

ssize_t vrrp_auth_seal(struct ha_vrrp *v, const struct vrrp_wire_out *out, uint8_t *buf, size_t cap,
		       size_t len)
{
	switch (v->opts.auth) {
	case HA_VRRP_AUTH_AH:
		return seal_ah(v, out, buf, cap, len);
	case HA_VRRP_AUTH_HMAC:
		return seal_trailer(v, out, buf, cap, len);
	default:
		return (ssize_t)len;
	}
}
