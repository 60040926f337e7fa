/* SPDX-License-Identifier: MIT */
/*
 * The expressions a rule is made of (linux/netfilter/nf_tables.h), each appended to a rule's list. Pure.
 * Registers are counted in words of four bytes, 0 to 15 (NFT_REG32_00 …).
 */
#ifndef LIBHA_NFT_EXPR_H
#define LIBHA_NFT_EXPR_H

#include <netinet/in.h> /* before linux/netfilter.h, which brings its own without it */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "nl/msg.h"

void nft_expr_meta(struct writer *w, enum nft_meta_keys key, unsigned int dreg);
void nft_expr_set_meta(struct writer *w, enum nft_meta_keys key, unsigned int sreg);
void nft_expr_counter(struct writer *w);
void nft_expr_ct(struct writer *w, enum nft_ct_keys key, unsigned int dreg);
/* Of one direction of the connection: the client's to us, or the answer's. */
void nft_expr_ct_original(struct writer *w, enum nft_ct_keys key, unsigned int dreg);
void nft_expr_ct_reply(struct writer *w, enum nft_ct_keys key, unsigned int dreg);
void nft_expr_payload(struct writer *w, enum nft_payload_bases base, unsigned int offset,
		      unsigned int len, unsigned int dreg);
/* The rule goes on when the register is equal, with nft_expr_cmp_not when it differs. */
void nft_expr_cmp(struct writer *w, unsigned int sreg, const void *data, size_t len);
void nft_expr_cmp_not(struct writer *w, unsigned int sreg, const void *data, size_t len);
/*
 * The rule goes on for this family (NFPROTO_*), this protocol; nft(8) then knows what the bytes after it are. Both use
 * register 0.
 */
void nft_match_family(struct writer *w, uint8_t family);
void nft_match_protocol(struct writer *w, uint8_t protocol);
/* The same as the family, by what the Ethernet header says, in a table of NFPROTO_NETDEV. */
void nft_match_ethertype(struct writer *w, uint8_t family);
/* .. for what came in over Ethernet. */
void nft_match_ethernet(struct writer *w);
/* The hashes of every load balancer must choose alike: one seed for all. */
#define NFT_HASH_SEED 0x68617773u
void nft_expr_mask(struct writer *w, unsigned int reg, const void *mask, size_t len);
/* At most 16 bytes. */
void nft_expr_value(struct writer *w, unsigned int dreg, const void *data, size_t len);
void nft_expr_jump(struct writer *w, const char *chain);
void nft_expr_goto(struct writer *w, const char *chain);
/* The end of this chain, of its hook's own: others of the hook still judge what is accepted. */
void nft_expr_accept(struct writer *w);
void nft_expr_drop(struct writer *w);

/* The rule goes on when the key is in the set. */
void nft_expr_lookup(struct writer *w, const char *set, unsigned int sreg);
void nft_expr_lookup_verdict(struct writer *w, const char *map, unsigned int sreg);
void nft_expr_lookup_data(struct writer *w, const char *map, unsigned int sreg, unsigned int dreg);
/* Adds the key to the set, or begins its time anew; the rule ends when the set is full. */
void nft_expr_update(struct writer *w, const char *set, unsigned int sreg, uint64_t timeout_ms);
/* Numbers below `modulus`: one after the other, at random, or from a hash of `len` bytes. */
void nft_expr_counting(struct writer *w, unsigned int dreg, uint32_t modulus);
void nft_expr_random(struct writer *w, unsigned int dreg, uint32_t modulus);
void nft_expr_hash(struct writer *w, unsigned int sreg, unsigned int len, unsigned int dreg,
		   uint32_t modulus, uint32_t seed);

/* Port from `reg_port` when `with_port`. family: NFPROTO_IPV4 or NFPROTO_IPV6. */
void nft_expr_dnat(struct writer *w, uint8_t family, unsigned int reg_address, bool with_port,
		   unsigned int reg_port);
/* Writes into the packet's Ethernet header. */
void nft_expr_set_link_layer(struct writer *w, unsigned int sreg, unsigned int offset,
			     unsigned int len);
/* Sends the packet out of the link whose index is in the register, as it is; the end. */
void nft_expr_forward(struct writer *w, unsigned int sreg);
void nft_expr_masquerade(struct writer *w);
/* Drops the packet and sends ICMP or ICMPv6 port unreachable. */
void nft_expr_reject(struct writer *w);

#endif
