/* SPDX-License-Identifier: MIT */
/*
 * What an administrator ordered beside the configuration: instances that are held, real servers that are
 * drained, disabled or have another weight. The supervisor keeps it, and every process is born with
 * it, so that it outlives crashes and reloads. It ends with vipd: what is to stay belongs in the file.
 */
#ifndef VIPD_ORDERS_H
#define VIPD_ORDERS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

enum order_admin {
	ORDER_READY,
	ORDER_DRAIN,	/* weight 0: no new connections */
	ORDER_DISABLED, /* not in the table, as if it were down */
	N_ORDER_ADMIN,
};

#define ORDER_NO_WEIGHT (-1) /* the configuration's */

struct order_real {
	uint8_t admin;	/* enum order_admin */
	int32_t weight; /* or ORDER_NO_WEIGHT */
};

struct orders {
	size_t n_instances, n_reals;
	bool *hold;		 /* in the order of conf.instances */
	struct order_real *real; /* of all virtual servers, in order */
};

/* For a configuration; `old` (may be NULL) was for `old_conf`, and what it says of the same objects stays. */
int orders_new(const struct conf *c, const struct orders *old, const struct conf *old_conf,
	       struct orders **ret);
void orders_free(struct orders *o);

const char *order_admin_name(unsigned admin); /* "ready", "drain", "disabled" */

#define CONF_REAL_NAME_SIZE (HA_IP_TEXT_SIZE + 16)
/* "10.0.0.1:80", "[2001:db8::1]:80" */
void conf_real_name(const struct conf_real *r, char *buf, size_t cap);

#endif
