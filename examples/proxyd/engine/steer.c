/* SPDX-License-Identifier: MIT */
/*
 * When a successor listens at the same addresses, and what waits at our sockets would not be handed on (requeue.c). A
 * handshake dies with the socket it began at then, so the kernel is to give new connections to the successor's sockets a
 * while before ours are closed. It has the sockets of one address (SO_REUSEPORT) in the order of their listen(): ours
 * come first, behind them the successor's. Those in another network namespace are not counted: the first of the
 * successor's gets all.
 */
#include "control.h"
#include "worker.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Those who listen in one place. */
struct group {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	int interface; /* 0: any */
};

static bool group_of(int fd, struct group *ret)
{
	socklen_t len = sizeof(ret->at), int_len = sizeof(ret->interface);

	*ret = (struct group){0};
	return !getsockname(fd, &ret->at.sa, &len) &&
	       !getsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &ret->interface, &int_len);
}

static bool is_of(const struct group *g, const struct inet_diag_msg *m)
{
	if (m->idiag_family != g->at.sa.sa_family || (int)m->id.idiag_if != g->interface)
		return false;
	return m->idiag_family == AF_INET ? !memcmp(m->id.idiag_src, &g->at.v4.sin_addr, sizeof(g->at.v4.sin_addr))
					  : !memcmp(m->id.idiag_src, &g->at.v6.sin6_addr, sizeof(g->at.v6.sin6_addr));
}

static bool ask_who_listens(int fd, const struct group *g)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 r;
	} ask = {
	    .h = {.nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
	    .r = {.sdiag_family = (uint8_t)g->at.sa.sa_family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1u << TCP_LISTEN},
	};

	ask.r.id.idiag_sport = g->at.sa.sa_family == AF_INET ? g->at.v4.sin_port : g->at.v6.sin6_port;
	return send(fd, &ask, sizeof(ask), 0) == (ssize_t)sizeof(ask);
}

/* True: there may be more. */
static bool count_in(const struct group *g, const struct nlmsghdr *h, size_t len, unsigned *n)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return false; /* the end, or an error */
		*n += h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)) && is_of(g, NLMSG_DATA(h));
	}
	return true;
}

/* 0 if the kernel does not tell. */
static unsigned count_listening(const struct group *g)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	_Alignas(struct nlmsghdr) char answer[16384];
	unsigned n = 0;
	ssize_t len;

	if (fd < 0)
		return 0;
	if (ask_who_listens(fd, g))
		do
			len = recv(fd, answer, sizeof(answer), 0);
		while (len > 0 && count_in(g, (const struct nlmsghdr *)answer, (size_t)len, &n));
	close(fd);
	return n;
}

/* Any of those behind `ours`. An index that there is not leaves the choice to the kernel, as without a program. */
static void steer(int fd, unsigned ours, unsigned theirs)
{
	struct sock_filter to_successor[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_RANDOM)),
	    BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, theirs),
	    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, ours),
	    BPF_STMT(BPF_RET | BPF_A, 0),
	};
	const struct sock_fprog program = {sizeof(to_successor) / sizeof(to_successor[0]), to_successor};

	setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}

unsigned listener_count(int fd)
{
	struct group g;

	return group_of(fd, &g) ? count_listening(&g) : 0;
}

static bool steerable(const struct listener *l)
{
	return l->running && !l->shut && !l->socket[0].shared;
}

void engine_steer_away(struct engine *e)
{
	struct listener *l;

	LIST_FOREACH (l, &e->listeners, entry)
		if (steerable(l) && !l->requeues) {
			unsigned all = listener_count(l->socket[0].h.fd);

			l->n_successors = all > l->n_sockets ? all - l->n_sockets : 1;
			steer(l->socket[0].h.fd, l->n_sockets, l->n_successors);
		}
}

/*
 * The kernel puts the last socket, one of the successor's, where the closed one was: behind ours one less is left at each
 * close. What is left behind them until our last one is closed gets all. (Nothing, where the successor has fewer sockets,
 * which ours never has: listener.c.)
 */
void listener_steer_past(const struct listener *l)
{
	if (l->n_successors >= l->n_sockets)
		steer(l->socket[0].h.fd, l->n_sockets, l->n_successors - l->n_sockets + 1);
}

void engine_steer_back(struct engine *e)
{
	const struct listener *l;
	int none = 0;

	LIST_FOREACH (l, &e->listeners, entry)
		if (steerable(l) && !(l->requeues && requeue_attach(e->requeue_fd, l->socket[0].h.fd)))
			setsockopt(l->socket[0].h.fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof(none));
}
