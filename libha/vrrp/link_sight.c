/* SPDX-License-Identifier: MIT */
/*
 * Who else claims the addresses: ARP and neighbour advertisements that the wire brings, as far as the
 * kernel's filter thinks that they may be about one of ours. The engine judges them (ha_vrrp_saw).
 */
#include "vrrp/link.h"

#include <netinet/in.h>
#include <string.h>

#include "vrrp/announce.h"
#include "vrrp/object.h"

#define FRAMES 16      /* read at most in one turn */
#define FRAME_SIZE 128 /* of one: the rest says nothing more */

int link_sight_refresh(struct ha_vrrp_link *l)
{
	struct vrrp_byte_set last = {0};
	struct vrrp_filter f;

	if (l->sight_fd < 0)
		return 0;
	for (unsigned i = 1; i < 256; i++) {
		const struct ha_vrrp *v = l->by_vrid[i];

		for (size_t a = 0; v && a < v->opts.n_addresses; a++)
			vrrp_byte_set_add(
			    &last,
			    v->opts.addresses[a].bytes[ha_ip_len(&v->opts.addresses[a]) - 1]);
	}
	vrrp_filter_sights(l->family, &last, &f);
	return link_attach(l->sight_fd, &f);
}

static bool has_address(const struct ha_vrrp *v, const struct ha_ip *address)
{
	for (size_t i = 0; v && i < v->opts.n_addresses; i++)
		if (ip_equal(&v->opts.addresses[i], address))
			return true;
	return false;
}

void link_sight_read(struct ha_vrrp_link *l, uint64_t now_ns)
{
	uint8_t frame[FRAME_SIZE];

	for (int i = 0; i < FRAMES; i++) {
		ssize_t n = recv(l->sight_fd, frame, sizeof(frame), MSG_DONTWAIT);
		struct ha_vrrp_sighting s = {.size = sizeof(s)};

		if (n < 0)
			return;
		if (vrrp_announce_read(frame, (size_t)n, &s) < 0 ||
		    link_interface_mac(l->fd, l->ifindex, s.own_mac) < 0)
			continue;
		l->stats.sighted++;
		for (unsigned v = 1; v < 256; v++)
			if (has_address(l->by_vrid[v], &s.address))
				ha_vrrp_saw(l->by_vrid[v], now_ns, &s);
	}
}
