/* SPDX-License-Identifier: MIT */
/* The attributes of the generic netlink family IPVS (linux/ip_vs.h), written and read. Pure. */
#ifndef LIBHA_IPVS_CODEC_H
#define LIBHA_IPVS_CODEC_H

#include <libha/service.h>

#include "base/cursor.h"
#include "nl/msg.h"

/* The body of a request about a service: generic netlink header and IPVS_CMD_ATTR_SERVICE. */
void ipvs_codec_put_service(struct writer *w, uint8_t cmd, const struct ha_service_opts *s);
/* The same with what names the service only, and with `d` not NULL a destination: all or its key. */
void ipvs_codec_put_key(struct writer *w, uint8_t cmd, const struct ha_service_opts *s);
void ipvs_codec_put_dest(struct writer *w, uint8_t cmd, const struct ha_service_opts *s,
			 const struct ha_dest_opts *d);
void ipvs_codec_put_dest_key(struct writer *w, uint8_t cmd, const struct ha_service_opts *s,
			     const struct ha_dest_opts *d);

/* A service as the kernel tells it; o's strings are the two arrays. */
struct ipvs_service {
	struct ha_service_opts o;
	char scheduler[HA_SERVICE_NAME_SIZE];
	char engine[HA_SERVICE_NAME_SIZE];
	struct ha_service_stats stats;
};

struct ipvs_dest {
	struct ha_dest_opts o;
	struct ha_service_stats stats;
};

/*
 * Read the answer to GET_SERVICE and GET_DEST from a message's body. False when it is cut short, an
 * attribute has a wrong length, or what names the thing is missing. `s` is the service of the request.
 */
bool ipvs_codec_read_service(struct reader body, struct ipvs_service *ret);
bool ipvs_codec_read_dest(struct reader body, const struct ha_service_opts *s,
			  struct ipvs_dest *ret);
/* GET_INFO. */
bool ipvs_codec_read_info(struct reader body, uint32_t *ret_version, uint32_t *ret_table_size);

#endif
