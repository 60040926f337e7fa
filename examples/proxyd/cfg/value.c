/* SPDX-License-Identifier: MIT */
/* Values of words: numbers, times, addresses. */
#include "cfg/read.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX_MS UINT64_C(2147483647) /* HAProxy counts in signed 32-bit milliseconds */
#define ADDRESS_TEXT_MAX 512

bool read_number(struct reader *r, size_t i, const char *what, unsigned min, unsigned max,
		 unsigned *ret)
{
	const char *text = word_at(r, i);
	unsigned long long n = 0;
	char *end = NULL;

	if (isdigit((unsigned char)*text)) {
		errno = 0;
		n = strtoull(text, &end, 10);
	}
	if (!end || *end || errno == ERANGE) {
		say(r, DIAG_ERROR, i,
		    "%s needs a whole number, not \"%s\": write one from %u to %u", what, text, min,
		    max);
		return false;
	}
	if (n < min || n > max) {
		say(r, DIAG_ERROR, i, "%s %s is out of range: write a number from %u to %u", what,
		    text, min, max);
		return false;
	}
	*ret = (unsigned)n;
	return true;
}

bool read_size(struct reader *r, size_t i, const char *what, unsigned min, unsigned max,
	       unsigned *ret)
{
	static const char units[] = "kmg";
	const char *text = word_at(r, i), *end = text + strspn(text, "0123456789"), *unit;
	unsigned long long n = end > text ? strtoull(text, NULL, 10) : 0;
	unsigned shift;

	unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (end == text || end[unit != NULL]) {
		say(r, DIAG_ERROR, i, "%s: \"%s\" is no size: write a number, or one with k, m or g", what, text);
		return false;
	}
	if (n > max >> shift || n << shift < min) {
		say(r, DIAG_ERROR, i, "%s %s is out of range: write a size from %u to %u", what, text,
		    min, max);
		return false;
	}
	*ret = (unsigned)(n << shift);
	return true;
}

static const struct {
	const char *unit;
	uint64_t ns;
} units[] = {
    {"us", 1000},	   {"ms", CFG_MS},	    {"s", 1000 * CFG_MS},
    {"m", 60000 * CFG_MS}, {"h", 3600000 * CFG_MS}, {"d", 86400000 * CFG_MS},
    {"", CFG_MS},
};

bool read_time(struct reader *r, size_t i, const char *what, uint64_t *ret_ns)
{
	return read_time_text(r, i, what, word_at(r, i), ret_ns);
}

bool read_time_text(struct reader *r, size_t i, const char *what, const char *text,
		    uint64_t *ret_ns)
{
	unsigned long long n;
	char *end;

	if (!isdigit((unsigned char)*text)) {
		say(r, DIAG_ERROR, i,
		    "%s needs a time, not \"%s\": write a number and us, ms, s, m, h or d (30s)",
		    what, text);
		return false;
	}
	errno = 0;
	n = strtoull(text, &end, 10);
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		size_t len = strlen(units[u].unit);

		if (strncmp(end, units[u].unit, len) != 0 || (!len && *end))
			continue;
		if (errno == ERANGE || n > TIME_MAX_MS * CFG_MS / units[u].ns) {
			say(r, DIAG_ERROR, i, "%s %s is too long: the longest time is %llu ms",
			    what, text, (unsigned long long)TIME_MAX_MS);
			return false;
		}
		if (end[len]) /* HAProxy 2.6, too, warns only */
			say(r, DIAG_WARNING, i,
			    "%s: \"%s\" has something behind its unit: taken as %llu%s", what, text,
			    n, units[u].unit);
		*ret_ns = n * units[u].ns;
		return true;
	}
	say(r, DIAG_ERROR, i,
	    "%s: \"%s\" is no unit of time: write us, ms, s, m, h or d after %llu", what, end, n);
	return false;
}

/* The value of "NAME" or "{NAME}", which *text passes. NULL: told. */
static const char *read_variable(struct reader *r, size_t i, const char **text)
{
	const bool braced = **text == '{';
	const char *at = *text + braced, *value;
	char name[128];
	size_t len = 0;

	for (; (isalnum((unsigned char)at[len]) || at[len] == '_') && len < sizeof(name) - 1; len++)
		name[len] = at[len];
	name[len] = '\0';
	if (!len || (braced && at[len] != '}')) {
		say(r, DIAG_ERROR, i, "\"$\" must be followed by NAME or {NAME}");
		return NULL;
	}
	*text = at + len + braced;
	value = getenv(name);
	if (!value)
		say(r, DIAG_ERROR, i, "variable \"%s\" is not set: set it before the start", name);
	return value;
}

/* Addresses know $NAME and ${NAME} outside quotes too. False: too long, or a variable unset. */
static bool expand(struct reader *r, size_t i, const char *text, char *out, size_t cap)
{
	size_t n = 0;

	while (*text) {
		const char *part = text;
		size_t len = 1;

		if (*text++ == '$') {
			part = read_variable(r, i, &text);
			if (!part)
				return false;
			len = strlen(part);
		}
		if (n + len >= cap) {
			say(r, DIAG_ERROR, i, "this address is too long: more than %zu characters", cap - 1);
			return false;
		}
		memcpy(out + n, part, len);
		n += len;
	}
	out[n] = '\0';
	return true;
}

void addr_set_port(struct cfg_addr *a, unsigned port)
{
	in_port_t p = htons((in_port_t)port);

	if (a->sa.sa_family == AF_INET)
		memcpy((char *)&a->storage + offsetof(struct sockaddr_in, sin_port), &p, sizeof(p));
	else if (a->sa.sa_family == AF_INET6)
		memcpy((char *)&a->storage + offsetof(struct sockaddr_in6, sin6_port), &p,
		       sizeof(p));
}

static bool set_unix(struct reader *r, size_t i, const char *path, struct address *ret)
{
	struct sockaddr_un *un = &ret->addr.unix_path;

	if (!*path || strlen(path) >= sizeof(un->sun_path)) {
		say(r, DIAG_ERROR, i, "a unix socket's path has 1 to %zu characters",
		    sizeof(un->sun_path) - 1);
		return false;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	ret->addr.len = (socklen_t)sizeof(*un);
	return true;
}

/* A name that is no file: a NUL before it. As in HAProxy, those behind it are of the name, too. */
static bool set_abstract(struct reader *r, size_t i, const char *name, struct address *ret)
{
	struct sockaddr_un *un = &ret->addr.unix_path;

	if (!*name || strlen(name) + 1 >= sizeof(un->sun_path)) {
		say(r, DIAG_ERROR, i, "an abstract socket's name has 1 to %zu characters",
		    sizeof(un->sun_path) - 2);
		return false;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + 1, name, strlen(name));
	ret->addr.len = (socklen_t)sizeof(*un);
	return true;
}

static void set_any(struct cfg_addr *a, int family)
{
	if (family == AF_INET6) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

		memcpy(&a->storage, &in6, sizeof(in6));
		a->len = sizeof(in6);
	} else {
		struct sockaddr_in in = {.sin_family = AF_INET};

		memcpy(&a->storage, &in, sizeof(in));
		a->len = sizeof(in);
	}
}

bool cfg_numeric_address(const char *text, struct cfg_addr *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	*ret = (struct cfg_addr){0};
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(&ret->storage, &in, sizeof(in));
		ret->len = sizeof(in);
	} else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		memcpy(&ret->storage, &in6, sizeof(in6));
		ret->len = sizeof(in6);
	}
	return ret->len;
}

static bool resolve(struct reader *r, size_t i, const char *host, int family, unsigned flags,
		    struct cfg_addr *ret)
{
	struct addrinfo hints = {
	    .ai_family = family,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = flags & ADDR_NO_LOOKUP ? AI_NUMERICHOST : 0,
	};
	struct addrinfo *found = NULL;
	bool numeric = cfg_numeric_address(host, ret);
	unsigned nth = numeric ? 0 : flags >> 8; /* an address is one for all */
	int e;

	if (numeric && (family == AF_UNSPEC || family == ret->sa.sa_family))
		return true;
	*ret = (struct cfg_addr){0};
	e = getaddrinfo(host, NULL, &hints, &found);
	for (const struct addrinfo *a = e ? NULL : found; a; a = a->ai_next) {
		if (nth--)
			continue;
		if (a->ai_addrlen <= sizeof(ret->storage)) {
			memcpy(&ret->storage, a->ai_addr, a->ai_addrlen);
			ret->len = a->ai_addrlen;
		}
		break;
	}
	if (found)
		freeaddrinfo(found);
	if (ret->len || (flags & (ADDR_UNRESOLVED | ADDR_NO_LOOKUP)))
		return true;
	say(r, DIAG_ERROR, i,
	    "cannot resolve \"%s\" (%s): write an address, or a name that resolves now%s", host,
	    e ? gai_strerror(e) : "no address",
	    flags & ADDR_SERVER ? "; with -dr the server starts disabled" : "");
	return false;
}

/* "+1000", "-1000" */
static bool read_shift(struct reader *r, size_t i, const char *text, unsigned flags, struct address *ret)
{
	char *end;
	long shift = strtol(text, &end, 10);

	if (!(flags & ADDR_SERVER)) {
		say(r, DIAG_ERROR, i, "a port relative to the client's (\"%s\") is for lines of server: write the port", text);
		return false;
	}
	if (*end || shift > 65535 || shift < -65535) {
		say(r, DIAG_ERROR, i, "\"%s\" is no shift of a port: write +1 to +65535, or the same with \"-\"", text);
		return false;
	}
	ret->port_shift = (int)shift;
	ret->shifts = true;
	return true;
}

/* "8080" is meant as a port, "admin.sock" perhaps as a file. */
static void say_no_port(struct reader *r, size_t i, const char *text, unsigned flags)
{
	if (flags & ADDR_LISTEN && *text && !text[strspn(text, "0123456789")])
		say(r, DIAG_ERROR, i, "\"%s\" has no port: write address:port, or :%s for every address", text, text);
	else
		say(r, DIAG_ERROR, i, "\"%s\" has no port: write address:port, for example %s:80%s", text, *text ? text : "*",
		    flags & ADDR_LISTEN && !strchr(text, ':') && strpbrk(text, "abcdefghijklmnopqrstuvwxyz")
			? ", or a path that begins with / for a unix socket"
			: "");
}

/* The port behind the last colon; "[v6]", a bare "::" and a lone host have none. */
static bool split_port(struct reader *r, size_t i, char *text, unsigned flags, struct address *ret)
{
	char *bracket = strrchr(text, ']'), *colon = strrchr(text, ':'), *end;
	unsigned long low, high;

	if (colon && (!bracket || colon > bracket)) {
		*colon++ = '\0';
		if ((*colon == '+' || *colon == '-') && isdigit((unsigned char)colon[1]))
			return read_shift(r, i, colon, flags, ret);
		if (!*colon && !(flags & (ADDR_LISTEN | ADDR_PORT)))
			return true;
		low = high = strtoul(colon, &end, 10);
		if (end != colon && *end == '-' && (flags & ADDR_LISTEN)) {
			const char *second = end + 1;

			high = strtoul(second, &end, 10);
			if (end == second)
				end = colon;
		}
		if (end == colon || *end || low > 65535 || high > 65535 || high < low) {
			say(r, DIAG_ERROR, i, "\"%s\" is no port: write a number from 1 to 65535",
			    colon);
			return false;
		}
		ret->port = (unsigned)low;
		ret->port_end = (unsigned)high;
		if (high - low >= CFG_PORTS_MAX) {
			say(r, DIAG_ERROR, i, "the range of ports %lu-%lu has more than %d ports",
			    low, high, CFG_PORTS_MAX);
			return false;
		}
	}
	if (ret->port || !(flags & (ADDR_LISTEN | ADDR_PORT)))
		return true;
	say_no_port(r, i, text, flags);
	return false;
}

/* The manual's section 11: what stands before the family says how bytes go, and that is known here. */
static char *skip_protocol(struct reader *r, size_t i, char *text, unsigned flags, char buf[ADDRESS_TEXT_MAX])
{
	static const struct {
		const char *name, *family;
		bool datagram;
	} protocols[] = {
	    {"tcp@", "", false},     {"tcp4@", "ipv4@", false}, {"tcp6@", "ipv6@", false}, {"uxst@", "unix@", false},
	    {"stream+", "", false},  {"udp@", "", true},	{"udp4@", "ipv4@", true},  {"udp6@", "ipv6@", true},
	    {"uxdg@", "unix@", true}, {"dgram+", "", true},
	};
	size_t len = 0, n = sizeof(protocols) / sizeof(protocols[0]), k;

	if (!strpbrk(text, "@+")) /* nearly all */
		return text;
	for (k = 0; k < n; k++) {
		len = strlen(protocols[k].name);
		if (!strncmp(text, protocols[k].name, len))
			break;
	}
	if (k == n)
		return strncmp(text, "ip@", 3) ? text : text + 3;
	if (protocols[k].datagram != ((flags & ADDR_DATAGRAM) != 0)) {
		say(r, DIAG_ERROR, i, "\"%s\" is an address for %s, which are not spoken here", text,
		    protocols[k].datagram ? "datagrams" : "streams");
		return NULL;
	}
	text += len;
	if (!strncmp(text, "ip@", 3))
		text += 3;
	snprintf(buf, ADDRESS_TEXT_MAX, "%s%s", protocols[k].family, text);
	return buf;
}

/* "fd@3": a socket that was opened by others. */
static bool set_descriptor(struct reader *r, size_t i, const char *host, struct address *ret)
{
	const char *number = host + strlen("fd@");
	char *end;

	ret->fd = (int)strtol(number, &end, 10);
	if (end != number && !*end && ret->fd >= 0)
		return true;
	say(r, DIAG_ERROR, i, "\"%s\" needs the number of an open descriptor: fd@3", host);
	return false;
}

/* "[2001:db8::1]" loses its brackets. */
static char *without_brackets(char *host, int *family)
{
	size_t len = strlen(host);

	if (len < 2 || host[0] != '[' || host[len - 1] != ']')
		return host;
	host[len - 1] = '\0';
	*family = AF_INET6;
	return host + 1;
}

bool read_address(struct reader *r, size_t i, const char *text, unsigned flags, struct address *ret)
{
	char buf[ADDRESS_TEXT_MAX], spelt[ADDRESS_TEXT_MAX], *host = buf;
	int family = AF_UNSPEC;

	*ret = (struct address){.fd = -1};
	if (!expand(r, i, text, buf, sizeof(buf)))
		return false;
	host = skip_protocol(r, i, host, flags, spelt);
	if (!host)
		return false;
	if (!strncmp(host, "unix@", 5) || *host == '/') {
		ret->host = keep_text(r, host);
		return set_unix(r, i, *host == '/' ? host : host + 5, ret);
	}
	if (!strncmp(host, "abns@", 5)) {
		ret->host = keep_text(r, host);
		return set_abstract(r, i, host + 5, ret);
	}
	if (!strncmp(host, "fd@", 3) && (flags & ADDR_LISTEN)) {
		ret->host = keep_text(r, host);
		return set_descriptor(r, i, host, ret);
	}
	if (!strncmp(host, "ipv4@", 5) || !strncmp(host, "ipv6@", 5)) {
		family = host[3] == '4' ? AF_INET : AF_INET6;
		host += 5;
	} else if (strchr(host, '@')) {
		say(r, DIAG_ERROR, i,
		    "the kind of address in \"%s\" is not supported by this version: write an IPv4 "
		    "or IPv6 address, unix@PATH, abns@NAME%s",
		    host, flags & ADDR_LISTEN ? " or fd@N" : "");
		return false;
	}
	if (!split_port(r, i, host, flags, ret))
		return false;
	host = without_brackets(host, &family);
	ret->host = keep_text(r, host);
	if (!strcmp(host, "*") || (!*host && flags & (ADDR_LISTEN | ADDR_SERVER))) {
		set_any(&ret->addr, family);
	} else if (!*host) {
		say(r, DIAG_ERROR, i, "\"%s\" has no address: write address:port", text);
		return false;
	} else if (!resolve(r, i, host, family, flags, &ret->addr)) {
		return false;
	}
	addr_set_port(&ret->addr, ret->port ? ret->port : flags & ADDR_DATAGRAM ? 514 : 0);
	return true;
}
