/* SPDX-License-Identifier: MIT */
/*
 * Large bodies go from socket to socket without a copy: splice() moves the pages of what came through a pipe. There
 * is one per worker, and it is empty between two turns: what the other end does not take now is read out of it into
 * memory, as relay.c and client_give() do with theirs.
 */
#include "io.h"
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FLAGS (SPLICE_F_MOVE | SPLICE_F_NONBLOCK)

static bool open_pipe(struct worker *w)
{
	if (w->pipe[0] >= 0)
		return true;
	if (w->engine->opts.no_splice || pipe2(w->pipe, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	/* a smaller one does, too */
	(void)fcntl(w->pipe[1], F_SETPIPE_SZ, w->engine->opts.pipe_size ? w->engine->opts.pipe_size : PIPE_SIZE);
	return true;
}

void pipe_close(struct worker *w)
{
	for (unsigned i = 0; i < 2; i++) {
		if (w->pipe[i] >= 0)
			close(w->pipe[i]);
		w->pipe[i] = -1;
	}
}

bool pipe_suits(struct worker *w, const struct handle *from, const struct handle *to, uint64_t left)
{
	if (from->kind == HANDLE_HTTP_STREAM || to->kind == HANDLE_HTTP_STREAM)
		return false;
	return left >= PIPE_MIN && !from->tls && !to->tls && open_pipe(w);
}

ssize_t pipe_fill(struct worker *w, int from, uint64_t left)
{
	return splice(from, NULL, w->pipe[1], NULL, left < PIPE_SIZE ? (size_t)left : PIPE_SIZE, FLAGS);
}

struct chunk *pipe_rest(struct worker *w, size_t len)
{
	struct chunk *c = malloc(sizeof(*c) + len);

	if (c && read(w->pipe[0], c->data, len) == (ssize_t)len) {
		c->at = 0;
		c->len = (uint32_t)len;
		return c;
	}
	free(c);
	pipe_close(w);
	return NULL;
}

ssize_t pipe_send(struct worker *w, int to, size_t len)
{
	size_t sent = 0;

	while (sent < len) {
		ssize_t n = splice(w->pipe[0], NULL, to, NULL, len - sent, FLAGS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			end_if_short(to);
		if (n <= 0)
			return sent || (n < 0 && errno == EAGAIN) ? (ssize_t)sent : -1;
		sent += (size_t)n;
	}
	return (ssize_t)sent;
}
