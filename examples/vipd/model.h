/* SPDX-License-Identifier: MIT */
/* From the configuration to the options of the libraries. Pure. */
#ifndef VIPD_MODEL_H
#define VIPD_MODEL_H

#include <libha/bfd.h>
#include <libha/service.h>
#include <libha/vrrp.h>

#include "conf/conf.h"
#include "health/quorum.h"

/* Options and what they point to. */
struct model_vrrp {
	struct ha_vrrp_opts opts;
	struct ha_ip address[HA_VRRP_MAX_ADDRESSES];
	struct ha_vrrp_key key;
};

void model_vrrp(const struct conf_instance *i, struct model_vrrp *ret);
void model_bfd(const struct conf_watch *w, struct ha_bfd_opts *ret); /* without its discriminator */
void model_service(const struct conf_virtual *v, const struct conf_listen *l,
		   struct ha_service_opts *ret);
void model_dest(const struct conf_real *r, uint32_t weight, struct ha_dest_opts *ret);
/* When nothing is known of its real servers. */
void model_quorum(const struct conf_virtual *v, struct quorum *ret);
/* True: services and destinations of the two are the same, weights apart. */
bool model_same(const struct conf_virtual *a, const struct conf_virtual *b);

#endif
