/* SPDX-License-Identifier: MIT */
/* What a proxy changes in heads, and what it computes of them. Pure. */
#ifndef PROXYD_ENGINE_HTTP_EDIT_H
#define PROXYD_ENGINE_HTTP_EDIT_H

#include "cfg/cfg.h"
#include "msg.h"

/*
 * Makes the Connection field say `option` ("close", "keep-alive"; NULL: neither) and keeps its other
 * options (RFC 9110, section 7.6.1). Changes nothing when it says so already. 0 or -ENOSPC.
 */
int http_say_connection(struct http_msg *m, const char *option);

/* Makes the head one without an offer of another protocol. 0 or -ENOSPC. */
int http_drop_upgrade(struct http_msg *m);

/* option forwardfor, for a client with this address (family 0: none). 0 or -ENOSPC. */
int http_add_forwarded_for(struct http_msg *m, const struct cfg_forwardfor *f, unsigned family,
			   const uint8_t *addr);

/* Names that stand in the list look as they do there. 0 or -ENOSPC. */
int http_adjust_case(struct http_msg *m, const struct cfg_case *list);

/* The first field from place `from` on whose name has more than letters, digits and "-"; n_fields: none. */
unsigned http_find_odd_name(const struct http_msg *m, unsigned from);

/* The value of a parameter of the query; length 0 and at 0: there is none. */
struct http_span http_query_parameter(const struct http_msg *m, const char *name, size_t len);

#endif
