/* SPDX-License-Identifier: MIT */
/* Of keepalived.data: what adverts leave through, and the interfaces of this moment, in keepalived's headings and fields. */
#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/state.h"

/* ---- Sockets ---- */

static bool shares_socket(const struct conf_instance *a, const struct conf_instance *b)
{
	return !strcmp(a->interface, b->interface) && a->family == b->family &&
	       a->vmac == b->vmac && !a->n_peers == !b->n_peers && !a->auth_ah == !b->auth_ah &&
	       !ha_ip_compare(&a->source, &b->source) &&
	       !ha_ip_compare(&a->group_address, &b->group_address);
}

void dump_sockets(FILE *f, const struct conf *c)
{
	char ip[HA_IP_TEXT_SIZE] = "";
	const struct conf_instance *first;

	if (c->instances)
		fprintf(f, "------< VRRP Sockpool >------\n");
	for (const struct conf_instance *i = c->instances; i; i = i->next) {
		for (first = c->instances; !shares_socket(first, i);)
			first = first->next;
		if (first != i)
			continue;
		fprintf(f, "   Interface = %s\n   Family = %s\n   Protocol = %s\n   Type = %s\n",
			i->vmac ? i->vmac->name : i->interface,
			i->family == AF_INET ? "IPv4" : "IPv6", i->auth_ah ? "AH" : "VRRP",
			i->n_peers ? "Unicast" : "Multicast");
		if (i->n_peers && i->source.family && ha_ip_format(&i->source, ip, sizeof(ip)) > 0)
			fprintf(f, "   Address = %s\n", ip);
		fprintf(f, "   VRRP instances\n");
		for (const struct conf_instance *with = i; with; with = with->next)
			if (shares_socket(i, with))
				fprintf(f, "     %s vrid %d\n", with->name, with->vrid);
	}
}

/* ---- Interfaces ---- */

static bool is_virtual(const struct conf *c, const struct ha_ip *ip)
{
	for (const struct conf_instance *i = c->instances; i; i = i->next)
		for (size_t n = 0; n < i->n_addresses; n++)
			if (!ha_ip_compare(&i->addresses[n].ip, ip))
				return true;
	return false;
}

/* Its own, of IPv6 the link-local ones: as keepalived has it. */
static void dump_addresses_of(FILE *f, const struct conf *c, const struct ifaddrs *all, const char *name, int family)
{
	const char *title = family == AF_INET ? "IPv4" : "IPv6";
	char text[HA_IP_TEXT_SIZE] = "";
	struct ha_ip ip;
	int n = 0;

	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		if (!a->ifa_addr || a->ifa_addr->sa_family != family ||
		    strcmp(a->ifa_name, name) != 0 ||
		    ha_ip_from_sockaddr(a->ifa_addr, sizeof(struct sockaddr_in6), &ip) < 0 ||
		    (family == AF_INET6 && !conf_is_link_local(&ip)) || is_virtual(c, &ip) ||
		    ha_ip_format(&ip, text, sizeof(text)) < 0)
			continue;
		if (n == 1)
			fprintf(f, "   Additional %s addresses :\n", title);
		if (n++)
			fprintf(f, "     %s\n", text);
		else
			fprintf(f, "   %s address = %s\n", title, text);
	}
	if (!n)
		fprintf(f, "   %s address = (none)\n", title);
}

static void dump_mac(FILE *f, const struct sockaddr_ll *l)
{
	fprintf(f, "   MAC = ");
	for (unsigned i = 0; i < l->sll_halen && i < sizeof(l->sll_addr); i++)
		fprintf(f, "%s%02x", i ? ":" : "", l->sll_addr[i]);
	fputc('\n', f);
}

static const char *type_name(unsigned type)
{
	return type == ARPHRD_ETHER ? "ETHERNET" : type == ARPHRD_LOOPBACK ? "LOOPBACK" : "UNKNOWN";
}

static void dump_flags(FILE *f, unsigned flags)
{
	fprintf(f, "   State = %s, %s", flags & IFF_UP ? "UP" : "DOWN",
		flags & IFF_RUNNING ? "RUNNING" : "not RUNNING");
	fprintf(f, "%s%s%s%s%s\n", flags & IFF_BROADCAST ? "" : ", no broadcast",
		flags & IFF_LOOPBACK ? ", loopback" : "",
		flags & IFF_POINTOPOINT ? ", point to point" : "",
		flags & IFF_NOARP ? ", no arp" : "", flags & IFF_MULTICAST ? "" : ", no multicast");
}

static void dump_trackers_of(FILE *f, const struct conf *c, const char *name)
{
	bool any = false;

	for (const struct conf_instance *i = c->instances; i; i = i->next) {
		int32_t weight = CONF_NO_WEIGHT;
		bool tracks = !strcmp(i->interface, name);

		for (size_t n = 0; n < i->n_interfaces; n++)
			if (!strcmp(i->interfaces[n].name, name)) {
				tracks = true;
				weight = i->interfaces[n].weight;
			}
		if (tracks && !any)
			fprintf(f, "   Tracking VRRP instances :\n");
		any |= tracks;
		if (tracks)
			fprintf(f, "     %s, weight %d\n", i->name,
				weight == CONF_NO_WEIGHT ? 0 : weight);
	}
}

void dump_interfaces(FILE *f, const struct conf *c)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		all = NULL;
	fprintf(f, "------< Interfaces >------\n");
	/* Each link has one entry of AF_PACKET. */
	for (const struct ifaddrs *a = all; a; a = a->ifa_next) {
		const struct sockaddr_ll *link = (const void *)a->ifa_addr;
		struct ifreq mtu = {0};

		if (!a->ifa_addr || a->ifa_addr->sa_family != AF_PACKET)
			continue;
		fprintf(f, " Name = %s\n   index = %d\n", a->ifa_name, link->sll_ifindex);
		dump_addresses_of(f, c, all, a->ifa_name, AF_INET);
		dump_addresses_of(f, c, all, a->ifa_name, AF_INET6);
		if (!(a->ifa_flags & IFF_LOOPBACK))
			dump_mac(f, link);
		dump_flags(f, a->ifa_flags);
		snprintf(mtu.ifr_name, sizeof(mtu.ifr_name), "%s", a->ifa_name);
		if (fd >= 0 && !ioctl(fd, SIOCGIFMTU, &mtu))
			fprintf(f, "   MTU = %d\n", mtu.ifr_mtu);
		fprintf(f, "   HW Type = %s\n", type_name(link->sll_hatype));
		dump_trackers_of(f, c, a->ifa_name);
	}
	freeifaddrs(all);
	if (fd >= 0)
		close(fd);
}
