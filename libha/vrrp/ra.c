/* SPDX-License-Identifier: MIT */
/* Router advertisements: the frame is written once, since it never changes; the rest is when. */
#include <libha/vrrp_ra.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libha/vrrp.h>

#include "base/csum.h"
#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"

#define SECOND_NS UINT64_C(1000000000)

/* RFC 4861 section 10. */
#define INITIAL_ADVERTS 3
#define INITIAL_INTERVAL_NS (16 * SECOND_NS)
#define DELAY_BETWEEN_NS (3 * SECOND_NS)
#define ANSWER_DELAY_NS (SECOND_NS / 2)

#define ICMPV6 58
#define SOLICITATION 133
#define ADVERTISEMENT 134
#define OPTION_SOURCE_MAC 1
#define OPTION_PREFIX 3
#define OPTION_MTU 5

struct ha_vrrp_ra {
	uint8_t frame[HA_VRRP_RA_FRAME_SIZE + 1]; /* gcc 12 warns of a write that cannot be */
	size_t len;
	uint64_t min_ns, max_ns, random;
	uint64_t next_ns; /* HA_VRRP_NEVER: not Active */
	uint64_t last_ns; /* when one was sent; none was while n_sent is 0 */
	unsigned n_sent;  /* counts up to INITIAL_ADVERTS */
};

/* ---- The frame ---- */

static bool is_link_local(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 && ip->bytes[0] == 0xfe && (ip->bytes[1] & 0xc0) == 0x80;
}

static void write_prefix(struct writer *w, const struct ha_vrrp_ra_prefix *p)
{
	uint8_t len = p->len ? p->len : 64, prefix[16] = {0};
	uint32_t valid = p->valid_s ? p->valid_s : 2592000, preferred = p->preferred_s;

	if (!preferred)
		preferred = valid < 604800 ? valid : 604800;
	memcpy(prefix, p->prefix.bytes, len / 8);
	if (len % 8)
		prefix[len / 8] = p->prefix.bytes[len / 8] & (uint8_t)(0xff << (8 - len % 8));
	write_u8(w, OPTION_PREFIX);
	write_u8(w, 4);
	write_u8(w, len);
	write_u8(w, (uint8_t)((p->off_link ? 0 : 0x80) | (p->no_autoconf ? 0 : 0x40)));
	write_be32(w, valid);
	write_be32(w, preferred);
	write_be32(w, 0);
	write_bytes(w, prefix, sizeof(prefix));
}

/* RFC 4861 section 4.2. */
static void write_message(struct writer *w, const struct ha_vrrp_ra_opts *o)
{
	write_u8(w, ADVERTISEMENT);
	write_u8(w, 0);
	write_be16(w, 0); /* the checksum */
	write_u8(w, o->hop_limit ? o->hop_limit : 64);
	write_u8(w, (uint8_t)((o->managed ? 0x80 : 0) | (o->other ? 0x40 : 0)));
	write_be16(w, o->lifetime_s);
	write_be32(w, o->reachable_ms);
	write_be32(w, o->retrans_ms);
	write_u8(w, OPTION_SOURCE_MAC);
	write_u8(w, 1);
	write_bytes(w, o->mac, sizeof(o->mac));
	if (o->mtu) {
		write_u8(w, OPTION_MTU);
		write_u8(w, 1);
		write_be16(w, 0);
		write_be32(w, o->mtu);
	}
	for (size_t i = 0; i < o->n_prefixes; i++)
		write_prefix(w, &o->prefixes[i]);
}

static void write_frame(struct ha_vrrp_ra *r, const struct ha_vrrp_ra_opts *o)
{
	static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
	struct writer w = writer_of(r->frame, sizeof(r->frame));
	uint8_t *length, *message;
	size_t len;
	uint64_t sum;

	write_bytes(&w, all_nodes_mac, 6);
	write_bytes(&w, o->mac, 6);
	write_be16(&w, 0x86dd);
	write_be32(&w, 0x60000000);
	length = w.at;
	write_be16(&w, 0);
	write_u8(&w, ICMPV6);
	write_u8(&w, 255);
	write_bytes(&w, o->address.bytes, 16);
	write_bytes(&w, all_nodes, 16);
	message = w.at;
	write_message(&w, o);
	len = (size_t)(w.at - message);
	length[0] = (uint8_t)(len >> 8);
	length[1] = (uint8_t)len;
	/* The pseudo-header of RFC 8200 section 8.1: addresses, length, next header. */
	sum = csum_add(len + ICMPV6, o->address.bytes, 16);
	sum = csum_finish(csum_add(csum_add(sum, all_nodes, 16), message, len));
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	r->len = writer_len(&w);
}

/* ---- Options ---- */

static bool is_prefix_right(const struct ha_vrrp_ra_prefix *p)
{
	uint32_t valid = p->valid_s ? p->valid_s : 2592000;

	return p->prefix.family == AF_INET6 && p->len <= 128 && p->preferred_s <= valid &&
	       !is_link_local(&p->prefix) && p->prefix.bytes[0] != 0xff;
}

/* Defaults, then ranges (RFC 4861 section 6.2.1). */
static int complete(struct ha_vrrp_ra_opts *o)
{
	static const uint8_t none[6];

	if (!memcmp(o->mac, none, sizeof(none)) && o->vrid)
		ha_vrrp_mac(AF_INET6, o->vrid, o->mac);
	if (!memcmp(o->mac, none, sizeof(none)) || o->mac[0] & 1 || !is_link_local(&o->address))
		return -EINVAL;
	if (!o->max_interval_s)
		o->max_interval_s = 600;
	if (o->max_interval_s < 4 || o->max_interval_s > 1800)
		return -EINVAL;
	if (!o->min_interval_s)
		o->min_interval_s = o->max_interval_s < 9 ? 3 : o->max_interval_s / 3;
	if (o->min_interval_s < 3 || o->min_interval_s * 4 > o->max_interval_s * 3)
		return -EINVAL;
	if (!o->lifetime_s)
		o->lifetime_s = (uint16_t)(3 * o->max_interval_s);
	if (o->lifetime_s > 9000 || o->lifetime_s < o->max_interval_s)
		return -EINVAL;
	if (o->no_default_router)
		o->lifetime_s = 0;
	if (o->n_prefixes > HA_VRRP_RA_MAX_PREFIXES || (o->n_prefixes && !o->prefixes))
		return -EINVAL;
	for (size_t i = 0; i < o->n_prefixes; i++)
		if (!is_prefix_right(&o->prefixes[i]))
			return -EINVAL;
	return 0;
}

int ha_vrrp_ra_new(const struct ha_vrrp_ra_opts *given, struct ha_vrrp_ra **ret)
{
	struct ha_vrrp_ra_opts o;
	struct ha_vrrp_ra *r;
	int e = ret ? sized_in(&o, sizeof(o), given) : -EINVAL;

	if (!e)
		e = complete(&o);
	if (e < 0)
		return e;
	r = mem_zalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	write_frame(r, &o);
	r->min_ns = o.min_interval_s * SECOND_NS;
	r->max_ns = o.max_interval_s * SECOND_NS;
	r->random = o.seed;
	r->next_ns = HA_VRRP_NEVER;
	*ret = r;
	return 0;
}

void ha_vrrp_ra_free(struct ha_vrrp_ra *r)
{
	mem_free(r);
}

/* ---- When ---- */

/* splitmix64: 0..range */
static uint64_t pick(struct ha_vrrp_ra *r, uint64_t range)
{
	uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % (range + 1);
}

void ha_vrrp_ra_start(struct ha_vrrp_ra *r, uint64_t now_ns)
{
	if (!r)
		return;
	r->n_sent = 0;
	r->next_ns = now_ns;
}

void ha_vrrp_ra_stop(struct ha_vrrp_ra *r)
{
	if (r)
		r->next_ns = HA_VRRP_NEVER;
}

uint64_t ha_vrrp_ra_deadline(const struct ha_vrrp_ra *r)
{
	return r ? r->next_ns : HA_VRRP_NEVER;
}

ssize_t ha_vrrp_ra_tick(struct ha_vrrp_ra *r, uint64_t now_ns, void *buf, size_t cap)
{
	uint64_t interval;

	if (!r || !buf)
		return -EINVAL;
	if (now_ns < r->next_ns || r->next_ns == HA_VRRP_NEVER)
		return 0;
	if (cap < r->len)
		return -ENOSPC;
	memcpy(buf, r->frame, r->len);
	interval = r->min_ns + pick(r, r->max_ns - r->min_ns);
	if (r->n_sent < INITIAL_ADVERTS)
		r->n_sent++;
	if (r->n_sent < INITIAL_ADVERTS && interval > INITIAL_INTERVAL_NS)
		interval = INITIAL_INTERVAL_NS;
	r->last_ns = now_ns;
	r->next_ns = now_ns + interval;
	return (ssize_t)r->len;
}

/* RFC 4861 section 6.1.1; whoever has no address cannot have told where it is. */
static bool is_solicitation(const struct ha_ip *source, const void *rs, size_t len)
{
	static const uint8_t unspecified[16];
	struct reader r = reader_of(rs, len);
	bool nobody = !memcmp(source->bytes, unspecified, sizeof(unspecified));

	if (read_u8(&r) != SOLICITATION || read_u8(&r) != 0)
		return false;
	read_bytes(&r, 6);
	while (reader_left(&r)) {
		uint8_t type = read_u8(&r), units = read_u8(&r);

		if (!units || (nobody && type == OPTION_SOURCE_MAC))
			return false;
		read_bytes(&r, (size_t)units * 8 - 2);
	}
	return !r.bad;
}

bool ha_vrrp_ra_solicited(struct ha_vrrp_ra *r, uint64_t now_ns, const struct ha_ip *source,
			  uint8_t hop_limit, const void *rs, size_t len)
{
	uint64_t at;

	if (!r || r->next_ns == HA_VRRP_NEVER || !source || source->family != AF_INET6 || !rs ||
	    hop_limit != 255 || !is_solicitation(source, rs, len))
		return false;
	at = now_ns + pick(r, ANSWER_DELAY_NS);
	if (r->n_sent && at < r->last_ns + DELAY_BETWEEN_NS)
		at = r->last_ns + DELAY_BETWEEN_NS;
	if (at < r->next_ns)
		r->next_ns = at;
	return true;
}
