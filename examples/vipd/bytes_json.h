/* SPDX-License-Identifier: MIT */
/*
 * Text of any bytes in JSON, which knows UTF-8 only: what is none goes as a mark and a character for each byte. For a successor
 * (upgrade.h), not for people.
 */
#ifndef VIPD_BYTES_JSON_H
#define VIPD_BYTES_JSON_H

#include <jansson.h>

/* NULL: out of memory. */
json_t *bytes_to_json(const char *text);
/* Of free(). NULL: it is no string, or out of memory. */
char *bytes_from_json(const json_t *o);

/* With such a key. `value` is taken; 0 or -1. */
int bytes_object_set(json_t *o, const char *key, json_t *value);
json_t *bytes_object_get(const json_t *o, const char *key);

#endif
