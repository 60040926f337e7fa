/* SPDX-License-Identifier: MIT */
/* Weights as slots: a table whose entries are destinations, drawn one after the other or by a hash. */
#ifndef LIBHA_NFT_SLOTS_H
#define LIBHA_NFT_SLOTS_H

#include "service/model.h"

/*
 * Weights in lowest terms that need more slots than this are rounded, to within one slot of each
 * destination's share: 0.03 % of the connections. Every weight above 0 keeps a slot.
 */
#define NFT_SLOTS_EXACT 4096

/*
 * The slots of a service, spread evenly: of weights 3 and 1, A A B A. "rr" counts every destination of weight above 0
 * once, "fo" only the first of the greatest weight, the others by weight; without any there are no slots. Those of the
 * caller's own table (HA_SERVICE_SLOTS) are as they are there. The caller frees *ret_slots (NULL when there are none).
 * 0 or -ENOMEM.
 */
int nft_slots(const struct ha_service *s, const struct ha_dest ***ret_slots, uint32_t *ret_n);
/* How many they are, whatever the order of the destinations. 0 or -ENOMEM. */
int nft_slots_count(const struct ha_service *s, uint32_t *ret);

#endif
