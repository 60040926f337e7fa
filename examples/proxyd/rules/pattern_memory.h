/* SPDX-License-Identifier: MIT */
/*
 * How far texts were held in vain against lists of patterns that are tried one after the other: who comes with such a text
 * again begins there. Each thread has its own, of at most so many texts as tune.pattern.cache-size says; the older of two
 * that need the same place goes. What it says stays true, as patterns are only added at the end of a list.
 */
#ifndef PROXYD_RULES_PATTERN_MEMORY_H
#define PROXYD_RULES_PATTERN_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "rules/sample.h"

#define PATTERN_MEMORY_SIZE 10000u /* texts; HAProxy's default */
#define PATTERN_MEMORY_MAX 1000000u
#define PATTERN_MEMORY_TEXT 114u /* bytes: longer ones are not kept */

/* For threads that have none yet. 0: none is to have one. Any thread. */
void pattern_memory_limit(unsigned texts);

/* A number for a new list, that no other has or had. Any thread. */
uint64_t pattern_memory_list(void);

/* How many patterns of the list do not fit, from the first on; 0: not known. */
uint32_t pattern_memory_get(uint64_t list, struct text t);
void pattern_memory_put(uint64_t list, struct text t, uint32_t in_vain);

#endif
