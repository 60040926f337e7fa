/* SPDX-License-Identifier: MIT */
/* `socks4`: a connection to a server goes through a SOCKS4 proxy, which is told first where to (the protocol's CONNECT). */
#include "socks.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "worker.h"

#define SOCKS_VERSION 4
#define SOCKS_CONNECT 1
#define SOCKS_GRANTED 90
#define SOCKS_ANSWER_SIZE 8 /* a zero, the verdict, and an address that means nothing here */

static int ask(int fd, const struct sockaddr *to)
{
	/* whoever admits by name knows HAProxy's */
	unsigned char request[16] = {SOCKS_VERSION, SOCKS_CONNECT, [8] = 'H', 'A', 'P', 'r', 'o', 'x', 'y', '\0'};
	const struct sockaddr_in *in = (const struct sockaddr_in *)to;

	if (to->sa_family != AF_INET)
		return -EAFNOSUPPORT;
	memcpy(request + 2, &in->sin_port, 2);
	memcpy(request + 4, &in->sin_addr, 4);
	return send(fd, request, sizeof(request), MSG_NOSIGNAL) == sizeof(request) ? 0 : -EPIPE;
}

/* `step` is 0 before it is asked, then one more than bytes of the answer have come. */
int socks_connect(int fd, const struct sockaddr *to, uint8_t *step)
{
	static const unsigned char granted[2] = {0, SOCKS_GRANTED};
	unsigned char answer[SOCKS_ANSWER_SIZE];
	size_t have;
	ssize_t n;
	int e = *step ? 0 : ask(fd, to);

	if (e)
		return e;
	if (!*step)
		*step = 1;
	have = *step - 1u;
	n = recv(fd, answer + have, sizeof(answer) - have, MSG_DONTWAIT); /* not a byte of the server's */
	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (!n)
		return -ECONNRESET;
	for (size_t i = have; i < have + (size_t)n && i < sizeof(granted); i++)
		if (answer[i] != granted[i])
			return -ECONNREFUSED;
	*step = (uint8_t)(*step + n);
	return have + (size_t)n < sizeof(answer) ? -EAGAIN : 0;
}

int server_socks(int fd, const struct server *to, const struct connect_from *from, uint8_t *step)
{
	struct cfg_addr a = server_target(to, from);

	return socks_connect(fd, &a.sa, step);
}
