/* SPDX-License-Identifier: MIT */
/* Lines of addresses, routes and routing rules, in the words of ip-address(8), ip-route(8) and ip-rule(8). */
#ifndef VIPD_CONF_ROUTE_H
#define VIPD_CONF_ROUTE_H

#include "conf/words.h"

/* ADDRESS[/PREFIX], and nothing else. False, said: it is not that. With a bad prefix it is a host's, as keepalived's. */
bool conf_read_address(struct conf_parse *p, const struct conf_word *w, struct ha_ip *ret,
		       uint8_t *ret_prefix);

/* They append to the lists of an instance. `advertised`: in adverts, too. */
void conf_address_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i,
		       bool advertised);
void conf_route_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i);
void conf_rule_line(struct conf_parse *p, const struct conf_node *n, struct conf_instance *i);

#endif
