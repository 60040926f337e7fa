/* SPDX-License-Identifier: MIT */
/* The last message of each proxy that was refused, request and answer apart: for "show errors". */
#ifndef PROXYD_ENGINE_REFUSED_H
#define PROXYD_ENGINE_REFUSED_H

#include <time.h>

#include "engine/http/http.h"

#define REFUSED_BYTES_MAX 4096u /* of a message */
#define REFUSED_MAX 256u	/* proxies' messages; more: the oldest goes */

struct refused {
	TAILQ_ENTRY(refused) entry; /* latest first */
	bool is_answer;
	char proxy[CFG_NAME_MAX + 1], backend[CFG_NAME_MAX + 1], server[CFG_NAME_MAX + 1]; /* "": none */
	char frontend[CFG_NAME_MAX + 1];
	unsigned proxy_id, frontend_id, backend_id, server_id; /* of none: 0 */
	struct endpoint from;
	struct timespec when;
	uint64_t event; /* how many came before, of all proxies */
	enum h1_fault fault;
	size_t len, whole; /* bytes kept, and how many there were */
	char data[REFUSED_BYTES_MAX];
};

/* Worker: keeps it; not at all when there is no memory, or when another worker is at it. `x` NULL: a request. */
void refused_keep(struct worker *w, const struct client *c, const struct exchange *x, enum h1_fault fault,
		     const char *data, size_t len);

/* Control thread: `fn` for each, under the lock: it must be short. */
void refused_each(struct engine *e, void (*fn)(void *userdata, const struct refused *c), void *userdata);
void refused_free(struct engine *e);

#endif
