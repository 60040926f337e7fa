/* SPDX-License-Identifier: MIT */
/* One TCP segment with SYN, and what comes back (RFC 9293 §3.5). */
#include <netinet/in.h>
#include <string.h>

#include <libhealth/probe_net.h>

#include "base/csum.h"
#include "base/cursor.h"
#include "dialogue.h"

#define HEADER 20
#define MSS_OPTION 4
#define MSS 536 /* the least every host takes (RFC 9293 §3.7.1); no data will come */

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct halfopen {
	uint16_t from, to; /* ports */
	uint32_t sequence;
	uint8_t segment[HEADER + MSS_OPTION];
};

/* Addresses of the pseudo header, and the port. */
static uint64_t end_of(const struct sockaddr *sa, uint64_t sum, uint16_t *ret_port)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->sa_family == AF_INET6) {
		*ret_port = ntohs(in6->sin6_port);
		return csum_add(sum, &in6->sin6_addr, sizeof(in6->sin6_addr));
	}
	*ret_port = ntohs(in->sin_port);
	return csum_add(sum, &in->sin_addr, sizeof(in->sin_addr));
}

static enum health_step halfopen_open(void *state, const void *config, struct health_probe_io *io)
{
	struct halfopen *h = state;
	struct writer w = writer_of(h->segment, sizeof(h->segment));
	uint64_t sum;

	if (!io->local || !io->remote) { /* a dialogue without its engine */
		answer_set(io, HEALTH_NEUTRAL, HEALTH_CODE_SOCKERR, "no raw socket");
		return HEALTH_STEP_DONE;
	}
	sum = end_of(io->local, 0, &h->from);
	sum = end_of(io->remote, sum, &h->to);
	h->sequence = (uint32_t)io->nonce;
	write_be16(&w, h->from);
	write_be16(&w, h->to);
	write_be32(&w, h->sequence);
	write_be32(&w, 0);
	write_u8(&w, (HEADER + MSS_OPTION) / 4 << 4);
	write_u8(&w, SYN);
	write_be16(&w, 1024); /* window */
	write_be32(&w, 0);    /* checksum, urgent */
	write_u8(&w, 2);      /* the option: maximum segment size */
	write_u8(&w, MSS_OPTION);
	write_be16(&w, MSS);
	sum = csum_add(sum + IPPROTO_TCP + sizeof(h->segment), h->segment, sizeof(h->segment));
	w = writer_of(h->segment + 16, 2);
	write_be16(&w, csum_finish(sum));
	io->send = h->segment;
	io->send_len = sizeof(h->segment);
	return HEALTH_STEP_MORE;
}

static enum health_step halfopen_received(void *state, const void *config, const void *data,
					  size_t len, struct health_probe_io *io)
{
	const struct halfopen *h = state;
	struct reader r = reader_of(data, len);
	uint16_t from, to;
	uint32_t ack;
	uint8_t flags;

	if (io->family == AF_INET && reader_left(&r)) /* raw IPv4 comes with its header */
		read_bytes(&r, (size_t)(*r.at & 0xf) * 4);
	from = read_be16(&r);
	to = read_be16(&r);
	read_be32(&r);
	ack = read_be32(&r);
	read_u8(&r);
	flags = read_u8(&r);
	if (r.bad || from != h->to || to != h->from || !(flags & ACK) || ack != h->sequence + 1)
		return HEALTH_STEP_MORE; /* of another connection */
	if (flags & RST)
		answer_set(io, HEALTH_FAIL, HEALTH_CODE_L4CON, "refused");
	else if (flags & SYN)
		answer_set(io, HEALTH_OK, HEALTH_CODE_L4OK, "");
	else
		return HEALTH_STEP_MORE;
	return HEALTH_STEP_DONE;
}

static enum health_step halfopen_timeout(void *state, const void *config,
					 struct health_probe_io *io)
{
	answer_set(io, HEALTH_FAIL, HEALTH_CODE_L4TOUT, "no answer to SYN in time");
	return HEALTH_STEP_DONE;
}

const struct health_probe_ops *health_probe_half_open(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "half-open",
	    .state_size = sizeof(struct halfopen),
	    .flags = HEALTH_PROBE_DATAGRAM | PROBE_RAW_TCP,
	    .open = halfopen_open,
	    .received = halfopen_received,
	    .timeout = halfopen_timeout,
	};

	return &ops;
}
