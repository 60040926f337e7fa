/* SPDX-License-Identifier: MIT */
/*
 * Packets that somebody means badly: a right advert with one thing wrong, each with the reaction that
 * is due. The catalogue by rows stands in tests/unit/libha/vrrp/test_wire.c; here it meets every state.
 */
#include "world.h"

#include <string.h>
#include <sys/socket.h>

enum trick {
	TRICK_VERSION,
	TRICK_TYPE,
	TRICK_VRID,
	TRICK_TTL,
	TRICK_CHECKSUM,
	TRICK_CUT,
	TRICK_COUNT,
	TRICK_TRAILING,
	TRICK_ADDRESS,
	TRICK_INTERVAL,
	TRICK_AUTH_TYPE,
	TRICK_AUTH_OTHER,
	TRICK_PASSWORD,
	TRICK_DESTINATION,
	TRICK_SOURCE,
	TRICK_OWN_SOURCE,
	TRICK_GARBAGE,
	TRICK_RESERVED, /* from here on accepted */
	TRICK_FORM,
	TRICK_LONGER,
	TRICK_RIGHT,
	N_TRICKS,
};

struct forged {
	struct packet *p;
	const struct vr_plan *vr;
	const struct router *to;
	bool sum; /* put the right one in */
	enum ha_vrrp_checksum form;
};

static int forge_address(struct forged *f, struct dice *d)
{
	uint8_t *first = f->p->bytes + 8;

	if (f->vr->family == AF_INET6) {
		first[0] = (uint8_t)(dice_of_1000(d, 500) ? 0x20 : 0xff);
		return f->vr->any_first_address ? HA_VRRP_DROP_NONE : HA_VRRP_DROP_ADDRESS_LIST;
	}
	first[3] ^= 0x40;
	return f->vr->version == 2 && f->p->bytes[2] != 255 ? HA_VRRP_DROP_ADDRESS_LIST
							    : HA_VRRP_DROP_NONE;
}

static int forge_interval(struct forged *f, struct dice *d)
{
	if (f->vr->version == 2) {
		f->p->bytes[5] = (uint8_t)(f->p->bytes[5] + 1 + dice_below(d, 250));
	} else {
		f->p->bytes[4] &= 0xf0;
		f->p->bytes[5] = 0;
	}
	return HA_VRRP_DROP_ADVERT_INTERVAL;
}

static int forge_auth(struct forged *f, enum trick trick, struct dice *d)
{
	if (f->vr->version != 2)
		return HA_VRRP_DROP_NONE;
	if (trick == TRICK_AUTH_TYPE) {
		f->p->bytes[4] = (uint8_t)(3 + dice_below(d, 253));
		return HA_VRRP_DROP_AUTH_TYPE;
	}
	if (trick == TRICK_AUTH_OTHER) {
		f->p->bytes[4] ^= 1;
		return HA_VRRP_DROP_AUTH_MISMATCH;
	}
	f->p->bytes[f->p->len - 1 - dice_below(d, 8)] ^= 1;
	return f->vr->password ? HA_VRRP_DROP_AUTH_FAILURE : HA_VRRP_DROP_NONE;
}

static int forge_length(struct forged *f, enum trick trick, struct dice *d)
{
	struct packet *p = f->p;

	if (trick == TRICK_CUT)
		p->len = dice_below(d, p->len);
	else if (trick == TRICK_COUNT)
		p->bytes[3] = (uint8_t)(p->bytes[3] + 1 + dice_below(d, 255));
	else
		p->len += 1 + dice_below(d, 8);
	return HA_VRRP_DROP_LENGTH;
}

static int forge_destination(struct forged *f, struct dice *d)
{
	struct ha_vrrp_meta *m = &f->p->meta;

	if (f->vr->unicast)
		m->destination = network_group(f->vr->family);
	else if (dice_of_1000(d, 500))
		m->destination = host_source(&f->to->node->w->plan, f->to->vr, f->to->node->id);
	else
		m->destination.bytes[ha_ip_len(&m->destination) - 1]++;
	return HA_VRRP_DROP_DESTINATION;
}

static int forge_source(struct forged *f, struct dice *d)
{
	const struct plan *plan = &f->to->node->w->plan;
	struct ha_vrrp_meta *m = &f->p->meta;
	size_t last = ha_ip_len(&m->source) - 1;

	switch (dice_below(d, 4)) {
	case 0:
		memset(m->source.bytes, 0, sizeof(m->source.bytes));
		break;
	case 1:
		m->source = network_group(f->vr->family);
		break;
	case 2: /* a virtual address, whose owner alone may send from it */
		m->source = host_address(plan, f->to->vr, 0);
		if (f->p->bytes[2] == HA_VRRP_PRIORITY_OWNER)
			f->p->bytes[2] = 1;
		break;
	default: /* a stranger to peers; in IPv6 not of this link */
		m->source.bytes[last] = 98;
		if (f->vr->family == AF_INET6)
			m->source.bytes[0] = 0x20;
		return f->vr->unicast || f->vr->family == AF_INET6 ? HA_VRRP_DROP_SOURCE
								   : HA_VRRP_DROP_NONE;
	}
	return HA_VRRP_DROP_SOURCE;
}

static int forge_accepted(struct forged *f, enum trick trick, struct dice *d)
{
	struct packet *p = f->p;

	if (trick == TRICK_RESERVED && f->vr->version == 3) {
		p->bytes[4] |= (uint8_t)(1 + dice_below(d, 15)) << 4;
	} else if (trick == TRICK_FORM) {
		f->form = (int)dice_below(d, HA_VRRP_N_CHECKSUMS);
	} else if (trick == TRICK_LONGER && f->vr->version == 3 && f->vr->family == AF_INET) {
		memset(p->bytes + p->len, (int)dice_below(d, 256), 4);
		p->len += 4;
		p->bytes[3]++;
	}
	return HA_VRRP_DROP_NONE;
}

static int forge_header(struct forged *f, enum trick trick, struct dice *d)
{
	uint8_t *bytes = f->p->bytes, at = trick == TRICK_TYPE ? 0 : 4;
	uint8_t other = (uint8_t)(1 + dice_below(d, 15));

	if (trick == TRICK_VRID) {
		bytes[1] = (uint8_t)(bytes[1] + 1 + dice_below(d, 255));
		return HA_VRRP_DROP_VRID;
	}
	bytes[0] ^= (uint8_t)(other << at);
	return at ? HA_VRRP_DROP_VERSION : HA_VRRP_DROP_TYPE;
}

static int forge(struct forged *f, enum trick trick, struct dice *d)
{
	switch (trick) {
	case TRICK_VERSION:
	case TRICK_TYPE:
	case TRICK_VRID:
		return forge_header(f, trick, d);
	case TRICK_TTL:
		f->p->meta.ttl = (uint8_t)dice_below(d, 255);
		return f->vr->unicast ? HA_VRRP_DROP_NONE : HA_VRRP_DROP_TTL;
	case TRICK_CHECKSUM:
		f->sum = false;
		f->p->bytes[6 + dice_below(d, 2)] ^= (uint8_t)(1u << dice_below(d, 8));
		return HA_VRRP_DROP_CHECKSUM;
	case TRICK_CUT:
	case TRICK_COUNT:
	case TRICK_TRAILING:
		return forge_length(f, trick, d);
	case TRICK_ADDRESS:
		return forge_address(f, d);
	case TRICK_INTERVAL:
		return forge_interval(f, d);
	case TRICK_AUTH_TYPE:
	case TRICK_AUTH_OTHER:
	case TRICK_PASSWORD:
		return forge_auth(f, trick, d);
	case TRICK_DESTINATION:
		return forge_destination(f, d);
	case TRICK_SOURCE:
		return forge_source(f, d);
	case TRICK_OWN_SOURCE:
		if (!f->to->source.family)
			return HA_VRRP_DROP_NONE;
		f->p->meta.source = f->to->source;
		return HA_VRRP_DROP_OWN_ADDRESS;
	case TRICK_GARBAGE:
		for (size_t i = 0; i < SIM_PACKET_SIZE; i++)
			f->p->bytes[i] = (uint8_t)dice_throw(d);
		f->p->bytes[3] = 0; /* a count that no advert has */
		f->p->len = dice_below(d, SIM_PACKET_SIZE);
		f->sum = false;
		f->p->mark = PACKET_FLIPPED;
		return -1;
	default:
		return forge_accepted(f, trick, d);
	}
}

/* What was heard once, again: as it was, or with one bit changed. */
void hostile_replay(struct world *w, struct router *r, struct dice *d)
{
	struct packet *p = r->captured ? packet_new(w) : NULL;

	if (!p)
		return;
	*p = *r->captured;
	p->meta.header = p->meta.header ? p->header : NULL;
	p->mark = PACKET_FLIPPED;
	p->expect = w->inconsistent ? -1 : HA_VRRP_DROP_REPLAY;
	if (dice_of_1000(d, 500)) {
		p->bytes[dice_below(d, p->len)] ^= (uint8_t)(1u << dice_below(d, 8));
		p->expect = -1;
	}
	host_receive(r, p);
	packet_free(w, p);
}

/* One packet to one router, read at once. */
void hostile_packet(struct world *w, struct router *r, struct dice *d)
{
	static const uint8_t priorities[] = {0, 0, 1, 100, 254, 255};
	struct ha_ip from = network_stranger(&w->plan, r->vr);
	struct ha_ip to = network_group(w->plan.vr[r->vr].family);
	struct packet *p = packet_new(w);
	struct forged f = {.p = p, .vr = &w->plan.vr[r->vr], .to = r, .sum = true};
	uint8_t priority = priorities[dice_below(d, sizeof(priorities))];
	enum trick trick = (enum trick)dice_below(d, N_TRICKS);

	if (!p)
		return;
	p->to = r;
	if (f.vr->unicast) { /* what is known of a peer can be forged */
		from = host_source(&w->plan, r->vr, r->node->id ? 0 : 1);
		to = host_source(&w->plan, r->vr, r->node->id);
	}
	p->meta = network_meta(&from, &to);
	memset(p->bytes, 0, sizeof(p->bytes));
	p->len = network_advert(w, r->vr, &r->part, priority, p->bytes);
	network_sum(f.vr, f.form, &p->meta, p->bytes, p->len);
	p->mark = PACKET_STRANGE;
	p->expect = forge(&f, trick, d);
	if (f.vr->migrates) /* which of the two versions it hears is another question */
		p->expect = -1;
	if (f.sum)
		network_sum(f.vr, f.form, &p->meta, p->bytes, p->len);
	host_receive(r, p);
	packet_free(w, p);
}
