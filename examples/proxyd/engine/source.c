/* SPDX-License-Identifier: MIT */
/* `source` and `usesrc`: the near end of a connection to a server, before it connects. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/http/http.h"
#include "worker.h"

#define HEADER_ADDRESSES_MAX 32

/* As whom the server is to see this client: an address without a family says nothing. */
static struct endpoint seen_as(const struct cfg_source *s, const struct connect_from *from)
{
	struct endpoint e = {0};

	if (s->as == CFG_SOURCE_CLIENT || s->as == CFG_SOURCE_CLIENT_IP)
		e = *from->client;
	else if (s->as == CFG_SOURCE_HEADER && from->header)
		e = *from->header;
	if (s->as != CFG_SOURCE_CLIENT)
		e.port = 0;
	return e;
}

/* An address of that family to bind to; false: there is none, and the system chooses. */
static bool near_end(const struct cfg_source *s, const struct connect_from *from, unsigned port, int family, struct cfg_addr *ret)
{
	struct endpoint e = seen_as(s, from);

	*ret = s->addr;
	if (e.family == family) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = e.port};
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = e.port};

		memcpy(&in.sin_addr, e.addr, 4);
		memcpy(&in6.sin6_addr, e.addr, 16);
		ret->len = family == AF_INET ? sizeof(in) : sizeof(in6);
		memcpy(&ret->storage, family == AF_INET ? (const void *)&in : (const void *)&in6, ret->len);
		return true;
	}
	if (ret->len && port) {
		in_port_t p = htons((in_port_t)port);

		memcpy((char *)&ret->storage + offsetof(struct sockaddr_in, sin_port), &p, sizeof(p));
	}
	return ret->len && ret->sa.sa_family == family;
}

int source_bind(int fd, int family, struct server *to, const struct cfg_source *s, const struct connect_from *from)
{
	unsigned port = s->n_ports > 1 ? s->port + atomic_fetch_add_explicit(&to->source_turn, 1, memory_order_relaxed) % s->n_ports
				       : s->port;
	struct cfg_addr a;
	bool foreign = s->as != CFG_SOURCE_OWN;

	if (s->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, s->interface, (socklen_t)strlen(s->interface) + 1) < 0)
		return -errno;
	if (!near_end(s, from, port, family, &a))
		return 0;
	if (foreign && setsockopt(fd, family == AF_INET ? SOL_IP : SOL_IPV6, family == AF_INET ? IP_TRANSPARENT : IPV6_TRANSPARENT,
				  &(int){1}, sizeof(int)) < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	/* without a port of its own it may share one with connections to other servers */
	setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
	return bind(fd, &a.sa, a.len) < 0 ? -errno : 0;
}

/* ---- hdr_ip ---- */

static void read_ip(const char *at, size_t len, struct endpoint *ret)
{
	char text[INET6_ADDRSTRLEN];

	*ret = (struct endpoint){0};
	if (len >= sizeof(text))
		return;
	memcpy(text, at, len);
	text[len] = '\0';
	if (inet_pton(AF_INET, text, ret->addr) == 1)
		ret->family = AF_INET;
	else if (inet_pton(AF_INET6, text, ret->addr) == 1)
		ret->family = AF_INET6;
}

/* The addresses of all fields of that name in their order: the nth of them, from the end if `nth` is below 0. */
static void nth_address(const struct http_msg *m, const char *name, int nth, struct endpoint *ret)
{
	const struct http_field *f;
	struct endpoint found[HEADER_ADDRESSES_MAX];
	unsigned n = 0;

	for (unsigned from = 0; (f = http_find(m, name, strlen(name), from)); from = (unsigned)(f - m->field) + 1) {
		struct http_span value = f->value, element;
		uint32_t at = 0;

		while (n < HEADER_ADDRESSES_MAX && http_next_element(m, value, &at, &element))
			read_ip(http_text(m, element), element.len, &found[n++]);
	}
	if (nth < 0)
		nth += (int)n + 1;
	*ret = nth > 0 && nth <= (int)n ? found[nth - 1] : (struct endpoint){0};
}

void http_source(struct exchange *x, const struct http_msg *m)
{
	const struct cfg_proxy *p = x->seeker.backend->proxy;

	x->source.family = 0;
	if (p->source_header)
		nth_address(m, p->source_header->header, p->source_header->occurrence, &x->source);
}
