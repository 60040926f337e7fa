/* SPDX-License-Identifier: MIT */
/*
 * What nft(8) must know of a set, beside what the kernel knows, to show it so that `nft -f` takes it back: user data in
 * its own format, rows of type, length and value. Pure. Facts: what nft 1.0.6 itself stores.
 */
#ifndef LIBHA_NFT_SHOWN_H
#define LIBHA_NFT_SHOWN_H

#include "base/cursor.h"

/* The keys are in host order. */
void nft_show_host_order(struct writer *w);
/* The keys are in network order, the values, such as marks, in host order. */
void nft_show_values_in_host_order(struct writer *w);
/* From numbers below `modulus` to verdicts. */
void nft_show_number_to_verdict(struct writer *w, uint32_t modulus);
/* From numbers below `modulus` to addresses, with ports or without. */
void nft_show_number_to_address(struct writer *w, uint32_t modulus, bool v6, bool with_port);

#endif
