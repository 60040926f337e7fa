/* SPDX-License-Identifier: MIT */
/* Names for numbers of routing, which administrators give in the files of iproute2. */
#ifndef VIPD_CONF_NAMES_H
#define VIPD_CONF_NAMES_H

#include "conf/words.h"

/*
 * A number, or a name from `file` ("rt_tables", "rt_protos", "rt_scopes", "rt_realms", "rt_dsfield",
 * "group"). False, said: neither, or above `max`.
 */
bool conf_named_number(struct conf_parse *p, const struct conf_word *w, const char *file,
		       uint32_t max, uint32_t *ret);

#endif
