/* SPDX-License-Identifier: MIT */
/* Answers that are written as rules or "http-error" say: fields and a text, with or without formats. */
#ifndef PROXYD_ENGINE_HTTP_COMPOSE_H
#define PROXYD_ENGINE_HTTP_COMPOSE_H

#include "http.h"
#include "rules/action/action.h"

struct reply {
	char *at;
	size_t len, cap;
	bool full;
};

void reply_put(struct reply *r, const char *at, size_t len);

/*
 * Of a redirect or of v->answer: whole, with its body. `end` NULL: it says nothing of the connection, and has its body
 * for HEAD, too.
 */
void reply_compose(struct reply *to, const struct verdict *v, struct run *r, const struct own_end *end);

/* Fields of a rule, at the end of the head of the page that stands there. */
void reply_add_fields(struct reply *to, const struct answer *a, struct run *r);

#endif
