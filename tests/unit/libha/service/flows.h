/* SPDX-License-Identifier: MIT */
/* Tracked connections as ctnetlink tells them, from a few words. Include after cmocka.h. */
#ifndef TEST_SERVICE_FLOWS_H
#define TEST_SERVICE_FLOWS_H

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libha/ip.h>

#include "nl/msg.h"

#define FLOW_ID 0x1234u

static void put_tuple(struct writer *w, uint16_t type, uint8_t protocol, const struct ha_ip *src,
		      uint16_t src_port, const struct ha_ip *dst, uint16_t dst_port)
{
	bool v6 = src->family == AF_INET6;
	size_t tuple = nl_nest_begin(w, type), nest = nl_nest_begin(w, CTA_TUPLE_IP);

	nl_attr_put(w, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, src->bytes, ha_ip_len(src));
	nl_attr_put(w, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, dst->bytes, ha_ip_len(dst));
	nl_nest_end(w, nest);
	nest = nl_nest_begin(w, CTA_TUPLE_PROTO);
	nl_attr_put_u8(w, CTA_PROTO_NUM, protocol);
	nl_attr_put_be16(w, CTA_PROTO_SRC_PORT, src_port);
	nl_attr_put_be16(w, CTA_PROTO_DST_PORT, dst_port);
	nl_nest_end(w, nest);
	nl_nest_end(w, tuple);
}

/*
 * The body of a message: "tcp 192.0.2.1 80 10.0.0.1 8080 3": asked for, answered by, and the protocol's state, -1: none.
 * Of a client with port 1000. When it is answered by what was asked for, it was not rewritten.
 */
static void put_flow(struct writer *w, const char *text)
{
	struct ha_ip client = {.family = AF_INET, .bytes = {10, 9, 0, 1}}, asked, server;
	char protocol[8], a[64], b[64];
	unsigned int asked_port, server_port;
	bool rewritten;
	uint8_t number;
	int state;

	assert_int_equal(sscanf(text, "%7s %63s %u %63s %u %d", protocol, a, &asked_port, b,
				&server_port, &state),
			 6);
	assert_int_equal(ha_ip_parse(a, &asked), 0);
	assert_int_equal(ha_ip_parse(b, &server), 0);
	client.family = asked.family;
	number = !strcmp(protocol, "tcp")   ? IPPROTO_TCP
		 : !strcmp(protocol, "udp") ? IPPROTO_UDP
					    : IPPROTO_SCTP;
	rewritten = ha_ip_compare(&asked, &server) || asked_port != server_port;
	nl_nfgen_put(w, asked.family, 0);
	put_tuple(w, CTA_TUPLE_ORIG, number, &client, 1000, &asked, (uint16_t)asked_port);
	put_tuple(w, CTA_TUPLE_REPLY, number, &server, (uint16_t)server_port, &client, 1000);
	nl_attr_put_be32(w, CTA_STATUS, IPS_CONFIRMED | (rewritten ? IPS_DST_NAT : 0));
	nl_attr_put_be32(w, CTA_ID, FLOW_ID);
	if (state >= 0) {
		bool tcp = number == IPPROTO_TCP;
		size_t info = nl_nest_begin(w, CTA_PROTOINFO);
		size_t nest = nl_nest_begin(w, tcp ? CTA_PROTOINFO_TCP : CTA_PROTOINFO_SCTP);

		nl_attr_put_u8(w, tcp ? CTA_PROTOINFO_TCP_STATE : CTA_PROTOINFO_SCTP_STATE,
			       (uint8_t)state);
		nl_nest_end(w, nest);
		nl_nest_end(w, info);
	}
}

#endif
