/* SPDX-License-Identifier: MIT */
#include "proxy_protocol.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define V2_PROXY 0x21 /* version 2, command PROXY */
#define V2_LOCAL 0x20
#define V2_TCP4 0x11
#define V2_TCP6 0x21
#define V2_FAMILY_MAX 3	  /* unix sockets */
#define V2_TRANSPORT_MAX 2 /* datagrams */

struct endpoint {
	const void *addr;
	size_t len;
	in_port_t port; /* network order */
};

static bool is_ip(const struct sockaddr *a)
{
	return a->sa_family == AF_INET || a->sa_family == AF_INET6;
}

/* As an address of this family: IPv4 becomes IPv6 in `mapped` (RFC 4291, 2.5.5.2). */
static struct endpoint endpoint(const struct sockaddr *a, int family, unsigned char mapped[16])
{
	if (a->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)a;

		if (family == AF_INET)
			return (struct endpoint){&in->sin_addr, 4, in->sin_port};
		memcpy(mapped, (const unsigned char[12]){[10] = 0xff, 0xff}, 12);
		memcpy(mapped + 12, &in->sin_addr, 4);
		return (struct endpoint){mapped, 16, in->sin_port};
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

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n"; /* its NUL does not fit, nor count */

size_t proxy_header(char buf[PROXY_HEADER_MAX], unsigned version, const struct sockaddr *from,
		    const struct sockaddr *to)
{
	bool known = is_ip(from) && is_ip(to);
	int family = from->sa_family == to->sa_family ? from->sa_family : AF_INET6;
	unsigned char mapped[16];
	struct endpoint source, target;

	memset(buf, 0, PROXY_HEADER_MAX);
	if (version == 2) {
		memcpy(buf, signature, sizeof(signature));
		buf[12] = known ? V2_PROXY : V2_LOCAL;
	}
	if (!known)
		return version == 2 ? 16
				    : (size_t)snprintf(buf, PROXY_HEADER_MAX, "PROXY UNKNOWN\r\n");
	source = endpoint(from, family, mapped); /* one of them at most is mapped */
	target = endpoint(to, family, mapped);
	return version == 2 ? version_2(buf, family, &source, &target)
			    : version_1(buf, family, &source, &target);
}

enum { /* types, and bits of the client's */
       TLV_ALPN = 0x01,
       TLV_AUTHORITY = 0x02,
       TLV_CRC32C = 0x03,
       TLV_UNIQUE_ID = 0x05,
       TLV_TLS = 0x20,
       TLV_TLS_VERSION = 0x21,
       TLV_TLS_CN = 0x22,
       TLV_TLS_CIPHER = 0x23,
       TLV_TLS_SIGNATURE = 0x24,
       TLV_TLS_KEY = 0x25,
       CLIENT_TLS = 1,
       CLIENT_CERT_NOW = 2,
       CLIENT_CERT = 4,
};

/* Castagnoli's, the four bytes at `sum` as zeros (section 2.2.3). */
static uint32_t crc32c(const unsigned char *header, size_t len, const unsigned char *sum)
{
	uint32_t crc = UINT32_MAX;

	for (const unsigned char *p = header; p < header + len; p++) {
		crc ^= p >= sum && p < sum + 4 ? 0 : *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
	}
	return ~crc;
}

/* At `at`; its length, 0: there is nothing to tell. */
static size_t tlv(char *at, int type, const char *value, size_t len)
{
	if (!value || !len || len > PROXY_VALUE_MAX)
		return 0;
	at[0] = (char)type;
	at[1] = 0;
	at[2] = (char)len;
	memcpy(at + 3, value, len);
	return 3 + len;
}

static size_t tls_tlv(char *at, const struct proxy_tls *t)
{
	uint32_t verify = htonl(t->has_cert ? t->verify : 0);
	size_t n = 8;

	at[3] = (char)((t->in_use ? CLIENT_TLS : 0) | (t->has_cert ? CLIENT_CERT : 0) |
		       (t->has_cert && t->shown_now ? CLIENT_CERT_NOW : 0));
	memcpy(at + 4, &verify, 4);
	n += tlv(at + n, TLV_TLS_VERSION, t->version, strlen(t->version));
	n += tlv(at + n, TLV_TLS_CN, t->cn, strlen(t->cn));
	n += tlv(at + n, TLV_TLS_KEY, t->key, strlen(t->key));
	n += tlv(at + n, TLV_TLS_SIGNATURE, t->signature, strlen(t->signature));
	n += tlv(at + n, TLV_TLS_CIPHER, t->cipher, strlen(t->cipher));
	at[0] = TLV_TLS;
	at[1] = (char)((n - 3) >> 8);
	at[2] = (char)(n - 3);
	return n;
}

size_t proxy_header_extra(char buf[PROXY_HEADER_MAX + PROXY_EXTRA_MAX], size_t len, const struct proxy_extra *extra)
{
	const unsigned char *header = (const unsigned char *)buf;
	size_t sum = len + 3;

	if (extra->crc32c)
		len += tlv(buf + len, TLV_CRC32C, "\0\0\0", 4);
	len += tlv(buf + len, TLV_ALPN, extra->alpn, extra->alpn_len);
	len += tlv(buf + len, TLV_AUTHORITY, extra->authority, extra->authority_len);
	if (extra->unique_id_len <= PROXY_UNIQUE_ID_MAX)
		len += tlv(buf + len, TLV_UNIQUE_ID, extra->unique_id, extra->unique_id_len);
	if (extra->tls)
		len += tls_tlv(buf + len, extra->tls);
	buf[14] = (char)((len - 16) >> 8);
	buf[15] = (char)(len - 16);
	if (extra->crc32c) {
		uint32_t crc = htonl(crc32c(header, len, header + sum));

		memcpy(buf + sum, &crc, 4);
	}
	return len;
}

/* ---- Reading ---- */

void proxy_set_end(struct sockaddr_storage *ret, int family, const void *addr, in_port_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = port};

	if (family == AF_INET) {
		memcpy(&in.sin_addr, addr, 4);
		memcpy(ret, &in, sizeof(in));
	} else {
		memcpy(&in6.sin6_addr, addr, 16);
		memcpy(ret, &in6, sizeof(in6));
	}
}

/* One word of a line of version 1, up to a single space or the end; NULL: there is none. */
static char *word(char **at)
{
	char *begin = *at, *end = begin + strcspn(begin, " ");

	if (end == begin)
		return NULL;
	*at = *end ? end + 1 : end;
	*end = '\0';
	return begin;
}

static bool port(const char *text, in_port_t *ret)
{
	char *end;
	unsigned long n;

	if (!text || *text < '0' || *text > '9')
		return false;
	n = strtoul(text, &end, 10);
	*ret = htons((uint16_t)n);
	return !*end && n <= 65535;
}

static ssize_t parse_1(const char *data, size_t len, struct proxy_ends *ret)
{
	size_t max = len < PROXY_HEADER_MAX - 1 ? len : PROXY_HEADER_MAX - 1;
	const char *end = memchr(data, '\n', max);
	char line[PROXY_HEADER_MAX], *at = line, *protocol, *text[4];
	uint8_t from[16], to[16];
	in_port_t from_port, to_port;
	size_t n;
	int family;

	if (!end)
		return len < PROXY_HEADER_MAX - 1 ? 0 : -EPROTO;
	n = (size_t)(end - data);
	if (n < 7 || data[n - 1] != '\r' || data[n - 2] == ' ' || memchr(data, '\0', n))
		return -EPROTO;
	memcpy(line, data, n - 1);
	line[n - 1] = '\0';
	word(&at); /* PROXY */
	protocol = word(&at);
	if (!protocol)
		return -EPROTO;
	if (!strcmp(protocol, "UNKNOWN"))
		return (ssize_t)n + 1;
	if (strcmp(protocol, "TCP4") != 0 && strcmp(protocol, "TCP6") != 0)
		return -EPROTO;
	family = protocol[3] == '4' ? AF_INET : AF_INET6;
	for (size_t i = 0; i < 4; i++)
		text[i] = word(&at);
	if (!text[3] || *at || inet_pton(family, text[0], from) != 1 ||
	    inet_pton(family, text[1], to) != 1 || !port(text[2], &from_port) ||
	    !port(text[3], &to_port))
		return -EPROTO;
	proxy_set_end(&ret->from, family, from, from_port);
	proxy_set_end(&ret->to, family, to, to_port);
	return (ssize_t)n + 1;
}

/* With its four bytes at `sum` as zeros. */
static bool sum_is_right(const unsigned char *header, size_t len, const unsigned char *sum)
{
	uint32_t told;

	memcpy(&told, sum, 4);
	return ntohl(told) == crc32c(header, len, sum);
}

/* The extras, from `begin` to the end of the header: type, length of two bytes, value. False: malformed. */
static bool parse_extras(const unsigned char *header, size_t total, size_t begin,
			 struct proxy_ends *ret)
{
	const unsigned char *at = header + begin;
	size_t len = total - begin;

	while (len >= 3) {
		size_t n = (size_t)at[1] << 8 | at[2];

		if (n > len - 3)
			return false;
		if (at[0] == TLV_CRC32C && (n != 4 || !sum_is_right(header, total, at + 3)))
			return false;
		if (n > (at[0] == TLV_AUTHORITY ? PROXY_VALUE_MAX : at[0] == TLV_UNIQUE_ID ? PROXY_UNIQUE_ID_MAX : n))
			return false;
		if (at[0] == TLV_AUTHORITY) {
			ret->authority = (const char *)at + 3;
			ret->authority_len = n;
		} else if (at[0] == TLV_UNIQUE_ID) {
			ret->unique_id = (const char *)at + 3;
			ret->unique_id_len = n;
		}
		at += 3 + n;
		len -= 3 + n;
	}
	return !len;
}

static ssize_t parse_2(const unsigned char *data, size_t len, struct proxy_ends *ret)
{
	size_t total, addr;
	in_port_t from_port, to_port;

	if (len < 16)
		return 0;
	total = 16 + ((size_t)data[14] << 8 | data[15]);
	if (data[12] >> 4 != 2 || (data[12] & 15) > 1 || total > PROXY_READ_MAX)
		return -EPROTO;
	if (len < total)
		return 0;
	if ((data[12] & 15) == 0)
		return (ssize_t)total; /* the proxy itself */
	if (data[13] >> 4 > V2_FAMILY_MAX || (data[13] & 15) > V2_TRANSPORT_MAX)
		return -EPROTO;
	addr = data[13] == V2_TCP4 ? 4 : data[13] == V2_TCP6 ? 16 : 0;
	if (!addr)
		return (ssize_t)total; /* a kind that says nothing to us: as if it had not told */
	if (total < 16 + 2 * addr + 4 || !parse_extras(data, total, 16 + 2 * addr + 4, ret))
		return -EPROTO;
	memcpy(&from_port, data + 16 + 2 * addr, 2);
	memcpy(&to_port, data + 16 + 2 * addr + 2, 2);
	proxy_set_end(&ret->from, addr == 4 ? AF_INET : AF_INET6, data + 16, from_port);
	proxy_set_end(&ret->to, addr == 4 ? AF_INET : AF_INET6, data + 16 + addr, to_port);
	return (ssize_t)total;
}

ssize_t proxy_parse(const void *data, size_t len, struct proxy_ends *ret)
{
	size_t v1 = len < 6 ? len : 6, v2 = len < sizeof(signature) ? len : sizeof(signature);

	memset(ret, 0, sizeof(*ret)); /* AF_UNSPEC */
	if (!memcmp(data, "PROXY ", v1))
		return v1 < 6 ? 0 : parse_1(data, len, ret);
	if (!memcmp(data, signature, v2))
		return v2 < sizeof(signature) ? 0 : parse_2(data, len, ret);
	return -EPROTO;
}
