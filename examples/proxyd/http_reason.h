/* SPDX-License-Identifier: MIT */
/* The words behind the status of an answer, RFC 9110. */
#ifndef PROXYD_HTTP_REASON_H
#define PROXYD_HTTP_REASON_H

/* Of its class, or "Unknown", for a status that the RFC does not name. */
const char *http_reason(unsigned status);

#endif
