/* SPDX-License-Identifier: MIT */
/* May others keep an answer? Pure. */
#ifndef PROXYD_ENGINE_HTTP_CACHEABLE_H
#define PROXYD_ENGINE_HTTP_CACHEABLE_H

#include "msg.h"

enum {
	HTTP_CACHEABLE = 1u,
	HTTP_CACHEABLE_COOKIES = 2u, /* and what it says about cookies, too */
};

/*
 * As HAProxy judges for `cookie … nocache` and `option checkcache`: a GET or HEAD, a status that is kept by default
 * (RFC 9110, section 15.1), nothing in Pragma or Cache-Control against it, and something that says how long or how to
 * ask again (RFC 9111, section 4.2). 0 or the bits above.
 */
unsigned http_cacheable(const struct http_msg *answer, enum http_method method);

#endif
