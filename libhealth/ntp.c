/* SPDX-License-Identifier: MIT */
/* The NTP probe: one packet of 48 bytes each way (RFC 5905 §7.3). */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_services.h>

#include "base/cursor.h"
#include "base/mem.h"
#include "base/sized.h"
#include "reply.h"

#define PACKET_BYTES 48
#define VERSION_4_CLIENT 0x23 /* version 4, mode 3 */
#define MODE_SERVER 4
#define LEAP_UNSYNCHRONIZED 3
#define STRATUM_MAX 15

struct ntp_state {
	uint64_t cookie; /* as our transmit time: the answer gives it back as its origin */
	uint8_t out[PACKET_BYTES];
};

static void ntp_teardown(void *config)
{
	mem_free(config);
}

static int ntp_setup(const void *opts, void **ret_config)
{
	struct health_ntp_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	uint64_t *c;

	if (r < 0)
		return r;
	if (o.stratum_max > STRATUM_MAX)
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	*c = o.stratum_max ? o.stratum_max : STRATUM_MAX;
	*ret_config = c;
	return 0;
}

static enum health_step ntp_open(void *state, const void *config, struct health_probe_io *io)
{
	struct ntp_state *s = state;
	struct writer w = writer_of(s->out, sizeof(s->out));

	s->cookie = io->nonce ^ io->now_ns;
	write_u8(&w, VERSION_4_CLIENT);
	write_zero(&w, PACKET_BYTES - 9); /* a client has nothing else to say: RFC 9109 */
	write_be64(&w, s->cookie);
	return reply_send(io, s->out, writer_len(&w));
}

static enum health_step ntp_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	const struct ntp_state *s = state;
	const uint64_t *stratum_max = config;
	struct reader r = reader_of(data, len);
	uint8_t first = read_u8(&r), stratum = read_u8(&r);
	const uint8_t *reference;
	char text[HEALTH_TEXT_MAX];

	read_bytes(&r, 10); /* poll, precision, root delay and dispersion */
	reference = read_bytes(&r, 4);
	read_bytes(&r, 8); /* reference time */
	if (read_be64(&r) != s->cookie || r.bad || len < PACKET_BYTES || (first & 7) != MODE_SERVER)
		return HEALTH_STEP_MORE;
	if (!stratum) { /* RFC 5905 §7.4 */
		snprintf(text, sizeof(text), "kiss code %.4s", (const char *)reference);
		return reply_no(io, 0, text);
	}
	snprintf(text, sizeof(text), "stratum %u", stratum);
	if (first >> 6 == LEAP_UNSYNCHRONIZED || stratum > STRATUM_MAX)
		return reply_no(io, stratum, "not synchronized");
	return stratum > *stratum_max ? reply_no(io, stratum, text) : reply_ok(io, stratum, text);
}

const struct health_probe_ops *health_probe_ntp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "ntp",
	    .state_size = sizeof(struct ntp_state),
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = ntp_setup,
	    .teardown = ntp_teardown,
	    .open = ntp_open,
	    .received = ntp_received,
	};

	return &ops;
}
