/* SPDX-License-Identifier: MIT */
/* Cookies that name a server, as HAProxy and as F5 BIG-IP write them. What clients send is believed in nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include <libsched/lb_persist.h>

static ssize_t copy_out(const char *value, size_t len, char *buf, size_t cap)
{
	if (!buf || cap <= len)
		return -ENOSPC;
	memcpy(buf, value, len);
	buf[len] = '\0';
	return (ssize_t)len;
}

/* ---- HAProxy ---- */

#define DATE_DIGITS 5
#define DATE_MAX UINT64_C(0x3fffffff) /* 30 bits of four seconds */

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A cookie-octet of RFC 6265, 4.1.1, but for the '|' that ends the word. */
static bool may_be_in_word(char c)
{
	return c > ' ' && c < 0x7f && !strchr("|;,\"\\", c);
}

static bool is_word(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!may_be_in_word(word[i]))
			return false;
	return len > 0 && len <= LB_COOKIE_MAX;
}

static size_t put_date(char *at, uint64_t s)
{
	const uint64_t fours = (s + 3) / 4;

	at[0] = '|';
	for (int i = 0; i < DATE_DIGITS; i++)
		at[1 + i] = base64[fours >> (DATE_DIGITS - 1 - i) * 6 & 0x3f];
	return 1 + DATE_DIGITS;
}

ssize_t lb_cookie_haproxy_write(const struct lb_cookie_haproxy *c, char *buf, size_t cap)
{
	char value[LB_COOKIE_MAX + 2 * (1 + DATE_DIGITS)];
	size_t len;

	if (!c || !c->word || !is_word(c->word, c->word_len) || (c->first_s && !c->last_s) ||
	    c->last_s > DATE_MAX * 4 || c->first_s > DATE_MAX * 4)
		return -EINVAL;
	len = c->word_len;
	memcpy(value, c->word, len);
	if (c->last_s)
		len += put_date(value + len, c->last_s);
	if (c->first_s)
		len += put_date(value + len, c->first_s);
	return copy_out(value, len, buf, cap);
}

/* "|ABCDE" in seconds; 0 if it is not that. */
static uint64_t take_date(struct reader *r)
{
	const uint8_t *digits;
	uint64_t fours = 0;

	if (read_u8(r) != '|')
		return 0;
	digits = read_bytes(r, DATE_DIGITS);
	for (int i = 0; digits && i < DATE_DIGITS; i++) {
		const char *d = digits[i] ? strchr(base64, digits[i]) : NULL;

		if (!d)
			return 0;
		fours = fours << 6 | (uint64_t)(d - base64);
	}
	return digits ? fours * 4 : 0;
}

int lb_cookie_haproxy_read(const char *value, size_t len, struct lb_cookie_haproxy *ret)
{
	struct lb_cookie_haproxy c = {.word = value};
	struct reader r;

	if (!value || !ret)
		return -EINVAL;
	while (c.word_len < len && value[c.word_len] != '|')
		c.word_len++;
	if (!is_word(value, c.word_len))
		return -EBADMSG;
	r = reader_of(value + c.word_len, len - c.word_len);
	c.last_s = take_date(&r);
	if (c.last_s)
		c.first_s = take_date(&r);
	*ret = c;
	return 0;
}

/* ---- F5 ---- */

#define DOMAIN_MAX 65534 /* of TMOS */

static uint16_t swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* 16 bytes as 32 hex digits; an IPv4 address as the IPv6 one that maps it. */
static void hex_of(const struct lb_cookie_f5 *c, char hex[33])
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (c->addr_len == 16)
		memcpy(addr, c->addr, 16);
	else
		memcpy(addr + 12, c->addr, 4);
	for (size_t i = 0; i < 16; i++)
		snprintf(hex + 2 * i, 3, "%02x", addr[i]);
}

ssize_t lb_cookie_f5_write(const struct lb_cookie_f5 *c, char *buf, size_t cap)
{
	char value[64], hex[33];
	int len;

	if (!c || (c->addr_len != 4 && c->addr_len != 16) || c->in_domain > 1 ||
	    c->route_domain > DOMAIN_MAX)
		return -EINVAL;
	hex_of(c, hex);
	if (c->in_domain || c->route_domain)
		len = snprintf(value, sizeof(value), "rd%uo%so%u", c->route_domain, hex, c->port);
	else if (c->addr_len == 16)
		len = snprintf(value, sizeof(value), "vi%s.%u", hex, swap16(c->port));
	else
		len = snprintf(value, sizeof(value), "%" PRIu32 ".%u.0000",
			       (uint32_t)c->addr[3] << 24 | (uint32_t)c->addr[2] << 16 |
				   (uint32_t)c->addr[1] << 8 | c->addr[0],
			       swap16(c->port));
	return copy_out(value, (size_t)len, buf, cap);
}

/* A decimal number up to max; false: none, or a greater one. */
static bool take_number(struct reader *r, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;
	bool any = false;

	while (reader_left(r) && *r->at >= '0' && *r->at <= '9') {
		v = v * 10 + (uint64_t)(read_u8(r) - '0');
		any = true;
		if (v > max)
			return false;
	}
	*ret = v;
	return any;
}

static bool take_word(struct reader *r, const char *word)
{
	const uint8_t *p = read_bytes(r, strlen(word));

	return p && !memcmp(p, word, strlen(word));
}

static bool take_hex(struct reader *r, uint8_t addr[16])
{
	for (size_t i = 0; i < 32; i++) {
		static const char digits[] = "0123456789abcdef0123456789ABCDEF";
		const uint8_t c = read_u8(r);
		const char *d = c ? strchr(digits, c) : NULL;

		if (!d)
			return false;
		addr[i / 2] = (uint8_t)(addr[i / 2] << 4 | ((d - digits) & 15));
	}
	return true;
}

/* rd5o00000000000000000000ffffc0000201o80 */
static bool read_in_domain(struct reader *r, struct lb_cookie_f5 *c)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	uint64_t domain, port;

	if (!take_word(r, "rd") || !take_number(r, DOMAIN_MAX, &domain) || !take_word(r, "o") ||
	    !take_hex(r, c->addr) || !take_word(r, "o") || !take_number(r, UINT16_MAX, &port))
		return false;
	c->addr_len = 16;
	if (!memcmp(c->addr, mapped, sizeof(mapped))) {
		memmove(c->addr, c->addr + 12, 4);
		memset(c->addr + 4, 0, 12);
		c->addr_len = 4;
	}
	c->in_domain = 1;
	c->route_domain = (uint16_t)domain;
	c->port = (uint16_t)port;
	return true;
}

/* vi20010112000000000000000000000030.20480 */
static bool read_ipv6(struct reader *r, struct lb_cookie_f5 *c)
{
	uint64_t port;

	if (!take_word(r, "vi") || !take_hex(r, c->addr) || !take_word(r, ".") ||
	    !take_number(r, UINT16_MAX, &port))
		return false;
	c->addr_len = 16;
	c->port = swap16((uint16_t)port);
	return true;
}

/* 1677787402.36895.0000 */
static bool read_ipv4(struct reader *r, struct lb_cookie_f5 *c)
{
	uint64_t addr, port;

	if (!take_number(r, UINT32_MAX, &addr) || !take_word(r, ".") ||
	    !take_number(r, UINT16_MAX, &port) || !take_word(r, ".0000"))
		return false;
	for (size_t i = 0; i < 4; i++)
		c->addr[i] = (uint8_t)(addr >> 8 * i);
	c->addr_len = 4;
	c->port = swap16((uint16_t)port);
	return true;
}

int lb_cookie_f5_read(const char *value, size_t len, struct lb_cookie_f5 *ret)
{
	struct reader r = reader_of(value, value ? len : 0);
	struct lb_cookie_f5 c = {.addr_len = 0};
	bool good;

	if (!value || !ret)
		return -EINVAL;
	if (len && value[0] == 'r')
		good = read_in_domain(&r, &c);
	else if (len && value[0] == 'v')
		good = read_ipv6(&r, &c);
	else
		good = read_ipv4(&r, &c);
	if (!good || r.bad || reader_left(&r))
		return -EBADMSG;
	*ret = c;
	return 0;
}
