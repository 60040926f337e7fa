/* SPDX-License-Identifier: MIT */
/*
 * The links between the nodes: what is lost, late, doubled or damaged, a learning switch and a client on
 * each of them, and adverts made by hand for those that are no router of ours.
 */
#include "world.h"

#include <string.h>
#include <sys/socket.h>

#include "base/csum.h"
#include "base/cursor.h"
#include "vrrp/auth.h"

/* ---- packets ---- */

struct packet *packet_new(struct world *w)
{
	struct packet *p = w->free_packet;

	if (p)
		w->free_packet = p->next_free;
	else if (w->packets < SIM_PACKETS)
		p = &w->packet[w->packets++];
	else
		return NULL; /* more than the links of this world hold: lost */
	p->arrival = (struct event){.kind = EVENT_PACKET};
	p->mark = PACKET_GOOD;
	p->expect = -1;
	return p;
}

void packet_free(struct world *w, struct packet *p)
{
	p->next_free = w->free_packet;
	w->free_packet = p;
}

void network_init(struct world *w)
{
	unsigned n = 0;

	if (heap_reserve(&w->events,
			 SIM_PACKETS + SIM_STEPS + SIM_NODES * (SIM_VRS + 1) + SIM_VRS) < 0)
		broken(w, I_SIMULATOR, "out of memory");
	for (unsigned i = 0; i < SIM_NODES; i++) {
		struct node *node = &w->node[i];
		struct dice d = dice_for(w->plan.seed, FOR_RATE, 1000 + i);

		node->w = w;
		node->id = i;
		if (plan_has(&w->plan, EVIL_DRIFT))
			node->drift_ppm = (int64_t)dice_below(&d, 1001) - 500;
		if (planted == PLANT_IMPATIENT && i == 0)
			node->drift_ppm = 1000000;
		for (unsigned v = 0; v < SIM_VRS; v++) {
			node->router[v].node = node;
			node->router[v].vr = v;
			node->router[v].index = n++;
			node->router[v].timer.kind = EVENT_TIMER;
		}
	}
	for (unsigned v = 0; v < SIM_VRS; v++)
		w->client[v] = (struct client){CLIENT_NONE, CLIENT_NONE};
}

/* ---- what a link does to a packet ---- */

/* How much of an evil there is in this run, of 1000. */
static unsigned rate(const struct world *w, enum evil e, unsigned most)
{
	struct dice d = dice_for(w->plan.seed, FOR_RATE, e);

	return plan_has(&w->plan, e) ? 1 + (unsigned)dice_below(&d, most) : 0;
}

static bool is_lost(struct world *w, const struct router *from, struct dice *d)
{
	unsigned link = w->plan.vr[from->vr].link;
	bool lost = dice_of_1000(d, rate(w, EVIL_LOSS, 500));

	if (plan_has(&w->plan, EVIL_BURST)) {
		if (dice_of_1000(d, w->burst[link] ? 150 : 30))
			w->burst[link] = !w->burst[link];
		lost |= w->burst[link];
	}
	if (from->node->id == w->plan.seed % w->plan.n_nodes)
		lost |= dice_of_1000(d, rate(w, EVIL_ONE_WAY, 900));
	return lost;
}

static void flip(struct packet *p, struct dice *d)
{
	p->mark = PACKET_FLIPPED;
	if (network_is_multicast(&p->meta.destination) && dice_of_1000(d, 200))
		p->meta.ttl = (uint8_t)dice_below(d, 255);
	else
		p->bytes[dice_below(d, p->len)] ^= (uint8_t)(1u << dice_below(d, 8));
}

static void fly(struct router *from, struct router *to, const struct ha_vrrp_meta *meta,
		const void *advert, size_t len, struct dice *d)
{
	struct world *w = to->node->w;
	struct packet *p = packet_new(w);
	uint64_t delay = w->plan.delay_ns;

	if (!p || len > sizeof(p->bytes)) {
		broken(w, I_SIMULATOR, "no room for a packet");
		return;
	}
	p->to = to;
	p->meta = *meta;
	p->len = len;
	memcpy(p->bytes, advert, len);
	if (w->plan.vr[to->vr].auth == HA_VRRP_AUTH_AH) {
		vrrp_ah_ip_header(&meta->source, &meta->destination, advert, len, p->header);
		p->meta.protocol = VRRP_PROTOCOL_AH;
		p->meta.header = p->header;
		p->meta.header_len = sizeof(p->header);
	}
	if (w->chaos) {
		if (dice_of_1000(d, rate(w, EVIL_FLIP, 300)))
			flip(p, d);
		if (plan_has(&w->plan, EVIL_REORDER))
			delay = 1 + dice_below(d, 4 * delay);
	}
	world_arm(w, &p->arrival, w->now_ns + delay);
}

static bool is_for(const struct router *to, const struct ha_ip *destination)
{
	const struct ha_ip group = network_group(destination->family);

	return !ha_ip_compare(destination, &group) || !ha_ip_compare(destination, &to->source);
}

void network_send(struct router *r, const struct ha_ip *to, const void *advert, size_t len)
{
	struct world *w = r->node->w;
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	struct ha_vrrp_meta meta = network_meta(&r->source, to);
	uint8_t dark = network_is_multicast(to) ? DARK_MULTICAST : DARK_UNICAST;

	if (w->dark[vr->link] & dark)
		return;
	if (vr->vmac)
		w->client[r->vr].port = (int)r->node->id;
	for (unsigned i = 0; i < w->plan.n_nodes; i++) {
		struct node *n = &w->node[i];
		struct dice d =
		    dice_for(w->plan.seed + r->sends * SIM_NODES + i, FOR_PACKET, r->index);

		if (i == r->node->id || !n->alive || !n->router[r->vr].v)
			continue;
		if (w->cut[vr->link][r->node->id][i] || !is_for(&n->router[r->vr], to))
			continue;
		if (w->chaos && is_lost(w, r, &d)) {
			note(w, NOTE_LOST, &n->router[r->vr], 0, 0);
			continue;
		}
		fly(r, &n->router[r->vr], &meta, advert, len, &d);
		if (w->chaos && dice_of_1000(&d, rate(w, EVIL_DUPLICATE, 300)))
			fly(r, &n->router[r->vr], &meta, advert, len, &d);
	}
}

/* ---- switch and client ---- */

/* A gratuitous ARP, or an NA: the client learns the MAC address, the switch the port. */
void network_announce(struct router *r)
{
	struct world *w = r->node->w;
	const struct vr_plan *vr = &w->plan.vr[r->vr];
	struct dice d = dice_for(w->plan.seed + r->sends, FOR_ANNOUNCE, r->index);

	if (w->dark[vr->link] & DARK_MULTICAST)
		return;
	if (w->chaos && plan_has(&w->plan, EVIL_HALVES) && dice_of_1000(&d, 500))
		return;
	w->client[r->vr].arp = vr->vmac ? CLIENT_VIRTUAL : (int)r->node->id;
	if (vr->vmac)
		w->client[r->vr].port = (int)r->node->id;
}

/* The node that the client's packets to the address reach, or CLIENT_NONE. */
int network_client_reaches(const struct world *w, unsigned vr)
{
	const struct client *c = &w->client[vr];

	return c->arp == CLIENT_VIRTUAL ? c->port : c->arp;
}

/* ---- adverts by hand ---- */

/* The VRRP message of a packet: AH stands before it. */
const uint8_t *network_message(const struct world *w, unsigned vr, const struct packet *p)
{
	return p->bytes + (w->plan.vr[vr].auth == HA_VRRP_AUTH_AH ? VRRP_AH_SIZE : 0);
}

struct ha_vrrp_meta network_meta(const struct ha_ip *source, const struct ha_ip *destination)
{
	return (struct ha_vrrp_meta){.size = sizeof(struct ha_vrrp_meta),
				     .source = *source,
				     .destination = *destination,
				     .ttl = 255};
}

bool network_is_multicast(const struct ha_ip *ip)
{
	return ip->family == AF_INET6 ? ip->bytes[0] == 0xff : ip->bytes[0] >= 224;
}

struct ha_ip network_group(uint8_t family)
{
	if (family == AF_INET6)
		return (struct ha_ip){AF_INET6, {0xff, 2, [15] = 0x12}};
	return (struct ha_ip){AF_INET, {224, 0, 0, 18}};
}

struct ha_ip network_stranger(const struct plan *p, unsigned vr)
{
	uint8_t link = (uint8_t)p->vr[vr].link;

	if (p->vr[vr].family == AF_INET6)
		return (struct ha_ip){AF_INET6, {0xfe, 0x80, [14] = link, 99}};
	return (struct ha_ip){AF_INET, {10, link, 0, 99}};
}

size_t network_advert(const struct world *w, unsigned vr, const struct part *part, uint8_t priority,
		      uint8_t *ret)
{
	const struct vr_plan *p = &w->plan.vr[vr];
	uint8_t auth[HA_VRRP_AUTH_SIZE] = {0};
	uint8_t n = (uint8_t)(p->n_addresses + (part->more ? 1 : 0));
	struct writer b = writer_of(ret, SIM_PACKET_SIZE);

	write_u8(&b, (uint8_t)(p->version << 4 | 1));
	write_u8(&b, p->vrid);
	write_u8(&b, priority);
	write_u8(&b, n);
	if (p->version == 2) {
		write_u8(&b, p->password ? 1 : 0);
		write_u8(&b, (uint8_t)(part->interval_cs / 100));
	} else {
		write_be16(&b, part->interval_cs);
	}
	write_be16(&b, 0);
	for (unsigned i = 0; i < n; i++) {
		const struct ha_ip a = host_address(&w->plan, vr, i);

		write_bytes(&b, a.bytes, ha_ip_len(&a));
	}
	if (p->password)
		memcpy(auth, p->password, strlen(p->password));
	if (p->version == 2)
		write_bytes(&b, auth, sizeof(auth));
	return writer_len(&b);
}

/* RFC 9568 section 5.2.8, and what came before it. */
void network_sum(const struct vr_plan *vr, enum ha_vrrp_checksum form, const struct ha_vrrp_meta *m,
		 uint8_t *bytes, size_t len)
{
	const struct ha_ip group = network_group(vr->family);
	const struct ha_ip *to = form == HA_VRRP_CHECKSUM_PSEUDO_GROUP ? &group : &m->destination;
	const uint8_t tail[4] = {0, HA_VRRP_PROTOCOL, (uint8_t)(len >> 8), (uint8_t)len};
	uint64_t sum = 0;

	if (len < 8)
		return;
	bytes[6] = bytes[7] = 0;
	if (vr->family == AF_INET6)
		to = &m->destination;
	if (vr->version == 3 && (vr->family == AF_INET6 || form != HA_VRRP_CHECKSUM_MESSAGE)) {
		sum = csum_add(sum, m->source.bytes, ha_ip_len(&m->source));
		sum = csum_add(sum, to->bytes, ha_ip_len(to));
		sum = csum_add(sum, tail, sizeof(tail));
	}
	sum = csum_finish(csum_add(sum, bytes, len));
	bytes[6] = (uint8_t)(sum >> 8);
	bytes[7] = (uint8_t)sum;
}

/* A router of somebody else, with a VRID of ours. */
void network_beat(struct world *w, struct stranger *s)
{
	const struct vr_plan *vr = &w->plan.vr[s->vr];
	const struct part part = {.interval_cs = s->interval_cs};
	const struct ha_ip from = network_stranger(&w->plan, s->vr), to = network_group(vr->family);
	const struct ha_vrrp_meta meta = network_meta(&from, &to);
	uint8_t bytes[SIM_PACKET_SIZE];
	size_t len = network_advert(w, s->vr, &part, s->priority, bytes);

	network_sum(vr, HA_VRRP_CHECKSUM_PSEUDO, &meta, bytes, len);
	for (unsigned i = 0; i < w->plan.n_nodes; i++) {
		struct router *r = &w->node[i].router[s->vr];
		struct packet *p;

		if (!w->node[i].alive || !r->v || !(p = packet_new(w)))
			continue;
		p->mark = PACKET_STRANGE;
		p->to = r;
		p->meta = meta;
		p->len = len;
		memcpy(p->bytes, bytes, len);
		world_arm(w, &p->arrival, w->now_ns + w->plan.delay_ns);
	}
	if (w->chaos && --s->left)
		world_arm(w, &s->beat, w->now_ns + s->interval_cs * NS_PER_CS);
}
