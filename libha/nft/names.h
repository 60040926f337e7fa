/* SPDX-License-Identifier: MIT */
/*
 * How our objects in the kernel are called, and the comments by which a service and a destination
 * describe themselves. The record of the decisions is docs/decisions/nft-table.md. Pure.
 */
#ifndef LIBHA_NFT_NAMES_H
#define LIBHA_NFT_NAMES_H

#include "base/cursor.h"
#include "service/model.h"

#define NFT_TABLE_NAME_SIZE 32
/* The longest: "clients-sctp-", 39 characters, "-65535-", 39, "-65535", NUL; the kernel takes 256. */
#define NFT_NAME_SIZE 128
/* Comments of nft(8) have at most 128 bytes with their NUL. */
#define NFT_COMMENT_SIZE 128

/* The table's comment; a table with another was made by something else, or another version. */
#define NFT_TABLE_COMMENT "virtual services of hawser, format 4"

/* The chain of a service: "tcp-192.0.2.1-80", "tcp-2001_db8__1-80", "mark-ipv4-7". */
void nft_name_chain(const struct ha_service_opts *s, char ret[NFT_NAME_SIZE]);
/* The map of a service's slots: "slots-…". */
void nft_name_slots(const struct ha_service_opts *s, char ret[NFT_NAME_SIZE]);
/* The chain and the counter of a destination: the service's name, "-10.0.0.1-8080". */
void nft_name_dest(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		   char ret[NFT_NAME_SIZE]);
/* The set of the clients that persistence binds to it: "clients-…". */
void nft_name_clients(const struct ha_service_opts *s, const struct ha_dest_opts *d,
		      char ret[NFT_NAME_SIZE]);

/*
 * "service tcp 192.0.2.1 80 wrr 0x0 300/24", "service mark ipv4 7 rr 0x0 0/0"; with HA_SERVICE_SLOTS their number and
 * digest: "service tcp 192.0.2.1 80 mh 0x20 0/0 slots 251 0123456789abcdef".
 */
void nft_comment_service(const struct ha_service_opts *s, const struct service_slots *slots,
			 char ret[NFT_COMMENT_SIZE]);
/* "weight 3", of a destination. */
void nft_comment_weight(uint32_t weight, char ret[NFT_COMMENT_SIZE]);

/*
 * Read them back. False when it is not one of ours to the letter; nothing is checked but the syntax.
 * The scheduler goes to `scheduler`, where ret->scheduler points.
 */
bool nft_comment_read_service(const char *comment, struct ha_service_opts *ret,
			      char scheduler[HA_SERVICE_NAME_SIZE],
			      struct service_slots *ret_slots);
bool nft_comment_read_weight(const char *comment, uint32_t *ret);

/*
 * Comments travel as user data: type, length, text (the format of nft(8), which shows them). False when
 * there is none that fits.
 */
void nft_comment_put(struct writer *w, uint16_t attribute, const char *comment);
bool nft_comment_take(struct reader userdata, char ret[NFT_COMMENT_SIZE]);

#endif
