/* SPDX-License-Identifier: MIT */
/* A log line as one JSON object (RFC 8259): option httplog json, option tcplog json. Pure. */
#ifndef PROXYD_RULES_LOG_JSON_H
#define PROXYD_RULES_LOG_JSON_H

#include "rules/log_facts.h"

/* What is not known has no member. What may be long stands last: request line, behind captures. */
void log_put_json(struct log_writer *w, const struct log_facts *f);

/*
 * As much of such a line as `room` bytes hold with *ret_end behind it, which makes it an object again: "", or a member
 * that says that it was cut. Texts are cut within. Empty, with an empty end: there is no room for anything.
 */
struct text log_json_cut(struct text line, size_t room, const char **ret_end);

#endif
