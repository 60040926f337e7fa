/* SPDX-License-Identifier: MIT */
/*
 * The virtual router MAC address on Linux (RFC 9568 section 7.3): a macvlan on the interface of the
 * virtual router, which is up while it is Active and down while it is not. Its name by default is
 * vrrp.VRID, as keepalived has it.
 *
 *	made or found	ha_vrrp_vmac_ensure()			at the start, and from time to time
 *	Active		ha_net_link_set_up(.., true), then the addresses, on the macvlan
 *	Backup		ha_net_link_set_up(.., false), then the addresses go
 *	the end		ha_vrrp_vmac_remove()
 *
 * Down, it takes no frame and makes none: no IGMP, MLD, ARP or ND of a Backup moves the address in
 * a switch (RFC 9568 section 6.4.2). Up and with the addresses on it, the kernel answers ARP and ND
 * for them with the virtual MAC address, and frames to that are taken and forwarded (section
 * 6.4.3).
 *
 * Adverts are heard on the interface itself: ha_vrrp_link_new() with its ifindex. They leave with
 * ha_vrrp_link_send_from(), announcements with ha_vrrp_announcement.mac, both on the interface
 * itself, too: the first advert needs no device that is up.
 *
 * Settings (ip-sysctl). Of the macvlan: addr_gen_mode 1, autoconf, accept_ra, dad_transmits and
 * router_solicitations 0 (no address of its own is ever made from it, RFC 9568 section 7.4, nor a
 * frame), forwarding 1 for IPv6 (neighbour advertisements carry R=1; nothing is routed by that),
 * arp_ignore 1, arp_announce 2, rp_filter 0, or 2 where conf/all has one (what arrives there is
 * answered elsewhere), send_redirects 0, promote_secondaries 1. Of the interface: arp_ignore 1 and
 * arp_announce 2, so that it neither answers ARP for a virtual address nor asks with one under its
 * own MAC address; what was before stands in the alias of the macvlans and comes back with the last
 * of them. When somebody else deleted all of them meanwhile, only who kept an alias knows it:
 * ha_vrrp_vmac_remember().
 *
 * Where /proc/sys is read-only, as in many containers, what is right already is enough. Without the rest the macvlan
 * serves its addresses, but neighbours may learn two MAC addresses for one of them; only a strict rp_filter, which drops
 * all that comes for the addresses, and IPv6 that is switched off are errors.
 *
 * On an interface in a VRF the macvlan is in that, too.
 *
 * Take note: writing forwarding=1 makes the kernel forget default routes learned from router
 * advertisements, unless accept_ra is 2 on the interface they came from (net/ipv6/addrconf). A
 * proxy for ARP has proxy_arp on the macvlan, not on the interface, and one medium_id on both.
 * Functions belong to the thread of the struct ha_net, its network namespace and /proc/sys. Both
 * need CAP_NET_ADMIN.
 */
#ifndef LIBHA_VRRP_VMAC_H
#define LIBHA_VRRP_VMAC_H

#include <stddef.h>
#include <stdint.h>

#include <libha/net.h>
#include <libha/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which one. Zero is the default of each field but parent, family and vrid. */
struct ha_vrrp_vmac_opts {
	size_t size;		     /* sizeof(struct ha_vrrp_vmac_opts) */
	uint32_t parent;	     /* ifindex of the virtual router's interface: Ethernet */
	uint8_t family;		     /* AF_INET or AF_INET6 */
	uint8_t vrid;		     /* 1..255 */
	uint8_t mac[6];		     /* default: ha_vrrp_mac() */
	char name[HA_NET_NAME_SIZE]; /* of the macvlan; default: vrrp.VRID */
};

/*
 * Makes the macvlan, down; or takes the one that is there, as it is, when it is right: a macvlan in
 * bridge mode on the interface with this MAC address, whoever made it. In both cases the settings
 * are put right. *ret (size set by the caller) is the macvlan. One that this function made, of which
 * somebody changed the mode, the MAC address or the name since, is removed and made anew: its addresses
 * are to be added again. One of an MTU below that of its interface, which the kernel lowers with that one, gets the latter.
 *
 * Bridge mode, since in keepalived's private mode the kernel hides frames of another router that
 * has the same MAC address from the interface: two Active ones would never hear each other.
 *
 * 0: ha_net_error_text() is "", or names the first setting that /proc/sys does not let be written. Or -errno, about which it
 * says more: -EEXIST, the name is another link's; -EINVAL, options, or the interface is not Ethernet; -ENODEV, there is no
 * such interface; -EROFS or -EACCES, /proc/sys cannot be written, and it does not work without; those of
 * ha_net_macvlan_add(). What was made is removed again then.
 */
LIBHA_API int ha_vrrp_vmac_ensure(struct ha_net *n, const struct ha_vrrp_vmac_opts *o,
				  struct ha_net_link *ret);

/*
 * Of a macvlan that was deleted by somebody else and made anew by ha_vrrp_vmac_ensure(): `alias` is that of the former one
 * on the same interface, and becomes its own. 0; HA_NET_ALREADY: it is so, or one of the two is nobody's that
 * ha_vrrp_vmac_ensure() made; -EINVAL; -errno of ha_net_link_set_alias().
 */
LIBHA_API int ha_vrrp_vmac_remember(struct ha_net *n, struct ha_net_link *macvlan, const char *alias);

/*
 * Removes the macvlan that ha_vrrp_vmac_ensure() made, in this process or another; with the last
 * one on an interface the settings of that come back. One that somebody else made is put down and
 * stays. 0, HA_NET_ALREADY (there is none), or -errno as above.
 */
LIBHA_API int ha_vrrp_vmac_remove(struct ha_net *n, const struct ha_vrrp_vmac_opts *o);

#ifdef __cplusplus
}
#endif
#endif
