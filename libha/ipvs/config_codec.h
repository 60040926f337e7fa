/* SPDX-License-Identifier: MIT */
/* What is configured of IPVS beside its services (linux/ip_vs.h), written and read. Pure. */
#ifndef LIBHA_IPVS_CONFIG_CODEC_H
#define LIBHA_IPVS_CONFIG_CODEC_H

#include <libha/ipvs.h>

#include "base/cursor.h"
#include "nl/msg.h"

/* Can the kernel be asked for it at all? 0 or -EINVAL. */
int ipvs_codec_check_sync(const struct ha_ipvs_sync *s);

/* The bodies of NEW_DAEMON, DEL_DAEMON and SET_CONFIG. */
void ipvs_codec_put_sync(struct writer *w, const struct ha_ipvs_sync *s);
void ipvs_codec_put_sync_stop(struct writer *w, enum ha_ipvs_sync_role role);
void ipvs_codec_put_timeouts(struct writer *w, const struct ha_ipvs_timeouts *t);

/*
 * Read the answers to GET_DAEMON and GET_CONFIG from a message's body. False when it is cut short or an
 * attribute has a wrong length. A timeout of a protocol the kernel lacks stays 0.
 */
bool ipvs_codec_read_sync(struct reader body, struct ha_ipvs_sync *ret);
bool ipvs_codec_read_timeouts(struct reader body, struct ha_ipvs_timeouts *ret);

#endif
