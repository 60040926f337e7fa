/* SPDX-License-Identifier: MIT */
/* Names by c-ares: its sockets stand in the engine's epoll set, its clock in the engine's deadline. */
#include <ares.h>
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/hmap.h"
#include "base/mem.h"
#include "resolve.h"

#define SOCKETS 32  /* c-ares has one or two for each name server */
#define TRY_MS 1000 /* doubled with each round */
#define TRIES 3

struct resolver_socket {
	struct watch watch;
	struct resolver *resolver;
	int fd; /* -1: free */
};

struct resolver {
	struct health_engine *engine;
	ares_channel channel;
	struct hmap names;
	size_t asked; /* names under way */
	uint64_t now_ns;
	struct resolver_socket socket[SOCKETS];
};

struct name {
	struct hmap_node node;
	struct resolver *resolver;
	size_t uses; /* checks, and c-ares while it asks */
	bool asked;
	struct list waiting; /* health_check.queue */
	struct sockaddr_storage address;
	socklen_t address_len; /* 0: none ever */
	uint64_t fresh_until_ns;
	int family;
	char host[];
};

bool health_has_names(void)
{
	return true;
}

/* ---- c-ares's sockets ---- */

static ares_socket_t make_socket(int domain, int type, int protocol, void *userdata)
{
	return socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int close_socket(ares_socket_t fd, void *userdata)
{
	return close(fd);
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *sa, ares_socklen_t len,
			  void *userdata)
{
	return connect(fd, sa, len);
}

static ares_ssize_t receive_from(ares_socket_t fd, void *data, size_t len, int flags,
				 struct sockaddr *from, ares_socklen_t *from_len, void *userdata)
{
	return recvfrom(fd, data, len, flags, from, from_len);
}

/* c-ares itself would raise SIGPIPE when a name server hangs up. */
static ares_ssize_t send_vector(ares_socket_t fd, const struct iovec *vec, int n, void *userdata)
{
	const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)vec,
				 .msg_iovlen = (size_t)n};

	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
    .asocket = make_socket,
    .aclose = close_socket,
    .aconnect = connect_socket,
    .arecvfrom = receive_from,
    .asendv = send_vector,
};

static void socket_event(struct watch *w, uint32_t events, uint64_t now_ns)
{
	struct resolver_socket *s = container_of(w, struct resolver_socket, watch);
	bool reads = events & (EPOLLIN | EPOLLERR | EPOLLHUP), writes = events & EPOLLOUT;

	if (s->fd < 0)
		return; /* closed by an event before this one */
	s->resolver->now_ns = now_ns;
	ares_process_fd(s->resolver->channel, reads ? s->fd : ARES_SOCKET_BAD,
			writes ? s->fd : ARES_SOCKET_BAD);
}

static struct resolver_socket *find_socket(struct resolver *r, int fd)
{
	for (size_t i = 0; i < SOCKETS; i++)
		if (r->socket[i].fd == fd)
			return &r->socket[i];
	return NULL;
}

/* A socket that finds no place here is not heard: c-ares tries the next name server. */
static void socket_state(void *userdata, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = userdata;
	struct resolver_socket *s = find_socket(r, fd);
	int epoll_fd = r->engine->epoll_fd;
	struct epoll_event ev = {
	    .events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u),
	};

	if (!ev.events) {
		if (s) {
			epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
			s->fd = -1;
		}
		return;
	}
	if (s) {
		ev.data.ptr = &s->watch;
		epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &ev);
		return;
	}
	s = find_socket(r, -1);
	if (!s)
		return;
	s->fd = fd;
	ev.data.ptr = &s->watch;
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
}

/* ---- the resolver ---- */

static int resolver_new(struct health_engine *e)
{
	struct resolver *r = mem_zalloc(sizeof(*r));
	struct ares_options o = {
	    .timeout = TRY_MS,
	    .tries = TRIES,
	    .sock_state_cb = socket_state,
	    .sock_state_cb_data = r,
	};

	if (!r)
		return -ENOMEM;
	r->engine = e;
	for (size_t i = 0; i < SOCKETS; i++)
		r->socket[i] = (struct resolver_socket){{socket_event}, r, -1};
	if (ares_init_options(&r->channel, &o,
			      ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB) !=
	    ARES_SUCCESS) {
		mem_free(r);
		return -ENOMEM;
	}
	ares_set_socket_functions(r->channel, &socket_functions, NULL);
	if (e->name_servers &&
	    ares_set_servers_ports_csv(r->channel, e->name_servers) != ARES_SUCCESS) {
		ares_destroy(r->channel);
		mem_free(r);
		return -EINVAL;
	}
	e->resolver = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	ares_destroy(r->channel); /* ends every question */
	assert(!r->names.n);
	hmap_fini(&r->names);
	mem_free(r);
}

uint64_t resolver_deadline(const struct resolver *r)
{
	struct timeval room;

	if (!r || !r->asked || !ares_timeout(r->channel, NULL, &room))
		return HEAP_NEVER;
	return r->now_ns + (uint64_t)room.tv_sec * 1000000000 + (uint64_t)room.tv_usec * 1000;
}

void resolver_ring(struct resolver *r, uint64_t now_ns)
{
	if (!r || !r->asked)
		return;
	r->now_ns = now_ns;
	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

/* ---- names ---- */

static uint64_t hash_of(const struct health_engine *e, const char *host, int family)
{
	return hmap_hash(host, strlen(host), e->seed ^ (uint64_t)family);
}

int resolver_use(struct health_engine *e, const char *host, int family, struct name **ret)
{
	uint64_t hash = hash_of(e, host, family);
	size_t len = strlen(host) + 1;
	struct name *n;
	int r = e->resolver ? 0 : resolver_new(e);

	if (r < 0)
		return r;
	for (struct hmap_node *at = hmap_first(&e->resolver->names, hash); at; at = hmap_next(at)) {
		n = container_of(at, struct name, node);
		if (n->family == family && !strcmp(n->host, host)) {
			n->uses++;
			*ret = n;
			return 0;
		}
	}
	n = mem_zalloc(sizeof(*n) + len);
	if (!n)
		return -ENOMEM;
	memcpy(n->host, host, len);
	n->resolver = e->resolver;
	n->uses = 1;
	n->family = family;
	list_init(&n->waiting);
	if (hmap_add(&e->resolver->names, &n->node, hash) < 0) {
		mem_free(n);
		return -ENOMEM;
	}
	*ret = n;
	return 0;
}

void resolver_drop(struct name *n)
{
	if (!n || --n->uses)
		return;
	hmap_remove(&n->resolver->names, &n->node);
	mem_free(n);
}

static bool has_no_such_name(int status)
{
	return status == ARES_ENOTFOUND || status == ARES_ENODATA;
}

static void tell_waiting(struct name *n, int status, uint64_t now_ns)
{
	struct health_probe_io answer;

	while (!list_empty(&n->waiting)) {
		struct health_check *c = container_of(n->waiting.next, struct health_check, queue);

		list_remove(&c->queue);
		if (has_no_such_name(status)) {
			conn_no_such_name(c, now_ns);
		} else if (n->address_len) {
			conn_resolved(c, (const struct sockaddr *)&n->address, n->address_len,
				      now_ns);
		} else {
			answer = (struct health_probe_io){.code = HEALTH_CODE_SOCKERR};
			snprintf(answer.text, sizeof(answer.text), "name: %s",
				 ares_strerror(status));
			check_finish(c, &answer, 0, now_ns);
		}
	}
}

static void answered(void *userdata, int status, int timeouts, struct ares_addrinfo *found)
{
	struct name *n = userdata;
	struct resolver *r = n->resolver;
	const struct ares_addrinfo_node *first = found ? found->nodes : NULL;
	uint64_t ttl_ns = HEALTH_NAME_TTL_MIN_NS;

	n->asked = false;
	r->asked--;
	if (status == ARES_SUCCESS && first && first->ai_addrlen <= sizeof(n->address)) {
		memcpy(&n->address, first->ai_addr, first->ai_addrlen);
		n->address_len = first->ai_addrlen;
		if (first->ai_ttl > 1)
			ttl_ns = (uint64_t)first->ai_ttl * 1000000000;
	} else if (status == ARES_SUCCESS) {
		status = ARES_ENODATA;
	}
	if (has_no_such_name(status))
		n->address_len = 0;
	n->fresh_until_ns = r->now_ns + (ttl_ns < HEALTH_TIME_MAX_NS ? ttl_ns : HEALTH_TIME_MAX_NS);
	if (found)
		ares_freeaddrinfo(found);
	if (status != ARES_EDESTRUCTION)
		tell_waiting(n, status, r->now_ns);
	resolver_drop(n);
}

void resolver_ask(struct health_check *c, uint64_t now_ns)
{
	struct name *n = c->name;
	struct resolver *r = n->resolver;
	struct ares_addrinfo_hints hints = {
	    .ai_family = n->family ? n->family : AF_UNSPEC,
	    .ai_socktype = SOCK_STREAM,
	};

	if (n->address_len && now_ns < n->fresh_until_ns) {
		conn_resolved(c, (const struct sockaddr *)&n->address, n->address_len, now_ns);
		return;
	}
	list_add_tail(&n->waiting, &c->queue);
	if (n->asked)
		return;
	n->asked = true;
	n->uses++;
	r->asked++;
	r->now_ns = now_ns;
	ares_getaddrinfo(r->channel, n->host, NULL, &hints, answered, n);
}
