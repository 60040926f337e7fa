/* SPDX-License-Identifier: MIT */
/* A connection to a server, of either mode: where it goes, its socket, and the PROXY header that it begins with. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io.h"
#include "netns.h"
#include "proxy_protocol.h"
#include "tcp_tune.h"
#include "tls/info.h"
#include "worker.h"

static struct sockaddr_storage to_sockaddr(const struct endpoint *e)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = e->port};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = e->port};
	struct sockaddr_storage a = {.ss_family = AF_UNSPEC};

	memcpy(&in.sin_addr, e->addr, 4);
	memcpy(&in6.sin6_addr, e->addr, 16);
	if (e->family == AF_INET)
		memcpy(&a, &in, sizeof(in));
	else if (e->family == AF_INET6)
		memcpy(&a, &in6, sizeof(in6));
	return a;
}

struct endpoint client_target(const struct endpoint *told, int fd)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	if (told && told->family)
		return *told;
	if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
		return (struct endpoint){0};
	return endpoint_of(&own);
}

/* The port lies at the same place in both families. */
#define PORT_AT(a) ((char *)(a) + offsetof(struct sockaddr_in, sin_port))

struct cfg_addr server_target(const struct server *to, const struct connect_from *from)
{
	struct cfg_addr a = *server_addr(to);
	in_port_t port;
	struct endpoint target;
	struct sockaddr_storage there;

	if (!server_follows_client(to))
		return a;
	target = client_target(from->target, from->fd);
	if (target.family != AF_INET && target.family != AF_INET6)
		return a;
	memcpy(&port, PORT_AT(&a.storage), sizeof(port));
	if (cfg_addr_is_any(&a)) {
		there = to_sockaddr(&target);
		a.len = target.family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		memcpy(&a.storage, &there, a.len);
	}
	if (to->client_port)
		port = htons((in_port_t)(ntohs(target.port) + to->port_shift));
	memcpy(PORT_AT(&a.storage), &port, sizeof(port));
	return a;
}

#define SOURCE_TRIES_MAX 256u /* ports of a range that are tried */

static int tell_socket(int fd, int family, const struct cfg_tcp *t, bool has_data)
{
	/* the SYN carries what is sent first: without that it would not leave */
	if (t->fast_open && has_data)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int));
	return tcp_tune(fd, family, t);
}

int server_connect_socket(int fd, const struct cfg_addr *to, bool rides)
{
	if (rides && to->sa.sa_family != AF_UNIX) /* see handle_hurry() */
		setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &(int){0}, sizeof(int));
	return call_connect(fd, &to->sa, to->len) < 0 && errno != EINPROGRESS ? -errno : 0;
}

static int connect_once(struct server *to, const struct cfg_source *source, const struct connect_from *from, bool has_data)
{
	const struct cfg_tcp *tcp = atomic_load_explicit(&to->tcp, memory_order_acquire);
	const struct cfg_addr *socks = atomic_load_explicit(&to->socks, memory_order_acquire);
	struct cfg_addr a = socks ? *socks : server_target(to, from);
	const struct cfg_netns *netns = atomic_load_explicit(&to->netns, memory_order_acquire);
	int fd = netns_socket(netns, a.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), e = 0;

	if (fd < 0)
		return fd;
	if (a.sa.sa_family != AF_UNIX) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
		if (tcp)
			e = tell_socket(fd, a.sa.sa_family, tcp, has_data);
		if (!e && source)
			e = source_bind(fd, a.sa.sa_family, to, source, from);
	}
	if (!e)
		e = server_connect_socket(fd, &a, has_data && !server_has_beginning(to));
	if (!e)
		return fd;
	close(fd);
	return e;
}

bool server_is_unreachable(const struct server *to, int error)
{
	if (error == -ECONNREFUSED) /* a host's answer; a UNIX socket alone has it at once */
		return server_addr(to)->sa.sa_family == AF_UNIX;
	return error < 0 && error != -ECONNRESET && error != -EPIPE;
}

int server_connect(struct server *to, const struct connect_from *from, bool has_data)
{
	const struct cfg_source *source = atomic_load_explicit(&to->source, memory_order_acquire);
	unsigned tries = source && source->n_ports > 1 ? source->n_ports : 1;
	int fd;

	tries = tries < SOURCE_TRIES_MAX ? tries : SOURCE_TRIES_MAX;
	do
		fd = connect_once(to, source, from, has_data);
	while ((fd == -EADDRINUSE || fd == -EADDRNOTAVAIL) && --tries); /* that port is taken */
	return fd;
}

/* What of the client's connection a header of version 2 tells this server. The length then. */
static size_t tell_more(char head[PROXY_HEADER_MAX + PROXY_EXTRA_MAX], size_t len, const struct tls *t, unsigned tells,
			const char *unique_id)
{
	struct proxy_extra extra = {.crc32c = tells & CFG_PROXY_CRC32C};
	struct proxy_tls tls;

	extra.alpn = tls_alpn(t, &extra.alpn_len);
	extra.authority = tells & CFG_PROXY_AUTHORITY ? tls_server_name(t) : NULL;
	extra.authority_len = extra.authority ? strlen(extra.authority) : 0;
	extra.unique_id = tells & CFG_PROXY_UNIQUE_ID ? unique_id : NULL;
	extra.unique_id_len = extra.unique_id ? strlen(extra.unique_id) : 0;
	if (tells & CFG_PROXY_TLS) {
		tls_introduce(t, tells, &tls);
		extra.tls = &tls;
	}
	return proxy_header_extra(head, len, &extra);
}

bool server_introduce(int fd, const struct server *server, const struct handle *client_handle,
		      const struct endpoint *client, const struct endpoint *target, const char *unique_id, bool more)
{
	struct sockaddr_storage from = to_sockaddr(client),
				to = to_sockaddr(target ? target : &(struct endpoint){0});
	socklen_t size = sizeof(to);
	char head[PROXY_HEADER_MAX + PROXY_EXTRA_MAX];
	ssize_t len;

	if (!target || !target->family)
		getsockname(client_handle->fd, (struct sockaddr *)&to, &size);
	len = (ssize_t)proxy_header(head, server->send_proxy, (struct sockaddr *)&from,
				    (struct sockaddr *)&to);
	if (server->send_proxy == 2 && (server->proxy_tells || client_handle->tls))
		len = (ssize_t)tell_more(head, (size_t)len, client_handle->tls, server->proxy_tells, unique_id);
	return send(fd, head, (size_t)len, MSG_NOSIGNAL | (more ? MSG_MORE : 0)) == len;
}
