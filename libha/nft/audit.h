/* SPDX-License-Identifier: MIT */
/*
 * Whether somebody changed what a dump need not read: the elements of slots and of masquerade sets. One question a
 * service, so it is asked only when nf_tables changed otherwise than by us (its generation says so).
 */
#ifndef LIBHA_NFT_AUDIT_H
#define LIBHA_NFT_AUDIT_H

#include "nft/handle.h"
#include "service/model.h"

/* 1: all is as we leave it; 0: it is not; -errno as nl_query(). */
int nft_audit(struct ha_nft *n, const struct ha_service_table *t);

#endif
