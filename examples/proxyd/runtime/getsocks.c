/* SPDX-License-Identifier: MIT */
/* "_getsocks", what -x of a successor sends: the listening sockets go to it, and stay ours, too. */
#include "runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/passed.h"
#include "log.h"

void run_getsocks(struct call *c)
{
	int to = runtime_exposing_fd(c->conn);
	struct passed_socket *s = to >= 0 ? malloc(PASSED_MAX * sizeof(*s)) : NULL;
	size_t n = s ? engine_passable(c->e, s, PASSED_MAX) : 0;
	int e = s ? passed_send(to, s, n) : 0;

	/* Who asks expects a number: without it there are none for him. */
	runtime_quit(c->conn);
	free(s);
	if (to < 0)
		log_notice("the listening sockets were asked for at a stats socket without \"expose-fd listeners\"");
	else if (!s || e < 0)
		log_err("cannot pass the listening sockets on: %s", strerror(s ? -e : ENOMEM));
	else
		log_notice("%zu listening sockets were passed on", n);
}
