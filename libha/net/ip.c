/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include <libha/ip.h>

size_t ha_ip_len(const struct ha_ip *ip)
{
	if (!ip)
		return 0;
	return ip->family == AF_INET ? 4 : ip->family == AF_INET6 ? 16 : 0;
}

int ha_ip_parse(const char *text, struct ha_ip *ret)
{
	struct ha_ip ip = {0};

	if (!text || !ret)
		return -EINVAL;
	if (inet_pton(AF_INET, text, ip.bytes) == 1)
		ip.family = AF_INET;
	else if (inet_pton(AF_INET6, text, ip.bytes) == 1)
		ip.family = AF_INET6;
	else
		return -EINVAL;
	*ret = ip;
	return 0;
}

ssize_t ha_ip_format(const struct ha_ip *ip, char *buf, size_t cap)
{
	char text[HA_IP_TEXT_SIZE];
	size_t len;

	if (!ha_ip_len(ip) || !buf)
		return -EINVAL;
	if (!inet_ntop(ip->family, ip->bytes, text, sizeof(text)))
		return -EINVAL;
	len = strlen(text);
	if (len >= cap)
		return -ENOSPC;
	memcpy(buf, text, len + 1);
	return (ssize_t)len;
}

int ha_ip_compare(const struct ha_ip *a, const struct ha_ip *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, ha_ip_len(a));
}

int ha_ip_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct ha_ip *ret)
{
	struct ha_ip ip = {0};
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (!sa || !ret || len < sizeof(sa->sa_family))
		return -EINVAL;
	switch (sa->sa_family) {
	case AF_INET:
		if (len < sizeof(in))
			return -EINVAL;
		memcpy(&in, sa, sizeof(in));
		memcpy(ip.bytes, &in.sin_addr, sizeof(in.sin_addr));
		break;
	case AF_INET6:
		if (len < sizeof(in6))
			return -EINVAL;
		memcpy(&in6, sa, sizeof(in6));
		memcpy(ip.bytes, &in6.sin6_addr, sizeof(in6.sin6_addr));
		break;
	default:
		return -EAFNOSUPPORT;
	}
	ip.family = (uint8_t)sa->sa_family;
	*ret = ip;
	return 0;
}

ssize_t ha_ip_to_sockaddr(const struct ha_ip *ip, uint16_t port, uint32_t scope_id,
			  struct sockaddr_storage *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = scope_id};

	if (!ha_ip_len(ip) || !ret)
		return -EINVAL;
	memset(ret, 0, sizeof(*ret));
	if (ip->family == AF_INET) {
		memcpy(&in.sin_addr, ip->bytes, sizeof(in.sin_addr));
		memcpy(ret, &in, sizeof(in));
		return sizeof(in);
	}
	memcpy(&in6.sin6_addr, ip->bytes, sizeof(in6.sin6_addr));
	memcpy(ret, &in6, sizeof(in6));
	return sizeof(in6);
}
