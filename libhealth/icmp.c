/* SPDX-License-Identifier: MIT */
/* Echo request and reply, ICMP (RFC 792) and ICMPv6 (RFC 4443 §4). */
#include <errno.h>
#include <sys/socket.h>

#include <libhealth/probe_net.h>

#include "base/csum.h"
#include "base/cursor.h"
#include "base/hmap.h"
#include "base/mem.h"
#include "base/sized.h"
#include "dialogue.h"

#define HEADER 8
#define TOKEN 8 /* of the payload, unlike in each check: it tells our answer from others' */

enum { ECHO_REPLY = 0, ECHO_REQUEST = 8, ECHO6_REQUEST = 128, ECHO6_REPLY = 129 };

struct icmp {
	size_t payload;
};

struct icmp_state {
	uint8_t token[TOKEN];
	uint8_t packet[HEADER + HEALTH_ICMP_PAYLOAD_MAX];
};

static int icmp_setup(const void *opts, void **ret_config)
{
	const struct health_icmp_opts defaults = {.size = sizeof(defaults)};
	struct health_icmp_opts o;
	struct icmp *p;
	int r = sized_in(&o, sizeof(o), opts ? opts : &defaults);

	if (r < 0)
		return r;
	if (!o.payload_bytes)
		o.payload_bytes = HEALTH_ICMP_PAYLOAD_DEFAULT;
	if (o.payload_bytes < TOKEN || o.payload_bytes > HEALTH_ICMP_PAYLOAD_MAX)
		return -EINVAL;
	p = mem_zalloc(sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->payload = o.payload_bytes;
	*ret_config = p;
	return 0;
}

static void icmp_teardown(void *config)
{
	mem_free(config);
}

/* Identifier and checksum are the kernel's on an echo socket; a raw one wants them whole. */
static enum health_step icmp_open(void *state, const void *config, struct health_probe_io *io)
{
	struct icmp_state *s = state;
	size_t payload = ((const struct icmp *)config)->payload, len = HEADER + payload;
	struct writer w = writer_of(s->token, TOKEN);
	bool six = io->family == AF_INET6;
	uint16_t csum;

	write_be64(&w, hmap_mix(io->nonce));
	w = writer_of(s->packet, sizeof(s->packet));
	write_u8(&w, six ? ECHO6_REQUEST : ECHO_REQUEST);
	write_u8(&w, 0);
	write_be16(&w, 0); /* checksum; of ICMPv6 it is the kernel's in any case */
	write_be16(&w, (uint16_t)(io->nonce >> 48));
	write_be16(&w, (uint16_t)(io->nonce >> 32));
	write_bytes(&w, s->token, TOKEN);
	write_zero(&w, payload - TOKEN);
	csum = csum_finish(csum_add(0, s->packet, len));
	w = writer_of(s->packet + 2, 2);
	if (!six)
		write_be16(&w, csum);
	io->send = s->packet;
	io->send_len = len;
	return HEALTH_STEP_MORE;
}

/* A raw IPv4 socket gives the IP header too (RFC 791 §3.1); no ICMP type begins like one. */
static void skip_ip_header(struct reader *r)
{
	if (reader_left(r) && *r->at >> 4 == 4)
		read_bytes(r, (size_t)(*r->at & 0xf) * 4);
}

static enum health_step icmp_received(void *state, const void *config, const void *data, size_t len,
				      struct health_probe_io *io)
{
	const struct icmp_state *s = state;
	struct reader r = reader_of(data, len);
	const uint8_t *token;
	uint8_t type;

	if (io->family != AF_INET6)
		skip_ip_header(&r);
	type = read_u8(&r);
	read_bytes(&r, HEADER - 1);
	token = read_bytes(&r, TOKEN);
	if (!token || type != (io->family == AF_INET6 ? ECHO6_REPLY : ECHO_REPLY) ||
	    memcmp(token, s->token, TOKEN))
		return HEALTH_STEP_MORE; /* another's, or an answer to an earlier check */
	answer_set(io, HEALTH_OK, HEALTH_CODE_L4OK, "");
	return HEALTH_STEP_DONE;
}

static enum health_step icmp_timeout(void *state, const void *config, struct health_probe_io *io)
{
	answer_set(io, HEALTH_FAIL, HEALTH_CODE_L4TOUT, "no echo in time");
	return HEALTH_STEP_DONE;
}

const struct health_probe_ops *health_probe_icmp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "icmp",
	    .state_size = sizeof(struct icmp_state),
	    .flags = HEALTH_PROBE_DATAGRAM | HEALTH_PROBE_ICMP,
	    .setup = icmp_setup,
	    .teardown = icmp_teardown,
	    .open = icmp_open,
	    .received = icmp_received,
	    .timeout = icmp_timeout,
	};

	return &ops;
}
