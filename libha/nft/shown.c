/* SPDX-License-Identifier: MIT */
#include "nft/shown.h"

#include <linux/netfilter/nf_tables.h>

#include "nl/msg.h"

/* nft(8)'s numbers of what describes a set .. */
#define SET_KEY_ORDER 0
#define SET_DATA_ORDER 1
#define SET_KEY_TYPEOF 3
#define SET_DATA_TYPEOF 4
#define ORDER_HOST 1
#define ORDER_NETWORK 2
/* .. an expression whose type a key or value has .. */
#define TYPEOF_EXPR 0
#define TYPEOF_DATA 1
#define EXPR_VERDICT 1
#define EXPR_PAYLOAD 7
#define EXPR_CONCAT 13
#define EXPR_NUMGEN 23
/* .. what numgen is .. */
#define NUMGEN_TYPE 0
#define NUMGEN_MODULUS 1
#define NUMGEN_OFFSET 2
/* .. and which field of which header. */
#define PAYLOAD_HEADER 0
#define PAYLOAD_FIELD 1
#define HEADER_TH 11
#define HEADER_IP 12
#define HEADER_IP6 13
#define TH_DPORT 2
#define IP_DADDR 12
#define IP6_DADDR 9

static void put_u32(struct writer *u, uint8_t type, uint32_t value)
{
	write_u8(u, type);
	write_u8(u, sizeof(value));
	write_host32(u, value);
}

/* A value made of rows; its length is written at the end. */
static size_t begin(struct writer *u, uint8_t type)
{
	write_u8(u, type);
	write_u8(u, 0);
	return writer_len(u);
}

static void end(struct writer *u, size_t at)
{
	if (!u->bad)
		u->start[at - 1] = (uint8_t)(writer_len(u) - at);
}

static void put_numgen(struct writer *u, uint32_t modulus)
{
	size_t key, data;

	put_u32(u, SET_KEY_ORDER, ORDER_HOST);
	key = begin(u, SET_KEY_TYPEOF);
	put_u32(u, TYPEOF_EXPR, EXPR_NUMGEN);
	data = begin(u, TYPEOF_DATA);
	put_u32(u, NUMGEN_TYPE, NFT_NG_INCREMENTAL);
	put_u32(u, NUMGEN_MODULUS, modulus);
	put_u32(u, NUMGEN_OFFSET, 0);
	end(u, data);
	end(u, key);
}

static void put_field(struct writer *u, uint32_t header, uint32_t field)
{
	size_t data;

	put_u32(u, TYPEOF_EXPR, EXPR_PAYLOAD);
	data = begin(u, TYPEOF_DATA);
	put_u32(u, PAYLOAD_HEADER, header);
	put_u32(u, PAYLOAD_FIELD, field);
	end(u, data);
}

static void put_address(struct writer *u, bool v6)
{
	put_field(u, v6 ? HEADER_IP6 : HEADER_IP, v6 ? IP6_DADDR : IP_DADDR);
}

/* Parts of a concatenation are numbered. */
static void put_address_and_port(struct writer *u, bool v6)
{
	size_t data, part;

	put_u32(u, TYPEOF_EXPR, EXPR_CONCAT);
	data = begin(u, TYPEOF_DATA);
	part = begin(u, 0);
	put_address(u, v6);
	end(u, part);
	part = begin(u, 1);
	put_field(u, HEADER_TH, TH_DPORT);
	end(u, part);
	end(u, data);
}

void nft_show_host_order(struct writer *w)
{
	uint8_t buf[8];
	struct writer u = writer_of(buf, sizeof(buf));

	put_u32(&u, SET_KEY_ORDER, ORDER_HOST);
	nl_attr_put(w, NFTA_SET_USERDATA, buf, writer_len(&u));
}

void nft_show_values_in_host_order(struct writer *w)
{
	uint8_t buf[16];
	struct writer u = writer_of(buf, sizeof(buf));

	put_u32(&u, SET_KEY_ORDER, ORDER_NETWORK);
	put_u32(&u, SET_DATA_ORDER, ORDER_HOST);
	nl_attr_put(w, NFTA_SET_USERDATA, buf, writer_len(&u));
}

void nft_show_number_to_verdict(struct writer *w, uint32_t modulus)
{
	uint8_t buf[64];
	struct writer u = writer_of(buf, sizeof(buf));
	size_t data;

	put_numgen(&u, modulus);
	data = begin(&u, SET_DATA_TYPEOF);
	put_u32(&u, TYPEOF_EXPR, EXPR_VERDICT);
	end(&u, begin(&u, TYPEOF_DATA));
	end(&u, data);
	nl_attr_put(w, NFTA_SET_USERDATA, buf, writer_len(&u));
}

void nft_show_number_to_address(struct writer *w, uint32_t modulus, bool v6, bool with_port)
{
	uint8_t buf[128];
	struct writer u = writer_of(buf, sizeof(buf));
	size_t data;

	put_numgen(&u, modulus);
	data = begin(&u, SET_DATA_TYPEOF);
	if (with_port)
		put_address_and_port(&u, v6);
	else
		put_address(&u, v6);
	end(&u, data);
	nl_attr_put(w, NFTA_SET_USERDATA, buf, writer_len(&u));
}
