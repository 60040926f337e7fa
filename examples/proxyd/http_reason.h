/* SPDX-License-Identifier: MIT */
/* The words behind the status of an answer. */
#ifndef PROXYD_HTTP_REASON_H
#define PROXYD_HTTP_REASON_H

#include <stdbool.h>

/* Of its class, or "Unknown", for a status without a name. */
const char *http_reason(unsigned status);

/* The same of an answer that leads elsewhere by itself, and not by a rule that sets its status. */
const char *http_redirect_reason(unsigned status);

/* Has the proxy an answer of its own with that status? */
bool http_has_page(unsigned status);

#endif
