/* SPDX-License-Identifier: MIT */
/* The SIP probes: OPTIONS, and the head of the final answer (RFC 3261 §7, §11). */
#include <errno.h>
#include <stdio.h>

#include <libhealth/probe_services.h>

#include "base/mem.h"
#include "base/sized.h"
#include "line.h"
#include "reply.h"

#define REQUEST_MAX 2048

struct sip_config {
	uint64_t flags;
	char uri[HEALTH_SIP_URI_MAX + 1], from[HEALTH_SIP_URI_MAX + 1];
};

struct sip_state {
	bool in_head;	 /* behind a status line */
	bool ours;	 /* its Call-ID is that of the request */
	uint16_t status; /* of that line */
	uint16_t lines;
	char text[HEALTH_TEXT_MAX];
	char call_id[20];
	char out[REQUEST_MAX];
};

/* "sip:" or "sips:", without what would end the line or the <> around it. */
static bool uri_valid(const char *s)
{
	size_t len = strnlen(s, HEALTH_SIP_URI_MAX + 1);

	if (len > HEALTH_SIP_URI_MAX || (strncmp(s, "sip:", 4) != 0 && strncmp(s, "sips:", 5) != 0))
		return false;
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '<' || *s == '>')
			return false;
	return true;
}

static void sip_teardown(void *config)
{
	mem_free(config);
}

static int sip_setup(const void *opts, void **ret_config)
{
	struct health_sip_opts o = {.size = sizeof(o)};
	int r = opts ? sized_in(&o, sizeof(o), opts) : 0;
	struct sip_config *c;

	if (r < 0)
		return r;
	if (!o.uri)
		o.uri = "sip:localhost";
	if (!o.from)
		o.from = "sip:libhealth@localhost";
	if (!uri_valid(o.uri) || !uri_valid(o.from) || o.flags & ~HEALTH_SIP_ANY_STATUS)
		return -EINVAL;
	c = mem_zalloc(sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->flags = o.flags;
	memcpy(c->uri, o.uri, strlen(o.uri) + 1);
	memcpy(c->from, o.from, strlen(o.from) + 1);
	*ret_config = c;
	return 0;
}

/* rport (RFC 3581): the answer comes to where the request came from, for no probe knows its address. */
static enum health_step ask(struct sip_state *s, const struct sip_config *c, const char *transport,
			    struct health_probe_io *io)
{
	int len;

	snprintf(s->call_id, sizeof(s->call_id), "%016llx",
		 (unsigned long long)(io->nonce ^ io->now_ns));
	len = snprintf(s->out, sizeof(s->out),
		       "OPTIONS %s SIP/2.0\r\n"
		       "Via: SIP/2.0/%s localhost;branch=z9hG4bK%s;rport\r\n"
		       "Max-Forwards: 70\r\n"
		       "From: <%s>;tag=%.8s\r\n"
		       "To: <%s>\r\n"
		       "Call-ID: %s\r\n"
		       "CSeq: 1 OPTIONS\r\n"
		       "Contact: <%s>\r\n"
		       "Accept: application/sdp\r\n"
		       "User-Agent: libhealth\r\n"
		       "Content-Length: 0\r\n\r\n",
		       c->uri, transport, s->call_id, c->from, s->call_id, c->uri, s->call_id,
		       c->from);
	return reply_send(io, s->out, (size_t)len);
}

static enum health_step sip_open(void *state, const void *config, struct health_probe_io *io)
{
	return ask(state, config, io->tls ? "TLS" : "TCP", io);
}

static enum health_step sip_udp_open(void *state, const void *config, struct health_probe_io *io)
{
	return ask(state, config, "UDP", io);
}

/* ---- the answer ---- */

static bool read_status_line(struct sip_state *s, struct reader line)
{
	static const char version[] = "SIP/2.0 ";
	const uint8_t *start;

	line_excerpt(&line, s->text, sizeof(s->text));
	start = read_bytes(&line, sizeof(version) - 1);
	if (!start || memcmp(start, version, sizeof(version) - 1) != 0)
		return false;
	s->status = read_status(&line);
	s->in_head = !line.bad && s->status >= 100;
	s->ours = false;
	return s->in_head;
}

/* "Call-ID: …" or "i: …", with blanks as the server likes. */
static void read_field(struct sip_state *s, struct reader line)
{
	const uint8_t *colon = reader_left(&line) ? memchr(line.at, ':', reader_left(&line)) : NULL;
	size_t name_len = colon ? (size_t)(colon - line.at) : 0, len = strlen(s->call_id);
	const char *name = (const char *)line.at;

	while (name_len && is_blank((uint8_t)name[name_len - 1]))
		name_len--;
	if (!(name_len == 7 && !strncasecmp(name, "call-id", 7)) &&
	    !(name_len == 1 && lower((uint8_t)*name) == 'i'))
		return;
	read_bytes(&line, (size_t)(colon - line.at) + 1);
	while (reader_left(&line) && is_blank(*line.at))
		read_u8(&line);
	s->ours = reader_left(&line) >= len && !memcmp(line.at, s->call_id, len);
}

/* The empty line behind a head. MORE: provisional, or somebody else's. */
static enum health_step end_head(struct sip_state *s, const struct sip_config *c,
				 struct health_probe_io *io)
{
	s->in_head = false;
	if (!s->ours || s->status < 200)
		return HEALTH_STEP_MORE;
	if (s->status < 400 || c->flags & HEALTH_SIP_ANY_STATUS)
		return reply_ok(io, s->status, s->text);
	return reply_no(io, s->status, s->text);
}

static enum health_step sip_received(void *state, const void *config, const void *data, size_t len,
				     struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), line;
	struct sip_state *s = state;

	switch (line_take(&r, HEALTH_SIP_LINE_MAX, &line)) {
	case LINE_NONE:
		io->consumed = 0;
		return HEALTH_STEP_MORE;
	case LINE_TOO_LONG:
		return reply_broken(io, s->status, "line too long");
	case LINE_WHOLE:
		io->consumed = len - reader_left(&r);
		break;
	}
	if (++s->lines > HEALTH_SIP_LINES_MAX)
		return reply_broken(io, s->status, "answer of too many lines");
	if (!s->in_head) {
		if (!reader_left(&line) ||
		    read_status_line(s, line)) /* RFC 3261 §7.5: empty lines */
			return HEALTH_STEP_MORE;
		return reply_broken(io, 0, s->text);
	}
	if (!reader_left(&line))
		return end_head(s, config, io);
	read_field(s, line);
	return HEALTH_STEP_MORE;
}

/* A datagram is a whole message; what is none is passed over. */
static enum health_step sip_udp_received(void *state, const void *config, const void *data,
					 size_t len, struct health_probe_io *io)
{
	struct reader r = reader_of(data, len), line;
	struct sip_state *s = state;

	s->in_head = false;
	if (line_take(&r, HEALTH_SIP_LINE_MAX, &line) != LINE_WHOLE || !read_status_line(s, line))
		return HEALTH_STEP_MORE;
	for (int i = 0; i < HEALTH_SIP_LINES_MAX; i++) {
		if (line_take(&r, HEALTH_SIP_LINE_MAX, &line) != LINE_WHOLE)
			return HEALTH_STEP_MORE;
		if (!reader_left(&line))
			return end_head(s, config, io);
		read_field(s, line);
	}
	return HEALTH_STEP_MORE;
}

const struct health_probe_ops *health_probe_sip(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "sip",
	    .flags = HEALTH_PROBE_FIRST,
	    .state_size = sizeof(struct sip_state),
	    .setup = sip_setup,
	    .teardown = sip_teardown,
	    .open = sip_open,
	    .received = sip_received,
	};

	return &ops;
}

const struct health_probe_ops *health_probe_sip_udp(void)
{
	static const struct health_probe_ops ops = {
	    .size = sizeof(ops),
	    .name = "sip-udp",
	    .state_size = sizeof(struct sip_state),
	    .flags = HEALTH_PROBE_DATAGRAM,
	    .setup = sip_setup,
	    .teardown = sip_teardown,
	    .open = sip_udp_open,
	    .received = sip_udp_received,
	};

	return &ops;
}
