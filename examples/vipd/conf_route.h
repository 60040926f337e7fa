/* SPDX-License-Identifier: MIT */
/* Lines of routes and of routing rules, in the words of ip-route(8) and ip-rule(8). */
#ifndef VIPD_CONF_ROUTE_H
#define VIPD_CONF_ROUTE_H

#include "conf_words.h"

/* Both append to the lists of an instance. */
void conf_route_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i);
void conf_rule_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i);

#endif
