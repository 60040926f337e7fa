/* SPDX-License-Identifier: MIT */
/*
 * Gratuitous ARP and unsolicited NA as they leave: at once, or one each interval from a bounded queue,
 * since a switch or a router that must learn a thousand addresses drops what comes too fast.
 */
#include "vrrp/link.h"

#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sized.h"
#include "vrrp/announce.h"
#include "vrrp/object.h"

/* The kernel joins the group of an address a moment after it was added, in a work queue of its own. */
#define GROUPS_HOLD_NS UINT64_C(1000000000)

/* The Ethernet address of an interface. */
int link_interface_mac(int fd, uint32_t ifindex, uint8_t ret[6])
{
	struct ifreq req = {0};

	if (!if_indextoname(ifindex, req.ifr_name) || ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		return -errno;
	if (req.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EAFNOSUPPORT;
	memcpy(ret, req.ifr_hwaddr.sa_data, 6);
	return 0;
}

/*
 * RFC 9568 section 6.4.1: a member of the solicited-node group before the NA, or a switch that snoops
 * withholds the answers to it. The kernel's own membership may come after ours, so ours bridges the gap;
 * where it fails nothing else does.
 */
static void join_solicited(struct ha_vrrp_link *l, const struct link_waiting *w)
{
	struct ipv6_mreq group = {
	    .ipv6mr_multiaddr.s6_addr = {0xff, 2, [11] = 1, 0xff},
	    .ipv6mr_interface = w->ifindex,
	};

	if (l->groups_fd < 0)
		l->groups_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->groups_fd < 0)
		return;
	memcpy(&group.ipv6mr_multiaddr.s6_addr[13], w->address.bytes + 13, 3);
	setsockopt(l->groups_fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group));
	l->groups_until_ns = 0;
}

static int send_one(struct ha_vrrp_link *l, const struct link_waiting *w)
{
	uint8_t frame[VRRP_ANNOUNCE_FRAME_SIZE];
	ssize_t len =
	    vrrp_announce_frame(&w->address, w->mac, !w->not_router, frame, sizeof(frame));
	int r;

	if (len < 0)
		return (int)len;
	r = link_send_frame(l, w->ifindex, frame, (size_t)len);
	l->stats.announced += !r;
	return r;
}

/* ---- the queue ---- */

static struct link_waiting *waiting(const struct link_pace *p, size_t i)
{
	return &p->at[(p->first + i) % HA_VRRP_LINK_WAITING];
}

/* The same announcement twice waits once. */
static int queue(struct ha_vrrp_link *l, struct link_pace *p, const struct link_waiting *w)
{
	for (size_t i = 0; i < p->n; i++) {
		struct link_waiting *old = waiting(p, i);

		if (old->ifindex == w->ifindex && ip_equal(&old->address, &w->address)) {
			uint8_t left = old->left > w->left ? old->left : w->left;

			*old = *w;
			old->left = left;
			return 0;
		}
	}
	if (p->n == HA_VRRP_LINK_WAITING) {
		l->stats.errors++;
		return -ENOBUFS;
	}
	*waiting(p, p->n++) = *w;
	return 0;
}

/* One frame, then the next address: as keepalived, each is told once before any is told twice. */
static void serve(struct ha_vrrp_link *l, struct link_pace *p, uint64_t now_ns)
{
	while (p->n && p->next_ns <= now_ns) {
		struct link_waiting w = *waiting(p, 0);

		p->first = (p->first + 1) % HA_VRRP_LINK_WAITING;
		p->n--;
		if (w.router && ha_vrrp_state(w.router) != HA_VRRP_ACTIVE)
			continue; /* others have the address now */
		send_one(l, &w);
		p->next_ns = now_ns + p->interval_ns;
		if (--w.left)
			*waiting(p, p->n++) = w;
	}
}

static void forget(struct link_pace *p, const struct ha_vrrp *v)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++)
		if (waiting(p, i)->router != v)
			*waiting(p, kept++) = *waiting(p, i);
	p->n = kept;
}

void link_announce_forget(struct ha_vrrp_link *l, const struct ha_vrrp *v)
{
	forget(&l->arp, v);
	forget(&l->na, v);
}

static int pace_init(struct link_pace *p, uint64_t interval_ns)
{
	*p = (struct link_pace){.interval_ns = interval_ns};
	if (!interval_ns)
		return 0;
	p->at = mem_array(HA_VRRP_LINK_WAITING, sizeof(*p->at));
	return p->at ? 0 : -ENOMEM;
}

int link_announce_init(struct ha_vrrp_link *l, const struct ha_vrrp_link_opts *o)
{
	int r = pace_init(&l->arp, o->garp_interval_ns);

	l->groups_fd = -1;
	return r < 0 ? r : pace_init(&l->na, o->gna_interval_ns);
}

void link_announce_fini(struct ha_vrrp_link *l)
{
	if (l->groups_fd >= 0)
		close(l->groups_fd);
	mem_free(l->arp.at);
	mem_free(l->na.at);
}

uint64_t link_announce_deadline(const struct ha_vrrp_link *l)
{
	uint64_t first = l->groups_fd >= 0 ? l->groups_until_ns : HA_VRRP_NEVER;

	if (l->arp.n && l->arp.next_ns < first)
		first = l->arp.next_ns;
	return l->na.n && l->na.next_ns < first ? l->na.next_ns : first;
}

void link_announce_serve(struct ha_vrrp_link *l, uint64_t now_ns)
{
	serve(l, &l->arp, now_ns);
	serve(l, &l->na, now_ns);
	if (l->groups_fd < 0)
		return;
	if (!l->groups_until_ns) {
		l->groups_until_ns = now_ns + GROUPS_HOLD_NS;
	} else if (l->groups_until_ns <= now_ns) {
		close(l->groups_fd);
		l->groups_fd = -1;
	}
}

/* ---- calls ---- */

int ha_vrrp_link_announce(struct ha_vrrp_link *l, const struct ha_vrrp_announcement *announcement)
{
	static const uint8_t none[6];
	struct ha_vrrp_announcement a;
	struct link_waiting w;
	struct link_pace *p;
	int r = sized_in(&a, sizeof(a), announcement);

	if (r < 0 || !l)
		return l ? r : -EINVAL;
	if (a.address.family != AF_INET && a.address.family != AF_INET6)
		return -EINVAL;
	if (!a.ifindex)
		a.ifindex = l->ifindex;
	if (!a.ifindex)
		return -EINVAL;
	if (!memcmp(a.mac, none, sizeof(none)))
		r = link_interface_mac(l->fd, a.ifindex, a.mac);
	if (r < 0)
		return r;
	w = (struct link_waiting){.address = a.address,
				  .ifindex = a.ifindex,
				  .router = a.router,
				  .left = a.repeat ? a.repeat : 1,
				  .not_router = a.not_router};
	memcpy(w.mac, a.mac, sizeof(w.mac));
	if (a.address.family == AF_INET6)
		join_solicited(l, &w);
	p = a.address.family == AF_INET6 ? &l->na : &l->arp;
	if (p->interval_ns)
		return queue(l, p, &w);
	while (!r && w.left--)
		r = send_one(l, &w);
	return r;
}

int ha_vrrp_link_announce_all(struct ha_vrrp_link *l, const struct ha_vrrp *v, unsigned repeat)
{
	struct ha_vrrp_announcement a = {.size = sizeof(a), .router = v, .repeat = (uint8_t)repeat};
	int r = 0;

	if (!l || !v || repeat > UINT8_MAX)
		return -EINVAL;
	for (size_t i = 0; i < ha_vrrp_opts(v)->n_addresses; i++) {
		int one;

		a.address = ha_vrrp_opts(v)->addresses[i];
		one = ha_vrrp_link_announce(l, &a);
		if (!r)
			r = one;
	}
	return r;
}
