/* SPDX-License-Identifier: MIT */
/* Which virtual servers and checks of a configuration another one had, too: what is known of them goes on at a reload. */
#ifndef VIPD_CONF_PAIRS_H
#define VIPD_CONF_PAIRS_H

#include "conf/conf.h"

/* Where a check connects to. */
const struct ha_ip *conf_check_ip(const struct conf_check *c, const struct conf_real *r);
uint16_t conf_check_port(const struct conf_check *c, const struct conf_real *r);

/*
 * conf/same.c: each word is the same, with what was inherited. Never of checks that the supervisor tells (conf_check_is_told).
 */
bool conf_check_same(const struct conf_check *a, const struct conf_real *at,
		     const struct conf_check *b, const struct conf_real *bt);

#define CONF_NO_PAIR SIZE_MAX

/*
 * A virtual server is the same when its name and protocol are; a check when its virtual server, address, port and place
 * among the checks of its real server are.
 */
struct conf_pairs {
	size_t
	    *virtual; /* of each virtual server in order: its index in the old one, or CONF_NO_PAIR */
	size_t *check;	 /* of each check likewise, counted over all */
	bool *unchanged; /* of each check: it is the old one word for word */
	bool in_place;	 /* there are as many of all, each where it was: what is known of them need not move */
};

/* `old` NULL: nothing matches. 0 or -ENOMEM. */
int conf_pairs(const struct conf *old, const struct conf *c, struct conf_pairs *ret);
void conf_pairs_fini(struct conf_pairs *m);

/* For other programs (upgrade.h): names of the same. */
#define CONF_KEY_SIZE 128
void conf_virtual_key(const struct conf_virtual *v, char key[CONF_KEY_SIZE]);
void conf_check_key(const struct conf_virtual *v, const struct conf_real *r, unsigned place,
		    char key[CONF_KEY_SIZE]);

#endif
