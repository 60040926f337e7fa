/* SPDX-License-Identifier: MIT */
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define V2_PROXY 0x21 /* version 2, command PROXY */
#define V2_LOCAL 0x20
#define V2_TCP4 0x11
#define V2_TCP6 0x21

struct endpoint {
	const void *addr;
	size_t len;
	in_port_t port; /* network order */
};

static struct endpoint endpoint(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;

		return (struct endpoint){&in->sin_addr, 4, in->sin_port};
	} else {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)a;

		return (struct endpoint){&in6->sin6_addr, 16, in6->sin6_port};
	}
}

static size_t version_1(char *buf, int family, const struct endpoint *from,
			const struct endpoint *to)
{
	char source[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN];

	if (!inet_ntop(family, from->addr, source, sizeof(source)) ||
	    !inet_ntop(family, to->addr, target, sizeof(target)))
		return 0;
	return (size_t)snprintf(buf, PROXY_HEADER_MAX, "PROXY TCP%c %s %s %u %u\r\n",
				family == AF_INET ? '4' : '6', source, target, ntohs(from->port),
				ntohs(to->port));
}

static size_t version_2(char *buf, int family, const struct endpoint *from,
			const struct endpoint *to)
{
	size_t at = 16;

	buf[13] = family == AF_INET ? V2_TCP4 : V2_TCP6;
	memcpy(buf + at, from->addr, from->len);
	at += from->len;
	memcpy(buf + at, to->addr, to->len);
	at += to->len;
	memcpy(buf + at, &from->port, 2);
	memcpy(buf + at + 2, &to->port, 2);
	at += 4;
	buf[15] = (char)(at - 16); /* the high byte is 0 */
	return at;
}

size_t proxy_header(char buf[PROXY_HEADER_MAX], unsigned version, const struct sockaddr *from,
		    const struct sockaddr *to)
{
	static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";
	int family = from->sa_family;
	bool known = family == to->sa_family && (family == AF_INET || family == AF_INET6);
	struct endpoint source, target;

	memset(buf, 0, PROXY_HEADER_MAX);
	if (version == 2) {
		memcpy(buf, signature, 12);
		buf[12] = known ? V2_PROXY : V2_LOCAL;
	}
	if (!known)
		return version == 2 ? 16
				    : (size_t)snprintf(buf, PROXY_HEADER_MAX, "PROXY UNKNOWN\r\n");
	source = endpoint(from);
	target = endpoint(to);
	return version == 2 ? version_2(buf, family, &source, &target)
			    : version_1(buf, family, &source, &target);
}
