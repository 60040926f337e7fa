/* SPDX-License-Identifier: MIT */
#include "netscaler_cip.h"

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

/* The headers, `len` bytes, all there. 0, or as the whole. */
static int parse_headers(const unsigned char *ip, size_t len, struct proxy_ends *ret)
{
	bool v6 = ip[0] >> 4 == 6;
	size_t ip_len = v6 ? IPV6 : 4 * (size_t)(ip[0] & 15);
	in_port_t ports[2];

	if (!v6 && ip[0] >> 4 != 4)
		return -EPROTONOSUPPORT;
	if (ip_len < IPV4_MIN || len < ip_len + TCP_MIN || (v6 ? ip[6] : ip[9]) != IPPROTO_TCP)
		return -EPROTONOSUPPORT;
	memcpy(ports, ip + ip_len, sizeof(ports));
	proxy_set_end(&ret->from, v6 ? AF_INET6 : AF_INET, ip + (v6 ? 8 : 12), ports[0]);
	proxy_set_end(&ret->to, v6 ? AF_INET6 : AF_INET, ip + (v6 ? 24 : 16), ports[1]);
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
