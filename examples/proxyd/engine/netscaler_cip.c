/* SPDX-License-Identifier: MIT */
#include "netscaler_cip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define PREFIX 8 /* bytes before the headers in the older form */
#define PREFIX_TYPED 12
#define IPV4_MIN 20
#define IPV6 40
#define TCP_MIN 20

static uint32_t be32(const unsigned char *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void set_4(const unsigned char *ip, const unsigned char *tcp, struct proxy_ends *ret)
{
	struct sockaddr_in from = {.sin_family = AF_INET}, to = from;

	memcpy(&from.sin_addr, ip + 12, 4);
	memcpy(&to.sin_addr, ip + 16, 4);
	memcpy(&from.sin_port, tcp, 2);
	memcpy(&to.sin_port, tcp + 2, 2);
	memcpy(&ret->from, &from, sizeof(from));
	memcpy(&ret->to, &to, sizeof(to));
}

static void set_6(const unsigned char *ip, const unsigned char *tcp, struct proxy_ends *ret)
{
	struct sockaddr_in6 from = {.sin6_family = AF_INET6}, to = from;

	memcpy(&from.sin6_addr, ip + 8, 16);
	memcpy(&to.sin6_addr, ip + 24, 16);
	memcpy(&from.sin6_port, tcp, 2);
	memcpy(&to.sin6_port, tcp + 2, 2);
	memcpy(&ret->from, &from, sizeof(from));
	memcpy(&ret->to, &to, sizeof(to));
}

/* The headers, `len` bytes, all there. 0, or as the whole. */
static int parse_headers(const unsigned char *ip, size_t len, struct proxy_ends *ret)
{
	bool v6 = ip[0] >> 4 == 6;
	size_t ip_len = v6 ? IPV6 : 4 * (size_t)(ip[0] & 15);

	if (!v6 && ip[0] >> 4 != 4)
		return -EPROTONOSUPPORT;
	if (ip_len < IPV4_MIN || len < ip_len + TCP_MIN || (v6 ? ip[6] : ip[9]) != IPPROTO_TCP)
		return -EPROTONOSUPPORT;
	(v6 ? set_6 : set_4)(ip, ip + ip_len, ret);
	return 0;
}

ssize_t netscaler_cip_parse(const void *data, size_t len, uint32_t magic, struct proxy_ends *ret)
{
	const unsigned char *at = data;
	size_t prefix, headers;
	int e;

	memset(ret, 0, sizeof(*ret)); /* AF_UNSPEC */
	if (len >= 4 && be32(at) != magic)
		return -EPROTO;
	if (len < PREFIX_TYPED)
		return 0;
	if (at[PREFIX] && at[PREFIX] >> 4 != 4 && at[PREFIX] >> 4 != 6)
		return -EPROTONOSUPPORT;
	prefix = at[PREFIX] ? PREFIX : PREFIX_TYPED;
	headers = at[PREFIX] ? be32(at + 4) : (size_t)(at[10] << 8 | at[11]);
	if (headers < IPV4_MIN + TCP_MIN || headers > PROXY_READ_MAX - prefix)
		return -EPROTONOSUPPORT;
	if (len < prefix + headers)
		return 0;
	e = parse_headers(at + prefix, headers, ret);
	return e ? e : (ssize_t)(prefix + headers);
}
